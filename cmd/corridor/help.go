package main

import (
	_ "embed" // the help in Chinese and Russian
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// helpText is what --help says about every command, argument and flag: the
// English sentence of the program, then the same in Chinese and in Russian.
//
//go:embed help.txt
var helpText string

// helpWords reads the table: blocks of a line of English and one line for each
// language, indented.
func helpWords() map[string]said {
	all := map[string]said{}
	for block := range strings.SplitSeq(helpText, "\n\n") {
		key, rest, _ := strings.Cut(strings.TrimSpace(block), "\n")
		var s said
		for line := range strings.SplitSeq(rest, "\n") {
			lang, text, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch lang {
			case "zh":
				s.zh = text
			case "ru":
				s.ru = text
			}
		}
		all[key] = s
	}
	return all
}

// question is how a person asks before any command is known: in which language,
// and with which words behind a --lang that stands before the command.
type question struct {
	lang  string // of help and errors
	first string // what stood before the command
	args  []string
}

// langAsked finds the language: what --lang says, else CORRIDOR_LANG, else that of
// the system.
func langAsked(args []string) question {
	q := question{args: args}
	if lang, n := langFlag(args); n > 0 {
		q.first, q.args = lang, args[n:]
	}
	q.lang = q.first
	for i := range q.args {
		if lang, n := langFlag(q.args[i:]); n > 0 {
			q.lang = lang
		}
	}
	if q.lang == "" {
		q.lang = os.Getenv("CORRIDOR_LANG")
	}
	if q.lang == "" {
		q.lang = systemLang()
	}
	return q
}

// langFlag reads a --lang at the head of the words, and says how many it takes.
func langFlag(args []string) (lang string, n int) {
	switch {
	case len(args) > 1 && args[0] == "--lang":
		return args[1], 2
	case len(args) > 0 && strings.HasPrefix(args[0], "--lang="):
		return strings.TrimPrefix(args[0], "--lang="), 1
	}
	return "", 0
}

// systemLang is the language of the system's messages, if the program speaks it.
func systemLang() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			lang := strings.ToLower(v[:min(2, len(v))])
			if (lang == "zh" || lang == "ru") && (len(v) == 2 || strings.ContainsRune("_-.@", rune(v[2]))) {
				return lang
			}
			return "en"
		}
	}
	return "en"
}

// helpSheet lays out --help.
type helpSheet struct {
	lang string
	text func(english string) string
	envs map[*kong.Value][]string // that a value may come from
}

// newHelpSheet puts the help of a command table into a language. A variable of
// the environment that is empty is as one that is not set.
func newHelpSheet(app *kong.Application, q question) *helpSheet {
	words := helpWords()
	h := &helpSheet{lang: q.lang, envs: map[*kong.Value][]string{}, text: func(english string) string {
		if s := words[english].in(q.lang); s != "" {
			return s
		}
		return english
	}}
	h.node(app.Node, q)
	return h
}

func (h *helpSheet) node(n *kong.Node, q question) {
	n.Help, n.Detail = h.text(n.Help), h.detail(n.Detail)
	for _, v := range n.Positional {
		v.Help = h.text(v.Help)
	}
	for _, f := range n.Flags {
		f.Help = h.text(f.Help)
		h.envs[f.Value] = f.Envs
		f.Envs = slices.DeleteFunc(slices.Clone(f.Envs), func(name string) bool { return os.Getenv(name) == "" })
		f.Tag.Envs = f.Envs
		if f.Name == "lang" {
			speakAs(f, q)
		}
	}
	for _, child := range n.Children {
		h.node(child, q)
	}
}

// speakAs makes a command answer in the language that was asked for before it,
// or in that of the system.
func speakAs(f *kong.Flag, q question) {
	if f.Default = systemLang(); q.first != "" {
		f.Default, f.Envs, f.Tag.Envs = q.first, nil, nil
	}
}

// value is the help of an argument or a flag, with the variables that it may
// come from.
func (h *helpSheet) value(v *kong.Value) string {
	if len(h.envs[v]) == 0 {
		return v.Help
	}
	end := ""
	for _, stop := range []string{".", "。"} {
		if strings.HasSuffix(v.Help, stop) {
			end = stop
		}
	}
	text, from := strings.TrimSuffix(v.Help, end), "$"+strings.Join(h.envs[v], ", $")
	if h.lang == "zh" {
		return text + "（" + from + "）" + end
	}
	return text + " (" + from + ")" + end
}

// print is kong's printer for English. It counts letters, not the columns that
// they take, and knows no other words, so there is one for the others.
func (h *helpSheet) print(options kong.HelpOptions, ctx *kong.Context) error {
	if h.lang != "zh" && h.lang != "ru" {
		return kong.DefaultHelpPrinter(options, ctx)
	}
	var b strings.Builder
	node := ctx.Selected()
	if node == nil {
		node = ctx.Model.Node
	}
	h.usage(&b, node)
	h.commands(&b, node)
	_, err := fmt.Fprint(ctx.Stdout, b.String())
	return err
}

const (
	helpColumns = 80
	helpLeft    = 30 // the widest name that has its text beside it
)

// helpWidth is the width to lay out for.
func helpWidth() int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n >= 40 {
		return n
	}
	return helpColumns
}

func (h *helpSheet) usage(b *strings.Builder, node *kong.Node) {
	summary := "corridor " + strings.TrimSpace(node.Summary())
	for _, word := range []string{"[flags]", "<command>"} {
		summary = strings.Replace(summary, word, h.text(word), 1)
	}
	title := h.text("Usage:")
	if !endsWide(title) {
		title += " "
	}
	b.WriteString(title + summary + "\n")
	for _, text := range []string{node.Help, node.Detail} {
		if text != "" {
			b.WriteString("\n" + reflow(text, helpWidth()))
		}
	}
	var rows [][2]string
	for _, v := range node.Positional {
		rows = append(rows, [2]string{v.Summary(), h.value(v)})
	}
	h.table(b, "Arguments:", rows)
	rows = nil
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			rows = append(rows, [2]string{flagName(f), h.value(f.Value)})
		}
	}
	h.table(b, "Flags:", rows)
}

func flagName(f *kong.Flag) string {
	name := "    --" + f.Name
	if f.Short != 0 {
		name = "-" + string(f.Short) + ", --" + f.Name
	}
	if !f.IsBool() && !f.IsCounter() {
		name += "=" + f.FormatPlaceHolder()
	}
	return name
}

func (h *helpSheet) commands(b *strings.Builder, node *kong.Node) {
	var rows [][2]string
	for _, leaf := range node.Leaves(true) {
		if leaf != node {
			rows = append(rows, [2]string{leaf.Path(), leaf.Help})
		}
	}
	h.table(b, "Commands:", rows)
	if len(rows) > 0 && node.Parent == nil {
		b.WriteString("\n" + h.text(`Run "corridor <command> --help" for more information on a command.`) + "\n")
	}
}

// table sets names beside their texts; a name that is too long has its text
// below.
func (h *helpSheet) table(b *strings.Builder, title string, rows [][2]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", h.text(title))
	left := 0
	for _, row := range rows {
		if n := cells(row[0]); n <= helpLeft {
			left = max(left, n)
		}
	}
	for _, row := range rows {
		lines := wrap(row[1], helpWidth()-left-6)
		name := "  " + row[0]
		if n := cells(row[0]); n <= left {
			name += strings.Repeat(" ", left-n+4) + lines[0]
			lines = lines[1:]
		}
		b.WriteString(strings.TrimRight(name, " ") + "\n")
		for _, line := range lines {
			b.WriteString(strings.Repeat(" ", left+6) + line + "\n")
		}
	}
}

// helpBlocks are the paragraphs of a text, each on one line, and what is
// indented between them, as examples are, in its own lines.
func helpBlocks(text string) []string {
	var blocks []string
	var open, indented bool // whether the next line may belong to the last block
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		last, own := len(blocks)-1, strings.HasPrefix(line, "  ")
		switch {
		case line == "":
			open = false
			continue
		case open && own && indented:
			blocks[last] += "\n" + line
		case open && !own && !indented:
			blocks[last] += " " + line
		default:
			blocks = append(blocks, line)
		}
		open, indented = true, own
	}
	return blocks
}

// detail is the long help in the person's language: paragraphs are said in it,
// and examples stand as they are, but for what is remarked beside them.
func (h *helpSheet) detail(text string) string {
	if text == "" || h.lang != "zh" && h.lang != "ru" {
		return text
	}
	blocks := helpBlocks(text)
	for i, block := range blocks {
		if !strings.HasPrefix(block, "  ") {
			blocks[i] = h.text(block)
			continue
		}
		lines := strings.Split(block, "\n")
		for j, line := range lines {
			if command, remark, ok := strings.Cut(line, " # "); ok {
				lines[j] = command + " # " + h.text(remark)
			}
		}
		blocks[i] = strings.Join(lines, "\n")
	}
	return strings.Join(blocks, "\n\n")
}

// reflow lays out a text: paragraphs are filled, and what is indented stands as
// it is.
func reflow(text string, room int) string {
	blocks := helpBlocks(text)
	for i, block := range blocks {
		if strings.HasPrefix(block, "  ") {
			blocks[i] = "  " + strings.ReplaceAll(block, "\n", "\n  ")
		} else {
			blocks[i] = strings.Join(wrap(block, room), "\n")
		}
	}
	return strings.Join(blocks, "\n\n") + "\n"
}

// endsWide says whether a text ends with a letter that needs no space after it.
func endsWide(text string) bool {
	r := []rune(text)
	return len(r) > 0 && runeCells(r[len(r)-1]) == 2
}

// misread says what is wrong with a command line.
func (h *helpSheet) misread(err error) string {
	s := interpreterOf(h.lang, kongWords())
	s.looks = maxLooks
	return fmt.Sprintf("corridor: %s\n%s\n", s.hear(err.Error(), maxDepth), h.text("See corridor --help, or corridor COMMAND --help for examples."))
}

// check refuses a language before the command that the program does not speak.
func (q question) check() error {
	if q.first == "" || q.first == "en" || q.first == "zh" || q.first == "ru" {
		return nil
	}
	return errors.New(`--lang must be one of "en","zh","ru" but got ` + strconv.Quote(q.first))
}
