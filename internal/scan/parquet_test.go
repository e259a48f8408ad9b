package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"corridor"
)

type parquetRow struct {
	Name    string    `parquet:"full_name,dict,zstd"`
	IIN     *string   `parquet:"iin,optional,snappy"`
	Born    int32     `parquet:"birth_date,date"`
	Made    time.Time `parquet:"created_at,timestamp(millisecond)"`
	Price   int64     `parquet:"price,decimal(2:18)"`
	Ratio   float64   `parquet:"ratio"`
	Flag    bool      `parquet:"flag"`
	Blob    []byte    `parquet:"blob"`
	Nested  nested    `parquet:"owner"`
	Numbers []int32   `parquet:"numbers,list"`
}

type nested struct {
	Phone string `parquet:"phone"`
}

func parquetFile(t testing.TB, rows int) []byte {
	t.Helper()
	g := newGen(21)
	var buf bytes.Buffer
	w := parquet.NewGenericWriter[parquetRow](&buf, parquet.MaxRowsPerRowGroup(700))
	for i := range rows {
		iin := g.iin()
		r := parquetRow{Name: g.nameRU(), IIN: &iin, Born: int32(i % 15000), Made: time.Unix(1_700_000_000+int64(i), 0), Price: int64(100 + i), Ratio: float64(i) / 7, Flag: i%2 == 0,
			Blob: []byte{0xff, 0xfe, byte(i)}, Nested: nested{g.phoneKZ()}, Numbers: []int32{1, 2, int32(i)}}
		if i%4 == 0 {
			r.IIN = nil
		}
		if _, err := w.Write([]parquetRow{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestParquetIsReadByColumnAndType(t *testing.T) {
	data := parquetFile(t, 2000)
	path := filepath.Join(t.TempDir(), "people.parquet")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	rep, err := File(context.Background(), path, Options{Today: today})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Rows != 2000 || rep.Bytes != int64(len(data)) || rep.Format != "parquet" || len(rep.SHA256) != 64 {
		t.Errorf("%d rows, %d bytes, %s", rep.Rows, rep.Bytes, rep.Format)
	}
	for name, want := range map[string]string{"full_name": "text", "iin": "int", "birth_date": "date", "created_at": "datetime", "price": "decimal", "ratio": "decimal", "flag": "bool", "blob": "binary",
		"owner.phone": "text", "numbers.list.element": "int"} {
		if got := col(t, rep, name).Type; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if c := col(t, rep, "iin"); c.Nulls != 500 {
		t.Errorf("iin: %d nulls, want 500", c.Nulls)
	}
	for name, want := range map[string]string{"full_name": "person_name", "iin": "kz_iin", "birth_date": "birth_date", "owner.phone": "phone"} {
		if got, _ := top(col(t, rep, name)); got != want {
			t.Errorf("%s: %v, want %s", name, col(t, rep, name).Classes, want)
		}
	}
	if s := rep.Subjects; s.Min < 1490 || s.Max > 2000 {
		t.Errorf("%+v", s)
	}
}

func TestDamagedParquetIsRefused(t *testing.T) {
	data := parquetFile(t, 300)
	half := data[:len(data)/2]
	flipped := bytes.Clone(data)
	for i := 40; i < len(flipped)/2; i++ {
		flipped[i] ^= 0x5a
	}
	huge := bytes.Clone(data)
	copy(huge[len(huge)-8:], []byte{0xff, 0xff, 0xff, 0x7f})
	for name, c := range map[string]struct {
		data []byte
		msg  string
	}{
		"cut in half":      {half, "cut short"},
		"only its mark":    {[]byte("PAR1"), "too short"},
		"pages damaged":    {flipped, "cannot be decoded"},
		"a giant index":    {huge, "index larger"},
		"a page of 2 GB":   {claims(data, 0xfe, 0xff, 0xff, 0xff, 0x0f), "claims 2147483647 bytes where"},
		"a page below 0":   {claims(data, 0xff, 0xff, 0xff, 0xff, 0x0f), "claims -2147483648 bytes where"},
		"a page too short": {append(bytes.Clone(data[:8]), data[1000:]...), ""},
	} {
		_, err := Reader(context.Background(), bytes.NewReader(c.data), "parquet", Options{})
		var e *corridor.Error
		if !errors.As(err, &e) || e.Kind != corridor.Invalid || !strings.Contains(err.Error(), c.msg) || !strings.HasPrefix(e.Where, "input") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// claims writes another packed size into the header of the first page, which
// begins with its kind, its size and its packed size.
func claims(data []byte, packed ...byte) []byte {
	number := func(at int) int { // where the number that begins here ends
		for data[at] >= 0x80 {
			at++
		}
		return at + 1
	}
	begin := number(number(4+1)+1) + 1
	return slices.Concat(data[:begin], packed, data[number(begin):])
}

func TestParquetFromAPipeIsRefusedWithAdvice(t *testing.T) {
	_, err := Reader(context.Background(), io.MultiReader(bytes.NewReader(parquetFile(t, 3))), "", Options{})
	var e *corridor.Error
	if !errors.As(err, &e) || e.Kind != corridor.Invalid || !strings.Contains(e.Fix, "save it to a file") {
		t.Errorf("%v", err)
	}
}

func TestParquetDecimalsKeepTheirPoint(t *testing.T) {
	for _, c := range []struct {
		bytes []byte
		scale int
		want  string
	}{{[]byte{0x00, 0x7b}, 2, "1.23"}, {[]byte{0xff, 0x85}, 2, "-1.23"}, {[]byte{5}, 3, "0.005"}, {[]byte{5}, 0, "5"}, {nil, 2, "0.00"}} {
		if got := string(appendDecimal(nil, bigEndian(c.bytes), c.scale)); got != c.want {
			t.Errorf("%x scale %d: %s, want %s", c.bytes, c.scale, got, c.want)
		}
	}
}

// FuzzParquet feeds damaged files: whatever the decoder does with them must
// end as a refusal or a report.
func FuzzParquet(f *testing.F) {
	data := parquetFile(f, 20)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("PAR1\x00\x00\x00\x00PAR1"))
	for _, at := range []int{10, len(data) / 3, len(data) / 2, len(data) - 40, len(data) - 100} {
		bad := bytes.Clone(data)
		bad[at] ^= 0xff
		f.Add(bad)
	}
	words := newTables()
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			t.Skip("large")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		rep, err := Reader(ctx, bytes.NewReader(data), "parquet", Options{Today: today, ExactLimit: 100, tables: words})
		if errors.Is(err, context.DeadlineExceeded) {
			t.Skip(fmt.Sprint("claims more rows than time allows: ", err))
		}
		if len(data) == 0 {
			return
		}
		checkOutcome(t, rep, err, len(data))
	})
}
