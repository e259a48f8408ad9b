package law_test

import (
	"testing"

	"corridor"
)

func TestTheLinesOfALawAreThoseOfItsRules(t *testing.T) {
	l := library(t)
	day, err := corridor.ParseDate("2026-11-24")
	if err != nil {
		t.Fatal(err)
	}
	at := func(fact, jurisdiction string, day corridor.Date) map[int64]bool {
		out, last := map[int64]bool{}, int64(0)
		for _, line := range l.Lines(fact, jurisdiction, day) {
			if line.At < last || line.Rule == "" || line.Pack == "" || len(line.Citations) == 0 {
				t.Errorf("%s: %+v after %d", fact, line, last)
			}
			out[line.At], last = true, line.At
		}
		return out
	}
	cn := at("subjects_ytd", "CN", day)
	if !cn[100_000] || !cn[1_000_000] || len(cn) != 2 {
		t.Errorf("people: %v", cn)
	}
	sensitive := at("sensitive_subjects_ytd", "CN", day)
	if !sensitive[1] || !sensitive[10_000] {
		t.Errorf("sensitive people: %v", sensitive)
	}
	all := at("subjects_ytd", "", 0)
	for at := range cn {
		if !all[at] {
			t.Errorf("%d is a line of one pack, and not of all", at)
		}
	}
	for _, fact := range []string{"purpose", "data_classes", "nothing"} {
		if got := l.Lines(fact, "", 0); len(got) != 0 {
			t.Errorf("%s is no number: %v", fact, got)
		}
	}
	if got := l.Lines("subjects_ytd", "MN", day); len(got) != 0 {
		t.Errorf("a law that counts nobody: %v", got)
	}
}
