package main

import (
	"slices"
	"testing"

	"corridor"
	"corridor/internal/plane"
	"corridor/internal/scan"
)

func finding(class, what string, confidence float64) scan.Finding {
	return scan.Finding{Class: class, Identifier: what, Confidence: confidence}
}

func TestEachRecognisedColumnGetsTheStageThatProtectsIt(t *testing.T) {
	for name, c := range map[string]struct {
		findings []scan.Finding
		do       string
	}{
		"a name is left out":                         {[]scan.Finding{finding("personal", "person_name", 0.9)}, plane.Drop},
		"an identity number becomes a pseudonym":     {[]scan.Finding{finding("personal", "kz_iin", 0.99)}, plane.Pseudonymise},
		"a telephone is masked":                      {[]scan.Finding{finding("personal", "phone", 0.9)}, plane.Mask},
		"a date of birth keeps its year":             {[]scan.Finding{finding("personal", "birth_date", 0.9)}, plane.Generalise},
		"health is left out":                         {[]scan.Finding{finding("health", "icd", 0.9)}, plane.Drop},
		"a number of an organisation stays":          {[]scan.Finding{finding("non_personal", "kz_bin", 0.9)}, ""},
		"what is unknown to us is left out":          {[]scan.Finding{finding("personal", "something_new", 0.9)}, plane.Drop},
		"the strictest of several findings wins":     {[]scan.Finding{finding("personal", "phone", 0.9), finding("health", "health", 0.7)}, plane.Drop},
		"a guess is not enough to change the column": {[]scan.Finding{finding("personal", "person_name", 0.3)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &scan.Report{Format: "csv", Delimiter: ";", Columns: []scan.Column{{Name: "c", Classes: c.findings}, {Name: "other"}}}
			plan := planOf(r, propose(r))
			do := ""
			if len(plan.Stages) > 0 {
				do = plan.Stages[0].Do
			}
			if do != c.do || plan.Delimiter != ";" {
				t.Errorf("plan %+v, want %q with the file's delimiter", plan, c.do)
			}
			if err := plan.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMembersInsideMembersOfAJSONLineAreLeftOutWhole(t *testing.T) {
	r := &scan.Report{Format: "jsonl", Columns: []scan.Column{
		{Name: "geo.lat", Classes: []scan.Finding{finding("geospatial", "latitude", 0.9)}},
		{Name: "geo.lon", Classes: []scan.Finding{finding("geospatial", "longitude", 0.9)}},
		{Name: "phones[]", Classes: []scan.Finding{finding("personal", "phone", 0.9)}},
	}, Facts: corridor.Facts{"data_classes": map[string]any{"has": []any{"personal", "geospatial"}}}}
	plan := planOf(r, propose(r))
	if len(plan.Stages) != 1 || !slices.Equal(plan.Stages[0].Columns, []string{"geo", "phones"}) || plan.Stages[0].Do != plane.Drop {
		t.Errorf("plan %+v, want geo and phones left out, once each", plan)
	}
	left := factsAfter(r, plan)["data_classes"].(map[string]any)["has"].([]any)
	if !slices.Equal(left, []any{"personal"}) {
		t.Errorf("classes after the plan: %v, want personal alone", left)
	}
}

func TestAClassThatStandsElsewhereTooDoesLeave(t *testing.T) {
	health := []scan.Finding{finding("health", "icd", 0.9)}
	r := &scan.Report{Format: "csv", Delimiter: ",", Columns: []scan.Column{{Name: "a", Classes: health}, {Name: "b", Classes: health}},
		Facts: corridor.Facts{"data_classes": map[string]any{"has": []any{"personal", "health"}}}}
	plan := plane.Plan{Format: "csv", Stages: []plane.Stage{{Do: plane.Drop, Columns: []string{"a"}}}}
	left := factsAfter(r, plan)["data_classes"].(map[string]any)["has"].([]any)
	if !slices.Equal(left, []any{"personal", "health"}) {
		t.Errorf("classes after dropping one of two columns: %v", left)
	}
}
