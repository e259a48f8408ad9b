package exchange

import (
	"context"
	_ "embed"
	"fmt"

	"corridor/internal/dsp"
	"corridor/internal/store"
)

//go:embed uses.sql
var usesSchema string // one text for both engines

// A policy, or an approval, may let data be used so many times only. Every
// transfer that may still bring data is a use, and every one that has. This
// file counts them, and makes sure that two which begin at once cannot both be
// the last.

// uses is how often an agreement was used before a transfer, as far as a bound
// stands on it. It is counted again when the step is committed.
type uses struct {
	before int64
	most   int64 // 0: no bound
}

// countUses counts the transfers of an agreement that are uses of it, t
// left out: those that are not over, and those of which data has left or
// arrived, if only a part. Of data that goes on each increment is one, and the
// transfer may be started again for the last of them.
func countUses(ctx context.Context, tx *store.Tx, t *Transfer) (n int64, err error) {
	part, but := ` AND part_of = ''`, t.PID
	switch {
	case t.growing():
		part, but = ` AND part_of <> ''`, incrementPID(t.PID, t.Increments)
	case t.PartOf != "":
		part = ` AND part_of <> ''`
	}
	err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM transfers WHERE agreement = ? AND role = ? AND pid <> ? AND (state <> 'TERMINATED' OR used = 1)`+part, t.Agreement, string(t.Role), but).Scan(&n)
	if err != nil {
		err = fmt.Errorf("count transfers: %w", err)
	}
	return n, err
}

// usesOf counts the uses of an agreement before a transfer and finds the bound
// on them.
func (s *Service) usesOf(ctx context.Context, n *Negotiation, t *Transfer) (u uses, err error) {
	if u.most, err = s.mostUses(n); err != nil {
		return u, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		u.before, err = countUses(ctx, tx, t)
		return err
	})
	return u, err
}

// mostUses is the strictest bound on the uses of an agreement: that of an
// approval, or of the policy, which the provider counts. 0: there is none.
func (s *Service) mostUses(n *Negotiation) (most int64, err error) {
	held, err := s.conditions(n.agreedOn(), s.now())
	if err != nil {
		return 0, err
	}
	var grants []grant
	for _, h := range held {
		grants = append(grants, h.terms.permissions...)
	}
	if n.Role == dsp.Provider {
		t, err := readTerms(n.Offer.Policy)
		if err != nil {
			return 0, err
		}
		if n.Permission >= 0 && n.Permission < len(t.permissions) { // else still refuses
			grants = append(grants, t.permissions[n.Permission])
		}
	}
	for _, g := range grants {
		if g.count > 0 && (most == 0 || g.count < most) {
			most = g.count
		}
	}
	return most, nil
}

// made says that no use is left, or nil.
func (u uses) made() error {
	if u.most > 0 && u.before >= u.most {
		return notAdmitted(leftCount, "the agreement admits %d uses, and all were made", u.most)
	}
	return nil
}

// stillLeft makes sure, under the write lock, that the use which a step begins
// is left: others may have begun theirs since it was decided.
func (st *step) stillLeft(ctx context.Context, tx *store.Tx) error {
	if st.uses == nil || st.uses.most == 0 || st.tr == nil || st.tr.State == dsp.Terminated {
		return nil
	}
	n, err := countUses(ctx, tx, st.tr)
	if err == nil && n >= st.uses.most {
		err = errChanged
	}
	return err
}

// used says whether a transfer is a use even if it was ended.
func (t *Transfer) used() int {
	if t.flowed || t.Released != nil || t.Received != nil {
		return 1
	}
	return 0
}

// flows notes, before the first byte of a transfer leaves, that it is a use,
// where uses are counted: a stream that is cut has told what it has told.
func (s *Service) flows(ctx context.Context, t Transfer) error {
	if t.used() == 1 {
		return nil
	}
	n, err := s.Negotiation(ctx, t.Negotiation)
	if err != nil {
		return err
	}
	if most, err := s.mostUses(&n); err != nil || most == 0 {
		return err
	}
	_, err = s.actTransfer(ctx, t.PID, func(t *Transfer, _ *step) error {
		t.flowed = true
		return t.open() // it may have been ended meanwhile
	})
	return err
}
