package counter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"corridor/internal/store"
)

// Entry is what one dataset adds to a year's count of one kind.
type Entry struct {
	Kind    string
	Dataset string
	Set     string // id; empty: no column names the people
	Size    int64  // of the set
	Loose   int64  // people counted as different from all others
}

// Count is how many different people were let go: the union of the sets, as an
// interval, and those who are counted as different from all others.
type Count struct {
	Low, High int64 // of the union
	Loose     int64
	Fresh     int64 // of Loose: what the entry brings anew
	Datasets  int
	Unkeyed   int // datasets in which some people are counted as different from all others
}

// Exact says whether the union is a count and not an estimate.
func (c Count) Exact() bool { return c.Low == c.High }

// Year keeps the running count of a year. It is safe for concurrent use. The
// rows of people_counted are the truth; Year remembers what it has read of
// them, and what it has counted.
type Year struct {
	db   *store.DB
	year string

	mu    sync.Mutex // guards what follows
	seq   int64      // rows read so far
	kinds map[string]*kind
}

// kind is the count of one kind of people.
type kind struct {
	sets    map[string]int64 // size by id
	ids     []string         // in the order in which they came
	sum     int64            // of the sizes
	most    int64            // the largest
	sketch  Sketch
	loose   int64
	looseOf map[string]int64 // loose people by dataset
	named   map[string]bool  // datasets
	exact   map[string]int64 // union with a further set, by its id; "": as it is
}

// NewYear makes the running count of a year.
func NewYear(db *store.DB, year string) *Year {
	return &Year{db: db, year: year, kinds: map[string]*kind{}}
}

// Name is the year.
func (y *Year) Name() string { return y.year }

func (y *Year) kind(name string) *kind {
	k := y.kinds[name]
	if k == nil {
		k = &kind{sets: map[string]int64{}, looseOf: map[string]int64{}, named: map[string]bool{}, exact: map[string]int64{"": 0}}
		y.kinds[name] = k
	}
	return k
}

// refresh reads the rows that came since. The caller holds mu.
func (y *Year) refresh(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.Query(ctx, `SELECT seq, kind, dataset, set_id, size, loose FROM people_counted WHERE year = ? AND seq > ? ORDER BY seq`, y.year, y.seq)
	if err != nil {
		return fmt.Errorf("people of %s: %w", y.year, err)
	}
	defer rows.Close()
	var fresh []Entry
	seq := y.seq
	for rows.Next() {
		var e Entry
		if err := rows.Scan(&seq, &e.Kind, &e.Dataset, &e.Set, &e.Size, &e.Loose); err != nil {
			return fmt.Errorf("people of %s: %w", y.year, err)
		}
		fresh = append(fresh, e)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("people of %s: %w", y.year, err)
	}
	rows.Close()
	sketches := make([]*Sketch, len(fresh))
	for i, e := range fresh { // all, before anything is taken over
		if e.Set == "" {
			continue
		}
		if sketches[i], err = SketchOf(ctx, tx, e.Set); err != nil {
			return err
		}
	}
	for i, e := range fresh {
		y.kind(e.Kind).take(e, sketches[i])
	}
	y.seq = seq
	return nil
}

func (k *kind) take(e Entry, sketch *Sketch) {
	k.loose += e.Loose
	k.looseOf[e.Dataset] += e.Loose
	k.named[e.Dataset] = true
	if _, known := k.sets[e.Set]; known || e.Set == "" {
		return
	}
	k.sets[e.Set] = e.Size
	k.ids = append(k.ids, e.Set)
	k.sum, k.most = k.sum+e.Size, max(k.most, e.Size)
	k.sketch.Merge(sketch)
	with, known := k.exact[e.Set]
	k.exact = map[string]int64{}
	switch {
	case known:
		k.exact[""] = with
	case len(k.ids) == 1:
		k.exact[""] = e.Size
	}
}

// alwaysExact is up to how many hashes a union is counted, whatever the law
// says: it takes a few milliseconds.
const alwaysExact = 100_000

// With gives the count of one kind if an entry is let go too, and how far the
// year's rows were read for it. The union is an estimate if decided says that
// the law does not tell apart the counts of its interval; otherwise it is
// counted exactly. An Entry without a set and people adds nothing.
func (y *Year) With(ctx context.Context, e Entry, decided func(low, high int64) bool) (c Count, seq int64, err error) {
	var ids []string
	err = y.db.Read(ctx, func(tx *store.Tx) error {
		c, ids, seq, err = y.known(ctx, tx, &e)
		return err
	})
	if err != nil || c.Exact() || c.High > alwaysExact && decided(c.Low+c.Loose, c.High+c.Loose) {
		return c, seq, err
	}
	// A new snapshot: it sees every set that the running count knows of.
	var n int64
	err = y.db.Read(ctx, func(tx *store.Tx) error {
		n, err = Union(ctx, tx, ids)
		return err
	})
	if err != nil {
		return c, 0, err
	}
	c.Low, c.High = n, n
	y.mu.Lock()
	defer y.mu.Unlock()
	if k := y.kind(e.Kind); slices.Equal(ids, k.with(e.Set)) { // nothing has come in meanwhile
		k.exact[e.Set] = n
	}
	return c, seq, nil
}

// known gives what is known without looking at hashes, and the sets to look
// at. A set that is counted already is taken out of the entry.
func (y *Year) known(ctx context.Context, tx *store.Tx, e *Entry) (c Count, ids []string, seq int64, err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if err := y.refresh(ctx, tx); err != nil {
		return c, nil, 0, err
	}
	k := y.kind(e.Kind)
	if _, in := k.sets[e.Set]; in {
		e.Set = ""
	}
	c.Fresh = max(0, e.Loose-k.looseOf[e.Dataset])
	c.Loose, c.Datasets = k.loose+c.Fresh, len(k.named)
	for _, n := range k.looseOf {
		if n > 0 {
			c.Unkeyed++
		}
	}
	if n, known := k.exact[e.Set]; known {
		c.Low, c.High = n, n
		return c, nil, y.seq, nil
	}
	c.Low, c.High, err = k.bounds(ctx, tx, *e)
	return c, k.with(e.Set), y.seq, err
}

// with lists the sets, and one more.
func (k *kind) with(set string) []string {
	ids := slices.Clone(k.ids)
	if set != "" {
		ids = append(ids, set)
	}
	return ids
}

// bounds gives the interval of the union with a further set, by what is
// certain and by the sketches.
func (k *kind) bounds(ctx context.Context, tx *store.Tx, e Entry) (low, high int64, err error) {
	low, high = k.most, k.sum
	sketch := k.sketch
	if n, known := k.exact[""]; known {
		low, high = n, n
	}
	if e.Set != "" {
		low, high = max(low, e.Size), high+e.Size
		more, err := SketchOf(ctx, tx, e.Set)
		if err != nil {
			return 0, 0, err
		}
		sketch.Merge(more)
	}
	if low == high {
		return low, high, nil
	}
	sketchLow, sketchHigh := sketch.Bounds()
	low, high = max(low, sketchLow), min(high, sketchHigh)
	if low > high { // the sketch is further off than it should ever be: believe what is certain
		low, high = k.most, k.sum+e.Size
	}
	return low, high, nil
}

// Since sums up, by kind, how many people at most came in after a row.
func Since(ctx context.Context, tx *store.Tx, year string, seq int64) (map[string]int64, error) {
	rows, err := tx.Query(ctx, `SELECT kind, SUM(size + loose) FROM people_counted WHERE year = ? AND seq > ? GROUP BY kind`, year, seq)
	if err != nil {
		return nil, fmt.Errorf("people of %s: %w", year, err)
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var kind string
		var n int64
		if err := rows.Scan(&kind, &n); err != nil {
			return nil, fmt.Errorf("people of %s: %w", year, err)
		}
		out[kind] = n
	}
	return out, rows.Err()
}

// ErrReplaced says that a set to be counted is no longer there: its dataset was
// published anew meanwhile.
var ErrReplaced = errors.New("the people of the dataset were read anew")

// Add writes what was let go. A set counts once in a year, and of the people
// whom no column names a dataset counts the most that it ever had.
func Add(ctx context.Context, tx *store.Tx, year, day string, list []Entry) error {
	for _, e := range list {
		var loose, counted int64
		err := tx.QueryRow(ctx, `SELECT COALESCE(SUM(loose), 0), COALESCE(SUM(CASE WHEN set_id = ? THEN 1 ELSE 0 END), 0) FROM people_counted WHERE year = ? AND kind = ? AND dataset = ?`,
			e.Set, year, e.Kind, e.Dataset).Scan(&loose, &counted)
		if err != nil {
			return fmt.Errorf("people of %s: %w", year, err)
		}
		if counted > 0 || e.Size == 0 {
			e.Set, e.Size = "", 0
		}
		if e.Set != "" {
			var there int64
			if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM people_sets WHERE set_id = ?`, e.Set).Scan(&there); err != nil {
				return fmt.Errorf("people of %s: %w", year, err)
			}
			if there == 0 {
				return ErrReplaced
			}
		}
		if e.Loose = max(0, e.Loose-loose); e.Set == "" && e.Loose == 0 {
			continue
		}
		_, err = tx.Exec(ctx, `INSERT INTO people_counted (year, seq, kind, dataset, set_id, size, loose, on_day)
			SELECT ?, COALESCE(MAX(seq), 0) + 1, ?, ?, ?, ?, ?, ? FROM people_counted WHERE year = ?`,
			year, e.Kind, e.Dataset, e.Set, e.Size, e.Loose, day, year)
		if err != nil {
			return fmt.Errorf("people of %s: %w", year, err)
		}
	}
	return nil
}
