package exchange

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/store"
)

// Several nodes may serve one participant on one database. Any of them takes
// any message; what only one may do at a time it does under a lease; and each
// hears what the others have changed, so that those who wait here for a
// process, and the streams that run here, need not ask again and again.

// What nodes tell each other, before the identifier.
const (
	toldNegotiation = "negotiation "
	toldTransfer    = "transfer "
	toldReviews     = "reviews"
	toldTasks       = "tasks"
	toldTrust       = "trust"
	toldLook        = "look "
	toldNodes       = "nodes" // by the store: a node is gone, or a lease free
)

// Leases of the exchange.
const (
	leaseReviews   = "reviews"
	leaseTasks     = "tasks"
	leaseDeletions = "deletions"
	leaseExpiry    = "expiry"
	leasePeople    = "people"
	leaseName      = "name " // and the agreement whose next transfer gets the name of its file
	leaseMove      = "move " // and the transfer whose data is fetched or pushed
)

// tell lets other nodes know what a step has changed.
func (st *step) tell(tx *store.Tx) {
	if st.neg != nil {
		tx.Tell(toldNegotiation + st.neg.PID)
	}
	if st.tr != nil {
		tx.Tell(toldTransfer + st.tr.PID)
	}
	if st.whole != nil {
		tx.Tell(toldTransfer + st.whole.PID)
	}
	if st.agr != nil {
		tx.Tell(toldReviews)
	}
	if st.clocks || st.inside != nil {
		tx.Tell(toldTasks)
	}
}

// told does here what another node's step wants done on every node.
func (s *Service) told(what string) {
	negotiation, isNegotiation := strings.CutPrefix(what, toldNegotiation)
	transfer, isTransfer := strings.CutPrefix(what, toldTransfer)
	look, isLook := strings.CutPrefix(what, toldLook)
	switch {
	case isNegotiation:
		s.bell.ring(negotiation)
	case isTransfer:
		s.bell.ring(transfer)
		s.running(append(s.streamsOf(transfer), transfer))
		s.deletionsChanged()
		s.arrivalsChanged()
	case isLook:
		s.run.sooner(look)
	case what == toldReviews:
		s.reviews.changed("")
		s.asking.poke()
	case what == toldTasks:
		s.clocks.changed("")
	case what == toldTrust:
		s.trustChanged()
		s.feedsChanged()
	case what == toldNodes:
		s.run.look()
	case what == "": // anything may have happened
		s.bell.ringAll()
		s.reviews.changed("")
		s.asking.poke()
		s.clocks.changed("")
		s.deletionsChanged()
		s.arrivalsChanged()
		s.trustChanged()
		s.feedsChanged()
		s.run.look()
		s.vouch.poke()
		s.running(append(s.run.all(), s.plane.Transfers()...))
	}
}

// running cuts those of the streams here whose transfers another node has
// stopped.
func (s *Service) running(pids []string) {
	s.toCut.add(slices.DeleteFunc(pids, func(pid string) bool { return !s.movesHere(pid) })...)
}

// has says whether the data of a transfer is being moved here.
func (r *runs) has(pid string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cancels[pid] != nil
}

// all lists what is being moved here.
func (r *runs) all() (pids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for pid := range r.cancels {
		pids = append(pids, pid)
	}
	return pids
}

// look lets the node look for transfers that nobody moves any more.
func (r *runs) look() {
	r.mu.Lock()
	r.orphans = true
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *runs) takeOrphans() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.orphans
	r.orphans = false
	return was
}

// whenThere does something that a node cannot go on without, as soon as its
// database can be reached. That ctx has ended is no error.
func (s *Service) whenThere(ctx context.Context, do func(context.Context) error) error {
	for {
		err := do(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil || !s.db.Away(err) {
			return err
		}
		s.log.WarnContext(ctx, "the database is away; it is tried again", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryAway):
		}
	}
}

// inboxMark is the file in the inbox that says which inbox it is.
const inboxMark = ".corridor-inbox"

// sameInbox makes sure that this node's inbox is that of the other nodes. What
// one has received another may have to go on with, or to delete; and a node
// that sees no file would say in the log that it is gone.
func (s *Service) sameInbox(ctx context.Context) error {
	if !s.db.Shared() {
		return nil
	}
	path := filepath.Join(s.cfg.Inbox, inboxMark)
	here, err := readMark(path)
	if err != nil {
		return err
	}
	var known string
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT COALESCE((SELECT mark FROM places WHERE name = 'inbox'), '')`).Scan(&known); err != nil || known != "" {
			return err
		}
		if here == "" { // the first node of all
			here = newID()
			if err := writeMark(path, here); err != nil {
				return err
			}
		}
		known = here
		_, err := tx.Exec(ctx, `INSERT INTO places (name, mark) VALUES ('inbox', ?)`, here)
		return err
	})
	if err == nil && here != known {
		err = &corridor.Error{Kind: corridor.Conflict, Where: s.cfg.Inbox, Msg: "this inbox is not the one of the other nodes on this database",
			Why: "what one node has received another may have to go on with, or to delete at the end of its term",
			Fix: "let inbox be the same directory on all machines, on storage that they share; its file " + inboxMark + " goes with it"}
	}
	return err
}

func readMark(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", corridor.E(corridor.Invalid, "inbox: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

func writeMark(path, mark string) error {
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(mark+"\n"), 0o600)
	}
	if err != nil {
		return corridor.E(corridor.Invalid, "inbox: %w", err)
	}
	return nil
}
