package main

import (
	"maps"

	"corridor"
)

// batchTexts are the words about many flows at once.
func batchTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"batch.sum":     {EN: "Flows: %d, decided in %s", ZH: "数据流动：%d项，用时%s", RU: "Потоков: %d, время: %s"},
		"batch.outcome": {EN: "outcome", ZH: "结论", RU: "итог"},
		"batch.rule":    {EN: "rule that applies", ZH: "适用的规则", RU: "применимое правило"},
		"batch.flows":   {EN: "flows", ZH: "项数", RU: "потоков"},
		"batch.bad":     {EN: "Lines without an answer: %d", ZH: "未能作出结论的行：%d", RU: "Строк без ответа: %d"},
		"batch.line":    {EN: "line %d: %s", ZH: "第%d行：%s", RU: "строка %d: %s"},
		"batch.more":    {EN: "and %d more", ZH: "另有%d行", RU: "и ещё %d"},
	}
}

func batchPhrases(lang string) phrases {
	p := newPhrases(lang)
	maps.Copy(p.texts, batchTexts())
	return p
}
