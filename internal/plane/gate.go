package plane

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Gate lets the streams that share it take turns at the processor: as many at
// once as it has cores, in the order in which they come. Hundreds that are
// ready to run would keep everything else waiting, an order to stop them too.
//
// It also holds all of them up. Whoever is about to stop some closes it first:
// of each no more leaves meanwhile than the part that it has in hand, and the
// processor is free for the work that the stop takes. Rows of Parquet files are
// encoded outside of turns. A nil Gate is always open.
type Gate struct {
	turns  chan struct{}
	closed atomic.Pointer[chan struct{}] // nil: open

	mu    sync.Mutex // guards holds, and changes of closed
	holds int
}

// NewGate makes an open gate.
func NewGate() *Gate { return &Gate{turns: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// Hold closes the gate until release is called. Of several holds the last that
// ends opens it.
func (g *Gate) Hold() (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holds++; g.holds == 1 {
		shut := make(chan struct{})
		g.closed.Store(&shut)
	}
	return sync.OnceFunc(g.release)
}

func (g *Gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holds--; g.holds == 0 {
		close(*g.closed.Swap(nil))
	}
}

// enter waits until the gate is open and it is the caller's turn, which ends
// with leave. No turn is kept while waiting for anything but the processor. An
// error is why the context ended.
func (g *Gate) enter(ctx context.Context) error {
	if g == nil {
		return nil
	}
	for {
		select {
		case g.turns <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		shut := g.closed.Load()
		if shut == nil {
			return nil
		}
		g.leave()
		select {
		case <-*shut:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (g *Gate) leave() {
	if g != nil {
		<-g.turns
	}
}

// Held says whether the streams are held up.
func (g *Gate) Held() bool { return g.closed.Load() != nil }
