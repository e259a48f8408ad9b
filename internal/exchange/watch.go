package exchange

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/verify"
)

// The peer's log is watched: every checkpoint that comes with its receipts,
// from its own address or from a witness must continue what is known. A log
// that has signed two histories closes the corridor to its owner.

// leaseMonitor is held by the node that asks logs and witnesses.
const leaseMonitor = "monitor"

// watch compares the receipts and the newest checkpoint that a peer has just
// shown with what it has shown before.
func (s *Service) watch(ctx context.Context, a Agreement, log corridor.LogRef, list []ledger.PeerReceipt) error {
	err := s.cfg.Ledger.CheckPlaces(ctx, list)
	var newest []byte
	most := int64(-1)
	for _, r := range list {
		p, perr := verify.ParseProof(r.Proof)
		if perr != nil {
			continue
		}
		text, _, _ := strings.Cut(string(p.Checkpoint), "\n\n")
		if c, cerr := verify.ParseCheckpoint(text + "\n"); cerr == nil && c.Size > most {
			most, newest = c.Size, p.Checkpoint
		}
	}
	if err == nil && newest != nil {
		err = s.cfg.Ledger.See(ctx, ledger.PeerLog{DID: a.Peer, Ref: log, URL: tilesOf(a.Callback, log.Origin)}, newest)
	}
	var f *ledger.Fork
	if errors.As(err, &f) {
		s.forked(ctx, f)
		return &corridor.Error{Kind: corridor.Conflict, Where: log.Origin, Msg: f.Error(), Why: "evidence " + f.Reference(), Fix: "corridor evidence list"}
	}
	if err != nil { // a log that does not answer proves nothing
		s.log.WarnContext(ctx, "the peer's log could not be compared with what it has shown before", "peer", a.Peer, "log", log.Origin, "error", err)
	}
	return nil
}

// tilesOf is where the tiles of a log are: at its origin, if that is on the
// host where the peer is asked. Empty: not known.
func tilesOf(base, origin string) string {
	u, err := url.Parse(base)
	host, _, _ := strings.Cut(origin, "/")
	if err != nil || u.Host != host {
		return ""
	}
	return u.Scheme + "://" + origin
}

// forked stops the corridor to the owner of a log that has signed two
// histories, unless an operator has lifted the stop for these two.
func (s *Service) forked(ctx context.Context, f *ledger.Fork) {
	list, err := s.cfg.Ledger.Equivocations(ctx)
	if err == nil && slices.ContainsFunc(list, func(e ledger.Equivocation) bool { return e.Reference == f.Reference() && e.Lifted != "" }) {
		return
	}
	if err == nil {
		err = s.StopCorridor(ctx, stopFor(f.Log.DID, f.Log.Ref.Origin, f.Reference()))
	}
	if err != nil {
		s.log.ErrorContext(ctx, "the corridor could not be stopped; it is tried again", "peer", f.Log.DID, "evidence", f.Reference(), "error", err)
	}
}

// stopFor is the stop for one piece of evidence: a peer stays stopped until
// each of them is lifted.
func stopFor(did, origin, reference string) Stop {
	return Stop{ID: "evidence " + reference, Target: corridor.Target{Participant: did}, Digests: map[string]string{"evidence": reference},
		Reason: "the log " + origin + " has signed two histories: evidence " + reference,
		Fix:    "look at it with corridor evidence export; corridor evidence lift lets the corridor go on"}
}

// runMonitor stops what was found before and not yet acted on, and then asks
// logs and witnesses.
func (s *Service) runMonitor(ctx context.Context) error {
	if err := s.whenThere(ctx, s.stopForked); err != nil || ctx.Err() != nil {
		return err
	}
	return s.cfg.Ledger.RunMonitor(ctx, s.forked)
}

func (s *Service) stopForked(ctx context.Context) error {
	list, err := s.cfg.Ledger.Equivocations(ctx)
	for _, e := range list {
		if err == nil && e.Lifted == "" {
			err = s.StopCorridor(ctx, stopFor(e.DID, e.Origin, e.Reference))
		}
	}
	return err
}

// Evidence lists the evidence that this node holds against logs of peers.
func (s *Service) Evidence(ctx context.Context) ([]ledger.Equivocation, error) {
	return s.cfg.Ledger.Equivocations(ctx)
}

// EvidenceFile gives one piece of evidence, by its reference, as a file that
// verifies offline.
func (s *Service) EvidenceFile(ctx context.Context, reference string) ([]byte, error) {
	e, err := s.evidence(ctx, reference)
	return e.Evidence, err
}

func (s *Service) evidence(ctx context.Context, reference string) (ledger.Equivocation, error) {
	list, err := s.Evidence(ctx)
	if err != nil {
		return ledger.Equivocation{}, err
	}
	i := slices.IndexFunc(list, func(e ledger.Equivocation) bool { return e.Reference == reference })
	if i < 0 {
		return ledger.Equivocation{}, noSuch("evidence", reference)
	}
	return list[i], nil
}

// LiftEvidence lifts the stop for one piece of evidence: an operator says who
// decided it, and on what. Other evidence against the log, and what is found
// later, stops the corridor all the same.
func (s *Service) LiftEvidence(ctx context.Context, reference string, by ByPerson) (ledger.Equivocation, error) {
	e, err := s.evidence(ctx, reference)
	if err != nil {
		return e, err
	}
	if by.By == "" || by.Reference == "" {
		return e, &corridor.Error{Kind: corridor.Invalid, Msg: "a lifted stop names who decided it, and on what", Fix: "give by and reference"}
	}
	// Noted first: a stop that stays after a crash is lifted by doing it again.
	if err := s.db.Write(ctx, func(tx *store.Tx) error { return s.cfg.Ledger.Lift(ctx, tx, e) }); err != nil {
		return e, err
	}
	why := "lifted by " + by.By + ", " + by.Reference + ": evidence " + reference
	for _, id := range []string{stopFor(e.DID, e.Origin, e.Reference).ID, "evidence " + e.VKey} { // the latter: as a stop was named when each log had one
		if err := s.LiftStop(ctx, id, why); err != nil {
			return e, err
		}
	}
	return s.evidence(ctx, reference)
}

// ByPerson says who did something, and on what.
type ByPerson struct {
	By        string `json:"by"`
	Reference string `json:"reference"`
}

// shown is the newest checkpoint known of the log of a peer whose receipts a
// receipt quotes.
func (s *Service) shown(ctx context.Context, tx *store.Tx, r corridor.Receipt) (string, error) {
	if len(r.PeerRefs) == 0 || r.Peer == "" {
		return "", nil
	}
	return s.cfg.Ledger.PeerCheckpoint(ctx, tx, r.Peer)
}
