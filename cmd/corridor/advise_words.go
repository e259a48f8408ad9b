package main

import "corridor"

// adviseTexts are the words of advice, beside those of an answer.
func adviseTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"advise.obstacles": {EN: "In the way", ZH: "障碍", RU: "Что мешает"},
		"advise.perhaps":   {EN: "What may stand in the way, depending on what is still open", ZH: "视未明事实可能构成的障碍", RU: "Что может мешать, в зависимости от неизвестного"},
		"advise.fixed":     {EN: "No action left to you changes what these provisions look at: %s", ZH: "没有任何可用措施能改变下列规定所依据的事实：%s", RU: "Ни одна доступная мера не меняет того, на что смотрят эти нормы: %s"},
		"advise.sure":      {EN: "Make sure that the data holds none of: %s. Nothing says that it does; whatever does has to be left out.", ZH: "确认数据不含下列类别：%s。目前没有迹象表明含有；如有，须予删除。", RU: "Убедиться, что в данных нет: %s. Ничто не говорит, что они там есть; если есть, исключить."},
		"advise.ways":      {EN: "Lawful ways, the cheapest first", ZH: "合法途径（成本由低到高）", RU: "Законные пути, сначала самый дешёвый"},
		"advise.worst":     {EN: "Some facts are still open. These ways hold whatever the answers are; the answers may open cheaper ones.", ZH: "部分事实尚未确定。以下途径无论答案如何均成立；答复后可能出现成本更低的途径。", RU: "Часть фактов неизвестна. Эти пути верны при любых ответах; ответы могут открыть более дешёвые."},
		"advise.way":       {EN: "%s; may start on %s (lead time %s); cost %d", ZH: "%s；最早可于 %s 开始（所需时间 %s）；成本 %d", RU: "%s; начать можно %s (срок подготовки %s); цена %d"},
		"advise.step":      {EN: "%s, %s: %s", ZH: "%s，%s：%s", RU: "%s, %s: %s"},
		"advise.day":       {EN: "1 day", ZH: "1 日", RU: "1 дн."},
		"advise.days":      {EN: "%d days", ZH: "%d 日", RU: "%d дн."},
		"advise.unplaced":  {EN: "No column was recognised as %s, so the gateway cannot transform the file; name it with --holds COLUMN=CLASS.", ZH: "未识别出属于 %s 的列，网关无法转换文件；请用 --holds COLUMN=CLASS 指明。", RU: "Не найден столбец с данными %s, поэтому шлюз не может преобразовать файл; назовите его: --holds COLUMN=CLASS."},
		"advise.transform": {EN: "The gateway transforms the file (--apply OUT):", ZH: "由网关转换文件（--apply OUT）：", RU: "Шлюз преобразует файл (--apply OUT):"},
		"advise.settles":   {EN: "satisfies: %s", ZH: "满足：%s", RU: "выполняет: %s"},
		"advise.duties":    {EN: "duties then: %s", ZH: "届时的义务：%s", RU: "обязанности тогда: %s"},
		"advise.cut":       {EN: "The search was cut short; there may be more ways.", ZH: "搜索提前结束，可能还有其他途径。", RU: "Поиск прерван раньше времени; возможны и другие пути."},
		"advise.cutnone":   {EN: "No way was found before the search was cut short; that does not mean that there is none.", ZH: "搜索提前结束前未找到途径；这并不表示不存在。", RU: "До прерывания поиска путь не найден; это не значит, что его нет."},
		"advise.none":      {EN: "No set of the actions that Corridor knows makes this transfer lawful.", ZH: "在 Corridor 已知的措施中，没有任何组合能使本次提供合法。", RU: "Никакое сочетание известных Corridor мер не делает эту передачу законной."},
		"advise.askfirst":  {EN: "No way holds for every possible answer. Answer the questions below first, the first one before the others.", ZH: "没有任何途径在所有可能的答案下均成立。请先回答下列问题，从第一个开始。", RU: "Нет пути, верного при всех возможных ответах. Сначала ответьте на вопросы ниже, начиная с первого."},
		"advise.blind":     {EN: "There is no rule pack for %s, so no way can be found.", ZH: "没有%s的规则包，无法寻找途径。", RU: "Нет пакета правил (%s), поэтому путь искать нельзя."},
		"advise.needless":  {EN: "Nothing has to be changed.", ZH: "无须作出任何改变。", RU: "Ничего менять не нужно."},
		"advise.facts":     {EN: "Facts that are different afterwards", ZH: "此后发生变化的事实", RU: "Факты, которые станут другими"},
		"advise.then":      {EN: "The decision that this way leads to", ZH: "采取该途径后的结论", RU: "Решение, к которому ведёт этот путь"},
		"advise.wrote":     {EN: "Wrote %s: %d rows, %d bytes, %s", ZH: "已写入 %s：%d 行，%d 字节，%s", RU: "Записан %s: строк %d, байт %d, %s"},
		"advise.before":    {EN: "Before: %s", ZH: "转换前：%s", RU: "До: %s"},
		"advise.now":       {EN: "This file, with nothing else done: %s", ZH: "仅凭该文件，未采取其他措施：%s", RU: "Этот файл без других мер: %s"},
		"advise.whole":     {EN: "Once these steps are taken too: %s", ZH: "同时完成下列步骤后：%s", RU: "Когда выполнены и эти шаги: %s"},
		"advise.key":       {EN: "The key of the tokens was made for this file alone and is not kept: nobody can turn them back.", ZH: "代号密钥仅为本文件生成且未保存，任何人均无法还原。", RU: "Ключ токенов создан только для этого файла и не сохранён: обратить их никто не может."},
		"advise.unknown":   {EN: "These columns stay as they are, and the scan cannot say what they hold: %s. Look at them before the file leaves; name what they hold with --holds COLUMN=CLASS, or --holds COLUMN=none.", ZH: "下列列原样保留，扫描无法判断其内容：%s。文件发出前请查看；可用 --holds COLUMN=CLASS 或 --holds COLUMN=none 注明其内容。", RU: "Эти столбцы остаются как есть, и проверка не знает, что в них: %s. Посмотрите их до отправки файла; назовите содержание через --holds COLUMN=CLASS или --holds COLUMN=none."},
		"advise.confirm":   {EN: "The file was scanned again and nothing that had to go was found. A scan proves presence, never absence: an officer has to confirm it.", ZH: "已重新扫描该文件，未发现应当删除的内容。扫描只能证明存在，不能证明不存在，须由负责人确认。", RU: "Файл проверен снова, ничего из подлежащего исключению не найдено. Проверка доказывает наличие, но не отсутствие: это должен подтвердить ответственный."},

		"stage.drop":         {EN: "left out%s", ZH: "删除%s", RU: "исключить%s"},
		"stage.mask":         {EN: "masked (%s)", ZH: "遮蔽（%s）", RU: "скрыть (%s)"},
		"stage.pseudonymise": {EN: "replaced by tokens%s", ZH: "替换为代号%s", RU: "заменить токенами%s"},
		"stage.generalise":   {EN: "made coarser (%s)", ZH: "概括（%s）", RU: "огрубить (%s)"},
	}
}
