package exchange_test

import (
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// TestAFetchWaitsForAnIssuerThatIsAwayAtARestart: visibly, and by itself; only
// a refusal waits for a person.
func TestAFetchWaitsForAnIssuerThatIsAwayAtARestart(t *testing.T) {
	for name, c := range map[string]struct {
		then *corridor.Error
		done func(exchange.Transfer) bool
	}{
		"it answers again": {nil, over},
		"it refuses":       {revoked, func(t exchange.Transfer) bool { return t.Parked != "" && t.Stalled == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var word issuer
			_, kz, mine, _, tap := runningBetween(t, func(_, kz *node) { kz.credentials = word.ask })
			kz.stop()
			word.word.Store(corridor.E(corridor.Unavailable, "the status list cannot be had"))
			close(tap)
			kz.start()
			tr := kz.untilTransfer(mine, func(t exchange.Transfer) bool { return t.Stalled != nil || t.Parked != "" })
			if tr.Parked != "" || tr.State != dsp.Started || tr.Waiting.On != "node" || tr.Waiting.Retry == nil || !strings.Contains(tr.Waiting.Next, "the status list cannot be had") {
				t.Fatalf("%s parked %q, waiting %+v", tr.State, tr.Parked, tr.Waiting)
			}
			if by := tr.Waiting.By.Sub(tr.Waiting.Since); by != 24*time.Hour {
				t.Errorf("it waits for %s", by)
			}
			later := kz.untilTransfer(mine, func(t exchange.Transfer) bool { return t.Stalled == nil || !t.Stalled.Retry.Equal(tr.Stalled.Retry) })
			if later.Stalled == nil || !later.Waiting.By.Equal(*tr.Waiting.By) {
				t.Fatalf("tried again, it waits %+v, before %+v", later.Waiting, tr.Waiting)
			}
			word.word.Store(c.then)
			if tr = kz.untilTransfer(mine, c.done); c.then == nil && tr.State != dsp.Completed {
				t.Errorf("%s %v", tr.State, tr.Reason)
			}
		})
	}
}

// TestWhatStandsStillIsNotTriedByTurns: a node of several that finds a transfer
// which another left waits as long as that one said, and then takes it up.
func TestWhatStandsStillIsNotTriedByTurns(t *testing.T) {
	t.Parallel()
	var word issuer
	now := &clock{}
	_, kz, mine, _, tap := runningBetween(t, func(_, kz *node) { kz.credentials, kz.now = word.ask, now.now })
	kz.stop()
	word.word.Store(corridor.E(corridor.Unavailable, "the status list cannot be had"))
	close(tap)
	kz.start()
	kz.untilTransfer(mine, func(t exchange.Transfer) bool { return t.Stalled != nil })
	kz.stop()
	again := kz.asleep()
	tr, err := again.x.TransferByPID(t.Context(), mine)
	ok(t, err)
	now.set(tr.Stalled.Retry.Add(-time.Minute))
	if wanted, later, err := again.x.Recover(t.Context(), mine); wanted || !later || err != nil {
		t.Errorf("a minute before it is tried again: at once %v, later %v, %v", wanted, later, err)
	}
	now.set(tr.Stalled.Retry.Add(time.Second))
	if wanted, _, err := again.x.Recover(t.Context(), mine); !wanted || err != nil {
		t.Errorf("when it is to be tried again: %v %v", wanted, err)
	}
}
