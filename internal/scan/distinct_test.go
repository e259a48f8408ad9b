package scan

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestDistinctCountsExactlyUpToItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hashes := rapid.SliceOfN(rapid.Uint64Range(0, 400), 0, 600).Draw(t, "hashes")
		d := newDistinct(1000, 12, nil)
		want := map[uint64]bool{}
		for _, h := range hashes {
			d.add(h)
			if h == 0 {
				h = 1 // 0 and 1 are one hash
			}
			want[h] = true
		}
		if !d.exact() || d.count() != int64(len(want)) {
			t.Fatalf("%d, want %d", d.count(), len(want))
		}
	})
}

func TestEstimatesStayWithinTheStatedError(t *testing.T) {
	for _, n := range []int{1001, 5_000, 50_000, 300_000, 2_000_000} {
		r := rand.New(rand.NewPCG(uint64(n), 1))
		d := newDistinct(1000, 16, nil)
		for range n {
			h := r.Uint64()
			d.add(h)
			d.add(h)
		}
		low, high := d.bounds()
		if d.exact() || int64(n) < low || int64(n) > high {
			t.Errorf("%d: interval %d to %d", n, low, high)
		}
		if off := math.Abs(float64(d.count())/float64(n) - 1); off > d.relativeError() {
			t.Errorf("%d: off by %.4f, stated %.4f", n, off, d.relativeError())
		}
	}
}

func TestThePoolBoundsAllExactCounts(t *testing.T) {
	p := &pool{left: 4096}
	sets := make([]distinct, 8)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range sets {
		sets[i] = newDistinct(1_000_000, 10, p)
		for range 3000 {
			sets[i].add(r.Uint64())
		}
	}
	slots := 0
	for i := range sets {
		slots += len(sets[i].slots)
		if low, high := sets[i].bounds(); low > 3000 || high < 3000 {
			t.Errorf("set %d: %d to %d, want 3000 inside", i, low, high)
		}
	}
	if slots > 4096+8*16 {
		t.Errorf("%d slots in use, the pool allows 4096", slots)
	}
}
