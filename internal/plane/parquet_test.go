package plane

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"corridor"
)

type address struct {
	City string `parquet:"city"`
	Zip  string `parquet:"zip"`
}

type person struct {
	Zeta   string    `parquet:"zeta,dict"`
	IIN    int64     `parquet:"iin"`
	Name   *string   `parquet:"name,optional"`
	Born   int32     `parquet:"born,date"`
	Seen   time.Time `parquet:"seen,timestamp(millisecond)"`
	Income float64   `parquet:"income,snappy"`
	Home   address   `parquet:"home"`
	Phones []string  `parquet:"phones,list"`
}

func personAt(i int) person {
	name := fmt.Sprintf("Имя %d", i)
	p := person{Zeta: "z", IIN: int64(i) + 900101300000, Born: int32(i%20000 - 500), Seen: time.UnixMilli(int64(i) * 1000).UTC(),
		Income: float64(i) + 0.75, Home: address{"Almaty", fmt.Sprintf("%06d", i)}, Phones: []string{"+7701", fmt.Sprint(i)}}
	if i%3 > 0 {
		p.Name = &name
	}
	if i%5 == 0 {
		p.Phones = nil
	}
	return p
}

func personsFile(t testing.TB, n int, o ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[person](&b, append(o, parquet.KeyValueMetadata("note", "secret"))...)
	for i := range n {
		if _, err := w.Write([]person{personAt(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// released is what a reader of the outcome below expects.
type released struct {
	Zeta   string   `parquet:"zeta"`
	IIN    string   `parquet:"iin"`
	Name   *string  `parquet:"name,optional"`
	Born   string   `parquet:"born"`
	Income float64  `parquet:"income"`
	Home   home     `parquet:"home"`
	Phones []string `parquet:"phones,list"`
}

type home struct {
	Zip string `parquet:"zip"`
}

func parquetPlan() Plan {
	return Plan{Format: FormatParquet, Stages: []Stage{stage(Pseudonymise, "", "iin"), stage(Mask, "keep:1,0", "name", "phones"),
		stage(Generalise, "month", "born"), stage(Drop, "", "seen", "home.city"), stage(Generalise, "bucket:100", "income"), stage(Generalise, "prefix:3", "home.zip")}}
}

func TestParquetGoesInAndOut(t *testing.T) {
	const n = 3000
	in := personsFile(t, n, parquet.MaxRowsPerRowGroup(700))
	var out bytes.Buffer
	r, err := Transform(t.Context(), &memory{data: in}, &out, parquetPlan(), testKey)
	if err != nil {
		t.Fatal(err)
	}
	if r.Rows != n || r.Bytes != int64(out.Len()) || r.SHA256 != corridor.Digest(out.Bytes()) {
		t.Errorf("result %+v", r)
	}
	f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range f.Root().Columns() {
		names = append(names, c.Name())
	}
	if d := cmp.Diff([]string{"zeta", "iin", "name", "born", "income", "home", "phones"}, names); d != "" {
		t.Errorf("columns: %s", d)
	}
	if _, ok := f.Lookup("note"); ok {
		t.Error("the source's metadata was copied")
	}
	rows, err := parquet.Read[released](bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil || len(rows) != n {
		t.Fatal(len(rows), err)
	}
	op := pseudoOp{}.bind("iin", testKey)
	for i, got := range rows {
		p := personAt(i)
		token, _ := op.transform(nil, fmt.Append(nil, p.IIN))
		want := released{Zeta: "z", IIN: string(token), Born: time.Unix(int64(p.Born)*86400, 0).UTC().Format("2006-01"), Income: float64(i / 100 * 100), Home: home{p.Home.Zip[:3]}}
		if p.Name != nil {
			masked := "И" + string(bytes.Repeat([]byte("*"), len([]rune(*p.Name))-1))
			want.Name = &masked
		}
		for _, ph := range p.Phones {
			m := string(bytes.Repeat([]byte("*"), len(ph)))
			if len(ph) > 1 {
				m = ph[:1] + m[1:]
			}
			want.Phones = append(want.Phones, m)
		}
		if len(got.Phones) == 0 {
			got.Phones = nil
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("row %d: %s", i, d)
		}
	}
}

// A later version of the library or of this package that writes other bytes
// must not be taken for the same outcome: then raise outcomeVersion.
func TestTheOutcomeOfAParquetFileIsAlwaysTheSame(t *testing.T) {
	in := personsFile(t, 2000)
	var sums []string
	for range 3 {
		r, err := Transform(t.Context(), &memory{data: in}, io.Discard, parquetPlan(), testKey)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, r.SHA256)
	}
	if sums[0] != sums[1] || sums[1] != sums[2] {
		t.Fatal("the outcome varies:", sums)
	}
}

func TestParquetRefusals(t *testing.T) {
	in := personsFile(t, 10)
	for _, c := range []struct {
		name  string
		data  []byte
		stage Stage
		says  []string
	}{
		{"a column that is not there", in, stage(Drop, "", "hom.city"), []string{`"hom.city"`, `did you mean "home.city"?`}},
		{"a date of a name", in, stage(Generalise, "year", "zeta"), []string{"row 1", `"zeta"`, "not a date"}},
		{"a bucket of a name", in, stage(Generalise, "bucket:10", "zeta"), []string{"row 1", "not a plain number"}},
		{"all columns gone", in, stage(Drop, "", "zeta", "iin", "name", "born", "seen", "income", "home", "phones"), []string{"drops every column"}},
		{"a cut file", in[:len(in)-5], stage(Drop, "", "iin"), []string{"not readable as Parquet"}},
		{"text", people(100), stage(Drop, "", "iin"), []string{"not readable as Parquet"}},
		{"nothing", nil, stage(Drop, "", "iin"), []string{"not readable as Parquet"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Transform(t.Context(), &memory{data: c.data}, io.Discard, Plan{Format: FormatParquet, Stages: []Stage{c.stage}}, testKey)
			wantError(t, err, c.says...)
			if corridor.KindOf(err) != corridor.Invalid {
				t.Errorf("kind %v", corridor.KindOf(err))
			}
		})
	}
}

func TestADamagedParquetPageIsRefused(t *testing.T) {
	in := personsFile(t, 2000)
	for at := 100; at < len(in)-12; at += 997 {
		bad := bytes.Clone(in)
		bad[at] ^= 0x55
		var out bytes.Buffer
		_, err := Transform(t.Context(), &memory{data: bad}, &out, parquetPlan(), testKey)
		if err != nil && corridor.KindOf(err) != corridor.Invalid {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
}

func TestAParquetStreamIsTakenUp(t *testing.T) {
	src := &memory{data: personsFile(t, 20_000)}
	var want bytes.Buffer
	if _, err := Transform(t.Context(), src, &want, parquetPlan(), testKey); err != nil {
		t.Fatal(err)
	}
	l := newLink(t, src, parquetPlan())
	n := 0
	l.wrap = cutting(func() int64 {
		if n++; n < 3 {
			return int64(n) * int64(want.Len()) / 4
		}
		return -1
	})
	if _, err := l.fetch(t); err != nil {
		t.Fatal(err)
	}
	l.arrived(t, want.String())
}

func TestDecimalsOfParquetAreWrittenAsTheyMean(t *testing.T) {
	for _, c := range []struct {
		v     parquet.Value
		scale int
		want  string
	}{
		{parquet.Int32Value(12345), 2, "123.45"}, {parquet.Int32Value(-5), 2, "-0.05"}, {parquet.Int64Value(7), 0, "7"},
		{parquet.ByteArrayValue([]byte{0xff, 0x85}), 1, "-12.3"}, {parquet.ByteArrayValue(nil), 1, "0.0"},
	} {
		got, err := decimalText(c.scale)(nil, c.v)
		if err != nil || string(got) != c.want {
			t.Errorf("%v scale %d: %s, want %s (%v)", c.v, c.scale, got, c.want, err)
		}
	}
}
