package scan

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// cnSurnames are the hundred most common family names and a few frequent
// others; they cover about nine people in ten.
const cnSurnames = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文施洪葛安倪樊邢翁"

const cnDoubleSurnames = "欧阳 司马 上官 诸葛 东方 皇甫 尉迟 公孙 慕容 令狐 司徒 夏侯"

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

func cyrillic(r rune) bool { return r >= 0x400 && r <= 0x52f }

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
