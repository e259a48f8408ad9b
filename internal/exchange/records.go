package exchange

import (
	"encoding/json"
	"time"

	"corridor"
	"corridor/internal/dsp"
)

// Waiting says on whom a process waits, so that an operator never has to
// guess.
type Waiting struct {
	On    string    `json:"on"` // "operator", "peer", "nobody"
	Since time.Time `json:"since"`
	Why   string    `json:"why"`
	Next  string    `json:"next"` // what will or can happen
}

// Negotiation is this side's record of one negotiation.
type Negotiation struct {
	PID      string    `json:"pid"`
	PeerPID  string    `json:"peer_pid,omitempty"`
	Role     dsp.Role  `json:"role"` // ours
	Peer     string    `json:"peer"` // DID
	Callback string    `json:"callback,omitempty"`
	State    dsp.State `json:"state"`
	// Pending is the state that our message in the outbox leads to: both
	// sides move when the message is acknowledged.
	Pending     dsp.State `json:"pending,omitempty"`
	PendingName string    `json:"pending_name,omitempty"` // of that message
	Waiting     *Waiting  `json:"waiting,omitempty"`

	Dataset  string                       `json:"dataset"`
	Offer    dsp.Offer                    `json:"offer"` // as last asked or offered, with target
	Purpose  string                       `json:"purpose,omitempty"`
	Facts    corridor.Facts               `json:"facts,omitempty"`    // consumer: all that it knows; provider: what the importer stated
	Shown    corridor.Facts               `json:"shown,omitempty"`    // consumer: what the provider's catalogue says
	Evidence map[string]corridor.Evidence `json:"evidence,omitempty"` // given with an approval, or by the importer's operator

	Own       *SidedDecision      `json:"own,omitempty"`
	Theirs    *SidedDecision      `json:"theirs,omitempty"`
	Log       *corridor.LogRef    `json:"log,omitempty"` // the log that the peer says is its own
	Approvals []corridor.Approval `json:"approvals,omitempty"`
	Agreement string              `json:"agreement,omitempty"`
	Code      string              `json:"code,omitempty"`
	Reason    []string            `json:"reason,omitempty"`
	Cites     []corridor.Citation `json:"cites,omitempty"`
	Missing   []corridor.Question `json:"missing,omitempty"`

	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
	Prev       string    `json:"prev,omitempty"`       // leaf of our previous receipt on this matter
	Countering bool      `json:"countering,omitempty"` // consumer: other terms are to be asked for
	Parked     string    `json:"parked,omitempty"`     // why a person must act before the node goes on

	version int64
}

// SidedDecision is one side's signed decision, with what a list shows of it.
type SidedDecision struct {
	Signed  corridor.SignedDecision `json:"signed,omitzero"`
	Outcome corridor.Outcome        `json:"outcome"`
	Side    corridor.Side           `json:"side"`
	Country string                  `json:"country"`
	Salt    []byte                  `json:"salt,omitempty"` // opens the commitment of the facts; ours alone
	Flow    *corridor.Flow          `json:"flow,omitempty"` // what was decided; ours alone
}

// The states of an agreement.
const (
	AgreementOpen       = "open"       // signed by one side or both, not finalised
	AgreementInForce    = "in_force"   // finalised
	AgreementSuspended  = "suspended"  // our own law has come to forbid it; see Reason
	AgreementTerminated = "terminated" // the negotiation ended without it
)

// Agreement is this side's record of an agreement.
type Agreement struct {
	ID          string           `json:"id"`
	Negotiation string           `json:"negotiation"`
	Peer        string           `json:"peer"`
	Callback    string           `json:"callback"`
	Role        dsp.Role         `json:"role"`
	Dataset     string           `json:"dataset"`
	State       string           `json:"state"`
	Digest      string           `json:"digest"`
	Signed      json.RawMessage  `json:"signed,omitempty"`   // canonical corridor.SignedAgreement
	Subjects    map[string]int64 `json:"subjects,omitempty"` // people in the dataset, by kind: see counted
	Created     time.Time        `json:"created"`

	// Why it is suspended.
	Code   string              `json:"code,omitempty"`
	Reason []string            `json:"reason,omitempty"`
	Cites  []corridor.Citation `json:"cites,omitempty"`

	version int64
	key     []byte // of the pseudonyms; provider only
}

// Transfer is this side's record of one transfer.
type Transfer struct {
	PID         string    `json:"pid"`
	PeerPID     string    `json:"peer_pid,omitempty"`
	Role        dsp.Role  `json:"role"`
	Peer        string    `json:"peer"`
	Callback    string    `json:"callback,omitempty"`
	Agreement   string    `json:"agreement"`
	Negotiation string    `json:"negotiation"`
	Dataset     string    `json:"dataset"`
	State       dsp.State `json:"state"`
	Pending     dsp.State `json:"pending,omitempty"`
	PendingName string    `json:"pending_name,omitempty"`
	Waiting     *Waiting  `json:"waiting,omitempty"`
	Format      string    `json:"format"`

	File   string `json:"file,omitempty"` // consumer: where it arrived
	Bytes  int64  `json:"bytes,omitempty"`
	Rows   int64  `json:"rows,omitempty"`
	SHA256 string `json:"sha256,omitempty"`

	Released     *corridor.ReceiptRef `json:"released,omitempty"`
	Received     *corridor.ReceiptRef `json:"received,omitempty"`
	Acknowledged *corridor.ReceiptRef `json:"acknowledged,omitempty"`
	StoppedBy    dsp.Role             `json:"stopped_by,omitempty"` // who suspended it
	Parked       string               `json:"parked,omitempty"`

	Code   string   `json:"code,omitempty"`
	Reason []string `json:"reason,omitempty"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Prev    string    `json:"prev,omitempty"`

	version int64
	address *dsp.DataAddress // consumer: where to fetch
	dest    string           // consumer: where the file goes
}
