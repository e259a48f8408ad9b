package scan

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cnSurnames are the hundred most common family names and a few frequent
// others; they cover about nine people in ten.
const cnSurnames = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文施洪葛安倪樊邢翁"

const cnDoubleSurnames = "欧阳 司马 上官 诸葛 东方 皇甫 尉迟 公孙 慕容 令狐 司徒 夏侯"

// givenNames are common first names in Latin letters, Chinese ones in pinyin
// included. They support a finding; alone they never make one certain.
const givenNames = "james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony mark donald steven paul andrew joshua kenneth kevin brian george mary patricia jennifer linda elizabeth barbara susan jessica sarah karen nancy lisa betty margaret sandra ashley kimberly emily donna michelle carol amanda melissa deborah stephanie laura anna maria emma olivia sophia peter alexander alexey aleksandr aleksei dmitry dmitri sergey sergei andrey andrei ivan mikhail nikolay nikolai vladimir igor oleg pavel yury yuri viktor maxim artem denis evgeny olga elena natalia natalya irina tatiana tatyana svetlana ekaterina anastasia yulia marina galina ludmila nurlan arman aidar ruslan timur askar daniyar erlan yerlan aigul ainur dinara gulnara madina aliya saule wei fang li min jing lei jun yang yong yan jie juan tao ming chao xia ping gang hui ying hong xin mei mohammed muhammad ahmed ali omar hassan hussain fatima aisha maryam mehmet mustafa ahmet ayse elif raj amit priya rahul sanjay sunita anil deepak"

// letters are the name tables of a scan.
type letters struct {
	surnames map[rune]bool
	double   map[string]bool
	given    map[string]bool
}

func newLetters() *letters {
	l := &letters{surnames: map[rune]bool{}, double: map[string]bool{}, given: map[string]bool{}}
	for _, r := range cnSurnames {
		l.surnames[r] = true
	}
	for s := range strings.FieldsSeq(cnDoubleSurnames) {
		l.double[s] = true
	}
	for s := range strings.FieldsSeq(givenNames) {
		l.given[s] = true
	}
	return l
}

// hanName says whether v is two to four Han characters, and whether it begins
// with a common surname.
func (l *letters) hanName(v []byte) (shape, surname bool) {
	if len(v) < 6 || len(v) > 12 || len(v)%3 != 0 {
		return false, false
	}
	first := rune(0)
	for i := 0; i < len(v); i += 3 {
		r, n := utf8.DecodeRune(v[i:])
		if n != 3 || r < 0x4e00 || r > 0x9fff {
			return false, false
		}
		if i == 0 {
			first = r
		}
	}
	return true, l.surnames[first] || len(v) >= 9 && l.double[string(v[:6])]
}

// cyrillicName says whether v is one to four capitalised Cyrillic words, and
// whether one ends as a patronymic does, or as a surname does.
func cyrillicName(v []byte) (shape, patronymic, surname bool) {
	var buf [64]byte
	words := 0
	for w := range bytes.FieldsSeq(v) {
		words++
		first, n := utf8.DecodeRune(w)
		if words > 4 || !cyrillic(first) || !upperRune(first) {
			return false, false, false
		}
		for rest := w[n:]; len(rest) > 0; {
			r, n := utf8.DecodeRune(rest)
			if !cyrillic(r) && r != '-' && r != '.' {
				return false, false, false
			}
			rest = rest[n:]
		}
		lower := lowerCyrillic(buf[:0], w)
		patronymic = patronymic || hasEnding(lower, "ович", "евич", "ьич", "овна", "евна", "ична", "улы", "ұлы", "кызы", "қызы", "оглы", "угли")
		surname = surname || hasEnding(lower, "ов", "ев", "ёв", "ин", "ский", "цкий", "ова", "ева", "ёва", "ина", "ская", "цкая", "енко", "баев", "баева", "ұлы")
	}
	return words > 0, patronymic, surname
}

func cyrillic(r rune) bool { return r >= 0x400 && r <= 0x52f }

// lowerCyrillic writes the last letters of a word in lower case into dst.
func lowerCyrillic(dst, w []byte) []byte {
	if len(w) > 32 {
		w = w[len(w)-32:]
	}
	for len(w) > 0 {
		r, n := utf8.DecodeRune(w)
		dst = utf8.AppendRune(dst, lowerRune(r))
		w = w[n:]
	}
	return dst
}

// lowerRune is unicode.ToLower with the common alphabets first.
func lowerRune(r rune) rune {
	switch {
	case r < 0x80:
		if r >= 'A' && r <= 'Z' {
			r += 0x20
		}
		return r
	case r >= 0x410 && r <= 0x42f:
		return r + 0x20
	case r >= 0x430 && r <= 0x45f || r >= 0x4e00 && r <= 0x9fff:
		return r
	}
	return unicode.ToLower(r)
}

func upperRune(r rune) bool {
	if r >= 0x400 && r <= 0x45f {
		return r <= 0x42f
	}
	return unicode.IsUpper(r)
}

func hasEnding(w []byte, endings ...string) bool {
	for _, e := range endings {
		if len(w) > len(e)+3 && string(w[len(w)-len(e):]) == e {
			return true
		}
	}
	return false
}

// latinName says whether v is one to four capitalised Latin words, and
// whether one of several is a known given name.
func (l *letters) latinName(v []byte) (shape, given bool) {
	words := 0
	for w := range bytes.FieldsSeq(v) {
		if words++; words > 4 || len(w) > 24 || w[0] < 'A' || w[0] > 'Z' {
			return false, false
		}
		var low [24]byte
		for i, c := range w {
			switch {
			case c >= 'A' && c <= 'Z':
				low[i] = c | 0x20
			case c >= 'a' && c <= 'z' || c == '-' || c == '.' || c == '\'':
				low[i] = c
			default:
				return false, false
			}
		}
		given = given || l.given[string(low[:len(w)])]
	}
	return words > 0, given && words > 1
}

// emailLike checks the form of an address: one @, a plain local part, a
// domain with a dot and letters at the end.
func emailLike(v []byte) bool {
	at := bytes.IndexByte(v, '@')
	if at < 1 || at > 64 || len(v) > 254 {
		return false
	}
	for _, c := range v[:at] {
		if c <= ' ' || c == ',' || c == ';' || c == '<' || c == '>' || c == '(' || c == ')' || c == '"' {
			return false
		}
	}
	domain := v[at+1:]
	dot := bytes.LastIndexByte(domain, '.')
	if dot < 1 || len(domain)-dot < 3 {
		return false
	}
	for _, c := range domain {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c >= 0x80) {
			return false
		}
	}
	return domain[dot+1] > '9'
}

// phoneForm is how sure the form of a number is a telephone's.
type phoneForm uint8

const (
	notPhone phoneForm = iota
	someDigits
	localPhone
	plusPhone
)

// phoneLike reads v as a telephone number of China, Russia, Kazakhstan, or
// with + of any country (E.164). digits is scratch space.
func phoneLike(v []byte, digits []byte) phoneForm {
	d := digits[:0]
	plus := len(v) > 0 && v[0] == '+'
	for i, c := range v {
		switch {
		case c >= '0' && c <= '9':
			if len(d) == 16 {
				return notPhone
			}
			d = append(d, c)
		case c == ' ' || c == '-' || c == '(' || c == ')' || c == '.' && i > 0 || c == '+' && i == 0:
		default:
			return notPhone
		}
	}
	switch n := len(d); {
	case n < 7 || n > 15:
		return notPhone
	case plus && d[0] != '0' && n >= 8:
		return plusPhone
	case plus:
		return notPhone
	case n == 11 && d[0] == '1' && cnMobile(d):
		return localPhone
	case n == 13 && d[0] == '8' && d[1] == '6' && cnMobile(d[2:]):
		return localPhone
	case n == 11 && (d[0] == '7' || d[0] == '8') && (d[1] == '9' || d[1] == '7' || d[1] == '4' || d[1] == '8' || d[1] == '3'):
		return localPhone
	}
	return someDigits
}

// cnMobile checks the network prefixes in use.
func cnMobile(d []byte) bool {
	if d[0] != '1' || len(d) != 11 {
		return false
	}
	switch d[1] {
	case '3', '8':
		return true
	case '4':
		return d[2] >= '4' || d[2] == '0' || d[2] == '1'
	case '5':
		return d[2] != '4'
	case '6':
		return d[2] == '2' || d[2] >= '5' && d[2] <= '7'
	case '7':
		return d[2] != '9'
	case '9':
		return d[2] != '4'
	}
	return false
}
