package exchange_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/counter"
	"corridor/internal/exchange"
	"corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
	"corridor/verify"
)

// proof is the bundle of an agreement with its report; checks that are wanted
// must have passed without a note.
func (n *node) proof(agreement string, want ...string) (verify.File, *verify.Report) {
	n.t.Helper()
	raw, err := n.x.Bundle(within(n.t, 20*time.Second), agreement)
	ok(n.t, err)
	var f verify.File
	ok(n.t, json.Unmarshal(raw, &f))
	rep := verify.Bundle(raw, verify.Options{})
	for _, id := range want {
		if !slices.ContainsFunc(rep.Checks, func(c verify.Check) bool { return c.ID == id && c.OK && !c.Note }) {
			n.t.Errorf("%s: %s is not among the checks that passed: %s", n.name, id, rep.Summary)
		}
	}
	if !rep.OK {
		n.t.Errorf("%s: %+v", n.name, rep.Failed())
	}
	return f, rep
}

// TestTheProofOfAnAgreementShowsItsCompactsAndWhatStoppedIt: the importer never
// got the order, and has it from the exporter's log; each side shows both
// versions of the compact, also when both are withdrawn.
func TestTheProofOfAnAgreementShowsItsCompactsAndWhatStoppedIt(t *testing.T) {
	cn, kz := pair(t)
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "GOST-2012-256")
	first := treaty(t, nil, cnBody, kzBody)
	cn.adopt(first)
	kz.adopt(first)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Source: file(t, 10)})
	agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	if tr := kz.carried(agreement); len(tr.Reason) > 0 {
		t.Fatalf("%s %v", tr.State, tr.Reason)
	}
	cn.take(cnBody.suspend(corridor.Target{Participant: kz.who.DID}))
	cn.untilAgreement(agreement, exchange.AgreementSuspended)
	cn.stop()
	cn.start() // the order behind the suspension is on record
	cn.take(cnBody.lift(1))
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	second := treaty(t, func(c *corridor.Compact) { c.Version = 2 }, cnBody, kzBody)
	cn.adopt(second)
	kz.adopt(second)
	kz.carried(agreement)
	for _, n := range []*node{cn, kz} {
		f, _ := n.proof(agreement, "compact[0].signatures", "compact[1].signatures", "compact[0].opens", "compact[1].opens", "compact[0].in_force", "compact.here",
			"order[0].signature", "order[1].signature", "order[0].number", "order[1].time", "order.here")
		if len(f.Compacts) != 2 || len(f.Orders) != 2 {
			t.Errorf("%s: %d compacts and %d orders", n.name, len(f.Compacts), len(f.Orders))
		}
	}
	for _, n := range []*node{cn, kz} {
		_, err := n.x.WithdrawCompact(within(t, 5*time.Second), "steppe-trade")
		ok(t, err)
		n.proof(agreement, "compact[0].signatures", "compact[1].signatures", "order.here")
	}
}

// An agreement of before there was a compact, stopped under one: the proof
// names the compact that gives the authority its key.
func TestTheProofOfAnAgreementWithoutACompactShowsWhoStoppedIt(t *testing.T) {
	cn, kz, mine, theirs, tap := running(t)
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	cn.adopt(treaty(t, nil, cnBody, kzBody))
	cn.take(cnBody.suspend(corridor.Target{From: "CN", To: "KZ"}))
	close(tap)
	kz.untilTransfer(mine, func(t exchange.Transfer) bool { return t.State == "SUSPENDED" })
	cn.untilTransfer(theirs, func(t exchange.Transfer) bool { return t.State == "SUSPENDED" })
	agreement := kz.only().Agreement
	for _, n := range []*node{cn, kz} {
		f, _ := n.proof(agreement, "order[0].signature", "order[0].flow", "order[0].kept", "compact[0].quoted")
		if len(f.Orders) != 1 || len(f.Compacts) != 1 {
			t.Errorf("%s: %d orders, %d compacts", n.name, len(f.Orders), len(f.Compacts))
		}
	}
	cut := slices.DeleteFunc(cn.receipts(), func(r corridor.Receipt) bool { return r.Type != corridor.ReceiptTransferSuspended })
	if len(cut) != 1 || cut[0].Digests[corridor.DigestOrder] == "" {
		t.Errorf("the suspension of the transfer does not name the order: %+v", cut)
	}
}

// A peer that quotes an order and does not show it, or shows one that its
// authority has not signed: its receipts are not kept, and the proof is made
// without them.
func TestReceiptsThatQuoteWhatIsNotShownSpoilNoProof(t *testing.T) {
	shown := &retold{}
	cn, kz := pair(t, func(_, kz *node) {
		kz.via = func(next http.RoundTripper) http.RoundTripper { shown.RoundTripper = next; return shown }
	})
	cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	cn.adopt(treaty(t, nil, cnBody, kzBody))
	cn.take(cnBody.suspend(corridor.Target{Dataset: "shipments"}))
	cn.untilAgreement(agreement, exchange.AgreementSuspended)
	for name, change := range map[string]func(*verify.File){
		"the order is not shown":   func(f *verify.File) { f.Orders = nil },
		"the compact is not shown": func(f *verify.File) { f.Compacts = nil },
		"a false signature":        func(f *verify.File) { f.Orders[0].Signatures[0].Value = strings.Repeat("A", 86) },
		"a compact that does not bind": func(f *verify.File) {
			f.Compacts[0].Signatures = f.Compacts[0].Signatures[:1]
		},
	} {
		shown.change.Store(&change)
		f, _ := kz.proof(agreement)
		if len(f.Orders)+len(f.Compacts) != 0 || shown.told.Swap(0) == 0 || slices.ContainsFunc(f.Receipts, func(r verify.FileReceipt) bool {
			return bytes.Contains(r.Leaf, []byte(corridor.ReceiptAgreementSuspended))
		}) {
			t.Errorf("%s: the bundle has %d orders and %d compacts", name, len(f.Orders), len(f.Compacts))
		}
	}
	shown.change.Store(nil)
	if f, _ := kz.proof(agreement, "order[0].signature", "order.here"); len(f.Orders) != 1 {
		t.Error("shown as it is, it is not in the bundle")
	}
}

// A peer that follows orders of another authority of a country than is known
// here: what it quotes is not kept, since no reader of the proof believes it.
func TestAnOrderOfAnotherAuthorityOfTheCountrySpoilsNoProof(t *testing.T) {
	cn, kz := pair(t)
	cnBody, kzBody, other := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519"), authority(t, "CN", "Ed25519")
	compact := treaty(t, nil, cnBody, kzBody)
	kz.adopt(compact)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	cn.adopt(compact)
	agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	_, err := cn.x.WithdrawCompact(within(t, 5*time.Second), "steppe-trade")
	ok(t, err)
	cn.adopt(treaty(t, nil, other, kzBody))
	cn.take(other.suspend(corridor.Target{Dataset: "shipments"}))
	cn.untilAgreement(agreement, exchange.AgreementSuspended)
	f, _ := kz.proof(agreement, "compact[0].signatures", "compact.here")
	if len(f.Orders) != 0 || len(f.Compacts) != 1 {
		t.Errorf("%d orders and %d compacts", len(f.Orders), len(f.Compacts))
	}
}

// admittedPair is two nodes whose compact wants an admission of each party.
func admittedPair(t *testing.T, prepare ...func(cn, kz *node)) (cn, kz *node, cnBody, kzBody *body) {
	t.Helper()
	cn, kz = pair(t, prepare...)
	cnBody, kzBody = authority(t, "CN", "SM2").serve(), authority(t, "KZ", "GOST-2012-256").serve()
	cnBody.admit(cn.who.DID, time.Now().Add(time.Hour))
	kzBody.admit(kz.who.DID, time.Now().Add(time.Hour))
	compact := treaty(t, func(c *corridor.Compact) { c.Credentials = []string{corridor.TypeAdmission} }, cnBody, kzBody)
	for _, n := range []*node{cn, kz} {
		n.adopt(compact)
	}
	for _, b := range []*body{cnBody, kzBody} {
		raw := b.feed(time.Now(), time.Hour, 60)
		b.publish(raw)
		cn.take(raw)
		kz.take(raw)
	}
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	return cn, kz, cnBody, kzBody
}

// TestTheProofOfAnAgreementShowsTheAdmissionsOfItsParties: also when the feed
// names others since then, and after a revocation, which is told.
func TestTheProofOfAnAgreementShowsTheAdmissionsOfItsParties(t *testing.T) {
	cn, kz, cnBody, _ := admittedPair(t)
	agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	shown := []string{"admission[0].signature", "admission[0].party", "admission[0].in_force", "admission[1].signature", "admission[1].party", "admission[1].in_force", "admission.here", "compact[0].admitted"}
	cnBody.admit(cn.who.DID, time.Now().Add(2*time.Hour)) // a new one
	raw := cnBody.feed(time.Now(), time.Hour, 60)
	cnBody.publish(raw)
	cn.take(raw)
	for _, n := range []*node{cn, kz} {
		if f, _ := n.proof(agreement, shown...); len(f.Admissions) != 2 {
			t.Errorf("%s: %d admissions", n.name, len(f.Admissions))
		}
	}
	cn.take(cnBody.order(corridor.Order{Act: corridor.OrderRevoke, Target: corridor.Target{Participant: cn.who.DID}}))
	cn.untilAgreement(agreement, exchange.AgreementSuspended)
	for _, n := range []*node{cn, kz} {
		if _, rep := n.proof(agreement, shown...); !strings.Contains(rep.Summary, "revoked the admission of "+cn.who.DID) {
			t.Errorf("%s: %s", n.name, rep.Summary)
		}
	}
}

// A peer whose receipt quotes an admission that it does not show, or that does
// not bear it out: the receipt is not kept.
func TestAReceiptThatQuotesAnAdmissionInVainSpoilsNoProof(t *testing.T) {
	shown := &retold{}
	cn, kz, cnBody, _ := admittedPair(t, func(_, kz *node) {
		kz.via = func(next http.RoundTripper) http.RoundTripper { shown.RoundTripper = next; return shown }
	})
	hide := func(f *verify.File) { f.Admissions = nil }
	shown.change.Store(&hide)
	cnBody.admit(cn.who.DID, time.Now().Add(2*time.Hour)) // that the consumer does not hear of
	raw := cnBody.feed(time.Now(), time.Hour, 60)
	cn.take(raw)
	agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	for name, change := range map[string]func(*verify.File){
		"not shown":           func(f *verify.File) { f.Admissions = nil },
		"not signed":          func(f *verify.File) { f.Admissions = forged(f.Admissions) },
		"another one instead": func(f *verify.File) { f.Admissions = []corridor.Sealed{cnBody.admits[0]} },
	} {
		shown.change.Store(&change)
		f, _ := kz.proof(agreement, "admission[0].signature", "admission[1].signature")
		if len(f.Admissions) != 2 || shown.told.Swap(0) == 0 || slices.ContainsFunc(f.Admissions, func(d corridor.Sealed) bool { return d.Digest() == cnBody.admits[1].Digest() }) {
			t.Errorf("%s: %d admissions", name, len(f.Admissions))
		}
	}
	shown.change.Store(nil)
	if f, _ := kz.proof(agreement, "admission.here", "compact[0].admitted"); len(f.Admissions) != 3 {
		t.Errorf("shown as it is, it is not in the bundle: %d", len(f.Admissions))
	}
}

// forged gives the documents with signatures that are nobody's.
func forged(docs []corridor.Sealed) (out []corridor.Sealed) {
	for _, d := range docs {
		d.Signatures = slices.Clone(d.Signatures)
		d.Signatures[0].Value = strings.Repeat("A", 86)
		out = append(out, d)
	}
	return out
}

// retold changes what a peer shows of its receipts.
type retold struct {
	http.RoundTripper
	change atomic.Pointer[func(*verify.File)] // nil: nothing
	told   atomic.Int64
}

func (r *retold) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := r.RoundTripper.RoundTrip(q)
	change := r.change.Load()
	if err != nil || change == nil || resp.StatusCode != http.StatusOK || !strings.Contains(q.URL.Path, "/corridor/receipts/") {
		return resp, err
	}
	raw, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	var f verify.File
	if err == nil {
		err = json.Unmarshal(raw, &f)
	}
	if err == nil {
		(*change)(&f)
		raw, err = f.Encode()
	}
	r.told.Add(1)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	resp.Header.Del("Content-Length")
	return resp, err
}

// What was adopted and taken before documents were kept by their digests goes
// into proofs too.
func TestWhatAuthoritiesSignedBeforeIsKeptByItsDigest(t *testing.T) {
	ctx, place := within(t, 20*time.Second), storetest.Place(t)
	cnBody, kzBody := authority(t, "CN", "Ed25519"), authority(t, "KZ", "Ed25519")
	compact, order := treaty(t, nil, cnBody, kzBody), cnBody.suspend(corridor.Target{})
	sealed, c, err := corridor.DecodeCompact(compact)
	ok(t, err)
	old := exchange.Migrations[:13]
	if last := old[len(old)-1]; last.Room != "exchange" || last.Version != 13 {
		t.Fatalf("%s %d", last.Room, last.Version)
	}
	db, err := store.Open(ctx, place, slices.Concat(ledger.Migrations, catalog.Migrations, counter.Migrations, old)...)
	ok(t, err)
	digest := cnBody.orders[0].Digest()
	ok(t, db.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO compacts (id, version, digest, doc) VALUES (?, ?, ?, ?)`, c.ID, c.Version, sealed.Digest(), string(compact)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO orders (authority, number, digest, doc) VALUES (?, 1, ?, ?)`, cnBody.is.ID, digest, string(order))
		return err
	}))
	db.Close()
	db, err = store.Open(ctx, place, migrations()...)
	ok(t, err)
	defer db.Close()
	for digest, want := range map[string][]byte{sealed.Digest(): compact, digest: order} {
		var doc string
		ok(t, db.Read(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT doc FROM signed_documents WHERE digest = ?`, digest).Scan(&doc)
		}))
		if doc != string(want) {
			t.Errorf("%s: %s", digest, doc)
		}
	}
}
