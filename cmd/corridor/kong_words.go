package main

// kongWords are what the reader of the command line says is wrong with it.
func kongWords() map[string]said {
	return map[string]said{
		"unknown flag %s":                                            {"没有选项 %s", "нет флага %s"},
		"unknown flag %s, did you mean %s?":                          {"没有选项 %s，是否指 %s？", "нет флага %s; может быть, %s?"},
		"unknown flag %s, did you mean one of %s?":                   {"没有选项 %s，是否指其中之一：%s？", "нет флага %s; может быть, один из %s?"},
		"unexpected argument %s":                                     {"多余的参数 %s", "лишний аргумент %s"},
		"unexpected argument %s, did you mean %s?":                   {"没有命令或者参数 %s，是否指 %s？", "нет команды или аргумента %s; может быть, %s?"},
		"unexpected argument %s, did you mean one of %s?":            {"没有命令或者参数 %s，是否指其中之一：%s？", "нет команды или аргумента %s; может быть, один из %s?"},
		"missing flags: %s":                                          {"缺少选项：%s", "не хватает флагов: %s"},
		"missing positional arguments %s":                            {"缺少参数 %s", "не хватает аргументов %s"},
		"expected %s":                                                {"缺少 %s", "не хватает %s"},
		"expected one of %s":                                         {"须为其中之一：%s", "нужно одно из: %s"},
		"expected %s value but got %s (%s)":                          {"须有值（%s），得到的是 %s（%s）", "нужно значение (%s), а дано %s (%s)"},
		"%s must be one of %s but got %s":                            {"%s 须为 %s 之一，得到的是 %s", "%s должно быть одним из %s, а дано %s"},
		"expected duration but got %s":                               {"须为时长，得到的是 %s", "нужна длительность, а дано %s"},
		"expected a valid %s bit int but got %s":                     {"须为 %s 位整数，得到的是 %s", "нужно целое число в %s бит, а дано %s"},
		"expected an int but got %s":                                 {"须为整数，得到的是 %s", "нужно целое число, а дано %s"},
		"expected a float but got %s":                                {"须为数，得到的是 %s", "нужно число, а дано %s"},
		"bool value must be true, 1, yes, false, 0 or no but got %s": {"须为 true、1、yes、false、0 或者 no，得到的是 %s", "нужно true, 1, yes, false, 0 или no, а дано %s"},
		"stat %s: no such file or directory":                         {"没有文件 %s", "нет файла %s"},
		"%s exists but is a directory":                               {"%s 是目录，不是文件", "%s - каталог, а не файл"},
	}
}
