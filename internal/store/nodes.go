package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"corridor"
)

// Several nodes on one database know of each other by rows of store_nodes
// that each renews. A node that does not is given up for dead by the first
// other that notices: what it had claimed is free from then on. Whether it
// really is dead does not matter: it has lost its name, and comes back, if at
// all, under a new one.
const (
	nodeLife   = 5 * time.Second
	nodeRenews = time.Second
	// A node that could not renew for this long takes itself for dead, before
	// the others do.
	nodeDoubts = 4 * time.Second
)

// line is how a node says that it lives, and hears what others tell.
type line struct {
	db      *DB
	channel string
	stop    context.CancelFunc
	ended   chan struct{}

	mu      sync.Mutex // guards what follows
	id      string     // of this node
	lost    chan struct{}
	renewed time.Time
	owed    map[string]string // leases that could not be given back: name -> holder
	ears    []func(what string)
}

func newNodeID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// node names this process among those on the database; the one of a file has
// no name.
func (db *DB) node() string {
	if db.line == nil {
		return ""
	}
	db.line.mu.Lock()
	defer db.line.mu.Unlock()
	return db.line.id
}

const clock = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`

const (
	joinNodes  = `INSERT INTO store_nodes (id, until) VALUES ($1, ` + clock + ` + $2)`
	renewNode  = `UPDATE store_nodes SET until = ` + clock + ` + $2 WHERE id = $1`
	buryNodes  = `DELETE FROM store_nodes WHERE until < ` + clock
	leaveNodes = `DELETE FROM store_nodes WHERE id = $1`
	tellNodes  = `SELECT pg_notify($1, $2)`
	giveBack   = `DELETE FROM store_leases WHERE name = $1 AND holder = $2`
)

// join makes this process a node of the database before it writes anything.
func (db *DB) join(ctx context.Context) error {
	l := &line{db: db, id: newNodeID(), lost: make(chan struct{}), ended: make(chan struct{}), owed: map[string]string{}}
	conn, err := db.r.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var schema string
	if err := conn.QueryRowContext(ctx, `SELECT current_schema()`).Scan(&schema); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(schema))
	l.channel = "corridor_" + hex.EncodeToString(sum[:8])
	if _, err := conn.ExecContext(ctx, joinNodes, l.id, nodeLife.Milliseconds()); err != nil {
		return err
	}
	l.renewed = time.Now()
	db.line = l
	run, stop := context.WithCancel(context.Background())
	l.stop = stop
	go l.run(run)
	return nil
}

// run keeps the line open until it is stopped.
func (l *line) run(ctx context.Context) {
	defer close(l.ended)
	const shortest, longest = 100 * time.Millisecond, time.Second
	for pause := shortest; ; pause = min(2*pause, longest) {
		if connected := l.session(ctx); connected {
			pause = shortest
		}
		if ctx.Err() != nil {
			return
		}
		if l.silent() > nodeDoubts {
			l.rename()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (l *line) silent() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.renewed)
}

// rename takes this node for dead under its name: what it held is lost. It
// comes back under another.
func (l *line) rename() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id = newNodeID()
	close(l.lost)
	l.lost = make(chan struct{})
	clear(l.owed)
	l.renewed = time.Now() // of nothing; it is not asked for again before the next doubt
}

// session is one connection of the line. It ends with it.
func (l *line) session(ctx context.Context) (connected bool) {
	conn, err := pgx.ConnectConfig(ctx, l.db.server.config.Copy())
	if err != nil {
		return false
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if ctx.Err() != nil && !conn.IsClosed() { // an orderly end: the others need not wait
			_, _ = conn.Exec(end, leaveNodes, l.db.node())
			_, _ = conn.Exec(end, tellNodes, l.channel, l.db.node()+"\n"+nodesChanged)
		}
		_ = conn.Close(end)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+l.channel); err != nil {
		return false
	}
	l.hear("") // what was said before is lost
	for {
		if err := l.renew(ctx, conn); err != nil {
			return true
		}
		if err := l.listen(ctx, conn); err != nil {
			return true
		}
	}
}

// renew says that this node lives and buries those that did not.
func (l *line) renew(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, nodeDoubts)
	defer cancel()
	began := time.Now()
	tag, err := conn.Exec(ctx, renewNode, l.db.node(), nodeLife.Milliseconds())
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 { // given up for dead, or never joined under this name
		l.rename()
		if _, err := conn.Exec(ctx, joinNodes, l.db.node(), nodeLife.Milliseconds()); err != nil {
			return err
		}
		l.hear(nodesChanged)
	}
	l.mu.Lock()
	l.renewed = began
	l.mu.Unlock()
	if err := l.giveBack(ctx, conn); err != nil {
		return err
	}
	if tag, err = conn.Exec(ctx, buryNodes); err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	l.hear(nodesChanged)
	_, err = conn.Exec(ctx, tellNodes, l.channel, l.db.node()+"\n"+nodesChanged)
	return err
}

// giveBack releases the leases that could not be released when their work
// ended.
func (l *line) giveBack(ctx context.Context, conn *pgx.Conn) error {
	l.mu.Lock()
	owed := l.owed
	l.owed = map[string]string{}
	l.mu.Unlock()
	for name, holder := range owed {
		if _, err := conn.Exec(ctx, giveBack, name, holder); err != nil {
			l.owe(name, holder)
			return err
		}
		if _, err := conn.Exec(ctx, tellNodes, l.channel, l.db.node()+"\n"+nodesChanged); err != nil {
			return err
		}
	}
	return nil
}

func (l *line) owe(name, holder string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owed[name] = holder
}

// listen hears the others until it is time to renew.
func (l *line) listen(ctx context.Context, conn *pgx.Conn) error {
	wait, cancel := context.WithTimeout(ctx, nodeRenews)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(wait)
		switch {
		case err == nil:
			l.take(n.Payload)
		case ctx.Err() != nil:
			return ctx.Err()
		case wait.Err() != nil && !conn.IsClosed():
			return nil
		default:
			return err
		}
	}
}

// nodesChanged is told when a node has gone or a lease is free.
const nodesChanged = "nodes"

// maxTold bounds what one transaction tells; beyond it the others are told
// that anything may have changed. PostgreSQL takes 8000 bytes.
const maxTold = 7000

// Tell lets the other nodes on the database know, once the transaction is
// durable, what it has changed: a word and perhaps an identifier, without line
// breaks. The process of a file is alone and tells nobody.
func (tx *Tx) Tell(what string) {
	if tx.db.line != nil {
		tx.told = append(tx.told, what)
	}
}

// Shared says whether other nodes may write to this database too.
func (db *DB) Shared() bool { return db.line != nil }

// Hear registers a function that hears what other nodes tell; "" means that
// something may have been missed. It must be brief. Calls do not overlap.
func (db *DB) Hear(fn func(what string)) {
	if db.line == nil {
		return
	}
	db.line.mu.Lock()
	defer db.line.mu.Unlock()
	db.line.ears = append(db.line.ears, fn)
}

func (l *line) take(payload string) {
	from, what, _ := strings.Cut(payload, "\n")
	if from == l.db.node() {
		return
	}
	for w := range strings.SplitSeq(what, "\n") {
		l.hear(w)
	}
}

func (l *line) hear(what string) {
	l.mu.Lock()
	ears := l.ears
	l.mu.Unlock()
	for _, fn := range ears {
		fn(what)
	}
	if what == nodesChanged || what == "" {
		l.db.leases.announce()
		l.db.adoptOutbox()
	}
}

// tell puts what a transaction tells into it.
func (w *writer) tell(told []string) error {
	if len(told) == 0 || w.db.line == nil {
		return nil
	}
	seen := map[string]bool{}
	payload := w.db.node()
	for _, what := range told {
		if !seen[what] {
			seen[what] = true
			payload += "\n" + what
		}
		if len(payload) > maxTold {
			payload = w.db.node() + "\n"
			break
		}
	}
	_, err := w.conn.ExecContext(context.Background(), tellNodes, w.db.line.channel, payload)
	return err
}

// leases are the names that this process holds.
type leases struct {
	mu      sync.Mutex
	held    map[string]bool
	changed chan struct{} // closed and replaced when one may be free
}

func (l *leases) take(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[name] {
		return false
	}
	if l.held == nil {
		l.held = map[string]bool{}
	}
	l.held[name] = true
	return true
}

func (l *leases) drop(name string) {
	l.mu.Lock()
	delete(l.held, name)
	l.mu.Unlock()
	l.announce()
}

func (l *leases) wait() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

func (l *leases) announce() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Claim takes the lease of a name if nobody alive has it: neither this process
// nor another node. held ends when the lease is lost: what was begun under it
// must stop, because another may have begun it too. release gives it back.
// Where there is no lease, held is ctx and release does nothing.
func (db *DB) Claim(ctx context.Context, name string) (held context.Context, release func(), ok bool, err error) {
	if !db.leases.take(name) {
		return ctx, func() {}, false, nil
	}
	if db.line == nil {
		return ctx, func() { db.leases.drop(name) }, true, nil
	}
	db.line.mu.Lock()
	me, lost := db.line.id, db.line.lost
	db.line.mu.Unlock()
	var holder string
	err = db.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO store_leases (name, holder) SELECT ?, id FROM store_nodes WHERE id = ?
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder WHERE store_leases.holder NOT IN (SELECT id FROM store_nodes)`, name, me)
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT COALESCE((SELECT holder FROM store_leases WHERE name = ?), '')`, name).Scan(&holder)
	})
	if err != nil || holder != me {
		db.leases.drop(name)
		return ctx, func() {}, false, err
	}
	held, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-lost:
			cancel()
		case <-held.Done():
		}
	}()
	return held, func() {
		cancel()
		db.giveBack(ctx, name, me)
		db.leases.drop(name)
	}, true, nil
}

func (db *DB) giveBack(ctx context.Context, name, holder string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), nodeDoubts)
	defer cancel()
	err := db.Write(ctx, func(tx *Tx) error {
		tx.Tell(nodesChanged)
		_, err := tx.Exec(ctx, `DELETE FROM store_leases WHERE name = ? AND holder = ?`, name, holder)
		return err
	})
	if err != nil {
		db.line.owe(name, holder)
	}
}

// Lead does work on one node at a time: as long as this one holds the lease of
// the name it works; when the lease is lost, the context of work ends, and
// with it work; and it waits to lead again. It returns what work returns by
// itself, and nil when ctx ends.
func (db *DB) Lead(ctx context.Context, name string, work func(context.Context) error) error {
	for {
		changed := db.leases.wait()
		held, release, ok, err := db.Claim(ctx, name)
		if err != nil && ctx.Err() == nil && corridor.KindOf(err) != corridor.Unavailable {
			return err
		}
		if ok {
			err = work(held)
			lost := held.Err() != nil
			release()
			if !lost {
				return err
			}
			changed = nil // it may be free already
		}
		if ctx.Err() != nil {
			return nil
		}
		retry := time.After(nodeRenews)
		if !ok && err == nil {
			retry = nil // somebody has it: its end is heard of
		}
		select {
		case <-ctx.Done():
			return nil
		case <-db.closing:
			return nil
		case <-changed:
		case <-retry:
		}
	}
}

// Alone does something once while nobody else does anything under the same
// name. It waits for its turn. What is written under it calls StillAlone in
// the same transaction.
func (db *DB) Alone(ctx context.Context, name string, do func(context.Context) error) error {
	for {
		changed := db.leases.wait()
		held, release, ok, err := db.Claim(ctx, name)
		if err != nil {
			return err
		}
		if ok {
			defer release()
			return do(held)
		}
		select {
		case <-ctx.Done():
			return corridor.E(corridor.Unavailable, "waiting for another node: %w", ctx.Err())
		case <-db.closing:
			return errClosed()
		case <-changed:
		}
	}
}

// StillAlone makes sure, in the transaction that makes something take effect,
// that the lease under which it was made has not been lost meanwhile.
func (db *DB) StillAlone(ctx context.Context, tx *Tx, name string) error {
	if db.line == nil {
		return nil
	}
	var mine bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM store_leases WHERE name = ? AND holder = ?)`, name, db.node()).Scan(&mine)
	if err == nil && !mine {
		err = &corridor.Error{Kind: corridor.Unavailable, Msg: "this node was given up for dead by the others meanwhile; nothing was written", Fix: "try again"}
	}
	return err
}

// hangUp ends the line.
func (db *DB) hangUp() error {
	if db.line == nil {
		return nil
	}
	db.line.stop()
	select {
	case <-db.line.ended:
		return nil
	case <-time.After(connectTimeout + time.Second):
		return errors.New("the line to the other nodes did not end")
	}
}
