package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"time"
)

// The ways in which the network fails a message.
const (
	lostThere   = "message lost on its way"
	silentThere = "message lost on its way without a word"
	lostBack    = "answer lost on its way"
	silentBack  = "answer lost on its way without a word"
	doubled     = "message doubled"
	doubledLate = "message doubled much later"
	late        = "message late"
	lateBack    = "answer late"
	refused     = "message to a node that is down"
	cutThere    = "stream of a push cut"
	cutBack     = "stream of a fetch cut"
	nudges      = "nudge"
)

// messageFaults says how often each comes in a storm, of 1000 messages.
var messageFaults = []weighted{{lostThere, 60}, {silentThere, 20}, {lostBack, 60}, {silentBack, 20}, {doubled, 70}, {doubledLate, 40}, {late, 50}, {lateBack, 40}}

// streamFaults does so for streams.
var streamFaults = []weighted{{lostThere, 80}, {cutThere, 200}, {lostBack, 60}}

var (
	errReset   = errors.New("connection reset by peer")
	errNobody  = errors.New("connection refused")
	errTooLate = errors.New("the answer came too late")
)

// network carries messages between the sites of a world. What it does to each
// is drawn from who sends it, what it is, and how often it was sent before.
type network struct {
	w *world

	mu   sync.Mutex
	sent map[string]int
	pids map[string]string // names of processes in the story, in the order in which they were seen

	under counting // messages on their way
}

// link is the network as one life of a node sees it.
type link struct {
	net  *network
	from *life
}

var pidPattern = regexp.MustCompile(`urn(:|%3A)uuid(:|%3A)[0-9a-fA-F-]{36}`)

// label says what a message is, the same in every run of the same seed.
func (n *network) label(r *http.Request) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	path := pidPattern.ReplaceAllStringFunc(r.URL.Path, func(pid string) string {
		if n.pids[pid] == "" {
			n.pids[pid] = fmt.Sprintf("#%d", len(n.pids)+1)
		}
		return n.pids[pid]
	})
	return r.Method + " " + strings.TrimPrefix(path, "/dsp/2025-1")
}

// once counts the messages of one name.
func (n *network) again(name string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent[name]++
	return n.sent[name]
}

// RoundTrip implements http.RoundTripper.
func (l *link) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	to := l.net.w.sites[r.URL.Host]
	if to == nil {
		return nil, fmt.Errorf("there is no host %s", r.URL.Host)
	}
	if l.from.isDead() {
		r.Body.Close()
		return nil, errDead
	}
	what := l.net.label(r)
	name := l.from.site.name + " " + what
	n := l.net.again(name)
	c := &carriage{link: l, to: to, what: fmt.Sprintf("%s, %d", name, n), r: l.net.w.die.about("message", name, n)}
	if strings.HasPrefix(r.URL.Path, "/data/") {
		return c.stream(r)
	}
	return c.message(r)
}

// carriage is one message or stream under way.
type carriage struct {
	*link
	to   *site
	what string
	r    *rand.Rand // used before anything runs beside it
}

func (c *carriage) fault(from []weighted) string {
	w := c.net.w
	f := ""
	switch {
	case w.calm():
	case w.mode == storm:
		f = pick(c.r, from)
	case w.mode == oneMessage && c.r.IntN(12) == 0:
		f = from[c.r.IntN(len(from))].kind
	}
	if f != "" {
		w.story.note("%s: %s", c.what, f)
		w.story.count(f)
	}
	return f
}

// message carries a request with a bounded body and its answer. The other
// side gets it whether or not the sender still waits.
func (c *carriage) message(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	fault := c.fault(messageFaults)
	there, back := within(c.r, time.Millisecond, 30*time.Millisecond), within(c.r, time.Millisecond, 30*time.Millisecond)
	second := within(c.r, time.Millisecond, 2*time.Second)
	switch fault {
	case late:
		there = within(c.r, time.Second, 50*time.Second)
	case lateBack:
		back = within(c.r, time.Second, 50*time.Second)
	case doubledLate:
		second = within(c.r, 5*time.Second, 5*time.Minute)
	}
	c.net.w.story.count("message")
	if strings.HasSuffix(r.URL.Path, "/corridor-look") {
		c.net.w.story.count(nudges)
	}
	got := make(chan answer, 1)
	c.net.under.Go(func() { got <- c.carry(r, body, fault, there, back) })
	if fault == doubled || fault == doubledLate {
		c.net.under.Go(func() { c.carry(r, body, doubled, second, 0) })
	}
	select {
	case a := <-got:
		return a.resp, a.err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-c.from.ctx.Done():
		return nil, errDead
	}
}

type answer struct {
	resp *http.Response
	err  error
}

func (c *carriage) carry(r *http.Request, body []byte, fault string, there, back time.Duration) answer {
	time.Sleep(there)
	switch fault {
	case lostThere:
		return answer{err: errReset}
	case silentThere:
		time.Sleep(time.Minute) // longer than anybody waits
		return answer{err: errTooLate}
	}
	a := c.serve(r, body)
	if fault == silentBack {
		time.Sleep(time.Minute)
	}
	time.Sleep(back)
	if fault == lostBack || fault == silentBack {
		return answer{err: errReset}
	}
	return a
}

// serve lets the life that the other site has now answer.
func (c *carriage) serve(r *http.Request, body []byte) answer {
	to := c.to.now()
	if to == nil {
		c.net.w.story.note("%s: %s", c.what, refused)
		c.net.w.story.count(refused)
		return answer{err: errNobody}
	}
	to.serving.Add(1)
	defer to.serving.Done()
	q := arriving(to.ctx, r, io.NopCloser(bytes.NewReader(body)))
	w := httptest.NewRecorder()
	to.handler.ServeHTTP(w, q)
	if to.isDead() {
		return answer{err: errReset}
	}
	c.net.w.story.note("%s: %s answers %d", c.what, c.to.name, w.Code)
	resp := w.Result()
	resp.Request = r
	return answer{resp: resp}
}

func arriving(ctx context.Context, r *http.Request, body io.ReadCloser) *http.Request {
	q := r.Clone(ctx)
	q.Body, q.RemoteAddr, q.RequestURI = body, "192.0.2.1:443", r.URL.RequestURI()
	return q
}

// stream carries a request whose body or answer is long. Both sides see how
// far it came; a cut ends it somewhere.
func (c *carriage) stream(r *http.Request) (*http.Response, error) {
	fault := c.fault(streamFaults)
	whole := int64(-1)
	if fault == cutThere {
		whole = c.r.Int64N(fileBytes)
		if r.Method == http.MethodGet {
			c.net.w.story.count(cutBack)
		}
	}
	pace := within(c.r, 5*time.Millisecond, 300*time.Millisecond)
	c.net.w.story.count("stream")
	if err := sleep(r.Context(), pace); err != nil {
		r.Body.Close()
		return nil, err
	}
	to := c.to.now()
	if to == nil || fault == lostThere {
		r.Body.Close()
		return nil, errNobody
	}
	ctx, cancel := context.WithCancel(to.ctx)
	stop := context.AfterFunc(r.Context(), cancel)
	body := io.ReadCloser(http.NoBody)
	if r.Method != http.MethodGet {
		body = &slow{from: r.Body, alive: ctx, pace: pace, left: whole}
		whole = -1
	}
	pr, pw := io.Pipe()
	w := &streamed{head: http.Header{}, ready: make(chan struct{}), out: pw}
	context.AfterFunc(ctx, func() { pr.CloseWithError(errReset); pw.CloseWithError(errReset) })
	to.serving.Add(1)
	c.net.under.Go(func() {
		defer to.serving.Done()
		w.serve(to.handler, arriving(ctx, r, body))
		r.Body.Close()
		c.net.w.story.note("%s: %s answered %d", c.what, c.to.name, w.status)
	})
	select {
	case <-w.ready:
	case <-ctx.Done():
	}
	if ctx.Err() != nil || fault == lostBack {
		stop()
		cancel()
		return nil, errReset
	}
	resp := &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Header: w.sent, ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Trailer: http.Header{}, Request: r}
	resp.Body = &slow{from: pr, alive: ctx, pace: pace, left: whole, end: func(err error) {
		if err == io.EOF {
			for k := range strings.SplitSeq(w.sent.Get("Trailer"), ", ") {
				resp.Trailer[http.CanonicalHeaderKey(k)] = w.head.Values(k)
			}
		}
	}, closed: func() { stop(); cancel() }}
	return resp, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// slow is a body that comes in small parts, and may break off.
type slow struct {
	from   io.ReadCloser
	alive  context.Context
	pace   time.Duration
	left   int64 // bytes until it breaks off; below zero: it does not
	end    func(error)
	closed func()
}

const partBytes = 2000

func (s *slow) Read(p []byte) (int, error) {
	if err := sleep(s.alive, s.pace); err != nil {
		return 0, errReset
	}
	p = p[:min(len(p), partBytes)]
	if s.left >= 0 {
		p = p[:min(int64(len(p)), s.left)]
		if len(p) == 0 {
			return 0, io.ErrUnexpectedEOF
		}
	}
	n, err := s.from.Read(p)
	if s.left >= 0 {
		s.left -= int64(n)
	}
	if err != nil && s.end != nil {
		s.end(err)
	}
	return n, err
}

func (s *slow) Close() error {
	err := s.from.Close()
	if s.closed != nil {
		s.closed()
	}
	return err
}

// streamed is the writer of an answer that is read while it is written.
type streamed struct {
	head, sent http.Header
	status     int
	ready      chan struct{}
	out        *io.PipeWriter
}

func (w *streamed) Header() http.Header { return w.head }
func (w *streamed) Flush()              {}

func (w *streamed) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.head.Clone()
		close(w.ready)
	}
}

func (w *streamed) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.out.Write(p)
}

// serve runs a handler; one that ends by a panic ends its connection.
func (w *streamed) serve(h http.Handler, q *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			w.out.CloseWithError(io.ErrUnexpectedEOF)
			w.WriteHeader(http.StatusInternalServerError)
		}
	}()
	h.ServeHTTP(w, q)
	w.WriteHeader(http.StatusOK)
	w.out.Close()
}
