package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

// source is a catalogue that is read, as its row says.
type source struct {
	did, base, through, country string
	depth                       int
	due, failures, round        int64
	fresh                       time.Duration // what the peer asked for, this time
}

// page is a page of the last reading.
type page struct {
	n                int
	place, tag, next string
}

// follow brings the list of sources in line with the operator's: new ones are
// due soon, one after the other, and those that are no longer named go with
// all that was found through them.
func (c *Crawler) follow(ctx context.Context) error {
	named, err := c.cfg.Named(ctx)
	if err != nil {
		return err
	}
	c.following.Lock()
	defer c.following.Unlock()
	if c.followed != nil && slices.Equal(named, c.followed) {
		return nil
	}
	if err := c.followThese(ctx, named); err != nil {
		return err
	}
	c.followed = append([]Named{}, named...)
	return nil
}

func (c *Crawler) followThese(ctx context.Context, named []Named) error {
	have, err := c.namedNow(ctx)
	if err != nil {
		return err
	}
	var fresh []Named
	for _, n := range named {
		if country, ok := have[n.DID]; !ok || country != n.Country {
			fresh = append(fresh, n)
		}
		delete(have, n.DID)
	}
	if len(fresh) == 0 && len(have) == 0 {
		return nil
	}
	now := c.cfg.Now()
	return c.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		for i, n := range fresh {
			due := now.Add(time.Duration(i) * c.cfg.Pause / time.Duration(c.cfg.Workers))
			if err := addSource(ctx, tx, source{did: n.DID, country: n.Country, due: due.UnixMilli()}); err != nil {
				return err
			}
		}
		for did := range have {
			if err := removeSource(ctx, tx, did); err != nil {
				return err
			}
		}
		return nil
	})
}

// namedNow gives the sources that the operator had named so far, and their
// countries.
func (c *Crawler) namedNow(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	err := c.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT source, country FROM crawl WHERE through = ''`)
		if err != nil {
			return err
		}
		_, err = collect(rows, func(scan func(...any) error) (x struct{}, err error) {
			var did, country string
			if err = scan(&did, &country); err == nil {
				out[did] = country
			}
			return x, err
		})
		return err
	})
	return out, err
}

// addSource adds a source, or makes one that another catalogue nests one that
// the operator names.
func addSource(ctx context.Context, tx *store.Tx, s source) error {
	_, err := tx.Exec(ctx, `INSERT INTO crawl (source, base, through, depth, country, due, failures, round, wanted, page, met, checked, problem) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, '', '')
		ON CONFLICT (source) DO UPDATE SET base = excluded.base, through = excluded.through, depth = excluded.depth, country = excluded.country`,
		s.did, s.base, s.through, s.depth, s.country, s.due)
	if err != nil {
		return fmt.Errorf("catalogue of %s: %w", s.did, err)
	}
	return nil
}

// removeSource forgets a source, all that was found there, and the catalogues
// that are known through it alone.
func removeSource(ctx context.Context, tx *store.Tx, did string) error {
	if err := removeNested(ctx, tx, did, 1<<62); err != nil {
		return err
	}
	if err := forget(ctx, tx, did, 1<<62); err != nil {
		return err
	}
	for _, query := range []string{`DELETE FROM crawl_pages WHERE source = ?`, `DELETE FROM crawl WHERE source = ?`} {
		if _, err := tx.Exec(ctx, query, did); err != nil {
			return fmt.Errorf("catalogue of %s: %w", did, err)
		}
	}
	return nil
}

// removeNested removes the catalogues that one nested, and that no reading of
// it since a round has met.
func removeNested(ctx context.Context, tx *store.Tx, did string, round int64) error {
	rows, err := tx.Query(ctx, `SELECT source FROM crawl WHERE through = ? AND met < ?`, did, round)
	if err != nil {
		return fmt.Errorf("nested catalogues: %w", err)
	}
	nested, err := collect(rows, func(scan func(...any) error) (string, error) {
		var s string
		err := scan(&s)
		return s, err
	})
	if err != nil {
		return fmt.Errorf("nested catalogues: %w", err)
	}
	for _, n := range nested {
		if err := removeSource(ctx, tx, n); err != nil {
			return err
		}
	}
	return nil
}

// claim takes the source that has been due longest, for as long as a reading
// may last; or says how long nothing is due. Between looking and taking,
// another node may have taken it: then it is looked for again.
func (c *Crawler) claim(ctx context.Context) (*source, time.Duration, error) {
	const idle = time.Hour // there is no source: the list of peers has changed when Wake is called
	for {
		s, err := c.first(ctx)
		if err != nil || s == nil {
			return nil, idle, err
		}
		now := c.cfg.Now()
		if wait := time.UnixMilli(s.due).Sub(now); wait > 0 {
			return nil, min(wait, idle), nil
		}
		taken := false
		err = c.cfg.DB.Write(ctx, func(tx *store.Tx) error {
			res, err := tx.Exec(ctx, `UPDATE crawl SET due = ?, round = round + 1 WHERE source = ? AND due = ?`, now.Add(readTimeout).UnixMilli(), s.did, s.due)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			taken = n == 1
			return err
		})
		if err != nil {
			return nil, 0, fmt.Errorf("claim a catalogue: %w", err)
		}
		if taken {
			s.round++
			return s, 0, nil
		}
	}
}

func (c *Crawler) first(ctx context.Context) (*source, error) {
	var s source
	err := c.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT source, base, through, depth, country, due, failures, round FROM crawl ORDER BY due LIMIT 1`).
			Scan(&s.did, &s.base, &s.through, &s.depth, &s.country, &s.due, &s.failures, &s.round)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("next catalogue: %w", err)
	}
	return &s, nil
}

// put says only when a source is due.
func (c *Crawler) put(ctx context.Context, s source, due time.Time) error {
	return c.set(ctx, `UPDATE crawl SET due = ? WHERE source = ?`, due.UnixMilli(), s.did)
}

// failed leaves what was found, and leaves the peer alone for longer.
func (c *Crawler) failed(ctx context.Context, s source, why error) error {
	var asked time.Duration
	var p *dsp.PeerError
	if errors.As(why, &p) {
		asked = p.RetryAfter
	}
	due := c.cfg.Now().Add(c.backOff(s.failures+1, asked))
	return c.set(ctx, `UPDATE crawl SET due = ?, wanted = 0, failures = failures + 1, problem = ? WHERE source = ?`, due.UnixMilli(), clip(why.Error()), s.did)
}

// done ends a complete reading: what it did not meet is gone.
func (c *Crawler) done(ctx context.Context, s source) error {
	now := c.cfg.Now()
	due := now.Add(max(c.jitter(c.cfg.Every), s.fresh))
	return c.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := forget(ctx, tx, s.did, s.round); err != nil {
			return err
		}
		if err := removeNested(ctx, tx, s.did, s.round); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE crawl SET due = ?, wanted = 0, failures = 0, problem = '', checked = ? WHERE source = ?`, due.UnixMilli(), dsp.FormatTime(now), s.did)
		return err
	})
}

func (c *Crawler) set(ctx context.Context, query string, args ...any) error {
	return c.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
}

// dueNow makes sources due: one, or all that the operator names.
func (c *Crawler) dueNow(ctx context.Context, did string) error {
	now := c.cfg.Now().UnixMilli()
	if did == "" {
		return c.set(ctx, `UPDATE crawl SET due = ?, wanted = 1 WHERE through = ''`, now)
	}
	var hit int64
	err := c.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		res, err := tx.Exec(ctx, `UPDATE crawl SET due = ?, wanted = 1 WHERE source = ?`, now, did)
		if err == nil {
			hit, err = res.RowsAffected()
		}
		return err
	})
	if err == nil && hit == 0 {
		return corridor.E(corridor.NotFound, "the catalogue of %s is not among those that are read", clip(did))
	}
	return err
}

// open counts the sources whose reading somebody waits for.
func (c *Crawler) open(ctx context.Context, did string) (n int64, err error) {
	err = c.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		query, args := `SELECT COUNT(*) FROM crawl WHERE wanted = 1`, []any{}
		if did != "" {
			query, args = query+` AND source = ?`, append(args, did)
		}
		return tx.QueryRow(ctx, query, args...).Scan(&n)
	})
	return n, err
}

// pages reads what is known of the last reading.
func (c *Crawler) pages(ctx context.Context, did string) (out []page, err error) {
	err = c.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT page, place, tag, next FROM crawl_pages WHERE source = ? ORDER BY page`, did)
		if err != nil {
			return err
		}
		out, err = collect(rows, func(scan func(...any) error) (p page, err error) {
			err = scan(&p.n, &p.place, &p.tag, &p.next)
			return p, err
		})
		return err
	})
	for i, p := range out {
		if p.n != i {
			return out[:i], err
		}
	}
	return out, err
}

// same notes that a page still holds.
func (c *Crawler) same(ctx context.Context, s source, n int) error {
	return c.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		for _, query := range []string{`UPDATE found SET round = ? WHERE source = ? AND page = ?`, `UPDATE crawl SET met = ? WHERE through = ? AND page = ?`} {
			if _, err := tx.Exec(ctx, query, s.round, s.did, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// keep writes a page that has changed: its datasets, its tag, and the
// catalogues that it nests.
func (c *Crawler) keep(ctx context.Context, s *source, p page, cat *dsp.Catalog) error {
	list := foundIn(*s, cat)
	nested := c.nestedIn(*s, cat)
	return c.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		var diff termDiff
		for _, f := range list {
			if err := putFound(ctx, tx, *s, p.n, f, &diff); err != nil {
				return err
			}
		}
		if err := foundShelf.reindex(ctx, tx, &diff); err != nil {
			return err
		}
		if err := checkRoom(ctx, tx, s.did); err != nil {
			return err
		}
		for _, n := range nested {
			if err := addNested(ctx, tx, n, p.n, s.round); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO crawl_pages (source, page, place, tag, next) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (source, page) DO UPDATE SET place = excluded.place, tag = excluded.tag, next = excluded.next`, s.did, p.n, p.place, p.tag, p.next)
		return err
	})
}

func checkRoom(ctx context.Context, tx *store.Tx, did string) error {
	var n int64
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM found WHERE source = ? LIMIT `+fmt.Sprint(maxFound+1)+`) many`, did).Scan(&n); err != nil {
		return err
	}
	if n > maxFound {
		return corridor.E(corridor.Limited, "the catalogue has more than %d datasets", maxFound)
	}
	return nil
}

// addNested adds a catalogue that another nests, unless it is known already
// or there is no room. One that the operator names stays as named.
func addNested(ctx context.Context, tx *store.Tx, s source, page int, round int64) error {
	var n int64
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM crawl LIMIT `+fmt.Sprint(maxSources)+`) many`).Scan(&n); err != nil {
		return err
	}
	if n >= maxSources {
		return nil
	}
	// Of several catalogues that nest the same one, the first that was read counts.
	_, err := tx.Exec(ctx, `INSERT INTO crawl (source, base, through, depth, country, due, failures, round, wanted, page, met, checked, problem) VALUES (?, ?, ?, ?, '', ?, 0, 0, 0, ?, ?, '', '')
		ON CONFLICT (source) DO UPDATE SET base = CASE WHEN crawl.through = excluded.through THEN excluded.base ELSE crawl.base END,
			met = CASE WHEN crawl.through = excluded.through THEN excluded.met ELSE crawl.met END,
			page = CASE WHEN crawl.through = excluded.through THEN excluded.page ELSE crawl.page END`, s.did, s.base, s.through, s.depth, s.due, page, round)
	return err
}

func putFound(ctx context.Context, tx *store.Tx, s source, page int, f Found, diff *termDiff) error {
	doc, err := json.Marshal(f)
	if err != nil {
		return corridor.E(corridor.Internal, "dataset %s: %w", clip(f.ID), err)
	}
	var n int64
	var text string
	key := f.ID
	if f.Peer != s.did { // a dataset of a nested catalogue that is given in full
		key = f.Peer + " " + f.ID
	}
	err = tx.QueryRow(ctx, `SELECT n, terms FROM found WHERE source = ? AND id = ?`, s.did, key).Scan(&n, &text)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("found dataset: %w", err)
	}
	var old []string
	if text != "" {
		old = strings.Split(text, "\n")
	}
	terms := f.terms()
	err = tx.QueryRow(ctx, `INSERT INTO found (source, id, page, round, title_key, terms, doc) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (source, id) DO UPDATE SET page = excluded.page, round = excluded.round, title_key = excluded.title_key, terms = excluded.terms, doc = excluded.doc
		RETURNING n`, s.did, key, page, s.round, f.titleKey(), strings.Join(terms, "\n"), string(doc)).Scan(&n)
	if err != nil {
		return fmt.Errorf("found dataset: %w", err)
	}
	diff.row(n, old, terms)
	return nil
}

// forget removes what no reading since a round has met.
func forget(ctx context.Context, tx *store.Tx, did string, round int64) error {
	rows, err := tx.Query(ctx, `SELECT n, terms FROM found WHERE source = ? AND round < ?`, did, round)
	if err != nil {
		return fmt.Errorf("found datasets: %w", err)
	}
	var diff termDiff
	gone, err := collect(rows, func(scan func(...any) error) (n int64, err error) {
		var text string
		if err = scan(&n, &text); err == nil && text != "" {
			diff.row(n, strings.Split(text, "\n"), nil)
		}
		return n, err
	})
	if err != nil {
		return fmt.Errorf("found datasets: %w", err)
	}
	if err := foundShelf.reindex(ctx, tx, &diff); err != nil {
		return err
	}
	for _, n := range gone {
		if _, err := tx.Exec(ctx, `DELETE FROM found WHERE n = ?`, n); err != nil {
			return fmt.Errorf("found datasets: %w", err)
		}
	}
	return nil
}
