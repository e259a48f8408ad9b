package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/editions"
	"corridor/internal/law"
	"corridor/internal/plane"
	"corridor/internal/scan"
	"corridor/packs"
)

// demoSubject is what is exchanged, and what the law says about it.
type demoSubject struct {
	report    *scan.Report
	proposals []proposal
	plan      plane.Plan
	facts     corridor.Facts // stated by the exporter
	importer  corridor.Facts // stated by the importer
	verdict   corridor.Verdict
}

const (
	demoPurpose = "trade_logistics"
	demoProfile = "ordinary_private_exporter"
	demoOfficer = "demo officer"
)

// scanFile looks into the file and proposes what to do to its columns.
func (d *demo) scanFile() error {
	if d.ownFile {
		d.file = d.place("shipments.csv")
		if err := unpackShipments(d.file); err != nil {
			return err
		}
		d.show.aside(d.words.t("scan.demo", d.file))
	}
	if err := d.look(); err != nil {
		return err
	}
	r := d.subject.report
	d.show.say(d.words.t("scan.size", r.Rows, len(r.Columns), megabytes(r.Bytes)))
	if n := r.Subjects; n.Max > 0 || n.Min > 0 {
		count := fmt.Sprint(n.Min)
		if n.Max > n.Min {
			count = d.words.t("scan.range", n.Min, n.Max)
		}
		d.show.say(d.words.t("scan.people", count))
	}
	d.showProposals()
	d.show.note("file", d.file)
	d.show.note("rows", r.Rows)
	d.show.note("sha256", r.SHA256)
	d.show.note("columns", d.subject.proposals)
	d.show.note("facts", r.Facts)
	if d.ownFile && (r.Rows < 5000 || len(d.subject.proposals) < 4) {
		return fmt.Errorf("the demo's own file gives %d rows and %d columns about people", r.Rows, len(d.subject.proposals))
	}
	return nil
}

// look scans the file and states the facts that a scan cannot know.
func (d *demo) look() (err error) {
	sub := &d.subject
	if sub.report, err = scan.File(d.ctx, d.file, scan.Options{Lang: d.words.lang}); err != nil {
		return err
	}
	sub.proposals = propose(sub.report)
	sub.plan = planOf(sub.report, sub.proposals)
	sub.facts = demoFacts(sub.report, sub.plan)
	sub.importer = corridor.Facts{"ai_role": "none", "decision_effect": "none"}
	return nil
}

// mostShown bounds lists on the screen.
const mostShown = 8

func (d *demo) showProposals() {
	if len(d.subject.proposals) == 0 {
		d.show.say(d.words.t("scan.none"))
		return
	}
	var rows [][]string
	for _, p := range d.subject.proposals {
		if len(rows) == mostShown {
			rows = append(rows, []string{d.words.t("scan.more", len(d.subject.proposals)-mostShown), "", ""})
			break
		}
		what := ""
		if p.Stage != nil {
			what = "-> " + d.words.t("stage."+p.Stage.Do)
		}
		rows = append(rows, []string{p.Column, strings.ReplaceAll(p.What, "_", " "), what})
	}
	d.show.table(rows)
}

// demoFacts are the facts of the file as it leaves, with what an officer of
// the exporter would state: that the scan found every class of data, and how
// the exporter stands with its authorities.
func demoFacts(r *scan.Report, plan plane.Plan) corridor.Facts {
	f := factsAfter(r, plan)
	found, _ := f["data_classes"].(map[string]any)
	classes, _ := found["has"].([]any)
	for _, c := range suspected(r) {
		if !slices.Contains(classes, any(c)) {
			classes = append(classes, c)
		}
	}
	if len(classes) == 0 {
		classes = []any{"non_personal"}
	}
	f["data_classes"] = classes
	f["data_source"], f["local_copy"], f["onward"], f["genome_subjects"] = "domestic", true, "none", 0
	if slices.Contains(classes, any("personal")) {
		f["deid"] = "none"
		if len(plan.Stages) > 0 {
			f["deid"] = "pseudonymised"
		}
		f["subjects_ytd"] = f["subjects_in_file"]
		f["sensitive_subjects_ytd"] = 0
		if n, some := f["sensitive_subjects_in_file"]; some && len(classes) > 1 {
			f["sensitive_subjects_ytd"] = n
		}
	}
	none := map[string]any{"state": "none"}
	f["vehicles"] = map[string]any{"cn.standard_contract": none, "cn.certification": none, "cn.security_assessment": none,
		"cn.treaty_terms": none, "cn.authority_approval": none}
	return f
}

// suspected lists the classes of data of the state that a scan only hints at.
// Nobody may say in an officer's place that they are not there.
func suspected(r *scan.Report) []string {
	var out []string
	for _, c := range r.Columns {
		for _, f := range c.Classes {
			switch f.Class {
			case "state_secret", "core", "important", "export_controlled", "govt_restricted":
				out = append(out, f.Class)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// askLaw asks both sides' law and shows the answers with their articles.
func (d *demo) askLaw() error {
	sub := &d.subject
	loading := time.Now()
	fresh, err := editions.Compile(packs.FS(), editions.UserImages()) // again, to show what it costs
	if err != nil {
		return err
	}
	loaded := time.Since(loading)
	flow := d.flow(fresh)
	if _, err := fresh.Decide(flow); err != nil { // compiles what this pair of countries needs
		return err
	}
	asking := time.Now()
	if sub.verdict, err = fresh.Decide(flow); err != nil {
		return err
	}
	took := time.Since(asking)
	d.sayBasis(fresh)
	d.showVerdict(sub.verdict)
	d.show.aside(d.words.t("law.cost", len(fresh.Packs()), duration(loaded), duration(took)))
	d.show.note("outcome", sub.verdict.Outcome)
	d.show.note("obligations", sub.verdict.Obligations)
	d.show.note("sides", sideNotes(sub.verdict))
	d.show.note("assumed", flow.Assume)
	return d.settle()
}

// flow is the exchange as both laws see it.
func (d *demo) flow(rules *law.Library) corridor.Flow {
	facts := d.subject.facts.Clone()
	maps.Copy(facts, d.subject.importer)
	facts["purpose"], facts["exporter_traits"], facts["recipient_type"], facts["recipient_flags"] = demoPurpose, []any{}, "private", []any{}
	f := corridor.Flow{Date: corridor.DateOf(time.Now()), Origin: d.scene.exporter.country, Destination: d.scene.importer.country, Facts: facts}
	if !d.ownFile {
		f.Assume = demoProfile
	}
	return f
}

// settle decides how the demo goes on after the law has answered. For the
// user's own file a refusal is a true answer: the demo says so, sends nothing
// of it, and goes on with its own file.
func (d *demo) settle() error {
	v := d.subject.verdict
	if v.Outcome.Permits() || v.Outcome == corridor.NeedsApproval {
		return nil
	}
	if d.ownFile {
		return fmt.Errorf("the law answers %s where the demo's own file may go", v.Outcome)
	}
	if v.Outcome == corridor.Undetermined {
		d.show.say(d.words.t("ownfile.open"))
	} else {
		d.show.say(d.words.t("ownfile.stop"))
	}
	return d.useOwnFile()
}

// useOwnFile goes on with the demo's own file, after the user's may not go or
// cannot be carried safely.
func (d *demo) useOwnFile() error {
	d.show.note("not_sent", d.file)
	d.ownFile, d.file = true, d.place("shipments.csv")
	if err := unpackShipments(d.file); err != nil {
		return err
	}
	if err := d.look(); err != nil {
		return err
	}
	var err error
	d.subject.verdict, err = d.scene.rules.Decide(d.flow(d.scene.rules))
	if err == nil && !d.subject.verdict.Outcome.Permits() {
		err = fmt.Errorf("the law answers %s where the demo's own file may go", d.subject.verdict.Outcome)
	}
	return err
}

// rehearse carries out the plan without sending anything, so that a file of
// the user's that the data plane cannot read safely is refused before it is
// offered, with the row and the reason.
func (d *demo) rehearse() error {
	src, err := plane.NewFiles().Source(d.file, "").Open(d.ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = plane.Transform(d.ctx, src, io.Discard, d.subject.plan, make([]byte, 32))
	return err
}

// sayBasis says on whose word the facts rest.
func (d *demo) sayBasis(rules *law.Library) {
	var stated []string
	for _, name := range slices.Sorted(maps.Keys(d.subject.facts)) {
		if name == "vehicles" || strings.HasSuffix(name, "_in_file") {
			continue
		}
		stated = append(stated, name+" = "+factText(d.subject.facts[name]))
	}
	list := strings.Join(stated, ", ")
	if d.ownFile {
		d.show.aside(d.words.t("law.states", list))
		return
	}
	for _, p := range rules.Profiles() {
		if p.Name == demoProfile {
			d.show.aside(d.words.t("law.assumes", list, p.Name, p.Text.In(d.words.lang)))
		}
	}
}

// factText writes a fact's value for a person.
func factText(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, m := range v {
			parts[i] = fmt.Sprint(m)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		low, high := v["min"], v["max"]
		switch {
		case low != nil && high != nil:
			return fmt.Sprintf("%v to %v", low, high)
		case low != nil:
			return fmt.Sprintf("at least %v", low)
		}
	}
	return fmt.Sprint(v)
}

// showVerdict prints each side's answer, then both together.
func (d *demo) showVerdict(v corridor.Verdict) {
	for _, side := range v.Sides {
		if side.Side == corridor.Treaty && side.Silent() {
			d.show.aside(d.words.t("law.treaties.none"))
			continue
		}
		whose := d.words.t("law.treaty")
		if side.Side != corridor.Treaty {
			whose = d.words.t("law."+string(side.Side), d.words.t(side.Jurisdiction))
		}
		d.show.mark(outcomeColour(side.Outcome), d.words.t(side.Outcome.String()), whose)
		for _, m := range side.Matched {
			if drives(m, side.Outcome) {
				d.show.under(plain, m.Text.In(d.words.lang))
				d.show.under(blue, citeText(m.Citations, d.words.lang)+" ("+d.words.t("source."+string(m.Source))+")")
			}
		}
		for _, n := range side.Notes {
			d.show.under(faint, n)
		}
		if len(side.Questions) > 0 && side.Outcome == corridor.Undetermined {
			var ask []string
			for _, q := range side.Questions {
				ask = append(ask, q.Text.In(d.words.lang))
			}
			d.show.under(amber, d.words.t("law.missing", strings.Join(ask, " ")))
		}
	}
	d.showDuties(v)
	d.show.mark(outcomeColour(v.Outcome), d.words.t("law.both", d.words.t(v.Outcome.String())), "")
}

// showDuties prints the duties that are certain: those owed before the
// transfer in words, the later ones by name.
func (d *demo) showDuties(v corridor.Verdict) {
	var later []string
	for _, side := range v.Sides {
		for _, o := range side.Duties {
			switch {
			case !o.Certain:
			case o.When == "before":
				d.show.mark(amber, d.words.t("law.before"), o.Text.In(d.words.lang)+" ("+o.ID+")")
			default:
				later = append(later, strings.ReplaceAll(o.ID, "_", " "))
			}
		}
	}
	if len(later) > 0 {
		d.show.mark(faint, d.words.t("law.later"), strings.Join(later, ", "))
	}
}

// drives says whether a provision is what a side's outcome rests on.
func drives(m corridor.Match, outcome corridor.Outcome) bool {
	return m.Certain && m.Kind != "duty" && (m.Outcome == outcome || m.Kind == "exemption")
}

func outcomeColour(o corridor.Outcome) string {
	switch o {
	case corridor.Allow, corridor.AllowWithObligations:
		return green
	case corridor.Deny:
		return red
	}
	return amber
}

// citeText writes citations as a lawyer would.
func citeText(cites []corridor.Citation, lang string) string {
	var out []string
	for _, c := range cites {
		title := c.Title.In(lang)
		if title == "" {
			title = c.Instrument
		}
		out = append(out, title+", "+article(lang, c.Article))
	}
	return strings.Join(out, "; ")
}

func article(lang, number string) string {
	switch lang {
	case "zh":
		return "第" + number + "条"
	case "ru":
		return "ст. " + number
	}
	return "art. " + number
}

// sideNotes is what the JSON lines say of each side.
func sideNotes(v corridor.Verdict) []map[string]any {
	var out []map[string]any
	for _, s := range v.Sides {
		cites := []string{}
		for _, m := range s.Matched {
			if drives(m, s.Outcome) {
				cites = append(cites, citeText(m.Citations, "en"))
			}
		}
		out = append(out, map[string]any{"jurisdiction": s.Jurisdiction, "side": s.Side, "outcome": s.Outcome, "articles": cites, "pack": s.Pack.Digest})
	}
	return out
}
