package engines

import (
	"fmt"
	"slices"

	"corridor"
)

// Law is one side of one pack as of one day, written out as hits: each says
// under which condition one provision takes part, and what it then yields.
// This is the definition of docs/pack-format.md and nothing else:
// the strictest outcome of the hits is the outcome, silence where none has one.
type Law struct {
	Pack    string
	Side    corridor.Side
	From    corridor.Date // from which this law holds; 0: ever since
	Silence corridor.Outcome
	Covered bool // the pack covers these days: what silence rests on is in force
	Hits    []*Hit
	byID    map[string]*Hit
	rules   int
}

// Hit is one way in which a provision takes part in a decision.
type Hit struct {
	ID      string // the rule, with the number of the result for one that has several
	Rule    string
	Kind    string // rule, exemption, duty
	Outcome corridor.Outcome
	Speaks  bool // it contributes its outcome
	Duties  []string
	cond    *cond
}

// Name names a law in files and packages.
func (l *Law) Name() string {
	return fmt.Sprintf("%s_%s_%s", l.Pack, l.Side, l.From.Time().Format("20060102"))
}

// law writes out one side as of one day.
func (p *Packs) law(one *pack, side corridor.Side, on corridor.Date) (*Law, error) {
	if one == nil {
		return nil, fmt.Errorf("no pack for the %s side", side)
	}
	changes, err := one.changes(side)
	if err != nil {
		return nil, err
	}
	l := &Law{Pack: one.ID, Side: side, Silence: one.Silence[side].Outcome, byID: map[string]*Hit{}}
	for _, c := range changes {
		if c <= on {
			l.From = c
		}
	}
	if done := p.laws[l.Name()]; done != nil {
		return done, nil
	}
	if l.Covered, err = one.covered(side, on); err != nil {
		return nil, err
	}
	w := &writing{Packs: p, pack: one, law: l, on: on, rules: map[string]*rule{}, lifts: map[string]*cond{}, parts: map[string]*cond{}}
	if err := w.write(); err != nil {
		return nil, fmt.Errorf("pack %s: %w", one.ID, err)
	}
	p.laws[l.Name()] = l
	return l, nil
}

// writing is a law being written out.
type writing struct {
	*Packs
	pack  *pack
	law   *Law
	on    corridor.Date
	order []*rule
	rules map[string]*rule // in force on this side
	whens map[string]*cond
	lifts map[string]*cond // exemptions: when they apply
	parts map[string]*cond // named conditions
}

func (w *writing) write() error {
	w.whens = map[string]*cond{}
	for i := range w.pack.Rules {
		r := &w.pack.Rules[i]
		in, err := covers(r.InForce.From, r.InForce.To, w.on)
		if err != nil {
			return err
		}
		if !in || !r.on(w.law.Side) {
			continue
		}
		w.order = append(w.order, r)
		w.law.rules++
		w.rules[r.ID] = r
		if w.whens[r.ID], err = w.parse.condition(r.When, w); err != nil {
			return fmt.Errorf("%s: %w", r.ID, err)
		}
	}
	for _, r := range w.order {
		if err := w.provision(r); err != nil {
			return fmt.Errorf("%s: %w", r.ID, err)
		}
	}
	return nil
}

// use gives a named condition.
func (w *writing) use(name string) (*cond, error) {
	if c := w.parts[name]; c != nil {
		return c, nil
	}
	c, err := w.parse.condition(w.pack.Conditions[name].When, w)
	if err != nil {
		return nil, fmt.Errorf("condition %s: %w", name, err)
	}
	w.parts[name] = named("use_"+name, c)
	return w.parts[name], nil
}

// list gives the edition of a list that is in force.
func (w *writing) list(name string) ([]string, error) {
	for _, e := range w.pack.Lists[name].Editions {
		if in, err := covers(e.From, e.To, w.on); in || err != nil {
			return e.Codes, err
		}
	}
	return nil, nil
}

// applies says when a rule applies: its condition holds and nothing lifts it.
func (w *writing) applies(r *rule) *cond {
	kids := []*cond{w.whens[r.ID]}
	for _, id := range r.Unless {
		if e := w.rules[id]; e != nil {
			kids = append(kids, not(w.exemption(e)))
		}
	}
	return all(kids...)
}

func (w *writing) exemption(e *rule) *cond {
	if w.lifts[e.ID] == nil {
		w.lifts[e.ID] = named("exempt_"+e.ID, w.applies(e))
	}
	return w.lifts[e.ID]
}

func (w *writing) provision(r *rule) error {
	switch r.Kind {
	case "exemption":
		return w.lifting(r)
	case "duty":
		w.add(&Hit{ID: r.ID, Rule: r.ID, Kind: r.Kind, Duties: r.Obligations, cond: w.applies(r)})
		return nil
	}
	var earlier []*cond
	for i, res := range r.Results {
		kids := append([]*cond{w.applies(r)}, earlier...)
		if res.When != "" {
			c, err := w.parse.condition(res.When, w)
			if err != nil {
				return err
			}
			c = named(fmt.Sprintf("result_%s_%d", r.ID, i), c)
			kids, earlier = append(kids, c), append(earlier, not(c))
		}
		id := r.ID
		if len(r.Results) > 1 {
			id = fmt.Sprintf("%s/%d", r.ID, i)
		}
		w.add(&Hit{ID: id, Rule: r.ID, Kind: "rule", Outcome: res.Outcome, Speaks: true, Duties: res.Obligations, cond: all(kids...)})
	}
	return nil
}

// lifting adds an exemption: it takes part if it applies and has obligations
// of its own, or a rule that it lifts would otherwise have applied.
func (w *writing) lifting(e *rule) error {
	h := &Hit{ID: e.ID, Rule: e.ID, Kind: e.Kind, Outcome: corridor.AllowWithObligations, Speaks: len(e.Obligations) > 0,
		Duties: e.Obligations, cond: w.exemption(e)}
	if !h.Speaks {
		var lifted []*cond
		for _, r := range w.order {
			if slices.Contains(r.Unless, e.ID) {
				lifted = append(lifted, w.whens[r.ID])
			}
		}
		h.cond = all(w.exemption(e), some(lifted...))
	}
	w.add(h)
	return nil
}

func (w *writing) add(h *Hit) {
	for i, d := range h.Duties {
		if id, ok := w.aliases[d]; ok {
			h.Duties[i] = id
		}
	}
	h.cond = h.cond.flat()
	w.law.Hits = append(w.law.Hits, h)
	w.law.byID[h.ID] = h
}

// flat joins nested "and" and nested "or".
func (c *cond) flat() *cond {
	if c.op != opAnd && c.op != opOr {
		return c
	}
	out := &cond{op: c.op}
	for _, k := range c.kids {
		if k = k.flat(); k.op == c.op {
			out.kids = append(out.kids, k.kids...)
		} else {
			out.kids = append(out.kids, k)
		}
	}
	return out
}

// Answer is what one engine says of one side.
type Answer struct {
	Outcome corridor.Outcome
	Matched []string // rule=outcome, exemption or duty
	Duties  []string
}

// answer draws up what the hits amount to.
func (l *Law) answer(hits []*Hit) Answer {
	a := Answer{Outcome: corridor.Undetermined, Matched: make([]string, 0, len(hits))}
	for _, h := range hits {
		a.Matched = append(a.Matched, h.match())
		if h.Speaks {
			a.Outcome = min(a.Outcome, h.Outcome)
		}
		for _, d := range h.Duties {
			if !slices.Contains(a.Duties, d) {
				a.Duties = append(a.Duties, d)
			}
		}
	}
	if a.Outcome == corridor.Undetermined {
		a.Outcome = l.Silence
	}
	a.Outcome = l.says(a.Outcome)
	return a
}

// says keeps a pack from permitting anything on a day that it does not cover.
func (l *Law) says(o corridor.Outcome) corridor.Outcome {
	if o.Permits() && !l.Covered {
		return corridor.Undetermined
	}
	return o
}

func (h *Hit) match() string {
	if h.Kind == "rule" {
		return h.Rule + "=" + h.Outcome.String()
	}
	return h.Rule
}

// Plain decides by walking the conditions, without any engine.
func (l *Law) Plain(w *World) Answer {
	var hits []*Hit
	for _, h := range l.Hits {
		if h.cond.holds(w) {
			hits = append(hits, h)
		}
	}
	return l.answer(hits)
}

// Of brings a decision of internal/law into the same form.
func Of(d *corridor.Decision) Answer {
	a := Answer{Outcome: d.Outcome}
	for i := range d.Matched {
		switch m := &d.Matched[i]; m.Kind {
		case "silence":
		case "rule":
			a.Matched = append(a.Matched, m.Rule+"="+m.Outcome.String())
		default:
			a.Matched = append(a.Matched, m.Rule)
		}
	}
	for i := range d.Duties {
		a.Duties = append(a.Duties, d.Duties[i].ID)
	}
	return a
}

// Differs says in what two answers differ, in words; nothing if they agree.
func (a Answer) Differs(b Answer) string {
	sort := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
	switch {
	case a.Outcome != b.Outcome:
		return fmt.Sprintf("outcome %s, not %s", b.Outcome, a.Outcome)
	case !slices.Equal(sort(a.Matched), sort(b.Matched)):
		return fmt.Sprintf("provisions %v, not %v", sort(b.Matched), sort(a.Matched))
	case !slices.Equal(sort(a.Duties), sort(b.Duties)):
		return fmt.Sprintf("obligations %v, not %v", sort(b.Duties), sort(a.Duties))
	}
	return ""
}
