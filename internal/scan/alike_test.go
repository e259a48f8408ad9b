package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The short ways through a scan must tell what the long ways tell.

// bothWays scans a table column by column and row by row.
func bothWays(t tester, name, table string, o Options) {
	t.Helper()
	var told [2]string
	for i, byRow := range []bool{false, true} {
		o.byRow = byRow
		rep, err := Reader(context.Background(), strings.NewReader(table), "csv", o)
		if err != nil {
			told[i] = err.Error()
			continue
		}
		text, err := json.Marshal(rep)
		if err != nil {
			t.Fatal(err)
		}
		told[i] = string(text)
	}
	if told[0] != told[1] {
		t.Fatal(fmt.Sprintf("%s: column by column\n%s\nrow by row\n%s", name, told[0], told[1]))
	}
}

func TestColumnByColumnTellsWhatRowByRowTells(t *testing.T) {
	kinds := slices.Concat(checkedNumbers(), structured(), innocent(), freshPart())
	o := Options{Today: today, Header: "yes", blockSize: 8 << 10}.withDefaults()
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(corpusParts()).Draw(t, "part")
		g := newGen(rapid.Uint64().Draw(t, "seed"))
		rows := rapid.SampledFrom([]int{1, 40, 400, 3000}).Draw(t, "rows")
		some := rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 9).Draw(t, "columns")
		var b strings.Builder
		for i, s := range some {
			header := g.pick(strings.Join(strings.Fields(strings.Join(append(s.headers, s.held...), " ")), " "))
			fmt.Fprintf(&b, `%s"%s"`, comma(i), strings.ReplaceAll(header, `"`, ""))
		}
		for i := range rows {
			b.WriteByte('\n')
			for k, s := range some {
				fmt.Fprintf(&b, `%s"%s"`, comma(k), strings.ReplaceAll(p.dirty(g, s.make(g, i)), `"`, `""`))
			}
		}
		bothWays(t, p.name, b.String(), o)
	})
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func TestByHandBothWaysTellTheSame(t *testing.T) {
	headers, _, values := awkward(t)
	o := Options{Today: today, Header: "yes", blockSize: 16 << 10}.withDefaults()
	for i, header := range headers {
		table := fmt.Sprintf("n,%q", header)
		for n, v := range values[i] {
			table += fmt.Sprintf("\n%d,\"%s\"", n, strings.ReplaceAll(v, `"`, `""`))
		}
		bothWays(t, header, table, o)
	}
}

func TestOfSeveralValuesThatAreNotUTF8TheFirstIsTold(t *testing.T) {
	o := Options{Today: today, Header: "yes", Encoding: "utf-8"}.withDefaults()
	table := "a,b\nx,y\nx,\xff\n\xfe,y\n"
	bothWays(t, "two bad values", table, o)
	_, err := Reader(context.Background(), strings.NewReader(table), "csv", o)
	if err == nil || !strings.Contains(err.Error(), "column 2 (b)") {
		t.Errorf("%v", err)
	}
}

// pieces are what the values of the tests below are made of.
var pieces = []string{"", " ", "\t", "\u00a0", "\u0085", "\u1680", "\u2003", "\u2028", "\u3000", "a", "E", "e", "7", "12", "2024", "-", "/", ".", "+", ":", "T",
	"я", "Я", "ж", "ё", "Ё", "ў", "é", "ß", "ı", "李", "市", "区", "路", "号", "年", "月", "日", "ов", "ович", "ова", "kyzy", "улы", "\u0301", "ə", "أ", ","}

func drawValue(t *rapid.T) []byte {
	return []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "value"), ""))
}

// TestShortWaysThroughAValue compares each short way with the plain one.
func TestShortWaysThroughAValue(t *testing.T) {
	tb := newTables()
	e := newEnvOf(tb, today, 100)
	g := newGroup("", e)
	rapid.Check(t, func(t *rapid.T) {
		v := drawValue(t)
		mask := e.mask(v)
		if len(v) > 0 && !edged(v, mask) && len(bytes.TrimSpace(v)) != len(v) {
			t.Fatalf("%q has blanks at its edge", v)
		}
		if a, b := g.fold(v), g.fold(bytes.Map(lowerRune, v)); a != b {
			t.Fatalf("%q is another name in small letters", v)
		}
		x, ok := exponent(v)
		y, err := strconv.ParseFloat(string(v), 64)
		want := len(v) <= 32 && err == nil && bytes.IndexAny(v, "eE") > 0 && len(bytes.Trim(v, "0123456789.+-eE")) == 0
		if ok != want || ok && x != y {
			t.Fatalf("exponent of %q: %v %v, not %v %v", v, x, ok, y, want)
		}
		if mask == isDigit && len(v) <= 18 && longNumber(v) != number(v) {
			t.Fatalf("%s is not %d", v, longNumber(v))
		}
		found := 0
		for _, w := range tb.letters.hanPlace {
			if bytes.Contains(v, []byte(w)) {
				found++
			}
		}
		if tb.letters.hanAddress(v, mask) != (found >= 3 || found == 2 && mask&isDigit != 0) {
			t.Fatalf("%q: %d words of addresses", v, found)
		}
		for _, list := range []*endings{&tb.letters.fathers, &tb.letters.families} {
			if ends := slices.ContainsFunc(slices.Concat(list[:]...), func(w string) bool {
				k := len(v) - len(w)
				return bytes.HasSuffix(v, []byte(w)) && (k > 3 || k == 0 && len(w) > 4)
			}); endsIn(v, list) != ends {
				t.Fatalf("%q ends in one of the list: %v", v, ends)
			}
		}
	})
}
