package plane

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"corridor"
)

// maxNesting bounds objects and arrays inside a record.
const maxNesting = 128

// member is one member of an object as it stands in the text.
type member struct {
	key   []byte // with its quotes
	value []byte
}

func notJSON(what string) error {
	return &corridor.Error{Kind: corridor.Invalid, Msg: "the record is not a JSON object: " + what, Fix: "write one JSON object per line"}
}

// eachMember walks the members of the one object that line holds. It checks
// the whole line against RFC 8259; a syntax error may come after some calls.
func eachMember(line []byte, visit func(member) error) error {
	b := trimJSON(line)
	if len(b) == 0 || b[0] != '{' {
		return notJSON("it does not begin with {")
	}
	i := skipSpace(b, 1)
	if i < len(b) && b[i] == '}' {
		return onlySpace(b, i+1)
	}
	for {
		var m member
		end, ok := scanString(b, i)
		if !ok {
			return notJSON("a member has no name")
		}
		m.key = b[i:end]
		if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
			return notJSON("a colon is missing")
		}
		i = skipSpace(b, i+1)
		if end, ok = scanValue(b, i, 0); !ok {
			return notJSON("a value is malformed")
		}
		m.value = b[i:end]
		if err := visit(m); err != nil {
			return err
		}
		i = skipSpace(b, end)
		switch {
		case i < len(b) && b[i] == ',':
			i = skipSpace(b, i+1)
		case i < len(b) && b[i] == '}':
			return onlySpace(b, i+1)
		default:
			return notJSON("a comma or the end is missing")
		}
	}
}

func onlySpace(b []byte, i int) error {
	if skipSpace(b, i) != len(b) {
		return notJSON("there is more behind its end")
	}
	return nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

func trimJSON(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

// scanValue gives the end of the value at i.
func scanValue(b []byte, i, depth int) (int, bool) {
	if i >= len(b) || depth > maxNesting {
		return i, false
	}
	switch c := b[i]; {
	case c == '"':
		return scanString(b, i)
	case c == '{', c == '[':
		return scanNested(b, i, depth)
	case c == '-', c >= '0' && c <= '9':
		return scanNumber(b, i)
	}
	for _, word := range []string{"null", "true", "false"} {
		if bytes.HasPrefix(b[i:], []byte(word)) {
			return i + len(word), true
		}
	}
	return i, false
}

func scanNested(b []byte, i, depth int) (int, bool) {
	object := b[i] == '{'
	closing := byte(']')
	if object {
		closing = '}'
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == closing {
		return i + 1, true
	}
	for {
		var ok bool
		if object {
			if i, ok = scanString(b, i); !ok {
				return i, false
			}
			if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
				return i, false
			}
			i = skipSpace(b, i+1)
		}
		if i, ok = scanValue(b, i, depth+1); !ok {
			return i, false
		}
		if i = skipSpace(b, i); i >= len(b) {
			return i, false
		}
		switch b[i] {
		case closing:
			return i + 1, true
		case ',':
			i = skipSpace(b, i+1)
		default:
			return i, false
		}
	}
}

func scanString(b []byte, i int) (int, bool) {
	if i >= len(b) || b[i] != '"' {
		return i, false
	}
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, true
		case c < 0x20:
			return i, false
		case c == '\\':
			i++
			if i >= len(b) {
				return i, false
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(b, i+1); !ok {
					return i, false
				}
				i += 4
			default:
				return i, false
			}
		}
	}
	return i, false
}

func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func scanNumber(b []byte, i int) (int, bool) {
	run := func() bool {
		start := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > start
	}
	if b[i] == '-' {
		i++
	}
	zero := i < len(b) && b[i] == '0'
	if zero {
		i++
	} else if !run() {
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !run() {
			return i, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !run() {
			return i, false
		}
	}
	return i, true
}

// unquoteJSON appends the text of a string that scanString has accepted. Half
// of a surrogate pair stands for no character and is refused.
func unquoteJSON(dst, raw []byte) ([]byte, error) {
	for i := 1; i < len(raw)-1; i++ {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(raw, i+1)
			i += 4
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), false
				if i+2 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
					low, ok = hex4(raw, i+3)
				}
				if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
					return dst, notJSON("half of a surrogate pair")
				}
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default: // quote, backslash, slash
			dst = append(dst, raw[i])
		}
	}
	return dst, nil
}

// quoteJSON appends text as a JSON string.
func quoteJSON(dst, text []byte) []byte {
	const hexdigits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"', c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hexdigits[c>>4], hexdigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
