package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
)

// slow lets a stream out only while the tap is open.
type slow struct {
	http.ResponseWriter
	tap  chan struct{}
	sent *atomic.Int64
}

func (s slow) Write(p []byte) (int, error) {
	if s.sent.Load() > 256<<10 {
		<-s.tap
	}
	n, err := s.ResponseWriter.Write(p)
	s.sent.Add(int64(n))
	return n, err
}

func (s slow) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// dripping makes a provider whose streams stop after a while until the tap is
// opened.
func dripping(tap chan struct{}, sent *atomic.Int64) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/data/") {
				w = slow{w, tap, sent}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// running is a transfer that has begun to flow and is held up in the middle.
func running(t *testing.T, change ...func(cn *node)) (cn, kz *node, pid, theirs string, tap chan struct{}) {
	t.Helper()
	return runningBetween(t, func(cn, _ *node) {
		for _, f := range change {
			f(cn)
		}
	})
}

func runningBetween(t *testing.T, change func(cn, kz *node)) (cn, kz *node, pid, theirs string, tap chan struct{}) {
	t.Helper()
	return runningOf(t, exchange.Publication{}, change)
}

// runningUnder is running under a policy.
func runningUnder(t *testing.T, policy json.RawMessage) (cn, kz *node, pid, theirs string, tap chan struct{}) {
	t.Helper()
	return runningOf(t, exchange.Publication{Policy: policy}, func(_, _ *node) {})
}

func runningOf(t *testing.T, p exchange.Publication, change func(cn, kz *node)) (cn, kz *node, pid, theirs string, tap chan struct{}) {
	t.Helper()
	tap = make(chan struct{})
	var sent atomic.Int64
	cn, kz = pair(t, func(cn, kz *node) {
		cn.wrap = dripping(tap, &sent)
		change(cn, kz)
	})
	p.ID, p.Facts, p.Source = "shipments", plainFacts(), file(t, 100_000)
	cn.publish(p)
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	tr, err := kz.x.Transfer(within(t, 5*time.Second), n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); sent.Load() < 256<<10; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no stream began")
		}
	}
	cn.untilTransfer(cn.transfer(), func(t exchange.Transfer) bool { return t.State == dsp.Started })
	return cn, kz, tr.PID, cn.transfer(), tap
}

// transfer gives the one transfer of a node.
func (n *node) transfer() string {
	n.t.Helper()
	list, _, err := n.x.Transfers(context.Background(), exchange.Page{})
	if err != nil || len(list) != 1 {
		n.t.Fatalf("%s has %d transfers (%v)", n.name, len(list), err)
	}
	return list[0].PID
}

func TestASuspensionStopsTheStreamAndAResumptionEndsIt(t *testing.T) {
	for _, c := range []struct {
		suspends, resumes string
		allowed           bool
	}{
		{"provider", "provider", true}, {"provider", "consumer", false}, {"consumer", "consumer", true}, {"consumer", "provider", true},
	} {
		t.Run(c.suspends+" suspends, "+c.resumes+" resumes", func(t *testing.T) {
			cn, kz, mine, theirs, tap := running(t)
			nodes, pids := map[string]*node{"provider": cn, "consumer": kz}, map[string]string{"provider": theirs, "consumer": mine}
			ctx := within(t, 20*time.Second)
			if _, err := nodes[c.suspends].x.Suspend(ctx, pids[c.suspends], "order of the authority"); err != nil {
				t.Fatal(err)
			}
			close(tap) // the stream could go on now; it must not
			for name, n := range nodes {
				got := n.untilTransfer(pids[name], func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
				if len(got.Reason) != 1 || got.Reason[0] != "order of the authority" {
					t.Errorf("%s: %v", name, got.Reason)
				}
			}
			if files := inbox(t, kz); len(files) != 0 {
				t.Errorf("a partial file has the final name: %v", files)
			}
			_, err := nodes[c.resumes].x.Resume(ctx, pids[c.resumes])
			if !c.allowed {
				if corridor.KindOf(err) != corridor.Conflict {
					t.Errorf("only the provider resumes what the provider suspended: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tr := kz.untilTransfer(mine, over); tr.State != dsp.Completed {
				t.Fatalf("%s %v", tr.State, tr.Reason)
			}
			if files := inbox(t, kz); len(files) != 1 {
				t.Errorf("%v", files)
			}
			if _, err := kz.x.Bundle(ctx, kz.only().Agreement); err != nil {
				t.Error(err)
			}
		})
	}
}

// inbox lists the files that have arrived under their names.
func inbox(t *testing.T, n *node) (files []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(n.dir, "inbox", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if strings.HasSuffix(f, ".csv") {
			files = append(files, f)
		}
	}
	return files
}

func TestATerminationStopsTheStreamForGood(t *testing.T) {
	cn, kz, mine, theirs, tap := running(t)
	if _, err := cn.x.TerminateTransfer(within(t, 5*time.Second), theirs, "the purpose has ended"); err != nil {
		t.Fatal(err)
	}
	close(tap)
	if tr := kz.untilTransfer(mine, over); tr.State != dsp.Terminated || len(tr.Reason) == 0 {
		t.Errorf("%s %v", tr.State, tr.Reason)
	}
	if files := inbox(t, kz); len(files) != 0 {
		t.Errorf("%v", files)
	}
	if _, err := cn.x.Resume(within(t, time.Second), theirs); corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("it is over: %v", err)
	}
}

func TestARestartInTheMiddleTakesTheStreamUpAgain(t *testing.T) {
	for _, who := range []string{"provider", "consumer"} {
		t.Run(who, func(t *testing.T) {
			cn, kz, mine, _, tap := running(t)
			n := cn
			if who == "consumer" {
				n = kz
			}
			close(tap)
			n.stop()
			n.start()
			if tr := kz.untilTransfer(mine, over); tr.State != dsp.Completed {
				t.Fatalf("%s %v", tr.State, tr.Reason)
			}
			files := inbox(t, kz)
			if len(files) != 1 {
				t.Fatal(files)
			}
			got, err := os.ReadFile(files[0])
			if err != nil || bytes.Count(got, []byte("\n")) != 100_001 {
				t.Errorf("%v: %d lines", err, bytes.Count(got, []byte("\n")))
			}
			if _, err := kz.x.Bundle(within(t, 10*time.Second), kz.only().Agreement); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStartIsDecidedAgain(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Policy: []byte(`{"permission":[{"action":"use","constraint":[{"leftOperand":"count","operator":"lteq","rightOperand":"1"}]}]}`)})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	once := func() exchange.Transfer {
		tr, err := kz.x.Transfer(within(t, 5*time.Second), n.Agreement)
		if err != nil {
			t.Fatal(err)
		}
		return kz.untilTransfer(tr.PID, over)
	}
	if tr := once(); tr.State != dsp.Completed {
		t.Fatalf("%s %v", tr.State, tr.Reason)
	}
	if tr := once(); tr.State != dsp.Terminated || !strings.Contains(strings.Join(tr.Reason, " "), "1 uses") {
		t.Errorf("the offer admits one use: %s %v", tr.State, tr.Reason)
	}
	// The facts have changed since the agreement: the law now denies.
	cn.publish(exchange.Publication{ID: "other", Facts: plainFacts()})
	m := kz.until(kz.ask(cn, "other", "research"), ended)
	cn.publish(exchange.Publication{ID: "other", Facts: with(corridor.Facts{"data_classes": []any{"state_secret"}})})
	n = m
	if tr := once(); tr.State != dsp.Terminated || tr.Code != "refused_by_law" {
		t.Errorf("%s %s %v", tr.State, tr.Code, tr.Reason)
	}
}

// metered counts what the plane wants to send, before the network takes it.
type metered struct {
	http.ResponseWriter
	parts *atomic.Int64
}

func (m metered) Write(p []byte) (int, error) {
	m.parts.Add(1)
	return m.ResponseWriter.Write(p)
}

func (m metered) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// The database is busy when the order comes: what runs waits for it, so that
// no byte is out that the order, once it is in force, would have stopped.
func TestNothingIsSentWhileAnOrderIsAccepted(t *testing.T) {
	var parts atomic.Int64
	cn, kz, _, theirs, tap := running(t, func(cn *node) {
		drips := cn.wrap
		cn.wrap = func(next http.Handler) http.Handler {
			return drips(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/data/") {
					w = metered{w, &parts}
				}
				next.ServeHTTP(w, r)
			}))
		}
	})
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	compact := treaty(t, nil, cnBody, kzBody)
	cn.adopt(compact)
	kz.adopt(compact)
	order := cnBody.suspend(corridor.Target{})
	busy, free := make(chan struct{}), make(chan struct{})
	wrote, taken := make(chan error, 1), make(chan error, 1)
	go func() {
		wrote <- cn.db.Write(context.Background(), func(*store.Tx) error {
			close(busy)
			<-free
			return nil
		})
	}()
	<-busy
	ctx := within(t, 20*time.Second)
	go func() {
		_, err := cn.x.Take(ctx, order)
		taken <- err
	}()
	for !cn.x.Held() {
		if ctx.Err() != nil {
			t.Fatal("the order holds nothing up")
		}
		time.Sleep(time.Millisecond)
	}
	before := parts.Load()
	close(tap) // the stream could go on now; it must not
	time.Sleep(100 * time.Millisecond)
	if n := parts.Load() - before; n > 1 { // one that had its turn before
		t.Errorf("%d parts were sent while the order was accepted", n)
	}
	close(free)
	ok(t, <-wrote)
	ok(t, <-taken)
	if cn.x.Held() {
		t.Error("what was not stopped is held for ever")
	}
	cn.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
	if n := parts.Load() - before; n > 1 {
		t.Errorf("%d parts were sent under the order", n)
	}
}
