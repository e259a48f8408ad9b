package law

import (
	"fmt"
	"strings"
	"testing"

	"corridor"
)

func TestTheOutlookTurnsWhereRulesListsAndTermsDo(t *testing.T) {
	l := richLibrary(t)
	f := flow(t, `classes: [personal], people: 5, purpose: other, filings: {kz.notice: {state: filed, filed_on: 2025-12-29}}`)
	f.Destination = "RU" // on the list to the end of 2025
	f.Date = date(t, "2025-12-29")
	turns, err := l.Outlook(f, corridor.Export, f.Date, date(t, "2027-06-01"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range turns {
		got = append(got, fmt.Sprintf("%s %s", u.From, line(u.Decision)))
	}
	want := []string{
		"2025-12-29 allow [kz.mask kz.silence.export]: hide",
		"2026-01-01 needs_approval [kz.mask kz.notice=needs_approval]: tell hide",
	}
	for i, s := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], s[:10]) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	last := turns[len(turns)-1]
	if last.From != date(t, "2027-01-01") || last.Until != 0 || len(last.Decision.Duties) >= len(turns[0].Decision.Duties)+1 {
		t.Errorf("the duty to mask ends with 2026: %s", got[len(got)-1])
	}
	if turns[1].Decision.Outcome != corridor.NeedsApproval || turns[0].Decision.Outcome == corridor.NeedsApproval {
		t.Errorf("the list's new edition turns it: %s", strings.Join(got, "\n"))
	}
	for i := 1; i < len(turns); i++ {
		if turns[i-1].Until > turns[i].From {
			t.Errorf("turn %d ends on %s, and the next begins on %s", i-1, turns[i-1].Until, turns[i].From)
		}
	}
}

func TestTheOutlookStopsBeforeItsEnd(t *testing.T) {
	l := richLibrary(t)
	f := flow(t, `classes: [personal], people: 5`)
	turns, err := l.Outlook(f, corridor.Export, f.Date, date(t, "2027-01-01"))
	if err != nil || len(turns) != 1 || turns[0].Until != date(t, "2027-01-01") {
		t.Errorf("%v %+v", err, turns)
	}
	if _, err := l.Outlook(flow(t, "no_such_fact: 1"), corridor.Export, f.Date, f.Date+1); err == nil {
		t.Error("an unknown fact is decided")
	}
}

func TestDutiesThatComeAndGo(t *testing.T) {
	l := richLibrary(t)
	d := func(ids ...string) (d corridor.Decision) {
		for _, id := range ids {
			d.Duties = append(d.Duties, corridor.Obligation{ID: id})
		}
		return d
	}
	var got []string
	for _, c := range l.DutyChanges(d("tell", "keep_it"), d("keep", "hide")) {
		got = append(got, fmt.Sprintf("%s %v", c.ID, c.Added))
	}
	if strings.Join(got, ", ") != "hide true, tell false" { // keep_it is another name of keep
		t.Error(got)
	}
}
