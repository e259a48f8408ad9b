package plane

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"corridor"
)

func jsonlPlan(stages ...Stage) Plan { return Plan{Format: FormatJSONL, Stages: stages} }

func TestJSONLinesBecomeWhatThePlanSays(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		stages         []Stage
	}{
		{"a member dropped", `{"a":1,"b":[1, 2]}` + "\n" + `{ "b" : null , "a" : 2 }` + "\r\n", `{"b":[1, 2]}` + "\n" + `{"b":null}` + "\n", []Stage{stage(Drop, "", "a")}},
		{"strings and numbers masked", `{"a":"+7701","b":900101}` + "\n", `{"a":"+****","b":"****01"}` + "\n", []Stage{stage(Mask, "keep:1,0", "a"), stage(Mask, "", "b")}},
		{"numbers generalised stay numbers", `{"a":37.5,"b":"37.5"}`, `{"a":30,"b":"30"}`, []Stage{stage(Generalise, "bucket:10", "a", "b")}},
		{"null stays null", `{"a":null}` + "\n", `{"a":null}` + "\n", []Stage{stage(Mask, "", "a")}},
		{"booleans are masked as text", `{"a":true,"b":1}` + "\n", `{"a":"**ue","b":1}` + "\n", []Stage{stage(Mask, "", "a")}},
		{"escapes are read before the stage", `{"a":"\u0414\ud83d\ude00\"x"}` + "\n", `{"a":"Д😀**"}` + "\n", []Stage{stage(Mask, "keep:2,0", "a")}},
		{"what needs escapes gets them", `{"a":"\"\\\u0001x"}` + "\n", `{"a":"\"\\\u0001*"}` + "\n", []Stage{stage(Mask, "keep:3,0", "a")}},
		{"an escaped name is the same name", `{"a":1,"b":2}` + "\n" + `{"\u0061":1,"b":2}` + "\n", `{"b":2}` + "\n" + `{"b":2}` + "\n", []Stage{stage(Drop, "", "a")}},
		{"later records may leave members out", `{"a":1,"b":2}` + "\n" + `{"b":3}` + "\n", `{"b":2}` + "\n" + `{"b":3}` + "\n", []Stage{stage(Drop, "", "a")}},
		{"empty lines go", "\n" + `{"a":1,"b":2}` + "\n \n" + `{"b":3}`, `{"b":2}` + "\n" + `{"b":3}`, []Stage{stage(Drop, "", "a")}},
		{"a byte order mark goes", "\xef\xbb\xbf" + `{"a":1,"b":2}`, `{"b":2}`, []Stage{stage(Drop, "", "a")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := transformed(t, jsonlPlan(c.stages...), c.in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestJSONLinesRefusalsNameTheRow(t *testing.T) {
	drop := stage(Drop, "", "a")
	good := `{"a":1,"b":2}` + "\n"
	for _, c := range []struct {
		name, in string
		stage    Stage
		says     []string
	}{
		{"a member nobody looked at", good + `{"a":1,"b":2,"A":3}`, drop, []string{"row 2", `"A"`, "not in the first record"}},
		{"a member twice", good + `{"a":1,"\u0061":2}`, drop, []string{"row 2", `"a"`, "twice"}},
		{"a member twice in the first record", `{"a":1,"a":2}`, drop, []string{"row 1", "twice"}},
		{"an array", good + `[1]`, drop, []string{"row 2", "not a JSON object"}},
		{"a cut record", good + good + `{"a":1,`, drop, []string{"row 3", "not a JSON object"}},
		{"two records on a line", good + `{"a":1}{"b":2}`, drop, []string{"row 2", "more behind its end"}},
		{"an object where text is wanted", good + `{"a":{"x":1}}`, stage(Mask, "", "a"), []string{"row 2", `"a"`, "object or an array"}},
		{"half a surrogate pair", `{"a":"\ud83d"}`, stage(Mask, "", "a"), []string{"row 1", "surrogate"}},
		{"a bad number", good + `{"a":01}`, drop, []string{"row 2", "not a JSON object"}},
		{"bytes that are not UTF-8", good + "{\"a\":\"\xff\"}", drop, []string{"row 2", "not UTF-8"}},
		{"an unknown column", good, stage(Drop, "", "c d e"), []string{`"c d e"`, "known are: a, b"}},
		{"nothing", "\n\n", drop, []string{"no record"}},
		{"a record too long", good + `{"a":"` + strings.Repeat("x", 2*MaxRow) + `"}`, drop, []string{"row 2", "longer than"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := transformed(t, jsonlPlan(c.stage), c.in)
			wantError(t, err, c.says...)
			if corridor.KindOf(err) != corridor.Invalid {
				t.Errorf("kind %v", corridor.KindOf(err))
			}
		})
	}
}

func TestJSONLinesKeepWhatNoStageNames(t *testing.T) {
	value := rapid.OneOf(rapid.Map(rapid.String(), func(s string) any { return s }), rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.SampledFrom([]any{nil, true, []any{1.0, "x", map[string]any{"y": nil}}, map[string]any{"k": []any{}}}))
	rapid.Check(t, func(rt *rapid.T) {
		var in bytes.Buffer
		var want []map[string]any
		for range rapid.IntRange(1, 20).Draw(rt, "rows") {
			m := map[string]any{"id": rapid.String().Draw(rt, "id"), "x": value.Draw(rt, "x"), "y": value.Draw(rt, "y")}
			raw, err := json.Marshal(m)
			if err != nil {
				rt.Fatal(err)
			}
			in.Write(append(raw, '\n'))
			delete(m, "id")
			want = append(want, m)
		}
		out, r, err := transformed(t, jsonlPlan(stage(Drop, "", "id")), in.String())
		if err != nil {
			rt.Fatal(err)
		}
		var got []map[string]any
		for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
			var m map[string]any
			if err := dec.Decode(&m); err != nil {
				rt.Fatal(err)
			}
			got = append(got, m)
		}
		if d := cmp.Diff(want, got); d != "" || int(r.Rows) != len(want) {
			rt.Fatal(d)
		}
	})
}
