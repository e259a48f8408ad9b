package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"corridor/internal/dsp"
	"corridor/internal/server"
)

// The 65 enabled tests of the Eclipse DSP TCK, played again by our own code:
// what the kit says, what it must hear, and which state it must read. So that
// conformance is guarded where the kit itself cannot be had.
//
//	<x   the kit says x, and the node takes it
//	<!x  the kit says x, and the node refuses with a client error, not 404
//	>x   the kit hears x, and nothing else before it
//	=S   the kit reads that the process is in state S
const negotiationsOfANodeThatProvides = `
CN:01-01 ACN0101 <request >offer <termination =TERMINATED
CN:01-02 ACN0102 <request >offer <counter >termination =TERMINATED
CN:01-03 ACN0103 <request >offer <accepted >agreement <verification >finalized =FINALIZED
CN:01-04 ACN0104 <request >agreement <verification >finalized =FINALIZED
CN:02-01 ACN0201 <request >termination =TERMINATED
CN:02-02 ACN0202 <request <termination =TERMINATED
CN:02-03 ACN0203 <request >agreement <termination =TERMINATED
CN:02-04 ACN0204 <request >offer <termination =TERMINATED
CN:02-05 ACN0205 <request >offer >termination =TERMINATED
CN:02-06 ACN0206 <request >offer <accepted >termination =TERMINATED
CN:02-07 ACN0207 <request >agreement <verification >termination =TERMINATED
CN:03-01 ACN0301 <request >agreement <verification >finalized =FINALIZED <!termination =FINALIZED
CN:03-02 ACN0302 <request >offer =OFFERED <!verification =OFFERED
CN:03-03 ACN0303 <request >offer <accepted =ACCEPTED <!verification =ACCEPTED
CN:03-04 ACN0304 <request >offer <counter =REQUESTED <!counter =REQUESTED`

const negotiationsOfANodeThatConsumes = `
CN_C:01-01 ACNC0101 >request <offer >accepted <agreement >verification <finalized =FINALIZED
CN_C:01-02 ACNC0102 >request <offer >counter <termination =TERMINATED
CN_C:01-03 ACNC0103 >request <offer >termination =TERMINATED
CN_C:01-04 ACNC0104 >request <agreement >verification <finalized =FINALIZED
CN_C:02-01 ACNC0201 >request <termination =TERMINATED
CN_C:02-02 ACNC0202 >request >termination =TERMINATED
CN_C:02-03 ACNC0203 >request <agreement >termination =TERMINATED
CN_C:02-04 ACNC0204 >request <offer =OFFERED <termination =TERMINATED
CN_C:02-05 ACNC0205 >request <offer >accepted <termination =TERMINATED
CN_C:02-06 ACNC0206 >request <agreement >verification <termination =TERMINATED
CN_C:03-01 ACNC0301 >request =REQUESTED <!finalized =REQUESTED
CN_C:03-02 ACNC0302 >request <offer =OFFERED <!agreement =OFFERED
CN_C:03-03 ACNC0303 >request <offer =OFFERED <!finalized =OFFERED
CN_C:03-04 ACNC0304 >request <offer >accepted =ACCEPTED <!finalized =ACCEPTED
CN_C:03-05 ACNC0305 >request <offer >accepted =ACCEPTED <!offer =ACCEPTED
CN_C:03-06 ACNC0306 >request <offer >accepted <agreement =AGREED <!finalized =AGREED`

const transfersOfANodeThatProvides = `
TP:01-01 ATP0101 <request >start >termination =TERMINATED
TP:01-02 ATP0102 <request >start >completion =COMPLETED
TP:01-03 ATP0103 <request >start >suspension >termination =TERMINATED
TP:01-04 ATP0104 <request >start >suspension >start >completion =COMPLETED
TP:01-05 ATP0105 <request >termination =TERMINATED
TP:02-01 ATP0201 <request >start <termination =TERMINATED
TP:02-02 ATP0202 <request >start <completion =COMPLETED
TP:02-03 ATP0203 <request >start <suspension =SUSPENDED <termination =TERMINATED
TP:02-05 ATP0205 <request <termination =TERMINATED
TP:03-01 ATP0301 <request =REQUESTED <!completion =REQUESTED
TP:03-02 ATP0302 <request =REQUESTED <!suspension =REQUESTED
TP:03-03 ATP0303 <request >start <suspension =SUSPENDED <!completion =SUSPENDED
TP:03-04 ATP0304 <request >start <termination =TERMINATED <!start =TERMINATED
TP:03-05 ATP0305 <request >start <termination =TERMINATED <!suspension =TERMINATED
TP:03-06 ATP0306 <request >start <termination =TERMINATED <!completion =TERMINATED`

const transfersOfANodeThatConsumes = `
TP_C:01-01 ATPC0101 >request <start =STARTED <termination =TERMINATED
TP_C:01-02 ATPC0102 >request <start =STARTED <completion =COMPLETED
TP_C:01-03 ATPC0103 >request <start =STARTED <suspension =SUSPENDED <termination =TERMINATED
TP_C:01-04 ATPC0104 >request <start =STARTED <suspension =SUSPENDED <start =STARTED <completion =COMPLETED
TP_C:01-05 ATPC0105 >request <termination =TERMINATED
TP_C:02-01 ATPC0201 >request <start >termination =TERMINATED
TP_C:02-02 ATPC0202 >request <start >completion =COMPLETED
TP_C:02-03 ATPC0203 >request <start >suspension >termination =TERMINATED
TP_C:02-05 ATPC0205 >request >termination =TERMINATED
TP_C:03-01 ATPC0301 >request =REQUESTED <!completion =REQUESTED
TP_C:03-02 ATPC0302 >request =REQUESTED <!suspension =REQUESTED
TP_C:03-03 ATPC0303 >request <start <suspension =SUSPENDED <!completion =SUSPENDED
TP_C:03-04 ATPC0304 >request <start <termination =TERMINATED <!start =TERMINATED
TP_C:03-05 ATPC0305 >request <start <termination =TERMINATED <!suspension =TERMINATED
TP_C:03-06 ATPC0306 >request <start <termination =TERMINATED <!completion =TERMINATED`

func TestTheTestsOfTheKit(t *testing.T) {
	k := newKit(t)
	k.node = startNode(t, k.url)
	played := 0
	for _, g := range []struct {
		plays, root, trigger string
		kit                  dsp.Role
	}{
		{negotiationsOfANodeThatProvides, "/negotiations/", "", dsp.Consumer},
		{negotiationsOfANodeThatConsumes, "/negotiations/", NegotiationTrigger, dsp.Provider},
		{transfersOfANodeThatProvides, "/transfers/", "", dsp.Consumer},
		{transfersOfANodeThatConsumes, "/transfers/", TransferTrigger, dsp.Provider},
	} {
		for line := range strings.Lines(strings.TrimSpace(g.plays)) {
			words := strings.Fields(line)
			played++
			t.Run(words[0], func(t *testing.T) {
				p := &play{kit: k, t: t, root: g.root, trigger: g.trigger, role: g.kit, key: words[1]}
				p.run(words[2:])
			})
		}
	}
	for name, catalogue := range map[string]func(*testing.T){"MET:01-01": k.versions, "CAT:01-01": k.catalogue, "CAT:01-02": k.dataset, "CAT:01-03": k.unknownDataset} {
		played++
		t.Run(name, catalogue)
	}
	if played != 65 {
		t.Errorf("%d tests were played, the kit has 65", played)
	}
}

// kit listens for the node and keeps what it says.
type kit struct {
	url, node string
	heard     chan message
	schemas   *jsonschema.Compiler
	t         *testing.T
}

type message struct {
	path string
	body []byte
}

func newKit(t *testing.T) *kit {
	k := &kit{heard: make(chan message, 64), schemas: schemas(t), t: t}
	srv := httptest.NewServer(http.HandlerFunc(k.hear))
	t.Cleanup(srv.Close)
	k.url = srv.URL
	return k
}

// hear answers as the kit does: 200, a state to what begins a process, nothing
// to the rest, and no content type.
func (k *kit) hear(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header()["Content-Type"] = nil
	if strings.HasSuffix(r.URL.Path, "s/request") {
		var m struct{ ConsumerPid string }
		json.Unmarshal(body, &m)
		pids := dsp.Pids{ProviderPid: "urn:uuid:kit-" + m.ConsumerPid, ConsumerPid: m.ConsumerPid}
		var answer dsp.Message = &dsp.ContractNegotiation{Pids: pids, State: dsp.Requested}
		if strings.HasPrefix(r.URL.Path, "/transfers/") {
			answer = &dsp.TransferProcess{Pids: pids, State: dsp.Requested}
		}
		out, _ := dsp.Encode(answer)
		w.Write(out)
	}
	k.heard <- message{r.URL.Path, body}
}

// play is one test under way.
type play struct {
	*kit
	t             *testing.T
	root, trigger string
	role          dsp.Role // the kit's
	key           string
	pids          dsp.Pids
	offer         dsp.Offer
	counters      int
}

func (p *play) run(steps []string) {
	if p.trigger != "" {
		p.begin()
	}
	for i, step := range steps {
		was := fmt.Sprintf("step %d, %s", i+1, step)
		switch {
		case strings.HasPrefix(step, "<!"):
			if status, body := p.say(step[2:]); status < 400 || status >= 500 || status == 404 {
				p.t.Fatalf("%s: answered %d %s", was, status, body)
			} else if err := p.satisfies(p.errorSchema(), body); err != nil {
				p.t.Errorf("%s: the refusal is not an error object: %v", was, err)
			}
		case strings.HasPrefix(step, "<"):
			if status, body := p.say(step[1:]); status < 200 || status >= 300 {
				p.t.Fatalf("%s: answered %d %s", was, status, body)
			}
		case strings.HasPrefix(step, ">"):
			p.hears(was, step[1:])
		default:
			p.reads(was, dsp.State(step[1:]))
		}
	}
	select {
	case m := <-p.heard:
		p.t.Errorf("the node said more than it should: %s %s", m.path, m.body)
	default:
	}
}

// begin pulls the trigger for a test in which the node consumes.
func (p *play) begin() {
	raw, err := json.Marshal(map[string]string{"datasetId": p.key, "offerId": "offer" + p.key, "agreementId": p.key, "format": "HttpData-PULL", "providerId": KitID, "connectorAddress": p.url})
	fatal(p.t, err)
	if status, body := p.post(p.node+p.trigger, raw); status != http.StatusOK {
		p.t.Fatalf("trigger: %d %s", status, body)
	}
}

// wire names the message, its path below the process, and its schema.
func (p *play) wire(name string) (m dsp.Message, schema string) {
	neg, tra := "negotiation/contract-", "transfer/transfer-"
	if p.root == "/transfers/" {
		switch name {
		case "request":
			return &dsp.TransferRequestMessage{ConsumerPid: p.pids.ConsumerPid, AgreementID: p.key, Format: "HttpData-PULL", CallbackAddress: p.url}, tra + "request-message"
		case "start":
			m := &dsp.TransferStartMessage{Pids: p.pids}
			if p.role == dsp.Provider { // an address that must never be called
				m.DataAddress = dsp.BearerAddress("http://example.com", "token")
			}
			return m, tra + "start-message"
		case "completion":
			return &dsp.TransferCompletionMessage{Pids: p.pids}, tra + "completion-message"
		case "suspension":
			return &dsp.TransferSuspensionMessage{Pids: p.pids, Code: "1", Reason: dsp.Reasons{"a test"}}, tra + "suspension-message"
		case "termination":
			return &dsp.TransferTerminationMessage{Pids: p.pids, Code: "1", Reason: dsp.Reasons{"a test"}}, tra + "termination-message"
		}
	}
	switch name {
	case "request":
		return &dsp.ContractRequestMessage{ConsumerPid: p.pids.ConsumerPid, Offer: p.offer, CallbackAddress: p.url}, neg + "request-message"
	case "counter":
		o := p.offer
		p.counters++ // each is another: the same words twice are one message that came twice
		o.ID = fmt.Sprintf("urn:uuid:counter-%d", p.counters)
		return &dsp.ContractRequestMessage{ConsumerPid: p.pids.ConsumerPid, ProviderPid: p.pids.ProviderPid, Offer: o}, neg + "request-message"
	case "offer":
		return &dsp.ContractOfferMessage{ProviderPid: p.pids.ProviderPid, ConsumerPid: p.pids.ConsumerPid, Offer: p.offer}, neg + "offer-message"
	case "agreement":
		a := dsp.Agreement{Policy: p.offer.Policy, Timestamp: "2026-11-26T12:00:00Z"}
		a.ID, a.Assigner, a.Assignee = "urn:uuid:agreement-"+p.key, KitID, p.self()
		return &dsp.ContractAgreementMessage{Pids: p.pids, Agreement: a}, neg + "agreement-message"
	case "verification":
		return &dsp.ContractAgreementVerificationMessage{Pids: p.pids}, neg + "agreement-verification-message"
	case "accepted":
		return &dsp.ContractNegotiationEventMessage{Pids: p.pids, EventType: dsp.Accepted}, neg + "negotiation-event-message"
	case "finalized":
		return &dsp.ContractNegotiationEventMessage{Pids: p.pids, EventType: dsp.Finalized}, neg + "negotiation-event-message"
	case "termination":
		return &dsp.ContractNegotiationTerminationMessage{Pids: p.pids, Code: "1", Reason: dsp.Reasons{"a test"}}, neg + "negotiation-termination-message"
	}
	p.t.Fatalf("there is no message %q", name)
	return nil, ""
}

// self is the node's DID.
func (p *play) self() string {
	return "did:web:" + strings.ReplaceAll(strings.TrimPrefix(p.node, "http://"), ":", "%3A")
}

// say sends a message to the node.
func (p *play) say(name string) (int, []byte) {
	if p.offer.ID == "" {
		p.offer = dsp.Offer{Policy: *terms("CD123:" + p.key + ":456")}
		p.offer.Target = p.key
	}
	if p.pids.ConsumerPid == "" {
		p.pids.ConsumerPid = "urn:uuid:" + p.key
	}
	m, _ := p.wire(name)
	raw, err := dsp.Encode(m)
	fatal(p.t, err)
	status, body := p.post(p.node+server.Base+dsp.PathFor(m, p.role.Other()), raw)
	if name == "request" && status/100 == 2 {
		fatal(p.t, json.Unmarshal(body, &p.pids))
		if err := p.satisfies(p.stateSchema(), body); err != nil {
			p.t.Errorf("the answer to a request: %v", err)
		}
	}
	return status, body
}

// hears waits for the next message of the node and holds it against the
// schema of what it must be.
func (p *play) hears(was, name string) {
	var heard message
	select {
	case heard = <-p.heard:
	case <-time.After(patience):
		p.t.Fatalf("%s: nothing came", was)
	}
	var got struct {
		dsp.Pids
		CallbackAddress string    `json:"callbackAddress"`
		Offer           dsp.Offer `json:"offer"`
		EventType       dsp.State `json:"eventType"`
	}
	fatal(p.t, json.Unmarshal(heard.body, &got))
	if name == "request" {
		p.pids, p.offer = dsp.Pids{ConsumerPid: got.ConsumerPid, ProviderPid: "urn:uuid:kit-" + got.ConsumerPid}, got.Offer
		if got.CallbackAddress != p.node+server.Base {
			p.t.Errorf("%s: the callback address is %q", was, got.CallbackAddress)
		}
	}
	want, schema := p.wire(name)
	if path := dsp.PathFor(want, p.role); heard.path != path {
		p.t.Fatalf("%s: %s came to %s, not to %s", was, heard.body, heard.path, path)
	}
	if event, ok := want.(*dsp.ContractNegotiationEventMessage); ok && got.EventType != event.EventType {
		p.t.Fatalf("%s: the event is %s", was, got.EventType)
	}
	if err := p.satisfies(schema, heard.body); err != nil {
		p.t.Errorf("%s: %v\n%s", was, err, heard.body)
	}
	if bytes.Contains(heard.body, []byte(dsp.ExtensionPrefix)) {
		p.t.Errorf("%s: words that are not the protocol's: %s", was, heard.body)
	}
}

// reads asks for the state of the process at the node until it is the one.
// After a refusal the state is read at once and has to stay.
func (p *play) reads(was string, want dsp.State) {
	pid := p.pids.ProviderPid
	if p.role == dsp.Provider {
		pid = p.pids.ConsumerPid
	}
	var got struct{ State dsp.State }
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		status, body := p.get(p.node + server.Base + p.root + pid)
		if status != http.StatusOK {
			p.t.Fatalf("%s: %d %s", was, status, body)
		}
		fatal(p.t, json.Unmarshal(body, &got))
		if err := p.satisfies(p.stateSchema(), body); err != nil {
			p.t.Errorf("%s: %v", was, err)
		}
		if got.State == want {
			return
		}
	}
	p.t.Fatalf("%s: the state is %s", was, got.State)
}

func (p *play) stateSchema() string {
	if p.root == "/transfers/" {
		return "transfer/transfer-process"
	}
	return "negotiation/contract-negotiation"
}

func (p *play) errorSchema() string {
	if p.root == "/transfers/" {
		return "transfer/transfer-error"
	}
	return "negotiation/contract-negotiation-error"
}

func (k *kit) post(url string, body []byte) (int, []byte) { return k.ask(http.MethodPost, url, body) }
func (k *kit) get(url string) (int, []byte)               { return k.ask(http.MethodGet, url, nil) }

func (k *kit) ask(method, url string, body []byte) (int, []byte) {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	fatal(k.t, err)
	req.Header.Set("Authorization", authorization)
	resp, err := client.Do(req)
	fatal(k.t, err)
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	fatal(k.t, err)
	return resp.StatusCode, out
}

func (k *kit) versions(t *testing.T) {
	resp, err := http.Get(k.node + dsp.VersionPath) // nobody says who asks
	fatal(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	fatal(t, err)
	doc, err := dsp.DecodeVersions(raw)
	fatal(t, err)
	if v, ok := doc.Find(dsp.Version); !ok || v.Path != server.Base {
		t.Errorf("%s", raw)
	}
}

func (k *kit) catalogue(t *testing.T) {
	raw, err := dsp.Encode(&dsp.CatalogRequestMessage{})
	fatal(t, err)
	status, body := k.post(k.node+server.Base+dsp.CatalogRequestPath, raw)
	if err := k.satisfies("catalog/catalog", body); status != http.StatusOK || err != nil {
		t.Fatalf("%d %v %s", status, err, body)
	}
	c, err := dsp.Decode[dsp.Catalog](body)
	fatal(t, err)
	found := false
	for _, d := range c.Dataset {
		found = found || d.ID == "CAT0101"
	}
	if !found {
		t.Errorf("CAT0101 is not on the first page")
	}
}

func (k *kit) dataset(t *testing.T) {
	status, body := k.get(k.node + server.Base + dsp.DatasetPath("CAT0102"))
	if err := k.satisfies("catalog/dataset", body); status != http.StatusOK || err != nil {
		t.Fatalf("%d %v %s", status, err, body)
	}
	if d, err := dsp.Decode[dsp.Dataset](body); err != nil || d.ID != "CAT0102" {
		t.Errorf("%v %s", err, body)
	}
}

func (k *kit) unknownDataset(t *testing.T) {
	status, body := k.get(k.node + server.Base + dsp.DatasetPath("CAT0103"))
	if err := k.satisfies("catalog/catalog-error", body); status != http.StatusNotFound || err != nil {
		t.Errorf("%d %v %s", status, err, body)
	}
}

// schemas compiles the protocol's published schemas. One family of references
// in them lacks a slash.
func schemas(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	files, err := filepath.Glob("../../../schema/dsp/2025-1/*/*-schema.json")
	fatal(t, err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		fatal(t, err)
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(bytes.ReplaceAll(raw, []byte("#definitions/"), []byte("#/definitions/"))))
		fatal(t, err)
		id, _ := doc.(map[string]any)["$id"].(string)
		fatal(t, c.AddResource(id, doc))
	}
	return c
}

func (k *kit) satisfies(schema string, raw []byte) error {
	k.t.Helper()
	s, err := k.schemas.Compile("https://w3id.org/dspace/2025/1/" + schema + "-schema.json")
	fatal(k.t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}
