package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"corridor"
	"corridor/internal/store/storetest"
)

// soon waits for something that must come.
func soon(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within half a minute", what)
		}
	}
}

func TestWritersOfSeveralNodesTakeTurns(t *testing.T) {
	place := storetest.Server(t)
	const nodes, each = 3, 40
	var wg sync.WaitGroup
	for range nodes {
		db := open(t, place, things)
		for range 4 {
			wg.Go(func() {
				for range each / 4 {
					err := db.Write(t.Context(), func(tx *Tx) error {
						var n int // read, and write what follows from it: lost if two could read the same
						if err := tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM things`).Scan(&n); err != nil {
							return err
						}
						_, err := tx.Exec(t.Context(), `INSERT INTO things (name) VALUES (?)`, fmt.Sprint(n))
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if got := len(strings.Fields(names(t, open(t, place, things)))); got != nodes*each {
		t.Errorf("%d rows, want %d", got, nodes*each)
	}
}

func TestNodesThatStartTogetherMigrateOnce(t *testing.T) {
	place := storetest.Server(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := Open(t.Context(), place, things)
			if err != nil {
				t.Error(err)
				return
			}
			db.Close()
		})
	}
	wg.Wait()
}

// TestAMigrationThatBreaksOffLeavesNothing: the connection is lost after the
// first statements of a step; the next start begins anew.
func TestAMigrationThatBreaksOffLeavesNothing(t *testing.T) {
	place := storetest.Server(t)
	open(t, place, things).Close()
	w, through := storetest.Wired(t, place)
	second := Migration{Room: "things", Version: 2, SQL: `CREATE TABLE more (x INTEGER); INSERT INTO more (x) VALUES (1)`}
	third := Migration{Room: "things", Version: 3, SQL: `CREATE TABLE even_more (x INTEGER)`}
	w.CutAt("even_more", false)
	_, err := Open(t.Context(), through, things, second, third)
	wantError(t, err, corridor.Internal, "migration 3")
	if got := column(t, open(t, place, things), `SELECT to_regclass('more') IS NULL`); got != "true" {
		t.Error("half of the migrations stayed")
	}
	db := open(t, place, things, second, third)
	if got := column(t, db, `SELECT x FROM more`); got != "1" {
		t.Errorf("more holds %q", got)
	}
}

// TestAnAnswerToCommitThatIsLost: the node finds out what became of the
// transaction, and tells its caller the truth.
func TestAnAnswerToCommitThatIsLost(t *testing.T) {
	for name, passed := range map[string]bool{"after the server did it": true, "before it got there": false} {
		t.Run(name, func(t *testing.T) {
			w, place := storetest.Wired(t, storetest.Server(t))
			db := open(t, place, things)
			if err := add(t.Context(), db, "a"); err != nil {
				t.Fatal(err)
			}
			w.CutAt("COMMIT\x00", passed) // not the word in READ COMMITTED
			err := add(t.Context(), db, "b")
			if (err == nil) != passed {
				t.Errorf("told %v", err)
			}
			if !passed {
				wantError(t, err, corridor.Unavailable, "nothing was written")
			}
			if err := add(t.Context(), db, "c"); err != nil {
				t.Error("it does not go on:", err)
			}
			if got := names(t, db); got != map[bool]string{true: "a b c", false: "a c"}[passed] {
				t.Errorf("holds %q", got)
			}
		})
	}
}

// TestADatabaseThatGoesAwayComesBack: while it is away everybody is told so,
// and told in words; afterwards the same node goes on, and nothing that was
// acknowledged is lost.
func TestADatabaseThatGoesAwayComesBack(t *testing.T) {
	w, place := storetest.Wired(t, storetest.Server(t))
	db := open(t, place, things)
	var got sent
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran := make(chan error, 1)
	go func() {
		ran <- db.RunOutbox(ctx, Outbox{Deliver: func(_ context.Context, m Message) error { got.add("%s", m.Target); return nil },
			Failed: func(context.Context, *Tx, Message, error) error { return nil }})
	}()
	if err := add(t.Context(), db, "a"); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		w.Cut()
		err := add(t.Context(), db, "lost")
		wantError(t, err, corridor.Unavailable, "the database cannot be reached")
		if strings.Contains(err.Error(), "lost connection") || strings.Contains(err.Error(), "password") {
			t.Error(err)
		}
		err = db.Read(t.Context(), func(tx *Tx) error { return tx.QueryRow(t.Context(), `SELECT 1`).Scan(new(int)) })
		wantError(t, err, corridor.Unavailable, "the database cannot be reached")
		db.wakeOutbox()
		w.Mend()
		soon(t, "a write after the network is back", func() bool { return add(t.Context(), db, fmt.Sprint(round)) == nil })
		enqueue(t, db, Message{Target: fmt.Sprint(round)})
		soon(t, "a message after the network is back", func() bool { return strings.Contains(got.String(), fmt.Sprint(round)) })
	}
	if got := names(t, db); got != "a 0 1 2" {
		t.Errorf("holds %q", got)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// TestAStatementThatLosesTheDatabase: in the middle of a transaction, of a
// read, of several callers.
func TestAStatementThatLosesTheDatabase(t *testing.T) {
	w, place := storetest.Wired(t, storetest.Server(t))
	db := open(t, place, things)
	ctx := t.Context()
	err := db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES ('half')`); err != nil {
			return err
		}
		w.Cut()
		_, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES ('other half')`)
		return err
	})
	wantError(t, err, corridor.Unavailable, "the database cannot be reached")
	w.Mend()
	err = db.Read(ctx, func(tx *Tx) error {
		w.Cut()
		return tx.QueryRow(ctx, `SELECT COUNT(*) FROM things`).Scan(new(int))
	})
	wantError(t, err, corridor.Unavailable, "the database cannot be reached")
	w.Mend()
	soon(t, "a write after the network is back", func() bool { return add(ctx, db, "whole") == nil })
	if got := names(t, db); got != "whole" {
		t.Errorf("holds %q", got)
	}
}

// TestANodeThatFallsSilentInATransactionHoldsUpNobodyForLong: it keeps its
// connection and says nothing. What it wrote is undone; it is told so.
func TestANodeThatFallsSilentInATransactionHoldsUpNobodyForLong(t *testing.T) {
	place := storetest.Server(t)
	silent, other := open(t, place, things), open(t, place, things)
	ctx := t.Context()
	began, wake, told := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		told <- silent.Write(ctx, func(tx *Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO things (name) VALUES ('silent')`)
			close(began)
			<-wake
			return err
		})
	}()
	<-began
	if err := add(ctx, other, "other"); err != nil {
		t.Fatal(err)
	}
	close(wake)
	if err := <-told; corridor.KindOf(err) != corridor.Unavailable {
		t.Errorf("the silent node was told %v", err)
	}
	if err := add(ctx, silent, "awake"); err != nil {
		t.Error(err)
	}
	if got := names(t, other); got != "other awake" {
		t.Errorf("holds %q", got)
	}
}

// TestAnotherNodeSendsWhatADeadOneLeft: with the order of each key, and with
// nothing sent by both once the first is heard of no more.
func TestAnotherNodeSendsWhatADeadOneLeft(t *testing.T) {
	place := storetest.Server(t)
	w, through := storetest.Wired(t, place)
	dying, heir := open(t, through, things), open(t, place, things)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	nothing := func(context.Context, *Tx, Message, error) error { return nil }
	var byDying, byHeir sent
	stuck := make(chan struct{}, 10)
	go dying.RunOutbox(ctx, Outbox{Failed: nothing, Deliver: func(ctx context.Context, m Message) error {
		byDying.add("%s", m.Target)
		stuck <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}})
	go heir.RunOutbox(ctx, Outbox{Failed: nothing, Deliver: func(_ context.Context, m Message) error { byHeir.add("%s", m.Target); return nil }})
	enqueue(t, dying, Message{Target: "k1", Key: "k"}, Message{Target: "k2", Key: "k"})
	<-stuck
	enqueue(t, heir, Message{Target: "own"})
	soon(t, "the heir's own message", func() bool { return byHeir.String() == "own" })
	began := time.Now()
	w.Cut()
	soon(t, "what the dead node left", func() bool { return byHeir.String() == "own k1 k2" })
	t.Logf("taken over after %v", time.Since(began).Round(100*time.Millisecond))
	soon(t, "nothing is left", func() bool { return left(t, heir) == "" }) // what was sent is struck off after it was sent
	if byDying.String() != "k1" {
		t.Errorf("the dying node sent %q", &byDying)
	}
}

// TestOneNodeLeadsAtATime: the work of a node that is cut off ends there and
// begins elsewhere; never do two believe at the same time that they hold what
// they can prove to hold.
func TestOneNodeLeadsAtATime(t *testing.T) {
	place := storetest.Server(t)
	w, through := storetest.Wired(t, place)
	first, second := open(t, through, things), open(t, place, things)
	ctx, cancel := context.WithCancel(t.Context())
	var leads [2]atomic.Bool
	var wg sync.WaitGroup
	lead := func(i int, db *DB) {
		wg.Go(func() {
			err := db.Lead(ctx, "work", func(ctx context.Context) error {
				leads[i].Store(true)
				<-ctx.Done()
				leads[i].Store(false)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	lead(0, first)
	soon(t, "the first leads", leads[0].Load)
	lead(1, second)
	time.Sleep(50 * time.Millisecond)
	if leads[1].Load() {
		t.Error("two lead")
	}
	if err := second.Write(ctx, func(tx *Tx) error { return second.StillAlone(ctx, tx, "work") }); corridor.KindOf(err) != corridor.Unavailable {
		t.Errorf("who does not lead may write as if: %v", err)
	}
	w.Cut()
	soon(t, "the second takes over", leads[1].Load)
	soon(t, "the first notices", func() bool { return !leads[0].Load() })
	w.Mend()
	soon(t, "the first is back", func() bool { return add(ctx, first, "x") == nil })
	if err := first.Write(ctx, func(tx *Tx) error { return first.StillAlone(ctx, tx, "work") }); corridor.KindOf(err) != corridor.Unavailable {
		t.Errorf("who lost the lease may write as if: %v", err)
	}
	second.Close() // an orderly end: no waiting
	soon(t, "the first leads again", leads[0].Load)
	cancel()
	wg.Wait()
}

func TestAloneWaitsForItsTurn(t *testing.T) {
	place := storetest.Place(t) // a file has one process, and several goroutines
	dbs := []*DB{open(t, place, things)}
	if storetest.OnServer() {
		dbs = append(dbs, open(t, place, things))
	}
	var busy, done atomic.Int64
	var wg sync.WaitGroup
	for i := range 12 {
		db := dbs[i%len(dbs)]
		wg.Go(func() {
			err := db.Alone(t.Context(), "work", func(ctx context.Context) error {
				if busy.Add(1) != 1 {
					t.Error("two at once")
				}
				defer busy.Add(-1)
				done.Add(1)
				return db.Write(ctx, func(tx *Tx) error { return db.StillAlone(ctx, tx, "work") })
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if done.Load() != 12 {
		t.Errorf("%d of 12 had their turn", done.Load())
	}
	own := errors.New("own")
	if err := dbs[0].Alone(t.Context(), "work", func(context.Context) error { return own }); err != own {
		t.Error(err)
	}
}

func TestALeaseThatCannotBeHadLeavesTheContextOfTheCaller(t *testing.T) {
	db := open(t, storetest.Place(t), things)
	_, release, ok, err := db.Claim(t.Context(), "x")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer release()
	ended, end := context.WithCancel(t.Context())
	end()
	for name, ctx := range map[string]context.Context{"x": t.Context(), "y": ended} { // one is taken; the other cannot be written down on a server
		held, giveBack, ok, err := db.Claim(ctx, name)
		if held != ctx && !ok {
			t.Errorf("%s: another context comes back: %v", name, err)
		}
		giveBack()
	}
}

func TestNodesHearWhatOthersTell(t *testing.T) {
	place := storetest.Server(t)
	a, b := open(t, place, things), open(t, place, things)
	var heard sent
	b.Hear(func(what string) { heard.add("[%s]", what) })
	a.Hear(func(what string) {
		if what == "one" {
			t.Error("a node hears itself")
		}
	})
	ctx := t.Context()
	failed := a.Write(ctx, func(tx *Tx) error { tx.Tell("never"); return io.EOF })
	if failed != io.EOF {
		t.Fatal(failed)
	}
	tell := func(list ...string) {
		t.Helper()
		if err := a.Write(ctx, func(tx *Tx) error {
			for _, what := range list {
				tx.Tell(what)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	soon(t, "what was told", func() bool { // who is only just connecting hears that it may have missed something
		tell("one", "two", "one")
		return strings.Contains(heard.String(), "[one] [two]")
	})
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("transfer urn:uuid:%d", i))
	}
	tell(many...)
	soon(t, "that much has changed", func() bool { return strings.HasSuffix(heard.String(), "[]") })
	if strings.Contains(heard.String(), "never") {
		t.Error("heard of what was rolled back:", &heard)
	}
}

func TestTheAddressOfAServerIsCheckedAndItsPasswordNeverShown(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	for name, c := range map[string]struct{ address, want string }{
		"a port that is none":          {"postgres://u:s3cret@h:99x/db", "cannot be read"},
		"a password not encoded":       {"postgres://u:s3cret%zz@h/db", "cannot be read"},
		"a far host without sslmode":   {"postgres://u:s3cret@db.example.org/x", "sslmode"},
		"no database":                  {"postgres://u:s3cret@127.0.0.1:5432", "names no database"},
		"an unknown sslmode":           {"postgres://u:s3cret@127.0.0.1/x?sslmode=sometimes", "cannot be read"},
		"nobody listens":               {"postgres://u:s3cret@127.0.0.1:1/x", "cannot be reached"},
		"a password as a parameter":    {"postgres://u@127.0.0.1:1/x?password=s3cret", "cannot be reached"},
		"a socket that does not exist": {"postgres://u:s3cret@/x?host=/nowhere", "cannot be reached"},
	} {
		_, err := Open(t.Context(), c.address)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v %s", err, err, err.Error()), "s3cret") {
			t.Errorf("%s: the password is in the error: %v", name, err)
		}
		if !HoldsPassword(c.address) {
			t.Errorf("%s: holds a password", name)
		}
	}
	if HoldsPassword("node.db") || HoldsPassword("postgres://u@h/db") {
		t.Error("no password there")
	}
	if err := CheckServer("postgres://u@db.example.org/x?sslmode=verify-full"); err != nil {
		t.Error(err)
	}
}

func TestErrorsOfTheServerBecomeSentences(t *testing.T) {
	const place = "postgres://h/db"
	for state, c := range map[string]struct {
		kind corridor.Kind
		text string
	}{
		"53100": {corridor.Unavailable, "disk"}, "53300": {corridor.Unavailable, "connections"}, "28P01": {corridor.Forbidden, "let this user in"},
		"3D000": {corridor.Invalid, "createdb"}, "3F000": {corridor.Invalid, "CREATE SCHEMA"}, "42501": {corridor.Forbidden, "OWNER"},
		"25006": {corridor.Unavailable, "standby"}, "57014": {corridor.Unavailable, "too long"}, "40001": {corridor.Unavailable, "try again"},
		"22021": {corridor.Invalid, "U+0000"}, "54000": {corridor.Limited, "too long"}, "25P03": {corridor.Unavailable, "nothing was written"},
		"57P01": {corridor.Unavailable, "cannot be reached"}, "42601": {corridor.Internal, "refused a statement"},
	} {
		e := &pgconn.PgError{Code: state, Severity: "ERROR", SeverityUnlocalized: "ERROR"}
		if state == "57P01" {
			e.SeverityUnlocalized = "FATAL"
		}
		wantError(t, describe(place, fmt.Errorf("x: %w", e)), c.kind, c.text)
	}
	if err := describe(place, io.EOF); err != io.EOF {
		t.Error("a foreign error changes:", err)
	}
	wantError(t, describe(place, context.Canceled), corridor.Unavailable, "the request ended first")
	if got := placeholders(`SELECT '?' FROM t WHERE a = ? AND b IN (?, ?)`); got != `SELECT '?' FROM t WHERE a = $1 AND b IN ($2, $3)` {
		t.Error(got)
	}
}

func TestACharacterThatTheServerCannotKeepIsRefused(t *testing.T) {
	db := open(t, storetest.Server(t), things)
	err := add(t.Context(), db, "a\x00b")
	wantError(t, describe(db.path, err), corridor.Invalid, "U+0000")
	if err := add(t.Context(), db, "a"); err != nil {
		t.Error(err)
	}
}
