package exchange

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/store"
)

//go:embed asked.sql
var askedSchema string

//go:embed asked_postgres.sql
var askedPostgres string

// The law is here, and is asked at once. Whether what a peer has shown stands
// is known to its issuers, who may be slow or away: they are asked apart from
// the law, about each peer once for all of its agreements. What the law
// suspends does not wait for them; what it permits again does. An issuer may
// also take back what it has said: a peer that is refused is asked about again
// for as long as an agreement with it is suspended.

const leaseAsking = "asking"

const (
	askAtOnce = 8                // peers
	askWithin = 15 * time.Second // one peer: longer than one list takes that does not answer
	askPass   = time.Minute      // in which questions of one pass begin
	askRarest = 30               // times AskEvery: the longest pause before the same question
)

// asking is what this process knows of the questions.
type asking struct {
	wake chan struct{}

	mu sync.Mutex // guards by
	by map[string]question
}

// question is one that has been put and is not done.
type question struct {
	since   int64 // the row that it answered
	due     time.Time
	pause   time.Duration
	settled bool // every agreement is suspended, and its transfers
}

func (a *asking) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// left is how long it is until a question may be put; a newer one is put at once.
func (a *asking) left(peer string, since int64) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.by[peer]
	if q.since != since {
		return 0
	}
	return time.Until(q.due)
}

// later puts a question off, each time for longer.
func (a *asking) later(peer string, since int64, every time.Duration, settled bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.by[peer]
	if q.since != since {
		q = question{since: since}
	}
	q.pause = min(max(2*q.pause, every), askRarest*every)
	q.due, q.settled = time.Now().Add(q.pause), settled
	a.by[peer] = q
}

func (a *asking) settled(peer string, since int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.by[peer].since == since && a.by[peer].settled
}

func (a *asking) done(peer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.by, peer)
}

func (a *asking) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.by)
}

// askedPeer is a row of the peers to be asked about.
type askedPeer struct {
	did   string
	since int64
}

// ask lets the issuers of a peer's credentials be asked, by whichever node does that.
func ask(ctx context.Context, tx *store.Tx, peer string) error {
	tx.Tell(toldReviews)
	_, err := tx.Exec(ctx, `INSERT INTO asked (peer, since) VALUES (?, 1) ON CONFLICT (peer) DO UPDATE SET since = asked.since + 1`, peer)
	if err != nil {
		return fmt.Errorf("peers to be asked about: %w", err)
	}
	return nil
}

// reviewPeer lets the agreements with a peer be looked at again.
func (s *Service) reviewPeer(ctx context.Context, did string) error {
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		return ask(ctx, tx, did)
	})
	if err == nil {
		s.asking.poke()
	}
	return err
}

// runAsking asks about peers whenever there is a question: at the start what
// an earlier run left.
func (s *Service) runAsking(ctx context.Context) error {
	s.asking.forget() // another node may have asked meanwhile, and a question that is put again counts from 1
	return s.runTimer(ctx, "issuers could not be asked about peers; it is tried again", s.asking.wake, s.askingDue)
}

// askingDue puts the questions that are due and gives how long it is to the
// next, below zero if there is none. A list is fetched once in a pass, however
// many peers are in it.
func (s *Service) askingDue(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	var (
		mu     sync.Mutex
		failed []error
		g      errgroup.Group
	)
	g.SetLimit(askAtOnce)
	wait := time.Duration(-1)
	for p := (askedPeer{}); ; {
		next, err := s.nextAsked(ctx, p.did)
		if err != nil {
			_ = g.Wait()
			return 0, err
		}
		if p = next; p.did == "" {
			break
		}
		if left := s.asking.left(p.did, p.since); left > 0 {
			wait = sooner(wait, left)
			continue
		}
		if time.Since(began) > askPass { // the others are asked in a pass of their own
			wait = 0
			break
		}
		g.Go(func() error {
			err := s.askPeer(ctx, p, time.Since(began)+time.Second)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", p.did, err))
			}
			if left := s.asking.left(p.did, p.since); err == nil && left > 0 {
				wait = sooner(wait, left)
			}
			return nil
		})
	}
	_ = g.Wait() // what failed is in the list: one peer does not hold up the others
	return wait, errors.Join(failed...)
}

// sooner gives the shorter of two waits; below zero is none.
func sooner(a, b time.Duration) time.Duration {
	if a < 0 || b < a {
		return b
	}
	return a
}

// nextAsked gives the first peer after one about which there is a question.
func (s *Service) nextAsked(ctx context.Context, after string) (p askedPeer, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT peer, since FROM asked WHERE peer > ? ORDER BY peer LIMIT 1`, after)
		if err != nil {
			return err
		}
		defer rows.Close()
		if rows.Next() {
			err = rows.Scan(&p.did, &p.since)
		}
		return errors.Join(err, rows.Err())
	})
	if err != nil {
		return p, fmt.Errorf("peers to be asked about: %w", err)
	}
	return p, nil
}

// word is what issuers say of a peer.
type word struct{ refused error } // nil: it may take part

// askPeer asks about one peer and lets the answer take effect on all of its
// agreements. An issuer that does not answer changes nothing.
func (s *Service) askPeer(ctx context.Context, p askedPeer, age time.Duration) error {
	within, cancel := context.WithTimeout(ctx, askWithin)
	w, err := s.wordOn(within, p.did, age)
	cancel()
	if err != nil {
		if ctx.Err() == nil {
			s.asking.later(p.did, p.since, s.cfg.AskEvery, false)
			s.log.WarnContext(ctx, "whether the credentials of a peer stand cannot be known now; it is asked again", "peer", p.did, "error", err)
		}
		return nil
	}
	if w.refused == nil {
		if _, err := s.hears(ctx, p.did, AgreementSuspended, w); err != nil {
			return err
		}
		return s.askedEnough(ctx, p)
	}
	stand, err := s.hears(ctx, p.did, AgreementInForce, w)
	if err != nil {
		return err
	}
	if stand == 0 && s.asking.settled(p.did, p.since) {
		s.asking.later(p.did, p.since, s.cfg.AskEvery, true)
		return nil
	}
	suspended, err := s.hears(ctx, p.did, AgreementSuspended, w) // a crash may have left their transfers
	if err != nil {
		return err
	}
	if suspended == 0 {
		return s.askedEnough(ctx, p)
	}
	_, reason, _ := explain(w.refused)
	s.log.WarnContext(ctx, "a peer is refused by what it has shown; it is asked about again", "peer", p.did, "reason", strings.Join(reason, "; "))
	s.asking.later(p.did, p.since, s.cfg.AskEvery, true)
	return nil
}

// wordOn gives the word on a peer. A peer that has shown nothing here yet shows
// it before it can do anything. The error is that it cannot be known now.
func (s *Service) wordOn(ctx context.Context, peer string, age time.Duration) (word, error) {
	err := s.shows(ctx, peer, age)
	switch corridor.KindOf(err) {
	case corridor.Forbidden:
		return word{refused: err}, nil
	case corridor.Unauthenticated:
		return word{}, nil
	}
	if refused := undecidable(err); refused != nil {
		return word{refused}, nil
	}
	return word{}, err
}

// askedEnough takes a question away, unless it has been put anew.
func (s *Service) askedEnough(ctx context.Context, p askedPeer) error {
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM asked WHERE peer = ? AND since = ?`, p.did, p.since)
		return err
	})
	if err != nil {
		return fmt.Errorf("peers to be asked about: %w", err)
	}
	s.asking.done(p.did)
	return nil
}

// hears looks at the agreements with a peer in a state, with the word on it,
// and says how many there were.
func (s *Service) hears(ctx context.Context, peer, state string, w word) (n int, err error) {
	for after := ""; ; {
		list, err := s.agreementsWith(ctx, peer, state, after)
		if err != nil {
			return n, err
		}
		for _, after = range list {
			if err := again(func() error { return s.review(ctx, after, &w) }); err != nil {
				return n, fmt.Errorf("agreement %s: %w", after, err)
			}
			n++
		}
		if len(list) < maxDue {
			return n, nil
		}
	}
}

func (s *Service) agreementsWith(ctx context.Context, peer, state, after string) (ids []string, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id FROM agreements WHERE peer = ? AND id > ? AND state = ? ORDER BY id LIMIT ?`, peer, after, state, maxDue)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("agreements with %s: %w", peer, err)
	}
	return ids, nil
}
