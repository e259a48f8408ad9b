package exchange_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
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
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/verify"
)

const dropContact = `{"format":"csv","stages":[{"do":"drop","columns":["contact"]}]}`

// soon lets the consumer of data that goes on ask often.
func soon(_, kz *node) { kz.look = 20 * time.Millisecond }

// goesOn begins the transfer of a dataset that grows, and waits for its first
// increment.
func goesOn(t *testing.T, cn, kz *node, p exchange.Publication) (mine, theirs, agreement string) {
	t.Helper()
	return goesOnIn(t, cn, kz, p, catalog.FormatGrowing)
}

func goesOnIn(t *testing.T, cn, kz *node, p exchange.Publication, format string) (mine, theirs, agreement string) {
	t.Helper()
	p.ID, p.Growing = "prices", true
	if p.Facts == nil {
		p.Facts = plainFacts()
	}
	if p.Plan == nil {
		p.Plan = []byte(dropContact)
	}
	cn.publish(p)
	n := kz.until(kz.ask(cn, "prices", "research"), ended)
	if n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	tr, err := kz.x.TransferIn(within(t, 5*time.Second), n.Agreement, format)
	ok(t, err)
	kz.arrived(tr.PID, 1)
	return tr.PID, kz.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.PeerPID != "" }).PeerPID, n.Agreement
}

// arrived waits until an increment is complete on both sides, as seen by the
// consumer.
func (n *node) arrived(pid string, number int64) exchange.Transfer {
	n.t.Helper()
	n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Increments >= number })
	part := n.untilTransfer(fmt.Sprintf("%s~%d", pid, number), over)
	if part.State != dsp.Completed || part.Number != number || part.PartOf != pid || part.Received == nil {
		n.t.Fatalf("increment %d: %s %v %+v", number, part.State, part.Reason, part)
	}
	return part
}

// adds adds a file of some rows to what grows.
func (n *node) adds(rows int) exchange.Added {
	n.t.Helper()
	i, err := n.x.Append(within(n.t, 10*time.Second), "prices", exchange.Addition{Source: file(n.t, rows), Facts: corridor.Facts{"subjects_in_file": 0}})
	ok(n.t, err)
	return i
}

// questions counts how often a provider was asked for an address.
type questions struct {
	mu sync.Mutex
	n  int
}

func (a *questions) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n
}

func (a *questions) heard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "/corridor-address") {
			a.mu.Lock()
			a.n++
			a.mu.Unlock()
		}
	})
}

// again waits until n more questions were answered.
func (a *questions) again(t *testing.T, n int) {
	t.Helper()
	a.until(t, a.count()+n)
}

// until waits until so many questions were answered since the beginning.
func (a *questions) until(t *testing.T, want int) {
	t.Helper()
	for ctx := within(t, 10*time.Second); a.count() < want; time.Sleep(5 * time.Millisecond) {
		ok(t, ctx.Err())
	}
}

// quiet waits until no question comes for longer than nudges let a look wait.
func (a *questions) quiet(t *testing.T) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	for n, last := a.count(), time.Now(); time.Since(last) < 300*time.Millisecond; time.Sleep(5 * time.Millisecond) {
		ok(t, ctx.Err())
		if now := a.count(); now != n {
			n, last = now, time.Now()
		}
	}
}

// TestDataThatGoesOn: three increments, a restart of both nodes and a suspension
// between them, the end by the provider; each increment has receipts of its own
// on both sides, and the bundle tells of all.
func TestDataThatGoesOn(t *testing.T) {
	t.Parallel()
	heard := &questions{}
	cn, kz := pair(t, soon, func(cn, _ *node) { cn.wrap = heard.heard })
	mine, theirs, agreement := goesOn(t, cn, kz, exchange.Publication{})
	kz.stop()
	cn.stop()
	cn.start()
	if i := cn.adds(7); i.Number != 2 {
		t.Fatalf("%+v", i)
	}
	kz.start() // its transfer is still STARTED, and nobody has told it
	second := kz.arrived(mine, 2)
	if second.Rows != 7 || filepath.Base(second.File) != "prices-0002.csv" {
		t.Errorf("%+v", second)
	}
	got, err := os.ReadFile(second.File)
	if err != nil || !bytes.HasPrefix(got, []byte("awb,weight,port\n")) || corridor.Digest(got) != second.SHA256 || bytes.Count(got, []byte("\n")) != 8 {
		t.Errorf("%v %.60s", err, got)
	}
	ctx := within(t, 20*time.Second)
	_, err = cn.x.Suspend(ctx, theirs, "the source is checked")
	ok(t, err)
	kz.untilTransfer(mine, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
	cn.adds(9)
	_, err = kz.x.Resume(ctx, mine)
	if corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("only the provider resumes it: %v", err)
	}
	if part, err := kz.x.TransferByPID(ctx, mine+"~3"); corridor.KindOf(err) != corridor.NotFound {
		t.Errorf("nothing begins while it is suspended: %v %+v", err, part)
	}
	_, err = cn.x.Resume(ctx, theirs)
	ok(t, err)
	third := kz.arrived(mine, 3)
	heard.again(t, 2) // nothing more is there, and nothing comes twice
	whole := kz.untilTransfer(mine, func(t exchange.Transfer) bool { return t.State == dsp.Started })
	if whole.Increments != 3 || whole.Rows != 100+7+9 || whole.Waiting == nil || whole.Waiting.On != "peer" || whole.Waiting.By == nil {
		t.Errorf("%+v %+v", whole, whole.Waiting)
	}
	if files := inbox(t, kz); len(files) != 3 {
		t.Errorf("%v", files)
	}
	for _, act := range []func() error{
		func() error { _, err := kz.x.Suspend(ctx, third.PID, ""); return err },
		func() error { _, err := kz.x.TerminateTransfer(ctx, third.PID, ""); return err },
		func() error { _, err := cn.x.Complete(ctx, theirs+"~3"); return err },
	} {
		if err := act(); corridor.KindOf(err) != corridor.Conflict || !strings.Contains(err.Error(), "increment 3 of the transfer") {
			t.Errorf("one increment is not acted on: %v", err)
		}
	}
	_, err = cn.x.Complete(ctx, theirs)
	ok(t, err)
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		if tr := n.untilTransfer(pid, over); tr.State != dsp.Completed || tr.Increments != 3 {
			t.Errorf("%s: %s %+v", n.name, tr.State, tr)
		}
		for k := range 3 {
			n.arrived(pid, int64(k+1))
		}
	}
	cn.adds(11) // too late for this transfer
	partsOf(t, map[*node]string{cn: theirs, kz: mine}, agreement)
	for _, side := range []*node{kz, cn} {
		raw, err := side.x.Bundle(within(t, 20*time.Second), agreement)
		ok(t, err)
		rep := verify.Bundle(raw, verify.Options{})
		if !rep.OK || !told(rep, "]", "3 begun, 3 released, 3 acknowledged") || !told(rep, "]", "3 begun, 3 received") {
			t.Errorf("%s: %s %+v", side.name, rep.Summary, rep.Failed())
		}
		kinds := map[string]int64{}
		for _, r := range side.receipts() {
			if r.Increment != nil && r.Transfer != "" {
				kinds[r.Type] += r.Increment.Number
			}
		}
		want := map[string]int64{corridor.ReceiptTransferStarted: 6, corridor.ReceiptTransferReleased: 6, corridor.ReceiptTransferAcknowledged: 6}
		if side == kz {
			want = map[string]int64{corridor.ReceiptTransferStarted: 6, corridor.ReceiptTransferReceived: 6}
		}
		if fmt.Sprint(kinds) != fmt.Sprint(want) {
			t.Errorf("%s: each increment has each receipt once: %v", side.name, kinds)
		}
	}
}

// partsOf exports parts of what was done under an agreement from both sides.
func partsOf(t *testing.T, sides map[*node]string, agreement string) {
	t.Helper()
	for side, pid := range sides {
		for name, c := range map[string]struct {
			part exchange.Part
			says []string
		}{
			"two increments":            {exchange.Part{Transfer: pid, From: 2, To: 3}, []string{"2 begun, 2 released, 2 acknowledged", "2 begun, 2 received", "shows increments 2 to 3 of the transfer " + pid + " alone"}},
			"one, by its own name":      {exchange.Part{Transfer: pid + "~2"}, []string{"1 begun, 1 released, 1 acknowledged", "1 begun, 1 received", "increments 2 to 2"}},
			"a transfer with all of it": {exchange.Part{Transfer: pid}, []string{"3 begun, 3 released, 3 acknowledged", "3 begun, 3 received", "increments 1 to 3"}},
		} {
			raw, err := side.x.BundleOf(within(t, 20*time.Second), agreement, c.part)
			ok(t, err)
			rep := verify.Bundle(raw, verify.Options{})
			for _, says := range c.says {
				if !rep.OK || !slices.ContainsFunc(rep.Checks, func(k verify.Check) bool { return strings.Contains(k.Detail, says) }) {
					t.Errorf("%s, %s: %s: not %q: %+v", side.name, name, rep.Summary, says, rep.Failed())
				}
			}
		}
		for name, c := range map[string]struct {
			agreement string
			part      exchange.Part
			kind      corridor.Kind
		}{
			"no such transfer":           {agreement, exchange.Part{Transfer: "urn:uuid:nobody"}, corridor.NotFound},
			"of another agreement":       {"urn:uuid:other", exchange.Part{Transfer: pid}, corridor.NotFound},
			"increments of no transfer":  {agreement, exchange.Part{From: 1, To: 2}, corridor.Invalid},
			"the last before the first":  {agreement, exchange.Part{Transfer: pid, From: 3, To: 2}, corridor.Invalid},
			"a first without a last":     {agreement, exchange.Part{Transfer: pid, From: 3}, corridor.Invalid},
			"increments of an increment": {agreement, exchange.Part{Transfer: pid + "~1", From: 1, To: 1}, corridor.Invalid},
			"more than there can be":     {agreement, exchange.Part{Transfer: pid, From: 1, To: exchange.MaxIncrements + 1}, corridor.Invalid},
		} {
			if _, err := side.x.BundleOf(within(t, 20*time.Second), c.agreement, c.part); corridor.KindOf(err) != c.kind {
				t.Errorf("%s, %s: %v", side.name, name, err)
			}
		}
	}
}

// held begins data that goes on whose second increment is held up in the middle
// of its stream.
func held(t *testing.T, change ...func(cn, kz *node)) (cn, kz *node, mine, theirs, agreement string, tap chan struct{}) {
	t.Helper()
	tap = make(chan struct{})
	var sent atomic.Int64
	cn, kz = pair(t, append(change, soon, func(cn, _ *node) { cn.wrap = dripping(tap, &sent) })...)
	mine, theirs, agreement = goesOn(t, cn, kz, exchange.Publication{})
	cn.adds(100_000)
	for ctx := within(t, 10*time.Second); sent.Load() < 256<<10; time.Sleep(5 * time.Millisecond) {
		ok(t, ctx.Err())
	}
	return cn, kz, mine, theirs, agreement, tap
}

// TestTheIncrementsOfAnAgreementFindRoomInItsProof: all of its transfers together.
func TestTheIncrementsOfAnAgreementFindRoomInItsProof(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t, soon)
	mine, theirs, agreement := goesOn(t, cn, kz, exchange.Publication{})
	cn.sql(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO transfers (pid, peer, peer_pid, role, agreement, state, pending, version, doc, updated_at, part_of)
		SELECT 'before~' || i, peer, '', role, agreement, state, '', 1, doc, updated_at, 'before' FROM n, transfers WHERE pid = ?`, exchange.MaxIncrements-1, theirs+"~1")
	cn.adds(1)
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
		if got := strings.Join(tr.Reason, "; "); !strings.Contains(got, "1000 increments have gone under this agreement") || !strings.Contains(got, "negotiate a new agreement") || tr.Increments != 1 {
			t.Errorf("%s, under %s: %s, %d increments", n.name, agreement, got, tr.Increments)
		}
	}
}

// late makes a provider whose whole answer about data is held up on its way
// until the gate is opened.
func late(gate chan struct{}) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/data/") || !strings.HasSuffix(r.URL.Path, "~2") {
				next.ServeHTTP(w, r)
				return
			}
			all := httptest.NewRecorder()
			next.ServeHTTP(all, r)
			<-gate
		})
	}
}

// TestAnIncrementThatWasReleasedAndDidNotArriveEndsToo: its provider has done
// all that it does, and does not wait for a receipt that never comes.
func TestAnIncrementThatWasReleasedAndDidNotArriveEndsToo(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	cn, kz := pair(t, soon, func(cn, _ *node) { cn.wrap = late(gate) })
	mine, theirs, _ := goesOn(t, cn, kz, exchange.Publication{})
	cn.adds(10)
	cn.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.Increments == 2 })
	cn.untilTransfer(theirs+"~2", func(t exchange.Transfer) bool { return t.SHA256 != "" })
	_, err := kz.x.TerminateTransfer(t.Context(), mine, "x")
	ok(t, err)
	close(gate)
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		n.untilTransfer(pid, over)
		if part := n.untilTransfer(pid+"~2", over); part.State != dsp.Terminated || part.Received != nil {
			t.Errorf("%s: %+v", n.name, part)
		}
	}
}

// TestAnIncrementIsStoppedInTheMiddle: by a suspension on either side, after
// which it goes on; by a crash of its consumer; and by the end of the transfer,
// after which nothing of it is left.
func TestAnIncrementIsStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stop func(cn, kz *node, mine, theirs string) error
		on   func(cn, kz *node, mine, theirs string) error // nil: it is over
	}{
		"suspended by the provider": {func(cn, _ *node, _, theirs string) error {
			_, err := cn.x.Suspend(t.Context(), theirs, "x")
			return err
		},
			func(cn, _ *node, _, theirs string) error { _, err := cn.x.Resume(t.Context(), theirs); return err }},
		"suspended by the consumer": {func(_, kz *node, mine, _ string) error { _, err := kz.x.Suspend(t.Context(), mine, "x"); return err },
			func(_, kz *node, mine, _ string) error { _, err := kz.x.Resume(t.Context(), mine); return err }},
		"a crash of the consumer": {func(_, kz *node, _, _ string) error { kz.stop(); return nil }, func(_, kz *node, _, _ string) error { kz.start(); return nil }},
		"terminated": {func(_, kz *node, mine, _ string) error {
			_, err := kz.x.TerminateTransfer(t.Context(), mine, "x")
			return err
		}, nil},
		"completed": {func(cn, _ *node, _, theirs string) error { _, err := cn.x.Complete(t.Context(), theirs); return err }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cn, kz, mine, theirs, agreement, tap := held(t)
			ok(t, c.stop(cn, kz, mine, theirs))
			close(tap)
			if c.on == nil {
				for n, pid := range map[*node]string{cn: theirs, kz: mine} {
					n.untilTransfer(pid, over)
					if part := n.untilTransfer(pid+"~2", over); part.State != dsp.Terminated || n == kz && part.SHA256 != "" {
						t.Errorf("%s: %+v", n.name, part)
					}
				}
				for ctx := within(t, 10*time.Second); len(remains(t, kz)) != 1; time.Sleep(5 * time.Millisecond) {
					if ctx.Err() != nil {
						t.Fatalf("a part of an increment is left: %v", remains(t, kz))
					}
				}
			} else {
				if !strings.HasPrefix(name, "a crash") {
					for n, pid := range map[*node]string{cn: theirs, kz: mine} {
						n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
					}
				}
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

// remains lists the files of a node's inbox, parts of files too, and leaves out
// the mark by which nodes on one database know it.
func remains(t *testing.T, n *node) (files []string) {
	t.Helper()
	ok(t, filepath.WalkDir(filepath.Join(n.dir, "inbox"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != ".corridor-inbox" {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// TestALawThatChangesHoldsUpDataThatGoesOn, on either side, and when it changes
// back the data goes on where it was.
func TestALawThatChangesHoldsUpDataThatGoesOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pack, side, instrument string }{{"cn", "export", "dsl"}, {"kz", "import", "pdl"}} {
		t.Run(c.side, func(t *testing.T) {
			t.Parallel()
			cn, kz := pair(t, soon)
			mine, theirs, _ := goesOn(t, cn, kz, exchange.Publication{})
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
			if _, err := owner.x.Resume(t.Context(), pid); corridor.KindOf(err) != corridor.RefusedByLaw {
				t.Errorf("%v", err)
			}
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

// TestEachIncrementIsAUse: a policy that admits two uses lets two increments go,
// and the third holds the transfer up.
func TestEachIncrementIsAUse(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t, soon)
	mine, theirs, _ := goesOn(t, cn, kz, exchange.Publication{Policy: []byte(`{"permission":[{"action":"use","constraint":[{"leftOperand":"count","operator":"lteq","rightOperand":"2"}]}]}`)})
	cn.adds(1)
	kz.arrived(mine, 2)
	cn.adds(2)
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		if tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended }); tr.Increments != 2 || !strings.Contains(strings.Join(tr.Reason, " "), "admits 2 uses") {
			t.Errorf("%s: %+v %v", n.name, tr, tr.Reason)
		}
	}
	if _, err := cn.x.TransferByPID(t.Context(), theirs+"~3"); corridor.KindOf(err) != corridor.NotFound {
		t.Errorf("it has begun: %v", err)
	}
}

// TestThePeopleOfEachIncrementAreCounted, and what the law says of so many is
// asked before it leaves.
func TestThePeopleOfEachIncrementAreCounted(t *testing.T) {
	t.Parallel()
	facts := peopleFacts()
	cn, kz := pair(t, soon)
	cn.publish(exchange.Publication{ID: "prices", Growing: true, Facts: facts, Evidence: evidenceFor(duties...)})
	n := kz.until(kz.ask(cn, "prices", "trade_logistics"), ended)
	tr, err := kz.x.TransferIn(within(t, 5*time.Second), n.Agreement, catalog.FormatGrowing)
	ok(t, err)
	kz.arrived(tr.PID, 1)
	add := func(people int) {
		_, err := cn.x.Append(within(t, 10*time.Second), "prices", exchange.Addition{Source: file(t, people%50), Facts: corridor.Facts{"subjects_in_file": people, "sensitive_subjects_in_file": 0, "genome_subjects": 0}})
		ok(t, err)
	}
	people := func() int64 {
		c, err := cn.x.Counters(t.Context(), true)
		ok(t, err)
		return c.Items[0].High
	}
	if people() != 500 {
		t.Errorf("%d people", people())
	}
	add(701)
	kz.arrived(tr.PID, 2)
	if people() != 1201 {
		t.Errorf("%d people", people())
	}
	add(200_002) // so many need an approval
	held := cn.untilTransfer(cn.goingOn(), func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
	if held.Increments != 2 || len(held.Reason) == 0 || people() != 1201 {
		t.Errorf("%d people, %+v", people(), held)
	}
}

// goingOn gives the transfer of a node that goes on.
func (n *node) goingOn() string {
	n.t.Helper()
	list, _, err := n.x.Transfers(n.t.Context(), exchange.Page{})
	ok(n.t, err)
	for _, tr := range list {
		if tr.PartOf == "" {
			return tr.PID
		}
	}
	n.t.Fatal("no transfer goes on")
	return ""
}

// TestWhatMayBeAdded: what does not fit is refused, with what would.
func TestWhatMayBeAdded(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "still", Facts: plainFacts()})
	prices := exchange.Publication{ID: "prices", Growing: true, Facts: plainFacts(), Plan: []byte(dropContact), Source: file(t, 100)}
	cn.publish(prices)
	cn.publish(exchange.Publication{ID: "whole", Growing: true, Facts: plainFacts()}) // stages may come from the agreement
	source := file(t, 3)
	other := filepath.Join(t.TempDir(), "other.csv")
	ok(t, os.WriteFile(other, []byte("awb,weight,port,passport,contact\n1,2,3,4,5\n"), 0o600))
	none := corridor.Facts{"subjects_in_file": 0}
	first, err := cn.x.Append(t.Context(), "prices", exchange.Addition{Source: source, Facts: none})
	if err != nil || first.Number != 2 {
		t.Fatalf("%v %+v", err, first)
	}
	for name, c := range map[string]struct {
		id   string
		p    exchange.Addition
		kind corridor.Kind
		says string
	}{
		"a dataset that does not grow": {"still", exchange.Addition{Source: source, Facts: none}, corridor.Conflict, "does not grow"},
		"none":                         {"none", exchange.Addition{Source: source, Facts: none}, corridor.NotFound, "no dataset"},
		"the very same file":           {"prices", exchange.Addition{Source: source, Facts: none}, corridor.Conflict, "increment 2 is this very file"},
		"a number that is taken":       {"prices", exchange.Addition{Source: file(t, 4), Number: 2, Facts: none}, corridor.Conflict, "the next increment of prices is number 3"},
		"no number of people":          {"prices", exchange.Addition{Source: file(t, 4)}, corridor.Invalid, "subjects_in_file"},
		"another fact":                 {"prices", exchange.Addition{Source: file(t, 4), Facts: corridor.Facts{"subjects_in_file": 0, "data_classes": []any{"personal"}}}, corridor.Invalid, "data_classes"},
		"no file":                      {"prices", exchange.Addition{Source: source + ".none", Facts: none}, corridor.Invalid, "cannot be read"},
		"a column more":                {"prices", exchange.Addition{Source: other, Facts: none}, corridor.Invalid, "passport"},
		"a column more, no plan":       {"whole", exchange.Addition{Source: other, Facts: none}, corridor.Invalid, "passport"},
	} {
		if i, err := cn.x.Append(t.Context(), c.id, c.p); corridor.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v %+v", name, err, i)
		}
	}
	for _, p := range []exchange.Publication{{ID: "prices", Facts: plainFacts(), Growing: true}, {ID: "prices", Facts: plainFacts()}, {ID: "still", Facts: plainFacts(), Growing: true}} {
		p.Source, p.Format = file(t, 5), "csv"
		if _, err := cn.x.Publish(t.Context(), p); corridor.KindOf(err) != corridor.Conflict {
			t.Errorf("%+v: %v", p, err)
		}
	}
	unstated := prices
	unstated.Format, unstated.Facts = "csv", plainFacts()
	delete(unstated.Facts, "subjects_in_file")
	if _, err := cn.x.Publish(t.Context(), unstated); corridor.KindOf(err) != corridor.Conflict || !strings.Contains(err.Error(), "facts.subjects_in_file") {
		t.Errorf("numbers that are not stated any more: %v", err)
	}
	list, next, err := cn.x.Increments(t.Context(), "prices", exchange.Page{})
	if err != nil || next != "" || len(list) != 2 || list[0].Number != 1 || list[1].SHA256 != first.SHA256 {
		t.Errorf("%v %q %+v", err, next, list)
	}
	n := kz.until(kz.ask(cn, "prices", "research"), ended)
	tr, err := kz.x.Transfer(t.Context(), n.Agreement) // as if it had an end
	ok(t, err)
	if tr = kz.untilTransfer(tr.PID, over); tr.State != dsp.Terminated || !strings.Contains(strings.Join(tr.Reason, " "), "use "+catalog.FormatGrowing) {
		t.Errorf("%s %v", tr.State, tr.Reason)
	}
}
