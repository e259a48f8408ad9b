package hll

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestEstimatesLieWithinFiveStandardErrors(t *testing.T) {
	for _, width := range []int{10, 12, 14, 16} {
		regs := make([]uint8, 1<<width)
		r := rand.New(rand.NewPCG(uint64(width), 3))
		n := 0
		for _, size := range []int{0, 1, 10, 1000, 40_000, 300_000} {
			for ; n < size; n++ {
				h := r.Uint64()
				Add(regs, h)
				Add(regs, h)
			}
			if off := math.Abs(Estimate(regs) - float64(n)); off > 5*StandardError(len(regs))*float64(n)+1e-9 {
				t.Errorf("%d registers tell %.1f of %d", len(regs), Estimate(regs), n)
			}
		}
	}
}

func TestARegisterHoldsTheRankOfItsHash(t *testing.T) {
	for _, width := range []uint{10, 14, 16} {
		regs := make([]uint8, 1<<width)
		Add(regs, 0)
		if regs[0] != MaxRank(len(regs)) {
			t.Errorf("%d registers: a hash of zeros gives rank %d, not %d", len(regs), regs[0], MaxRank(len(regs)))
		}
		Add(regs, math.MaxUint64)
		if last := regs[len(regs)-1]; last != 1 {
			t.Errorf("%d registers: a hash of ones gives rank %d", len(regs), last)
		}
	}
}

func TestFullRegistersKnowNoBound(t *testing.T) {
	regs := make([]uint8, 1<<14)
	for i := range regs {
		regs[i] = MaxRank(len(regs))
	}
	if e := Estimate(regs); !math.IsInf(e, 1) {
		t.Error(e)
	}
}
