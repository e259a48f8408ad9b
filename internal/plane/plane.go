// Package plane moves the bytes of a dataset: it reads a source, carries out
// the stages of the agreed plan, and streams the outcome to the consumer, who
// receives it into a file. Nothing is held whole: memory stays flat at any
// size, and a cut stream is taken up where it broke.
//
// The outcome of a plan is a pure function of the source, the plan and the
// key. Everything else rests on that: a stream that is taken up later has the
// same bytes, and its digest is that of the whole.
//
// The plane decides nothing. Who may read what is asked of an Authority, on
// every request, so that the plane can run as a process of its own.
package plane

import (
	"context"
	"io"
	"time"
)

// Result is what one run of a plan made.
type Result struct {
	Rows   int64  `json:"rows"`   // rows sent, the header not counted; 0 if the bytes passed unread
	Bytes  int64  `json:"bytes"`  // length of the whole outcome
	SHA256 string `json:"sha256"` // "sha256:<hex>" of the whole outcome, as receipts write it
}

// Source is something that can be opened and read at any offset.
type Source interface {
	// Open gives the content. An error here means that nothing is sent.
	Open(ctx context.Context) (Content, error)
}

// Content is an opened source. ReadAt is called by one goroutine at a time.
type Content interface {
	io.ReaderAt
	io.Closer
	Size() int64
	// Version names this state of the content: a digest where one is known.
	// Two contents with the same version have the same bytes.
	Version() string
	// Check gives an error if the content changed since it was opened. It is
	// called before the end of a stream is released.
	Check() error
}

// Grant is what one access token opens, at the instant that it was asked for.
type Grant struct {
	Agreement string
	Transfer  string
	Consumer  string // DID
	Source    Source
	Plan      Plan
	Key       []byte    // secret of this agreement for pseudonyms, 32 bytes or more; may be empty if the plan has none
	ExpiresAt time.Time // a running stream is cut then; zero: it has no end
	MaxBytes  int64     // most bytes of outcome; 0: no limit
	MaxRows   int64     // most rows of outcome; 0: no limit
}

// Authority says what may be read and hears what was. Grant is asked on every
// request and answers from committed state; what it refuses is refused, with
// the error's Kind as the HTTP status. Started and Finished may be called
// again for a transfer that is taken up or repeated, so they must stand a
// second call.
type Authority interface {
	Grant(ctx context.Context, transfer, token string) (Grant, error)
	// Started is called before the first byte: an error refuses the request.
	Started(ctx context.Context, transfer string, offset int64) error
	// Progress tells how far the outcome has been sent. It is called from the
	// stream and must return at once.
	Progress(transfer string, sent int64)
	// Finished is called when all bytes are out but before the end of the
	// stream is released: an error cuts the stream, and the consumer, who has
	// no digest yet, comes back for the rest.
	Finished(ctx context.Context, transfer string, r Result) error
	// Failed tells that a stream broke off at sent bytes, and why.
	Failed(ctx context.Context, transfer string, sent int64, err error)
}

// Headers and trailers of a stream. Digest and length are of the whole
// outcome, also when only its rest is sent.
const (
	HeaderDigest = "Corridor-Digest" // trailer: "sha256:<hex>"
	HeaderLength = "Corridor-Length" // trailer: decimal
	HeaderRows   = "Corridor-Rows"   // trailer: decimal
)

// Limits of what is read.
const (
	MaxRow     = 1 << 20  // bytes of one row of CSV or JSON Lines
	MaxColumns = 10_000   // columns of a file
	MaxPlan    = 64 << 10 // bytes of a plan's JSON
	MaxToken   = 2 << 10  // bytes of an access token
)
