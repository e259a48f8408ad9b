package exchange

import (
	"context"
	"fmt"
	"time"

	"corridor/internal/dsp"
	"corridor/internal/store"
)

// Nothing waits for ever. Every record that is not at its end says on whom it
// waits and when the node does something about it by itself: a message is
// given up, a fetch is left to a person, a process on which nobody has acted
// is ended and the peer is told (expiry.go).

// limits are how long is waited for what.
type limits struct {
	message time.Duration // a message is repeated, a stream taken up again
	peer    time.Duration // a peer has our last word and says nothing
	person  time.Duration // a person of this node has something to decide
}

func (l limits) of(pending dsp.State, w Waiting) time.Duration {
	switch {
	case pending != dsp.None, w.On == "node":
		return l.message
	case w.On == "operator":
		return l.person
	}
	return l.peer
}

// dated keeps the moment at which a wait began, and its end, while its reason
// stays. A message that was enqueued just now has its own end.
func (w Waiting) dated(old *Waiting, now time.Time, limit time.Duration, sendBy time.Time) *Waiting {
	by := now.Add(limit)
	w.Since = now
	if old != nil && old.On == w.On && old.Why == w.Why {
		w.Since = old.Since
		if old.By != nil {
			by = *old.By
		}
	}
	if !sendBy.IsZero() {
		by = sendBy
	}
	by = by.UTC()
	w.By = &by
	return &w
}

// end says what the node does when nothing has happened by then.
func (w *Waiting) end(what string, pending dsp.State) string {
	switch {
	case pending == dsp.Finalized || pending == dsp.Completed:
		return "it is given up, and a person of this node decides"
	case pending != dsp.None:
		return "it is given up; what cannot go on without it ends"
	case w.On == "node":
		return "the node gives up, and a person of this node decides"
	case w.On == "operator":
		return "the node ends the " + what + " because nobody has acted, and tells the peer"
	}
	return "the node ends the " + what + " because the peer is silent, and tells it"
}

// grace is what a stream that is given up has to say so itself.
const grace = 5 * time.Minute

// due is when a record is looked at because its wait is over; empty: the
// outbox sees to it, or nothing waits.
func due(w *Waiting, pending dsp.State) string {
	switch {
	case w == nil || w.By == nil || pending != dsp.None:
		return ""
	case w.On == "node":
		return dsp.FormatTime(w.By.Add(grace))
	}
	return dsp.FormatTime(*w.By)
}

func (n *Negotiation) due() string { return due(n.Waiting, n.Pending) }

// due of an increment that has not gone or come as a whole is that of its
// transfer.
func (t *Transfer) due() string {
	if t.PartOf != "" && t.SHA256 == "" {
		return ""
	}
	return due(t.Waiting, t.Pending)
}

// settleWaiting says, whenever a record is written, on whom it waits from now
// on, and until when.
func (n *Negotiation) settleWaiting(now time.Time, l limits) {
	var w Waiting
	switch {
	case n.State.Final():
		n.Waiting, n.Parked = nil, ""
		return
	case n.Pending != dsp.None:
		w = Waiting{On: "peer", Why: fmt.Sprintf("our message that leads to %s is on its way", n.Pending), Next: "it is repeated until the peer acknowledges it"}
	case n.Parked != "":
		w = Waiting{On: "operator", Why: n.Parked, Next: n.whatAPersonCanDo()}
	default:
		w = n.usualWait()
	}
	n.Waiting = w.dated(n.Waiting, now, l.of(n.Pending, w), n.sendBy)
	n.Waiting.Then, n.sendBy = n.Waiting.end("negotiation", n.Pending), time.Time{}
}

func (n *Negotiation) whatAPersonCanDo() string {
	switch {
	case n.Role == dsp.Consumer && n.State == dsp.Offered:
		return "accept, counter or terminate"
	case n.Role == dsp.Consumer && n.State == dsp.Agreed:
		return "verify or terminate"
	case n.Role == dsp.Provider && n.State == dsp.Requested:
		return "approve, agree, reject, or offer other terms"
	case n.Role == dsp.Provider && n.State == dsp.Accepted:
		return "approve, agree or reject"
	case n.Role == dsp.Provider && n.State == dsp.Verified:
		return "finalize or terminate"
	}
	return "approve or reject"
}

func (n *Negotiation) usualWait() Waiting {
	type at struct {
		role  dsp.Role
		state dsp.State
	}
	switch (at{n.Role, n.State}) {
	case at{dsp.Consumer, dsp.Requested}:
		return Waiting{On: "peer", Why: "the provider decides on the request", Next: "an agreement, an offer or a refusal arrives"}
	case at{dsp.Consumer, dsp.Accepted}:
		return Waiting{On: "peer", Why: "the provider writes the agreement", Next: "an agreement or a refusal arrives"}
	case at{dsp.Consumer, dsp.Verified}:
		return Waiting{On: "peer", Why: "the provider makes the agreement final", Next: "the final word arrives"}
	case at{dsp.Provider, dsp.Offered}:
		return Waiting{On: "peer", Why: "the consumer decides on the offer", Next: "an acceptance, a counter-request or a refusal arrives"}
	case at{dsp.Provider, dsp.Agreed}:
		return Waiting{On: "peer", Why: "the consumer checks and signs the agreement", Next: "its verification arrives"}
	}
	return Waiting{On: "operator", Why: "nothing happens by itself from here", Next: "approve, reject or terminate"}
}

func (t *Transfer) whatAPersonCanDo() string {
	switch {
	case t.Role == dsp.Provider && t.State == dsp.Requested:
		return "start or terminate"
	case t.Role == dsp.Consumer && t.State == dsp.Started:
		return "resume to fetch, finish if the data came another way, or terminate"
	}
	return "resume or terminate"
}

func (t *Transfer) settleWaiting(now time.Time, l limits) {
	if t.State != dsp.Started || t.Pending != dsp.None || t.Parked != "" {
		t.Stalled = nil
	}
	t.Waiting, t.sendBy = t.waits(now, l), time.Time{}
	if t.Waiting == nil {
		t.Parked = ""
	}
}

// waits says on whom a transfer waits from now on; nil: it is at its end.
func (t *Transfer) waits(now time.Time, l limits) *Waiting {
	var w Waiting
	switch {
	case t.State.Final():
		return nil
	case t.Pending != dsp.None:
		w = Waiting{On: "peer", Why: fmt.Sprintf("our message that leads to %s is on its way", t.Pending), Next: "it is repeated until the peer acknowledges it"}
	case t.Parked != "":
		w = Waiting{On: "operator", Why: t.Parked, Next: t.whatAPersonCanDo()}
	case t.Unconfirmed != nil && !t.confirmed():
		w = Waiting{On: "operator", Why: fmt.Sprintf("released, and not confirmed by %s: entry %d of the log", t.ConfirmBy, t.Unconfirmed.Index), Next: "ask the consumer, or terminate; its confirmation is still taken"}
	case t.State == dsp.Suspended && t.StoppedBy == t.Role:
		w = Waiting{On: "operator", Why: "suspended here", Next: "resume or terminate"}
	case t.State == dsp.Suspended:
		w = Waiting{On: "peer", Why: "suspended by the " + string(t.StoppedBy), Next: "the peer resumes, or either side terminates"}
	case t.Stalled != nil:
		w = Waiting{On: "node", Why: "it is not known whether the data may move", Next: "it is tried again by itself; " + t.Stalled.Why, Retry: &t.Stalled.Retry}
	case t.growing() && t.State == dsp.Started && t.pushed():
		w = Waiting{On: "peer", Why: fmt.Sprintf("the data goes on; increments so far: %d", t.Increments), Next: "what is added (corridor append) is pushed; either side completes it"}
	case t.growing() && t.State == dsp.Started && t.Role == dsp.Consumer:
		w = Waiting{On: "peer", Why: fmt.Sprintf("the data goes on; increments so far: %d", t.Increments), Next: "the provider says when there is more, and is asked now and then; either side completes it"}
	case t.growing() && t.State == dsp.Started:
		w = Waiting{On: "peer", Why: fmt.Sprintf("the data goes on; increments so far: %d", t.Increments), Next: "the consumer asks for what is added (corridor append); either side completes it"}
	case t.Role == dsp.Consumer && t.State == dsp.Requested:
		w = Waiting{On: "peer", Why: "the provider decides whether to start", Next: "the data's address or a refusal arrives"}
	case t.Role == dsp.Consumer && t.pushed():
		w = Waiting{On: "peer", Why: "the provider pushes the data", Next: "the file appears when all of it is here; then the provider says that it is complete"}
	case t.Role == dsp.Consumer:
		w = Waiting{On: "node", Why: "the data is being fetched", Next: "the file appears when its digest has been checked"}
	case t.State == dsp.Requested:
		w = Waiting{On: "operator", Why: "a person starts every transfer (manual.start)", Next: "start or terminate"}
	case t.pushed():
		w = Waiting{On: "node", Why: "the data is being pushed", Next: "the consumer's answer that all of it is there"}
	default:
		w = Waiting{On: "peer", Why: "the consumer fetches the data", Next: "its receipt of the whole file arrives"}
	}
	limit := l.of(t.Pending, w)
	if t.State == dsp.Suspended && t.Pending == dsp.None {
		limit = l.person // whoever suspended it, a person there takes it up again
	}
	out := w.dated(t.Waiting, now, limit, t.sendBy)
	out.Then = out.end("transfer", t.Pending)
	return out
}

// retriesOf looks up when messages that are on their way are sent again.
func (s *Service) retriesOf(ctx context.Context, negotiations []Negotiation, transfers []Transfer) error {
	type late struct {
		into   **Waiting
		outbox int64
	}
	var all []late
	for i := range negotiations {
		if n := &negotiations[i]; n.Pending != dsp.None && n.Waiting != nil {
			all = append(all, late{&n.Waiting, n.outbox})
		}
	}
	for i := range transfers {
		if t := &transfers[i]; t.Pending != dsp.None && t.Waiting != nil {
			all = append(all, late{&t.Waiting, t.outbox})
		}
	}
	if len(all) == 0 {
		return nil
	}
	return s.db.Read(ctx, func(tx *store.Tx) error {
		for _, l := range all {
			at, failed, err := store.NextAttempt(ctx, tx, l.outbox)
			if err != nil {
				return err
			}
			if failed {
				w := **l.into
				w.Retry = &at
				*l.into = &w
			}
		}
		return nil
	})
}

// Shown gives a negotiation as it is shown to an operator.
func (s *Service) Shown(ctx context.Context, n Negotiation) (Negotiation, error) {
	one := []Negotiation{n}
	err := s.retriesOf(ctx, one, nil)
	return one[0], err
}

// ShownTransfer gives a transfer as it is shown to an operator.
func (s *Service) ShownTransfer(ctx context.Context, t Transfer) (Transfer, error) {
	one := []Transfer{t}
	err := s.retriesOf(ctx, nil, one)
	return one[0], err
}
