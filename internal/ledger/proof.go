package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// Proof writes the C2SP tlog-proof of an entry. Its checkpoint is the newest
// one that satisfies the witness policy and covers the entry; before there is
// one, the newest of all.
func (l *Log) Proof(ctx context.Context, index int64) ([]byte, error) {
	if index < 0 || index >= l.Size() {
		return nil, corridor.E(corridor.NotFound, "the log has no entry %d", index)
	}
	var out []byte
	err := l.db.Read(ctx, func(tx *store.Tx) error {
		signed, err := l.bestCheckpoint(ctx, tx, index)
		if err != nil {
			return err
		}
		c, _, err := verify.OpenCheckpoint(signed, l.verifier)
		if err != nil {
			return err
		}
		hashes, err := tlog.ProveRecord(c.Size, index, tileReader(ctx, tx, c))
		if err != nil {
			return fmt.Errorf("prove entry %d of %d: %w", index, c.Size, err)
		}
		out = verify.Proof{Index: index, Hashes: hashes, Checkpoint: signed}.Format()
		return nil
	})
	return out, err
}

// bestCheckpoint gives the signed checkpoint that Proof uses, with all
// cosignatures known for it.
func (l *Log) bestCheckpoint(ctx context.Context, tx *store.Tx, index int64) ([]byte, error) {
	l.mu.Lock()
	h, cosigned := l.head, l.cosigned
	l.mu.Unlock()
	if cosigned > index && cosigned < h.checkpoint.Size {
		var signed []byte
		err := tx.QueryRow(ctx, `SELECT checkpoint FROM ledger_checkpoints WHERE size = ?`, cosigned).Scan(&signed)
		if err == nil {
			return withCosignatures(ctx, tx, cosigned, signed)
		}
		if !errors.Is(err, sql.ErrNoRows) { // pruned: the head is as good by now
			return nil, err
		}
	}
	return withCosignatures(ctx, tx, h.checkpoint.Size, h.note)
}

func withCosignatures(ctx context.Context, tx *store.Tx, size int64, signed []byte) ([]byte, error) {
	rows, err := tx.Query(ctx, `SELECT line FROM ledger_cosignatures WHERE size = ? ORDER BY witness`, size)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := bytes.Clone(signed)
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		out = append(out, line...)
	}
	return out, rows.Err()
}

// consistency proves that the tree of old entries is the beginning of c's.
func consistency(ctx context.Context, tx *store.Tx, old int64, c verify.Checkpoint) ([]tlog.Hash, error) {
	if old == 0 || old == c.Size {
		return nil, nil
	}
	return tlog.ProveTree(c.Size, old, tileReader(ctx, tx, c))
}

// tileReader reads hashes from the stored tiles and checks each tile against
// the root of c: a damaged tile can not become a wrong proof.
func tileReader(ctx context.Context, tx *store.Tx, c verify.Checkpoint) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, tiles{ctx, tx})
}

// tiles implements tlog.TileReader.
type tiles struct {
	ctx context.Context
	tx  *store.Tx
}

func (t tiles) Height() int { return tileHeight }

func (t tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(list))
	for i, id := range list {
		data, err := readTile(t.ctx, t.tx, id.L, id.N)
		if err != nil {
			return nil, err
		}
		if len(data) < id.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %s holds %d bytes", id.Path(), len(data))
		}
		out[i] = data[:id.W*tlog.HashSize]
	}
	return out, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// tileData gives the first width hashes of a tile, for serving. A tile that
// no signed checkpoint needs is not there.
func (l *Log) tileData(ctx context.Context, level int, n int64, width int) (data []byte, err error) {
	if level*tileHeight > 62 || l.Size()>>(tileHeight*level) < n*tileWidth+int64(width) {
		return nil, corridor.E(corridor.NotFound, "no such tile")
	}
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		data, err = readTile(ctx, tx, level, n)
		if errors.Is(err, sql.ErrNoRows) || err == nil && len(data) < width*tlog.HashSize {
			return corridor.E(corridor.NotFound, "no such tile")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return data[:width*tlog.HashSize], nil
}

// bundleData is an entry bundle: length-prefixed entries.
func (l *Log) bundleData(ctx context.Context, n int64, width int) ([]byte, error) {
	first := n * tileWidth
	if l.Size() < first+int64(width) {
		return nil, corridor.E(corridor.NotFound, "no such entry bundle")
	}
	var out []byte
	err := l.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT entry FROM ledger_entries WHERE idx >= ? AND idx < ? ORDER BY idx`, first, first+int64(width))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var entry []byte
			if err := rows.Scan(&entry); err != nil {
				return err
			}
			out = append(out, byte(len(entry)>>8), byte(len(entry)))
			out = append(out, entry...)
		}
		return rows.Err()
	})
	return out, err
}
