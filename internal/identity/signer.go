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
	"math/big"
	"strings"

	"filippo.io/mldsa"
	"github.com/emmansun/gmsm/sm2"

	"corridor"
	"corridor/internal/gost"
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
	// P-256 r||s of 64 bytes with s in the lower half of the group order, SM2
	// ASN.1 DER, GOST s||r of 64 or 128 bytes, ML-DSA-44 2420 bytes.
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
// *ecdsa.PrivateKey on P-256, *sm2.PrivateKey, *gost.PrivateKey or
// *mldsa.PrivateKey. The key's id is that of KeyID.
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
	case *gost.PrivateKey:
		if p != nil && p.Curve != nil {
			public = &p.PublicKey
			s.sign = func(msg []byte) ([]byte, error) { return p.Sign(msg), nil }
		}
	case *mldsa.PrivateKey:
		if p != nil && p.PublicKey().Parameters() == mldsa.MLDSA44() {
			public = p.Public()
			s.sign = func(msg []byte) ([]byte, error) { return p.Sign(nil, msg, nil) }
		}
	}
	if s.sign == nil {
		return nil, corridor.E(corridor.Invalid, "a private key of type %T is of no known suite", private)
	}
	key, err := verify.NewKey("", public)
	if err != nil {
		return nil, err
	}
	key.ID = KeyID(did, name, key.JWK)
	s.key = key
	return s, nil
}

// KeyID is the DID URL of a node's key: did, "#", name, "-" and the first
// eight digits of the public key's digest, so that a new key never takes an
// old one's id.
func KeyID(did, name string, key verify.JWK) string {
	text := key.Crv + "\x00" + key.X + "\x00" + key.Y
	if key.Pub != "" {
		text += "\x00" + key.Alg + "\x00" + key.Pub
	}
	sum := sha256.Sum256([]byte(text))
	return did + "#" + name + "-" + hex.EncodeToString(sum[:4])
}

func signP256(p *ecdsa.PrivateKey, msg []byte) ([]byte, error) {
	h := sha256.Sum256(msg)
	r, v, err := ecdsa.Sign(rand.Reader, p, h[:])
	if err != nil {
		return nil, err
	}
	half := new(big.Int).Rsh(p.Params().N, 1)
	if v.Cmp(half) > 0 { // (r, n-s) is good too: only the smaller is the signature
		v.Sub(p.Params().N, v)
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

// Present gives the signer whose key is used now, where s changes its key:
// what needs both a signature and its key's id asks once for the two.
func Present(s Signer) Signer {
	if r, ok := s.(interface{ Present() Signer }); ok {
		return r.Present()
	}
	return s
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
	case verify.GOST256, verify.GOST512:
		return gost.GenerateKey(customary(suite))
	case verify.MLDSA44:
		return mldsa.GenerateKey(mldsa.MLDSA44())
	}
	return nil, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("%q is not a signature suite", suite), Fix: "use one of " + strings.Join(verify.Suites(), ", ")}
}

// customary is the parameter set of new GOST keys: the one that certified
// modules use most, id-tc26-gost-3410-12-256-paramSetB or -512-paramSetA. A key
// file may hold a key of any other.
func customary(suite string) *gost.Curve {
	size := gost.Size256
	if suite == verify.GOST512 {
		size = gost.Size512
	}
	for _, c := range gost.Curves() { // the customary ones stand first
		if c.Size == size {
			return c
		}
	}
	return nil
}

// SignObject signs the canonical JSON of v.
func SignObject(ctx context.Context, s Signer, v any) (corridor.Signature, error) {
	raw, err := corridor.Canonical(v)
	if err != nil {
		return corridor.Signature{}, err
	}
	s = Present(s)
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
