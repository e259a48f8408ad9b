package law

import (
	"cmp"
	"slices"

	"corridor"
)

// The kinds of entry of the law's calendar.
const (
	RuleBegins       = "rule_begins"
	RuleEnds         = "rule_ends"
	ListChanges      = "list_changes"
	ListEnds         = "list_ends"
	InstrumentBegins = "instrument_begins"
	InstrumentEnds   = "instrument_ends"
)

// CalendarEntry is one change of the law and the day it takes effect. What
// ends is listed on the first day on which it no longer holds.
type CalendarEntry struct {
	Date         corridor.Date         `json:"date"`
	Jurisdiction string                `json:"jurisdiction"`
	Pack         string                `json:"pack"`
	Kind         string                `json:"kind"`
	ID           string                `json:"id"`
	Sides        []corridor.Side       `json:"sides,omitempty"`
	Citations    []corridor.Citation   `json:"citations,omitempty"`
	Source       corridor.SourceStatus `json:"source,omitempty"`
	SourceOn     corridor.Date         `json:"source_on,omitempty"`
	Added        []string              `json:"added,omitempty"`   // countries that a list gains
	Removed      []string              `json:"removed,omitempty"` // and those that it loses
	Decides      []corridor.Side       `json:"decides,omitempty"` // sides on which some decision changes that day
	Text         corridor.Text         `json:"text"`
}

// Calendar lists the changes of law from one day (inclusive) until another
// (exclusive; 0: for ever), of some packs or jurisdictions or of all. It says
// for each side of a pack whether any decision changes that day.
func (l *Library) Calendar(from, until corridor.Date, only []string) ([]CalendarEntry, error) {
	out := []CalendarEntry{}
	wants := DiffOptions{Only: only}.wants
	for _, p := range l.packs {
		if !wants(p.id, p.jurisdiction) {
			continue
		}
		mine := slices.DeleteFunc(p.changes(l.atlas), func(e CalendarEntry) bool {
			return e.Date < from || until != 0 && e.Date >= until
		})
		if err := l.markDeciding(p, mine); err != nil {
			return nil, err
		}
		out = append(out, mine...)
	}
	slices.SortStableFunc(out, func(a, b CalendarEntry) int {
		return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.Jurisdiction, b.Jurisdiction), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// markDeciding says on which sides a decision changes on each day.
func (l *Library) markDeciding(p *pack, list []CalendarEntry) error {
	known := map[corridor.Date][]corridor.Side{}
	e := match(l, l)
	for i := range list {
		day := list[i].Date
		if _, ok := known[day]; !ok {
			known[day] = nil
			for _, side := range p.own() {
				sp, err := e.newSpace([2]*pack{p, p}, side, [2]corridor.Date{day - 1, day})
				if err != nil {
					return err
				}
				x := sp.delta()
				if err := sp.limit(); err != nil {
					return err
				}
				if x.any != no {
					known[day] = append(known[day], side)
				}
			}
		}
		list[i].Decides = known[day]
	}
	return nil
}

// changes lists every dated change of a pack.
func (p *pack) changes(a *atlas) []CalendarEntry {
	var out []CalendarEntry
	add := func(day corridor.Date, e CalendarEntry) {
		e.Date, e.Jurisdiction, e.Pack = day, p.jurisdiction, p.id
		out = append(out, e)
	}
	both := func(q period, begins, ends string, e CalendarEntry) {
		if q.from != 0 {
			e.Kind = begins
			add(q.from, e)
		}
		if q.to != 0 {
			e.Kind = ends
			add(q.to+1, e)
		}
	}
	for _, u := range p.rules {
		both(u.period, RuleBegins, RuleEnds, CalendarEntry{ID: u.id, Sides: u.sides, Citations: u.cites, Source: u.source.status, SourceOn: u.source.on, Text: u.text})
	}
	for _, id := range keys(p.instruments) {
		both(p.instruments[id].period, InstrumentBegins, InstrumentEnds, CalendarEntry{ID: id, Text: p.instruments[id].title})
	}
	for _, list := range p.lists {
		for i, e := range list.editions {
			c := CalendarEntry{Kind: ListChanges, ID: list.name, Source: e.source.status, SourceOn: e.source.on, Text: list.title}
			var before bitset256
			if i > 0 && list.editions[i-1].to+1 == e.from {
				before = list.editions[i-1].codes
			}
			c.Added, c.Removed = a.without(e.codes, before), a.without(before, e.codes)
			add(e.from, c)
			if e.to != 0 && (i+1 == len(list.editions) || list.editions[i+1].from != e.to+1) {
				c.Kind, c.Added, c.Removed = ListEnds, nil, a.without(e.codes, bitset256{})
				add(e.to+1, c)
			}
		}
	}
	return out
}

// without lists the codes of a that are not in b.
func (t *atlas) without(a, b bitset256) []string {
	var out []string
	for i, code := range t.codes {
		if a.has(i) && !b.has(i) {
			out = append(out, code)
		}
	}
	return out
}
