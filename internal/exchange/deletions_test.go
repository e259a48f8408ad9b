package exchange_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// lent is a policy that lends the data for two days and forbids to pass it on.
const lent = `{"permission":[{"action":"use","duty":[{"action":"delete","constraint":[{"leftOperand":"elapsedTime","operator":"lteq","rightOperand":"P2D"}]}]}],
	"prohibition":[{"action":"distribute"}]}`

func TestACopyIsDeletedAtTheEndOfItsTerm(t *testing.T) {
	now := &clock{}
	began := time.Now().UTC().Truncate(time.Second)
	now.set(began)
	cn, kz := pair(t, func(cn, kz *node) { cn.now, kz.now = now.now, now.now })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Policy: json.RawMessage(lent)})
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended)
	if n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	// What the importer accepts by the policy, both sides' law decided on.
	theirs := cn.until(cn.only().PID, ended)
	for side, f := range map[string]corridor.Facts{"importer": n.Own.Flow.Facts, "exporter": theirs.Own.Flow.Facts} {
		if f["onward"] != "none" || f["foreign_retention_h"] == nil {
			t.Errorf("%s: %v %v", side, f["onward"], f["foreign_retention_h"])
		}
	}
	tr := kz.carried(n.Agreement)
	if tr.State != dsp.Completed || !endsWithin(tr.DeleteBy, began.AddDate(0, 0, 2), now.now().AddDate(0, 0, 2)) {
		t.Fatalf("%s %v: to be deleted by %q", tr.State, tr.Reason, tr.DeleteBy)
	}
	if theirs := cn.untilTransfer(cn.transfer(), over); theirs.DeleteBy != "" {
		t.Error("the provider's own file has a term")
	}
	if _, err := os.Stat(tr.File); err != nil {
		t.Fatal(err)
	}

	// A node that was down at that second deletes at its start.
	kz.stop()
	now.set(began.AddDate(0, 0, 2).Add(-time.Second))
	kz.start()
	if got := kz.untilTransfer(tr.PID, over); got.Deleted != nil || got.File == "" {
		t.Fatal("deleted before its time")
	}
	kz.stop()
	now.set(began.AddDate(0, 0, 2))
	kz.start()
	got := kz.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.Deleted != nil })
	if _, err := os.Stat(tr.File); !errors.Is(err, fs.ErrNotExist) || got.File != "" {
		t.Errorf("the file is still there: %v, %q", err, got.File)
	}
	raw, err := kz.x.Bundle(within(t, 10*time.Second), n.Agreement)
	if err != nil || !strings.Contains(string(raw), "transfer.deleted") {
		t.Errorf("the proof does not tell of the deletion: %v", err)
	}
}

func TestAFileThatIsGoneAlreadyIsSaidToBe(t *testing.T) {
	now := &clock{}
	began := time.Now().UTC().Truncate(time.Second)
	now.set(began)
	cn, kz := pair(t, func(cn, kz *node) { cn.now, kz.now = now.now, now.now })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Policy: json.RawMessage(lent)})
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended)
	tr := kz.carried(n.Agreement)
	if err := os.Remove(tr.File); err != nil {
		t.Fatal(err)
	}
	kz.stop()
	now.set(began.AddDate(0, 0, 3))
	kz.start()
	kz.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.Deleted != nil })
	raw, err := kz.x.Bundle(within(t, 10*time.Second), n.Agreement)
	if err != nil || !strings.Contains(string(raw), "the file was not there any more") {
		t.Errorf("%v", err)
	}
}

func TestAnImporterThatPassesDataOnCannotAcceptAPolicyThatForbidsIt(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Policy: json.RawMessage(lent)})
	for name, facts := range map[string]corridor.Facts{
		"it passes the data on": {"onward": "same_state"},
		"it keeps it longer":    {"foreign_retention_h": 49},
		"it keeps it for ever":  {"foreign_retention_h": nil},
	} {
		_, err := kz.x.Negotiate(within(t, 10*time.Second), exchange.Request{Provider: cn.who.DID, Dataset: "shipments", Purpose: "trade_logistics", Facts: facts})
		if corridor.KindOf(err) != corridor.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, _, err := cn.x.Negotiations(context.Background(), exchange.Page{})
	if err != nil || len(list) != 0 {
		t.Errorf("something was sent: %v %v", list, err)
	}
}

// A term that the importer stated itself, and that the law decided on, is held
// to as well.
func TestAStatedTermIsHeldTo(t *testing.T) {
	now := &clock{}
	began := time.Now().UTC().Truncate(time.Second)
	now.set(began)
	cn, kz := pair(t, func(cn, kz *node) { cn.now, kz.now = now.now, now.now })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	neg, err := kz.x.Negotiate(within(t, 10*time.Second), exchange.Request{Provider: cn.who.DID, Dataset: "shipments", Purpose: "trade_logistics", Facts: corridor.Facts{"foreign_retention_h": 24}})
	if err != nil {
		t.Fatal(err)
	}
	n := kz.until(neg.PID, ended)
	if tr := kz.carried(n.Agreement); !endsWithin(tr.DeleteBy, began.AddDate(0, 0, 1), now.now().AddDate(0, 0, 1)) {
		t.Errorf("to be deleted by %q", tr.DeleteBy)
	}
}

// endsWithin says whether a term began between the start of a test and now: on
// a slow machine the data arrives some seconds after the start.
func endsWithin(term string, earliest, latest time.Time) bool {
	end, err := dsp.ParseTime(term)
	return err == nil && !end.Before(earliest) && !end.After(latest)
}
