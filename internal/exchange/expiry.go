package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"corridor"
	"corridor/internal/dsp"
)

// A wait ends by itself. The record says when (waits.go), one node of those
// that share a database looks at that moment, and a process on which nobody
// has acted is ended as a person would end it: with a receipt, and with a word
// to the peer. Both sides have such dates; whoever comes first ends it for
// both.

// expired is the code of what was ended because nobody acted in time.
const expired = "expired"

// doubtedPause is how soon a clock that is doubted is looked at again.
const doubtedPause = time.Minute

// dayLong bounds how long the loop sleeps: a clock may be set.
const dayLong = 24 * time.Hour

// runExpiry ends what has waited too long: at the start what became so while
// the node was down, then each at its second. Nothing wakes it: what begins to
// wait now has an end that is further away than its sleep is long.
func (s *Service) runExpiry(ctx context.Context) error {
	return s.runTimer(ctx, "what has waited too long could not be looked at; it is tried again", s.clock.wake, s.expiryDue)
}

const (
	dueNegotiations = `SELECT due, pid FROM negotiations WHERE due <> '' AND due <= ? AND (due, pid) > (?, ?) ORDER BY due, pid LIMIT ?`
	nextNegotiation = `SELECT COALESCE(MIN(due), '') FROM negotiations WHERE due <> '' AND due > ?`
	dueTransfers    = `SELECT due, pid FROM transfers WHERE due <> '' AND due <= ? AND (due, pid) > (?, ?) ORDER BY due, pid LIMIT ?`
	nextTransfer    = `SELECT COALESCE(MIN(due), '') FROM transfers WHERE due <> '' AND due > ?`
)

// expiryDue ends all whose wait is over and gives how long it is until it
// looks again.
func (s *Service) expiryDue(ctx context.Context) (time.Duration, error) {
	stands, err := s.clockStands(ctx)
	if err != nil {
		return 0, err
	}
	if !stands { // a witness wakes nobody
		return doubtedPause, nil
	}
	negotiations, err := s.expire(ctx, dueNegotiations, nextNegotiation, s.expireNegotiation)
	if err != nil {
		return 0, err
	}
	transfers, err := s.expire(ctx, dueTransfers, nextTransfer, s.expireTransfer)
	if err != nil {
		return 0, err
	}
	return min(negotiations, transfers, s.limits.message, s.limits.peer, s.limits.person, dayLong), nil
}

func (s *Service) expire(ctx context.Context, come, coming string, end func(context.Context, string) error) (time.Duration, error) {
	wait, err := s.momentsCome(ctx, "what has waited too long", come, coming, func(ctx context.Context, pid string) error {
		if err := end(ctx, pid); !errors.Is(err, errNotYetDue) {
			return err
		}
		return nil
	})
	if wait < 0 {
		wait = dayLong
	}
	return wait, err
}

// errNotYetDue says that a process has moved on, and waits for something else.
var errNotYetDue = errors.New("it waits for something else by now")

// isOver says whether a wait has come to its end.
func (w *Waiting) isOver(now time.Time, pending dsp.State) bool {
	return w != nil && w.By != nil && pending == dsp.None && !w.By.Truncate(time.Second).After(now)
}

// why is the reason that is given to the peer too. What a person of this node
// was asked stays here.
func (w *Waiting) why(role dsp.Role) []string {
	span := fmt.Sprintf("from %s until %s", dsp.FormatTime(w.Since), dsp.FormatTime(*w.By))
	if w.On == "operator" {
		return []string{fmt.Sprintf("nobody at the %s has acted %s", role, span)}
	}
	return []string{fmt.Sprintf("the %s has waited %s: %s", role, span, w.Why)}
}

func (s *Service) expireNegotiation(ctx context.Context, pid string) error {
	_, err := s.act(ctx, pid, func(n *Negotiation, st *step) error {
		switch {
		case n.Waiting != nil && n.Waiting.By == nil: // of before there were dates: this step gives it one
			return nil
		case !n.Waiting.isOver(s.now(), n.Pending):
			return errNotYetDue
		}
		return s.terminate(ctx, n, st, expired, n.Waiting.why(n.Role))
	})
	return err
}

func (s *Service) expireTransfer(ctx context.Context, pid string) error {
	_, err := s.actTransfer(ctx, pid, func(t *Transfer, st *step) error {
		switch {
		case t.Waiting != nil && t.Waiting.By == nil:
			return nil
		case !t.Waiting.isOver(s.now(), t.Pending):
			return errNotYetDue
		case t.Waiting.On == "node" && s.began.After(*t.Waiting.By): // as takenUpAgain
			t.longer()
			return nil
		case t.Waiting.On == "node": // whoever moved the data has not said that it gave up
			t.Parked = "the data does not move: " + t.Waiting.Why + " since " + dsp.FormatTime(t.Waiting.Since)
			st.after = append(st.after, func() { s.cut(t.PID, t.Parked) })
			return nil
		}
		return s.terminateTransfer(t, st, expired, t.Waiting.why(t.Role))
	})
	return err
}

// longer puts off the end of a wait from now on.
func (t *Transfer) longer() {
	if t.Waiting != nil {
		w := *t.Waiting
		w.By = nil
		t.Waiting = &w
	}
}

// takenUpAgain lets the wait of a stream begin anew: what stood still because
// the node was down has not been waited for.
func (s *Service) takenUpAgain(ctx context.Context, pid string) (Transfer, error) {
	return s.actTransfer(ctx, pid, func(t *Transfer, _ *step) error {
		if t.State == dsp.Started && t.Waiting.isOver(s.now(), t.Pending) {
			t.longer()
		}
		return nil
	})
}

// alive is told that data of a transfer moves. Now and then that is written
// down: what moves does not wait.
func (s *Service) alive(pid string) {
	if s.run.heard(pid, s.now(), s.limits.progressStep()) {
		s.toPutOff.add(pid)
	}
}

// progressStep is how far apart it is written down that data moves.
func (l limits) progressStep() time.Duration { return min(l.message, l.peer) / 10 }

func (s *Service) putOff(ctx context.Context, pid string) error {
	_, err := s.actTransfer(ctx, pid, func(t *Transfer, _ *step) error {
		if t.Waiting == nil || t.Waiting.By == nil || t.State != dsp.Started || t.Pending != dsp.None || t.Parked != "" {
			return errNotYetDue
		}
		before := *t.Waiting.By
		t.longer()
		after := *t.waits(s.now(), s.limits).By
		if after.Sub(before) < s.limits.progressStep() {
			return errNotYetDue
		}
		return nil
	})
	if errors.Is(err, errNotYetDue) || corridor.KindOf(err) == corridor.NotFound {
		return nil
	}
	return err
}

// untilGivenUp gives a context that ends when the wait of a stream is over.
// Progress puts that off.
func (s *Service) untilGivenUp(ctx context.Context, t *Transfer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		left := s.limits.message
		if t.Waiting != nil && t.Waiting.By != nil {
			left = t.Waiting.By.Sub(s.now())
		}
		for left > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(left):
			}
			left = s.stillLeft(ctx, t.PID)
		}
		cancel(context.DeadlineExceeded)
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// stillLeft is how long a stream may still be without progress. What cannot be
// read is asked again.
func (s *Service) stillLeft(ctx context.Context, pid string) time.Duration {
	t, err := s.transfer(ctx, pid)
	if err != nil {
		return retryAway
	}
	if t.State != dsp.Started || t.Pending != dsp.None || t.Parked != "" || t.Waiting == nil || t.Waiting.By == nil {
		return 0
	}
	return t.Waiting.By.Sub(s.now())
}
