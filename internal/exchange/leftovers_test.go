package exchange_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// Several participants may live on one host: one of them cannot have messages
// sent to another.
func TestACallbackIsBelowThePathThatItsOwnerAnnounces(t *testing.T) {
	for _, c := range []struct {
		document, callback string // after the host
		taken              bool
	}{
		{"/dsp/2025-1", "/dsp/2025-1", true},
		{"/dsp/2025-1", "/dsp/2025-1/callbacks", true},
		{"/dsp/2025-1", "/dsp/2025-1/../../bob", false},
		{"/dsp/2025-1", "/bob/dsp/2025-1", false},
		{"/dsp/2025-1", "/dsp/2025-10", false},
		{"/dsp/2025-1", "", false},
	} {
		t.Run(c.callback, func(t *testing.T) {
			n, r := withRogue(t)
			n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
			r.mu.Lock()
			r.announces = r.srv.URL + c.document
			r.mu.Unlock()
			m := r.request(n, "urn:uuid:1", "shipments")
			m.CallbackAddress = r.srv.URL + c.callback
			a := r.say(n, dsp.Provider, m)
			if (a.status == http.StatusCreated) != c.taken || !c.taken && !strings.Contains(a.reason(), "one path below the other") {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// What came of a transfer that was ended meanwhile is on no record and would
// have no term: it does not stay.
func TestWhatCameOfATerminatedTransferDoesNotStay(t *testing.T) {
	n, r := withPlain(t)
	agreement := agreedWithPlainProvider(t, n, r)
	for _, suspended := range []bool{false, true} {
		tr, err := n.x.Transfer(within(t, 5*time.Second), agreement)
		if err != nil {
			t.Fatal(err)
		}
		pids := dsp.Pids{ProviderPid: "urn:uuid:theirs-" + tr.PID, ConsumerPid: tr.PID}
		part, rest := make(chan struct{}), make(chan struct{})
		source := newSource(t, part, rest)
		start := &dsp.TransferStartMessage{Pids: pids, DataAddress: dsp.BearerAddress(source, "x")}
		if a := r.say(n, dsp.Consumer, start); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		<-part
		n.untilFile(".part")
		if suspended {
			if a := r.say(n, dsp.Consumer, &dsp.TransferSuspensionMessage{Pids: pids}); a.status != http.StatusOK {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		if a := r.say(n, dsp.Consumer, &dsp.TransferTerminationMessage{Pids: pids}); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		close(rest)
		n.untilNoFile()
	}
}

// newSource is a data source that sends half of what it has, and the rest when
// it is told.
func newSource(t *testing.T, sent chan<- struct{}, rest <-chan struct{}) string {
	t.Helper()
	mux := http.NewServeMux()
	var once sync.Once
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Length", "200000")
		io.WriteString(w, strings.Repeat("x", 100_000))
		w.(http.Flusher).Flush()
		once.Do(func() { close(sent) })
		select {
		case <-rest:
		case <-q.Context().Done():
		}
		io.WriteString(w, strings.Repeat("x", 100_000))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

func (n *node) inboxFiles() (files []string) {
	n.t.Helper()
	err := filepath.WalkDir(filepath.Join(n.dir, "inbox"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != ".corridor-inbox" { // the mark of an inbox that several nodes share stays
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return files
}

func (n *node) untilFile(suffix string) {
	n.t.Helper()
	n.untilInbox(func(files []string) bool {
		for _, f := range files {
			if strings.HasSuffix(f, suffix) {
				return true
			}
		}
		return false
	})
}

func (n *node) untilNoFile() {
	n.t.Helper()
	n.untilInbox(func(files []string) bool { return len(files) == 0 })
}

func (n *node) untilInbox(is func([]string) bool) {
	n.t.Helper()
	ctx := within(n.t, 20*time.Second)
	for files := n.inboxFiles(); !is(files); files = n.inboxFiles() {
		select {
		case <-ctx.Done():
			n.t.Fatalf("the inbox holds %v", files)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Two transfers of one agreement that begin at the same moment have files of
// their own.
func TestTransfersAtTheSameMomentHaveFilesOfTheirOwn(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	agreement := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended).Agreement
	ctx := within(t, 20*time.Second)
	pids := make([]string, 12)
	var wg sync.WaitGroup
	for i := range pids {
		wg.Go(func() {
			tr, err := kz.x.Transfer(ctx, agreement)
			if err != nil {
				t.Error(err)
			}
			pids[i] = tr.PID
		})
	}
	wg.Wait()
	files := map[string]bool{}
	for _, pid := range pids {
		tr := kz.untilTransfer(pid, over)
		if tr.State != dsp.Completed || files[tr.File] {
			t.Errorf("%s %s", tr.State, tr.File)
		}
		files[tr.File] = true
	}
}

// What a person has asked for where a person fetches is fetched also if the
// node fell before it began.
func TestAFetchThatAPersonAskedForSurvivesARestart(t *testing.T) {
	n, r := withPlain(t, func(n *node) { n.manual.Fetch = true })
	agreement := agreedWithPlainProvider(t, n, r)
	tr, err := n.x.Transfer(within(t, 5*time.Second), agreement)
	if err != nil {
		t.Fatal(err)
	}
	rest := make(chan struct{})
	part := make(chan struct{})
	pids := dsp.Pids{ProviderPid: "urn:uuid:theirs", ConsumerPid: tr.PID}
	if a := r.say(n, dsp.Consumer, &dsp.TransferStartMessage{Pids: pids, DataAddress: dsp.BearerAddress(newSource(t, part, rest), "x")}); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	n.stop()
	n.start()
	if waiting, err := n.x.TransferByPID(context.Background(), tr.PID); err != nil || waiting.Parked == "" || len(n.inboxFiles()) != 0 {
		t.Fatalf("it was fetched without a person: %v %+v", err, waiting)
	}
	if _, err := n.x.Resume(within(t, 5*time.Second), tr.PID); err != nil {
		t.Fatal(err)
	}
	<-part
	n.stop() // in the middle
	close(rest)
	n.start()
	got := n.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.File != "" })
	if got.Bytes != 200_000 {
		t.Errorf("%+v", got)
	}
}

// A refused adoption is as much on record as a refused negotiation.
func TestARefusedAdoptionLeavesAReceipt(t *testing.T) {
	n, r := withPlain(t)
	denied := plainFacts()
	denied["ai_role"], denied["ai_prohibited_use"] = "deployer", true
	n.publish(exchange.Publication{ID: "denied", Facts: denied})
	before := n.log.Size()
	_, err := n.x.Adopt(within(t, 10*time.Second), exchange.Adoption{ID: "contract-2", Peer: r.who.DID, Role: dsp.Provider, Dataset: "denied", By: "A. Officer", Reference: "file 2"})
	if corridor.KindOf(err) != corridor.RefusedByLaw {
		t.Fatal(err)
	}
	neg := n.only()
	if neg.State != dsp.Terminated || len(neg.Reason) == 0 || len(neg.Cites) == 0 {
		t.Errorf("%+v", neg)
	}
	if types := receiptTypes(t, n, neg.PID); types[corridor.ReceiptRefusal] != 1 || types[corridor.ReceiptDecision] == 0 || n.log.Size() == before {
		t.Errorf("%v", types)
	}
	if _, err := n.x.Agreement(context.Background(), "contract-2"); corridor.KindOf(err) != corridor.NotFound {
		t.Errorf("there is an agreement: %v", err)
	}
}
