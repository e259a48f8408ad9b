package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
)

// A corridor says what this node's log must have of a transfer before data is
// let go: its own signature, which is there with the receipt, or cosignatures of
// the witnesses. A compact says it for its corridors and the operator for a
// peer; the stricter counts.

// cosignWait is how long a request for data waits for witnesses before it is
// told to come again.
const cosignWait = 5 * time.Second

// maxUnwitnessed bounds the transfers of which is told that they wait.
const maxUnwitnessed = 4096

// errUnwitnessed says that witnesses have not answered yet.
var errUnwitnessed = errors.New("")

// unwitnessed is what waits for witnesses here, by transfer.
type unwitnessed struct {
	mu   sync.Mutex
	list map[string]unseen
}

type unseen struct {
	index int64
	who   string // wants it
	since time.Time
}

func (u *unwitnessed) waits(pid string, w unseen) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.list) >= maxUnwitnessed || u.list == nil {
		u.list = map[string]unseen{}
	}
	if have, known := u.list[pid]; known {
		w.since = have.since
	}
	u.list[pid] = w
}

func (u *unwitnessed) done(pid string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.list, pid)
}

func (u *unwitnessed) of(pid string) (unseen, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	w, waits := u.list[pid]
	return w, waits
}

// cosignedFor says who wants cosignatures before data goes to a peer, or "". A
// node that asks no witness can have none: nothing goes.
func (s *Service) cosignedFor(ctx context.Context, peer string, p Passage) (who string, err error) {
	if p.live == corridor.LivenessCosigned {
		who = fmt.Sprintf("compact %s, version %d", p.Compact.ID, p.Compact.Version)
	} else {
		known, err := s.cfg.Directory.Lookup(ctx, peer)
		if err != nil || known.Liveness != corridor.LivenessCosigned {
			return "", err
		}
		who = "what is set for this peer (liveness)"
	}
	if !s.cfg.Ledger.Witnessed() {
		return who, &corridor.Error{Kind: corridor.RefusedByLaw, Where: "witness_policy", Msg: "data is let go here only when witnesses have cosigned the log, and this node asks none", Why: who,
			Fix: "set witness_policy to a policy with a quorum"}
	}
	return who, nil
}

// witnessed waits a while until what the log has of a transfer is cosigned,
// where that is wanted, or says that it is not yet.
func (s *Service) witnessed(ctx context.Context, t *Transfer, d catalog.Dataset) error {
	peer, err := s.cfg.Directory.Lookup(ctx, t.Peer)
	if err != nil {
		return err
	}
	passage, err := s.passageOf(d, peer.Participant)
	if err != nil {
		return err
	}
	who, err := s.cosignedFor(ctx, t.Peer, passage)
	if err != nil || who == "" {
		return err
	}
	index, err := s.cfg.Ledger.LastOf(ctx, t.PID)
	if err != nil {
		return err
	}
	s.unseen.waits(t.PID, unseen{index, who, s.now().UTC()})
	wait, cancel := context.WithTimeout(ctx, cosignWait)
	defer cancel()
	err = s.cfg.Ledger.WaitCosigned(wait, index)
	if err == nil {
		s.unseen.done(t.PID)
		return nil
	}
	if corridor.KindOf(err) != corridor.Unavailable {
		return err
	}
	return &corridor.Error{Kind: corridor.Unavailable, Where: fmt.Sprintf("entry %d of %s", index, s.cfg.Ledger.Origin()), Msg: "the receipts of this transfer are not cosigned by enough witnesses yet", Why: who,
		Fix: "come again: it goes on when they have answered", Err: errUnwitnessed}
}

// showUnseen says of a transfer that waits for witnesses that it does.
func (s *Service) showUnseen(t *Transfer) {
	w, waits := s.unseen.of(t.PID)
	if !waits || t.Waiting == nil || t.Role != dsp.Provider || t.open() != nil {
		return
	}
	out := *t.Waiting
	out.On, out.Since = "node", w.since
	out.Why = fmt.Sprintf("entry %d of the log is not cosigned by enough witnesses yet, and that is wanted before data goes: %s", w.index, w.who)
	out.Next = "the data goes when they have answered"
	t.Waiting = &out
}
