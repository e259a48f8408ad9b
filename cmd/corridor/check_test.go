package main

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"corridor"
	"corridor/internal/law"
	"corridor/packs"
)

func TestCheckSpeaksThreeLanguagesAlike(t *testing.T) {
	verb := regexp.MustCompile(`%(\[\d+\])?[a-z]`)
	index := regexp.MustCompile(`\[\d+\]`)
	all := checkTexts()
	maps.Copy(all, diffTexts())
	maps.Copy(all, adviseTexts())
	maps.Copy(all, impactTexts())
	maps.Copy(all, taskTexts())
	maps.Copy(all, batchTexts())
	if len(all) != len(batchTexts())+len(taskTexts())+len(checkTexts())+len(diffTexts())+len(adviseTexts())+len(impactTexts()) {
		t.Error("a key is used twice")
	}
	for key, text := range all {
		if text.EN == "" || text.ZH == "" || text.RU == "" {
			t.Errorf("%s lacks a language", key)
		}
		want := verb.FindAllString(text.EN, -1)
		slices.Sort(want)
		for _, s := range []string{text.ZH, text.RU} {
			got := verb.FindAllString(index.ReplaceAllString(s, ""), -1)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q has other verbs than %q", key, s, text.EN)
			}
		}
	}
}

func TestEveryDeadlineHasItsWords(t *testing.T) {
	l, err := law.Load(packs.FS())
	if err != nil {
		t.Fatal(err)
	}
	texts := checkTexts()
	for _, p := range l.Packs() {
		d, err := l.Pack(p.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range d.Rules {
			ids := slices.Clone(r.Obligations)
			for _, res := range r.Results {
				ids = append(ids, res.Obligations...)
			}
			for _, id := range ids {
				o, ok := l.Obligation(id)
				if !ok || o.Deadline == nil {
					continue
				}
				if key := "unit." + o.Deadline.Unit; texts[key].EN == "" {
					t.Errorf("%s: no word for %s", id, key)
				}
				if l.Event(o.Deadline.From).RU == "" {
					t.Errorf("%s: no word for %s", id, o.Deadline.From)
				}
			}
		}
	}
}

func TestFactsOfSeveralSourcesAreNarrowed(t *testing.T) {
	m := func(kv ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			out[kv[i].(string)] = kv[i+1]
		}
		return out
	}
	words := func(s string) []any {
		out := []any{}
		for _, w := range strings.Fields(s) {
			out = append(out, w)
		}
		return out
	}
	for name, c := range map[string]struct {
		have, more, want any
		bad              bool
	}{
		"a plain value gives way":              {have: "a", more: "b", want: "b"},
		"a list completes what a scan found":   {have: m("has", words("personal")), more: words("personal health"), want: words("personal health")},
		"a list may not deny it":               {have: m("has", words("personal")), more: words("health"), bad: true},
		"has and lacks are joined":             {have: corridor.Facts{"has": []string{"personal"}}, more: m("has", words("health"), "lacks", words("open")), want: m("has", []string{"health", "personal"}, "lacks", []string{"open"})},
		"lacks may not deny it":                {have: m("has", words("personal")), more: m("lacks", words("personal")), bad: true},
		"what is no set goes on to the law":    {have: m("has", words("personal")), more: 3, want: 3},
		"a number within the range is taken":   {have: m("min", int64(5)), more: int64(7), want: int64(7)},
		"a number below the range is refused":  {have: m("min", int64(5)), more: int64(3), bad: true},
		"a number above the range is refused":  {have: m("min", 1, "max", 5.0), more: int64(9), bad: true},
		"ranges are cut":                       {have: m("min", int64(5)), more: m("min", int64(3), "max", int64(9)), want: m("min", int64(5), "max", int64(9))},
		"ranges that do not meet are refused":  {have: m("min", int64(5)), more: m("max", int64(3)), bad: true},
		"words in a range go on to the law":    {have: m("min", int64(5)), more: m("min", "many"), want: m("min", "many")},
		"another shape goes on to the law":     {have: m("one_of", words("a")), more: "b", want: "b"},
		"a list of other things loses nothing": {have: m("has", words("personal")), more: append(words("personal"), 3), want: append(words("personal"), 3)},
	} {
		got, err := narrow("f", c.have, c.more, "x")
		if (err != nil) != c.bad || !c.bad && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v %v, want %v", name, got, err, c.want)
		}
	}
}

func TestOutcomesHaveExitCodes(t *testing.T) {
	for o, want := range map[corridor.Outcome]error{corridor.Allow: nil, corridor.AllowWithObligations: nil, corridor.NeedsApproval: exit(3), corridor.Deny: exit(4), corridor.Undetermined: exit(5)} {
		if got := outcomeExit(o); got != want {
			t.Errorf("%s: %v", o, got)
		}
	}
}

func TestSpansAreWrittenForPeople(t *testing.T) {
	for in, want := range map[string]string{"1000..": "≥ 1000", "0..99": "0–99", "..2019-12-31": "≤ 2019-12-31", "a, b": "a, b", "..": "..", "0, 1..5, none": "0, 1–5, none"} {
		if got := span(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
