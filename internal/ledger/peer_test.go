package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// handed is a receipt as its issuer hands it to the peer.
func (n *node) handed(t testing.TB, index int64) PeerReceipt {
	t.Helper()
	entry, err := n.log.Receipt(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := n.log.Proof(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	return PeerReceipt{Index: index, Entry: entry, Proof: proof, Log: n.log.Ref(), Key: n.public(), Issuer: n.did}
}

func (n *node) hear(t testing.TB, p PeerReceipt) error {
	return n.db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := n.log.StorePeerReceipt(t.Context(), tx, p)
		return err
	})
}

func TestAPeersReceiptIsKeptOnlyIfItHolds(t *testing.T) {
	kz, uz := start(t, newPerson("kz.example"), temp(t)), start(t, newPerson("uz.example"), temp(t))
	for range 3 {
		kz.append(t, corridor.Receipt{Agreement: "a"})
	}
	good := kz.handed(t, 1)
	other := kz.handed(t, 2)
	for name, change := range map[string]func(*PeerReceipt){
		"another's proof":      func(p *PeerReceipt) { p.Proof = other.Proof },
		"another's entry":      func(p *PeerReceipt) { p.Entry = other.Entry },
		"another index":        func(p *PeerReceipt) { p.Index = 2 },
		"another issuer":       func(p *PeerReceipt) { p.Issuer = "did:web:x" },
		"another key":          func(p *PeerReceipt) { p.Key = uz.public() },
		"another log key":      func(p *PeerReceipt) { p.Log = uz.log.Ref() },
		"a key of another log": func(p *PeerReceipt) { p.Log.VKey = uz.vkey() },
		"no log key":           func(p *PeerReceipt) { p.Log.VKey = "x" },
		"no proof text":        func(p *PeerReceipt) { p.Proof = []byte("x") },
		"an entry that is no":  func(p *PeerReceipt) { p.Entry = []byte("{}  ") },
		"an entry with one more": func(p *PeerReceipt) {
			p.Entry = bytes.Replace(p.Entry, []byte(`{"receipt"`), []byte(`{"a":1,"receipt"`), 1)
		},
	} {
		p := good
		change(&p)
		if err := uz.hear(t, p); err == nil {
			t.Error(name, "was kept")
		}
	}
	// Where the suite of the signature is not verified, the proof must stand for it.
	unverified := good
	unverified.Unverified = true
	for name, change := range map[string]func(*PeerReceipt){
		"no proof":               func(p *PeerReceipt) { p.Proof = nil },
		"another's proof":        func(p *PeerReceipt) { p.Proof = other.Proof },
		"another log key":        func(p *PeerReceipt) { p.Log = uz.log.Ref() },
		"a key it does not name": func(p *PeerReceipt) { p.Key = uz.public() },
		"a suite that it claims": func(p *PeerReceipt) { p.Key.Suite = verify.GOST256 },
	} {
		p := unverified
		change(&p)
		if err := uz.hear(t, p); err == nil {
			t.Error(name, "was kept without a look at the signature")
		}
	}
	if _, _, err := CheckPeerReceipt(unverified); err != nil {
		t.Error(err)
	}
	unproven := good
	unproven.Proof = nil
	for _, p := range []PeerReceipt{unproven, good, unproven, good} {
		if err := uz.hear(t, p); err != nil {
			t.Error(err)
		}
	}
	var proof []byte
	if err := uz.db.Read(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT proof FROM ledger_peer_receipts`).Scan(&proof)
	}); err != nil || !bytes.Equal(proof, good.Proof) {
		t.Error("a proof once known must stay", err)
	}
	// The same place with another content is evidence, not an update.
	forged, _ := corridor.DecodeReceipt(good.Entry)
	forged.Receipt.Reason = "another story"
	body, _ := corridor.Canonical(forged.Receipt)
	forged.Signature.Value = base64.RawURLEncoding.EncodeToString(ed25519.Sign(kz.key, body))
	entry, _ := corridor.Canonical(forged)
	second := unproven
	second.Entry = entry
	wantError(t, uz.hear(t, second), corridor.Conflict, "forked")
}

func TestAProofWithEnoughCosignaturesIsNotLostToAnEarlierAnswer(t *testing.T) {
	p := newPerson("kz.example")
	pol := policy("quorum w0", witness(t, "w0.example", nil, p.vkey()))
	kz := start(t, p, temp(t), func(c *Config) { c.Policy = pol })
	uz := start(t, newPerson("uz.example"), temp(t), func(c *Config) { c.Policy = pol })
	kz.append(t, corridor.Receipt{Agreement: "a"})
	early := kz.handed(t, 0)
	kz.runWitnesses(t)
	if err := kz.log.WaitCosigned(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	cosigned := kz.handed(t, 0)
	for step, p := range []PeerReceipt{early, cosigned, early} {
		if err := uz.hear(t, p); err != nil {
			t.Fatal(err)
		}
		want := []PeerReceipt{early, cosigned, cosigned}[step].Proof
		var kept []byte
		if err := uz.db.Read(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT proof FROM ledger_peer_receipts`).Scan(&kept)
		}); err != nil || !bytes.Equal(kept, want) {
			t.Errorf("after answer %d: %v\n%s", step, err, kept)
		}
	}
}

// TestABundleOfBothSidesVerifiesOffline goes the whole way: two nodes, two
// witnesses, an agreement, a transfer, an export, a check.
func TestABundleOfBothSidesVerifiesOffline(t *testing.T) {
	p, c := newPerson("kz.example"), newPerson("uz.example")
	w0, w1 := witness(t, "w0.example", nil, p.vkey(), c.vkey()), witness(t, "w1.example", nil, p.vkey(), c.vkey())
	pol := policy("group third all w0 w1\nquorum third", w0, w1)
	use := func(c *Config) { c.Policy = pol }
	kz, uz := start(t, p, temp(t), use), start(t, c, temp(t), use)
	kz.runWitnesses(t)
	uz.runWitnesses(t)

	agreement, digest := agree(t, kz, uz, pol)
	for _, n := range []*node{kz, uz} {
		n.append(t, corridor.Receipt{Type: corridor.ReceiptAgreement, Agreement: agreement.Body.ID, Negotiation: "n",
			Digests: map[string]string{corridor.DigestAgreement: digest, corridor.DigestPolicy: corridor.Digest(pol), corridor.DigestLogKey: corridor.Digest([]byte(n.vkey())), corridor.DigestDIDDocument: corridor.Digest(n.document(t))}},
			Secret{Name: "flow", Value: []byte(`{"date":"2026-11-24"}`)})
	}
	content := map[string]string{corridor.DigestContent: corridor.Digest([]byte("the data"))}
	released := kz.append(t, corridor.Receipt{Type: corridor.ReceiptTransferReleased, Agreement: agreement.Body.ID, Transfer: "t-kz", Digests: content})
	received := uz.append(t, corridor.Receipt{Type: corridor.ReceiptTransferReceived, Agreement: agreement.Body.ID, Transfer: "t-uz", Digests: content, PeerRefs: []corridor.ReceiptRef{released}})
	last := kz.append(t, corridor.Receipt{Type: corridor.ReceiptTransferAcknowledged, Agreement: agreement.Body.ID, Transfer: "t-kz", PeerRefs: []corridor.ReceiptRef{received}})
	kz.append(t, corridor.Receipt{Type: corridor.ReceiptAdmin})
	for n, i := range map[*node]int64{kz: last.Index, uz: received.Index} {
		if err := n.log.WaitCosigned(within(t), i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(2) {
		h := uz.handed(t, i)
		h.Matter = "n"
		if err := kz.hear(t, h); err != nil {
			t.Fatal(err)
		}
	}
	bundle, err := kz.log.Export(t.Context(), ExportRequest{By: kz.did, Agreement: agreement, Negotiation: "n", Transfers: []string{"t-kz"}, Matter: "n", Open: true,
		Documents: map[string][]byte{kz.did: kz.document(t), uz.did: uz.document(t)}})
	if err != nil {
		t.Fatal(err)
	}
	if rep := verify.Bundle(bundle, verify.Options{}); !rep.OK {
		t.Errorf("%s\n%+v", rep.Summary, rep.Failed())
	}
	rep := verify.Bundle(bundle, verify.Options{Policy: pol, Documents: map[string][]byte{kz.did: kz.document(t), uz.did: uz.document(t)}})
	if !rep.OK {
		t.Errorf("%s\n%+v", rep.Summary, rep.Failed())
	}
	for _, c := range rep.Checks {
		if c.Note {
			t.Errorf("with everything given there is nothing to note: %+v", c)
		}
	}
	if !bytes.Contains(bundle, []byte(`"openings":[{"name":"flow"`)) {
		t.Error("nothing was opened")
	}
	if n := bytes.Count(bundle, []byte("tlog-proof@v1")); n != 5 {
		t.Errorf("%d receipts", n)
	}
	_, err = kz.log.Export(t.Context(), ExportRequest{By: kz.did, Negotiation: "unknown"})
	wantError(t, err, corridor.NotFound, "no receipt")
	_, err = kz.log.Export(t.Context(), ExportRequest{By: kz.did, Negotiation: "n", Documents: map[string][]byte{"did:x": []byte("{")}})
	wantError(t, err, corridor.Invalid, "did:x")
}

// agree makes a minimal agreement that both sides' laws permit.
func agree(t testing.TB, kz, uz *node, pol []byte) (*corridor.SignedAgreement, string) {
	t.Helper()
	sign := func(n *node, v any) corridor.Signature {
		body, err := corridor.Canonical(v)
		if err != nil {
			t.Fatal(err)
		}
		return corridor.Signature{Key: n.KeyID(), Suite: n.Suite(), Value: base64.RawURLEncoding.EncodeToString(ed25519.Sign(n.key, body))}
	}
	a := corridor.Agreement{Version: 1, ID: "urn:uuid:a", Dataset: "flights", Obligations: []string{},
		Provider: corridor.Participant{DID: kz.did, Jurisdiction: "KZ"}, Consumer: corridor.Participant{DID: uz.did, Jurisdiction: "UZ"},
		Witnesses: corridor.Digest(pol), Logs: map[string]corridor.LogRef{kz.did: kz.log.Ref(), uz.did: uz.log.Ref()}}
	for _, s := range []struct {
		n    *node
		side corridor.Side
		cc   string
	}{{kz, corridor.Export, "KZ"}, {uz, corridor.Import, "UZ"}} {
		raw, err := corridor.Canonical(corridor.DecisionStatement{Version: 1, Issuer: s.n.did, Provider: kz.did, Consumer: uz.did, Dataset: "flights", Time: "2026-11-24T00:00:00Z",
			Decision: corridor.Decision{Jurisdiction: s.cc, Side: s.side, Outcome: corridor.Allow}})
		if err != nil {
			t.Fatal(err)
		}
		a.Decisions = append(a.Decisions, corridor.SignedDecision{Statement: raw, Signature: sign(s.n, corridorRaw(raw))})
	}
	digest, err := a.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return &corridor.SignedAgreement{Body: a, Signatures: []corridor.Signature{sign(kz, a), sign(uz, a)}}, digest
}

type corridorRaw []byte

func (r corridorRaw) MarshalJSON() ([]byte, error) { return r, nil }

func TestAnExportHasABound(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	n.many(t, maxExport+1)
	if err := n.db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE ledger_entries SET negotiation = 'n'`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	_, err := n.log.Export(t.Context(), ExportRequest{Negotiation: "n"})
	wantError(t, err, corridor.Limited, "more than")
	if _, err := n.log.Export(t.Context(), ExportRequest{Indexes: []int64{1, 2}, Logs: map[string]corridor.LogRef{"did:web:x": {Origin: "o", VKey: "v"}}, Policy: []byte("quorum none\n")}); err != nil {
		t.Error(err)
	}
	if _, err := n.log.Export(t.Context(), ExportRequest{Indexes: []int64{1 << 40}}); err == nil || !strings.Contains(err.Error(), "no entry") {
		t.Error(err)
	}
}
