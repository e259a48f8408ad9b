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
	"corridor/internal/ledger"
	"corridor/internal/store"
)

// step is everything that one act changes. It is committed whole or not at
// all.
type step struct {
	neg      *Negotiation
	agr      *Agreement
	tr       *Transfer
	whole    *Transfer         // of which tr is an increment: written with it, if it is still as it was read
	datasets []catalog.Dataset // published
	receipts []receipt
	entries  []ledger.Entry                         // the same, signed before the transaction; nil: within
	heard    []corridor.ReceiptRef                  // the peer's receipts that its message names
	peers    []ledger.PeerReceipt                   // receipts of the peer that were fetched
	signed   []document                             // that these quote, of authorities
	under    string                                 // digest of the compact that a start rests on
	stop     *behind                                // the order that stops, or lets go on
	send     *message                               // to the peer
	quotes   []corridor.ReceiptRef                  // receipts of earlier steps that it tells of
	use      *identity.TokenUse                     // the caller's token, which this step uses up
	taken    string                                 // the name of the inbound message that this step answers
	once     bool                                   // that is a name of its own: a second step with it is a repeat
	byHand   bool                                   // a person takes the step that is held for one
	settles  int64                                  // the outbox message that is delivered with this step
	due      *corridor.Date                         // when the law is to be asked again about agr; nil: as its decision says
	uses     *uses                                  // of its agreement that its decision was made with
	people   *reckoning                             // the count that its decision was made with
	late     bool                                   // people had gone before they were counted
	tasks    []*Task                                // duties that it ends
	inside   func(context.Context, *store.Tx) error // more of the same transaction, once the records are written
	review   string                                 // day on which the law is asked again about agr, or never
	clocks   bool                                   // the day of some task may have moved
	alarm    string                                 // the earliest of these, if it is known
	after    []func()                               // once all of it is durable
}

// receipt is one statement of this step, with what its commitments hide.
type receipt struct {
	body    corridor.Receipt
	secrets []ledger.Secret
	note    func(corridor.ReceiptRef) // told where it stands, before the records are written
}

// message is a protocol message for the outbox. Ext is where its own name and
// the references of this step's receipts are put.
type message struct {
	kind dsp.Type
	body dsp.Message
	ext  *dsp.Extensions
	path string
	// moves is the state that the acknowledgement leads to; None for a message
	// that tells what has already happened here.
	moves dsp.State
}

// errChanged says that a record moved between being read and being written.
// The caller reads again and decides again.
var errChanged = errors.New("the record has changed meanwhile")

// commit is the only writer of negotiations, agreements and transfers.
//
// A crash before it is durable: nothing has happened. The peer got no answer
// and repeats its message; a person sees the old state.
//
// A crash after it: the records, the receipts under a signed checkpoint, and
// the outgoing message in the outbox are all there. The next start sends the
// message again; the peer knows a repeat by its name and answers as before.
func (s *Service) commit(ctx context.Context, st *step) error {
	if err := s.sealReceipts(ctx, st); err != nil {
		return err
	}
	err := s.db.Write(ctx, func(tx *store.Tx) error { return s.write(ctx, tx, st) })
	if errors.Is(err, errChanged) {
		s.forget(st)
	}
	return err
}

func (s *Service) afterwards(st *step) {
	if st.use != nil && s.cfg.UseToken != nil {
		st.use.Noted()
		s.hearsTime()
	}
	if st.neg != nil {
		s.bell.ring(st.neg.PID)
	}
	if st.tr != nil {
		s.bell.ring(st.tr.PID)
		if st.tr.State.Final() { // its release quotes it, or there is none
			s.unseen.released(st.tr.PID)
		}
		if st.tr.DeleteBy != "" || st.tr.leftover() {
			s.deletionsChanged()
		}
		if st.tr.ConfirmBy != "" && !st.tr.confirmed() {
			s.arrivalsChanged()
		}
	}
	if st.whole != nil {
		s.bell.ring(st.whole.PID)
	}
	if st.agr != nil && st.agr.stands() {
		s.reviews.changed(st.review)
	}
	if st.clocks || st.inside != nil {
		s.clocks.changed(st.alarm)
	}
	for _, f := range st.after {
		f()
	}
	s.tell(st)
}

// tell hands copies of what has changed to whoever listens.
func (s *Service) tell(st *step) {
	if s.cfg.Changed == nil {
		return
	}
	if st.neg != nil {
		n := *st.neg
		s.cfg.Changed(Change{Negotiation: &n})
	}
	for _, tr := range []*Transfer{st.tr, st.whole} {
		if tr != nil {
			t := *tr
			s.cfg.Changed(Change{Transfer: &t})
		}
	}
}

// write does the work of commit inside a transaction. failed, which the
// outbox runs in its own transaction, comes here too.
func (s *Service) write(ctx context.Context, tx *store.Tx, st *step) error {
	settled := s.moves(tx, st)
	if err := (&step{tasks: st.tasks}).unchanged(ctx, tx); err != nil {
		return err
	}
	if err := s.stillCounted(ctx, tx, st); err != nil {
		return err
	}
	if err := st.stillLeft(ctx, tx); err != nil {
		return err
	}
	if err := s.useToken(ctx, tx, st.use); err != nil {
		return err
	}
	if len(st.datasets) > 0 {
		review, err := s.reviewOther(ctx, tx, st.datasets)
		if err != nil {
			return err
		}
		if review {
			tx.Tell(toldReviews)
			tx.AfterCommit(func() { s.reviews.changed("") })
		}
		if err := catalog.Put(ctx, tx, st.datasets...); err != nil {
			return err
		}
		if err := s.catalogueChanged(ctx, tx); err != nil {
			return err
		}
	}
	refs, err := s.append(ctx, tx, st)
	if err != nil {
		return err
	}
	if st.settles != 0 { // before the next one of its process, which would wait behind it
		if err := store.Delivered(ctx, tx, st.settles); err != nil {
			return err
		}
	}
	if st.send != nil {
		if err := s.enqueue(ctx, tx, st, refs); err != nil {
			return err
		}
	}
	if err := s.store(ctx, tx, st); err != nil {
		return err
	}
	if st.tr != nil {
		if err := s.endIncrement(ctx, tx, st.tr); err != nil {
			return err
		}
	}
	st.tell(tx)
	tx.AfterCommit(func() {
		s.remember(st) // before anybody is told
		settled()
		s.afterwards(st)
	})
	return nil
}

// useToken notes the use of a caller's token with what its message changes: a
// token that was used before changes nothing.
func (s *Service) useToken(ctx context.Context, tx *store.Tx, use *identity.TokenUse) error {
	if use == nil || s.cfg.UseToken == nil {
		return nil
	}
	fresh, err := s.cfg.UseToken(ctx, tx, use.Issuer, use.ID, use.Until)
	if err == nil && !fresh {
		err = use.Again()
	}
	return err
}

// unchanged checks versions under the only write lock. Those of the records
// of a step are checked as they are written.
func (st *step) unchanged(ctx context.Context, tx *store.Tx) error {
	check := func(table, key, id string, version int64) error {
		var have int64
		err := tx.QueryRow(ctx, `SELECT version FROM `+table+` WHERE `+key+` = ?`, id).Scan(&have)
		if errors.Is(err, sql.ErrNoRows) {
			err, have = nil, 0
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", table, id, err)
		}
		if have != version {
			return errChanged
		}
		return nil
	}
	var errs []error
	if st.neg != nil {
		errs = append(errs, check("negotiations", "pid", st.neg.PID, st.neg.version))
	}
	if st.tr != nil {
		errs = append(errs, check("transfers", "pid", st.tr.PID, st.tr.version))
	}
	if st.agr != nil {
		errs = append(errs, check("agreements", "id", st.agr.ID, st.agr.version))
	}
	for _, t := range st.tasks {
		errs = append(errs, check("tasks", "id", t.ID, t.version))
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// The headers of a message in the outbox.
const (
	headBase    = "base"    // the peer's DSP base address
	headPath    = "path"    // below it
	headProcess = "process" // our pid
	headName    = "name"    // the message's own name
)

// enqueue encodes the message with its name and the places of the receipts of
// this step, and marks the process as moving.
func (s *Service) enqueue(ctx context.Context, tx *store.Tx, st *step, refs []corridor.ReceiptRef) error {
	m := st.send
	name := newID()
	if st.plain() {
		*m.ext, refs = dsp.Extensions{}, nil
	} else {
		m.ext.Message = quoted(name)
	}
	if refs = append(refs, st.quotes...); len(refs) > 0 && !st.plain() {
		raw, err := json.Marshal(refs)
		if err != nil {
			return corridor.E(corridor.Internal, "receipt references: %w", err)
		}
		m.ext.Receipts = raw
	}
	body, err := dsp.Encode(m.body)
	if err != nil {
		return err
	}
	pid, peer, base := st.outward()
	until := s.now().Add(s.cfg.Retry)
	id, err := store.Enqueue(ctx, tx, store.Message{
		Kind: string(m.kind), Target: peer, Body: body, Key: pid, Deadline: until,
		Headers: map[string]string{headBase: base, headPath: m.path, headProcess: pid, headName: name},
	})
	if err == nil && m.moves != dsp.None {
		st.move(m.moves, name, id, until)
	}
	return err
}

func (st *step) outward() (pid, peer, base string) {
	if st.tr != nil {
		return st.tr.PID, st.tr.Peer, st.tr.Callback
	}
	return st.neg.PID, st.neg.Peer, st.neg.Callback
}

func (st *step) move(to dsp.State, name string, id int64, until time.Time) {
	if st.tr != nil {
		st.tr.Pending, st.tr.PendingName, st.tr.outbox, st.tr.sendBy = to, name, id, until
		return
	}
	st.neg.Pending, st.neg.PendingName, st.neg.outbox, st.neg.sendBy = to, name, id, until
}

// store writes the records, if they are still those that the step began with.
func (s *Service) store(ctx context.Context, tx *store.Tx, st *step) error {
	if err := s.keepCount(ctx, tx, st); err != nil { // before the versions move: a new agreement has none
		return err
	}
	now := s.now().UTC()
	if n := st.neg; n != nil {
		n.settleWaiting(now, s.limits)
		n.Updated = now
		n.version++
		if err := put(ctx, tx, negotiationRow, n.stored(), n.PID, n.Peer, n.PeerPID, string(n.Role), string(n.State), n.PendingName, n.version, dsp.FormatTime(now), n.due()); err != nil {
			return err
		}
		if err := keepDecisions(ctx, tx, n); err != nil {
			return err
		}
		if err := take(ctx, tx, st, n.PID, n.version); err != nil {
			return err
		}
	}
	if a := st.agr; a != nil {
		a.version++
		if err := put(ctx, tx, agreementRow, a.stored(), a.ID, a.Negotiation, a.Peer, string(a.Role), a.Dataset, a.State, a.version, dsp.FormatTime(a.Created)); err != nil {
			return err
		}
		if err := a.keepText(ctx, tx); err != nil {
			return err
		}
		if err := s.schedule(ctx, tx, st); err != nil {
			return err
		}
	}
	if st.whole != nil {
		if err := s.putTransfer(ctx, tx, st.whole, now); err != nil {
			return err
		}
	}
	if t := st.tr; t != nil {
		if err := s.putTransfer(ctx, tx, t, now); err != nil {
			return err
		}
		if err := take(ctx, tx, st, t.PID, t.version); err != nil {
			return err
		}
		if err := keepDeletion(ctx, tx, t); err != nil {
			return err
		}
		if err := keepArrival(ctx, tx, t); err != nil {
			return err
		}
	}
	if err := s.keepTasks(ctx, tx, st); err != nil || st.inside == nil {
		return err
	}
	return st.inside(ctx, tx)
}

func (s *Service) putTransfer(ctx context.Context, tx *store.Tx, t *Transfer, now time.Time) error {
	t.settleWaiting(now, s.limits)
	t.Updated = now
	t.version++
	return put(ctx, tx, transferRow, t.stored(), t.PID, t.Peer, t.PeerPID, string(t.Role), t.Agreement, t.PartOf, string(t.State), t.PendingName, t.version, dsp.FormatTime(now), t.due(), t.used())
}

const (
	negotiationRow = `INSERT INTO negotiations (doc, pid, peer, peer_pid, role, state, pending, version, updated_at, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (pid) DO UPDATE SET doc = excluded.doc, peer_pid = excluded.peer_pid, state = excluded.state, pending = excluded.pending, version = excluded.version, updated_at = excluded.updated_at, due = excluded.due
		WHERE negotiations.version = excluded.version - 1`
	agreementRow = `INSERT INTO agreements (doc, id, negotiation, peer, role, dataset, state, version, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET doc = excluded.doc, state = excluded.state, version = excluded.version
		WHERE agreements.version = excluded.version - 1`
	transferRow = `INSERT INTO transfers (doc, pid, peer, peer_pid, role, agreement, part_of, state, pending, version, updated_at, due, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (pid) DO UPDATE SET doc = excluded.doc, peer_pid = excluded.peer_pid, state = excluded.state, pending = excluded.pending, version = excluded.version, updated_at = excluded.updated_at, due = excluded.due, used = excluded.used
		WHERE transfers.version = excluded.version - 1`
)

// put writes a record. The statements above write nothing over one of another
// version.
func put(ctx context.Context, tx *store.Tx, statement string, record any, columns ...any) error {
	var doc []byte
	var err error
	if d, ok := record.(*SidedDecision); ok {
		doc, err = d.appendJSON(nil)
	} else {
		doc, err = json.Marshal(record)
	}
	if err != nil {
		return corridor.E(corridor.Internal, "record: %w", err)
	}
	r, err := tx.Exec(ctx, statement, append([]any{string(doc)}, columns...)...)
	if err != nil {
		if store.IsUnique(err) { // the peer's pid: the same request in another transaction
			return errChanged
		}
		return fmt.Errorf("write record: %w", err)
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		err = errChanged
	}
	return err
}

// errRepeat says that a message was taken before.
var errRepeat = errors.New("the message was taken before")

func take(ctx context.Context, tx *store.Tx, st *step, pid string, version int64) error {
	if st.taken == "" {
		return nil
	}
	over := `DO UPDATE SET version = excluded.version`
	if st.once {
		over = `DO NOTHING`
	}
	r, err := tx.Exec(ctx, `INSERT INTO taken (process, message, version) VALUES (?, ?, ?) ON CONFLICT (process, message) `+over, pid, st.taken, version)
	if err != nil {
		return fmt.Errorf("remember message: %w", err)
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		err = errRepeat
	}
	return err
}

// again runs an act that loses a race until it wins or fails for a reason of
// its own.
func again(act func() error) error {
	const most, mostCounted = 16, 10_000
	for tries, counts := 0, 0; tries < most && counts < mostCounted; {
		err := act()
		switch {
		case errors.Is(err, errCounted): // another agreement has come in: that is progress, and there is an end of it
			counts++
		case errors.Is(err, errChanged):
			// What is remembered of a record is put right a moment after its commit:
			// on a busy machine all tries would otherwise fit into that moment.
			if tries++; tries > 2 {
				time.Sleep(min(time.Millisecond<<(tries-3), 50*time.Millisecond))
			}
		default:
			return err
		}
	}
	return &corridor.Error{Kind: corridor.Conflict, Msg: "the process is changing too fast", Fix: "try again"}
}
