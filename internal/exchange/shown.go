package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"corridor"
	"corridor/internal/identity"
)

// A peer shows the credentials that are demanded of it when it calls; its data
// moves on when the call is over. While it does, its issuer's word is asked
// for again. What has been revoked or has run out ends the streams as an order
// does: they are cut first, then agreements and transfers are suspended with
// receipts, and the peer is told. An order is quicker: it is pushed.

const (
	askEvery    = 30 * time.Second // how old the issuer's word may be while data moves
	askPatience = 5 * time.Minute  // how long data moves on while that word cannot be had
)

// Credentials says why a peer may not take part by the credentials that it has
// shown, or nil. The issuer's word that it rests on is not older than age.
// Unauthenticated: it has shown nothing yet. Unavailable: it cannot be known
// now.
type Credentials func(ctx context.Context, peer identity.Peer, age time.Duration) error

// vouching is about the peers whose data moves here.
type vouching struct {
	wake chan struct{}

	mu sync.Mutex // guards by
	by map[string]vouched
}

// vouched is one peer: when it is asked about next, and when its credentials
// were last known to stand.
type vouched struct{ due, heard time.Time }

func (w *vouching) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// note says that a peer's credentials stand, as of now.
func (w *vouching) note(peer string, due time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.by[peer] = vouched{due: time.Now().Add(due), heard: time.Now()}
}

// later puts off the next question about a peer of whom nothing can be known
// now, and says for how long that has been so.
func (w *vouching) later(peer string, due time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.by[peer]
	if p.heard.IsZero() {
		p.heard = time.Now()
	}
	p.due = time.Now().Add(due)
	w.by[peer] = p
	return time.Since(p.heard)
}

// left drops all but those whose data moves, and gives how long it is to the
// next question; below zero if there is none.
func (w *vouching) left(moving map[string][]string) (first time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first = -1
	for peer, p := range w.by {
		if moving[peer] == nil {
			delete(w.by, peer)
		} else if wait := max(time.Until(p.due), time.Millisecond); first < 0 || wait < first {
			first = wait
		}
	}
	return first
}

// dueNow says whether a peer is to be asked about.
func (w *vouching) dueNow(peer string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !time.Now().Before(w.by[peer].due)
}

// atOnce lets a peer be asked about now.
func (w *vouching) atOnce(peer string) {
	w.mu.Lock()
	if p, known := w.by[peer]; known {
		p.due = time.Time{}
		w.by[peer] = p
	}
	w.mu.Unlock()
	w.poke()
}

// shows says why a peer may not take part: it is not known any more, or what it
// has shown does not stand.
func (s *Service) shows(ctx context.Context, did string, age time.Duration) error {
	peer, err := s.cfg.Directory.Lookup(ctx, did)
	if err != nil || s.cfg.Credentials == nil {
		return err
	}
	return s.cfg.Credentials(ctx, peer, age)
}

// mayFlow says why the data of a transfer may not move now, or nil. From here
// on the peer's credentials are watched for as long as it does.
func (s *Service) mayFlow(ctx context.Context, t *Transfer) error {
	if err := s.mayCross(ctx, t.Role, t.Peer, t.Dataset, t.Negotiation); err != nil {
		return err
	}
	if err := s.shows(ctx, t.Peer, s.cfg.AskEvery); err != nil {
		return err
	}
	s.vouch.note(t.Peer, s.cfg.AskEvery)
	s.vouch.poke()
	return nil
}

// PeerChanged is told that a peer shows other credentials than before, or that
// what it showed does not stand any more.
func (s *Service) PeerChanged(did string) {
	s.vouch.atOnce(did)
	s.toReview.add(did)
}

// runVouching asks about the peers whose data moves here. Nothing runs while none
// does.
func (s *Service) runVouching(ctx context.Context) error {
	return s.runTimer(ctx, "credentials of peers could not be asked about; it is tried again", s.vouch.wake, s.vouchingDue)
}

func (s *Service) vouchingDue(ctx context.Context) (time.Duration, error) {
	moving := map[string][]string{}
	var failed []error
	for _, pid := range append(s.run.all(), s.plane.Transfers()...) {
		switch t, err := s.transfer(ctx, pid); {
		case err == nil:
			moving[t.Peer] = append(moving[t.Peer], pid)
		case corridor.KindOf(err) != corridor.NotFound:
			failed = append(failed, fmt.Errorf("transfer %s: %w", pid, err))
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8) // one issuer that does not answer holds up no other
	for peer, pids := range moving {
		if !s.vouch.dueNow(peer) {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			s.askAbout(ctx, peer, pids)
		})
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil { // whose data moves is not known: nobody is dropped
		return 0, err
	}
	return s.vouch.left(moving), nil
}

// askAbout ends the streams of a peer whose credentials do not stand. What
// cannot be known is waited for, but not for ever.
func (s *Service) askAbout(ctx context.Context, peer string, pids []string) {
	err := s.shows(ctx, peer, s.cfg.AskEvery)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		s.vouch.note(peer, s.cfg.AskEvery)
		return
	}
	kind := corridor.KindOf(err)
	silent := s.vouch.later(peer, s.cfg.AskEvery)
	known := kind == corridor.Forbidden || kind == corridor.Unauthenticated
	if !known && silent < askPatience {
		s.log.WarnContext(ctx, "whether the credentials of a peer stand cannot be known now; its streams go on for a while", "peer", peer, "silent", silent, "error", err)
		return
	}
	_, reason, _ := explain(err)
	for _, pid := range pids {
		s.log.WarnContext(ctx, "a stream is stopped", "transfer", pid, "reason", strings.Join(reason, "; "))
		mine := s.run.has(pid)
		s.cut(pid, strings.Join(reason, "; "))
		if mine && kind != corridor.Forbidden { // it is asked again, and waits for a person if that does not help
			s.run.wanted(pid)
		}
	}
	if kind != corridor.Forbidden {
		return
	}
	s.toReview.add(peer)
}
