package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"corridor"
	"corridor/internal/law"
)

// answer writes a verdict for a person: the conclusion first, then each
// side's reasons, then what is still open.
type answer struct {
	phrases
	lib  *law.Library
	v    corridor.Verdict
	out  *bufio.Writer
	room int
}

func newAnswer(lib *law.Library, v corridor.Verdict, lang string) *answer {
	return &answer{phrases: newPhrases(lang), lib: lib, v: v, room: 100}
}

func (w *answer) print(out io.Writer) error {
	w.out = bufio.NewWriter(out)
	f := w.v.Flow
	w.line("", w.say("flow", w.country(f.Origin), w.country(f.Destination), f.Date))
	w.line("", w.conclusion())
	w.questions()
	for i := range w.v.Sides {
		w.side(&w.v.Sides[i])
	}
	w.assumed()
	w.foot()
	return w.out.Flush()
}

// line wraps text after a lead such as "  - "; further lines hang below the
// text.
func (w *answer) line(lead, text string) {
	hang := strings.Repeat(" ", cells(lead))
	for i, l := range wrap(text, w.room-len(hang)) {
		if i > 0 {
			lead = hang
		}
		fmt.Fprintln(w.out, strings.TrimRight(lead+l, " "))
	}
}

func (w *answer) heading(text string) { fmt.Fprintf(w.out, "\n%s\n", text) }

// conclusion is the verdict in one sentence.
func (w *answer) conclusion() string {
	o := w.v.Outcome
	switch o {
	case corridor.Allow:
		return w.say("say.allow")
	case corridor.AllowWithObligations:
		return w.say("say.allow_with_obligations", len(w.v.Obligations))
	case corridor.Undetermined:
		best, worst := corridor.Allow, corridor.Allow
		for _, d := range w.v.Sides {
			if d.Pack.ID == "" {
				return w.say("say.nopack", w.country(d.Jurisdiction))
			}
			if d.Outcome == corridor.Undetermined && !d.Open() {
				return w.say("say.notcovered", w.country(d.Jurisdiction), w.v.Flow.Date)
			}
			best, worst = min(best, d.Best), min(worst, d.Worst)
		}
		return w.say("say.undetermined", w.say(best.String()), w.say(worst.String()))
	}
	var who []string
	for _, d := range w.v.Sides {
		if d.Outcome == o {
			who = append(who, w.country(d.Jurisdiction))
		}
	}
	return w.say("say."+o.String(), strings.Join(who, ", "))
}

func (w *answer) side(d *corridor.Decision) {
	if d.Side == corridor.Treaty && d.Silent() {
		w.heading(w.say("no treaty"))
		return
	}
	outcome := w.say(d.Outcome.String())
	if d.Outcome == corridor.Undetermined && d.Pack.ID != "" {
		outcome = w.say("between", outcome, w.say(d.Best.String()), w.say(d.Worst.String()))
	}
	w.heading(w.say(string(d.Side), w.country(d.Jurisdiction), outcome))
	w.provisions(d)
	w.duties(d, true)
	w.duties(d, false)
	w.nearMisses(d)
	for _, n := range d.Notes {
		w.line("  ", "! "+law.NoteIn(n, w.lang))
	}
	if d.Unverified {
		w.line("  ", "! "+w.say("unverified"))
	}
	if d.ValidUntil != 0 {
		w.line("  ", w.say("until", d.ValidUntil))
	}
}

// provisions lists what took part: what decides first, then what may, then
// exemptions and general duties.
func (w *answer) provisions(d *corridor.Decision) {
	contributes := func(m corridor.Match) bool { return m.Kind == "rule" || m.Kind == "silence" }
	w.group("because", d, w.match, func(m corridor.Match) bool { return contributes(m) && m.Certain })
	w.group("exemptions", d, w.match, func(m corridor.Match) bool { return m.Kind == "exemption" && m.Certain })
	w.group("other", d, w.brief, func(m corridor.Match) bool { return m.Kind == "duty" && m.Certain })
	w.possible(d)
}

func (w *answer) group(title string, d *corridor.Decision, show func(corridor.Match), pick func(corridor.Match) bool) {
	var list []corridor.Match
	for _, m := range d.Matched {
		if pick(m) {
			list = append(list, m)
		}
	}
	if len(list) == 0 {
		return
	}
	slices.SortStableFunc(list, func(a, b corridor.Match) int { return cmp.Compare(a.Outcome, b.Outcome) })
	w.line("  ", w.say(title))
	for _, m := range list {
		show(m)
	}
}

// possible lists, one line for each, the provisions that what is still open
// decides about.
func (w *answer) possible(d *corridor.Decision) {
	var order []string
	yields := map[string][]string{}
	first := map[string]corridor.Match{}
	for o := corridor.Deny; o <= corridor.Allow; o++ {
		for _, m := range d.Matched {
			if m.Certain || m.Kind == "duty" || m.Outcome != o {
				continue
			}
			if yields[m.Rule] == nil {
				order, first[m.Rule] = append(order, m.Rule), m
			}
			word := w.say(o.String())
			if m.Kind == "exemption" {
				word = w.say("lifts", strings.Join(m.Lifts, ", "))
			}
			if !slices.Contains(yields[m.Rule], word) {
				yields[m.Rule] = append(yields[m.Rule], word)
			}
		}
	}
	if len(order) == 0 {
		return
	}
	w.line("  ", w.say("might"))
	for i, id := range order {
		if i == maxShown && len(order) > maxShown+1 {
			w.line("  - ", w.say("andmore", len(order)-i))
			return
		}
		w.line("  - ", fmt.Sprintf("%s - %s [%s]", strings.Join(yields[id], " / "), w.cites(first[id].Citations), id))
	}
}

func (w *answer) match(m corridor.Match) {
	head := w.cites(m.Citations)
	if m.Kind == "rule" || m.Kind == "silence" {
		head = w.say(m.Outcome.String()) + " - " + head
	}
	w.line("  - ", head)
	if len(m.Lifts) > 0 {
		w.line("    ", w.say("lifts", strings.Join(m.Lifts, ", ")))
	}
	w.line("    ", m.Text.In(w.lang))
	w.line("    ", fmt.Sprintf("[%s, %s]", m.Rule, w.say(string(m.Source), m.SourceOn)))
}

func (w *answer) brief(m corridor.Match) {
	w.line("  - ", fmt.Sprintf("%s [%s, %s]", w.cites(m.Citations), m.Rule, w.say(string(m.Source), m.SourceOn)))
}

// cites writes instruments, each once, with their articles.
func (w *answer) cites(list []corridor.Citation) string {
	var order []string
	articles := map[string][]string{}
	titles := map[string]string{}
	for _, c := range list {
		if articles[c.Instrument] == nil {
			order = append(order, c.Instrument)
			if titles[c.Instrument] = c.Title.In(w.lang); titles[c.Instrument] == "" {
				titles[c.Instrument] = c.Instrument
			}
		}
		if !slices.Contains(articles[c.Instrument], c.Article) {
			articles[c.Instrument] = append(articles[c.Instrument], c.Article)
		}
	}
	return w.cited(order, titles, articles)
}

func (w *answer) cited(order []string, titles map[string]string, articles map[string][]string) string {
	var parts []string
	for _, id := range order {
		which := slices.DeleteFunc(articles[id], func(a string) bool { return a == "" || a == "-" }) // "-": the instrument as a whole
		switch {
		case len(which) == 0:
			parts = append(parts, titles[id])
		case unicode.IsDigit([]rune(which[0])[0]):
			parts = append(parts, w.say("article", titles[id], strings.Join(which, w.say("and_article"))))
		default:
			parts = append(parts, w.say("provision", titles[id], strings.Join(which, ", ")))
		}
	}
	return strings.Join(parts, w.say("and_law"))
}

func (w *answer) duties(d *corridor.Decision, certain bool) {
	var list []corridor.Obligation
	for _, o := range d.Duties {
		if o.Certain == certain {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		return
	}
	order := []string{"before", "during", "after"}
	slices.SortStableFunc(list, func(a, b corridor.Obligation) int {
		return cmp.Compare(slices.Index(order, a.When), slices.Index(order, b.When))
	})
	if !certain {
		w.line("  ", w.say("duties.maybe"))
		for _, o := range list {
			w.line("  - ", fmt.Sprintf("%s [%s]", o.Text.In(w.lang), o.ID))
		}
		return
	}
	w.line("  ", w.say("duties"))
	for _, o := range list {
		w.duty(o)
	}
}

func (w *answer) duty(o corridor.Obligation) {
	head := fmt.Sprintf("%s (%s, %s", o.ID, w.say(o.Owner), w.say(o.When))
	info, _ := w.lib.Obligation(o.ID)
	if info.Deadline != nil {
		head += ", " + w.deadline(info.Deadline)
	}
	w.line("  - ", head+")")
	w.line("    ", o.Text.In(w.lang))
	if o.Stage != "" {
		w.line("    ", w.say("machine", o.Stage))
	}
	w.line("    ", w.say("evidence", info.Evidence.In(w.lang)))
	w.line("    ", "["+w.cites(o.Citations)+"]")
}

func (w *answer) deadline(d *law.Deadline) string {
	unit := w.say("unit." + d.Unit)
	if d.Days == 1 && w.lang == "en" {
		unit = strings.TrimSuffix(unit, "s")
	}
	key := "within"
	if d.Until {
		key = "for"
	}
	s := w.say(key, d.Days, unit, w.lib.Event(d.From).In(w.lang))
	if d.Ahead > 0 {
		s = w.say("ahead", d.Ahead, s)
	}
	if d.Calendar != "" {
		s = w.say("calendar", s, w.country(d.Calendar))
	}
	return s
}

// maxShown bounds the near misses and questions that are printed.
const maxShown = 8

func (w *answer) nearMisses(d *corridor.Decision) {
	shown := 0
	seen := map[string]bool{}
	for _, n := range d.NearMisses {
		key := "near.line"
		value := n.Value
		if v, ok := strings.CutPrefix(value, "+"); ok {
			key, value = "near.has", v
		} else if v, ok := strings.CutPrefix(value, "-"); ok {
			key, value = "near.lacks", v
		}
		text := w.say(key, n.Fact, span(value), w.say(n.Outcome.String()))
		if n.Outcome == d.Outcome || seen[text] || shown == maxShown {
			continue
		}
		if shown == 0 {
			w.line("  ", w.say("near"))
		}
		seen[text] = true
		shown++
		w.line("  - ", text+" ["+n.Rule+"]")
	}
}

// questions lists what is open, members of one set as one question.
func (w *answer) questions() {
	if w.v.Outcome != corridor.Undetermined {
		return
	}
	var order []string
	byFact := map[string][]corridor.Question{}
	for _, d := range w.v.Open() {
		for _, q := range d.Questions {
			if byFact[q.Fact] == nil {
				order = append(order, q.Fact)
			}
			byFact[q.Fact] = append(byFact[q.Fact], q)
		}
	}
	if len(order) == 0 {
		return
	}
	w.heading(w.say("questions"))
	for i, fact := range order {
		if i == maxShown && len(order) > maxShown+1 {
			w.line("  ", w.say("andmore", len(order)-i))
			return
		}
		w.question(i+1, byFact[fact])
	}
}

func (w *answer) question(n int, list []corridor.Question) {
	q := list[0]
	var members, rules []string
	var cites []corridor.Citation
	for _, x := range list {
		if x.Member != "" && !slices.Contains(members, x.Member) {
			members = append(members, x.Member)
		}
		for _, r := range x.Rules {
			if !slices.Contains(rules, r) {
				rules = append(rules, r)
			}
		}
		for _, c := range x.Citations {
			if !slices.ContainsFunc(cites, func(h corridor.Citation) bool { return h.Instrument == c.Instrument && h.Article == c.Article }) {
				cites = append(cites, c)
			}
		}
	}
	w.line(fmt.Sprintf("%3d. ", n), q.Text.In(w.lang))
	const in = "     "
	if len(members) > 0 {
		w.line(in, w.say("members", strings.Join(members, ", ")))
	} else if len(q.Options) > 0 {
		w.line(in, w.say("options", span(strings.Join(q.Options, ", "))))
	}
	if q.Asks != "" {
		w.line(in, w.say("ask", w.say(q.Asks)))
	}
	w.line(in, w.say("needed", w.cites(cites[:min(3, len(cites))])))
	w.line(in, w.say("answer", "--set '"+example(q, members)+"'"))
}

// span writes 100000.. as at least and 0..99999 as a range.
func span(value string) string {
	parts := strings.Split(value, ", ")
	for i, p := range parts {
		lo, hi, ok := strings.Cut(p, "..")
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

// example is a way to answer a question on the command line.
func example(q corridor.Question, members []string) string {
	switch {
	case len(members) > 0:
		return q.Fact + "=[" + members[0] + "]"
	case len(q.Options) > 0 && !strings.Contains(q.Options[0], ".."):
		return q.Fact + "=" + q.Options[0]
	}
	switch q.Type {
	case "int":
		return q.Fact + "=120000"
	case "date":
		return q.Fact + "=2026-11-24"
	case "country":
		return q.Fact + "=KZ"
	case "bool":
		return q.Fact + "=true"
	}
	return q.Fact + "=..."
}

func (w *answer) assumed() {
	var list []string
	for _, d := range w.v.Sides {
		for _, s := range d.Assumed {
			if !slices.Contains(list, s) {
				list = append(list, s)
			}
		}
	}
	if len(list) > 0 {
		w.heading(w.say("assumed", w.v.Flow.Assume))
		w.line("  ", strings.Join(list, "; "))
	}
}

func (w *answer) foot() {
	if len(w.v.Packs) > 0 {
		w.heading(w.say("packs"))
	} else {
		fmt.Fprintln(w.out)
	}
	for _, p := range w.v.Packs {
		fmt.Fprintf(w.out, "  %s %s %s\n", p.ID, p.Version, p.Digest)
	}
	fmt.Fprintf(w.out, "\n%s\n", w.say("disclaimer"))
}
