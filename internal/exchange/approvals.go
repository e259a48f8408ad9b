package exchange

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/verify"
)

// A negotiation that is parked on an approval is asked about by a document and
// goes on with the signed answer to it. A request is kept with the negotiation
// until something else is asked: an answer to an earlier one, to that of
// another negotiation, or to other facts fits nothing.

// openRequest is a request that this node has made, as it was signed.
type openRequest struct {
	Digest   string          `json:"digest"`
	Side     corridor.Side   `json:"side"`
	Document json.RawMessage `json:"document"`
}

// ApprovalAsked says whose side of a negotiation is asked about. Empty: ours.
type ApprovalAsked struct {
	Side corridor.Side `json:"side,omitempty"`
}

// RequestApproval gives the request for the approval that a negotiation waits
// for. As long as nothing changes it is the same one.
func (s *Service) RequestApproval(ctx context.Context, pid string, asked ApprovalAsked) (doc corridor.Sealed, err error) {
	err = again(func() error {
		n, err := s.Negotiation(ctx, pid)
		if err != nil {
			return err
		}
		side, err := n.approves(asked.Side)
		if err != nil {
			return err
		}
		now, err := s.request(ctx, &n, side)
		if err != nil {
			return err
		}
		if have := n.openRequest(side); have != nil {
			sealed, before, err := corridor.DecodeApprovalRequest(have.Document)
			if err == nil && before.Same(&now) {
				doc = sealed
				return nil
			}
		}
		if doc, err = identity.SealAndSign(ctx, identity.Present(s.cfg.Signer), now); err != nil {
			return err
		}
		return s.keepRequest(ctx, &n, side, doc)
	})
	return doc, err
}

func (n *Negotiation) openRequest(side corridor.Side) *openRequest {
	i := slices.IndexFunc(n.requests, func(r openRequest) bool { return r.Side == side })
	if i < 0 {
		return nil
	}
	return &n.requests[i]
}

// keepRequest puts a request in the place of the one before it.
func (s *Service) keepRequest(ctx context.Context, n *Negotiation, side corridor.Side, doc corridor.Sealed) error {
	raw, err := doc.Encode()
	if err != nil {
		return err
	}
	if len(raw) > corridor.MaxDocument {
		return corridor.E(corridor.Limited, "the request would have %d bytes, over the limit of %d", len(raw), corridor.MaxDocument)
	}
	n.requests = append(slices.DeleteFunc(slices.Clone(n.requests), func(r openRequest) bool { return r.Side == side }), openRequest{doc.Digest(), side, raw})
	return s.commit(ctx, &step{neg: n, receipts: []receipt{{body: corridor.Receipt{Type: corridor.ReceiptApprovalRequested, State: string(n.State),
		Reason: fmt.Sprintf("an approval of the %s side is asked for", side), Digests: map[string]string{"approval_request": doc.Digest()}}}}})
}

// request says what a negotiation waits for, by today's law and facts.
func (s *Service) request(ctx context.Context, n *Negotiation, side corridor.Side) (r corridor.ApprovalRequest, err error) {
	if n.Parked == "" {
		return r, notParked(n)
	}
	peer, err := s.cfg.Directory.Lookup(ctx, n.Peer)
	if err != nil {
		return r, err
	}
	flow, err := s.flowNow(ctx, n, side, peer.Participant)
	if err != nil {
		return r, err
	}
	d, err := s.cfg.Law.DecideSide(flow, side)
	if err != nil {
		return r, fmt.Errorf("own law: %w", err)
	}
	if d.Outcome != corridor.NeedsApproval {
		return r, &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("the law of %s (%s side) asks for no approval: %s", d.Jurisdiction, side, d.Outcome), Why: n.Parked,
			Fix: "give what is missing: corridor approve"}
	}
	d = d.Brief()
	policy, err := corridor.Canonical(policyOf(n.Offer))
	if err != nil {
		return r, err
	}
	nonce := make([]byte, 16)
	rand.Read(nonce) // never fails (crypto/rand)
	r = corridor.ApprovalRequest{Type: corridor.TypeApprovalRequest, Nonce: hex.EncodeToString(nonce), Issued: corridor.Moment(s.now()), Participant: s.cfg.Self.DID, Negotiation: n.PID,
		Jurisdiction: d.Jurisdiction, Side: side, Exporter: public(s.cfg.Self), Importer: public(peer.Participant), Dataset: n.Dataset, Purpose: n.Purpose, Flow: flow,
		Offer: corridor.Digest(policy), Policy: policy, Outcome: d.Outcome, Packs: append([]corridor.PackRef{d.Pack}, d.Layers...), Demands: d.Demands(), Obligations: []string{}}
	if n.Role == dsp.Consumer {
		r.Exporter, r.Importer = r.Importer, r.Exporter
	}
	for _, o := range d.Duties {
		r.Obligations = append(r.Obligations, o.ID)
	}
	for i := range r.Demands {
		for k, c := range r.Demands[i].Articles {
			r.Demands[i].Articles[k].Title = d.Instruments[c.Instrument]
		}
	}
	if on := n.sided(side); on != nil {
		r.Decision = corridor.Digest(on.Signed.Statement)
	}
	return r, r.Check()
}

// sided is the decision on record about a side.
func (n *Negotiation) sided(side corridor.Side) *SidedDecision {
	if side == n.side() {
		return n.Own
	}
	return n.Theirs
}

// flowNow is the flow of a negotiation as a side that is decided here knows it
// today.
func (s *Service) flowNow(ctx context.Context, n *Negotiation, side corridor.Side, peer corridor.Participant) (corridor.Flow, error) {
	if n.Role == dsp.Provider && side == corridor.Export {
		d, err := s.dataset(ctx, n.Dataset)
		if err != nil {
			return corridor.Flow{}, err
		}
		people, err := s.reckon(ctx, d)
		if err != nil {
			return corridor.Flow{}, err
		}
		return s.exportFlow(d, peer, stated{Purpose: n.Purpose, Facts: n.Facts}, people), nil
	}
	on := n.sided(side)
	if on == nil || on.Flow == nil {
		return corridor.Flow{}, corridor.E(corridor.Internal, "the negotiation holds no decision of the %s side", side)
	}
	flow := *on.Flow
	flow.Date = s.today()
	return flow, nil
}

// TakeApproval takes the signed answer to a request of this node and lets the
// negotiation go on, or ends it.
func (s *Service) TakeApproval(ctx context.Context, raw []byte) (Taken, error) {
	sealed, a, err := corridor.DecodeApproval(raw)
	if err != nil {
		return Taken{}, err
	}
	signer, err := s.answerSigned(ctx, sealed, a)
	if err != nil {
		return Taken{}, err
	}
	if err := a.Holds(s.now()); err != nil {
		return Taken{}, err
	}
	if a.Participant != s.cfg.Self.DID {
		return Taken{}, &corridor.Error{Kind: corridor.Forbidden, Where: "approval.participant", Msg: fmt.Sprintf("%s was given to %s, not to this node", a.Name(), clip(a.Participant))}
	}
	quote := corridor.QuotedAnswer{Digest: sealed.Digest(), Document: sealed, Authority: signer}
	_, err = s.act(ctx, a.Negotiation, func(n *Negotiation, st *step) error { return s.answered(ctx, n, a, quote, st) })
	return Taken{Kind: "approval", Authority: a.Authority, Jurisdiction: a.Jurisdiction, Digest: quote.Digest, Negotiation: a.Negotiation, New: err == nil}, err
}

// answerSigned checks who has signed an answer: an authority that a compact of
// this node names, or the firm itself. It gives the authority's entry, which
// goes into the agreement.
func (s *Service) answerSigned(ctx context.Context, doc corridor.Sealed, a corridor.ApprovalAnswer) (*corridor.Authority, error) {
	if a.By == corridor.ByFirm {
		if a.Authority != s.cfg.Self.DID {
			return nil, &corridor.Error{Kind: corridor.Forbidden, Where: "approval.authority", Msg: fmt.Sprintf("an officer of %s does not approve for this node", clip(a.Authority)), Why: "each firm answers for itself"}
		}
		return nil, s.officerSigned(ctx, doc, a)
	}
	m, err := verify.AnswerSigned(doc, a, s.trust.Load().approvers(s.now()))
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// officerSigned checks the signature of a firm's own officer: it is made with
// the firm's key.
func (s *Service) officerSigned(ctx context.Context, doc corridor.Sealed, a corridor.ApprovalAnswer) error {
	if len(doc.Signatures) != 1 {
		return corridor.E(corridor.Unauthenticated, "the approval has %d signatures, and that of %s is wanted", len(doc.Signatures), clip(a.Authority))
	}
	_, err := s.checkSignature(ctx, verify.National{Object: "approval", Signer: a.Authority, Text: doc.Body, Signature: doc.Signatures[0]}, nil)
	return err
}

// answered puts what follows from an answer into the step.
func (s *Service) answered(ctx context.Context, n *Negotiation, a corridor.ApprovalAnswer, quote corridor.QuotedAnswer, st *step) error {
	if slices.ContainsFunc(n.Approvals, func(have corridor.Approval) bool { return have.Signed != nil && have.Signed.Digest == quote.Digest }) {
		return corridor.E(corridor.Conflict, "%s was taken before", a.Name())
	}
	side, err := n.approves(a.Side)
	if err != nil {
		return err
	}
	if err := s.look(ctx, n); err != nil {
		return err
	}
	now, err := s.asStill(ctx, n, a, side)
	if err != nil {
		return err
	}
	n.requests = slices.DeleteFunc(slices.Clone(n.requests), func(r openRequest) bool { return r.Side == side })
	digests := map[string]string{corridor.DigestApproval: quote.Digest, "approval_request": a.Request}
	if a.Answer == corridor.AnswerRefuse {
		return s.refusedBy(n, a, digests, st)
	}
	for _, d := range now.For(corridor.ByAuthority) {
		if a.By != corridor.ByAuthority {
			return &corridor.Error{Kind: corridor.Forbidden, Where: "approval.by", Msg: fmt.Sprintf("an officer of the firm cannot lift %s: %v", d.Rule, d.Duties), Why: articles(d.Articles),
				Fix: "let the authority of " + a.Jurisdiction + " sign: corridor authority approve", Cites: d.Articles}
		}
		n.Evidence = merged(n.Evidence, s.discharged(d, a, quote.Digest))
	}
	n.approvedFor(corridor.Approval{Side: side, By: a.Authority, Reference: a.Reference, Note: a.Reason, Time: a.Issued, Signed: &quote})
	if err := s.mayBeKept(n, a, now.Importer); err != nil {
		return err
	}
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptApproval, State: string(n.State), Reason: short("approved", []string{a.Name()}), Digests: digests}})
	return s.goOn(ctx, n, st)
}

// mayBeKept says which condition of a new approval this node cannot see to, or
// nil: what is done to columns, only a provider that runs Corridor does.
func (s *Service) mayBeKept(n *Negotiation, a corridor.ApprovalAnswer, importer corridor.Participant) error {
	h, err := s.bound(&a)
	if err != nil {
		return err
	}
	if stages := h.terms.permissions[0].stages; n.Plain && n.Role == dsp.Consumer && len(stages) > 0 {
		return &corridor.Error{Kind: corridor.Invalid, Where: "approval.conditions", Msg: fmt.Sprintf("nobody here can %s %v: the provider speaks the Dataspace Protocol only", stages[0].Do, stages[0].Columns), Why: a.Name()}
	}
	return s.keepsConditions(n, importer, 0)
}

// asStill finds the request that an answer is to, and makes sure that it would
// be the same today.
func (s *Service) asStill(ctx context.Context, n *Negotiation, a corridor.ApprovalAnswer, side corridor.Side) (now corridor.ApprovalRequest, err error) {
	now, err = s.request(ctx, n, side)
	if err != nil {
		return now, err
	}
	open := n.openRequest(side)
	if open == nil || open.Digest != a.Request {
		return now, &corridor.Error{Kind: corridor.Conflict, Where: "approval.request", Msg: a.Name() + " answers no request that is open here", Why: "request " + a.Request,
			Fix: "let the one that is open be answered: corridor approvals request"}
	}
	_, asked, err := corridor.DecodeApprovalRequest(open.Document)
	if err != nil {
		return now, err
	}
	if !asked.Same(&now) {
		return now, &corridor.Error{Kind: corridor.Conflict, Where: "approval.request", Msg: "what " + a.Name() + " was asked for has changed: the facts, the offer or the law are not those of the request", Why: "request " + a.Request,
			Fix: "ask anew: corridor approvals request"}
	}
	return now, a.Answers(open.Digest, &asked)
}

// refusedBy ends a negotiation by a signed refusal.
func (s *Service) refusedBy(n *Negotiation, a corridor.ApprovalAnswer, digests map[string]string, st *step) error {
	err := s.refuse(n, &corridor.Error{Kind: corridor.Forbidden, Msg: a.Name() + " says no: " + a.Reason, Why: "decided under the law of " + a.Jurisdiction}, st)
	st.receipts[len(st.receipts)-1].body.Digests = digests
	return err
}

// discharged is the evidence that an authority's word is for the duties that
// only an authority discharges.
func (s *Service) discharged(d corridor.Demand, a corridor.ApprovalAnswer, digest string) map[string]corridor.Evidence {
	out := map[string]corridor.Evidence{}
	for _, id := range d.Duties {
		if info, known := s.cfg.Law.Obligation(id); known && info.Approver == corridor.ByAuthority {
			out[id] = corridor.Evidence{Ref: a.ID + " (" + a.Reference + ")", SHA256: digest, By: a.Authority, On: s.today()}
		}
	}
	return out
}

// OfficerApproval is the word of an officer of the firm.
type OfficerApproval struct {
	By         string               `json:"by"`
	Reference  string               `json:"reference"`
	Reason     string               `json:"reason,omitempty"`
	Until      string               `json:"until,omitempty"` // RFC 3339, UTC
	Conditions []corridor.Condition `json:"conditions,omitempty"`
	Side       corridor.Side        `json:"side,omitempty"`
}

// SignApproval is the firm's own approval, signed with its key, where the law
// leaves it to the firm.
func (s *Service) SignApproval(ctx context.Context, pid string, o OfficerApproval) (Negotiation, error) {
	asked, err := s.RequestApproval(ctx, pid, ApprovalAsked{Side: o.Side})
	if err != nil {
		return Negotiation{}, err
	}
	raw, err := asked.Encode()
	if err != nil {
		return Negotiation{}, err
	}
	_, r, err := corridor.DecodeApprovalRequest(raw)
	if err != nil {
		return Negotiation{}, err
	}
	a := corridor.AnswerTo(asked.Digest(), &r)
	a.Answer, a.By, a.Authority, a.Officer, a.Reference, a.Reason = corridor.AnswerApprove, corridor.ByFirm, s.cfg.Self.DID, o.By, o.Reference, o.Reason
	a.Issued, a.ValidUntil, a.Conditions = corridor.Moment(s.now()), o.Until, append(a.Conditions, o.Conditions...)
	if err := a.Check(); err != nil {
		return Negotiation{}, err
	}
	doc, err := identity.SealAndSign(ctx, identity.Present(s.cfg.Signer), a)
	if err != nil {
		return Negotiation{}, err
	}
	if raw, err = doc.Encode(); err != nil {
		return Negotiation{}, err
	}
	if _, err := s.TakeApproval(ctx, raw); err != nil {
		return Negotiation{}, err
	}
	return s.Negotiation(ctx, pid)
}
