package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/plane"
)

func policy(t testing.TB, permission string) dsp.Policy {
	t.Helper()
	var p dsp.Policy
	if err := json.Unmarshal([]byte(`{"@id":"x","permission":[`+permission+`]}`), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func constraint(left, op, right string) string {
	return fmt.Sprintf(`{"action":"use","constraint":[{"leftOperand":%q,"operator":%q,"rightOperand":%s}]}`, left, op, right)
}

func TestAPolicyAdmitsWhatItSays(t *testing.T) {
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, permission, purpose, country string
		used                               int64
		where                              string // of the refusal, empty if admitted
	}{
		{"plain use", `{"action":"use"}`, "research", "KZ", 99, ""},
		{"the purpose", constraint("purpose", "eq", `"research"`), "research", "KZ", 0, ""},
		{"the purpose with our prefix", constraint("purpose", "eq", `"corridor:research"`), "research", "KZ", 0, ""},
		{"the purpose as an object", constraint("purpose", "eq", `{"@id":"research"}`), "research", "KZ", 0, ""},
		{"another purpose", constraint("purpose", "eq", `"research"`), "marketing", "KZ", 0, "purpose"},
		{"one of the purposes", constraint("purpose", "isAnyOf", `["research","hr"]`), "hr", "KZ", 0, ""},
		{"a purpose that is excluded", constraint("purpose", "neq", `"marketing"`), "marketing", "KZ", 0, "purpose"},
		{"none of some purposes", constraint("purpose", "isNoneOf", `["marketing","hr"]`), "research", "KZ", 0, ""},
		{"a country", constraint("spatial", "eq", `"KZ"`), "hr", "KZ", 0, ""},
		{"another country", constraint("corridor:recipientJurisdiction", "isAnyOf", `["KZ","UZ"]`), "hr", "AE", 0, "corridor:recipientJurisdiction"},
		{"within the time", constraint("dateTime", "lteq", `"2026-11-24"`), "hr", "KZ", 0, ""},
		{"after the time", constraint("dateTime", "lt", `"2026-11-24T12:00:00Z"`), "hr", "KZ", 0, "dateTime"},
		{"before the time", constraint("dateTime", "gt", `"2026-11-24"`), "hr", "KZ", 0, "dateTime"},
		{"from the time on", constraint("dateTime", "gteq", `"2026-11-24T12:00:00Z"`), "hr", "KZ", 0, ""},
		{"the last use", constraint("count", "lteq", `"3"`), "hr", "KZ", 2, ""},
		{"one use too many", constraint("count", "lteq", `"3"`), "hr", "KZ", 3, "count"},
		{"two that must hold", `{"action":"use","constraint":[{"and":[{"leftOperand":"purpose","operator":"isAnyOf","rightOperand":["hr","research"]},{"leftOperand":"purpose","operator":"neq","rightOperand":"hr"}]}]}`, "hr", "KZ", 0, "purpose"},
		{"two lists that do not meet", `{"action":"use","constraint":[{"leftOperand":"purpose","operator":"eq","rightOperand":"hr"},{"leftOperand":"purpose","operator":"eq","rightOperand":"research"}]}`, "hr", "KZ", 0, "purpose"},
	} {
		terms, err := readTerms(policy(t, c.permission))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		_, err = terms.admit(use{purpose: c.purpose, recipient: corridor.Participant{Jurisdiction: c.country}, at: noon, used: c.used})
		var e *corridor.Error
		if (c.where == "") != (err == nil) || err != nil && (!errors.As(err, &e) || e.Where != c.where) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAPolicyIsUnderstoodCompletelyOrRefusedByName(t *testing.T) {
	for name, c := range map[string]struct{ permission, word string }{
		"an action":                      {`{"action":"sell"}`, "sell"},
		"an operand":                     {constraint("moonPhase", "eq", `"full"`), "moonPhase"},
		"an operator for purposes":       {constraint("purpose", "isPartOf", `"hr"`), "isPartOf"},
		"an operator for counts":         {constraint("count", "gteq", `"3"`), "gteq"},
		"a time":                         {constraint("dateTime", "lt", `"tomorrow"`), "tomorrow"},
		"a time that stands for none":    {constraint("dateTime", "lt", `"0001-01-01T00:00:00Z"`), "0001-01-01"},
		"a count":                        {constraint("count", "lteq", `"many"`), "many"},
		"a count of nothing":             {constraint("count", "lteq", `"0"`), "0"},
		"a list where one belongs":       {constraint("purpose", "eq", `["a","b"]`), "eq"},
		"an operand that is an object":   {constraint("purpose", "eq", `{"x":1}`), `{"x":1}`},
		"a duty":                         {`{"action":"use","duty":[{"action":"compensate"}]}`, "compensate"},
		"a duty of ours that is none":    {`{"action":"use","duty":[{"action":"corridor:encrypt"}]}`, "corridor:encrypt"},
		"a duty without columns":         {`{"action":"use","duty":[{"action":"corridor:drop"}]}`, "corridor:drop"},
		"a stage without our prefix":     {`{"action":"use","duty":[{"action":"drop","constraint":[{"leftOperand":"corridor:column","operator":"eq","rightOperand":"a"}]}]}`, "drop"},
		"a duty with another constraint": {`{"action":"use","duty":[{"action":"corridor:drop","constraint":[{"leftOperand":"event","operator":"lt","rightOperand":"x"}]}]}`, "event"},
	} {
		_, err := readTerms(policy(t, c.permission))
		if corridor.KindOf(err) != corridor.Invalid || !strings.Contains(strings.ReplaceAll(err.Error(), `\"`, `"`), c.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, p := range []dsp.Policy{
		{Permission: []dsp.Rule{{Action: "use"}}, Prohibition: []dsp.Rule{{Action: "sell"}}},
		{Permission: []dsp.Rule{{Action: "use"}}, Prohibition: []dsp.Rule{{Action: "use"}}},
		{Prohibition: []dsp.Rule{{Action: "distribute"}}},
		{Permission: []dsp.Rule{{Action: "use"}}, Obligation: []dsp.Rule{{Action: "inform"}}},
		{},
	} {
		if _, err := readTerms(p); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestDutiesOfAnOfferBecomeStages(t *testing.T) {
	duty := `{"action":"corridor:%s","constraint":[{"leftOperand":"corridor:column","operator":"isAnyOf","rightOperand":["name","phone"]},{"leftOperand":"corridor:param","operator":"eq","rightOperand":"%s"}]}`
	terms, err := readTerms(policy(t, `{"action":"use","duty":[`+fmt.Sprintf(duty, "mask", "keep:1,0")+`,`+strings.Replace(fmt.Sprintf(duty, "drop", "x"), `,{"leftOperand":"corridor:param","operator":"eq","rightOperand":"x"}`, "", 1)+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	d := catalog.Dataset{Format: "csv", Plan: json.RawMessage(`{"format":"csv","stages":[{"do":"drop","columns":["phone","name","id"]}]}`)}
	plan, err := makePlan(d, terms.permissions[0].stages, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := plane.Plan{Format: "csv", Stages: []plane.Stage{
		{Do: "drop", Columns: []string{"phone", "name", "id"}}, // covers the offer's own drop
		{Do: "mask", Columns: []string{"name", "phone"}, Param: "keep:1,0"},
	}}
	if diff := cmp.Diff(want, plan); diff != "" {
		t.Error(diff)
	}
	owed := corridor.Decision{Duties: []corridor.Obligation{{ID: "hide_names", Stage: "pseudonymise", Citations: []corridor.Citation{{Instrument: "law", Article: "7"}}}}}
	if _, err := makePlan(d, terms.permissions[0].stages, []corridor.Decision{owed}); corridor.KindOf(err) != corridor.RefusedByLaw || !strings.Contains(err.Error(), "pseudonymise") {
		t.Errorf("a stage that the law demands is not in the plan: %v", err)
	}
}

// A constraint more never admits what the policy without it refused.
func TestAConstraintMoreNeverOpens(t *testing.T) {
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	one := rapid.Custom(func(t *rapid.T) dsp.Constraint {
		word := rapid.SampledFrom([]string{"hr", "research", "marketing"})
		country := rapid.SampledFrom([]string{"KZ", "UZ"})
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return dsp.Compare("purpose", rapid.SampledFrom([]dsp.Operator{dsp.Eq, dsp.Neq}).Draw(t, "op"), word.Draw(t, "purpose"))
		case 1:
			return dsp.Compare("spatial", rapid.SampledFrom([]dsp.Operator{dsp.Eq, dsp.IsNoneOf}).Draw(t, "op"), country.Draw(t, "country"))
		case 2:
			return dsp.Compare("count", dsp.Lteq, fmt.Sprint(rapid.IntRange(1, 5).Draw(t, "n")))
		}
		return dsp.Compare("dateTime", rapid.SampledFrom([]dsp.Operator{dsp.Lt, dsp.Lteq, dsp.Gt, dsp.Gteq}).Draw(t, "op"),
			rapid.SampledFrom([]string{"2026-11-23", "2026-11-24", "2026-11-25"}).Draw(t, "day"))
	})
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(one, 0, 4).Draw(t, "constraints")
		more := append(append([]dsp.Constraint{}, list...), one.Draw(t, "one more"))
		admits := func(c []dsp.Constraint) bool {
			terms, err := readTerms(dsp.Policy{ID: "x", Permission: []dsp.Rule{{Action: "use", Constraint: c}}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = terms.admit(use{purpose: "hr", recipient: corridor.Participant{Jurisdiction: "KZ"}, at: noon, used: 2})
			return err == nil
		}
		if admits(more) && !admits(list) {
			t.Fatalf("%+v", more)
		}
	})
}

func FuzzReadTerms(f *testing.F) {
	f.Add([]byte(`{"@id":"x","permission":[{"action":"use","constraint":[{"leftOperand":"count","operator":"lteq","rightOperand":"3"}]}]}`))
	f.Add([]byte(`{"@id":"x","permission":[{"action":"use","duty":[{"action":"corridor:drop"}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p dsp.Policy
		if json.Unmarshal(raw, &p) != nil {
			return
		}
		terms, err := readTerms(p)
		if err == nil {
			u := use{purpose: "hr", recipient: corridor.Participant{Jurisdiction: "KZ"}, at: time.Unix(0, 0)}
			if i, err := terms.admit(u); err == nil {
				if from, until := terms.window(u, i); !from.IsZero() && from.After(u.at) || !until.IsZero() && !until.After(u.at) {
					t.Fatalf("%s to %s is not around %s", from, until, u.at)
				}
				if terms.never(u) != nil {
					t.Fatal("never, and yet admitted")
				}
			}
		}
	})
}

func TestCountsAreCarriedForward(t *testing.T) {
	bounds := func(v ...int64) any {
		if len(v) == 1 {
			return map[string]any{"min": v[0]}
		}
		return map[string]any{"min": v[0], "max": v[1]}
	}
	for name, c := range map[string]struct {
		facts  corridor.Facts
		before int64
		want   any
	}{
		"nobody said what else went out":  {corridor.Facts{"subjects_in_file": 10}, 5, bounds(15)},
		"a span":                          {corridor.Facts{"subjects_in_file": map[string]any{"min": float64(1), "max": float64(3)}}, 5, bounds(6)},
		"the operator's figure is more":   {corridor.Facts{"subjects_in_file": 10, "subjects_ytd": 100}, 5, bounds(100, 100)},
		"the operator's figure is less":   {corridor.Facts{"subjects_in_file": 10, "subjects_ytd": 1}, 5, bounds(15, 15)},
		"the operator's figure is a span": {corridor.Facts{"subjects_in_file": 10, "subjects_ytd": map[string]any{"min": 1, "max": 30}}, 5, bounds(15, 30)},
		"the operator's figure is open":   {corridor.Facts{"subjects_in_file": 10, "subjects_ytd": map[string]any{"min": 40}}, 5, bounds(40)},
		"the file has no upper bound":     {corridor.Facts{"subjects_in_file": map[string]any{"min": 10}, "subjects_ytd": 12}, 5, bounds(15, 15)},
		"nothing is known":                {corridor.Facts{}, 5, nil},
		"a text":                          {corridor.Facts{"subjects_in_file": "many"}, 5, nil},
		"a span upside down":              {corridor.Facts{"subjects_in_file": map[string]any{"min": 3, "max": 1}}, 5, nil},
		"too many to add":                 {corridor.Facts{"subjects_in_file": int64(1) << 62}, 1 << 62, nil},
	} {
		total := map[string]span{}
		if file, known := readSpan(c.facts["subjects_in_file"]); known && file.most() <= maxCounted {
			total[kindPeople] = span{low: c.before + file.low, high: c.before + file.most()}
		}
		countPeople(c.facts, total)
		if diff := cmp.Diff(c.want, c.facts["subjects_ytd"]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestAWordOfODRLIsReadWithItsPrefix: other connectors write the words of ODRL
// that the protocol's context does not define with their prefix, or in full.
func TestAWordOfODRLIsReadWithItsPrefix(t *testing.T) {
	const all = `{"@id":"x","permission":[{"action":"use","constraint":[{"leftOperand":"purpose","operator":"isAnyOf","rightOperand":["hr","research"]},
		{"leftOperand":"dateTime","operator":"lteq","rightOperand":"2027-06-30"},{"leftOperand":"count","operator":"lteq","rightOperand":"3"},
		{"or":[{"leftOperand":"spatial","operator":"eq","rightOperand":"KZ"},{"leftOperand":"recipient","operator":"eq","rightOperand":"did:web:a.example"}]}],
		"duty":[{"action":"delete","constraint":[{"leftOperand":"elapsedTime","operator":"lteq","rightOperand":"P30D"},{"leftOperand":"dateTime","operator":"lteq","rightOperand":"2027-01-01"}]}]}],
		"prohibition":[{"action":"distribute"}]}`
	read := func(text string) (dsp.Policy, terms, error) {
		var p dsp.Policy
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		got, err := readTerms(p)
		return p, got, err
	}
	plain, want, err := read(all)
	if err != nil {
		t.Fatal(err)
	}
	words := regexp.MustCompile(`("(?:action|leftOperand)":")([A-Za-z]+)"`)
	for _, space := range []string{"odrl:", "http://www.w3.org/ns/odrl/2/"} {
		text := words.ReplaceAllString(all, "${1}"+space+"${2}\"")
		p, got, err := read(text)
		if err != nil {
			t.Fatal(err)
		}
		if got.canonical() != want.canonical() || !sameTerms(plain, p) {
			t.Errorf("%s: %s, not %s", space, got.canonical(), want.canonical())
		}
		if back, err := json.Marshal(p); err != nil || !strings.Contains(string(back), space+"dateTime") {
			t.Errorf("it does not go back as it came: %v %s", err, back)
		}
	}
	for _, word := range []string{"odrl:recipientType", "odrl:moonPhase", "odrl:", "odrl:odrl:purpose", "ODRL:purpose", "odrl: purpose", "dspace:purpose",
		"https://www.w3.org/ns/odrl/2/purpose", "http://www.w3.org/ns/odrl/2/#purpose", "corridor:purpose", "odrl:corridor:onward", "odrl:use"} {
		if _, _, err := read(`{"@id":"x","permission":[` + constraint(word, "eq", `"hr"`) + `]}`); corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), strings.TrimPrefix(word, "odrl:")) {
			t.Errorf("%s: %v", word, err)
		}
	}
	for _, action := range []string{"odrl:sell", "odrl:purpose", "odrl:corridor:drop", "odrl:delete"} {
		if _, _, err := read(`{"@id":"x","permission":[{"action":"` + action + `"}]}`); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%s: %v", action, err)
		}
	}
}
