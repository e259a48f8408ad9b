package law

import "corridor"

// graph holds the diagrams of a program: the side's outcome, and for every
// rule whether it applies and which of its results it yields. In each,
// worlds that a connected axiom excludes end in "impossible".
type graph struct {
	d       *diagram
	outcome int32
	rules   []grule
	duties  []int32 // per obligation: whether it is owed
	silent  int32   // whether silence decides
	size    int     // nodes under the outcome; they come first
	steps   []int32 // the outcome again, for worlds that are known: see follow
	start   int32
}

type grule struct {
	applies int32
	results []int32
	lifts   []int32 // exemption: per target, whether it lifts it here
}

// diagrams builds the graph on first use; building twice is impossible and
// reading needs no lock.
func (g *program) diagrams() (*graph, error) {
	g.graphOne.Do(func() {
		if g.err != nil {
			g.graphErr = g.err
			return
		}
		b := &builder{program: g, d: newDiagram(g.part.arity())}
		b.build()
		if b.d.full {
			e := corridor.E(corridor.Limited, "pack %s, %s side: its rules need more than %d diagram nodes", g.pack.id, g.side, maxNodes)
			e.Fix = "use fewer facts together, or split the pack"
			g.graphErr = e
			return
		}
		g.graph.pack(b.d)
	})
	return &g.graph, g.graphErr
}

// pack keeps of the diagram that was built what the graph needs: the nodes
// under the outcome first, then all others, each after its kids.
func (g *graph) pack(built *diagram) {
	p := packer{from: built, to: &diagram{arity: built.arity}, now: make([]int32, len(built.level))}
	for t := range terminals {
		p.to.level, p.to.first, p.now[t] = append(p.to.level, built.level[t]), append(p.to.first, 0), t
	}
	g.d, g.outcome = p.to, p.node(g.outcome)
	g.size = g.d.size()
	g.lay()
	for i := range g.rules {
		r := &g.rules[i]
		r.applies = p.node(r.applies)
		p.nodes(r.results)
		p.nodes(r.lifts)
	}
	p.nodes(g.duties)
	g.silent = p.node(g.silent)
}

// lay writes the nodes of the outcome one after another: the level, and per
// class where the next node begins, or the complement of a terminal.
func (g *graph) lay() {
	begin := make([]int32, len(g.d.level))
	for t := range terminals {
		begin[t] = ^t
	}
	for n := terminals; n < int32(len(g.d.level)); n++ {
		begin[n] = int32(len(g.steps))
		g.steps = append(g.steps, g.d.level[n])
		for _, k := range g.d.kids(n) {
			g.steps = append(g.steps, begin[k])
		}
	}
	g.start = begin[g.outcome]
}

// follow gives the outcome of a world whose every class is known.
func (g *graph) follow(class []uint8) corridor.Outcome {
	at := g.start
	for at >= 0 {
		at = g.steps[at+1+int32(class[g.steps[at]])]
	}
	return corridor.Outcome(^at)
}

type packer struct {
	from, to *diagram
	now      []int32 // what became of each node, or 0
}

func (p *packer) nodes(list []int32) {
	for i := range list {
		list[i] = p.node(list[i])
	}
}

func (p *packer) node(n int32) int32 {
	if n < terminals || p.now[n] != 0 {
		return p.now[n]
	}
	kids := p.from.kids(n)
	for _, k := range kids {
		p.node(k)
	}
	to := p.to
	p.now[n] = int32(len(to.level))
	to.level, to.first = append(to.level, p.from.level[n]), append(to.first, int32(len(to.arena)))
	for _, k := range kids {
		to.arena = append(to.arena, p.now[k])
	}
	return p.now[n]
}

type builder struct {
	*program
	d        *diagram
	done     map[*formula]int32
	when     []int32 // per rule: its condition alone
	applies  []int32
	results  [][]int32
	possible int32
	also     map[int]int32 // atoms that mean more than their own literal
}

func (b *builder) build() {
	b.done = map[*formula]int32{}
	for i := range b.rules {
		b.rule(i)
	}
	b.possible = b.world()
	b.graph.outcome = b.mask(b.outcome())
	b.explain()
}

func (b *builder) formula(f *formula) int32 {
	return b.d.build(f, b.done, b.literal)
}

// literal is the diagram of one atom.
func (b *builder) literal(i int) int32 {
	if n, ok := b.also[i]; ok {
		return n
	}
	return b.d.literal(int32(b.part.at[i]), b.part.truth[i])
}

// rule builds when a rule applies and when it yields each result.
func (b *builder) rule(i int) {
	r := &b.rules[i]
	when := b.formula(r.rule.when)
	applies := when
	for j := range b.lifts {
		if r.unless[j/64]>>(j%64)&1 != 0 {
			applies = b.d.and(applies, b.d.not(b.applies[j]))
		}
	}
	rest := applies
	var results []int32
	for k := range r.results {
		w := b.formula(r.rule.results[k].when)
		results = append(results, b.d.and(rest, w))
		rest = b.d.and(rest, b.d.not(w))
	}
	b.when, b.applies, b.results = append(b.when, when), append(b.applies, applies), append(b.results, results)
}

// world is yes where no connected axiom is broken.
func (b *builder) world() int32 { return b.worldOf(b.axioms) }

// worldOf is yes where none of some axioms is broken.
func (b *builder) worldOf(axioms []int) int32 {
	x := b.lib.axioms
	base := len(b.pack.table.atoms)
	done := map[*formula]int32{}
	root := yes
	for _, a := range axioms {
		n := b.d.build(x.list[a].never, done, func(i int) int32 { return b.literal(base + i) })
		root = b.d.and(root, b.d.not(n))
	}
	return root
}

// mask ends impossible worlds in "impossible".
func (b *builder) mask(n int32) int32 { return b.d.ite(b.possible, n, impossible) }

// by is, per outcome, whether some rule contributes it.
func (b *builder) by() [4]int32 {
	var by [4]int32
	for i := range b.rules {
		r := &b.rules[i]
		switch {
		case r.kind == kindExemption && len(r.duties) > 0:
			by[corridor.AllowWithObligations] = b.d.or(by[corridor.AllowWithObligations], b.applies[i])
		case r.kind == kindRule:
			for k := range r.results {
				o := r.results[k].outcome
				by[o] = b.d.or(by[o], b.results[i][k])
			}
		}
	}
	return by
}

// outcome is the strictest contribution, or silence.
func (b *builder) outcome() int32 {
	by := b.by()
	root := int32(b.silent)
	for o := corridor.Allow; ; o-- {
		root = b.d.ite(by[o], int32(o), root)
		if o == corridor.Deny {
			return root
		}
	}
}

func (b *builder) explain() {
	some := no
	for _, n := range b.by() {
		some = b.d.or(some, n)
	}
	b.graph.silent = b.mask(b.d.not(some))
	owed := make([]int32, len(b.duty))
	for i := range b.rules {
		r := &b.rules[i]
		out := grule{applies: b.mask(b.applies[i])}
		for _, n := range b.results[i] {
			out.results = append(out.results, b.mask(n))
		}
		for _, t := range r.targets {
			out.lifts = append(out.lifts, b.mask(b.d.and(b.applies[i], b.when[t])))
		}
		for _, o := range r.duties {
			owed[o] = b.d.or(owed[o], b.applies[i])
		}
		for k := range r.results {
			for _, o := range r.results[k].duties {
				owed[o] = b.d.or(owed[o], b.results[i][k])
			}
		}
		b.graph.rules = append(b.graph.rules, out)
	}
	for _, n := range owed {
		b.graph.duties = append(b.graph.duties, b.mask(n))
	}
}
