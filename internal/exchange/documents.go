package exchange

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"corridor"
	"corridor/internal/ledger"
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
	for name, d := range a.admitted {
		out[name] = d.digest
	}
	return out
}

// makes puts into a step an agreement that is made in it, with what its receipt
// quotes.
func (s *Service) makes(st *step, a *Agreement) error {
	st.agr = a
	if a.under == "" {
		return nil
	}
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil {
		return err
	}
	if a.admitted, err = s.trust.Load().admittedTo(signed.Body, s.now()); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(a.admitted)) {
		st.signed = append(st.signed, a.admitted[name])
	}
	return nil
}

// admittedTo gives the admissions of the parties of an agreement that are in
// force, by the name of the digest that quotes them. Of one that no key of the
// agreement's compact has signed, no reader of the proof would know the
// authority: it is not quoted.
func (t *trust) admittedTo(a corridor.Agreement, at time.Time) (map[string]document, error) {
	i := slices.IndexFunc(t.compacts, func(c compact) bool { return c.digest == digestOfCompact(a.Compact) })
	if i < 0 {
		return nil, nil
	}
	out := map[string]document{}
	for name, p := range map[string]corridor.Participant{corridor.DigestProviderAdmission: a.Provider, corridor.DigestConsumerAdmission: a.Consumer} {
		have := t.admitted(p.Jurisdiction, p.DID)
		m, member := t.compacts[i].Member(p.Jurisdiction)
		if have.Number == 0 || !member || have.Holds(at) != nil || verify.AuthoritySigned(have.sealed, m, have.Authority, have.Jurisdiction) != nil {
			continue
		}
		raw, err := have.sealed.Encode()
		if err != nil {
			return nil, err
		}
		out[name] = document{have.sealed.Digest(), raw}
	}
	if len(out) == 1 { // the other cannot be shown: who reads the proof would take it for one that was not there
		return nil, nil
	}
	return out, nil
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

// keepDocuments keeps what a peer has shown, or what is here already.
func keepDocuments(ctx context.Context, tx *store.Tx, list ...document) error {
	return putDocuments(ctx, tx, `INSERT INTO signed_documents (digest, doc) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING`, list)
}

// holdDocuments keeps what this node itself has adopted or taken. Its digest is
// of its text alone: what a peer showed before may have other signatures.
func holdDocuments(ctx context.Context, tx *store.Tx, list ...document) error {
	return putDocuments(ctx, tx, `INSERT INTO signed_documents (digest, doc) VALUES (?, ?) ON CONFLICT (digest) DO UPDATE SET doc = excluded.doc`, list)
}

func putDocuments(ctx context.Context, tx *store.Tx, statement string, list []document) error {
	for _, d := range list {
		if _, err := tx.Exec(ctx, statement, d.digest, string(d.doc)); err != nil {
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
func (s *Service) shownWith(ctx context.Context, a Agreement, bodies []corridor.Receipt, file verify.File) ([]document, error) {
	quoted := map[string]corridor.Receipt{}
	for _, r := range bodies {
		for _, name := range ledger.QuotedSigned(r) {
			if r.Agreement == a.ID {
				quoted[r.Digests[name]] = r
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
	if len(quoted) == 0 {
		return nil, nil
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
	for _, o := range file.Admissions {
		if digest := o.Digest(); isAdmission(quoted[digest], digest) && known[digest] == nil {
			raw, err := o.Encode()
			if err != nil {
				return nil, fmt.Errorf("what %s shows: %w", quoted[digest].Issuer, err)
			}
			take(digest, raw) // checked below, with those that are known
		}
	}
	if err := asQuoted(a, bodies, known); err != nil {
		return nil, err
	}
	for _, digest := range slices.Sorted(maps.Keys(quoted)) {
		if known[digest] == nil {
			return nil, &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("a receipt %s of %s quotes what an authority has signed and does not show it", quoted[digest].Type, quoted[digest].Issuer), Why: "digest " + digest,
				Fix: "the peer shows it with its receipts"}
		}
	}
	return out, s.fits(ctx, a, bodies, quoted, known)
}

// asQuoted refuses receipts that quote as one thing what is known to be another,
// such as an admission as an order.
func asQuoted(a Agreement, bodies []corridor.Receipt, known map[string][]byte) error {
	for _, r := range bodies {
		for _, name := range ledger.QuotedSigned(r) {
			raw := known[r.Digests[name]]
			if r.Agreement != a.ID || raw == nil {
				continue
			}
			var err error
			switch name {
			case corridor.DigestCompact:
				_, _, err = corridor.DecodeCompact(raw)
			case corridor.DigestOrder:
				_, _, err = corridor.DecodeOrder(raw)
			default:
				_, _, err = corridor.DecodeAdmission(raw)
			}
			if err != nil {
				return fmt.Errorf("what %s quotes as %s: %w", r.Issuer, name, err)
			}
		}
	}
	return nil
}

// fits refuses receipts by whose quotations the proof of an agreement would not
// hold: of a compact that has another authority where one is known, and of more
// than half of what a bundle takes. The other half is for what this node quotes.
func (s *Service) fits(ctx context.Context, a Agreement, bodies []corridor.Receipt, quoted map[string]corridor.Receipt, known map[string][]byte) error {
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil {
		return err
	}
	for _, r := range bodies {
		if r.Type == corridor.ReceiptAgreement && r.Agreement == a.ID {
			if err := admissionsFit(signed.Body, r, known); err != nil {
				return fmt.Errorf("what %s shows: %w", a.Peer, err)
			}
		}
	}
	t := s.trust.Load()
	ours, have := t.digests(), make([]corridor.Compact, 0, len(t.compacts)+1)
	for _, c := range t.compacts {
		have = append(have, c.Compact)
	}
	if ref := signed.Body.Compact; ref != nil {
		if have, err = s.addNamed(ctx, have, ref.Digest); err != nil {
			return err
		}
		ours[ref.Digest] = true
	}
	theirs := map[string]corridor.Receipt{}
	for d, r := range quoted {
		if !ours[d] {
			theirs[d] = r
		}
	}
	if len(theirs) == 0 {
		return nil
	}
	kept, err := s.cfg.Ledger.PeerBodies(ctx, a.ID)
	if err != nil {
		return err
	}
	if err := foreignAuthorities(have, theirs, known); err != nil {
		return fmt.Errorf("what %s shows: %w", a.Peer, err)
	}
	return roomFor(a, theirs, kept, ours)
}

// digests are those of the compacts and orders that this node holds.
func (t *trust) digests() map[string]bool {
	out := map[string]bool{}
	for _, c := range t.compacts {
		out[c.digest] = true
	}
	for _, list := range t.orders {
		for _, o := range list {
			out[o.digest] = true
		}
	}
	return out
}

// addNamed adds the compact that an agreement names, if it is known here.
func (s *Service) addNamed(ctx context.Context, have []corridor.Compact, digest string) ([]corridor.Compact, error) {
	docs, err := s.documents(ctx, []string{digest})
	if err != nil || docs[digest] == nil {
		return have, err
	}
	_, c, err := corridor.DecodeCompact(docs[digest])
	return append(have, c), err
}

// foreignAuthorities refuses a compact that names an authority, or one of a
// country, which is known here, and has it from no compact that is known.
func foreignAuthorities(have []corridor.Compact, quoted map[string]corridor.Receipt, known map[string][]byte) error {
	type shown struct {
		corridor.Compact
		doc    corridor.Sealed
		digest string
	}
	var list []shown
	for d, r := range quoted {
		if r.Digests[corridor.DigestCompact] != d {
			continue
		}
		doc, c, err := corridor.DecodeCompact(known[d])
		if err != nil {
			return err
		}
		list = append(list, shown{c, doc, d})
	}
	slices.SortFunc(list, func(a, b shown) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.digest, b.digest))
	})
	for _, c := range list {
		for _, m := range c.Members {
			if !handsOn(have, c.doc, c.Compact, m) {
				return &corridor.Error{Kind: corridor.Conflict, Where: c.Name(), Msg: "the authority of " + m.Jurisdiction + " is another there than in the compacts that are known here",
					Why: "an order is its authority's own; who has changed keys signs the next version with both", Fix: "compare the digest " + c.digest + " with what the authority publishes, and adopt the version that it publishes"}
			}
		}
		have = append(have, c.Compact)
	}
	return nil
}

// handsOn says whether a member of a compact is the authority that those before
// name, or is in none of them.
func handsOn(have []corridor.Compact, doc corridor.Sealed, c corridor.Compact, now corridor.Authority) bool {
	named := false
	for _, before := range have {
		for _, m := range before.Members {
			if m.ID != now.ID && m.Jurisdiction != now.Jurisdiction {
				continue
			}
			if named = true; verify.Succeeds(doc, c, m) {
				return true
			}
		}
	}
	return !named
}

// roomFor counts what the receipts of a peer quote of authorities that this
// node does not quote itself, with those that are kept.
func roomFor(a Agreement, theirs map[string]corridor.Receipt, kept []corridor.Receipt, ours map[string]bool) error {
	compacts, orders, admissions := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range slices.AppendSeq(slices.Clone(kept), maps.Values(theirs)) {
		if d := r.Digests[corridor.DigestCompact]; d != "" && !ours[d] {
			compacts[d] = true
		}
		if d := r.Digests[corridor.DigestOrder]; d != "" && !ours[d] {
			orders[d] = true
		}
		for _, name := range []string{corridor.DigestProviderAdmission, corridor.DigestConsumerAdmission} {
			if d := r.Digests[name]; d != "" && r.Type == corridor.ReceiptAgreement {
				admissions[d] = true
			}
		}
	}
	if len(admissions) > verify.MaxAdmissions/2 {
		return corridor.E(corridor.Limited, "the receipts of %s quote %d admissions, and half of the %d that a proof holds are for what this side quotes", a.Peer, len(admissions), verify.MaxAdmissions)
	}
	if len(compacts) > verify.MaxCompacts/2 || len(orders) > verify.MaxOrders/2 {
		return &corridor.Error{Kind: corridor.Limited, Msg: fmt.Sprintf("the receipts of %s quote %d compacts and %d orders that are not known here", a.Peer, len(compacts), len(orders)),
			Why: fmt.Sprintf("a proof holds at most %d and %d; half of them are for what this side quotes", verify.MaxCompacts, verify.MaxOrders), Fix: "make a new agreement; the receipts that were kept prove what was done until then"}
	}
	return nil
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

// isAdmission says whether a receipt of an agreement quotes a digest as that of
// the admission of a party.
func isAdmission(r corridor.Receipt, digest string) bool {
	return digest != "" && r.Type == corridor.ReceiptAgreement && (r.Digests[corridor.DigestProviderAdmission] == digest || r.Digests[corridor.DigestConsumerAdmission] == digest)
}

// admissionsFit refuses a receipt of an agreement that quotes an admission which
// is not of the party, was not in force, or has a key of another compact.
func admissionsFit(a corridor.Agreement, r corridor.Receipt, known map[string][]byte) error {
	at, err := time.Parse(time.RFC3339, r.Time)
	if err != nil {
		return corridor.E(corridor.Invalid, "%q is not a time: %w", clip(r.Time), err)
	}
	for name, p := range map[string]corridor.Participant{corridor.DigestProviderAdmission: a.Provider, corridor.DigestConsumerAdmission: a.Consumer} {
		digest := r.Digests[name]
		if digest == "" {
			continue
		}
		compact := known[digestOfCompact(a.Compact)]
		if compact == nil {
			return corridor.E(corridor.Unauthenticated, "an admission is quoted without the compact of the agreement, which names its authority")
		}
		_, c, err := corridor.DecodeCompact(compact)
		if err != nil {
			return err
		}
		_, admitted, err := verify.Admission(known[digest], c.Members)
		if err != nil {
			return err
		}
		if admitted.Participant != p.DID || admitted.Jurisdiction != p.Jurisdiction {
			return corridor.E(corridor.Forbidden, "the admission of %s to %s is quoted for %s of %s", clip(admitted.Participant), admitted.Jurisdiction, p.DID, p.Jurisdiction)
		}
		if err := heldAbout(admitted, at); err != nil {
			return err
		}
	}
	return nil
}

// heldAbout says why an admission was not in force at a time. It allows the clocks
// of the parties their difference, as whoever reads the proof does.
func heldAbout(a corridor.Admission, at time.Time) error {
	err := a.Holds(at)
	for _, d := range []time.Duration{-verify.Slack, verify.Slack} {
		if err != nil && a.Holds(at.Add(d)) == nil {
			return nil
		}
	}
	return err
}
