package law_test

import (
	"strings"
	"testing"

	"corridor"
)

// TestAYearsCountIncludesTheFile: what one flow holds is part of what the
// exporter sends this year, so a count of the year that is forgotten, stale
// or assumed never passes below a threshold that the flow alone reaches.
func TestAYearsCountIncludesTheFile(t *testing.T) {
	l := library(t)
	for name, c := range map[string]struct {
		assume string
		facts  corridor.Facts
		want   string // the outcome, or part of the error
	}{
		"a stale count is refused": {"", corridor.Facts{"subjects_in_file": 200000, "subjects_ytd": 5, "sensitive_subjects_ytd": 0},
			"subjects_in_file is at least 200000, but subjects_ytd and sensitive_subjects_ytd, which include it, at most 5"},
		"so is a stale count of sensitive people": {"", corridor.Facts{"sensitive_subjects_in_file": 9, "sensitive_subjects_ytd": 8},
			"sensitive_subjects_in_file is at least 9, but sensitive_subjects_ytd, which includes it, at most 8"},
		"data about people is about someone": {"", corridor.Facts{"subjects_ytd": 0, "sensitive_subjects_ytd": 0},
			`the data is "personal", which is about at least one person, but there is nobody by subjects_ytd and sensitive_subjects_ytd`},
		"in the file too": {"", corridor.Facts{"subjects_in_file": 0},
			`the data is "personal", which is about at least one person, but there is nobody by subjects_in_file`},
		"one count of the year may be zero":               {"nothing_in_place", corridor.Facts{"subjects_ytd": 7, "sensitive_subjects_ytd": 0}, "allow_with_obligations"},
		"an assumed count gives way to a counted file":    {"nothing_in_place", corridor.Facts{"subjects_in_file": 200000}, "undetermined"},
		"an assumed file gives way to a given count":      {"nothing_in_place", corridor.Facts{"subjects_ytd": 5}, "allow_with_obligations"},
		"what the file holds is counted without a count":  {"nothing_in_place", corridor.Facts{"subjects_in_file": 200000, "sensitive_subjects_ytd": 0}, "needs_approval"},
		"at least so many in the file are so many a year": {"nothing_in_place", corridor.Facts{"subjects_in_file": map[string]any{"min": 100000}, "subjects_ytd": map[string]any{"max": 999999}, "sensitive_subjects_ytd": 0}, "needs_approval"},
		"one fewer is below the line":                     {"nothing_in_place", corridor.Facts{"subjects_in_file": 99999, "subjects_ytd": 99999, "sensitive_subjects_ytd": 0}, "allow_with_obligations"},
	} {
		c.facts["data_classes"] = []any{"personal"}
		d, err := l.DecideSide(corridor.Flow{Date: day(t, "2026-11-26"), Origin: "CN", Destination: "KZ", Assume: c.assume, Facts: c.facts}, corridor.Export)
		switch {
		case err != nil && !strings.Contains(err.Error(), c.want), err == nil && d.Outcome.String() != c.want:
			t.Errorf("%s: %s, %v; want %s", name, d.Outcome, err, c.want)
		}
		for _, a := range d.Assumed {
			fact, _, _ := strings.Cut(a, " ")
			if _, given := c.facts[fact]; given || fact == "subjects_ytd" && c.facts["subjects_in_file"] == 200000 {
				t.Errorf("%s: assumes %s against what is given", name, a)
			}
		}
	}
}
