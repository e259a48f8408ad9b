package plane

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"corridor"
)

// joined is a RowFunc that writes the values of a row on a line.
func joined() RowFunc {
	return func(dst []byte, values [][]byte) []byte {
		for i, v := range values {
			if i > 0 {
				dst = append(dst, '|')
			}
			if v == nil {
				dst = append(dst, '-')
			}
			dst = append(dst, v...)
		}
		return append(dst, '\n')
	}
}

func TestColumnsAreReadFromEveryRowAsTheyAre(t *testing.T) {
	parquetRows := "900101300000|-|Almaty\n900101300001|Имя 1|Almaty\n"
	for name, c := range map[string]struct {
		format, in string
		columns    []string
		want       string
		rows       int64
	}{
		"csv":                {FormatCSV, "a,b,c\n1,2,3\r\n\n\"x \"\"q\"\"\",,\"1,2\"\n", []string{"c", "a"}, "3|1\n1,2|x \"q\"\n", 2},
		"two quoted values":  {FormatCSV, "a,b\n\"p\"\"\",\"q\"\"\"\n", []string{"a", "b"}, "p\"|q\"\n", 1},
		"another delimiter":  {FormatCSV, "a;b\n1;2,5\n", []string{"b"}, "2,5\n", 1},
		"one column":         {FormatCSV, "a\n1\n\n2\n", []string{"a"}, "1\n\n2\n", 3},
		"a byte order mark":  {FormatCSV, "\ufeffa,b\n1,2\n", []string{"a"}, "1\n", 1},
		"no end of line":     {FormatCSV, "a,b\n1,2", []string{"a"}, "1\n", 1},
		"only a header":      {FormatCSV, "a,b\n", []string{"a"}, "", 0},
		"json lines":         {FormatJSONL, "{\"a\":1,\"b\":\"x\\u0041\",\"c\":null}\n\n{\"b\":\"\",\"a\":null}\n{\"a\":[1],\"other\":{}}\n", []string{"b", "a"}, "xA|1\n|-\n-|[1]\n", 3},
		"parquet, no name":   {FormatParquet, string(personsFile(t, 2)), []string{"iin", "name", "home.city"}, parquetRows, 2},
		"parquet, one group": {FormatParquet, string(personsFile(t, 300)), []string{"zeta"}, strings.Repeat("z\n", 300), 300},
	} {
		var out bytes.Buffer
		rows, err := EachRow(t.Context(), &memory{data: []byte(c.in)}, Plan{Format: c.format}, c.columns, joined, &out)
		if err != nil || rows != c.rows || out.String() != c.want {
			t.Errorf("%s: %v, %d rows:\n%q, want\n%q", name, err, rows, out.String(), c.want)
		}
	}
}

func TestRowsThatCannotBeReadSayWhere(t *testing.T) {
	for name, c := range map[string]struct {
		format, in, column, says string
	}{
		"no such column":   {FormatCSV, "a,b\n1,2\n", "c", "no such column"},
		"two of the name":  {FormatCSV, "a,a\n1,2\n", "a", "two columns"},
		"a ragged row":     {FormatCSV, "a,b\n1,2\n1\n", "a", "row 3"},
		"too wide a row":   {FormatCSV, "a,b\n1,2,3\n", "a", "row 2"},
		"not text":         {FormatCSV, "a,b\n1,2\n\xff,2\n", "a", "row 3"},
		"an open quote":    {FormatCSV, "a,b\n\"1,2\n", "a", "row 2"},
		"a member twice":   {FormatJSONL, "{\"a\":1}\n{\"a\":1,\"a\":2}\n", "a", "row 2"},
		"not json":         {FormatJSONL, "{\"a\":1}\n{\"a\":\n", "a", "row 2"},
		"not in the first": {FormatJSONL, "{\"b\":1}\n{\"a\":1}\n", "a", "no such column"},
		"a list":           {FormatParquet, string(personsFile(t, 2)), "phones.list.element", "several values"},
		"a group":          {FormatParquet, string(personsFile(t, 2)), "home", "group of columns"},
		"another format":   {"xlsx", "PK", "a", "format"},
	} {
		_, err := EachRow(t.Context(), &memory{data: []byte(c.in)}, Plan{Format: c.format}, []string{c.column}, joined, &bytes.Buffer{})
		if corridor.KindOf(err) != corridor.Invalid || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLargeFilesAreReadInOrder(t *testing.T) {
	var in, want bytes.Buffer
	in.WriteString("no,text\n")
	for i := range 60_000 {
		fmt.Fprintf(&in, "%d,\"line\nbreak %d\"\n", i, i)
		fmt.Fprintf(&want, "%d\n", i)
	}
	var out bytes.Buffer
	rows, err := EachRow(t.Context(), &memory{data: in.Bytes()}, Plan{Format: FormatCSV}, []string{"no"}, joined, &out)
	if err != nil || rows != 60_000 || !bytes.Equal(out.Bytes(), want.Bytes()) {
		t.Errorf("%v, %d rows, equal %v", err, rows, bytes.Equal(out.Bytes(), want.Bytes()))
	}
}

func FuzzEachRow(f *testing.F) {
	f.Add(FormatCSV, []byte("a,b\n1,\"2\"\"\"\n"))
	f.Add(FormatJSONL, []byte("{\"a\":\"\\u0041\"}\n{\"a\":null}\n"))
	f.Add(FormatParquet, personsFile(f, 2))
	f.Fuzz(func(t *testing.T, format string, in []byte) {
		var out bytes.Buffer
		rows, err := EachRow(t.Context(), &memory{data: in}, Plan{Format: format}, []string{"a"}, func() RowFunc {
			return func(dst []byte, values [][]byte) []byte { return append(dst, byte(len(values))) }
		}, &out)
		if err == nil && int64(out.Len()) != rows {
			t.Fatalf("%d rows, %d calls", rows, out.Len())
		}
	})
}
