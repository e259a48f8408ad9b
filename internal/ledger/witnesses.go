package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

const (
	witnessTimeout  = 15 * time.Second
	witnessFirst    = time.Second
	witnessLongest  = 5 * time.Minute
	maxWitnessReply = 64 << 10
)

// loadWitnesses reads what the witnesses are known to have seen.
func (l *Log) loadWitnesses(ctx context.Context, tx *store.Tx) (err error) {
	l.cosigned, l.stop, err = l.cosignedSize(ctx, tx, l.edge.size)
	return err
}

// cosignedSize gives the largest size, up to that of the tree, for which the
// policy is satisfied; and why the log may not grow, if a witness said so.
func (l *Log) cosignedSize(ctx context.Context, tx *store.Tx, most int64) (cosigned int64, stop, err error) {
	stop = l.conflict(ctx, tx)
	if stop != nil && corridor.KindOf(stop) != corridor.Conflict {
		return 0, nil, stop // it could not be read
	}
	rows, err := tx.Query(ctx, `SELECT DISTINCT size FROM ledger_cosignatures WHERE size <= ? ORDER BY size DESC LIMIT 1000`, most)
	if err != nil {
		return 0, stop, err
	}
	defer rows.Close()
	var sizes []int64
	for rows.Next() {
		var size int64
		if err := rows.Scan(&size); err != nil {
			return 0, stop, err
		}
		sizes = append(sizes, size)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, stop, err
	}
	for _, size := range sizes {
		enough, err := l.enough(ctx, tx, size)
		if err != nil || enough {
			return size, stop, err
		}
	}
	return 0, stop, nil
}

// enough says whether the stored cosignatures of a size satisfy the policy.
func (l *Log) enough(ctx context.Context, tx *store.Tx, size int64) (bool, error) {
	rows, err := tx.Query(ctx, `SELECT witness FROM ledger_cosignatures WHERE size = ?`, size)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var vkey string
		if err := rows.Scan(&vkey); err != nil {
			return false, err
		}
		for _, w := range l.policy.Witnesses {
			if w.VKey == vkey {
				names = append(names, w.Name)
			}
		}
	}
	return l.policy.Satisfied(names), rows.Err()
}

// Stopped says why the log may not grow any more, or not yet, or nil.
func (l *Log) Stopped() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop == nil {
		return l.waits
	}
	return l.stop
}

func stopped(origin, witness, why string) error {
	return &corridor.Error{Kind: corridor.Conflict, Where: origin,
		Msg: "this log must not be signed any more: witness " + witness + " " + why,
		Why: "a second history of a log is a fork: every peer would see it as fraud",
		Fix: "restore the newest database; if it is lost, start a new log under a new origin. If the witness is wrong, remove it from the policy"}
}

// Witnessed says whether the policy wants any witness.
func (l *Log) Witnessed() bool { return l.policy.Quorum != "none" }

// LastOf gives the place of the newest entry about a transfer.
func (l *Log) LastOf(ctx context.Context, transfer string) (index int64, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT COALESCE(MAX(idx), -1) FROM ledger_entries WHERE transfer = ? AND transfer <> ''`, transfer).Scan(&index)
	})
	if err == nil && index < 0 {
		err = corridor.E(corridor.Internal, "the log has no entry about the transfer %s", transfer)
	}
	return index, err
}

// WaitCosigned waits until a checkpoint that covers the entry satisfies the
// witness policy.
func (l *Log) WaitCosigned(ctx context.Context, index int64) error {
	for {
		l.mu.Lock()
		changed, stop := l.changed, l.stop
		done := l.cosigned > index || l.policy.Quorum == "none" && l.head.checkpoint.Size > index
		l.mu.Unlock()
		if done {
			return nil
		}
		if stop != nil {
			return stop
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return corridor.E(corridor.Unavailable, "entry %d is not yet cosigned by enough witnesses: %w", index, ctx.Err())
		}
	}
}

// PublicCheckpoint is the newest checkpoint with the cosignatures known for it.
func (l *Log) PublicCheckpoint(ctx context.Context) (out []byte, err error) {
	if err := l.upToDate(ctx); err != nil {
		return nil, err
	}
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		l.mu.Lock()
		h := l.head
		l.mu.Unlock()
		out, err = withCosignatures(ctx, tx, h.checkpoint.Size, h.note)
		return err
	})
	return out, err
}

// RunWitnesses asks the witnesses of the policy for cosignatures until ctx
// ends. It works in rounds: all witnesses get the same checkpoint, because
// signatures on different ones add up to nothing; the next round takes the
// newest checkpoint, so that a busy log is not submitted entry by entry. A
// round ends when the policy is satisfied or every witness has answered or
// failed; slow ones finish on their own. Nothing is polled: commits start
// rounds, and each failing witness has one timer.
func (l *Log) RunWitnesses(ctx context.Context) error {
	r := &round{l: l}
	for _, w := range l.policy.Witnesses {
		if w.URL != "" {
			r.workers = append(r.workers, &worker{r: r, w: w, size: -1, wake: make(chan struct{}, 1)})
		}
	}
	if len(r.workers) == 0 {
		<-ctx.Done()
		return nil
	}
	l.mu.Lock()
	running := l.witnessing
	l.witnessing = true
	l.mu.Unlock()
	if running {
		return corridor.E(corridor.Conflict, "the witnesses are being asked already")
	}
	var wg sync.WaitGroup
	for _, w := range r.workers {
		wg.Go(func() { w.loop(ctx) })
	}
	r.lead(ctx)
	wg.Wait()
	l.mu.Lock()
	l.witnessing = false
	l.mu.Unlock()
	return nil
}

// round is the checkpoint that all witnesses are asked to cosign now.
type round struct {
	l       *Log
	workers []*worker

	mu     sync.Mutex // guards what follows, and answered of each worker
	target head
	set    bool
	over   bool
}

// lead moves on to the newest checkpoint whenever a round is over.
func (r *round) lead(ctx context.Context) {
	for {
		r.l.mu.Lock()
		h, changed := r.l.head, r.l.changed
		r.l.mu.Unlock()
		r.mu.Lock()
		if !r.set || r.over && h.checkpoint.Size > r.target.checkpoint.Size {
			r.target, r.set, r.over = h, true, false
			for _, w := range r.workers {
				w.answered = false
				w.nudge()
			}
		}
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// answer notes that a worker is through with a target, well or not.
func (r *round) answer(w *worker, target head, enough bool) {
	r.mu.Lock()
	if target.checkpoint.Size == r.target.checkpoint.Size {
		w.answered = true
		r.over = r.over || enough
		all := true
		for _, o := range r.workers {
			all = all && o.answered
		}
		r.over = r.over || all
	}
	over := r.over
	r.mu.Unlock()
	if over {
		r.l.mu.Lock()
		r.l.announce() // lead looks for the next target
		r.l.mu.Unlock()
	}
}

// worker talks to one witness.
type worker struct {
	r        *round
	w        verify.PolicyWitness
	wake     chan struct{}
	answered bool  // the current target; r.mu
	size     int64 // what the witness has cosigned; -1: not yet known
	failed   int   // in a row
}

func (w *worker) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			if w.failed > 0 {
				w.skip() // its timer is running
				continue
			}
		case <-timer.C:
		}
		w.r.mu.Lock()
		target := w.r.target
		w.r.mu.Unlock()
		if target.checkpoint.Size <= w.size {
			w.r.answer(w, target, false)
			continue
		}
		enough, err := w.submit(ctx, target)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.failed++
			timer.Reset(pause(w.failed))
			w.r.l.cfg.Logger.WarnContext(ctx, "witness gave no cosignature", "witness", w.w.Name, "size", target.checkpoint.Size, "attempt", w.failed, "err", err)
		} else {
			w.failed = 0
			w.size = target.checkpoint.Size
		}
		w.r.answer(w, target, enough)
		if err == nil {
			w.nudge() // the target may have moved meanwhile
		}
	}
}

// skip counts a witness that is being left alone as through with this target.
func (w *worker) skip() {
	w.r.mu.Lock()
	target := w.r.target
	w.r.mu.Unlock()
	w.r.answer(w, target, false)
}

func pause(failed int) time.Duration {
	p := witnessLongest
	if failed < 20 {
		p = min(p, witnessFirst<<(failed-1))
	}
	return p - p/5 + rand.N(p/5*2+1)
}

// submit gets one checkpoint cosigned and stored.
func (w *worker) submit(ctx context.Context, target head) (enough bool, err error) {
	if err := w.r.l.halted(); err != nil {
		return false, err
	}
	old := w.size
	if old < 0 {
		if old, err = w.r.l.seen(ctx, w.w.VKey); err != nil {
			return false, err
		}
	}
	for try := 0; ; try++ {
		reply, err := w.post(ctx, old, target)
		if err != nil {
			return false, err
		}
		switch {
		case reply.status == http.StatusOK:
			return w.r.l.keep(ctx, w.w, target, reply.body)
		case reply.status == http.StatusConflict && reply.size >= 0 && reply.size != old && try < 3:
			if reply.size > target.checkpoint.Size {
				return false, w.ahead(ctx, target, reply.size)
			}
			old = reply.size
		case reply.status == http.StatusUnprocessableEntity, reply.status == http.StatusConflict && reply.size == old:
			return false, w.r.l.halt(ctx, w.w, "does not accept the tree of "+strconv.FormatInt(target.checkpoint.Size, 10)+" entries as a continuation of what it has cosigned", w.evidence(ctx))
		default:
			return false, corridor.E(corridor.Unavailable, "witness %s answered %d: %.200s", w.w.Name, reply.status, strings.TrimSpace(string(reply.body)))
		}
	}
}

// ahead handles a witness that knows more entries than the target has. If the
// log has grown meanwhile, an earlier answer was lost and all is well;
// otherwise this database is older than what was once signed.
func (w *worker) ahead(ctx context.Context, target head, size int64) error {
	if err := w.r.l.upToDate(ctx); err != nil { // another node may have asked the witness before
		return err
	}
	if now := w.r.l.Size(); size <= now {
		w.size = size
		return corridor.E(corridor.Unavailable, "witness %s is already at %d", w.w.Name, size)
	}
	return w.r.l.halt(ctx, w.w, fmt.Sprintf("has cosigned %d entries, and this database holds %d: it is an old copy", size, target.checkpoint.Size), w.evidence(ctx))
}

// evidence asks the witness for the checkpoint that it has, which carries
// this log's own signature: nobody else can have made it.
func (w *worker) evidence(ctx context.Context) []byte {
	body, status, _, err := w.call(ctx, http.MethodGet, "/"+verify.OriginID(w.r.l.cfg.Origin)+"/checkpoint", nil)
	if err != nil || status != http.StatusOK {
		return []byte{}
	}
	if _, _, err := verify.OpenCheckpoint(body, w.r.l.verifier); err != nil {
		return []byte{}
	}
	return body
}

type reply struct {
	status int
	size   int64 // of a 409; -1: none
	body   []byte
}

func (w *worker) post(ctx context.Context, old int64, target head) (reply, error) {
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", old)
	err := w.r.l.db.Read(ctx, func(tx *store.Tx) error {
		if old > target.checkpoint.Size {
			return corridor.E(corridor.Internal, "witness %s is ahead", w.w.Name)
		}
		hashes, err := consistency(ctx, tx, old, target.checkpoint)
		for _, h := range hashes {
			body.WriteString(h.String() + "\n")
		}
		return err
	})
	if err != nil {
		return reply{}, err
	}
	body.WriteByte('\n')
	body.Write(target.note)
	raw, status, contentType, err := w.call(ctx, http.MethodPost, "/add-checkpoint", body.Bytes())
	if err != nil {
		return reply{}, err
	}
	r := reply{status: status, size: -1, body: raw}
	if status == http.StatusConflict && contentType == sizeType {
		if n, ok := parseIndex(strings.TrimSuffix(string(raw), "\n")); ok {
			r.size = n
		}
	}
	return r, nil
}

const sizeType = "text/x.tlog.size"

func (w *worker) call(ctx context.Context, method, path string, body []byte) ([]byte, int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, witnessTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(w.w.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, "", err
	}
	resp, err := w.r.l.cfg.Client.Do(req)
	if err != nil {
		return nil, 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxWitnessReply))
	contentType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return raw, resp.StatusCode, strings.TrimSpace(contentType), err
}

// seen is the size that a witness is on record with.
func (l *Log) seen(ctx context.Context, vkey string) (size int64, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT COALESCE((SELECT size FROM ledger_witnesses WHERE witness = ?), 0)`, vkey).Scan(&size)
	})
	// After a rollback the record may be of a larger tree than ours: ask with
	// zero, and the witness answers with what it has.
	if size > l.Size() {
		size = 0
	}
	return size, err
}

// CosignedAt is the newest time at which a witness says that it cosigned the
// log, of what has come in since the start; zero if none has.
func (l *Log) CosignedAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.witnessed
}

// keep checks the reply of a witness and stores its cosignature.
func (l *Log) keep(ctx context.Context, w verify.PolicyWitness, target head, body []byte) (enough bool, err error) {
	line, at, err := cosignature(w, target, body)
	if err != nil {
		return false, err
	}
	size := target.checkpoint.Size
	err = l.db.Write(ctx, func(tx *store.Tx) error {
		for _, step := range []struct {
			query string
			args  []any
		}{
			{`INSERT INTO ledger_checkpoints (size, checkpoint) VALUES (?, ?) ON CONFLICT (size) DO NOTHING`, []any{size, target.note}},
			{`INSERT INTO ledger_cosignatures (size, witness, line) VALUES (?, ?, ?) ON CONFLICT (size, witness) DO UPDATE SET line = excluded.line`, []any{size, w.VKey, line}},
			{`INSERT INTO ledger_witnesses (witness, size, conflict, evidence) VALUES (?, ?, '', '') ON CONFLICT (witness) DO UPDATE SET size = excluded.size`, []any{w.VKey, size}},
		} {
			if _, err := tx.Exec(ctx, step.query, step.args...); err != nil {
				return err
			}
		}
		tx.Tell(logChanged)
		if enough, err = l.enough(ctx, tx, size); err != nil || !enough {
			return err
		}
		return l.prune(ctx, tx)
	})
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	if at.After(l.witnessed) {
		l.witnessed = at
	}
	if enough && size > l.cosigned {
		l.cosigned = size
	}
	l.announce()
	l.mu.Unlock()
	return enough, nil
}

// prune drops what is older than the checkpoint that proofs use now. That one
// stays until the next round, for readers that have just chosen it.
func (l *Log) prune(ctx context.Context, tx *store.Tx) error {
	l.mu.Lock()
	before := l.cosigned
	l.mu.Unlock()
	if _, err := tx.Exec(ctx, `DELETE FROM ledger_cosignatures WHERE size < ?`, before); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM ledger_checkpoints WHERE size < ?`, before)
	return err
}

// cosignature finds the witness's own valid line in its reply.
func cosignature(w verify.PolicyWitness, target head, body []byte) (line string, at time.Time, err error) {
	for line := range strings.Lines(string(body)) {
		n, err := note.Open([]byte(target.checkpoint.String()+"\n"+line), note.VerifierList(w.Verifier()))
		if err != nil || len(n.Sigs) != 1 {
			continue
		}
		if at, err := verify.CosignatureTime(n.Sigs[0]); err == nil { // C2SP tlog-witness: the time must not be left out
			return line, at, nil
		}
	}
	return "", at, corridor.E(corridor.Unauthenticated, "witness %s answered without a valid cosignature", w.Name)
}

// halt records that a witness knows another history, for this run and all
// later ones that trust the same witness.
func (l *Log) halt(ctx context.Context, w verify.PolicyWitness, why string, evidence []byte) error {
	stop := stopped(l.cfg.Origin, w.Name, why)
	l.mu.Lock()
	l.stop = stop
	l.announce()
	l.mu.Unlock()
	l.cfg.Logger.ErrorContext(ctx, "the log stops", "err", stop)
	ctx = context.WithoutCancel(ctx) // a node that is being stopped must not forget it
	err := l.db.Write(ctx, func(tx *store.Tx) error {
		tx.Tell(logChanged)
		_, err := tx.Exec(ctx, `INSERT INTO ledger_witnesses (witness, size, conflict, evidence) VALUES (?, 0, ?, ?)
			ON CONFLICT (witness) DO UPDATE SET conflict = excluded.conflict, evidence = excluded.evidence`, w.VKey, why, evidence)
		return err
	})
	return errors.Join(stop, err)
}
