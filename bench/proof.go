//go:build bench

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor/internal/identity"
	"corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/verify"
)

const (
	proofOrigin = "gateway.example.org/log"
	proofDID    = "did:web:gateway.example.org"
	tileHashes  = 256 // of one tile (C2SP tlog-tiles)
)

// proof measures inclusion proofs in a large log. Its tiles are written
// straight into the store; of its entries it has those that are asked for.
func (b *bench) proof() error {
	size := int64(10_000_000)
	if b.quick {
		size = 1_000_000
	}
	dir := filepath.Join(b.dir, "proof")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(b.ctx, filepath.Join(dir, "node.db"), ledger.Migrations...)
	if err != nil {
		return err
	}
	defer db.Close()
	began := time.Now()
	log, asked, err := b.largeLog(db, filepath.Join(dir, "keys"), size)
	if err != nil {
		return err
	}
	info, err := os.Stat(db.Path())
	if err != nil {
		return err
	}
	made := time.Since(began)
	built, included, whole, err := b.prove(log, asked)
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("inclusion proof of a random entry, log of %d entries, from the stored tiles, each against the signed root", size), "p50 ≤ 0.3 ms", "%s", quantilesOf(built))
	b.add("- its path checked", "p50 ≤ 10 µs", "%s", quantilesOf(included))
	b.add("- read, the checkpoint's signature and the path checked", "", "%s", quantilesOf(whole))
	b.add("- the log's tiles made and written", "", "%s, %s on the disk", brief(made), mb(info.Size()))
	return nil
}

// prove builds and checks the proofs of entries.
func (b *bench) prove(log *ledger.Log, asked []int64) (built, included, whole []time.Duration, err error) {
	trusted, err := verify.LogVerifier(log.VKey())
	if err != nil {
		return nil, nil, nil, err
	}
	for _, index := range asked {
		at := time.Now()
		text, err := log.Proof(b.ctx, index)
		if err != nil {
			return nil, nil, nil, err
		}
		built = append(built, time.Since(at))
		leaf := tlog.RecordHash(largeEntry(index))
		at = time.Now()
		p, err := verify.ParseProof(text)
		if err != nil {
			return nil, nil, nil, err
		}
		c, _, err := verify.OpenCheckpoint(p.Checkpoint, trusted)
		if err != nil {
			return nil, nil, nil, err
		}
		path := time.Now()
		if err := p.CheckInclusion(c, leaf); err != nil {
			return nil, nil, nil, err
		}
		included, whole = append(included, time.Since(path)), append(whole, time.Since(at))
	}
	return built, included, whole, nil
}

func largeEntry(index int64) []byte { return fmt.Appendf(nil, `{"receipt":%d}`, index) }

// largeLog writes a log of size entries and opens it. asked are the places of
// the entries that it holds.
func (b *bench) largeLog(db *store.DB, keyDir string, size int64) (*ledger.Log, []int64, error) {
	keys, err := identity.OpenKeys(keyDir, proofDID, verify.Ed25519)
	if err != nil {
		return nil, nil, err
	}
	signer, err := keys.LogSigner(proofOrigin)
	if err != nil {
		return nil, nil, err
	}
	vkey, err := keys.LogVKey(proofOrigin)
	if err != nil {
		return nil, nil, err
	}
	t := tileWriter{db: db}
	for i := range size {
		h := tlog.RecordHash(largeEntry(i))
		if err := t.append(b.ctx, 0, h[:]); err != nil {
			return nil, nil, err
		}
	}
	root, err := t.finish(b.ctx)
	if err != nil {
		return nil, nil, err
	}
	signed, err := note.Sign(&note.Note{Text: verify.Checkpoint{Origin: proofOrigin, Size: size, Root: root}.String()}, signer)
	if err != nil {
		return nil, nil, err
	}
	places := map[int64]bool{size - 1: true}
	for r := rand.New(rand.NewPCG(1, 2)); len(places) < 4000; {
		places[r.Int64N(size)] = true
	}
	var asked []int64
	err = db.Write(b.ctx, func(tx *store.Tx) error {
		for i := range places { // in no order
			entry := largeEntry(i)
			leaf := tlog.RecordHash(entry)
			if _, err := tx.Exec(b.ctx, `INSERT INTO ledger_entries (idx, leaf, entry, dataset, negotiation, agreement, transfer) VALUES (?, ?, ?, '', '', '', '')`, i, leaf[:], entry); err != nil {
				return err
			}
			asked = append(asked, i)
		}
		_, err := tx.Exec(b.ctx, `INSERT INTO ledger_head (id, size, checkpoint) VALUES (1, ?, ?)`, size, signed)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	log, err := ledger.Open(b.ctx, db, ledger.Config{Origin: proofOrigin, Signer: signer, VKey: vkey, Issuer: proofDID})
	return log, asked, err
}

// tileWriter makes the tiles of a tree and writes them, some hundred at a time.
type tileWriter struct {
	db     *store.DB
	open   [][]byte // the unfinished tile of each level
	done   []int64  // finished tiles of each level
	queued []tile
}

type tile struct {
	level  int
	n      int64
	hashes []byte
}

func (t *tileWriter) append(ctx context.Context, level int, hash []byte) error {
	if level == len(t.open) {
		t.open, t.done = append(t.open, nil), append(t.done, 0)
	}
	t.open[level] = append(t.open[level], hash...)
	if len(t.open[level]) < tileHashes*tlog.HashSize {
		return nil
	}
	full := t.open[level]
	t.queued = append(t.queued, tile{level, t.done[level], full})
	t.open[level] = nil
	t.done[level]++
	if len(t.queued) >= 1000 {
		if err := t.flush(ctx); err != nil {
			return err
		}
	}
	root := merge(full)
	return t.append(ctx, level+1, root[:])
}

// finish writes the unfinished tiles, and gives the root: each level's tree has
// the tree of what the level below has left over as its last leaf.
func (t *tileWriter) finish(ctx context.Context) (tlog.Hash, error) {
	var rest []byte
	for level, data := range t.open {
		if len(data) > 0 {
			t.queued = append(t.queued, tile{level, t.done[level], bytes.Clone(data)})
		}
		if rest = append(data, rest...); len(rest) > 0 {
			h := merge(rest)
			rest = h[:]
		}
	}
	return tlog.Hash(rest), t.flush(ctx)
}

func (t *tileWriter) flush(ctx context.Context) error {
	err := t.db.Write(ctx, func(tx *store.Tx) error {
		for _, q := range t.queued {
			if _, err := tx.Exec(ctx, `INSERT INTO ledger_tiles (level, n, hashes) VALUES (?, ?, ?)`, q.level, q.n, q.hashes); err != nil {
				return err
			}
		}
		return nil
	})
	t.queued = t.queued[:0]
	return err
}

// merge hashes a run of hashes to the root of their tree (RFC 6962).
func merge(hashes []byte) tlog.Hash {
	n := len(hashes) / tlog.HashSize
	if n == 1 {
		return tlog.Hash(hashes)
	}
	split := 1
	for split*2 < n {
		split *= 2
	}
	return tlog.NodeHash(merge(hashes[:split*tlog.HashSize]), merge(hashes[split*tlog.HashSize:]))
}
