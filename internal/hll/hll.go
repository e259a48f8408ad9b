// Package hll is HyperLogLog: it estimates how many different hashes it was
// shown, in registers of one byte. Who calls owns the registers, a power of
// two of them up to 65,536, and keeps or merges them as it likes: those of two
// sketches are merged by taking the larger of each pair.
package hll

import (
	"math"
	"math/bits"
)

// MaxRank gives the largest value that a register may hold when there are n.
func MaxRank(n int) uint8 { return uint8(64 - width(n) + 1) }

// Add shows a 64-bit hash, whose bits must be uniform.
func Add(regs []uint8, h uint64) {
	w := width(len(regs))
	rank := uint8(bits.LeadingZeros64(h<<w|1<<(w-1))) + 1
	if i := h >> (64 - w); rank > regs[i] {
		regs[i] = rank
	}
}

// StandardError gives the relative standard error of an estimate by n
// registers.
func StandardError(n int) float64 { return 1.04 / math.Sqrt(float64(n)) }

// Estimate gives the number of different hashes, by the improved raw estimator
// of Ertl (2017, "New cardinality estimation algorithms for HyperLogLog
// sketches", section 4), which has no bias at any size. It is infinite when
// every register is full.
func Estimate(regs []uint8) float64 {
	q := 64 - int(width(len(regs)))
	var c [66]float64
	for _, r := range regs {
		c[r]++
	}
	m := float64(len(regs))
	z := m * tau(1-c[q+1]/m)
	for k := q; k >= 1; k-- {
		z = 0.5 * (z + c[k])
	}
	z += m * sigma(c[0]/m)
	return m * m / (2 * math.Ln2 * z)
}

// width gives how many bits of a hash choose among n registers.
func width(n int) uint { return uint(bits.TrailingZeros(uint(n))) }

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		prev := z
		z += x * y
		y += y
		if z == prev {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		prev := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == prev {
			return z / 3
		}
	}
}
