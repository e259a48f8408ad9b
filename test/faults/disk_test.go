package faults

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
)

// The ways in which a commit fails.
const (
	refusedAtBegin   = "commit refused at its begin"
	refusedWithin    = "commit refused at a statement"
	refusedAtCommit  = "commit refused at its end"
	unknownLost      = "commit with an unknown result, not kept"
	unknownKept      = "commit with an unknown result, kept"
	killedBefore     = "killed before a commit"
	killedDuring     = "killed during a commit"
	killedAfter      = "killed after a commit"
	killedAtAnyTime  = "killed between commits"
	stoppedInOrder   = "stopped in order"
	endedByItself    = "process ended by its own error"
	databaseFileName = "node.db"
)

// commitFaults says how often each comes in a storm, of 1000 commits.
var commitFaults = []weighted{{refusedAtBegin, 20}, {refusedWithin, 20}, {refusedAtCommit, 20}, {unknownLost, 12}, {unknownKept, 12},
	{killedBefore, 20}, {killedDuring, 25}, {killedAfter, 25}}

var (
	errUnknown = errors.New("the disk gave an error while it wrote")
	errDead    = errors.New("the process is dead")
)

// disks is a driver of database/sql: SQLite, on files each of which belongs
// to a disk that may fail.
type disks struct {
	driver.Driver
	full error // what SQLite says when a disk is full

	mu    sync.Mutex
	files map[string]*disk
}

const driverName = "sqlite on a disk that fails"

// theDisks is registered once: database/sql keeps drivers for ever.
var theDisks = sync.OnceValues(func() (*disks, error) {
	full, err := fullDisk()
	if err != nil {
		return nil, err
	}
	d := &disks{Driver: &sqlite.Driver{}, full: full, files: map[string]*disk{}}
	sql.Register(driverName, d)
	return d, nil
})

// fullDisk lets SQLite run out of room once, and gives its error.
func fullDisk() (error, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`PRAGMA max_page_count = 2`); err != nil {
		return nil, err
	}
	if _, err := db.Exec(`CREATE TABLE t (b BLOB)`); err != nil {
		return nil, err
	}
	_, full := db.Exec(`INSERT INTO t VALUES (zeroblob(100000))`)
	if full == nil {
		return nil, errors.New("a full disk took more")
	}
	return full, nil
}

// put lets a file be of a disk until the returned function is called.
func (d *disks) put(path string, of *disk) (remove func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[path] = of
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.files, path)
	}
}

// Open implements driver.Driver. Nothing waits for a real disk: a process that
// is killed leaves what the system has taken from it, synced or not.
func (d *disks) Open(name string) (driver.Conn, error) {
	u, err := url.Parse(name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	of := d.files[u.Path]
	d.mu.Unlock()
	if of == nil {
		return nil, fmt.Errorf("%s is on no disk", u.Path)
	}
	if of.dead.Load() {
		return nil, errDead
	}
	c, err := d.Driver.Open(strings.Replace(name, "synchronous%28FULL%29", "synchronous%28OFF%29", 1))
	if err != nil {
		return nil, err
	}
	return &conn{full: c.(fullConn), disk: of}, nil
}

type fullConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// conn is one connection to a file on a disk.
type conn struct {
	full fullConn
	disk *disk
}

func (c *conn) Close() error                           { return c.full.Close() }
func (c *conn) ResetSession(ctx context.Context) error { return c.full.ResetSession(ctx) }
func (c *conn) IsValid() bool                          { return c.full.IsValid() }
func (c *conn) Begin() (driver.Tx, error)              { return nil, errors.New("unused") }
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.full.BeginTx(ctx, o)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.disk.dead.Load() {
		return nil, errDead
	}
	st, err := c.full.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &stmt{fullStmt: st.(fullStmt), query: query, disk: c.disk}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.disk.write(query, func() (driver.Result, error) { return c.full.ExecContext(ctx, query, args) })
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.disk.read(query, func() (driver.Rows, error) { return c.full.QueryContext(ctx, query, args) })
}

type stmt struct {
	fullStmt
	query string
	disk  *disk
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.disk.write(s.query, func() (driver.Result, error) { return s.fullStmt.ExecContext(ctx, args) })
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.disk.read(s.query, func() (driver.Rows, error) { return s.fullStmt.QueryContext(ctx, args) })
}

// disk is where one life of a node keeps its database. Each commit on it may
// fail. It takes simulated time to begin and to end a commit, so that all that
// happens at the same moment is in the same commit, in every run.
type disk struct {
	path string // of the database
	full error
	plan func() (commit, fault string, within int) // asked at each begin
	took func() time.Duration
	kill func(how string, leave func(dir string) error) // ends the process
	lost func()                                         // the result of a commit is not known to the process
	note func(format string, args ...any)

	dead atomic.Bool

	// Of the transaction that runs, of which there is one.
	fault string
	after int // statements until the one that fails
	place string
}

func (d *disk) read(query string, do func() (driver.Rows, error)) (driver.Rows, error) {
	if d.dead.Load() {
		return nil, errDead
	}
	if err := d.fails(query); err != nil {
		return nil, err
	}
	return do()
}

func (d *disk) write(query string, do func() (driver.Result, error)) (driver.Result, error) {
	if d.dead.Load() {
		return nil, errDead
	}
	switch query {
	case "BEGIN IMMEDIATE":
		return d.begin(do)
	case "COMMIT":
		return d.commit(do)
	}
	if err := d.fails(query); err != nil {
		return nil, err
	}
	return do()
}

func (d *disk) begin(do func() (driver.Result, error)) (driver.Result, error) {
	time.Sleep(d.took())
	if d.dead.Load() {
		return nil, errDead
	}
	d.place, d.fault, d.after = d.plan()
	if d.fault == refusedAtBegin {
		d.note("%s: %s", d.place, d.fault)
		return nil, d.full
	}
	return do()
}

// fails lets one changing statement of a transaction fail.
func (d *disk) fails(query string) error {
	if !changes(query) || d.fault != refusedWithin { // in this order: readers change nothing, and do not own the fault
		return nil
	}
	if d.after--; d.after >= 0 {
		return nil
	}
	d.fault = ""
	d.note("%s: %s", d.place, refusedWithin)
	return d.full
}

func changes(query string) bool {
	verb, _, _ := strings.Cut(query, " ")
	return verb == "INSERT" || verb == "UPDATE" || verb == "DELETE"
}

func (d *disk) commit(do func() (driver.Result, error)) (driver.Result, error) {
	time.Sleep(d.took())
	if d.dead.Load() {
		return nil, errDead
	}
	fault := d.fault
	d.fault = ""
	if fault == refusedWithin { // it had fewer statements
		fault = refusedAtCommit
	}
	if fault != "" {
		d.note("%s: %s", d.place, fault)
	}
	switch fault {
	case refusedAtCommit:
		return nil, d.full
	case unknownLost:
		d.lost()
		return nil, errUnknown
	case killedBefore:
		d.kill(fault, func(dir string) error { return d.copyTo(dir, -1) })
		return nil, errDead
	}
	from := d.logged()
	res, err := do()
	if err != nil {
		return res, err
	}
	switch fault {
	case unknownKept:
		d.lost()
		return nil, errUnknown
	case killedDuring: // a part of what the commit writes is on the disk, up to all of it
		torn := from + (d.logged()-from)*int64(d.after%101)/100
		d.kill(fault, func(dir string) error { return d.copyTo(dir, torn) })
		return nil, errDead
	case killedAfter:
		d.kill(fault, func(dir string) error { return d.copyTo(dir, -1) })
		return nil, errDead
	}
	return res, nil
}

// logged is the length of the write-ahead log.
func (d *disk) logged() int64 {
	info, err := os.Stat(d.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// copyTo gives a later life what is on the disk now, with so many bytes of
// the write-ahead log; below zero: all of it. It must not run beside a commit.
func (d *disk) copyTo(dir string, logged int64) error {
	for _, suffix := range []string{"", "-wal"} {
		if err := copyFile(filepath.Join(dir, databaseFileName+suffix), d.path+suffix); err != nil && (suffix == "" || !errors.Is(err, os.ErrNotExist)) {
			return err
		}
	}
	if logged < 0 {
		return nil
	}
	return os.Truncate(filepath.Join(dir, databaseFileName+"-wal"), logged)
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// kinds lists the names of weighted things.
func kinds(list []weighted) (out []string) {
	for _, w := range list {
		out = append(out, w.kind)
	}
	slices.Sort(out)
	return out
}
