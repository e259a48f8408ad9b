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
		"name its entry with --leaf FILE; for a bundle give a policy with --policy FILE": {"请用 --leaf FILE 指明其条目；证据包请用 --policy FILE 给出政策", "назовите её запись через --leaf FILE; для пакета доказательств дайте политику через --policy FILE"},
		"a COSE receipt does not carry the key of its log":                               {"COSE 收据不含其日志的密钥", "в квитанции COSE нет ключа её журнала"},
		"give it with --log VKEY, or a policy that has it with --policy FILE":            {"请用 --log VKEY 给出，或者用 --policy FILE 给出含有它的政策", "дайте его через --log VKEY или политику с ним через --policy FILE"},
		"--page writes the verifier, it does not check a file":                           {"--page 写出核验程序，不核验文件", "--page записывает программу проверки, а не проверяет файл"},
		"give the files to the page: open it in a browser and drop them there":           {"请将文件交给该页面：用浏览器打开并拖入文件", "дайте файлы странице: откройте её в браузере и перетащите их туда"},

		"receipt %d (%s by %s)":      {"第 %d 号收据（%s，%s）", "квитанция %d (%s, %s)"},
		"check":                      {"检查", "проверка"},
		"why it matters":             {"为何重要", "почему это важно"},
		"what to do":                 {"如何处理", "что делать"},
		"all %d checks passed":       {"%d 项检查全部通过", "все проверки сошлись: %d"},
		"%d of %d checks failed: %s": {"%[2]d 项检查中有 %[1]d 项不通过：%[3]s", "не сошлось проверок: %d из %d: %s"},
		"%d to note":                 {"%d 项须注意", "замечаний: %d"},
		"it shows damage in storage or transport":                                     {"可发现存储或者传送中的损坏", "это показывает порчу при хранении или передаче"},
		"ask the exporter for the file again":                                         {"请向导出者重新索取文件", "попросите файл у выгрузившего ещё раз"},
		"an agreement binds whoever signed it":                                        {"协议约束签署者", "соглашение связывает того, кто его подписал"},
		"otherwise the text could have been exchanged later":                          {"否则文本可能事后被替换", "иначе текст могли подменить позже"},
		"export the receipts of the agreement with it":                                {"请连同协议的收据一起导出", "выгрузите вместе с соглашением его квитанции"},
		"give the policy that you trust with --policy FILE":                           {"请用 --policy FILE 给出您信任的政策", "дайте политику, которой доверяете, через --policy FILE"},
		"fetch the DID documents from the participants and give them with --did FILE": {"请从参与方取得 DID 文档，并用 --did FILE 给出", "получите документы DID у участников и дайте их через --did FILE"},
		"The file's digest is that of its content":                                    {"文件的摘要与其内容一致", "Дайджест файла соответствует его содержанию"},
		"The %s has signed the agreement":                                             {"协议已签署（%s）", "Соглашение подписано (%s)"},
		"The receipts speak of this very agreement":                                   {"收据所指正是本协议", "Квитанции говорят именно об этом соглашении"},
		"The witness policy can be used":                                              {"见证方政策可用", "Политика свидетелей пригодна"},
		"The participants' keys are known":                                            {"参与方的密钥已知", "Ключи участников известны"},
		"The times are in a possible order":                                           {"时间先后合理", "Порядок времён возможен"},
		"it comes from the bundle itself: whoever made the bundle chose it":           {"它出自证据包本身：由制作者选定", "она из самого пакета: её выбрал тот, кто его составил"},
		"those of %s come from the bundle itself":                                     {"%s 的密钥出自证据包本身", "ключи %s - из самого пакета"},
		"the file says %s, its content gives %s":                                      {"文件写的是 %s，内容得出的是 %s", "в файле указано %s, содержание даёт %s"},
		"%s: the %s signature does not match the text and the key":                    {"%s：%s 签名与文本和密钥不符", "%s: подпись %s не соответствует тексту и ключу"},
		"%d of %d quoted receipts are here":                                           {"引用的收据在此：%d/%d", "приведённых квитанций здесь: %d из %d"},
		"What %s quotes from the peer's log":                                          {"%s 引用的对等方日志", "Что приводит из журнала участника %s"},
		"The checkpoint of the peer's log that %s shows":                              {"%s 所示的对等方日志检查点", "Контрольная точка журнала участника, которую показывает %s"},
		"clocks may differ by %s":                                                     {"时钟可相差 %s", "часы могут расходиться на %s"},
		"%s is not a suite":                                                           {"%s 不是套件", "%s - не набор алгоритмов"},
	}
}
