package main

// credentialsWords are the sentences of corridor credentials.
func credentialsWords() map[string]said {
	return map[string]said{
		"HELD":                    {"持有", "ЕСТЬ"},
		"ISSUER":                  {"签发者", "ИЗДАТЕЛЬ"},
		"PROFILE":                 {"格式", "ПРОФИЛЬ"},
		"ASKED FOR":               {"已申请", "ЗАПРОШЕНО"},
		"STATUS":                  {"状态", "СТАТУС"},
		"WHY":                     {"原因", "ПРИЧИНА"},
		"OFFERED":                 {"获提供", "ПРЕДЛОЖЕНО"},
		"ON":                      {"日期", "ДЕНЬ"},
		"CREDENTIAL":              {"凭证", "УДОСТОВЕРЕНИЕ"},
		"TYPE":                    {"类型", "ВИД"},
		"HOLDER":                  {"持有者", "ВЛАДЕЛЕЦ"},
		"REVOKED":                 {"已撤销", "ОТОЗВАНО"},
		"RECEIVED":                {"已收到", "получено"},
		"ISSUED":                  {"已签发", "выдано"},
		"REJECTED":                {"被拒绝", "отклонено"},
		"no credentials are held": {"没有持有凭证", "удостоверений нет"},
		"nothing was asked for":   {"没有申请", "ничего не запрашивалось"},
		"nothing was offered":     {"没有获提供", "ничего не предлагалось"},
		"nothing was issued yet":  {"尚未签发", "ничего ещё не выдано"},
		"asked %s for %s; it delivers when it has decided\n": {"已向 %s 申请 %s；对方决定后交付\n", "запрос к %s: %s; он доставит, когда решит\n"},
		"revoked %s of %s\n": {"已撤销 %s（%s）\n", "отозвано %s, владелец %s\n"},
	}
}
