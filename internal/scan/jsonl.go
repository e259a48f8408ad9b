package scan

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonlSource reads JSON Lines: one object in every line. Nested objects
// become columns by path (owner.phone), lists share one column (tags[]).
type jsonlSource struct {
	r         io.Reader
	name      string
	tab       [256]uint16
	maxField  int
	maxRecord int
	maxCols   int
	block     int

	line   int64
	carry  []byte
	eof    bool
	failed error
	cols   map[string]int
	path   []byte

	// The line at hand.
	data []byte
	pos  int
	b    *batch
}

func newJSONL(r io.Reader, name string, o Options) *jsonlSource {
	return &jsonlSource{r: r, name: name, tab: charClass(), maxField: o.MaxField, maxRecord: o.MaxRecord, maxCols: o.MaxColumns,
		block: o.blockSize, cols: map[string]int{}}
}

// columns is empty: they appear with the rows.
func (s *jsonlSource) columns() []string { return nil }

func (s *jsonlSource) next(b *batch) error {
	if s.failed != nil {
		return s.failed
	}
	b.data = append(b.data, s.carry...)
	s.carry = s.carry[:0]
	want := max(s.block, len(b.data)+s.block/2)
	for {
		if err := s.fill(b, want); err != nil {
			return err
		}
		end := bytes.LastIndexByte(b.data, '\n') + 1
		if s.eof {
			end = len(b.data)
		}
		s.carry = append(s.carry[:0], b.data[end:]...)
		b.data = b.data[:end]
		if end > 0 {
			if err := s.lines(b); err != nil {
				if len(b.rows) == 0 {
					return err
				}
				s.failed = err
				return nil
			}
			if len(b.rows) > 0 {
				return nil
			}
		}
		if s.eof {
			return io.EOF
		}
		if len(s.carry) > s.maxRecord {
			return badRow(s.name, s.line+1, "write one object per line, for example with jq -c .", "a line is longer than %d bytes", s.maxRecord)
		}
		b.data = append(b.data[:0], s.carry...)
		want = 2 * max(len(b.data), s.block)
	}
}

func (s *jsonlSource) fill(b *batch, want int) error {
	if cap(b.data) < want {
		b.data = append(make([]byte, 0, want+want/4), b.data...)
	}
	for len(b.data) < want && !s.eof {
		n, err := s.r.Read(b.data[len(b.data):want])
		b.data = b.data[:len(b.data)+n]
		if err == io.EOF {
			s.eof = true
		} else if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
	return nil
}

// lines parses every line of the batch's data in place.
func (s *jsonlSource) lines(b *batch) error {
	s.b, s.data, s.pos = b, b.data, 0
	for s.pos < len(b.data) {
		end := bytes.IndexByte(b.data[s.pos:], '\n')
		if end < 0 {
			end = len(b.data)
		} else {
			end += s.pos
		}
		s.line++
		s.data = b.data[:end]
		if end-s.pos > s.maxRecord {
			return s.bad("write one object per line, for example with jq -c .", "a line is longer than %d bytes", s.maxRecord)
		}
		if s.space(); s.pos < end {
			if err := s.object(); err != nil {
				return err
			}
			b.endRow(s.line)
		}
		s.pos = end + 1
	}
	return nil
}

func (s *jsonlSource) bad(fix, format string, args ...any) error {
	return badRow(s.name, s.line, fix, format, args...)
}

func (s *jsonlSource) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *jsonlSource) object() error {
	if s.data[s.pos] != '{' {
		return s.bad("write one object per line: {\"name\": …}", "is not a JSON object")
	}
	s.path = s.path[:0]
	if err := s.members(0); err != nil {
		return err
	}
	if s.space(); s.pos < len(s.data) {
		return s.bad("write one object per line", "text follows the object")
	}
	return nil
}

const maxJSONDepth = 64

const fixJSON = "write one complete JSON object per line, for example with jq -c ."

// members parses an object at its opening brace.
func (s *jsonlSource) members(depth int) error {
	if depth > maxJSONDepth {
		return s.bad("flatten the objects", "nested deeper than %d levels", maxJSONDepth)
	}
	s.pos++
	for first := true; ; first = false {
		s.space()
		switch c := s.peek(); {
		case c == '}':
			s.pos++
			return nil
		case c == ',' && !first:
			s.pos++
			if s.space(); s.peek() != '"' {
				return s.bad(fixJSON, "a member name is missing")
			}
		case !first:
			return s.bad(fixJSON, "the object is not closed, or a comma is missing")
		}
		if err := s.member(depth); err != nil {
			return err
		}
	}
}

func (s *jsonlSource) member(depth int) error {
	if s.peek() != '"' {
		return s.bad(fixJSON, "a member name is missing")
	}
	key, _, err := s.str()
	if err != nil {
		return err
	}
	if s.space(); s.peek() != ':' {
		return s.bad(fixJSON, "a colon is missing after a member name")
	}
	s.pos++
	mark := len(s.path)
	if mark > 0 {
		s.path = append(s.path, '.')
	}
	if len(s.path)+len(key) > 1024 {
		return s.bad("shorten the member names", "a member path is longer than 1024 bytes")
	}
	s.path = append(s.path, key...)
	err = s.value(depth)
	s.path = s.path[:mark]
	return err
}

// peek gives the next byte, 0 at the end of the line.
func (s *jsonlSource) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *jsonlSource) value(depth int) error {
	s.space()
	switch c := s.peek(); {
	case c == '"':
		v, mask, err := s.str()
		if err != nil {
			return err
		}
		return s.cell(v, mask)
	case c == '{':
		return s.members(depth + 1)
	case c == '[':
		return s.list(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true", true)
	case c == 'f':
		return s.literal("false", true)
	case c == 'n':
		return s.literal("null", false)
	}
	return s.bad(fixJSON, "a value is missing or is not JSON")
}

func (s *jsonlSource) list(depth int) error {
	if depth > maxJSONDepth {
		return s.bad("flatten the lists", "nested deeper than %d levels", maxJSONDepth)
	}
	mark := len(s.path)
	s.path = append(s.path, "[]"...)
	defer func() { s.path = s.path[:mark] }()
	s.pos++
	if s.space(); s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.bad(fixJSON, "a list is not closed, or a comma is missing")
		}
	}
}

func (s *jsonlSource) literal(word string, keep bool) error {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return s.bad(fixJSON, "a value is not JSON")
	}
	v := s.data[s.pos : s.pos+len(word)]
	s.pos += len(word)
	if !keep {
		v = v[:0] // null: the column exists, and has no value here
	}
	return s.cell(v, isLower)
}

func (s *jsonlSource) number() error {
	begin, mask := s.pos, uint16(0)
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		if !(c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E') {
			break
		}
		mask |= s.tab[c]
		s.pos++
	}
	return s.cell(s.data[begin:s.pos], mask)
}

// cell adds a span of the line as a value of the column at the path.
func (s *jsonlSource) cell(v []byte, mask uint16) error {
	if len(v) > s.maxField {
		return s.bad("leave the value out", "a value is longer than %d bytes", s.maxField)
	}
	col, ok := s.cols[string(s.path)]
	if !ok {
		col = len(s.cols)
		if col >= s.maxCols {
			return s.bad("use lists for repeated things, not member names", "more than %d different member paths", s.maxCols)
		}
		s.cols[string(s.path)] = col
		s.b.names = append(s.b.names, tidyName(string(s.path)))
	}
	off := cap(s.b.data) - cap(v) // v is a span of the batch's data
	s.b.cells = append(s.b.cells, cell{off: uint32(off), n: uint32(len(v)), col: uint32(col), mask: mask})
	return nil
}

// str parses a string at its opening quote and undoes escapes in place.
func (s *jsonlSource) str() (v []byte, mask uint16, err error) {
	s.pos++
	begin := s.pos
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		switch {
		case c == '"':
			s.pos++
			return s.data[begin : s.pos-1], mask, nil
		case c == '\\':
			return s.escaped(begin, mask)
		case c < 0x20:
			return nil, 0, s.bad(fixJSON, "a control character stands in a string")
		}
		mask |= s.tab[c]
		s.pos++
	}
	return nil, 0, s.bad(fixJSON, "a string is not closed on its line")
}

// escaped goes on from the first backslash; what is written never overtakes
// what is read.
func (s *jsonlSource) escaped(begin int, mask uint16) ([]byte, uint16, error) {
	out := s.data[begin:s.pos]
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		switch {
		case c == '"':
			s.pos++
			for _, b := range out {
				mask |= s.tab[b]
			}
			return out, mask, nil
		case c == '\\':
			var err error
			if out, err = s.escape(out); err != nil {
				return nil, 0, err
			}
			continue
		case c < 0x20:
			return nil, 0, s.bad(fixJSON, "a control character stands in a string")
		}
		out = append(out, c)
		s.pos++
	}
	return nil, 0, s.bad(fixJSON, "a string is not closed on its line")
}

func (s *jsonlSource) escape(out []byte) ([]byte, error) {
	if s.pos+1 >= len(s.data) {
		return nil, s.bad(fixJSON, "a string is not closed on its line")
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	c := s.data[s.pos+1]
	if c == 'u' {
		r, ok := s.hex4(s.pos + 2)
		if !ok {
			return nil, s.bad(fixJSON, "\\u is not followed by four hexadecimal digits")
		}
		s.pos += 6
		if utf16.IsSurrogate(r) {
			low, ok := s.hex4(s.pos + 2)
			pair := rune(utf8.RuneError)
			if ok && s.data[s.pos] == '\\' && s.data[s.pos+1] == 'u' {
				if pair = utf16.DecodeRune(r, low); pair != utf8.RuneError {
					s.pos += 6
				}
			}
			r = pair
		}
		return utf8.AppendRune(out, r), nil
	}
	for i := range len(from) {
		if from[i] == c {
			s.pos += 2
			return append(out, to[i]), nil
		}
	}
	return nil, s.bad(fixJSON, "an unknown escape stands in a string")
}

func (s *jsonlSource) hex4(i int) (rune, bool) {
	if i+4 > len(s.data) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.data[i:i+4]), 16, 16)
	return rune(n), err == nil
}
