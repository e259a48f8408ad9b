package law_test

import (
	"testing"

	"corridor"
)

// TestADayThatAPackDoesNotCoverIsNeverAllowed: a pack that knows no law of a
// day must not answer that no rule limits the flow. A clock that stands at
// its beginning would otherwise open every border.
func TestADayThatAPackDoesNotCoverIsNeverAllowed(t *testing.T) {
	l := library(t)
	for _, info := range l.Packs() {
		if info.Jurisdiction == "treaty" {
			continue
		}
		here, there := info.Jurisdiction, "KZ"
		switch here {
		case "KZ":
			there = "CN"
		case "EU":
			here = "DE"
		}
		for _, date := range []string{"1900-01-01", "1970-01-02"} {
			for _, side := range []corridor.Side{corridor.Export, corridor.Import} {
				f := corridor.Flow{Date: day(t, date), Origin: here, Destination: there, Assume: "shared_case_defaults",
					Facts: corridor.Facts{"data_classes": []any{"personal"}, "subjects_ytd": 10}}
				if side == corridor.Import {
					f.Origin, f.Destination = there, here
				}
				d, err := l.DecideSide(f, side)
				if err != nil {
					t.Fatalf("%s %s %s: %v", here, side, date, err)
				}
				p, err := l.Prepare(f)
				if err != nil {
					t.Fatal(err)
				}
				if d.Outcome.Permits() || d.Best.Permits() && (d.Outcome != corridor.Undetermined || d.Worst != corridor.Deny || len(d.Notes) == 0) {
					t.Errorf("%s, %s on %s: %s (%s to %s), notes %q", here, side, date, d.Outcome, d.Best, d.Worst, d.Notes)
				}
				if o := p.Outcome(); o.Permits() {
					t.Errorf("%s, %s on %s: the short answer is %s", here, side, date, o)
				}
				for _, m := range d.Matched {
					if m.Kind == "silence" {
						t.Errorf("%s, %s on %s: silence speaks, citing %v", here, side, date, m.Citations)
					}
				}
			}
		}
	}
}

// TestSilenceCitesWhatIsInForce: of the instruments on which silence rests a
// decision names those of its day.
func TestSilenceCitesWhatIsInForce(t *testing.T) {
	l := library(t)
	for date, want := range map[string]string{"2026-02-04": "law-58", "2026-02-05": "digital-code"} {
		d, err := l.DecideSide(corridor.Flow{Date: day(t, date), Origin: "CN", Destination: "KG", Assume: "shared_case_defaults",
			Facts: corridor.Facts{"data_classes": []any{"non_personal"}, "subjects_ytd": 0}}, corridor.Import)
		if err != nil || len(d.Matched) != 1 || len(d.Matched[0].Citations) != 1 || d.Matched[0].Citations[0].Instrument != want {
			t.Errorf("on %s: %v %v", date, d.Matched, err)
		}
	}
}
