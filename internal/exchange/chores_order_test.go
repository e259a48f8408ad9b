package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"corridor/internal/store"
)

// TestEveryChoreIsDone: in order, however many there are while the loop is
// busy, and again after it failed.
func TestEveryChoreIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{log: slog.New(slog.DiscardHandler), db: new(store.DB)}
		ctx, cancel := context.WithCancel(t.Context())
		c, over := newChores(), make(chan error, 1)
		var want, done []string
		for i := range 1000 {
			want = append(want, fmt.Sprintf("%04d", i))
		}
		busy := make(chan struct{})
		var away atomic.Bool
		away.Store(true)
		go func() {
			over <- s.runChores(ctx, c, "later", func(_ context.Context, name string) error {
				<-busy
				if away.Load() && name == want[500] {
					return errors.New("the database is away")
				}
				done = append(done, name)
				return nil
			})
		}()
		c.add(want[0])
		synctest.Wait()
		for _, name := range slices.Backward(want[1:]) {
			c.add(name, name)
		}
		close(busy)
		synctest.Wait()
		if len(done) != 999 || !slices.IsSorted(done) {
			t.Fatalf("%d done, in order: %v", len(done), slices.IsSorted(done))
		}
		away.Store(false)
		time.Sleep(2 * reviewRetry)
		synctest.Wait()
		if len(done) != 1000 || done[999] != want[500] {
			t.Errorf("%d done, the last of them %s", len(done), done[len(done)-1])
		}
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}
