package dsp

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"corridor"
)

// move is one arrow of a state machine: in state from, a message of type msg
// sent by one of the roles leads to state to.
type move struct {
	from State
	msg  Type
	by   []Role
	to   State
}

// machine is a state machine of the protocol. The same table serves both
// sides: a message that one side may send is what the other may take.
type machine struct {
	what   string
	moves  []move
	states []State
}

// negotiations is the state machine of contract negotiations.
var negotiations = sync.OnceValue(func() machine {
	consumer, provider, either := []Role{Consumer}, []Role{Provider}, []Role{Consumer, Provider}
	m := machine{
		what:   "negotiation",
		states: []State{None, Requested, Offered, Accepted, Agreed, Verified, Finalized, Terminated},
		moves: []move{
			{None, TypeContractRequest, consumer, Requested},
			{None, TypeContractOffer, provider, Offered},
			{Requested, TypeContractOffer, provider, Offered},
			{Requested, TypeAgreement, provider, Agreed},
			{Offered, TypeContractRequest, consumer, Requested},
			{Offered, TypeEventAccepted, consumer, Accepted},
			{Accepted, TypeAgreement, provider, Agreed},
			{Agreed, TypeVerification, consumer, Verified},
			{Verified, TypeEventFinalized, provider, Finalized},
		},
	}
	for _, s := range []State{Requested, Offered, Accepted, Agreed, Verified} {
		m.moves = append(m.moves, move{s, TypeNegTermination, either, Terminated})
	}
	return m
})

// transfers is the state machine of transfer processes. The text of DSP is of
// two minds about who may start a suspended transfer again: its message table
// says the provider, its HTTPS binding lets the consumer attempt it at the
// provider. The table allows both; the exchange decides whether to agree.
var transfers = sync.OnceValue(func() machine {
	consumer, provider, either := []Role{Consumer}, []Role{Provider}, []Role{Consumer, Provider}
	return machine{
		what:   "transfer",
		states: []State{None, Requested, Started, Suspended, Completed, Terminated},
		moves: []move{
			{None, TypeTransferRequest, consumer, Requested},
			{Requested, TypeTransferStart, provider, Started},
			{Started, TypeSuspension, either, Suspended},
			{Started, TypeCompletion, either, Completed},
			{Suspended, TypeTransferStart, either, Started},
			{Requested, TypeTermination, either, Terminated},
			{Started, TypeTermination, either, Terminated},
			{Suspended, TypeTermination, either, Terminated},
		},
	}
})

// NextNegotiation gives the state to which a message leads a negotiation.
// Role is the side that asks: it words the refusal, never the outcome. From
// is the side that sent, or is about to send, the message. An illegal move is
// a *corridor.Error of kind Conflict that says what is allowed from here; a
// message that the sender may not send in any state is of kind Invalid.
func NextNegotiation(role Role, current State, msg Type, from Role) (State, error) {
	return negotiations().next(role, current, msg, from)
}

// NextTransfer gives the state to which a message leads a transfer. See
// NextNegotiation.
func NextTransfer(role Role, current State, msg Type, from Role) (State, error) {
	return transfers().next(role, current, msg, from)
}

// NegotiationMoves lists what a side may send in a state of a negotiation.
func NegotiationMoves(current State, from Role) []Type { return negotiations().allowed(current, from) }

// TransferMoves lists what a side may send in a state of a transfer.
func TransferMoves(current State, from Role) []Type { return transfers().allowed(current, from) }

func (m machine) next(role Role, current State, msg Type, from Role) (State, error) {
	for _, r := range []Role{role, from} {
		if r != Provider && r != Consumer {
			return current, corridor.E(corridor.Internal, "%q is not a role", r)
		}
	}
	if !slices.Contains(m.states, current) {
		return current, corridor.E(corridor.Internal, "%q is not a state of a %s", current, m.what)
	}
	ever := false
	for _, t := range m.moves {
		if t.msg != msg || !slices.Contains(t.by, from) {
			continue
		}
		if t.from == current {
			return t.to, nil
		}
		ever = true
	}
	if !ever {
		return current, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("a %s never sends %s in a %s", from, msg, m.what), Why: m.source()}
	}
	return current, &corridor.Error{Kind: corridor.Conflict, Msg: m.refusal(role, current, msg, from), Why: m.source(), Fix: m.advice(current)}
}

func (m machine) refusal(role Role, current State, msg Type, from Role) string {
	verb := "take"
	if role == from {
		verb = "send"
	}
	return fmt.Sprintf("a %s that is %s cannot %s %s", m.what, current.words(), verb, msg)
}

func (m machine) source() string { return "DSP " + Version + ", " + m.what + " state machine" }

func (m machine) advice(current State) string {
	if current.Final() {
		return fmt.Sprintf("%s is final: open a new %s", current, m.what)
	}
	var parts []string
	for _, r := range []Role{Consumer, Provider} {
		if list := m.allowed(current, r); len(list) > 0 {
			names := make([]string, len(list))
			for i, t := range list {
				names[i] = string(t)
			}
			parts = append(parts, fmt.Sprintf("the %s may send %s", r, strings.Join(names, " or ")))
		}
	}
	return "from here " + strings.Join(parts, "; ")
}

func (m machine) allowed(current State, from Role) []Type {
	var out []Type
	for _, t := range m.moves {
		if t.from == current && slices.Contains(t.by, from) {
			out = append(out, t.msg)
		}
	}
	return out
}

func (s State) words() string {
	if s == None {
		return "not begun"
	}
	return string(s)
}
