// Package verify checks what a gateway wrote, without the gateway: signatures
// of every suite, log proofs, witness cosignatures, trust policies and whole
// bundles. It needs no network, no clock and no state, so that a regulator or
// a peer can import it and come to the same answer anywhere.
package verify

//lint:file-ignore SA1019 SM2 keys are ecdsa.PublicKey on a curve that crypto/ecdsa cannot encode by itself

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"filippo.io/mldsa"
	"github.com/emmansun/gmsm/sm2"

	"corridor"
	"corridor/internal/gost"
)

// The signature suites that this package checks. Each signs the whole message
// and fixes the hash, the encoding and the kind of key.
const (
	Ed25519 = "Ed25519"       // RFC 8032
	P256    = "P-256"         // ECDSA, SHA-256, raw r||s as in JWS ES256
	SM2     = "SM2"           // GB/T 32918.2 with SM3, default user id, ASN.1 DER
	GOST256 = "GOST-2012-256" // GOST R 34.10-2012 with Streebog-256, raw s||r (RFC 9215)
	GOST512 = "GOST-2012-512" // GOST R 34.10-2012 with Streebog-512, raw s||r (RFC 9215)
	MLDSA44 = "ML-DSA-44"     // FIPS 204, pure, empty context
)

// Suites lists the suites that this package checks.
func Suites() []string {
	list := suites()
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.name
	}
	return names
}

// JWK is the public half of a key as RFC 7517 writes it: OKP (RFC 8037) for
// Ed25519, EC (RFC 7518) for P-256, SM2 and GOST, AKP for ML-DSA (draft-ietf-cose-dilithium).
// Neither SM2 nor GOST has a registered curve name in JOSE: SM2 is called
// "SM2", and GOST by the name of its parameter set in RFC 7836, such as
// id-tc26-gost-3410-12-256-paramSetB. Coordinates are written most significant
// byte first, at the full size of the field, in every suite.
type JWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	Alg string `json:"alg,omitempty"` // of an AKP key, which has no curve; empty for others
	Pub string `json:"pub,omitempty"` // of an AKP key
}

// Key is a public key that can check signatures. Its zero value checks none.
type Key struct {
	Suite string `json:"suite"`
	ID    string `json:"id"` // DID URL
	JWK   JWK    `json:"jwk"`

	ready *ready // nil: the JWK is decoded at each use
}

// ready is a public key with what it was decoded from.
type ready struct {
	suite  string
	jwk    JWK
	public any
}

// NewKey makes a Key of a public key: ed25519.PublicKey, *ecdsa.PublicKey on
// P-256 or the SM2 curve, *gost.PublicKey or *mldsa.PublicKey.
func NewKey(id string, public any) (Key, error) {
	jwk, ok := JWK{}, false
	switch p := public.(type) {
	case ed25519.PublicKey:
		jwk, ok = JWK{Kty: "OKP", Crv: "Ed25519", X: b64(p)}, len(p) == ed25519.PublicKeySize
	case *ecdsa.PublicKey:
		jwk, ok = ecJWK(p)
	case *gost.PublicKey:
		if p != nil && p.Curve != nil {
			x, y := p.Coordinates()
			jwk, ok = JWK{Kty: "EC", Crv: p.Curve.Name, X: b64(x), Y: b64(y)}, true
		}
	case *mldsa.PublicKey:
		if p != nil && p.Parameters() == mldsa.MLDSA44() {
			jwk, ok = JWK{Kty: "AKP", Alg: MLDSA44, Pub: b64(p.Bytes())}, true
		}
	}
	if !ok {
		return Key{}, corridor.E(corridor.Invalid, "key %s: a public key of type %T is of no known suite", id, public)
	}
	return Key{Suite: SuiteOf(jwk), ID: id, JWK: jwk}, nil
}

func ecJWK(p *ecdsa.PublicKey) (JWK, bool) {
	if p == nil || p.X == nil || p.Y == nil || p.X.BitLen() > 256 || p.Y.BitLen() > 256 || p.X.Sign() < 0 || p.Y.Sign() < 0 {
		return JWK{}, false
	}
	crv := ""
	switch p.Curve {
	case elliptic.P256():
		crv = P256
	case sm2.P256():
		crv = SM2
	}
	var x, y [32]byte
	return JWK{Kty: "EC", Crv: crv, X: b64(p.X.FillBytes(x[:])), Y: b64(p.Y.FillBytes(y[:]))}, crv != ""
}

// SuiteOf names the suite that a key belongs to, by its type and curve; empty
// for one that is not known here. It does not look at the key itself.
func SuiteOf(j JWK) string {
	for _, s := range suites() {
		if s.holds(j) {
			return s.name
		}
	}
	return ""
}

// NameOf says what a key is, for people, also where it is of no known suite.
func NameOf(j JWK) string {
	if s := SuiteOf(j); s != "" {
		return s
	}
	parts := []string{j.Kty}
	for _, p := range []string{j.Crv, j.Alg} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return clip(strings.Join(parts, " "))
}

// ParseJWK reads a JWK. Members that are not needed (use, kid) are ignored; a
// JWK that holds a private part is refused, and one whose alg is not that of
// its own suite.
func ParseJWK(id string, raw []byte) (Key, error) {
	var in struct {
		JWK
		D    string `json:"d"`
		Priv string `json:"priv"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return Key{}, corridor.E(corridor.Invalid, "key %s: not a JWK: %w", id, err)
	}
	if in.D != "" || in.Priv != "" {
		return Key{}, &corridor.Error{Kind: corridor.Invalid, Msg: "the JWK holds a private key", Where: id, Fix: "publish only the public members, and replace the key"}
	}
	k := Key{ID: id, JWK: in.JWK, Suite: SuiteOf(in.JWK)}
	if s, known := suiteNamed(k.Suite); known {
		if err := s.namedBy(in.Alg); err != nil {
			return Key{}, &corridor.Error{Kind: corridor.Invalid, Msg: "unusable public key: " + err.Error(), Where: id, Fix: "write alg as that of the key's own suite, or leave it out"}
		}
		if k.JWK.Kty != "AKP" {
			k.JWK.Alg = ""
		}
	}
	return k.Ready()
}

// Ready is the key, decoded for many uses.
func (k Key) Ready() (Key, error) {
	public, err := k.decode()
	if err != nil {
		return Key{}, err
	}
	k.ready = &ready{suite: k.Suite, jwk: k.JWK, public: public}
	return k, nil
}

// Public gives the key as ed25519.PublicKey, *ecdsa.PublicKey,
// *gost.PublicKey or *mldsa.PublicKey, checked to be on its curve and in the
// right group. It must not be changed.
func (k Key) Public() (any, error) {
	if r := k.ready; r != nil && r.suite == k.Suite && r.jwk == k.JWK {
		return r.public, nil
	}
	return k.decode()
}

func (k Key) decode() (any, error) {
	bad := func(why string) error {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "unusable public key: " + why, Where: k.ID}
	}
	s, known := suiteNamed(SuiteOf(k.JWK))
	if !known {
		return nil, bad(fmt.Sprintf("kty %q with crv %q is not one of %s", clip(k.JWK.Kty), clip(k.JWK.Crv), strings.Join(Suites(), ", ")))
	}
	if k.Suite != s.name {
		return nil, bad(fmt.Sprintf("suite %q does not go with curve %q", clip(k.Suite), clip(k.JWK.Crv)))
	}
	public, err := s.decode(k.JWK)
	if err != nil {
		return nil, bad(err.Error())
	}
	return public, nil
}

// Verify checks one signature over msg in the key's suite.
func (k Key) Verify(msg, sig []byte) error {
	public, err := k.Public()
	if err != nil {
		return err
	}
	if s, known := suiteNamed(k.Suite); !known || !s.check(public, msg, sig) {
		return &corridor.Error{Kind: corridor.Unauthenticated, Msg: "the " + k.Suite + " signature does not match the text and the key", Where: k.ID}
	}
	return nil
}

// VerifySignature checks a detached signature, including that it names this
// key and this key's suite and that it is written in the one form that the
// suite has for it (P-256: with s in the lower half of the group order).
func (k Key) VerifySignature(msg []byte, s corridor.Signature) error {
	if s.Key != k.ID || s.Suite != k.Suite {
		return corridor.E(corridor.Unauthenticated, "the signature names key %q of suite %q, not %q of suite %q", s.Key, s.Suite, k.ID, k.Suite)
	}
	sig, err := unb64(s.Value)
	if err != nil {
		return corridor.E(corridor.Invalid, "signature by %s: %w", s.Key, err)
	}
	if k.Suite == P256 && !lowS(sig) {
		return &corridor.Error{Kind: corridor.Unauthenticated, Where: k.ID, Msg: "the P-256 signature has another spelling: its s is above half the group order",
			Fix: "sign with the smaller of s and n-s"}
	}
	return k.Verify(msg, sig)
}

// Equal says whether two keys are the same key material in the same suite.
func (k Key) Equal(o Key) bool { return k.Suite == o.Suite && k.JWK == o.JWK }

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// unb64 reads base64url without padding and refuses any other spelling of
// the same bytes, so that a text has one form only.
func unb64(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("not base64url: %w", err)
	}
	if !bytes.Equal([]byte(b64(b)), []byte(s)) {
		return nil, fmt.Errorf("not base64url without line breaks")
	}
	return b, nil
}
