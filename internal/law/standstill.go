package law

import (
	"slices"

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
	return out
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
