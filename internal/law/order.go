package law

import "slices"

// arrange orders variables by affinity: those that a rule uses together come
// to stand together. It repeats "move every variable to the middle of its
// rules" and keeps the order with the shortest total span.
func arrange(vars []int, edges [][]int) []int {
	pos := make(map[int]float64, len(vars))
	for i, v := range vars {
		pos[v] = float64(i)
	}
	best, bestSpan := slices.Clone(vars), span(vars, edges)
	cur := slices.Clone(vars)
	for range 24 {
		sum := make(map[int]float64, len(vars))
		n := make(map[int]float64, len(vars))
		for _, e := range edges {
			if len(e) == 0 {
				continue
			}
			mid := 0.0
			for _, v := range e {
				mid += pos[v]
			}
			mid /= float64(len(e))
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
		slices.SortStableFunc(cur, func(a, b int) int {
			switch {
			case pos[a] < pos[b]:
				return -1
			case pos[a] > pos[b]:
				return 1
			}
			return 0
		})
		for i, v := range cur {
			pos[v] = float64(i)
		}
		if s := span(cur, edges); s < bestSpan {
			best, bestSpan = slices.Clone(cur), s
		}
	}
	return best
}

// span sums how far apart each edge's variables stand.
func span(order []int, edges [][]int) int {
	at := make(map[int]int, len(order))
	for i, v := range order {
		at[v] = i
	}
	total := 0
	for _, e := range edges {
		if len(e) == 0 {
			continue
		}
		lo, hi := at[e[0]], at[e[0]]
		for _, v := range e {
			lo, hi = min(lo, at[v]), max(hi, at[v])
		}
		total += hi - lo
	}
	return total
}
