package main

import (
	"fmt"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/scan"
)

// holdsNothing says of a column that it holds no data of any class.
const holdsNothing = "none"

// stated adds what the officer says of columns to what the scan found, and
// gives the facts that follow.
func stated(r *scan.Report, holds []string) (corridor.Facts, error) {
	var has []any
	for _, h := range holds {
		column, class, ok := strings.Cut(h, "=")
		at := -1
		if ok && r != nil && class != "" {
			at = slices.IndexFunc(r.Columns, func(c scan.Column) bool { return c.Name == column })
		}
		if at < 0 {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--holds " + h, Msg: "is not a column of the file and a class of data",
				Fix: "for example: --holds route=location_track, or --holds route=none if it holds no data of any class"}
		}
		c := &r.Columns[at]
		c.Unknown = false
		if class == holdsNothing {
			c.Classes = append(c.Classes, scan.Finding{Identifier: "stated", Confidence: 1})
			continue
		}
		c.Classes = append(c.Classes, scan.Finding{Class: class, Identifier: "stated", Confidence: 1})
		has = append(has, class)
	}
	if has == nil {
		return nil, nil
	}
	return corridor.Facts{"data_classes": map[string]any{"has": has}}, nil
}

// unknownColumns names the columns of which neither the scan nor the officer
// says what they hold.
func unknownColumns(r *scan.Report) []string {
	var out []string
	if r != nil {
		for _, c := range r.Columns {
			if c.Unknown {
				out = append(out, c.Name)
			}
		}
	}
	return out
}

// reopened takes back that a flow holds nothing about people, where a column
// of its file may name some. ok is false where it does not say so.
func reopened(lib *law.Library, facts corridor.Facts) (classes map[string]any, ok bool) {
	has, lacks := memberWords(facts["data_classes"]), []string(nil)
	if m, shape := factShape(facts["data_classes"]); shape {
		has, lacks = memberWords(m["has"]), memberWords(m["lacks"])
	} else {
		for _, f := range lib.Vocabulary() {
			if f.Name == "data_classes" {
				lacks = slices.DeleteFunc(slices.Clone(f.Values), func(v string) bool { return slices.Contains(has, v) })
			}
		}
	}
	open := []string{"personal", "non_personal"}
	denied := slices.Contains(lacks, "personal") || slices.Contains(has, "non_personal")
	if facts["data_classes"] == nil || !denied || slices.Contains(has, "personal") {
		return nil, false
	}
	known := func(v string) bool { return slices.Contains(open, v) }
	return map[string]any{"has": slices.DeleteFunc(has, known), "lacks": slices.DeleteFunc(lacks, known)}, true
}

// weigh holds what is stated against what the scan of the file shows: columns
// that may name people keep that question open, and a year's count that is
// below the scan's estimate is doubted.
func (c flowFlags) weigh(a *app, lib *law.Library, g *gathered) {
	say := newPhrases(c.Lang).say
	if names := unknownColumns(g.report); len(names) > 0 {
		if classes, ok := reopened(lib, g.flow.Facts); ok {
			g.flow.Facts["data_classes"] = classes
			fmt.Fprintln(a.stderr, "corridor:", say("unknown.columns", strings.Join(names[:min(len(names), 20)], ", ")))
		}
	}
	if g.report == nil {
		return
	}
	if names := c.overAssumed(lib, g); names != nil {
		fmt.Fprintln(a.stderr, "corridor:", say("unknown.assumed", scan.Grouped(g.report.Subjects.Estimate, c.Lang), strings.Join(names, ", "), c.Assume))
	}
	for _, x := range []struct {
		file  int64
		count []string
	}{
		{g.report.Subjects.Estimate, []string{"subjects_ytd", "sensitive_subjects_ytd"}},
		{g.report.Sensitive.Estimate, []string{"sensitive_subjects_ytd"}},
	} {
		if most, ok := mostOf(g.flow.Facts, x.count); ok && x.file > most {
			fmt.Fprintln(a.stderr, "corridor:", say("unknown.count", scan.Grouped(x.file, c.Lang), strings.Join(x.count, " + "), scan.Grouped(most, c.Lang)))
			return
		}
	}
}

// overAssumed leaves a year's count open that a profile assumes and that the
// scan's estimate does not fit into. It asks the engine, which takes an
// assumption back where what is given contradicts it.
func (c flowFlags) overAssumed(lib *law.Library, g *gathered) []string {
	if c.Assume == "" || g.report.Subjects.Estimate == 0 {
		return nil
	}
	probe := g.flow
	probe.Facts = g.flow.Facts.Clone()
	probe.Facts["subjects_in_file"] = map[string]any{"min": g.report.Subjects.Estimate}
	before, err := lib.Decide(g.flow)
	after, again := lib.Decide(probe)
	if err != nil || again != nil {
		return nil // what is wrong is said when the flow is decided
	}
	var names []string
	for _, name := range []string{"subjects_ytd", "sensitive_subjects_ytd"} {
		if assumes(before, name) && !assumes(after, name) {
			g.flow.Facts[name] = map[string]any{"min": int64(0)}
			names = append(names, name)
		}
	}
	return names
}

func assumes(v corridor.Verdict, fact string) bool {
	return slices.ContainsFunc(v.Sides, func(d corridor.Decision) bool {
		return slices.ContainsFunc(d.Assumed, func(a string) bool { name, _, _ := strings.Cut(a, " "); return name == fact })
	})
}

// mostOf is the largest sum of stated numbers; not ok if one has no bound.
func mostOf(facts corridor.Facts, names []string) (sum int64, ok bool) {
	for _, name := range names {
		n, ok := wholeNumber(facts[name])
		if m, shape := factShape(facts[name]); shape {
			n, ok = wholeNumber(m["max"])
		}
		if !ok {
			return 0, false
		}
		sum += n
	}
	return sum, true
}
