package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/paper"
	"corridor/internal/scan"
)

// reportFlags say which papers a decision is filed with.
type reportFlags struct {
	Report []string `sep:"none" placeholder:"FILE" help:"Also write a transfer assessment to file: .html to print, .json to replay. May be repeated."`
	About  []string `sep:"none" placeholder:"LINE=TEXT" help:"A line at the head of the assessment: reference, exporter, importer, dataset or prepared_by. May be repeated."`
	Event  []string `sep:"none" placeholder:"EVENT=DAY" help:"Day of an event from which deadlines run, such as effect=2026-12-01. May be repeated."`
	Tasks  bool     `help:"Also list what the law leaves to people as dated tasks."`
	ICS    string   `name:"ics" placeholder:"FILE" help:"Also write the days of these tasks to a calendar file (iCalendar)."`
}

// valid refuses before any question is asked what could not be written after.
func (r reportFlags) valid() error {
	if len(r.Report) == 0 && len(r.About) > 0 {
		return &corridor.Error{Kind: corridor.Invalid, Where: "--about", Msg: "belongs to an assessment", Fix: "name the file to write with --report"}
	}
	if len(r.Report) == 0 && !r.wantsTasks() && len(r.Event) > 0 {
		return &corridor.Error{Kind: corridor.Invalid, Where: "--event", Msg: "belongs to tasks or to an assessment", Fix: "add --tasks, or name the file to write with --report"}
	}
	if r.ICS != "" {
		if err := free(r.ICS); err != nil {
			return err
		}
	}
	for _, name := range r.Report {
		if reportKind(name) == "" {
			return &corridor.Error{Kind: corridor.Invalid, Where: "--report " + name, Msg: "is neither a page nor JSON", Fix: "end the name in .html or .json"}
		}
		if err := free(name); err != nil {
			return err
		}
	}
	return nil
}

// free says that a file is not there yet: papers are never written over.
func free(name string) error {
	if _, err := os.Lstat(name); err == nil {
		return &corridor.Error{Kind: corridor.Conflict, Where: name, Msg: "exists already", Fix: "name a new file, or move this one away"}
	}
	return nil
}

// reportKind is what the name of a file asks for.
func reportKind(name string) string {
	if ext := strings.ToLower(filepath.Ext(name)); ext == ".html" || ext == ".json" {
		return ext
	}
	return ""
}

// input puts together what an assessment is made of.
func (r reportFlags) input(flow corridor.Flow, said []paper.Said) (paper.Input, error) {
	in := paper.Input{Flow: flow, Said: said, Program: programVersion()}
	for _, line := range r.About {
		key, text, ok := strings.Cut(line, "=")
		if !ok {
			return in, &corridor.Error{Kind: corridor.Invalid, Where: "--about " + line, Msg: "not of the form LINE=TEXT", Fix: "for example: --about 'exporter=Tianshan Logistics'"}
		}
		if in.About == nil {
			in.About = map[string]string{}
		}
		in.About[key] = text
	}
	var err error
	in.Events, err = eventDays(r.Event)
	return in, err
}

// eventDays reads EVENT=DAY.
func eventDays(list []string) (map[string]corridor.Date, error) {
	var out map[string]corridor.Date
	for _, line := range list {
		name, text, ok := strings.Cut(line, "=")
		if !ok {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--event " + line, Msg: "not of the form EVENT=DAY", Fix: "for example: --event effect=2026-12-01"}
		}
		day, err := corridor.ParseDate(text)
		if err != nil {
			return nil, corridor.E(corridor.Invalid, "--event %s: %w", name, err)
		}
		if day > law.MaxDate {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--event " + name, Msg: day.String() + " is beyond " + corridor.Date(law.MaxDate).String(), Fix: "give the day on which it happens"}
		}
		if out == nil {
			out = map[string]corridor.Date{}
		}
		out[name] = day
	}
	return out, nil
}

// write makes the papers, whole or not at all, and says where they are.
func (r reportFlags) write(a *app, lib *law.Library, flow corridor.Flow, said []paper.Said, lang string, quiet bool) error {
	if len(r.Report) == 0 {
		return nil
	}
	in, err := r.input(flow, said)
	if err != nil {
		return err
	}
	as, err := paper.Assess(lib, in)
	if err != nil {
		return err
	}
	for _, name := range r.Report {
		data, err := as.Encode()
		if err == nil && reportKind(name) == ".html" {
			var page bytes.Buffer
			err = paper.AssessmentHTML(&page, as, lang)
			data = page.Bytes()
		}
		if err != nil {
			return err
		}
		if err := writeWhole(name, data); err != nil {
			return err
		}
		if !quiet {
			fmt.Fprintln(a.stdout, name)
		}
	}
	return nil
}

// said lists what each source says of each fact.
func (s source) said() []paper.Said {
	var out []paper.Said
	for name, v := range s.facts {
		out = append(out, paper.Said{Fact: name, By: s.by, From: s.from, Value: v})
	}
	slices.SortFunc(out, func(a, b paper.Said) int { return strings.Compare(a.Fact, b.Fact) })
	return out
}

// answered lists the facts that an interview changed.
func answered(before, after corridor.Facts) []paper.Said {
	var out []paper.Said
	for name, v := range after {
		if have, ok := before[name]; !ok || paper.Value(have) != paper.Value(v) {
			out = append(out, paper.Said{Fact: name, By: paper.Answered, Value: v})
		}
	}
	slices.SortFunc(out, func(a, b paper.Said) int { return strings.Compare(a.Fact, b.Fact) })
	return out
}

// scanned names a file that was scanned, and its content.
func scanned(r *scan.Report) string {
	return filepath.Base(r.File) + " (sha256:" + r.SHA256 + ")"
}
