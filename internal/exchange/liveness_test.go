package exchange_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/verify"
)

// watched makes a witness of the logs of nodes that have not started, and
// their policy that wants it. It answers while the gate is open.
func watched(t *testing.T, nodes ...*node) (gate *atomic.Bool) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "witness.db"), ledger.WitnessMigrations...)
	ok(t, err)
	t.Cleanup(func() { db.Close() })
	_, key, err := ed25519.GenerateKey(rand.Reader)
	ok(t, err)
	var logs []string
	for _, n := range nodes {
		keys, err := identity.OpenKeys(filepath.Join(n.dir, "keys"), n.who.DID, n.suite)
		ok(t, err)
		logs = append(logs, must[string](t)(keys.LogVKey(n.addr+"/log")))
	}
	w, err := ledger.NewWitness(db, ledger.WitnessConfig{Name: "w.example", Keys: []crypto.Signer{key}, Logs: logs})
	ok(t, err)
	gate, inner := &atomic.Bool{}, w.Handler()
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !gate.Load() {
			http.Error(rw, "away", http.StatusServiceUnavailable)
			return
		}
		inner.ServeHTTP(rw, r)
	}))
	t.Cleanup(srv.Close)
	for _, n := range nodes {
		n.policy = fmt.Appendf(nil, "witness w %s %s\nquorum w\n", w.VKeys()[0], srv.URL)
	}
	return gate
}

// TestDataWaitsForTheWitnessesWhereTheCorridorWantsThem: a compact wants it, or
// what is set for the peer; the data is fetched or pushed. While the witness is
// away nothing leaves, and the status says what is waited for.
func TestDataWaitsForTheWitnessesWhereTheCorridorWantsThem(t *testing.T) {
	for _, c := range []struct {
		name, compact, peer, format, want string // the grades, and what the status says; "": it does not wait
	}{
		{"the compact, fetched", corridor.LivenessCosigned, corridor.LivenessLogged, catalog.FormatPull, "compact steppe-trade, version 1"},
		{"the peer, pushed", corridor.LivenessLogged, corridor.LivenessCosigned, catalog.FormatPush, "set for this peer"},
		{"neither", "", corridor.LivenessLogged, catalog.FormatPull, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var gate *atomic.Bool
			cn, kz := pair(t, func(cn, kz *node) { gate = watched(t, cn, kz) })
			compact := treaty(t, func(x *corridor.Compact) { x.Witnesses, x.Liveness = corridor.Digest(cn.policy), c.compact }, authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519"))
			cn.adopt(compact)
			kz.adopt(compact)
			ok(t, cn.peers.Replace([]identity.Peer{{Participant: kz.who, Address: kz.base(), Liveness: c.peer}}))
			cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Source: file(t, 10)})
			agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
			cn.untilAgreement(agreement, exchange.AgreementInForce)
			ctx := within(t, 30*time.Second)
			tr, err := kz.x.TransferIn(ctx, agreement, c.format)
			ok(t, err)
			if c.want != "" {
				said := cn.waiting(c.want)
				if said.On != "node" || !strings.Contains(said.Why, "is not cosigned") || len(inbox(t, kz)) != 0 {
					t.Errorf("%+v, and %v has arrived", said, inbox(t, kz))
				}
				for _, r := range cn.receipts() {
					if r.Type == corridor.ReceiptTransferReleased {
						t.Error("released before the witness has answered")
					}
				}
				gate.Store(true)
			}
			if tr = kz.untilTransfer(tr.PID, over); tr.State != dsp.Completed {
				t.Fatalf("%s %v %+v", tr.State, tr.Reason, tr.Waiting)
			}
			gate.Store(true)
			for _, n := range []*node{cn, kz} {
				n.showsThatItWaited(agreement, c.want != "", c.compact == corridor.LivenessCosigned)
			}
			if s := must[exchange.Status](t)(cn.x.Status(ctx)); slices.ContainsFunc(s.Waiting, func(p exchange.Pending) bool { return strings.Contains(p.Why, "cosigned") }) {
				t.Errorf("it is done and waits: %+v", s.Waiting)
			}
		})
	}
}

// showsThatItWaited: the proof holds what the witnesses had cosigned before the
// release, where that was waited for, also on the side that took the data.
func (n *node) showsThatItWaited(agreement string, waited, byCompact bool) {
	n.t.Helper()
	for ctx := within(n.t, 20*time.Second); ; time.Sleep(20 * time.Millisecond) { // until the witness has seen the last receipts too
		if _, err := n.x.Bundle(ctx, agreement); err == nil {
			break
		} else if !strings.Contains(err.Error(), "cosigned") {
			n.t.Fatal(err)
		}
	}
	f, rep := n.proof(agreement)
	says := func(suffix string) bool {
		return slices.ContainsFunc(rep.Checks, func(c verify.Check) bool { return strings.HasSuffix(c.ID, suffix) && c.OK && !c.Note })
	}
	if len(f.Witnessed) == 1 != waited || says("].witnessed") != waited || says("].liveness") != byCompact {
		n.t.Errorf("%s: %d proofs, waited %v, by the compact %v: %s %+v", n.name, len(f.Witnessed), says("].witnessed"), says("].liveness"), rep.Summary, rep.Checks)
	}
}

// waiting waits until the status says of a process that it waits for a reason.
func (n *node) waiting(why string) exchange.Pending {
	n.t.Helper()
	for ctx := within(n.t, 20*time.Second); ; time.Sleep(5 * time.Millisecond) {
		s, err := n.x.Status(ctx)
		ok(n.t, err)
		for _, p := range s.Waiting {
			if strings.Contains(p.Why, why) {
				return p
			}
		}
	}
}

// A node that asks no witness lets nothing go where cosignatures are wanted.
func TestWithoutWitnessesNothingGoesWhereCosignaturesAreWanted(t *testing.T) {
	cn, kz := pair(t)
	ok(t, cn.peers.Replace([]identity.Peer{{Participant: kz.who, Address: kz.base(), Liveness: corridor.LivenessCosigned}}))
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Source: file(t, 10)})
	agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	tr := kz.carried(agreement)
	if tr.State != dsp.Terminated || !strings.Contains(strings.Join(tr.Reason, " "), "this node asks none") {
		t.Errorf("%s %v", tr.State, tr.Reason)
	}
	err := cn.peers.Replace([]identity.Peer{{Participant: kz.who, Liveness: "soon"}})
	refuses(t, err, corridor.Invalid, "neither logged nor cosigned")
	for _, change := range []func(*corridor.Compact){func(c *corridor.Compact) { c.Liveness = "soon" }, func(c *corridor.Compact) { c.Liveness = corridor.LivenessCosigned }} {
		c := corridor.Compact{}
		_, c, err = corridor.DecodeCompact(treaty(t, nil, authority(t, "CN", "Ed25519"), authority(t, "KZ", "Ed25519")))
		ok(t, err)
		change(&c)
		refuses(t, c.Check(), corridor.Invalid, "compact.liveness")
	}
}

// TestWhatIsOnlyShownIsNotWritten: that data waits for witnesses, and how far a
// stream has come, is seen by who looks, and a record that is written meanwhile
// keeps its own reason, and the end of its wait.
func TestWhatIsOnlyShownIsNotWritten(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t, func(cn, kz *node) { watched(t, cn, kz) })
	ok(t, cn.peers.Replace([]identity.Peer{{Participant: kz.who, Address: kz.base(), Liveness: corridor.LivenessCosigned}}))
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Source: file(t, 10)})
	agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	tr, err := kz.x.Transfer(within(t, 30*time.Second), agreement)
	ok(t, err)
	cn.waiting("is not cosigned")
	theirs := kz.untilTransfer(tr.PID, func(t exchange.Transfer) bool { return t.PeerPID != "" }).PeerPID
	cn.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.Pending == dsp.None })
	cn.x.Progress(theirs, 77)
	shown, err := cn.x.TransferByPID(t.Context(), theirs)
	ok(t, err)
	if shown.Waiting.On != "node" || !strings.Contains(shown.Waiting.Why, "is not cosigned") || shown.Bytes != 77 {
		t.Errorf("who looks sees it: %d bytes, %+v", shown.Bytes, shown.Waiting)
	}
	first, err := cn.x.Touch(t.Context(), theirs)
	ok(t, err)
	again, err := cn.x.Touch(t.Context(), theirs)
	ok(t, err)
	for _, written := range []exchange.Transfer{first, again} {
		if w := written.Waiting; w.On != "peer" || w.Why != "the consumer fetches the data" || !w.By.Equal(*shown.Waiting.By) || written.Bytes != 0 {
			t.Errorf("what is only shown was written: %d bytes, %+v, and by %v", written.Bytes, *w, shown.Waiting.By)
		}
	}
}
