package exchange

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

//go:embed trust.sql
var trustSchema string

//go:embed trust_postgres.sql
var trustPostgres string

// Stop says that corridors, or a part of them, are stopped here, and why. An
// authority's orders stop them too, each under its own name (orders.go); a Stop
// is for what this node finds out by itself: an authority that has fallen
// silent, or evidence against a peer's log.
type Stop struct {
	ID     string          `json:"id"` // one stop has one cause, such as "feed did:web:..."
	Target corridor.Target `json:"target"`
	// Jurisdiction limits the stop to flows that begin or end there. Empty: any.
	Jurisdiction string            `json:"jurisdiction,omitempty"`
	Reason       string            `json:"reason"`            // what is wrong, for the operator and the peer
	Fix          string            `json:"fix,omitempty"`     // what would lift it
	Digests      map[string]string `json:"digests,omitempty"` // of what it rests on, for the receipt
	Since        string            `json:"since"`
}

func (s *Stop) refusal() error {
	return &corridor.Error{Kind: corridor.RefusedByLaw, Where: s.Target.String(), Msg: "the corridor is stopped: " + s.Reason, Why: "since " + s.Since, Fix: s.Fix}
}

// StopCorridor stops what a target covers: running streams at once, and all
// that would begin. Agreements under it are suspended until LiftStop. A stop
// that is there already stays as it is. It is a receipt of its own.
func (s *Service) StopCorridor(ctx context.Context, stop Stop) error {
	if stop.ID == "" || stop.Reason == "" {
		return corridor.E(corridor.Internal, "a stop names its cause and its reason")
	}
	stop.Since = corridor.Moment(s.now())
	defer s.gate.Hold()()
	return s.changeTrust(ctx, func(tx *store.Tx) ([]receipt, []corridor.Target, error) { return putStop(ctx, tx, stop) })
}

func putStop(ctx context.Context, tx *store.Tx, stop Stop) ([]receipt, []corridor.Target, error) {
	doc, err := json.Marshal(stop)
	if err != nil {
		return nil, nil, corridor.E(corridor.Internal, "stop: %w", err)
	}
	done, err := tx.Exec(ctx, `INSERT INTO stops (id, doc) VALUES (?, ?) ON CONFLICT (id) DO NOTHING`, stop.ID, string(doc))
	if err != nil {
		return nil, nil, err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return nil, nil, err
	}
	return []receipt{{body: corridor.Receipt{Type: corridor.ReceiptCorridorSuspended, State: "suspended", Reason: short(stop.Target.String(), []string{stop.Reason}), Digests: stop.Digests}}},
		[]corridor.Target{stop.Target}, nil
}

// LiftStop ends a stop, for a reason.
func (s *Service) LiftStop(ctx context.Context, id, reason string) error {
	return s.changeTrust(ctx, func(tx *store.Tx) ([]receipt, []corridor.Target, error) { return dropStop(ctx, tx, id, reason) })
}

func dropStop(ctx context.Context, tx *store.Tx, id, reason string) ([]receipt, []corridor.Target, error) {
	var doc string
	err := tx.QueryRow(ctx, `SELECT doc FROM stops WHERE id = ?`, id).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, nil
	}
	var stop Stop
	if err == nil {
		err = unmarshal(doc, &stop)
	}
	if err == nil {
		_, err = tx.Exec(ctx, `DELETE FROM stops WHERE id = ?`, id)
	}
	if err != nil {
		return nil, nil, err
	}
	return []receipt{{body: corridor.Receipt{Type: corridor.ReceiptCorridorResumed, State: "open", Reason: short(stop.Target.String(), []string{reason}), Digests: stop.Digests}}},
		[]corridor.Target{stop.Target}, nil
}

// trustPatience is how long what is durable may take to take effect.
const trustPatience = 30 * time.Second

// changeTrust writes a change of what bears on corridors with its receipts, and
// lets it take effect here before it returns: running streams that it stops
// are cut. Agreements that it may concern are asked about again; a crash in
// between leaves that to the next start.
func (s *Service) changeTrust(ctx context.Context, change func(*store.Tx) ([]receipt, []corridor.Target, error)) error {
	s.trusting.Lock()
	defer s.trusting.Unlock()
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		receipts, targets, err := change(tx)
		if err != nil {
			return err
		}
		if _, err := s.append(ctx, tx, &step{receipts: receipts}); err != nil {
			return err
		}
		for _, t := range targets {
			if err := s.reviewAll(ctx, tx, t); err != nil {
				return err
			}
		}
		if len(targets) > 0 {
			if err := s.keepTag(ctx, tx); err != nil {
				return err
			}
		}
		tx.Tell(toldTrust)
		return nil
	})
	if err != nil {
		return err
	}
	// It is durable, and takes effect also when whoever brought it has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), trustPatience)
	defer cancel()
	if err := s.loadTrust(ctx); err != nil { // what cannot be read yet is read by the loop
		s.trustChanged()
		return fmt.Errorf("what was signed is kept, and takes effect when the database is back: %w", err)
	}
	s.cutRefused(ctx)
	s.trustChanged()
	s.reviews.changed("")
	s.run.look() // what was stopped and may go on, although nothing was suspended yet
	return nil
}

// keepTag writes down what bore on corridors, once the agreements that a change
// concerns have been marked.
func (s *Service) keepTag(ctx context.Context, tx *store.Tx) error {
	t, err := readTrust(ctx, tx)
	if err != nil {
		return err
	}
	return putTag(ctx, tx, t.tag(s.now()))
}

func putTag(ctx context.Context, tx *store.Tx, tag string) error {
	_, err := tx.Exec(ctx, `INSERT INTO trust_state (one, tag, version) VALUES (1, ?, 1)
		ON CONFLICT (one) DO UPDATE SET tag = excluded.tag, version = trust_state.version + 1`, tag)
	return err
}

// reviewAll lets the agreements that a target may cover be asked about again.
func (s *Service) reviewAll(ctx context.Context, tx *store.Tx, t corridor.Target) (err error) {
	switch {
	case t.Participant != "" && t.Participant != s.cfg.Self.DID:
		_, err = tx.Exec(ctx, `UPDATE reviews SET due = ? WHERE agreement IN (SELECT id FROM agreements WHERE peer = ?)`, atOnce, t.Participant)
	case t.Dataset != "":
		_, err = tx.Exec(ctx, `UPDATE reviews SET due = ? WHERE agreement IN (SELECT id FROM agreements WHERE dataset = ?)`, atOnce, t.Dataset)
	default: // it may be about all of them
		_, err = tx.Exec(ctx, `UPDATE reviews SET due = ? WHERE agreement > ''`, atOnce)
	}
	if err != nil {
		return fmt.Errorf("agreements to be reviewed: %w", err)
	}
	return nil
}

// trustVersion counts the changes of what bears on corridors.
func trustVersion(ctx context.Context, tx *store.Tx) (n int64, err error) {
	err = tx.QueryRow(ctx, `SELECT COALESCE((SELECT version FROM trust_state WHERE one = 1), 0)`).Scan(&n)
	return n, err
}

// freshTrust makes sure that this node has in mind what is written down, and
// gives its version: what was decided meanwhile holds if it is still the same.
func (s *Service) freshTrust(ctx context.Context) (version int64, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		version, err = trustVersion(ctx, tx)
		return err
	})
	if err != nil || s.trust.Load().version >= version {
		return s.trust.Load().version, err
	}
	s.trusting.Lock()
	defer s.trusting.Unlock()
	err = s.loadTrust(ctx)
	return s.trust.Load().version, err
}

// sameTrust says, in the transaction of what was decided, whether it is.
func sameTrust(ctx context.Context, tx *store.Tx, version int64) error {
	now, err := trustVersion(ctx, tx)
	if err == nil && now != version {
		err = errChanged
	}
	return err
}

// loadTrust reads what this node holds. Whoever calls it holds trusting, or is
// New.
func (s *Service) loadTrust(ctx context.Context) error {
	return s.db.Read(ctx, func(tx *store.Tx) error {
		t, err := readTrust(ctx, tx)
		if err == nil {
			s.trust.Store(&standing{trust: t, tag: t.tag(s.now())})
		}
		return err
	})
}

// standing is what this node holds, with its name at some moment.
type standing struct {
	*trust
	tag string
}

// trustChanged lets runTrust look again.
func (s *Service) trustChanged() {
	select {
	case s.trusts <- struct{}{}:
	default:
	}
}

// runTrust lets what other nodes wrote and what comes by the clock take
// effect: an order or an admission that ends, an authority that falls silent.
func (s *Service) runTrust(ctx context.Context) error {
	return s.runTimer(ctx, "what authorities have signed could not be read; it is tried again", s.trusts, s.trustDue)
}

func (s *Service) trustDue(ctx context.Context) (time.Duration, error) {
	s.trusting.Lock()
	defer s.trusting.Unlock()
	before := s.trust.Load().tag
	if err := s.loadTrust(ctx); err != nil {
		return 0, err
	}
	t := s.trust.Load()
	if t.tag != before {
		s.cutRefused(ctx)
	}
	if err := s.settleTrust(ctx, t); err != nil {
		return 0, err
	}
	now := s.now()
	t = s.trust.Load()
	if next := t.next(now); !next.IsZero() {
		return max(next.Sub(now), time.Millisecond), nil
	}
	return -1, nil
}

// settleTrust writes down what came by the clock: which authorities have
// fallen silent or are heard again, and that agreements are to be asked about.
func (s *Service) settleTrust(ctx context.Context, t *standing) error {
	now := s.now()
	changed := false
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		var tag string
		err := tx.QueryRow(ctx, `SELECT COALESCE((SELECT tag FROM trust_state WHERE one = 1), '')`).Scan(&tag)
		if err != nil || tag == t.tag {
			return err
		}
		receipts := []receipt{}
		for _, m := range t.authorities() {
			r, err := s.silence(ctx, tx, t.trust, m, now)
			if err != nil {
				return err
			}
			receipts = append(receipts, r...)
		}
		if _, err := s.append(ctx, tx, &step{receipts: receipts}); err != nil {
			return err
		}
		if err := s.reviewAll(ctx, tx, corridor.Target{}); err != nil {
			return err
		}
		changed = true
		tx.Tell(toldTrust)
		return s.keepTag(ctx, tx)
	})
	if err != nil || !changed {
		return err
	}
	if err := s.loadTrust(ctx); err != nil {
		return err
	}
	s.cutRefused(ctx)
	s.reviews.changed("")
	s.run.look()
	return nil
}

// cutRefused ends every stream here that may not cross any more. One about
// which nothing can be found out is ended too: it asks again when it goes on.
func (s *Service) cutRefused(ctx context.Context) {
	if s.trust.Load().empty() {
		return
	}
	for _, pid := range append(s.run.all(), s.plane.Transfers()...) {
		t, err := s.transfer(ctx, pid)
		if err == nil {
			err = s.mayCross(ctx, t.Role, t.Peer, t.Dataset, t.Negotiation)
		}
		if err == nil {
			continue
		}
		_, reason, _ := explain(err)
		s.log.WarnContext(ctx, "a stream is stopped", "transfer", pid, "reason", strings.Join(reason, "; "))
		s.cut(pid, strings.Join(reason, "; "))
	}
}

// mayCross says why the data of an agreement may not cross now, or nil: what
// compacts, orders and stops say, the law apart.
func (s *Service) mayCross(ctx context.Context, role dsp.Role, peer, dataset, negotiation string) error {
	if s.trust.Load().empty() && !s.cfg.RequireCompact {
		return nil
	}
	p, err := s.cfg.Directory.Lookup(ctx, peer)
	if err != nil {
		return err
	}
	var facts corridor.Facts
	if role == dsp.Provider {
		d, err := s.dataset(ctx, dataset)
		if err != nil {
			return err
		}
		facts = d.Facts
	} else {
		n, err := s.Negotiation(ctx, negotiation)
		if err != nil {
			return err
		}
		facts = n.known()
	}
	_, err = s.passage(role, p.Participant, dataset, facts)
	return err
}

// known is what a consumer knows of the data.
func (n *Negotiation) known() corridor.Facts {
	if n.Own != nil && n.Own.Flow != nil {
		return n.Own.Flow.Facts
	}
	return n.Shown
}

// passage asks under which compact data with those facts may cross now between
// this node, in a role, and a peer.
func (s *Service) passage(role dsp.Role, peer corridor.Participant, dataset string, facts corridor.Facts) (Passage, error) {
	return s.passageIn(s.trust.Load().trust, role, peer, dataset, facts)
}

// passageIn is passage as it would be with what is held of authorities.
func (s *Service) passageIn(t *trust, role dsp.Role, peer corridor.Participant, dataset string, facts corridor.Facts) (Passage, error) {
	if t.empty() && !s.cfg.RequireCompact {
		return Passage{}, nil
	}
	from, to := s.cfg.Self, peer
	if role == dsp.Consumer {
		from, to = peer, s.cfg.Self
	}
	x := corridor.Crossing{From: from.Jurisdiction, To: to.Jurisdiction, Exporter: from.DID, Importer: to.DID, Dataset: dataset}
	x.Classes, x.ClassesKnown = corridor.ClassesOf(facts)
	return t.permits(x, s.now(), s.witnesses(), s.cfg.RequireCompact)
}

// passageOf is passage for a dataset of ours.
func (s *Service) passageOf(d catalog.Dataset, peer corridor.Participant) (Passage, error) {
	return s.passage(dsp.Provider, peer, d.ID, d.Facts)
}
