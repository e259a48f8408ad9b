package plane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"corridor"
)

// Delivery is where a pushed outcome goes.
type Delivery struct {
	Dest     string // the final name; its directory must exist
	MaxBytes int64  // largest outcome that is accepted; 0: 1 TiB
}

// Receiver is an Authority whose node takes what providers push. Receive is
// asked on every request and answers from committed state.
type Receiver interface {
	Receive(ctx context.Context, transfer, token string) (Delivery, error)
	// Arriving tells how far a delivery has come. It must return at once.
	Arriving(transfer string, received int64)
	// Arrived is called when a delivery is whole and durable under its name,
	// before the provider gets its answer: an error is the answer. It may be
	// called again for the same bytes.
	Arrived(ctx context.Context, transfer string, r Result) error
}

// arrival is one request that brings data. Its fields are owned by the
// request's goroutine but for those under mu, which Stop reaches.
type arrival struct {
	h        *Handler
	transfer string
	rc       *http.ResponseController
	cancel   context.CancelCauseFunc
	part     *part

	mu   sync.Mutex
	dead bool // nothing more may be read
}

// stop implements running.
func (a *arrival) stop(cause error) {
	a.cancel(cause)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dead = true
	// An error means that the reader knows no deadlines; the context then
	// ends the request at the next part.
	_ = a.rc.SetReadDeadline(time.Unix(1, 0))
}

// hurry gives the next read its time.
func (a *arrival) hurry() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dead {
		return errors.New("the delivery was stopped")
	}
	deadline := time.Now().Add(a.h.cfg.ReadTimeout)
	if err := a.rc.SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// receive takes one delivery: the consumer's end of a push. What breaks off
// leaves nothing; the provider sends it again from the beginning.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, to Receiver, transfer, token string) {
	began := time.Now()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	a := &arrival{h: h, transfer: transfer, rc: http.NewResponseController(w), cancel: cancel}
	h.enter(transfer, a) // known to Stop before the Receiver is asked, see ServeHTTP
	defer h.leave(transfer, a)
	result, err := a.take(ctx, r, to, token)
	level, attrs := slog.LevelInfo, []slog.Attr{slog.String("transfer", transfer), slog.Duration("took", time.Since(began)), slog.Int64("to", result.Bytes)}
	if err != nil {
		err = stopped(ctx, err)
		level, attrs = slog.LevelWarn, append(attrs, slog.Any("error", err))
	}
	h.cfg.Log.LogAttrs(ctx, level, "delivery", attrs...)
	_ = a.rc.SetWriteDeadline(time.Now().Add(h.cfg.WriteTimeout)) // see arrival.stop
	if err != nil {
		w.Header().Set("Connection", "close") // the rest of the body is not read
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *arrival) take(ctx context.Context, r *http.Request, to Receiver, token string) (Result, error) {
	d, err := to.Receive(ctx, a.transfer, token)
	if err != nil {
		return Result{}, err
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return Result{}, &corridor.Error{Kind: corridor.Invalid, Where: "Content-Encoding", Msg: fmt.Sprintf("%q is not taken", clip(enc)), Fix: "send the bytes as they are"}
	}
	select {
	case a.h.slots <- struct{}{}:
		defer func() { <-a.h.slots }()
	default:
		return Result{}, corridor.E(corridor.Unavailable, "the consumer has no free stream")
	}
	if d.MaxBytes <= 0 {
		d.MaxBytes = defaultMaxBytes
	}
	if a.part, err = openPart(d.Dest, d.MaxBytes); err != nil {
		return Result{}, err
	}
	defer a.part.file.Close()
	if err := a.part.begin(""); err != nil {
		return Result{}, err
	}
	if err := a.read(ctx, r.Body, to); err != nil {
		if !a.part.fixed {
			a.part.remove()
		}
		return Result{Bytes: a.part.size}, err
	}
	result := Result{Bytes: a.part.size, SHA256: a.part.digest()}
	if err := a.part.complete(); err != nil {
		return result, err
	}
	err = to.Arrived(ctx, a.transfer, result)
	if kind := corridor.KindOf(err); err != nil && !a.part.fixed && (kind == corridor.Conflict || kind == corridor.Gone) {
		_ = os.Remove(d.Dest) // the transfer was stopped: a copy that is on no record would have no term
	}
	return result, err
}

// read writes the body to the part. A body that broke off ends with an error
// of net/http, never with io.EOF.
func (a *arrival) read(ctx context.Context, body io.Reader, to Receiver) error {
	buf := make([]byte, 2*chunkSize)
	for {
		if err := a.hurry(); err != nil {
			return err
		}
		n, err := body.Read(buf)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if werr := a.part.write(buf[:n]); werr != nil {
			return werr
		}
		if n > 0 {
			to.Arriving(a.transfer, a.part.size)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return corridor.E(corridor.Unavailable, "the delivery broke off after %d bytes: %w", a.part.size, err)
		}
	}
}
