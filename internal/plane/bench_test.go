package plane

import (
	"io"
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
