package law

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"corridor"
	"corridor/test/racing"
)

// slowly is the answer of the way that batches spare themselves.
func slowly(l *Library, f corridor.Flow) string {
	p, err := l.Prepare(f)
	if err != nil {
		return told(corridor.Verdict{}, err)
	}
	return told(p.Decide(), nil)
}

// apart shows where two texts part.
func apart(got, want string) string {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	from := max(0, at-60)
	return fmt.Sprintf("at byte %d: got\n%s\nwant\n%s", at, got[from:min(len(got), at+60)], want[from:min(len(want), at+60)])
}

// nudged is a flow that often, but not always, is the same to the law.
func nudged(f corridor.Flow, p draws) corridor.Flow {
	f.Facts = f.Facts.Clone()
	for _, name := range keys(f.Facts) {
		if n, ok := f.Facts[name].(int64); ok {
			f.Facts[name] = n + int64(p(3)) - 1
		}
	}
	f.Date += corridor.Date(p(5)) - 2
	return f
}

// knows says whether the answer to what was sketched last is kept.
func (b *Batch[T]) knows() bool {
	_, ok := b.find(b.line.hash())
	return ok
}

// TestABatchTellsManyFlowsApart keeps so many answers that its table grows.
func TestABatchTellsManyFlowsApart(t *testing.T) {
	l := shipped(t)
	made := 0
	b := NewBatch(l, corridor.Flow{}, func(corridor.Verdict, error) int { made++; return made })
	states := slices.DeleteFunc(l.States(), func(s string) bool { return l.Country(s) != nil })
	want := map[string]int{}
	for round := range 2 {
		for _, from := range states {
			for _, to := range states {
				for _, purpose := range l.vocab.byName["purpose"].Values {
					if from == to {
						continue
					}
					name := from + to + purpose
					got := b.Decide(corridor.Flow{Date: 20_500, Origin: from, Destination: to, Facts: corridor.Facts{"purpose": purpose}})
					if round == 0 {
						want[name] = got
					}
					if got != want[name] || made > len(want) {
						t.Fatalf("%s: answer %d, want %d; %d were made", name, got, want[name], made)
					}
				}
			}
		}
	}
	if made < 2000 {
		t.Errorf("%d answers are too few for the table to grow often", made)
	}
}

func TestBatchesAgreeWithOneDecisionAtATime(t *testing.T) {
	l := shipped(t)
	b := NewBatch(l, corridor.Flow{}, told)
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		p := draws(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") })
		f := anyFlow(l, p)
		for range 3 {
			want := slowly(l, f)
			if b.line.flow(&f) && b.knows() {
				hits++
			}
			if got := b.Decide(f); got != want {
				t.Fatalf("%+v\n%s", f, apart(got, want))
			}
			f = nudged(f, p)
		}
	})
	if hits == 0 {
		t.Error("no answer was kept")
	}
}

func TestLinesAgreeWithOneDecisionAtATime(t *testing.T) {
	l := shipped(t)
	usual := corridor.Flow{Date: 739_663, Origin: "CN", Destination: "KZ", Assume: DefaultProfile}
	b := NewBatch(l, usual, told)
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		p := draws(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") })
		f := anyFlow(l, p)
		for range 3 {
			line := lineOf(t, f, p)
			want := lineSlowly(l, line, usual)
			if b.line.line(line, &usual) && b.knows() {
				hits++
			}
			if got := b.Line(line); got != want {
				t.Fatalf("%s\n%s", line, apart(got, want))
			}
			f = nudged(f, p)
		}
	})
	if hits == 0 {
		t.Error("no answer was kept")
	}
}

func lineSlowly(l *Library, line string, usual corridor.Flow) string {
	f, err := ParseFlow([]byte(line), usual)
	if err != nil {
		return told(corridor.Verdict{}, err)
	}
	return slowly(l, f)
}

// lineOf writes a flow as JSON, now and then with a fault.
func lineOf(t *rapid.T, f corridor.Flow, p draws) string {
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	line := string(data)
	switch p(12) {
	case 0:
		return strings.Replace(line, `,"origin"`, `,"origin":"CN","origin"`, 1)
	case 1:
		return strings.Replace(line, `"facts":{`, `"facts":{"purpose":"hr", "purpose": "hr",`, 1)
	case 2:
		at := p(len(line))
		return line[:at] + line[at+1:]
	case 3:
		at := p(len(line))
		return line[:at] + string("{}[]:,\"x0 \\"[p(11)]) + line[at:]
	case 4:
		return strings.Replace(line, `,"assume"`, `,"asume"`, 1)
	case 5:
		return strings.NewReplacer(":", " : ", ",", " ,\t").Replace(line)
	}
	return line
}

func FuzzBatchLine(f *testing.F) {
	l := shipped(f)
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		data, err := json.Marshal(anyFlow(l, r.IntN))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add(`{"facts":{"vehicles":{"cn.standard_contract":{"state":{"one_of":["signed","filed"]}}}}}`)
	f.Add(`{"facts":{"filing":{"kind":"none","state":"none","filed_on":null},"subjects_ytd":{"min":1,"max":-0}}}`)
	usual := corridor.Flow{Date: 739_663, Origin: "CN", Destination: "KZ", Assume: DefaultProfile}
	b := NewBatch(l, usual, told)
	f.Fuzz(func(t *testing.T, line string) {
		want := lineSlowly(l, line, usual)
		for range 2 { // worked out, and kept
			if got := b.Line(line); got != want {
				t.Fatal(apart(got, want))
			}
		}
	})
}

// Numbers that are part of each other are compared as they are, so that the
// cells between the lines of the law do not tell everything about them.
func TestABatchComparesCountsAsOneDecisionDoes(t *testing.T) {
	if racing.On {
		t.Skip("starts no goroutine: nothing for the race detector")
	}
	l := shipped(t)
	b := NewBatch(l, corridor.Flow{}, told)
	values := []any{nil, 0, 5, 6, 99_999, 120_000, 120_001, 2_000_000, map[string]any{"min": 5}, map[string]any{"max": 120_000}, map[string]any{"min": 6, "max": 120_001}}
	names := []string{"subjects_ytd", "sensitive_subjects_ytd", "subjects_in_file", "sensitive_subjects_in_file"}
	alike := 0
	for _, profile := range []string{"", DefaultProfile} {
		for n := range len(values) * len(values) * len(values) * 3 {
			f := corridor.Flow{Date: 739_663, Origin: "CN", Destination: "KZ", Assume: profile, Facts: corridor.Facts{"data_classes": []any{"personal"}, "purpose": "hr"}}
			for i, left := 0, n; i < len(names); i, left = i+1, left/len(values) {
				if v := values[left%len(values)]; v != nil {
					f.Facts[names[i]] = v
				}
			}
			if b.line.flow(&f) && b.knows() {
				alike++
			}
			if got, want := b.Decide(f), slowly(l, f); got != want {
				t.Fatalf("%v: %s", f.Facts, apart(got, want))
			}
		}
	}
	if alike == 0 {
		t.Error("no two flows are alike")
	}
}

func TestDaysAreReadAsDatesAre(t *testing.T) {
	for _, w := range []string{"1970-01-01", "2000-02-29", "1900-02-29", "2026-02-30", "2026-13-01", "2026-00-10", "0000-01-01", "9999-12-31", "2026-1-01", "2026-11-24 ", "202a-11-24"} {
		want, err := corridor.ParseDate(w)
		if got, ok := day(w); ok != (err == nil) || ok && got != want {
			t.Errorf("%s: %v %v, want %v %v", w, got, ok, want, err)
		}
	}
	for d := corridor.Date(1); d < 1_000_000; d++ {
		if got, ok := day(d.Time().Format("2006-01-02")); !ok || got != d {
			t.Fatalf("%s: %v %v", d.Time(), got, ok)
		}
	}
}

func TestAFullBatchForgetsAndGoesOn(t *testing.T) {
	l := shipped(t)
	made := 0
	b := NewBatch(l, corridor.Flow{}, func(corridor.Verdict, error) int { made++; return made })
	f := corridor.Flow{Date: 739_663, Origin: "CN", Destination: "KZ", Facts: corridor.Facts{"purpose": "research"}}
	first := b.Decide(f)
	if again := b.Decide(f); again != first || made != 1 {
		t.Errorf("the answer was made %d times", made)
	}
	b.kept = append(b.kept, make([]int, MaxBatchAnswers-1)...)
	f.Facts["purpose"] = "hr"
	if b.Decide(f); len(b.kept) != 1 {
		t.Errorf("%d answers are kept", len(b.kept))
	}
	f.Facts["purpose"] = "research"
	if b.Decide(f) == first {
		t.Error("it was not forgotten")
	}
}
