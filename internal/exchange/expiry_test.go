package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
)

// waits checks that a wait is dated, and gives its end.
func waitsUntil(t *testing.T, w *exchange.Waiting, on string, from time.Time, limit time.Duration) time.Time {
	t.Helper()
	if w == nil || w.On != on || w.By == nil || w.Then == "" {
		t.Fatalf("it waits %+v, not dated on %s", w, on)
	}
	if w.By.Before(from.Add(limit)) || w.By.After(from.Add(limit+time.Minute)) {
		t.Fatalf("it waits until %s, %s after %s, not %s", w.By, w.By.Sub(from), from, limit)
	}
	return *w.By
}

func lastOf(list []corridor.Receipt) corridor.Receipt { return list[len(list)-1] }

const days = 24 * time.Hour

func TestASilentPeerEndsANegotiationAtItsDateOverRestarts(t *testing.T) {
	now := &clock{}
	began := time.Now().UTC().Truncate(time.Second)
	now.set(began)
	cn, kz := pair(t, func(cn, kz *node) {
		cn.now, kz.now = now.now, now.now
		cn.manual.Agree = true
	})
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), func(n exchange.Negotiation) bool { return n.State == dsp.Requested })
	theirs := cn.until(cn.only().PID, parked)
	by := waitsUntil(t, n.Waiting, "peer", began, 90*days)
	waitsUntil(t, theirs.Waiting, "operator", began, 180*days)

	// A second before, and over a restart, nothing happens and the date stays.
	kz.stop()
	now.set(by.Add(-2 * time.Second))
	kz.clockIsRight = true
	kz.start()
	if n = kz.until(n.PID, func(exchange.Negotiation) bool { return true }); n.State != dsp.Requested || !n.Waiting.By.Equal(by) {
		t.Fatalf("%s until %s, not %s", n.State, n.Waiting.By, by)
	}
	kz.stop()
	now.set(by)
	kz.start()
	n = kz.until(n.PID, ended)
	if n.State != dsp.Terminated || n.Code != "expired" || !strings.Contains(n.Reason[0], "the provider decides on the request") || n.Waiting != nil {
		t.Fatalf("%s %s %v %+v", n.State, n.Code, n.Reason, n.Waiting)
	}
	theirs = cn.until(theirs.PID, ended)
	if theirs.State != dsp.Terminated || theirs.Code != "expired" || strings.Join(theirs.Reason, "") != strings.Join(n.Reason, "") {
		t.Errorf("the peer has %s %s %v", theirs.State, theirs.Code, theirs.Reason)
	}
	for _, side := range []*node{cn, kz} {
		if last := lastOf(side.receipts()); last.Type != corridor.ReceiptNegotiation || last.State != string(dsp.Terminated) {
			t.Errorf("%s: the last receipt tells %s %s", side.name, last.Type, last.State)
		}
	}
}

func TestNobodyActsOnATransfer(t *testing.T) {
	for name, c := range map[string]struct {
		manual func(cn, kz *node)
		act    func(t *testing.T, cn, kz *node, tr exchange.Transfer)
		state  dsp.State
		ends   func(cn, kz *node) *node // whose date comes first
		on     string
		limit  time.Duration
	}{
		"the provider does not start it": {manual: func(cn, _ *node) { cn.manual.Start = true }, state: dsp.Requested, on: "peer", limit: 90 * days,
			ends: func(_, kz *node) *node { return kz }},
		"the consumer does not fetch": {manual: func(_, kz *node) { kz.manual.Fetch = true }, state: dsp.Started, on: "peer", limit: 90 * days,
			ends: func(cn, _ *node) *node { return cn }},
		"who suspended it does not resume": {manual: func(_, kz *node) { kz.manual.Fetch = true }, state: dsp.Suspended, on: "operator", limit: 180 * days,
			ends: func(_, kz *node) *node { return kz },
			act: func(t *testing.T, cn, kz *node, tr exchange.Transfer) {
				if _, err := kz.x.Suspend(within(t, 5*time.Second), tr.PID, "a pause"); err != nil {
					t.Fatal(err)
				}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			now := &clock{}
			began := time.Now().UTC().Truncate(time.Second)
			now.set(began)
			cn, kz := pair(t, func(cn, kz *node) {
				cn.now, kz.now = now.now, now.now
				c.manual(cn, kz)
			})
			cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
			n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended)
			tr, err := kz.x.Transfer(within(t, 10*time.Second), n.Agreement)
			if err != nil {
				t.Fatal(err)
			}
			begun := func(t exchange.Transfer) bool { return t.Pending == dsp.None && (c.act != nil || t.State == c.state) }
			kz.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.State != dsp.None && begun(t) })
			if c.act != nil {
				kz.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.State == dsp.Started && t.Pending == dsp.None })
				c.act(t, cn, kz, tr)
			}
			settled := func(t exchange.Transfer) bool { return t.State == c.state && t.Pending == dsp.None }
			mine, theirs := kz.untilTransfer(tr.PID, settled), cn.untilTransfer(cn.transfer(), settled)
			if mine.Waiting.By == nil || theirs.Waiting.By == nil {
				t.Fatalf("no date: %+v, %+v", mine.Waiting, theirs.Waiting)
			}
			first, wait := c.ends(cn, kz), theirs.Waiting
			if first == kz {
				wait = mine.Waiting
			}
			by := waitsUntil(t, wait, c.on, began, c.limit)
			first.stop()
			now.set(by)
			first.clockIsRight = true
			first.start()
			for side, pid := range map[*node]string{kz: tr.PID, cn: theirs.PID} {
				if got := side.untilTransfer(pid, over); got.State != dsp.Terminated || got.Code != "expired" || len(got.Reason) == 0 {
					t.Errorf("%s: %s %s %v", side.name, got.State, got.Code, got.Reason)
				}
				if last := lastOf(side.receipts()); last.Type != corridor.ReceiptTransferTerminated {
					t.Errorf("%s: the last receipt tells %s %s", side.name, last.Type, last.State)
				}
			}
			if left := kz.inboxFiles(); len(left) != 0 {
				t.Errorf("left in the inbox: %v", left)
			}
		})
	}
}

// A record of before there were dates gets one at the next start.
func TestAWaitOfAnOlderVersionIsDatedAtTheStart(t *testing.T) {
	cn, kz := pair(t, func(cn, kz *node) { cn.manual.Agree = true })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), func(n exchange.Negotiation) bool { return n.State == dsp.Requested })
	err := kz.db.Write(context.Background(), func(tx *store.Tx) error {
		var doc string
		if err := tx.QueryRow(context.Background(), `SELECT doc FROM negotiations WHERE pid = ?`, n.PID).Scan(&doc); err != nil {
			return err
		}
		var m map[string]any
		dec := json.NewDecoder(bytes.NewReader([]byte(doc)))
		dec.UseNumber()
		if err := dec.Decode(&m); err != nil {
			return err
		}
		delete(m["waiting"].(map[string]any), "by")
		delete(m["waiting"].(map[string]any), "then")
		raw, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = tx.Exec(context.Background(), `UPDATE negotiations SET doc = ?, due = '0000-00-00' WHERE pid = ?`, string(raw), n.PID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	kz.stop()
	again := time.Now().UTC().Truncate(time.Second)
	kz.start()
	got := kz.until(n.PID, func(n exchange.Negotiation) bool { return n.Waiting != nil && n.Waiting.By != nil })
	waitsUntil(t, got.Waiting, "peer", again, 90*days)
	if !got.Waiting.Since.Equal(n.Waiting.Since) {
		t.Errorf("it waits since %s, not %s", got.Waiting.Since, n.Waiting.Since)
	}
}

// What cannot be delivered says when it is tried again, and until when.
func TestAMessageSaysWhenItIsTriedAgain(t *testing.T) {
	cn, kz := pair(t, func(cn, _ *node) { cn.manual.Agree = true })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := kz.until(kz.ask(cn, "shipments", "trade_logistics"), func(n exchange.Negotiation) bool { return n.State == dsp.Requested }).PID
	theirs := cn.until(cn.only().PID, parked)
	kz.stop()
	asked := time.Now()
	if _, err := cn.x.Offer(within(t, 5*time.Second), theirs.PID, nil); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := cn.x.Negotiation(within(t, 5*time.Second), theirs.PID)
		if err == nil {
			n, err = cn.x.Shown(within(t, 5*time.Second), n)
		}
		if err != nil {
			t.Fatal(err)
		}
		by := waitsUntil(t, n.Waiting, "peer", asked.Truncate(time.Second), 24*time.Hour)
		list, _, err := cn.x.Negotiations(within(t, 5*time.Second), exchange.Page{})
		if err != nil || len(list) != 1 {
			t.Fatal(err, list)
		}
		if n.Waiting.Retry == nil || list[0].Waiting.Retry == nil { // it has not failed yet
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if n.Waiting.Retry.Before(asked) || n.Waiting.Retry.After(by) {
			t.Errorf("tried again at %s, of %s until %s", n.Waiting.Retry, asked, by)
		}
		break
	}
	kz.start()
	kz.until(pid, func(n exchange.Negotiation) bool { return n.State == dsp.Offered && n.Pending == dsp.None })
}

// Data that moves puts the end of the wait off, and no more often than need be.
func TestDataThatMovesPutsTheEndOff(t *testing.T) {
	now := &clock{}
	began := time.Now().UTC().Truncate(time.Second)
	now.set(began)
	cn, kz := pair(t, func(cn, kz *node) {
		cn.now, kz.now = now.now, now.now
		kz.manual.Fetch = true
	})
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended)
	tr, err := kz.x.Transfer(within(t, 10*time.Second), n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	kz.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.State == dsp.Started })
	pid := cn.transfer()
	before := cn.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Started && t.Pending == dsp.None })
	by := waitsUntil(t, before.Waiting, "peer", began, 90*days)
	cn.x.Progress(pid, 10)
	now.set(began.Add(time.Hour))
	cn.x.Progress(pid, 20)
	now.set(began.Add(3 * time.Hour)) // more than a tenth of the shortest limit
	cn.x.Progress(pid, 30)
	after := cn.untilTransfer(pid, func(t exchange.Transfer) bool { return !t.Waiting.By.Equal(by) })
	if got := after.Waiting.By.Sub(by); got < 2*time.Hour || got > 4*time.Hour || !after.Waiting.Since.Equal(before.Waiting.Since) {
		t.Errorf("put off by %s, since %s", got, after.Waiting.Since)
	}
	if d := cn.receipts(); d[len(d)-1].Type == corridor.ReceiptTransferTerminated {
		t.Error("it was ended")
	}
}

// Of several nodes on one database one ends what is over, once.
func TestOfSeveralNodesOneEndsWhatIsOver(t *testing.T) {
	if !storetest.OnServer() {
		t.Skip("a file has one node")
	}
	now := &clock{}
	now.set(time.Now().UTC().Truncate(time.Second))
	cn, kz := pair(t, func(cn, kz *node) {
		cn.now, kz.now = now.now, now.now
		cn.manual.Agree = true
	})
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	var pids []string
	var by time.Time
	for range 5 {
		n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), func(n exchange.Negotiation) bool { return n.State == dsp.Requested })
		pids, by = append(pids, n.PID), *n.Waiting.By
	}
	kz.stop()
	now.set(by.Add(time.Minute))
	kz.clockIsRight = true
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	second, ran := *kz, make(chan error, 1) // the same keys, database and inbox
	var err error
	if second.db, err = store.Open(ctx, second.place, migrations()...); err != nil {
		t.Fatal(err)
	}
	defer second.db.Close()
	if _, err := second.wire(ctx); err != nil {
		t.Fatal(err)
	}
	go func() { ran <- second.x.Run(ctx) }()
	kz.start()
	for _, pid := range pids {
		if n := kz.until(pid, ended); n.Code != "expired" {
			t.Errorf("%s %s %v", n.State, n.Code, n.Reason)
		}
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	told := 0
	for _, r := range kz.receipts() {
		if r.Type == corridor.ReceiptNegotiation && r.State == string(dsp.Terminated) {
			told++
		}
	}
	if told != len(pids) {
		t.Errorf("%d ends of %d negotiations are in the log", told, len(pids))
	}
}

// TestWhatStoodStillBecauseTheNodeWasDownIsNotGivenUp: whichever comes first,
// the loop that ends waits or the one that takes up fetches. What stands still
// while the node is there is.
func TestWhatStoodStillBecauseTheNodeWasDownIsNotGivenUp(t *testing.T) {
	now := &clock{}
	now.set(time.Now().UTC().Truncate(time.Second))
	_, kz, mine, _, tap := runningBetween(t, func(cn, kz *node) { cn.now, kz.now = now.now, now.now })
	defer close(tap)
	kz.stop()
	now.set(now.now().Add(3 * days))
	again := *kz // it does not run: nothing takes the fetch up
	ctx := t.Context()
	var err error
	again.db, err = store.Open(ctx, again.place, migrations()...)
	ok(t, err)
	defer again.db.Close()
	_, err = again.wire(ctx)
	ok(t, err)
	for _, c := range []struct {
		later  time.Duration
		parked bool
	}{{0, false}, {days - time.Second, false}, {days, true}} {
		now.set(now.now().Add(c.later))
		ok(t, again.x.ExpiryDue(ctx))
		tr, err := again.x.TransferByPID(ctx, mine)
		ok(t, err)
		if tr.State != dsp.Started || (tr.Parked != "") != c.parked || tr.Waiting.By == nil || !tr.Waiting.By.After(now.now()) {
			t.Errorf("%s later: %s, parked %q, waiting %+v", c.later, tr.State, tr.Parked, tr.Waiting)
		}
	}
}

// TestAStreamMayGoOnWhoeverIsWaitedFor: until it is stopped.
func TestAStreamMayGoOnWhoeverIsWaitedFor(t *testing.T) {
	cn, kz, mine, theirs, tap := running(t)
	defer close(tap)
	if tr := cn.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.Pending == dsp.None }); tr.Waiting.On == "node" {
		t.Fatalf("%+v", tr.Waiting)
	}
	kz.untilTransfer(mine, func(t exchange.Transfer) bool { return t.Pending == dsp.None })
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		if left := n.x.StillLeft(t.Context(), pid); left <= 0 {
			t.Errorf("%s: %s is left", n.name, left)
		}
	}
	_, err := cn.x.Suspend(within(t, 10*time.Second), theirs, "a pause")
	ok(t, err)
	if left := cn.x.StillLeft(t.Context(), theirs); left != 0 {
		t.Errorf("%s is left of a stream that was stopped", left)
	}
}
