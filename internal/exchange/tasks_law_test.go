package exchange_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"corridor"
	"corridor/internal/exchange"
	"corridor/internal/law"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
	"corridor/packs"
)

// withHoliday is the law with one rule more, and one day off more in China.
func withHoliday(t *testing.T, rule, off string) *law.Library {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(packs.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(packs.FS(), name)
		switch name {
		case "cn/pack.yaml":
			data = append(data, rule...)
		case "calendars.json":
			data = oneDayOff(t, data, off)
		}
		files[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := law.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func oneDayOff(t *testing.T, data []byte, off string) []byte {
	t.Helper()
	var all struct {
		Countries map[string]map[string]json.RawMessage `json:"countries"`
	}
	var years map[string]map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all.Countries["CN"]["years"], &years); err != nil {
		t.Fatal(err)
	}
	year := years[off[:4]]
	year["off"] = append(year["off"].([]any), off)
	year["status"] = "official" // an estimate would leave it open which rest days are worked instead
	raw, err := json.Marshal(years)
	if err != nil {
		t.Fatal(err)
	}
	all.Countries["CN"]["years"] = raw
	if data, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestANewHolidayTableMovesTheDay(t *testing.T) {
	rule := asks("more", "export", "dsl", "{from: 2022-01-01}", filing, breach)
	cn, _, time0, agreement := agreedOn(t, "2027-03-01T09:00:00Z", rule)
	if _, err := cn.x.TaskEvent(within(t, 5*time.Second), agreement, exchange.Happened{Event: "effect", By: "L. Wang"}); err != nil {
		t.Fatal(err)
	}
	cn.stop()
	time0.set(at(t, "2027-03-16T09:00:00Z"))
	cn.start()
	cn.untilTask(filing, "", exchange.TaskOverdue) // since yesterday
	cn.stop()
	cn.law = withHoliday(t, rule, "2027-03-10")
	cn.start()
	x := cn.untilTask(filing, "", exchange.TaskOpen)
	if day(x.Due) != "2027-03-16" || x.Overdue != 0 || !x.Given {
		t.Errorf("due %s, overdue since %s", day(x.Due), day(x.Overdue))
	}
}

func TestADayThatIsSetRightIsNoLongerOverdue(t *testing.T) {
	cn, _, _, agreement := agreedOn(t, "2027-03-22T09:00:00Z", asks("more", "export", "dsl", "{from: 2022-01-01}", filing))
	ctx := within(t, 20*time.Second)
	tell := func(on string) {
		t.Helper()
		if _, err := cn.x.TaskEvent(ctx, agreement, exchange.Happened{Event: "effect", On: corridor.DateOf(at(t, on+"T00:00:00Z")), By: "L. Wang"}); err != nil {
			t.Fatal(err)
		}
	}
	tell("2027-03-01")
	cn.untilTask(filing, "", exchange.TaskOverdue)
	tell("2027-03-16") // the month was mistyped
	if x := cn.task(filing, ""); x.State != exchange.TaskOpen || x.Overdue != 0 || day(x.Due) != "2027-03-26" {
		t.Errorf("%s, due %s", x.State, day(x.Due))
	}
	if overdueReceipts(t, cn) != 1 {
		t.Error("what the log says stays")
	}
	if _, err := cn.x.TaskDone(ctx, cn.task(filing, "").ID, exchange.Proof{By: "L. Wang", Ref: "r"}); err != nil {
		t.Fatal(err)
	}
	if _, err := cn.x.TaskEvent(ctx, agreement, exchange.Happened{Event: "effect", By: "L. Wang"}); corridor.KindOf(err) != corridor.Conflict || !strings.Contains(err.Error(), "are finished") {
		t.Errorf("%v", err)
	}
}

func TestAReviewShownWithTheAgreementComesBackAYearLater(t *testing.T) {
	time0 := &clock{}
	time0.set(at(t, "2027-03-01T09:00:00Z"))
	lib := withRule(t, "cn", asks("more", "export", "dsl", "{from: 2022-01-01}", yearly))
	cn, kz := pair(t, func(cn, kz *node) { cn.now, kz.now, cn.law, kz.law = time0.now, time0.now, lib, lib })
	evidence := evidenceFor(append(duties, yearly)...)
	shown := evidence[yearly]
	shown.On = corridor.DateOf(at(t, "2027-02-10T00:00:00Z"))
	evidence[yearly] = shown
	cn.publish(exchange.Publication{ID: "people", Facts: peopleFacts(), Evidence: evidence})
	n := kz.until(kz.ask(cn, "people", "trade_logistics"), ended)
	cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	if x := cn.task(yearly, ""); x.State != exchange.TaskDone {
		t.Error(x.State)
	}
	next := cn.task(yearly, "2027-02-10")
	if next.State != exchange.TaskOpen || day(next.Due) != "2028-02-10" {
		t.Errorf("%s due %s", next.State, day(next.Due))
	}
	ctx := within(t, 20*time.Second)
	_, err := cn.x.TaskDone(ctx, next.ID, exchange.Proof{By: "L. Wang", Ref: "r", On: shown.On})
	if corridor.KindOf(err) != corridor.Conflict || !strings.Contains(err.Error(), "was done on 2027-02-10 already") {
		t.Errorf("%v", err)
	}
	if x := cn.task(yearly, "2027-02-10"); x.State != exchange.TaskOpen {
		t.Errorf("what is refused changes nothing: %s", x.State)
	}
	// The day of the last review was another one.
	moved, err := cn.x.TaskEvent(ctx, n.Agreement, exchange.Happened{Event: "last_review", On: shown.On + 5, By: "L. Wang"})
	if err != nil || len(moved) != 1 || moved[0].ID != next.ID || day(moved[0].Due) != "2028-02-15" {
		t.Errorf("%v %+v", err, moved)
	}
}

// TestTwoWhoFinishATaskAtOnce: one wins, and the log says it once.
func TestTwoWhoFinishATaskAtOnce(t *testing.T) {
	cn, _, _, _ := agreedOn(t, "2027-03-01T09:00:00Z", asks("more", "export", "dsl", "{from: 2022-01-01}", filing))
	id := cn.task(filing, "").ID
	const people = 8
	results := make(chan error, people)
	for range people {
		go func() {
			_, err := cn.x.TaskDone(context.Background(), id, exchange.Proof{By: "L. Wang", Ref: "r"})
			results <- err
		}()
	}
	won := 0
	for range people {
		err := <-results
		if err == nil {
			won++
		} else if corridor.KindOf(err) != corridor.Conflict {
			t.Error(err)
		}
	}
	if said := receiptTypes(t, cn, cn.only().PID)[corridor.ReceiptTaskDone]; won != 1 || said != 1 {
		t.Errorf("%d won, the log says it %d times", won, said)
	}
}

// TestAMarkThatFailsIsMadeLaterAndOnce: the record cannot be written, so the
// receipt is not either; the next start makes both.
func TestAMarkThatFailsIsMadeLaterAndOnce(t *testing.T) {
	cn, _, time0, _ := agreedOn(t, "2027-03-01T09:00:00Z", asks("more", "export", "dsl", "{from: 2022-01-01}", filing))
	write := func(statement string) {
		t.Helper()
		err := cn.db.Write(context.Background(), func(tx *store.Tx) error { _, err := tx.Exec(context.Background(), statement); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	breaks, mends := `CREATE TRIGGER broken BEFORE UPDATE ON tasks BEGIN SELECT RAISE(ABORT, 'disk trouble'); END`, `DROP TRIGGER broken`
	if storetest.OnServer() {
		breaks, mends = `ALTER TABLE tasks ADD CONSTRAINT broken CHECK (version < 0) NOT VALID`, `ALTER TABLE tasks DROP CONSTRAINT broken`
	}
	write(breaks)
	cn.stop()
	time0.set(at(t, "2027-03-20T09:00:00Z"))
	cn.start()
	_, err := cn.x.TaskDone(within(t, 5*time.Second), cn.task(filing, "").ID, exchange.Proof{By: "L. Wang", Ref: "r"})
	if err == nil {
		t.Fatal("a person's word is kept although it cannot be written")
	}
	if types := receiptTypes(t, cn, cn.only().PID); types[corridor.ReceiptTaskOverdue]+types[corridor.ReceiptTaskDone] != 0 {
		t.Errorf("the log says what has not happened: %v", types)
	}
	write(mends)
	cn.stop()
	cn.start()
	cn.untilTask(filing, "", exchange.TaskOverdue)
	if overdueReceipts(t, cn) != 1 {
		t.Errorf("said %d times", overdueReceipts(t, cn))
	}
}
