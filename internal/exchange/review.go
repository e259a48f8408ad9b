package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/law"
	"corridor/internal/store"
)

// The law moves while agreements stand. Every decision names the first day on
// which it may come out otherwise; on that day the node asks again. What is
// no longer lawful is suspended: the agreement, and the transfers that run
// under it. One timer stands for the earliest such day of all agreements.

// atOnce is the day of a review that is overdue.
const atOnce = "0000-00-00"

// reviewRetry is how long a review that could not be carried out waits.
const reviewRetry = time.Minute

// maxDue bounds the agreements that are read at a time.
const maxDue = 100

// stands says whether the law is asked again about an agreement.
func (a *Agreement) stands() bool {
	return a.State == AgreementInForce || a.State == AgreementSuspended
}

// inForce says why nothing may be done under an agreement, or nil.
func (a *Agreement) inForce() error {
	switch a.State {
	case AgreementInForce:
		return nil
	case AgreementSuspended:
		kind := corridor.RefusedByLaw
		if a.Code == corridor.ApprovalNeeded.String() {
			kind = corridor.ApprovalNeeded
		}
		return &corridor.Error{Kind: kind, Msg: "the agreement is suspended: " + strings.Join(a.Reason, "; "), Cites: a.Cites,
			Fix: "it comes back by itself when the law permits it again; otherwise negotiate anew"}
	}
	return &corridor.Error{Kind: corridor.Conflict, Msg: "the agreement is not in force: " + a.State, Fix: "wait until its negotiation is FINALIZED"}
}

// exportNow asks our own law as the exporter, with today's date and a count,
// and looks for evidence of the duties that come before a transfer.
func (s *Service) exportNow(peer corridor.Participant, n *Negotiation, d catalog.Dataset, r *reckoning) (corridor.Decision, error, error) {
	n.looksAt(d)
	flow := s.exportFlow(d, peer, stated{Purpose: n.Purpose, Facts: n.Facts}, r)
	decision, err := s.cfg.Law.DecideSide(flow, corridor.Export)
	if err != nil {
		return decision, nil, fmt.Errorf("own law: %w", err)
	}
	return decision, s.refusedNow(n, decision, merged(d.Evidence, n.proofs())), nil
}

// importNow asks our own law as the importer about the flow of a negotiation,
// as of today.
func (s *Service) importNow(n *Negotiation) (corridor.Decision, error, error) {
	if n.Own == nil || n.Own.Flow == nil {
		return corridor.Decision{}, nil, corridor.E(corridor.Internal, "the negotiation holds no decision of ours")
	}
	flow := *n.Own.Flow
	flow.Date = s.today()
	decision, err := s.cfg.Law.DecideSide(flow, n.Own.Side)
	if err != nil {
		return decision, nil, fmt.Errorf("own law: %w", err)
	}
	return decision, s.refusedNow(n, decision, n.proofs(), "importer", "both"), nil
}

// refusedNow is why a flow that was agreed on may not go on under today's
// decision, or nil.
func (s *Service) refusedNow(n *Negotiation, d corridor.Decision, have map[string]corridor.Evidence, owners ...string) error {
	if refused := refusal(d); refused != nil {
		return refused
	}
	cites := citesOf(d)
	if d.Outcome == corridor.NeedsApproval {
		err := s.liftsStill(n, &d)
		if err != nil && !approved(n.current(), d.Side) && n.lapsedFor(&d) == nil {
			return &corridor.Error{Kind: corridor.ApprovalNeeded, Msg: fmt.Sprintf("the law of %s now needs an approval", d.Jurisdiction), Why: articles(cites), Cites: cites}
		}
		if err != nil {
			return err
		}
	}
	missing := s.unproven(n, []corridor.Decision{d}, have, owners)
	if len(missing) == 0 {
		return nil
	}
	cites = nil
	for _, o := range d.Duties {
		for _, id := range missing {
			if o.ID == id {
				cites = append(cites, o.Citations...)
			}
		}
	}
	return &corridor.Error{Kind: corridor.ApprovalNeeded, Msg: fmt.Sprintf("the law of %s now asks for what there is no evidence of, before the transfer: %s", d.Jurisdiction, strings.Join(missing, ", ")),
		Why: articles(cites), Cites: cites}
}

// lawOf names a library by the digests of its packs.
func lawOf(l *law.Library) string {
	var all []string
	for _, p := range l.Packs() {
		all = append(all, p.Digest)
	}
	return corridor.Digest([]byte(strings.Join(all, "\n")))
}

// schedule writes, with an agreement, when the law is to be asked again. An
// agreement that will not come into force leaves the list.
func (s *Service) schedule(ctx context.Context, tx *store.Tx, st *step) error {
	a := st.agr
	if !a.stands() {
		if a.version == 1 { // new: it was never on the list
			return nil
		}
		_, err := tx.Exec(ctx, `DELETE FROM reviews WHERE agreement = ?`, a.ID)
		return err
	}
	due := atOnce
	switch {
	case st.due != nil:
		due = dueOn(*st.due)
	case st.neg != nil && st.neg.Own != nil:
		until, err := st.neg.validUntil()
		if err == nil {
			due = dueOn(until)
		}
	}
	st.review = orNever(due)
	return s.putReview(ctx, tx, a.ID, due)
}

// orNever is the day that an alarm compares.
func orNever(due string) string {
	if due == "" {
		return never
	}
	return due
}

// validUntil is the first day on which a decision made here may come out
// otherwise.
func (n *Negotiation) validUntil() (corridor.Date, error) {
	own, err := n.Own.decode()
	if err != nil || !n.Plain || n.Theirs == nil {
		return own.Decision.ValidUntil, err
	}
	theirs, err := n.Theirs.decode()
	return earlier(own.Decision.ValidUntil, theirs.Decision.ValidUntil), err
}

// earlier gives the earlier of two days; 0 is no day.
func earlier(a, b corridor.Date) corridor.Date {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func dueOn(d corridor.Date) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func (s *Service) putReview(ctx context.Context, tx *store.Tx, agreement, due string) error {
	_, err := tx.Exec(ctx, `INSERT INTO reviews (agreement, due, law) VALUES (?, ?, ?)
		ON CONFLICT (agreement) DO UPDATE SET due = excluded.due, law = excluded.law`, agreement, due, s.law)
	if err != nil {
		return fmt.Errorf("day of review: %w", err)
	}
	return nil
}

// runReviews asks the law again about every agreement whose day has come: at
// the start what was missed while the node was down or was decided under other
// packs, then at the beginning of each such day.
func (s *Service) runReviews(ctx context.Context) error {
	marked := false
	return s.runTimer(ctx, "the law could not be asked again; it is tried again", s.reviews.wake, func(ctx context.Context) (time.Duration, error) {
		if !marked {
			if err := s.overdue(ctx); err != nil {
				return 0, err
			}
			marked = true
		}
		return s.reviewDue(ctx)
	})
}

// runTimer calls due now, whenever the wait that it gave is over, and whenever
// changed says that there may be something earlier.
func (s *Service) runTimer(ctx context.Context, trouble string, changed <-chan struct{}, due func(context.Context) (time.Duration, error)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait, err := due(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.ErrorContext(ctx, trouble, "error", err, "in", reviewRetry)
			wait = reviewRetry
			if s.db.Away(err) {
				wait = retryAway
			}
		}
		timer.Stop()
		var fires <-chan time.Time
		if wait >= 0 {
			timer.Reset(wait)
			fires = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-fires:
		}
	}
}

// overdue marks the agreements that were decided under other packs than those
// in use. The law that was asked is not written as law <> ?, which no index
// answers.
func (s *Service) overdue(ctx context.Context) error {
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		for _, other := range []string{`UPDATE reviews SET due = ? WHERE law < ?`, `UPDATE reviews SET due = ? WHERE law > ?`} {
			if _, err := tx.Exec(ctx, other, atOnce, s.law); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("agreements to be reviewed: %w", err)
	}
	return nil
}

// reviewDue reviews all that is due and gives how long it is to the next
// day, below zero if none is known.
func (s *Service) reviewDue(ctx context.Context) (wait time.Duration, err error) {
	s.reviews.looks()
	defer s.asking.poke() // once for all of them
	var failed []error
	var after mark
	for {
		list, next, err := s.due(ctx, after)
		if err != nil {
			return 0, err
		}
		for _, after = range list { // one that fails does not hold up the others
			if err := again(func() error { return s.review(ctx, after.id, nil) }); err != nil {
				failed = append(failed, fmt.Errorf("agreement %s: %w", after.id, err))
			}
		}
		if len(list) == maxDue {
			continue
		}
		if err := errors.Join(failed...); err != nil {
			return -1, err
		}
		s.reviews.waits(orNever(next))
		if next == "" {
			return -1, nil
		}
		day, err := corridor.ParseDate(next)
		if err != nil {
			return 0, err
		}
		return s.untilDay(day), nil
	}
}

const (
	dueReviews = `SELECT due, agreement FROM reviews WHERE due <> '' AND due <= ? AND (due, agreement) > (?, ?) ORDER BY due, agreement LIMIT ?`
	nextReview = `SELECT COALESCE(MIN(due), '') FROM reviews WHERE due <> '' AND due > ?`
)

// due lists agreements whose day has come, and the next day after today.
func (s *Service) due(ctx context.Context, after mark) ([]mark, string, error) {
	list, next, err := s.daysCome(ctx, dueReviews, nextReview, after)
	if err != nil {
		return nil, "", fmt.Errorf("reviews that are due: %w", err)
	}
	return list, next, nil
}

// review asks the law again about one agreement. The agreement is suspended
// before its transfers, and its review stays due until the last of them is: a
// crash in between is taken up at the next start. Nothing here waits for the
// network. Where the law permits the flow and the word on the peer is not
// known (heard is nil), that is asked for; until it comes, what stands goes on
// standing, and what is suspended stays so.
func (s *Service) review(ctx context.Context, id string, heard *word) error {
	a, err := s.Agreement(ctx, id)
	if err != nil {
		return err
	}
	if a.State != AgreementInForce && a.State != AgreementSuspended {
		return s.db.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, `DELETE FROM reviews WHERE agreement = ?`, id)
			return err
		})
	}
	n, err := s.Negotiation(ctx, a.Negotiation)
	if err != nil {
		return err
	}
	trust, err := s.freshTrust(ctx)
	if err != nil {
		return err
	}
	decision, refused, err := s.still(ctx, &a, &n)
	if err != nil {
		return err
	}
	toAsk := refused == nil && heard == nil && s.cfg.Credentials != nil
	if refused == nil && heard != nil {
		refused = heard.refused
	}
	switch {
	case refused == nil && a.State == AgreementSuspended && !toAsk:
		if err := s.reopen(ctx, &a, &n, decision); err != nil {
			return err
		}
	case refused != nil:
		if a.State == AgreementInForce {
			if err := s.suspendAgreement(ctx, &a, &n, decision, refused); err != nil {
				return err
			}
		}
		if err := s.suspendTransfers(ctx, a); err != nil {
			return err
		}
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		if err := (&step{agr: &a, neg: &n}).unchanged(ctx, tx); err != nil { // evidence that came in meanwhile is to be looked at
			return err
		}
		if err := sameTrust(ctx, tx, trust); err != nil { // and an order too
			return err
		}
		if err := s.dutiesNow(ctx, tx, &a, &n, decision); err != nil {
			return err
		}
		if toAsk {
			if err := ask(ctx, tx, a.Peer); err != nil {
				return err
			}
		}
		return s.putReview(ctx, tx, id, dueOn(decision.ValidUntil))
	})
	s.clocks.changed("")
	return err
}

// still asks our own side's law about an agreement as of today. Facts that
// the packs in use no longer understand, a dataset or a peer that is gone: the
// flow cannot be decided any more, which is a refusal.
func (s *Service) still(ctx context.Context, a *Agreement, n *Negotiation) (d corridor.Decision, refused, err error) {
	stopped := s.mayCross(ctx, a.Role, a.Peer, a.Dataset, a.Negotiation)
	if a.Role == dsp.Consumer {
		d, refused, err = s.importNow(n)
	} else {
		var peer identity.Peer
		var set catalog.Dataset
		if peer, err = s.cfg.Directory.Lookup(ctx, a.Peer); err == nil {
			var number int64
			if set, number, err = s.datasetNow(ctx, a.Dataset); err == nil {
				var r *reckoning
				if r, err = s.reckon(ctx, countedAs(set, number)); err == nil {
					d, refused, err = s.exportNow(peer.Participant, n, set, r)
				}
			}
		}
	}
	if err == nil && refused == nil && n.Plain {
		var theirs corridor.Decision
		if theirs, refused, err = s.insteadNow(n); err == nil {
			d.ValidUntil = earlier(d.ValidUntil, theirs.ValidUntil)
		}
	}
	if err == nil && refused == nil {
		refused = stopped
	}
	if err == nil && refused == nil {
		_, err = s.cfg.Directory.Lookup(ctx, a.Peer)
	}
	if gone := undecidable(err); gone != nil {
		return d, gone, nil
	}
	return d, refused, err
}

// undecidable is the refusal of a flow about which something is not there any
// more that a decision needs, or nil: the error is of another kind.
func undecidable(err error) error {
	var e *corridor.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Kind {
	case corridor.Invalid, corridor.NotFound, corridor.Unauthenticated, corridor.Forbidden, corridor.Limited:
		return &corridor.Error{Kind: corridor.RefusedByLaw, Msg: "the flow cannot be decided any more: " + e.Msg, Where: e.Where, Why: e.Why, Fix: e.Fix}
	}
	return nil
}

func (s *Service) suspendAgreement(ctx context.Context, a *Agreement, n *Negotiation, d corridor.Decision, refused error) error {
	a.State = AgreementSuspended
	a.Code, a.Reason, a.Cites = explain(refused)
	a.stop = orderBehind(refused)
	return s.commitReview(ctx, a, n, d, corridor.ReceiptAgreementSuspended, a.stop)
}

func (s *Service) reopen(ctx context.Context, a *Agreement, n *Negotiation, d corridor.Decision) error {
	lift := s.trust.Load().liftOf(a.stop)
	a.State, a.Code, a.Reason, a.Cites, a.stop = AgreementInForce, "", nil, nil, nil
	return s.commitReview(ctx, a, n, d, corridor.ReceiptAgreementResumed, lift)
}

// commitReview writes a new state of an agreement with its receipt. The
// review stays due.
func (s *Service) commitReview(ctx context.Context, a *Agreement, n *Negotiation, d corridor.Decision, kind string, by *behind) error {
	today := s.today()
	r := corridor.Receipt{Type: kind, Agreement: a.ID, State: a.State, Reason: short(a.Code, a.Reason), Digests: map[string]string{"agreement": a.Digest}}
	if d.Pack.Digest != "" {
		r.Decision = digestOf(d)
	}
	s.log.InfoContext(ctx, "the law was asked again", "agreement", a.ID, "state", a.State, "reason", r.Reason)
	return s.commit(ctx, &step{neg: n, agr: a, due: &today, stop: by, receipts: []receipt{{body: r}}})
}

// suspendTransfers suspends what runs under an agreement, with the reason for
// which the agreement is, and tells the peer.
func (s *Service) suspendTransfers(ctx context.Context, a Agreement) error {
	for after := ""; ; {
		var list []string
		err := s.db.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `SELECT pid FROM transfers WHERE agreement = ? AND pid > ? AND state IN ('REQUESTED', 'STARTED', 'SUSPENDED') ORDER BY pid LIMIT ?`, a.ID, after, maxDue)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				if err := rows.Scan(&after); err != nil {
					return err
				}
				list = append(list, after)
			}
			return rows.Err()
		})
		if err != nil {
			return fmt.Errorf("transfers of %s: %w", a.ID, err)
		}
		for _, pid := range list {
			_, err := s.actTransfer(ctx, pid, func(t *Transfer, st *step) error { return s.suspendByLaw(t, st, a) })
			if err != nil && !errors.Is(err, errNotRunning) {
				return err
			}
		}
		if len(list) < maxDue {
			return nil
		}
	}
}

// errNotRunning says that nothing runs which could be suspended.
var errNotRunning = errors.New("nothing runs")

// suspendByLaw suspends a transfer that runs or has just been started. One
// that only waits is refused when somebody wants to start it; one that is
// complete but for the acknowledgement has nothing left to stop.
func (s *Service) suspendByLaw(t *Transfer, st *step, a Agreement) error {
	if t.PartOf != "" || t.Pending != dsp.Started && (t.State != dsp.Started || t.Pending != dsp.None) {
		return errNotRunning
	}
	st.stop = a.stop
	return s.suspend(t, st, a.Code, a.Reason)
}
