package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

// orderedScene is an exporter in China under a compact that opens non-personal
// data and state secrets, and a peer in Kazakhstan that says whatever it likes.
type orderedScene struct {
	t    *testing.T
	n    *node
	r    *rogue
	body *body
}

func orderedBetween(t *testing.T) *orderedScene {
	t.Helper()
	s := &orderedScene{t: t, body: authority(t, "CN", "SM2")}
	s.n, s.r = withRogue(t, func(n *node) { n.manual.Agree = true })
	s.n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	s.n.adopt(treaty(t, func(c *corridor.Compact) { c.Opens[0].Classes = []string{"non_personal", "state_secret"} }, s.body, authority(t, "KZ", "Ed25519")))
	return s
}

// byID asks for the catalogue as far as it is about one dataset.
func (s *orderedScene) byID(r *rogue, id string) reply {
	s.t.Helper()
	raw, err := json.Marshal(dsp.Compare("id", dsp.Eq, id))
	ok(s.t, err)
	return r.say(s.n, dsp.Provider, &dsp.CatalogRequestMessage{Filter: []json.RawMessage{raw}})
}

// refers fails the test unless a peer was refused with the reference of an
// order: its number, its authority, its file and its digest.
func (s *orderedScene) refers(what string, a reply, kind string, order []byte) {
	s.t.Helper()
	sealed, o, err := corridor.DecodeOrder(order)
	ok(s.t, err)
	if a.status != http.StatusUnavailableForLegalReasons || a.kind() != kind || !bytes.Contains(a.body, []byte(`"code":"refused_by_law"`)) {
		s.t.Errorf("%s: %d %s", what, a.status, a.body)
	}
	for _, word := range []string{"suspended by order 1 of the authority of CN (17/2026)", o.Reason, o.Authority, sealed.Digest(), "can lift it by a signed order"} {
		if !strings.Contains(a.reason(), word) {
			s.t.Errorf("%s: %q does not say %q", what, a.reason(), word)
		}
	}
}

// refusals counts the receipts of refusals that name an order.
func (s *orderedScene) refusals(order []byte) (n int) {
	s.t.Helper()
	sealed, _, err := corridor.DecodeOrder(order)
	ok(s.t, err)
	for _, r := range s.n.receipts() {
		if r.Type == corridor.ReceiptRefusal && r.Digests["order"] == sealed.Digest() && strings.Contains(r.Reason, "17/2026") {
			n++
		}
	}
	return n
}

func TestWhatBeginsUnderAnOrderIsRefusedWithItsReference(t *testing.T) {
	s := orderedBetween(t)
	providerStates()[dsp.Finalized](t, s.n, s.r)
	agreement := s.n.only().Agreement
	transfer := &dsp.TransferRequestMessage{ConsumerPid: "urn:uuid:t", AgreementID: agreement, Format: catalog.FormatPull, CallbackAddress: s.r.base()}
	order := s.body.suspend(corridor.Target{Participant: s.r.who.DID})
	s.n.take(order)
	s.r.mu.Lock()
	told := len(s.r.heard)
	s.r.mu.Unlock()

	s.refers("the dataset", s.r.get(s.n, dsp.DatasetPath("shipments")), "CatalogError", order)
	s.refers("the catalogue by its identifier", s.byID(s.r, "shipments"), "CatalogError", order)
	if n := s.refusals(order); n != 0 {
		t.Errorf("questions have left %d receipts", n)
	}
	request := s.r.request(s.n, "urn:uuid:new", "shipments")
	for range 2 { // a repeat gets the same answer, and is refused no second time
		s.refers("a negotiation", s.r.say(s.n, dsp.Provider, request), "ContractNegotiationError", order)
		s.refers("a transfer", s.r.say(s.n, dsp.Provider, transfer), "TransferError", order)
		if n := s.refusals(order); n != 2 {
			t.Errorf("%d refusals are in the log", n)
		}
	}
	list, _, err := s.n.x.Negotiations(context.Background(), exchange.Page{State: string(dsp.Terminated)})
	if err != nil || len(list) != 1 || list[0].PeerPID != "urn:uuid:new" || list[0].Order == "" || list[0].Code != "refused_by_law" {
		t.Fatalf("%v %+v", err, list)
	}
	// The refusal is the whole answer: of the new ones no message goes out.
	s.n.untilAgreement(agreement, exchange.AgreementSuspended)
	s.r.mu.Lock()
	for _, h := range s.r.heard[told:] {
		t.Errorf("%s %s", h.path, h.body)
	}
	s.r.mu.Unlock()

	s.n.take(s.body.lift(1))
	s.n.untilAgreement(agreement, exchange.AgreementInForce)
	s.refers("the same request after the lift", s.r.say(s.n, dsp.Provider, request), "ContractNegotiationError", order)
	s.r.opened(s.n, s.r.request(s.n, "urn:uuid:newer", "shipments"))
	transfer.ConsumerPid = "urn:uuid:tt"
	if a := s.r.say(s.n, dsp.Provider, transfer); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestAnOfferUnderAnOrderIsRefusedWithItsReference(t *testing.T) {
	s := orderedBetween(t)
	offer := &dsp.ContractOfferMessage{ProviderPid: "urn:uuid:p", CallbackAddress: s.r.base()}
	offer.Offer.ID, offer.Offer.Target, offer.Offer.Permission = "weather:offer", "weather", []dsp.Rule{{Action: "use"}}
	s.n.take(s.body.suspend(corridor.Target{Participant: s.r.who.DID, Class: "personal"})) // nobody has said that there is such data in it
	if a := s.r.say(s.n, dsp.Consumer, offer); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	other := orderedBetween(t)
	order := other.body.suspend(corridor.Target{From: "KZ", To: "CN"})
	other.n.take(order)
	offer.CallbackAddress = other.r.base()
	other.refers("an offer", other.r.say(other.n, dsp.Consumer, offer), "ContractNegotiationError", order)
	if n := other.refusals(order); n != 1 {
		t.Errorf("%d refusals are in the log", n)
	}
	_, err := other.n.x.OfferTo(within(t, 5*time.Second), other.r.who.DID, "", "shipments") // the other direction
	ok(t, err)
	other.n.take(other.body.suspend(corridor.Target{Dataset: "shipments"}))
	_, err = other.n.x.OfferTo(within(t, 5*time.Second), other.r.who.DID, "", "shipments")
	refuses(t, err, corridor.RefusedByLaw, "order 2 of the authority of CN (17/2026)")
}

// An order may be about data that a peer must not know of. Whoever would not be
// shown a dataset without the order gets the answer of one that is not there,
// however wide or narrow the order is.
func TestAnOrderDisclosesNothingThatWasHiddenBefore(t *testing.T) {
	s := orderedBetween(t)
	s.n.publish(exchange.Publication{ID: "people", Facts: peopleFacts()})                                               // no article opens it
	s.n.publish(exchange.Publication{ID: "secret", Facts: with(corridor.Facts{"data_classes": []any{"state_secret"}})}) // the law denies it
	s.n.publish(exchange.Publication{ID: "russian", Facts: plainFacts(), Policy: json.RawMessage(`{"permission":[{"action":"use","constraint":[{"leftOperand":"spatial","operator":"eq","rightOperand":"RU"}]}]}`)})
	s.n.publish(exchange.Publication{ID: "withdrawn", Facts: plainFacts()})
	_, err := s.n.x.Withdraw(within(t, 5*time.Second), "withdrawn")
	ok(t, err)
	hidden := []string{"people", "secret", "russian", "withdrawn", "nothing"}
	before := map[string]string{}
	for _, id := range hidden {
		before[id] = s.saidOf(id, "before")
	}
	for _, target := range []corridor.Target{{}, {Participant: s.r.who.DID}, {From: "CN", To: "KZ"}, {Dataset: "people"}, {Dataset: "secret"}, {Class: "personal"}, {Class: "state_secret"}, {Dataset: "withdrawn"}} {
		s.n.take(s.body.suspend(target))
		for _, id := range hidden {
			if now := s.saidOf(id, target.String()); now != before[id] {
				t.Errorf("%s under an order about %s:\n%s\nbefore it:\n%s", id, target, now, before[id])
			}
		}
		s.n.take(s.body.lift(s.body.last))
	}
}

// saidOf is all that a peer hears of a dataset by whatever it may ask.
func (s *orderedScene) saidOf(id, round string) string {
	s.t.Helper()
	var out strings.Builder
	note := func(a reply) {
		out.WriteString(a.kind() + " " + http.StatusText(a.status) + " " + a.reason() + "\n")
		if strings.Contains(a.reason(), "17/2026") {
			s.t.Errorf("%s (%s): %s", id, round, a.reason())
		}
	}
	note(s.r.get(s.n, dsp.DatasetPath(id)))
	listed := s.byID(s.r, id)
	note(listed)
	if listed.status != http.StatusOK || bytes.Contains(listed.body, []byte(`"`+id+`"`)) {
		s.t.Errorf("%s (%s): %d %s", id, round, listed.status, listed.body)
	}
	pid := "urn:uuid:" + corridor.Digest([]byte(id+round))
	note(s.r.say(s.n, dsp.Provider, s.r.request(s.n, pid, id)))
	list, _, err := s.n.x.Negotiations(context.Background(), exchange.Page{})
	ok(s.t, err)
	for _, n := range list {
		if n.PeerPID == pid {
			out.WriteString(string(n.State) + strings.Join(n.Reason, "; "))
		}
	}
	return out.String()
}

func TestAnOrderIsToldToWhomItStopsAlone(t *testing.T) {
	s := orderedBetween(t)
	other := newRogue(t, "KZ")
	ok(t, s.n.peers.Replace([]identity.Peer{{Participant: s.r.who, Address: s.r.base()}, {Participant: other.who, Address: other.base()}}))
	order := s.body.suspend(corridor.Target{Participant: s.r.who.DID, Dataset: "shipments"})
	s.n.take(order)
	s.refers("whom it stops", s.r.get(s.n, dsp.DatasetPath("shipments")), "CatalogError", order)
	if a := other.get(s.n, dsp.DatasetPath("shipments")); a.status != http.StatusOK {
		t.Errorf("whom it does not stop: %d %s", a.status, a.body)
	}
	stranger := newRogue(t, "KZ")
	for what, a := range map[string]reply{
		"nobody":     call(t, s.n, http.MethodGet, dsp.DatasetPath("shipments"), "", nil),
		"a stranger": stranger.get(s.n, dsp.DatasetPath("shipments")),
		"a stranger who negotiates in the peer's name": stranger.say(s.n, dsp.Provider, s.r.request(s.n, "urn:uuid:x", "shipments")),
	} {
		if a.status != http.StatusUnauthorized && a.status != http.StatusForbidden || strings.Contains(string(a.body), "17/2026") {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	if n := s.refusals(order); n != 0 {
		t.Errorf("%d refusals are in the log", n)
	}
}

func TestAGatewayThatIsRefusedForAnOrderSaysWhichOne(t *testing.T) {
	cn, kz := pair(t)
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	compact := treaty(t, nil, cnBody, kzBody)
	cn.adopt(compact)
	kz.adopt(compact)
	agreed := kz.until(kz.ask(cn, "shipments", "research"), ended)
	cn.untilAgreement(agreed.Agreement, exchange.AgreementInForce)
	order := cnBody.suspend(corridor.Target{})
	cn.take(order)
	sealed, _, err := corridor.DecodeOrder(order)
	ok(t, err)
	_, err = kz.x.Negotiate(within(t, 10*time.Second), exchange.Request{Provider: cn.who.DID, Dataset: "shipments", Purpose: "research"})
	refuses(t, err, corridor.KindOf(err), "order 1 of the authority of CN (17/2026)", sealed.Digest())
	tr, err := kz.x.Transfer(within(t, 10*time.Second), agreed.Agreement)
	if err != nil { // it has heard of the suspension already
		refuses(t, err, corridor.RefusedByLaw, "17/2026")
		return
	}
	tr = kz.untilTransfer(tr.PID, over)
	if tr.State != dsp.Terminated || tr.Code != "refused_by_law" {
		t.Errorf("%s %s", tr.State, tr.Code)
	}
	refused(t, tr.Reason, []string{"order 1 of the authority of CN (17/2026)", sealed.Digest()})
}
