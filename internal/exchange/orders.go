package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// An order is in effect when this file has taken it in: it was signed by the
// authority that it names, with a key that a compact of this node gives to that
// authority, and comes after all that the authority has said before. It
// arrives by hand, pushed to the node, or in the authority's feed.

// Taken says what came in of an authority.
type Taken struct {
	Kind         string `json:"kind"` // order, feed or approval
	Authority    string `json:"authority"`
	Jurisdiction string `json:"jurisdiction"`
	Number       int64  `json:"number"`
	Digest       string `json:"digest"`
	New          bool   `json:"new"`                   // false: it was known
	Orders       int    `json:"orders"`                // new ones that it brought
	Negotiation  string `json:"negotiation,omitempty"` // that an approval is about
}

// TakeOrder takes in an order.
func (s *Service) TakeOrder(ctx context.Context, raw []byte) (Taken, error) {
	sealed, o, err := verify.Order(raw, s.trust.Load().authorities())
	if err != nil {
		return Taken{}, err
	}
	if err := o.Dated(s.now()); err != nil {
		return Taken{}, err
	}
	out := Taken{Kind: "order", Authority: o.Authority, Jurisdiction: o.Jurisdiction, Number: o.Number, Digest: sealed.Digest()}
	taken := signedOrder(sealed, o, raw)
	defer s.holdFor(taken)()
	err = s.changeTrust(ctx, func(tx *store.Tx) ([]receipt, []corridor.Target, error) {
		t, err := readTrust(ctx, tx)
		if err != nil {
			return nil, nil, err
		}
		if known, err := t.comesAfter(taken); known || err != nil {
			return nil, nil, err
		}
		out.New, out.Orders = true, 1
		if err := t.putOrder(ctx, tx, taken); err != nil {
			return nil, nil, err
		}
		return []receipt{orderReceipt(taken)}, []corridor.Target{t.target(taken)}, nil
	})
	return out, err
}

// holdFor holds up all that this node sends until release is called, if one of
// the orders stops something and is not known yet: the streams would compete
// with its acceptance for the processor. Which of them end for good is said by
// what is written down. Whoever repeats an old order holds nothing up.
func (s *Service) holdFor(orders ...order) (release func()) {
	t := s.trust.Load()
	for _, o := range orders {
		if known, err := t.comesAfter(o); !known && err == nil && o.Act != corridor.OrderLift {
			return s.gate.Hold()
		}
	}
	return func() {}
}

// highest is the highest number that an authority is known to have given out.
func (t *trust) highest(authority string) int64 {
	last := t.feeds[authority].Last
	if list := t.orders[authority]; len(list) > 0 {
		last = max(last, list[len(list)-1].Number)
	}
	return last
}

// known finds an order by its number.
func (t *trust) known(authority string, number int64) (order, bool) {
	for _, o := range t.orders[authority] {
		if o.Number == number {
			return o, true
		}
	}
	return order{}, false
}

// comesAfter says whether an order is known already, or comes too late.
func (t *trust) comesAfter(o order) (known bool, err error) {
	if have, ok := t.known(o.Authority, o.Number); ok {
		if have.digest == o.digest {
			return true, nil
		}
		return false, &corridor.Error{Kind: corridor.Conflict, Where: "order.number", Msg: fmt.Sprintf("the authority of %s has signed two orders with the number %d", o.Jurisdiction, o.Number), Fix: "it numbers each order anew"}
	}
	if last := t.highest(o.Authority); o.Number <= last {
		return false, &corridor.Error{Kind: corridor.Conflict, Where: "order.number", Msg: fmt.Sprintf("%s is an old order: number %d is known here", o.Name(), last),
			Why: "an order that was held back, or is shown again, changes nothing", Fix: "the authority signs a new one, or its feed brings it"}
	}
	return false, nil
}

// target is what the agreements that an order concerns have in common: that of
// the order itself, or of the one that it lifts.
func (t *trust) target(o order) corridor.Target {
	if o.Act != corridor.OrderLift {
		return o.Target
	}
	lifted, _ := t.known(o.Authority, o.Lifts)
	return lifted.Target
}

// putOrder keeps an order, with the compact whose keys it was checked with.
func (t *trust) putOrder(ctx context.Context, tx *store.Tx, o order) error {
	o.under = t.namer(o.Authority, o.signer)
	_, err := tx.Exec(ctx, `INSERT INTO orders (authority, number, digest, doc, compact) VALUES (?, ?, ?, ?, ?)`, o.Authority, o.Number, o.digest, string(o.doc), o.under)
	if err == nil {
		err = holdDocuments(ctx, tx, document{o.digest, o.doc})
	}
	if err != nil {
		return fmt.Errorf("keep order: %w", err)
	}
	return nil
}

func orderReceipt(o order) receipt {
	r := corridor.Receipt{Type: corridor.ReceiptCorridorSuspended, State: "suspended", Digests: map[string]string{corridor.DigestOrder: o.digest}}
	about := o.Target.String()
	switch o.Act {
	case corridor.OrderLift:
		r.Type, r.State, about = corridor.ReceiptCorridorResumed, "lifted", fmt.Sprintf("lifts order %d", o.Lifts)
	case corridor.OrderRevoke:
		r.State = "revoked"
	}
	r.Reason = short(o.Name(), []string{about, o.Reason})
	return receipt{body: r}
}

// TakeFeed takes in a feed of orders: one that is newer than the last, is not
// stale, and holds all that is known of the authority.
func (s *Service) TakeFeed(ctx context.Context, raw []byte) (Taken, error) {
	return s.takeFeed(ctx, raw, false)
}

func (s *Service) takeFeed(ctx context.Context, raw []byte, byHand bool) (Taken, error) {
	sealed, f, err := verify.Feed(raw, s.trust.Load().authorities())
	if err != nil {
		return Taken{}, err
	}
	if err := f.Fresh(s.now()); err != nil {
		return Taken{}, err
	}
	out := Taken{Kind: "feed", Authority: f.Authority, Jurisdiction: f.Jurisdiction, Number: f.Number, Digest: sealed.Digest()}
	orders, err := ordersOf(f, s.now())
	if err != nil {
		return out, err
	}
	defer s.holdFor(orders...)()
	err = s.changeTrust(ctx, func(tx *store.Tx) ([]receipt, []corridor.Target, error) {
		t, err := readTrust(ctx, tx)
		if err != nil {
			return nil, nil, err
		}
		if have, known := t.feeds[f.Authority]; known && have.digest == sealed.Digest() {
			return nil, nil, nil
		}
		if err := t.continues(f, orders); err != nil {
			return nil, nil, err
		}
		out.New = true
		receipts, targets, err := s.takeOrders(ctx, tx, t, orders)
		if err != nil {
			return nil, nil, err
		}
		out.Orders = len(receipts)
		_, err = tx.Exec(ctx, `INSERT INTO feeds (authority, number, digest, doc) VALUES (?, ?, ?, ?)
			ON CONFLICT (authority) DO UPDATE SET number = excluded.number, digest = excluded.digest, doc = excluded.doc`, f.Authority, f.Number, sealed.Digest(), string(raw))
		if err != nil {
			return nil, nil, fmt.Errorf("keep feed: %w", err)
		}
		heard, again, err := dropStop(ctx, tx, silent(f.Authority), "the authority of "+f.Jurisdiction+" is heard again: "+fmt.Sprintf("feed %d", f.Number))
		if receipts = append(receipts, heard...); byHand && len(receipts) == 0 {
			receipts = append(receipts, adminReceipt(AdminAct{Act: ActFeedTaken, About: fmt.Sprintf("feed %d of the authority of %s", f.Number, f.Jurisdiction), Digests: map[string]string{"feed": out.Digest}}))
		}
		return receipts, append(targets, again...), err
	})
	return out, err
}

func ordersOf(f corridor.Feed, now time.Time) (list []order, err error) {
	for _, sealed := range f.Orders {
		raw, err := sealed.Encode()
		if err != nil {
			return nil, err
		}
		_, o, err := corridor.DecodeOrder(raw)
		if err == nil {
			err = o.Dated(now)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, signedOrder(sealed, o, raw))
	}
	return list, nil
}

// continues says why a feed does not continue what is known of its authority.
func (t *trust) continues(f corridor.Feed, orders []order) error {
	back := func(format string, args ...any) error {
		return &corridor.Error{Kind: corridor.Conflict, Where: "feed", Msg: fmt.Sprintf("the feed of the authority of %s has been rolled back: ", f.Jurisdiction) + fmt.Sprintf(format, args...),
			Why: "what was ordered can only be lifted by an order", Fix: "the authority signs a feed that goes on from its last one"}
	}
	if have, known := t.feeds[f.Authority]; known && f.Number <= have.Number {
		return back("number %d does not come after %d", f.Number, have.Number)
	}
	if last := t.highest(f.Authority); f.Last < last {
		return back("it knows of %d orders and admissions, and %d is known here", f.Last, last)
	}
	for _, have := range t.orders[f.Authority] {
		if !slices.ContainsFunc(orders, func(o order) bool { return o.Number == have.Number && o.digest == have.digest }) {
			return back("it does not hold %s", have.Name())
		}
	}
	return nil
}

// takeOrders keeps the orders of a feed that are new.
func (s *Service) takeOrders(ctx context.Context, tx *store.Tx, t *trust, orders []order) (receipts []receipt, targets []corridor.Target, err error) {
	for _, o := range orders {
		if _, known := t.known(o.Authority, o.Number); known {
			continue
		}
		if err := t.putOrder(ctx, tx, o); err != nil {
			return nil, nil, err
		}
		t.orders[o.Authority] = append(t.orders[o.Authority], o)
		receipts, targets = append(receipts, orderReceipt(o)), append(targets, t.target(o))
	}
	return receipts, targets, nil
}

// silent names the stop of an authority that is not heard any more.
func silent(authority string) string { return "feed " + authority }

// silence writes down that an authority has fallen silent, or is heard again.
func (s *Service) silence(ctx context.Context, tx *store.Tx, t *trust, m corridor.Authority, now time.Time) ([]receipt, error) {
	var refused error
	if f, known := t.feeds[m.ID]; m.Feed != "" && known {
		refused = f.Fresh(now)
	} else if m.Feed != "" {
		return nil, nil // not heard yet: nothing was open that could be suspended
	}
	if refused == nil {
		r, _, err := dropStop(ctx, tx, silent(m.ID), "the authority of "+m.Jurisdiction+" is heard again")
		return r, err
	}
	_, reason, _ := explain(refused)
	r, _, err := putStop(ctx, tx, Stop{ID: silent(m.ID), Jurisdiction: m.Jurisdiction, Reason: reason[0], Fix: "let the node reach the authority's feed: " + m.Feed, Since: corridor.Moment(now)})
	return r, err
}

// Take takes in whatever an authority has signed: an order, a feed, or the
// answer to a request for an approval.
func (s *Service) Take(ctx context.Context, raw []byte) (Taken, error) {
	return s.take(ctx, raw, false)
}

// TakeByHand is Take for what the administrator brings: also a feed that holds
// no new order leaves a receipt then. One that the node fetches, or that
// anybody pushes to it, would fill the log.
func (s *Service) TakeByHand(ctx context.Context, raw []byte) (Taken, error) {
	return s.take(ctx, raw, true)
}

func (s *Service) take(ctx context.Context, raw []byte, byHand bool) (Taken, error) {
	var head struct {
		Body struct {
			Type string `json:"type"`
		} `json:"body"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return Taken{}, corridor.E(corridor.Invalid, "this is not a signed document: %w", err)
	}
	switch head.Body.Type {
	case corridor.TypeFeed:
		return s.takeFeed(ctx, raw, byHand)
	case corridor.TypeApproval:
		return s.TakeApproval(ctx, raw)
	}
	return s.TakeOrder(ctx, raw)
}

// InEffect is one thing that keeps corridors closed.
type InEffect struct {
	ID           string          `json:"id"`
	Jurisdiction string          `json:"jurisdiction,omitempty"`
	Target       corridor.Target `json:"target"`
	Reason       string          `json:"reason"`
	Reference    string          `json:"reference,omitempty"`
	Since        string          `json:"since"`
	Until        string          `json:"until,omitempty"`
}

// Stops lists all that keeps corridors closed.
func (s *Service) Stops() []InEffect {
	t := s.trust.Load()
	out := []InEffect{}
	for _, o := range t.inEffect(s.now()) {
		out = append(out, InEffect{ID: fmt.Sprintf("order %s %d", o.Authority, o.Number), Jurisdiction: o.Jurisdiction, Target: o.Target, Reason: o.Reason, Reference: o.Reference, Since: o.Issued, Until: o.Until})
	}
	for _, stop := range t.stops {
		out = append(out, InEffect{ID: stop.ID, Jurisdiction: stop.Jurisdiction, Target: stop.Target, Reason: stop.Reason, Since: stop.Since})
	}
	return out
}
