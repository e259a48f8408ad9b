package exchange_test

import (
	"context"
	"regexp"
	"strings"

	"corridor/internal/store"
)

// walks are the statements that may look at every row of a table, or sort
// rows: what they look at does not grow with what the node has agreed on.
var walks = []string{
	`FROM people_sets`, `FROM people_blocks`, `INSERT INTO people_sets`, // as many as datasets that name their people
	`FROM people_counted WHERE year = ? AND seq > ?`, // what came in since a decision began
	`FROM ledger_peer_receipts
			WHERE matter = ?`, // receipts of one agreement, bounded
	`SELECT state, COUNT(*)`, // the operator's status counts what there is, along an index
}

// checkPlans asks SQLite how it finds the rows of every statement that a node
// ran. Ten million agreements must not change the cost of the next request.
func (n *node) checkPlans() {
	n.t.Helper()
	for _, text := range n.db.Statements() {
		if verb := strings.Fields(text)[0]; verb != "SELECT" && verb != "UPDATE" && verb != "DELETE" && verb != "INSERT" {
			continue
		}
		var steps []string
		err := n.db.Read(context.Background(), func(tx *store.Tx) error {
			args := make([]any, strings.Count(text, "?"))
			rows, err := tx.Query(context.Background(), "EXPLAIN QUERY PLAN "+text, args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id, parent, unused int
				var step string
				if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
					return err
				}
				steps = append(steps, step)
			}
			return rows.Err()
		})
		if err != nil {
			if !strings.Contains(err.Error(), "no such table") { // a test took it away
				n.t.Errorf("%v: %s", err, text)
			}
			continue
		}
		for _, step := range steps {
			if walk.MatchString(step) && !allowedToWalk(text) {
				n.t.Errorf("%s\nlooks at every row: %s", text, step)
			}
		}
	}
}

// walk is a step that looks at every row, or sorts what no index sorts.
var walk = regexp.MustCompile(`^SCAN [a-z]|^USE TEMP B-TREE`)

func allowedToWalk(text string) bool {
	for _, w := range walks {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
