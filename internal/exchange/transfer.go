package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/store"
)

// Transfer asks the provider for the data of an agreement. Our own law is
// asked again first.
func (s *Service) Transfer(ctx context.Context, agreement string) (Transfer, error) {
	var t Transfer
	a, err := s.Agreement(ctx, agreement)
	if err != nil {
		return t, err
	}
	if a.Role != dsp.Consumer {
		return t, &corridor.Error{Kind: corridor.Conflict, Msg: "this node is the provider of that agreement", Fix: "the consumer asks for the transfer"}
	}
	if err := a.inForce(); err != nil {
		return t, err
	}
	t = Transfer{PID: newID(), Role: dsp.Consumer, Peer: a.Peer, Callback: a.Callback, Agreement: a.ID, Negotiation: a.Negotiation,
		Dataset: a.Dataset, Format: catalog.FormatPull, Created: s.now().UTC()}
	st := &step{tr: &t}
	refused, err := s.importStill(ctx, a)
	if err != nil {
		return t, err
	}
	if refused != nil {
		s.refuseTransfer(&t, refused, st)
		return t, errors.Join(s.commit(ctx, st), refused)
	}
	if t.dest, err = s.destination(ctx, a, t.PID); err != nil {
		return t, err
	}
	st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferRequested, State: string(dsp.Requested), Digests: map[string]string{"agreement": a.Digest}}}}
	m := &dsp.TransferRequestMessage{ConsumerPid: t.PID, AgreementID: a.ID, Format: t.Format, CallbackAddress: s.cfg.Base}
	st.say(m, &m.Extensions, dsp.Provider, dsp.Requested)
	return t, s.commit(ctx, st)
}

func (s *Service) importStill(ctx context.Context, a Agreement) (refused, err error) {
	n, err := s.Negotiation(ctx, a.Negotiation)
	if err != nil {
		return nil, err
	}
	return s.redecide(ctx, &n)
}

// TransferRequested takes a consumer's request for data. The law is asked
// again: time, counters and rules have moved since the agreement.
func (s *Service) TransferRequested(ctx context.Context, c identity.Caller, m *dsp.TransferRequestMessage) (*dsp.TransferProcess, error) {
	name, _, err := nameOf(m, m.Extensions)
	if err != nil {
		return nil, err
	}
	var out *dsp.TransferProcess
	err = again(func() error {
		have, repeat, err := s.knownTransfer(ctx, c, m.ConsumerPid, name)
		if err != nil || repeat {
			out = have.view()
			return err
		}
		a, err := s.Agreement(ctx, m.AgreementID)
		if err != nil || a.Peer != c.DID || a.Role != dsp.Provider {
			return orElse(err, noSuch("agreement", m.AgreementID))
		}
		if err := s.checkRequest(ctx, c, a, m); err != nil {
			return err
		}
		t := Transfer{PID: newID(), PeerPID: m.ConsumerPid, Role: dsp.Provider, Peer: c.DID, Callback: m.CallbackAddress, Agreement: a.ID,
			Negotiation: a.Negotiation, Dataset: a.Dataset, State: dsp.Requested, Format: m.Format, Created: s.now().UTC()}
		st := &step{tr: &t, taken: name, heard: refsIn(m.Extensions)}
		st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferRequested, State: string(t.State), Digests: map[string]string{"agreement": a.Digest}, PeerRefs: st.heard}}}
		if err := s.begin(ctx, c.Peer.Participant, a, &t, s.cfg.Manual.Start, st); err != nil {
			return err
		}
		if err := s.commit(ctx, st); err != nil {
			return err
		}
		out = t.view()
		return nil
	})
	return out, err
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func (s *Service) checkRequest(ctx context.Context, c identity.Caller, a Agreement, m *dsp.TransferRequestMessage) error {
	if err := a.inForce(); err != nil {
		return err
	}
	if m.Format != catalog.FormatPull {
		return wrongField("format", m.Format, catalog.FormatPull)
	}
	if m.DataAddress != nil {
		return &corridor.Error{Kind: corridor.Invalid, Where: "dataAddress", Msg: "belongs to a push, which this gateway does not do", Fix: "leave it out and fetch"}
	}
	return s.checkCallback(ctx, c, m.CallbackAddress)
}

// begin decides whether a transfer may start now, and puts the start, the
// refusal or the wait into the step.
func (s *Service) begin(ctx context.Context, peer corridor.Participant, a Agreement, t *Transfer, hold bool, st *step) error {
	refused, err := s.exportStill(ctx, peer, a, t, st)
	switch {
	case err != nil:
		return err
	case refused != nil:
		s.refuseTransfer(t, refused, st)
	case hold:
		t.Parked = "a person starts every transfer (manual.start)"
	default:
		return s.sayStart(t, st)
	}
	return nil
}

// exportStill asks whether the data may leave now: our own law with today's
// date and counters, and the policy of the agreement.
func (s *Service) exportStill(ctx context.Context, peer corridor.Participant, a Agreement, t *Transfer, st *step) (refused, err error) {
	n, err := s.Negotiation(ctx, a.Negotiation)
	if err != nil {
		return nil, err
	}
	d, err := s.dataset(ctx, a.Dataset)
	if err != nil {
		return nil, err
	}
	terms, err := readTerms(n.Offer.Policy)
	if err != nil {
		return err, nil
	}
	var used int64
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT COUNT(*) FROM transfers WHERE agreement = ? AND role = 'provider' AND pid <> ? AND state <> 'TERMINATED'`, a.ID, t.PID).Scan(&used)
	})
	if err != nil {
		return nil, fmt.Errorf("count transfers: %w", err)
	}
	if refused := terms.check(n.Purpose, peer.Jurisdiction, s.now(), used); refused != nil {
		return refused, nil
	}
	if st.people, err = s.reckon(ctx, d); err != nil {
		return nil, err
	}
	_, refused, err = s.exportNow(peer, &n, d, st.people)
	return refused, err
}

// refuseTransfer ends a transfer with a reason.
func (s *Service) refuseTransfer(t *Transfer, cause error, st *step) {
	code, reason, _ := explain(cause)
	t.State, t.Code, t.Reason, t.Pending, t.PendingName, t.Parked = dsp.Terminated, code, reason, dsp.None, "", ""
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptRefusal, State: string(t.State), Reason: short(code, reason), PeerRefs: st.heard}})
	if t.PeerPID != "" {
		s.sayStop(t, dsp.Terminated, st)
	}
}

// sayStart tells the consumer where the data is. The token is made again when
// the message is sent.
func (s *Service) sayStart(t *Transfer, st *step) error {
	m := &dsp.TransferStartMessage{Pids: t.pids()}
	if t.Role == dsp.Provider {
		var err error
		if m.DataAddress, err = s.dataAddress(t); err != nil {
			return err
		}
	}
	t.Parked, t.StoppedBy = "", ""
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptTransferStarted, State: string(dsp.Started), PeerRefs: st.heard}})
	st.say(m, &m.Extensions, t.Role.Other(), dsp.Started)
	return nil
}

// sayStop tells the peer that a transfer is suspended or ended here.
func (s *Service) sayStop(t *Transfer, to dsp.State, st *step) {
	if to == dsp.Suspended {
		m := &dsp.TransferSuspensionMessage{Pids: t.pids(), Code: t.Code, Reason: t.Reason}
		st.say(m, &m.Extensions, t.Role.Other(), dsp.None)
		return
	}
	m := &dsp.TransferTerminationMessage{Pids: t.pids(), Code: t.Code, Reason: t.Reason}
	st.say(m, &m.Extensions, t.Role.Other(), dsp.None)
}

func (t *Transfer) pids() dsp.Pids {
	if t.Role == dsp.Provider {
		return dsp.Pids{ProviderPid: t.PID, ConsumerPid: t.PeerPID}
	}
	return dsp.Pids{ProviderPid: t.PeerPID, ConsumerPid: t.PID}
}

func (t *Transfer) view() *dsp.TransferProcess {
	return &dsp.TransferProcess{Pids: t.pids(), State: t.State}
}

// settle takes the acknowledgement of our message into the record.
func (t *Transfer) settle() {
	t.State, t.Pending, t.PendingName = t.Pending, dsp.None, ""
}

func (s *Service) knownTransfer(ctx context.Context, c identity.Caller, theirs, name string) (t Transfer, repeat bool, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		t, err = loadTransfer(ctx, tx, `peer = ? AND role = 'provider' AND peer_pid = ?`, c.DID, theirs)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for the transfer: %w", err)
		}
		repeat, err = wasTaken(ctx, tx, t.PID, name, true, t.version)
		if err == nil && !repeat {
			err = &corridor.Error{Kind: corridor.Conflict, Msg: "this identifier is already used by another transfer", Fix: "use a new UUID for each transfer"}
		}
		return err
	})
	return t, repeat, err
}

// hearTransfer takes a peer's message about a transfer that is under way. See
// hear.
func (s *Service) hearTransfer(ctx context.Context, c identity.Caller, pid string, m dsp.Process, ext dsp.Extensions, act func(*Transfer, *step) error) (*dsp.TransferProcess, error) {
	name, named, err := nameOf(m, ext)
	if err != nil {
		return nil, err
	}
	var out *dsp.TransferProcess
	err = again(func() error {
		var t Transfer
		var repeat bool
		err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
			t, err = loadTransfer(ctx, tx, `pid = ?`, pid)
			if errors.Is(err, sql.ErrNoRows) || err == nil && t.Peer != c.DID {
				return noSuch("transfer", pid)
			}
			if err != nil {
				return fmt.Errorf("load transfer: %w", err)
			}
			repeat, err = wasTaken(ctx, tx, pid, name, named, t.version)
			return err
		})
		if err != nil {
			return err
		}
		if !repeat {
			if err := t.advance(m); err != nil {
				return err
			}
			st := &step{tr: &t, taken: name, heard: refsIn(ext)}
			if err := act(&t, st); err != nil {
				return err
			}
			if err := s.commit(ctx, st); err != nil {
				return err
			}
		}
		out = t.view()
		return nil
	})
	return out, err
}

// advance moves the record as the state table says. See Negotiation.advance.
func (t *Transfer) advance(m dsp.Process) error {
	provider, consumer := m.PIDs()
	ours, theirs := provider, consumer
	if t.Role == dsp.Consumer {
		ours, theirs = consumer, provider
	}
	if ours != t.PID {
		return wrongField("pid", ours, t.PID)
	}
	if t.PeerPID != "" && theirs != t.PeerPID {
		return wrongField("pid of the peer", theirs, t.PeerPID)
	}
	next, err := dsp.NextTransfer(t.Role, t.State, m.Type(), t.Role.Other())
	if err != nil && t.Pending != dsp.None {
		var late error
		if next, late = dsp.NextTransfer(t.Role, t.Pending, m.Type(), t.Role.Other()); late == nil {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	t.State, t.PeerPID, t.Pending, t.PendingName, t.Parked = next, theirs, dsp.None, "", ""
	return nil
}

// TransferStarted takes a start: the provider's, with the address of the
// data; or the consumer's wish to go on after its own suspension.
func (s *Service) TransferStarted(ctx context.Context, c identity.Caller, pid string, m *dsp.TransferStartMessage) (*dsp.TransferProcess, error) {
	return s.hearTransfer(ctx, c, pid, m, m.Extensions, func(t *Transfer, st *step) error {
		st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferStarted, State: string(t.State), PeerRefs: st.heard}}}
		if t.Role == dsp.Provider {
			return s.resumedByConsumer(ctx, c, t, st)
		}
		if a, err := s.Agreement(ctx, t.Agreement); err != nil || a.State == AgreementSuspended {
			return orElse(err, a.inForce())
		}
		if m.DataAddress != nil {
			if err := s.guard(ctx, m.DataAddress.Endpoint); err != nil {
				return &corridor.Error{Kind: corridor.Invalid, Where: "dataAddress.endpoint", Msg: "cannot be called", Err: err}
			}
			t.address = m.DataAddress
		}
		t.StoppedBy = ""
		if s.cfg.Manual.Fetch {
			return nil
		}
		st.after = append(st.after, func() { s.run.wanted(t.PID) })
		return nil
	})
}

func (s *Service) resumedByConsumer(ctx context.Context, c identity.Caller, t *Transfer, st *step) error {
	if t.StoppedBy == dsp.Provider {
		return &corridor.Error{Kind: corridor.Conflict, Msg: "the provider suspended this transfer, and only the provider resumes it"}
	}
	a, err := s.Agreement(ctx, t.Agreement)
	if err != nil {
		return err
	}
	refused, err := s.exportStill(ctx, c.Peer.Participant, a, t, st)
	if err == nil {
		err = refused
	}
	t.StoppedBy = ""
	return err
}

// TransferCompleted takes the word that all has arrived, with the place of
// the consumer's receipt, and acknowledges it in our log.
func (s *Service) TransferCompleted(ctx context.Context, c identity.Caller, pid string, m *dsp.TransferCompletionMessage) (*dsp.TransferProcess, error) {
	return s.hearTransfer(ctx, c, pid, m, m.Extensions, func(t *Transfer, st *step) error {
		digests := map[string]string{}
		if t.SHA256 != "" {
			digests["content"] = t.SHA256
		}
		if n := len(st.heard); n > 0 {
			t.Received = &st.heard[n-1]
		}
		st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferAcknowledged, State: string(t.State), Digests: digests, PeerRefs: st.heard},
			note: func(ref corridor.ReceiptRef) { t.Acknowledged = &ref }}}
		st.after = append(st.after, func() { s.run.stop(t.PID); s.learn(t.Agreement) })
		return nil
	})
}

// TransferSuspended takes the peer's suspension. Running streams stop as soon
// as it is durable.
func (s *Service) TransferSuspended(ctx context.Context, c identity.Caller, pid string, m *dsp.TransferSuspensionMessage) (*dsp.TransferProcess, error) {
	return s.hearTransfer(ctx, c, pid, m, m.Extensions, func(t *Transfer, st *step) error {
		t.Code, t.Reason, t.StoppedBy = m.Code, m.Reason, t.Role.Other()
		s.stopped(t, corridor.ReceiptTransferSuspended, st)
		return nil
	})
}

// TransferTerminated takes the peer's termination.
func (s *Service) TransferTerminated(ctx context.Context, c identity.Caller, pid string, m *dsp.TransferTerminationMessage) (*dsp.TransferProcess, error) {
	return s.hearTransfer(ctx, c, pid, m, m.Extensions, func(t *Transfer, st *step) error {
		t.Code, t.Reason = m.Code, m.Reason
		kind := corridor.ReceiptTransferTerminated
		if m.Code == corridor.RefusedByLaw.String() || m.Code == corridor.ApprovalNeeded.String() {
			kind = corridor.ReceiptRefusal
		}
		s.stopped(t, kind, st)
		return nil
	})
}

// stopped writes the receipt of a stop and cuts what is running, once the
// stop is durable: a new request is then refused by Grant.
func (s *Service) stopped(t *Transfer, kind string, st *step) {
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: kind, State: string(t.State), Reason: short(t.Code, t.Reason), PeerRefs: st.heard}})
	st.after = append(st.after, func() { s.cut(t.PID, string(t.State)) })
}

// cut ends the streams of a transfer on either end.
func (s *Service) cut(pid, why string) {
	s.run.stop(pid)
	s.plane.Stop(pid, why)
}

// Suspend stops a transfer for the time being, from this side.
func (s *Service) Suspend(ctx context.Context, pid, reason string) (Transfer, error) {
	return s.actTransfer(ctx, pid, func(t *Transfer, st *step) error {
		return s.suspend(t, st, "", reasons(reason))
	})
}

// suspend puts into a step that a transfer is suspended from this side.
func (s *Service) suspend(t *Transfer, st *step, code string, why []string) error {
	from := t.State
	if t.Pending == dsp.Started { // already open to the consumer
		from = dsp.Started
	} else if t.Pending != dsp.None {
		return onItsWay(t.PID, t.Pending)
	}
	next, err := dsp.NextTransfer(t.Role, from, dsp.TypeSuspension, t.Role)
	if err != nil {
		return err
	}
	t.State, t.Code, t.Reason, t.StoppedBy, t.Parked = next, code, why, t.Role, ""
	t.Pending, t.PendingName = dsp.None, ""
	s.stopped(t, corridor.ReceiptTransferSuspended, st)
	s.sayStop(t, dsp.Suspended, st)
	return nil
}

// Resume starts a suspended transfer again, or starts one that waited for a
// person. The provider's law is asked again.
func (s *Service) Resume(ctx context.Context, pid string) (Transfer, error) {
	return s.actTransfer(ctx, pid, func(t *Transfer, st *step) error {
		if t.Pending != dsp.None {
			return onItsWay(pid, t.Pending)
		}
		if t.Role == dsp.Consumer && t.State == dsp.Started && t.File == "" { // manual.fetch, or a fetch that gave up
			t.Parked = ""
			st.after = append(st.after, func() { s.run.wanted(t.PID) })
			return nil
		}
		if _, err := dsp.NextTransfer(t.Role, t.State, dsp.TypeTransferStart, t.Role); err != nil {
			return err
		}
		a, err := s.Agreement(ctx, t.Agreement)
		if err == nil {
			err = a.inForce()
		}
		if err != nil {
			return err
		}
		if t.Role == dsp.Consumer {
			if t.StoppedBy == dsp.Provider {
				return &corridor.Error{Kind: corridor.Conflict, Msg: "the provider suspended this transfer, and only the provider resumes it"}
			}
			return s.sayStart(t, st)
		}
		peer, err := s.cfg.Directory.Lookup(ctx, t.Peer)
		if err != nil {
			return err
		}
		return s.begin(ctx, peer.Participant, a, t, false, st)
	})
}

// TerminateTransfer ends a transfer from this side.
func (s *Service) TerminateTransfer(ctx context.Context, pid, reason string) (Transfer, error) {
	return s.actTransfer(ctx, pid, func(t *Transfer, st *step) error {
		if t.State != dsp.None {
			if _, err := dsp.NextTransfer(t.Role, t.State, dsp.TypeTermination, t.Role); err != nil {
				return err
			}
		}
		t.State, t.Code, t.Reason, t.Pending, t.PendingName, t.Parked = dsp.Terminated, "", reasons(reason), dsp.None, "", ""
		s.stopped(t, corridor.ReceiptTransferTerminated, st)
		if t.PeerPID != "" {
			s.sayStop(t, dsp.Terminated, st)
		}
		return nil
	})
}

func (s *Service) actTransfer(ctx context.Context, pid string, do func(*Transfer, *step) error) (Transfer, error) {
	var t Transfer
	err := again(func() (err error) {
		if t, err = s.TransferByPID(ctx, pid); err != nil {
			return err
		}
		st := &step{tr: &t}
		if err := do(&t, st); err != nil {
			return err
		}
		return s.commit(ctx, st)
	})
	return t, err
}

// TransferState answers a peer's question about a transfer of its own.
func (s *Service) TransferState(ctx context.Context, c identity.Caller, pid string) (*dsp.TransferProcess, error) {
	t, err := s.TransferByPID(ctx, pid)
	if err != nil {
		return nil, err
	}
	if t.Peer != c.DID {
		return nil, noSuch("transfer", pid)
	}
	return t.view(), nil
}
