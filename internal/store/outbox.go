package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"corridor"
)

// Message is one message to a peer. It leaves only after the transaction
// that enqueued it is durable, and is tried until it is delivered, its bounds
// are reached, or its failure is permanent.
type Message struct {
	ID          int64
	Kind        string // what it is, for the deliver function
	Target      string // where it goes
	Body        []byte
	Headers     map[string]string
	Key         string    // messages of one key leave one after the other; empty means any order
	Attempts    int       // attempts that failed so far
	MaxAttempts int       // 0 means as many as fit before the deadline; one of the two is needed
	NotBefore   time.Time // zero means at once
	Deadline    time.Time
	// Fresh says that nothing can have changed since: the message comes straight
	// from the transaction that enqueued it.
	Fresh bool
}

// Enqueue adds m to the outbox in the caller's transaction, and gives the ID
// by which Delivered takes it out again.
func Enqueue(ctx context.Context, tx *Tx, m Message) (id int64, err error) {
	if m.Kind == "" || m.Target == "" {
		return 0, corridor.E(corridor.Internal, "outbox: a message needs a kind and a target")
	}
	if m.MaxAttempts <= 0 && m.Deadline.IsZero() {
		return 0, corridor.E(corridor.Internal, "outbox: message %s has neither a deadline nor a number of attempts", m.Kind)
	}
	headers, err := json.Marshal(m.Headers)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	next := now
	if m.NotBefore.After(next) {
		next = m.NotBefore
	}
	var state string
	err = tx.QueryRow(ctx, enqueueMessage, m.Kind, m.Target, nonNil(m.Body), string(headers), m.Key, m.Key, m.MaxAttempts, next.UnixMilli(), millis(m.Deadline), tx.db.node()).Scan(&m.ID, &state)
	if err != nil {
		return 0, err
	}
	switch {
	case state == "waiting": // the end of the one before it lets it go
	case next.After(now):
		tx.AfterCommit(tx.db.scanOutbox)
	default:
		m.Fresh = true
		tx.handOver(m)
	}
	return m.ID, nil
}

// enqueueMessage puts a message behind the others of its key. It belongs to
// the node that enqueues it.
const enqueueMessage = `INSERT INTO outbox (kind, target, body, headers, ordering_key, state, attempts, max_attempts, next_at, deadline, last_error, owner)
	VALUES (?, ?, ?, ?, ?, CASE WHEN EXISTS (SELECT 1 FROM outbox WHERE ordering_key = ? AND ordering_key <> '' AND state IN ('ready', 'waiting')) THEN 'waiting' ELSE 'ready' END,
	0, ?, ?, ?, '', ?) RETURNING id, state`

// handOver gives a message to the sender as soon as the transaction is
// durable, without a search.
func (tx *Tx) handOver(m Message) {
	db := tx.db
	tx.AfterCommit(func() {
		db.outbox.mu.Lock()
		defer db.outbox.mu.Unlock()
		if len(db.outbox.handed) < maxHanded {
			db.outbox.handed = append(db.outbox.handed, m)
		} else {
			db.outbox.scan = true
		}
		db.wakeOutbox()
	})
}

// maxHanded bounds the messages that wait in memory; the others are found in
// the table.
const maxHanded = 256

// handed is what the sender is told. The table holds every message; what is
// lost here is found there.
type handed struct {
	wake chan struct{}

	mu       sync.Mutex // guards what follows
	handed   []Message
	scan     bool           // there may be messages that were not handed over
	underway map[int64]bool // being sent; true: its effect is recorded and it is gone
}

// Delivered removes a message. The deliver function calls it in the same
// Write that records the effect of the delivery.
func Delivered(ctx context.Context, tx *Tx, id int64) error {
	tx.AfterCommit(func() { tx.db.settled(id) })
	return finishMessage(ctx, tx, `DELETE FROM outbox WHERE id = ? RETURNING ordering_key`, id)
}

// NextAttempt says when a message that has failed is tried again.
func NextAttempt(ctx context.Context, tx *Tx, id int64) (at time.Time, failed bool, err error) {
	var attempts int
	var next int64
	err = tx.QueryRow(ctx, `SELECT attempts, next_at FROM outbox WHERE id = ?`, id).Scan(&attempts, &next)
	if errors.Is(err, sql.ErrNoRows) {
		return at, false, nil // it has just arrived
	}
	return time.UnixMilli(next).UTC(), attempts > 0, err
}

func (db *DB) settled(id int64) {
	db.outbox.mu.Lock()
	defer db.outbox.mu.Unlock()
	if _, ours := db.outbox.underway[id]; ours {
		db.outbox.underway[id] = true
	}
}

// Permanent marks an error of a delivery that no retry can mend.
func Permanent(err error) error { return permanent{err} }

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

func isPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

// finishMessage takes a message out of its queue and lets the next one of
// its key go.
func finishMessage(ctx context.Context, tx *Tx, statement string, args ...any) error {
	var key string
	err := tx.QueryRow(ctx, statement, args...).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // gone already, and the next one let go
	}
	if err != nil || key == "" {
		return err
	}
	m, err := scanMessage(tx.QueryRow(ctx, releaseNext, tx.db.node(), key, key))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	tx.handOver(m)
	return nil
}

const (
	messageColumns = `id, kind, target, body, headers, ordering_key, attempts, max_attempts, next_at, deadline`

	releaseNext = `UPDATE outbox SET state = 'ready', owner = ? WHERE id = (SELECT MIN(id) FROM outbox WHERE ordering_key = ? AND state = 'waiting')
		AND NOT EXISTS (SELECT 1 FROM outbox WHERE ordering_key = ? AND state = 'ready') RETURNING ` + messageColumns
)

// scanMessage reads a row of messageColumns.
func scanMessage(row interface{ Scan(...any) error }) (m Message, err error) {
	var headers string
	var next, deadline int64
	if err := row.Scan(&m.ID, &m.Kind, &m.Target, &m.Body, &headers, &m.Key, &m.Attempts, &m.MaxAttempts, &next, &deadline); err != nil {
		return m, err
	}
	m.NotBefore = time.UnixMilli(next)
	if deadline != 0 {
		m.Deadline = time.UnixMilli(deadline)
	}
	return m, json.Unmarshal([]byte(headers), &m.Headers)
}

func (db *DB) wakeOutbox() {
	select {
	case db.outbox.wake <- struct{}{}:
	default:
	}
}

// scanOutbox lets the sender look into the table.
func (db *DB) scanOutbox() {
	db.outbox.mu.Lock()
	defer db.outbox.mu.Unlock()
	db.outbox.scan = true
	db.wakeOutbox()
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
