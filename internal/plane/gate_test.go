package plane

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// shutter closes a gate with the first part that it is given.
type shutter struct {
	bytes.Buffer
	gate  *Gate
	parts atomic.Int64
	shut  chan func() // the release, once it is closed
}

func (s *shutter) Write(p []byte) (int, error) {
	if s.parts.Add(1) == 1 {
		s.shut <- s.gate.Hold()
	}
	return s.Buffer.Write(p)
}

func TestStreamsThatAreHeldLetNothingOut(t *testing.T) {
	data := people(2 << 20)
	for name, plan := range map[string]Plan{"copied": {}, "transformed": peoplePlan()} {
		begin := func(ctx context.Context) (*shutter, chan error) {
			program, err := prepare(ctx, &memory{data: data}, plan, testKey)
			if err != nil {
				t.Fatal(err)
			}
			out := &shutter{gate: NewGate(), shut: make(chan func(), 1)}
			sink := newSink(out)
			sink.through(ctx, out.gate)
			ended := make(chan error, 1)
			go func() { ended <- program.run(ctx, point{}, sink) }()
			return out, ended
		}
		still := func(out *shutter, ended chan error) {
			select {
			case err := <-ended:
				t.Errorf("%s: it ended while it was held: %v", name, err)
			case <-time.After(50 * time.Millisecond):
			}
			if n := out.parts.Load(); n != 1 {
				t.Errorf("%s: %d parts left although it is held", name, n-1)
			}
		}
		t.Run(name+", then let go", func(t *testing.T) {
			out, ended := begin(t.Context())
			release := <-out.shut
			second := out.gate.Hold()
			still(out, ended)
			release()
			release() // once more: the second hold goes on
			still(out, ended)
			second()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			want, _, err := transformed(t, plan, string(data))
			if err != nil || out.String() != want {
				t.Errorf("%d bytes came, not the same as without a gate (%v)", out.Len(), err)
			}
		})
		t.Run(name+", then stopped", func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			out, ended := begin(ctx)
			defer (<-out.shut)()
			still(out, ended)
			stopped := errors.New("stopped by an order")
			cancel(stopped)
			if err := <-ended; !errors.Is(err, stopped) {
				t.Errorf("it ended with %v", err)
			}
			if n := out.parts.Load(); n != 1 {
				t.Errorf("%d parts left after the stop", n-1)
			}
		})
	}
}

func TestStreamsTakeTurns(t *testing.T) {
	gate := NewGate()
	var now, most atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		sink := newSink(nil)
		sink.through(t.Context(), gate)
		wg.Go(func() {
			for range 20 {
				err := sink.turn(func() {
					n := now.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					time.Sleep(50 * time.Microsecond)
					now.Add(-1)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n < 1 || n > int64(runtime.GOMAXPROCS(0)) {
		t.Errorf("%d had their turn at once", n)
	}
}
