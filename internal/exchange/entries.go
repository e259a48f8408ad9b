package exchange

import (
	"context"
	"fmt"

	"corridor"
	"corridor/internal/identity"
	"corridor/internal/ledger"
	"corridor/internal/store"
)

// append writes the receipts of this step, and those of the peer that it
// rests on.
func (s *Service) append(ctx context.Context, tx *store.Tx, st *step) ([]corridor.ReceiptRef, error) {
	refs, err := s.appendOwn(ctx, tx, st)
	if err != nil {
		return nil, err
	}
	for i, ref := range refs {
		if st.receipts[i].note != nil {
			st.receipts[i].note(ref)
		}
	}
	for _, p := range st.peers {
		if _, err := s.cfg.Ledger.StorePeerReceipt(ctx, tx, p); err != nil {
			return nil, fmt.Errorf("receipt of the peer: %w", err)
		}
	}
	return refs, keepDocuments(ctx, tx, st.signed...)
}

func (s *Service) appendOwn(ctx context.Context, tx *store.Tx, st *step) (refs []corridor.ReceiptRef, err error) {
	if len(st.entries) > 0 {
		if refs, err = s.cfg.Ledger.Add(ctx, tx, st.entries...); err != nil {
			return nil, fmt.Errorf("receipts: %w", err)
		}
		st.follow(refs[len(refs)-1].Leaf)
		return refs, nil
	}
	for i := range st.receipts {
		r := s.complete(st, st.receipts[i].body)
		var err error
		if r.PeerCheckpoint, err = s.shown(ctx, tx, r); err != nil {
			return nil, err
		}
		ref, err := s.cfg.Ledger.Append(ctx, tx, r, identity.Present(s.cfg.Signer), st.receipts[i].secrets...)
		if err != nil {
			return nil, fmt.Errorf("receipt %s: %w", r.Type, err)
		}
		st.follow(ref.Leaf)
		refs = append(refs, ref)
	}
	return refs, nil
}

// follow lets the next receipt on this matter name the last one.
func (st *step) follow(leaf string) {
	switch {
	case st.tr != nil:
		st.tr.Prev = leaf
	case st.neg != nil:
		st.neg.Prev = leaf
	}
}

// sealReceipts signs the receipts of a step before its transaction, where it
// is known which receipt each of them follows: signing under the write lock
// makes all others wait. If the record moves meanwhile the step fails, and they
// are thrown away with it.
func (s *Service) sealReceipts(ctx context.Context, st *step) error {
	prev, known := st.previous()
	if !known || len(st.receipts) == 0 {
		return nil
	}
	checkpoint, err := s.shownTo(ctx, st)
	if err != nil {
		return err
	}
	st.entries = make([]ledger.Entry, len(st.receipts))
	for i, r := range st.receipts {
		body := s.complete(st, r.body)
		body.Prev = prev
		if len(body.PeerRefs) > 0 {
			body.PeerCheckpoint = checkpoint
		}
		e, err := s.cfg.Ledger.Prepare(ctx, body, identity.Present(s.cfg.Signer), r.secrets...)
		if err != nil {
			return fmt.Errorf("receipt %s: %w", body.Type, err)
		}
		st.entries[i], prev = e, e.Leaf
	}
	return nil
}

// shownTo reads the newest checkpoint of the peer's log, if a receipt of the step
// quotes that log. All of them speak of one peer.
func (s *Service) shownTo(ctx context.Context, st *step) (checkpoint string, err error) {
	for _, r := range st.receipts {
		body := s.complete(st, r.body)
		if len(body.PeerRefs) == 0 || body.Peer == "" {
			continue
		}
		err = s.db.Read(ctx, func(tx *store.Tx) error {
			checkpoint, err = s.shown(ctx, tx, body)
			return err
		})
		break
	}
	return checkpoint, err
}

// previous gives the receipt that the first one of a step follows, if the
// record says so: "" for the first of all on a matter.
func (st *step) previous() (prev string, known bool) {
	switch {
	case st.tr != nil:
		return st.tr.Prev, st.tr.Prev != ""
	case st.neg != nil:
		return st.neg.Prev, st.neg.Prev != "" || st.neg.version == 0
	}
	return "", false
}

// told is what a receipt says of an increment.
func (t *Transfer) told(kind string) *corridor.Increment {
	if t.PartOf == "" {
		return nil
	}
	i := &corridor.Increment{Number: t.Number}
	switch kind {
	case corridor.ReceiptTransferReleased, corridor.ReceiptTransferReceived, corridor.ReceiptTransferAcknowledged:
		i.Bytes, i.Rows = t.Bytes, t.Rows
	}
	return i
}

// complete fills in what every receipt of a step has in common.
func (s *Service) complete(st *step, r corridor.Receipt) corridor.Receipt {
	r.Version, r.Issuer = 1, s.cfg.Self.DID
	if n := st.neg; n != nil {
		r.Peer, r.Dataset, r.Negotiation = n.Peer, n.Dataset, n.PID
		if r.Agreement == "" {
			r.Agreement = n.Agreement
		}
		if st.tr == nil {
			r.Prev = n.Prev
		}
	}
	if t := st.tr; t != nil {
		r.Peer, r.Dataset, r.Agreement, r.Transfer, r.Negotiation = t.Peer, t.Dataset, t.Agreement, t.PID, t.Negotiation
		r.Prev = t.Prev
		r.Increment = t.told(r.Type)
	}
	return st.quoteAuthorities(r)
}
