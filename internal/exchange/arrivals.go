package exchange

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/plane"
	"corridor/internal/store"
)

//go:embed arrivals.sql
var arrivalsSchema string

//go:embed arrivals_postgres.sql
var arrivalsPostgres string

// What a provider has released its consumer confirms: it completes the
// transfer, or its log holds its receipt of the arrival. If neither has come
// by the deadline, that is a fact of its own in the provider's log, once for
// each release: silence shows.

const (
	leaseArrivals    = "arrivals"
	confirmWithin    = 24 * time.Hour // as long as a message is repeated
	askAgainPatience = 15 * time.Second

	askArrivals  = 8                // peers at a time
	arrivalShare = 15 * time.Second // of a pass in which questions to one peer begin
	maxArrivals  = 10_000           // of a pass
)

// What a row of arrivals says.
const (
	arrivalAwaited     = "awaited"
	arrivalUnconfirmed = "unconfirmed"
)

// awaitArrival lets the deadline of a new release run.
func (s *Service) awaitArrival(t *Transfer) {
	t.Received, t.Acknowledged, t.Unconfirmed = nil, nil, nil // of other bytes, if there are any
	t.ConfirmBy = dsp.FormatTime(s.now().Add(s.cfg.ConfirmWithin))
}

// confirmed says whether the arrival of what was released is known.
func (t *Transfer) confirmed() bool { return t.Received != nil || t.Acknowledged != nil }

// late names, in the receipt of an arrival, the entry that says that it had
// not been confirmed in time.
func (t *Transfer) late(digests map[string]string) map[string]string {
	if t.Unconfirmed != nil {
		digests[corridor.DigestUnconfirmed] = t.Unconfirmed.Leaf
	}
	return digests
}

// keepArrival writes, with a transfer, until when its arrival is awaited, or
// that it was not confirmed by then.
func keepArrival(ctx context.Context, tx *store.Tx, t *Transfer) (err error) {
	switch {
	case t.ConfirmBy == "":
		return nil
	case t.confirmed():
		_, err = tx.Exec(ctx, `DELETE FROM arrivals WHERE transfer = ?`, t.PID)
	case t.Unconfirmed != nil:
		_, err = tx.Exec(ctx, putArrival, t.PID, arrivalUnconfirmed, t.ConfirmBy)
	default:
		_, err = tx.Exec(ctx, putArrival, t.PID, arrivalAwaited, t.ConfirmBy)
	}
	if err != nil {
		return fmt.Errorf("deadline of an arrival: %w", err)
	}
	return nil
}

const (
	putArrival = `INSERT INTO arrivals (transfer, state, due) VALUES (?, ?, ?) ON CONFLICT (transfer) DO UPDATE SET state = excluded.state, due = excluded.due`

	dueArrivals = `SELECT due, transfer FROM arrivals WHERE state = 'awaited' AND due <= ? AND (due, transfer) > (?, ?) ORDER BY due, transfer LIMIT ?`
	nextArrival = `SELECT COALESCE(MIN(due), '') FROM arrivals WHERE state = 'awaited' AND due > ?`
)

func (s *Service) arrivalsChanged() {
	select {
	case s.arrivals <- struct{}{}:
	default:
	}
}

// runArrivals says which releases were not confirmed: at the start those whose
// deadline passed while the node was down, then each at its second.
func (s *Service) runArrivals(ctx context.Context) error {
	return s.runTimer(ctx, "an arrival that was not confirmed could not be written down; it is tried again", s.arrivals, s.arrivalsDue)
}

// arrivalsDue looks at all whose deadline has passed and gives how long it is
// to the next, below zero if none is known. Peers are asked beside each other,
// and each may take a while of a pass and no more: what is left of a slow one
// is looked at in the next.
func (s *Service) arrivalsDue(ctx context.Context) (time.Duration, error) {
	byPeer, more := map[string][]string{}, false
	collected := 0
	wait, err := s.momentsCome(ctx, "arrivals that are due", dueArrivals, nextArrival, func(ctx context.Context, pid string) error {
		if collected == maxArrivals {
			more = true
			return nil
		}
		t, err := s.transfer(ctx, pid)
		if err == nil && s.overdueArrival(&t) {
			byPeer[t.Peer] = append(byPeer[t.Peer], pid)
			collected++
		}
		return err
	})
	failed := []error{err} // what could be read is looked at all the same
	var mu sync.Mutex      // guards failed and more
	var g errgroup.Group
	g.SetLimit(askArrivals)
	for _, peer := range slices.Sorted(maps.Keys(byPeer)) {
		g.Go(func() error {
			left, err := s.missingOf(ctx, byPeer[peer])
			mu.Lock()
			defer mu.Unlock()
			failed, more = append(failed, err), more || left
			return nil
		})
	}
	_ = g.Wait() // what failed is in the list: one peer does not hold up the others
	if err := errors.Join(failed...); err != nil {
		return -1, err
	}
	if more {
		return 0, nil
	}
	return wait, nil
}

// missingOf looks at the releases to one peer, as long as its share of a pass
// lasts, and says whether any are left. An answer that has been waited for in
// vain counts for all of them.
func (s *Service) missingOf(ctx context.Context, pids []string) (left bool, err error) {
	var failed []error
	var silent error
	began := time.Now()
	for i, pid := range pids {
		if i > 0 && silent == nil && time.Since(began) > s.arrivalShare {
			return true, errors.Join(failed...)
		}
		if err := s.missing(ctx, pid, &silent); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", pid, err))
		}
	}
	return false, errors.Join(failed...)
}

// missing asks the consumer's log once more for the arrival of a release whose
// deadline has passed. If it holds none, or says nothing, that is written down
// with the answer. A crash before the commit asks again; after it, nobody does.
func (s *Service) missing(ctx context.Context, pid string, silent *error) error {
	t, err := s.transfer(ctx, pid)
	if err != nil || !s.overdueArrival(&t) {
		return err
	}
	ref, answer, err := s.askAgain(ctx, &t, silent)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	asked := dsp.FormatTime(s.now())
	t, err = s.actTransfer(ctx, pid, func(t *Transfer, st *step) error {
		if !s.overdueArrival(t) { // it came while we asked
			return nil
		}
		if ref != nil { // only the word that it is complete was lost; it is still taken
			t.Received = ref
			return nil
		}
		st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferUnconfirmed, State: string(t.State), Due: t.ConfirmBy,
			Reason:  short("the consumer has not confirmed the arrival", []string{"asked again at " + asked, answer}),
			Digests: map[string]string{corridor.DigestContent: t.SHA256, corridor.DigestReleased: t.Released.Leaf}},
			note: func(ref corridor.ReceiptRef) { t.Unconfirmed = &ref }}}
		return nil
	})
	if err == nil && t.Unconfirmed != nil {
		s.log.WarnContext(ctx, "a release was not confirmed by its deadline", "transfer", pid, "peer", t.Peer, "due", t.ConfirmBy, "asked", answer)
	}
	return err
}

// overdueArrival says whether the arrival of a release is to be written down
// as not confirmed.
func (s *Service) overdueArrival(t *Transfer) bool {
	if t.ConfirmBy == "" || t.confirmed() || t.Unconfirmed != nil || t.Released == nil {
		return false
	}
	by, err := dsp.ParseTime(t.ConfirmBy)
	return err != nil || !s.now().Before(by)
}

// askAgain looks in the consumer's log for its receipt of the arrival. What
// fails on this side is no silence of the peer's: it is an error, and the
// question is put again.
func (s *Service) askAgain(ctx context.Context, t *Transfer, silent *error) (ref *corridor.ReceiptRef, answer string, err error) {
	if t.Plain {
		return nil, "it speaks the Dataspace Protocol only and has no log that could be asked", nil
	}
	a, err := s.Agreement(ctx, t.Agreement)
	if err == nil {
		_, err = corridor.DecodeAgreement(a.Signed)
	}
	if err != nil {
		return nil, "", fmt.Errorf("agreement %s: %w", t.Agreement, err)
	}
	if err = *silent; err == nil {
		ask, cancel := context.WithTimeout(ctx, askAgainPatience)
		defer cancel()
		ref, _, err = s.receiptNow(ask, a, t, corridor.ReceiptTransferReceived, plane.Result{SHA256: t.SHA256})
	}
	switch {
	case ref != nil: // it is there, even if it could not be kept yet
		return ref, "", nil
	case errors.Is(err, errNoSuchReceipt):
		return nil, "its log shows no receipt of it", nil
	}
	*silent = err
	_, why, _ := explain(err)
	return nil, "its log could not be read: " + strings.Join(why, "; "), nil
}
