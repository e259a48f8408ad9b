package exchange_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
	"corridor/verify"
)

// seldom lets the consumer of data that goes on look so seldom by itself that
// only a nudge brings anything.
func seldom(_, kz *node) { kz.look = time.Hour }

// TestWhatIsAddedIsThereAtOnce: the provider nudges its consumers, and an
// increment does not wait for their next look, also one that is added while
// another is on its way.
func TestWhatIsAddedIsThereAtOnce(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t, seldom)
	mine, _, _ := goesOn(t, cn, kz, exchange.Publication{})
	for number := int64(2); number <= 4; number++ {
		began := time.Now()
		cn.adds(int(number))
		part := kz.arrived(mine, number)
		t.Logf("increment %d of %d rows: %v", number, part.Rows, time.Since(began).Round(time.Millisecond))
	}
	for rows := range 5 { // faster than they go
		cn.adds(100 + rows)
	}
	if part := kz.arrived(mine, 9); part.Rows != 104 {
		t.Errorf("%+v", part)
	}
}

// nudges sends a nudge as a provider does, and gives the answer's status.
func (n *node) nudges(to *node, pid string) int {
	n.t.Helper()
	tokens, err := identity.NewTokens(n.who.DID, n.keys.Token, nil)
	ok(n.t, err)
	client := dsp.NewClient(dsp.ClientConfig{HTTP: n.http, Token: tokens.Issue})
	reply, err := client.Send(within(n.t, 10*time.Second), dsp.Peer{ID: to.who.DID, Base: to.base()}, exchange.LookPath(pid), nil)
	var refused *dsp.PeerError
	if errors.As(err, &refused) {
		return refused.Status
	}
	ok(n.t, err)
	return reply.Status
}

func nudged(t *testing.T, from, to *node, pid string) {
	t.Helper()
	if status := from.nudges(to, pid); status != http.StatusOK {
		t.Errorf("a nudge is answered with %d", status)
	}
}

// unheard drops all nudges on their way to a node.
func unheard(dropped *atomic.Int64) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/corridor-look") {
				dropped.Add(1)
				http.Error(w, "lost", http.StatusBadGateway)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// TestANudgeThatIsLostCostsOnlyTheWait for the next look.
func TestANudgeThatIsLostCostsOnlyTheWait(t *testing.T) {
	t.Parallel()
	var dropped atomic.Int64
	cn, kz := pair(t, soon, func(_, kz *node) { kz.wrap = unheard(&dropped) })
	mine, _, _ := goesOn(t, cn, kz, exchange.Publication{})
	cn.adds(3)
	kz.arrived(mine, 2)
	for ctx := within(t, 10*time.Second); dropped.Load() == 0; time.Sleep(5 * time.Millisecond) {
		ok(t, ctx.Err())
	}
}

// TestANudgeOnlyLetsTheConsumerLook: it comes from the provider alone, it
// begins nothing that rests, and many of them are few looks.
func TestANudgeOnlyLetsTheConsumerLook(t *testing.T) {
	t.Parallel()
	heard := &questions{}
	cn, kz := pair(t, seldom, func(cn, _ *node) { cn.wrap = heard.heard })
	ru := newNode(t, "ru", "RU", "Ed25519")
	introduce(t, cn, kz, ru)
	ru.start()
	t.Cleanup(func() { ru.stop() })
	mine, theirs, agreement := goesOn(t, cn, kz, exchange.Publication{})
	whole := kz.untilTransfer(mine, func(t exchange.Transfer) bool { return t.Increments == 1 })
	for name, c := range map[string]struct {
		from, to *node
		pid      string
	}{
		"somebody else":       {ru, kz, mine},
		"the consumer itself": {kz, cn, theirs},
		"one increment":       {cn, kz, mine + "~1"},
		"nothing":             {cn, kz, whole.Agreement},
	} {
		if status := c.from.nudges(c.to, c.pid); status != http.StatusNotFound {
			t.Errorf("a nudge of %s: %d", name, status)
		}
	}
	heard.quiet(t) // the looks after the first increment
	before, began := heard.count(), time.Now()
	for range 60 {
		nudged(t, cn, kz, mine)
	}
	heard.until(t, before+1) // not one more from here on: the last may have been answered already
	heard.quiet(t)           // the last look that they ask for
	took := time.Since(began)
	if n, most := heard.count()-before, 2+int(took/(200*time.Millisecond)); n > most {
		t.Errorf("%d looks in %v", n, took)
	}

	_, err := kz.x.Suspend(t.Context(), mine, "x")
	ok(t, err)
	cn.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
	heard.quiet(t) // a look that was on its way
	before = heard.count()
	cn.adds(3)
	nudged(t, cn, kz, mine)
	time.Sleep(300 * time.Millisecond)
	if n := heard.count() - before; n != 0 {
		t.Errorf("%d looks of a transfer that is suspended", n)
	}
	still, err := kz.x.Transfer(within(t, 5*time.Second), agreement)
	ok(t, err)
	if status := cn.nudges(kz, still.PID); status != http.StatusNotFound {
		t.Errorf("a nudge about a transfer that has an end: %d", status)
	}
}

// TestAPersonWhoFetchesIsNotHurried: with manual.fetch a nudge brings nothing.
func TestAPersonWhoFetchesIsNotHurried(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t, seldom, func(_, kz *node) { kz.manual.Fetch = true })
	cn.publish(exchange.Publication{ID: "prices", Growing: true, Facts: plainFacts(), Plan: []byte(dropContact)})
	n := kz.until(kz.ask(cn, "prices", "research"), ended)
	tr, err := kz.x.TransferIn(within(t, 5*time.Second), n.Agreement, catalog.FormatGrowing)
	ok(t, err)
	byHand := func(t exchange.Transfer) bool { return t.Waiting != nil && t.Waiting.On == "operator" }
	kz.untilTransfer(tr.PID, byHand)
	_, err = kz.x.Resume(t.Context(), tr.PID)
	ok(t, err)
	kz.arrived(tr.PID, 1)
	kz.untilTransfer(tr.PID, byHand)
	cn.adds(3)
	nudged(t, cn, kz, tr.PID)
	time.Sleep(100 * time.Millisecond)
	if got := kz.untilTransfer(tr.PID, byHand); got.Increments != 1 {
		t.Errorf("it was fetched without a person: %+v", got)
	}
}

// twin runs another node on the same keys, database and inbox, which has no
// address of its own.
func (n *node) twin(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	second, ran := *n, make(chan error, 1)
	var err error
	second.db, err = store.Open(ctx, second.place, migrations()...)
	ok(t, err)
	_, err = second.wire(ctx)
	ok(t, err)
	go func() { ran <- second.x.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("the other node of %s: %v", n.name, err)
		}
		second.db.Close()
	})
}

// TestTwoNodesShareDataThatGoesOn: the node that fetches is not the one that is
// nudged, and takes over from it and hands back to it in the middle; each
// increment arrives once.
func TestTwoNodesShareDataThatGoesOn(t *testing.T) {
	if !storetest.OnServer() {
		t.Skip("a file has one node")
	}
	cn, kz := pair(t, seldom)
	mine, theirs, agreement := goesOn(t, cn, kz, exchange.Publication{})
	kz.stop()
	cn.adds(7) // nobody hears the nudge
	stop := kz.twin(t)
	defer stop()
	cn.arrived(theirs, 2) // the other node has it in hand
	kz.start()
	for number := int64(3); number <= 5; number++ { // told to the one, and by it to the other
		cn.adds(int(number))
		kz.arrived(mine, number)
	}
	stop()
	cn.adds(9)
	kz.arrived(mine, 6)
	_, err := cn.x.Complete(within(t, 20*time.Second), theirs)
	ok(t, err)
	kz.untilTransfer(mine, over)
	raw, err := kz.x.Bundle(within(t, 20*time.Second), agreement)
	ok(t, err)
	if rep := verify.Bundle(raw, verify.Options{}); !rep.OK || !told(rep, "]", "6 begun, 6 received") || !told(rep, "]", "6 begun, 6 released, 6 acknowledged") {
		t.Errorf("%s %+v", rep.Summary, rep.Failed())
	}
	if files := inbox(t, kz); len(files) != 6 {
		t.Errorf("%v", files)
	}
}
