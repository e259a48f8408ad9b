package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// shownCommand is a command line that a page or a help text shows.
type shownCommand struct {
	where string
	line  string
	whole bool // in a block of its own, and not within a sentence
}

var (
	codeSpan = regexp.MustCompile("`(corridor [^`]+)`")
	remark   = regexp.MustCompile(` +# .*$`)
)

// commandsIn collects the command lines of a page: those in blocks, put
// together where they are broken, and those in sentences.
func commandsIn(where, page string) []shownCommand {
	var out []shownCommand
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		at := fmt.Sprintf("%s:%d", where, i+1)
		line := strings.TrimSpace(lines[i])
		if _, after, assigned := strings.Cut(line, " corridor "); assigned && strings.HasPrefix(line, "TZ=") {
			line = "corridor " + after
		}
		if strings.HasPrefix(line, "corridor ") && !strings.Contains(line, "`") {
			line = remark.ReplaceAllString(line, "")
			for strings.HasSuffix(line, `\`) && i+1 < len(lines) {
				i++
				line = strings.TrimSuffix(line, `\`) + remark.ReplaceAllString(strings.TrimSpace(lines[i]), "")
			}
			out = append(out, shownCommand{at, line, true})
			continue
		}
		for _, m := range codeSpan.FindAllStringSubmatch(lines[i], -1) {
			out = append(out, shownCommand{at, m[1], false})
		}
	}
	return out
}

// split takes a line apart as a shell does, as far as the pages need it.
func split(line string) []string {
	var out []string
	var b strings.Builder
	var quote rune
	some := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			b.WriteRune(r)
		case r == '\'' || r == '"':
			quote, some = r, true
		case r == ' ' && (some || b.Len() > 0):
			out, some = append(out, b.String()), false
			b.Reset()
		case r == ' ':
		default:
			b.WriteRune(r)
		}
	}
	if some || b.Len() > 0 {
		out = append(out, b.String())
	}
	return out
}

// args gives what stands after the program's name, up to what is the shell's.
func (c shownCommand) args() []string {
	list := split(c.line)[1:]
	if i := slices.IndexFunc(list, func(w string) bool { return w == "|" || w == "||" || strings.HasPrefix(w, ">") || w == "&&" }); i >= 0 {
		list = list[:i]
	}
	return slices.DeleteFunc(list, func(w string) bool { return w == "..." })
}

func pages(t *testing.T) []shownCommand {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []shownCommand
	for _, f := range append(files, "../../README.md") {
		page, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, commandsIn(filepath.Base(f), string(page))...)
	}
	return out
}

// TestEveryCommandThatIsShownIsOne reads the pages and the help of every
// command: each command, flag and number of arguments that they show exists.
func TestEveryCommandThatIsShownIsOne(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, kong.Name("corridor"), kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	shown := pages(t)
	for _, leaf := range parser.Model.Leaves(false) {
		shown = append(shown, commandsIn("corridor "+leaf.Path()+" --help", leaf.Detail)...)
	}
	if len(shown) < 150 {
		t.Fatalf("only %d commands were found", len(shown))
	}
	t.Chdir(t.TempDir())
	for _, s := range shown {
		args := s.args()
		for _, a := range args { // a file that must be there
			if name := filepath.Base(a); strings.Contains(name, ".") && !strings.ContainsAny(a, "/=:") {
				write(t, a, nil)
			}
		}
		var one cli
		parser, err := kong.New(&one, kong.Name("corridor"), kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse(args)
		if err != nil && !s.whole && (strings.HasPrefix(err.Error(), "missing flags") || strings.HasPrefix(err.Error(), "expected ")) {
			err = nil // a sentence may name a command without its arguments
		}
		if err != nil && !slices.Contains(args, "COMMAND") {
			t.Errorf("%s: %s\n\t%v", s.where, s.line, err)
		}
	}
}

// TestTheCommandsOfThePagesRun runs what the pages show and needs no node, in
// their order, over files like those that they name.
func TestTheCommandsOfThePagesRun(t *testing.T) {
	all := pages(t)
	papers, err := os.ReadFile("../../docs/papers.md")
	if err != nil {
		t.Fatal(err)
	}
	answers := regexp.MustCompile("(?s)`answers.yaml`.*?```yaml\n(.*?)```").FindSubmatch(papers)
	if answers == nil {
		t.Fatal("docs/papers.md shows no answers.yaml")
	}
	files := map[string][]byte{"shipments.csv": shipmentsFile(t), "answers.yaml": answers[1],
		"facts.yaml":  []byte("data_classes: [personal]\npurpose: marketing\ndeid: none\nsubjects_ytd: 120000\nsensitive_subjects_ytd: 0\nvehicles.cn.standard_contract: signed\n"),
		"flows.jsonl": []byte(`{"origin": "CN", "destination": "KZ", "assume": "nothing_in_place", "facts": {"purpose": "hr"}}` + "\n")}
	ran, last := 0, ""
	for _, s := range all {
		page, _, _ := strings.Cut(s.where, ":")
		args := s.args()
		if !s.whole || page == "adding-a-country.md" || !alone(args) { // that page has a test of its own
			continue
		}
		if page != last {
			desk(t, files)
			last = page
		}
		ran++
		if code, said := shell(t, args...); code == exitFailed || code == exitUsage {
			t.Errorf("%s: %s\n\texit code %d: %s", s.where, s.line, code, said)
		}
	}
	if ran < 15 {
		t.Errorf("only %d commands ran", ran)
	}
}

// desk goes into a new directory with the files that a page takes for granted.
func desk(t *testing.T, files map[string][]byte) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, data := range files {
		write(t, name, data)
	}
	for _, dir := range []string{"packs", "old", "new"} {
		if code, said := shell(t, "packs", "export", dir); code != exitOK {
			t.Fatal(said)
		}
	}
	if err := os.Symlink("packs/cn", "cn"); err != nil {
		t.Fatal(err)
	}
}

// alone says whether a command needs neither a node nor somebody's key.
func alone(args []string) bool {
	if slices.Contains(args, "--dir") || len(args) < 2 {
		return false
	}
	switch args[0] {
	case "scan", "check", "advise", "matrix", "kit", "replay":
		return true
	case "packs":
		return slices.Contains([]string{"list", "show", "lint", "test", "diff", "calendar", "due", "cover"}, args[1])
	}
	return false
}

func shell(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(""), &out, &errs)
	return code, errs.String()
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func shipmentsFile(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open("demodata/shipments.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
