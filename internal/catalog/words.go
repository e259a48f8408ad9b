package catalog

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kljensen/snowball/english"
	"github.com/kljensen/snowball/russian"
	"golang.org/x/text/unicode/norm"
)

// Limits of what is searched.
const (
	maxTerms = 2000 // different words of one dataset; what comes after is not found by
	maxWord  = 64   // bytes of one word
	maxQuery = 32   // words of one search
)

// Words splits text into the words that a search compares: compatibility
// forms and letter case are folded, ё is е, Cyrillic and Latin words are
// reduced to their stems. Scripts that do not put spaces between words give
// every character and every pair of neighbours, so that any part of a phrase
// is found. The same words come back once, in the order of the text.
func Words(text string) []string { return split(text, true) }

// sought are the words that a search looks for: of a phrase without spaces
// only the pairs, since they name each character.
func sought(text string) []string { return split(text, false) }

func split(text string, singles bool) []string {
	seen := map[string]bool{}
	var out []string
	add := func(w string) {
		if w != "" && !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	for run, dense := range runs(fold(text)) {
		if !dense {
			add(stem(run))
			continue
		}
		last := ""
		for i, r := range run {
			c := string(r)
			if singles || len(c) == len(run) {
				add(c)
			}
			if i > 0 {
				add(last + c)
			}
			last = c
		}
	}
	return out
}

// fold brings text to the form in which it is compared.
func fold(text string) string {
	return strings.ReplaceAll(strings.ToLower(norm.NFKC.String(text)), "ё", "е")
}

// runs yields the words of folded text, and whether each is of a script
// without spaces.
func runs(text string) func(yield func(run string, dense bool) bool) {
	return func(yield func(string, bool) bool) {
		start, dense := -1, false
		for i, r := range text {
			in := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) && start >= 0
			if start >= 0 && (!in || unspaced(r) != dense) {
				if !yield(text[start:i], dense) {
					return
				}
				start = -1
			}
			if in && start < 0 {
				start, dense = i, unspaced(r)
			}
		}
		if start >= 0 {
			yield(text[start:], dense)
		}
	}
}

func unspaced(r rune) bool {
	return r >= 0x2e80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x0e00 && unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// stem reduces one word. A word of another script stays as it is.
func stem(word string) string {
	if len(word) > maxWord {
		word = strings.ToValidUTF8(word[:maxWord], "")
	}
	switch r, _ := utf8.DecodeRuneInString(word); {
	case unicode.Is(unicode.Cyrillic, r):
		return russian.Stem(word, true)
	case unicode.Is(unicode.Latin, r):
		return english.Stem(word, true)
	}
	return word
}
