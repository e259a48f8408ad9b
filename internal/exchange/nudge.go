package exchange

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/store"
)

// Whoever adds to a dataset that grows nudges the consumers of its running
// transfers, so that they look at once and not at their next turn. A nudge
// carries no authority and no data: it says only that now is a good time. One
// that is lost costs the wait for the next look. Data that goes on runs between
// Corridors alone, so that no other connector ever gets one.

const (
	nudgesAtOnce = 16                     // consumers that are told at the same time
	nudgeWait    = 5 * time.Second        // for the answer of one
	lookLeast    = 200 * time.Millisecond // between two looks that nudges ask for
)

// LookPath is where a provider nudges a consumer, below the DSP base.
func LookPath(pid string) string { return dsp.TransferPath(pid) + "/corridor-look" }

// runNudges tells the consumers of what has grown.
func (s *Service) runNudges(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(nudgesAtOnce)
	defer g.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.toNudge.wake:
		}
		for _, dataset := range s.toNudge.take() {
			pids, err := s.goingOn(ctx, dataset)
			if err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "the consumers of a dataset that has grown could not be told; they see it when they look next", "dataset", dataset, "error", err)
			}
			for _, pid := range pids {
				g.Go(func() error {
					s.nudge(ctx, pid)
					return nil
				})
			}
		}
	}
}

// goingOn lists the transfers of a dataset that go on.
func (s *Service) goingOn(ctx context.Context, dataset string) (pids []string, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT t.pid FROM agreements a JOIN transfers t ON t.agreement = a.id
			WHERE a.dataset = ? AND a.state = ? AND t.role = 'provider' AND t.state = 'STARTED' AND t.part_of = ''`, dataset, AgreementInForce)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var pid string
			if err := rows.Scan(&pid); err != nil {
				return err
			}
			pids = append(pids, pid)
		}
		return rows.Err()
	})
	if err != nil {
		err = fmt.Errorf("transfers of %s: %w", dataset, err)
	}
	return pids, err
}

// nudge tells one consumer.
func (s *Service) nudge(ctx context.Context, pid string) {
	t, err := s.transfer(ctx, pid)
	if err != nil || !t.growing() || t.State != dsp.Started || t.Parked != "" {
		return // it looks when it is started again
	}
	if t.pushed() {
		if t.Stalled == nil {
			s.run.wanted(pid)
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, nudgeWait)
	defer cancel()
	if _, err := s.client.Send(ctx, dsp.Peer{ID: t.Peer, Base: t.Callback}, LookPath(t.PeerPID), nil); err != nil {
		s.log.InfoContext(ctx, "a consumer could not be told that there is more; it sees that when it looks next", "transfer", pid, "error", err)
	}
}

// Look takes a nudge: the provider of data that goes on has more.
func (s *Service) Look(ctx context.Context, c identity.Caller, pid string) (*dsp.TransferProcess, error) {
	t, err := s.transfer(ctx, pid)
	if err != nil {
		return nil, err
	}
	if t.Peer != c.DID || t.Role != dsp.Consumer || !t.growing() || t.pushed() {
		return nil, noSuch("transfer", pid)
	}
	if t.State == dsp.Started && t.Pending == dsp.None && t.Parked == "" && t.Stalled == nil {
		s.lookSoon(ctx, pid)
	}
	return t.view(), nil
}

// lookSoon lets the node that has a transfer in hand look whether there is more.
func (s *Service) lookSoon(ctx context.Context, pid string) {
	if s.run.sooner(pid) || !s.db.Shared() {
		return
	}
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		tx.Tell(toldLook + pid)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "the other nodes could not be told to look for more; one of them looks at its next turn", "transfer", pid, "error", err)
	}
}

// sooner ends the pause of a transfer that goes on, and says whether this node
// has it in hand. However often that is asked for, lookLeast is between two
// looks; one that is under way, and may be past what was added, is followed by
// another.
func (r *runs) sooner(pid string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := lookLeast - time.Since(r.looked[pid])
	switch {
	case r.pauses[pid] != nil && left > 0:
		r.pauseFor(pid, left)
	case r.pauses[pid] != nil:
		r.hurry(pid)
		r.ask(pid)
	case r.cancels[pid] != nil:
		r.lookAgain[pid] = true
	default:
		return r.queue[pid]
	}
	return true
}

// looks notes that a look begins.
func (r *runs) looks(pid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked[pid] = time.Now()
	delete(r.lookAgain, pid)
}

// lookAfter asks for the next look after a pause, or soon if there was a nudge
// since this one began.
func (r *runs) lookAfter(pid string, pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lookAgain[pid] {
		delete(r.lookAgain, pid)
		pause = min(pause, max(0, lookLeast-time.Since(r.looked[pid])))
	}
	r.pauseFor(pid, pause)
}
