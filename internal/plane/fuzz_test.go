package plane

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"
	"unicode/utf8"

	"corridor"
)

// What goes through CSV must be read by another reader as the same rows, one
// by one, with nothing of the dropped column in them.
func FuzzTransformCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a,b\r\n\"1\",\"x\"\"y\"\r\n", "\xef\xbb\xbfa;b\n1;2", "a,b\n\n\"\n\",2\n", "a,b\n1,\"", "b,a\n,\n"} {
		f.Add([]byte(s))
	}
	plan := csvPlan(stage(Drop, "", "a"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		r, err := Transform(t.Context(), &memory{data: in}, &out, plan, testKey)
		if err != nil {
			var c *corridor.Error
			if !errors.As(err, &c) || c.Kind != corridor.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		if !utf8.Valid(out.Bytes()) {
			t.Fatal("the outcome is not UTF-8")
		}
		p, err := prepareCSV(t.Context(), &memory{data: in}, plan, testKey)
		if err != nil {
			t.Fatal(err)
		}
		codec := p.(*textProgram).codec.(*csvCodec)
		read := func(b []byte) [][]string {
			rd := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
			rd.Comma = rune(codec.delim)
			rows, err := rd.ReadAll()
			if err != nil {
				t.Fatalf("%v in %q", err, b)
			}
			return rows
		}
		rows, kept := read(in), read(out.Bytes())
		if len(kept) != len(rows) || int64(len(rows)) != r.Rows+1 {
			t.Fatalf("%d rows became %d, %d were counted: %q, %q", len(rows), len(kept), r.Rows, in, out.Bytes())
		}
		drop := -1
		for i, n := range codec.names {
			if n == "a" {
				drop = i
			}
		}
		for i, row := range rows {
			want := append(append([]string{}, row[:drop]...), row[drop+1:]...)
			for j := range want {
				if want[j] != kept[i][j] {
					t.Fatalf("row %d: %q, want %q", i, kept[i], want)
				}
			}
		}
	})
}

func FuzzTransformJSONL(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":"x"}`, "{\"a\":\"\\ud83d\\ude00\",\"b\":[{}]}\n{\"b\":-1.5e+3}\n", `{"\u0061":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		_, err := Transform(t.Context(), &memory{data: in}, &out, jsonlPlan(stage(Mask, "", "a")), testKey)
		if err != nil {
			if corridor.KindOf(err) != corridor.Invalid {
				t.Fatal(err)
			}
			return
		}
		for _, b := range [][]byte{bytes.TrimPrefix(in, []byte("\xef\xbb\xbf")), out.Bytes()} {
			for _, line := range bytes.Split(b, []byte{'\n'}) {
				if len(trimJSON(line)) > 0 && !json.Valid(line) {
					t.Fatalf("%q is not JSON", line)
				}
			}
		}
	})
}

// The scanner takes exactly the objects that the standard library takes.
func FuzzJSONScan(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{}`, `{"a":[{"b":"\u00e9\n"},-0.1E-2,null,true]}`, `{"a":01}`, `[1]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		object := json.Valid(in) && trimJSON(in)[0] == '{'
		err := eachMember(in, func(m member) error {
			if m.value[0] == '"' {
				_, err := unquoteJSON(nil, m.value)
				if err != nil && !bytes.Contains(m.value, []byte(`\u`)) {
					t.Fatalf("%q: %v", m.value, err)
				}
			}
			return nil
		})
		if (err == nil) != object && bytes.Count(in, []byte{'['})+bytes.Count(in, []byte{'{'}) <= maxNesting {
			t.Fatalf("%q: %v, valid %v", in, err, object)
		}
	})
}

func FuzzToken(f *testing.F) {
	tok, err := NewTokens(testKey)
	if err != nil {
		f.Fatal(err)
	}
	good, err := tok.Mint(Claims{Transfer: "t", Agreement: "a", Audience: "d", Expires: 2_000_000_000, Nonce: "n"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("cdp1..")
	f.Add(good[:len(good)-4] + "\n" + good[len(good)-4:])
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := tok.Check(s, time.Unix(1_900_000_000, 0)); err == nil && s != good {
			t.Fatalf("%q was taken", s)
		}
	})
}

func FuzzPlan(f *testing.F) {
	f.Add([]byte(`{"format":"csv","stages":[{"do":"mask","columns":["a"],"param":"keep:1,2"}]}`))
	f.Add([]byte(`{"format":"parquet","stages":[{"do":"generalise","columns":["a","b"],"param":"bucket:10"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParsePlan(raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := ParsePlan(again)
		if err != nil {
			t.Fatalf("%q: %v", again, err)
		}
		a, _ := p.Digest()
		if b, _ := q.Digest(); a != b {
			t.Fatalf("%q reads back as another plan", raw)
		}
	})
}

func FuzzParquetOpen(f *testing.F) {
	f.Add(personsFile(f, 3))
	f.Add([]byte("PAR1\x00\x00\x00\x00PAR1"))
	f.Fuzz(func(t *testing.T, in []byte) {
		_, err := Transform(t.Context(), &memory{data: in}, io.Discard, Plan{Format: FormatParquet, Stages: []Stage{stage(Mask, "", "zeta")}}, testKey)
		if err != nil && corridor.KindOf(err) != corridor.Invalid {
			t.Fatal(err)
		}
	})
}
