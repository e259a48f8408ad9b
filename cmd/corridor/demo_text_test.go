package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEverySentenceOfTheDemoIsSaidInThreeLanguages(t *testing.T) {
	verb := regexp.MustCompile(`%[a-z]`)
	for id, text := range demoTexts() {
		if text.EN == "" || text.ZH == "" || text.RU == "" {
			t.Errorf("%s is not said in all three languages", id)
		}
		en := verb.FindAllString(text.EN, -1)
		for _, other := range []string{text.ZH, text.RU} {
			if got := verb.FindAllString(other, -1); !slices.Equal(got, en) {
				t.Errorf("%s: %q takes %v, the English takes %v", id, other, got, en)
			}
		}
	}
}

func TestTextIsBrokenAtTheMarginWhateverItsScript(t *testing.T) {
	for _, text := range []string{
		"The quick brown fox jumps over the lazy dog and runs away into the forest.",
		"数据出境安全评估办法规定的情形包括关键信息基础设施运营者向境外提供个人信息或者重要数据。",
		"Оператор обязан обеспечить запись, систематизацию, накопление и хранение персональных данных.",
	} {
		lines := wrap(text, 20)
		for _, l := range lines {
			if cells(l) > 20 {
				t.Errorf("%q takes %d cells, 20 are there", l, cells(l))
			}
		}
		if got := strings.Join(lines, ""); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(text, " ", "") {
			t.Errorf("text was lost: %q", got)
		}
	}
	if got := wrap("", 20); len(got) != 1 || got[0] != "" {
		t.Errorf("empty text gives %q", got)
	}
	if got := shorten("数据出境", 5); got != "数据…" {
		t.Errorf("shortened to %q", got)
	}
}

func TestOutputToAFileHasNoColourAndNoRedrawing(t *testing.T) {
	var out bytes.Buffer
	s := newShow(&out, false)
	s.heading("title", "under")
	s.begin("one", "First")
	s.progress("half way")
	s.mark(green, "yes", "because")
	s.table([][]string{{"a", "b"}, {"longer", strings.Repeat("x", 200)}})
	s.end()
	if strings.ContainsAny(out.String(), "\x1b\r") || strings.Contains(out.String(), "half way") {
		t.Errorf("control characters or progress in %q", out.String())
	}
	for _, l := range strings.Split(out.String(), "\n") {
		if cells(l) > 100 {
			t.Errorf("a line of %d cells: %q", cells(l), l)
		}
	}
}

func TestEachStepIsOneLineOfJSON(t *testing.T) {
	var out bytes.Buffer
	s := newShow(&out, true)
	s.heading("title", "under")
	s.begin("one", "First")
	s.say("words for people")
	s.note("rows", 3)
	s.end()
	s.begin("two", "Second")
	s.broke(exit(1))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"id":"one"`) || !strings.Contains(lines[0], `"rows":3`) ||
		!strings.Contains(lines[0], `"ok":true`) || !strings.Contains(lines[1], `"ok":false`) {
		t.Errorf("got %q", lines)
	}
}
