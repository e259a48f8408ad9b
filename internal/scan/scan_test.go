package scan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	textunicode "golang.org/x/text/encoding/unicode"

	"corridor"
	"corridor/test/racing"
)

func col(t *testing.T, rep *Report, name string) Column {
	t.Helper()
	for _, c := range rep.Columns {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no column %q", name)
	return Column{}
}

func top(c Column) (identifier string, confidence float64) {
	if len(c.Classes) == 0 {
		return "", 0
	}
	return c.Classes[0].Identifier, c.Classes[0].Confidence
}

func TestTypesAreTheNarrowestThatHold(t *testing.T) {
	rep := scanText(t, "i,d,b,t,m,s,e,z,mix,plus,exp\n"+
		"1,1.5,true,2024-01-05,2024-01-05T10:00:00Z,x,,20240105,1,+77011234567,1e5\n"+
		"-2,2,false,2024-02-05,2024-01-05 11:00,y,NULL,20240106,2.5,+77011234568,2.5E-3\n"+
		"3,-0.1,TRUE,2024-03-05,2024-01-05T10:00:00+05:00,,N/A,20240107,x,+77011234569,3\n", Options{})
	for name, want := range map[string]string{"i": "int", "d": "decimal", "b": "bool", "t": "date", "m": "datetime", "s": "text", "e": "empty", "z": "date", "mix": "text", "plus": "text", "exp": "decimal"} {
		if got := col(t, rep, name).Type; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	s := col(t, rep, "s")
	if s.Nulls != 1 || s.Values != 2 || s.Distinct != 2 || !s.DistinctExact || s.MinLength != 1 || s.MaxLength != 1 {
		t.Errorf("column s: %+v", s)
	}
	if e := col(t, rep, "e"); e.Nulls != 3 || e.MinLength != 0 {
		t.Errorf("column e: %+v", e)
	}
}

func TestEveryEncodingGivesTheSameReport(t *testing.T) {
	g := newGen(5)
	zh := tableOf(t, g, []string{"姓名", "手机"}, []labelled{{make: func(g gen, _ int) string { return g.nameZH() }}, {make: func(g gen, _ int) string { return g.phoneCN() }}}, 50, 0)
	ru := tableOf(t, g, []string{"ФИО", "Телефон"}, []labelled{{make: func(g gen, _ int) string { return g.nameRU() }}, {make: func(g gen, _ int) string { return g.phoneRU() }}}, 50, 0)
	ru = strings.ReplaceAll(ru, "ұ", "у") // not in Windows-1251
	for _, c := range []struct {
		name, text, encoding string
		encode               func(string) (string, error)
	}{
		{"UTF-8", zh, "utf-8", func(s string) (string, error) { return s, nil }},
		{"UTF-16LE with mark", zh, "utf-16le", textunicode.UTF16(textunicode.LittleEndian, textunicode.UseBOM).NewEncoder().String},
		{"UTF-16BE with mark", zh, "utf-16be", textunicode.UTF16(textunicode.BigEndian, textunicode.UseBOM).NewEncoder().String},
		{"UTF-16LE without mark, Russian digits", ru, "utf-16le", textunicode.UTF16(textunicode.LittleEndian, textunicode.IgnoreBOM).NewEncoder().String},
		{"GB18030", zh, "gb18030", simplifiedchinese.GB18030.NewEncoder().String},
		{"Windows-1251", ru, "windows-1251", charmap.Windows1251.NewEncoder().String},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := c.encode(c.text)
			if err != nil {
				t.Fatal(err)
			}
			o := Options{}
			if strings.Contains(c.name, "without mark") {
				o.Encoding = c.encoding // Cyrillic in UTF-16 has too few NULs to tell
			}
			rep := scanText(t, text, o)
			if rep.Encoding != c.encoding || rep.Rows != 50 || len(rep.Columns) != 2 {
				t.Fatalf("encoding %s, %d rows, %d columns", rep.Encoding, rep.Rows, len(rep.Columns))
			}
			if id, _ := top(rep.Columns[0]); id != "person_name" {
				t.Errorf("column %s: %v", rep.Columns[0].Name, rep.Columns[0].Classes)
			}
			if id, _ := top(rep.Columns[1]); id != "phone" {
				t.Errorf("column %s: %v", rep.Columns[1].Name, rep.Columns[1].Classes)
			}
			if c.encoding != "utf-8" && len(rep.Warnings) == 0 {
				t.Error("no warning about the encoding")
			}
		})
	}
}

func TestFormatsAgree(t *testing.T) {
	g := newGen(6)
	var asCSV, asJSON strings.Builder
	asCSV.WriteString("name,iin,score\n")
	for i := range 200 {
		name, iin := g.nameRU(), g.iin()
		fmt.Fprintf(&asCSV, "%s,%s,%d\n", name, iin, i)
		line, err := json.Marshal(map[string]any{"name": name, "iin": iin, "score": i})
		if err != nil {
			t.Fatal(err)
		}
		asJSON.Write(append(line, '\n'))
	}
	a, b := scanText(t, asCSV.String(), Options{}), scanText(t, asJSON.String(), Options{})
	if b.Format != "jsonl" || a.Format != "csv" {
		t.Fatalf("formats %s and %s", a.Format, b.Format)
	}
	for _, name := range []string{"name", "iin", "score"} {
		x, err := json.Marshal(col(t, a, name))
		if err != nil {
			t.Fatal(err)
		}
		y, err := json.Marshal(col(t, b, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(x) != string(y) {
			t.Errorf("CSV:   %s\nJSONL: %s", x, y)
		}
	}
	if a.Subjects.Min != b.Subjects.Min || a.Subjects.Max != b.Subjects.Max {
		t.Errorf("people %+v and %+v", a.Subjects, b.Subjects)
	}
}

func TestNoValueReachesTheReport(t *testing.T) {
	g := newGen(7)
	text := tableOf(t, g, []string{"收货人", "身份证号", "email", "f1", "note"}, []labelled{
		{make: func(g gen, _ int) string { return g.nameZH() }}, {make: func(g gen, _ int) string { return g.cnID() }},
		{make: func(g gen, _ int) string { return g.email() }}, {make: func(g gen, _ int) string { return g.card() }},
		{make: func(g gen, _ int) string { return "please call " + g.phoneCN() + " or mail " + g.email() + " today" }},
	}, 100, 0)
	for _, lang := range []string{"en", "zh", "ru"} {
		rep := scanText(t, text, Options{Lang: lang})
		out, err := json.Marshal(rep)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
			if i == 0 {
				continue
			}
			for _, v := range strings.Split(line, ",") {
				if strings.Contains(string(out), v) {
					t.Fatalf("a value is in the report: %s", out)
				}
			}
		}
	}
	// Nor an error: it names the row and not what is in it.
	_, err := Reader(context.Background(), strings.NewReader(text+"secret-value,2\n"), "", Options{})
	if err == nil || strings.Contains(err.Error(), "secret-value") {
		t.Errorf("error %v", err)
	}
	// Nor a header that is no header.
	rep := scanText(t, "王小明,11010519491231002X\n李小红,11010519491231002X\n张三丰,11010519491231002X\n", Options{})
	if rep.Header || rep.Columns[0].Name != "column 1" {
		t.Errorf("a person became a column name: %+v", rep.Columns[0])
	}
}

func TestIdentifiersInsideTextsAreFound(t *testing.T) {
	g := newGen(8)
	var b strings.Builder
	b.WriteString("id,remark\n")
	for i := range 300 {
		if i%10 == 0 {
			fmt.Fprintf(&b, "%d,客户身份证 %s 已核对，电话 %s，邮箱 %s\n", i, g.cnID(), g.phoneCN(), g.email())
		} else {
			fmt.Fprintf(&b, "%d,parcel left at the door of house number %d in the evening\n", i, i)
		}
	}
	rep := scanText(t, b.String(), Options{})
	found := map[string]bool{}
	for _, f := range col(t, rep, "remark").Classes {
		if f.Confidence >= 0.6 {
			found[f.Identifier] = true
		}
	}
	if !found["cn_resident_id"] || !found["phone"] || !found["email"] {
		t.Errorf("found %v: %v", found, col(t, rep, "remark").Classes)
	}
	if !rep.Subjects.Open {
		t.Errorf("people in texts cannot be counted, yet the count is closed: %+v", rep.Subjects)
	}
	if f, ok := rep.Facts["subjects_in_file"].(map[string]any); !ok || f["max"] != nil {
		t.Errorf("fact %v has an upper bound", rep.Facts["subjects_in_file"])
	}
}

func TestCoordinatesAndTracks(t *testing.T) {
	g := newGen(9)
	point := []labelled{{make: func(g gen, _ int) string { return fmt.Sprintf("%.5f", 43+g.Float64()) }}, {make: func(g gen, _ int) string { return fmt.Sprintf("%.5f", 76+g.Float64()) }}}
	wells := scanText(t, tableOf(t, g, []string{"lat", "lon"}, point, 50, 0), Options{})
	if f, ok := wells.Facts["data_classes"].(map[string]any); !ok || fmt.Sprint(f["has"]) != "[geospatial]" {
		t.Errorf("wells: %v", wells.Facts)
	}
	moves := append([]labelled{{make: func(g gen, _ int) string { return g.phoneCN() }}, {make: func(g gen, i int) string { return fmt.Sprintf("2026-01-05T10:%02d:00Z", i%60) }}}, point...)
	track := scanText(t, tableOf(t, g, []string{"手机号", "time", "纬度", "经度"}, moves, 50, 0), Options{})
	if f, ok := track.Facts["data_classes"].(map[string]any); !ok || fmt.Sprint(f["has"]) != "[personal geospatial location_track]" {
		t.Errorf("tracks: %v", track.Facts)
	}
	alone := scanText(t, tableOf(t, g, []string{"lat", "x"}, point, 50, 0), Options{})
	if len(alone.Facts) != 0 {
		t.Errorf("a latitude without a longitude: %v", alone.Facts)
	}
}

func TestChildrenAreFoundByTheirBirthDates(t *testing.T) {
	g := newGen(10)
	rep := scanText(t, tableOf(t, g, []string{"name", "dob"}, []labelled{{make: func(g gen, _ int) string { return g.nameRU() }},
		{make: func(g gen, _ int) string { return g.date(2010, 2020, "") }}}, 100, 0), Options{Today: today})
	ok := false
	for _, f := range col(t, rep, "dob").Classes {
		ok = ok || f.Class == "child" && f.Confidence > 0.6 && strings.Contains(f.Reason, "2012-11-24")
	}
	if !ok {
		t.Errorf("%v", col(t, rep, "dob").Classes)
	}
}

func TestNothingFoundProposesNothing(t *testing.T) {
	rep := scanText(t, "item,qty,price\nrice,5,1.5\niron,7,2.5\ncoal,9,3.5\n", Options{})
	if len(rep.Facts) != 0 || rep.Subjects.Max != 0 || !strings.Contains(rep.Subjects.Basis, "does not prove") {
		t.Errorf("facts %v, subjects %+v", rep.Facts, rep.Subjects)
	}
}

func TestPathsThatCannotBeScanned(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.csv")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, msg := range map[string]string{filepath.Join(dir, "none.csv"): "no such file", dir: "directory", empty: "empty"} {
		_, err := File(context.Background(), path, Options{})
		var e *corridor.Error
		if !errors.As(err, &e) || e.Kind != corridor.Invalid || e.Where != path || !strings.Contains(e.Error(), msg) {
			t.Errorf("%s: %v, want %q", path, err, msg)
		}
	}
}

// endless gives rows until it is stopped.
type endless struct {
	*shipments
	stop func()
	n    int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n++; e.n == 50 {
		e.stop()
	}
	e.left = 1 << 40
	return e.shipments.Read(p)
}

func TestAScanStopsWhenItIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := Reader(ctx, &endless{shipments: newShipments(1, 1<<40), stop: cancel}, "csv", Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestAScanStopsEvenWhileTheReaderIsStuck(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		fmt.Fprint(w, "a,b\n"+strings.Repeat("1,2\n", sampleSize))
		cancel()
	}()
	if _, err := Reader(ctx, r, "csv", Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

type failing struct{ r io.Reader }

var errDisk = errors.New("the disk is gone")

func (f failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err == io.EOF {
		err = errDisk
	}
	return n, err
}

func TestAReadErrorIsReportedAsOne(t *testing.T) {
	for _, text := range []string{"a,b\n1,2\n", "{\"a\":1}\n", ""} {
		_, err := Reader(context.Background(), failing{strings.NewReader(text)}, "", Options{})
		if !errors.Is(err, errDisk) || corridor.KindOf(err) != corridor.Unavailable {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// collecting collects garbage at every step of its reader, and notes what is
// left: what the scan holds, however late the collector runs on a busy machine.
type collecting struct {
	io.Reader
	step, next, read int64
	peak             uint64
}

func (c *collecting) Read(p []byte) (int, error) {
	if c.read >= c.next {
		c.next += c.step
		c.peak = max(c.peak, heapInUse())
	}
	n, err := c.Reader.Read(p)
	c.read += int64(n)
	return n, err
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestMemoryStaysFlat streams 200 MB of shipments and weighs the heap forty
// times. What is held may be half of 110 MiB: the collector lets a heap grow to
// twice of that before it runs.
func TestMemoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("streams 200 MB")
	}
	if racing.On {
		t.Skip("weighs memory; that nothing races is shown on shorter files")
	}
	before := heapInUse()
	r := &collecting{Reader: newShipments(3, 200<<20), step: 5 << 20}
	rep, err := Reader(context.Background(), r, "csv", Options{Today: today})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Bytes < 200<<20 {
		t.Errorf("%d bytes", rep.Bytes)
	}
	used := int64(r.peak) - int64(before)
	t.Logf("at most %d MiB held", used>>20)
	if used > 55<<20 {
		t.Errorf("the scan held %d MiB, the ceiling is 55", used>>20)
	}
}

func TestAdultsAreNoChildren(t *testing.T) {
	g := newGen(40)
	rep := scanText(t, tableOf(t, g, []string{"dob", "iin"}, []labelled{{make: func(g gen, _ int) string { return g.date(1950, 2005, "") }}, {make: func(g gen, _ int) string { return g.iin() }}}, 100, 0), Options{})
	for _, c := range rep.Columns {
		for _, f := range c.Classes {
			if f.Class == "child" {
				t.Errorf("%s: %s", c.Name, f.Reason)
			}
		}
	}
}

func TestOneLuckyNumberRepeatedIsNoEvidence(t *testing.T) {
	g := newGen(41)
	rep := scanText(t, "depot,n\n"+strings.Repeat(g.iin()+",1\n", 5000), Options{})
	if _, confidence := top(col(t, rep, "depot")); confidence >= 0.6 {
		t.Errorf("%v", col(t, rep, "depot").Classes)
	}
}

func TestDoubledQuotesAreNoDigits(t *testing.T) {
	rep := scanText(t, "a,b\n\"1\"\"2\",1\n\"3\"\"4\",2\n", Options{})
	if c := col(t, rep, "a"); c.Type != "text" || c.Shape != `9"9` {
		t.Errorf("%+v", c)
	}
}

func TestSensitiveRowsWithoutAKeyProveOnePerson(t *testing.T) {
	rep := scanText(t, "diagnosis,amount\nI10,1\nE11.9,2\nJ06.9,3\n", Options{})
	if s := rep.Sensitive; s.Min != 1 || s.Max != 3 || s.Estimate != 3 {
		t.Errorf("%+v", s)
	}
}
