package main

// serveWords are what a node and a witness say when they begin, and what verify
// says about what it is given.
func serveWords() map[string]said {
	return map[string]said{
		"%s\n  %s (%s), signs with %s\n  manage it with: corridor status --dir %s\n": {
			"%s\n  %s（%s），以 %s 签名\n  管理：corridor status --dir %s\n",
			"%s\n  %s (%s), подписывает %s\n  управление: corridor status --dir %s\n"},
		"No log is cosigned yet: add --log VKEY or --logs FILE.\n": {"尚未联署任何日志：请加 --log VKEY 或者 --logs FILE。\n", "Пока не подписывается ни один журнал: добавьте --log VKEY или --logs FILE.\n"},
		"For policies: witness %s %s http://%s\n":                  {"写入政策：witness %s %s http://%s\n", "Для политик: witness %s %s http://%s\n"},
		"These are keys of one witness. A policy takes one of them, or counts both as one: group NAME any %s %s\n": {
			"这些是同一见证方的密钥。政策取其中之一，或者将两者计为一个：group NAME any %s %s\n",
			"Это ключи одного свидетеля. Политика берёт один из них или считает оба за один: group NAME any %s %s\n"},
		"%s: %s, %s. Open it in a browser; no network is needed.\n":                      {"%s：%s，%s。请用浏览器打开；无需网络。\n", "%s: %s, %s. Откройте в браузере; сеть не нужна.\n"},
		"there is no file to check":                                                      {"没有要核验的文件", "нет файла для проверки"},
		"name the file that corridor bundle wrote: corridor verify bundle.json":          {"请指明 corridor bundle 写出的文件：corridor verify bundle.json", "назовите файл, записанный corridor bundle: corridor verify bundle.json"},
		"--log goes with a COSE receipt":                                                 {"--log 用于 COSE 收据", "--log нужен для квитанции COSE"},
		"name its entry with --leaf FILE; for a bundle give a policy with --policy FILE": {"请用 --leaf FILE 指明其条目；证明包请用 --policy FILE 给出政策", "назовите её запись через --leaf FILE; для пакета доказательств дайте политику через --policy FILE"},
		"a COSE receipt does not carry the key of its log":                               {"COSE 收据不含其日志的密钥", "в квитанции COSE нет ключа её журнала"},
		"give it with --log VKEY, or a policy that has it with --policy FILE":            {"请用 --log VKEY 给出，或者用 --policy FILE 给出含有它的政策", "дайте его через --log VKEY или политику с ним через --policy FILE"},
		"--page writes the verifier, it does not check a file":                           {"--page 写出核验程序，不核验文件", "--page записывает программу проверки, а не проверяет файл"},
		"give the files to the page: open it in a browser and drop them there":           {"请将文件交给该页面：用浏览器打开并拖入文件", "дайте файлы странице: откройте её в браузере и перетащите их туда"},
		"%s is not a suite": {"%s 不是套件", "%s - не набор алгоритмов"},
	}
}
