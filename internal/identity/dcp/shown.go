package dcp

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"corridor"
	"corridor/internal/identity"
	"corridor/internal/store"
)

// A caller shows its credentials when it calls; its streams run on when the
// call is over. What it has shown is kept for that long and longer, so that it
// can be held against its issuer's word at any moment, and on any node.

// Standing says why a peer may not take part by what it has shown, or nil. What
// its status lists say is not older than age. Of kind Unauthenticated: it has
// shown nothing here that would meet a demand. Unavailable: a list that is
// needed cannot be had.
func (v *Verifier) Standing(ctx context.Context, p identity.Peer, age time.Duration) error {
	rules, err := v.cfg.Rules()
	if err != nil {
		return err
	}
	demands := rules.demanded(p.Jurisdiction)
	if len(demands) == 0 {
		return nil
	}
	have, err := v.remembered(ctx, p.DID)
	if err != nil {
		return err
	}
	if len(have) == 0 {
		return &corridor.Error{Kind: corridor.Unauthenticated, Msg: p.DID + " has shown nothing here of what is demanded of it", Why: "credentials are demanded of callers from " + p.Jurisdiction, Fix: "it shows them with its next message"}
	}
	if err := v.meets(ctx, have, demands, age); err != nil {
		return wanting(demands, err)
	}
	return nil
}

// remember keeps the credentials by which a caller was let in, and says so
// where they are others than before.
func (v *Verifier) remember(ctx context.Context, holder string, have []*Credential, demands []Demand) error {
	var list []string
	for _, c := range have {
		if slices.ContainsFunc(demands, func(d Demand) bool { return d.metBy(c) }) {
			list = append(list, c.Raw)
		}
	}
	slices.Sort(list) // in whatever order they are presented, they are the same
	doc, err := json.Marshal(list)
	if err != nil {
		return corridor.E(corridor.Internal, "credentials shown: %w", err)
	}
	changed := false
	err = v.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		before, err := shownBy(ctx, tx, holder)
		if changed = err == nil && before != string(doc); !changed {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO dcp_shown (holder, jwts, at) VALUES (?, ?, ?)
			ON CONFLICT (holder) DO UPDATE SET jwts = excluded.jwts, at = excluded.at`, holder, string(doc), v.cfg.Now().Unix())
		return err
	})
	if err != nil {
		return fmt.Errorf("credentials shown: %w", err)
	}
	if changed {
		v.tell(holder)
	}
	return nil
}

// tell says that it may matter anew whether a peer's credentials stand.
func (v *Verifier) tell(holder string) {
	if v.cfg.Changed != nil {
		v.cfg.Changed(holder)
	}
}

// remembered reads what a peer has shown. It was proven before it was kept.
func (v *Verifier) remembered(ctx context.Context, holder string) ([]*Credential, error) {
	var doc string
	err := v.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		doc, err = shownBy(ctx, tx, holder)
		return err
	})
	if err != nil || doc == "" {
		return nil, err
	}
	var list []string
	if err := json.Unmarshal([]byte(doc), &list); err != nil {
		return nil, corridor.E(corridor.Internal, "credentials shown: %w", err)
	}
	out := make([]*Credential, len(list))
	for i, raw := range list {
		if out[i], err = ParseCredential(raw); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func shownBy(ctx context.Context, tx *store.Tx, holder string) (doc string, err error) {
	err = tx.QueryRow(ctx, `SELECT jwts FROM dcp_shown WHERE holder = ?`, holder).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return doc, err
}
