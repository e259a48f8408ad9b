package dcp

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"corridor/internal/identity"
)

// jwtOf makes the compact form around any payload: parsers read before anything
// is proven.
func jwtOf(typ string, payload []byte) string {
	b := base64.RawURLEncoding
	return b.EncodeToString([]byte(`{"alg":"ES256","typ":"`+typ+`","kid":"did:web:a.example#k"}`)) + "." + b.EncodeToString(payload) + "." + b.EncodeToString(make([]byte, 64))
}

func FuzzCredential(f *testing.F) {
	f.Add([]byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiableCredential","A"],"issuer":{"id":"did:web:a.example"},"validFrom":"2026-01-01T00:00:00Z","credentialSubject":{"id":"did:web:b.example"},"credentialStatus":{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"3","statusListCredential":"https://a.example/l"}}`))
	f.Add([]byte(`{"iss":"did:web:a.example","sub":"did:web:b.example","nbf":1.5,"vc":{"@context":["https://www.w3.org/2018/credentials/v1"],"type":"VerifiableCredential","issuer":"did:web:a.example","issuanceDate":"2026-01-01T00:00:00Z","credentialSubject":[{"id":"did:web:b.example"}],"credentialSchema":{"id":"x","type":"JsonSchema"}}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := ParseCredential(jwtOf(typeV2, payload))
		if err != nil {
			return
		}
		if c.Holder == "" || !contains(c.Types, credentialType) || c.Profile != VC20 && c.Profile != VC11 {
			t.Errorf("taken without holder, type or profile: %+v", c)
		}
		for _, s := range c.Status {
			if listTypes(s.Type).credential == "" || s.List == "" {
				t.Errorf("a status that cannot be checked was taken: %+v", s)
			}
		}
	})
}

func FuzzPresentation(f *testing.F) {
	f.Add([]byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":"VerifiablePresentation","holder":"did:web:a.example","aud":"did:web:b.example","verifiableCredential":[{"id":"data:application/vc+jwt,a.b.c","type":"EnvelopedVerifiableCredential"}]}`))
	f.Add([]byte(`{"iss":"did:web:a.example","aud":["did:web:b.example"],"vp":{"type":["VerifiablePresentation"],"verifiableCredential":["a.b.c"]}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		p, err := ParsePresentation(jwtOf(typePresentation, payload))
		if err == nil && (p.Holder == "" || len(p.Credentials) > maxCredentials) {
			t.Errorf("taken without holder or with too much: %+v", p)
		}
	})
}

func FuzzStatusList(f *testing.F) {
	f.Add([]byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiableCredential","BitstringStatusListCredential"],"issuer":"did:web:a.example","credentialSubject":{"type":"BitstringStatusList","statusPurpose":"revocation","encodedList":"uH4sIAAAAAAAA_2NgwA8AAAAA__8="}}`), uint64(9))
	f.Fuzz(func(t *testing.T, raw []byte, index uint64) {
		l := &lists{now: newClock().now, cache: map[string]keptList{}}
		list, err := l.read(context.Background(), "did:web:a.example", "https://a.example/list", raw)
		if err != nil {
			return
		}
		if len(list.bits) > maxBits {
			t.Errorf("%d bytes were unpacked", len(list.bits))
		}
		l.keep("at", list, nil)
		_ = l.check(context.Background(), "did:web:a.example", StatusEntry{Type: bitstringEntry, Purpose: "revocation", List: "at", Index: index}, listTTL)
	})
}

func FuzzMessages(f *testing.F) {
	for _, typ := range []string{queryType, storeType, offerType, requestType, responseType, metadataType} {
		f.Add(string(message(typ, `"scope":["org.eclipse.dspace.dcp.vc.type:A:read"],"issuer":"did:web:a.example","credentials":[{"id":"a"}],"holderPid":"a","status":"ISSUED","issuerPid":"b"`)))
	}
	f.Fuzz(func(t *testing.T, body string) {
		if scopes, err := readQuery([]byte(body)); err == nil && (len(scopes) == 0 || len(scopes) > maxScopes) {
			t.Errorf("%d scopes were taken", len(scopes))
		}
		var d delivery
		if err := decode([]byte(body), storeType, &d); err == nil && d.check() == nil && d.Status == Issued && len(d.Credentials) == 0 {
			t.Error("an empty delivery was taken")
		}
		var m metadata
		_ = decode([]byte(body), metadataType, &m)
		var o offerMessage
		_ = decode([]byte(body), offerType, &o)
	})
}

func FuzzAccessToken(f *testing.F) {
	a, err := newAccess("did:web:self.example", []byte(strings.Repeat("k", 32)), newClock().now)
	if err != nil {
		f.Fatal(err)
	}
	good, err := a.grant("did:web:v.example", []string{scopeOf("A")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := a.scopes("did:web:other.example", token); err == nil {
			t.Errorf("a token of one verifier opens for another: %s", token)
		}
		_, _ = a.scopes("did:web:v.example", token)
	})
}

func BenchmarkIdentityCheck(b *testing.B) {
	w := newWorld(b, VC20)
	w.admit(b)
	ctx := context.Background()
	b.Run("warm", func(b *testing.B) {
		headers := make([]string, b.N)
		for i := range headers {
			headers[i] = w.holder.calls(w.verifier)
		}
		if b.N > 0 {
			if err := w.enter(); err != nil {
				b.Fatal(err)
			}
		}
		b.ResetTimer()
		for _, h := range headers {
			if _, err := w.verifier.verifier.Prove(ctx, h); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cold", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			w.verifier.resolver = identity.NewResolver(identity.ResolverConfig{HTTP: w.verifier.checker.lists.http, Now: w.clock.now})
			w.verifier.checker = NewChecker(w.verifier.resolver, w.verifier.checker.lists.http, w.clock.now)
			v, err := NewVerifier(VerifierConfig{DID: w.verifier.did, Callers: w.verifier.callers(anybody{}), Rules: w.verifier.laid, Resolver: w.verifier.resolver, Checker: w.verifier.checker, HTTP: w.verifier.checker.lists.http, Tokens: w.verifier.tokens, Now: w.clock.now})
			if err != nil {
				b.Fatal(err)
			}
			h := w.holder.calls(w.verifier)
			b.StartTimer()
			if _, err := v.Prove(ctx, h); err != nil {
				b.Fatal(err)
			}
		}
	})
}
