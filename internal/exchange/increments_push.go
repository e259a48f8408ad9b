package exchange

import (
	"context"
	"encoding/json"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/plane"
	"corridor/internal/store"
)

// Of data that goes on and is pushed, the provider begins each increment as soon
// as it was added and its own law permits it. It then offers the increment, with
// its numbers of people, to the consumer, whose law is asked too and who
// answers with the address to push it to: as in a pull, but the other way round.

// nextToPush begins the next increment as its provider; nil: none was added yet.
func (s *Service) nextToPush(ctx context.Context, t *Transfer, number int64) (*Transfer, error) {
	d, err := s.dataset(ctx, t.Dataset)
	if err != nil {
		return nil, err
	}
	if _, err := s.incrementOf(ctx, d, number); err != nil {
		if corridor.KindOf(err) == corridor.NotFound {
			err = nil
		}
		return nil, err
	}
	peer, err := s.cfg.Directory.Lookup(ctx, t.Peer)
	if err != nil {
		return nil, err
	}
	part, err := s.beginIncrement(ctx, peer.Participant, t, number)
	if err != nil {
		return nil, err
	}
	return &part, nil
}

// pushIncrement offers an increment and sends it where the consumer wants it.
// One that the consumer has taken already has only its last word to say.
func (s *Service) pushIncrement(ctx context.Context, part *Transfer) (err error) {
	if part.Acknowledged != nil {
		return s.delivered(ctx, part.PID, plane.Result{Rows: part.Rows, Bytes: part.Bytes, SHA256: part.SHA256})
	}
	if part.address, err = s.offerIncrement(ctx, part); err != nil {
		return err
	}
	return s.push(ctx, part)
}

// The pauses between two offers of an increment to a consumer that is away.
const (
	offerAgain      = time.Second
	longestOfferGap = 30 * time.Second
)

// offerIncrement asks the consumer where it takes an increment. One that is away
// is waited for as long as a message is repeated.
func (s *Service) offerIncrement(ctx context.Context, part *Transfer) (*dsp.DataAddress, error) {
	d, _, err := s.datasetOf(ctx, part)
	if err != nil {
		return nil, err
	}
	m := &dsp.TransferStartMessage{Pids: part.pids()}
	if m.Facts, err = json.Marshal(d.PublicFacts()); err != nil {
		return nil, corridor.E(corridor.Internal, "facts of an increment: %w", err)
	}
	wait, cancel := s.untilGivenUp(ctx, part)
	defer cancel()
	for pause := offerAgain; ; pause = min(2*pause, longestOfferGap) {
		reply, err := s.client.Post(wait, dsp.Peer{ID: part.Peer, Base: part.Callback}, AddressPath(part.PeerPID), m)
		if err == nil {
			return s.sinkOf(ctx, part, reply)
		}
		if dsp.Permanent(err) {
			return nil, err
		}
		select {
		case <-wait.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}

// sinkOf reads and checks the consumer's answer to an offer.
func (s *Service) sinkOf(ctx context.Context, part *Transfer, reply *dsp.Reply) (*dsp.DataAddress, error) {
	m, err := dsp.Decode[dsp.TransferStartMessage](reply.Body)
	if err != nil {
		return nil, err
	}
	if m.Pids != part.pids() {
		return nil, corridor.E(corridor.Invalid, "the consumer answers about %s, and was asked about %s", clip(m.ConsumerPid), part.PeerPID)
	}
	return m.DataAddress, s.checkSinkAt(ctx, m.DataAddress, part.Callback)
}

// IncrementOffered takes a provider's offer of the next increment of data that
// it pushes, and says where to. The increment begins here with that, if our law
// permits it; else the whole transfer is suspended.
func (s *Service) IncrementOffered(ctx context.Context, c identity.Caller, pid string, m *dsp.TransferStartMessage) (out *dsp.TransferStartMessage, err error) {
	of, number, ok := splitIncrement(pid)
	if !ok {
		return nil, noSuch("increment", pid)
	}
	err = again(func() error {
		t, err := s.transfer(ctx, of)
		if err != nil {
			return err
		}
		if t.Peer != c.DID || t.Role != dsp.Consumer || !t.growing() || !t.pushed() {
			return noSuch("transfer", of)
		}
		if want := (dsp.Pids{ProviderPid: incrementPID(t.PeerPID, number), ConsumerPid: pid}); m.Pids != want {
			return corridor.E(corridor.Invalid, "the message is about %s, and this is %s", clip(m.ConsumerPid), clip(pid))
		}
		part, err := s.takeIncrement(ctx, &t, number, m)
		if err != nil {
			return err
		}
		out = &dsp.TransferStartMessage{Pids: part.pids()}
		out.DataAddress, err = s.sinkAddress(part)
		return err
	})
	return out, err
}

// takeIncrement gives an increment that may come in, and begins it if that is
// its turn.
func (s *Service) takeIncrement(ctx context.Context, t *Transfer, number int64, m *dsp.TransferStartMessage) (*Transfer, error) {
	part, err := s.transfer(ctx, incrementPID(t.PID, number))
	if err == nil {
		return &part, orElse(part.takes(), s.takesOf(ctx, &part))
	}
	if corridor.KindOf(err) != corridor.NotFound {
		return nil, err
	}
	if err := t.open(); err != nil {
		return nil, err
	}
	if err := s.itsTurn(ctx, t, number); err != nil {
		return nil, err
	}
	begun, refused, err := s.acceptIncrement(ctx, t, number, m)
	return begun, orElse(err, refused)
}

// itsTurn refuses an increment that is offered before the one before it is here.
func (s *Service) itsTurn(ctx context.Context, t *Transfer, number int64) error {
	if number == 1 && t.Increments == 0 {
		return nil
	}
	before, err := s.transfer(ctx, incrementPID(t.PID, number-1))
	if err == nil && before.Received != nil && t.Increments == number-1 {
		return nil
	}
	if err != nil && corridor.KindOf(err) != corridor.NotFound {
		return err
	}
	return &corridor.Error{Kind: corridor.Conflict, Msg: "this is not the next increment", Fix: "push the increments in their order"}
}

// confirmIncrement says, when its transfer ends, of an increment that is all
// there and was pushed that it is: its provider may have been stopped before it
// heard so. Of one that was fetched the completion is under way already.
func (s *Service) confirmIncrement(ctx context.Context, tx *store.Tx, part *Transfer) error {
	if part.Role != dsp.Consumer || !part.pushed() || part.Received == nil || part.Pending != dsp.None {
		return nil
	}
	st := &step{tr: part, quotes: []corridor.ReceiptRef{*part.Received}}
	m := &dsp.TransferCompletionMessage{Pids: part.pids()}
	st.say(m, &m.Extensions, dsp.Provider, dsp.Completed)
	part.Parked = ""
	return s.write(ctx, tx, st)
}
