package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

// kind says which shell a route has.
type kind int

const (
	open   kind = iota // anybody
	peer               // a participant, proven by a token
	claim              // a party of the Decentralized Claims Protocol, proven by a token
	admin              // the operator
	stream             // passes through: a handler with its own shell
)

// route is one line of the table.
type route struct {
	pattern string
	kind    kind
	family  dsp.Type // for peers: what an error object belongs to
	role    dsp.Role // for peers: whose identifier the path holds, if that is one's alone
	status  int      // of success
	files   bool     // reads whole files of the operator, of any size
	call    func(*request) (any, error)
	through http.Handler // stream
}

// request is what a handler gets. It fills in what the request's log line
// should say.
type request struct {
	*http.Request
	ctx    context.Context
	body   []byte
	caller identity.Caller
	family dsp.Type
	header http.Header // of the answer
	// pids as far as they are known, for error objects
	provider, consumer string
}

// raw is an answer that is written as it is.
type raw struct {
	status      int // 0: that of the route
	contentType string
	body        []byte
}

// shell is what every request passes: a bounded body, a deadline, the caller
// proven, the handler, the answer or the error, and one line in the log.
func (s *server) shell(rt route) http.Handler {
	if rt.kind == stream {
		return rt.through
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		timeout := rt.timeout()
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		// A test server or a middleware may not support deadlines: then the
		// server's own limits stand alone.
		_ = http.NewResponseController(w).SetWriteDeadline(began.Add(timeout + 10*time.Second))
		q := &request{Request: r.WithContext(ctx), ctx: ctx, family: rt.family, header: w.Header()}
		answer, err := s.answer(rt, w, q)
		status := s.write(w, rt, q, answer, err)
		s.event(rt, q, status, time.Since(began), err)
	})
}

// timeout is how long a request may take.
func (rt route) timeout() time.Duration {
	switch {
	case rt.kind == admin && rt.files:
		return fileTimeout
	case rt.kind == admin:
		return callTimeout + maxWait
	}
	return callTimeout
}

func (s *server) answer(rt route, w http.ResponseWriter, q *request) (answer any, err error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return nil, &corridor.Error{Kind: corridor.Unavailable, Msg: "too many requests at once", Fix: "try again"}
	}
	defer func() {
		if p := recover(); p != nil {
			s.log.ErrorContext(q.ctx, "bug in a handler", "panic", p, "stack", string(debug.Stack()))
			answer, err = nil, corridor.E(corridor.Internal, "internal error")
		}
	}()
	switch rt.kind {
	case peer:
		q.named(rt)
		if err := readable(q.Request); err != nil {
			return nil, err
		}
		if q.caller, err = s.verify(q); err != nil {
			return nil, err
		}
		defer func() {
			if used := noteUse(q); used != nil {
				answer, err = nil, used
			}
		}()
	case claim:
		if s.cfg.Claims == nil {
			return nil, corridor.E(corridor.NotFound, "this node keeps no credentials")
		}
		if q.caller, err = s.cfg.Claims.Callers.Verify(q.ctx, q.Header.Get("Authorization")); err != nil {
			return nil, err
		}
	case admin:
		if err := s.mayManage(q.Request); err != nil {
			return nil, err
		}
	}
	if err := storable(q.Request); err != nil {
		return nil, err
	}
	if q.body, err = body(w, q.Request); err != nil {
		return nil, err
	}
	return rt.call(q)
}

// named notes the identifier that the path holds, so that a refusal says which
// process it is about even if the message cannot be read.
func (q *request) named(rt route) {
	switch rt.role {
	case dsp.Provider:
		q.provider = q.PathValue("pid")
	case dsp.Consumer:
		q.consumer = q.PathValue("pid")
	}
}

// errMediaType marks a body that is in no form that can be read here.
var errMediaType = errors.New("media type")

// readable checks what a peer says that its message is written in; one that
// says nothing means the protocol's own.
func readable(r *http.Request) error {
	given := r.Header.Get("Content-Type")
	if given == "" || r.Method == http.MethodGet {
		return nil
	}
	media, _, err := mime.ParseMediaType(given)
	if err == nil && (media == dsp.MediaType || media == dsp.LDMediaType) {
		return nil
	}
	return &corridor.Error{Kind: corridor.Invalid, Where: "Content-Type", Err: errMediaType,
		Msg: "is not a media type that messages are read in", Fix: "send " + dsp.MediaType + " or " + dsp.LDMediaType}
}

// storable refuses names that no database here can hold: they are those of
// nothing.
func storable(r *http.Request) error {
	for where, text := range map[string]string{"path": r.URL.Path, "query": r.URL.RawQuery} {
		if where == "query" {
			text, _ = url.QueryUnescape(text) // what cannot be unescaped is not read either
		}
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: "holds a NUL or text that is not UTF-8", Fix: "send names as they were given"}
		}
	}
	return nil
}

// verify proves the caller. A question's token is used up before it is
// answered; a message's with what the message changes.
func (s *server) verify(q *request) (identity.Caller, error) {
	token := q.Header.Get("Authorization")
	if p, can := s.cfg.Verifier.(prover); can && q.Method != http.MethodGet {
		return p.Prove(q.ctx, token)
	}
	return s.cfg.Verifier.Verify(q.ctx, token)
}

// noteUse makes sure that the token of a message that changed nothing is used
// up too, before anything is answered.
func noteUse(q *request) error {
	if q.caller.Use == nil {
		return nil
	}
	return q.caller.Use.Note(q.ctx)
}

// usualBody is how much room a caller gets by announcing a length.
const usualBody = 64 << 10

// body reads a bounded body.
func body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Method == http.MethodGet {
		return nil, nil
	}
	var read bytes.Buffer
	if n := r.ContentLength; n > 0 && n <= usualBody {
		read.Grow(int(n) + bytes.MinRead) // ReadFrom wants that much room to see the end
	}
	_, err := read.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, &corridor.Error{Kind: corridor.Limited, Msg: "the body is over the limit of " + strconv.Itoa(maxBody) + " bytes", Fix: "send less in one message"}
	}
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the body broke off: %w", err)
	}
	return read.Bytes(), nil
}

func (s *server) write(w http.ResponseWriter, rt route, q *request, answer any, err error) int {
	if err != nil {
		return writeError(w, rt, q, err)
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	var out []byte
	h.Set("Content-Type", dsp.MediaType)
	switch a := answer.(type) {
	case nil:
	case raw:
		h.Set("Content-Type", a.contentType)
		out = a.body
	case dsp.Message:
		out, err = dsp.Encode(a)
	case exchange.Negotiation:
		out, err = a.JSON()
	default:
		out, err = encode(a)
	}
	if err != nil {
		return writeError(w, rt, q, err)
	}
	status := rt.status
	if a, ok := answer.(raw); ok && a.status != 0 {
		status = a.status
	}
	if status == 0 {
		status = http.StatusOK
	}
	if status == http.StatusNotModified {
		h.Del("Content-Type")
	} else {
		h.Set("Content-Length", strconv.Itoa(len(out)))
	}
	w.WriteHeader(status)
	w.Write(out) // a caller that has gone asks again
	return status
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, corridor.E(corridor.Internal, "answer: %w", err)
	}
	return b.Bytes(), nil
}

// event writes the request's one line.
func (s *server) event(rt route, q *request, status int, took time.Duration, err error) {
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
	}
	attrs := []any{"route", rt.pattern, "path", q.URL.Path, "status", status, "took", took, "from", q.RemoteAddr}
	if q.caller.DID != "" {
		attrs = append(attrs, "caller", q.caller.DID)
	}
	if err != nil {
		attrs = append(attrs, "kind", corridor.KindOf(err).String(), "error", err)
	}
	s.log.Log(q.ctx, level, "request", attrs...)
}

// message decodes a message of the protocol and calls a use case with it.
func message[T any, P interface {
	*T
	dsp.Message
}, A dsp.Message](call func(ctx context.Context, c identity.Caller, pid string, m *T) (A, error)) func(*request) (any, error) {
	return func(q *request) (any, error) {
		m, err := dsp.Decode[T, P](q.body)
		if err != nil {
			return nil, err
		}
		if p, ok := any(m).(dsp.Process); ok {
			q.provider, q.consumer = p.PIDs()
		}
		return called(call(q.ctx, q.caller, q.PathValue("pid"), m))
	}
}

// state calls a use case whose message is empty.
func state[A any](call func(ctx context.Context, c identity.Caller, pid string) (A, error)) func(*request) (any, error) {
	return func(q *request) (any, error) { return called(call(q.ctx, q.caller, q.PathValue("pid"))) }
}

// called keeps a nil pointer from becoming an answer.
func called[A any](a A, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return a, nil
}

// opening adapts a use case that begins a process and so has no pid.
func opening[T, A any](call func(ctx context.Context, c identity.Caller, m *T) (A, error)) func(context.Context, identity.Caller, string, *T) (A, error) {
	return func(ctx context.Context, c identity.Caller, _ string, m *T) (A, error) { return call(ctx, c, m) }
}
