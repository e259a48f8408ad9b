package scan

import (
	"context"
	"errors"
	"io"
)

// Character classes of a value, collected while it is parsed so that most
// recognisers can be ruled out without looking at the bytes again.
const (
	isDigit uint16 = 1 << iota
	isUpper
	isLower
	isSpace
	isHigh // a byte of a character outside ASCII
	isAt
	isDot
	isDash
	isPlus
	isColon
	isSlash
	isParen
	isComma
	isOther
	isControl
	isSpecial // the parser must look: delimiter, quote, end of line, NUL
)

const isLetter = isUpper | isLower

// charClass gives the class of every byte; parsers add isSpecial to a copy.
func charClass() (tab [256]uint16) {
	for i := range tab {
		switch b := byte(i); {
		case b >= '0' && b <= '9':
			tab[i] = isDigit
		case b >= 'A' && b <= 'Z':
			tab[i] = isUpper
		case b >= 'a' && b <= 'z':
			tab[i] = isLower
		case b >= 0x80:
			tab[i] = isHigh
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
			tab[i] = isSpace
		case b < 0x20 || b == 0x7f:
			tab[i] = isControl
		default:
			tab[i] = isOther
		}
	}
	tab['@'], tab['.'], tab['-'], tab['+'], tab[':'], tab['/'], tab[','] = isAt, isDot, isDash, isPlus, isColon, isSlash, isComma
	tab['('], tab[')'] = isParen, isParen
	return tab
}

// cell is one value of a batch: a span of its data, a column and a mask.
type cell struct {
	off, n uint32
	col    uint32
	mask   uint16
	quoted bool // holds doubled quotes that are still to be undone
}

// rowEnd closes a row: where its cells end, and its number in the file.
type rowEnd struct {
	end uint32
	no  int64
}

// batch is a block of whole rows on its way from the parser to the table.
type batch struct {
	data  []byte
	cells []cell
	rows  []rowEnd
	names []string // columns that appeared in this batch
	width int      // every row has exactly the columns 0 to width-1, in order; 0: rows differ
}

func (b *batch) reset() {
	b.data, b.cells, b.rows, b.names, b.width = b.data[:0], b.cells[:0], b.rows[:0], nil, 0
}

func (b *batch) value(c *cell) []byte { return b.data[c.off : c.off+c.n] }

func (b *batch) endRow(no int64) { b.rows = append(b.rows, rowEnd{uint32(len(b.cells)), no}) }

// add copies a value into the batch; readers of decoded formats use it.
func (b *batch) add(col int, v []byte, tab *[256]uint16) {
	var mask uint16
	for _, c := range v {
		mask |= tab[c]
	}
	off := uint32(len(b.data))
	b.data = append(b.data, v...)
	b.cells = append(b.cells, cell{off: off, n: uint32(len(v)), col: uint32(col), mask: mask})
}

// source yields the rows of one file. next fills an empty batch with at least
// one row, or returns io.EOF.
type source interface {
	columns() []string // those known before the first row
	next(b *batch) error
}

// inFlight batches are all the memory that rows ever take.
const inFlight = 3

// pump runs src in its own goroutine and hands its batches to sink in order.
// When it returns early, src may still be inside one Read; it makes no other.
func pump(ctx context.Context, src source, sink func(*batch) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	full := make(chan *batch, inFlight)
	free := make(chan *batch, inFlight)
	for range inFlight {
		free <- new(batch)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- produce(ctx, src, free, full)
		close(full)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b, more := <-full:
			if !more {
				return <-ended
			}
			if err := sink(b); err != nil {
				return err
			}
			free <- b // never blocks: there are inFlight batches in all
		}
	}
}

func produce(ctx context.Context, src source, free <-chan *batch, full chan<- *batch) error {
	for {
		var b *batch
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b = <-free:
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		b.reset()
		if err := src.next(b); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		full <- b
	}
}
