package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/exchange"
	"corridor/internal/law"
	"corridor/internal/plane"
	"corridor/internal/scan"
)

// publishCmd puts a file into this node's catalogue.
type publishCmd struct {
	nodeFlags
	File        string            `arg:"" help:"CSV, JSON Lines or Parquet file. The node reads it where it is."`
	ID          string            `help:"Identifier of the dataset. Default: the file's name without its ending."`
	Title       string            `help:"Title in the catalogue."`
	Description string            `help:"Description in the catalogue."`
	Metadata    string            `placeholder:"FILE" help:"YAML or JSON file that describes the dataset in the words of DCAT-AP: titles by language, themes, publisher, places, time, licence (docs/management-api.md); - reads standard input."`
	Facts       string            `placeholder:"FILE" help:"YAML or JSON file with facts that you state; - reads standard input."`
	Set         []string          `sep:"none" placeholder:"FACT=VALUE" help:"One fact that you state; the value is YAML. May be repeated." complete:"facts"`
	Plan        string            `placeholder:"FILE" help:"JSON file with what is done to the bytes on their way out, instead of what the scan proposes."`
	AsIs        bool              `help:"Do nothing to the bytes."`
	Policy      string            `placeholder:"FILE" help:"JSON file with the offer's ODRL policy. Default: plain use."`
	Evidence    map[string]string `help:"Evidence for a duty owed before the transfer: obligation=reference." placeholder:"DUTY=REF"`
	By          string            `help:"Who states the evidence." default:"operator"`
	subjectFlags
	Growing bool `help:"The dataset grows: the file is its first increment, and corridor append adds more. Its consumers have a transfer that goes on."`
	DryRun  bool `help:"Show what would be published, and publish nothing."`
}

// Help explains what is stated by whom, with examples.
func (publishCmd) Help() string {
	return `The file is scanned: what is recognised becomes facts and a plan that leaves out, masks or pseudonymises columns. A scan
shows what is there, never what is absent: state the rest with --set, or the law will ask for it.

Laws count people over a year. Name the column that identifies a person (--subject), and whoever is in several datasets counts once.

Examples:
  corridor publish patients.csv --subject id_card --sensitive diagnosis --dry-run --dir node
  corridor publish shipments.csv --dry-run --dir node
  corridor publish shipments.csv --set 'data_classes=[personal]' --set subjects_ytd=1600 --set sensitive_subjects_ytd=0 \
    --evidence pipia=report-17 --evidence contract_with_recipient=C-2026-4 --dir node`
}

// Run scans, proposes, and publishes.
func (c publishCmd) Run(a *app) error {
	report, err := scan.File(a.ctx, c.File, scan.Options{})
	if err != nil {
		return err
	}
	p, err := c.publication(a, report)
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.show(a, report, p)
	}
	node, err := c.client()
	if err != nil {
		return err
	}
	var set catalog.Dataset
	if err := node.postFiles(a.ctx, "/api/datasets", p, &set); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, set)
	}
	return errors.Join(a.print("published %s: %s, %s, offer %s\n", set.ID, megabytes(set.Bytes), set.SHA256, set.Offer.ID), c.sayCounted(a, report))
}

// sayCounted tells how the people of the file are counted over the year.
func (c publishCmd) sayCounted(a *app, report *scan.Report) error {
	column, kind := proposeSubject(report, "")
	switch {
	case report.Subjects.Max == 0:
		return nil
	case c.Subject != "":
		return a.print("people are counted by %s: whoever is in another dataset of this year too counts once\n", c.Subject)
	case column != "":
		return a.print("people are counted as different from those of all other datasets; if %s is different for each person, publish with --subject %s --subject-kind %s\n",
			column, shellWord(column), kind)
	}
	return a.print("people are counted as different from those of all other datasets; if a column identifies a person, name it with --subject and --subject-kind\n")
}

// publication puts the scan's proposals and the operator's statements
// together; a statement may be more exact than the scan, never against it.
func (c publishCmd) publication(a *app, report *scan.Report) (exchange.Publication, error) {
	abs, err := filepath.Abs(c.File)
	if err != nil {
		return exchange.Publication{}, corridor.E(corridor.Invalid, "%w", err)
	}
	p := exchange.Publication{ID: c.ID, Title: c.Title, Description: c.Description, Source: abs, Format: report.Format, Growing: c.Growing, Evidence: evidence(c.Evidence, c.By)}
	if p.Subject, err = c.subject(report); err != nil {
		return p, err
	}
	if p.ID == "" {
		p.ID = strings.TrimSuffix(datasetName(abs), filepath.Ext(abs))
	}
	plan, err := c.plan(a, report)
	if err != nil {
		return p, err
	}
	if p.Plan, err = json.Marshal(plan); err != nil {
		return p, fmt.Errorf("plan: %w", err)
	}
	if c.Metadata != "" {
		if p.Metadata, err = c.metadata(a); err != nil {
			return p, err
		}
	}
	if c.Policy != "" {
		if p.Policy, err = readInput(a, c.Policy); err != nil {
			return p, err
		}
	}
	p.Facts, err = c.facts(a, factsAfter(report, plan))
	return p, err
}

// metadata reads the operator's description strictly.
func (c publishCmd) metadata(a *app) (*catalog.Metadata, error) {
	raw, err := readInput(a, c.Metadata)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: c.Metadata, Msg: "is empty", Fix: "write for example title: {en: Shipments}"}
	}
	var tree any
	if err := yaml.Load(raw, &tree); err != nil {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: c.Metadata, Msg: "not YAML: " + err.Error()}
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "%s: %w", c.Metadata, err)
	}
	var m catalog.Metadata
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: c.Metadata, Msg: misfit(err), Fix: "see the metadata of a dataset in docs/management-api.md"}
	}
	m, err = m.Check()
	return &m, err
}

// misfit says in the words of the file, not of the program, what decoding did
// not like.
func misfit(err error) string {
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) {
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	want := "fields are"
	switch kind.Type.Kind() {
	case reflect.Map:
		want = "a text by language, like {en: Shipments}, is"
		if kind.Type.Elem().Kind() == reflect.Slice {
			want = "a list by language, like {en: [tea, steel]}, is"
		}
	case reflect.Slice:
		want = "a list is"
	case reflect.String:
		want = "a text is"
	}
	return fmt.Sprintf("%s: here stands a value of kind %s, where %s wanted", cmp.Or(kind.Field, "the file"), kind.Value, want)
}

// plan is what the operator gives, or what the scan proposes.
func (c publishCmd) plan(a *app, report *scan.Report) (plane.Plan, error) {
	switch {
	case c.AsIs:
		return plane.Plan{Format: report.Format}, nil
	case c.Plan == "":
		return planOf(report, propose(report)), nil
	}
	raw, err := readInput(a, c.Plan)
	if err != nil {
		return plane.Plan{}, err
	}
	return plane.ParsePlan(raw)
}

// facts joins what the scan found with what the operator states.
func (c publishCmd) facts(a *app, found corridor.Facts) (corridor.Facts, error) {
	var stated []source
	if c.Facts != "" {
		raw, err := readInput(a, c.Facts)
		if err != nil {
			return nil, err
		}
		facts, err := law.ParseFacts(c.Facts, raw)
		if err != nil {
			return nil, err
		}
		stated = append(stated, source{name: c.Facts, facts: facts})
	}
	set, err := factsFromSets(c.Set)
	if err != nil {
		return nil, err
	}
	for _, s := range append(stated, source{name: "the command line", facts: set}) {
		for name, v := range s.facts {
			if have, ok := found[name]; ok {
				if v, err = narrow(name, have, v, s.name); err != nil {
					return nil, err
				}
			}
			found[name] = v
		}
	}
	return found, nil
}

// show prints what would be published.
func (c publishCmd) show(a *app, report *scan.Report, p exchange.Publication) error {
	if c.JSON {
		return printJSON(a.stdout, p)
	}
	rows := [][]string{{"COLUMN", "RECOGNISED", "ON THE WAY OUT"}}
	for _, x := range propose(report) {
		does := "as it is"
		if x.Stage != nil && c.Plan == "" && !c.AsIs {
			does = x.Stage.Do + " " + x.Stage.Param
		}
		rows = append(rows, []string{x.Column, x.What, strings.TrimSpace(does)})
	}
	if err := columns(a.stdout, "no column was recognised as being about people", rows); err != nil {
		return err
	}
	return printJSON(a.stdout, p)
}
