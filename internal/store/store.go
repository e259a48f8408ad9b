// Package store keeps the state of a node in one SQLite file: group commit,
// migrations, and the outbox of messages to peers. It knows nothing of what
// the rows mean; the SQL of a room lives with that room.
//
// There is one writer. Concurrent calls of Write share one SQL transaction,
// each in its own savepoint, and one fsync; a call returns when its rows are
// durable, or with an error that says that they are not there.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	_ "modernc.org/sqlite" // the "sqlite" driver of database/sql

	"corridor"
)

const (
	readers      = 4
	busyTimeout  = "5000" // milliseconds; only a foreign tool can hold a lock
	walSizeLimit = "67108864"
)

// DB is one open database file. It is safe for concurrent use.
type DB struct {
	path string
	lock *fileLock
	w, r *sql.DB
	free chan *reader // those that nobody is reading with

	queue   chan *job
	closing chan struct{}
	stopped chan struct{} // the writer has returned
	once    sync.Once
	drained sync.Once
	broken  atomic.Pointer[corridor.Error] // a commit with an unknown result: no more writes

	mu    sync.Mutex // guards hooks
	hooks []func(*Tx) error

	outboxRuns atomic.Bool
	outboxWake chan struct{}
}

// Open opens or creates the file at path, takes it for this process alone,
// and brings the schema of every room up to date. The directory must exist.
func Open(ctx context.Context, path string, migrations ...Migration) (*DB, error) {
	return openWith(ctx, "sqlite", path, migrations)
}

func openWith(ctx context.Context, driver, path string, migrations []Migration) (*DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "database %s: %w", path, err)
	}
	lock, err := prepareFile(abs)
	if err != nil {
		return nil, err
	}
	db := &DB{
		path: abs, lock: lock,
		queue: make(chan *job), closing: make(chan struct{}), stopped: make(chan struct{}),
		outboxWake: make(chan struct{}, 1),
	}
	if err := db.open(ctx, driver, migrations); err != nil {
		db.release()
		return nil, err
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, driver string, migrations []Migration) error {
	var err error
	if db.w, err = sql.Open(driver, dsn(db.path, "_txlock", "immediate")); err != nil {
		return describe(db.path, err)
	}
	db.w.SetMaxOpenConns(1)
	if db.r, err = sql.Open(driver, dsn(db.path, "_pragma", "query_only(1)")); err != nil {
		return describe(db.path, err)
	}
	db.r.SetMaxOpenConns(readers)
	db.r.SetMaxIdleConns(readers)
	db.free = make(chan *reader, readers)
	for range readers {
		db.free <- &reader{}
	}
	conn, err := db.w.Conn(ctx)
	if err != nil {
		return describe(db.path, err)
	}
	if err := migrate(ctx, conn, append(ownMigrations(), migrations...)); err != nil {
		conn.Close()
		return describe(db.path, err)
	}
	go db.writer(conn)
	return nil
}

// dsn names the file so that no character of its path is read as a setting.
func dsn(path string, more ...string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	q := url.Values{"_pragma": {
		"busy_timeout(" + busyTimeout + ")",
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(1)",
		"trusted_schema(0)",
		"journal_size_limit(" + walSizeLimit + ")",
	}}
	for i := 0; i+1 < len(more); i += 2 {
		q.Add(more[i], more[i+1])
	}
	return "file://" + (&url.URL{Path: p}).EscapedPath() + "?" + q.Encode()
}

// prepareFile takes the lock and makes sure that only the owner can read the
// file before SQLite writes a byte. SQLite gives its side files the same mode.
func prepareFile(path string) (*fileLock, error) {
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "there is no directory " + dir + " for the database", Where: path,
			Fix: "create it first: mkdir -m 700 -p " + dir, Err: err}
	}
	lock, err := takeLock(path + ".lock")
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		lock.release()
		return nil, describe(path, err)
	}
	// Closing this descriptor drops no lock of SQLite's: none is open yet.
	info, err := f.Stat()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = checkFile(path, info)
	}
	if err != nil {
		lock.release()
		return nil, err
	}
	return lock, nil
}

func checkFile(path string, info os.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "the database is not a regular file", Where: path}
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "others may read the database (mode " + info.Mode().Perm().String() + ")", Where: path,
			Fix: "chmod 600 " + path}
	}
	return nil
}

// Path is the absolute path of the file.
func (db *DB) Path() string { return db.path }

// Read runs fn on a snapshot of the last commit; it sees no later write.
// fn must not keep tx or its rows.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) (err error) {
	select {
	case <-db.closing:
		return errClosed()
	default:
	}
	var r *reader
	select {
	case r = <-db.free:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closing:
		return errClosed()
	}
	defer func() { db.free <- r }()
	if err := r.begin(ctx, db); err != nil {
		return describe(db.path, err)
	}
	defer r.end()
	return contain(func() error { return fn(&Tx{db: db, run: r.conn, stmts: r.stmts}) })
}

// reader is a connection that only reads, with its prepared statements. Who
// takes it from DB.free owns it until it is put back.
type reader struct {
	conn  *sql.Conn // nil: not opened yet, or given up
	stmts *statements
}

// closeReaders waits for those who read and closes their connections. It runs
// once, when no more can begin.
func (db *DB) closeReaders() {
	for range cap(db.free) {
		if r := <-db.free; r.conn != nil {
			r.stmts.close()
			r.conn.Close()
		}
	}
}

// begin opens a snapshot. Its end does not depend on the caller's context.
func (r *reader) begin(ctx context.Context, db *DB) (err error) {
	if r.conn == nil {
		if r.conn, err = db.r.Conn(ctx); err != nil {
			r.conn = nil
			return err
		}
		r.stmts = &statements{conn: r.conn, m: map[string]*sql.Stmt{}}
	}
	if err = r.exec("BEGIN"); err != nil {
		r.giveUp()
	}
	return err
}

func (r *reader) end() {
	if r.exec("ROLLBACK") != nil { // nothing to commit
		r.giveUp()
	}
}

func (r *reader) exec(query string) (err error) {
	ctx := context.Background()
	if st := r.stmts.get(ctx, query); st != nil {
		_, err = st.ExecContext(ctx)
	} else {
		_, err = r.conn.ExecContext(ctx, query)
	}
	return err
}

// giveUp closes a connection whose state is not known; the next reader opens
// another.
func (r *reader) giveUp() {
	r.stmts.close()
	_ = r.conn.Raw(func(any) error { return driver.ErrBadConn }) // out of the pool
	r.conn.Close()
	r.conn, r.stmts = nil, nil
}

// Close waits for the transaction in progress, refuses all later ones, and
// gives the file back.
func (db *DB) Close() error {
	db.once.Do(func() { close(db.closing) })
	<-db.stopped
	return db.release()
}

func (db *DB) release() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	var errs []error
	db.drained.Do(db.closeReaders)
	for _, pool := range []*sql.DB{db.r, db.w} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	errs = append(errs, db.lock.release())
	return errors.Join(errs...)
}

func errClosed() error {
	return &corridor.Error{Kind: corridor.Unavailable, Msg: "the database is closed; nothing was written"}
}
