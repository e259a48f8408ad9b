package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/verify"
)

const (
	receiver = "did:web:receiver.example"
	sender   = "did:web:sender.example"
	stranger = "did:web:stranger.example"
)

// scene is a sender, a receiver that checks its tokens, and a stranger.
type scene struct {
	clock    *clock
	keys     *Keys
	stranger *Keys
	tokens   *Tokens
	verifier *TokenVerifier
}

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{clock: newClock(), keys: keysFor(t, sender), stranger: keysFor(t, stranger)}
	peers, err := NewPeers([]Peer{{Participant: corridor.Participant{DID: sender, Name: "Sender", Jurisdiction: "KZ"}}})
	if err != nil {
		t.Fatal(err)
	}
	s.verifier, err = NewTokenVerifier(VerifierConfig{DID: receiver, Directory: peers, Now: s.clock.now, Replay: NewMemoryReplay(1000, s.clock.now),
		Resolver: NewResolver(ResolverConfig{Static: []Document{s.keys.Document(""), s.stranger.Document("")}})})
	if err != nil {
		t.Fatal(err)
	}
	if s.tokens, err = NewTokens(sender, s.keys.Token, s.clock.now); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) issue(t testing.TB) string {
	t.Helper()
	tok, err := s.tokens.Issue(context.Background(), receiver)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// forge signs any header and claims; nil as a value leaves a member out.
func forge(t testing.TB, signer Signer, header, claims map[string]any) string {
	t.Helper()
	part := func(m map[string]any) string {
		for k, v := range m {
			if v == nil {
				delete(m, k)
			}
		}
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := part(header) + "." + part(claims)
	sig, err := signer.Sign(context.Background(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func (s *scene) goodHeader() map[string]any {
	return map[string]any{"alg": "ES256", "typ": "JWT", "kid": s.keys.Token.KeyID()}
}

func (s *scene) goodClaims() map[string]any {
	now := s.clock.now().Unix()
	return map[string]any{"iss": sender, "sub": sender, "aud": receiver, "jti": fmt.Sprint("j", now), "iat": now, "exp": now + 300}
}

func TestAnIssuedTokenSaysWhoCalls(t *testing.T) {
	s := newScene(t)
	tok := s.issue(t)
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER  "} {
		c, err := s.verifier.Verify(t.Context(), scheme+s.issue(t))
		must(t, err)
		if c.DID != sender || c.Peer.Jurisdiction != "KZ" || c.KeyID != s.keys.Token.KeyID() || c.TokenID == "" || !c.Expires.Equal(s.clock.now().Add(TokenLife)) || c.AccessToken != "" {
			t.Errorf("%+v", c)
		}
	}
	head, _, _ := strings.Cut(tok, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	must(t, err)
	var h map[string]any
	must(t, json.Unmarshal(raw, &h))
	if h["alg"] != "ES256" || h["kid"] != s.keys.Token.KeyID() || h["typ"] != "JWT" || len(h) != 3 {
		t.Errorf("header %s", raw)
	}
	claims := s.goodClaims()
	claims["token"] = "access"
	c, err := s.verifier.Verify(t.Context(), "Bearer "+forge(t, s.keys.Token, s.goodHeader(), claims))
	must(t, err)
	if c.AccessToken != "access" {
		t.Error("access token")
	}
}

func TestTokensOfLaterComeLaterInAReceiversIndexAndNoTwoAreAlike(t *testing.T) {
	at := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	last := ""
	for range 100 {
		id := newTokenID(at)
		if seen[id] || seen[newTokenID(at)] || len(id) > maxJTI {
			t.Fatal(id)
		}
		if id <= last {
			t.Errorf("%s comes after %s", id, last)
		}
		seen[id], last = true, id
		at = at.Add(time.Millisecond)
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	now := newClock().now().Unix()
	for _, c := range []struct {
		name           string
		header, claims map[string]any
		says           string
	}{
		{"for another receiver", nil, map[string]any{"aud": "did:web:third.example"}, "not for this gateway alone"},
		{"for two receivers", nil, map[string]any{"aud": []string{receiver, "did:web:third.example"}}, "not for this gateway alone"},
		{"for nobody", nil, map[string]any{"aud": nil}, "not for this gateway alone"},
		{"expired", nil, map[string]any{"iat": now - 400, "exp": now - 61}, "has expired"},
		{"from the future", nil, map[string]any{"iat": now + 61, "exp": now + 361}, "from the future"},
		{"not valid yet", nil, map[string]any{"nbf": now + 61}, "not valid yet"},
		{"living too long", nil, map[string]any{"exp": now + 3601}, "lives too long"},
		{"living for ever", nil, map[string]any{"exp": 1 << 62}, ""},
		{"with an overflow", nil, map[string]any{"iat": int64(1)<<62 + now, "exp": int64(1)<<62 + now + 1}, ""},
		{"without exp", nil, map[string]any{"exp": nil}, "exp or iat is missing"},
		{"without iat", nil, map[string]any{"iat": nil}, "exp or iat is missing"},
		{"without jti", nil, map[string]any{"jti": nil}, "jti is missing"},
		{"with an endless jti", nil, map[string]any{"jti": strings.Repeat("j", 300)}, "jti is missing or too long"},
		{"for another subject", nil, map[string]any{"sub": "did:web:victim.example"}, "iss and sub differ"},
		{"without issuer", nil, map[string]any{"iss": nil}, "kid is not a key of the issuer"},
		{"with a kid of another DID", map[string]any{"kid": "did:web:victim.example#k"}, nil, "kid is not a key of the issuer"},
		{"with a relative kid", map[string]any{"kid": "#token"}, nil, "kid is not a key of the issuer"},
		{"without kid", map[string]any{"kid": nil}, nil, "kid is not a key of the issuer"},
		{"with a kid that does not exist", map[string]any{"kid": sender + "#nothing"}, nil, "the key that the token names cannot be used"},
		{"of another type", map[string]any{"typ": "secevent+jwt"}, nil, "another type"},
		{"with a critical header", map[string]any{"crit": []string{"x"}, "x": 1}, nil, ""},
		{"without algorithm", map[string]any{"alg": nil}, nil, "not a token that this gateway reads"},
		{"with algorithm none", map[string]any{"alg": "none"}, nil, "not a token that this gateway reads"},
		{"with algorithm HS256", map[string]any{"alg": "HS256"}, nil, "not a token that this gateway reads"},
		{"with algorithm ES384", map[string]any{"alg": "ES384"}, nil, "not a token that this gateway reads"},
		{"with algorithm RS256", map[string]any{"alg": "RS256"}, nil, "not a token that this gateway reads"},
		{"with EdDSA over an EC key", map[string]any{"alg": "EdDSA"}, nil, "signature does not match"},
		{"with the issuer in another method", map[string]any{"kid": "did:key:x#k"}, map[string]any{"iss": "did:key:x", "sub": "did:key:x"}, "iss is not a did:web"},
		{"that claims to be us", map[string]any{"kid": receiver + "#k"}, map[string]any{"iss": receiver, "sub": receiver}, "this gateway's own"},
		{"with claims of wrong shape", nil, map[string]any{"exp": "soon"}, "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			header, claims := s.goodHeader(), s.goodClaims()
			for k, v := range c.header {
				header[k] = v
			}
			for k, v := range c.claims {
				claims[k] = v
			}
			_, err := s.verifier.Verify(t.Context(), "Bearer "+forge(t, s.keys.Token, header, claims))
			wants(t, err, corridor.Unauthenticated, c.says)
		})
	}
}

func TestBadHeadersAreRefused(t *testing.T) {
	s := newScene(t)
	tok := s.issue(t)
	for name, c := range map[string]struct{ header, says string }{
		"nothing":                   {"", "no token"},
		"another scheme":            {"Basic " + tok, "not a bearer token"},
		"an unsigned identity":      {`{"region":"eu","audience":"x","clientId":"did:web:kz.example"}`, "mock identity of Eclipse EDC"},
		"no scheme":                 {tok, "not a bearer token"},
		"two parts":                 {"Bearer a.b", "not a bearer token"},
		"JSON serialisation":        {`Bearer {"payload":"..","signatures":[]}`, ""},
		"five parts":                {"Bearer a.b.c.d.e", "not a bearer token"},
		"an endless token":          {"Bearer a." + strings.Repeat("b", maxToken) + ".c", "too long"},
		"noise":                     {"Bearer !.!.!", "not a token"},
		"a changed payload":         {"Bearer " + strings.Replace(tok, ".ey", ".ex", 1), ""},
		"a signature cut off":       {"Bearer " + tok[:strings.LastIndex(tok, ".")+1], ""},
		"a signature with one flip": {"Bearer " + flip(tok), "signature does not match"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.verifier.Verify(t.Context(), c.header)
			wants(t, err, corridor.Unauthenticated, c.says)
		})
	}
	_, err := s.verifier.Verify(t.Context(), "Bearer "+tok)
	must(t, err) // refused forgeries did not use the token up
}

func flip(tok string) string {
	i := strings.LastIndex(tok, ".") + 10
	c := byte('A')
	if tok[i] == c {
		c = 'B'
	}
	return tok[:i] + string(c) + tok[i+1:]
}

func TestATokenIsUsedOnce(t *testing.T) {
	s := newScene(t)
	tok := "Bearer " + s.issue(t)
	_, err := s.verifier.Verify(t.Context(), tok)
	must(t, err)
	_, err = s.verifier.Verify(t.Context(), tok)
	wants(t, err, corridor.Unauthenticated, "was used before")
	s.clock.forward(TokenLife + ClockSkew - time.Second) // the last second in which it is not expired
	_, err = s.verifier.Verify(t.Context(), tok)
	wants(t, err, corridor.Unauthenticated, "was used before")
	s.clock.forward(time.Second)
	_, err = s.verifier.Verify(t.Context(), tok)
	wants(t, err, corridor.Unauthenticated, "has expired")
}

func TestClocksMayDifferByAMinute(t *testing.T) {
	for _, d := range []time.Duration{-60 * time.Second, 60 * time.Second} {
		s := newScene(t)
		tok := s.issue(t)
		s.clock.forward(d)
		if _, err := s.verifier.Verify(t.Context(), "Bearer "+tok); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
	s := newScene(t)
	tok := s.issue(t)
	s.clock.forward(-61 * time.Second)
	_, err := s.verifier.Verify(t.Context(), "Bearer "+tok)
	wants(t, err, corridor.Unauthenticated, "from the future")
}

func TestAStrangerIsRefusedBeforeItsDocumentIsFetched(t *testing.T) {
	h := newHost(t)
	s := newScene(t)
	s.verifier.resolver = resolverAt(s.clock)
	toks, err := NewTokens(h.did, h.keys.Token, s.clock.now)
	must(t, err)
	tok, err := toks.Issue(t.Context(), receiver)
	must(t, err)
	_, err = s.verifier.Verify(t.Context(), "Bearer "+tok)
	wants(t, err, corridor.Forbidden, "is not a known participant")
	if h.hits.Load() != 0 {
		t.Error("a stranger's host was asked")
	}
	peers, err := NewPeers([]Peer{{Participant: corridor.Participant{DID: h.did, Jurisdiction: "RU"}}})
	must(t, err)
	s.verifier.directory = peers
	c, err := s.verifier.Verify(t.Context(), "Bearer "+tok)
	must(t, err)
	h.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	s.verifier.resolver = resolverAt(s.clock)
	_, err = s.verifier.Verify(t.Context(), "Bearer "+tok)
	wants(t, err, corridor.Unavailable, "503") // no document, no entry
	if c.Peer.Jurisdiction != "RU" || h.hits.Load() != 2 {
		t.Errorf("%+v", c)
	}
}

func TestKeysForOtherUsesDoNotSignTokens(t *testing.T) {
	s := newScene(t)
	national := newSigner(t, sender, verify.P256)
	doc := s.keys.Document("")
	doc.VerificationMethod = append(doc.VerificationMethod, Method{ID: national.KeyID(), Controller: sender, JWK: national.Public().JWK})
	doc.AssertionMethod = append(doc.AssertionMethod, national.KeyID())
	s.verifier.resolver = NewResolver(ResolverConfig{Static: []Document{doc}})
	header := s.goodHeader()
	header["kid"] = national.KeyID()
	_, err := s.verifier.Verify(t.Context(), "Bearer "+forge(t, national, header, s.goodClaims()))
	wants(t, err, corridor.Unauthenticated, "does not allow this key for capabilityInvocation")
	header["kid"] = s.keys.Token.KeyID()
	_, err = s.verifier.Verify(t.Context(), "Bearer "+forge(t, national, header, s.goodClaims()))
	wants(t, err, corridor.Unauthenticated, "signature does not match")
}

// The classic confusion: the public key of the DID document as an HMAC secret.
func TestThePublicKeyIsNoSecret(t *testing.T) {
	s := newScene(t)
	pub, err := s.keys.Token.Public().Public()
	must(t, err)
	raw, err := pub.(*ecdsa.PublicKey).Bytes()
	must(t, err)
	header := s.goodHeader()
	header["alg"] = "HS256"
	tok := forge(t, hmacSigner{s.keys.Token, raw}, header, s.goodClaims())
	_, err = s.verifier.Verify(t.Context(), "Bearer "+tok)
	wants(t, err, corridor.Unauthenticated, "not a token that this gateway reads")
	header["alg"], header["jwk"] = "ES256", s.stranger.Token.Public().JWK
	_, err = s.verifier.Verify(t.Context(), "Bearer "+forge(t, s.stranger.Token, header, s.goodClaims()))
	wants(t, err, corridor.Unauthenticated, "") // a key in the header is not trusted
}

type hmacSigner struct {
	Signer
	secret []byte
}

func (h hmacSigner) Sign(_ context.Context, msg []byte) ([]byte, error) {
	m := hmac.New(sha256.New, h.secret)
	m.Write(msg)
	return m.Sum(nil), nil
}

func TestEd25519TokensOfPeersAreRead(t *testing.T) {
	s := newScene(t)
	ed := newSigner(t, sender, verify.Ed25519)
	sm := newSigner(t, sender, verify.SM2)
	doc := s.keys.Document("")
	for _, x := range []Signer{ed, sm} {
		doc.VerificationMethod = append(doc.VerificationMethod, Method{ID: x.KeyID(), Controller: sender, JWK: x.Public().JWK})
		doc.CapabilityInvocation = append(doc.CapabilityInvocation, x.KeyID())
	}
	s.verifier.resolver = NewResolver(ResolverConfig{Static: []Document{doc}})
	header := map[string]any{"alg": "EdDSA", "kid": ed.KeyID()}
	_, err := s.verifier.Verify(t.Context(), "Bearer "+forge(t, ed, header, s.goodClaims()))
	must(t, err)
	header["alg"] = "ES256"
	_, err = s.verifier.Verify(t.Context(), "Bearer "+forge(t, ed, header, s.goodClaims()))
	wants(t, err, corridor.Unauthenticated, "signature does not match")
	header["kid"] = sm.KeyID()
	_, err = s.verifier.Verify(t.Context(), "Bearer "+forge(t, sm, header, s.goodClaims()))
	wants(t, err, corridor.Unauthenticated, "signature does not match")
}

type brokenReplay struct{}

func (brokenReplay) Use(context.Context, string, string, time.Time) (bool, error) {
	return false, errors.New("disk is full")
}

func TestWithoutAReplayStoreNobodyGetsIn(t *testing.T) {
	s := newScene(t)
	s.verifier.replay = brokenReplay{}
	if _, err := s.verifier.Verify(t.Context(), "Bearer "+s.issue(t)); err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Error(err)
	}
	if _, err := NewTokenVerifier(VerifierConfig{DID: receiver}); err == nil {
		t.Error("a verifier without parts")
	}
	cfg := VerifierConfig{DID: receiver, Resolver: s.verifier.resolver, Directory: s.verifier.directory, Replay: brokenReplay{}}
	if v, err := NewTokenVerifier(cfg); err != nil || v.now == nil {
		t.Error(err)
	}
}

func TestIssuingNeedsAReceiverAndAP256Key(t *testing.T) {
	s := newScene(t)
	_, err := s.tokens.Issue(t.Context(), "")
	wants(t, err, corridor.Invalid, "needs a receiver")
	_, err = NewTokens(sender, s.keys.National, nil)
	wants(t, err, corridor.Invalid, "P-256, not SM2")
	broken, err := NewTokens(sender, failingSigner{s.keys.Token}, nil)
	must(t, err)
	_, err = broken.Issue(t.Context(), receiver)
	wants(t, err, corridor.Internal, "module is gone")
	a, b := s.issue(t), s.issue(t)
	if a == b {
		t.Error("the same token twice")
	}
}

func TestTheReplayStoreForgetsOnlyWhatHasExpired(t *testing.T) {
	c := newClock()
	m := NewMemoryReplay(2, c.now)
	use := func(jti string, life time.Duration) (bool, error) {
		return m.Use(t.Context(), sender, jti, c.now().Add(life))
	}
	for _, jti := range []string{"a", "b"} {
		if ok, err := use(jti, time.Duration(len(jti))*time.Minute); !ok || err != nil {
			t.Fatal(err)
		}
	}
	if ok, _ := use("a", time.Hour); ok {
		t.Error("a second use")
	}
	_, err := use("c", time.Minute)
	wants(t, err, corridor.Limited, "too many tokens")
	c.forward(time.Minute)
	if ok, err := use("c", time.Minute); !ok || err != nil {
		t.Error(err)
	}
	if ok, err := use("d", 2*time.Minute); !ok || err != nil {
		t.Error(err)
	}
	c.forward(time.Minute)
	if ok, err := use("e", time.Minute); !ok || err != nil {
		t.Error(err) // c is swept, d stays
	}
	if ok, _ := use("d", time.Minute); ok {
		t.Error("a second use after a sweep")
	}
	if ok, err := m.Use(t.Context(), "did:web:other.example", "x", c.now()); ok || err == nil {
		t.Error("full store admits")
	}
	if ok, err := NewMemoryReplay(1, nil).Use(t.Context(), sender, "x", time.Now().Add(time.Hour)); !ok || err != nil {
		t.Error(err)
	}
}

func FuzzToken(f *testing.F) {
	s := newScene(f)
	f.Add("Bearer " + s.issue(f))
	f.Add("Bearer " + forge(f, s.keys.Token, s.goodHeader(), s.goodClaims()))
	header := s.goodHeader()
	header["alg"] = "none"
	f.Add("Bearer " + forge(f, s.keys.Token, header, s.goodClaims()))
	f.Add("bearer a.b.c")
	f.Fuzz(func(t *testing.T, h string) {
		s.verifier.replay = NewMemoryReplay(1, s.clock.now)
		c, err := s.verifier.Verify(context.Background(), h)
		if err != nil {
			if k := corridor.KindOf(err); k != corridor.Unauthenticated && k != corridor.Forbidden {
				t.Fatalf("%s: %v", k, err)
			}
			return
		}
		if c.DID != sender || c.Expires.After(s.clock.now().Add(2*maxTokenLife)) {
			t.Fatalf("%+v", c)
		}
	})
}

func BenchmarkIssueToken(b *testing.B) {
	s := newScene(b)
	for b.Loop() {
		s.issue(b)
	}
}

func BenchmarkVerifyToken(b *testing.B) {
	s := newScene(b)
	tok := "Bearer " + s.issue(b)
	b.ReportAllocs()
	for b.Loop() {
		s.verifier.replay = freshReplay{}
		if _, err := s.verifier.Verify(context.Background(), tok); err != nil {
			b.Fatal(err)
		}
	}
}

type freshReplay struct{}

func (freshReplay) Use(context.Context, string, string, time.Time) (bool, error) { return true, nil }
