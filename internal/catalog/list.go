package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"corridor"
	"corridor/internal/store"
)

// Entry is a row of the catalogue: what an answer is made of, and what tells
// without reading it whether the answer may have changed.
type Entry struct {
	ID      string
	Edition int64
	Lawful  string // digest of what the law's answer depends on
	n       int64
	doc     string
}

// Dataset reads the entry.
func (e Entry) Dataset() (Dataset, error) { return decode(e.doc) }

// Place is where a page begins or ends: After the row with that number, or
// Before it. The zero Place is the beginning.
type Place struct{ After, Before int64 }

// ParsePlace reads the query values after and before of an address.
func ParsePlace(after, before string) (Place, error) {
	var p Place
	if after != "" && before != "" {
		return p, corridor.E(corridor.Invalid, "after and before are both given; a page lies on one side of a place")
	}
	for _, x := range []struct {
		name, text string
		into       *int64
	}{{"after", after, &p.After}, {"before", before, &p.Before}} {
		if x.text == "" {
			continue
		}
		n, err := strconv.ParseInt(x.text, 10, 64)
		if err != nil || n < 0 || n == 0 && x.name == "before" {
			return p, &corridor.Error{Kind: corridor.Invalid, Where: x.name, Msg: fmt.Sprintf("%q is not a place in the catalogue", clip(x.text)), Fix: "take it from the link to the next or previous page"}
		}
		*x.into = n
	}
	return p, nil
}

// Page is one page of a list, and where its neighbours begin. A page may hold
// fewer rows than asked for, or none, and still have a next one: what is
// looked through for one answer is bounded.
type Page[T any] struct {
	Rows []T
	Next string // for after; empty: this is the last page
	Prev string // for before; empty: this is the first
}

// List reads a page of the catalogue, in the order of first publication.
func List(ctx context.Context, tx *store.Tx, f Filter, p Place, limit int) (Page[Entry], error) {
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	return list(ctx, tx, own, f, p, limit, func(scan func(...any) error) (int64, Entry, error) {
		var e Entry
		err := scan(&e.n, &e.ID, &e.Edition, &e.Lawful, &e.doc)
		return e.n, e, err
	})
}

// shelf is a table of rows with a number n, an id and a title_key, and the
// table of what they are found by.
type shelf struct{ rows, terms, columns, where string }

var own = shelf{rows: "datasets", terms: "dataset_terms", columns: "d.n, d.id, d.edition, d.lawful, d.doc", where: " AND d.withdrawn = 0"}

// window is how many candidates are looked at for one page where a second
// condition has to be checked on each.
const window = 4000

// list walks the index of the rarest term, or the rows themselves, from the
// place on.
func list[T any](ctx context.Context, tx *store.Tx, s shelf, f Filter, p Place, limit int, row func(scan func(...any) error) (int64, T, error)) (Page[T], error) {
	var page Page[T]
	terms, few, err := s.order(ctx, tx, f.terms)
	if err != nil || few == 0 {
		return page, err
	}
	w := walk{shelf: s, filter: f, terms: terms, few: few < rare, from: p.After, cmp: ">", end: "<=", order: "ASC"}
	if p.Before > 0 {
		w.from, w.cmp, w.end, w.order = p.Before, "<", ">=", "DESC"
	}
	end, err := w.bound(ctx, tx)
	if err != nil {
		return page, err
	}
	query, args := w.query(end, limit+1)
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return page, fmt.Errorf("list %s: %w", s.rows, err)
	}
	var at []int64
	page.Rows, err = collect(rows, func(scan func(...any) error) (T, error) {
		n, v, err := row(scan)
		at = append(at, n)
		return v, err
	})
	if err != nil {
		return page, fmt.Errorf("list %s: %w", s.rows, err)
	}
	page.settle(p, at, end, limit)
	return page, nil
}

// settle cuts the page to its limit and says where its neighbours begin.
func (page *Page[T]) settle(p Place, at []int64, end int64, limit int) {
	further := int64(0) // where the walk would go on
	switch {
	case len(page.Rows) > limit:
		page.Rows, at = page.Rows[:limit], at[:limit]
		further = at[limit-1]
	case end > 0:
		further = end
	}
	text := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	if p.Before == 0 {
		page.Next = text(further)
		if p.After > 0 {
			page.Prev = strconv.FormatInt(p.After+1, 10)
		}
		return
	}
	slices.Reverse(page.Rows)
	page.Prev, page.Next = text(further), strconv.FormatInt(p.Before-1, 10)
}

// walk is one query over the numbers of rows, upwards or downwards.
type walk struct {
	shelf
	filter          Filter
	terms           []string
	few             bool // the first term has fewer rows than may be looked at
	from            int64
	cmp, end, order string
}

// bound gives the last number that may be looked at, or zero: no bound is
// needed or the end is nearer.
func (w walk) bound(ctx context.Context, tx *store.Tx) (int64, error) {
	if w.filter.id != "" || w.few || len(w.terms) < 2 && w.filter.title == "" {
		return 0, nil
	}
	var n int64
	query, args := `SELECT d.n FROM `+w.rows+` d WHERE d.n `+w.cmp+` ?`, []any{w.from}
	if len(w.terms) > 0 {
		query, args = `SELECT d.n FROM `+w.shelf.terms+` d WHERE d.term = ? AND d.n `+w.cmp+` ?`, []any{w.terms[0], w.from}
	}
	err := tx.QueryRow(ctx, query+` ORDER BY d.n `+w.order+` LIMIT 1 OFFSET `+strconv.Itoa(window-1), args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("list %s: %w", w.rows, err)
	}
	return n, nil
}

func (w walk) query(end int64, limit int) (string, []any) {
	var b strings.Builder
	var args []any
	add := func(text string, values ...any) {
		b.WriteString(text)
		args = append(args, values...)
	}
	key := "d"
	add(`SELECT ` + w.columns + ` FROM `)
	if len(w.terms) == 0 {
		add(w.rows+` d WHERE d.n `+w.cmp+` ?`, w.from)
	} else {
		key = "t"
		// CROSS JOIN keeps SQLite from walking the rows instead of the index.
		add(w.shelf.terms+` t CROSS JOIN `+w.rows+` d WHERE t.term = ? AND t.n `+w.cmp+` ? AND d.n = t.n`, w.terms[0], w.from)
		for _, term := range w.terms[1:] {
			add(` AND EXISTS (SELECT 1 FROM `+w.shelf.terms+` o WHERE o.term = ? AND o.n = t.n)`, term)
		}
	}
	if end > 0 {
		add(` AND `+key+`.n `+w.end+` ?`, end)
	}
	if w.filter.id != "" {
		add(` AND d.id = ?`, w.filter.id)
	}
	if w.filter.title != "" {
		add(` AND d.title_key LIKE ? ESCAPE '\'`, "%"+strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(w.filter.title)+"%")
	}
	add(w.where + ` ORDER BY ` + key + `.n ` + w.order + ` LIMIT ` + strconv.Itoa(limit))
	return b.String(), args
}

// rare is how far terms are counted to find the rarest.
const rare = window / 2

// order puts the rarest term first and says how many rows it has, counted as
// far as rare: none if there can be no row at all.
func (s shelf) order(ctx context.Context, tx *store.Tx, terms []string) ([]string, int64, error) {
	out := slices.Compact(slices.Sorted(slices.Values(terms)))
	if len(out) < 2 {
		return out, rare, nil // one term needs no choice
	}
	best, least := 0, int64(rare+1)
	for i, term := range out {
		var n int64
		err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM `+s.terms+` WHERE term = ? LIMIT `+strconv.Itoa(rare)+`) few`, term).Scan(&n)
		if err != nil {
			return nil, 0, fmt.Errorf("count %s: %w", s.terms, err)
		}
		if n == 0 {
			return nil, 0, nil
		}
		if n < least {
			best, least = i, n
		}
	}
	out[0], out[best] = out[best], out[0]
	return out, least, nil
}

// termDiff is what has to change in an index.
type termDiff struct{ gone, fresh []posting }

// posting is one term of one row.
type posting struct {
	term string
	n    int64
}

// row notes that a row had some terms and is to have others. No row is noted
// twice.
func (x *termDiff) row(n int64, old, want []string) {
	had := make(map[string]bool, len(old))
	for _, term := range old {
		had[term] = true
	}
	for _, term := range want {
		if had[term] {
			delete(had, term)
		} else {
			x.fresh = append(x.fresh, posting{term, n})
		}
	}
	for term := range had {
		x.gone = append(x.gone, posting{term, n})
	}
}

// reindex brings an index up to date, in the order of its keys: neighbours
// share a page.
func (s shelf) reindex(ctx context.Context, tx *store.Tx, x *termDiff) error {
	byKey := func(a, b posting) int { return cmp.Or(strings.Compare(a.term, b.term), cmp.Compare(a.n, b.n)) }
	slices.SortFunc(x.gone, byKey)
	slices.SortFunc(x.fresh, byKey)
	for _, p := range x.gone {
		if _, err := tx.Exec(ctx, `DELETE FROM `+s.terms+` WHERE term = ? AND n = ?`, p.term, p.n); err != nil {
			return fmt.Errorf("index: %w", err)
		}
	}
	for part := range slices.Chunk(x.fresh, insertAtOnce) {
		if len(part) < insertAtOnce {
			for _, p := range part {
				if err := s.insert(ctx, tx, p); err != nil {
					return err
				}
			}
			break
		}
		if err := s.insert(ctx, tx, part...); err != nil {
			return err
		}
	}
	return nil
}

// insertAtOnce is how many postings one statement writes.
const insertAtOnce = 16

func (s shelf) insert(ctx context.Context, tx *store.Tx, list ...posting) error {
	args := make([]any, 0, 2*len(list))
	for _, p := range list {
		args = append(args, p.term, p.n)
	}
	values := strings.TrimSuffix(strings.Repeat("(?, ?), ", len(list)), ", ")
	if _, err := tx.Exec(ctx, `INSERT INTO `+s.terms+` (term, n) VALUES `+values, args...); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, read func(scan func(...any) error) (T, error)) ([]T, error) {
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := read(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
