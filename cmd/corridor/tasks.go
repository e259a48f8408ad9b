package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"time"

	"corridor"
	"corridor/internal/exchange"
	"corridor/internal/law"
)

// tasksCmd is what the law leaves to people.
type tasksCmd struct {
	List          tasksListCmd  `cmd:"" default:"withargs" help:"List the duties of this side, the next deadline first."`
	Show          tasksShowCmd  `cmd:"" help:"Show one task: what, by when and why that day, and what shows that it was done."`
	Done          tasksDoneCmd  `cmd:"" help:"Say that a duty was met, and where the evidence is."`
	NotApplicable tasksNotCmd   `cmd:"" help:"Say that a duty does not apply, and why."`
	Event         tasksEventCmd `cmd:"" help:"Say that something happened from which a deadline runs."`
}

// taskFlags say which node and in which words.
type taskFlags struct {
	nodeFlags
	Packs string `placeholder:"DIR" help:"Take the words of duties from the rule packs of a directory instead of those built in."`
}

// book opens the packs whose words are shown.
func (f taskFlags) book() (taskBook, error) {
	lib, err := loadPacks(f.Packs)
	if err != nil {
		return taskBook{}, err
	}
	return newTaskBook(lib, f.Lang), nil
}

func (f taskFlags) shown(a *app, t exchange.Task) error {
	if f.JSON {
		return printJSON(a.stdout, t)
	}
	w, err := f.book()
	if err != nil {
		return err
	}
	return w.show(a.stdout, t)
}

type tasksListCmd struct {
	taskFlags
	Open      bool   `xor:"which" help:"Only what is to be done now: open or overdue."`
	Overdue   bool   `xor:"which" help:"Only what is overdue; the exit code is 1 if there is any."`
	All       bool   `xor:"which" help:"What is finished, too."`
	Agreement string `placeholder:"ID" help:"Only the tasks of one agreement."`
	ICS       string `name:"ics" placeholder:"FILE" help:"Also write the days that are still to come to a calendar file (iCalendar)."`
}

// Help is the long help with examples.
func (tasksListCmd) Help() string {
	return `Lists what the law leaves to people under this node's agreements. A day is the last one on which
something may be done; "until" is the end of keeping or waiting. What it rests on: corridor tasks show.

Examples:
  corridor tasks --dir node
  corridor tasks --overdue --dir node || mail -s overdue officer@example.org
  corridor tasks list --agreement urn:uuid:... --all --json --dir node
  corridor tasks --ics deadlines.ics --lang zh --dir node

Exit codes: 0 done, 1 with --overdue if something is.`
}

// Run prints one line per task.
func (c tasksListCmd) Run(a *app) error {
	if c.ICS != "" {
		if err := free(c.ICS); err != nil {
			return err
		}
	}
	items, err := c.items(a)
	if err != nil {
		return err
	}
	w, err := c.book()
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(a.stdout, items)
	} else {
		err = errors.Join(w.list(a.stdout, items), c.unconfirmed(a, w))
	}
	if err == nil && c.ICS != "" {
		err = writeWhole(c.ICS, w.nodeCalendar(items))
	}
	if err == nil && c.Overdue && len(items) > 0 {
		return exit(exitFailed)
	}
	return err
}

// unconfirmed tells of releases whose arrival nobody has confirmed: no law asks
// for it, and a person has to see to it all the same.
func (c tasksListCmd) unconfirmed(a *app, w taskBook) error {
	if c.Agreement != "" {
		return nil
	}
	node, err := c.client()
	if err != nil {
		return err
	}
	var st struct {
		Arrivals map[string]int64 `json:"arrivals"`
	}
	if err := node.get(a.ctx, "/api/status", nil, &st); err != nil {
		return err
	}
	if n := st.Arrivals["unconfirmed"]; n > 0 {
		_, err = fmt.Fprintln(a.stdout, w.say("task.unconfirmed", n))
	}
	return err
}

// items gathers the tasks in the states that are wanted.
func (c tasksListCmd) items(a *app) ([]exchange.Task, error) {
	node, err := c.client()
	if err != nil {
		return nil, err
	}
	states := []string{exchange.TaskOverdue, exchange.TaskOpen, exchange.TaskWaiting}
	switch {
	case c.Overdue:
		states = states[:1]
	case c.Open:
		states = states[:2]
	case c.All:
		states = []string{""}
	}
	items := []exchange.Task{}
	for _, state := range states {
		list, err := allPages[exchange.Task](a.ctx, node, "/api/tasks", url.Values{"state": {state}, "agreement": {c.Agreement}})
		if err != nil {
			return nil, err
		}
		items = append(items, list...)
	}
	slices.SortStableFunc(items, func(x, y exchange.Task) int { return bySoonest(x.Task, y.Task) })
	return items, nil
}

// nodeCalendar is a calendar of what is still to come.
func (w taskBook) nodeCalendar(items []exchange.Task) []byte {
	var coming []exchange.Task
	var tasks []law.Task
	for _, t := range items {
		if t.State == exchange.TaskOpen || t.State == exchange.TaskOverdue {
			coming, tasks = append(coming, t), append(tasks, t.Task)
		}
	}
	return icsFile(w.days(tasks, func(i int) string { return coming[i].ID }, func(i int) time.Time { return coming[i].Updated }))
}

type tasksShowCmd struct {
	taskFlags
	Task string `arg:"" help:"Task, as corridor tasks lists it." complete:"tasks"`
}

// Help gives an example.
func (tasksShowCmd) Help() string { return "Example:\n  corridor tasks show urn:uuid:... --dir node" }

// Run prints the task.
func (c tasksShowCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	var t exchange.Task
	if err := node.get(a.ctx, "/api/tasks/"+url.PathEscape(c.Task), nil, &t); err != nil {
		return err
	}
	return c.shown(a, t)
}

type tasksDoneCmd struct {
	taskFlags
	Task     string `arg:"" help:"Task, as corridor tasks lists it." complete:"tasks"`
	By       string `required:"" help:"Who says so."`
	Ref      string `required:"" help:"Where the evidence is kept: a file number, an address."`
	Evidence string `type:"existingfile" placeholder:"FILE" help:"The document; its digest goes on record, the document stays where it is."`
	Kind     string `help:"What the evidence is: filing receipt, notice, report."`
	On       string `placeholder:"YYYY-MM-DD" help:"Day on which it was done. Default: today."`
	Note     string `help:"A remark for the record."`
}

// Help gives an example.
func (tasksDoneCmd) Help() string {
	return `The log holds the duty, its state and its last day. Who says so, the evidence and the note are
bound by a salted commitment and stay in this node's database.

Example:
  corridor tasks done urn:uuid:... --by 'A. Officer' --ref 'CAC receipt 17/2026' --evidence receipt.pdf --dir node`
}

// Run sends the evidence.
func (c tasksDoneCmd) Run(a *app) error {
	on, err := dayOf("--on", c.On, 0)
	if err != nil {
		return err
	}
	p := exchange.Proof{By: c.By, Ref: c.Ref, Kind: c.Kind, Note: c.Note, On: on}
	if c.Evidence != "" {
		if p.SHA256, err = digestOfFile(c.Evidence); err != nil {
			return err
		}
	}
	return c.act(a, c.Task, "done", p)
}

// digestOfFile reads a file once, however large.
func digestOfFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", corridor.Unreadable(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return "", &corridor.Error{Kind: corridor.Invalid, Where: name, Msg: "is no plain file", Fix: "name the document"}
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", corridor.E(corridor.Invalid, "%s: %w", name, err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// act ends a task and shows it.
func (f taskFlags) act(a *app, id, how string, p exchange.Proof) error {
	node, err := f.client()
	if err != nil {
		return err
	}
	var t exchange.Task
	if err := node.post(a.ctx, "/api/tasks/"+url.PathEscape(id)+"/"+how, p, &t); err != nil {
		return err
	}
	return f.shown(a, t)
}

type tasksNotCmd struct {
	taskFlags
	Task   string `arg:"" help:"Task, as corridor tasks lists it." complete:"tasks"`
	By     string `required:"" help:"Who says so."`
	Reason string `required:"" help:"Why the duty does not apply here."`
}

// Help gives an example.
func (tasksNotCmd) Help() string {
	return `A duty owed before the transfer cannot be left out: show evidence with corridor tasks done.

Example:
  corridor tasks not-applicable urn:uuid:... --by 'A. Officer' --reason 'the breach touched no data of this agreement' --dir node`
}

// Run sends the reason.
func (c tasksNotCmd) Run(a *app) error {
	return c.act(a, c.Task, "not-applicable", exchange.Proof{By: c.By, Reason: c.Reason})
}

type tasksEventCmd struct {
	taskFlags
	Agreement string `arg:"" help:"Agreement, as corridor agreements lists it." complete:"agreements"`
	Event     string `arg:"" help:"What happened: signature, effect, detection, request ..."`
	On        string `placeholder:"YYYY-MM-DD" help:"Day on which it happened. Default: today."`
	Ref       string `help:"Tells two events of a kind on one day apart."`
	By        string `required:"" help:"Who says so."`
	Note      string `help:"A remark for the record."`
}

// Help gives an example.
func (tasksEventCmd) Help() string {
	return `Some clocks start with what a gateway cannot see. A day that is told takes the place of one that
was presumed; telling it again sets it right.

Examples:
  corridor tasks event urn:uuid:... effect --on 2026-12-01 --by 'A. Officer' --dir node
  corridor tasks event urn:uuid:... detection --ref INC-8 --by 'A. Officer' --dir node`
}

// Run sends the event and shows what it moved.
func (c tasksEventCmd) Run(a *app) error {
	on, err := dayOf("--on", c.On, 0)
	if err != nil {
		return err
	}
	node, err := c.client()
	if err != nil {
		return err
	}
	var p page[exchange.Task]
	body := exchange.Happened{Event: c.Event, On: on, Ref: c.Ref, By: c.By, Note: c.Note}
	if err := node.post(a.ctx, "/api/agreements/"+url.PathEscape(c.Agreement)+"/events", body, &p); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, p.Items)
	}
	w, err := c.book()
	if err != nil {
		return err
	}
	for i, t := range p.Items {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if err := w.show(a.stdout, t); err != nil {
			return err
		}
	}
	return nil
}
