package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"corridor"
)

// Outbox says how messages are sent.
type Outbox struct {
	// Deliver sends one message. On success it records the effect and calls
	// Delivered in one Write. An error means one more attempt later, unless it
	// is marked Permanent. It may be called again for a message whose delivery
	// took effect just before a crash: the receiver must recognise repeats.
	Deliver func(ctx context.Context, m Message) error
	// Failed runs in the transaction that gives a message up. Its error keeps
	// the message, and Failed is called again later.
	Failed func(ctx context.Context, tx *Tx, m Message, cause error) error
	// Workers is how many messages are on their way at once. Default 8.
	Workers int
	// First is the pause after the first failure; each later one doubles, up to
	// Longest. Defaults 500 ms and 5 minutes.
	First, Longest time.Duration
	// Timeout ends one attempt. Default 30 s.
	Timeout time.Duration
}

// RunOutbox sends messages until ctx ends; then it waits for the attempts
// under way and returns nil. It starts with what an earlier run left. It
// sleeps while nothing is due: commits wake it, and one timer stands for the
// next retry.
func (db *DB) RunOutbox(ctx context.Context, o Outbox) error {
	if o.Deliver == nil || o.Failed == nil {
		return corridor.E(corridor.Internal, "outbox: Deliver and Failed are needed")
	}
	if !db.outboxRuns.CompareAndSwap(false, true) {
		return corridor.E(corridor.Conflict, "the outbox is running already")
	}
	defer db.outboxRuns.Store(false)
	o.Workers = orDefault(o.Workers, 8)
	o.First = orDefault(o.First, 500*time.Millisecond)
	o.Longest = orDefault(o.Longest, 5*time.Minute)
	o.Timeout = orDefault(o.Timeout, 30*time.Second)
	d := &dispatcher{db: db, o: o, busy: map[int64]bool{}}
	defer d.wg.Wait()
	return d.loop(ctx)
}

func orDefault[T int | time.Duration](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}

type dispatcher struct {
	db *DB
	o  Outbox
	wg sync.WaitGroup

	mu   sync.Mutex // guards busy
	busy map[int64]bool
}

func (d *dispatcher) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.db.outboxWake:
		case <-timer.C:
		}
		next, err := d.start(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("outbox: %w", err)
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(max(time.Until(next), time.Millisecond))
		}
	}
}

// start sets off what is due and says when the next one will be.
func (d *dispatcher) start(ctx context.Context) (time.Time, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	free := d.o.Workers - len(d.busy)
	if free <= 0 {
		return time.Time{}, nil // the end of an attempt wakes the loop
	}
	now := time.Now()
	var due []Message
	var next time.Time
	err := d.db.Read(ctx, func(tx *Tx) error {
		// One more than can be sent: the surplus, if not yet due, sets the timer.
		list, err := readyMessages(ctx, tx, free+len(d.busy)+1)
		for _, m := range list {
			switch {
			case d.busy[m.ID]:
			case m.NotBefore.After(now):
				if next.IsZero() {
					next = m.NotBefore
				}
			case len(due) < free:
				due = append(due, m)
			}
		}
		return err
	})
	if err != nil {
		return next, err
	}
	for _, m := range due {
		d.busy[m.ID] = true
		d.wg.Go(func() {
			d.attempt(ctx, m)
			d.mu.Lock()
			delete(d.busy, m.ID)
			d.mu.Unlock()
			d.db.wakeOutbox()
		})
	}
	return next, nil
}

func readyMessages(ctx context.Context, tx *Tx, limit int) ([]Message, error) {
	rows, err := tx.Query(ctx, `SELECT id, kind, target, body, headers, ordering_key, attempts, max_attempts, next_at, deadline
		FROM outbox WHERE state = 'ready' ORDER BY next_at, id LIMIT ?`, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Message
	for rows.Next() {
		var m Message
		var headers string
		var next, deadline int64
		if err := rows.Scan(&m.ID, &m.Kind, &m.Target, &m.Body, &headers, &m.Key, &m.Attempts, &m.MaxAttempts, &next, &deadline); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(headers), &m.Headers); err != nil {
			return nil, err
		}
		m.NotBefore = time.UnixMilli(next)
		if deadline != 0 {
			m.Deadline = time.UnixMilli(deadline)
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

// attempt tries one message once and records how it went.
func (d *dispatcher) attempt(ctx context.Context, m Message) {
	err := d.deliver(ctx, m)
	if ctx.Err() != nil && err != nil {
		return // shutting down: the attempt does not count, the next start repeats it
	}
	// A node that cannot write its own result must not keep silent about it by
	// spinning: the message stays due and the pause is kept in memory.
	if werr := d.record(ctx, m, err); werr != nil && ctx.Err() == nil {
		t := time.NewTimer(d.pause(m.Attempts))
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
}

var errDeadline = &corridor.Error{Kind: corridor.Gone, Msg: "the deadline of the message has passed"}

func (d *dispatcher) deliver(ctx context.Context, m Message) error {
	if !m.Deadline.IsZero() && !time.Now().Before(m.Deadline) {
		return Permanent(errDeadline)
	}
	ctx, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	return contain(func() error { return d.o.Deliver(ctx, m) })
}

func (d *dispatcher) record(ctx context.Context, m Message, err error) error {
	if err == nil {
		return d.db.Write(ctx, func(tx *Tx) error { return Delivered(ctx, tx, m.ID) }) // no harm if it is gone
	}
	m.Attempts++
	if isPermanent(err) || m.MaxAttempts > 0 && m.Attempts >= m.MaxAttempts {
		return d.giveUp(ctx, m, err)
	}
	next := time.Now().Add(d.pause(m.Attempts - 1))
	if !m.Deadline.IsZero() && next.After(m.Deadline) {
		next = m.Deadline // the last act at the deadline is to give up
	}
	return d.db.Write(ctx, func(tx *Tx) error {
		_, werr := tx.Exec(ctx, `UPDATE outbox SET attempts = ?, next_at = ?, last_error = ? WHERE id = ?`, m.Attempts, next.UnixMilli(), short(err), m.ID)
		return werr
	})
}

func (d *dispatcher) giveUp(ctx context.Context, m Message, cause error) error {
	return d.db.Write(ctx, func(tx *Tx) error {
		if err := d.o.Failed(ctx, tx, m, cause); err != nil {
			return err
		}
		return finishMessage(ctx, tx, m.ID, `UPDATE outbox SET state = 'failed', attempts = ?, last_error = ? WHERE id = ?`, m.Attempts, short(cause))
	})
}

// pause doubles from First to Longest, with a fifth of chance either way so
// that many peers of one dead host do not come back together.
func (d *dispatcher) pause(failed int) time.Duration {
	p := d.o.Longest
	if failed < 30 {
		p = min(p, d.o.First<<failed)
	}
	if p <= 0 {
		p = d.o.Longest
	}
	return p - p/5 + rand.N(p/5*2+1)
}

func short(err error) string {
	var known *corridor.Error
	s := err.Error()
	if errors.As(err, &known) {
		s = known.Error()
	}
	if len(s) > 500 {
		s = s[:500]
	}
	return s
}
