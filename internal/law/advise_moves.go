package law

import (
	"slices"
	"strconv"

	"corridor"
)

// maxMoves bounds the ways to act on one flow.
const maxMoves = 256

// maxHorizon is how far ahead advice looks for a change of law.
const maxHorizon = 366

// move is one action ready to be taken on one flow.
type move struct {
	*action
	id, kind string
	cost     int64
	ready    corridor.Date // the first day on which it has been carried out
	member   string        // each members
	limit    int64         // each line: the number not to exceed
	later    bool          // each line: it matters only once another action adds people
	rest     int64         // each line: how many of this flow that leaves; -1: not counted
	rec      *record       // each record
	state    int           // the state aimed at
	filed    corridor.Date // a filing with a standstill: made on this day
	last     corridor.Date // and the last day of its term
	vars     []int         // the variables that it writes
	sole     []int         // of them, those that no other action of the plan may write
}

// moves lists every action that can be taken on the flow and would change
// something, in the order of actions.yaml.
func (s *search) moves() {
	for _, a := range s.lib.actions.list {
		if a.holds != nil && !s.surely(a.holds) {
			continue
		}
		switch a.each.kind {
		case "":
			s.offer(&move{action: a, id: a.id, kind: a.kind})
		case "members":
			s.members(a)
		case "line":
			s.lines(a)
		case "record":
			s.records(a)
		case "date":
			s.dates(a)
		}
	}
}

// surely says whether a precondition holds in every world that is left open.
func (s *search) surely(f *formula) bool {
	yes, _ := f.kleene(func(i int) (bool, bool) {
		a := &s.lib.actions.table.atoms[i]
		return a.certain(&s.base[a.v])
	})
	return yes
}

// offer takes a move in, unless it was refused or changes nothing.
func (s *search) offer(m *move) {
	if slices.Contains(s.limits.Without, m.id) || slices.Contains(s.limits.Without, m.action.id) || s.removesNeeded(m) {
		return
	}
	if m.ready == 0 {
		m.ready = s.flow.Date + corridor.Date(m.days)
	}
	m.cost += m.action.cost + int64(m.ready-s.flow.Date)/s.lib.actions.perCost
	s.writes(m)
	if !s.changes(m) {
		return
	}
	if len(s.list) == maxMoves {
		s.cut = true
		return
	}
	s.list = append(s.list, m)
}

// removesNeeded says whether the move takes away a class of data that the
// purpose needs.
func (s *search) removesNeeded(m *move) bool {
	for _, class := range m.removes(s.lib) {
		if slices.Contains(s.limits.Needed, class) {
			return true
		}
	}
	return false
}

// removes lists the classes of data that a move takes away.
func (m *move) removes(l *Library) []string {
	var out []string
	for _, e := range m.effects {
		switch {
		case e.op != "remove":
		case e.word == "each":
			out = append(out, m.member)
		default:
			out = append(out, l.actions.groups[e.word]...)
		}
	}
	return out
}

// writes notes the variables that a move writes.
func (s *search) writes(m *move) {
	note := func(alone bool, v ...int) {
		m.vars = append(m.vars, v...)
		if alone {
			m.sole = append(m.sole, v...)
		}
	}
	if m.rec != nil {
		note(true, m.rec.v)
	}
	for i := range m.effects {
		e := &m.effects[i]
		switch e.op {
		case "to", "raise":
			note(true, e.f.vars[0])
		case "clear":
			note(false, e.f.vars...)
		case "remove":
			for _, member := range m.removes(s.lib) {
				if v, ok := e.f.memberVar(s.lib.vars, member); ok {
					note(false, v)
				}
			}
		default:
			note(e.op == "at_most", e.f.vars[0])
			if c := e.counts; c != nil {
				for _, name := range []string{c.file, c.to} {
					if name != "" && (name == c.to || e.op != "restart") {
						note(false, s.variable(name))
					}
				}
			}
		}
		for _, f := range s.lib.vocab.facts {
			if f.derive != nil && f.derive.from == e.fact {
				note(false, f.vars[0])
			}
		}
	}
}

func (s *search) variable(fact string) int { return s.lib.vocab.byName[fact].vars[0] }

// changes says whether a move makes a difference that a law in sight can
// tell, or moves the day.
func (s *search) changes(m *move) bool {
	if m.later || m.each.kind == "date" && m.each.wait != "year" {
		return true
	}
	for _, d := range append([]corridor.Date{m.ready}, s.horizon()...) {
		day := s.at(d)
		vals := slices.Clone(day.vals)
		s.apply(m, vals, m.ready)
		for _, g := range day.sides {
			for _, v := range m.vars {
				if g.tellsApart(v, &vals[v], &day.vals[v]) {
					return true
				}
			}
		}
	}
	return false
}

// members offers the action for every member that the flow has or may have.
func (s *search) members(a *action) {
	f := s.lib.vocab.byName[a.each.fact]
	list := f.Values
	if a.each.group != "" {
		list = s.lib.actions.groups[a.each.group]
	}
	for _, m := range list {
		if v, ok := f.memberVar(s.lib.vars, m); ok && s.base[v].set.has(1) {
			s.offer(&move{action: a, id: a.id + ":" + m, kind: a.kind + ":" + m, member: m})
		}
	}
}

// lines offers to stay below each number that a law in sight draws. What was
// already sent this year is a floor: at least one person must be left.
func (s *search) lines(a *action) {
	v := s.variable(a.each.fact)
	x := s.base[v]
	floor, counted := int64(-1), false
	for i := range a.effects {
		if e := &a.effects[i]; e.op == "at_most" && e.counts != nil {
			floor, counted = s.sent(v, e.counts), true
		}
	}
	most := x.hi + s.grows(a.each.fact)
	for _, cut := range s.cuts(v) {
		n := cut - 1
		if n < max(a.each.least, floor+1) || n >= most && !x.none {
			continue
		}
		m := &move{action: a, id: a.id + ":" + strconv.FormatInt(n, 10), kind: a.kind, limit: n, rest: -1, later: n >= x.hi && !x.none}
		if counted {
			m.rest = n - floor
		}
		s.offer(m)
	}
}

// grows is how many people another action may add to a counter.
func (s *search) grows(counter string) (most int64) {
	for _, a := range s.lib.actions.list {
		for i := range a.effects {
			if e := &a.effects[i]; e.op == "release" && e.counts.to == counter {
				most = max(most, min(s.base[s.variable(e.counts.file)].hi, s.base[s.variable(e.fact)].hi))
			}
		}
	}
	return most
}

// sent is the most people who may have been sent already this year.
func (s *search) sent(v int, c *counts) int64 {
	file := s.base[s.variable(c.file)]
	mine := file.lo
	if c.less != "" && s.mayHave(c.group) {
		mine -= s.base[s.variable(c.less)].hi
	}
	return max(0, s.base[v].hi-max(0, mine))
}

// mayHave says whether the flow may hold a class of a group.
func (s *search) mayHave(group string) bool {
	for _, f := range s.lib.vocab.facts {
		for _, v := range f.vars {
			if f.Type == typeSet && slices.Contains(s.lib.actions.groups[group], s.lib.vars[v].member) && s.base[v].set.has(1) {
				return true
			}
		}
	}
	return false
}

// cuts lists, ascending, where a law in sight tells numbers of v apart.
func (s *search) cuts(v int) []int64 {
	var out []int64
	for _, d := range s.horizon() {
		for _, g := range s.at(d).sides {
			if at, ok := g.part.of[v]; ok {
				out = append(out, g.part.levels[at].cuts...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// records offers to put in place what the laws of the flow know: each state
// of each vehicle, filing or assessment but those that nobody can aim at.
func (s *search) records(a *action) {
	for side, g := range s.at(s.flow.Date).sides {
		for _, rec := range g.pack.records {
			if rec.class != a.each.class || rec.fixed || !s.tested(rec) || side > 0 && s.at(s.flow.Date).sides[0].pack == g.pack {
				continue
			}
			s.record(s.whoActs(a, g.side), rec)
		}
	}
}

// tested says whether a law in sight looks at the record.
func (s *search) tested(rec *record) bool {
	for _, d := range s.horizon() {
		for _, g := range s.at(d).sides {
			if _, ok := g.part.of[rec.v]; ok {
				return true
			}
		}
	}
	return false
}

// whoActs is the action with the actor whose law it is.
func (s *search) whoActs(a *action, side corridor.Side) *action {
	b := *a
	if acts, ok := map[corridor.Side]string{corridor.Export: "exporter", corridor.Import: "importer"}[side]; ok && b.actor == "both" {
		b.actor = acts
	}
	return &b
}

func (s *search) record(a *action, rec *record) {
	if rec.lead != nil {
		a.days = rec.lead.days
	}
	for i, state := range rec.states {
		if i == 0 || slices.Contains(a.each.except, state) {
			continue
		}
		m := move{action: a, id: a.id + ":" + rec.id + "=" + state, kind: a.kind + ":" + rec.id, rec: rec, state: i, cost: int64(i - 1)}
		if rec.still == nil {
			s.offer(&m)
			continue
		}
		s.filing(&m, state)
	}
}

// filing offers to file, and to file and let the term pass. What a term
// decides cannot be had without it, and a filing already made is not made
// again.
func (s *search) filing(m *move, state string) {
	still := m.rec.still
	if x := s.base[m.rec.v]; x.set.count() != 1 || !x.set.has(0) || slices.Contains(still.while, m.rec.states[0]) {
		return
	}
	m.filed = s.flow.Date + corridor.Date(m.action.days)
	last, _, missing := s.lib.calendars[still.calendar].termEnd(m.filed, still.days, waits)
	if missing != 0 {
		last = dateMax // a term without a calendar never counts as over
	}
	m.last = last
	switch {
	case state == still.while[0]:
		m.ready = m.filed
	case state == still.then && missing == 0:
		m.ready = last + 1
	default:
		return
	}
	s.offer(m)
}

// dates offers to wait: for a term that runs, for a law that changes, or for
// the counters to begin anew.
func (s *search) dates(a *action) {
	var days []corridor.Date
	switch a.each.wait {
	case "standstill":
		days = s.terms
	case "law":
		days = s.changesOfLaw()
	case "year":
		days = []corridor.Date{corridor.DateOf(s.flow.Date.Time().AddDate(1, 1-int(s.flow.Date.Time().Month()), 1-s.flow.Date.Time().Day()))}
	}
	for _, d := range days {
		s.offer(&move{action: a, id: a.id + ":" + d.String(), kind: a.kind, ready: d})
	}
}

// changesOfLaw lists the days within a year on which a law in sight begins or
// ends.
func (s *search) changesOfLaw() []corridor.Date {
	var out []corridor.Date
	for d := s.flow.Date; ; {
		next := corridor.Date(0)
		for _, g := range s.at(d).sides {
			if g.until != 0 && (next == 0 || g.until < next) {
				next = g.until
			}
		}
		if next == 0 || next > s.flow.Date+maxHorizon {
			return out
		}
		out, d = append(out, next), next
	}
}

// horizon lists the days whose law matters: today and each change within a
// year.
func (s *search) horizon() []corridor.Date {
	if s.epochs == nil {
		s.epochs = append([]corridor.Date{s.flow.Date}, s.changesOfLaw()...)
	}
	return s.epochs
}
