package dcp

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	josejson "github.com/go-jose/go-jose/v4/json"

	"corridor"
	"corridor/internal/identity"
)

// envelopedPrefix begins the address of a credential inside a presentation of
// data model 2.0 (VC Data Model 2.0, section 4.13).
const envelopedPrefix = "data:application/vc+jwt,"

const (
	envelopedType    = "EnvelopedVerifiableCredential"
	presentationLife = 5 * time.Minute
	maxPresentation  = MaxMessage
)

// Presentation is what a holder shows: credentials under its own signature.
type Presentation struct {
	Profile     Profile
	Holder      string   // DID
	Audience    []string // DIDs
	Expires     time.Time
	NotBefore   time.Time
	Credentials []string // JWTs

	jwt *identity.JWT
}

// ParsePresentation reads a presentation of either profile. Nothing in it is
// proven yet. Errors are of kind Invalid or Limited.
func ParsePresentation(raw string) (*Presentation, error) {
	j, err := identity.ParseJWT(raw, maxPresentation)
	if err != nil {
		return nil, err
	}
	var e struct {
		claims
		VP josejson.RawMessage `json:"vp"`
	}
	if err := strict(j.Payload, &e); err != nil {
		return nil, err
	}
	p := &Presentation{Profile: VC11, Audience: e.Audience, Expires: e.Expiry.time(), NotBefore: e.NotBefore.time(), jwt: j}
	inner := []byte(e.VP)
	if e.VP == nil {
		p.Profile, inner = VC20, j.Payload
		if t := j.Type; t != "" && t != typePresentation && t != "jwt" {
			return nil, corridor.E(corridor.Invalid, "a presentation of type %q", clip(t))
		}
	}
	var b struct {
		Context     contexts            `json:"@context"`
		Type        texts               `json:"type"`
		Holder      named               `json:"holder"`
		Credentials josejson.RawMessage `json:"verifiableCredential"`
	}
	if err := strict(inner, &b); err != nil {
		return nil, err
	}
	if !contains(b.Type, presentationType) {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "type", Msg: "not a VerifiablePresentation"}
	}
	if p.Profile == VC20 && (len(b.Context) == 0 || b.Context[0] != contextV2) {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "@context", Msg: "does not begin with " + contextV2}
	}
	if err := p.bind(string(b.Holder), e.claims); err != nil {
		return nil, err
	}
	p.Credentials, err = p.credentials(b.Credentials)
	return p, err
}

// bind finds the holder: whoever is named must be the same everywhere.
func (p *Presentation) bind(holder string, e claims) error {
	for _, named := range []string{e.Issuer, e.Subject, holder} {
		switch {
		case named == "":
		case p.Holder == "":
			p.Holder = named
		case p.Holder != named:
			return corridor.E(corridor.Invalid, "the presentation names two holders, %q and %q", clip(p.Holder), clip(named))
		}
	}
	if p.Holder == "" {
		return &corridor.Error{Kind: corridor.Invalid, Where: "iss", Msg: "the presentation names no holder"}
	}
	return nil
}

// credentials takes the JWTs out.
func (p *Presentation) credentials(raw []byte) ([]string, error) {
	list, err := oneOrMany(raw)
	if err != nil {
		return nil, err
	}
	if len(list) > maxCredentials {
		return nil, corridor.E(corridor.Limited, "the presentation holds more than %d credentials", maxCredentials)
	}
	out := make([]string, 0, len(list))
	for _, item := range list {
		jwt, err := p.credential(item)
		if err != nil {
			return nil, err
		}
		out = append(out, jwt)
	}
	return out, nil
}

func (p *Presentation) credential(item []byte) (string, error) {
	if p.Profile == VC11 {
		var jwt string
		if err := strict(item, &jwt); err != nil {
			return "", corridor.E(corridor.Invalid, "a credential in the presentation is not a JWT: the profile %s knows no other", VC11)
		}
		return jwt, nil
	}
	var o struct {
		ID   string `json:"id"`
		Type texts  `json:"type"`
	}
	if err := strict(item, &o); err != nil {
		return "", err
	}
	jwt, ok := strings.CutPrefix(o.ID, envelopedPrefix)
	if !ok || !contains(o.Type, envelopedType) {
		return "", &corridor.Error{Kind: corridor.Invalid, Where: "verifiableCredential", Msg: "not an enveloped credential with JOSE", Why: "profile " + string(VC20)}
	}
	return jwt, nil
}

// Present signs a presentation of credentials of one profile for one verifier.
func Present(ctx context.Context, s identity.Signer, profile Profile, holder, audience string, credentials []string, now time.Time) (string, error) {
	c := map[string]any{"iss": holder, "aud": audience, "jti": "urn:uuid:" + uuid(), "iat": now.Unix(), "exp": now.Add(presentationLife).Unix()}
	switch profile {
	case VC11:
		c["sub"], c["nbf"] = holder, now.Unix()
		c["vp"] = map[string]any{"@context": []string{contextV1}, "type": []string{presentationType}, "holder": holder, "verifiableCredential": credentials}
		return identity.SignJWT(ctx, s, "JWT", c)
	case VC20:
		list := make([]map[string]any, len(credentials))
		for i, jwt := range credentials {
			list[i] = map[string]any{"@context": contextV2, "id": envelopedPrefix + jwt, "type": envelopedType}
		}
		c["@context"], c["type"], c["holder"], c["verifiableCredential"] = []string{contextV2}, presentationType, holder, list
		return identity.SignJWT(ctx, s, typePresentation, c)
	}
	return "", corridor.E(corridor.Invalid, "%q is not a profile", clip(string(profile)))
}

// uuid makes a random UUID (RFC 9562, version 4).
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	const hex = "0123456789abcdef"
	out := make([]byte, 0, 36)
	for i, v := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, hex[v>>4], hex[v&15])
	}
	return string(out)
}
