package exchange

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"corridor/internal/counter"
	"corridor/internal/store"
)

// TestTheDayIsFoundByItsIndex: what is asked after every agreement and
// transfer must not look at the rows that wait for nothing.
func TestTheDayIsFoundByItsIndex(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "node.db"), slices.Concat(counter.Migrations, Migrations)...)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, index := range map[string]string{passedTasks: "tasks_by_alarm", nextTask: "tasks_by_alarm", dueReviews: "reviews_by_due", nextReview: "reviews_by_due", dueDeletions: "deletions_by_due", nextDeletion: "deletions_by_due",
		dueNegotiations: "negotiations_by_due", nextNegotiation: "negotiations_by_due", dueTransfers: "transfers_by_due", nextTransfer: "transfers_by_due"} {
		args := make([]any, strings.Count(query, "?"))
		for i := range args {
			args[i] = "2026-11-26"
		}
		var plan string
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			var id, parent, unused int
			return tx.QueryRow(context.Background(), "EXPLAIN QUERY PLAN "+query, args...).Scan(&id, &parent, &unused, &plan)
		})
		if err != nil || !strings.Contains(plan, "SEARCH") || !strings.Contains(plan, index) {
			t.Errorf("%v: %s\n%s", err, plan, query)
		}
	}
}
