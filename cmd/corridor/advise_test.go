package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/plane"
	"corridor/internal/scan"
	"corridor/packs"
)

// twenty is a report on a file with twenty columns.
func twenty() *scan.Report {
	r := &scan.Report{Format: "csv", Delimiter: ",", Facts: corridor.Facts{}}
	add := func(name, kind, identifier string, classes ...string) {
		c := scan.Column{Name: name, Type: kind}
		for _, class := range classes {
			c.Classes = append(c.Classes, scan.Finding{Class: class, Identifier: identifier, Confidence: 0.9})
		}
		r.Columns = append(r.Columns, c)
	}
	add("name", "text", "person_name", "personal")
	add("client", "text", "person_reference", "personal")
	add("phone", "text", "phone", "personal")
	add("address", "text", "postal_address", "personal")
	add("born", "date", "birth_date", "personal")
	add("born_text", "text", "birth_date", "personal")
	add("age", "int", "age", "personal")
	add("sex", "text", "gender", "personal")
	add("lat", "decimal", "latitude", "geospatial")
	add("lon", "decimal", "longitude", "geospatial")
	add("diagnosis", "text", "health", "health", "personal")
	add("card", "text", "payment_card", "payment", "personal")
	add("bin", "text", "kz_bin", "")
	for i := len(r.Columns); i < 20; i++ {
		add(fmt.Sprintf("plain%d", i), "int", "")
	}
	return r
}

// touched tells in one line what a plan does to the file.
func touched(p *plane.Plan) string {
	if p == nil {
		return "nothing"
	}
	var out []string
	for _, s := range p.Stages {
		out = append(out, strings.TrimSpace(s.Do+" "+s.Param)+": "+strings.Join(s.Columns, " "))
	}
	return strings.Join(out, "; ")
}

func TestAWayNamesTheColumnsOfTheFile(t *testing.T) {
	for name, c := range map[string]struct {
		actions []law.Action
		want    string
	}{
		"a class is left out":                      {[]law.Action{{Stage: "drop", Removes: []string{"health"}}}, "drop: diagnosis"},
		"everything about people is left out":      {[]law.Action{{Stage: "drop", Removes: []string{"personal", "health", "payment"}}}, "drop: name client phone address born born_text age sex diagnosis card"},
		"positions are made coarser":               {[]law.Action{{Stage: "generalise", Removes: []string{"geospatial"}}}, "generalise decimals:1: lat lon"},
		"names become tokens, addresses go":        {[]law.Action{{Stage: "pseudonymise"}}, "pseudonymise: name client phone card; drop: address"},
		"names go, what points to people is vague": {[]law.Action{{Stage: "generalise"}}, "drop: name client phone address born_text card; generalise year: born; generalise bucket:10: age; generalise decimals:1: lat lon"},
		"what must go goes, whatever else is done": {[]law.Action{{Stage: "pseudonymise"}, {Stage: "drop", Removes: []string{"payment"}}}, "pseudonymise: name client phone; drop: address card"},
		"steps of people only":                     {[]law.Action{{}}, "nothing"},
		"aggregates are beyond the data plane":     {[]law.Action{{Stage: "aggregate"}, {Stage: "drop", Removes: []string{"health"}}}, "nothing"},
	} {
		if got := touched(transformOf(twenty(), c.actions)); got != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
}

func TestJSONMembersAreReachedWhole(t *testing.T) {
	r := &scan.Report{Format: "jsonl", Columns: []scan.Column{
		{Name: "who.name", Type: "text", Classes: []scan.Finding{{Class: "personal", Identifier: "person_name", Confidence: 0.9}}},
		{Name: "who.born", Type: "date", Classes: []scan.Finding{{Class: "personal", Identifier: "birth_date", Confidence: 0.9}}},
		{Name: "phone", Type: "text", Classes: []scan.Finding{{Class: "personal", Identifier: "phone", Confidence: 0.9}}}}}
	if got := touched(transformOf(r, []law.Action{{Stage: "pseudonymise"}})); got != "drop: who; pseudonymise: phone" {
		t.Error(got)
	}
}

func TestWhatThePurposeNeedsIsNotTouched(t *testing.T) {
	drop := law.Action{ID: "drop", Stage: "drop", Removes: []string{"health"}}
	group := law.Action{ID: "group", Stage: "aggregate", Sets: corridor.Facts{"deid": "aggregated"}}
	there := law.Action{ID: "there", Sets: corridor.Facts{"deid": "aggregated", "access_mode": "result_only"}}
	for name, c := range map[string]struct {
		actions []law.Action
		keep    []string
		want    string
	}{
		"a column that would be dropped":    {[]law.Action{there, drop}, []string{"diagnosis"}, "drop"},
		"a column that stays":               {[]law.Action{drop}, []string{"name"}, ""},
		"a column cannot stay in aggregate": {[]law.Action{group}, []string{"plain13"}, "group"},
		"a computation sees every column":   {[]law.Action{there}, []string{"name"}, ""},
	} {
		if got := refuses(twenty(), c.actions, c.keep); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	r := twenty()
	r.Columns = r.Columns[10:11]
	if got := refuses(r, []law.Action{drop}, nil); got != "drop" {
		t.Errorf("nothing of the file would be left: %q", got)
	}
}

func TestAFileThatStillHoldsWhatHadToGoIsRefused(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out.csv")
	text := "full_name,diagnosis,product\nAigerim Bekova,E11.9,tea\nIvan Petrov,I10,cup\nLi Wei,J45.0,tea\nAnna Schmidt,I10,pot\n"
	if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	lib, err := law.Load(packs.FS())
	if err != nil {
		t.Fatal(err)
	}
	flow := corridor.Flow{Date: 739_944, Origin: "CN", Destination: "KZ", Assume: law.DefaultProfile, Facts: corridor.Facts{
		"data_classes": []any{"personal", "health"}, "subjects_ytd": 4, "sensitive_subjects_ytd": 4, "subjects_in_file": 4, "sensitive_subjects_in_file": 4}}
	report, err := scan.File(context.Background(), in, scan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	adv, err := findWays(lib, flow, report, nil, 5)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(adv.Plans, func(w way) bool { return w.Actions[0].Action == "drop_sensitive" })
	if at < 0 {
		t.Fatal("no way leaves the sensitive column out")
	}
	// A transformation that leaves out another column than the one it should.
	adv.Plans[at].Transform.Stages[0].Columns = []string{"product"}
	c := adviseCmd{flowFlags: flowFlags{File: in, Lang: "en"}, Apply: out, Plan: at + 1}
	err = c.apply(&app{ctx: context.Background(), stdout: io.Discard}, lib, flow, report, adv)
	if corridor.KindOf(err) != corridor.Conflict || !strings.Contains(err.Error(), "column diagnosis: still looks like data of the class health") {
		t.Errorf("%v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("something was left behind: %v %v", left, err)
	}
}

func TestAFileThatAppearsMeanwhileIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	tmp, out := filepath.Join(dir, "tmp"), filepath.Join(dir, "out")
	for _, f := range []string{tmp, out} {
		if err := os.WriteFile(f, []byte(f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := (adviseCmd{Apply: out}).name(tmp); corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("%v", err)
	}
	if got, _ := os.ReadFile(out); string(got) != out {
		t.Error("the other file was replaced")
	}
	if err := (adviseCmd{Apply: out, Force: true}).name(tmp); err != nil {
		t.Error(err)
	}
}

func TestFactsAreWrittenAsSetTakesThem(t *testing.T) {
	lib, err := law.Load(packs.FS())
	if err != nil {
		t.Fatal(err)
	}
	w := newAdvisor(lib, advice{}, "en")
	var all []any
	for _, f := range lib.Vocabulary() {
		if f.Name == "subject_link" {
			for _, v := range f.Values[1:] {
				all = append(all, v)
			}
		}
	}
	for name, c := range map[string]struct {
		fact  string
		value any
	}{
		"a word":               {"deid", "anonymised"},
		"a span":               {"subjects_ytd", map[string]any{"min": int64(1), "max": int64(9)}},
		"a truth":              {"local_copy", true},
		"a filing":             {"filings.ru.rkn_notice", map[string]any{"state": "filed", "filed_on": "2026-11-29"}},
		"a set, partly known":  {"subject_link", map[string]any{"has": []any{"citizen"}, "lacks": []any{"foreign"}}},
		"a set, known in full": {"subject_link", map[string]any{"has": []any{"citizen"}, "lacks": all}},
	} {
		got, err := law.ParseValue(w.value(c.fact, c.value))
		want := c.value
		if name == "a set, known in full" {
			want = []any{"citizen"}
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %v, want %v", name, got, err, want)
		}
	}
}

// BenchmarkAdviseAfterScan is all of advice but loading the packs and the
// scan: a refused flow, a file with twenty columns, two of them to be kept.
func BenchmarkAdviseAfterScan(b *testing.B) {
	lib, err := law.Load(packs.FS())
	if err != nil {
		b.Fatal(err)
	}
	flow := corridor.Flow{Date: 739_944, Origin: "CN", Destination: "KZ", Assume: law.DefaultProfile, Facts: corridor.Facts{
		"data_classes": []any{"personal", "health", "payment", "geospatial"}, "subjects_ytd": 250000, "sensitive_subjects_ytd": 9000,
		"subjects_in_file": 200000, "sensitive_subjects_in_file": 9000, "purpose": "marketing"}}
	r := twenty()
	b.ReportAllocs()
	for b.Loop() {
		adv, err := findWays(lib, flow, r, []string{"sex", "plain15"}, 5)
		if err != nil || len(adv.Plans) == 0 {
			b.Fatal("no way", err)
		}
	}
}
