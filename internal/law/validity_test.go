package law

import (
	"slices"
	"strings"
	"testing"

	"corridor"
)

// TestAVehicleThatLastsSomeYearsEnds: with its day of issue a certificate is in
// place until the years have passed, and the decision says until when.
func TestAVehicleThatLastsSomeYearsEnds(t *testing.T) {
	l := shipped(t)
	for _, c := range []struct {
		vehicle string
		want    corridor.Outcome
		note    string
		until   string
	}{
		{`{state: valid, issued_on: 2024-03-01}`, corridor.AllowWithObligations, "cn.certification lasts until 2027-02-28", "2027-03-01"},
		{`{state: valid, issued_on: 2023-11-25}`, corridor.AllowWithObligations, "cn.certification lasts until 2026-11-24", "2026-11-25"},
		{`{state: valid, issued_on: 2023-11-24}`, corridor.NeedsApproval, "cn.certification was issued on 2023-11-24 for 3 years and ended on 2026-11-23", ""},
		{`valid`, corridor.AllowWithObligations, "cn.certification has no day of issue", ""},
	} {
		f := crossing(t, "CN", "KZ", manyPeople+", vehicles: {cn.certification: "+c.vehicle+"}")
		d, err := l.DecideSide(f, corridor.Export)
		if err != nil {
			t.Fatal(err)
		}
		if d.Outcome != c.want || !slices.ContainsFunc(d.Notes, func(n string) bool { return strings.HasPrefix(n, c.note) }) {
			t.Errorf("%s: %s, %v", c.vehicle, d.Outcome, d.Notes)
		}
		if c.until != "" && d.ValidUntil != date(t, c.until) {
			t.Errorf("%s holds until %s, not %s", c.vehicle, d.ValidUntil, c.until)
		}
		for _, n := range d.Notes {
			if NoteIn(n, "zh") == n || NoteIn(n, "ru") == n {
				t.Errorf("not said in other languages: %s", n)
			}
		}
	}
}

func TestTheRenewalOfAnAssessmentIsAskedForAhead(t *testing.T) {
	l := shipped(t)
	f := crossing(t, "CN", "KZ", strings.Replace(manyPeople, "250000", "2500000", 1)+", vehicles: {cn.security_assessment: {state: passed, issued_on: 2024-03-04}}")
	d, err := l.DecideSide(f, corridor.Export)
	if err != nil {
		t.Fatal(err)
	}
	events, err := l.Issued(f)
	if err != nil || len(events) != 1 || events[0].ID != "assessment_result" {
		t.Fatal(events, err)
	}
	list := l.Tasks(d.Duties, events)
	i := slices.IndexFunc(list, func(x Task) bool { return x.Obligation == "renew_assessment_60_working_days" })
	if i < 0 {
		t.Fatal("nobody is told to renew the assessment")
	}
	// Sixty working days are at least twelve weeks, and with every day off of a year at most twenty.
	end := date(t, "2027-03-04")
	if due := list[i].Due; due > end-84 || due < end-140 {
		t.Errorf("ends %s, to be renewed by %s", end, due)
	}
	late, _ := l.calendars["CN"].ahead(end, 1)
	if late >= end {
		t.Errorf("one working day before %s is %s", end, late)
	}
}
