package exchange

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"corridor"
	"corridor/internal/dsp"
)

// What enforces a rule must not be lost, however much there is of it and
// whatever else the node waits for. A chore stays here until it is done; none
// of them waits for a peer.
type chores struct {
	wake chan struct{}

	mu   sync.Mutex // guards open
	open map[string]bool
}

func newChores() *chores {
	return &chores{wake: make(chan struct{}, 1), open: map[string]bool{}}
}

// add asks for chores. One that is open already is done once.
func (c *chores) add(names ...string) {
	c.mu.Lock()
	for _, name := range names {
		c.open[name] = true
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take gives what is open, in order. What is asked for from now on is a new
// chore.
func (c *chores) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Sorted(maps.Keys(c.open))
	clear(c.open)
	return list
}

// keep puts back what could not be done yet.
func (c *chores) keep(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[name] = true
}

// runChores does each chore as soon as it is asked for, and again what failed.
func (s *Service) runChores(ctx context.Context, c *chores, trouble string, do func(context.Context, string) error) error {
	return s.runTimer(ctx, trouble, c.wake, func(ctx context.Context) (wait time.Duration, err error) {
		var failed []error
		for _, name := range c.take() {
			if err := do(ctx, name); err != nil {
				c.keep(name)
				failed = append(failed, fmt.Errorf("%s: %w", name, err))
			}
		}
		return -1, errors.Join(failed...)
	})
}

// cutStopped cuts a stream here whose transfer another node has stopped.
func (s *Service) cutStopped(ctx context.Context, pid string) error {
	if !s.movesHere(pid) {
		return nil
	}
	t, err := s.transfer(ctx, pid)
	if corridor.KindOf(err) == corridor.NotFound {
		return nil // refused by Grant at the next request
	}
	if err != nil {
		return err
	}
	whole, err := s.whole(ctx, &t)
	switch {
	case err != nil:
		return err
	case t.State == dsp.Suspended || t.State == dsp.Terminated:
		s.cut(pid, string(t.State))
	case whole != nil && (whole.State == dsp.Suspended || whole.State.Final()):
		s.cut(pid, string(whole.State))
	}
	return nil
}

// movesHere says whether this node has a hand in the stream of a transfer.
func (s *Service) movesHere(pid string) bool { return s.run.has(pid) || s.plane.Streams(pid) }
