package law

import (
	"fmt"
	"strings"
	"testing"
)

func TestTheCalendarListsWhatBeginsAndWhatEnds(t *testing.T) {
	l := richLibrary(t)
	all, err := l.Calendar(date(t, "2020-01-01"), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		if e.Kind == RuleBegins && e.ID != "kz.mask" {
			continue
		}
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s %s", e.Date, e.Kind, e.ID, strings.Join(e.Added, "+"), strings.Join(e.Removed, "-"), e.Decides)))
	}
	want := []string{
		"2020-01-01 instrument_ends old   [export]",
		"2020-01-01 list_changes friends CN+RU  [export]",
		"2020-01-01 rule_begins kz.mask   [export]",
		"2026-01-01 list_changes friends  RU [export]",
		"2027-01-01 rule_ends kz.mask   [export]",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheCalendarCanBeNarrowed(t *testing.T) {
	l := richLibrary(t)
	for _, c := range []struct {
		from, until string
		only        []string
		n           int
	}{{"2026-01-01", "2027-01-01", nil, 1}, {"2026-01-02", "2027-01-01", nil, 0}, {"2026-01-01", "2027-01-02", []string{"KZ"}, 2}, {"2026-01-01", "2027-01-02", []string{"RU"}, 0}} {
		list, err := l.Calendar(date(t, c.from), date(t, c.until), c.only)
		if err != nil || len(list) != c.n {
			t.Errorf("%s to %s, %v: %d entries, %v", c.from, c.until, c.only, len(list), err)
		}
	}
}

// TestADayOfWhichNothingHangsDecidesNothing: an instrument that no rule in
// force turns on may end without any decision changing.
func TestADayOfWhichNothingHangsDecidesNothing(t *testing.T) {
	l := mustLoad(t, tree(strings.Replace(testHead+rich, "pdl: {title: &T,", "spare: {title: &T, in_force: {from: 2021-01-01, to: 2028-05-31}}\n  pdl: {title: &T,", 1)))
	list, err := l.Calendar(date(t, "2028-01-01"), 0, nil)
	if err != nil || len(list) != 1 || list[0].Kind != InstrumentEnds || list[0].Date != date(t, "2028-06-01") || list[0].Decides != nil {
		t.Errorf("%v %+v", err, list)
	}
}
