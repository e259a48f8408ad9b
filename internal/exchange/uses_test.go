package exchange_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// atMost is a policy that admits so many uses.
func atMost(n string) json.RawMessage {
	return json.RawMessage(`{"permission":[{"action":"use","constraint":[{"leftOperand":"count","operator":"lteq","rightOperand":"` + n + `"}]}]}`)
}

// together lets so many requests for a transfer begin at one moment.
func together(n int) func(http.Handler) http.Handler {
	var came sync.WaitGroup
	came.Add(n)
	var mu sync.Mutex
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if strings.HasSuffix(q.URL.Path, "/transfers/request") {
				mu.Lock()
				first := n > 0
				if n--; first {
					came.Done()
				}
				mu.Unlock()
				came.Wait()
			}
			next.ServeHTTP(w, q)
		})
	}
}

func TestUsesThatBeginAtOnceAreCountedOneAfterTheOther(t *testing.T) {
	const all = 6
	for _, manual := range []bool{false, true} { // started at once, or held for a person
		t.Run(map[bool]string{false: "started", true: "parked"}[manual], func(t *testing.T) {
			t.Parallel()
			cn, kz := pair(t, func(cn, _ *node) { cn.wrap, cn.manual.Start = together(all), manual })
			cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Policy: atMost("2")})
			n := kz.until(kz.ask(cn, "shipments", "research"), ended)
			ctx := within(t, 30*time.Second)
			var pids []string
			for range all {
				pids = append(pids, must[exchange.Transfer](t)(kz.x.Transfer(ctx, n.Agreement)).PID)
			}
			let, refusals := 0, 0
			for _, pid := range pids {
				tr := kz.untilTransfer(pid, func(tr exchange.Transfer) bool {
					return over(tr) || manual && tr.State == dsp.Requested && tr.Pending == ""
				})
				if manual && tr.State == dsp.Requested { // or its refusal is on its way
					tr = cn.untilTransfer(tr.PeerPID, func(exchange.Transfer) bool { return true })
				}
				if tr.State != dsp.Terminated {
					let++
				} else if refused(t, tr.Reason, []string{"admits 2 uses, and all were made"}); !t.Failed() {
					refusals++
				}
			}
			if let != 2 || refusals != all-2 {
				t.Errorf("%d uses of 2, %d refused of %d", let, refusals, all)
			}
		})
	}
}

func TestAnApprovalsUsesThatBeginAtOnceAreCountedOnBothSides(t *testing.T) {
	s := parkedOn(t, many(), "Ed25519")
	ctx := within(t, 30*time.Second)
	must[exchange.Negotiation](t)(s.cn.x.SignApproval(ctx, s.mine.PID, exchange.OfficerApproval{By: "L. Wang", Reference: "A-7", Until: corridor.Moment(time.Now().Add(24 * time.Hour)),
		Conditions: []corridor.Condition{constraint("count", "lteq", "2")}}))
	n := s.kz.until(s.pid, ended)
	errs := make(chan error, 6)
	for range cap(errs) {
		go func() {
			_, err := s.kz.x.Transfer(ctx, n.Agreement)
			errs <- err
		}()
	}
	let := 0
	for range cap(errs) {
		if err := <-errs; err == nil {
			let++
		} else {
			refuses(t, err, corridor.Forbidden, "admits 2 uses, and all were made")
		}
	}
	if let != 2 {
		t.Errorf("%d uses of 2", let)
	}
}

func TestATransferThatWasEndedIsAUseIfDataHasLeft(t *testing.T) {
	t.Run("in the middle of the stream", func(t *testing.T) {
		t.Parallel()
		cn, kz, mine, theirs, tap := runningUnder(t, atMost("1"))
		defer close(tap)
		ctx := within(t, 30*time.Second)
		must[exchange.Transfer](t)(kz.x.TerminateTransfer(ctx, mine, "enough"))
		cn.untilTransfer(theirs, over)
		cn.stop() // it is counted after a restart too
		cn.start()
		tr := must[exchange.Transfer](t)(kz.x.Transfer(ctx, kz.only().Agreement))
		tr = kz.untilTransfer(tr.PID, over)
		if tr.State != dsp.Terminated {
			t.Fatalf("%s", tr.State)
		}
		refused(t, tr.Reason, []string{"admits 1 uses, and all were made"})
	})
	t.Run("before the first byte", func(t *testing.T) {
		t.Parallel()
		cn, kz := pair(t, func(cn, _ *node) { cn.manual.Start = true })
		cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Policy: atMost("1")})
		n := kz.until(kz.ask(cn, "shipments", "research"), ended)
		ctx := within(t, 30*time.Second)
		tr := must[exchange.Transfer](t)(kz.x.Transfer(ctx, n.Agreement))
		tr = kz.untilTransfer(tr.PID, func(tr exchange.Transfer) bool { return tr.State == dsp.Requested && tr.Pending == "" })
		must[exchange.Transfer](t)(kz.x.TerminateTransfer(ctx, tr.PID, "not this one"))
		cn.untilTransfer(tr.PeerPID, over)
		again := must[exchange.Transfer](t)(kz.x.Transfer(ctx, n.Agreement))
		again = kz.untilTransfer(again.PID, func(tr exchange.Transfer) bool { return tr.State == dsp.Requested && tr.Pending == "" })
		must[exchange.Transfer](t)(cn.x.Start(context.Background(), again.PeerPID))
		if again = kz.untilTransfer(again.PID, over); again.State != dsp.Completed {
			t.Errorf("%s %v", again.State, again.Reason)
		}
	})
}
