package plane

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
)

// pushing is a provider that pushes, and what it tells its authority.
type pushing struct {
	*authority
	src  Content
	plan Plan
}

func newPushing(src Content) *pushing {
	return &pushing{authority: &authority{now: time.Now}, src: src, plan: peoplePlan()}
}

func (p *pushing) push(ctx context.Context, url string, change ...func(*PushRequest)) (Result, error) {
	q := PushRequest{Transfer: transfer, URL: url, Client: http.DefaultClient, Backoff: time.Millisecond,
		Header: http.Header{"Authorization": {"Bearer open sesame"}},
		Grant: func(context.Context) (Grant, error) {
			return Grant{Transfer: transfer, Source: memSource{p.src}, Plan: p.plan, Key: testKey}, p.refuse
		}}
	for _, f := range change {
		f(&q)
	}
	return Push(ctx, p.authority, q)
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestWhatIsPushedIsTheOutcomeOfThePlan(t *testing.T) {
	data := people(3 << 20)
	want, _, err := transformed(t, peoplePlan(), string(data))
	if err != nil {
		t.Fatal(err)
	}
	p := newPushing(&memory{data: data})
	var got []byte
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer open sesame" {
			t.Errorf("%s %v %v", r.Method, r.Header, err)
		}
		p.set(func() {
			if len(p.finished) != 1 {
				t.Error("the body ended before the release was on record")
			}
		})
		got = b
		w.WriteHeader(http.StatusAccepted)
	})
	r, err := p.push(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want || r.SHA256 != corridor.Digest([]byte(want)) || r.Bytes != int64(len(want)) {
		t.Errorf("%d bytes arrived and %d belong there; result %+v", len(got), len(want), r)
	}
	if strings.Contains(string(got), "+7701") {
		t.Error("a telephone number was not masked")
	}
}

func TestAPushThatFails(t *testing.T) {
	data := people(1 << 20)
	broken := func(w http.ResponseWriter, r *http.Request) { // reads a little and hangs up
		_, _ = io.ReadFull(r.Body, make([]byte, 1000))
		panic(http.ErrAbortHandler)
	}
	for _, c := range []struct {
		name  string
		first http.HandlerFunc // the answer to the first attempt
		says  string           // "": the second attempt succeeds
	}{
		{"a sink that is busy is asked again", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, ""},
		{"a sink that hangs up is asked again", broken, ""},
		{"a sink that refuses is believed", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "answers 403"},
		{"a sink that sends elsewhere is not followed", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		}, "answers 307"},
		{"a sink that agrees before it has read all is not believed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusOK)
		}, "before it had read everything"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPushing(synthetic(64 << 20)) // more than any buffer on the way
			if c.says == "" {
				p.src = &memory{data: data}
			}
			var mu sync.Mutex
			calls := 0
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				calls++
				n := calls
				mu.Unlock()
				if n == 1 {
					c.first(w, r)
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
			})
			_, err := p.push(t.Context(), url)
			if c.says != "" {
				wantError(t, err, c.says)
				if calls != 1 {
					t.Errorf("%d requests were made", calls)
				}
				return
			}
			if err != nil || calls != 2 || len(p.failed) != 1 {
				t.Errorf("%v after %d requests and %d failures", err, calls, len(p.failed))
			}
		})
	}
}

func TestAPushGivesUp(t *testing.T) {
	p := newPushing(&memory{data: people(1000)})
	calls := 0
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { calls++; w.WriteHeader(http.StatusBadGateway) })
	_, err := p.push(t.Context(), url, func(q *PushRequest) { q.Attempts = 3 })
	wantError(t, err, "could not be delivered in 3 attempts", "502")
	if calls != 3 || corridor.KindOf(err) != corridor.Unavailable {
		t.Errorf("%d requests, kind %v", calls, corridor.KindOf(err))
	}
}

// What the sink gets when the release cannot be recorded, when the transfer is
// stopped, or when the source is at fault, is a body without an end.
func TestAPushThatMustNotEndHasNoEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(p *pushing, cancel func())
		says   string
	}{
		{"the release cannot be recorded", func(p *pushing, _ func()) { p.finish = corridor.E(corridor.Unavailable, "the disk is full") }, "the disk is full"},
		{"the transfer is stopped", func(p *pushing, cancel func()) {
			p.src = &memory{data: people(1 << 20), check: func() error { cancel(); return errors.New("gone") }}
		}, "stopped"},
		{"the source changes on the way", func(p *pushing, _ func()) {
			p.src = &memory{data: people(1 << 20), check: func() error { return corridor.E(corridor.Conflict, "the source has changed") }}
		}, "the source has changed"},
		{"the law withdraws its leave", func(p *pushing, _ func()) { p.refuse = corridor.E(corridor.RefusedByLaw, "PIPL says no") }, "PIPL says no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := newPushing(&memory{data: people(1 << 20)})
			c.change(p, cancel)
			var whole atomic.Bool
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err == nil {
					whole.Store(true)
				}
			}))
			_, err := p.push(ctx, srv.URL)
			srv.Close() // waits until the consumer has read what it gets
			wantError(t, err, c.says)
			if whole.Load() {
				t.Error("the consumer got a body with an end")
			}
		})
	}
}

// receiver is a consumer's exchange of one transfer.
type receiver struct {
	*authority
	dest    string
	limit   int64
	arrived []Result
	refused error // of Arrived
}

func (r *receiver) Receive(_ context.Context, id, token string) (Delivery, error) {
	if id != transfer || token != "open sesame" {
		return Delivery{}, corridor.E(corridor.Unauthenticated, "the token does not open this transfer")
	}
	return Delivery{Dest: r.dest, MaxBytes: r.limit}, r.refuse
}

func (r *receiver) Arriving(_ string, n int64) { r.sent.Store(n) }

func (r *receiver) Arrived(_ context.Context, _ string, res Result) error {
	r.arrived = append(r.arrived, res)
	return r.refused
}

func newReceiver(t *testing.T) (*receiver, *Handler, string) {
	t.Helper()
	to := &receiver{authority: &authority{now: time.Now}, dest: filepath.Join(t.TempDir(), "got.csv")}
	h := NewHandler(to, HandlerConfig{})
	return to, h, serve(t, h.ServeHTTP) + "/data/" + transfer
}

func TestAPushArrives(t *testing.T) {
	data := people(2 << 20)
	p := newPushing(&memory{data: data})
	to, _, url := newReceiver(t)
	for range 2 { // the second time as after a lost answer
		r, err := p.push(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(to.dest)
		if err != nil || corridor.Digest(got) != r.SHA256 || to.arrived[len(to.arrived)-1].SHA256 != r.SHA256 {
			t.Fatalf("%d bytes, %v, arrived %+v, sent %+v", len(got), err, to.arrived, r)
		}
	}
	other := newPushing(&memory{data: append(data, data...)})
	_, err := other.push(t.Context(), url)
	wantError(t, err, "409")
	if left, _ := filepath.Glob(to.dest + ".part*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestADeliveryThatIsNotTaken(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*receiver, *http.Request)
		status int
	}{
		{"no token", func(_ *receiver, r *http.Request) { r.Header.Del("Authorization") }, http.StatusUnauthorized},
		{"another token", func(_ *receiver, r *http.Request) { r.Header.Set("Authorization", "Bearer guess") }, http.StatusUnauthorized},
		{"the transfer is suspended", func(to *receiver, _ *http.Request) { to.refuse = corridor.E(corridor.Conflict, "suspended") }, http.StatusConflict},
		{"larger than agreed", func(to *receiver, _ *http.Request) { to.limit = 10 }, http.StatusTooManyRequests},
		{"an encoding nobody asked for", func(_ *receiver, r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, http.StatusUnprocessableEntity},
		{"the record cannot be written", func(to *receiver, _ *http.Request) { to.refused = corridor.E(corridor.Unavailable, "disk") }, http.StatusServiceUnavailable},
		{"stopped before it was on record", func(to *receiver, _ *http.Request) { to.refused = corridor.E(corridor.Gone, "terminated") }, http.StatusGone},
		{"another method", func(_ *receiver, r *http.Request) { r.Method = http.MethodDelete }, http.StatusMethodNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			to, _, url := newReceiver(t)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader("port,month\nKhorgos,1\n"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer open sesame")
			c.change(to, req)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != c.status {
				t.Errorf("status %d", resp.StatusCode)
			}
			if _, err := os.Stat(to.dest); err == nil && corridor.KindOf(to.refused) != corridor.Unavailable {
				t.Error("a file appeared")
			}
		})
	}
}

func TestADeliveryThatBreaksOffLeavesNothing(t *testing.T) {
	to, h, url := newReceiver(t)
	begin := func(t *testing.T) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(url, "/data/"+transfer), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, "POST /data/"+transfer+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer open sesame\r\nContent-Length: 1000\r\n\r\nhalf of it"); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return to.sent.Load() == 10 })
		to.sent.Store(0)
		return c
	}
	gone := func(t *testing.T) {
		t.Helper()
		waitFor(t, func() bool { left, _ := filepath.Glob(to.dest + "*"); return len(left) == 0 && h.Running() == 0 })
		if len(to.arrived) != 0 {
			t.Errorf("arrived: %+v", to.arrived)
		}
	}
	t.Run("the provider hangs up", func(t *testing.T) {
		begin(t).Close()
		gone(t)
	})
	t.Run("the transfer is stopped", func(t *testing.T) {
		c := begin(t)
		if n := h.Stop(transfer, "suspended"); n != 1 {
			t.Errorf("%d were running", n)
		}
		answer, err := io.ReadAll(c)
		if err != nil || !bytes.Contains(answer, []byte("403")) || !bytes.Contains(answer, []byte("suspended")) {
			t.Errorf("answer %q, %v", answer, err)
		}
		gone(t)
	})
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for ctx := t.Context(); !ok(); {
		select {
		case <-ctx.Done():
			t.Fatal("waited in vain")
		case <-time.After(time.Millisecond):
		}
	}
}

// A provider that is no Corridor gives no digest: what came is whole if HTTP
// says so, and is never taken up in the middle.
func TestFetchFromAPlainProvider(t *testing.T) {
	data := people(300_000)
	raw := func(head string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, head)
			_, _ = c.Write(body)
		}
	}
	whole := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			t.Error("a part was asked for")
		}
		_, _ = w.Write(data) // larger than the buffer: in chunks
	}
	for _, c := range []struct {
		name  string
		first http.HandlerFunc
		then  http.HandlerFunc // the second request; nil: there must be none
		says  string           // "": it arrives
	}{
		{"chunks", whole, nil, ""},
		{"a length", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "300100")
			_, _ = w.Write(data[:300_000])
			_, _ = w.Write(make([]byte, 100))
		}, nil, ""},
		{"broken off in the middle: from the beginning", raw("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n", data[:5000]), whole, ""},
		{"a chunk is missing: from the beginning", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", nil), whole, ""},
		{"an end that is only the connection's", raw("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", data[:5000]), nil, "ends with the connection"},
		{"refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, nil, "403"},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := 0
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				if calls == 1 {
					c.first(w, r)
					return
				}
				if c.then == nil {
					t.Error("asked again")
					return
				}
				c.then(w, r)
			})
			q := FetchRequest{URL: url, Dest: filepath.Join(t.TempDir(), "f"), Plain: true, Client: http.DefaultClient, Backoff: time.Millisecond,
				Token: func(context.Context, string) (string, error) { return "t", nil }}
			r, err := Fetch(t.Context(), q)
			if c.says != "" {
				wantError(t, err, c.says)
				if _, err := os.Stat(q.Dest); err == nil {
					t.Error("a file appeared")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(q.Dest)
			if err != nil || corridor.Digest(got) != r.SHA256 || int64(len(got)) != r.Bytes || !bytes.HasPrefix(got, data[:300_000]) {
				t.Errorf("%d bytes, result %+v, %v", len(got), r, err)
			}
		})
	}
	t.Run("another file is there already", func(t *testing.T) {
		url := serve(t, whole)
		q := FetchRequest{URL: url, Dest: filepath.Join(t.TempDir(), "f"), Plain: true, Client: http.DefaultClient, Backoff: time.Millisecond,
			Token: func(context.Context, string) (string, error) { return "t", nil }}
		if err := os.WriteFile(q.Dest, bytes.Repeat([]byte("x"), len(data)), 0o600); err != nil { // of the same length
			t.Fatal(err)
		}
		_, err := Fetch(t.Context(), q)
		wantError(t, err, "another file of this name")
	})
}
