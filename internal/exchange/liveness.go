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
	"corridor/internal/ledger"
	"corridor/verify"
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

// unwitnessed is what waits for witnesses here, and what has waited, by
// transfer.
type unwitnessed struct {
	mu     sync.Mutex
	list   map[string]unseen
	proofs map[string]proved
}

// proved is a proof that the start of a transfer was cosigned before its data
// went. The receipt of the release quotes it.
type proved struct {
	document
	index int64 // of the start
}

// keep keeps the first proof of the newest start.
func (u *unwitnessed) keep(pid string, p proved) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.proofs == nil {
		u.proofs = map[string]proved{}
	}
	if have, known := u.proofs[pid]; known && have.index >= p.index {
		return
	}
	for other := range u.proofs {
		if len(u.proofs) < maxUnwitnessed {
			break
		}
		delete(u.proofs, other) // its release will not show that it waited
	}
	u.proofs[pid] = p
}

func (u *unwitnessed) proof(pid string) (p proved, known bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p, known = u.proofs[pid]
	return p, known
}

func (u *unwitnessed) released(pid string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.proofs, pid)
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
		return s.prove(ctx, t, index)
	}
	if corridor.KindOf(err) != corridor.Unavailable {
		return err
	}
	return &corridor.Error{Kind: corridor.Unavailable, Where: fmt.Sprintf("entry %d of %s", index, s.cfg.Ledger.Origin()), Msg: "the receipts of this transfer are not cosigned by enough witnesses yet", Why: who,
		Fix: "come again: it goes on when they have answered", Err: errUnwitnessed}
}

// prove keeps, until the release, what the witnesses have cosigned by now.
func (s *Service) prove(ctx context.Context, t *Transfer, index int64) error {
	if t.Released != nil {
		return nil
	}
	entry, err := s.cfg.Ledger.Receipt(ctx, index)
	if err != nil {
		return err
	}
	leaf, err := corridor.DecodeReceipt(entry)
	if err != nil || leaf.Receipt.Type != corridor.ReceiptTransferStarted {
		return err
	}
	text, err := s.cfg.Ledger.Proof(ctx, index)
	if err == nil {
		s.unseen.keep(t.PID, proved{document{corridor.Digest(text), text}, index})
	}
	return err
}

// quoteWitnesses puts into the receipt of a release what the witnesses had
// cosigned before, where that was waited for.
func (s *Service) quoteWitnesses(st *step, pid string, digests map[string]string) map[string]string {
	p, waited := s.unseen.proof(pid)
	if waited {
		digests[corridor.DigestWitnessed] = p.digest
		st.signed = append(st.signed, p.document)
	}
	st.after = append(st.after, func() { s.unseen.released(pid) })
	return digests
}

// witnessedShown gives the proofs that a peer's releases quote and that it
// shows, checked. What does not hold is left out: the release then shows nothing.
func (s *Service) witnessedShown(list []ledger.PeerReceipt, bodies []corridor.Receipt, file verify.File) (out []document) {
	shown := map[string]string{}
	for _, text := range file.Witnessed {
		shown[corridor.Digest([]byte(text))] = text
	}
	for i, r := range bodies {
		text := shown[r.Digests[corridor.DigestWitnessed]]
		if text == "" || r.Type != corridor.ReceiptTransferReleased {
			continue
		}
		if err := s.cfg.Ledger.CheckWitnessed([]byte(text), list[i], list); err != nil {
			s.log.Warn("what a peer shows of its witnesses does not hold", "peer", r.Issuer, "entry", list[i].Index, "error", err)
			continue
		}
		out = append(out, document{r.Digests[corridor.DigestWitnessed], []byte(text)})
	}
	return out
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
