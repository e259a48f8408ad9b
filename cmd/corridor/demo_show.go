package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// show tells a person, or with JSON a program, what the demo does.
// One step is told at a time, by the goroutine that runs the demo.
type show struct {
	out    io.Writer
	json   bool
	live   bool // a terminal: progress may be redrawn
	colour bool
	width  int

	step    int
	id      string
	title   string
	started time.Time
	detail  map[string]any
	drawn   bool // a progress line stands on the screen
}

// newShow looks at what the output is: colour and redrawing only on a
// terminal, and no colour where NO_COLOR asks for none.
func newShow(out io.Writer, asJSON bool) *show {
	s := &show{out: out, json: asJSON, width: 100}
	t, ok := out.(tty)
	if !ok || asJSON {
		return s
	}
	f := t.file
	s.out, s.live = f, true // it paints
	_, plain := os.LookupEnv("NO_COLOR")
	s.colour = !plain && os.Getenv("TERM") != "dumb"
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		s.width = min(max(w, 40), 120)
	}
	return s
}

// The colours of meaning.
const (
	plain = ""
	bold  = "1"
	faint = "2"
	red   = "31"
	green = "32"
	amber = "33"
	blue  = "36"
)

// paint colours text, where there is colour.
func (s *show) paint(style, text string) string {
	if !s.colour || style == plain {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// heading opens the demo.
func (s *show) heading(title, under string) {
	if s.json {
		return
	}
	fmt.Fprintln(s.out, s.paint(bold, title))
	s.wrapped(plain, faint, under)
}

// begin opens a step.
func (s *show) begin(id, title string) {
	s.step++
	s.id, s.title, s.started, s.detail = id, title, time.Now(), map[string]any{}
	if !s.json {
		fmt.Fprintf(s.out, "\n%s %s\n", s.paint(bold+";"+blue, fmt.Sprintf("%2d", s.step)), s.paint(bold, title))
	}
}

// end closes a step that held.
func (s *show) end() {
	took := time.Since(s.started)
	if s.json {
		s.emit(stepLine{Step: s.step, ID: s.id, Title: s.title, OK: true, MS: millis(took), Detail: s.detail})
		return
	}
	s.clear()
	fmt.Fprintf(s.out, "   %s %s\n", s.paint(green, "ok"), s.paint(faint, duration(took)))
}

// broke closes a step that did not hold.
func (s *show) broke(err error) {
	if s.json {
		s.emit(stepLine{Step: s.step, ID: s.id, Title: s.title, MS: millis(time.Since(s.started)), Error: err.Error(), Detail: s.detail})
		return
	}
	s.clear()
	fmt.Fprintf(s.out, "   %s %s\n", s.paint(red, "FAILED"), err)
}

// stepLine is one step as a program reads it.
type stepLine struct {
	Step   int            `json:"step"`
	ID     string         `json:"id"`
	Title  string         `json:"title"`
	OK     bool           `json:"ok"`
	MS     float64        `json:"ms"`
	Error  string         `json:"error,omitempty"`
	Detail map[string]any `json:"detail"`
}

// emit writes one JSON line.
func (s *show) emit(v stepLine) {
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a reader that went away must not stop the demo
}

// note keeps a value of the step for the JSON line.
func (s *show) note(key string, v any) { s.detail[key] = v }

// say writes a sentence inside the step.
func (s *show) say(text string) { s.wrapped("   ", plain, text) }

// aside writes a sentence of less weight.
func (s *show) aside(text string) { s.wrapped("   ", faint, text) }

// under writes a sentence that belongs to the line above it.
func (s *show) under(style, text string) { s.wrapped("      ", style, text) }

// mark writes a sentence behind a coloured word.
func (s *show) mark(style, word, text string) {
	if s.json {
		return
	}
	s.clear()
	indent := 3 + cells(word) + 2
	lines := wrap(text, s.width-indent)
	fmt.Fprintln(s.out, strings.TrimRight("   "+s.paint(style, word)+"  "+lines[0], " "))
	for _, l := range lines[1:] {
		fmt.Fprintf(s.out, "%s%s\n", strings.Repeat(" ", indent), l)
	}
}

// wrapped writes text between the margins.
func (s *show) wrapped(indent, style, text string) {
	if s.json {
		return
	}
	s.clear()
	for _, l := range wrap(text, s.width-len(indent)) {
		fmt.Fprintln(s.out, indent+s.paint(style, l))
	}
}

// table writes rows in aligned columns; what does not fit is cut in the
// middle of its cell, the last column first.
func (s *show) table(rows [][]string) {
	if s.json || len(rows) == 0 {
		return
	}
	s.clear()
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], cells(c))
		}
	}
	room := s.width - 3
	for i, w := range widths {
		widths[i] = min(w, max(room, 6))
		room -= widths[i] + 2
	}
	for _, r := range rows {
		var b strings.Builder
		for i, c := range r {
			c = shorten(c, widths[i])
			b.WriteString(c)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-cells(c)+2))
			}
		}
		fmt.Fprintln(s.out, "   "+strings.TrimRight(b.String(), " "))
	}
}

// progress redraws one line while something runs; on anything but a terminal
// it writes nothing.
func (s *show) progress(text string) {
	if !s.live {
		return
	}
	fmt.Fprintf(s.out, "\r\x1b[K   %s", s.paint(faint, shorten(text, s.width-4)))
	s.drawn = true
}

// clear takes the progress line away.
func (s *show) clear() {
	if s.drawn {
		fmt.Fprint(s.out, "\r\x1b[K")
		s.drawn = false
	}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()/10) / 100 }

// duration is short for a person to read.
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// cells counts the columns that a terminal gives text: East Asian wide
// characters take two.
func cells(text string) int {
	n := 0
	for _, r := range text {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// wrap breaks text at spaces, and after any wide character, which needs none.
func wrap(text string, room int) []string {
	room = max(room, 10)
	var lines []string
	line, used := "", 0
	for _, piece := range pieces(text) {
		n := cells(piece)
		if used > 0 && used+cells(strings.TrimRight(piece, " ")) > room {
			lines = append(lines, strings.TrimRight(line, " "))
			line, used = "", 0
		}
		line += piece
		used += n
	}
	return append(lines, strings.TrimRight(line, " "))
}

// closing are the wide marks that no line begins with.
const closing = "，。、；：？！）》」』】"

// pieces cuts text where a line may end.
func pieces(text string) []string {
	var out []string
	var cur strings.Builder
	for _, r := range text {
		cur.WriteRune(r)
		if strings.ContainsRune(closing, r) && len(out) > 0 && cur.Len() == len(string(r)) {
			out[len(out)-1] += cur.String()
			cur.Reset()
			continue
		}
		if r == ' ' || runeCells(r) == 2 {
			out = append(out, cur.String())
			cur.Reset()
		}
	}
	return append(out, cur.String())
}

// shorten cuts text to a number of cells.
func shorten(text string, room int) string {
	if cells(text) <= room {
		return text
	}
	var b strings.Builder
	used := 0
	for _, r := range text {
		if used+runeCells(r) > room-1 {
			break
		}
		b.WriteRune(r)
		used += runeCells(r)
	}
	return b.String() + "…"
}
