package law

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"corridor"
	"corridor/packs"
)

func shippedKits(t *testing.T) (*Library, []Kit) {
	t.Helper()
	l, err := Load(packs.FS())
	if err != nil {
		t.Fatal(err)
	}
	kits, err := l.Kits()
	if err != nil {
		t.Fatal(err)
	}
	return l, kits
}

func TestTheKitsThatAreShippedSayWhatTheyRestOn(t *testing.T) {
	l, kits := shippedKits(t)
	var ids []string
	for _, k := range kits {
		ids = append(ids, k.ID)
		if p, err := l.Pack(k.Pack); err != nil || !strings.HasPrefix(k.ID, p.ID+".") || k.Digest == p.Digest {
			t.Errorf("%s lies in pack %s (%v)", k.ID, k.Pack, err)
		}
		for _, f := range k.Fields {
			if f.Source == "" || f.SourceRef == "" || len(f.Citations) == 0 || f.Citations[0].Title.EN == "" || f.Label.ZH == "" || f.Label.RU == "" {
				t.Errorf("%s: field %s: %+v", k.ID, f.ID, f)
			}
		}
	}
	for _, want := range []string{"cn.standard_contract_filing", "cn.pipia_report", "cn.security_assessment_application", "ru.rkn_transfer_notice", "tr.standard_contract_notice",
		"az.system_registration", "by.operator_register_entry", "uz.database_registration"} {
		if !slices.Contains(ids, want) {
			t.Errorf("no kit %s", want)
		}
	}
}

// withKits is the shipped packs with another kits.yaml of KZ.
func withKits(t *testing.T, text string) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	for _, name := range append(slices.Clone(sharedFiles), "kz/pack.yaml") {
		data, err := fs.ReadFile(packs.FS(), name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &fstest.MapFile{Data: data}
	}
	// Only KZ is here: what else the shared files name has to go.
	delete(out, "actions.yaml")
	delete(out, "assumptions.yaml")
	out["kz/kits.yaml"] = &fstest.MapFile{Data: []byte(text)}
	return out
}

const goodKit = `kits:
  - id: kz.form
    title: {en: Form, zh: 表, ru: Форма}
    text: {en: What is told., zh: 告知内容。, ru: Что сообщают.}
    files: exporter
    authority: {en: Ministry, zh: 部, ru: Министерство}
    languages: [kk, ru]
    when: {en: Before., zh: 事前。, ru: До.}
    duties: [security_measures]
    record: vehicles.kz.treaty
    cite: [{instrument: pdl, article: "16"}]
    source: {status: verified, on: 2026-11-26, ref: test}
    in_force: {from: 2016-01-01}
    fields:
      - id: people
        label: {en: People, zh: 人数, ru: Людей}
        type: number
        from: {fact: subjects_ytd}
      - id: kind
        label: {en: Kind, zh: 种类, ru: Вид}
        type: choice
        options: [a, b]
`

func TestAKitIsReadAsStrictlyAsAPack(t *testing.T) {
	const good, instrument = goodKit, "pdl"
	for name, c := range map[string]struct{ from, to, want string }{
		"as it should be":            {"", "", ""},
		"a typo in a fact":           {"subjects_ytd", "subjets_ytd", `kz/kits.yaml:18:22: unknown fact "subjets_ytd"; did you mean subjects_ytd`},
		"a typo in an obligation":    {"security_measures", "security_mesures", `kz/kits.yaml:9:14: unknown obligation "security_mesures"; did you mean security_measures`},
		"a typo in an instrument":    {"instrument: " + instrument, "instrument: pdll", `kz/kits.yaml:2:5: kit kz.form cites the unknown instrument "pdll"`},
		"a typo in a record":         {"vehicles.kz.treaty", "vehicles.kz.traety", `kz/kits.yaml:10:13: unknown record "vehicles.kz.traety"; did you mean vehicles.kz.treaty`},
		"a typo in a key":            {"label: {en: People", "labell: {en: People", `kz/kits.yaml:16:9: unknown key "labell" in a field; did you mean label`},
		"a type that does not fit":   {"type: number", "type: yes_no", `kz/kits.yaml:18:22: a field of type yes_no cannot take its value from fact subjects_ytd; make its type number`},
		"a type nobody knows":        {"type: number", "type: nmber", `type cannot be "nmber"`},
		"a source nobody knows":      {"{fact: subjects_ytd}", "{fcat: subjects_ytd}", `kz/kits.yaml:18:16: a value cannot come from "fcat"; did you mean fact`},
		"two sources":                {"{fact: subjects_ytd}", "{fact: subjects_ytd, flow: date}", "from has two sources"},
		"no source":                  {"{fact: subjects_ytd}", "{}", "from names no source"},
		"a derived fact":             {"fact: subjects_ytd", "fact: stored_at_home", `unknown fact "stored_at_home"`},
		"a line nobody knows":        {"{fact: subjects_ytd}", "{party: exporter.nam}", `party has no "exporter.nam"; did you mean exporter.name`},
		"an event nobody knows":      {"{fact: subjects_ytd}", "{event: efect}", `unknown event "efect"; did you mean effect`},
		"a choice without options":   {"        options: [a, b]\n", "", "field kind: options and type do not fit"},
		"a field twice":              {"id: kind", "id: people", `field "people" occurs twice in kz.form`},
		"the name of another pack":   {"id: kz.form", "id: cn.form", `kit "cn.form" does not name its pack; begin it with kz.`},
		"a kit twice":                {"kits:\n", "kits:\n" + strings.TrimPrefix(goodKit, "kits:\n"), `kit "kz.form" is declared twice (first at kz/kits.yaml:2:5)`},
		"a language that is missing": {"title: {en: Form, zh: 表, ru: Форма}", "title: {en: Form, zh: 表}", `title has no "ru"`},
		"older than its instrument":  {"from: 2016-01-01", "from: 1999-01-01", "is in force from 1999-01-01"},
		"a status nobody knows":      {"status: verified", "status: verifed", `status cannot be "verifed"`},
		"no fields":                  {"    fields:\n", "    feilds:\n", `a kit has no "fields"`},
		"an alias of YAML":           {"zh: 表", "zh: *x", "YAML"},
		"a number for a word":        {"id: kind", "id: 5", "must be text"},
		"what is declared once more": {"kits:\n", "instruments:\n  " + instrument + ": {title: {en: a, zh: b, ru: c}, in_force: {from: 2000-01-01}}\nkits:\n", "is declared in pack.yaml"},
		"an instrument of the file":  {`[{instrument: ` + instrument + `, article: "16"}]`, `[{instrument: own, article: "1"}]`, `cites the unknown instrument "own"`},
		"an empty file":              {good, "", "the file is empty"},
	} {
		text := good
		if c.from != "" {
			if text = strings.Replace(good, c.from, c.to, 1); text == good {
				t.Fatalf("%s: nothing was changed", name)
			}
		}
		l, err := Load(withKits(t, text))
		if err != nil {
			t.Fatalf("%s: the pack itself: %v", name, err)
		}
		kits, err := l.Kits()
		switch {
		case c.want == "" && (err != nil || len(kits) != 1 || len(kits[0].Fields) != 2):
			t.Errorf("%s: %v, %d kits", name, err, len(kits))
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, findings := Lint(withKits(t, text)); c.want != "" && !slices.ContainsFunc(findings, func(f Finding) bool { return f.Error && strings.HasPrefix(f.Where, "kz/kits.yaml") }) {
			t.Errorf("%s: packs lint does not see it", name)
		}
	}
}

func TestKitsDoNotChangeTheEditionOfTheLaw(t *testing.T) {
	digest := func(text string) string {
		l, err := Load(withKits(t, text))
		if err != nil {
			t.Fatal(err)
		}
		return l.Packs()[0].Digest
	}
	if digest(goodKit) != digest(strings.Replace(goodKit, "Form", "Paper", 1)) {
		t.Error("a decision would no longer replay because a form has another title")
	}
}

func TestAHostileKitIsRefused(t *testing.T) {
	many := strings.Builder{}
	many.WriteString("kits:\n")
	for range maxKits + 1 {
		many.WriteString("  - {id: kz.x}\n")
	}
	deep := "kits: " + strings.Repeat("[", maxNesting+2) + strings.Repeat("]", maxNesting+2)
	for name, text := range map[string]string{"too many": many.String(), "too deep": deep, "too large": "kits: [] #" + strings.Repeat("x", maxFile)} {
		l, err := Load(withKits(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Kits(); err == nil {
			t.Errorf("%s: it loads", name)
		}
	}
}

func TestAnswersAreReadStrictly(t *testing.T) {
	a, err := ParseAnswers("a.yaml", []byte("exporter: {name: A}\nimporter: {address: B}\ndataset: {title: C}\nanswers: {x: [1, 2], y: true}\n"))
	if err != nil || a.Parties["exporter"]["name"] != "A" || a.Dataset["title"] != "C" || a.Fields["y"] != true {
		t.Fatalf("%+v, %v", a, err)
	}
	for text, want := range map[string]string{
		"exporter: {nam: A}":     `a.yaml:1:12: exporter has no "nam"; did you mean name`,
		"expoter: {name: A}":     `a.yaml:1:1: unknown key "expoter"`,
		"dataset: {title: 5}":    "title must be text",
		"answers: {x: 1.5}":      "write a whole number",
		"answers: {x: 1, x: 2}":  `key "x" occurs twice`,
		"exporter: [name]":       "exporter must be a mapping",
		"exporter: &a {name: b}": "an anchor",
	} {
		if _, err := ParseAnswers("a.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestAnAnswerFitsItsField(t *testing.T) {
	for typ, c := range map[string]struct{ good, bad []any }{
		"text":     {[]any{"x"}, []any{"", " ", 5, true, nil, []any{"x"}}},
		"document": {[]any{"a.pdf"}, []any{""}},
		"number":   {[]any{int64(0), int64(7)}, []any{"7", int64(-1), true}},
		"date":     {[]any{"2026-11-26"}, []any{"26.11.2026", 5, true}},
		"yes_no":   {[]any{true, false}, []any{"yes", 1}},
		"choice":   {[]any{"a"}, []any{"c", 1}},
		"list":     {[]any{[]any{"a"}}, []any{"a", []any{}, []any{1}}},
	} {
		f := KitField{ID: "x", Type: typ, Options: []string{"a", "b"}}
		for _, v := range c.good {
			if err := f.CheckAnswer(v); err != nil {
				t.Errorf("%s: %v", typ, err)
			}
		}
		for _, v := range c.bad {
			if err := f.CheckAnswer(v); corridor.KindOf(err) != corridor.Invalid {
				t.Errorf("%s takes %v: %v", typ, v, err)
			}
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte("exporter: {name: A}\nanswers: {x: [1, 2]}\n"))
	f.Add([]byte("answers: {x: {y: &a z}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ParseAnswers("a", data)
		if err == nil && a.Parties["exporter"] == nil {
			t.Error("answers without an exporter")
		}
	})
}

func FuzzKits(f *testing.F) {
	f.Add([]byte(goodKit))
	f.Add([]byte("kits: [{id: kz.x, fields: [{from: {fact: [}}]}]"))
	l, err := Load(packs.FS())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &reader{file: "kits.yaml"}
		p := *l.byJurisdiction["KZ"]
		p.kits = data
		if root := r.parse(data); root != nil {
			for _, k := range r.kits(root, &p, l) {
				if len(r.errs) == 0 && len(k.Fields) == 0 {
					t.Error("a kit without fields loads")
				}
			}
		}
	})
}
