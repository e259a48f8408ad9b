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
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/emmansun/gmsm/sm2"

	"corridor"
)

// The signature suites that this package checks.
const (
	Ed25519 = "Ed25519" // RFC 8032
	P256    = "P-256"   // ECDSA, SHA-256, raw r||s as in JWS ES256
	SM2     = "SM2"     // GB/T 32918.2 with SM3, default user id, ASN.1 DER
)

// JWK is the public half of a key as RFC 7517 writes it. SM2 has no
// registered curve name in JOSE; "SM2" is the one in use.
type JWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y,omitempty"`
}

// Key is a public key that can check signatures. Its zero value checks none.
type Key struct {
	Suite string `json:"suite"`
	ID    string `json:"id"` // DID URL
	JWK   JWK    `json:"jwk"`
}

// NewKey makes a Key of a public key: ed25519.PublicKey or *ecdsa.PublicKey
// on P-256 or the SM2 curve.
func NewKey(id string, public any) (Key, error) {
	switch p := public.(type) {
	case ed25519.PublicKey:
		if len(p) == ed25519.PublicKeySize {
			return Key{Suite: Ed25519, ID: id, JWK: JWK{Kty: "OKP", Crv: "Ed25519", X: b64(p)}}, nil
		}
	case *ecdsa.PublicKey:
		if p == nil || p.X == nil || p.Y == nil {
			break
		}
		crv := ""
		switch p.Curve {
		case elliptic.P256():
			crv = P256
		case sm2.P256():
			crv = SM2
		}
		if crv != "" && p.X.BitLen() <= 256 && p.Y.BitLen() <= 256 && p.X.Sign() >= 0 && p.Y.Sign() >= 0 {
			var x, y [32]byte
			return Key{Suite: crv, ID: id, JWK: JWK{Kty: "EC", Crv: crv, X: b64(p.X.FillBytes(x[:])), Y: b64(p.Y.FillBytes(y[:]))}}, nil
		}
	}
	return Key{}, corridor.E(corridor.Invalid, "key %s: a public key of type %T is of no known suite", id, public)
}

// ParseJWK reads a JWK. Members that are not needed (alg, use, kid) are
// ignored; a JWK that holds a private part is refused.
func ParseJWK(id string, raw []byte) (Key, error) {
	var in struct {
		JWK
		D string `json:"d"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return Key{}, corridor.E(corridor.Invalid, "key %s: not a JWK: %w", id, err)
	}
	if in.D != "" {
		return Key{}, &corridor.Error{Kind: corridor.Invalid, Msg: "the JWK holds a private key", Where: id, Fix: "publish only kty, crv, x and y, and replace the key"}
	}
	k := Key{ID: id, JWK: in.JWK, Suite: in.Crv}
	if _, err := k.Public(); err != nil {
		return Key{}, err
	}
	return k, nil
}

// Public decodes the key: ed25519.PublicKey or *ecdsa.PublicKey, checked to be
// on its curve.
func (k Key) Public() (any, error) {
	bad := func(why string) error {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "unusable public key: " + why, Where: k.ID}
	}
	if k.Suite != k.JWK.Crv {
		return nil, bad(fmt.Sprintf("suite %q does not go with curve %q", k.Suite, k.JWK.Crv))
	}
	x, err := unb64(k.JWK.X)
	if err != nil || len(x) != 32 {
		return nil, bad("x is not 32 bytes of base64url")
	}
	switch {
	case k.JWK.Kty == "OKP" && k.Suite == Ed25519:
		if k.JWK.Y != "" {
			return nil, bad("an Ed25519 key has no y")
		}
		return ed25519.PublicKey(x), nil
	case k.JWK.Kty == "EC" && (k.Suite == P256 || k.Suite == SM2):
		y, err := unb64(k.JWK.Y)
		if err != nil || len(y) != 32 {
			return nil, bad("y is not 32 bytes of base64url")
		}
		point := append(append([]byte{4}, x...), y...)
		var pub *ecdsa.PublicKey
		if k.Suite == SM2 {
			pub, err = sm2.NewPublicKey(point)
		} else {
			pub, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		}
		if err != nil {
			return nil, bad("the point is not on the curve")
		}
		return pub, nil
	}
	return nil, bad(fmt.Sprintf("kty %q with crv %q is not one of Ed25519, P-256, SM2", k.JWK.Kty, k.JWK.Crv))
}

// Verify checks one signature over msg in the key's suite.
func (k Key) Verify(msg, sig []byte) error {
	pub, err := k.Public()
	if err != nil {
		return err
	}
	ok := false
	switch k.Suite {
	case Ed25519:
		ok = len(sig) == ed25519.SignatureSize && ed25519.Verify(pub.(ed25519.PublicKey), msg, sig)
	case P256:
		if len(sig) == 64 {
			h := sha256.Sum256(msg)
			ok = ecdsa.Verify(pub.(*ecdsa.PublicKey), h[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
		}
	case SM2:
		ok = sm2.VerifyASN1WithSM2(pub.(*ecdsa.PublicKey), nil, msg, sig)
	}
	if !ok {
		return &corridor.Error{Kind: corridor.Unauthenticated, Msg: "the " + k.Suite + " signature does not match the text and the key", Where: k.ID}
	}
	return nil
}

// VerifySignature checks a detached signature, including that it names this
// key and this key's suite.
func (k Key) VerifySignature(msg []byte, s corridor.Signature) error {
	if s.Key != k.ID || s.Suite != k.Suite {
		return corridor.E(corridor.Unauthenticated, "the signature names key %q of suite %q, not %q of suite %q", s.Key, s.Suite, k.ID, k.Suite)
	}
	sig, err := unb64(s.Value)
	if err != nil {
		return corridor.E(corridor.Invalid, "signature by %s: %w", s.Key, err)
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
