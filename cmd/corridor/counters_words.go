package main

import "corridor"

// countersWords are the fixed words of corridor counters.
func countersWords() map[string]corridor.Text {
	return map[string]corridor.Text{
		"head":             {EN: "People whose data was let go since %s", ZH: "自 %s 起已出境数据所涉及的人数", RU: "Люди, данные которых отправлены с %s"},
		"people":           {EN: "All people", ZH: "全部人数", RU: "Все люди"},
		"sensitive_people": {EN: "People with sensitive data", ZH: "涉及敏感个人信息的人数", RU: "Люди с чувствительными данными"},
		"exact":            {EN: "%s, counted", ZH: "%s（精确计数）", RU: "%s, точный подсчёт"},
		"sketch": {EN: "%s to %s, estimated within %s %%; near a threshold it is counted", ZH: "%s 至 %s（估计，误差不超过 %s %%；接近阈值时精确计数）",
			RU: "от %s до %s, оценка с погрешностью до %s %%; вблизи порога считается точно"},
		"datasets": {EN: "datasets: %d", ZH: "数据集：%d 个", RU: "наборов данных: %d"},
		"different": {EN: "of them %s counted as different from all others, from %d datasets: no column says who they are", ZH: "其中 %s 人按互不相同计算（%d 个数据集）：没有标识个人的列",
			RU: "из них %s считаются отличными от всех остальных (наборов: %d): нет столбца, указывающего, кто они"},
		"next": {EN: "next threshold at %s: %s more people stay below it", ZH: "下一阈值 %s 人：还可增加 %s 人", RU: "следующий порог %s: до него ещё %s человек"},
		"none": {EN: "the law of this node draws no higher line", ZH: "本节点适用的法律没有更高的阈值", RU: "право этого узла не знает более высокого порога"},
	}
}
