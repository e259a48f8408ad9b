package plane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"corridor"
)

// PushRequest says what to send and where to.
type PushRequest struct {
	Transfer string
	URL      string
	Method   string       // POST or PUT; empty: POST
	Header   http.Header  // what opens the sink; may be nil
	Client   *http.Client // guarded; its Timeout and redirects are not used
	// Grant gives what may be sent, anew for every attempt.
	Grant    func(ctx context.Context) (Grant, error)
	Attempts int                 // 0: 5
	Backoff  time.Duration       // first pause between attempts, doubled up to 30 s; 0: 1 s
	Idle     time.Duration       // longest time without any progress; 0: 2 minutes
	Gate     *Gate               // at which it takes its turns; nil: at none
	Chance   func(n int64) int64 // draws a number below n, for the pauses; nil: rand.Int64N
}

// Push sends a transfer's outcome to an HTTP address in one request. An
// attempt that breaks off is made again from the beginning: a sink has no way
// to say how far it came. The Authority hears of it as of a stream that is
// fetched, with one difference: the end of the body is released only after
// Finished, and it can still be that the sink refuses what it has then.
func Push(ctx context.Context, a Authority, q PushRequest) (Result, error) {
	p, err := newPush(a, q)
	if err != nil {
		return Result{}, err
	}
	pause := p.q.Backoff
	for attempt := 1; ; attempt++ {
		r, err := p.attempt(ctx)
		var again *retry
		switch {
		case err == nil:
			return r, nil
		case ctx.Err() != nil:
			return Result{}, fmt.Errorf("the push was stopped: %w", context.Cause(ctx))
		case !errors.As(err, &again):
			return Result{}, err
		case attempt >= p.q.Attempts:
			return Result{}, &corridor.Error{Kind: corridor.Unavailable, Msg: fmt.Sprintf("the data could not be delivered in %d attempts", attempt), Err: again.err,
				Fix: "see that the consumer's address takes it, then start the transfer again"}
		}
		if err := sleep(ctx, max(about(pause, p.q.Chance), again.after)); err != nil {
			return Result{}, err
		}
		pause = min(2*pause, maxBackoff)
	}
}

// push is one call of Push, used by one goroutine but for what send owns.
type push struct {
	a      Authority
	q      PushRequest
	client *http.Client
}

func newPush(a Authority, q PushRequest) (*push, error) {
	if q.Client == nil || q.Grant == nil || q.Transfer == "" {
		return nil, corridor.E(corridor.Invalid, "a push needs a transfer, a grant and a client")
	}
	if q.Method == "" {
		q.Method = http.MethodPost
	}
	if q.Attempts <= 0 {
		q.Attempts = 5
	}
	if q.Backoff <= 0 {
		q.Backoff = time.Second
	}
	if q.Idle <= 0 {
		q.Idle = 2 * time.Minute
	}
	c := *q.Client
	c.Timeout = 0 // the silence is bounded, not the whole
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &push{a: a, q: q, client: &c}, nil
}

// attempt makes one request. The outcome is made by a goroutine of its own
// while the request reads it; it has ended when attempt returns.
func (p *push) attempt(ctx context.Context) (Result, error) {
	g, err := p.q.Grant(ctx)
	if err != nil {
		return Result{}, err
	}
	alive, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !g.ExpiresAt.IsZero() {
		t := time.AfterFunc(time.Until(g.ExpiresAt), func() { cancel(corridor.E(corridor.Gone, "the agreement has run out")) })
		defer t.Stop()
	}
	silence := time.AfterFunc(p.q.Idle, func() { cancel(&retry{err: fmt.Errorf("the consumer took nothing for %v", p.q.Idle)}) })
	defer silence.Stop()
	if err := p.a.Started(alive, p.q.Transfer, 0); err != nil {
		return Result{}, err
	}
	body, out := io.Pipe()
	made := make(chan outcome, 1)
	go func() { made <- p.make(alive, g, &paced{w: out, silence: silence, idle: p.q.Idle}, out) }()
	resp, err := p.post(alive, body)
	body.CloseWithError(errNobodyReads) // if the sink answered early, or not at all
	o := <-made
	if err != nil {
		return Result{}, p.failed(ctx, alive, o, err)
	}
	defer resp.Body.Close()
	return p.answered(ctx, alive, o, resp)
}

var errNobodyReads = errors.New("the consumer does not read on")

// outcome is how the making of an outcome went.
type outcome struct {
	Result
	sent int64
	err  error
}

// make writes the outcome and ends the body. The release is on record before
// the end of the body is: a consumer that has all of it has a whole one.
func (p *push) make(ctx context.Context, g Grant, w io.Writer, out *io.PipeWriter) outcome {
	s := newSink(w)
	s.maxBytes, s.maxRows = g.MaxBytes, g.MaxRows
	s.through(ctx, p.q.Gate)
	err := p.run(ctx, g, s)
	r := s.result()
	if err == nil {
		err = p.a.Finished(ctx, p.q.Transfer, r)
	}
	out.CloseWithError(err) // nil: the end
	return outcome{r, s.bytes, err}
}

func (p *push) run(ctx context.Context, g Grant, s *sink) error {
	if g.Source == nil {
		return corridor.E(corridor.Internal, "the grant names no source")
	}
	src, err := g.Source.Open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	program, err := programOf(ctx, src, g)
	if err != nil {
		return err
	}
	if err := program.run(ctx, point{}, s); err != nil {
		return err
	}
	return src.Check()
}

func (p *push) post(ctx context.Context, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, p.q.Method, p.q.URL, io.NopCloser(body))
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the address of the sink: %w", err)
	}
	for k, v := range p.q.Header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	return p.client.Do(req)
}

// failed sorts a request that got no answer. What made the outcome fail comes
// first: the network only felt it.
func (p *push) failed(ctx, alive context.Context, o outcome, err error) error {
	var w *writeError
	if o.err != nil && !errors.As(o.err, &w) && ctx.Err() == nil {
		err = o.err
	} else if cause := context.Cause(alive); cause != nil && ctx.Err() == nil {
		err = cause
	} else if kind := corridor.KindOf(err); kind != corridor.Forbidden && kind != corridor.Limited && kind != corridor.Invalid {
		err = &retry{err: err}
	}
	p.a.Failed(context.WithoutCancel(ctx), p.q.Transfer, o.sent, err)
	return err
}

// answered sorts the sink's answer.
func (p *push) answered(ctx, alive context.Context, o outcome, resp *http.Response) (Result, error) {
	var err error
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		err = refusedBy(resp)
	case o.err == nil:
		return o.Result, nil
	case errors.Is(o.err, errNobodyReads):
		err = corridor.E(corridor.Invalid, "the consumer answered %d before it had read everything", resp.StatusCode)
	default:
		return Result{}, p.failed(ctx, alive, o, o.err)
	}
	p.a.Failed(context.WithoutCancel(ctx), p.q.Transfer, o.sent, err)
	return Result{}, err
}

// refusedBy is the error of a sink that does not take the data.
func refusedBy(resp *http.Response) error {
	r := readRefusal(resp)
	r.err.Msg = "the consumer's address answers " + resp.Status + " to the data"
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &retry{err: r.err, after: r.after}
	}
	return r.err
}

// paced puts off the end of patience with every part that is taken.
type paced struct {
	w       io.Writer
	silence *time.Timer
	idle    time.Duration
}

// Write implements io.Writer.
func (p *paced) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.silence.Reset(p.idle)
	return n, err
}
