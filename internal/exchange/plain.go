package exchange

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/plane"
	"corridor/internal/store"
)

// A plain peer speaks the Dataspace Protocol and no more: it signs no
// decision, states nothing about a flow, and keeps no log. This node then
// decides both sides' law, from the facts of the dataset and from what its
// operator states about the peer, and says so in the decision, in the
// agreement and in the bundle. The agreement is signed by this node alone.
//
// Nothing else is loosened: what cannot be decided is refused, receipts are
// written as always, and a peer that is not marked plain must still sign.

// plainOf gives what the operator states about the peer of a negotiation; nil
// for a peer that runs Corridor. A peer whose entry was turned over meanwhile
// is refused: what was agreed so far rests on the other kind.
func (n *Negotiation) plainOf(p identity.Peer) (*identity.Plain, error) {
	if n.Plain != (p.Plain != nil) {
		return nil, turnedOver(p.DID)
	}
	return p.Plain, nil
}

func turnedOver(did string) error {
	return &corridor.Error{Kind: corridor.Conflict, Where: did, Msg: "the list of peers now says otherwise whether it is a plain peer",
		Why: "who decides which side's law is settled when a negotiation begins", Fix: "terminate, and negotiate anew"}
}

// listenPlain takes the operator's word where a Corridor would state purpose
// and facts itself.
func (n *Negotiation) listenPlain(p *identity.Plain) error {
	if p.Purpose == "" {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "the purpose of this consumer's use is not known", Why: "both sides' law asks for it, and the Dataspace Protocol has no word for it",
			Fix: "the provider's operator states it in the entry of this peer: plain.purpose"}
	}
	n.Purpose, n.Facts = p.Purpose, p.Facts.Clone()
	return nil
}

// decideInstead asks the law of a plain peer's side in its place, and signs
// the answer as this node's own.
func (s *Service) decideInstead(ctx context.Context, n *Negotiation, flow corridor.Flow, peer corridor.Participant) (*SidedDecision, receipt, error) {
	side, provider, consumer := corridor.Import, s.cfg.Self.DID, n.Peer
	if n.Role == dsp.Consumer {
		side, provider, consumer = corridor.Export, n.Peer, s.cfg.Self.DID
	}
	d, err := s.cfg.Law.DecideSide(flow, side)
	if err != nil {
		return nil, receipt{}, fmt.Errorf("the peer's law: %w", err)
	}
	out, err := s.signDecision(ctx, flow, d.Brief(), corridor.DecisionStatement{Provider: provider, Consumer: consumer, Dataset: n.Dataset, InsteadOf: peer.DID})
	if err != nil {
		return nil, receipt{}, err
	}
	r, err := decisionReceipt(corridor.ReceiptDecision, out)
	return out, r, err
}

// signDecision makes a signed decision of what the law answered.
func (s *Service) signDecision(ctx context.Context, flow corridor.Flow, d corridor.Decision, st corridor.DecisionStatement) (*SidedDecision, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return nil, corridor.E(corridor.Internal, "salt: %w", err)
	}
	facts, err := corridor.Canonical(flow)
	if err != nil {
		return nil, err
	}
	st.Version, st.Issuer, st.Time, st.Facts, st.Decision = 1, s.cfg.Self.DID, dsp.FormatTime(s.now()), corridor.Commit(salt, facts), d
	statement, err := st.Encode() // and st is as everybody else will read it
	if err != nil {
		return nil, err
	}
	sig, err := s.sign(ctx, statement)
	if err != nil {
		return nil, err
	}
	return &SidedDecision{Signed: corridor.SignedDecision{Statement: statement, Signature: sig}, Outcome: d.Outcome, Side: d.Side,
		Country: d.Jurisdiction, InsteadOf: st.InsteadOf, Salt: salt, Flow: &flow, statement: &st}, nil
}

// insteadNow asks the law of a plain peer's side again, as of today. It gives
// a refusal, or nil; and nothing at all where the peer decides for itself.
func (s *Service) insteadNow(n *Negotiation) (d corridor.Decision, refused, err error) {
	if !n.Plain {
		return d, nil, nil
	}
	if n.Theirs == nil || n.Theirs.Flow == nil {
		return d, nil, corridor.E(corridor.Internal, "the negotiation holds no decision of the peer's side")
	}
	flow := *n.Theirs.Flow
	flow.Date = s.today()
	if d, err = s.cfg.Law.DecideSide(flow, n.Theirs.Side); err != nil {
		return d, nil, fmt.Errorf("the peer's law: %w", err)
	}
	return d, s.refusedNow(n, d, n.proofs()), nil
}

// wireAgreementOf holds a plain provider's agreement against what was asked
// for. There is nothing in it but the protocol's own words.
func (s *Service) wireAgreementOf(n *Negotiation, w dsp.Agreement) error {
	for _, f := range []struct{ where, got, want string }{
		{"agreement.target", w.Target, n.Dataset}, {"agreement.assigner", w.Assigner, n.Peer}, {"agreement.assignee", w.Assignee, s.cfg.Self.DID},
	} {
		if f.got != f.want {
			return wrongField(f.where, f.got, f.want)
		}
	}
	asked, err := corridor.Canonical(policyOf(n.Offer))
	if err != nil {
		return err
	}
	wire := w.Policy
	wire.ID, wire.Target, wire.Assigner, wire.Assignee, wire.Profile = n.Offer.ID, "", "", "", nil
	if got, err := corridor.Canonical(wire); err != nil || !bytes.Equal(got, asked) {
		return &corridor.Error{Kind: corridor.Invalid, Where: "agreement.permission", Msg: "is not the policy that was asked for"}
	}
	return nil
}

// recordOf makes this node's record of an agreement with a plain provider: the
// body that a Corridor would have sent, with both decisions by us.
func (s *Service) recordOf(n *Negotiation, id string, provider corridor.Participant) (corridor.Agreement, error) {
	var none corridor.Agreement
	own, err := n.Own.decode()
	if err != nil {
		return none, err
	}
	theirs, err := n.Theirs.decode()
	if err != nil {
		return none, err
	}
	policy, err := corridor.Canonical(policyOf(n.Offer))
	if err != nil {
		return none, err
	}
	plan, err := corridor.Canonical(plane.Plan{})
	if err != nil {
		return none, err
	}
	all := corridor.Combine(corridor.Flow{}, theirs.Decision, own.Decision)
	a := corridor.Agreement{
		Version: 1, ID: id, Provider: public(provider), Consumer: public(s.cfg.Self), Dataset: n.Dataset, Facts: own.Facts, Policy: policy,
		Decisions: []corridor.SignedDecision{n.Theirs.Signed, n.Own.Signed}, Purpose: n.Purpose, Approvals: n.current(),
		Obligations: append(append([]string{}, all.Obligations...), all.Possible...), Evidence: evidenceList(n.proofs()), Transforms: plan,
		Witnesses: s.witnesses(), DecidedBy: s.cfg.Self.DID,
		Logs: map[string]corridor.LogRef{s.cfg.Self.DID: s.ownLog()},
	}
	t, err := readTerms(n.Offer.Policy)
	if err != nil {
		return none, err
	}
	passage, err := s.passage(dsp.Consumer, provider, n.Dataset, n.known())
	if err == nil {
		err = passage.checkPacks(theirs.Decision, own.Decision)
	}
	if a.Compact = passage.Compact; err != nil {
		return none, err
	}
	held, err := s.conditions(n.current(), s.now())
	if err != nil {
		return none, err
	}
	v, u := verdict{duties: a.Obligations}, useOf(n, s.cfg.Self, s.now(), 0)
	v.from, v.until = t.window(u, n.Permission)
	v.bind(held, u)
	a.Obligations = v.duties
	a.ValidFrom, a.ValidUntil = wholeSeconds(v.from, v.until)
	return a, nil
}

// plainAgreement takes the agreement of a plain provider into the step. It is
// signed when it is verified, like every agreement of a consumer.
func (s *Service) plainAgreement(n *Negotiation, m *dsp.ContractAgreementMessage, provider corridor.Participant) (*Agreement, error) {
	if err := s.wireAgreementOf(n, m.Agreement); err != nil {
		return nil, err
	}
	body, err := s.recordOf(n, m.Agreement.ID, provider)
	if err != nil {
		return nil, err
	}
	raw, err := corridor.Canonical(body)
	if err != nil {
		return nil, err
	}
	signed, err := signedAgreement(raw)
	if err != nil {
		return nil, err
	}
	return &Agreement{ID: body.ID, Negotiation: n.PID, Peer: n.Peer, Callback: n.Callback, Role: dsp.Consumer, Dataset: n.Dataset,
		State: AgreementOpen, Digest: corridor.Digest(raw), Signed: signed, DecidedBy: body.DecidedBy, Created: s.now().UTC(), under: digestOfCompact(body.Compact)}, nil
}

// plain says whether a step's message goes to a plain peer, which gets the
// protocol's own words and nothing of ours.
func (st *step) plain() bool {
	if st.tr != nil {
		return st.tr.Plain
	}
	return st.neg != nil && st.neg.Plain
}

// toldAgain says whether a plain peer's message has had its effect already.
// Such a peer gives its messages no names, and may say the same thing again in
// other bytes: Eclipse EDC does when its own record was in use at the moment
// that it wanted to write down our answer. What asks for something new is
// never taken for a repeat.
func (n *Negotiation) toldAgain(m dsp.Process) bool {
	provider, consumer := m.PIDs()
	if !n.Plain || n.pids() != (dsp.Pids{ProviderPid: provider, ConsumerPid: consumer}) {
		return false
	}
	switch m := m.(type) {
	case *dsp.ContractAgreementMessage:
		return n.Role == dsp.Consumer && n.State == dsp.Agreed && m.Agreement.ID == n.Agreement
	case *dsp.ContractAgreementVerificationMessage:
		return n.Role == dsp.Provider && (n.State == dsp.Verified || n.State == dsp.Finalized)
	case *dsp.ContractNegotiationEventMessage:
		return n.Role == dsp.Consumer && n.State == dsp.Finalized && m.EventType == dsp.Finalized
	case *dsp.ContractNegotiationTerminationMessage:
		return n.State == dsp.Terminated
	}
	return false
}

// agreedAnew says whether a plain provider sends another agreement in place of
// one that it does not know to be verified. Eclipse EDC makes the agreement
// anew, under another identifier, when its record was in use at the moment
// that it wanted to write down that we have it; our verification of the one
// before was the use. It must be to the same terms like any other, and once
// the provider has taken a verification it stands.
func (n *Negotiation) agreedAnew(m dsp.Process) bool {
	again, ok := m.(*dsp.ContractAgreementMessage)
	return ok && n.Plain && n.Role == dsp.Consumer && n.State == dsp.Agreed && n.Agreement != "" && again.Agreement.ID != n.Agreement
}

// setAside ends our record of an agreement that another one takes the place of
// in this step.
func (s *Service) setAside(id string, st *step) {
	st.inside = func(ctx context.Context, tx *store.Tx) error {
		a, err := s.loadAgreement(ctx, tx, id)
		if err != nil {
			return fmt.Errorf("the agreement that is set aside: %w", err)
		}
		s.agreements.recent.moves(id)
		tx.AfterCommit(func() { s.agreements.keep(id, a.version, a) }) // it stays: who has read the old one meanwhile does not put that back
		tx.AtEnd(func() { s.agreements.recent.moved(id) })
		a.State = AgreementTerminated
		a.version++
		return put(ctx, tx, agreementRow, a.stored(), a.ID, a.Negotiation, a.Peer, string(a.Role), a.Dataset, a.State, a.version, dsp.FormatTime(a.Created))
	}
}

// toldAgain is the same for transfers.
func (t *Transfer) toldAgain(m dsp.Process) bool {
	provider, consumer := m.PIDs()
	if !t.Plain || t.pids() != (dsp.Pids{ProviderPid: provider, ConsumerPid: consumer}) {
		return false
	}
	switch m.Type() {
	case dsp.TypeTransferStart: // one that a consumer can still make use of is taken: see startedAnew
		return t.State == dsp.Started && (t.Role == dsp.Provider || t.File != "")
	case dsp.TypeCompletion:
		return t.State == dsp.Completed
	case dsp.TypeSuspension:
		return t.State == dsp.Suspended && t.StoppedBy == t.Role.Other()
	case dsp.TypeTermination:
		return t.State == dsp.Terminated
	}
	return false
}

// nameOfOpening is nameOf for a message that begins a process. A plain peer
// that repeats one may give it another identifier of its own, which is not
// part of what it says.
func nameOfOpening(c identity.Caller, m dsp.Message, ext dsp.Extensions) (string, error) {
	if c.Peer.Plain == nil {
		name, _, err := nameOf(m, ext)
		return name, err
	}
	body, err := dsp.Encode(m)
	if err != nil {
		return "", err
	}
	return corridor.Digest(body), nil
}
