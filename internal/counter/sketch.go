package counter

import (
	"math"

	"corridor"
	"corridor/internal/hll"
)

const registers = 1 << 14

// Sketch estimates how many different hashes it was shown: HyperLogLog with
// 16,384 registers, whose standard error is 0.81 %.
type Sketch [registers]uint8

// SketchError bounds the relative error of a sketch at five standard errors:
// in fewer than one count in a million the truth lies outside.
func SketchError() float64 { return 5 * hll.StandardError(registers) }

// Add shows a hash.
func (s *Sketch) Add(h uint64) { hll.Add(s[:], h) }

// Merge makes s the sketch of both.
func (s *Sketch) Merge(o *Sketch) {
	for i, r := range o {
		if r > s[i] {
			s[i] = r
		}
	}
}

// Bounds gives the interval in which the count lies, within SketchError.
func (s *Sketch) Bounds() (low, high int64) {
	n, e := min(hll.Estimate(s[:]), 1<<60), SketchError() // a sketch that is full knows no bound
	return int64(n / (1 + e)), int64(math.Ceil(n / (1 - e)))
}

// decodeSketch reads a stored sketch.
func decodeSketch(raw []byte) (*Sketch, error) {
	var s Sketch
	if copy(s[:], raw) != registers || len(raw) != registers {
		return nil, corridor.E(corridor.Internal, "a stored sketch has %d bytes, not %d", len(raw), registers)
	}
	highest := hll.MaxRank(registers)
	for _, r := range s {
		if r > highest {
			return nil, corridor.E(corridor.Internal, "a stored sketch holds the rank %d; %d is the highest", r, highest)
		}
	}
	return &s, nil
}
