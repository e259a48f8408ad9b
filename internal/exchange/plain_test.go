package exchange_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/verify"
)

// withPlain is a gateway in China and a connector in Kazakhstan that speaks
// the Dataspace Protocol and no more.
func withPlain(t *testing.T, change ...func(*node)) (*node, *rogue) {
	t.Helper()
	n, r := withRogue(t, change...)
	n.marks(r, &identity.Plain{Purpose: "trade_logistics"})
	return n, r
}

// marks writes the peer's entry anew.
func (n *node) marks(r *rogue, plain *identity.Plain) {
	n.t.Helper()
	if err := n.peers.Replace([]identity.Peer{{Participant: r.who, Address: r.base(), Plain: plain}}); err != nil {
		n.t.Fatal(err)
	}
}

// plainRequest is a request in the protocol's own words.
func (r *rogue) plainRequest(n *node, pid, dataset string) *dsp.ContractRequestMessage {
	m := r.request(n, pid, dataset)
	m.Extensions = dsp.Extensions{}
	return m
}

// plainWords fails if a message holds anything of Corridor's own.
func plainWords(t *testing.T, body []byte) {
	t.Helper()
	if bytes.Contains(body, []byte(dsp.ExtensionPrefix)) {
		t.Errorf("a plain peer was sent words that it does not know: %s", body)
	}
}

// agreed carries a plain consumer to an agreement in force.
func (r *rogue) agreed(n *node, dataset string) (pid string, agreement exchange.Agreement) {
	r.t.Helper()
	pid = r.opened(n, r.plainRequest(n, "urn:uuid:consumer", dataset))
	body := r.wait("/agreement")
	plainWords(r.t, body)
	m, err := dsp.Decode[dsp.ContractAgreementMessage](body)
	if err != nil {
		r.t.Fatal(err)
	}
	if a := r.say(n, dsp.Provider, &dsp.ContractAgreementVerificationMessage{Pids: m.Pids}); a.status != http.StatusOK {
		r.t.Fatalf("verification: %d %s", a.status, a.body)
	}
	plainWords(r.t, r.wait("/events"))
	n.until(pid, ended)
	if agreement, err = n.x.Agreement(context.Background(), m.Agreement.ID); err != nil {
		r.t.Fatal(err)
	}
	return pid, agreement
}

func TestAPlainConsumersSideIsDecidedHereAndSaidSo(t *testing.T) {
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid, a := r.agreed(n, "shipments")

	neg := n.until(pid, ended)
	if neg.State != dsp.Finalized || !neg.Plain || neg.Theirs == nil || neg.Theirs.InsteadOf != r.who.DID || neg.Own.InsteadOf != "" || neg.Purpose != "trade_logistics" {
		t.Fatalf("%s %+v", neg.State, neg)
	}
	if a.State != exchange.AgreementInForce || a.DecidedBy != n.who.DID {
		t.Fatalf("%+v", a)
	}
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil {
		t.Fatal(err)
	}
	if len(signed.Signatures) != 1 || signed.Body.DecidedBy != n.who.DID || len(signed.Body.Decisions) != 2 {
		t.Fatalf("%+v", signed)
	}
	theirs, err := signed.Body.Decisions[1].Decode()
	if err != nil || theirs.Issuer != n.who.DID || theirs.InsteadOf != r.who.DID || theirs.Decision.Side != corridor.Import || theirs.Decision.Jurisdiction != "KZ" {
		t.Errorf("%+v %v", theirs, err)
	}
	raw, err := n.x.Bundle(within(t, 10*time.Second), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	report := verify.Bundle(raw, verify.Options{})
	if !report.OK || !strings.Contains(report.Summary, "decided both sides and signed alone") {
		t.Errorf("%s\n%+v", report.Summary, report.Failed())
	}
}

func TestAPlainConsumerFetchesAndEveryStepHasItsReceipt(t *testing.T) {
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	_, a := r.agreed(n, "shipments")
	reply := r.say(n, dsp.Provider, &dsp.TransferRequestMessage{ConsumerPid: "urn:uuid:t", AgreementID: a.ID, Format: "HttpData-PULL", CallbackAddress: r.base()})
	if reply.status != http.StatusCreated {
		t.Fatalf("%d %s", reply.status, reply.body)
	}
	body := r.wait("/start")
	plainWords(t, body)
	start, err := dsp.Decode[dsp.TransferStartMessage](body)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := start.DataAddress.Property("authorization")
	req, err := http.NewRequest(http.MethodGet, start.DataAddress.Endpoint, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimPrefix(token, "Bearer "))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !bytes.HasPrefix(data, []byte("awb,weight")) {
		t.Fatalf("%d %v %.80q", resp.StatusCode, err, data)
	}
	if done := r.say(n, dsp.Provider, &dsp.TransferCompletionMessage{Pids: start.Pids}); done.status != http.StatusOK {
		t.Fatalf("%d %s", done.status, done.body)
	}
	tr := n.untilTransfer(start.ProviderPid, over)
	if tr.State != dsp.Completed || tr.Released == nil || tr.Acknowledged == nil {
		t.Errorf("%+v", tr)
	}
	raw, err := n.x.Bundle(within(t, 10*time.Second), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if report := verify.Bundle(raw, verify.Options{}); !report.OK {
		t.Errorf("%+v", report.Failed())
	}
}

func TestAPlainPeersSideFailsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		plain  *identity.Plain
		facts  func(corridor.Facts)
		status int
		reason string
	}{
		"no purpose stated":      {&identity.Plain{}, nil, 400, "plain.purpose"},
		"a fact nobody knows":    {&identity.Plain{Purpose: "trade_logistics", Facts: corridor.Facts{"no_such_fact": 1}}, nil, 400, "no_such_fact"},
		"a callback elsewhere":   {&identity.Plain{Purpose: "trade_logistics"}, nil, 400, "the list of peers has it"},
		"no signature any more":  {nil, nil, 400, "purpose"},
		"the peer's law refuses": {&identity.Plain{Purpose: "trade_logistics"}, func(f corridor.Facts) { f["ai_role"], f["ai_prohibited_use"] = "deployer", true }, 201, "the law of KZ (import side)"},
		"something is unknown":   {&identity.Plain{Purpose: "trade_logistics"}, func(f corridor.Facts) { f["ai_role"] = "deployer"; delete(f, "ai_prohibited_use") }, 201, "the law of KZ (import side) cannot be decided"},
	} {
		t.Run(name, func(t *testing.T) {
			n, r := withPlain(t)
			facts := maps.Clone(plainFacts())
			if c.facts != nil {
				c.facts(facts)
			}
			n.publish(exchange.Publication{ID: "shipments", Facts: facts})
			n.marks(r, c.plain)
			m := r.plainRequest(n, "urn:uuid:consumer", "shipments")
			if strings.Contains(name, "elsewhere") {
				m.CallbackAddress = "http://127.0.0.1:1/dsp"
			}
			a := r.say(n, dsp.Provider, m)
			if a.status != c.status {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if c.status == 400 {
				if !strings.Contains(a.reason(), c.reason) {
					t.Errorf("%s", a.body)
				}
				return
			}
			neg := n.until(n.only().PID, ended)
			if neg.State != dsp.Terminated || !strings.Contains(strings.Join(neg.Reason, "; "), c.reason) {
				t.Errorf("%s %v", neg.State, neg.Reason)
			}
		})
	}
}

func TestWhatAPlainPeerMayDoAPeerThatRunsCorridorMayNot(t *testing.T) {
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := r.opened(n, r.plainRequest(n, "urn:uuid:consumer", "shipments"))
	m, err := dsp.Decode[dsp.ContractAgreementMessage](r.wait("/agreement"))
	if err != nil {
		t.Fatal(err)
	}
	n.marks(r, nil) // the operator learns that it is a Corridor after all
	a := r.say(n, dsp.Provider, &dsp.ContractAgreementVerificationMessage{Pids: m.Pids})
	if a.status != 400 || !strings.Contains(a.reason(), "plain peer") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if neg := n.until(pid, func(exchange.Negotiation) bool { return true }); neg.State == dsp.Verified || neg.State == dsp.Finalized {
		t.Errorf("an unsigned verification was taken: %s", neg.State)
	}
}

// plainAgreement answers the node's request with an agreement in the
// protocol's own words.
func (r *rogue) plainAgreement(n *node, change func(*dsp.Agreement)) *dsp.ContractAgreementMessage {
	r.t.Helper()
	body := r.wait(dsp.NegotiationRequestPath)
	plainWords(r.t, body)
	m, err := dsp.Decode[dsp.ContractRequestMessage](body)
	if err != nil {
		r.t.Fatal(err)
	}
	out := &dsp.ContractAgreementMessage{Pids: dsp.Pids{ProviderPid: "urn:uuid:p", ConsumerPid: m.ConsumerPid}}
	out.Agreement.Policy = dsp.Policy{ID: "urn:uuid:agreement", Target: m.Offer.Target, Assigner: r.who.DID, Assignee: n.who.DID, Permission: m.Offer.Permission}
	out.Agreement.Timestamp = dsp.FormatTime(time.Now())
	if change != nil {
		change(&out.Agreement)
	}
	return out
}

func (n *node) askPlain(r *rogue, facts corridor.Facts) (exchange.Negotiation, error) {
	return n.x.Negotiate(within(n.t, 10*time.Second), exchange.Request{Provider: r.who.DID, Dataset: "shipments", Purpose: "trade_logistics", Facts: facts})
}

func TestAnAgreementWithAPlainProviderIsOurRecordOfIt(t *testing.T) {
	n, r := withPlain(t)
	r.provides("shipments")
	neg, err := n.askPlain(r, plainFacts())
	if err != nil {
		t.Fatal(err)
	}
	m := r.plainAgreement(n, nil)
	if a := r.say(n, dsp.Consumer, m); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	plainWords(t, r.wait("/verification"))
	n.until(neg.PID, func(n exchange.Negotiation) bool { return n.State == dsp.Verified || n.State.Final() })
	if a := r.say(n, dsp.Consumer, &dsp.ContractNegotiationEventMessage{Pids: m.Pids, EventType: dsp.Finalized}); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	a, err := n.x.Agreement(context.Background(), m.Agreement.ID)
	if err != nil || a.State != exchange.AgreementInForce || a.DecidedBy != n.who.DID {
		t.Fatalf("%v %+v", err, a)
	}
	raw, err := n.x.Bundle(within(t, 10*time.Second), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if report := verify.Bundle(raw, verify.Options{}); !report.OK || !strings.Contains(report.Summary, r.who.DID) {
		t.Errorf("%s %+v", report.Summary, report.Failed())
	}
}

func TestAPlainProvidersAgreementMustBeWhatWasAskedFor(t *testing.T) {
	n, r := withPlain(t)
	r.provides("shipments")
	if _, err := n.askPlain(r, plainFacts()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*dsp.Agreement)
		reason string
	}{
		"another dataset":  {func(a *dsp.Agreement) { a.Target = "other" }, "target"},
		"another consumer": {func(a *dsp.Agreement) { a.Assignee = "did:web:other.example" }, "assignee"},
		"another provider": {func(a *dsp.Agreement) { a.Assigner = "did:web:other.example" }, "assigner"},
		"other terms": {func(a *dsp.Agreement) {
			a.Permission = []dsp.Rule{{Action: "use", Constraint: []dsp.Constraint{dsp.Compare("purpose", dsp.Eq, "marketing")}}}
		}, "policy"},
	} {
		t.Run(name, func(t *testing.T) {
			a := r.say(n, dsp.Consumer, r.plainAgreement(n, c.change))
			if a.status != 400 || !strings.Contains(a.reason(), c.reason) {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

func TestAPlainProvidersLawIsAskedBeforeAnythingIsSent(t *testing.T) {
	n, r := withPlain(t)
	r.provides("shipments")
	facts := plainFacts()
	delete(facts, "data_classes")
	r.pages[dsp.DatasetPath("shipments")] = withoutFacts(t, r.pages[dsp.DatasetPath("shipments")](nil))
	_, err := n.askPlain(r, facts)
	if corridor.KindOf(err) != corridor.RefusedByLaw {
		t.Fatalf("%v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.heard {
		if strings.HasSuffix(h.path, dsp.NegotiationRequestPath) {
			t.Errorf("sent although the law could not be decided: %s", h.body)
		}
	}
}

// withoutFacts is a dataset as a plain provider shows it.
func withoutFacts(t *testing.T, page []byte) func([]byte) []byte {
	t.Helper()
	d, err := dsp.Decode[dsp.Dataset](page)
	if err != nil {
		t.Fatal(err)
	}
	d.Extensions = dsp.Extensions{}
	out, err := dsp.Encode(d)
	if err != nil {
		t.Fatal(err)
	}
	return func([]byte) []byte { return out }
}
