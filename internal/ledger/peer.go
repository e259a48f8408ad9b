package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// PeerReceipt is an entry of a peer's log as it was handed to us.
type PeerReceipt struct {
	Index  int64
	Entry  []byte          // exact bytes
	Proof  []byte          // tlog-proof text; may come later
	Log    corridor.LogRef // as agreed with the peer
	Key    verify.Key      // of the receipt's signature, from the peer's DID document
	Issuer string          // whose receipt it must be
	Matter string          // own name under which Export finds it again; may be empty
	// Unverified: this node does not verify the suite of Key. The entry is the
	// issuer's because its log holds it, and the proof must show that.
	Unverified bool
}

// CheckPeerReceipt checks form, issuer, signature and, if there is one, the
// proof against the key of the peer's log. It gives the receipt's reference.
func CheckPeerReceipt(p PeerReceipt) (corridor.Receipt, corridor.ReceiptRef, error) {
	ref := corridor.ReceiptRef{Origin: p.Log.Origin, Index: p.Index, Leaf: corridor.LeafHash(p.Entry)}
	leaf, err := corridor.DecodeReceipt(p.Entry)
	if err != nil {
		return leaf.Receipt, ref, err
	}
	if leaf.Receipt.Issuer != p.Issuer {
		return leaf.Receipt, ref, corridor.E(corridor.Unauthenticated, "the receipt is by %q, not by %q", leaf.Receipt.Issuer, p.Issuer)
	}
	body, err := corridor.Canonical(leaf.Receipt)
	if err != nil {
		return leaf.Receipt, ref, err
	}
	if p.Unverified {
		if err = (verify.National{Signature: leaf.Signature, Key: p.Key}).Named(); err == nil && len(p.Proof) == 0 {
			err = corridor.E(corridor.Unauthenticated, "the receipt is signed in %s, which is not verified here, and no proof shows that the log of its issuer holds it", p.Key.Suite)
		}
	} else {
		err = p.Key.VerifySignature(body, leaf.Signature)
	}
	if err != nil {
		return leaf.Receipt, ref, err
	}
	if len(p.Proof) == 0 {
		return leaf.Receipt, ref, nil
	}
	v, err := verify.LogVerifier(p.Log.VKey)
	if err != nil {
		return leaf.Receipt, ref, err
	}
	if v.Name() != p.Log.Origin {
		return leaf.Receipt, ref, corridor.E(corridor.Invalid, "the vkey %q is not of log %q", p.Log.VKey, p.Log.Origin)
	}
	proof, err := verify.ParseProof(p.Proof)
	if err != nil {
		return leaf.Receipt, ref, err
	}
	if proof.Index != p.Index {
		return leaf.Receipt, ref, corridor.E(corridor.Invalid, "the proof is of entry %d, not of %d", proof.Index, p.Index)
	}
	c, _, err := verify.OpenCheckpoint(proof.Checkpoint, v)
	if err != nil {
		return leaf.Receipt, ref, err
	}
	return leaf.Receipt, ref, proof.CheckInclusion(c, tlog.RecordHash(p.Entry))
}

// StorePeerReceipt checks a peer's receipt and keeps it. The same place with
// another content is refused: the peer has shown two histories.
func (l *Log) StorePeerReceipt(ctx context.Context, tx *store.Tx, p PeerReceipt) (corridor.ReceiptRef, error) {
	r, ref, err := CheckPeerReceipt(p)
	if err != nil {
		return ref, err
	}
	proof := p.Proof
	if proof == nil {
		proof = []byte{}
	}
	var have string
	var kept []byte
	err = tx.QueryRow(ctx, `SELECT leaf, proof FROM ledger_peer_receipts WHERE origin = ? AND idx = ?`, p.Log.Origin, p.Index).Scan(&have, &kept)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return ref, err
	}
	if have != "" && have != ref.Leaf {
		return ref, &corridor.Error{Kind: corridor.Conflict, Msg: "the peer has shown another receipt at this place of its log before",
			Where: p.Log.Origin, Fix: "keep both: together they prove that the log has forked"}
	}
	if len(kept) > 0 && !l.satisfies(proof, p.Log) && l.satisfies(kept, p.Log) {
		proof = kept // an answer that was under way for long
	}
	_, err = tx.Exec(ctx, `INSERT INTO ledger_peer_receipts (origin, idx, leaf, entry, proof, vkey, issuer, matter, agreement, transfer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (origin, idx) DO UPDATE SET
			proof  = CASE WHEN length(excluded.proof) > 0 THEN excluded.proof ELSE ledger_peer_receipts.proof END,
			matter = CASE WHEN excluded.matter <> '' THEN excluded.matter ELSE ledger_peer_receipts.matter END`,
		p.Log.Origin, p.Index, ref.Leaf, p.Entry, proof, p.Log.VKey, p.Issuer, p.Matter, r.Agreement, r.Transfer)
	return ref, err
}

// satisfies says whether the checkpoint of a proof satisfies the policy of this node.
func (l *Log) satisfies(proof []byte, by corridor.LogRef) bool {
	p, err := verify.ParseProof(proof)
	if err != nil {
		return false
	}
	v, err := verify.LogVerifier(by.VKey)
	if err != nil {
		return false
	}
	_, signed, err := verify.OpenCheckpoint(p.Checkpoint, v, l.policy.Verifiers()...)
	return err == nil && l.policy.Satisfied(l.policy.Cosigners(signed.Sigs))
}

// CheckWitnessed checks what a peer shows of its witnesses with a release: a
// proof of the start, which is among its other receipts. The policy is that of
// this node.
func (l *Log) CheckWitnessed(proof []byte, release PeerReceipt, list []PeerReceipt) error {
	p, err := verify.ParseProof(proof)
	if err != nil {
		return err
	}
	v, err := verify.LogVerifier(release.Log.VKey)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(r PeerReceipt) bool { return r.Index == p.Index })
	if i < 0 {
		return corridor.E(corridor.Unauthenticated, "entry %d, of which the proof is, is not shown", p.Index)
	}
	_, _, err = verify.Witnessed(proof, v, l.policy, verify.Placed{Index: p.Index, Entry: list[i].Entry}, verify.Placed{Index: release.Index, Entry: release.Entry})
	return err
}

// ExportRequest says what a bundle is about. The caller supplies what the log
// does not hold: the agreement, further decisions and the DID documents.
type ExportRequest struct {
	By          string                      // DID of the exporter
	Agreement   *corridor.SignedAgreement   // nil for a refusal or an open negotiation
	Negotiation string                      // own pid
	Transfers   []string                    // own pids
	Theirs      []string                    // the peer's pids of the same, where Part is set
	Part        *verify.Part                // these transfers alone, as the bundle says; nil: all
	Answer      bool                        // to the peer, about Transfers: own receipts, which may be none, and neither others nor the agreement
	Base        bool                        // with them, in an answer, those of no transfer
	Indexes     []int64                     // further own receipts
	Matter      string                      // under which the peer's receipts were stored
	Decisions   []corridor.SignedDecision   // beyond those of the agreement
	Documents   map[string][]byte           // DID documents as JSON, by DID
	Logs        map[string]corridor.LogRef  // by DID; own log and those of the agreement are known
	Policy      []byte                      // tlog-policy text; nil: the own one
	Validations []corridor.SignedValidation // of national signatures, of both sides
	Open        bool                        // show what commitments hide, as far as it is not forgotten
	// Signed gives what authorities have signed, by digest, as far as it is
	// known: compacts and orders that the agreement and its receipts quote.
	Signed func(ctx context.Context, digests []string) (map[string][]byte, error)
}

// Export writes a bundle (see verify.Bundle) of all receipts of both sides
// that are known here, with the best proofs at hand. Wait with WaitCosigned
// before it if the policy must be satisfied.
func (l *Log) Export(ctx context.Context, q ExportRequest) ([]byte, error) {
	f := verify.File{Version: 1, About: verify.About{At: l.cfg.Now().UTC().Format(timeLayout), By: q.By, Negotiation: q.Negotiation, Part: q.Part}, Decisions: q.Decisions, Validations: q.Validations}
	if f.Decisions == nil {
		f.Decisions = []corridor.SignedDecision{}
	}
	f.Policy = string(q.Policy)
	if q.Policy == nil {
		f.Policy = string(l.cfg.Policy)
	}
	var err error
	if q.Agreement != nil {
		f.About.Agreement = q.Agreement.Body.ID
		if !q.Answer {
			if f.Agreement, err = corridor.Canonical(q.Agreement); err != nil {
				return nil, err
			}
		}
	}
	if f.Keys, err = documents(q.Documents); err != nil {
		return nil, err
	}
	logs := map[string]corridor.LogRef{}
	if q.Agreement != nil {
		for did, ref := range q.Agreement.Body.Logs {
			logs[did] = ref
		}
	}
	for did, ref := range q.Logs {
		logs[did] = ref
	}
	if l.cfg.Issuer != "" {
		logs[l.cfg.Issuer] = l.Ref()
	}
	for _, did := range sortedKeys(logs) {
		f.Logs = append(f.Logs, verify.FileLog{DID: did, Origin: logs[did].Origin, VKey: logs[did].VKey})
	}
	if f.Receipts, err = l.ownReceipts(ctx, q, f.About.Agreement); err != nil {
		return nil, err
	}
	if !q.Answer {
		peer, err := l.theirReceipts(ctx, q, f.About.Agreement)
		if err != nil {
			return nil, err
		}
		if f.Receipts = append(f.Receipts, peer...); len(f.Receipts) == 0 {
			return nil, corridor.E(corridor.NotFound, "there is no receipt to export")
		}
	}
	if q.Agreement != nil && q.Signed != nil {
		if err := q.quoted(ctx, &f); err != nil {
			return nil, err
		}
	}
	return f.Encode()
}

// quoted puts into a bundle what its agreement and the receipts about that
// quote of authorities.
func (q ExportRequest) quoted(ctx context.Context, f *verify.File) (err error) {
	compacts, orders, admissions, witnessed := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	into := map[string]map[string]bool{corridor.DigestCompact: compacts, corridor.DigestOrder: orders,
		corridor.DigestProviderAdmission: admissions, corridor.DigestConsumerAdmission: admissions}
	if c := q.Agreement.Body.Compact; c != nil {
		compacts[c.Digest] = true
	}
	for _, r := range f.Receipts {
		leaf, err := corridor.DecodeReceipt(r.Leaf)
		if err != nil {
			return err
		}
		if leaf.Receipt.Agreement != q.Agreement.Body.ID {
			continue
		}
		for _, name := range QuotedSigned(leaf.Receipt) {
			into[name][leaf.Receipt.Digests[name]] = true
		}
		if d := leaf.Receipt.Digests[corridor.DigestWitnessed]; d != "" && leaf.Receipt.Type == corridor.ReceiptTransferReleased {
			witnessed[d] = true
		}
	}
	if f.Compacts, err = q.sealed(ctx, compacts); err == nil {
		f.Orders, err = q.sealed(ctx, orders)
	}
	if err == nil {
		f.Admissions, err = q.sealed(ctx, admissions)
	}
	if err == nil {
		f.Witnessed, err = q.texts(ctx, witnessed)
	}
	return err
}

// texts gives the proofs that releases quote, as far as they are known. What is
// known under another kind of digest is none.
func (q ExportRequest) texts(ctx context.Context, quoted map[string]bool) (list []string, err error) {
	digests := sortedKeys(quoted)
	docs, err := q.Signed(ctx, digests)
	for _, digest := range digests {
		if doc := docs[digest]; doc != nil && len(doc) <= verify.MaxProof && corridor.Digest(doc) == digest {
			list = append(list, string(doc))
		}
	}
	return list, err
}

// QuotedSigned names the digests of a receipt that are of what authorities have
// signed. Admissions are quoted by the receipt of an agreement alone.
func QuotedSigned(r corridor.Receipt) (names []string) {
	known := []string{corridor.DigestCompact, corridor.DigestOrder}
	if r.Type == corridor.ReceiptAgreement {
		known = append(known, corridor.DigestProviderAdmission, corridor.DigestConsumerAdmission)
	}
	for _, name := range known {
		if r.Digests[name] != "" {
			names = append(names, name)
		}
	}
	return names
}

func (q ExportRequest) sealed(ctx context.Context, quoted map[string]bool) (list []corridor.Sealed, err error) {
	digests := sortedKeys(quoted)
	docs, err := q.Signed(ctx, digests)
	if err != nil {
		return nil, err
	}
	for _, digest := range digests {
		if docs[digest] == nil {
			continue
		}
		var doc corridor.Sealed
		if err := json.Unmarshal(docs[digest], &doc); err != nil {
			return nil, corridor.E(corridor.Internal, "what an authority has signed cannot be read: %w", err)
		}
		list = append(list, doc)
	}
	return list, nil
}

func (l *Log) ownReceipts(ctx context.Context, q ExportRequest, agreement string) ([]verify.FileReceipt, error) {
	indexes, err := l.indexes(ctx, q, agreement)
	if err != nil {
		return nil, err
	}
	list := make([]verify.FileReceipt, 0, len(indexes))
	for _, i := range indexes {
		entry, err := l.Receipt(ctx, i)
		if err != nil {
			return nil, err
		}
		proof, err := l.Proof(ctx, i)
		if err != nil {
			return nil, err
		}
		r := verify.FileReceipt{Log: l.cfg.Origin, Index: i, Leaf: entry, Proof: string(proof), Openings: []verify.Opening{}}
		if q.Open {
			if r.Openings, err = l.openings(ctx, i); err != nil {
				return nil, err
			}
		}
		list = append(list, r)
	}
	return list, nil
}

// maxExport bounds the receipts of one side in a bundle.
const maxExport = 5000

func tooMany() error {
	return &corridor.Error{Kind: corridor.Limited, Msg: fmt.Sprintf("a bundle would hold more than %d receipts of one side", maxExport),
		Fix: "ask for one transfer (--transfer), or for some increments of one that goes on (--from, --to)"}
}

const (
	entriesOfAgreement        = `SELECT idx FROM ledger_entries WHERE agreement = ? AND agreement <> '' ORDER BY idx LIMIT ?`
	entriesOfNoTransfer       = `SELECT idx FROM ledger_entries WHERE agreement = ? AND agreement <> '' AND transfer = '' ORDER BY idx LIMIT ?`
	entriesOfNegotiation      = `SELECT idx FROM ledger_entries WHERE negotiation = ? AND negotiation <> '' ORDER BY idx LIMIT ?`
	entriesOfNegotiationAlone = `SELECT idx FROM ledger_entries WHERE negotiation = ? AND negotiation <> '' AND transfer = '' ORDER BY idx LIMIT ?`
	entriesOfTransfer         = `SELECT idx FROM ledger_entries WHERE transfer = ? AND transfer <> '' ORDER BY idx LIMIT ?`
)

// indexes lists the own receipts that the request is about, in order.
func (l *Log) indexes(ctx context.Context, q ExportRequest, agreement string) ([]int64, error) {
	set := map[int64]bool{}
	for _, i := range q.Indexes {
		set[i] = true
	}
	err := l.db.Read(ctx, func(tx *store.Tx) error {
		find := func(query, id string) error {
			if id == "" || len(set) > maxExport {
				return nil
			}
			rows, err := tx.Query(ctx, query, id, maxExport+1)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var i int64
				if err := rows.Scan(&i); err != nil {
					return err
				}
				set[i] = true
			}
			return rows.Err()
		}
		var err error
		switch {
		case q.Part == nil && !q.Answer:
			err = errors.Join(find(entriesOfAgreement, agreement), find(entriesOfNegotiation, q.Negotiation))
		case !q.Answer || q.Base:
			err = errors.Join(find(entriesOfNoTransfer, agreement), find(entriesOfNegotiationAlone, q.Negotiation))
		}
		for _, t := range q.Transfers {
			err = errors.Join(err, find(entriesOfTransfer, t))
		}
		return err
	})
	if err == nil && len(set) > maxExport {
		err = tooMany()
	}
	return sortedKeys(set), err
}

func (l *Log) openings(ctx context.Context, index int64) ([]verify.Opening, error) {
	list := []verify.Opening{}
	err := l.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT name, salt, value FROM ledger_salts WHERE idx = ? ORDER BY name`, index)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var salt, value []byte
			if err := rows.Scan(&name, &salt, &value); err != nil {
				return err
			}
			list = append(list, verify.NewOpening(name, salt, value))
		}
		return rows.Err()
	})
	return list, err
}

// theirReceipts are those of others in a bundle.
func (l *Log) theirReceipts(ctx context.Context, q ExportRequest, agreement string) ([]verify.FileReceipt, error) {
	about := receiptsOfPeer
	if q.Part != nil {
		about = receiptsOfNoTransfer
	}
	list, err := l.peerReceipts(ctx, about, q.Matter, agreement, maxExport+1)
	for _, t := range q.Theirs {
		if err != nil {
			return nil, err
		}
		var more []verify.FileReceipt
		more, err = l.peerReceipts(ctx, receiptsOfTransfer, agreement, t, maxExport+1)
		list = append(list, more...)
	}
	if err == nil && len(list) > maxExport {
		err = tooMany()
	}
	slices.SortFunc(list, func(a, b verify.FileReceipt) int {
		return cmp.Or(cmp.Compare(a.Log, b.Log), cmp.Compare(a.Index, b.Index))
	})
	return list, err
}

const (
	receiptsOfPeer = `SELECT origin, idx, entry, proof FROM ledger_peer_receipts
		WHERE matter = ? AND matter <> '' OR agreement = ? AND agreement <> '' LIMIT ?`
	receiptsOfNoTransfer = `SELECT origin, idx, entry, proof FROM ledger_peer_receipts
		WHERE (matter = ? AND matter <> '' OR agreement = ? AND agreement <> '') AND transfer = '' LIMIT ?`
	receiptsOfTransfer = `SELECT origin, idx, entry, proof FROM ledger_peer_receipts
		WHERE agreement = ? AND agreement <> '' AND transfer = ? LIMIT ?`
)

func (l *Log) peerReceipts(ctx context.Context, query, first, second string, most int) ([]verify.FileReceipt, error) {
	var list []verify.FileReceipt
	err := l.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, query, first, second, most)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			r := verify.FileReceipt{Openings: []verify.Opening{}}
			var entry, proof []byte
			if err := rows.Scan(&r.Log, &r.Index, &entry, &proof); err != nil {
				return err
			}
			r.Leaf, r.Proof = entry, string(proof)
			list = append(list, r)
		}
		return rows.Err()
	})
	slices.SortFunc(list, func(a, b verify.FileReceipt) int {
		return cmp.Or(cmp.Compare(a.Log, b.Log), cmp.Compare(a.Index, b.Index))
	})
	return list, err
}

// PeerBodies gives what the receipts of others about an agreement say.
func (l *Log) PeerBodies(ctx context.Context, agreement string) ([]corridor.Receipt, error) {
	list, err := l.peerReceipts(ctx, receiptsOfPeer, "", agreement, maxExport)
	if err != nil {
		return nil, err
	}
	bodies := make([]corridor.Receipt, 0, len(list))
	for _, r := range list {
		leaf, err := corridor.DecodeReceipt(r.Leaf)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, leaf.Receipt)
	}
	return bodies, nil
}

func documents(docs map[string][]byte) ([]verify.FileKeys, error) {
	list := []verify.FileKeys{}
	for _, did := range sortedKeys(docs) {
		raw, err := corridor.Canonicalize(docs[did])
		if err != nil {
			return nil, corridor.E(corridor.Invalid, "DID document of %s: %w", did, err)
		}
		list = append(list, verify.FileKeys{DID: did, Document: raw})
	}
	return list, nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
