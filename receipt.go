package corridor

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// The kinds of receipt. A receipt is one leaf of a log.
const (
	ReceiptDatasetPublished     = "dataset.published"
	ReceiptDatasetWithdrawn     = "dataset.withdrawn"
	ReceiptDecision             = "decision"
	ReceiptRefusal              = "refusal"
	ReceiptNegotiation          = "negotiation"        // a state change without a more telling kind
	ReceiptApprovalRequested    = "approval.requested" // an authority, or an officer, is asked to sign
	ReceiptApproval             = "approval"
	ReceiptAgreement            = "agreement"
	ReceiptValidation           = "validation"          // of a national signature: stated for the peer, or taken from it
	ReceiptAgreementSuspended   = "agreement.suspended" // the law no longer permits it
	ReceiptAgreementResumed     = "agreement.resumed"   // the law permits it again
	ReceiptTransferRequested    = "transfer.requested"
	ReceiptTransferStarted      = "transfer.started"
	ReceiptTransferReleased     = "transfer.released"
	ReceiptTransferReceived     = "transfer.received"
	ReceiptTransferAcknowledged = "transfer.acknowledged"
	ReceiptTransferCompleted    = "transfer.completed" // by an operator's word: no bytes are vouched for
	ReceiptTransferSuspended    = "transfer.suspended"
	ReceiptTransferTerminated   = "transfer.terminated"
	ReceiptTransferUnconfirmed  = "transfer.unconfirmed" // released, and by Due the consumer has not confirmed the arrival
	ReceiptTransferDeleted      = "transfer.deleted"     // the copy is gone at the end of its term
	ReceiptTaskDone             = "task.done"            // a duty was met, with evidence
	ReceiptTaskNotApplicable    = "task.not_applicable"  // a person says why it does not apply
	ReceiptTaskEvent            = "task.event"           // something from which a deadline runs
	ReceiptTaskOverdue          = "task.overdue"         // its last day has passed
	ReceiptTaskEnded            = "task.ended"           // a term of keeping or waiting is over
	ReceiptPacksInUse           = "packs.in_use"
	ReceiptKeysChanged          = "keys.changed" // of the issuer: made, in use, retired or let go
	ReceiptCompactAdopted       = "compact.adopted"
	ReceiptCompactWithdrawn     = "compact.withdrawn"
	ReceiptCorridorSuspended    = "corridor.suspended" // by an order, or by what this node found out
	ReceiptCorridorResumed      = "corridor.resumed"   // by an order, or because the cause is gone
	ReceiptAdmin                = "admin"
)

// MaxReceipt bounds one leaf: a C2SP entry bundle stores a leaf's length in
// two bytes.
const MaxReceipt = 65_535

// Receipt is a statement that something happened, in the words of one
// participant. It holds no personal data and no payload: what must stay
// secret enters as a salted commitment.
type Receipt struct {
	Version     int               `json:"v"` // 1
	Type        string            `json:"type"`
	Time        string            `json:"time"` // RFC 3339, UTC
	Issuer      string            `json:"issuer"`
	Peer        string            `json:"peer,omitempty"`
	Dataset     string            `json:"dataset,omitempty"`
	Negotiation string            `json:"negotiation,omitempty"` // issuer's own pid
	Agreement   string            `json:"agreement,omitempty"`
	Transfer    string            `json:"transfer,omitempty"` // issuer's own pid
	Increment   *Increment        `json:"increment,omitempty"`
	State       string            `json:"state,omitempty"` // state after the event
	Reason      string            `json:"reason,omitempty"`
	Due         string            `json:"due,omitempty"` // deadline that was not kept: RFC 3339, UTC
	Decision    *DecisionDigest   `json:"decision,omitempty"`
	Digests     map[string]string `json:"digests,omitempty"`     // public digests: "sha256:<hex>"
	Commitments map[string]string `json:"commitments,omitempty"` // salted: see Commit
	Prev        string            `json:"prev,omitempty"`        // leaf hash of the issuer's previous receipt on this matter
	PeerRefs    []ReceiptRef      `json:"peer_refs,omitempty"`   // the peer's receipts that this one answers
	// PeerCheckpoint is the newest checkpoint of the peer's log that the issuer
	// has seen, signed by that log: who reads both logs can compare.
	PeerCheckpoint string `json:"peer_checkpoint,omitempty"`
}

// Increment is one part of data that goes on. A transfer of it has a process of
// its own for each, named as the transfer with "~" and the number behind it.
type Increment struct {
	Number int64 `json:"number"` // from 1, without a gap
	Bytes  int64 `json:"bytes,omitempty"`
	Rows   int64 `json:"rows,omitempty"`
}

// ReceiptRef points at a leaf of somebody's log.
type ReceiptRef struct {
	Origin string `json:"origin"` // log origin
	Index  int64  `json:"index"`
	Leaf   string `json:"leaf"` // "sha256:<hex>" of the RFC 6962 leaf hash
}

// DecisionDigest is the part of a decision that a log may hold.
type DecisionDigest struct {
	Jurisdiction string       `json:"jurisdiction"`
	Side         Side         `json:"side"`
	Outcome      Outcome      `json:"outcome"`
	Cites        []string     `json:"cites"` // "instrument article"
	Obligations  []string     `json:"obligations"`
	Pack         PackRef      `json:"pack"`
	Facts        string       `json:"facts"` // salted commitment of the facts
	Source       SourceStatus `json:"source"`
}

// Signature is a detached signature over canonical JSON bytes.
type Signature struct {
	Key   string `json:"key"`   // DID URL of the key
	Suite string `json:"suite"` // Ed25519, P-256, SM2, ...
	Value string `json:"value"` // base64url without padding
}

// Leaf is what a log holds: the receipt and its issuer's signature.
type Leaf struct {
	Receipt   Receipt   `json:"receipt"`
	Signature Signature `json:"signature"`
}

// LeafHash is the RFC 6962 leaf hash: SHA-256 of 0x00 and the entry.
func LeafHash(entry []byte) string {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(entry)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// Digest is the "sha256:<hex>" form that receipts and packs use.
func Digest(b []byte) string {
	h := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(h[:])
}

// Commit binds a value without showing it: SHA-256 over a domain label, the
// salt and the value. Whoever holds salt and value can open it; deleting the
// salt forgets the value.
func Commit(salt, value []byte) string {
	h := sha256.New()
	h.Write([]byte("corridor/commit/v1\x00"))
	h.Write([]byte{byte(len(salt))})
	h.Write(salt)
	h.Write(value)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// DecodeReceipt reads a leaf strictly: unknown members, repeated keys,
// trailing bytes and bytes that are not canonical are refused.
func DecodeReceipt(entry []byte) (Leaf, error) {
	var leaf Leaf
	if len(entry) > MaxReceipt {
		return leaf, E(Invalid, "a receipt of %d bytes is over the limit of %d", len(entry), MaxReceipt)
	}
	if err := CheckCanonical(entry); err != nil {
		return leaf, fmt.Errorf("receipt: %w", err)
	}
	if err := decodeExactly(entry, &leaf); err != nil {
		return leaf, E(Invalid, "receipt: %w", err)
	}
	return leaf, nil
}
