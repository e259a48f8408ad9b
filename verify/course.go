package verify

import (
	"cmp"
	"slices"
	"time"

	"corridor"
)

// course is what happened in one log under one agreement, by the place in the
// log. A bundle may hold as many suspensions as other receipts, and each is
// asked what came after it: none goes through all of them.
type course struct {
	resumed []*receipt
	moved   []*receipt    // starts and releases of transfers
	latest  [][]time.Time // of moved: in row k at i the latest time of the 2^k from i on
}

type place struct{ log, agreement string }

// never stands for a time that cannot be read: it is after every other.
var never = time.Unix(1<<60, 0)

// courseOf finds the course that a receipt belongs to.
func (c *checker) courseOf(r *receipt) *course {
	if c.courses == nil {
		c.courses = c.coursesOf()
	}
	return c.courses[place{r.Log, r.leaf.Receipt.Agreement}]
}

func (c *checker) coursesOf() map[place]*course {
	courses := map[place]*course{}
	for i := range c.list {
		r := &c.list[i]
		c.looks++
		at := place{r.Log, r.leaf.Receipt.Agreement}
		k := courses[at]
		if k == nil {
			k = &course{}
			courses[at] = k
		}
		switch r.leaf.Receipt.Type {
		case corridor.ReceiptAgreementResumed:
			k.resumed = append(k.resumed, r)
		case corridor.ReceiptTransferStarted, corridor.ReceiptTransferReleased:
			k.moved = append(k.moved, r)
		}
	}
	for _, k := range courses {
		slices.SortStableFunc(k.resumed, byIndex)
		slices.SortStableFunc(k.moved, byIndex)
		c.looks += k.overlook()
	}
	return courses
}

func byIndex(a, b *receipt) int { return cmp.Compare(a.Index, b.Index) }

// startOf is where the receipts of a list begin that stand at an index or after.
func startOf(list []*receipt, index int64) int {
	at, _ := slices.BinarySearchFunc(list, index, func(r *receipt, index int64) int { return cmp.Compare(r.Index, index) })
	return at
}

// behind is where those begin that stand after it.
func behind(list []*receipt, index int64) int {
	at, _ := slices.BinarySearchFunc(list, index, func(r *receipt, index int64) int {
		if r.Index <= index {
			return -1
		}
		return 1
	})
	return at
}

// overlook fills in latest, and says in how many steps.
func (k *course) overlook() (steps int) {
	row := make([]time.Time, len(k.moved))
	for i, r := range k.moved {
		t, err := utc(r.leaf.Receipt.Time)
		if err != nil {
			t = never
		}
		row[i] = t
	}
	for width := 1; len(row) > 0; width *= 2 {
		k.latest, steps = append(k.latest, row), steps+len(row)
		wider := make([]time.Time, max(0, len(row)-width))
		for i := range wider {
			if wider[i] = row[i]; row[i+width].After(row[i]) {
				wider[i] = row[i+width]
			}
		}
		row = wider
	}
	return steps
}

// firstAfter finds the first of moved[from:to] that is of after a time, in
// steps that become smaller; to where there is none.
func (k *course) firstAfter(from, to int, t time.Time) (at, steps int) {
	for row := len(k.latest) - 1; row >= 0; row-- {
		steps++
		if width := 1 << row; from+width <= to && !k.latest[row][from].After(t) {
			from += width
		}
	}
	return from, steps
}
