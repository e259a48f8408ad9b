package faults

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
)

// view is what one side holds at the end.
type view struct {
	site   *site
	neg    map[string]exchange.Negotiation // by own pid
	agr    map[string]exchange.Agreement
	tra    map[string]exchange.Transfer
	leaves []corridor.Leaf
	hashes []string
	outbox map[string]int64
}

// look reads everything of a side.
func (s *site) look() (v view, err error) {
	l := s.up()
	ctx := l.ctx
	v = view{site: s, neg: map[string]exchange.Negotiation{}, agr: map[string]exchange.Agreement{}, tra: map[string]exchange.Transfer{}, outbox: map[string]int64{}}
	negs, _, err := l.x.Negotiations(ctx, exchange.Page{})
	if err != nil {
		return v, err
	}
	for _, n := range negs {
		if v.neg[n.PID], err = l.x.Negotiation(ctx, n.PID); err != nil {
			return v, err
		}
	}
	agrs, _, err := l.x.Agreements(ctx, exchange.Page{})
	if err != nil {
		return v, err
	}
	for _, a := range agrs {
		if v.agr[a.ID], err = l.x.Agreement(ctx, a.ID); err != nil {
			return v, err
		}
	}
	tras, _, err := l.x.Transfers(ctx, exchange.Page{})
	if err != nil {
		return v, err
	}
	for _, t := range tras {
		v.tra[t.PID] = t
	}
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT state, COUNT(*) FROM outbox GROUP BY state`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var state string
			var n int64
			if err := rows.Scan(&state, &n); err != nil {
				return err
			}
			v.outbox[state] = n
		}
		return rows.Err()
	})
	return v, err
}

// read reads the log of a side.
func (v *view) read() error {
	l := v.site.up()
	for i := range l.log.Size() {
		raw, err := l.log.Receipt(l.ctx, i)
		if err != nil {
			return err
		}
		leaf, err := corridor.DecodeReceipt(raw)
		if err != nil {
			return err
		}
		v.leaves, v.hashes = append(v.leaves, leaf), append(v.hashes, corridor.LeafHash(raw))
	}
	return nil
}

// settled says whether nothing happens any more on a side.
func (v *view) settled() bool {
	for _, n := range v.neg {
		if !n.State.Final() || n.Pending != dsp.None {
			return false
		}
	}
	for _, t := range v.tra {
		if !t.State.Final() || t.Pending != dsp.None {
			return false
		}
	}
	return v.outbox["ready"]+v.outbox["waiting"] == 0
}

// settle waits until nothing happens any more on both sides.
func (w *world) settle() (cn, kz view, err error) {
	time.Sleep(time.Until(time.Unix(0, w.until.Load())) + time.Second)
	pause := 2 * time.Second
	for deadline := time.Now().Add(patience); ; {
		w.ill.Wait() // a node that cannot write answers nobody, and its peer's proof would lack what it has
		w.net.under.Wait()
		cn, err = w.cn.look()
		if err == nil {
			kz, err = w.kz.look()
		}
		if err == nil && cn.settled() && kz.settled() {
			return cn, kz, nil
		}
		if time.Now().After(deadline) {
			return cn, kz, fmt.Errorf("it does not come to rest (%v): %s", err, w.state())
		}
		time.Sleep(pause)
		pause = min(2*pause, 10*time.Minute)
	}
}

// state shows what both sides hold.
func (w *world) state() string {
	var b strings.Builder
	for _, s := range []*site{w.cn, w.kz} {
		v, err := s.look()
		if err != nil {
			fmt.Fprintf(&b, "\n%s: %v", s.name, err)
		}
		for _, n := range v.neg {
			fmt.Fprintf(&b, "\n%s: negotiation %s (peer %s) %s, pending %q, parked %q, %s %v, waiting %+v", s.name, n.PID, n.PeerPID, n.State, n.Pending, n.Parked, n.Code, n.Reason, n.Waiting)
		}
		for _, t := range v.tra {
			fmt.Fprintf(&b, "\n%s: transfer %s (peer %s) %s, pending %q, parked %q, %s %v, waiting %+v", s.name, t.PID, t.PeerPID, t.State, t.Pending, t.Parked, t.Code, t.Reason, t.Waiting)
		}
		fmt.Fprintf(&b, "\n%s: outbox %v", s.name, v.outbox)
	}
	return b.String()
}

// judge holds what both sides have against each other.
func (w *world) judge(cn, kz *view, bundle bool) {
	for _, v := range []*view{cn, kz} {
		if err := v.read(); err != nil {
			w.wrong("%s: the log cannot be read: %v", v.site.name, err)
			return
		}
		w.judgeLog(v)
		w.judgeOutbox(v)
	}
	w.judgeRefs(cn, kz)
	w.judgeRefs(kz, cn)
	w.judgePair(kz, cn)
	w.judgePair(cn, kz)
	w.judgeFiles(cn, kz)
	w.judgeIncrements(cn, kz)
	if bundle {
		w.judgeBundles(cn)
		w.judgeBundles(kz)
	}
}

// judgePair compares each process of one side with the peer's record of it.
func (w *world) judgePair(v, peer *view) {
	name := v.site.name
	for _, n := range v.neg {
		theirs, ok := findNegotiation(peer, n.PID)
		switch {
		case !ok && n.State != dsp.Terminated:
			w.wrong("%s: negotiation %s is %s, and the peer does not know it", name, n.PID, n.State)
		case ok && (theirs.State != n.State || theirs.Agreement != n.Agreement && n.State == dsp.Finalized):
			w.wrong("%s: negotiation is %s %s, that of the peer %s %s", name, n.State, n.Agreement, theirs.State, theirs.Agreement)
		}
	}
	for id, a := range v.agr {
		theirs, ok := peer.agr[id]
		switch {
		case !ok && a.State != exchange.AgreementTerminated:
			w.wrong("%s: agreement %s is %s, and the peer has none", name, id, a.State)
		case ok && a.State != theirs.State:
			w.wrong("%s: the agreement is %s, that of the peer %s", name, a.State, theirs.State)
		case ok && a.State == exchange.AgreementInForce && !bytes.Equal(a.Signed, theirs.Signed):
			w.wrong("the two sides hold different agreements")
		}
	}
	for _, t := range v.tra {
		theirs, ok := findTransfer(peer, t.PID)
		switch {
		case !ok && t.State != dsp.Terminated:
			w.wrong("%s: transfer %s is %s, and the peer does not know it", name, t.PID, t.State)
		case ok && theirs.State != t.State:
			w.wrong("%s: transfer is %s, that of the peer %s", name, t.State, theirs.State)
		case ok && !goesOn(t) && t.State == dsp.Completed && (t.SHA256 != theirs.SHA256 || t.SHA256 == ""):
			w.wrong("%s: transfer of %q, that of the peer of %q", name, t.SHA256, theirs.SHA256)
		}
	}
}

func findNegotiation(v *view, peerPID string) (exchange.Negotiation, bool) {
	for _, n := range v.neg {
		if n.PeerPID == peerPID {
			return n, true
		}
	}
	return exchange.Negotiation{}, false
}

func findTransfer(v *view, peerPID string) (exchange.Transfer, bool) {
	for _, t := range v.tra {
		if t.PeerPID == peerPID {
			return t, true
		}
	}
	return exchange.Transfer{}, false
}

// judgeLog follows the chain of receipts of each process: none is lost, none
// is written twice, and the record has the last one.
func (w *world) judgeLog(v *view) {
	name := v.site.name
	last := map[string]string{}
	seen := map[string]int{}
	for i, leaf := range v.leaves {
		r := leaf.Receipt
		pid := r.Transfer
		if pid == "" {
			pid = r.Negotiation
		}
		if pid == "" {
			continue
		}
		prev := r.Prev
		if last[pid] == "" && pid == r.Transfer { // a transfer goes on from its agreement
			prev = ""
		}
		if prev != last[pid] {
			w.wrong("%s: receipt %d (%s %s) does not follow the one before it", name, i, r.Type, r.State)
		}
		last[pid] = v.hashes[i]
		seen[pid+" "+r.Type+" "+r.State]++
	}
	for pid, n := range v.neg {
		if n.Prev != last[pid] {
			w.wrong("%s: the record of the negotiation (%s) does not have the last receipt", name, n.State)
		}
		if n.State != dsp.None && seen[pid+" "+corridor.ReceiptNegotiation+" "+string(n.State)]+seen[pid+" "+corridor.ReceiptRefusal+" "+string(n.State)] != 1 {
			w.wrong("%s: the end of the negotiation (%s) is not told once: %v", name, n.State, seen)
		}
	}
	for pid, t := range v.tra {
		if t.Prev != last[pid] {
			w.wrong("%s: the record of the transfer (%s) does not have the last receipt", name, t.State)
		}
	}
	for what, n := range seen {
		if n > 1 && !mayRepeat(what) {
			w.wrong("%s: told %d times: %s", name, n, what)
		}
	}
}

// mayRepeat lists what happens more than once to one process: a decision is
// made for each request, and a transfer may be suspended and started again.
func mayRepeat(what string) bool {
	for _, s := range []string{" " + corridor.ReceiptDecision + " ", " " + corridor.ReceiptTransferStarted + " ", " " + corridor.ReceiptTransferSuspended + " ",
		" " + corridor.ReceiptNegotiation + " " + string(dsp.Offered), " " + corridor.ReceiptNegotiation + " " + string(dsp.Requested)} {
		if strings.Contains(what, s) {
			return true
		}
	}
	return false
}

// judgeRefs makes sure that what one side was told of the other's log is
// still there.
func (w *world) judgeRefs(v, peer *view) {
	for i, leaf := range v.leaves {
		for _, ref := range leaf.Receipt.PeerRefs {
			if ref.Index >= int64(len(peer.hashes)) || peer.hashes[ref.Index] != ref.Leaf {
				w.wrong("%s: receipt %d answers receipt %d of %s, which is not there", v.site.name, i, ref.Index, peer.site.name)
			}
		}
	}
}

// judgeOutbox makes sure that a message that was given up is shown.
func (w *world) judgeOutbox(v *view) {
	l := v.site.up()
	status, err := l.x.Status(l.ctx)
	if err != nil {
		w.wrong("%s: status: %v", v.site.name, err)
		return
	}
	if !maps.Equal(status.Outbox, v.outbox) {
		w.wrong("%s: the outbox holds %v, and the status shows %v", v.site.name, v.outbox, status.Outbox)
	}
	if status.Log.Size != int64(len(v.leaves)) {
		w.wrong("%s: the log has %d entries, and the status shows %d", v.site.name, len(v.leaves), status.Log.Size)
	}
}

// judgeFiles compares the bytes that arrived with those that were released.
func (w *world) judgeFiles(cn, kz *view) {
	inbox := filepath.Join(w.dir, "kz", "inbox")
	found := map[string]bool{}
	filepath.WalkDir(inbox, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found[path] = true
		}
		return nil
	})
	for _, t := range kz.tra {
		if t.State != dsp.Completed || goesOn(t) {
			delete(found, t.File)
			continue
		}
		if t.Deleted != nil {
			if t.File != "" || len(found) > 0 {
				w.wrong("the copy that was deleted is still there: %v", slices.Collect(maps.Keys(found)))
			}
			continue
		}
		got, err := os.ReadFile(t.File)
		if err != nil || corridor.Digest(got) != t.SHA256 || !bytes.Equal(got, w.sent(t.Number)) {
			w.wrong("the file is not the one that was released: %v", err)
		}
		delete(found, t.File)
	}
	for path := range found {
		w.wrong("a file is left in the inbox, and no transfer has it: %s", path)
	}
}

// judgeBundles lets a side prove each of its agreements offline.
func (w *world) judgeBundles(v *view) {
	for id, a := range v.agr {
		if a.State != exchange.AgreementInForce {
			continue
		}
		l := v.site.up()
		if _, err := l.x.Bundle(context.WithoutCancel(l.ctx), id); err != nil {
			w.wrong("%s: the proof of the agreement: %v", v.site.name, err)
		}
	}
}

// tells counts the receipts of a side, by what they tell.
func (v *view) tells() map[string]int {
	out := map[string]int{}
	for _, leaf := range v.leaves {
		out[v.site.name+" "+leaf.Receipt.Type+" "+leaf.Receipt.State]++
	}
	return out
}

// watch looks, at moments of no meaning, whether each process that is not
// finished says on whom it waits, since when, and what comes next.
func (w *world) watch() {
	r := w.die.about("watch")
	for range 5 {
		time.Sleep(within(r, 20*time.Millisecond, 20*time.Second))
		for _, s := range []*site{w.cn, w.kz} {
			l := s.now()
			if l == nil {
				continue
			}
			v, err := s.look()
			if err != nil {
				continue // it ends just now
			}
			for _, n := range v.neg {
				w.judgeWaiting(s, "negotiation "+string(n.State), n.State.Final(), n.Waiting)
			}
			for _, t := range v.tra {
				w.judgeWaiting(s, "transfer "+string(t.State), t.State.Final(), t.Waiting)
			}
		}
	}
}

func (w *world) judgeWaiting(s *site, what string, final bool, wait *exchange.Waiting) {
	switch {
	case final && wait == nil:
	case final:
		w.wrong("%s: %s waits: %+v", s.name, what, *wait)
	case wait == nil:
		w.wrong("%s: %s does not say on whom it waits", s.name, what)
	case wait.By == nil || wait.Then == "" || wait.By.Before(wait.Since):
		w.wrong("%s: %s waits, and does not say until when: %+v", s.name, what, *wait)
	case wait.On == "" || wait.Why == "" || wait.Next == "" || wait.Since.IsZero() || wait.Since.After(time.Now().Add(s.skew+time.Second)):
		w.wrong("%s: %s waits, and does not say how: %+v", s.name, what, *wait)
	default:
		w.story.count("looks at a wait")
	}
}
