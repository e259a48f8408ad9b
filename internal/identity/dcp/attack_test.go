package dcp

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"corridor"
	"corridor/internal/identity"
)

// mint signs a membership of the holder by the authority, changed by a test.
func (w *world) mint(t testing.TB, change func(*Draft)) string {
	t.Helper()
	d := Draft{Profile: VC20, ID: "urn:uuid:" + uuid(), Type: "MembershipCredential", Issuer: w.authority.did, Holder: w.holder.did, From: w.clock.now(), Until: w.clock.now().Add(time.Hour)}
	if change != nil {
		change(&d)
	}
	raw, err := Mint(context.Background(), w.authority.keys.Credential, d)
	must(t, err)
	return raw
}

// forge signs any claims by any key.
func forge(t testing.TB, s identity.Signer, typ string, claims any) string {
	t.Helper()
	raw, err := identity.SignJWT(context.Background(), s, typ, claims)
	must(t, err)
	return raw
}

// body20 is a good credential of data model 2.0, open to change.
func (w *world) body20() map[string]any {
	return map[string]any{"@context": []string{contextV2}, "id": "urn:uuid:1", "type": []string{credentialType, "MembershipCredential"}, "issuer": w.authority.did,
		"validFrom": w.clock.now().Format(time.RFC3339), "credentialSubject": map[string]any{"id": w.holder.did}}
}

// presents lets the holder's credential service answer with a presentation.
func (w *world) presents(t testing.TB, raw ...string) {
	t.Helper()
	list, err := json.Marshal(raw)
	must(t, err)
	w.holder.at("/holder/presentations/query", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write(message(responseType, `"presentation":`+string(list)))
	})
}

// show wraps credentials as the holder would.
func (w *world) show(t testing.TB, p Profile, credentials ...string) string {
	t.Helper()
	raw, err := Present(context.Background(), w.holder.keys.Token, p, w.holder.did, w.verifier.did, credentials, w.clock.now())
	must(t, err)
	return raw
}

// enterBy lets the holder call with an access token of its own making.
func (w *world) enterBy(t testing.TB) error {
	t.Helper()
	token, err := w.holder.tokens.IssueWith(context.Background(), w.verifier.did, uuid())
	must(t, err)
	_, err = w.verifier.verifier.Verify(context.Background(), "Bearer "+token)
	return err
}

func TestBadCredentialsLetNobodyIn(t *testing.T) {
	w := newWorld(t, VC20)
	w.presents(t, w.show(t, VC20, w.mint(t, nil)))
	must(t, w.enterBy(t)) // the ground on which all below fail
	with := func(change func(map[string]any)) func() string {
		return func() string {
			b := w.body20()
			change(b)
			return forge(t, w.authority.keys.Credential, typeV2, b)
		}
	}
	for _, c := range []struct {
		name string
		make func() string
		says string
	}{
		{"expired", func() string {
			return w.mint(t, func(d *Draft) { d.From, d.Until = w.clock.now().Add(-2*time.Hour), w.clock.now().Add(-time.Hour) })
		}, "has expired"},
		{"of the future", func() string { return w.mint(t, func(d *Draft) { d.From = w.clock.now().Add(time.Hour) }) }, "not valid yet"},
		{"of another", func() string { return w.mint(t, func(d *Draft) { d.Holder = w.verifier.did }) }, "is about"},
		{"of another type", func() string { return w.mint(t, func(d *Draft) { d.Type = "PilotCredential" }) }, "no MembershipCredential"},
		{"by a key of another", func() string { return forge(t, w.holder.keys.Credential, typeV2, w.body20()) }, "is not a key of"},
		{"by a key that is not for assertions", func() string { return forge(t, w.authority.keys.Token, typeV2, w.body20()) }, "assertionMethod"},
		{"by a key that the document does not hold", func() string { return forge(t, signer(t, w.authority.did, "credential"), typeV2, w.body20()) }, "no such key"},
		{"signed by nobody", func() string { return unsigned(t, w.authority.keys.Credential.KeyID(), w.body20()) }, "not a JWT that this gateway reads"},
		{"signed with the public key as a secret", func() string { return confused(t, w.authority.keys.Credential, w.body20()) }, "not a JWT that this gateway reads"},
		{"changed after signing", func() string { return tampered(w.mint(t, nil)) }, "signature does not match"},
		{"of another data model", with(func(b map[string]any) { b["@context"] = []string{"https://example.org"} }), "@context"},
		{"that is none", with(func(b map[string]any) { b["type"] = []string{"MembershipCredential"} }), "VerifiableCredential"},
		{"with two issuers", with(func(b map[string]any) { b["iss"] = w.holder.did }), "outside the credential"},
		{"about two", with(func(b map[string]any) {
			b["credentialSubject"] = []any{map[string]any{"id": w.holder.did}, map[string]any{"id": w.verifier.did}}
		}), "2 subjects"},
		{"about nobody", with(func(b map[string]any) { b["credentialSubject"] = map[string]any{"level": "full"} }), "belongs to nobody"},
		{"with a time that is none", with(func(b map[string]any) { b["validFrom"] = "soon" }), "is not a time"},
		{"whose status cannot be checked", with(func(b map[string]any) { b["credentialStatus"] = map[string]any{"type": "Other2030"} }), "cannot be checked here"},
		{"whose status serves what is unknown", with(func(b map[string]any) {
			b["credentialStatus"] = map[string]any{"type": bitstringEntry, "statusPurpose": "message", "statusListIndex": "1", "statusListCredential": "http://x"}
		}), "is not understood"},
		{"whose schema cannot be checked", with(func(b map[string]any) { b["credentialSchema"] = map[string]any{"id": "x", "type": "Shape"} }), "cannot be checked here"},
		{"that is huge", with(func(b map[string]any) { b["more"] = strings.Repeat("x", maxCredential) }), "limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.presents(t, w.show(t, VC20, c.make()))
			wants(t, w.enterBy(t), corridor.Forbidden, c.says)
		})
	}
}

func unsigned(t testing.TB, kid string, claims any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	must(t, err)
	b := base64.RawURLEncoding
	return b.EncodeToString([]byte(`{"alg":"none","typ":"vc+jwt","kid":"`+kid+`"}`)) + "." + b.EncodeToString(payload) + "."
}

func confused(t testing.TB, key identity.Signer, claims any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	must(t, err)
	secret, err := json.Marshal(key.Public().JWK)
	must(t, err)
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, (&jose.SignerOptions{}).WithHeader("kid", key.KeyID()))
	must(t, err)
	signed, err := s.Sign(payload)
	must(t, err)
	raw, err := signed.CompactSerialize()
	must(t, err)
	return raw
}

func tampered(jwt string) string {
	parts := strings.Split(jwt, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	parts[1] = base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte("urn:uuid:"), []byte("urn:uuid:0"), 1))
	return strings.Join(parts, ".")
}

func TestBadPresentationsLetNobodyIn(t *testing.T) {
	w := newWorld(t, VC20)
	now := w.clock.now()
	good := w.mint(t, nil)
	old := w.mint(t, func(d *Draft) { d.Profile = VC11 })
	vp := func(change func(map[string]any)) func() string {
		return func() string {
			c := map[string]any{"@context": []string{contextV2}, "type": presentationType, "holder": w.holder.did, "iss": w.holder.did, "aud": w.verifier.did, "exp": now.Add(time.Minute).Unix(),
				"verifiableCredential": []any{map[string]any{"@context": contextV2, "id": envelopedPrefix + good, "type": envelopedType}}}
			change(c)
			return forge(t, w.holder.keys.Token, typePresentation, c)
		}
	}
	w.presents(t, vp(func(map[string]any) {})())
	must(t, w.enterBy(t))
	for _, c := range []struct {
		name string
		make func() string
		says string
	}{
		{"for another", vp(func(c map[string]any) { c["aud"] = w.authority.did }), "not for this gateway alone"},
		{"for two", vp(func(c map[string]any) { c["aud"] = []string{w.verifier.did, w.authority.did} }), "not for this gateway alone"},
		{"for nobody", vp(func(c map[string]any) { delete(c, "aud") }), "not for this gateway alone"},
		{"expired", vp(func(c map[string]any) { c["exp"] = now.Add(-time.Minute).Unix() }), "has expired"},
		{"without an end", vp(func(c map[string]any) { delete(c, "exp") }), "does not say when it expires"},
		{"of the future", vp(func(c map[string]any) { c["nbf"] = now.Add(time.Hour).Unix() }), "from the future"},
		{"of two holders", vp(func(c map[string]any) { c["holder"] = w.verifier.did }), "two holders"},
		{"of another holder", vp(func(c map[string]any) { c["holder"], c["iss"] = w.verifier.did, w.verifier.did }), "is of"},
		{"by a key of another", func() string {
			raw, err := Present(context.Background(), w.verifier.keys.Token, VC20, w.holder.did, w.verifier.did, []string{good}, now)
			must(t, err)
			return raw
		}, "is not a key of"},
		{"by a key that is not for authentication", func() string {
			raw, err := Present(context.Background(), w.holder.keys.Credential, VC20, w.holder.did, w.verifier.did, []string{good}, now)
			must(t, err)
			return raw
		}, "authentication"},
		{"of nothing", func() string { return w.show(t, VC20) }, "no MembershipCredential"},
		{"of two profiles", func() string { return w.show(t, VC20, old) }, "of its own profile"},
		{"of credentials that are not enveloped", vp(func(c map[string]any) { c["verifiableCredential"] = []string{good} }), "wanted here"},
		{"that is none", vp(func(c map[string]any) { c["type"] = "Other" }), "not a VerifiablePresentation"},
		{"that is no JWT", func() string { return "plain" }, "not a JWT"},
		{"of too many", func() string { return w.show(t, VC20, slicesRepeat("a.b.c", maxCredentials+1)...) }, "more than"},
		{"that is huge", func() string { return w.show(t, VC20, strings.Repeat("x", maxPresentation)) }, "limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.presents(t, c.make())
			wants(t, w.enterBy(t), corridor.Forbidden, c.says)
		})
	}
	w.presents(t)
	wants(t, w.enterBy(t), corridor.Forbidden, "among the 0 that were presented")
	w.presents(t, slicesRepeat("x", maxPresentations+1)...)
	wants(t, w.enterBy(t), corridor.Forbidden, "more than 16 presentations")
	w.holder.at("/holder/presentations/query", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "http://169.254.169.254/", http.StatusTemporaryRedirect)
	})
	wants(t, w.enterBy(t), corridor.Forbidden, "status 307")
	w.holder.at("/holder/presentations/query", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
	wants(t, w.enterBy(t), corridor.Unavailable, "status 502")
}

func slicesRepeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func TestAServiceAtAPrivateAddressIsNotAsked(t *testing.T) {
	w := newWorld(t, VC20)
	w.holder.doc = func(d *identity.Document) {
		for i := range d.Service {
			if d.Service[i].Type == CredentialService {
				d.Service[i].Endpoint = "http://169.254.169.254/latest"
			}
		}
	}
	wants(t, w.enterBy(t), corridor.Forbidden, "metadata service")
	w = newWorld(t, VC20)
	w.presents(t, w.show(t, VC20, w.mint(t, func(d *Draft) {
		d.Status = &StatusEntry{Type: bitstringEntry, Purpose: "revocation", List: "http://169.254.169.254/list", Index: 1}
	})))
	wants(t, w.enterBy(t), corridor.Forbidden, "metadata service")
}

func TestADIDDocumentThatNoLongerHoldsTheKeyEndsTheCredential(t *testing.T) {
	w := newWorld(t, VC20)
	w.presents(t, w.show(t, VC20, w.mint(t, nil)))
	must(t, w.enterBy(t))
	w.authority.mu.Lock()
	w.authority.keys.Credential = signer(t, w.authority.did, "credential")
	w.authority.mu.Unlock()
	w.clock.forward(11 * time.Minute)                            // documents are used for ten
	w.presents(t, w.show(t, VC20, w.mint(t, func(d *Draft) {}))) // by the new key
	must(t, w.enterBy(t))
	stale := forge(t, signer(t, w.authority.did, "credential"), typeV2, w.body20())
	w.presents(t, w.show(t, VC20, stale))
	wants(t, w.enterBy(t), corridor.Forbidden, "no such key")
}

func TestBadStatusListsLetNobodyIn(t *testing.T) {
	w := newWorld(t, VC20)
	entry := func(at string) string {
		return w.mint(t, func(d *Draft) {
			d.Status = &StatusEntry{Type: bitstringEntry, Purpose: "revocation", List: at, Index: 9}
		})
	}
	list := func(by *party, issuer string, bits []byte, change func(map[string]any)) string {
		encoded, err := zip(bits, VC20)
		must(t, err)
		vc := map[string]any{"@context": []string{contextV2}, "type": []string{credentialType, "BitstringStatusListCredential"}, "issuer": issuer, "validUntil": w.clock.now().Add(time.Hour).Format(time.RFC3339),
			"credentialSubject": map[string]any{"type": "BitstringStatusList", "statusPurpose": "revocation", "encodedList": encoded}}
		if change != nil {
			change(vc)
		}
		return forge(t, by.keys.Credential, typeV2, vc)
	}
	subject := func(key string, v any) func(map[string]any) {
		return func(vc map[string]any) { vc["credentialSubject"].(map[string]any)[key] = v }
	}
	clean := make([]byte, listBits/8)
	marked := make([]byte, listBits/8)
	marked[1] = 0x40 // entry 9: the second bit of the second byte
	plain := `{"@context":["` + contextV2 + `"],"type":["VerifiableCredential","BitstringStatusListCredential"],"issuer":"` + w.authority.did + `","credentialSubject":{"type":"BitstringStatusList","statusPurpose":"revocation","encodedList":"` + packed(t, clean) + `"}}`
	for _, c := range []struct {
		name  string
		at    *party
		serve string
		kind  corridor.Kind
		says  string // "": it is good
	}{
		{"a good one", w.authority, list(w.authority, w.authority.did, clean, nil), 0, ""},
		{"a good one without a signature, on the issuer's own host", w.authority, plain, 0, ""},
		{"one on which it is marked", w.authority, list(w.authority, w.authority.did, marked, nil), corridor.Forbidden, "under revocation"},
		{"one without a signature, on another host", w.verifier, plain, corridor.Forbidden, "not signed"},
		{"one of another issuer", w.verifier, list(w.verifier, w.verifier.did, clean, nil), corridor.Forbidden, "is not a key of"},
		{"one in another's name", w.authority, list(w.authority, w.verifier.did, clean, nil), corridor.Forbidden, "another issuer"},
		{"one for another purpose", w.authority, list(w.authority, w.authority.did, clean, subject("statusPurpose", "suspension")), corridor.Forbidden, "serves"},
		{"one that is no list", w.authority, list(w.authority, w.authority.did, clean, subject("type", "Other")), corridor.Forbidden, "not that of a status list"},
		{"one that has expired", w.authority, list(w.authority, w.authority.did, clean, func(vc map[string]any) { vc["validUntil"] = w.clock.now().Add(-time.Hour).Format(time.RFC3339) }), corridor.Forbidden, "expired"},
		{"one that is too short", w.authority, list(w.authority, w.authority.did, clean[:1], nil), corridor.Forbidden, "ends before entry 9"},
		{"a bomb", w.authority, list(w.authority, w.authority.did, make([]byte, maxBits+1), nil), corridor.Forbidden, "unpacks to more than"},
		{"one that is too long", w.authority, "{" + strings.Repeat(" ", maxList) + "}", corridor.Forbidden, "over the limit"},
		{"one that is not base64", w.authority, list(w.authority, w.authority.did, clean, subject("encodedList", "u***")), corridor.Forbidden, "not base64url"},
		{"one that is not gzip", w.authority, list(w.authority, w.authority.did, clean, subject("encodedList", "uAAAA")), corridor.Forbidden, "not gzip"},
		{"one that is cut off", w.authority, list(w.authority, w.authority.did, clean, subject("encodedList", packed(t, clean)[:20])), corridor.Forbidden, "damaged"},
		{"one with repeated keys", w.authority, strings.Replace(plain, `"issuer"`, `"issuer":"x","issuer"`, 1), corridor.Forbidden, "JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.verifier.checker.lists.forget()
			c.at.at("/list", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(c.serve)) })
			w.presents(t, w.show(t, VC20, entry(c.at.url+"/list")))
			if c.says == "" {
				must(t, w.enterBy(t))
				return
			}
			wants(t, w.enterBy(t), c.kind, c.says)
		})
	}
	w.presents(t, w.show(t, VC20, entry(w.authority.url+"/lists/none")))
	wants(t, w.enterBy(t), corridor.Unavailable, "status 404")

	// An issuer whose keys cannot be had says nothing about its list.
	w.authority.at("/list", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write([]byte(list(w.authority, w.authority.did, clean, nil)))
	})
	c, err := ParseCredential(entry(w.authority.url + "/list"))
	must(t, err)
	w.authority.at("/.well-known/did.json", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
	client := w.verifier.checker.lists.http
	fresh := NewChecker(identity.NewResolver(identity.ResolverConfig{HTTP: client, Now: w.clock.now}), client, w.clock.now)
	wants(t, fresh.Standing(t.Context(), c, time.Second), corridor.Unavailable, "cannot be checked now", "status 502")
}

// packed packs a list as the fourth byte string of the test above wants it.
func packed(t testing.TB, bits []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(bits)
	must(t, err)
	must(t, z.Close())
	return "u" + base64.RawURLEncoding.EncodeToString(b.Bytes())
}

func TestASubjectIsHeldAgainstItsSchema(t *testing.T) {
	w := newWorld(t, VC20)
	w.authority.at("/schema", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write([]byte(`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","required":["id","level"]}`))
	})
	shaped := func(claims map[string]any, schema string) func(*Draft) {
		return func(d *Draft) { d.Claims, d.Schema = claims, schema }
	}
	w.presents(t, w.show(t, VC20, w.mint(t, shaped(map[string]any{"level": "full"}, w.authority.url+"/schema"))))
	must(t, w.enterBy(t))
	w.presents(t, w.show(t, VC20, w.mint(t, shaped(nil, w.authority.url+"/schema"))))
	wants(t, w.enterBy(t), corridor.Forbidden, "as its schema", "level")
	w.authority.at("/far", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write([]byte(`{"$ref":"http://169.254.169.254/schema"}`))
	})
	w.presents(t, w.show(t, VC20, w.mint(t, shaped(nil, w.authority.url+"/far"))))
	wants(t, w.enterBy(t), corridor.Forbidden, "not usable")
}
