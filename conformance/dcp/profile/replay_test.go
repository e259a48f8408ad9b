package profile

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"corridor/internal/identity"
	"corridor/internal/identity/dcp"
)

// The 85 enabled tests of the Eclipse DCP TCK, played again by our own code, so
// that conformance is guarded where the kit itself cannot be had. Beyond the
// kit, which takes any client error, a refusal must say the right thing.

type play struct {
	*testKit
	n *testNode
}

func newPlay(t *testing.T) *play {
	k := startKit(t)
	return &play{testKit: k, n: startNode(t, k.srv.URL)}
}

// refused demands a client error that says something.
func (p *play) refused(status int, body []byte, says string) {
	p.t.Helper()
	if status < 400 || status > 499 || !strings.Contains(string(body), says) {
		p.t.Errorf("got %d %s; want a client error that says %q", status, body, says)
	}
}

func (p *play) taken(status int, body []byte) {
	p.t.Helper()
	if status < 200 || status > 299 {
		p.t.Errorf("got %d %s; want success", status, body)
	}
}

// badToken is a token that every service refuses.
type badToken struct {
	name   string
	change func(p *play) map[string]any
	says   string
}

func ahead(d time.Duration, key string) func(*play) map[string]any {
	return func(*play) map[string]any { return map[string]any{key: time.Now().Add(d).Unix()} }
}

// badTokens are those of the issuance tests (6.4, 6.5, 6.6, 6.8).
func badTokens(margin time.Duration) []badToken {
	return []badToken{
		{"token expired", ahead(-margin, "exp"), "expired"},
		{"iat in the future", ahead(margin, "iat"), "from the future"},
		{"nbf", ahead(margin, "nbf"), "not valid yet"},
		{"incorrect aud", func(p *play) map[string]any { return map[string]any{"aud": p.part["thirdparty"].did} }, "not for this gateway"},
		{"iss != sub", func(p *play) map[string]any { return map[string]any{"sub": p.part["thirdparty"].did} }, "iss and sub differ"},
	}
}

// guarded plays the tests that each issuance endpoint has in common: no header,
// no prefix, a spoofed key, the bad tokens, and a jti that was used.
func (p *play) guarded(t *testing.T, from string, margin time.Duration, call func(authorization string) (int, []byte)) {
	try := func(name, says string, authorization func() string) {
		t.Run(name, func(t *testing.T) {
			status, body := call(authorization())
			p.t = t
			p.refused(status, body, says)
		})
	}
	try("no auth header", "no token", func() string { return "" })
	try("no Bearer prefix", "bearer", func() string { return p.token(from, p.n, nil) })
	try("wrong signing key", "signature does not match", func() string {
		parts := strings.Split(p.token(from, p.n, nil), ".")
		other := strings.Split(p.signed(newKey(t, p.part[from].did), p.claims(from, p.n, nil)), ".")
		return "Bearer " + parts[0] + "." + other[1] + "." + other[2] // the kid of the true key, the signature of another
	})
	for _, b := range badTokens(margin) {
		try(b.name, b.says, func() string { return "Bearer " + p.token(from, p.n, b.change(p)) })
	}
	t.Run("jti used before", func(t *testing.T) {
		p.t = t
		authorization := "Bearer " + p.token(from, p.n, nil)
		status, body := call(authorization)
		p.taken(status, body)
		status, body = call(authorization)
		p.refused(status, body, "used before")
	})
}

func (p *play) endpoint(t *testing.T, typ string) string {
	t.Helper()
	_, _, raw := p.say("GET", p.n.root+"/.well-known/did.json", "", nil)
	doc, err := identity.ParseDocument(p.n.did, raw)
	fatal(t, err)
	at, ok := doc.Endpoint(typ)
	if !ok {
		t.Fatalf("the DID document announces no %s: %s", typ, raw)
	}
	return at
}

func message(typ string, members map[string]any) map[string]any {
	m := map[string]any{"@context": []string{dcp.Context}, "type": typ}
	for k, v := range members {
		if v == nil {
			delete(m, k)
			continue
		}
		m[k] = v
	}
	return m
}

// TestTheVerifier plays presentation.verifier: 20 tests.
func TestTheVerifier(t *testing.T) {
	p := newPlay(t)
	holder := p.part["holder"].did
	var shown []string
	p.at("/presentations/query", func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Scope []string }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || !slices.Equal(q.Scope, []string{"org.eclipse.dspace.dcp.vc.type:MembershipCredential:read"}) {
			http.Error(w, "wrong scope", http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(message("PresentationResponseMessage", map[string]any{"presentation": shown}))
	})
	show := func(credentials ...string) {
		raw, err := dcp.Present(context.Background(), p.part["holder"].key, dcp.VC11, holder, p.n.did, credentials, time.Now())
		fatal(t, err)
		shown = []string{raw}
	}
	membership := func(change map[string]any) string { return p.credential(holder, Membership, change) }
	trigger := func(authorization string) (int, []byte) {
		status, _, body := p.say("POST", p.n.root+Trigger, authorization, map[string]any{"@type": "https://w3id.org/dspace/2025/1/CatalogRequestMessage", "https://w3id.org/dspace/2025/1/filter": map[string]any{}})
		return status, body
	}
	with := func(from string, change map[string]any) string {
		c := map[string]any{"token": fmt.Sprint(time.Now().UnixNano())}
		for k, v := range change {
			c[k] = v
		}
		return p.token(from, p.n, c)
	}
	show(membership(nil))
	for _, c := range []struct {
		name, says string
		token      func() string
	}{
		{"rejects a missing Bearer prefix", "bearer", func() string { return with("holder", nil) }},
		{"4.3.3 bound to a different iss/sub", "not for this gateway", func() string { return "Bearer " + with("thirdparty", map[string]any{"aud": holder}) }},
		{"4.3.3 iss and sub different", "differ", func() string { return "Bearer " + with("holder", map[string]any{"sub": p.part["thirdparty"].did}) }},
		{"4.3.3 incorrect aud", "not for this gateway", func() string { return "Bearer " + with("holder", map[string]any{"aud": p.part["thirdparty"].did}) }},
		{"4.3.3 sub does not match the document", "differ", func() string { return "Bearer " + with("holder", map[string]any{"sub": p.part["thirdparty"].did}) }},
		{"4.3.3 nbf in the future", "not valid yet", func() string { return "Bearer " + with("holder", ahead(1000000*time.Second, "nbf")(p)) }},
		{"4.3.3 expired", "expired", func() string { return "Bearer " + with("holder", ahead(-1000000*time.Second, "exp")(p)) }},
		{"4.3.1 no access token", "no claim token", func() string { return "Bearer " + p.token("holder", p.n, nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.t = t
			status, body := trigger(c.token())
			p.refused(status, body, c.says)
		})
	}
	t.Run("4.3.3 jti used twice", func(t *testing.T) {
		p.t = t
		jti := map[string]any{"jti": "the same"}
		status, body := trigger("Bearer " + with("holder", jti))
		p.taken(status, body)
		status, body = trigger("Bearer " + with("holder", jti))
		p.refused(status, body, "used before")
	})
	t.Run("resolves the credential service", func(t *testing.T) { p.t = t; p.endpoint(t, dcp.CredentialService) })
	for _, c := range []struct {
		name, says string // "": taken
		shown      []string
	}{
		{"5.1 a valid response", "", []string{membership(nil)}},
		{"5.4.2.1 a different credential", "MembershipCredential", []string{p.credential(holder, "SomeOtherCredential", nil)}},
		{"5.4.2.2 more than requested", "", []string{membership(nil), p.credential(holder, SensitiveTyp, nil)}},
		{"5.4.2.4 a missing credential", "among the 0", []string{}},
		{"5.4.3 holder and subject differ", "is about", []string{membership(map[string]any{"credentialSubject": map[string]any{"id": p.part["thirdparty"].did, "foo": "bar"}})}},
		{"5.4.3.7 expired", "expired", []string{membership(map[string]any{"expirationDate": time.Now().Add(-100 * time.Second).UTC().Format(time.RFC3339)})}},
		{"5.4.3.6 not yet valid", "not valid yet", []string{membership(map[string]any{"issuanceDate": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})}},
		{"5.4.3.6 revoked", "under revocation", []string{membership(map[string]any{"credentialStatus": map[string]any{"id": "x", "type": "BitstringStatusListEntry", "statusPurpose": "revocation", "statusListIndex": "1", "statusListCredential": p.srv.URL + "/statuslist/1"}})}},
		{"x.x the schema is violated", "as its schema", []string{membership(map[string]any{"credentialSubject": map[string]any{"id": holder, "baz": "quazz"}, "credentialSchema": map[string]any{"id": p.srv.URL + "/schema/membership.json", "type": "JsonSchemaValidator2018"}})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.t = t
			p.lists()
			show(c.shown...)
			status, body := trigger("Bearer " + with("holder", nil))
			if c.says == "" {
				p.taken(status, body)
				return
			}
			p.refused(status, body, c.says)
		})
	}
	t.Run("5.4.2.3 an empty presentation array", func(t *testing.T) {
		p.t, shown = t, []string{}
		status, body := trigger("Bearer " + with("holder", nil))
		p.refused(status, body, "among the 0")
	})
}

// lists serves a status list with entry 1 set, unsigned as the kit's is, and a
// schema that wants foo.
func (p *play) lists() {
	p.at("/statuslist/1", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"@context": []string{"https://www.w3.org/ns/credentials/v2"}, "type": []string{"VerifiableCredential", "BitstringStatusListCredential"}, "issuer": p.part["issuer"].did,
			"credentialSubject": map[string]any{"type": "BitstringStatusList", "statusPurpose": "revocation", "encodedList": gzipped([]byte{0x40, 0, 0, 0})}})
	})
	p.at("/schema/membership.json", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"id":{"type":"string"},"foo":{"type":"string"}},"required":["id","foo"]}`))
	})
}

// TestTheCredentialService plays presentation.cs (16 enabled) and issuance.cs (24).
func TestTheCredentialService(t *testing.T) {
	p := newPlay(t)
	base := p.endpoint(t, dcp.CredentialService) // 5.2
	issuer := p.part["issuer"].did
	delivery := func(change map[string]any) map[string]any {
		list := []map[string]any{}
		for _, typ := range []string{Membership, SensitiveTyp} {
			list = append(list, map[string]any{"credentialType": typ, "format": "vc11-sl2021/jwt", "payload": p.credential(p.n.did, typ, nil)})
		}
		m := map[string]any{"issuerPid": "i", "holderPid": Correlation, "status": "ISSUED", "credentials": list}
		for k, v := range change {
			m[k] = v
		}
		return message("CredentialMessage", m)
	}
	offer := func(change map[string]any) map[string]any {
		m := map[string]any{"issuer": issuer, "credentials": []any{map[string]any{"id": "1", "type": "CredentialObject", "credentialType": Membership, "offerReason": "reissue", "bindingMethods": []string{"did:web:"}, "profile": "vc11-sl2021/jwt", "issuancePolicy": map[string]any{}}}}
		for k, v := range change {
			m[k] = v
		}
		return message("CredentialOfferMessage", m)
	}
	post := func(path, authorization string, body any) (int, []byte) {
		status, _, raw := p.say("POST", base+path, authorization, body)
		return status, raw
	}
	bearer := func(from string, change map[string]any) string { return "Bearer " + p.token(from, p.n, change) }
	for _, e := range []struct {
		name, path string
		body       func(map[string]any) map[string]any
		good, bad  []map[string]any
		says       []string
	}{
		{"6.5.1 CredentialMessage", "/credentials", delivery, []map[string]any{nil}, []map[string]any{{"holderPid": nil}, {"status": "INVALID_STATUS"}}, []string{"holderPid", "INVALID_STATUS"}},
		{"6.6.1 CredentialOfferMessage", "/offers", offer, []map[string]any{nil, {"credentials": []any{map[string]any{"id": "1"}, map[string]any{"id": "2"}}}}, []map[string]any{{"issuer": nil}}, []string{"issuer"}},
	} {
		t.Run(e.name, func(t *testing.T) {
			p.guarded(t, "issuer", time.Hour, func(a string) (int, []byte) { return post(e.path, a, e.body(nil)) })
			for i, change := range e.good {
				t.Run(fmt.Sprint("accepts ", i), func(t *testing.T) {
					p.t = t
					status, raw := post(e.path, bearer("issuer", nil), e.body(change))
					p.taken(status, raw)
				})
			}
			for i, change := range e.bad {
				t.Run(fmt.Sprint("rejects a bad body ", i), func(t *testing.T) {
					p.t = t
					status, raw := post(e.path, bearer("issuer", nil), e.body(change))
					p.refused(status, raw, e.says[i])
				})
			}
		})
	}
	t.Run("5 presentation", func(t *testing.T) { p.queries(t, post, bearer) })
}

const (
	membershipScope = "org.eclipse.dspace.dcp.vc.type:MembershipCredential:read"
	sensitiveScope  = "org.eclipse.dspace.dcp.vc.type:SensitiveDataCredential:read"
)

// access gets an access token for the kit's verifier as the kit does.
func (p *play) access(scopes ...string) string {
	p.t.Helper()
	resp, err := client.PostForm(p.n.root+STS+"/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {ClientID}, "client_secret": {ClientSecret}, "audience": {p.part["verifier"].did}, "bearer_access_scope": {strings.Join(scopes, " ")}})
	fatal(p.t, err)
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	fatal(p.t, json.NewDecoder(resp.Body).Decode(&answer))
	var claims struct{ Token string }
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(answer.Token, ".")[1])
	fatal(p.t, err)
	fatal(p.t, json.Unmarshal(payload, &claims))
	return claims.Token
}

// queries plays the tests of the resolution API.
func (p *play) queries(t *testing.T, post func(string, string, any) (int, []byte), bearer func(string, map[string]any) string) {
	p.t = t
	const at = "/presentations/query"
	query := func(members map[string]any) map[string]any { return message("PresentationQueryMessage", members) }
	one := query(map[string]any{"scope": []string{membershipScope}})
	definition := map[string]any{"id": "1", "input_descriptors": []any{map[string]any{"id": "credential", "format": "vcdm11_jwt"}}}
	token := p.access(membershipScope)
	for _, c := range []struct {
		name, says string
		token      string
		body       any
	}{
		{"4.3.3 bound to a different iss/sub", "access token", bearer("thirdparty", map[string]any{"token": token}), one},
		{"4.3.3 iss and sub different", "differ", bearer("verifier", map[string]any{"token": token, "sub": p.part["thirdparty"].did}), one},
		{"4.3.3 incorrect aud", "not for this gateway", bearer("verifier", map[string]any{"token": token, "aud": p.part["verifier"].did}), one},
		{"4.3.3 sub does not match", "not for this gateway", p.bearerOf("thirdparty", "verifier", token), one},
		{"4.3.3 nbf in the future", "not valid yet", bearer("verifier", map[string]any{"token": token, "nbf": time.Now().Add(time.Hour).Unix()}), one},
		{"4.3.3 expired", "expired", bearer("verifier", map[string]any{"token": token, "exp": time.Now().Add(-time.Hour).Unix()}), one},
		{"5.3.1 invalid header", "bearer", p.token("verifier", p.n, map[string]any{"token": token}), one},
		{"5.4 not authorized", "access token", bearer("verifier", map[string]any{"token": "faketoken"}), one},
		{"5.4.1.2 both scope and definition", "both", bearer("verifier", map[string]any{"token": token}), query(map[string]any{"scope": []string{membershipScope}, "presentationDefinition": definition})},
		{"5.4.1.1 empty definition", "scope", bearer("verifier", map[string]any{"token": token}), query(map[string]any{"presentationDefinition": map[string]any{}})},
		{"5.4.1.1 no definition", "scope", bearer("verifier", map[string]any{"token": token}), json.RawMessage(`{"@context":["` + dcp.Context + `"],"type":"PresentationQueryMessage","presentationDefinition":null}`)},
		{"5.4.1.2 empty scope", "scope", bearer("verifier", map[string]any{"token": token}), query(map[string]any{"scope": []string{}})},
		{"5.4.1.2 no scope", "scope", bearer("verifier", map[string]any{"token": token}), query(nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.t = t
			status, raw := post(at, c.token, c.body)
			p.refused(status, raw, c.says)
		})
	}
	t.Run("4.3.3 jti used twice", func(t *testing.T) {
		p.t = t
		status, raw := post(at, bearer("verifier", map[string]any{"token": token, "jti": "same"}), one)
		p.shows(status, raw, Membership)
		status, raw = post(at, bearer("verifier", map[string]any{"token": token, "jti": "same"}), one)
		p.refused(status, raw, "used before")
	})
	for _, c := range []struct {
		name           string
		granted, asked []string
		shows          string
	}{
		{"5.4.1.2 by type", []string{membershipScope}, []string{membershipScope}, Membership},
		{"5.4.1.2 less than authorized", []string{membershipScope, sensitiveScope}, []string{sensitiveScope}, SensitiveTyp},
		{"5.4.1.2 scope escalation", []string{membershipScope}, []string{membershipScope, sensitiveScope}, Membership},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.t = t
			status, raw := post(at, bearer("verifier", map[string]any{"token": p.access(c.granted...)}), query(map[string]any{"scope": c.asked}))
			p.shows(status, raw, c.shows)
		})
	}
	t.Run("5.4.1 a definition is not supported", func(t *testing.T) {
		status, raw := post(at, bearer("verifier", map[string]any{"token": token}), query(map[string]any{"presentationDefinition": definition}))
		if status != http.StatusNotImplemented {
			t.Errorf("got %d %s, not 501", status, raw)
		}
	})
}

func (p *play) bearerOf(from, aud, token string) string {
	return "Bearer " + p.token(from, p.n, map[string]any{"token": token, "aud": p.part[aud].did})
}

// shows proves the one presentation of an answer as the kit does: signed by
// the node for the verifier, with one credential of the kit's issuer.
func (p *play) shows(status int, raw []byte, typ string) {
	p.t.Helper()
	p.taken(status, raw)
	var r struct {
		Context      []string `json:"@context"`
		Type         string
		Presentation []string
	}
	fatal(p.t, json.Unmarshal(raw, &r))
	if r.Type != "PresentationResponseMessage" || !slices.Equal(r.Context, []string{dcp.Context}) || len(r.Presentation) != 1 {
		p.t.Fatalf("the answer is %s", raw)
	}
	checker := dcp.NewChecker(identity.NewResolver(identity.ResolverConfig{HTTP: identity.GuardedClient(true)}), identity.GuardedClient(true), nil)
	vp, err := dcp.ParsePresentation(r.Presentation[0])
	fatal(p.t, err)
	fatal(p.t, checker.Presentation(context.Background(), vp, p.n.did, p.part["verifier"].did))
	if len(vp.Credentials) != 1 {
		p.t.Fatalf("%d credentials are shown", len(vp.Credentials))
	}
	c, err := dcp.ParseCredential(vp.Credentials[0])
	fatal(p.t, err)
	fatal(p.t, checker.Credential(context.Background(), c, p.n.did))
	if !slices.Equal(c.Types, []string{"VerifiableCredential", typ}) || c.Issuer != p.part["issuer"].did {
		p.t.Errorf("shown is %v of %s, not %s", c.Types, c.Issuer, typ)
	}
}

// TestTheIssuerService plays issuance.issuer: 25 tests.
func TestTheIssuerService(t *testing.T) {
	p := newPlay(t)
	base := p.endpoint(t, dcp.IssuerService) // 6.2
	status, _, raw := p.say("GET", base+"/metadata", "", nil)
	p.taken(status, raw) // 6.7
	var m struct {
		Type, Issuer         string
		CredentialsSupported []dcp.Object
	}
	fatal(t, json.Unmarshal(raw, &m))
	var ids []map[string]any
	for _, o := range m.CredentialsSupported {
		if o.Profile == dcp.VC11 {
			ids = append(ids, map[string]any{"id": o.ID})
		}
	}
	if m.Type != "IssuerMetadata" || m.Issuer != p.n.did || len(ids) != 2 {
		t.Fatalf("the metadata is %s", raw)
	}
	request := func(change map[string]any) map[string]any {
		members := map[string]any{"holderPid": "the holder's", "credentials": ids}
		for k, v := range change {
			members[k] = v
		}
		return message("CredentialRequestMessage", members)
	}
	ask := func(authorization string, body any) (int, http.Header, []byte) {
		return p.say("POST", base+"/credentials", authorization, body)
	}
	t.Run("6.4.1 accepts and delivers", func(t *testing.T) {
		p.t = t
		status, head, raw := ask("Bearer "+p.token("holder", p.n, nil), request(nil))
		if p.taken(status, raw); status != http.StatusCreated || head.Get("Location") == "" {
			t.Fatalf("got %d, Location %q", status, head.Get("Location"))
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			p.mu.Lock()
			n := len(p.delivered)
			p.mu.Unlock()
			if n == 2 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d credentials were delivered, not 2", n)
			}
		}
	})
	t.Run("6.4 request", func(t *testing.T) {
		p.guarded(t, "holder", time.Minute, func(a string) (int, []byte) { status, _, raw := ask(a, request(nil)); return status, raw })
	})
	for _, missing := range []string{"credentials", "holderPid"} { // 6.4.4, 6.4.12
		t.Run("6.4 without "+missing, func(t *testing.T) {
			p.t = t
			status, _, raw := ask("Bearer "+p.token("holder", p.n, nil), request(map[string]any{missing: nil}))
			p.refused(status, raw, missing)
		})
	}
	p.t = t
	_, head, _ := ask("Bearer "+p.token("holder", p.n, nil), request(nil))
	id := head.Get("Location")[strings.LastIndex(head.Get("Location"), "/")+1:]
	state := func(id, authorization string) (int, []byte) {
		status, _, raw := p.say("GET", base+"/requests/"+id, authorization, nil)
		return status, raw
	}
	t.Run("6.8 status", func(t *testing.T) {
		p.guarded(t, "holder", time.Minute, func(a string) (int, []byte) { return state(id, a) })
	})
	t.Run("6.8.1 says how it stands", func(t *testing.T) {
		p.t = t
		status, raw := state(id, "Bearer "+p.token("holder", p.n, nil))
		p.taken(status, raw)
		var s struct{ Type, Status, HolderPID string }
		fatal(t, json.Unmarshal(raw, &s))
		if s.Type != "CredentialStatus" || !slices.Contains([]string{dcp.Received, dcp.Issued}, s.Status) || s.HolderPID != "the holder's" {
			t.Errorf("the status is %s", raw)
		}
	})
	t.Run("6.8.12 of a request that is not there", func(t *testing.T) {
		p.t = t
		status, raw := state("not-exist", "Bearer "+p.token("holder", p.n, nil))
		p.refused(status, raw, "no request")
	})
}

// gzipped packs a bitstring as encodedList wants it.
func gzipped(bits []byte) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(bits) // into memory
	_ = z.Close()
	return "u" + base64.RawURLEncoding.EncodeToString(b.Bytes())
}
