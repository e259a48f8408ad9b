package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/plane"
	"corridor/verify"
)

// What an approval allows lasts as long as it says, for the provisions that it
// was asked about, under its conditions. This file asks for all three: at the
// agreement, at every start, and of what the peer shows.

// lifted says why no approval lifts what a decision ties to one, or nil. Where
// a document was signed for a side, an operator's word no longer counts.
func lifted(list []corridor.Approval, d *corridor.Decision, at time.Time) error {
	var refused error
	word, signed := false, false
	for i := range list {
		if list[i].Side != d.Side {
			continue
		}
		if list[i].Signed == nil {
			word = true
			continue
		}
		signed = true
		a, err := list[i].Signed.Open()
		if err == nil {
			err = a.Holds(at)
		}
		if err == nil {
			err = a.Lifts(d)
		}
		if err == nil {
			return nil
		}
		refused = err // of the newest
	}
	switch {
	case word && !signed:
		return nil
	case refused != nil:
		return refused
	}
	cites := citesOf(*d)
	return &corridor.Error{Kind: corridor.ApprovalNeeded, Msg: fmt.Sprintf("the law of %s (%s side) needs an approval: %s", d.Jurisdiction, d.Side, articles(cites)), Cites: cites}
}

// subject names what a negotiation is about, as far as its parties state it.
func (n *Negotiation) subject() string {
	raw, err := corridor.Canonical(struct {
		Policy  dsp.Policy     `json:"policy"`
		Purpose string         `json:"purpose"`
		Facts   corridor.Facts `json:"facts"`
	}{policyOf(n.Offer), n.Purpose, n.Facts})
	if err != nil { // equal to nothing
		return newID()
	}
	return corridor.Digest(raw)
}

// approvedFor notes that a signed approval was taken for what the negotiation
// is about now.
func (n *Negotiation) approvedFor(a corridor.Approval) {
	all := maps.Clone(n.takenFor)
	if all == nil {
		all = map[string]string{}
	}
	all[a.Signed.Digest] = n.subject()
	n.takenFor = all
	n.given(a)
}

// current lists the approvals that are about what the negotiation is about, and
// about the facts that its dataset has now.
func (n *Negotiation) current() []corridor.Approval {
	return slices.DeleteFunc(slices.Clone(n.agreedOn()), n.lapsed)
}

// agreedOn lists the approvals that are about what the negotiation is about,
// whatever was published since. Where a document was signed for a side, whatever
// it was about, no word counts for that side.
func (n *Negotiation) agreedOn() []corridor.Approval {
	signed := map[corridor.Side]bool{}
	for _, a := range n.Approvals {
		if a.Signed != nil {
			signed[a.Side] = true
		}
	}
	if len(signed) == 0 {
		return n.Approvals
	}
	now := n.subject()
	return slices.DeleteFunc(slices.Clone(n.Approvals), func(a corridor.Approval) bool {
		return a.Signed == nil && signed[a.Side] || a.Signed != nil && n.takenFor[a.Signed.Digest] != now
	})
}

// released says whether a person here has let the export go on where it is held
// for one, by a word or a document. What the law wants is another matter.
func (n *Negotiation) released() bool {
	return approved(n.current(), corridor.Export) || slices.ContainsFunc(n.Approvals, func(a corridor.Approval) bool { return a.Side == corridor.Export && a.Signed == nil && !n.lapsed(a) })
}

// proofs is the evidence of the negotiation without that of approvals that are
// about something else.
func (n *Negotiation) proofs() map[string]corridor.Evidence {
	now, out := n.current(), merged(n.Evidence)
	for _, a := range n.Approvals {
		if a.Signed == nil || slices.ContainsFunc(now, func(have corridor.Approval) bool { return have.Signed != nil && have.Signed.Digest == a.Signed.Digest }) {
			continue
		}
		maps.DeleteFunc(out, func(_ string, e corridor.Evidence) bool { return e.SHA256 == a.Signed.Digest })
	}
	return out
}

// heldTo is what an approval binds a flow to.
type heldTo struct {
	name  string
	side  corridor.Side
	terms terms
	until time.Time
	owed  []corridor.Obligation
}

// conditions reads the conditions of all signed approvals that have not ended at
// a time; of all, if it is zero. What is not understood refuses by its name.
func (s *Service) conditions(list []corridor.Approval, at time.Time) ([]heldTo, error) {
	var out []heldTo
	for i := range list {
		if list[i].Signed == nil {
			continue
		}
		a, err := list[i].Signed.Open()
		if err != nil {
			return nil, err
		}
		if !at.IsZero() && a.Holds(at) != nil { // lifted says so, where it is needed
			continue
		}
		h, err := s.bound(&a)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

// bound reads the conditions of one approval.
func (s *Service) bound(a *corridor.ApprovalAnswer) (h heldTo, err error) {
	if h.terms, err = conditionTerms(a.Conditions); err != nil {
		return h, fmt.Errorf("%s: %w", a.Name(), err)
	}
	h.name, h.side = a.Name(), a.Side
	h.until, _ = a.Ends()
	for i, c := range a.Conditions {
		if c.Obligation == "" {
			continue
		}
		info, known := s.cfg.Law.Obligation(c.Obligation)
		if !known || byPlane(info.Stage) {
			return h, &corridor.Error{Kind: corridor.Invalid, Where: fmt.Sprintf("approval.conditions[%d].obligation", i), Msg: fmt.Sprintf("%q is no duty that this node can hand to a person", clip(c.Obligation)),
				Why: h.name, Fix: "name an obligation of the packs in use; what is done to columns is written as a duty"}
		}
		h.owed = append(h.owed, corridor.Obligation{ID: info.ID, Owner: info.Owner, When: info.When, Stage: info.Stage, Deadline: info.Deadline.String(), Certain: true, Rules: []string{a.ID}, Citations: []corridor.Citation{}})
	}
	return h, nil
}

// CheckConditions says which condition of an approval no node understands, or
// nil. Whether a node knows an obligation, only its packs say.
func CheckConditions(list []corridor.Condition) error {
	_, err := conditionTerms(list)
	return err
}

// conditionTerms reads the conditions that are written in ODRL as one
// permission.
func conditionTerms(list []corridor.Condition) (terms, error) {
	rule := dsp.Rule{Action: actionUse}
	for i, c := range list {
		at := fmt.Sprintf("approval.conditions[%d]", i)
		var err error
		switch {
		case len(c.Constraint) > 0:
			var x dsp.Constraint
			err = understood(c.Constraint, &x)
			rule.Constraint = append(rule.Constraint, x)
		case len(c.Duty) > 0:
			var x dsp.Rule
			err = understood(c.Duty, &x)
			rule.Duty = append(rule.Duty, x)
		}
		if err == nil { // each by itself, so that the refusal names it
			_, err = readTerms(dsp.Policy{Permission: []dsp.Rule{{Action: actionUse, Constraint: rule.Constraint, Duty: rule.Duty}}})
		}
		if err != nil {
			return terms{}, fmt.Errorf("%s: %w", at, err)
		}
	}
	return readTerms(dsp.Policy{Permission: []dsp.Rule{rule}})
}

// understood reads a piece of ODRL with no member that is not known.
func understood(raw json.RawMessage, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return corridor.E(corridor.Invalid, "%q is not understood by this gateway: %w", clip(string(raw)), err)
	}
	return nil
}

// keeps says why a use does not keep the conditions, or nil.
func (h *heldTo) keeps(u use) error {
	err := h.terms.still(u, 0)
	var e *corridor.Error
	if errors.As(err, &e) {
		said := *e
		said.Msg, said.Why = h.name+" "+strings.TrimPrefix(e.Msg, "the offer "), "a condition of the approval"
		return &said
	}
	return err
}

// keepsConditions says why the flow of a negotiation does not keep the
// conditions of its approvals, or nil.
func (s *Service) keepsConditions(n *Negotiation, consumer corridor.Participant, used int64) error {
	list, err := s.conditions(n.current(), s.now())
	if err != nil {
		return err
	}
	u := useOf(n, consumer, s.now(), used)
	for i := range list {
		if err := list[i].keeps(u); err != nil {
			return err
		}
	}
	return nil
}

// approvalsHold says why the approvals of an agreement let no transfer begin
// now, or nil: one has ended, or a condition is not kept.
func (s *Service) approvalsHold(n *Negotiation, consumer corridor.Participant, used int64) error {
	if !slices.ContainsFunc(n.Approvals, func(a corridor.Approval) bool { return a.Signed != nil }) {
		return nil
	}
	for _, side := range []*SidedDecision{n.Own, n.Theirs} {
		if side == nil || side.Outcome != corridor.NeedsApproval {
			continue
		}
		st, err := side.decode()
		if err != nil {
			return err
		}
		if err := n.liftedBy(n.current(), &st.Decision, s.now()); err != nil {
			return err
		}
	}
	return s.keepsConditions(n, consumer, used)
}

// owedByApprovals is the duties that approvals add, in the form of a decision.
// They outlive the approval.
func (s *Service) owedByApprovals(list []corridor.Approval) (d corridor.Decision, err error) {
	held, err := s.conditions(list, time.Time{})
	for _, h := range held {
		d.Duties = append(d.Duties, h.owed...)
	}
	return d, err
}

// bind puts what approvals ask into a verdict: duties, stages of the data
// plane, and an end.
func (v *verdict) bind(list []heldTo, u use) (stages []plane.Stage, owed []corridor.Obligation) {
	for i := range list {
		h := &list[i]
		stages, owed = append(stages, h.terms.permissions[0].stages...), append(owed, h.owed...)
		for _, o := range h.owed {
			if !slices.Contains(v.duties, o.ID) {
				v.duties = append(v.duties, o.ID)
			}
		}
		from, until := h.terms.window(u, 0)
		for _, end := range []time.Time{until, h.until} {
			if !end.IsZero() && (v.until.IsZero() || end.Before(v.until)) {
				v.until = end
			}
		}
		if from.After(v.from) {
			v.from = from
		}
	}
	return stages, owed
}

// quotedRight checks a signed approval that the peer shows for its own side:
// who signed it, and that it is about this flow and holds.
func (s *Service) quotedRight(ctx context.Context, n *Negotiation, peer corridor.Participant, shown corridor.Approval) error {
	wrong := func(where, msg string) error {
		return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:approval." + where, Msg: msg}
	}
	a, err := shown.Signed.Open()
	if err != nil {
		return fmt.Errorf("corridor:approval: %w", err)
	}
	policy, err := corridor.Canonical(policyOf(n.Offer))
	if err != nil {
		return err
	}
	exporter, importer := s.cfg.Self.DID, n.Peer
	if n.Role == dsp.Consumer {
		exporter, importer = importer, exporter
	}
	for _, f := range []struct{ where, got, want string }{
		{"answer", a.Answer, corridor.AnswerApprove}, {"side", string(a.Side), string(shown.Side)}, {"jurisdiction", a.Jurisdiction, peer.Jurisdiction}, {"participant", a.Participant, peer.DID},
		{"negotiation", a.Negotiation, n.PeerPID}, // the peer's own name of it: it asked under that one
		{"exporter", a.Exporter, exporter}, {"importer", a.Importer, importer}, {"dataset", a.Dataset, n.Dataset}, {"offer", a.Offer, corridor.Digest(policy)},
		{"reference", a.Reference, shown.Reference}, {"by", a.Authority, shown.By},
	} {
		if f.got != f.want {
			return wrong(f.where, fmt.Sprintf("is %q where %q belongs: it was given for something else", clip(f.got), clip(f.want)))
		}
	}
	if err := a.Holds(s.now()); err != nil {
		return err
	}
	if _, err := s.bound(&a); err != nil {
		return err
	}
	if a.By == corridor.ByFirm {
		if a.Authority != peer.DID || shown.Signed.Authority != nil {
			return wrong("authority", "an officer approves for the own firm alone")
		}
		return s.officerSigned(ctx, shown.Signed.Document, a)
	}
	return s.authorityQuoted(shown.Signed, a)
}

// authorityQuoted checks the signature of the peer's authority by the key that
// the agreement will name, as whoever verifies it later does. Where our own
// compacts give keys to the authority of that country, it must be one of them.
func (s *Service) authorityQuoted(q *corridor.QuotedAnswer, a corridor.ApprovalAnswer) error {
	wrong := func(msg string) error {
		return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:approval.signed.authority", Msg: msg}
	}
	if q.Authority == nil {
		return wrong("the authority that signed is not named")
	}
	if err := q.Authority.Check(); err != nil {
		return err
	}
	if _, err := verify.AnswerSigned(q.Document, a, []corridor.Authority{*q.Authority}); err != nil {
		return err
	}
	t := s.trust.Load()
	if !slices.ContainsFunc(t.authorities(), func(m corridor.Authority) bool { return m.Jurisdiction == a.Jurisdiction }) {
		return nil
	}
	known, err := verify.AnswerSigned(q.Document, a, t.approvers(s.now()))
	if err != nil {
		return err
	}
	if key := q.Document.Signatures[0].Key; !bytes.Equal(anchorKey(known, key), anchorKey(*q.Authority, key)) {
		return wrong(fmt.Sprintf("names another key as %q than the compact that is known here", clip(key)))
	}
	return nil
}

// anchorKey is the key of an authority under a name, in canonical form.
func anchorKey(m corridor.Authority, id string) []byte {
	for _, a := range m.Anchors {
		if a.ID == id {
			key, err := corridor.Canonicalize(a.JWK)
			if err != nil { // what was checked can be read
				return nil
			}
			return key
		}
	}
	return nil
}

// sameApproval says whether two approvals are the same text.
func sameApproval(a, b corridor.Approval) bool {
	x, errX := corridor.Canonical(a)
	y, errY := corridor.Canonical(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// maxApprovals bounds the approvals of one negotiation.
const maxApprovals = 4 * maxRefs

// hearApprovals takes the approvals that the peer brings of its own side.
func (s *Service) hearApprovals(ctx context.Context, n *Negotiation, peer corridor.Participant, list []corridor.Approval, side corridor.Side) error {
	if err := s.look(ctx, n); err != nil {
		return err
	}
	for _, a := range list {
		if a.Side != side || slices.ContainsFunc(n.Approvals, func(have corridor.Approval) bool { return sameApproval(have, a) }) {
			continue
		}
		if len(n.Approvals) >= maxApprovals {
			return corridor.E(corridor.Limited, "corridor:approval: this negotiation has %d approvals already", len(n.Approvals))
		}
		if a.Signed == nil {
			n.given(a)
			continue
		}
		if err := s.quotedRight(ctx, n, peer, a); err != nil {
			return err
		}
		n.approvedFor(a)
	}
	return nil
}

// checkApprovals holds the approvals of an agreement against those that this
// side has given, takes over those of the provider, and makes sure that the
// plan carries out what they want done to columns.
func (s *Service) checkApprovals(ctx context.Context, n *Negotiation, peer corridor.Participant, a corridor.Agreement) error {
	for _, q := range a.Approvals {
		if q.Side != corridor.Import {
			continue
		}
		if !slices.ContainsFunc(n.Approvals, func(have corridor.Approval) bool { return sameApproval(have, q) }) {
			return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:agreement.approvals", Msg: "it quotes an approval of the import side that this node has not given"}
		}
	}
	for _, have := range n.current() {
		if have.Signed != nil && have.Side == corridor.Import && !slices.ContainsFunc(a.Approvals, func(q corridor.Approval) bool { return sameApproval(have, q) }) {
			return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:agreement.approvals", Msg: "it leaves out the approval " + have.Reference}
		}
	}
	if len(a.Approvals) > maxRefs {
		return corridor.E(corridor.Limited, "corridor:agreement.approvals: %d are over the limit of %d", len(a.Approvals), maxRefs)
	}
	if err := s.hearApprovals(ctx, n, peer, a.Approvals, corridor.Export); err != nil {
		return err
	}
	held, err := s.conditions(n.current(), s.now())
	if err != nil || len(held) == 0 {
		return err
	}
	plan, err := planOf(a)
	if err != nil {
		return err
	}
	for _, h := range held {
		for _, stage := range h.terms.permissions[0].stages {
			if !slices.ContainsFunc(plan.Stages, func(have plane.Stage) bool { return covers(have, stage) }) {
				return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:agreement.transforms", Msg: fmt.Sprintf("the plan does not %s %s, which %s wants", stage.Do, strings.Join(stage.Columns, ", "), h.name)}
			}
		}
	}
	return s.keepsConditions(n, s.cfg.Self, 0)
}
