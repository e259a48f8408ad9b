package paper

import "testing"

func TestStatesAreNamedAsTheyNameThemselves(t *testing.T) {
	for _, c := range []struct{ lang, code, want string }{
		{"ru", "KG", "Кыргызстан"},
		{"en", "TR", "Türkiye"},
		{"zh", "MK", "北马其顿"},
		{"ru", "KZ", "Казахстан"},
		{"zh", "EU", "欧盟"},
		{"no such language", "CN", "China"},
		{"en", "XA", "XA"}, // assigned by users: no name
		{"en", "?", "?"},
	} {
		if got := NewCountries(c.lang).Name(c.code); got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.code, c.lang, got, c.want)
		}
	}
}
