package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"corridor"
)

// One SQL transaction takes at most this many callers, and takes no new one
// when it is older than this: the first caller waits for the last. Where
// several shared the one before, it waits a moment for as many: a commit
// writes the same few pages and the same signed checkpoint for one caller as
// for many.
const (
	maxBatch    = 256
	maxBatchAge = 10 * time.Millisecond
	gather      = 2 * time.Millisecond
)

// job is one call of Write on its way through the writer.
type job struct {
	turn   chan *Tx   // the writer lends the transaction
	ran    chan error // the caller gives it back with the result of fn
	result chan error // the writer says whether it is durable
	tx     *Tx
}

// Write runs fn in a transaction and returns when it is durable. The result
// is exact: nil means that the rows of fn are on disk, an error that they are
// not. A context that ends while the call is queued ends the call and nothing
// is written; once fn has run without error, the call waits for the disk
// whatever happens to the context.
//
// An error of fn rolls back fn alone and is returned as it is; so is an error
// of one of its statements that fn itself overlooked. fn runs on the
// goroutine of the caller; it must not call Write, which
// would wait for itself.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return notWritten(err)
	}
	if b := db.broken.Load(); b != nil {
		return b
	}
	j := &job{turn: make(chan *Tx), ran: make(chan error, 1), result: make(chan error, 1)}
	select {
	case db.queue <- j:
	case <-ctx.Done():
		return notWritten(ctx.Err())
	case <-db.closing:
		return errClosed()
	}
	select {
	case tx := <-j.turn:
		j.runIn(ctx, tx, fn)
	case err := <-j.result:
		return err
	}
	err := <-j.result
	if j.tx == nil {
		return err
	}
	if err == nil {
		for _, f := range j.tx.after {
			f()
		}
	}
	for _, f := range j.tx.end {
		f()
	}
	return err
}

// runIn runs fn and gives the transaction back even if fn panics or ends the
// goroutine.
func (j *job) runIn(ctx context.Context, tx *Tx, fn func(*Tx) error) {
	err := errors.New("the goroutine ended inside a transaction")
	defer func() { j.ran <- err }()
	j.tx = tx
	if cerr := ctx.Err(); cerr != nil {
		err = notWritten(cerr)
		return
	}
	err = contain(func() error { return fn(tx) })
}

func notWritten(err error) error {
	return &corridor.Error{Kind: corridor.Unavailable, Msg: "nothing was written: the request ended first", Err: err}
}

// BeforeCommit registers a hook that runs once in every SQL transaction in
// which at least one function succeeded, after all of them and before the
// commit. An error of a hook fails all of them. Functions that a hook
// registers with AfterCommit run on the writer's goroutine before any caller
// is answered; they must be brief and must not use the database.
func (db *DB) BeforeCommit(fn func(*Tx) error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.hooks = append(db.hooks, fn)
}

// writer owns the only writing connection.
func (db *DB) writer(conn *sql.Conn) {
	defer close(db.stopped)
	w := &writer{db: db, conn: conn, stmts: db.statements(conn)}
	defer w.close()
	for {
		select {
		case <-db.closing:
			return
		case j := <-db.queue:
			w.batch(j)
		}
	}
}

type writer struct {
	db    *DB
	conn  *sql.Conn // nil: the connection to the server was lost
	stmts *statements
	last  int      // callers of the last transaction
	turn  string   // on a server: the number of the transaction
	told  []string // to other nodes, by those that succeeded
}

func (w *writer) close() {
	w.stmts.close()
	if w.conn != nil {
		w.conn.Close()
	}
}

func (w *writer) begin() error {
	if w.db.server != nil {
		return w.beginServer(context.Background())
	}
	err := w.sql("BEGIN IMMEDIATE")
	if err != nil {
		w.sql("ROLLBACK") // it may have begun, or the last one not have ended
	}
	return err
}

func (w *writer) commit() error {
	if w.db.server != nil {
		return w.commitServer(context.Background())
	}
	return w.sql("COMMIT")
}

// rollback ends a transaction of which nothing is wanted.
func (w *writer) rollback() {
	if err := w.sql("ROLLBACK"); err != nil && w.db.server != nil {
		w.leave()
	}
}

func (w *writer) sql(query string) error {
	ctx := context.Background()
	if w.db.server != nil {
		if w.conn == nil {
			return sql.ErrConnDone
		}
		_, _, err := control(ctx, w.conn, query)
		return err
	}
	var err error
	if st := w.stmts.get(ctx, query); st != nil {
		_, err = st.ExecContext(ctx)
	} else {
		_, err = w.conn.ExecContext(ctx, query)
	}
	return err
}

// batch runs one SQL transaction: first, and all that queue up meanwhile.
func (w *writer) batch(first *job) {
	if b := w.db.broken.Load(); b != nil {
		first.result <- b
		return
	}
	if err := w.begin(); err != nil {
		w.refuse(first, describe(w.db.path, err))
		return
	}
	started := time.Now()
	w.told = nil
	var done []*job
	fatal := w.one(first, &done)
	// A job that failed may have lost a race: it reads what is committed and
	// tries again, so this transaction takes no more.
	n := 1
	for ; fatal == nil && len(done) == n && n < maxBatch && time.Since(started) < maxBatchAge; n++ {
		j := w.next(n, started)
		if j == nil {
			break
		}
		fatal = w.one(j, &done)
	}
	w.last = n
	var after []func()
	if fatal == nil && len(done) > 0 {
		after, fatal = w.finish()
	} else {
		w.rollback()
	}
	if fatal == nil {
		for _, f := range after {
			f()
		}
	}
	for _, j := range done {
		j.result <- fatal
	}
}

// next gives the job that joins a transaction of n callers, or nil.
func (w *writer) next(n int, started time.Time) *job {
	select {
	case j := <-w.db.queue:
		return j
	default:
	}
	pause := gather - time.Since(started)
	if n >= w.last || pause <= 0 {
		return nil
	}
	enough := time.NewTimer(pause)
	defer enough.Stop()
	select {
	case j := <-w.db.queue:
		return j
	case <-enough.C:
	case <-w.db.closing:
	}
	return nil
}

// refuse tells a caller, and all that wait for their turn, that there is no
// database: they would find out one after the other.
func (w *writer) refuse(first *job, err error) {
	first.result <- err
	for w.db.server != nil {
		select {
		case j := <-w.db.queue:
			j.result <- err
			continue
		default:
		}
		return
	}
}

// one runs a job in its savepoint. An error of the job is its own; a returned
// error has ended the whole transaction.
func (w *writer) one(j *job, done *[]*job) error {
	if err := w.sql("SAVEPOINT job"); err != nil {
		err = describe(w.db.path, err)
		j.result <- err
		return err
	}
	tx := &Tx{db: w.db, run: w.conn, stmts: w.stmts, write: true}
	j.turn <- tx
	err := <-j.ran
	fatal := tx.fatal
	if err == nil {
		err = tx.spoilt // the caller overlooked it
	}
	if fatal == nil && err != nil && w.db.server != nil && gone(w.conn) {
		fatal = err
	}
	tx.run, tx.stmts = nil, nil
	if fatal != nil {
		fatal = describe(w.db.path, fatal)
		j.result <- describe(w.db.path, orElse(err, fatal))
		return fatal
	}
	if err != nil {
		ferr := w.sql("ROLLBACK TO job")
		if ferr == nil {
			ferr = w.sql("RELEASE job")
		}
		j.result <- err
		return describe(w.db.path, ferr)
	}
	if err := w.sql("RELEASE job"); err != nil {
		if sqlState(err) == stateSpoilt { // while the caller read rows, and it overlooked that
			ferr := errors.Join(w.sql("ROLLBACK TO job"), w.sql("RELEASE job"))
			j.result <- describe(w.db.path, err)
			return describe(w.db.path, ferr)
		}
		err = describe(w.db.path, err)
		j.result <- err
		return err
	}
	*done = append(*done, j)
	w.told = append(w.told, tx.told...)
	return nil
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// finish runs the hooks and commits.
func (w *writer) finish() ([]func(), error) {
	w.db.mu.Lock()
	hooks := w.db.hooks
	w.db.mu.Unlock()
	tx := &Tx{db: w.db, run: w.conn, stmts: w.stmts, write: true}
	for _, hook := range hooks {
		err := contain(func() error { return hook(tx) })
		if err == nil {
			err = tx.fatal
		}
		if err != nil {
			w.rollback()
			return nil, describe(w.db.path, fmt.Errorf("before commit: %w", err))
		}
	}
	if err := w.tell(append(w.told, tx.told...)); err != nil {
		w.rollback()
		return nil, describe(w.db.path, fmt.Errorf("tell other nodes: %w", err))
	}
	tx.run = nil
	err := w.commit()
	if err == nil {
		return tx.after, nil
	}
	w.rollback()
	if w.db.server == nil && !certainlyRolledBack(err) {
		// The log file may hold a complete commit that only the next start will
		// find. Going on could write a second history over it.
		b := &corridor.Error{Kind: corridor.Unavailable, Msg: "the disk failed during a commit: it is not known whether the last transaction is kept",
			Where: w.db.path, Fix: "check the disk and restart; what was kept is read back at the start", Err: err}
		w.db.broken.Store(b)
		return nil, b
	}
	return nil, describe(w.db.path, err)
}
