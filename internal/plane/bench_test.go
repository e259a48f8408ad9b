package plane

import (
	"io"
	"os"
	"testing"
)

func BenchmarkTransformCSV(b *testing.B) {
	src := &memory{data: people(16 << 20), version: "v"}
	b.SetBytes(src.Size())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Transform(b.Context(), src, io.Discard, peoplePlan(), testKey); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHTTPPull(b *testing.B) {
	src := synthetic(64 << 20)
	l := newLink(b, src, peoplePlan())
	b.SetBytes(src.Size())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.fetch(b); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := os.Remove(l.dest); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
