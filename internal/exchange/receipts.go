package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/ledger"
	"corridor/internal/plane"
	"corridor/internal/store"
	"corridor/verify"
)

// ReceiptsPath is where the parties of an agreement fetch each other's
// receipts, below the DSP base.
func ReceiptsPath(agreement string) string { return "/corridor/receipts/" + url.PathEscape(agreement) }

// receiptsOf is where those of some transfers are: what is asked for at the end
// of each must not grow with the transfers of an agreement. The part names them
// as the peer does; base adds what belongs to no transfer.
func receiptsOf(agreement string, p Part, base bool) string {
	q := url.Values{}
	if p.Transfer != "" {
		q.Set("transfer", p.Transfer)
	}
	if p.From != 0 {
		q.Set("from", strconv.FormatInt(p.From, 10))
		q.Set("to", strconv.FormatInt(p.To, 10))
	}
	if base {
		q.Set("agreement", "true")
	}
	return ReceiptsPath(agreement) + "?" + q.Encode()
}

// Part is some of what was done under an agreement: one transfer, or some
// increments of one that goes on. The zero Part is all.
type Part struct {
	Transfer string // our name for it
	From, To int64  // increments; none: all there are
}

// transfers are the names, of ours or of the peer's, that a part stands for.
func (p Part) transfers(of string) []string {
	list := []string{of}
	for n := p.From; n != 0 && n <= p.To; n++ {
		list = append(list, incrementPID(of, n))
	}
	return list
}

func (p Part) check() error {
	switch {
	case p.From == 0 && p.To == 0:
		return nil
	case p.Transfer == "":
		return &corridor.Error{Kind: corridor.Invalid, Where: "transfer", Msg: "is missing", Fix: "name the transfer of whose increments some are wanted"}
	case p.From < 1 || p.To < p.From || p.To > MaxIncrements:
		return &corridor.Error{Kind: corridor.Invalid, Where: "from, to", Msg: fmt.Sprintf("%d to %d are no increments", p.From, p.To), Fix: "count from 1, and give the first before the last"}
	}
	return nil
}

// partIn finds the transfer of a part, and its first and last increment where
// it goes on.
func (s *Service) partIn(ctx context.Context, agreement string, p Part) (t Transfer, out Part, err error) {
	if err := p.check(); err != nil {
		return t, p, err
	}
	t, err = s.TransferByPID(ctx, p.Transfer)
	if err == nil && t.Agreement != agreement {
		err = noSuch("transfer", p.Transfer)
	}
	if err == nil && t.PartOf != "" && p.From == 0 { // one increment, by its own name
		p = Part{t.PartOf, t.Number, t.Number}
		t, err = s.TransferByPID(ctx, t.PartOf)
	}
	switch {
	case err != nil:
		return t, p, err
	case !t.growing() && p.From != 0:
		return t, p, &corridor.Error{Kind: corridor.Invalid, Where: "from, to", Msg: "the transfer has no increments", Fix: "leave them out"}
	case p.From > t.Increments:
		return t, p, &corridor.Error{Kind: corridor.Invalid, Where: "from", Msg: fmt.Sprintf("the transfer has %d increments", t.Increments), Fix: "count from 1"}
	case p.From == 0 && t.Increments > 0:
		p.From, p.To = 1, t.Increments
	}
	p.To = min(p.To, t.Increments)
	return t, p, p.check()
}

// maxReceipts bounds a peer's answer: a bundle of all receipts of one
// agreement, with proofs.
const maxReceipts = 32 << 20

// Receipts gives the other party of an agreement what our log holds about it,
// each receipt with its proof, in the form of a bundle; or, if a transfer is
// named by our identifier, about that part alone, with what belongs to no
// transfer if base says so, or about that alone. What commitments hide stays hidden.
func (s *Service) Receipts(ctx context.Context, c identity.Caller, agreement string, p Part, base bool) ([]byte, error) {
	a, err := s.Agreement(ctx, agreement)
	if err != nil {
		return nil, err
	}
	if a.Peer != c.DID {
		return nil, noSuch("agreement", agreement)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if p.Transfer == "" && !base {
		return s.export(ctx, a, Part{}, false)
	}
	var transfers []string
	if p.Transfer != "" {
		t, err := s.transfer(ctx, p.Transfer)
		if err != nil {
			return nil, err
		}
		if t.Agreement != a.ID {
			return nil, noSuch("transfer", p.Transfer)
		}
		transfers = p.transfers(p.Transfer)
	}
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil {
		return nil, err
	}
	return s.cfg.Ledger.Export(ctx, ledger.ExportRequest{By: s.cfg.Self.DID, Agreement: &signed, Negotiation: a.Negotiation, Transfers: transfers, Answer: true, Base: base,
		Logs: s.logsOf(ctx, a), Signed: s.documents})
}

func (s *Service) export(ctx context.Context, a Agreement, p Part, open bool) ([]byte, error) {
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil {
		return nil, err
	}
	q := ledger.ExportRequest{By: s.cfg.Self.DID, Agreement: &signed, Negotiation: a.Negotiation, Matter: a.ID, Logs: s.logsOf(ctx, a), Validations: a.Validations, Signed: s.documents, Open: open}
	if q.Transfers, q.Theirs, err = s.transfersOf(ctx, a.ID, p); err != nil {
		return nil, err
	}
	if p != (Part{}) {
		q.Part = &verify.Part{Transfer: p.Transfer, From: p.From, To: p.To}
	}
	q.Documents = map[string][]byte{}
	for _, did := range documented(s.cfg.Self.DID, a) {
		if did == a.Peer && a.DecidedBy != "" { // a plain peer has signed nothing
			continue
		}
		doc, err := s.cfg.Resolver.Resolve(ctx, did)
		if err != nil {
			if did != s.cfg.Self.DID && !open { // the peer knows its own keys
				continue
			}
			return nil, err
		}
		if q.Documents[did], err = json.Marshal(doc); err != nil {
			return nil, corridor.E(corridor.Internal, "DID document: %w", err)
		}
	}
	return s.cfg.Ledger.Export(ctx, q)
}

// documented lists whose DID documents belong into the proof of an agreement:
// the parties, and trust services under DIDs of their own.
func documented(self string, a Agreement) []string {
	owners := []string{self, a.Peer}
	for _, v := range a.Validations {
		if service, _, err := identity.SplitKeyID(v.Signature.Key); err == nil && !slices.Contains(owners, service) {
			owners = append(owners, service)
		}
	}
	return owners
}

// logsOf names the log of the peer, where the agreement does not.
func (s *Service) logsOf(ctx context.Context, a Agreement) map[string]corridor.LogRef {
	out := map[string]corridor.LogRef{}
	if p, err := s.cfg.Directory.Lookup(ctx, a.Peer); err == nil {
		if ref, ok := logOf(p); ok {
			out[a.Peer] = ref
		}
	}
	return out
}

// transfersOf names the transfers of an agreement, or those of a part of it by
// both names.
func (s *Service) transfersOf(ctx context.Context, agreement string, p Part) (pids, theirs []string, err error) {
	if p != (Part{}) {
		t, err := s.transfer(ctx, p.Transfer)
		if t.PeerPID == "" {
			return p.transfers(t.PID), nil, err
		}
		return p.transfers(t.PID), p.transfers(t.PeerPID), err
	}
	const most = 1000
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT pid FROM transfers WHERE agreement = ? AND part_of = '' ORDER BY pid LIMIT ?`, agreement, most)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var pid string
			if err := rows.Scan(&pid); err != nil {
				return err
			}
			pids = append(pids, pid)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, nil, fmt.Errorf("transfers of %s: %w", agreement, err)
	}
	return pids, nil, nil
}

// peerReceipts fetches and checks what the peer's log holds about an
// agreement: form, signature, and inclusion under a checkpoint of the log that
// the agreement names. The step keeps it, with what it quotes of authorities.
// The path says whether it is all or that of one transfer.
func (s *Service) peerReceipts(ctx context.Context, a Agreement, path string) (*step, []corridor.Receipt, error) {
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil {
		return nil, nil, err
	}
	log, known := signed.Body.Logs[a.Peer]
	if a.DecidedBy != "" {
		return nil, nil, corridor.E(corridor.NotFound, "%s speaks the Dataspace Protocol only and writes no log", a.Peer)
	}
	if !known {
		if log, known = s.logsOf(ctx, a)[a.Peer]; !known {
			return nil, nil, corridor.E(corridor.NotFound, "it is not known which log %s writes", a.Peer)
		}
	}
	reply, err := s.receipts.Get(ctx, dsp.Peer{ID: a.Peer, Base: a.Callback}, path)
	if err != nil {
		return nil, nil, err
	}
	var file verify.File
	if err := corridor.CheckCanonical(reply.Body); err != nil {
		return nil, nil, fmt.Errorf("receipts of %s: %w", a.Peer, err)
	}
	if err := json.Unmarshal(reply.Body, &file); err != nil {
		return nil, nil, corridor.E(corridor.Invalid, "receipts of %s: %w", a.Peer, err)
	}
	var list []ledger.PeerReceipt
	var bodies []corridor.Receipt
	for _, r := range file.Receipts {
		if r.Log != log.Origin {
			continue
		}
		leaf, err := corridor.DecodeReceipt(r.Leaf)
		if err != nil {
			return nil, nil, err
		}
		key, err := s.cfg.Resolver.Key(ctx, leaf.Signature.Key, identity.AssertionMethod)
		if err != nil {
			return nil, nil, err
		}
		p := ledger.PeerReceipt{Index: r.Index, Entry: r.Leaf, Proof: []byte(r.Proof), Log: log, Key: key, Issuer: a.Peer, Matter: a.ID, Unverified: !s.relies(key.Suite)}
		body, _, err := ledger.CheckPeerReceipt(p)
		if err != nil {
			return nil, nil, fmt.Errorf("receipt %d of %s: %w", r.Index, log.Origin, err)
		}
		list, bodies = append(list, p), append(bodies, body)
	}
	if err := s.watch(ctx, a, log, list); err != nil {
		return nil, nil, err
	}
	documents, err := s.shownWith(ctx, a, bodies, file)
	return &step{peers: list, signed: append(documents, s.witnessedShown(list, bodies, file)...)}, bodies, err
}

// gather fetches the peer's receipts and keeps them.
func (s *Service) gather(ctx context.Context, a Agreement, path string) error {
	if a.DecidedBy != "" { // a plain peer writes none
		return nil
	}
	st, _, err := s.peerReceipts(ctx, a, path)
	if err != nil {
		return err
	}
	return s.commit(ctx, st)
}

// learn gathers the peer's receipts of a transfer in the background, while the
// peer is there; Bundle does it again, of all. Of an increment only its own are
// gathered.
func (s *Service) learn(t *Transfer) {
	path := receiptsOf(t.Agreement, Part{Transfer: t.PeerPID}, t.PartOf == "")
	s.background(func(ctx context.Context) {
		a, err := s.Agreement(ctx, t.Agreement)
		if err == nil {
			err = s.gather(ctx, a, path)
		}
		if err != nil && ctx.Err() == nil {
			s.log.InfoContext(ctx, "the peer's receipts could not be fetched yet", "agreement", t.Agreement, "error", err)
		}
	})
}

// background runs something that may be lost at a crash.
func (s *Service) background(f func(context.Context)) {
	select {
	case s.side <- f:
	default: // busy: it was only for convenience
	}
}

// receiptOf finds the peer's receipt of the other end of a transfer, and keeps
// it: the provider's of the release of what we received, or the consumer's of
// the arrival of what we pushed. Each writes it before it says that it is done;
// if it is not there, or speaks of other bytes, these are not the same bytes.
// A peer that keeps no such log is taken at its stream's word. Of an increment
// the receipt tells how many rows it has: a push does not.
func (s *Service) receiptOf(ctx context.Context, t *Transfer, kind string, r plane.Result) (ref *corridor.ReceiptRef, rows int64, err error) {
	a, err := s.Agreement(ctx, t.Agreement)
	if err != nil {
		return nil, 0, err
	}
	for attempt := time.Duration(1); ; attempt *= 2 {
		ref, rows, err := s.receiptNow(ctx, a, t, kind, r)
		if corridor.KindOf(err) == corridor.NotFound {
			return nil, 0, nil
		}
		if err == nil || ref != nil || errors.Is(err, errNoSuchReceipt) || dsp.Permanent(err) || attempt > 64 {
			return ref, rows, err
		}
		pause := time.NewTimer(attempt * 200 * time.Millisecond)
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil, 0, ctx.Err()
		case <-pause.C:
		}
	}
}

// errNoSuchReceipt says that a peer's log was read and does not hold a receipt.
var errNoSuchReceipt = errors.New("")

// receiptNow asks the peer for it once.
func (s *Service) receiptNow(ctx context.Context, a Agreement, t *Transfer, kind string, r plane.Result) (ref *corridor.ReceiptRef, rows int64, err error) {
	st, bodies, err := s.peerReceipts(ctx, a, receiptsOf(a.ID, Part{Transfer: t.PeerPID}, false))
	if err != nil {
		return nil, 0, err
	}
	for i, body := range bodies {
		if body.Type != kind || body.Transfer != t.PeerPID || body.Digests["content"] != r.SHA256 {
			continue
		}
		p := st.peers[i]
		ref = &corridor.ReceiptRef{Origin: p.Log.Origin, Index: p.Index, Leaf: corridor.LeafHash(p.Entry)}
		if body.Increment != nil {
			rows = body.Increment.Rows
		}
		return ref, rows, s.commit(ctx, st)
	}
	return nil, 0, &corridor.Error{Kind: corridor.Conflict, Msg: "the peer's log holds no receipt " + kind + " for the bytes of this transfer", Why: "digest " + r.SHA256, Err: errNoSuchReceipt}
}

// Logged is one entry of this node's log with its proof.
type Logged struct {
	Log   string          `json:"log"`  // origin
	VKey  string          `json:"vkey"` // of the log
	Index int64           `json:"index"`
	Leaf  json.RawMessage `json:"leaf"`  // corridor.Leaf: the exact entry
	Proof string          `json:"proof"` // tlog-proof text
}

// Logged gives one entry of this node's log, for its operator.
func (s *Service) Logged(ctx context.Context, index int64) (Logged, error) {
	entry, err := s.cfg.Ledger.Receipt(ctx, index)
	if err != nil {
		return Logged{}, err
	}
	proof, err := s.cfg.Ledger.Proof(ctx, index)
	if err != nil {
		return Logged{}, err
	}
	return Logged{Log: s.cfg.Ledger.Origin(), VKey: s.cfg.Ledger.VKey(), Index: index, Leaf: entry, Proof: string(proof)}, nil
}

// COSE gives the COSE receipt (RFC 9942) of one entry of this node's log.
func (s *Service) COSE(ctx context.Context, index int64) ([]byte, error) {
	return s.cfg.Ledger.COSE(ctx, index)
}

// Bundle writes the proof of one agreement: the agreement, the receipts of
// both sides with their proofs, keys and policy. It is checked the way a
// regulator would before it is handed out.
func (s *Service) Bundle(ctx context.Context, agreement string) ([]byte, error) {
	return s.BundleOf(ctx, agreement, Part{})
}

// BundleOf writes the proof of a part alone, and the file says that it is one:
// the agreement, what belongs to no transfer, and the transfer.
func (s *Service) BundleOf(ctx context.Context, agreement string, p Part) ([]byte, error) {
	a, err := s.Agreement(ctx, agreement)
	if err != nil {
		return nil, err
	}
	path := ReceiptsPath(a.ID)
	if p != (Part{}) {
		var t Transfer
		if t, p, err = s.partIn(ctx, a.ID, p); err != nil {
			return nil, err
		}
		theirs := Part{Transfer: t.PeerPID}
		if t.PeerPID != "" { // else it knows nothing of the transfer
			theirs.From, theirs.To = p.From, p.To
		}
		path = receiptsOf(a.ID, theirs, true)
	}
	if err := s.gather(ctx, a, path); err != nil {
		s.log.WarnContext(ctx, "the bundle has only the receipts of the peer that are already here", "agreement", agreement, "error", err)
	}
	raw, err := s.export(ctx, a, p, true)
	if err != nil {
		return nil, err
	}
	report := verify.Bundle(raw, verify.Options{Without: s.unverified()})
	if !report.OK {
		var failed []error
		for _, c := range report.Checks {
			if !c.OK {
				failed = append(failed, corridor.E(corridor.Internal, "%s: %s", c.What, c.Detail))
			}
		}
		return nil, &corridor.Error{Kind: corridor.Internal, Msg: "the bundle does not verify", Err: errors.Join(failed...)}
	}
	return raw, nil
}
