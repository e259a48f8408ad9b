package main

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"corridor"
)

// A sentence that some command says in English can be said in Chinese and
// Russian too, with all that it tells.
func TestEverySentenceExistsInThreeLanguages(t *testing.T) {
	t.Parallel()
	index := regexp.MustCompile(`\[\d+\]`)
	var parts int
	for _, part := range []map[string]said{peersWords(), approvalsWords(), authorityWords(), credentialsWords(), keysWords(), evidenceWords(), nodeWords(), growingWords(), refusalWords(), serveWords()} {
		parts += len(part)
	}
	all := sentences()
	if parts != len(all) {
		t.Errorf("%d sentences stand in two tables", parts-len(all))
	}
	han, cyrillic := regexp.MustCompile(`\p{Han}`), regexp.MustCompile(`\p{Cyrillic}`)
	for key, s := range all {
		if !han.MatchString(s.zh) || !cyrillic.MatchString(s.ru) {
			if strings.ContainsFunc(verbs.ReplaceAllString(key, ""), func(r rune) bool { return r >= 'a' && r <= 'z' }) {
				t.Errorf("%q lacks a language: %q, %q", key, s.zh, s.ru)
			}
		}
		want := verbs.FindAllString(key, -1)
		slices.Sort(want)
		for _, text := range []string{s.zh, s.ru} {
			got := verbs.FindAllString(index.ReplaceAllString(text, ""), -1)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%q has other verbs than %q", text, key)
			}
			if strings.Count(text, "\n") != strings.Count(key, "\n") || strings.HasPrefix(text, " ") != strings.HasPrefix(key, " ") {
				t.Errorf("%q has other lines than %q", text, key)
			}
		}
	}
}

// spokenIn reads the program: every text that is handed to a.text and a.print,
// or found by a step of peers test.
func spokenIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr:
				on, _ := f.X.(*ast.Ident)
				if on != nil && on.Name == "a" && (f.Sel.Name == "text" || f.Sel.Name == "print") {
					out = append(out, literal(call.Args[0]))
				}
			case *ast.Ident:
				switch f.Name {
				case "found", "notApplicable":
					out = append(out, literal(call.Args[0]))
				case "warned", "failed":
					out = append(out, literal(call.Args[0]), literal(call.Args[1]))
				}
			}
			return true
		})
	}
	return out
}

// literal is a text of the program; what is put into it by + is a %s. Empty:
// it is made elsewhere.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err == nil {
			return s
		}
	case *ast.BinaryExpr:
		a, b := literal(e.X), literal(e.Y)
		if a == "" {
			a = "%s"
		}
		if b == "" {
			b = "%s"
		}
		return a + b
	}
	return ""
}

func TestEverySentenceOfTheProgramIsInATable(t *testing.T) {
	t.Parallel()
	all, n := sentences(), 0
	for _, s := range spokenIn(t, ".") {
		words := verbs.ReplaceAllString(s, "")
		if s == "" || !strings.ContainsFunc(words, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }) {
			continue
		}
		if n++; all[s] == (said{}) && strings.Contains(s, "; ") { // a list of two
			first, second, _ := strings.Cut(s, "; ")
			if all[first] != (said{}) && all[second] != (said{}) {
				continue
			}
		}
		if all[s] == (said{}) {
			t.Errorf("%q is said in English alone", s)
		}
	}
	if n < 150 {
		t.Errorf("%d sentences found in the program: the search is broken", n)
	}
}

// A sentence whose English the program does not say any more would be dead.
func TestNoTableHoldsWhatNobodySays(t *testing.T) {
	t.Parallel()
	source := everySource(t)
	for key := range sentences() {
		for _, part := range verbs.Split(key, -1) {
			quoted := strconv.Quote(part)
			if part = strings.TrimSuffix(strings.TrimPrefix(quoted[1:len(quoted)-1], " is "), " by "); len(part) > 3 && !strings.Contains(source, part) && !strings.Contains(source, strings.ToLower(part)) {
				t.Errorf("%q: nothing says %q", key, part)
			}
		}
	}
}

// everySource is the text of all rooms but the tables.
var everySource = func() func(t *testing.T) string {
	read := sync.OnceValues(func() (string, error) {
		var b strings.Builder
		for _, root := range []string{".", "../../internal", "../../verify"} {
			err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_words.go") {
					return err
				}
				raw, err := os.ReadFile(path)
				b.Write(raw)
				return err
			})
			if err != nil {
				return "", err
			}
		}
		root, err := filepath.Glob("../../*.go")
		for _, path := range root {
			raw, rerr := os.ReadFile(path)
			b.Write(raw)
			err = errors.Join(err, rerr)
		}
		return b.String(), err
	})
	return func(t *testing.T) string {
		t.Helper()
		s, err := read()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}()

// An error says in the person's language what is wrong, why, and what would
// mend it, around the names that it holds.
func TestARefusalIsSaidInThePersonsLanguage(t *testing.T) {
	t.Parallel()
	stopped := &corridor.Error{Kind: corridor.RefusedByLaw, Where: "dataset people", Msg: "suspended by order 17/2026", Why: "an inquiry", Fix: "the authority of KZ can lift it by a signed order"}
	for _, c := range []struct {
		err       error
		zh, ru    string
		untouched string
	}{
		{&corridor.Error{Msg: "no node answers at http://127.0.0.1:9", Fix: "start it with: corridor serve --dir DIR", Err: errors.New("refused")},
			"http://127.0.0.1:9 没有节点答复: refused; 请启动：corridor serve --dir DIR", "по адресу http://127.0.0.1:9 узел не отвечает: refused; запустите его: corridor serve --dir DIR", "corridor serve"},
		{stopped, "dataset people: 已由 order 17/2026 中止 (an inquiry); KZ主管机关可以签署命令解除", "dataset people: остановлено: order 17/2026 (an inquiry); орган (KZ) может снять подписанным приказом", "an inquiry"},
		{errors.New("something that nobody foresaw"), "something that nobody foresaw", "something that nobody foresaw", ""},
	} {
		for lang, want := range map[string]string{"zh": c.zh, "ru": c.ru, "en": c.err.Error()} {
			if got := (&app{lang: lang}).explain(c.err); got != want || !strings.Contains(got, c.untouched) {
				t.Errorf("%s: %q, not %q", lang, got, want)
			}
		}
	}
	long := "the peer tells no time: " + strings.Repeat("the peer tells no time: ", 400)
	if got := (&app{lang: "ru"}).heard(long); got != long {
		t.Error("a stranger's text of any length is looked through")
	}
	// Each of these signs could begin a part: without a bound there would be no end.
	if many := strings.Repeat("a; b: c (d) ", 300) + "(e)"; (&app{lang: "zh"}).heard(many) != many {
		t.Error("a text in which nothing is known is changed")
	}
}

// inLanguage gives what speaks a language, made once for all tests.
var inLanguage = func() func(lang string) *interpreter {
	made := map[string]func() *interpreter{}
	for _, lang := range []string{"zh", "ru"} {
		made[lang] = sync.OnceValue(func() *interpreter { return newInterpreter(lang) })
	}
	return func(lang string) *interpreter { return made[lang]() }
}()
