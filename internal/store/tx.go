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
	db    *DB
	run   runner
	stmts *statements // prepared statements, on the writer only
	write bool
	after []func()
	fatal error // SQLite may have rolled back everything; nothing more may run
}

// Exec runs a statement. A write is never interrupted half way: a context
// that has ended is noticed before the statement, not within.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := tx.usable(ctx); err != nil {
		return nil, err
	}
	res, err := tx.exec(ctx, query, args)
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
	if tx.write {
		ctx = context.WithoutCancel(ctx)
	}
	if st := tx.stmts.get(ctx, query); st != nil && !tx.write {
		rows, err := st.QueryContext(ctx, args...)
		return rows, tx.note(err)
	}
	rows, err := tx.run.QueryContext(ctx, query, args...)
	return rows, tx.note(err)
}

// QueryRow runs a query for at most one row.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if err := tx.usable(ctx); err != nil {
		return tx.run.QueryRowContext(ended(), query, args...)
	}
	if tx.write {
		ctx = context.WithoutCancel(ctx)
	}
	if st := tx.stmts.get(ctx, query); st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	return tx.run.QueryRowContext(ctx, query, args...)
}

// AfterCommit registers a function that runs once the transaction is durable,
// on the caller's goroutine, before Write returns. It does not run if the
// transaction fails. It may use the database.
func (tx *Tx) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

func (tx *Tx) usable(ctx context.Context) error {
	if tx.fatal != nil {
		return tx.fatal
	}
	if tx.run == nil {
		return corridor.E(corridor.Internal, "a transaction was used after its end")
	}
	return ctx.Err()
}

// note remembers an error after which SQLite may have rolled back the whole
// transaction: later statements would run, and be durable, on their own.
func (tx *Tx) note(err error) error {
	if err != nil && tx.write && rollsBack(err) {
		tx.fatal = err
	}
	return err
}

// ended is a context that is over: a query under it fails before it starts.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
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

// statements are the prepared statements of the writer's connection. Query
// texts are constants of the program; the bound is for one that is not.
type statements struct {
	conn *sql.Conn
	m    map[string]*sql.Stmt
}

const maxStatements = 512

func (s *statements) get(ctx context.Context, query string) *sql.Stmt {
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
	return st
}

func (s *statements) close() error {
	var errs []error
	for _, st := range s.m {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}
