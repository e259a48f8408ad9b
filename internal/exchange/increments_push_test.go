package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/verify"
)

// TestDataThatGoesOnIsPushed: three increments, with a restart of both nodes and
// a suspension by either side between them, the end by the consumer; the bytes
// are what was agreed on, and both logs tell of each increment once.
func TestDataThatGoesOnIsPushed(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t)
	mine, theirs, agreement := goesOnIn(t, cn, kz, exchange.Publication{}, catalog.FormatGrowingPush)
	kz.stop()
	if i := cn.adds(7); i.Number != 2 {
		t.Fatalf("%+v", i)
	}
	cn.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.Increments == 2 }) // it is offered to nobody
	cn.stop()
	kz.start()
	cn.start()
	second := kz.arrived(mine, 2)
	got, err := os.ReadFile(second.File)
	if err != nil || second.Rows != 7 || !bytes.HasPrefix(got, []byte("awb,weight,port\n")) || corridor.Digest(got) != second.SHA256 || bytes.Count(got, []byte("\n")) != 8 {
		t.Errorf("%v %+v %.60s", err, second, got)
	}
	ctx := within(t, 20*time.Second)
	for i, side := range []*node{cn, kz} {
		pid := map[*node]string{cn: theirs, kz: mine}
		_, err := side.x.Suspend(ctx, pid[side], "the source is checked")
		ok(t, err)
		for n, id := range pid {
			n.untilTransfer(id, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
		}
		cn.adds(9 + i)
		time.Sleep(50 * time.Millisecond)
		if part, err := cn.x.TransferByPID(ctx, fmt.Sprintf("%s~%d", theirs, 3+i)); corridor.KindOf(err) != corridor.NotFound {
			t.Errorf("nothing begins while it is suspended: %v %+v", err, part)
		}
		_, err = side.x.Resume(ctx, pid[side])
		ok(t, err)
		kz.arrived(mine, int64(3+i))
		cn.arrived(theirs, int64(3+i))
	}
	_, err = kz.x.Complete(ctx, mine)
	ok(t, err)
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		if tr := n.untilTransfer(pid, over); tr.State != dsp.Completed || tr.Increments != 4 || tr.Rows != 100+7+9+10 {
			t.Errorf("%s: %s %+v", n.name, tr.State, tr)
		}
	}
	cn.adds(11) // too late for this transfer
	for _, side := range []*node{kz, cn} {
		raw, err := side.x.Bundle(within(t, 20*time.Second), agreement)
		ok(t, err)
		rep := verify.Bundle(raw, verify.Options{})
		if !rep.OK || !told(rep, "]", "4 begun, 4 released, 4 acknowledged") || !told(rep, "]", "4 begun, 4 received") {
			t.Errorf("%s: %s %+v", side.name, rep.Summary, rep.Failed())
		}
		kinds := map[string]int64{}
		for _, r := range side.receipts() {
			if r.Increment != nil && r.Transfer != "" {
				kinds[r.Type] += r.Increment.Number
			}
		}
		want := map[string]int64{corridor.ReceiptTransferStarted: 10, corridor.ReceiptTransferReleased: 10, corridor.ReceiptTransferAcknowledged: 10}
		if side == kz {
			want = map[string]int64{corridor.ReceiptTransferStarted: 10, corridor.ReceiptTransferReceived: 10}
		}
		if fmt.Sprint(kinds) != fmt.Sprint(want) {
			t.Errorf("%s: each increment has each receipt once: %v", side.name, kinds)
		}
	}
}

// sip is a body of which the rest is held up until the tap is open.
type sip struct {
	io.ReadCloser
	ctx  context.Context
	tap  chan struct{}
	read *atomic.Int64
}

func (s sip) Read(p []byte) (int, error) {
	if s.read.Load() >= 256<<10 {
		select {
		case <-s.tap:
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		}
	}
	n, err := s.ReadCloser.Read(p)
	s.read.Add(int64(n))
	return n, err
}

// sipping makes a consumer that takes but the beginning of what is pushed.
func sipping(tap chan struct{}, read *atomic.Int64) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/data/") && r.Method != http.MethodGet {
				r.Body = sip{r.Body, r.Context(), tap, read}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// heldPush begins data that goes on whose second increment is held up in the
// middle of its push.
func heldPush(t *testing.T) (cn, kz *node, mine, theirs, agreement string, tap chan struct{}) {
	t.Helper()
	tap = make(chan struct{})
	var read atomic.Int64
	cn, kz = pair(t, func(_, kz *node) { kz.wrap = sipping(tap, &read) })
	mine, theirs, agreement = goesOnIn(t, cn, kz, exchange.Publication{}, catalog.FormatGrowingPush)
	cn.adds(100_000)
	for ctx := within(t, 10*time.Second); read.Load() < 256<<10; time.Sleep(5 * time.Millisecond) {
		ok(t, ctx.Err())
	}
	return cn, kz, mine, theirs, agreement, tap
}

// TestAPushedIncrementIsStoppedInTheMiddle: by a suspension on either side or a
// crash of either, after which it is pushed again; by the end of the transfer, by
// either side, after which nothing of it is left; and by an order, until that is
// lifted.
func TestAPushedIncrementIsStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	type act func(cn, kz *node, mine, theirs string) error
	suspend := func(n *node, pid string) error { _, err := n.x.Suspend(t.Context(), pid, "x"); return err }
	resume := func(n *node, pid string) error { _, err := n.x.Resume(t.Context(), pid); return err }
	for name, c := range map[string]struct{ stop, on act }{ // on is nil: it is over
		"suspended by the provider": {func(cn, _ *node, _, theirs string) error { return suspend(cn, theirs) }, func(cn, _ *node, _, theirs string) error { return resume(cn, theirs) }},
		"suspended by the consumer": {func(_, kz *node, mine, _ string) error { return suspend(kz, mine) }, func(_, kz *node, mine, _ string) error { return resume(kz, mine) }},
		"a crash of the consumer":   {func(_, kz *node, _, _ string) error { kz.stop(); return nil }, func(_, kz *node, _, _ string) error { kz.start(); return nil }},
		"a crash of the provider":   {func(cn, _ *node, _, _ string) error { cn.stop(); return nil }, func(cn, _ *node, _, _ string) error { cn.start(); return nil }},
		"terminated by the consumer": {func(_, kz *node, mine, _ string) error {
			_, err := kz.x.TerminateTransfer(t.Context(), mine, "x")
			return err
		}, nil},
		"completed by the provider": {func(cn, _ *node, _, theirs string) error { _, err := cn.x.Complete(t.Context(), theirs); return err }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cn, kz, mine, theirs, agreement, tap := heldPush(t)
			ok(t, c.stop(cn, kz, mine, theirs))
			if c.on == nil {
				for n, pid := range map[*node]string{cn: theirs, kz: mine} {
					n.untilTransfer(pid, over)
					if part := n.untilTransfer(pid+"~2", over); part.State != dsp.Terminated || n == kz && part.SHA256 != "" {
						t.Errorf("%s: %+v", n.name, part)
					}
				}
				close(tap)
				for ctx := within(t, 10*time.Second); len(remains(t, kz)) != 1; time.Sleep(5 * time.Millisecond) {
					if ctx.Err() != nil {
						t.Fatalf("a part of an increment is left: %v", remains(t, kz))
					}
				}
			} else {
				if strings.HasPrefix(name, "suspended") {
					for n, pid := range map[*node]string{cn: theirs, kz: mine} {
						n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
					}
				}
				close(tap)
				ok(t, c.on(cn, kz, mine, theirs))
				if part := kz.arrived(mine, 2); part.Rows != 100_000 {
					t.Errorf("%+v", part)
				}
			}
			raw, err := kz.x.Bundle(within(t, 20*time.Second), agreement)
			ok(t, err)
			if rep := verify.Bundle(raw, verify.Options{}); !rep.OK {
				t.Errorf("%s %+v", rep.Summary, rep.Failed())
			}
		})
	}
}

// TestAnOrderStopsWhatIsPushed, and what is added meanwhile goes when it is lifted.
func TestAnOrderStopsWhatIsPushed(t *testing.T) {
	t.Parallel()
	cn, kz, mine, theirs, agreement, tap := heldPush(t)
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	compact := treaty(t, nil, cnBody, kzBody)
	cn.adopt(compact)
	kz.adopt(compact)
	cn.take(cnBody.suspend(corridor.Target{Dataset: "prices"}))
	close(tap) // it could go on now; it must not
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
		refused(t, tr.Reason, []string{"order 1 of the authority of CN (17/2026)"})
	}
	if part, err := kz.x.TransferByPID(t.Context(), mine+"~2"); err != nil || part.SHA256 != "" {
		t.Errorf("it arrived although it was stopped: %v %+v", err, part)
	}
	cn.take(cnBody.lift(1))
	cn.goesOn(theirs, agreement)
	if part := kz.arrived(mine, 2); part.Rows != 100_000 {
		t.Errorf("%+v", part)
	}
}

// TestALawThatChangesHoldsUpWhatIsPushed, on either side.
func TestALawThatChangesHoldsUpWhatIsPushed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pack, side, instrument string }{{"cn", "export", "dsl"}, {"kz", "import", "pdl"}} {
		t.Run(c.side, func(t *testing.T) {
			t.Parallel()
			cn, kz := pair(t)
			mine, theirs, _ := goesOnIn(t, cn, kz, exchange.Publication{}, catalog.FormatGrowingPush)
			owner, pid := cn, theirs
			if c.side == "import" {
				owner, pid = kz, mine
			}
			owner.stop()
			owner.law = withRule(t, c.pack, ban(c.pack, c.side, c.instrument, "{from: 2026-01-01}"))
			owner.start()
			for n, id := range map[*node]string{cn: theirs, kz: mine} {
				if tr := n.untilTransfer(id, func(t exchange.Transfer) bool { return t.State == dsp.Suspended }); !strings.Contains(strings.Join(tr.Reason, " "), "art. 99") {
					t.Errorf("%s: %v", n.name, tr.Reason)
				}
			}
			cn.adds(5)
			owner.stop()
			owner.law = nil
			owner.start()
			owner.untilAgreement(kz.only().Agreement, exchange.AgreementInForce)
			_, err := owner.x.Resume(t.Context(), pid)
			ok(t, err)
			if part := kz.arrived(mine, 2); part.Rows != 5 {
				t.Errorf("%+v", part)
			}
		})
	}
}

// TestAPushedIncrementThatIsRefusedHoldsUpTheWhole: by the policy at the
// provider, and by what the importer's law says of so many people.
func TestAPushedIncrementThatIsRefusedHoldsUpTheWhole(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t)
	mine, theirs, _ := goesOnIn(t, cn, kz, exchange.Publication{Policy: []byte(`{"permission":[{"action":"use","constraint":[{"leftOperand":"count","operator":"lteq","rightOperand":"2"}]}]}`)}, catalog.FormatGrowingPush)
	cn.adds(1)
	kz.arrived(mine, 2)
	cn.adds(2)
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		if tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended }); tr.Increments != 2 || !strings.Contains(strings.Join(tr.Reason, " "), "admits 2 uses") {
			t.Errorf("%s: %+v %v", n.name, tr, tr.Reason)
		}
	}
}

// TestThePeopleOfAPushedIncrementAreToldToTheImporter, whose own law is asked
// about them: it lets them in up to a number, and the whole is suspended there.
func TestThePeopleOfAPushedIncrementAreToldToTheImporter(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "prices", Growing: true, Facts: peopleFacts(), Evidence: evidenceFor(duties...)})
	n := kz.until(kz.ask(cn, "prices", "trade_logistics"), ended)
	tr, err := kz.x.TransferIn(within(t, 5*time.Second), n.Agreement, catalog.FormatGrowingPush)
	ok(t, err)
	kz.arrived(tr.PID, 1)
	kz.stop()
	kz.law = withRule(t, "kz", strings.Replace(ban("kz", "import", "pdl", "{from: 2026-01-01}"), `purpose == "research"`, "subjects_in_file >= 600", 1))
	kz.start()
	kz.untilAgreement(n.Agreement, exchange.AgreementInForce)
	_, err = cn.x.Append(within(t, 10*time.Second), "prices", exchange.Addition{Source: file(t, 9), Facts: corridor.Facts{"subjects_in_file": 700, "sensitive_subjects_in_file": 0, "genome_subjects": 0}})
	ok(t, err)
	held := kz.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
	if held.Increments != 1 || held.StoppedBy != dsp.Consumer || !strings.Contains(strings.Join(held.Reason, " "), "art. 99") {
		t.Errorf("%+v %v", held, held.Reason)
	}
	theirs := cn.untilTransfer(held.PeerPID, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
	if part, err := cn.x.TransferByPID(t.Context(), theirs.PID+"~2"); err != nil || part.Released != nil {
		t.Errorf("it left: %v %+v", err, part)
	}
}

// TestAnOfferOfAnIncrementThatIsNotTheNextIsRefused, and one of somebody else.
func TestAnOfferOfAnIncrementThatIsNotTheNextIsRefused(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t)
	ru := newNode(t, "ru", "RU", "Ed25519")
	introduce(t, cn, kz, ru)
	ru.start()
	t.Cleanup(func() { ru.stop() })
	mine, theirs, agreement := goesOnIn(t, cn, kz, exchange.Publication{}, catalog.FormatGrowingPush)
	pull, err := kz.x.TransferIn(within(t, 5*time.Second), agreement, catalog.FormatGrowing)
	ok(t, err)
	kz.arrived(pull.PID, 1)
	offer := func(from *node, pid string, m dsp.Pids) int {
		tokens := must[*identity.Tokens](t)(identity.NewTokens(from.who.DID, from.keys.Token, nil))
		client := dsp.NewClient(dsp.ClientConfig{HTTP: from.http, Token: tokens.Issue})
		_, err := client.Post(within(t, 10*time.Second), dsp.Peer{ID: kz.who.DID, Base: kz.base()}, exchange.AddressPath(pid), &dsp.TransferStartMessage{Pids: m})
		return statusOf(t, err)
	}
	pids := func(k int) dsp.Pids {
		return dsp.Pids{ProviderPid: fmt.Sprintf("%s~%d", theirs, k), ConsumerPid: fmt.Sprintf("%s~%d", mine, k)}
	}
	for name, c := range map[string]struct {
		from *node
		pid  string
		pids dsp.Pids
		want int
	}{
		"one too far":                    {cn, mine + "~3", pids(3), http.StatusBadRequest},
		"one that is complete":           {cn, mine + "~1", pids(1), http.StatusGone},
		"of somebody else":               {ru, mine + "~2", pids(2), http.StatusNotFound},
		"the transfer itself":            {cn, mine, dsp.Pids{ProviderPid: theirs, ConsumerPid: mine}, http.StatusNotFound},
		"of another number than it says": {cn, mine + "~2", pids(3), http.StatusBadRequest},
		"of data that is fetched":        {cn, pull.PID + "~2", dsp.Pids{ProviderPid: theirs + "~2", ConsumerPid: pull.PID + "~2"}, http.StatusNotFound},
	} {
		if got := offer(c.from, c.pid, c.pids); got != c.want {
			t.Errorf("%s: %d", name, got)
		}
	}
	if tr := kz.untilTransfer(mine, func(exchange.Transfer) bool { return true }); tr.Increments != 1 || tr.State != dsp.Started {
		t.Errorf("%+v", tr)
	}
}

// statusOf is the status with which a peer has answered.
func statusOf(t *testing.T, err error) int {
	t.Helper()
	var refused *dsp.PeerError
	if errors.As(err, &refused) {
		return refused.Status
	}
	ok(t, err)
	return http.StatusOK
}
