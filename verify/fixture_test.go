package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"filippo.io/mldsa"
	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/gost"
)

// party is a participant that signs in some suite and keeps a log in memory.
type party struct {
	did, suite string
	sign       func(msg []byte) []byte
	key        Key
	origin     string
	logKey     ed25519.PrivateKey
	stored     []tlog.Hash
	entries    [][]byte
}

func seeded(s string) ed25519.PrivateKey {
	h := sha256.Sum256([]byte(s))
	return ed25519.NewKeyFromSeed(h[:])
}

func newParty(t testing.TB, name, suite string) *party {
	t.Helper()
	p := &party{did: "did:web:" + name, suite: suite, origin: name + "/log", logKey: seeded(name + "log")}
	id := p.did + "#national"
	var public any
	switch suite {
	case Ed25519:
		key := seeded(name)
		public = key.Public()
		p.sign = func(msg []byte) []byte { return ed25519.Sign(key, msg) }
	case P256:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public = &key.PublicKey
		p.sign = func(msg []byte) []byte {
			h := sha256.Sum256(msg)
			r, s, err := ecdsa.Sign(rand.Reader, key, h[:])
			if err != nil {
				t.Fatal(err)
			}
			if n := elliptic.P256().Params().N; new(big.Int).Lsh(s, 1).Cmp(n) > 0 {
				s.Sub(n, s)
			}
			out := make([]byte, 64)
			r.FillBytes(out[:32])
			s.FillBytes(out[32:])
			return out
		}
	case SM2:
		key, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public = &key.PublicKey
		p.sign = func(msg []byte) []byte {
			sig, err := key.Sign(rand.Reader, msg, crypto.SignerOpts(sm2.DefaultSM2SignerOpts))
			if err != nil {
				t.Fatal(err)
			}
			return sig
		}
	case GOST256, GOST512:
		c := gost.CurveByName(suites()[3].crvs[0])
		if suite == GOST512 {
			c = gost.CurveByName(suites()[4].crvs[0])
		}
		key, err := gost.GenerateKey(c)
		if err != nil {
			t.Fatal(err)
		}
		public = &key.PublicKey
		p.sign = key.Sign
	case MLDSA44:
		key, err := mldsa.GenerateKey(mldsa.MLDSA44())
		if err != nil {
			t.Fatal(err)
		}
		public = key.Public()
		p.sign = func(msg []byte) []byte {
			sig, err := key.Sign(nil, msg, nil)
			if err != nil {
				t.Fatal(err)
			}
			return sig
		}
	}
	var err error
	if p.key, err = NewKey(id, public); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *party) signed(t testing.TB, v any) corridor.Signature {
	t.Helper()
	msg, err := corridor.Canonical(v)
	if err != nil {
		t.Fatal(err)
	}
	return corridor.Signature{Key: p.key.ID, Suite: p.suite, Value: b64(p.sign(msg))}
}

func (p *party) vkey() string { return LogVKey(p.origin, p.logKey.Public().(ed25519.PublicKey)) }

func (p *party) document() json.RawMessage {
	raw, err := corridor.Canonical(map[string]any{"id": p.did, "assertionMethod": []string{"#national"},
		"verificationMethod": []any{map[string]any{"id": "#national", "type": "JsonWebKey2020", "controller": p.did, "publicKeyJwk": p.key.JWK}}})
	if err != nil {
		panic(err)
	}
	return raw
}

func (p *party) ReadHashes(idx []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(idx))
	for i, j := range idx {
		out[i] = p.stored[j]
	}
	return out, nil
}

// log adds a receipt and gives its reference.
func (p *party) log(t testing.TB, r corridor.Receipt) corridor.ReceiptRef {
	t.Helper()
	r.Version, r.Issuer = 1, p.did
	entry, err := corridor.Canonical(corridor.Leaf{Receipt: r, Signature: p.signed(t, r)})
	if err != nil {
		t.Fatal(err)
	}
	return p.logEntry(t, entry)
}

func (p *party) logEntry(t testing.TB, entry []byte) corridor.ReceiptRef {
	t.Helper()
	n := int64(len(p.entries))
	hs, err := tlog.StoredHashes(n, entry, p)
	if err != nil {
		t.Fatal(err)
	}
	p.stored = append(p.stored, hs...)
	p.entries = append(p.entries, entry)
	return corridor.ReceiptRef{Origin: p.origin, Index: n, Leaf: corridor.LeafHash(entry)}
}

// noteSigner signs notes with an Ed25519 key; cosignatures if it is a witness's.
type noteSigner struct {
	note.Verifier
	key  ed25519.PrivateKey
	unix int64 // 0: a log
}

func (s noteSigner) Sign(msg []byte) ([]byte, error) {
	if s.unix == 0 {
		return ed25519.Sign(s.key, msg), nil
	}
	return append(binary.BigEndian.AppendUint64(nil, uint64(s.unix)), ed25519.Sign(s.key, CosignedMessage(s.unix, string(msg)))...), nil
}

func (p *party) logSigner(t testing.TB) note.Signer {
	v, err := LogVerifier(p.vkey())
	if err != nil {
		t.Fatal(err)
	}
	return noteSigner{Verifier: v, key: p.logKey}
}

const signedAt = 1_795_500_000 // 2026-11-24 around 06:00 UTC

// postQuantum is the ML-DSA-44 key of a witness whose name ends in .pq.
func postQuantum(name string) *mldsa.PrivateKey {
	key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seeded(name).Seed())
	if err != nil {
		panic(err)
	}
	return key
}

// treeSigner makes ML-DSA-44 cosignatures.
type treeSigner struct {
	note.Verifier
	key  *mldsa.PrivateKey
	unix int64
}

func (s treeSigner) Sign(text []byte) ([]byte, error) {
	c, err := ParseCheckpoint(string(text))
	if err != nil {
		return nil, err
	}
	msg, err := CosignedTree(s.Name(), s.unix, c)
	if err != nil {
		return nil, err
	}
	sig, err := s.key.Sign(nil, msg, nil)
	return append(binary.BigEndian.AppendUint64(nil, uint64(s.unix)), sig...), err
}

func witnessKey(name string) string {
	if strings.HasSuffix(name, ".pq") {
		return WitnessVKeyMLDSA(name, postQuantum(name).PublicKey())
	}
	return WitnessVKey(name, seeded(name).Public().(ed25519.PublicKey))
}

func witnessSigner(t testing.TB, name string) note.Signer {
	v, err := WitnessVerifier(witnessKey(name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".pq") {
		return treeSigner{v, postQuantum(name), signedAt}
	}
	return noteSigner{v, seeded(name), signedAt}
}

func (p *party) checkpoint(t testing.TB, witnesses ...string) []byte {
	t.Helper()
	size := int64(len(p.entries))
	root, err := tlog.TreeHash(size, p)
	if err != nil {
		t.Fatal(err)
	}
	signers := []note.Signer{p.logSigner(t)}
	for _, w := range witnesses {
		signers = append(signers, witnessSigner(t, w))
	}
	signed, err := note.Sign(&note.Note{Text: Checkpoint{Origin: p.origin, Size: size, Root: root}.String()}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (p *party) proof(t testing.TB, index int64, checkpoint []byte) string {
	t.Helper()
	hs, err := tlog.ProveRecord(int64(len(p.entries)), index, p)
	if err != nil {
		t.Fatal(err)
	}
	return string(Proof{Index: index, Hashes: hs, Checkpoint: checkpoint}.Format())
}

// scene is a good bundle and everybody in it, so that a test can tamper with
// one thing and sign the rest anew.
type scene struct {
	cn, kz    *party
	policy    string
	agreement corridor.SignedAgreement
	file      File
}

const goodPolicy = "witness kz %s\nwitness a %s\nwitness b %s\nwitness c %s\ngroup thirds 2 a b c\ngroup both all kz thirds\nquorum both\n"

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{cn: newParty(t, "cn.example", SM2), kz: newParty(t, "kz.example", Ed25519)}
	s.policy = fmt.Sprintf("log %s\nlog %s\n"+goodPolicy, s.cn.vkey(), s.kz.vkey(), witnessKey("kz.w"), witnessKey("a.w"), witnessKey("b.w"), witnessKey("c.w"))
	s.agree(t, func(*corridor.Agreement) {})
	s.build(t, func(*story) {})
	return s
}

// agree makes and signs the agreement, after change.
func (s *scene) agree(t testing.TB, change func(*corridor.Agreement)) {
	t.Helper()
	a := corridor.Agreement{Version: 1, ID: "urn:uuid:agreement", Dataset: "flights", Obligations: []string{"notice"},
		Provider: corridor.Participant{DID: s.cn.did, Jurisdiction: "CN"}, Consumer: corridor.Participant{DID: s.kz.did, Jurisdiction: "KZ"},
		Policy:    json.RawMessage(`{"permission":[{"action":"use"}]}`),
		Witnesses: corridor.Digest([]byte(s.policy)),
		Logs:      map[string]corridor.LogRef{s.cn.did: {Origin: s.cn.origin, VKey: s.cn.vkey()}, s.kz.did: {Origin: s.kz.origin, VKey: s.kz.vkey()}},
		ValidFrom: "2026-11-24T00:00:00Z", ValidUntil: "2027-11-24T00:00:00Z"}
	a.Decisions = []corridor.SignedDecision{
		s.decision(t, s.cn, func(d *corridor.DecisionStatement) { d.Decision.Side = corridor.Export }),
		s.decision(t, s.kz, func(d *corridor.DecisionStatement) { d.Decision.Side = corridor.Import })}
	change(&a)
	s.agreement = corridor.SignedAgreement{Body: a, Signatures: []corridor.Signature{s.cn.signed(t, a), s.kz.signed(t, a)}}
}

func (s *scene) decision(t testing.TB, p *party, change func(*corridor.DecisionStatement)) corridor.SignedDecision {
	t.Helper()
	d := corridor.DecisionStatement{Version: 1, Issuer: p.did, Provider: s.cn.did, Consumer: s.kz.did, Dataset: "flights", Time: "2026-11-24T05:00:00Z",
		Decision: corridor.Decision{Jurisdiction: map[string]string{s.cn.did: "CN", s.kz.did: "KZ"}[p.did], Outcome: corridor.Allow, Matched: []corridor.Match{}, Duties: []corridor.Obligation{}}}
	change(&d)
	raw, err := corridor.Canonical(d)
	if err != nil {
		t.Fatal(err)
	}
	return corridor.SignedDecision{Statement: raw, Signature: corridor.Signature{Key: p.key.ID, Suite: p.suite, Value: b64(p.sign(raw))}}
}

// story is what the two logs hold; a test changes it before it is written.
type story struct {
	decided                          corridor.Receipt
	agreed                           [2]corridor.Receipt // cn, kz
	released, received, acknowledged corridor.Receipt
	requote                          func(corridor.ReceiptRef) corridor.ReceiptRef // what received quotes
	witnesses                        []string
	missing                          *corridor.Receipt               // that the arrival was not confirmed; nil: it was
	approved                         corridor.Receipt                // by cn; without a type there is none
	between                          []corridor.Receipt              // by cn, after the agreement and before the release
	letting                          func(release *corridor.Receipt) // before the release is written
}

// build writes both logs and the file.
func (s *scene) build(t testing.TB, change func(*story)) {
	t.Helper()
	s.cn.stored, s.cn.entries, s.kz.stored, s.kz.entries = nil, nil, nil, nil
	id := s.agreement.Body.ID
	digest, err := s.agreement.Body.Digest()
	if err != nil {
		t.Fatal(err)
	}
	salt, value := []byte("salt salt salt salt"), []byte(`{"subjects":120000}`)
	content := map[string]string{corridor.DigestContent: corridor.Digest([]byte("bytes"))}
	anchors := func(p *party) map[string]string {
		return map[string]string{corridor.DigestAgreement: digest, corridor.DigestPolicy: corridor.Digest([]byte(s.policy)),
			corridor.DigestLogKey: corridor.Digest([]byte(p.vkey())), corridor.DigestDIDDocument: corridor.Digest(p.document())}
	}
	st := &story{
		decided: corridor.Receipt{Type: corridor.ReceiptDecision, Time: "2026-11-24T05:00:00Z", Negotiation: "n", Commitments: map[string]string{"facts": corridor.Commit(salt, value)},
			Decision: &corridor.DecisionDigest{Jurisdiction: "CN", Side: corridor.Export, Outcome: corridor.Allow, Cites: []string{}, Obligations: []string{}},
			Digests:  map[string]string{}},
		released:     corridor.Receipt{Type: corridor.ReceiptTransferReleased, Time: "2026-11-24T05:20:00Z", Agreement: id, Transfer: "t", Digests: content},
		received:     corridor.Receipt{Type: corridor.ReceiptTransferReceived, Time: "2026-11-24T05:21:00Z", Agreement: id, Transfer: "t", Digests: content},
		acknowledged: corridor.Receipt{Type: corridor.ReceiptTransferAcknowledged, Time: "2026-11-24T05:22:00Z", Agreement: id, Transfer: "t"},
		requote:      func(r corridor.ReceiptRef) corridor.ReceiptRef { return r },
		witnesses:    []string{"kz.w", "a.w", "c.w"},
	}
	if len(s.agreement.Body.Decisions) > 0 {
		st.decided.Digests["decision"] = corridor.Digest(s.agreement.Body.Decisions[0].Statement)
	}
	for i, p := range []*party{s.cn, s.kz} {
		st.agreed[i] = corridor.Receipt{Type: corridor.ReceiptAgreement, Time: "2026-11-24T05:10:00Z", Agreement: id, Digests: anchors(p)}
	}
	change(st)
	st.released.Prev = s.cn.log(t, st.decided).Leaf
	if st.approved.Type != "" {
		s.cn.log(t, st.approved)
	}
	st.released.Prev = s.cn.log(t, st.agreed[0]).Leaf
	s.kz.log(t, st.agreed[1])
	for _, r := range st.between {
		r.Agreement = id
		s.cn.log(t, r)
	}
	if st.letting != nil {
		st.letting(&st.released)
	}
	rel := s.cn.log(t, st.released)
	if m := st.missing; m != nil {
		if m.Digests == nil {
			m.Digests = map[string]string{corridor.DigestContent: content[corridor.DigestContent], corridor.DigestReleased: rel.Leaf}
		}
		at := s.cn.log(t, *m)
		if st.acknowledged.Digests == nil {
			st.acknowledged.Digests = map[string]string{corridor.DigestUnconfirmed: at.Leaf}
		}
	}
	if st.received.PeerRefs == nil {
		st.received.PeerRefs = []corridor.ReceiptRef{st.requote(rel)}
	}
	rec := s.kz.log(t, st.received)
	if st.acknowledged.PeerRefs == nil {
		st.acknowledged.PeerRefs = []corridor.ReceiptRef{rec}
	}
	s.cn.log(t, st.acknowledged)

	raw, err := corridor.Canonical(s.agreement)
	if err != nil {
		t.Fatal(err)
	}
	s.file = File{About: About{At: "2026-11-24T07:00:00Z", By: s.kz.did, Agreement: id}, Agreement: raw, Policy: s.policy}
	for _, p := range []*party{s.cn, s.kz} {
		s.file.Keys = append(s.file.Keys, FileKeys{DID: p.did, Document: p.document()})
		s.file.Logs = append(s.file.Logs, FileLog{DID: p.did, Origin: p.origin, VKey: p.vkey()})
		cp := p.checkpoint(t, st.witnesses...)
		for i, e := range p.entries {
			s.file.Receipts = append(s.file.Receipts, FileReceipt{Log: p.origin, Index: int64(i), Leaf: e, Proof: p.proof(t, int64(i), cp), Openings: []Opening{}})
		}
	}
	s.file.Receipts[0].Openings = []Opening{NewOpening("facts", salt, value)}
}

func (s *scene) bytes(t testing.TB) []byte {
	t.Helper()
	raw, err := s.file.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
