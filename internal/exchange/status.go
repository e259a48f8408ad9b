package exchange

import (
	"context"
	"fmt"
	"time"

	"corridor/internal/dsp"
	"corridor/internal/store"
)

// settleWaiting says, whenever a record is written, on whom it waits from now
// on.
func (n *Negotiation) settleWaiting(now time.Time) {
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
	n.Waiting = since(n.Waiting, w, now)
}

func (n *Negotiation) whatAPersonCanDo() string {
	switch {
	case n.Role == dsp.Consumer && n.State == dsp.Offered:
		return "accept, counter or terminate"
	case n.Role == dsp.Consumer && n.State == dsp.Agreed:
		return "verify or terminate"
	case n.Role == dsp.Provider && n.State == dsp.Requested:
		return "approve, reject, or offer other terms"
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

func (t *Transfer) settleWaiting(now time.Time) {
	var w Waiting
	switch {
	case t.State.Final():
		t.Waiting, t.Parked = nil, ""
		return
	case t.Pending != dsp.None:
		w = Waiting{On: "peer", Why: fmt.Sprintf("our message that leads to %s is on its way", t.Pending), Next: "it is repeated until the peer acknowledges it"}
	case t.Parked != "":
		w = Waiting{On: "operator", Why: t.Parked, Next: "resume or terminate"}
	case t.State == dsp.Suspended && t.StoppedBy == t.Role:
		w = Waiting{On: "operator", Why: "suspended here", Next: "resume or terminate"}
	case t.State == dsp.Suspended:
		w = Waiting{On: "peer", Why: "suspended by the " + string(t.StoppedBy), Next: "the peer resumes, or either side terminates"}
	case t.Role == dsp.Consumer && t.State == dsp.Requested:
		w = Waiting{On: "peer", Why: "the provider decides whether to start", Next: "the data's address or a refusal arrives"}
	case t.Role == dsp.Consumer:
		w = Waiting{On: "node", Why: "the data is being fetched", Next: "the file appears when its digest has been checked"}
	case t.State == dsp.Requested:
		w = Waiting{On: "operator", Why: "a person starts every transfer (manual.start)", Next: "resume to start it, or terminate"}
	default:
		w = Waiting{On: "peer", Why: "the consumer fetches the data", Next: "its receipt of the whole file arrives"}
	}
	t.Waiting = since(t.Waiting, w, now)
}

// Status is an overview of the node: how much there is of everything, and
// what waits on a person.
type Status struct {
	DID          string           `json:"did"`
	Jurisdiction string           `json:"jurisdiction"`
	Negotiations map[string]int64 `json:"negotiations"` // by state
	Agreements   map[string]int64 `json:"agreements"`
	Transfers    map[string]int64 `json:"transfers"`
	Tasks        map[string]int64 `json:"tasks"`  // duties, by state: look at overdue first
	People       map[string]int64 `json:"people"` // let go this year, at most, by kind: see Counters
	Outbox       map[string]int64 `json:"outbox"` // ready, waiting, failed
	Log          LogStatus        `json:"log"`
	Waiting      []Pending        `json:"waiting"` // the oldest first, at most 100
}

// LogStatus is the state of the node's log.
type LogStatus struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
}

// Pending is one process that is not finished.
type Pending struct {
	Kind  string    `json:"kind"` // negotiation or transfer
	PID   string    `json:"pid"`
	Peer  string    `json:"peer"`
	State dsp.State `json:"state"`
	Waiting
}

// Status gives the overview.
func (s *Service) Status(ctx context.Context) (Status, error) {
	out := Status{DID: s.cfg.Self.DID, Jurisdiction: s.cfg.Self.Jurisdiction, Waiting: []Pending{},
		Log: LogStatus{Origin: s.cfg.Ledger.Origin(), Size: s.cfg.Ledger.Size()}}
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		for _, c := range []struct {
			table string
			into  *map[string]int64
		}{{"negotiations", &out.Negotiations}, {"agreements", &out.Agreements}, {"transfers", &out.Transfers}, {"tasks", &out.Tasks}, {"outbox", &out.Outbox}} {
			if *c.into, err = byState(ctx, tx, c.table); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("status: %w", err)
	}
	counts, err := s.Counters(ctx, false)
	if err != nil {
		return out, err
	}
	out.People = map[string]int64{}
	for _, c := range counts.Items {
		out.People[c.Kind] = c.High
	}
	for _, state := range []dsp.State{dsp.None, dsp.Requested, dsp.Offered, dsp.Accepted, dsp.Agreed, dsp.Verified} {
		list, err := s.negotiationsIn(ctx, state)
		if err != nil {
			return out, err
		}
		for _, n := range list {
			if n.Waiting != nil {
				out.Waiting = append(out.Waiting, Pending{"negotiation", n.PID, n.Peer, n.State, *n.Waiting})
			}
		}
	}
	for _, state := range []dsp.State{dsp.Requested, dsp.Started, dsp.Suspended} {
		list, _, err := s.Transfers(ctx, Page{State: string(state)})
		if err != nil {
			return out, err
		}
		for _, t := range list {
			if t.Waiting != nil {
				out.Waiting = append(out.Waiting, Pending{"transfer", t.PID, t.Peer, t.State, *t.Waiting})
			}
		}
	}
	return out, nil
}

func byState(ctx context.Context, tx *store.Tx, table string) (map[string]int64, error) {
	rows, err := tx.Query(ctx, `SELECT state, COUNT(*) FROM `+table+` GROUP BY state`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var state string
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return nil, err
		}
		if state == "" {
			state = "not sent"
		}
		out[state] = n
	}
	return out, rows.Err()
}

// negotiationsIn lists the first page of one state, None included, which Page
// cannot name.
func (s *Service) negotiationsIn(ctx context.Context, state dsp.State) (page []Negotiation, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT doc, version FROM negotiations WHERE state = ? ORDER BY pid LIMIT ?`, string(state), maxPage)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var doc string
			var n Negotiation
			if err := rows.Scan(&doc, &n.version); err != nil {
				return err
			}
			if err := unmarshal(doc, &n); err != nil {
				return err
			}
			page = append(page, n)
		}
		return rows.Err()
	})
	return page, err
}
