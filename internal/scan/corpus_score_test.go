package scan

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// part is one half of the corpus: which headers, which seed, and how dirty.
type corpusPart struct {
	name   string
	seed   uint64
	rows   []int
	typos  float64 // of values with one wrong character
	junk   float64 // of values that are something else
	blanks float64
	held   bool
}

func corpusParts() []corpusPart {
	return []corpusPart{
		{"tuned", 1, []int{60, 300}, 0.05, 0.03, 0.2, false},
		{"held out", 20_261_126, []int{80, 250}, 0.07, 0.04, 0.3, true},
		{"fresh", 777_013, []int{50, 400}, 0.09, 0.06, 0.35, true},
	}
}

// score counts one identifier.
type score struct{ found, falsely, missed int }

func (s score) f1() float64 {
	if s.found == 0 {
		return 0
	}
	return 2 * float64(s.found) / float64(2*s.found+s.falsely+s.missed)
}

func ratio(a, b int) float64 {
	if a+b == 0 {
		return 1
	}
	return float64(a) / float64(a+b)
}

func (s score) String() string {
	return fmt.Sprintf("precision %.3f  recall %.3f  F1 %.3f  (%d found, %d false, %d missed)", ratio(s.found, s.falsely), ratio(s.found, s.missed), s.f1(), s.found, s.falsely, s.missed)
}

type scores map[string]*score

func (m scores) of(id string) *score {
	if m[id] == nil {
		m[id] = &score{}
	}
	return m[id]
}

func (m scores) sum(keep func(id string) bool) (total score) {
	for id, s := range m {
		if keep(id) {
			total.found, total.falsely, total.missed = total.found+s.found, total.falsely+s.falsely, total.missed+s.missed
		}
	}
	return total
}

// dirty spoils values as exports from many hands do.
func (p corpusPart) dirty(g gen, v string) string {
	switch x := g.Float64(); {
	case x < p.blanks:
		return ""
	case x < p.blanks+p.typos && len(v) > 1 && v[0] < 0x80:
		b := []byte(v)
		i := g.IntN(len(b))
		switch {
		case b[i] >= '0' && b[i] <= '9':
			b[i] = '0' + (b[i]-'0'+byte(1+g.IntN(9)))%10
		case b[i] >= 'A' && b[i] <= 'Z':
			b[i] = 'A' + (b[i]-'A'+byte(1+g.IntN(25)))%26
		}
		return string(b)
	case x < p.blanks+p.typos+p.junk:
		return g.pick("? n/a - none 0 нет 无 см.прим.")
	case x < p.blanks+p.typos+p.junk+0.05:
		return " " + v + " "
	}
	return v
}

// judgeColumn scans one column beside a plain one and scores it.
func judgeColumn(t *testing.T, m scores, o Options, where, header string, s sample, values []string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "n,%q\n", header)
	for i, v := range values {
		fmt.Fprintf(&b, "%d,\"%s\"\n", i, strings.ReplaceAll(v, `"`, `""`))
	}
	rep, err := Reader(context.Background(), strings.NewReader(b.String()), "csv", o)
	if err != nil {
		t.Fatalf("%s under %q: %v", s.want, header, err)
	}
	right := append(strings.Fields(s.also), s.want)
	hit := false
	seen := map[string]bool{}
	for _, f := range rep.Columns[1].Classes {
		if f.Confidence < 0.6 || seen[f.Identifier] {
			continue
		}
		seen[f.Identifier] = true
		if slices.Contains(right, f.Identifier) {
			hit = true
			continue
		}
		m.of(f.Identifier).falsely++
		t.Logf("%s: false %s in %q (%s, for example %q): %s", where, f.Identifier, header, cmp.Or(s.want, "nothing"), values[len(values)/2], f.Reason)
	}
	switch {
	case s.want == "":
	case hit:
		m.of(s.want).found++
	default:
		m.of(s.want).missed++
		t.Logf("%s: missed %s under %q, for example %q: %v", where, s.want, header, values[len(values)/2], rep.Columns[1].Classes)
	}
}

// runPart scans every kind of column under every header of one half.
func runPart(t *testing.T, p corpusPart) scores {
	m := scores{}
	o := Options{Today: today, Header: "yes", blockSize: 16 << 10}.withDefaults()
	g := newGen(p.seed)
	kinds := slices.Concat(checkedNumbers(), structured(), innocent())
	if p.name == "fresh" {
		kinds = freshPart()
	}
	for _, s := range kinds {
		headers := s.headers
		if p.held {
			headers = s.held
		}
		for _, header := range headers {
			for _, rows := range p.rows {
				values := make([]string, rows)
				for i := range values {
					values[i] = p.dirty(g, s.make(g, i))
				}
				judgeColumn(t, m, o, p.name, header, s, values)
			}
		}
	}
	return m
}

// awkward are the columns that people wrote by hand.
func awkward(t *testing.T) (headers []string, kinds []sample, values [][]string) {
	t.Helper()
	raw, err := os.ReadFile("testdata/awkward.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if line[0] == '#' {
			continue
		}
		parts := strings.SplitN(strings.TrimSpace(line), "\t", 3)
		if len(parts) != 3 {
			t.Fatalf("testdata/awkward.txt: %q has %d parts", line, len(parts))
		}
		kinds = append(kinds, sample{want: strings.Trim(parts[0], "-"), also: "surname given_name"})
		headers = append(headers, parts[1])
		values = append(values, strings.Split(parts[2], " ¦ "))
	}
	return headers, kinds, values
}

// TestAwkwardColumnsAreRecognised holds the short columns written by hand,
// in all our languages, to the line of the whole corpus.
func TestAwkwardColumnsAreRecognised(t *testing.T) {
	m := scores{}
	o := Options{Today: today, Header: "yes", blockSize: 16 << 10}.withDefaults()
	headers, kinds, values := awkward(t)
	for i := range headers {
		judgeColumn(t, m, o, "by hand", headers[i], kinds[i], values[i])
	}
	all := m.sum(func(string) bool { return true })
	t.Logf("by hand: %v", all)
	if len(headers) < 50 || all.f1() < 0.93 {
		t.Errorf("F1 %.4f over %d columns, want 0.93 over 50", all.f1(), len(headers))
	}
}

// TestTheCorpusIsRecognised prints precision, recall and F1 of every
// identifier, and holds both halves to the same line.
func TestTheCorpusIsRecognised(t *testing.T) {
	digits := map[string]bool{}
	for _, s := range checkedNumbers() {
		digits[s.want] = true
	}
	for _, p := range corpusParts() {
		t.Run(p.name, func(t *testing.T) {
			m := runPart(t, p)
			for _, id := range slices.Sorted(maps.Keys(m)) {
				t.Logf("%-20s %v", id, *m[id])
			}
			checked, all := m.sum(func(id string) bool { return digits[id] }), m.sum(func(string) bool { return true })
			t.Logf("%s, with check digits: %v", p.name, checked)
			t.Logf("%s, overall:           %v", p.name, all)
			if checked.f1() < 0.98 || all.f1() < 0.93 {
				t.Errorf("%s: F1 %.4f with check digits and %.4f overall, want 0.98 and 0.93", p.name, checked.f1(), all.f1())
			}
		})
	}
}
