package plane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"corridor"
)

// memSource opens a content held in memory.
type memSource struct{ c Content }

func (m memSource) Open(context.Context) (Content, error) { return m.c, nil }

// authority is an exchange of one transfer.
type authority struct {
	mu       sync.Mutex
	tokens   *Tokens
	grant    Grant
	refuse   error // of Grant
	finish   error // of Finished, once
	now      func() time.Time
	finished []Result
	failed   []error
	started  []int64
	sent     atomic.Int64
}

const (
	consumer = "did:web:hospital.example"
	transfer = "urn:uuid:1"
)

func (a *authority) Grant(_ context.Context, id, token string) (Grant, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, err := a.tokens.Check(token, a.now())
	if err != nil {
		return Grant{}, err
	}
	if id != a.grant.Transfer {
		return Grant{}, corridor.E(corridor.NotFound, "there is no such transfer")
	}
	if err := c.Match(id, a.grant.Agreement, a.grant.Consumer); err != nil {
		return Grant{}, err
	}
	return a.grant, a.refuse
}

func (a *authority) Started(_ context.Context, _ string, offset int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.started = append(a.started, offset)
	return nil
}

func (a *authority) Progress(_ string, sent int64) { a.sent.Store(sent) }

func (a *authority) Finished(_ context.Context, _ string, r Result) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.finish; err != nil {
		a.finish = nil
		return err
	}
	a.finished = append(a.finished, r)
	return nil
}

func (a *authority) Failed(_ context.Context, _ string, _ int64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = append(a.failed, err)
}

func (a *authority) set(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// link is a provider and a consumer with real HTTP between them.
type link struct {
	auth    *authority
	handler *Handler
	wrap    func(http.Handler) http.Handler
	server  *httptest.Server
	dest    string
}

func newLink(t testing.TB, src Content, plan Plan) *link {
	t.Helper()
	tokens, err := NewTokens(bytes.Repeat([]byte("s"), 32))
	if err != nil {
		t.Fatal(err)
	}
	l := &link{dest: filepath.Join(t.TempDir(), "got.csv")}
	l.auth = &authority{tokens: tokens, now: time.Now, grant: Grant{Agreement: "agr-1", Transfer: transfer, Consumer: consumer, Source: memSource{src}, Plan: plan, Key: testKey}}
	l.handler = NewHandler(l.auth, HandlerConfig{})
	l.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var h http.Handler = l.handler
		if l.wrap != nil {
			h = l.wrap(h)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { l.server.CloseClientConnections(); l.server.Close() })
	return l
}

func (l *link) mint(t testing.TB, audience string, until time.Time) string {
	t.Helper()
	tok, err := l.auth.tokens.Mint(Claims{Transfer: transfer, Agreement: "agr-1", Audience: audience, Expires: until.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func (l *link) request(t testing.TB) FetchRequest {
	tok := l.mint(t, consumer, time.Now().Add(time.Hour))
	return FetchRequest{URL: l.server.URL + "/data/" + transfer, Dest: l.dest, Client: l.server.Client(), Backoff: time.Millisecond,
		Token: func(context.Context, string) (string, error) { return tok, nil }}
}

func (l *link) fetch(t testing.TB) (Result, error) { return Fetch(t.Context(), l.request(t)) }

// heard waits until no request runs and gives what the authority heard.
func (l *link) heard() struct {
	started  []int64
	finished []Result
	failed   []error
} {
	for busy := true; busy; time.Sleep(time.Millisecond) {
		l.handler.mu.Lock()
		busy = len(l.handler.running) > 0
		l.handler.mu.Unlock()
	}
	l.auth.mu.Lock()
	defer l.auth.mu.Unlock()
	return struct {
		started  []int64
		finished []Result
		failed   []error
	}{slices.Clone(l.auth.started), slices.Clone(l.auth.finished), slices.Clone(l.auth.failed)}
}

// arrived checks that the file is there, whole, and nothing else is.
func (l *link) arrived(t testing.TB, want string) {
	t.Helper()
	got, err := os.ReadFile(l.dest)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Fatalf("the file has %d bytes, and they are not the outcome of %d", len(got), len(want))
	}
	if names, _ := filepath.Glob(l.dest + ".part*"); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func (l *link) absent(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(l.dest); err == nil {
		t.Fatal("a file is there under the final name")
	}
}

// cutter breaks the connection after some bytes of the body.
type cutter struct {
	http.ResponseWriter
	left int64
}

func (c *cutter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
func (c *cutter) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		n, _ := c.ResponseWriter.Write(p[:c.left])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		c.left = 0
		return n, errors.New("cut")
	}
	c.left -= int64(len(p))
	return c.ResponseWriter.Write(p)
}

func cutting(at func() int64) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n := at(); n >= 0 {
				w = &cutter{w, n}
			}
			h.ServeHTTP(w, r)
		})
	}
}

func TestAFileArrivesWholeWithTheProvidersDigest(t *testing.T) {
	src := &memory{data: people(700_000)}
	want, r, err := transformed(t, peoplePlan(), string(src.data))
	if err != nil {
		t.Fatal(err)
	}
	l := newLink(t, src, peoplePlan())
	got, err := l.fetch(t)
	if err != nil {
		t.Fatal(err)
	}
	if got != r {
		t.Errorf("got %+v, want %+v", got, r)
	}
	l.arrived(t, want)
	if len(l.heard().finished) != 1 || l.heard().finished[0] != r || l.auth.sent.Load() != r.Bytes {
		t.Errorf("the authority heard %+v and %d", l.heard().finished, l.auth.sent.Load())
	}
}

func TestCutsAtAnyOffsetAreTakenUp(t *testing.T) {
	src := &memory{data: people(400_000), version: "v1"}
	want, _, err := transformed(t, peoplePlan(), string(src.data))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		cuts := rapid.SliceOfN(rapid.Int64Range(0, int64(len(want))), 0, 5).Draw(rt, "cuts")
		l := newLink(t, src, peoplePlan())
		l.wrap = cutting(func() int64 {
			if len(cuts) == 0 {
				return -1
			}
			n := cuts[0]
			cuts = cuts[1:]
			return n
		})
		if _, err := l.fetch(t); err != nil {
			rt.Fatal(err)
		}
		l.arrived(t, want)
	})
}

func TestAStreamIsTakenUpFromAMarkAndAfterARestart(t *testing.T) {
	src := synthetic(48 << 20)
	src48, err := io.ReadAll(io.NewSectionReader(src, 0, src.Size()))
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := transformed(t, peoplePlan(), string(src48))
	if err != nil {
		t.Fatal(err)
	}
	for _, restart := range []bool{false, true} {
		l := newLink(t, src, peoplePlan())
		cuts := 0
		l.wrap = func(h http.Handler) http.Handler {
			switch cuts++; cuts {
			case 1:
				return cutting(func() int64 { return 40 << 20 })(h)
			case 2:
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) })
			}
			return h
		}
		q := l.request(t)
		q.Attempts = 1
		if _, err := Fetch(t.Context(), q); err == nil {
			t.Fatal("the stream was not cut")
		}
		l.absent(t)
		if p := l.handler.marks.before(transfer, tagOf(t, l, src), 40<<20); p.output < 16<<20 {
			t.Errorf("the nearest mark is at %d", p.output)
		}
		if restart {
			l.handler = NewHandler(l.auth, HandlerConfig{})
		}
		if _, err := l.fetch(t); err != nil {
			t.Fatal(err)
		}
		l.arrived(t, want)
		if l.heard().started[1] != 40<<20-1 {
			t.Errorf("taken up at %v", l.heard().started)
		}
	}
}

func tagOf(t *testing.T, l *link, src Content) string {
	t.Helper()
	tag, err := entityTag(src, l.auth.grant)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

func TestAStopCutsARunningStreamAndLeavesAPart(t *testing.T) {
	l := newLink(t, synthetic(64<<20), peoplePlan())
	q := l.request(t)
	var once sync.Once
	q.Progress = func(n int64) {
		once.Do(func() {
			l.auth.set(func() { l.auth.refuse = corridor.E(corridor.Forbidden, "the transfer is suspended") })
			if k := l.handler.Stop(transfer, "suspended by the authority"); k != 1 {
				t.Errorf("%d streams were stopped", k)
			}
		})
	}
	_, err := Fetch(t.Context(), q)
	wantError(t, err, "the transfer is suspended")
	if corridor.KindOf(err) != corridor.Forbidden {
		t.Errorf("kind %v", corridor.KindOf(err))
	}
	l.absent(t)
	heard := l.heard()
	l.auth.set(func() {
		if len(heard.finished) != 0 || len(heard.failed) != 1 || !strings.Contains(heard.failed[0].Error(), "suspended by the authority") {
			t.Errorf("the authority heard %v, %v", heard.finished, heard.failed)
		}
		l.auth.refuse = nil
	})
	if _, err := l.fetch(t); err != nil {
		t.Fatal(err)
	}
	if l.heard().started[1] == 0 {
		t.Error("it began anew after the suspension")
	}
}

func TestAStopReachesAStreamWhoseConsumerDoesNotRead(t *testing.T) {
	l := newLink(t, synthetic(64<<20), peoplePlan())
	req, _ := http.NewRequest(http.MethodGet, l.server.URL+"/data/"+transfer, nil)
	req.Header.Set("Authorization", "Bearer "+l.mint(t, consumer, time.Now().Add(time.Hour)))
	resp, err := l.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for before := int64(-1); before != l.auth.sent.Load(); time.Sleep(20 * time.Millisecond) {
		before = l.auth.sent.Load() // until the buffers between are full
	}
	began := time.Now()
	l.handler.Stop(transfer, "stop")
	for l.handler.Running() > 0 {
		time.Sleep(100 * time.Microsecond)
	}
	t.Logf("stopped within %v", time.Since(began))
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the consumer saw a clean end")
	}
}

func TestARunningStreamEndsWithItsAgreement(t *testing.T) {
	l := newLink(t, synthetic(256<<20), peoplePlan())
	l.auth.grant.ExpiresAt = time.Now().Add(30 * time.Millisecond)
	q := l.request(t)
	q.Attempts = 1
	q.Progress = func(int64) { time.Sleep(time.Millisecond) }
	_, err := Fetch(t.Context(), q)
	if err == nil {
		t.Fatal("the stream outlived its agreement")
	}
	l.absent(t)
	if len(l.heard().failed) == 0 || corridor.KindOf(l.heard().failed[0]) != corridor.Gone || len(l.heard().finished) != 0 {
		t.Errorf("the authority heard %v", l.heard().failed)
	}
}

func TestTokensAreCheckedOnEveryRequest(t *testing.T) {
	l := newLink(t, &memory{data: people(1000)}, peoplePlan())
	hour := time.Now().Add(time.Hour)
	for _, c := range []struct {
		name, token string
		kind        corridor.Kind
	}{
		{"expired", l.mint(t, consumer, time.Now().Add(-time.Minute)), corridor.Unauthenticated},
		{"made for another consumer", l.mint(t, "did:web:other.example", hour), corridor.Forbidden},
		{"not a token", "cdp1.aaaa.bbbb", corridor.Unauthenticated},
		{"with a changed end", strings.TrimRight(l.mint(t, consumer, hour), "AQgw048IMcks") + "x", corridor.Unauthenticated},
	} {
		q := l.request(t)
		q.Token = func(context.Context, string) (string, error) { return c.token, nil }
		_, err := Fetch(t.Context(), q)
		if err == nil || corridor.KindOf(err) != c.kind {
			t.Errorf("a token %s: %v", c.name, err)
		}
		l.absent(t)
	}
}

func TestAnExpiredTokenIsRenewedAndTheStreamGoesOn(t *testing.T) {
	src := &memory{data: people(300_000)}
	l := newLink(t, src, peoplePlan())
	n := 0
	l.wrap = cutting(func() int64 {
		n++
		if n == 1 {
			return 100_000
		}
		return -1
	})
	q := l.request(t)
	first := l.mint(t, consumer, time.Now().Add(time.Hour))
	second := l.mint(t, consumer, time.Now().Add(3*time.Hour))
	q.Progress = func(int64) {
		l.auth.set(func() { l.auth.now = func() time.Time { return time.Now().Add(2 * time.Hour) } })
	}
	var asked []string
	q.Token = func(_ context.Context, stale string) (string, error) {
		asked = append(asked, stale)
		if stale == "" {
			return first, nil
		}
		return second, nil
	}
	if _, err := Fetch(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 2 || asked[1] != first {
		t.Errorf("tokens were asked for %d times", len(asked))
	}
}

func TestAChangedSourceRefusesToGoOn(t *testing.T) {
	l := newLink(t, &memory{data: people(300_000)}, peoplePlan())
	first := true
	l.wrap = cutting(func() int64 {
		if first {
			first = false
			return 100_000
		}
		return -1
	})
	q := l.request(t)
	q.Progress = func(int64) {
		l.auth.set(func() {
			l.auth.grant.Source = memSource{&memory{data: bytes.ReplaceAll(people(300_000), []byte("Almaty"), []byte("Astana"))}}
		})
	}
	_, err := Fetch(t.Context(), q)
	wantError(t, err, "changed since the stream began")
	l.absent(t)
	if _, err := l.fetch(t); err != nil {
		t.Fatalf("a new fetch begins from the start: %v", err)
	}
}

func TestASourceThatChangesUnderTheStreamIsNotReleased(t *testing.T) {
	src := &memory{data: people(300_000), check: func() error { return changed() }}
	l := newLink(t, src, peoplePlan())
	q := l.request(t)
	q.Attempts = 2
	if _, err := Fetch(t.Context(), q); err == nil {
		t.Fatal("the stream ended well")
	}
	l.absent(t)
	if len(l.heard().finished) != 0 {
		t.Error("the authority was told of an end")
	}
}

// flipper changes one byte of the body on its way.
type flipper struct {
	http.ResponseWriter
	at int64
}

func (f *flipper) Unwrap() http.ResponseWriter { return f.ResponseWriter }
func (f *flipper) Write(p []byte) (int, error) {
	if f.at >= 0 && f.at < int64(len(p)) {
		p = bytes.Clone(p)
		p[f.at] ^= 1
	}
	f.at -= int64(len(p))
	return f.ResponseWriter.Write(p)
}

func TestAByteChangedInTransitIsNoticed(t *testing.T) {
	l := newLink(t, &memory{data: people(300_000)}, peoplePlan())
	l.wrap = func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(&flipper{w, 123_456}, r) })
	}
	_, err := l.fetch(t)
	wantError(t, err, "what arrived is not what the provider sent")
	l.absent(t)
	if names, _ := filepath.Glob(l.dest + "*"); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestAnEndWithoutADigestIsNoEnd(t *testing.T) {
	l := newLink(t, &memory{data: people(1000)}, peoplePlan())
	l.wrap = func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "a,b\n") })
	}
	q := l.request(t)
	q.Attempts = 2
	_, err := Fetch(t.Context(), q)
	wantError(t, err, "without its digest")
	l.absent(t)
}

func TestAnEndThatCouldNotBeRecordedIsNotReleased(t *testing.T) {
	l := newLink(t, &memory{data: people(1000)}, peoplePlan())
	l.auth.finish = corridor.E(corridor.Unavailable, "the disk is full")
	if _, err := l.fetch(t); err != nil {
		t.Fatalf("the second attempt: %v", err)
	}
	if len(l.heard().failed) != 1 || len(l.heard().finished) != 1 || l.heard().started[1] == 0 {
		t.Errorf("heard %v %v %v", l.heard().failed, l.heard().finished, l.heard().started)
	}
}

func TestABadRowIsToldWhereverItStands(t *testing.T) {
	for _, size := range []int{100, 900_000} {
		data := append(people(size), "one,two\n"...)
		rows := bytes.Count(data, []byte("\n"))
		l := newLink(t, &memory{data: data}, peoplePlan())
		_, err := l.fetch(t)
		wantError(t, err, fmt.Sprintf("row %d", rows), "fewer values")
		if corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("kind %v", corridor.KindOf(err))
		}
		l.absent(t)
	}
}

func TestAPlanThatDoesNotFitIsRefusedBeforeTheFirstByte(t *testing.T) {
	l := newLink(t, &memory{data: people(1000)}, csvPlan(stage(Drop, "", "phones")))
	_, err := l.fetch(t)
	wantError(t, err, `"phones"`, `did you mean "phone"?`)
	if len(l.heard().started) != 0 {
		t.Error("the authority was told of a start")
	}
}

func TestAnExistingFileIsComparedAndNeverOverwritten(t *testing.T) {
	src := &memory{data: people(300_000)}
	l := newLink(t, src, peoplePlan())
	first, err := l.fetch(t)
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.fetch(t)
	if err != nil || again != first {
		t.Fatalf("the same file: %+v, %v", again, err)
	}
	whole, _ := os.ReadFile(l.dest)
	for _, other := range []string{"", "other", string(whole[:1000]), string(whole) + "more", string(whole[:200_000]) + "x" + string(whole[200_001:])} {
		if err := os.WriteFile(l.dest, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := l.fetch(t)
		if err == nil || corridor.KindOf(err) != corridor.Conflict {
			t.Fatalf("a file of %d bytes: %v", len(other), err)
		}
		if got, _ := os.ReadFile(l.dest); string(got) != other {
			t.Fatal("the file was overwritten")
		}
	}
}

func TestAProviderThatIgnoresRangesIsReadFromTheStart(t *testing.T) {
	src := &memory{data: people(300_000)}
	want, _, _ := transformed(t, peoplePlan(), string(src.data))
	l := newLink(t, src, peoplePlan())
	first := true
	l.wrap = func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			if first {
				first = false
				w = &cutter{w, 100_000}
			}
			h.ServeHTTP(w, r)
		})
	}
	if _, err := l.fetch(t); err != nil {
		t.Fatal(err)
	}
	l.arrived(t, want)
}

func TestAnOutcomeOverTheConsumersLimitIsRefused(t *testing.T) {
	l := newLink(t, &memory{data: people(300_000)}, peoplePlan())
	q := l.request(t)
	q.MaxBytes = 200_000
	_, err := Fetch(t.Context(), q)
	if corridor.KindOf(err) != corridor.Limited {
		t.Fatal(err)
	}
	l.absent(t)
}

func TestAgreedLimitsHoldInTheStream(t *testing.T) {
	for _, limit := range []func(*Grant){func(g *Grant) { g.MaxRows = 10 }, func(g *Grant) { g.MaxBytes = 1000 },
		func(g *Grant) { g.MaxRows = 10; g.Plan = Plan{Format: "csv"} }} {
		l := newLink(t, &memory{data: people(100_000)}, peoplePlan())
		limit(&l.auth.grant)
		_, err := l.fetch(t)
		wantError(t, err, "that were agreed")
		l.absent(t)
	}
}

func TestACanceledFetchLeavesAPartThatIsTakenUp(t *testing.T) {
	l := newLink(t, synthetic(32<<20), peoplePlan())
	ctx, cancel := context.WithCancel(t.Context())
	q := l.request(t)
	q.Progress = func(n int64) {
		if n > 4<<20 {
			cancel()
		}
	}
	_, err := Fetch(ctx, q)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	info, err := os.Stat(l.dest + ".part")
	if err != nil || info.Size() == 0 {
		t.Fatalf("no part: %v", err)
	}
	if _, err := l.fetch(t); err != nil {
		t.Fatal(err)
	}
	if l.heard().started[1] != info.Size()-1 {
		t.Errorf("taken up at %v, the part had %d", l.heard().started, info.Size())
	}
}

func TestTheHandlerRefusesWithABody(t *testing.T) {
	l := newLink(t, &memory{data: people(1000)}, peoplePlan())
	tok := "Bearer " + l.mint(t, consumer, time.Now().Add(time.Hour))
	for _, c := range []struct {
		method, path, auth string
		header             [2]string
		status             int
		says               string
	}{
		{"POST", "/data/" + transfer, tok, [2]string{}, 405, "GET only"},
		{"GET", "/data/", tok, [2]string{}, 404, "no transfer"},
		{"GET", "/data/a/b", tok, [2]string{}, 404, "no transfer"},
		{"GET", "/data/other", tok, [2]string{}, 404, "no such transfer"},
		{"GET", "/data/" + transfer, "", [2]string{}, 401, "no access token"},
		{"GET", "/data/" + transfer, "Basic x", [2]string{}, 401, "no access token"},
		{"GET", "/data/" + transfer, tok, [2]string{"Range", "bytes=99999999-"}, 416, "what follows"},
		{"GET", "/data/" + transfer, tok, [2]string{"If-Match", `"other"`}, 412, "changed since"},
		{"GET", "/data/" + transfer, tok, [2]string{"Range", "bytes=1-2"}, 200, "iin,name"},
		{"GET", "/data/" + transfer, tok, [2]string{"Range", "4-"}, 200, "iin,name"},
		{"GET", "/data/" + transfer, tok, [2]string{"Range", "bytes=4-"}, 206, "name,phone"},
	} {
		req, _ := http.NewRequest(c.method, l.server.URL+c.path, nil)
		if c.auth != "" {
			req.Header.Set("Authorization", c.auth)
		}
		if c.header[0] != "" {
			req.Header.Set(c.header[0], c.header[1])
		}
		resp, err := l.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s %s %v: %d %.80s %v", c.method, c.path, c.header, resp.StatusCode, body, err)
		}
		if c.status >= 400 && resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: content type %s", c.method, c.path, resp.Header.Get("Content-Type"))
		}
	}
}

func TestAFullHouseAsksToComeBack(t *testing.T) {
	l := newLink(t, &memory{data: people(1000)}, peoplePlan())
	l.handler = NewHandler(l.auth, HandlerConfig{MaxStreams: 1})
	l.handler.slots <- struct{}{}
	q := l.request(t)
	q.Attempts = 1
	_, err := Fetch(t.Context(), q)
	wantError(t, err, "no free stream")
	<-l.handler.slots
	if _, err := l.fetch(t); err != nil {
		t.Fatal(err)
	}
}

// TestADirectoryThatIsTakenAwayMeanwhileComesBack: copies share the directory of
// their agreement, and whoever removes the last of them takes it away, also
// while another begins. A few may end while one begins, fewer than it tries.
func TestADirectoryThatIsTakenAwayMeanwhileComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "agreement")
	for range 500 {
		var others sync.WaitGroup
		for range 2 {
			others.Go(func() {
				for range 10 {
					_ = os.Remove(dir)
				}
			})
		}
		p, err := openPart(filepath.Join(dir, "copy.csv"), 1<<20)
		others.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.file.Close(); err != nil {
			t.Fatal(err)
		}
		p.remove()
	}
}

func TestFetchSaysWhatIsWrongWithTheDisk(t *testing.T) {
	l := newLink(t, &memory{data: people(1000)}, peoplePlan())
	q := l.request(t)
	q.Dest = filepath.Join(filepath.Dir(l.dest), "no", "such", "file")
	_, err := Fetch(t.Context(), q)
	wantError(t, err, "create the directory")
	if _, err := os.Stat("/dev/full"); err == nil && os.Symlink("/dev/full", l.dest+".part") == nil {
		_, err := l.fetch(t)
		if err == nil {
			t.Error("a device was taken for a file")
		}
	}
}

func TestTwoFetchesOfOneFileDoNotMix(t *testing.T) {
	l := newLink(t, synthetic(16<<20), peoplePlan())
	q := l.request(t)
	var second error
	var once sync.Once
	q.Progress = func(int64) { once.Do(func() { _, second = l.fetch(t) }) }
	if _, err := Fetch(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	wantError(t, second, "being received already")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	l := newLink(t, &memory{data: people(1000)}, peoplePlan())
	l.wrap = func(h http.Handler) http.Handler {
		return http.RedirectHandler("/data/elsewhere", http.StatusFound)
	}
	_, err := l.fetch(t)
	wantError(t, err, "302")
}

func TestStreamsWorkOverHTTP2(t *testing.T) {
	src := synthetic(24 << 20)
	l := newLink(t, src, peoplePlan())
	cuts := []int64{5 << 20, 11 << 20}
	l.server = httptest.NewUnstartedServer(cutting(func() int64 {
		if len(cuts) == 0 {
			return -1
		}
		n := cuts[0]
		cuts = cuts[1:]
		return n
	})(l.handler))
	l.server.EnableHTTP2 = true
	l.server.StartTLS()
	t.Cleanup(l.server.Close)
	want, err := Transform(t.Context(), src, io.Discard, peoplePlan(), testKey)
	if err != nil {
		t.Fatal(err)
	}
	q := l.request(t)
	var once sync.Once
	q.Progress = func(n int64) {
		if n > 20<<20 { // behind both cuts
			once.Do(func() { l.handler.Stop(transfer, "for a moment") })
		}
	}
	got, err := Fetch(t.Context(), q)
	if err != nil || got != want {
		t.Fatalf("%+v, want %+v: %v", got, want, err)
	}
	heard := l.heard()
	if len(heard.started) < 3 || len(heard.finished) != 1 {
		t.Errorf("heard %+v", heard)
	}
}

// A server bounds the time to read a request; net/http lets that time run on
// while the handler answers, and ends the request's context with it.
func TestAStreamOutlivesTheServersReadTimeout(t *testing.T) {
	l := newLink(t, synthetic(24<<20), peoplePlan())
	l.server = httptest.NewUnstartedServer(l.handler)
	l.server.Config.ReadTimeout = 50 * time.Millisecond
	l.server.Start()
	t.Cleanup(l.server.Close)
	q := l.request(t)
	var once sync.Once
	q.Progress = func(int64) { once.Do(func() { time.Sleep(200 * time.Millisecond) }) }
	if _, err := Fetch(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if n := len(l.heard().started); n != 1 {
		t.Errorf("the stream was cut %d times", n-1)
	}
}

func TestASilentProviderIsGivenUp(t *testing.T) {
	l := newLink(t, &memory{data: people(1000)}, peoplePlan())
	l.wrap = func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
	}
	q := l.request(t)
	q.Idle, q.Attempts = 20*time.Millisecond, 2
	_, err := Fetch(t.Context(), q)
	wantError(t, err, "nothing came for 20ms")
}
