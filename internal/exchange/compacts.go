package exchange

import (
	"context"
	"fmt"
	"slices"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// AdoptedCompact is a compact as this node holds it.
type AdoptedCompact struct {
	ID         string            `json:"id"`
	Version    int64             `json:"version"`
	Title      string            `json:"title"`
	Digest     string            `json:"digest"`
	Members    []string          `json:"members"` // jurisdictions
	Opens      []corridor.Opened `json:"opens"`
	Packs      map[string]string `json:"packs"`              // digests of the rule packs that it names, by pack
	Liveness   string            `json:"liveness,omitempty"` // what a log must have of a transfer before data goes
	ValidFrom  string            `json:"valid_from"`
	ValidUntil string            `json:"valid_until"`
	InForce    bool              `json:"in_force"`
	Why        string            `json:"why,omitempty"` // it is not
}

// AdoptCompact takes in a compact that all its members have signed. The
// operator vouches for the keys of a first version; a later one must also be
// signed, by each member that stays, with a key of the version before.
func (s *Service) AdoptCompact(ctx context.Context, raw []byte) (AdoptedCompact, error) {
	sealed, c, err := verify.Compact(raw)
	if err != nil {
		return AdoptedCompact{}, err
	}
	if _, ours := c.Member(s.cfg.Self.Jurisdiction); !ours {
		return AdoptedCompact{}, &corridor.Error{Kind: corridor.Invalid, Where: c.Name(), Msg: "the authority of " + s.cfg.Self.Jurisdiction + " is not a member of it", Fix: "a node adopts compacts of its own country"}
	}
	if err := s.notToCome(c.Name(), c.Issued); err != nil {
		return AdoptedCompact{}, err
	}
	digest := sealed.Digest()
	err = s.changeTrust(ctx, func(tx *store.Tx) ([]receipt, []corridor.Target, error) {
		t, err := readTrust(ctx, tx)
		if err != nil {
			return nil, nil, err
		}
		if known, err := follows(t, sealed, c); known || err != nil {
			return nil, nil, err
		}
		if err := sameAuthorities(t, c); err != nil {
			return nil, nil, err
		}
		_, err = tx.Exec(ctx, `INSERT INTO compacts (id, version, digest, doc) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET version = excluded.version, digest = excluded.digest, doc = excluded.doc`, c.ID, c.Version, digest, string(raw))
		if err == nil {
			err = holdDocuments(ctx, tx, document{digest, raw})
		}
		return []receipt{{body: corridor.Receipt{Type: corridor.ReceiptCompactAdopted, State: "adopted", Reason: c.Name() + ": " + c.Title, Digests: map[string]string{corridor.DigestCompact: digest}}}},
			[]corridor.Target{{}}, err
	})
	if err != nil {
		return AdoptedCompact{}, err
	}
	s.feedsChanged()
	return s.adoptedCompact(compact{c, digest, raw}), nil
}

func (s *Service) notToCome(what, issued string) error {
	t, err := corridor.ParseMoment(issued)
	if err == nil && t.After(s.now().Add(corridor.ClockSkew)) {
		err = &corridor.Error{Kind: corridor.Invalid, Where: "issued", Msg: what + " is dated " + issued + ", which is to come", Fix: "compare the clocks"}
	}
	return err
}

// follows says whether a compact is known already, or may not take the place
// of the one that is.
func follows(t *trust, sealed corridor.Sealed, c corridor.Compact) (known bool, err error) {
	at := slices.IndexFunc(t.compacts, func(have compact) bool { return have.ID == c.ID })
	if at < 0 {
		return false, nil
	}
	have := t.compacts[at]
	switch {
	case have.digest == sealed.Digest():
		return true, nil
	case c.Version <= have.Version:
		return false, &corridor.Error{Kind: corridor.Conflict, Where: "compact.version", Msg: fmt.Sprintf("version %d does not come after version %d, which is adopted", c.Version, have.Version),
			Fix: "a change of a compact is a new version, signed by all"}
	}
	for _, m := range have.Members {
		if _, stays := c.Member(m.Jurisdiction); !stays {
			continue
		}
		if !slices.ContainsFunc(m.Anchors, func(a corridor.Anchor) bool { return signedBy(sealed, a) }) {
			return false, &corridor.Error{Kind: corridor.Unauthenticated, Where: c.Name(), Msg: "the authority of " + m.Jurisdiction + " has not signed it with a key of version " + fmt.Sprint(have.Version),
				Why: "who has changed keys signs with both", Fix: "let it sign with the old key too"}
		}
	}
	return false, nil
}

// signedBy says whether the signature of an anchor stands in a document, and is
// right.
func signedBy(doc corridor.Sealed, a corridor.Anchor) bool {
	key, err := verify.ParseJWK(a.ID, a.JWK)
	return err == nil && slices.ContainsFunc(doc.Signatures, func(sig corridor.Signature) bool {
		return sig.Key == a.ID && key.VerifySignature(doc.Body, sig) == nil
	})
}

// sameAuthorities refuses a compact in which an authority that is known from
// another compact has other keys, or another country.
func sameAuthorities(t *trust, c corridor.Compact) error {
	for _, have := range t.compacts {
		if have.ID == c.ID {
			continue
		}
		for _, m := range c.Members {
			at := slices.IndexFunc(have.Members, func(o corridor.Authority) bool { return o.ID == m.ID || o.Jurisdiction == m.Jurisdiction })
			if at < 0 {
				continue
			}
			o := have.Members[at]
			if o.ID != m.ID || o.Jurisdiction != m.Jurisdiction || !slices.EqualFunc(o.Anchors, m.Anchors, func(a, b corridor.Anchor) bool { return a.ID == b.ID && string(a.JWK) == string(b.JWK) }) {
				return &corridor.Error{Kind: corridor.Conflict, Where: c.Name(), Msg: "the authority of " + m.Jurisdiction + " has other keys there than in " + have.Name(),
					Why: "a node knows one authority of a country", Fix: "withdraw the one, or let both name the same keys"}
			}
		}
	}
	return nil
}

// WithdrawCompact takes a compact out of use, by the operator's word. Orders
// that were taken under it stay in effect; they can be lifted when the compact
// is adopted again.
func (s *Service) WithdrawCompact(ctx context.Context, id string) (AdoptedCompact, error) {
	var gone AdoptedCompact
	err := s.changeTrust(ctx, func(tx *store.Tx) ([]receipt, []corridor.Target, error) {
		t, err := readTrust(ctx, tx)
		if err != nil {
			return nil, nil, err
		}
		at := slices.IndexFunc(t.compacts, func(c compact) bool { return c.ID == id })
		if at < 0 {
			return nil, nil, noSuch("compact", id)
		}
		c := t.compacts[at]
		gone = s.adoptedCompact(c)
		gone.InForce, gone.Why = false, "withdrawn by the operator"
		_, err = tx.Exec(ctx, `DELETE FROM compacts WHERE id = ?`, id)
		return []receipt{{body: corridor.Receipt{Type: corridor.ReceiptCompactWithdrawn, State: "withdrawn", Reason: c.Name() + ": " + c.Title, Digests: map[string]string{corridor.DigestCompact: c.digest}}}},
			[]corridor.Target{{}}, err
	})
	return gone, err
}

// Compacts lists what this node has adopted.
func (s *Service) Compacts() []AdoptedCompact {
	out := []AdoptedCompact{}
	for _, c := range s.trust.Load().compacts {
		out = append(out, s.adoptedCompact(c))
	}
	return out
}

func (s *Service) adoptedCompact(c compact) AdoptedCompact {
	out := AdoptedCompact{ID: c.ID, Version: c.Version, Title: c.Title, Digest: c.digest, Members: []string{}, Opens: c.Opens, Packs: c.Packs, Liveness: c.Liveness, ValidFrom: c.ValidFrom, ValidUntil: c.ValidUntil, InForce: true}
	for _, m := range c.Members {
		out.Members = append(out.Members, m.Jurisdiction)
	}
	if err := c.InForce(s.now()); err != nil {
		_, reason, _ := explain(err)
		out.InForce, out.Why = false, reason[0]
	}
	return out
}
