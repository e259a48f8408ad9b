package exchange_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
)

// TestAPeerThatChangedIsReviewedHoweverBusyTheNodeIs: what enforces a rule
// waits for nothing that may be lost.
func TestAPeerThatChangedIsReviewedHoweverBusyTheNodeIs(t *testing.T) {
	var word issuer
	cn, kz := pair(t, func(cn, _ *node) { cn.credentials = word.ask })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	cn.x.Occupy()
	word.word.Store(revoked)
	cn.x.PeerChanged(kz.who.DID)
	cn.untilAgreement(n.Agreement, exchange.AgreementSuspended)
}

// TestWhatAnotherNodeStoppedIsCutHoweverBusyTheNodeIs: the peer does not hear
// of it, so that nobody but this node ends the stream.
func TestWhatAnotherNodeStoppedIsCutHoweverBusyTheNodeIs(t *testing.T) {
	if !storetest.OnServer() {
		t.Skip("a file has one node")
	}
	gone := make(chan struct{}, 10)
	_, kz, mine, _, tap := runningBetween(t, func(cn, kz *node) {
		drips := cn.wrap
		cn.wrap = func(next http.Handler) http.Handler {
			inner := drips(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/data/") {
					context.AfterFunc(r.Context(), func() { gone <- struct{}{} })
				}
				inner.ServeHTTP(w, r)
			})
		}
		kz.via = func(next http.RoundTripper) http.RoundTripper {
			way, suspension := &muffled{next: next}, "/suspension"
			way.lost.Store(&suspension)
			return way
		}
	})
	defer close(tap)
	kz.x.Occupy()
	other := *kz // another node on this database, which fetches nothing
	var err error
	other.db, err = store.Open(t.Context(), other.place, migrations()...)
	ok(t, err)
	defer other.db.Close()
	_, err = other.wire(t.Context())
	ok(t, err)
	tr, err := other.x.Suspend(within(t, 10*time.Second), mine, "order of the authority")
	ok(t, err)
	if tr.State != dsp.Suspended {
		t.Fatalf("%s, pending %q", tr.State, tr.Pending)
	}
	select {
	case <-gone:
	case <-within(t, 20*time.Second).Done():
		t.Error("the stream runs on")
	}
}
