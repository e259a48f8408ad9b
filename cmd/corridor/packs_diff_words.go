package main

import (
	"maps"

	"corridor"
)

// diffTexts are the words of a comparison and of the calendar. The verbs of a
// sentence are the same in all languages; a test checks that.
func diffTexts() map[string]corridor.Text {
	all := diffSentenceTexts()
	maps.Copy(all, diffItemTexts())
	return all
}

func diffSentenceTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"diff.same":      {EN: "The two editions are written alike and decide alike.", ZH: "两个版本的文字与结论均无差异。", RU: "Обе редакции одинаковы по тексту и по решениям."},
		"diff.shared":    {EN: "Shared by all packs, written differently", ZH: "各规则包共用部分的文字变化", RU: "Общее для всех пакетов, изменено в тексте"},
		"diff.written":   {EN: "Written differently", ZH: "文字变化", RU: "Изменено в тексте"},
		"diff.decided":   {EN: "Decided differently", ZH: "结论变化", RU: "Изменено в решениях"},
		"diff.nothing":   {EN: "Nothing: every flow that both editions can state is decided alike.", ZH: "无：凡两个版本均可表述的提供，结论一致。", RU: "Ничего: все потоки, которые описывают обе редакции, решаются одинаково."},
		"diff.whole":     {EN: "Only one edition has this pack; without the other there is nothing to compare flow by flow.", ZH: "仅一个版本含有该规则包，无从逐项比较。", RU: "Пакет есть только в одной редакции, сравнивать потоки не с чем."},
		"diff.none":      {EN: "none", ZH: "无", RU: "нет"},
		"diff.rests":     {EN: "used by %s", ZH: "引用该项的规则：%s", RU: "на этом стоят: %s"},
		"diff.because":   {EN: "because of: %s", ZH: "依据：%s", RU: "основание: %s"},
		"diff.cut.cubes": {EN: "%s, %s: too many regions to list in the JSON; a decision diagram there holds all of them.", ZH: "%s，%s：区域过多，JSON中未逐一列出，以决策图完整表示。", RU: "%s, %s: областей слишком много для списка в JSON; там их все содержит диаграмма решений."},
		"diff.cut.words": {EN: "%s, %s: not every region is put into words; the cover in the JSON is complete.", ZH: "%s，%s：未将全部区域写成文字，完整结果见JSON。", RU: "%s, %s: не все области описаны словами; полное покрытие - в JSON."},

		"how.added":   {EN: "new", ZH: "新增", RU: "добавлено"},
		"how.removed": {EN: "gone", ZH: "删除", RU: "исключено"},
		"how.changed": {EN: "changed", ZH: "修改", RU: "изменено"},
	}
}

func diffItemTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"item.pack":       {EN: "pack", ZH: "规则包", RU: "пакет"},
		"item.instrument": {EN: "instrument", ZH: "法律文件", RU: "акт"},
		"item.list":       {EN: "list", ZH: "名单", RU: "перечень"},
		"item.condition":  {EN: "condition", ZH: "条件", RU: "условие"},
		"item.silence":    {EN: "where no rule applies", ZH: "无规则适用时", RU: "если ни одно правило не применимо"},
		"item.vehicle":    {EN: "vehicle", ZH: "合法路径", RU: "правовой механизм"},
		"item.filing":     {EN: "filing", ZH: "备案或者申报", RU: "уведомление или подача"},
		"item.assessment": {EN: "assessment", ZH: "评估", RU: "оценка"},
		"item.fact":       {EN: "fact", ZH: "事实", RU: "факт"},
		"item.axiom":      {EN: "axiom", ZH: "公理", RU: "аксиома"},
		"item.obligation": {EN: "obligation", ZH: "义务", RU: "обязанность"},
		"item.profile":    {EN: "assumption profile", ZH: "假设方案", RU: "профиль допущений"},
		"item.calendar":   {EN: "calendar of working days", ZH: "工作日历", RU: "календарь рабочих дней"},

		"aspect.kind":         {EN: "kind", ZH: "类型", RU: "вид"},
		"aspect.sides":        {EN: "sides", ZH: "适用方", RU: "стороны"},
		"aspect.condition":    {EN: "condition", ZH: "条件", RU: "условие"},
		"aspect.exemptions":   {EN: "exemptions", ZH: "豁免", RU: "изъятия"},
		"aspect.results":      {EN: "results", ZH: "结论", RU: "результат"},
		"aspect.obligations":  {EN: "obligations", ZH: "义务", RU: "обязанности"},
		"aspect.dates":        {EN: "dates", ZH: "施行日期", RU: "даты"},
		"aspect.citations":    {EN: "citations", ZH: "引用条款", RU: "ссылки"},
		"aspect.source":       {EN: "source", ZH: "来源", RU: "источник"},
		"aspect.text":         {EN: "text", ZH: "说明文字", RU: "текст"},
		"aspect.title":        {EN: "title", ZH: "标题", RU: "название"},
		"aspect.version":      {EN: "version", ZH: "版本号", RU: "версия"},
		"aspect.jurisdiction": {EN: "jurisdiction", ZH: "法域", RU: "юрисдикция"},
		"aspect.members":      {EN: "member states", ZH: "成员国", RU: "государства-члены"},
		"aspect.countries":    {EN: "countries", ZH: "国家和地区", RU: "страны"},
		"aspect.states":       {EN: "states", ZH: "状态", RU: "состояния"},
		"aspect.shorthand":    {EN: "shorthand", ZH: "简写", RU: "сокращения"},
		"aspect.term":         {EN: "term", ZH: "期限", RU: "срок"},
		"aspect.question":     {EN: "question", ZH: "问题", RU: "вопрос"},
		"aspect.type":         {EN: "type", ZH: "数据类型", RU: "тип"},
		"aspect.values":       {EN: "values", ZH: "取值", RU: "значения"},
		"aspect.bounds":       {EN: "bounds", ZH: "范围", RU: "границы"},
		"aspect.derivation":   {EN: "derivation", ZH: "推导方式", RU: "вывод"},
		"aspect.who knows":    {EN: "who knows", ZH: "知悉人", RU: "кто знает"},
		"aspect.advice":       {EN: "advice", ZH: "建议", RU: "советы"},
		"aspect.weights":      {EN: "weights", ZH: "权重", RU: "веса"},
		"aspect.closing":      {EN: "closing", ZH: "自动补全", RU: "дополнение"},
		"aspect.owner":        {EN: "owner", ZH: "义务人", RU: "кто исполняет"},
		"aspect.time":         {EN: "time", ZH: "时点", RU: "момент"},
		"aspect.deadline":     {EN: "deadline", ZH: "时限", RU: "срок исполнения"},
		"aspect.approver":     {EN: "who approves", ZH: "批准者", RU: "кто разрешает"},
		"aspect.stage":        {EN: "stage", ZH: "处理环节", RU: "этап обработки"},
		"aspect.evidence":     {EN: "evidence", ZH: "证明", RU: "подтверждение"},
		"aspect.other names":  {EN: "other names", ZH: "别名", RU: "другие имена"},
		"aspect.facts":        {EN: "facts", ZH: "事实", RU: "факты"},
		"aspect.days":         {EN: "days", ZH: "日期", RU: "дни"},

		"side.export":  {EN: "export side", ZH: "出境方", RU: "сторона вывоза"},
		"side.import":  {EN: "import side", ZH: "入境方", RU: "сторона ввоза"},
		"side.treaty":  {EN: "layer of treaties", ZH: "条约层面", RU: "уровень договоров"},
		"days.always":  {EN: "at any time", ZH: "任何日期", RU: "в любой день"},
		"days.from":    {EN: "from %s", ZH: "自%s起", RU: "с %s"},
		"days.to":      {EN: "until %s", ZH: "至%s止", RU: "по %s"},
		"days.between": {EN: "from %s to %s", ZH: "%s至%s", RU: "с %s по %s"},

		"facts.any":     {EN: "any flow", ZH: "任何提供", RU: "любой поток"},
		"facts.yes":     {EN: "%s", ZH: "%s：是", RU: "%s: да"},
		"facts.no":      {EN: "not %s", ZH: "%s：否", RU: "%s: нет"},
		"facts.is":      {EN: "%s: %s", ZH: "%s：%s", RU: "%s: %s"},
		"facts.not":     {EN: "%s: not %s", ZH: "%s：非%s", RU: "%s: не %s"},
		"facts.has":     {EN: "%s: %s", ZH: "%s：含%s", RU: "%s: есть %s"},
		"facts.lacks":   {EN: "%s: without %s", ZH: "%s：不含%s", RU: "%s: нет %s"},
		"facts.members": {EN: "%s: %s, without %s", ZH: "%s：含%s，不含%s", RU: "%s: есть %s, нет %s"},
		"span.between":  {EN: "%s to %s", ZH: "%s至%s", RU: "от %s до %s"},
		"span.from":     {EN: "%s or more", ZH: "%s以上", RU: "%s и более"},
		"span.to":       {EN: "%s or less", ZH: "%s以下", RU: "%s и менее"},

		"where.no_exemption":     {EN: "no exemption applies", ZH: "无豁免适用", RU: "ни одно изъятие не применимо"},
		"where.nothing_stricter": {EN: "nothing stricter applies", ZH: "无更严格的规定适用", RU: "ничего более строгого не применимо"},
		"where.others_before":    {EN: "the other provisions come to the outcome before", ZH: "其余规定此前得出前一结论", RU: "остальные нормы давали прежний результат"},
		"where.others_after":     {EN: "the other provisions come to the outcome after, nothing stricter", ZH: "其余规定得出后一结论，且无更严格者", RU: "остальные нормы дают новый результат и ничего строже"},
		"where.no_other_asks":    {EN: "no other provision asks for it", ZH: "无其他规定要求该义务", RU: "ни одна другая норма этого не требует"},
		"where.no_rule":          {EN: "no rule applies", ZH: "无规则适用", RU: "ни одно правило не применимо"},
		"where.other_facts":      {EN: "depending on further facts, which the JSON lists", ZH: "还取决于其他事实（见JSON）", RU: "в зависимости от других фактов (см. JSON)"},
		"list.comma":             {EN: ", ", ZH: "，", RU: ", "},
		"list.semicolon":         {EN: "; ", ZH: "；", RU: "; "},
		"list.and":               {EN: ", ", ZH: "、", RU: ", "},
		"list.colon":             {EN: ": ", ZH: "：", RU: ": "},
		"duty.new":               {EN: "newly owed: %s", ZH: "新增义务：%s", RU: "новая обязанность: %s"},
		"duty.gone":              {EN: "no longer owed: %s", ZH: "不再要求：%s", RU: "больше не требуется: %s"},

		"calendar.none":              {EN: "No change of law is on record for this time.", ZH: "该期间内没有已收录的法律变化。", RU: "На это время изменений права не записано."},
		"calendar.rule_begins":       {EN: "rule begins", ZH: "规则施行", RU: "правило вступает в силу"},
		"calendar.rule_ends":         {EN: "rule no longer applies", ZH: "规则失效", RU: "правило больше не действует"},
		"calendar.list_changes":      {EN: "list changes", ZH: "名单变更", RU: "перечень меняется"},
		"calendar.list_ends":         {EN: "list ends", ZH: "名单失效", RU: "перечень утрачивает силу"},
		"calendar.instrument_begins": {EN: "instrument enters into force", ZH: "法律文件施行", RU: "акт вступает в силу"},
		"calendar.instrument_ends":   {EN: "instrument is no longer in force", ZH: "法律文件失效", RU: "акт утрачивает силу"},
		"calendar.decides":           {EN: "decisions change on: %s", ZH: "结论随之变化：%s", RU: "решения меняются: %s"},
		"calendar.added":             {EN: "added: %s", ZH: "新增：%s", RU: "добавлены: %s"},
		"calendar.removed":           {EN: "removed: %s", ZH: "移出：%s", RU: "исключены: %s"},
	}
}
