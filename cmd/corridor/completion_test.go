package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completed gives what "corridor complete" prints, without the descriptions.
func completed(t *testing.T, words ...string) []string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(context.Background(), append([]string{"complete", "--"}, words...), strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("%q: exit %d: %s", words, code, errs.String())
	}
	var list []string
	for l := range strings.Lines(out.String()) {
		word, _, _ := strings.Cut(strings.TrimSuffix(l, "\n"), "\t")
		list = append(list, word)
	}
	return list
}

func TestALineIsCompleted(t *testing.T) {
	for name, c := range map[string]struct {
		words []string
		has   []string
		not   []string
	}{
		"the first word is a command":            {[]string{""}, []string{"check", "packs", "verify"}, []string{"complete"}},
		"a command that has begun":               {[]string{"ver"}, []string{"verify", "version"}, []string{"check"}},
		"a command of a command":                 {[]string{"packs", "t"}, []string{"test"}, []string{"show"}},
		"a flag":                                 {[]string{"check", "--fr"}, []string{"--from"}, []string{"--file"}},
		"a state":                                {[]string{"check", "--from", "K"}, []string{"KG", "KZ"}, []string{"CN"}},
		"one of few values":                      {[]string{"check", "--lang", ""}, []string{"en", "ru", "zh"}, nil},
		"the same after an equals sign":          {[]string{"check", "--lang=z"}, []string{"--lang=zh"}, []string{"zh"}},
		"a fact":                                 {[]string{"check", "--from", "CN", "--set", "subjects_"}, []string{"subjects_ytd="}, []string{"purpose="}},
		"a profile":                              {[]string{"check", "--assume", ""}, []string{"ordinary_private_exporter"}, nil},
		"a kit":                                  {[]string{"kit", "show", "cn."}, []string{"cn.standard_contract_filing"}, []string{"ru.rkn_notice"}},
		"a file":                                 {[]string{"scan", "da"}, []string{":files"}, nil},
		"a file after a flag":                    {[]string{"check", "--facts", ""}, []string{":files"}, nil},
		"nothing where nothing more is taken":    {[]string{"kit", "show", "cn.pipia_report", ""}, nil, []string{":files", "cn.pipia_report"}},
		"nothing after a word that is not known": {[]string{"chek", "--fr"}, nil, []string{"--from"}},
		"silence where no node answers":          {[]string{"approve", "--dir", "/nowhere", ""}, nil, []string{":files"}},
	} {
		got := completed(t, c.words...)
		for _, want := range c.has {
			if !slices.Contains(got, want) {
				t.Errorf("%s: %q is missing in %q", name, want, got)
			}
		}
		for _, no := range c.not {
			if slices.Contains(got, no) {
				t.Errorf("%s: %q should not be in %q", name, no, got)
			}
		}
	}
}

// Every argument and flag that names a completion names one that is there.
func TestEveryCompletionThatIsNamedExists(t *testing.T) {
	if words := lawWords("facts"); len(words) < 40 {
		t.Errorf("only %d facts", len(words))
	}
	for _, what := range []string{"states", "profiles", "kits", "packs"} {
		if len(lawWords(what)) == 0 {
			t.Errorf("no %s", what)
		}
	}
}

// The script for bash runs in bash.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "corridor")); err != nil {
		t.Fatal(err)
	}
	ask := func(line ...string) string {
		script := bashScript + `
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_corridor
printf '%s\n' "${COMPREPLY[@]}"
`
		cmd := exec.Command(bash, append([]string{"--norc", "-c", script, "bash", filepath.Join(dir, "corridor")}, line...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if got := ask("pack"); got != "packs\n" {
		t.Errorf("a command: %q", got)
	}
	if got := ask("check", "--lang", ""); got != "en\nzh\nru\n" {
		t.Errorf("values: %q", got)
	}
	if got := ask("scan", "/et"); !strings.Contains(got, "/etc\n") {
		t.Errorf("files: %q", got)
	}
}
