package dcp

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"corridor"
)

// accessLife is how long an access token opens our credential service. It is
// given again until half of it has passed, so that a peer that keeps what was
// presented need not ask again.
const accessLife = 10 * time.Minute

// access makes and checks the access tokens of our credential service. They
// are opaque to others: bound to one verifier and to scopes, under a key of our
// own.
type access struct {
	self string
	key  []byte
	now  func() time.Time

	mu    sync.Mutex // guards given
	given map[string]givenToken
}

type givenToken struct {
	token, scopes string
	till          time.Time
}

func newAccess(self string, secret []byte, now func() time.Time) (*access, error) {
	if len(secret) < 32 {
		return nil, corridor.E(corridor.Internal, "the secret of access tokens is too short")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "corridor credential service access token", 32)
	if err != nil {
		return nil, corridor.E(corridor.Internal, "access tokens: %w", err)
	}
	return &access{self: self, key: key, now: now, given: map[string]givenToken{}}, nil
}

type accessClaims struct {
	jwt.Claims
	Scope string `json:"scope"`
}

// grant gives a token with which verifier may ask for what scopes name.
func (a *access) grant(verifier string, scopes []string) (string, error) {
	list := strings.Join(scopes, " ")
	now := a.now()
	a.mu.Lock()
	g, ok := a.given[verifier]
	a.mu.Unlock()
	if ok && g.scopes == list && now.Before(g.till) {
		return g.token, nil
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: a.key}, nil)
	if err != nil {
		return "", corridor.E(corridor.Internal, "access token: %w", err)
	}
	c := accessClaims{Claims: jwt.Claims{Issuer: a.self, Subject: verifier, ID: rand.Text(), IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(accessLife))}, Scope: list}
	token, err := jwt.Signed(signer).Claims(c).Serialize()
	if err != nil {
		return "", corridor.E(corridor.Internal, "access token: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	makeRoom(a.given, 4096, func(g givenToken) bool { return !now.Before(g.till) })
	a.given[verifier] = givenToken{token: token, scopes: list, till: now.Add(accessLife / 2)}
	return token, nil
}

// scopes gives what a token lets verifier ask for.
func (a *access) scopes(verifier, token string) ([]scope, error) {
	refuse := &corridor.Error{Kind: corridor.Unauthenticated, Msg: "the access token is not one of this credential service for you", Fix: "send the claim token of our self-issued token, as it is, in your own"}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, refuse
	}
	var c accessClaims
	if err := parsed.Claims(a.key, &c); err != nil || c.Issuer != a.self || c.Subject != verifier || c.Expiry == nil || !a.now().Before(c.Expiry.Time()) {
		return nil, refuse
	}
	var out []scope
	for _, s := range strings.Fields(c.Scope) {
		one, err := parseScope(s)
		if err != nil {
			return nil, refuse
		}
		out = append(out, one)
	}
	return out, nil
}
