package exchange_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
)

// stopcock holds the last part of a stream up until the tap is open.
type stopcock struct {
	http.ResponseWriter
	begun func()
	tap   chan struct{}
}

func (s stopcock) Write(p []byte) (int, error) {
	s.begun()
	<-s.tap
	return s.ResponseWriter.Write(p)
}

func (s stopcock) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// TestNothingIsReleasedAfterAnOrder: a stream is in its last write while an
// order is taken in. The order is in the log first; the release is not to
// follow it.
func TestNothingIsReleasedAfterAnOrder(t *testing.T) {
	tap, begun := make(chan struct{}), make(chan struct{})
	var once sync.Once
	cn, kz := pair(t, func(cn, _ *node) {
		cn.wrap = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/data/") {
					w = stopcock{w, func() { once.Do(func() { close(begun) }) }, tap}
				}
				next.ServeHTTP(w, r)
			})
		}
	})
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	compact := treaty(t, nil, cnBody, kzBody)
	cn.adopt(compact)
	kz.adopt(compact)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Source: file(t, 100)})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	tr, err := kz.x.Transfer(within(t, 5*time.Second), n.Agreement)
	ok(t, err)
	<-begun
	theirs := cn.transfer()
	cn.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.State == dsp.Started && t.Pending == dsp.None })
	order := cnBody.suspend(corridor.Target{})
	busy, free := make(chan struct{}), make(chan struct{})
	go cn.db.Write(context.Background(), func(*store.Tx) error { close(busy); <-free; return nil })
	<-busy
	ctx := within(t, 20*time.Second)
	taken := make(chan error, 1)
	go func() { _, err := cn.x.Take(ctx, order); taken <- err }()
	for !cn.x.Held() {
		ok(t, ctx.Err())
		time.Sleep(time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond) // the order is in the queue
	close(tap)
	time.Sleep(300 * time.Millisecond) // so is the release, behind it
	close(free)
	ok(t, <-taken)
	time.Sleep(time.Second)
	ordered := false
	for i, r := range cn.receipts() {
		if r.Type == corridor.ReceiptCorridorSuspended {
			ordered = true
		}
		if r.Type == corridor.ReceiptTransferReleased && ordered {
			t.Errorf("entry %d of the log is a release after the order", i)
		}
	}
	got, err := kz.x.TransferByPID(ctx, tr.PID)
	if err != nil || got.SHA256 != "" {
		t.Errorf("the consumer has the file, with its digest: %v %s %q", err, got.State, got.File)
	}
}
