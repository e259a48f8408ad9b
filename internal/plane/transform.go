package plane

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"corridor"
)

// outcomeVersion enters the entity tag of every outcome. It changes when the
// same source, plan and key would give other bytes than before.
const outcomeVersion = "corridor/plane/outcome/v1"

// Transform runs the plan over src and writes the outcome to w. What can be
// refused from the plan and the file's header is refused before the first
// byte; a bad row further down is an error that names it, after most of the
// rows before it were written.
func Transform(ctx context.Context, src Content, w io.Writer, plan Plan, key []byte) (Result, error) {
	p, err := prepare(ctx, src, plan, key)
	if err != nil {
		return Result{}, err
	}
	s := newSink(w)
	if err := p.run(ctx, point{}, s); err != nil {
		return Result{}, err
	}
	return s.result(), nil
}

// Check holds a plan against a file without sending anything: the format, the
// header and the columns. It gives the columns of the outcome, or none for a
// plan without stages over a format that is not read.
func Check(ctx context.Context, src Content, plan Plan) ([]string, error) {
	p, err := prepare(ctx, src, plan, make([]byte, minSecret))
	if err != nil {
		return nil, err
	}
	return p.columns(), nil
}

// Columns gives the columns of a file as they are, or none for a format that is
// not read.
func Columns(ctx context.Context, src Content, format string) ([]string, error) {
	if format != FormatCSV && format != FormatJSONL && format != FormatParquet {
		return nil, nil
	}
	p, err := prepareRows(ctx, src, Plan{Format: format}, nil)
	if err != nil {
		return nil, err
	}
	return p.columns(), nil
}

// program is a plan made ready for one opened content.
type program interface {
	// run writes the outcome from a point that an earlier run marked, or from
	// the zero point, which is the beginning.
	run(ctx context.Context, from point, out *sink) error
	columns() []string
}

// point is a place between two rows at which a run can be taken up.
type point struct {
	source int64 // offset in the source
	output int64 // offset in the outcome
	rows   int64 // rows of the outcome before it
	lines  int64 // records of the source before it, for messages
	hash   []byte
}

func prepare(ctx context.Context, src Content, plan Plan, key []byte) (program, error) {
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	if plan.Pseudonymises() && len(key) < minSecret {
		return nil, corridor.E(corridor.Internal, "the key for pseudonyms has %d bytes, it needs %d", len(key), minSecret)
	}
	if len(plan.Stages) == 0 {
		return &copying{src}, nil
	}
	return prepareRows(ctx, src, plan, key)
}

// prepareRows gives a program that reads rows, with or without stages.
func prepareRows(ctx context.Context, src Content, plan Plan, key []byte) (program, error) {
	switch plan.Format {
	case FormatCSV:
		return prepareCSV(ctx, src, plan, key)
	case FormatJSONL:
		return prepareJSONL(ctx, src, plan, key)
	case FormatParquet:
		return prepareParquet(src, plan, key)
	}
	return nil, corridor.E(corridor.Invalid, "the rows of format %q cannot be read", clip(plan.Format))
}

// sink takes an outcome: it hashes and counts all of it and passes on what
// lies behind skip.
type sink struct {
	w        io.Writer
	sum      hash.Hash
	bytes    int64
	rows     int64
	skip     int64
	maxBytes int64 // 0: no limit
	maxRows  int64
	mark     func(point) // told of places to take up from; may be nil
	marked   int64
	gate     *Gate        // at which this stream takes its turns
	enter    func() error // waits for a turn; nil: there is no gate
}

const markEvery = 16 << 20

func newSink(w io.Writer) *sink { return &sink{w: w, sum: sha256.New()} }

// resume sets the sink back to a point.
func (s *sink) resume(p point) error {
	if p.output == 0 {
		return nil
	}
	u, ok := s.sum.(encoding.BinaryUnmarshaler)
	if !ok {
		return corridor.E(corridor.Internal, "the digest cannot be taken up")
	}
	s.bytes, s.rows, s.marked = p.output, p.rows, p.output
	return u.UnmarshalBinary(p.hash)
}

func (s *sink) write(p []byte, rows int64) error {
	if len(p) == 0 && rows == 0 {
		return nil
	}
	if s.maxRows > 0 && s.rows+rows > s.maxRows {
		return corridor.E(corridor.Forbidden, "the outcome has more than the %d rows that were agreed", s.maxRows)
	}
	if s.maxBytes > 0 && int64(len(p)) > s.maxBytes-s.bytes {
		return corridor.E(corridor.Forbidden, "the outcome has more than the %d bytes that were agreed", s.maxBytes)
	}
	if err := s.turn(func() { s.sum.Write(p) }); err != nil {
		return err
	}
	before := s.bytes
	s.bytes += int64(len(p))
	s.rows += rows
	if len(p) == 0 || s.bytes <= s.skip {
		return nil
	}
	if before < s.skip {
		p = p[s.skip-before:]
	}
	if _, err := s.w.Write(p); err != nil {
		return &writeError{err}
	}
	return nil
}

// through lets a sink take its turns at a gate, until a context ends.
func (s *sink) through(ctx context.Context, g *Gate) {
	s.gate, s.enter = g, func() error { return g.enter(ctx) }
}

// turn works when it is this stream's turn. The work waits for nothing.
func (s *sink) turn(work func()) error {
	if s.enter == nil {
		work()
		return nil
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	work()
	return nil
}

// Write implements io.Writer for writers that count their rows themselves.
func (s *sink) Write(p []byte) (int, error) {
	if err := s.write(p, 0); err != nil {
		return 0, err
	}
	return len(p), nil
}

// between marks a place between two rows, if it is time for one.
func (s *sink) between(source, lines int64) {
	if s.mark == nil || s.bytes-s.marked < markEvery {
		return
	}
	m, ok := s.sum.(encoding.BinaryMarshaler)
	if !ok {
		return
	}
	state, err := m.MarshalBinary()
	if err != nil {
		return
	}
	s.marked = s.bytes
	s.mark(point{source: source, output: s.bytes, rows: s.rows, lines: lines, hash: state})
}

func (s *sink) result() Result {
	return Result{Rows: s.rows, Bytes: s.bytes, SHA256: "sha256:" + hex.EncodeToString(s.sum.Sum(nil))}
}

// writeError tells the consumer's end of a stream from the source's.
type writeError struct{ err error }

func (e *writeError) Error() string { return "write: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// copying is the program of a plan without stages.
type copying struct{ src Content }

func (c *copying) columns() []string { return nil }

func (c *copying) run(ctx context.Context, from point, out *sink) error {
	if err := out.resume(from); err != nil {
		return err
	}
	buf := make([]byte, chunkSize)
	for at := from.source; at < c.src.Size(); {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, err := readAt(c.src, buf, at)
		if err != nil {
			return err
		}
		if err := out.write(buf[:n], 0); err != nil {
			return err
		}
		at += int64(n)
		out.between(at, 0)
	}
	return nil
}

// readAt fills buf from the content as far as it goes. A content that ends
// before its size is an error, not an end.
func readAt(src Content, buf []byte, at int64) (int, error) {
	if left := src.Size() - at; int64(len(buf)) > left {
		buf = buf[:max(left, 0)]
	}
	n, err := src.ReadAt(buf, at)
	if n == len(buf) {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return n, &corridor.Error{Kind: corridor.Conflict, Msg: "the source became shorter while it was read", Fix: "publish the dataset again"}
	}
	return n, &corridor.Error{Kind: corridor.Unavailable, Msg: "the source cannot be read", Err: fmt.Errorf("at byte %d: %w", at, err)}
}
