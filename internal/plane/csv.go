package plane

import (
	"bytes"
	"context"
	"errors"

	"corridor"
)

// csvCodec reads RFC 4180 with any one-byte delimiter. It is strict: a quote
// in the middle of a value, a bare carriage return or a row of another width
// is refused, because two readers could cut such a row differently, and a
// value could then pass under another column's name.
type csvCodec struct {
	delim byte
	plan  Plan
	key   []byte
	names []string
}

func prepareCSV(ctx context.Context, src Content, plan Plan, key []byte) (program, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	b, mark, err := beginning(src, 64<<10)
	if err != nil {
		return nil, err
	}
	if len(b) == mark {
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "the file is empty", Fix: "publish a file with a header"}
	}
	end := headEnd(b[mark:])
	if end < 0 && int64(len(b)) < src.Size() {
		if b, _, err = beginning(src, MaxRow); err != nil {
			return nil, err
		}
		end = headEnd(b[mark:])
	}
	switch {
	case end < 0 && int64(len(b)) < src.Size():
		return nil, (&rowError{err: tooLong()}).at(1)
	case end < 0:
		end = len(b) - mark
	}
	line := b[mark : mark+end]
	if badByte(line) >= 0 {
		return nil, (&rowError{err: badText()}).at(1)
	}
	c, err := layout(line, plan, key)
	if err != nil {
		return nil, err
	}
	head, names := c.header(line)
	return &textProgram{src: src, codec: c, head: append(bytes.Clone(b[:mark]), head...), body: int64(mark + end), lines: 1, names: names}, nil
}

// headEnd gives the length of the first row with its end of line, or -1.
func headEnd(b []byte) int {
	quoted := false
	for i, c := range b {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\n' && !quoted:
			return i + 1
		}
	}
	return -1
}

// layout finds the delimiter: the one that the plan gives, or the one under
// which the header has every column that the stages name. If several do, the
// header with the most columns is taken.
func layout(line []byte, plan Plan, key []byte) (*csvCodec, error) {
	try := delimiters()
	if plan.Delimiter != "" {
		try = []string{plan.Delimiter}
	}
	var best *csvCodec
	var refused error
	widest := 0
	for _, d := range try {
		names, err := headerNames(line, d[0])
		if err == nil {
			_, err = bind(plan, names, key)
		}
		// The refusal that is told is that of the likeliest delimiter.
		if err != nil {
			if refused == nil || len(names) > widest {
				refused, widest = err, len(names)
			}
			continue
		}
		if best == nil || len(names) > len(best.names) {
			best = &csvCodec{delim: d[0], plan: plan, key: key, names: names}
		}
	}
	if best == nil {
		return nil, refused
	}
	return best, nil
}

// headerNames reads the values of the first row.
func headerNames(line []byte, delim byte) ([]string, error) {
	s := newFields(delim)
	var names []string
	for pos := 0; ; {
		f, err := s.next(line, pos)
		if err != nil {
			return names, (&rowError{err: err}).at(1)
		}
		names = append(names, string(s.value(line, f)))
		if len(names) > MaxColumns {
			return names, corridor.E(corridor.Limited, "the file has more than %d columns", MaxColumns)
		}
		if f.last {
			return names, nil
		}
		pos = f.next
	}
}

// header writes the first row without the columns that are dropped.
func (c *csvCodec) header(line []byte) ([]byte, []string) {
	cells, err := bind(c.plan, c.names, c.key)
	if err != nil {
		return nil, nil // layout has bound the same names before
	}
	s := newFields(c.delim)
	var out []byte
	first := true
	for pos, col := 0, 0; ; col++ {
		f, err := s.next(line, pos)
		if err != nil {
			return nil, nil
		}
		if !cells[col].drop {
			if !first {
				out = append(out, c.delim)
			}
			out, first = append(out, line[pos:f.end]...), false
		}
		if f.last {
			if len(out) == 0 {
				out = append(out, `""`...) // an empty line would be no header
			}
			return append(out, line[f.end:f.next]...), kept(cells)
		}
		pos = f.next
	}
}

// split counts quotes: a row ends at a line end before which they are even.
// That is true of every row that the worker accepts; of what it refuses,
// where the piece ends does not matter.
func (c *csvCodec) split(b []byte) int {
	quotes := bytes.Count(b, []byte{'"'})
	for end := len(b); ; {
		p := bytes.LastIndexByte(b[:end], '\n')
		if p < 0 {
			return 0
		}
		quotes -= bytes.Count(b[p+1:end], []byte{'"'})
		if quotes%2 == 0 {
			return p + 1
		}
		end = p
	}
}

func (c *csvCodec) worker() rowWorker {
	cells, err := bind(c.plan, c.names, c.key)
	w := &csvWorker{delim: c.delim, cells: cells, err: err, fields: newFields(c.delim)}
	w.single = len(kept(cells)) == 1
	return w
}

// csvWorker transforms rows. Runs of columns that stay as they are are copied
// as they stand, quotes included.
type csvWorker struct {
	delim   byte
	cells   []cell
	single  bool // the outcome has one column
	err     error
	fields  *fields
	scratch [2][]byte
	quote   []byte
}

func (w *csvWorker) transform(dst, in []byte) (out []byte, rows, lines int64, err error) {
	if w.err != nil {
		return dst, 0, 0, w.err
	}
	bad := badByte(in)
	for pos := 0; pos < len(in); {
		start, mark := pos, len(dst)
		if n := blank(in[pos:]); n > 0 && len(w.cells) > 1 {
			pos += n
			lines++
			continue
		}
		dst, pos, err = w.row(dst, in, pos)
		switch {
		case err != nil:
		case bad >= start && bad < pos:
			err = badText()
		case pos-start > MaxRow:
			err = tooLong()
		}
		if err != nil {
			return dst[:mark], rows, lines, asRowError(err)
		}
		rows++
		lines++
	}
	return dst, rows, lines, nil
}

func asRowError(err error) error {
	var e *rowError
	if errors.As(err, &e) {
		return err
	}
	return &rowError{err: err}
}

func blank(b []byte) int {
	switch {
	case b[0] == '\n':
		return 1
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return 0
}

// row appends the outcome of the row at pos; next is where the one after it
// begins.
func (w *csvWorker) row(dst, in []byte, pos int) (out []byte, next int, err error) {
	begin := len(dst)
	span := -1 // where a run of columns that stay begins, or -1
	wrote := false
	for col := 0; ; col++ {
		if col == len(w.cells) {
			return dst, pos, ragged("the row has more values than the header has columns")
		}
		f, err := w.fields.next(in, pos)
		if err != nil {
			return dst, pos, err
		}
		c := &w.cells[col]
		if span < 0 && !c.drop {
			if wrote {
				dst = append(dst, w.delim)
			}
			wrote, span = true, pos
		}
		if c.drop || len(c.ops) > 0 {
			dst, span, err = w.change(dst, in, f, c, span, pos)
			if err != nil {
				return dst, pos, err
			}
		}
		if !f.last {
			pos = f.next
			continue
		}
		if col+1 != len(w.cells) {
			return dst, pos, ragged("the row has fewer values than the header has columns")
		}
		if span >= 0 {
			dst = append(dst, in[span:f.end]...)
		}
		if w.single && len(dst) == begin {
			dst = append(dst, `""`...) // an empty line would be no row
		}
		return append(dst, in[f.end:f.next]...), f.next, nil
	}
}

func ragged(msg string) error {
	return &corridor.Error{Kind: corridor.Invalid, Msg: msg, Fix: "quote values that hold the delimiter, and write every row in full"}
}

// change ends the run of columns that stay and writes the transformed value,
// or nothing for a column that is dropped.
func (w *csvWorker) change(dst, in []byte, f field, c *cell, span, pos int) ([]byte, int, error) {
	if span >= 0 && span < pos {
		run := in[span:pos] // ends with the delimiter before this column
		if c.drop {
			run = run[:len(run)-1]
		}
		dst = append(dst, run...)
	}
	if c.drop {
		return dst, -1, nil
	}
	at := len(dst)
	dst, err := c.apply(dst, w.fields.value(in, f), &w.scratch)
	if err != nil {
		return dst, -1, err
	}
	if v := dst[at:]; w.needsQuotes(v) {
		w.quote = append(w.quote[:0], v...)
		dst = append(dst[:at], '"')
		for _, b := range w.quote {
			if b == '"' {
				dst = append(dst, '"')
			}
			dst = append(dst, b)
		}
		dst = append(dst, '"')
	}
	return dst, -1, nil
}

func (w *csvWorker) needsQuotes(v []byte) bool {
	for _, b := range v {
		if w.fields.special[b] {
			return true
		}
	}
	return false
}

// fields takes rows apart.
type fields struct {
	delim   byte
	special [256]bool
	plain   []byte // the value of a field with doubled quotes
}

// field is one value in its row: what stands at [start of field, end), and
// where the next one begins.
type field struct {
	from, to int // the value without its quotes
	end      int // behind the field, before the delimiter or line end
	next     int
	doubled  bool // it holds doubled quotes
	last     bool // it ends its row
}

func newFields(delim byte) *fields {
	s := &fields{delim: delim}
	for _, b := range []byte{delim, '\n', '\r', '"'} {
		s.special[b] = true
	}
	return s
}

var (
	errQuote = &corridor.Error{Kind: corridor.Invalid, Msg: "a quote stands in the middle of a value", Fix: "put the value in quotes and double those inside it"}
	errOpen  = &corridor.Error{Kind: corridor.Invalid, Msg: "a quote is never closed", Fix: "close the quote, or double those inside the value"}
	errCR    = &corridor.Error{Kind: corridor.Invalid, Msg: "a carriage return stands alone", Fix: "end lines with LF or CRLF"}
)

// next reads the field at pos.
func (s *fields) next(b []byte, pos int) (field, error) {
	if pos < len(b) && b[pos] == '"' {
		return s.quoted(b, pos)
	}
	i := pos
	for i < len(b) && !s.special[b[i]] {
		i++
	}
	if i < len(b) && b[i] == '"' {
		return field{}, errQuote
	}
	f := field{from: pos, to: i, end: i}
	return f, s.close(b, &f)
}

func (s *fields) quoted(b []byte, pos int) (field, error) {
	f := field{from: pos + 1}
	for i := pos + 1; ; i += 2 {
		k := bytes.IndexByte(b[i:], '"')
		if k < 0 {
			return f, errOpen
		}
		if i += k; i+1 < len(b) && b[i+1] == '"' {
			f.doubled = true
			continue
		}
		f.to, f.end = i, i+1
		break
	}
	if f.end < len(b) && !s.special[b[f.end]] {
		return f, errQuote
	}
	return f, s.close(b, &f)
}

// close looks at what ends the field.
func (s *fields) close(b []byte, f *field) error {
	switch {
	case f.end == len(b):
		f.next, f.last = f.end, true
	case b[f.end] == s.delim:
		f.next = f.end + 1
	case b[f.end] == '\n':
		f.next, f.last = f.end+1, true
	case f.end+1 < len(b) && b[f.end+1] == '\n':
		f.next, f.last = f.end+2, true
	default:
		return errCR
	}
	return nil
}

// value gives the text of a field. It is valid until the next call.
func (s *fields) value(b []byte, f field) []byte {
	if !f.doubled {
		return b[f.from:f.to]
	}
	s.plain = s.plain[:0]
	for i := f.from; i < f.to; i++ {
		s.plain = append(s.plain, b[i])
		if b[i] == '"' {
			i++
		}
	}
	return s.plain
}
