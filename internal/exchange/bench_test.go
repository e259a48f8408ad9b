package exchange_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// BenchmarkNegotiation is one complete negotiation, from the request to
// FINALIZED on both sides: two nodes over loopback HTTP, both countries' real
// laws, national signatures, tokens, durable receipts under signed
// checkpoints.
func BenchmarkNegotiation(b *testing.B) {
	cn, kz := pair(b)
	cn.publish(exchange.Publication{ID: "people", Facts: peopleFacts(), Evidence: evidenceFor(duties...)})
	ctx := context.Background()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		n, err := kz.x.Negotiate(ctx, exchange.Request{Provider: cn.who.DID, Dataset: "people", Purpose: "trade_logistics"})
		if err != nil {
			b.Fatal(err)
		}
		n, err = kz.x.AwaitNegotiation(ctx, n.PID, ended)
		if err != nil || n.State != dsp.Finalized {
			b.Fatal(err, n.State, n.Reason)
		}
		if theirs, err := cn.x.AwaitNegotiation(ctx, n.PeerPID, ended); err != nil || theirs.State != dsp.Finalized {
			b.Fatal(err, theirs.State)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkNodeStart opens a node's keys, database, log and exchange, listens,
// and answers the first request.
func BenchmarkNodeStart(b *testing.B) {
	if _, err := library(); err != nil {
		b.Fatal(err)
	}
	n := newNode(b, "cn", "CN", "SM2")
	for b.Loop() {
		n.start()
		resp, err := n.http.Get(n.url() + "/health")
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
		b.StopTimer()
		n.stop()
		b.StartTimer()
	}
}
