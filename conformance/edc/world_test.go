package edc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// each runs a test once for every version of EDC that run has fetched.
func each(t *testing.T, name string, test func(t *testing.T, d Distribution)) {
	t.Helper()
	list, err := Distributions()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		t.Run("EDC "+d.Version+" "+name, func(t *testing.T) { test(t, d) })
	}
}

// within bounds one scenario: a peer that hangs fails the test with its log.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// start runs a peer for the length of a test and shows its log if it fails.
func start(t *testing.T, d Distribution, before ...*tap) *Peer {
	t.Helper()
	o := Options{Poll: 50 * time.Millisecond, Log: filepath.Join(t.TempDir(), "edc.log")}
	for _, b := range before {
		o.Front = b.before
	}
	p, err := Start(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("the end of the log of EDC %s:\n%s", p.Version, p.Tail())
		}
	})
	return p
}

// content makes the bytes of a data set.
func content(rows int) []byte {
	var b strings.Builder
	b.WriteString("port,month,containers\n")
	for i := range rows {
		b.WriteString([]string{"Khorgos", "Dostyk", "Altynkol"}[i%3] + ",2026-0" + string(rune('1'+i%9)) + "," + strings.Repeat("7", 1+i%5) + "\n")
	}
	return []byte(b.String())
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// source serves bytes, as the system behind EDC's provider.
func source(t *testing.T, b []byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/csv")
		if _, err := w.Write(b); err != nil {
			t.Log("source:", err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// sink takes what is pushed, whole or not at all.
type sink struct {
	URL  string
	got  chan []byte
	fail func(*http.Request) bool
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{got: make(chan []byte, 16)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.fail != nil && s.fail(r) {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender broke off: nothing was received
		}
		s.got <- b
	}))
	t.Cleanup(srv.Close)
	s.URL = srv.URL + "/sink"
	return s
}

func (s *sink) await(t *testing.T, ctx context.Context) []byte {
	t.Helper()
	select {
	case b := <-s.got:
		return b
	case <-ctx.Done():
		t.Fatal("nothing was pushed")
		return nil
	}
}

// dataAddress is where EDC's consumer may pull, from the event of the start.
type dataAddress struct{ endpoint, authorization string }

// starts receives EDC's events of started transfers.
type starts struct {
	URL string
	got chan dataAddress
}

func newStarts(t *testing.T) *starts {
	t.Helper()
	s := &starts{got: make(chan dataAddress, 16)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		var event struct {
			Payload struct {
				DataAddress struct {
					Properties map[string]any `json:"properties"`
				} `json:"dataAddress"`
			} `json:"payload"`
		}
		if err := json.Unmarshal(b, &event); err != nil {
			t.Errorf("event: %v: %s", err, b)
			return
		}
		var at dataAddress
		for k, v := range event.Payload.DataAddress.Properties {
			s, _ := v.(string)
			switch strings.TrimPrefix(k, edcNamespace) {
			case "endpoint":
				at.endpoint = s
			case "authorization":
				at.authorization = s
			}
		}
		if at.endpoint == "" {
			t.Logf("an event without an address: %s", b)
		}
		s.got <- at
	}))
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

func (s *starts) await(t *testing.T, ctx context.Context) dataAddress {
	t.Helper()
	select {
	case at := <-s.got:
		return at
	case <-ctx.Done():
		t.Fatal("no event of a start came")
		return dataAddress{}
	}
}

// pull fetches from a data address and gives status and bytes.
func pull(t *testing.T, ctx context.Context, at dataAddress) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.endpoint, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", at.authorization)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if digest(got) != digest(want) {
		t.Fatalf("%s: %d bytes with SHA-256 %s arrived, where %d bytes with %s were sent", what, len(got), digest(got), len(want), digest(want))
	}
	t.Logf("%s: %d bytes, SHA-256 %s on both sides", what, len(got), digest(got))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func got[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// eventually waits for something that EDC does in its own time.
func eventually(t *testing.T, ctx context.Context, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tap stands before a peer and keeps what other participants say to it, with
// the status of its answer: EDC does not keep the reason of a termination.
type tap struct {
	t *testing.T

	mu    sync.Mutex
	heard []said
}

type said struct {
	path   string
	body   []byte
	status int
}

// before implements Options.Front.
func (b *tap) before(own string) (string, error) {
	to, err := url.Parse(own)
	if err != nil {
		return "", err
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		proxy.ServeHTTP(rec, r)
		b.mu.Lock()
		b.heard = append(b.heard, said{r.URL.Path, body, rec.Code})
		b.mu.Unlock()
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes()) // a caller that has gone needs no answer
	}))
	b.t.Cleanup(srv.Close)
	return srv.URL, nil
}

// find gives the message about a process that came to a path with this end and
// was taken.
func (b *tap) find(end, about string) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.heard {
		if strings.HasSuffix(m.path, end) && strings.Contains(m.path, about) && m.status == http.StatusOK {
			return m.body
		}
	}
	return nil
}
