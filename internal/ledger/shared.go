package ledger

import (
	"context"
	"fmt"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// logChanged is what a node tells the others when it has appended, or heard
// from a witness.
const logChanged = "log"

// lastEdge gives the edge of the tree that the last commit left. On a shared
// database that may have been another node's.
func (l *Log) lastEdge(ctx context.Context, tx *store.Tx) (*tree, error) {
	if !l.db.Shared() {
		return l.edge, nil
	}
	c, _, err := l.storedHead(ctx, tx)
	if err != nil {
		return nil, err
	}
	if err := l.notOlder(c); err != nil {
		return nil, err
	}
	if err := l.conflict(ctx, tx); err != nil {
		return nil, err
	}
	if root, err := l.edge.root(); err == nil && c.Size == l.edge.size && c.Root == root {
		return l.edge, nil
	}
	edge, err := loadTree(c.Size, func(level int, n int64) ([]byte, error) { return readTile(ctx, tx, level, n) })
	if err != nil {
		return nil, fmt.Errorf("the log %s: %w", l.cfg.Origin, err)
	}
	if root, err := edge.root(); err != nil || root != c.Root {
		return nil, corridor.E(corridor.Internal, "the log %s is damaged: its tiles give another root than its checkpoint", l.cfg.Origin)
	}
	return edge, nil
}

// storedHead reads the newest checkpoint of this snapshot.
func (l *Log) storedHead(ctx context.Context, tx *store.Tx) (c verify.Checkpoint, signed []byte, err error) {
	if err := tx.QueryRow(ctx, `SELECT checkpoint FROM ledger_head WHERE id = 1`).Scan(&signed); err != nil {
		return c, nil, fmt.Errorf("checkpoint of %s: %w", l.cfg.Origin, err)
	}
	c, _, err = verify.OpenCheckpoint(signed, l.verifier)
	return c, signed, err
}

// notOlder refuses a database that does not hold what this node has seen
// committed: it was restored from a backup, or a standby took over that had
// fallen behind. Going on would sign a second history.
func (l *Log) notOlder(c verify.Checkpoint) error {
	l.mu.Lock()
	seen := l.head.checkpoint
	l.mu.Unlock()
	if c.Size > seen.Size || c.Size == seen.Size && c.Root == seen.Root {
		return nil
	}
	return &corridor.Error{Kind: corridor.Conflict, Where: l.cfg.Origin,
		Msg: fmt.Sprintf("this database holds %d entries of the log, and this node has seen %d, or others: it is an old copy", c.Size, seen.Size),
		Why: "a second history of a log is a fork: every peer would see it as fraud",
		Fix: "bring back the newest database; if it is lost, ask the witnesses what they have cosigned before any node is started again"}
}

// conflict says what a witness has told any of the nodes.
func (l *Log) conflict(ctx context.Context, tx *store.Tx) error {
	for _, w := range l.policy.Witnesses {
		var conflict string
		if err := tx.QueryRow(ctx, `SELECT COALESCE((SELECT conflict FROM ledger_witnesses WHERE witness = ?), '')`, w.VKey).Scan(&conflict); err != nil {
			return err
		}
		if conflict != "" {
			return stopped(l.cfg.Origin, w.Name, conflict)
		}
	}
	return nil
}

// upToDate makes sure that what is told from here on is not older than what
// any node has told before. That a log of one node is.
func (l *Log) upToDate(ctx context.Context) error {
	if !l.db.Shared() {
		return nil
	}
	return l.readHead(ctx)
}

// catchUp reads what other nodes wrote. Of those who ask for it while it runs,
// one runs again.
func (l *Log) catchUp(ctx context.Context) {
	l.catching.Lock()
	defer l.catching.Unlock()
	if !l.behind.Swap(false) {
		return
	}
	if err := l.readHead(ctx); err != nil {
		l.cfg.Logger.WarnContext(ctx, "what other nodes wrote to the log could not be read", "err", err)
	}
}

func (l *Log) readHead(ctx context.Context) error {
	return l.db.Read(ctx, func(tx *store.Tx) error {
		c, signed, err := l.storedHead(ctx, tx)
		if err != nil {
			return err
		}
		cosigned, stop, err := l.cosignedSize(ctx, tx, c.Size)
		if err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if c.Size > l.head.checkpoint.Size {
			l.head = head{checkpoint: c, note: signed}
		}
		l.cosigned = max(l.cosigned, cosigned)
		if stop != nil {
			l.stop = stop
		}
		l.announce()
		return nil
	})
}
