package store

import (
	"context"
	"encoding/json"
	"errors"
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
}

// Enqueue adds m to the outbox in the caller's transaction.
func Enqueue(ctx context.Context, tx *Tx, m Message) error {
	if m.Kind == "" || m.Target == "" {
		return corridor.E(corridor.Internal, "outbox: a message needs a kind and a target")
	}
	if m.MaxAttempts <= 0 && m.Deadline.IsZero() {
		return corridor.E(corridor.Internal, "outbox: message %s has neither a deadline nor a number of attempts", m.Kind)
	}
	headers, err := json.Marshal(m.Headers)
	if err != nil {
		return err
	}
	state := "ready"
	if m.Key != "" {
		var ahead bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM outbox WHERE ordering_key = ? AND state IN ('ready', 'waiting'))`, m.Key).Scan(&ahead); err != nil {
			return err
		}
		if ahead {
			state = "waiting"
		}
	}
	next := time.Now()
	if m.NotBefore.After(next) {
		next = m.NotBefore
	}
	_, err = tx.Exec(ctx, `INSERT INTO outbox (kind, target, body, headers, ordering_key, state, attempts, max_attempts, next_at, deadline, last_error)
		VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, '')`,
		m.Kind, m.Target, nonNil(m.Body), string(headers), m.Key, state, m.MaxAttempts, next.UnixMilli(), millis(m.Deadline))
	if err != nil {
		return err
	}
	tx.AfterCommit(tx.db.wakeOutbox)
	return nil
}

// Delivered removes a message. The deliver function calls it in the same
// Write that records the effect of the delivery.
func Delivered(ctx context.Context, tx *Tx, id int64) error {
	return finishMessage(ctx, tx, id, `DELETE FROM outbox WHERE id = ?`)
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
func finishMessage(ctx context.Context, tx *Tx, id int64, statement string, args ...any) error {
	var key string
	if err := tx.QueryRow(ctx, `SELECT COALESCE((SELECT ordering_key FROM outbox WHERE id = ? AND state <> 'failed'), '')`, id).Scan(&key); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, statement, append(args, id)...); err != nil {
		return err
	}
	if key != "" {
		_, err := tx.Exec(ctx, `UPDATE outbox SET state = 'ready' WHERE id = (
			SELECT MIN(id) FROM outbox WHERE ordering_key = ? AND state = 'waiting')
			AND NOT EXISTS (SELECT 1 FROM outbox WHERE ordering_key = ? AND state = 'ready')`, key, key)
		if err != nil {
			return err
		}
	}
	tx.AfterCommit(tx.db.wakeOutbox)
	return nil
}

func (db *DB) wakeOutbox() {
	select {
	case db.outboxWake <- struct{}{}:
	default:
	}
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
