package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"corridor"
)

// csvSource reads RFC 4180 rows, with any one-byte delimiter, in blocks. Values
// are spans of the block: nothing is allocated per row or value. A row that is
// cut by the end of a block is carried over and parsed again from its start.
type csvSource struct {
	r         io.Reader
	name      string
	tab       [256]uint16
	delim     byte
	eol       byte
	maxField  int
	maxRecord int
	maxCols   int
	block     int

	names  []string
	width  int   // values in every row; 0 until the first row
	skip   bool  // the first row is a header
	row    int64 // rows begun so far, the header and blank lines included
	bare   int64 // values with a quote in the middle, taken as they are
	carry  []byte
	eof    bool
	failed error // found after rows that are still to be delivered
}

func newCSV(r io.Reader, name string, l csvLayout, o Options) *csvSource {
	s := &csvSource{r: r, name: name, delim: l.delim, eol: l.eol, maxField: o.MaxField, maxRecord: o.MaxRecord, maxCols: o.MaxColumns,
		block: o.blockSize, names: l.names, skip: l.header, width: len(l.names)}
	s.tab = charClass()
	for _, b := range []byte{l.delim, l.eol, '\r', '"', 0} {
		s.tab[b] |= isSpecial
	}
	return s
}

func (s *csvSource) columns() []string { return s.names }

const fixQuote = "close the quote, or double the quotes inside the value"

// errMore says that a row goes on beyond the bytes at hand.
var errMore = errors.New("row continues in the next block")

func (s *csvSource) next(b *batch) error {
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
		pos, err := s.parse(b)
		if err != nil {
			if len(b.rows) == 0 {
				return err
			}
			s.failed = err
			return nil
		}
		if len(b.rows) > 0 || s.eof {
			s.carry = append(s.carry, b.data[pos:]...)
			b.width = s.width // close refuses any other
			if len(b.rows) == 0 {
				return io.EOF
			}
			return nil
		}
		b.data = append(b.data[:0], b.data[pos:]...)
		if len(b.data) > s.maxRecord {
			return s.bad(s.row+1, "check for a quote that is never closed, or for a file that is not CSV", "a row is longer than %d bytes", s.maxRecord)
		}
		want = 2 * max(len(b.data), s.block)
	}
}

// fill reads until the batch holds want bytes or the input ends.
func (s *csvSource) fill(b *batch, want int) error {
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

// parse appends all whole rows of the batch's data and says where they end.
func (s *csvSource) parse(b *batch) (int, error) {
	pos := 0
	for pos < len(b.data) {
		if n := s.blank(b.data, pos); n > 0 {
			pos += n
			s.row++
			continue
		}
		first := len(b.cells)
		next, err := s.record(b, pos)
		if err == errMore {
			b.cells = b.cells[:first]
			return pos, nil
		}
		if err != nil {
			return pos, err
		}
		if s.row++; s.skip {
			s.skip = false
			b.cells = b.cells[:first]
		} else if err := s.close(b, first); err != nil {
			return pos, err
		}
		pos = next
	}
	return pos, nil
}

// blank gives the length of an empty line at pos. A carriage return at the
// very end of a block is not yet known to be one.
func (s *csvSource) blank(data []byte, pos int) int {
	switch {
	case data[pos] == s.eol:
		return 1
	case data[pos] == '\r' && pos+1 < len(data) && data[pos+1] == '\n':
		return 2
	}
	return 0
}

// record parses one row that begins at pos; next is where the following begins.
func (s *csvSource) record(b *batch, pos int) (next int, err error) {
	for col := uint32(0); ; col++ {
		c := cell{col: col}
		if pos < len(b.data) && b.data[pos] == '"' {
			pos, err = s.quoted(b.data, pos+1, &c)
		} else {
			pos, err = s.plain(b.data, pos, &c)
		}
		if err != nil {
			return pos, err
		}
		if int(c.n) > s.maxField {
			return pos, s.bad(s.row+1, "check for a quote that is never closed", "a value is longer than %d bytes", s.maxField)
		}
		b.cells = append(b.cells, c)
		if int(col) >= s.maxCols {
			return pos, s.bad(s.row+1, "check the delimiter, or that the file is CSV", "more than %d columns", s.maxCols)
		}
		if pos >= len(b.data) { // end of input: plain and quoted wait for more otherwise
			return pos, nil
		}
		switch b.data[pos] {
		case s.delim:
			pos++
		case '\r':
			if s.eol == '\r' {
				return pos + 1, nil
			}
			return min(pos+2, len(b.data)), nil
		default:
			return pos + 1, nil
		}
	}
}

// plain reads a value without quotes around it up to what ends it.
func (s *csvSource) plain(data []byte, pos int, c *cell) (int, error) {
	begin, mask := pos, uint16(0)
	for {
		for pos < len(data) {
			f := s.tab[data[pos]]
			if f&isSpecial != 0 {
				break
			}
			mask |= f
			pos++
		}
		if pos == len(data) && !s.eof {
			return pos, errMore
		}
		if pos < len(data) {
			if data[pos] == 0 {
				return pos, s.nul()
			}
			ends, err := s.endsValue(data, pos)
			if err != nil {
				return pos, err
			}
			if !ends {
				if data[pos] == '"' {
					s.bare++
				}
				mask |= s.tab[data[pos]] &^ isSpecial
				pos++
				continue
			}
		}
		c.off, c.n, c.mask = uint32(begin), uint32(pos-begin), mask
		return pos, nil
	}
}

// endsValue says whether the special byte at pos ends a value.
func (s *csvSource) endsValue(data []byte, pos int) (bool, error) {
	switch data[pos] {
	case s.delim, s.eol:
		return true, nil
	case '\r':
		if pos+1 < len(data) {
			return data[pos+1] == '\n', nil
		}
		if !s.eof {
			return false, errMore
		}
	}
	return false, nil
}

// quoted reads a value whose opening quote is just before pos.
func (s *csvSource) quoted(data []byte, pos int, c *cell) (int, error) {
	begin, mask := pos, uint16(0)
	for {
		for pos < len(data) && data[pos] != '"' {
			if data[pos] == 0 {
				return pos, s.nul()
			}
			mask |= s.tab[data[pos]]
			pos++
		}
		if pos-begin > s.maxField {
			return pos, s.bad(s.row+1, fixQuote, "a quote that opens in this row is not closed within %d bytes", s.maxField)
		}
		if pos+1 >= len(data) && !s.eof {
			return pos, errMore
		}
		if pos >= len(data) {
			return pos, s.bad(s.row+1, fixQuote, "a quote that opens in this row is never closed")
		}
		if pos+1 < len(data) && data[pos+1] == '"' {
			c.quoted = true
			mask |= isOther
			pos += 2
			continue
		}
		c.off, c.n, c.mask = uint32(begin), uint32(pos-begin), mask&^isSpecial
		return s.afterQuote(data, pos+1)
	}
}

// afterQuote checks that nothing but an end follows a closing quote.
func (s *csvSource) afterQuote(data []byte, pos int) (int, error) {
	if pos >= len(data) {
		return pos, nil
	}
	ends, err := s.endsValue(data, pos)
	if err != nil {
		return pos, err
	}
	if !ends && !(data[pos] == '\r' && pos+1 == len(data)) {
		return pos, s.bad(s.row+1, fixQuote, "text follows a closing quote, against RFC 4180 section 2")
	}
	return pos, nil
}

// close finishes the row whose cells begin at first.
func (s *csvSource) close(b *batch, first int) error {
	cells := b.cells[first:]
	if s.width == 0 {
		s.width = len(cells)
	}
	if len(cells) != s.width {
		return s.ragged(s.row, len(cells))
	}
	for i := range cells {
		if cells[i].quoted {
			unquote(b.data, &cells[i])
		}
	}
	b.endRow(s.row)
	return nil
}

// unquote undoes doubled quotes in place.
func unquote(data []byte, c *cell) {
	v := data[c.off : c.off+c.n]
	w := 0
	for i := 0; i < len(v); i++ {
		v[w] = v[i]
		w++
		if v[i] == '"' {
			i++ // its double
		}
	}
	c.n, c.quoted = uint32(w), false
}

func (s *csvSource) ragged(row int64, got int) error {
	fix := "complete the row, or put quotes around values that contain a line break"
	if got > s.width {
		fix = fmt.Sprintf("put quotes around values that contain %s, or name the delimiter", delimiterName(s.delim))
	}
	return s.bad(row, fix, "%d values where the first row has %d", got, s.width)
}

func (s *csvSource) nul() error {
	return s.bad(s.row+1, "this is not a text file, or it is damaged: export it again as CSV in UTF-8", "contains a NUL byte")
}

func (s *csvSource) bad(row int64, fix, format string, args ...any) error {
	return badRow(s.name, row, fix, format, args...)
}

// badRow is a refusal of one row of a file.
func badRow(name string, row int64, fix, format string, args ...any) error {
	return &corridor.Error{Kind: corridor.Invalid, Where: fmt.Sprintf("%s:row %d", name, row), Msg: fmt.Sprintf(format, args...), Fix: fix}
}

func delimiterName(b byte) string {
	if b == '\t' {
		return "tabs"
	}
	return "“" + string(rune(b)) + "”"
}

// firstRows parses up to n rows from the beginning of a file, for sniffing.
func firstRows(sample []byte, whole bool, l csvLayout, n int) ([][]string, error) {
	s := newCSV(bytes.NewReader(nil), "", csvLayout{delim: l.delim, eol: l.eol}, Options{tables: &tables{}}.withDefaults())
	s.eof = whole
	b := &batch{data: bytes.Clone(sample)}
	var out [][]string
	pos := 0
	for pos < len(b.data) && len(out) < n {
		if k := s.blank(b.data, pos); k > 0 {
			pos += k
			continue
		}
		b.cells = b.cells[:0]
		next, err := s.record(b, pos)
		if err == errMore {
			break
		}
		if err != nil {
			return out, err
		}
		row := make([]string, len(b.cells))
		for i := range b.cells {
			if b.cells[i].quoted {
				unquote(b.data, &b.cells[i])
			}
			row[i] = string(b.value(&b.cells[i]))
		}
		out = append(out, row)
		pos = next
	}
	return out, nil
}
