package main

// evidenceWords are the sentences of corridor evidence, proof and bundle.
func evidenceWords() map[string]said {
	return map[string]said{
		"PEER":      {"对等方", "УЧАСТНИК"},
		"LOG":       {"日志", "ЖУРНАЛ"},
		"FOUND":     {"发现时间", "НАЙДЕНО"},
		"CORRIDOR":  {"通道", "КОРИДОР"},
		"REFERENCE": {"编号", "ССЫЛКА"},
		"lifted %s": {"已于 %s 解除", "снято %s"},
		"stopped":   {"已中止", "остановлен"},
		"no log of a peer has been found to have two histories": {"没有发现对等方的日志存在两种历史", "журналов участников с двумя историями не найдено"},
		"%s: %d bytes, %s\n":       {"%s：%d 字节，%s\n", "%s: байт %d, %s\n"},
		"%s: %d bytes\n":           {"%s：%d 字节\n", "%s: байт %d\n"},
		"entry %d of %s, key %s\n": {"日志 %[2]s 第 %[1]d 条，密钥 %[3]s\n", "запись %d журнала %s, ключ %s\n"},
	}
}
