package law

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"corridor"
)

// Sizes that fit the fixed bitsets of the fast path.
const (
	ruleWords = (maxRules + 63) / 64
	maxDuties = 256
)

// program is one side of one pack's law between two changes of it, compiled.
type program struct {
	lib    *Library
	serial uint64 // names this program in the cache of explanations
	pack   *pack
	side   corridor.Side
	from   corridor.Date // first day, 0 if open
	until  corridor.Date // first day of the next law, 0 if none

	part   *partition
	words  int
	bits   [][]uint64 // per level and class: the atoms that hold, words each
	code   []instr
	rules  []prule // exemptions first, in an order in which each comes after those that lift it
	lifts  int     // exemptions: rules[:lifts]
	duty   []corridor.Obligation
	cites  []corridor.Citation // what any rule cites, each once
	still  []*record           // filings with a standstill that this program tests
	tested []bool              // by variable: whether what is said of it can matter to the rules

	silence  corridor.Match
	unknown  bool // nothing that silence rests on is in force: the pack does not cover these days
	silent   corridor.Outcome
	base     corridor.Decision // what every decision of this program shares
	axioms   []int             // the axioms that bind what the rules look at
	spare    []int             // connected axioms that bind nothing of it: see axioms.needed
	stays    []stay            // what spare axioms can hold as it is
	shown    []int             // the levels in the order in which people see them, whatever axioms are spared
	graph    graph
	graphOne sync.Once
	graphErr error
	cache    shared
	lately   [128]atomic.Pointer[answered] // by hash of the facts' classes
	seed     maphash.Seed
	err      error
}

// stay is a spare axiom "A implies B" with the level of B: while A surely
// holds, B stays as it is.
type stay struct{ axiom, level int }

// instr is one step of a condition: test an atom and go on. Targets below
// zero end it.
type instr struct {
	word    uint16
	bit     uint16
	yes, no int32
}

const (
	isTrue  int32 = -1
	isFalse int32 = -2
)

// prule is one rule of a program.
type prule struct {
	*rule
	when       int32
	unless     [ruleWords]uint64 // exemptions that lift it, by index
	results    []presult
	targets    []int // exemption: indices of the rules that name it
	match      corridor.Match
	duties     []int    // exemption and duty: indices into program.duty
	self       []string // its id, ready to be shared
	unverified bool
	uses       map[int]bool // levels on which it depends, with its exemptions
	cited      []int        // what it cites, as indices of program.cites
}

type presult struct {
	when    int32
	outcome corridor.Outcome
	match   corridor.Match
	duties  []int
}

// compileProgram builds the program of one side as of one date.
func (l *Library) compileProgram(p *pack, side corridor.Side, day corridor.Date) *program {
	return l.compileWith(p, side, day, l.axioms.needed)
}

// compileWith is compileProgram with a choice among the connected axioms:
// which the program keeps, and which it leaves out.
func (l *Library) compileWith(p *pack, side corridor.Side, day corridor.Date, choose func(connected []int, rules map[int]bool) (kept, spare []int)) *program {
	g := &program{lib: l, serial: l.explained.serial.Add(1), seed: maphash.MakeSeed(), pack: p, side: side, silent: p.silence[side].outcome}
	rules := g.inForce(day)
	atoms, used := g.collect(rules, day)
	looked := maps.Clone(used)
	g.axioms = l.axioms.connected(used)
	shown := g.arrange(rules, used)
	g.axioms, g.spare = choose(g.axioms, looked)
	for _, a := range g.axioms {
		for _, v := range l.axioms.vars[a] {
			looked[v] = true
		}
	}
	part, err := split(l.vars, g.withAxioms(atoms), g.arrange(rules, looked))
	if err != nil {
		g.err = err
		return g
	}
	g.part = part
	for _, v := range shown {
		if at, ok := part.of[v]; ok {
			g.shown = append(g.shown, at)
		}
	}
	for _, a := range g.spare {
		if at, looked := part.of[l.axioms.list[a].target]; looked {
			g.stays = append(g.stays, stay{a, at})
		}
	}
	g.markLaw(len(atoms))
	g.markTested()
	g.tabulate(len(atoms))
	g.emitRules(rules)
	if len(g.duty) > maxDuties {
		g.err = corridor.E(corridor.Limited, "pack %s: more than %d different obligations on one side", p.id, maxDuties)
	}
	g.common(day)
	for _, c := range p.records {
		if _, tested := part.of[c.v]; tested && c.still != nil {
			g.still = append(g.still, c)
		}
	}
	return g
}

// inForce lists the rules of this side on a day: exemptions first, each after
// those that lift it.
func (g *program) inForce(day corridor.Date) []*rule {
	var out []*rule
	seen := map[*rule]bool{}
	ok := func(u *rule) bool { return u.on(g.side) && u.covers(day) }
	var visit func(u *rule)
	visit = func(u *rule) {
		if seen[u] || !ok(u) {
			return
		}
		seen[u] = true
		for _, e := range u.opts {
			visit(e)
		}
		out = append(out, u)
	}
	for _, u := range g.pack.rules {
		if u.kind == kindExemption {
			visit(u)
		}
	}
	g.lifts = len(out)
	for _, u := range g.pack.rules {
		visit(u)
	}
	return out
}

// formulas lists the conditions of a rule.
func (u *rule) formulas() []*formula {
	out := []*formula{u.when}
	for _, r := range u.results {
		out = append(out, r.when)
	}
	return out
}

// collect gives the pack's atoms with the dated lists filled in for the day,
// and the variables that the rules use.
func (g *program) collect(rules []*rule, day corridor.Date) ([]atom, map[int]bool) {
	atoms := append([]atom(nil), g.pack.table.atoms...)
	for i := range atoms {
		if n := atoms[i].list; n > 0 {
			for _, e := range g.pack.lists[n-1].editions {
				if e.covers(day) {
					atoms[i].set = e.codes
				}
			}
		}
	}
	used := map[int]bool{}
	tested := make([]bool, len(atoms))
	seen := map[*formula]bool{}
	for _, u := range rules {
		for _, f := range u.formulas() {
			f.atoms(seen, func(i int) { used[atoms[i].v], tested[i] = true, true })
		}
	}
	// Atoms of rules that are not in force must not split classes.
	for i := range atoms {
		if !tested[i] {
			atoms[i].v = -1
		}
	}
	return atoms, used
}

// edges lists, per rule and axiom, the variables it uses together.
func (g *program) edges(rules []*rule) [][]int {
	var out [][]int
	for _, u := range rules {
		vars := map[int]bool{}
		seen := map[*formula]bool{}
		for _, f := range u.formulas() {
			f.atoms(seen, func(i int) { vars[g.pack.table.atoms[i].v] = true })
		}
		for _, e := range u.opts {
			for _, f := range e.formulas() {
				f.atoms(seen, func(i int) { vars[g.pack.table.atoms[i].v] = true })
			}
		}
		var list []int
		for v := range g.lib.vars {
			if vars[v] {
				list = append(list, v)
			}
		}
		out = append(out, list)
	}
	for _, a := range g.axioms {
		out = append(out, g.lib.axioms.vars[a])
	}
	return out
}

// arrange orders variables by the rules and axioms of the program.
func (g *program) arrange(rules []*rule, used map[int]bool) []int {
	edges := g.edges(rules)
	var order []int
	for v := range g.lib.vars {
		if used[v] {
			order = append(order, v)
		}
	}
	return arrange(firstUse(order, edges), edges)
}

// firstUse orders variables by the first edge that uses them.
func firstUse(vars []int, edges [][]int) []int {
	seen := map[int]bool{}
	var out []int
	for _, e := range append(edges, vars) {
		for _, v := range e {
			if !seen[v] {
				seen[v] = true
				out = append(out, v)
			}
		}
	}
	return out
}

// withAxioms appends the atoms of the connected axioms.
func (g *program) withAxioms(atoms []atom) []atom {
	x := g.lib.axioms
	need := map[int]bool{}
	seen := map[*formula]bool{}
	for _, a := range g.axioms {
		x.list[a].never.atoms(seen, func(i int) { need[i] = true })
	}
	for i, a := range x.table.atoms {
		if !need[i] {
			a.v = -1
		}
		atoms = append(atoms, a)
	}
	return atoms
}

// markLaw notes which levels a rule tests, as opposed to an axiom alone.
func (g *program) markLaw(packAtoms int) {
	for i, a := range g.part.atoms[:packAtoms] {
		if a.v >= 0 {
			g.part.levels[g.part.at[i]].law = true
		}
	}
}

// tabulate lists per level and class the pack's atoms that hold.
func (g *program) tabulate(packAtoms int) {
	g.words = (packAtoms + 63) / 64
	for i := range g.part.levels {
		n := g.part.levels[i].n
		bits := make([]uint64, n*g.words)
		for a, at := range g.part.at[:packAtoms] {
			if g.part.atoms[a].v < 0 || at != i {
				continue
			}
			for c := range n {
				if g.part.truth[a]>>c&1 != 0 {
					bits[c*g.words+a/64] |= 1 << (a % 64)
				}
			}
		}
		g.bits = append(g.bits, bits)
	}
}

// emit compiles f into steps that end in yes or no; it gives the first step.
func (g *program) emit(f *formula, yes, no int32) int32 {
	switch f.op {
	case opFalse:
		return no
	case opTrue:
		return yes
	case opNot:
		return g.emit(f.kids[0], no, yes)
	case opAtom:
		g.code = append(g.code, instr{uint16(f.atom / 64), uint16(f.atom % 64), yes, no})
		return int32(len(g.code) - 1)
	}
	at := yes
	if f.op == opOr {
		at = no
	}
	for i := len(f.kids) - 1; i >= 0; i-- {
		if f.op == opAnd {
			at = g.emit(f.kids[i], at, no)
		} else {
			at = g.emit(f.kids[i], yes, at)
		}
	}
	return at
}

func (g *program) emitRules(rules []*rule) {
	index := map[*rule]int{}
	for i, u := range rules {
		index[u] = i
	}
	g.rules = make([]prule, len(rules))
	for i, u := range rules {
		r := prule{rule: u, when: g.emit(u.when, isTrue, isFalse), self: []string{u.id}}
		for _, e := range u.opts {
			if j, ok := index[e]; ok {
				r.unless[j/64] |= 1 << (j % 64)
				g.rules[j].targets = append(g.rules[j].targets, i)
			}
		}
		r.unverified = u.source.status != corridor.Verified || g.shakyList(u)
		r.match = u.matched(corridor.Allow)
		if u.kind == kindExemption && len(u.obligations) > 0 {
			r.match.Outcome = corridor.AllowWithObligations
		}
		r.duties, r.cited = g.dutyIndex(u.obligations), g.citeIndex(u.cites)
		for _, res := range u.results {
			r.results = append(r.results, presult{when: g.emit(res.when, isTrue, isFalse), outcome: res.outcome,
				match: u.matched(res.outcome), duties: g.dutyIndex(res.obligations)})
		}
		g.rules[i] = r
	}
	for i := range g.rules {
		g.rules[i].uses = g.dependsOn(&g.rules[i])
	}
}

// shakyList says whether a rule rests on a list whose edition is not
// verified.
func (g *program) shakyList(u *rule) bool {
	shaky := false
	seen := map[*formula]bool{}
	for _, f := range u.formulas() {
		f.atoms(seen, func(i int) {
			a := &g.part.atoms[i]
			if a.list == 0 {
				return
			}
			for _, e := range g.pack.lists[a.list-1].editions {
				if e.codes == a.set && e.source.status != corridor.Verified {
					shaky = true
				}
			}
		})
	}
	return shaky
}

func (u *rule) matched(o corridor.Outcome) corridor.Match {
	return corridor.Match{Rule: u.id, Kind: u.kind, Outcome: o, Certain: true, Source: u.source.status, SourceRef: u.source.ref,
		SourceOn: u.source.on, Citations: u.cites, Text: u.text}
}

// dutyIndex gives the program's numbers of obligations, declaring new ones.
func (g *program) dutyIndex(ids []string) []int {
	var out []int
	for _, id := range ids {
		at := -1
		for i := range g.duty {
			if g.duty[i].ID == id {
				at = i
			}
		}
		if at < 0 {
			d := g.lib.obligations.all[g.lib.obligations.index[id]]
			at = len(g.duty)
			g.duty = append(g.duty, corridor.Obligation{ID: d.ID, Owner: d.Owner, When: d.When, Approver: d.Approver, Stage: d.Stage,
				Deadline: d.Deadline.String(), Evidence: d.Evidence.EN, Certain: true, Text: d.Text})
		}
		out = append(out, at)
	}
	return out
}

// citeIndex gives the program's numbers of citations.
func (g *program) citeIndex(cites []corridor.Citation) []int {
	var out []int
	for _, c := range cites {
		at := slices.IndexFunc(g.cites, func(o corridor.Citation) bool { return o.Article == c.Article && o.Instrument == c.Instrument })
		if at < 0 {
			at, g.cites = len(g.cites), append(g.cites, c)
		}
		out = append(out, at)
	}
	return out
}

// dependsOn gives the levels that decide whether a rule applies and what it
// yields, those of its exemptions included. Exemptions come first in order.
func (g *program) dependsOn(r *prule) map[int]bool {
	out := map[int]bool{}
	seen := map[*formula]bool{}
	for _, f := range r.formulas() {
		f.atoms(seen, func(i int) { out[g.part.at[i]] = true })
	}
	for j := range g.lifts {
		if r.unless[j/64]>>(j%64)&1 != 0 {
			for l := range g.rules[j].uses {
				out[l] = true
			}
		}
	}
	return out
}

// common fills in what every decision of the program has.
func (g *program) common(day corridor.Date) {
	s := g.pack.silence[g.side]
	cites := slices.DeleteFunc(slices.Clone(s.cites), func(c corridor.Citation) bool { return !g.pack.instruments[c.Instrument].covers(day) })
	// A pack that knows no law of the day must not say that no rule limits the
	// flow. Treaties only add: of a day without any they say nothing.
	if g.unknown = len(cites) == 0 && g.side != corridor.Treaty; len(cites) == 0 {
		cites = s.cites
	}
	g.silence = corridor.Match{Rule: g.pack.id + ".silence." + string(g.side), Kind: kindSilence, Outcome: s.outcome, Certain: true,
		Source: s.source.status, SourceRef: s.source.ref, SourceOn: s.source.on, Citations: cites, Text: s.text}
	g.base = corridor.Decision{Jurisdiction: g.pack.jurisdiction, Side: g.side, Engine: Engine,
		Pack: corridor.PackRef{ID: g.pack.id, Version: g.pack.version, Digest: g.pack.digest}}
}
