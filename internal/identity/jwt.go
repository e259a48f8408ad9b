package identity

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"corridor"
	"corridor/verify"
)

// Algorithms are the JOSE algorithms that are accepted from others, whatever a
// header says: asymmetric ones alone, so that a public key is never taken for a
// shared secret, and never none. The key of the DID document decides which of
// them can succeed.
func Algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA}
}

// SignJWT signs claims as a compact JWT of a type (JWT, vc+jwt, vp+jwt), with
// the key's DID URL as kid. The suite must have a JOSE algorithm: P-256 or
// Ed25519.
func SignJWT(ctx context.Context, s Signer, typ string, claims any) (string, error) {
	s = Present(s)
	alg := jose.ES256
	switch s.Suite() {
	case verify.P256:
	case verify.Ed25519:
		alg = jose.EdDSA
	default:
		return "", corridor.E(corridor.Invalid, "a JWT is signed with P-256 or Ed25519, not %s", s.Suite())
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: &joseSigner{ctx: ctx, s: s, alg: alg}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", corridor.E(corridor.Internal, "JWT: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", corridor.E(corridor.Internal, "JWT: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", corridor.E(corridor.Internal, "JWT: %w", err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		return "", corridor.E(corridor.Internal, "JWT: %w", err)
	}
	return raw, nil
}

// JWT is a compact JWT that has been read but not proven.
type JWT struct {
	KeyID   string // kid: the DID URL of the key that is said to have signed
	Type    string // typ, lower case
	Payload []byte // unproven until Prove

	signed *jose.JSONWebSignature
}

// ParseJWT reads a compact JWT of at most max bytes, signed with one of
// Algorithms. Errors are of kind Invalid or Limited.
func ParseJWT(raw string, max int) (*JWT, error) {
	if len(raw) > max {
		return nil, corridor.E(corridor.Limited, "the JWT is over the limit of %d bytes", max)
	}
	signed, err := jose.ParseSignedCompact(raw, Algorithms())
	if err != nil {
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "not a JWT that this gateway reads", Fix: "sign with ES256 or EdDSA, in the compact form", Err: err}
	}
	h := signed.Signatures[0].Protected
	typ, _ := h.ExtraHeaders[jose.HeaderType].(string)
	return &JWT{KeyID: h.KeyID, Type: strings.ToLower(typ), Payload: signed.UnsafePayloadWithoutVerification(), signed: signed}, nil
}

// Prove checks that owner's key that kid names signed the JWT, and that
// owner's DID document allows that key for rel.
func (j *JWT) Prove(ctx context.Context, r *Resolver, owner string, rel Relationship) error {
	did, _, err := SplitKeyID(j.KeyID)
	if err != nil || did != owner {
		return &corridor.Error{Kind: corridor.Unauthenticated, Msg: "kid " + clip(j.KeyID) + " is not a key of " + clip(owner), Fix: "set kid to the DID URL of a key of the signer"}
	}
	key, err := r.Key(ctx, j.KeyID, rel)
	if err != nil {
		return err
	}
	public, err := key.Public()
	if err != nil {
		return err
	}
	if _, err := j.signed.Verify(public); err != nil {
		return &corridor.Error{Kind: corridor.Unauthenticated, Where: clip(j.KeyID), Msg: "the signature does not match the key", Err: err}
	}
	return nil
}

// joseSigner lends a Signer to go-jose for one signature, with the context
// that its interface lacks.
type joseSigner struct {
	ctx context.Context
	s   Signer
	alg jose.SignatureAlgorithm
}

// Public implements jose.OpaqueSigner. The key itself is left out of the
// header: its id is enough, and the verifier must look it up anyway.
func (j *joseSigner) Public() *jose.JSONWebKey { return &jose.JSONWebKey{KeyID: j.s.KeyID()} }

// Algs implements jose.OpaqueSigner.
func (j *joseSigner) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{j.alg} }

// SignPayload implements jose.OpaqueSigner.
func (j *joseSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return j.s.Sign(j.ctx, payload)
}
