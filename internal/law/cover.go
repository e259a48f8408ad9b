package law

import (
	"cmp"
	"slices"

	"corridor"
)

// Coverage says how far the cases of a pack reach into its law, in the sense
// of MC/DC: every rule applies in some case and rests in another, every result
// is yielded, and every test of every condition decides: two cases that differ
// in that fact alone, and the rule applies in one of them only. It is computed
// on the classes of the partition, so it is exact.
type Coverage struct {
	Pack         string  `json:"pack"`
	Jurisdiction string  `json:"jurisdiction"`
	Cases        int     `json:"cases"`
	Proposed     int     `json:"proposed,omitempty"` // cases that no person has reviewed yet
	Rules        Tally   `json:"rules"`
	Results      Tally   `json:"results"`
	Atoms        Tally   `json:"atoms"`
	Percent      float64 `json:"percent"`
	Missing      []Gap   `json:"missing"`
	Impossible   []Gap   `json:"impossible"` // what no case can show, with the reason
}

// Tally counts one kind of thing to cover. Impossible ones are not in Total.
type Tally struct {
	Covered    int `json:"covered"`
	Total      int `json:"total"`
	Impossible int `json:"impossible"`
}

// Gap is one thing that no case shows.
type Gap struct {
	Rule   string        `json:"rule"`
	Side   corridor.Side `json:"side"`
	What   string        `json:"what"`             // applies, rests, result, test
	Result int           `json:"result,omitempty"` // from 1: the result, or that whose condition holds the test
	Test   string        `json:"test,omitempty"`
	Reason string        `json:"reason,omitempty"`
	Where  string        `json:"where"`
}

// The kinds of goal.
const (
	goalTest    = "test"    // a pair of cases that a test alone tells apart
	goalResult  = "result"  // some case in which the rule yields it
	goalApplies = "applies" // some case in which the rule applies
	goalRests   = "rests"   // some case in which it is in force and does not
)

// goalKey names a goal. part is the result meant, or -1 for the condition of
// the rule itself.
type goalKey struct {
	rule *rule
	side int
	what string
	part int
	atom int
}

// goal is one thing that the cases of a pack have to show.
type goal struct {
	goalKey
	covered    bool
	impossible bool
	judged     bool // the diagrams were asked
	edge       bool // a pair on both sides of the very line is possible, so it is wanted
	loose      bool // a pair was found that is not on the line
	pair       [2]string
	reason     string
}

// survey is the coverage of one pack while it is being worked out.
type survey struct {
	lib     *Library
	pack    *pack
	goals   []*goal
	index   map[goalKey]*goal
	spots   map[*program][]*spot
	all     []*spot              // in the order in which they came
	tests   map[*program][][]use // per level
	provers map[*program]*prover
	usual   map[*program][]uint8
	wholes  map[*program]*program
	homes   []string // states in which the pack is the law; none: treaties, between any two
	likely  [3]likely
}

// use is one test in one condition of one rule of a program.
type use struct{ rule, part, atom int }

// Cover works out the coverage of every pack by the cases that passed. A pack
// without cases is there too.
func (l *Library) Cover(results []CaseResult) []Coverage {
	out := make([]Coverage, len(l.packs))
	parallel(len(l.packs), func(i int) {
		s := l.survey(l.packs[i], results)
		s.judge()
		out[i] = s.coverage(results)
	})
	slices.SortFunc(out, func(a, b Coverage) int { return cmp.Compare(a.Pack, b.Pack) })
	return out
}

func (l *Library) survey(p *pack, results []CaseResult) *survey {
	s := &survey{lib: l, pack: p, index: map[goalKey]*goal{}, spots: map[*program][]*spot{}, tests: map[*program][][]use{},
		provers: map[*program]*prover{}, usual: map[*program][]uint8{}, wholes: map[*program]*program{}}
	for _, code := range l.atlas.codes {
		if l.byJurisdiction[code] == p {
			s.homes = append(s.homes, code)
		}
	}
	if i := slices.Index(s.homes, p.jurisdiction); i > 0 {
		s.homes[0], s.homes[i] = s.homes[i], s.homes[0]
	}
	s.likely = s.habits(results)
	s.list()
	for i := range results {
		if r := &results[i]; r.Passed && l.byJurisdiction[r.Case.Jurisdiction] == p && !r.Decision.Open() {
			if at := s.place(r.Case); at != nil {
				s.add(at)
			}
		}
	}
	return s
}

// list writes down the goals, rule by rule.
func (s *survey) list() {
	put := func(k goalKey) {
		if s.index[k] == nil {
			g := &goal{goalKey: k}
			s.index[k] = g
			s.goals = append(s.goals, g)
		}
	}
	for _, u := range s.pack.rules {
		for side := range sides {
			if !u.on(sides[side]) {
				continue
			}
			for part, f := range u.formulas() {
				f.atoms(map[*formula]bool{}, func(i int) { put(goalKey{u, side, goalTest, part - 1, i}) })
			}
			for k := range u.results {
				put(goalKey{u, side, goalResult, k, -1})
			}
			put(goalKey{u, side, goalApplies, -1, -1})
			put(goalKey{u, side, goalRests, -1, -1})
		}
	}
}

// judge asks the diagrams about every goal that the cases leave open.
func (s *survey) judge() {
	for _, g := range s.goals {
		if !g.covered && !g.judged {
			s.judgeOne(g)
		}
	}
}

func (s *survey) judgeOne(g *goal) {
	g.judged = true
	possible := false
	for _, at := range s.grounds(g.rule, g.side) {
		can, edge := s.prover(at.g).can(g, at.i)
		possible, g.edge = possible || can, g.edge || edge
		if g.edge || possible && !s.lined(g) {
			break
		}
	}
	switch {
	case !possible:
		g.impossible = true
		g.reason = s.why(g)
	case !g.edge && g.loose:
		g.covered = true
	}
}

// ground is a program in which a rule is in force.
type ground struct {
	g *program
	i int // the rule's index in it
}

// grounds lists the programs in which a rule is in force: that of the pack's
// usual date first, then the newest.
func (s *survey) grounds(u *rule, side int) []ground {
	var out []ground
	for e := len(s.pack.sides[side]) - 1; e >= 0; e-- {
		g := s.whole(s.pack.sides[side][e].cell())
		if g.err != nil {
			continue
		}
		if i := slices.IndexFunc(g.rules, func(r prule) bool { return r.rule == u }); i >= 0 {
			at := ground{g, i}
			if g.on(s.likely[side].date) {
				out = slices.Insert(out, 0, at)
			} else {
				out = append(out, at)
			}
		}
	}
	return out
}

// whole is a program with all connected axioms: a case says of every class of
// data whether it is there, so what it says must not contradict any of them.
func (s *survey) whole(g *program) *program {
	w := s.wholes[g]
	switch {
	case w != nil:
	case len(g.spare) == 0:
		w = g
	default:
		w = s.lib.compileWith(g.pack, g.side, g.day(g.from), s.lib.axioms.all)
		w.from, w.until = g.from, g.until
	}
	s.wholes[g] = w
	return w
}

// on says whether a day falls under the program.
func (g *program) on(day corridor.Date) bool {
	return (g.from == 0 || g.from <= day) && (g.until == 0 || day < g.until)
}

// coverage counts.
func (s *survey) coverage(results []CaseResult) Coverage {
	c := Coverage{Pack: s.pack.id, Jurisdiction: s.pack.jurisdiction, Missing: []Gap{}, Impossible: []Gap{}}
	for i := range results {
		if s.lib.byJurisdiction[results[i].Case.Jurisdiction] == s.pack {
			c.Cases++
			if results[i].Case.Proposed {
				c.Proposed++
			}
		}
	}
	covered, total := 0, 0
	for _, g := range s.goals {
		switch {
		case g.impossible:
			c.Impossible = append(c.Impossible, s.gap(g))
			continue
		case g.covered:
			covered++
		default:
			c.Missing = append(c.Missing, s.gap(g))
		}
		total++
	}
	s.tally(&c)
	c.Percent = percent(covered, total)
	return c
}

// percent is 100 only if everything is covered.
func percent(covered, total int) float64 {
	if total == 0 {
		return 100
	}
	return float64(covered*1000/total) / 10
}

// tally counts by kind; a rule counts as covered if it applies in one case and
// rests in another.
func (s *survey) tally(c *Coverage) {
	for _, g := range s.goals {
		switch g.what {
		case goalTest:
			c.Atoms.count(g.covered, g.impossible)
		case goalResult:
			c.Results.count(g.covered, g.impossible)
		case goalApplies:
			rests := s.index[goalKey{g.rule, g.side, goalRests, -1, -1}]
			c.Rules.count(g.covered && (rests.covered || rests.impossible), g.impossible)
		}
	}
}

func (t *Tally) count(covered, impossible bool) {
	switch {
	case impossible:
		t.Impossible++
		return
	case covered:
		t.Covered++
	}
	t.Total++
}

func (s *survey) gap(g *goal) Gap {
	out := Gap{Rule: g.rule.id, Side: sides[g.side], What: g.what, Reason: g.reason, Where: g.rule.place.String(), Result: g.part + 1}
	if g.what == goalTest {
		out.Test = s.atomText(g.atom)
	}
	return out
}
