package paper

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"corridor"
	"corridor/internal/law"
	"corridor/packs"
)

var shipped = sync.OnceValues(func() (*law.Library, error) { return law.Load(packs.FS()) })

func library(t testing.TB) *law.Library {
	t.Helper()
	l, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func day(t testing.TB, s string) corridor.Date {
	t.Helper()
	d, err := corridor.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// contract is a flow under the Chinese standard contract.
func contract(t testing.TB) Input {
	return Input{
		Flow: corridor.Flow{Date: day(t, "2026-11-26"), Origin: "CN", Destination: "KZ", Assume: "ordinary_private_exporter", Facts: corridor.Facts{
			"data_classes": []any{"personal"}, "subjects_ytd": 250000, "sensitive_subjects_ytd": 0, "purpose": "marketing", "deid": "none",
			"legal_basis": "consent", "consent": "transfer_explicit", "vehicles": map[string]any{"cn.standard_contract": "signed"}, "assessments.cn.pipia": "done"}},
		Said: []Said{
			{Fact: "data_classes", By: Scanned, From: "people.csv", Value: map[string]any{"has": []any{"personal"}}},
			{Fact: "data_classes", By: Given, Value: []any{"personal"}},
			{Fact: "subjects_ytd", By: FromFile, From: "facts.yaml", Value: 250000},
			{Fact: "vehicles", By: Answered, Value: map[string]any{"cn.standard_contract": "signed"}}},
		About: map[string]string{"exporter": "Tianshan Logistics"}, Events: map[string]corridor.Date{"effect": day(t, "2026-12-01")}, Program: "1.2.3",
	}
}

func assess(t testing.TB, in Input) Assessment {
	t.Helper()
	a, err := Assess(library(t), in)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (a Assessment) duty(t *testing.T, id string) DutyLine {
	t.Helper()
	for _, d := range a.Duties {
		if d.ID == id {
			return d
		}
	}
	t.Fatalf("no duty %s", id)
	return DutyLine{}
}

func TestEveryFactSaysWhereItCameFrom(t *testing.T) {
	by := map[string]string{}
	for _, f := range assess(t, contract(t)).Facts {
		for _, from := range f.Sources {
			by[f.Fact] += strings.TrimSpace(from.By+" "+from.From) + ";"
		}
	}
	for fact, want := range map[string]string{
		"data_classes":                  "scan people.csv;given;",
		"subjects_ytd":                  "file facts.yaml;",
		"vehicles.cn.standard_contract": "answered;",
		"exporter_traits":               "assumed ordinary_private_exporter;",
		"purpose":                       "given;",
	} {
		if by[fact] != want {
			t.Errorf("%s comes from %q, want %q", fact, by[fact], want)
		}
	}
}

func TestADutyHasItsLastDayWhereTheEventIsKnown(t *testing.T) {
	a := assess(t, contract(t))
	filing := a.duty(t, "file_contract_with_provincial_cac_10_working_days")
	if got := filing.Due.String(); got != "2026-12-15" || filing.Starts.String() != "2026-12-01" {
		t.Errorf("ten working days from 1 December end on %s", got)
	}
	if records := a.duty(t, "keep_provision_records_3y"); records.Due.String() != "2029-11-26" {
		t.Errorf("records of a transfer on %s are kept until %s", a.Verdict.Flow.Date, records.Due)
	}
	if report := a.duty(t, "retain_pipia_3y"); report.Due != 0 || report.NoDate != "event" {
		t.Errorf("the day of the assessment is not known, and yet: %+v", report)
	}
	in := contract(t)
	in.Events = map[string]corridor.Date{"effect": day(t, "2031-12-01")}
	if late := assess(t, in).duty(t, filing.ID); late.Due == 0 || len(late.Doubts) == 0 {
		t.Errorf("there is no calendar of 2031, and nothing says so: %+v", late)
	}
	in.Events = map[string]corridor.Date{law.AtAgreement: day(t, "2026-12-01")}
	if presumed := assess(t, in).duty(t, filing.ID); !presumed.Presumed || presumed.Due.String() != "2026-12-15" {
		t.Errorf("counted from the agreement: %+v", presumed)
	}
	if before := a.duty(t, "pipia"); before.Due.String() != "2026-11-26" {
		t.Errorf("what is owed before the transfer is due on its day, not on %s", before.Due)
	}
}

func TestATermToWaitForEndsLate(t *testing.T) {
	a := assess(t, Input{Flow: corridor.Flow{Date: day(t, "2026-11-24"), Origin: "RU", Destination: "CN", Assume: "shared_case_defaults", Facts: corridor.Facts{
		"data_classes": []any{"personal"}, "subjects_ytd": 10, "sensitive_subjects_ytd": 0, "filings": map[string]any{"ru.rkn_notice": map[string]any{"state": "waiting", "filed_on": "2026-11-20"}}}}})
	wait := a.duty(t, "wait_for_rkn_term")
	if wait.Starts.String() != "2026-11-20" || !wait.Until || wait.Due+1 != a.ValidUntil {
		t.Errorf("the term of Roskomnadzor: %+v, and the assessment holds until %s", wait, a.ValidUntil)
	}
}

func TestWhatIsUnverifiedIsListedWithItsReason(t *testing.T) {
	a := assess(t, Input{Flow: corridor.Flow{Date: day(t, "2026-11-24"), Origin: "RU", Destination: "CN", Assume: "nothing_in_place", Facts: corridor.Facts{"data_classes": []any{"personal"}}}})
	drives := false
	for _, u := range a.Unverified {
		drives = drives || u.Drives
		if u.Rule != "" && (u.Source == corridor.Verified || len(u.Citations) == 0 || u.Ref == "") {
			t.Errorf("%+v", u)
		}
	}
	if !a.Verdict.Sides[0].Unverified || !drives {
		t.Error("the Russian side rests on what is not verified, and the assessment does not say which provision")
	}
}

func TestWhatIsOpenIsAskedOnce(t *testing.T) {
	a := assess(t, Input{Flow: corridor.Flow{Date: day(t, "2026-11-24"), Origin: "CN", Destination: "KZ"}})
	seen := map[string]bool{}
	for _, o := range a.Open {
		if seen[o.Fact] || o.Question.EN == "" || len(o.Citations) == 0 {
			t.Errorf("%+v", o)
		}
		seen[o.Fact] = true
	}
	for _, fact := range a.Verdict.Missing {
		if !seen[fact] {
			t.Errorf("%s is missing and is not asked", fact)
		}
	}
}

func TestBadInputOfAnAssessmentIsExplained(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Input)
		want   string
	}{
		"a line nobody knows":   {func(in *Input) { in.About["exporer"] = "x" }, "about.exporer: is no line of an assessment; use reference, exporter"},
		"a line without end":    {func(in *Input) { in.About["exporter"] = strings.Repeat("x", 401) }, "longer than 400 bytes"},
		"an event nobody knows": {func(in *Input) { in.Events["efect"] = 1 }, "events.efect: no deadline runs from it; use one of assessment"},
		"a fact nobody knows":   {func(in *Input) { in.Flow.Facts["subjets"] = 1 }, `unknown fact "subjets"`},
	} {
		in := contract(t)
		c.change(&in)
		if _, err := Assess(library(t), in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "[]", `{"format":"corridor-assessment/1","x":1}`, `{"format":"other"}`, `{"format":"corridor-assessment/1"} {}`} {
		if _, err := Decode([]byte(bad)); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// anyFlow draws a flow from the vocabulary: any pair of states, any facts.
func anyFlow(t *rapid.T, lib *law.Library) corridor.Flow {
	states := lib.States()
	from := rapid.SampledFrom(states).Draw(t, "from")
	to := rapid.SampledFrom(states).Filter(func(s string) bool { return s != from }).Draw(t, "to")
	f := corridor.Flow{Origin: from, Destination: to, Date: corridor.Date(rapid.IntRange(739_263, 740_363).Draw(t, "day")), Facts: corridor.Facts{}}
	for _, x := range lib.Vocabulary() {
		if x.Derived != "" || x.Name == "origin" || x.Name == "destination" || rapid.IntRange(0, 2).Draw(t, x.Name+" said") > 0 {
			continue
		}
		switch x.Type {
		case "bool":
			f.Facts[x.Name] = rapid.Bool().Draw(t, x.Name)
		case "int":
			f.Facts[x.Name] = rapid.Int64Range(x.Min, min(x.Max, 3_000_000)).Draw(t, x.Name)
		case "enum":
			f.Facts[x.Name] = rapid.SampledFrom(x.Values).Draw(t, x.Name)
		case "set":
			f.Facts[x.Name] = map[string]any{"has": []any{rapid.SampledFrom(x.Values).Draw(t, x.Name)}}
		}
	}
	for _, r := range lib.Records() {
		if strings.HasPrefix(r.Name, "vehicles."+strings.ToLower(from)) {
			f.Facts[r.Name] = rapid.SampledFrom(r.States).Draw(t, r.Name)
		}
	}
	if rapid.Bool().Draw(t, "assume") {
		f.Assume = "nothing_in_place"
	}
	return f
}

func TestAnAssessmentReplaysBitForBit(t *testing.T) {
	lib := library(t)
	decided := 0
	rapid.Check(t, func(t *rapid.T) {
		in := Input{Flow: anyFlow(t, lib), Program: "1"}
		for name, v := range in.Flow.Facts {
			in.Said = append(in.Said, Said{Fact: name, By: Given, Value: v})
		}
		a, err := Assess(lib, in)
		if err != nil {
			if corridor.KindOf(err) != corridor.Invalid {
				t.Fatal(err)
			}
			return // the facts contradict one another
		}
		decided++
		was, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		read, err := Decode(was)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Assess(lib, read.Input())
		if err != nil {
			t.Fatal(err)
		}
		now, err := again.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(was, now) {
			t.Fatalf("%s\n---\n%s", was, now)
		}
	})
	if decided == 0 {
		t.Fatal("no flow was decided")
	}
}

func page(t *testing.T, a Assessment, lang string) string {
	t.Helper()
	var b bytes.Buffer
	if err := AssessmentHTML(&b, a, lang); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAnAssessmentSpeaksThreeLanguages(t *testing.T) {
	a := assess(t, contract(t))
	for lang, want := range map[string][]string{
		"en": {`<html lang="en">`, "Transfer assessment", "Tianshan Logistics", "2026-12-15", "found by a scan of people.csv; given", "促进和规范数据跨境流动规定", "within 10 working days of its taking effect", "corridor replay assessment.json", "One fact away", "allowed with duties"},
		"zh": {`<html lang="zh">`, "数据跨境提供评估", "附义务允许", "第8条", "最后期限", "Corridor 仅供参考"},
		"ru": {`<html lang="ru">`, "Оценка трансграничной передачи", "разрешено с обязанностями", "ст. 8", "促进和规范数据跨境流动规定", "отсчёт с 2026-12-01"},
	} {
		got := page(t, a, lang)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q is missing", lang, w)
			}
		}
		selfContained(t, lang, got)
		if lang != "en" && regexp.MustCompile(`>(Duties|Facts|Owner|Evidence|Because)<`).MatchString(got) {
			t.Errorf("%s: an English heading", lang)
		}
	}
}

// selfContained holds what every paper must be: no script, nothing fetched,
// no verb left over, every table headed.
func selfContained(t *testing.T, name, html string) {
	t.Helper()
	for _, not := range []string{"<script", "http:", "https:", "src=", "@import", "url(", "ZgotmplZ", "%!", "<no value>"} {
		if strings.Contains(html, not) {
			t.Errorf("%s: the page holds %q", name, not)
		}
	}
	if a, b := strings.Count(html, "<table"), strings.Count(html, "<thead>"); a != b {
		t.Errorf("%s: %d tables, %d heads", name, a, b)
	}
	for _, h := range []string{"<header>", "<main>", "<footer>", "@media print", "size: A4", `scope="col"`} {
		if !strings.Contains(html, h) {
			t.Errorf("%s: %q is missing", name, h)
		}
	}
}

func TestForeignWordsInAnAssessmentAreOnlyWords(t *testing.T) {
	in := contract(t)
	const evil = `</style><script>alert("x")</script>&<img src=x onerror=y>`
	in.About["dataset"] = evil
	in.Program = evil
	in.Said = append(in.Said, Said{Fact: "purpose", By: FromFile, From: evil, Value: evil})
	got := page(t, assess(t, in), "en")
	if strings.Contains(got, "<script") || strings.Contains(got, "<img") {
		t.Error("markup from outside stands in the page")
	}
	if strings.Count(got, "alert(") < 3 {
		t.Error("what was said does not stand in the page")
	}
}

// What turns the direction of the text after it, or cannot be seen, shows in a
// paper that somebody signs.
func TestAPaperSaysWhatItSeemsToSay(t *testing.T) {
	in := contract(t)
	in.About["exporter"] = "fdp.\u202etnemeerga"
	in.About["importer"] = "pay\u200bpal \u2066x\u2069 \U000e0041"
	in.About["dataset"] = "نمونه\u200cها"
	got := page(t, assess(t, in), "zh")
	if strings.ContainsAny(got, "\u202e\u200b\u2066\u2069\U000e0041") {
		t.Error("a character that cannot be seen stands in the page")
	}
	for _, want := range []string{"fdp.\ufffdtnemeerga", "pay\ufffdpal", "نمونه\u200cها"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestAChinesePaperCitesAsOneDoes(t *testing.T) {
	got := page(t, assess(t, contract(t)), "zh")
	for _, want := range []string{"第39条、第13条；促进和规范数据跨境流动规定（国家互联网信息办公室令第16号）第10条", "自生效之日起10个工作日内", "按中国"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(got, "第10条 (") {
		t.Error("the title stands twice")
	}
}

func TestEveryWordOfAPaperExistsInThreeLanguages(t *testing.T) {
	verb := regexp.MustCompile(`%(\[\d\])?[ds]`)
	texts := assessmentTexts()
	for key, w := range texts {
		if w.EN == "" || w.ZH == "" || w.RU == "" {
			t.Errorf("%s: %+v", key, w)
		}
		n := len(verb.FindAllString(w.EN, -1))
		if len(verb.FindAllString(w.ZH, -1)) != n || len(verb.FindAllString(w.RU, -1)) != n {
			t.Errorf("%s: not the same verbs: %+v", key, w)
		}
	}
	keysOfTemplates(t, texts, "assessment.html.tmpl", "sheet.tmpl")
}

// keysOfTemplates wants a text for every key that a template names.
func keysOfTemplates(t *testing.T, texts map[string]corridor.Text, names ...string) {
	t.Helper()
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`say "([^"]+)"\}`).FindAllStringSubmatch(string(data), -1) {
			if _, ok := texts[m[1]]; !ok {
				t.Errorf("%s: no text for %q", name, m[1])
			}
		}
	}
}

func TestAValueReadsBackAsItWas(t *testing.T) {
	for _, v := range []any{true, int64(120000), "contract", "2026-11-20", "yes", "12", "a b", []any{"personal", "health"}, []any{},
		map[string]any{"min": int64(5)}, map[string]any{"has": []any{"personal"}, "lacks": []any{}}, map[string]any{"cn.standard_contract": map[string]any{"state": "signed"}}, nil} {
		back, err := law.ParseValue(Value(v))
		if v == nil {
			v = "none" // what an absent value is given as
		}
		if err != nil || fmt.Sprint(back) != fmt.Sprint(v) {
			t.Errorf("%v is written %s and reads back as %v (%v)", v, Value(v), back, err)
		}
	}
}
