package exchange_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

// shows is a request of the rogue whose own law needs an approval, and that
// brings one: by its officer, or by the authority, which is named if it is so.
func (r *rogue) shows(n *node, pid string, by *body, named *corridor.Authority, change func(*corridor.ApprovalAnswer)) *dsp.ContractRequestMessage {
	r.t.Helper()
	m := r.request(n, pid, "shipments")
	rule := corridor.Match{Rule: "kz.some", Kind: "rule", Outcome: corridor.NeedsApproval, Certain: true, Citations: []corridor.Citation{}}
	m.Decision = r.decision(n.who.DID, r.who.DID, "shipments", func(s *corridor.DecisionStatement) {
		s.Decision.Outcome, s.Decision.Best, s.Decision.Worst, s.Decision.Matched = corridor.NeedsApproval, corridor.NeedsApproval, corridor.NeedsApproval, []corridor.Match{rule}
	})
	policy, err := corridor.Canonical(dsp.Policy{ID: m.Offer.ID, Permission: m.Offer.Permission})
	ok(r.t, err)
	a := corridor.ApprovalAnswer{Type: corridor.TypeApproval, ID: "urn:approval:1", Answer: corridor.AnswerApprove, By: corridor.ByFirm, Authority: r.who.DID, Officer: "A. Officer", Jurisdiction: r.who.Jurisdiction,
		Request: corridor.Digest(nil), Nonce: strings.Repeat("1", 32), Participant: r.who.DID, Negotiation: pid, Side: corridor.Import, Exporter: n.who.DID, Importer: r.who.DID, Dataset: "shipments",
		Offer: corridor.Digest(policy), Rules: []string{rule.Rule}, Conditions: []corridor.Condition{}, Reference: "A-1", Issued: corridor.Moment(time.Now())}
	signer := r.keys.National
	if by != nil {
		a.By, a.Authority, a.Officer, signer = corridor.ByAuthority, by.is.ID, "", by.signer
	}
	if change != nil {
		change(&a)
	}
	doc, err := identity.SealAndSign(within(r.t, 10*time.Second), signer, a)
	ok(r.t, err)
	shown := corridor.Approval{Side: corridor.Import, By: a.Authority, Reference: a.Reference, Time: a.Issued, Signed: &corridor.QuotedAnswer{Digest: doc.Digest(), Document: doc, Authority: named}}
	m.Approval, err = json.Marshal([]corridor.Approval{shown})
	ok(r.t, err)
	return m
}

func TestAPeersApprovalCountsInItsOwnNegotiationAlone(t *testing.T) {
	n, r := withRogue(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	r.opened(n, r.shows(n, "urn:uuid:first", nil, nil, nil))
	a := r.say(n, dsp.Provider, r.shows(n, "urn:uuid:second", nil, nil, func(a *corridor.ApprovalAnswer) { a.Negotiation = "urn:uuid:first" }))
	if a.status != http.StatusBadRequest || !strings.Contains(string(a.body), "corridor:approval.negotiation") || !strings.Contains(a.reason(), `is "urn:uuid:first" where "urn:uuid:second" belongs`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestAPeersAuthorityIsNamedWithTheKeyThatSigned(t *testing.T) {
	kz, other := authority(t, "KZ", "Ed25519"), authority(t, "KZ", "Ed25519")
	for _, known := range []bool{true, false} {
		n, r := withRogue(t)
		if known {
			n.adopt(treaty(t, nil, authority(t, "CN", "SM2"), kz))
		}
		n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
		bad := kz.is
		bad.Anchors = nil
		for _, c := range []struct {
			what  string
			named *corridor.Authority
			words string
		}{
			{"none", nil, "the authority that signed is not named"},
			{"one that cannot be", &bad, "anchors"},
			{"another key", &other.is, ""},
		} {
			a := r.say(n, dsp.Provider, r.shows(n, "urn:uuid:"+c.what, kz, c.named, nil))
			if a.status < 400 || a.status > 499 || !strings.Contains(string(a.body), c.words) {
				t.Errorf("known %v, %s: %d %s", known, c.what, a.status, a.body)
			}
		}
		r.opened(n, r.shows(n, "urn:uuid:good", kz, &kz.is, nil))
	}
}
