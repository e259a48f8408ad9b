package exchange

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

func TestALoopThatWaitsForADayIsWokenByAnEarlierOne(t *testing.T) {
	for _, c := range []struct {
		name, waits, comes string
		set                time.Duration
		woken              bool
	}{
		{"an earlier day", "2027-03-01", "2027-02-28", 0, true},
		{"the same day", "2027-03-01", "2027-03-01", 0, false},
		{"a later day", "2027-03-01", "2028-01-01", 0, false},
		{"no day at all", "2027-03-01", never, 0, false},
		{"the first day of all", never, "2027-03-01", 0, true},
		{"a day that is not known", "2027-03-01", "", 0, true},
		{"a later day after the clock was set", "2027-03-01", "2028-01-01", time.Hour, true},
		{"a later day while the loop looks", "", "2028-01-01", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			offset := time.Duration(0)
			a := newAlarm(func() time.Time { return time.Now().Add(offset) })
			a.waits(never)
			a.looks()
			if c.waits != "" {
				a.waits(c.waits)
			}
			offset = c.set
			a.changed(c.comes)
			if woken := len(a.wake) == 1; woken != c.woken {
				t.Errorf("woken: %v", woken)
			}
		})
	}
}

func TestTurnsAreTakenOneAfterTheOther(t *testing.T) {
	var q turns
	var wg sync.WaitGroup
	inside, most := 0, 0
	for range 50 {
		wg.Go(func() {
			err := q.in(t.Context(), "a", func() error {
				inside++ // the race detector sees whether somebody else is here
				most = max(most, inside)
				inside--
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most != 1 || len(q.queue) != 0 {
		t.Errorf("%d at once; %d processes remembered", most, len(q.queue))
	}
}

func TestWhoWaitsForATurnMayLeave(t *testing.T) {
	var q turns
	ctx, cancel := context.WithCancel(t.Context())
	err := q.in(t.Context(), "a", func() error {
		other := q.in(t.Context(), "b", func() error { return nil }) // nobody else's turn
		cancel()
		return errors.Join(other, q.in(ctx, "a", func() error { return errors.New("two at once") }))
	})
	if !errors.Is(err, context.Canceled) || len(q.queue) != 0 {
		t.Errorf("%v; %d processes remembered", err, len(q.queue))
	}
}

func TestABellKeepsNobodyInMind(t *testing.T) {
	var b bell
	first, leave := b.listen("a")
	second, leaveToo := b.listen("a")
	leave()
	b.ring("a")
	select {
	case <-second:
	default:
		t.Error("who still listens does not hear it")
	}
	<-first // the same rope
	leaveToo()
	third, leaveLast := b.listen("a")
	select {
	case <-third:
		t.Error("a ring is heard by one who came after it")
	default:
	}
	leaveLast()
	if len(b.waiting) != 0 {
		t.Errorf("%d processes remembered", len(b.waiting))
	}
}
