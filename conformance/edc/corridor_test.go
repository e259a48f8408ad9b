package edc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// known is what is known of the data in these tests: nothing personal, and no
// artificial intelligence at work.
func known(change ...func(obj)) obj {
	f := obj{"data_classes": []any{"non_personal"}, "subjects_in_file": 0, "access_mode": "copy", "deid": "none",
		"ai_role": "none", "ai_prohibited_use": false, "ai_output_published": false, "ai_risk": "min"}
	for _, c := range change {
		c(f)
	}
	return f
}

// prohibited is a use that the law of Kazakhstan denies.
func prohibited(f obj) { f["ai_role"], f["ai_prohibited_use"] = "deployer", true }

// shipments makes a file, and what is left of it without the contacts.
func shipments(rows int) (whole, without []byte) {
	var a, b bytes.Buffer
	a.WriteString("awb,weight,port,contact\n")
	b.WriteString("awb,weight,port\n")
	for i := range rows {
		fmt.Fprintf(&a, "A%06d,%d,Khorgos,+7701%07d\n", i, 100+i%900, i)
		fmt.Fprintf(&b, "A%06d,%d,Khorgos\n", i, 100+i%900)
	}
	return a.Bytes(), b.Bytes()
}

// node runs a Corridor for the length of a test and shows its log if it fails.
func node(t *testing.T, country string, p *Peer, peersCountry string, facts ...string) *Node {
	t.Helper()
	ctx := t.Context()
	n := got(NewNode(ctx, t.TempDir(), country))(t)
	must(t, n.Lists(ctx, p, peersCountry, facts...))
	must(t, n.Serve(context.Background(), true))
	t.Cleanup(func() {
		n.Stop()
		if t.Failed() {
			t.Logf("the end of the log of Corridor:\n%s", n.Tail())
		}
	})
	return n
}

func written(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shipments.csv")
	must(t, os.WriteFile(path, b, 0o600))
	return path
}

// mine gives the node's record of the transfer that began last.
func (n *Node) mine(t *testing.T, ctx context.Context) Process {
	t.Helper()
	list := got(n.Transfers(ctx))(t)
	if len(list) == 0 {
		t.Fatal("Corridor has no transfer")
	}
	return list[len(list)-1]
}

// EDC in Kazakhstan takes from Corridor in China.
func TestEDCTakesFromCorridor(t *testing.T) {
	each(t, "takes from Corridor", func(t *testing.T, d Distribution) {
		ctx := within(t, 3*time.Minute)
		wire := &tap{t: t}
		consumer := start(t, d, wire)
		n := node(t, "CN", consumer, "KZ")
		whole, without := shipments(5000)
		file := written(t, whole)
		must(t, n.Offers(ctx, "shipments", file, known(), obj{"format": "csv", "stages": []any{obj{"do": "drop", "columns": []string{"contact"}}}}))
		must(t, n.Offers(ctx, "screening", file, known(prohibited), nil))

		offer := got(consumer.Find(ctx, n.DID, n.DSP, "shipments"))(t)
		if !slices.Contains(offer.Formats, "HttpData-PULL") || !slices.Contains(offer.Formats, "HttpData-PUSH") {
			t.Fatalf("formats: %v", offer.Formats)
		}
		agreed := got(consumer.Negotiate(ctx, n.DID, n.DSP, offer))(t)
		if agreed.State != "FINALIZED" || agreed.Agreement == "" {
			t.Fatalf("negotiation: %+v", agreed)
		}

		t.Run("pull, suspend, resume, terminate by EDC", func(t *testing.T) {
			begun := newStarts(t)
			tr := got(consumer.Transfer(ctx, n.DID, n.DSP, agreed.Agreement, "", begun.URL))(t)
			got(consumer.AwaitTransfer(ctx, tr.ID, "STARTED"))(t)
			at := begun.await(t, ctx)
			bearer := func() dataAddress { return dataAddress{at.endpoint, "Bearer " + at.authorization} }
			status, b := pull(t, ctx, bearer())
			if status != http.StatusOK {
				t.Fatalf("pull: %d %s", status, b)
			}
			same(t, "pull, without the column that the plan drops", b, without)
			mine := n.mine(t, ctx)
			if mine.Released == nil || mine.SHA256 != "sha256:"+digest(without) {
				t.Errorf("no receipt of the release: %+v", mine)
			}

			must(t, consumer.Suspend(ctx, tr.ID, "for a while"))
			got(n.AwaitTransfer(ctx, mine.PID, "SUSPENDED"))(t)
			got(consumer.AwaitTransfer(ctx, tr.ID, "SUSPENDED"))(t)
			if status, _ := pull(t, ctx, bearer()); status == http.StatusOK {
				t.Error("a suspended transfer still gives data")
			}
			must(t, consumer.Resume(ctx, tr.ID))
			got(n.AwaitTransfer(ctx, mine.PID, "STARTED"))(t)
			at = begun.await(t, ctx)
			got(consumer.AwaitTransfer(ctx, tr.ID, "STARTED"))(t)
			if status, b = pull(t, ctx, bearer()); status != http.StatusOK {
				t.Fatalf("pull after resume: %d %s", status, b)
			}
			same(t, "pull after resume", b, without)

			must(t, consumer.Terminate(ctx, tr.ID, "enough"))
			ended := got(n.AwaitTransfer(ctx, mine.PID, "TERMINATED"))(t)
			if !slices.Contains(ended.Reason, "enough") {
				t.Errorf("EDC's reason did not arrive: %+v", ended)
			}
			if status, _ := pull(t, ctx, bearer()); status == http.StatusOK {
				t.Error("a terminated transfer still gives data")
			}
		})
		t.Run("suspend, resume, terminate by Corridor", func(t *testing.T) {
			begun := newStarts(t)
			tr := got(consumer.Transfer(ctx, n.DID, n.DSP, agreed.Agreement, "", begun.URL))(t)
			got(consumer.AwaitTransfer(ctx, tr.ID, "STARTED"))(t)
			begun.await(t, ctx)
			mine := n.mine(t, ctx)
			must(t, n.Act(ctx, mine.PID, "suspend", "order of the authority"))
			got(consumer.AwaitTransfer(ctx, tr.ID, "SUSPENDED"))(t)
			must(t, n.Act(ctx, mine.PID, "resume", ""))
			got(consumer.AwaitTransfer(ctx, tr.ID, "STARTED"))(t)
			at := begun.await(t, ctx)
			status, b := pull(t, ctx, dataAddress{at.endpoint, "Bearer " + at.authorization})
			if status != http.StatusOK {
				t.Fatalf("pull after resume: %d %s", status, b)
			}
			same(t, "pull after Corridor's resume", b, without)
			must(t, n.Act(ctx, mine.PID, "terminate", "the purpose has ended"))
			got(consumer.AwaitTransfer(ctx, tr.ID, "TERMINATED"))(t)
		})
		t.Run("push", func(t *testing.T) {
			to := newSink(t)
			tr := got(consumer.Transfer(ctx, n.DID, n.DSP, agreed.Agreement, to.URL, ""))(t)
			same(t, "push, without the column that the plan drops", to.await(t, ctx), without)
			got(consumer.AwaitTransfer(ctx, tr.ID, "COMPLETED"))(t)
			mine := n.mine(t, ctx)
			if mine = got(n.AwaitTransfer(ctx, mine.PID, "COMPLETED"))(t); mine.Released == nil || mine.SHA256 != "sha256:"+digest(without) {
				t.Errorf("no receipt of the release: %+v", mine)
			}
		})
		t.Run("a push elsewhere is refused", func(t *testing.T) {
			to := newSink(t)
			tr := got(consumer.Transfer(ctx, n.DID, n.DSP, agreed.Agreement, strings.Replace(to.URL, "127.0.0.1", "localhost", 1), ""))(t)
			ended := got(consumer.AwaitTransfer(ctx, tr.ID, "TERMINATED"))(t)
			t.Logf("EDC was told: %s", ended.Error)
			if len(to.got) != 0 {
				t.Error("data was pushed")
			}
		})
		t.Run("refused by law, with the article", func(t *testing.T) {
			offer := got(consumer.Find(ctx, n.DID, n.DSP, "screening"))(t)
			ended := got(consumer.Negotiate(ctx, n.DID, n.DSP, offer))(t)
			if ended.State != "TERMINATED" || ended.Agreement != "" {
				t.Fatalf("EDC shows: %+v", ended)
			}
			told := string(wire.find("/termination", ended.ID))
			for tries := 0; told == "" && tries < 100; tries++ { // EDC shows its state before its answer is on the wire
				time.Sleep(100 * time.Millisecond)
				told = string(wire.find("/termination", ended.ID))
			}
			if !strings.Contains(told, "the law of KZ (import side) denies this flow") || !strings.Contains(told, "art. 17(3)") {
				t.Fatalf("EDC was told: %s", told)
			}
			t.Logf("EDC took, answered 200 and shows TERMINATED: %s", told)
		})
		t.Run("the evidence verifies", func(t *testing.T) { verifies(t, ctx, n, n.mine(t, ctx).Agreement) })
	})
}

// verifies lets Corridor write the bundle of an agreement and checks it with
// the program that people run.
func verifies(t *testing.T, ctx context.Context, n *Node, agreement string) {
	t.Helper()
	var bundle json.RawMessage
	must(t, n.API(ctx, http.MethodGet, "/agreements/"+agreement+"/bundle", nil, &bundle))
	path := filepath.Join(t.TempDir(), "bundle.json")
	must(t, os.WriteFile(path, bundle, 0o600))
	out, err := n.verify(ctx, path)
	if err != nil || !strings.Contains(out, "speaks the Dataspace Protocol only") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// door is a source that opens when it is told to.
type door struct {
	URL string

	mu   sync.Mutex
	open chan struct{}
}

func newDoor(t *testing.T, b []byte) *door {
	t.Helper()
	d := &door{open: make(chan struct{})}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/csv")
		half := len(b) / 2
		if _, err := w.Write(b[:half]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush() // a reader that has gone ends the context
		d.mu.Lock()
		open := d.open
		d.mu.Unlock()
		select {
		case <-open:
			_, _ = w.Write(b[half:]) // a reader that has gone needs no more
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() {
		d.set(true)
		srv.Close()
	})
	d.URL = srv.URL
	return d
}

// set opens or shuts the door for those who come now.
func (d *door) set(open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.open:
		if !open {
			d.open = make(chan struct{})
		}
	default:
		if open {
			close(d.open)
		}
	}
}

// Corridor in China takes from EDC in Kazakhstan.
func TestCorridorTakesFromEDC(t *testing.T) {
	each(t, "gives to Corridor", func(t *testing.T, d Distribution) {
		ctx := within(t, 3*time.Minute)
		provider := start(t, d)
		n := node(t, "CN", provider, "KZ", "data_classes=[non_personal]")
		data := content(20_000)
		behind := newDoor(t, data)
		behind.set(true)
		must(t, provider.Publish(ctx, "ports", behind.URL, obj{"https://owner.example/ns#season": "2026", "version": "3", "contenttype": "text/csv"}))

		list := got(n.Catalogue(ctx, provider.ID))(t)
		if len(list) != 1 || list[0].ID != "ports" || !slices.Contains(list[0].Formats, "HttpData-PULL") || !slices.Contains(list[0].Formats, "HttpData-PUSH") {
			t.Fatalf("catalogue: %+v", list)
		}
		agreed := got(n.Negotiate(ctx, provider.ID, "ports", known()))(t)
		if agreed.State != "FINALIZED" || agreed.Agreement == "" {
			t.Fatalf("negotiation: %+v", agreed)
		}
		theirs := func(t *testing.T) Transfer { // EDC's record of the transfer that began last
			t.Helper()
			mine := n.mine(t, ctx)
			var found Transfer
			eventually(t, ctx, "EDC knows the transfer", func() bool {
				all := got(provider.Transfers(ctx))(t)
				i := slices.IndexFunc(all, func(x Transfer) bool { return x.Correlation == mine.PID })
				if i >= 0 {
					found = all[i]
				}
				return i >= 0
			})
			return found
		}

		for _, format := range []string{"HttpData-PULL", "HttpData-PUSH"} {
			t.Run(format, func(t *testing.T) {
				tr := got(n.Transfer(ctx, agreed.Agreement, format))(t)
				tr = got(n.AwaitTransfer(ctx, tr.PID, "COMPLETED", "TERMINATED"))(t)
				if tr.State != "COMPLETED" || tr.Received == nil {
					t.Fatalf("%+v", tr)
				}
				same(t, format, got(os.ReadFile(tr.File))(t), data)
				got(provider.AwaitTransfer(ctx, theirs(t).ID, "COMPLETED"))(t)
			})
		}
		t.Run("suspend, resume, by Corridor", func(t *testing.T) {
			behind.set(false)
			tr := got(n.Transfer(ctx, agreed.Agreement, "HttpData-PULL"))(t)
			eventually(t, ctx, "half of it is here", func() bool { return arriving(t, ctx, n, tr.PID) })
			must(t, n.Act(ctx, tr.PID, "suspend", "for a while"))
			got(provider.AwaitTransfer(ctx, theirs(t).ID, "SUSPENDED"))(t)
			behind.set(true)
			must(t, n.Act(ctx, tr.PID, "resume", ""))
			tr = got(n.AwaitTransfer(ctx, tr.PID, "COMPLETED", "TERMINATED"))(t)
			if tr.State != "COMPLETED" {
				t.Fatalf("%+v", tr)
			}
			same(t, "pull after resume", got(os.ReadFile(tr.File))(t), data)
			got(provider.AwaitTransfer(ctx, theirs(t).ID, "COMPLETED"))(t)
		})
		t.Run("suspend, resume, by EDC", func(t *testing.T) {
			behind.set(false)
			tr := got(n.Transfer(ctx, agreed.Agreement, "HttpData-PULL"))(t)
			eventually(t, ctx, "half of it is here", func() bool { return arriving(t, ctx, n, tr.PID) })
			got(provider.AwaitTransfer(ctx, theirs(t).ID, "STARTED"))(t)
			must(t, provider.Suspend(ctx, theirs(t).ID, "their operator's wish"))
			if now := got(n.AwaitTransfer(ctx, tr.PID, "SUSPENDED"))(t); !slices.Contains(now.Reason, "their operator's wish") {
				t.Errorf("EDC's reason did not arrive: %+v", now)
			}
			got(provider.AwaitTransfer(ctx, theirs(t).ID, "SUSPENDED"))(t)
			behind.set(true)
			must(t, provider.Resume(ctx, theirs(t).ID))
			tr = got(n.AwaitTransfer(ctx, tr.PID, "COMPLETED", "TERMINATED"))(t)
			if tr.State != "COMPLETED" {
				t.Fatalf("%+v", tr)
			}
			same(t, "pull after EDC's resume", got(os.ReadFile(tr.File))(t), data)
		})
		for _, who := range []string{"Corridor", "EDC"} {
			t.Run("terminate, by "+who, func(t *testing.T) {
				behind.set(false)
				defer behind.set(true)
				tr := got(n.Transfer(ctx, agreed.Agreement, "HttpData-PULL"))(t)
				got(n.AwaitTransfer(ctx, tr.PID, "STARTED"))(t)
				got(provider.AwaitTransfer(ctx, theirs(t).ID, "STARTED"))(t)
				if who == "EDC" {
					must(t, provider.Terminate(ctx, theirs(t).ID, "enough"))
				} else {
					must(t, n.Act(ctx, tr.PID, "terminate", "enough"))
				}
				if ended := got(n.AwaitTransfer(ctx, tr.PID, "TERMINATED"))(t); !slices.Contains(ended.Reason, "enough") || ended.File != "" {
					t.Errorf("%+v", ended)
				}
				got(provider.AwaitTransfer(ctx, theirs(t).ID, "TERMINATED"))(t)
			})
		}
		t.Run("refused by law before anything is sent", func(t *testing.T) {
			before := len(got(provider.Negotiations(ctx))(t))
			_, err := n.Negotiate(ctx, provider.ID, "ports", known(prohibited))
			if err == nil || !strings.Contains(err.Error(), "451") || !strings.Contains(err.Error(), "denies this flow") {
				t.Fatalf("%v", err)
			}
			t.Log(err)
			if after := len(got(provider.Negotiations(ctx))(t)); after != before {
				t.Errorf("EDC heard of it: %d negotiations, %d before", after, before)
			}
		})
		t.Run("the evidence verifies", func(t *testing.T) { verifies(t, ctx, n, agreed.Agreement) })
	})
}

// arriving says whether bytes of a running transfer have come.
func arriving(t *testing.T, ctx context.Context, n *Node, pid string) bool {
	t.Helper()
	p := got(n.until(ctx, "/transfers/"+pid, "REQUESTED", "STARTED", ""))(t)
	return p.Bytes > 0
}

// A node that people run takes nobody at his word.
func TestAnOrdinaryNodeRefusesTheMockIdentity(t *testing.T) {
	list, err := Distributions()
	must(t, err)
	ctx := within(t, 2*time.Minute)
	consumer := start(t, list[0])
	n := got(NewNode(ctx, t.TempDir(), "CN"))(t)
	must(t, n.Lists(ctx, consumer, "KZ"))
	must(t, n.Serve(context.Background(), false))
	defer n.Stop()
	if _, err := consumer.Catalogue(ctx, n.DID, n.DSP); err == nil {
		t.Error("EDC was answered")
	}
	header := http.Header{"Authorization": {`{"region":"eu","audience":"` + n.DSP + `","clientId":"` + consumer.ID + `"}`}}
	_, err = call(ctx, http.DefaultClient, http.MethodPost, n.DSP+"/catalog/request", header, []byte(`{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"CatalogRequestMessage"}`))
	if err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "an identity without a signature, such as the mock identity of Eclipse EDC") {
		t.Errorf("%v", err)
	}
	t.Log(err)
}
