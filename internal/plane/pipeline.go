package plane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unicode/utf8"

	"corridor"
)

// chunkSize is how much of a text file is one piece of work.
const chunkSize = 128 << 10

const maxWorkers = 8

// rowCodec knows one text format.
type rowCodec interface {
	// split gives the length of the whole rows at the beginning of b, which
	// begins with a row.
	split(b []byte) int
	// worker makes the state that one goroutine needs.
	worker() rowWorker
}

// rowWorker transforms a piece that begins and ends between two rows.
type rowWorker interface {
	// transform appends the outcome to dst. Rows counts what it wrote, lines
	// all records that it read; with an error, lines counts the good ones.
	transform(dst, in []byte) (out []byte, rows, lines int64, err error)
}

// textProgram runs a codec over a text file: one goroutine reads and cuts at
// row ends, some transform, and the caller's writes in order.
type textProgram struct {
	src   Content
	codec rowCodec
	head  []byte // outcome before the first row
	body  int64  // offset of the first row in the source
	lines int64  // records before it
	names []string
}

func (t *textProgram) columns() []string { return t.names }

// piece is a run of whole rows on its way from reader to writer. It is owned
// by the one who holds it: reader, worker, writer, in that order.
type piece struct {
	in, out     []byte
	rows, lines int64
	end         int64 // offset in the source behind it
	err         error
	long        bool // it is one row that goes on beyond the limit
	done        chan struct{}
}

func (t *textProgram) run(ctx context.Context, from point, out *sink) error {
	if err := out.resume(from); err != nil {
		return err
	}
	at, lines := from.source, from.lines
	var head []byte
	if from.output == 0 {
		head, at, lines = t.head, t.body, t.lines
	}
	ctx, cancel := context.WithCancel(ctx)
	workers := min(runtime.GOMAXPROCS(0), maxWorkers)
	n := 2*workers + 1
	free, work, order := make(chan *piece, n), make(chan *piece, n), make(chan *piece, n)
	for range n {
		free <- &piece{done: make(chan struct{}, 1)}
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { labour(t.codec.worker(), work, out.turn) })
	}
	var readErr error // owned by the reader until order is closed
	wg.Go(func() {
		defer close(order)
		defer close(work)
		readErr = t.read(ctx, at, free, work, order)
	})
	err := deliver(ctx, head, lines, order, free, out)
	cancel()
	wg.Wait()
	if err == nil {
		err = readErr
	}
	return err
}

// labour transforms what comes. The channel's buffer holds every piece there
// is, so nobody ever waits to put one in.
func labour(w rowWorker, work <-chan *piece, turn func(func()) error) {
	for p := range work {
		err := turn(func() { p.out, p.rows, p.lines, p.err = w.transform(p.out[:0], p.in) })
		if err != nil {
			p.err = err
		}
		if p.err == nil && p.long {
			p.err = &rowError{err: tooLong()}
		}
		p.done <- struct{}{}
	}
}

func tooLong() error {
	return &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("the row is longer than %d bytes", MaxRow),
		Fix: "look for a quote that is never closed, or for a file of another format"}
}

// rowError is a fault in one row of a piece, which the writer places.
type rowError struct {
	column string
	err    error
}

func (e *rowError) Error() string { return e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }

// at puts the row into the error's message. Row 1 is the first record of the
// file: a header counts, and so does an empty line.
func (e *rowError) at(row int64) error {
	where := fmt.Sprintf("row %d", row)
	if e.column != "" {
		where += fmt.Sprintf(", column %q", clip(e.column))
	}
	var c *corridor.Error
	if !errors.As(e.err, &c) {
		return &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: e.err.Error()}
	}
	located := *c
	located.Where = where
	return &located
}

// read cuts the source into pieces that end with a row.
func (t *textProgram) read(ctx context.Context, at int64, free <-chan *piece, work, order chan<- *piece) error {
	var carry []byte
	for at < t.src.Size() || len(carry) > 0 {
		var p *piece
		select {
		case p = <-free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		p.in = append(roomy(p.in, len(carry)+chunkSize), carry...)
		cut, err := t.fill(ctx, p, &at)
		if err != nil {
			return err
		}
		carry = append(roomy(carry, len(p.in)-cut), p.in[cut:]...)
		p.in, p.end = p.in[:cut], at-int64(len(carry))
		work <- p
		order <- p
		if p.long {
			return nil
		}
	}
	return nil
}

// fill reads until the piece holds a whole row, or the source ends.
func (t *textProgram) fill(ctx context.Context, p *piece, at *int64) (cut int, err error) {
	p.long = false
	for {
		have := len(p.in)
		if cap(p.in)-have < chunkSize {
			p.in = append(make([]byte, 0, 2*cap(p.in)+chunkSize), p.in...)
		}
		n, err := readAt(t.src, p.in[have:have+chunkSize], *at)
		if err != nil {
			return 0, err
		}
		p.in, *at = p.in[:have+n], *at+int64(n)
		if *at >= t.src.Size() {
			return len(p.in), nil
		}
		if cut := t.codec.split(p.in); cut > 0 {
			return cut, nil
		}
		if p.long = len(p.in) > MaxRow; p.long {
			return len(p.in), nil
		}
		if err := ctx.Err(); err != nil {
			return 0, context.Cause(ctx)
		}
	}
}

// roomy empties a buffer, and lets go of one that a long row blew up.
func roomy(b []byte, want int) []byte {
	if cap(b) < want || cap(b) > 4*chunkSize && want <= 2*chunkSize {
		return make([]byte, 0, want)
	}
	return b[:0]
}

// deliver writes the pieces in their order. The first error is that of the
// earliest row, since later pieces are not looked at. The head waits for the
// first piece, so that a fault in the first rows is found before any byte.
func deliver(ctx context.Context, head []byte, lines int64, order <-chan *piece, free chan<- *piece, out *sink) error {
	for {
		var p *piece
		var ok bool
		select {
		case p, ok = <-order:
			if !ok {
				return out.write(head, 0)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		lines += p.lines
		if p.err != nil {
			var e *rowError
			if errors.As(p.err, &e) {
				return e.at(lines + 1)
			}
			return p.err
		}
		if head != nil {
			p.out, head = append(head, p.out...), nil
		}
		if err := out.write(p.out, p.rows); err != nil {
			return err
		}
		out.between(p.end, lines)
		p.out = roomy(p.out, 0)
		free <- p
	}
}

// beginning reads the first bytes of a text file and refuses what is not
// UTF-8 text. mark is the length of the byte order mark.
func beginning(src Content, size int) (b []byte, mark int, err error) {
	b = make([]byte, min(int64(size), src.Size()))
	if _, err := readAt(src, b, 0); err != nil {
		return nil, 0, err
	}
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		mark = 3
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}), bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return nil, 0, notText("the file is UTF-16")
	case bytes.IndexByte(b[:min(len(b), 4096)], 0) >= 0:
		return nil, 0, notText("the file is binary, or UTF-16 without a mark")
	}
	return b, mark, nil
}

func notText(msg string) error {
	return &corridor.Error{Kind: corridor.Invalid, Msg: msg, Fix: "convert it to UTF-8"}
}

// badByte finds the first byte that cannot be in a text file, or -1.
func badByte(b []byte) int {
	nul := bytes.IndexByte(b, 0)
	if utf8.Valid(b) {
		return nul
	}
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			if nul >= 0 && nul < i {
				return nul
			}
			return i
		}
		i += size
	}
	return nul
}

func badText() error {
	return &corridor.Error{Kind: corridor.Invalid, Msg: "the row is not UTF-8 text", Fix: "convert the file to UTF-8"}
}

// cell is what the plan does with one column.
type cell struct {
	name string
	drop bool
	ops  []transformer
	// numeric says that the operations turn numbers into numbers.
	numeric bool
}

// bind gives each column what the stages do with it. A column that a stage
// names and the file lacks is refused with the nearest that it has.
func bind(plan Plan, names []string, key []byte) ([]cell, error) {
	cells := make([]cell, len(names))
	index := make(map[string]int, len(names))
	twice := map[string]bool{}
	for i, n := range names {
		cells[i].name, cells[i].numeric = n, true
		if _, have := index[n]; have {
			twice[n] = true
		}
		index[n] = i
	}
	kept := len(names)
	for i, s := range plan.Stages {
		at := fmt.Sprintf("stages[%d]", i)
		op, err := s.compile(at)
		if err != nil {
			return nil, err
		}
		for j, c := range s.Columns {
			here := fmt.Sprintf("%s.columns[%d]", at, j)
			k, ok := index[c]
			if !ok {
				return nil, unknown("column", here, c, names, "the file has no such column")
			}
			if twice[c] {
				return nil, &corridor.Error{Kind: corridor.Invalid, Where: here, Msg: fmt.Sprintf("the file has two columns named %q", clip(c)), Fix: "give each column a name of its own"}
			}
			if op == nil {
				cells[k].drop = true
				kept--
				continue
			}
			cells[k].ops = append(cells[k].ops, op.bind(c, key))
			cells[k].numeric = cells[k].numeric && keepsNumbers(op)
		}
	}
	if kept == 0 {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "stages", Msg: "the plan drops every column", Fix: "keep one, or do not offer the dataset"}
	}
	return cells, nil
}

func keepsNumbers(op operation) bool {
	switch op.(type) {
	case bucketOp, decimalsOp:
		return true
	}
	return false
}

// kept lists the names of the columns that are not dropped.
func kept(cells []cell) []string {
	var out []string
	for _, c := range cells {
		if !c.drop {
			out = append(out, c.name)
		}
	}
	return out
}

// apply runs a column's operations over a value and appends the outcome.
func (c *cell) apply(dst, value []byte, scratch *[2][]byte) ([]byte, error) {
	for i, op := range c.ops[:len(c.ops)-1] {
		buf, err := op.transform(scratch[i&1][:0], value)
		scratch[i&1] = buf
		if err != nil {
			return dst, &rowError{column: c.name, err: err}
		}
		value = buf
	}
	dst, err := c.ops[len(c.ops)-1].transform(dst, value)
	if err != nil {
		return dst, &rowError{column: c.name, err: err}
	}
	return dst, nil
}
