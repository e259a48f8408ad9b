package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/plane"
	"corridor/internal/scan"
)

// applied is what became of a file.
type applied struct {
	File      string           `json:"file"`
	Rows      int64            `json:"rows"`
	Bytes     int64            `json:"bytes"`
	SHA256    string           `json:"sha256"`
	Transform plane.Plan       `json:"transform"`
	Before    corridor.Outcome `json:"before"`
	Now       corridor.Verdict `json:"now"`                    // of the written file, with nothing else done
	Whole     corridor.Outcome `json:"whole"`                  // once every step of the way is carried out
	Done      []law.Action     `json:"done"`                   // steps that the transformation carries out, as far as a machine can
	Left      []law.Action     `json:"left"`                   // steps that people have to take
	Confirm   []string         `json:"confirm,omitempty"`      // classes that people have to make sure are not there
	Unknown   []string         `json:"unrecognised,omitempty"` // columns of text that stay as they are, of which the scan cannot say what they hold
}

// unrecognised lists the columns that nothing was found in and nothing is
// done to: a name that no rule knows goes out with them.
func unrecognised(r *scan.Report, t plane.Plan) []string {
	var out []string
	for _, c := range r.Columns {
		touched := slices.ContainsFunc(t.Stages, func(s plane.Stage) bool { return slices.Contains(s.Columns, c.Name) })
		if c.Type == "text" && len(c.Classes) == 0 && !touched {
			out = append(out, c.Name)
		}
	}
	return out
}

// untouched lists the columns that may name people and that a transformation
// leaves as they are.
func untouched(r *scan.Report, t *plane.Plan) []string {
	if t == nil {
		return nil
	}
	return slices.DeleteFunc(unknownColumns(r), func(name string) bool {
		top, _ := topLevel(r.Format, name)
		return slices.ContainsFunc(t.Stages, func(s plane.Stage) bool { return slices.Contains(s.Columns, top) })
	})
}

// apply writes the transformed file. It is scanned and decided before it gets
// its name: what goes wrong leaves nothing under that name.
func (c adviseCmd) apply(a *app, lib *law.Library, flow corridor.Flow, report *scan.Report, adv advice) error {
	if err := c.writable(); err != nil {
		return err
	}
	if adv.Verdict.Outcome.Permits() {
		return &corridor.Error{Kind: corridor.Conflict, Where: "--apply", Msg: "the law lets the file go as it is: there is nothing to transform", Fix: "leave out --apply"}
	}
	at, err := c.pick(adv)
	if err != nil {
		return err
	}
	w := adv.Plans[at]
	if w.Transform == nil {
		return &corridor.Error{Kind: corridor.NotFound, Where: "--plan", Msg: fmt.Sprintf("way %d is no transformation of the file", at+1), Fix: "choose another, or leave out --apply"}
	}
	tmp, err := os.CreateTemp(filepath.Dir(c.Apply), "."+filepath.Base(c.Apply)+".*.part")
	if err != nil {
		return notWritten(c.Apply, err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	res, err := c.transform(a, tmp, *w.Transform)
	if err != nil {
		return err
	}
	now, err := c.again(a, lib, flow, report, tmp.Name(), w)
	if err != nil {
		return err
	}
	if err := c.name(tmp.Name()); err != nil {
		return err
	}
	out := applied{File: c.Apply, Rows: res.Rows, Bytes: res.Bytes, SHA256: res.SHA256, Transform: *w.Transform, Before: adv.Verdict.Outcome,
		Now: now, Whole: w.Verdict.Outcome, Done: []law.Action{}, Left: []law.Action{}, Confirm: w.Confirm, Unknown: unrecognised(report, *w.Transform)}
	for _, x := range w.Actions {
		if x.Stage != "" && !onlyConfirms(report, x) {
			out.Done = append(out.Done, x)
		} else {
			out.Left = append(out.Left, x)
		}
	}
	if c.JSON {
		err = printJSON(a.stdout, out)
	} else {
		err = newAdvisor(lib, adv, c.Lang).applied(a.stdout, out)
	}
	if err != nil {
		return err
	}
	return outcomeExit(now.Outcome)
}

func notWritten(name string, err error) error {
	return &corridor.Error{Kind: corridor.Unavailable, Where: name, Msg: "cannot be written", Err: err, Fix: "name a file in a folder that exists and can be written"}
}

// writable refuses to write over a file, and over the data file always.
func (c adviseCmd) writable() error {
	there, err := os.Lstat(c.Apply)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return notWritten(c.Apply, err)
	}
	if !there.Mode().IsRegular() {
		return &corridor.Error{Kind: corridor.Invalid, Where: c.Apply, Msg: "is not a regular file", Fix: "choose another name"}
	}
	source, err := os.Stat(c.File)
	if err != nil {
		return corridor.Unreadable(err)
	}
	if os.SameFile(there, source) {
		return &corridor.Error{Kind: corridor.Invalid, Where: c.Apply, Msg: "is the data file itself", Fix: "choose another name"}
	}
	if !c.Force {
		return exists(c.Apply)
	}
	return nil
}

func exists(name string) error {
	return &corridor.Error{Kind: corridor.Conflict, Where: name, Msg: "the file exists", Fix: "choose another name, or replace it with --force"}
}

// transform runs the data plane's own stages. The key of the pseudonyms is
// made here and forgotten.
func (c adviseCmd) transform(a *app, to *os.File, plan plane.Plan) (plane.Result, error) {
	src, err := plane.NewFiles().Source(c.File, "").Open(a.ctx)
	if err != nil {
		return plane.Result{}, err
	}
	defer src.Close()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return plane.Result{}, fmt.Errorf("key: %w", err)
	}
	w := bufio.NewWriterSize(to, 1<<20)
	res, err := plane.Transform(a.ctx, src, w, plan, key)
	if err == nil {
		err = src.Check()
	}
	if err != nil {
		return res, err
	}
	if err := errors.Join(w.Flush(), to.Sync()); err != nil {
		return res, notWritten(c.Apply, err)
	}
	return res, nil
}

// again scans what was written and decides it with the facts that the
// transformation alone changes. Where the scan still finds what the way says
// is gone, the file is refused.
func (c adviseCmd) again(a *app, lib *law.Library, flow corridor.Flow, before *scan.Report, name string, w way) (corridor.Verdict, error) {
	after, err := scan.File(a.ctx, name, scan.Options{Lang: c.Lang, Today: flow.Date, Format: w.Transform.Format})
	if err != nil {
		return corridor.Verdict{}, err
	}
	var done []string
	for _, x := range w.Actions {
		if x.Stage != "" && !onlyConfirms(before, x) {
			done = append(done, x.ID)
		}
	}
	if _, err := stated(after, staying(after, c.Holds)); err != nil {
		return corridor.Verdict{}, err
	}
	if flow, err = lib.After(flow, done, len(unknownColumns(after)) == 0); err != nil {
		return corridor.Verdict{}, err
	}
	for _, class := range w.gone() {
		if col := holds(before, after, *w.Transform, class); col != "" {
			return corridor.Verdict{}, &corridor.Error{Kind: corridor.Conflict, Where: "column " + col,
				Msg: "still looks like data of the class " + class + " after the transformation; nothing was written",
				Fix: "leave the column out of the data file, or choose another way with --plan"}
		}
	}
	return lib.Decide(flow)
}

// staying leaves out what was said of columns that are gone.
func staying(after *scan.Report, holds []string) []string {
	return slices.DeleteFunc(slices.Clone(holds), func(h string) bool {
		column, _, _ := strings.Cut(h, "=")
		return !slices.ContainsFunc(after.Columns, func(c scan.Column) bool { return c.Name == column })
	})
}

// gone lists the classes that the transformation takes away.
func (w way) gone() []string {
	var out []string
	for _, x := range w.Actions {
		if x.Stage != "" {
			out = append(out, x.Removes...)
		}
	}
	return out
}

// holds finds a column in which a scan still sees a class, leaving aside
// columns that the plan made coarser: their headers stay what they were.
func holds(before, after *scan.Report, plan plane.Plan, class string) string {
	coarse := map[string]bool{}
	for _, s := range plan.Stages {
		for _, c := range s.Columns {
			coarse[c] = coarse[c] || s.Do == plane.Generalise
		}
	}
	for _, c := range after.Columns {
		top, _ := topLevel(before.Format, c.Name)
		for _, f := range c.Classes {
			if f.Class == class && f.Confidence >= proposeFrom && !coarse[top] {
				return c.Name
			}
		}
	}
	return ""
}

// name gives the finished file its name. A link cannot replace what came in
// between; where links do not exist, the name is looked up once more.
func (c adviseCmd) name(tmp string) error {
	if !c.Force {
		err := os.Link(tmp, c.Apply)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrExist):
			return exists(c.Apply)
		}
		if _, err := os.Lstat(c.Apply); err == nil {
			return exists(c.Apply)
		}
	}
	if err := os.Rename(tmp, c.Apply); err != nil {
		return notWritten(c.Apply, err)
	}
	return nil
}
