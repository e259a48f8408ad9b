package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

// runTasks marks what is overdue: at the start what became so while the node
// was down, then at the beginning of each day on which something does.
func (s *Service) runTasks(ctx context.Context) error {
	return s.runTimer(ctx, "the deadlines could not be looked at; it is tried again", s.clocks.wake, s.tasksDue)
}

// tasksDue marks all whose last day has passed and gives how long it is to
// the next such day, below zero if none is known.
func (s *Service) tasksDue(ctx context.Context) (time.Duration, error) {
	s.clocks.looks()
	var failed []error
	var after mark
	for {
		list, next, err := s.passed(ctx, after)
		if err != nil {
			return 0, err
		}
		for _, after = range list { // one that fails does not hold up the others
			if err := again(func() error { return s.markPassed(ctx, after.id) }); err != nil {
				failed = append(failed, fmt.Errorf("task %s: %w", after.id, err))
			}
		}
		if len(list) == maxDue {
			continue
		}
		if err := errors.Join(failed...); err != nil {
			return -1, err
		}
		s.clocks.waits(orNever(next))
		if next == "" {
			return -1, nil
		}
		day, err := corridor.ParseDate(next)
		if err != nil {
			return 0, err
		}
		return s.untilDay(day), nil
	}
}

// The days that have come are found by an index over what still waits for its
// day, however many rows there are besides (plan_test.go).
const (
	passedTasks = `SELECT alarm, id FROM tasks WHERE alarm <> '' AND alarm <= ? AND (alarm, id) > (?, ?) ORDER BY alarm, id LIMIT ?`
	nextTask    = `SELECT COALESCE(MIN(alarm), '') FROM tasks WHERE alarm <> '' AND alarm > ?`
)

// passed lists tasks whose last day has passed unmarked, and the next such
// day after today.
func (s *Service) passed(ctx context.Context, after mark) ([]mark, string, error) {
	list, next, err := s.daysCome(ctx, passedTasks, nextTask, after)
	if err != nil {
		return nil, "", fmt.Errorf("tasks that are due: %w", err)
	}
	return list, next, nil
}

// mark is a row that waits for a day.
type mark struct{ day, id string }

// daysCome lists the rows after one whose day has come, and the next day
// after today.
func (s *Service) daysCome(ctx context.Context, come, coming string, after mark) (list []mark, next string, err error) {
	return s.come(ctx, come, coming, s.today().String(), after)
}

func (s *Service) come(ctx context.Context, come, coming, now string, after mark) (list []mark, next string, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, come, now, after.day, after.id, maxDue)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var m mark
			if err := rows.Scan(&m.day, &m.id); err != nil {
				return err
			}
			list = append(list, m)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return tx.QueryRow(ctx, coming, now).Scan(&next)
	})
	return list, next, err
}

// momentsCome does each thing whose moment has come, as come lists them, and
// gives how long it is to the next, below zero if none is known.
func (s *Service) momentsCome(ctx context.Context, what, come, coming string, do func(ctx context.Context, id string) error) (time.Duration, error) {
	var failed []error
	var after mark
	for {
		now := s.now()
		list, next, err := s.come(ctx, come, coming, dsp.FormatTime(now), after)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", what, err)
		}
		for _, after = range list { // one that fails does not hold up the others
			if err := do(ctx, after.id); err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", after.id, err))
			}
		}
		if len(list) == maxDue {
			continue
		}
		if err := errors.Join(failed...); err != nil || next == "" {
			return -1, err
		}
		at, err := dsp.ParseTime(next)
		if err != nil {
			return 0, corridor.E(corridor.Internal, "%s: %w", what, err)
		}
		return max(at.Sub(now), 0), nil
	}
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
