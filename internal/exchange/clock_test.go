package exchange_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
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

// asleep is a node that was stopped, on its database, without its loops.
func (n *node) asleep() *node {
	n.t.Helper()
	again := *n
	var err error
	again.db, err = store.Open(n.t.Context(), again.place, migrations()...)
	ok(n.t, err)
	n.t.Cleanup(func() { _ = again.db.Close() })
	_, err = again.wire(n.t.Context())
	ok(n.t, err)
	return &again
}

// TestAClockThatIsMonthsAheadDeletesNothing: neither a copy that has a term nor
// what tells the people of the real year apart.
func TestAClockThatIsMonthsAheadDeletesNothing(t *testing.T) {
	t.Parallel()
	now := &clock{}
	cn, kz := pair(t, func(cn, kz *node) { cn.now, kz.now = now.now, now.now })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Policy: json.RawMessage(lent)})
	tr := kz.carried(kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended).Agreement)
	keys := filepath.Join(kz.dir, "keys")
	this, old := filepath.Join(keys, time.Now().Format("people-2006.key")), filepath.Join(keys, "people-2020.key")
	ok(t, os.MkdirAll(keys, 0o700))
	for _, key := range []string{this, old} {
		ok(t, os.WriteFile(key, []byte("key"), 0o600))
	}
	ok(t, kz.x.ExpiryDue(t.Context()))
	there := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}

	now.set(time.Now().Add(400 * days))
	ok(t, kz.x.DeletionsDue(t.Context()))
	kz.x.ForgetPeople(t.Context())
	if got := kz.untilTransfer(tr.PID, over); got.Deleted != nil || !there(tr.File) {
		t.Error("the copy was deleted")
	}
	if !there(this) || !there(old) {
		t.Error("a key of the counts was deleted")
	}
	if err := kz.x.MayBeLate(t.Context()); corridor.KindOf(err) != corridor.Unavailable {
		t.Errorf("a message may be given up: %v", err)
	}

	now.set(time.Now().Add(3 * days))
	ok(t, kz.x.MayBeLate(t.Context()))
	ok(t, kz.x.DeletionsDue(t.Context()))
	kz.x.ForgetPeople(t.Context())
	kz.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.Deleted != nil })
	if there(tr.File) || there(old) || !there(this) {
		t.Errorf("set right: the copy is there: %v, the old key: %v, this year's: %v", there(tr.File), there(old), there(this))
	}
}

// TestAPersonsWordOnTheClockOutlastsAWriteThatFails: it is used up only when
// the time is written down.
func TestAPersonsWordOnTheClockOutlastsAWriteThatFails(t *testing.T) {
	t.Parallel()
	if storetest.OnServer() {
		t.Skip("the trigger is written for a file")
	}
	_, kz, _, mine, _ := unanswered(t, 1)
	kz.stop()
	mine.set(time.Now().Add(100 * days))
	kz.clockIsRight = true
	again := kz.asleep()
	for _, change := range []string{`CREATE TRIGGER broken BEFORE INSERT ON clock BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`, `DROP TRIGGER broken`} {
		ok(t, again.db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), change)
			return err
		}))
		if err := again.x.ExpiryDue(t.Context()); (err != nil) != strings.HasPrefix(change, "CREATE") {
			t.Fatalf("after %s: %v", change, err)
		}
	}
	again.untilClock(false)
	if n, _, err := again.x.Negotiations(t.Context(), exchange.Page{State: string(dsp.Terminated)}); err != nil || len(n) != 1 {
		t.Errorf("%d were ended: %v", len(n), err)
	}
}
