package exchange

import (
	"context"
	"fmt"

	"corridor"
	"corridor/internal/dsp"
)

// Approval is a person's act on a negotiation that waits for one.
type Approval struct {
	By        string                       `json:"by"`
	Reference string                       `json:"reference"` // file number of the permit, certificate or resolution
	Note      string                       `json:"note,omitempty"`
	Evidence  map[string]corridor.Evidence `json:"evidence,omitempty"`
	// Side is whose decision the act lifts. Empty: our own. That of the peer
	// can be named only where it is plain and its side was decided here.
	Side corridor.Side `json:"side,omitempty"`
}

// side is the side of the law that this node decides in a negotiation.
func (n *Negotiation) side() corridor.Side {
	if n.Role == dsp.Provider {
		return corridor.Export
	}
	return corridor.Import
}

// approves says whose decision an act on this node may lift.
func (n *Negotiation) approves(side corridor.Side) (corridor.Side, error) {
	switch {
	case side == "" || side == n.side():
		return n.side(), nil
	case n.Plain && (side == corridor.Export || side == corridor.Import):
		return side, nil
	}
	return side, &corridor.Error{Kind: corridor.Forbidden, Where: "side", Msg: fmt.Sprintf("the %s side is not ours to approve", side),
		Why: "each side answers for its own law", Fix: "the peer obtains its approval and brings it"}
}

// Approve lets a parked negotiation go on. The approval is a receipt of its
// own and is quoted in the agreement. It lifts what our own law said may not
// go without one; it does not lift a denial, a missing fact, missing evidence,
// or anything of the other side.
func (s *Service) Approve(ctx context.Context, pid string, a Approval) (Negotiation, error) {
	if a.By == "" || a.Reference == "" {
		return Negotiation{}, &corridor.Error{Kind: corridor.Invalid, Msg: "an approval names who gives it and under which reference", Fix: "give by and reference"}
	}
	return s.act(ctx, pid, func(n *Negotiation, st *step) error {
		if n.Parked == "" {
			return notParked(n)
		}
		side, err := n.approves(a.Side)
		if err != nil {
			return err
		}
		if err := s.look(ctx, n); err != nil {
			return err
		}
		if err := s.wordTaken(ctx, n, side); err != nil {
			return err
		}
		n.Evidence = merged(n.Evidence, a.Evidence)
		n.given(corridor.Approval{Side: side, By: a.By, Reference: a.Reference, Note: a.Note, Time: dsp.FormatTime(s.now())})
		st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptApproval, State: string(n.State),
			Reason: short("approved by "+a.By, []string{a.Reference})}})
		return s.goOn(ctx, n, st)
	})
}

// goOn takes up a negotiation where a person's act left it. The law is asked
// again: it may have moved while the negotiation was parked.
func (s *Service) goOn(ctx context.Context, n *Negotiation, st *step) error {
	peer, err := s.cfg.Directory.Lookup(ctx, n.Peer)
	if err != nil {
		return err
	}
	switch {
	case n.Role == dsp.Provider && (n.State == dsp.Requested || n.State == dsp.Accepted):
		d, err := s.dataset(ctx, n.Dataset)
		if err != nil {
			return err
		}
		return s.answer(ctx, n, d, peer, st)
	case n.Role == dsp.Consumer && (n.State == dsp.None || n.State == dsp.Offered && n.Countering):
		_, err := s.ask(ctx, n, peer, st)
		return err
	case n.Role == dsp.Consumer && n.State == dsp.Offered:
		return s.accept(ctx, n, peer, st)
	case n.Role == dsp.Consumer && n.State == dsp.Agreed:
		a, err := s.Agreement(ctx, n.Agreement)
		if err != nil {
			return err
		}
		return s.verification(ctx, n, &a, st)
	}
	return notParked(n)
}

func notParked(n *Negotiation) error {
	return &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("negotiation %s is %s and waits for no approval", n.PID, stateName(n.State)), Fix: "see whom it waits for: corridor status"}
}

func stateName(s dsp.State) string {
	if s == dsp.None {
		return "not sent yet"
	}
	return string(s)
}

// Verify signs an agreement by hand, where manual.verify holds it back.
func (s *Service) Verify(ctx context.Context, pid string) (Negotiation, error) {
	return s.act(ctx, pid, func(n *Negotiation, st *step) error {
		if err := n.mayBegin(dsp.TypeVerification); err != nil {
			return err
		}
		if refused, err := s.redecide(ctx, n); err != nil || refused != nil {
			if err != nil {
				return err
			}
			return s.refuse(n, refused, st)
		}
		return s.goOn(ctx, n, st)
	})
}

// Reject ends a parked negotiation by a person's word.
func (s *Service) Reject(ctx context.Context, pid, by, reason string) (Negotiation, error) {
	if by == "" || reason == "" {
		return Negotiation{}, &corridor.Error{Kind: corridor.Invalid, Msg: "a rejection names who rejects and why", Fix: "give by and reason"}
	}
	return s.act(ctx, pid, func(n *Negotiation, st *step) error {
		if n.Parked == "" {
			return notParked(n)
		}
		return s.refuse(n, &corridor.Error{Kind: corridor.Forbidden, Msg: reason, Why: "decided by " + by}, st)
	})
}

// Terminate ends a negotiation from this side.
func (s *Service) Terminate(ctx context.Context, pid, code, reason string) (Negotiation, error) {
	return s.act(ctx, pid, func(n *Negotiation, st *step) error {
		return s.terminate(ctx, n, st, code, reasons(reason))
	})
}

// terminate puts into a step that a negotiation is ended from this side.
func (s *Service) terminate(ctx context.Context, n *Negotiation, st *step, code string, why []string) error {
	if n.State != dsp.None {
		if _, err := dsp.NextNegotiation(n.Role, n.State, dsp.TypeNegTermination, n.Role); err != nil {
			return err
		}
	}
	if n.Pending.Final() { // the peer may have the last word of it already
		return onItsWay(n.PID, n.Pending)
	}
	if n.PeerPID != "" || n.Pending == dsp.None { // else the peer may have our first message: see toldOfEnd
		n.PendingName = ""
	}
	n.State, n.Pending, n.Parked, n.Code, n.Reason = dsp.Terminated, dsp.None, "", code, why
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptNegotiation, State: string(n.State), Reason: short(code, n.Reason)}})
	if err := s.dropAgreement(ctx, n, st); err != nil {
		return err
	}
	if n.PeerPID != "" {
		s.sayTermination(n, st)
	}
	return nil
}

// toldOfEnd goes on with a negotiation that was ended here while it was not
// known whether the peer had our first message, nor under which name. That
// message is repeated all the same; once the peer has named the negotiation,
// it hears that it is over.
func (s *Service) toldOfEnd(n *Negotiation, reply *dsp.Reply, st *step) {
	n.PendingName = ""
	if p, err := reply.Negotiation(); err == nil {
		n.PeerPID = theirs(p.Pids, n.Role)
	}
	if n.PeerPID != "" {
		s.sayTermination(n, st)
	}
}

func reasons(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// dropAgreement marks an agreement that will not come into force.
func (s *Service) dropAgreement(ctx context.Context, n *Negotiation, st *step) error {
	if n.Agreement == "" || st.agr != nil {
		return nil
	}
	a, err := s.Agreement(ctx, n.Agreement)
	if corridor.KindOf(err) == corridor.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	a.State = AgreementTerminated
	st.agr = &a
	return nil
}

// act is an operator's act on one negotiation: load, change, commit; and once
// more if it changed meanwhile.
func (s *Service) act(ctx context.Context, pid string, do func(*Negotiation, *step) error) (Negotiation, error) {
	var n Negotiation
	err := again(func() (err error) {
		if n, err = s.Negotiation(ctx, pid); err != nil {
			return err
		}
		st := &step{neg: &n}
		if err := do(&n, st); err != nil {
			return err
		}
		return s.commit(ctx, st)
	})
	return n, err
}
