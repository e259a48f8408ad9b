package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
)

// comparison writes the difference of two editions for a person.
type comparison struct {
	*answer
	old, now edition
	types    map[string]string                         // of facts
	rules    map[string]map[string][]corridor.Citation // of a pack's rules
}

func newComparison(old, now edition, lang string) *comparison {
	words := newPhrases(lang)
	for key, text := range diffTexts() {
		words.texts[key] = text
	}
	c := &comparison{answer: &answer{phrases: words, room: 100}, old: old, now: now, types: map[string]string{}, rules: map[string]map[string][]corridor.Citation{}}
	for _, lib := range []*law.Library{old.lib, now.lib} {
		for _, f := range lib.Vocabulary() {
			c.types[f.Name] = f.Type
		}
	}
	return c
}

func (w *comparison) print(out io.Writer, d law.Diff) error {
	w.out = bufio.NewWriter(out)
	if len(d.Shared)+len(d.Packs) == 0 {
		w.line("", w.say("diff.same"))
	}
	if len(d.Shared) > 0 {
		w.line("", w.say("diff.shared"))
		for _, i := range d.Shared {
			w.item(i)
		}
	}
	for i, p := range d.Packs {
		if i > 0 || len(d.Shared) > 0 {
			fmt.Fprintln(w.out)
		}
		w.pack(p)
	}
	return w.out.Flush()
}

func (w *comparison) pack(p law.PackDiff) {
	w.line("", fmt.Sprintf("%s  %s  %s -> %s", p.Pack, w.country(p.Jurisdiction), w.ref(p.Before), w.ref(p.After)))
	w.cite(p.Pack)
	if len(p.Rules)+len(p.Items) > 0 {
		w.heading(w.say("diff.written"))
	}
	for _, r := range p.Rules {
		w.rule(r)
	}
	for _, i := range p.Items {
		w.item(i)
	}
	if p.Before == nil || p.After == nil {
		w.line("  ", w.say("diff.whole"))
		return
	}
	w.heading(w.say("diff.decided"))
	if len(p.Spans) == 0 {
		w.line("  ", w.say("diff.nothing"))
	}
	all := periods(p.Spans)
	slices.SortStableFunc(all, func(a, b toldRegion) int { // what moves the outcome first
		return min(1, len(b.r.Outcomes)) - min(1, len(a.r.Outcomes))
	})
	for _, t := range all {
		w.region(p.Pack, t)
	}
	for _, s := range p.Spans {
		for _, cut := range s.Cut {
			w.line("  ", "! "+w.say("diff.cut."+cut, w.say("side."+string(s.Side)), w.span(s.From, s.Until)))
		}
	}
}

func (w *comparison) ref(r *corridor.PackRef) string {
	if r == nil {
		return w.say("diff.none")
	}
	return fmt.Sprintf("%s (%s)", r.Version, short12(r.Digest))
}

// short12 is the beginning of a digest, enough to tell editions apart.
func short12(digest string) string {
	if len(digest) > 19 {
		return digest[:19]
	}
	return digest
}

// cite remembers the citations of a pack's rules; the newer edition's win.
func (w *comparison) cite(id string) {
	w.rules[id] = map[string][]corridor.Citation{}
	for _, lib := range []*law.Library{w.old.lib, w.now.lib} {
		p, err := lib.Pack(id)
		if err != nil {
			continue // the edition lacks the pack
		}
		for _, r := range append(p.Rules, p.Silence...) {
			w.rules[id][r.ID] = r.Citations
		}
	}
}

func (w *comparison) aspects(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, w.say("aspect."+n))
	}
	return strings.Join(out, ", ")
}

func mark(how string) string {
	switch how {
	case law.Added:
		return "+ "
	case law.Removed:
		return "- "
	}
	return "~ "
}

func (w *comparison) rule(r law.RuleChange) {
	text := r.Rule + ": " + w.say("how."+r.How)
	if len(r.Aspects) > 0 {
		text += " (" + w.aspects(r.Aspects) + ")"
	}
	w.line("  "+mark(r.How), text)
	if r.Before == nil || r.After == nil {
		one := r.After
		if one == nil {
			one = r.Before
		}
		w.line("      ", one.Text.In(w.lang))
		w.line("      ", w.cites(one.Citations))
		return
	}
	for _, a := range r.Aspects {
		before, after := w.told(a, r.Before), w.told(a, r.After)
		w.line("      - ", before)
		w.line("      + ", after)
	}
}

// told writes one aspect of a rule.
func (w *comparison) told(aspect string, r *law.RuleInfo) string {
	plain := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	results := func() string {
		var parts []string
		for _, x := range r.Results {
			s := w.say(x.Outcome.String())
			if len(x.Obligations) > 0 {
				s += " [" + strings.Join(x.Obligations, ", ") + "]"
			}
			if x.When != "" {
				s = plain(x.When) + ": " + s
			}
			parts = append(parts, s)
		}
		return strings.Join(append(parts, r.Obligations...), "; ")
	}
	switch aspect {
	case "condition":
		return plain(r.When)
	case "exemptions":
		return strings.Join(r.Unless, ", ")
	case "results", "obligations":
		return results()
	case "dates":
		return w.span(r.From, after(r.To))
	case "source":
		return w.say(string(r.Source), r.SourceOn) + "; " + r.SourceRef
	case "citations":
		return w.cites(r.Citations)
	case "text":
		return r.Text.In(w.lang)
	case "kind":
		return r.Kind
	}
	var sides []string
	for _, s := range r.Sides {
		sides = append(sides, w.say("side."+string(s)))
	}
	return strings.Join(sides, ", ")
}

func after(last corridor.Date) corridor.Date {
	if last == 0 {
		return 0
	}
	return last + 1
}

func (w *comparison) item(i law.ItemChange) {
	text := w.say("item."+i.Kind) + " " + i.ID + ": " + w.say("how."+i.How)
	if len(i.Aspects) > 0 {
		text += " (" + w.aspects(i.Aspects) + ")"
	}
	if len(i.Rules) > 0 {
		text += "; " + w.say("diff.rests", strings.Join(i.Rules, ", "))
	}
	w.line("  "+mark(i.How), text)
}

// told is a region with all the spans of days in which it holds.
type toldRegion struct {
	side  corridor.Side
	r     law.Region
	spans [][2]corridor.Date
}

// periods puts the same region of several spans together.
func periods(spans []law.SpanDiff) []toldRegion {
	var out []toldRegion
	at := map[string]int{}
	for _, s := range spans {
		for _, r := range s.Regions {
			raw, err := json.Marshal(r)
			key := string(s.Side) + string(raw)
			i, ok := at[key]
			if !ok || err != nil {
				i = len(out)
				at[key] = i
				out = append(out, toldRegion{side: s.Side, r: r})
			}
			t := &out[i]
			if n := len(t.spans); n > 0 && t.spans[n-1][1] == s.From {
				t.spans[n-1][1] = s.Until
			} else {
				t.spans = append(t.spans, [2]corridor.Date{s.From, s.Until})
			}
		}
	}
	return out
}

// span writes the days from one (inclusive) until another (exclusive).
func (w *comparison) span(from, until corridor.Date) string {
	switch {
	case from == 0 && until == 0:
		return w.say("days.always")
	case from == 0:
		return w.say("days.to", until-1)
	case until == 0:
		return w.say("days.from", from)
	}
	return w.say("days.between", from, until-1)
}

func (w *comparison) region(pack string, t toldRegion) {
	var days []string
	for _, s := range t.spans {
		days = append(days, w.span(s[0], s[1]))
	}
	w.line("  ", w.say("side."+string(t.side))+w.say("list.comma")+strings.Join(days, w.say("list.semicolon")))
	facts := w.facts(t.r.Facts)
	if facts == "" {
		facts = w.say("facts.any")
	}
	w.line("    ", facts)
	for _, m := range t.r.Outcomes {
		w.line("    = ", w.where(m.Where)+w.say(m.Before)+" -> "+w.say(m.After))
	}
	w.dutyLines(t.r.Duties)
	var because []string
	for _, id := range t.r.Rules {
		because = append(because, fmt.Sprintf("%s [%s]", w.cites(w.rules[pack][id]), id))
	}
	w.line("    ", w.say("diff.because", strings.Join(because, w.say("list.semicolon"))))
}

// dutyLines writes duties that change under the same symbols in one line.
func (w *comparison) dutyLines(list []law.Duty) {
	done := make([]bool, len(list))
	for i, d := range list {
		if done[i] {
			continue
		}
		var ids []string
		for k := i; k < len(list); k++ {
			if list[k].Added == d.Added && slices.Equal(list[k].Where, d.Where) {
				done[k] = true
				ids = append(ids, w.duty(list[k].ID))
			}
		}
		lead, key := "    - ", "duty.gone"
		if d.Added {
			lead, key = "    + ", "duty.new"
		}
		w.line(lead, w.where(d.Where)+w.say(key, strings.Join(ids, w.say("list.semicolon"))))
	}
}

func (w *comparison) duty(id string) string {
	for _, lib := range []*law.Library{w.now.lib, w.old.lib} {
		if o, ok := lib.Obligation(id); ok {
			return fmt.Sprintf("%s [%s]", strings.TrimRight(o.Text.In(w.lang), ".。"), id)
		}
	}
	return id
}

func (w *comparison) where(symbols []string) string {
	if len(symbols) == 0 {
		return ""
	}
	var out []string
	for _, s := range symbols {
		out = append(out, w.say("where."+s))
	}
	return strings.Join(out, w.say("list.comma")) + w.say("list.colon")
}

// facts writes a region's facts, the members of one set together.
func (w *comparison) facts(list []law.FactSet) string {
	var parts []string
	for i := 0; i < len(list); i++ {
		f := list[i]
		if f.Member == "" {
			parts = append(parts, w.fact(f))
			continue
		}
		var with, without []string
		for ; i < len(list) && list[i].Fact == f.Fact && list[i].Member != ""; i++ {
			if slices.Equal(list[i].In, []string{"true"}) {
				with = append(with, list[i].Member)
			} else {
				without = append(without, list[i].Member)
			}
		}
		i--
		parts = append(parts, w.members(f.Fact, with, without))
	}
	return strings.Join(parts, w.say("list.semicolon"))
}

func (w *comparison) members(fact string, with, without []string) string {
	has, lacks := strings.Join(with, w.say("list.and")), strings.Join(without, w.say("list.and"))
	switch {
	case without == nil:
		return w.say("facts.has", fact, has)
	case with == nil:
		return w.say("facts.lacks", fact, lacks)
	}
	return w.say("facts.members", fact, has, lacks)
}

func (w *comparison) fact(f law.FactSet) string {
	ranged := w.types[f.Fact] == "int" || w.types[f.Fact] == "date"
	var values []string
	for _, v := range append(f.In, f.NotIn...) {
		if ranged {
			v = w.numbers(v)
		}
		values = append(values, v)
	}
	switch {
	case slices.Equal(f.In, []string{"true"}):
		return w.say("facts.yes", f.Fact)
	case slices.Equal(f.In, []string{"false"}):
		return w.say("facts.no", f.Fact)
	case f.NotIn != nil:
		return w.say("facts.not", f.Fact, strings.Join(values, w.say("list.and")))
	}
	return w.say("facts.is", f.Fact, strings.Join(values, w.say("list.and")))
}

// numbers writes a span such as 100000..199999 in words.
func (w *comparison) numbers(s string) string {
	lo, hi, isSpan := strings.Cut(s, "..")
	lo, hi = w.grouped(lo), w.grouped(hi)
	switch {
	case !isSpan:
		return lo
	case hi == "" && lo == "":
		return s
	case hi == "":
		return w.say("span.from", lo)
	case lo == "":
		return w.say("span.to", hi)
	}
	return w.say("span.between", lo, hi)
}

// grouped writes a number with its thousands apart; anything else stays.
func (w *comparison) grouped(s string) string {
	if len(s) < 4 || strings.Trim(s, "0123456789") != "" {
		return s
	}
	sep := ","
	if w.lang == "ru" {
		sep = "\u00a0"
	}
	out := s[len(s)-3:]
	for s = s[:len(s)-3]; len(s) > 3; s = s[:len(s)-3] {
		out = s[len(s)-3:] + sep + out
	}
	return s + sep + out
}
