package law_test

import (
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
