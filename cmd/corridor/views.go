package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"corridor"
)

// What client commands print of the management API's answers. The whole
// answer is printed with --json.

type waiting struct {
	On    string    `json:"on"`
	Since time.Time `json:"since"`
	Why   string    `json:"why"`
	Next  string    `json:"next"`
}

type negotiationView struct {
	PID       string   `json:"pid"`
	Role      string   `json:"role"`
	Peer      string   `json:"peer"`
	Dataset   string   `json:"dataset"`
	State     string   `json:"state"`
	Purpose   string   `json:"purpose"`
	Agreement string   `json:"agreement"`
	Code      string   `json:"code"`
	Reason    []string `json:"reason"`
	Waiting   *waiting `json:"waiting"`
}

type transferView struct {
	PID       string   `json:"pid"`
	Role      string   `json:"role"`
	Peer      string   `json:"peer"`
	Agreement string   `json:"agreement"`
	State     string   `json:"state"`
	Bytes     int64    `json:"bytes"`
	Rows      int64    `json:"rows"`
	SHA256    string   `json:"sha256"`
	File      string   `json:"file"`
	Reason    []string `json:"reason"`
	Waiting   *waiting `json:"waiting"`
}

// page is one page of a list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// printJSON writes a value for a program to read.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// columns prints aligned rows under a header, or one sentence where there
// are none.
func columns(w io.Writer, empty string, rows [][]string) error {
	if len(rows) < 2 {
		_, err := fmt.Fprintln(w, empty)
		return err
	}
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], cells(c))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		var line strings.Builder
		for i, c := range r {
			line.WriteString(c + strings.Repeat(" ", widths[i]-cells(c)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// waits says on whom something waits, why and what happens next.
func waits(w *waiting) string {
	if w == nil || w.On == "" {
		return ""
	}
	s := "waits on " + w.On + " for " + time.Since(w.Since).Round(time.Second).String()
	if w.Why != "" {
		s += ": " + w.Why
	}
	if w.Next != "" {
		s += "; next: " + w.Next
	}
	return s
}

// printNegotiation tells one negotiation in a few lines.
func printNegotiation(w io.Writer, n negotiationView) error {
	state := n.State
	if state == "" {
		state = "not yet received by the peer"
	}
	lines := []string{fmt.Sprintf("negotiation %s  %s  %s of %s", n.PID, state, n.Role, n.Dataset)}
	if n.Agreement != "" {
		lines = append(lines, "agreement   "+n.Agreement)
	}
	if n.Code != "" || len(n.Reason) > 0 {
		lines = append(lines, "reason      "+strings.TrimSpace(n.Code+" "+strings.Join(n.Reason, "; ")))
	}
	if s := waits(n.Waiting); s != "" {
		lines = append(lines, s)
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// printTransfer tells one transfer in a few lines.
func printTransfer(w io.Writer, t transferView) error {
	lines := []string{fmt.Sprintf("transfer %s  %s  %d bytes", t.PID, t.State, t.Bytes)}
	if t.File != "" {
		lines = append(lines, "file     "+t.File)
	}
	if t.SHA256 != "" {
		lines = append(lines, "digest   "+t.SHA256)
	}
	if len(t.Reason) > 0 {
		lines = append(lines, "reason   "+strings.Join(t.Reason, "; "))
	}
	if s := waits(t.Waiting); s != "" {
		lines = append(lines, s)
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// negotiationOutcome turns a negotiation's end into the exit of a command.
func negotiationOutcome(n negotiationView) error {
	switch {
	case n.State == "TERMINATED":
		return exit(exitFailed)
	case n.Waiting != nil && n.Waiting.On == "operator":
		return exit(exitApproval)
	}
	return nil
}

// evidence makes --evidence obligation=reference pairs into what the node
// keeps: who says so, and on which day.
func evidence(pairs map[string]string, by string) map[string]corridor.Evidence {
	if len(pairs) == 0 {
		return nil
	}
	out := map[string]corridor.Evidence{}
	for id, ref := range pairs {
		out[id] = corridor.Evidence{Obligation: id, Ref: ref, By: by, On: corridor.DateOf(time.Now())}
	}
	return out
}
