package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
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
	head   atomic.Pointer[tokenHead]
}

// tokenHead is the JOSE header of all tokens by one key, encoded.
type tokenHead struct{ key, text string }

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

// headOf gives the header for a key, written once as long as the key stays.
func (t *Tokens) headOf(key string) (string, error) {
	if h := t.head.Load(); h != nil && h.key == key {
		return h.text, nil
	}
	raw, err := json.Marshal(map[string]string{"alg": string(jose.ES256), "kid": key, "typ": "JWT"})
	if err != nil {
		return "", corridor.E(corridor.Internal, "token: %w", err)
	}
	h := &tokenHead{key: key, text: base64.RawURLEncoding.EncodeToString(raw)}
	t.head.Store(h)
	return h.text, nil
}

// Issue makes a token for the receiver aud. It lives for TokenLife.
func (t *Tokens) Issue(ctx context.Context, aud string) (string, error) {
	return t.IssueWith(ctx, aud, "")
}

// IssueWith makes a token that also carries an access token (DCP 1.0, section
// 4.3.1): what the receiver may fetch from a credential service with it, ours or
// its own. Empty: none.
func (t *Tokens) IssueWith(ctx context.Context, aud, access string) (string, error) {
	if aud == "" {
		return "", corridor.E(corridor.Invalid, "a token needs a receiver")
	}
	now := t.now()
	payload, err := json.Marshal(issued{
		Issuer: t.did, Subject: t.did, Audience: aud, ID: newTokenID(now), Token: access,
		IssuedAt: now.Unix(), Expiry: now.Add(TokenLife).Unix(),
	})
	if err != nil {
		return "", corridor.E(corridor.Internal, "token: %w", err)
	}
	signer := Present(t.signer)
	head, err := t.headOf(signer.KeyID())
	if err != nil {
		return "", err
	}
	signed := head + "." + base64.RawURLEncoding.EncodeToString(payload) // RFC 7515 section 5.1
	sig, err := signer.Sign(ctx, []byte(signed))
	if err != nil {
		return "", corridor.E(corridor.Internal, "token: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}

// newTokenID begins with the time: a receiver notes the tokens of one issuer
// in an index, and those of one time then lie together in it. What makes it
// unique, and not to be guessed, are the 130 random bits behind.
func newTokenID(now time.Time) string {
	return fmt.Sprintf("%012x-%s", now.UnixMilli(), rand.Text())
}

// issued are the claims of a token that we make.
type issued struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
	Token    string `json:"token,omitempty"`
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
	Use         *TokenUse // nil: the use of the token is noted already
}

// TokenVerifier checks the tokens of callers.
type TokenVerifier struct {
	did       string
	resolver  *Resolver
	directory Directory
	replay    ReplayStore
	now       func() time.Time
	skew      time.Duration
}

// VerifierConfig is what a TokenVerifier needs.
type VerifierConfig struct {
	DID       string // this node: the audience that tokens must name
	Resolver  *Resolver
	Directory Directory
	Replay    ReplayStore
	Now       func() time.Time // time.Now if nil
	Skew      time.Duration    // how far clocks may differ; ClockSkew if zero
}

// NewTokenVerifier makes a verifier.
func NewTokenVerifier(cfg VerifierConfig) (*TokenVerifier, error) {
	if cfg.DID == "" || cfg.Resolver == nil || cfg.Directory == nil || cfg.Replay == nil {
		return nil, corridor.E(corridor.Internal, "a token verifier needs a DID, a resolver, a directory and a replay store")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Skew <= 0 {
		cfg.Skew = ClockSkew
	}
	return &TokenVerifier{did: cfg.DID, resolver: cfg.Resolver, directory: cfg.Directory, replay: cfg.Replay, now: cfg.Now, skew: cfg.Skew}, nil
}

type tokenClaims struct {
	jwt.Claims
	Token string `json:"token"`
}

// Verify checks an Authorization header, notes that its token is used, and
// says who calls. All that can be checked without the network comes first, and
// a stranger's DID is never resolved. Errors are of kind Unauthenticated, or
// Forbidden for a DID that is not in the directory, or Unavailable if its
// document cannot be had.
func (v *TokenVerifier) Verify(ctx context.Context, authorization string) (Caller, error) {
	c, err := v.Prove(ctx, authorization)
	if err != nil {
		return Caller{}, err
	}
	if err := c.Use.Note(ctx); err != nil {
		return Caller{}, err
	}
	c.Use = nil
	return c, nil
}

// Prove is Verify for a request that changes something: the use of the token is
// left to be noted with the change, in one transaction. Whoever calls it sees
// to it that Use is noted before anything is answered.
func (v *TokenVerifier) Prove(ctx context.Context, authorization string) (Caller, error) {
	token, kid, claims, err := v.parse(authorization) // the claims of the payload that is checked below
	if err != nil {
		return Caller{}, err
	}
	peer, err := v.directory.Lookup(ctx, claims.Issuer)
	if err != nil {
		return Caller{}, err
	}
	if kid == "" {
		kid, err = v.resolver.onlyKey(ctx, claims.Issuer)
	}
	var key verify.Key
	if err == nil {
		key, err = v.resolver.Key(ctx, kid, CapabilityInvocation)
	}
	if err != nil {
		return Caller{}, v.keyErr(err)
	}
	public, err := key.Public()
	if err != nil {
		return Caller{}, err
	}
	if err := token.Claims(public); err != nil {
		return Caller{}, refuse("the signature does not match the caller's key", "sign with the key that kid names")
	}
	exp := claims.Expiry.Time()
	use := &TokenUse{Issuer: claims.Issuer, ID: claims.ID, Until: exp.Add(v.skew), replay: v.replay}
	return Caller{DID: claims.Issuer, Peer: peer, KeyID: key.ID, TokenID: claims.ID, Expires: exp, AccessToken: claims.Token, Use: use}, nil
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
	case strings.HasPrefix(strings.TrimSpace(authorization), "{"):
		return none(&corridor.Error{Kind: corridor.Unauthenticated, Msg: "an identity without a signature, such as the mock identity of Eclipse EDC",
			Why: "anybody could write it; no setting of this program lets it in", Fix: "let the peer's connector send a self-issued token, signed with a key of its DID document"})
	case !strings.EqualFold(scheme, "Bearer") || strings.Count(raw, ".") != 2:
		return none(refuse("not a bearer token of three parts", "send Authorization: Bearer with a self-issued token"))
	case len(raw) > maxToken:
		return none(refuse("the token is too long", ""))
	}
	token, err := jwt.ParseSigned(raw, Algorithms())
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
	if owner, _, err := SplitKeyID(h.KeyID); h.KeyID != "" && (err != nil || owner != c.Issuer) {
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
	case !now.Before(exp.Add(v.skew)):
		return refuse("the token has expired", "make a new token for every request; check the clock")
	case iat.After(now.Add(v.skew)):
		return refuse("the token is from the future", "check the clock")
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(v.skew)):
		return refuse("the token is not valid yet", "check the clock")
	case exp.After(iat.Add(maxTokenLife)):
		return refuse("the token lives too long", fmt.Sprintf("let it expire within %s", maxTokenLife))
	}
	return nil
}

func refuse(msg, fix string) error {
	return &corridor.Error{Kind: corridor.Unauthenticated, Msg: msg, Fix: fix}
}
