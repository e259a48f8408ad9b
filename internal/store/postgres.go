package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"corridor"
)

// Bounds of what a node waits for at a PostgreSQL server.
const (
	connectTimeout = 3 * time.Second
	// A statement of a write may take this long, waiting for another node's
	// transaction included.
	statementTimeout = 30 * time.Second
	// The server ends a transaction whose node has gone silent in the middle:
	// the others wait for a writer no longer than this.
	silentWriter = 4 * time.Second
	silentReader = time.Minute
	// An answer to COMMIT that was lost is asked for again for this long.
	resolveTimeout = 10 * time.Second

	serverReaders = 8
	oldestServer  = 15
)

// IsServer says whether a place of a database is the address of a PostgreSQL
// server and not a file.
func IsServer(place string) bool {
	return strings.HasPrefix(place, "postgres://") || strings.HasPrefix(place, "postgresql://")
}

// CheckServer says what is wrong with the address of a server, without
// connecting to it. Its errors hold no password.
func CheckServer(address string) error {
	_, err := parseServer(address)
	return err
}

// CheckPlace says what is wrong with a place of a database. What was meant as
// an address and is none would else become a file, with the password in its
// name and in every message about it. The error does not repeat it.
func CheckPlace(place string) error {
	if IsServer(place) {
		return CheckServer(place)
	}
	user, _, at := strings.Cut(place, "@")
	secret := at && strings.Contains(user, ":") && !filepath.IsAbs(place)
	if secret || strings.Contains(place, "://") || strings.Contains(strings.ToLower(place), "password=") {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "this is neither a file nor the address of a PostgreSQL database", Fix: addressShape}
	}
	return nil
}

// ReachServer connects to a database once, to say what is wrong before anything
// depends on it.
func ReachServer(ctx context.Context, address string) error {
	s, err := parseServer(address)
	if err != nil {
		return err
	}
	pool := s.pool(silentReader)
	defer pool.Close()
	return describe(s.place, pool.PingContext(ctx))
}

// HoldsPassword says whether a place holds a secret.
func HoldsPassword(place string) bool {
	if !IsServer(place) {
		return false
	}
	u, err := url.Parse(place)
	if err != nil {
		return true // it cannot be told
	}
	_, has := u.User.Password()
	return has || u.Query().Has("password") || u.Query().Has("sslpassword")
}

// server is the address of a PostgreSQL database. It is never printed: it
// holds the password. place is what may be shown.
type server struct {
	config *pgx.ConnConfig
	place  string
	texts  sync.Map // the common text of a query -> its text here
}

const addressShape = "write it like postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full, with the special characters of the password as %XX"

// parseServer reads an address. The reasons of the parsers are left out on
// purpose: they quote what they could not read.
func parseServer(address string) (*server, error) {
	bad := &corridor.Error{Kind: corridor.Invalid, Msg: "the address of the database cannot be read", Fix: addressShape}
	u, err := url.Parse(address)
	if err != nil {
		return nil, bad
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, bad
	}
	s := &server{config: config, place: shown(config)}
	if config.Database == "" {
		bad.Where, bad.Msg = s.place, "the address of the database names no database"
		return nil, bad
	}
	if u.Query().Get("sslmode") == "" && os.Getenv("PGSSLMODE") == "" && !nearby(config.Host) {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: s.place, Msg: "the address of the database does not say how the connection is protected",
			Why: "without sslmode a server that cannot encrypt is talked to in the clear, and nobody checks who it is",
			Fix: "add ?sslmode=verify-full; or ?sslmode=disable if the network to the server is protected otherwise"}
	}
	for name, value := range map[string]string{
		"application_name": "corridor", "client_encoding": "UTF8", "timezone": "UTC",
		"statement_timeout":   milliseconds(statementTimeout),
		"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3",
	} {
		config.RuntimeParams[name] = value
	}
	config.ConnectTimeout = connectTimeout
	config.DialFunc = (&net.Dialer{Timeout: connectTimeout, Control: noticeSilence,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}).DialContext
	return s, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// nearby says whether the way to a host does not leave this machine.
func nearby(host string) bool {
	ip := net.ParseIP(host)
	return strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
}

func shown(c *pgx.ConnConfig) string {
	where := net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
	if strings.HasPrefix(c.Host, "/") {
		where = c.Host
	}
	out := "postgres://" + where + "/" + c.Database
	if schema := c.RuntimeParams["search_path"]; schema != "" {
		out += " (schema " + schema + ")"
	}
	return out
}

// pool opens a pool of connections on which a transaction may be idle for so
// long. They are checked when they are made.
func (s *server) pool(silent time.Duration) *sql.DB {
	config := s.config.Copy()
	config.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(silent)
	return stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error { return s.check(ctx, c) }))
}

// check refuses a server that could not keep a node's promises.
func (s *server) check(ctx context.Context, c *pgx.Conn) error {
	var version int
	var encoding, durable string
	err := c.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), current_setting('synchronous_commit')`).Scan(&version, &encoding, &durable)
	if err != nil {
		return err
	}
	switch {
	case version < oldestServer*10000:
		return &corridor.Error{Kind: corridor.Invalid, Where: s.place, Msg: fmt.Sprintf("the server is PostgreSQL %d", version/10000), Fix: fmt.Sprintf("use PostgreSQL %d or later", oldestServer)}
	case encoding != "UTF8":
		return &corridor.Error{Kind: corridor.Invalid, Where: s.place, Msg: "the database keeps text as " + encoding, Fix: "make it with: createdb --encoding UTF8 --template template0 NAME"}
	case durable == "off":
		_, err = c.Exec(ctx, `SET synchronous_commit = on`) // an answer means that it is on disk
	}
	return err
}

// openServer is Open for a PostgreSQL database.
func openServer(ctx context.Context, address string, migrations []Migration) (*DB, error) {
	s, err := parseServer(address)
	if err != nil {
		return nil, err
	}
	db := &DB{
		path: s.place, server: s,
		queue: make(chan *job), closing: make(chan struct{}), stopped: make(chan struct{}),
		outbox: handed{wake: make(chan struct{}, 1)},
	}
	if err := db.connect(ctx, migrations); err != nil {
		close(db.stopped)
		db.release()
		return nil, err
	}
	return db, nil
}

func (db *DB) connect(ctx context.Context, migrations []Migration) error {
	db.w, db.r = db.server.pool(silentWriter), db.server.pool(silentReader)
	db.w.SetMaxOpenConns(1)
	db.r.SetMaxOpenConns(serverReaders)
	db.r.SetMaxIdleConns(serverReaders)
	db.makeReaders(serverReaders)
	conn, err := db.w.Conn(ctx)
	if err != nil {
		return describe(db.path, err)
	}
	if err := migrate(ctx, conn, db.server, append(ownMigrations(), migrations...)); err != nil {
		conn.Close()
		return describe(db.path, err)
	}
	if err := db.join(ctx); err != nil {
		conn.Close()
		return describe(db.path, err)
	}
	go db.writer(conn)
	return nil
}

// control sends what begins or ends a transaction, as it is, and says what
// the server made of it.
func control(ctx context.Context, conn *sql.Conn, text string) (tag, value string, err error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	err = conn.Raw(func(c any) error {
		results, err := c.(*stdlib.Conn).Conn().PgConn().Exec(ctx, text).ReadAll()
		for _, r := range results {
			tag = r.CommandTag.String()
			if len(r.Rows) == 1 && len(r.Rows[0]) > 0 {
				value = string(r.Rows[0][0])
			}
			err = errors.Join(err, r.Err)
		}
		return err
	})
	return tag, value, err
}

// beginWrite opens a transaction that is alone on the database: the row of
// store_turn is locked until its end, by whichever node. Whatever it reads
// afterwards is what the last one committed, so that it sees the state as the
// only writer of a file would. A node that dies, or falls silent, in the
// middle loses the row together with everything it had written.
const beginWrite = `BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_current_xact_id()::text FROM store_turn WHERE one = 1 FOR UPDATE`

// turnTries bounds how often a turn is asked for anew that the server refused
// for reasons of concurrency: nothing has been done in it.
const turnTries = 5

// beginServer takes the turn to write, on a new connection if the last one is
// gone.
func (w *writer) beginServer(ctx context.Context) (err error) {
	for try := range turnTries {
		if w.conn == nil {
			if w.conn, err = w.db.w.Conn(ctx); err != nil {
				w.conn = nil
				return err
			}
		}
		if _, w.turn, err = control(ctx, w.conn, beginWrite); err == nil {
			if w.turn == "" {
				w.leave()
				return corridor.E(corridor.Internal, "the table store_turn is empty")
			}
			return nil
		}
		w.leave()
		if !serialisation(err) && !(try == 0 && lostConnection(err)) { // the idle connection may have been closed long ago
			return err
		}
	}
	return err
}

// leave gives up a connection whose state is not known; the server rolls back
// what was open on it.
func (w *writer) leave() {
	if w.conn != nil {
		discard(w.conn)
		w.conn = nil
	}
}

// gone says whether the driver has given a connection up.
func gone(conn *sql.Conn) bool {
	closed := true
	_ = conn.Raw(func(c any) error {
		closed = c.(*stdlib.Conn).Conn().IsClosed()
		return nil
	})
	return closed
}

func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // out of the pool
	conn.Close()
}

// commitServer ends the transaction. A server that was asked to commit and
// whose answer did not come is asked afterwards whether it did.
func (w *writer) commitServer(ctx context.Context) error {
	tag, _, err := control(ctx, w.conn, "COMMIT")
	if err == nil && tag != "COMMIT" {
		err = corridor.E(corridor.Internal, "the server rolled the transaction back: %s", tag)
	}
	if err == nil || !lostConnection(err) {
		return err
	}
	w.leave()
	return w.resolve(ctx, err)
}

// resolve finds out what became of the last transaction. Taking the turn
// waits for its end, if the server is still at it.
func (w *writer) resolve(ctx context.Context, cause error) error {
	turn := w.turn
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		status, err := w.fate(ctx, turn)
		switch {
		case err == nil && status == "committed":
			return nil
		case err == nil && status == "aborted":
			return fmt.Errorf("%w: rolled back", cause)
		case err == nil && status == "": // restored from a backup, or another server
			return unknownCommit(w.db.path, cause)
		}
		select {
		case <-ctx.Done():
			return unknownCommit(w.db.path, cause)
		case <-w.db.closing:
			return unknownCommit(w.db.path, cause)
		case <-time.After(pause):
		}
	}
}

func (w *writer) fate(ctx context.Context, turn string) (string, error) {
	if err := w.beginServer(ctx); err != nil {
		return "", err
	}
	defer w.leave()
	_, status, err := control(ctx, w.conn, "SELECT COALESCE(pg_xact_status('"+turn+"'::xid8), '')") // our own number
	return status, err
}

func unknownCommit(place string, cause error) error {
	return &corridor.Error{Kind: corridor.Unavailable, Where: place, Msg: "the database was lost during a commit: it is not known whether the last transaction is kept",
		Fix: "look, or ask again: a repeat has no second effect", Err: cause}
}

// text gives a query with the placeholders of PostgreSQL. Query texts are
// constants of the program.
func (s *server) text(query string) string {
	if have, ok := s.texts.Load(query); ok {
		return have.(string)
	}
	text := placeholders(query)
	s.texts.Store(query, text)
	return text
}

// placeholders writes the ? of the common text as PostgreSQL wants them.
func placeholders(query string) string {
	if !strings.Contains(query, "?") {
		return query
	}
	var b strings.Builder
	n, quoted := 0, false
	for _, c := range []byte(query) {
		switch {
		case c == '\'':
			quoted = !quoted
		case c == '?' && !quoted:
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
