package identity

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"corridor"
	"corridor/verify"
)

func resolverAt(c *clock) *Resolver {
	return NewResolver(ResolverConfig{HTTP: GuardedClient(true), Now: c.now})
}

func TestADocumentIsFetchedOnceAndThenRemembered(t *testing.T) {
	h, c := newHost(t), newClock()
	r := resolverAt(c)
	for range 3 {
		d, err := r.Resolve(t.Context(), h.did)
		must(t, err)
		if d.ID != h.did {
			t.Error(d.ID)
		}
	}
	if n := h.hits.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	c.forward(11 * time.Minute)
	_, err := r.Resolve(t.Context(), h.did)
	must(t, err)
	if n := h.hits.Load(); n != 2 {
		t.Errorf("%d fetches after the time to live", n)
	}
}

func TestManyAskersShareOneFetch(t *testing.T) {
	h, c := newHost(t), newClock()
	gate, doc := make(chan struct{}), h.document()
	h.answer(func(w http.ResponseWriter, _ *http.Request) {
		<-gate
		_ = json.NewEncoder(w).Encode(doc)
	})
	r := resolverAt(c)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := r.Resolve(context.Background(), h.did); err != nil {
				t.Error(err)
			}
		})
	}
	hurried, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Resolve(hurried, h.did)
	wants(t, err, corridor.Unavailable, "context canceled")
	close(gate)
	wg.Wait()
	if n := h.hits.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestAFailureIsRememberedShortly(t *testing.T) {
	h, c := newHost(t), newClock()
	doc := h.document()
	h.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	r := resolverAt(c)
	for range 3 {
		_, err := r.Resolve(t.Context(), h.did)
		wants(t, err, corridor.Unavailable, "status 500")
	}
	if n := h.hits.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	h.answer(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(doc) })
	c.forward(11 * time.Second)
	_, err := r.Resolve(t.Context(), h.did)
	must(t, err)
}

func TestANewKeyIsFoundAndAnInventedOneDoesNotMakeUsFetch(t *testing.T) {
	h, c := newHost(t), newClock()
	r := resolverAt(c)
	_, err := r.Key(t.Context(), h.keys.Token.KeyID(), CapabilityInvocation)
	must(t, err)
	h.keys = keysFor(t, h.did)
	doc := h.document()
	h.answer(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(doc) })
	_, err = r.Key(t.Context(), h.keys.Token.KeyID(), CapabilityInvocation)
	wants(t, err, corridor.NotFound, "")
	if n := h.hits.Load(); n != 1 {
		t.Errorf("%d fetches within half a minute", n)
	}
	c.forward(refreshAfter)
	_, err = r.Key(t.Context(), h.keys.Token.KeyID(), CapabilityInvocation)
	must(t, err)
	for range 5 {
		_, err = r.Key(t.Context(), h.did+"#invented", CapabilityInvocation)
		wants(t, err, corridor.NotFound, "")
	}
	if n := h.hits.Load(); n != 2 {
		t.Errorf("%d fetches", n)
	}
	h.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	c.forward(refreshAfter)
	_, err = r.Key(t.Context(), h.did+"#invented", CapabilityInvocation)
	wants(t, err, corridor.Unavailable, "503")
	_, err = r.Key(t.Context(), "no key id", CapabilityInvocation)
	wants(t, err, corridor.Invalid, "DID URL")
}

func TestDocumentsThatAttack(t *testing.T) {
	for _, c := range []struct {
		name string
		h    http.HandlerFunc
		kind corridor.Kind
		says string
	}{
		{"the document of another", func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(keysFor(t, "did:web:victim.example").Document(""))
		}, corridor.Unauthenticated, `its id is "did:web:victim.example"`},
		{"a document without end", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }, corridor.Limited, "over the limit of 65536"},
		{"a redirect inside", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		}, corridor.Unavailable, "status 302"},
		{"half a document", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"id":`)
		}, corridor.Unavailable, "unexpected EOF"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, corridor.Unauthenticated, "not usable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			h.answer(c.h)
			_, err := resolverAt(newClock()).Resolve(t.Context(), h.did)
			wants(t, err, c.kind, c.says)
		})
	}
	_, err := NewResolver(ResolverConfig{}).Resolve(t.Context(), "did:web:localhost%3A1")
	wants(t, err, corridor.Forbidden, "loopback address")
	_, err = NewResolver(ResolverConfig{}).Resolve(t.Context(), "did:key:abc")
	wants(t, err, corridor.Invalid, "did:web")
	_, err = resolverAt(newClock()).Resolve(t.Context(), "did:web:127.0.0.1%3A1")
	wants(t, err, corridor.Unavailable, "cannot be had")
}

func TestStaticDocumentsAreNeverFetched(t *testing.T) {
	k := keysFor(t, me)
	r := NewResolver(ResolverConfig{Static: []Document{k.Document("")}})
	_, err := r.Key(t.Context(), k.National.KeyID(), AssertionMethod)
	must(t, err)
	_, err = r.Key(t.Context(), me+"#other", AssertionMethod)
	wants(t, err, corridor.NotFound, "")
}

func TestTheCacheIsBounded(t *testing.T) {
	c := newClock()
	r := NewResolver(ResolverConfig{Now: c.now, MaxEntries: 3})
	for _, d := range []string{"a", "b", "c", "d", "e"} {
		r.remember("did:web:"+d, &Document{}, nil)
		if len(r.cache) > 3 {
			t.Fatal(len(r.cache))
		}
	}
	c.forward(time.Hour)
	r.remember("did:web:f", &Document{}, nil)
	if len(r.cache) != 1 {
		t.Errorf("%d entries where the rest has expired", len(r.cache))
	}
}

func TestObjectSignaturesByDID(t *testing.T) {
	k := keysFor(t, me)
	r := NewResolver(ResolverConfig{Static: []Document{k.Document("")}})
	sig, err := SignObject(t.Context(), k.National, []int{1})
	must(t, err)
	key, err := r.CheckObject(t.Context(), me, []int{1}, sig)
	must(t, err)
	if key.Suite != verify.SM2 {
		t.Error(key.Suite)
	}
	_, err = r.CheckObject(t.Context(), me, []int{2}, sig)
	wants(t, err, corridor.Unauthenticated, "does not match")
	_, err = r.CheckObject(t.Context(), "did:web:other.example", []int{1}, sig)
	wants(t, err, corridor.Unauthenticated, "not of did:web:other.example")
	byToken, err := SignObject(t.Context(), k.Token, []int{1})
	must(t, err)
	_, err = r.CheckObject(t.Context(), me, []int{1}, byToken)
	wants(t, err, corridor.Unauthenticated, "does not allow this key")
	_, err = r.CheckObject(t.Context(), me, []int{1}, corridor.Signature{Key: "x"})
	wants(t, err, corridor.Invalid, "DID URL")
}

func TestPeers(t *testing.T) {
	vkey, err := keysFor(t, "did:web:p.example").LogVKey("p.example/log")
	must(t, err)
	good := Peer{Participant: corridor.Participant{DID: "did:web:p.example", Name: "P", Jurisdiction: "KZ"}, LogVKey: vkey}
	p, err := NewPeers([]Peer{good})
	must(t, err)
	if got, err := p.Lookup(t.Context(), good.DID); err != nil || got.Jurisdiction != "KZ" {
		t.Error(err)
	}
	_, err = p.Lookup(t.Context(), "did:web:stranger.example")
	wants(t, err, corridor.Forbidden, "corridor peers add --did did:web:stranger.example")
	for name, bad := range map[string][]Peer{
		"twice":             {good, good},
		"not usable":        {{Participant: corridor.Participant{DID: "did:web:", Jurisdiction: "KZ"}}},
		"is not a country":  {{Participant: corridor.Participant{DID: "did:web:a.org", Jurisdiction: "kz"}}},
		"is not a verifier": {{Participant: corridor.Participant{DID: "did:web:a.org", Jurisdiction: "KZ"}, LogVKey: "x"}},
	} {
		wants(t, p.Replace(bad), corridor.Invalid, name)
		_, err := NewPeers(bad)
		wants(t, err, corridor.Invalid, "peers[")
	}
	if len(p.All()) != 1 || !strings.HasPrefix(p.All()[0].DID, "did:web:p") {
		t.Error("a bad list replaced a good one")
	}
}
