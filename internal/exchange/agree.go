package exchange

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/plane"
	"corridor/verify"
)

// agree makes the agreement, signs it in this side's suite, and puts it into
// the step. It is reached only from answer and from an approval, after judge
// has let the flow go ahead.
func (s *Service) agree(ctx context.Context, n *Negotiation, d catalog.Dataset, peer corridor.Participant, v verdict, st *step) error {
	body, err := s.agreementBody(n, d, peer, v)
	if err != nil {
		return err
	}
	made, err := s.exporting(ctx, n, d, body)
	if err != nil {
		return err
	}
	if err := s.makes(st, made); err != nil {
		return err
	}
	if err := s.validateDecision(ctx, n, st); err != nil {
		return err
	}
	vouched, err := s.validateAgreement(ctx, n, st.agr, st)
	if err != nil {
		return err
	}
	st.agr.Validations = validations(n.Theirs.Validation, n.Own.Validation, vouched)
	n.Agreement, n.Parked = body.ID, ""
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptAgreement, Agreement: body.ID, State: string(dsp.Agreed),
		Digests: st.agr.digests(), PeerRefs: st.heard}})
	m := &dsp.ContractAgreementMessage{Pids: n.pids(), Agreement: wireAgreement(n, body, s.now())}
	if !n.Plain {
		m.Agreement.Agreement = st.agr.Signed
	}
	if err := sayValidations(&m.Validations, n.Own.Validation, vouched); err != nil {
		return err
	}
	st.say(m, &m.Extensions, dsp.Consumer, dsp.Agreed)
	return nil
}

// exporting is our record, signed by us, of an agreement under which a dataset
// of ours goes out.
func (s *Service) exporting(ctx context.Context, n *Negotiation, d catalog.Dataset, body corridor.Agreement) (*Agreement, error) {
	signed, digest, err := s.signAgreement(ctx, body)
	if err != nil {
		return nil, err
	}
	people := map[string]int64{}
	for kind, names := range counted() {
		if n, known := readSpan(d.Facts[names[0]]); known && n.most() > 0 {
			people[kind] = n.most()
		}
	}
	return &Agreement{ID: body.ID, Negotiation: n.PID, Peer: n.Peer, Callback: n.Callback, Role: dsp.Provider, Dataset: d.ID, State: AgreementOpen,
		Digest: digest, Signed: signed, Subjects: people, DecidedBy: body.DecidedBy, Created: s.now().UTC(), key: newKey(), evidence: body.Evidence, made: true, under: digestOfCompact(body.Compact)}, nil
}

// signAgreement signs a body in this side's suite.
func (s *Service) signAgreement(ctx context.Context, body corridor.Agreement) (signed []byte, digest string, err error) {
	raw, err := corridor.Canonical(body)
	if err != nil {
		return nil, "", err
	}
	sig, err := s.sign(ctx, raw)
	if err != nil {
		return nil, "", err
	}
	if signed, err = signedAgreement(raw, sig); err != nil {
		return nil, "", err
	}
	if len(signed) > corridor.MaxAgreement {
		return nil, "", corridor.E(corridor.Limited, "the agreement would be over the limit of %d bytes", corridor.MaxAgreement)
	}
	return signed, corridor.Digest(raw), nil
}

// newKey makes the key of an agreement's pseudonyms.
func newKey() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails (crypto/rand)
	return key
}

// signedAgreement puts the signatures beside a canonical body. The two
// members stand in canonical order.
func signedAgreement(body []byte, sigs ...corridor.Signature) ([]byte, error) {
	if sigs == nil { // not signed yet
		sigs = []corridor.Signature{}
	}
	list, err := corridor.Canonical(sigs)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte(openBody), body, []byte(openSignatures), list, []byte(`}`)), nil
}

// bodyOf gives the canonical body of a signed agreement that signedAgreement
// wrote, and its signatures. They are the last member, hold no member of that
// name, and no text can: its quotes would be escaped.
func bodyOf(signed json.RawMessage) (body []byte, sigs []corridor.Signature, err error) {
	const first, second = `{"body":`, `,"signatures":`
	if bytes.Contains(signed, []byte(`\u`)) { // encoding/json has escaped more than it must when the record was written
		if signed, err = corridor.Canonicalize(signed); err != nil {
			return nil, nil, corridor.E(corridor.Internal, "a stored agreement cannot be read: %w", err)
		}
	}
	cut := bytes.LastIndex(signed, []byte(second))
	if cut < len(first) || !bytes.HasPrefix(signed, []byte(first)) || !bytes.HasSuffix(signed, []byte{'}'}) {
		return nil, nil, corridor.E(corridor.Internal, "a stored agreement has another form than the one that is written")
	}
	if err := json.Unmarshal(signed[cut+len(second):len(signed)-1], &sigs); err != nil {
		return nil, nil, corridor.E(corridor.Internal, "a stored agreement cannot be read: %w", err)
	}
	return signed[len(first):cut], sigs, nil
}

func (s *Service) agreementBody(n *Negotiation, d catalog.Dataset, peer corridor.Participant, v verdict) (corridor.Agreement, error) {
	var none corridor.Agreement
	own, err := n.Own.decode()
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
		Decisions: []corridor.SignedDecision{n.Own.Signed, n.Theirs.Signed}, Purpose: n.Purpose, Approvals: n.current(),
		Obligations: v.duties, Evidence: evidenceList(v.proofs), Transforms: plan,
		Logs: map[string]corridor.LogRef{s.cfg.Self.DID: {Origin: s.cfg.Ledger.Origin(), VKey: s.cfg.Ledger.VKey()}},
	}
	if n.Log != nil {
		a.Logs[n.Peer] = *n.Log
	}
	if n.Plain {
		a.DecidedBy = s.cfg.Self.DID
	}
	a.Witnesses, a.Compact = s.witnesses(), v.under
	a.ValidFrom, a.ValidUntil = wholeSeconds(v.from, v.until)
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
		signed, err := s.offeredAgreement(ctx, c, n, m, st)
		if err != nil {
			return err
		}
		again, err := s.redecide(ctx, n)
		if err != nil {
			return err
		}
		if n.Agreement != "" && n.Agreement != signed.ID {
			s.setAside(n.Agreement, st)
		}
		n.Agreement = signed.ID
		if again != nil {
			return s.refuse(n, again, st)
		}
		if err := s.makes(st, signed); err != nil {
			return err
		}
		st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptAgreement, Agreement: signed.ID, State: string(dsp.Agreed),
			Digests: signed.digests(), PeerRefs: st.heard}})
		if n.Parked = s.held(StepVerify, c.Peer, nil); n.Parked != "" {
			return nil
		}
		return s.verification(ctx, n, st.agr, st)
	})
}

// offeredAgreement is this side's record of the provider's agreement: the
// one that it signed, or for a plain peer the one that we make of it.
func (s *Service) offeredAgreement(ctx context.Context, c identity.Caller, n *Negotiation, m *dsp.ContractAgreementMessage, st *step) (*Agreement, error) {
	plain, err := n.plainOf(c.Peer)
	if err != nil {
		return nil, err
	}
	if plain != nil {
		return s.plainAgreement(n, m, c.Peer.Participant)
	}
	heard, err := heardValidations(m.Extensions)
	if err != nil {
		return nil, err
	}
	a, raw, sig, err := s.checkAgreement(c, n, m)
	if err != nil {
		return nil, err
	}
	taken, err := s.checkSignature(ctx, verify.National{Object: corridor.ObjectAgreement, Agreement: a.ID, Signer: n.Peer, Text: raw, Signature: sig}, heard)
	if err != nil {
		return nil, fmt.Errorf("the provider's signature of the agreement: %w", err)
	}
	if err := s.checkEvidenceTerms(a); err != nil {
		return nil, err
	}
	if err := s.checkDecisions(ctx, c, n, a, heard); err != nil {
		return nil, err
	}
	for _, v := range validations(n.Theirs.Validation, taken) {
		if err := st.logValidation(v, "taken"); err != nil {
			return nil, err
		}
	}
	signed, err := signedAgreement(raw, sig)
	if err != nil {
		return nil, err
	}
	return &Agreement{ID: a.ID, Negotiation: n.PID, Peer: n.Peer, Callback: n.Callback, Role: dsp.Consumer, Dataset: n.Dataset,
		State: AgreementOpen, Digest: corridor.Digest(raw), Signed: signed, Created: s.now().UTC(), evidence: a.Evidence, made: true, under: digestOfCompact(a.Compact),
		Validations: validations(n.Own.Validation, n.Theirs.Validation, taken)}, nil
}

// checkAgreement compares the agreement with what this side asked for. An
// agreement to something else, or that is not signed once, is refused as an
// illegal message: the negotiation stays where it was.
func (s *Service) checkAgreement(c identity.Caller, n *Negotiation, m *dsp.ContractAgreementMessage) (a corridor.Agreement, raw []byte, sig corridor.Signature, err error) {
	signed, err := corridor.DecodeAgreement(m.Agreement.Agreement)
	if err != nil {
		return a, nil, sig, fmt.Errorf("corridor:agreement: %w", err)
	}
	a = signed.Body
	if a.DecidedBy != "" {
		return a, nil, sig, &corridor.Error{Kind: corridor.Invalid, Where: "corridor:agreement.decided_by", Msg: "says that one side decided both", Why: "this gateway decides its own law"}
	}
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
	if !bytes.Equal(a.Policy, asked) { // both canonical
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
	return a, raw, sig, nil
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
func (s *Service) checkDecisions(ctx context.Context, c identity.Caller, n *Negotiation, a corridor.Agreement, heard []corridor.SignedValidation) error {
	bad := func(msg string) error {
		return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:agreement.decisions", Msg: msg}
	}
	if len(a.Decisions) != 2 || n.Own == nil {
		return bad("must hold one decision of each side")
	}
	if !bytes.Equal(a.Decisions[1].Statement, n.Own.Signed.Statement) || a.Decisions[1].Signature != n.Own.Signed.Signature {
		return bad("the import side is not the decision that we signed")
	}
	theirs, err := s.checkTheirs(ctx, a.Decisions[0], c.Peer.Participant, corridor.Export, n.Peer, s.cfg.Self.DID, n.Dataset, heard)
	if err != nil {
		return err
	}
	st, err := theirs.decode()
	if err != nil {
		return err
	}
	if err := refusal(st.Decision); err != nil {
		return bad("the provider's own decision does not let the flow go ahead: " + err.Error())
	}
	if theirs.Outcome == corridor.NeedsApproval && !approved(a.Approvals, corridor.Export) {
		return bad("the provider's decision needs an approval, and none is quoted")
	}
	if err := s.checkApprovals(ctx, n, c.Peer.Participant, a); err != nil {
		return err
	}
	if theirs.Outcome == corridor.NeedsApproval {
		if err := lifted(n.current(), &st.Decision, s.now()); err != nil {
			return bad("the approval that is quoted does not lift the provider's decision: " + err.Error())
		}
	}
	n.Theirs = theirs
	return s.checkCompact(c, n, a)
}

// checkCompact makes sure that the agreement rests on the compact that this
// node would name, and on no other.
func (s *Service) checkCompact(c identity.Caller, n *Negotiation, a corridor.Agreement) error {
	own, err := n.Own.decode()
	if err != nil {
		return err
	}
	theirs, err := n.Theirs.decode()
	if err != nil {
		return err
	}
	passage, err := s.passage(dsp.Consumer, c.Peer.Participant, n.Dataset, n.known())
	if err == nil {
		err = passage.checkPacks(theirs.Decision, own.Decision)
	}
	if err != nil {
		return err
	}
	if reflect.DeepEqual(passage.Compact, a.Compact) {
		return nil
	}
	name := func(c *corridor.CompactRef) string {
		if c == nil {
			return "none"
		}
		return fmt.Sprintf("compact %s, version %d, art. %s, %s", c.ID, c.Version, c.Article, c.Digest)
	}
	return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:agreement.compact", Msg: fmt.Sprintf("it rests on another compact than the one in force here: %s, not %s", name(a.Compact), name(passage.Compact)),
		Fix: "let both nodes adopt the same version: corridor compacts"}
}

// redecide asks our own law again: days may have passed since the request. It
// gives a refusal, or nil.
func (s *Service) redecide(ctx context.Context, n *Negotiation) (refused error, err error) {
	if refused := s.mayCross(ctx, n.Role, n.Peer, n.Dataset, n.PID); refused != nil {
		return refused, nil
	}
	if _, refused, err = s.importNow(n); err != nil || refused != nil {
		return refused, err
	}
	_, refused, err = s.insteadNow(n)
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
	vouched, err := s.validateAgreement(ctx, n, a, st)
	if err != nil {
		return err
	}
	a.Validations = append(a.Validations, validations(vouched)...)
	n.Parked = ""
	st.agr = a
	m := &dsp.ContractAgreementVerificationMessage{Pids: n.pids()}
	if err := sayValidations(&m.Validations, vouched); err != nil {
		return err
	}
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
		if err := s.takeSignature(ctx, c, n, &a, m, st); err != nil {
			return err
		}
		d, err := s.dataset(ctx, n.Dataset)
		if err != nil {
			return err
		}
		st.agr = &a
		st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(dsp.Verified),
			Digests: map[string]string{"agreement": a.Digest}, PeerRefs: st.heard}})
		if n.Parked = s.held(StepFinalize, c.Peer, &d); n.Parked != "" {
			return nil
		}
		s.finalize(n, st)
		return nil
	})
}

// takeSignature puts the consumer's signature into the agreement. A plain
// peer has none: its verification is its word alone.
func (s *Service) takeSignature(ctx context.Context, c identity.Caller, n *Negotiation, a *Agreement, m *dsp.ContractAgreementVerificationMessage, st *step) error {
	plain, err := n.plainOf(c.Peer)
	if err != nil {
		return err
	}
	if plain != nil && a.DecidedBy == s.cfg.Self.DID {
		return nil
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
	heard, err := heardValidations(m.Extensions)
	if err != nil {
		return err
	}
	taken, err := s.checkSignature(ctx, verify.National{Object: corridor.ObjectAgreement, Agreement: a.ID, Signer: c.DID, Text: body, Signature: sig}, heard)
	if err != nil {
		return fmt.Errorf("corridor:signature: %w", err)
	}
	if taken != nil {
		a.Validations = append(a.Validations, *taken)
		if err := st.logValidation(*taken, "taken"); err != nil {
			return err
		}
	}
	a.Signed, err = signedAgreement(body, append(sigs, sig)...)
	return err
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
