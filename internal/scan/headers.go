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

// find gives the tags of all patterns in words, ascending, each once.
func (m *matcher) find(words string) (tags []int) {
	start := true
	for i, r := range words {
		for _, p := range m.first[r] {
			if (start || p.han) && p.at(words, i) {
				tags = append(tags, p.tag)
			}
		}
		start = r == ' '
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

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
// split at case changes and signs; apostrophes and marks fall away, and so
// does the Arabic article.
func headerWords(name string) string {
	var b strings.Builder
	prev := ' '
	for _, r := range name {
		r = foldRune(r)
		switch {
		case r == dropped:
			continue
		case unicode.IsLetter(r) || unicode.IsDigit(r):
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
	if unicode.IsMark(r) {
		return dropped
	}
	return r
}
