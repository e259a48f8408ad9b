package plane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"

	"corridor"
)

// RowFunc appends to dst what is to be known of one row. The values stand in
// the order of the columns that were asked for, nil where the row has none;
// they are valid until it returns.
type RowFunc func(dst []byte, values [][]byte) []byte

// EachRow reads some columns of every row and writes what a RowFunc makes of
// them, in the order of the file. Of the plan only format and delimiter
// count: the rows are those of the source, before any stage. Several
// goroutines read; each has a RowFunc of its own from worker.
func EachRow(ctx context.Context, src Content, plan Plan, columns []string, worker func() RowFunc, w io.Writer) (rows int64, err error) {
	probe := Plan{Format: plan.Format, Delimiter: plan.Delimiter, Stages: []Stage{{Do: Mask, Columns: columns, Param: "keep:1,0"}}}
	if err := probe.Validate(); err != nil {
		return 0, err
	}
	p, err := prepareRows(ctx, src, probe, nil)
	if err != nil {
		return 0, err
	}
	out := newSink(w)
	switch q := p.(type) {
	case *parquetProgram:
		err = q.pick(ctx, columns, worker(), out)
	case *textProgram:
		switch c := q.codec.(type) {
		case *csvCodec:
			q.codec = &csvPicker{c, columns, worker}
		case *jsonlCodec:
			q.codec = &jsonlPicker{c, columns, worker}
		}
		q.head = nil
		err = q.run(ctx, point{}, out)
	}
	if err == nil {
		err = src.Check()
	}
	return out.rows, err
}

// places gives for each column of the file its place in what is asked for, or
// -1.
func places(names, columns []string) []int {
	out := make([]int, len(names))
	for i, n := range names {
		out[i] = slices.Index(columns, n)
	}
	return out
}

// csvPicker cuts a file as its codec does, and reads instead of transforming.
type csvPicker struct {
	*csvCodec
	columns []string
	make    func() RowFunc
}

func (c *csvPicker) worker() rowWorker {
	return &csvPickWorker{place: places(c.names, c.columns), values: make([][]byte, len(c.columns)), fields: newFields(c.delim), do: c.make()}
}

type csvPickWorker struct {
	place  []int
	values [][]byte
	fields *fields
	do     RowFunc
	arena  []byte // values with doubled quotes, of the row at hand
}

func (w *csvPickWorker) transform(dst, in []byte) (out []byte, rows, lines int64, err error) {
	bad := badByte(in)
	for pos := 0; pos < len(in); {
		start := pos
		if n := blank(in[pos:]); n > 0 && len(w.place) > 1 {
			pos += n
			lines++
			continue
		}
		pos, err = w.row(in, pos)
		switch {
		case err != nil:
		case bad >= start && bad < pos:
			err = badText()
		case pos-start > MaxRow:
			err = tooLong()
		}
		if err != nil {
			return dst, rows, lines, asRowError(err)
		}
		dst = w.do(dst, w.values)
		rows++
		lines++
	}
	return dst, rows, lines, nil
}

func (w *csvPickWorker) row(in []byte, pos int) (next int, err error) {
	w.arena = w.arena[:0]
	for col := 0; ; col++ {
		if col == len(w.place) {
			return pos, ragged("the row has more values than the header has columns")
		}
		f, err := w.fields.next(in, pos)
		if err != nil {
			return pos, err
		}
		if k := w.place[col]; k >= 0 {
			v := w.fields.value(in, f)
			if f.doubled { // lies in a buffer that the next one uses
				w.arena = append(w.arena, v...)
				v = w.arena[len(w.arena)-len(v):]
			}
			w.values[k] = v
		}
		pos = f.next
		if !f.last {
			continue
		}
		if col+1 != len(w.place) {
			return pos, ragged("the row has fewer values than the header has columns")
		}
		return pos, nil
	}
}

// jsonlPicker does the same for JSON Lines.
type jsonlPicker struct {
	*jsonlCodec
	columns []string
	make    func() RowFunc
}

func (c *jsonlPicker) worker() rowWorker {
	w := &jsonlPickWorker{index: map[string]int{}, values: make([][]byte, len(c.columns)), text: make([][]byte, len(c.columns)), do: c.make()}
	for i, n := range c.columns {
		w.index[n] = i
	}
	return w
}

type jsonlPickWorker struct {
	index  map[string]int
	values [][]byte
	text   [][]byte // by column: room for an unquoted value
	key    []byte
	do     RowFunc
}

func (w *jsonlPickWorker) transform(dst, in []byte) (out []byte, rows, lines int64, err error) {
	bad := badByte(in)
	for pos := 0; pos < len(in); {
		start := pos
		end := bytes.IndexByte(in[pos:], '\n')
		if end < 0 {
			end = len(in) - pos
		}
		line := in[pos : pos+end]
		pos = min(pos+end+1, len(in))
		if len(trimJSON(line)) == 0 {
			lines++
			continue
		}
		switch {
		case bad >= start && bad < pos:
			err = badText()
		case len(line) > MaxRow:
			err = tooLong()
		default:
			err = w.object(line)
		}
		if err != nil {
			return dst, rows, lines, asRowError(err)
		}
		dst = w.do(dst, w.values)
		rows++
		lines++
	}
	return dst, rows, lines, nil
}

func (w *jsonlPickWorker) object(line []byte) error {
	clear(w.values)
	return eachMember(line, func(m member) (err error) {
		name := m.key[1 : len(m.key)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			if w.key, err = unquoteJSON(w.key[:0], m.key); err != nil {
				return err
			}
			name = w.key
		}
		i, ok := w.index[string(name)]
		switch {
		case !ok, m.value[0] == 'n':
		case w.values[i] != nil:
			return memberTwice(string(name))
		case m.value[0] == '"':
			if w.text[i], err = unquoteJSON(w.text[i][:0], m.value); err != nil {
				return err
			}
			w.values[i] = w.text[i]
			if w.values[i] == nil { // "": a value, though empty
				w.values[i] = []byte{}
			}
		default:
			w.values[i] = m.value
		}
		return nil
	})
}

// pick reads rows of a Parquet file. Columns are leaves that hold one value
// to a row.
func (q *parquetProgram) pick(ctx context.Context, columns []string, do RowFunc, out *sink) (err error) {
	defer guard(&err)
	place := make([]int, len(q.leaves))
	for i, l := range q.leaves {
		place[i] = slices.Index(columns, l.name)
	}
	for _, c := range columns {
		i := slices.IndexFunc(q.leaves, func(l leaf) bool { return l.name == c })
		if i < 0 {
			return corridor.E(corridor.Invalid, "column %q is a group of columns: name one of them, such as %q", clip(c), clip(c)+".id")
		}
		if q.leaves[i].write == nil {
			return corridor.E(corridor.Invalid, "values of column %q have no text", clip(c))
		}
	}
	p := &parquetPicker{q: q, place: place, values: make([][]byte, len(columns)), text: make([][]byte, len(columns)), columns: columns, do: do}
	for _, g := range q.file.RowGroups() {
		if err := p.group(ctx, g, out); err != nil {
			return err
		}
	}
	return nil
}

type parquetPicker struct {
	q       *parquetProgram
	columns []string
	place   []int
	values  [][]byte
	text    [][]byte
	do      RowFunc
	buf     []byte
	read    int64
}

func (p *parquetPicker) group(ctx context.Context, g parquet.RowGroup, out *sink) error {
	rows := g.Rows()
	defer rows.Close()
	buf := make([]parquet.Row, batchRows)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := rows.ReadRows(buf)
		p.buf = p.buf[:0]
		for _, r := range buf[:n] {
			p.read++
			if err := p.row(r); err != nil {
				return (&rowError{err: err}).at(p.read)
			}
			p.buf = p.do(p.buf, p.values)
		}
		if err := out.write(p.buf, int64(n)); err != nil {
			return err
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return wrapParquet(err)
		case n == 0:
			return badParquet(errors.New("a row group is shorter than it says"))
		}
	}
}

func (p *parquetPicker) row(r parquet.Row) (err error) {
	clear(p.values)
	for _, v := range r {
		i := v.Column()
		if i < 0 || i >= len(p.place) {
			return badParquet(errors.New("a value belongs to no column"))
		}
		k := p.place[i]
		switch {
		case k < 0 || v.IsNull():
			continue
		case v.RepetitionLevel() > 0 || p.values[k] != nil:
			return fmt.Errorf("column %q holds several values in a row", clip(p.columns[k]))
		}
		if p.text[k], err = p.q.leaves[i].text(p.text[k][:0], v); err != nil {
			return err
		}
		if p.values[k] = p.text[k]; p.values[k] == nil {
			p.values[k] = []byte{}
		}
	}
	return nil
}
