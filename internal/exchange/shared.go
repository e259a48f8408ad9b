package exchange

import (
	"context"
	"sync"

	"corridor"
)

// shared lets those who want to know the same at once share one answer. Whoever
// comes while a question is under way waits for the next one, together with all
// others who come meanwhile: no answer is to a question that was put before its
// caller came.
type shared[V any] struct {
	mu    sync.Mutex
	lines map[string]*line[V] // of keys about which something is asked
}

type line[V any] struct {
	last *inquiry[V] // that was put
	next *inquiry[V] // not put yet; nil: nobody has come since
}

// inquiry is one question and its answer. What follows done is written before
// it is closed, and only read afterwards.
type inquiry[V any] struct {
	before *inquiry[V] // which it waits for; nil: none
	done   chan struct{}
	answer V
	err    error
	left   bool // who put it went away: the answer says nothing
}

// ask gives the answer that put brings. The first who comes puts the question,
// with its own context; if that ends, the others ask again.
func (a *shared[V]) ask(ctx context.Context, key string, put func(context.Context) (V, error)) (V, error) {
	for {
		q, first := a.join(key)
		if first {
			return a.put(ctx, key, q, put)
		}
		select {
		case <-q.done:
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		}
		if !q.left {
			return q.answer, q.err
		}
	}
}

// put puts a question whose turn comes once the one before it is answered.
func (a *shared[V]) put(ctx context.Context, key string, q *inquiry[V], put func(context.Context) (V, error)) (V, error) {
	if q.before != nil {
		select {
		case <-q.before.done:
		case <-ctx.Done():
		}
	}
	a.begin(key, q)
	q.left = true // until the answer is there: put may panic
	q.err = corridor.E(corridor.Internal, "a question was not answered")
	defer func() {
		q.left = q.left || ctx.Err() != nil
		a.end(key, q)
		close(q.done)
	}()
	if q.err = ctx.Err(); q.err == nil {
		q.answer, q.err = put(ctx)
		q.left = false
	}
	return q.answer, q.err
}

func (a *shared[V]) join(key string) (q *inquiry[V], first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lines[key]
	if l == nil {
		if a.lines == nil {
			a.lines = map[string]*line[V]{}
		}
		l = &line[V]{}
		a.lines[key] = l
	}
	if l.next != nil {
		return l.next, false
	}
	l.next = &inquiry[V]{before: l.last, done: make(chan struct{})}
	return l.next, true
}

// begin closes a question to those who come from now on.
func (a *shared[V]) begin(key string, q *inquiry[V]) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q.before = nil
	l := a.lines[key]
	l.last, l.next = q, nil
}

func (a *shared[V]) end(key string, q *inquiry[V]) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.lines[key]; l != nil && l.last == q && l.next == nil {
		delete(a.lines, key)
	}
}
