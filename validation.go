package corridor

import "time"

// MaxValidation bounds the canonical JSON of one signed validation.
const MaxValidation = 16 << 10

// Validation is a validation receipt: what a side's trust service states about
// one national signature of that side, for a peer that does not verify its
// suite. It is signed in a suite that the peer does verify. It says nothing of
// the text but its digest, and binds nobody to it: the signature does.
type Validation struct {
	Version   int    `json:"v"`                 // 1
	Type      string `json:"type"`              // ValidationType: no other signed text has it
	Issuer    string `json:"issuer"`            // DID of the side whose trust service this is
	Service   string `json:"service,omitempty"` // the trust service's name, for people
	For       string `json:"for"`               // DID of the side that relies on it
	Object    string `json:"object"`            // ObjectDecision or ObjectAgreement
	Agreement string `json:"agreement,omitempty"`
	Text      string `json:"text"`       // Digest of the canonical bytes that were signed
	Key       string `json:"key"`        // DID URL of the key that signed them
	KeyDigest string `json:"key_digest"` // Digest of that key's canonical JWK
	KeyState  string `json:"key_state"`  // KeyInForce
	Suite     string `json:"suite"`      // of that key
	Signature string `json:"signature"`  // Digest of the signature as it is written in Signature.Value
	Result    string `json:"result"`     // ResultValid
	Time      string `json:"time"`       // RFC 3339, UTC: when it was found valid
	Until     string `json:"until"`      // by when the peer must have taken it; it stays evidence for good
}

// What a Validation says in its fixed members. A signature that is not valid,
// or whose key is not in force, gets none.
const (
	ValidationType  = "corridor:validation"
	ObjectDecision  = "decision"
	ObjectAgreement = "agreement"
	KeyInForce      = "in_force" // its owner published it for statements at Time
	ResultValid     = "valid"
)

// MaxValidationLife bounds how far Until may lie behind Time.
const MaxValidationLife = 48 * time.Hour

// SignedValidation is a Validation with the trust service's signature over its
// canonical form.
type SignedValidation struct {
	Statement Validation `json:"statement"`
	Signature Signature  `json:"signature"`
}

// Digest names a validation: the Digest of what was signed. Receipts hold it as
// Digests["validation"].
func (v SignedValidation) Digest() (string, error) {
	raw, err := Canonical(v.Statement)
	if err != nil {
		return "", err
	}
	return Digest(raw), nil
}

// DecodeValidations reads a list of signed validations strictly. It checks
// their form and no signature.
func DecodeValidations(raw []byte, most int) ([]SignedValidation, error) {
	var list []SignedValidation
	if len(raw) > most*MaxValidation {
		return nil, E(Limited, "validations of %d bytes are over the limit of %d", len(raw), most*MaxValidation)
	}
	canon, err := Canonicalize(raw)
	if err == nil {
		err = decodeExactly(canon, &list)
	}
	if err != nil {
		return nil, E(Invalid, "validations: %w", err)
	}
	if len(list) > most {
		return nil, E(Limited, "%d validations are over the limit of %d", len(list), most)
	}
	return list, nil
}
