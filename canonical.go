package corridor

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// maxSafe is the largest integer that every JSON reader holds exactly
// (RFC 7493 section 2.2).
const maxSafe = 1<<53 - 1

const maxDepth = 64

// Canonical writes v as RFC 8785 JSON, with the members and the names that
// encoding/json gives it. Receipts, agreements and bundles hold no fractions: a
// number that is not an integer within ±(2^53-1) is refused, so that two
// implementations can never differ in rounding.
func Canonical(v any) ([]byte, error) {
	c := scratch.Get().(*canonical)
	defer c.reuse()
	value := reflect.ValueOf(v)
	if err := c.write(value, writerOf(value), 0, 0); err != nil {
		return nil, E(Invalid, "canonical JSON: %w", err)
	}
	return bytes.Clone(c.out), nil
}

// scratch keeps buffers in which values are written before their length is
// known, up to maxScratch bytes each.
var scratch = sync.Pool{New: func() any { return new(canonical) }}

const maxScratch = 64 << 10

func (c *canonical) reuse() {
	if cap(c.out) <= maxScratch {
		*c = canonical{out: c.out[:0]}
		scratch.Put(c)
	}
}

// Canonicalize rewrites JSON text as RFC 8785 JSON. It refuses repeated
// keys, fractions, invalid UTF-8, trailing data and nesting over 64 levels.
func Canonicalize(raw []byte) ([]byte, error) {
	c := canonical{out: make([]byte, 0, len(raw))}
	if err := c.rewrite(raw, 0); err != nil {
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

// canonical writes JSON in canonical form: from text, which it reads once and
// checks on the way, or from Go values (canonical_value.go).
type canonical struct {
	in  []byte
	pos int
	out []byte
}

// errSyntax is replaced by what encoding/json says about the text.
var errSyntax = errors.New("not JSON")

// rewrite appends the canonical form of a whole text that stands at a depth.
func (c *canonical) rewrite(raw []byte, depth int) error {
	if !utf8.Valid(raw) {
		return errors.New("not UTF-8")
	}
	in, pos := c.in, c.pos
	c.in, c.pos = raw, 0
	err := c.value(depth)
	if err == nil && (c.next() != 0 || c.pos < len(raw)) {
		err = errSyntax
	}
	c.in, c.pos = in, pos
	if err == errSyntax {
		var v any
		if told := json.Unmarshal(raw, &v); told != nil {
			return told
		}
	}
	return err
}

// next gives the next byte that is not a space, and 0 at the end.
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
		return errDeep()
	}
	switch c.next() {
	case '{':
		return c.object(depth)
	case '[':
		return c.array(depth)
	case '"':
		return c.text()
	case 't':
		return c.word("true")
	case 'f':
		return c.word("false")
	case 'n':
		return c.word("null")
	}
	return c.number()
}

func errDeep() error { return fmt.Errorf("nested deeper than %d levels", maxDepth) }

func (c *canonical) word(w string) error {
	if !bytes.HasPrefix(c.in[c.pos:], []byte(w)) {
		return errSyntax
	}
	c.pos += len(w)
	c.out = append(c.out, w...)
	return nil
}

// between passes what stands between two elements, and says whether the
// closing byte has come instead.
func (c *canonical) between(first bool, end byte) (ended bool, err error) {
	switch b := c.next(); {
	case b == end:
		c.pos++
		return true, nil
	case first:
		return false, nil
	case b != ',':
		return false, errSyntax
	}
	c.pos++
	c.out = append(c.out, ',')
	return false, nil
}

func (c *canonical) array(depth int) error {
	c.out = append(c.out, '[')
	c.pos++
	for first := true; ; first = false {
		ended, err := c.between(first, ']')
		if err != nil {
			return err
		}
		if ended {
			c.out = append(c.out, ']')
			return nil
		}
		if err := c.value(depth + 1); err != nil {
			return err
		}
	}
}

// quoted takes the string literal at the cursor. One that is plain has no
// escapes.
func (c *canonical) quoted() (lit []byte, plain bool, err error) {
	if c.next() != '"' {
		return nil, false, errSyntax
	}
	start := c.pos
	plain = true
	for i := start + 1; i < len(c.in); i++ {
		switch b := c.in[i]; {
		case b == '"':
			c.pos = i + 1
			return c.in[start:c.pos], plain, nil
		case b == '\\':
			i++ // what follows is checked when it is unescaped
			plain = false
		case b < ' ':
			return nil, false, errSyntax
		}
	}
	return nil, false, errSyntax
}

// text writes a string. One without escapes is in its canonical form already.
func (c *canonical) text() error {
	lit, plain, err := c.quoted()
	if err != nil {
		return err
	}
	if plain {
		c.out = append(c.out, lit...)
		return nil
	}
	s, err := unescape(lit)
	c.out = appendString(c.out, s)
	return err
}

func unescape(lit []byte) (s string, err error) {
	if json.Unmarshal(lit, &s) != nil {
		err = errSyntax
	}
	return s, err
}

// member is where one member of an object stands in the output.
type member struct {
	key        []byte
	start, end int
}

func (c *canonical) object(depth int) error {
	c.out = append(c.out, '{')
	c.pos++
	begin := len(c.out)
	var few [16]member
	members := few[:0]
	sorted := true
	for {
		ended, err := c.between(len(members) == 0, '}')
		if err != nil {
			return err
		}
		if ended {
			break
		}
		m := member{start: len(c.out)}
		if m.key, err = c.key(); err != nil {
			return err
		}
		if err := c.value(depth + 1); err != nil {
			return err
		}
		m.end = len(c.out)
		if n := len(members); n > 0 && compareKeys(members[n-1].key, m.key) >= 0 {
			sorted = false
		}
		members = append(members, m)
	}
	if !sorted {
		if err := c.sort(begin, members); err != nil {
			return err
		}
	}
	c.out = append(c.out, '}')
	return nil
}

// key writes the name of a member and gives it without its quotes.
func (c *canonical) key() ([]byte, error) {
	lit, plain, err := c.quoted()
	if err != nil {
		return nil, err
	}
	if c.next() != ':' {
		return nil, errSyntax
	}
	c.pos++
	if plain {
		c.out = append(append(c.out, lit...), ':')
		return lit[1 : len(lit)-1], nil
	}
	s, err := unescape(lit)
	c.out = append(appendString(c.out, s), ':')
	return []byte(s), err
}

// sort puts the members of an object, written since begin, in order.
func (c *canonical) sort(begin int, members []member) error {
	slices.SortFunc(members, func(a, b member) int { return compareKeys(a.key, b.key) })
	body := make([]byte, 0, len(c.out)-begin)
	for i, m := range members {
		if i > 0 {
			if bytes.Equal(m.key, members[i-1].key) {
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
func compareKeys[T string | []byte](a, b T) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	switch {
	case n == len(a) || n == len(b):
		return cmp.Compare(len(a), len(b))
	case max(a[n], b[n]) >= 0xee:
		return slices.Compare(utf16.Encode([]rune(string(a))), utf16.Encode([]rune(string(b))))
	}
	return cmp.Compare(a[n], b[n])
}

// number writes an integer. What has the form of one but is none is told from
// what is no JSON.
func (c *canonical) number() error {
	start := c.pos
	for c.pos < len(c.in) && strings.IndexByte("+-0123456789.eE", c.in[c.pos]) >= 0 {
		c.pos++
	}
	lit := c.in[start:c.pos]
	if !wholeNumber(lit) {
		if json.Valid(lit) {
			return fmt.Errorf("number %s is not an integer", lit)
		}
		return errSyntax
	}
	v, err := strconv.ParseInt(string(lit), 10, 64)
	if err != nil || v > maxSafe || v < -maxSafe {
		return fmt.Errorf("number %s is outside the exact range of JSON", lit)
	}
	c.out = strconv.AppendInt(c.out, v, 10)
	return nil
}

// wholeNumber says whether a literal is a JSON number without fraction and
// exponent.
func wholeNumber(lit []byte) bool {
	digits := bytes.TrimPrefix(lit, []byte{'-'})
	for _, d := range digits {
		if d < '0' || d > '9' {
			return false
		}
	}
	return len(digits) == 1 || len(digits) > 1 && digits[0] != '0'
}

// appendString escapes only what RFC 8785 section 3.2.2.2 escapes.
func appendString(out []byte, s string) []byte {
	const hexdigits = "0123456789abcdef"
	out = append(out, '"')
	from := 0
	for i := range len(s) {
		b := s[i]
		if b >= ' ' && b != '"' && b != '\\' {
			continue
		}
		out = append(out, s[from:i]...)
		from = i + 1
		switch b {
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
			out = append(out, `\u00`...)
			out = append(out, hexdigits[b>>4], hexdigits[b&15])
		}
	}
	return append(append(out, s[from:]...), '"')
}
