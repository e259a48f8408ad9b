package law

import (
	"slices"

	"corridor"
)

// The symbols of a region: what has to hold besides its facts.
const (
	NoExemption     = "no_exemption"     // no exemption of the rule applies
	NothingStricter = "nothing_stricter" // no other provision is stricter, before or after
	OthersBefore    = "others_before"    // the other provisions come to the outcome before
	OthersAfter     = "others_after"     // the other provisions come to the outcome after
	NoOtherAsks     = "no_other_asks"    // no other provision asks for the same duties
	NoRule          = "no_rule"          // no rule applies, so that silence decides
	OtherFacts      = "other_facts"      // further facts decide; the cover has them all
)

// Region is what one change of the law means, in the terms of the rule that
// changed: for flows with these facts the outcome moves and duties come or
// go, each where its symbols hold.
type Region struct {
	Rules    []string  `json:"rules"`
	Facts    []FactSet `json:"facts"`
	Outcomes []Move    `json:"outcomes,omitempty"`
	Duties   []Duty    `json:"duties,omitempty"`

	cube int32 // its possible worlds
}

// Move is a change of the outcome.
type Move struct {
	Before string   `json:"before"`
	After  string   `json:"after"`
	Where  []string `json:"where,omitempty"` // symbols
}

// Duty is an obligation that is newly or no longer owed.
type Duty struct {
	ID    string   `json:"id"`
	Added bool     `json:"added"`
	Where []string `json:"where,omitempty"`
}

// suspect is one rule whose contribution may have changed.
type suspect struct {
	id     string
	own    [2][]part // its contributions, exemptions that did not change left aside
	lifted int32     // where an exemption that did not change lifts it
	others [2]contributions
}

// contributions is what all other rules of an edition come to.
type contributions struct {
	by     [4]int32
	duty   map[string]int32
	silent corridor.Outcome
}

// suspects lists the rules that contribute differently somewhere.
func (sp *space) suspects() []suspect {
	var ids []string
	at := [2]map[string]int{{}, {}}
	for s := range sp.ed {
		for i := range sp.ed[s].rules {
			id := sp.ed[s].rules[i].id
			at[s][id] = i
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	var out []suspect
	for _, id := range ids {
		u := suspect{id: id}
		kept := sp.unchangedExemptions(id, at)
		for s := range sp.ed {
			if i, ok := at[s][id]; ok {
				u.own[s] = sp.bare(s, i, kept)
				for _, e := range kept {
					u.lifted = sp.d.or(u.lifted, sp.ed[s].applies[at[s][e]])
				}
			}
		}
		if sp.differs(&u) {
			for s := range sp.ed {
				u.others[s] = sp.rest(s, id)
			}
			out = append(out, u)
		}
	}
	return out
}

// unchangedExemptions lists those that lift the rule in both editions and
// apply to the same flows.
func (sp *space) unchangedExemptions(id string, at [2]map[string]int) []string {
	var names [2][]string
	for s := range sp.ed {
		i, ok := at[s][id]
		if !ok {
			return nil
		}
		b := sp.ed[s]
		for j := range b.lifts {
			if b.rules[i].unless[j/64]>>(j%64)&1 != 0 {
				names[s] = append(names[s], b.rules[j].id)
			}
		}
	}
	var out []string
	for _, e := range names[0] {
		if !slices.Contains(names[1], e) {
			continue
		}
		if sp.same(sp.ed[0].applies[at[0][e]], sp.ed[1].applies[at[1][e]]) {
			out = append(out, e)
		}
	}
	return out
}

// same says whether two diagrams agree in every possible world.
func (sp *space) same(f, g int32) bool {
	d := sp.d
	return f == g || d.and(sp.possible, d.or(d.and(f, d.not(g)), d.and(g, d.not(f)))) == no
}

// bare is what rule i contributes with some of its exemptions left aside.
func (sp *space) bare(s, i int, aside []string) []part {
	b, d := sp.ed[s], sp.d
	r := &b.rules[i]
	applies := b.when[i]
	for j := range b.lifts {
		if r.unless[j/64]>>(j%64)&1 != 0 && !slices.Contains(aside, b.rules[j].id) {
			applies = d.and(applies, d.not(b.applies[j]))
		}
	}
	rest := applies
	var results []int32
	for k := range r.results {
		w := b.formula(r.rule.results[k].when)
		results = append(results, d.and(rest, w))
		rest = d.and(rest, d.not(w))
	}
	return sp.parts(s, i, applies, results)
}

func (sp *space) differs(u *suspect) bool {
	find := func(list []part, key string) int32 {
		for _, p := range list {
			if p.key() == key {
				return p.root
			}
		}
		return no
	}
	for s := range u.own {
		for _, p := range u.own[s] {
			if !sp.same(p.root, find(u.own[1-s], p.key())) {
				return true
			}
		}
	}
	return false
}

// rest is what an edition comes to without one rule.
func (sp *space) rest(s int, without string) contributions {
	b := sp.ed[s]
	c := contributions{duty: map[string]int32{}, silent: b.silent}
	for i := range b.rules {
		if b.rules[i].id == without {
			continue
		}
		for _, p := range sp.parts(s, i, b.applies[i], b.results[i]) {
			if p.yields {
				c.by[p.outcome] = sp.d.or(c.by[p.outcome], p.root)
			}
			for _, id := range p.duties {
				c.duty[id] = sp.d.or(c.duty[id], p.root)
			}
		}
	}
	return c
}

// come says where the others, beside a rule that gives own, let the outcome
// be o.
func (sp *space) come(c *contributions, own share, o corridor.Outcome) int32 {
	stricter, some := no, no
	for k, n := range c.by {
		some = sp.d.or(some, n)
		if corridor.Outcome(k) < o {
			stricter = sp.d.or(stricter, n)
		}
	}
	ok := yes
	if !own.yields || own.outcome != o {
		ok = c.by[o]
		if !own.yields && c.silent == o {
			ok = sp.d.or(ok, sp.d.not(some))
		}
	}
	return sp.d.and(ok, sp.d.not(stricter))
}

// regions says in the terms of the changed rules what the delta holds. whole
// is false when the list was cut.
func (sp *space) regions(x delta, caused map[string]bool) (out []Region, whole bool) {
	w := &wording{space: sp, delta: x, whole: true, caused: caused}
	for _, u := range sp.suspects() {
		for _, was := range withNone(sp, u.own[0]) {
			for _, now := range withNone(sp, u.own[1]) {
				if was.key() != now.key() {
					w.pair(&u, was, now)
				}
			}
		}
	}
	w.silence()
	w.join()
	if sp.d.full { // nothing since is true
		return nil, false
	}
	return w.out, w.whole
}

// withNone adds to a rule's contributions the worlds where it has none.
func withNone(sp *space, list []part) []part {
	left := yes
	for _, p := range list {
		left = sp.d.and(left, sp.d.not(p.root))
	}
	return append(slices.Clone(list), part{share{}, left})
}

type wording struct {
	*space
	delta
	out    []Region
	whole  bool
	caused map[string]bool // rules whose change changes a decision
}

// pair words what follows where one rule gave was and now gives now.
func (w *wording) pair(u *suspect, was, now part) {
	d := w.d
	here := d.and(w.possible, d.and(was.root, now.root))
	free := d.and(here, d.not(u.lifted))
	if free == no {
		return
	}
	moves := w.involved(was, now)
	target := w.changing(was, now)
	for _, m := range moves {
		target = d.or(target, w.delta.pair[m[0]][m[1]])
	}
	slim := int32(-1)
	for left := d.and(free, target); left != no; {
		if len(w.out) == maxRegions || d.full {
			w.whole = false
			return
		}
		if slim < 0 {
			slim = w.slim(here)
		}
		cube := w.pathOf(slim, left)
		root := w.widen(cube, here)
		left = d.and(left, d.not(root))
		r := Region{Rules: []string{u.id}, Facts: w.factSets(cube), cube: d.and(w.possible, root)}
		for _, m := range moves {
			w.move(&r, u, was, now, corridor.Outcome(m[0]), corridor.Outcome(m[1]))
		}
		w.duties(&r, u, was, now)
		w.out = append(w.out, r)
		w.caused[u.id] = true
	}
}

// involved lists the pairs of outcomes in which this rule's change takes
// part: it gave the one before, or gives the one after.
func (w *wording) involved(was, now part) (out [][2]int) {
	for o := range w.delta.pair {
		for n, root := range w.delta.pair[o] {
			gave := was.yields && int(was.outcome) == o
			gives := now.yields && int(now.outcome) == n
			if root != no && (gave || gives) {
				out = append(out, [2]int{o, n})
			}
		}
	}
	return out
}

// changing says where a duty changes that this rule newly asks for or no
// longer does.
func (w *wording) changing(was, now part) int32 {
	root := no
	for _, id := range now.duties {
		if n, ok := w.added[id]; ok && !slices.Contains(was.duties, id) {
			root = w.d.or(root, n)
		}
	}
	for _, id := range was.duties {
		if n, ok := w.removed[id]; ok && !slices.Contains(now.duties, id) {
			root = w.d.or(root, n)
		}
	}
	return root
}

// symbol is one or more that may be needed together, and where they hold.
type symbol struct {
	names []string
	root  int32
}

// move adds to a region that the outcome moves from o to n, with as few
// symbols as make it true.
func (w *wording) move(r *Region, u *suspect, was, now part, o, n corridor.Outcome) {
	d := w.d
	pair := w.delta.pair[o][n]
	if d.and(d.and(r.cube, pair), d.not(u.lifted)) == no {
		return
	}
	name := func(own share, o corridor.Outcome, otherwise string) string {
		if own.yields && own.outcome == o {
			return NothingStricter
		}
		return otherwise
	}
	come := func(c *contributions, own share, o corridor.Outcome) int32 {
		root := w.come(c, own, o)
		if own.yields && own.outcome != o { // where the rule is lifted, silence may be what the others come to
			root = d.or(root, d.and(u.lifted, w.come(c, share{}, o)))
		}
		return root
	}
	free := symbol{[]string{NoExemption}, d.not(u.lifted)}
	before := symbol{[]string{name(was.share, o, OthersBefore)}, come(&u.others[0], was.share, o)}
	after := symbol{[]string{name(now.share, n, OthersAfter)}, come(&u.others[1], now.share, n)}
	both := symbol{slices.Compact([]string{before.names[0], after.names[0]}), d.and(before.root, after.root)}
	choices := []symbol{{nil, yes}, free, before, after, both}
	for _, s := range choices[2:] {
		choices = append(choices, symbol{append([]string{NoExemption}, s.names...), d.and(free.root, s.root)})
	}
	m := Move{o.String(), n.String(), []string{OtherFacts}}
	for _, s := range choices {
		if d.and(d.and(r.cube, s.root), d.not(pair)) == no {
			m.Where = s.names
			break
		}
	}
	r.Outcomes = append(r.Outcomes, m)
}

// duties adds to a region what this rule newly asks for and no longer does.
func (w *wording) duties(r *Region, u *suspect, was, now part) {
	d := w.d
	free := d.and(r.cube, d.not(u.lifted))
	note := func(ids, not []string, where map[string]int32, added bool) {
		for _, id := range ids {
			n := d.and(free, where[id])
			if slices.Contains(not, id) || n == no {
				continue
			}
			duty := Duty{ID: id, Added: added}
			if d.and(d.and(r.cube, u.lifted), d.not(where[id])) != no {
				duty.Where = append(duty.Where, NoExemption)
			}
			if n != free {
				duty.Where = append(duty.Where, NoOtherAsks)
			}
			r.Duties = append(r.Duties, duty)
		}
	}
	note(now.duties, was.duties, w.added, true)
	note(was.duties, now.duties, w.removed, false)
}

// pathOf gives the cube of root that holds the first world of left.
func (sp *space) pathOf(root, left int32) []uint64 {
	d := sp.d
	class := make([]int, len(d.arity))
	for n := left; n >= terminals; {
		for c, k := range d.kids(n) {
			if k != no {
				class[d.level[n]] = c
				n = k
				break
			}
		}
	}
	cube := make([]uint64, len(d.arity))
	for n := root; n >= terminals; {
		kids := d.kids(n)
		k := kids[class[d.level[n]]]
		for c, other := range kids {
			if other == k {
				cube[d.level[n]] |= 1 << c
			}
		}
		n = k
	}
	return cube
}

// widen drops whole facts from a cube as long as its possible worlds stay in
// within: members of sets first, then from the end. It gives the cube's
// diagram.
func (sp *space) widen(cube []uint64, within int32) int32 {
	d := sp.d
	of := func() int32 {
		root := yes
		for l := len(cube) - 1; l >= 0; l-- {
			if cube[l] != 0 {
				root = d.and(d.literal(int32(l), cube[l]), root)
			}
		}
		return root
	}
	for _, members := range []bool{true, false} {
		for l := len(cube) - 1; l >= 0; l-- {
			was := cube[l]
			if was == 0 || (sp.vars[sp.part.levels[l].v].member != "") != members {
				continue
			}
			cube[l] = 0
			if d.and(d.and(sp.possible, of()), d.not(within)) != no {
				cube[l] = was
			}
		}
	}
	return of()
}

// silence words a change of what holds where no rule applies.
func (w *wording) silence() {
	old, new := w.ed[0].silent, w.ed[1].silent
	if old == new {
		return
	}
	none := w.possible
	for s := range w.ed {
		for _, n := range w.ed[s].by() {
			none = w.d.and(none, w.d.not(n))
		}
	}
	if none == no {
		return
	}
	id := w.ed[1].pack.id + ".silence." + string(w.side)
	w.out = append(w.out, Region{Rules: []string{id}, Facts: []FactSet{}, Outcomes: []Move{{old.String(), new.String(), []string{NoRule}}}, cube: none})
}

// join drops a region of which another one tells all, and names its rule
// there.
func (w *wording) join() {
	gone := make([]bool, len(w.out))
	for i := range w.out {
		for k := range w.out {
			if i != k && !gone[k] && w.within(&w.out[i], &w.out[k]) {
				for _, id := range w.out[i].Rules {
					if !slices.Contains(w.out[k].Rules, id) {
						w.out[k].Rules = append(w.out[k].Rules, id)
					}
				}
				gone[i] = true
				break
			}
		}
	}
	var out []Region
	for i, r := range w.out {
		if !gone[i] {
			out = append(out, r)
		}
	}
	w.out = out
}

// within says whether b tells all that a does.
func (w *wording) within(a, b *Region) bool {
	out := w.d.and(a.cube, w.d.not(b.cube))
	for _, m := range a.Outcomes {
		if !slices.ContainsFunc(b.Outcomes, func(o Move) bool { return o.Before == m.Before && o.After == m.After }) ||
			w.d.and(out, w.pairOf(m)) != no {
			return false
		}
	}
	for _, m := range a.Duties {
		where := w.removed[m.ID]
		if m.Added {
			where = w.added[m.ID]
		}
		if !slices.ContainsFunc(b.Duties, func(o Duty) bool { return o.ID == m.ID && o.Added == m.Added }) || w.d.and(out, where) != no {
			return false
		}
	}
	return true
}

func (w *wording) pairOf(m Move) int32 {
	for o := range w.delta.pair {
		for n, root := range w.delta.pair[o] {
			if corridor.Outcome(o).String() == m.Before && corridor.Outcome(n).String() == m.After {
				return root
			}
		}
	}
	return no
}
