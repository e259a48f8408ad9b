package main

import "corridor"

// demoTrioTexts are the sentences of the demo in three countries.
func demoTrioTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"three.title": {EN: "Corridor: three countries, their authorities, and a sovereign stop, for real, on this machine",
			ZH: "Corridor：三个国家、各自的主管机关与一次主权中止，全部在本机真实运行",
			RU: "Corridor: три страны, их органы и суверенная остановка, по-настоящему, на этой машине"},
		"three.under": {EN: "Three nodes and three authorities with their own keys, and a witness, speak over loopback HTTP; nothing listens outside. All of it is kept in %s",
			ZH: "三个节点、三个主管机关各有自己的密钥，另有一个见证方，通过本机回环地址通信，不对外监听。所有文件保存在 %s",
			RU: "Три узла и три органа со своими ключами и свидетель говорят по HTTP внутри машины; наружу ничего не открыто. Всё остаётся в %s"},
		"three.nodedata": {EN: "the three nodes", ZH: "三个节点", RU: "три узла"},
		"three.keep":     {EN: "The three nodes keep serving; stop them with Ctrl-C.", ZH: "三个节点继续运行；按 Ctrl-C 停止。", RU: "Три узла продолжают работать; остановка: Ctrl-C."},
		"three.cosigns":  {EN: "cosigns the three logs", ZH: "为三方日志联署", RU: "заверяет три журнала"},

		"three.bodies":   {EN: "Three authorities sign a compact, each in the suite of its country", ZH: "三国主管机关各以本国密码体系签署协定", RU: "Три органа подписывают соглашение, каждый в наборе своей страны"},
		"three.compact":  {EN: "%s, version %d: no root above them, it binds because all three have signed the same text.", ZH: "%s，第 %d 版：之上没有任何根机构，三方签署同一文本，故对各方有约束力。", RU: "%s, версия %d: корня над ними нет, оно связывает, потому что все трое подписали один текст."},
		"three.article":  {EN: "art. %s opens %s to %s for: %s", ZH: "第 %s 条开放 %s 至 %s：%s", RU: "ст. %s открывает %s в %s для: %s"},
		"three.closed":   {EN: "What no article opens stays closed.", ZH: "未开放者一律关闭。", RU: "Что не открыто статьёй, закрыто."},
		"three.nodes":    {EN: "Three organisations open their gateways", ZH: "三家机构开启各自的网关", RU: "Три организации открывают свои шлюзы"},
		"three.admitted": {EN: "Each authority admits its own participant; the nodes adopt the compact", ZH: "各主管机关准入本国参与方；各节点采纳协定", RU: "Каждый орган допускает своего участника; узлы принимают соглашение"},
		"three.admits":   {EN: "%s admits %s, act %d of its signed feed", ZH: "%s准入%s，载于其签名公告第 %d 号", RU: "%s допускает: %s, акт %d подписанной ленты"},
		"three.heard":    {EN: "All three nodes were closed until each had heard all three authorities; now they are open.", ZH: "各节点在收到三方主管机关公告之前一律关闭；现已开放。", RU: "Все три узла были закрыты, пока каждый не услышал все три органа; теперь открыты."},

		"three.cnkz":          {EN: "China to Kazakhstan: personal data, changed on the way out", ZH: "中国至哈萨克斯坦：个人信息，出境时处理", RU: "Из Китая в Казахстан: персональные данные, изменённые на выходе"},
		"three.rukz":          {EN: "Russia to Kazakhstan: official information, which waits for an approval", ZH: "俄罗斯至哈萨克斯坦：限制传播的公务信息，须先获批准", RU: "Из России в Казахстан: служебная информация, которая ждёт разрешения"},
		"three.approved":      {EN: "%s approves this one request, file %s, signed with %s, on the condition: %s. The agreement quotes it whole, and the node keeps to it.", ZH: "%s批准该项请求，文号 %s，以 %s 签名，条件：%s。协议全文载明该批准，由节点执行。", RU: "%s разрешает этот один запрос, дело %s, подписано %s, с условием: %s. Договорённость приводит разрешение целиком, и узел его соблюдает."},
		"three.under.compact": {EN: "The agreement rests on art. %s of the compact.", ZH: "该协议依据协定第 %s 条。", RU: "Договорённость опирается на ст. %s соглашения."},

		"three.stop":    {EN: "China's authority stops the corridor while a stream runs", ZH: "数据正在传输时，中国主管机关中止通道", RU: "Орган Китая останавливает коридор, пока идёт поток"},
		"three.runs":    {EN: "A file of %s is on its way from China to Kazakhstan; %s have crossed.", ZH: "一个 %s 的文件正从中国传往哈萨克斯坦，已传 %s。", RU: "Файл в %s идёт из Китая в Казахстан; прошло %s."},
		"three.ordered": {EN: "Order %d, file %s, signed with %s: %s.", ZH: "第 %d 号命令，文号 %s，以 %s 签名：%s。", RU: "Приказ %d, дело %s, подписан %s: %s."},
		"three.cut":     {EN: "accepted by the node in %s; the stream had ended %s after that. %s of %s have crossed, and no byte more does.", ZH: "节点用时 %s 接受命令，其后 %s 传输已断。%s（共 %s）已过境，此后再无字节通过。", RU: "узел принял приказ за %s; поток прервался через %s после этого. Прошло %s из %s, и больше ни байта."},
		"three.told":    {EN: "Kazakhstan was told over the protocol: %s", ZH: "哈方经协议获知：%s", RU: "Казахстан извещён по протоколу: %s"},

		"three.refused":       {EN: "A new transfer is refused with the order's reference; the other corridor stays open", ZH: "新的传输被拒并引用命令文号；另一通道保持开放", RU: "Новая передача отклонена со ссылкой на приказ; другой коридор открыт"},
		"three.refused.ask":   {EN: "Kazakhstan asks China for data anew.", ZH: "哈方再次向中方请求数据。", RU: "Казахстан снова просит данные у Китая."},
		"three.refused.other": {EN: "From Russia to Kazakhstan data goes on: %s in a second transfer.", ZH: "俄罗斯至哈萨克斯坦照常传输：第二次传输 %s。", RU: "Из России в Казахстан данные идут дальше: %s второй передачей."},

		"three.reason":         {EN: "an inquiry is under way", ZH: "正在调查", RU: "идёт проверка"},
		"three.closed.inquiry": {EN: "the inquiry is closed", ZH: "调查已结束", RU: "проверка завершена"},

		"three.lift":    {EN: "Only an order lifts it, and the transfer goes on where it stopped", ZH: "唯有命令可以解除；传输从中断处继续", RU: "Снимает только приказ, и передача продолжается с места остановки"},
		"three.lifted":  {EN: "Order %d, file %s, lifts order %d; the agreements are in force again.", ZH: "第 %d 号命令，文号 %s，解除第 %d 号；各协议恢复效力。", RU: "Приказ %d, дело %s, снимает приказ %d; договорённости снова в силе."},
		"three.resumed": {EN: "%s were there, the rest followed: %s, digest checked.", ZH: "已有 %s，其余续传：共 %s，摘要核对无误。", RU: "%s уже были, остальное дошло: всего %s, дайджест сверен."},

		"three.cosign":  {EN: "A witness in a fourth country cosigns the three logs", ZH: "第四国见证方为三方日志联署", RU: "Свидетель в четвёртой стране заверяет три журнала"},
		"three.bundles": {EN: "Every agreement's proof verifies offline", ZH: "每份协议的证明均可离线验证", RU: "Доказательство каждой договорённости проверяется без сети"},

		"RU":      {EN: "Russia", ZH: "俄罗斯", RU: "Россия"},
		"volga":   {EN: "Volga Lines (demo)", ZH: "伏尔加航运（演示）", RU: "Волжские линии (показ)"},
		"body.CN": {EN: "Data authority of China (demo)", ZH: "中国数据主管机关（演示）", RU: "Орган по данным Китая (показ)"},
		"body.RU": {EN: "Data authority of Russia (demo)", ZH: "俄罗斯数据主管机关（演示）", RU: "Орган по данным России (показ)"},
		"body.KZ": {EN: "Data authority of Kazakhstan (demo)", ZH: "哈萨克斯坦数据主管机关（演示）", RU: "Орган по данным Казахстана (показ)"},
	}
}
