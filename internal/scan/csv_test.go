package scan

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"corridor"
)

// readAll gives the rows that the fast reader sees, through small blocks.
func readAll(r io.Reader, l csvLayout, block int) (rows [][]string, err error) {
	o := Options{blockSize: block}.withDefaults()
	s := newCSV(r, "t.csv", l, o)
	for b := new(batch); ; {
		b.reset()
		if err := s.next(b); err == io.EOF {
			return rows, nil
		} else if err != nil {
			return rows, err
		}
		i := uint32(0)
		for _, row := range b.rows {
			var out []string
			for ; i < row.end; i++ {
				out = append(out, string(b.value(&b.cells[i])))
			}
			rows = append(rows, out)
		}
	}
}

// TestReaderAgreesWithTheStandardLibrary compares with encoding/csv on
// generated tables, quoted at random, cut into blocks of any size.
func TestReaderAgreesWithTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		delim := rapid.SampledFrom([]byte(",;\t|")).Draw(t, "delim")
		width := rapid.IntRange(1, 5).Draw(t, "width")
		value := rapid.StringMatching(`[a-z0-9 ,;|"\n\tяЖ王.-]{0,12}`)
		var text strings.Builder
		w := csv.NewWriter(&text)
		w.Comma = rune(delim)
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		for range rapid.IntRange(1, 20).Draw(t, "rows") {
			row := rapid.SliceOfN(value, width, width).Draw(t, "row")
			if width == 1 && row[0] == "" {
				row[0] = "x" // one empty value is an empty line, which is skipped
			}
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		std := csv.NewReader(strings.NewReader(text.String()))
		std.Comma = rune(delim)
		want, err := std.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var in io.Reader = strings.NewReader(text.String())
		if rapid.Bool().Draw(t, "one byte at a time") {
			in = iotest.OneByteReader(in)
		}
		got, err := readAll(in, csvLayout{delim: delim, eol: '\n'}, rapid.IntRange(1, 64).Draw(t, "block"))
		if err != nil {
			t.Fatalf("%q: %v", text.String(), err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d rows, want %d of %q", len(got), len(want), text.String())
		}
		for i := range want {
			for k := range want[i] {
				// encoding/csv turns CRLF inside quotes into LF; bytes are kept here.
				if strings.ReplaceAll(got[i][k], "\r\n", "\n") != want[i][k] {
					t.Fatalf("row %d value %d: %q, want %q", i, k, got[i][k], want[i][k])
				}
			}
		}
	})
}

// TestBadInputIsRefusedWithItsPlace feeds what people really feed.
func TestBadInputIsRefusedWithItsPlace(t *testing.T) {
	long := strings.Repeat("x", 300)
	small := Options{MaxField: 200, MaxRecord: 600, MaxColumns: 50, blockSize: 64}
	for _, c := range []struct {
		name, text string
		o          Options
		where, msg string
	}{
		{"a short row", "a,b,c\n1,2,3\n1,2\n", Options{}, "input:row 3", "2 values where the first row has 3"},
		{"a long row", "a,b\n1,2\n1,2,3\n", Options{}, "input:row 3", "3 values where the first row has 2"},
		{"a short row after a blank line", "a,b,c\n\n1,2\n", Options{}, "input:row 3", "2 values"},
		{"an unclosed quote", "a,b\n1,\"2\n3,4\n", Options{}, "input:row 2", "never closed"},
		{"an unclosed quote in a large file", "a,b\n1,\"2\n" + strings.Repeat("3,4\n", 200), small, "input:row 2", "not closed within 200 bytes"},
		{"text after a quote", "a,b\n\"1\"x,2\n", Options{}, "input:row 2", "text follows a closing quote"},
		{"a long value", "a,b\n1," + long + "\n", small, "input:row 2", "longer than 200 bytes"},
		{"one endless line", "a,b\n" + strings.Repeat("x ,", 100000), small, "input:row 2", "more than 50 columns"},
		{"one endless value", strings.Repeat("x", 1<<20), small, "input:row 1", "longer than"},
		{"nothing", "", Options{}, "input", "the file is empty"},
		{"blank lines", "\n\n  \n", Options{}, "input", "no rows"},
		{"a NUL byte", "a,b\n1,2\n3,\x004\n" + strings.Repeat("5,6\n", 100), Options{}, "input:row 3", "NUL byte"},
		{"a NUL byte in quotes", "a,b\n1,2\n3,\"\x004\"\n" + strings.Repeat("5,6\n", 100), Options{}, "input:row 3", "NUL byte"},
		{"broken UTF-8 far below", "a,b\n" + strings.Repeat("1,2\n", 100000) + "3,\xff\n", Options{}, "input:row 100002", "not UTF-8"},
		{"noise", strings.Repeat("\x00\x01\x02\x07\xfe", 200), Options{}, "input", "binary"},
		{"an Excel workbook", "PK\x03\x04rest", Options{}, "input", "Excel"},
		{"gzip", "\x1f\x8b\x08rest", Options{}, "input", "gzip"},
		{"a JSON array", " [ {\"a\":1} ]", Options{}, "input", "one JSON array"},
		{"an unknown format", "a,b\n", Options{Format: "xml"}, "input", "not known"},
		{"an unknown encoding", "a,b\n", Options{Encoding: "koi7"}, "input", "not known"},
		{"Parquet from text", "a,b\n1,2,3,4\n", Options{Format: "parquet"}, "input", "cut short"},
		{"a JSON line that is a list", "{\"a\":1}\n[1]\n", Options{Format: "jsonl"}, "input:row 2", "not a JSON object"},
		{"a JSON line that is a number", "{\"a\":1}\n\n5\n", Options{Format: "jsonl"}, "input:row 3", "not a JSON object"},
		{"a JSON object over two lines", "{\"a\":\n1}\n", Options{Format: "jsonl"}, "input:row 1", "missing"},
		{"two JSON objects on a line", "{\"a\":1}{\"a\":2}\n", Options{Format: "jsonl"}, "input:row 1", "text follows"},
		{"an open JSON string", "{\"a\":\"x\n", Options{Format: "jsonl"}, "input:row 1", "not closed"},
		{"a bad escape", "{\"a\":\"\\q\"}\n", Options{Format: "jsonl"}, "input:row 1", "escape"},
		{"a bad unicode escape", "{\"a\":\"\\u12\"}\n", Options{Format: "jsonl"}, "input:row 1", "hexadecimal"},
		{"a tab in a JSON string", "{\"a\":\"\t\"}\n", Options{Format: "jsonl"}, "input:row 1", "control character"},
		{"JSON nested without end", strings.Repeat("{\"a\":", 5000), Options{Format: "jsonl"}, "input:row 1", "nested deeper"},
		{"JSON lists nested without end", "{\"a\":" + strings.Repeat("[", 5000), Options{Format: "jsonl"}, "input:row 1", "nested deeper"},
		{"a long JSON line", "{\"a\":\"" + strings.Repeat("x", 5000), Options{Format: "jsonl", MaxRecord: 600, blockSize: 64}, "input:row 1", "longer than 600"},
		{"JSON keys without end", "{\"a\":1," + "\"b\":2,\"c\":3,\"d\":4}\n", Options{Format: "jsonl", MaxColumns: 3}, "input:row 1", "member paths"},
		{"JSON that is broken", "{\"a\":1 \"b\":2}\n", Options{Format: "jsonl"}, "input:row 1", "comma is missing"},
		{"JSON with a word", "{\"a\":nope}\n", Options{Format: "jsonl"}, "input:row 1", "not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Reader(context.Background(), strings.NewReader(c.text), "", c.o)
			var e *corridor.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v is not a corridor.Error", err)
			}
			if e.Kind != corridor.Invalid || e.Where != c.where || !strings.Contains(e.Msg, c.msg) || e.Fix == "" {
				t.Errorf("kind %v, where %q, fix %q: %v\nwant %q at %q", e.Kind, e.Where, e.Fix, e, c.msg, c.where)
			}
		})
	}
}

// TestUnusualFilesAreReadAsMeant covers what is unusual and right.
func TestUnusualFilesAreReadAsMeant(t *testing.T) {
	for _, c := range []struct {
		name, text    string
		rows          int64
		cols, warning string
	}{
		{"a byte order mark", "\xef\xbb\xbfname,age\nx,1\n", 1, "name age", ""},
		{"semicolons and decimal commas", "a;b\n1,5;2\n2,5;3\n", 2, "a b", ""},
		{"tabs", "a\tb\n1\t2\n", 1, "a b", ""},
		{"bars", "a|b\n1|2\n", 1, "a b", ""},
		{"Excel's own line", "sep=;\r\na;b\r\n1;2\r\n", 1, "a b", ""},
		{"lines that end in CR", "a,b\r1,2\r3,4\r", 2, "a b", ""},
		{"no line end at the end", "a,b\n1,2", 1, "a b", ""},
		{"a comma at the end", "a,b\n1,", 1, "a b", ""},
		{"line breaks in quotes", "a,b\n\"x\r\ny\",2\n", 1, "a b", ""},
		{"a quote in the middle", "a,b\nthe 5\" pipe,2\n", 1, "a b", "quote in the middle"},
		{"a header alone", "name,phone\n", 0, "name phone", "no rows"},
		{"no header", "1,2\n3,4\n", 2, "column 1|column 2", ""},
		{"no header, ids", "11010519491231002X,a\n11010519491231002X,b\n", 2, "column 1|column 2", ""},
		{"a header that must be guessed", "x\ny\n", 1, "x", "guess"},
		{"blank lines between", "a,b\n\n1,2\n\r\n3,4\n\n", 2, "a b", ""},
		{"names without their own names", "name,\nx,1\n", 1, "name|column 2", ""},
		{"JSON lines without an extension", "{\"a\":1,\"b\":{\"c\":[1,2]}}\n{\"a\":null}\n", 2, "a b.c[]", ""},
		{"JSON lines, CRLF, blank lines", "{\"a\":1}\r\n\r\n{\"a\":2}", 2, "a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			rep := scanText(t, c.text, Options{})
			var names []string
			for _, col := range rep.Columns {
				names = append(names, col.Name)
			}
			sep := " "
			if strings.Contains(c.cols, "|") {
				sep = "|"
			}
			if rep.Rows != c.rows || strings.Join(names, sep) != c.cols {
				t.Errorf("%d rows, columns %q", rep.Rows, names)
			}
			if got := strings.Join(rep.Warnings, "\n"); !strings.Contains(got, c.warning) || c.warning == "" && got != "" {
				t.Errorf("warnings %q", got)
			}
			if rep.Bytes != int64(len(c.text)) {
				t.Errorf("%d bytes, want %d", rep.Bytes, len(c.text))
			}
		})
	}
}

// FuzzCSV feeds arbitrary bytes as CSV, with small limits.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\"a\"\"b\",c\r\n1,\"x\ny\"\r\n", "sep=;\na;b\n", "姓名,手机\n王伟,13812345678\n", "\xff\xfea\x00,\x00b\x00", "a\rb\r", "\xef\xbb\xbfa\n\"", "a,b\n\"\r", "\"\"\"\n"} {
		f.Add([]byte(s), uint8(3))
	}
	words := newTables()
	f.Fuzz(func(t *testing.T, data []byte, block uint8) {
		o := Options{Format: "csv", MaxField: 1 << 10, MaxRecord: 4 << 10, MaxColumns: 64, ExactLimit: 50, blockSize: 1 + int(block), Today: today, tables: words}
		rep, err := Reader(context.Background(), strings.NewReader(string(data)), "", o)
		checkOutcome(t, rep, err, len(data))
	})
}

// checkOutcome holds for every input: a clear refusal or a consistent report.
func checkOutcome(t *testing.T, rep *Report, err error, size int) {
	t.Helper()
	if err != nil {
		var e *corridor.Error
		if !errors.As(err, &e) || e.Kind != corridor.Invalid || e.Where == "" || e.Msg == "" {
			t.Fatalf("not a clear refusal: %v", err)
		}
		return
	}
	if rep.Bytes != int64(size) || rep.Subjects.Min > rep.Subjects.Max || rep.Sensitive.Min > rep.Sensitive.Max {
		t.Fatalf("%d bytes of %d, people %+v, sensitive %+v", rep.Bytes, size, rep.Subjects, rep.Sensitive)
	}
	for _, c := range rep.Columns {
		if c.Nulls < 0 || c.Distinct > c.Values || c.MinLength > c.MaxLength {
			t.Fatalf("column does not add up: %+v", c)
		}
	}
}
