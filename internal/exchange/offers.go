package exchange

import (
	"context"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity"
)

// offer answers a request with terms of our own.
func (s *Service) offer(n *Negotiation, p dsp.Policy, st *step) error {
	if _, err := readTerms(p); err != nil {
		return err
	}
	if _, err := dsp.NextNegotiation(n.Role, n.State, dsp.TypeContractOffer, n.Role); err != nil {
		return err
	}
	o := dsp.Offer{Policy: p}
	o.Target = n.Dataset
	n.Offer, n.Parked = o, ""
	m := &dsp.ContractOfferMessage{ProviderPid: n.PID, ConsumerPid: n.PeerPID, Offer: o}
	if n.PeerPID == "" {
		m.CallbackAddress = s.cfg.Base
	}
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(dsp.Offered)}})
	st.say(m, &m.Extensions, dsp.Consumer, dsp.Offered)
	return nil
}

// Offer answers a request of a consumer with the given terms, or with the
// published ones if there are none.
func (s *Service) Offer(ctx context.Context, pid string, terms *dsp.Policy) (Negotiation, error) {
	return s.act(ctx, pid, func(n *Negotiation, st *step) error {
		if err := n.mayBegin(dsp.TypeContractOffer); err != nil {
			return err
		}
		if terms == nil {
			d, err := s.dataset(ctx, n.Dataset)
			if err != nil {
				return err
			}
			terms = &d.Offer.Policy
		}
		return s.offer(n, *terms, st)
	})
}

// OfferTo begins a negotiation as the provider: it offers a dataset to a
// consumer that has not asked.
func (s *Service) OfferTo(ctx context.Context, consumer, address, dataset string) (Negotiation, error) {
	n := Negotiation{PID: newID(), Role: dsp.Provider, Peer: consumer, Dataset: dataset, Created: s.now().UTC()}
	peer, err := s.cfg.Directory.Lookup(ctx, consumer)
	if err != nil {
		return n, err
	}
	n.Plain = peer.Plain != nil
	if n.Callback, err = s.address(ctx, peer, address); err != nil {
		return n, err
	}
	if err := s.compareSuites(ctx, peer); err != nil {
		return n, err
	}
	d, err := s.offered(ctx, dataset)
	if corridor.KindOf(err) == corridor.Invalid {
		err = &corridor.Error{Kind: corridor.Invalid, Where: "dataset", Msg: "there is no dataset \"" + clip(dataset) + "\" in this node's catalogue", Fix: "publish it first"}
	}
	if err != nil {
		return n, err
	}
	if _, err := s.passageOf(d, peer.Participant); byOrder(err) {
		return n, err
	}
	st := &step{neg: &n}
	if err := s.offer(&n, d.Offer.Policy, st); err != nil {
		return n, err
	}
	return n, s.commit(ctx, st)
}

func onItsWay(pid string, to dsp.State) error {
	fix := "wait for its acknowledgement, or terminate"
	if to.Final() {
		fix = "wait for its acknowledgement"
	}
	return &corridor.Error{Kind: corridor.Conflict, Msg: "a message that leads " + pid + " to " + string(to) + " is on its way to the peer", Fix: fix}
}

// ContractOffered takes a provider's offer: the beginning of a negotiation,
// or the answer to our request.
func (s *Service) ContractOffered(ctx context.Context, c identity.Caller, pid string, m *dsp.ContractOfferMessage) (*dsp.ContractNegotiation, error) {
	take := func(n *Negotiation, st *step) error {
		if _, err := readTerms(m.Offer.Policy); err != nil {
			return err
		}
		n.Offer, n.Countering, n.Parked = m.Offer, false, "the provider offers terms: accept them, ask for others, or terminate"
		st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(n.State), PeerRefs: st.heard}})
		return nil
	}
	if pid != "" {
		return s.hear(ctx, c, pid, m, m.Extensions, func(n *Negotiation, st *step) error {
			if m.Offer.Target != n.Dataset {
				return wrongField("offer.target", m.Offer.Target, n.Dataset)
			}
			return take(n, st)
		})
	}
	return s.opened(ctx, c, dsp.Consumer, m, m.Extensions, func(n *Negotiation, st *step) error {
		n.Callback, n.PeerPID, n.State, n.Dataset = m.CallbackAddress, m.ProviderPid, dsp.Offered, m.Offer.Target
		if refused := s.orderedOffer(c.Peer.Participant, n.Dataset); refused != nil {
			n.refuseOrdered(refused, st)
			return nil
		}
		if err := s.checkCallback(ctx, c, m.CallbackAddress); err != nil {
			return err
		}
		return take(n, st)
	})
}

// Acceptance is what an operator states when it accepts an offer, or asks for
// other terms.
type Acceptance struct {
	Purpose  string                       `json:"purpose,omitempty"` // empty: as stated before
	Facts    corridor.Facts               `json:"facts,omitempty"`
	Evidence map[string]corridor.Evidence `json:"evidence,omitempty"`
	Terms    *dsp.Policy                  `json:"terms,omitempty"` // CounterRequest: the terms asked for
}

// Accept accepts the provider's offer.
func (s *Service) Accept(ctx context.Context, pid string, a Acceptance) (Negotiation, error) {
	return s.reply(ctx, pid, a, func(n *Negotiation, provider identity.Peer, st *step) error {
		return s.accept(ctx, n, provider, st)
	})
}

// CounterRequest asks for other terms than those offered.
func (s *Service) CounterRequest(ctx context.Context, pid string, a Acceptance) (Negotiation, error) {
	return s.reply(ctx, pid, a, func(n *Negotiation, provider identity.Peer, st *step) error {
		if a.Terms == nil {
			return &corridor.Error{Kind: corridor.Invalid, Where: "terms", Msg: "are missing", Fix: "give the policy that is asked for, or accept the offer"}
		}
		n.Offer = dsp.Offer{Policy: *a.Terms}
		n.Offer.Target, n.Countering = n.Dataset, true
		_, err := s.ask(ctx, n, provider, st)
		return err
	})
}

// reply is the common part of the answers to an offer.
func (s *Service) reply(ctx context.Context, pid string, a Acceptance, do func(*Negotiation, identity.Peer, *step) error) (Negotiation, error) {
	return s.act(ctx, pid, func(n *Negotiation, st *step) error {
		if err := n.mayBegin(dsp.TypeEventAccepted); err != nil {
			return err
		}
		if a.Purpose != "" {
			n.Purpose = a.Purpose
		}
		if n.Purpose == "" {
			return &corridor.Error{Kind: corridor.Invalid, Where: "purpose", Msg: "is missing", Why: "both sides' law asks for it"}
		}
		if a.Facts != nil {
			n.Facts = a.Facts
		}
		n.Evidence = merged(n.Evidence, a.Evidence)
		peer, err := s.cfg.Directory.Lookup(ctx, n.Peer)
		if err != nil {
			return err
		}
		if n.Shown == nil && !n.Plain { // the provider spoke first: look the dataset up
			listed, err := s.peerDataset(ctx, n.Peer, n.Callback, n.Dataset)
			if err != nil {
				return err
			}
			if n.Shown, err = factsOf(listed.Facts); err != nil {
				return err
			}
		}
		return do(n, peer, st)
	})
}

// accept decides the import side and tells the provider that its offer is
// accepted; or refuses, or parks.
func (s *Service) accept(ctx context.Context, n *Negotiation, provider identity.Peer, st *step) error {
	if err := s.compareSuites(ctx, provider); err != nil {
		return err
	}
	refused, err := s.decideImport(ctx, n, provider, st)
	if err != nil {
		return err
	}
	if refused != nil {
		return s.refuse(n, refused, st)
	}
	if n.Parked != "" {
		return nil
	}
	m := &dsp.ContractNegotiationEventMessage{Pids: n.pids(), EventType: dsp.Accepted}
	if err := s.state(ctx, n, &m.Extensions, st); err != nil {
		return err
	}
	st.say(m, &m.Extensions, dsp.Provider, dsp.Accepted)
	return nil
}

// accepted takes the consumer's acceptance of our offer.
func (s *Service) accepted(ctx context.Context, c identity.Caller, n *Negotiation, m *dsp.ContractNegotiationEventMessage, st *step) error {
	if err := s.listen(ctx, c, n, m.Extensions, st); err != nil {
		return err
	}
	d, err := s.dataset(ctx, n.Dataset)
	if err != nil {
		return err
	}
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(n.State), PeerRefs: st.heard}})
	return s.answer(ctx, n, d, c.Peer, st)
}

// Terminated takes the peer's termination.
func (s *Service) Terminated(ctx context.Context, c identity.Caller, pid string, m *dsp.ContractNegotiationTerminationMessage) (*dsp.ContractNegotiation, error) {
	return s.hear(ctx, c, pid, m, m.Extensions, func(n *Negotiation, st *step) error {
		n.Code, n.Reason = m.Code, m.Reason
		kind := corridor.ReceiptNegotiation
		if m.Code == corridor.RefusedByLaw.String() || m.Code == corridor.ApprovalNeeded.String() {
			kind = corridor.ReceiptRefusal
		}
		st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: kind, State: string(n.State), Reason: short(n.Code, n.Reason), PeerRefs: st.heard}})
		return s.dropAgreement(ctx, n, st)
	})
}
