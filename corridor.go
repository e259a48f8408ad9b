// Package corridor holds the nouns that every room of the program shares:
// participants, jurisdictions, facts, decisions, obligations, receipts and the
// kinds of error. It depends on the standard library alone, so that a
// regulator or a peer can import it to read what a gateway wrote.
//
// The words are fixed in docs/architecture.md; use them without synonyms.
package corridor

import (
	"fmt"
	"strings"
	"time"
)

// Participant is an organisation with a DID, established in one jurisdiction.
type Participant struct {
	DID          string   `json:"did" yaml:"did"`
	Name         string   `json:"name,omitempty" yaml:"name,omitempty"`
	Jurisdiction string   `json:"jurisdiction" yaml:"jurisdiction"` // ISO 3166-1 alpha-2
	Type         string   `json:"type,omitempty" yaml:"type,omitempty"`
	Traits       []string `json:"traits,omitempty" yaml:"traits,omitempty"`
	Flags        []string `json:"flags,omitempty" yaml:"flags,omitempty"`
}

// Side says which end of a flow a law looks at.
type Side string

// The two sides of a flow, of which a national rule may name both, and the
// layer of treaties that bind both states.
const (
	Export Side = "export"
	Import Side = "import"
	Treaty Side = "treaty"
)

// Date is a calendar day without a time zone: 1 is 0001-01-01.
// The zero Date is no day and stands for "not given".
type Date int32

const (
	dateLayout = "2006-01-02"
	unixEpoch  = 719_163 // the Date of 1970-01-01
)

// ParseDate reads a day written as YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(dateLayout, s)
	if err != nil {
		return 0, &Error{Kind: Invalid, Msg: fmt.Sprintf("%q is not a date", s), Fix: "write it as YYYY-MM-DD, for example 2026-11-24"}
	}
	d := DateOf(t)
	if d <= 0 {
		return 0, &Error{Kind: Invalid, Msg: fmt.Sprintf("%q is before the year 1", s), Fix: "write it as YYYY-MM-DD, for example 2026-11-24"}
	}
	return d, nil
}

// DateOf gives the calendar day of t in t's own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/86400 + unixEpoch)
}

// Time is midnight UTC at the start of the day.
func (d Date) Time() time.Time { return time.Unix((int64(d)-unixEpoch)*86400, 0).UTC() }

// String writes the day as YYYY-MM-DD, or nothing for the zero Date.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	return d.Time().Format(dateLayout)
}

// MarshalText implements encoding.TextMarshaler.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = 0
		return nil
	}
	v, err := ParseDate(string(b))
	*d = v
	return err
}

// Text is one sentence in the languages of the product.
// A missing language falls back to English.
type Text struct {
	Original string `json:"original,omitempty" yaml:"original,omitempty"` // official title in its own language
	EN       string `json:"en,omitempty" yaml:"en,omitempty"`
	ZH       string `json:"zh,omitempty" yaml:"zh,omitempty"`
	RU       string `json:"ru,omitempty" yaml:"ru,omitempty"`
}

// In gives the text in lang ("en", "zh" or "ru").
func (t Text) In(lang string) string {
	s := t.EN
	switch strings.ToLower(lang) {
	case "zh":
		s = t.ZH
	case "ru":
		s = t.RU
	}
	if s == "" {
		s = t.EN
	}
	return s
}
