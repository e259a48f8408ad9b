package exchange

import (
	"context"
	_ "embed"
	"fmt"
	"sync/atomic"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

//go:embed clock.sql
var clockSchema string // the same text serves both databases

// A machine may start with a clock that is months ahead, and then every wait
// is over at once. So the node writes down, while it is there, what time it
// is. A clock that has gone on by more than a week since then is doubted, and
// ends nothing, until somebody else says the same time: a peer whose token, of
// a few minutes, is of now; a witness that cosigned our log; or a person who
// starts the node with the word that the clock is right. Whoever was away for
// longer waits for the first of these too, and nothing is lost by it.

const (
	longestAway = 7 * dayLong
	clockStep   = time.Hour // how far apart the time is written down, at most
)

// timepiece is what this process knows of its clock.
type timepiece struct {
	vouched atomic.Bool                 // a person has said that it is right, at this start
	heard   atomic.Pointer[time.Time]   // by it, when a peer's token was of now
	doubt   atomic.Pointer[clockDoubts] // nil: there is none
	wake    chan struct{}
}

// clockDoubts are what is told of a clock that is doubted.
type clockDoubts struct{ said, seen time.Time }

func (d *clockDoubts) String() string {
	return fmt.Sprintf("doubted: it says %s, and the node was last there at %s; what has waited too long is not ended before a peer or a witness says that time too, or the node is started with --clock-is-right",
		dsp.FormatTime(d.said), dsp.FormatTime(d.seen))
}

// hears notes that a peer's token was found to be of now, and says whether
// that is news.
func (c *timepiece) hears(now time.Time) bool {
	last := c.heard.Swap(&now)
	if c.doubt.Load() == nil {
		return last == nil || now.Sub(*last).Abs() >= clockStep
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

// doubts looks at the clock and gives what is doubted of it, nil if nothing,
// and when the node was last there.
func (s *Service) doubts(ctx context.Context, now time.Time) (*clockDoubts, time.Time, error) {
	seen, err := s.lastThere(ctx)
	if err != nil || seen.IsZero() || now.Sub(seen) <= longestAway || s.corroborated(now) {
		return nil, seen, err
	}
	return &clockDoubts{now, seen}, seen, nil
}

// hearsTime notes that a peer's token was found to be of now. It is written down,
// for the other nodes on the database, where the doubt may be theirs.
func (s *Service) hearsTime() {
	if !s.clock.hears(s.now()) {
		return
	}
	s.background(func(ctx context.Context) {
		if _, err := s.clockStands(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "that a peer has the same time could not be written down; it is done with a later word", "error", err)
		}
	})
}

// mayBeLate says that the deadline of a message has passed by a clock that
// stands.
func (s *Service) mayBeLate(ctx context.Context) error {
	doubt, _, err := s.doubts(ctx, s.now())
	if err == nil && doubt != nil {
		err = corridor.E(corridor.Unavailable, "the clock is %s", doubt)
	}
	return err
}

// vouchClock writes down what time it is where a person has said that the
// clock is right: the node that ends waits may be another.
func (s *Service) vouchClock(ctx context.Context) error {
	if !s.clock.vouched.Load() {
		return nil
	}
	_, err := s.clockStands(ctx)
	return err
}

// clockStands says whether the clock may end what cannot be begun again. If so,
// it is written down what time it is.
func (s *Service) clockStands(ctx context.Context) (bool, error) {
	now := s.now()
	doubt, seen, err := s.doubts(ctx, now)
	if err != nil {
		return false, err
	}
	if doubt != nil {
		if s.clock.doubt.Swap(doubt) == nil {
			s.log.ErrorContext(ctx, "the clock is "+doubt.String())
		}
		return false, nil
	}
	if s.clock.doubt.Swap(nil) != nil {
		s.log.InfoContext(ctx, "the clock is not doubted any more", "now", dsp.FormatTime(now))
	}
	if !seen.IsZero() && now.Sub(seen) < clockStep {
		s.clock.vouched.Store(false)
		return true, nil
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO clock (one, seen) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET seen = excluded.seen`, dsp.FormatTime(now))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("the time: %w", err)
	}
	s.clock.vouched.Store(false) // of this clock, and written down; one that is put forward later is another
	return true, nil
}

// corroborated says whether somebody else has said, not long ago, what the
// clock says now.
func (s *Service) corroborated(now time.Time) bool {
	near := func(t time.Time) bool { return now.Sub(t).Abs() <= longestAway }
	heard := s.clock.heard.Load()
	return s.clock.vouched.Load() || heard != nil && near(*heard) || near(s.cfg.Ledger.CosignedAt())
}

// lastThere is the newest moment that was written down; zero: there is none.
func (s *Service) lastThere(ctx context.Context) (seen time.Time, err error) {
	var text string
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT COALESCE((SELECT seen FROM clock WHERE one = 1), '')`).Scan(&text)
	})
	if err == nil && text != "" {
		seen, err = dsp.ParseTime(text)
	}
	if err != nil {
		return seen, fmt.Errorf("the time: %w", err)
	}
	return seen, nil
}
