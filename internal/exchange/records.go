package exchange

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"corridor"
	"corridor/internal/dsp"
)

// Waiting says on whom a process waits, so that an operator never has to
// guess.
type Waiting struct {
	On    string    `json:"on"` // "operator", "peer", "node"
	Since time.Time `json:"since"`
	Why   string    `json:"why"`
	Next  string    `json:"next"` // what will or can happen
	// By is when the node does by itself what Then says, if nothing happens
	// before. Nil only in a record of an older version that no start has
	// dated yet.
	By   *time.Time `json:"by,omitempty"`
	Then string     `json:"then,omitempty"`
	// Retry is when a message that is on its way is sent again, where it has
	// failed, which is looked up for whoever asks; or when is tried again what
	// stands still.
	Retry *time.Time `json:"retry,omitempty"`
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

	// Plain says that the peer speaks the Dataspace Protocol only: both sides'
	// law is decided here (plain.go).
	Plain bool `json:"plain,omitempty"`

	Dataset string    `json:"dataset"`
	Offer   dsp.Offer `json:"offer"` // as last asked or offered, with target
	// Permission is the place, in the offer's policy, of the permission that
	// the decision was made under.
	Permission int                          `json:"permission,omitempty"`
	Purpose    string                       `json:"purpose,omitempty"`
	Facts      corridor.Facts               `json:"facts,omitempty"`    // consumer: all that it knows; provider: what the importer stated
	Shown      corridor.Facts               `json:"shown,omitempty"`    // consumer: what the provider's catalogue says
	Evidence   map[string]corridor.Evidence `json:"evidence,omitempty"` // given here: with an approval, a request or a task
	// PeerEvidence is what the importer states: it proves what the importer owes.
	PeerEvidence map[string]corridor.Evidence `json:"peer_evidence,omitempty"`

	Own       *SidedDecision      `json:"own,omitempty"`
	Theirs    *SidedDecision      `json:"theirs,omitempty"`
	Log       *corridor.LogRef    `json:"log,omitempty"` // the log that the peer says is its own
	Approvals []corridor.Approval `json:"approvals,omitempty"`
	Agreement string              `json:"agreement,omitempty"`
	Code      string              `json:"code,omitempty"`
	Reason    []string            `json:"reason,omitempty"`
	Order     string              `json:"order,omitempty"` // digest of the authority's order that ended it before it had begun
	Cites     []corridor.Citation `json:"cites,omitempty"`
	Missing   []corridor.Question `json:"missing,omitempty"`

	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
	Prev       string    `json:"prev,omitempty"`       // leaf of our previous receipt on this matter
	Countering bool      `json:"countering,omitempty"` // consumer: other terms are to be asked for
	Parked     string    `json:"parked,omitempty"`     // why a person must act before the node goes on

	version             int64
	outbox              int64          // message that Pending and PendingName speak of
	sendBy              time.Time      // how long that is repeated, in the step that enqueues it
	keptOwn, keptTheirs *SidedDecision // as they are in the database
	requests            []openRequest  // for approvals, not answered yet; one of a side
	// takenFor names what each signed approval was taken for, by its digest:
	// with another offer, purpose or other facts it counts no longer.
	takenFor map[string]string
	// givenOn names the facts of the dataset that an approval was given on, for
	// the provider, who publishes them: see given.
	givenOn   map[string]string
	published string // the facts as they stand, once this step has looked; never kept
}

// SidedDecision is one side's signed decision, with what a list shows of it.
type SidedDecision struct {
	Signed  corridor.SignedDecision `json:"signed,omitzero"`
	Outcome corridor.Outcome        `json:"outcome"`
	Side    corridor.Side           `json:"side"`
	Country string                  `json:"country"`
	// InsteadOf is the plain peer whose side this is: we decided it in its place.
	InsteadOf string `json:"instead_of,omitempty"`

	// Validation vouches for its signature, where the other side does not verify
	// the suite.
	Validation *corridor.SignedValidation `json:"validation,omitempty"`

	Salt []byte         `json:"salt,omitempty"` // opens the commitment of the facts; ours alone
	Flow *corridor.Flow `json:"flow,omitempty"` // what was decided; ours alone

	statement *corridor.DecisionStatement // what Signed says; nil after reading
}

// decode gives what was signed.
func (d *SidedDecision) decode() (corridor.DecisionStatement, error) {
	if d.statement != nil {
		return *d.statement, nil
	}
	return d.Signed.Decode()
}

// appendJSON writes a decision as encoding/json would, except that it does not
// read the statement through once more: that is canonical JSON already.
func (d *SidedDecision) appendJSON(to []byte) ([]byte, error) {
	rest := *d
	if len(d.Signed.Statement) > 0 {
		signature, err := marshal(d.Signed.Signature)
		if err != nil {
			return nil, err
		}
		to = slices.Concat(to, []byte(`{"signed":{"statement":`), d.Signed.Statement, []byte(`,"signature":`), signature, []byte(`},`))
		rest.Signed = corridor.SignedDecision{}
	}
	raw, err := marshal(rest)
	if err != nil {
		return nil, err
	}
	if len(d.Signed.Statement) > 0 {
		raw = raw[1:] // there is always an outcome
	}
	return append(to, raw...), nil
}

// JSON writes a negotiation for whoever asks, with its decisions at the end.
func (n Negotiation) JSON() ([]byte, error) {
	own, theirs := n.Own, n.Theirs
	n.Own, n.Theirs = nil, nil
	out, err := marshal(n)
	for _, side := range []struct {
		name string
		d    *SidedDecision
	}{{"own", own}, {"theirs", theirs}} {
		if err != nil {
			return nil, err
		}
		if side.d == nil {
			continue
		}
		out = append(out[:len(out)-1], `,"`+side.name+`":`...)
		if out, err = side.d.appendJSON(out); err == nil {
			out = append(out, '}')
		}
	}
	return out, err
}

// marshal writes JSON in which texts stay readable.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, corridor.E(corridor.Internal, "writing JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
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
	ID          string          `json:"id"`
	Negotiation string          `json:"negotiation"`
	Peer        string          `json:"peer"`
	Callback    string          `json:"callback"`
	Role        dsp.Role        `json:"role"`
	Dataset     string          `json:"dataset"`
	State       string          `json:"state"`
	Digest      string          `json:"digest"`
	Signed      json.RawMessage `json:"signed,omitempty"` // canonical corridor.SignedAgreement
	// Validations of signatures in it, by the trust service of either side, where
	// the other does not verify the suite.
	Validations []corridor.SignedValidation `json:"validations,omitempty"`
	Subjects    map[string]int64            `json:"subjects,omitempty"`   // people in the dataset, by kind: see counted
	DecidedBy   string                      `json:"decided_by,omitempty"` // who decided both sides and signed alone; empty: each its own
	Created     time.Time                   `json:"created"`

	// Why it is suspended.
	Code   string              `json:"code,omitempty"`
	Reason []string            `json:"reason,omitempty"`
	Cites  []corridor.Citation `json:"cites,omitempty"`

	version  int64
	key      []byte              // of the pseudonyms; provider only
	textKept bool                // the body of Signed is in the database
	evidence []corridor.Evidence // that the body names, if made is true
	made     bool                // here, since the start: evidence is known
	under    string              // digest of the compact that the body names, if made here since the start
	admitted map[string]document // the parties' admissions that its receipt quotes, by the name of the digest
	stop     *behind             // the order for which it is suspended
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
	// Of data that goes on: the increments that have begun; and of a transfer
	// that is one of them, whose it is and which one.
	Increments int64  `json:"increments,omitempty"`
	PartOf     string `json:"part_of,omitempty"`
	Number     int64  `json:"number,omitempty"`

	Format string `json:"format"`
	Plain  bool   `json:"plain,omitempty"` // the peer speaks the Dataspace Protocol only

	File   string `json:"file,omitempty"` // consumer: where it arrived
	Bytes  int64  `json:"bytes,omitempty"`
	Rows   int64  `json:"rows,omitempty"`
	SHA256 string `json:"sha256,omitempty"`

	DeleteBy string               `json:"delete_by,omitempty"` // consumer: end of the term of its copy, RFC 3339
	Deleted  *corridor.ReceiptRef `json:"deleted,omitempty"`   // consumer: the copy is gone

	ConfirmBy   string               `json:"confirm_by,omitempty"`  // provider: by when the consumer has to confirm what was released, RFC 3339
	Unconfirmed *corridor.ReceiptRef `json:"unconfirmed,omitempty"` // provider: it did not

	Released     *corridor.ReceiptRef `json:"released,omitempty"`
	Received     *corridor.ReceiptRef `json:"received,omitempty"`
	Acknowledged *corridor.ReceiptRef `json:"acknowledged,omitempty"`
	StoppedBy    dsp.Role             `json:"stopped_by,omitempty"` // who suspended it
	Parked       string               `json:"parked,omitempty"`
	Stalled      *Stall               `json:"stalled,omitempty"` // the node itself waits until its data may move

	Code   string   `json:"code,omitempty"`
	Reason []string `json:"reason,omitempty"`
	Order  string   `json:"order,omitempty"` // digest of the authority's order that ended it before it had begun

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Prev    string    `json:"prev,omitempty"`

	version int64
	outbox  int64            // message that Pending and PendingName speak of
	sendBy  time.Time        // how long that is repeated, in the step that enqueues it
	address *dsp.DataAddress // consumer: where to fetch; provider: where to push
	dest    string           // consumer: where the file goes
	wanted  bool             // consumer: a person has asked for the data, where a person does
	flowed  bool             // provider: bytes may have left, where uses are counted
}
