package exchange_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
	"corridor/verify"
)

// muffled loses the requests whose path a test names.
type muffled struct {
	next http.RoundTripper
	lost atomic.Pointer[string]
}

func (m *muffled) RoundTrip(r *http.Request) (*http.Response, error) {
	if part := m.lost.Load(); part != nil && strings.Contains(r.URL.Path, *part) {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, errors.New("lost on its way")
	}
	return m.next.RoundTrip(r)
}

// released is a pair in which the provider has released, and whose consumer
// does not get its requests with that path through.
func released(t *testing.T, lost string, change ...func(cn, kz *node)) (cn, kz *node, now *clock, way *muffled, agreement, theirs string) {
	now, way = &clock{}, &muffled{}
	now.set(time.Now().UTC().Truncate(time.Second))
	way.lost.Store(&lost)
	cn, kz = pair(t, append(change, func(cn, kz *node) {
		cn.now, kz.now, cn.logNow, kz.logNow = now.now, now.now, now.now, now.now
		kz.via = func(next http.RoundTripper) http.RoundTripper {
			way.next = next
			return way
		}
	})...)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	tr, err := kz.x.Transfer(within(t, 5*time.Second), n.Agreement)
	ok(t, err)
	cn.untilTransfer(cn.transferOf(n.Agreement), func(t exchange.Transfer) bool { return t.Released != nil })
	return cn, kz, now, way, n.Agreement, tr.PID
}

// transferOf waits for the one transfer of a node.
func (n *node) transferOf(agreement string) string {
	n.t.Helper()
	for ctx := within(n.t, 20*time.Second); ; time.Sleep(5 * time.Millisecond) {
		list, _, err := n.x.Transfers(ctx, exchange.Page{})
		ok(n.t, err)
		if len(list) == 1 && list[0].Agreement == agreement {
			return list[0].PID
		}
	}
}

func (n *node) unconfirmed() (list []corridor.Receipt) {
	n.t.Helper()
	for _, r := range n.receipts() {
		if r.Type == corridor.ReceiptTransferUnconfirmed {
			list = append(list, r)
		}
	}
	return list
}

func (n *node) arrivals() map[string]int64 {
	n.t.Helper()
	st, err := n.x.Status(within(n.t, 10*time.Second))
	ok(n.t, err)
	return st.Arrivals
}

// TestAReleaseThatIsNotConfirmedShows: at its deadline, also when the node was
// down then, exactly once; and a confirmation that comes later names it.
func TestAReleaseThatIsNotConfirmedShows(t *testing.T) {
	cn, kz, now, way, agreement, theirs := released(t, "/corridor/receipts/")
	pid := cn.transfer()
	tr, err := cn.x.TransferByPID(t.Context(), pid)
	ok(t, err)
	by := at(t, tr.ConfirmBy)
	if d := by.Sub(now.now()); d > 24*time.Hour || d < 23*time.Hour || cn.arrivals()["awaited"] != 1 {
		t.Fatalf("to be confirmed within %s: %v", d, cn.arrivals())
	}
	cn.stop()
	now.set(by.Add(-2 * time.Minute))
	cn.start()
	if list := cn.unconfirmed(); len(list) != 0 {
		t.Fatalf("before its deadline: %+v", list)
	}
	cn.stop()
	now.set(by)
	cn.start()
	tr = cn.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Unconfirmed != nil })
	if tr.Waiting == nil || tr.Waiting.On != "operator" || !strings.Contains(tr.Waiting.Why, "not confirmed by "+tr.ConfirmBy) {
		t.Errorf("%+v", tr.Waiting)
	}
	cn.stop()
	now.set(by.Add(48 * time.Hour))
	cn.start() // it is said once
	list := cn.unconfirmed()
	if len(list) != 1 || list[0].Due != tr.ConfirmBy || list[0].Digests[corridor.DigestReleased] != tr.Released.Leaf || !strings.Contains(list[0].Reason, "its log shows no receipt of it") {
		t.Fatalf("%+v", list)
	}
	if a := cn.arrivals(); a["unconfirmed"] != 1 || a["awaited"] != 0 {
		t.Errorf("%v", a)
	}
	note := ".confirmed"
	raw, err := cn.x.Bundle(within(t, 20*time.Second), agreement)
	ok(t, err)
	if rep := verify.Bundle(raw, verify.Options{}); !rep.OK || !told(rep, note, "nothing here confirms it") {
		t.Error(rep.Summary)
	}

	way.lost.Store(nil)
	kz.stop()
	kz.start() // takes its transfer up again
	kz.untilTransfer(theirs, func(t exchange.Transfer) bool {
		if t.Parked != "" {
			go kz.x.Resume(context.Background(), theirs)
		}
		return t.State.Final()
	})
	tr = cn.untilTransfer(pid, over)
	if tr.State != dsp.Completed || cn.arrivals()["unconfirmed"] != 0 {
		t.Errorf("%s %v", tr.State, cn.arrivals())
	}
	late := false
	for _, r := range cn.receipts() {
		late = late || r.Type == corridor.ReceiptTransferAcknowledged && r.Digests[corridor.DigestUnconfirmed] == tr.Unconfirmed.Leaf
	}
	if !late {
		t.Error("the late confirmation does not name the entry that said that it was missing")
	}
	raw, err = cn.x.Bundle(within(t, 20*time.Second), agreement)
	ok(t, err)
	if rep := verify.Bundle(raw, verify.Options{}); !rep.OK || !told(rep, note, "it was at ") {
		t.Error(rep.Summary)
	}
}

func told(rep *verify.Report, suffix, detail string) bool {
	for _, c := range rep.Checks {
		if strings.HasSuffix(c.ID, suffix) && strings.Contains(c.Detail, detail) {
			return true
		}
	}
	return false
}

// TestAnArrivalWhoseWordWasLostIsFoundInThePeersLog: nothing is missing then.
func TestAnArrivalWhoseWordWasLostIsFoundInThePeersLog(t *testing.T) {
	cn, kz, now, _, _, theirs := released(t, "/completion")
	kz.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.Received != nil })
	pid := cn.transfer()
	cn.stop()
	now.set(now.now().Add(25 * time.Hour))
	cn.start()
	tr := cn.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Received != nil || t.Unconfirmed != nil })
	if tr.Unconfirmed != nil || len(cn.unconfirmed()) != 0 || len(cn.arrivals()) != 0 {
		t.Errorf("%+v %v", cn.unconfirmed(), cn.arrivals())
	}
}

// TestAConsumerThatIsGoneShowsToo: the answer says that its log could not be
// read.
func TestAConsumerThatIsGoneShowsToo(t *testing.T) {
	cn, kz, now, _, _, _ := released(t, "/corridor/receipts/", func(cn, _ *node) { cn.confirm = time.Hour })
	kz.stop()
	pid := cn.transfer()
	cn.stop()
	now.set(now.now().Add(61 * time.Minute))
	cn.start()
	cn.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Unconfirmed != nil })
	if list := cn.unconfirmed(); len(list) != 1 || !strings.Contains(list[0].Reason, "its log could not be read: no answer from") {
		t.Errorf("%+v", list)
	}
	kz.start()
}

// TestARunningNodeSaysItAtTheDeadline: at the second, in simulated time, and
// never again.
func TestARunningNodeSaysItAtTheDeadline(t *testing.T) {
	if storetest.OnServer() {
		t.Skip("the driver waits on a socket, which no simulated clock moves")
	}
	cn, kz, _, _, _, _ := released(t, "/corridor/receipts/")
	tr, err := cn.x.TransferByPID(t.Context(), cn.transfer())
	ok(t, err)
	kz.stop()
	cn.stop()
	synctest.Test(t, func(t *testing.T) { saysItAtTheDeadline(t, *cn, at(t, tr.ConfirmBy)) })
}

func saysItAtTheDeadline(t *testing.T, n node, by time.Time) {
	ctx, cancel := context.WithCancel(t.Context())
	n.t = t
	began := time.Now()
	n.now = func() time.Time { return by.Add(time.Since(began) - time.Hour) }
	n.logNow = n.now
	every := ""
	n.via = func(next http.RoundTripper) http.RoundTripper {
		way := &muffled{next: next}
		way.lost.Store(&every)
		return way
	}
	var err error
	n.db, err = store.Open(ctx, n.place, migrations()...)
	ok(t, err)
	_, err = n.wire(ctx)
	ok(t, err)
	ran := make(chan error, 1)
	go func() { ran <- n.x.Run(ctx) }()
	for _, step := range []struct {
		after time.Duration
		said  int
	}{{time.Hour - time.Second, 0}, {2 * time.Second, 1}, {60 * 24 * time.Hour, 1}} {
		time.Sleep(step.after)
		synctest.Wait()
		if list := n.unconfirmed(); len(list) != step.said {
			t.Errorf("at %s it is said %d times, want %d", n.now(), len(list), step.said)
		}
	}
	if list := n.unconfirmed(); len(list) == 1 && !strings.Contains(list[0].Reason, "its log could not be read") {
		t.Error(list[0].Reason)
	}
	cancel()
	ok(t, <-ran)
	n.db.Close()
}

// TestSeveralNodesSayOnceThatAReleaseWasNotConfirmed: whichever holds the lead.
func TestSeveralNodesSayOnceThatAReleaseWasNotConfirmed(t *testing.T) {
	if !storetest.OnServer() {
		t.Skip("a file has one node")
	}
	cn, _, now, _, _, _ := released(t, "/corridor/receipts/")
	pid := cn.transfer()
	cn.stop()
	now.set(now.now().Add(25 * time.Hour))
	second := *cn // the same keys, database and inbox; nobody has to reach it
	ctx, cancel := context.WithCancel(t.Context())
	var err error
	second.db, err = store.Open(ctx, second.place, migrations()...)
	ok(t, err)
	defer second.db.Close()
	_, err = second.wire(ctx)
	ok(t, err)
	ran := make(chan error, 1)
	go func() { ran <- second.x.Run(ctx) }()
	defer func() {
		cancel()
		ok(t, <-ran)
	}()
	cn.start()
	cn.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Unconfirmed != nil })
	second.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Unconfirmed != nil })
	for _, n := range []*node{cn, &second} {
		list := n.unconfirmed()
		for ctx := within(t, 20*time.Second); len(list) == 0 && ctx.Err() == nil; list = n.unconfirmed() { // the log of a node knows what another wrote a moment after the record does
			time.Sleep(5 * time.Millisecond)
		}
		if len(list) != 1 {
			t.Errorf("%+v", list)
		}
	}
}

// sql changes a node's database behind its back.
func (n *node) sql(query string, args ...any) {
	n.t.Helper()
	ok(n.t, n.db.Write(n.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(n.t.Context(), query, args...)
		return err
	}))
}

// TestWhatFailsHereIsNoSilenceOfThePeer: it is asked again.
func TestWhatFailsHereIsNoSilenceOfThePeer(t *testing.T) {
	cn, _, now, _, agreement, _ := released(t, "/corridor/receipts/")
	pid := cn.transfer()
	cn.sql(`UPDATE agreements SET doc = 'x' || doc WHERE id = ?`, agreement)
	cn.stop() // what it has in mind of the agreement is gone
	cn.start()
	now.set(now.now().Add(25 * time.Hour))
	if err := cn.x.ArrivalsDue(t.Context()); err == nil || !strings.Contains(err.Error(), "agreement") {
		t.Errorf("an agreement that cannot be read: %v", err)
	}
	if list := cn.unconfirmed(); len(list) != 0 {
		t.Fatalf("the peer is accused: %+v", list)
	}
	cn.sql(`UPDATE agreements SET doc = substr(doc, 2) WHERE id = ?`, agreement)
	ok(t, cn.x.ArrivalsDue(t.Context()))
	if list := cn.unconfirmed(); len(list) != 1 || !strings.Contains(list[0].Reason, "its log shows no receipt of it") {
		t.Errorf("%+v", list)
	}
	cn.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Unconfirmed != nil })
}

// TestAnArrivalThatIsFoundButCannotBeKeptIsNoSilence: the receipt was there.
func TestAnArrivalThatIsFoundButCannotBeKeptIsNoSilence(t *testing.T) {
	cn, kz, now, _, _, theirs := released(t, "/completion")
	kz.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.Received != nil })
	now.set(now.now().Add(25 * time.Hour))
	cn.sql(`ALTER TABLE ledger_peer_receipts RENAME TO hidden`)
	ok(t, cn.x.ArrivalsDue(t.Context()))
	cn.sql(`ALTER TABLE hidden RENAME TO ledger_peer_receipts`)
	tr, err := cn.x.TransferByPID(t.Context(), cn.transfer())
	ok(t, err)
	if tr.Received == nil || tr.Unconfirmed != nil || len(cn.unconfirmed()) != 0 {
		t.Errorf("%+v %+v", tr.Received, cn.unconfirmed())
	}
}
