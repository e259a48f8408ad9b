package exchange

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/store"
)

// maxRefs bounds the receipt references of one message.
const maxRefs = 16

// ContractRequested takes a peer's request for a contract: the beginning of a
// negotiation in which this node is the provider.
func (s *Service) ContractRequested(ctx context.Context, c identity.Caller, m *dsp.ContractRequestMessage) (*dsp.ContractNegotiation, error) {
	if m.ProviderPid != "" { // an answer to an offer belongs under the pid
		return s.ContractRequestedAgain(ctx, c, m.ProviderPid, m)
	}
	return s.opened(ctx, c, dsp.Provider, m, m.Extensions, func(n *Negotiation, st *step) error {
		n.Callback, n.PeerPID, n.State = m.CallbackAddress, m.ConsumerPid, dsp.Requested
		n.Dataset, n.Offer = m.Offer.Target, m.Offer
		if err := s.checkCallback(ctx, c, m.CallbackAddress); err != nil {
			return err
		}
		return s.asked(ctx, c, n, m, st)
	})
}

// ContractRequestedAgain takes a consumer's counter-request, which answers an
// offer of ours.
func (s *Service) ContractRequestedAgain(ctx context.Context, c identity.Caller, pid string, m *dsp.ContractRequestMessage) (*dsp.ContractNegotiation, error) {
	return s.hear(ctx, c, pid, m, m.Extensions, func(n *Negotiation, st *step) error {
		if m.Offer.Target != n.Dataset {
			return wrongField("offer.target", m.Offer.Target, n.Dataset)
		}
		n.Offer = m.Offer
		return s.asked(ctx, c, n, m, st)
	})
}

// asked is the common part of both: what is asked for, on whose decision, and
// what we answer.
func (s *Service) asked(ctx context.Context, c identity.Caller, n *Negotiation, m *dsp.ContractRequestMessage, st *step) error {
	d, err := s.dataset(ctx, n.Dataset)
	if err != nil {
		return err
	}
	if err := s.listen(ctx, c, n, m.Extensions); err != nil {
		return err
	}
	if _, err := readTerms(n.Offer.Policy); err != nil {
		return err
	}
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(n.State), PeerRefs: st.heard,
		Digests: map[string]string{"their_decision": corridor.Digest(n.Theirs.Signed.Statement)}}})
	if sameTerms(n.Offer.Policy, d.Offer.Policy) {
		return s.answer(ctx, n, d, c.Peer.Participant, st)
	}
	if s.cfg.Manual.Agree || n.State == dsp.Requested && n.version > 0 { // it saw our terms already
		n.Parked = "the consumer asks for other terms than the published ones"
		return nil
	}
	return s.offer(n, d.Offer.Policy, st)
}

// listen takes in what the consumer's message states about the flow: purpose,
// facts, evidence, its approvals, and its signed decision.
func (s *Service) listen(ctx context.Context, c identity.Caller, n *Negotiation, ext dsp.Extensions) error {
	if len(ext.Flow) > 0 {
		var said stated
		if err := json.Unmarshal(ext.Flow, &said); err != nil {
			return corridor.E(corridor.Invalid, "corridor:flow: %w", err)
		}
		n.Purpose, n.Facts, n.Evidence = said.Purpose, said.Facts, said.Evidence
	}
	if n.Purpose == "" {
		return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:flow", Msg: "the request states no purpose", Why: "both sides' law asks for it", Fix: `add "corridor:flow": {"purpose": "..."}`}
	}
	if len(ext.Approval) > 0 {
		var list []corridor.Approval
		if err := json.Unmarshal(ext.Approval, &list); err != nil || len(list) > maxRefs {
			return corridor.E(corridor.Invalid, "corridor:approval is not a list of approvals")
		}
		for _, a := range list {
			if a.Side == corridor.Import { // of its own side only
				n.Approvals = append(n.Approvals, a)
			}
		}
	}
	if err := listenLog(c, n, ext); err != nil {
		return err
	}
	if len(ext.Decision) == 0 && n.Theirs != nil {
		return nil
	}
	theirs, err := s.checkTheirs(ctx, ext.Decision, c.Peer.Participant, corridor.Import, s.cfg.Self.DID, c.DID, n.Dataset)
	if err != nil {
		return err
	}
	n.Theirs = theirs
	return nil
}

// listenLog learns which log the peer writes. If our operator has written it
// down, nothing else is believed.
func listenLog(c identity.Caller, n *Negotiation, ext dsp.Extensions) error {
	if listed, ok := logOf(c.Peer); ok {
		n.Log = &listed
	}
	var p participant
	if len(ext.Participant) == 0 {
		return nil
	}
	if err := json.Unmarshal(ext.Participant, &p); err != nil || len(p.Log.VKey) > 1024 {
		return corridor.E(corridor.Invalid, "corridor:participant cannot be read")
	}
	if p.Log.VKey == "" {
		return nil
	}
	if n.Log != nil && *n.Log != p.Log {
		return wrongField("corridor:participant.log.vkey", p.Log.VKey, n.Log.VKey)
	}
	n.Log = &p.Log
	return nil
}

// answer decides a request and puts the outcome into the step: an agreement,
// a refusal, or a wait for a person.
func (s *Service) answer(ctx context.Context, n *Negotiation, d catalog.Dataset, peer corridor.Participant, st *step) error {
	v, err := s.decide(ctx, n, d, peer, st)
	if err != nil {
		return err
	}
	n.Parked = v.park
	switch {
	case v.refuse != nil:
		return s.refuse(n, v.refuse, st)
	case v.park != "":
		n.Cites = v.cites
		return nil
	case s.cfg.Manual.Agree && !approved(n.Approvals, corridor.Export):
		n.Parked = "a person answers every request (manual.agree)"
		return nil
	}
	return s.agree(ctx, n, d, peer, v, st)
}

// decide asks our own law anew and combines it with all else that counts.
func (s *Service) decide(ctx context.Context, n *Negotiation, d catalog.Dataset, peer corridor.Participant, st *step) (verdict, error) {
	var err error
	if st.people, err = s.reckon(ctx, d); err != nil {
		return verdict{}, err
	}
	flow := s.exportFlow(d, peer, stated{Purpose: n.Purpose, Facts: n.Facts}, st.people)
	if n.Own, err = s.decideOwn(ctx, flow, corridor.Export, s.cfg.Self.DID, n.Peer, d.ID); err != nil {
		return verdict{}, err
	}
	r, err := decisionReceipt(corridor.ReceiptDecision, n.Own)
	if err != nil {
		return verdict{}, err
	}
	r.body.PeerRefs = st.heard
	st.receipts = append(st.receipts, r)
	return s.judge(n, d, peer.Jurisdiction)
}

// refuse ends a negotiation with a reason that the peer can act on.
func (s *Service) refuse(n *Negotiation, cause error, st *step) error {
	code, reason, cites := explain(cause)
	n.State, n.Code, n.Reason, n.Cites, n.Parked, n.Pending = dsp.Terminated, code, reason, cites, "", dsp.None
	if n.Own != nil {
		if own, err := n.Own.Signed.Decode(); err == nil && own.Decision.Outcome == corridor.Undetermined {
			n.Missing = own.Decision.Questions
		}
	}
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptRefusal, State: string(n.State), Reason: short(code, reason), PeerRefs: st.heard}})
	if n.PeerPID == "" { // the peer never heard of it
		return nil
	}
	s.sayTermination(n, st)
	return nil
}

func (s *Service) sayTermination(n *Negotiation, st *step) {
	m := &dsp.ContractNegotiationTerminationMessage{Pids: n.pids(), Code: n.Code, Reason: n.Reason}
	st.say(m, &m.Extensions, n.Role.Other(), dsp.None)
}

// say puts a message into the step.
func (st *step) say(m dsp.Message, ext *dsp.Extensions, to dsp.Role, moves dsp.State) {
	st.send = &message{kind: m.Type(), body: m, ext: ext, path: dsp.PathFor(m, to), moves: moves}
}

// pids puts both identifiers in their places.
func (n *Negotiation) pids() dsp.Pids {
	if n.Role == dsp.Provider {
		return dsp.Pids{ProviderPid: n.PID, ConsumerPid: n.PeerPID}
	}
	return dsp.Pids{ProviderPid: n.PeerPID, ConsumerPid: n.PID}
}

// view is the negotiation as a peer may see it.
func (n *Negotiation) view() *dsp.ContractNegotiation {
	return &dsp.ContractNegotiation{Pids: n.pids(), State: n.State}
}

// explain turns an error into what a peer is told: a code and reasons. A
// cause inside is never told.
func explain(err error) (code string, reason []string, cites []corridor.Citation) {
	var e *corridor.Error
	if !errors.As(err, &e) {
		return corridor.Internal.String(), []string{"the request could not be answered"}, nil
	}
	for _, part := range []string{e.Msg, e.Why, e.Fix} {
		if part != "" {
			reason = append(reason, part)
		}
	}
	if len(reason) == 0 {
		reason = []string{e.Kind.String()}
	}
	return e.Kind.String(), reason, e.Cites
}

// short is a reason for a receipt: bounded, on one line.
func short(code string, reason []string) string {
	s := code
	for _, r := range reason {
		s += ": " + r
	}
	const most = 2000
	if len(s) > most {
		s = s[:most]
	}
	return s
}

func wrongField(where, got, want string) error {
	return &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: fmt.Sprintf("is %q where %q belongs", clip(got), clip(want))}
}

// sameTerms says whether two policies permit the same, under the same name.
func sameTerms(a, b dsp.Policy) bool {
	x, errX := readTerms(a)
	y, errY := readTerms(b)
	return errX == nil && errY == nil && a.ID == b.ID && reflect.DeepEqual(x, y)
}

// opened begins a negotiation on a peer's first message, or finds the one
// that the same message began before.
func (s *Service) opened(ctx context.Context, c identity.Caller, role dsp.Role, m dsp.Process, ext dsp.Extensions, act func(*Negotiation, *step) error) (*dsp.ContractNegotiation, error) {
	provider, consumer := m.PIDs()
	theirs := consumer
	if role == dsp.Consumer {
		theirs = provider
	}
	name, _, err := nameOf(m, ext)
	if err != nil {
		return nil, err
	}
	var out *dsp.ContractNegotiation
	err = again(func() error {
		have, repeat, err := s.known(ctx, c, role, theirs, name)
		if err != nil || repeat {
			out = have.view()
			return err
		}
		n := &Negotiation{PID: newID(), Role: role, Peer: c.DID, Created: s.now().UTC()}
		st := &step{neg: n, taken: name, heard: refsIn(ext)}
		if err := act(n, st); err != nil {
			return err
		}
		if err := s.commit(ctx, st); err != nil {
			return err
		}
		out = n.view()
		return nil
	})
	return out, err
}

// known finds a negotiation by the peer's pid. One that another message began
// is a conflict: a pid is used once.
func (s *Service) known(ctx context.Context, c identity.Caller, role dsp.Role, theirs, name string) (n Negotiation, repeat bool, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		n, err = loadNegotiation(ctx, tx, `peer = ? AND role = ? AND peer_pid = ?`, c.DID, string(role), theirs)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for the negotiation: %w", err)
		}
		// What opened it is remembered for as long as it lives.
		repeat, err = wasTaken(ctx, tx, n.PID, name, true, n.version)
		if err == nil && !repeat {
			err = &corridor.Error{Kind: corridor.Conflict, Msg: "this identifier is already used by another negotiation", Fix: "use a new UUID for each negotiation"}
		}
		return err
	})
	return n, repeat, err
}

// hear takes a peer's message about a negotiation that is under way: it finds
// the record, knows repeats, asks the state table, and leaves the rest to act.
// A stranger's question about somebody else's negotiation gets the answer that
// an unknown one gets.
func (s *Service) hear(ctx context.Context, c identity.Caller, pid string, m dsp.Process, ext dsp.Extensions, act func(*Negotiation, *step) error) (*dsp.ContractNegotiation, error) {
	name, named, err := nameOf(m, ext)
	if err != nil {
		return nil, err
	}
	var out *dsp.ContractNegotiation
	err = again(func() error {
		n, repeat, err := s.find(ctx, c, pid, name, named)
		if err != nil {
			return err
		}
		if !repeat {
			if err := n.advance(m); err != nil {
				return err
			}
			st := &step{neg: &n, taken: name, heard: refsIn(ext)}
			if err := act(&n, st); err != nil {
				return err
			}
			if err := s.commit(ctx, st); err != nil {
				return err
			}
		}
		out = n.view()
		return nil
	})
	return out, err
}

func (s *Service) find(ctx context.Context, c identity.Caller, pid, name string, named bool) (n Negotiation, repeat bool, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		n, err = loadNegotiation(ctx, tx, `pid = ?`, pid)
		if errors.Is(err, sql.ErrNoRows) || err == nil && n.Peer != c.DID {
			return noSuch("negotiation", pid)
		}
		if err != nil {
			return fmt.Errorf("load negotiation: %w", err)
		}
		repeat, err = wasTaken(ctx, tx, pid, name, named, n.version)
		return err
	})
	return n, repeat, err
}

// advance moves the record as the state table says. A message that is legal
// only after one of ours proves that the peer has ours, although its
// acknowledgement has not come back yet.
func (n *Negotiation) advance(m dsp.Process) error {
	provider, consumer := m.PIDs()
	ours, theirs := provider, consumer
	if n.Role == dsp.Consumer {
		ours, theirs = consumer, provider
	}
	if ours != n.PID {
		return wrongField("pid", ours, n.PID)
	}
	if n.PeerPID != "" && theirs != n.PeerPID {
		return wrongField("pid of the peer", theirs, n.PeerPID)
	}
	next, err := dsp.NextNegotiation(n.Role, n.State, m.Type(), n.Role.Other())
	if err != nil && n.Pending != dsp.None {
		var late error
		if next, late = dsp.NextNegotiation(n.Role, n.Pending, m.Type(), n.Role.Other()); late == nil {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	n.State, n.PeerPID, n.Pending, n.PendingName, n.Parked = next, theirs, dsp.None, "", ""
	return nil
}

// refsIn reads the places of the peer's receipts. They are hints for later
// proof: what cannot be read is left out.
func refsIn(ext dsp.Extensions) []corridor.ReceiptRef {
	var refs []corridor.ReceiptRef
	if len(ext.Receipts) == 0 || json.Unmarshal(ext.Receipts, &refs) != nil || len(refs) > maxRefs {
		return nil
	}
	var out []corridor.ReceiptRef
	for _, r := range refs {
		if r.Origin != "" && len(r.Origin) <= 255 && r.Index >= 0 && len(r.Leaf) == len("sha256:")+64 {
			out = append(out, r)
		}
	}
	return out
}

// NegotiationState answers a peer's question about a negotiation of its own.
func (s *Service) NegotiationState(ctx context.Context, c identity.Caller, pid string) (*dsp.ContractNegotiation, error) {
	n, err := s.Negotiation(ctx, pid)
	if err != nil {
		return nil, err
	}
	if n.Peer != c.DID {
		return nil, noSuch("negotiation", pid)
	}
	return n.view(), nil
}

// dataset reads what is asked for. What is not there cannot be negotiated.
func (s *Service) dataset(ctx context.Context, id string) (d catalog.Dataset, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		d, err = catalog.Get(ctx, tx, id)
		return err
	})
	if corridor.KindOf(err) == corridor.NotFound { // of the request, not of the negotiation
		err = &corridor.Error{Kind: corridor.Invalid, Where: "offer.target", Msg: fmt.Sprintf("there is no dataset %q here", clip(id)), Fix: "ask for the catalogue"}
	}
	return d, err
}
