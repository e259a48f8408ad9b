// Package store keeps the state of a node in one SQLite file, or that of
// several nodes in one PostgreSQL database: group commit, migrations, leases,
// and the outbox of messages to peers. It knows nothing of what the rows mean;
// the SQL of a room lives with that room, and one text of it serves both.
//
// There is one writer at a time, on PostgreSQL by a lock that every write
// transaction of every node takes first. Concurrent calls of Write share one SQL transaction,
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
	"slices"
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
	// The pages of many commits are written back to the file together: the same
	// few are written by each. A start after a crash reads so many (16 MB).
	writeBack = "4000"
)

// DB is one open database. It is safe for concurrent use.
type DB struct {
	path   string    // of the file, or how the server may be called
	lock   *fileLock // of the file
	server *server   // nil: a file
	line   *line     // to the other nodes; nil: a file
	leases leases
	w, r   *sql.DB
	free   chan *reader // those that nobody is reading with
	warm   chan *reader // and those among them that are open, which are taken first

	queue   chan *job
	closing chan struct{}
	stopped chan struct{} // the writer has returned
	once    sync.Once
	drained sync.Once
	broken  atomic.Pointer[corridor.Error] // a commit with an unknown result: no more writes

	mu    sync.Mutex // guards hooks
	hooks []func(*Tx) error

	texts sync.Map // of statements that were prepared

	outboxRuns   atomic.Bool
	outboxAdopts atomic.Bool // a node may have left messages
	outbox       handed
}

// Open opens or creates the file at path, whose directory must exist, and
// takes it for this process alone; or it connects to the PostgreSQL database
// of an address (IsServer), beside other nodes. It brings the schema of every
// room up to date.
func Open(ctx context.Context, path string, migrations ...Migration) (*DB, error) {
	if IsServer(path) {
		return openServer(ctx, path, migrations)
	}
	return openWith(ctx, "sqlite", path, migrations)
}

// OpenWith opens the file at path by another driver of database/sql than the
// usual one. It is for tests that let a disk fail: the driver is SQLite, and
// what they put around it.
func OpenWith(ctx context.Context, driver, path string, migrations ...Migration) (*DB, error) {
	return openWith(ctx, driver, path, migrations)
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
		outbox: handed{wake: make(chan struct{}, 1)},
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
	db.makeReaders(readers)
	conn, err := db.w.Conn(ctx)
	if err != nil {
		return describe(db.path, err)
	}
	if err := migrate(ctx, conn, nil, append(ownMigrations(), migrations...)); err != nil {
		conn.Close()
		return describe(db.path, err)
	}
	// What a savepoint takes back is kept in memory: it is some pages of one job.
	// The migrations, which may sort a large table, come before.
	if _, err := conn.ExecContext(ctx, "PRAGMA temp_store = MEMORY"); err != nil {
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
		"wal_autocheckpoint(" + writeBack + ")",
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

// Path is the absolute path of the file, or the address of the server without
// user and password.
func (db *DB) Path() string { return db.path }

// Statements lists the texts that were prepared so far, so that a check can ask
// SQLite how it finds their rows.
func (db *DB) Statements() (texts []string) {
	db.texts.Range(func(text, _ any) bool {
		texts = append(texts, text.(string))
		return true
	})
	slices.Sort(texts)
	return texts
}

// Read runs fn on a snapshot of the last commit; it sees no later write.
// fn must not keep tx or its rows.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) (err error) {
	select {
	case <-db.closing:
		return errClosed()
	default:
	}
	r, err := db.reader(ctx)
	if err != nil {
		return err
	}
	defer db.putBack(r)
	if err := r.start(ctx, db); err != nil {
		return describe(db.path, err)
	}
	defer r.end()
	err = contain(func() error { return fn(&Tx{db: db, run: r.conn, stmts: r.stmts}) })
	if err != nil && db.server != nil && gone(r.conn) {
		return describe(db.path, err)
	}
	return err
}

// reader is a connection that only reads, with its prepared statements. Who
// takes it from DB.free or DB.warm owns it until it is put back.
type reader struct {
	conn  *sql.Conn // nil: not opened yet, or given up
	stmts *statements
}

func (db *DB) makeReaders(n int) {
	db.free, db.warm = make(chan *reader, n), make(chan *reader, n)
	for range n {
		db.free <- &reader{}
	}
}

// reader takes a reader: one that is open, with what it has prepared, rather
// than one more.
func (db *DB) reader(ctx context.Context) (*reader, error) {
	select {
	case r := <-db.warm:
		return r, nil
	default:
	}
	select {
	case r := <-db.warm:
		return r, nil
	case r := <-db.free:
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-db.closing:
		return nil, errClosed()
	}
}

func (db *DB) putBack(r *reader) {
	if r.conn != nil {
		db.warm <- r
		return
	}
	db.free <- r
}

// closeReaders waits for those who read and closes their connections. It runs
// once, when no more can begin.
func (db *DB) closeReaders() {
	for range cap(db.free) {
		select {
		case <-db.free:
		case r := <-db.warm:
			r.stmts.close()
			r.conn.Close()
		}
	}
}

// start opens a snapshot. A connection to a server may have been lost since
// it was used last; then a new one is tried.
func (r *reader) start(ctx context.Context, db *DB) error {
	used := r.conn != nil
	err := r.begin(ctx, db)
	if used && db.server != nil && lostConnection(err) {
		err = r.begin(ctx, db)
	}
	return err
}

// begin opens a snapshot. Its end does not depend on the caller's context.
func (r *reader) begin(ctx context.Context, db *DB) (err error) {
	if r.conn == nil {
		if r.conn, err = db.r.Conn(ctx); err != nil {
			r.conn = nil
			return err
		}
		r.stmts = db.statements(r.conn)
	}
	snapshot := "BEGIN"
	if db.server != nil {
		snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	}
	if err = r.exec(snapshot); err != nil {
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
	return errors.Join(db.hangUp(), db.release())
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
