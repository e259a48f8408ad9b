package plane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"corridor"
)

// patience is how long a stream that is taken up may go through what was sent
// before, until its header goes out even so.
const patience = 5 * time.Second

// stream is one request. Its fields are owned by the request's goroutine but
// for those under mu, which Stop and the expiry reach.
type stream struct {
	h        *Handler
	w        http.ResponseWriter
	rc       *http.ResponseController
	cancel   context.CancelCauseFunc
	transfer string
	began    time.Time
	grant    Grant
	src      Content
	program  program
	etag     string
	offset   int64
	sink     *sink
	begun    bool // the header is out

	mu   sync.Mutex
	dead bool // no write may wait any longer
}

// stop ends the stream at once, also one that waits in a write.
func (s *stream) stop(cause error) {
	s.cancel(cause)
	s.cut()
}

// cut lets no further byte out: not even the end that net/http would write.
func (s *stream) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
	// An error means that the writer knows no deadlines; the panic that
	// follows then does it alone.
	_ = s.rc.SetWriteDeadline(time.Unix(1, 0))
}

// hurry gives the next write its time.
func (s *stream) hurry() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return errors.New("the stream was stopped")
	}
	if err := s.rc.SetWriteDeadline(time.Now().Add(s.h.cfg.WriteTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// Write sends a part of the outcome.
func (s *stream) Write(p []byte) (int, error) {
	if err := s.hurry(); err != nil {
		return 0, err
	}
	s.begin()
	n, err := s.w.Write(p)
	if err == nil {
		s.h.auth.Progress(s.transfer, s.sink.bytes)
	}
	return n, err
}

// begin sends the header. The length is known at the end only, so that a
// Content-Range has no last position.
func (s *stream) begin() {
	if s.begun {
		return
	}
	s.begun = true
	h := s.w.Header()
	h.Set("Content-Type", contentType(s.grant.Plan.Format))
	h.Set("Content-Disposition", "attachment")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Accept-Ranges", "bytes")
	h.Set("ETag", s.etag)
	h.Set("Trailer", HeaderDigest+", "+HeaderLength+", "+HeaderRows)
	if s.offset > 0 {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-/*", s.offset))
		s.w.WriteHeader(http.StatusPartialContent)
		return
	}
	s.w.WriteHeader(http.StatusOK)
}

func contentType(format string) string {
	switch format {
	case FormatCSV:
		return "text/csv; charset=utf-8"
	case FormatJSONL:
		return "application/x-ndjson"
	case FormatParquet:
		return "application/vnd.apache.parquet"
	}
	return "application/octet-stream"
}

// run writes the outcome from the offset on. It starts at the last marked
// place before it; what lies between is made again and thrown away, because
// the digest is that of the whole.
func (s *stream) run(ctx context.Context) error {
	s.sink = newSink(s)
	s.sink.skip, s.sink.maxBytes, s.sink.maxRows = s.offset, s.grant.MaxBytes, s.grant.MaxRows
	s.sink.through(ctx, s.h.cfg.Gate)
	s.sink.mark = func(p point) {
		s.h.marks.add(s.transfer, s.etag, p)
		if !s.begun && time.Since(s.began) > patience {
			s.begin()
			_ = s.rc.Flush() // a consumer that is gone ends the context
		}
	}
	err := s.program.run(ctx, s.h.marks.before(s.transfer, s.etag, s.offset), s.sink)
	if err == nil {
		err = s.src.Check()
	}
	if err != nil && ctx.Err() == nil {
		s.remember(err)
	}
	return err
}

// remember keeps a fault of the source for the next request: the outcome
// depends on nothing that could be otherwise then.
func (s *stream) remember(err error) {
	var w *writeError
	k := corridor.KindOf(err)
	if !errors.As(err, &w) && (k == corridor.Invalid || k == corridor.Forbidden) {
		s.h.marks.fail(s.transfer, s.etag, err)
	}
}

// finish releases the end of the stream, after the Authority has recorded it.
func (s *stream) finish(ctx context.Context) error {
	r := s.sink.result()
	if s.offset > 0 && s.offset >= r.Bytes {
		return &rangeError{r.Bytes}
	}
	if err := s.hurry(); err != nil {
		return err
	}
	s.begin()
	if err := s.rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return &writeError{err}
	}
	if err := s.h.auth.Finished(ctx, s.transfer, r); err != nil {
		return err
	}
	if err := s.hurry(); err != nil {
		return err
	}
	h := s.w.Header()
	h.Set(HeaderDigest, r.SHA256)
	h.Set(HeaderLength, strconv.FormatInt(r.Bytes, 10))
	h.Set(HeaderRows, strconv.FormatInt(r.Rows, 10))
	return nil
}

// rangeError says that the outcome is not as long as the consumer believes.
type rangeError struct{ length int64 }

func (e *rangeError) Error() string {
	return fmt.Sprintf("the outcome has %d bytes, and the request wants what follows them", e.length)
}

// answer refuses a request that has had no byte yet.
func (s *stream) answer(err error) {
	var short *rangeError
	if errors.As(err, &short) {
		s.w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", short.length))
		refuse(s.w, http.StatusRequestedRangeNotSatisfiable, corridor.E(corridor.Conflict, "%s", short.Error()))
		return
	}
	fail(s.w, err)
}

func (s *stream) log(err error) {
	level, attrs := slog.LevelInfo, []slog.Attr{slog.String("transfer", s.transfer), slog.String("agreement", s.grant.Agreement),
		slog.String("consumer", s.grant.Consumer), slog.Int64("from", s.offset), slog.Duration("took", time.Since(s.began))}
	if s.sink != nil {
		attrs = append(attrs, slog.Int64("to", s.sink.bytes), slog.Int64("rows", s.sink.rows))
	}
	if err != nil {
		level, attrs = slog.LevelWarn, append(attrs, slog.Any("error", err))
	}
	s.h.cfg.Log.LogAttrs(context.Background(), level, "stream", attrs...)
}
