package exchange_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// deaf is a network that loses the answers to some messages while it is on:
// the peer has them, and we do not know.
type deaf struct {
	next http.RoundTripper
	path string
	on   *atomic.Bool
	lost *atomic.Int64
}

func (d deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(r)
	if err != nil || !d.on.Load() || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, d.path) {
		return resp, err
	}
	resp.Body.Close()
	d.lost.Add(1)
	return nil, errors.New("the answer was lost")
}

// deafTo makes a node that does not hear the answers to messages of one path.
func deafTo(path string) (d deaf, change func(*node)) {
	d = deaf{path: path, on: &atomic.Bool{}, lost: &atomic.Int64{}}
	d.on.Store(true)
	return d, func(n *node) {
		n.via = func(next http.RoundTripper) http.RoundTripper {
			d.next = next
			return d
		}
	}
}

// loses waits until an answer has been lost.
func (d deaf) loses(t *testing.T) {
	t.Helper()
	for ctx := within(t, 10*time.Second); d.lost.Load() == 0; {
		select {
		case <-ctx.Done():
			t.Fatal("no message was sent")
		case <-time.After(time.Millisecond):
		}
	}
}

// TestAnEndBeforeThePeersAnswerIsTold: a negotiation is ended while the answer
// to its first message is lost. The peer, where it waits for a person, hears
// that it is over.
func TestAnEndBeforeThePeersAnswerIsTold(t *testing.T) {
	d, deafen := deafTo("/negotiations/request")
	cn, kz := pair(t, func(cn, kz *node) {
		cn.manual.Agree = true
		deafen(kz)
	})
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	pid := kz.ask(cn, "shipments", "trade_logistics")
	d.loses(t)
	n, err := kz.x.Terminate(within(t, 5*time.Second), pid, "changed_mind", "not needed any more")
	if err != nil || n.State != dsp.Terminated || n.PeerPID != "" {
		t.Fatalf("%v %s %q", err, n.State, n.PeerPID)
	}
	d.on.Store(false)
	theirs := cn.until(cn.only().PID, ended)
	if theirs.State != dsp.Terminated || theirs.Code != "changed_mind" {
		t.Errorf("%s %s", theirs.State, theirs.Code)
	}
	if got := receiptTypes(t, kz, pid); got[corridor.ReceiptNegotiation] != 1 {
		t.Errorf("the end is not told once: %v", got)
	}
}

// TestAnEndedTransferIsToldToo is the same for a transfer.
func TestAnEndedTransferIsToldToo(t *testing.T) {
	d, deafen := deafTo("/transfers/request")
	cn, kz := pair(t, func(cn, kz *node) {
		cn.manual.Start = true
		deafen(kz)
	})
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended)
	tr, err := kz.x.Transfer(within(t, 5*time.Second), n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	d.loses(t)
	if _, err := kz.x.TerminateTransfer(within(t, 5*time.Second), tr.PID, "not needed any more"); err != nil {
		t.Fatal(err)
	}
	d.on.Store(false)
	if theirs := cn.untilTransfer(cn.transfer(), over); theirs.State != dsp.Terminated {
		t.Errorf("%s", theirs.State)
	}
}

// TestWhatThePeerMayHaveAsFinalIsNotEnded: the last word is on its way, and
// nobody knows whether it is there. An end now would make two histories.
func TestWhatThePeerMayHaveAsFinalIsNotEnded(t *testing.T) {
	d, deafen := deafTo("/events")
	cn, kz := pair(t, func(cn, _ *node) { deafen(cn) })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended)
	d.loses(t)
	theirs := cn.only().PID
	if _, err := cn.x.Terminate(within(t, 5*time.Second), theirs, "", ""); corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("an agreement that is final on the other side was ended: %v", err)
	}
	d.on.Store(false)
	if got := cn.until(theirs, ended); got.State != dsp.Finalized {
		t.Errorf("%s", got.State)
	}
	d2, err := kz.x.Agreement(context.Background(), n.Agreement)
	if err != nil || d2.State != exchange.AgreementInForce {
		t.Errorf("%v %s", err, d2.State)
	}
}

// TestWhatAPersonLetGoGoesOnAfterARestart: manual.fetch holds a fetch once. A
// node that ends after a person let it go takes it up at its start.
func TestWhatAPersonLetGoGoesOnAfterARestart(t *testing.T) {
	shut := &atomic.Bool{}
	shut.Store(true)
	cn, kz := pair(t, func(cn, kz *node) {
		kz.manual.Fetch = true
		cn.wrap = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if shut.Load() && strings.HasPrefix(r.URL.Path, "/data/") {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	})
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended)
	tr, err := kz.x.Transfer(within(t, 5*time.Second), n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	kz.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.State == dsp.Started && t.Parked != "" })
	if _, err := kz.x.Resume(within(t, 5*time.Second), tr.PID); err != nil {
		t.Fatal(err)
	}
	kz.stop()
	shut.Store(false)
	kz.start()
	if got := kz.untilTransfer(tr.PID, over); got.State != dsp.Completed {
		t.Errorf("%s %v", got.State, got.Reason)
	}
}

// TestATransferThatWasEndedLeavesNoData: a fetch breaks off half-way, and the
// transfer is ended. What had come does not stay in the inbox, also if the
// node was down meanwhile.
func TestATransferThatWasEndedLeavesNoData(t *testing.T) {
	half := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/data/") {
				w.Header().Set("ETag", `"one"`)
				io.WriteString(w, "awb,weight\nCN0000001")
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}
	cn, kz := pair(t, func(cn, _ *node) { cn.wrap = half })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended)
	tr, err := kz.x.Transfer(within(t, 5*time.Second), n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	kz.untilInbox(func(files []string) bool { return len(files) > 0 })
	if _, err := kz.x.TerminateTransfer(within(t, 5*time.Second), tr.PID, "not needed any more"); err != nil {
		t.Fatal(err)
	}
	kz.stop()
	kz.start()
	kz.untilInbox(func(files []string) bool { return len(files) == 0 })
}

// TestASuspensionThatComesAfterTheResumption: it was long under way, and the
// other side has suspended and resumed the transfer meanwhile. Nobody waits for
// the other for ever, whichever side is late.
func TestASuspensionThatComesAfterTheResumption(t *testing.T) {
	t.Parallel()
	for _, late := range []string{"cn", "kz"} {
		t.Run(late, func(t *testing.T) {
			t.Parallel()
			gate := make(chan struct{})
			var once sync.Once
			hold := func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/suspension") {
						once.Do(func() { <-gate })
					}
					next.ServeHTTP(w, r)
				})
			}
			cn, kz := pair(t, seldom, func(cn, kz *node) {
				if late == "cn" {
					kz.wrap = hold
				} else {
					cn.wrap = hold
				}
			})
			mine, theirs, _ := goesOn(t, cn, kz, exchange.Publication{})
			slow, quick, slowPID, quickPID := cn, kz, theirs, mine
			if late == "kz" {
				slow, quick, slowPID, quickPID = kz, cn, mine, theirs
			}
			ctx := within(t, 20*time.Second)
			_, err := slow.x.Suspend(ctx, slowPID, "on its way for long")
			ok(t, err)
			_, err = slow.x.Resume(ctx, slowPID)
			ok(t, err)
			_, err = quick.x.Suspend(ctx, quickPID, "at once")
			ok(t, err)
			slow.untilTransfer(slowPID, func(t exchange.Transfer) bool { return t.StoppedBy == t.Role.Other() })
			_, err = quick.x.Resume(ctx, quickPID)
			ok(t, err)
			slow.untilTransfer(slowPID, func(t exchange.Transfer) bool { return t.State == dsp.Started && t.Pending == dsp.None })
			close(gate)
			cn.adds(3)
			if part := kz.arrived(mine, 2); part.Rows != 3 {
				t.Errorf("%+v", part)
			}
			for n, pid := range map[*node]string{cn: theirs, kz: mine} {
				n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Started && t.Pending == dsp.None })
			}
		})
	}
}
