package law

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"corridor"
	"corridor/packs"
)

// The week of 2 March 2026: Thursday the 5th is a holiday whose date is an
// estimate, Tuesday the 10th a half day, Monday the 9th a holiday for sure.
const doubtfulCalendars = `{"countries": {"KZ": {"weekly_rest": [5, 6], "years": {
 "2026": {"status": "official", "off": ["2026-03-05", "2026-03-09"], "estimated_dates": ["2026-03-05"], "makeup_workdays": ["2026-03-14"], "half_days": ["2026-03-10"]}}}}}`

func doubtful(t *testing.T) *calendar {
	t.Helper()
	fsys := tree(testHead + oneRule(nil))
	fsys["calendars.json"].Data = []byte(doubtfulCalendars)
	return mustLoad(t, fsys).calendars["KZ"]
}

func TestDoubtCountsAgainstThePartyThatWaitsOrActs(t *testing.T) {
	c := doubtful(t)
	for d, want := range map[string][2]bool{ // waits, owes
		"2026-03-03": {true, true},
		"2026-03-04": {false, true},  // the holiday may fall on the day before
		"2026-03-05": {false, true},  // the estimate itself
		"2026-03-06": {false, true},  // or on the day after
		"2026-03-07": {false, false}, // Saturday
		"2026-03-09": {false, false}, // certain
		"2026-03-10": {false, true},  // half a day
		"2026-03-14": {true, true},   // a Saturday that is worked
	} {
		for p, want := range map[party]bool{waits: want[0], owes: want[1]} {
			if got, _, known := c.working(date(t, d), p); got != want || !known {
				t.Errorf("%s for party %d: %v, want %v", d, p, got, want)
			}
		}
	}
	if _, year, known := c.working(date(t, "2030-01-09"), waits); known || year != 2030 {
		t.Errorf("the calendar of %d is known", year)
	}
}

func TestATermEndsLateForWhoWaitsAndEarlyForWhoOwes(t *testing.T) {
	c := doubtful(t)
	for _, w := range []struct {
		p    party
		last string
	}{{waits, "2026-03-12"}, {owes, "2026-03-05"}} {
		last, estimated, missing := c.termEnd(date(t, "2026-03-02"), 3, w.p)
		if last.String() != w.last || !estimated || missing != 0 {
			t.Errorf("party %d: %s, estimated %v, missing %d; want %s", w.p, last, estimated, missing, w.last)
		}
	}
	if _, estimated, _ := c.termEnd(date(t, "2026-02-02"), 3, waits); estimated {
		t.Error("a term far from any doubt is called estimated")
	}
}

// Wednesday 10 March is a holiday of a year whose decree on moved days is not
// known; the ones before and after it are.
const movingCalendars = `{"countries": {"KZ": {"weekly_rest": [5, 6], "moves_days": %s, "years": {
 "2026": {"status": "official", "off": ["2026-12-31"]}, "2028": {"status": "official", "off": ["2028-01-03"]},
 "2027": {"status": "%s", "off": ["2027-03-10"]}}}}}`

func TestADecreeThatIsNotKnownMayTurnTwoDaysOfATerm(t *testing.T) {
	for _, w := range []struct {
		moves, status, from string
		days                int
		owes, waits         string
	}{
		{"true", "estimated", "2027-03-05", 5, "2027-03-11", "2027-03-17"},  // Saturday and Sunday may be worked; Monday and Tuesday may be off
		{"true", "estimated", "2027-03-05", 1, "2027-03-06", "2027-03-11"},  // Monday and Tuesday off, Wednesday is
		{"true", "estimated", "2027-04-05", 10, "2027-04-19", "2027-04-19"}, // over three weeks from any holiday
		{"false", "estimated", "2027-03-05", 5, "2027-03-15", "2027-03-15"},
		{"true", "official", "2027-03-05", 5, "2027-03-15", "2027-03-15"},
		{"true", "estimated", "2026-12-30", 3, "2027-01-03", "2027-01-06"}, // a holiday of the year before counts; Saturday and Sunday, Friday
	} {
		fsys := tree(testHead + oneRule(nil))
		fsys["calendars.json"].Data = fmt.Appendf(nil, movingCalendars, w.moves, w.status)
		c := mustLoad(t, fsys).calendars["KZ"]
		owed, _ := c.earliestEnd(date(t, w.from), w.days)
		same, _, _ := c.termEnd(date(t, w.from), w.days, owes)
		waited, _, _ := c.termEnd(date(t, w.from), w.days, waits)
		if owed.String() != w.owes || same != owed || waited.String() != w.waits {
			t.Errorf("%+v: owed by %s and %s, waited for until %s", w, owed, same, waited)
		}
	}
}

func TestNoTermEndsEarlierForWhoWaits(t *testing.T) {
	l := mustLoadShipped(t)
	rapid.Check(t, func(t *rapid.T) {
		cc := rapid.SampledFrom(keys(l.calendars)).Draw(t, "country")
		from := date2026.add(rapid.IntRange(0, 600).Draw(t, "day"))
		n := rapid.IntRange(1, 60).Draw(t, "days")
		late, _, m1 := l.calendars[cc].termEnd(from, n, waits)
		early, _, m2 := l.calendars[cc].termEnd(from, n, owes)
		if m1 == 0 && (m2 != 0 || early > late) {
			t.Fatalf("%s: %d working days after %s end %s for who owes and %s for who waits", cc, n, from, early, late)
		}
	})
}

type start corridor.Date

// date2026 is 1 January 2026.
const date2026 start = 739_617

func (s start) add(n int) corridor.Date { return corridor.Date(s) + corridor.Date(n) }

func mustLoadShipped(t *testing.T) *Library {
	t.Helper()
	l, err := Load(packs.FS())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTheShippedCalendarsCoverThisYearAndTheNext(t *testing.T) {
	l := mustLoadShipped(t)
	if got := date2026.add(0).String(); got != "2026-01-01" {
		t.Fatal(got)
	}
	for _, cc := range keys(l.calendars) {
		for _, year := range []int{2026, 2027} {
			if y := l.calendars[cc].years[year]; y == nil || len(y.off) == 0 {
				t.Errorf("%s has no days off in %d", cc, year)
			}
		}
	}
	for cc, y := range map[string]string{"CN": "official", "RU": "official", "TR": "estimated"} {
		if got := l.calendars[cc].years[2026].status; got != y {
			t.Errorf("%s 2026 is %s, want %s", cc, got, y)
		}
	}
	for d, work := range map[string]bool{"2026-10-10": true, "2026-10-09": true, "2026-10-07": false, "2026-10-11": false} {
		if got, _, _ := l.calendars["CN"].working(date(t, d), owes); got != work {
			t.Errorf("CN %s works: %v", d, got)
		}
	}
	if got, _, _ := l.calendars["IR"].working(date(t, "2026-11-28"), owes); !got {
		t.Error("a Saturday is a working day in Iran")
	}
	if got, _, _ := l.calendars["SA"].working(date(t, "2026-11-29"), owes); !got {
		t.Error("a Sunday is a working day in Saudi Arabia")
	}
}

func TestWhenSomethingOwedIsDue(t *testing.T) {
	l := mustLoadShipped(t)
	for id, want := range map[string]struct {
		from, last  string
		provisional bool
	}{
		"file_contract_with_provincial_cac_10_working_days": {"2026-09-28", "2026-10-16", false},
		"file_within_10_working_days":                       {"2026-09-28", "2026-10-16", false}, // its other name
		"report_registration_changes_3_working_days":        {"2026-11-26", "2026-12-01", true},
		"notify_breach_to_supervisory_authority_72h":        {"2026-11-26", "2026-11-29", false},
		"retain_pipia_3y":                                   {"2024-02-29", "2027-02-28", false},
	} {
		due, err := l.Due(id, date(t, want.from))
		if err != nil || due.Last.String() != want.last || due.Provisional != want.provisional {
			t.Errorf("%s from %s: %v %v, want %+v", id, want.from, due, err, want)
		}
	}
	for id, want := range map[string]string{"security_measures": "has no deadline", "secure": "is unknown", "file_within_10_working_days": "working days of CN 2031"} {
		_, err := l.Due(id, date(t, "2031-01-10"))
		var e *corridor.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", id, err, want)
		}
	}
}

func TestADeadlineInMonthsEndsInTheMonthItNames(t *testing.T) {
	d := &Deadline{Days: 1, Unit: "months"}
	for from, want := range map[string]string{"2026-01-31": "2026-02-28", "2026-11-15": "2026-12-15", "2026-12-31": "2027-01-31"} {
		if got := d.after(date(t, from)).String(); got != want {
			t.Errorf("a month after %s is %s, want %s", from, got, want)
		}
	}
	d = &Deadline{Days: 5, Unit: "calendar_days"}
	if got := d.after(date(t, "2026-12-30")).String(); got != "2027-01-04" {
		t.Error(got)
	}
}
