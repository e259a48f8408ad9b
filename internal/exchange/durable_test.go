package exchange_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/store"
)

// looksAtOnce reads, whenever something has become durable and before the
// goroutine that wrote it knows, every process as a message of the peer would
// find it then.
func (n *node) looksAtOnce(t *testing.T) (looked *atomic.Int64, enough func()) {
	t.Helper()
	looked = &atomic.Int64{}
	var mu sync.Mutex
	over := false
	n.db.BeforeCommit(func(tx *store.Tx) error {
		tx.AfterCommit(func() {
			mu.Lock()
			defer mu.Unlock()
			if over { // the database may be closed meanwhile
				return
			}
			for _, table := range []string{"negotiations", "transfers", "agreements"} {
				looked.Add(n.looks(t, table))
			}
		})
		return nil
	})
	return looked, func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
	}
}

func (n *node) looks(t *testing.T, table string) (looked int64) {
	ctx := context.Background()
	key, read := "pid", n.x.NegotiationVersion
	switch table {
	case "transfers":
		read = n.x.TransferVersion
	case "agreements":
		key, read = "id", n.x.AgreementVersion
	}
	durable := map[string]int64{}
	err := n.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+key+`, version FROM `+table+` WHERE `+key+` > '' ORDER BY `+key+` LIMIT 100`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var version int64
			if err := rows.Scan(&id, &version); err != nil {
				return err
			}
			durable[id] = version
		}
		return rows.Err()
	})
	if err != nil {
		t.Errorf("%s: %v", table, err)
	}
	for id, version := range durable {
		looked++
		if read, err := read(ctx, id); err != nil || read != version {
			t.Errorf("%s of %s: version %d is durable, %d is read (%v)", id, table, version, read, err)
		}
	}
	return looked
}

// TestWhatIsDurableIsWhatIsRead: the peer may answer a message before the
// goroutine that sent it has come back from its commit. The answer was then
// held against the state before the message, and refused; an acknowledgement
// was taken for that of a message long overtaken, and the process stood still.
func TestWhatIsDurableIsWhatIsRead(t *testing.T) {
	t.Parallel()
	cn, kz := pair(t)
	cn.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	looked := map[string]*atomic.Int64{}
	for _, n := range []*node{cn, kz} {
		var enough func()
		looked[n.name], enough = n.looksAtOnce(t)
		defer enough()
	}
	n := kz.until(kz.ask(cn, "shipments", "trade_logistics"), func(n exchange.Negotiation) bool { return n.State == dsp.Finalized })
	_, err := kz.x.Transfer(within(t, 10*time.Second), n.Agreement)
	ok(t, err)
	cn.untilTransfer(cn.transferOf(n.Agreement), func(t exchange.Transfer) bool { return t.State == dsp.Completed })
	for name, n := range looked {
		if n.Load() < 5 {
			t.Errorf("%s looked %d times", name, n.Load())
		}
	}
}
