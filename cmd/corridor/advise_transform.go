package main

import (
	"slices"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/plane"
	"corridor/internal/scan"
)

// suspectFrom is the confidence from which a column counts as what it may be
// when data is taken away: better one column too many than one too few.
const suspectFrom = 0.4

// transformOf names the columns for the steps of a plan that the data plane
// carries out. nil: it has none, or one that is beyond the data plane.
func transformOf(r *scan.Report, actions []law.Action) *plane.Plan {
	var list []proposal
	for _, c := range r.Columns {
		var best *plane.Stage
		for _, a := range actions {
			if s := stageOn(r.Format, c, a); s != nil && (best == nil || strength(s.Do) > strength(best.Do)) {
				best = s
			}
		}
		if best != nil {
			list = append(list, proposal{Column: c.Name, Stage: best})
		}
	}
	staged := slices.ContainsFunc(actions, func(a law.Action) bool { return a.Stage != "" })
	beyond := slices.ContainsFunc(actions, func(a law.Action) bool { return a.Stage == "aggregate" })
	plan := planOf(r, dropsFirst(r.Format, list))
	if !staged || beyond || len(plan.Stages) == 0 || plan.Validate() != nil {
		return nil
	}
	return &plan
}

func strength(do string) int {
	return slices.Index([]string{plane.Generalise, plane.Mask, plane.Pseudonymise, plane.Drop}, do)
}

// dropsFirst leaves only the drop where parts of one JSON member get a drop
// and something else.
func dropsFirst(format string, list []proposal) []proposal {
	dropped := map[string]bool{}
	for _, p := range list {
		top, _ := topLevel(format, p.Column)
		dropped[top] = dropped[top] || p.Stage.Do == plane.Drop
	}
	var out []proposal
	for _, p := range list {
		if top, _ := topLevel(format, p.Column); p.Stage.Do == plane.Drop || !dropped[top] {
			out = append(out, p)
		}
	}
	return out
}

// stageOn is what an action does to a column; nil leaves it as it is. A stage
// reaches whole members of a JSON line only.
func stageOn(format string, c scan.Column, a law.Action) *plane.Stage {
	do, param := "", ""
	for _, f := range c.Classes {
		if f.Confidence < suspectFrom || f.Class == "personal" && len(a.Removes) == 0 && content(c, f) {
			continue
		}
		if d, p := stageFrom(c, f, a); d != "" && (do == "" || strength(d) > strength(do)) {
			do, param = d, p
		}
	}
	if do == "" {
		return nil
	}
	top, inside := topLevel(format, c.Name)
	if inside {
		do, param = plane.Drop, ""
	}
	return &plane.Stage{Do: do, Columns: []string{top}, Param: param}
}

// content says whether a finding is only the personal side of another one: a
// diagnosis is about a person and names nobody.
func content(c scan.Column, f scan.Finding) bool {
	return slices.ContainsFunc(c.Classes, func(o scan.Finding) bool {
		return o.Identifier == f.Identifier && o.Class != f.Class && o.Class != ""
	})
}

// unplaced lists the classes that a plan takes out of the file and for which
// no column was recognised: the transformation would miss them.
func unplaced(r *scan.Report, stated corridor.Facts, actions []law.Action) []string {
	has := memberWords(stated["data_classes"])
	if m, ok := factShape(stated["data_classes"]); ok {
		has = memberWords(m["has"])
	}
	var out []string
	for _, a := range actions {
		for _, class := range a.Removes {
			seen := slices.ContainsFunc(r.Columns, func(c scan.Column) bool {
				return slices.ContainsFunc(c.Classes, func(f scan.Finding) bool { return f.Class == class && f.Confidence >= suspectFrom })
			})
			if a.Stage != "" && slices.Contains(has, class) && !seen && !slices.Contains(out, class) {
				out = append(out, class)
			}
		}
	}
	return out
}

// onlyConfirms says whether a step takes away nothing that is known to be
// there: no column is left out for it, and a person has to look.
func onlyConfirms(r *scan.Report, a law.Action) bool {
	if a.Stage != plane.Drop || len(a.Removes) == 0 || len(a.Open) < len(a.Removes) {
		return false
	}
	return r == nil || !slices.ContainsFunc(r.Columns, func(c scan.Column) bool { return stageOn(r.Format, c, a) != nil })
}

// toConfirm lists the classes of such steps.
func toConfirm(r *scan.Report, actions []law.Action) []string {
	var out []string
	for _, a := range actions {
		if onlyConfirms(r, a) {
			out = append(out, a.Removes...)
		}
	}
	return out
}

func stageFrom(c scan.Column, f scan.Finding, a law.Action) (do, param string) {
	hit := slices.Contains(a.Removes, f.Class)
	switch {
	case a.Stage == plane.Drop && hit:
		return plane.Drop, ""
	case a.Stage == plane.Generalise && hit:
		return coarsen(c, f)
	case len(a.Removes) > 0 || f.Class == "":
		return "", ""
	case a.Stage == plane.Pseudonymise && names(f):
		return tokenise(f)
	case a.Stage == plane.Generalise && names(f):
		return plane.Drop, ""
	case a.Stage == plane.Generalise && pointsTo(f):
		return coarsen(c, f)
	}
	return "", ""
}

// pointsTo says whether a finding may point to a person together with others,
// without naming one.
func pointsTo(f scan.Finding) bool {
	switch f.Identifier {
	case "birth_date", "age", "birth_place", "latitude", "longitude", "coordinates", "location_track":
		return true
	}
	return false
}

// names says whether a finding tells who somebody is. What is not known to be
// harmless does.
func names(f scan.Finding) bool {
	if pointsTo(f) {
		return false
	}
	switch f.Identifier {
	case "gender", "nationality", "marital_status", "salary", "kz_bin", "ru_inn_organisation":
		return false
	case "payment_card", "bank_account", "imei", "photo":
		return true
	}
	switch f.Class {
	case "personal", "biometric", "genetic", "credential", "telecom_subscriber", "aml_kyc", "insurance_record":
		return true
	}
	return false
}

// tokenise keeps what joins rows; what cannot be a token for anything goes.
func tokenise(f scan.Finding) (do, param string) {
	switch {
	case f.Identifier == "postal_address", f.Identifier == "photo", f.Class == "biometric", f.Class == "genetic", f.Class == "credential":
		return plane.Drop, ""
	}
	return plane.Pseudonymise, ""
}

// coarsen is how a value that points to someone is made less exact; what
// cannot be made so goes.
func coarsen(c scan.Column, f scan.Finding) (do, param string) {
	number := c.Type == "decimal" || c.Type == "int"
	switch {
	case f.Identifier == "birth_date" && (c.Type == "date" || c.Type == "datetime"):
		return plane.Generalise, "year"
	case f.Identifier == "age" && c.Type == "int":
		return plane.Generalise, "bucket:10"
	case (f.Identifier == "latitude" || f.Identifier == "longitude") && number:
		return plane.Generalise, "decimals:1"
	}
	return plane.Drop, ""
}

// refuses names the action of a plan that this file does not bear: it touches
// a column to be kept, replaces the records that the column is part of, or
// leaves nothing.
func refuses(r *scan.Report, actions []law.Action, keep []string) string {
	for _, a := range actions {
		left := len(r.Columns)
		for _, c := range r.Columns {
			s := stageOn(r.Format, c, a)
			if s == nil {
				continue
			}
			top, _ := topLevel(r.Format, c.Name)
			if slices.ContainsFunc(keep, func(k string) bool { t, _ := topLevel(r.Format, k); return t == top }) {
				return a.ID
			}
			if s.Do == plane.Drop {
				left--
			}
		}
		if left == 0 || len(keep) > 0 && replacesRecords(a) {
			return a.ID
		}
	}
	return ""
}

// replacesRecords says whether something else is sent than the records.
func replacesRecords(a law.Action) bool {
	_, stays := a.Sets["access_mode"] // the computation still sees the records
	deid := a.Sets["deid"]
	return !stays && (deid == "aggregated" || deid == "synthetic")
}
