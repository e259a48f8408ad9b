package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"corridor"
)

// speech is the flag of a command that answers people in their language. What
// it prints for programs is the same in all of them.
type speech struct {
	Lang string `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language of the answer: en, zh or ru."`
}

// said is a sentence of the product in its other two languages. The English
// sentence, with its verbs, is the key.
type said struct{ zh, ru string }

func (s said) in(lang string) string {
	switch lang {
	case "zh":
		return s.zh
	case "ru":
		return s.ru
	}
	return ""
}

// sentences are those of all commands that speak by them.
func sentences() map[string]said {
	all := map[string]said{}
	for _, part := range []map[string]said{peersWords(), approvalsWords(), authorityWords(), credentialsWords(), keysWords(), evidenceWords(), nodeWords(), growingWords(), refusalWords(), serveWords()} {
		maps.Copy(all, part)
	}
	return all
}

// text says a sentence in the person's language. One that nobody has put into
// it is said in English.
func (a *app) text(format string, args ...any) string {
	if s := a.interpreter().texts[format].in(a.lang); s != "" {
		format = s
	}
	return fmt.Sprintf(format, args...)
}

// print says it on standard output.
func (a *app) print(format string, args ...any) error {
	_, err := fmt.Fprint(a.stdout, a.text(format, args...))
	return err
}

// heard puts what was said in English, by the node or further down, into the
// person's language. Names and what nobody has put into it stay as they are.
func (a *app) heard(text string) string {
	s := a.interpreter()
	s.looks = maxLooks
	return s.hear(text, maxDepth)
}

func (a *app) interpreter() *interpreter {
	if a.speaks == nil {
		a.speaks = newInterpreter(a.lang)
	}
	return a.speaks
}

// interpreter knows the sentences of the product in one language.
type interpreter struct {
	lang  string
	texts map[string]said
	looks int        // that are left for the text that is heard
	known []sentence // those with the most words of their own first
}

// sentence recognises an English sentence and what it holds.
type sentence struct {
	key   string
	words int
	is    *regexp.Regexp
}

var verbs = regexp.MustCompile(`%(\[\d+\])?[-+# 0]*\d*(\.\d+)?[a-z]`)

func newInterpreter(lang string) *interpreter {
	if lang == "" || lang == "en" {
		return &interpreter{lang: lang}
	}
	return interpreterOf(lang, sentences())
}

func interpreterOf(lang string, texts map[string]said) *interpreter {
	s := &interpreter{lang: lang}
	if lang != "zh" && lang != "ru" {
		return s
	}
	s.texts = texts
	for key := range s.texts {
		if !strings.Contains(strings.TrimSpace(key), " ") { // one word: it may be anybody's name
			continue
		}
		var b strings.Builder
		at, words := 0, 0
		for _, v := range verbs.FindAllStringIndex(key, -1) {
			b.WriteString(regexp.QuoteMeta(key[at:v[0]]) + "(.*?)")
			words, at = words+v[0]-at, v[1]
		}
		b.WriteString(regexp.QuoteMeta(key[at:]))
		s.known = append(s.known, sentence{key, words + len(key) - at, regexp.MustCompile(`(?s)\A` + b.String() + `\z`)})
	}
	slices.SortFunc(s.known, func(a, b sentence) int { return cmp.Or(cmp.Compare(b.words, a.words), strings.Compare(a.key, b.key)) })
	return s
}

// maxDepth bounds how deep sentences in sentences are looked for, maxHeard how
// long they may be, and maxLooks how many parts of one text are looked at:
// strangers have a say in what they hold.
const (
	maxDepth = 4
	maxHeard = 4096
	maxLooks = 100
)

func (s *interpreter) hear(text string, depth int) string {
	if s.texts == nil || depth == 0 || text == "" || len(text) > maxHeard || s.looks == 0 {
		return text
	}
	s.looks--
	for _, x := range s.known {
		if m := x.is.FindStringSubmatch(text); m != nil {
			return s.fill(x.key, m[1:], depth-1)
		}
	}
	if before, why, ok := cutWhy(text); ok {
		a, b := s.hear(before, depth), s.hear(why, depth)
		if a != before || b != why {
			return a + " (" + b + ")"
		}
	}
	for _, between := range []string{"; ", ": "} {
		if before, after, ok := strings.Cut(text, between); ok {
			a, b := s.hear(before, depth), s.hear(after, depth)
			if a != before || b != after {
				return a + between + b
			}
		}
	}
	return text
}

// cutWhy takes the reason in parentheses off the end of a refusal.
func cutWhy(text string) (before, why string, ok bool) {
	inner, ok := strings.CutSuffix(text, ")")
	if at := strings.LastIndex(inner, " ("); ok && at > 0 {
		return inner[:at], inner[at+2:], true
	}
	return text, "", false
}

// fill says a sentence with what an English one held.
func (s *interpreter) fill(key string, held []string, depth int) string {
	args := make([]any, len(held))
	for i, h := range held {
		args[i] = s.hear(h, depth)
	}
	if len(held) == 0 {
		return s.texts[key].in(s.lang)
	}
	plain := verbs.ReplaceAllString(s.texts[key].in(s.lang), "%${1}s")
	return fmt.Sprintf(plain, args...)
}

// explain is what an error says, in the person's language.
func (a *app) explain(err error) string {
	var e *corridor.Error
	if a.interpreter().texts == nil {
		return err.Error()
	}
	if !errors.As(err, &e) {
		return a.heard(err.Error())
	}
	own := *e
	own.Msg, own.Why, own.Fix = a.heard(e.Msg), a.heard(e.Why), a.heard(e.Fix)
	if e.Err != nil && e.Err.Error() != "" {
		own.Err = errors.New(a.heard(e.Err.Error()))
	}
	return strings.Replace(err.Error(), e.Error(), own.Error(), 1)
}
