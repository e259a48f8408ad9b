package verify

//lint:file-ignore SA1019 SM2 keys are ecdsa.PublicKey on a curve that crypto/ecdsa cannot encode by itself

import (
	"bytes"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"filippo.io/mldsa"
	gmmldsa "github.com/emmansun/gmsm/mldsa"

	"corridor"
)

// TestMLDSAKeysOfThePublishedVectors derives public keys from seeds of NIST's
// ACVP server (ML-DSA-keyGen-FIPS204, ML-DSA-44). The keys themselves are
// long; their SHA-256 is compared.
func TestMLDSAKeysOfThePublishedVectors(t *testing.T) {
	for _, c := range []struct{ seed, want string }{
		{"079eab79ab14747ca01582b59f2624191b0c59fa219cdeb79f66669daf0e695e", "abd86d76cc983b72f3d7fd10d80fdc04fb751001e3971eabc9595763c218f90e"},
		{"22b8b2e0107c7ca17dfec8098c05ad75cbf5f40134f24e0ff97e951981962faf", "4ccf452ebf2aba1bb47d82ec8b96719127435ff4af921ed192a98b7d72d5d0b0"},
		{"d9f891605500d2dc41faf794bc21327e19fb7a09f64ca6fab3f71e1d304601bb", "bff61f18d2e17fbba9b6c6e9c04e47b642f8ad10d28e97a8a409458ab94f4395"},
	} {
		seed, err := hex.DecodeString(c.seed)
		if err != nil {
			t.Fatal(err)
		}
		k, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(k.PublicKey().Bytes()); hex.EncodeToString(sum[:]) != c.want {
			t.Errorf("seed %s gives another key", c.seed)
		}
	}
}

// Two implementations of FIPS 204 accept each other's signatures and refuse
// the same changes to them.
func TestMLDSAAgreesWithAnotherImplementation(t *testing.T) {
	ours, err := mldsa.GenerateKey(mldsa.MLDSA44())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := gmmldsa.NewKey44(ours.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	public := theirs.Public().(*gmmldsa.PublicKey44)
	key, err := NewKey("did:web:a#k", ours.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(public.Bytes(), ours.PublicKey().Bytes()) {
		t.Fatal("the same seed gives two keys")
	}
	msg := []byte("what was agreed")
	sig, err := theirs.SignMessage(rand.Reader, msg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Verify(msg, sig); err != nil {
		t.Error(err)
	}
	if sig, err = ours.Sign(nil, msg, nil); err != nil || !public.VerifyWithOptions(sig, msg, nil) {
		t.Error("the other implementation refuses a good signature")
	}
	for i := 0; i < len(sig); i += 97 {
		bad := bytes.Clone(sig)
		bad[i] ^= 1
		if key.Verify(msg, bad) == nil || public.VerifyWithOptions(bad, msg, nil) {
			t.Errorf("byte %d does not matter", i)
		}
	}
}

// TestOneKeyIsNotAnother holds the attacks on what a key and a signature say
// they are.
func TestOneKeyIsNotAnother(t *testing.T) {
	jwk := func(suite string) map[string]any {
		raw, err := json.Marshal(newParty(t, "a.example", suite).key.JWK)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	with := func(m map[string]any, pairs ...string) map[string]any {
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	gost256, gost512 := jwk(GOST256), jwk(GOST512)
	for name, m := range map[string]map[string]any{
		"an Ed25519 key with alg ES256":           with(jwk(Ed25519), "alg", "ES256"),
		"an Ed25519 key with alg none":            with(jwk(Ed25519), "alg", "none"),
		"an Ed25519 key with alg HS256":           with(jwk(Ed25519), "alg", "HS256"),
		"a P-256 key with alg EdDSA":              with(jwk(P256), "alg", "EdDSA"),
		"a P-256 key for key agreement":           with(jwk(P256), "alg", "ECDH-ES"),
		"a P-256 key that says it is SM2":         with(jwk(P256), "crv", "SM2"),
		"an SM2 key that says it is P-256":        with(jwk(SM2), "crv", "P-256"),
		"an SM2 key with alg ES256":               with(jwk(SM2), "alg", "ES256"),
		"a P-256 key as GOST of 256 bits":         with(jwk(P256), "crv", gost256["crv"].(string)),
		"a GOST key as P-256":                     with(jwk(GOST256), "crv", "P-256"),
		"a GOST key of another parameter set":     with(jwk(GOST256), "crv", "id-tc26-gost-3410-12-256-paramSetA"),
		"a GOST key of 256 bits on a 512-bit set": with(jwk(GOST256), "crv", gost512["crv"].(string)),
		"a GOST key with alg of the other size":   with(jwk(GOST256), "alg", GOST512),
		"a GOST key with a pub":                   with(jwk(GOST512), "pub", "AAAA"),
		"an ML-DSA-44 key as ML-DSA-65":           with(jwk(MLDSA44), "alg", "ML-DSA-65"),
		"an ML-DSA-44 key with a curve":           with(jwk(MLDSA44), "crv", "Ed25519"),
		"an ML-DSA-44 key with its seed":          with(jwk(MLDSA44), "priv", "AAAA"),
		"an ML-DSA-44 key cut short":              with(jwk(MLDSA44), "pub", jwk(MLDSA44)["pub"].(string)[:1000]),
		"a symmetric key":                         {"kty": "oct", "k": "AAAA", "alg": "HS256"},
		"no type":                                 {"crv": "Ed25519", "x": "AAAA"},
	} {
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if k, err := ParseJWK("did:web:a.example#k", raw); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%s: read as %s, %v", name, k.Suite, err)
		}
	}
}

// A signature of one suite passes under no other name, key or spelling.
func TestSignaturesAreOfOneSuite(t *testing.T) {
	msg := []byte("an agreement")
	var parties []*party
	for _, s := range Suites() {
		parties = append(parties, newParty(t, "a.example", s)) // one id: only the key tells them apart
	}
	for _, p := range parties {
		sig := corridor.Signature{Key: p.key.ID, Suite: p.suite, Value: b64(p.sign(msg))}
		for _, o := range parties {
			err := o.key.VerifySignature(msg, sig)
			renamed := sig
			renamed.Suite = o.suite
			switch again := o.key.VerifySignature(msg, renamed); {
			case o == p && (err != nil || again != nil):
				t.Errorf("%s: %v %v", p.suite, err, again)
			case o != p && (err == nil || again == nil):
				t.Errorf("a %s signature passes as %s", p.suite, o.suite)
			case o != p && !strings.Contains(err.Error(), p.suite):
				t.Errorf("the refusal does not name the suite: %v", err)
			}
		}
		for _, name := range []string{"none", "None", "", "HS256", "RS256", strings.ToLower(p.suite) + " "} {
			bad := sig
			bad.Suite = name
			if p.key.VerifySignature(msg, bad) == nil {
				t.Errorf("a %s signature passes as %q", p.suite, name)
			}
		}
	}
}

// The other half of P-256: (r, n-s) is as good to a library, and refused here.
func TestAP256SignatureHasOneSpelling(t *testing.T) {
	p := newParty(t, "a.example", P256)
	msg := []byte("an agreement")
	sig := p.sign(msg)
	s := new(big.Int).SetBytes(sig[32:])
	twin := append(bytes.Clone(sig[:32]), s.Sub(elliptic.P256().Params().N, s).FillBytes(make([]byte, 32))...)
	if err := p.key.Verify(msg, twin); err != nil {
		t.Fatal("the twin is not good at all: ", err)
	}
	err := p.key.VerifySignature(msg, corridor.Signature{Key: p.key.ID, Suite: P256, Value: b64(twin)})
	if corridor.KindOf(err) != corridor.Unauthenticated || !strings.Contains(err.Error(), "spelling") {
		t.Error(err)
	}
}

// Under an Ed25519 key of small order the signature (R = 0 point, S = 0) fits
// many messages: such keys are no keys.
func TestEd25519KeysOfSmallOrder(t *testing.T) {
	for _, text := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	} {
		key, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseJWK("did:web:a#k", fmt.Appendf(nil, `{"kty":"OKP","crv":"Ed25519","x":%q}`, b64(key))); corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), "small order") {
			t.Errorf("%s: %v", text, err)
		}
	}
	forged := make([]byte, ed25519.SignatureSize)
	forged[0] = 1 // R is the neutral element, S is zero
	neutral := make(ed25519.PublicKey, ed25519.PublicKeySize)
	neutral[0] = 1
	if !ed25519.Verify(neutral, []byte("anything"), forged) {
		t.Skip("the standard library refuses such keys by itself now")
	}
}

func BenchmarkVerifySuite(b *testing.B) {
	msg := make([]byte, 1024)
	for _, suite := range Suites() {
		p := newParty(b, "a.example", suite)
		sig := p.sign(msg)
		b.Run(suite, func(b *testing.B) {
			for b.Loop() {
				if err := p.key.Verify(msg, sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBundleOfSuite is the full offline check of a bundle in which one
// side signs in each suite.
func BenchmarkBundleOfSuite(b *testing.B) {
	for _, suite := range Suites() {
		s := newScene(b)
		s.cn = newParty(b, "cn.example", suite)
		s.agree(b, func(*corridor.Agreement) {})
		s.build(b, func(*story) {})
		raw := s.bytes(b)
		b.Run(suite, func(b *testing.B) {
			for b.Loop() {
				if rep := Bundle(raw, Options{}); !rep.OK {
					b.Fatal(rep.Summary)
				}
			}
		})
	}
}

// FuzzParseJWK: whatever is read can be written, read back and asked.
func FuzzParseJWK(f *testing.F) {
	for _, s := range Suites() {
		raw, err := json.Marshal(newParty(f, "a.example", s).key.JWK)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := ParseJWK("did:web:a#k", raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(k.JWK)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseJWK("did:web:a#k", again)
		if err != nil || !back.Equal(k) || back.Suite != SuiteOf(k.JWK) {
			t.Fatalf("%s reads back as %v: %v", again, back, err)
		}
		if k.Verify(raw, raw) == nil {
			t.Fatal("noise is a signature")
		}
	})
}
