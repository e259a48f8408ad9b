package main

import (
	"io"
	"os"

	"golang.org/x/term"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

// tty is a terminal as an output. What commands print holds names out of
// other people's files and messages, and a terminal obeys control characters.
type tty struct {
	io.Writer
	file *os.File
}

// onScreen makes an output that is a terminal a tty, and leaves others alone.
func onScreen(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return tty{inert(f), f}
	}
	return w
}

// inert writes control characters as signs that do nothing: those that steer a
// terminal, and those that turn the direction of the text after them.
func inert(w io.Writer) io.Writer {
	return transform.NewWriter(w, runes.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return '\u2400' + r // its picture
		case r == 0x7f:
			return '\u2421'
		case r >= 0x80 && r < 0xa0, turns(r):
			return '\ufffd'
		}
		return r
	}))
}

// turns says whether a character changes the direction of what follows
// (Unicode Bidirectional Algorithm, embeddings, overrides and isolates).
func turns(r rune) bool { return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' }
