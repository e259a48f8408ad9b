package main

import "corridor"

// kitCmdTexts are the words of the kit commands.
func kitCmdTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"kit.fields":      {EN: "%d fields, of %d it is not verified that they are asked for", ZH: "共 %d 项，其中 %d 项的要求未经核实", RU: "полей: %d, не проверено, что требуются: %d"},
		"kit.count":       {EN: "%d of %d fields are filled; %d required ones are missing; %d rest on an assumption; of %d it is not verified that they are asked for.", ZH: "已填 %d 项，共 %d 项；必填缺失 %d 项；%d 项仅凭假定；%d 项的要求未经核实。", RU: "Заполнено полей: %d из %d; обязательных не хватает: %d; на допущении: %d; не проверено, что требуются: %d."},
		"kit.asked.yes":   {EN: "This decision asks for this filing.", ZH: "本次判定要求作此申报。", RU: "Это решение требует такой подачи."},
		"kit.asked.maybe": {EN: "Whether this filing is needed depends on what is still open.", ZH: "是否需要申报取决于未明事实。", RU: "Нужна ли подача, зависит от неизвестного."},
		"kit.asked.no":    {EN: "This decision does not ask for this filing.", ZH: "本次判定未要求作此申报。", RU: "Это решение такой подачи не требует."},
		"kit.asked.apart": {EN: "No duty of the packs stands for this filing; the kit says when it is due.", ZH: "规则包中没有对应义务；何时申报见材料说明。", RU: "В пакетах нет обязанности для этой подачи; когда она нужна, говорит комплект."},
		"kit.missing":     {EN: "MISSING", ZH: "缺失", RU: "НЕ ЗАПОЛНЕНО"},
		"kit.partly":      {EN: "known in part, %s", ZH: "仅部分已知，%s", RU: "известно частично, %s"},
		"kit.empty":       {EN: "empty, not required", ZH: "未填（非必填）", RU: "пусто, не обязательно"},
		"kit.authority":   {EN: "To: %s", ZH: "受理机关：%s", RU: "Куда: %s"},
		"kit.when":        {EN: "When: %s", ZH: "时间：%s", RU: "Когда: %s"},
		"kit.languages":   {EN: "In: %s", ZH: "语言：%s", RU: "Язык: %s"},
		"kit.duties":      {EN: "Asked for where a decision carries: %s", ZH: "判定含下列义务时须申报：%s", RU: "Требуется, если решение несёт обязанности: %s"},
		"kit.answered":    {EN: "answered", ZH: "作答", RU: "ответ"},
		"kit.unsure":      {EN: "(that this is asked for is not verified)", ZH: "（该事项要求未经核实）", RU: "(что это требуется, не проверено)"},
		"kit.required":    {EN: "* required. After the type: where the value comes from.", ZH: "* 为必填。类型之后为取值来源。", RU: "* обязательно. После типа: откуда берётся значение."},
		"by.given":        {EN: "given", ZH: "给出", RU: "указано"},
		"by.file":         {EN: "from the file", ZH: "取自文件", RU: "из файла"},
		"by.scan":         {EN: "found by a scan of", ZH: "扫描所见", RU: "найдено при осмотре"},
		"by.answered":     {EN: "answered in the interview", ZH: "问答中作答", RU: "ответ на вопрос"},
		"by.assumed":      {EN: "ASSUMED by", ZH: "假定", RU: "ДОПУЩЕНО, профиль"},
		"by.decision":     {EN: "this decision", ZH: "本次判定", RU: "это решение"},
		"by.answers":      {EN: "answered in", ZH: "作答文件", RU: "ответ из"},
		"by.event":        {EN: "given by --event", ZH: "由 --event 给出", RU: "указано в --event"},
		"by.node":         {EN: "configuration of the node", ZH: "节点配置", RU: "настройки узла"},
	}
}

// kitWords speaks of kits in one language.
func kitWords(lang string) func(key string, args ...any) string {
	p := newPhrases(lang)
	p.texts = kitCmdTexts()
	return p.say
}
