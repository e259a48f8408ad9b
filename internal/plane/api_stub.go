package plane

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"corridor"
)

// Transform runs the plan over src and writes the outcome to w.
func Transform(ctx context.Context, src Content, w io.Writer, plan Plan, key []byte) (Result, error) {
	return Result{}, corridor.E(corridor.Unavailable, "not built yet")
}

// Check holds a plan against a file without sending anything: the format, the
// header and the columns. It gives the columns of the outcome.
func Check(ctx context.Context, src Content, plan Plan) ([]string, error) {
	return nil, corridor.E(corridor.Unavailable, "not built yet")
}

// Files opens files whose digest was fixed when they were published.
type Files struct{}

// NewFiles makes an empty set of known files.
func NewFiles() *Files { return &Files{} }

// Source names a file and the digest ("sha256:<hex>") that it must have;
// empty: any.
func (f *Files) Source(path, digest string) Source { return nil }

// HandlerConfig bounds a Handler. The zero value has usable defaults.
type HandlerConfig struct {
	Prefix       string        // path before the transfer id; empty: "/data/"
	MaxStreams   int           // running at once; 0: 64
	WriteTimeout time.Duration // longest that one write may wait for the consumer; 0: 1 minute
	Log          *slog.Logger  // nil: silent
}

// Handler serves GET {prefix}{transfer}.
type Handler struct{}

// NewHandler makes the provider's end of the data plane.
func NewHandler(a Authority, c HandlerConfig) *Handler { return &Handler{} }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {}

// Stop cuts the running streams of a transfer at once and says how many there
// were. Call it after the state that refuses new ones is committed.
func (h *Handler) Stop(transfer, reason string) int { return 0 }

// TokenFunc gives an access token. stale is empty at first; later it is the
// token that the provider no longer takes.
type TokenFunc func(ctx context.Context, stale string) (string, error)

// FetchRequest says what to fetch and where to put it.
type FetchRequest struct {
	URL      string
	Token    TokenFunc
	Dest     string               // the final name; its directory must exist
	Client   *http.Client         // guarded; its Timeout and redirects are not used
	Progress func(received int64) // nil: none
	MaxBytes int64                // largest outcome that is accepted; 0: 1 TiB
	Attempts int                  // in a row without any progress; 0: 8
	Idle     time.Duration        // longest silence of the provider; 0: 2 minutes
}

// Fetch receives a transfer into a file.
func Fetch(ctx context.Context, q FetchRequest) (Result, error) {
	return Result{}, corridor.E(corridor.Unavailable, "not built yet")
}
