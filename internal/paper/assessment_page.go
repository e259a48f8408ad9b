package paper

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"corridor"
	"corridor/internal/law"
)

// AssessmentHTML writes the assessment as a page to print and file.
func AssessmentHTML(out io.Writer, a Assessment, lang string) error {
	data, err := a.Encode()
	if err != nil {
		return err
	}
	w := newWords(lang, assessmentTexts())
	sum := sha256.Sum256(data)
	return w.render(out, "assessment.html.tmpl", assessmentPage{Assessment: a, words: w, Digest: "sha256:" + hex.EncodeToString(sum[:])})
}

// assessmentPage is what the template sees.
type assessmentPage struct {
	Assessment
	words
	Digest string // of the assessment as JSON
}

// Lines are the lines at the head.
func (p assessmentPage) Lines() []string { return AboutKeys() }

func (p assessmentPage) Shade(o corridor.Outcome) shade { return shadeOf(o) }

// Spread says between which outcomes an open decision lies.
func (p assessmentPage) Spread(d corridor.Decision) string {
	if d.Outcome != corridor.Undetermined || d.Pack.ID == "" {
		return ""
	}
	return p.sayf("between", p.say(d.Best.String()), p.say(d.Worst.String()))
}

// Known keeps the facts of a kind: known or assumed.
func (p assessmentPage) Known(known bool) []FactLine {
	return slices.DeleteFunc(slices.Clone(p.Facts), func(f FactLine) bool { return (f.Sources[0].By != Assumed) != known })
}

// Scanned says whether a scan of data stands behind a fact.
func (p assessmentPage) Scanned() bool {
	return slices.ContainsFunc(p.Said, func(s Said) bool { return s.By == Scanned })
}

// Origin says where a fact came from.
func (p assessmentPage) Origin(f FactLine) string {
	var parts []string
	for _, s := range f.Sources {
		parts = append(parts, strings.TrimSpace(p.say(s.By)+" "+s.From))
	}
	return strings.Join(parts, p.sep())
}

// group is the provisions of a decision that did one thing.
type group struct {
	Title string
	Full  bool // with text and lifted rules
	List  []corridor.Match
}

// Groups lists what took part: what decides first, then exemptions, what may
// apply, and general duties.
func (p assessmentPage) Groups(d corridor.Decision) []group {
	contributes := func(m corridor.Match) bool { return m.Kind == "rule" || m.Kind == "silence" }
	all := []group{
		{"because", true, p.pick(d, func(m corridor.Match) bool { return contributes(m) && m.Certain })},
		{"exemptions", true, p.pick(d, func(m corridor.Match) bool { return m.Kind == "exemption" && m.Certain })},
		{"might", false, p.pick(d, func(m corridor.Match) bool { return m.Kind != "duty" && !m.Certain })},
		{"general", false, p.pick(d, func(m corridor.Match) bool { return m.Kind == "duty" && m.Certain })},
	}
	return slices.DeleteFunc(all, func(g group) bool { return len(g.List) == 0 })
}

func (p assessmentPage) pick(d corridor.Decision, want func(corridor.Match) bool) []corridor.Match {
	var out []corridor.Match
	seen := map[string]bool{}
	for o := corridor.Deny; o <= corridor.Allow; o++ {
		for _, m := range d.Matched {
			if key := m.Rule + m.Outcome.String(); want(m) && m.Outcome == o && !seen[key] {
				seen[key] = true
				out = append(out, m)
			}
		}
	}
	return out
}

// Contributes says whether a provision yields an outcome of its own.
func (p assessmentPage) Contributes(m corridor.Match) bool {
	return m.Kind == "rule" || m.Kind == "silence"
}

// Source says how strong the evidence for a provision is.
func (p assessmentPage) Source(m corridor.Match) string { return p.sayf(string(m.Source), m.SourceOn) }

// Why says why a provision counts as not verified.
func (p assessmentPage) Why(u UnverifiedLine) string {
	if u.Rule == "" {
		return p.say("why.list")
	}
	return p.sayf("why."+string(u.Source), u.On)
}

// NearMisses says which other value of one fact would change the outcome.
func (p assessmentPage) NearMisses(d corridor.Decision) []string {
	var out []string
	for _, n := range d.NearMisses {
		key, value := "near.line", n.Value
		if v, ok := strings.CutPrefix(value, "+"); ok {
			key, value = "near.has", v
		} else if v, ok := strings.CutPrefix(value, "-"); ok {
			key, value = "near.lacks", v
		}
		text := p.sayf(key, n.Fact, span(value), p.say(n.Outcome.String()))
		if n.Outcome != d.Outcome && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// Note puts a note of a decision into the language of the page.
func (p assessmentPage) Note(text string) string { return law.NoteIn(text, p.lang) }

// dutyGroup is the duties of one time.
type dutyGroup struct {
	Title string
	List  []DutyLine
}

// DutyGroups lists the duties that are certain by time, then those that are
// possible.
func (p assessmentPage) DutyGroups() []dutyGroup {
	var out []dutyGroup
	add := func(title string, want func(DutyLine) bool) {
		if list := slices.DeleteFunc(slices.Clone(p.Duties), func(d DutyLine) bool { return !want(d) }); len(list) > 0 {
			out = append(out, dutyGroup{title, list})
		}
	}
	for _, when := range []string{"before", "during", "after"} {
		add(when, func(d DutyLine) bool { return d.Certain && d.When == when })
	}
	add("maybe", func(d DutyLine) bool { return !d.Certain })
	return out
}

// Term writes a deadline in words.
func (p assessmentPage) Term(d DutyLine) string {
	if d.Deadline == nil {
		return ""
	}
	unit := p.say("unit." + d.Deadline.Unit)
	if d.Deadline.Days == 1 && p.lang == "en" {
		unit = strings.TrimSuffix(unit, "s")
	}
	key := "within"
	if d.Deadline.Until {
		key = "for"
	}
	s := p.sayf(key, d.Deadline.Days, unit, d.Event.In(p.lang))
	if d.Deadline.Ahead > 0 {
		s = p.sayf("ahead", d.Deadline.Ahead, s)
	}
	if d.Deadline.Calendar != "" {
		s += " (" + p.sayf("calendar", p.country(d.Deadline.Calendar)) + ")"
	}
	return s
}

// FactsFile is a file of facts that gives the same decision.
func (p assessmentPage) FactsFile() string {
	var b strings.Builder
	for _, name := range sortedKeys(p.Verdict.Flow.Facts) {
		fmt.Fprintf(&b, "%s: %s\n", word(name), Value(p.Verdict.Flow.Facts[name]))
	}
	if b.Len() == 0 {
		return "{}\n"
	}
	return b.String()
}

// Command decides the same flow from that file.
func (p assessmentPage) Command() string {
	f := p.Verdict.Flow
	s := fmt.Sprintf("corridor check --from %s --to %s --date %s --facts facts.yaml", f.Origin, f.Destination, f.Date)
	if f.Assume != "" {
		s += " --assume " + f.Assume
	}
	for _, name := range sortedKeys(p.Events) {
		s += fmt.Sprintf(" --event %s=%s", name, p.Events[name])
	}
	return s
}

// span writes 100000.. as at least and 0..99999 as a range.
func span(value string) string {
	parts := strings.Split(value, ", ")
	for i, part := range parts {
		lo, hi, ok := strings.Cut(part, "..")
		switch {
		case !ok || lo == "." || hi == ".":
		case hi == "" && lo != "":
			parts[i] = "≥ " + lo
		case lo == "" && hi != "":
			parts[i] = "≤ " + hi
		case lo != "":
			parts[i] = lo + "–" + hi
		}
	}
	return strings.Join(parts, ", ")
}

// cited is one instrument with the articles that are meant.
type cited struct {
	Text     string // in the language of the page, with the articles
	Original string // the official title, where the page shows another
}

// Cites groups citations by instrument.
func (w words) Cites(list []corridor.Citation) []cited {
	var order []string
	articles, titles := map[string][]string{}, map[string]corridor.Text{}
	for _, c := range list {
		if _, ok := titles[c.Instrument]; !ok {
			order, titles[c.Instrument] = append(order, c.Instrument), c.Title
		}
		if c.Article != "" && c.Article != "-" && !slices.Contains(articles[c.Instrument], c.Article) {
			articles[c.Instrument] = append(articles[c.Instrument], c.Article)
		}
	}
	out := make([]cited, 0, len(order))
	for _, id := range order {
		title := titles[id].In(w.lang)
		c := cited{Text: title, Original: titles[id].Original}
		if title == "" {
			c.Text = id
		}
		if strings.Contains(c.Text, c.Original) { // the translation holds it, or is it
			c.Original = ""
		}
		if which := strings.Join(articles[id], ", "); which != "" {
			c.Text = w.provision(c.Text, which)
		}
		out = append(out, c)
	}
	return out
}

// provision writes an instrument and where in it.
func (w words) provision(title, which string) string {
	if !unicode.IsDigit([]rune(which)[0]) {
		return title + ", " + which
	}
	if w.lang == "zh" {
		return title + "第" + strings.ReplaceAll(which, ", ", "条、第") + "条"
	}
	return title + ", " + w.say("article") + " " + which
}

// sayf gives the text of a key with its verbs filled in.
func (w words) sayf(key string, args ...any) string { return fmt.Sprintf(w.say(key), args...) }

// Assumption says from which profile the assumed facts come.
func (p assessmentPage) Assumption() string { return p.sayf("facts.profile", p.Verdict.Flow.Assume) }

// Machine says that the gateway itself carries a duty out.
func (p assessmentPage) Machine(stage string) string { return p.sayf("machine", p.say("stage."+stage)) }

// Starts says from when a deadline is counted.
func (p assessmentPage) Starts(d DutyLine) string { return p.sayf("starts", d.Starts) }

// Who writes who usually knows a fact.
func (p assessmentPage) Who(asks string) string { return p.say("who." + asks) }

// Span writes a range of numbers for a reader.
func (p assessmentPage) Span(value string) string { return span(value) }
