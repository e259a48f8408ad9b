package exchange_test

import (
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// other are facts of the same data under which the law asks for the same
// approval.
func other(facts corridor.Facts) corridor.Facts {
	f := corridor.Facts{}
	for name, v := range facts {
		f[name] = v
	}
	f["subjects_in_file"] = f["subjects_in_file"].(int) - 1000
	return f
}

// approves is how an approval comes to a parked negotiation.
type approves struct {
	name  string
	facts func() corridor.Facts
	give  func(t *testing.T, s *approvalScene)
	ref   string
}

func waysToApprove() []approves {
	return []approves{
		{"a document of the authority", assessed, func(t *testing.T, s *approvalScene) { ok(t, s.take(s.answer(s.cnBody, nil))) }, "No. 12/2026"},
		{"a word of the firm", many, func(t *testing.T, s *approvalScene) {
			must[exchange.Negotiation](t)(s.cn.x.Approve(within(t, 10*time.Second), s.mine.PID, exchange.Approval{By: "L. Wang", Reference: "A-1"}))
		}, "A-1"},
		{"a document of the firm's officer", many, func(t *testing.T, s *approvalScene) {
			must[exchange.Negotiation](t)(s.cn.x.SignApproval(within(t, 10*time.Second), s.mine.PID, exchange.OfficerApproval{By: "L. Wang", Reference: "A-7", Until: corridor.Moment(time.Now().Add(24 * time.Hour))}))
		}, "A-7"},
	}
}

func TestAnApprovalLapsesWhenOtherFactsArePublished(t *testing.T) {
	for _, c := range waysToApprove() {
		t.Run("parked: "+c.name, func(t *testing.T) {
			t.Parallel()
			s := parkedOn(t, c.facts(), "Ed25519")
			ctx := within(t, 30*time.Second)
			all := evidenceFor(append([]string{"conclude_standard_contract_or_certification", "record_cross_border_assessment"}, duties...)...)
			s.cn.publish(exchange.Publication{ID: "people", Facts: c.facts()}) // with evidence of nothing: the approval alone lets nothing go
			c.give(t, s)
			if n := s.cn.until(s.mine.PID, parked); !strings.Contains(n.Parked, "evidence is missing") || strings.Contains(n.Parked, "needs an approval") {
				t.Fatalf("%s %q", n.State, n.Parked)
			}
			s.cn.publish(exchange.Publication{ID: "people", Facts: other(c.facts()), Evidence: all})
			s.cn.stop() // what was given on which facts outlives the process
			s.cn.start()
			n := must[exchange.Negotiation](t)(s.cn.x.Agree(ctx, s.mine.PID))
			if n.State != dsp.Requested || !strings.Contains(n.Parked, "needs an approval anew: "+c.ref+" was given on other facts") {
				t.Errorf("%s %q", n.State, n.Parked)
			}
			c.give(t, s) // asked again, about the facts as they are
			if n := s.kz.until(s.pid, ended); n.State != dsp.Finalized {
				t.Errorf("%s %v", n.State, n.Reason)
			}
		})
		t.Run("agreed: "+c.name, func(t *testing.T) {
			t.Parallel()
			s := parkedOn(t, c.facts(), "Ed25519")
			ctx := within(t, 30*time.Second)
			edition := exchange.Publication{ID: "people", Facts: c.facts(), Evidence: evidenceFor(append([]string{"conclude_standard_contract_or_certification", "record_cross_border_assessment"}, duties...)...)}
			c.give(t, s)
			n := s.kz.until(s.pid, ended)
			if n.State != dsp.Finalized {
				t.Fatalf("%s %v", n.State, n.Reason)
			}
			edition.Title = "A newer file"
			s.cn.publish(edition) // the same facts: it goes on
			tr := must[exchange.Transfer](t)(s.kz.x.Transfer(ctx, n.Agreement))
			if tr = s.kz.untilTransfer(tr.PID, over); tr.State != dsp.Completed {
				t.Fatalf("%s %v", tr.State, tr.Reason)
			}
			first := edition.Facts
			edition.Facts = other(first)
			s.cn.publish(edition)
			refused(t, s.cn.untilAgreement(n.Agreement, exchange.AgreementSuspended).Reason, []string{"needs an approval anew: " + c.ref + " was given on other facts"})
			if tr, err := s.kz.x.Transfer(ctx, n.Agreement); err == nil {
				if tr = s.kz.untilTransfer(tr.PID, over); tr.State != dsp.Terminated {
					t.Errorf("%s %v", tr.State, tr.Reason)
				}
			}
			edition.Facts = first // the facts that were approved
			s.cn.publish(edition)
			s.cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
			tr = must[exchange.Transfer](t)(s.kz.x.Transfer(ctx, n.Agreement))
			if tr = s.kz.untilTransfer(tr.PID, over); tr.State != dsp.Completed {
				t.Errorf("%s %v", tr.State, tr.Reason)
			}
		})
	}
}
