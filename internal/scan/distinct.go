package scan

import (
	"math"

	"corridor/internal/hll"
)

// distinct counts different 64-bit hashes: exactly up to a limit, then by
// HyperLogLog. The hashes are keyed by a random seed of the scan, so that they
// say nothing about the values and nobody can craft a file that miscounts.
type distinct struct {
	slots []uint64 // open addressing; 0 is free
	n     int
	limit int
	bits  uint8 // of HyperLogLog registers
	regs  []uint8
	pool  *pool
	queue []uint64 // to be added, filled by whoever reads rows
	ready []uint64 // being added meanwhile
	near  uint64   // of no meaning: what was fetched, so that it is
}

// later puts a hash into the queue. The large tables of exact counts are slow
// to reach; they are filled beside the reading of the next rows.
func (d *distinct) later(h uint64) { d.queue = append(d.queue, h) }

// turn hands the queue over to drain.
func (d *distinct) turn() { d.queue, d.ready = d.ready[:0], d.queue }

// drain adds what turn handed over. Of a large table the places of a few are
// fetched at once before they are filled one by one: each is far away.
func (d *distinct) drain() {
	for list := d.ready; len(list) > 0; {
		some := list[:min(len(list), 16)]
		list = list[len(some):]
		if mask := uint64(len(d.slots) - 1); len(d.slots) >= farAway {
			for _, h := range some {
				d.near |= d.slots[h&mask]
			}
		}
		for _, h := range some {
			d.add(h)
		}
	}
	d.ready = d.ready[:0]
}

// farAway is from how many slots a table does not stay in the nearest caches.
const farAway = 1 << 13

// pool bounds the slots that all exact counts of a scan may use together.
type pool struct{ left int }

func newDistinct(limit int, bits uint8, p *pool) distinct {
	return distinct{limit: limit, bits: bits, pool: p}
}

func (d *distinct) add(h uint64) {
	if d.regs != nil {
		hll.Add(d.regs, h)
		return
	}
	if h == 0 {
		h = 1
	}
	if len(d.slots) == 0 {
		d.slots = make([]uint64, 16)
	}
	mask := uint64(len(d.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		switch d.slots[i] {
		case h:
			return
		case 0:
			d.slots[i] = h
			if d.n++; d.n > d.limit || d.n*8 > len(d.slots)*7 && !d.grow() {
				d.estimateFromNow()
			}
			return
		}
	}
}

// grow doubles the table if the pool allows.
func (d *distinct) grow() bool {
	if d.pool != nil {
		if d.pool.left < len(d.slots) {
			return false
		}
		d.pool.left -= len(d.slots)
	}
	old := d.slots
	d.slots = make([]uint64, 2*len(old))
	mask := uint64(len(d.slots) - 1)
	for _, h := range old {
		if h == 0 {
			continue
		}
		i := h & mask
		for d.slots[i] != 0 {
			i = (i + 1) & mask
		}
		d.slots[i] = h
	}
	return true
}

func (d *distinct) estimateFromNow() {
	d.regs = make([]uint8, 1<<d.bits)
	for _, h := range d.slots {
		if h != 0 {
			hll.Add(d.regs, h)
		}
	}
	if d.pool != nil {
		d.pool.left += len(d.slots)
	}
	d.slots = nil
}

// exact says whether count is a count and not an estimate.
func (d *distinct) exact() bool { return d.regs == nil }

// count gives the number of different hashes.
func (d *distinct) count() int64 {
	if d.regs == nil {
		return int64(d.n)
	}
	return int64(math.Round(hll.Estimate(d.regs)))
}

// relativeError is three standard errors: the truth lies within it 997 times
// in 1000.
func (d *distinct) relativeError() float64 {
	if d.regs == nil {
		return 0
	}
	return 3 * hll.StandardError(len(d.regs))
}

// bounds gives the interval of the count.
func (d *distinct) bounds() (low, high int64) {
	n := d.count()
	e := d.relativeError()
	if e == 0 {
		return n, n
	}
	low = max(int64(float64(n)*(1-e)), int64(min(d.n, d.limit)))
	return low, int64(math.Ceil(float64(n) * (1 + e)))
}
