package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"os"
	"strings"
	"testing"
)

// embedded reads the committed file.
func embedded(t *testing.T) ([]byte, [][]string) {
	t.Helper()
	f, err := os.Open("../shipments.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(gz); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(plain.Bytes())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return plain.Bytes(), rows
}

func TestCommittedFileIsWhatTheGeneratorWrites(t *testing.T) {
	want, rows := embedded(t)
	var real [][]string
	for _, row := range rows[1:] {
		real = append(real, row[:len(realColumns)])
	}
	var got bytes.Buffer
	if err := write(&got, real); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the people columns of shipments.csv.gz are not what the generator makes of its real columns")
	}
	if len(real) < 5000 {
		t.Errorf("%d rows, at least 5000 are promised", len(real))
	}
}

func TestNobodyInTheFileCanExist(t *testing.T) {
	_, rows := embedded(t)
	for i, row := range rows[1:] {
		iin, phone, mail, resident := row[11], row[12], row[13], row[14]
		if year := "18" + iin[:2]; (iin[6] != '1' && iin[6] != '2') || year < "1880" || year > "1889" {
			t.Fatalf("row %d: IIN %s is not of the nineteenth century", i+1, iin)
		}
		if year := resident[6:10]; year < "1880" || year > "1889" {
			t.Fatalf("row %d: resident id %s is not of the nineteenth century", i+1, resident)
		}
		if len(phone) != 12 || phone[:2] != "+1" || phone[5:10] != "55501" {
			t.Fatalf("row %d: %s is not a number set aside for fiction", i+1, phone)
		}
		if !strings.HasSuffix(mail, "@example.org") {
			t.Fatalf("row %d: %s is not at example.org", i+1, mail)
		}
	}
	for _, name := range rows[0][len(realColumns):] {
		if !strings.HasSuffix(name, "_fictional") {
			t.Errorf("the made-up column %s does not say that it is made up", name)
		}
	}
}

func TestSourceWithoutACompleteRecordIsRefused(t *testing.T) {
	_, err := realRows(strings.NewReader("time_hour,carrier\n"), 1)
	if err == nil || !strings.Contains(err.Error(), `no column "flight"`) {
		t.Errorf("got %v, want the name of the missing column", err)
	}
}
