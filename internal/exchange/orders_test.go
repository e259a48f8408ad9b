package exchange_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

func TestAnOrderStopsWhatRunsAndOnlyAnOrderLiftsIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		target func(cn, kz *node) corridor.Target
	}{
		{"everything", func(_, _ *node) corridor.Target { return corridor.Target{} }},
		{"a participant", func(_, kz *node) corridor.Target { return corridor.Target{Participant: kz.who.DID} }},
		{"this participant", func(cn, _ *node) corridor.Target { return corridor.Target{Participant: cn.who.DID} }},
		{"a dataset", func(_, _ *node) corridor.Target { return corridor.Target{Dataset: "shipments"} }},
		{"a class", func(_, _ *node) corridor.Target { return corridor.Target{Class: "non_personal"} }},
		{"a direction", func(_, _ *node) corridor.Target { return corridor.Target{From: "CN", To: "KZ"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cn, kz, mine, theirs, tap := running(t)
			cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
			compact := treaty(t, nil, cnBody, kzBody)
			cn.adopt(compact)
			kz.adopt(compact)
			cn.take(cnBody.suspend(c.target(cn, kz)))
			close(tap) // the stream could go on now; it must not
			for n, pid := range map[*node]string{cn: theirs, kz: mine} {
				tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
				refused(t, tr.Reason, []string{"order 1 of the authority of CN (17/2026)", "an inquiry is under way"})
			}
			if n := cn.streams(); n != 0 {
				t.Errorf("%d streams run on after the order was accepted", n)
			}
			agreement := kz.only().Agreement
			_, err := kz.x.Transfer(context.Background(), agreement)
			if err == nil { // kz has no order: it asks, and is refused
				kz.untilRefused(t, mine, "17/2026")
			} else {
				refuses(t, err, corridor.RefusedByLaw)
			}
			if _, err := cn.x.Resume(context.Background(), theirs); err == nil || !strings.Contains(err.Error(), "17/2026") {
				t.Errorf("a person resumed what the authority stopped: %v", err)
			}
			cn.take(cnBody.lift(1))
			cn.untilAgreement(agreement, exchange.AgreementInForce)
			if _, err := cn.x.Resume(context.Background(), theirs); err != nil {
				t.Fatal(err)
			}
			if tr := kz.untilTransfer(mine, over); tr.State != dsp.Completed {
				t.Fatalf("%s %v", tr.State, tr.Reason)
			}
			types := cn.receiptTypes()
			if !types[corridor.ReceiptCorridorSuspended] || !types[corridor.ReceiptCorridorResumed] || !types[corridor.ReceiptAgreementSuspended] {
				t.Errorf("%v", types)
			}
		})
	}
}

// streams counts the open streams of a node.
func (n *node) streams() int {
	type counts interface{ Running() int }
	h, has := n.x.Plane().(counts)
	if !has {
		n.t.Fatal("the plane does not count its streams")
	}
	for range 400 { // the last one is on its way out
		if h.Running() == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return h.Running()
}

// untilRefused waits for another transfer than the given one to be refused.
func (n *node) untilRefused(t *testing.T, but, word string) {
	t.Helper()
	list, _, err := n.x.Transfers(context.Background(), exchange.Page{})
	ok(t, err)
	for _, tr := range list {
		if tr.PID == but {
			continue
		}
		tr = n.untilTransfer(tr.PID, over)
		if tr.State != dsp.Terminated || !strings.Contains(strings.Join(tr.Reason, " "), word) {
			t.Errorf("%s %v", tr.State, tr.Reason)
		}
	}
}

func TestTheAuthorityOfTheConsumerStopsItsSide(t *testing.T) {
	cn, kz, mine, theirs, tap := running(t)
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	kz.adopt(treaty(t, nil, cnBody, kzBody))
	kz.take(kzBody.suspend(corridor.Target{Participant: cn.who.DID}))
	close(tap)
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
		refused(t, tr.Reason, []string{"order 1 of the authority of KZ"})
	}
	if files := inbox(t, kz); len(files) != 0 {
		t.Errorf("%v", files)
	}
	_, err := kz.x.Negotiate(context.Background(), exchange.Request{Provider: cn.who.DID, Dataset: "shipments", Purpose: "research"})
	refuses(t, err, corridor.RefusedByLaw, "17/2026")
}

// Who runs a node cannot escape an order by withdrawing the compact that let it
// in.
func TestAnOrderOutlivesTheWithdrawalOfItsCompact(t *testing.T) {
	cn, kz := pair(t)
	ctx := within(t, 20*time.Second)
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	compact := treaty(t, nil, cnBody, kzBody)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	cn.adopt(compact)
	cn.take(cnBody.suspend(corridor.Target{Participant: kz.who.DID}))
	_, err := cn.x.WithdrawCompact(ctx, "steppe-trade")
	ok(t, err)
	cn.stop()
	cn.start()
	reach, err := cn.x.Reaches(ctx, "shipments")
	ok(t, err)
	refused(t, []string{reach[0].Why}, []string{"17/2026"})
	cn.adopt(compact)
	cn.take(cnBody.lift(1))
	if reach, err = cn.x.Reaches(ctx, "shipments"); err != nil || reach[0].Why != "" {
		t.Errorf("%v %+v", err, reach)
	}
}

func TestAnOrderThatIsAboutSomethingElseStopsNothing(t *testing.T) {
	cn, kz, mine, _, tap := running(t)
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	cn.adopt(treaty(t, nil, cnBody, kzBody))
	for _, target := range []corridor.Target{{Participant: "did:web:other.example"}, {Dataset: "other"}, {Class: "personal"}, {From: "KZ", To: "CN"}} {
		cn.take(cnBody.suspend(target))
	}
	cn.take(cnBody.order(corridor.Order{Act: corridor.OrderSuspend, Until: corridor.Moment(time.Now().Add(-time.Minute)), Issued: corridor.Moment(time.Now().Add(-time.Hour))}))
	close(tap)
	if tr := kz.untilTransfer(mine, over); tr.State != dsp.Completed {
		t.Fatalf("%s %v", tr.State, tr.Reason)
	}
}

func TestOrdersThatAreNotTaken(t *testing.T) {
	cn, kz := pair(t)
	ctx := within(t, 30*time.Second)
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	_, err := cn.x.Take(ctx, authority(t, "CN", "SM2").suspend(corridor.Target{}))
	refuses(t, err, corridor.Forbidden, "not an authority of a compact")
	cn.adopt(treaty(t, nil, cnBody, kzBody))
	old := cnBody.suspend(corridor.Target{Participant: kz.who.DID})
	oldLift := cnBody.lift(1)
	withheld := cnBody.suspend(corridor.Target{Dataset: "withheld"})
	cn.take(old)
	cn.take(oldLift)
	newer := cnBody.suspend(corridor.Target{Participant: kz.who.DID})
	cn.take(newer) // number 4
	size := cn.log.Size()
	for _, c := range []struct {
		name string
		kind corridor.Kind
		want string
		raw  []byte
	}{
		{"an old suspension that was held back", corridor.Conflict, "is an old order: number 4 is known here", withheld},
		{"another order with a number that was used", corridor.Conflict, "two orders with the number 1", func() []byte { b := *cnBody; b.last = 0; return b.suspend(corridor.Target{}) }()},
		{"an order of another country under a key of ours", corridor.Forbidden, "is the authority of CN, not of KZ", encode(t, cnBody.seal(corridor.Order{Type: corridor.TypeOrder, Authority: cnBody.is.ID, Jurisdiction: "KZ", Number: 9,
			Act: corridor.OrderSuspend, Issued: corridor.Moment(time.Now()), Reference: "1", Reason: "1"}))},
		{"an order in the name of another authority", corridor.Unauthenticated, "does not speak for", encode(t, cnBody.seal(corridor.Order{Type: corridor.TypeOrder, Authority: kzBody.is.ID, Jurisdiction: "KZ", Number: 9,
			Act: corridor.OrderSuspend, Issued: corridor.Moment(time.Now()), Reference: "1", Reason: "1"}))},
		{"an order from the future", corridor.Invalid, "is to come", cnBody.order(corridor.Order{Act: corridor.OrderSuspend, Issued: "2098-01-01T00:00:00Z"})},
		{"an order with a field more", corridor.Invalid, "unknown field", []byte(strings.Replace(string(newer), `"act":"suspend"`, `"act":"suspend","amnesty":true`, 1))},
		{"an order with a field twice", corridor.Invalid, "twice", []byte(strings.Replace(string(newer), `"act":"suspend"`, `"act":"lift","act":"suspend"`, 1))},
		{"an order that was changed", corridor.Unauthenticated, "does not match", []byte(strings.Replace(string(newer), kz.who.DID, "did:web:nobody.example", 1))},
		{"no document at all", corridor.Invalid, "not a signed document", []byte("stop!")},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := cn.x.Take(ctx, c.raw)
			refuses(t, err, c.kind, c.want)
		})
	}
	got, err := cn.x.TakeOrder(ctx, newer) // once more: it changes nothing
	if err != nil || got.New {
		t.Errorf("%v %+v", err, got)
	}
	_, err = cn.x.Take(ctx, oldLift) // known: it lifts no more than it did
	ok(t, err)
	if stops := cn.x.Stops(); len(stops) != 1 || stops[0].Target.Participant != kz.who.DID {
		t.Errorf("%+v", stops)
	}
	if cn.log.Size() != size {
		t.Errorf("what was not taken has left %d receipts", cn.log.Size()-size)
	}
	cn.stop()
	cn.start()
	if stops := cn.x.Stops(); len(stops) != 1 {
		t.Errorf("after a restart: %+v", stops)
	}
}

func TestAFeedBringsOrdersAndCannotBeRolledBack(t *testing.T) {
	cn, kz := pair(t)
	ctx := within(t, 30*time.Second)
	cnBody, kzBody := authority(t, "CN", "SM2").serve(), authority(t, "KZ", "Ed25519")
	now := time.Now()
	cnBody.suspend(corridor.Target{Dataset: "a"})
	first := cnBody.feed(now, time.Hour, 600)
	cnBody.publish(first)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	cn.adopt(treaty(t, nil, cnBody, kzBody))
	cn.untilFeed(cnBody, 1)
	if stops := cn.x.Stops(); len(stops) != 1 || stops[0].Target.Dataset != "a" {
		t.Fatalf("%+v", stops)
	}
	pushed := cnBody.suspend(corridor.Target{Participant: kz.who.DID})
	cn.take(pushed)
	whole := *cnBody
	rolled := *cnBody
	rolled.orders, rolled.last = rolled.orders[:1], 1
	hiding := *cnBody
	hiding.orders = hiding.orders[:1]
	for _, c := range []struct {
		name, want string
		kind       corridor.Kind
		raw        []byte
	}{
		{"an older feed with a newer number", "rolled back: it knows of 1 orders and admissions, and 2 is known here", corridor.Conflict, rolled.feed(now, time.Hour, 600)},
		{"a feed that hides an order", "rolled back: it does not hold order 2", corridor.Conflict, hiding.feed(now, time.Hour, 600)},
		{"a feed with an old number", "number 1 does not come after 1", corridor.Conflict, func() []byte { b := whole; b.feeds = 0; return b.feed(now.Add(time.Second), time.Hour, 600) }()},
		{"a stale feed", "not known since", corridor.RefusedByLaw, whole.feed(now.Add(-2*time.Hour), time.Hour, 600)},
		{"a feed from the future", "is to come", corridor.Invalid, whole.feed(now.Add(time.Hour), time.Hour, 600)},
		{"a feed of somebody else", "not an authority", corridor.Forbidden, authority(t, "RU", "Ed25519").feed(now, time.Hour, 600)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := cn.x.Take(ctx, c.raw)
			refuses(t, err, c.kind, c.want)
		})
	}
	got, err := cn.x.TakeFeed(ctx, first)
	if err != nil || got.New {
		t.Errorf("the same feed once more: %+v %v", got, err)
	}
	whole.lift(2)
	taken, err := cn.x.TakeFeed(ctx, whole.feed(now, time.Hour, 600))
	if err != nil || !taken.New || taken.Orders != 1 {
		t.Errorf("%+v %v", taken, err)
	}
	if stops := cn.x.Stops(); len(stops) != 1 || stops[0].Target.Dataset != "a" {
		t.Errorf("%+v", stops)
	}
}

// untilFeed waits for a feed of an authority with a number.
func (n *node) untilFeed(b *body, number int64) exchange.FeedState {
	n.t.Helper()
	return n.untilFeedState(b, func(f exchange.FeedState) bool { return f.Number >= number })
}

func (n *node) untilFeedState(b *body, done func(exchange.FeedState) bool) exchange.FeedState {
	n.t.Helper()
	for ctx := within(n.t, 20*time.Second); ; time.Sleep(5 * time.Millisecond) {
		for _, f := range n.x.Feeds() {
			if f.Authority == b.is.ID && done(f) {
				return f
			}
		}
		if ctx.Err() != nil {
			n.t.Fatalf("%+v", n.x.Feeds())
		}
	}
}

func TestAFeedThatCannotBeRefreshedClosesTheCorridorByItself(t *testing.T) {
	hands := &clock{}
	cn, kz, mine, theirs, tap := runningBetween(t, func(cn, kz *node) { cn.now, kz.now = hands.now, hands.now })
	defer close(tap)
	cnBody, kzBody := authority(t, "CN", "SM2").serve(), authority(t, "KZ", "Ed25519")
	now := hands.now()
	cn.adopt(treaty(t, nil, cnBody, kzBody))
	agreement := kz.only().Agreement
	cn.reopened(cnBody, cnBody.feed(now, time.Hour, 3600), theirs, agreement)
	cnBody.served.Store(nil) // from now on it cannot be had

	hands.set(now.Add(50 * time.Minute))
	if f := cn.untilFeedState(cnBody, func(exchange.FeedState) bool { return true }); f.State != "old" {
		t.Errorf("the operator is not warned: %+v", f)
	}
	hands.set(now.Add(time.Hour - 2*time.Second)) // its end comes by the clock
	cn.poke()
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
		refused(t, tr.Reason, []string{"the orders of the authority of CN are not known since"})
	}
	if f := cn.untilFeedState(cnBody, func(f exchange.FeedState) bool { return f.State == "stale" }); f.Number != 1 {
		t.Errorf("%+v", f)
	}
	reach, err := cn.x.Reaches(context.Background(), "shipments")
	ok(t, err)
	refused(t, []string{reach[0].Why}, []string{"not known since"})
	// A newer feed opens it again.
	_, err = cn.x.TakeFeed(context.Background(), cnBody.feed(hands.now(), time.Hour, 3600))
	ok(t, err)
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	if stops := cn.x.Stops(); len(stops) != 0 {
		t.Errorf("%+v", stops)
	}
	kinds := ""
	for _, r := range cn.receipts() {
		if strings.HasPrefix(r.Type, "corridor.") {
			kinds += r.Type + " "
		}
	}
	if kinds != "corridor.suspended corridor.resumed " {
		t.Errorf("%s", kinds)
	}
}

// reopened serves the feed that opens what is closed without it, once that has
// taken effect, and lets the transfer go on.
func (n *node) reopened(b *body, feed []byte, transfer, agreement string) {
	n.t.Helper()
	n.untilTransfer(transfer, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
	b.publish(feed)
	n.untilFeed(b, 1)
	n.goesOn(transfer, agreement)
}

// goesOn resumes a transfer when its agreement is in force again.
func (n *node) goesOn(transfer, agreement string) {
	n.t.Helper()
	n.untilAgreement(agreement, exchange.AgreementInForce)
	_, err := n.x.Resume(within(n.t, 10*time.Second), transfer)
	ok(n.t, err)
	n.untilTransfer(transfer, func(t exchange.Transfer) bool { return t.State == dsp.Started && t.Pending == dsp.None })
}

// poke lets the timers of a node be set anew by its clock: an act about nothing
// that is known changes nothing else.
func (n *node) poke() {
	n.t.Helper()
	ok(n.t, n.x.LiftStop(context.Background(), "nothing", "nothing"))
}

func TestANodeThatHasNeverHeardAnAuthorityIsClosed(t *testing.T) {
	cn, kz := pair(t)
	cnBody, kzBody := authority(t, "CN", "SM2").serve(), authority(t, "KZ", "Ed25519") // its feed is down
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	cn.adopt(treaty(t, nil, cnBody, kzBody))
	refused(t, cn.untilAgreement(n.Agreement, exchange.AgreementSuspended).Reason, []string{"have never been fetched"})
	<-cnBody.asked
	cnBody.publish(cnBody.feed(time.Now(), time.Hour, 600))
	cn.untilAgreement(n.Agreement, exchange.AgreementInForce) // it is asked again and again
}

func TestAnAdmissionIsWantedAndCanBeRevokedInTheMiddleOfAStream(t *testing.T) {
	cn, kz, mine, theirs, tap := running(t)
	cnBody, kzBody := authority(t, "CN", "SM2").serve(), authority(t, "KZ", "Ed25519").serve()
	now := time.Now()
	cnBody.admit(cn.who.DID, now.Add(time.Hour))
	kzBody.admit(kz.who.DID, now.Add(time.Hour))
	cnBody.publish(cnBody.feed(now, time.Hour, 600))
	compact := treaty(t, func(c *corridor.Compact) { c.Credentials = []string{corridor.TypeAdmission} }, cnBody, kzBody)
	defer close(tap)
	agreement := kz.only().Agreement
	cn.adopt(compact) // closed until both feeds are there
	cn.untilFeed(cnBody, 1)
	cn.reopened(kzBody, kzBody.feed(now, time.Hour, 600), theirs, agreement)
	cn.take(kzBody.order(corridor.Order{Act: corridor.OrderRevoke, Target: corridor.Target{Participant: kz.who.DID}}))
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
		refused(t, tr.Reason, []string{"the admission of " + kz.who.DID + " is revoked by order 2 of the authority of KZ"})
	}
	kzBody.admit(kz.who.DID, now.Add(time.Hour)) // anew
	_, err := cn.x.TakeFeed(context.Background(), kzBody.feed(now, time.Hour, 600))
	ok(t, err)
	cn.untilAgreement(agreement, exchange.AgreementInForce)
}

func TestWhatRunsOutInTheMiddleOfAStreamEndsIt(t *testing.T) {
	for _, c := range []struct {
		name, says     string
		compact, admit time.Duration // how long they hold
	}{
		{"the compact", "ended at", time.Hour, 2 * time.Hour},
		{"an admission", "the admission of ", 2 * time.Hour, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			hands := &clock{}
			cn, kz, mine, theirs, tap := runningBetween(t, func(cn, kz *node) { cn.now, kz.now = hands.now, hands.now })
			cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
			now := hands.now()
			cnBody.admit(cn.who.DID, now.Add(3*time.Hour))
			kzBody.admit(kz.who.DID, now.Add(c.admit))
			cn.adopt(treaty(t, func(a *corridor.Compact) {
				a.Credentials, a.ValidUntil = []string{corridor.TypeAdmission}, corridor.Moment(now.Add(c.compact))
			}, cnBody, kzBody))
			cn.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.State == dsp.Suspended }) // nobody is admitted yet
			cn.take(cnBody.feed(now, 4*time.Hour, 3600))
			cn.take(kzBody.feed(now, 4*time.Hour, 3600))
			cn.goesOn(theirs, kz.only().Agreement)

			hands.set(now.Add(time.Hour - 2*time.Second)) // its end comes by the clock
			cn.poke()
			for n, pid := range map[*node]string{cn: theirs, kz: mine} {
				tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
				refused(t, tr.Reason, []string{c.says, corridor.Moment(now.Add(time.Hour))})
			}
			close(tap) // the stream could go on now; it must not
			if n := cn.streams(); n != 0 {
				t.Errorf("%d streams run on", n)
			}
		})
	}
}

func TestAnAdmissionIsForItsOwnCountry(t *testing.T) {
	cn, kz := pair(t)
	cnBody, kzBody := authority(t, "CN", "SM2").serve(), authority(t, "KZ", "Ed25519").serve()
	now := time.Now()
	cnBody.admit(cn.who.DID, now.Add(time.Hour))
	cnBody.admit(kz.who.DID, now.Add(time.Hour)) // a firm of another country
	cnBody.publish(cnBody.feed(now, time.Hour, 600))
	kzBody.publish(kzBody.feed(now, time.Hour, 600))
	cn.adopt(treaty(t, func(c *corridor.Compact) { c.Credentials = []string{corridor.TypeAdmission} }, cnBody, kzBody))
	cn.untilFeed(cnBody, 1)
	cn.untilFeed(kzBody, 1)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	reach, err := cn.x.Reaches(context.Background(), "shipments")
	ok(t, err)
	refused(t, []string{reach[0].Why}, []string{"is not admitted by the authority of KZ"})
}

func TestTheStatusSaysWhoDecides(t *testing.T) {
	cn, _ := pair(t)
	st, err := cn.x.Status(context.Background())
	ok(t, err)
	raw, err := json.Marshal(st.Trust)
	ok(t, err)
	if !strings.Contains(string(raw), "the law alone decides") {
		t.Errorf("%s", raw)
	}
	cnBody, kzBody := authority(t, "CN", "SM2").serve(), authority(t, "KZ", "Ed25519")
	cn.adopt(treaty(t, nil, cnBody, kzBody))
	st, err = cn.x.Status(context.Background())
	ok(t, err)
	if len(st.Trust.Compacts) != 1 || len(st.Trust.Feeds) != 2 || st.Trust.Decides == "the law alone decides" {
		t.Errorf("%+v", st.Trust)
	}
}
