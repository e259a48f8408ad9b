package main

import (
	"cmp"
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
	On    string     `json:"on"`
	Since time.Time  `json:"since"`
	Why   string     `json:"why"`
	Next  string     `json:"next"`
	By    *time.Time `json:"by,omitempty"`
	Then  string     `json:"then,omitempty"`
	Retry *time.Time `json:"retry,omitempty"`
}

type negotiationView struct {
	PID       string   `json:"pid"`
	Role      string   `json:"role"`
	Peer      string   `json:"peer"`
	Dataset   string   `json:"dataset"`
	State     string   `json:"state"`
	Purpose   string   `json:"purpose"`
	Plain     bool     `json:"plain,omitempty"`
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

	Increments int64  `json:"increments,omitempty"`
	PartOf     string `json:"part_of,omitempty"`
	Number     int64  `json:"number,omitempty"`

	ConfirmBy    string               `json:"confirm_by,omitempty"`
	Unconfirmed  *corridor.ReceiptRef `json:"unconfirmed,omitempty"`
	Acknowledged *corridor.ReceiptRef `json:"acknowledged,omitempty"`
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

// waits says on whom something waits, why, what happens next and when.
func (a *app) waits(w *waiting) string {
	if w == nil || w.On == "" {
		return ""
	}
	since := time.Since(w.Since).Round(time.Second).String()
	s := a.text("waits on peer for %s", since)
	switch w.On {
	case "operator":
		s = a.text("waits on operator for %s", since)
	case "node":
		s = a.text("waits on node for %s", since)
	}
	if w.Why != "" {
		s += ": " + a.heard(w.Why)
	}
	if w.Next != "" {
		s += "; " + a.text("next: %s", a.heard(w.Next))
	}
	if w.Retry != nil {
		s += ", " + a.text("again at %s", moment(*w.Retry))
	}
	if w.By != nil && w.Then != "" {
		s += "; " + a.text("on %s: %s", moment(*w.By), a.heard(w.Then))
	}
	return s
}

// moment writes a date for a person.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// stateOf names a state for a person, also that of what is not yet begun.
func (a *app) stateOf(state string) string {
	return cmp.Or(state, a.text("not yet received by the peer"))
}

// printNegotiation tells one negotiation in a few lines.
func printNegotiation(a *app, n negotiationView) error {
	lines := []string{a.text("negotiation %s  %s  %s of %s", n.PID, a.stateOf(n.State), a.text(n.Role), n.Dataset)}
	if n.Plain {
		lines = append(lines, a.text("law         both sides are decided by this node: %s speaks the Dataspace Protocol only", n.Peer))
	}
	if n.Agreement != "" {
		lines = append(lines, a.text("agreement   %s", n.Agreement))
	}
	if n.Code != "" || len(n.Reason) > 0 {
		lines = append(lines, a.text("reason      %s", strings.TrimSpace(n.Code+" "+a.heard(strings.Join(n.Reason, "; ")))))
	}
	if s := a.waits(n.Waiting); s != "" {
		lines = append(lines, s)
	}
	_, err := fmt.Fprintln(a.stdout, strings.Join(lines, "\n"))
	return err
}

// printTransfer tells one transfer in a few lines.
func printTransfer(a *app, t transferView) error {
	lines := []string{a.text("transfer %s  %s  %d bytes", t.PID, a.stateOf(t.State), t.Bytes)}
	if t.Increments > 0 {
		lines = append(lines, a.text("goes on  %d increments so far, %d rows", t.Increments, t.Rows))
	}
	if t.File != "" {
		lines = append(lines, a.text("file     %s", t.File))
	}
	if t.SHA256 != "" {
		lines = append(lines, a.text("digest   %s", t.SHA256))
	}
	if len(t.Reason) > 0 {
		lines = append(lines, a.text("reason   %s", a.heard(strings.Join(t.Reason, "; "))))
	}
	if s := a.waits(t.Waiting); s != "" {
		lines = append(lines, s)
	}
	_, err := fmt.Fprintln(a.stdout, strings.Join(lines, "\n"))
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
