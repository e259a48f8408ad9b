package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"corridor"
)

// approvedScene is a bundle whose export side needs the approval of the
// authority of China and quotes it. Change is made before the approval is
// signed, with the key of by or that of the authority.
func approvedScene(t *testing.T, by *party, change func(*corridor.ApprovalAnswer), quote func(*corridor.Approval), tell func(*story)) *scene {
	t.Helper()
	s := newScene(t)
	body := newParty(t, "authority.cn.example", SM2)
	jwk, err := json.Marshal(body.key.JWK)
	if err == nil {
		jwk, err = corridor.Canonicalize(jwk)
	}
	if err != nil {
		t.Fatal(err)
	}
	entry := corridor.Authority{ID: body.did, Jurisdiction: "CN", Name: "Authority of China", Anchors: []corridor.Anchor{{ID: body.key.ID, JWK: jwk}}}
	digest := ""
	s.agree(t, func(a *corridor.Agreement) {
		a.Decisions[0] = s.decision(t, s.cn, func(d *corridor.DecisionStatement) {
			d.Decision.Side, d.Decision.Outcome = corridor.Export, corridor.NeedsApproval
			d.Decision.Matched = []corridor.Match{{Rule: "cn.secrets.64", Kind: "rule", Outcome: corridor.NeedsApproval, Certain: true, Citations: []corridor.Citation{}}}
			d.Decision.Duties = []corridor.Obligation{{ID: "seek_competent_authority_approval", Approver: corridor.ByAuthority, Rules: []string{"cn.secrets.64"}, Citations: []corridor.Citation{}}}
		})
		x := corridor.ApprovalAnswer{Type: corridor.TypeApproval, ID: "urn:approval:1", Answer: corridor.AnswerApprove, By: corridor.ByAuthority, Authority: body.did, Jurisdiction: "CN",
			Request: corridor.Digest([]byte("request")), Nonce: "00000000000000000000000000000001", Participant: s.cn.did, Negotiation: "n", Side: corridor.Export, Exporter: s.cn.did, Importer: s.kz.did,
			Dataset: "flights", Offer: corridor.Digest(a.Policy), Rules: []string{"cn.secrets.64"}, Conditions: []corridor.Condition{}, Reference: "12/2026", Issued: "2026-11-24T05:05:00Z", ValidUntil: "2027-01-01T00:00:00Z"}
		if change != nil {
			change(&x)
		}
		doc, err := corridor.Seal(x)
		if err != nil {
			t.Fatal(err)
		}
		signer := body
		if by != nil {
			signer = by
		}
		if x.By == corridor.ByFirm {
			signer = s.cn
		}
		doc.Signatures = []corridor.Signature{signer.signed(t, x)}
		digest = doc.Digest()
		shown := corridor.Approval{Side: corridor.Export, By: x.Authority, Reference: x.Reference, Time: x.Issued, Signed: &corridor.QuotedAnswer{Digest: digest, Document: doc, Authority: &entry}}
		if quote != nil {
			quote(&shown)
		}
		a.Approvals = []corridor.Approval{shown}
	})
	s.build(t, func(st *story) {
		st.decided.Decision.Outcome = corridor.NeedsApproval
		st.approved = corridor.Receipt{Type: corridor.ReceiptApproval, Time: "2026-11-24T05:06:00Z", Negotiation: "n", Digests: map[string]string{corridor.DigestApproval: digest}}
		if tell != nil {
			tell(st)
		}
	})
	return s
}

func TestABundleWithASignedApprovalHolds(t *testing.T) {
	rep := Bundle(approvedScene(t, nil, nil, nil, nil).bytes(t), Options{})
	if !rep.OK {
		t.Fatalf("%s: %+v", rep.Summary, rep.Failed())
	}
	if !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == "approval[0].authority" && c.Note }) {
		t.Error("nobody is told that the authority's key is as the parties signed it")
	}
}

func TestAWordInThePlaceOfAnAuthoritysDocumentIsNoted(t *testing.T) {
	for _, c := range []struct {
		what  string
		by    string // who discharges the duty
		quote func(*corridor.Agreement)
		want  string
	}{
		{"a word", corridor.ByAuthority, func(*corridor.Agreement) {}, "rests on the word of L. Wang (A-1) alone"},
		{"a word of the other side", corridor.ByAuthority, func(a *corridor.Agreement) { a.Approvals[0].Side = corridor.Import }, "rests on the word of did:web:cn.example alone"},
		{"none", corridor.ByAuthority, func(a *corridor.Agreement) { a.Approvals = nil }, "rests on the word of did:web:cn.example alone"},
		{"a word where the firm decides", "", func(*corridor.Agreement) {}, ""},
	} {
		s := newScene(t)
		s.agree(t, func(a *corridor.Agreement) {
			a.Decisions[0] = s.decision(t, s.cn, func(d *corridor.DecisionStatement) {
				d.Decision.Side, d.Decision.Outcome = corridor.Export, corridor.NeedsApproval
				d.Decision.Matched = []corridor.Match{{Rule: "cn.secrets.64", Kind: "rule", Outcome: corridor.NeedsApproval, Certain: true, Citations: []corridor.Citation{}}}
				d.Decision.Duties = []corridor.Obligation{{ID: "seek_competent_authority_approval", Approver: c.by, Rules: []string{"cn.secrets.64"}, Citations: []corridor.Citation{}}}
			})
			a.Approvals = []corridor.Approval{{Side: corridor.Export, By: "L. Wang", Reference: "A-1", Time: "2026-11-24T05:05:00Z"}}
			c.quote(a)
		})
		s.build(t, func(st *story) { st.decided.Type, st.decided.Decision = corridor.ReceiptApproval, nil })
		rep := Bundle(s.bytes(t), Options{})
		i := slices.IndexFunc(rep.Checks, func(x Check) bool { return x.ID == "approval.word[export]" })
		if !rep.OK || (i >= 0) != (c.want != "") || i >= 0 && (!rep.Checks[i].Note || !strings.Contains(rep.Checks[i].Detail, c.want)) {
			t.Errorf("%s: %s %v %+v", c.what, rep.Summary, rep.Failed(), rep.Checks[max(i, 0)])
		}
	}
	rep := Bundle(approvedScene(t, nil, nil, nil, nil).bytes(t), Options{})
	if slices.ContainsFunc(rep.Checks, func(x Check) bool { return x.ID == "approval.word[export]" }) {
		t.Error("noted where the document is there")
	}
}

func TestABundleWithAnApprovalOfSomethingElseDoesNotHold(t *testing.T) {
	forger := newParty(t, "authority.cn.example", SM2) // the same name with another key
	for _, c := range []struct {
		what   string
		by     *party
		change func(*corridor.ApprovalAnswer)
		quote  func(*corridor.Approval)
		tell   func(*story)
		want   string
	}{
		{what: "another key under the authority's name", by: forger, want: "approval[0].signature"},
		{what: "an authority of another country", change: func(a *corridor.ApprovalAnswer) { a.Jurisdiction = "KZ" }, want: "approval[0].signature"},
		{what: "a signer that is not named", quote: func(a *corridor.Approval) { a.Signed.Authority = nil }, want: "approval[0].signature"},
		{what: "two signatures", quote: func(a *corridor.Approval) {
			a.Signed.Document.Signatures = append(a.Signed.Document.Signatures, a.Signed.Document.Signatures[0])
		}, want: "approval[0].signature"},
		{what: "the firm's officer where an authority is named", change: func(a *corridor.ApprovalAnswer) {
			a.By, a.Authority, a.Officer = corridor.ByFirm, a.Participant, "L. Wang"
		}, quote: func(a *corridor.Approval) { a.Signed.Authority = nil }, want: "approval[0].flow"},
		{what: "a refusal", change: func(a *corridor.ApprovalAnswer) {
			a.Answer, a.Reason, a.ValidUntil = corridor.AnswerRefuse, "no", ""
		}, want: "approval[0].flow"},
		{what: "another dataset", change: func(a *corridor.ApprovalAnswer) { a.Dataset = "ships" }, want: "approval[0].flow"},
		{what: "another offer", change: func(a *corridor.ApprovalAnswer) { a.Offer = corridor.Digest(nil) }, want: "approval[0].flow"},
		{what: "another importer", change: func(a *corridor.ApprovalAnswer) { a.Importer = "did:web:other.example" }, want: "approval[0].flow"},
		{what: "other rules", change: func(a *corridor.ApprovalAnswer) { a.Rules = []string{"cn.other"} }, want: "approval[0].flow"},
		{what: "another reference beside it", quote: func(a *corridor.Approval) { a.Reference = "13/2026" }, want: "approval[0].flow"},
		{what: "a digest of another document", quote: func(a *corridor.Approval) { a.Signed.Digest = corridor.Digest(nil) }, want: "approval[0].form"},
		{what: "no receipt of it", tell: func(st *story) { st.approved.Digests = map[string]string{} }, want: "approval[0].logged"},
		{what: "a receipt of another negotiation", tell: func(st *story) { st.approved.Negotiation = "other" }, want: "approval[0].logged"},
		{what: "one given for another negotiation", change: func(a *corridor.ApprovalAnswer) { a.Negotiation = "other" }, want: "approval[0].logged"},
		{what: "an end before the release", change: func(a *corridor.ApprovalAnswer) { a.ValidUntil = "2026-11-24T05:06:00Z" }, want: "approval[0].term"},
	} {
		rep := Bundle(approvedScene(t, c.by, c.change, c.quote, c.tell).bytes(t), Options{})
		if rep.OK || !slices.Contains(failing(rep), c.want) {
			t.Errorf("%s: %s %v, not %s", c.what, rep.Summary, failing(rep), c.want)
		}
	}
}
