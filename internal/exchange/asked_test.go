package exchange_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/store"
)

// agreementsOn negotiates until there are agreements, and gives their names.
func agreementsOn(cn, kz *node, purposes ...string) (ids []string) {
	cn.t.Helper()
	for _, purpose := range purposes {
		n := kz.until(kz.ask(cn, "shipments", purpose), ended)
		cn.untilAgreement(n.Agreement, exchange.AgreementInForce)
		ids = append(ids, n.Agreement)
	}
	return ids
}

// TestAChangeOfTheLawDoesNotWaitForAnIssuer: one that does not answer is asked
// once about a peer, whatever there is of agreements with it, and what the law
// forbids is suspended meanwhile.
func TestAChangeOfTheLawDoesNotWaitForAnIssuer(t *testing.T) {
	var asked atomic.Int64
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	ids := agreementsOn(cn, kz, "trade_logistics", "research", "trade_logistics", "research", "trade_logistics", "trade_logistics")
	cn.stop()
	answers := make(chan struct{})
	cn.law = withRule(t, "cn", ban("cn", "export", "dsl", "{from: 2022-01-01}"))
	cn.credentials = func(ctx context.Context, _ identity.Peer, _ time.Duration) error {
		asked.Add(1)
		select {
		case <-answers:
			return nil
		case <-ctx.Done():
			return corridor.E(corridor.Unavailable, "the status list cannot be had: %w", ctx.Err())
		}
	}
	cn.start()
	for i, id := range ids {
		if i == 1 || i == 3 {
			cn.untilAgreement(id, exchange.AgreementSuspended)
		}
	}
	cn.untilAsked(1)
	close(answers)
	cn.untilAsked(0)
	for i, id := range ids {
		if i != 1 && i != 3 {
			cn.untilAgreement(id, exchange.AgreementInForce)
		}
	}
	if n := asked.Load(); n < 1 || n > 3 {
		t.Errorf("the issuer was asked %d times about four agreements with one peer", n)
	}
}

// untilAsked waits until there are so many peers to be asked about.
func (n *node) untilAsked(want int) {
	n.t.Helper()
	for ctx := within(n.t, 20*time.Second); ; time.Sleep(5 * time.Millisecond) {
		var got int
		ok(n.t, n.db.Read(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT COUNT(*) FROM asked WHERE peer > ''`).Scan(&got)
		}))
		if got == want {
			return
		}
		if ctx.Err() != nil {
			n.t.Fatalf("%d peers are to be asked about, not %d", got, want)
		}
	}
}

// TestWhatTheLawPermitsAgainWaitsForTheIssuersWord: it stays suspended until
// that comes, over a restart, and comes back by itself.
func TestWhatTheLawPermitsAgainWaitsForTheIssuersWord(t *testing.T) {
	var word issuer
	cn, kz := pair(t, func(cn, _ *node) { cn.credentials = word.ask })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	id := agreementsOn(cn, kz, "research")[0]
	again := func(change func()) {
		cn.stop()
		change()
		cn.start()
	}
	again(func() { cn.law = withRule(t, "cn", ban("cn", "export", "dsl", "{from: 2022-01-01}")) })
	cn.untilAgreement(id, exchange.AgreementSuspended)
	cn.untilAsked(0)
	again(func() {
		cn.law = nil
		word.word.Store(corridor.E(corridor.Unavailable, "the status list cannot be had"))
	})
	cn.untilAsked(1)
	again(func() {})
	if a := cn.untilAgreement(id, exchange.AgreementSuspended); a.Code != "refused_by_law" {
		t.Errorf("%s %v", a.Code, a.Reason)
	}
	word.word.Store(nil)
	cn.untilAgreement(id, exchange.AgreementInForce)
	cn.untilAsked(0)
}

// TestACredentialThatWasOnlySuspendedBringsItsAgreementBack: the credential
// stands again with the same text, and nobody tells the node.
func TestACredentialThatWasOnlySuspendedBringsItsAgreementBack(t *testing.T) {
	var word issuer
	cn, kz := pair(t, func(cn, _ *node) { cn.credentials = word.ask })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	id := agreementsOn(cn, kz, "trade_logistics")[0]
	word.word.Store(&corridor.Error{Kind: corridor.Forbidden, Msg: "not shown: MembershipCredential", Why: "the credential is under suspension"})
	cn.x.PeerChanged(kz.who.DID)
	a := cn.untilAgreement(id, exchange.AgreementSuspended)
	refused(t, a.Reason, []string{"under suspension"})
	cn.stop() // the question outlives the process
	cn.start()
	cn.untilAgreement(id, exchange.AgreementSuspended)
	word.word.Store(nil)
	cn.untilAgreement(id, exchange.AgreementInForce)
	cn.untilAsked(0)
}

// TestANodeThatLeadsAgainForgetsWhatItAskedBefore: another has asked meanwhile,
// and a question that is put again begins its count anew.
func TestANodeThatLeadsAgainForgetsWhatItAskedBefore(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	agreementsOn(cn, kz, "trade_logistics")
	cn.untilAsked(0)
	cn.stop()
	again := cn.asleep()
	ok(t, again.x.AskAfterAnother(t.Context(), kz.who.DID))
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- again.x.RunAsking(ctx) }()
	again.untilAsked(0)
	cancel()
	ok(t, <-ran)
}
