package identity

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"corridor"
	"corridor/verify"
)

func TestDIDWebAddresses(t *testing.T) {
	for _, c := range []struct{ did, want string }{
		{"did:web:example.org", "https://example.org/.well-known/did.json"},
		{"did:web:example.org:a:b", "https://example.org/a/b/did.json"},
		{"did:web:example.org%3A8443", "https://example.org:8443/.well-known/did.json"},
		{"did:web:example.org%3a8443:x", "https://example.org:8443/x/did.json"},
		{"did:web:localhost%3A8080", "http://localhost:8080/.well-known/did.json"},
		{"did:web:node.localhost", "http://node.localhost/.well-known/did.json"},
		{"did:web:127.0.0.1%3A7000:gw", "http://127.0.0.1:7000/gw/did.json"},
		{"did:web:example.org:caf%C3%A9", "https://example.org/caf%C3%A9/did.json"},
		{"did:web:xn--e1afmkfd.xn--p1ai", "https://xn--e1afmkfd.xn--p1ai/.well-known/did.json"},
	} {
		if got, err := WebURL(c.did); err != nil || got != c.want {
			t.Errorf("%s: %s %v", c.did, got, err)
		}
	}
	for _, bad := range []string{
		"", "did:key:z6Mk", "did:web:", "DID:WEB:example.org", "did:web:example.org:", "did:web:example.org::a", "did:web:example.org:..:x", "did:web:example.org:.",
		"did:web:example.org:%2e%2e", "did:web:example.org:a%2Fb", "did:web:example.org:a%5Cb", "did:web:example.org:%00", "did:web:example.org:a%20b", "did:web:example.org:%zz", "did:web:example.org:a?b",
		"did:web:example.org/x", "did:web:example.org#k", "did:web:user@example.org", "did:web:Example.org", "did:web:пример.рф", "did:web:-a.org", "did:web:a-.org", "did:web:a..org", "did:web:example.org.",
		"did:web:10.0.0.1", "did:web:169.254.169.254", "did:web:2130706433", "did:web:0x7f.1", "did:web:127.1", "did:web:[::1]", "did:web:example.org%3A0", "did:web:example.org%3A65536", "did:web:example.org%3A080",
		"did:web:example.org%3A", "did:web:example.org%3Ax", "did:web:example.org%3A80%3A80", "did:web:" + strings.Repeat("a", 64) + ".org", "did:web:" + strings.Repeat("a.", 130) + "org", "did:web:a.org:" + strings.Repeat("a", 600),
	} {
		_, err := WebURL(bad)
		if corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestADIDIsMadeOfABaseAddressAndBack(t *testing.T) {
	for base, want := range map[string]string{
		"https://example.org": "did:web:example.org", "https://Example.org:8443/gw/": "did:web:example.org%3A8443:gw", "http://127.0.0.1:7000": "did:web:127.0.0.1%3A7000", "https://a.org/b/caf%C3%A9": "did:web:a.org:b:caf%C3%A9",
	} {
		if got, err := WebDID(base); err != nil || got != want {
			t.Errorf("%s: %s %v", base, got, err)
		}
	}
	for _, bad := range []string{"", "example.org", "ftp://a.org", "https://u@a.org", "https://a.org?x", "https://a.org#x", "https://10.0.0.1", "https://a.org//b", "://"} {
		if _, err := WebDID(bad); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.StringMatching(`https://[a-z][a-z0-9]{0,8}(\.[a-z]{2,5}){1,2}(:[1-9][0-9]{0,3})?(/[a-zA-Z0-9._~-]*[a-z]){0,3}`).Draw(t, "base")
		did, err := WebDID(base)
		if err != nil {
			t.Fatal(err)
		}
		at, err := WebURL(did)
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(base)
		tail := "/did.json"
		if u.Path == "" {
			tail = "/.well-known/did.json"
		}
		if strings.TrimPrefix(at, strings.ToLower(u.Scheme+"://"+u.Host)) != u.Path+tail && !strings.HasPrefix(at, "http://localhost") {
			t.Fatalf("%s -> %s -> %s", base, did, at)
		}
	})
}

func TestKeyIDs(t *testing.T) {
	if did, f, err := SplitKeyID("did:web:a.org#k-1"); err != nil || did != "did:web:a.org" || f != "k-1" {
		t.Error(did, f, err)
	}
	for _, bad := range []string{"", "did:web:a.org", "did:web:a.org#", "#k", "x#k", "did:web:a.org#a#b", "did:web:a.org/x#k", "did:web:a.org?x#k", "did:web:a.org#k?x", "did:x#" + strings.Repeat("k", 2000)} {
		if _, _, err := SplitKeyID(bad); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestOurDocumentIsReadBack(t *testing.T) {
	k := keysFor(t, me)
	raw, err := json.Marshal(k.Document("https://node.example/dsp/"))
	must(t, err)
	d, err := ParseDocument(me, raw)
	must(t, err)
	for _, c := range []struct {
		id  string
		rel Relationship
		ok  bool
	}{
		{k.National.KeyID(), AssertionMethod, true}, {k.Token.KeyID(), CapabilityInvocation, true}, {k.Token.KeyID(), Authentication, true},
		{k.National.KeyID(), CapabilityInvocation, false}, {k.Token.KeyID(), AssertionMethod, false}, {k.Log.KeyID(), AssertionMethod, false}, {k.Log.KeyID(), "keyAgreement", false},
	} {
		key, err := d.Key(c.id, c.rel)
		if c.ok != (err == nil) {
			t.Errorf("%s for %s: %v", c.id, c.rel, err)
		}
		if !c.ok {
			wants(t, err, corridor.Unauthenticated, "does not allow this key")
		} else if key.ID != c.id {
			t.Error(key.ID)
		}
	}
	_, err = d.Key(me+"#none", AssertionMethod)
	wants(t, err, corridor.NotFound, "no such key")
	if e, ok := d.Endpoint(DataService); !ok || e != "https://node.example/.well-known/dspace-version" {
		t.Error(e)
	}
	if e, ok := d.Endpoint(CatalogService); !ok || e != "https://node.example/dsp/catalog" {
		t.Error(e)
	}
	if _, ok := d.Endpoint("Other"); ok {
		t.Error("other")
	}
	if d := k.Document("https://node.example/gw/dsp", "https://node.example/gw/"); d.Service[0].Endpoint != "https://node.example/gw/.well-known/dspace-version" {
		t.Error(d.Service[0])
	}
	if d := k.Document(""); len(d.Service) != 0 {
		t.Error("services of nowhere")
	}
}

func TestForeignDocuments(t *testing.T) {
	s := newSigner(t, me, verify.P256)
	jwk, err := json.Marshal(s.Public().JWK)
	must(t, err)
	method := func(id, controller string) string {
		return `{"id":"` + id + `","type":"JsonWebKey2020","controller":"` + controller + `","publicKeyJwk":` + string(jwk) + `}`
	}
	for _, c := range []struct {
		name, doc, key string
		ok             bool
	}{
		{"a relative key id", `{"id":"` + me + `","verificationMethod":[` + method("#a", me) + `],"assertionMethod":["#a"]}`, me + "#a", true},
		{"a key inside the relationship", `{"id":"` + me + `","assertionMethod":[` + method(me+"#a", me) + `]}`, me + "#a", true},
		{"a context that is an object", `{"@context":{"@vocab":"x"},"id":"` + me + `","assertionMethod":[` + method(me+"#a", me) + `]}`, me + "#a", true},
		{"a key that another controls", `{"id":"` + me + `","assertionMethod":[` + method(me+"#a", "did:web:evil.example") + `]}`, me + "#a", false},
		{"a key of another DID", `{"id":"` + me + `","assertionMethod":[` + method("did:web:evil.example#a", me) + `]}`, "did:web:evil.example#a", false},
		{"a key without JWK", `{"id":"` + me + `","verificationMethod":[{"id":"#a","type":"Multikey","controller":"` + me + `","publicKeyMultibase":"z"}],"assertionMethod":["#a"]}`, me + "#a", false},
		{"a key of an unknown curve", `{"id":"` + me + `","assertionMethod":[{"id":"#a","publicKeyJwk":{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}}]}`, me + "#a", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := ParseDocument(me, []byte(c.doc))
			must(t, err)
			_, err = d.Key(c.key, AssertionMethod)
			if c.ok != (err == nil) {
				t.Error(err)
			}
		})
	}
	many := strings.Repeat(`"#a",`, 4*maxMethods) + `"#a"`
	for name, doc := range map[string]string{
		"another id":              `{"id":"did:web:evil.example"}`,
		"no id":                   `{}`,
		"not JSON":                `{"id":`,
		"an array":                `[]`,
		"an id twice":             `{"id":"` + me + `","id":"` + me + `"}`,
		"the same key twice":      `{"id":"` + me + `","verificationMethod":[` + method("#a", me) + `,` + method(me+"#a", me) + `]}`,
		"a method that is text":   `{"id":"` + me + `","verificationMethod":["x"]}`,
		"a method without id":     `{"id":"` + me + `","verificationMethod":[{"type":"x"}]}`,
		"a relation to a number":  `{"id":"` + me + `","assertionMethod":[7]}`,
		"very many relations":     `{"id":"` + me + `","assertionMethod":[` + many + `]}`,
		"very many services":      `{"id":"` + me + `","service":[` + strings.Repeat(`{},`, maxServices) + `{}]}`,
		"nesting without end":     `{"id":"` + me + `","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
		"trailing bytes":          `{"id":"` + me + `"} x`,
		"a method list of text":   `{"id":"` + me + `","verificationMethod":"x"}`,
		"bytes that are not UTF8": "{\"id\":\"" + me + "\xff\"}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseDocument(me, []byte(doc))
			wants(t, err, corridor.Unauthenticated, "DID document is not usable")
		})
	}
	_, err = ParseDocument(me, []byte(`{"id":"`+strings.Repeat("x", MaxDocument)+`"}`))
	wants(t, err, corridor.Limited, "over the limit")
	d, err := ParseDocument(me, []byte(`{"id":"`+me+`","service":[{"id":"#s","type":"DataService","serviceEndpoint":{"uri":"x"}},{"id":"#t","type":"DataService","serviceEndpoint":"https://x.example"}]}`))
	must(t, err)
	if len(d.Service) != 1 || d.Service[0].ID != me+"#t" {
		t.Errorf("%+v", d.Service)
	}
}

func FuzzDIDWeb(f *testing.F) {
	for _, s := range []string{"did:web:example.org%3A8443:a:b", "did:web:127.0.0.1", "did:web:a.org:%2e%2e", "https://example.org/x", "did:web:localhost%3A1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, _, _ = SplitKeyID(s)
		if did, err := WebDID(s); err == nil {
			if _, err := WebURL(did); err != nil {
				t.Fatalf("%q makes %q: %v", s, did, err)
			}
		}
		at, err := WebURL(s)
		if err != nil {
			return
		}
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" || !strings.HasSuffix(u.Path, "/did.json") || strings.Contains(u.Path, "/../") || strings.Contains(u.Path, "//") {
			t.Fatalf("%q leads to %q", s, at)
		}
		if u.Scheme == "http" && !loopbackHost(u.Hostname()) {
			t.Fatalf("%q leads to plain http at %q", s, at)
		}
		if !strings.HasPrefix(strings.ToLower(s), "did:web:"+u.Hostname()) {
			t.Fatalf("%q leads to the host %q", s, u.Hostname())
		}
	})
}

func FuzzDIDDocument(f *testing.F) {
	k := keysFor(f, me)
	raw, err := json.Marshal(k.Document("https://node.example/dsp"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"id":"` + me + `","verificationMethod":[{"id":"#a","controller":"` + me + `","publicKeyJwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}],"assertionMethod":["#a"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDocument(me, data)
		if err != nil {
			return
		}
		if d.ID != me {
			t.Fatal(d.ID)
		}
		for _, m := range d.VerificationMethod {
			if !strings.HasPrefix(m.ID, me+"#") || m.Controller != me {
				t.Fatalf("a key of another: %+v", m)
			}
			if _, err := (verify.Key{Suite: verify.SuiteOf(m.JWK), ID: m.ID, JWK: m.JWK}).Public(); err != nil {
				t.Fatal(err)
			}
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseDocument(me, again); len(again) <= MaxDocument && (err != nil || len(back.VerificationMethod) != len(d.VerificationMethod)) {
			t.Fatalf("%v\n%s", err, again)
		}
	})
}
