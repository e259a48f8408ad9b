package exchange_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
)

// sluggish answers, about receipts of one host, when a test lets it.
type sluggish struct {
	next  http.RoundTripper
	host  atomic.Pointer[string]
	asked atomic.Int64
	gave  atomic.Int64 // up
	let   chan struct{}
}

func (w *sluggish) RoundTrip(r *http.Request) (*http.Response, error) {
	if host := w.host.Load(); host != nil && r.URL.Host == *host && strings.Contains(r.URL.Path, "/corridor/receipts/") {
		w.asked.Add(1)
		select {
		case <-w.let:
		case <-r.Context().Done():
			w.gave.Add(1)
			return nil, r.Context().Err()
		}
	}
	return w.next.RoundTrip(r)
}

// unconfirmedTo is a provider whose releases to two consumers are overdue:
// three to kz, whose answers are slow from here on, and one to uz.
func unconfirmedTo(t *testing.T) (cn *node, kz []string, uz string, way *sluggish) {
	t.Helper()
	way = &sluggish{let: make(chan struct{})}
	now := &clock{}
	now.set(time.Now().UTC().Truncate(time.Second))
	lost := "/corridor/receipts/"
	nodes := []*node{newNode(t, "cn", "CN", "SM2"), newNode(t, "kz", "KZ", "Ed25519"), newNode(t, "uz", "UZ", "Ed25519")}
	introduce(t, nodes...)
	for i, n := range nodes {
		n.now, n.logNow = now.now, now.now
		n.via = func(next http.RoundTripper) http.RoundTripper {
			if i == 0 {
				way.next = next
				return way
			}
			m := &muffled{next: next}
			m.lost.Store(&lost)
			return m
		}
		n.start()
		t.Cleanup(func() { n.stop() })
	}
	cn = nodes[0]
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pids := func(n *node, count int) (list []string) {
		for range count {
			neg := n.until(n.ask(cn, "shipments", "trade_logistics"), ended)
			tr, err := n.x.Transfer(within(t, 5*time.Second), neg.Agreement)
			ok(t, err)
			pid := n.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.State == dsp.Started }).PeerPID
			cn.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Released != nil })
			list = append(list, pid)
		}
		return list
	}
	kz, uz = pids(nodes[1], 3), pids(nodes[2], 1)[0]
	way.host.Store(&nodes[1].addr)
	now.set(now.now().Add(25 * time.Hour))
	return cn, kz, uz, way
}

func TestASlowConsumerHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	cn, kz, uz, way := unconfirmedTo(t)
	pass := make(chan error, 1)
	go func() { pass <- cn.x.ArrivalsDue(context.Background()) }()
	cn.untilTransfer(uz, func(t exchange.Transfer) bool { return t.Unconfirmed != nil })
	if way.gave.Load() != 0 {
		t.Error("the other consumer was asked when the slow one had been given up")
	}
	close(way.let)
	ok(t, <-pass)
	for _, pid := range kz {
		cn.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Unconfirmed != nil })
	}
}

func TestASlowConsumerHasItsShareOfAPass(t *testing.T) {
	t.Parallel()
	cn, _, _, way := unconfirmedTo(t)
	close(way.let) // it answers; its share is over all the same
	cn.stop()      // no loop of its own takes part
	var err error
	cn.db, err = store.Open(t.Context(), cn.place, migrations()...)
	ok(t, err)
	defer cn.db.Close()
	_, err = cn.wire(t.Context())
	ok(t, err)
	cn.x.ShareArrivals(0)
	for pass := int64(1); pass <= 3; pass++ {
		ok(t, cn.x.ArrivalsDue(t.Context()))
		said := 0
		for _, r := range cn.unconfirmed() {
			if r.Type == corridor.ReceiptTransferUnconfirmed && strings.Contains(r.Reason, "its log shows no receipt of it") {
				said++
			}
		}
		if want := 1 + pass; way.asked.Load() != pass || int64(said) != want { // the other consumer's is said in the first
			t.Errorf("after %d passes it was asked %d times and %d arrivals are said to be missing, not %d", pass, way.asked.Load(), said, want)
		}
	}
}
