package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/exchange"
	"corridor/internal/plane"
	"corridor/internal/scan"
)

// appendCmd adds a file to a dataset that grows.
type appendCmd struct {
	nodeFlags
	Dataset string   `arg:"" help:"Dataset of this node that was published with --growing." complete:"datasets"`
	File    string   `arg:"" help:"File of the same form as the first one. The node reads it where it is, and it must stay there unchanged."`
	Number  int64    `help:"Number that the increment is to get: a repeated command then adds nothing twice."`
	Set     []string `sep:"none" placeholder:"FACT=VALUE" help:"The number of people in the file, where the scan does not find it; the value is YAML. May be repeated." complete:"facts"`
}

// Help says what is asked of the file, with an example.
func (appendCmd) Help() string {
	return `The file is scanned. It has to have the columns of the first increment, and nothing may be in it that the facts of the
dataset deny. The law is asked about each increment before it leaves; what it does not let go suspends the transfer.

Examples:
  corridor publish prices-01.csv --id prices --growing --set 'data_classes=[non_personal]' --set subjects_in_file=0 --dir node
  corridor append prices prices-02.csv --set subjects_in_file=0 --dir node`
}

// Run scans and adds.
func (c appendCmd) Run(a *app) error {
	report, err := scan.File(a.ctx, c.File, scan.Options{})
	if err != nil {
		return err
	}
	node, err := c.client()
	if err != nil {
		return err
	}
	found, err := allPages[catalog.Dataset](a.ctx, node, "/api/datasets", url.Values{"id": {c.Dataset}})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return &corridor.Error{Kind: corridor.NotFound, Where: c.Dataset, Msg: "is not in the catalogue of this node", Fix: "publish it with --growing"}
	}
	p := exchange.Addition{Number: c.Number}
	if p.Source, err = filepath.Abs(c.File); err != nil {
		return corridor.E(corridor.Invalid, "%w", err)
	}
	if p.Facts, err = c.numbers(found[0], report); err != nil {
		return err
	}
	var added exchange.Added
	if err := node.postFiles(a.ctx, "/api/datasets/"+url.PathEscape(c.Dataset)+"/increments", p, &added); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, added)
	}
	return a.print("added to %s as increment %d: %s, %s\n", added.Dataset, added.Number, megabytes(added.Bytes), added.SHA256)
}

// numbers gives the numbers of people in the file, and refuses what the facts of
// the dataset deny.
func (c appendCmd) numbers(d catalog.Dataset, report *scan.Report) (corridor.Facts, error) {
	plan := plane.Plan{Format: d.Format}
	if len(d.Plan) > 0 {
		if err := json.Unmarshal(d.Plan, &plan); err != nil {
			return nil, corridor.E(corridor.Invalid, "the plan of %s: %w", d.ID, err)
		}
	}
	if report.Format != d.Format {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: c.File, Msg: fmt.Sprintf("is %s, and the dataset is %s", report.Format, d.Format), Fix: "add a file of the same form"}
	}
	stated, err := factsFromSets(c.Set)
	if err != nil {
		return nil, err
	}
	out := corridor.Facts{}
	for name, v := range factsAfter(report, plan) {
		said, known := d.Facts[name]
		number := slices.Contains([]string{"subjects_in_file", "sensitive_subjects_in_file", "genome_subjects"}, name)
		switch {
		case number && known:
			out[name] = v
		case number || !known:
			return nil, contradicts(name, v, "nothing", "the dataset")
		default:
			if _, err := narrow(name, v, said, "the dataset"); err != nil {
				return nil, err
			}
		}
	}
	for name, v := range stated {
		if have, scanned := out[name]; scanned {
			if v, err = narrow(name, have, v, "the command line"); err != nil {
				return nil, err
			}
		}
		out[name] = v
	}
	return out, nil
}
