package exchange

import (
	"context"
	"net/http"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/plane"
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
	t, err := s.TransferByPID(ctx, pid)
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
	t, err := s.TransferByPID(ctx, transfer)
	if err != nil {
		return g, err
	}
	if err := claims.Match(t.PID, t.Agreement, t.Peer); err != nil {
		return g, err
	}
	if t.Role != dsp.Provider {
		return g, noSuch("transfer", transfer)
	}
	if err := t.open(); err != nil {
		return g, err
	}
	a, err := s.Agreement(ctx, t.Agreement)
	if err != nil {
		return g, err
	}
	if a.State != AgreementInForce {
		return g, corridor.E(corridor.Gone, "the agreement is not in force")
	}
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil {
		return g, err
	}
	if g.ExpiresAt, err = s.withinTerm(signed.Body); err != nil {
		return g, err
	}
	if g.Plan, err = planOf(signed.Body); err != nil {
		return g, err
	}
	d, err := s.dataset(ctx, a.Dataset)
	if err != nil {
		return g, err
	}
	g.Agreement, g.Transfer, g.Consumer, g.Key = a.ID, t.PID, t.Peer, a.key
	g.Source = s.files.Source(d.Source, d.SHA256)
	return g, nil
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
	t, err := s.TransferByPID(ctx, transfer)
	if err != nil {
		return err
	}
	return t.open()
}

// Progress implements plane.Authority.
func (s *Service) Progress(transfer string, sent int64) { s.run.note(transfer, sent) }

// Finished implements plane.Authority: the receipt of the release is durable
// before the consumer learns the digest, so that no byte is complete on the
// other side without it. A stream that is repeated has its receipt already.
func (s *Service) Finished(ctx context.Context, transfer string, r plane.Result) error {
	_, err := s.actTransfer(ctx, transfer, func(t *Transfer, st *step) error {
		if t.Released != nil && t.SHA256 == r.SHA256 {
			return nil
		}
		if err := t.open(); err != nil { // stopped while the last bytes were on their way
			return err
		}
		a, err := s.Agreement(ctx, t.Agreement)
		if err != nil {
			return err
		}
		if err := s.countLate(ctx, t, st); err != nil {
			return err
		}
		t.Bytes, t.Rows, t.SHA256 = r.Bytes, r.Rows, r.SHA256
		st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferReleased, State: string(t.State),
			Digests: map[string]string{"content": r.SHA256, "agreement": a.Digest}}, note: func(ref corridor.ReceiptRef) { t.Released = &ref }}}
		return nil
	})
	return err
}

// Failed implements plane.Authority. A cut stream is taken up again by the
// consumer; nothing has changed.
func (s *Service) Failed(ctx context.Context, transfer string, sent int64, err error) {
	s.log.InfoContext(ctx, "a stream broke off", "transfer", transfer, "sent", sent, "error", err)
}
