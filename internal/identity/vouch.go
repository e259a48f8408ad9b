package identity

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"

	"corridor"
	"corridor/verify"
)

// vouchedFor shows a program what it is to vouch for: the signature itself, so
// that whoever runs the trust service can verify it with means of its own.
type vouchedFor struct {
	Text      string     `json:"text"`      // base64url: what was signed, canonical
	Signature string     `json:"signature"` // as it is written beside the text
	Key       verify.JWK `json:"jwk"`       // of the signature
}

// Vouch lets the key of a trust service sign the validation of a signature that
// the caller has verified. A program that holds the key is shown the signature
// and may refuse.
func Vouch(ctx context.Context, s Signer, n verify.National, st corridor.Validation) (corridor.SignedValidation, error) {
	v := corridor.SignedValidation{Statement: st}
	raw, err := corridor.Canonical(st)
	if err != nil {
		return v, err
	}
	s = Present(s)
	sign := s.Sign
	if program, ok := s.(*execSigner); ok {
		sign = func(ctx context.Context, msg []byte) ([]byte, error) {
			about := &vouchedFor{Text: base64.RawURLEncoding.EncodeToString(n.Text), Signature: n.Signature.Value, Key: n.Key.JWK}
			return program.signed(ctx, msg, signerRequest{Do: "validate", About: about})
		}
	}
	sig, err := sign(ctx, raw)
	if err != nil {
		return v, err
	}
	v.Signature = corridor.Signature{Key: s.KeyID(), Suite: s.Suite(), Value: base64.RawURLEncoding.EncodeToString(sig)}
	return v, nil
}

// valid says why a program may not sign a validation, or nil: the message must
// be one, say of the signature that is shown what is so, and the signature must
// be good. That the key is its owner's it cannot see from here.
func (a *vouchedFor) valid(message []byte) error {
	bad := func(format string, args ...any) error { return corridor.E(corridor.Invalid, format, args...) }
	if a == nil {
		return bad("it is not shown what is to be validated")
	}
	var st corridor.Validation
	if err := strictly(message, &st); err != nil {
		return bad("the message is no validation: %w", err)
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(a.Text)
	if err != nil {
		return bad("the text is not base64url: %w", err)
	}
	at, until, err := verify.ValidationTime(st)
	if err != nil {
		return err
	}
	jwk, err := json.Marshal(a.Key)
	if err != nil {
		return bad("the key: %w", err)
	}
	n := verify.National{Object: st.Object, Agreement: st.Agreement, Signer: st.Issuer, For: st.For, Text: text,
		Signature: corridor.Signature{Key: st.Key, Suite: st.Suite, Value: a.Signature}}
	if n.Key, err = verify.ParseJWK(st.Key, jwk); err != nil {
		return err
	}
	want, err := n.Statement(st.Service, at, until)
	if err != nil {
		return err
	}
	raw, err := corridor.Canonical(want)
	if err != nil {
		return err
	}
	if !bytes.Equal(raw, message) {
		return bad("the message says something else of the signature than what is shown")
	}
	return n.Key.VerifySignature(text, n.Signature)
}
