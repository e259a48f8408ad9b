package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"corridor"
)

// Check is the result of one question about a bundle.
type Check struct {
	ID     string `json:"id"`   // such as receipt[2].signature
	What   string `json:"what"` // the question in plain words
	OK     bool   `json:"ok"`
	Note   bool   `json:"note,omitempty"` // passed, but the reader should know Detail
	Detail string `json:"detail,omitempty"`
	Why    string `json:"why,omitempty"` // why it matters
	Fix    string `json:"fix,omitempty"`
}

// Report is the outcome of all checks. OK means that none failed.
type Report struct {
	Kind    string  `json:"kind,omitempty"` // what was checked; empty: a bundle
	OK      bool    `json:"ok"`
	Summary string  `json:"summary"`
	Checks  []Check `json:"checks"`
}

// Failed lists the checks that did not pass.
func (r *Report) Failed() []Check {
	var list []Check
	for _, c := range r.Checks {
		if !c.OK {
			list = append(list, c)
		}
	}
	return list
}

// JSON is the report as corridor verify --json prints it. The page gives the
// same bytes.
func (r *Report) JSON() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	enc.Encode(r) // strings and truth values always have a form
	return b.Bytes()
}

func (r *Report) pass(id, what, detail string, args ...any) {
	r.Checks = append(r.Checks, Check{ID: id, What: what, OK: true, Detail: fmt.Sprintf(detail, args...)})
}

func (r *Report) note(id, what, detail, fix string) {
	r.Checks = append(r.Checks, Check{ID: id, What: what, OK: true, Note: true, Detail: detail, Fix: fix})
}

func (r *Report) fail(id, what string, err error, why, fix string) {
	r.Checks = append(r.Checks, Check{ID: id, What: what, Detail: err.Error(), Why: why, Fix: fix})
}

// expect passes or fails by err.
func (r *Report) expect(id, what string, err error, detail, why, fix string) {
	if err != nil {
		r.fail(id, what, err, why, fix)
		return
	}
	r.pass(id, what, "%s", detail)
}

// oneSided is the note that one party decided both sides. It belongs into the
// summary, and so does that a party's signature was not verified here: who
// reads no further must not take the bundle for more than it is.
const oneSided = "agreement.one_sided"

// admissionRevoked tells of an order by which a party was no longer admitted;
// it stands in the summary too.
const admissionRevoked = "admission[].revoked"

// partOnly tells that a bundle shows a part alone; so does the summary.
const partOnly = "part.all"

func (r *Report) finish() {
	failed, notes := r.Failed(), 0
	for _, c := range r.Checks {
		if c.Note {
			notes++
		}
	}
	r.OK = len(failed) == 0 && len(r.Checks) > 0
	if r.OK {
		r.Summary = fmt.Sprintf("all %d checks passed", len(r.Checks))
	} else {
		ids := make([]string, 0, 5)
		for _, c := range failed[:min(len(failed), 5)] {
			ids = append(ids, c.ID)
		}
		if len(failed) > 5 {
			ids = append(ids, "...")
		}
		r.Summary = fmt.Sprintf("%d of %d checks failed: %s", len(failed), len(r.Checks), strings.Join(ids, ", "))
	}
	for _, c := range r.Checks {
		if c.ID == oneSided || c.ID == partOnly || c.Note && (c.ID == "agreement.provider" || c.ID == "agreement.consumer" || pattern(c.ID) == admissionRevoked) {
			r.Summary += "; " + c.Detail
		}
	}
	if notes > 0 {
		r.Summary += fmt.Sprintf("; %d to note", notes)
	}
}

func mismatch(format string, args ...any) error {
	return corridor.E(corridor.Unauthenticated, format, args...)
}

// clip keeps foreign text in messages short and on one line.
func clip(s string) string {
	if r := []rune(s); len(r) > 80 {
		s = string(r[:80]) + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
