package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"

	"corridor"
)

// runner is the common part of *sql.Conn and *sql.Tx.
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Tx is a transaction of one caller. It is valid inside the function that it
// was given to, on one goroutine, and not after.
type Tx struct {
	db     *DB
	run    runner
	stmts  *statements // prepared statements, on the writer only
	write  bool
	after  []func()
	end    []func()
	told   []string // to other nodes
	fatal  error    // SQLite may have rolled back everything; nothing more may run
	spoilt error    // a statement failed: what is there now is half of what was wanted
}

// Exec runs a statement. A write is never interrupted half way: a context
// that has ended is noticed before the statement, not within.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := tx.usable(ctx); err != nil {
		return nil, err
	}
	res, err := tx.exec(ctx, tx.db.text(query), args)
	return res, tx.note(err)
}

func (tx *Tx) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	if !tx.write {
		return tx.run.ExecContext(ctx, query, args...)
	}
	ctx = context.WithoutCancel(ctx)
	if st := tx.stmts.get(ctx, query); st != nil {
		return st.ExecContext(ctx, args...)
	}
	return tx.run.ExecContext(ctx, query, args...)
}

// Query runs a query for several rows. Close the rows before the next write.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := tx.usable(ctx); err != nil {
		return nil, err
	}
	query = tx.db.text(query)
	if tx.write {
		ctx = context.WithoutCancel(ctx)
	}
	if st := tx.stmts.get(ctx, query); st != nil {
		rows, err := st.QueryContext(ctx, args...)
		return rows, tx.note(err)
	}
	rows, err := tx.run.QueryContext(ctx, query, args...)
	return rows, tx.note(err)
}

// QueryRow runs a query for at most one row.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) Row {
	if err := tx.usable(ctx); err != nil {
		return Row{err: err}
	}
	query = tx.db.text(query)
	if tx.write {
		ctx = context.WithoutCancel(ctx)
	}
	if st := tx.stmts.get(ctx, query); st != nil {
		return Row{tx: tx, row: st.QueryRowContext(ctx, args...)}
	}
	return Row{tx: tx, row: tx.run.QueryRowContext(ctx, query, args...)}
}

// Row is the result of QueryRow.
type Row struct {
	tx  *Tx
	row *sql.Row
	err error
}

// Scan reads the row. Without one it gives sql.ErrNoRows.
func (r Row) Scan(into ...any) error {
	if r.err != nil {
		return r.err
	}
	err := r.row.Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return r.tx.note(err)
}

// Writes says whether the transaction may change anything. It then shows also
// what others in it have changed, which is not durable yet.
func (tx *Tx) Writes() bool { return tx.write }

// AfterCommit registers a function that runs once the transaction is durable,
// on the caller's goroutine, before Write returns. It does not run if the
// transaction fails. It may use the database.
func (tx *Tx) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

// AtEnd registers a function that runs when the transaction is over, whether
// it is durable or has failed: on the caller's goroutine, after those of
// AfterCommit, before Write returns.
func (tx *Tx) AtEnd(fn func()) { tx.end = append(tx.end, fn) }

func (tx *Tx) usable(ctx context.Context) error {
	if tx.fatal != nil {
		return tx.fatal
	}
	if tx.run == nil {
		return corridor.E(corridor.Internal, "a transaction was used after its end")
	}
	return ctx.Err()
}

// note remembers an error after which the database may have rolled back the
// whole transaction: later statements would run, and be durable, on their own.
// Any other error ends the caller's own part of the transaction.
func (tx *Tx) note(err error) error {
	if err != nil && tx.write && rollsBack(err) {
		tx.fatal = err
	}
	if err != nil && tx.spoilt == nil {
		tx.spoilt = err
	}
	return err
}

// contain turns a panic of fn into an error: one caller's bug must not end
// the transaction of the others.
func contain(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &corridor.Error{Kind: corridor.Internal, Msg: "a bug inside a transaction; it was rolled back",
				Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	return fn()
}

// text gives a query in the spelling of the database.
func (db *DB) text(query string) string {
	if db.server == nil {
		return query
	}
	return db.server.text(query)
}

// statements are the prepared statements of one connection. Query texts are
// constants of the program; the bound is for one that is not.
type statements struct {
	db   *DB
	conn *sql.Conn
	m    map[string]*sql.Stmt
}

const maxStatements = 512

// statements gives a connection its prepared statements. The driver of a
// server keeps them by itself.
func (db *DB) statements(conn *sql.Conn) *statements {
	if db.server != nil {
		return nil
	}
	return &statements{db: db, conn: conn, m: map[string]*sql.Stmt{}}
}

func (s *statements) get(ctx context.Context, query string) *sql.Stmt {
	if s == nil {
		return nil
	}
	if st := s.m[query]; st != nil {
		return st
	}
	if len(s.m) >= maxStatements {
		return nil
	}
	st, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil // running it unprepared gives the error its place
	}
	s.m[query] = st
	s.db.texts.Store(query, true)
	return st
}

func (s *statements) close() error {
	if s == nil {
		return nil
	}
	var errs []error
	for _, st := range s.m {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}
