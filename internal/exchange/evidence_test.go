package exchange_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// claimed is evidence that an importer states.
func claimed(ids ...string) map[string]corridor.Evidence {
	out := evidenceFor(ids...)
	for id, e := range out {
		e.By, e.Ref = "the importer", "as it says"
		out[id] = e
	}
	return out
}

func TestTheImportersEvidenceDoesNotProveWhatTheExporterOwes(t *testing.T) {
	s := parkedOn(t, assessed(), "Ed25519", wordsSuffice)
	ctx := within(t, 20*time.Second)
	firms := append([]string{"conclude_standard_contract_or_certification", "record_cross_border_assessment"}, duties...)
	all := append([]string{"cac_security_assessment"}, firms...)
	s.cn.publish(exchange.Publication{ID: "people", Facts: assessed()}) // with evidence of nothing
	asked := must[exchange.Negotiation](t)(s.kz.x.Negotiate(ctx, exchange.Request{Provider: s.cn.who.DID, Dataset: "people", Purpose: "marketing", Evidence: claimed(all...)}))
	pid := s.kz.until(asked.PID, func(n exchange.Negotiation) bool { return n.PeerPID != "" }).PeerPID
	mine := s.cn.until(pid, parked)
	if !strings.Contains(mine.Parked, "evidence is missing") || !strings.Contains(mine.Parked, "cac_security_assessment") || !strings.Contains(mine.Parked, "pipia") {
		t.Errorf("%q", mine.Parked)
	}
	if len(mine.Evidence) != 0 || !maps.Equal(refsOf(mine.PeerEvidence), refsOf(claimed(all...))) {
		t.Errorf("ours %v, theirs %v", mine.Evidence, mine.PeerEvidence)
	}

	// What is given here stays, whatever the importer states next.
	act := exchange.Approval{By: "L. Wang", Reference: "A-1", Evidence: evidenceFor(firms...)}
	must[exchange.Negotiation](t)(s.cn.x.Approve(ctx, pid, act))
	must[exchange.Negotiation](t)(s.cn.x.Offer(ctx, pid, nil))
	s.kz.until(asked.PID, func(n exchange.Negotiation) bool { return n.State == dsp.Offered && n.Pending == "" })
	must[exchange.Negotiation](t)(s.kz.x.Accept(ctx, asked.PID, exchange.Acceptance{}))
	mine = s.cn.until(pid, func(n exchange.Negotiation) bool { return n.State == dsp.Accepted && n.Parked != "" })
	if !strings.HasSuffix(mine.Parked, ": cac_security_assessment") {
		t.Errorf("%q", mine.Parked)
	}
	act.Evidence = evidenceFor("cac_security_assessment")
	must[exchange.Negotiation](t)(s.cn.x.Approve(ctx, pid, act))
	n := s.kz.until(asked.PID, ended)
	if n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	signed, err := corridor.DecodeAgreement(must[exchange.Agreement](t)(s.kz.x.Agreement(ctx, n.Agreement)).Signed)
	ok(t, err)
	for _, id := range []string{"cac_security_assessment", "pipia"} {
		if i := slices.IndexFunc(signed.Body.Evidence, func(e corridor.Evidence) bool { return e.Obligation == id }); i < 0 || signed.Body.Evidence[i].By != "L. Wang" {
			t.Errorf("%s: %+v", id, signed.Body.Evidence)
		}
	}
}

// refsOf is what pieces of evidence refer to, by duty.
func refsOf(m map[string]corridor.Evidence) map[string]string {
	out := map[string]string{}
	for id, e := range m {
		out[id] = e.Ref
	}
	return out
}

func TestTheImportersEvidenceProvesWhatItOwes(t *testing.T) {
	n, r := withRogue(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	for _, c := range []struct {
		owner string
		waits bool
	}{{"importer", false}, {"both", false}, {"exporter", true}} {
		m := r.request(n, "urn:uuid:"+c.owner, "shipments")
		m.Decision = r.decision(n.who.DID, r.who.DID, "shipments", func(s *corridor.DecisionStatement) {
			s.Decision.Outcome = corridor.AllowWithObligations
			s.Decision.Best, s.Decision.Worst = s.Decision.Outcome, s.Decision.Outcome
			s.Decision.Duties = []corridor.Obligation{{ID: "some_duty", Owner: c.owner, When: "before", Certain: true, Rules: []string{"kz.some"}, Citations: []corridor.Citation{}}}
		})
		var err error
		m.Flow, err = json.Marshal(map[string]any{"purpose": "trade_logistics", "evidence": claimed("some_duty")})
		ok(t, err)
		got, err := n.x.Negotiation(within(t, 10*time.Second), r.opened(n, m))
		ok(t, err)
		if waits := got.Parked != ""; waits != c.waits || waits && !strings.HasSuffix(got.Parked, ": some_duty") || !waits && got.Agreement == "" {
			t.Errorf("%s: %s %q %v", c.owner, got.State, got.Parked, got.Reason)
		}
	}
}
