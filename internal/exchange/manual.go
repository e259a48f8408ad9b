package exchange

import (
	"context"
	"fmt"
	"slices"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
)

// Some steps wait for a person although the law would let them go: those that
// the node's configuration names, the entry of the peer, or the dataset. This
// file holds them back, and holds the acts by which a person takes them. What
// is legal in which state is the protocol's to say (dsp.NextNegotiation,
// dsp.NextTransfer); what is lawful is asked anew with every act.

// The steps that can be held for a person.
const (
	StepAgree    = "agree"    // provider: every request is answered by a person
	StepVerify   = "verify"   // consumer: every agreement is verified by a person
	StepFinalize = "finalize" // provider: every agreement is made final by a person
	StepStart    = "start"    // provider: every transfer is started by a person
	StepFetch    = "fetch"    // consumer: nothing is fetched when a transfer starts
)

// CheckSteps says which of the names is not a step, or nil.
func CheckSteps(where string, names []string) error {
	known := []string{StepAgree, StepVerify, StepFinalize, StepStart, StepFetch}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: fmt.Sprintf("%q is not a step", clip(name)), Fix: fmt.Sprintf("use any of %v", known)}
		}
	}
	return nil
}

func (m Manual) holds(step string) bool {
	switch step {
	case StepAgree:
		return m.Agree
	case StepVerify:
		return m.Verify
	case StepFinalize:
		return m.Finalize
	case StepStart:
		return m.Start
	case StepFetch:
		return m.Fetch
	}
	return false
}

// held says why a step waits for a person; empty: it does not. The dataset
// counts on the provider's side only, where it is ours.
func (s *Service) held(step string, peer identity.Peer, d *catalog.Dataset) string {
	what := map[string]string{StepAgree: "a person answers every request", StepVerify: "a person verifies every agreement", StepFinalize: "a person makes every agreement final",
		StepStart: "a person starts every transfer", StepFetch: "a person fetches what a transfer brings"}[step]
	switch {
	case s.cfg.Manual.holds(step):
		return what + " (manual." + step + ")"
	case slices.Contains(peer.Manual, step):
		return what + " of this peer (manual: " + step + ")"
	case d != nil && slices.Contains(d.Manual, step):
		return what + " of this dataset (manual: " + step + ")"
	}
	return ""
}

// Agree answers a consumer's request, or its acceptance of our offer, with the
// agreement, where a person answers. The law is asked, and may still refuse
// or ask for an approval.
func (s *Service) Agree(ctx context.Context, pid string) (Negotiation, error) {
	return s.act(ctx, pid, func(n *Negotiation, st *step) error {
		if err := n.mayBegin(dsp.TypeAgreement); err != nil {
			return err
		}
		peer, err := s.cfg.Directory.Lookup(ctx, n.Peer)
		if err != nil {
			return err
		}
		d, err := s.dataset(ctx, n.Dataset)
		if err != nil {
			return err
		}
		st.byHand = true
		return s.answer(ctx, n, d, peer, st)
	})
}

// Finalize makes an agreement final that both sides have verified, where a
// person does that.
func (s *Service) Finalize(ctx context.Context, pid string) (Negotiation, error) {
	return s.act(ctx, pid, func(n *Negotiation, st *step) error {
		if err := n.mayBegin(dsp.TypeEventFinalized); err != nil {
			return err
		}
		a, err := s.Agreement(ctx, n.Agreement)
		if err != nil {
			return err
		}
		st.agr = &a
		s.finalize(n, st)
		return nil
	})
}

// finalize puts into the step that the agreement stands, and tells the
// consumer.
func (s *Service) finalize(n *Negotiation, st *step) {
	n.Parked = ""
	st.agr.State = AgreementInForce
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(dsp.Finalized), Digests: map[string]string{"agreement": st.agr.Digest}}})
	out := &dsp.ContractNegotiationEventMessage{Pids: n.pids(), EventType: dsp.Finalized}
	st.say(out, &out.Extensions, dsp.Consumer, dsp.Finalized)
}

// mayBegin says why this side cannot send a message now, or nil.
func (n *Negotiation) mayBegin(m dsp.Type) error {
	if n.Pending != dsp.None {
		return onItsWay(n.PID, n.Pending)
	}
	_, err := dsp.NextNegotiation(n.Role, n.State, m, n.Role)
	return err
}

func (t *Transfer) mayBegin(m dsp.Type) error {
	if t.Pending != dsp.None {
		return onItsWay(t.PID, t.Pending)
	}
	_, err := dsp.NextTransfer(t.Role, t.State, m, t.Role)
	return err
}

// Start starts a transfer that waits for a person, as its provider. The law is
// asked again.
func (s *Service) Start(ctx context.Context, pid string) (Transfer, error) {
	return s.actWhole(ctx, pid, func(t *Transfer, st *step) error {
		if err := t.mayBegin(dsp.TypeTransferStart); err != nil {
			return err
		}
		if t.State != dsp.Requested {
			return &corridor.Error{Kind: corridor.Conflict, Msg: "this transfer is " + stateName(t.State) + " and was started before", Fix: "resume it"}
		}
		return s.restart(ctx, t, st)
	})
}

// Complete ends a transfer as complete by a person's word, where the bytes
// went or came by another way than through this node. It vouches for none.
func (s *Service) Complete(ctx context.Context, pid string) (Transfer, error) {
	return s.actWhole(ctx, pid, func(t *Transfer, st *step) error {
		if err := t.mayBegin(dsp.TypeCompletion); err != nil {
			return err
		}
		t.Parked = ""
		st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferCompleted, State: string(dsp.Completed), Reason: "completed by the operator"}}}
		m := &dsp.TransferCompletionMessage{Pids: t.pids()}
		st.say(m, &m.Extensions, t.Role.Other(), dsp.Completed)
		st.after = append(st.after, func() { s.cut(t.PID, string(dsp.Completed)) })
		return nil
	})
}
