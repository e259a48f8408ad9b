package plane

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"corridor"
)

const (
	tokenPrefix = "cdp1."
	tokenDomain = "corridor/plane/token/v1\x00"
	keyDomain   = "corridor/plane/key/v1\x00"
	minSecret   = 32
)

// Claims is what an access token says: who may read which transfer, until
// when. It is a statement of the provider to itself.
type Claims struct {
	Transfer  string `json:"transfer"`
	Agreement string `json:"agreement"`
	Audience  string `json:"audience"` // DID of the consumer
	Expires   int64  `json:"expires"`  // seconds since 1970
	Nonce     string `json:"nonce"`    // made by Mint if empty
}

// Match says whether the token is for this transfer of this agreement with
// this consumer. The Authority calls it with what its own records hold.
func (c Claims) Match(transfer, agreement, audience string) error {
	if c.Transfer != transfer || c.Agreement != agreement || c.Audience != audience {
		return &corridor.Error{Kind: corridor.Forbidden, Msg: "the access token was issued for another transfer or another consumer",
			Fix: "use the token of this transfer's start message"}
	}
	return nil
}

// Tokens mints and checks access tokens with one secret. It holds no list of
// tokens: what was granted is in the Authority's records.
type Tokens struct {
	secret []byte
}

// NewTokens needs a secret of 32 bytes or more.
func NewTokens(secret []byte) (*Tokens, error) {
	if len(secret) < minSecret {
		return nil, corridor.E(corridor.Invalid, "the secret of the access tokens has %d bytes, it needs %d", len(secret), minSecret)
	}
	return &Tokens{bytes.Clone(secret)}, nil
}

// Mint makes a token.
func (t *Tokens) Mint(c Claims) (string, error) {
	if c.Transfer == "" || c.Agreement == "" || c.Audience == "" || c.Expires <= 0 {
		return "", corridor.E(corridor.Invalid, "an access token needs transfer, agreement, audience and expiry")
	}
	if c.Nonce == "" {
		c.Nonce = rand.Text()
	}
	payload, err := corridor.Canonical(c)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	token := tokenPrefix + enc.EncodeToString(payload) + "." + enc.EncodeToString(t.mac(payload))
	if len(token) > MaxToken {
		return "", corridor.E(corridor.Limited, "an access token of %d bytes is over the limit of %d", len(token), MaxToken)
	}
	return token, nil
}

func (t *Tokens) mac(payload []byte) []byte {
	h := hmac.New(sha256.New, t.secret)
	h.Write([]byte(tokenDomain))
	h.Write(payload)
	return h.Sum(nil)
}

// Check reads a token that this secret made and that has not expired. Nothing
// in a token is looked at before its code is found right, in constant time.
func (t *Tokens) Check(token string, now time.Time) (Claims, error) {
	var c Claims
	refused := &corridor.Error{Kind: corridor.Unauthenticated, Msg: "the access token is not valid", Fix: "use the token of the transfer's start message"}
	body, ok := strings.CutPrefix(token, tokenPrefix)
	left, right, two := strings.Cut(body, ".")
	if !ok || !two || len(token) > MaxToken || strings.ContainsAny(token, "\r\n") { // base64 would pass over line ends
		return c, refused
	}
	enc := base64.RawURLEncoding.Strict()
	payload, err := enc.DecodeString(left)
	if err != nil {
		return c, refused
	}
	mac, err := enc.DecodeString(right)
	if err != nil || !hmac.Equal(mac, t.mac(payload)) {
		return c, refused
	}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Claims{}, refused
	}
	if now.Unix() >= c.Expires {
		return Claims{}, &corridor.Error{Kind: corridor.Unauthenticated, Msg: fmt.Sprintf("the access token expired at %s", time.Unix(c.Expires, 0).UTC().Format(time.RFC3339)),
			Fix: "ask the provider for a new one"}
	}
	return c, nil
}

// AgreementKey derives the secret for an agreement's pseudonyms from a secret
// of the node: the same within one agreement, unrelated between two.
func AgreementKey(secret []byte, agreement string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(keyDomain))
	h.Write([]byte(agreement))
	return h.Sum(nil)
}
