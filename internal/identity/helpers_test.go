package identity

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/verify"
)

var suites = verify.Suites()

func private(t testing.TB, suite string) any {
	t.Helper()
	p, err := generate(suite)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newSigner(t testing.TB, did, suite string) Signer {
	t.Helper()
	s, err := NewSigner(did, "k", private(t, suite))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keysFor makes keys in memory.
func keysFor(t testing.TB, did string) *Keys {
	t.Helper()
	k := &Keys{DID: did}
	for _, s := range []struct {
		into        *Signer
		name, suite string
	}{{&k.National, "national", verify.SM2}, {&k.Token, "token", verify.P256}, {&k.Log, "log", verify.Ed25519}} {
		signer, err := NewSigner(did, s.name, private(t, s.suite))
		if err != nil {
			t.Fatal(err)
		}
		*s.into = signer
	}
	return k
}

// host serves DID documents on a loopback address.
type host struct {
	did   string
	keys  *Keys
	serve atomic.Pointer[http.HandlerFunc]
	hits  atomic.Int64
}

func newHost(t testing.TB) *host {
	t.Helper()
	h := &host{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.hits.Add(1)
		(*h.serve.Load())(w, r)
	}))
	t.Cleanup(srv.Close)
	did, err := WebDID(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	h.did, h.keys = did, keysFor(t, did)
	h.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/did.json" {
			w.WriteHeader(404)
			return
		}
		_ = json.NewEncoder(w).Encode(h.keys.Document(srv.URL + "/dsp"))
	})
	return h
}

func (h *host) answer(f http.HandlerFunc) { h.serve.Store(&f) }

func (h *host) document() Document { return h.keys.Document("https://x.example/dsp") }

// clock is a clock that tests move.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{at: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) forward(d time.Duration) { c.at = c.at.Add(d) }

func wants(t *testing.T, err error, kind corridor.Kind, says string) {
	t.Helper()
	var e *corridor.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error of kind %s", err, kind)
	}
	if corridor.KindOf(err) != kind || !strings.Contains(err.Error(), says) {
		t.Errorf("got %s: %v; want %s: %s", corridor.KindOf(err), err, kind, says)
	}
}

type failingSigner struct{ Signer }

func (failingSigner) Sign(context.Context, []byte) ([]byte, error) {
	return nil, errors.New("module is gone")
}
