package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"corridor"
)

// batchAnswer is the answer to flows that are alike.
type batchAnswer struct {
	text    []byte // as JSON, without the number of the line
	outcome corridor.Outcome
	rules   []string // that certainly apply
	bad     string   // why there is no answer
	n       int      // how often it was given in the part at hand
}

// batchJSON is one line of the answers, beside the line's number.
type batchJSON struct {
	Outcome     corridor.Outcome  `json:"outcome"`
	Best        *corridor.Outcome `json:"best,omitempty"` // where it is undetermined
	Worst       *corridor.Outcome `json:"worst,omitempty"`
	Obligations []string          `json:"obligations"`
	Possible    []string          `json:"possible_obligations,omitempty"`
	Missing     []string          `json:"missing,omitempty"`
	Sides       []batchSideJSON   `json:"sides"`
}

type batchSideJSON struct {
	Jurisdiction string           `json:"jurisdiction"`
	Side         corridor.Side    `json:"side"`
	Outcome      corridor.Outcome `json:"outcome"`
	Rules        []string         `json:"rules"`
	Possible     []string         `json:"possible_rules,omitempty"`
	Obligations  []string         `json:"obligations"`
	Unverified   bool             `json:"unverified,omitempty"` // a rule that drives the outcome is not verified
	Assumed      int              `json:"assumed,omitempty"`    // facts that the profile filled in and its rules look at
	ValidUntil   corridor.Date    `json:"valid_until,omitempty"`
	Notes        []string         `json:"notes,omitempty"`
}

// batchErrorJSON is a line that could not be answered.
type batchErrorJSON struct {
	Error struct {
		Where  string `json:"where,omitempty"`
		Reason string `json:"reason"`
		Fix    string `json:"fix,omitempty"`
	} `json:"error"`
}

func newBatchAnswer(v corridor.Verdict, err error) *batchAnswer {
	if err != nil {
		return badAnswer(err)
	}
	a := &batchAnswer{outcome: v.Outcome}
	out := batchJSON{Outcome: v.Outcome, Obligations: v.Obligations, Possible: v.Possible, Missing: v.Missing}
	if v.Outcome == corridor.Undetermined {
		best, worst := corridor.Allow, corridor.Allow
		for i := range v.Sides {
			b, w := v.Sides[i].Span()
			best, worst = min(best, b), min(worst, w)
		}
		out.Best, out.Worst = &best, &worst
	}
	for i := range v.Sides {
		d := &v.Sides[i]
		s := batchSideJSON{Jurisdiction: d.Jurisdiction, Side: d.Side, Outcome: d.Outcome, Rules: []string{}, Obligations: []string{},
			Unverified: d.Unverified, Assumed: len(d.Assumed), ValidUntil: d.ValidUntil, Notes: d.Notes}
		for _, m := range d.Matched {
			if m.Certain {
				s.Rules = addOnce(s.Rules, m.Rule)
			} else {
				s.Possible = addOnce(s.Possible, m.Rule)
			}
		}
		for _, o := range d.Duties {
			if o.Certain {
				s.Obligations = addOnce(s.Obligations, o.ID)
			}
		}
		a.rules = append(a.rules, s.Rules...)
		out.Sides = append(out.Sides, s)
	}
	if a.text, err = json.Marshal(out); err != nil {
		return badAnswer(err)
	}
	return a
}

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func badAnswer(err error) *batchAnswer {
	a := &batchAnswer{bad: err.Error()}
	var out batchErrorJSON
	out.Error.Reason = a.bad
	var e *corridor.Error
	if errors.As(err, &e) {
		plain := *e
		plain.Where, plain.Fix = "", ""
		out.Error.Where, out.Error.Reason, out.Error.Fix = e.Where, plain.Error(), e.Fix
		if several, ok := err.(interface{ Unwrap() []error }); ok && len(several.Unwrap()) > 1 {
			out.Error.Reason = a.bad // each names its place and what would fix it
		}
	}
	if a.text, err = json.Marshal(out); err != nil {
		a.text = []byte(`{"error":{"reason":"the answer cannot be written"}}`)
	}
	return a
}

// tally counts answers.
type tally struct {
	outcomes [5]int
	rules    map[string]int
	bad      int
	shown    []badLine // the first of them
}

type badLine struct {
	number int
	reason string
}

func newTally() *tally { return &tally{rules: map[string]int{}} }

func (t *tally) reset() {
	if t.rules == nil {
		t.rules = map[string]int{}
	}
	clear(t.rules)
	t.outcomes, t.bad, t.shown = [5]int{}, 0, t.shown[:0]
}

func (t *tally) count(a *batchAnswer) {
	t.outcomes[a.outcome] += a.n
	for _, r := range a.rules {
		t.rules[r] += a.n
	}
}

func (t *tally) refuse(number int, reason string) {
	if t.bad++; len(t.shown) < maxBadShown {
		t.shown = append(t.shown, badLine{number, reason})
	}
}

func (t *tally) add(more *tally) {
	for o, n := range more.outcomes {
		t.outcomes[o] += n
	}
	for r, n := range more.rules {
		t.rules[r] += n
	}
	t.bad += more.bad
	t.shown = append(t.shown, more.shown[:min(len(more.shown), maxBadShown-len(t.shown))]...)
}

// complain lists the lines that could not be answered.
func (t *tally) complain(w io.Writer, lang string) error {
	if t.bad == 0 {
		return nil
	}
	p := batchPhrases(lang)
	if _, err := fmt.Fprintln(w, p.say("batch.bad", t.bad)); err != nil {
		return err
	}
	for _, b := range t.shown {
		if _, err := fmt.Fprintln(w, "  "+p.say("batch.line", b.number, b.reason)); err != nil {
			return err
		}
	}
	if more := t.bad - len(t.shown); more > 0 {
		_, err := fmt.Fprintln(w, "  "+p.say("batch.more", more))
		return err
	}
	return nil
}

// print shows the sums.
func (t *tally) print(w io.Writer, lang string, took time.Duration) error {
	p := batchPhrases(lang)
	all := t.bad
	for _, n := range t.outcomes {
		all += n
	}
	if _, err := fmt.Fprintf(w, "%s\n", p.say("batch.sum", all, took.Round(time.Millisecond).String())); err != nil || all == 0 {
		return err
	}
	rows := [][]string{{p.say("batch.outcome"), p.say("batch.flows")}}
	for o, n := range t.outcomes {
		if n > 0 {
			rows = append(rows, []string{p.say(corridor.Outcome(o).String()), fmt.Sprintf("%d", n)})
		}
	}
	if err := t.table(w, rows); err != nil {
		return err
	}
	rows = [][]string{{p.say("batch.rule"), p.say("batch.flows")}}
	for _, r := range slices.SortedFunc(maps.Keys(t.rules), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.rules[b], t.rules[a]), cmp.Compare(a, b))
	}) {
		rows = append(rows, []string{r, fmt.Sprintf("%d", t.rules[r])})
	}
	if err := t.table(w, rows); err != nil {
		return err
	}
	if t.bad > 0 {
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return t.complain(w, lang)
}

func (t *tally) table(w io.Writer, rows [][]string) error {
	if len(rows) < 2 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return columns(w, "", rows)
}
