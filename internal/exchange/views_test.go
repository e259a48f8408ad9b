package exchange

import (
	"sync"
	"testing"
)

// TestAnOldVersionOfTheCatalogueTakesNothingBack: who read before a change may
// come to say so after it.
func TestAnOldVersionOfTheCatalogueTakesNothingBack(t *testing.T) {
	v := newViews()
	if v.newest.Load() != 0 {
		t.Fatal("a version is known before one was seen")
	}
	var all sync.WaitGroup
	for n := range int64(200) {
		all.Go(func() { v.saw((n * 7919) % 200) })
	}
	all.Wait()
	if v.saw(3); v.newest.Load() != 200 {
		t.Errorf("version %d where 199 was the latest", v.newest.Load()-1)
	}
}
