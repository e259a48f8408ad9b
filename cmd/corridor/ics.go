package main

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"corridor"
)

// calendarDay is one whole day in a calendar file.
type calendarDay struct {
	uid, summary, description string
	on                        corridor.Date
	warn                      bool // three days before
	changed                   time.Time
}

// icsFile writes days as an iCalendar object (RFC 5545). They are all-day
// events that take no time from anybody: calendars show those everywhere, and
// to-dos only in places.
func icsFile(days []calendarDay) []byte {
	var b bytes.Buffer
	line := func(name, value string) { b.Write(folded(name + value)) }
	line("BEGIN:", "VCALENDAR")
	line("VERSION:", "2.0")
	line("PRODID:", "-//Corridor//Deadlines//EN")
	line("CALSCALE:", "GREGORIAN")
	if len(days) == 0 { // the standard wants one component at least
		for _, s := range []string{"BEGIN:VTIMEZONE", "TZID:UTC", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0000", "TZOFFSETTO:+0000", "END:STANDARD", "END:VTIMEZONE"} {
			line(s, "")
		}
	}
	for _, d := range days {
		line("BEGIN:", "VEVENT")
		line("UID:", icsText(d.uid))
		line("DTSTAMP:", d.changed.UTC().Format("20060102T150405Z"))
		line("DTSTART;VALUE=DATE:", d.on.Time().Format("20060102"))
		line("DTEND;VALUE=DATE:", (d.on + 1).Time().Format("20060102"))
		line("SUMMARY:", icsText(d.summary))
		line("DESCRIPTION:", icsText(d.description))
		line("TRANSP:", "TRANSPARENT")
		if d.warn {
			line("BEGIN:", "VALARM")
			line("ACTION:", "DISPLAY")
			line("DESCRIPTION:", icsText(d.summary))
			line("TRIGGER:", "-P3D")
			line("END:", "VALARM")
		}
		line("END:", "VEVENT")
	}
	line("END:", "VCALENDAR")
	return b.Bytes()
}

// icsText escapes a text value. What is no text in a calendar is left out.
func icsText(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.NewReplacer("\\", "\\\\", ";", "\\;", ",", "\\,", "\r\n", "\\n", "\n", "\\n").Replace(s)
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// folded ends a content line, and breaks one that is over 75 octets between
// characters.
func folded(s string) []byte {
	const most = 75
	var b bytes.Buffer
	used := 0
	for _, r := range s {
		n := utf8.RuneLen(r)
		if used+n > most {
			b.WriteString("\r\n ")
			used = 1
		}
		b.WriteRune(r)
		used += n
	}
	b.WriteString("\r\n")
	return b.Bytes()
}
