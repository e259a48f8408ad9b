package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
)

// demoCmd shows one exchange from end to end.
type demoCmd struct {
	Data  string `help:"A CSV, JSON Lines or Parquet file of yours, instead of the demo's own." placeholder:"FILE" xor:"data"`
	Out   string `help:"Directory for all that the demo leaves. Default: corridor-demo, or the next free name." placeholder:"DIR"`
	JSON  bool   `help:"Print one line of JSON for each step."`
	Keep  bool   `help:"Leave the nodes serving until Ctrl-C."`
	Three bool   `help:"Three countries, their authorities and a compact: an approval, a sovereign stop and its lifting." xor:"data"`
	Lang  string `default:"en" enum:"en,zh,ru" env:"CORRIDOR_LANG" help:"Language: en, zh or ru."`
}

// Help gives examples.
func (demoCmd) Help() string {
	return `Examples:
  corridor demo
  corridor demo --data shipments.csv --lang zh
  corridor demo --json --out /tmp/demo
  corridor demo --three
Two nodes, China and Kazakhstan, and a witness in a third country run in this process and speak over loopback HTTP.
With --three, Russia is there too, and the authority of each country.
Exit code 0 only if every step held.`
}

// demo is one run: what the steps share, in the order in which they fill it.
type demo struct {
	ctx   context.Context
	show  *show
	words speaker
	dir   string
	keep  bool

	ownFile bool   // the file is the demo's own
	file    string // what is exchanged
	scene   demoScene
	subject demoSubject
	outcome demoOutcome
	// signed gets an authority's approval for a negotiation that waits at the
	// exporter. Nil: the demo approves as an operator would.
	signed func(negotiation string) error
}

// demoStep is a step of the demo: what it is called, what its title says, and
// what it does.
type demoStep struct {
	id, title string
	run       func() error
}

// demoSteps is the demo's table of contents.
func demoSteps() []struct {
	id  string
	run func(*demo) error
} {
	return []struct {
		id  string
		run func(*demo) error
	}{
		{"nodes", (*demo).openScene},
		{"scan", (*demo).scanFile},
		{"law", (*demo).askLaw},
		{"publish", (*demo).publish},
		{"discover", (*demo).discover},
		{"negotiate", (*demo).negotiate},
		{"transfer", (*demo).transfer},
		{"receipts", (*demo).readReceipts},
		{"cosign", (*demo).readCosignatures},
		{"bundle", (*demo).proveOffline},
		{"refused", (*demo).beRefused},
		{"tamper", (*demo).tamper},
	}
}

// plainSteps are the steps of the demo between two countries.
func (d *demo) plainSteps() (list []demoStep) {
	for _, s := range demoSteps() {
		list = append(list, demoStep{s.id, s.id, func() error { return s.run(d) }})
	}
	return list
}

// Run runs the steps. Every step asserts what it shows; the first that does
// not hold ends the demo with exit code 1.
func (c demoCmd) Run(a *app) error {
	dir, err := demoPlace(c.Out)
	if err != nil {
		return err
	}
	d := &demo{ctx: a.ctx, show: newShow(a.stdout, c.JSON), words: newSpeaker(c.Lang), dir: dir, keep: c.Keep, file: c.Data, ownFile: c.Data == ""}
	title, under, steps := "title", "under", d.plainSteps()
	if c.Three {
		title, under, steps = "three.title", "three.under", trioSteps(d)
	}
	d.show.heading(d.words.t(title), d.words.t(under, d.dir))
	started := time.Now()
	ctx, stop := context.WithCancel(a.ctx)
	defer stop()
	d.scene.group, d.scene.ctx = errgroup.WithContext(ctx)
	err = d.steps(steps)
	if err == nil {
		d.finish(time.Since(started))
		if c.Keep {
			<-a.ctx.Done()
		}
	}
	stop()
	if closing := d.scene.close(); err == nil {
		err = closing
	}
	return err
}

// steps runs one step after the other.
func (d *demo) steps(list []demoStep) error {
	for _, s := range list {
		d.show.begin(s.id, d.words.t(s.title))
		if err := s.run(); err != nil {
			if cause := context.Cause(d.scene.ctx); cause != nil && d.ctx.Err() == nil {
				err = cause // a node stopped, and that is why
			}
			d.show.broke(err)
			var e *corridor.Error
			if s.id == "scan" && errors.As(err, &e) && e.Kind == corridor.Invalid {
				return exit(exitUsage) // the user's file cannot be read: that is input, not a broken promise
			}
			var logs []string
			for _, p := range d.scene.parties() {
				logs = append(logs, p.cfg.path("node.log"))
			}
			d.show.aside(d.words.t("logs", strings.Join(logs, ", ")))
			return exit(exitFailed)
		}
		d.show.end()
	}
	return nil
}

// finish says what is left and what to try next.
func (d *demo) finish(took time.Duration) {
	s := d.show
	left := map[string]string{"received": d.outcome.received, "bundle": d.outcome.bundle, "exporter": d.scene.exporter.cfg.dir, "importer": d.scene.importer.cfg.dir}
	var nodes, bases []string
	for _, p := range d.scene.parties() {
		nodes, bases = append(nodes, p.cfg.dir), append(bases, p.base)
	}
	next := d.commands()
	if s.json {
		s.emit(stepLine{Step: s.step + 1, ID: "done", Title: d.words.t("held", s.step, duration(took)), OK: true, MS: millis(took),
			Detail: map[string]any{"out": d.dir, "left": left, "next": next}})
		return
	}
	fmt.Fprintf(s.out, "\n%s\n\n%s\n", s.paint(bold+";"+green, d.words.t("held", s.step, duration(took))), d.words.t("left"))
	s.table([][]string{
		{d.words.t("received"), left["received"]},
		{d.words.t("proof"), left["bundle"]},
		{d.words.t(d.counted("nodedata")), strings.Join(nodes, "  ")},
	})
	fmt.Fprintf(s.out, "\n%s\n", d.words.t("next"))
	for _, line := range next {
		fmt.Fprintln(s.out, "   "+s.paint(bold, line))
	}
	if d.keep {
		fmt.Fprintf(s.out, "\n%s\n   %s\n", d.words.t(d.counted("keep")), strings.Join(bases, "\n   "))
	}
}

// counted is the sentence for as many as there are on the scene.
func (d *demo) counted(id string) string {
	if len(d.scene.parties()) > 2 {
		return "three." + id
	}
	return id
}

// commands are three that can be pasted into the shell that ran the demo.
func (d *demo) commands() []string {
	me := invocation()
	third := "serve --dir " + shellQuote(d.scene.importer.cfg.dir)
	if d.keep {
		third = "status --dir " + shellQuote(d.scene.importer.cfg.dir)
	}
	return []string{
		me + " verify " + shellQuote(d.outcome.bundle),
		me + " check --from CN --to KZ --purpose trade_logistics --file " + shellQuote(d.file),
		me + " " + third,
	}
}

// place names a file of the demo's directory.
func (d *demo) place(name ...string) string {
	return filepath.Join(append([]string{d.dir}, name...)...)
}
