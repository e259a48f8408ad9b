package exchange_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

// with adds facts to plain ones.
func with(more corridor.Facts) corridor.Facts {
	f := plainFacts()
	maps.Copy(f, more)
	return f
}

// peopleFacts are those of trade data with contact persons in it, few enough
// for the exporter's law to let it go with duties.
func peopleFacts() corridor.Facts {
	return with(corridor.Facts{"data_classes": []any{"personal"}, "subjects_in_file": 500, "subjects_ytd": 500, "sensitive_subjects_in_file": 0, "sensitive_subjects_ytd": 0, "genome_subjects": 0,
		"subject_link": []any{"resident"}, "data_source": "domestic", "first_store": "CN", "local_copy": true, "consent": "transfer_explicit",
		"pattern": "recurring", "onward": "none", "legal_basis": "consent", "on_ftz_negative_list": false, "exporter_traits": []any{},
		"decision_effect": "none", "mechanism": "none", "filing": "none", "impact_assessment": true, "foreign_retention_h": nil, "recipient_protects": true, "destination_found_adequate": false})
}

// evidenceFor says that the given duties were carried out.
func evidenceFor(ids ...string) map[string]corridor.Evidence {
	out := map[string]corridor.Evidence{}
	for _, id := range ids {
		out[id] = corridor.Evidence{Ref: "file 7/2026", SHA256: corridor.Digest([]byte(id)), By: "L. Wang", On: corridor.DateOf(time.Now())}
	}
	return out
}

func TestADeniedFlowIsNotInTheCatalogue(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "secret", Facts: with(corridor.Facts{"data_classes": []any{"state_secret"}})})
	cn.publish(exchange.Publication{ID: "open", Facts: plainFacts()})
	list, _, err := kz.x.PeerCatalogue(within(t, 5*time.Second), cn.who.DID, "")
	if err != nil || len(list) != 1 || list[0].ID != "open" {
		t.Fatalf("%v %+v", err, list)
	}
	_, err = kz.x.Negotiate(within(t, 5*time.Second), exchange.Request{Provider: cn.who.DID, Dataset: "secret", Purpose: "research"})
	if corridor.KindOf(err) != corridor.NotFound {
		t.Errorf("a dataset that cannot be obtained must look like one that is not there: %v", err)
	}
	reach, err := cn.x.Reaches(within(t, 5*time.Second), "secret")
	if err != nil || len(reach) != 1 || reach[0].Shown || len(reach[0].Cites) == 0 || !strings.Contains(reach[0].Why, "art.") {
		t.Errorf("the operator must see why: %v %+v", err, reach)
	}
}

// duties are those that the exporter's law wants done before such a transfer.
var duties = []string{"contract_with_recipient", "pipia", "notice", "consent_if_consent_basis"}

func receiptTypes(t *testing.T, n *node, negotiation string) map[string]int {
	t.Helper()
	types := map[string]int{}
	for i := range n.log.Size() {
		raw, err := n.log.Receipt(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := corridor.DecodeReceipt(raw)
		if err != nil {
			t.Fatal(err)
		}
		if leaf.Receipt.Negotiation == negotiation {
			types[leaf.Receipt.Type]++
		}
	}
	return types
}

func TestARefusalCitesTheArticleOnBothSides(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "people", Facts: peopleFacts(), Evidence: evidenceFor(duties...)})
	n := kz.until(kz.ask(cn, "people", "foreign_legal_request"), ended)
	if n.State != dsp.Terminated || n.Code != "refused_by_law" || !strings.Contains(strings.Join(n.Reason, " "), "art. 36") {
		t.Errorf("consumer: %s %s %q", n.State, n.Code, n.Reason)
	}
	other := cn.only()
	if other.State != dsp.Terminated || len(other.Cites) == 0 {
		t.Errorf("provider: %s %v", other.State, other.Cites)
	}
	for side, pid := range map[*node]string{cn: other.PID, kz: n.PID} {
		if types := receiptTypes(t, side, pid); types[corridor.ReceiptRefusal] != 1 || types[corridor.ReceiptDecision] != 1 {
			t.Errorf("%s: %v", side.name, types)
		}
	}
}

func TestWhatOurOwnLawDeniesIsNeverSent(t *testing.T) {
	ru, kz := pair(t, func(cn, _ *node) { cn.who.Jurisdiction = "RU" })
	ru.publish(exchange.Publication{ID: "model", Facts: with(corridor.Facts{"ai_role": "provider", "ai_prohibited_use": true})})
	n, err := kz.x.Negotiate(within(t, 5*time.Second), exchange.Request{Provider: ru.who.DID, Dataset: "model", Purpose: "research"})
	var e *corridor.Error
	if !errors.As(err, &e) || e.Kind != corridor.RefusedByLaw || len(e.Cites) == 0 {
		t.Fatalf("%v", err)
	}
	if n.State != dsp.Terminated || receiptTypes(t, kz, n.PID)[corridor.ReceiptRefusal] != 1 {
		t.Error("the refusal is not on record")
	}
	if list, _, err := ru.x.Negotiations(context.Background(), exchange.Page{}); err != nil || len(list) != 0 {
		t.Errorf("the provider heard of it: %v %v", list, err)
	}
}

func TestAMissingFactNamesTheQuestion(t *testing.T) {
	cn, kz := pair(t)
	facts := peopleFacts()
	delete(facts, "subjects_ytd") // what this node has sent is not all that the exporter may have sent
	cn.publish(exchange.Publication{ID: "people", Facts: facts, Evidence: evidenceFor(duties...)})
	n := kz.until(kz.ask(cn, "people", "trade_logistics"), ended)
	if n.State != dsp.Terminated || !strings.Contains(strings.Join(n.Reason, " "), "subjects_ytd") {
		t.Errorf("%s %q", n.State, n.Reason)
	}
	if other := cn.only(); len(other.Missing) == 0 {
		t.Error("the provider's operator is not asked")
	}
}

func TestADutyWithoutEvidenceParksTheNegotiation(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "people", Facts: peopleFacts(), Evidence: evidenceFor("notice", "consent_if_consent_basis")})
	pid := kz.ask(cn, "people", "trade_logistics")
	kz.until(pid, func(n exchange.Negotiation) bool { return n.State == dsp.Requested && n.Pending == "" })
	mine := cn.until(cn.only().PID, parked)
	if mine.State != dsp.Requested || !strings.Contains(mine.Waiting.Why, "pipia") || !strings.Contains(mine.Waiting.Why, "contract_with_recipient") {
		t.Fatalf("%s %+v", mine.State, mine.Waiting)
	}
	ctx := within(t, 10*time.Second)
	if _, err := cn.x.Approve(ctx, mine.PID, exchange.Approval{By: "L. Wang", Reference: "A-1", Evidence: evidenceFor("pipia")}); err != nil {
		t.Fatal(err)
	}
	if mine = cn.only(); mine.State != dsp.Requested || !strings.Contains(mine.Waiting.Why, "contract_with_recipient") {
		t.Fatalf("one duty of two is not enough: %+v", mine.Waiting)
	}
	if _, err := cn.x.Approve(ctx, mine.PID, exchange.Approval{By: "L. Wang", Reference: "A-2", Evidence: evidenceFor("contract_with_recipient")}); err != nil {
		t.Fatal(err)
	}
	n := kz.until(pid, ended)
	if n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	a, err := kz.x.Agreement(ctx, n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil || len(signed.Body.Approvals) != 2 || len(signed.Body.Evidence) != 4 {
		t.Fatalf("%v %+v", err, signed.Body)
	}
}

// many is enough people for the exporter's law to want a contract or a
// certificate first.
func many() corridor.Facts {
	f := peopleFacts()
	f["subjects_in_file"], f["subjects_ytd"] = 200_000, 200_000
	return f
}

func TestAnApprovalIsAReceiptAndIsQuoted(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "people", Facts: many(), Evidence: evidenceFor(duties...)})
	pid := kz.ask(cn, "people", "marketing")
	mine := cn.until(func() string {
		kz.until(pid, func(n exchange.Negotiation) bool { return n.Pending == "" })
		return cn.only().PID
	}(), parked)
	if !strings.Contains(mine.Waiting.Why, "needs an approval") || len(mine.Cites) == 0 {
		t.Fatalf("%+v", mine.Waiting)
	}
	ctx := within(t, 10*time.Second)
	for _, bad := range []exchange.Approval{{}, {By: "x"}, {Reference: "y"}} {
		if _, err := cn.x.Approve(ctx, mine.PID, bad); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	own, err := mine.Own.Signed.Decode()
	if err != nil {
		t.Fatal(err)
	}
	var owed []string
	for _, o := range own.Decision.Duties {
		if o.When == "before" {
			owed = append(owed, o.ID)
		}
	}
	if _, err := cn.x.Approve(ctx, mine.PID, exchange.Approval{By: "Provincial CAC", Reference: "No. 12/2026", Evidence: evidenceFor(owed...)}); err != nil {
		t.Fatal(err)
	}
	n := kz.until(pid, ended)
	if n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	if receiptTypes(t, cn, mine.PID)[corridor.ReceiptApproval] != 1 {
		t.Error("no receipt of the approval")
	}
	if _, err := cn.x.Approve(ctx, mine.PID, exchange.Approval{By: "x", Reference: "y"}); corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("nothing waits any more: %v", err)
	}
	raw, err := kz.x.Bundle(ctx, n.Agreement)
	if err != nil {
		t.Fatalf("%v %v", err, errors.Unwrap(err))
	}
	if !strings.Contains(string(raw), "No. 12/2026") {
		t.Error("the approval is not in the bundle")
	}
}

func TestARejectionTellsThePeerWhy(t *testing.T) {
	cn, kz := pair(t, func(cn, _ *node) { cn.manual.Agree = true })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := kz.ask(cn, "shipments", "trade_logistics")
	kz.until(pid, func(n exchange.Negotiation) bool { return n.Pending == "" })
	mine := cn.until(cn.only().PID, parked)
	if _, err := cn.x.Reject(within(t, 5*time.Second), mine.PID, "L. Wang", "no contract with this recipient"); err != nil {
		t.Fatal(err)
	}
	n := kz.until(pid, ended)
	if n.State != dsp.Terminated || !strings.Contains(strings.Join(n.Reason, " "), "no contract") {
		t.Errorf("%s %v", n.State, n.Reason)
	}
}

func TestTheYearsPeopleAreCountedTogether(t *testing.T) {
	cn, kz := pair(t)
	facts := peopleFacts()
	facts["subjects_in_file"], facts["subjects_ytd"] = 60_000, 60_000
	for _, id := range []string{"first", "second"} {
		cn.publish(exchange.Publication{ID: id, Facts: facts, Evidence: evidenceFor(duties...)})
	}
	if n := kz.until(kz.ask(cn, "first", "marketing"), ended); n.State != dsp.Finalized {
		t.Fatalf("60,000 are under the threshold: %s %v", n.State, n.Reason)
	}
	if n := kz.until(kz.ask(cn, "first", "marketing"), ended); n.State != dsp.Finalized {
		t.Fatalf("the same dataset is the same people: %s %v", n.State, n.Reason)
	}
	pid := kz.ask(cn, "second", "marketing")
	kz.until(pid, func(n exchange.Negotiation) bool { return n.Pending == "" })
	list, _, err := cn.x.Negotiations(context.Background(), exchange.Page{State: string(dsp.Requested)})
	if err != nil || len(list) != 1 || !strings.Contains(list[0].Parked, "needs an approval") {
		t.Errorf("120,000 are over it: %v %+v", err, list)
	}
}

// What was decided for the catalogue is kept, and never for longer than what
// it rests on: new facts, other terms, another country of the peer are seen at
// once, by those who ask again and again.
func TestTheCatalogueIsNeverOlderThanWhatItRestsOn(t *testing.T) {
	cn, kz := pair(t)
	shown := func() string {
		t.Helper()
		var ids []string
		for range 2 { // the second answer is a kept one
			list, _, err := kz.x.PeerCatalogue(within(t, 5*time.Second), cn.who.DID, "")
			if err != nil {
				t.Fatal(err)
			}
			ids = nil
			for _, l := range list {
				ids = append(ids, l.ID)
			}
		}
		return strings.Join(ids, " ")
	}
	only := func(country string) json.RawMessage {
		return json.RawMessage(`{"permission":[{"action":"use","constraint":[{"leftOperand":"spatial","operator":"eq","rightOperand":"` + country + `"}]}]}`)
	}
	cn.publish(exchange.Publication{ID: "a", Facts: plainFacts()})
	cn.publish(exchange.Publication{ID: "b", Facts: plainFacts(), Policy: only("KZ")})
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"both are open", func() {}, "a b"},
		{"a becomes a secret", func() {
			cn.publish(exchange.Publication{ID: "a", Facts: with(corridor.Facts{"data_classes": []any{"state_secret"}})})
		}, "b"},
		{"and open again", func() { cn.publish(exchange.Publication{ID: "a", Facts: plainFacts()}) }, "a b"},
		{"b is for another country", func() { cn.publish(exchange.Publication{ID: "b", Facts: plainFacts(), Policy: only("RU")}) }, "a"},
		{"the peer is in that country", func() { move(t, cn, kz, "RU") }, "a b"},
		{"and is not", func() { move(t, cn, kz, "KZ") }, "a"},
		{"a is withdrawn", func() {
			if _, err := cn.x.Withdraw(within(t, 5*time.Second), "a"); err != nil {
				t.Fatal(err)
			}
		}, ""},
	} {
		step.do()
		if got := shown(); got != step.want {
			t.Errorf("%s: %q, not %q", step.what, got, step.want)
		}
	}
}

// move changes the country that one node's operator vouches for at another.
func move(t *testing.T, at, n *node, country string) {
	t.Helper()
	who := n.who
	who.Jurisdiction = country
	if err := at.peers.Replace([]identity.Peer{{Participant: who}}); err != nil {
		t.Fatal(err)
	}
}
