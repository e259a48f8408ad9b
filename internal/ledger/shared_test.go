package ledger

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
	"corridor/verify"
)

// TestSeveralNodesWriteOneLog lets three nodes append at once: what comes out
// is one tree, every checkpoint that anybody showed is a beginning of it, and
// each knows what the others wrote.
func TestSeveralNodesWriteOneLog(t *testing.T) {
	place, p := storetest.Server(t), newPerson("kz.example")
	var nodes []*node
	for range 3 {
		nodes = append(nodes, start(t, p, place))
	}
	const each = 60
	var mu sync.Mutex
	var shown [][]byte
	refs := map[int64]bool{}
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			for k := range each {
				ref := n.append(t, corridor.Receipt{Reason: fmt.Sprintf("%d of node %d", k, i)})
				mu.Lock()
				if refs[ref.Index] {
					t.Errorf("two receipts at %d", ref.Index)
				}
				refs[ref.Index] = true
				shown = append(shown, n.log.Checkpoint())
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	const all = 3 * each
	var hashes []tlog.Hash
	for i, n := range nodes {
		for index := range int64(all) {
			proof, err := n.log.Proof(t.Context(), index)
			if err != nil {
				t.Fatalf("node %d: %v", i, err)
			}
			entry, err := n.log.Receipt(t.Context(), index)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := verify.ParseProof(proof)
			if err != nil {
				t.Fatal(err)
			}
			c, _, err := verify.OpenCheckpoint(parsed.Checkpoint, n.log.verifier)
			if err != nil || c.Size != all {
				t.Fatalf("node %d shows a tree of %d: %v", i, c.Size, err)
			}
			if err := parsed.CheckInclusion(c, tlog.RecordHash(entry)); err != nil {
				t.Fatalf("node %d, entry %d: %v", i, index, err)
			}
			if i == 0 {
				stored, err := tlog.StoredHashes(index, entry, hashReader(&hashes))
				if err != nil {
					t.Fatal(err)
				}
				hashes = append(hashes, stored...)
			}
		}
	}
	for _, signed := range shown {
		c, _, err := verify.OpenCheckpoint(signed, nodes[0].log.verifier)
		if err != nil {
			t.Fatal(err)
		}
		if root, err := tlog.TreeHash(c.Size, hashReader(&hashes)); err != nil || root != c.Root {
			t.Errorf("a checkpoint of %d entries was shown that is no beginning of the log: %v", c.Size, err)
		}
	}
}

func hashReader(hashes *[]tlog.Hash) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, (*hashes)[i])
		}
		return out, nil
	})
}

// TestANodeHearsWhatOthersWrote: without being asked, and soon.
func TestANodeHearsWhatOthersWrote(t *testing.T) {
	place, p := storetest.Server(t), newPerson("kz.example")
	a, b := start(t, p, place), start(t, p, place)
	ref := a.append(t, corridor.Receipt{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := b.log.WaitCosigned(ctx, ref.Index); err != nil { // no witness is wanted: it waits for the entry
		t.Fatal(err)
	}
}

// TestANodeRefusesADatabaseThatFellBehind: a standby took over that had not
// got the last commits, or somebody restored a backup under a running node.
func TestANodeRefusesADatabaseThatFellBehind(t *testing.T) {
	place, p := storetest.Server(t), newPerson("kz.example")
	a := start(t, p, place)
	a.many(t, 3)
	old := a.log.Checkpoint()
	a.many(t, 3)
	raw, err := store.Open(t.Context(), place, Migrations...)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if err := raw.Write(t.Context(), func(tx *store.Tx) error {
		for _, s := range []string{`DELETE FROM ledger_salts WHERE idx >= 3`, `DELETE FROM ledger_entries WHERE idx >= 3`} {
			if _, err := tx.Exec(t.Context(), s); err != nil {
				return err
			}
		}
		_, err := tx.Exec(t.Context(), `UPDATE ledger_head SET size = 3, checkpoint = ?`, old)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	err = a.db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := a.log.Append(t.Context(), tx, corridor.Receipt{Type: corridor.ReceiptAdmin}, a.person)
		return err
	})
	if corridor.KindOf(err) != corridor.Conflict || !strings.Contains(err.Error(), "old copy") {
		t.Errorf("got %v", err)
	}
}
