package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// network loses and doubles what passes, by a seeded die.
type network struct {
	mu   sync.Mutex
	rnd  *rand.Rand
	calm bool
}

func (n *network) roll(of int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.calm {
		return of
	}
	return n.rnd.IntN(of)
}

func (n *network) calmDown() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calm = true
}

// bad is a round tripper behind which messages get lost on the way there, on
// the way back, or arrive twice.
type bad struct {
	net  *network
	next http.RoundTripper
}

func (b bad) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost {
		return b.next.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	again := func() *http.Request {
		c := r.Clone(r.Context())
		c.Body = io.NopCloser(bytes.NewReader(body))
		return c
	}
	switch b.net.roll(8) {
	case 0:
		return nil, fmt.Errorf("lost on the way there")
	case 1:
		if resp, err := b.next.RoundTrip(again()); err == nil {
			resp.Body.Close()
		}
		return nil, fmt.Errorf("lost on the way back")
	case 2: // the token is the same, so the second one must not count
		if resp, err := b.next.RoundTrip(again()); err == nil {
			resp.Body.Close()
		}
	}
	return b.next.RoundTrip(again())
}

// TestNothingIsLostOrDoubled runs whole exchanges over a bad network while
// both nodes are closed and opened again at random moments. At the end both
// sides hold the same agreement and the same file, and each log tells each
// event once.
func TestNothingIsLostOrDoubled(t *testing.T) {
	runs := 6
	if testing.Short() {
		runs = 2
	}
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			net := &network{rnd: rand.New(rand.NewPCG(uint64(seed), 7))}
			cn, kz := pair(t, func(cn, kz *node) {
				for _, n := range []*node{cn, kz} {
					n.via = func(next http.RoundTripper) http.RoundTripper { return bad{net, next} }
				}
			})
			cn.publish(exchange.Publication{ID: "people", Facts: peopleFacts(), Evidence: evidenceFor(duties...), Source: file(t, 20_000),
				Plan: []byte(`{"format":"csv","stages":[{"do":"pseudonymise","columns":["contact"]}]}`)})
			pid := kz.ask(cn, "people", "trade_logistics")
			restarts(net, 4, cn, kz)
			n := patient(t, kz, pid)
			if n.State != dsp.Finalized {
				t.Fatalf("%s %v", n.State, n.Reason)
			}
			tr, err := kz.x.Transfer(within(t, 5*time.Second), n.Agreement)
			if err != nil {
				t.Fatal(err)
			}
			restarts(net, 4, cn, kz)
			net.calmDown()
			tr, err = kz.x.AwaitTransfer(within(t, 60*time.Second), tr.PID, over)
			if err != nil || tr.State != dsp.Completed {
				t.Fatalf("%v: %s pending %q %v %+v", err, tr.State, tr.Pending, tr.Reason, tr.Waiting)
			}
			once(t, cn, kz, n, tr)
		})
	}
}

// restarts closes and opens nodes again at random moments.
func restarts(net *network, times int, nodes ...*node) {
	for range times {
		time.Sleep(time.Duration(net.roll(60)) * time.Millisecond)
		n := nodes[net.roll(len(nodes))%len(nodes)]
		n.stop()
		n.start()
	}
}

// patient waits longer than a retry takes.
func patient(t *testing.T, n *node, pid string) exchange.Negotiation {
	t.Helper()
	neg, err := n.x.AwaitNegotiation(within(t, 60*time.Second), pid, ended)
	if err != nil {
		t.Fatalf("%v: %s pending %q %+v", err, neg.State, neg.Pending, neg.Waiting)
	}
	return neg
}

// once checks the end: one agreement, one file, each event once in each log.
func once(t *testing.T, cn, kz *node, n exchange.Negotiation, tr exchange.Transfer) {
	t.Helper()
	theirs := patient(t, cn, cn.only().PID)
	if theirs.State != dsp.Finalized || theirs.Agreement != n.Agreement {
		t.Fatalf("%s %s", theirs.State, theirs.Agreement)
	}
	a, err := kz.x.Agreement(context.Background(), n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	b, err := cn.x.Agreement(context.Background(), n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Signed, b.Signed) || a.State != exchange.AgreementInForce || b.State != a.State {
		t.Errorf("the two sides hold different agreements: %s %s", a.State, b.State)
	}
	other := cn.untilTransfer(cn.transfer(), over)
	if other.State != dsp.Completed || other.SHA256 != tr.SHA256 {
		t.Errorf("%s %s %s", other.State, other.SHA256, tr.SHA256)
	}
	got, err := os.ReadFile(tr.File)
	if err != nil || corridor.Digest(got) != tr.SHA256 {
		t.Errorf("%v: the file is not the one that was released", err)
	}
	wantCN := map[string]int{corridor.ReceiptNegotiation: 3, corridor.ReceiptDecision: 1, corridor.ReceiptAgreement: 1, corridor.ReceiptTransferRequested: 1,
		corridor.ReceiptTransferStarted: 1, corridor.ReceiptTransferReleased: 1, corridor.ReceiptTransferAcknowledged: 1}
	wantKZ := map[string]int{corridor.ReceiptNegotiation: 1, corridor.ReceiptDecision: 1, corridor.ReceiptAgreement: 1, corridor.ReceiptTransferRequested: 1,
		corridor.ReceiptTransferStarted: 1, corridor.ReceiptTransferReceived: 1}
	for _, c := range []struct {
		n    *node
		pid  string
		want map[string]int
	}{{cn, theirs.PID, wantCN}, {kz, n.PID, wantKZ}} {
		if have := receiptTypes(t, c.n, c.pid); fmt.Sprint(have) != fmt.Sprint(c.want) {
			t.Errorf("%s: the log tells %v, not %v", c.n.name, have, c.want)
		}
		if _, err := c.n.x.Bundle(within(t, 20*time.Second), n.Agreement); err != nil {
			t.Errorf("%s: %v", c.n.name, err)
		}
	}
}
