package main

import (
	"fmt"
	"maps"

	"corridor"
)

// demoTexts are the sentences of the demo, in the languages of the product.
// The verbs of a sentence are the same in all of them; a test checks that.
func demoTexts() map[string]corridor.Text {
	all := demoSceneTexts()
	maps.Copy(all, demoExchangeTexts())
	maps.Copy(all, demoTrioTexts())
	return all
}

func demoSceneTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"title": {EN: "Corridor: one exchange from China to Kazakhstan, for real, on this machine",
			ZH: "Corridor：一次从中国到哈萨克斯坦的真实数据交换，全部在本机完成",
			RU: "Corridor: один настоящий обмен из Китая в Казахстан, на этой машине"},
		"under": {EN: "Two nodes with their own keys, databases and logs speak over loopback HTTP; nothing listens outside. All of it is kept in %s",
			ZH: "两个节点各有自己的密钥、数据库和日志，通过本机回环地址通信，不对外监听。所有文件保存在 %s",
			RU: "Два узла со своими ключами, базами и журналами говорят по HTTP внутри машины; наружу ничего не открыто. Всё остаётся в %s"},

		"nodes":   {EN: "Two organisations open their gateways", ZH: "两家机构开启各自的网关", RU: "Две организации открывают свои шлюзы"},
		"witness": {EN: "witness", ZH: "见证方", RU: "свидетель"},
		"signs":   {EN: "signs with %s", ZH: "以 %s 签名", RU: "подписывает %s"},
		"cosigns": {EN: "cosigns both logs", ZH: "为双方日志联署", RU: "заверяет оба журнала"},

		"scan":               {EN: "What is in the file?", ZH: "文件里有什么？", RU: "Что в файле?"},
		"scan.demo":          {EN: "%s: public flight records (US BTS, CC0). The columns about people are fictional.", ZH: "%s：公开航班记录（美国运输统计局，CC0）；有关个人的列均为虚构。", RU: "%s: открытые записи о рейсах (BTS США, CC0). Столбцы о людях вымышлены."},
		"scan.size":          {EN: "%d rows, %d columns, %s", ZH: "%d 行，%d 列，%s", RU: "строк: %d, столбцов: %d, %s"},
		"scan.people":        {EN: "different people: %s", ZH: "涉及的不同个人数：%s", RU: "различных людей: %s"},
		"scan.range":         {EN: "%d to %d", ZH: "%d 至 %d", RU: "от %d до %d"},
		"scan.none":          {EN: "No column was recognised as being about people.", ZH: "未识别出与个人有关的列。", RU: "Столбцов о людях не распознано."},
		"scan.more":          {EN: "and %d more", ZH: "另有 %d 列", RU: "и ещё %d"},
		"stage.drop":         {EN: "leave out", ZH: "删除", RU: "исключить"},
		"dropped":            {EN: "(left out)", ZH: "（已删除）", RU: "(исключено)"},
		"stage.mask":         {EN: "mask", ZH: "遮盖", RU: "скрыть"},
		"stage.pseudonymise": {EN: "pseudonymise", ZH: "假名化", RU: "псевдонимизировать"},
		"stage.generalise":   {EN: "generalise", ZH: "泛化", RU: "обобщить"},
	}
}

func demoExchangeTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"law":               {EN: "What do both laws say?", ZH: "两国法律怎么说？", RU: "Что говорят оба закона?"},
		"law.states":        {EN: "A scan shows what is there, never what is absent. The exporter's officer states the rest: %s.", ZH: "扫描只能证明存在，不能证明不存在。其余事实由数据提供方负责人声明：%s。", RU: "Осмотр показывает, что есть, но не чего нет. Остальное заявляет ответственный отправителя: %s."},
		"law.assumes":       {EN: "Nobody has stated the rest about your file, so the demo stands in for the officer: %s; and it acts with the named assumption profile %s. %s", ZH: "对您的文件尚无人声明其余事实，由演示代替负责人声明：%s；并按具名假设方案 %s 行事。%s", RU: "Остального о вашем файле никто не заявил, поэтому показ говорит за ответственного: %s; и действует по именованному профилю допущений %s. %s"},
		"law.export":        {EN: "%s, export side", ZH: "%s，出境方", RU: "%s, сторона вывоза"},
		"law.import":        {EN: "%s, import side", ZH: "%s，入境方", RU: "%s, сторона ввоза"},
		"law.treaty":        {EN: "treaties between the two states", ZH: "两国之间的条约", RU: "договоры между двумя государствами"},
		"law.treaties.none": {EN: "No treaty that is encoded speaks of this flow.", ZH: "已收录的条约均未涉及本次流动。", RU: "Ни один учтённый договор не говорит об этом потоке."},
		"law.both":          {EN: "together: %s", ZH: "合并结论：%s", RU: "вместе: %s"},
		"law.before":        {EN: "first", ZH: "事前", RU: "сначала"},
		"law.later":         {EN: "later", ZH: "事中事后", RU: "потом"},
		"law.missing":       {EN: "still to be answered: %s", ZH: "尚待回答：%s", RU: "ещё нужно ответить: %s"},
		"law.cost":          {EN: "%d rule packs were loaded and compiled in %s; this answer took %s.", ZH: "加载并编译 %d 个规则包用时 %s；本次回答用时 %s。", RU: "Пакеты правил (%d) загружены и собраны за %s; этот ответ занял %s."},
		"source.verified":   {EN: "text seen", ZH: "已核对原文", RU: "текст сверен"},
		"source.secondary":  {EN: "second-hand source", ZH: "二手来源", RU: "вторичный источник"},
		"source.memory":     {EN: "source not yet seen", ZH: "来源未核对", RU: "источник не сверен"},

		"allow":                  {EN: "may go", ZH: "可以流动", RU: "можно"},
		"allow_with_obligations": {EN: "may go, with duties", ZH: "可以流动，附带义务", RU: "можно, с обязанностями"},
		"needs_approval":         {EN: "needs an approval first", ZH: "须先获批准", RU: "нужно сначала разрешение"},
		"deny":                   {EN: "refused", ZH: "拒绝", RU: "отказ"},
		"undetermined":           {EN: "cannot be said yet", ZH: "尚不能确定", RU: "пока не определить"},

		"ownfile.stop":  {EN: "This is a true answer about your file: it may not go. Nothing was sent. The demo goes on with its own file, to show the rest.", ZH: "这是对您文件的真实结论：不得出境，未发送任何数据。为展示其余步骤，演示改用自带文件继续。", RU: "Это верный ответ о вашем файле: ему нельзя уйти. Ничего не отправлено. Дальше показ идёт со своим файлом."},
		"ownfile.open":  {EN: "This is a true answer about your file: with what is known it may not go yet, and the question is named. Nothing was sent. The demo goes on with its own file, to show the rest.", ZH: "这是对您文件的真实结论：依现有事实尚不得出境，所缺事实已列明，未发送任何数据。为展示其余步骤，演示改用自带文件继续。", RU: "Это верный ответ о вашем файле: по тому, что известно, ему пока нельзя уйти, и вопрос назван. Ничего не отправлено. Дальше показ идёт со своим файлом."},
		"ownfile.unfit": {EN: "The gateway cannot carry out the plan on this file, so it does not send it: %s. The demo goes on with its own file, to show the rest.", ZH: "网关无法对该文件执行处理方案，因此不予发送：%s。为展示其余步骤，演示改用自带文件继续。", RU: "Шлюз не может выполнить план для этого файла и не отправляет его: %s. Дальше показ идёт со своим файлом."},

		"publish":       {EN: "The exporter publishes the dataset", ZH: "数据提供方发布数据集", RU: "Отправитель публикует набор данных"},
		"publish.plan":  {EN: "On the way out the gateway will: %s.", ZH: "出网关时将执行：%s。", RU: "На выходе шлюз сделает: %s."},
		"publish.asis":  {EN: "No column needs to be changed on the way out.", ZH: "无需改动任何列。", RU: "На выходе менять ничего не нужно."},
		"publish.proof": {EN: "Evidence for duties owed before the transfer: %s.", ZH: "传输前义务的证明：%s。", RU: "Подтверждение обязанностей до передачи: %s."},

		"discover":       {EN: "The importer finds the offer in the catalogue", ZH: "数据使用方在目录中找到要约", RU: "Получатель находит предложение в каталоге"},
		"discover.found": {EN: "%s, offer %s", ZH: "%s，要约 %s", RU: "%s, предложение %s"},

		"negotiate":          {EN: "They negotiate over the Dataspace Protocol", ZH: "双方通过数据空间协议（DSP）磋商", RU: "Переговоры по Dataspace Protocol"},
		"negotiate.states":   {EN: "states: %s", ZH: "状态：%s", RU: "состояния: %s"},
		"negotiate.waits":    {EN: "It waits for a person, as the law wants: %s", ZH: "依法等待人工处理：%s", RU: "Ждёт человека, как того требует закон: %s"},
		"negotiate.approved": {EN: "In this demo the approval is given as if by %s; in a real exchange a person or an authority gives it.", ZH: "演示中以 %s 的名义给予批准；真实场景中由有权人员或机关作出。", RU: "В показе разрешение дано от имени: %s; в настоящем обмене его даёт человек или орган."},
		"negotiate.signed":   {EN: "agreement %s, signed by %s (%s) and by %s (%s)", ZH: "协议 %s，由 %s（%s）和 %s（%s）签署", RU: "соглашение %s, подписали %s (%s) и %s (%s)"},
		"negotiate.both":     {EN: "Both signed decisions are inside the agreement, each with its articles.", ZH: "双方各自签名的法律结论及其条文均载入协议。", RU: "В соглашении оба подписанных решения, каждое со статьями."},

		"transfer":        {EN: "The bytes cross, and are changed on the way", ZH: "数据跨境传输，途中完成处理", RU: "Данные идут через границу и меняются на ходу"},
		"transfer.going":  {EN: "%s received", ZH: "已接收 %s", RU: "получено %s"},
		"transfer.done":   {EN: "%d rows, %s, digest checked, kept under its name only then", ZH: "%d 行，%s，摘要核对无误后才以正式文件名保存", RU: "строк: %d, %s; имя файл получил только после сверки дайджеста"},
		"transfer.bytes":  {EN: "%s, digest checked, kept under its name only then", ZH: "%s，摘要核对无误后才以正式文件名保存", RU: "%s; имя файл получил только после сверки дайджеста"},
		"transfer.before": {EN: "before", ZH: "处理前", RU: "было"},
		"transfer.after":  {EN: "after", ZH: "处理后", RU: "стало"},

		"receipts":     {EN: "Each side wrote receipts into its own log", ZH: "双方各自在日志中写入收据", RU: "Каждая сторона записала расписки в свой журнал"},
		"receipts.log": {EN: "%s: %s", ZH: "%s：%s", RU: "%s: %s"},

		"cosign":     {EN: "A witness in a third country cosigns both logs", ZH: "第三国见证方为双方日志联署", RU: "Свидетель в третьей стране заверяет оба журнала"},
		"cosign.log": {EN: "%s: checkpoint of %d entries, cosigned by %s", ZH: "%s：%d 条记录的检查点，由 %s 联署", RU: "%s: контрольная точка на %d записей, заверена: %s"},

		"bundle":      {EN: "The proof verifies offline", ZH: "证明可离线验证", RU: "Доказательство проверяется без сети"},
		"bundle.done": {EN: "%s (%s): %d checks, all hold, no network used", ZH: "%s（%s）：%d 项检查全部通过，未使用网络", RU: "%s (%s): проверок: %d, все сошлись, без сети"},

		"refused":       {EN: "The same exchange for a forbidden purpose is refused", ZH: "同样的交换若用于被禁止的目的，则被拒绝", RU: "Тот же обмен для запрещённой цели получает отказ"},
		"refused.what":  {EN: "The importer asks for the same data again, now to answer the request of a foreign court or authority.", ZH: "使用方再次请求同一数据，这次是为了答复外国司法或者执法机构的要求。", RU: "Получатель снова просит те же данные, теперь чтобы ответить на запрос иностранного суда или органа."},
		"refused.done":  {EN: "Ended before any byte moved. %s", ZH: "在任何数据移动之前即告终止。%s", RU: "Закончено до первого байта. %s"},
		"refused.proof": {EN: "The refusal is a receipt too: entry %d of the exporter's log.", ZH: "拒绝同样留有收据：提供方日志第 %d 条。", RU: "Отказ тоже расписка: запись %d в журнале отправителя."},

		"tamper":      {EN: "A bundle with one flipped byte fails", ZH: "仅改动一个字节，验证即失败", RU: "Один изменённый байт, и проверка не проходит"},
		"tamper.done": {EN: "byte %d of %d: %d checks fail, the first: %s", ZH: "第 %d 字节（共 %d）：%d 项检查不通过，首先是：%s", RU: "байт %d из %d: не прошло проверок: %d, первая: %s"},

		"logs":     {EN: "The nodes' own logs say more: %s", ZH: "节点日志有更多说明：%s", RU: "Подробнее в журналах узлов: %s"},
		"held":     {EN: "All %d steps held, in %s.", ZH: "全部 %d 个步骤均成立，用时 %s。", RU: "Все шаги (%d) выполнены за %s."},
		"left":     {EN: "Left for you:", ZH: "为您保留：", RU: "Осталось для вас:"},
		"received": {EN: "received file", ZH: "收到的文件", RU: "полученный файл"},
		"proof":    {EN: "proof bundle", ZH: "证据包", RU: "пакет доказательств"},
		"nodedata": {EN: "both nodes", ZH: "两个节点", RU: "оба узла"},
		"next":     {EN: "Three commands to try next:", ZH: "接下来可以试试：", RU: "Что попробовать дальше:"},
		"keep":     {EN: "Both nodes keep serving; stop them with Ctrl-C.", ZH: "两个节点继续运行；按 Ctrl-C 停止。", RU: "Оба узла продолжают работать; остановка: Ctrl-C."},

		"CN": {EN: "China", ZH: "中国", RU: "Китай"},
		"KZ": {EN: "Kazakhstan", ZH: "哈萨克斯坦", RU: "Казахстан"},
		"UZ": {EN: "Uzbekistan", ZH: "乌兹别克斯坦", RU: "Узбекистан"},

		"yangtze":  {EN: "Yangtze Forwarding (demo)", ZH: "扬子货运（演示）", RU: "Янцзы Форвардинг (показ)"},
		"caspian":  {EN: "Caspian Terminal (demo)", ZH: "里海货运站（演示）", RU: "Каспийский терминал (показ)"},
		"observer": {EN: "Log observatory (demo)", ZH: "日志观察站（演示）", RU: "Обсерватория журналов (показ)"},
	}
}

// speaker gives the demo's sentences in one language.
type speaker struct {
	lang  string
	texts map[string]corridor.Text
}

func newSpeaker(lang string) speaker { return speaker{lang: lang, texts: demoTexts()} }

// t gives a sentence, filled in.
func (s speaker) t(id string, args ...any) string {
	text, ok := s.texts[id]
	if !ok {
		return id
	}
	if len(args) == 0 {
		return text.In(s.lang)
	}
	return fmt.Sprintf(text.In(s.lang), args...)
}
