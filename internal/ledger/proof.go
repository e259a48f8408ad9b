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
	if err := l.upToDate(ctx); err != nil {
		return nil, err
	}
	if index < 0 || index >= l.Size() {
		return nil, corridor.E(corridor.NotFound, "the log has no entry %d", index)
	}
	var out []byte
	err := l.db.Read(ctx, func(tx *store.Tx) error {
		c, signed, err := l.bestCheckpoint(ctx, tx, index)
		if err != nil {
			return err
		}
		hashes, err := inclusion(ctx, tx, index, c)
		if err != nil {
			return err
		}
		out = verify.Proof{Index: index, Hashes: hashes, Checkpoint: signed}.Format()
		return nil
	})
	return out, err
}

// COSE writes the COSE receipt (RFC 9942) of an entry: the log's key signs the
// root of the newest durable checkpoint in that form too. See verify.COSE.
func (l *Log) COSE(ctx context.Context, index int64) ([]byte, error) {
	if err := l.upToDate(ctx); err != nil {
		return nil, err
	}
	if err := l.Stopped(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	c := l.head.checkpoint
	l.mu.Unlock()
	if index < 0 || index >= c.Size {
		return nil, corridor.E(corridor.NotFound, "the log has no entry %d", index)
	}
	var hashes []tlog.Hash
	err := l.db.Read(ctx, func(tx *store.Tx) (err error) {
		hashes, err = inclusion(ctx, tx, index, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	r, err := verify.NewCOSEReceipt(l.cfg.VKey, verify.Proof{Index: index, Hashes: hashes}, c.Size)
	if err != nil {
		return nil, err
	}
	if r.Signature, err = l.cfg.Signer.Sign(r.Message(c.Root)); err != nil {
		return nil, corridor.E(corridor.Internal, "sign COSE receipt: %w", err)
	}
	return r.Encode(), nil
}

// bestCheckpoint gives the checkpoint that Proof uses, signed, with all
// cosignatures known for it. The signature of the head is known to be good: it
// was made or checked by this process.
func (l *Log) bestCheckpoint(ctx context.Context, tx *store.Tx, index int64) (c verify.Checkpoint, signed []byte, err error) {
	l.mu.Lock()
	h, cosigned := l.head, l.cosigned
	l.mu.Unlock()
	if cosigned > index && cosigned < h.checkpoint.Size {
		err := tx.QueryRow(ctx, `SELECT checkpoint FROM ledger_checkpoints WHERE size = ?`, cosigned).Scan(&signed)
		if err == nil {
			if c, _, err = verify.OpenCheckpoint(signed, l.verifier); err != nil {
				return c, nil, err
			}
			signed, err = withCosignatures(ctx, tx, cosigned, signed)
			return c, signed, err
		}
		if !errors.Is(err, sql.ErrNoRows) { // pruned: the head is as good by now
			return c, nil, err
		}
	}
	signed, err = withCosignatures(ctx, tx, h.checkpoint.Size, h.note)
	return h.checkpoint, signed, err
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

// inclusion proves that an entry is in the tree of c. The tiles are taken as
// they are, and the finished path is checked against the root: a damaged tile
// can not become a wrong proof.
func inclusion(ctx context.Context, tx *store.Tx, index int64, c verify.Checkpoint) ([]tlog.Hash, error) {
	return (&rawHashes{tiles: tiles{ctx, tx}, size: c.Size, read: map[tileID][]byte{}}).prove(index, c)
}

// rawHashes reads hashes from tiles that nobody has checked, each tile once.
type rawHashes struct {
	tiles
	size int64
	read map[tileID][]byte
}

func (r *rawHashes) prove(index int64, c verify.Checkpoint) ([]tlog.Hash, error) {
	hashes, err := tlog.ProveRecord(c.Size, index, r)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d of %d: %w", index, c.Size, err)
	}
	leaf, err := r.hash(0, index)
	if err != nil {
		return nil, err
	}
	if err := tlog.CheckRecord(hashes, c.Size, c.Root, index, leaf); err != nil {
		return nil, &corridor.Error{Kind: corridor.Internal, Msg: fmt.Sprintf("the log is damaged: its tiles do not lead from entry %d to the root of its checkpoint", index), Where: c.Origin,
			Fix: "restore the last backup; the witnesses will say what is missing", Err: err}
	}
	return hashes, nil
}

// ReadHashes implements tlog.HashReader.
func (r *rawHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		var err error
		if out[i], err = r.hash(tlog.SplitStoredHashIndex(x)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// hash gives the root of the n-th perfect subtree of a height.
func (r *rawHashes) hash(height int, n int64) (tlog.Hash, error) {
	level, within := height/tileHeight, height%tileHeight
	first := n << within // in the hashes of the level
	id := tileID{level, first / tileWidth}
	data, ok := r.read[id]
	if !ok {
		width := min(r.size>>(level*tileHeight)-id.n*tileWidth, tileWidth)
		if width < 1 {
			return tlog.Hash{}, corridor.E(corridor.Internal, "the tree of %d entries has no tile %d/%d", r.size, level, id.n)
		}
		got, err := r.ReadTiles([]tlog.Tile{{H: tileHeight, L: level, N: id.n, W: int(width)}})
		if err != nil {
			return tlog.Hash{}, err
		}
		data = got[0]
		r.read[id] = data
	}
	at := first % tileWidth * tlog.HashSize
	end := at + tlog.HashSize<<within
	if end > int64(len(data)) {
		return tlog.Hash{}, corridor.E(corridor.Internal, "tile %d/%d holds no subtree %d of height %d", level, id.n, n, height)
	}
	return subtree(data[at:end]), nil
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
	if err := l.upToDate(ctx); err != nil {
		return nil, err
	}
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
	if err := l.upToDate(ctx); err != nil {
		return nil, err
	}
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
