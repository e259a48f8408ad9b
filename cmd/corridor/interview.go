package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"corridor"
	"corridor/internal/law"
)

// interviews says whether the questions are asked.
func (c checkCmd) interviews(a *app) bool {
	if c.Ask != "auto" {
		return c.Ask == "always"
	}
	in, isFile := a.stdin.(*os.File)
	_, shown := a.stdout.(tty)
	return isFile && shown && !c.JSON && c.Facts != "-" && term.IsTerminal(int(in.Fd()))
}

// interview asks a person what can still change a verdict, one screen after
// another. It writes to standard error, so that standard output holds the
// answer alone.
type interview struct {
	phrases
	app   *app
	in    *bufio.Reader
	show  *answer
	lib   *law.Library
	v     corridor.Verdict
	open  map[string]bool // facts of which the person does not know more
	given []string        // what was answered, in the form of --set
	past  []state
}

// state is what "back" returns to.
type state struct {
	v     corridor.Verdict
	open  map[string]bool
	given []string
}

func newInterview(a *app, lib *law.Library, v corridor.Verdict, lang string) *interview {
	w := newAnswer(lib, v, lang)
	w.out = bufio.NewWriter(a.stderr)
	return &interview{phrases: w.phrases, app: a, in: bufio.NewReader(io.LimitReader(a.stdin, maxInput)), show: w, lib: lib, v: v, open: map[string]bool{}}
}

// screen is one question: all members of a set that are asked about together.
type screen struct {
	corridor.Question
	members []string
	side    *corridor.Decision
}

// next finds the most telling question that the person has not passed on.
func (i *interview) next() (screen, bool) {
	for _, d := range i.v.Open() {
		for _, q := range d.Questions {
			if i.open[q.Fact] {
				continue
			}
			s := screen{Question: q, side: d}
			for _, other := range d.Questions {
				if other.Fact == q.Fact && other.Member != "" {
					s.members = append(s.members, other.Member)
					s.Rules = append(s.Rules, other.Rules...)
				}
			}
			return s, true
		}
	}
	return screen{}, false
}

// errDone ends an interview before all is answered.
var errDone = errors.New("done")

// run asks until nothing that matters is open, and gives the verdict that the
// same facts give without questions.
func (i *interview) run() (corridor.Verdict, error) {
	for i.v.Outcome == corridor.Undetermined {
		s, ok := i.next()
		if !ok {
			break
		}
		if err := i.ask(s); err != nil {
			if errors.Is(err, errDone) {
				break
			}
			return i.v, err
		}
	}
	if len(i.given) > 0 {
		i.show.line("", i.say("ask.again"))
		fmt.Fprintf(i.show.out, "  corridor check --from %s --to %s --date %s", i.v.Flow.Origin, i.v.Flow.Destination, i.v.Flow.Date)
		if i.v.Flow.Assume != "" {
			fmt.Fprintf(i.show.out, " --assume %s", i.v.Flow.Assume)
		}
		for _, g := range i.given {
			fmt.Fprintf(i.show.out, " --set '%s'", g)
		}
		fmt.Fprint(i.show.out, "\n\n")
	}
	return i.v, i.show.out.Flush()
}

// ask shows one screen and takes the answer, however many tries it needs.
func (i *interview) ask(s screen) error {
	best, worst := corridor.Allow, corridor.Allow
	for k := range i.v.Sides {
		b, w := i.v.Sides[k].Span()
		best, worst = min(best, b), min(worst, w)
	}
	fmt.Fprintln(i.show.out)
	i.show.line("", i.say("ask.lead", i.say(best.String()), i.say(worst.String())))
	i.put(s)
	for {
		line, err := i.read(s)
		if err != nil {
			return err
		}
		switch strings.ToLower(line) {
		case "":
			continue
		case "done":
			return errDone
		case "?", "？":
			i.push()
			i.open[s.Fact] = true
			return nil
		case "why":
			i.why(s)
		case "back":
			if i.pop() {
				return nil
			}
		default:
			err := i.take(s, line)
			if err == nil {
				return nil
			}
			if corridor.KindOf(err) != corridor.Invalid {
				return err
			}
			i.show.line("  ", i.say("ask.wrong", err.Error()))
		}
	}
}

// put writes the question with its answers and the articles that need it.
func (i *interview) put(s screen) {
	w := i.show
	w.line("", s.Text.In(i.lang))
	for n, o := range s.choices() {
		name := o
		if o == "none" && s.Type != "enum" {
			name += " - " + i.say("ask.none")
		}
		w.line(fmt.Sprintf("%4d  ", n+1), name)
	}
	w.line("  ", i.say("needed", w.cites(s.Citations[:min(3, len(s.Citations))])))
	if s.Asks != "" {
		w.line("  ", i.say("ask", i.say(s.Asks)))
	}
}

// choices are the answers that have a number.
func (s screen) choices() []string {
	switch {
	case len(s.members) > 0:
		return s.members
	case s.Type == "enum":
		return s.Options
	}
	return nil
}

func (i *interview) read(s screen) (string, error) {
	prompt := i.say("ask.one")
	switch {
	case len(s.members) > 0:
		prompt = i.say("ask.set")
	case s.Type == "int":
		prompt = i.say("ask.int", span(strings.Join(s.Options, ", ")))
	case s.Type == "bool" || s.Type == "date" || s.Type == "country":
		prompt = i.say("ask." + s.Type)
	}
	fmt.Fprint(i.show.out, prompt+" ")
	if err := i.show.out.Flush(); err != nil {
		return "", corridor.E(corridor.Unavailable, "%w", err)
	}
	line, err := i.in.ReadString('\n')
	if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
		fmt.Fprintln(i.show.out)
		return "", errDone // no more input: the answer stands as it is
	}
	if i.app.ctx.Err() != nil {
		return "", i.app.ctx.Err()
	}
	return strings.TrimSpace(line), nil
}

// why shows the provisions that look at the fact.
func (i *interview) why(s screen) {
	fmt.Fprintln(i.show.out)
	seen := map[string]bool{}
	for _, m := range s.side.Matched {
		if slices.Contains(s.Rules, m.Rule) && !seen[m.Rule] {
			seen[m.Rule] = true
			i.show.match(m)
		}
	}
}

// take reads an answer and decides with it. An answer that the law engine
// refuses, because it contradicts another, is refused here too.
func (i *interview) take(s screen, line string) error {
	text, err := s.value(line)
	if err != nil {
		return err
	}
	v, err := law.ParseValue(text)
	if err != nil {
		return err
	}
	f := i.v.Flow
	f.Facts = f.Facts.Clone()
	if have, ok := f.Facts[s.Fact]; ok {
		if v, err = narrow(s.Fact, have, v, i.say("ask.one")); err != nil {
			return err
		}
	}
	f.Facts[s.Fact] = v
	verdict, err := i.lib.Decide(f)
	if err != nil {
		return err
	}
	i.push()
	i.v = verdict
	i.given = append(slices.DeleteFunc(slices.Clone(i.given), func(g string) bool { return strings.HasPrefix(g, s.Fact+"=") }), s.Fact+"="+written(v, text))
	return nil
}

// written is a value as --set takes it: what was typed, or the set that
// several screens came to.
func written(v any, text string) string {
	m, ok := v.(map[string]any)
	if !ok || m["has"] == nil && m["lacks"] == nil {
		return text
	}
	return fmt.Sprintf("{has: [%s], lacks: [%s]}", strings.Join(memberWords(m["has"]), ", "), strings.Join(memberWords(m["lacks"]), ", "))
}

// value turns what was typed into a value in YAML.
func (s screen) value(line string) (string, error) {
	switch {
	case len(s.members) > 0:
		return s.setValue(line)
	case s.Type == "bool":
		yes := map[string]string{"y": "true", "yes": "true", "true": "true", "是": "true", "да": "true", "n": "false", "no": "false", "false": "false", "否": "false", "нет": "false"}
		if v, ok := yes[strings.ToLower(line)]; ok {
			return v, nil
		}
		return "", corridor.E(corridor.Invalid, "%q is neither y nor n", line)
	case s.Type == "enum":
		return s.choice(line)
	case s.Type == "int":
		return spanValue(line), nil
	case s.Type == "country":
		return strings.ToUpper(line), nil
	}
	return line, nil
}

func (s screen) choice(word string) (string, error) {
	list := s.choices()
	if n, err := strconv.Atoi(word); err == nil && n >= 1 && n <= len(list) {
		return list[n-1], nil
	}
	if slices.Contains(list, word) {
		return word, nil
	}
	return "", corridor.E(corridor.Invalid, "%q is none of 1 to %d", word, len(list))
}

// setValue says of every member on the screen whether it holds.
func (s screen) setValue(line string) (string, error) {
	has := map[string]bool{}
	for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(",，、; ", r) }) {
		if word == "0" {
			continue
		}
		m, err := s.choice(word)
		if err != nil {
			return "", err
		}
		has[m] = true
	}
	var holds, lacks []string
	for _, m := range s.members {
		if has[m] {
			holds = append(holds, m)
		} else {
			lacks = append(lacks, m)
		}
	}
	return fmt.Sprintf("{has: [%s], lacks: [%s]}", strings.Join(holds, ", "), strings.Join(lacks, ", ")), nil
}

// spanValue reads 5, 100000.., ..5 and 1..500.
func spanValue(line string) string {
	clean := strings.NewReplacer(" ", "", "_", "", ",", "", "，", "").Replace(line)
	lo, hi, ok := strings.Cut(clean, "..")
	switch {
	case !ok:
		return clean
	case hi == "":
		return "{min: " + lo + "}"
	case lo == "":
		return "{max: " + hi + "}"
	}
	return "{min: " + lo + ", max: " + hi + "}"
}

func (i *interview) push() {
	open := map[string]bool{}
	for k := range i.open {
		open[k] = true
	}
	i.past = append(i.past, state{i.v, open, i.given})
}

func (i *interview) pop() bool {
	if len(i.past) == 0 {
		return false
	}
	s := i.past[len(i.past)-1]
	i.past = i.past[:len(i.past)-1]
	i.v, i.open, i.given = s.v, s.open, s.given
	return true
}
