//go:build bench

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/identity"
	"corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/verify"
)

// ledger measures a receipt from its submission to the signed checkpoint
// on the disk that holds it.
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
		took, wall, err := b.appends(c.suite, c.writers, c.each)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("receipt to durable signed checkpoint, %d writers, %s", c.writers, c.suite)
		if c.writers == 1 {
			what = "receipt to durable signed checkpoint, one writer, " + c.suite
		}
		b.add(what, c.target, "%s; %.0f receipts/s", quantilesOf(took), float64(len(took))/wall.Seconds())
	}
	return nil
}

// appends lets writers append to a log of their own database.
func (b *bench) appends(suite string, writers, each int) ([]time.Duration, time.Duration, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("ledger-%s-%d", suite, writers))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(dir)
	const did, origin = "did:web:gateway.example.org", "gateway.example.org/log"
	keys, err := identity.OpenKeys(filepath.Join(dir, "keys"), did, suite)
	if err != nil {
		return nil, 0, err
	}
	signer, err := keys.LogSigner(origin)
	if err != nil {
		return nil, 0, err
	}
	vkey, err := keys.LogVKey(origin)
	if err != nil {
		return nil, 0, err
	}
	db, err := store.Open(b.ctx, filepath.Join(dir, "node.db"), ledger.Migrations...)
	if err != nil {
		return nil, 0, err
	}
	defer db.Close()
	log, err := ledger.Open(b.ctx, db, ledger.Config{Origin: origin, Signer: signer, VKey: vkey, Issuer: did})
	if err != nil {
		return nil, 0, err
	}
	last := make([]string, writers+1) // of each writer: each names the receipt that its own follows, as an exchange does
	one := func(writer, i int) (time.Duration, error) {
		r := corridor.Receipt{Type: corridor.ReceiptNegotiation, Peer: "did:web:gateway.example.com", Negotiation: fmt.Sprintf("urn:uuid:%d-%d", writer, i/4),
			State: "REQUESTED", Digests: map[string]string{"message": corridor.Digest(fmt.Append(nil, writer, i))}}
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
			return nil, 0, err
		}
	}
	took := make([]time.Duration, writers*each)
	var g errgroup.Group
	began := time.Now()
	for w := range writers {
		g.Go(func() (err error) {
			for i := range each {
				if took[w*each+i], err = one(w, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = g.Wait()
	return took, time.Since(began), err
}
