package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

// protocolSchemas compiles what the protocol publishes. One family of
// references in it lacks a slash.
func protocolSchemas(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	files, err := filepath.Glob("../../schema/dsp/2025-1/*/*-schema.json")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d schemas, %v", len(files), err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(bytes.ReplaceAll(raw, []byte("#definitions/"), []byte("#/definitions/"))))
		if err != nil {
			t.Fatal(err)
		}
		id, _ := doc.(map[string]any)["$id"].(string)
		if err := c.AddResource(id, doc); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// endpoint is one place of the protocol where a message can be refused.
type endpoint struct {
	name, method, path string
	body               string // of a good message for it
	own                string // our pid in the path, to be replaced by an unknown one
	refused            string // why the state refuses the good message; empty: it would be taken, or none can be
}

func (e endpoint) family() (kind, schema string) {
	switch {
	case strings.HasPrefix(e.path, "/catalog/"):
		return "CatalogError", "catalog/catalog-error-schema.json"
	case strings.HasPrefix(e.path, "/transfers/"):
		return "TransferError", "transfer/transfer-error-schema.json"
	}
	return "ContractNegotiationError", "negotiation/contract-negotiation-error-schema.json"
}

// refusals is a gateway with a process of every kind, a peer that takes part
// in them, and one that does not.
type refusals struct {
	t        *testing.T
	n        *node
	r        *rogue
	stranger *rogue
	schemas  *jsonschema.Compiler
}

func newRefusals(t *testing.T) (*refusals, []endpoint) {
	t.Helper()
	n, r := withPlain(t, func(n *node) {
		n.manual.Agree = true
		n.manual.Start = true
	})
	x := &refusals{t: t, n: n, r: r, stranger: newRogue(t, "KZ"), schemas: protocolSchemas(t)}
	plain := &identity.Plain{Purpose: "trade_logistics"}
	if err := n.peers.Replace([]identity.Peer{{Participant: r.who, Address: r.base(), Plain: plain}, {Participant: x.stranger.who, Address: x.stranger.base(), Plain: plain}}); err != nil {
		t.Fatal(err)
	}
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	return x, x.endpoints()
}

// endpoints begins the processes and lists what can be sent to them.
func (x *refusals) endpoints() []endpoint {
	x.t.Helper()
	n, r := x.n, x.r
	provided := dsp.Pids{ProviderPid: r.opened(n, r.plainRequest(n, "urn:uuid:open", "shipments")), ConsumerPid: "urn:uuid:open"}
	over := dsp.Pids{ProviderPid: r.opened(n, r.plainRequest(n, "urn:uuid:over", "shipments")), ConsumerPid: "urn:uuid:over"}
	if a := r.say(n, dsp.Provider, &dsp.ContractNegotiationTerminationMessage{Pids: over}); a.status != http.StatusOK {
		x.t.Fatalf("%d %s", a.status, a.body)
	}
	agreement := agreedWithPlainProvider(x.t, n, r) // and an agreement in which the node is the consumer
	consumed := x.finalised()
	transfer := x.transferred(agreement)
	offer := dsp.Offer{Policy: dsp.Policy{ID: "shipments:offer", Target: "shipments", Permission: []dsp.Rule{{Action: "use"}}}}
	other := offer
	other.ID = "other:offer"
	agreed := dsp.Agreement{Policy: dsp.Policy{ID: "urn:uuid:a", Target: "shipments", Assigner: r.who.DID, Assignee: n.who.DID, Permission: []dsp.Rule{{Action: "use"}}}, Timestamp: "2026-11-24T09:30:00Z"}
	mine := func(m dsp.Message, to dsp.Role, own, refused string) endpoint {
		body, err := dsp.Encode(m)
		if err != nil {
			x.t.Fatal(err)
		}
		return endpoint{name: string(m.Type()) + " to the " + string(to), method: http.MethodPost, path: dsp.PathFor(m, to), body: string(body), own: own, refused: refused}
	}
	return []endpoint{
		mine(&dsp.CatalogRequestMessage{}, dsp.Provider, "", ""),
		{name: "a dataset", method: http.MethodGet, path: dsp.DatasetPath("shipments"), own: "shipments"},
		{name: "a negotiation", method: http.MethodGet, path: dsp.NegotiationPath(provided.ProviderPid), own: provided.ProviderPid},
		{name: "a transfer", method: http.MethodGet, path: dsp.TransferPath(transfer.ConsumerPid), own: transfer.ConsumerPid},
		mine(&dsp.ContractRequestMessage{ConsumerPid: "urn:uuid:open", CallbackAddress: r.base(), Offer: other}, dsp.Provider, "", "already used"),
		mine(&dsp.ContractOfferMessage{ProviderPid: "urn:uuid:p", CallbackAddress: r.base(), Offer: offer}, dsp.Consumer, "", "already used"),
		mine(&dsp.ContractRequestMessage{ConsumerPid: provided.ConsumerPid, ProviderPid: provided.ProviderPid, Offer: offer}, dsp.Provider, provided.ProviderPid, "REQUESTED"),
		mine(&dsp.ContractNegotiationEventMessage{Pids: provided, EventType: dsp.Accepted}, dsp.Provider, provided.ProviderPid, "REQUESTED"),
		mine(&dsp.ContractNegotiationEventMessage{Pids: provided, EventType: dsp.Finalized}, dsp.Provider, provided.ProviderPid, "FINALIZED"),
		mine(&dsp.ContractAgreementVerificationMessage{Pids: provided}, dsp.Provider, provided.ProviderPid, "REQUESTED"),
		mine(&dsp.ContractNegotiationTerminationMessage{Pids: over, Code: "other"}, dsp.Provider, over.ProviderPid, ""),
		mine(&dsp.ContractOfferMessage{ProviderPid: consumed.ProviderPid, ConsumerPid: consumed.ConsumerPid, Offer: offer}, dsp.Consumer, consumed.ConsumerPid, "FINALIZED"),
		mine(&dsp.ContractAgreementMessage{Pids: consumed, Agreement: agreed}, dsp.Consumer, consumed.ConsumerPid, "FINALIZED"),
		mine(&dsp.ContractNegotiationEventMessage{Pids: consumed, EventType: dsp.Accepted}, dsp.Consumer, consumed.ConsumerPid, "ACCEPTED"),
		mine(&dsp.ContractNegotiationTerminationMessage{Pids: consumed}, dsp.Consumer, consumed.ConsumerPid, "FINALIZED"),
		mine(&dsp.TransferRequestMessage{ConsumerPid: "urn:uuid:t", AgreementID: "urn:uuid:none", Format: catalog.FormatPull, CallbackAddress: r.base()}, dsp.Provider, "", ""),
		mine(&dsp.TransferCompletionMessage{Pids: transfer}, dsp.Consumer, transfer.ConsumerPid, "TERMINATED"),
		mine(&dsp.TransferStartMessage{Pids: transfer}, dsp.Consumer, transfer.ConsumerPid, "TERMINATED"),
		mine(&dsp.TransferSuspensionMessage{Pids: transfer}, dsp.Consumer, transfer.ConsumerPid, "TERMINATED"),
		mine(&dsp.TransferTerminationMessage{Pids: transfer, Code: "other"}, dsp.Consumer, transfer.ConsumerPid, ""),
	}
}

// finalised gives the identifiers of the negotiation in which the node is the
// consumer.
func (x *refusals) finalised() dsp.Pids {
	x.t.Helper()
	list, _, err := x.n.x.Negotiations(context.Background(), exchange.Page{})
	if err != nil {
		x.t.Fatal(err)
	}
	for _, n := range list {
		if n.Role == dsp.Consumer {
			return dsp.Pids{ProviderPid: n.PeerPID, ConsumerPid: n.PID}
		}
	}
	x.t.Fatal("the node has asked for nothing")
	return dsp.Pids{}
}

// transferred is a transfer in which the node is the consumer, and which its
// provider has ended.
func (x *refusals) transferred(agreement string) dsp.Pids {
	x.t.Helper()
	x.r.pages["/transfers/request"] = func(body []byte) []byte {
		m, err := dsp.Decode[dsp.TransferRequestMessage](body)
		if err != nil {
			return nil
		}
		out, _ := dsp.Encode(&dsp.TransferProcess{Pids: dsp.Pids{ProviderPid: "urn:uuid:tp", ConsumerPid: m.ConsumerPid}, State: dsp.Requested})
		return out
	}
	tr, err := x.n.x.Transfer(within(x.t, 5*time.Second), agreement)
	if err != nil {
		x.t.Fatal(err)
	}
	x.r.wait("/transfers/request")
	x.n.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.State == dsp.Requested })
	pids := dsp.Pids{ProviderPid: "urn:uuid:tp", ConsumerPid: tr.PID}
	if a := x.r.say(x.n, dsp.Consumer, &dsp.TransferTerminationMessage{Pids: pids}); a.status != http.StatusOK {
		x.t.Fatalf("%d %s", a.status, a.body)
	}
	return pids
}

// fault is one way in which a request can be wrong.
type fault struct {
	name    string
	status  []int
	applies func(e endpoint) bool
	change  func(e endpoint, req *http.Request) // of a good request
	says    func(e endpoint) string
}

func posted(e endpoint) bool { return e.method == http.MethodPost }

// faults lists them. A request is made anew for each.
func (x *refusals) faults() []fault {
	body := func(change func(string) string) func(endpoint, *http.Request) {
		return func(e endpoint, req *http.Request) { setBody(req, change(e.body)) }
	}
	replace := func(old, with string) func(endpoint, *http.Request) {
		return body(func(s string) string { return strings.Replace(s, old, with, 1) })
	}
	says := func(text string) func(endpoint) string { return func(endpoint) string { return text } }
	named := func(e endpoint) bool { return e.own != "" }
	token := func(make func() string) func(endpoint, *http.Request) {
		return func(_ endpoint, req *http.Request) { req.Header.Set("Authorization", make()) }
	}
	old := func() time.Time { return time.Now().Add(-time.Hour) }
	return []fault{
		{"an unknown identifier", []int{404}, named, func(e endpoint, req *http.Request) {
			url := x.n.base() + strings.Replace(e.path, pathOf(e.own), pathOf("urn:uuid:nobody"), 1)
			*req = *x.request(e.method, url, strings.ReplaceAll(e.body, e.own, "urn:uuid:nobody"))
		}, says("no ")},
		{"another party", []int{404}, func(e endpoint) bool { return e.own != "" && !strings.HasPrefix(e.path, "/catalog/") },
			token(func() string { return x.stranger.token(x.n) }), says("no ")},
		{"the wrong state", []int{400}, func(e endpoint) bool { return e.refused != "" }, func(endpoint, *http.Request) {}, func(e endpoint) string { return e.refused }},
		{"text that is no JSON", []int{400}, posted, body(func(s string) string { return s[:len(s)-1] }), says("not JSON")},
		{"nothing", []int{400}, posted, body(func(string) string { return "" }), says("not JSON")},
		{"another type", []int{400}, posted, body(func(s string) string {
			return strings.Replace(s, `"@type":"`, `"@type":"dspace:Other`, 1)
		}), says("@type")},
		{"another context", []int{400}, posted, replace(dsp.ContextURL, "https://w3id.org/dspace/2024/1/context.json"), says("@context")},
		{"no context", []int{400}, posted, replace(`"@context":["`+dsp.ContextURL+`"],`, ""), says("@context")},
		{"no type", []int{400}, posted, body(func(s string) string {
			_, rest, _ := strings.Cut(s, `"@type":"`)
			_, rest, _ = strings.Cut(rest, `"`)
			return `{"@context":["` + dsp.ContextURL + `"]` + rest
		}), says("@type")},
		{"a member missing", []int{400}, func(e endpoint) bool { return strings.Contains(e.body, `"consumerPid":`) },
			replace(`"consumerPid":`, `"somethingElse":`), says("")},
		{"another process in the message", []int{400}, func(e endpoint) bool { return e.own != "" && posted(e) },
			body(func(s string) string { return strings.Replace(s, `Pid":"`, `Pid":"urn:uuid:other`, 1) }), says("Pid")},
		{"a key twice", []int{400}, posted, replace(`"@type"`, `"x":1,"x":2,"@type"`), says("twice")},
		{"great depth", []int{413}, posted, replace(`"@type"`, `"x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`,"@type"`), says("nested")},
		{"many values", []int{413}, posted, replace(`"@type"`, `"x":[`+strings.Repeat("1,", 100_000)+`1],"@type"`), says("more than")},
		{"a number for an identifier", []int{400}, func(e endpoint) bool { return strings.Contains(e.body, `"consumerPid":"`) },
			body(func(s string) string {
				before, rest, _ := strings.Cut(s, `"consumerPid":"`)
				_, after, _ := strings.Cut(rest, `"`)
				return before + `"consumerPid":` + strings.Repeat("9", 5000) + "e99999" + after
			}), says("consumerPid")},
		{"a NUL in an identifier", []int{400}, func(e endpoint) bool { return strings.Contains(e.body, `"consumerPid":"`) },
			replace(`"consumerPid":"`, `"consumerPid":"\u0000`), says("control characters")},
		{"too much", []int{413}, posted, body(func(s string) string { return s + strings.Repeat(" ", dsp.MaxMessage) }), says("limit")},
		{"another media type", []int{415}, posted, func(_ endpoint, req *http.Request) { req.Header.Set("Content-Type", "application/xml") }, says("application/json")},
		{"a form", []int{415}, posted, func(_ endpoint, req *http.Request) {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}, says("application/json")},
		{"no token", []int{401}, nil, func(_ endpoint, req *http.Request) { req.Header.Del("Authorization") }, says("")},
		{"a token of yesterday", []int{401}, nil, token(func() string {
			tokens, err := identity.NewTokens(x.r.who.DID, x.r.keys.Token, old)
			if err != nil {
				x.t.Fatal(err)
			}
			text, err := tokens.Issue(context.Background(), x.n.who.DID)
			if err != nil {
				x.t.Fatal(err)
			}
			return "Bearer " + text
		}), says("")},
		{"a token for another", []int{401}, nil, token(func() string {
			text, err := x.r.tokens.Issue(context.Background(), x.stranger.who.DID)
			if err != nil {
				x.t.Fatal(err)
			}
			return "Bearer " + text
		}), says("")},
		{"a token of a foreigner", []int{403}, nil, token(func() string { return newRogue(x.t, "RU").token(x.n) }), says("")},
	}
}

func pathOf(id string) string { return "/" + strings.TrimPrefix(dsp.TransferPath(id), "/transfers/") }

func setBody(req *http.Request, body string) {
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
}

func (x *refusals) request(method, url, body string) *http.Request {
	x.t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	if method == http.MethodPost {
		setBody(req, body)
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	req.Header.Set("Authorization", x.r.token(x.n))
	return req
}

// Whatever is wrong with a message, its sender gets the status that the
// protocol has for it and the error object of the right family, which satisfies
// the published schema and says what is wrong. Nothing changes here.
func TestEveryRefusalIsAnErrorObjectOfTheProtocol(t *testing.T) {
	x, endpoints := newRefusals(t)
	size := x.n.log.Size()
	for _, e := range endpoints {
		for _, f := range x.faults() {
			if f.applies != nil && !f.applies(e) {
				continue
			}
			t.Run(e.name+" with "+f.name, func(t *testing.T) {
				req := x.request(e.method, x.n.base()+e.path, e.body)
				f.change(e, req)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				raw, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(f.status, resp.StatusCode) {
					t.Errorf("%d where %d belongs: %s", resp.StatusCode, f.status, raw)
				}
				if got := resp.Header.Get("Content-Type"); got != dsp.MediaType {
					t.Errorf("media type %q", got)
				}
				x.judge(t, e, raw, f.says(e))
			})
		}
	}
	if x.n.log.Size() != size {
		t.Errorf("%d receipts were written for what was refused", x.n.log.Size()-size)
	}
}

// judge holds an error object against the schema of its family.
func (x *refusals) judge(t *testing.T, e endpoint, raw []byte, says string) {
	t.Helper()
	kind, schema := e.family()
	a := reply{body: raw}
	if a.kind() != kind {
		t.Errorf("a %s where a %s belongs: %s", a.kind(), kind, raw)
	}
	if a.reason() == "" || !strings.Contains(a.reason(), says) {
		t.Errorf("it does not say %q: %s", says, raw)
	}
	s, err := x.schemas.Compile("https://w3id.org/dspace/2025/1/" + schema)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Error(err)
	}
	var code struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(raw, &code); err != nil || code.Code == "" {
		t.Errorf("no code: %s", raw)
	} else if _, known := dsp.KindFromCode(code.Code); !known {
		t.Errorf("code %q", code.Code)
	}
}

// An error object names the process as far as the request says which it is,
// even if its body cannot be read.
func TestAnErrorNamesItsProcess(t *testing.T) {
	x, endpoints := newRefusals(t)
	for _, e := range endpoints {
		if e.own == "" || !posted(e) || strings.Contains(e.path, "/termination") || strings.Contains(e.path, "/events") || strings.HasPrefix(e.path, "/transfers/") {
			continue // who plays which part is not in the path
		}
		resp, err := http.DefaultClient.Do(x.request(e.method, x.n.base()+e.path, "{"))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var pids dsp.Pids
		if err := json.Unmarshal(raw, &pids); err != nil || pids.ProviderPid != e.own && pids.ConsumerPid != e.own || pids.ProviderPid == pids.ConsumerPid {
			t.Errorf("%s: %v %s", e.name, err, raw)
		}
	}
}

// Each message of a peer may come again, in the same bytes: because an answer
// was lost, or because the peer restarted. It gets an answer that it can take,
// and has no second effect.
func TestEveryMessageMayComeAgain(t *testing.T) {
	once, thrice := saidTimes(t, 1), saidTimes(t, 3)
	if once != thrice {
		t.Errorf("%d receipts when all is said once, %d when all is said three times", once, thrice)
	}
}

// saidTimes carries a consumer from its request to the end of a transfer, each
// message said as often as given, and gives the size of the provider's log.
func saidTimes(t *testing.T, times int) uint64 {
	t.Helper()
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	say := func(m dsp.Message) (pid string) {
		t.Helper()
		for i := range times {
			a := r.say(n, dsp.Provider, m)
			var pids dsp.Pids
			if err := json.Unmarshal(a.body, &pids); err != nil || a.status/100 != 2 || i > 0 && pids.ProviderPid != pid {
				t.Fatalf("%s, time %d: %d %s", m.Type(), i+1, a.status, a.body)
			}
			pid = pids.ProviderPid
		}
		return pid
	}
	neg := say(r.plainRequest(n, "urn:uuid:c", "shipments"))
	m, err := dsp.Decode[dsp.ContractAgreementMessage](r.wait("/agreement"))
	if err != nil {
		t.Fatal(err)
	}
	n.until(neg, func(n exchange.Negotiation) bool { return n.State == dsp.Agreed })
	say(&dsp.ContractAgreementVerificationMessage{Pids: m.Pids})
	n.until(neg, ended)
	r.wait("/events")
	pids := dsp.Pids{ConsumerPid: "urn:uuid:t"}
	pids.ProviderPid = say(&dsp.TransferRequestMessage{ConsumerPid: pids.ConsumerPid, AgreementID: m.Agreement.ID, Format: catalog.FormatPull, CallbackAddress: r.base()})
	r.wait("/start")
	n.untilTransfer(pids.ProviderPid, func(t exchange.Transfer) bool { return t.State == dsp.Started })
	say(&dsp.TransferSuspensionMessage{Pids: pids})
	r.forget()
	say(&dsp.TransferStartMessage{Pids: pids})
	n.untilTransfer(pids.ProviderPid, func(t exchange.Transfer) bool { return t.State == dsp.Started && t.Pending == dsp.None })
	say(&dsp.TransferTerminationMessage{Pids: pids})
	n.untilTransfer(pids.ProviderPid, over)
	n.only()
	return uint64(n.log.Size())
}

// The version document is plain JSON without a context, for anybody, and leads
// to where the protocol is spoken.
func TestTheVersionDocumentLeadsToTheProtocol(t *testing.T) {
	x, _ := newRefusals(t)
	for _, authorization := range []string{"", "Bearer nonsense"} {
		req := x.request(http.MethodGet, x.n.url()+dsp.VersionPath, "")
		req.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != dsp.MediaType || bytes.Contains(raw, []byte("@context")) {
			t.Fatalf("%d %s %v", resp.StatusCode, raw, err)
		}
		doc, err := dsp.DecodeVersions(raw)
		if err != nil {
			t.Fatal(err)
		}
		v, ok := doc.Find(dsp.Version)
		if !ok || x.n.url()+v.Path != x.n.base() {
			t.Errorf("%s", raw)
		}
	}
	if resp, err := http.Post(x.n.url()+dsp.VersionPath, dsp.MediaType, nil); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a POST: %v", err)
	} else {
		resp.Body.Close()
	}
}

// A peer that writes with prefixes is understood from its first message on.
func TestAPeerThatWritesWithPrefixesIsUnderstood(t *testing.T) {
	n, r := withPlain(t)
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	const names = `{"@context":{"dspace":"https://w3id.org/dspace/2025/1/","odrl":"http://www.w3.org/ns/odrl/2/"},`
	request := fmt.Sprintf(names+`"@type":"dspace:ContractRequestMessage","dspace:consumerPid":{"@id":"urn:uuid:c"},"dspace:callbackAddress":%q,
		"dspace:offer":{"@id":"shipments:offer","@type":"odrl:Offer","odrl:target":{"@id":"shipments"},"odrl:permission":{"odrl:action":{"@id":"odrl:use"}}}}`, r.base())
	for range 2 { // the same bytes again have no second effect
		if a := call(t, n, http.MethodPost, dsp.NegotiationRequestPath, r.token(n), []byte(request)); a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	m, err := dsp.Decode[dsp.ContractAgreementMessage](r.wait("/agreement"))
	if err != nil {
		t.Fatal(err)
	}
	verify := fmt.Sprintf(names+`"@type":"dspace:ContractAgreementVerificationMessage","dspace:providerPid":{"@id":%q},"dspace:consumerPid":{"@id":%q}}`, m.ProviderPid, m.ConsumerPid)
	if a := call(t, n, http.MethodPost, dsp.NegotiationPath(m.ProviderPid)+"/agreement/verification", r.token(n), []byte(verify)); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if neg := n.until(n.only().PID, ended); neg.State != dsp.Finalized {
		t.Errorf("%s", neg.State)
	}
	wide := strings.Replace(request, `"odrl:action"`, `"odrl:refinement":{"odrl:leftOperand":"x"},"odrl:action"`, 1)
	a := call(t, n, http.MethodPost, dsp.NegotiationRequestPath, r.token(n), []byte(wide))
	if a.status != http.StatusBadRequest || !strings.Contains(a.reason(), "refinement") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
