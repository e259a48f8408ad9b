package exchange

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"corridor"
)

// TestAStoredAgreementGivesTheBodyThatWasSigned whatever stands in it, and
// however often it has been through the database.
func TestAStoredAgreementGivesTheBodyThatWasSigned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`R&D <a>`, "\u2028", `,"signatures":[`, `{"body":`, "\x01", `\`})).Draw(t, "word")
		body, err := corridor.Canonical(map[string]any{"id": word, "policy": map[string]any{"body": word, "signatures": []any{}, word: []any{map[string]any{"signatures": word}}}})
		if err != nil {
			t.Skip(err)
		}
		sigs := rapid.SliceOfN(rapid.Make[corridor.Signature](), 0, 3).Draw(t, "signatures")
		signed, err := signedAgreement(body, sigs...)
		if err != nil {
			t.Fatal(err)
		}
		a := Agreement{Signed: signed}
		for range 2 {
			got, have, err := bodyOf(a.Signed)
			if err != nil || !bytes.Equal(got, body) || len(have) != len(sigs) {
				t.Fatalf("%s of %s: %v", got, a.Signed, err)
			}
			again, err := signedAgreement(got, have...)
			if err != nil || !bytes.Equal(again, signed) {
				t.Fatalf("%s where %s was stored: %v", again, signed, err)
			}
			doc, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			a = Agreement{}
			if err := json.Unmarshal(doc, &a); err != nil {
				t.Fatal(err)
			}
		}
	})
	for _, bad := range []string{``, `{}`, `{"signatures":[]}`, `{"body":{},"signatures":[]`, `{"body":{},"signatures":{}}`, `,"signatures":[]}`} {
		if _, _, err := bodyOf(json.RawMessage(bad)); err == nil {
			t.Errorf("%s was taken apart", bad)
		}
	}
}
