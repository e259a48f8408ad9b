package law_test

import (
	"testing"

	"corridor"
	"corridor/internal/law"
)

// BenchmarkAdvise advises on a refused flow whose facts are those of a file
// with twenty columns: sensitive, above the line, nothing in place.
func BenchmarkAdvise(b *testing.B) {
	l := library(b)
	f := corridor.Flow{Date: day(b, "2026-11-24"), Origin: "CN", Destination: "KZ", Assume: law.DefaultProfile, Facts: corridor.Facts{
		"data_classes": []any{"personal", "health", "financial", "location_track", "telecom_subscriber", "credential"}, "subjects_ytd": 250000,
		"sensitive_subjects_ytd": 9000, "subjects_in_file": 200000, "sensitive_subjects_in_file": 9000, "purpose": "marketing"}}
	b.ReportAllocs()
	for b.Loop() {
		a, err := l.Advise(f, law.Limits{})
		if err != nil || len(a.Plans) == 0 {
			b.Fatal("no advice", err)
		}
	}
}

// BenchmarkAdviseExhausted looks at everything: no plan is the last.
func BenchmarkAdviseExhausted(b *testing.B) {
	l := library(b)
	f := corridor.Flow{Date: day(b, "2026-11-24"), Origin: "KZ", Destination: "RU", Assume: law.DefaultProfile, Facts: corridor.Facts{
		"data_classes": []any{"personal", "telecom_subscriber", "health"}, "local_copy": false, "decision_effect": "legal_effect", "purpose": "marketing"}}
	b.ReportAllocs()
	for b.Loop() {
		if a, err := l.Advise(f, law.Limits{Plans: 100}); err != nil || !a.Complete {
			b.Fatal("not everything was looked at", err)
		}
	}
}
