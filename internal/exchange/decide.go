package exchange

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/ledger"
	"corridor/internal/plane"
	"corridor/verify"
)

// This file is the one place where offers and datasets become facts, and
// where the law's answer becomes what an exchange may do. The law never sees
// a protocol message; the protocol never sees a rule.

// stated is what a consumer says about the flow with its request
// ("corridor:flow").
type stated struct {
	Purpose  string                       `json:"purpose"`
	Facts    corridor.Facts               `json:"facts,omitempty"`
	Evidence map[string]corridor.Evidence `json:"evidence,omitempty"`
}

// exportFlow is the flow as the exporter knows it: the dataset's confirmed
// facts, the consumer as the directory knows it, the stated purpose, and this
// year's counters. What the importer states is taken only for facts that the
// vocabulary says the importer is to be asked, and never over our own.
func (s *Service) exportFlow(d catalog.Dataset, consumer corridor.Participant, said stated, r *reckoning) corridor.Flow {
	f := d.Facts.Clone()
	for _, info := range s.cfg.Law.Vocabulary() {
		v, given := said.Facts[info.Name]
		if _, known := f[info.Name]; given && !known && info.Asks == "importer" {
			f[info.Name] = v
		}
	}
	participantFacts(f, s.cfg.Self, consumer)
	f["purpose"] = said.Purpose
	countPeople(f, r.total)
	return corridor.Flow{Date: s.today(), Origin: s.cfg.Self.Jurisdiction, Destination: consumer.Jurisdiction, Facts: f, Assume: s.cfg.Assume}
}

// importFlow is the flow as the importer knows it: what the provider's
// catalogue shows, and what its own operator adds.
func (s *Service) importFlow(shown corridor.Facts, provider corridor.Participant, said stated) corridor.Flow {
	return s.flowAt(shown, provider, s.cfg.Self, said)
}

// flowAt is a flow between two participants: facts of the dataset, what was
// stated besides, and what the directory says of both.
func (s *Service) flowAt(facts corridor.Facts, provider, consumer corridor.Participant, said stated) corridor.Flow {
	f := corridor.Facts{}
	maps.Copy(f, facts)
	maps.Copy(f, said.Facts)
	participantFacts(f, provider, consumer)
	f["purpose"] = said.Purpose
	return corridor.Flow{Date: s.today(), Origin: provider.Jurisdiction, Destination: consumer.Jurisdiction, Facts: f, Assume: s.cfg.Assume}
}

// Days are those of the node's clock, in the time zone of its process.

func (s *Service) today() corridor.Date { return corridor.DateOf(s.now()) }

// dayOf gives the day on which a moment that was written down in UTC fell here.
func (s *Service) dayOf(t time.Time) corridor.Date {
	return corridor.DateOf(t.In(s.now().Location()))
}

// untilDay is how long it is to the beginning of a day, which is not midnight
// where the clock is put forward at midnight.
func (s *Service) untilDay(d corridor.Date) time.Duration {
	now := s.now()
	year, month, day := d.Time().Date()
	begins := time.Date(year, month, day, 0, 0, 0, 0, now.Location())
	for corridor.DateOf(begins) < d {
		begins = begins.Add(15 * time.Minute)
	}
	return max(0, begins.Sub(now))
}

// participantFacts adds what the directory says of both ends. A list that is
// not there is not an empty list: it stays unknown.
func participantFacts(f corridor.Facts, exporter, importer corridor.Participant) {
	if exporter.Traits != nil {
		f["exporter_traits"] = list(exporter.Traits)
	}
	if importer.Type != "" {
		f["recipient_type"] = importer.Type
	}
	if importer.Flags != nil {
		f["recipient_flags"] = list(importer.Flags)
	}
}

func list(in []string) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}

// span is a count that may not be known exactly.
type span struct {
	low, high int64
	open      bool // there is no upper bound
}

// most is the count that a bound is held against.
func (s span) most() int64 { return max(s.low, s.high) }

// readSpan reads a count: a number, {min, max}, {min} or {max}.
func readSpan(v any) (span, bool) {
	if n, ok := whole(v); ok {
		return span{low: n, high: n}, n >= 0
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return span{}, false
	}
	out := span{open: true}
	for name, v := range m {
		n, ok := whole(v)
		switch {
		case !ok || n < 0:
			return span{}, false
		case name == "min":
			out.low = n
		case name == "max":
			out.high, out.open = n, false
		default:
			return span{}, false
		}
	}
	return out, out.open || out.low <= out.high
}

func whole(v any) (int64, bool) {
	const exact = 1 << 53
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		return int64(n), n == float64(int64(n)) && n < exact && n > -exact
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

// decideOwn asks this side's law and signs the answer.
func (s *Service) decideOwn(ctx context.Context, flow corridor.Flow, side corridor.Side, provider, consumer, dataset string) (*SidedDecision, error) {
	d, err := s.cfg.Law.DecideSide(flow, side)
	if err != nil {
		return nil, fmt.Errorf("own law: %w", err)
	}
	return s.signDecision(ctx, flow, d.Brief(), corridor.DecisionStatement{Provider: provider, Consumer: consumer, Dataset: dataset})
}

// maxDecisionAge bounds how old a peer's signed decision may be when it
// arrives: the law moves by the day.
const maxDecisionAge = 24 * time.Hour

// heardDecision reads the signed decision that a peer's message brings.
func heardDecision(raw json.RawMessage, side corridor.Side) (signed corridor.SignedDecision, err error) {
	if len(raw) == 0 {
		return signed, &corridor.Error{Kind: corridor.Invalid, Where: "corridor:decision", Msg: "the request brings no signed decision of the " + string(side) + " side",
			Why: "both sides decide their own law", Fix: "let the consumer's gateway decide first and send its signed decision"}
	}
	if err := json.Unmarshal(raw, &signed); err != nil {
		return signed, corridor.E(corridor.Invalid, "corridor:decision: %w", err)
	}
	return signed, nil
}

// checkTheirs verifies the peer's signed decision: its key, that it is about
// this flow and no other, that it is the peer's own side, and that it is fresh.
func (s *Service) checkTheirs(ctx context.Context, signed corridor.SignedDecision, peer corridor.Participant, side corridor.Side, provider, consumer, dataset string, heard []corridor.SignedValidation) (*SidedDecision, error) {
	signed, st, err := signed.Open()
	if err != nil {
		return nil, err
	}
	wrong := func(what, got, want string) error {
		return &corridor.Error{Kind: corridor.Invalid, Where: "corridor:decision", Msg: fmt.Sprintf("the signed decision names %s %q where %q belongs", what, got, want)}
	}
	switch {
	case st.Issuer != peer.DID:
		return nil, wrong("issuer", st.Issuer, peer.DID)
	case st.Provider != provider:
		return nil, wrong("provider", st.Provider, provider)
	case st.Consumer != consumer:
		return nil, wrong("consumer", st.Consumer, consumer)
	case st.Dataset != dataset:
		return nil, wrong("dataset", st.Dataset, dataset)
	case st.Decision.Side != side:
		return nil, wrong("side", string(st.Decision.Side), string(side))
	case st.Decision.Jurisdiction != peer.Jurisdiction:
		return nil, wrong("jurisdiction", st.Decision.Jurisdiction, peer.Jurisdiction)
	}
	when, err := dsp.ParseTime(st.Time)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "corridor:decision: %w", err)
	}
	if age := s.now().Sub(when); age > maxDecisionAge || age < -maxDecisionAge {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "corridor:decision", Msg: "the signed decision is from " + st.Time, Fix: "decide again and set the clock"}
	}
	v, err := s.checkSignature(ctx, verify.National{Object: corridor.ObjectDecision, Signer: peer.DID, Text: signed.Statement, Signature: signed.Signature}, heard)
	if err != nil {
		return nil, fmt.Errorf("corridor:decision: %w", err)
	}
	return &SidedDecision{Signed: signed, Validation: v, Outcome: st.Decision.Outcome, Side: side, Country: st.Decision.Jurisdiction, statement: &st}, nil
}

// sign signs canonical JSON in this side's suite.
func (s *Service) sign(ctx context.Context, canonical []byte) (corridor.Signature, error) {
	signer := identity.Present(s.cfg.Signer)
	sig, err := signer.Sign(ctx, canonical)
	if err != nil {
		return corridor.Signature{}, fmt.Errorf("sign: %w", err)
	}
	return corridor.Signature{Key: signer.KeyID(), Suite: signer.Suite(), Value: base64.RawURLEncoding.EncodeToString(sig)}, nil
}

// checkSignature verifies canonical JSON that a peer signed for the record. Of
// a suite that this node does not verify it gives the validation that speaks
// for it.
func (s *Service) checkSignature(ctx context.Context, signed verify.National, heard []corridor.SignedValidation) (*corridor.SignedValidation, error) {
	v, err := func() (*corridor.SignedValidation, error) {
		owner, _, err := identity.SplitKeyID(signed.Signature.Key)
		if err != nil {
			return nil, err
		}
		if owner != signed.Signer {
			return nil, corridor.E(corridor.Invalid, "signed with a key of %s, not of %s", clip(owner), clip(signed.Signer))
		}
		if signed.Key, err = s.cfg.Resolver.Key(ctx, signed.Signature.Key, identity.AssertionMethod); err != nil {
			return nil, err
		}
		signed.For = s.cfg.Self.DID
		if !s.relies(signed.Key.Suite) {
			return s.validated(ctx, signed, heard)
		}
		return nil, signed.Key.VerifySignature(signed.Text, signed.Signature)
	}()
	var e *corridor.Error
	if errors.As(err, &e) && e.Kind != corridor.Unavailable && e.Kind != corridor.Internal {
		// The caller is known by its token; what does not fit is in its message.
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "a signature cannot be accepted: " + e.Msg, Where: e.Where, Why: e.Why, Fix: e.Fix, Err: err}
	}
	return v, err
}

// verdict is what both sides' decisions and the offer's policy come to.
type verdict struct {
	refuse error      // not nil: the process ends with this
	park   string     // not empty: a person must act, for this reason
	plan   plane.Plan // what is done to the bytes
	duties []string   // obligations, the union
	terms  terms      // the policy, understood
	from   time.Time  // of the time in which the policy admits it; zero: open
	until  time.Time  // the instant after it; zero: open
	cites  []corridor.Citation
	under  *corridor.CompactRef         // nil: no compact governs
	proofs map[string]corridor.Evidence // of duties, by either side
}

// judge combines the export side, the import side, the policy and the
// evidence. It never permits by omission: each way to go ahead is written
// out, and the rest refuses or parks.
func (s *Service) judge(n *Negotiation, d catalog.Dataset, consumer corridor.Participant) (verdict, error) {
	held := s.trust.Load().trust
	_, stopped := s.passageIn(held, dsp.Provider, consumer, d.ID, d.Facts)
	why := s.mayHear(d, consumer, stopped)
	if byOrder(why) || !byOrder(stopped) {
		return s.judgeIn(held, n, d, consumer)
	}
	// The consumer must not hear of the order: it is refused as it would be
	// without it, down to the word.
	v, err := s.judgeIn(held.withoutOrders(), n, d, consumer)
	if err == nil && v.refuse == nil {
		v = verdict{refuse: why}
	}
	return v, err
}

// judgeIn is judge with what is held of authorities.
func (s *Service) judgeIn(held *trust, n *Negotiation, d catalog.Dataset, consumer corridor.Participant) (verdict, error) {
	var v verdict
	var err error
	if v.terms, err = readTerms(n.Offer.Policy); err != nil {
		return v, err
	}
	now := useOf(n, consumer, s.now(), 0)
	if n.Permission, v.refuse = v.terms.admit(now); v.refuse != nil {
		return v, nil
	}
	v.from, v.until = v.terms.window(now, n.Permission)
	own, err := n.Own.decode()
	if err != nil {
		return v, err
	}
	theirs, err := n.Theirs.decode()
	if err != nil {
		return v, err
	}
	sides := []corridor.Decision{own.Decision, theirs.Decision}
	passage, err := s.passageIn(held, dsp.Provider, consumer, d.ID, d.Facts)
	if err == nil {
		err = passage.checkPacks(sides...)
	}
	if v.under, v.refuse = passage.Compact, err; err != nil {
		return v, nil
	}
	for _, side := range sides {
		if v.refuse = refusal(side); v.refuse != nil {
			return v, nil
		}
	}
	if !n.Plain && theirs.Decision.Outcome == corridor.NeedsApproval { // not ours to give
		if v.refuse = n.liftedBy(n.current(), &theirs.Decision, s.now()); v.refuse != nil && !approved(n.current(), theirs.Decision.Side) && n.lapsedFor(&theirs.Decision) == nil {
			cites := citesOf(theirs.Decision)
			v.refuse = &corridor.Error{Kind: corridor.ApprovalNeeded, Msg: fmt.Sprintf("the law of %s (%s side) needs an approval, and the request brings none", theirs.Decision.Jurisdiction, theirs.Decision.Side),
				Why: articles(cites), Fix: "obtain it and ask again", Cites: cites}
		}
		if v.refuse != nil {
			return v, nil
		}
	}
	bound, err := s.conditions(n.current(), s.now())
	if err != nil {
		return v, err
	}
	for i := range bound {
		if v.refuse = bound[i].keeps(now); v.refuse != nil {
			return v, nil
		}
	}
	all := corridor.Combine(corridor.Flow{}, sides...)
	v.duties = slices.Concat(all.Obligations, all.Possible) // what may be owed is owed until the fact is known
	stages, owed := v.bind(bound, now)
	if v.plan, v.refuse = makePlan(d, slices.Concat(v.terms.permissions[n.Permission].stages, stages), sides); v.refuse != nil {
		return v, nil
	}
	sides = append(sides, corridor.Decision{Outcome: corridor.Allow, Duties: owed})
	ours := merged(d.Evidence, n.proofs())
	v.park, v.cites = s.waitsFor(n, sides, ours)
	v.proofs = merged(s.theirProofs(n, sides), ours)
	return v, nil
}

func merged(maps ...map[string]corridor.Evidence) map[string]corridor.Evidence {
	out := map[string]corridor.Evidence{}
	for _, m := range maps {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// refusal is the error of a decision that does not let a flow go ahead, even
// with an approval; nil if there is a way.
func refusal(d corridor.Decision) error {
	who := fmt.Sprintf("the law of %s (%s side)", d.Jurisdiction, d.Side)
	switch d.Outcome {
	case corridor.Allow, corridor.AllowWithObligations, corridor.NeedsApproval:
		return nil
	case corridor.Undetermined:
		var names []string
		for _, q := range d.Questions {
			names = append(names, q.Fact)
		}
		why := strings.Join(d.Notes, "; ")
		return &corridor.Error{Kind: corridor.RefusedByLaw, Msg: who + " cannot be decided: these facts are missing: " + strings.Join(names, ", "), Why: why,
			Fix: "state the missing facts and ask again", Cites: citesOf(d)}
	}
	cites := citesOf(d)
	return &corridor.Error{Kind: corridor.RefusedByLaw, Msg: who + " denies this flow", Why: articles(cites), Cites: cites}
}

// citesOf gives the citations of the provisions that drive the outcome.
func citesOf(d corridor.Decision) []corridor.Citation {
	var out []corridor.Citation
	for _, m := range d.Matched {
		drives := m.Outcome == d.Outcome || d.Outcome == corridor.Undetermined
		if m.Kind == "exemption" || m.Kind == "duty" || !drives {
			continue
		}
		for _, c := range m.Citations {
			if !slices.ContainsFunc(out, func(h corridor.Citation) bool { return h.Instrument == c.Instrument && h.Article == c.Article }) {
				out = append(out, c)
			}
		}
	}
	return out
}

// articles writes citations for a person.
func articles(cites []corridor.Citation) string {
	var out []string
	for _, c := range cites {
		name := c.Title.In("en")
		if name == "" {
			name = c.Instrument
		}
		out = append(out, name+", art. "+c.Article)
	}
	return strings.Join(out, "; ")
}

// waitsFor says why a person must act before the agreement: an outcome that
// needs approval, or a duty owed before the transfer without evidence. Both
// are looked at together, so that one act can settle them.
//
// Owners limits the duties that are looked at; none means all.
func (s *Service) waitsFor(n *Negotiation, sides []corridor.Decision, have map[string]corridor.Evidence, owners ...string) (string, []corridor.Citation) {
	var why []string
	var cites []corridor.Citation
	for _, d := range sides {
		if d.Outcome != corridor.NeedsApproval {
			continue
		}
		if err := s.lifts(n, &d); err != nil {
			_, reason, c := explain(err)
			if len(c) == 0 {
				c = citesOf(d)
			}
			cites, why = append(cites, c...), append(why, reason[0])
		}
	}
	if missing := s.unproven(n, sides, have, owners); len(missing) > 0 {
		why = append(why, "evidence is missing for duties owed before the transfer: "+strings.Join(missing, ", "))
	}
	return strings.Join(why, "; "), cites
}

func approved(list []corridor.Approval, side corridor.Side) bool {
	return slices.ContainsFunc(list, func(a corridor.Approval) bool { return a.Side == side })
}

// unproven lists the duties owed before the transfer that nobody has shown
// evidence for. Duties that only may apply count: the law left no doubt that
// would excuse them.
func (s *Service) unproven(n *Negotiation, sides []corridor.Decision, have map[string]corridor.Evidence, owners []string) []string {
	var out []string
	for _, d := range sides {
		for _, o := range d.Duties {
			if o.When != "before" || byPlane(o.Stage) || len(owners) > 0 && !slices.Contains(owners, o.Owner) || slices.Contains(out, o.ID) ||
				s.proven(o.ID, have) || importerProves(d.Side, o) && s.proven(o.ID, n.PeerEvidence) {
				continue
			}
			out = append(out, o.ID)
		}
	}
	return out
}

// importerProves says whether the importer's word is evidence for a duty: for
// what it owes, but not for what only an authority of the exporter's country
// discharges, nor for the exporter's part of what both owe.
func importerProves(side corridor.Side, o corridor.Obligation) bool {
	switch o.Owner {
	case "importer":
		return side == corridor.Import || o.Approver != corridor.ByAuthority
	case "both":
		return side == corridor.Import
	}
	return false
}

// theirProofs is the evidence of the importer without that for what is not its
// own to prove.
func (s *Service) theirProofs(n *Negotiation, sides []corridor.Decision) map[string]corridor.Evidence {
	out := merged(n.PeerEvidence)
	maps.DeleteFunc(out, func(name string, _ corridor.Evidence) bool { return !s.importersOwn(name, sides) })
	return out
}

// importersOwn says whether the importer may prove whatever duty of the
// decisions has a name; or, if none has it, whether the duty is an importer's.
func (s *Service) importersOwn(name string, sides []corridor.Decision) bool {
	info, known := s.cfg.Law.Obligation(name)
	asked := false
	for _, d := range sides {
		for _, o := range d.Duties {
			same, listed := s.cfg.Law.Obligation(o.ID)
			if o.ID != name && !(known && listed && same.ID == info.ID) {
				continue
			}
			if asked = true; !importerProves(d.Side, o) {
				return false
			}
		}
	}
	return asked || !known || info.Owner == "importer"
}

// proven looks for evidence under the duty's id or one of its other names.
func (s *Service) proven(id string, have map[string]corridor.Evidence) bool {
	names := []string{id}
	if info, ok := s.cfg.Law.Obligation(id); ok {
		names = append(append(names, info.ID), info.Aliases...)
	}
	return slices.ContainsFunc(names, func(name string) bool { return have[name].Ref != "" })
}

// makePlan puts the dataset's own stages and the offer's duties into one plan
// and holds it against the stages that the law demands.
func makePlan(d catalog.Dataset, owed []plane.Stage, sides []corridor.Decision) (plane.Plan, error) {
	plan := plane.Plan{Format: d.Format}
	if len(d.Plan) > 0 {
		if err := json.Unmarshal(d.Plan, &plan); err != nil {
			return plan, corridor.E(corridor.Internal, "the plan of dataset %s: %w", d.ID, err)
		}
	}
	for _, stage := range owed {
		if !slices.ContainsFunc(plan.Stages, func(have plane.Stage) bool { return covers(have, stage) }) {
			plan.Stages = append(plan.Stages, stage)
		}
	}
	for _, side := range sides {
		for _, o := range side.Duties {
			if !byPlane(o.Stage) || slices.ContainsFunc(plan.Stages, func(have plane.Stage) bool { return have.Do == o.Stage }) {
				continue
			}
			return plan, &corridor.Error{Kind: corridor.RefusedByLaw, Msg: fmt.Sprintf("the duty %s demands the stage %q, which the dataset's plan does not hold", o.ID, o.Stage),
				Why: articles(o.Citations), Fix: "publish the dataset with that stage in its plan", Cites: o.Citations}
		}
	}
	return plan, nil
}

func covers(have, want plane.Stage) bool {
	if have.Do != want.Do || have.Param != want.Param {
		return false
	}
	for _, c := range want.Columns {
		if !slices.Contains(have.Columns, c) {
			return false
		}
	}
	return true
}

// byPlane says whether a duty's stage is one that the data plane carries out
// on the bytes. The others are kept by the participants and tracked.
func byPlane(stage string) bool {
	switch stage {
	case "drop", "mask", "pseudonymise", "generalise":
		return true
	}
	return false
}

// decisionReceipt is the receipt of a decision, with what its commitment of
// the facts hides.
func decisionReceipt(kind string, d *SidedDecision) (receipt, error) {
	st, err := d.decode()
	if err != nil {
		return receipt{}, err
	}
	flow, err := corridor.Canonical(d.Flow)
	if err != nil {
		return receipt{}, err
	}
	digest := digestOf(st.Decision)
	digest.Facts = st.Facts
	return receipt{
		body: corridor.Receipt{Type: kind, Decision: digest, Digests: map[string]string{"decision": corridor.Digest(d.Signed.Statement)},
			Commitments: map[string]string{"flow": st.Facts}},
		secrets: []ledger.Secret{{Name: "flow", Salt: d.Salt, Value: flow}},
	}, nil
}

// digestOf is the part of a decision that a log may hold.
func digestOf(d corridor.Decision) *corridor.DecisionDigest {
	out := &corridor.DecisionDigest{Jurisdiction: d.Jurisdiction, Side: d.Side, Outcome: d.Outcome, Cites: []string{}, Obligations: []string{}, Pack: d.Pack, Source: corridor.Verified}
	for _, c := range citesOf(d) {
		out.Cites = append(out.Cites, c.Instrument+" "+c.Article)
	}
	for _, o := range d.Duties {
		out.Obligations = append(out.Obligations, o.ID)
	}
	for _, m := range d.Matched {
		if m.Source == corridor.Memory || m.Source == corridor.Secondary && out.Source == corridor.Verified {
			out.Source = m.Source
		}
	}
	return out
}
