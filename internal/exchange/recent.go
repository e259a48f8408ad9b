package exchange

import (
	"context"
	"slices"
	"sync"

	"corridor/internal/store"
)

// recent keeps the records that were read or written last, so that a step of a
// process does not decode again what the step before it wrote. Where several
// nodes write, the database is asked for the version every time, and a record
// of another version is not used; where this process alone writes, what it has
// made durable last is what the database holds. A record that turns out to be
// old is forgotten, and the commit checks versions either way. What a record
// points to is shared: nobody changes it in place.
//
// There are two halves of at most maxRecent records. When the young half is
// full it becomes the old one, and what was in the old one is forgotten.
//
// From the moment a transaction writes a record until memory has what it made
// durable, the database is asked: others, such as the peer that answers the
// message of that step, may be quicker than the goroutine that wrote it.
type recent[T any] struct {
	mu         sync.Mutex
	young, old map[string]versioned[T]
	moving     map[string]int // transactions that write the record
}

type versioned[T any] struct {
	record  T
	version int64
}

const maxRecent = 256

func (r *recent[T]) get(id string, version int64) (T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record, have, ok := r.last(id)
	return record, ok && have == version
}

// moves says that a transaction writes the record, and moved that memory is
// right again: what was written is there, or was not made durable.
func (r *recent[T]) moves(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moving == nil {
		r.moving = map[string]int{}
	}
	r.moving[id]++
}

func (r *recent[T]) moved(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moving[id]--; r.moving[id] == 0 {
		delete(r.moving, id)
	}
}

// newest gives what was put last, unless it may be old already.
func (r *recent[T]) newest(id string) (record T, version int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moving[id] > 0 {
		return record, 0, false
	}
	return r.last(id)
}

func (r *recent[T]) last(id string) (record T, version int64, ok bool) {
	v, ok := r.young[id]
	if !ok {
		if v, ok = r.old[id]; ok {
			r.keep(id, v)
		}
	}
	return v.record, v.version, ok
}

// put keeps a record, unless a newer one is there: two steps may end in one
// order and come here in the other.
func (r *recent[T]) put(id string, version int64, record T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, half := range []map[string]versioned[T]{r.young, r.old} {
		if have, ok := half[id]; ok && have.version > version {
			return
		}
	}
	r.keep(id, versioned[T]{record, version})
}

func (r *recent[T]) forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.young, id)
	delete(r.old, id)
}

func (r *recent[T]) keep(id string, v versioned[T]) {
	if r.young == nil || len(r.young) >= maxRecent {
		r.old, r.young = r.young, map[string]versioned[T]{}
	}
	r.young[id] = v
}

// table is where the records of one kind are.
type table[T any] struct {
	recent   recent[T]
	key      string
	version, // gives the key and the version of the record that a condition finds
	doc string // gives document and version of the record of a key
	read readFunc[T]
	clip func(T) T // leaves no room behind the lists of a record, in which two copies of it could both add
}

// readFunc puts a record together from its document and what stands beside it.
type readFunc[T any] func(ctx context.Context, tx *store.Tx, id, doc string) (T, error)

func newTable[T any](name, key string, read readFunc[T], clip func(T) T) *table[T] {
	return &table[T]{clip: clip, key: key, version: `SELECT ` + key + `, version FROM ` + name + ` WHERE `, doc: `SELECT doc, version FROM ` + name + ` WHERE ` + key + ` = ?`, read: read}
}

// find reads one record. The error is sql.ErrNoRows if there is none.
func (t *table[T]) find(ctx context.Context, tx *store.Tx, where string, args ...any) (record T, version int64, err error) {
	var id, doc string
	if err := tx.QueryRow(ctx, t.version+where, args...).Scan(&id, &version); err != nil {
		return record, 0, err
	}
	if record, known := t.recent.get(id, version); known {
		return record, version, nil
	}
	if err := tx.QueryRow(ctx, t.doc, id).Scan(&doc, &version); err != nil {
		return record, 0, err
	}
	if record, err = t.read(ctx, tx, id, doc); err == nil && !tx.Writes() { // what another caller of this transaction wrote may not become durable
		t.keep(id, version, record)
	}
	return record, version, err
}

// keep puts a record into memory.
func (t *table[T]) keep(id string, version int64, record T) {
	t.recent.put(id, version, t.clip(record))
}

// newest reads one record by its key: from memory where nobody else can have
// written a newer one.
func (t *table[T]) newest(ctx context.Context, db *store.DB, id string) (record T, version int64, err error) {
	if !db.Shared() {
		if record, version, ok := t.recent.newest(id); ok {
			return record, version, ctx.Err()
		}
	}
	err = db.Read(ctx, func(tx *store.Tx) error {
		record, version, err = t.find(ctx, tx, t.key+` = ?`, id)
		return err
	})
	return record, version, err
}

// forget lets the records of a step that lost a race be read again.
func (s *Service) forget(st *step) {
	s.each(st, (*recent[Negotiation]).forget, (*recent[Agreement]).forget, (*recent[Transfer]).forget)
}

// moves says that the records of a step are being written, until settled is
// called: memory has what was made durable, or nothing was.
func (s *Service) moves(tx *store.Tx, st *step) (settled func()) {
	s.each(st, (*recent[Negotiation]).moves, (*recent[Agreement]).moves, (*recent[Transfer]).moves)
	was := *st
	settled = sync.OnceFunc(func() {
		s.each(&was, (*recent[Negotiation]).moved, (*recent[Agreement]).moved, (*recent[Transfer]).moved)
	})
	tx.AtEnd(settled)
	return settled
}

// each does something about each record of a step.
func (s *Service) each(st *step, neg func(*recent[Negotiation], string), agr func(*recent[Agreement], string), tr func(*recent[Transfer], string)) {
	if st.neg != nil {
		neg(&s.negotiations.recent, st.neg.PID)
	}
	if st.agr != nil {
		agr(&s.agreements.recent, st.agr.ID)
	}
	for _, t := range []*Transfer{st.tr, st.whole} {
		if t != nil {
			tr(&s.transfers.recent, t.PID)
		}
	}
}

// remember keeps the records that a step has made durable.
func (s *Service) remember(st *step) {
	if n := st.neg; n != nil {
		s.negotiations.keep(n.PID, n.version, *n)
	}
	if a := st.agr; a != nil {
		a := *a
		a.textKept = true
		s.agreements.keep(a.ID, a.version, a)
	}
	for _, t := range []*Transfer{st.tr, st.whole} {
		if t != nil {
			s.transfers.keep(t.PID, t.version, *t)
		}
	}
}

func (n Negotiation) clipped() Negotiation {
	n.Reason, n.Approvals, n.Cites, n.Missing = slices.Clip(n.Reason), slices.Clip(n.Approvals), slices.Clip(n.Cites), slices.Clip(n.Missing)
	n.requests, n.published = slices.Clip(n.requests), ""
	return n
}

func (a Agreement) clipped() Agreement {
	a.Reason, a.Cites, a.Validations = slices.Clip(a.Reason), slices.Clip(a.Cites), slices.Clip(a.Validations)
	return a
}

func (t Transfer) clipped() Transfer {
	t.Reason = slices.Clip(t.Reason)
	return t
}
