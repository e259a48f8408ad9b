package plane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"corridor"
)

// The outcome's row groups are cut by size, whatever the source's are, so
// that the writer never holds more than this.
const (
	groupBytes = 16 << 20 // values of one row group of the outcome
	groupRows  = 1 << 20
	batchRows  = 256
	maxFooter  = 64 << 20
)

// parquetProgram rewrites a Parquet file row by row. Columns are leaves, named
// by their path ("address.city"); the name of a group stands for all leaves
// in it. A transformed column becomes a string, unless its operations turn
// numbers into numbers. Metadata that the source's writer left is not copied:
// it can quote values.
type parquetProgram struct {
	file   *parquet.File
	cells  []cell // by leaf of the source
	leaves []leaf
	schema *parquet.Schema
	names  []string
}

func prepareParquet(src Content, plan Plan, key []byte) (p program, err error) {
	defer guard(&err)
	if err := checkFooter(src); err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(src, src.Size(), &parquet.FileConfig{SkipPageIndex: true, SkipBloomFilters: true, ReadBufferSize: 64 << 10, ReadMode: parquet.ReadModeSync})
	if err != nil {
		return nil, badParquet(err)
	}
	if err := checkChunks(f, src.Size()); err != nil {
		return nil, err
	}
	q := &parquetProgram{file: f}
	collect(f.Root(), func(c *parquet.Column) { q.leaves = append(q.leaves, leafOf(c)) })
	if len(q.leaves) > MaxColumns {
		return nil, corridor.E(corridor.Limited, "the file has more than %d columns", MaxColumns)
	}
	names := make([]string, len(q.leaves))
	for i, l := range q.leaves {
		names[i] = l.name
	}
	if q.cells, err = bind(widen(plan, names), names, key); err != nil {
		return nil, err
	}
	out := 0
	for i := range q.leaves {
		if err := q.leaves[i].settle(&q.cells[i]); err != nil {
			return nil, err
		}
		if q.leaves[i].out = out; !q.cells[i].drop {
			out++
		}
	}
	index := 0
	root := q.shape(f.Root(), &index)
	q.schema = parquet.NewSchema(f.Root().Name(), root)
	q.names = kept(q.cells)
	return q, nil
}

// guard turns a panic of the decoder into a refusal: it is foreign code fed
// with foreign bytes.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = badParquet(fmt.Errorf("the decoder failed: %v", p))
	}
}

func badParquet(err error) error {
	return &corridor.Error{Kind: corridor.Invalid, Msg: "the file is not readable as Parquet", Fix: "export it again; it is damaged or was cut", Err: err}
}

func checkFooter(src Content) error {
	var tail [8]byte
	if src.Size() < 12 {
		return badParquet(errors.New("it is too short"))
	}
	if _, err := readAt(src, tail[:], src.Size()-8); err != nil {
		return err
	}
	n := int64(tail[0]) | int64(tail[1])<<8 | int64(tail[2])<<16 | int64(tail[3])<<24
	if string(tail[4:]) != "PAR1" || n > src.Size()-12 || n > maxFooter {
		return badParquet(errors.New("it has no index at its end, or one larger than it can be"))
	}
	return nil
}

// checkChunks bounds what the index claims.
func checkChunks(f *parquet.File, size int64) error {
	for _, g := range f.Metadata().RowGroups {
		for _, c := range g.Columns {
			if m := c.MetaData; m.TotalCompressedSize < 0 || m.TotalCompressedSize > size || m.DataPageOffset < 0 || m.DataPageOffset > size || m.NumValues < 0 {
				return badParquet(errors.New("the index names parts outside the file"))
			}
		}
	}
	return nil
}

func collect(c *parquet.Column, leaf func(*parquet.Column)) {
	if c.Leaf() {
		leaf(c)
		return
	}
	for _, child := range c.Columns() {
		collect(child, leaf)
	}
}

// widen puts the leaves of a group in the place of its name.
func widen(plan Plan, names []string) Plan {
	out := plan
	out.Stages = slices.Clone(plan.Stages)
	for i, s := range out.Stages {
		var columns []string
		for _, c := range s.Columns {
			before := len(columns)
			for _, n := range names {
				if strings.HasPrefix(n, c+".") && !slices.Contains(names, c) {
					columns = append(columns, n)
				}
			}
			if len(columns) == before {
				columns = append(columns, c)
			}
		}
		out.Stages[i].Columns = columns
	}
	return out
}

// shape gives the schema of the outcome: fields in the order of the source,
// without dropped leaves and the groups that they leave empty.
func (q *parquetProgram) shape(c *parquet.Column, index *int) parquet.Field {
	if c.Leaf() {
		i := *index
		*index++
		switch {
		case q.cells[i].drop:
			return nil
		case len(q.cells[i].ops) > 0 && !q.leaves[i].number:
			return &leafField{Node: textNode(c), field: c}
		}
		return c
	}
	g := &groupField{Field: c}
	for _, child := range c.Columns() {
		if f := q.shape(child, index); f != nil {
			g.fields = append(g.fields, f)
		}
	}
	if len(g.fields) == 0 {
		return nil
	}
	return g
}

// groupField is a group of the source with fewer or other fields.
type groupField struct {
	parquet.Field
	fields []parquet.Field
}

// Fields implements parquet.Node.
func (g *groupField) Fields() []parquet.Field { return g.fields }

// leafField is a leaf of the source with another type.
type leafField struct {
	parquet.Node
	field *parquet.Column
}

func (l *leafField) Name() string { return l.field.Name() }

func textNode(c *parquet.Column) parquet.Node {
	n := parquet.FieldID(parquet.String(), c.ID())
	if codec := c.Compression(); codec != nil {
		n = parquet.Compressed(n, codec)
	}
	switch {
	case c.Optional():
		return parquet.Optional(n)
	case c.Repeated():
		return parquet.Repeated(n)
	}
	return n
}

func (q *parquetProgram) columns() []string { return q.names }

// run always starts from the beginning: a Parquet file cannot be written from
// the middle on. The sink throws away what was sent before.
func (q *parquetProgram) run(ctx context.Context, _ point, out *sink) (err error) {
	defer guard(&err)
	w := &parquetWriter{q: q, out: out, row: make([]parquet.Row, 0, batchRows), w: parquet.NewGenericWriter[any](out, &parquet.WriterConfig{
		CreatedBy: "corridor", Schema: q.schema, ColumnPageBuffers: parquet.NewBufferPool(), WriteBufferSize: 64 << 10, PageBufferSize: 256 << 10,
		DataPageVersion: 2, DictionaryMaxBytes: 1 << 20, MaxRowsPerRowGroup: groupRows, DataPageStatistics: true,
	})}
	for _, g := range q.file.RowGroups() {
		if err := w.group(ctx, g); err != nil {
			return err
		}
	}
	return wrapParquet(w.w.Close())
}

// wrapParquet keeps our own errors, which come back through the library.
func wrapParquet(err error) error {
	var c *corridor.Error
	var w *writeError
	if err == nil || errors.As(err, &c) || errors.As(err, &w) {
		return err
	}
	return badParquet(err)
}

// parquetWriter carries rows from the source's groups to the outcome's.
type parquetWriter struct {
	q     *parquetProgram
	out   *sink
	w     *parquet.GenericWriter[any]
	row   []parquet.Row // one batch of the outcome
	vals  []parquet.Value
	text  []byte // the bytes of its values
	read  int64  // rows of the source so far
	bytes int64  // values in the open row group
	rows  int64
	one   []byte
	pad   [2][]byte
}

func (w *parquetWriter) group(ctx context.Context, g parquet.RowGroup) error {
	rows := g.Rows()
	defer rows.Close()
	buf := make([]parquet.Row, batchRows)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := rows.ReadRows(buf)
		if n > 0 {
			if err := w.batch(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return wrapParquet(err)
		}
		if n == 0 {
			return badParquet(errors.New("a row group is shorter than it says"))
		}
	}
}

// batch transforms some rows and writes them. The writer copies the values, so
// the buffers are free again afterwards.
func (w *parquetWriter) batch(rows []parquet.Row) error {
	w.row, w.vals, w.text = w.row[:0], w.vals[:0], w.text[:0]
	for _, r := range rows {
		w.read++
		from := len(w.vals)
		for _, v := range r {
			if err := w.value(v); err != nil {
				var e *rowError
				if errors.As(err, &e) {
					return e.at(w.read)
				}
				return err
			}
		}
		w.row = append(w.row, parquet.Row(w.vals[from:len(w.vals):len(w.vals)]))
	}
	if err := w.out.write(nil, int64(len(w.row))); err != nil {
		return err
	}
	if n, err := w.w.WriteRows(w.row); err != nil || n != len(w.row) {
		return wrapParquet(err)
	}
	if w.rows += int64(len(w.row)); w.bytes < groupBytes && w.rows < groupRows-batchRows {
		return nil
	}
	w.rows, w.bytes = 0, 0
	return wrapParquet(w.w.Flush())
}

func (w *parquetWriter) value(v parquet.Value) error {
	i := v.Column()
	if i < 0 || i >= len(w.q.cells) {
		return badParquet(errors.New("a value belongs to no column"))
	}
	c, l := &w.q.cells[i], &w.q.leaves[i]
	if c.drop {
		return nil
	}
	if len(c.ops) > 0 && !v.IsNull() {
		var err error
		if w.one, err = l.text(w.one[:0], v); err != nil {
			return &rowError{column: c.name, err: err}
		}
		at := len(w.text)
		if w.text, err = c.apply(w.text, w.one, &w.pad); err != nil {
			return err
		}
		out, err := l.back(w.text[at:len(w.text):len(w.text)])
		if err != nil {
			return &rowError{column: c.name, err: err}
		}
		v = out.Level(v.RepetitionLevel(), v.DefinitionLevel(), i)
	}
	w.bytes += 8
	if k := v.Kind(); k == parquet.ByteArray || k == parquet.FixedLenByteArray {
		w.bytes += int64(len(v.ByteArray()))
	}
	w.vals = append(w.vals, v.Level(v.RepetitionLevel(), v.DefinitionLevel(), l.out))
	return nil
}
