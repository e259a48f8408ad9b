package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"modernc.org/sqlite"

	"corridor"
)

// faults is a database driver that fails on demand, before or after the
// statement has taken effect.
type faults struct {
	driver.Driver
	mu    sync.Mutex
	text  string // part of the statement that fails; empty: none
	after bool   // it takes effect all the same
}

var errDisk = errors.New("the disk burns")

var driverCount atomic.Int64

func faulty(t *testing.T, path string) (*DB, *faults) {
	t.Helper()
	f := &faults{Driver: &sqlite.Driver{}}
	name := fmt.Sprintf("faulty-%d", driverCount.Add(1))
	sql.Register(name, f)
	db, err := openWith(t.Context(), name, path, []Migration{things})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, f
}

func (f *faults) fail(text string, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text, f.after = text, after
}

func (f *faults) hit(query string) (fails, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text != "" && strings.Contains(query, f.text), f.after
}

func (f *faults) Open(name string) (driver.Conn, error) {
	c, err := f.Driver.Open(name)
	return &faultyConn{c, f}, err
}

type faultyConn struct {
	driver.Conn
	f *faults
}

func (c *faultyConn) Prepare(query string) (driver.Stmt, error) {
	st, err := c.Conn.Prepare(query)
	return &faultyStmt{st, query, c.f}, err
}

func (c *faultyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

type faultyStmt struct {
	driver.Stmt
	query string
	f     *faults
}

func (s *faultyStmt) Exec(args []driver.Value) (driver.Result, error) {
	fails, after := s.f.hit(s.query)
	if fails && !after {
		return nil, errDisk
	}
	//lint:ignore SA1019 the wrapped driver has it
	res, err := s.Stmt.Exec(args)
	if fails && err == nil {
		err = errDisk
	}
	return res, err
}

// TestEveryStepOfACommitMayFail breaks each statement of the writer, once
// before and once after it takes effect. The caller's answer must be true, or
// the database must refuse to go on.
func TestEveryStepOfACommitMayFail(t *testing.T) {
	for _, step := range []string{"BEGIN IMMEDIATE", "SAVEPOINT", "INSERT INTO things", "RELEASE", "COMMIT"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,after=%v", step, after), func(t *testing.T) {
				path := temp(t)
				db, f := faulty(t, path)
				ctx := t.Context()
				if err := add(ctx, db, "a"); err != nil {
					t.Fatal(err)
				}
				f.fail(step, after)
				err := add(ctx, db, "b")
				if !errors.Is(err, errDisk) {
					t.Fatalf("the failure was hidden: %v", err)
				}
				f.fail("", false)
				unknown := step == "COMMIT"
				if err := add(ctx, db, "c"); (err != nil) != unknown {
					t.Errorf("afterwards: %v", err)
				}
				if unknown {
					wantError(t, err, corridor.Unavailable, "not known")
					db.Close()
					db = open(t, path, things) // a restart finds out
					want := map[bool]string{false: "a", true: "a b"}[after]
					if got := names(t, db); got != want {
						t.Errorf("holds %q, want %q", got, want)
					}
					return
				}
				if got := names(t, db); got != "a c" {
					t.Errorf("holds %q", got)
				}
			})
		}
	}
}

func TestAFailedRollbackOfOneEndsTheTransactionOfAll(t *testing.T) {
	db, f := faulty(t, temp(t))
	ctx := t.Context()
	f.fail("ROLLBACK TO", false)
	own := errors.New("own")
	first := make(chan error, 1)
	hold, held := make(chan struct{}), make(chan struct{})
	go func() {
		first <- db.Write(ctx, func(tx *Tx) error {
			close(held)
			<-hold
			_, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES ('first')`)
			return err
		})
	}()
	<-held
	second := make(chan error, 1)
	go func() { second <- db.Write(ctx, func(*Tx) error { return own }) }()
	close(hold)
	if err := <-second; err != own {
		t.Error(err)
	}
	err := <-first
	f.fail("", false)
	if got := names(t, db); (got == "first") != (err == nil) {
		t.Errorf("told %v, holds %q", err, got)
	}
	if err := add(ctx, db, "later"); err != nil {
		t.Error(err)
	}
}

func TestAFailedMigrationIsExplained(t *testing.T) {
	f := &faults{Driver: &sqlite.Driver{}}
	name := fmt.Sprintf("faulty-%d", driverCount.Add(1))
	sql.Register(name, f)
	path := temp(t)
	for _, step := range []string{"CREATE TABLE IF NOT EXISTS", "CREATE TABLE things", "INSERT INTO migrations"} {
		f.fail(step, false)
		if _, err := openWith(t.Context(), name, path, []Migration{things}); !errors.Is(err, errDisk) {
			t.Errorf("%s: %v", step, err)
		}
	}
	f.fail("", false)
	db, err := openWith(t.Context(), name, path, []Migration{things})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
}
