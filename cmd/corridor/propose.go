package main

import (
	"slices"
	"strings"

	"corridor"
	"corridor/internal/plane"
	"corridor/internal/scan"
)

// proposal is what to do to one column on its way out, and why.
type proposal struct {
	Column string       `json:"column"`
	Class  string       `json:"class"`
	What   string       `json:"what"` // what was recognised
	Stage  *plane.Stage `json:"stage,omitempty"`
	Reason string       `json:"reason"`
}

// proposeFrom is the confidence from which a column is treated as what the
// scan takes it for.
const proposeFrom = 0.6

// propose turns what a scan found into stages of the data plane. It leaves
// out what the law treats as sensitive and what only names people, keeps the
// possibility to join rows by pseudonyms, and never touches a column in which
// nothing was recognised.
func propose(r *scan.Report) []proposal {
	var out []proposal
	for _, c := range r.Columns {
		best := -1
		for i, f := range c.Classes {
			if f.Confidence >= proposeFrom && (best < 0 || rank(f) > rank(c.Classes[best])) {
				best = i
			}
		}
		if best < 0 {
			continue
		}
		f := c.Classes[best]
		p := proposal{Column: c.Name, Class: f.Class, What: f.Identifier, Stage: stageFor(c.Name, f), Reason: f.Reason}
		if top, inside := topLevel(r.Format, c.Name); inside && p.Stage != nil {
			p.Stage = &plane.Stage{Do: plane.Drop, Columns: []string{top}} // a stage reaches whole members only
		}
		out = append(out, p)
	}
	return out
}

// topLevel gives the member of a JSON line that a path begins with, and
// whether the path goes on inside it.
func topLevel(format, path string) (string, bool) {
	if format != plane.FormatJSONL {
		return path, false
	}
	if i := strings.IndexAny(path, ".["); i > 0 {
		return path[:i], true
	}
	return path, false
}

// rank orders findings of one column: what must be left out decides.
func rank(f scan.Finding) int {
	switch s := stageFor("", f); {
	case s == nil:
		return 0
	case s.Do == plane.Drop:
		return 3
	case s.Do == plane.Pseudonymise:
		return 2
	}
	return 1
}

// stageFor is the stage for a finding; nil leaves the column as it is.
func stageFor(column string, f scan.Finding) *plane.Stage {
	do, param := stageOf(f)
	if do == "" {
		return nil
	}
	return &plane.Stage{Do: do, Columns: []string{column}, Param: param}
}

func stageOf(f scan.Finding) (do, param string) {
	if scan.NamesOnePerson(f.Identifier) {
		return plane.Pseudonymise, ""
	}
	switch f.Identifier {
	case "login", "device_id", "imei", "vehicle_plate":
		return plane.Pseudonymise, ""
	case "phone":
		return plane.Mask, "keep:2,2"
	case "email":
		return plane.Mask, "keep:1,0"
	case "birth_date":
		return plane.Generalise, "year"
	case "age":
		return plane.Generalise, "bucket:10"
	case "latitude", "longitude":
		return plane.Generalise, "decimals:1"
	case "vehicle", "gender", "nationality":
		return "", ""
	}
	if f.Class == "" || f.Class == "non_personal" { // recognised, and about nobody: numbers of organisations and cargo
		return "", ""
	}
	return plane.Drop, ""
}

// planOf puts the proposals for a file into one plan. Formats that no stage
// can read pass as they are.
func planOf(r *scan.Report, proposals []proposal) plane.Plan {
	plan := plane.Plan{Format: r.Format}
	if r.Format == plane.FormatCSV && r.Delimiter != "," {
		plan.Delimiter = r.Delimiter
	}
	for _, p := range proposals {
		if p.Stage == nil {
			continue
		}
		same := func(s plane.Stage) bool { return s.Do == p.Stage.Do && s.Param == p.Stage.Param }
		if i := slices.IndexFunc(plan.Stages, same); i >= 0 {
			if !slices.Contains(plan.Stages[i].Columns, p.Stage.Columns[0]) {
				plan.Stages[i].Columns = append(plan.Stages[i].Columns, p.Stage.Columns[0])
			}
			continue
		}
		plan.Stages = append(plan.Stages, *p.Stage)
	}
	return plan
}

// factsAfter are the facts of a file as it leaves, under a plan: a class that
// stood only in columns that are left out does not leave. That people are in
// the file stays true even where nothing names them any more.
func factsAfter(r *scan.Report, plan plane.Plan) corridor.Facts {
	dropped := map[string]bool{}
	for _, s := range plan.Stages {
		for _, c := range s.Columns {
			dropped[c] = dropped[c] || s.Do == plane.Drop
		}
	}
	facts := r.Facts.Clone()
	known, _ := facts["data_classes"].(map[string]any)
	has, _ := known["has"].([]any)
	stays := func(class any) bool {
		if class == "personal" {
			return true
		}
		inDropped, elsewhere := false, false
		for _, c := range r.Columns {
			for _, f := range c.Classes {
				top, _ := topLevel(r.Format, c.Name)
				inDropped = inDropped || f.Class == class && dropped[top]
				elsewhere = elsewhere || f.Class == class && !dropped[top]
			}
		}
		return elsewhere || !inDropped
	}
	var left []any
	for _, class := range has {
		if stays(class) {
			left = append(left, class)
		}
	}
	if len(left) > 0 {
		facts["data_classes"] = map[string]any{"has": left}
	}
	return facts
}
