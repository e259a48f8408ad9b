package dsp

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"corridor"
)

const schemaDir = "../../schema/dsp/2025-1"

// schemas compiles the protocol's published schemas. One family of references
// is published without the slash of a JSON pointer; it is mended in memory.
func schemas(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	files, err := filepath.Glob(schemaDir + "/*/*-schema.json")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d schemas found, %v", len(files), err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		raw = bytes.ReplaceAll(raw, []byte("#definitions/"), []byte("#/definitions/"))
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		id, _ := doc.(map[string]any)["$id"].(string)
		if err := c.AddResource(id, doc); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
	}
	return c
}

func satisfies(t *testing.T, c *jsonschema.Compiler, schema string, raw []byte) error {
	t.Helper()
	s, err := c.Compile("https://w3id.org/dspace/2025/1/" + schema)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

var (
	pids = Pids{ProviderPid: "urn:uuid:prov", ConsumerPid: "urn:uuid:cons"}
	use  = []Rule{{Action: "use"}}
	why  = Reasons{"too late", "<and> & so on"}
	ext  = Extensions{Decision: json.RawMessage(`{"outcome":"allow"}`), Receipts: json.RawMessage(`[1,2]`)}
)

func richPolicy() Policy {
	return Policy{
		ID: "urn:uuid:offer", Target: "urn:uuid:data", Assigner: "did:web:p.example", Assignee: "did:web:c.example", Profile: Strings{"https://corridor.example/profile"},
		Permission: []Rule{{Action: "use", Constraint: []Constraint{
			Compare("purpose", IsAnyOf, "statistics"),
			{And: []Constraint{Compare("spatial", Eq, "KZ"), {Or: []Constraint{Compare("count", Lteq, "5"), Compare("dateTime", Lt, "2026-12-31T00:00:00Z")}}}},
			{LeftOperand: "recipient", Operator: IsNoneOf, RightOperand: json.RawMessage(`["a","b"]`)},
			{LeftOperand: "count", Operator: Lteq, RightOperand: json.RawMessage(`{"@type":"xsd:int","@value":"5"}`)},
			{Xone: []Constraint{Compare("a", Eq, "b")}}, {AndSequence: []Constraint{Compare("a", Neq, "b")}},
		}, Duty: []Rule{{Action: "delete", Constraint: []Constraint{Compare("elapsedTime", Gteq, "P30D")}}}}},
		Prohibition: []Rule{{Action: "transfer"}},
		Obligation:  []Rule{{Action: "inform"}},
	}
}

func listed() Offer {
	p := richPolicy()
	p.Target = ""
	return Offer{Policy: p, Extensions: Extensions{Obligations: json.RawMessage(`["drop"]`)}}
}

func dataset(id string) Dataset {
	return Dataset{ID: id, Title: "Flights", Description: "d", Keyword: Strings{"a", "b"}, HasPolicy: []Offer{listed()},
		Distribution: []Distribution{
			{Format: "HttpData-PULL", AccessService: ServiceRef{ID: "urn:uuid:service"}},
			{Format: "HttpData-PULL", AccessService: ServiceRef{ID: "urn:s", Service: &DataService{ID: "urn:s", EndpointURL: "https://p.example/dsp"}}, HasPolicy: []Offer{listed()}},
		}, Extensions: Extensions{Facts: json.RawMessage(`{"x":1}`)}}
}

type sample struct {
	name, schema string
	m            Message
	decode       func([]byte) (Message, error)
}

func as[T any, P interface {
	*T
	Message
}](data []byte) (Message, error) {
	m, err := Decode[T, P](data)
	if err != nil {
		return nil, err
	}
	return P(m), nil
}

// samples holds every message that Corridor can send, full and bare.
func samples() []sample {
	offer := Offer{Policy: richPolicy(), Extensions: ext}
	bare := Offer{Policy: Policy{ID: "urn:o", Target: "urn:d", Permission: use}}
	agreement := Agreement{Policy: richPolicy(), Timestamp: "2026-11-24T09:30:00Z", Extensions: Extensions{Signatures: json.RawMessage(`[{"key":"k"}]`)}}
	const cb = "https://c.example/dsp"
	set := dataset("urn:d")
	return []sample{
		{"catalogue request", "catalog/catalog-request-message-schema.json", &CatalogRequestMessage{}, as[CatalogRequestMessage]},
		{"catalogue request with filter", "catalog/catalog-request-message-schema.json", &CatalogRequestMessage{Filter: []json.RawMessage{json.RawMessage(`{"q":1}`)}}, as[CatalogRequestMessage]},
		{"dataset request", "catalog/dataset-request-message-schema.json", &DatasetRequestMessage{Dataset: "urn:d"}, as[DatasetRequestMessage]},
		{"empty catalogue", "catalog/catalog-schema.json", &Catalog{ID: "urn:c", ParticipantID: "did:web:p.example"}, as[Catalog]},
		{"catalogue", "catalog/catalog-schema.json", &Catalog{ID: "urn:c", ParticipantID: "did:web:p.example", Title: "t", Service: []DataService{{ID: "urn:s", EndpointURL: cb, EndpointDescription: "dspace:connector"}},
			Dataset: []Dataset{dataset("urn:1"), dataset("urn:2")}, Catalog: []Catalog{{ID: "urn:c2", Dataset: []Dataset{dataset("urn:3")}}},
			Distribution: []Distribution{{Format: "f", AccessService: ServiceRef{ID: "urn:s"}}}, Extensions: Extensions{Participant: json.RawMessage(`{"jurisdiction":"KZ"}`)}}, as[Catalog]},
		{"dataset", "catalog/dataset-schema.json", &set, as[Dataset]},
		{"catalogue error", "catalog/catalog-error-schema.json", &CatalogError{Code: "not_found", Reason: why}, as[CatalogError]},
		{"bare catalogue error", "catalog/catalog-error-schema.json", &CatalogError{}, as[CatalogError]},
		{"first contract request", "negotiation/contract-request-message-schema.json", &ContractRequestMessage{ConsumerPid: "urn:c", Offer: offer, CallbackAddress: cb, Extensions: ext}, as[ContractRequestMessage]},
		{"counter-request", "negotiation/contract-request-message-schema.json", &ContractRequestMessage{ConsumerPid: "urn:c", ProviderPid: "urn:p", Offer: bare}, as[ContractRequestMessage]},
		{"first offer", "negotiation/contract-offer-message-schema.json", &ContractOfferMessage{ProviderPid: "urn:p", Offer: bare, CallbackAddress: cb}, as[ContractOfferMessage]},
		{"counter-offer", "negotiation/contract-offer-message-schema.json", &ContractOfferMessage{ProviderPid: "urn:p", ConsumerPid: "urn:c", Offer: offer}, as[ContractOfferMessage]},
		{"agreement", "negotiation/contract-agreement-message-schema.json", &ContractAgreementMessage{Pids: pids, Agreement: agreement, Extensions: ext}, as[ContractAgreementMessage]},
		{"verification", "negotiation/contract-agreement-verification-message-schema.json", &ContractAgreementVerificationMessage{Pids: pids, Extensions: ext}, as[ContractAgreementVerificationMessage]},
		{"accepted", "negotiation/contract-negotiation-event-message-schema.json", &ContractNegotiationEventMessage{Pids: pids, EventType: Accepted}, as[ContractNegotiationEventMessage]},
		{"finalized", "negotiation/contract-negotiation-event-message-schema.json", &ContractNegotiationEventMessage{Pids: pids, EventType: Finalized}, as[ContractNegotiationEventMessage]},
		{"negotiation termination", "negotiation/contract-negotiation-termination-message-schema.json", &ContractNegotiationTerminationMessage{Pids: pids, Code: "refused_by_law", Reason: why}, as[ContractNegotiationTerminationMessage]},
		{"bare negotiation termination", "negotiation/contract-negotiation-termination-message-schema.json", &ContractNegotiationTerminationMessage{Pids: pids}, as[ContractNegotiationTerminationMessage]},
		{"negotiation", "negotiation/contract-negotiation-schema.json", &ContractNegotiation{Pids: pids, State: Agreed}, as[ContractNegotiation]},
		{"negotiation error", "negotiation/contract-negotiation-error-schema.json", &ContractNegotiationError{Pids: pids, Code: "conflict", Reason: why}, as[ContractNegotiationError]},
		{"negotiation error without pids", "negotiation/contract-negotiation-error-schema.json", &ContractNegotiationError{}, as[ContractNegotiationError]},
		{"transfer request", "transfer/transfer-request-message-schema.json", &TransferRequestMessage{ConsumerPid: "urn:c", AgreementID: "urn:a", Format: "HttpData-PULL", CallbackAddress: cb}, as[TransferRequestMessage]},
		{"push transfer request", "transfer/transfer-request-message-schema.json", &TransferRequestMessage{ConsumerPid: "urn:c", AgreementID: "urn:a", Format: "HttpData-PUSH", CallbackAddress: cb, DataAddress: BearerAddress("https://c.example/in", "t")}, as[TransferRequestMessage]},
		{"start", "transfer/transfer-start-message-schema.json", &TransferStartMessage{Pids: pids, DataAddress: BearerAddress("https://p.example/data/1", "tok"), Extensions: ext}, as[TransferStartMessage]},
		{"bare start", "transfer/transfer-start-message-schema.json", &TransferStartMessage{Pids: pids}, as[TransferStartMessage]},
		{"start with a bare address", "transfer/transfer-start-message-schema.json", &TransferStartMessage{Pids: pids, DataAddress: &DataAddress{EndpointType: "x"}}, as[TransferStartMessage]},
		{"completion", "transfer/transfer-completion-message-schema.json", &TransferCompletionMessage{Pids: pids, Extensions: ext}, as[TransferCompletionMessage]},
		{"suspension", "transfer/transfer-suspension-message-schema.json", &TransferSuspensionMessage{Pids: pids, Code: "c", Reason: why}, as[TransferSuspensionMessage]},
		{"transfer termination", "transfer/transfer-termination-message-schema.json", &TransferTerminationMessage{Pids: pids, Code: "c", Reason: why}, as[TransferTerminationMessage]},
		{"transfer process", "transfer/transfer-process-schema.json", &TransferProcess{Pids: pids, State: Suspended}, as[TransferProcess]},
		{"transfer error", "transfer/transfer-error-schema.json", &TransferError{Pids: pids, Code: "c", Reason: why}, as[TransferError]},
	}
}

var same = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreUnexported(Extensions{}),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Raw" }, cmp.Ignore()),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Context" }, cmp.Ignore()),
}

func TestEveryOutboundMessageSatisfiesThePublishedSchemaAndReadsBack(t *testing.T) {
	c := schemas(t)
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			raw, err := Encode(s.m)
			if err != nil {
				t.Fatal(err)
			}
			if err := satisfies(t, c, s.schema, raw); err != nil {
				t.Errorf("%v\n%s", err, raw)
			}
			if !bytes.Contains(raw, []byte(`"@context":["`+ContextURL+`"]`)) || bytes.Count(raw, []byte("@context")) != 1 {
				t.Errorf("context: %s", raw)
			}
			if bytes.Contains(raw, []byte("null")) || bytes.Contains(raw, []byte("[]")) || bytes.Contains(raw, []byte(`\u003c`)) {
				t.Errorf("null, empty array or needless escape: %s", raw)
			}
			back, err := s.decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(s.m, back, same); d != "" {
				t.Error(d)
			}
			if back.Type() != s.m.Type() || !strings.HasPrefix(string(back.Type()), reflect.TypeOf(s.m).Elem().Name()) {
				t.Errorf("type %q", back.Type())
			}
			again, err := Encode(back)
			if err != nil || !bytes.Equal(raw, again) {
				t.Errorf("written again: %v\n%s\n%s", err, raw, again)
			}
		})
	}
}

// A bad sample must fail the schema, or the oracle would be asleep.
func TestTheOracleIsAwake(t *testing.T) {
	c := schemas(t)
	for schema, bad := range map[string]string{
		"negotiation/contract-negotiation-schema.json": `{"@context":["` + ContextURL + `"],"@type":"ContractNegotiation","providerPid":"a","consumerPid":"b","state":"NEARLY"}`,
		"transfer/transfer-error-schema.json":          `{"@context":["` + ContextURL + `"],"@type":"TransferError","providerPid":"a"}`,
		"catalog/catalog-request-message-schema.json":  `{"@context":"` + ContextURL + `","@type":"CatalogRequestMessage"}`,
	} {
		if satisfies(t, c, schema, []byte(bad)) == nil {
			t.Errorf("%s accepts %s", schema, bad)
		}
	}
}

func TestThePublishedExamplesAreRead(t *testing.T) {
	byType := map[string]func([]byte) (Message, error){}
	for _, s := range samples() {
		byType[reflect.TypeOf(s.m).Elem().Name()] = s.decode
	}
	files, err := filepath.Glob(schemaDir + "/*/example/*.json")
	if err != nil || len(files) < 24 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	read := 0
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var head struct {
			Type string `json:"@type"`
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(f)
		switch {
		case name == "protocol-version.json":
			if _, err := DecodeVersions(raw); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			read++
		case byType[head.Type] != nil:
			m, err := byType[head.Type](raw)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if _, err := Encode(m); err != nil {
				t.Errorf("%s: cannot be written again: %v", name, err)
			}
			read++
		default:
			t.Logf("%s: no message of ours (%s)", name, head.Type)
		}
	}
	if read < 23 {
		t.Errorf("%d examples read", read)
	}
}

func TestAnAgreementKeepsItsBytes(t *testing.T) {
	const agreement = `{ "@type":"Agreement", "@id":"urn:a","target":"urn:d", "assigner":"p","assignee":"c","unknown":[1.5],"permission":[{"action":"use"}]}`
	m, err := Decode[ContractAgreementMessage]([]byte(`{"@context":"` + ContextURL + `","@type":"ContractAgreementMessage","providerPid":"p","consumerPid":"c","agreement":` + agreement + ` }`))
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Agreement.Raw) != agreement {
		t.Errorf("raw: %s", m.Agreement.Raw)
	}
	if _, err := Encode(m); err == nil || !strings.Contains(err.Error(), "agreement.timestamp") {
		t.Errorf("an own agreement without timestamp: %v", err)
	}
}

func TestWireTypesAlsoReadPlainJSON(t *testing.T) {
	for _, s := range samples() {
		raw, err := Encode(s.m)
		if err != nil {
			t.Fatal(err)
		}
		back := reflect.New(reflect.TypeOf(s.m).Elem()).Interface()
		if err := json.Unmarshal(raw, back); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if d := cmp.Diff(s.m, back, same); d != "" {
			t.Errorf("%s: %s", s.name, d)
		}
	}
	if err := json.Unmarshal([]byte(`{"@type":"Agreement"}`), &Offer{}); err == nil {
		t.Error("an agreement was read as an offer")
	}
	if err := json.Unmarshal([]byte(`{"@context":"https://other.example"}`), &ContractNegotiation{}); err == nil {
		t.Error("another context was read")
	}
}

func TestErrorBodies(t *testing.T) {
	law := &corridor.Error{Kind: corridor.RefusedByLaw, Msg: "refused", Where: "offer.target", Why: "the law", Fix: "ask", Err: errors.New("secret detail"),
		Cites: []corridor.Citation{{Instrument: "kz-pdl", Article: "16", Title: corridor.Text{EN: "Law on Personal Data"}}, {Instrument: "x", Article: "1"}}}
	for _, c := range []struct {
		name   string
		what   Type
		err    error
		typ    Type
		code   string
		reason Reasons
	}{
		{"the law's refusal cites", TypeContractRequest, law, TypeNegError, "refused_by_law", Reasons{"offer.target: refused", "the law", "ask", "Law on Personal Data 16", "x 1"}},
		{"a transfer's error", TypeCompletion, corridor.E(corridor.Conflict, "not now"), TypeTransferError, "conflict", Reasons{"not now"}},
		{"a catalogue's error", TypeDataset, corridor.E(corridor.NotFound, "none"), TypeCatalogError, "not_found", Reasons{"none"}},
		{"an internal error tells nothing", TypeVerification, errors.New("disk /dev/sda"), TypeNegError, "internal", Reasons{"internal error"}},
		{"an error without words", TypeVerification, &corridor.Error{Kind: corridor.Gone}, TypeNegError, "gone", Reasons{"gone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := ErrorBody(c.what, "p", "c", c.err)
			raw, err := Encode(m)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Code   string
				Reason Reasons
			}
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			if m.Type() != c.typ || got.Code != c.code || !reflect.DeepEqual(got.Reason, c.reason) || strings.Contains(string(raw), "secret") {
				t.Errorf("%s %s", m.Type(), raw)
			}
		})
	}
	if k, ok := KindFromCode("conflict"); !ok || k != corridor.Conflict {
		t.Error("code")
	}
	if _, ok := KindFromCode("4711"); ok {
		t.Error("foreign code")
	}
}

func TestNoPathChangesTheHost(t *testing.T) {
	for path, want := range map[string]string{
		"":               "https://x.example/root",
		"/":              "https://x.example/root/",
		"/2025-1":        "https://x.example/root/2025-1",
		"2025-1":         "https://x.example/root/2025-1",
		"@evil.example":  "https://x.example/root/@evil.example",
		"//evil.example": "https://x.example/root/evil.example",
	} {
		if got := Join("https://x.example/root/", path); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
	if got := Join("https://x.example", "@evil.example/x"); got != "https://x.example/@evil.example/x" {
		t.Error(got)
	}
}

func TestPaths(t *testing.T) {
	p := pids
	for _, c := range []struct {
		m    Message
		to   Role
		want string
	}{
		{&CatalogRequestMessage{}, Provider, "/catalog/request"},
		{&ContractRequestMessage{ConsumerPid: "c"}, Provider, "/negotiations/request"},
		{&ContractRequestMessage{ConsumerPid: "c", ProviderPid: "p/1"}, Provider, "/negotiations/p%2F1/request"},
		{&ContractOfferMessage{ProviderPid: "p"}, Consumer, "/negotiations/offers"},
		{&ContractOfferMessage{ProviderPid: "p", ConsumerPid: "c"}, Consumer, "/negotiations/c/offers"},
		{&ContractAgreementMessage{Pids: p}, Consumer, "/negotiations/urn:uuid:cons/agreement"},
		{&ContractAgreementVerificationMessage{Pids: p}, Provider, "/negotiations/urn:uuid:prov/agreement/verification"},
		{&ContractNegotiationEventMessage{Pids: p, EventType: Accepted}, Provider, "/negotiations/urn:uuid:prov/events"},
		{&ContractNegotiationEventMessage{Pids: p, EventType: Finalized}, Consumer, "/negotiations/urn:uuid:cons/events"},
		{&ContractNegotiationTerminationMessage{Pids: p}, Consumer, "/negotiations/urn:uuid:cons/termination"},
		{&TransferRequestMessage{ConsumerPid: "c"}, Provider, "/transfers/request"},
		{&TransferStartMessage{Pids: p}, Consumer, "/transfers/urn:uuid:cons/start"},
		{&TransferCompletionMessage{Pids: p}, Provider, "/transfers/urn:uuid:prov/completion"},
		{&TransferSuspensionMessage{Pids: p}, Provider, "/transfers/urn:uuid:prov/suspension"},
		{&TransferTerminationMessage{Pids: p}, Consumer, "/transfers/urn:uuid:cons/termination"},
		{&ContractNegotiation{Pids: p}, Consumer, ""},
		{&TransferStartMessage{}, Consumer, ""},
	} {
		if got := PathFor(c.m, c.to); got != c.want {
			t.Errorf("%s: %q, want %q", c.m.Type(), got, c.want)
		}
	}
	if got := Join("https://x.example/dsp/", TransferPath("a?b")); got != "https://x.example/dsp/transfers/a%3Fb" {
		t.Error(got)
	}
	if DatasetPath("a b")+NegotiationPath("n") != "/catalog/datasets/a%20b/negotiations/n" {
		t.Error("paths")
	}
}
