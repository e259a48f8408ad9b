package dcp

import (
	"context"
	"strconv"
	"time"

	"corridor"
	"corridor/internal/identity"
)

// Draft is a credential to be signed.
type Draft struct {
	Profile Profile
	ID      string // urn:uuid
	Type    string
	Issuer  string         // DID
	Holder  string         // DID
	Claims  map[string]any // of credentialSubject, besides id
	From    time.Time
	Until   time.Time
	Schema  string // address of a JSON Schema for credentialSubject; or ""
	Status  *StatusEntry
}

// Mint signs a credential in its profile.
func Mint(ctx context.Context, s identity.Signer, d Draft) (string, error) {
	subject := map[string]any{"id": d.Holder}
	for k, v := range d.Claims {
		if k == "id" {
			return "", corridor.E(corridor.Invalid, "claims must not hold id: it is the holder's DID")
		}
		subject[k] = v
	}
	vc := map[string]any{"id": d.ID, "type": []string{credentialType, d.Type}, "issuer": d.Issuer, "credentialSubject": subject}
	if d.Status != nil {
		vc["credentialStatus"] = map[string]any{"id": d.Status.List + "#" + strconv.FormatUint(d.Status.Index, 10), "type": d.Status.Type, "statusPurpose": d.Status.Purpose,
			"statusListIndex": strconv.FormatUint(d.Status.Index, 10), "statusListCredential": d.Status.List}
	}
	if d.Schema != "" {
		vc["credentialSchema"] = map[string]any{"id": d.Schema, "type": schemaTypes(d.Profile)}
	}
	return envelope(ctx, s, d, vc)
}

func schemaTypes(p Profile) string {
	if p == VC11 {
		return "JsonSchemaValidator2018"
	}
	return "JsonSchema"
}

// envelope signs vc, which holds all but the context and the times.
func envelope(ctx context.Context, s identity.Signer, d Draft, vc map[string]any) (string, error) {
	from, until := d.From.UTC().Truncate(time.Second), d.Until.UTC().Truncate(time.Second)
	switch d.Profile {
	case VC20:
		vc["@context"] = []string{contextV2}
		vc["validFrom"], vc["validUntil"] = from.Format(time.RFC3339), until.Format(time.RFC3339)
		return identity.SignJWT(ctx, s, typeV2, vc)
	case VC11:
		vc["@context"] = []string{contextV1}
		vc["issuanceDate"], vc["expirationDate"] = from.Format(time.RFC3339), until.Format(time.RFC3339)
		return identity.SignJWT(ctx, s, "JWT", map[string]any{"iss": d.Issuer, "sub": d.Holder, "jti": d.ID, "nbf": from.Unix(), "iat": from.Unix(), "exp": until.Unix(), "vc": vc})
	}
	return "", corridor.E(corridor.Invalid, "%q is not a profile", clip(string(d.Profile)))
}
