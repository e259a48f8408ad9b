//go:build bench

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// atOnce is how many negotiations are under way at any moment of a rate.
const atOnce = 32

const unlimited = 1 << 62

// rate measures how many complete negotiations two nodes carry through in a
// second when many are under way.
func (b *bench) rate() error {
	cn, kz, err := b.trading()
	if err != nil {
		return err
	}
	defer cn.stop()
	defer kz.stop()
	span := time.Minute
	if b.quick {
		span = 10 * time.Second
	}
	if _, err := b.many(cn, kz, span/10, unlimited); err != nil { // warm up
		return err
	}
	before, err := spent(cn, kz)
	if err != nil {
		return err
	}
	r, err := b.many(cn, kz, span, unlimited)
	if err != nil {
		return err
	}
	after, err := spent(cn, kz)
	if err != nil {
		return err
	}
	n := time.Duration(len(r.took))
	b.add(fmt.Sprintf("complete negotiations of two processes, %d under way at once, for %s", atOnce, span), "≥ 400/s, no error", "%.0f/s of %d, none failed; one takes %s",
		float64(len(r.took))/r.wall.Seconds(), len(r.took), quantilesOf(r.took))
	b.add("- processor time of the two nodes for one", "", "%s in CN, %s in KZ", brief((after[0]-before[0])/n), brief((after[1]-before[1])/n))
	return nil
}

// trading is a pair of which the exporter offers a small file.
func (b *bench) trading() (cn, kz *node, err error) {
	if cn, kz, err = b.pair(); err != nil {
		return nil, nil, err
	}
	err = b.offer(cn)
	if err != nil {
		cn.stop()
		kz.stop()
	}
	return cn, kz, err
}

// offer publishes a small file.
func (b *bench) offer(n *node) error {
	source := filepath.Join(b.dir, "small.csv")
	if err := os.WriteFile(source, []byte("awb,手机,iin\nCN1,13900000000,900101300001\n"), 0o600); err != nil {
		return err
	}
	return n.publish(source, largePlan("手机", "iin"))
}

// endure measures what many negotiations leave behind: memory.
func (b *bench) endure() error {
	cn, kz, err := b.trading()
	if err != nil {
		return err
	}
	defer cn.stop()
	defer kz.stop()
	n := 100_000
	if b.quick {
		n = 5_000
	}
	before, err := spent(cn, kz)
	if err != nil {
		return err
	}
	r, err := b.many(cn, kz, 24*time.Hour, n)
	if err != nil {
		return err
	}
	after, err := spent(cn, kz)
	if err != nil {
		return err
	}
	tenth := len(r.took) / 10
	b.add(fmt.Sprintf("%d negotiations of two processes, %d at once", n, atOnce), "", "%.0f/s; the first tenth %s, the last tenth %s", float64(n)/r.wall.Seconds(), quantilesOf(r.took[:tenth]), quantilesOf(r.took[len(r.took)-tenth:]))
	b.add("- processor time of the two nodes for one", "", "%s in CN, %s in KZ", brief((after[0]-before[0])/time.Duration(n)), brief((after[1]-before[1])/time.Duration(n)))
	for _, side := range []*node{cn, kz} {
		rss, err := memory(side.cmd.Process.Pid, "VmRSS")
		if err != nil {
			return err
		}
		peak, err := memory(side.cmd.Process.Pid, "VmHWM")
		if err != nil {
			return err
		}
		b.add("- memory of the node in "+side.country+" after these", "≤ 150 MB RSS", "%s RSS (highest %s)", mb(rss), mb(peak))
	}
	return nil
}

// rated is what came of many negotiations.
type rated struct {
	took []time.Duration
	wall time.Duration
}

// many negotiates, atOnce at a time, until span is over or n have begun, and
// waits for all of them. Each must be FINALIZED on both sides.
func (b *bench) many(cn, kz *node, span time.Duration, n int) (rated, error) {
	var mu sync.Mutex
	var r rated
	g, ctx := errgroup.WithContext(b.ctx)
	began := time.Now()
	begun := 0
	next := func() bool {
		mu.Lock()
		defer mu.Unlock()
		begun++
		return begun <= n && time.Since(began) < span && ctx.Err() == nil
	}
	for range atOnce {
		g.Go(func() error {
			for next() {
				at := time.Now()
				if _, err := agree(cn, kz); err != nil {
					return err
				}
				mu.Lock()
				r.took = append(r.took, time.Since(at))
				mu.Unlock()
			}
			return nil
		})
	}
	err := g.Wait()
	r.wall = time.Since(began)
	return r, err
}
