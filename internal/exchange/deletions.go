package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/plane"
	"corridor/internal/store"
)

// A copy abroad may have a term: the provider's policy sets one, or the
// importer has stated how long it keeps the data and the law decided on that
// word. The node that received the copy holds to it: at the end of the term
// it deletes the file and says so in its log.

// deleteBy is when the copy that arrived under a negotiation has to be gone;
// zero if it may stay. Where the policy leaves open which of its permissions
// is meant, the earliest term counts.
func (s *Service) deleteBy(n *Negotiation, arrived time.Time) (time.Time, error) {
	t, err := readTerms(n.Offer.Policy)
	if err != nil {
		return time.Time{}, err
	}
	u := useOf(n, s.cfg.Self, arrived, 0)
	var first time.Time
	earlier := func(at time.Time) {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	for i := range t.permissions {
		g := &t.permissions[i]
		if i != n.Permission && g.when.holds(u, nil) == no { // the one agreed on counts, also if its time ended while the data was on its way
			continue
		}
		if g.within > 0 {
			earlier(arrived.Add(g.within))
		}
		if !g.by.IsZero() {
			earlier(g.by)
		}
	}
	if keep, ok := readSpan(u.facts[factRetention]); ok && !keep.open {
		earlier(arrived.Add(time.Duration(keep.most()) * time.Hour))
	}
	return first, nil
}

// keepDeletion writes, with a transfer, when its copy has to be gone.
func keepDeletion(ctx context.Context, tx *store.Tx, t *Transfer) error {
	var err error
	switch {
	case t.leftover():
		_, err = tx.Exec(ctx, putDeletion, t.PID, dsp.FormatTime(t.Updated))
	case t.DeleteBy == "":
		return nil
	case t.Deleted != nil:
		_, err = tx.Exec(ctx, `DELETE FROM deletions WHERE transfer = ?`, t.PID)
	default:
		_, err = tx.Exec(ctx, putDeletion, t.PID, t.DeleteBy)
	}
	if err != nil {
		return fmt.Errorf("term of a copy: %w", err)
	}
	return nil
}

const putDeletion = `INSERT INTO deletions (transfer, due) VALUES (?, ?) ON CONFLICT (transfer) DO UPDATE SET due = excluded.due`

// leftover says whether a transfer was ended before its data was on record:
// what has come of it by then is nobody's, and has no term of its own.
func (t *Transfer) leftover() bool {
	return t.Role == dsp.Consumer && t.State == dsp.Terminated && t.dest != "" && t.File == "" && t.DeleteBy == ""
}

// discard removes what has come of a transfer that was ended. Its stream is
// cut already; where it has not come to its end yet, this is tried again.
func (s *Service) discard(ctx context.Context, t *Transfer) error {
	_, release, ok, err := s.db.Claim(ctx, leaseMove+cmp.Or(t.PartOf, t.PID))
	if err == nil && !ok {
		err = corridor.E(corridor.Conflict, "its stream has not come to its end")
	}
	if err != nil {
		return err
	}
	defer release()
	for _, path := range plane.Remains(t.dest) {
		if _, err := removeCopy(path); err != nil {
			return fmt.Errorf("remove what came of an ended transfer: %w", err)
		}
	}
	_ = os.Remove(filepath.Dir(t.dest)) // the agreement's directory, if nothing else is in it
	return s.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM deletions WHERE transfer = ?`, t.PID)
		return err
	})
}

// ended says that a copy was deleted at the end of its term and does not come
// again under the same transfer: the log has said that it is gone.
func (t *Transfer) ended() error {
	if t.Deleted == nil {
		return nil
	}
	return &corridor.Error{Kind: corridor.Gone, Msg: "the copy of this transfer was deleted at the end of its term", Fix: "ask for a new transfer"}
}

func (s *Service) deletionsChanged() {
	select {
	case s.terms <- struct{}{}:
	default:
	}
}

// runDeletions deletes the copies whose term has ended: at the start those of
// the time in which the node was down, then each at its second.
func (s *Service) runDeletions(ctx context.Context) error {
	return s.runTimer(ctx, "a copy whose term has ended could not be deleted; it is tried again", s.terms, s.deletionsDue)
}

const (
	dueDeletions = `SELECT due, transfer FROM deletions WHERE due <= ? AND (due, transfer) > (?, ?) ORDER BY due, transfer LIMIT ?`
	nextDeletion = `SELECT COALESCE(MIN(due), '') FROM deletions WHERE due > ?`
)

// deletionsDue deletes all that is due and gives how long it is to the next,
// below zero if none is known.
func (s *Service) deletionsDue(ctx context.Context) (time.Duration, error) {
	if doubt, _, err := s.doubts(ctx, s.now()); err != nil || doubt != nil {
		return doubtedPause, err
	}
	return s.momentsCome(ctx, "copies whose term has ended", dueDeletions, nextDeletion, s.deleteCopy)
}

// deleteCopy deletes the file first and says so afterwards: the log never
// claims what is not so. A crash between the two finds no file, and says it.
func (s *Service) deleteCopy(ctx context.Context, pid string) error {
	t, err := s.transfer(ctx, pid)
	if err != nil || t.Deleted != nil {
		return err
	}
	if t.leftover() {
		return s.discard(ctx, &t)
	}
	reason, err := removeCopy(t.dest)
	if err != nil {
		return fmt.Errorf("delete the copy: %w", err)
	}
	_ = os.Remove(filepath.Dir(t.dest)) // the agreement's directory, if nothing else is in it
	_, err = s.actTransfer(ctx, pid, func(t *Transfer, st *step) error {
		if t.Deleted != nil {
			return nil
		}
		body := corridor.Receipt{Type: corridor.ReceiptTransferDeleted, State: string(t.State), Reason: reason, Digests: map[string]string{corridor.DigestContent: t.SHA256}}
		t.File = ""
		st.receipts = []receipt{{body: body, note: func(ref corridor.ReceiptRef) { t.Deleted = &ref }}}
		return nil
	})
	if err == nil {
		s.log.InfoContext(ctx, "a copy was deleted at the end of its term", "transfer", pid, "due", t.DeleteBy)
	}
	return err
}

// removeCopy removes what stands under the name of a copy, and says what keeps
// the log from claiming that it was the copy itself.
func removeCopy(path string) (reason string, err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the file was not there any more", nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		reason = "something else stood in the place of the file, such as a link: that was removed, and where the file went is not known"
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return reason, nil
}
