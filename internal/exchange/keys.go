package exchange

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/store"
)

// KeyInUse is a key of this node as its DID document knows it.
type KeyInUse struct {
	Name   string    `json:"name"` // national, token or credential
	ID     string    `json:"id"`
	Suite  string    `json:"suite"`
	State  string    `json:"state"`          // next, current or retired
	From   time.Time `json:"from,omitzero"`  // when it signs, or began to
	Until  time.Time `json:"until,omitzero"` // when it leaves the document
	Digest string    `json:"digest"`         // of the public key, a canonical JWK
}

//go:embed keys.sql
var keysSchema string // the same text serves both databases

// KeysSeen says what a look at the node's keys has found.
type KeysSeen struct {
	Keys   []KeyInUse `json:"keys"`
	Logged bool       `json:"logged"` // there was a change, and its receipt is written
}

// LookAtKeys writes a receipt of what has changed about the node's keys since
// the last look. Keys are changed by a command beside the node, which tells it
// by this; what it was not told it finds at its start.
func (s *Service) LookAtKeys(ctx context.Context) (seen KeysSeen, err error) {
	seen.Keys = []KeyInUse{}
	if s.cfg.Keys == nil {
		return seen, nil
	}
	if seen.Keys, err = s.cfg.Keys(); err != nil {
		return seen, err
	}
	doc, err := corridor.Canonical(seen.Keys)
	if err != nil {
		return seen, err
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		seen.Logged, err = s.noteKeys(ctx, tx, seen.Keys, string(doc))
		return err
	})
	if err != nil {
		return seen, fmt.Errorf("receipt of the keys: %w", err)
	}
	if seen.Logged { // the next change by the clock may be another
		select {
		case s.keys <- struct{}{}:
		default:
		}
	}
	return seen, nil
}

// noteKeys compares with what was written down, and writes what is new. The
// keys of a node's first start are not a change.
func (s *Service) noteKeys(ctx context.Context, tx *store.Tx, now []KeyInUse, doc string) (bool, error) {
	var text string
	var before []KeyInUse
	err := tx.QueryRow(ctx, `SELECT doc FROM keys_in_use WHERE one = 1`).Scan(&text)
	first := errors.Is(err, sql.ErrNoRows)
	if err != nil && !first || text == doc {
		return false, err
	}
	if !first {
		if err := unmarshal(text, &before); err != nil {
			return false, err
		}
	}
	changes := keyChanges(before, now)
	if !first && len(changes) > 0 {
		r := corridor.Receipt{Type: corridor.ReceiptKeysChanged, Reason: short("keys", []string{strings.Join(changes, "; ")}), Digests: map[string]string{}}
		for _, k := range now {
			r.Digests["key "+k.ID] = k.Digest
		}
		if _, err := s.append(ctx, tx, &step{receipts: []receipt{{body: r}}}); err != nil {
			return false, err
		}
	}
	_, err = tx.Exec(ctx, `INSERT INTO keys_in_use (one, doc) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET doc = excluded.doc`, doc)
	return !first && len(changes) > 0, err
}

// keyChanges says in words what has changed.
func keyChanges(before, now []KeyInUse) (out []string) {
	find := func(list []KeyInUse, id string) (KeyInUse, bool) {
		i := slices.IndexFunc(list, func(k KeyInUse) bool { return k.ID == id })
		if i < 0 {
			return KeyInUse{}, false
		}
		return list[i], true
	}
	for _, k := range now {
		old, known := find(before, k.ID)
		switch {
		case known && old.State == k.State && old.Digest == k.Digest:
		case k.State == "next":
			out = append(out, fmt.Sprintf("the %s key %s (%s) is published and signs from %s on", k.Name, k.ID, k.Suite, corridor.Moment(k.From)))
		case k.State == "current":
			out = append(out, fmt.Sprintf("the %s key %s (%s) signs", k.Name, k.ID, k.Suite))
		default:
			out = append(out, fmt.Sprintf("the %s key %s signs no more", k.Name, k.ID))
		}
	}
	for _, k := range before {
		if _, still := find(now, k.ID); !still {
			out = append(out, fmt.Sprintf("the %s key %s is no longer published", k.Name, k.ID))
		}
	}
	return out
}

// runKeys looks at the keys at the start and whenever the clock changes them: a
// new key begins to sign, an old one leaves the document.
func (s *Service) runKeys(ctx context.Context) error {
	if s.cfg.Keys == nil {
		return nil
	}
	return s.runTimer(ctx, "a change of keys could not be written down; it is tried again", s.keys, func(ctx context.Context) (time.Duration, error) {
		seen, err := s.LookAtKeys(ctx)
		if err != nil {
			return 0, err
		}
		wait, now := time.Duration(-1), s.now()
		for _, k := range seen.Keys {
			for _, at := range []time.Time{k.From, k.Until} {
				if d := at.Sub(now); !at.IsZero() && d > 0 && (wait < 0 || d < wait) {
					wait = d
				}
			}
		}
		return wait, nil
	})
}
