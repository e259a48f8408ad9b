package identity

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"corridor"
	"corridor/verify"
)

// The life and the limits of self-issued tokens.
const (
	TokenLife    = 5 * time.Minute
	ClockSkew    = 60 * time.Second
	maxTokenLife = time.Hour // longest that a foreign token may live: bounds what the replay store keeps
	maxToken     = 8 << 10
	maxJTI       = 256
)

// Tokens issues this node's tokens: JWTs signed by its own DID, for one
// receiver, used once.
type Tokens struct {
	did    string
	signer Signer
	now    func() time.Time
}

// NewTokens makes an issuer. The signer's suite must be P-256: the tokens are
// ES256, which every peer reads. Now may be nil.
func NewTokens(did string, signer Signer, now func() time.Time) (*Tokens, error) {
	if signer.Suite() != verify.P256 {
		return nil, corridor.E(corridor.Invalid, "tokens are signed with P-256, not %s", signer.Suite())
	}
	if now == nil {
		now = time.Now
	}
	return &Tokens{did: did, signer: signer, now: now}, nil
}

// Issue makes a token for the receiver aud. It lives for TokenLife.
func (t *Tokens) Issue(ctx context.Context, aud string) (string, error) {
	if aud == "" {
		return "", corridor.E(corridor.Invalid, "a token needs a receiver")
	}
	now := t.now()
	claims := jwt.Claims{
		Issuer: t.did, Subject: t.did, Audience: jwt.Audience{aud}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(TokenLife)),
	}
	key := jose.SigningKey{Algorithm: jose.ES256, Key: &joseSigner{ctx: ctx, s: t.signer}}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", corridor.E(corridor.Internal, "token: %w", err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", corridor.E(corridor.Internal, "token: %w", err)
	}
	return token, nil
}

// joseSigner lends a Signer to go-jose for one signature, with the context
// that its interface lacks.
type joseSigner struct {
	ctx context.Context
	s   Signer
}

// Public implements jose.OpaqueSigner. The key itself is left out of the
// header: its id is enough, and the verifier must look it up anyway.
func (j *joseSigner) Public() *jose.JSONWebKey { return &jose.JSONWebKey{KeyID: j.s.KeyID()} }

// Algs implements jose.OpaqueSigner.
func (j *joseSigner) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.ES256} }

// SignPayload implements jose.OpaqueSigner.
func (j *joseSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return j.s.Sign(j.ctx, payload)
}

// ReplayStore remembers which tokens were used. It must survive a restart, or
// a token seen before it could be used again after.
type ReplayStore interface {
	// Use notes a token's use until exp and says whether it was the first.
	Use(ctx context.Context, issuer, jti string, exp time.Time) (fresh bool, err error)
}

// Caller is who makes a request, proven by a token.
type Caller struct {
	DID         string
	Peer        Peer
	KeyID       string    // the key that signed
	TokenID     string    // jti
	Expires     time.Time // of the token
	AccessToken string    // the DCP "token" claim, if there is one
}

// TokenVerifier checks the tokens of callers.
type TokenVerifier struct {
	did       string
	resolver  *Resolver
	directory Directory
	replay    ReplayStore
	now       func() time.Time
}

// VerifierConfig is what a TokenVerifier needs.
type VerifierConfig struct {
	DID       string // this node: the audience that tokens must name
	Resolver  *Resolver
	Directory Directory
	Replay    ReplayStore
	Now       func() time.Time // time.Now if nil
}

// NewTokenVerifier makes a verifier.
func NewTokenVerifier(cfg VerifierConfig) (*TokenVerifier, error) {
	if cfg.DID == "" || cfg.Resolver == nil || cfg.Directory == nil || cfg.Replay == nil {
		return nil, corridor.E(corridor.Internal, "a token verifier needs a DID, a resolver, a directory and a replay store")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &TokenVerifier{did: cfg.DID, resolver: cfg.Resolver, directory: cfg.Directory, replay: cfg.Replay, now: cfg.Now}, nil
}

// algorithms that tokens may use. Whatever the header says, the key of the
// DID document decides which of them can succeed.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA}
}

type tokenClaims struct {
	jwt.Claims
	Token string `json:"token"`
}

// Verify checks an Authorization header and says who calls. All that can be
// checked without the network comes first, and a stranger's DID is never
// resolved. Errors are of kind Unauthenticated, or Forbidden for a DID that
// is not in the directory, or Unavailable if its document cannot be had.
func (v *TokenVerifier) Verify(ctx context.Context, authorization string) (Caller, error) {
	token, kid, claims, err := v.parse(authorization)
	if err != nil {
		return Caller{}, err
	}
	peer, err := v.directory.Lookup(ctx, claims.Issuer)
	if err != nil {
		return Caller{}, err
	}
	key, err := v.resolver.Key(ctx, kid, CapabilityInvocation)
	if err != nil {
		return Caller{}, v.keyErr(err)
	}
	public, err := key.Public()
	if err != nil {
		return Caller{}, err
	}
	var checked tokenClaims
	if err := token.Claims(public, &checked); err != nil {
		return Caller{}, refuse("the signature does not match the caller's key", "sign with the key that kid names")
	}
	exp := checked.Expiry.Time()
	fresh, err := v.replay.Use(ctx, checked.Issuer, checked.ID, exp.Add(ClockSkew))
	if err != nil {
		return Caller{}, fmt.Errorf("token replay store: %w", err)
	}
	if !fresh {
		return Caller{}, refuse("the token was used before", "make a new token for every request")
	}
	return Caller{DID: checked.Issuer, Peer: peer, KeyID: kid, TokenID: checked.ID, Expires: exp, AccessToken: checked.Token}, nil
}

// keyErr turns what is wrong with a key into a refusal of the caller, and
// leaves what is wrong with the network as it is.
func (v *TokenVerifier) keyErr(err error) error {
	switch corridor.KindOf(err) {
	case corridor.NotFound, corridor.Invalid, corridor.Limited:
		return &corridor.Error{Kind: corridor.Unauthenticated, Msg: "the key that the token names cannot be used", Err: err}
	}
	return err
}

// parse reads a token and checks its claims, all still unproven.
func (v *TokenVerifier) parse(authorization string) (*jwt.JSONWebToken, string, tokenClaims, error) {
	none := func(err error) (*jwt.JSONWebToken, string, tokenClaims, error) { return nil, "", tokenClaims{}, err }
	scheme, raw, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	raw = strings.TrimSpace(raw)
	switch {
	case authorization == "":
		return none(refuse("no token", "send Authorization: Bearer with a self-issued token"))
	case !strings.EqualFold(scheme, "Bearer") || strings.Count(raw, ".") != 2:
		return none(refuse("not a bearer token of three parts", "send Authorization: Bearer with a self-issued token"))
	case len(raw) > maxToken:
		return none(refuse("the token is too long", ""))
	}
	token, err := jwt.ParseSigned(raw, algorithms())
	if err != nil || len(token.Headers) != 1 {
		return none(refuse("not a token that this gateway reads", "sign a JWT with ES256 or EdDSA"))
	}
	h := token.Headers[0]
	if typ, ok := h.ExtraHeaders[jose.HeaderType].(string); ok && !strings.EqualFold(typ, "JWT") {
		return none(refuse("the token is of another type than JWT", ""))
	}
	var c tokenClaims
	if err := token.UnsafeClaimsWithoutVerification(&c); err != nil {
		return none(refuse("the token's claims cannot be read", ""))
	}
	owner, _, err := SplitKeyID(h.KeyID)
	if err != nil || owner != c.Issuer {
		return none(refuse("kid is not a key of the issuer", "set kid to the DID URL of a key of iss"))
	}
	if err := v.checkClaims(c); err != nil {
		return none(err)
	}
	return token, h.KeyID, c, nil
}

func (v *TokenVerifier) checkClaims(c tokenClaims) error {
	if _, err := WebURL(c.Issuer); err != nil {
		return refuse("iss is not a did:web identifier", "")
	}
	if c.Issuer != c.Subject {
		return refuse("iss and sub differ", "issue the token yourself: iss and sub are your DID")
	}
	if c.Issuer == v.did {
		return refuse("the token is this gateway's own", "")
	}
	if len(c.Audience) != 1 || c.Audience[0] != v.did {
		return refuse("the token is not for this gateway alone", "set aud to "+v.did)
	}
	if c.ID == "" || len(c.ID) > maxJTI {
		return refuse("jti is missing or too long", "give every token a new jti")
	}
	if c.Expiry == nil || c.IssuedAt == nil {
		return refuse("exp or iat is missing", "")
	}
	now, exp, iat := v.now(), c.Expiry.Time(), c.IssuedAt.Time()
	switch {
	case !now.Before(exp.Add(ClockSkew)):
		return refuse("the token has expired", "make a new token for every request; check the clock")
	case iat.After(now.Add(ClockSkew)):
		return refuse("the token is from the future", "check the clock")
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(ClockSkew)):
		return refuse("the token is not valid yet", "check the clock")
	case exp.After(iat.Add(maxTokenLife)):
		return refuse("the token lives too long", fmt.Sprintf("let it expire within %s", maxTokenLife))
	}
	return nil
}

func refuse(msg, fix string) error {
	return &corridor.Error{Kind: corridor.Unauthenticated, Msg: msg, Fix: fix}
}
