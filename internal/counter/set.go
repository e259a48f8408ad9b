package counter

import (
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed" // the schema of this room
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"corridor/internal/store"
)

//go:embed schema.sql
var schema string

//go:embed schema_postgres.sql
var schemaPostgres string

// Migrations lists the tables of this room.
var Migrations = []store.Migration{{Room: "counter", Version: 1, SQL: schema, Postgres: schemaPostgres}}

// Set is what is known of the people of a dataset's edition.
type Set struct {
	Year    string
	Dataset string
	Edition string
	Kind    string
	ID      string
	Size    int64 // different people that the column names
	Loose   int64 // rows in which it names nobody
	sketch  *Sketch
}

// perWrite is how many blocks go into one transaction: half a megabyte, so
// that others' writes do not wait long.
const perWrite = 8

// Store writes the blocks of a set that nobody refers to yet, and fills in its
// id, size and sketch. A crash leaves blocks without a set, which Tidy
// removes.
func (s *Set) Store(ctx context.Context, db *store.DB, sorted *Sorter) error {
	var name [16]byte
	_, _ = rand.Read(name[:]) // never fails
	s.ID, s.Size, s.sketch = hex.EncodeToString(name[:]), 0, &Sketch{}
	var block []uint64
	var full [][]uint64
	flush := func(all bool) error {
		if len(block) == blockSize || all && len(block) > 0 {
			full, block = append(full, block), nil
		}
		if len(full) == 0 || len(full) < perWrite && !all {
			return nil
		}
		err := db.Write(ctx, func(tx *store.Tx) error { return putBlocks(ctx, tx, s.ID, full) })
		full = full[:0]
		return err
	}
	err := sorted.Each(func(h uint64) error {
		s.Size++
		s.sketch.Add(h)
		if block == nil {
			block = make([]uint64, 0, blockSize)
		}
		if block = append(block, h); len(block) < blockSize {
			return nil
		}
		return flush(false)
	})
	if err == nil {
		err = flush(true)
	}
	if err != nil {
		return fmt.Errorf("people of dataset %s: %w", s.Dataset, err)
	}
	return nil
}

func putBlocks(ctx context.Context, tx *store.Tx, id string, blocks [][]uint64) error {
	for _, b := range blocks {
		_, err := tx.Exec(ctx, `INSERT INTO people_blocks (set_id, first, last, data) VALUES (?, ?, ?, ?)`,
			id, key(b[0]), key(b[len(b)-1]), encodeBlock(make([]byte, 0, 1+8*len(b)), b))
		if err != nil {
			return err
		}
	}
	return nil
}

// Put makes a stored set the one of its year, dataset, edition and kind.
func (s *Set) Put(ctx context.Context, tx *store.Tx) error {
	var sketch any
	if s.Size > blockSize && s.sketch != nil {
		sketch = s.sketch[:]
	}
	_, err := tx.Exec(ctx, `INSERT INTO people_sets (year, dataset, edition, kind, set_id, size, loose, sketch) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (year, dataset, edition, kind) DO NOTHING`, s.Year, s.Dataset, s.Edition, s.Kind, s.ID, s.Size, s.Loose, sketch)
	if err != nil {
		return fmt.Errorf("people of dataset %s: %w", s.Dataset, err)
	}
	return nil
}

// Find reads the set of a year, dataset, edition and kind.
func Find(ctx context.Context, tx *store.Tx, year, dataset, edition, kind string) (s Set, found bool, err error) {
	s = Set{Year: year, Dataset: dataset, Edition: edition, Kind: kind}
	err = tx.QueryRow(ctx, `SELECT set_id, size, loose FROM people_sets WHERE year = ? AND dataset = ? AND edition = ? AND kind = ?`,
		year, dataset, edition, kind).Scan(&s.ID, &s.Size, &s.Loose)
	if errors.Is(err, sql.ErrNoRows) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("people of dataset %s: %w", dataset, err)
	}
	return s, true, nil
}

// SketchOf reads the sketch of a set; that of a small one is made of its
// hashes.
func SketchOf(ctx context.Context, tx *store.Tx, id string) (*Sketch, error) {
	var raw []byte
	var size int64
	err := tx.QueryRow(ctx, `SELECT sketch, size FROM people_sets WHERE set_id = ? ORDER BY kind LIMIT 1`, id).Scan(&raw, &size)
	if err != nil {
		return nil, fmt.Errorf("a counted set is not there: %w", err)
	}
	if raw != nil {
		return decodeSketch(raw)
	}
	s := &Sketch{}
	err = span(ctx, tx, id, 0, math.MaxUint64, func(hashes []uint64) {
		for _, h := range hashes {
			s.Add(h)
		}
	})
	return s, err
}

// span visits the blocks of a set that may hold hashes between lo and hi.
func span(ctx context.Context, tx *store.Tx, id string, lo, hi uint64, visit func([]uint64)) error {
	rows, err := tx.Query(ctx, `SELECT data FROM people_blocks WHERE set_id = ? AND first <= ? AND last >= ? ORDER BY first`, id, key(hi), key(lo))
	if err != nil {
		return fmt.Errorf("counted people: %w", err)
	}
	defer rows.Close()
	var raw sql.RawBytes
	var hashes []uint64
	for rows.Next() {
		if err := rows.Scan(&raw); err != nil {
			return fmt.Errorf("counted people: %w", err)
		}
		if hashes, err = decodeBlock(hashes[:0], raw); err != nil {
			return err
		}
		visit(hashes)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("counted people: %w", err)
	}
	return nil
}

// unionStep is how many hashes are held at once while sets are compared.
const unionStep = 1 << 20

// Union counts the different people of several sets, exactly. It goes through
// the space of hashes in parts, so that memory stays flat.
func Union(ctx context.Context, tx *store.Tx, ids []string) (int64, error) {
	total := int64(0)
	for _, id := range ids {
		size := int64(0)
		if err := tx.QueryRow(ctx, `SELECT size FROM people_sets WHERE set_id = ? ORDER BY kind LIMIT 1`, id).Scan(&size); err != nil {
			return 0, fmt.Errorf("a counted set is not there: %w", err)
		}
		total += size
	}
	parts := uint64(total/unionStep) + 1
	width := math.MaxUint64 / parts
	count := int64(0)
	t := newTable(min(total, unionStep))
	for i := range parts {
		lo, hi := i*width, (i+1)*width-1
		if i == parts-1 {
			hi = math.MaxUint64
		}
		t.reset()
		for _, id := range ids {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			err := span(ctx, tx, id, lo, hi, func(hashes []uint64) {
				for _, h := range hashes {
					if h >= lo && h <= hi {
						t.add(h)
					}
				}
			})
			if err != nil {
				return 0, err
			}
		}
		count += int64(t.n)
	}
	return count, nil
}

// table is a set of hashes in memory, by open addressing. The hashes are even
// by themselves.
type table struct {
	slots []uint64
	n     int
	zero  bool // holds the hash 0, which marks a free slot
}

func newTable(expect int64) *table {
	return &table{slots: make([]uint64, 1<<bits.Len64(uint64(max(expect, 8))*3/2))}
}

func (t *table) reset() {
	clear(t.slots)
	t.n, t.zero = 0, false
}

func (t *table) add(h uint64) {
	if h == 0 {
		if !t.zero {
			t.zero = true
			t.n++
		}
		return
	}
	mask := uint64(len(t.slots) - 1)
	for i := h * 0x9e3779b97f4a7c15 >> 20 & mask; ; i = (i + 1) & mask { // the parts share their top bits
		switch t.slots[i] {
		case h:
			return
		case 0:
			t.slots[i] = h
			if t.n++; t.n*4 > len(t.slots)*3 {
				t.grow()
			}
			return
		}
	}
}

func (t *table) grow() {
	old := t.slots
	t.slots, t.n = make([]uint64, 2*len(old)), 0
	if t.zero {
		t.n = 1
	}
	for _, h := range old {
		if h != 0 {
			t.add(h)
		}
	}
}

// Tidy removes the sets of editions of a dataset that were replaced before
// anything of them was let go. No set may be in the making meanwhile.
func Tidy(ctx context.Context, tx *store.Tx, dataset, edition string) error {
	res, err := tx.Exec(ctx, `DELETE FROM people_sets WHERE dataset = ? AND edition <> ?
		AND NOT EXISTS (SELECT 1 FROM people_counted c WHERE c.set_id = people_sets.set_id AND c.year = people_sets.year)`, dataset, edition)
	if err != nil {
		return fmt.Errorf("old editions of dataset %s: %w", dataset, err)
	}
	if n, err := res.RowsAffected(); err == nil && n == 0 {
		return nil
	}
	return Orphans(ctx, tx)
}

// Orphans removes blocks of no set, which a crash left. No set may be in the
// making meanwhile.
func Orphans(ctx context.Context, tx *store.Tx) error {
	if _, err := tx.Exec(ctx, `DELETE FROM people_blocks WHERE set_id NOT IN (SELECT set_id FROM people_sets)`); err != nil {
		return fmt.Errorf("blocks of no set: %w", err)
	}
	return nil
}

// Forget deletes the hashes of all years before the given one. What stays are
// numbers: how many people of which dataset were counted.
func Forget(ctx context.Context, tx *store.Tx, before string) error {
	res, err := tx.Exec(ctx, `DELETE FROM people_sets WHERE year < ?`, before)
	if err != nil {
		return fmt.Errorf("people of past years: %w", err)
	}
	if n, err := res.RowsAffected(); err == nil && n == 0 {
		return nil
	}
	return Orphans(ctx, tx)
}
