package scan

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"corridor"
)

const (
	vcfHead  = "##fileformat=VCFv4.3\n##contig=<ID=chr1,length=248956422>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\tS2\tS3\n"
	vcfRow   = "chr1\t10177\trs367896724\tA\tAC\t100\tPASS\t.\tGT\t0|1\t0|0\t1|1\n"
	fastqOne = "@r1\nACGTACGTACGTNNACGT\n+\nIIIIIIIIIIIIIIIIII\n"
	gpxFile  = `<?xml version="1.0"?><gpx version="1.1"><trk><trkseg><trkpt lat="43.23894" lon="76.88971"/><trkpt lat="43.24001" lon="76.90000"/></trkseg></trk></gpx>`
	kmlFile  = "<kml xmlns=\"x\"><Placemark><Point><coordinates>76.88971,43.23894,0 76.9,43.3</coordinates></Point></Placemark></kml>"
	geoFile  = `{"type":"FeatureCollection","name":"wells","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[76.889701,43.238949]},"properties":{"owner_name":"Иванов Иван Иванович","phone":"+77011234567"}},{"type":"Feature","geometry":{"type":"Point","coordinates":[77.1,43.5]},"properties":{"owner_name":"Петрова Анна Ильинична","phone":"+77011234568"}}]}`
)

func classesFound(rep *Report) []string {
	known, _ := rep.Facts["data_classes"].(map[string]any)
	has, _ := known["has"].([]any)
	var out []string
	for _, c := range has {
		out = append(out, fmt.Sprint(c))
	}
	return out
}

func TestFilesWhoseFormatSaysWhatTheyHold(t *testing.T) {
	dicom := string(make([]byte, 128)) + "DICM" + strings.Repeat("\x00", 20)
	for _, c := range []struct{ name, text, format, classes string }{
		{"variants of three people", vcfHead + vcfRow + vcfRow, "vcf", "personal genetic"},
		{"variants without people", strings.ReplaceAll(vcfHead, "\tFORMAT\tS1\tS2\tS3", "") + "1\t5\t.\tA\tC\t.\t.\t.\n", "vcf", "personal genetic"},
		{"reads", strings.Repeat(fastqOne, 3), "fastq", "personal genetic"},
		{"human sequences", ">NC_000001.11 Homo sapiens chromosome 1\nACGTACGTACGTACGT\n", "fasta", "personal genetic"},
		{"a virus", ">NC_045512.2 Severe acute respiratory syndrome coronavirus 2\nATTAAAGGTTTATACC\n", "fasta", ""},
		{"a protein", ">sp|P0\nMEEPQSDPSVEPPLSQETFSDLWKLLPENN\n", "fasta", ""},
		{"aligned reads", "@HD\tVN:1.6\n@SQ\tSN:chr1\tLN:248956422\n@RG\tID:a\tSM:one\nr1\t0\tchr1\t5\n", "sam", "personal genetic"},
		{"genotypes of a person", "# comment\n# rsid\tchromosome\tposition\tgenotype\nrs4477212\t1\t82154\tAA\n", "genotypes", "personal genetic"},
		{"medical messages", "MSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.3\rPID|1\r", "hl7", "personal health"},
		{"a medical image", dicom, "dicom", "personal health"},
		{"finger minutiae", "FMR\x00 20\x00\x00\x00\x00\x00", "iso19794", "personal biometric"},
		{"a face record", "FAC\x00010\x00\x00\x00", "iso19794", "personal biometric"},
		{"a way", gpxFile, "gpx", "personal geospatial location_track"},
		{"places", kmlFile, "kml", "geospatial"},
		{"features with people", geoFile, "geojson", "personal geospatial"},
	} {
		rep, err := Reader(context.Background(), bytes.NewReader([]byte(c.text)), "", Options{Today: today})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := strings.Join(classesFound(rep), " "); rep.Format != c.format || got != c.classes {
			t.Errorf("%s: %s with %q, want %s with %q", c.name, rep.Format, got, c.format, c.classes)
		}
		if rep.Bytes != int64(len(c.text)) {
			t.Errorf("%s: %d bytes read of %d", c.name, rep.Bytes, len(c.text))
		}
	}
}

func TestSamplesBoundTheGenomes(t *testing.T) {
	rep := scanText(t, vcfHead+vcfRow, Options{})
	if s := rep.Subjects; s.Min != 1 || s.Max != 3 || rep.Rows != 1 {
		t.Errorf("%+v", s)
	}
	if g, ok := rep.Facts["genome_subjects"].(map[string]any); !ok || g["max"] != int64(3) {
		t.Errorf("facts %v", rep.Facts)
	}
	if c := rep.Columns[0].Classes; len(c) == 0 || !strings.Contains(c[0].Reason, "human genome") {
		t.Errorf("%v", c)
	}
}

func TestUnknownSequencesAskForAPerson(t *testing.T) {
	rep := scanText(t, ">contig1\nACGTACGTACGTACGT\n", Options{})
	if len(rep.Warnings) != 1 || !slices.Contains(classesFound(rep), "genetic") {
		t.Errorf("%v %v", rep.Warnings, rep.Facts)
	}
}

func TestPositionsGiveAnExtentInWholeDegrees(t *testing.T) {
	for name, c := range map[string]struct {
		text      string
		precision float64
	}{
		"two columns":   {"lat,lon\n43.2389,76.8897\n43.5001,77.1001\n43.7,77.2\n", 11.132},
		"one column":    {"gps\n\"43.2389, 76.8897\"\n\"43.5001, 77.1001\"\n\"43.7001, 77.2002\"\n\"43.8001, 77.3002\"\n", 11.132},
		"a way in GPX":  {gpxFile, 1.1132},
		"places in KML": {kmlFile, 1.1132},
	} {
		e := scanText(t, c.text, Options{}).Extent
		if e == nil || !e.Known || e.South != 43 || e.North != 44 || e.West != 76 || e.East < 77 || e.Precision < c.precision*0.99 || e.Precision > c.precision*1.01 {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if e := scanText(t, "name,qty\nrice,5\n", Options{}).Extent; e != nil {
		t.Errorf("%+v", e)
	}
}

func TestDegreesInManyLanguages(t *testing.T) {
	for v, want := range map[string]bool{
		`43°14'20"N 76°53'23"E`: true, "43°14′20″ с.ш. 76°53′23″ в.д.": true, "北纬43°14′ 东经76°53′": true, "N43°14.5 E076°53.3": true, "43.2389° N": true,
		"25°": false, "25 °C": false, "°": false, "угол 45°": false,
	} {
		c := newColumn("x", newEnv(today, 10))
		if got := c.degrees([]byte(v)); got != want {
			t.Errorf("%q: %t", v, got)
		}
	}
}

func TestGenotypesBesideVariantsAreGenetic(t *testing.T) {
	g := newGen(60)
	var b strings.Builder
	b.WriteString("marker,call\n")
	for range 60 {
		fmt.Fprintf(&b, "rs%s,%s\n", g.digits(7), g.pick("AA AG GG CT TT"))
	}
	if rep := scanText(t, b.String(), Options{}); !slices.Contains(classesFound(rep), "genetic") {
		t.Errorf("%+v", rep.Columns)
	}
}

func TestVectorsBesidePeopleAreBiometric(t *testing.T) {
	g := newGen(61)
	vector := func() string {
		parts := make([]string, 128)
		for i := range parts {
			parts[i] = fmt.Sprintf("%.4f", g.Float64()-0.5)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	var with, without strings.Builder
	with.WriteString("full_name,v\n")
	without.WriteString("product_name,v\n")
	for range 30 {
		fmt.Fprintf(&with, "%s,%q\n", g.nameRU(), vector())
		fmt.Fprintf(&without, "rice,%q\n", vector())
	}
	if rep := scanText(t, with.String(), Options{}); !slices.Contains(classesFound(rep), "biometric") {
		t.Errorf("%+v", rep.Columns[1].Classes)
	}
	if rep := scanText(t, without.String(), Options{}); len(classesFound(rep)) > 0 {
		t.Errorf("vectors of goods: %v", classesFound(rep))
	}
}

func TestBrokenGeoFilesAreRefused(t *testing.T) {
	for _, text := range []string{`{"type":"FeatureCollection","features":[{"a":1},`, `{"type":"FeatureCollection","features":7}`, `{"type":"FeatureCollection"}`, `<gpx version="1.1"><trk`} {
		_, err := Reader(context.Background(), strings.NewReader(text), "", Options{})
		if corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzWholeFiles feeds arbitrary files to the readers of whole formats.
func FuzzWholeFiles(f *testing.F) {
	for _, s := range []string{vcfHead + vcfRow, fastqOne, ">a\nACGTACGTACGT\n", gpxFile, kmlFile, geoFile, "@HD\tVN:1.6\n", "MSH|^~\\&|\r", "FMR\x00 20\x00", "# rsid\tchromosome\tposition\tgenotype\n"} {
		f.Add([]byte(s))
	}
	o := Options{Today: today, MaxRecord: 1 << 16}.withDefaults()
	f.Fuzz(func(t *testing.T, data []byte) {
		rep, err := Reader(context.Background(), bytes.NewReader(data), "", o)
		if err != nil {
			return
		}
		if rep.Subjects.Min > rep.Subjects.Max && !rep.Subjects.Open || rep.Rows < 0 {
			t.Fatalf("%+v", rep.Subjects)
		}
		for _, c := range rep.Columns {
			for _, x := range c.Classes {
				if x.Confidence < 0 || x.Confidence > 1 {
					t.Fatalf("confidence %f", x.Confidence)
				}
			}
		}
	})
}

// FuzzNumbers feeds arbitrary letters and digits to every rule.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"17291716060", "784198012345678", "RCCMNL83S18D969H", "0000000A000PB2", "1M8GDM9AXKP042788", "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "43TDG1234567890", "8FVC9G8F+6X", "УБ85031512"} {
		f.Add([]byte(s))
	}
	e := newEnv(today, 100)
	f.Fuzz(func(t *testing.T, v []byte) {
		machineZone(v)
		c := newColumn("x", e)
		c.add(v, e.mask(v))
		for n := range e.registry.digits {
			for _, k := range slices.Concat(e.registry.digits[n], e.registry.letters[n]) {
				var buf [64]byte
				if plain := upper(buf[:0], v[:min(len(v), 40)]); len(plain) == n && (digitsOnly(plain) || slices.Contains(e.registry.letters[n], k)) {
					if x := e.registry.rules[k].test(plain, e); x.valid && !x.plausible {
						t.Fatalf("%s: %q is valid and not plausible", e.registry.rules[k].id, plain)
					}
				}
			}
		}
	})
}
