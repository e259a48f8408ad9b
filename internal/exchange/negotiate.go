package exchange

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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
		if refused := s.orderedRequest(ctx, c.Peer.Participant, n.Dataset); refused != nil {
			n.refuseOrdered(refused, st)
			return nil
		}
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
	if err := s.compareSuites(ctx, c.Peer); err != nil {
		return err
	}
	d, err := s.offered(ctx, n.Dataset)
	if err != nil {
		return err
	}
	if err := s.listen(ctx, c, n, m.Extensions, st); err != nil {
		return err
	}
	if _, err := readTerms(n.Offer.Policy); err != nil {
		return err
	}
	heard := corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(n.State), PeerRefs: st.heard}
	if !n.Plain {
		heard.Digests = map[string]string{"their_decision": corridor.Digest(n.Theirs.Signed.Statement)}
	}
	st.receipts = append(st.receipts, receipt{body: heard})
	if sameTerms(n.Offer.Policy, d.Offer.Policy) {
		return s.answer(ctx, n, d, c.Peer, st)
	}
	if s.held(StepAgree, c.Peer, &d) != "" || n.State == dsp.Requested && n.version > 0 { // it saw our terms already
		n.Parked = "the consumer asks for other terms than the published ones"
		return nil
	}
	return s.offer(n, d.Offer.Policy, st)
}

// listen takes in what the consumer's message states about the flow: purpose,
// facts, evidence, its approvals, and its signed decision.
func (s *Service) listen(ctx context.Context, c identity.Caller, n *Negotiation, ext dsp.Extensions, st *step) error {
	plain, err := n.plainOf(c.Peer)
	if err != nil {
		return err
	}
	if plain != nil {
		return n.listenPlain(plain)
	}
	if len(ext.Flow) > 0 {
		var said stated
		if err := json.Unmarshal(ext.Flow, &said); err != nil {
			return corridor.E(corridor.Invalid, "corridor:flow: %w", err)
		}
		n.Purpose, n.Facts, n.PeerEvidence = said.Purpose, said.Facts, said.Evidence
	}
	if n.Purpose == "" {
		return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:flow", Msg: "the request states no purpose", Why: "both sides' law asks for it", Fix: `add "corridor:flow": {"purpose": "..."}`}
	}
	if len(ext.Approval) > 0 {
		var list []corridor.Approval
		if err := json.Unmarshal(ext.Approval, &list); err != nil || len(list) > maxRefs {
			return corridor.E(corridor.Invalid, "corridor:approval is not a list of approvals")
		}
		if err := s.hearApprovals(ctx, n, c.Peer.Participant, list, corridor.Import); err != nil { // of its own side only
			return err
		}
	}
	if err := listenLog(c, n, ext); err != nil {
		return err
	}
	if len(ext.Decision) == 0 && n.Theirs != nil {
		return nil
	}
	signed, err := heardDecision(ext.Decision, corridor.Import)
	if err != nil {
		return err
	}
	heard, err := heardValidations(ext)
	if err != nil {
		return err
	}
	n.Theirs, err = s.checkTheirs(ctx, signed, c.Peer.Participant, corridor.Import, s.cfg.Self.DID, c.DID, n.Dataset, heard)
	if err != nil || n.Theirs.Validation == nil {
		return err
	}
	return st.logValidation(*n.Theirs.Validation, "taken")
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
func (s *Service) answer(ctx context.Context, n *Negotiation, d catalog.Dataset, peer identity.Peer, st *step) error {
	if err := s.compareSuites(ctx, peer); err != nil { // hours may have passed since the request
		return err
	}
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
	}
	if !st.byHand && !n.released() {
		if n.Parked = s.held(StepAgree, peer, &d); n.Parked != "" {
			return nil
		}
	}
	return s.agree(ctx, n, d, peer.Participant, v, st)
}

// decide asks our own law anew, and that of a plain peer's side, and combines
// it with all else that counts.
func (s *Service) decide(ctx context.Context, n *Negotiation, d catalog.Dataset, peer identity.Peer, st *step) (verdict, error) {
	var err error
	n.looksAt(d)
	if st.people, err = s.reckon(ctx, d); err != nil {
		return verdict{}, err
	}
	plain, err := n.plainOf(peer)
	if err != nil {
		return verdict{}, err
	}
	if plain != nil { // it cannot say so itself: accepting the offer says it
		terms, err := readTerms(n.Offer.Policy)
		if err != nil {
			return verdict{}, err
		}
		n.Facts = promised(n.Facts, terms)
	}
	flow := s.exportFlow(d, peer.Participant, stated{Purpose: n.Purpose, Facts: n.Facts}, st.people)
	if n.Own, err = s.decideOwn(ctx, flow, corridor.Export, s.cfg.Self.DID, n.Peer, d.ID); err != nil {
		return verdict{}, err
	}
	r, err := decisionReceipt(corridor.ReceiptDecision, n.Own)
	if err != nil {
		return verdict{}, err
	}
	r.body.PeerRefs = st.heard
	st.receipts = append(st.receipts, r)
	if plain != nil {
		said := stated{Purpose: n.Purpose, Facts: n.Facts}
		if n.Theirs, r, err = s.decideInstead(ctx, n, s.flowAt(d.Facts, s.cfg.Self, peer.Participant, said), peer.Participant); err != nil {
			return verdict{}, err
		}
		st.receipts = append(st.receipts, r)
	}
	return s.judge(n, d, peer.Participant)
}

// refuse ends a negotiation with a reason that the peer can act on.
func (s *Service) refuse(n *Negotiation, cause error, st *step) error {
	code, reason, cites := explain(cause)
	n.State, n.Code, n.Reason, n.Cites, n.Parked, n.Pending = dsp.Terminated, code, reason, cites, "", dsp.None
	if n.Own != nil {
		if own, err := n.Own.decode(); err == nil && own.Decision.Outcome == corridor.Undetermined {
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
	return &dsp.ContractNegotiation{Pids: n.pids(), State: begun(n.State, n.Pending)}
}

// settleTime is how long a peer's question waits for the acknowledgement of
// our first message.
const settleTime = 2 * time.Second

// begun is the state that a peer sees. One who asks about a process of which
// our first message is still on its way can only have got that message.
func begun(state, pending dsp.State) dsp.State {
	if state == dsp.None {
		return pending
	}
	return state
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
	return errX == nil && errY == nil && a.ID == b.ID && x.canonical() == y.canonical()
}

// opened begins a negotiation on a peer's first message, or finds the one
// that the same message began before.
func (s *Service) opened(ctx context.Context, c identity.Caller, role dsp.Role, m dsp.Process, ext dsp.Extensions, act func(*Negotiation, *step) error) (*dsp.ContractNegotiation, error) {
	provider, consumer := m.PIDs()
	theirs := consumer
	if role == dsp.Consumer {
		theirs = provider
	}
	name, err := nameOfOpening(c, m, ext)
	if err != nil {
		return nil, err
	}
	var out *dsp.ContractNegotiation
	err = again(func() error {
		have, repeat, err := s.known(ctx, c, role, theirs, name)
		if err != nil || repeat {
			out = have.view()
			return orElse(err, have.ordered())
		}
		n := &Negotiation{PID: newID(), Role: role, Peer: c.DID, Plain: c.Peer.Plain != nil, Created: s.now().UTC()}
		st := &step{neg: n, taken: name, use: c.Use, heard: refsIn(ext)}
		if err := act(n, st); err != nil {
			return err
		}
		if err := s.commit(ctx, st); err != nil {
			return err
		}
		out = n.view()
		return n.ordered()
	})
	return out, err
}

// known finds a negotiation by the peer's pid. One that another message began
// is a conflict: a pid is used once.
func (s *Service) known(ctx context.Context, c identity.Caller, role dsp.Role, theirs, name string) (n Negotiation, repeat bool, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		n, err = s.loadNegotiation(ctx, tx, `peer = ? AND role = ? AND peer_pid = ? AND peer_pid <> ''`, c.DID, string(role), theirs)
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
	err = s.turns.in(ctx, pid, func() error {
		return again(func() error {
			n, err := s.theirNegotiation(ctx, c, pid)
			if err != nil {
				return err
			}
			repeat := n.toldAgain(m)
			if !repeat && !named {
				repeat, err = s.taken(ctx, &n, name, named)
			}
			if !repeat && err == nil {
				st := &step{neg: &n, taken: name, once: named, use: c.Use, heard: refsIn(ext), settles: n.underway()}
				err = s.heard(ctx, m, st, act)
			}
			if err != nil && named && !errors.Is(err, errChanged) { // what moves the process now is no repeat, except by its name
				if repeat, terr := s.taken(ctx, &n, name, named); terr != nil || !repeat {
					return orElse(terr, err)
				}
				n, err = s.theirNegotiation(ctx, c, pid)
			}
			if err == nil {
				out = n.view()
			}
			return err
		})
	})
	return out, err
}

// heard lets a message of the peer move a negotiation.
func (s *Service) heard(ctx context.Context, m dsp.Process, st *step, act func(*Negotiation, *step) error) error {
	if err := st.neg.advance(m); err != nil {
		return err
	}
	if err := act(st.neg, st); err != nil {
		return err
	}
	return s.commit(ctx, st)
}

// underway is our message that is on its way, or 0. A message of the peer that
// moves the process shows that it has ours, or will never need it.
func (n *Negotiation) underway() int64 {
	if n.Pending == dsp.None {
		return 0
	}
	return n.outbox
}

// theirNegotiation reads a negotiation for the peer that takes part in it.
func (s *Service) theirNegotiation(ctx context.Context, c identity.Caller, pid string) (Negotiation, error) {
	n, err := s.Negotiation(ctx, pid)
	if err == nil && n.Peer != c.DID {
		err = noSuch("negotiation", pid)
	}
	return n, err
}

// taken says whether a message about a negotiation was taken before.
func (s *Service) taken(ctx context.Context, n *Negotiation, name string, named bool) (repeat bool, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		repeat, err = wasTaken(ctx, tx, n.PID, name, named, n.version)
		return err
	})
	return repeat, err
}

// advance moves the record as the state table says. A message that is legal
// only after one of ours proves that the peer has ours, although its
// acknowledgement has not come back yet.
func (n *Negotiation) advance(m dsp.Process) error {
	theirs, err := pidsOf(m, n.Role, n.PID, n.PeerPID)
	if err != nil {
		return err
	}
	next, err := dsp.NextNegotiation(n.Role, n.State, m.Type(), n.Role.Other())
	if err != nil && n.Pending != dsp.None {
		var late error
		if next, late = dsp.NextNegotiation(n.Role, n.Pending, m.Type(), n.Role.Other()); late == nil {
			err = nil
		}
	}
	if err != nil && n.agreedAnew(m) {
		next, err = dsp.Agreed, nil
	}
	if err != nil {
		return err
	}
	n.State, n.PeerPID, n.Pending, n.PendingName, n.Parked = next, theirs, dsp.None, "", ""
	return nil
}

// pidsOf checks that a message speaks of the process under whose identifier it
// came, and gives the peer's identifier.
func pidsOf(m dsp.Process, role dsp.Role, own, peer string) (theirs string, err error) {
	provider, consumer := m.PIDs()
	ours, theirs, names := provider, consumer, []string{"providerPid", "consumerPid"}
	if role == dsp.Consumer {
		ours, theirs, names = consumer, provider, []string{"consumerPid", "providerPid"}
	}
	if ours != own {
		return "", wrongField(names[0], ours, own)
	}
	if peer != "" && theirs != peer {
		return "", wrongField(names[1], theirs, peer)
	}
	return theirs, nil
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
	if n.Peer != c.DID || begun(n.State, n.Pending) == dsp.None {
		return nil, noSuch("negotiation", pid)
	}
	if n.PeerPID == "" { // its answer to our first message, with its identifier, is on its way
		ctx, cancel := context.WithTimeout(ctx, settleTime)
		defer cancel()
		n, err = s.AwaitNegotiation(ctx, pid, func(n Negotiation) bool { return n.PeerPID != "" || n.State.Final() })
		if err != nil || n.PeerPID == "" {
			return nil, onItsWay(pid, n.Pending)
		}
	}
	return n.view(), nil
}

// wrongTarget makes of a dataset that is not there a mistake of the request:
// the negotiation itself is there.
func wrongTarget(id string, err error) error {
	if corridor.KindOf(err) == corridor.NotFound {
		return &corridor.Error{Kind: corridor.Invalid, Where: "offer.target", Msg: fmt.Sprintf("there is no dataset %q here", clip(id)), Fix: "ask for the catalogue"}
	}
	return err
}
