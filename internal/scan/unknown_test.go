package scan

import (
	"fmt"
	"strings"
	"testing"
)

// TestTextsThatMayNamePeopleAreMarked: a column in which nothing is recognised
// is marked where its texts differ like names do, and nowhere else.
func TestTextsThatMayNamePeopleAreMarked(t *testing.T) {
	georgian := []string{"გიორგი ბერიძე", "ნინო კაპანაძე", "დავით ლომიძე", "თამარ გელაშვილი", "ეკა მაისურაძე"}
	for name, c := range map[string]struct {
		header string
		value  func(i int) string
		want   bool
	}{
		"names in a script that no rule knows": {"klient", func(i int) string { return georgian[i%5] + strings.Repeat("ა", i/5) }, true},
		"nicknames":                            {"nick", func(i int) string { return fmt.Sprintf("quiet%criver", 'a'+i%26) + strings.Repeat("s", i/26) }, true},
		"names that carry a number":            {"holder", func(i int) string { return fmt.Sprintf("Tamriko %d", i) }, true},
		"notes":                                {"remark", func(i int) string { return fmt.Sprintf("ask her again about box %d", i) }, true},
		"a few words again and again":          {"state", func(i int) string { return [...]string{"open", "sent", "held"}[i%3] }, false},
		"codes":                                {"ref", func(i int) string { return fmt.Sprintf("AB-%04d", i) }, false},
		"numbers":                              {"klient", func(i int) string { return fmt.Sprint(i * 7) }, false},
		"dates":                                {"klient", func(i int) string { return fmt.Sprintf("2026-01-%02d", 1+i%28) }, false},
		"things by their header":               {"product", func(i int) string { return fmt.Sprintf("ჩაი %d", i) }, false},
		"what is recognised":                   {"klient", func(i int) string { return fmt.Sprintf("u%d@example.com", i) }, false},
		"nothing at all":                       {"klient", func(int) string { return "" }, false},
	} {
		var b strings.Builder
		fmt.Fprintf(&b, "n,%s\n", c.header)
		for i := range 60 {
			fmt.Fprintf(&b, "%d,%s\n", i, c.value(i))
		}
		r, err := Reader(t.Context(), strings.NewReader(b.String()), "csv", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Columns[1]; got.Unknown != c.want {
			t.Errorf("%s: unknown %t, %s with %d different of %d, %v", name, got.Unknown, got.Type, got.Distinct, got.Values, got.Classes)
		}
	}
}
