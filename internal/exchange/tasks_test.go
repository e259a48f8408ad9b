package exchange_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
)

// asks is a rule that lets a flow go with more duties.
func asks(id, side, instrument, inForce string, obligations ...string) string {
	return `
  - id: cn.test.` + id + `
    side: ` + side + `
    when: 'purpose == "trade_logistics"'
    results: [{outcome: allow_with_obligations, obligations: [` + strings.Join(obligations, ", ") + `]}]
    cite: [{instrument: ` + instrument + `, article: "77"}]
    source: {status: verified, on: 2026-11-24, ref: test}
    in_force: ` + inForce + `
    text: {en: More duties., zh: 更多义务。, ru: Ещё обязанности.}
`
}

const (
	filing = "file_contract_with_provincial_cac_10_working_days"
	tell   = "notify_subject_of_third_party_transfer"
	breach = "report_breach_24h_72h"
	yearly = "review_ai_risk_yearly"
	keep   = "keep_provision_records_3y"
)

// agreedOn is an agreement on data about people at a moment, with one
// completed transfer or none.
func agreedOn(t *testing.T, when string, rules ...string) (cn, kz *node, time0 *clock, agreement string) {
	t.Helper()
	time0 = &clock{}
	time0.set(at(t, when))
	lib := withRule(t, "cn", strings.Join(rules, ""))
	cn, kz = pair(t, func(cn, kz *node) { cn.now, kz.now, cn.law, kz.law = time0.now, time0.now, lib, lib })
	evidence := evidenceFor(duties...)
	for id, e := range evidence {
		e.On = corridor.DateOf(time0.now())
		evidence[id] = e
	}
	cn.publish(exchange.Publication{ID: "people", Facts: peopleFacts(), Evidence: evidence})
	n := kz.until(kz.ask(cn, "people", "trade_logistics"), ended)
	if n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	return cn, kz, time0, n.Agreement
}

func (n *node) tasks(p exchange.TaskPage) []exchange.Task {
	n.t.Helper()
	var out []exchange.Task
	for {
		list, next, err := n.x.Tasks(context.Background(), p)
		if err != nil {
			n.t.Fatal(err)
		}
		if out = append(out, list...); next == "" {
			return out
		}
		p.After = next
	}
}

func (n *node) find(obligation, ref string) (exchange.Task, bool) {
	n.t.Helper()
	list := n.tasks(exchange.TaskPage{})
	i := slices.IndexFunc(list, func(x exchange.Task) bool { return x.Obligation == obligation && x.Ref == ref })
	if i < 0 {
		return exchange.Task{}, false
	}
	return list[i], true
}

func (n *node) task(obligation, ref string) exchange.Task {
	n.t.Helper()
	x, found := n.find(obligation, ref)
	if !found {
		n.t.Fatalf("%s has no task %s %q", n.name, obligation, ref)
	}
	return x
}

// untilTask waits for a task to come into a state.
func (n *node) untilTask(obligation, ref, state string) exchange.Task {
	n.t.Helper()
	for ctx := within(n.t, 20*time.Second); ; time.Sleep(5 * time.Millisecond) {
		x, found := n.find(obligation, ref)
		if found && x.State == state {
			return x
		}
		if ctx.Err() != nil {
			n.t.Fatalf("%s: %s is %q, not %s", n.name, obligation, x.State, state)
		}
	}
}

func (n *node) carried(agreement string) exchange.Transfer {
	n.t.Helper()
	tr, err := n.x.Transfer(within(n.t, 5*time.Second), agreement)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.untilTransfer(tr.PID, over)
}

func TestAnAgreementLeavesTasksThatTransfersMove(t *testing.T) {
	cn, kz, _, agreement := agreedOn(t, "2027-03-01T09:00:00Z", asks("more", "export", "dsl", "{from: 2022-01-01}", filing, tell, breach, yearly))
	for _, w := range []struct{ id, state, due string }{
		{"pipia", exchange.TaskDone, ""}, {"notice", exchange.TaskDone, ""}, {"security_measures", exchange.TaskOpen, ""},
		{filing, exchange.TaskOpen, "2027-03-15"}, {tell, exchange.TaskWaiting, ""}, {breach, exchange.TaskWaiting, ""},
		{yearly, exchange.TaskOpen, "2028-03-01"}, {keep, exchange.TaskWaiting, ""}, {"retain_pipia_3y", exchange.TaskOpen, "2030-03-01"},
	} {
		x := cn.task(w.id, "")
		if x.State != w.state || day(x.Due) != w.due || x.Agreement != agreement || len(x.Citations) == 0 || x.Text.ZH == "" {
			t.Errorf("%s is %s, due %s; want %+v", w.id, x.State, day(x.Due), w)
		}
	}
	if x := cn.task("pipia", ""); x.Proof == nil || x.Proof.Ref != "file 7/2026" || x.Proof.By != "L. Wang" {
		t.Errorf("what was shown with the agreement is on record: %+v", x.Proof)
	}
	if x := cn.task(filing, ""); !x.Presumed {
		t.Error("nobody said when the contract took effect")
	}
	for _, x := range kz.tasks(exchange.TaskPage{}) {
		if x.Owner == "exporter" {
			t.Errorf("the importer keeps the exporter's duty %s", x.Obligation)
		}
	}
	if tr := kz.carried(agreement); tr.State != dsp.Completed {
		t.Fatalf("%s %v", tr.State, tr.Reason)
	}
	if tr := kz.carried(agreement); tr.State != dsp.Completed {
		t.Fatalf("%s %v", tr.State, tr.Reason)
	}
	var told []exchange.Task
	for _, x := range cn.tasks(exchange.TaskPage{Agreement: agreement}) {
		if x.Obligation == tell && x.Ref != "" {
			told = append(told, x)
		}
	}
	if len(told) != 2 || day(told[0].Due) != "2027-03-08" || told[0].State != exchange.TaskOpen {
		t.Errorf("each transfer is to be told of: %+v", told)
	}
	if x := cn.task(keep, ""); x.State != exchange.TaskOpen || day(x.Due) != "2030-03-01" {
		t.Errorf("records are kept from the transfer: %s %s", x.State, day(x.Due))
	}
	status, err := cn.x.Status(context.Background())
	if err != nil || status.Tasks[exchange.TaskOpen] == 0 || status.Tasks[exchange.TaskDone] != 4 {
		t.Errorf("%v %v", err, status.Tasks)
	}
	if _, err := kz.x.Bundle(within(t, 10*time.Second), agreement); err != nil {
		t.Errorf("the proof holds: %v", err)
	}
}

func day(d corridor.Date) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func TestAPersonMovesAndEndsTasks(t *testing.T) {
	cn, _, time0, agreement := agreedOn(t, "2027-03-22T09:00:00Z", asks("more", "export", "dsl", "{from: 2022-01-01}", filing, tell, breach, yearly))
	ctx := within(t, 20*time.Second)
	on := func(s string) corridor.Date { return corridor.DateOf(at(t, s+"T00:00:00Z")) }

	// The contract took effect earlier than the gateway can see.
	moved, err := cn.x.TaskEvent(ctx, agreement, exchange.Happened{Event: "effect", On: on("2027-03-15"), By: "L. Wang"})
	if err != nil || len(moved) != 1 || day(moved[0].Due) != "2027-03-25" || moved[0].Presumed || !moved[0].Given {
		t.Fatalf("%v %+v", err, moved)
	}
	// Two breaches are two tasks.
	for _, ref := range []string{"", "INC-8"} {
		moved, err = cn.x.TaskEvent(ctx, agreement, exchange.Happened{Event: "detection", On: on("2027-03-21"), Ref: ref, By: "L. Wang", Note: "laptop of Anna Ivanova"})
		if err != nil || len(moved) == 0 || moved[0].State != exchange.TaskOpen || day(moved[0].Due) != "2027-03-22" {
			t.Fatalf("%v %+v", err, moved)
		}
	}
	if x := cn.task(breach, ""); x.State != exchange.TaskWaiting {
		t.Errorf("the next breach is still waited for: %s", x.State)
	}

	good := exchange.Proof{By: "L. Wang", Kind: "filing receipt", Ref: "CAC 17/2026", SHA256: corridor.Digest([]byte("x")), Note: "filed for Olga Petrova"}
	done, err := cn.x.TaskDone(ctx, cn.task(filing, "").ID, good)
	if err != nil || done.State != exchange.TaskDone || done.Proof.On != corridor.DateOf(time0.now()) {
		t.Fatalf("%v %+v", err, done)
	}
	// A review that is done comes back a year later.
	if _, err := cn.x.TaskDone(ctx, cn.task(yearly, "").ID, exchange.Proof{By: "L. Wang", Ref: "review 1", On: on("2027-03-17")}); err != nil {
		t.Fatal(err)
	}
	if x := cn.task(yearly, "2027-03-17"); x.State != exchange.TaskOpen || day(x.Due) != "2028-03-17" {
		t.Errorf("%s %s", x.State, day(x.Due))
	}
	if _, err := cn.x.TaskNotApplicable(ctx, cn.task(breach, "INC-8").ID, exchange.Proof{By: "L. Wang", Reason: "no data of this agreement was on it"}); err != nil {
		t.Fatal(err)
	}
	if x := cn.task(breach, "INC-8"); x.State != exchange.TaskNotApplicable || x.Proof.Reason == "" {
		t.Errorf("%+v", x)
	}

	types := receiptTypes(t, cn, cn.only().PID)
	if types[corridor.ReceiptTaskDone] != 2 || types[corridor.ReceiptTaskEvent] != 3 || types[corridor.ReceiptTaskNotApplicable] != 1 {
		t.Errorf("%v", types)
	}
	for i := range cn.log.Size() {
		raw, err := cn.log.Receipt(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"Petrova", "Ivanova", "CAC 17", "L. Wang", "no data of"} {
			if strings.Contains(string(raw), secret) {
				t.Errorf("the log holds what a person wrote: %s", raw)
			}
		}
	}
	if _, err := cn.x.Bundle(within(t, 10*time.Second), agreement); err != nil {
		t.Errorf("the proof holds: %v", err)
	}
}

func TestWhatCannotBeSaidOfATask(t *testing.T) {
	cn, _, _, agreement := agreedOn(t, "2027-03-22T09:00:00Z", asks("more", "export", "dsl", "{from: 2022-01-01}", filing, breach))
	ctx := within(t, 20*time.Second)
	proof := exchange.Proof{By: "L. Wang", Ref: "r"}
	tomorrow := corridor.DateOf(at(t, "2027-03-23T00:00:00Z"))
	doneOf := func(id string, p exchange.Proof) error { _, err := cn.x.TaskDone(ctx, id, p); return err }
	notOf := func(id string, p exchange.Proof) error { _, err := cn.x.TaskNotApplicable(ctx, id, p); return err }
	event := func(h exchange.Happened) error { _, err := cn.x.TaskEvent(ctx, agreement, h); return err }
	open := cn.task(filing, "").ID
	for want, err := range map[string]error{
		"there is no task":                     doneOf("urn:uuid:none", proof),
		"done already":                         doneOf(cn.task("pipia", "").ID, proof),
		"stands for those to come":             doneOf(cn.task(breach, "").ID, proof),
		"runs until 2030-03-22":                doneOf(cn.task("retain_pipia_3y", "").ID, proof),
		"give by and ref":                      doneOf(open, exchange.Proof{By: "L. Wang"}),
		"not a digest":                         doneOf(open, exchange.Proof{By: "L. Wang", Ref: "r", SHA256: "sha256:12"}),
		"still to come":                        doneOf(open, exchange.Proof{By: "L. Wang", Ref: "r", On: tomorrow}),
		"longer than 2000 bytes":               doneOf(open, exchange.Proof{By: "L. Wang", Ref: strings.Repeat("r", 3000)}),
		"give by and reason":                   notOf(open, exchange.Proof{By: "L. Wang"}),
		"evidence belongs to a task":           notOf(open, exchange.Proof{By: "L. Wang", Reason: "x", Ref: "r"}),
		"belongs to a task that does not":      doneOf(open, exchange.Proof{By: "L. Wang", Ref: "r", Reason: "x"}),
		"use one of assessment, detection, ef": event(exchange.Happened{Event: "efect", By: "L. Wang"}),
		"give by and event":                    event(exchange.Happened{Event: "effect"}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if types := receiptTypes(t, cn, cn.only().PID); types[corridor.ReceiptTaskDone]+types[corridor.ReceiptTaskEvent]+types[corridor.ReceiptTaskNotApplicable] != 0 {
		t.Errorf("what is refused leaves no receipt: %v", types)
	}
	if _, _, err := cn.x.Tasks(ctx, exchange.TaskPage{Page: exchange.Page{State: "late"}}); corridor.KindOf(err) != corridor.Invalid {
		t.Error(err)
	}
}

func TestADutyThatComesUpLaterStopsTransfersUntilItIsShown(t *testing.T) {
	cn, kz, time0, agreement := agreedOn(t, "2027-02-26T09:00:00Z", asks("later", "export", "dsl", "{from: 2027-03-01}", "backup_copy_to_authority", filing))
	ctx := within(t, 20*time.Second)
	cn.stop()
	time0.set(at(t, "2027-03-01T08:00:00Z"))
	cn.start()
	a := cn.untilAgreement(agreement, exchange.AgreementSuspended)
	if !strings.Contains(strings.Join(a.Reason, " "), "backup_copy_to_authority") {
		t.Errorf("%v", a.Reason)
	}
	x := cn.untilTask("backup_copy_to_authority", "", exchange.TaskOpen)
	if x.When != "before" || x.Citations[0].Article != "77" {
		t.Errorf("%+v", x)
	}
	if tr := kz.carried(agreement); tr.State != dsp.Terminated {
		t.Errorf("data leaves although a duty owed before is open: %s", tr.State)
	}
	if _, err := cn.x.TaskNotApplicable(ctx, x.ID, exchange.Proof{By: "L. Wang", Reason: "we think not"}); corridor.KindOf(err) != corridor.Conflict || !strings.Contains(err.Error(), "cannot be left out") {
		t.Errorf("%v", err)
	}
	if _, err := cn.x.TaskDone(ctx, x.ID, exchange.Proof{By: "L. Wang", Ref: "backup 3"}); err != nil {
		t.Fatal(err)
	}
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	if tr := kz.carried(agreement); tr.State != dsp.Completed {
		t.Errorf("%s %v", tr.State, tr.Reason)
	}
	if x := cn.task(filing, ""); x.State != exchange.TaskOpen {
		t.Errorf("the filing that the new rule asks for is a task too: %s", x.State)
	}
}

func TestWhatTheLawNoLongerAsksLapsesUnlessItHasBegun(t *testing.T) {
	cn, _, _, agreement := agreedOn(t, "2027-03-22T09:00:00Z", asks("more", "export", "dsl", "{from: 2022-01-01}", filing, breach))
	if _, err := cn.x.TaskEvent(within(t, 5*time.Second), agreement, exchange.Happened{Event: "detection", By: "L. Wang"}); err != nil {
		t.Fatal(err)
	}
	with := cn.law
	cn.stop()
	cn.law = nil // the packs as they are shipped
	cn.start()
	cn.untilTask(breach, "", exchange.TaskLapsed)
	if x := cn.task(breach, "2027-03-22"); !slices.Contains([]string{exchange.TaskOpen, exchange.TaskOverdue}, x.State) {
		t.Errorf("a breach that was found is still to be reported: %s", x.State)
	}
	cn.stop()
	cn.law = with
	cn.start()
	cn.untilTask(breach, "", exchange.TaskWaiting)
}

// overdueReceipts counts what the log says of overdue tasks.
func overdueReceipts(t *testing.T, n *node) int {
	t.Helper()
	return receiptTypes(t, n, n.only().PID)[corridor.ReceiptTaskOverdue]
}

func TestANodeThatWasDownSaysOnceWhatIsOverdue(t *testing.T) {
	cn, _, time0, _ := agreedOn(t, "2027-03-01T09:00:00Z", asks("more", "export", "dsl", "{from: 2022-01-01}", filing))
	for range 2 { // the second start finds it said
		cn.stop()
		time0.set(at(t, "2027-03-22T09:00:00Z"))
		cn.start()
		x := cn.untilTask(filing, "", exchange.TaskOverdue)
		for ctx := within(t, 20*time.Second); overdueReceipts(t, cn) == 0 && ctx.Err() == nil; { // the log knows its new size a moment after the record does
			time.Sleep(5 * time.Millisecond)
		}
		if day(x.Overdue) != "2027-03-16" || overdueReceipts(t, cn) != 1 {
			t.Errorf("overdue since %s, said %d times", day(x.Overdue), overdueReceipts(t, cn))
		}
	}
	if status, err := cn.x.Status(context.Background()); err != nil || status.Tasks[exchange.TaskOverdue] != 1 {
		t.Errorf("%v %v", err, status.Tasks)
	}
	if _, err := cn.x.TaskDone(within(t, 5*time.Second), cn.task(filing, "").ID, exchange.Proof{By: "L. Wang", Ref: "late"}); err != nil {
		t.Errorf("late is better than never: %v", err)
	}
	time0.set(at(t, "2030-12-01T09:00:00Z"))
	cn.stop()
	cn.start()
	cn.untilTask("retain_pipia_3y", "", exchange.TaskEnded)
}

func TestKeepingThatHadEndedBeginsAgainWithANewTransfer(t *testing.T) {
	cn, kz, time0, agreement := agreedOn(t, "2027-03-01T09:00:00Z")
	kz.carried(agreement)
	cn.stop()
	time0.set(at(t, "2030-03-02T09:00:00Z"))
	cn.start()
	cn.untilTask(keep, "", exchange.TaskEnded)
	if tr := kz.carried(agreement); tr.State != dsp.Completed {
		t.Fatalf("%s %v", tr.State, tr.Reason)
	}
	if x := cn.task(keep, ""); x.State != exchange.TaskOpen || day(x.Due) != "2033-03-02" {
		t.Errorf("%s until %s", x.State, day(x.Due))
	}
}

func TestTheProviderKeepsWhatTheRecipientOwesBefore(t *testing.T) {
	cn, kz, time0, agreement := agreedOn(t, "2027-02-26T09:00:00Z", asks("later", "export", "dsl", "{from: 2027-03-01}", "lawful_training_sources"))
	cn.stop()
	time0.set(at(t, "2027-03-01T08:00:00Z"))
	cn.start()
	cn.untilAgreement(agreement, exchange.AgreementSuspended)
	x := cn.untilTask("lawful_training_sources", "", exchange.TaskOpen)
	if x.Owner != "importer" {
		t.Error(x.Owner)
	}
	if _, err := cn.x.TaskDone(within(t, 5*time.Second), x.ID, exchange.Proof{By: "L. Wang", Ref: "letter of the recipient"}); err != nil {
		t.Fatal(err)
	}
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	if tr := kz.carried(agreement); tr.State != dsp.Completed {
		t.Errorf("%s %v", tr.State, tr.Reason)
	}
}

// TestTheTimerWakesOnTheDay runs the node's clockwork on a clock that jumps
// from one timer to the next: nothing happens before the day begins where the
// node is, and once then.
func TestTheTimerWakesOnTheDay(t *testing.T) {
	if storetest.OnServer() {
		t.Skip("a server does not live in a bubble of fake time")
	}
	for _, zone := range []string{"UTC", "Asia/Shanghai", "America/New_York"} {
		t.Run(zone, func(t *testing.T) {
			there, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			cn, _, _, _ := agreedOn(t, "2027-03-01T09:00:00Z", asks("more", "export", "dsl", "{from: 2022-01-01}", filing))
			cn.stop()
			synctest.Test(t, func(t *testing.T) { wakesOnTheDay(t, *cn, there) })
		})
	}
}

func wakesOnTheDay(t *testing.T, n node, there *time.Location) {
	ctx, cancel := context.WithCancel(t.Context())
	n.t = t
	began := time.Now()
	n.now = func() time.Time { return at(t, "2027-03-09T12:00:00Z").Add(time.Since(began)).In(there) }
	var err error
	if n.db, err = store.Open(ctx, n.place, migrations()...); err != nil {
		t.Fatal(err)
	}
	if _, err := n.wire(ctx); err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- n.x.Run(ctx) }()
	time.Sleep(time.Date(2027, 3, 15, 23, 59, 0, 0, there).Sub(n.now())) // of the last day
	synctest.Wait()
	if x := n.task(filing, ""); x.State != exchange.TaskOpen || overdueReceipts(t, &n) != 0 {
		t.Errorf("at %s it is %s", n.now(), x.State)
	}
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	if x := n.task(filing, ""); x.State != exchange.TaskOverdue || overdueReceipts(t, &n) != 1 {
		t.Errorf("at %s it is %s, said %d times", n.now(), x.State, overdueReceipts(t, &n))
	}
	time.Sleep(60 * 24 * time.Hour)
	synctest.Wait()
	if got := overdueReceipts(t, &n); got != 1 {
		t.Errorf("said %d times", got)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	n.db.Close()
}

func TestADatabaseOfBeforeTasksGetsThem(t *testing.T) {
	cn, kz, _, agreement := agreedOn(t, "2027-03-01T09:00:00Z", asks("more", "export", "dsl", "{from: 2022-01-01}", filing, tell))
	if tr := kz.carried(agreement); tr.State != dsp.Completed {
		t.Fatal(tr.State)
	}
	ctx := context.Background()
	want := len(cn.tasks(exchange.TaskPage{}))
	err := cn.db.Write(ctx, func(tx *store.Tx) error {
		for _, q := range []string{`DROP TABLE tasks`, `DROP TABLE duties`, `DELETE FROM migrations WHERE room = 'exchange' AND version = 3`} {
			if _, err := tx.Exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cn.stop()
	cn.start()
	cn.untilCount(want)
	if x := cn.task(keep, ""); x.State != exchange.TaskOpen || day(x.Due) != "2030-03-01" {
		t.Errorf("what was transferred before counts: %s %s", x.State, day(x.Due))
	}
}

// untilCount waits for a number of tasks.
func (n *node) untilCount(want int) {
	n.t.Helper()
	for ctx := within(n.t, 20*time.Second); len(n.tasks(exchange.TaskPage{})) != want; time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			n.t.Fatalf("%d tasks, want %d", len(n.tasks(exchange.TaskPage{})), want)
		}
	}
}
