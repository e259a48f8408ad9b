package dsp

import (
	"net/http"
	"strings"
	"testing"
)

// The addresses that Eclipse EDC 0.14 and 0.15 write.
const (
	edcStart = `{"@id":"d338e80b","@type":"TransferStartMessage","providerPid":"p","consumerPid":"c","dataAddress":{"@type":"DataAddress","endpointType":"https://w3id.org/idsa/v4.1/HTTP",
		"endpointProperties":[{"@type":"EndpointProperty","name":"https://w3id.org/edc/v0.0.1/ns/endpoint","value":"http://127.0.0.1:34037/public"},
		{"@type":"EndpointProperty","name":"https://w3id.org/edc/v0.0.1/ns/authType","value":"bearer"},
		{"@type":"EndpointProperty","name":"https://w3id.org/edc/v0.0.1/ns/authorization","value":"a.b.c"}]},
		"@context":["https://w3id.org/dspace/2025/1/context.jsonld","https://w3id.org/edc/dspace/v0.0.1"]}`
	edcPush = `{"@id":"8cce71a3","@type":"TransferRequestMessage","agreementId":"a","format":"HttpData-PUSH","callbackAddress":"http://127.0.0.1:42623/protocol/2025-1","consumerPid":"c",
		"dataAddress":{"@type":"DataAddress","endpointType":"HttpData","endpointProperties":[{"@type":"EndpointProperty","name":"https://w3id.org/edc/v0.0.1/ns/baseUrl","value":"http://127.0.0.1:32807/sink"}]},
		"@context":["https://w3id.org/dspace/2025/1/context.jsonld","https://w3id.org/edc/dspace/v0.0.1"]}`
)

func TestAddressesOfEDC(t *testing.T) {
	start, err := Decode[TransferStartMessage]([]byte(edcStart))
	if err != nil {
		t.Fatal(err)
	}
	if token, _ := start.DataAddress.Property("authorization"); start.DataAddress.URL() != "http://127.0.0.1:34037/public" || token != "a.b.c" {
		t.Errorf("%+v", start.DataAddress)
	}
	push, err := Decode[TransferRequestMessage]([]byte(edcPush))
	if err != nil {
		t.Fatal(err)
	}
	sink, err := push.DataAddress.Sink()
	if err != nil || sink.URL != "http://127.0.0.1:32807/sink" || sink.Method != http.MethodPost || len(sink.Header) != 0 {
		t.Errorf("%+v, %v", sink, err)
	}
}

func TestOurSinkIsOneThatWeUnderstand(t *testing.T) {
	sink, err := SinkAddress("https://gw.example/data/urn:uuid:1", "tok").Sink()
	if err != nil || sink.URL != "https://gw.example/data/urn:uuid:1" || sink.Header.Get("Authorization") != "Bearer tok" {
		t.Errorf("%+v, %v", sink, err)
	}
}

func TestASinkIsUnderstoodCompletelyOrRefused(t *testing.T) {
	const url = "https://sink.example/in"
	for _, c := range []struct {
		name  string
		props string // name=value, separated by spaces
		kind  string
		says  string // "": it is taken, with the header
		want  string
	}{
		{"a bearer token", "authorization=t authType=bearer", EndpointHTTP, "", "Authorization: Bearer t"},
		{"a key of its own", "authKey=x-api-key authCode=k", EndpointPush, "", "X-Api-Key: k"},
		{"put", "method=put", EndpointPush, "", ""},
		{"another kind of address", "", "AmazonS3", "is not a sink", ""},
		{"something unknown", "keyName=vault-secret", EndpointPush, `"keyName" is not understood`, ""},
		{"a second address", "baseUrl=https://elsewhere.example/in", EndpointPush, "second address", ""},
		{"a scheme that is not known", "authorization=t authType=basic", EndpointPush, "basic", ""},
		{"a header that is no key", "authKey=Host authCode=inside.example", EndpointPush, "not a header that opens a sink", ""},
		{"half a key", "authKey=Authorization", EndpointPush, "authCode", ""},
		{"another method", "method=DELETE", EndpointPush, "not a method", ""},
		{"a line break", "authKey=Authorization authCode=a\nHost:x", EndpointPush, "not a header's value", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &DataAddress{EndpointType: c.kind, Endpoint: url}
			for pair := range strings.SplitSeq(c.props, " ") {
				if name, value, ok := strings.Cut(pair, "="); ok {
					a.EndpointProperties = append(a.EndpointProperties, EndpointProperty{Name: name, Value: value})
				}
			}
			s, err := a.Sink()
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v does not say %q", err, c.says)
				}
				return
			}
			if err != nil || s.URL != url {
				t.Fatalf("%+v, %v", s, err)
			}
			if name, value, ok := strings.Cut(c.want, ": "); ok && s.Header.Get(name) != value {
				t.Errorf("header %v", s.Header)
			}
		})
	}
	for _, a := range []*DataAddress{nil, {EndpointType: EndpointPush}, {EndpointType: EndpointPush, Endpoint: "ftp://x/y"}, {EndpointType: EndpointPush, Endpoint: "https://a@x/y"}} {
		if _, err := a.Sink(); err == nil {
			t.Errorf("%+v is taken", a)
		}
	}
}

// The catalogue of EDC 0.14 describes its assets in vocabularies of their
// owners. They are dropped; what the protocol says is not.
func TestACatalogueInForeignVocabularies(t *testing.T) {
	const catalog = `{"@id":"c","@type":"Catalog","dataset":[{"@id":"ports","@type":"Dataset","hasPolicy":[{"@id":"o","@type":"Offer","permission":[{"action":"use"}]}],
		"distribution":[{"@type":"Distribution","format":"HttpData-PULL","accessService":{"@id":"s","@type":"DataService","endpointDescription":"dspace:connector","endpointURL":"http://127.0.0.1:1/protocol/2025-1"}}],
		"edc:zoo":5.0,"edc:list":["a",null],"https://corridor.example/ns#facts":"x","edc:foo":{"edc:bar":"1"},"id":"ports","description":"d"}],
		"participantId":"did:web:p.example","@context":["https://w3id.org/dspace/2025/1/context.jsonld","https://w3id.org/edc/dspace/v0.0.1"]}`
	got, err := Decode[Catalog]([]byte(catalog))
	if err != nil || got.Dataset[0].ID != "ports" || got.Dataset[0].Distribution[0].Format != "HttpData-PULL" {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, c := range []struct{ name, old, with, says string }{
		{"a policy of the protocol under its prefix", `"edc:zoo":5.0`, `"odrl:hasPolicy":[]`, "odrl:hasPolicy"},
		{"a policy of the protocol in full", `"edc:zoo":5.0`, `"http://www.w3.org/ns/odrl/2/hasPolicy":[]`, "hasPolicy"},
		{"a foreign word in a permission", `{"action":"use"}`, `{"action":"use","edc:only":"today"}`, "edc:only"},
		{"a foreign word in an offer", `"@type":"Offer",`, `"@type":"Offer","edc:only":"today",`, "edc:only"},
		{"a member of the catalogue that is said twice", `"edc:zoo":5.0`, `"edc:zoo":5.0,"edc:zoo":6`, "edc:zoo"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := strings.Replace(catalog, c.old, c.with, 1)
			if changed == catalog {
				t.Fatal("nothing was changed")
			}
			if _, err := Decode[Catalog]([]byte(changed)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not name %q", err, c.says)
			}
		})
	}
}
