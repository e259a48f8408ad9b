package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"corridor/internal/scan"
	"corridor/packs"
)

// vocabulary reads the names of facts, and the members of sets.
func vocabulary(t *testing.T) map[string][]string {
	t.Helper()
	raw, err := fs.ReadFile(packs.FS(), "vocabulary.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Facts []struct {
			Name   string   `yaml:"name"`
			Values []string `yaml:"values"`
		} `yaml:"facts"`
	}
	if err := yaml.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, f := range v.Facts {
		out[f.Name] = f.Values
	}
	return out
}

// TestScanProposesOnlyFactsOfTheVocabulary scans one column of every class.
func TestScanProposesOnlyFactsOfTheVocabulary(t *testing.T) {
	known := vocabulary(t)
	const table = "name,diagnosis,fingerprint,genotype,religion,ethnicity,criminal record,card number,salary,imsi,child name,password,vin,policy number,kyc status,latitude,longitude,time\n"
	row := "Anna Example,I10,AABBCC,AG,none,other,none,4111111111111111,1000,460001234567890,Peter Example,hunter22,JH4KA7650MC000000,P-123456,ok,43.25,76.95,2026-01-05T10:00:00Z\n"
	rep, err := scan.Reader(context.Background(), strings.NewReader(table+strings.Repeat(row, 20)), "", scan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name := range rep.Facts {
		if _, ok := known[name]; !ok {
			t.Errorf("fact %q is not in the vocabulary", name)
		}
	}
	for _, c := range rep.Columns {
		for _, f := range c.Classes {
			if f.Class != "" && !slices.Contains(known["data_classes"], f.Class) {
				t.Errorf("class %q of column %s is not in the vocabulary", f.Class, c.Name)
			}
			if scan.Label(f.Identifier, "zh") == f.Identifier || scan.Label(f.Identifier, "ru") == f.Identifier && f.Identifier != "imei" {
				t.Errorf("%q has no name in Chinese or Russian", f.Identifier)
			}
		}
	}
	if has := rep.Facts["data_classes"]; has == nil || len(rep.Facts) < 4 {
		t.Errorf("facts %v", rep.Facts)
	}
}

// TestScanOfTheDemoFile holds the numbers that the demo tells.
func TestScanOfTheDemoFile(t *testing.T) {
	f, err := os.Open("demodata/shipments.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run(context.Background(), []string{"scan", "-", "--json"}, z, &out, &errs); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var rep scan.Report
	if err := json.Unmarshal(out.Bytes(), &rep); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, c := range rep.Columns {
		for _, f := range c.Classes {
			if f.Confidence >= 0.6 {
				found = append(found, c.Name+"="+f.Identifier)
			}
		}
	}
	want := []string{"consignee_name_fictional=person_name", "consignee_iin_fictional=kz_iin", "consignee_phone_fictional=phone", "consignee_email_fictional=email", "courier_resident_id_fictional=cn_resident_id"}
	if !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
	if rep.Rows != 6000 || rep.Subjects.Min < 1 || rep.Subjects.Max > 12000 {
		t.Errorf("%d rows, people %+v", rep.Rows, rep.Subjects)
	}
}
