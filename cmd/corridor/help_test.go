package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// saidByHelp lists what --help says of commands, arguments and flags, and its
// long texts by paragraphs, once each.
func saidByHelp(t *testing.T) map[string]bool {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("corridor"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	var read func(n *kong.Node)
	read = func(n *kong.Node) {
		all[n.Help] = true
		for _, block := range helpBlocks(n.Detail) {
			if !strings.HasPrefix(block, "  ") {
				all[block] = true
				continue
			}
			for line := range strings.SplitSeq(block, "\n") {
				if _, remark, ok := strings.Cut(line, " # "); ok {
					all[remark] = true
				}
			}
		}
		for _, v := range n.Positional {
			all[v.Help] = true
		}
		for _, f := range n.Flags {
			all[f.Help] = true
		}
		for _, child := range n.Children {
			if !child.Hidden {
				read(child)
			}
		}
	}
	read(parser.Model.Node)
	delete(all, "")
	return all
}

// Every command, argument and flag has its help in three languages, and the
// table holds nothing that no command says.
func TestHelpExistsInThreeLanguages(t *testing.T) {
	t.Parallel()
	words, english := helpWords(), saidByHelp(t)
	if len(english) < 400 {
		t.Fatalf("%d texts of help: the search is broken", len(english))
	}
	han, cyrillic := regexp.MustCompile(`\p{Han}`), regexp.MustCompile(`\p{Cyrillic}`)
	for text := range english {
		if s := words[text]; !han.MatchString(s.zh) || !cyrillic.MatchString(s.ru) {
			t.Errorf("%q lacks a language: %q, %q", text, s.zh, s.ru)
		}
	}
	own := "Usage:|Arguments:|Flags:|Commands:|[flags]|<command>|See corridor --help, or corridor COMMAND --help for examples.|" +
		`Run "corridor <command> --help" for more information on a command.|Lawful, enforced and provable data exchange across borders. Corridor informs; it does not give legal advice.`
	for text, s := range words {
		if !english[text] && !strings.Contains("|"+own+"|", "|"+text+"|") {
			t.Errorf("%q: no help says it", text)
		}
		for _, name := range regexp.MustCompile(`--[a-z][a-z-]+|corridor [a-z]+|\b[A-Z]{3,}\d*\b|docs/\S+\.md`).FindAllString(text, -1) {
			if name != "NAME" && name != "VALUE" && name != "corridor go" && (!strings.Contains(s.zh, name) || !strings.Contains(s.ru, name)) {
				t.Errorf("%q: a translation does not name %s", text, name)
			}
		}
	}
}

// helpIn runs a command line and gives what it prints on both outputs.
func helpIn(t *testing.T, words ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	run(context.Background(), words, strings.NewReader(""), &out, &errs)
	return out.String() + errs.String()
}

// The help of all commands keeps to the columns of a terminal, and no line of
// Chinese begins with what closes the one before.
func TestHelpIsLaidOutInColumns(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"zh", "ru"} {
		if got := helpIn(t, "--lang", lang, "transfer", "--help"); !strings.Contains(got, "\n    corridor transfer urn:uuid:... --dir node\n") || strings.Contains(got, "Example") || strings.Contains(got, "dataset that grows") {
			t.Errorf("%s: %s", lang, got)
		}
		got := helpIn(t, "--lang", lang, "--help")
		if strings.Contains(got, "Commands:") || strings.Contains(got, "Usage") || !strings.Contains(got, " check  ") {
			t.Errorf("%s: %s", lang, got)
		}
		for line := range strings.SplitSeq(got, "\n") {
			if cells(line) > helpWidth() {
				t.Errorf("%s: %d columns: %s", lang, cells(line), line)
			}
			if first := []rune(strings.TrimSpace(line)); len(first) > 0 && strings.ContainsRune(closing, first[0]) {
				t.Errorf("%s: begins with %c: %s", lang, first[0], line)
			}
		}
	}
}

func TestWhereTheLanguageOfHelpIsGiven(t *testing.T) {
	for _, c := range []struct {
		says       string
		env        map[string]string
		words      string
		want, lang string
	}{
		{"before the command", nil, "--lang ru check --help", "Спросить право обеих сторон", "ru"},
		{"after the command", nil, "check --help --lang=zh", "询问双方法律", "zh"},
		{"by the variable", map[string]string{"CORRIDOR_LANG": "zh"}, "check --help", "询问双方法律", "zh"},
		{"by the variable, which goes before the system", map[string]string{"CORRIDOR_LANG": "ru", "LANG": "zh_CN.UTF-8"}, "check --help", "Спросить право", "ru"},
		{"by the system", map[string]string{"LANG": "ru_RU.UTF-8"}, "check --help", "Спросить право", "ru"},
		{"by the first variable of the system that is set", map[string]string{"LC_ALL": "C", "LANG": "ru_RU.UTF-8"}, "check --help", "Ask the law", "en"},
		{"by an empty variable, which is as none", map[string]string{"CORRIDOR_LANG": ""}, "check --help", "Ask the law", "en"},
		{"in an error", nil, "check --lang zh --frm KZ", `没有选项 --frm，是否指 "--from"？`, "zh"},
		{"in an error about a command", nil, "--lang ru chek", `нет команды или аргумента chek; может быть, "check"?`, "ru"},
		{"that is none", nil, "--lang fr check", `--lang must be one of "en","zh","ru" but got "fr"`, "fr"},
		{"before a command that answers", map[string]string{"CORRIDOR_LANG": "zh"}, "--lang ru packs list", "вывоз и ввоз", "ru"},
		{"by the system, to a command that answers", map[string]string{"LANG": "zh_CN.UTF-8"}, "status --dir nowhere", "没有节点", "zh"},
	} {
		t.Run(c.says, func(t *testing.T) {
			for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG", "CORRIDOR_LANG"} {
				t.Setenv(name, c.env[name])
			}
			words := strings.Fields(c.words)
			if q := langAsked(words); q.lang != c.lang {
				t.Errorf("%s is heard as %q", c.words, q.lang)
			}
			if got := helpIn(t, words...); !strings.Contains(got, c.want) {
				t.Errorf("%s: %.600s", c.words, got)
			}
		})
	}
}
