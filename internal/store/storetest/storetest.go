// Package storetest gives each test a database of its own: a file, or, when
// CORRIDOR_TEST_POSTGRES holds the address of a PostgreSQL database, a new
// schema in it. The same tests run on both.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Variable names the environment variable with the address of the server.
const Variable = "CORRIDOR_TEST_POSTGRES"

// OnServer says whether this run of the tests is on PostgreSQL.
func OnServer() bool { return os.Getenv(Variable) != "" }

// Place gives what store.Open takes: a place where nothing is yet. It is gone
// after the test.
func Place(t testing.TB) string {
	t.Helper()
	if !OnServer() {
		return filepath.Join(t.TempDir(), "node.db")
	}
	return Server(t)
}

// Server gives a new schema on the server, and skips the test if this run has
// none.
func Server(t testing.TB) string {
	t.Helper()
	if !OnServer() {
		t.Skip("needs a PostgreSQL server: set " + Variable + ", or run .ci/postgres")
	}
	name := Name()
	place, err := Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Drop(name); err != nil {
			t.Error(err)
		}
	})
	return place
}

// Name makes up the name of a schema.
func Name() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return "t_" + hex.EncodeToString(b[:])
}

// Create makes a schema and gives its address.
func Create(schema string) (place string, err error) {
	u, err := url.Parse(os.Getenv(Variable))
	if err != nil {
		return "", fmt.Errorf("%s is not an address", Variable)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String(), Run("CREATE SCHEMA " + schema)
}

// Drop removes all schemas whose names begin with a text, and all in them.
func Drop(prefix string) error {
	return Run(`DO $$ DECLARE s text; BEGIN
		FOR s IN SELECT nspname FROM pg_namespace WHERE starts_with(nspname, '` + prefix + `') LOOP EXECUTE 'DROP SCHEMA ' || quote_ident(s) || ' CASCADE'; END LOOP;
	END $$`)
}

// Run runs one statement on the server, outside any schema.
func Run(statement string) error {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, os.Getenv(Variable))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, statement)
	return err
}
