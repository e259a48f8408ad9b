package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"corridor"
	"corridor/internal/store"
)

// tasksChanged lets runTasks look at its timer again.
func (s *Service) tasksChanged() {
	select {
	case s.clocks <- struct{}{}:
	default:
	}
}

// runTasks marks what is overdue: at the start what became so while the node
// was down, then at the beginning of each day on which something does (UTC).
func (s *Service) runTasks(ctx context.Context) error {
	return s.runTimer(ctx, "the deadlines could not be looked at; it is tried again", s.clocks, s.tasksDue)
}

// tasksDue marks all whose last day has passed and gives how long it is to
// the next such day, below zero if none is known.
func (s *Service) tasksDue(ctx context.Context) (time.Duration, error) {
	var failed []error
	for after := ""; ; {
		list, next, err := s.passed(ctx, after)
		if err != nil {
			return 0, err
		}
		for _, id := range list { // one that fails does not hold up the others
			if err := again(func() error { return s.markPassed(ctx, id) }); err != nil {
				failed = append(failed, fmt.Errorf("task %s: %w", id, err))
			}
			after = id
		}
		if len(list) == maxDue {
			continue
		}
		if err := errors.Join(failed...); err != nil || next == "" {
			return -1, err
		}
		day, err := corridor.ParseDate(next)
		if err != nil {
			return 0, err
		}
		return max(0, day.Time().Sub(s.now())), nil
	}
}

// passed lists tasks whose last day has passed unmarked, and the next such
// day after today.
func (s *Service) passed(ctx context.Context, after string) (list []string, next string, err error) {
	today := s.today().String()
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		due, err := s.tasksWhere(ctx, tx, `alarm <> '' AND alarm <= ? AND id > ? ORDER BY id LIMIT ?`, today, after, maxDue)
		if err != nil {
			return err
		}
		for _, t := range due {
			list = append(list, t.ID)
		}
		return tx.QueryRow(ctx, `SELECT COALESCE(MIN(alarm), '') FROM tasks WHERE alarm <> '' AND alarm > ?`, today).Scan(&next)
	})
	if err != nil {
		return nil, "", fmt.Errorf("tasks that are due: %w", err)
	}
	return list, next, nil
}

// markPassed says once, in the log and the record, that a task is overdue, or
// that what was kept or waited for has come to its end. A crash before the
// commit leaves the alarm; after it, there is none.
func (s *Service) markPassed(ctx context.Context, id string) error {
	t, err := s.TaskByID(ctx, id)
	if err != nil || t.alarm() == "" || t.Due >= s.today() {
		return err
	}
	_, n, err := s.agreementOf(ctx, &t)
	if err != nil {
		return err
	}
	kind := corridor.ReceiptTaskOverdue
	t.State, t.Overdue = TaskOverdue, t.Due+1
	if t.Until {
		kind, t.State, t.Overdue = corridor.ReceiptTaskEnded, TaskEnded, 0
	}
	st := &step{neg: &n, tasks: []*Task{&t}}
	if err := st.says(kind, &t, nil); err != nil {
		return err
	}
	if err := s.commit(ctx, st); err != nil {
		return err
	}
	if t.State == TaskOverdue {
		s.log.WarnContext(ctx, "a duty is overdue", "task", t.ID, "obligation", t.Obligation, "due", t.Due, "agreement", t.Agreement)
	}
	return nil
}
