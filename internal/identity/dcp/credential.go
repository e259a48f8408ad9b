package dcp

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	josejson "github.com/go-jose/go-jose/v4/json"

	"corridor"
	"corridor/internal/identity"
)

// The contexts that begin credentials of the two data models, and the types
// that every credential and presentation has.
const (
	contextV1        = "https://www.w3.org/2018/credentials/v1"
	contextV2        = "https://www.w3.org/ns/credentials/v2"
	credentialType   = "VerifiableCredential"
	presentationType = "VerifiablePresentation"
	typeV2           = "vc+jwt"
	typePresentation = "vp+jwt"
)

// Credential is a verifiable credential of either profile, in one form.
type Credential struct {
	Raw     string // the JWT
	Profile Profile
	ID      string
	Types   []string // VerifiableCredential among them
	Issuer  string   // DID
	Holder  string   // DID: credentialSubject.id
	Subject json.RawMessage
	From    time.Time // valid from
	Until   time.Time // valid until; zero: open
	Status  []StatusEntry
	Schemas []Schema

	jwt *identity.JWT
}

// StatusEntry says where it stands that a credential was revoked or suspended
// (BitstringStatusListEntry or StatusList2021Entry).
type StatusEntry struct {
	Type    string
	Purpose string // revocation or suspension
	List    string // address of the status list credential
	Index   uint64
}

// Schema names what credentialSubject must look like.
type Schema struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// body is a credential as both data models write it.
type body struct {
	Context    contexts            `json:"@context"`
	ID         string              `json:"id"`
	Type       texts               `json:"type"`
	Issuer     named               `json:"issuer"`
	Issued     string              `json:"issuanceDate"`
	Expires    string              `json:"expirationDate"`
	ValidFrom  string              `json:"validFrom"`
	ValidUntil string              `json:"validUntil"`
	Subject    josejson.RawMessage `json:"credentialSubject"`
	Status     josejson.RawMessage `json:"credentialStatus"`
	Schema     josejson.RawMessage `json:"credentialSchema"`
}

// claims are those of RFC 7519 that a credential or presentation may carry.
type claims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  texts  `json:"aud"`
	ID        string `json:"jti"`
	NotBefore date   `json:"nbf"`
	Expiry    date   `json:"exp"`
}

// date is a NumericDate. RFC 7519 lets it have a fraction.
type date float64

func (d date) time() time.Time {
	if d == 0 {
		return time.Time{}
	}
	return time.Unix(int64(d), 0)
}

// named is an issuer or holder: a DID, or an object with one.
type named string

// UnmarshalJSON implements json.Unmarshaler.
func (p *named) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '{' {
		var o struct {
			ID string `json:"id"`
		}
		if err := strict(raw, &o); err != nil {
			return err
		}
		*p = named(o.ID)
		return nil
	}
	var s string
	err := strict(raw, &s)
	*p = named(s)
	return err
}

// ParseCredential reads a credential of either profile. Nothing in it is proven
// yet; a Checker does that. Errors are of kind Invalid or Limited.
func ParseCredential(raw string) (*Credential, error) {
	j, err := identity.ParseJWT(raw, maxCredential)
	if err != nil {
		return nil, err
	}
	var envelope struct {
		claims
		VC josejson.RawMessage `json:"vc"`
	}
	if err := strict(j.Payload, &envelope); err != nil {
		return nil, err
	}
	c := &Credential{Raw: raw, Profile: VC11, jwt: j}
	inner := []byte(envelope.VC)
	if envelope.VC == nil { // VC-JOSE-COSE: the payload is the credential
		c.Profile, inner = VC20, j.Payload
		if t := j.Type; t != "" && t != typeV2 && t != "jwt" {
			return nil, corridor.E(corridor.Invalid, "a credential of type %q", clip(t))
		}
	}
	var b body
	if err := strict(inner, &b); err != nil {
		return nil, err
	}
	if err := c.fill(b); err != nil {
		return nil, err
	}
	return c, c.agree(envelope.claims)
}

// fill takes the fields over and checks their shape.
func (c *Credential) fill(b body) error {
	first := map[Profile]string{VC11: contextV1, VC20: contextV2}[c.Profile]
	if len(b.Context) == 0 || b.Context[0] != first {
		return &corridor.Error{Kind: corridor.Invalid, Where: "@context", Msg: "does not begin with " + first, Why: "profile " + string(c.Profile)}
	}
	c.ID, c.Types, c.Issuer = b.ID, b.Type, string(b.Issuer)
	if !contains(c.Types, credentialType) || len(c.Types) > maxTypes {
		return &corridor.Error{Kind: corridor.Invalid, Where: "type", Msg: "a credential is of type VerifiableCredential and few more"}
	}
	if len(c.ID) > maxText || len(c.Issuer) > maxText {
		return corridor.E(corridor.Limited, "id or issuer is over the limit of %d bytes", maxText)
	}
	from, until := b.ValidFrom, b.ValidUntil
	if c.Profile == VC11 {
		from, until = b.Issued, b.Expires
		if from == "" {
			return &corridor.Error{Kind: corridor.Invalid, Where: "issuanceDate", Msg: "is missing"}
		}
	}
	var err error
	if c.From, err = instant("the begin of validity", from); err != nil {
		return err
	}
	if c.Until, err = instant("the end of validity", until); err != nil {
		return err
	}
	if err := c.subject(b.Subject); err != nil {
		return err
	}
	if c.Status, err = statusEntries(b.Status); err != nil {
		return err
	}
	c.Schemas, err = schemas(b.Schema)
	return err
}

func instant(what, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, corridor.E(corridor.Invalid, "%s is not a time: %q", what, clip(s))
	}
	return t, nil
}

// subject takes the one subject. More than one could not be bound to one
// holder.
func (c *Credential) subject(raw []byte) error {
	list, err := oneOrMany(raw)
	if err != nil {
		return err
	}
	if len(list) != 1 {
		return &corridor.Error{Kind: corridor.Invalid, Where: "credentialSubject", Msg: fmt.Sprintf("%d subjects; there must be one", len(list))}
	}
	var s struct {
		ID string `json:"id"`
	}
	if err := strict(list[0], &s); err != nil {
		return err
	}
	if s.ID == "" {
		return &corridor.Error{Kind: corridor.Invalid, Where: "credentialSubject.id", Msg: "is missing: the credential belongs to nobody"}
	}
	c.Holder, c.Subject = s.ID, json.RawMessage(list[0])
	return nil
}

// agree holds the claims of the envelope against the credential inside: where
// both speak they must say the same, and the narrower time counts.
func (c *Credential) agree(e claims) error {
	for _, pair := range []struct{ where, outside, inside string }{{"iss", e.Issuer, c.Issuer}, {"sub", e.Subject, c.Holder}} {
		if pair.outside != "" && pair.outside != pair.inside {
			return corridor.E(corridor.Invalid, "%s is %q outside the credential and %q in it", pair.where, clip(pair.outside), clip(pair.inside))
		}
	}
	if nbf := e.NotBefore.time(); nbf.After(c.From) {
		c.From = nbf
	}
	if exp := e.Expiry.time(); !exp.IsZero() && (c.Until.IsZero() || exp.Before(c.Until)) {
		c.Until = exp
	}
	if c.ID == "" && c.Profile == VC11 {
		c.ID = e.ID
	}
	return nil
}

func schemas(raw []byte) ([]Schema, error) {
	list, err := oneOrMany(raw)
	if err != nil || len(list) > maxTypes {
		return nil, corridor.E(corridor.Invalid, "credentialSchema cannot be read")
	}
	var out []Schema
	for _, item := range list {
		var s Schema
		if err := strict(item, &s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func statusEntries(raw []byte) ([]StatusEntry, error) {
	list, err := oneOrMany(raw)
	if err != nil || len(list) > maxTypes {
		return nil, corridor.E(corridor.Invalid, "credentialStatus cannot be read")
	}
	var out []StatusEntry
	for _, item := range list {
		e, err := statusEntry(item)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// statusEntry reads an entry. What is of another kind, or serves another
// purpose, is refused: it might say that the credential is void.
func statusEntry(raw []byte) (StatusEntry, error) {
	var s struct {
		Type    string              `json:"type"`
		Purpose string              `json:"statusPurpose"`
		Index   josejson.RawMessage `json:"statusListIndex"`
		List    string              `json:"statusListCredential"`
	}
	if err := strict(raw, &s); err != nil {
		return StatusEntry{}, err
	}
	e := StatusEntry{Type: s.Type, Purpose: s.Purpose, List: s.List}
	if listTypes(e.Type).credential == "" {
		return e, &corridor.Error{Kind: corridor.Invalid, Where: "credentialStatus.type", Msg: fmt.Sprintf("%q cannot be checked here", clip(e.Type)), Fix: "use BitstringStatusListEntry or StatusList2021Entry"}
	}
	if !slices.Contains([]string{"revocation", "suspension"}, e.Purpose) {
		return e, &corridor.Error{Kind: corridor.Invalid, Where: "credentialStatus.statusPurpose", Msg: fmt.Sprintf("%q is not understood", clip(e.Purpose)), Fix: "use revocation or suspension"}
	}
	if e.List == "" || len(e.List) > 2048 {
		return e, &corridor.Error{Kind: corridor.Invalid, Where: "credentialStatus.statusListCredential", Msg: "is missing or too long"}
	}
	var err error
	if e.Index, err = strconv.ParseUint(strings.Trim(string(s.Index), `"`), 10, 32); err != nil {
		return e, &corridor.Error{Kind: corridor.Invalid, Where: "credentialStatus.statusListIndex", Msg: "is not a number"}
	}
	return e, nil
}

// Valid says whether the credential's time has come and not passed, give or
// take what clocks may differ.
func (c *Credential) Valid(now time.Time) error {
	switch {
	case c.From.After(now.Add(skew)):
		return &corridor.Error{Kind: corridor.Forbidden, Msg: "the credential is not valid yet: from " + c.From.UTC().Format(time.RFC3339), Fix: "check the clock"}
	case !c.Until.IsZero() && !now.Before(c.Until.Add(skew)):
		return &corridor.Error{Kind: corridor.Forbidden, Msg: "the credential has expired: " + c.Until.UTC().Format(time.RFC3339), Fix: "ask its issuer for a new one"}
	}
	return nil
}

// skew is how far the clocks of issuer and verifier may differ.
const skew = 30 * time.Second

// kind gives the type of a credential that is not VerifiableCredential.
func (c *Credential) kind() string {
	for _, t := range c.Types {
		if t != credentialType {
			return t
		}
	}
	return credentialType
}
