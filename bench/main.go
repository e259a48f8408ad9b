//go:build bench

// Program bench measures what Corridor must reach and prints it as a Markdown
// table. It is started by bench/run, which builds it and the program that it
// measures. It reports only: no number makes it fail.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run: where things are, how large they are, and what came out.
type bench struct {
	ctx      context.Context
	self     string // this program, for the roles that it plays in processes of its own
	corridor string // the built program
	peer     string // the program that measures tessera
	dir      string // everything that is written
	size     int64  // bytes of the large file
	runs     int    // of each row with a large file
	quick    bool
	large    string // the large file, once it is made

	section string
	rows    []row
}

// row is one line of the table.
type row struct {
	section, what, target, measured string
}

// section is one group of rows that is measured together.
type section struct {
	name string
	run  func(*bench) error
}

func sections() []section {
	return []section{
		{"law", (*bench).law},
		{"ledger", (*bench).ledger},
		{"proof", (*bench).proof},
		{"node", (*bench).node},
		{"negotiate", (*bench).negotiate},
		{"rate", (*bench).rate},
		{"identity", (*bench).identity},
		{"catalog", (*bench).catalog},
		{"endure", (*bench).endure},
		{"authorise", (*bench).authorise},
		{"plane", (*bench).plane},
		{"transfer", (*bench).transfer},
		{"stop", (*bench).stop},
		{"scan", (*bench).scan},
		{"demo", (*bench).demo},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(codeOf(err))
	}
}

// codeOf is 3 where nothing failed but what cannot be had on this machine.
func codeOf(err error) int {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		code := 3
		for _, one := range all.Unwrap() {
			code = min(code, codeOf(one))
		}
		return code
	}
	if errors.Is(err, errNotHere) {
		return 3
	}
	return 1
}

// start plays a role of a measurement, or measures.
func start(ctx context.Context, args []string) error {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		role, known := roles()[args[0]]
		if !known {
			return fmt.Errorf("there is no role %q", args[0])
		}
		return role(ctx, args[1:])
	}
	var names []string
	for _, s := range sections() {
		names = append(names, s.name)
	}
	b := &bench{ctx: ctx}
	var only, commit, tmp string
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.StringVar(&b.corridor, "corridor", "", "the built `program`")
	flags.StringVar(&b.peer, "tessera", "conformance/ledger/run", "the `program` that measures tessera")
	flags.StringVar(&commit, "commit", "unknown", "what was built")
	flags.StringVar(&only, "only", "", "one `section`: "+strings.Join(names, ", "))
	flags.StringVar(&tmp, "tmp", "", "`directory` for large files and databases")
	flags.BoolVar(&b.quick, "quick", false, "files of 100 MB instead of 1 GB")
	flags.IntVar(&b.runs, "runs", 3, "runs of each row with a large file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if only != "" && !slices.Contains(names, only) {
		return fmt.Errorf("there is no section %q; there are %s", only, strings.Join(names, ", "))
	}
	b.size, b.runs = 1_000_000_000, max(b.runs, 1)
	if b.quick {
		b.size = 100_000_000
	}
	var err error
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(tmp, "corridor-bench-"); err != nil {
		return err
	}
	return errors.Join(b.report(only, commit), os.RemoveAll(b.dir))
}

// report runs the sections and prints the table as it grows.
func (b *bench) report(only, commit string) error {
	if err := b.header(commit); err != nil {
		return err
	}
	fmt.Println("| what | target | measured | others¹ | command |\n|---|---|---|---|---|")
	var failed []error
	for _, s := range sections() {
		if only != "" && s.name != only {
			continue
		}
		b.say("%s", s.name)
		b.section, b.rows = s.name, nil
		meter := startMeter()
		err := s.run(b)
		others := meter.others()
		if b.ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
		}
		if err != nil && !errors.Is(err, errNotHere) {
			b.add(s.name, "", "not measured: %s", strings.ReplaceAll(strings.Join(strings.Fields(err.Error()), " "), "|", "/"))
		}
		for _, r := range b.rows {
			fmt.Printf("| %s | %s | %s | %s | `bench/run%s --only %s` |\n", r.what, r.target, r.measured, others, b.mode(), r.section)
		}
	}
	fmt.Println("\n¹ processor time that other programs took meanwhile, in cores.")
	return errors.Join(failed...)
}

func (b *bench) mode() string {
	if b.quick {
		return " --quick"
	}
	return ""
}

// add puts a line into the table.
func (b *bench) add(what, target, measured string, args ...any) {
	b.rows = append(b.rows, row{b.section, what, target, fmt.Sprintf(measured, args...)})
}

// say tells what is going on.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}
