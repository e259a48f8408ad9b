package exchange_test

import (
	"strings"
	"testing"
	"time"

	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// unanswered is a pair in which the provider has not answered so many requests,
// with the clock of each.
func unanswered(t *testing.T, requests int) (cn, kz *node, provider, consumer *clock, pids []string) {
	t.Helper()
	provider, consumer = &clock{}, &clock{}
	cn, kz = pair(t, func(cn, kz *node) {
		cn.now, kz.now = provider.now, consumer.now
		cn.manual.Agree = true
	})
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	for range requests {
		n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), func(n exchange.Negotiation) bool { return n.State == dsp.Requested })
		pids = append(pids, n.PID)
	}
	return cn, kz, provider, consumer, pids
}

// untilClock waits until a node doubts its clock, or does not.
func (n *node) untilClock(doubted bool) {
	n.t.Helper()
	for ctx := within(n.t, 20*time.Second); ; time.Sleep(5 * time.Millisecond) {
		st, err := n.x.Status(ctx)
		ok(n.t, err)
		if strings.HasPrefix(st.Clock, "doubted: ") == doubted {
			return
		}
	}
}

// TestAClockThatIsMonthsAheadEndsNothing: at a start and while the node runs,
// until it is set right.
func TestAClockThatIsMonthsAheadEndsNothing(t *testing.T) {
	t.Parallel()
	_, kz, _, mine, pids := unanswered(t, 1)
	stands := func(when string) {
		t.Helper()
		n, err := kz.x.Negotiation(t.Context(), pids[0])
		ok(t, err)
		if n.State != dsp.Requested || n.Waiting == nil || n.Waiting.By == nil {
			t.Fatalf("%s: %s %v, waiting %+v", when, n.State, n.Reason, n.Waiting)
		}
	}
	for _, restart := range []bool{true, false} {
		if restart {
			kz.stop()
		}
		mine.set(time.Now().Add(100 * days))
		if restart {
			kz.start()
		}
		for range 2 {
			ok(t, kz.x.ExpiryDue(t.Context()))
			stands("ahead")
		}
		kz.untilClock(true)
		mine.set(time.Now())
		ok(t, kz.x.ExpiryDue(t.Context()))
		kz.untilClock(false)
		stands("set right")
	}
	for range 16 { // it goes on day by day: it is believed
		mine.set(mine.now().Add(6 * days))
		ok(t, kz.x.ExpiryDue(t.Context()))
	}
	if n := kz.until(pids[0], ended); n.Code != "expired" {
		t.Errorf("%s %s", n.State, n.Code)
	}
}

// TestAPeerThatSaysTheSameTimeEndsTheDoubt: the node was really away so long.
func TestAPeerThatSaysTheSameTimeEndsTheDoubt(t *testing.T) {
	t.Parallel()
	cn, kz, theirs, mine, pids := unanswered(t, 2)
	told := kz.until(pids[1], func(exchange.Negotiation) bool { return true }).PeerPID
	kz.stop()
	theirs.set(time.Now().Add(100 * days))
	mine.set(theirs.now())
	kz.start()
	kz.untilClock(true)
	_, err := cn.x.Offer(within(t, 10*time.Second), told, nil)
	ok(t, err)
	if n := kz.until(pids[0], ended); n.Code != "expired" {
		t.Errorf("%s %s", n.State, n.Code)
	}
	kz.untilClock(false)
}
