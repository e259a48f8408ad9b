package server_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/identity/dcp"
	"corridor/internal/law"
	"corridor/internal/ledger"
	"corridor/internal/server"
)

// document is openapi.yaml as far as these tests look into it.
type document struct {
	OpenAPI    string
	Paths      map[string]struct{ Get, Post, Delete operation }
	Components struct {
		Schemas map[string]map[string]any
	}
}

type operation struct {
	OperationID string `yaml:"operationId"`
	Summary     string
	RequestBody struct {
		Content map[string]media
	} `yaml:"requestBody"`
	Responses map[string]struct {
		Ref     string `yaml:"$ref"`
		Content map[string]media
	}
}

type media struct{ Schema map[string]any }

func openAPI(t *testing.T) (document, map[string]any) {
	t.Helper()
	raw, err := os.ReadFile("openapi.yaml")
	must(t, err)
	var d document
	must(t, yaml.Unmarshal(raw, &d))
	var whole map[string]any
	must(t, yaml.Unmarshal(raw, &whole))
	return d, whole
}

// operations lists "GET /api/status" and so on.
func (d document) operations() map[string]operation {
	out := map[string]operation{}
	for path, item := range d.Paths {
		for method, o := range map[string]operation{"GET": item.Get, "POST": item.Post, "DELETE": item.Delete} {
			if o.OperationID != "" {
				out[method+" "+path] = o
			}
		}
	}
	return out
}

func TestTheOpenAPIDocumentKnowsEveryRouteOfTheManagementAPI(t *testing.T) {
	d, _ := openAPI(t)
	described := d.operations()
	ids := map[string]string{}
	for pattern, o := range described {
		if o.Summary == "" {
			t.Errorf("%s has no summary", pattern)
		}
		if other, twice := ids[o.OperationID]; twice {
			t.Errorf("%s and %s are both %s", pattern, other, o.OperationID)
		}
		ids[o.OperationID] = pattern
	}
	routes := server.ManagementRoutes()
	if len(routes) < 30 {
		t.Fatalf("only %d routes were found", len(routes))
	}
	for _, pattern := range routes {
		if _, ok := described[pattern]; !ok {
			t.Errorf("openapi.yaml does not describe %s", pattern)
		}
		delete(described, pattern)
	}
	for pattern := range described {
		t.Errorf("openapi.yaml describes %s, and there is no such route", pattern)
	}
}

// components are the Go types that the schemas of the document stand for.
func components() map[string]any {
	return map[string]any{
		"Acceptance": exchange.Acceptance{}, "Added": exchange.Added{}, "Addition": exchange.Addition{}, "Adoption": exchange.Adoption{}, "Agreement": exchange.Agreement{}, "Approval": corridor.Approval{}, "ApprovalGiven": exchange.Approval{},
		"Citation": corridor.Citation{}, "Constraint": dsp.Constraint{}, "Counter": exchange.Counter{}, "Counters": exchange.Counters{},
		"Dataset": catalog.Dataset{}, "Evidence": corridor.Evidence{}, "Flow": corridor.Flow{}, "Happened": exchange.Happened{}, "Line": law.Line{},
		"Equivocation": ledger.Equivocation{}, "ByPerson": exchange.ByPerson{}, "Listing": exchange.Listing{}, "Unread": exchange.Unread{}, "LogRef": corridor.LogRef{}, "LogStatus": exchange.LogStatus{}, "Negotiation": exchange.Negotiation{},
		"Next": exchange.Next{}, "Offer": dsp.Offer{}, "PackInUse": exchange.PackInUse{}, "Peer": identity.Peer{}, "Pending": exchange.Pending{}, "PlainPeer": identity.Plain{},
		"Policy": dsp.Policy{}, "Proof": exchange.Proof{}, "Publication": exchange.Publication{}, "Question": corridor.Question{},
		"Reach": exchange.Reach{}, "ReceiptRef": corridor.ReceiptRef{}, "Request": exchange.Request{}, "Rule": dsp.Rule{},
		"SidedDecision": exchange.SidedDecision{}, "Signature": corridor.Signature{}, "SignedDecision": corridor.SignedDecision{},
		"Status": exchange.Status{}, "Subject": catalog.Subject{}, "Task": exchange.Task{}, "Text": corridor.Text{}, "Transfer": exchange.Transfer{},
		"Agent": catalog.Agent{}, "Found": catalog.Found{}, "FoundPage": server.FoundPage{}, "Sources": catalog.Sources{}, "Metadata": catalog.Metadata{}, "Period": catalog.Period{}, "Published": exchange.Published{}, "Withdrawn": exchange.Withdrawn{},
		"Wallet": dcp.Contents{}, "CredentialHeld": dcp.Held{}, "CredentialAsked": dcp.Asked{}, "CredentialOffered": dcp.Offered{}, "CredentialObject": dcp.Object{}, "CredentialIssued": dcp.IssuedCredential{}, "CredentialRequest": server.CredentialRequest{},
		"AdoptedCompact": exchange.AdoptedCompact{}, "Opened": corridor.Opened{}, "Taken": exchange.Taken{}, "TrustStatus": exchange.TrustStatus{}, "FeedState": exchange.FeedState{}, "InEffect": exchange.InEffect{}, "Target": corridor.Target{},
		"KeysSeen": exchange.KeysSeen{}, "SettingsSeen": exchange.SettingsSeen{}, "KeyInUse": exchange.KeyInUse{}, "QuotedAnswer": corridor.QuotedAnswer{}, "Condition": corridor.Condition{}, "ApprovalAsked": exchange.ApprovalAsked{}, "OfficerApproval": exchange.OfficerApproval{},
		"Validation": corridor.Validation{}, "SignedValidation": corridor.SignedValidation{}, "Waiting": exchange.Waiting{}, "Stall": exchange.Stall{}, "Problem": server.Problem{}, "Because": server.Because{},
	}
}

// plain are the schemas that stand for no struct: small bodies that a handler
// reads in place, and aliases.
var plain = []string{"Facts", "Health", "NextPage", "OfferTo", "Outcome", "Publications", "RefreshOf", "SignedDocument", "Terms", "TransferOf"}

// bodies are read strictly, and say themselves what they need.
var bodies = []string{"Acceptance", "Adoption", "ApprovalGiven", "Because", "CredentialRequest", "Happened", "OfficerApproval", "Proof", "Publication", "Request"}

func TestTheSchemasOfTheDocumentAreTheTypesOfTheProgram(t *testing.T) {
	d, _ := openAPI(t)
	types := components()
	for name, schema := range d.Components.Schemas {
		v, known := types[name]
		if !known && !slices.Contains(plain, name) {
			t.Errorf("%s: no type is named for this schema", name)
		}
		if known {
			sameShape(t, name, schema, reflect.TypeOf(v))
		}
	}
	for name := range types {
		if _, ok := d.Components.Schemas[name]; !ok {
			t.Errorf("%s: the document has no such schema", name)
		}
	}
}

// sameShape compares a schema with the JSON members of a struct: names, kinds,
// and which are always there.
func sameShape(t *testing.T, name string, schema map[string]any, typ reflect.Type) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	var required []string
	for _, r := range list(schema["required"]) {
		required = append(required, r.(string))
	}
	members := membersOf(typ)
	for key, m := range members {
		if strings.HasPrefix(key, "corridor:") {
			continue // a family: patternProperties
		}
		p, ok := properties[key].(map[string]any)
		if !ok {
			t.Errorf("%s.%s is missing in the document", name, key)
			continue
		}
		if want := kindOf(m.typ); !fits(p, want) {
			t.Errorf("%s.%s is %v in the document and %s (%s) in the program", name, key, p, m.typ, want)
		}
		if !slices.Contains(bodies, name) && slices.Contains(required, key) == m.optional {
			t.Errorf("%s.%s: required in the document: %v; may be absent in the program: %v", name, key, slices.Contains(required, key), m.optional)
		}
	}
	for key := range properties {
		if _, ok := members[key]; !ok {
			t.Errorf("%s.%s is in the document and not in the program", name, key)
		}
	}
	for _, key := range required {
		if _, ok := properties[key]; !ok {
			t.Errorf("%s requires %s and does not describe it", name, key)
		}
	}
}

type member struct {
	typ      reflect.Type
	optional bool
}

// membersOf lists the JSON members of a struct as encoding/json writes them.
func membersOf(typ reflect.Type) map[string]member {
	out := map[string]member{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		tag := f.Tag.Get("json")
		name, opts, _ := strings.Cut(tag, ",")
		if f.Anonymous && name == "" {
			for k, m := range membersOf(f.Type) {
				if _, nearer := out[k]; !nearer {
					out[k] = m
				}
			}
			continue
		}
		if !f.IsExported() || name == "-" {
			continue
		}
		out[name] = member{f.Type, strings.Contains(opts, "omit")}
	}
	return out
}

// kindOf names the JSON type of a Go type; "" is anything.
func kindOf(typ reflect.Type) string {
	switch {
	case typ == reflect.TypeFor[time.Time](), typ.Kind() != reflect.Struct && typ.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return "string"
	case typ == reflect.TypeFor[json.RawMessage]():
		return ""
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return kindOf(typ.Elem())
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint64:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.String:
		return "string"
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			return "string"
		}
		return "array"
	case reflect.Interface:
		return ""
	}
	return "object"
}

// fits says whether a property's schema allows a JSON type. References and
// constants are judged where they point, or by real answers.
func fits(p map[string]any, kind string) bool {
	if ref, ok := p["$ref"].(string); ok {
		return kind == "object" || kind == "" || kind == "string" && strings.HasSuffix(ref, "/Outcome")
	}
	if _, ok := p["const"]; ok {
		return true
	}
	typ, _ := p["type"].(string)
	return typ == kind
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// answersLike checks the answers of a node against the document.
type answersLike struct {
	t       *testing.T
	ops     map[string]operation
	schemas *jsonschema.Compiler
	seen    map[string]bool
}

func likeTheDocument(t *testing.T) *answersLike {
	d, whole := openAPI(t)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	raw, err := json.Marshal(whole)
	must(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	must(t, err)
	must(t, c.AddResource("openapi.json", doc))
	return &answersLike{t, d.operations(), c, map[string]bool{}}
}

// operation finds what the document says of a request.
func (a *answersLike) operation(method, path string) (string, operation) {
	for pattern, o := range a.ops {
		m, p, _ := strings.Cut(pattern, " ")
		re := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(p), `\{id\}`, `[^/]+`) + "$")
		if m == method && re.MatchString(path) {
			return pattern, o
		}
	}
	a.t.Fatalf("the document does not know %s %s", method, path)
	return "", operation{}
}

// check holds one exchange against the document.
func (a *answersLike) check(method, path string, status int, contentType string, body []byte) {
	a.t.Helper()
	pattern, o := a.operation(method, path)
	r, ok := o.Responses[fmt.Sprint(status)]
	if !ok {
		a.t.Errorf("%s answers %d, which the document does not name: %s", pattern, status, body)
		return
	}
	a.seen[pattern] = true
	pointer := "/paths/" + escape(strings.SplitN(pattern, " ", 2)[1]) + "/" + strings.ToLower(method) + "/responses/" + fmt.Sprint(status)
	kind := contentType
	if r.Ref != "" {
		pointer, kind = strings.TrimPrefix(r.Ref, "#"), "application/problem+json"
	} else if _, named := r.Content[contentType]; !named {
		a.t.Errorf("%s answers %s, which the document does not name", pattern, contentType)
		return
	}
	if r.Ref == "" && r.Content[kind].Schema == nil {
		return // not JSON, or a document of its own
	}
	schema, err := a.schemas.Compile("openapi.json#" + pointer + "/content/" + escape(kind) + "/schema")
	must(a.t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		a.t.Errorf("%s: %v", pattern, err)
		return
	}
	if err := schema.Validate(v); err != nil {
		a.t.Errorf("%s answers what the document does not describe: %v\n%s", pattern, err, body)
	}
}

func escape(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "+", "%2B").Replace(s)
}

// ask makes one request of the operator, and holds the answer against the
// document.
func (a *answersLike) ask(g *gateway, method, path, body string) (int, string) {
	a.t.Helper()
	got := call(a.t, g.srv, method, path, body)
	bare, _, _ := strings.Cut(path, "?")
	a.check(method, bare, got.status, got.head.Get("Content-Type"), got.body)
	return got.status, string(got.body)
}

// must is ask with the one status that is right, and gives a member of the
// answer.
func (a *answersLike) must(status int, g *gateway, method, path, body, member string) string {
	a.t.Helper()
	got, raw := a.ask(g, method, path, body)
	if got != status {
		a.t.Fatalf("%s %s: %d %s", method, path, got, raw)
	}
	var m map[string]any
	if member == "" || json.Unmarshal([]byte(raw), &m) != nil {
		return raw
	}
	if items, ok := m["items"].([]any); ok && len(items) > 0 {
		m = items[0].(map[string]any)
	}
	s, _ := m[member].(string)
	return s
}

// Two nodes do what the API is there for; every answer on the way is held
// against the document.
func TestAnswersAreWhatTheDocumentDescribes(t *testing.T) {
	a := likeTheDocument(t)
	cn, kz := newGateway(t), newGateway(t)
	known := func(g *gateway, country string) []identity.Peer {
		return []identity.Peer{{Participant: corridor.Participant{DID: g.did, Jurisdiction: country, Type: "private", Traits: []string{}, Flags: []string{}}}}
	}
	cn.assume = "ordinary_private_exporter"
	cn.open(t, "CN", true, known(kz, "KZ"))
	kz.open(t, "KZ", true, known(cn, "CN"))
	cn.run(t)
	kz.run(t)
	file := filepath.Join(t.TempDir(), "people.csv")
	must(t, writeFile(file, "id_card,goods\n11010519491231002X,tea\n440524188001010014,steel\n"))

	// What is there from the start, and what is refused.
	for _, path := range []string{"/health", "/api/openapi.yaml", "/api/status", "/api/packs", "/api/peers", "/api/datasets", "/api/negotiations", "/api/agreements", "/api/transfers", "/api/tasks", "/api/evidence", "/api/counters?exact=true"} {
		a.must(200, cn, "GET", path, "", "")
	}
	a.must(400, cn, "POST", "/api/datasets", `{"colour":1}`, "")
	for path, body := range map[string]string{"/negotiations/x/approve": `{"by":"a","reference":"b"}`, "/negotiations/x/approval-request": `{}`, "/negotiations/x/sign-approval": `{"by":"a","reference":"b"}`, "/negotiations/x/reject": `{"reason":"r","by":"a"}`, "/negotiations/x/terminate": `{"reason":"r"}`,
		"/negotiations/x/offer": `{}`, "/negotiations/x/accept": `{}`, "/negotiations/x/counter": `{"terms":{"permission":[{"action":"use"}]}}`, "/negotiations/x/verify": "", "/negotiations/x/agree": "", "/negotiations/x/finalize": "", "/transfers/x/start": "", "/transfers/x/complete": "", "/agreements/x/events": `{"event":"breach","by":"a"}`,
		"/evidence/x/lift": `{"by":"a","reference":"r"}`, "/tasks/x/done": `{"by":"a","ref":"r"}`, "/tasks/x/not-applicable": `{"by":"a","reason":"r"}`, "/transfers": `{"agreement":"x"}`, "/transfers/x/suspend": `{"reason":"r"}`, "/transfers/x/resume": "", "/transfers/x/terminate": `{"reason":"r"}`} {
		a.must(404, kz, "POST", "/api"+path, body, "")
	}
	for _, path := range []string{"/negotiations/x", "/agreements/x", "/agreements/x/bundle", "/receipts/x", "/receipts/999/cose", "/evidence/x", "/tasks/x", "/transfers/x", "/datasets/x/reach"} {
		a.must(404, kz, "GET", "/api"+path, "", "")
	}

	// A dataset with people, found, asked for, parked, approved, carried over.
	a.must(201, cn, "POST", "/api/datasets", `{"id":"people","title":"People","description":"of October","keywords":["trade"],"source":"`+file+`","format":"csv",
		"facts":{"data_classes":["personal"],"subjects_in_file":2,"subjects_ytd":2,"sensitive_subjects_ytd":0,"deid":"pseudonymised","vehicles":{"cn.authority_approval":"none"}},
		"subject":{"column":"id_card","kind":"national_id:CN"},
		"plan":{"format":"csv","stages":[{"do":"pseudonymise","columns":["id_card"]}]}}`, "")
	a.must(200, cn, "GET", "/api/datasets/people/reach", "", "")
	a.must(200, kz, "GET", "/api/catalogue?peer="+url.QueryEscape(cn.did), "", "")
	own := a.must(202, kz, "POST", "/api/negotiations", `{"provider":"`+cn.did+`","dataset":"people","purpose":"trade_logistics","facts":{"ai_role":"none","decision_effect":"none"}}`, "pid")
	parked := a.await(cn, "/api/negotiations", `"on":"operator"`, "pid")
	a.must(200, cn, "POST", "/api/negotiations/"+parked+"/approve", `{"by":"Officer","reference":"12/2026"}`, "") // says what is still missing
	a.must(200, cn, "POST", "/api/negotiations/"+parked+"/approve", `{"by":"Officer","reference":"12/2026","note":"seen","evidence":{`+
		`"pipia":{"obligation":"pipia","ref":"r1","by":"Officer","on":"2026-11-20"},"notice":{"obligation":"notice","ref":"r2","by":"Officer","on":"2026-11-20"},`+
		`"contract_with_recipient":{"obligation":"contract_with_recipient","ref":"r3","by":"Officer","on":"2026-11-20"},"consent_if_consent_basis":{"obligation":"consent_if_consent_basis","ref":"r4","by":"Officer","on":"2026-11-20"}}}`, "")
	if got := a.must(200, kz, "GET", "/api/negotiations/"+own+"?wait=20s", "", "state"); got != "FINALIZED" {
		t.Fatalf("the negotiation is %s", got)
	}
	agreement := a.must(200, kz, "GET", "/api/agreements", "", "id")
	a.must(200, kz, "GET", "/api/agreements/"+agreement, "", "")
	transfer := a.must(202, kz, "POST", "/api/transfers", `{"agreement":"`+agreement+`"}`, "pid")
	if got := a.must(200, kz, "GET", "/api/transfers/"+transfer+"?wait=20s", "", "state"); got != "COMPLETED" {
		t.Fatalf("the transfer is %s", got)
	}
	a.must(200, kz, "GET", "/api/agreements/"+agreement+"/bundle", "", "")
	a.must(200, kz, "GET", "/api/receipts/1", "", "")
	a.must(200, kz, "GET", "/api/receipts/1/cose", "", "")
	a.must(200, cn, "GET", "/api/transfers", "", "")
	a.must(409, kz, "POST", "/api/transfers/"+transfer+"/suspend", `{"reason":"late"}`, "")
	a.must(409, kz, "POST", "/api/transfers/"+transfer+"/resume", "", "")
	a.must(409, kz, "POST", "/api/transfers/"+transfer+"/terminate", `{"reason":"late"}`, "")
	a.must(409, kz, "POST", "/api/transfers/"+transfer+"/complete", "", "")
	a.must(409, kz, "POST", "/api/negotiations/"+own+"/verify", "", "")
	a.must(409, cn, "POST", "/api/negotiations/"+parked+"/agree", "", "")
	a.must(409, cn, "POST", "/api/negotiations/"+parked+"/finalize", "", "")
	a.must(400, kz, "POST", "/api/agreements", `{"id":"x"}`, "")
	a.must(409, kz, "POST", "/api/agreements", `{"id":"x","peer":"`+cn.did+`","role":"consumer","dataset":"people","by":"a","reference":"1"}`, "") // it runs Corridor

	// Data that goes on.
	grows := `"source":"` + file + `","format":"csv","facts":{"data_classes":["non_personal"],"subjects_in_file":0,"subjects_ytd":0}}`
	a.must(201, cn, "POST", "/api/datasets", `{"id":"flow","growing":true,`+grows, "")
	a.must(409, cn, "POST", "/api/datasets", `{"id":"flow",`+grows, "")
	a.must(201, cn, "POST", "/api/datasets/flow/increments", `{"source":"`+file+`","number":2,"facts":{"subjects_in_file":0}}`, "")
	a.must(409, cn, "POST", "/api/datasets/flow/increments", `{"source":"`+file+`","number":2,"facts":{"subjects_in_file":0}}`, "")
	a.must(400, cn, "POST", "/api/datasets/flow/increments", `{"source":"`+file+`","number":3}`, "")
	a.must(404, cn, "POST", "/api/datasets/none/increments", `{"source":"`+file+`"}`, "")
	a.must(404, cn, "GET", "/api/datasets/none/increments", "", "")
	a.must(409, cn, "GET", "/api/datasets/people/increments", "", "")
	a.must(400, cn, "GET", "/api/datasets/flow/increments?after=x", "", "")
	if got := a.must(200, cn, "GET", "/api/datasets/flow/increments?after=1", "", "dataset"); got != "flow" {
		t.Errorf("the increments of %q", got)
	}

	// What is left to people.
	a.must(200, cn, "GET", "/api/counters", "", "")
	task := a.await(cn, "/api/tasks?state=open", `"obligation":"ensure_recipient_protection"`, "id")
	a.must(200, cn, "GET", "/api/tasks/"+task, "", "")
	a.must(200, cn, "POST", "/api/tasks/"+task+"/done", `{"by":"Officer","ref":"file 3","kind":"filing receipt"}`, "")
	a.must(409, cn, "POST", "/api/tasks/"+task+"/not-applicable", `{"by":"Officer","reason":"no"}`, "")
	a.must(200, cn, "POST", "/api/agreements/"+agreement+"/events", `{"event":"assessment","by":"Officer","ref":"1"}`, "")
	a.must(200, cn, "GET", "/api/status", "", "")

	// The provider begins; the consumer asks for other terms, and another
	// time accepts; a person rejects; either side ends it.
	a.must(201, cn, "POST", "/api/datasets", `{"id":"prices","source":"`+file+`","format":"csv","facts":{"data_classes":["non_personal"],"subjects_in_file":0,"subjects_ytd":0}}`, "")
	a.must(202, cn, "POST", "/api/offers", `{"consumer":"`+kz.did+`","dataset":"prices"}`, "")
	offered := a.await(kz, "/api/negotiations", `"state":"OFFERED"`, "pid")
	a.must(200, kz, "POST", "/api/negotiations/"+offered+"/counter", `{"purpose":"trade_logistics","terms":{"@id":"urn:x:1","permission":[{"action":"use"}]}}`, "")
	if got := a.must(200, kz, "GET", "/api/negotiations/"+offered+"?wait=20s", "", "state"); got != "TERMINATED" { // its terms are not for sale
		t.Fatalf("the negotiation is %s", got)
	}
	a.must(409, kz, "POST", "/api/negotiations/"+offered+"/accept", "", "")
	a.must(409, kz, "POST", "/api/negotiations/"+offered+"/terminate", `{"reason":"late"}`, "")
	a.must(409, cn, "POST", "/api/negotiations/"+a.await(cn, "/api/negotiations", `"state":"FINALIZED"`, "pid")+"/offer", "", "")
	offer := func() string {
		mine := a.must(202, cn, "POST", "/api/offers", `{"consumer":"`+kz.did+`","dataset":"prices"}`, "pid")
		return a.await(kz, "/api/negotiations", `"peer_pid":"`+mine+`"`, "pid")
	}
	offered = offer()
	a.must(200, kz, "POST", "/api/negotiations/"+offered+"/accept", `{"purpose":"trade_logistics","facts":{"ai_role":"none"}}`, "")
	if got := a.must(200, kz, "GET", "/api/negotiations/"+offered+"?wait=20s", "", "state"); got != "FINALIZED" {
		t.Fatalf("the negotiation is %s", got)
	}
	a.must(200, kz, "POST", "/api/negotiations/"+offer()+"/terminate", `{"reason":"changed our mind"}`, "")
	a.must(451, kz, "POST", "/api/negotiations", `{"provider":"`+cn.did+`","dataset":"people","purpose":"trade_logistics"}`, "")
	a.must(202, kz, "POST", "/api/negotiations", `{"provider":"`+cn.did+`","dataset":"people","purpose":"trade_logistics","facts":{"ai_role":"none","decision_effect":"none"}}`, "")
	a.must(200, cn, "POST", "/api/negotiations/"+a.await(cn, "/api/negotiations", `"on":"operator"`, "pid")+"/reject", `{"by":"Officer","reason":"not this month"}`, "")

	// Many at once, described, found and withdrawn.
	a.must(201, cn, "POST", "/api/datasets/batch", `{"datasets":[{"id":"ports","source":"`+file+`","format":"csv","facts":{"data_classes":["non_personal"]},
		"metadata":{"title":{"en":"Ports","ru":"Порты"},"description":{"en":"All"},"keywords":{"en":["port"]},"themes":["TRAN"],"languages":["ru"],"publisher":{"name":"P","id":"urn:p"},
		"spatial":["KZ"],"temporal":{"start":"2026-01-01","end":"2026-06-30"},"licence":"https://example.org/licence","issued":"2026-07-01","modified":"2026-07-02"}}]}`, "")
	a.must(200, cn, "GET", "/api/datasets?text=порт&country=KZ", "", "")
	a.must(400, cn, "GET", "/api/datasets?colour=red", "", "")
	a.must(200, kz, "POST", "/api/found/refresh?wait=30s", `{"peer":"`+cn.did+`"}`, "")
	a.must(404, kz, "POST", "/api/found/refresh", `{"peer":"did:web:nobody.example"}`, "")
	if got := a.must(200, kz, "GET", "/api/found?text=порт&country=KZ&from=CN", "", "id"); got != "ports" {
		t.Errorf("found %q", got)
	}
	a.must(400, kz, "GET", "/api/found?colour=red", "", "")
	a.must(200, cn, "DELETE", "/api/datasets/ports", "", "")
	a.must(404, cn, "DELETE", "/api/datasets/ports", "", "")

	// A credential is asked for, delivered, held, and taken back.
	a.must(404, kz, "POST", "/api/credentials/requests", `{"issuer":"`+cn.did+`","types":["PilotCredential"]}`, "")
	a.must(202, kz, "POST", "/api/credentials/requests", `{"issuer":"`+cn.did+`","types":["MembershipCredential"]}`, "")
	held := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && !strings.Contains(held, `"credentialSubject"`); time.Sleep(10 * time.Millisecond) {
		held = a.must(200, kz, "GET", "/api/credentials", "", "")
	}
	if !strings.Contains(held, `"type":"MembershipCredential"`) {
		t.Fatalf("nothing was delivered: %s", held)
	}
	issued := a.must(200, cn, "GET", "/api/credentials/issued?holder="+url.QueryEscape(kz.did), "", "id")
	a.must(200, cn, "POST", "/api/credentials/issued/"+issued+"/revoke", `{"reason":"left"}`, "")
	a.must(404, cn, "POST", "/api/credentials/issued/urn:uuid:none/revoke", `{"reason":"left"}`, "")
	// What authorities sign.
	a.must(200, cn, "POST", "/api/keys/look", "", "")
	a.must(200, cn, "POST", "/api/settings/look", "", "")
	// Data that an authority alone lets go: asked for, not for an officer to sign.
	a.must(201, cn, "POST", "/api/datasets", `{"id":"grid","source":"`+file+`","format":"csv","facts":{"data_classes":["govt_restricted"],"subjects_in_file":0,"deid":"none"}}`, "")
	a.must(202, kz, "POST", "/api/negotiations", `{"provider":"`+cn.did+`","dataset":"grid","purpose":"research","facts":{"ai_role":"none"}}`, "pid")
	grid := a.await(cn, "/api/negotiations", `"on":"operator"`, "pid")
	a.must(200, cn, "POST", "/api/negotiations/"+grid+"/approval-request", `{}`, "")
	a.must(403, cn, "POST", "/api/negotiations/"+grid+"/approval-request", `{"side":"import"}`, "")
	a.must(403, cn, "POST", "/api/negotiations/"+grid+"/sign-approval", `{"by":"Officer","reference":"A-1"}`, "")
	a.must(400, cn, "POST", "/api/negotiations/"+grid+"/sign-approval", `{"by":"Officer"}`, "")
	a.must(400, cn, "POST", "/api/approvals", `{"body":{},"signatures":[]}`, "")
	a.must(200, cn, "POST", "/api/negotiations/"+grid+"/reject", `{"by":"Officer","reason":"enough"}`, "")
	compact, order, wrong := treaty(t)
	a.must(401, cn, "POST", "/api/compacts", wrong, "")
	a.must(400, cn, "POST", "/api/compacts", `{"body":{},"body":{},"signatures":[]}`, "")
	a.must(403, cn, "POST", "/api/orders", order, "")
	a.must(201, cn, "POST", "/api/compacts", compact+"\n", "")
	a.must(200, cn, "GET", "/api/compacts", "", "")
	a.must(200, cn, "POST", "/api/orders", order, "")
	if got := call(t, cn.srv, "POST", "/corridor/orders", order); got.status != 200 || !strings.Contains(string(got.body), `"new":false`) { // pushed, with no token
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := call(t, cn.srv, "POST", "/corridor/orders", strings.Replace(order, "KZ", "RU", 1)); got.status != 403 && got.status != 401 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := call(t, cn.srv, "GET", "/.well-known/corridor", ""); got.status != 200 || !strings.Contains(string(got.body), `"id":"steppe-trade"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	a.must(200, cn, "GET", "/api/status", "", "")
	a.must(200, cn, "DELETE", "/api/compacts/steppe-trade", "", "")
	a.must(404, cn, "DELETE", "/api/compacts/steppe-trade", "", "")
	for pattern := range a.ops {
		if !a.seen[pattern] {
			t.Errorf("nothing was asked of %s", pattern)
		}
	}
}

// await asks for a list until one of its items holds a text, and gives a
// member of that item.
func (a *answersLike) await(g *gateway, path, holds, member string) string {
	a.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var page struct{ Items []json.RawMessage }
		must(a.t, json.Unmarshal([]byte(a.must(200, g, "GET", path, "", "")), &page))
		for _, item := range page.Items {
			var m map[string]any
			must(a.t, json.Unmarshal(item, &m))
			if s, _ := m[member].(string); strings.Contains(string(item), holds) {
				return s
			}
		}
	}
	a.t.Fatalf("nothing in %s holds %s: %s", path, holds, a.must(200, g, "GET", path, "", ""))
	return ""
}
