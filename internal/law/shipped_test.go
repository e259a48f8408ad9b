package law_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"corridor"
	"corridor/internal/law"
	"corridor/packs"
	"corridor/test/racing"
)

func TestShippedPacksAreSound(t *testing.T) {
	if racing.On {
		t.Skip("starts no goroutine: nothing for the race detector")
	}
	l, findings := law.Lint(packs.FS())
	for _, f := range findings {
		t.Errorf("%s: %s; %s", f.Where, f.Msg, f.Fix)
	}
	cases, err := l.Cases()
	if err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	results := l.RunCases(cases)
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s (%s): %s", r.Case.ID, r.Case.Where, r.Reason)
		}
	}
	for _, c := range l.Cover(results) {
		for _, g := range c.Missing {
			t.Errorf("%s: no case shows %s %s (%s) of %s on the %s side; corridor packs cover proposes one", g.Where, g.What, g.Test, c.Pack, g.Rule, g.Side)
		}
	}
}

// TestQuestionsLeadToAnAnswer plays the person who answers each time the
// first question with the most usual answer, and counts.
func TestQuestionsLeadToAnAnswer(t *testing.T) {
	l := library(t)
	f := corridor.Flow{Date: day(t, "2026-11-24"), Origin: "CN", Destination: "KZ", Facts: corridor.Facts{"data_classes": []any{"personal"}}}
	for asked := range 60 {
		d, err := l.DecideSide(f, corridor.Export)
		if err != nil {
			t.Fatal(err)
		}
		if d.Outcome != corridor.Undetermined {
			t.Logf("%s after %d questions", d.Outcome, asked)
			return
		}
		q := d.Questions[0]
		f.Facts = f.Facts.Clone()
		switch {
		case q.Member != "":
			f.Facts[q.Fact] = []any{}
		case q.Type == "country":
			f.Facts[q.Fact] = "CN"
		case q.Type == "int":
			lo, _, _ := strings.Cut(q.Options[0], "..")
			v, err := law.ParseValue(lo)
			if err != nil {
				t.Fatal(err)
			}
			f.Facts[q.Fact] = v
		case q.Type == "bool":
			f.Facts[q.Fact] = q.Options[0] == "true"
		default:
			f.Facts[q.Fact] = q.Options[0]
		}
	}
	t.Error("sixty questions and no answer")
}

// TestSecretsLeaveOnNoDay tries the days around every line that a pack draws
// in time: where one law ends and the next begins nothing opens.
func TestSecretsLeaveOnNoDay(t *testing.T) {
	l := library(t)
	for _, p := range l.Packs() {
		if !slices.Contains(p.Sides, corridor.Export) {
			continue
		}
		origin, destination := p.Jurisdiction, "CN"
		switch origin {
		case "EU":
			origin = "DE"
		case "CN":
			destination = "KZ"
		}
		detail, err := l.Pack(p.ID)
		if err != nil {
			t.Fatal(err)
		}
		tried := map[corridor.Date]bool{}
		for _, u := range detail.Rules {
			for _, d := range []corridor.Date{u.From - 1, u.From, u.To, u.To + 1} {
				if d < 2 || tried[d] {
					continue
				}
				tried[d] = true
				for _, class := range []string{"state_secret", "govt_restricted"} {
					f := corridor.Flow{Date: d, Origin: origin, Destination: destination, Assume: "shared_case_defaults", Facts: corridor.Facts{"data_classes": []any{class}}}
					got, err := l.DecideSide(f, corridor.Export)
					if err != nil {
						t.Fatal(err)
					}
					if got.Outcome.Permits() {
						t.Errorf("%s lets %s go on %s: %s", p.ID, class, d, got.Outcome)
					}
				}
			}
		}
	}
}

func TestDecisionsRunSideBySide(t *testing.T) {
	l := library(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, origin := range []string{"CN", "RU", "KZ"} {
				for _, destination := range []string{"KZ", "CN", "RU"} {
					for _, d := range []string{"2019-06-01", "2026-07-01", "2026-11-24"} {
						if origin == destination {
							continue
						}
						f := corridor.Flow{Date: day(t, d), Origin: origin, Destination: destination, Assume: law.DefaultProfile,
							Facts: corridor.Facts{"data_classes": []any{"personal"}, "subjects_ytd": 5, "sensitive_subjects_ytd": 0}}
						if _, err := l.Decide(f); err != nil {
							t.Error(err)
						}
						f.Assume = ""
						if _, err := l.Decide(f); err != nil {
							t.Error(err)
						}
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestProposalsCoverTheShippedPacksFromNothing takes all cases away and has
// them found anew: whatever the packs test can be shown by some case.
func TestProposalsCoverTheShippedPacksFromNothing(t *testing.T) {
	if racing.On {
		t.Skip("starts no goroutine: nothing for the race detector")
	}
	if testing.Short() {
		t.Skip("takes seconds")
	}
	l := library(t)
	var cases []law.Case
	for _, p := range l.Propose(nil) {
		for _, g := range p.Left {
			t.Errorf("%s: no case was found for %s %s of %s", g.Where, g.What, g.Test, g.Rule)
		}
		cases = append(cases, p.Cases...)
	}
	results := l.RunCases(cases)
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: %s", r.Case.ID, r.Reason)
		}
	}
	for _, c := range l.Cover(results) {
		if c.Percent < 100 {
			t.Errorf("%s: %g%%", c.Pack, c.Percent)
		}
	}
}
