package paper

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"corridor"
	"corridor/internal/law"
)

func filing(t testing.TB) KitInput {
	return KitInput{Input: contract(t), Kit: "cn.standard_contract_filing", AnswersFrom: "answers.yaml", Node: map[string]string{"exporter.name": "Node Ltd", "exporter.did": "did:web:a"},
		Answers: law.Answers{Parties: map[string]map[string]string{"exporter": {"registration": "9165"}, "importer": {"name": "Altai"}},
			Dataset: map[string]string{"purpose": "shipping"}, Fields: map[string]any{"province": "Xinjiang"}}}
}

func fill(t testing.TB, in KitInput) FilledKit {
	t.Helper()
	f, err := FillKit(library(t), in)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f FilledKit) field(t *testing.T, id string) FilledField {
	t.Helper()
	i := slices.IndexFunc(f.Fields, func(x FilledField) bool { return x.ID == id })
	if i < 0 {
		t.Fatalf("no field %s", id)
	}
	return f.Fields[i]
}

func TestEveryFieldSaysWhereItCameFromOrHowToGiveIt(t *testing.T) {
	f := fill(t, filing(t))
	for id, want := range map[string]struct{ state, value, by string }{
		"processor_name":     {Filled, "Node Ltd", "node"},
		"credit_code":        {Filled, "9165", "answers"},
		"recipient_name":     {Filled, "Altai", "answers"},
		"purpose_text":       {Filled, "shipping", "answers"},
		"province":           {Filled, "Xinjiang", "answers"},
		"subjects_ytd":       {Filled, "250000", "file"},
		"recipient_state":    {Filled, "KZ", "given"},
		"contract_state":     {Filled, "signed", "answered"},
		"contract_effective": {Filled, "2026-12-01", "event"},
		"onward":             {Filled, "none", "assumed"},
		"exporter_traits":    {Filled, "none", "assumed"},
		"commitment":         {Missing, "", ""},
	} {
		x := f.field(t, id)
		if x.State != want.state || x.Value != want.value || want.by != "" && (len(x.Sources) == 0 || x.Sources[0].By != want.by) {
			t.Errorf("%s: %+v, want %+v", id, x, want)
		}
		if (x.State == Filled) == (x.Hint != "") {
			t.Errorf("%s is %s and its hint is %q", id, x.State, x.Hint)
		}
	}
	if x := f.field(t, "data_classes"); !slices.Equal(x.Values, []string{"personal"}) || x.Sources[0].By != Scanned || x.Sources[1].By != Given {
		t.Errorf("%+v", x)
	}
	if f.Asked != "yes" || f.Due == nil || f.Due.Due.String() != "2026-12-15" {
		t.Errorf("asked %s, due %+v", f.Asked, f.Due)
	}
	if n := f.Counts; n.Filled+n.Missing+n.Optional != n.Fields || n.Fields != len(f.Fields) || n.Assumed != 2 || f.Complete() {
		t.Errorf("%+v", n)
	}
}

func TestAKitIsCompleteWhenEverythingRequiredIsThere(t *testing.T) {
	in := filing(t)
	in.Answers.Parties["exporter"]["representative"] = "Wang"
	in.Answers.Dataset["categories"] = "names"
	for _, f := range fill(t, in).Kit.Fields {
		if f.From.Kind == "" {
			in.Answers.Fields[f.ID] = "given"
		}
	}
	if f := fill(t, in); !f.Complete() {
		t.Errorf("%+v", f.Counts)
	}
	// A contract that is not signed cannot be filed.
	in.Flow.Facts = in.Flow.Facts.Clone()
	in.Flow.Facts["vehicles"] = map[string]any{"cn.standard_contract": "none"}
	if f := fill(t, in); f.Complete() || f.field(t, "contract_state").State != Missing {
		t.Errorf("without a contract: %+v", f.Counts)
	}
}

func TestWhatAKitCannotTakeIsExplained(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*KitInput)
		want   string
	}{
		"a kit nobody knows":          {func(in *KitInput) { in.Kit = "cn.standard_contract_filling" }, "did you mean cn.standard_contract_filing"},
		"a field nobody knows":        {func(in *KitInput) { in.Answers.Fields["provnce"] = "x" }, `answers.provnce: cn.standard_contract_filing has no field "provnce"`},
		"an answer to a fact":         {func(in *KitInput) { in.Answers.Fields["subjects_ytd"] = int64(5) }, "answers.subjects_ytd: field \"subjects_ytd\" takes its value from elsewhere; --set subjects_ytd=..."},
		"an answer that fits nothing": {func(in *KitInput) { in.Answers.Fields["province"] = int64(5) }, "answers.province: 5 is not an answer of type text; write text"},
		"before it was in force":      {func(in *KitInput) { in.Flow.Date = day(t, "2024-11-26") }, "date: kit cn.standard_contract_filing is not in force on 2024-11-26"},
		"after it was in force":       {func(in *KitInput) { in.Kit = "kg.holder_register_entry" }, "not in force on 2026-11-26"},
		"a fact nobody knows":         {func(in *KitInput) { in.Flow.Facts["subjets"] = 1 }, "unknown fact"},
	} {
		in := filing(t)
		c.change(&in)
		if _, err := FillKit(library(t), in); corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFilingThatTheDecisionDoesNotAskForSaysSo(t *testing.T) {
	for id, want := range map[string]string{"cn.pipia_report": "yes", "cn.security_assessment_application": "no", "by.operator_register_entry": "apart", "ru.rkn_transfer_notice": "no"} {
		in := filing(t)
		in.Kit, in.Answers.Fields = id, nil
		if f := fill(t, in); f.Asked != want {
			t.Errorf("%s: asked %s, want %s", id, f.Asked, want)
		}
	}
	in := KitInput{Kit: "ru.rkn_transfer_notice", Input: Input{Flow: corridor.Flow{Origin: "RU", Destination: "CN", Date: day(t, "2026-11-26")}}}
	if f := fill(t, in); f.Asked != "maybe" || len(f.Undecided) == 0 {
		t.Errorf("with nothing known: %s, %v", f.Asked, f.Undecided)
	}
}

func TestWhatIsKnownInPartIsNotFilled(t *testing.T) {
	in := filing(t)
	in.Flow.Facts = corridor.Facts{"subjects_ytd": map[string]any{"min": 120000}, "data_classes": map[string]any{"has": []any{"personal"}}}
	f := fill(t, in)
	if x := f.field(t, "subjects_ytd"); x.State != Partly || x.Value != "{min: 120000}" {
		t.Errorf("%+v", x)
	}
	if x := f.field(t, "data_classes"); x.State != Partly {
		t.Errorf("%+v", x)
	}
}

func TestAFilledKitReplaysBitForBit(t *testing.T) {
	lib := library(t)
	kits, err := lib.Kits()
	if err != nil {
		t.Fatal(err)
	}
	filled := 0
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(kits).Draw(t, "kit")
		in := KitInput{Kit: k.ID, Input: Input{Flow: anyFlow(t, lib), Program: "1"}, Answers: law.Answers{Fields: map[string]any{}}, AnswersFrom: "a"}
		if in.Flow.Date = max(in.Flow.Date, k.From); k.To != 0 {
			in.Flow.Date = min(in.Flow.Date, k.To)
		}
		for _, f := range k.Fields {
			if f.From.Kind == "" && rapid.Bool().Draw(t, f.ID) {
				in.Answers.Fields[f.ID] = map[string]any{"number": int64(7), "yes_no": true, "date": "2026-01-01", "list": []any{"x"}, "text": "x", "document": "x"}[f.Type]
				if f.Type == "choice" {
					in.Answers.Fields[f.ID] = f.Options[0]
				}
			}
		}
		f, err := FillKit(lib, in)
		if err != nil {
			if corridor.KindOf(err) != corridor.Invalid {
				t.Fatal(err)
			}
			return // the facts contradict one another
		}
		filled++
		was, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		read, err := DecodeKit(was)
		if err != nil {
			t.Fatal(err)
		}
		again, err := FillKit(lib, read.Input())
		if err != nil {
			t.Fatal(err)
		}
		if now, err := again.Encode(); err != nil || !bytes.Equal(was, now) {
			t.Fatalf("%v\n%s\n---\n%s", err, was, now)
		}
		if n := f.Counts; n.Filled+n.Missing+n.Optional != n.Fields {
			t.Fatalf("%+v", n)
		}
	})
	if filled == 0 {
		t.Fatal("no kit was filled")
	}
}

func TestEveryKitMakesAPageInThreeLanguages(t *testing.T) {
	kits, err := library(t).Kits()
	if err != nil {
		t.Fatal(err)
	}
	const evil = `</style><script>alert(1)</script>`
	for _, k := range kits {
		in := filing(t)
		in.Kit, in.Answers.Fields, in.Node = k.ID, nil, nil
		in.Answers.Parties["exporter"]["name"] = evil
		in.About["reference"] = evil
		if k.To != 0 || k.From > in.Flow.Date {
			in.Flow.Date = max(k.From, k.To)
		}
		f := fill(t, in)
		for _, lang := range []string{"en", "zh", "ru"} {
			var b bytes.Buffer
			if err := KitHTML(&b, f, lang); err != nil {
				t.Fatal(err)
			}
			selfContained(t, k.ID+" "+lang, b.String())
			for _, w := range []string{`<html lang="` + lang + `">`, kitTexts()["incomplete"].In(lang), kitTexts()["missing"].In(lang), "alert(1)"} {
				if !strings.Contains(b.String(), w) {
					t.Errorf("%s in %s: %q is missing", k.ID, lang, w)
				}
			}
		}
	}
}

func TestEveryWordOfAKitExistsInThreeLanguages(t *testing.T) {
	verb := regexp.MustCompile(`%(\[\d\])?[ds]`)
	for key, w := range kitTexts() {
		if w.EN == "" || w.ZH == "" || w.RU == "" || len(verb.FindAllString(w.EN, -1)) != len(verb.FindAllString(w.ZH, -1)) || len(verb.FindAllString(w.EN, -1)) != len(verb.FindAllString(w.RU, -1)) {
			t.Errorf("%s: %+v", key, w)
		}
	}
	keysOfTemplates(t, kitTexts(), "kit.html.tmpl", "sheet.tmpl")
}

func TestOnlyAFilledKitIsReadAsOne(t *testing.T) {
	for _, bad := range []string{"", "[]", `{"format":"corridor-kit/0"}`, `{"format":"corridor-kit/1","x":1}`, `{"format":"corridor-kit/1"} {}`} {
		if _, err := DecodeKit([]byte(bad)); corridor.KindOf(err) != corridor.Invalid || strings.Contains(err.Error(), "%!") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	a, err := Assess(library(f), contract(f))
	if err != nil {
		f.Fatal(err)
	}
	data, err := a.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	kit, err := fill(f, filing(f)).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(kit)
	f.Add([]byte(`{"format":"corridor-assessment/1","verdict":{"flow":{"facts":{"a":null}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		// What is read can be made again, or is refused: it never panics.
		if a, err := Decode(data); err == nil {
			_, _ = Assess(library(t), a.Input())
		}
		if k, err := DecodeKit(data); err == nil {
			_, _ = FillKit(library(t), k.Input())
		}
	})
}
