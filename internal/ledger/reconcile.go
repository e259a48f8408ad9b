package ledger

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// A database that was restored from a backup does not know what was signed
// since. The witnesses do. So a node that starts asks them what they have
// cosigned of its log, before it signs anything; what it cannot have compared,
// it does not continue.

// Reconcile compares the log with what its witnesses have cosigned, and asks
// again until so many have answered that those who have not could not have
// been enough. It returns when the log may be signed, with the reason when it
// may not be, or when ctx ends.
func (l *Log) Reconcile(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		l.mu.Lock()
		waits := l.waits != nil
		l.mu.Unlock()
		if !waits {
			return l.Stopped()
		}
		silent, err := l.askAll(ctx)
		if err != nil { // it is halted
			return err
		}
		l.mu.Lock()
		l.waits = nil
		if l.policy.Satisfied(silent) {
			l.waits = l.unreconciled(silent)
		}
		waiting := l.waits
		l.announce()
		l.mu.Unlock()
		if waiting == nil {
			return l.Stopped()
		}
		l.cfg.Logger.WarnContext(ctx, "the log waits for its witnesses before it is signed again", "err", waiting)
		select {
		case <-ctx.Done():
			return corridor.E(corridor.Unavailable, "%w", ctx.Err())
		case <-time.After(pause(attempt)):
		}
	}
}

// Reconciled returns when Reconcile has found an answer: nil if the log may be
// signed.
func (l *Log) Reconciled(ctx context.Context) error {
	for {
		l.mu.Lock()
		changed, stop, waits := l.changed, l.stop, l.waits
		l.mu.Unlock()
		if stop != nil || waits == nil {
			return stop
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return corridor.E(corridor.Unavailable, "%w", ctx.Err())
		}
	}
}

func (l *Log) names() []string {
	out := make([]string, len(l.policy.Witnesses))
	for i, w := range l.policy.Witnesses {
		out[i] = w.Name
	}
	return out
}

func (l *Log) unreconciled(silent []string) error {
	return &corridor.Error{Kind: corridor.Unavailable, Where: l.cfg.Origin,
		Msg: "this log is not signed yet: these witnesses have not said what they have cosigned of it: " + strings.Join(silent, ", "),
		Why: "if the database is an old copy, signing would fork the log: every peer would see it as fraud",
		Fix: "it goes on by itself when they answer; a witness that is gone for good is taken out of the policy"}
}

// askAll asks every witness at once and names those that gave no answer.
func (l *Log) askAll(ctx context.Context) (silent []string, err error) {
	answers := make([]error, len(l.policy.Witnesses))
	var wg sync.WaitGroup
	for i, w := range l.policy.Witnesses {
		wg.Go(func() { answers[i] = l.ask(ctx, w) })
	}
	wg.Wait()
	if err := l.halted(); err != nil {
		return nil, err
	}
	for i, w := range l.policy.Witnesses {
		if answers[i] != nil {
			silent = append(silent, w.Name)
			l.cfg.Logger.WarnContext(ctx, "a witness did not say what it has cosigned", "witness", w.Name, "err", answers[i])
		}
	}
	return silent, nil
}

func (l *Log) halted() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stop
}

// ask compares the log with what one witness has cosigned of it. Only a
// checkpoint under the log's own key counts.
func (l *Log) ask(ctx context.Context, w verify.PolicyWitness) error {
	if w.URL == "" {
		return corridor.E(corridor.Unavailable, "the policy gives no address of witness %s", w.Name)
	}
	ask := worker{r: &round{l: l}, w: w}
	body, status, _, err := ask.call(ctx, http.MethodGet, "/"+verify.OriginID(l.cfg.Origin)+"/checkpoint", nil)
	switch {
	case err != nil:
		return err
	case status == http.StatusNotFound: // it has cosigned nothing yet, or does not say so to monitors
		return ask.offer(ctx)
	case status != http.StatusOK:
		return corridor.E(corridor.Unavailable, "witness %s answers %d", w.Name, status)
	}
	c, _, err := verify.OpenCheckpoint(body, l.verifier)
	if err != nil {
		return err
	}
	return l.compare(ctx, w, c, body)
}

// offer finds out by the submission protocol alone what a witness has cosigned:
// it is offered the newest checkpoint, which is signed already.
func (w *worker) offer(ctx context.Context) error {
	l := w.r.l
	if err := l.upToDate(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	own := l.head
	l.mu.Unlock()
	for old := int64(0); ; {
		r, err := w.post(ctx, old, own)
		switch {
		case err != nil:
			return err
		case r.status == http.StatusOK, r.status == http.StatusNotFound, r.status == http.StatusForbidden: // it continues what it has, or has nothing
			return nil
		case r.status == http.StatusUnprocessableEntity:
			return l.halt(ctx, w.w, fmt.Sprintf("has cosigned another tree of %d entries than the one here", old), []byte{})
		case r.status == http.StatusConflict && r.size > own.checkpoint.Size:
			return l.halt(ctx, w.w, fmt.Sprintf("has cosigned %d entries, and this database holds %d: it is an old copy", r.size, own.checkpoint.Size), []byte{})
		case r.status == http.StatusConflict && r.size > old:
			old = r.size
		default:
			return corridor.E(corridor.Unavailable, "witness %s answers %d", w.w.Name, r.status)
		}
	}
}

// compare halts the log if it does not hold what a witness has cosigned.
func (l *Log) compare(ctx context.Context, w verify.PolicyWitness, c verify.Checkpoint, signed []byte) error {
	if err := l.upToDate(ctx); err != nil { // another node may have gone on
		return err
	}
	l.mu.Lock()
	own := l.head.checkpoint
	l.mu.Unlock()
	if c.Size > own.Size {
		return l.halt(ctx, w, fmt.Sprintf("has cosigned %d entries, and this database holds %d: it is an old copy", c.Size, own.Size), signed)
	}
	var root tlog.Hash
	err := l.db.Read(ctx, func(tx *store.Tx) (err error) {
		root, err = tlog.TreeHash(c.Size, tileReader(ctx, tx, own))
		return err
	})
	if err != nil {
		return fmt.Errorf("the tree of %d entries: %w", c.Size, err)
	}
	if root != c.Root {
		return l.halt(ctx, w, fmt.Sprintf("has cosigned another tree of %d entries than the one here", c.Size), signed)
	}
	return nil
}
