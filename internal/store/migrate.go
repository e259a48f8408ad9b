package store

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed" // the schema of this room
	"slices"

	"github.com/jackc/pgx/v5"

	"corridor"
)

// Migration is one step forward of one room's schema. Steps of a room are
// numbered from 1 without gaps and never change once released.
type Migration struct {
	Room    string
	Version int
	SQL     string
	// Postgres is the same step for PostgreSQL. Empty: SQL serves both.
	Postgres string
}

//go:embed schema.sql
var schema string

//go:embed schema_postgres.sql
var schemaPostgres string

//go:embed nodes.sql
var nodesSchema string

//go:embed nodes_postgres.sql
var nodesPostgres string

func ownMigrations() []Migration {
	return []Migration{
		{Room: "store", Version: 1, SQL: schema, Postgres: schemaPostgres},
		{Room: "store", Version: 2, SQL: nodesSchema, Postgres: nodesPostgres},
	}
}

const migrationTable = `CREATE TABLE IF NOT EXISTS migrations (
	room    TEXT NOT NULL,
	version INTEGER NOT NULL,
	digest  TEXT NOT NULL,
	PRIMARY KEY (room, version)
)`

// migrationLock lets one node after the other migrate a shared database.
const migrationLock = `SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(hashtextextended('corridor ' || current_schema(), 0))`

// migrate applies what is missing, all in one transaction: a crash or an
// error leaves the database as it was.
func migrate(ctx context.Context, conn *sql.Conn, s *server, list []Migration) error {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Migration) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.Version, b.Version))
	})
	last := map[string]int{}
	for _, m := range list {
		if m.Room == "" || m.Version != last[m.Room]+1 {
			return corridor.E(corridor.Internal, "migrations of room %q: version %d after %d", m.Room, m.Version, last[m.Room])
		}
		last[m.Room] = m.Version
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	m := migrator{tx, s}
	if s != nil {
		if err := m.exec(ctx, migrationLock); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, migrationTable); err != nil {
		return err
	}
	for _, step := range list {
		if err := m.apply(ctx, step); err != nil {
			return err
		}
	}
	for room, version := range last {
		if err := m.checkNotNewer(ctx, room, version); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// migrator is the transaction of the migrations.
type migrator struct {
	tx     *sql.Tx
	server *server
}

// exec runs a text of several statements.
func (t migrator) exec(ctx context.Context, text string) (err error) {
	if t.server == nil {
		_, err = t.tx.ExecContext(ctx, text)
		return err
	}
	_, err = t.tx.ExecContext(ctx, text, pgx.QueryExecModeSimpleProtocol)
	return err
}

func (t migrator) text(query string) string {
	if t.server == nil {
		return query
	}
	return t.server.text(query)
}

func (t migrator) apply(ctx context.Context, m Migration) error {
	if t.server != nil && m.Postgres != "" {
		m.SQL = m.Postgres
	}
	var have string
	digest := corridor.Digest([]byte(m.SQL))
	err := t.tx.QueryRowContext(ctx, t.text(`SELECT digest FROM migrations WHERE room = ? AND version = ?`), m.Room, m.Version).Scan(&have)
	switch {
	case err == nil && have != digest:
		return corridor.E(corridor.Internal, "migration %d of room %s is not the one that made this database", m.Version, m.Room)
	case err == nil:
		return nil
	case err != sql.ErrNoRows:
		return err
	}
	if err := t.exec(ctx, m.SQL); err != nil {
		return corridor.E(corridor.Internal, "migration %d of room %s: %w", m.Version, m.Room, err)
	}
	_, err = t.tx.ExecContext(ctx, t.text(`INSERT INTO migrations (room, version, digest) VALUES (?, ?, ?)`), m.Room, m.Version, digest)
	return err
}

func (t migrator) checkNotNewer(ctx context.Context, room string, known int) error {
	var have int
	if err := t.tx.QueryRowContext(ctx, t.text(`SELECT COALESCE(MAX(version), 0) FROM migrations WHERE room = ?`), room).Scan(&have); err != nil {
		return err
	}
	if have > known {
		return &corridor.Error{Kind: corridor.Conflict, Msg: "a newer version of Corridor has written this database",
			Why: "schema of room " + room, Fix: "run that version, or restore the backup from before the upgrade"}
	}
	return nil
}
