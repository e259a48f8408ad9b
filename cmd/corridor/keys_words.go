package main

// keysWords are the sentences of corridor keys.
func keysWords() map[string]said {
	return map[string]said{
		"KEY":             {"密钥", "КЛЮЧ"},
		"SUITE":           {"密码体系", "НАБОР"},
		"SIGNS FROM":      {"开始签名", "ПОДПИСЫВАЕТ С"},
		"PUBLISHED UNTIL": {"公布至", "ОБЪЯВЛЕН ДО"},
		"ID":              {"标识", "ИДЕНТИФИКАТОР"},
		"next":            {"待启用", "следующий"},
		"current":         {"使用中", "действующий"},
		"retired":         {"已停用", "прежний"},
		"all keys of this node are in other programs":                     {"本节点的密钥均在其他程序中", "все ключи этого узла - в других программах"},
		"%s is published; it signs from %s on\n":                          {"%s 已公布；自 %s 起用于签名\n", "%s объявлен; подписывает с %s\n"},
		"%s is no longer published\n":                                     {"%s 不再公布\n", "%s больше не объявлен\n"},
		"the receipt of the change is written when the node starts: %s\n": {"变更的回执将在节点启动时写入：%s\n", "запись об изменении появится в журнале при запуске узла: %s\n"},
	}
}
