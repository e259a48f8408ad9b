package main

// growingWords are the sentences about datasets that grow and data that goes
// on.
func growingWords() map[string]said {
	return map[string]said{
		"added to %s as increment %d: %s, %s\n":                                          {"已作为增量追加到 %s（第 %d 次）：%s，%s\n", "добавлено к %s как порция %d: %s, %s\n"},
		"increment %d  %d rows  %d bytes  %s  %s\n":                                      {"增量 %d  %d 行  %d 字节  %s  %s\n", "порция %d  строк: %d  байт: %d  %s  %s\n"},
		"is not in the catalogue of this node":                                           {"不在本节点的目录中", "нет в каталоге этого узла"},
		"publish it with --growing":                                                      {"请用 --growing 发布", "опубликуйте его с --growing"},
		"is %s, and the dataset is %s":                                                   {"是 %s，而数据集是 %s", "это %s, а набор данных - %s"},
		"add a file of the same form":                                                    {"请追加同样形式的文件", "добавьте файл того же вида"},
		"%s says %v, but %v is already known":                                            {"%s 为 %v，但已知为 %v", "%s: %v, но уже известно: %v"},
		"correct one of them":                                                            {"请更正其中之一", "исправьте одно из них"},
		"a dataset takes %d increments":                                                  {"一个数据集最多 %d 次增量", "у набора данных не больше %d порций"},
		"the next increment of %s is number %d":                                          {"%s 的下一次增量是第 %d 次", "следующая порция %s - номер %d"},
		"look whether yours has been added already":                                      {"请查看是否已经追加", "посмотрите, не добавлена ли ваша уже"},
		"increment %d is this very file":                                                 {"第 %d 次增量就是此文件", "порция %d - тот же самый файл"},
		"if it is to be sent once more, give its number":                                 {"如需再次发送，请给出编号", "если её надо отправить ещё раз, укажите номер"},
		"this dataset does not grow":                                                     {"该数据集不持续增长", "этот набор данных не растёт"},
		"a dataset that grows does so for good, and no other begins to":                  {"持续增长的数据集始终如此，其他数据集不能改为持续增长", "растущий набор данных растёт всегда, а другой расти не начинает"},
		"agreements were made about it as it is":                                         {"协议是就其现状订立的", "соглашения заключены о нём таком, каков он есть"},
		"publish it under another id":                                                    {"请以其他标识发布", "опубликуйте под другим именем"},
		"publish it anew in place of the old one, or under another id as one that grows": {"请重新发布以取代旧的，或者以其他标识作为持续增长的数据集发布", "опубликуйте заново вместо старого или под другим именем как растущий"},
		"the first increment of a dataset that grows stays the same":                     {"持续增长的数据集的首次增量保持不变", "первая порция растущего набора данных не меняется"},
		"it has been sent":                                                               {"已经发送", "она уже отправлена"},
		"add the file to it, or publish it under another id":                             {"请将文件追加到该数据集，或者以其他标识发布", "добавьте файл к нему или опубликуйте под другим именем"},
		"is stated for each increment of a dataset that grows, or for none":              {"持续增长的数据集要么每次增量都说明，要么都不说明", "указывается для каждой порции растущего набора данных или ни для одной"},
		"increments were added to it as it was":                                          {"已按其原状追加过增量", "порции добавлялись к нему такому, каким он был"},
		"go on under another id, for which a new agreement is made":                      {"请以其他标识继续，并为其订立新协议", "продолжайте под другим именем, с новым соглашением"},
		"an increment has the facts of its dataset, and numbers of people of its own":    {"增量沿用其数据集的事实，只有人数单独说明", "у порции те же факты, что у набора данных, и своё число людей"},
		"publish what has other facts as another dataset":                                {"事实不同的，请作为其他数据集发布", "что имеет другие факты, публикуйте как другой набор данных"},
		"is to be stated for an increment if it is for the dataset, and only then":       {"数据集已说明的，增量也须说明；否则不得说明", "указывается для порции тогда и только тогда, когда указано для набора данных"},
		"the law counts people by what leaves":                                           {"法律按出境的数据计算人数", "право считает людей по тому, что уходит"},
		"has the columns %q where the first increment has %q":                            {"列为 %q，而首次增量的列为 %q", "столбцы %q, а у первой порции - %q"},
		"publish what has another form as another dataset":                               {"形式不同的，请作为其他数据集发布", "что имеет другой вид, публикуйте как другой набор данных"},

		// a transfer that goes on
		"this is increment %d of the transfer %s": {"这是传输 %[2]s 的第 %[1]d 次增量", "это порция %d передачи %s"},
		"act on that transfer":                    {"请对该传输操作", "действуйте с этой передачей"},
		"the data goes on; increments so far: %d": {"数据持续传输；已有增量：%d", "данные идут дальше; порций до сих пор: %d"},
		"the provider says when there is more, and is asked now and then; either side completes it": {"提供方有新增时会告知，并定期询问；任一方可完成传输", "поставщик говорит, когда есть новое, и его время от времени спрашивают; завершает любая сторона"},
		"the consumer asks for what is added (corridor append); either side completes it":           {"使用方询问新增的数据（corridor append）；任一方可完成传输", "потребитель спрашивает о добавленном (corridor append); завершает любая сторона"},
		"%d increments have gone under this agreement, and its proof holds no more":                 {"该协议下已有 %d 次增量，其证明不能容纳更多", "по этому соглашению ушло порций: %d, и его доказательство больше не вместит"},
		"negotiate a new agreement":                      {"请协商新的协议", "договоритесь о новом соглашении"},
		"increment %d is %s and did not arrive":          {"第 %d 次增量为 %s，未到达", "порция %d - %s и не пришла"},
		"terminate the transfer and ask for another one": {"请终止该传输并另行请求", "прекратите передачу и попросите другую"},
		"%q is not a way in which %s":                    {"%q 不是可用的方式：%s", "%q - не способ, которым %s"},
		"this dataset is offered":                        {"该数据集的提供方式", "предлагается этот набор данных"},
		"this gateway moves data":                        {"本网关传送数据的方式", "этот шлюз передаёт данные"},
	}
}
