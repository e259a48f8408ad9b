package corridor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxSafe is the largest integer that every JSON reader holds exactly
// (RFC 7493 section 2.2).
const maxSafe = 1<<53 - 1

const maxDepth = 64

// Canonical writes v as RFC 8785 JSON. Receipts, agreements and bundles hold
// no fractions: a number that is not an integer within ±(2^53-1) is refused,
// so that two implementations can never differ in rounding.
func Canonical(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, E(Invalid, "canonical JSON: %w", err)
	}
	return Canonicalize(raw)
}

// Canonicalize rewrites JSON text as RFC 8785 JSON. It refuses repeated
// keys, fractions, invalid UTF-8, trailing data and nesting over 64 levels.
func Canonicalize(raw []byte) ([]byte, error) {
	if !utf8.Valid(raw) {
		return nil, E(Invalid, "canonical JSON: not UTF-8")
	}
	if !json.Valid(raw) {
		var v any
		err := json.Unmarshal(raw, &v)
		if err == nil { // it cannot be: Valid has just said no
			err = errors.New("not JSON")
		}
		return nil, E(Invalid, "canonical JSON: %w", err)
	}
	c := canonical{in: raw, out: make([]byte, 0, len(raw))}
	if err := c.value(0); err != nil {
		return nil, E(Invalid, "canonical JSON: %w", err)
	}
	return c.out, nil
}

// CheckCanonical says whether raw is already exactly its canonical form.
func CheckCanonical(raw []byte) error {
	want, err := Canonicalize(raw)
	if err != nil {
		return err
	}
	if !bytes.Equal(raw, want) {
		return E(Invalid, "not canonical JSON (RFC 8785): %s", firstDifference(raw, want))
	}
	return nil
}

func firstDifference(got, want []byte) string {
	n := min(len(got), len(want))
	for i := range n {
		if got[i] != want[i] {
			return fmt.Sprintf("byte %d differs", i)
		}
	}
	return fmt.Sprintf("%d bytes where %d are expected", len(got), len(want))
}

// canonical walks text that json.Valid has accepted, so that no step can
// leave it, and writes each value once, in place.
type canonical struct {
	in  []byte
	pos int
	out []byte
}

// next gives the next byte that is not a space.
func (c *canonical) next() byte {
	for c.pos < len(c.in) {
		switch b := c.in[c.pos]; b {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return b
		}
	}
	return 0
}

func (c *canonical) value(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	switch c.next() {
	case '{':
		return c.object(depth)
	case '[':
		return c.array(depth)
	case '"':
		return c.text()
	}
	start := c.pos
	for c.pos < len(c.in) && strings.IndexByte(" \t\n\r,]}", c.in[c.pos]) < 0 {
		c.pos++
	}
	switch word := string(c.in[start:c.pos]); word {
	case "true", "false", "null":
		c.out = append(c.out, word...)
		return nil
	default:
		return c.number(word)
	}
}

func (c *canonical) array(depth int) error {
	c.out = append(c.out, '[')
	c.pos++
	for c.next() != ']' {
		if c.in[c.pos] == ',' {
			c.pos++
			c.out = append(c.out, ',')
		}
		if err := c.value(depth + 1); err != nil {
			return err
		}
	}
	c.pos++
	c.out = append(c.out, ']')
	return nil
}

// quoted takes the string literal at the cursor.
func (c *canonical) quoted() (lit []byte, plain bool) {
	start := c.pos
	plain = true
	for c.pos++; c.in[c.pos] != '"'; c.pos++ {
		if c.in[c.pos] == '\\' {
			c.pos++
			plain = false
		}
	}
	c.pos++
	return c.in[start:c.pos], plain
}

// text writes a string. One without escapes is in its canonical form already:
// JSON has no bare control characters.
func (c *canonical) text() error {
	lit, plain := c.quoted()
	if plain {
		c.out = append(c.out, lit...)
		return nil
	}
	var s string
	if err := json.Unmarshal(lit, &s); err != nil {
		return err
	}
	c.out = appendString(c.out, s)
	return nil
}

// member is where one member of an object stands in the output.
type member struct {
	key        string
	start, end int
}

func (c *canonical) object(depth int) error {
	c.out = append(c.out, '{')
	c.pos++
	begin := len(c.out)
	var few [16]member
	members := few[:0]
	sorted := true
	for c.next() != '}' {
		if c.in[c.pos] == ',' {
			c.pos++
			c.next()
			c.out = append(c.out, ',')
		}
		m := member{start: len(c.out)}
		lit, plain := c.quoted()
		if plain {
			m.key = string(lit[1 : len(lit)-1])
		} else if err := json.Unmarshal(lit, &m.key); err != nil {
			return err
		}
		c.out = append(appendString(c.out, m.key), ':')
		c.next()
		c.pos++ // :
		if err := c.value(depth + 1); err != nil {
			return err
		}
		m.end = len(c.out)
		if n := len(members); n > 0 && compareKeys(members[n-1].key, m.key) >= 0 {
			sorted = false
		}
		members = append(members, m)
	}
	c.pos++
	if !sorted {
		if err := c.sort(begin, members); err != nil {
			return err
		}
	}
	c.out = append(c.out, '}')
	return nil
}

// sort puts the members of an object, written since begin, in order.
func (c *canonical) sort(begin int, members []member) error {
	slices.SortFunc(members, func(a, b member) int { return compareKeys(a.key, b.key) })
	body := make([]byte, 0, len(c.out)-begin)
	for i, m := range members {
		if i > 0 {
			if m.key == members[i-1].key {
				return fmt.Errorf("key %q occurs twice", m.key)
			}
			body = append(body, ',')
		}
		body = append(body, c.out[m.start:m.end]...)
	}
	c.out = append(c.out[:begin], body...)
	return nil
}

// compareKeys orders by UTF-16 code units (RFC 8785 section 3.2.3). Below the
// surrogates that is the order of the bytes: only characters from U+E000 up
// can stand in another one.
func compareKeys(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n < len(a) && n < len(b) && max(a[n], b[n]) >= 0xee {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	}
	return strings.Compare(a, b)
}

func (c *canonical) number(n string) error {
	if strings.ContainsAny(n, ".eE") {
		return fmt.Errorf("number %s is not an integer", n)
	}
	v, err := strconv.ParseInt(n, 10, 64)
	if err != nil || v > maxSafe || v < -maxSafe {
		return fmt.Errorf("number %s is outside the exact range of JSON", n)
	}
	c.out = strconv.AppendInt(c.out, v, 10)
	return nil
}

// appendString escapes only what RFC 8785 section 3.2.2.2 escapes.
func appendString(out []byte, s string) []byte {
	const hexdigits = "0123456789abcdef"
	out = append(out, '"')
	for i := range len(s) {
		switch b := s[i]; b {
		case '"', '\\':
			out = append(out, '\\', b)
		case '\b':
			out = append(out, `\b`...)
		case '\f':
			out = append(out, `\f`...)
		case '\n':
			out = append(out, `\n`...)
		case '\r':
			out = append(out, `\r`...)
		case '\t':
			out = append(out, `\t`...)
		default:
			if b < 0x20 {
				out = append(out, `\u00`...)
				out = append(out, hexdigits[b>>4], hexdigits[b&15])
				continue
			}
			out = append(out, b)
		}
	}
	return append(out, '"')
}
