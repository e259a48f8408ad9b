package scan

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"corridor"
)

// csvLayout is how a CSV file is written.
type csvLayout struct {
	delim   byte
	eol     byte
	header  bool
	guessed bool // nothing but habit says whether there is a header
	names   []string
	row     int64 // rows before the first, such as sep=;
}

const sniffRows = 200

// sniff finds delimiter and header in the beginning of a file. skip is how
// many bytes come before the first row.
func sniff(sample []byte, whole bool, name string, o Options) (l csvLayout, skip int, err error) {
	l.eol = '\n'
	if bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(sample, '\r') >= 0 {
		l.eol = '\r'
	}
	l.delim = o.Delimiter
	if d, n := sepLine(sample); n > 0 {
		sample, skip, l.row = sample[n:], n, 1
		if l.delim == 0 {
			l.delim = d
		}
	}
	if l.delim == 0 {
		l.delim = delimiterOf(sample, whole, l)
	}
	rows, err := firstRows(sample, whole, l, sniffRows)
	if len(rows) == 0 {
		if err != nil {
			return l, 0, nameRow(err, name)
		}
		return l, 0, invalid(name+":row 1", fmt.Sprintf("the first row is longer than %d bytes", len(sample)), "check that the file is CSV, and that every quote is closed")
	}
	if len(rows[0]) > o.MaxColumns {
		return l, 0, invalid(name+":row 1", fmt.Sprintf("%d columns, more than %d", len(rows[0]), o.MaxColumns), "check the delimiter")
	}
	l.header, l.guessed = headerOf(rows, o)
	l.names = make([]string, len(rows[0]))
	for i := range l.names {
		if l.header {
			l.names[i] = tidyName(rows[0][i])
		}
		if l.names[i] == "" {
			l.names[i] = fmt.Sprintf("column %d", i+1)
		}
	}
	return l, skip, nil
}

// nameRow puts the file's name into an error of a nameless parse.
func nameRow(err error, name string) error {
	var e *corridor.Error
	if errors.As(err, &e) && strings.HasPrefix(e.Where, ":row") {
		e.Where = name + e.Where
	}
	return err
}

// sepLine recognises the line with which Excel declares its delimiter.
func sepLine(sample []byte) (delim byte, n int) {
	if len(sample) < 6 || !bytes.EqualFold(sample[:4], []byte("sep=")) {
		return 0, 0
	}
	switch rest := sample[5:]; {
	case rest[0] == '\n':
		return sample[4], 6
	case rest[0] == '\r' && len(rest) > 1 && rest[1] == '\n':
		return sample[4], 7
	}
	return 0, 0
}

// delimiterOf tries each delimiter and keeps the one under which most of the
// first rows have the same number of values, and more than one.
func delimiterOf(sample []byte, whole bool, l csvLayout) byte {
	best, bestScore := byte(','), 0.0
	for _, d := range []byte{',', ';', '\t', '|'} {
		l.delim = d
		rows, err := firstRows(sample, whole, l, sniffRows)
		if len(rows) == 0 || len(rows[0]) < 2 {
			continue
		}
		same := 0
		for _, r := range rows {
			if len(r) == len(rows[0]) {
				same++
			}
		}
		score := float64(same) / float64(len(rows)) * (1 + float64(min(len(rows[0]), 50))/1000)
		if err != nil {
			score /= 2
		}
		if score > bestScore {
			best, bestScore = d, score
		}
	}
	return best
}

// headerOf decides whether the first row names the columns.
func headerOf(rows [][]string, o Options) (header, guessed bool) {
	switch o.Header {
	case "yes":
		return true, false
	case "no":
		return false, false
	}
	first := rows[0]
	known, data, filled := 0, 0, 0
	e, lex := newEnvOf(o.tables, o.Today, o.ExactLimit), o.tables.lex
	for _, v := range first {
		v = strings.TrimSpace(v)
		if v == "" {
			continue
		}
		filled++
		if looksLikeData(v, e) {
			data++
		}
		if len(lex.hints(v)) > 0 {
			known++
		}
	}
	switch {
	case data > 0 && known*2 <= filled:
		return false, false
	case known > 0:
		return true, false
	case filled == 0:
		return false, false
	}
	for col := range first {
		if s := contrast(rows, col, e); s != 0 {
			return s > 0, false
		}
	}
	if repeats(first) || repeatedBelow(rows) {
		return false, false
	}
	return true, len(rows) < 3 || len(first) == 1
}

// looksLikeData says that a value can hardly be the name of a column.
func looksLikeData(v string, e *env) bool {
	c := newColumn("", e)
	c.add([]byte(v), e.mask([]byte(v)))
	switch c.typeName() {
	case "int", "decimal", "date", "datetime":
		return true
	}
	return c.email.pass > 0 || c.phonePlus > 0 || c.checked()
}

// contrast compares a first value with those below it: 1 if they are numbers
// or dates and it is not, -1 if it looks like one of them.
func contrast(rows [][]string, col int, e *env) int {
	c := newColumn("", e)
	for _, r := range rows[1:] {
		if col < len(r) {
			c.add([]byte(r[col]), e.mask([]byte(r[col])))
		}
	}
	if c.values < 1 {
		return 0
	}
	switch c.typeName() {
	case "int", "decimal", "date", "datetime":
		return 1 // a number in the first row was caught before
	}
	h := newColumn("", e)
	h.add([]byte(rows[0][col]), e.mask([]byte(rows[0][col])))
	if c.namesHan*2 > c.values && h.namesHan > 0 || c.patronymics*2 > c.values && h.patronymics > 0 {
		return -1
	}
	if c.email.pass*2 > c.values || c.checked() {
		return 1
	}
	return 0
}

func repeats(row []string) bool {
	sorted := slices.Clone(row)
	slices.Sort(sorted)
	return len(slices.Compact(sorted)) < len(row)
}

// repeatedBelow says that a first value comes again in its own column.
func repeatedBelow(rows [][]string) bool {
	for col, v := range rows[0] {
		for _, r := range rows[1:] {
			if col < len(r) && r[col] == v && v != "" {
				return true
			}
		}
	}
	return false
}

// tidyName makes a column name safe to print: one line, bounded, no control
// characters that a terminal would obey.
func tidyName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == 0x200c: // the last divides words in Persian
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0xfeff || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.TrimSpace(s)
	if r := []rune(s); len(r) > 80 {
		s = string(r[:79]) + "…"
	}
	return s
}
