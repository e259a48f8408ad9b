package catalog

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWordsAreFoldedAndReducedToStems(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		" ,.!? ":              "",
		"Flights of October":  "flight of octob",
		"DATA data Data":      "data",
		"ＡＢＣ ｆｕｌｌ":            "abc full",
		"Данные о перевозках": "дан о перевозк",
		"учёт учет УЧЁТ":      "учет",
		"跨境数据":                "跨 境 跨境 数 境数 据 数据",
		"GB18030编码":           "gb18030 编 码 编码",
		"5G网络":                "5g 网 络 网络",
		"café":                "café",
		"кедендік деклараттар":     "кедендік деклараттар",
		"shipments_2026-10, v2":    "shipment 2026 10 v2",
		"экспорт-импорт товаров":   "экспорт импорт товар",
		strings.Repeat("ж", 1_000): "жжжжжжжжжжжжжжжжжжжжжжжжжжжжжжжж",
	} {
		if got := strings.Join(Words(text), " "); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
}

func TestASearchFindsEveryFormOfAWord(t *testing.T) {
	for _, c := range []struct{ text, query string }{
		{"Перевозки опасных грузов", "перевозка груз"}, {"Учёт товаров", "учет товара"}, {"Shipments of dangerous goods", "dangerous shipment"},
		{"中华人民共和国海关统计数据", "海关统计"}, {"中华人民共和国海关统计数据", "关"}, {"东京の気象データ", "気象"}, {"海关数据 Customs 2026", "2026 海关"},
	} {
		have := Words(c.text)
		for _, w := range sought(c.query) {
			if !slices.Contains(have, w) {
				t.Errorf("%q is not found in %q: %q", c.query, c.text, w)
			}
		}
	}
	for text, query := range map[string]string{"海上统计机关": "海关统计", "Flights": "ships"} {
		if have := Words(text); !slices.ContainsFunc(sought(query), func(w string) bool { return !slices.Contains(have, w) }) {
			t.Errorf("%q is found in %q", query, text)
		}
	}
}

// Whatever the text, a part of it between spaces finds it.
func TestEveryPartOfATextFindsIt(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("abcкиёж数据境跨1-Я é")), 1, 8, -1), 1, 6).Draw(rt, "parts")
		have := Words(strings.Join(parts, " "))
		for _, w := range sought(rapid.SampledFrom(parts).Draw(rt, "query")) {
			if !slices.Contains(have, w) {
				rt.Fatalf("%q is not in %q", w, have)
			}
		}
	})
}
