package dsp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"corridor"
)

const (
	head  = `{"@context":["` + ContextURL + `"],"@type":"ContractRequestMessage","consumerPid":"c","callbackAddress":"https://c.example",`
	offer = `"offer":{"@id":"o","@type":"Offer","target":"d","permission":[{"action":"use"}]}`
)

func withOffer(rest string) string {
	return head + `"offer":{"@id":"o","@type":"Offer","target":"d",` + rest + `}}`
}

func withConstraint(c string) string {
	return withOffer(`"permission":[{"action":"use","constraint":[` + c + `]}]`)
}

func TestWhatIsRefusedNamesTheField(t *testing.T) {
	deep := strings.Repeat(`{"and":[`, 20) + `{"leftOperand":"a","operator":"eq","rightOperand":"b"}` + strings.Repeat(`]}`, 20)
	for _, c := range []struct {
		name, in, where, msg string
		kind                 corridor.Kind
	}{
		{"text that is not JSON", `{"a":}`, "", "not JSON", corridor.Invalid},
		{"half a message", head, "", "not JSON", corridor.Invalid},
		{"two messages", head + offer + `}{}`, "", "not JSON", corridor.Invalid},
		{"bytes that are not UTF-8", "{\"a\":\"\xff\"}", "", "not UTF-8", corridor.Invalid},
		{"an array", `[]`, "", "not a JSON object", corridor.Invalid},
		{"null", `null`, "", "not a JSON object", corridor.Invalid},
		{"no context", `{"@type":"ContractRequestMessage","consumerPid":"c"}`, "@context", "is missing", corridor.Invalid},
		{"another context", `{"@context":["https://w3id.org/dspace/2024/1/context.json"],"@type":"ContractRequestMessage"}`, "@context", "does not hold the context", corridor.Invalid},
		{"an inline context with parts elsewhere", `{"@context":[{"@import":"https://example.org/more.jsonld"},"` + ContextURL + `"],"@type":"ContractRequestMessage"}`, "@context[0].@import", "not read here", corridor.Invalid},
		{"no type", `{"@context":"` + ContextURL + `","consumerPid":"c"}`, "@type", "is missing", corridor.Invalid},
		{"another type", `{"@context":"` + ContextURL + `","@type":"ContractOfferMessage"}`, "@type", `is "ContractOfferMessage" where "ContractRequestMessage" belongs`, corridor.Invalid},
		{"a prefixed type", `{"@context":"` + ContextURL + `","@type":"dspace:ContractRequestMessage","consumerPid":"c"}`, "consumerPid", "has no meaning here", corridor.Invalid},
		{"a prefixed key", head + offer + `,"dspace:state":"x"}`, "dspace:state", "prefixed or full-IRI key", corridor.Invalid},
		{"a full-IRI key in depth", withOffer(`"permission":[{"action":"use","http://www.w3.org/ns/odrl/2/refinement":[]}]`), "offer.permission[0].odrl:refinement", "prefixed or full-IRI", corridor.Invalid},
		{"a prefixed key inside something unknown", head + offer + `,"x":[{"odrl:y":1}]}`, "x[0].odrl:y", "prefixed", corridor.Invalid},
		{"a key twice", head + offer + `,"consumerPid":"d"}`, "consumerPid", "occurs twice", corridor.Invalid},
		{"a key twice by escape", head + offer + `,"consumer\u0050id":"d"}`, "consumerPid", "occurs twice", corridor.Invalid},
		{"an unknown key twice", head + offer + `,"x":{"a":1,"a":2}}`, "x.a", "occurs twice", corridor.Invalid},
		{"a key twice in an extension", head + offer + `,"corridor:facts":{"a":{"b:c":1,"b:c":2}}}`, "corridor:facts.a.b:c", "occurs twice", corridor.Invalid},
		{"a number for text", head + `"offer":{"@id":7}}`, "offer.@id", "is not text", corridor.Invalid},
		{"text for an object", head + `"offer":"o"}`, "offer", "is not an object", corridor.Invalid},
		{"text for an array", withOffer(`"permission":"use"`), "offer.permission", "is not an array", corridor.Invalid},
		{"null for a member", head + `"offer":null}`, "offer", "is null", corridor.Invalid},
		{"null for an unwanted member", head + offer + `,"providerPid":null}`, "providerPid", "is null", corridor.Invalid},
		{"an object for the action", withOffer(`"permission":[{"action":"use"},{"action":{"rdf":1}}]`), "offer.permission[1].action", "is not text", corridor.Invalid},
		{"no action", withOffer(`"permission":[{}]`), "offer.permission[0].action", "missing or empty", corridor.Invalid},
		{"no rule", withOffer(`"obligation":[{"action":"use"}]`), "offer", "neither a permission nor a prohibition", corridor.Invalid},
		{"no target", head + `"offer":{"@id":"o","permission":[{"action":"use"}]}}`, "offer.target", "missing", corridor.Invalid},
		{"no id", head + `"offer":{"target":"o","permission":[{"action":"use"}]}}`, "offer.@id", "missing", corridor.Invalid},
		{"a target on a rule", withOffer(`"permission":[{"action":"use","target":"x"}]`), "offer.permission[0].target", "not allowed here", corridor.Invalid},
		{"a refinement", withOffer(`"permission":[{"action":"use","refinement":[]}]`), "offer.permission[0].refinement", "not allowed here", corridor.Invalid},
		{"a unit on a constraint", withConstraint(`{"leftOperand":"a","operator":"eq","rightOperand":"b","unit":"kg"}`), "offer.permission[0].constraint[0].unit", "not allowed here", corridor.Invalid},
		{"a number on the right", withConstraint(`{"leftOperand":"count","operator":"eq","rightOperand":5}`), "offer.permission[0].constraint[0].rightOperand", "neither text, object nor array", corridor.Invalid},
		{"nothing on the right", withConstraint(`{"leftOperand":"count","operator":"eq"}`), "offer.permission[0].constraint[0].rightOperand", "is missing", corridor.Invalid},
		{"null on the right", withConstraint(`{"leftOperand":"count","operator":"eq","rightOperand":null}`), "offer.permission[0].constraint[0].rightOperand", "is null", corridor.Invalid},
		{"nothing on the left", withConstraint(`{"operator":"eq","rightOperand":"b"}`), "offer.permission[0].constraint[0].leftOperand", "missing", corridor.Invalid},
		{"an unknown operator", withConstraint(`{"leftOperand":"a","operator":"odrl:like","rightOperand":"b"}`), "offer.permission[0].constraint[0].operator", "is not an operator", corridor.Invalid},
		{"an empty constraint", withConstraint(`{}`), "offer.permission[0].constraint[0]", "0 forms", corridor.Invalid},
		{"two logical forms", withConstraint(`{"and":[],"or":[]}`), "offer.permission[0].constraint[0]", "2 forms", corridor.Invalid},
		{"logic and comparison", withConstraint(`{"and":[{"leftOperand":"a","operator":"eq","rightOperand":"b"}],"operator":"eq"}`), "offer.permission[0].constraint[0]", "2 forms", corridor.Invalid},
		{"empty logic", withConstraint(`{"and":[]}`), "offer.permission[0].constraint[0].and", "is empty", corridor.Invalid},
		{"bad logic in depth", withConstraint(`{"or":[{"xone":[{"leftOperand":"a","operator":"same","rightOperand":"b"}]}]}`), "offer.permission[0].constraint[0].or[0].xone[0].operator", "not an operator", corridor.Invalid},
		{"a duty in a duty", withOffer(`"permission":[{"action":"use","duty":[{"action":"a","duty":[{"action":"b"}]}]}]`), "offer.permission[0].duty[0].duty", "duty inside a duty", corridor.Invalid},
		{"a bad duty", withOffer(`"prohibition":[{"action":"use","duty":[{}]}]`), "offer.prohibition[0].duty[0].action", "missing", corridor.Invalid},
		{"a bad obligation", withOffer(`"permission":[{"action":"use"}],"obligation":[{"constraint":[]}]`), "offer.obligation[0].action", "missing", corridor.Invalid},
		{"neither pid nor callback", strings.Replace(head, `"callbackAddress":"https://c.example",`, "", 1) + offer + `}`, "providerPid", "exactly one", corridor.Invalid},
		{"both pid and callback", head + offer + `,"providerPid":"p"}`, "providerPid", "it has both", corridor.Invalid},
		{"no consumerPid", strings.Replace(head, `"consumerPid":"c",`, "", 1) + offer + `}`, "consumerPid", "missing", corridor.Invalid},
		{"a pid that climbs", strings.Replace(head, `"consumerPid":"c"`, `"consumerPid":".."`, 1) + offer + `}`, "consumerPid", "cannot be an identifier", corridor.Invalid},
		{"a line break in a pid", strings.Replace(head, `"consumerPid":"c"`, `"consumerPid":"a\nb"`, 1) + offer + `}`, "consumerPid", "control characters", corridor.Invalid},
		{"a callback to a file", strings.Replace(head, "https://c.example", "file:///etc/passwd", 1) + offer + `}`, "callbackAddress", "not an address", corridor.Invalid},
		{"a callback with a user", strings.Replace(head, "https://c.example", "https://a:b@c.example", 1) + offer + `}`, "callbackAddress", "not an address", corridor.Invalid},
		{"a callback with a query", strings.Replace(head, "https://c.example", "https://c.example?x=", 1) + offer + `}`, "callbackAddress", "not an address", corridor.Invalid},
		{"an identifier without end", strings.Replace(head, `"c"`, `"`+strings.Repeat("c", maxText+1)+`"`, 1) + offer + `}`, "consumerPid", "over the limit", corridor.Limited},
		{"a callback without end", strings.Replace(head, `https://c.example`, `https://`+strings.Repeat("c", maxText+1), 1) + offer + `}`, "callbackAddress", "over the limit", corridor.Limited},
		{"deep logic", withConstraint(deep), "", "nested deeper", corridor.Limited},
		{"deep nothing", head + offer + `,"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "", "nested deeper", corridor.Limited},
		{"many elements", head + offer + `,"x":[` + strings.Repeat("0,", maxObjects) + `0]}`, "x", "more than 20000", corridor.Limited},
		{"many rules", withOffer(`"permission":[` + strings.Repeat(`{},`, maxObjects/2) + `{}]`), "", "more than 20000", corridor.Limited},
		{"a large message", head + offer + `,"x":"` + strings.Repeat("y", MaxMessage) + `"}`, "", "over the limit", corridor.Limited},
		{"members in other letter case", strings.Replace(head, "consumerPid", "ConsumerPID", 1) + offer + `}`, "consumerPid", "missing", corridor.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode[ContractRequestMessage]([]byte(c.in))
			var e *corridor.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.Kind != c.kind || !strings.Contains(e.Msg, c.msg) || (c.where != "" && e.Where != c.where) {
				t.Errorf("kind %s, where %q, msg %q", e.Kind, e.Where, e.Msg)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestOtherMessagesAreChecked(t *testing.T) {
	const ctx = `{"@context":"` + ContextURL + `","@type":`
	const both = `"providerPid":"p","consumerPid":"c"`
	set := `"hasPolicy":[{"@id":"o","permission":[{"action":"use"}]}],"distribution":[{"format":"f","accessService":"s"}]`
	for _, c := range []struct {
		name, in, where string
		decode          func([]byte) (Message, error)
	}{
		{"an event of the wrong kind", ctx + `"ContractNegotiationEventMessage",` + both + `,"eventType":"OFFERED"}`, "eventType", as[ContractNegotiationEventMessage]},
		{"a state of the other protocol", ctx + `"ContractNegotiation",` + both + `,"state":"STARTED"}`, "state", as[ContractNegotiation]},
		{"a state of negotiation in a transfer", ctx + `"TransferProcess",` + both + `,"state":"AGREED"}`, "state", as[TransferProcess]},
		{"an agreement without assigner", ctx + `"ContractAgreementMessage",` + both + `,"agreement":{"@type":"Agreement","@id":"a","target":"d","assignee":"c","permission":[{"action":"use"}]}}`, "agreement.assigner", as[ContractAgreementMessage]},
		{"an agreement without type", ctx + `"ContractAgreementMessage",` + both + `,"agreement":{"@id":"a"}}`, "agreement.@type", as[ContractAgreementMessage]},
		{"a bad timestamp", ctx + `"ContractAgreementMessage",` + both + `,"agreement":{"@type":"Agreement","@id":"a","target":"d","assigner":"p","assignee":"c","timestamp":"yesterday","permission":[{"action":"use"}]}}`, "agreement.timestamp", as[ContractAgreementMessage]},
		{"an address without type", ctx + `"TransferStartMessage",` + both + `,"dataAddress":{"@type":"DataAddress"}}`, "dataAddress.endpointType", as[TransferStartMessage]},
		{"a property twice", ctx + `"TransferStartMessage",` + both + `,"dataAddress":{"@type":"DataAddress","endpointType":"t","endpointProperties":[{"@type":"EndpointProperty","name":"n","value":""},{"@type":"EndpointProperty","name":"n","value":"v"}]}}`, "dataAddress.endpointProperties[1].name", as[TransferStartMessage]},
		{"a property without name", ctx + `"TransferStartMessage",` + both + `,"dataAddress":{"@type":"DataAddress","endpointType":"t","endpointProperties":[{"@type":"EndpointProperty","value":""}]}}`, "dataAddress.endpointProperties[0].name", as[TransferStartMessage]},
		{"a transfer without agreement", ctx + `"TransferRequestMessage","consumerPid":"c","format":"f","callbackAddress":"https://c.example"}`, "agreementId", as[TransferRequestMessage]},
		{"a transfer without callback", ctx + `"TransferRequestMessage","consumerPid":"c","format":"f","agreementId":"a"}`, "callbackAddress", as[TransferRequestMessage]},
		{"a catalogue without participant", ctx + `"Catalog","@id":"c"}`, "participantId", as[Catalog]},
		{"a catalogue with a policy", ctx + `"Catalog","@id":"c","participantId":"p","hasPolicy":[]}`, "hasPolicy", as[Catalog]},
		{"a service without address", ctx + `"Catalog","@id":"c","participantId":"p","service":[{"@type":"DataService","@id":"s"}]}`, "service[0].endpointURL", as[Catalog]},
		{"a bad nested dataset", ctx + `"Catalog","@id":"c","participantId":"p","catalog":[{"@type":"Catalog","@id":"n","dataset":[{"@id":"d"}]}]}`, "catalog[0].dataset[0].hasPolicy", as[Catalog]},
		{"a nested catalogue without id", ctx + `"Catalog","@id":"c","participantId":"p","catalog":[{"@type":"Catalog"}]}`, "catalog[0].@id", as[Catalog]},
		{"a listed offer with a target", ctx + `"Dataset","@id":"d",` + strings.Replace(set, `"@id":"o"`, `"@id":"o","target":"d"`, 1) + `}`, "hasPolicy[0].target", as[Dataset]},
		{"a dataset without distribution", ctx + `"Dataset","@id":"d","hasPolicy":[{"@id":"o","permission":[{"action":"use"}]}],"distribution":[]}`, "distribution", as[Dataset]},
		{"a dataset without context", `{"@type":"Dataset","@id":"d",` + set + `}`, "@context", as[Dataset]},
		{"a dataset without id", ctx + `"Dataset",` + set + `}`, "@id", as[Dataset]},
		{"a distribution without service", ctx + `"Dataset","@id":"d","hasPolicy":[{"@id":"o","permission":[{"action":"use"}]}],"distribution":[{"format":"f"}]}`, "distribution[0].accessService", as[Dataset]},
		{"a service reference that is a number", ctx + `"Dataset","@id":"d","hasPolicy":[{"@id":"o","permission":[{"action":"use"}]}],"distribution":[{"format":"f","accessService":1}]}`, "distribution[0].accessService", as[Dataset]},
		{"a policy of a distribution with a target", ctx + `"Dataset","@id":"d","hasPolicy":[{"@id":"o","permission":[{"action":"use"}]}],"distribution":[{"format":"f","accessService":"s","hasPolicy":[{"@id":"x","target":"t"}]}]}`, "distribution[0].hasPolicy[0].target", as[Dataset]},
		{"a full service without id", ctx + `"Dataset","@id":"d","hasPolicy":[{"@id":"o","permission":[{"action":"use"}]}],"distribution":[{"format":"f","accessService":{"@type":"DataService"}}]}`, "distribution[0].accessService.@id", as[Dataset]},
		{"a dataset request for nothing", ctx + `"DatasetRequestMessage"}`, "dataset", as[DatasetRequestMessage]},
		{"a verification without pids", ctx + `"ContractAgreementVerificationMessage","providerPid":"p"}`, "consumerPid", as[ContractAgreementVerificationMessage]},
		{"a filter that is null", ctx + `"CatalogRequestMessage","filter":null}`, "filter", as[CatalogRequestMessage]},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.decode([]byte(c.in))
			var e *corridor.Error
			if !errors.As(err, &e) || e.Where != c.where || e.Kind != corridor.Invalid {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWhatIsToleratedOnReading(t *testing.T) {
	for name, in := range map[string]string{
		"unknown members":              head + offer + `,"comment":{"a":[1,true,null,"x",{}]},"@id":"m"}`,
		"the context as a string":      strings.Replace(head, `["`+ContextURL+`"]`, `"`+ContextURL+`"`, 1) + offer + `}`,
		"a second context":             strings.Replace(head, `["`, `["https://example.org/more.jsonld","`, 1) + offer + `}`,
		"constraints, unknown to ODRL": withOffer(`"permission":[{"action":"use","constraints":[]}]`),
		"an offer without type":        strings.Replace(head+offer+`}`, `"@type":"Offer",`, "", 1),
		"colons inside extensions":     head + offer + `,"corridor:facts":{"a:b":{"c:d":1}},"corridor:later":{"e:f":1.5}}`,
		"space everywhere":             spaced(head + offer + `}`),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Decode[ContractRequestMessage]([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			if m.ConsumerPid != "c" || m.Offer.Permission[0].Action != "use" {
				t.Errorf("%+v", m)
			}
		})
	}
	m, err := Decode[ContractRequestMessage]([]byte(head + offer + `,"corridor:decision": {"outcome" : "allow"} }`))
	if err != nil || string(m.Decision) != `{"outcome" : "allow"}` {
		t.Errorf("%s %v", m.Decision, err)
	}
	p, err := Decode[ContractRequestMessage]([]byte(withOffer(`"profile":["a","b"],"permission":[{"action":"use"}]`)))
	if err != nil || len(p.Offer.Profile) != 2 {
		t.Error(err)
	}
}

func spaced(in string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(in), " \r\n", "\t "); err != nil {
		return err.Error()
	}
	return " \n" + b.String() + "\t"
}

func TestReadStopsAtTheLimit(t *testing.T) {
	endless := iotest.DataErrReader(strings.NewReader(`{"x":"` + strings.Repeat("y", 2*MaxMessage) + `"}`))
	if _, err := Read[ContractNegotiation](endless); corridor.KindOf(err) != corridor.Limited {
		t.Error(err)
	}
	if _, err := Read[ContractNegotiation](iotest.ErrReader(errors.New("cut"))); err == nil || !strings.Contains(err.Error(), "cut") {
		t.Error(err)
	}
	m := &ContractNegotiation{Pids: pids, State: Agreed}
	raw, _ := Encode(m)
	got, err := Read[ContractNegotiation](bytes.NewReader(raw))
	if err != nil || got.State != Agreed {
		t.Error(err)
	}
}

func TestRightOperands(t *testing.T) {
	for raw, want := range map[string]string{
		`"KZ"`: "[KZ]", `["KZ","RU"]`: "[KZ RU]", `{"@value":"5","@type":"xsd:int"}`: "[5]", `[{"@id":"urn:x"},"y"]`: "[urn:x y]", `[]`: "[]",
		`5`: "no", `{"a":1}`: "no", `[["a"]]`: "no", `{"@value":5}`: "no", `{"@value":"a","@id":"b"}`: "no", ``: "no", `[true]`: "no",
	} {
		got := "no"
		if list, ok := (&Constraint{RightOperand: json.RawMessage(raw)}).Right(); ok {
			got = fmt.Sprint(list)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

func TestReasonsAreReadInAnyShape(t *testing.T) {
	for in, want := range map[string]string{
		`["a","b"]`: "a|b", `"a"`: "a", `[{"@value":"x","@language":"en"}]`: "x", `[{"y":1}, 5]`: `{"y":1}|5`, `[]`: "",
	} {
		m, err := Decode[CatalogError]([]byte(`{"@context":"` + ContextURL + `","@type":"CatalogError","reason":` + in + `}`))
		if err != nil || strings.Join(m.Reason, "|") != want {
			t.Errorf("%s: %q %v", in, m.Reason, err)
		}
	}
}

func TestTimes(t *testing.T) {
	for in, ok := range map[string]bool{
		"2026-11-24T09:30:00Z": true, "2026-11-24T09:30:00.123+06:00": true, "2026-11-24T09:30:00": true,
		"2026-11-24": false, "2026-11-24T09:30:00,5Z": false, "": false, "2026-13-24T09:30:00Z": false,
	} {
		got, err := ParseTime(in)
		if (err == nil) != ok {
			t.Errorf("%q: %v", in, err)
		}
		if ok && FormatTime(got)[:4] != "2026" {
			t.Error(FormatTime(got))
		}
	}
}

func TestVersions(t *testing.T) {
	doc, err := DecodeVersions([]byte(`{"protocolVersions":[{"version":"2024-1","path":"/old","binding":"HTTPS"},{"version":"2025-1","path":"/x","binding":"AMQP"},{"version":"2025-1","path":"/dsp","binding":"HTTPS","auth":{"protocol":"DCP","version":"1.0","profile":["p"]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := doc.Find(Version); !ok || v.Path != "/dsp" || v.Auth.Protocol != "DCP" {
		t.Errorf("%+v", v)
	}
	if _, ok := doc.Find("0.8"); ok {
		t.Error("0.8 found")
	}
	for _, bad := range []string{`{}`, `{"protocolVersions":[]}`, `{"protocolVersions":[{"version":"1","path":"/"}]}`, `[]`} {
		if _, err := DecodeVersions([]byte(bad)); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

func TestSmallHelpers(t *testing.T) {
	a := BearerAddress("https://x", "tok")
	if v, ok := a.Property("authorization"); !ok || v != "tok" {
		t.Error(v)
	}
	if _, ok := a.Property("none"); ok {
		t.Error("none")
	}
	if _, ok := (*DataAddress)(nil).Property("x"); ok {
		t.Error("nil")
	}
	p := richPolicy()
	if d := cmp.Diff([]string{"use", "transfer", "inform"}, p.Actions()); d != "" {
		t.Error(d)
	}
	if op, list := p.Permission[0].Constraint[1].Logical(); op != "and" || len(list) != 2 {
		t.Error(op)
	}
	if _, err := Encode(&ContractNegotiation{}); err == nil || !strings.Contains(err.Error(), "own ContractNegotiation") {
		t.Error(err)
	}
	bad := &ContractRequestMessage{ConsumerPid: "c", CallbackAddress: "https://c.example", Offer: Offer{Policy: Policy{ID: "o", Target: "t",
		Permission: []Rule{{Action: "use", Constraint: []Constraint{{LeftOperand: "a", Operator: Eq, RightOperand: json.RawMessage(`{"half`)}}}}}}}
	if _, err := Encode(bad); err == nil || !strings.Contains(err.Error(), "is not JSON") {
		t.Error(err)
	}
	if _, err := Encode(&CatalogRequestMessage{Filter: []json.RawMessage{json.RawMessage(`{`)}}); err == nil {
		t.Error("half a filter was written")
	}
}

func genText(t *rapid.T, label string) string {
	return rapid.StringMatching(`[a-zA-Zа-я:/#"\\ 中]{1,12}`).Draw(t, label)
}

func genConstraint(t *rapid.T, depth int) Constraint {
	if depth == 0 || rapid.IntRange(0, 2).Draw(t, "atomic") > 0 {
		return Compare(genText(t, "left"), rapid.SampledFrom([]Operator{Eq, Neq, Gt, Gteq, Lt, Lteq, IsA, HasPart, IsPartOf, IsAllOf, IsAnyOf, IsNoneOf}).Draw(t, "op"), genText(t, "right"))
	}
	var list []Constraint
	for range rapid.IntRange(1, 3).Draw(t, "n") {
		list = append(list, genConstraint(t, depth-1))
	}
	switch rapid.IntRange(0, 3).Draw(t, "logic") {
	case 0:
		return Constraint{And: list}
	case 1:
		return Constraint{Or: list}
	case 2:
		return Constraint{Xone: list}
	}
	return Constraint{AndSequence: list}
}

func genRules(t *rapid.T, least, duties int) []Rule {
	var out []Rule
	for range rapid.IntRange(least, 3).Draw(t, "rules") {
		r := Rule{Action: genText(t, "action")}
		for range rapid.IntRange(0, 2).Draw(t, "constraints") {
			r.Constraint = append(r.Constraint, genConstraint(t, 3))
		}
		if duties > 0 {
			r.Duty = genRules(t, 0, duties-1)
		}
		out = append(out, r)
	}
	return out
}

// Any policy that we can build is written so that the published schema
// accepts it and reads back as the same policy.
func TestAnyOfferReadsBack(t *testing.T) {
	c := schemas(t)
	schema, err := c.Compile("https://w3id.org/dspace/2025/1/negotiation/contract-request-message-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		m := &ContractRequestMessage{ConsumerPid: genText(t, "pid"), ProviderPid: genText(t, "pid"), Offer: Offer{Policy: Policy{
			ID: genText(t, "id"), Target: genText(t, "target"), Permission: genRules(t, 1, 1), Prohibition: genRules(t, 0, 1), Obligation: genRules(t, 0, 0)}}}
		raw, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Fatal(err)
		}
		back, err := Decode[ContractRequestMessage](raw)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, back, same); d != "" {
			t.Fatal(d)
		}
	})
}

// fuzzers runs foreign bytes through a decoder: no panic, and what is
// accepted can be written and reads back the same.
func fuzzOne[T any, P interface {
	*T
	Message
}](t *testing.T, data []byte) {
	m, err := Decode[T, P](data)
	if err != nil {
		var e *corridor.Error
		if !errors.As(err, &e) || (e.Kind != corridor.Invalid && e.Kind != corridor.Limited) {
			t.Fatalf("%T: %v", err, err)
		}
		return
	}
	raw, err := Encode(P(m))
	if err != nil {
		if strings.Contains(err.Error(), "timestamp") {
			return
		}
		t.Fatal(err)
	}
	back, err := Decode[T, P](raw)
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	again, err := Encode(P(back))
	if err != nil || !bytes.Equal(raw, again) {
		t.Fatalf("%v\n%s\n%s", err, raw, again)
	}
}

func seed(f *testing.F) {
	for _, s := range samples() {
		raw, err := Encode(s.m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(head + offer + `,"corridor:facts":{"a:b":[1]}}`))
	f.Add([]byte(`{"@context":"` + ContextURL + `","@type":"CatalogError","reason":[{"@value":"x"}],"code":"\ud800"}`))
}

func FuzzNegotiation(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzOne[ContractRequestMessage](t, data)
		fuzzOne[ContractOfferMessage](t, data)
		fuzzOne[ContractAgreementMessage](t, data)
		fuzzOne[ContractAgreementVerificationMessage](t, data)
		fuzzOne[ContractNegotiationEventMessage](t, data)
		fuzzOne[ContractNegotiationTerminationMessage](t, data)
		fuzzOne[ContractNegotiation](t, data)
		fuzzOne[ContractNegotiationError](t, data)
	})
}

func FuzzTransfer(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzOne[TransferRequestMessage](t, data)
		fuzzOne[TransferStartMessage](t, data)
		fuzzOne[TransferCompletionMessage](t, data)
		fuzzOne[TransferSuspensionMessage](t, data)
		fuzzOne[TransferTerminationMessage](t, data)
		fuzzOne[TransferProcess](t, data)
		fuzzOne[TransferError](t, data)
	})
}

func FuzzCatalog(f *testing.F) {
	seed(f)
	f.Add([]byte(`{"protocolVersions":[{"version":"2025-1","path":"/x","binding":"HTTPS"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzOne[CatalogRequestMessage](t, data)
		fuzzOne[DatasetRequestMessage](t, data)
		fuzzOne[Catalog](t, data)
		fuzzOne[Dataset](t, data)
		fuzzOne[CatalogError](t, data)
		if v, err := DecodeVersions(data); err == nil && len(v.ProtocolVersions) == 0 {
			t.Fatal("an empty version document")
		}
		e := &PeerError{}
		e.readBody(data)
	})
}

func BenchmarkDecode(b *testing.B) {
	raw, err := Encode(&ContractRequestMessage{ConsumerPid: "urn:c", Offer: Offer{Policy: richPolicy()}, CallbackAddress: "https://c.example/dsp"})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode[ContractRequestMessage](raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeCatalog(b *testing.B) {
	cat := &Catalog{ID: "urn:c", ParticipantID: "did:web:p.example"}
	for i := range 100 {
		cat.Dataset = append(cat.Dataset, dataset(fmt.Sprintf("urn:%d", i)))
	}
	raw, err := Encode(cat)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode[Catalog](raw); err != nil {
			b.Fatal(err)
		}
	}
}
