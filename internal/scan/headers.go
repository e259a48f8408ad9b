package scan

import (
	_ "embed" // for the word lists
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The word lists are data, so that a speaker of a language can correct one
// without reading Go.
//
//go:embed data/headers.txt
var headerData string

//go:embed data/parties.txt
var partyData string

// sections yields the sections of a word list: a name in brackets, and then
// the words of all its languages.
func sections(text string) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		name, words := "", []string(nil)
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			switch {
			case line == "" || line[0] == '#':
				continue
			case line[0] == '[':
				if name != "" && !yield(name, words) {
					return
				}
				name, words = strings.Trim(line, "[]"), nil
				continue
			}
			_, list, _ := strings.Cut(line, ":")
			for w := range strings.SplitSeq(list, ",") {
				words = append(words, strings.TrimSpace(w))
			}
		}
		if name != "" {
			yield(name, words)
		}
	}
}

// pattern is one word list entry, folded as headers are.
type pattern struct {
	text  string
	tag   int
	whole bool // the header is this and nothing else
	stem  bool // any ending
	han   bool // anywhere, since Chinese writes no spaces
}

// matcher finds the tags of all patterns in a header at once: patterns are
// kept by their first letter.
type matcher struct{ first map[rune][]pattern }

func newMatcher() *matcher { return &matcher{map[rune][]pattern{}} }

func (m *matcher) add(words []string, tag int) {
	for _, w := range words {
		p := pattern{tag: tag}
		w, p.whole = strings.CutPrefix(w, "=")
		w, p.stem = strings.CutSuffix(w, "*")
		if p.text = headerWords(w); p.text == "" {
			continue
		}
		p.han = strings.IndexFunc(w, isHan) >= 0
		r, _ := utf8.DecodeRuneInString(p.text)
		m.first[r] = append(m.first[r], p)
	}
}

// match is where a pattern stands in a header.
type match struct{ from, to, tag int }

// find gives the tags of all patterns in words, ascending, each once. Words
// inside a longer pattern belong to that pattern: the address of an "email
// address" is no other one.
func (m *matcher) find(words string) (tags []int) {
	var all []match
	start := true
	for i, r := range words {
		for _, p := range m.first[r] {
			if (start || p.han) && p.at(words, i) {
				all = append(all, match{i, i + len(p.text), p.tag})
			}
		}
		start = r == ' '
	}
	for _, a := range all {
		if !slices.ContainsFunc(all, func(b match) bool { return a.inside(b) }) {
			tags = append(tags, a.tag)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// inside says whether b explains a: it covers a and more. Names of people are
// not set against each other.
func (a match) inside(b match) bool {
	return b.from <= a.from && b.to >= a.to && b.to-b.from > a.to-a.from && b.tag != a.tag && !(nameTag(a.tag) && nameTag(b.tag))
}

// nameTag says whether a tag is one of the first kinds, which are names.
func nameTag(tag int) bool { return tag >= 0 && tag < 5 }

func (p pattern) at(words string, i int) bool {
	rest := words[i:]
	if !strings.HasPrefix(rest, p.text) {
		return false
	}
	switch end := rest[len(p.text):]; {
	case p.whole:
		return i == 0 && end == ""
	case p.han, p.stem:
		return true
	default:
		return end == "" || end[0] == ' '
	}
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

// headerWords folds a header: words in lower case divided by single spaces,
// split at case changes and signs; apostrophes and accents fall away, and so
// does the Arabic article.
func headerWords(name string) string {
	var b strings.Builder
	prev := ' '
	for _, r := range name {
		switch f := foldRune(r); {
		case f == dropped:
			continue
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if unicode.IsUpper(r) && unicode.IsLower(prev) {
				b.WriteByte(' ')
			}
			b.WriteRune(foldRune(unicode.ToLower(r)))
		default:
			b.WriteByte(' ')
		}
		prev = r
	}
	words := strings.Fields(b.String())
	for i, w := range words {
		if rest, ok := strings.CutPrefix(w, "ال"); ok && utf8.RuneCountInString(rest) > 2 {
			words[i] = rest
		}
	}
	return strings.Join(words, " ")
}

const dropped = rune(-1)

// foldRune brings letters together that hands and keyboards mix.
func foldRune(r rune) rune {
	if r < 0x80 {
		if r == '\'' || r == '`' {
			return dropped
		}
		return r
	}
	switch r {
	case 'ё':
		return 'е'
	case 'Ё':
		return 'Е'
	case 'أ', 'إ', 'آ', 'ٱ':
		return 'ا'
	case 'ى', 'ی', 'ې':
		return 'ي'
	case 'ک':
		return 'ك'
	case 'ة', 'ہ', 'ۀ', 'ھ':
		return 'ه'
	case 'ؤ':
		return 'و'
	case '’', '‘', 'ʻ', 'ʼ', 'ʹ', 'ʿ', 'ʾ', 'ـ':
		return dropped
	case 'İ', 'ı':
		return 'i'
	}
	// Accents and the points of Arabic fall away; the vowel signs of Indian
	// scripts are letters of their own.
	if r >= 0x300 && r <= 0x36f || r >= 0x64b && r <= 0x65f || r == 0x670 || r == 0x93c {
		return dropped
	}
	return r
}
