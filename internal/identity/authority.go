package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"corridor"
)

// authorityFile is the key of an authority in its directory.
const authorityFile = "authority.pem"

// OpenAuthority reads the signing key of an authority in dir, and makes it in
// the given suite if there is none. Modes are as for OpenKeys.
func OpenAuthority(dir, did, suite string) (Signer, error) {
	if _, err := WebURL(did); err != nil {
		return nil, err
	}
	if err := openDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, authorityFile)
	private, err := readOrMake(path, suite)
	if err != nil {
		return nil, err
	}
	s, err := NewSigner(did, "authority", private)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// AnchorOf is the public key of a signer as a compact names it.
func AnchorOf(s Signer) (corridor.Anchor, error) {
	jwk, err := json.Marshal(s.Public().JWK)
	if err == nil {
		jwk, err = corridor.Canonicalize(jwk)
	}
	return corridor.Anchor{ID: s.KeyID(), JWK: jwk}, err
}

// SignSealed gives the document with one more signature. A key signs once: its
// earlier signature is replaced.
func SignSealed(ctx context.Context, s Signer, doc corridor.Sealed) (corridor.Sealed, error) {
	sig, err := s.Sign(ctx, doc.Body)
	if err != nil {
		return doc, fmt.Errorf("sign: %w", err)
	}
	others := slices.DeleteFunc(slices.Clone(doc.Signatures), func(have corridor.Signature) bool { return have.Key == s.KeyID() })
	doc.Signatures = append(others, corridor.Signature{Key: s.KeyID(), Suite: s.Suite(), Value: base64.RawURLEncoding.EncodeToString(sig)})
	return doc, nil
}

// SealAndSign makes a document of a body with one signature.
func SealAndSign(ctx context.Context, s Signer, body any) (corridor.Sealed, error) {
	doc, err := corridor.Seal(body)
	if err != nil {
		return doc, err
	}
	return SignSealed(ctx, s, doc)
}
