package law

import (
	"errors"
	"slices"
	"sync"

	"corridor"
)

// finish prepares what decisions need: the axioms' diagram and, per pack and
// side, one lazily compiled program between two changes of its law.
func (l *Library) finish(fresh bool) error {
	for _, p := range l.packs {
		p.known = p.lastKnown()
	}
	if err := l.axioms.finish(l.vars); err != nil {
		return err
	}
	l.keepRaised()
	l.prepareReading()
	if err := l.checkProfiles(); err != nil {
		return err
	}
	for _, p := range l.packs {
		for s, side := range sides {
			p.sides[s] = l.epochs(p, side)
		}
	}
	if !fresh { // the same text was built before, when its image was made
		return nil
	}
	// The newest law is built now, so that a pack too large to be decided
	// exactly is refused when it is loaded. Older law is built when asked for.
	errs := make([]error, len(l.packs))
	parallel(len(l.packs), func(i int) {
		for s := range sides {
			newest := l.packs[i].sides[s]
			if newest == nil {
				continue
			}
			if _, err := newest[len(newest)-1].cell().diagrams(); err != nil && errs[i] == nil {
				errs[i] = err
			}
		}
	})
	return errors.Join(errs...)
}

// prepareReading works out what reading the facts of every flow needs.
func (l *Library) prepareReading() {
	for _, v := range l.vars {
		l.unsaid = append(l.unsaid, v.anything())
	}
	for _, f := range l.vocab.facts {
		if f.derive != nil {
			l.derived = append(l.derived, derived{f.vars[0], l.vocab.byName[f.derive.from].vars[0], f.derive.of})
		}
	}
	for _, rec := range l.recordList {
		if rec.still != nil {
			l.stills = append(l.stills, rec)
		}
		if rec.valid != nil {
			l.valids = append(l.valids, rec)
		}
		rec.nothing = rec.class + "s." + rec.id + " = " + plain(rec.states[0])
	}
	l.mechanisms, l.filings = l.words("vehicle", mechanisms), l.words("filing", []string{"none"})
	l.sketches = sync.OnceValue(l.sketchbook)
	for _, p := range l.profiles {
		p.fillings = sync.OnceValue(func() []filling { return l.fill(p) })
	}
}

// checkProfiles refuses a profile that would fail whoever names it.
func (l *Library) checkProfiles() error {
	var errs []error
	for _, name := range keys(l.profiles) {
		if _, err := l.read(corridor.Flow{Date: dateMax, Origin: "KZ", Destination: "CN", Assume: name}, nil); err != nil {
			e := corridor.E(corridor.Invalid, "%w", err)
			e.Where = l.profiles[name].place.String()
			errs = append(errs, e)
		}
	}
	return errors.Join(errs...)
}

// sides are the places where a rule can stand: a national pack has the first
// two, the pack of treaties the last.
var sides = [3]corridor.Side{corridor.Export, corridor.Import, corridor.Treaty}

// own lists the sides that a pack has.
func (p *pack) own() []corridor.Side {
	return slices.DeleteFunc(slices.Clone(sides[:]), func(s corridor.Side) bool { return p.silence[s] == nil })
}

// grounds lists the instruments on which a side's silence rests.
func (p *pack) grounds(side corridor.Side) []*instrument {
	var out []*instrument
	for _, c := range p.silence[side].cites {
		if in := p.instruments[c.Instrument]; in != nil {
			out = append(out, in)
		}
	}
	return out
}

// sideAt is the place of a side in sides.
func sideAt(s corridor.Side) int { return slices.Index(sides[:], s) }

// epoch is a span of days in which a side's law does not change.
type epoch struct {
	from corridor.Date   // 0: from ever
	cell func() *program // compiles once
}

// epochs finds the days on which a rule of the side, a list that such a rule
// may use, or what silence rests on, begins or has just ended.
func (l *Library) epochs(p *pack, side corridor.Side) []epoch {
	if p.silence[side] == nil { // not a side of this pack
		return nil
	}
	var days []corridor.Date
	add := func(q period) {
		if q.from != 0 {
			days = append(days, q.from)
		}
		if q.to != 0 {
			days = append(days, q.to+1)
		}
	}
	for _, in := range p.grounds(side) {
		add(in.period)
	}
	uses := map[int]bool{}
	seen := map[*formula]bool{}
	for _, u := range p.rules {
		if !u.on(side) {
			continue
		}
		add(u.period)
		for _, f := range u.formulas() {
			f.atoms(seen, func(i int) { uses[p.table.atoms[i].list] = true })
		}
	}
	for i, list := range p.lists {
		if uses[i+1] {
			for _, e := range list.editions {
				add(e.period)
			}
		}
	}
	slices.Sort(days)
	days = slices.Compact(days)
	out := make([]epoch, 0, len(days)+1)
	for i := -1; i < len(days); i++ {
		var from, until corridor.Date
		day := corridor.Date(dateMin)
		if i >= 0 {
			from, day = days[i], days[i]
		}
		if i+1 < len(days) {
			until = days[i+1]
		}
		out = append(out, epoch{from, sync.OnceValue(func() *program {
			g := l.compileProgram(p, side, day)
			g.from, g.until = from, until
			return g
		})})
	}
	return out
}

// program finds the program of a pack's side on a day.
func (p *pack) program(side corridor.Side, day corridor.Date) *program {
	list := p.sides[sideAt(side)]
	at := 0
	for i := range list {
		if i == 0 || list[i].from <= day {
			at = i
		}
	}
	return list[at].cell()
}
