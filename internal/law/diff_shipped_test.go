package law_test

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"corridor"
	"corridor/internal/law"
	"corridor/packs"
	"corridor/test/racing"
)

// editedFS is the shipped packs with replacements in one file: an edition as
// an author would make it. Every text that is replaced must be there.
func editedFS(tb testing.TB, file string, oldnew ...string) fs.FS {
	tb.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(packs.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(packs.FS(), name)
		out[path.Clean(name)] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	text := string(out[file].Data)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			tb.Fatalf("%s does not hold %q", file, oldnew[i])
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	out[file] = &fstest.MapFile{Data: []byte(text)}
	return out
}

func edited(tb testing.TB, file string, oldnew ...string) *law.Library {
	tb.Helper()
	l, err := law.Load(editedFS(tb, file, oldnew...))
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// raised moves the threshold of the Chinese standard contract.
func raised(tb testing.TB) *law.Library {
	return edited(tb, "cn/pack.yaml", "(subjects_ytd >= 100000 ||", "(subjects_ytd >= 200000 ||", "subjects_ytd < 100000 ", "subjects_ytd < 200000 ")
}

// told writes a region in one line: the facts that are not "without", then
// what follows.
func told(r law.Region) string {
	var facts []string
	for _, f := range r.Facts {
		if f.Member != "" {
			if f.In[0] == "true" {
				facts = append(facts, f.Member)
			}
			continue
		}
		if f.NotIn != nil {
			facts = append(facts, f.Fact+" not "+strings.Join(f.NotIn, "/"))
		} else {
			facts = append(facts, f.Fact+" "+strings.Join(f.In, "/"))
		}
	}
	for _, m := range r.Outcomes {
		facts = append(facts, strings.Join(m.Where, "+")+": "+m.Before+" -> "+m.After)
	}
	return strings.Join(facts, ", ")
}

func TestAThresholdThatMovesIsToldInTheLawsOwnTerms(t *testing.T) {
	d, err := law.Compare(library(t), raised(t), law.DiffOptions{Date: day(t, "2026-11-26")})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Packs) != 1 || d.Packs[0].Pack != "cn" || len(d.Packs[0].Spans) != 1 || len(d.Shared) != 0 {
		t.Fatalf("only the export side of cn changes: %+v", d)
	}
	p := d.Packs[0]
	if len(p.Rules) != 1 || p.Rules[0].Rule != "cn.provisions.5-4" || !slices.Equal(p.Rules[0].Aspects, []string{"condition"}) || !p.Rules[0].Decides {
		t.Errorf("one rule is written differently: %+v", p.Rules)
	}
	if len(p.Items) != 1 || p.Items[0].ID != "contract_volume" || !slices.Contains(p.Items[0].Rules, "cn.provisions.8") {
		t.Errorf("and one condition that others rest on: %+v", p.Items)
	}
	want := "personal, deid not anonymised/aggregated, subjects_ytd 100000..199999, sensitive_subjects_ytd 0, " +
		"vehicles.cn.security_assessment not passed, vehicles.cn.standard_contract none, vehicles.cn.certification none, " +
		"no_exemption+others_after: needs_approval -> allow_with_obligations"
	var got []string
	for _, r := range p.Spans[0].Regions {
		if slices.Contains(r.Rules, "cn.provisions.8") {
			got = append(got, told(r))
		}
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

func TestAnEditionDiffersFromItselfNowhere(t *testing.T) {
	if racing.On {
		t.Skip("starts no goroutine: nothing for the race detector")
	}
	d, err := law.Compare(library(t), library(t), law.DiffOptions{})
	if err != nil || len(d.Packs) != 0 || len(d.Shared) != 0 {
		t.Fatalf("%v %+v", err, d)
	}
}

func TestWordsThatChangeDecideNothing(t *testing.T) {
	b := edited(t, "cn/pack.yaml", "Important data leaves only after", "Important data goes out only after")
	d, err := law.Compare(library(t), b, law.DiffOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Packs) != 1 || len(d.Packs[0].Spans) != 0 || len(d.Packs[0].Rules) != 1 {
		t.Fatalf("%+v", d.Packs)
	}
	if r := d.Packs[0].Rules[0]; !slices.Equal(r.Aspects, []string{"text"}) || r.Decides {
		t.Errorf("%+v", r)
	}
}

func TestARuleThatBeginsLaterChangesOnlyWhatComesThen(t *testing.T) {
	b := edited(t, "cn/pack.yaml", `  - id: cn.dsl.21
`, `  - id: cn.test.ban
    side: export
    when: '"geospatial" in data_classes'
    results: [{outcome: deny}]
    cite: [{instrument: dsl, article: "21"}]
    source: {status: verified, on: 2026-11-24, ref: "S1"}
    in_force: {from: 2027-03-01}
    text: {en: A ban., zh: 禁止。, ru: Запрет.}
  - id: cn.dsl.21
`)
	d, err := law.Compare(library(t), b, law.DiffOptions{Only: []string{"CN"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Packs) != 1 || len(d.Packs[0].Rules) != 1 || d.Packs[0].Rules[0].How != law.Added || !d.Packs[0].Rules[0].Decides {
		t.Fatalf("%+v", d.Packs)
	}
	for _, s := range d.Packs[0].Spans {
		if s.Side != corridor.Export || s.From < day(t, "2027-03-01") {
			t.Errorf("%s side from %s", s.Side, s.From)
		}
		for _, r := range s.Regions {
			if !slices.Equal(r.Rules, []string{"cn.test.ban"}) || len(r.Facts) != 1 || r.Facts[0].Member != "geospatial" {
				t.Errorf("%+v", r)
			}
		}
		if len(s.Regions) == 0 || slices.Contains(s.Cut, law.CutWords) {
			t.Errorf("%d regions, cut %v", len(s.Regions), s.Cut)
		}
		for _, c := range s.Cover {
			if c.Left > 0 && (c.Diagram == nil || len(c.Diagram.Nodes) > 5000) {
				t.Errorf("%d cubes are left out and no diagram of a bearable size holds them", c.Left)
			}
		}
	}
}

// BenchmarkDiff compares two editions of the Chinese pack on every day and
// both sides, all compiled.
func BenchmarkDiff(b *testing.B) {
	old, now := library(b), raised(b)
	for b.Loop() {
		if _, err := law.Compare(old, now, law.DiffOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
