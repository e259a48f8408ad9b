package scan

import (
	"context"
	"errors"
	"io"
	"os"

	"corridor"
)

// stoppable reads what may keep it waiting for ever, such as a pipe, and gives
// up when ctx ends. A read that is under way then is left behind with its own
// buffer until its other end lets go of it.
type stoppable struct {
	ctx  context.Context
	r    io.Reader
	buf  []byte
	rest []byte // read and not yet handed on
	err  error
}

// Read implements io.Reader.
func (s *stoppable) Read(p []byte) (int, error) {
	if len(s.rest) == 0 && s.err == nil {
		if s.buf == nil {
			s.buf = make([]byte, 256<<10)
		}
		type result struct {
			n   int
			err error
		}
		done := make(chan result, 1)
		buf := s.buf
		go func() {
			n, err := s.r.Read(buf)
			done <- result{n, err}
		}()
		select {
		case <-s.ctx.Done():
			s.buf, s.err = nil, s.ctx.Err()
		case x := <-done:
			s.rest, s.err = buf[:x.n], x.err
		}
	}
	n := copy(p, s.rest)
	if s.rest = s.rest[n:]; len(s.rest) > 0 {
		return n, nil
	}
	return n, s.err
}

// mayWait says whether a read of r may wait for somebody else.
func mayWait(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && !info.Mode().IsRegular()
}

// opened opens a file. A named pipe without a writer keeps that waiting: it
// goes on until ctx ends, and what is opened after that is closed at once.
func opened(ctx context.Context, path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return os.Open(path)
	}
	type result struct {
		f   *os.File
		err error
	}
	done := make(chan result)
	go func() {
		f, err := os.Open(path)
		select {
		case done <- result{f, err}:
		case <-ctx.Done():
			if err == nil {
				f.Close()
			}
		}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case x := <-done:
		return x.f, x.err
	}
}

// stopped says whether an error is the end of a context, and words it.
func stopped(err error, name string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &corridor.Error{Kind: corridor.Unavailable, Where: name, Msg: "scan stopped", Err: err, Fix: "start it again; nothing was written"}
	}
	return nil
}
