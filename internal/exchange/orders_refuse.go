package exchange

import (
	"context"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
)

// What begins while an authority's order stands against it is refused at once,
// with the reference of the order: a peer that is sent away must be able to ask
// the authority about it. Who would not be shown a dataset anyway hears of no
// order about it either.

// refusal quotes an order to whomever it stops.
func (t *trust) refusal(o order, what string) error {
	return &corridor.Error{Kind: corridor.RefusedByLaw, Msg: what + " by " + o.Name(), Where: o.Target.String(), Why: o.Reason,
		Fix: "the order is " + o.digest + " of " + o.Authority + "; the authority of " + o.Jurisdiction + " can lift it by a signed order",
		Err: t.behind(o)}
}

// byOrder says whether an order stands behind a refusal.
func byOrder(err error) bool { return orderBehind(err) != nil }

// withoutOrders is what would be held if no authority had ordered anything.
func (t *trust) withoutOrders() *trust {
	rest := *t
	rest.orders = nil
	return &rest
}

// mayHear is the reason for which a peer is refused a dataset, as it may hear it:
// an order only if it would be shown the dataset without the order, else
// whatever keeps it back besides. Why may be nil.
func (s *Service) mayHear(d catalog.Dataset, peer corridor.Participant, why error) error {
	if !byOrder(why) {
		return why
	}
	return orElse(s.obtainableIn(s.trust.Load().withoutOrders(), d, peer), why)
}

// orderedRequest says which order keeps a consumer from asking for a dataset of
// ours, or nil. What is not in the catalogue is nobody's to hear of.
func (s *Service) orderedRequest(ctx context.Context, peer corridor.Participant, dataset string) error {
	d, err := s.offered(ctx, dataset)
	if err != nil { // asked says so
		return nil
	}
	_, refused := s.passageOf(d, peer)
	if refused = s.mayHear(d, peer, refused); byOrder(refused) {
		return refused
	}
	return nil
}

// orderedOffer says which order keeps a provider from offering us a dataset, or
// nil. The classes of its data are not known yet: of an order about a class
// whoever accepts the offer hears.
func (s *Service) orderedOffer(peer corridor.Participant, dataset string) error {
	none := corridor.Facts{"data_classes": []any{}}
	if _, refused := s.passage(dsp.Consumer, peer, dataset, none); byOrder(refused) {
		return refused
	}
	return nil
}

// refuseOrdered puts into the step that a negotiation ends before it has begun.
// The peer hears of it in the answer to its message.
func (n *Negotiation) refuseOrdered(cause error, st *step) {
	n.Code, n.Reason, _ = explain(cause)
	n.State, n.Order = dsp.Terminated, orderRefused(cause, n.Code, n.Reason, st)
}

// refuseOrdered is the same for a transfer.
func (t *Transfer) refuseOrdered(cause error, st *step) {
	t.Code, t.Reason, _ = explain(cause)
	t.State, t.Order = dsp.Terminated, orderRefused(cause, t.Code, t.Reason, st)
}

// orderRefused writes the receipt of a refusal and gives the digest of the order
// behind it.
func orderRefused(cause error, code string, reason []string, st *step) string {
	st.stop = orderBehind(cause)
	st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptRefusal, State: string(dsp.Terminated), Reason: short(code, reason), PeerRefs: st.heard}}}
	return st.stop.Order
}

// ordered is the answer to the message that began a negotiation which an order
// ended at once; nil if none did. A repeat of the message gets the same.
func (n *Negotiation) ordered() error { return answerOrdered(n.Order, n.Reason) }

func (t *Transfer) ordered() error { return answerOrdered(t.Order, t.Reason) }

func answerOrdered(order string, reason []string) error {
	if order == "" {
		return nil
	}
	e := &corridor.Error{Kind: corridor.RefusedByLaw, Err: &behind{Order: order}}
	for i, part := range []*string{&e.Msg, &e.Why, &e.Fix} {
		if i < len(reason) {
			*part = reason[i]
		}
	}
	return e
}
