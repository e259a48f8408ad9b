package exchange_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

// A peer whose address leads elsewhere, into a network that is ours, is not
// followed there: not with a message, not for a catalogue, and not for data.
func TestAPeersAddressThatRedirectsIsNotFollowed(t *testing.T) {
	n, r := withPlain(t)
	var inside atomic.Int64
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	t.Cleanup(secret.Close)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	agreement := agreedWithPlainProvider(t, n, r)
	r.mu.Lock()
	r.redirect = secret.URL
	r.mu.Unlock()

	if _, _, err := n.x.PeerCatalogue(within(t, 5*time.Second), r.who.DID, ""); err == nil || !strings.Contains(err.Error(), "a redirect, which is not followed") {
		t.Errorf("a catalogue: %v", err)
	}
	pid := r.opened(n, r.plainRequest(n, "urn:uuid:c", "shipments"))
	if neg := n.until(pid, ended); neg.State != dsp.Terminated || !strings.Contains(strings.Join(neg.Reason, " "), "redirect") {
		t.Errorf("a message: %s %v", neg.State, neg.Reason)
	}
	tr, err := n.x.Transfer(within(t, 5*time.Second), agreement)
	if err != nil {
		t.Fatal(err)
	}
	n.untilTransfer(tr.PID, over)
	if inside.Load() != 0 {
		t.Errorf("%d requests went where the peer pointed", inside.Load())
	}
}

// A peer whose clock is wrong is told so, whichever way it is wrong.
func TestAPeerWhoseClockIsWrongIsTold(t *testing.T) {
	n, r := withRogue(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	for name, off := range map[string]time.Duration{"slow": -26 * time.Hour, "fast": 26 * time.Hour} {
		m := r.request(n, "urn:uuid:"+name, "shipments")
		m.Decision = r.decision(n.who.DID, r.who.DID, "shipments", func(s *corridor.DecisionStatement) { s.Time = dsp.FormatTime(time.Now().Add(off)) })
		if a := r.say(n, dsp.Provider, m); a.status != http.StatusBadRequest || !strings.Contains(a.reason(), "set the clock") {
			t.Errorf("a decision by a %s clock: %d %s", name, a.status, a.body)
		}
		tokens, err := identity.NewTokens(r.who.DID, r.keys.Token, func() time.Time { return time.Now().Add(off) })
		if err != nil {
			t.Fatal(err)
		}
		token, err := tokens.Issue(t.Context(), n.who.DID)
		if err != nil {
			t.Fatal(err)
		}
		if a := call(t, n, http.MethodGet, "/catalog/datasets/shipments", "Bearer "+token, nil); a.status != http.StatusUnauthorized || !strings.Contains(a.reason(), "clock") {
			t.Errorf("a token by a %s clock: %d %s", name, a.status, a.body)
		}
	}
}

// A process belongs to the DID that opened it: whoever goes on under another
// one is a stranger to it, although it has the same address.
func TestAPeerThatChangesItsDIDIsAStranger(t *testing.T) {
	n, r := withRogue(t, func(n *node) { n.manual.Agree = true })
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := r.opened(n, r.request(n, "urn:uuid:1", "shipments"))
	other := newRogue(t, "KZ")
	if err := n.peers.Replace([]identity.Peer{{Participant: r.who, Address: r.base()}, {Participant: other.who, Address: r.base()}}); err != nil {
		t.Fatal(err)
	}
	m := &dsp.ContractNegotiationTerminationMessage{Pids: dsp.Pids{ProviderPid: pid, ConsumerPid: "urn:uuid:1"}}
	if a := other.say(n, dsp.Provider, m); a.status != http.StatusNotFound || a.kind() != "ContractNegotiationError" {
		t.Errorf("%d %s", a.status, a.body)
	}
	again := r.request(n, "urn:uuid:1", "shipments")
	again.CallbackAddress, again.Decision = other.base(), other.decision(n.who.DID, other.who.DID, "shipments")
	if a := other.say(n, dsp.Provider, again); a.status != http.StatusCreated { // the same name of another is another process
		t.Fatalf("%d %s", a.status, a.body)
	}
	if neg := n.until(pid, func(exchange.Negotiation) bool { return true }); neg.State != dsp.Requested || neg.Peer != r.who.DID {
		t.Errorf("%s %s", neg.State, neg.Peer)
	}
	if a := r.say(n, dsp.Provider, m); a.status != http.StatusOK {
		t.Errorf("its own: %d %s", a.status, a.body)
	}
}
