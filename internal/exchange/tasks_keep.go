package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/store"
)

// keepTasks moves the tasks with what a step changes, in its transaction: an
// agreement that comes into force brings them, a transfer that starts or ends
// moves their clocks, a person's act ends them.
func (s *Service) keepTasks(ctx context.Context, tx *store.Tx, st *step) error {
	if err := s.putTasks(ctx, tx, st.tasks...); err != nil {
		return err
	}
	st.clocks = len(st.tasks) > 0
	if a := st.agr; a != nil && a.State == AgreementInForce && st.neg != nil {
		opened, err := s.openTasks(ctx, tx, a, st.neg)
		if err != nil {
			return err
		}
		if !st.clocks && st.inside == nil {
			st.alarm = firstAlarm(opened)
		}
		st.clocks = true
	}
	if st.tr != nil && !st.tr.growing() && st.letsGo() {
		st.clocks, st.alarm = true, ""
		return s.transferMoves(ctx, tx, st.tr)
	}
	return nil
}

// letsGo says whether data begins to leave with this step, or all has gone.
func (st *step) letsGo() bool {
	return slices.ContainsFunc(st.receipts, func(r receipt) bool {
		switch r.body.Type {
		case corridor.ReceiptTransferStarted, corridor.ReceiptTransferReceived, corridor.ReceiptTransferAcknowledged:
			return true
		}
		return false
	})
}

// openTasks gives an agreement its tasks, once. For an agreement of before
// there were tasks, the transfers that it has had count too. It gives the new
// tasks.
func (s *Service) openTasks(ctx context.Context, tx *store.Tx, a *Agreement, n *Negotiation) ([]*Task, error) {
	if _, known, err := loadDuties(ctx, tx, a.ID); err != nil || known {
		return nil, err
	}
	var sides []corridor.Decision
	for _, d := range []*SidedDecision{n.Own, n.Theirs} {
		if d == nil {
			continue
		}
		st, err := d.decode()
		if err != nil {
			return nil, fmt.Errorf("duties of %s: %w", a.ID, err)
		}
		sides = append(sides, st.Decision)
	}
	owed, err := s.owedByApprovals(n.agreedOn())
	if err != nil {
		return nil, err
	}
	duties := ourDuties(a.Role, append(sides, owed)...)
	if err := putDuties(ctx, tx, a.ID, duties); err != nil {
		return nil, err
	}
	past, err := s.transfersBefore(ctx, tx, a.ID)
	if err != nil {
		return nil, err
	}
	events := append(past, law.Event{ID: law.AtAgreement, On: s.dayOf(a.Created)})
	return s.addTasks(ctx, tx, a, s.cfg.Law.Tasks(duties, events), evidenceAt(a, n))
}

// addTasks writes new tasks and gives them. What evidence was given for with
// the agreement is done.
func (s *Service) addTasks(ctx context.Context, tx *store.Tx, a *Agreement, list []law.Task, have map[string]corridor.Evidence) ([]*Task, error) {
	var tasks, renewed []*Task
	for _, x := range list {
		t := newTask(a.ID, x)
		e, given := s.evidenceOf(x.Obligation, have)
		if given && x.Ref == "" && !x.Each && (!x.Until || x.When == "before") {
			t.State, t.Proof = TaskDone, &Proof{By: e.By, On: e.On, Ref: e.Ref, SHA256: e.SHA256}
		}
		if tasks = append(tasks, &t); t.State == TaskDone && t.Renewed {
			renewed = append(renewed, &t)
		}
	}
	if err := s.putTasks(ctx, tx, tasks...); err != nil {
		return nil, err
	}
	for _, t := range renewed {
		next, err := s.beginAnew(ctx, tx, t)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, next...)
	}
	return tasks, nil
}

// firstAlarm is the earliest day on which the node has to look at one of
// these, or never.
func firstAlarm(list []*Task) string {
	first := never
	for _, t := range list {
		first = min(first, orNever(t.alarm()))
	}
	return first
}

func newTask(agreement string, x law.Task) Task {
	t := Task{ID: newID(), Agreement: agreement, State: TaskOpen, Task: x}
	if x.Event != "" && x.From == 0 {
		t.State = TaskWaiting
	}
	return t
}

// beginAnew begins a task that comes back once it is done: from the day on which
// it was.
func (s *Service) beginAnew(ctx context.Context, tx *store.Tx, done *Task) ([]*Task, error) {
	from := done.Proof.On
	if from == 0 {
		from = s.today()
	}
	duties, _, err := loadDuties(ctx, tx, done.Agreement)
	if err != nil {
		return nil, err
	}
	for _, x := range s.cfg.Law.Tasks(duties, []law.Event{{ID: done.Event, On: from}}) {
		if x.Obligation != done.Obligation {
			continue
		}
		x.Ref = from.String()
		next := newTask(done.Agreement, x)
		next.Given = true
		return []*Task{&next}, s.putTasks(ctx, tx, &next)
	}
	return nil, nil // the law has stopped asking for it
}

// evidenceAt is what was shown when an agreement was made, by both sides.
func evidenceAt(a *Agreement, n *Negotiation) map[string]corridor.Evidence {
	have := n.proofs()
	var signed struct { // as far as it matters here: it was checked when it was made
		Body struct {
			Evidence []corridor.Evidence `json:"evidence"`
		} `json:"body"`
	}
	if a.made {
		signed.Body.Evidence = a.evidence
	} else if err := json.Unmarshal(a.Signed, &signed); err != nil {
		return have
	}
	for _, e := range signed.Body.Evidence {
		if _, ours := have[e.Obligation]; !ours {
			have[e.Obligation] = e
		}
	}
	return have
}

// transfersBefore lists the transfers that have let data go under an
// agreement, the first thousand.
func (s *Service) transfersBefore(ctx context.Context, tx *store.Tx, agreement string) ([]law.Event, error) {
	const most = 1000
	rows, err := tx.Query(ctx, `SELECT doc FROM transfers WHERE agreement = ? AND state IN ('STARTED', 'SUSPENDED', 'COMPLETED') ORDER BY pid LIMIT ?`, agreement, most)
	if err != nil {
		return nil, fmt.Errorf("transfers of %s: %w", agreement, err)
	}
	defer rows.Close()
	var out []law.Event
	for rows.Next() {
		var doc string
		var t Transfer
		if err := rows.Scan(&doc); err != nil {
			return nil, fmt.Errorf("transfers of %s: %w", agreement, err)
		}
		if err := unmarshal(doc, &t); err != nil {
			return nil, err
		}
		out = append(out, law.Event{ID: law.AtTransfer, On: s.dayOf(t.Created), Ref: t.PID})
	}
	return out, rows.Err()
}

// transferMoves starts the clocks that run from a transfer. The first word of
// it counts for what is to be done, the last for what is to be kept.
func (s *Service) transferMoves(ctx context.Context, tx *store.Tx, t *Transfer) error {
	duties, known, err := loadDuties(ctx, tx, t.Agreement)
	if err != nil || !known {
		return err
	}
	_, err = s.moveTasks(ctx, tx, t.Agreement, duties, law.Event{ID: law.AtTransfer, On: s.today(), Ref: t.PID}, false)
	return err
}

// moveTasks starts the clocks that an event starts, and gives the tasks that
// it moved. told: a person says so, and is believed over what was there.
func (s *Service) moveTasks(ctx context.Context, tx *store.Tx, agreement string, duties []corridor.Obligation, e law.Event, told bool) ([]Task, error) {
	var moved []Task
	for _, x := range s.cfg.Law.Tasks(duties, []law.Event{e}) {
		if x.From == 0 || told && x.Event != e.ID {
			continue
		}
		old, err := s.tasksWhere(ctx, tx, `agreement = ? AND obligation = ? AND ref = ?`, agreement, x.Obligation, x.Ref)
		if err == nil && x.Renewed {
			old, err = s.tasksWhere(ctx, tx, `agreement = ? AND obligation = ? AND state IN (?, ?, ?) ORDER BY id DESC LIMIT 1`, agreement, x.Obligation, TaskWaiting, TaskOpen, TaskOverdue)
		}
		if err != nil {
			return nil, err
		}
		var t Task
		switch {
		case len(old) == 0 && x.Renewed:
			continue
		case len(old) == 0:
			t = newTask(agreement, x)
		default:
			if t = old[0]; !t.clock(x, told) {
				continue
			}
			t.recover(s.today())
		}
		t.Given = t.Given || told
		if err := s.putTasks(ctx, tx, &t); err != nil {
			return nil, err
		}
		moved = append(moved, t)
	}
	return moved, nil
}

// clock takes over when a task's clock started, if that is better known now,
// or binds harder: earlier for what is to be done, later for what is kept.
// Keeping that had ended begins again with what is new.
func (t *Task) clock(x law.Task, told bool) bool {
	if t.State == TaskEnded && x.Until && x.From > t.From {
		t.State, t.Given = TaskOpen, false
	}
	harder := !t.Given && t.Presumed == x.Presumed && (!x.Until && x.From < t.From || x.Until && x.From > t.From)
	if !t.unfinished() || !told && t.From != 0 && !(t.Presumed && !x.Presumed) && !harder {
		return false
	}
	t.From, t.Presumed, t.Due, t.Doubts = x.From, x.Presumed, x.Due, x.Doubts
	return true
}

// recover sets the state of a task whose clock or day has moved.
func (t *Task) recover(today corridor.Date) {
	if t.State == TaskOverdue && t.Due != 0 && t.Due < today {
		return
	}
	t.State, t.Overdue = TaskOpen, 0
}

// dutiesNow brings the tasks of an agreement up to what the law asks today:
// new duties get tasks, what nobody asks for any more and has not begun
// lapses, and days are counted anew, because holidays move.
func (s *Service) dutiesNow(ctx context.Context, tx *store.Tx, a *Agreement, n *Negotiation, own corridor.Decision) error {
	if a.State != AgreementInForce && a.State != AgreementSuspended {
		return nil
	}
	if _, err := s.openTasks(ctx, tx, a, n); err != nil {
		return err
	}
	if !own.Outcome.Permits() && own.Outcome != corridor.NeedsApproval { // it says what forbids, not what is owed
		return nil
	}
	sides := []corridor.Decision{own}
	if n.Theirs != nil {
		theirs, err := n.Theirs.decode()
		if err != nil {
			return fmt.Errorf("duties of %s: %w", a.ID, err)
		}
		sides = append(sides, theirs.Decision)
	}
	owed, err := s.owedByApprovals(n.agreedOn())
	if err != nil {
		return err
	}
	duties := ourDuties(a.Role, append(sides, owed)...)
	if err := putDuties(ctx, tx, a.ID, duties); err != nil {
		return err
	}
	list := s.cfg.Law.Tasks(duties, []law.Event{{ID: law.AtAgreement, On: s.dayOf(a.Created)}})
	if err := s.recount(ctx, tx, a.ID, duties, list); err != nil {
		return err
	}
	fresh, err := s.notYetThere(ctx, tx, a.ID, list)
	if err != nil {
		return err
	}
	_, err = s.addTasks(ctx, tx, a, fresh, evidenceAt(a, n))
	return err
}

// notYetThere picks the tasks that an agreement does not have.
func (s *Service) notYetThere(ctx context.Context, tx *store.Tx, agreement string, list []law.Task) ([]law.Task, error) {
	var out []law.Task
	for _, x := range list {
		old, err := s.tasksWhere(ctx, tx, `agreement = ? AND obligation = ? AND ref = ?`, agreement, x.Obligation, x.Ref)
		if err != nil {
			return nil, err
		}
		if len(old) == 0 {
			out = append(out, x)
		}
	}
	return out, nil
}

// recount looks at every task of an agreement that is still to come, or that
// had lapsed.
func (s *Service) recount(ctx context.Context, tx *store.Tx, agreement string, duties []corridor.Obligation, list []law.Task) error {
	for after := ""; ; {
		old, err := s.tasksWhere(ctx, tx, `agreement = ? AND id > ? AND state IN (?, ?, ?, ?) ORDER BY id LIMIT ?`,
			agreement, after, TaskWaiting, TaskOpen, TaskOverdue, TaskLapsed, maxDue)
		if err != nil {
			return err
		}
		for _, t := range old {
			after = t.ID
			was := t
			asked := slices.IndexFunc(list, func(x law.Task) bool { return x.Obligation == t.Obligation })
			switch {
			case asked < 0 && t.State == TaskWaiting:
				t.State = TaskLapsed
			case asked < 0:
			case t.State == TaskLapsed:
				t.State = newTask(agreement, t.Task).State
			case t.From != 0 && t.Event != law.AtTransfer:
				s.countAgain(&t, duties)
			}
			if asked >= 0 {
				t.Certain, t.Citations = list[asked].Certain, list[asked].Citations
			}
			if reflect.DeepEqual(t, was) {
				continue
			}
			if err := s.putTasks(ctx, tx, &t); err != nil {
				return err
			}
		}
		if len(old) < maxDue {
			return nil
		}
	}
}

// countAgain counts a day from the same event by the law and the calendars in
// use.
func (s *Service) countAgain(t *Task, duties []corridor.Obligation) {
	for _, x := range s.cfg.Law.Tasks(duties, []law.Event{{ID: t.Event, On: t.From, Ref: t.Ref}}) {
		if x.Obligation != t.Obligation || x.From != t.From || t.Each != x.Each || x.Each && x.Ref != t.Ref {
			continue
		}
		if x.Due == t.Due && reflect.DeepEqual(x.Doubts, t.Doubts) && x.Deadline == t.Deadline {
			return
		}
		t.Due, t.Doubts, t.Deadline, t.Calendar, t.Until = x.Due, x.Doubts, x.Deadline, x.Calendar, x.Until
		t.recover(s.today())
	}
}
