package main

import (
	"fmt"
	"strings"

	"corridor"
	"corridor/internal/paper"
)

// checkTexts are the words of an answer in the languages of the product. The
// verbs of a sentence are the same in all of them; a test checks that.
func checkTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"allow":                  {EN: "allowed", ZH: "允许", RU: "разрешено"},
		"allow_with_obligations": {EN: "allowed with duties", ZH: "附义务允许", RU: "разрешено с обязанностями"},
		"needs_approval":         {EN: "not yet", ZH: "尚不可", RU: "пока нельзя"},
		"deny":                   {EN: "refused", ZH: "禁止", RU: "запрещено"},
		"undetermined":           {EN: "undetermined", ZH: "尚不能确定", RU: "не определено"},

		"say.allow":                  {EN: "Yes: neither side's law sets a condition for this transfer.", ZH: "可以：双方法律均未对本次提供设定条件。", RU: "Да: право обеих сторон не ставит условий для этой передачи."},
		"say.allow_with_obligations": {EN: "Yes, with %d duties: the transfer may go ahead if they are met.", ZH: "可以，但须履行 %d 项义务。", RU: "Да, с обязанностями (%d): передача возможна при их выполнении."},
		"say.needs_approval":         {EN: "Not yet: under the law of %s something must be obtained or must pass before the transfer may start.", ZH: "尚不可：按照%s的法律，须先取得批准、办理手续或者等待期限届满。", RU: "Пока нельзя (%s): до начала передачи нужно что-то получить или выждать срок."},
		"say.deny":                   {EN: "No: the law of %s does not allow this transfer.", ZH: "不可以：%s的法律不允许本次提供。", RU: "Нет: эту передачу не допускает право страны %s."},
		"say.undetermined":           {EN: "Undetermined: what is still open decides between “%s” and “%s”.", ZH: "尚不能确定：未明事实决定结论为“%s”还是“%s”。", RU: "Не определено: от неизвестного зависит, «%s» или «%s»."},
		"say.notcovered":             {EN: "Undetermined: the rule pack for %s does not cover %s.", ZH: "尚不能确定：%s的规则包不涵盖%s。", RU: "Не определено: пакет правил (%s) не охватывает %s."},
		"say.nopack":                 {EN: "Undetermined: there is no rule pack for %s.", ZH: "尚不能确定：没有%s的规则包。", RU: "Не определено: нет пакета правил страны %s."},

		"flow":      {EN: "From %s to %s, %s", ZH: "从%s到%s，%s", RU: "%s → %s, %s"},
		"export":    {EN: "%s, export side: %s", ZH: "%s（出境方）：%s", RU: "%s, сторона вывоза: %s"},
		"treaty":    {EN: "%s: %s", ZH: "%s：%s", RU: "%s: %s"},
		"treaties":  {EN: "Treaties between the two states", ZH: "两国之间的条约", RU: "Договоры между двумя государствами"},
		"no treaty": {EN: "Treaties: none that is encoded speaks of this flow.", ZH: "条约：已收录的条约均未涉及本次流动。", RU: "Договоры: ни один из учтённых не говорит об этом потоке."},
		"import":    {EN: "%s, import side: %s", ZH: "%s（入境方）：%s", RU: "%s, сторона ввоза: %s"},
		"between":   {EN: "%s (between “%s” and “%s”)", ZH: "%s（介于“%s”与“%s”之间）", RU: "%s (между «%s» и «%s»)"},

		"because":      {EN: "Because", ZH: "依据", RU: "Основания"},
		"might":        {EN: "May apply, depending on what is still open", ZH: "视未明事实可能适用", RU: "Может примениться, в зависимости от неизвестного"},
		"exemptions":   {EN: "Exemptions", ZH: "豁免", RU: "Исключения"},
		"lifts":        {EN: "lifts %s", ZH: "免除 %s", RU: "снимает %s"},
		"other":        {EN: "General duties", ZH: "一般义务规定", RU: "Общие обязанности"},
		"article":      {EN: "%s, art. %s", ZH: "%s第%s条", RU: "%s, ст. %s"},
		"and_article":  {EN: ", ", ZH: "条、第", RU: ", "},
		"and_law":      {EN: "; ", ZH: "；", RU: "; "},
		"provision":    {EN: "%s, %s", ZH: "%s %s", RU: "%s, %s"},
		"verified":     {EN: "source verified %s", ZH: "来源已核实 %s", RU: "источник проверен %s"},
		"secondary":    {EN: "SECONDARY source %s, statute text not seen", ZH: "二手来源 %s，未见法规原文", RU: "ВТОРИЧНЫЙ источник %s, текст закона не видели"},
		"memory":       {EN: "NOT VERIFIED (from memory, %s)", ZH: "未核实（凭记忆，%s）", RU: "НЕ ПРОВЕРЕНО (по памяти, %s)"},
		"unverified":   {EN: "Part of what decides this side rests on sources that are not verified.", ZH: "决定本方结论的部分依据来源尚未核实。", RU: "Часть оснований этой стороны опирается на непроверенные источники."},
		"duties":       {EN: "Duties", ZH: "义务", RU: "Обязанности"},
		"duties.maybe": {EN: "Possible duties, depending on what is still open", ZH: "视未明事实可能产生的义务", RU: "Возможные обязанности, в зависимости от неизвестного"},
		"evidence":     {EN: "evidence: %s", ZH: "证明：%s", RU: "подтверждение: %s"},
		"machine":      {EN: "carried out by the gateway: %s", ZH: "由网关执行：%s", RU: "выполняет шлюз: %s"},
		"exporter":     {EN: "exporter", ZH: "数据提供方", RU: "отправитель"},
		"importer":     {EN: "importer", ZH: "数据接收方", RU: "получатель"},
		"both":         {EN: "both sides", ZH: "双方", RU: "обе стороны"},
		"officer":      {EN: "data protection officer", ZH: "数据保护负责人", RU: "ответственный за данные"},
		"scan":         {EN: "a scan of the data", ZH: "数据扫描", RU: "осмотр данных"},
		"before":       {EN: "before", ZH: "事前", RU: "до"},
		"during":       {EN: "during", ZH: "事中", RU: "во время"},
		"after":        {EN: "after", ZH: "事后", RU: "после"},
		"ahead":        {EN: "%d working days before the end, %s", ZH: "%[2]s，届满前 %[1]d 个工作日", RU: "за %d раб. дн. до конца срока: %s"},
		"within":       {EN: "within %d %s of %s", ZH: "自%[3]s之日起%[1]d%[2]s内", RU: "в течение %d %s, отсчёт: %s"},
		"for":          {EN: "for %d %s from %s", ZH: "自%[3]s之日起%[1]d%[2]s", RU: "%d %s, отсчёт: %s"},
		"calendar":     {EN: "%s (calendar of %s)", ZH: "%s（按%s工作日历）", RU: "%s (календарь: %s)"},

		"near":       {EN: "One fact away", ZH: "仅差一项事实", RU: "В одном факте отсюда"},
		"near.line":  {EN: "if %s were %s: %s", ZH: "若 %s 为 %s：%s", RU: "если бы %s было %s: %s"},
		"near.has":   {EN: "if %s included %s: %s", ZH: "若 %s 包含 %s：%s", RU: "если бы %s включало %s: %s"},
		"near.lacks": {EN: "if %s did not include %s: %s", ZH: "若 %s 不包含 %s：%s", RU: "если бы %s не включало %s: %s"},

		"unknown.columns": {EN: "nothing was recognised in the column(s) %s, whose texts may name people, so it stays open whether the data is personal; say what they hold with --holds COLUMN=CLASS, or --holds COLUMN=none", ZH: "未能识别列 %s 的内容，其文本可能含有个人姓名，因此数据是否属于个人信息尚不能确定；请用 --holds COLUMN=CLASS 或 --holds COLUMN=none 注明", RU: "в столбцах %s ничего не распознано, и там могут быть имена людей, поэтому остаётся открытым, персональные ли это данные; скажите, что в них: --holds COLUMN=CLASS или --holds COLUMN=none"},
		"unknown.count":   {EN: "the scan estimates %s people in the file, but %s is stated as at most %s, this file included; check the count", ZH: "扫描估计文件涉及 %s 人，但所述 %s（含本文件）至多为 %s；请核对人数", RU: "по оценке проверки, в файле людей: %s, а %s (с этим файлом) указано не больше %s; проверьте счёт"},

		"unknown.assumed": {EN: "the scan estimates %s people in the file, more than the profile assumes, so this is left open: %s (profile %s); state it with --set", ZH: "扫描估计文件涉及 %s 人，超过假设方案的假定，因此下列事实保持未定：%s（假设方案 %s）；请用 --set 说明", RU: "по оценке проверки, в файле людей: %s, больше, чем допускает профиль, поэтому остаётся открытым: %s (профиль %s); укажите через --set"},

		"questions":      {EN: "Still to be answered, the most telling first", ZH: "尚待回答（按区分力排序）", RU: "Осталось ответить, сначала самое важное"},
		"members":        {EN: "not yet known of: %s (list all that hold, [] if none)", ZH: "尚未确定：%s（列出全部符合项，均不符合则为[]）", RU: "пока не известно: %s (перечислите всё, что верно; [] - ничего)"},
		"options":        {EN: "answers: %s", ZH: "可选：%s", RU: "варианты: %s"},
		"ask":            {EN: "ask: %s", ZH: "询问：%s", RU: "спросить: %s"},
		"needed":         {EN: "needed by %s", ZH: "相关规则：%s", RU: "нужно для %s"},
		"answer":         {EN: "for example: %s", ZH: "例如：%s", RU: "например: %s"},
		"andmore":        {EN: "and %d more", ZH: "另有 %d 项", RU: "и ещё %d"},
		"assumed":        {EN: "Assumed, not known (profile %s)", ZH: "假定而非已知（假设方案 %s）", RU: "Допущено, но не известно (профиль %s)"},
		"noted":          {EN: "Notes", ZH: "说明", RU: "Примечания"},
		"until":          {EN: "Holds until %s, when a term or a rule changes; ask again then.", ZH: "有效至 %s（届时期限或者规则发生变化，应重新查询）。", RU: "Действует до %s: в этот день меняется срок или правило, спросите снова."},
		"ask.lead":       {EN: "Undetermined so far: between “%s” and “%s”. Answers: ? don't know, why, back, done.", ZH: "目前尚不能确定：“%s”至“%s”之间。可答：? 不知道，why 说明理由，back 撤回，done 结束。", RU: "Пока не определено: от «%s» до «%s». Ответы: ? не знаю, why почему, back назад, done хватит."},
		"ask.set":        {EN: "Numbers of those that hold, separated by commas; 0 for none:", ZH: "请输入符合的序号，以逗号分隔；均不符合输入0：", RU: "Номера верного через запятую; 0 — ничего:"},
		"ask.one":        {EN: "Number or name:", ZH: "请输入序号或者名称：", RU: "Номер или имя:"},
		"ask.bool":       {EN: "y or n:", ZH: "y（是）或者 n（否）：", RU: "y (да) или n (нет):"},
		"ask.int":        {EN: "A number, or a span such as 100000.. or 1..500 (the law draws its lines at %s):", ZH: "请输入数字或者区间，例如 100000.. 或者 1..500（法定界线：%s）：", RU: "Число или промежуток, например 100000.. или 1..500 (границы закона: %s):"},
		"ask.date":       {EN: "A day as YYYY-MM-DD:", ZH: "日期（YYYY-MM-DD）：", RU: "День в виде ГГГГ-ММ-ДД:"},
		"ask.country":    {EN: "A two-letter country code:", ZH: "两位国家代码：", RU: "Двухбуквенный код страны:"},
		"ask.wrong":      {EN: "Not understood: %s", ZH: "无法识别：%s", RU: "Не понято: %s"},
		"ask.none":       {EN: "not there, or not applicable", ZH: "没有或者不适用", RU: "нет или неприменимо"},
		"ask.again":      {EN: "The same without questions:", ZH: "不经提问的等效命令：", RU: "То же без вопросов:"},
		"matrix":         {EN: "From (row) to (column), %s", ZH: "从（行）到（列），%s", RU: "Откуда (строка) — куда (столбец), %s"},
		"matrix.assumed": {EN: "What was not given is assumed from the profile %s; the reason behind each cell: --json or --out matrix.html", ZH: "未给出的事实按假设方案 %s 填充；每格理由见 --json 或者 --out matrix.html", RU: "Не указанное взято из профиля %s; основание каждой клетки: --json или --out matrix.html"},
		"packs":          {EN: "Rule packs", ZH: "规则包", RU: "Пакеты правил"},
		"disclaimer":     {EN: "Corridor informs; this is not legal advice.", ZH: "Corridor 仅供参考，不构成法律意见。", RU: "Corridor информирует; это не юридическая консультация."},

		"due.until":       {EN: "runs until %s", ZH: "至%s（含当日）止", RU: "длится до %s включительно"},
		"due":             {EN: "due by %s", ZH: "应于%s（含当日）前完成", RU: "срок - до %s включительно"},
		"due.provisional": {EN: "(some of the working days are estimated)", ZH: "（部分工作日为估计）", RU: "(часть рабочих дней - оценка)"},

		"unit.days":          {EN: "days", ZH: "日", RU: "дн."},
		"unit.calendar_days": {EN: "calendar days", ZH: "个自然日", RU: "календ. дн."},
		"unit.working_days":  {EN: "working days", ZH: "个工作日", RU: "раб. дн."},
		"unit.hours":         {EN: "hours", ZH: "小时", RU: "ч"},
		"unit.months":        {EN: "months", ZH: "个月", RU: "мес."},
		"unit.years":         {EN: "years", ZH: "年", RU: "г. (лет)"},
	}
}

// phrases speaks one language.
type phrases struct {
	lang      string
	texts     map[string]corridor.Text
	countries paper.Countries
}

func newPhrases(lang string) phrases {
	return phrases{lang, checkTexts(), paper.NewCountries(lang)}
}

func (p phrases) say(key string, args ...any) string {
	t, ok := p.texts[key]
	if !ok {
		return strings.ReplaceAll(key[strings.LastIndexByte(key, '.')+1:], "_", " ")
	}
	if len(args) == 0 {
		return t.In(p.lang)
	}
	return fmt.Sprintf(t.In(p.lang), args...)
}

// country writes a state's name and code.
func (p phrases) country(code string) string {
	if code == string(corridor.Treaty) {
		return p.say("treaties")
	}
	name := p.countries.Name(code)
	if name == code {
		return code
	}
	if p.lang == "zh" {
		return name + "（" + code + "）"
	}
	return name + " (" + code + ")"
}
