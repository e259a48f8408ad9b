package plane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"corridor"
)

// HandlerConfig bounds a Handler. The zero value has usable defaults.
type HandlerConfig struct {
	Prefix       string        // path before the transfer id; empty: "/data/"
	MaxStreams   int           // running at once; 0: 512
	WriteTimeout time.Duration // longest that one write may wait for the consumer; 0: 1 minute
	ReadTimeout  time.Duration // longest that one read may wait for the provider of a push; 0: 1 minute
	Gate         *Gate         // at which the streams take their turns; nil: at none
	Log          *slog.Logger  // nil: silent
}

// Handler serves GET {prefix}{transfer}: the provider's end of the plane. With
// a Receiver it also serves POST and PUT there: the consumer's end of a push.
//
// A stream that breaks off ends with panic(http.ErrAbortHandler), the way that
// net/http has for it: a plain return would send a clean end. Middleware must
// let that panic through; if it does not, the connection is closed all the
// same, and the digest in the trailer is missing.
type Handler struct {
	auth  Authority
	cfg   HandlerConfig
	slots chan struct{}
	marks marks

	mu      sync.Mutex // guards running
	running map[string]map[running]struct{}
}

// running is what Stop can cut.
type running interface{ stop(cause error) }

// NewHandler makes the provider's end of the data plane.
func NewHandler(a Authority, c HandlerConfig) *Handler {
	c.Prefix = orElse(c.Prefix, "/data/")
	if c.MaxStreams <= 0 {
		c.MaxStreams = 512
	}
	if c.WriteTimeout <= 0 {
		c.WriteTimeout = time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.ReadTimeout <= 0 {
		c.ReadTimeout = time.Minute
	}
	return &Handler{auth: a, cfg: c, slots: make(chan struct{}, c.MaxStreams), running: map[string]map[running]struct{}{}}
}

// Stop cuts the running streams of a transfer at once and says how many there
// were. Call it after the state that refuses new ones is committed: a request
// that asked the Authority before is cut here, one that comes after is refused
// there.
func (h *Handler) Stop(transfer, reason string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.running[transfer] {
		s.stop(corridor.E(corridor.Forbidden, "the transfer was stopped: %s", reason))
	}
	return len(h.running[transfer])
}

// Transfers lists those of which streams are open.
func (h *Handler) Transfers() (list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for transfer := range h.running {
		list = append(list, transfer)
	}
	return list
}

// Streams says whether a stream of a transfer is open.
func (h *Handler) Streams(transfer string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.running[transfer]) > 0
}

// Running says how many streams are open.
func (h *Handler) Running() int { return len(h.slots) }

func (h *Handler) enter(transfer string, s running) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running[transfer] == nil {
		h.running[transfer] = map[running]struct{}{}
	}
	h.running[transfer][s] = struct{}{}
}

func (h *Handler) leave(transfer string, s running) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.running[transfer], s)
	if len(h.running[transfer]) == 0 {
		delete(h.running, transfer)
	}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to, takes := h.auth.(Receiver)
	pushed := takes && (r.Method == http.MethodPost || r.Method == http.MethodPut)
	if r.Method != http.MethodGet && !pushed {
		allow := http.MethodGet
		if takes {
			allow = "GET, POST, PUT"
		}
		w.Header().Set("Allow", allow)
		refuse(w, http.StatusMethodNotAllowed, corridor.E(corridor.Invalid, "the data plane answers %s only", allow))
		return
	}
	transfer, ok := strings.CutPrefix(r.URL.Path, h.cfg.Prefix)
	if !ok || transfer == "" || len(transfer) > 256 || strings.Contains(transfer, "/") {
		fail(w, corridor.E(corridor.NotFound, "there is no transfer at this address"))
		return
	}
	token, err := bearer(r)
	if err != nil {
		fail(w, err)
		return
	}
	if pushed {
		h.receive(w, r, to, transfer, token)
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	// The stream is known to Stop before the Authority is asked, so that no
	// instant is left between its answer and the stream's begin.
	s := &stream{h: h, w: w, rc: http.NewResponseController(w), cancel: cancel, transfer: transfer, began: time.Now()}
	h.enter(transfer, s)
	defer h.leave(transfer, s)
	h.serve(ctx, s, r, token)
}

// serve opens the grant and runs the stream. Every error before the stream's
// first byte is an HTTP answer; every later one cuts the connection.
func (h *Handler) serve(ctx context.Context, s *stream, r *http.Request, token string) {
	var err error
	if s.grant, err = h.auth.Grant(ctx, s.transfer, token); err != nil {
		fail(s.w, stopped(ctx, err))
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		s.w.Header().Set("Retry-After", "2")
		fail(s.w, corridor.E(corridor.Unavailable, "the provider has no free stream"))
		return
	}
	err = h.open(ctx, s, r)
	if s.src != nil {
		defer s.src.Close()
	}
	if err != nil {
		s.log(err)
		fail(s.w, stopped(ctx, err))
		return
	}
	if !s.grant.ExpiresAt.IsZero() {
		t := time.AfterFunc(time.Until(s.grant.ExpiresAt), func() { s.stop(corridor.E(corridor.Gone, "the agreement has run out")) })
		defer t.Stop()
	}
	err = h.stream(ctx, s)
	s.log(err)
	switch {
	case err == nil:
	case !s.begun:
		s.answer(err)
	default:
		s.cut()
		panic(http.ErrAbortHandler)
	}
}

// stream runs what was opened and tells the Authority how it went.
func (h *Handler) stream(ctx context.Context, s *stream) error {
	if err := h.auth.Started(ctx, s.transfer, s.offset); err != nil {
		return err
	}
	err := s.run(ctx)
	if err == nil {
		err = s.finish(ctx)
	}
	if err != nil {
		err = stopped(ctx, err)
		h.auth.Failed(context.WithoutCancel(ctx), s.transfer, s.sink.bytes, err)
	}
	return err
}

// open opens what is granted and reads what the request wants of it.
func (h *Handler) open(ctx context.Context, s *stream, r *http.Request) error {
	var err error
	if s.grant.Source == nil {
		return corridor.E(corridor.Internal, "the grant names no source")
	}
	if s.src, err = s.grant.Source.Open(ctx); err != nil {
		return err
	}
	if s.program, err = programOf(ctx, s.src, s.grant); err != nil {
		return err
	}
	if s.etag, err = entityTag(s.src, s.grant); err != nil {
		return err
	}
	if err := h.marks.failure(s.transfer, s.etag); err != nil {
		return err
	}
	s.offset, err = wanted(r.Header, s.etag)
	return err
}

// programOf also reads the rows of a plan without stages if they are limited.
func programOf(ctx context.Context, src Content, g Grant) (program, error) {
	if len(g.Plan.Stages) > 0 || g.MaxRows <= 0 {
		return prepare(ctx, src, g.Plan, g.Key)
	}
	if err := g.Plan.Validate(); err != nil {
		return nil, err
	}
	return prepareRows(ctx, src, g.Plan, g.Key)
}

// stopped prefers the reason why a context ended to what came of it.
func stopped(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

func bearer(r *http.Request) (string, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > MaxToken || len(r.Header["Authorization"]) != 1 {
		return "", &corridor.Error{Kind: corridor.Unauthenticated, Msg: "the request carries no access token", Fix: "send the token of the transfer's start message as Authorization: Bearer"}
	}
	return token, nil
}

// wanted reads from where on the consumer wants the outcome. If-Match says
// that it holds a part of one certain outcome: if that is no longer what
// there is, the request is refused (RFC 9110 section 13.1.1). Ranges of other
// shapes than "bytes=N-" are ignored, as the RFC allows.
func wanted(h http.Header, etag string) (int64, error) {
	if m := h.Get("If-Match"); m != "" && m != "*" && m != etag {
		return 0, &corridor.Error{Kind: corridor.Conflict, Where: "If-Match", Msg: "the source, the plan or the key changed since the stream began", Fix: "drop the part that was received and fetch from the beginning"}
	}
	if m := h.Get("If-Range"); m != "" && m != etag {
		return 0, nil
	}
	after, unit := strings.CutPrefix(h.Get("Range"), "bytes=")
	from, open := strings.CutSuffix(after, "-")
	if !unit || !open {
		return 0, nil
	}
	n, err := strconv.ParseInt(from, 10, 64)
	if err != nil || n < 0 {
		return 0, nil
	}
	return n, nil
}

// entityTag names the outcome: same tag, same bytes, and the same faults.
func entityTag(src Content, g Grant) (string, error) {
	plan, err := g.Plan.Digest()
	if err != nil {
		return "", err
	}
	key := ""
	if g.Plan.Pseudonymises() {
		key = corridor.Commit(g.Key, []byte("key id")) // tells keys apart, does not tell the key
	}
	name := corridor.Digest(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%d %d", outcomeVersion, src.Version(), plan, key, g.MaxBytes, g.MaxRows))
	return `"` + strings.TrimPrefix(name, "sha256:")[:32] + `"`, nil
}
