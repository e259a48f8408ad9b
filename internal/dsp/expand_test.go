package dsp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/piprate/json-gold/ld"
	"pgregory.net/rapid"

	"corridor"
)

// prefixes is how peers that write no compact form begin their messages.
const prefixes = `"@context":{"dspace":"https://w3id.org/dspace/2025/1/","odrl":"http://www.w3.org/ns/odrl/2/","dcat":"http://www.w3.org/ns/dcat#","dct":"http://purl.org/dc/terms/","edc":"https://w3id.org/edc/v0.0.1/ns/"},`

func TestMessagesInOtherFormsAreRead(t *testing.T) {
	const plain = `{"@context":["` + ContextURL + `"],"@type":"ContractRequestMessage","consumerPid":"urn:uuid:1","callbackAddress":"https://c.example/dsp",
		"offer":{"@id":"urn:o","@type":"Offer","target":"urn:d","assigner":"did:web:p.example","permission":[{"action":"use","constraint":[{"leftOperand":"dateTime","operator":"lteq","rightOperand":{"@type":"xsd:dateTime","@value":"2026-12-31T00:00:00Z"}}]}]}}`
	want, err := Decode[ContractRequestMessage]([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	const rule = `{"odrl:action":{"@id":"odrl:use"},"odrl:constraint":{"odrl:leftOperand":{"@id":"odrl:dateTime"},"odrl:operator":{"@id":"odrl:lteq"},"odrl:rightOperand":{"@type":"http://www.w3.org/2001/XMLSchema#dateTime","@value":"2026-12-31T00:00:00Z"}}}`
	for name, in := range map[string]string{
		"with prefixes": `{` + prefixes + `"@type":"dspace:ContractRequestMessage","dspace:consumerPid":{"@id":"urn:uuid:1"},"dspace:callbackAddress":"https://c.example/dsp",
			"dspace:offer":{"@id":"urn:o","@type":"odrl:Offer","odrl:target":{"@id":"urn:d"},"odrl:assigner":{"@id":"did:web:p.example"},"odrl:permission":` + rule + `,"odrl:prohibition":[],"odrl:obligation":[]}}`,
		"with prefixes, texts as values": `{` + prefixes + `"@type":["dspace:ContractRequestMessage"],"dspace:consumerPid":{"@value":"urn:uuid:1"},"dspace:callbackAddress":[{"@value":"https://c.example/dsp"}],
			"dspace:offer":[{"@id":"urn:o","@type":"odrl:Offer","odrl:target":"urn:d","odrl:assigner":"did:web:p.example","odrl:permission":[` + rule + `]}]}`,
		"with words as texts": `{` + prefixes + `"@type":"dspace:ContractRequestMessage","dspace:consumerPid":"urn:uuid:1","dspace:callbackAddress":"https://c.example/dsp",
			"dspace:offer":{"@id":"urn:o","@type":"odrl:Offer","odrl:target":"urn:d","odrl:assigner":"did:web:p.example","odrl:permission":` + strings.NewReplacer(`{"@id":"odrl:use"}`, `"odrl:use"`, `{"@id":"odrl:lteq"}`, `"http://www.w3.org/ns/odrl/2/lteq"`).Replace(rule) + `}}`,
		"with the protocol as vocabulary": `{"@context":{"@vocab":"https://w3id.org/dspace/2025/1/","odrl":"http://www.w3.org/ns/odrl/2/"},"@type":"ContractRequestMessage","consumerPid":"urn:uuid:1","callbackAddress":"https://c.example/dsp",
			"offer":{"@id":"urn:o","@type":"odrl:Offer","odrl:target":"urn:d","odrl:assigner":"did:web:p.example","odrl:permission":` + rule + `}}`,
		"with its context and one value where several may stand": strings.NewReplacer(`[{"action"`, `{"action"`, `}}]}]}}`, `}}]}}}`).Replace(plain),
		"with values as objects":                                 strings.NewReplacer(`"urn:uuid:1"`, `{"@id":"urn:uuid:1"}`, `"use"`, `{"@id":"odrl:use"}`, `"https://c.example/dsp"`, `{"@value":"https://c.example/dsp"}`).Replace(plain),
		"with a prefixed operator":                               strings.Replace(plain, `"lteq"`, `"odrl:lteq"`, 1),
		"with other names":                                       strings.NewReplacer(`["`+ContextURL+`"]`, `[{"who":{"@id":"https://w3id.org/dspace/2025/1/consumerPid","@type":"@id"},"kind":"@type"},"`+ContextURL+`"]`, `"consumerPid"`, `"who"`, `"@type":"Offer"`, `"kind":"Offer"`).Replace(plain),
		"with members of another vocabulary":                     strings.Replace(plain, `"consumerPid"`, `"edc:trace":{"edc:id":7,"edc:x":null},"https://example.org/x":"y","consumerPid"`, 1),
		"in full":                                                string(expanded(t, []byte(plain))),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode[ContractRequestMessage]([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range []*ContractRequestMessage{want, got} {
				c := &m.Offer.Permission[0].Constraint[0]
				if right, ok := c.Right(); !ok || !slices.Equal(right, []string{"2026-12-31T00:00:00Z"}) {
					t.Errorf("right operand: %s", c.RightOperand)
				}
			}
			if d := cmp.Diff(want, got, same, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".RightOperand" }, cmp.Ignore())); d != "" {
				t.Error(d)
			}
			if got.Received() != corridor.Digest([]byte(in)) {
				t.Error("the digest is not that of what came")
			}
		})
	}
}

// The prefixed catalogue of a peer that describes its data in vocabularies of
// its own, with a nested catalogue.
func TestACatalogueWithPrefixesIsRead(t *testing.T) {
	in := `{` + prefixes + `"@id":"urn:c","@type":"dcat:Catalog","dspace:participantId":"did:web:p.example","dcat:service":{"@id":"urn:s","@type":"dcat:DataService","dcat:endpointURL":"https://p.example/dsp","dcat:endpointDescription":"dspace:connector"},
		"dcat:dataset":{"@id":"urn:d","@type":"dcat:Dataset","dct:title":[{"@value":"Flights","@language":"en"},{"@value":"航班","@language":"zh"}],"dcat:theme":{"@id":"urn:t"},"edc:id":"d","dct:license":{"@id":"urn:l"},"dct:issued":{"@value":"2026-01-01","@type":"http://www.w3.org/2001/XMLSchema#date"},
			"dct:publisher":{"@id":"urn:p","http://xmlns.com/foaf/0.1/name":"Port"},"odrl:hasPolicy":{"@id":"urn:o","@type":"odrl:Offer","odrl:permission":{"odrl:action":{"@id":"odrl:use"}}},
			"dcat:distribution":[{"@type":"dcat:Distribution","dct:format":{"@id":"HttpData-PULL"},"dcat:accessService":{"@id":"urn:s","@type":"dcat:DataService","dcat:endpointURL":"https://p.example/dsp"}},{"@type":"dcat:Distribution","dct:format":"HttpData-PUSH","dcat:accessService":"urn:s"}]},
		"dcat:catalog":{"@id":"urn:n","@type":"dcat:Catalog","dcat:dataset":[]}}`
	got, err := Decode[Catalog]([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	want := &Catalog{ID: "urn:c", ParticipantID: "did:web:p.example", Service: []DataService{{ID: "urn:s", EndpointURL: "https://p.example/dsp", EndpointDescription: "dspace:connector"}}, Catalog: []Catalog{{ID: "urn:n"}},
		Dataset: []Dataset{{ID: "urn:d", HasPolicy: []Offer{{Policy: Policy{ID: "urn:o", Permission: use}}},
			Distribution: []Distribution{{Format: "HttpData-PULL", AccessService: ServiceRef{ID: "urn:s", Service: &DataService{ID: "urn:s", EndpointURL: "https://p.example/dsp"}}}, {Format: "HttpData-PUSH", AccessService: ServiceRef{ID: "urn:s"}}},
			DCAT:         DCAT{Titles: Texts{{"Flights", "en"}, {"航班", "zh"}}, Theme: Refs{"urn:t"}, License: "urn:l", Issued: "2026-01-01", Publisher: &Agent{ID: "urn:p", Name: "Port"}}}}}
	if d := cmp.Diff(want, got, same); d != "" {
		t.Error(d)
	}
}

func TestFiltersInOtherForms(t *testing.T) {
	const query = `{"@type":"edc:QuerySpec","edc:offset":0,"edc:limit":50,"edc:filterExpression":{"@type":"edc:Criterion","edc:operandLeft":"https://w3id.org/edc/v0.0.1/ns/id","edc:operator":"=","edc:operandRight":"x"}}`
	for in, want := range map[string]string{
		`{"@type":"https://w3id.org/dspace/2025/1/CatalogRequestMessage","https://w3id.org/dspace/2025/1/filter":{}}`: `null`,
		`{` + prefixes + `"@type":"dspace:CatalogRequestMessage"}`:                                                    `null`,
		`{` + prefixes + `"@type":"dspace:CatalogRequestMessage","dspace:filter":` + query + `}`:                      `[{"@type":"QuerySpec","filterExpression":[{"@type":"Criterion","operandLeft":"https://w3id.org/edc/v0.0.1/ns/id","operandRight":"x","operator":"="}],"limit":50,"offset":0}]`,
		`{"@context":["` + ContextURL + `","https://w3id.org/edc/dspace/v0.0.1"],"@type":"dspace:CatalogRequestMessage","dspace:filter":{"@type":"QuerySpec","offset":0,"filterExpression":[{"@type":"Criterion","operandLeft":"a","operator":"=","operandRight":"x"}]}}`: `[{"@type":"QuerySpec","filterExpression":[{"@type":"Criterion","operandLeft":"a","operandRight":"x","operator":"="}],"offset":0}]`,
		`{` + prefixes + `"@type":"dspace:CatalogRequestMessage","dspace:filter":{"odrl:leftOperand":{"@id":"odrl:spatial"},"odrl:operator":{"@id":"odrl:eq"},"odrl:rightOperand":["KZ","CN"]}}`:                                                                          `[{"leftOperand":"spatial","operator":"eq","rightOperand":["KZ","CN"]}]`,
	} {
		m, err := Decode[CatalogRequestMessage]([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got, err := json.Marshal(m.Filter); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}

func TestWhatIsNotExpanded(t *testing.T) {
	const fields = `"@type":"dspace:TransferStartMessage","dspace:providerPid":"p","dspace:consumerPid":"c"`
	const request = `{` + prefixes + `"@type":"dspace:ContractRequestMessage","dspace:consumerPid":"c","dspace:callbackAddress":"https://c.example","dspace:offer":{"@id":"o","@type":"odrl:Offer","odrl:target":"d",%s}}`
	var terms, contexts, nodes strings.Builder
	for i := range maxTerms {
		fmt.Fprintf(&terms, `"t%d":"urn:t",`, i)
	}
	for range maxContexts {
		contexts.WriteString(`{"@context":{}},`)
	}
	for range maxExpanded {
		nodes.WriteString(`{"@id":"x"},`)
	}
	deep := strings.Repeat(`{"@context":{},"edc:x":`, 40) + `1` + strings.Repeat(`}`, 40)
	for _, c := range []struct {
		name, in, where, says string
		kind                  corridor.Kind
		start                 bool
	}{
		{"a context that is not known", `{"@context":["https://evil.example/c.jsonld"],` + fields + `}`, "@context", `"https://evil.example/c.jsonld" at @context[0] is not known here, and contexts are never fetched`, corridor.Invalid, true},
		{"such a context in depth", `{` + prefixes + fields + `,"dspace:dataAddress":{"@context":"http://127.0.0.1/x"}}`, "@context", `"http://127.0.0.1/x" at dspace:dataAddress.@context`, corridor.Invalid, true},
		{"a context by import", `{"@context":{"@import":"` + ContextURL + `"},` + fields + `}`, "@context.@import", "not read here", corridor.Invalid, true},
		{"a context of one name", `{"@context":{"dspace":{"@id":"https://w3id.org/dspace/2025/1/","@context":{"dspace":"urn:x"}}},` + fields + `}`, "@context.dspace.@context", "not read here", corridor.Invalid, true},
		{"a name without meaning", `{"@context":{"dspace":null},` + fields + `}`, "@context.dspace", "does not say", corridor.Invalid, true},
		{"a name that vanishes", `{"@context":{"x":"@nest"},` + fields + `}`, "@context.x", "not read here", corridor.Invalid, true},
		{"another base", `{"@context":{"@base":"https://evil.example/"},` + fields + `}`, "@context.@base", "not read here", corridor.Invalid, true},
		{"a relative vocabulary", `{"@context":{"@vocab":"x"},` + fields + `}`, "@context.@vocab", "not an IRI", corridor.Invalid, true},
		{"a context that is a number", `{"@context":7,` + fields + `}`, "@context", "neither", corridor.Invalid, true},
		{"contexts in contexts", `{"@context":[[]],` + fields + `}`, "@context", "array in an array", corridor.Invalid, true},
		{"a name that means itself", `{"@context":{"a":"b:x","b":"a:x"},` + fields + `}`, "@context", "cannot be expanded", corridor.Invalid, true},
		{"a member in reverse", `{` + prefixes + fields + `,"@reverse":{}}`, "@reverse", "keyword", corridor.Invalid, true},
		{"a graph", `{` + prefixes + `"@graph":[{` + fields + `}]}`, "@graph", "keyword", corridor.Invalid, true},
		{"many names", `{"@context":{` + terms.String() + `"dspace":"https://w3id.org/dspace/2025/1/"},` + fields + `}`, "@context", "more than 256 names", corridor.Limited, true},
		{"many contexts", `{` + prefixes + fields + `,"edc:x":[` + contexts.String() + `1]}`, "", "more than 32 contexts", corridor.Limited, true},
		{"many objects", `{` + prefixes + fields + `,"edc:x":[` + nodes.String() + `1]}`, "", "more than 1000 objects", corridor.Limited, true},
		{"great depth", `{` + prefixes + fields + `,"edc:x":` + deep + `}`, "", "nested deeper", corridor.Limited, true},
		{"two messages", `[{` + prefixes + fields + `},{` + prefixes + fields + `}]`, "", "2 nodes", corridor.Invalid, true},
		{"a member twice under two names", `{` + prefixes + fields + `,"https://w3id.org/dspace/2025/1/consumerPid":"d"}`, "consumerPid", "is not text", corridor.Invalid, true},
		{"a member twice under one", `{` + prefixes + fields + `,"edc:x":1,"edc:x":2}`, "edc:x", "twice", corridor.Invalid, true},
		{"null for a text", `{` + prefixes + strings.Replace(fields, `"c"`, "null", 1) + `}`, "consumerPid", "is null", corridor.Invalid, true},
		{"null for an object", `{` + prefixes + fields + `,"dspace:dataAddress":null}`, "dataAddress", "is null", corridor.Invalid, true},
		{"null for a constraint", fmt.Sprintf(request, `"odrl:permission":{"odrl:action":"odrl:use","odrl:constraint":[null]}`), "offer.permission[0].constraint[0]", "is null", corridor.Invalid, false},
		{"another message", `{` + prefixes + strings.Replace(fields, "Start", "Completion", 1) + `}`, "@type", `"dspace:TransferCompletionMessage" where`, corridor.Invalid, true},
		{"plain members of a prefixed type", `{"@context":"` + ContextURL + `","@type":"dspace:TransferStartMessage","providerPid":"p","consumerPid":"c"}`, "consumerPid", "has no meaning here", corridor.Invalid, true},
		{"a member of our own", `{` + prefixes + fields + `,"corridor:receipt":{}}`, "corridor:receipt", "what is signed is never expanded", corridor.Invalid, true},
		{"a member of our own under another name", `{"@context":[{"proof":"corridor:decision"},"` + ContextURL + `"],"@type":"TransferStartMessage","providerPid":"p","consumerPid":"c","proof":{"outcome":"allow"}}`, "corridor:decision", "under another name", corridor.Invalid, true},
		{"a word that widens, in a rule", fmt.Sprintf(request, `"odrl:permission":{"odrl:action":"odrl:use","odrl:refinement":{"odrl:leftOperand":"x"}}`), "offer.permission[0].odrl:refinement", "prefixed", corridor.Invalid, false},
		{"a plain word that widens, in a rule", fmt.Sprintf(request, `"odrl:permission":{"odrl:action":"odrl:use","refinement":[]}`), "offer.permission[0].refinement", "not allowed here", corridor.Invalid, false},
		{"a plain constraint, which no context defines", fmt.Sprintf(request, `"odrl:permission":{"odrl:action":"odrl:use","constraint":[]}`), "offer.permission.constraint", "has no meaning here", corridor.Invalid, false},
		{"a foreign word in an offer", fmt.Sprintf(request, `"edc:only":"today","odrl:permission":{"odrl:action":"odrl:use"}`), "offer.edc:only", "prefixed", corridor.Invalid, false},
		{"a number to compare with", fmt.Sprintf(request, `"odrl:permission":{"odrl:action":"odrl:use","odrl:constraint":{"odrl:leftOperand":"odrl:count","odrl:operator":"odrl:eq","odrl:rightOperand":5e400}}`), "offer.permission[0].constraint[0].rightOperand", "neither text", corridor.Invalid, false},
		{"an empty constraint", fmt.Sprintf(request, `"odrl:permission":{"odrl:action":"odrl:use","odrl:constraint":{}}`), "offer.permission[0].constraint[0]", "0 forms", corridor.Invalid, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			decode := as[ContractRequestMessage]
			if c.start {
				decode = as[TransferStartMessage]
			}
			_, err := decode([]byte(c.in))
			var e *corridor.Error
			if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Msg, c.says) || c.where != "" && e.Where != c.where {
				t.Errorf("%v", err)
			}
		})
	}
}

// A message that is in the compact form and wrong keeps the error that says
// what is wrong, whatever other contexts it names.
func TestAWrongMessageIsToldWhatIsWrong(t *testing.T) {
	in := strings.Replace(head+offer+`}`, `["`, `["https://example.org/more.jsonld","`, 1)
	in = strings.Replace(in, `"action":"use"`, `"action":""`, 1)
	_, err := Decode[ContractRequestMessage]([]byte(in))
	var e *corridor.Error
	if !errors.As(err, &e) || e.Where != "offer.permission[0].action" {
		t.Error(err)
	}
}

// What both sides signed stays byte for byte: a message with signed members is
// never read from an expansion.
func TestWhatIsSignedIsNeverExpanded(t *testing.T) {
	const signed = `{"key":"k","value":"s"}`
	const compact = `{"@context":["` + ContextURL + `"],"@type":"ContractAgreementMessage","providerPid":"p","consumerPid":"c","agreement":{"@id":"a","@type":"Agreement","target":"d","assigner":"p","assignee":"c","permission":[{"action":"use"}],"corridor:signature":` + signed + `}}`
	m, err := Decode[ContractAgreementMessage]([]byte(compact))
	if err != nil || string(m.Agreement.Signature) != signed {
		t.Fatalf("%s %v", m.Agreement.Signature, err)
	}
	other := strings.Replace(compact, `"permission":[{"action":"use"}]`, `"permission":{"action":"odrl:use"}`, 1)
	if _, err := Decode[ContractAgreementMessage]([]byte(other)); err == nil || !strings.Contains(err.Error(), "is not an array") {
		t.Errorf("a signed agreement was rewritten: %v", err)
	}
	if _, err := Decode[ContractAgreementMessage]([]byte(strings.Replace(other, `,"corridor:signature":`+signed, "", 1))); err != nil {
		t.Errorf("without a signature: %v", err)
	}
}

// expanded is the JSON-LD processor's own view of a message, with the contexts
// as they are published.
func expanded(t interface{ Fatal(...any) }, data []byte) []byte {
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	opts := ld.NewJsonLdOptions("")
	opts.DocumentLoader = published{t}
	list, err := ld.NewJsonLdProcessor().Expand(tree, opts)
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type published struct{ t interface{ Fatal(...any) } }

func (p published) LoadDocument(url string) (*ld.RemoteDocument, error) {
	file := map[string]string{ContextURL: "dspace", "https://w3id.org/dspace/2025/1/odrl-profile.jsonld": "odrl"}[url]
	raw, err := os.ReadFile(schemaDir + "/context/" + file + ".jsonld")
	var doc any
	if err == nil {
		err = json.Unmarshal(raw, &doc)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return &ld.RemoteDocument{DocumentURL: url, Document: doc}, nil
}

// writer puts an expanded message into one of the many forms that mean the
// same: names in full or with prefixes of any name, one value bare or in an
// array, texts bare or as objects.
type writer struct {
	t      *rapid.T
	spaces map[string]string // space to prefix
}

func (w *writer) flip(label string) bool { return rapid.Bool().Draw(w.t, label) }

func (w *writer) name(iri string) string {
	for space, prefix := range w.spaces {
		if local, ok := strings.CutPrefix(iri, space); ok && prefix != "" && w.flip("prefixed") {
			return prefix + ":" + local
		}
	}
	return iri
}

func (w *writer) write(v any) any {
	switch x := v.(type) {
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = w.write(e)
		}
		if len(out) == 1 && w.flip("bare") {
			return out[0]
		}
		return out
	case map[string]any:
		if value, ok := x["@value"]; ok {
			if len(x) == 1 && w.flip("bare value") {
				return value
			}
			return x
		}
		out := map[string]any{}
		for key, e := range x {
			switch key {
			case "@id":
				out[key] = e
			case "@type":
				list := e.([]any)
				out[key] = []any{w.name(list[0].(string))}
				if w.flip("bare type") {
					out[key] = w.name(list[0].(string))
				}
			default:
				out[w.name(key)] = w.write(e)
			}
		}
		return out
	}
	return v
}

func genName(t *rapid.T, label string) string {
	return rapid.StringMatching(`(urn:uuid:|did:web:)?[a-zA-Z][a-zA-Z0-9_.-]{0,9}`).Draw(t, label)
}

func genPlainRules(t *rapid.T, least, duties int) []Rule {
	out := genRules(t, least, duties)
	var tame func(list []Constraint)
	tame = func(list []Constraint) {
		for i := range list {
			if c := &list[i]; c.LeftOperand != "" {
				c.LeftOperand = genName(t, "left")
			}
			for _, l := range [][]Constraint{list[i].And, list[i].Or, list[i].Xone, list[i].AndSequence} {
				tame(l)
			}
		}
	}
	for i := range out {
		out[i].Action = genName(t, "action")
		tame(out[i].Constraint)
		for j := range out[i].Duty {
			out[i].Duty[j].Action = genName(t, "duty")
			tame(out[i].Duty[j].Constraint)
		}
	}
	return out
}

func genMessage(t *rapid.T) (Message, func([]byte) (Message, error)) {
	policy := func(target string) Policy {
		return Policy{ID: genName(t, "id"), Target: target, Assigner: genName(t, "assigner"), Assignee: genName(t, "assignee"), Permission: genPlainRules(t, 1, 1), Prohibition: genPlainRules(t, 0, 0), Obligation: genPlainRules(t, 0, 0)}
	}
	both := Pids{ProviderPid: genName(t, "provider"), ConsumerPid: genName(t, "consumer")}
	address := &DataAddress{EndpointType: "HttpData", Endpoint: "https://c.example/x", EndpointProperties: []EndpointProperty{{Name: genName(t, "name"), Value: genText(t, "value")}}}
	listed := Dataset{ID: genName(t, "dataset"), HasPolicy: []Offer{{Policy: policy("")}}, Distribution: []Distribution{{Format: genName(t, "format"), AccessService: ServiceRef{ID: "urn:s", Service: &DataService{ID: "urn:s", EndpointURL: "https://p.example"}}}},
		DCAT: DCAT{Titles: Texts{{"t", "en"}}, Theme: Refs{"urn:t"}, License: "urn:l", Issued: "2026-01-01", Spatial: Refs{"urn:kz", "urn:cn"}}}
	reason := Reasons{genText(t, "reason")}
	messages := []sample{
		{"", "", &ContractRequestMessage{ConsumerPid: both.ConsumerPid, CallbackAddress: "https://c.example/dsp", Offer: Offer{Policy: policy("urn:d")}}, as[ContractRequestMessage]},
		{"", "", &ContractOfferMessage{ProviderPid: both.ProviderPid, ConsumerPid: both.ConsumerPid, Offer: Offer{Policy: policy("urn:d")}}, as[ContractOfferMessage]},
		{"", "", &ContractAgreementMessage{Pids: both, Agreement: Agreement{Policy: policy("urn:d"), Timestamp: "2026-11-24T09:30:00Z"}}, as[ContractAgreementMessage]},
		{"", "", &ContractAgreementVerificationMessage{Pids: both}, as[ContractAgreementVerificationMessage]},
		{"", "", &ContractNegotiationEventMessage{Pids: both, EventType: Accepted}, as[ContractNegotiationEventMessage]},
		{"", "", &ContractNegotiationTerminationMessage{Pids: both, Code: genText(t, "code"), Reason: reason}, as[ContractNegotiationTerminationMessage]},
		{"", "", &ContractNegotiation{Pids: both, State: Agreed}, as[ContractNegotiation]},
		{"", "", &ContractNegotiationError{Pids: both, Code: "c", Reason: reason}, as[ContractNegotiationError]},
		{"", "", &TransferRequestMessage{ConsumerPid: both.ConsumerPid, AgreementID: genName(t, "agreement"), Format: "HttpData-PUSH", CallbackAddress: "https://c.example/dsp", DataAddress: address}, as[TransferRequestMessage]},
		{"", "", &TransferStartMessage{Pids: both, DataAddress: address}, as[TransferStartMessage]},
		{"", "", &TransferCompletionMessage{Pids: both}, as[TransferCompletionMessage]},
		{"", "", &TransferSuspensionMessage{Pids: both, Code: "c", Reason: reason}, as[TransferSuspensionMessage]},
		{"", "", &TransferTerminationMessage{Pids: both}, as[TransferTerminationMessage]},
		{"", "", &TransferProcess{Pids: both, State: Started}, as[TransferProcess]},
		{"", "", &TransferError{Pids: both, Code: "c"}, as[TransferError]},
		{"", "", &CatalogError{Code: "c", Reason: reason}, as[CatalogError]},
		{"", "", &DatasetRequestMessage{Dataset: genName(t, "dataset")}, as[DatasetRequestMessage]},
		{"", "", &Catalog{ID: genName(t, "catalog"), ParticipantID: genName(t, "participant"), Service: []DataService{{ID: "urn:s", EndpointURL: "https://p.example"}}, Dataset: []Dataset{listed}, Catalog: []Catalog{{ID: "urn:n", Dataset: []Dataset{listed}}}}, as[Catalog]},
		{"", "", &listed, as[Dataset]},
	}
	m := messages[rapid.IntRange(0, len(messages)-1).Draw(t, "message")]
	return m.m, m.decode
}

// Whatever form a message is written in, it is read as the same message as its
// compact form.
func TestEveryFormOfAMessageReadsAsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, decode := genMessage(t)
		compact, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		want, err := decode(compact)
		if err != nil {
			t.Fatal(err)
		}
		var tree any
		if err := json.Unmarshal(expanded(t, compact), &tree); err != nil {
			t.Fatal(err)
		}
		w := &writer{t: t, spaces: map[string]string{}}
		context := map[string]any{}
		for i, space := range []string{"https://w3id.org/dspace/2025/1/", "http://www.w3.org/ns/odrl/2/", "http://www.w3.org/ns/dcat#", "http://purl.org/dc/terms/"} {
			w.spaces[space] = rapid.SampledFrom([]string{"", fmt.Sprintf("p%d", i), []string{"dspace", "odrl", "dcat", "dct"}[i]}).Draw(t, "prefix")
			if w.spaces[space] != "" {
				context[w.spaces[space]] = space
			}
		}
		doc := w.write(tree.([]any)[0]).(map[string]any)
		if len(context) > 0 {
			doc["@context"] = context
		}
		variant, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(variant)
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, compact, variant)
		}
		if d := cmp.Diff(want, got, same); d != "" {
			t.Fatalf("%s\n%s", d, variant)
		}
	})
}

// The processor's documents are shared: many messages are expanded at once.
func TestManyMessagesAreExpandedAtOnce(t *testing.T) {
	in := []byte(strings.Replace(head+offer+`}`, `"action":"use"`, `"action":{"@id":"odrl:use"}`, 1))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if _, err := Decode[ContractRequestMessage](in); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// The compact form does not pay for the others.
func TestTheCompactFormCostsWhatItCost(t *testing.T) {
	raw, err := Encode(&ContractRequestMessage{ConsumerPid: "urn:c", Offer: Offer{Policy: richPolicy()}, CallbackAddress: "https://c.example/dsp"})
	if err != nil {
		t.Fatal(err)
	}
	strict := testing.AllocsPerRun(50, func() {
		m, err := decodeStrict[ContractRequestMessage](raw)
		if err != nil {
			t.Fatal(err)
		}
		m.received(raw)
	})
	whole := testing.AllocsPerRun(50, func() {
		if _, err := Decode[ContractRequestMessage](raw); err != nil {
			t.Fatal(err)
		}
	})
	if whole != strict {
		t.Errorf("%v allocations, %v by the strict reader alone", whole, strict)
	}
}

// FuzzExpanded throws foreign bytes at the expansion: no panic, and what is
// read can be written in the compact form and reads back the same.
func FuzzExpanded(f *testing.F) {
	for _, s := range samples() {
		raw, err := Encode(s.m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(expanded(f, raw))
		f.Add(bytes.ReplaceAll(raw, []byte(`"@type":"`), []byte(`"@type":"dspace:`)))
	}
	f.Add([]byte(`{` + prefixes + `"@type":"dspace:TransferStartMessage","dspace:providerPid":{"@list":["p"]},"dspace:consumerPid":{"@set":["c"]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		refused := corridor.E(corridor.Invalid, "by the strict reader")
		for _, typ := range []func() (Message, error){
			func() (Message, error) { return tolerant[ContractRequestMessage](data, refused) },
			func() (Message, error) { return tolerant[ContractAgreementMessage](data, refused) },
			func() (Message, error) { return tolerant[TransferStartMessage](data, refused) },
			func() (Message, error) { return tolerant[CatalogRequestMessage](data, refused) },
			func() (Message, error) { return tolerant[Catalog](data, refused) },
		} {
			m, err := typ()
			if err != nil {
				if k := corridor.KindOf(err); k != corridor.Invalid && k != corridor.Limited {
					t.Fatal(err)
				}
				continue
			}
			raw, err := Encode(m)
			if err != nil && strings.Contains(err.Error(), "timestamp") {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			back := reflect.New(reflect.TypeOf(m).Elem()).Interface()
			if err := decodeInto(raw, MaxCatalog, back); err != nil {
				t.Fatalf("%v\n%s", err, raw)
			}
			if d := cmp.Diff(m, back, same); d != "" {
				t.Fatal(d)
			}
		}
	})
}

func tolerant[T any, P interface {
	*T
	Message
}](data []byte, strict error) (Message, error) {
	m, err := decodeTolerant[T, P](data, strict)
	if err != nil {
		return nil, err
	}
	return P(m), nil
}

func BenchmarkDecodePrefixed(b *testing.B) {
	m := &ContractRequestMessage{ConsumerPid: "urn:c", Offer: Offer{Policy: richPolicy()}, CallbackAddress: "https://c.example/dsp"}
	raw, err := Encode(m)
	if err != nil {
		b.Fatal(err)
	}
	benchDecode[ContractRequestMessage](b, expanded(b, raw), true)
}

// A catalogue page at the limit of what is expanded, in the form that asks for
// the most work: every node brings a context of its type.
func BenchmarkDecodeCatalogAtTheLimit(b *testing.B) {
	cat := &Catalog{ID: "urn:c", ParticipantID: "did:web:p.example"}
	for i := range (maxExpandedCatalog - 1) / 5 {
		cat.Dataset = append(cat.Dataset, Dataset{ID: fmt.Sprintf("urn:%d", i), HasPolicy: []Offer{{Policy: Policy{ID: "urn:o", Permission: []Rule{{Action: "odrl:use"}}}}},
			Distribution: []Distribution{{Format: "HttpData-PULL", AccessService: ServiceRef{ID: "urn:s"}}}})
	}
	raw, err := Encode(cat)
	if err != nil {
		b.Fatal(err)
	}
	benchDecode[Catalog](b, bytes.ReplaceAll(raw, []byte(`"odrl:use"`), []byte(`{"@id":"odrl:use"}`)), true)
}

// A message that is refused by both readers.
func BenchmarkDecodeRefused(b *testing.B) {
	benchDecode[ContractRequestMessage](b, []byte(head+offer+`,"odrl:x":{"odrl:y":[1,2,3]}}`), false)
}

func benchDecode[T any, P interface {
	*T
	Message
}](b *testing.B, raw []byte, read bool) {
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode[T, P](raw); (err == nil) != read {
			b.Fatal(err)
		}
	}
}
