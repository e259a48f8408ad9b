package law

import (
	"slices"
	"strconv"
	"strings"

	"corridor"
)

// Limits steer advice. The zero value is right for most flows.
type Limits struct {
	Plans   int      // most plans; 0: 5
	Actions int      // most actions in one plan; 0: 8
	Sets    int      // most sets of actions to look at; 0: 20,000
	Needed  []string // classes of data that the purpose needs: no plan removes them
	Without []string // actions not to be used, by id (drop_class) or instance (drop_class:health)
}

// Advice is what can be done about a flow that the law does not let go.
type Advice struct {
	Verdict  corridor.Verdict    `json:"verdict"`       // of the flow as it is
	Plans    []Plan              `json:"plans"`         // the cheapest first; each brings a kind of action that none before it has
	Ask      []corridor.Question `json:"ask,omitempty"` // undetermined: what to answer first, the most telling first
	Complete bool                `json:"complete"`      // nothing was left out: no plan means that there is none
	Blind    []string            `json:"blind,omitempty"`
	Fixed    []Obstacle          `json:"fixed,omitempty"` // no plan: provisions in the way that no action left touches
}

// Plan is a set of actions that together make the flow lawful. No part of it
// alone does. Where facts are unknown it holds whatever they are.
type Plan struct {
	Actions []Action         `json:"actions"`
	Cost    int64            `json:"cost"`
	Days    int              `json:"days"`    // until the flow may start
	Ready   corridor.Date    `json:"ready"`   // the day for which it was decided anew
	Flow    corridor.Flow    `json:"flow"`    // the flow once the plan is carried out
	Verdict corridor.Verdict `json:"verdict"` // what the law says of that flow
	Settles []Obstacle       `json:"settles"` // provisions that stood in the way and no longer do
}

// Action is one step of a plan.
type Action struct {
	ID      string         `json:"id"`
	Action  string         `json:"action"` // its entry in actions.yaml
	Actor   string         `json:"actor"`
	Days    int            `json:"days"`
	Cost    int64          `json:"cost"`
	Stage   string         `json:"stage,omitempty"`   // data-plane stage that carries it out
	Removes []string       `json:"removes,omitempty"` // classes of data that it takes away
	Open    []string       `json:"open,omitempty"`    // of them, those of which nothing says that they are there
	Sets    corridor.Facts `json:"sets"`              // facts that are different afterwards
	Rules   []string       `json:"rules"`             // provisions in the way that look at these facts
	Text    corridor.Text  `json:"text"`
}

// Obstacle is a provision that keeps a flow from starting.
type Obstacle struct {
	Rule      string              `json:"rule"`
	Side      corridor.Side       `json:"side"`
	Outcome   corridor.Outcome    `json:"outcome"`
	Citations []corridor.Citation `json:"citations"`
}

func (m Limits) withDefaults() Limits {
	set := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	set(&m.Plans, 5)
	set(&m.Actions, 8)
	set(&m.Sets, 20_000)
	return m
}

// Advise finds the cheapest lawful ways to reach the flow's purpose. It never
// chooses what is unknown: a plan holds in every world that the facts leave
// open, and Ask says which answers would open more ways. Every plan has been
// decided anew by the engine before it is returned.
func (l *Library) Advise(f corridor.Flow, limits Limits) (Advice, error) {
	v, err := l.Decide(f)
	if err != nil {
		return Advice{}, err
	}
	out := Advice{Verdict: v, Plans: []Plan{}, Complete: true}
	for _, d := range v.Sides {
		if d.Pack.ID == "" {
			out.Blind = append(out.Blind, d.Jurisdiction)
		}
		if v.Outcome == corridor.Undetermined {
			out.Ask = append(out.Ask, d.Questions...)
		}
	}
	if v.Outcome.Permits() || len(out.Blind) > 0 {
		return out, nil
	}
	s, err := l.search(f, limits.withDefaults())
	if err != nil {
		return Advice{}, err
	}
	for _, set := range s.run() {
		p, err := s.plan(set, v)
		if err != nil {
			return Advice{}, err
		}
		out.Plans = append(out.Plans, p)
	}
	out.Complete = !s.cut
	if len(out.Plans) == 0 {
		out.Fixed = s.fixed(inTheWay(v))
	}
	return out, nil
}

// fixed lists the provisions that surely stand in the way and look at nothing
// that a move could change.
func (s *search) fixed(obstacles []Obstacle) []Obstacle {
	var out []Obstacle
	for _, o := range obstacles {
		if !slices.ContainsFunc(s.list, func(m *move) bool { return s.looksAt(o, m) }) {
			out = append(out, o)
		}
	}
	return out
}

// After gives the flow once some actions of a plan, named by id, have been
// carried out on its day, and no others. If it is not sure that they did what
// they should, the flow may be as it was or as they make it.
func (l *Library) After(f corridor.Flow, ids []string, sure bool) (corridor.Flow, error) {
	s, err := l.search(f, Limits{}.withDefaults())
	if err != nil {
		return f, err
	}
	var set bitset256
	for _, id := range ids {
		i := slices.IndexFunc(s.list, func(m *move) bool { return m.id == id })
		if i < 0 {
			return f, corridor.E(corridor.NotFound, "%q is no action that this flow can take", id)
		}
		set.add(i)
	}
	vals := slices.Clone(s.after(set, f.Date))
	if !sure {
		for v := range vals {
			vals[v] = either(vals[v], s.base[v])
		}
	}
	f.Facts = s.facts(set, vals)
	return f, nil
}

func (l *Library) search(f corridor.Flow, limits Limits) (*search, error) {
	own := l.byJurisdiction[f.Origin]
	in, err := l.read(f, own)
	if err != nil {
		return nil, err
	}
	s := &search{lib: l, own: own, flow: f, limits: limits, days: map[corridor.Date]*scene{}}
	for _, t := range in.standstills() {
		if t.ends != 0 && t.rec.still != nil { // that a vehicle ends is nothing to wait for
			s.terms = append(s.terms, t.ends)
		}
	}
	slices.Sort(s.terms)
	s.terms, s.base = slices.Compact(s.terms), in.vals
	s.moves()
	s.exclusions()
	return s, nil
}

// plan writes a set of moves out and decides it anew.
func (s *search) plan(set bitset256, before corridor.Verdict) (Plan, error) {
	day := s.ready(set)
	vals := slices.Clone(s.after(set, day))
	p := Plan{Cost: s.cost(set), Ready: day, Days: int(day - s.flow.Date), Flow: s.flow}
	p.Flow.Date, p.Flow.Facts = day, s.facts(set, vals)
	var err error
	if p.Verdict, err = s.lib.Decide(p.Flow); err != nil {
		return p, corridor.E(corridor.Internal, "advice does not hold: %w", err)
	}
	if !p.Verdict.Outcome.Permits() {
		return p, corridor.E(corridor.Internal, "advice does not hold: decided anew it is %s", p.Verdict.Outcome)
	}
	obstacles := inTheWay(before)
	for i, m := range s.list {
		if set.has(i) {
			p.Actions = append(p.Actions, s.action(m, vals, obstacles))
		}
	}
	for _, o := range obstacles {
		if !slices.ContainsFunc(inTheWay(p.Verdict), func(x Obstacle) bool { return x.Rule == o.Rule && x.Side == o.Side }) {
			p.Settles = append(p.Settles, o)
		}
	}
	return p, nil
}

// inTheWay lists the provisions that keep a flow from starting, or may.
func inTheWay(v corridor.Verdict) []Obstacle {
	var out []Obstacle
	for _, d := range v.Sides {
		for _, m := range d.Matched {
			if (m.Kind == kindRule || m.Kind == kindSilence) && !m.Outcome.Permits() &&
				!slices.ContainsFunc(out, func(o Obstacle) bool { return o.Rule == m.Rule && o.Side == d.Side }) {
				out = append(out, Obstacle{m.Rule, d.Side, m.Outcome, m.Citations})
			}
		}
	}
	return out
}

func (s *search) action(m *move, vals []values, obstacles []Obstacle) Action {
	a := Action{ID: m.id, Action: m.action.id, Actor: m.actor, Days: int(m.ready - s.flow.Date), Cost: m.cost, Stage: m.stage,
		Sets: s.says(m, vals), Rules: []string{}, Text: s.wording(m)}
	a.Removes, a.Open = s.taken(m)
	for _, o := range obstacles {
		if s.looksAt(o, m) {
			a.Rules = append(a.Rules, o.Rule)
		}
	}
	return a
}

// taken lists the classes that a move takes away and that may be there, and
// those of them that may just as well not be.
func (s *search) taken(m *move) (classes, open []string) {
	for i := range m.effects {
		for _, class := range m.removes(s.lib) {
			v, ok := m.effects[i].f.memberVar(s.lib.vars, class)
			if !ok || m.effects[i].op != "remove" || !s.base[v].set.has(1) {
				continue
			}
			classes = append(classes, class)
			if s.base[v].set.has(0) {
				open = append(open, class)
			}
		}
	}
	return classes, open
}

// looksAt says whether a provision depends on a fact that the move writes; a
// move that waits for a term or for another law touches every provision.
func (s *search) looksAt(o Obstacle, m *move) bool {
	if m.each.kind == "date" && m.each.wait != "year" {
		return true
	}
	for _, g := range s.at(s.flow.Date).sides {
		for i := range g.rules {
			if g.rules[i].id != o.Rule || g.side != o.Side {
				continue
			}
			for _, v := range m.vars {
				if l, ok := g.part.of[v]; ok && g.rules[i].uses[l] {
					return true
				}
			}
		}
	}
	return false
}

// wording fills in what an action's text leaves open.
func (s *search) wording(m *move) corridor.Text {
	t, state := m.text, ""
	if m.rec != nil {
		state = m.rec.states[m.state]
		if m.rec.lead != nil {
			t = m.rec.lead.text
		}
	}
	say := func(text, question, sep string) string {
		return strings.NewReplacer("{member}", m.member, "{limit}", grouped(m.limit, sep), "{rest}", grouped(m.rest, sep),
			"{sent}", grouped(m.limit-m.rest, sep), "{question}", question, "{state}", state, "{date}", m.ready.String(),
			"{origin}", s.flow.Origin).Replace(text)
	}
	var q corridor.Text
	if m.rec != nil {
		q = m.rec.question
	}
	return corridor.Text{EN: say(t.EN, q.EN, ","), ZH: say(t.ZH, q.ZH, ","), RU: say(t.RU, q.RU, "\u00a0")}
}

// grouped writes a number in groups of three digits.
func grouped(n int64, sep string) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + sep + s[i:]
	}
	return s
}
