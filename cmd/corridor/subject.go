package main

import (
	"slices"
	"strings"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/scan"
)

// subjectFlags say which column names a person.
type subjectFlags struct {
	Subject     string   `placeholder:"COLUMN" help:"The column that identifies a person, so that whoever is in several datasets is counted once in a year. Without it all are counted as different people."`
	SubjectKind string   `placeholder:"KIND" help:"What that column holds: national_id:CC, passport:CC, tax_id:CC, phone, phone:CALLINGCODE, email or internal:REGISTER."`
	Sensitive   []string `sep:"none" placeholder:"COLUMN" help:"A row with a value in this column is sensitive, for the count of sensitive people. May be repeated."`
}

// subject is what the operator declares, or nothing.
func (f subjectFlags) subject(report *scan.Report) (*catalog.Subject, error) {
	if f.Subject == "" {
		if f.SubjectKind != "" || len(f.Sensitive) > 0 {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--subject", Msg: "is missing", Fix: "name the column that identifies a person"}
		}
		return nil, nil
	}
	for _, name := range append([]string{f.Subject}, f.Sensitive...) {
		if !slices.ContainsFunc(report.Columns, func(c scan.Column) bool { return c.Name == name }) {
			var names []string
			for _, c := range report.Columns {
				names = append(names, c.Name)
			}
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: report.File, Msg: "the file has no column " + name, Fix: "did you mean " + nearest(name, names) + "?"}
		}
	}
	sub := &catalog.Subject{Column: f.Subject, Kind: f.SubjectKind, Sensitive: f.Sensitive}
	if sub.Kind == "" {
		if _, kind := proposeSubject(report, f.Subject); kind != "" {
			sub.Kind = kind
			return sub, nil
		}
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--subject-kind", Msg: "is missing: the scan does not recognise what " + f.Subject + " holds",
			Fix: "give --subject-kind, for example national_id:CN or internal:customers"}
	}
	return sub, nil
}

// proposeSubject finds the column that most surely holds one state's numbers
// of persons, or nothing. It is for the operator to confirm: a column that
// names households would count too few people.
func proposeSubject(r *scan.Report, only string) (column, kind string) {
	best := 0.0
	for _, c := range r.Columns {
		if only != "" && c.Name != only {
			continue
		}
		for _, f := range c.Classes {
			if k := subjectKind(f.Identifier); k != "" && f.Confidence >= proposeFrom && f.Confidence > best {
				column, kind, best = c.Name, k, f.Confidence
			}
		}
	}
	return column, kind
}

// subjectKind gives the kind of a recognised number; empty if it is not one
// state's number of one person.
func subjectKind(identifier string) string {
	switch identifier {
	case "ee_lt_code", "identity_document": // of which state?
		return ""
	case "ru_passport":
		return "passport:RU"
	case "ru_inn_person", "ru_ogrnip", "in_pan", "tj_tax", "de_tax_id", "pt_nif":
		return "tax_id:" + strings.ToUpper(identifier[:2])
	}
	if cc, _, ok := strings.Cut(identifier, "_"); ok && len(cc) == 2 && scan.NamesOnePerson(identifier) {
		return "national_id:" + strings.ToUpper(cc)
	}
	return ""
}
