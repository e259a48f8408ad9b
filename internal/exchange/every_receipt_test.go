package exchange_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// written is one receipt with its place in a node's log.
type written struct {
	corridor.Receipt
	at corridor.ReceiptRef
}

func (n *node) written() (list []written) {
	n.t.Helper()
	for i := range n.log.Size() {
		raw, err := n.log.Receipt(context.Background(), i)
		ok(n.t, err)
		leaf, err := corridor.DecodeReceipt(raw)
		ok(n.t, err)
		list = append(list, written{leaf.Receipt, corridor.ReceiptRef{Origin: n.log.Origin(), Index: i, Leaf: corridor.LeafHash(raw)}})
	}
	return list
}

// TestEveryKindOfActLeavesItsReceipt does each thing of which the log is to
// tell, between two real nodes, and looks for it: in the log of who did it, and
// where both sides log, quoted by the other's with its place and leaf.
func TestEveryKindOfActLeavesItsReceipt(t *testing.T) {
	now := &clock{}
	began := time.Now().UTC().Truncate(time.Second)
	now.set(began)
	dir := &directory{key: "k", open: map[string]string{"peer did:web:old.example": "a", "peer did:web:moved.example": "a"}, hidden: map[string]string{"setting url": "x", "the management token": "x"}}
	s := parkedOn(t, assessed(), "SM2", func(cn, kz *node) {
		cn.now, kz.now, cn.ringed, cn.settings = now.now, now.now, true, dir.settings
	})
	cn, kz, ctx := s.cn, s.kz, within(t, 60*time.Second)
	ok(t, s.take(s.answer(s.cnBody, nil)))
	kz.until(s.pid, ended)
	everyNegotiation(t, cn, kz, ctx)
	tr := everyTransfer(t, cn, kz, ctx)
	everyChange(t, s, ctx)
	everyAct(t, s, dir, ctx)
	kz.stop()
	now.set(began.AddDate(0, 0, 3))
	kz.start()
	kz.untilTransfer(tr, func(t exchange.Transfer) bool { return t.Deleted != nil })

	mine, theirs := cn.written(), kz.written()
	for _, c := range []struct {
		act    string
		log    []written
		kind   string
		state  string
		says   string
		other  []written // nil: the other side has nothing to say to it
		quotes string    // the kind of the other's receipt that quotes it
	}{
		{"a decision of the exporter", mine, corridor.ReceiptDecision, "", "", theirs, corridor.ReceiptAgreement},
		{"a decision of the importer", theirs, corridor.ReceiptDecision, "", "", mine, corridor.ReceiptDecision},
		{"a refusal", mine, corridor.ReceiptRefusal, "TERMINATED", "", theirs, corridor.ReceiptRefusal},
		{"an approval that is asked for", mine, corridor.ReceiptApprovalRequested, "", "", nil, ""},
		{"an approval", mine, corridor.ReceiptApproval, "", "No. 12/2026", theirs, corridor.ReceiptAgreement},
		{"an offer", mine, corridor.ReceiptNegotiation, "OFFERED", "", theirs, corridor.ReceiptNegotiation},
		{"an agreement, as the exporter signs it", mine, corridor.ReceiptAgreement, "", "", theirs, corridor.ReceiptAgreement},
		{"an agreement, as the importer takes it", theirs, corridor.ReceiptAgreement, "", "", mine, corridor.ReceiptNegotiation},
		{"a release", mine, corridor.ReceiptTransferReleased, "", "", theirs, corridor.ReceiptTransferReceived},
		{"an arrival", theirs, corridor.ReceiptTransferReceived, "", "", mine, corridor.ReceiptTransferAcknowledged},
		{"a deletion", theirs, corridor.ReceiptTransferDeleted, "", "", nil, ""},
		{"a suspension of a transfer", mine, corridor.ReceiptTransferSuspended, "", "", theirs, corridor.ReceiptTransferSuspended},
		{"a suspension by an order", mine, corridor.ReceiptCorridorSuspended, "", "17/2026", nil, ""},
		{"a suspension of an agreement", mine, corridor.ReceiptAgreementSuspended, "", "17/2026", nil, ""},
		{"a change of the rule packs", mine, corridor.ReceiptPacksInUse, "", "", nil, ""},
		{"a change of keys: one is made", mine, corridor.ReceiptKeysChanged, "", "is published and signs from", nil, ""},
		{"a change of keys: one is let go", mine, corridor.ReceiptKeysChanged, "", "is no longer published", nil, ""},
		{"an administrator's act: published", mine, corridor.ReceiptDatasetPublished, "", "", nil, ""},
		{"an administrator's act: withdrawn", mine, corridor.ReceiptDatasetWithdrawn, "", "", nil, ""},
		{"an administrator's act: a compact", mine, corridor.ReceiptCompactAdopted, "", "", nil, ""},
		{"an administrator's act: the peers that a node begins with", mine, corridor.ReceiptAdmin, exchange.ActSettings, "peer did:web:old.example added", nil, ""},
		{"an administrator's act: a peer is let in", mine, corridor.ReceiptAdmin, exchange.ActSettings, "peer did:web:new.example added", nil, ""},
		{"an administrator's act: what is stated of a peer", mine, corridor.ReceiptAdmin, exchange.ActSettings, "peer did:web:moved.example changed", nil, ""},
		{"an administrator's act: a peer is let go", mine, corridor.ReceiptAdmin, exchange.ActSettings, "peer did:web:old.example removed", nil, ""},
		{"an administrator's act: the configuration, while the node was down", mine, corridor.ReceiptAdmin, exchange.ActSettings, "setting url changed", nil, ""},
		{"an administrator's act: the management token", mine, corridor.ReceiptAdmin, exchange.ActSettings, "the management token changed", nil, ""},
		{"an administrator's act: the secret of the data plane", mine, corridor.ReceiptAdmin, exchange.ActSettings, "the secret of the data plane changed", nil, ""},
		{"an administrator's act: a feed without a new order", mine, corridor.ReceiptAdmin, exchange.ActFeedTaken, "by the holder of the management token: feed 1", nil, ""},
		{"an administrator's act: an end by hand", mine, corridor.ReceiptTransferTerminated, "", "", theirs, corridor.ReceiptTransferTerminated},
	} {
		found := slices.DeleteFunc(slices.Clone(c.log), func(w written) bool {
			return w.Type != c.kind || c.state != "" && w.State != c.state || !strings.Contains(w.Reason, c.says)
		})
		if len(found) == 0 {
			t.Errorf("%s: no receipt %s %s %q", c.act, c.kind, c.state, c.says)
			continue
		}
		if c.other != nil && !slices.ContainsFunc(c.other, func(o written) bool {
			return o.Type == c.quotes && slices.ContainsFunc(found, func(w written) bool { return slices.Contains(o.PeerRefs, w.at) })
		}) {
			t.Errorf("%s: no receipt %s of the other side quotes it", c.act, c.quotes)
		}
	}
	if n := slices.DeleteFunc(slices.Clone(mine), func(w written) bool { return w.Type != corridor.ReceiptPacksInUse }); len(n) != 2 {
		t.Errorf("%d receipts of packs: one at the start, one of the change", len(n))
	}
}

// directory is what an administrator has written.
type directory struct {
	mu           sync.Mutex // guards all
	key          string
	open, hidden map[string]string
}

func (d *directory) settings() (exchange.Settings, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := exchange.Settings{Key: d.key}
	for name, digest := range d.open {
		s.List = append(s.List, exchange.Setting{Name: name, Digest: digest, Value: []byte(name)})
	}
	for name, digest := range d.hidden {
		s.List = append(s.List, exchange.Setting{Name: name, Digest: digest, Hidden: true})
	}
	return s, nil
}

func (d *directory) edit(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// everyAct edits the node's directory while it runs and while it is down, and
// brings a feed.
func everyAct(t *testing.T, s *approvalScene, dir *directory, ctx context.Context) {
	t.Helper()
	cn := s.cn
	if seen, err := cn.x.LookAtSettings(ctx); err != nil || len(seen.Changes) != 0 || seen.Settings != 4 {
		t.Fatalf("nothing has changed: %v %+v", err, seen)
	}
	dir.edit(func() {
		dir.open["peer did:web:new.example"], dir.open["peer did:web:moved.example"] = "a", "b"
		delete(dir.open, "peer did:web:old.example")
	})
	if seen, err := cn.x.LookAtSettings(ctx); err != nil || len(seen.Changes) != 3 {
		t.Fatalf("a peer is new, one is another, one is gone: %v %+v", err, seen)
	}
	_, err := cn.x.TakeByHand(ctx, s.cnBody.feed(cn.now(), 1000*time.Hour, 3600))
	ok(t, err)
	cn.stop()
	dir.edit(func() { dir.hidden["setting url"], dir.hidden["the management token"] = "y", "y" })
	cn.start()
	cn.awaitReceipt(ctx, corridor.ReceiptAdmin, "the management token changed")
	// Under another key the digests of hidden settings are all others, and say
	// nothing.
	dir.edit(func() { dir.key, dir.hidden["setting url"], dir.hidden["the management token"] = "l", "z", "z" })
	if seen, err := cn.x.LookAtSettings(ctx); err != nil || len(seen.Changes) != 1 {
		t.Fatalf("one thing is known to have changed: %v %+v", err, seen)
	}
	for _, r := range cn.receipts() {
		if _, shown := r.Commitments["the management token"]; shown || r.Type == corridor.ReceiptAdmin && len(r.Digests) > 0 && r.State != exchange.ActFeedTaken {
			t.Errorf("a receipt shows what is hidden: %+v", r)
		}
	}
}

// awaitReceipt waits for what a node writes without being asked.
func (n *node) awaitReceipt(ctx context.Context, kind, says string) {
	n.t.Helper()
	for !slices.ContainsFunc(n.receipts(), func(r corridor.Receipt) bool { return r.Type == kind && strings.Contains(r.Reason, says) }) {
		if ctx.Err() != nil {
			n.t.Fatalf("no receipt %s that says %q", kind, says)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// everyNegotiation has one refused by law, and one with an offer.
func everyNegotiation(t *testing.T, cn, kz *node, ctx context.Context) {
	t.Helper()
	cn.publish(exchange.Publication{ID: "secret", Facts: peopleFacts(), Evidence: evidenceFor(duties...)})
	if n := kz.until(kz.ask(cn, "secret", "foreign_legal_request"), ended); n.Code != "refused_by_law" {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
	_, err := cn.x.Withdraw(ctx, "secret")
	ok(t, err)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts(), Policy: json.RawMessage(lent), Manual: []string{exchange.StepAgree}})
	pid := kz.ask(cn, "shipments", "research")
	theirs := kz.until(pid, func(n exchange.Negotiation) bool { return n.PeerPID != "" }).PeerPID
	cn.until(theirs, parked)
	must[exchange.Negotiation](t)(cn.x.Offer(ctx, theirs, nil))
	kz.until(pid, came(dsp.Offered))
	cn.until(theirs, came(dsp.Offered))
	must[exchange.Negotiation](t)(kz.x.Accept(ctx, pid, exchange.Acceptance{}))
	kz.until(pid, came(dsp.Accepted))
	cn.until(theirs, parked)
	must[exchange.Negotiation](t)(cn.x.Agree(ctx, theirs))
	if n := kz.until(pid, ended); n.State != dsp.Finalized {
		t.Fatalf("%s %v", n.State, n.Reason)
	}
}

// everyTransfer has one that arrives, with a term, and one that is suspended
// and ended by hand.
func everyTransfer(t *testing.T, cn, kz *node, ctx context.Context) (arrived string) {
	t.Helper()
	agreement := ""
	list, _, err := kz.x.Agreements(ctx, exchange.Page{})
	ok(t, err)
	for _, a := range list {
		if a.Dataset == "shipments" {
			agreement = a.ID
		}
	}
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	tr := kz.carried(agreement)
	if tr.State != dsp.Completed {
		t.Fatalf("%s %v", tr.State, tr.Reason)
	}
	cn.untilTransfer(tr.PeerPID, over)
	held := slices.Clone(kz.x.Peers())
	held[0].Manual = []string{exchange.StepFetch}
	ok(t, kz.peers.Replace(held))
	second, err := kz.x.Transfer(ctx, agreement)
	ok(t, err)
	second = kz.untilTransfer(second.PID, func(t exchange.Transfer) bool { return t.State == dsp.Started && t.Pending == dsp.None })
	cn.untilTransfer(second.PeerPID, func(t exchange.Transfer) bool { return t.State == dsp.Started && t.Pending == dsp.None })
	must[exchange.Transfer](t)(cn.x.Suspend(ctx, second.PeerPID, "a look at it"))
	kz.untilTransfer(second.PID, func(t exchange.Transfer) bool { return t.State == dsp.Suspended })
	must[exchange.Transfer](t)(cn.x.TerminateTransfer(ctx, second.PeerPID, "enough"))
	kz.untilTransfer(second.PID, over)
	return tr.PID
}

// everyChange has an order, a key that is made and one that is let go, and
// another edition of the law.
func everyChange(t *testing.T, s *approvalScene, ctx context.Context) {
	t.Helper()
	cn := s.cn
	ok(t, s.take(s.cnBody.suspend(corridor.Target{Dataset: "people"})))
	list, _, err := cn.x.Agreements(ctx, exchange.Page{})
	ok(t, err)
	for _, a := range list {
		if a.Dataset == "people" {
			cn.untilAgreement(a.ID, exchange.AgreementSuspended)
		}
	}
	if seen, err := cn.x.LookAtKeys(ctx); err != nil || seen.Logged || len(seen.Keys) != 2 {
		t.Fatalf("nothing has changed: %v %+v", err, seen)
	}
	old := cn.keys.Token.KeyID()
	_, err = cn.ring.Rotate("token", 0)
	ok(t, err)
	if seen, err := cn.x.LookAtKeys(ctx); err != nil || !seen.Logged {
		t.Fatalf("%v %+v", err, seen)
	}
	// What is changed while the node is down, it finds at its start.
	cn.stop()
	ok(t, cn.ring.Drop(old))
	_, err = cn.ring.Rotate("national", time.Hour)
	ok(t, err)
	cn.law = withRule(t, "cn", ban("cn", "export", "dsl", "{from: 2090-01-01}"))
	cn.start()
	cn.awaitReceipt(ctx, corridor.ReceiptKeysChanged, old+" is no longer published")
}
