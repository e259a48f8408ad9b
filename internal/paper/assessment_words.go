package paper

import "corridor"

// assessmentTexts are the words of an assessment: its headings, and what
// stands in its tables.
func assessmentTexts() map[string]corridor.Text {
	out := map[string]corridor.Text{}
	for _, part := range []map[string]corridor.Text{outcomeTexts(), headingTexts(), tableTexts(), reasonTexts()} {
		for key, text := range part {
			out[key] = text
		}
	}
	return out
}

func outcomeTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"allow":                  {EN: "allowed", ZH: "允许", RU: "разрешено"},
		"allow_with_obligations": {EN: "allowed with duties", ZH: "附义务允许", RU: "разрешено с обязанностями"},
		"needs_approval":         {EN: "not yet", ZH: "尚不可", RU: "пока нельзя"},
		"deny":                   {EN: "refused", ZH: "禁止", RU: "запрещено"},
		"undetermined":           {EN: "undetermined", ZH: "尚不能确定", RU: "не определено"},

		"say.allow":                  {EN: "The transfer may go ahead: neither side's law sets a condition for it.", ZH: "可以提供：双方法律均未对本次提供设定条件。", RU: "Передача возможна: право обеих сторон не ставит условий."},
		"say.allow_with_obligations": {EN: "The transfer may go ahead if the duties in section 3 are met.", ZH: "履行第3部分所列义务的，可以提供。", RU: "Передача возможна при выполнении обязанностей из раздела 3."},
		"say.needs_approval":         {EN: "The transfer may not start yet: something must be obtained, or a term must pass, first.", ZH: "尚不得开始提供：须先取得批准、办理手续或者等待期限届满。", RU: "Начинать передачу пока нельзя: сначала нужно что-то получить или выждать срок."},
		"say.deny":                   {EN: "The transfer is not allowed.", ZH: "不得提供。", RU: "Передача не допускается."},
		"say.undetermined":           {EN: "Not determined: the facts in section 4 are still needed. Until then the transfer may not start.", ZH: "尚不能确定：还需要第4部分所列事实。在此之前不得开始提供。", RU: "Не определено: нужны ещё факты из раздела 4. До этого начинать передачу нельзя."},

		"export": {EN: "export side", ZH: "出境方", RU: "сторона вывоза"},
		"import": {EN: "import side", ZH: "入境方", RU: "сторона ввоза"},
		"treaty": {EN: "treaties", ZH: "条约", RU: "договоры"},
	}
}

func headingTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"title":       {EN: "Transfer assessment", ZH: "数据跨境提供评估", RU: "Оценка трансграничной передачи"},
		"from.to":     {EN: "from %s to %s", ZH: "从%s到%s", RU: "%s → %s"},
		"day":         {EN: "Day of the transfer", ZH: "提供日期", RU: "День передачи"},
		"until":       {EN: "Holds until", ZH: "有效至", RU: "Действует до"},
		"until.note":  {EN: "a rule or a term changes on that day; assess again then", ZH: "届时规则或者期限发生变化，应重新评估", RU: "в этот день меняется норма или срок; оцените снова"},
		"until.open":  {EN: "no change of law or term is known", ZH: "目前未知有法律或者期限变化", RU: "изменений права и сроков не известно"},
		"reference":   {EN: "Reference", ZH: "编号", RU: "Номер"},
		"exporter":    {EN: "Exporter", ZH: "数据提供方", RU: "Отправитель"},
		"importer":    {EN: "Recipient", ZH: "境外接收方", RU: "Получатель"},
		"dataset":     {EN: "Data", ZH: "数据", RU: "Данные"},
		"prepared_by": {EN: "Prepared by", ZH: "编制人", RU: "Составил"},
		"result":      {EN: "Result", ZH: "结论", RU: "Вывод"},
		"facts":       {EN: "1. Facts", ZH: "1. 事实", RU: "1. Факты"},
		"facts.known": {EN: "Known", ZH: "已知", RU: "Известно"},
		"facts.taken": {EN: "Assumed, not known", ZH: "假定而非已知", RU: "Допущено, но не известно"},
		"facts.profile": {EN: "These values come from the profile %s. Whoever signs confirms that they are true of this transfer.",
			ZH: "以下数值来自假设方案 %s。签署人确认其符合本次提供的实际情况。", RU: "Эти значения взяты из профиля %s. Подписавший подтверждает, что они верны для этой передачи."},
		"facts.idle": {EN: "Neither given nor assumed; under the law of that day they cannot change the outcome:", ZH: "既未给出也未假定；按当日法律不影响结论：", RU: "Не указано и не допущено; по праву этого дня на вывод не влияет:"},
		"decisions":  {EN: "2. Decisions", ZH: "2. 判定", RU: "2. Решения"},
		"duties":     {EN: "3. Duties", ZH: "3. 义务", RU: "3. Обязанности"},
		"questions":  {EN: "4. What is undetermined", ZH: "4. 尚不能确定的事项", RU: "4. Что не определено"},
		"unverified": {EN: "5. What is not verified", ZH: "5. 未经核实的内容", RU: "5. Что не проверено"},
		"reproduce":  {EN: "6. How to reproduce", ZH: "6. 复现方法", RU: "6. Как воспроизвести"},
		"sign":       {EN: "Signatures", ZH: "签署", RU: "Подписи"},
		"sign.made":  {EN: "Assessed by", ZH: "评估人", RU: "Оценку провёл"},
		"sign.seen":  {EN: "Approved by", ZH: "批准人", RU: "Утвердил"},
		"sign.name":  {EN: "name and position", ZH: "姓名和职务", RU: "имя и должность"},
		"sign.day":   {EN: "date", ZH: "日期", RU: "дата"},
		"sign.hand":  {EN: "signature", ZH: "签字", RU: "подпись"},
		"informs":    {EN: "Corridor informs; this is not legal advice.", ZH: "Corridor 仅供参考，不构成法律意见。", RU: "Corridor информирует; это не юридическая консультация."},
		"treaties":   {EN: "Treaties", ZH: "条约", RU: "Договоры"},
		"article":    {EN: "art.", ZH: "条", RU: "ст."},
	}
}

func tableTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"law":                {EN: "Law of", ZH: "法律", RU: "Право"},
		"side":               {EN: "Side", ZH: "一方", RU: "Сторона"},
		"outcome":            {EN: "Outcome", ZH: "结论", RU: "Вывод"},
		"between":            {EN: "between “%s” and “%s”", ZH: "介于“%s”与“%s”之间", RU: "между «%s» и «%s»"},
		"pack":               {EN: "Rule pack", ZH: "规则包", RU: "Пакет правил"},
		"digest":             {EN: "Digest", ZH: "摘要", RU: "Хеш"},
		"sources":            {EN: "Sources", ZH: "来源", RU: "Источники"},
		"all.seen":           {EN: "verified", ZH: "已核实", RU: "проверены"},
		"some.not":           {EN: "in part not verified", ZH: "部分未核实", RU: "частью не проверены"},
		"fact":               {EN: "Fact", ZH: "事实", RU: "Факт"},
		"value":              {EN: "Value", ZH: "数值", RU: "Значение"},
		"origin":             {EN: "Where from", ZH: "来源", RU: "Откуда"},
		"given":              {EN: "given", ZH: "给出", RU: "указано"},
		"file":               {EN: "from the file", ZH: "取自文件", RU: "из файла"},
		"scan":               {EN: "found by a scan of", ZH: "扫描所见", RU: "найдено при осмотре"},
		"answered":           {EN: "answered in the interview", ZH: "问答中作答", RU: "ответ на вопрос"},
		"assumed":            {EN: "assumed", ZH: "假定", RU: "допущено"},
		"because":            {EN: "Because", ZH: "依据", RU: "Основания"},
		"exemptions":         {EN: "Exemptions used", ZH: "适用的豁免", RU: "Применённые исключения"},
		"lifts":              {EN: "lifts", ZH: "免除", RU: "снимает"},
		"might":              {EN: "May apply, depending on what is still open", ZH: "视未明事实可能适用", RU: "Может примениться, в зависимости от неизвестного"},
		"general":            {EN: "General duties", ZH: "一般义务规定", RU: "Общие обязанности"},
		"near":               {EN: "One fact away", ZH: "仅差一项事实", RU: "В одном факте отсюда"},
		"near.line":          {EN: "if %s were %s: %s", ZH: "若 %s 为 %s：%s", RU: "если бы %s было %s: %s"},
		"near.has":           {EN: "if %s included %s: %s", ZH: "若 %s 包含 %s：%s", RU: "если бы %s включало %s: %s"},
		"near.lacks":         {EN: "if %s did not include %s: %s", ZH: "若 %s 不包含 %s：%s", RU: "если бы %s не включало %s: %s"},
		"none.apply":         {EN: "No provision of this law speaks of the flow.", ZH: "该法律没有涉及本次流动的规定。", RU: "Ни одна норма не говорит об этом потоке."},
		"notes":              {EN: "Notes", ZH: "说明", RU: "Примечания"},
		"duty":               {EN: "Duty", ZH: "义务", RU: "Обязанность"},
		"owner":              {EN: "Owner", ZH: "责任方", RU: "Кто"},
		"due":                {EN: "Last day", ZH: "最后期限", RU: "Последний день"},
		"evidence":           {EN: "Evidence", ZH: "证明", RU: "Подтверждение"},
		"done":               {EN: "Done", ZH: "完成", RU: "Готово"},
		"both":               {EN: "both sides", ZH: "双方", RU: "обе стороны"},
		"before":             {EN: "Before the transfer", ZH: "事前", RU: "До передачи"},
		"during":             {EN: "While the data is used", ZH: "事中", RU: "Пока данные используются"},
		"after":              {EN: "After the transfer", ZH: "事后", RU: "После передачи"},
		"maybe":              {EN: "Possible, depending on what is still open", ZH: "视未明事实可能产生", RU: "Возможно, в зависимости от неизвестного"},
		"machine":            {EN: "carried out by the gateway (%s)", ZH: "由网关执行（%s）", RU: "выполняет шлюз (%s)"},
		"stage.drop":         {EN: "drop columns", ZH: "删除列", RU: "удаление столбцов"},
		"stage.mask":         {EN: "mask", ZH: "掩码", RU: "маскирование"},
		"stage.pseudonymise": {EN: "pseudonymise", ZH: "假名化", RU: "псевдонимизация"},
		"stage.generalise":   {EN: "generalise", ZH: "泛化", RU: "обобщение"},
		"stage.delete":       {EN: "delete", ZH: "销毁", RU: "уничтожение"},
		"stage.local_copy":   {EN: "local copy", ZH: "本地副本", RU: "копия на месте"},
		"stage.count_limit":  {EN: "limit of people", ZH: "人数上限", RU: "предел числа людей"},
		"no.duties":          {EN: "None.", ZH: "无。", RU: "Нет."},
		"ask":                {EN: "Who usually knows", ZH: "通常知情者", RU: "Кто обычно знает"},
		"question":           {EN: "Question", ZH: "问题", RU: "Вопрос"},
		"options":            {EN: "Answers", ZH: "可选", RU: "Ответы"},
		"needed":             {EN: "Needed by", ZH: "相关规则", RU: "Нужно для"},
		"who.officer":        {EN: "data protection officer", ZH: "数据保护负责人", RU: "ответственный за данные"},
		"who.exporter":       {EN: "exporter", ZH: "数据提供方", RU: "отправитель"},
		"who.importer":       {EN: "recipient", ZH: "境外接收方", RU: "получатель"},
		"who.scan":           {EN: "a scan of the data", ZH: "数据扫描", RU: "осмотр данных"},
		"none.open":          {EN: "Nothing.", ZH: "无。", RU: "Ничего."},
		"rule":               {EN: "Provision", ZH: "条款", RU: "Норма"},
		"engine":             {EN: "Engine", ZH: "引擎", RU: "Механизм"},
		"program":            {EN: "Program", ZH: "程序", RU: "Программа"},
		"packs":              {EN: "Rule packs", ZH: "规则包", RU: "Пакеты правил"},
	}
}

func reasonTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"verified":  {EN: "source verified %s", ZH: "来源已核实 %s", RU: "источник проверен %s"},
		"secondary": {EN: "secondary source %s", ZH: "二手来源 %s", RU: "вторичный источник %s"},
		"memory":    {EN: "from memory %s", ZH: "凭记忆 %s", RU: "по памяти %s"},
		"why.secondary": {EN: "A third party reports this provision; the wording was not read. Checked %s.",
			ZH: "系第三方转述，未见法规原文。查核日期：%s。", RU: "О норме сообщает третье лицо; её текст не читали. Проверено %s."},
		"why.memory": {EN: "Nobody looked this provision up for this edition (%s); it may only restrict.",
			ZH: "本版未经查证（%s），仅可作限制之用。", RU: "Для этого издания норму никто не проверял (%s); она может только ограничивать."},
		"why.list": {EN: "A list on which the decision rests is not verified.", ZH: "判定所依据的清单未经核实。", RU: "Список, на который опирается решение, не проверен."},
		"drives":   {EN: "decides the outcome", ZH: "决定结论", RU: "определяет вывод"},

		"for":                {EN: "for %d %s from %s", ZH: "自%[3]s之日起%[1]d%[2]s", RU: "%d %s, отсчёт: %s"},
		"ahead":              {EN: "%d working days before the end, %s", ZH: "%[2]s，届满前 %[1]d 个工作日", RU: "за %d раб. дн. до конца срока: %s"},
		"within":             {EN: "within %d %s of %s", ZH: "自%[3]s之日起%[1]d%[2]s内", RU: "в течение %d %s, отсчёт: %s"},
		"calendar":           {EN: "calendar of %s", ZH: "按%s工作日历", RU: "календарь: %s"},
		"starts":             {EN: "counted from %s", ZH: "自 %s 起算", RU: "отсчёт с %s"},
		"keep.until":         {EN: "until", ZH: "至", RU: "до"},
		"presumed":           {EN: "(presumed until the true day is given)", ZH: "（推定，待给出实际日期）", RU: "(предположительно, пока не указан точный день)"},
		"each":               {EN: "again at each further event", ZH: "此后每次发生均另行计算", RU: "и заново при каждом следующем событии"},
		"date.event":         {EN: "the day of the event is not known yet", ZH: "起算事件的日期尚未知", RU: "день события ещё не известен"},
		"date.calendar":      {EN: "the end cannot be known: a calendar of working days is missing", ZH: "无法确定届满日：缺少工作日历", RU: "конец неизвестен: нет календаря рабочих дней"},
		"unit.days":          {EN: "days", ZH: "日", RU: "дн."},
		"unit.calendar_days": {EN: "calendar days", ZH: "个自然日", RU: "календ. дн."},
		"unit.working_days":  {EN: "working days", ZH: "个工作日", RU: "раб. дн."},
		"unit.hours":         {EN: "hours", ZH: "小时", RU: "ч"},
		"unit.months":        {EN: "months", ZH: "个月", RU: "мес."},
		"unit.years":         {EN: "years", ZH: "年", RU: "г. (лет)"},

		"replay.lead":  {EN: "The same assessment as JSON can be replayed bit for bit. Its digest:", ZH: "同一评估的 JSON 文件可逐比特重放，其摘要为：", RU: "Та же оценка в виде JSON воспроизводится бит в бит. Её хеш:"},
		"replay.facts": {EN: "From the facts alone: put these lines into facts.yaml, then run", ZH: "仅凭事实复现：将以下各行存为 facts.yaml，然后运行", RU: "Из одних фактов: сохраните эти строки в facts.yaml и выполните"},
		"replay.packs": {EN: "The rule packs must be the editions named here; otherwise the answer may differ, and replay says so.", ZH: "规则包须为此处所列版本；否则结论可能不同，重放命令会予以说明。", RU: "Пакеты правил должны быть теми же изданиями; иначе ответ может отличаться, и воспроизведение об этом скажет."},
		"scan.note":    {EN: "A scan proves presence, never absence: what it did not find may still be there.", ZH: "扫描只能证明存在，不能证明不存在：未发现的内容仍可能存在。", RU: "Осмотр доказывает наличие, но не отсутствие: ненайденное может там быть."},
	}
}
