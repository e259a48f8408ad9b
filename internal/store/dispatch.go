package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	// Late is asked before a message is given up because its deadline has passed:
	// an error keeps it, unsent, for a later attempt. Default: it is given up.
	Late func(ctx context.Context) error
	// Workers is how many messages are on their way at once. Default 8.
	Workers int
	// First is the pause after the first failure; each later one doubles, up to
	// Longest. Defaults 500 ms and 5 minutes.
	First, Longest time.Duration
	// Timeout ends one attempt. Default 30 s.
	Timeout time.Duration
	// Chance draws a number below n, by which a pause differs from that of other
	// nodes. Default rand.Int64N.
	Chance func(n int64) int64
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
	if o.Chance == nil {
		o.Chance = rand.Int64N
	}
	db.adoptOutbox()
	d := &dispatcher{db: db, o: o}
	db.outbox.mu.Lock()
	db.outbox.underway = map[int64]bool{}
	db.outbox.mu.Unlock()
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

	ready []Message // handed over and waiting for a free worker; owned by loop
}

func (d *dispatcher) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		scan := false
		select {
		case <-ctx.Done():
			return nil
		case <-d.db.outbox.wake:
		case <-timer.C:
			scan = true
		}
		next, scanned, err := d.start(ctx, scan)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case d.db.Away(err): // the server comes back, and nothing is lost meanwhile
			next, scanned = time.Now().Add(awayPause), true
		default:
			return fmt.Errorf("outbox: %w", err)
		}
		if !scanned {
			continue // the timer stands
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(max(time.Until(next), time.Millisecond))
		}
	}
}

// awayPause is how long the outbox waits for a server that is away.
const awayPause = time.Second

// Away says whether a server, and not this process, is the reason that nothing
// can be read or written now.
func (db *DB) Away(err error) bool {
	select {
	case <-db.closing:
		return false
	default:
		return db.server != nil && corridor.KindOf(err) == corridor.Unavailable
	}
}

// adoptOutbox lets the outbox look for messages of nodes that are gone before
// it looks for its own.
func (db *DB) adoptOutbox() {
	if db.line != nil {
		db.outboxAdopts.Store(true)
		db.wakeOutbox()
	}
}

// adopt takes over what a dead node had not sent. It may have sent the last
// of it: the receiver recognises the repeat.
func (d *dispatcher) adopt(ctx context.Context) error {
	if !d.db.outboxAdopts.Swap(false) {
		return nil
	}
	err := d.db.Write(ctx, func(tx *Tx) error {
		me := d.db.node()
		_, err := tx.Exec(ctx, `UPDATE outbox SET owner = ? WHERE state <> 'failed' AND owner <> ? AND owner NOT IN (SELECT id FROM store_nodes)
			AND EXISTS (SELECT 1 FROM store_nodes WHERE id = ?)`, me, me, me)
		return err
	})
	if err != nil {
		d.db.outboxAdopts.Store(true)
	}
	return err
}

// start sets off what was handed over, and then what is found in the table, as
// far as workers are free. If it looked there, it says when the next one is
// due.
func (d *dispatcher) start(ctx context.Context, scan bool) (next time.Time, scanned bool, err error) {
	o := &d.db.outbox
	o.mu.Lock()
	d.ready, o.handed = append(d.ready, o.handed...), nil
	o.scan = o.scan || scan || d.db.outboxAdopts.Load()
	for len(d.ready) > 0 && len(o.underway) < d.o.Workers {
		d.send(ctx, d.ready[0])
		d.ready = d.ready[1:]
	}
	free := d.o.Workers - len(o.underway)
	if !o.scan || free <= 0 { // the end of an attempt wakes the loop
		o.mu.Unlock()
		return next, false, nil
	}
	o.scan = false
	busy := maps.Clone(o.underway)
	o.mu.Unlock()

	now := time.Now()
	var list []Message
	if err = d.adopt(ctx); err == nil {
		// One more than can be sent: the surplus, if not yet due, sets the timer.
		list, err = d.readyMessages(ctx, free+len(busy)+1)
	}
	if err != nil {
		return next, false, err // the timer looks again
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range list {
		_, sending := busy[m.ID]
		switch {
		case sending:
		case m.NotBefore.After(now):
			if next.IsZero() {
				next = m.NotBefore
			}
		case free > 0:
			free--
			d.send(ctx, m)
		default:
			o.scan = true // the end of an attempt looks again
		}
	}
	return next, true, nil
}

// send begins an attempt. The caller holds the lock of the outbox. A message
// that is handed over while a search finds it may be sent twice: its receiver
// knows repeats.
func (d *dispatcher) send(ctx context.Context, m Message) {
	o := &d.db.outbox
	if _, sending := o.underway[m.ID]; sending {
		return
	}
	o.underway[m.ID] = false
	d.wg.Go(func() {
		again := d.attempt(ctx, m)
		o.mu.Lock()
		delete(o.underway, m.ID)
		o.scan = o.scan || again
		o.mu.Unlock()
		d.db.wakeOutbox()
	})
}

func (d *dispatcher) readyMessages(ctx context.Context, limit int) (list []Message, err error) {
	err = d.db.Read(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+messageColumns+` FROM outbox WHERE owner = ? AND state = 'ready' ORDER BY next_at, id LIMIT ?`, d.db.node(), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			m, err := scanMessage(rows)
			if err != nil {
				return err
			}
			list = append(list, m)
		}
		return rows.Err()
	})
	return list, err
}

// attempt tries one message once and records how it went. It says whether the
// message may have to be sent again.
func (d *dispatcher) attempt(ctx context.Context, m Message) (again bool) {
	err := d.deliver(ctx, m)
	if ctx.Err() != nil && err != nil {
		return true // shutting down: the attempt does not count, the next start repeats it
	}
	// A node that cannot write its own result must not keep silent about it by
	// spinning: the message stays due and the pause is kept in memory.
	werr := d.record(ctx, m, err)
	if werr != nil && ctx.Err() == nil {
		t := time.NewTimer(d.pause(m.Attempts))
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
	return err != nil || werr != nil
}

var errDeadline = &corridor.Error{Kind: corridor.Gone, Msg: "the deadline of the message has passed"}

// errKept says that a message stays although its deadline has passed.
var errKept = errors.New("it is neither sent nor given up")

func (d *dispatcher) deliver(ctx context.Context, m Message) error {
	if !m.Deadline.IsZero() && !time.Now().Before(m.Deadline) {
		if d.o.Late != nil {
			if err := d.o.Late(ctx); err != nil {
				return fmt.Errorf("%w: %w", errKept, err)
			}
		}
		return Permanent(errDeadline)
	}
	ctx, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	return contain(func() error { return d.o.Deliver(ctx, m) })
}

func (d *dispatcher) record(ctx context.Context, m Message, err error) error {
	if err == nil {
		if d.gone(m.ID) {
			return nil
		}
		return d.db.Write(ctx, func(tx *Tx) error { return Delivered(ctx, tx, m.ID) })
	}
	m.Attempts++
	if isPermanent(err) || m.MaxAttempts > 0 && m.Attempts >= m.MaxAttempts {
		return d.giveUp(ctx, m, err)
	}
	next := time.Now().Add(d.pause(m.Attempts - 1))
	if !m.Deadline.IsZero() && next.After(m.Deadline) && !errors.Is(err, errKept) {
		next = m.Deadline // the last act at the deadline is to give up
	}
	return d.db.Write(ctx, func(tx *Tx) error {
		_, werr := tx.Exec(ctx, `UPDATE outbox SET attempts = ?, next_at = ?, last_error = ? WHERE id = ? AND owner = ?`, m.Attempts, next.UnixMilli(), short(err), m.ID, d.db.node())
		return werr
	})
}

// gone says whether a message was taken out with the effect of its delivery.
func (d *dispatcher) gone(id int64) bool {
	d.db.outbox.mu.Lock()
	defer d.db.outbox.mu.Unlock()
	return d.db.outbox.underway[id]
}

func (d *dispatcher) giveUp(ctx context.Context, m Message, cause error) error {
	return d.db.Write(ctx, func(tx *Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM outbox WHERE id = ? AND owner = ?)`, m.ID, d.db.node()).Scan(&mine); err != nil || !mine {
			return err // gone over to another node, which decides
		}
		if err := d.o.Failed(ctx, tx, m, cause); err != nil {
			return err
		}
		return finishMessage(ctx, tx, `UPDATE outbox SET state = 'failed', attempts = ?, last_error = ? WHERE id = ? RETURNING ordering_key`, m.Attempts, short(cause), m.ID)
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
	return p - p/5 + time.Duration(d.o.Chance(int64(p/5*2+1)))
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
