package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

// deliver sends one message of the outbox and records what the
// acknowledgement means. The record and the removal from the outbox are one
// commit: after a crash in between, the message is sent again and the peer
// gives the same answer.
func (s *Service) deliver(ctx context.Context, m store.Message) error {
	body, err := s.fresh(ctx, m)
	if err != nil {
		return err
	}
	if body == nil { // overtaken: nobody waits for it any more
		return nil
	}
	reply, err := s.client.Send(ctx, dsp.Peer{ID: m.Target, Base: m.Headers[headBase]}, m.Headers[headPath], body)
	if err != nil {
		if reply, err = s.there(ctx, m, err); err != nil {
			return err
		}
	}
	s.awaitAnswer(ctx, m)
	return s.turns.in(ctx, m.Headers[headProcess], func() error {
		return again(func() error { return s.acknowledged(ctx, m, reply) })
	})
}

// answerSoon is how long an acknowledgement waits for what it announces: most
// peers send their next message right behind it, and that one records both.
const answerSoon = 20 * time.Millisecond

// awaitAnswer gives the peer's answer to a message a moment to come in. A crash
// meanwhile leaves the message in the outbox, and the peer knows the repeat.
func (s *Service) awaitAnswer(ctx context.Context, m store.Message) {
	switch dsp.Type(m.Kind) {
	case dsp.TypeContractRequest, dsp.TypeAgreement, dsp.TypeVerification:
	default: // the last word, or one that a person answers
		return
	}
	pid := m.Headers[headProcess]
	rung, leave := s.bell.listen(pid)
	defer leave()
	if n, err := s.Negotiation(ctx, pid); err != nil || n.PendingName != m.Headers[headName] {
		return // it was here first
	}
	enough := time.NewTimer(answerSoon)
	defer enough.Stop()
	select {
	case <-rung:
	case <-enough.C:
	case <-ctx.Done():
	}
}

// there looks, where a peer does not take a message that ends a process,
// whether the process is at that end already: both sides may have ended it at
// once, or an earlier message has said the same. Then it counts as taken.
func (s *Service) there(ctx context.Context, m store.Message, refused error) (*dsp.Reply, error) {
	if dsp.Permanent(refused) {
		refused = store.Permanent(refused)
	}
	var answer *dsp.PeerError // 400 or 409, or whatever a peer takes for it
	if !errors.As(refused, &answer) || answer.Status/100 != 4 {
		return nil, refused
	}
	peer, path := dsp.Peer{ID: m.Target, Base: m.Headers[headBase]}, m.Headers[headPath]
	var state dsp.State
	switch dsp.Type(m.Kind) {
	case dsp.TypeNegTermination:
		reply, err := s.client.Get(ctx, peer, strings.TrimSuffix(path, "/termination"))
		if err != nil {
			return nil, refused
		}
		p, err := reply.Negotiation()
		if err != nil || p.State != dsp.Terminated {
			return nil, refused
		}
		return reply, nil
	case dsp.TypeTermination:
		path, state = strings.TrimSuffix(path, "/termination"), dsp.Terminated
	case dsp.TypeCompletion:
		path, state = strings.TrimSuffix(path, "/completion"), dsp.Completed
	case dsp.TypeTransferStart: // an earlier start, long under way, came first
		path, state = strings.TrimSuffix(path, "/start"), dsp.Started
	default:
		return nil, refused
	}
	reply, err := s.client.Get(ctx, peer, path)
	if err != nil {
		return nil, refused
	}
	if p, err := reply.Transfer(); err != nil || p.State != state {
		return nil, refused
	}
	return reply, nil
}

// fresh gives the body as it is to be sent now: nothing if the process has
// moved on without it, and a new token where one may have expired since.
func (s *Service) fresh(ctx context.Context, m store.Message) ([]byte, error) {
	pid, name := m.Headers[headProcess], m.Headers[headName]
	if m.Fresh {
		return m.Body, nil
	}
	table := "negotiations"
	switch dsp.Type(m.Kind) {
	case dsp.TypeNegTermination, dsp.TypeTermination:
		return m.Body, nil // tells what has happened
	case dsp.TypeSuspension: // so does this, until the transfer is over
		if t, err := s.transfer(ctx, pid); err != nil || t.State.Final() {
			return nil, err
		}
		return m.Body, nil
	case dsp.TypeTransferStart, dsp.TypeTransferRequest, dsp.TypeCompletion:
		table = "transfers"
	}
	var pending string
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT pending FROM `+table+` WHERE pid = ?`, pid).Scan(&pending)
	})
	if err != nil {
		return nil, fmt.Errorf("message of %s: %w", pid, err)
	}
	if pending != name {
		return nil, nil
	}
	if dsp.Type(m.Kind) != dsp.TypeTransferStart {
		return m.Body, nil
	}
	t, err := s.transfer(ctx, pid)
	if err != nil {
		return nil, err
	}
	return s.restamp(t, m.Body)
}

// acknowledged moves the process to where the message leads. If it has moved
// on already, there is nothing to record but that the message is delivered.
func (s *Service) acknowledged(ctx context.Context, m store.Message, reply *dsp.Reply) error {
	st := &step{settles: m.ID}
	switch dsp.Type(m.Kind) {
	case dsp.TypeTransferRequest, dsp.TypeTransferStart, dsp.TypeCompletion, dsp.TypeSuspension, dsp.TypeTermination:
		t, err := s.transfer(ctx, m.Headers[headProcess])
		if err != nil {
			return err
		}
		switch {
		case dsp.Type(m.Kind) == dsp.TypeSuspension:
			if err := s.suspendedLate(&t, reply, st); err != nil {
				return err
			}
		case t.PendingName != m.Headers[headName]:
		case t.State.Final():
			s.toldOfStop(&t, reply, st)
			st.tr = &t
		default:
			t.settle()
			if p, err := reply.Transfer(); err == nil && t.PeerPID == "" {
				t.PeerPID = theirs(p.Pids, t.Role)
			}
			if t.moves() && t.State == dsp.Started { // the peer agreed to go on
				st.after = append(st.after, func() { s.run.wanted(t.PID) })
			}
			if t.State == dsp.Completed {
				st.after = append(st.after, func() { s.learn(&t) })
			}
			st.tr = &t
		}
	default:
		n, err := s.Negotiation(ctx, m.Headers[headProcess])
		if err != nil {
			return err
		}
		switch {
		case n.PendingName != m.Headers[headName]:
		case n.State.Final():
			s.toldOfEnd(&n, reply, st)
			st.neg = &n
		default:
			n.State, n.Pending, n.PendingName = n.Pending, dsp.None, ""
			if p, err := reply.Negotiation(); err == nil && n.PeerPID == "" {
				n.PeerPID = theirs(p.Pids, n.Role)
			}
			st.neg = &n
		}
	}
	if st.neg == nil && st.tr == nil { // the outbox itself takes the message out, unless what overtook it did
		return nil
	}
	return s.commit(ctx, st)
}

// suspendedLate says once more that a transfer is started, if our suspension was
// so long under way that the peer has suspended and resumed it meanwhile: it
// has ours now, and would wait for us. Nothing begins with that, and no receipt
// tells of it: the law was asked when the peer resumed.
func (s *Service) suspendedLate(t *Transfer, reply *dsp.Reply, st *step) error {
	if t.State != dsp.Started || t.Pending != dsp.None {
		return nil
	}
	if p, err := reply.Transfer(); err != nil || p.State != dsp.Suspended {
		return nil
	}
	m, err := s.startMessage(t)
	if err != nil {
		return err
	}
	st.tr = t
	st.say(m, &m.Extensions, t.Role.Other(), dsp.Started)
	return nil
}

func theirs(p dsp.Pids, ours dsp.Role) string {
	if ours == dsp.Provider {
		return p.ConsumerPid
	}
	return p.ProviderPid
}

// failed gives a message up: its deadline has passed, or the peer will never
// take it. It runs inside the outbox's own transaction and writes the records
// the way commit does.
//
// A process that cannot go on without the message ends, with the reason. What
// the peer refuses because it has moved already is left to the peer's own
// messages, or to the operator.
func (s *Service) failed(ctx context.Context, tx *store.Tx, m store.Message, cause error) error {
	pid, name := m.Headers[headProcess], m.Headers[headName]
	_, reason, _ := explain(cause)
	why := fmt.Sprintf("the peer did not take our %s", m.Kind)
	st := &step{}
	switch dsp.Type(m.Kind) {
	case dsp.TypeTransferRequest, dsp.TypeTransferStart, dsp.TypeCompletion:
		t, err := s.loadTransfer(ctx, tx, `pid = ?`, pid)
		if err != nil || t.PendingName != name {
			return ignoreNone(err)
		}
		t.Pending, t.PendingName = dsp.None, ""
		switch {
		case t.State.Final(): // ended here before the peer had named it
		case dsp.Type(m.Kind) == dsp.TypeCompletion: // suspended meanwhile: sent again when it resumes
			t.Parked = short(why, reason)
		case dsp.Type(m.Kind) == dsp.TypeTransferStart && t.State == dsp.Started: // the peer started it itself, and wants no second word
		default:
			t.State, t.Code, t.Reason = dsp.Terminated, corridor.Unavailable.String(), append([]string{why}, reason...)
			kind := corridor.ReceiptTransferTerminated
			if forLaw(cause) {
				t.Code, kind = corridor.RefusedByLaw.String(), corridor.ReceiptRefusal
			}
			st.receipts = []receipt{{body: corridor.Receipt{Type: kind, State: string(t.State), Reason: short(t.Code, t.Reason)}}}
		}
		st.tr = &t
	case dsp.TypeNegTermination, dsp.TypeTermination, dsp.TypeSuspension:
		return nil // it has already happened here
	default:
		n, err := s.loadNegotiation(ctx, tx, `pid = ?`, pid)
		if err != nil || n.PendingName != name {
			return ignoreNone(err)
		}
		st.neg = &n
		if n.State.Final() { // ended here before the peer had named it
			n.PendingName = ""
			break
		}
		if dsp.Type(m.Kind) == dsp.TypeEventFinalized { // both have signed: the agreement stands
			n.Pending, n.PendingName, n.Parked = dsp.None, "", short(why, reason)
			break
		}
		n.State, n.Pending, n.PendingName, n.Code, n.Reason = dsp.Terminated, dsp.None, "", corridor.Unavailable.String(), append([]string{why}, reason...)
		kind := corridor.ReceiptNegotiation
		if forLaw(cause) {
			n.Code, kind = corridor.RefusedByLaw.String(), corridor.ReceiptRefusal
		}
		st.receipts = []receipt{{body: corridor.Receipt{Type: kind, State: string(n.State), Reason: short(n.Code, n.Reason)}}}
		if n.PeerPID != "" {
			s.sayTermination(&n, st)
		}
		if n.Agreement != "" {
			a, err := s.loadAgreement(ctx, tx, n.Agreement)
			if err != nil {
				return ignoreNone(err)
			}
			a.State = AgreementTerminated
			st.agr = &a
		}
	}
	return s.write(ctx, tx, st)
}

// forLaw says whether a peer refused a message for a legal reason (RFC 7725), such
// as an order of its authority.
func forLaw(cause error) bool {
	var p *dsp.PeerError
	return errors.As(cause, &p) && p.Status == http.StatusUnavailableForLegalReasons
}

func ignoreNone(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// restamp puts a new token into a start message: it may have waited longer in
// the outbox than a token lives. The message keeps its name, so that the peer
// knows a repeat.
func (s *Service) restamp(t Transfer, body []byte) ([]byte, error) {
	m, err := dsp.Decode[dsp.TransferStartMessage](body)
	if err != nil {
		return nil, err
	}
	if t.Role != dsp.Provider || t.pushed() {
		return body, nil
	}
	if m.DataAddress, err = s.dataAddress(&t); err != nil {
		return nil, err
	}
	return dsp.Encode(m)
}
