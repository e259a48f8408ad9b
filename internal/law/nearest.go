package law

import (
	"slices"
	"strings"
)

// didYouMean suggests the nearest of the valid names, or lists them when they
// are few.
func didYouMean(got string, valid []string) string {
	if near := nearest(got, valid); len(near) > 0 {
		return "did you mean " + strings.Join(near, ", ") + "?"
	}
	if len(valid) == 0 {
		return ""
	}
	if len(valid) > 30 {
		return ""
	}
	return "use one of " + strings.Join(valid, ", ")
}

// nearest gives at most three names close to got, the closest first.
func nearest(got string, valid []string) []string {
	type scored struct {
		name string
		d    int
	}
	low := strings.ToLower(got)
	if len(low) > 80 {
		return nil
	}
	var near []scored
	for _, v := range valid {
		lv := strings.ToLower(v)
		d := distance(low, lv)
		if len(low) >= 3 && (strings.Contains(lv, low) || (len(lv) >= 3 && strings.Contains(low, lv))) {
			d = min(d, 1)
		}
		if d <= max(1, min(len(low), len(lv))/3) {
			near = append(near, scored{v, d})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int { return a.d - b.d })
	var out []string
	for _, n := range near[:min(3, len(near))] {
		out = append(out, n.name)
	}
	return out
}

// distance counts the insertions, deletions, exchanges and swaps of
// neighbours between two words.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	prev2 := make([]int, len(y)+1)
	prev := make([]int, len(y)+1)
	cur := make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		cur[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(y)]
}
