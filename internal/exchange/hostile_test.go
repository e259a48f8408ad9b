package exchange_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/exchange"
	"corridor/internal/store"
	"corridor/verify"
)

// logs writes whatever a hostile node may into its log.
func (n *node) logs(r corridor.Receipt) {
	n.t.Helper()
	r.Issuer, r.Version = n.who.DID, 1
	ctx := within(n.t, 10*time.Second)
	ok(n.t, n.db.Write(ctx, func(tx *store.Tx) error {
		_, err := n.log.Append(ctx, tx, r, n.keys.National)
		return err
	}))
}

// A release of a peer that quotes, as what witnesses had cosigned, the compact.
func TestAReleaseThatQuotesACompactAsWitnessedSpoilsNoProof(t *testing.T) {
	for _, hostile := range []bool{false, true} {
		cn, kz := pair(t)
		compact := treaty(t, nil, authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519"))
		cn.adopt(compact)
		kz.adopt(compact)
		cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
		agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
		cn.untilAgreement(agreement, exchange.AgreementInForce)
		sealed, _, err := corridor.DecodeCompact(compact)
		ok(t, err)
		digests := map[string]string{"content": corridor.Digest([]byte("x"))}
		if hostile {
			digests[corridor.DigestWitnessed] = sealed.Digest()
		}
		cn.logs(corridor.Receipt{Type: corridor.ReceiptTransferReleased, Agreement: agreement, Transfer: "urn:uuid:x", State: "STARTED", Digests: digests})
		if _, err := kz.x.Bundle(within(t, 20*time.Second), agreement); err != nil {
			t.Errorf("hostile %t: %v", hostile, err)
		}
	}
}

// A suspension of a peer that quotes one digest as an order and as an admission.
func TestAnAdmissionThatIsQuotedAsAnOrderSpoilsNoProof(t *testing.T) {
	shown := &retold{}
	cn, kz := pair(t, func(_, kz *node) {
		kz.via = func(next http.RoundTripper) http.RoundTripper { shown.RoundTripper = next; return shown }
	})
	compact := treaty(t, nil, authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519"))
	cn.adopt(compact)
	kz.adopt(compact)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	garbage, err := corridor.Seal(map[string]string{"type": "nothing", "signed": "by nobody"})
	ok(t, err)
	add := func(f *verify.File) { f.Admissions = []corridor.Sealed{garbage} }
	shown.change.Store(&add)
	d := garbage.Digest()
	cn.logs(corridor.Receipt{Type: corridor.ReceiptTransferSuspended, Agreement: agreement, Transfer: "urn:uuid:x", State: "SUSPENDED",
		Digests: map[string]string{corridor.DigestOrder: d, corridor.DigestProviderAdmission: d}})
	if _, err := kz.x.Bundle(within(t, 20*time.Second), agreement); err != nil {
		t.Error(err)
	}
}

// A transfer that the peer has never heard of has a proof of its own too.
func TestATransferThatThePeerHasNotNamedHasAProof(t *testing.T) {
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	_, err := kz.x.Bundle(within(t, 20*time.Second), agreement) // the peer's receipts are here
	ok(t, err)
	cn.stop()
	defer cn.start()
	tr, err := kz.x.TransferIn(within(t, 10*time.Second), agreement, catalog.FormatPull)
	ok(t, err)
	_, err = kz.x.TerminateTransfer(within(t, 10*time.Second), tr.PID, "not wanted")
	ok(t, err)
	if _, err := kz.x.BundleOf(within(t, 20*time.Second), agreement, exchange.Part{Transfer: tr.PID}); err != nil {
		t.Error(strings.ReplaceAll(err.Error(), "\n", " | "))
	}
}

// What a peer shows unsigned under the digest of a compact takes no place of
// the signed one: the proofs of later agreements, with whomever, hold that.
func TestWhatAPeerShowsUnsignedTakesNoPlaceOfTheSigned(t *testing.T) {
	shown := &retold{}
	cn, kz := pair(t, func(_, kz *node) {
		kz.via = func(next http.RoundTripper) http.RoundTripper { shown.RoundTripper = next; return shown }
	})
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	compact := treaty(t, nil, authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")) // public, and not adopted yet
	sealed, _, err := corridor.DecodeCompact(compact)
	ok(t, err)
	add := func(f *verify.File) { f.Admissions = forged([]corridor.Sealed{sealed}) }
	shown.change.Store(&add)
	d := sealed.Digest()
	cn.logs(corridor.Receipt{Type: corridor.ReceiptTransferSuspended, Agreement: agreement, Transfer: "urn:uuid:x", State: "SUSPENDED",
		Digests: map[string]string{corridor.DigestOrder: d, corridor.DigestProviderAdmission: d}})
	_, err = kz.x.Bundle(within(t, 20*time.Second), agreement) // asks the peer
	ok(t, err)
	shown.change.Store(nil)
	cn.adopt(compact)
	kz.adopt(compact)
	later := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(later, exchange.AgreementInForce)
	if _, err := kz.x.Bundle(within(t, 20*time.Second), later); err != nil {
		t.Error(strings.ReplaceAll(err.Error(), "\n", " | "))
	}
}

// The authority of one side has changed its key, and its feed with admissions
// by the new key has not been fetched yet.
func TestAnAgreementBetweenTwoKeysOfAnAuthorityHasAProof(t *testing.T) {
	cn, kz, cnBody, kzBody := admittedPair(t)
	fresh := authority(t, "CN", "SM2")
	with := func(v int64, a corridor.Authority) func(*corridor.Compact) {
		return func(c *corridor.Compact) {
			c.Version, c.Members, c.Credentials = v, []corridor.Authority{a, kzBody.is}, []string{corridor.TypeAdmission}
		}
	}
	both := cnBody.is
	both.Anchors = append(append([]corridor.Anchor{}, cnBody.is.Anchors...), fresh.is.Anchors...)
	only := both
	only.Anchors = fresh.is.Anchors
	second := treaty(t, with(2, both), cnBody, fresh, kzBody)
	third := treaty(t, with(3, only), fresh, kzBody)
	for _, n := range []*node{cn, kz} {
		n.adopt(second)
		n.adopt(third)
	}
	agreement := kz.until(kz.ask(cn, "shipments", "research"), ended).Agreement
	cn.untilAgreement(agreement, exchange.AgreementInForce)
	if _, err := kz.x.Bundle(within(t, 20*time.Second), agreement); err != nil {
		t.Error(strings.ReplaceAll(err.Error(), "\n", " | "))
	}
}

// Both sides verify each other: whether a trust service can be reached is
// nothing to them.
func TestATrustServiceThatNobodyNeedsStopsNobody(t *testing.T) {
	cn, kz := pair(t, func(cn, kz *node) { cn.trust, cn.trustDID = verify.Ed25519, "did:web:127.0.0.1%3A1:trust" })
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(cn, "shipments", "research"), ended)
	if n.Agreement == "" {
		t.Errorf("%s %v %+v", n.State, n.Reason, n.Waiting)
	}
}
