package exchange_test

import (
	"testing"
	"time"

	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/verify"
)

// Each side signs in a suite of its own, and both make a bundle that verifies.
func TestAFileCrossesUnderEverySuite(t *testing.T) {
	for _, suites := range [][2]string{{verify.GOST256, verify.P256}, {verify.MLDSA44, verify.GOST512}} {
		t.Run(suites[0]+" to "+suites[1], func(t *testing.T) {
			cn, kz := newNode(t, "cn", "CN", suites[0]), newNode(t, "kz", "KZ", suites[1])
			introduce(t, cn, kz)
			for _, n := range []*node{cn, kz} {
				n.start()
				t.Cleanup(func() { n.stop() })
			}
			cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
			n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended)
			tr, err := kz.x.Transfer(within(t, 20*time.Second), n.Agreement)
			if err != nil {
				t.Fatal(err)
			}
			if tr = kz.untilTransfer(tr.PID, over); tr.State != dsp.Completed {
				t.Fatalf("%s %v", tr.State, tr.Reason)
			}
			for _, side := range []*node{kz, cn} {
				raw, err := side.x.Bundle(within(t, 20*time.Second), n.Agreement)
				if err != nil {
					t.Fatal(err)
				}
				if rep := verify.Bundle(raw, verify.Options{}); !rep.OK {
					t.Error(rep.Summary, rep.Failed())
				}
			}
		})
	}
}
