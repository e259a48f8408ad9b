package profile

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
)

// Operator plays the script: it is told of every committed change, and takes
// its act some time after, as a person or a business system would. The delay
// also gives the kit the time that it needs to see a state before the next.
type Operator struct {
	Delay time.Duration
	Log   *slog.Logger

	script map[Key][]move
	mu     sync.Mutex
	seen   map[string]*progress // by pid
	todo   chan func(context.Context)
	x      *exchange.Service
	db     *store.DB // of x
}

// progress is how often one process has been in which state.
type progress struct {
	last  dsp.State
	times map[dsp.State]int
}

// NewOperator makes an operator. Its Changed goes into the exchange's
// configuration, and Run plays once the exchange is there.
func NewOperator(delay time.Duration, log *slog.Logger) *Operator {
	return &Operator{Delay: delay, Log: log, script: Script(), seen: map[string]*progress{}, todo: make(chan func(context.Context), 256)}
}

// Changed is told of a committed change. A state counts when both sides are in
// it: while a message is on its way, it is not yet.
func (o *Operator) Changed(c exchange.Change) {
	switch {
	case c.Negotiation != nil && c.Negotiation.Pending != dsp.None:
		o.leaves(c.Negotiation.PID)
	case c.Transfer != nil && c.Transfer.Pending != dsp.None:
		o.leaves(c.Transfer.PID)
	case c.Negotiation != nil:
		n := c.Negotiation
		o.came(n.PID, Key(n.Dataset), n.State, func(ctx context.Context, do act) error { return o.negotiate(ctx, *n, do) })
	case c.Transfer != nil:
		t := c.Transfer
		o.came(t.PID, Key(t.Agreement), t.State, func(ctx context.Context, do act) error { return o.transfer(ctx, t.PID, do) })
	}
}

// leaves notes that a process is on its way out of its state. If the peer
// answers before its acknowledgement is back, the state between is never seen.
func (o *Operator) leaves(pid string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.seen[pid]; p != nil {
		p.last = dsp.None
	}
}

func (o *Operator) came(pid string, key Key, state dsp.State, do func(context.Context, act) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.seen[pid]
	if p == nil {
		p = &progress{times: map[dsp.State]int{}}
		o.seen[pid] = p
	}
	if p.last == state {
		return
	}
	p.last = state
	p.times[state]++
	for _, m := range o.script[key] {
		if m.at != state || m.nth != p.times[state] {
			continue
		}
		select {
		case o.todo <- func(ctx context.Context) { o.later(ctx, pid, key, state, m.do, do) }:
		default:
			o.Log.Error("the operator of the test profile has too much to do", "test", key)
		}
	}
}

// later waits and acts, once the kit has heard what was to be said before:
// what ends a process takes the place of what was not sent yet. What has moved
// on meanwhile is left alone: the kit was quicker, and the exchange says so.
func (o *Operator) later(ctx context.Context, pid string, key Key, state dsp.State, what act, do func(context.Context, act) error) {
	wait := time.NewTimer(o.Delay)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return
	case <-wait.C:
	}
	err := o.said(ctx, pid)
	if err == nil {
		err = do(ctx, what)
	}
	o.Log.Info("the operator acted", "test", key, "process", pid, "state", state, "act", what, "error", err)
}

// said waits until no message of a process is in the outbox.
func (o *Operator) said(ctx context.Context, pid string) error {
	for {
		var left int
		err := o.db.Read(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT COUNT(*) FROM outbox WHERE ordering_key = ? AND state IN ('ready', 'waiting')`, pid).Scan(&left)
		})
		if err != nil || left == 0 {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func (o *Operator) negotiate(ctx context.Context, n exchange.Negotiation, do act) (err error) {
	switch do {
	case offer:
		_, err = o.x.Offer(ctx, n.PID, nil)
	case counter:
		_, err = o.x.CounterRequest(ctx, n.PID, exchange.Acceptance{Terms: terms(n.Offer.ID)})
	case agree:
		_, err = o.x.Agree(ctx, n.PID)
	case accept:
		_, err = o.x.Accept(ctx, n.PID, exchange.Acceptance{})
	case verify:
		_, err = o.x.Verify(ctx, n.PID)
	case finalize:
		_, err = o.x.Finalize(ctx, n.PID)
	case terminate:
		_, err = o.x.Terminate(ctx, n.PID, "", "the script of the test ends it")
	default:
		err = fmt.Errorf("%q is no act of a negotiation", do)
	}
	return err
}

func (o *Operator) transfer(ctx context.Context, pid string, do act) (err error) {
	switch do {
	case start:
		_, err = o.x.Start(ctx, pid)
	case suspend:
		_, err = o.x.Suspend(ctx, pid, "the script of the test suspends it")
	case resume:
		_, err = o.x.Resume(ctx, pid)
	case complete:
		_, err = o.x.Complete(ctx, pid)
	case terminate:
		_, err = o.x.TerminateTransfer(ctx, pid, "the script of the test ends it")
	default:
		err = fmt.Errorf("%q is no act of a transfer", do)
	}
	return err
}

// Run acts on an exchange until ctx ends, each act on its own.
func (o *Operator) Run(ctx context.Context, x *exchange.Service, db *store.DB) error {
	o.x, o.db = x, db
	var acts sync.WaitGroup
	defer acts.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-o.todo:
			acts.Go(func() { f(ctx) })
		}
	}
}
