package store

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed" // the schema of this room
	"slices"

	"corridor"
)

// Migration is one step forward of one room's schema. Steps of a room are
// numbered from 1 without gaps and never change once released.
type Migration struct {
	Room    string
	Version int
	SQL     string
}

//go:embed schema.sql
var schema string

func ownMigrations() []Migration { return []Migration{{Room: "store", Version: 1, SQL: schema}} }

const migrationTable = `CREATE TABLE IF NOT EXISTS migrations (
	room    TEXT NOT NULL,
	version INTEGER NOT NULL,
	digest  TEXT NOT NULL,
	PRIMARY KEY (room, version)
)`

// migrate applies what is missing, all in one transaction: a crash or an
// error leaves the file as it was.
func migrate(ctx context.Context, conn *sql.Conn, list []Migration) error {
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
	if _, err := tx.ExecContext(ctx, migrationTable); err != nil {
		return err
	}
	for _, m := range list {
		if err := apply(ctx, tx, m); err != nil {
			return err
		}
	}
	for room, version := range last {
		if err := checkNotNewer(ctx, tx, room, version); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func apply(ctx context.Context, tx *sql.Tx, m Migration) error {
	var have string
	digest := corridor.Digest([]byte(m.SQL))
	err := tx.QueryRowContext(ctx, `SELECT digest FROM migrations WHERE room = ? AND version = ?`, m.Room, m.Version).Scan(&have)
	switch {
	case err == nil && have != digest:
		return corridor.E(corridor.Internal, "migration %d of room %s is not the one that made this database", m.Version, m.Room)
	case err == nil:
		return nil
	case err != sql.ErrNoRows:
		return err
	}
	if _, err := tx.ExecContext(ctx, m.SQL); err != nil {
		return corridor.E(corridor.Internal, "migration %d of room %s: %w", m.Version, m.Room, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO migrations (room, version, digest) VALUES (?, ?, ?)`, m.Room, m.Version, digest)
	return err
}

func checkNotNewer(ctx context.Context, tx *sql.Tx, room string, known int) error {
	var have int
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM migrations WHERE room = ?`, room).Scan(&have); err != nil {
		return err
	}
	if have > known {
		return &corridor.Error{Kind: corridor.Conflict, Msg: "a newer version of Corridor has written this database",
			Why: "schema of room " + room, Fix: "run that version, or restore the backup from before the upgrade"}
	}
	return nil
}
