package exchange_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/law"
	"corridor/internal/store"
	"corridor/packs"
)

// withRule is the law of every pack in the tree, and one rule more in one of
// them.
func withRule(t testing.TB, pack, rule string) *law.Library {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(packs.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(packs.FS(), name)
		if name == pack+"/pack.yaml" {
			data = append(data, rule...)
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

// ban is a rule that forbids research in a country for some days.
func ban(pack, side, instrument, inForce string) string {
	return `
  - id: ` + pack + `.test.ban
    side: ` + side + `
    when: 'purpose == "research"'
    results: [{outcome: deny}]
    cite: [{instrument: ` + instrument + `, article: "99"}]
    source: {status: verified, on: 2026-11-24, ref: test}
    in_force: ` + inForce + `
    text: {en: A ban on research., zh: 禁止研究。, ru: Запрет исследований.}
`
}

// clock is one that a test sets; it runs on from there.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func (c *clock) set(t time.Time) { c.offset.Store(int64(time.Until(t))) }

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// agreed gives the agreement of a node once it is in a state.
func (n *node) untilAgreement(id, state string) exchange.Agreement {
	n.t.Helper()
	for ctx := within(n.t, 20*time.Second); ; time.Sleep(5 * time.Millisecond) {
		a, err := n.x.Agreement(ctx, id)
		if err != nil {
			n.t.Fatal(err)
		}
		if a.State == state {
			return a
		}
		if ctx.Err() != nil {
			n.t.Fatalf("%s: the agreement is %s, not %s: %v", n.name, a.State, state, a.Reason)
		}
	}
}

func TestARuleThatBeginsSuspendsWhatRuns(t *testing.T) {
	for _, c := range []struct{ side, pack, instrument string }{{"export", "cn", "dsl"}, {"import", "kz", "pdl"}} {
		t.Run(c.side, func(t *testing.T) {
			time0 := &clock{}
			time0.set(at(t, "2027-02-28T12:00:00Z"))
			lib := withRule(t, c.pack, ban(c.pack, c.side, c.instrument, "{from: 2027-03-01}"))
			cn, kz, mine, theirs, tap := runningBetween(t, func(cn, kz *node) { cn.now, kz.now, cn.law, kz.law = time0.now, time0.now, lib, lib })
			defer close(tap)
			owner, pid := cn, theirs
			if c.side == "import" {
				owner, pid = kz, mine
			}
			agreement := kz.only().Agreement
			// Three seconds before midnight an agreement comes in, and the
			// timer is set anew by the clock of now.
			time0.set(at(t, "2027-02-28T23:59:57Z"))
			cn.publish(exchange.Publication{ID: "other", Facts: plainFacts()})
			if n := kz.until(kz.ask(cn, "other", "trade_logistics"), ended); n.State != dsp.Finalized {
				t.Fatalf("%s %v", n.State, n.Reason)
			}
			a := owner.untilAgreement(agreement, exchange.AgreementSuspended)
			if a.Code != "refused_by_law" || len(a.Cites) == 0 || a.Cites[0].Article != "99" || !strings.Contains(strings.Join(a.Reason, " "), "art. 99") {
				t.Errorf("%s %v %v", a.Code, a.Reason, a.Cites)
			}
			for n, id := range map[*node]string{cn: theirs, kz: mine} {
				tr := n.untilTransfer(id, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
				if !strings.Contains(strings.Join(tr.Reason, " "), "art. 99") {
					t.Errorf("%s: the reason does not name the article: %v", n.name, tr.Reason)
				}
			}
			if types := receiptTypes(t, owner, a.Negotiation); types[corridor.ReceiptAgreementSuspended] != 1 || types[corridor.ReceiptTransferSuspended] != 1 {
				t.Errorf("%v", types)
			}
			if _, err := owner.x.Resume(within(t, 5*time.Second), pid); corridor.KindOf(err) != corridor.RefusedByLaw {
				t.Errorf("a suspended agreement carries nothing: %v", err)
			}
			if list, _, err := owner.x.Agreements(context.Background(), exchange.Page{State: exchange.AgreementInForce}); err != nil || len(list) != 1 {
				t.Errorf("the other agreement stands: %v %+v", err, list)
			}
		})
	}
}

func TestANodeThatWasDownCatchesUp(t *testing.T) {
	time0 := &clock{}
	time0.set(at(t, "2027-02-28T12:00:00Z"))
	lib := withRule(t, "cn", ban("cn", "export", "dsl", "{from: 2027-03-01, to: 2027-03-31}"))
	cn, kz := pair(t, func(cn, kz *node) { cn.now, kz.now, cn.law = time0.now, time0.now, lib })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	restart := func(day string) {
		cn.stop()
		time0.set(at(t, day+"T08:00:00Z"))
		cn.start()
	}
	restart("2027-03-05")
	cn.untilAgreement(n.Agreement, exchange.AgreementSuspended)
	tr, err := kz.x.Transfer(within(t, 5*time.Second), n.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	if tr = kz.untilTransfer(tr.PID, over); tr.State != dsp.Terminated || !strings.Contains(strings.Join(tr.Reason, " "), "Law 99") {
		t.Errorf("%s %v", tr.State, tr.Reason)
	}
	restart("2027-04-02") // the ban has ended
	cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	if tr, err = kz.x.Transfer(within(t, 5*time.Second), n.Agreement); err != nil {
		t.Fatal(err)
	}
	if tr = kz.untilTransfer(tr.PID, over); tr.State != dsp.Completed {
		t.Errorf("%s %v", tr.State, tr.Reason)
	}
	if types := receiptTypes(t, cn, cn.only().PID); types[corridor.ReceiptAgreementSuspended] != 1 || types[corridor.ReceiptAgreementResumed] != 1 {
		t.Errorf("%v", types)
	}
	if _, err := kz.x.Bundle(within(t, 10*time.Second), n.Agreement); err != nil {
		t.Errorf("the proof holds: %v", err)
	}
}

// TestASuspensionThatBrokeOffIsFinished: the node went down after the
// agreement was suspended and before its transfers were.
func TestASuspensionThatBrokeOffIsFinished(t *testing.T) {
	cn, kz, mine, theirs, tap := running(t)
	defer close(tap)
	id := kz.only().Agreement
	ctx := context.Background()
	err := cn.db.Write(ctx, func(tx *store.Tx) error {
		var doc string
		if err := tx.QueryRow(ctx, `SELECT doc FROM agreements WHERE id = ?`, id).Scan(&doc); err != nil {
			return err
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal([]byte(doc), &fields); err != nil {
			return err
		}
		fields["state"], fields["code"], fields["reason"] = json.RawMessage(`"suspended"`), json.RawMessage(`"refused_by_law"`), json.RawMessage(`["art. 99"]`)
		changed, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE agreements SET state = 'suspended', doc = ? WHERE id = ?`, string(changed), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cn.stop()
	cn.law = withRule(t, "cn", ban("cn", "export", "dsl", "{from: 2022-01-01}"))
	cn.start()
	for n, pid := range map[*node]string{cn: theirs, kz: mine} {
		tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
		if !strings.Contains(strings.Join(tr.Reason, " "), "art. 99") {
			t.Errorf("%s: %v", n.name, tr.Reason)
		}
	}
}

func TestOtherPacksAreAskedAboutEveryAgreement(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
	cn.stop()
	cn.law = withRule(t, "cn", ban("cn", "export", "dsl", "{from: 2022-01-01}"))
	cn.start()
	cn.untilAgreement(n.Agreement, exchange.AgreementSuspended)
	cn.stop()
	cn.law = nil
	cn.start()
	cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
}
