package exchange

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/plane"
	"corridor/internal/store"
)

// Service is the plane's authority: what a token opens is decided here, on
// every request, from committed state.
var _ plane.Authority = (*Service)(nil)

// Plane serves the streams of this node under /data/.
func (s *Service) Plane() http.Handler { return s.plane }

// dataAddress is where the consumer fetches, with a new token.
func (s *Service) dataAddress(t *Transfer) (*dsp.DataAddress, error) {
	token, err := s.tokens.Mint(plane.Claims{Transfer: t.PID, Agreement: t.Agreement, Audience: t.Peer, Expires: s.now().Add(s.cfg.TokenLife).Unix()})
	if err != nil {
		return nil, err
	}
	return dsp.BearerAddress(s.cfg.DataBase+"/"+t.PID, token), nil
}

// Address gives the consumer of a running transfer a new token: a stream may
// outlive the one that started it.
func (s *Service) Address(ctx context.Context, c identity.Caller, pid string) (*dsp.TransferStartMessage, error) {
	if of, number, ok := splitIncrement(pid); ok {
		return s.increment(ctx, c, of, number)
	}
	t, err := s.transfer(ctx, pid)
	if err != nil {
		return nil, err
	}
	if t.Peer != c.DID || t.Role != dsp.Provider {
		return nil, noSuch("transfer", pid)
	}
	if err := t.open(); err != nil {
		return nil, err
	}
	m := &dsp.TransferStartMessage{Pids: t.pids()}
	m.DataAddress, err = s.dataAddress(&t)
	return m, err
}

// open says whether bytes may flow now. A start that is on its way to the
// consumer counts: it may come for the data before its acknowledgement is back.
func (t *Transfer) open() error {
	if t.State == dsp.Started && t.Pending == dsp.None || t.Pending == dsp.Started {
		return nil
	}
	kind := corridor.Conflict
	if t.State.Final() {
		kind = corridor.Gone
	}
	return &corridor.Error{Kind: kind, Msg: "the transfer is " + stateName(t.State), Fix: "wait for the provider's start message"}
}

// Grant implements plane.Authority.
func (s *Service) Grant(ctx context.Context, transfer, token string) (plane.Grant, error) {
	var g plane.Grant
	claims, err := s.tokens.Check(token, s.now())
	if err != nil {
		return g, err
	}
	t, err := s.transfer(ctx, transfer)
	if err != nil {
		return g, err
	}
	if err := claims.Match(t.PID, t.Agreement, t.Peer); err != nil {
		return g, err
	}
	if t.Role != dsp.Provider || t.pushed() {
		return g, noSuch("transfer", transfer)
	}
	return s.grant(ctx, &t)
}

// grant is what may flow of a transfer now.
func (s *Service) grant(ctx context.Context, t *Transfer) (plane.Grant, error) {
	var g plane.Grant
	if err := s.openNow(ctx, t); err != nil {
		return g, err
	}
	a, d, err := s.standing(ctx, t)
	if err != nil {
		return g, err
	}
	if t.PartOf != "" {
		i, err := s.incrementOf(ctx, d, t.Number)
		if err != nil {
			return g, err
		}
		d = i.as(d)
	}
	if err := s.mayFlow(ctx, t); err != nil {
		return g, err
	}
	if err := s.witnessed(ctx, t, d); err != nil {
		return g, err
	}
	body, err := s.signedBody(&a)
	if err != nil {
		return g, err
	}
	if g.ExpiresAt, err = s.withinTerm(body); err != nil {
		return g, err
	}
	if g.Plan, err = planOf(body); err != nil {
		return g, err
	}
	g.Agreement, g.Transfer, g.Consumer, g.Key = a.ID, t.PID, t.Peer, a.key
	g.Source = s.files.Source(d.Source, d.SHA256)
	return g, nil
}

// standing reads the agreement that a transfer runs under, if it is in force,
// and its dataset.
func (s *Service) standing(ctx context.Context, t *Transfer) (a Agreement, d catalog.Dataset, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		if a, err = s.loadAgreement(ctx, tx, t.Agreement); err != nil {
			return err
		}
		if a.State != AgreementInForce {
			return corridor.E(corridor.Gone, "the agreement is not in force")
		}
		d, err = catalog.Get(ctx, tx, a.Dataset)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = noSuch("agreement", t.Agreement)
	}
	return a, d, err
}

// signedBody gives what both sides have signed.
func (s *Service) signedBody(a *Agreement) (corridor.Agreement, error) {
	if body, known := s.bodies.get(a.ID, a.version); known {
		return body, nil
	}
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err == nil {
		s.bodies.put(a.ID, a.version, signed.Body)
	}
	return signed.Body, err
}

// withinTerm checks the agreement's own dates and gives its end.
func (s *Service) withinTerm(a corridor.Agreement) (end time.Time, err error) {
	now := s.now()
	if a.ValidFrom != "" {
		from, err := dsp.ParseTime(a.ValidFrom)
		if err != nil || now.Before(from) {
			return end, corridor.E(corridor.Forbidden, "the agreement begins at %s", a.ValidFrom)
		}
	}
	if a.ValidUntil == "" {
		return end, nil
	}
	if end, err = dsp.ParseTime(a.ValidUntil); err != nil || now.After(end) {
		return end, corridor.E(corridor.Gone, "the agreement ended at %s", a.ValidUntil)
	}
	return end, nil
}

// Started implements plane.Authority. The start has its receipt already.
func (s *Service) Started(ctx context.Context, transfer string, _ int64) error {
	t, err := s.transfer(ctx, transfer)
	if err == nil {
		err = s.openNow(ctx, &t)
	}
	if err != nil {
		return err
	}
	return s.flows(ctx, t)
}

// Progress implements plane.Authority.
func (s *Service) Progress(transfer string, sent int64) {
	s.run.note(transfer, sent)
	s.alive(transfer)
}

// Finished implements plane.Authority: the receipt of the release is durable
// before the consumer learns the digest, so that no byte is complete on the
// other side without it. A stream that is repeated has its receipt already.
func (s *Service) Finished(ctx context.Context, transfer string, r plane.Result) error {
	_, err := s.actTransfer(ctx, transfer, func(t *Transfer, st *step) (err error) {
		if t.Released != nil && t.SHA256 == r.SHA256 {
			return nil
		}
		// An order may be taken in beside it: no release stands behind one that
		// forbids it.
		trust, err := s.freshTrust(ctx)
		if err != nil {
			return err
		}
		if err := s.mayCross(ctx, t.Role, t.Peer, t.Dataset, t.Negotiation); err != nil {
			return err
		}
		st.inside = func(ctx context.Context, tx *store.Tx) error { return sameTrust(ctx, tx, trust) }
		if err := t.open(); err != nil { // stopped while the last bytes were on their way
			return err
		}
		if st.whole, err = s.whole(ctx, t); err == nil && st.whole != nil {
			err = st.whole.open()
		}
		if err != nil {
			return err
		}
		a, err := s.Agreement(ctx, t.Agreement)
		if err != nil {
			return err
		}
		// Whoever fetches has our start, also where its acknowledgement is still
		// on its way: the transfer is STARTED.
		if err := s.countLate(ctx, t, st); err != nil {
			return err
		}
		t.Bytes, t.Rows, t.SHA256 = r.Bytes, r.Rows, r.SHA256
		st.ofWhole(r)
		s.awaitArrival(t)
		st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferReleased, State: string(dsp.Started),
			Digests: s.quoteWitnesses(st, t.PID, map[string]string{"content": r.SHA256, "agreement": a.Digest})}, note: func(ref corridor.ReceiptRef) { t.Released = &ref }}}
		return nil
	})
	return err
}

// Failed implements plane.Authority. A cut stream is taken up again by the
// consumer; nothing has changed.
func (s *Service) Failed(ctx context.Context, transfer string, sent int64, err error) {
	s.log.InfoContext(ctx, "a stream broke off", "transfer", transfer, "sent", sent, "error", err)
}
