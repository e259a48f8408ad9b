package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/exchange"
	"corridor/internal/law"
	"corridor/internal/scan"
)

// countersCmd shows the year's counts of people.
type countersCmd struct {
	nodeFlags
	Exact bool `help:"Count what is far from every threshold, too, instead of estimating it."`
}

// Help explains the numbers, with examples.
func (countersCmd) Help() string {
	return `How many different people's data this node has let go abroad since 1 January, and how far it is to the next threshold of its law.
Whoever is in several datasets counts once, if the datasets name the column that identifies a person (publish --subject); all
others count as different people. Far from a threshold the number may be an estimate; near one it is always counted.

Examples:
  corridor counters --dir node
  corridor counters --exact --json --dir node`
}

// Run asks the node and prints one block for each count.
func (c countersCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	query := url.Values{}
	if c.Exact {
		query.Set("exact", "true")
	}
	var got exchange.Counters
	if err := node.get(a.ctx, "/api/counters", query, &got); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, got)
	}
	w := countersWords()
	say := func(key string, args ...any) string { return fmt.Sprintf(w[key].In(c.Lang), args...) }
	n := func(v int64) string { return scan.Grouped(v, c.Lang) }
	var b strings.Builder
	b.WriteString(say("head", got.Begins) + "\n")
	for _, x := range got.Items {
		number := say("exact", n(x.High))
		if x.Method != "exact" {
			number = say("sketch", n(x.Low), n(x.High), fmt.Sprintf("%.1f", 100*got.Error))
		}
		fmt.Fprintf(&b, "\n%s (%s)\n  %s\n  %s\n", say(x.Kind), x.Fact, number, say("datasets", x.Datasets))
		if x.AllDifferent > 0 {
			b.WriteString("  " + say("different", n(x.AllDifferent), x.Unkeyed) + "\n")
		}
		b.WriteString(nextLine(x.Next, say, n, c.Lang))
	}
	_, err = fmt.Fprint(a.stdout, b.String())
	return err
}

// nextLine tells the next threshold and the provisions that draw it. Duties
// that go by the same line are left to --json, unless nothing else does.
func nextLine(next *exchange.Next, say func(string, ...any) string, n func(int64) string, lang string) string {
	if next == nil {
		return "  " + say("none") + "\n"
	}
	out := "  " + say("next", n(next.At), n(next.Left)) + "\n"
	duty := func(r law.Line) bool { return r.Kind == "duty" }
	rules := slices.DeleteFunc(slices.Clone(next.Rules), duty)
	if len(rules) == 0 {
		rules = next.Rules
	}
	for _, r := range rules {
		out += "    " + r.Rule + ": " + r.Text.In(lang)
		if len(r.Citations) > 0 {
			out += " (" + citationText(r.Citations[0], lang) + ")"
		}
		out += "\n"
	}
	return out
}

func citationText(c corridor.Citation, lang string) string {
	name := c.Title.In(lang)
	if name == "" {
		name = c.Instrument
	}
	if c.Article == "" || c.Article == "-" {
		return name
	}
	return name + ", " + c.Article
}
