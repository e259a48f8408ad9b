package corridor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A decision that needs an approval is lifted by a document. The participant
// asks with a request, and whoever the law names answers it: the authority of
// the country whose law it is, or the firm's own officer where the law leaves
// it to the firm. Both are Sealed documents, as orders are.

// The types of these documents.
const (
	TypeApprovalRequest = "corridor-approval-request/v1"
	TypeApproval        = "corridor-approval/v1"
)

// Who approves.
const (
	ByAuthority = "authority"
	ByFirm      = "firm"
)

// What an answer says.
const (
	AnswerApprove = "approve"
	AnswerRefuse  = "refuse"
)

// maxConditions bounds the conditions of one approval, maxDemands the
// provisions of one request.
const (
	maxConditions = 64
	maxDemands    = 256
)

// Demand is one provision that ties a flow to an approval.
type Demand struct {
	Rule     string     `json:"rule"`
	Articles []Citation `json:"articles"`
	By       string     `json:"by"`     // authority or firm
	Duties   []string   `json:"duties"` // that come with it; those of an authority are discharged by its word
}

// ApprovalRequest says what is to be approved. Issued and Nonce make it one of
// its kind: an answer to it fits no other.
type ApprovalRequest struct {
	Type         string          `json:"type"`
	Nonce        string          `json:"nonce"`  // 32 hex digits
	Issued       string          `json:"issued"` // RFC 3339, UTC
	Participant  string          `json:"participant"`
	Negotiation  string          `json:"negotiation"` // its own pid
	Jurisdiction string          `json:"jurisdiction"`
	Side         Side            `json:"side"`
	Exporter     Participant     `json:"exporter"`
	Importer     Participant     `json:"importer"`
	Dataset      string          `json:"dataset"`
	Purpose      string          `json:"purpose"`
	Flow         Flow            `json:"flow"`
	Offer        string          `json:"offer"`    // Digest of Policy
	Policy       json.RawMessage `json:"policy"`   // ODRL
	Decision     string          `json:"decision"` // Digest of the signed decision on record, as the receipt of it says
	Outcome      Outcome         `json:"outcome"`
	Packs        []PackRef       `json:"packs"`
	Demands      []Demand        `json:"demands"`
	Obligations  []string        `json:"obligations"`
}

// DecodeApprovalRequest reads a request. It does not judge the signatures.
func DecodeApprovalRequest(raw []byte) (Sealed, ApprovalRequest, error) {
	var r ApprovalRequest
	s, err := decodeSealed(raw, TypeApprovalRequest, MaxDocument, &r)
	if err == nil {
		err = r.Check()
	}
	return s, r, err
}

// Check says what is wrong with a request by itself.
func (r *ApprovalRequest) Check() error {
	const at = "request"
	if err := checkNames(at, map[string]string{"participant": r.Participant, "negotiation": r.Negotiation, "dataset": r.Dataset, "exporter": r.Exporter.DID, "importer": r.Importer.DID}); err != nil {
		return err
	}
	side := r.Exporter
	if r.Side == Import {
		side = r.Importer
	}
	switch {
	case !isNonce(r.Nonce):
		return badField(at+".nonce", "%q is not 32 hex digits", clipped(r.Nonce))
	case r.Side != Export && r.Side != Import:
		return badField(at+".side", "%q is neither %s nor %s", clipped(string(r.Side)), Export, Import)
	case !isCountry(r.Jurisdiction) || side.Jurisdiction != r.Jurisdiction:
		return badField(at+".jurisdiction", "%q is not the country of the %s side", clipped(r.Jurisdiction), r.Side)
	case !isDigest(r.Offer) || Digest(r.Policy) != r.Offer:
		return badField(at+".offer", "%q is not the digest of the policy", clipped(r.Offer))
	case !isDigest(r.Decision):
		return badField(at+".decision", "%q is not a digest", clipped(r.Decision))
	case r.Outcome != NeedsApproval || len(r.Demands) == 0 || len(r.Demands) > maxDemands:
		return badField(at+".demands", "nothing in it needs an approval, or too much")
	}
	for i, d := range r.Demands {
		if d.Rule == "" || d.By != ByAuthority && d.By != ByFirm {
			return badField(fmt.Sprintf("%s.demands[%d]", at, i), "names no rule, or nobody who approves")
		}
	}
	if _, err := moment(r.Issued); err != nil {
		return badField(at+".issued", "%w", err)
	}
	return nil
}

// Same says whether another request asks for the same: the same flow under the
// same law, whenever and however often it is asked.
func (r *ApprovalRequest) Same(o *ApprovalRequest) bool {
	plain := func(r ApprovalRequest) string {
		r.Nonce, r.Issued, r.Decision, r.Flow.Date = "", "", "", 0
		raw, err := Canonical(r)
		if err != nil {
			return "unequal to all " + err.Error() + r.Negotiation
		}
		return string(raw)
	}
	return plain(*r) == plain(*o)
}

// Rules lists the provisions of a request.
func (r *ApprovalRequest) Rules() []string {
	out := make([]string, len(r.Demands))
	for i, d := range r.Demands {
		out[i] = d.Rule
	}
	return out
}

// For lists the demands that somebody answers.
func (r *ApprovalRequest) For(by string) (out []Demand) {
	for _, d := range r.Demands {
		if d.By == by {
			out = append(out, d)
		}
	}
	return out
}

// Demands lists the provisions that tie a flow to an approval, and by whom. A
// provision names an authority through a duty that only an authority discharges.
func (d *Decision) Demands() []Demand {
	var out []Demand
	for _, m := range d.Matched {
		if m.Outcome != NeedsApproval || m.Kind == "exemption" || m.Kind == "duty" {
			continue
		}
		x := Demand{Rule: m.Rule, By: ByFirm, Articles: []Citation{}, Duties: []string{}}
		for _, c := range m.Citations {
			x.Articles = append(x.Articles, Citation{Instrument: c.Instrument, Article: c.Article, Title: c.Title})
		}
		for _, o := range d.Duties {
			if !slices.Contains(o.Rules, m.Rule) {
				continue
			}
			if x.Duties = append(x.Duties, o.ID); o.Approver == ByAuthority {
				x.By = ByAuthority
			}
		}
		out = append(out, x)
	}
	return out
}

// Condition is one condition of an approval. Exactly one member is set.
type Condition struct {
	Constraint json.RawMessage `json:"constraint,omitempty"` // ODRL: must hold for every transfer
	Duty       json.RawMessage `json:"duty,omitempty"`       // ODRL: on columns, or delete
	Obligation string          `json:"obligation,omitempty"` // of the packs: a task for people
}

// ApprovalAnswer is what an authority, or an officer, says to a request.
type ApprovalAnswer struct {
	Type         string      `json:"type"`
	ID           string      `json:"id"`
	Answer       string      `json:"answer"` // approve or refuse
	By           string      `json:"by"`     // authority or firm
	Authority    string      `json:"authority"`
	Jurisdiction string      `json:"jurisdiction"`
	Officer      string      `json:"officer,omitempty"` // who in the firm signed, or in the authority if it wants to say so
	Request      string      `json:"request"`           // Digest of the request
	Nonce        string      `json:"nonce"`
	Participant  string      `json:"participant"`
	Negotiation  string      `json:"negotiation"`
	Side         Side        `json:"side"`
	Exporter     string      `json:"exporter"`
	Importer     string      `json:"importer"`
	Dataset      string      `json:"dataset"`
	Offer        string      `json:"offer"`
	Rules        []string    `json:"rules"` // that it lifts
	Conditions   []Condition `json:"conditions"`
	Reference    string      `json:"reference"`
	Reason       string      `json:"reason,omitempty"`
	Issued       string      `json:"issued"`
	ValidUntil   string      `json:"valid_until,omitempty"` // first moment at which it no longer holds
}

// QuotedAnswer is a signed approval as an agreement quotes it.
type QuotedAnswer struct {
	Digest   string `json:"digest"`
	Document Sealed `json:"document"`
	// Authority is the signer as the compacts of the side that needed it name
	// it; absent: the firm's own officer signed with the firm's key.
	Authority *Authority `json:"authority,omitempty"`
}

// Open reads a quoted approval. It does not judge the signature.
func (q *QuotedAnswer) Open() (ApprovalAnswer, error) {
	raw, err := q.Document.Encode()
	if err != nil {
		return ApprovalAnswer{}, err
	}
	s, a, err := DecodeApproval(raw)
	if err == nil && s.Digest() != q.Digest {
		err = badField("approval.digest", "%q is not that of the document", clipped(q.Digest))
	}
	return a, err
}

// DecodeApproval reads an answer. It does not judge the signatures.
func DecodeApproval(raw []byte) (Sealed, ApprovalAnswer, error) {
	var a ApprovalAnswer
	s, err := decodeSealed(raw, TypeApproval, MaxDocument, &a)
	if err == nil {
		err = a.Check()
	}
	return s, a, err
}

// AnswerTo begins an answer to a request.
func AnswerTo(digest string, r *ApprovalRequest) ApprovalAnswer {
	return ApprovalAnswer{Type: TypeApproval, ID: "urn:approval:" + r.Nonce, Jurisdiction: r.Jurisdiction, Request: digest, Nonce: r.Nonce, Participant: r.Participant, Negotiation: r.Negotiation,
		Side: r.Side, Exporter: r.Exporter.DID, Importer: r.Importer.DID, Dataset: r.Dataset, Offer: r.Offer, Rules: r.Rules(), Conditions: []Condition{}}
}

// Name is how an answer is quoted.
func (a *ApprovalAnswer) Name() string {
	who := "the authority of " + a.Jurisdiction
	if a.By == ByFirm {
		who = a.Officer + " for " + a.Authority
	}
	return fmt.Sprintf("approval %s of %s (%s)", a.ID, who, a.Reference)
}

// Check says what is wrong with an answer by itself.
func (a *ApprovalAnswer) Check() error {
	const at = "approval"
	names := map[string]string{"id": a.ID, "authority": a.Authority, "reference": a.Reference, "participant": a.Participant, "negotiation": a.Negotiation, "exporter": a.Exporter, "importer": a.Importer, "dataset": a.Dataset}
	if a.By == ByFirm {
		names["officer"] = a.Officer
	}
	if a.Answer == AnswerRefuse {
		names["reason"] = a.Reason
	}
	if err := checkNames(at, names); err != nil {
		return err
	}
	switch {
	case a.Answer != AnswerApprove && a.Answer != AnswerRefuse:
		return badField(at+".answer", "%q is neither %s nor %s", clipped(a.Answer), AnswerApprove, AnswerRefuse)
	case a.By != ByAuthority && a.By != ByFirm:
		return badField(at+".by", "%q is neither %s nor %s", clipped(a.By), ByAuthority, ByFirm)
	case !isCountry(a.Jurisdiction) || a.Side != Export && a.Side != Import:
		return badField(at, "jurisdiction or side are not as they must be")
	case !isDigest(a.Request) || !isDigest(a.Offer) || !isNonce(a.Nonce):
		return badField(at+".request", "request, offer or nonce are not as they must be")
	case len(a.Officer) > maxText || len(a.Reason) > maxText:
		return badField(at+".reason", "is over the limit of %d bytes", maxText)
	case len(a.Rules) == 0 || len(a.Rules) > maxDemands || slices.Contains(a.Rules, ""):
		return badField(at+".rules", "%d rules: it lifts 1 to %d", len(a.Rules), maxDemands)
	case len(a.Conditions) > maxConditions || a.Answer == AnswerRefuse && (len(a.Conditions) > 0 || a.ValidUntil != ""):
		return badField(at+".conditions", "%d: an approval has at most %d, a refusal neither conditions nor an end", len(a.Conditions), maxConditions)
	}
	for i, c := range a.Conditions {
		n := 0
		for _, set := range []bool{len(c.Constraint) > 0, len(c.Duty) > 0, c.Obligation != ""} {
			if set {
				n++
			}
		}
		if n != 1 {
			return badField(fmt.Sprintf("%s.conditions[%d]", at, i), "has %d members: exactly one of constraint, duty and obligation is written", n)
		}
	}
	issued, err := moment(a.Issued)
	if err != nil {
		return badField(at+".issued", "%w", err)
	}
	if a.ValidUntil == "" {
		return nil
	}
	if until, err := moment(a.ValidUntil); err != nil || !issued.Before(until) {
		return badField(at+".valid_until", "%q is not a moment after %q", clipped(a.ValidUntil), a.Issued)
	}
	return nil
}

// Holds says why an approval does not hold at a time, or nil.
func (a *ApprovalAnswer) Holds(at time.Time) error {
	issued, err := moment(a.Issued)
	if err != nil {
		return err
	}
	if issued.After(at.Add(ClockSkew)) {
		return &Error{Kind: Invalid, Where: "approval.issued", Msg: a.Name() + " is dated " + a.Issued + ", which is to come", Fix: "compare the clocks"}
	}
	if end, ends := a.Ends(); ends && !at.Before(end) {
		return &Error{Kind: ApprovalNeeded, Where: "approval.valid_until", Msg: a.Name() + " ended at " + a.ValidUntil, Fix: "ask for a new one, and negotiate anew"}
	}
	return nil
}

// Ends gives the first moment at which an approval no longer holds.
func (a *ApprovalAnswer) Ends() (time.Time, bool) {
	if a.ValidUntil == "" {
		return time.Time{}, false
	}
	t, err := moment(a.ValidUntil)
	return t, err == nil
}

// Answers says why a document does not answer a request, or nil.
func (a *ApprovalAnswer) Answers(digest string, r *ApprovalRequest) error {
	other := func(what string) error {
		return &Error{Kind: Forbidden, Where: "approval." + what, Msg: a.Name() + " answers another request: its " + what + " is another", Fix: "let the request that is open here be answered: corridor approvals request"}
	}
	for _, f := range []struct{ what, got, want string }{
		{"request", a.Request, digest}, {"nonce", a.Nonce, r.Nonce}, {"participant", a.Participant, r.Participant}, {"negotiation", a.Negotiation, r.Negotiation},
		{"jurisdiction", a.Jurisdiction, r.Jurisdiction}, {"side", string(a.Side), string(r.Side)}, {"exporter", a.Exporter, r.Exporter.DID}, {"importer", a.Importer, r.Importer.DID},
		{"dataset", a.Dataset, r.Dataset}, {"offer", a.Offer, r.Offer},
	} {
		if f.got != f.want {
			return other(f.what)
		}
	}
	for _, d := range r.Demands {
		if !slices.Contains(a.Rules, d.Rule) {
			return &Error{Kind: ApprovalNeeded, Where: "approval.rules", Msg: fmt.Sprintf("%s does not lift %s", a.Name(), d.Rule), Cites: d.Articles}
		}
	}
	return nil
}

// Lifts says why an approval does not lift what a decision demands, or nil: it
// covers the provisions that it was asked about, and only an authority those
// that name one.
func (a *ApprovalAnswer) Lifts(d *Decision) error {
	if a.Side != d.Side || a.Jurisdiction != d.Jurisdiction {
		return &Error{Kind: ApprovalNeeded, Where: "approval.side", Msg: fmt.Sprintf("%s is about the %s side under the law of %s", a.Name(), a.Side, a.Jurisdiction)}
	}
	for _, x := range d.Demands() {
		switch {
		case !slices.Contains(a.Rules, x.Rule):
			return &Error{Kind: ApprovalNeeded, Where: "approval.rules", Msg: fmt.Sprintf("%s does not lift %s", a.Name(), x.Rule), Why: "it was not asked about that provision", Fix: "ask for a new approval, and negotiate anew", Cites: x.Articles}
		case x.By == ByAuthority && a.By != ByAuthority:
			return &Error{Kind: Forbidden, Where: "approval.by", Msg: fmt.Sprintf("%s is not an authority's, and %s wants one: %s", a.Name(), x.Rule, strings.Join(x.Duties, ", ")),
				Why: "the law does not leave it to the firm", Fix: "let the authority of " + d.Jurisdiction + " sign: corridor authority approve", Cites: x.Articles}
		}
	}
	return nil
}

func isNonce(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}
