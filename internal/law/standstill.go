package law

import (
	"slices"
	"strings"

	"corridor"
)

// term is a standstill that a flow's filing is under.
type term struct {
	rec   *record
	ends  corridor.Date // first day after it, 0 if not known or already over
	blank bool          // its filing date is missing
	notes []string
}

// standstills resolves every filing that has a term: this is the one place
// where a date becomes a state. Until the stated number of working days has
// fully passed after filed_on the state is `before`, then it is `then`.
func (in *inputs) standstills() []term {
	var out []term
	for _, rec := range in.lib.stills {
		if in.given[rec.v] == byNobody {
			continue
		}
		x := &in.vals[rec.v]
		var waits bool
		for _, s := range rec.still.while {
			if i := slices.Index(rec.states, s); x.set.has(i) {
				waits = true
				x.set.remove(i)
			}
		}
		if !waits {
			continue
		}
		t := term{rec: rec}
		over, running := in.over(&t)
		if over {
			x.set.add(slices.Index(rec.states, rec.still.then))
		}
		if running {
			x.set.add(slices.Index(rec.states, rec.still.before))
		}
		out = append(out, t)
	}
	return append(out, in.validities()...)
}

// validities resolves every vehicle that lasts for some years: once they have
// passed since the day of issue it is not in place.
func (in *inputs) validities() []term {
	var out []term
	for _, rec := range in.lib.valids {
		x, i := &in.vals[rec.v], slices.Index(rec.states, rec.valid.while)
		if in.given[rec.v] == byNobody || !x.set.has(i) {
			continue
		}
		t := term{rec: rec}
		at := slices.IndexFunc(in.filed, func(f filed) bool { return f.rec == rec })
		if at < 0 {
			if x.set.count() == 1 {
				t.notes = append(t.notes, note(noteNoIssue, rec.id, itoa(rec.valid.years)))
				out = append(out, t)
			}
			continue
		}
		issued := in.filed[at].on
		ends := addMonths(issued, 12*rec.valid.years)
		if in.flow.Date >= ends {
			x.set.remove(i)
			x.set.add(0)
			t.notes = append(t.notes, note(noteExpired, rec.id, issued.String(), itoa(rec.valid.years), (ends-1).String()))
		} else {
			t.ends = ends
			t.notes = append(t.notes, note(noteLasts, rec.id, (ends-1).String(), rec.valid.source()))
		}
		out = append(out, t)
	}
	return out
}

// Issued lists the days on which the vehicles of a flow that last for some
// years were issued, as the events from which the deadlines of their renewal run.
func (l *Library) Issued(f corridor.Flow) ([]Event, error) {
	in, err := l.read(f, l.byJurisdiction[f.Origin])
	if err != nil {
		return nil, err
	}
	var out []Event
	for _, x := range in.filed {
		if v := x.rec.valid; v != nil && in.vals[x.rec.v].set.has(slices.Index(x.rec.states, v.while)) {
			out = append(out, Event{ID: v.event, On: x.on})
		}
	}
	return out, nil
}

// over says whether the term may be over and whether it may still run.
func (in *inputs) over(t *term) (over, running bool) {
	still := t.rec.still
	at := slices.IndexFunc(in.filed, func(f filed) bool { return f.rec == t.rec })
	if at < 0 {
		t.blank = true
		t.notes = append(t.notes, note(noteNoDate, t.rec.id))
		return true, true
	}
	last, estimated, missing := in.lib.calendars[still.calendar].termEnd(in.filed[at].on, still.days, waits)
	if missing != 0 {
		t.notes = append(t.notes, note(noteNoCalendar, still.calendar, itoa(missing), t.rec.id))
		return false, true
	}
	if estimated {
		t.notes = append(t.notes, note(noteEstimated, still.calendar, t.rec.id))
	}
	if in.flow.Date > last {
		return true, false
	}
	t.ends = last + 1
	return false, true
}

// source names the provisions that a validity rests on, as ids.
func (v *validity) source() string {
	var out []string
	for _, c := range v.cites {
		out = append(out, strings.TrimSuffix(c.Instrument+" "+c.Article, " -"))
	}
	return strings.Join(out, ", ")
}
