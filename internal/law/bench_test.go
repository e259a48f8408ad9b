package law_test

import (
	"encoding/json"
	"testing"

	"corridor"
	"corridor/internal/law"
	"corridor/packs"
)

func library(tb testing.TB) *law.Library {
	tb.Helper()
	l, err := law.Load(packs.FS())
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func day(tb testing.TB, s string) corridor.Date {
	tb.Helper()
	d, err := corridor.ParseDate(s)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// known is a flow whose every fact is known on both sides.
func known(tb testing.TB) corridor.Flow {
	return corridor.Flow{Date: day(tb, "2026-11-24"), Origin: "CN", Destination: "KZ", Assume: law.DefaultProfile, Facts: corridor.Facts{
		"data_classes": []any{"personal"}, "subjects_ytd": 250000, "sensitive_subjects_ytd": 0, "subjects_in_file": 5000,
		"sensitive_subjects_in_file": 0, "purpose": "marketing", "mechanism": "standard_contract", "impact_assessment": true}}
}

func BenchmarkDecideBothSides(b *testing.B) {
	l := library(b)
	p, err := l.Prepare(known(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Decide()
	}
}

func BenchmarkOutcome(b *testing.B) {
	l := library(b)
	p, err := l.Prepare(known(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Outcome()
	}
}

func BenchmarkPrepare(b *testing.B) {
	l, f := library(b), known(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Prepare(f); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecideFlow is the whole way from a flow to a verdict, near misses
// included.
func BenchmarkDecideFlow(b *testing.B) {
	l, f := library(b), known(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Decide(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadPacks(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		library(b)
	}
}

// BenchmarkQuestions decides the flow of which least is known.
func BenchmarkQuestions(b *testing.B) {
	l := library(b)
	p, err := l.Prepare(corridor.Flow{Date: day(b, "2026-11-24"), Origin: "CN", Destination: "KZ", Facts: corridor.Facts{"data_classes": map[string]any{"has": []any{"personal"}}}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if v := p.Decide(); len(v.Missing) == 0 {
			b.Fatal("no question")
		}
	}
}

func BenchmarkPartialOutcome(b *testing.B) {
	l := library(b)
	p, err := l.Prepare(corridor.Flow{Date: day(b, "2026-11-24"), Origin: "CN", Destination: "KZ", Facts: corridor.Facts{"data_classes": map[string]any{"has": []any{"personal"}}}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Outcome()
	}
}

// flows is a mixture of complete flows that the law tells apart.
func mixture(b *testing.B, l *law.Library, n int) []corridor.Flow {
	classes := [][]any{{"personal"}, {"personal", "payment"}, {"personal", "health", "sensitive"}, {"non_personal"}, {"important"}, {"personal", "biometric"}}
	purposes := []string{"contract", "hr", "marketing", "trade_logistics", "research", "customs", "other"}
	states := l.States()
	var out []corridor.Flow
	for i := range n {
		f := known(b)
		f.Origin, f.Destination = states[i%len(states)], states[(i/7+1)%len(states)]
		if f.Origin == f.Destination || f.Origin == "EU" || f.Destination == "EU" {
			f.Origin, f.Destination = "CN", "KZ"
		}
		f.Facts["data_classes"], f.Facts["purpose"], f.Facts["subjects_ytd"] = classes[i%len(classes)], purposes[i/3%len(purposes)], 5000+i*997%2_000_000
		out = append(out, f)
	}
	return out
}

func flows(b *testing.B, l *law.Library, n int) []*law.Prepared {
	var out []*law.Prepared
	for _, f := range mixture(b, l, n) {
		p, err := l.Prepare(f)
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func outcomeOf(v corridor.Verdict, err error) corridor.Outcome {
	if err != nil {
		return corridor.Deny
	}
	return v.Outcome
}

// BenchmarkBatchMixture decides flows from unread facts.
func BenchmarkBatchMixture(b *testing.B) {
	l := library(b)
	list := mixture(b, l, 10_000)
	batch := law.NewBatch(l, corridor.Flow{}, outcomeOf)
	for _, f := range list {
		batch.Decide(f)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		batch.Decide(list[i%len(list)])
	}
}

// BenchmarkBatchLines decides flows from lines of JSON.
func BenchmarkBatchLines(b *testing.B) {
	l := library(b)
	var lines []string
	for _, f := range mixture(b, l, 10_000) {
		data, err := json.Marshal(f)
		if err != nil {
			b.Fatal(err)
		}
		lines = append(lines, string(data))
	}
	batch := law.NewBatch(l, corridor.Flow{}, outcomeOf)
	for _, line := range lines {
		batch.Line(line)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		batch.Line(lines[i%len(lines)])
	}
}

func BenchmarkDecideMixture(b *testing.B) {
	l := library(b)
	list := flows(b, l, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		list[i%len(list)].Decide()
	}
}

func BenchmarkOutcomeMixture(b *testing.B) {
	l := library(b)
	list := flows(b, l, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		list[i%len(list)].Outcome()
	}
}
