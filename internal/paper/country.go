package paper

import (
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"corridor"
)

// Countries names states in one language: as the Unicode language tables do,
// corrected where those are behind the names that the states use in the
// United Nations.
type Countries struct {
	lang  string
	table display.Namer
}

// NewCountries takes a language that corridor.Text has.
func NewCountries(lang string) Countries {
	tag, err := language.Parse(lang)
	if err != nil {
		tag, lang = language.English, "en"
	}
	return Countries{lang, display.Regions(tag)}
}

// Name is the state's name, or the code where there is none: codes that users
// assign to themselves, and what is no code.
func (c Countries) Name(code string) string {
	if t, ok := corrected(code); ok {
		return t.In(c.lang)
	}
	r, err := language.ParseRegion(code)
	if err != nil {
		return code
	}
	if name := c.table.Name(r); name != "" {
		return name
	}
	return code
}

func corrected(code string) (corridor.Text, bool) {
	switch code {
	case "KG":
		return corridor.Text{EN: "Kyrgyzstan", ZH: "吉尔吉斯斯坦", RU: "Кыргызстан"}, true
	case "TR":
		return corridor.Text{EN: "Türkiye", ZH: "土耳其", RU: "Турция"}, true
	case "MK":
		return corridor.Text{EN: "North Macedonia", ZH: "北马其顿", RU: "Северная Македония"}, true
	case "PS":
		return corridor.Text{EN: "State of Palestine", ZH: "巴勒斯坦国", RU: "Государство Палестина"}, true
	}
	return corridor.Text{}, false
}
