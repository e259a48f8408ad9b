package exchange

import (
	"context"
	"fmt"

	"corridor/internal/dsp"
	"corridor/internal/store"
)

// Status is an overview of the node: how much there is of everything, and
// what waits on a person.
type Status struct {
	DID          string           `json:"did"`
	Jurisdiction string           `json:"jurisdiction"`
	Negotiations map[string]int64 `json:"negotiations"` // by state
	Agreements   map[string]int64 `json:"agreements"`
	Transfers    map[string]int64 `json:"transfers"`
	Arrivals     map[string]int64 `json:"arrivals"` // of what was released here: awaited, or unconfirmed by the deadline
	Tasks        map[string]int64 `json:"tasks"`    // duties, by state: look at overdue first
	People       map[string]int64 `json:"people"`   // let go this year, at most, by kind: see Counters
	Outbox       map[string]int64 `json:"outbox"`   // ready, waiting, failed
	Log          LogStatus        `json:"log"`
	Trust        TrustStatus      `json:"trust"`
	// Clock says why the clock of the machine is doubted; what has waited too
	// long is then not ended.
	Clock   string    `json:"clock,omitempty"`
	Waiting []Pending `json:"waiting"` // the oldest first, at most 100
}

// TrustStatus says what bears on corridors besides the law.
type TrustStatus struct {
	Decides  string      `json:"decides"`  // whether the law alone decides
	Compacts []string    `json:"compacts"` // each with its version, and whether it is in force
	Feeds    []FeedState `json:"feeds"`
	Stops    []InEffect  `json:"stops"`
}

func (s *Service) trustStatus() TrustStatus {
	out := TrustStatus{Decides: "the law alone decides", Compacts: []string{}, Feeds: s.Feeds(), Stops: s.Stops()}
	for _, c := range s.Compacts() {
		name := fmt.Sprintf("compact %s, version %d", c.ID, c.Version)
		if !c.InForce {
			name += " (" + c.Why + ")"
		}
		out.Compacts = append(out.Compacts, name)
	}
	switch {
	case s.cfg.RequireCompact:
		out.Decides = "a compact must open each corridor, and the law must let the flow go"
	case len(out.Compacts) > 0:
		out.Decides = "the compacts between their members, and the law; elsewhere the law alone"
	}
	return out
}

// LogStatus is the state of the node's log.
type LogStatus struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
	// Stopped says why the log is not signed any more, or not yet; the node is
	// then read-only.
	Stopped string `json:"stopped,omitempty"`
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
	out := Status{DID: s.cfg.Self.DID, Jurisdiction: s.cfg.Self.Jurisdiction, Waiting: []Pending{}, Trust: s.trustStatus(),
		Log: LogStatus{Origin: s.cfg.Ledger.Origin(), Size: s.cfg.Ledger.Size()}}
	if err := s.cfg.Ledger.Stopped(); err != nil {
		out.Log.Stopped = err.Error()
	}
	if doubt := s.clock.doubt.Load(); doubt != nil {
		out.Clock = doubt.String()
	}
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		for _, c := range []struct {
			table string
			into  *map[string]int64
		}{{"negotiations", &out.Negotiations}, {"agreements", &out.Agreements}, {"transfers", &out.Transfers}, {"arrivals", &out.Arrivals}, {"tasks", &out.Tasks}, {"outbox", &out.Outbox}} {
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
			var version int64
			if err := rows.Scan(&doc, &version); err != nil {
				return err
			}
			n, _, err := listedNegotiation(doc, version)
			if err != nil {
				return err
			}
			page = append(page, n)
		}
		return rows.Err()
	})
	if err == nil {
		err = s.retriesOf(ctx, page, nil)
	}
	return page, err
}
