package plane

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"corridor"
)

// Formats that a plan with stages can read. A plan without stages passes any
// format through, byte for byte.
const (
	FormatCSV     = "csv"
	FormatJSONL   = "jsonl"
	FormatParquet = "parquet"
)

// What a stage does.
const (
	Drop         = "drop"         // removes the columns
	Mask         = "mask"         // "keep:F,L": stars for all but the first F and last L characters
	Pseudonymise = "pseudonymise" // a keyed token: "" for a name space per column, "group:NAME" to share one
	Generalise   = "generalise"   // "year", "month", "bucket:N", "prefix:N", "decimals:N"
)

const defaultMask = "keep:0,2"

// Plan is what is done to a dataset on its way out.
type Plan struct {
	Format string  `json:"format"`
	Stages []Stage `json:"stages,omitempty"`
	// Delimiter of CSV: one of , ; | or a tab. Empty: the one under which the
	// header holds every column that the stages name.
	Delimiter string `json:"delimiter,omitempty"`
}

// Stage does one thing to some columns. Stages that name the same column run
// in the order of the plan.
type Stage struct {
	Do      string   `json:"do"`
	Columns []string `json:"columns"`
	Param   string   `json:"param,omitempty"`
}

// ParsePlan reads and validates a plan. Unknown and repeated members are
// refused: a stage that is not understood would let data through.
func ParsePlan(raw []byte) (Plan, error) {
	var p Plan
	if err := p.UnmarshalJSON(raw); err != nil {
		return Plan{}, err
	}
	return p, p.Validate()
}

// UnmarshalJSON implements json.Unmarshaler, strictly. Members that are absent
// keep the value that they had.
func (p *Plan) UnmarshalJSON(raw []byte) error {
	if len(raw) > MaxPlan {
		return corridor.E(corridor.Limited, "a plan of %d bytes is over the limit of %d", len(raw), MaxPlan)
	}
	canon, err := corridor.Canonicalize(raw)
	if err != nil {
		return corridor.E(corridor.Invalid, "plan: %w", err)
	}
	type plain Plan
	v := plain(*p)
	dec := json.NewDecoder(bytes.NewReader(canon))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		e := corridor.E(corridor.Invalid, "plan: %w", err)
		e.Fix = "a plan has format, stages and delimiter; a stage has do, columns and param"
		return e
	}
	*p = Plan(v)
	return nil
}

// Digest names the plan by its content.
func (p Plan) Digest() (string, error) {
	raw, err := corridor.Canonical(p)
	if err != nil {
		return "", err
	}
	return corridor.Digest(raw), nil
}

// Pseudonymises says whether the plan needs a key.
func (p Plan) Pseudonymises() bool {
	return slices.ContainsFunc(p.Stages, func(s Stage) bool { return s.Do == Pseudonymise })
}

// Validate checks all that can be checked without the file.
func (p Plan) Validate() error {
	formats := []string{FormatCSV, FormatJSONL, FormatParquet}
	if len(p.Stages) > 0 && !slices.Contains(formats, p.Format) {
		return unknown("format", "format", p.Format, formats, "a plan with stages needs a format that the data plane can read")
	}
	if p.Delimiter != "" && (p.Format != FormatCSV || !slices.Contains(delimiters(), p.Delimiter)) {
		return &corridor.Error{Kind: corridor.Invalid, Where: "delimiter", Msg: fmt.Sprintf("delimiter %q is not known", p.Delimiter),
			Fix: "for csv, write one of , ; | or a tab; else leave it out"}
	}
	dropped := map[string]bool{}
	for i, s := range p.Stages {
		at := fmt.Sprintf("stages[%d]", i)
		if _, err := s.compile(at); err != nil {
			return err
		}
		if len(s.Columns) == 0 {
			return &corridor.Error{Kind: corridor.Invalid, Where: at + ".columns", Msg: s.Do + " names no column", Fix: "name the columns, as the file's header writes them"}
		}
		for j, c := range s.Columns {
			here := fmt.Sprintf("%s.columns[%d]", at, j)
			switch {
			case c == "" || !utf8.ValidString(c):
				return &corridor.Error{Kind: corridor.Invalid, Where: here, Msg: "the name of the column is empty or not UTF-8"}
			case slices.Contains(s.Columns[:j], c):
				return &corridor.Error{Kind: corridor.Invalid, Where: here, Msg: fmt.Sprintf("column %q is named twice", c)}
			case dropped[c]:
				return &corridor.Error{Kind: corridor.Invalid, Where: here, Msg: fmt.Sprintf("column %q is already dropped by an earlier stage", c)}
			}
			if s.Do == Drop {
				dropped[c] = true
			}
		}
	}
	return nil
}

func delimiters() []string { return []string{",", ";", "\t", "|"} }

// compile reads the stage's parameter. The operation of a drop is nil.
func (s Stage) compile(at string) (operation, error) {
	bad := func(want string) error {
		return &corridor.Error{Kind: corridor.Invalid, Where: at + ".param", Msg: fmt.Sprintf("%s: param %q is not known", s.Do, s.Param), Fix: want}
	}
	switch s.Do {
	case Drop:
		if s.Param != "" {
			return nil, bad("drop takes no param")
		}
		return nil, nil
	case Mask:
		first, last, ok := twoInts(strings.CutPrefix(orElse(s.Param, defaultMask), "keep:"))
		if !ok {
			return nil, bad("write keep:F,L with how many first and last characters stay, each 0 to 64; the default is " + defaultMask)
		}
		return maskOp{first, last}, nil
	case Pseudonymise:
		group, ok := strings.CutPrefix(s.Param, "group:")
		if s.Param != "" && (!ok || group == "" || len(group) > 128 || !utf8.ValidString(group)) {
			return nil, bad("write group:NAME for columns that share one name space, or leave it out")
		}
		return pseudoOp{group: group}, nil
	case Generalise:
		if op := generalisation(s.Param); op != nil {
			return op, nil
		}
		return nil, bad("write year, month, bucket:N (whole numbers), prefix:N (characters) or decimals:N (digits after the point)")
	}
	return nil, unknown("stage", at+".do", s.Do, []string{Drop, Mask, Pseudonymise, Generalise}, "")
}

// generalisation gives nil for a parameter that is not known.
func generalisation(param string) operation {
	switch param {
	case "year":
		return dateOp{len("2006")}
	case "month":
		return dateOp{len("2006-01")}
	}
	kind, arg, ok := strings.Cut(param, ":")
	n, err := strconv.ParseInt(arg, 10, 64)
	if !ok || err != nil || n < 0 || arg != strconv.FormatInt(n, 10) {
		return nil
	}
	switch {
	case kind == "bucket" && n >= 1 && n <= maxBucket:
		return bucketOp{n}
	case kind == "prefix" && n <= 64:
		return prefixOp{int(n)}
	case kind == "decimals" && n <= 15:
		return decimalsOp{int(n)}
	}
	return nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func twoInts(s string, ok bool) (int, int, bool) {
	a, b, both := strings.Cut(s, ",")
	x, err1 := strconv.ParseUint(a, 10, 8)
	y, err2 := strconv.ParseUint(b, 10, 8)
	return int(x), int(y), ok && both && err1 == nil && err2 == nil && x <= 64 && y <= 64
}

// unknown refuses a name and offers the nearest one that is known.
func unknown(what, where, got string, known []string, why string) error {
	e := &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: fmt.Sprintf("%s %q is not known", what, clip(got)), Why: why}
	if near := nearest(got, known); near != "" {
		e.Fix = fmt.Sprintf("did you mean %q?", near)
	} else {
		e.Fix = "known are: " + clipList(known)
	}
	return e
}

// clip keeps foreign text in messages short.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if r := []rune(s); len(r) > 64 {
		return string(r[:64]) + "..."
	}
	return s
}

func clipList(names []string) string {
	var out []string
	for i, n := range names {
		if i == 12 {
			return strings.Join(out, ", ") + fmt.Sprintf(" and %d more", len(names)-i)
		}
		out = append(out, clip(n))
	}
	return strings.Join(out, ", ")
}

// nearest finds the known name within a third of got's length, or none.
func nearest(got string, known []string) string {
	if len(got) > 256 || len(known) > MaxColumns {
		return ""
	}
	best, name := len(got)/3+1, ""
	for _, k := range known {
		if strings.EqualFold(strings.TrimSpace(k), strings.TrimSpace(got)) {
			return k
		}
		if d := distance(got, k, best); d < best || d == best && name == "" {
			best, name = d, k
		}
	}
	return name
}

// distance is the edit distance of a and b, or max+1 if it is more than max.
func distance(a, b string, max int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > max || len(y)-len(x) > max {
		return max + 1
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diag := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diag
			if x[i] != y[j] {
				cost = 1 + min(diag, row[j], row[j+1])
			}
			diag, row[j+1] = row[j+1], cost
		}
	}
	return min(row[len(y)], max+1)
}
