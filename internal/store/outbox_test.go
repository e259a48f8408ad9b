package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"corridor"
	"corridor/internal/store/storetest"
)

// sent records what a peer got.
type sent struct {
	mu   sync.Mutex
	list []string
}

func (s *sent) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, fmt.Sprintf(format, args...))
}

func (s *sent) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.list, " ")
}

func enqueue(t testing.TB, db *DB, list ...Message) {
	t.Helper()
	err := db.Write(context.Background(), func(tx *Tx) error {
		for _, m := range list {
			if m.MaxAttempts == 0 && m.Deadline.IsZero() {
				m.MaxAttempts = 100
			}
			if m.Kind == "" {
				m.Kind = "test"
			}
			if _, err := Enqueue(context.Background(), tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func left(t testing.TB, db *DB) string {
	t.Helper()
	return column(t, db, `SELECT target || ':' || state || ':' || attempts FROM outbox ORDER BY id`)
}

// run starts the outbox inside a synctest bubble and stops it at the end.
func run(t *testing.T, db *DB, o Outbox) (stop func()) {
	if o.Failed == nil {
		o.Failed = func(context.Context, *Tx, Message, error) error { return nil }
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- db.RunOutbox(ctx, o) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// settle lets real work (the disk) and the bubble's goroutines come to rest.
func settle() { time.Sleep(time.Microsecond); synctest.Wait() }

// inBubble runs a test on fake time; the database is opened and closed inside.
func inBubble(t *testing.T, test func(t *testing.T, db *DB)) {
	path := temp(t)
	synctest.Test(t, func(t *testing.T) {
		db, err := Open(context.Background(), path, things)
		if err != nil {
			t.Fatal(err)
		}
		test(t, db)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAMessageLeavesOnlyAfterItsTransaction(t *testing.T) {
	inBubble(t, func(t *testing.T, db *DB) {
		var got sent
		defer run(t, db, Outbox{Deliver: func(_ context.Context, m Message) error {
			got.add("%s=%s/%s", m.Target, m.Body, m.Headers["h"])
			return nil
		}})()
		db.Write(context.Background(), func(tx *Tx) error {
			Enqueue(context.Background(), tx, Message{Kind: "k", Target: "never", MaxAttempts: 1})
			return errors.New("rolled back")
		})
		enqueue(t, db, Message{Target: "a", Body: []byte("hello"), Headers: map[string]string{"h": "v"}})
		settle()
		if got.String() != "a=hello/v" || left(t, db) != "" {
			t.Errorf("sent %q, left %q", &got, left(t, db))
		}
	})
}

func TestMessagesOfOneKeyLeaveInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, db *DB) {
		var got sent
		down := true
		var mu sync.Mutex
		defer run(t, db, Outbox{Deliver: func(_ context.Context, m Message) error {
			mu.Lock()
			defer mu.Unlock()
			if m.Key == "k" && down {
				return errors.New("down")
			}
			got.add("%s", m.Target)
			return nil
		}})()
		enqueue(t, db, Message{Target: "k1", Key: "k"}, Message{Target: "k2", Key: "k"}, Message{Target: "x", Key: "other"}, Message{Target: "y"})
		enqueue(t, db, Message{Target: "k3", Key: "k"})
		settle()
		s := strings.Fields(got.String())
		slices.Sort(s)
		if fmt.Sprint(s) != "[x y]" {
			t.Errorf("others must not wait for k: %v", s)
		}
		mu.Lock()
		down = false
		mu.Unlock()
		time.Sleep(2 * time.Second)
		settle()
		if !strings.HasSuffix(got.String(), "k1 k2 k3") || left(t, db) != "" {
			t.Errorf("sent %q, left %q", &got, left(t, db))
		}
	})
}

func TestPausesDoubleUpToTheLongest(t *testing.T) {
	inBubble(t, func(t *testing.T, db *DB) {
		var at []time.Duration
		start := time.Now()
		var mu sync.Mutex
		defer run(t, db, Outbox{First: time.Second, Longest: 8 * time.Second, Deliver: func(context.Context, Message) error {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			return errors.New("down")
		}})()
		enqueue(t, db, Message{Target: "a", MaxAttempts: 7})
		time.Sleep(time.Minute)
		settle()
		mu.Lock()
		defer mu.Unlock()
		if len(at) != 7 {
			t.Fatalf("%d attempts: %v", len(at), at)
		}
		for i, want := range []time.Duration{1, 2, 4, 8, 8, 8} {
			want *= time.Second
			if got := at[i+1] - at[i]; got < want*4/5-2*time.Millisecond || got > want*6/5+2*time.Millisecond {
				t.Errorf("pause %d is %v, want about %v", i, got, want)
			}
		}
	})
}

func TestGivingUpIsOneTransactionWithItsConsequence(t *testing.T) {
	for name, c := range map[string]struct {
		m    Message
		err  error
		want string
	}{
		"after the last attempt": {Message{Target: "a", Key: "k", MaxAttempts: 3}, errors.New("down"), "a:failed:3"},
		"at once if permanent":   {Message{Target: "a", Key: "k", MaxAttempts: 3}, fmt.Errorf("x: %w", Permanent(corridor.E(corridor.Gone, "gone"))), "a:failed:1"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, db *DB) {
				var got sent
				fails := 1
				defer run(t, db, Outbox{
					Deliver: func(_ context.Context, m Message) error {
						if m.Target == "a" {
							return c.err
						}
						got.add("%s", m.Target)
						return nil
					},
					Failed: func(ctx context.Context, tx *Tx, m Message, cause error) error {
						if !errors.Is(cause, c.err) {
							t.Error(cause)
						}
						if _, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES ('gave up')`); err != nil {
							return err
						}
						if fails > 0 { // the first time the consequence cannot be written
							fails--
							return errors.New("not now")
						}
						return nil
					},
				})()
				enqueue(t, db, c.m, Message{Target: "b", Key: "k"})
				time.Sleep(time.Minute)
				settle()
				if left(t, db) != c.want || names(t, db) != "gave up" || got.String() != "b" {
					t.Errorf("left %q, wrote %q, sent %q", left(t, db), names(t, db), &got)
				}
			})
		})
	}
}

func TestTheDeadlineEndsTheAttempts(t *testing.T) {
	inBubble(t, func(t *testing.T, db *DB) {
		start := time.Now()
		var gaveUp time.Duration
		attempts := 0
		var mu sync.Mutex
		defer run(t, db, Outbox{
			Deliver: func(context.Context, Message) error { mu.Lock(); attempts++; mu.Unlock(); return errors.New("down") },
			Failed: func(_ context.Context, _ *Tx, _ Message, cause error) error {
				gaveUp = time.Since(start)
				if corridor.KindOf(cause) != corridor.Gone {
					t.Error(cause)
				}
				return nil
			},
		})()
		enqueue(t, db, Message{Target: "a", Deadline: start.Add(10 * time.Second)})
		time.Sleep(time.Hour)
		settle()
		mu.Lock()
		defer mu.Unlock()
		if gaveUp < 9*time.Second || gaveUp > 11*time.Second || attempts < 3 {
			t.Errorf("gave up after %v and %d attempts", gaveUp, attempts)
		}
	})
}

// TestAMessageIsKeptBeyondItsDeadlineWhileTheClockIsDoubted: with the pauses of
// any attempt, and given up once the clock stands.
func TestAMessageIsKeptBeyondItsDeadlineWhileTheClockIsDoubted(t *testing.T) {
	inBubble(t, func(t *testing.T, db *DB) {
		start := time.Now()
		var asked, gaveUp atomic.Int64
		defer run(t, db, Outbox{
			Deliver: func(context.Context, Message) error { return nil },
			Late: func(context.Context) error {
				asked.Add(1)
				if time.Since(start) < time.Hour {
					return errors.New("the clock is doubted")
				}
				return nil
			},
			Failed: func(context.Context, *Tx, Message, error) error { gaveUp.Add(1); return nil },
		})()
		enqueue(t, db, Message{Target: "a", Deadline: start.Add(-time.Second)})
		time.Sleep(50 * time.Minute)
		settle()
		if gaveUp.Load() != 0 || asked.Load() < 5 || asked.Load() > 60 {
			t.Errorf("doubted: given up %d times, asked %d times", gaveUp.Load(), asked.Load())
		}
		time.Sleep(time.Hour)
		settle()
		if gaveUp.Load() != 1 {
			t.Errorf("once the clock stands it was given up %d times", gaveUp.Load())
		}
	})
}

func TestALaterStartSendsWhatWasLeft(t *testing.T) {
	path := storetest.Place(t)
	db := open(t, path, things)
	enqueue(t, db, Message{Target: "1", Key: "k"}, Message{Target: "2", Key: "k"}, Message{Target: "3"})
	ctx, cancel := context.WithCancel(t.Context())
	// The first run is stopped in the middle of an attempt: it does not count.
	done := make(chan error, 1)
	started := make(chan struct{}, 10)
	go func() {
		done <- db.RunOutbox(ctx, Outbox{Workers: 1, Failed: func(context.Context, *Tx, Message, error) error { return nil },
			Deliver: func(ctx context.Context, _ Message) error { started <- struct{}{}; <-ctx.Done(); return ctx.Err() }})
	}()
	<-started
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	db.Close()
	db = open(t, path, things)
	if got := left(t, db); got != "1:ready:0 2:waiting:0 3:ready:0" {
		t.Fatal(got)
	}
	var got sent
	all := make(chan struct{})
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	go db.RunOutbox(ctx, Outbox{Failed: func(context.Context, *Tx, Message, error) error { return nil },
		Deliver: func(ctx context.Context, m Message) error {
			// As a real deliverer does: effect and removal in one transaction.
			err := db.Write(ctx, func(tx *Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES (?)`, m.Target); err != nil {
					return err
				}
				return Delivered(ctx, tx, m.ID)
			})
			got.add("%s", m.Target)
			if len(strings.Fields(got.String())) == 3 {
				close(all)
			}
			return err
		}})
	<-all
	s := got.String()
	if strings.Index(s, "1") > strings.Index(s, "2") || left(t, db) != "" {
		t.Errorf("sent %q, left %q", s, left(t, db))
	}
}

func TestManyMessagesFewWorkers(t *testing.T) {
	inBubble(t, func(t *testing.T, db *DB) {
		var got sent
		var mu sync.Mutex
		busy, most := 0, 0
		var list []Message
		for i := range 40 {
			list = append(list, Message{Target: fmt.Sprint(i)})
		}
		list = append(list, Message{Target: "late", NotBefore: time.Now().Add(time.Hour)})
		enqueue(t, db, list...)
		defer run(t, db, Outbox{Workers: 3, Deliver: func(_ context.Context, m Message) error {
			mu.Lock()
			busy++
			most = max(most, busy)
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			busy--
			mu.Unlock()
			got.add("%s", m.Target)
			return nil
		}})()
		time.Sleep(time.Minute)
		settle()
		mu.Lock()
		if n := len(strings.Fields(got.String())); n != 40 || most > 3 {
			t.Errorf("%d sent, %d at once", n, most)
		}
		mu.Unlock()
		time.Sleep(time.Hour)
		settle()
		if !strings.HasSuffix(got.String(), " late") {
			t.Error("the late one did not leave:", left(t, db))
		}
	})
}

func TestABugInDeliverIsAFailedAttempt(t *testing.T) {
	inBubble(t, func(t *testing.T, db *DB) {
		defer run(t, db, Outbox{Deliver: func(context.Context, Message) error { panic("bug " + strings.Repeat("x", 1000)) }})()
		enqueue(t, db, Message{Target: "a", MaxAttempts: 2})
		time.Sleep(time.Minute)
		settle()
		if left(t, db) != "a:failed:2" {
			t.Error(left(t, db))
		}
	})
}

func TestTheOutboxRefusesWhatItCannotDo(t *testing.T) {
	db := open(t, storetest.Place(t))
	ctx := t.Context()
	for name, m := range map[string]Message{
		"no kind":   {Target: "a", MaxAttempts: 1},
		"no target": {Kind: "a", MaxAttempts: 1},
		"no bound":  {Kind: "a", Target: "a"},
	} {
		if err := db.Write(ctx, func(tx *Tx) error {
			_, err := Enqueue(ctx, tx, m)
			return err
		}); err == nil {
			t.Error(name, "was accepted")
		}
	}
	if err := db.RunOutbox(ctx, Outbox{}); err == nil {
		t.Error("no deliver function")
	}
	nothing := Outbox{Deliver: func(context.Context, Message) error { return nil }, Failed: func(context.Context, *Tx, Message, error) error { return nil }}
	db.outboxRuns.Store(true)
	wantError(t, db.RunOutbox(ctx, nothing), corridor.Conflict, "running already")
	db.outboxRuns.Store(false)
	done := make(chan error, 1)
	go func() { done <- db.RunOutbox(ctx, nothing) }()
	time.Sleep(time.Millisecond)
	db.Close()
	db.scanOutbox()
	if err := <-done; err == nil {
		t.Error("the outbox must say that its database is gone")
	}
}

func TestTheOutboxSleepsWhileNothingIsDue(t *testing.T) {
	inBubble(t, func(t *testing.T, db *DB) {
		defer run(t, db, Outbox{Deliver: func(context.Context, Message) error { return nil }})()
		settle()
		// In a bubble time moves only when every goroutine sleeps: a year passes
		// at once if nobody polls, and this test would not end if somebody did.
		time.Sleep(365 * 24 * time.Hour)
	})
}
