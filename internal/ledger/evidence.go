package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// Evidence against a log is kept for each two histories that it has signed. An
// operator lifts the stop for one of them at a time: what was not lifted, or
// is found later, stops the corridor again.

// maxOpen bounds the evidence against one log that nobody has lifted. What is
// found beyond it is found again when one has been.
const maxOpen = 8

// Fork is the error of a checkpoint or an entry that another one of the same
// log excludes. Evidence is a verify.Equivocation.
type Fork struct {
	Log      PeerLog
	Evidence []byte
}

// Error says what was found.
func (f *Fork) Error() string {
	return "the log " + f.Log.Ref.Origin + " of " + f.Log.DID + " has signed two histories"
}

// Reference names the evidence: its digest.
func (f *Fork) Reference() string { return corridor.Digest(f.Evidence) }

// forked keeps the evidence, the first of each two histories, and gives it as
// an error. Nil: the stop for these two was lifted.
func (l *Log) forked(ctx context.Context, peer PeerLog, e verify.Equivocation) error {
	raw, err := l.accuse(ctx, peer, &e)
	if err != nil {
		return err
	}
	pair, err := histories(e)
	if err != nil {
		return err
	}
	lifted := false
	err = l.db.Write(ctx, func(tx *store.Tx) error {
		list, err := evidenceOf(ctx, tx, peer.Ref.VKey)
		if err != nil {
			return err
		}
		open := []Equivocation{}
		for _, have := range list {
			if have.shows == pair {
				raw, lifted = have.Evidence, have.Lifted != ""
				return nil
			}
			if have.Lifted == "" {
				open = append(open, have)
			}
		}
		if len(open) >= maxOpen { // the corridor is stopped by these
			raw = open[0].Evidence
			return nil
		}
		_, err = tx.Exec(ctx, `INSERT INTO ledger_evidence (vkey, pair, did, found, lifted, evidence) VALUES (?, ?, ?, ?, '', ?)`, peer.Ref.VKey, pair, peer.DID, e.About.At, raw)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep the evidence against %s: %w", peer.Ref.Origin, err)
	}
	if lifted {
		return nil
	}
	f := &Fork{Log: peer, Evidence: raw}
	l.cfg.Logger.ErrorContext(ctx, "a peer's log has forked", "log", peer.Ref.Origin, "peer", peer.DID, "evidence", f.Reference())
	return f
}

// accuse completes evidence with who found it and against whom, and makes sure
// that it holds.
func (l *Log) accuse(ctx context.Context, peer PeerLog, e *verify.Equivocation) ([]byte, error) {
	e.About = verify.About{At: l.cfg.Now().UTC().Format(timeLayout), By: l.cfg.Issuer}
	e.Log = verify.FileLog{DID: peer.DID, Origin: peer.Ref.Origin, VKey: peer.Ref.VKey}
	if l.cfg.Document != nil {
		if doc, err := l.cfg.Document(ctx, peer.DID); err == nil {
			e.Document = doc
		}
	}
	raw, err := e.Encode()
	if err != nil {
		return nil, err
	}
	if rep := verify.Evidence(raw, verify.Options{}); !rep.OK && e.Document != nil {
		e.Document = nil // it does not name the key: the agreement does
		if raw, err = e.Encode(); err != nil {
			return nil, err
		}
	}
	if rep := verify.Evidence(raw, verify.Options{}); !rep.OK {
		return nil, corridor.E(corridor.Internal, "evidence against %s does not hold: %s", peer.Ref.Origin, rep.Summary)
	}
	return raw, nil
}

// histories names what evidence shows, whenever it was put together: two
// trees, or two entries in one place.
func histories(e verify.Equivocation) (string, error) {
	if r := e.Entries; r != nil {
		leaves := []string{r.LeafA, r.LeafB}
		slices.Sort(leaves)
		return fmt.Sprintf("entry %d %s %s", r.Index, leaves[0], leaves[1]), nil
	}
	a, b, err := trees(e)
	if err != nil {
		return "", err
	}
	list := []string{fmt.Sprintf("%d %s", a.c.Size, a.c.Root), fmt.Sprintf("%d %s", b.c.Size, b.c.Root)}
	slices.Sort(list)
	return "trees " + strings.Join(list, " "), nil
}

// trees are the two checkpoints of evidence.
func trees(e verify.Equivocation) (a, b parted, err error) {
	for _, side := range []struct {
		signed string
		into   *parted
	}{{e.A, &a}, {e.B, &b}} {
		text, _, _ := strings.Cut(side.signed, "\n\n")
		c, err := verify.ParseCheckpoint(text + "\n")
		if err != nil {
			return a, b, err
		}
		*side.into = parted{c, []byte(side.signed)}
	}
	return a, b, nil
}

// split is two histories of a log that an operator has let it have.
type split struct{ a, b parted }

// lifted are the histories of a peer's log for which an operator has lifted
// the stop.
func (l *Log) lifted(ctx context.Context, peer PeerLog) (out []split, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		list, err := evidenceOf(ctx, tx, peer.Ref.VKey)
		for _, e := range list {
			if e.Lifted != "" {
				out = append(out, split{e.a, e.b})
			}
		}
		return err
	})
	return out, err
}

func (p parted) among(list []split) bool {
	return slices.ContainsFunc(list, func(s split) bool { return p.same(s.a) || p.same(s.b) })
}

// goesOn says whether the log goes on with one of two histories while the
// other, which is the known one, has stood still since an operator let it have
// both. A log that does not show it does not go on.
func (l *Log) goesOn(ctx context.Context, peer PeerLog, known, next parted, lifted []split) bool {
	for _, s := range lifted {
		other := s.b
		switch {
		case known.same(s.b):
			other = s.a
		case !known.same(s.a):
			continue
		}
		if next.c.Size <= other.c.Size {
			continue
		}
		if excluded, err := l.exclude(ctx, peer, other, next); err == nil && excluded == nil {
			return true
		}
	}
	return false
}

// twoEntries is the fork that two receipts in one place show, if both have
// proofs. It needs no answer from the log.
func (l *Log) twoEntries(ctx context.Context, p PeerReceipt, oldEntry, oldProof []byte) error {
	a, err := verify.ParseProof(oldProof)
	if err != nil {
		return nil // without a proof it is the issuer's word alone
	}
	b, err := verify.ParseProof(p.Proof)
	if err != nil {
		return nil
	}
	bare := func(signed []byte) string { return string(verify.LogSignatureOnly(signed, p.Log.Origin)) }
	return l.forked(ctx, PeerLog{DID: p.Issuer, Ref: p.Log}, verify.Equivocation{A: bare(a.Checkpoint), B: bare(b.Checkpoint),
		Entries: &verify.Replaced{Index: p.Index, LeafA: tlog.RecordHash(oldEntry).String(), LeafB: tlog.RecordHash(p.Entry).String(), PathA: verify.Hashes(a.Hashes), PathB: verify.Hashes(b.Hashes)}})
}

// Equivocation is evidence that was found here.
type Equivocation struct {
	DID       string `json:"did"`
	Origin    string `json:"origin"`
	VKey      string `json:"vkey"`
	Found     string `json:"found"`
	Lifted    string `json:"lifted,omitempty"` // when an operator let the corridor go on all the same
	Reference string `json:"reference"`        // digest of the evidence
	Evidence  []byte `json:"-"`

	pair  string // under which it is kept
	shows string // histories
	a, b  parted
}

const selectEvidence = `SELECT vkey, pair, did, found, lifted, evidence FROM ledger_evidence `

// Equivocations lists the evidence found here.
func (l *Log) Equivocations(ctx context.Context) (list []Equivocation, err error) {
	const most = 1000
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		list, err = readEvidence(ctx, tx, selectEvidence+`WHERE vkey > '' ORDER BY vkey, pair LIMIT ?`, most)
		return err
	})
	return list, err
}

// evidenceOf is the evidence against one log.
func evidenceOf(ctx context.Context, tx *store.Tx, vkey string) ([]Equivocation, error) {
	const most = 1000
	return readEvidence(ctx, tx, selectEvidence+`WHERE vkey = ? ORDER BY pair LIMIT ?`, vkey, most)
}

func readEvidence(ctx context.Context, tx *store.Tx, query string, args ...any) ([]Equivocation, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Equivocation{}
	for rows.Next() {
		var e Equivocation
		if err := rows.Scan(&e.VKey, &e.pair, &e.DID, &e.Found, &e.Lifted, &e.Evidence); err != nil {
			return nil, err
		}
		e.Origin, _, _ = strings.Cut(e.VKey, "+")
		e.Reference = corridor.Digest(e.Evidence)
		shown, err := verify.ReadEquivocation(e.Evidence)
		if err == nil {
			e.shows, err = histories(shown)
		}
		if err == nil {
			e.a, e.b, err = trees(shown)
		}
		if err != nil {
			return nil, fmt.Errorf("evidence against %s: %w", e.Origin, err)
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

// Lift notes that an operator lets the corridor to a log's owner go on in spite
// of one piece of evidence. The evidence stays.
func (l *Log) Lift(ctx context.Context, tx *store.Tx, e Equivocation) error {
	_, err := tx.Exec(ctx, `UPDATE ledger_evidence SET lifted = ? WHERE vkey = ? AND pair = ?`, l.cfg.Now().UTC().Format(timeLayout), e.VKey, e.pair)
	return err
}
