package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/plane"
)

// advisor writes advice for a person: what stands in the way, then the ways,
// then what to answer first.
type advisor struct {
	*answer
	adv  advice
	also bool // the whole decision comes first
}

func newAdvisor(lib *law.Library, adv advice, lang string) *advisor {
	w := newAnswer(lib, adv.Verdict, lang)
	maps.Copy(w.texts, adviseTexts())
	return &advisor{answer: w, adv: adv}
}

func (w *advisor) print(out io.Writer) error {
	if w.also {
		if err := w.answer.print(out); err != nil {
			return err
		}
	}
	w.out = bufio.NewWriter(out)
	if !w.also {
		w.head()
		w.inTheWay()
	}
	w.ways()
	if !w.also {
		w.questions()
		fmt.Fprintf(w.out, "\n%s\n", w.say("disclaimer"))
	}
	return w.out.Flush()
}

func (w *advisor) head() {
	f := w.v.Flow
	w.line("", w.say("flow", w.country(f.Origin), w.country(f.Destination), f.Date))
	w.line("", w.conclusion())
}

// inTheWay lists the provisions that keep the flow from starting.
func (w *advisor) inTheWay() {
	w.provisions("advise.obstacles", true)
	if len(w.adv.Plans) == 0 {
		w.provisions("advise.perhaps", false)
	}
}

// provisions lists those that surely stand in the way, or those that may.
func (w *advisor) provisions(heading string, certain bool) {
	var lines []string
	for _, d := range w.v.Sides {
		for _, m := range d.Matched {
			if line := fmt.Sprintf("%s - %s [%s]", w.say(m.Outcome.String()), w.cites(m.Citations), m.Rule); m.Kind == "rule" && !m.Outcome.Permits() && m.Certain == certain && !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) == 0 {
		return
	}
	w.heading(w.say(heading))
	for _, l := range lines {
		w.line("  - ", l)
	}
}

func (w *advisor) ways() {
	if w.v.Outcome.Permits() {
		w.heading(w.say("advise.needless"))
		return
	}
	if len(w.adv.Plans) == 0 {
		w.none()
		return
	}
	w.heading(w.say("advise.ways"))
	if w.v.Outcome == corridor.Undetermined {
		w.line("  ", w.say("advise.worst"))
	}
	for i := range w.adv.Plans {
		w.way(i)
	}
	if !w.adv.Complete {
		w.line("  ", w.say("advise.cut"))
	}
}

// none says why there is no way.
func (w *advisor) none() {
	switch {
	case len(w.adv.Blind) > 0:
		w.heading(w.say("advise.blind", strings.Join(w.adv.Blind, ", ")))
	case w.v.Outcome == corridor.Undetermined:
		w.heading(w.say("advise.askfirst"))
	case !w.adv.Complete:
		w.heading(w.say("advise.cutnone"))
	default:
		w.heading(w.say("advise.none"))
	}
	if len(w.adv.Fixed) > 0 {
		w.line("  ", w.say("advise.fixed", w.settled(w.adv.Fixed)))
	}
}

func (w *advisor) way(i int) {
	p := &w.adv.Plans[i]
	fmt.Fprintln(w.out)
	lead := fmt.Sprintf("%3d. ", i+1)
	w.line(lead, w.say("advise.way", w.say(p.Verdict.Outcome.String()), p.Ready, w.days(p.Days), p.Cost))
	w.steps(p.Actions, p.Confirm)
	if p.Transform != nil {
		w.line("     ", w.say("advise.transform"))
		w.stages(*p.Transform)
	}
	if len(p.Unknown) > 0 {
		w.line("     ", "! "+w.say("advise.unknown", strings.Join(p.Unknown, ", ")))
	}
	if len(p.Unplaced) > 0 {
		w.line("     ", "! "+w.say("advise.unplaced", strings.Join(p.Unplaced, ", ")))
	}
	if len(p.Settles) > 0 {
		w.line("     ", w.say("advise.settles", w.settled(p.Settles)))
	}
	if len(p.Verdict.Obligations) > 0 {
		w.line("     ", w.say("advise.duties", strings.Join(p.Verdict.Obligations, ", ")))
	}
	for _, d := range p.Verdict.Sides {
		if d.Unverified {
			w.line("     ", "! "+w.country(d.Jurisdiction)+": "+w.say("unverified"))
		}
	}
}

// steps lists what is done. Steps that only make sure of what nobody has seen
// are one line.
func (w *advisor) steps(actions []law.Action, confirm []string) {
	var sure *law.Action
	for i, x := range actions {
		switch {
		case len(x.Removes) == 0 || slices.ContainsFunc(x.Removes, func(c string) bool { return !slices.Contains(confirm, c) }):
			w.step(x)
		case sure == nil || x.Days > sure.Days:
			sure = &actions[i]
		}
	}
	if sure != nil {
		w.line("     - ", w.say("advise.step", w.say(sure.Actor), w.days(sure.Days), w.say("advise.sure", strings.Join(confirm, ", "))))
	}
}

func (w *advisor) step(x law.Action) {
	w.line("     - ", w.say("advise.step", w.say(x.Actor), w.days(x.Days), x.Text.In(w.lang)))
}

// days writes a span of days.
func (w *advisor) days(n int) string {
	if n == 1 {
		return w.say("advise.day")
	}
	return w.say("advise.days", n)
}

func (w *advisor) stages(plan plane.Plan) {
	for _, s := range plan.Stages {
		w.line("       ", fmt.Sprintf("%s: %s", w.say("stage."+s.Do, s.Param), strings.Join(s.Columns, ", ")))
	}
}

func (w *advisor) settled(list []law.Obstacle) string {
	var parts []string
	for _, o := range list {
		parts = append(parts, fmt.Sprintf("%s [%s]", w.cites(o.Citations), o.Rule))
	}
	return strings.Join(parts, "; ")
}

// full shows one way, the facts that it changes, and the decision that it
// leads to.
func (w *advisor) full(out io.Writer, at int) error {
	w.out = bufio.NewWriter(out)
	w.head()
	w.way(at)
	p := w.adv.Plans[at]
	w.heading(w.say("advise.facts"))
	for _, name := range slices.Sorted(maps.Keys(p.Flow.Facts)) {
		for _, x := range p.Actions {
			if v, ok := x.Sets[name]; ok {
				w.line("  ", "--set '"+name+"="+w.value(name, v)+"'")
				break
			}
		}
	}
	w.heading(w.say("advise.then"))
	if err := w.out.Flush(); err != nil {
		return err
	}
	return newAnswer(w.lib, p.Verdict, w.lang).print(out)
}

// value writes a fact as --set takes it; a set of which all is known as a
// list.
func (w *advisor) value(name string, v any) string {
	if m, ok := factShape(v); ok && m["has"] != nil {
		has, lacks := memberWords(m["has"]), memberWords(m["lacks"])
		for _, f := range w.lib.Vocabulary() {
			if f.Name == name && len(has)+len(lacks) == len(f.Values) {
				return "[" + strings.Join(has, ", ") + "]"
			}
		}
	}
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// applied tells what was written and how the answer changed.
func (w *advisor) applied(out io.Writer, x applied) error {
	w.out = bufio.NewWriter(out)
	w.line("", w.say("advise.wrote", x.File, x.Rows, x.Bytes, x.SHA256))
	w.stages(x.Transform)
	for _, s := range x.Done {
		w.line("  - ", s.Text.In(w.lang))
	}
	fmt.Fprintln(w.out)
	w.line("", w.say("advise.before", w.say(x.Before.String())))
	w.line("", w.say("advise.now", w.say(x.Now.Outcome.String())))
	if len(x.Left) > 0 {
		w.line("", w.say("advise.whole", w.say(x.Whole.String())))
		w.steps(x.Left, x.Confirm)
	}
	if x.Transform.Pseudonymises() {
		w.line("", "! "+w.say("advise.key"))
	}
	if len(x.Unknown) > 0 {
		w.line("", "! "+w.say("advise.unknown", strings.Join(x.Unknown, ", ")))
	}
	w.line("", "! "+w.say("advise.confirm"))
	return w.out.Flush()
}
