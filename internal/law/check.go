package law

import (
	"slices"
	"strings"

	"corridor"
)

// check reports what is wrong with a pack as a whole.
func (p *pack) check(r *reader, l *Library) {
	for _, u := range p.rules {
		if p.byID[u.id] != nil {
			r.failAt(u.place, "", "rule %q is declared twice", u.id)
			continue
		}
		p.byID[u.id] = u
		if u.id != "" && strings.Contains(u.id, ".") && !strings.HasPrefix(u.id, p.id+".") {
			r.failAt(u.place, "begin it with "+p.id+".", "rule %q does not carry its pack's name", u.id)
		}
	}
	for _, u := range p.rules {
		if r.full() {
			return
		}
		p.checkUnless(r, u)
		p.checkCites(r, u.place, u.id, u.cites, &u.period)
		p.checkObligations(r, l, u)
	}
	for _, side := range sides {
		s := p.silence[side]
		if s == nil {
			continue
		}
		p.checkCites(r, s.place, "silence on "+string(side), s.cites, nil)
		if s.source.status == corridor.Memory && s.outcome.Permits() {
			r.failAt(s.place, "see the source first, or let silence yield needs_approval or deny", "silence on %s opens, and its source is memory", side)
		}
	}
	for _, c := range p.conditions {
		p.checkCites(r, c.place, "condition "+c.name, c.cites, nil)
	}
	for _, c := range p.records {
		if v := c.valid; v != nil {
			p.checkCites(r, c.place, c.class+" "+c.id, v.cites, nil)
			if _, ok := l.obligations.events[v.event]; !ok {
				r.failAt(c.place, didYouMean(v.event, keys(l.obligations.events)), "the validity of %s names the unknown event %q", c.id, v.event)
			}
		}
		if c.still != nil && l.calendars[c.still.calendar] == nil {
			r.failAt(c.place, didYouMean(c.still.calendar, keys(l.calendars)), "%s %q names the unknown calendar %q", c.class, c.id, c.still.calendar)
		}
	}
	p.checkCycles(r)
	p.checkMemory(r)
}

func (p *pack) checkUnless(r *reader, u *rule) {
	for _, id := range u.unless {
		e := p.byID[id]
		switch {
		case e == nil:
			var names []string
			for _, x := range p.rules {
				if x.kind == kindExemption {
					names = append(names, x.id)
				}
			}
			r.failAt(u.place, didYouMean(id, names), "%s names the unknown exemption %q", u.id, id)
		case e.kind != kindExemption:
			r.failAt(u.place, "only exemptions lift rules", "%s names %s in unless, which is a %s", u.id, id, e.kind)
		case !slices.ContainsFunc(u.sides, e.on):
			r.failAt(u.place, "give them a side in common", "%s and its exemption %s look at different sides", u.id, id)
		default:
			u.opts = append(u.opts, e)
		}
	}
}

// checkCites wants every cited instrument to exist and to have been in force
// for as long as the rule is.
func (p *pack) checkCites(r *reader, at place, what string, cites []corridor.Citation, during *period) {
	for i := range cites {
		in := p.instruments[cites[i].Instrument]
		if in == nil {
			if cites[i].Instrument != "" {
				r.failAt(at, didYouMean(cites[i].Instrument, keys(p.instruments)), "%s cites the unknown instrument %q", what, cites[i].Instrument)
			}
			continue
		}
		cites[i].Title = in.title
		if during == nil {
			continue
		}
		if during.from < in.from {
			r.failAt(at, "cite what was in force then, or move the rule's date", "%s is in force from %s, but %s only from %s", what, during.from, cites[i].Instrument, in.from)
		}
		if in.to != 0 && (during.to == 0 || during.to > in.to) {
			r.failAt(at, "end the rule with its instrument", "%s outlives %s, which ended %s", what, cites[i].Instrument, in.to)
		}
	}
}

func (p *pack) checkObligations(r *reader, l *Library, u *rule) {
	known := func(ids []string) {
		for i, id := range ids {
			at, ok := l.obligations.index[id]
			if owner := l.obligations.owner(at); ok && owner != "" && owner != p.id {
				r.failAt(u.place, "declare it in this pack under a name of its own, or share it in obligations.yaml",
					"%s names obligation %q, which only pack %s may name: it declares it", u.id, id, owner)
				continue
			}
			if !ok {
				r.failAt(u.place, didYouMean(id, keys(l.obligations.index)), "%s names the unknown obligation %q", u.id, id)
				continue
			}
			ids[i] = l.obligations.all[at].ID // an alias becomes the id
		}
	}
	known(u.obligations)
	for _, res := range u.results {
		known(res.obligations)
	}
}

// checkCycles refuses exemptions that lift each other in a circle.
func (p *pack) checkCycles(r *reader) {
	state := map[*rule]int{} // 1 being visited, 2 done
	var visit func(u *rule)
	visit = func(u *rule) {
		state[u] = 1
		for _, e := range u.opts {
			if state[e] == 1 {
				r.failAt(u.place, "break the circle", "%s and %s lift each other", u.id, e.id)
				continue
			}
			if state[e] == 0 {
				visit(e)
			}
		}
		state[u] = 2
	}
	for _, u := range p.rules {
		if state[u] == 0 {
			visit(u)
		}
	}
}

// checkMemory refuses an exemption from memory that opens: one that lifts a
// rule or a duty, or lifts what restricts an exemption.
func (p *pack) checkMemory(r *reader) {
	type step struct {
		u    *rule
		even bool
	}
	seen := map[step]bool{}
	var visit func(u *rule, even bool)
	visit = func(u *rule, even bool) {
		for _, e := range u.opts {
			s := step{e, even}
			if seen[s] {
				continue
			}
			seen[s] = true
			if e.source.status == corridor.Memory && even {
				r.failAt(e.place, "see the source first", "exemption %s opens (it lifts %s), and its source is memory", e.id, u.id)
			}
			visit(e, !even)
		}
	}
	for _, u := range p.rules {
		if u.kind != kindExemption {
			visit(u, true)
		}
	}
}

// checkAcross gives each state its pack and reports where two packs claim
// one state.
func (l *Library) checkAcross(readers []*reader) {
	for i, p := range l.packs {
		for _, code := range append([]string{p.jurisdiction}, p.members...) {
			if other := l.byJurisdiction[code]; other != nil {
				readers[i].failAt(p.place, "merge them", "packs %s and %s both claim %s", other.id, p.id, code)
				continue
			}
			l.byJurisdiction[code] = p
		}
	}
}
