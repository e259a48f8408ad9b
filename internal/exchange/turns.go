package exchange

import (
	"context"
	"sync"
)

// turns lets the messages of a process and the acknowledgement of ours act one
// after the other within this node. Without it they meet again and again: the
// peer sends its next message at the moment at which it acknowledges ours, and
// who loses does all of its work once more. What is right does not depend on
// it: the commit checks versions.
type turns struct {
	mu    sync.Mutex
	queue map[string]*turn // by pid; only those that somebody has or waits for
}

type turn struct {
	free  chan struct{} // holds one token while nobody has it
	users int           // who have it or wait for it
}

// in runs act when it is the caller's turn. The error is the context's if that
// ends before.
func (t *turns) in(ctx context.Context, pid string, act func() error) error {
	q := t.join(pid)
	defer t.leave(pid, q)
	select {
	case <-q.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { q.free <- struct{}{} }()
	return act()
}

func (t *turns) join(pid string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.queue[pid]
	if q == nil {
		q = &turn{free: make(chan struct{}, 1)}
		q.free <- struct{}{}
		if t.queue == nil {
			t.queue = map[string]*turn{}
		}
		t.queue[pid] = q
	}
	q.users++
	return q
}

func (t *turns) leave(pid string, q *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(t.queue, pid)
	}
}
