package main

// authorityWords are the sentences of corridor authority and corridor compacts.
func authorityWords() map[string]said {
	return map[string]said{
		"%s\n  the authority of %s, signs with %s\n  key %s\n  entry for compacts: %s\n": {"%s\n  %s主管机关，以 %s 签名\n  密钥 %s\n  用于协定的登记文件：%s\n", "%s\n  орган (%s), подписывает %s\n  ключ %s\n  запись для соглашений: %s\n"},
		"%d: %s (%s) is admitted until %s\n  in the feed: %s\n":                          {"%d：准入 %s（%s），至 %s 止\n  已列入公告：%s\n", "%d: %s (%s) допущен до %s\n  в ленте: %s\n"},
		"order %d (%s): suspend\n  %s\n  in the feed: %s\n":                              {"第 %d 号命令（%s）：中止\n  %s\n  已列入公告：%s\n", "приказ %d (%s): остановить\n  %s\n  в ленте: %s\n"},
		"order %d (%s): revoke\n  %s\n  in the feed: %s\n":                               {"第 %d 号命令（%s）：撤销准入\n  %s\n  已列入公告：%s\n", "приказ %d (%s): отозвать допуск\n  %s\n  в ленте: %s\n"},
		"order %d (%s): lift\n  %s\n  in the feed: %s\n":                                 {"第 %d 号命令（%s）：解除\n  %s\n  已列入公告：%s\n", "приказ %d (%s): снять остановку\n  %s\n  в ленте: %s\n"},
		"  in effect at %s\n":            {"  已在 %s 生效\n", "  действует на %s\n"},
		"  taken at %s\n":                {"  %s 已收到\n", "  принято на %s\n"},
		"%s\n  feed %d, good until %s\n": {"%s\n  公告第 %d 号，有效至 %s\n", "%s\n  лента %d, действует до %s\n"},

		"%s\n  %s\n  each member signs it: corridor authority compact sign %s --dir DIR\n": {"%s\n  %s\n  由各成员分别签署：corridor authority compact sign %s --dir DIR\n", "%s\n  %s\n  каждый участник подписывает: corridor authority compact sign %s --dir DIR\n"},
		"%s: %s\n  %s\n  in force from %s until %s\n":                                      {"%s：%s\n  %s\n  自 %s 至 %s 有效\n", "%s: %s\n  %s\n  в силе с %s до %s\n"},
		"not signed yet":                           {"尚未签署", "ещё не подписано"},
		"signed with %s":                           {"已以 %s 签署", "подписано: %s"},
		"  art. %s opens %s to %s for %s\n":        {"  第 %s 条开放 %s 至 %s：%s\n", "  ст. %s открывает %s - %s для: %s\n"},
		"  it does not bind yet: %s\n":             {"  尚无约束力：%s\n", "  ещё не связывает: %s\n"},
		"  it binds: all members have signed it\n": {"  具有约束力：全体成员均已签署\n", "  связывает: подписали все участники\n"},

		"adopted: compact %s, version %d\n  %s\n  members %s\n": {"已采纳：协定 %s 第 %d 版\n  %s\n  成员 %s\n", "принято: соглашение %s, версия %d\n  %s\n  участники %s\n"},
		"COMPACT":                             {"协定", "СОГЛАШЕНИЕ"},
		"VERSION":                             {"版本", "ВЕРСИЯ"},
		"MEMBERS":                             {"成员", "УЧАСТНИКИ"},
		"UNTIL":                               {"截止", "ДО"},
		"STATE":                               {"状态", "СОСТОЯНИЕ"},
		"in force":                            {"有效", "в силе"},
		"none: the law alone decides":         {"没有协定：仅由法律判定", "нет: решает одно право"},
		"withdrawn: compact %s, version %d\n": {"已停用：协定 %s 第 %d 版\n", "выведено из действия: соглашение %s, версия %d\n"},
		"order %d of the authority of %s: in effect\n":        {"第 %d 号命令（%s主管机关）：已生效\n", "приказ %d органа (%s): действует\n"},
		"order %d of the authority of %s: known already\n":    {"第 %d 号命令（%s主管机关）：此前已知\n", "приказ %d органа (%s): уже известен\n"},
		"feed %d of the authority of %s: in effect\n":         {"公告第 %d 号（%s主管机关）：已生效\n", "лента %d органа (%s): действует\n"},
		"feed %d of the authority of %s: known already\n":     {"公告第 %d 号（%s主管机关）：此前已知\n", "лента %d органа (%s): уже известна\n"},
		"approval %d of the authority of %s: in effect\n":     {"批准第 %d 号（%s主管机关）：已生效\n", "разрешение %d органа (%s): действует\n"},
		"approval %d of the authority of %s: known already\n": {"批准第 %d 号（%s主管机关）：此前已知\n", "разрешение %d органа (%s): уже известно\n"},
	}
}
