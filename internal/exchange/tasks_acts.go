package exchange

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/ledger"
	"corridor/internal/store"
)

// Happened is a person's word that something has happened from which a
// deadline runs.
type Happened struct {
	Event string        `json:"event"`
	On    corridor.Date `json:"on"`            // 0: today
	Ref   string        `json:"ref,omitempty"` // tells two on one day apart
	By    string        `json:"by"`
	Note  string        `json:"note,omitempty"`
}

const maxWords = 2000 // of what a person writes into a task

func checkWords(words map[string]string) error {
	for name, v := range words {
		if len(v) > maxWords {
			return &corridor.Error{Kind: corridor.Limited, Where: name, Msg: fmt.Sprintf("is longer than %d bytes", maxWords), Fix: "name the place of the document instead of its text"}
		}
	}
	return nil
}

// day gives the day of an act: today, or one that has been.
func (s *Service) day(on corridor.Date) (corridor.Date, error) {
	today := s.today()
	if on > today {
		return 0, &corridor.Error{Kind: corridor.Invalid, Where: "on", Msg: fmt.Sprintf("%s is still to come: by the clock of the node it is %s", on, today), Fix: "say it when it has happened"}
	}
	if on == 0 {
		return today, nil
	}
	return on, nil
}

// TaskDone ends a task with its evidence. A duty that came up later and is
// owed before the transfer counts as shown: the law is asked again at once,
// and a suspended agreement comes back.
func (s *Service) TaskDone(ctx context.Context, id string, p Proof) (Task, error) {
	if p.By == "" || p.Ref == "" {
		return Task{}, &corridor.Error{Kind: corridor.Invalid, Where: "by, ref", Msg: "a task is done when somebody says where the evidence is", Fix: "give by and ref"}
	}
	if p.Reason != "" {
		return Task{}, &corridor.Error{Kind: corridor.Invalid, Where: "reason", Msg: "belongs to a task that does not apply", Fix: "write it into note"}
	}
	if hexed, ok := strings.CutPrefix(p.SHA256, "sha256:"); p.SHA256 != "" {
		if raw, err := hex.DecodeString(hexed); !ok || err != nil || len(raw) != 32 || strings.ToLower(hexed) != hexed {
			return Task{}, &corridor.Error{Kind: corridor.Invalid, Where: "sha256", Msg: "is not a digest", Fix: "write sha256: and 64 lower-case hex digits"}
		}
	}
	return s.endTask(ctx, id, p, TaskDone, corridor.ReceiptTaskDone, func(t *Task) error { return t.mayBeDone(s.today()) })
}

// mayBeDone says why a task cannot be done yet, or nil.
func (t *Task) mayBeDone(today corridor.Date) error {
	no := func(msg, fix string) error {
		return &corridor.Error{Kind: corridor.Conflict, Msg: msg, Why: articles(t.Citations), Fix: fix}
	}
	event := "record it: corridor tasks event " + t.Agreement + " " + t.Event
	switch {
	case t.Each && t.Ref == "":
		return no(fmt.Sprintf("%s is owed at each event %q, and this task stands for those to come", t.Obligation, t.Event), event)
	case t.Until && t.Due == 0:
		return no(fmt.Sprintf("the end of %s is not known", t.Obligation), event)
	case t.Until && today <= t.Due:
		return no(fmt.Sprintf("%s runs until %s", t.Obligation, t.Due), "it ends by itself on the day after")
	}
	return nil
}

// TaskNotApplicable ends a task without evidence, with a reason. What is owed
// before the transfer cannot be ended so: the law lets nothing go without it.
func (s *Service) TaskNotApplicable(ctx context.Context, id string, p Proof) (Task, error) {
	if p.By == "" || p.Reason == "" {
		return Task{}, &corridor.Error{Kind: corridor.Invalid, Where: "by, reason", Msg: "a task does not apply when somebody says why", Fix: "give by and reason"}
	}
	if p.Ref+p.SHA256+p.Kind != "" {
		return Task{}, &corridor.Error{Kind: corridor.Invalid, Where: "ref", Msg: "evidence belongs to a task that is done"}
	}
	return s.endTask(ctx, id, p, TaskNotApplicable, corridor.ReceiptTaskNotApplicable, func(t *Task) error {
		if t.When == "before" {
			return &corridor.Error{Kind: corridor.Conflict, Msg: t.Obligation + " is owed before the transfer and cannot be left out", Why: articles(t.Citations),
				Fix: "show evidence, which may be a note that names the other lawful ground: corridor tasks done " + t.ID}
		}
		return nil
	})
}

// endTask ends a task in one commit with its receipt. What the person said
// enters the log as a salted commitment alone.
func (s *Service) endTask(ctx context.Context, id string, p Proof, state, kind string, may func(*Task) error) (Task, error) {
	if err := checkWords(map[string]string{"by": p.By, "ref": p.Ref, "kind": p.Kind, "note": p.Note, "reason": p.Reason}); err != nil {
		return Task{}, err
	}
	var err error
	if p.On, err = s.day(p.On); err != nil {
		return Task{}, err
	}
	var t Task
	err = again(func() (err error) {
		if t, err = s.TaskByID(ctx, id); err != nil {
			return err
		}
		if !t.unfinished() {
			return &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("task %s is %s already", t.ID, strings.ReplaceAll(t.State, "_", " "))}
		}
		if err := may(&t); err != nil {
			return err
		}
		a, n, err := s.agreementOf(ctx, &t)
		if err != nil {
			return err
		}
		t.State, t.Proof = state, &p
		st := &step{neg: &n, tasks: []*Task{&t}}
		if state == TaskDone && t.When == "before" {
			n.Evidence = merged(n.Evidence, map[string]corridor.Evidence{t.Obligation: {Obligation: t.Obligation, Ref: p.Ref, SHA256: p.SHA256, By: p.By, On: p.On}})
			today := s.today()
			st.agr, st.due = &a, &today // asked again at once
		}
		if state == TaskDone && t.Renewed {
			st.inside = func(ctx context.Context, tx *store.Tx) error { return s.renewOnce(ctx, tx, &t) }
		}
		if err := st.says(kind, &t, p); err != nil {
			return err
		}
		return s.commit(ctx, st)
	})
	return t, err
}

// renewOnce is beginAnew for a person's act: the same day twice is a mistake.
func (s *Service) renewOnce(ctx context.Context, tx *store.Tx, t *Task) error {
	old, err := s.tasksWhere(ctx, tx, `agreement = ? AND obligation = ? AND ref = ?`, t.Agreement, t.Obligation, t.Proof.On.String())
	if err != nil {
		return err
	}
	if len(old) > 0 {
		return &corridor.Error{Kind: corridor.Conflict, Where: "on", Msg: fmt.Sprintf("%s was done on %s already", t.Obligation, t.Proof.On), Fix: "give the day on which it was done this time"}
	}
	_, err = s.beginAnew(ctx, tx, t)
	return err
}

// says puts the receipt of an act on a task into a step. The duty, its state
// and its last day are public; what a person said stays here.
func (st *step) says(kind string, t *Task, said any) error {
	r := receipt{body: corridor.Receipt{Type: kind, Agreement: t.Agreement, State: t.State, Reason: t.Obligation}}
	if t.Due != 0 {
		r.body.Reason += " " + t.Due.String()
	}
	if said != nil {
		value, err := corridor.Canonical(said)
		if err != nil {
			return err
		}
		r.secrets = []ledger.Secret{{Name: "task", Value: value}}
	}
	st.receipts = append(st.receipts, r)
	return nil
}

func (s *Service) agreementOf(ctx context.Context, t *Task) (Agreement, Negotiation, error) {
	a, err := s.Agreement(ctx, t.Agreement)
	if err != nil {
		return a, Negotiation{}, err
	}
	n, err := s.Negotiation(ctx, a.Negotiation)
	return a, n, err
}

// TaskEvent records that something has happened under an agreement, and gives
// the tasks whose clock it started or set right.
func (s *Service) TaskEvent(ctx context.Context, agreement string, h Happened) ([]Task, error) {
	if h.By == "" || h.Event == "" {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "by, event", Msg: "an event has a name and somebody who says so", Fix: "give by and event"}
	}
	if err := checkWords(map[string]string{"by": h.By, "ref": h.Ref, "note": h.Note}); err != nil {
		return nil, err
	}
	var err error
	if h.On, err = s.day(h.On); err != nil {
		return nil, err
	}
	var moved []Task
	err = again(func() error {
		moved = nil
		a, err := s.Agreement(ctx, agreement)
		if err != nil {
			return err
		}
		n, err := s.Negotiation(ctx, a.Negotiation)
		if err != nil {
			return err
		}
		st := &step{neg: &n}
		st.inside = func(ctx context.Context, tx *store.Tx) (err error) {
			moved, err = s.happened(ctx, tx, agreement, h)
			return err
		}
		value, err := corridor.Canonical(h)
		if err != nil {
			return err
		}
		st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTaskEvent, Agreement: a.ID, State: a.State, Reason: h.Event + " " + h.On.String()},
			secrets: []ledger.Secret{{Name: "task", Value: value}}}}
		return s.commit(ctx, st)
	})
	return moved, err
}

// happened moves the clocks inside the step's transaction. An event from
// which nothing runs is refused, and nothing is written.
func (s *Service) happened(ctx context.Context, tx *store.Tx, agreement string, h Happened) ([]Task, error) {
	duties, _, err := loadDuties(ctx, tx, agreement)
	if err != nil {
		return nil, err
	}
	starts := s.cfg.Law.Starts(duties)
	if !slices.Contains(starts, h.Event) {
		fix := "no deadline of this agreement runs from an event"
		if len(starts) > 0 {
			fix = "use one of " + strings.Join(starts, ", ")
		}
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "event", Msg: fmt.Sprintf("no duty of this agreement runs from %q", clip(h.Event)), Fix: fix}
	}
	moved, err := s.moveTasks(ctx, tx, agreement, duties, law.Event{ID: h.Event, On: h.On, Ref: h.Ref}, true)
	if err == nil && len(moved) == 0 {
		err = &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("the tasks that run from %q are finished", h.Event), Fix: "see corridor tasks list --agreement " + agreement}
	}
	return moved, err
}
