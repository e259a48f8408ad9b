package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// What authorities have signed goes into the proof of an agreement: the compact
// that it rests on and those that its transfers rest on, and the orders that
// stopped it or let it go on. Receipts quote them by digest; here they are kept
// under it for good, also when a later version has taken their place.

// document is one of them as it was signed.
type document struct {
	digest string
	doc    []byte
}

// behind is the order behind a stop, or a resumption, with the compact that
// names its authority, if one is known. As an error it says nothing: the refusal
// that it goes along with says all.
type behind struct {
	Order   string `json:"order"`
	Compact string `json:"compact"`
}

func (*behind) Error() string { return "" }

// orderBehind finds the order for which something is refused, or nil.
func orderBehind(refused error) *behind {
	var b *behind
	errors.As(refused, &b)
	return b
}

func (t *trust) behind(o order) *behind {
	under := o.under
	if under == "" {
		under = t.namer(o.Authority, o.signer)
	}
	return &behind{Order: o.digest, Compact: under}
}

// namer is the digest of a compact that gives an authority a key, or "".
func (t *trust) namer(authority, key string) string {
	for _, c := range t.compacts {
		for _, m := range c.Members {
			if m.ID == authority && slices.ContainsFunc(m.Anchors, func(a corridor.Anchor) bool { return a.ID == key }) {
				return c.digest
			}
		}
	}
	return ""
}

// liftOf finds the order that lifts one, or nil.
func (t *trust) liftOf(stop *behind) *behind {
	if stop == nil {
		return nil
	}
	for _, list := range t.orders {
		at := slices.IndexFunc(list, func(o order) bool { return o.digest == stop.Order })
		if at < 0 {
			continue
		}
		for _, o := range list {
			if o.Act == corridor.OrderLift && o.Lifts == list[at].Number {
				return t.behind(o)
			}
		}
	}
	return nil
}

func digestOfCompact(c *corridor.CompactRef) string {
	if c == nil {
		return ""
	}
	return c.Digest
}

// digests are what the receipt of an agreement that is made now names.
func (a *Agreement) digests() map[string]string {
	out := map[string]string{corridor.DigestAgreement: a.Digest}
	if a.under != "" {
		out[corridor.DigestCompact] = a.under
	}
	return out
}

// quoteAuthorities puts into a receipt what it rests on: of a start the
// compact, of a stop or a resumption the order. About an agreement no order is
// quoted whose authority nobody could know.
func (st *step) quoteAuthorities(r corridor.Receipt) corridor.Receipt {
	add := map[string]string{}
	switch r.Type {
	case corridor.ReceiptTransferStarted:
		if st.under != "" {
			add[corridor.DigestCompact] = st.under
		}
	case corridor.ReceiptTransferSuspended, corridor.ReceiptRefusal, corridor.ReceiptAgreementSuspended, corridor.ReceiptAgreementResumed:
		if st.stop == nil || st.stop.Compact == "" && r.Agreement != "" {
			break
		}
		if add[corridor.DigestOrder] = st.stop.Order; st.stop.Compact != "" {
			add[corridor.DigestCompact] = st.stop.Compact
		}
	}
	if len(add) > 0 {
		maps.Copy(add, r.Digests)
		r.Digests = add
	}
	return r
}

func keepDocuments(ctx context.Context, tx *store.Tx, list ...document) error {
	for _, d := range list {
		if _, err := tx.Exec(ctx, `INSERT INTO signed_documents (digest, doc) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING`, d.digest, string(d.doc)); err != nil {
			return fmt.Errorf("keep what an authority has signed: %w", err)
		}
	}
	return nil
}

// documents gives those of some digests that are known here.
func (s *Service) documents(ctx context.Context, digests []string) (map[string][]byte, error) {
	out := map[string][]byte{}
	if len(digests) == 0 {
		return out, nil
	}
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		for _, digest := range digests {
			var doc string
			err := tx.QueryRow(ctx, `SELECT doc FROM signed_documents WHERE digest = ?`, digest).Scan(&doc)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return fmt.Errorf("what an authority has signed: %w", err)
			}
			out[digest] = []byte(doc)
		}
		return nil
	})
	return out, err
}

// shownWith gives what a peer's receipts about an agreement quote of
// authorities and is not here yet, checked. Who quotes it shows it: receipts
// that cannot be explained are not kept, so that they spoil no proof.
func (s *Service) shownWith(ctx context.Context, agreement string, bodies []corridor.Receipt, file verify.File) ([]document, error) {
	quoted := map[string]corridor.Receipt{}
	for _, r := range bodies {
		for _, name := range []string{corridor.DigestCompact, corridor.DigestOrder} {
			if d := r.Digests[name]; d != "" && r.Agreement == agreement {
				quoted[d] = r
			}
		}
	}
	known, err := s.documents(ctx, slices.Sorted(maps.Keys(quoted)))
	if err != nil {
		return nil, err
	}
	var out []document
	take := func(digest string, raw []byte) {
		known[digest], out = raw, append(out, document{digest, raw})
	}
	for _, c := range file.Compacts { // first: they name the authorities
		if digest := c.Digest(); quoted[digest].Digests[corridor.DigestCompact] == digest && known[digest] == nil {
			raw, err := c.Encode()
			if err == nil {
				_, _, err = verify.Compact(raw)
			}
			if err != nil {
				return nil, fmt.Errorf("what %s shows: %w", quoted[digest].Issuer, err)
			}
			take(digest, raw)
		}
	}
	for _, o := range file.Orders {
		if digest := o.Digest(); quoted[digest].Digests[corridor.DigestOrder] == digest && known[digest] == nil {
			raw, err := orderUnder(o, known[quoted[digest].Digests[corridor.DigestCompact]])
			if err != nil {
				return nil, fmt.Errorf("what %s shows: %w", quoted[digest].Issuer, err)
			}
			take(digest, raw)
		}
	}
	for _, digest := range slices.Sorted(maps.Keys(quoted)) {
		if known[digest] == nil {
			return nil, &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("a receipt %s of %s quotes what an authority has signed and does not show it", quoted[digest].Type, quoted[digest].Issuer), Why: "digest " + digest,
				Fix: "the peer shows it with its receipts"}
		}
	}
	return out, nil
}

// orderUnder checks an order with the keys of a compact that was checked.
func orderUnder(o corridor.Sealed, compact []byte) ([]byte, error) {
	raw, err := o.Encode()
	if err != nil {
		return nil, err
	}
	if compact == nil {
		return nil, corridor.E(corridor.Unauthenticated, "an order is quoted without the compact that names its authority")
	}
	_, c, err := corridor.DecodeCompact(compact)
	if err == nil {
		_, _, err = verify.Order(raw, c.Members)
	}
	return raw, err
}
