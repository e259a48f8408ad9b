package exchange_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

func TestGarbageFromAPeerIsRefusedWithAnErrorObject(t *testing.T) {
	n, r := withRogue(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	good, err := dsp.Encode(r.request(n, "urn:uuid:1", "shipments"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body   []byte
		status int
	}{
		"nothing":         {nil, 400},
		"not JSON":        {[]byte("hello"), 400},
		"cut":             {good[:len(good)/2], 400},
		"an array":        {[]byte("[]"), 400},
		"another type":    {bytes.Replace(good, []byte("ContractRequestMessage"), []byte("ContractOfferMessage"), 1), 400},
		"too deep":        {[]byte(strings.Repeat("[", 5000) + strings.Repeat("]", 5000)), 400},
		"too deep inside": {bytes.Replace(good, []byte(`{"purpose"`), []byte(`{"x":`+strings.Repeat("[", 60)+strings.Repeat("]", 60)+`,"purpose"`), 1), 413},
		"oversized":       {append(good, bytes.Repeat([]byte(" "), dsp.MaxMessage)...), 413},
		"a repeated key":  {bytes.Replace(good, []byte(`"consumerPid"`), []byte(`"consumerPid":"x","consumerPid"`), 1), 400},
	} {
		t.Run(name, func(t *testing.T) {
			a := call(t, n, http.MethodPost, "/negotiations/request", r.token(n), c.body)
			if a.status != c.status || a.kind() != "ContractNegotiationError" {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	if list, _, err := n.x.Negotiations(within(t, time.Second), exchange.Page{}); err != nil || len(list) != 0 {
		t.Errorf("something was kept: %v %v", err, list)
	}
}

func TestARequestThatCannotBeTakenSaysWhy(t *testing.T) {
	n, r := withRogue(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n.publish(exchange.Publication{ID: "other", Facts: plainFacts()})
	for name, c := range map[string]struct {
		change func(*dsp.ContractRequestMessage)
		reason string
	}{
		"no purpose":             {func(m *dsp.ContractRequestMessage) { m.Flow = nil }, "purpose"},
		"no decision":            {func(m *dsp.ContractRequestMessage) { m.Decision = nil }, "signed decision"},
		"an unknown dataset":     {func(m *dsp.ContractRequestMessage) { m.Offer.Target = "nothing" }, "no dataset"},
		"a decision for another": {func(m *dsp.ContractRequestMessage) { m.Decision = r.decision(n.who.DID, r.who.DID, "other") }, "dataset"},
		"somebody else's decision": {func(m *dsp.ContractRequestMessage) {
			m.Decision = r.decision(n.who.DID, r.who.DID, "shipments", func(s *corridor.DecisionStatement) { s.Issuer = n.who.DID })
		}, "issuer"},
		"the wrong side": {func(m *dsp.ContractRequestMessage) {
			m.Decision = r.decision(n.who.DID, r.who.DID, "shipments", func(s *corridor.DecisionStatement) { s.Decision.Side = corridor.Export })
		}, "side"},
		"another country's law": {func(m *dsp.ContractRequestMessage) {
			m.Decision = r.decision(n.who.DID, r.who.DID, "shipments", func(s *corridor.DecisionStatement) { s.Decision.Jurisdiction = "AE" })
		}, "jurisdiction"},
		"an old decision": {func(m *dsp.ContractRequestMessage) {
			m.Decision = r.decision(n.who.DID, r.who.DID, "shipments", func(s *corridor.DecisionStatement) { s.Time = "2026-01-01T00:00:00Z" })
		}, "is from"},
		"a changed decision": {func(m *dsp.ContractRequestMessage) {
			deny := r.decision(n.who.DID, r.who.DID, "shipments", func(s *corridor.DecisionStatement) { s.Decision.Outcome = corridor.Deny })
			m.Decision = bytes.Replace(deny, []byte(`"outcome":"deny"`), []byte(`"outcome":"allow"`), 1)
		}, "signature"},
		"an unknown constraint": {func(m *dsp.ContractRequestMessage) {
			m.Offer.Permission = []dsp.Rule{{Action: "use", Constraint: []dsp.Constraint{dsp.Compare("moonPhase", dsp.Eq, "full")}}}
		}, "moonPhase"},
		"an unknown action":  {func(m *dsp.ContractRequestMessage) { m.Offer.Permission[0].Action = "sell" }, "sell"},
		"a private callback": {func(m *dsp.ContractRequestMessage) { m.CallbackAddress = "http://192.168.1.1/dsp" }, "announces"},
		"another's callback": {func(m *dsp.ContractRequestMessage) { m.CallbackAddress = "https://example.org/dsp" }, "callback"},
	} {
		t.Run(name, func(t *testing.T) {
			m := r.request(n, "urn:uuid:"+strings.ReplaceAll(name, " ", "-"), "shipments")
			c.change(m)
			a := r.say(n, dsp.Provider, m)
			if a.status != 400 || a.kind() != "ContractNegotiationError" || !strings.Contains(a.reason(), c.reason) {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

func TestACallbackToAPrivateAddressIsRefused(t *testing.T) {
	n, r := withRogue(t, func(n *node) { n.private = false })
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	a := r.say(n, dsp.Provider, r.request(n, "urn:uuid:1", "shipments")) // its own address, which is loopback
	if a.status != 400 || !strings.Contains(a.reason(), "callbackAddress") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestCallersMustBeKnownAndFresh(t *testing.T) {
	n, r := withRogue(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	stranger := newRogue(t, "KZ")
	used := r.token(n)
	if a := call(t, n, http.MethodGet, "/catalog/datasets/shipments", used, nil); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	other := newNode(t, "other", "RU", "P-256")
	for name, c := range map[string]struct {
		token  string
		status int
	}{
		"none":               {"", 401},
		"a used one":         {used, 401},
		"for somebody else":  {r.token(other), 401},
		"of a stranger":      {stranger.token(n), 403},
		"not a token at all": {"Bearer x", 401},
	} {
		a := call(t, n, http.MethodGet, "/catalog/datasets/shipments", c.token, nil)
		if a.status != c.status || a.kind() != "CatalogError" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// TestATokenMovesOneMessageAndNoMore: its use is durable with what the message
// changes, and also if the message changes nothing.
func TestATokenMovesOneMessageAndNoMore(t *testing.T) {
	n, r := withRogue(t, func(n *node) { n.manual.Agree = true })
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	open := func(pid, token string) reply {
		body, err := dsp.Encode(r.request(n, pid, "shipments"))
		if err != nil {
			t.Fatal(err)
		}
		return call(t, n, http.MethodPost, "/negotiations/request", token, body)
	}
	token := r.token(n)
	if a := open("urn:uuid:first", token); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	wasted := r.token(n)
	if a := call(t, n, http.MethodPost, "/negotiations/request", wasted, []byte(`{}`)); a.status != 400 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	n.stop()
	n.start()
	for what, used := range map[string]string{"moved a message": token, "came with a message that was refused": wasted} {
		if a := open("urn:uuid:second", used); a.status != 401 {
			t.Errorf("a token that %s: %d %s", what, a.status, a.body)
		}
	}
	n.only()
	if a := open("urn:uuid:second", r.token(n)); a.status != 201 {
		t.Errorf("a new token: %d %s", a.status, a.body)
	}
}

func TestSomebodyElsesProcessIsNotThere(t *testing.T) {
	n, r := withRogue(t, func(n *node) { n.manual.Agree = true })
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	second := newRogue(t, "KZ")
	both := append(n.peers.All(), n.peers.All()[0])
	both[1].Participant, both[1].Address = second.who, second.base()
	if err := n.peers.Replace(both); err != nil {
		t.Fatal(err)
	}
	pid := r.opened(n, r.request(n, "urn:uuid:1", "shipments"))
	if a := r.get(n, dsp.NegotiationPath(pid)); a.status != 200 {
		t.Errorf("its own: %d %s", a.status, a.body)
	}
	unknown := second.get(n, dsp.NegotiationPath("urn:uuid:none"))
	for _, a := range []reply{
		second.get(n, dsp.NegotiationPath(pid)), unknown,
		second.say(n, dsp.Provider, &dsp.ContractNegotiationTerminationMessage{Pids: dsp.Pids{ProviderPid: pid, ConsumerPid: "urn:uuid:1"}}),
		second.get(n, "/corridor/receipts/urn:uuid:none"), second.get(n, dsp.TransferPath("urn:uuid:none")),
	} {
		if a.status != 404 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if n.only().State != dsp.Requested {
		t.Error("a stranger moved it")
	}
}

func TestARepeatedMessageGetsTheSameAnswerAndHasNoSecondEffect(t *testing.T) {
	n, r := withRogue(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	for _, name := range []json.RawMessage{nil, json.RawMessage(`"urn:uuid:m"`)} { // of a foreign peer, and of a gateway like us
		m := r.request(n, "urn:uuid:with"+string(bytes.Trim(name, `"`)), "shipments")
		m.Message = name
		pid := r.opened(n, m)
		if again := r.opened(n, m); again != pid {
			t.Errorf("another negotiation: %s", again)
		}
		m.Flow = json.RawMessage(`{"purpose":"research"}`)
		if name == nil {
			if a := r.say(n, dsp.Provider, m); a.status != 400 || !strings.Contains(a.reason(), "already used") {
				t.Errorf("another request under the same pid: %d %s", a.status, a.body)
			}
		}
		n.until(pid, func(n exchange.Negotiation) bool { return n.State == dsp.Agreed })
		r.mu.Lock()
		var agreement []byte
		for _, h := range r.heard {
			if strings.HasSuffix(h.path, "/agreement") && bytes.Contains(h.body, []byte(pid)) {
				agreement = h.body
			}
		}
		r.mu.Unlock()
		v := r.verification(agreement)
		v.Message = name
		before := int64(0)
		for i := range 3 {
			if a := r.say(n, dsp.Provider, v); a.status != 200 && i == 0 || a.status == 404 {
				t.Errorf("verification %d: %d %s", i, a.status, a.body)
			}
			n.until(pid, ended)
			if i == 0 {
				before = n.log.Size()
			}
		}
		if n.log.Size() != before {
			t.Errorf("%d receipts more after a repeat", n.log.Size()-before)
		}
	}
}

func TestAnAddressIsAParticipantsOwnIfItsDocumentSaysSo(t *testing.T) {
	cn, kz := pair(t)
	ctx := within(t, 5*time.Second)
	if err := kz.x.Announced(ctx, cn.who.DID, cn.base()); err != nil {
		t.Error(err)
	}
	if err := kz.x.Announced(ctx, cn.who.DID, kz.base()); corridor.KindOf(err) != corridor.Forbidden {
		t.Errorf("the address of another: %v", err)
	}
}
