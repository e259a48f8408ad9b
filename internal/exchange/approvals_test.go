package exchange_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/verify"
)

// assessed are the facts of a flow that China lets go after the security
// assessment of an authority alone: more than a million people.
func assessed() corridor.Facts {
	f := peopleFacts()
	f["subjects_in_file"], f["subjects_ytd"] = 2_000_000, 2_000_000
	return f
}

func constraint(left, op, right string) corridor.Condition {
	return corridor.Condition{Constraint: json.RawMessage(`{"leftOperand":"` + left + `","operator":"` + op + `","rightOperand":"` + right + `"}`)}
}

// approvalScene is a negotiation at an exporter in China that waits for an
// approval, with the authorities of both countries in a compact.
type approvalScene struct {
	t              *testing.T
	cn, kz         *node
	cnBody, kzBody *body
	pid            string // the importer's
	mine           exchange.Negotiation
}

func parkedOn(t *testing.T, facts corridor.Facts, suite string, change ...func(cn, kz *node)) *approvalScene {
	t.Helper()
	s := &approvalScene{t: t, cnBody: authority(t, "CN", suite), kzBody: authority(t, "KZ", "Ed25519")}
	s.cn, s.kz = pair(t, change...)
	compact := treaty(t, func(c *corridor.Compact) { c.Opens[0].Classes = []string{corridor.Any} }, s.cnBody, s.kzBody)
	s.cn.adopt(compact)
	s.kz.adopt(compact)
	s.cn.publish(exchange.Publication{ID: "people", Facts: facts, Evidence: evidenceFor(append([]string{"conclude_standard_contract_or_certification", "record_cross_border_assessment"}, duties...)...)})
	s.pid, s.mine = s.ask()
	return s
}

// ask begins a negotiation that parks.
func (s *approvalScene) ask() (string, exchange.Negotiation) {
	s.t.Helper()
	pid := s.kz.ask(s.cn, "people", "marketing")
	theirs := s.kz.until(pid, func(n exchange.Negotiation) bool { return n.PeerPID != "" })
	mine := s.cn.until(theirs.PeerPID, parked)
	if mine.State != dsp.Requested || !strings.Contains(mine.Parked, "needs an approval") {
		s.t.Fatalf("%s %q %v", mine.State, mine.Parked, mine.Reason)
	}
	return pid, mine
}

// request is what the exporter asks to be approved.
func (s *approvalScene) request(pid string) (corridor.Sealed, corridor.ApprovalRequest) {
	s.t.Helper()
	doc, err := s.cn.x.RequestApproval(within(s.t, 10*time.Second), pid, exchange.ApprovalAsked{})
	ok(s.t, err)
	sealed, r, err := corridor.DecodeApprovalRequest(encode(s.t, doc))
	ok(s.t, err)
	return sealed, r
}

// answer is a good answer of an authority to the open request, before it is
// signed.
func (s *approvalScene) answer(by *body, change func(*corridor.ApprovalAnswer)) []byte {
	s.t.Helper()
	sealed, r := s.request(s.mine.PID)
	a := corridor.AnswerTo(sealed.Digest(), &r)
	a.Answer, a.By, a.Authority, a.Reference, a.Issued = corridor.AnswerApprove, corridor.ByAuthority, by.is.ID, "No. 12/2026", corridor.Moment(time.Now())
	a.ValidUntil = corridor.Moment(time.Now().Add(90 * 24 * time.Hour))
	if change != nil {
		change(&a)
	}
	return encode(s.t, by.seal(a))
}

func (s *approvalScene) take(raw []byte) error {
	s.t.Helper()
	_, err := s.cn.x.Take(within(s.t, 20*time.Second), raw)
	return err
}

// refuses fails the test unless the exporter's node refuses the answer with
// the words and still waits.
func (s *approvalScene) refuses(raw []byte, kind corridor.Kind, words ...string) {
	s.t.Helper()
	refuses(s.t, s.take(raw), kind, words...)
	n, err := s.cn.x.Negotiation(context.Background(), s.mine.PID)
	ok(s.t, err)
	if n.State != dsp.Requested || n.Parked == "" || len(n.Approvals) != 0 {
		s.t.Errorf("it does not wait any more: %s %q %v", n.State, n.Parked, n.Approvals)
	}
}

func TestAnAuthoritysApprovalResumesTheNegotiationAndIsQuotedInTheAgreement(t *testing.T) {
	s := parkedOn(t, assessed(), "SM2")
	sealed, r := s.request(s.mine.PID)
	if again, _ := s.request(s.mine.PID); again.Digest() != sealed.Digest() {
		t.Error("asked twice, there are two requests")
	}
	named := r.For(corridor.ByAuthority)
	if len(named) == 0 || !slices.Contains(named[0].Duties, "cac_security_assessment") || len(named[0].Articles) == 0 || named[0].Articles[0].Title.EN == "" ||
		r.Jurisdiction != "CN" || r.Flow.Destination != "KZ" || r.Importer.DID != s.kz.who.DID || r.Decision != corridor.Digest(s.mine.Own.Signed.Statement) {
		t.Fatalf("%+v", r)
	}
	raw := s.answer(s.cnBody, func(a *corridor.ApprovalAnswer) {
		a.Conditions = []corridor.Condition{constraint("count", "lteq", "1"), constraint("purpose", "eq", "marketing"), dropped("contact"), {Obligation: "keep_authority_record"}}
	})
	ok(t, s.take(raw))
	n := s.kz.until(s.pid, ended)
	if n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	s.quoted(n.Agreement, raw)
	s.cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	s.hasTask(s.cn, n.Agreement, "keep_authority_record")
	s.once(n.Agreement)

	// Taken once, it is of no more use.
	refuses(t, s.take(raw), corridor.Conflict, "taken before")
	s.pid, s.mine = s.ask()
	s.refuses(s.answer(s.cnBody, func(a *corridor.ApprovalAnswer) { a.Negotiation = n.PeerPID }), corridor.Conflict, "waits for no approval")
}

func dropped(column string) corridor.Condition {
	return corridor.Condition{Duty: json.RawMessage(`{"action":"corridor:drop","constraint":[{"leftOperand":"corridor:column","operator":"eq","rightOperand":"` + column + `"}]}`)}
}

// quoted checks that the agreement, the log and the bundles of both sides hold
// the approval.
func (s *approvalScene) quoted(agreement string, raw []byte) {
	s.t.Helper()
	ctx := within(s.t, 20*time.Second)
	doc, answer, err := corridor.DecodeApproval(raw)
	ok(s.t, err)
	agr, err := s.kz.x.Agreement(ctx, agreement)
	ok(s.t, err)
	signed, err := corridor.DecodeAgreement(agr.Signed)
	ok(s.t, err)
	if list := signed.Body.Approvals; len(list) != 1 || list[0].Signed == nil || list[0].Signed.Digest != doc.Digest() || list[0].Reference != answer.Reference || list[0].By != answer.Authority {
		s.t.Fatalf("%+v", list)
	}
	if want := corridor.Moment(must2(time.Parse(time.RFC3339, answer.ValidUntil)).Add(-time.Second)); signed.Body.ValidUntil != want {
		s.t.Errorf("the agreement ends at %q, not %q", signed.Body.ValidUntil, want)
	}
	found := map[string]bool{}
	for _, r := range s.cn.receipts() {
		if r.Negotiation == s.mine.PID && (r.Digests["approval"] == doc.Digest() || r.Digests["approval_request"] == answer.Request) {
			found[r.Type] = true
		}
	}
	if !found[corridor.ReceiptApproval] || !found[corridor.ReceiptApprovalRequested] {
		s.t.Errorf("receipts: %v", found)
	}
	for _, side := range []*node{s.cn, s.kz} {
		bundle, err := side.x.Bundle(ctx, agreement)
		ok(s.t, err)
		rep := verify.Bundle(bundle, verify.Options{})
		if !rep.OK || !slices.ContainsFunc(rep.Checks, func(c verify.Check) bool { return c.ID == "approval[0].signature" && c.OK }) {
			s.t.Errorf("%s: %s %+v", side.name, rep.Summary, rep.Failed())
		}
	}
}

func (s *approvalScene) hasTask(at *node, agreement, obligation string) {
	s.t.Helper()
	list, _, err := at.x.Tasks(context.Background(), exchange.TaskPage{Agreement: agreement})
	ok(s.t, err)
	if !slices.ContainsFunc(list, func(x exchange.Task) bool { return x.Obligation == obligation }) {
		s.t.Errorf("%s has no task %s: %+v", at.name, obligation, list)
	}
}

// once: a first transfer goes through without the column, a second is one too
// many.
func (s *approvalScene) once(agreement string) {
	s.t.Helper()
	ctx := within(s.t, 20*time.Second)
	tr, err := s.kz.x.Transfer(ctx, agreement)
	ok(s.t, err)
	tr = s.kz.untilTransfer(tr.PID, over)
	if tr.State != dsp.Completed {
		s.t.Fatalf("%s %v", tr.State, tr.Reason)
	}
	if content := string(must2(os.ReadFile(tr.File))); strings.Contains(content, "person1@") || !strings.Contains(content, "Khorgos") {
		s.t.Error("the column is there that the approval wants dropped, or nothing is")
	}
	_, err = s.kz.x.Transfer(ctx, agreement)
	refuses(s.t, err, corridor.Forbidden, "approval urn:approval:", "admits 1 uses, and all were made")
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAnApprovalOfAnotherIsRefused(t *testing.T) {
	s := parkedOn(t, assessed(), "SM2")
	impostor, stranger := authority(t, "CN", "SM2"), authority(t, "RU", "Ed25519")
	_, theirs := s.ask()
	asked, r := s.request(theirs.PID)
	for _, c := range []struct {
		what  string
		by    *body
		do    func(*corridor.ApprovalAnswer)
		kind  corridor.Kind
		words []string
	}{
		{"the authority of the importer's country", s.kzBody, nil, corridor.Forbidden, []string{"is the authority of KZ, not of CN"}},
		{"that authority for its own country", s.kzBody, func(a *corridor.ApprovalAnswer) { a.Jurisdiction = "KZ" }, corridor.Forbidden, []string{"its jurisdiction is another"}},
		{"an authority of no compact", stranger, nil, corridor.Forbidden, []string{"not an authority of a compact that is known here"}},
		{"a stranger's key under the authority's name", impostor, nil, corridor.Unauthenticated, nil},
		{"one who says that it is the firm", s.cnBody, func(a *corridor.ApprovalAnswer) { a.By, a.Officer = corridor.ByFirm, "A. Officer" }, corridor.Forbidden, []string{"an officer of", "does not approve for this node"}},
		{"one for another firm", s.cnBody, func(a *corridor.ApprovalAnswer) { a.Participant = s.kz.who.DID }, corridor.Forbidden, []string{"not to this node"}},
		{"one for another importer", s.cnBody, func(a *corridor.ApprovalAnswer) { a.Importer = "did:web:other.example" }, corridor.Forbidden, []string{"its importer is another"}},
		{"one for another dataset", s.cnBody, func(a *corridor.ApprovalAnswer) { a.Dataset = "more" }, corridor.Forbidden, []string{"its dataset is another"}},
		{"one for another offer", s.cnBody, func(a *corridor.ApprovalAnswer) { a.Offer = corridor.Digest(nil) }, corridor.Forbidden, []string{"its offer is another"}},
		{"one for the other side", s.cnBody, func(a *corridor.ApprovalAnswer) { a.Side = corridor.Import }, corridor.Forbidden, []string{"import side is not ours"}},
		{"one with another nonce", s.cnBody, func(a *corridor.ApprovalAnswer) { a.Nonce = strings.Repeat("0", 32) }, corridor.Forbidden, []string{"its nonce is another"}},
		{"one for the request of another negotiation", s.cnBody, func(a *corridor.ApprovalAnswer) { a.Request, a.Nonce = asked.Digest(), r.Nonce }, corridor.Conflict, []string{"answers no request that is open here"}},
		{"one that lifts other rules", s.cnBody, func(a *corridor.ApprovalAnswer) { a.Rules = []string{"cn.other"} }, corridor.ApprovalNeeded, []string{"does not lift cn."}},
		{"one that has ended", s.cnBody, func(a *corridor.ApprovalAnswer) {
			a.Issued, a.ValidUntil = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
		}, corridor.ApprovalNeeded, []string{"ended at 2026-02-01"}},
		{"one from the time to come", s.cnBody, func(a *corridor.ApprovalAnswer) { a.Issued, a.ValidUntil = "2098-01-01T00:00:00Z", "" }, corridor.Invalid, []string{"is to come"}},
		{"one that ends before it begins", s.cnBody, func(a *corridor.ApprovalAnswer) { a.ValidUntil = "2020-01-01T00:00:00Z" }, corridor.Invalid, []string{"valid_until"}},
		{"one with a word that nobody knows", s.cnBody, func(a *corridor.ApprovalAnswer) {
			a.Conditions = []corridor.Condition{constraint("weather", "eq", "fine")}
		}, corridor.Invalid, []string{"conditions[0]", `"weather"`}},
		{"one with a member that nobody knows", s.cnBody, func(a *corridor.ApprovalAnswer) {
			a.Conditions = []corridor.Condition{{Constraint: json.RawMessage(`{"leftOperand":"count","operator":"lteq","rightOperand":"1","unit":"week"}`)}}
		}, corridor.Invalid, []string{"conditions[0]", "unit"}},
		{"one with a duty that nobody can be given", s.cnBody, func(a *corridor.ApprovalAnswer) {
			a.Conditions = []corridor.Condition{{Obligation: "keep_it_nice"}}
		}, corridor.Invalid, []string{`"keep_it_nice" is no duty`}},
		{"one whose condition the flow does not keep", s.cnBody, func(a *corridor.ApprovalAnswer) {
			a.Conditions = []corridor.Condition{constraint("purpose", "eq", "research")}
		}, corridor.Forbidden, []string{"approval urn:approval:", `does not admit the purpose "marketing"`}},
		{"one whose condition speaks of what is not known", s.cnBody, func(a *corridor.ApprovalAnswer) {
			a.Conditions = []corridor.Condition{constraint("corridor:storagePlace", "eq", "KZ")}
		}, corridor.Forbidden, []string{"not known", "storage_states"}},
	} {
		t.Log(c.what)
		s.refuses(s.answer(c.by, c.do), c.kind, c.words...)
	}
	// A good one, in which a byte or the suite was changed.
	good := string(s.answer(s.cnBody, nil))
	s.refuses([]byte(strings.Replace(good, `"No. 12/2026"`, `"No. 13/2026"`, 1)), corridor.Unauthenticated)
	s.refuses([]byte(strings.Replace(good, `"suite":"SM2"`, `"suite":"Ed25519"`, 1)), corridor.Unauthenticated, "suite")
	s.refuses([]byte(strings.Replace(good, `"type":"corridor-approval/v1"`, `"type":"corridor-order/v1"`, 1)), corridor.Invalid)
	ok(t, s.take([]byte(good)))
}

func TestAnApprovalOfWhatHasChangedSinceIsRefused(t *testing.T) {
	s := parkedOn(t, assessed(), "Ed25519")
	raw := s.answer(s.cnBody, nil)
	before, _ := s.request(s.mine.PID)
	more := assessed()
	more["data_classes"] = []any{"personal", "important"}
	s.cn.publish(exchange.Publication{ID: "people", Facts: more, Evidence: evidenceFor(duties...)})
	s.refuses(raw, corridor.Conflict, "has changed", "ask anew")
	after, _ := s.request(s.mine.PID)
	if before.Digest() == after.Digest() {
		t.Error("other facts, the same request")
	}
	s.refuses(raw, corridor.Conflict, "answers no request that is open here")
	// A compact that is withdrawn takes its authorities with it.
	_, err := s.cn.x.WithdrawCompact(within(t, 5*time.Second), "steppe-trade")
	ok(t, err)
	s.refuses(s.answer(s.cnBody, nil), corridor.Forbidden, "not an authority of a compact")
}

func TestASignedRefusalEndsTheNegotiation(t *testing.T) {
	s := parkedOn(t, assessed(), "GOST-2012-256")
	raw := s.answer(s.cnBody, func(a *corridor.ApprovalAnswer) {
		a.Answer, a.Reason, a.ValidUntil = corridor.AnswerRefuse, "the assessment found no need", ""
	})
	ok(t, s.take(raw))
	n := s.kz.until(s.pid, ended)
	if n.State != dsp.Terminated || !strings.Contains(strings.Join(n.Reason, " "), "the assessment found no need") {
		t.Errorf("%s %v", n.State, n.Reason)
	}
	doc, _, err := corridor.DecodeApproval(raw)
	ok(t, err)
	if !slices.ContainsFunc(s.cn.receipts(), func(r corridor.Receipt) bool {
		return r.Type == corridor.ReceiptRefusal && r.Negotiation == s.mine.PID && r.Digests["approval"] == doc.Digest()
	}) {
		t.Error("the refusal is not in the log with its document")
	}
	refuses(t, s.take(raw), corridor.Conflict)
}

func TestTheFirmsOfficerSignsOnlyWhatTheLawLeavesToTheFirm(t *testing.T) {
	act := exchange.OfficerApproval{By: "L. Wang", Reference: "A-7", Until: corridor.Moment(time.Now().Add(90 * 24 * time.Hour))}
	t.Run("what it leaves", func(t *testing.T) {
		s := parkedOn(t, many(), "SM2")
		_, r := s.request(s.mine.PID)
		if len(r.For(corridor.ByAuthority)) != 0 || len(r.Demands) == 0 {
			t.Fatalf("%+v", r.Demands)
		}
		_, err := s.cn.x.SignApproval(within(t, 10*time.Second), s.mine.PID, exchange.OfficerApproval{By: "L. Wang"})
		refuses(t, err, corridor.Invalid, "reference")
		_, err = s.cn.x.SignApproval(within(t, 10*time.Second), s.mine.PID, act)
		ok(t, err)
		n := s.kz.until(s.pid, ended)
		if n.State != dsp.Finalized {
			t.Fatalf("%s %v", n.State, n.Reason)
		}
		agr, err := s.cn.x.Agreement(context.Background(), n.Agreement)
		ok(t, err)
		signed, err := corridor.DecodeAgreement(agr.Signed)
		ok(t, err)
		s.quoted(n.Agreement, encode(t, signed.Body.Approvals[0].Signed.Document))
	})
	t.Run("what it does not leave", func(t *testing.T) {
		s := parkedOn(t, assessed(), "SM2")
		_, err := s.cn.x.SignApproval(within(t, 10*time.Second), s.mine.PID, act)
		refuses(t, err, corridor.Forbidden, "an officer of the firm cannot lift cn.", "cac_security_assessment", "corridor authority approve")
		if n, err := s.cn.x.Negotiation(context.Background(), s.mine.PID); err != nil || len(n.Approvals) != 0 || n.Parked == "" {
			t.Errorf("%v %+v", err, n.Approvals)
		}
	})
}

func TestNoTransferBeginsUnderAnApprovalThatHasEnded(t *testing.T) {
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s := parkedOn(t, assessed(), "SM2", func(cn, kz *node) { cn.now, kz.now = clock, clock })
	ok(t, s.take(s.answer(s.cnBody, func(a *corridor.ApprovalAnswer) { a.ValidUntil = corridor.Moment(time.Now().Add(12 * time.Hour)) })))
	n := s.kz.until(s.pid, ended)
	if n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	s.cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	ahead.Store(int64(13 * time.Hour))
	tr, err := s.kz.x.Transfer(within(t, 10*time.Second), n.Agreement)
	refuses(t, err, corridor.ApprovalNeeded, "approval urn:approval:", "the authority of CN (No. 12/2026)", "ended at")
	if tr.State != dsp.Terminated {
		t.Errorf("%s", tr.State)
	}
}

func TestNoWordCountsWhereADocumentWasSignedForSomethingElse(t *testing.T) {
	s := parkedOn(t, assessed(), "Ed25519", wordsSuffice)
	ctx := within(t, 20*time.Second)
	others := append([]string{"conclude_standard_contract_or_certification", "record_cross_border_assessment"}, duties...)
	word := exchange.Approval{By: "L. Wang", Reference: "A-1", Evidence: evidenceFor(others...)}
	s.cn.publish(exchange.Publication{ID: "people", Facts: assessed()}) // with evidence of nothing: it waits for that too
	ok(t, s.take(s.answer(s.cnBody, nil)))
	_, err := s.cn.x.Offer(ctx, s.mine.PID, nil)
	ok(t, err)
	s.kz.until(s.pid, func(n exchange.Negotiation) bool { return n.State == dsp.Offered && n.Pending == "" })
	_, err = s.kz.x.Accept(ctx, s.pid, exchange.Acceptance{Purpose: "research"})
	ok(t, err)
	waits := func(n exchange.Negotiation) bool { return n.State == dsp.Accepted && n.Parked != "" }
	// The document was for marketing: neither it, nor what it proved, nor a word
	// in its place lets research go ahead.
	for _, n := range []exchange.Negotiation{s.cn.until(s.mine.PID, waits), must[exchange.Negotiation](t)(s.cn.x.Approve(ctx, s.mine.PID, word))} {
		if !waits(n) || !strings.Contains(n.Parked, "needs an approval") || !strings.Contains(n.Parked, "cac_security_assessment") {
			t.Errorf("%s %q", n.State, n.Parked)
		}
	}
	word.Evidence = evidenceFor(append(others, "cac_security_assessment")...)
	if n := must[exchange.Negotiation](t)(s.cn.x.Approve(ctx, s.mine.PID, word)); !waits(n) || !strings.Contains(n.Parked, "needs an approval") || strings.Contains(n.Parked, "evidence is missing") {
		t.Errorf("%s %q", n.State, n.Parked)
	}
	ok(t, s.take(s.answer(s.cnBody, func(a *corridor.ApprovalAnswer) { a.Reference = "No. 13/2026" })))
	if n := s.kz.until(s.pid, ended); n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
}
