package plane

import (
	"bytes"
	"encoding/csv"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"corridor"
	"corridor/test/racing"
)

func TestCSVBecomesWhatThePlanSays(t *testing.T) {
	mask := func(param string, c ...string) Stage { return stage(Mask, param, c...) }
	for _, c := range []struct {
		name, in, want string
		stages         []Stage
	}{
		{"the first column dropped", "a,b,c\n1,2,3\n", "b,c\n2,3\n", []Stage{stage(Drop, "", "a")}},
		{"the middle column dropped", "a,b,c\n1,2,3\n", "a,c\n1,3\n", []Stage{stage(Drop, "", "b")}},
		{"the last column dropped", "a,b,c\n1,2,3\n", "a,b\n1,2\n", []Stage{stage(Drop, "", "c")}},
		{"two columns apart dropped", "a,b,c\n1,2,3\n", "b\n2\n", []Stage{stage(Drop, "", "a", "c")}},
		{"lines that end in CRLF keep it", "a,b\r\n1,2\r\n", "a\r\n1\r\n", []Stage{stage(Drop, "", "b")}},
		{"no newline at the end stays so", "a,b\n1,2", "a,b\n*,2", []Stage{mask("keep:0,0", "a")}},
		{"a byte order mark stays", "\xef\xbb\xbfa,b\n1,2\n", "\xef\xbb\xbfb\n2\n", []Stage{stage(Drop, "", "a")}},
		{"only a header", "a,b\n", "b\n", []Stage{stage(Drop, "", "a")}},
		{"only a header without newline", "a,b", "b", []Stage{stage(Drop, "", "a")}},
		{"quotes of other columns stay as they are", "a,b,c\n\"x, y\",2,\"say \"\"hi\"\"\"\n", "a,b,c\n\"x, y\",*,\"say \"\"hi\"\"\"\n", []Stage{mask("keep:0,0", "b")}},
		{"a newline inside quotes is not a row", "a,b\n\"1\n2\",3\n", "a,b\n\"1\n2\",*\n", []Stage{mask("keep:0,0", "b")}},
		{"a masked value that needs quotes gets them", "a,b\n\",xx,\",3\n", "a,b\n\",**,\",3\n", []Stage{mask("keep:1,1", "a")}},
		{"a masked quote is doubled", "a\n\"\"\"xx\"\n", "a\n\"\"\"**\"\n", []Stage{mask("keep:1,0", "a")}},
		{"a masked value that needs none loses them", "a,b\n\"abc\",3\n", "a,b\na**,3\n", []Stage{mask("keep:1,0", "a")}},
		{"characters are masked, not bytes", "имя,b\nДинара,3\n", "имя,b\nД****а,3\n", []Stage{mask("keep:1,1", "имя")}},
		{"characters outside the first plane count as one", "a,b\n😀😀😀,3\n", "a,b\n😀**,3\n", []Stage{mask("keep:1,0", "a")}},
		{"a short value is masked whole", "a,b\nxy,3\n", "a,b\n**,3\n", []Stage{mask("", "a")}},
		{"an empty value stays empty", "a,b\n,3\n", "a,b\n,3\n", []Stage{mask("", "a"), stage(Pseudonymise, "", "b")}[:1]},
		{"the default mask keeps two", "a,b\n123456,3\n", "a,b\n****56,3\n", []Stage{mask("", "a")}},
		{"dates in three notations become months", "d,x\n2026-11-24,1\n2026/01/02T10:00:00Z,2\n24.12.2026,3\n,4\n", "d,x\n2026-11,1\n2026-01,2\n2026-12,3\n,4\n", []Stage{stage(Generalise, "month", "d")}},
		{"dates become years", "d,x\n24.12.2026 10:00,3\n", "d,x\n2026,3\n", []Stage{stage(Generalise, "year", "d")}},
		{"numbers become the lower bound of their bucket", "n\n0\n9\n10\n37.5\n-1\n-10\n-10.5\n", "n\n0\n0\n10\n30\n-10\n-10\n-20\n", []Stage{stage(Generalise, "bucket:10", "n")}},
		{"coordinates lose digits", "n\n43.23891\n-76.9\n5\n-0.001\n", "n\n43.23\n-76.9\n5\n0.00\n", []Stage{stage(Generalise, "decimals:2", "n")}},
		{"a postal code becomes its prefix", "n\n050010\n\"05\"\nАЛМ12\n", "n\n050\n05\nАЛМ\n", []Stage{stage(Generalise, "prefix:3", "n")}},
		{"stages of one column run in order", "n,x\n050010,1\n", "n,x\n0*,1\n", []Stage{stage(Generalise, "prefix:2", "n"), mask("keep:1,0", "n")}},
		{"semicolons are found by the header", "a;b,x;c\n1;2,5;3\n", "a;b,x;c\n*;2,5;3\n", []Stage{mask("", "a")}},
		{"tabs too", "a\tb\n1\t2,3\n", "b\n2,3\n", []Stage{stage(Drop, "", "a")}},
		{"empty lines between rows go", "a,b\n\n1,2\n\r\n3,4\n\n", "b\n2\n4\n", []Stage{stage(Drop, "", "a")}},
		{"an only column that is empty stays a row", "a,b\n1,\n", "b\n\"\"\n", []Stage{stage(Drop, "", "a")}},
		{"a quoted header is read without its quotes", "\"a \"\"x\"\"\",b\n1,2\n", "b\n2\n", []Stage{stage(Drop, "", `a "x"`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := transformed(t, csvPlan(c.stages...), c.in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCSVRefusalsNameTheRow(t *testing.T) {
	drop := stage(Drop, "", "a")
	for _, c := range []struct {
		name, in string
		stage    Stage
		says     []string
	}{
		{"a row too short", "a,b\n1,2\n3\n", drop, []string{"row 3", "fewer values"}},
		{"a row too long", "a,b\n1,2,3\n", drop, []string{"row 2", "more values"}},
		{"a quote in the middle", "a,b\n1,x\"y\"\n", drop, []string{"row 2", "middle of a value"}},
		{"text behind a closing quote", "a,b\n1,\"x\"y\n", drop, []string{"row 2", "middle of a value"}},
		{"a quote that stays open", "a,b\n1,\"x\n3,4\n", drop, []string{"row 2", "never closed"}},
		{"a bare carriage return", "a,b\n1,2\r3,4\n", drop, []string{"row 2", "carriage return"}},
		{"a NUL", "a,b\n" + strings.Repeat("1,2\n", 3000) + "1,\x00\n", drop, []string{"row 3002", "not UTF-8"}},
		{"Windows-1251", "a,b\n1,\xc0\xeb\xec\xe0\n", drop, []string{"row 2", "not UTF-8"}},
		{"a header in Windows-1251", "a,\xc0\xeb\n1,2\n", drop, []string{"row 1", "not UTF-8"}},
		{"UTF-16", "\xff\xfea\x00,\x00", drop, []string{"UTF-16"}},
		{"binary", "PK\x03\x04\x00\x00", drop, []string{"binary"}},
		{"an empty file", "", drop, []string{"empty"}},
		{"an unknown column", "iin,b\n1,2\n", stage(Drop, "", "IIN"), []string{`"IIN"`, `did you mean "iin"?`}},
		{"a column that is there twice", "a,a\n1,2\n", drop, []string{"two columns"}},
		{"a date that could be two", "a,b\n02/03/2026,2\n", stage(Generalise, "month", "a"), []string{"row 2", `column "a"`, "not a date"}},
		{"a number with letters", "a,b\n1e5,2\n", stage(Generalise, "bucket:10", "a"), []string{"row 2", `column "a"`, "not a plain number"}},
		{"a number too large", "a,b\n99999999999999999999,2\n", stage(Generalise, "bucket:10", "a"), []string{"row 2", "not a plain number"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := transformed(t, csvPlan(c.stage), c.in)
			wantError(t, err, c.says...)
			if corridor.KindOf(err) != corridor.Invalid {
				t.Errorf("kind %v", corridor.KindOf(err))
			}
		})
	}
}

func TestARowBeyondTheLimitIsRefused(t *testing.T) {
	for _, long := range []string{"1," + strings.Repeat("x", MaxRow), "1,\"" + strings.Repeat("x\n", MaxRow)} {
		_, _, err := transformed(t, csvPlan(stage(Drop, "", "a")), "a,b\n1,2\n"+long)
		wantError(t, err, "row 3")
	}
	_, _, err := transformed(t, csvPlan(stage(Drop, "", "a")), strings.Repeat("x", 2*MaxRow))
	wantError(t, err, "row 1", "longer than")
	out, _, err := transformed(t, csvPlan(stage(Drop, "", "a")), "a,b\n1,"+strings.Repeat("x", MaxRow-100)+"\n3,4\n")
	if err != nil || len(out) != MaxRow-100+len("b\n\n4\n") {
		t.Errorf("a row within the limit: %d bytes, %v", len(out), err)
	}
}

func TestPseudonymsAreStableInsideAnAgreementAndNotBetweenTwo(t *testing.T) {
	run := func(plan Plan, key []byte) [][]string {
		var out bytes.Buffer
		if _, err := Transform(t.Context(), &memory{data: []byte("a,b\nx,x\n\"x\",y\n")}, &out, plan, key); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	one, two := AgreementKey(testKey, "agr-1"), AgreementKey(testKey, "agr-2")
	r := run(csvPlan(stage(Pseudonymise, "", "a", "b")), one)
	if r[1][0] != r[2][0] || len(r[1][0]) != 26 {
		t.Errorf("the same value gives %q and %q", r[1][0], r[2][0])
	}
	if r[1][0] == r[1][1] {
		t.Error("two columns share a name space without being told to")
	}
	if other := run(csvPlan(stage(Pseudonymise, "", "a", "b")), two); other[1][0] == r[1][0] {
		t.Error("two agreements have the same token")
	}
	g := run(csvPlan(stage(Pseudonymise, "group:id", "a", "b")), one)
	if g[1][0] != g[1][1] || g[1][0] == r[1][0] {
		t.Error("a group must share one name space of its own")
	}
}

// rowsOf draws a table and writes it as CSV, quoting at random.
func rowsOf(rt *rapid.T) (header []string, rows [][]string, text string) {
	n := rapid.IntRange(1, 5).Draw(rt, "columns")
	for i := range n {
		header = append(header, string(rune('a'+i)))
	}
	value := rapid.OneOf(rapid.StringMatching(`[a-z0-9Ѐ-ӿ ]{0,12}`), rapid.StringMatching(`[a-z",;\n]{0,6}`), rapid.SampledFrom([]string{"", `"`, "\r\n", ",", "😀"}))
	rows = rapid.SliceOfN(rapid.SliceOfN(value, n, n), 0, 30).Draw(rt, "rows")
	eol := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(rt, "eol")
	var b strings.Builder
	for _, row := range append([][]string{header}, rows...) {
		for i, v := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			if strings.ContainsAny(v, ",\"\r\n;") || n == 1 && v == "" || rapid.Bool().Draw(rt, "quote") {
				v = `"` + strings.ReplaceAll(v, `"`, `""`) + `"`
			}
			b.WriteString(v)
		}
		b.WriteString(eol)
	}
	text = b.String()
	if rapid.Bool().Draw(rt, "open end") {
		text = strings.TrimSuffix(text, eol)
	}
	return header, rows, text
}

func TestCSVAgreesWithTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		header, rows, text := rowsOf(rt)
		op := maskOp{1, 1}
		out, _, err := transformed(t, Plan{Format: FormatCSV, Delimiter: ",", Stages: []Stage{stage(Mask, "keep:1,1", header[0])}}, text)
		if err != nil {
			rt.Fatal(err)
		}
		want := [][]string{header}
		for _, r := range rows {
			masked, _ := op.transform(nil, []byte(r[0]))
			want = append(want, append([]string{string(masked)}, r[1:]...))
		}
		for _, r := range want { // the library reads CRLF in quotes as LF
			for i := range r {
				r[i] = strings.ReplaceAll(r[i], "\r\n", "\n")
			}
		}
		got, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil {
			rt.Fatalf("%v in %q", err, out)
		}
		if d := cmp.Diff(want, got); d != "" {
			rt.Fatalf("%s\n%q became %q", d, text, out)
		}
	})
}

// The transformation of parts, cut between rows, is the transformation of the
// whole: it is what lets several goroutines share a file and a cut stream go on.
func TestPartsTransformLikeTheWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		header, _, text := rowsOf(rt)
		plan := Plan{Format: FormatCSV, Delimiter: ",", Stages: []Stage{stage(Pseudonymise, "", header[0]), stage(Mask, "", header[len(header)-1])}}
		p, err := prepareCSV(t.Context(), &memory{data: []byte(text)}, plan, testKey)
		if err != nil {
			rt.Fatal(err)
		}
		tp := p.(*textProgram)
		whole, _, lines, err := tp.codec.worker().transform(nil, []byte(text)[tp.body:])
		if err != nil {
			rt.Fatal(err)
		}
		w := tp.codec.worker()
		var parts []byte
		var sum int64
		for rest := []byte(text)[tp.body:]; len(rest) > 0; {
			cut := tp.codec.split(rest[:rapid.IntRange(1, len(rest)).Draw(rt, "cut")])
			if cut == 0 {
				cut = len(rest)
			}
			var n int64
			if parts, _, n, err = w.transform(parts, rest[:cut]); err != nil {
				rt.Fatal(err)
			}
			sum += n
			rest = rest[cut:]
		}
		if !bytes.Equal(whole, parts) || sum != lines {
			rt.Fatalf("%q\n%q", whole, parts)
		}
	})
}

func TestAnyMarkGivesTheSameEnd(t *testing.T) {
	src := synthetic(66 << 20)
	var marked []point
	p, err := prepare(t.Context(), src, peoplePlan(), testKey)
	if err != nil {
		t.Fatal(err)
	}
	s := newSink(io.Discard)
	s.mark = func(p point) { marked = append(marked, p) }
	if err := p.run(t.Context(), point{}, s); err != nil {
		t.Fatal(err)
	}
	want := s.result()
	if len(marked) < 3 {
		t.Fatalf("%d marks", len(marked))
	}
	for _, m := range marked {
		s := newSink(io.Discard)
		if err := p.run(t.Context(), m, s); err != nil {
			t.Fatal(err)
		}
		if s.result() != want {
			t.Errorf("from %d: %+v, want %+v", m.output, s.result(), want)
		}
	}
}

// peak is the most heap that was held while f ran, over what was before: what
// is garbage by then depends on how late the collector runs.
func peak(f func(sample func())) uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, m.HeapAlloc
	f(func() {
		runtime.GC()
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	})
	return most - before
}

// sampling calls f for every few writes.
type sampling struct {
	f func()
	n int
}

func (s *sampling) Write(p []byte) (int, error) {
	if s.n++; s.n%32 == 0 {
		s.f()
	}
	return len(p), nil
}

func TestMemoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	if racing.On {
		t.Skip("weighs memory; that nothing races is shown on shorter streams")
	}
	for _, c := range []struct {
		name string
		src  Content
		plan Plan
	}{
		{"csv", synthetic(256 << 20), peoplePlan()},
		{"any bytes", synthetic(256 << 20), Plan{}},
		{"parquet", &memory{data: personsFile(t, 200_000)}, parquetPlan()},
	} {
		t.Run(c.name, func(t *testing.T) {
			used := peak(func(sample func()) {
				if _, err := Transform(t.Context(), c.src, &sampling{f: sample}, c.plan, testKey); err != nil {
					t.Fatal(err)
				}
			})
			t.Logf("%d MiB of input, %.1f MiB of heap", c.src.Size()>>20, float64(used)/(1<<20))
			if used > 64<<20 {
				t.Errorf("%d bytes of heap for %d of input", used, c.src.Size())
			}
		})
	}
}
