package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestADocumentedCountryCanBeAddedWithoutGo follows docs/adding-a-country.md:
// it saves the files that the page shows, under the names it gives, and runs
// the commands that it names, in their order.
func TestADocumentedCountryCanBeAddedWithoutGo(t *testing.T) {
	page, err := os.ReadFile("../../docs/adding-a-country.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	file := regexp.MustCompile("(?s)```yaml\n# (mypacks/\\S+)\n(.*?)```")
	for _, m := range file.FindAllSubmatch(page, -1) {
		save(t, string(m[1]), m[2])
	}
	saved := func(name string) bool { _, err := os.Stat(name); return err == nil }
	if !saved("pending/mypacks/xa/pack.yaml") || !saved("pending/mypacks/xa/cases.yaml") {
		t.Fatal("the page shows no pack and no cases")
	}
	var ran []string
	for line := range strings.Lines(string(page)) {
		command, ok := strings.CutPrefix(line, "    corridor ")
		if !ok {
			continue
		}
		if len(ran) == 1 { // the packs are out: now the files are written
			for _, name := range []string{"pack.yaml", "cases.yaml", "kits.yaml"} {
				if err := os.MkdirAll("mypacks/xa", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename("pending/mypacks/xa/"+name, "mypacks/xa/"+name); err != nil {
					t.Fatal(err)
				}
			}
		}
		if strings.Contains(command, "--min-coverage") { // "compare each with the article, then delete the line"
			reviewed(t, "mypacks/xa/cases.yaml")
		}
		ran = append(ran, command)
		var out, errs bytes.Buffer
		code := run(context.Background(), words(command), strings.NewReader(""), &out, &errs)
		want := exitOK
		switch {
		case strings.HasPrefix(command, "check "):
			want = exitApproval
		case strings.HasPrefix(command, "kit fill "): // the name of the exporter and the contract are missing
			want = exitUndetermined
		}
		if code != want {
			t.Fatalf("corridor %sended with %d, want %d:\n%s%s", command, code, want, out.String(), errs.String())
		}
	}
	if len(ran) != 8 {
		t.Errorf("%d commands on the page", len(ran))
	}
}

func save(t *testing.T, name string, text []byte) {
	t.Helper()
	name = filepath.Join("pending", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// reviewed takes out the marks of proposed cases.
func reviewed(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("proposed: true")) {
		t.Error("packs cover --write added nothing")
	}
	text = regexp.MustCompile(`(?m)^ *proposed: true.*\n`).ReplaceAll(text, nil)
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// words splits a command line at blanks outside single quotes.
func words(line string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(strings.TrimSpace(line), -1) {
		out = append(out, m[1]+m[2])
	}
	return out
}
