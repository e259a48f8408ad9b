package exchange_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// wordsSuffice lets the exporter take its operator's word for whatever the law
// wants approved.
func wordsSuffice(cn, _ *node) { cn.signed = exchange.SignedNever }

// spoken is an operator's word that brings evidence of all that is owed before,
// the authority's document included.
func spoken() exchange.Approval {
	return exchange.Approval{By: "Provincial CAC", Reference: "No. 12/2026",
		Evidence: evidenceFor(append([]string{"cac_security_assessment", "conclude_standard_contract_or_certification", "record_cross_border_assessment"}, duties...)...)}
}

func TestAWordIsNotTakenForWhatTheLawLeavesToAnAuthority(t *testing.T) {
	s := parkedOn(t, assessed(), "SM2")
	ctx := within(t, 20*time.Second)
	size := s.cn.log.Size()
	_, err := s.cn.x.Approve(ctx, s.mine.PID, spoken())
	refuses(t, err, corridor.Forbidden, "cn.", "the law of CN leaves this approval to an authority", "cac_security_assessment", "corridor approvals request "+s.mine.PID)
	n, err := s.cn.x.Negotiation(ctx, s.mine.PID)
	if err != nil || len(n.Approvals) != 0 || len(n.Evidence) != 0 || n.Parked == "" || s.cn.log.Size() != size {
		t.Errorf("a word that was not taken has left something: %v %+v", err, n)
	}
	ok(t, s.take(s.answer(s.cnBody, nil)))
	if n := s.kz.until(s.pid, ended); n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
}

// Once the document is there, the operator's word brings what the firm owes.
func TestAWordBringsEvidenceBesideTheDocument(t *testing.T) {
	s := parkedOn(t, assessed(), "Ed25519")
	ctx := within(t, 20*time.Second)
	s.cn.publish(exchange.Publication{ID: "people", Facts: assessed()}) // with evidence of nothing
	ok(t, s.take(s.answer(s.cnBody, nil)))
	mine := s.cn.until(s.mine.PID, func(n exchange.Negotiation) bool { return len(n.Approvals) == 1 })
	if !strings.Contains(mine.Parked, "evidence is missing") || strings.Contains(mine.Parked, "needs an approval") {
		t.Fatalf("%q", mine.Parked)
	}
	must[exchange.Negotiation](t)(s.cn.x.Approve(ctx, s.mine.PID, spoken()))
	if n := s.kz.until(s.pid, ended); n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
}

func TestWhereAWordSuffices(t *testing.T) {
	for _, c := range []struct {
		name, setting string
		compact       bool
		facts         corridor.Facts
		refused       bool
	}{
		{"the law leaves it to the firm", exchange.SignedAlways, true, many(), false},
		{"no compact names the authority", "", false, assessed(), false},
		{"no compact names it, and the node wants a document all the same", exchange.SignedAlways, false, assessed(), true},
		{"the node is content with words", exchange.SignedNever, true, assessed(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &approvalScene{t: t, cnBody: authority(t, "CN", "Ed25519"), kzBody: authority(t, "KZ", "Ed25519")}
			s.cn, s.kz = pair(t, func(cn, _ *node) { cn.signed = c.setting })
			compact := treaty(t, func(c *corridor.Compact) { c.Opens[0].Classes = []string{corridor.Any} }, s.cnBody, s.kzBody)
			if c.compact {
				s.cn.adopt(compact)
				s.kz.adopt(compact)
			}
			s.cn.publish(exchange.Publication{ID: "people", Facts: c.facts})
			s.pid, s.mine = s.ask()
			ctx := within(t, 20*time.Second)
			_, err := s.cn.x.Approve(ctx, s.mine.PID, spoken())
			if c.refused {
				refuses(t, err, corridor.Forbidden, "signed_approvals")
				return
			}
			ok(t, err)
			n := s.kz.until(s.pid, ended)
			if n.State != dsp.Finalized {
				t.Fatalf("%s %v", n.State, n.Reason)
			}
			// What stands on a word keeps it when a compact comes.
			if !c.compact {
				s.cn.adopt(compact)
				s.kz.adopt(compact)
			}
			tr := must[exchange.Transfer](t)(s.kz.x.Transfer(ctx, n.Agreement))
			if tr = s.kz.untilTransfer(tr.PID, over); tr.State != dsp.Completed {
				t.Errorf("%s %v", tr.State, tr.Reason)
			}
		})
	}
}

// A word that was given while words sufficed is not kept for later.
func TestAWordFromBeforeTheSettingLiftsNothingAnyMore(t *testing.T) {
	s := parkedOn(t, assessed(), "Ed25519", wordsSuffice)
	s.cn.publish(exchange.Publication{ID: "people", Facts: assessed()})
	word := spoken()
	word.Evidence = nil
	ctx := within(t, 20*time.Second)
	if n := must[exchange.Negotiation](t)(s.cn.x.Approve(ctx, s.mine.PID, word)); strings.Contains(n.Parked, "needs an approval") || !strings.Contains(n.Parked, "evidence is missing") {
		t.Fatalf("%q", n.Parked)
	}
	s.cn.stop()
	s.cn.signed = ""
	s.cn.start()
	if n := must[exchange.Negotiation](t)(s.cn.x.Agree(ctx, s.mine.PID)); n.State != dsp.Requested || !strings.Contains(n.Parked, "needs an approval") {
		t.Errorf("%s %q", n.State, n.Parked)
	}
}

// An agreement keeps its word for what the law wanted approved then, and for
// nothing that it leaves to an authority since.
func TestAWordDoesNotReachWhatTheLawLeavesToAnAuthorityLater(t *testing.T) {
	for _, setting := range []string{exchange.SignedWherePossible, exchange.SignedNever} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			hands := &clock{}
			rule := fmt.Sprintf(`
  - id: cn.test.authority
    side: export
    when: 'purpose == "marketing"'
    results: [{outcome: needs_approval, obligations: [seek_competent_authority_approval]}]
    cite: [{instrument: dsl, article: "36"}]
    source: {status: verified, on: 2026-11-24, ref: test}
    in_force: {from: %s}
    text: {en: An authority decides., zh: 由主管机关决定。, ru: Решает орган.}
`, corridor.DateOf(time.Now().AddDate(0, 0, 3)))
			lib := withRule(t, "cn", rule)
			s := parkedOn(t, many(), "Ed25519", func(cn, kz *node) {
				cn.now, kz.now, cn.law, kz.law, cn.signed = hands.now, hands.now, lib, lib, setting
			})
			ctx := context.Background()
			word := spoken()
			word.Evidence["seek_competent_authority_approval"] = word.Evidence["pipia"]
			must[exchange.Negotiation](t)(s.cn.x.Approve(ctx, s.mine.PID, word))
			n := s.kz.until(s.pid, ended)
			s.cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
			s.cn.stop()
			hands.set(time.Now().AddDate(0, 0, 5))
			s.cn.start()
			if setting == exchange.SignedWherePossible {
				a := s.cn.untilAgreement(n.Agreement, exchange.AgreementSuspended)
				refused(t, a.Reason, []string{"needs an approval", "36"})
				return
			}
			tr := must[exchange.Transfer](t)(s.kz.x.Transfer(ctx, n.Agreement))
			if tr = s.kz.untilTransfer(tr.PID, over); tr.State != dsp.Completed || slices.ContainsFunc(s.cn.receipts(), func(r corridor.Receipt) bool { return r.Type == corridor.ReceiptAgreementSuspended }) {
				t.Errorf("%s %v", tr.State, tr.Reason)
			}
		})
	}
}
