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
	"corridor/internal/ledger"
	"corridor/internal/store"
)

// step is everything that one act changes. It is committed whole or not at
// all.
type step struct {
	neg      *Negotiation
	agr      *Agreement
	tr       *Transfer
	dataset  *catalog.Dataset
	receipts []receipt
	heard    []corridor.ReceiptRef                  // the peer's receipts that its message names
	peers    []ledger.PeerReceipt                   // receipts of the peer that were fetched
	send     *message                               // to the peer
	taken    string                                 // the name of the inbound message that this step answers
	settles  int64                                  // the outbox message that this step acknowledges
	due      *corridor.Date                         // when the law is to be asked again about agr; nil: as its decision says
	people   *reckoning                             // the count that its decision was made with
	late     bool                                   // people had gone before they were counted
	tasks    []*Task                                // duties that it ends
	inside   func(context.Context, *store.Tx) error // more of the same transaction, once the records are written
	clocks   bool                                   // the day of some task may have moved
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
	err := s.db.Write(ctx, func(tx *store.Tx) error { return s.write(ctx, tx, st) })
	if err != nil {
		return err
	}
	s.afterwards(st)
	return nil
}

func (s *Service) afterwards(st *step) {
	if st.neg != nil {
		s.bell.ring(st.neg.PID)
	}
	if st.tr != nil {
		s.bell.ring(st.tr.PID)
	}
	if st.agr != nil {
		s.reviewsChanged()
	}
	if st.clocks || st.inside != nil {
		s.tasksChanged()
	}
	for _, f := range st.after {
		f()
	}
}

// write does the work of commit inside a transaction. failed, which the
// outbox runs in its own transaction, comes here too.
func (s *Service) write(ctx context.Context, tx *store.Tx, st *step) error {
	if err := st.unchanged(ctx, tx); err != nil {
		return err
	}
	if err := s.stillCounted(ctx, tx, st); err != nil {
		return err
	}
	if st.dataset != nil {
		if err := catalog.Put(ctx, tx, *st.dataset); err != nil {
			return err
		}
	}
	refs, err := s.append(ctx, tx, st)
	if err != nil {
		return err
	}
	if st.send != nil {
		if err := s.enqueue(ctx, tx, st, refs); err != nil {
			return err
		}
	}
	if err := s.store(ctx, tx, st); err != nil {
		return err
	}
	if st.settles != 0 {
		return store.Delivered(ctx, tx, st.settles)
	}
	return nil
}

// unchanged checks the versions first: nothing has been written yet, and the
// transaction holds the only write lock.
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

// append writes the receipts of this step, and those of the peer that it
// rests on.
func (s *Service) append(ctx context.Context, tx *store.Tx, st *step) ([]corridor.ReceiptRef, error) {
	var refs []corridor.ReceiptRef
	for i := range st.receipts {
		r := s.complete(st, st.receipts[i].body)
		ref, err := s.cfg.Ledger.Append(ctx, tx, r, s.cfg.Signer, st.receipts[i].secrets...)
		if err != nil {
			return nil, fmt.Errorf("receipt %s: %w", r.Type, err)
		}
		switch {
		case st.tr != nil:
			st.tr.Prev = ref.Leaf
		case st.neg != nil:
			st.neg.Prev = ref.Leaf
		}
		if st.receipts[i].note != nil {
			st.receipts[i].note(ref)
		}
		refs = append(refs, ref)
	}
	for _, p := range st.peers {
		if _, err := s.cfg.Ledger.StorePeerReceipt(ctx, tx, p); err != nil {
			return nil, fmt.Errorf("receipt of the peer: %w", err)
		}
	}
	return refs, nil
}

// complete fills in what every receipt of a step has in common.
func (s *Service) complete(st *step, r corridor.Receipt) corridor.Receipt {
	r.Version, r.Issuer = 1, s.cfg.Self.DID
	if n := st.neg; n != nil {
		r.Peer, r.Dataset, r.Negotiation = n.Peer, n.Dataset, n.PID
		if r.Agreement == "" {
			r.Agreement = n.Agreement
		}
		if st.tr == nil {
			r.Prev = n.Prev
		}
	}
	if t := st.tr; t != nil {
		r.Peer, r.Dataset, r.Agreement, r.Transfer, r.Negotiation = t.Peer, t.Dataset, t.Agreement, t.PID, t.Negotiation
		r.Prev = t.Prev
	}
	return r
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
	m.ext.Message = quoted(name)
	if len(refs) > 0 {
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
	if m.moves != dsp.None {
		st.move(m.moves, name)
	}
	return store.Enqueue(ctx, tx, store.Message{
		Kind: string(m.kind), Target: peer, Body: body, Key: pid, Deadline: s.now().Add(s.cfg.Retry),
		Headers: map[string]string{headBase: base, headPath: m.path, headProcess: pid, headName: name},
	})
}

func (st *step) outward() (pid, peer, base string) {
	if st.tr != nil {
		return st.tr.PID, st.tr.Peer, st.tr.Callback
	}
	return st.neg.PID, st.neg.Peer, st.neg.Callback
}

func (st *step) move(to dsp.State, name string) {
	if st.tr != nil {
		st.tr.Pending, st.tr.PendingName = to, name
		return
	}
	st.neg.Pending, st.neg.PendingName = to, name
}

// store writes the records. Their versions were checked before.
func (s *Service) store(ctx context.Context, tx *store.Tx, st *step) error {
	if err := s.keepCount(ctx, tx, st); err != nil { // before the versions move: a new agreement has none
		return err
	}
	now := s.now().UTC()
	if n := st.neg; n != nil {
		n.settleWaiting(now)
		n.Updated = now
		n.version++
		if err := put(ctx, tx, negotiationRow, n, n.PID, n.Peer, n.PeerPID, string(n.Role), string(n.State), n.PendingName, n.version, dsp.FormatTime(now)); err != nil {
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
		if err := s.schedule(ctx, tx, st); err != nil {
			return err
		}
	}
	if t := st.tr; t != nil {
		t.settleWaiting(now)
		t.Updated = now
		t.version++
		if err := put(ctx, tx, transferRow, t.stored(), t.PID, t.Peer, t.PeerPID, string(t.Role), t.Agreement, string(t.State), t.PendingName, t.version, dsp.FormatTime(now)); err != nil {
			return err
		}
		if err := take(ctx, tx, st, t.PID, t.version); err != nil {
			return err
		}
	}
	if err := s.keepTasks(ctx, tx, st); err != nil || st.inside == nil {
		return err
	}
	return st.inside(ctx, tx)
}

const (
	negotiationRow = `INSERT INTO negotiations (doc, pid, peer, peer_pid, role, state, pending, version, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (pid) DO UPDATE SET doc = excluded.doc, peer_pid = excluded.peer_pid, state = excluded.state, pending = excluded.pending, version = excluded.version, updated_at = excluded.updated_at`
	agreementRow = `INSERT INTO agreements (doc, id, negotiation, peer, role, dataset, state, version, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET doc = excluded.doc, state = excluded.state, version = excluded.version`
	transferRow = `INSERT INTO transfers (doc, pid, peer, peer_pid, role, agreement, state, pending, version, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (pid) DO UPDATE SET doc = excluded.doc, peer_pid = excluded.peer_pid, state = excluded.state, pending = excluded.pending, version = excluded.version, updated_at = excluded.updated_at`
)

func put(ctx context.Context, tx *store.Tx, statement string, record any, columns ...any) error {
	doc, err := json.Marshal(record)
	if err != nil {
		return corridor.E(corridor.Internal, "record: %w", err)
	}
	if _, err := tx.Exec(ctx, statement, append([]any{string(doc)}, columns...)...); err != nil {
		if store.IsUnique(err) { // the peer's pid: the same request in another transaction
			return errChanged
		}
		return fmt.Errorf("write record: %w", err)
	}
	return nil
}

func take(ctx context.Context, tx *store.Tx, st *step, pid string, version int64) error {
	if st.taken == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO taken (process, message, version) VALUES (?, ?, ?)
		ON CONFLICT (process, message) DO UPDATE SET version = excluded.version`, pid, st.taken, version)
	if err != nil {
		return fmt.Errorf("remember message: %w", err)
	}
	return nil
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
			tries++
		default:
			return err
		}
	}
	return &corridor.Error{Kind: corridor.Conflict, Msg: "the process is changing too fast", Fix: "try again"}
}

// since keeps the moment at which a wait began while its reason stays.
func since(old *Waiting, w Waiting, now time.Time) *Waiting {
	w.Since = now
	if old != nil && old.On == w.On && old.Why == w.Why {
		w.Since = old.Since
	}
	return &w
}
