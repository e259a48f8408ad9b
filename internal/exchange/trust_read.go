package exchange

import (
	"context"
	"fmt"

	"corridor"
	"corridor/internal/store"
)

// readTrust reads all that bears on corridors. It was checked before it was
// written; what cannot be read any more is an error, never left out.
func readTrust(ctx context.Context, tx *store.Tx) (*trust, error) {
	t := &trust{members: map[string]corridor.Authority{}, orders: map[string][]order{}, feeds: map[string]feed{}}
	err := each(ctx, tx, `SELECT doc FROM compacts WHERE id > '' ORDER BY id`, func(doc string) error {
		s, c, err := corridor.DecodeCompact([]byte(doc))
		if err != nil {
			return err
		}
		t.compacts = append(t.compacts, compact{c, s.Digest(), []byte(doc)})
		for _, m := range c.Members {
			if have, known := t.members[m.ID]; known && have.Feed != "" { // one feed is enough
				m.Feed = have.Feed
			}
			t.members[m.ID] = m
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := t.readOrders(ctx, tx); err != nil {
		return nil, err
	}
	err = each(ctx, tx, `SELECT doc FROM feeds WHERE authority > '' ORDER BY authority`, func(doc string) error {
		f, err := openFeed([]byte(doc))
		t.feeds[f.Authority] = f
		return err
	})
	if err != nil {
		return nil, err
	}
	err = each(ctx, tx, `SELECT doc FROM stops WHERE id > '' ORDER BY id`, func(doc string) error {
		var stop Stop
		err := unmarshal(doc, &stop)
		t.stops = append(t.stops, stop)
		return err
	})
	if err != nil {
		return nil, err
	}
	t.version, err = trustVersion(ctx, tx)
	return t, err
}

func (t *trust) readOrders(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.Query(ctx, `SELECT doc, compact FROM orders WHERE authority > '' ORDER BY authority, number`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var doc, under string
		if err := rows.Scan(&doc, &under); err != nil {
			return err
		}
		s, o, err := corridor.DecodeOrder([]byte(doc))
		if err != nil {
			return fmt.Errorf("what an authority has signed: %w", err)
		}
		taken := signedOrder(s, o, []byte(doc))
		taken.under = under
		t.orders[o.Authority] = append(t.orders[o.Authority], taken)
	}
	return rows.Err()
}

func each(ctx context.Context, tx *store.Tx, query string, do func(doc string) error) error {
	rows, err := tx.Query(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var doc string
		if err := rows.Scan(&doc); err != nil {
			return err
		}
		if err := do(doc); err != nil {
			return fmt.Errorf("what an authority has signed: %w", err)
		}
	}
	return rows.Err()
}

// openFeed reads a feed that was checked before.
func openFeed(doc []byte) (feed, error) {
	s, f, err := corridor.DecodeFeed(doc)
	out := feed{f, s.Digest(), map[string]admission{}}
	for _, sealed := range f.Admissions {
		raw, err := sealed.Encode()
		if err != nil {
			return out, err
		}
		_, a, err := corridor.DecodeAdmission(raw)
		if err != nil {
			return out, err
		}
		out.admissions[a.Participant] = admission{a, sealed} // by number: the latest stays
	}
	out.Orders, out.Feed.Admissions = nil, nil // kept elsewhere
	return out, err
}
