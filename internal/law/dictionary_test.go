package law

import (
	"testing"

	"pgregory.net/rapid"
)

func TestADictionaryIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`(vehicles\.|filings\.|)(cn|kz|)[ab]{0,12}(contract|)`)
		words, want := dictionary[int]{}, map[string]int{}
		for i, w := range rapid.SliceOf(word).Draw(t, "words") {
			words.set(w, i)
			want[w] = i
		}
		if words.used != len(want) {
			t.Fatalf("%d words, want %d", words.used, len(want))
		}
		for _, w := range append(keys(want), rapid.SliceOf(word).Draw(t, "others")...) {
			n, known := want[w]
			if got, ok := words.get(w); got != n || ok != known {
				t.Fatalf("%q is %d %v, want %d %v", w, got, ok, n, known)
			}
		}
	})
}
