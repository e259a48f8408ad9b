package exchange

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/store"
)

// PackInUse is a rule pack that a node decides with. Edition and Signers are
// empty for the packs that come with the program.
type PackInUse struct {
	corridor.PackRef
	Jurisdiction string   `json:"jurisdiction"`
	Edition      string   `json:"edition,omitempty"` // digest of what the publisher signed
	Signers      []string `json:"signers,omitempty"`
}

//go:embed packs.sql
var packsSchema string

//go:embed packs_postgres.sql
var packsPostgres string

// PacksInUse lists the packs that this node decides with.
func (s *Service) PacksInUse() []PackInUse {
	out := []PackInUse{}
	for _, p := range s.cfg.Law.Packs() {
		u := PackInUse{PackRef: corridor.PackRef{ID: p.ID, Version: p.Version, Digest: p.Digest}, Jurisdiction: p.Jurisdiction}
		if e, ok := s.cfg.Editions[p.ID]; ok {
			u.Edition, u.Signers = e.Edition, e.Signers
		}
		out = append(out, u)
	}
	return out
}

// logPacks writes a receipt of the packs in use if they are not those of the
// receipt before. It comes before the first decision.
func (s *Service) logPacks(ctx context.Context) error {
	list := s.PacksInUse()
	doc, err := corridor.Canonical(list)
	if err != nil {
		return err
	}
	now := corridor.Digest(append([]byte(law.Engine+"\n"), doc...))
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		var before string
		err := tx.QueryRow(ctx, `SELECT digest FROM packs_in_use WHERE one = 1`).Scan(&before)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if before == now {
			return nil
		}
		st := &step{receipts: []receipt{{body: packsReceipt(list)}}}
		if _, err := s.append(ctx, tx, st); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO packs_in_use (one, digest, doc) VALUES (1, ?, ?)
			ON CONFLICT (one) DO UPDATE SET digest = excluded.digest, doc = excluded.doc`, now, string(doc))
		return err
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("receipt of the rule packs in use: %w", err)
	}
	return nil
}

func packsReceipt(list []PackInUse) corridor.Receipt {
	r := corridor.Receipt{Type: corridor.ReceiptPacksInUse, Digests: map[string]string{}}
	var signed []string
	for _, p := range list {
		r.Digests["pack "+p.ID+" "+p.Version] = p.Digest
		if p.Edition != "" {
			r.Digests["edition "+p.ID+" "+p.Version] = p.Edition
			signed = append(signed, p.ID+" signed by "+strings.Join(p.Signers, ", "))
		}
	}
	r.Reason = "engine " + law.Engine + "; " + strings.Join(append(signed, "all others come with the program"), "; ")
	return r
}
