package dsp

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// wellFormed says whether data is one JSON value (RFC 8259), exactly as
// json.Valid does, in a fraction of its time: most of a message is text, which
// is passed over in a loop.
func wellFormed(data []byte) bool {
	c := checker{data: data}
	ok := c.value(0) && c.next() == 0 && c.pos == len(data)
	if c.deep {
		return json.Valid(data)
	}
	return ok
}

// deepest is where the answer is left to json.Valid, which needs no stack.
const deepest = 2 * maxDepth

type checker struct {
	data []byte
	pos  int
	deep bool
}

// next passes white space and gives the next byte, 0 at the end.
func (c *checker) next() byte {
	for ; c.pos < len(c.data); c.pos++ {
		switch b := c.data[c.pos]; b {
		case ' ', '\t', '\r', '\n':
		default:
			return b
		}
	}
	return 0
}

func (c *checker) value(depth int) bool {
	if depth > deepest {
		c.deep = true
		return false
	}
	switch c.next() {
	case '{':
		return c.sequence('}', func() bool {
			if c.next() != '"' || !c.text() || c.next() != ':' {
				return false
			}
			c.pos++
			return c.value(depth + 1)
		})
	case '[':
		return c.sequence(']', func() bool { return c.value(depth + 1) })
	case '"':
		return c.text()
	case 't':
		return c.word("true")
	case 'f':
		return c.word("false")
	case 'n':
		return c.word("null")
	}
	return c.number()
}

// sequence passes what stands between brackets.
func (c *checker) sequence(end byte, one func() bool) bool {
	c.pos++
	if c.next() == end {
		c.pos++
		return true
	}
	for one() {
		switch c.next() {
		case ',':
			c.pos++
		case end:
			c.pos++
			return true
		default:
			return false
		}
	}
	return false
}

func (c *checker) word(w string) bool {
	ok := bytes.HasPrefix(c.data[c.pos:], []byte(w))
	c.pos += len(w)
	return ok
}

func (c *checker) text() bool {
	for i := c.pos + 1; i < len(c.data); i++ {
		switch b := c.data[i]; {
		case b == '"':
			c.pos = i + 1
			return true
		case b == '\\':
			n := escape(c.data[i+1:])
			if n == 0 {
				return false
			}
			i += n
		case b < ' ':
			return false
		}
	}
	return false
}

// escape is the length of what follows a backslash, 0 if it may not.
func escape(b []byte) int {
	switch {
	case len(b) == 0:
		return 0
	case bytes.IndexByte([]byte(`"\/bfnrt`), b[0]) >= 0:
		return 1
	case b[0] != 'u' || len(b) < 5:
		return 0
	}
	for _, h := range b[1:5] {
		if (h < '0' || h > '9') && (h|0x20 < 'a' || h|0x20 > 'f') {
			return 0
		}
	}
	return 5
}

func (c *checker) number() bool {
	if c.at('-') {
		c.pos++
	}
	if c.at('0') {
		c.pos++
	} else if !c.digits() {
		return false
	}
	if c.at('.') {
		c.pos++
		if !c.digits() {
			return false
		}
	}
	if c.at('e') || c.at('E') {
		c.pos++
		if c.at('+') || c.at('-') {
			c.pos++
		}
		return c.digits()
	}
	return true
}

func (c *checker) at(b byte) bool { return c.pos < len(c.data) && c.data[c.pos] == b }

// digits passes at least one digit.
func (c *checker) digits() bool {
	start := c.pos
	for c.pos < len(c.data) && c.data[c.pos] >= '0' && c.data[c.pos] <= '9' {
		c.pos++
	}
	return c.pos > start
}

// syntax says what keeps a text from being JSON.
func syntax(data []byte) string {
	var v any
	err := json.Unmarshal(data, &v)
	if err == nil { // json.Valid disagreed: it cannot, but nobody is harmed
		return "unreadable"
	}
	if se, ok := err.(*json.SyntaxError); ok {
		return fmt.Sprintf("%s at byte %d", se.Error(), se.Offset)
	}
	return err.Error()
}
