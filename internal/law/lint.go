package law

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"corridor"
)

// Finding is one thing that a pack's author should look at.
type Finding struct {
	Error bool   `json:"error"` // false: a warning
	Where string `json:"where"`
	Rule  string `json:"rule,omitempty"`
	Msg   string `json:"msg"`
	Fix   string `json:"fix,omitempty"`
}

// Lint loads the packs of fsys and looks for what Load lets pass: rules that
// can never apply, results that can never be reached, exemptions that lift
// nothing or too much, rules always in the shadow of a stricter one, tests
// that change nothing, gaps between editions of a list, sides that are too
// large to decide exactly, cases that no person has reviewed, and kits that
// are wrong.
func Lint(fsys fs.FS) (*Library, []Finding) {
	l, errs := load(fsys)
	var cases []Case
	if l != nil {
		var err error
		if cases, err = l.Cases(); err != nil {
			errs = append(errs, unjoin(err)...)
		}
		if _, err := l.Kits(); err != nil {
			errs = append(errs, unjoin(err)...)
		}
	}
	out := failures(errs)
	if l == nil {
		return nil, out
	}
	results := l.RunCases(cases)
	more := make([][]Finding, len(l.packs))
	parallel(len(l.packs), func(i int) {
		t := &linter{pack: l.packs[i], lib: l, rules: map[*rule]*seen{}}
		t.run()
		t.idle(l.survey(l.packs[i], results))
		more[i] = t.out
	})
	return l, slices.Concat(append([][]Finding{out}, append(more, unreviewed(cases))...)...)
}

func unjoin(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}

// failures makes findings of errors.
func failures(errs []error) []Finding {
	var out []Finding
	for _, err := range errs {
		f := Finding{Error: true, Msg: err.Error()}
		var e *corridor.Error
		if errors.As(err, &e) {
			f.Where, f.Fix = e.Where, e.Fix
			bare := *e
			bare.Where, bare.Fix = "", ""
			f.Msg = bare.Error()
		}
		out = append(out, f)
	}
	return out
}

// seen is what a rule did in any epoch on any of its sides.
type seen struct {
	applies bool
	results []bool
	lifts   bool
	visible bool // not in a stricter rule's shadow
}

type linter struct {
	lib   *Library
	pack  *pack
	rules map[*rule]*seen
	out   []Finding
}

func (t *linter) add(isError bool, at place, id, fix, format string, args ...any) {
	t.out = append(t.out, Finding{isError, at.String(), id, fmt.Sprintf(format, args...), fix})
}

func (t *linter) run() {
	for _, u := range t.pack.rules {
		t.rules[u] = &seen{results: make([]bool, len(u.results))}
	}
	for s := range sides {
		for _, e := range t.pack.sides[s] {
			t.program(e.cell())
		}
	}
	for _, u := range t.pack.rules {
		t.rule(u)
	}
	for _, l := range t.pack.lists {
		for i := 1; i < len(l.editions); i++ {
			if before := l.editions[i-1].to; before != 0 && l.editions[i].from > before+1 {
				t.add(false, l.editions[i].place, "", "say whether nothing was listed then", "list %s has no edition between %s and %s", l.name, before, l.editions[i].from)
			}
		}
	}
}

// program notes what the rules of one side can do between two changes of law.
func (t *linter) program(g *program) {
	if _, err := g.diagrams(); err != nil {
		t.add(true, t.pack.place, "", "use fewer facts together, or split the pack", "%v", err)
		return
	}
	b := &builder{program: g, d: newDiagram(g.part.arity())}
	b.build()
	can := func(n int32) bool { return b.d.and(b.possible, n) != no }
	by := b.by()
	for i := range g.rules {
		r := &g.rules[i]
		s := t.rules[r.rule]
		s.applies = s.applies || can(b.applies[i])
		for k, n := range b.results[i] {
			s.results[k] = s.results[k] || can(n)
			stricter := no
			for o := corridor.Deny; o < r.results[k].outcome; o++ {
				stricter = b.d.or(stricter, by[o])
			}
			s.visible = s.visible || len(r.results[k].duties) > 0 || can(b.d.and(n, b.d.not(stricter)))
		}
		for _, target := range r.targets {
			s.lifts = s.lifts || can(b.d.and(b.applies[i], b.when[target]))
		}
	}
}

func (t *linter) rule(u *rule) {
	s := t.rules[u]
	if !s.applies {
		t.add(false, u.place, u.id, "correct its condition or remove it", "%s can never apply", u.id)
		return
	}
	for i, ok := range s.results {
		if !ok && u.kind == kindRule {
			t.add(true, u.results[i].place, u.id, "remove it, or correct the conditions above it", "a result of %s can never be reached: %s", u.id, u.results[i].outcome)
		}
	}
	switch {
	case u.kind == kindExemption && !s.lifts && len(u.obligations) == 0:
		t.add(false, u.place, u.id, "name it under unless of the rules that it lifts", "exemption %s lifts nothing", u.id)
	case u.kind == kindRule && !s.visible:
		t.add(false, u.place, u.id, "", "%s never shows: a stricter rule applies wherever it does", u.id)
	}
	if u.kind == kindExemption {
		t.tooMuch(u)
	}
}

// tooMuch warns of an exemption that lifts a plain ban together with a rule
// that only asks for a notice, a filing or a contract: one provision that can
// be lifted on its own is one rule, and a relief from paperwork must not open
// what is forbidden.
func (t *linter) tooMuch(e *rule) {
	var ban, notice string
	for _, u := range t.pack.rules {
		if u.kind != kindRule || !slices.Contains(u.opts, e) {
			continue
		}
		denies := 0
		for _, r := range u.results {
			if r.outcome == corridor.Deny {
				denies++
			}
		}
		switch denies {
		case len(u.results):
			ban = u.id
		case 0:
			notice = u.id
		}
	}
	if ban != "" && notice != "" {
		t.add(false, e.place, e.id, "use two exemptions, each with its own article", "exemption %s lifts the ban %s and also %s, which is no ban", e.id, ban, notice)
	}
}
