package exchange_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/verify"
)

func TestAFileIsPushedAndBothLogsProveIt(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Plan: []byte(`{"format":"csv","stages":[{"do":"drop","columns":["contact"]}]}`)})
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), ended)
	tr, err := kz.x.TransferIn(within(t, 5*time.Second), n.Agreement, catalog.FormatPush)
	if err != nil {
		t.Fatal(err)
	}
	tr = kz.untilTransfer(tr.PID, over)
	if tr.State != dsp.Completed || tr.Received == nil || tr.Released == nil || tr.Acknowledged == nil {
		t.Fatalf("%s %v %+v", tr.State, tr.Reason, tr)
	}
	got, err := os.ReadFile(tr.File)
	if err != nil || !bytes.HasPrefix(got, []byte("awb,weight,port\n")) || corridor.Digest(got) != tr.SHA256 {
		t.Fatalf("%v %.80s", err, got)
	}
	theirs := cn.untilTransfer(cn.transfer(), over)
	if theirs.SHA256 != tr.SHA256 || theirs.Released == nil || theirs.Received == nil || *theirs.Received != *tr.Received || *theirs.Acknowledged != *tr.Acknowledged {
		t.Errorf("provider: %+v\nconsumer: %+v", theirs, tr)
	}
	for _, side := range []*node{kz, cn} {
		raw, err := side.x.Bundle(within(t, 10*time.Second), n.Agreement)
		if err != nil {
			t.Fatalf("%s: %v", side.name, err)
		}
		if report := verify.Bundle(raw, verify.Options{}); !report.OK || !bytes.Contains(raw, []byte(corridor.ReceiptTransferAcknowledged)) {
			t.Errorf("%s: %s %+v", side.name, report.Summary, report.Failed())
		}
	}
	if _, err := kz.x.TransferIn(within(t, 5*time.Second), n.Agreement, "AmazonS3-PUSH"); err == nil || !strings.Contains(err.Error(), "use HttpData-PULL or HttpData-PUSH") {
		t.Errorf("an unknown format: %v", err)
	}
}

// place is where a plain consumer takes what is pushed to it.
type place struct {
	*httptest.Server
	mu   sync.Mutex
	got  [][]byte
	hold chan struct{} // not nil: reads nothing until it is closed
	say  int           // status; 0: 200
}

func newPlace(t *testing.T) *place {
	p := &place{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		hold, say := p.hold, p.say
		p.mu.Unlock()
		if hold != nil {
			<-hold
		}
		if say != 0 {
			w.WriteHeader(say)
			return
		}
		b, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("X-Api-Key") != "k" {
			return
		}
		p.mu.Lock()
		p.got = append(p.got, b)
		p.mu.Unlock()
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *place) all() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got
}

func pushRequest(r *rogue, agreement, to string) *dsp.TransferRequestMessage {
	return &dsp.TransferRequestMessage{ConsumerPid: "urn:uuid:t", AgreementID: agreement, Format: catalog.FormatPush, CallbackAddress: r.base(),
		DataAddress: &dsp.DataAddress{EndpointType: dsp.EndpointPush, EndpointProperties: []dsp.EndpointProperty{
			{Name: "https://w3id.org/edc/v0.0.1/ns/baseUrl", Value: to}, {Name: "https://w3id.org/edc/v0.0.1/ns/authKey", Value: "x-api-key"},
			{Name: "https://w3id.org/edc/v0.0.1/ns/authCode", Value: "k"}}}}
}

func TestAPushToAPlainConsumer(t *testing.T) {
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Plan: []byte(`{"format":"csv","stages":[{"do":"drop","columns":["contact"]}]}`)})
	_, a := r.agreed(n, "shipments")
	to := newPlace(t)
	reply := r.say(n, dsp.Provider, pushRequest(r, a.ID, to.URL+"/in"))
	if reply.status != http.StatusCreated {
		t.Fatalf("%d %s", reply.status, reply.body)
	}
	if start := r.wait("/start"); bytes.Contains(start, []byte("dataAddress")) {
		t.Errorf("a push has no address to fetch from: %s", start)
	}
	done := r.wait("/completion")
	plainWords(t, done)
	tr := n.untilTransfer(n.transfer(), over)
	got := to.all()
	if len(got) != 1 || !bytes.HasPrefix(got[0], []byte("awb,weight,port\n")) || corridor.Digest(got[0]) != tr.SHA256 {
		t.Fatalf("%d deliveries, record %+v", len(got), tr)
	}
	if tr.State != dsp.Completed || tr.Released == nil || tr.Acknowledged == nil {
		t.Errorf("%+v", tr)
	}
	raw, err := n.x.Bundle(within(t, 10*time.Second), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if report := verify.Bundle(raw, verify.Options{}); !report.OK {
		t.Errorf("%+v", report.Failed())
	}
}

func TestWhereAPushMayNotGo(t *testing.T) {
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	_, a := r.agreed(n, "shipments")
	for name, c := range map[string]struct {
		change func(*dsp.TransferRequestMessage)
		says   string
	}{
		"to another host than the consumer's": {func(m *dsp.TransferRequestMessage) {
			m.DataAddress.EndpointProperties[0].Value = "http://localhost:9/in"
		}, "about this recipient and about no other"},
		"nowhere":                            {func(m *dsp.TransferRequestMessage) { m.DataAddress = nil }, "say where the data is to be pushed"},
		"with a word that is not understood": {func(m *dsp.TransferRequestMessage) { m.DataAddress.EndpointProperties[1].Name = "path" }, `"path" is not understood`},
		"to a bucket":                        {func(m *dsp.TransferRequestMessage) { m.DataAddress.EndpointType = "AmazonS3" }, "AmazonS3"},
		"to inside a network": {func(m *dsp.TransferRequestMessage) {
			m.DataAddress.EndpointProperties[0].Value = "http://169.254.169.254/in"
		}, "cannot be called"},
		"as a fetch with an address": {func(m *dsp.TransferRequestMessage) { m.Format = catalog.FormatPull }, "belongs to a push"},
		"in another format":          {func(m *dsp.TransferRequestMessage) { m.Format = "AmazonS3-PUSH" }, "is not a way in which this gateway moves data"},
	} {
		t.Run(name, func(t *testing.T) {
			m := pushRequest(r, a.ID, "http://127.0.0.1:9/in")
			c.change(m)
			if reply := r.say(n, dsp.Provider, m); reply.status < 400 || reply.status > 403 || !strings.Contains(reply.reason(), c.says) {
				t.Errorf("%d %s", reply.status, reply.body)
			}
		})
	}
}

func TestAPushStopsAndGoesOn(t *testing.T) {
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Source: file(t, 200_000)})
	_, a := r.agreed(n, "shipments")
	to := newPlace(t)
	to.hold = make(chan struct{})
	if reply := r.say(n, dsp.Provider, pushRequest(r, a.ID, to.URL+"/in")); reply.status != http.StatusCreated {
		t.Fatalf("%d %s", reply.status, reply.body)
	}
	pid := n.transfer()
	n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.State == dsp.Started && t.Pending == dsp.None })
	if _, err := n.x.Suspend(within(t, 5*time.Second), pid, "order of the authority"); err != nil {
		t.Fatal(err)
	}
	close(to.hold)
	r.wait("/suspension")
	if got := to.all(); len(got) != 0 {
		t.Fatalf("%d deliveries although it was suspended", len(got))
	}
	if _, err := n.x.Resume(within(t, 5*time.Second), pid); err != nil {
		t.Fatal(err)
	}
	if tr := n.untilTransfer(pid, over); tr.State != dsp.Completed || len(to.all()) != 1 || corridor.Digest(to.all()[0]) != tr.SHA256 {
		t.Errorf("%+v", tr)
	}
}

func TestAPushThatTheConsumerDoesNotTakeWaitsForAPerson(t *testing.T) {
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	_, a := r.agreed(n, "shipments")
	to := newPlace(t)
	to.say = http.StatusForbidden
	if reply := r.say(n, dsp.Provider, pushRequest(r, a.ID, to.URL+"/in")); reply.status != http.StatusCreated {
		t.Fatalf("%d %s", reply.status, reply.body)
	}
	pid := n.transfer()
	tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Parked != "" })
	if tr.State != dsp.Started || !strings.Contains(tr.Parked, "could not be pushed") || !strings.Contains(tr.Parked, "403") {
		t.Fatalf("%+v", tr)
	}
	to.mu.Lock()
	to.say = 0
	to.mu.Unlock()
	if _, err := n.x.Resume(within(t, 5*time.Second), pid); err != nil {
		t.Fatal(err)
	}
	if tr := n.untilTransfer(pid, over); tr.State != dsp.Completed || tr.Parked != "" {
		t.Errorf("%+v", tr)
	}
}

// agreedWithPlainProvider is an agreement in force with a provider that speaks
// the Dataspace Protocol only.
func agreedWithPlainProvider(t *testing.T, n *node, r *rogue) string {
	t.Helper()
	return agreedOnFacts(t, n, r, plainFacts())
}

func agreedOnFacts(t *testing.T, n *node, r *rogue, facts corridor.Facts) string {
	t.Helper()
	r.provides("shipments")
	neg, err := n.askPlain(r, facts)
	if err != nil {
		t.Fatal(err)
	}
	m := r.plainAgreement(n, nil)
	if a := r.say(n, dsp.Consumer, m); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	n.until(neg.PID, func(n exchange.Negotiation) bool { return n.State == dsp.Verified || n.State.Final() })
	if a := r.say(n, dsp.Consumer, &dsp.ContractNegotiationEventMessage{Pids: m.Pids, EventType: dsp.Finalized}); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return m.Agreement.ID
}

func TestAPlainProviderPushes(t *testing.T) {
	n, r := withPlain(t)
	agreement := agreedWithPlainProvider(t, n, r)
	tr, err := n.x.TransferIn(within(t, 5*time.Second), agreement, catalog.FormatPush)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := dsp.Decode[dsp.TransferRequestMessage](r.wait("/transfers/request"))
	if err != nil {
		t.Fatal(err)
	}
	sink, err := asked.DataAddress.Sink()
	if err != nil || asked.Format != catalog.FormatPush {
		t.Fatalf("%v %+v", err, asked)
	}
	data := []byte("port,month\nKhorgos,2026-01\n")
	push := func(token string) int {
		req, err := http.NewRequestWithContext(t.Context(), sink.Method, sink.URL, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := push("Bearer guess"); got != http.StatusUnauthorized {
		t.Errorf("a guessed token: %d", got)
	}
	pids := dsp.Pids{ProviderPid: "urn:uuid:theirs", ConsumerPid: tr.PID}
	if a := r.say(n, dsp.Consumer, &dsp.TransferStartMessage{Pids: pids}); a.status != http.StatusOK {
		t.Fatalf("start: %d %s", a.status, a.body)
	}
	if a := r.say(n, dsp.Consumer, &dsp.TransferCompletionMessage{Pids: pids}); a.status != http.StatusConflict && a.status != http.StatusBadRequest {
		t.Errorf("a completion before the data: %d %s", a.status, a.body)
	}
	for range 2 { // the answer to the first was lost
		if got := push(sink.Header.Get("Authorization")); got != http.StatusNoContent {
			t.Fatalf("push: %d", got)
		}
	}
	if a := r.say(n, dsp.Consumer, &dsp.TransferCompletionMessage{Pids: pids}); a.status != http.StatusOK {
		t.Fatalf("completion: %d %s", a.status, a.body)
	}
	tr = n.untilTransfer(tr.PID, over)
	got, err := os.ReadFile(tr.File)
	if err != nil || !bytes.Equal(got, data) || tr.SHA256 != corridor.Digest(data) || tr.Received == nil {
		t.Errorf("%q %v %+v", got, err, tr)
	}
	if again := push(sink.Header.Get("Authorization")); again != http.StatusGone {
		t.Errorf("a push into a completed transfer: %d", again)
	}
}

// A provider that leaves a push open could send the copy again after its term:
// the log has said that it is gone, and nothing would delete it any more.
func TestACopyThatWasDeletedDoesNotComeAgain(t *testing.T) {
	now := &clock{}
	began := time.Now().UTC().Truncate(time.Second)
	now.set(began)
	n, r := withPlain(t, func(n *node) { n.now = now.now })
	facts := plainFacts()
	facts["foreign_retention_h"] = 1
	agreement := agreedOnFacts(t, n, r, facts)
	tr := must[exchange.Transfer](t)(n.x.TransferIn(within(t, 5*time.Second), agreement, catalog.FormatPush))
	asked := must[*dsp.TransferRequestMessage](t)(dsp.Decode[dsp.TransferRequestMessage](r.wait("/transfers/request")))
	sink := must[dsp.Sink](t)(asked.DataAddress.Sink())
	if a := r.say(n, dsp.Consumer, &dsp.TransferStartMessage{Pids: dsp.Pids{ProviderPid: "urn:uuid:theirs", ConsumerPid: tr.PID}}); a.status != http.StatusOK {
		t.Fatalf("start: %d %s", a.status, a.body)
	}
	push := func(data string) int {
		req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), sink.Method, sink.URL, strings.NewReader(data)))
		req.Header = sink.Header
		resp := must[*http.Response](t)(http.DefaultClient.Do(req))
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := push("port\nKhorgos\n"); got != http.StatusNoContent {
		t.Fatalf("push: %d", got)
	}
	tr = n.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.DeleteBy != "" })
	where := tr.File
	n.stop()
	now.set(began.Add(2 * time.Hour))
	n.start()
	n.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.Deleted != nil })
	if got := push("port\nDostyk\n"); got != http.StatusGone {
		t.Errorf("the second push: %d", got)
	}
	if _, err := os.Stat(where); err == nil {
		t.Error("the copy is there again")
	}
}

func TestAFetchFromAPlainProvider(t *testing.T) {
	n, r := withPlain(t)
	agreement := agreedWithPlainProvider(t, n, r)
	data := []byte("port,month\nKhorgos,2026-01\n")
	var mu sync.Mutex
	opens := "first"
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if q.Header.Get("Authorization") != "Bearer "+opens {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Write(data)
	}))
	defer door.Close()
	start := func(tr exchange.Transfer, token string) reply {
		return r.say(n, dsp.Consumer, &dsp.TransferStartMessage{Pids: dsp.Pids{ProviderPid: "urn:uuid:theirs", ConsumerPid: tr.PID},
			DataAddress: &dsp.DataAddress{EndpointType: dsp.EndpointHTTP, EndpointProperties: []dsp.EndpointProperty{
				{Name: "https://w3id.org/edc/v0.0.1/ns/endpoint", Value: door.URL}, {Name: "https://w3id.org/edc/v0.0.1/ns/authorization", Value: token}}}})
	}
	tr, err := n.x.Transfer(within(t, 5*time.Second), agreement)
	if err != nil {
		t.Fatal(err)
	}
	r.wait("/transfers/request")
	if a := start(tr, "stale"); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := n.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.Parked != "" }); !strings.Contains(got.Parked, "403") {
		t.Fatalf("%+v", got)
	}
	if a := start(tr, "first"); a.status != http.StatusOK { // EDC starts again where a consumer resumes
		t.Fatalf("%d %s", a.status, a.body)
	}
	plainWords(t, r.wait("/completion"))
	tr = n.untilTransfer(tr.PID, over)
	if got, err := os.ReadFile(tr.File); err != nil || !bytes.Equal(got, data) || tr.State != dsp.Completed || tr.SHA256 != corridor.Digest(data) {
		t.Errorf("%q %v %+v", got, err, tr)
	}
	if a := start(tr, "first"); a.status == http.StatusOK {
		t.Error("a completed transfer was started again")
	}
}

// A plain consumer that resumes has no way to a new token: the provider sends
// one with a start of its own.
func TestAPlainConsumerThatResumesGetsANewAddress(t *testing.T) {
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	_, a := r.agreed(n, "shipments")
	if reply := r.say(n, dsp.Provider, &dsp.TransferRequestMessage{ConsumerPid: "urn:uuid:t", AgreementID: a.ID, Format: catalog.FormatPull, CallbackAddress: r.base()}); reply.status != http.StatusCreated {
		t.Fatalf("%d %s", reply.status, reply.body)
	}
	r.wait("/start")
	pid := n.transfer()
	n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Pending == dsp.None })
	pids := dsp.Pids{ProviderPid: pid, ConsumerPid: "urn:uuid:t"}
	if reply := r.say(n, dsp.Provider, &dsp.TransferSuspensionMessage{Pids: pids}); reply.status != http.StatusOK {
		t.Fatalf("%d %s", reply.status, reply.body)
	}
	r.forget()
	for _, strict := range []bool{false, true} { // a consumer that wants no second word changes nothing
		if strict {
			r.say(n, dsp.Provider, &dsp.TransferSuspensionMessage{Pids: pids})
			r.forget()
			r.answerWith(http.StatusBadRequest)
		}
		if reply := r.say(n, dsp.Provider, &dsp.TransferStartMessage{Pids: pids}); reply.status != http.StatusOK {
			t.Fatalf("%d %s", reply.status, reply.body)
		}
		again, err := dsp.Decode[dsp.TransferStartMessage](r.wait("/start"))
		if err != nil || again.DataAddress.URL() == "" {
			t.Fatalf("%v %+v", err, again)
		}
		if tr := n.untilTransfer(pid, func(t exchange.Transfer) bool { return t.Pending == dsp.None }); tr.State != dsp.Started {
			t.Errorf("strict %v: %+v", strict, tr)
		}
	}
	if _, err := n.x.TransferByPID(context.Background(), pid); err != nil {
		t.Fatal(err)
	}
}

// forget drops what was heard so far.
func (r *rogue) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = nil
}

// EDC may say the same thing again in other bytes. What was done is not done
// again, and nothing new is taken for a repeat.
func TestAPlainPeerThatSaysTheSameAgain(t *testing.T) {
	n, r := withPlain(t)
	r.provides("shipments")
	neg, err := n.askPlain(r, plainFacts())
	if err != nil {
		t.Fatal(err)
	}
	say := func(m dsp.Process, want int) {
		t.Helper()
		body, err := dsp.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"1", "2"} { // a name of EDC's own
			again := bytes.Replace(body, []byte(`{`), []byte(`{"@id":"`+id+`",`), 1)
			if a := call(t, n, http.MethodPost, dsp.PathFor(m, dsp.Consumer), r.token(n), again); a.status != want {
				t.Errorf("%s %s: %d %s", m.Type(), id, a.status, a.body)
			}
		}
	}
	m := r.plainAgreement(n, nil)
	r.answerWith(http.StatusConflict) // to our verification: it is not ready for it yet
	say(m, http.StatusOK)
	r.answerWith(http.StatusOK)
	n.until(neg.PID, func(n exchange.Negotiation) bool { return n.State == dsp.Verified })
	other := *m
	other.Agreement.ID = "urn:uuid:another"
	say(&other, http.StatusBadRequest)
	say(&dsp.ContractNegotiationEventMessage{Pids: m.Pids, EventType: dsp.Finalized}, http.StatusOK)
	say(&dsp.ContractNegotiationTerminationMessage{Pids: m.Pids}, http.StatusBadRequest)

	tr, err := n.x.TransferIn(within(t, 5*time.Second), m.Agreement.ID, catalog.FormatPush)
	if err != nil {
		t.Fatal(err)
	}
	r.wait("/transfers/request")
	pids := dsp.Pids{ProviderPid: "urn:uuid:theirs", ConsumerPid: tr.PID}
	say(&dsp.TransferStartMessage{Pids: pids}, http.StatusOK)
	say(&dsp.TransferSuspensionMessage{Pids: pids}, http.StatusOK)
	say(&dsp.TransferTerminationMessage{Pids: pids}, http.StatusOK)
	say(&dsp.TransferStartMessage{Pids: pids}, http.StatusBadRequest)
}

// EDC makes its agreement anew when our verification comes before it has
// written down that we have the first one. The newest one counts, once.
func TestAPlainProviderThatMakesItsAgreementAnew(t *testing.T) {
	n, r := withPlain(t)
	r.provides("shipments")
	neg, err := n.askPlain(r, plainFacts())
	if err != nil {
		t.Fatal(err)
	}
	m := r.plainAgreement(n, nil)
	first := m.Agreement.ID
	r.answerWith(http.StatusConflict)
	if a := r.say(n, dsp.Consumer, m); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	r.wait("/verification")
	m.Agreement.ID = "urn:uuid:anew"
	for name, change := range map[string]func(*dsp.Agreement){
		"to another dataset": func(a *dsp.Agreement) { a.Target = "other" },
		"to other terms": func(a *dsp.Agreement) {
			a.Permission = []dsp.Rule{{Action: "use", Constraint: []dsp.Constraint{dsp.Compare("purpose", dsp.Eq, "marketing")}}}
		},
	} {
		wrong := *m
		change(&wrong.Agreement)
		if a := r.say(n, dsp.Consumer, &wrong); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := r.say(n, dsp.Consumer, m); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	r.forget()
	r.answerWith(http.StatusOK)
	r.wait("/verification")
	n.until(neg.PID, func(n exchange.Negotiation) bool { return n.State == dsp.Verified })
	if a := r.say(n, dsp.Consumer, &dsp.ContractNegotiationEventMessage{Pids: m.Pids, EventType: dsp.Finalized}); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for id, want := range map[string]string{first: exchange.AgreementTerminated, m.Agreement.ID: exchange.AgreementInForce} {
		if a, err := n.x.Agreement(t.Context(), id); err != nil || a.State != want {
			t.Errorf("agreement %s is %s, not %s: %v", id, a.State, want, err)
		}
	}
	if types := receiptTypes(t, n, neg.PID); types[corridor.ReceiptAgreement] != 2 {
		t.Errorf("the log tells %v", types)
	}
}

// A request that a plain peer repeats in other bytes begins nothing new, and
// another request under the same identifier is refused.
func TestAPlainPeerThatAsksTheSameAgain(t *testing.T) {
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n.publish(exchange.Publication{ID: "others", Facts: plainFacts()})
	ask := func(dataset, id string) reply {
		body, err := dsp.Encode(r.plainRequest(n, "urn:uuid:consumer", dataset))
		if err != nil {
			t.Fatal(err)
		}
		return call(t, n, http.MethodPost, dsp.NegotiationRequestPath, r.token(n), bytes.Replace(body, []byte(`{`), []byte(`{"@id":"`+id+`",`), 1))
	}
	first := ask("shipments", "1")
	if first.status != http.StatusCreated {
		t.Fatalf("%d %s", first.status, first.body)
	}
	r.wait("/agreement")
	if again := ask("shipments", "2"); again.status != http.StatusCreated {
		t.Errorf("%d %s", again.status, again.body)
	}
	if other := ask("others", "3"); other.status != http.StatusBadRequest && other.status != http.StatusConflict {
		t.Errorf("%d %s", other.status, other.body)
	}
	m, err := dsp.Decode[dsp.ContractAgreementMessage](r.wait("/agreement"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := dsp.Encode(&dsp.ContractAgreementVerificationMessage{Pids: m.Pids})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "2"} { // the second when the negotiation has gone on
		verified := bytes.Replace(body, []byte(`{`), []byte(`{"@id":"`+id+`",`), 1)
		if a := call(t, n, http.MethodPost, dsp.PathFor(&dsp.ContractAgreementVerificationMessage{Pids: m.Pids}, dsp.Provider), r.token(n), verified); a.status != http.StatusOK {
			t.Errorf("verification %s: %d %s", id, a.status, a.body)
		}
		n.until(m.ProviderPid, ended)
	}
	n.only()
}
