package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/counter"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
)

// register writes a CSV of people by their numbers, the first of them with a
// diagnosis.
func register(t testing.TB, from, to, sick int) string {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("no,person,diagnosis\n")
	for i := from; i < to; i++ {
		diagnosis := ""
		if i-from < sick {
			diagnosis = "J45"
		}
		fmt.Fprintf(&b, "%d,%s,%s\n", i, person(i), diagnosis)
	}
	path := filepath.Join(t.TempDir(), "register.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func person(i int) string { return fmt.Sprintf("1101051949%08d", i) }

var byNumber = &catalog.Subject{Column: "person", Kind: "national_id:CN"}

// offers publishes people from..to under a name.
func (n *node) offers(id string, from, to int, sub *catalog.Subject) {
	n.t.Helper()
	f := peopleFacts()
	f["subjects_in_file"], f["subjects_ytd"] = to-from, to-from
	n.publish(exchange.Publication{ID: id, Source: register(n.t, from, to, 0), Facts: f, Subject: sub, Evidence: evidenceFor(duties...)})
}

// counts gives the exact count of one kind.
func (n *node) counts(kind string) exchange.Counter {
	n.t.Helper()
	all, err := n.x.Counters(context.Background(), true)
	if err != nil {
		n.t.Fatal(err)
	}
	i := slices.IndexFunc(all.Items, func(c exchange.Counter) bool { return c.Kind == kind })
	if i < 0 || all.Items[i].Low != all.Items[i].High {
		n.t.Fatalf("%+v", all)
	}
	return all.Items[i]
}

// agrees says whether a request ends in an agreement; otherwise it waits for
// an approval.
func (n *node) agrees(p *node, dataset string) bool {
	n.t.Helper()
	pid := n.ask(p, dataset, "marketing")
	var mine exchange.Negotiation
	n.until(pid, func(x exchange.Negotiation) bool {
		mine = x
		return x.State.Final() || x.Pending == "" && x.PeerPID != ""
	})
	for ctx := within(n.t, 20*time.Second); ; time.Sleep(5 * time.Millisecond) {
		other, err := p.x.Negotiation(context.Background(), mine.PeerPID)
		if err != nil || ctx.Err() != nil {
			n.t.Fatalf("%s: %v, it is %+v", dataset, err, other.Waiting)
		}
		switch {
		case other.State == dsp.Finalized:
			return true
		case strings.Contains(other.Parked, "needs an approval"):
			return false
		case other.State == dsp.Terminated:
			n.t.Fatalf("%s: %v", dataset, other.Reason)
		}
	}
}

func TestWhoeverIsInTwoDatasetsIsCountedOnce(t *testing.T) {
	cn, kz := pair(t)
	cn.offers("first", 0, 60_000, byNumber)
	cn.offers("second", 10_000, 70_000, byNumber)
	cn.offers("third", 60_000, 99_999, byNumber)
	cn.offers("last", 99_000, 100_000, byNumber)
	for _, id := range []string{"first", "second", "third", "second"} {
		if !kz.agrees(cn, id) {
			t.Errorf("%s stays under 100,000 different people", id)
		}
	}
	got := cn.counts("people")
	if got.Low != 99_999 || got.Datasets != 3 || got.AllDifferent != 0 || got.Next == nil || got.Next.At != 100_000 || got.Next.Left != 0 || len(got.Next.Rules[0].Citations) == 0 {
		t.Errorf("%+v", got)
	}
	if kz.agrees(cn, "last") {
		t.Error("the last dataset brings the one person too many")
	}
	cn.stop()
	cn.start()
	if again := cn.counts("people"); again.Low != got.Low || again.Datasets != got.Datasets {
		t.Errorf("after a restart: %+v", again)
	}
	if kz.agrees(cn, "last") {
		t.Error("after a restart it is still one too many")
	}
	if !kz.agrees(cn, "first") {
		t.Error("what was counted may be agreed on again")
	}
}

func TestManyAgreementsAtOnceDoNotSlipUnderALine(t *testing.T) {
	cn, kz := pair(t)
	const sets, each, shared = 14, 10_000, 1000 // every set shares people with the next
	for i := range sets {
		cn.offers(fmt.Sprint("set", i), i*(each-shared), i*(each-shared)+each, byNumber)
	}
	var agreed [sets]atomic.Bool
	var wg sync.WaitGroup
	for i := range sets {
		wg.Go(func() { agreed[i].Store(kz.agrees(cn, fmt.Sprint("set", i))) })
	}
	wg.Wait()
	all, n := map[int]bool{}, 0
	for i := range sets {
		if agreed[i].Load() {
			n++
			for k := range each {
				all[i*(each-shared)+k] = true
			}
		}
	}
	if got := cn.counts("people"); got.Low != int64(len(all)) || got.Datasets != n {
		t.Errorf("%d people in %d datasets are counted as %+v", len(all), n, got)
	}
	if len(all) >= 100_000 || n < 9 { // nine whole sets always fit
		t.Errorf("%d people in %d datasets went below a line at 100,000", len(all), n)
	}
}

func TestSensitiveRowsAreCountedByTheirColumns(t *testing.T) {
	cn, kz := pair(t)
	f := peopleFacts()
	f["data_classes"], f["subjects_in_file"], f["subjects_ytd"] = []any{"personal", "health"}, 500, 500
	f["sensitive_subjects_in_file"], f["sensitive_subjects_ytd"] = 40, 40
	sub := &catalog.Subject{Column: "person", Kind: "national_id:CN", Sensitive: []string{"diagnosis"}}
	p := exchange.Publication{ID: "clinic", Source: register(t, 0, 500, 40), Format: "csv", Facts: f, Subject: sub}
	cn.publish(p)
	tooFew := with(f)
	tooFew["sensitive_subjects_in_file"] = 39
	p.Facts = tooFew
	if _, err := cn.x.Publish(context.Background(), p); corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), "40 different") {
		t.Errorf("facts that name fewer people than the column: %v", err)
	}
	if kz.agrees(cn, "clinic") {
		t.Fatal("sensitive data goes without an approval")
	}
	mine := cn.only()
	own, err := mine.Own.Signed.Decode()
	if err != nil {
		t.Fatal(err)
	}
	var owed []string
	for _, o := range own.Decision.Duties {
		if o.When == "before" {
			owed = append(owed, o.ID)
		}
	}
	if _, err := cn.x.Approve(within(t, 10*time.Second), mine.PID, exchange.Approval{By: "Provincial CAC", Reference: "1", Evidence: evidenceFor(owed...)}); err != nil {
		t.Fatal(err)
	}
	cn.until(mine.PID, ended)
	if all, some := cn.counts("people"), cn.counts("sensitive_people"); all.Low != 500 || some.Low != 40 || some.AllDifferent != 0 {
		t.Errorf("%+v %+v", all, some)
	}
}

func TestASubjectThatCannotBeCountedByIsRefused(t *testing.T) {
	cn, _ := pair(t)
	for name, c := range map[string]struct {
		sub  catalog.Subject
		says string
	}{
		"no column":      {catalog.Subject{Kind: "email"}, "subject.column"},
		"another column": {catalog.Subject{Column: "persn", Kind: "email"}, "no such column"},
		"no kind":        {catalog.Subject{Column: "person"}, "subject.kind"},
		"a wrong kind":   {catalog.Subject{Column: "person", Kind: "name"}, "national_id:CC"},
	} {
		_, err := cn.x.Publish(context.Background(), exchange.Publication{ID: "x", Source: register(t, 0, 3, 0), Format: "csv", Facts: peopleFacts(), Subject: &c.sub})
		if corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestThePeopleAreNotInTheDatabase(t *testing.T) {
	cn, kz := pair(t)
	cn.offers("first", 0, 2000, byNumber)
	if !kz.agrees(cn, "first") {
		t.Fatal("not agreed")
	}
	if got := cn.counts("people"); got.Low != 2000 {
		t.Fatalf("%+v", got)
	}
	cn.stop()
	looked := 0
	err := filepath.Walk(cn.dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		looked++
		for _, i := range []int{0, 7, 1999} {
			if bytes.Contains(raw, []byte(person(i))) {
				t.Errorf("%s holds %s", path, person(i))
			}
		}
		if strings.HasSuffix(path, ".key") && strings.Contains(path, "people-") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || looked < 3 {
		t.Errorf("%d files: %v", looked, err)
	}
	cn.start()
}

func TestAYearBeginsAtNothingAndThePastIsForgotten(t *testing.T) {
	var now atomic.Pointer[time.Time]
	set := func(s string) {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		now.Store(&at)
	}
	set("2026-12-30T10:00:00Z")
	cn, kz := pair(t, func(cn, kz *node) {
		cn.now = func() time.Time { return *now.Load() }
		kz.now = cn.now
	})
	cn.offers("first", 0, 60_000, byNumber)
	cn.offers("second", 60_000, 120_000, byNumber)
	if !kz.agrees(cn, "first") || kz.agrees(cn, "second") {
		t.Fatal("only one fits into 2026")
	}
	list, _, err := kz.x.Agreements(context.Background(), exchange.Page{})
	if err != nil || len(list) != 1 {
		t.Fatal(err, list)
	}
	set("2027-01-02T10:00:00Z")
	if got := cn.counts("people"); got.Low != 0 {
		t.Errorf("a new year: %+v", got)
	}
	if tr := kz.carried(list[0].ID); tr.State != dsp.Completed {
		t.Fatalf("%s %v", tr.State, tr.Reason)
	}
	if got := cn.counts("people"); got.Low != 60_000 || got.AllDifferent != 0 {
		t.Errorf("what is let go under an agreement of last year counts in this one: %+v", got)
	}
	if kz.agrees(cn, "second") {
		t.Error("120,000 in 2027")
	}
	keys := func() (names []string) {
		found, _ := filepath.Glob(filepath.Join(cn.dir, "keys", "people-*.key"))
		for _, f := range found {
			names = append(names, filepath.Base(f))
		}
		return names
	}
	if got := keys(); !slices.Equal(got, []string{"people-2026.key", "people-2027.key"}) {
		t.Errorf("in January both are there: %v", got)
	}
	for _, day := range []string{"01-08", "01-14", "01-20", "01-26", "02-01", "02-02"} { // a clock that jumps is doubted
		set("2027-" + day + "T10:00:00Z")
		ok(t, cn.x.ExpiryDue(t.Context()))
	}
	cn.counts("people")
	for ctx := within(t, 10*time.Second); len(keys()) > 1; time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("in February the key of 2026 is gone: %v", keys())
		}
	}
	if got := cn.counts("people"); got.Low != 60_000 {
		t.Errorf("this year's count stays: %+v", got)
	}
}

func TestPeopleCountedBeforeAreCarriedOver(t *testing.T) {
	path := storetest.Place(t)
	ctx := context.Background()
	old := slices.Concat(ledger.Migrations, catalog.Migrations, exchange.Migrations[:3])
	db, err := store.Open(ctx, path, old...)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO people (year, kind, dataset, subjects) VALUES ('2026', 'people', 'a', 30), ('2026', 'people', 'b', 12), ('2026', 'sensitive_people', 'a', 4), ('2025', 'people', 'a', 9), ('2025', 'people', 'z', 0)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if db, err = store.Open(ctx, path, slices.Concat(ledger.Migrations, catalog.Migrations, counter.Migrations, exchange.Migrations)...); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, c := range []struct {
		year, kind string
		loose      int64
		datasets   int
	}{{"2026", "people", 42, 2}, {"2026", "sensitive_people", 4, 1}, {"2025", "people", 9, 1}, {"2027", "people", 0, 0}} {
		got, _, err := counter.NewYear(db, c.year).With(ctx, counter.Entry{Kind: c.kind}, func(int64, int64) bool { return true })
		if err != nil || got.Loose != c.loose || got.Datasets != c.datasets || got.High != 0 {
			t.Errorf("%s %s: %v %+v", c.year, c.kind, err, got)
		}
	}
}
