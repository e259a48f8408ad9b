package law

import "corridor"

// Turn is what one side's law says of a flow from one day until another.
type Turn struct {
	From     corridor.Date     `json:"from"`
	Until    corridor.Date     `json:"until,omitempty"` // first day on which it may be otherwise; absent: for good
	Decision corridor.Decision `json:"decision"`
}

// maxTurns bounds the days of one outlook.
const maxTurns = 200

// Outlook decides a flow on a day and on every later day, before another, on
// which a rule, a list or a term makes it come out otherwise: another
// outcome, other duties, or other provisions behind them.
func (l *Library) Outlook(f corridor.Flow, side corridor.Side, from, before corridor.Date) ([]Turn, error) {
	var out []Turn
	for day := from; ; {
		f.Date = day
		d, err := l.DecideSide(f, side)
		if err != nil {
			return out, err
		}
		d.NearMisses = nil
		if n := len(out); n > 0 && sameAnswer(&out[n-1].Decision, &d) {
			out[n-1].Until = d.ValidUntil
		} else {
			out = append(out, Turn{From: day, Until: d.ValidUntil, Decision: d})
		}
		if d.ValidUntil <= day || d.ValidUntil >= before {
			return out, nil
		}
		if len(out) == maxTurns {
			return out, corridor.E(corridor.Limited, "the law of %s changes more than %d times for this flow", d.Jurisdiction, maxTurns)
		}
		day = d.ValidUntil
	}
}

// sameAnswer says whether two decisions come out alike, for the same reasons.
func sameAnswer(a, b *corridor.Decision) bool {
	if a.Outcome != b.Outcome || len(a.Duties) != len(b.Duties) || len(a.Matched) != len(b.Matched) {
		return false
	}
	for i := range a.Duties {
		if a.Duties[i].ID != b.Duties[i].ID || a.Duties[i].Certain != b.Duties[i].Certain {
			return false
		}
	}
	for i := range a.Matched {
		if a.Matched[i].Rule != b.Matched[i].Rule || a.Matched[i].Outcome != b.Matched[i].Outcome || a.Matched[i].Certain != b.Matched[i].Certain {
			return false
		}
	}
	return true
}

// DutyChange is an obligation that one decision has and another has not.
type DutyChange struct {
	ID        string              `json:"id"`
	Added     bool                `json:"added"`
	Owner     string              `json:"owner,omitempty"`
	When      string              `json:"when,omitempty"`
	Rules     []string            `json:"rules,omitempty"`
	Citations []corridor.Citation `json:"citations,omitempty"`
	Text      corridor.Text       `json:"text,omitzero"`
}

// DutyChanges lists what the later of two decisions newly asks for and what
// it no longer does. A duty that either decision knows under another of its
// names, as declared here, is the same duty. Duties that only may be owed
// count as owed.
func (l *Library) DutyChanges(before, after corridor.Decision) []DutyChange {
	name := func(id string) string {
		if at, ok := l.obligations.index[id]; ok {
			return l.obligations.all[at].ID
		}
		return id
	}
	lacks := func(list []corridor.Obligation, id string) bool {
		for i := range list {
			if name(list[i].ID) == name(id) {
				return false
			}
		}
		return true
	}
	var out []DutyChange
	note := func(list, others []corridor.Obligation, added bool) {
		for _, o := range list {
			if lacks(others, o.ID) {
				out = append(out, DutyChange{o.ID, added, o.Owner, o.When, o.Rules, o.Citations, o.Text})
			}
		}
	}
	note(after.Duties, before.Duties, true)
	note(before.Duties, after.Duties, false)
	return out
}
