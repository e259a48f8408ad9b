package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

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
		if dsp.Permanent(err) {
			return store.Permanent(err)
		}
		return err
	}
	return again(func() error { return s.acknowledged(ctx, m, reply) })
}

// fresh gives the body as it is to be sent now: nothing if the process has
// moved on without it, and a new token where one may have expired since.
func (s *Service) fresh(ctx context.Context, m store.Message) ([]byte, error) {
	pid, name := m.Headers[headProcess], m.Headers[headName]
	table := "negotiations"
	switch dsp.Type(m.Kind) {
	case dsp.TypeNegTermination, dsp.TypeTermination, dsp.TypeSuspension:
		return m.Body, nil // tells what has happened
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
	t, err := s.TransferByPID(ctx, pid)
	if err != nil {
		return nil, err
	}
	return s.restamp(t, m.Body)
}

// acknowledged moves the process to where the message leads.
func (s *Service) acknowledged(ctx context.Context, m store.Message, reply *dsp.Reply) error {
	st := &step{settles: m.ID}
	switch dsp.Type(m.Kind) {
	case dsp.TypeTransferRequest, dsp.TypeTransferStart, dsp.TypeCompletion, dsp.TypeSuspension, dsp.TypeTermination:
		t, err := s.TransferByPID(ctx, m.Headers[headProcess])
		if err != nil {
			return err
		}
		if t.PendingName == m.Headers[headName] {
			t.settle()
			if p, err := reply.Transfer(); err == nil && t.PeerPID == "" {
				t.PeerPID = theirs(p.Pids, t.Role)
			}
			if t.Role == dsp.Consumer && t.State == dsp.Started { // the provider agreed to go on
				st.after = append(st.after, func() { s.run.wanted(t.PID) })
			}
			if t.State == dsp.Completed {
				st.after = append(st.after, func() { s.learn(t.Agreement) })
			}
			st.tr = &t
		}
	default:
		n, err := s.Negotiation(ctx, m.Headers[headProcess])
		if err != nil {
			return err
		}
		if n.PendingName == m.Headers[headName] {
			n.State, n.Pending, n.PendingName = n.Pending, dsp.None, ""
			if p, err := reply.Negotiation(); err == nil && n.PeerPID == "" {
				n.PeerPID = theirs(p.Pids, n.Role)
			}
			st.neg = &n
		}
	}
	return s.commit(ctx, st)
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
		t, err := loadTransfer(ctx, tx, `pid = ?`, pid)
		if err != nil || t.PendingName != name {
			return ignoreNone(err)
		}
		t.Pending, t.PendingName = dsp.None, ""
		if dsp.Type(m.Kind) == dsp.TypeCompletion { // suspended meanwhile: sent again when it resumes
			t.Parked = short(why, reason)
		} else {
			t.State, t.Code, t.Reason = dsp.Terminated, corridor.Unavailable.String(), append([]string{why}, reason...)
			st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferTerminated, State: string(t.State), Reason: short(t.Code, t.Reason)}}}
		}
		st.tr = &t
	case dsp.TypeNegTermination, dsp.TypeTermination, dsp.TypeSuspension:
		return nil // it has already happened here
	default:
		n, err := loadNegotiation(ctx, tx, `pid = ?`, pid)
		if err != nil || n.PendingName != name {
			return ignoreNone(err)
		}
		st.neg = &n
		if dsp.Type(m.Kind) == dsp.TypeEventFinalized { // both have signed: the agreement stands
			n.Pending, n.PendingName, n.Parked = dsp.None, "", short(why, reason)
			break
		}
		n.State, n.Pending, n.PendingName, n.Code, n.Reason = dsp.Terminated, dsp.None, "", corridor.Unavailable.String(), append([]string{why}, reason...)
		st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(n.State), Reason: short(n.Code, n.Reason)}}}
		if n.PeerPID != "" {
			s.sayTermination(&n, st)
		}
		if n.Agreement != "" {
			a, err := loadAgreement(ctx, tx, n.Agreement)
			if err != nil {
				return ignoreNone(err)
			}
			a.State = AgreementTerminated
			st.agr = &a
		}
	}
	if err := s.write(ctx, tx, st); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.afterwards(st) })
	return nil
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
	if t.Role != dsp.Provider {
		return body, nil
	}
	if m.DataAddress, err = s.dataAddress(&t); err != nil {
		return nil, err
	}
	return dsp.Encode(m)
}
