package scan

import (
	"bytes"
	_ "embed" // for the word lists
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed data/names.txt
var nameData string

//go:embed data/address.txt
var addressData string

// letters are the tables of words that values are compared with.
type letters struct {
	surnames map[rune]bool
	double   map[string]bool
	names    map[string]bool
	fathers  endings // of patronymics
	families endings // of family names
	address  map[string]bool
	hanPlace []string
}

func newLetters() *letters {
	l := &letters{surnames: map[rune]bool{}, double: map[string]bool{}, names: map[string]bool{}, address: map[string]bool{}}
	for _, r := range cnSurnames {
		l.surnames[r] = true
	}
	for s := range strings.FieldsSeq(cnDoubleSurnames) {
		l.double[s] = true
	}
	for section, words := range sections(nameData) {
		for _, w := range words {
			switch w = headerWords(w); section {
			case "names":
				l.names[w] = true
			case "patronymic endings":
				l.fathers.add(w)
			case "surname endings":
				l.families.add(w)
			}
		}
	}
	for _, words := range sections(addressData) {
		for _, w := range words {
			if strings.IndexFunc(w, isHan) >= 0 {
				l.hanPlace = append(l.hanPlace, w)
			}
			for part := range strings.FieldsSeq(headerWords(w)) {
				l.address[part] = true
			}
		}
	}
	return l
}

// nameSigns is what the words of a value say about people.
type nameSigns struct{ shape, father, family, known bool }

// nameOf looks at one to five words of any alphabet that writes names with
// capitals, or that has no capitals.
func (l *letters) nameOf(v []byte) (s nameSigns) {
	words := 0
	var buf [64]byte
	for w := range bytes.FieldsSeq(v) {
		folded, ok := foldName(buf[:0], w)
		if words++; !ok || words > 5 {
			return nameSigns{}
		}
		s.known = s.known || l.names[string(folded)]
		s.father = s.father || endsIn(folded, &l.fathers)
		s.family = s.family || endsIn(folded, &l.families)
	}
	s.shape = words > 0
	if words == 1 {
		s.known, s.father = s.known && !latinOnly(v), false
	}
	return s
}

func latinOnly(v []byte) bool {
	for _, c := range v {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// foldName writes a word of a name in lower case into dst. It refuses words
// that begin small, and that have other signs than names have.
func foldName(dst, w []byte) ([]byte, bool) {
	if len(w) > 60 {
		return nil, false
	}
	for i := 0; i < len(w); {
		r, n := utf8.DecodeRune(w[i:])
		switch {
		case i == 0 && unicode.IsLower(r) && !fatherWord(w):
			return nil, false
		case r == '-' || r == '.' || r == ',' && i > 0:
			if r == '-' {
				dst = append(dst, '-')
			}
		case r < 0x80 && !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '\'' || r == '`'):
			return nil, false
		default:
			f := foldRune(r)
			if f == dropped {
				break
			}
			if f >= 0x80 && !(f >= 'А' && f <= 'я') && !unicode.IsLetter(f) && !unicode.IsMark(f) {
				return nil, false
			}
			dst = utf8.AppendRune(dst, foldRune(lowerRune(f)))
		}
		i += n
	}
	return dst, len(dst) > 0
}

// fatherWord allows the words for son and daughter, which are written small.
func fatherWord(w []byte) bool {
	return len(w) <= 12 && (w[0] == 'o' || w[0] == 'q' || w[0] == 'k' || w[0] == 'u' || w[0] >= 0x80)
}

// endings are ends of words, by their last byte.
type endings [256][]string

func (e *endings) add(w string) { e[w[len(w)-1]] = append(e[w[len(w)-1]], w) }

func endsIn(w []byte, list *endings) bool {
	if len(w) == 0 {
		return false
	}
	for _, e := range list[w[len(w)-1]] {
		if k := len(w) - len(e); k >= 0 && string(w[k:]) == e && (k > 3 || k == 0 && len(e) > 4) {
			return true
		}
	}
	return false
}

// addressLike counts the words of addresses in a value: two, or one beside a
// number, make it look like one.
func (l *letters) addressLike(v []byte, mask uint16) bool {
	found, last := 0, ""
	var buf [64]byte
	for w := range bytes.FieldsFuncSeq(v, betweenWords) {
		folded, ok := foldPlace(buf[:0], w)
		if ok && l.address[string(folded)] && string(folded) != last {
			if found++; found == 2 || mask&isDigit != 0 && len(folded) > 2 {
				return true
			}
			last = string(folded)
		}
	}
	return mask&isHigh != 0 && l.hanAddress(v, mask)
}

func betweenWords(r rune) bool {
	return r <= ' ' || r == ',' || r == '.' || r == ';' || r == '،' || r == '/' || r == ':'
}

func foldPlace(dst, w []byte) ([]byte, bool) {
	if len(w) > 40 {
		return nil, false
	}
	for len(w) > 0 {
		r, n := utf8.DecodeRune(w)
		if f := foldRune(r); f != dropped {
			dst = utf8.AppendRune(dst, foldRune(lowerRune(f)))
		}
		w = w[n:]
	}
	return dst, true
}

func (l *letters) hanAddress(v []byte, mask uint16) bool {
	if !slices.ContainsFunc(v, func(b byte) bool { return b >= 0xe2 }) {
		return false // each of the words has a Han character, which begins so
	}
	found := 0
	for _, w := range l.hanPlace {
		if bytes.Contains(v, []byte(w)) {
			found++
		}
	}
	return found >= 3 || found == 2 && mask&isDigit != 0
}
