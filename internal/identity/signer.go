// Package identity says who a node is and who is calling it: keys and the
// signature suites, did:web documents and their resolution, self-issued
// tokens and their checking, the directory of known peers, and the HTTP
// client that cannot be talked into reaching inside networks.
//
// Checking a signature is done by package verify, which is public; here is
// only what needs a private key, a network or a clock.
package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/emmansun/gmsm/sm2"

	"corridor"
	"corridor/verify"
)

// Signer signs with one private key. An implementation may hold the key in
// memory, or ask a module or another process: Sign takes the whole message,
// so that a module can do the hashing that its certificate demands.
// Implementations are safe for concurrent use.
type Signer interface {
	// Suite is one of the suites of package verify.
	Suite() string
	// KeyID is the DID URL under which peers find the public key.
	KeyID() string
	// Sign gives the signature in the suite's own form: Ed25519 64 bytes,
	// P-256 r||s of 64 bytes, SM2 ASN.1 DER.
	Sign(ctx context.Context, msg []byte) ([]byte, error)
	// Public is the key that checks those signatures.
	Public() verify.Key
}

// memorySigner is a Signer whose private key is in this process.
type memorySigner struct {
	key  verify.Key
	sign func(msg []byte) ([]byte, error)
}

func (s *memorySigner) Suite() string      { return s.key.Suite }
func (s *memorySigner) KeyID() string      { return s.key.ID }
func (s *memorySigner) Public() verify.Key { return s.key }

func (s *memorySigner) Sign(_ context.Context, msg []byte) ([]byte, error) {
	sig, err := s.sign(msg)
	if err != nil {
		return nil, corridor.E(corridor.Internal, "signing with %s: %w", s.key.ID, err)
	}
	return sig, nil
}

// NewSigner makes a Signer of a private key in memory: ed25519.PrivateKey,
// *ecdsa.PrivateKey on P-256, or *sm2.PrivateKey. The key's id is did,
// "#", name, "-" and the first eight digits of the public key's digest, so
// that a new key never takes an old one's id.
func NewSigner(did, name string, private any) (Signer, error) {
	var public any
	s := &memorySigner{}
	switch p := private.(type) {
	case ed25519.PrivateKey:
		if len(p) == ed25519.PrivateKeySize {
			public = p.Public()
			s.sign = func(msg []byte) ([]byte, error) { return ed25519.Sign(p, msg), nil }
		}
	case *ecdsa.PrivateKey:
		if p != nil && p.Curve == elliptic.P256() {
			public = &p.PublicKey
			s.sign = func(msg []byte) ([]byte, error) { return signP256(p, msg) }
		}
	case *sm2.PrivateKey:
		if p != nil {
			public = &p.PublicKey
			s.sign = func(msg []byte) ([]byte, error) { return signSM2(p, msg) }
		}
	}
	if s.sign == nil {
		return nil, corridor.E(corridor.Invalid, "a private key of type %T is of no known suite", private)
	}
	key, err := verify.NewKey("", public)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(key.JWK.Crv + "\x00" + key.JWK.X + "\x00" + key.JWK.Y))
	key.ID = did + "#" + name + "-" + hex.EncodeToString(sum[:4])
	s.key = key
	return s, nil
}

func signP256(p *ecdsa.PrivateKey, msg []byte) ([]byte, error) {
	h := sha256.Sum256(msg)
	r, v, err := ecdsa.Sign(rand.Reader, p, h[:])
	if err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	v.FillBytes(out[32:])
	return out, nil
}

// signSM2 hashes apart from signing, because the library refuses to sign an
// empty message in one step.
func signSM2(p *sm2.PrivateKey, msg []byte) ([]byte, error) {
	h, err := sm2.CalculateSM2Hash(&p.PublicKey, msg, nil)
	if err != nil {
		return nil, err
	}
	return sm2.SignASN1(rand.Reader, p, h, nil)
}

// generate makes a private key of a suite.
func generate(suite string) (any, error) {
	switch suite {
	case verify.Ed25519:
		_, p, err := ed25519.GenerateKey(rand.Reader)
		return p, err
	case verify.P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case verify.SM2:
		return sm2.GenerateKey(rand.Reader)
	}
	return nil, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("%q is not a signature suite", suite), Fix: "use Ed25519, P-256 or SM2"}
}

// SignObject signs the canonical JSON of v.
func SignObject(ctx context.Context, s Signer, v any) (corridor.Signature, error) {
	raw, err := corridor.Canonical(v)
	if err != nil {
		return corridor.Signature{}, err
	}
	sig, err := s.Sign(ctx, raw)
	if err != nil {
		return corridor.Signature{}, err
	}
	return corridor.Signature{Key: s.KeyID(), Suite: s.Suite(), Value: base64.RawURLEncoding.EncodeToString(sig)}, nil
}

// VerifyObject checks a signature over the canonical JSON of v.
func VerifyObject(key verify.Key, v any, sig corridor.Signature) error {
	raw, err := corridor.Canonical(v)
	if err != nil {
		return err
	}
	return key.VerifySignature(raw, sig)
}
