package exchange

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/law"
	"corridor/internal/store"
)

// An agreement leaves duties behind that no machine carries out. The node
// keeps those of its own side as tasks: what, by when, under which article,
// and what showed that it was done. docs/deadlines.md draws the states.

// The states of a task.
const (
	TaskWaiting       = "waiting"        // its clock has not started: Event has not happened
	TaskOpen          = "open"           // to be done, or kept, or waited for
	TaskOverdue       = "overdue"        // its last day has passed
	TaskDone          = "done"           // with Proof
	TaskNotApplicable = "not_applicable" // a person says so, with a reason
	TaskEnded         = "ended"          // what was kept or waited for need not be any longer
	TaskLapsed        = "lapsed"         // the law no longer asks for it, and nothing had happened
)

// Task is one duty of this node's side under an agreement.
type Task struct {
	ID        string `json:"id"`
	Agreement string `json:"agreement"`
	State     string `json:"state"`
	law.Task
	Given   bool          `json:"given,omitempty"`         // a person named the day of the event
	Overdue corridor.Date `json:"overdue_since,omitempty"` // first day after the last one
	Proof   *Proof        `json:"proof,omitempty"`         // how it came to its end
	Created time.Time     `json:"created"`
	Updated time.Time     `json:"updated"`

	version int64
}

// Proof is what a person says when a task comes to its end: the evidence, or
// the reason for which there is none. The log holds a commitment to it.
type Proof struct {
	By     string        `json:"by"`
	On     corridor.Date `json:"on"`
	Kind   string        `json:"kind,omitempty"`   // what it is: filing receipt, notice, report
	Ref    string        `json:"ref,omitempty"`    // where it is kept
	SHA256 string        `json:"sha256,omitempty"` // Digest of the document
	Note   string        `json:"note,omitempty"`
	Reason string        `json:"reason,omitempty"` // why it does not apply
}

// unfinished says whether there is still something to come.
func (t *Task) unfinished() bool {
	return t.State == TaskWaiting || t.State == TaskOpen || t.State == TaskOverdue
}

// alarm is the day on which the node has to look at the task again.
func (t *Task) alarm() string {
	if t.State != TaskOpen || t.Due == 0 {
		return ""
	}
	return (t.Due + 1).String()
}

const (
	taskRows = `INSERT INTO tasks (doc, id, agreement, obligation, ref, state, alarm, version) VALUES `
	taskRow  = `(?, ?, ?, ?, ?, ?, ?, ?)`
	taskOver = ` ON CONFLICT (id) DO UPDATE SET doc = excluded.doc, state = excluded.state, alarm = excluded.alarm, version = excluded.version`
)

// putTasks writes tasks, many with one statement. Their words are those of the
// packs in use, and are not kept.
func (s *Service) putTasks(ctx context.Context, tx *store.Tx, list ...*Task) error {
	const most = 50
	for part := range slices.Chunk(list, most) {
		var args []any
		for _, t := range part {
			t.Updated = s.now().UTC()
			if t.version == 0 {
				t.Created = t.Updated
			}
			t.version++
			row := *t
			row.Text, row.Task.Evidence = corridor.Text{}, corridor.Text{}
			doc, err := json.Marshal(row)
			if err != nil {
				return corridor.E(corridor.Internal, "task: %w", err)
			}
			args = append(args, string(doc), t.ID, t.Agreement, t.Obligation, t.Ref, t.State, t.alarm(), t.version)
		}
		rows := strings.Repeat(taskRow+", ", len(part)-1) + taskRow
		if _, err := tx.Exec(ctx, taskRows+rows+taskOver, args...); err != nil {
			if store.IsUnique(err) { // the same duty in another transaction
				return errChanged
			}
			return fmt.Errorf("write tasks: %w", err)
		}
	}
	return nil
}

// readTask puts a task together again, with its words.
func (s *Service) readTask(doc string, version int64) (Task, error) {
	t := Task{version: version}
	err := unmarshal(doc, &t)
	if info, known := s.cfg.Law.Obligation(t.Obligation); known {
		t.Text, t.Task.Evidence = info.Text, info.Evidence
	}
	return t, err
}

func (s *Service) tasksWhere(ctx context.Context, tx *store.Tx, where string, args ...any) ([]Task, error) {
	rows, err := tx.Query(ctx, `SELECT doc, version FROM tasks WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("tasks: %w", err)
	}
	defer rows.Close()
	list := []Task{}
	for rows.Next() {
		var doc string
		var version int64
		if err := rows.Scan(&doc, &version); err != nil {
			return nil, fmt.Errorf("tasks: %w", err)
		}
		t, err := s.readTask(doc, version)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, rows.Err()
}

// TaskPage asks for a part of the tasks: of one agreement, or of all.
type TaskPage struct {
	Page
	Agreement string
}

// Tasks lists tasks, the oldest first. Next is where the following page
// begins, or nothing.
func (s *Service) Tasks(ctx context.Context, p TaskPage) (page []Task, next string, err error) {
	if p.State != "" && !slices.Contains(taskStates(), p.State) {
		return nil, "", &corridor.Error{Kind: corridor.Invalid, Where: "state", Msg: fmt.Sprintf("%q is not a state of a task", clip(p.State)), Fix: fmt.Sprintf("use one of %v", taskStates())}
	}
	where, args := `id > ?`, []any{p.After}
	if p.State != "" {
		where, args = where+` AND state = ?`, append(args, p.State)
	}
	if p.Agreement != "" {
		where, args = strings.Replace(where, ` state =`, ` (state || '') =`, 1)+` AND agreement = ?`, append(args, p.Agreement) // few: by the index of the agreement
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		page, err = s.tasksWhere(ctx, tx, where+` ORDER BY id`+fmt.Sprintf(` LIMIT %d`, p.limit()+1), args...)
		return err
	})
	if len(page) > p.limit() {
		page = page[:p.limit()]
		next = page[len(page)-1].ID
	}
	return page, next, err
}

func taskStates() []string {
	return []string{TaskWaiting, TaskOpen, TaskOverdue, TaskDone, TaskNotApplicable, TaskEnded, TaskLapsed}
}

// TaskByID reads one task.
func (s *Service) TaskByID(ctx context.Context, id string) (Task, error) {
	var list []Task
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		list, err = s.tasksWhere(ctx, tx, `id = ?`, id)
		return err
	})
	if err == nil && len(list) == 0 {
		err = noSuch("task", id)
	}
	if err != nil {
		return Task{}, err
	}
	return list[0], nil
}

// ourDuties picks what this side owes of what the decisions ask for. The
// provider keeps what either side owes before the transfer: it may not let
// data go without.
func ourDuties(role dsp.Role, decisions ...corridor.Decision) []corridor.Obligation {
	us := "exporter"
	if role == dsp.Consumer {
		us = "importer"
	}
	out := []corridor.Obligation{}
	for _, d := range decisions {
		for _, o := range d.Duties {
			if !byPlane(o.Stage) && (o.Owner == us || o.Owner == "both" || role == dsp.Provider && o.When == "before") {
				o.Rules = nil
				out = append(out, o)
			}
		}
	}
	return out
}

// loadDuties reads the duties of an agreement; known is false if it has none
// on record.
func loadDuties(ctx context.Context, tx *store.Tx, agreement string) (duties []corridor.Obligation, known bool, err error) {
	var doc string
	err = tx.QueryRow(ctx, `SELECT doc FROM duties WHERE agreement = ?`, agreement).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("duties of %s: %w", agreement, err)
	}
	return duties, true, unmarshal(doc, &duties)
}

func putDuties(ctx context.Context, tx *store.Tx, agreement string, duties []corridor.Obligation) error {
	return put(ctx, tx, `INSERT INTO duties (doc, agreement) VALUES (?, ?) ON CONFLICT (agreement) DO UPDATE SET doc = excluded.doc`, duties, agreement)
}

// evidenceOf finds evidence under a duty's name or one of its other names.
func (s *Service) evidenceOf(id string, have map[string]corridor.Evidence) (corridor.Evidence, bool) {
	names := []string{id}
	if info, known := s.cfg.Law.Obligation(id); known {
		names = append(append(names, info.ID), info.Aliases...)
	}
	for _, name := range names {
		if e := have[name]; e.Ref != "" {
			return e, true
		}
	}
	return corridor.Evidence{}, false
}
