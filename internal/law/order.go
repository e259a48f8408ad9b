package law

import (
	"cmp"
	"slices"
)

// arrange orders variables by affinity: those that a rule uses together come
// to stand together. It repeats "move every variable to the middle of its
// rules" and keeps the order with the shortest total span.
func arrange(vars []int, edges [][]int) []int {
	size := 0
	for _, e := range append(edges[:len(edges):len(edges)], vars) {
		for _, v := range e {
			size = max(size, v+1)
		}
	}
	pos, sum, n := make([]float64, size), make([]float64, size), make([]float64, size)
	stand := func(order []int) {
		for i, v := range order {
			pos[v] = float64(i)
		}
	}
	stand(vars)
	best, bestSpan := slices.Clone(vars), span(pos, edges)
	cur, before := slices.Clone(vars), slices.Clone(vars)
	for range 24 {
		clear(sum)
		clear(n)
		for _, e := range edges {
			mid := 0.0
			for _, v := range e {
				mid += pos[v]
			}
			mid /= float64(max(1, len(e)))
			for _, v := range e {
				sum[v] += mid
				n[v]++
			}
		}
		for _, v := range cur {
			if n[v] > 0 {
				pos[v] = sum[v] / n[v]
			}
		}
		copy(before, cur)
		slices.SortStableFunc(cur, func(a, b int) int { return cmp.Compare(pos[a], pos[b]) })
		if stand(cur); slices.Equal(cur, before) {
			break // it has come to rest
		}
		if s := span(pos, edges); s < bestSpan {
			best, bestSpan = slices.Clone(cur), s
		}
	}
	return best
}

// span sums how far apart each edge's variables stand.
func span(pos []float64, edges [][]int) int {
	total := 0.0
	for _, e := range edges {
		if len(e) == 0 {
			continue
		}
		lo, hi := pos[e[0]], pos[e[0]]
		for _, v := range e {
			lo, hi = min(lo, pos[v]), max(hi, pos[v])
		}
		total += hi - lo
	}
	return int(total)
}
