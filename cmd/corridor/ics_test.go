package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"corridor"
)

// unfolded joins the lines of a calendar file again (RFC 5545, 3.1).
func unfolded(b []byte) []string {
	s := strings.ReplaceAll(string(b), "\r\n ", "")
	return strings.Split(strings.TrimSuffix(s, "\r\n"), "\r\n")
}

func TestACalendarFileIsWhatTheStandardAsks(t *testing.T) {
	day, err := corridor.ParseDate("2026-12-31")
	if err != nil {
		t.Fatal(err)
	}
	out := icsFile([]calendarDay{{uid: "urn:uuid:1", summary: "File; now, or\\never\nagain", description: strings.Repeat("境", 60), on: day, warn: true, changed: time.Unix(1_800_000_000, 0)},
		{uid: "urn:uuid:2", summary: "Keep", on: day, changed: time.Unix(0, 0)}})
	got := strings.Join(unfolded(out), "\n")
	for _, want := range []string{"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:", "DTSTART;VALUE=DATE:20261231\nDTEND;VALUE=DATE:20270101\n", "DTSTAMP:20270115T080000Z",
		`SUMMARY:File\; now\, or\\never\nagain`, "DESCRIPTION:" + strings.Repeat("境", 60), "END:VALARM\nEND:VEVENT", "END:VEVENT\nEND:VCALENDAR"} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
	if strings.Count(got, "BEGIN:VALARM") != 1 || !bytes.HasSuffix(out, []byte("\r\n")) {
		t.Error(got)
	}
}

// icalbody = calprops component, and a component is at least one (3.6).
func TestACalendarWithoutDaysIsOneAllTheSame(t *testing.T) {
	got := strings.Join(unfolded(icsFile(nil)), "\n")
	if !strings.Contains(got, "\nBEGIN:VTIMEZONE\nTZID:UTC\n") || strings.Contains(got, "VEVENT") {
		t.Error(got)
	}
}

func TestLinesOfACalendarAreFoldedBetweenCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := icsText(rapid.String().Draw(t, "text"))
		out := folded("SUMMARY:" + text)
		for _, line := range strings.Split(strings.TrimSuffix(string(out), "\r\n"), "\r\n") {
			if len(line) > 75 || !utf8.ValidString(line) || strings.ContainsAny(line, "\r\n") {
				t.Fatalf("%d octets: %q", len(line), line)
			}
		}
		if got := unfolded(out); len(got) != 1 || got[0] != "SUMMARY:"+text {
			t.Fatalf("%q is read as %q", text, got)
		}
	})
}
