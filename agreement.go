package corridor

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// MaxAgreement bounds the canonical JSON of one signed agreement.
const MaxAgreement = 1 << 20

// Names of receipt digests (Receipt.Digests) that a bundle is checked against.
const (
	DigestAgreement   = "agreement"    // the agreement body: Agreement.Digest
	DigestPolicy      = "policy"       // the witness policy text in force
	DigestLogKey      = "log_vkey"     // the vkey text of the issuer's log
	DigestDIDDocument = "did_document" // the canonical form of the issuer's DID document
	DigestContent     = "content"      // the bytes that a transfer carried
	DigestReleased    = "released"     // leaf hash of the receipt of a release that was not confirmed
	DigestUnconfirmed = "unconfirmed"  // leaf hash of the receipt that said that this arrival was not confirmed in time
	DigestApproval    = "approval"     // the body of a signed approval
	DigestValidation  = "validation"   // a validation of a national signature: SignedValidation.Digest
	DigestCompact     = "compact"      // the body of the compact that this rests on, or that names the authority of the order
	DigestOrder       = "order"        // the body of the order of an authority that stops, or lets go on

	DigestProviderAdmission = "provider_admission" // the body of the admission of the agreement's provider by its authority
	DigestWitnessed         = "witnessed"          // of a release: the text of the proof that the start was cosigned by enough witnesses
	DigestConsumerAdmission = "consumer_admission" // of its consumer
)

// LogRef names a participant's log: its C2SP origin and the key that signs
// its checkpoints, in the "name+hash+key" form of a note verifier key.
type LogRef struct {
	Origin string `json:"origin"`
	VKey   string `json:"vkey"`
}

// DecisionStatement is what one side signs about its own law: the decision
// and the flow that it was made for, so that it cannot be shown for another.
type DecisionStatement struct {
	Version  int      `json:"v"` // 1
	Issuer   string   `json:"issuer"`
	Provider string   `json:"provider"` // DIDs of the two ends of the flow
	Consumer string   `json:"consumer"`
	Dataset  string   `json:"dataset"`
	Time     string   `json:"time"`            // RFC 3339, UTC
	Facts    string   `json:"facts,omitempty"` // salted commitment of the flow, see Commit
	Decision Decision `json:"decision"`
	// InsteadOf is the participant whose side this is, where the issuer decided
	// it in that one's place: it speaks the Dataspace Protocol only.
	InsteadOf string `json:"instead_of,omitempty"`
}

// SignedDecision is a DecisionStatement with its issuer's signature over the
// canonical form of Statement. Statement stays as it was received, so that a
// newer member never breaks the signature.
type SignedDecision struct {
	Statement json.RawMessage `json:"statement"`
	Signature Signature       `json:"signature"`
}

// Encode gives the canonical form of a statement about a brief decision
// (Decision.Brief), which is what its issuer signs. Afterwards d is what Decode
// reads: the citations have their titles.
func (d *DecisionStatement) Encode() ([]byte, error) {
	raw, err := Canonical(*d)
	if err == nil {
		d.Decision.entitle()
	}
	return raw, err
}

// Decode reads the statement; it does not check the signature.
func (s SignedDecision) Decode() (DecisionStatement, error) {
	_, d, err := s.Open()
	return d, err
}

// Open reads the statement and gives the decision with the statement in the
// canonical form that its signature is over; it does not check the signature.
func (s SignedDecision) Open() (SignedDecision, DecisionStatement, error) {
	var d DecisionStatement
	var err error
	if s.Statement, err = Canonicalize(s.Statement); err != nil {
		return s, d, err
	}
	if err := json.Unmarshal(s.Statement, &d); err != nil {
		return s, d, E(Invalid, "signed decision: %w", err)
	}
	if d.Version != 1 {
		return s, d, E(Invalid, "signed decision: version %d is not known, want 1", d.Version)
	}
	d.Decision.entitle()
	return s, d, nil
}

// Agreement is what two participants bind themselves to: the body that both
// sign, each in its own suite, over its canonical form. Signatures are kept
// beside it (SignedAgreement). Its id is the DSP agreement id.
type Agreement struct {
	Version     int               `json:"v"` // 1
	ID          string            `json:"id"`
	Provider    Participant       `json:"provider"`
	Consumer    Participant       `json:"consumer"`
	Dataset     string            `json:"dataset"`
	Facts       string            `json:"facts,omitempty"`      // salted commitment of the flow that was decided
	Policy      json.RawMessage   `json:"policy,omitempty"`     // ODRL, as agreed
	Decisions   []SignedDecision  `json:"decisions"`            // one of each side
	Purpose     string            `json:"purpose,omitempty"`    // the use that both decisions were made for
	Approvals   []Approval        `json:"approvals,omitempty"`  // persons' acts, where a decision needed one
	Obligations []string          `json:"obligations"`          // ids, the union of both sides
	Evidence    []Evidence        `json:"evidence,omitempty"`   // for duties owed before the transfer
	Transforms  json.RawMessage   `json:"transforms,omitempty"` // the plan that the data plane carries out
	Witnesses   string            `json:"witnesses,omitempty"`  // Digest of the witness policy text
	Logs        map[string]LogRef `json:"logs"`                 // by DID of the participant
	ValidFrom   string            `json:"valid_from,omitempty"` // RFC 3339, UTC
	ValidUntil  string            `json:"valid_until,omitempty"`
	Compact     *CompactRef       `json:"compact,omitempty"` // absent: the law alone decided
	// DecidedBy is the participant that decided both sides' law and signed
	// alone, because the other one speaks the Dataspace Protocol only. Empty:
	// each side decided and signed.
	DecidedBy string `json:"decided_by,omitempty"`
}

// Approval is the act of a person (or of an authority, through one) without
// which a decision that needs approval may not go ahead.
type Approval struct {
	Side      Side        `json:"side"` // whose decision it lifts
	By        string      `json:"by"`
	Reference string      `json:"reference"` // file number of the permit, certificate or resolution
	Note      string      `json:"note,omitempty"`
	Time      string      `json:"time"` // RFC 3339, UTC
	Receipt   *ReceiptRef `json:"receipt,omitempty"`
	// Signed is the document that gives it; absent: the participant's word.
	Signed *QuotedAnswer `json:"signed,omitempty"`
}

// Evidence shows that an obligation owed before the transfer was discharged.
type Evidence struct {
	Obligation string `json:"obligation"`
	Ref        string `json:"ref"`              // where the document is kept
	SHA256     string `json:"sha256,omitempty"` // Digest of the document
	By         string `json:"by"`
	On         Date   `json:"on"`
}

// Digest is the name of the agreement's content: the Digest of its canonical
// form. Receipts hold it as Digests["agreement"].
func (a Agreement) Digest() (string, error) {
	raw, err := Canonical(a)
	if err != nil {
		return "", err
	}
	return Digest(raw), nil
}

// SignedAgreement is an agreement with the signatures of its participants.
type SignedAgreement struct {
	Body       Agreement   `json:"body"`
	Signatures []Signature `json:"signatures"`
}

// DecodeAgreement reads a signed agreement strictly: unknown or repeated
// members are refused, because what is not understood cannot be agreed to.
func DecodeAgreement(raw []byte) (SignedAgreement, error) {
	var a SignedAgreement
	if len(raw) > MaxAgreement {
		return a, E(Invalid, "an agreement of %d bytes is over the limit of %d", len(raw), MaxAgreement)
	}
	canon, err := Canonicalize(raw)
	if err != nil {
		return a, E(Invalid, "agreement: %w", err)
	}
	if err := decodeExactly(canon, &a); err != nil {
		return a, E(Invalid, "agreement: %w", err)
	}
	if a.Body.Version != 1 {
		return a, E(Invalid, "agreement: version %d is not known, want 1", a.Body.Version)
	}
	return a, nil
}

// decodeExactly reads canonical JSON into v, which must hold all of it: what is
// not known is refused, and so is a member in another letter case, or null
// where nothing belongs.
func decodeExactly(canon []byte, v any) error {
	if err := json.Unmarshal(canon, v); err != nil {
		return err
	}
	again, err := Canonical(v)
	if err != nil || bytes.Equal(canon, again) {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(canon)) // for its words
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	return fmt.Errorf("reads back differently: %s", firstDifference(canon, again))
}

// CompactRef names the compact that a flow rests on, and its article.
type CompactRef struct {
	ID      string   `json:"id"`
	Version int64    `json:"version"`
	Digest  string   `json:"digest"` // of the compact's body
	Article string   `json:"article"`
	Flags   []string `json:"flags,omitempty"` // deviations that the compact lets pass, for the record
}
