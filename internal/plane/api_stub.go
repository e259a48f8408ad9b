package plane

import (
	"context"
	"net/http"
	"time"

	"corridor"
)

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
