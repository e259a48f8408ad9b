package scan

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// flatten is the slow reading of one object: path and value of every leaf.
func flatten(path string, v any, out *[]string) {
	switch x := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			p := path + "." + k
			if path == "" {
				p = k
			}
			flatten(p, x[k], out)
		}
	case []any:
		for _, e := range x {
			flatten(path+"[]", e, out)
		}
	case nil:
		*out = append(*out, path+"=")
	default:
		*out = append(*out, fmt.Sprintf("%s=%v", path, x))
	}
}

// TestJSONAgreesWithTheStandardLibrary compares leaves on generated objects.
func TestJSONAgreesWithTheStandardLibrary(t *testing.T) {
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaves := []*rapid.Generator[any]{
			rapid.StringMatching(`[a-z"\\/\n\t\x{1}яЖ王😀 ]{0,8}`).AsAny(), rapid.IntRange(-1000, 1000).AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil),
		}
		if depth > 0 {
			leaves = append(leaves, rapid.SliceOfN(value(depth-1), 0, 3).AsAny(), rapid.MapOfN(rapid.StringMatching(`[a-e"\\Ж]{1,3}`), value(depth-1), 0, 3).AsAny())
		}
		return rapid.OneOf(leaves...)
	}
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOfN(rapid.StringMatching(`[a-e"\\Ж]{1,3}`), value(3), 0, 5).Draw(t, "object")
		line, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		flatten("", object, &want)
		s := newJSONL(strings.NewReader(string(line)), "t", Options{blockSize: rapid.IntRange(1, 50).Draw(t, "block")}.withDefaults())
		b := new(batch)
		if err := s.next(b); err != nil && err != io.EOF {
			t.Fatalf("%s: %v", line, err)
		}
		paths := make([]string, len(s.cols))
		for p, i := range s.cols {
			paths[i] = p
		}
		var got []string
		for i := range b.cells {
			got = append(got, paths[b.cells[i].col]+"="+string(b.value(&b.cells[i])))
		}
		sort.Strings(got)
		sort.Strings(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%s\ngot  %q\nwant %q", line, got, want)
		}
	})
}

func TestJSONColumnsThatAppearLate(t *testing.T) {
	rep := scanText(t, `{"a":1}`+"\n"+`{"a":2,"b":"x"}`+"\n"+`{"b":null,"c":[]}`+"\n", Options{})
	if a, b := col(t, rep, "a"), col(t, rep, "b"); a.Nulls != 1 || b.Nulls != 2 || b.Values != 1 {
		t.Errorf("a %+v, b %+v", a, b)
	}
}

// FuzzJSONL feeds arbitrary bytes as JSON Lines, with small limits.
func FuzzJSONL(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":{"b":[1,"x",null,true]}}` + "\n" + `{}`, `{"a":"\ud83d\ude00\u0041\n"}`, `{"a":"\ud83d"}`, `{"a":-1.5e7}`, "{\"a\":\"\xff\"}", `{"a":1,}`, `{"":""}`} {
		f.Add([]byte(s), uint8(3))
	}
	words := newTables()
	f.Fuzz(func(t *testing.T, data []byte, block uint8) {
		o := Options{Format: "jsonl", Encoding: "utf-8", MaxField: 1 << 10, MaxRecord: 4 << 10, MaxColumns: 64, ExactLimit: 50, blockSize: 1 + int(block), Today: today, tables: words}
		rep, err := Reader(context.Background(), strings.NewReader(string(data)), "", o)
		checkOutcome(t, rep, err, len(data))
	})
}
