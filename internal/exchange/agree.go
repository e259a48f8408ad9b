package exchange

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/plane"
)

// agree makes the agreement, signs it in this side's suite, and puts it into
// the step. It is reached only from answer and from an approval, after judge
// has let the flow go ahead.
func (s *Service) agree(ctx context.Context, n *Negotiation, d catalog.Dataset, peer corridor.Participant, v verdict, st *step) error {
	body, err := s.agreementBody(n, d, peer, v)
	if err != nil {
		return err
	}
	raw, err := corridor.Canonical(body)
	if err != nil {
		return err
	}
	sig, err := s.sign(ctx, raw)
	if err != nil {
		return err
	}
	signed, err := signedAgreement(raw, sig)
	if err != nil {
		return err
	}
	if len(signed) > corridor.MaxAgreement {
		return corridor.E(corridor.Limited, "the agreement would be over the limit of %d bytes", corridor.MaxAgreement)
	}
	digest := corridor.Digest(raw)
	people := map[string]int64{}
	for kind, names := range counted() {
		if n, known := readSpan(d.Facts[names[0]]); known && n.most() > 0 {
			people[kind] = n.most()
		}
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return corridor.E(corridor.Internal, "key of the pseudonyms: %w", err)
	}
	n.Agreement, n.Parked = body.ID, ""
	st.agr = &Agreement{ID: body.ID, Negotiation: n.PID, Peer: n.Peer, Callback: n.Callback, Role: dsp.Provider, Dataset: d.ID,
		State: AgreementOpen, Digest: digest, Signed: signed, Subjects: people, Created: s.now().UTC(), key: key}
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptAgreement, Agreement: body.ID, State: string(dsp.Agreed),
		Digests: map[string]string{"agreement": digest}, PeerRefs: st.heard}})
	m := &dsp.ContractAgreementMessage{Pids: n.pids(), Agreement: wireAgreement(n, body, s.now())}
	m.Agreement.Agreement = signed
	st.say(m, &m.Extensions, dsp.Consumer, dsp.Agreed)
	return nil
}

// signedAgreement puts the signatures beside a canonical body. The two
// members stand in canonical order.
func signedAgreement(body []byte, sigs ...corridor.Signature) ([]byte, error) {
	list, err := corridor.Canonical(sigs)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte(`{"body":`), body, []byte(`,"signatures":`), list, []byte(`}`)), nil
}

// bodyOf gives the canonical body of a signed agreement in canonical form, and
// its signatures.
func bodyOf(signed json.RawMessage) (body []byte, sigs []corridor.Signature, err error) {
	var parts struct {
		Body       json.RawMessage      `json:"body"`
		Signatures []corridor.Signature `json:"signatures"`
	}
	if err := json.Unmarshal(signed, &parts); err != nil {
		return nil, nil, corridor.E(corridor.Internal, "a stored agreement cannot be read: %w", err)
	}
	return parts.Body, parts.Signatures, nil
}

func (s *Service) agreementBody(n *Negotiation, d catalog.Dataset, peer corridor.Participant, v verdict) (corridor.Agreement, error) {
	var none corridor.Agreement
	own, err := n.Own.Signed.Decode()
	if err != nil {
		return none, err
	}
	policy, err := corridor.Canonical(policyOf(n.Offer))
	if err != nil {
		return none, err
	}
	plan, err := corridor.Canonical(v.plan)
	if err != nil {
		return none, err
	}
	a := corridor.Agreement{
		Version: 1, ID: newID(), Provider: public(s.cfg.Self), Consumer: public(peer), Dataset: n.Dataset, Facts: own.Facts, Policy: policy,
		Decisions: []corridor.SignedDecision{n.Own.Signed, n.Theirs.Signed}, Purpose: n.Purpose, Approvals: n.Approvals,
		Obligations: v.duties, Evidence: evidenceList(merged(d.Evidence, n.Evidence)), Transforms: plan,
		Logs: map[string]corridor.LogRef{s.cfg.Self.DID: {Origin: s.cfg.Ledger.Origin(), VKey: s.cfg.Ledger.VKey()}},
	}
	if n.Log != nil {
		a.Logs[n.Peer] = *n.Log
	}
	a.Witnesses = s.witnesses()
	if !v.terms.from.IsZero() {
		a.ValidFrom = dsp.FormatTime(v.terms.from)
	}
	if !v.terms.until.IsZero() {
		a.ValidUntil = dsp.FormatTime(v.terms.until)
	}
	return a, nil
}

// public is what an agreement says of a participant.
func public(p corridor.Participant) corridor.Participant {
	return corridor.Participant{DID: p.DID, Name: p.Name, Jurisdiction: p.Jurisdiction, Type: p.Type}
}

// policyOf is the policy without what belongs to a message.
func policyOf(o dsp.Offer) dsp.Policy {
	return dsp.Policy{ID: o.ID, Permission: o.Permission, Prohibition: o.Prohibition, Obligation: o.Obligation}
}

func evidenceList(m map[string]corridor.Evidence) []corridor.Evidence {
	var out []corridor.Evidence
	for _, id := range slices.Sorted(maps.Keys(m)) {
		e := m[id]
		e.Obligation = id
		out = append(out, e)
	}
	return out
}

func wireAgreement(n *Negotiation, a corridor.Agreement, now time.Time) dsp.Agreement {
	p := policyOf(n.Offer)
	p.ID, p.Target, p.Assigner, p.Assignee = a.ID, a.Dataset, a.Provider.DID, a.Consumer.DID
	return dsp.Agreement{Policy: p, Timestamp: dsp.FormatTime(now)}
}

// AgreementOffered takes the provider's agreement. The consumer checks all of
// it again, its own law included, before it signs.
func (s *Service) AgreementOffered(ctx context.Context, c identity.Caller, pid string, m *dsp.ContractAgreementMessage) (*dsp.ContractNegotiation, error) {
	return s.hear(ctx, c, pid, m, m.Extensions, func(n *Negotiation, st *step) error {
		a, raw, sig, err := s.checkAgreement(ctx, c, n, m)
		if err != nil {
			return err
		}
		again, err := s.redecide(ctx, n)
		if err != nil {
			return err
		}
		n.Agreement = a.ID
		if again != nil {
			return s.refuse(n, again, st)
		}
		signed, err := signedAgreement(raw, sig)
		if err != nil {
			return err
		}
		digest := corridor.Digest(raw)
		st.agr = &Agreement{ID: a.ID, Negotiation: n.PID, Peer: n.Peer, Callback: n.Callback, Role: dsp.Consumer, Dataset: n.Dataset,
			State: AgreementOpen, Digest: digest, Signed: signed, Created: s.now().UTC()}
		st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptAgreement, Agreement: a.ID, State: string(dsp.Agreed),
			Digests: map[string]string{"agreement": digest}, PeerRefs: st.heard}})
		if s.cfg.Manual.Verify {
			n.Parked = "a person verifies every agreement (manual.verify)"
			return nil
		}
		return s.verification(ctx, n, st.agr, st)
	})
}

// checkAgreement compares the agreement with what this side asked for. An
// agreement to something else, or that is not signed as it must be, is
// refused as an illegal message: the negotiation stays where it was.
func (s *Service) checkAgreement(ctx context.Context, c identity.Caller, n *Negotiation, m *dsp.ContractAgreementMessage) (a corridor.Agreement, raw []byte, sig corridor.Signature, err error) {
	signed, err := corridor.DecodeAgreement(m.Agreement.Agreement)
	if err != nil {
		return a, nil, sig, fmt.Errorf("corridor:agreement: %w", err)
	}
	a = signed.Body
	w := m.Agreement
	for _, f := range []struct{ where, got, want string }{
		{"agreement.@id", w.ID, a.ID}, {"agreement.target", w.Target, n.Dataset}, {"agreement.assigner", w.Assigner, n.Peer},
		{"agreement.assignee", w.Assignee, s.cfg.Self.DID}, {"corridor:agreement.dataset", a.Dataset, n.Dataset},
		{"corridor:agreement.provider", a.Provider.DID, n.Peer}, {"corridor:agreement.provider.jurisdiction", a.Provider.Jurisdiction, c.Peer.Jurisdiction},
		{"corridor:agreement.consumer", a.Consumer.DID, s.cfg.Self.DID}, {"corridor:agreement.consumer.jurisdiction", a.Consumer.Jurisdiction, s.cfg.Self.Jurisdiction},
		{"corridor:agreement.purpose", a.Purpose, n.Purpose},
	} {
		if f.got != f.want {
			return a, nil, sig, wrongField(f.where, f.got, f.want)
		}
	}
	asked, err := corridor.Canonical(policyOf(n.Offer))
	if err != nil {
		return a, nil, sig, err
	}
	if got, err := corridor.Canonicalize(a.Policy); err != nil || !bytes.Equal(got, asked) {
		return a, nil, sig, &corridor.Error{Kind: corridor.Invalid, Where: "corridor:agreement.policy", Msg: "is not the policy that was asked for"}
	}
	wire := w.Policy
	wire.ID, wire.Target, wire.Assigner, wire.Assignee, wire.Profile = n.Offer.ID, "", "", "", nil
	if got, err := corridor.Canonical(wire); err != nil || !bytes.Equal(got, asked) {
		return a, nil, sig, &corridor.Error{Kind: corridor.Invalid, Where: "agreement.permission", Msg: "is not the policy that was asked for"}
	}
	if len(signed.Signatures) != 1 {
		return a, nil, sig, &corridor.Error{Kind: corridor.Invalid, Where: "corridor:agreement.signatures", Msg: "does not hold exactly the provider's signature"}
	}
	sig = signed.Signatures[0]
	if raw, err = corridor.Canonical(a); err != nil {
		return a, nil, sig, err
	}
	if err := s.checkSignature(ctx, n.Peer, raw, sig); err != nil {
		return a, nil, sig, fmt.Errorf("the provider's signature of the agreement: %w", err)
	}
	if err := s.checkEvidenceTerms(a); err != nil {
		return a, nil, sig, err
	}
	return a, raw, sig, s.checkDecisions(ctx, c, n, a)
}

// checkEvidenceTerms makes sure that what both sides will prove with is the
// same: our own log, and one witness policy. Two policies would make two
// bundles of which each side accepts only its own.
func (s *Service) checkEvidenceTerms(a corridor.Agreement) error {
	own := corridor.LogRef{Origin: s.cfg.Ledger.Origin(), VKey: s.cfg.Ledger.VKey()}
	if got := a.Logs[s.cfg.Self.DID]; got != own {
		return wrongField("corridor:agreement.logs."+s.cfg.Self.DID, got.VKey, own.VKey)
	}
	if a.Witnesses != s.witnesses() {
		return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:agreement.witnesses", Msg: "the two sides are configured with different witness policies",
			Fix: "agree on one policy file and give it to both nodes"}
	}
	return nil
}

// witnesses names the witness policy of this node, or nothing if it has none.
func (s *Service) witnesses() string {
	if len(s.cfg.Policy) == 0 {
		return ""
	}
	return corridor.Digest(s.cfg.Policy)
}

// checkDecisions makes sure that our own decision stands in the agreement as
// we signed it, and that the provider's own side is there, signed, and lets
// the flow go ahead.
func (s *Service) checkDecisions(ctx context.Context, c identity.Caller, n *Negotiation, a corridor.Agreement) error {
	bad := func(msg string) error {
		return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:agreement.decisions", Msg: msg}
	}
	if len(a.Decisions) != 2 || n.Own == nil {
		return bad("must hold one decision of each side")
	}
	if got, err := corridor.Canonicalize(a.Decisions[1].Statement); err != nil || !bytes.Equal(got, n.Own.Signed.Statement) || a.Decisions[1].Signature != n.Own.Signed.Signature {
		return bad("the import side is not the decision that we signed")
	}
	raw, err := json.Marshal(a.Decisions[0])
	if err != nil {
		return corridor.E(corridor.Internal, "decision: %w", err)
	}
	theirs, err := s.checkTheirs(ctx, raw, c.Peer.Participant, corridor.Export, n.Peer, s.cfg.Self.DID, n.Dataset)
	if err != nil {
		return err
	}
	st, err := theirs.Signed.Decode()
	if err != nil {
		return err
	}
	if err := refusal(st.Decision); err != nil {
		return bad("the provider's own decision does not let the flow go ahead: " + err.Error())
	}
	if theirs.Outcome == corridor.NeedsApproval && !approved(a.Approvals, corridor.Export) {
		return bad("the provider's decision needs an approval, and none is quoted")
	}
	n.Theirs = theirs
	return nil
}

// redecide asks our own law again: days may have passed since the request. It
// gives a refusal, or nil.
func (s *Service) redecide(_ context.Context, n *Negotiation) (refused error, err error) {
	_, refused, err = s.importNow(n)
	return refused, err
}

// verification signs the agreement as the consumer and tells the provider.
func (s *Service) verification(ctx context.Context, n *Negotiation, a *Agreement, st *step) error {
	body, sigs, err := bodyOf(a.Signed)
	if err != nil {
		return err
	}
	sig, err := s.sign(ctx, body)
	if err != nil {
		return err
	}
	if a.Signed, err = signedAgreement(body, append(sigs, sig)...); err != nil {
		return err
	}
	raw, err := json.Marshal(sig)
	if err != nil {
		return corridor.E(corridor.Internal, "signature: %w", err)
	}
	n.Parked = ""
	st.agr = a
	m := &dsp.ContractAgreementVerificationMessage{Pids: n.pids()}
	m.Signature = raw
	st.say(m, &m.Extensions, dsp.Provider, dsp.Verified)
	return nil
}

// AgreementVerified takes the consumer's signature and makes the agreement
// final.
func (s *Service) AgreementVerified(ctx context.Context, c identity.Caller, pid string, m *dsp.ContractAgreementVerificationMessage) (*dsp.ContractNegotiation, error) {
	return s.hear(ctx, c, pid, m, m.Extensions, func(n *Negotiation, st *step) error {
		a, err := s.Agreement(ctx, n.Agreement)
		if err != nil {
			return err
		}
		body, sigs, err := bodyOf(a.Signed)
		if err != nil {
			return err
		}
		var sig corridor.Signature
		if err := json.Unmarshal(m.Signature, &sig); err != nil {
			return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:signature", Msg: "the verification does not bring the consumer's signature of the agreement",
				Fix: "sign the canonical agreement body and send the signature"}
		}
		if err := s.checkSignature(ctx, c.DID, body, sig); err != nil {
			return fmt.Errorf("corridor:signature: %w", err)
		}
		if a.Signed, err = signedAgreement(body, append(sigs, sig)...); err != nil {
			return err
		}
		a.State = AgreementInForce
		st.agr = &a
		digests := map[string]string{"agreement": a.Digest}
		st.receipts = append(st.receipts,
			receipt{body: corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(dsp.Verified), Digests: digests, PeerRefs: st.heard}},
			receipt{body: corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(dsp.Finalized), Digests: digests}})
		out := &dsp.ContractNegotiationEventMessage{Pids: n.pids(), EventType: dsp.Finalized}
		st.say(out, &out.Extensions, dsp.Consumer, dsp.Finalized)
		return nil
	})
}

// EventHeard takes an event: the consumer's ACCEPTED, or the provider's
// FINALIZED.
func (s *Service) EventHeard(ctx context.Context, c identity.Caller, pid string, m *dsp.ContractNegotiationEventMessage) (*dsp.ContractNegotiation, error) {
	return s.hear(ctx, c, pid, m, m.Extensions, func(n *Negotiation, st *step) error {
		if m.EventType == dsp.Accepted {
			return s.accepted(ctx, c, n, m, st)
		}
		a, err := s.Agreement(ctx, n.Agreement)
		if err != nil {
			return err
		}
		a.State = AgreementInForce
		st.agr = &a
		st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(dsp.Finalized),
			Digests: map[string]string{"agreement": a.Digest}, PeerRefs: st.heard}})
		return nil
	})
}

// planOf reads the plan that an agreement binds the provider to.
func planOf(a corridor.Agreement) (plane.Plan, error) {
	var p plane.Plan
	if len(a.Transforms) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(a.Transforms, &p); err != nil {
		return p, corridor.E(corridor.Internal, "the plan of agreement %s: %w", a.ID, err)
	}
	return p, nil
}
