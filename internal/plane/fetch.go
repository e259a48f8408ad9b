package plane

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"corridor"
)

// TokenFunc gives an access token. stale is empty at first; later it is the
// token that the provider no longer takes, and a new one is wanted.
type TokenFunc func(ctx context.Context, stale string) (string, error)

// FetchRequest says what to fetch and where to put it.
type FetchRequest struct {
	URL      string
	Token    TokenFunc
	Dest     string               // the final name; its directory must exist
	Plain    bool                 // the provider is no Corridor: it states no digest, and what breaks is fetched from the beginning
	Client   *http.Client         // guarded; its Timeout and redirects are not used
	Progress func(received int64) // nil: none; called from the stream, must return at once
	MaxBytes int64                // largest outcome that is accepted; 0: 1 TiB
	Attempts int                  // in a row without any progress; 0: 8
	Backoff  time.Duration        // first pause between attempts, doubled up to 30 s; 0: 250 ms
	Idle     time.Duration        // longest silence of the provider; 0: 2 minutes
	Chance   func(n int64) int64  // draws a number below n, for the pauses; nil: rand.Int64N
}

const (
	defaultMaxBytes = 1 << 40
	maxBackoff      = 30 * time.Second
)

// Fetch receives a transfer into a file. A cut stream is taken up where it
// broke, also by a later call with the same Dest: what was received stays in
// Dest+".part". The file appears under its final name only when its length
// and digest are those that the provider states, and it is durable. If Dest is
// there already, it is compared with what the provider sends: the same is
// success, another is a conflict.
func Fetch(ctx context.Context, q FetchRequest) (Result, error) {
	f, err := newFetch(q)
	if err != nil {
		return Result{}, err
	}
	if f.part, err = openPart(q.Dest, f.q.MaxBytes); err != nil {
		return Result{}, err
	}
	defer f.part.file.Close()
	if f.token, err = q.Token(ctx, ""); err != nil {
		return Result{}, fmt.Errorf("access token: %w", err)
	}
	pause := f.q.Backoff
	for idle := 0; ; {
		before := f.part.size
		r, err := f.attempt(ctx)
		var again *retry
		if !errors.As(err, &again) {
			return r, err
		}
		if idle++; f.part.size > before && !f.part.fixed {
			idle, pause = 0, f.q.Backoff
		}
		if idle >= f.q.Attempts {
			return Result{}, giveUp(again.err, idle, f.part.size)
		}
		if err := sleep(ctx, max(about(pause, f.q.Chance), again.after)); err != nil {
			return Result{}, err
		}
		pause = min(2*pause, maxBackoff)
	}
}

// about spreads a pause over its second half, so that many that wait for the
// same do not come back together.
func about(pause time.Duration, chance func(n int64) int64) time.Duration {
	if chance == nil {
		chance = rand.Int64N
	}
	return pause/2 + time.Duration(chance(int64(pause/2+1)))
}

func giveUp(err error, attempts int, have int64) error {
	e := &corridor.Error{Kind: corridor.Unavailable, Msg: fmt.Sprintf("the provider could not be read from in %d attempts; %d bytes are kept", attempts, have), Err: err,
		Fix: "fetch again later: it goes on where it broke"}
	if k := corridor.KindOf(err); k != corridor.Internal {
		e.Kind = k
	}
	return e
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return canceled(ctx)
	}
}

func canceled(ctx context.Context) error {
	return fmt.Errorf("the fetch was stopped; what was received is kept: %w", context.Cause(ctx))
}

// fetch is one call of Fetch, used by one goroutine.
type fetch struct {
	q         FetchRequest
	client    *http.Client
	part      *part
	token     string
	refreshed bool // the token is new and has not been taken yet
	buf       []byte
}

// retry marks an error after which another attempt makes sense.
type retry struct {
	err   error
	after time.Duration
}

func (r *retry) Error() string { return r.err.Error() }
func (r *retry) Unwrap() error { return r.err }

func newFetch(q FetchRequest) (*fetch, error) {
	u, err := url.Parse(q.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, corridor.E(corridor.Invalid, "the data address %q is not an http address", clip(q.URL))
	}
	if q.Token == nil || q.Dest == "" || q.Client == nil {
		return nil, corridor.E(corridor.Invalid, "a fetch needs a token, a destination and a client")
	}
	if q.MaxBytes <= 0 {
		q.MaxBytes = defaultMaxBytes
	}
	if q.Attempts <= 0 {
		q.Attempts = 8
	}
	if q.Backoff <= 0 {
		q.Backoff = 250 * time.Millisecond
	}
	if q.Idle <= 0 {
		q.Idle = 2 * time.Minute
	}
	c := *q.Client
	c.Timeout = 0 // the silence is bounded, not the whole
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &fetch{q: q, client: &c, buf: make([]byte, 2*chunkSize)}, nil
}

// attempt makes one request and receives what it gives.
func (f *fetch) attempt(ctx context.Context) (Result, error) {
	alive, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(f.q.Idle, func() { cancel(fmt.Errorf("nothing came for %v", f.q.Idle)) })
	defer silence.Stop()
	req, err := f.request(alive)
	if err != nil {
		return Result{}, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return Result{}, f.broken(ctx, alive, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		return Result{}, f.refused(ctx, resp)
	}
	f.refreshed = false
	skip, err := f.accept(resp, req.Header.Get("Range"))
	if err != nil {
		return Result{}, err
	}
	if err := f.receive(ctx, alive, resp.Body, silence, skip); err != nil {
		return Result{}, err
	}
	if f.q.Plain {
		return f.taken()
	}
	return f.verify(resp.Trailer)
}

// request asks for what is missing, and one byte more: so the answer is never
// empty, and a provider that is off by some bytes is noticed at once.
func (f *fetch) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.q.URL, nil)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the data address: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+f.token)
	req.Header.Set("Accept-Encoding", "identity") // offsets and digest are of the bytes as they are
	if f.part.size > 0 && !f.q.Plain {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", f.part.size-1))
		if f.part.etag != "" {
			req.Header.Set("If-Match", f.part.etag)
		}
	}
	return req, nil
}

// broken sorts an error of the network.
func (f *fetch) broken(ctx, alive context.Context, err error) error {
	if ctx.Err() != nil {
		return canceled(ctx)
	}
	if cause := context.Cause(alive); cause != nil {
		err = cause
	}
	var c *corridor.Error
	if errors.As(err, &c) && (c.Kind == corridor.Forbidden || c.Kind == corridor.Limited) {
		return err // the guard's own refusal stays as it is
	}
	return &retry{err: err}
}

// refused sorts an answer that is not the stream.
func (f *fetch) refused(ctx context.Context, resp *http.Response) error {
	r := readRefusal(resp)
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		if f.refreshed {
			return r.err
		}
		token, err := f.q.Token(ctx, f.token)
		if err != nil {
			return fmt.Errorf("a new access token after %q: %w", r.err.Msg, err)
		}
		if token == f.token {
			return r.err
		}
		f.token, f.refreshed = token, true
		return &retry{err: r.err}
	case http.StatusPreconditionFailed:
		f.part.remove()
		r.err.Fix = "fetch again: it begins from the start"
		return r.err
	case http.StatusRequestedRangeNotSatisfiable:
		if f.part.fixed {
			return f.part.differs()
		}
		if err := f.part.begin(""); err != nil {
			return err
		}
		return &retry{err: r.err}
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &retry{err: r.err, after: r.after}
	}
	return r.err
}

// accept holds the answer's header against what was asked for. skip says how
// many bytes come that are there already.
func (f *fetch) accept(resp *http.Response, asked string) (skip int64, err error) {
	if enc := resp.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return 0, corridor.E(corridor.Invalid, "the provider encoded the stream as %q, which nobody asked for", clip(enc))
	}
	etag := resp.Header.Get("ETag")
	if !strings.HasPrefix(etag, `"`) || len(etag) > 256 {
		etag = "" // none, or a weak one, which does not promise the same bytes
	}
	if f.q.Plain {
		return 0, f.acceptPlain(resp)
	}
	if resp.StatusCode == http.StatusOK {
		return 0, f.part.begin(etag)
	}
	from := "bytes " + strings.TrimPrefix(asked, "bytes=")
	if asked == "" || !strings.HasPrefix(resp.Header.Get("Content-Range"), from) || !f.part.fixed && etag != f.part.etag {
		return 0, corridor.E(corridor.Invalid, "the provider sends another part than was asked for")
	}
	return 1, nil
}

// acceptPlain begins an answer of a provider that states no digest. Only the
// framing of HTTP tells a whole answer from a broken one then; an answer that
// ends with its connection has none.
func (f *fetch) acceptPlain(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return corridor.E(corridor.Invalid, "the provider sends another part than was asked for")
	}
	if resp.ContentLength < 0 && resp.ProtoMajor == 1 && len(resp.TransferEncoding) == 0 {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "the provider states no length, and its answer ends with the connection", Why: "an answer that broke off could not be told from a whole one",
			Fix: "let it send Content-Length, or chunks"}
	}
	return f.part.begin("")
}

// taken finishes an answer that was whole by the framing of HTTP.
func (f *fetch) taken() (Result, error) {
	r := Result{Bytes: f.part.size, SHA256: f.part.digest()}
	return r, f.part.complete()
}

// receive writes the stream to the part until it ends. skip bytes at its
// begin are there already and must be the same.
func (f *fetch) receive(ctx, alive context.Context, body io.Reader, silence *time.Timer, skip int64) error {
	for {
		n, err := body.Read(f.buf)
		silence.Reset(f.q.Idle)
		b := f.buf[:n]
		if skip > 0 && n > 0 {
			if b[0] != f.part.last {
				return f.spoilt("the stream does not go on where it broke")
			}
			b, skip = b[1:], 0
		}
		if err := f.part.write(b); err != nil {
			if corridor.KindOf(err) == corridor.Limited {
				f.part.remove()
			}
			return err
		}
		if f.q.Progress != nil && len(b) > 0 {
			f.q.Progress(f.part.size)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return f.broken(ctx, alive, err)
		}
	}
}

// spoilt drops a part that nothing can be made of.
func (f *fetch) spoilt(msg string) error {
	if f.part.fixed {
		return f.part.differs()
	}
	f.part.remove()
	return &corridor.Error{Kind: corridor.Invalid, Msg: msg, Why: "the digest of the provider is not that of the bytes that arrived", Fix: "fetch again: it begins from the start"}
}

// verify holds the trailer against what was received. A stream without one
// did not end, whatever it looks like.
func (f *fetch) verify(trailer http.Header) (Result, error) {
	digest := trailer.Get(HeaderDigest)
	if digest == "" {
		return Result{}, &retry{err: corridor.E(corridor.Unavailable, "the stream ended without its digest; a proxy on the way may remove HTTP trailers")}
	}
	length, err := strconv.ParseInt(trailer.Get(HeaderLength), 10, 64)
	if err != nil || length < 0 {
		return Result{}, corridor.E(corridor.Invalid, "the provider states no length")
	}
	sum, err := hex.DecodeString(strings.TrimPrefix(digest, "sha256:"))
	if err != nil || len(sum) != 32 || !strings.HasPrefix(digest, "sha256:") {
		return Result{}, corridor.E(corridor.Invalid, "the provider states a digest that is not SHA-256")
	}
	rows, err := strconv.ParseInt(trailer.Get(HeaderRows), 10, 64)
	if err != nil || rows < 0 {
		rows = 0
	}
	if length != f.part.size || digest != f.part.digest() {
		return Result{}, f.spoilt("what arrived is not what the provider sent")
	}
	if err := f.part.complete(); err != nil {
		return Result{}, err
	}
	return Result{Rows: rows, Bytes: length, SHA256: digest}, nil
}
