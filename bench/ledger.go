//go:build bench

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/identity"
	"corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/verify"
)

// receiptSize is about how large the receipts are that are measured.
const receiptSize = 1024

// ledger measures a receipt from its submission to the signed checkpoint
// on the disk that holds it, and tessera's log beside it.
func (b *bench) ledger() error {
	for _, c := range []struct {
		suite         string
		writers, each int
		target        string
	}{
		{verify.Ed25519, 1, 2000, "p50 ≤ 1 ms"},
		{verify.SM2, 1, 2000, ""},
		{verify.Ed25519, 16, 2000, "≥ 6,000 receipts/s"},
		{verify.Ed25519, 256, 400, "≥ 20,000 receipts/s, p99 ≤ 60 ms"},
	} {
		r, err := b.appends(c.suite, c.writers, c.each)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("receipt to durable signed checkpoint, %d writers, %s", c.writers, c.suite)
		if c.writers == 1 {
			what = "receipt to durable signed checkpoint, one writer, " + c.suite
		}
		b.add(what, c.target, "%s; %.0f receipts/s", quantilesOf(r.took), float64(len(r.took))/r.wall.Seconds())
		b.add(fmt.Sprintf("- disk for each receipt, of %d bytes signed", r.leaf), "≤ 1.15 KiB for 1 KiB", "%.2f KiB, with the database's indices and the log's tiles; %.2f for 1 KiB",
			float64(r.disk)/float64(r.held)/1024, float64(r.disk)/float64(r.held)/float64(r.leaf))
	}
	return b.tessera()
}

// appended is what came of many appends.
type appended struct {
	took []time.Duration
	wall time.Duration
	held int64 // receipts of the log
	leaf int   // bytes of the last one
	disk int64 // bytes of the closed database
}

// appends lets writers append to a log of their own database.
func (b *bench) appends(suite string, writers, each int) (r appended, err error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("ledger-%s-%d", suite, writers))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	const did, origin = "did:web:gateway.example.org", "gateway.example.org/log"
	keys, err := identity.OpenKeys(filepath.Join(dir, "keys"), did, suite)
	if err != nil {
		return r, err
	}
	signer, err := keys.LogSigner(origin)
	if err != nil {
		return r, err
	}
	vkey, err := keys.LogVKey(origin)
	if err != nil {
		return r, err
	}
	db, err := store.Open(b.ctx, filepath.Join(dir, "node.db"), ledger.Migrations...)
	if err != nil {
		return r, err
	}
	defer db.Close()
	log, err := ledger.Open(b.ctx, db, ledger.Config{Origin: origin, Signer: signer, VKey: vkey, Issuer: did})
	if err != nil {
		return r, err
	}
	last := make([]string, writers+1) // of each writer: each names the receipt that its own follows, as an exchange does
	one := func(writer, i int) (time.Duration, error) {
		r := corridor.Receipt{Type: corridor.ReceiptNegotiation, Peer: "did:web:gateway.example.com", Negotiation: fmt.Sprintf("urn:uuid:%d-%d", writer, i/4),
			State: "REQUESTED", Digests: quoted(writer, i)}
		at := time.Now()
		if i%4 > 0 {
			r.Prev = last[writer+1]
		}
		e, err := log.Prepare(b.ctx, r, keys.National)
		if err != nil {
			return 0, err
		}
		last[writer+1] = e.Leaf
		err = db.Write(b.ctx, func(tx *store.Tx) error {
			_, err := log.Add(b.ctx, tx, e)
			return err
		})
		return time.Since(at), err
	}
	for i := range 50 { // warm up
		if _, err := one(-1, i); err != nil {
			return r, err
		}
	}
	r.took = make([]time.Duration, writers*each)
	var g errgroup.Group
	began := time.Now()
	for w := range writers {
		g.Go(func() (err error) {
			for i := range each {
				if r.took[w*each+i], err = one(w, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = g.Wait()
	r.wall = time.Since(began)
	if err != nil {
		return r, err
	}
	r.held = log.Size()
	leaf, err := log.Receipt(b.ctx, r.held-1)
	if err != nil {
		return r, err
	}
	if r.leaf = len(leaf); r.leaf < receiptSize {
		return r, fmt.Errorf("the receipts that are measured have %d bytes, and should have %d", r.leaf, receiptSize)
	}
	if err := db.Close(); err != nil {
		return r, err
	}
	r.disk, err = taken(dir)
	return r, err
}

// quoted are the digests of a receipt that has about receiptSize bytes.
func quoted(writer, i int) map[string]string {
	out := map[string]string{}
	for _, name := range []string{"message", "offer", "policy", "decision", "plan", "compact", "agreement"} {
		out[name] = corridor.Digest(fmt.Append(nil, name, writer, i))
	}
	return out
}

// taken is what the files of a directory take on the disk, in bytes.
func taken(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var s syscall.Stat_t
		if err := syscall.Lstat(path, &s); err != nil {
			return err
		}
		const block = 512 // of Stat_t, whatever the file system has
		sum += s.Blocks * block
		return nil
	})
	return sum, err
}
