package corridor

import (
	"fmt"
	"slices"
)

// Outcome is what a law says about a flow. The zero Outcome is Deny, so that
// a forgotten assignment refuses.
type Outcome uint8

// The outcomes, strictest first. Undetermined is not a place in that order:
// it says that a fact still unknown could change the result, and automation
// treats it as a refusal that names the questions.
const (
	Deny Outcome = iota
	NeedsApproval
	AllowWithObligations
	Allow
	Undetermined
)

var outcomeNames = [...]string{"deny", "needs_approval", "allow_with_obligations", "allow", "undetermined"}

// String gives the outcome's name in packs, receipts and JSON.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// ParseOutcome is the inverse of String.
func ParseOutcome(s string) (Outcome, error) {
	for i, n := range outcomeNames {
		if n == s {
			return Outcome(i), nil
		}
	}
	return Deny, &Error{Kind: Invalid, Msg: fmt.Sprintf("%q is not an outcome", s), Fix: "use allow, allow_with_obligations, needs_approval or deny"}
}

// MarshalText implements encoding.TextMarshaler.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Outcome) UnmarshalText(b []byte) error {
	v, err := ParseOutcome(string(b))
	*o = v
	return err
}

// Permits says whether a flow with this outcome may start now.
func (o Outcome) Permits() bool { return o == Allow || o == AllowWithObligations }

// Strictest combines two sides: deny wins over everything; undetermined wins
// over all that a missing fact could still make stricter.
func Strictest(a, b Outcome) Outcome {
	if a == Deny || b == Deny {
		return Deny
	}
	if a == Undetermined || b == Undetermined {
		return Undetermined
	}
	return min(a, b)
}

// SourceStatus is how strong the evidence for a rule is.
type SourceStatus string

// Verified: the statute's wording or a regulator's page was seen. Secondary:
// a law-firm note, press or a third-party record says so. Memory: not seen;
// such a rule may only restrict.
const (
	Verified  SourceStatus = "verified"
	Secondary SourceStatus = "secondary"
	Memory    SourceStatus = "memory"
)

// Citation points into an instrument of the pack.
type Citation struct {
	Instrument string `json:"instrument" yaml:"instrument"` // id in the pack's instruments
	Article    string `json:"article" yaml:"article"`
	Title      Text   `json:"title,omitzero" yaml:"-"`
}

// Match is one provision that took part in a decision.
type Match struct {
	Rule      string       `json:"rule"`
	Kind      string       `json:"kind"`    // rule, exemption, duty, silence
	Outcome   Outcome      `json:"outcome"` // what it contributed (meaningless for exemption and duty)
	Certain   bool         `json:"certain"` // in every world that the facts leave open
	Source    SourceStatus `json:"source"`
	SourceRef string       `json:"source_ref,omitempty"`
	SourceOn  Date         `json:"source_on,omitempty"`
	Citations []Citation   `json:"citations"`
	Text      Text         `json:"text"`
	Lifts     []string     `json:"lifts,omitempty"` // rules that an exemption lifted here
}

// Obligation is a duty that comes with an outcome.
type Obligation struct {
	ID        string     `json:"id"`
	Owner     string     `json:"owner"`              // exporter, importer
	When      string     `json:"when"`               // before, during, after
	Approver  string     `json:"approver,omitempty"` // authority: only its word discharges the duty; empty: the owner's own
	Stage     string     `json:"stage,omitempty"`    // data-plane stage that carries it out; empty for organisational duties
	Deadline  string     `json:"deadline,omitempty"`
	Evidence  string     `json:"evidence,omitempty"` // what discharges it
	Certain   bool       `json:"certain"`
	Rules     []string   `json:"rules"`
	Citations []Citation `json:"citations"`
	Text      Text       `json:"text"`
}

// Question is a fact whose answer can still change the outcome.
type Question struct {
	Fact      string     `json:"fact"`
	Member    string     `json:"member,omitempty"` // for a set: the member asked about
	Type      string     `json:"type"`
	Options   []string   `json:"options,omitempty"`
	Text      Text       `json:"text"`
	Asks      string     `json:"asks,omitempty"` // who usually knows: exporter, importer, officer
	Rules     []string   `json:"rules"`
	Citations []Citation `json:"citations"`
}

// NearMiss is a rule one fact away from applying or from being lifted.
type NearMiss struct {
	Rule    string  `json:"rule"`
	Fact    string  `json:"fact"`
	Value   string  `json:"value"` // the value that would flip it
	Outcome Outcome `json:"outcome"`
	Text    Text    `json:"text"`
}

// PackRef names one edition of a rule pack by its content.
type PackRef struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Digest  string `json:"digest"` // "sha256:" and 64 hex digits
}

// Decision is one side's law applied to a flow.
type Decision struct {
	Jurisdiction string       `json:"jurisdiction"`
	Side         Side         `json:"side"`
	Outcome      Outcome      `json:"outcome"`
	Best         Outcome      `json:"best"`  // equal to Outcome unless undetermined
	Worst        Outcome      `json:"worst"` // equal to Outcome unless undetermined
	Matched      []Match      `json:"matched"`
	Duties       []Obligation `json:"duties"`
	Questions    []Question   `json:"questions,omitempty"`
	NearMisses   []NearMiss   `json:"near_misses,omitempty"`
	Unverified   bool         `json:"unverified"` // a rule that drives the outcome is not verified
	Assumed      []string     `json:"assumed,omitempty"`
	ValidUntil   Date         `json:"valid_until,omitempty"`
	Notes        []string     `json:"notes,omitempty"` // for example: no rule pack for this jurisdiction
	Pack         PackRef      `json:"pack"`
	Layers       []PackRef    `json:"layers,omitempty"` // other packs that took part: the treaties that bind this state
	// Instruments holds the titles that the citations mean, once each, where
	// they do not carry them (Brief).
	Instruments map[string]Text `json:"instruments,omitempty"`
	Engine      string          `json:"engine"`
}

// Span is the best and the worst outcome that the open facts leave.
func (d *Decision) Span() (best, worst Outcome) {
	if d.Outcome == Undetermined {
		return d.Best, d.Worst
	}
	return d.Outcome, d.Outcome
}

// narrow is the outcome between a best and a worst one.
func narrow(best, worst Outcome) Outcome {
	if best == worst {
		return best
	}
	return Undetermined
}

// With joins the decision on another layer of law that binds the same side:
// the strictest outcome wins, and what both ask for is asked for.
func (d Decision) With(layer Decision) Decision {
	best, worst := d.Span()
	b, w := layer.Span()
	drives := min(worst, w) == w
	d.Best, d.Worst = min(best, b), min(worst, w)
	d.Outcome = narrow(d.Best, d.Worst)
	d.Unverified = d.Unverified || layer.Unverified && drives
	d.Matched = slices.Concat(d.Matched, layer.Matched)
	d.Duties = slices.Concat(d.Duties, layer.Duties)
	d.Questions, d.NearMisses = slices.Concat(d.Questions, layer.Questions), slices.Concat(d.NearMisses, layer.NearMisses)
	d.Assumed, d.Notes = union(d.Assumed, layer.Assumed), union(d.Notes, layer.Notes)
	if d.Outcome != Undetermined {
		d.Questions = nil
	}
	if layer.ValidUntil != 0 && (d.ValidUntil == 0 || layer.ValidUntil < d.ValidUntil) {
		d.ValidUntil = layer.ValidUntil
	}
	d.Layers = append(slices.Clone(d.Layers), layer.Pack)
	return d
}

func union(a, b []string) []string {
	for _, s := range b {
		a = addNew(slices.Clip(a), s)
	}
	return a
}

// Brief is the decision as it is signed and kept: every provision with its
// articles, every duty, and the titles of the instruments once. The words of
// provisions and duties are those of the pack, which its digest names.
func (d Decision) Brief() Decision {
	d.Instruments = map[string]Text{}
	brief := func(list []Citation) []Citation {
		list = slices.Clone(list)
		for i, c := range list {
			if c.Title != (Text{}) {
				d.Instruments[c.Instrument] = c.Title
			}
			list[i].Title = Text{}
		}
		return list
	}
	d.Matched, d.Duties, d.Questions, d.NearMisses = slices.Clone(d.Matched), slices.Clone(d.Duties), slices.Clone(d.Questions), nil
	for i := range d.Matched {
		d.Matched[i].Text, d.Matched[i].Citations = Text{}, brief(d.Matched[i].Citations)
	}
	for i := range d.Duties {
		d.Duties[i].Text, d.Duties[i].Evidence, d.Duties[i].Citations = Text{}, "", brief(d.Duties[i].Citations)
	}
	for i := range d.Questions {
		d.Questions[i].Citations = brief(d.Questions[i].Citations)
	}
	return d
}

// entitle gives the citations of a brief decision their titles again.
func (d *Decision) entitle() {
	entitle := func(list []Citation) {
		for i := range list {
			if t, ok := d.Instruments[list[i].Instrument]; ok && list[i].Title == (Text{}) {
				list[i].Title = t
			}
		}
	}
	for i := range d.Matched {
		entitle(d.Matched[i].Citations)
	}
	for i := range d.Duties {
		entitle(d.Duties[i].Citations)
	}
	for i := range d.Questions {
		entitle(d.Questions[i].Citations)
	}
}

// Open says whether facts are missing that could change the outcome. What is
// undetermined without being open stays so whatever is answered: there is no
// pack, or none for that day.
func (d *Decision) Open() bool { return d.Outcome == Undetermined && len(d.Questions) > 0 }

// Silent says whether no provision took part: silence alone decided.
func (d *Decision) Silent() bool {
	return !slices.ContainsFunc(d.Matched, func(m Match) bool { return m.Kind != "silence" })
}

// Verdict is the decisions of both sides and of the treaties between them
// combined: the strictest outcome and the union of the obligations.
type Verdict struct {
	Outcome     Outcome    `json:"outcome"`
	Obligations []string   `json:"obligations"`                    // ids of the duties that are certain
	Possible    []string   `json:"possible_obligations,omitempty"` // ids of those that a fact still open decides
	Missing     []string   `json:"missing"`                        // fact names, the best question first
	Sides       []Decision `json:"sides"`
	Packs       []PackRef  `json:"packs"`
	Flow        Flow       `json:"flow"`
}

// Combine puts the sides' decisions together. No decision at all is a deny.
// What one side leaves open is settled where another side is stricter than
// anything it could come to.
func Combine(flow Flow, sides ...Decision) Verdict {
	v := Verdict{Flow: flow, Sides: sides, Obligations: []string{}, Missing: []string{}, Packs: []PackRef{}}
	if len(sides) == 0 {
		return v
	}
	best, worst := sides[0].Span()
	duties := 0
	for i := range sides {
		b, w := sides[i].Span()
		best, worst = min(best, b), min(worst, w)
		duties += len(sides[i].Duties)
	}
	v.Outcome = narrow(best, worst)
	v.Obligations, v.Packs = make([]string, 0, duties), make([]PackRef, 0, len(sides))
	open := false
	for i := range sides {
		for j := range sides[i].Duties {
			o := &sides[i].Duties[j]
			if open = open || !o.Certain; o.Certain {
				v.Obligations = addNew(v.Obligations, o.ID)
			}
		}
	}
	for i := range sides {
		for j := range sides[i].Duties {
			if o := &sides[i].Duties[j]; open && !o.Certain && !slices.Contains(v.Obligations, o.ID) {
				v.Possible = addNew(v.Possible, o.ID)
			}
		}
	}
	for i := range sides {
		d := &sides[i]
		if v.Outcome == Undetermined && matters(sides, i) {
			for _, q := range d.Questions {
				v.Missing = addNew(v.Missing, q.Fact)
			}
		}
		if d.Pack.Digest != "" {
			v.Packs = append(v.Packs, d.Pack)
		}
	}
	return v
}

// matters says whether what a side leaves open can change the outcome of all:
// not where the others are stricter than anything it could come to.
func matters(sides []Decision, i int) bool {
	best, worst := sides[i].Span()
	others := Allow
	for j := range sides {
		if j != i {
			b, _ := sides[j].Span()
			others = min(others, b)
		}
	}
	return min(best, others) != min(worst, others)
}

// Open lists the sides whose questions can still change the verdict.
func (v *Verdict) Open() []*Decision {
	var out []*Decision
	for i := range v.Sides {
		if v.Outcome == Undetermined && matters(v.Sides, i) {
			out = append(out, &v.Sides[i])
		}
	}
	return out
}

func addNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
