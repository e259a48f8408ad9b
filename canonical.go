package corridor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var b bytes.Buffer
	b.Grow(len(raw))
	if err := writeValue(&b, dec, 0); err != nil {
		return nil, E(Invalid, "canonical JSON: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, E(Invalid, "canonical JSON: data after the value")
	}
	return b.Bytes(), nil
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

func writeValue(b *bytes.Buffer, dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	switch t := tok.(type) {
	case json.Delim:
		if t == '{' {
			return writeObject(b, dec, depth)
		}
		return writeArray(b, dec, depth)
	case string:
		writeString(b, t)
	case json.Number:
		return writeNumber(b, t)
	case bool:
		b.WriteString(strconv.FormatBool(t))
	case nil:
		b.WriteString("null")
	}
	return nil
}

func writeArray(b *bytes.Buffer, dec *json.Decoder, depth int) error {
	b.WriteByte('[')
	for first := true; dec.More(); first = false {
		if !first {
			b.WriteByte(',')
		}
		if err := writeValue(b, dec, depth+1); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	b.WriteByte(']')
	return err
}

type member struct {
	key   string
	units []uint16 // RFC 8785 section 3.2.3 sorts by UTF-16 code units
	value []byte
}

func writeObject(b *bytes.Buffer, dec *json.Decoder, depth int) error {
	var members []member
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := tok.(string)
		var v bytes.Buffer
		if err := writeValue(&v, dec, depth+1); err != nil {
			return err
		}
		members = append(members, member{key, utf16.Encode([]rune(key)), v.Bytes()})
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	slices.SortFunc(members, func(a, c member) int { return slices.Compare(a.units, c.units) })
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			if m.key == members[i-1].key {
				return fmt.Errorf("key %q occurs twice", m.key)
			}
			b.WriteByte(',')
		}
		writeString(b, m.key)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return nil
}

func writeNumber(b *bytes.Buffer, n json.Number) error {
	if strings.ContainsAny(string(n), ".eE") {
		return fmt.Errorf("number %s is not an integer", n)
	}
	v, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || v > maxSafe || v < -maxSafe {
		return fmt.Errorf("number %s is outside the exact range of JSON", n)
	}
	b.WriteString(strconv.FormatInt(v, 10))
	return nil
}

// writeString escapes only what RFC 8785 section 3.2.2.2 escapes.
func writeString(b *bytes.Buffer, s string) {
	const hexdigits = "0123456789abcdef"
	b.WriteByte('"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			if r < 0x20 {
				b.WriteString(`\u00`)
				b.WriteByte(hexdigits[r>>4])
				b.WriteByte(hexdigits[r&15])
				continue
			}
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
