package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
)

var things = Migration{Room: "things", Version: 1, SQL: `CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)`}

func open(t testing.TB, path string, m ...Migration) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, m...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func temp(t testing.TB) string { return filepath.Join(t.TempDir(), "node.db") }

func add(ctx context.Context, db *DB, name string) error {
	return db.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES (?)`, name)
		return err
	})
}

func names(t testing.TB, db *DB) string {
	t.Helper()
	var list string
	err := db.Read(context.Background(), func(tx *Tx) error {
		return tx.QueryRow(context.Background(), `SELECT COALESCE(GROUP_CONCAT(name, ' '), '') FROM (SELECT name FROM things ORDER BY id)`).Scan(&list)
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func wantError(t *testing.T, err error, kind corridor.Kind, text string) {
	t.Helper()
	if corridor.KindOf(err) != kind || err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v (%v), want %v with %q", err, corridor.KindOf(err), kind, text)
	}
}

func TestOnlyTheOwnerCanReadTheFiles(t *testing.T) {
	path := temp(t)
	db := open(t, path, things)
	if err := add(t.Context(), db, "a"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + "-wal", path + "-shm", path + ".lock"} {
		info, err := os.Stat(p)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", p, info, err)
		}
	}
	db.Close()
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path)
	wantError(t, err, corridor.Invalid, "chmod 600")
}

func TestWhatWasWrittenIsThereAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space%20&?#.db")
	db := open(t, path, things)
	if err := add(t.Context(), db, "a"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error("closing twice:", err)
	}
	wantError(t, add(t.Context(), db, "b"), corridor.Unavailable, "closed")
	wantError(t, db.Read(t.Context(), nil), corridor.Unavailable, "closed")
	db = open(t, path, things)
	if got := names(t, db); got != "a" || db.Path() != path {
		t.Error(got, db.Path())
	}
}

func TestAFileThatCannotBeUsedIsExplained(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("Dear Sir or Madam, ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path, want string
		kind       corridor.Kind
	}{
		"no directory":   {filepath.Join(dir, "nowhere", "node.db"), "mkdir", corridor.Invalid},
		"not a database": {text, "not a Corridor database", corridor.Invalid},
		"a directory":    {dir, "", corridor.Internal},
	} {
		_, err := Open(t.Context(), c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.want != "" && corridor.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if os.Getuid() != 0 {
		locked := filepath.Join(dir, "locked")
		if err := os.Mkdir(locked, 0o500); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), filepath.Join(locked, "node.db"))
		wantError(t, err, corridor.Forbidden, "cannot be written")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, filepath.Join(dir, "new.db")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTwoNodesCannotShareAFile(t *testing.T) {
	path := temp(t)
	db := open(t, path)
	_, err := Open(t.Context(), path)
	wantError(t, err, corridor.Conflict, fmt.Sprintf("process %d", os.Getpid()))
	db.Close()
	open(t, path)
}

func TestErrorsOfSQLiteBecomeSentences(t *testing.T) {
	path := temp(t)
	if describe(path, nil) != nil {
		t.Error("nil")
	}
	if err := describe(path, io.EOF); err != io.EOF {
		t.Error("a foreign error changes:", err)
	}
	for _, c := range []struct {
		err  error
		kind corridor.Kind
		text string
	}{
		{fmt.Errorf("x: %w", os.ErrPermission), corridor.Forbidden, "cannot be written"},
		{context.Canceled, corridor.Unavailable, "nothing was written"},
		{corridor.E(corridor.Gone, "mine"), corridor.Gone, "mine"},
	} {
		wantError(t, describe(path, c.err), c.kind, c.text)
	}
	if code(io.EOF) != 0 || rollsBack(io.EOF) || certainlyRolledBack(io.EOF) || IsUnique(io.EOF) {
		t.Error("codes of a foreign error")
	}
}

func TestAnErrorRollsBackItsOwnCallerOnly(t *testing.T) {
	db := open(t, temp(t), things)
	ctx := t.Context()
	if err := add(ctx, db, "a"); err != nil {
		t.Fatal(err)
	}
	err := db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES ('b')`); err != nil {
			return err
		}
		tx.AfterCommit(func() { t.Error("AfterCommit of a failed write ran") })
		return io.ErrUnexpectedEOF
	})
	if err != io.ErrUnexpectedEOF {
		t.Error("the caller's own error must come back as it is:", err)
	}
	if err := add(ctx, db, "a"); !IsUnique(err) {
		t.Error(err)
	}
	if err := add(ctx, db, "c"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, db); got != "a c" {
		t.Error(got)
	}
}

func TestAPanicOrAnEndedGoroutineHurtsNobodyElse(t *testing.T) {
	db := open(t, temp(t), things)
	ctx := t.Context()
	err := db.Write(ctx, func(tx *Tx) error {
		tx.Exec(ctx, `INSERT INTO things (name) VALUES ('lost')`)
		panic("boom")
	})
	wantError(t, err, corridor.Internal, "bug")
	if !strings.Contains(err.Error(), "boom") {
		t.Error("the panic's value is lost:", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		db.Write(ctx, func(tx *Tx) error {
			tx.Exec(ctx, `INSERT INTO things (name) VALUES ('lost too')`)
			runtime.Goexit()
			return nil
		})
	})
	wg.Wait()
	if err := add(ctx, db, "a"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, db); got != "a" {
		t.Error(got)
	}
}

func TestConcurrentWritersShareCommits(t *testing.T) {
	db := open(t, temp(t), things)
	var commits, after atomic.Int64
	db.BeforeCommit(func(tx *Tx) error {
		commits.Add(1)
		tx.AfterCommit(func() { after.Add(1) })
		return nil
	})
	hold := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { db.Write(t.Context(), func(*Tx) error { <-hold; return nil }) })
	const writers = 50
	for i := range writers {
		wg.Go(func() {
			err := db.Write(t.Context(), func(tx *Tx) error {
				if _, err := tx.Exec(t.Context(), `INSERT INTO things (name) VALUES (?)`, fmt.Sprint(i)); err != nil {
					return err
				}
				if i%5 == 0 {
					return io.EOF
				}
				return nil
			})
			if (err == io.EOF) != (i%5 == 0) {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // let them queue; more time only makes fewer commits
	close(hold)
	wg.Wait()
	if got := len(strings.Fields(names(t, db))); got != writers*4/5 {
		t.Errorf("%d rows", got)
	}
	if n := commits.Load(); n > writers/2 || n != after.Load() {
		t.Errorf("%d commits and %d callbacks for %d writers", n, after.Load(), writers)
	}
}

func TestAHookThatFailsFailsTheWholeTransaction(t *testing.T) {
	db := open(t, temp(t), things)
	bad := errors.New("no checkpoint")
	var fail error
	db.BeforeCommit(func(tx *Tx) error {
		tx.AfterCommit(func() {
			if fail != nil {
				t.Error("callback of a hook ran without a commit")
			}
		})
		if fail == io.ErrShortWrite {
			panic("hook")
		}
		return fail
	})
	fail = bad
	if err := add(t.Context(), db, "a"); !errors.Is(err, bad) {
		t.Error(err)
	}
	fail = io.ErrShortWrite
	wantError(t, add(t.Context(), db, "b"), corridor.Internal, "bug")
	fail = nil
	if err := add(t.Context(), db, "c"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, db); got != "c" {
		t.Error(got)
	}
}

func TestACancelledCallerKnowsWhetherItsWriteHappened(t *testing.T) {
	db := open(t, temp(t), things)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, add(gone, db, "before"), corridor.Unavailable, "nothing was written")

	// While queued.
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { db.Write(t.Context(), func(*Tx) error { close(held); <-hold; return nil }) })
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() { wantError(t, add(ctx, db, "queued"), corridor.Unavailable, "nothing was written") })
	time.Sleep(5 * time.Millisecond)
	cancel()
	time.Sleep(5 * time.Millisecond)
	close(hold)
	wg.Wait()

	// During fn, before a statement.
	ctx, cancel = context.WithCancel(t.Context())
	err := db.Write(ctx, func(tx *Tx) error {
		cancel()
		if err := tx.QueryRow(ctx, `SELECT 1`).Scan(new(int)); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := tx.Query(ctx, `SELECT 1`); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		_, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES ('during')`)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// After fn is done: it is written, and the call says so.
	ctx, cancel = context.WithCancel(t.Context())
	err = db.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES ('after')`)
		cancel()
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if got := names(t, db); got != "after" {
		t.Error(got)
	}
}

func TestAFullDiskIsSaidAndNothingIsWritten(t *testing.T) {
	db := open(t, temp(t), things)
	ctx := t.Context()
	var pages int
	if err := db.Write(ctx, func(tx *Tx) error { return tx.QueryRow(ctx, `PRAGMA page_count`).Scan(&pages) }); err != nil {
		t.Fatal(err)
	}
	limit := func(n int) {
		t.Helper()
		if err := db.Write(ctx, func(tx *Tx) error {
			return tx.QueryRow(ctx, fmt.Sprintf(`PRAGMA max_page_count = %d`, n)).Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
	}
	limit(pages)
	big := strings.Repeat("x", 100_000)
	wantError(t, add(ctx, db, big), corridor.Unavailable, "disk is full")
	// A caller that overlooks the error must not go on outside the transaction.
	err := db.Write(ctx, func(tx *Tx) error {
		tx.Exec(ctx, `INSERT INTO things (name) VALUES (?)`, big)
		if _, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES ('sneaked in')`); err == nil {
			t.Error("a statement ran after the transaction was lost")
		}
		return nil
	})
	wantError(t, err, corridor.Unavailable, "disk is full")
	// The neighbours in the same transaction are told as well.
	hold := make(chan struct{})
	var wg sync.WaitGroup
	var neighbours atomic.Int64
	wg.Go(func() {
		err := db.Write(ctx, func(tx *Tx) error {
			<-hold
			_, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES ('n')`)
			return err
		})
		if err != nil {
			neighbours.Add(1)
		}
	})
	wg.Go(func() { time.Sleep(2 * time.Millisecond); add(ctx, db, big) })
	time.Sleep(20 * time.Millisecond)
	close(hold)
	wg.Wait()
	if got := names(t, db); (got == "n") == (neighbours.Load() == 1) {
		t.Errorf("neighbour was told %d errors and the table holds %q", neighbours.Load(), got)
	}
	limit(1 << 30)
	if err := add(ctx, db, "again"); err != nil {
		t.Error("the database does not recover:", err)
	}
}

func TestAReaderSeesOneMoment(t *testing.T) {
	db := open(t, temp(t), things)
	ctx := t.Context()
	if err := add(ctx, db, "a"); err != nil {
		t.Fatal(err)
	}
	err := db.Read(ctx, func(tx *Tx) error {
		count := func() (n int) { tx.QueryRow(ctx, `SELECT COUNT(*) FROM things`).Scan(&n); return n }
		if count() != 1 {
			t.Error("first look")
		}
		if err := add(ctx, db, "b"); err != nil {
			t.Fatal(err)
		}
		if count() != 1 {
			t.Error("the snapshot moved")
		}
		if _, err := tx.Exec(ctx, `DELETE FROM things`); err == nil {
			t.Error("a reader wrote")
		}
		rows, err := tx.Query(ctx, `SELECT name FROM things`)
		if err != nil {
			return err
		}
		return rows.Close()
	})
	if err != nil {
		t.Error(err)
	}
	wantError(t, db.Read(ctx, func(*Tx) error { panic("x") }), corridor.Internal, "bug")
}

func TestATransactionEndsWithItsFunction(t *testing.T) {
	db := open(t, temp(t), things)
	ctx := t.Context()
	var kept *Tx
	if err := db.Write(ctx, func(tx *Tx) error { kept = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Exec(ctx, `DELETE FROM things`); err == nil {
		t.Error("used after its end")
	}
	err := db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `no sql`); err == nil {
			t.Error("no sql")
		}
		if _, err := tx.Query(ctx, `no sql`); err == nil {
			t.Error("no sql")
		}
		if err := tx.QueryRow(ctx, `no sql`).Scan(new(int)); err == nil {
			t.Error("no sql")
		}
		for i := range maxStatements + 2 {
			if err := tx.QueryRow(ctx, fmt.Sprintf(`SELECT %d`, i)).Scan(new(int)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAfterCommitMayUseTheDatabase(t *testing.T) {
	db := open(t, temp(t), things)
	ctx := t.Context()
	err := db.Write(ctx, func(tx *Tx) error {
		tx.AfterCommit(func() {
			if err := add(ctx, db, "later"); err != nil {
				t.Error(err)
			}
		})
		return nil
	})
	if err != nil || names(t, db) != "later" {
		t.Error(err, names(t, db))
	}
}

func TestMigrationsGoForwardOnly(t *testing.T) {
	path := temp(t)
	second := Migration{Room: "things", Version: 2, SQL: `ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7; CREATE TABLE more (x)`}
	db := open(t, path, things)
	if err := add(t.Context(), db, "a"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	db = open(t, path, second, things) // order does not matter
	var size int
	if err := db.Read(t.Context(), func(tx *Tx) error { return tx.QueryRow(t.Context(), `SELECT size FROM things`).Scan(&size) }); err != nil || size != 7 {
		t.Error(size, err)
	}
	db.Close()

	for name, c := range map[string]struct {
		list []Migration
		kind corridor.Kind
		text string
	}{
		"an older program":   {[]Migration{things}, corridor.Conflict, "newer version"},
		"an edited step":     {[]Migration{{"things", 1, `CREATE TABLE other (x)`}, second}, corridor.Internal, "not the one"},
		"a gap":              {[]Migration{things, {"things", 3, ``}}, corridor.Internal, "version 3 after 1"},
		"a step without SQL": {[]Migration{things, second, {"things", 3, `CREATE TABEL x`}}, corridor.Internal, "migration 3"},
	} {
		_, err := Open(t.Context(), path, c.list...)
		if corridor.KindOf(err) != c.kind || err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A failing step takes the steps before it back.
	_, err := Open(t.Context(), path, things, second, Migration{"things", 3, `CREATE TABLE third (x)`}, Migration{"things", 4, `broken`})
	wantError(t, err, corridor.Internal, "migration 4")
	db = open(t, path, things, second)
	if err := db.Read(t.Context(), func(tx *Tx) error { return tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM third`).Scan(&size) }); err == nil {
		t.Error("half of a migration stayed")
	}
}

// TestNothingAcknowledgedIsLostWhenTheProcessIsKilled runs this test binary
// as a writer, kills it, and looks for everything that it had acknowledged.
func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	if path := os.Getenv("STORE_TEST_WRITER"); path != "" {
		db, err := Open(context.Background(), path, things)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		for w := range 4 {
			go func() {
				for i := 0; ; i++ {
					name := fmt.Sprintf("%d-%d", w, i)
					if add(context.Background(), db, name) == nil {
						fmt.Println("ok " + name)
					}
				}
			}()
		}
		select {}
	}
	path := temp(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	acked := map[string]bool{}
	for range 3 {
		cmd := exec.Command(exe, "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "STORE_TEST_WRITER="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		sc := bufio.NewScanner(out)
		for n := 0; n < 100 && sc.Scan(); n++ {
			if name, ok := strings.CutPrefix(sc.Text(), "ok "); ok {
				acked[name] = true
			}
		}
		cmd.Process.Kill()
		for sc.Scan() { // what it had said before it died
			if name, ok := strings.CutPrefix(sc.Text(), "ok "); ok {
				acked[name] = true
			}
		}
		cmd.Wait()
	}
	db := open(t, path, things)
	have := map[string]bool{}
	for _, n := range strings.Fields(names(t, db)) {
		have[n] = true
	}
	for n := range acked {
		if !have[n] {
			t.Errorf("%s was acknowledged and is lost", n)
		}
	}
	if len(acked) < 100 {
		t.Errorf("only %d writes were acknowledged", len(acked))
	}
}

func BenchmarkWrite(b *testing.B) {
	db := open(b, temp(b), things)
	ctx := b.Context()
	for i := 0; b.Loop(); i++ {
		if err := add(ctx, db, fmt.Sprint(i)); err != nil {
			b.Fatal(err)
		}
	}
}
