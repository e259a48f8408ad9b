package scan

import (
	"bytes"
	"context"
	"io"
	"testing"
)

// BenchmarkScanCSV scans 32 MB of shipments with fourteen columns, six of
// them identifiers, end to end.
func BenchmarkScanCSV(b *testing.B) {
	data, err := io.ReadAll(newShipments(1, 32<<20))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Reader(context.Background(), bytes.NewReader(data), "csv", Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseCSV is the reader alone.
func BenchmarkParseCSV(b *testing.B) {
	data, err := io.ReadAll(newShipments(1, 32<<20))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		s := newCSV(bytes.NewReader(data), "", csvLayout{delim: ',', eol: '\n', header: true}, Options{}.withDefaults())
		batch := new(batch)
		for {
			batch.reset()
			if err := s.next(batch); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
