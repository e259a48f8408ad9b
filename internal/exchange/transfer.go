package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/store"
)

// Transfer asks the provider for the data of an agreement, to be fetched.
func (s *Service) Transfer(ctx context.Context, agreement string) (Transfer, error) {
	return s.TransferIn(ctx, agreement, catalog.FormatPull)
}

// TransferIn asks the provider for the data of an agreement in a format: to be
// fetched, or to be pushed to us. Our own law is asked again first.
func (s *Service) TransferIn(ctx context.Context, agreement, format string) (t Transfer, err error) {
	err = again(func() error {
		t, err = s.transferIn(ctx, agreement, format)
		return err
	})
	return t, err
}

func (s *Service) transferIn(ctx context.Context, agreement, format string) (Transfer, error) {
	var t Transfer
	if !known(format) {
		return t, wrongFormat(format)
	}
	a, err := s.Agreement(ctx, agreement)
	if err != nil {
		return t, err
	}
	if endless(format) && a.DecidedBy != "" {
		return t, onlyFinite(a.Peer)
	}
	if a.Role != dsp.Consumer {
		return t, &corridor.Error{Kind: corridor.Conflict, Msg: "this node is the provider of that agreement", Fix: "the consumer asks for the transfer"}
	}
	if err := a.inForce(); err != nil {
		return t, err
	}
	t = Transfer{PID: newID(), Role: dsp.Consumer, Peer: a.Peer, Callback: a.Callback, Agreement: a.ID, Negotiation: a.Negotiation,
		Dataset: a.Dataset, Format: format, Plain: a.DecidedBy != "", Created: s.now().UTC()}
	st := &step{tr: &t}
	refused, err := s.importStill(ctx, a, &t, st)
	if err != nil {
		return t, err
	}
	if refused != nil {
		s.refuseTransfer(&t, refused, st)
		return t, errors.Join(s.commit(ctx, st), refused)
	}
	// Who else begins the first transfer of the agreement at this moment, here
	// or on another node, takes a name that has the transfer's own in it.
	_, release, alone, err := s.db.Claim(ctx, leaseName+a.ID)
	if err != nil {
		return t, err
	}
	if alone {
		defer release() // when the transfer is on record
	}
	if t.dest, err = s.destination(ctx, a, t.PID, alone); err != nil {
		return t, err
	}
	st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferRequested, State: string(dsp.Requested), Digests: map[string]string{"agreement": a.Digest}}}}
	m := &dsp.TransferRequestMessage{ConsumerPid: t.PID, AgreementID: a.ID, Format: t.Format, CallbackAddress: s.cfg.Base}
	if t.pushed() {
		if m.DataAddress, err = s.sinkAddress(&t); err != nil {
			return t, err
		}
	}
	st.say(m, &m.Extensions, dsp.Provider, dsp.Requested)
	return t, s.commit(ctx, st)
}

func (s *Service) importStill(ctx context.Context, a Agreement, t *Transfer, st *step) (refused, err error) {
	n, err := s.Negotiation(ctx, a.Negotiation)
	if err != nil {
		return nil, err
	}
	u, err := s.usesOf(ctx, &n, t)
	if err != nil {
		return nil, err
	}
	st.uses = &u
	if refused := orElse(s.approvalsHold(&n, s.cfg.Self, u.before), u.made()); refused != nil {
		return refused, nil
	}
	return s.redecide(ctx, &n)
}

// TransferRequested takes a consumer's request for data. The law is asked
// again: time, counters and rules have moved since the agreement.
func (s *Service) TransferRequested(ctx context.Context, c identity.Caller, m *dsp.TransferRequestMessage) (*dsp.TransferProcess, error) {
	name, err := nameOfOpening(c, m, m.Extensions)
	if err != nil {
		return nil, err
	}
	var out *dsp.TransferProcess
	err = again(func() error {
		have, repeat, err := s.knownTransfer(ctx, c, m.ConsumerPid, name)
		if err != nil || repeat {
			out = have.view()
			return orElse(err, have.ordered())
		}
		a, err := s.Agreement(ctx, m.AgreementID)
		if err != nil || a.Peer != c.DID || a.Role != dsp.Provider {
			return orElse(err, noSuch("agreement", m.AgreementID))
		}
		d, err := s.dataset(ctx, a.Dataset)
		if err != nil {
			return err
		}
		t := Transfer{PID: newID(), PeerPID: m.ConsumerPid, Role: dsp.Provider, Peer: c.DID, Callback: m.CallbackAddress, Agreement: a.ID,
			Negotiation: a.Negotiation, Dataset: a.Dataset, State: dsp.Requested, Format: m.Format, Plain: a.DecidedBy != "", Created: s.now().UTC()}
		if t.pushed() {
			t.address = m.DataAddress
		}
		st := &step{tr: &t, taken: name, use: c.Use, heard: refsIn(m.Extensions)}
		st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferRequested, State: string(t.State), Digests: map[string]string{"agreement": a.Digest}, PeerRefs: st.heard}}}
		if _, stopped := s.passageOf(d, c.Peer.Participant); byOrder(stopped) {
			t.refuseOrdered(stopped, st)
		} else if err := s.checkRequest(ctx, c, a, d, m); err != nil {
			return err
		} else if err := s.begin(ctx, c.Peer.Participant, a, &t, s.held(StepStart, c.Peer, &d), st); err != nil {
			return err
		}
		if err := s.commit(ctx, st); err != nil {
			return err
		}
		out = t.view()
		return t.ordered()
	})
	return out, err
}

// asRefusal tells what the law, an authority or a person refuses from what only
// failed: the log is to hold no refusal that nobody decided on.
func asRefusal(err error) (refused, failed error) {
	switch corridor.KindOf(err) {
	case corridor.RefusedByLaw, corridor.ApprovalNeeded, corridor.Forbidden:
		return err, nil
	}
	return nil, err
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func (s *Service) checkRequest(ctx context.Context, c identity.Caller, a Agreement, d catalog.Dataset, m *dsp.TransferRequestMessage) error {
	if err := a.inForce(); err != nil {
		return err
	}
	if (a.DecidedBy != "") != (c.Peer.Plain != nil) {
		return turnedOver(c.DID)
	}
	if err := s.checkCallback(ctx, c, m.CallbackAddress); err != nil {
		return err
	}
	switch {
	case !known(m.Format):
		return wrongFormat(m.Format)
	case d.Growing && c.Peer.Plain != nil:
		return onlyFinite(c.DID)
	case !slices.Contains(d.Formats(), m.Format):
		return wrongFormat(m.Format, d.Formats()...)
	case pushes(m.Format):
		return s.checkSink(ctx, m)
	case m.DataAddress != nil:
		return &corridor.Error{Kind: corridor.Invalid, Where: "dataAddress", Msg: "belongs to a push", Fix: "leave it out and fetch, or ask for " + catalog.FormatPush}
	}
	return nil
}

// known says whether data can be moved in a format at all.
func known(format string) bool { return slices.Contains(allFormats(), format) }

func allFormats() []string {
	return []string{catalog.FormatPull, catalog.FormatPush, catalog.FormatGrowing, catalog.FormatGrowingPush}
}

// wrongFormat names the ways there are: of one dataset, or of all.
func wrongFormat(got string, ways ...string) error {
	what := "this gateway moves data"
	if ways == nil {
		ways = allFormats()
	} else {
		what = "this dataset is offered"
	}
	return &corridor.Error{Kind: corridor.Invalid, Where: "format", Msg: fmt.Sprintf("%q is not a way in which %s", clip(got), what), Fix: "use " + strings.Join(ways, " or ")}
}

// onlyFinite refuses data that goes on between this node and one that could not
// confirm its increments.
func onlyFinite(peer string) error {
	return &corridor.Error{Kind: corridor.Invalid, Where: "format", Msg: peer + " speaks the Dataspace Protocol only, which has no word for one increment of data that goes on",
		Fix: "publish what there is as a dataset that does not grow"}
}

// begin decides whether a transfer may start now, and puts the start, the
// refusal or the wait into the step.
func (s *Service) begin(ctx context.Context, peer corridor.Participant, a Agreement, t *Transfer, held string, st *step) error {
	refused, err := s.exportStill(ctx, peer, a, t, st)
	switch {
	case err != nil:
		return err
	case refused != nil:
		s.refuseTransfer(t, refused, st)
	case held != "":
		t.Parked = held
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
	d, number, err := s.datasetOf(ctx, t)
	if err != nil {
		return nil, err
	}
	passage, refused := s.passageOf(d, peer)
	if refused != nil {
		return refused, nil
	}
	st.under = digestOfCompact(passage.Compact)
	if _, err := s.cosignedFor(ctx, peer.DID, passage); err != nil {
		return asRefusal(err)
	}
	terms, err := readTerms(n.Offer.Policy)
	if err != nil {
		return err, nil
	}
	u, err := s.usesOf(ctx, &n, t)
	if err != nil {
		return nil, err
	}
	st.uses = &u
	n.looksAt(d)
	if refused := s.approvalsHold(&n, peer, u.before); refused != nil {
		return refused, nil
	}
	if refused := terms.still(useOf(&n, peer, s.now(), u.before), n.Permission); refused != nil {
		return refused, nil
	}
	if refused := u.made(); refused != nil {
		return refused, nil
	}
	if st.people, err = s.reckon(ctx, countedAs(d, number)); err != nil {
		return nil, err
	}
	decision, refused, err := s.exportNow(peer, &n, d, st.people)
	if err != nil || refused != nil {
		return refused, err
	}
	if t.PartOf != "" {
		return s.coversNow(&a, d, decision), nil
	}
	_, refused, err = s.insteadNow(&n)
	return refused, err
}

// refuseTransfer ends a transfer with a reason.
func (s *Service) refuseTransfer(t *Transfer, cause error, st *step) {
	code, reason, _ := explain(cause)
	st.stop = orderBehind(cause)
	t.State, t.Code, t.Reason, t.Pending, t.PendingName, t.Parked = dsp.Terminated, code, reason, dsp.None, "", ""
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptRefusal, State: string(t.State), Reason: short(code, reason), PeerRefs: st.heard}})
	if t.PeerPID != "" {
		s.sayStop(t, dsp.Terminated, st)
	}
}

// sayStart tells the consumer where the data is. The token is made again when
// the message is sent.
func (s *Service) sayStart(t *Transfer, st *step) error {
	m, err := s.startMessage(t)
	if err != nil {
		return err
	}
	t.Parked, t.StoppedBy = "", ""
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptTransferStarted, State: string(dsp.Started), PeerRefs: st.heard}})
	st.say(m, &m.Extensions, t.Role.Other(), dsp.Started)
	return nil
}

func (s *Service) startMessage(t *Transfer) (m *dsp.TransferStartMessage, err error) {
	m = &dsp.TransferStartMessage{Pids: t.pids()}
	if t.Role == dsp.Provider && !t.pushed() {
		m.DataAddress, err = s.dataAddress(t)
	}
	return m, err
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
	return &dsp.TransferProcess{Pids: t.pids(), State: begun(t.State, t.Pending)}
}

// settle takes the acknowledgement of our message into the record.
func (t *Transfer) settle() {
	t.State, t.Pending, t.PendingName = t.Pending, dsp.None, ""
}

func (s *Service) knownTransfer(ctx context.Context, c identity.Caller, theirs, name string) (t Transfer, repeat bool, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		t, err = s.loadTransfer(ctx, tx, `peer = ? AND role = 'provider' AND peer_pid = ? AND peer_pid <> ''`, c.DID, theirs)
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
			t, err = s.loadTransfer(ctx, tx, `pid = ?`, pid)
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
		if err := t.asWholeFrom(m); err != nil {
			return err
		}
		if !repeat && !t.toldAgain(m) {
			if err := t.advance(m); err != nil {
				return err
			}
			st := &step{tr: &t, taken: name, use: c.Use, heard: refsIn(ext)}
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
	theirs, err := pidsOf(m, t.Role, t.PID, t.PeerPID)
	if err != nil {
		return err
	}
	next, err := dsp.NextTransfer(t.Role, t.State, m.Type(), t.Role.Other())
	if err != nil && t.Pending != dsp.None {
		var late error
		if next, late = dsp.NextTransfer(t.Role, t.Pending, m.Type(), t.Role.Other()); late == nil {
			err = nil
		}
	}
	if err != nil && t.startedAnew(m) {
		next, err = t.State, nil
	}
	if err != nil {
		return err
	}
	if m.Type() == dsp.TypeSuspension && t.Pending == dsp.Completed {
		// Our word that all is complete may have been there before the peer's
		// suspension, which then is of no more effect: it is still repeated.
		t.State, t.Parked = next, ""
		return nil
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
		t.StoppedBy = ""
		if t.pushed() { // it comes by itself: see Receive
			return nil
		}
		if m.DataAddress != nil {
			t.address = m.DataAddress
		}
		if t.Parked = s.held(StepFetch, c.Peer, nil); t.Parked != "" { // the guard stands before the fetch itself
			return nil
		}
		if m.DataAddress != nil {
			if err := s.guard(ctx, m.DataAddress.URL()); err != nil {
				return &corridor.Error{Kind: corridor.Invalid, Where: "dataAddress.endpoint", Msg: "cannot be called", Err: err}
			}
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
	if err != nil {
		return err
	}
	t.StoppedBy = ""
	switch {
	case t.pushed():
		st.after = append(st.after, func() { s.run.wanted(t.PID) })
	case t.Plain: // it has no other way to a new token than a start of ours
		return s.sayStart(t, st)
	}
	return nil
}

// TransferCompleted takes the word that all has arrived, with the place of
// the consumer's receipt, and acknowledges it in our log.
func (s *Service) TransferCompleted(ctx context.Context, c identity.Caller, pid string, m *dsp.TransferCompletionMessage) (*dsp.TransferProcess, error) {
	return s.hearTransfer(ctx, c, pid, m, m.Extensions, func(t *Transfer, st *step) error {
		if t.growing() { // each increment was acknowledged by itself
			st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferCompleted, State: string(t.State), PeerRefs: st.heard}}}
			st.after = append(st.after, func() { s.cut(t.PID, string(t.State)); s.learn(t) })
			return nil
		}
		if t.Role == dsp.Consumer {
			return t.completed(st)
		}
		digests := map[string]string{}
		if t.SHA256 != "" {
			digests["content"] = t.SHA256
		}
		if n := len(st.heard); n > 0 {
			t.Received = &st.heard[n-1]
		}
		if t.pushed() && t.Acknowledged != nil { // both have said it at once
			return nil
		}
		st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferAcknowledged, State: string(t.State), Digests: t.late(digests), PeerRefs: st.heard},
			note: func(ref corridor.ReceiptRef) { t.Acknowledged = &ref }}}
		st.after = append(st.after, func() { s.run.stop(t.PID); s.learn(t) })
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
	for _, open := range append(s.streamsOf(pid), pid) {
		s.plane.Stop(open, why)
		s.unseen.done(open)
	}
}

// Suspend stops a transfer for the time being, from this side.
func (s *Service) Suspend(ctx context.Context, pid, reason string) (Transfer, error) {
	return s.actWhole(ctx, pid, func(t *Transfer, st *step) error {
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
		if t.Received == nil { // else what is said again is that it arrived
			if err := t.asWhole(); err != nil {
				return err
			}
		}
		if t.Role == dsp.Consumer && t.State == dsp.Started && (t.File == "" || !t.pushed()) { // manual.fetch, or a fetch that gave up, also after the file was here
			t.Parked, t.wanted = "", true
			st.after = append(st.after, func() { s.run.wanted(t.PID) })
			return nil
		}
		if t.Role == dsp.Provider && t.State == dsp.Started && t.pushed() { // a push that gave up
			t.Parked = ""
			st.after = append(st.after, func() { s.run.wanted(t.PID) })
			return nil
		}
		if _, err := dsp.NextTransfer(t.Role, t.State, dsp.TypeTransferStart, t.Role); err != nil {
			return err
		}
		return s.restart(ctx, t, st)
	})
}

// restart asks the law and puts the start of a transfer into the step: its
// first one, or one after a suspension.
func (s *Service) restart(ctx context.Context, t *Transfer, st *step) error {
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
		if err := s.mayCross(ctx, t.Role, t.Peer, t.Dataset, t.Negotiation); err != nil {
			return err
		}
		return s.sayStart(t, st)
	}
	peer, err := s.cfg.Directory.Lookup(ctx, t.Peer)
	if err != nil {
		return err
	}
	return s.begin(ctx, peer.Participant, a, t, "", st)
}

// TerminateTransfer ends a transfer from this side.
func (s *Service) TerminateTransfer(ctx context.Context, pid, reason string) (Transfer, error) {
	return s.actWhole(ctx, pid, func(t *Transfer, st *step) error {
		return s.terminateTransfer(t, st, "", reasons(reason))
	})
}

// terminateTransfer puts into a step that a transfer is ended from this side.
func (s *Service) terminateTransfer(t *Transfer, st *step, code string, why []string) error {
	if t.State != dsp.None {
		if _, err := dsp.NextTransfer(t.Role, t.State, dsp.TypeTermination, t.Role); err != nil {
			return err
		}
	}
	if t.Pending.Final() { // the peer may have the last word of it already
		return onItsWay(t.PID, t.Pending)
	}
	if t.PeerPID != "" || t.Pending == dsp.None { // else the peer may have our request: see toldOfStop
		t.PendingName = ""
	}
	t.State, t.Code, t.Reason, t.Pending, t.Parked = dsp.Terminated, code, why, dsp.None, ""
	s.stopped(t, corridor.ReceiptTransferTerminated, st)
	if t.PeerPID != "" {
		s.sayStop(t, dsp.Terminated, st)
	}
	return nil
}

// toldOfStop goes on with a transfer that was ended here before the peer had
// named it. See toldOfEnd.
func (s *Service) toldOfStop(t *Transfer, reply *dsp.Reply, st *step) {
	t.PendingName = ""
	if p, err := reply.Transfer(); err == nil {
		t.PeerPID = theirs(p.Pids, t.Role)
	}
	if t.PeerPID != "" {
		s.sayStop(t, dsp.Terminated, st)
	}
}

// actWhole is actTransfer for what a person does to a transfer as a whole.
func (s *Service) actWhole(ctx context.Context, pid string, do func(*Transfer, *step) error) (Transfer, error) {
	return s.actTransfer(ctx, pid, func(t *Transfer, st *step) error {
		if err := t.asWhole(); err != nil {
			return err
		}
		return do(t, st)
	})
}

func (s *Service) actTransfer(ctx context.Context, pid string, do func(*Transfer, *step) error) (Transfer, error) {
	var t Transfer
	err := again(func() (err error) {
		if t, err = s.transfer(ctx, pid); err != nil {
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
	t, err := s.transfer(ctx, pid)
	if err != nil {
		return nil, err
	}
	if t.Peer != c.DID || begun(t.State, t.Pending) == dsp.None {
		return nil, noSuch("transfer", pid)
	}
	if t.PeerPID == "" { // see NegotiationState
		ctx, cancel := context.WithTimeout(ctx, settleTime)
		defer cancel()
		t, err = s.AwaitTransfer(ctx, pid, func(t Transfer) bool { return t.PeerPID != "" || t.State.Final() })
		if err != nil || t.PeerPID == "" {
			return nil, onItsWay(pid, t.Pending)
		}
	}
	return t.view(), nil
}
