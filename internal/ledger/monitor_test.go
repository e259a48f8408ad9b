package ledger

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// served is a peer's log outside any database, which can tell another history
// from one moment to the next.
type served struct {
	*httptest.Server
	mu      sync.Mutex
	h       *history
	silent  bool // it gives no tiles
	damaged bool // its tiles are not those of its checkpoint
}

func serve(t testing.TB, h *history) *served {
	s := &served{h: h}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		path := strings.TrimPrefix(r.URL.Path, "/")
		if path == "checkpoint" {
			w.Write([]byte(s.h.checkpoint(t, s.h.size)))
			return
		}
		tile, err := tlog.ParseTilePath(strings.Replace(path, "tile/", "tile/8/", 1))
		if err != nil || s.silent {
			http.NotFound(w, r)
			return
		}
		data, err := tlog.ReadTileData(tile, s.h)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		if s.damaged {
			data[0] ^= 1
		}
		w.Write(data)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *served) tells(h *history) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.h = h
}

func (s *served) log() PeerLog {
	return PeerLog{DID: s.h.did, Ref: corridor.LogRef{Origin: s.h.origin, VKey: s.h.vkey()}, URL: s.URL}
}

func told(same int, text string, more int) *history {
	return (&history{person: newPerson("uz.example")}).grow(same, "same").grow(more, text)
}

func TestACheckpointThatContinuesTheKnownOneTakesItsPlace(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	h := told(0, "", 0)
	uz := serve(t, h)
	see := func(size int64) error { return n.log.See(t.Context(), uz.log(), []byte(h.checkpoint(t, size))) }
	known := func() int64 {
		var text string
		if err := n.db.Read(t.Context(), func(tx *store.Tx) (err error) {
			text, err = n.log.PeerCheckpoint(t.Context(), tx, h.did)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		v, _ := verify.LogVerifier(h.vkey())
		c, _, err := verify.OpenCheckpoint([]byte(text), v)
		if err != nil {
			t.Fatal(err)
		}
		return c.Size
	}
	for _, size := range []int64{0, 1, 3, 200, 256, 257, 700} {
		h.grow(int(size-h.size), "same")
		if err := see(size); err != nil || known() != size {
			t.Fatalf("%d: %v, known are %d", size, err, known())
		}
	}
	for _, older := range []int64{1, 256, 300, 700} { // one that comes late
		if err := see(older); err != nil || known() != 700 {
			t.Errorf("%d: %v, known are %d", older, err, known())
		}
	}
	if list, err := n.log.Equivocations(t.Context()); err != nil || len(list) > 0 {
		t.Error(list, err)
	}
	if text, err := forPeer(n, "did:web:nobody"); text != "" || err != nil {
		t.Errorf("%q %v", text, err)
	}
}

func forPeer(n *node, did string) (text string, err error) {
	err = n.db.Read(context.Background(), func(tx *store.Tx) (err error) {
		text, err = n.log.PeerCheckpoint(context.Background(), tx, did)
		return err
	})
	return text, err
}

func TestTwoHistoriesOfAPeersLogBecomeEvidence(t *testing.T) {
	for name, c := range map[string]struct {
		first, second int // entries after 300 common ones
	}{
		"of one size":             {5, 5},
		"the second longer":       {5, 9},
		"the second shorter":      {9, 5},
		"across a tile":           {5, 400},
		"a power of two at first": {212, 300},
	} {
		t.Run(name, func(t *testing.T) {
			peer := newPerson("uz.example")
			n := start(t, newPerson("kz.example"), temp(t), func(cfg *Config) {
				cfg.Document = func(context.Context, string) ([]byte, error) { return peer.document(t), nil } // does not name the log's key
			})
			uz := serve(t, told(300, "one story", c.first))
			if err := n.log.See(t.Context(), uz.log(), []byte(uz.h.checkpoint(t, uz.h.size))); err != nil {
				t.Fatal(err)
			}
			first := uz.h
			second := told(300, "another story", c.second)
			if c.second >= c.first {
				uz.tells(second)
			}
			err := n.log.See(t.Context(), uz.log(), []byte(second.checkpoint(t, second.size)))
			var f *Fork
			if !errors.As(err, &f) || f.Log.DID != first.did {
				t.Fatal(err)
			}
			rep := verify.Evidence(f.Evidence, verify.Options{Policy: []byte("log " + first.vkey() + "\nquorum none\n")})
			if !rep.OK || rep.Kind != verify.KindEquivocation {
				t.Error(rep.Summary)
			}
			list, err := n.log.Equivocations(t.Context())
			if err != nil || len(list) != 1 || list[0].Reference != f.Reference() || list[0].Lifted != "" {
				t.Errorf("%+v %v", list, err)
			}
			// It is found again, and the first evidence stays.
			err = n.log.See(t.Context(), uz.log(), []byte(second.checkpoint(t, second.size)))
			var again *Fork
			if !errors.As(err, &again) || again.Reference() != f.Reference() {
				t.Error(err)
			}
			if err := n.db.Write(t.Context(), func(tx *store.Tx) error { return n.log.Lift(t.Context(), tx, list[0]) }); err != nil {
				t.Fatal(err)
			}
			if list, err = n.log.Equivocations(t.Context()); err != nil || list[0].Lifted == "" {
				t.Errorf("%+v %v", list, err)
			}
		})
	}
}

// lift lifts the stop for all evidence that n holds now.
func lift(t *testing.T, n *node) {
	t.Helper()
	list, err := n.log.Equivocations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if err := n.db.Write(t.Context(), func(tx *store.Tx) error { return n.log.Lift(t.Context(), tx, e) }); err != nil {
			t.Fatal(err)
		}
	}
}

// TestALiftIsForTheTwoHistoriesThatWereLookedAt: the log may go on with one of
// them, and no further history is let through with it.
func TestALiftIsForTheTwoHistoriesThatWereLookedAt(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	first, second := told(5, "one story", 5), told(5, "another story", 3)
	uz := serve(t, first)
	see := func(h *history, size int64) *Fork {
		t.Helper()
		err := n.log.See(t.Context(), uz.log(), []byte(h.checkpoint(t, size)))
		var f *Fork
		if err != nil && !errors.As(err, &f) {
			t.Fatal(err)
		}
		return f
	}
	goes := func(h *history, size int64) {
		t.Helper()
		if f := see(h, size); f != nil {
			t.Errorf("%d entries are a fork", size)
		}
	}
	forks := func(h *history, size int64, open int) *Fork {
		t.Helper()
		f := see(h, size)
		if f == nil {
			t.Fatalf("%d entries are no fork", size)
		}
		if rep := verify.Evidence(f.Evidence, verify.Options{}); !rep.OK {
			t.Error(rep.Summary)
		}
		list, err := n.log.Equivocations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, e := range list {
			if e.Lifted == "" {
				left++
			}
		}
		if left != open {
			t.Errorf("%d pieces of evidence are open, want %d", left, open)
		}
		return f
	}
	goes(first, 10)
	one := forks(second, 8, 1) // the restored backup: fewer entries than were known
	if again := forks(second, 8, 1); again.Reference() != one.Reference() {
		t.Error("the same two histories are new evidence")
	}
	lift(t, n)
	goes(second, 8)
	goes(first, 10)
	third := told(5, "a third story", 5)
	if f := forks(third, 10, 1); f.Reference() == one.Reference() {
		t.Error("a third history is covered by the first lift")
	}
	lift(t, n)

	second.grow(1, "another story")
	uz.tells(second)
	goes(second, 9) // it goes on with the second
	goes(first, 10) // which a witness still holds
	second.grow(5, "another story")
	goes(second, 14)
	forks(told(5, "another story", 3).grow(6, "x"), 14, 1) // and forks there again
	first.grow(10, "one story")
	uz.tells(first)
	forks(first, 20, 2) // and goes on with the first too

	lift(t, n)
	for i := range maxOpen + 3 {
		forks(told(5, strings.Repeat("x", i+1), 9), 14, min(i+1, maxOpen))
	}
}

// TestALogThatGoesOnInSecretAfterALiftForksAgain: a history of the known size
// whose tiles are not to be had is not taken for the other one's growth.
func TestALogThatGoesOnInSecretAfterALiftForksAgain(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	first, second := told(5, "one story", 5), told(5, "another story", 5)
	uz := serve(t, first)
	var f *Fork
	for i, want := range []bool{false, true} {
		h := []*history{first, second}[i]
		if err := n.log.See(t.Context(), uz.log(), []byte(h.checkpoint(t, 8+int64(2*(1-i))))); errors.As(err, &f) != want {
			t.Fatal(err)
		}
	}
	lift(t, n)
	uz.tells(second)
	uz.silent = true
	f = nil
	if err := n.log.See(t.Context(), uz.log(), []byte(second.checkpoint(t, 10))); !errors.As(err, &f) {
		t.Fatalf("a history that shows nothing: %v", err)
	}
}

func TestALogThatDoesNotAnswerIsNoEvidence(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	uz := serve(t, told(0, "one story", 10))
	good := []byte(uz.h.checkpoint(t, 10))
	if err := n.log.See(t.Context(), uz.log(), good); err != nil {
		t.Fatal(err)
	}
	uz.tells(told(0, "another story", 20))
	signed := []byte(uz.h.checkpoint(t, 20))
	uz.silent = true
	wantError(t, n.log.See(t.Context(), uz.log(), signed), corridor.Unavailable, "does not show that 20 entries continue 10")
	uz.silent, uz.damaged = false, true
	wantError(t, n.log.See(t.Context(), uz.log(), signed), corridor.Unavailable, "does not show")
	nowhere := uz.log()
	nowhere.URL = ""
	wantError(t, n.log.See(t.Context(), nowhere, signed), corridor.Unavailable, "not known where")
	if text, err := forPeer(n, uz.h.did); err != nil || text != string(good) {
		t.Error("what is known must stay", err)
	}
	// Nor is what somebody else signed.
	forger := told(0, "x", 30)
	forger.person = newPerson("forger.example")
	forger.person.origin, forger.person.did = uz.h.origin, uz.h.did
	wantError(t, n.log.See(t.Context(), uz.log(), []byte(forger.checkpoint(t, 30))), corridor.Unauthenticated, "")
	bad := uz.log()
	bad.Ref.VKey = "x"
	wantError(t, n.log.See(t.Context(), bad, signed), corridor.Invalid, "vkey")
}

// TestAForkBetweenTwoCountriesIsFoundThroughAWitness: the peer's own address
// goes on telling the first history; the second one was shown to a witness.
func TestAForkBetweenTwoCountriesIsFoundThroughAWitness(t *testing.T) {
	first, second := told(0, "to kz", 10), told(0, "to others", 10)
	w := witness(t, "w.example", nil, first.vkey())
	if _, err := w.Add(t.Context(), []byte(second.request(t, 0, 10))); err != nil {
		t.Fatal(err)
	}
	n := start(t, newPerson("kz.example"), temp(t), func(c *Config) { c.Policy = policy("quorum w0", w) })
	uz := serve(t, first)
	if err := n.log.See(t.Context(), uz.log(), []byte(first.checkpoint(t, 10))); err != nil {
		t.Fatal(err)
	}
	var found []*Fork
	if err := n.log.Compare(t.Context(), func(_ context.Context, f *Fork) { found = append(found, f) }); err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if rep := verify.Evidence(found[0].Evidence, verify.Options{}); !rep.OK {
		t.Error(rep.Summary)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.log.RunMonitor(ctx, func(context.Context, *Fork) {}); err != nil {
		t.Error(err)
	}
}

func TestTwoReceiptsInOnePlaceAreEvidenceWithoutTheLogsHelp(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	uz, twin := start(t, newPerson("uz.example"), temp(t)), start(t, newPerson("uz.example"), temp(t))
	for range 3 {
		uz.append(t, corridor.Receipt{Agreement: "a", Reason: "one story"})
		twin.append(t, corridor.Receipt{Agreement: "a", Reason: "another story"})
	}
	twin.append(t, corridor.Receipt{})
	one, other := uz.handed(t, 1), twin.handed(t, 1)
	unproven := other
	unproven.Proof = nil
	if err := n.hear(t, one); err != nil {
		t.Fatal(err)
	}
	if err := n.log.CheckPlaces(t.Context(), []PeerReceipt{one, uz.handed(t, 2), unproven}); err != nil {
		t.Error("the issuer's word alone:", err)
	}
	err := n.log.CheckPlaces(t.Context(), []PeerReceipt{one, other})
	var f *Fork
	if !errors.As(err, &f) || !strings.Contains(f.Error(), "two histories") {
		t.Fatal(err)
	}
	if rep := verify.Evidence(f.Evidence, verify.Options{}); !rep.OK {
		t.Error(rep.Summary)
	}
	lift(t, n)
	twin.append(t, corridor.Receipt{}) // a newer checkpoint does not make it another matter
	if err := n.log.CheckPlaces(t.Context(), []PeerReceipt{twin.handed(t, 1)}); err != nil {
		t.Error("what was lifted stops again:", err)
	}
	if err := n.hear(t, uz.handed(t, 2)); err != nil {
		t.Fatal(err)
	}
	if err := n.log.CheckPlaces(t.Context(), []PeerReceipt{twin.handed(t, 2)}); !errors.As(err, &f) {
		t.Error("another place is covered by the lift:", err)
	}
}

// TestANodeThatStartsAsksItsWitnessesFirst: nothing is signed before so many
// have answered that the others could not have been enough.
func TestANodeThatStartsAsksItsWitnessesFirst(t *testing.T) {
	p := newPerson("kz.example")
	a, b, c := witness(t, "a.example", nil, p.vkey()), witness(t, "b.example", nil, p.vkey()), witness(t, "c.example", nil, p.vkey())
	pol := policy("group thirds 2 w0 w1 w2\nquorum thirds", a, b, c)
	path := temp(t)
	first := start(t, p, path, func(cfg *Config) { cfg.Policy = pol })
	stop := first.runWitnesses(t)
	first.many(t, 20)
	if err := first.log.WaitCosigned(within(t), 19); err != nil {
		t.Fatal(err)
	}
	stop()
	first.db.Close()
	append1 := func(n *node) error {
		return n.db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := n.log.Append(t.Context(), tx, corridor.Receipt{Type: "x"}, n.person)
			return err
		})
	}
	use := func(cfg *Config) { cfg.Policy, cfg.Reconcile = pol, true }

	n := start(t, p, path, use)
	wantError(t, append1(n), corridor.Unavailable, "not signed yet: these witnesses have not said what they have cosigned of it: w0, w1, w2")
	if err := n.log.Reconcile(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := n.log.Reconciled(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := append1(n); err != nil {
		t.Error(err)
	}
	n.db.Close()

	// One of three may be away, two may not: they could have been enough.
	a.srv.Close()
	n = start(t, p, path, use)
	if err := n.log.Reconcile(within(t)); err != nil {
		t.Fatal("with one witness away:", err)
	}
	n.db.Close()
	b.srv.Close()
	n = start(t, p, path, use)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.log.Reconcile(ctx) }()
	for silent := ""; !strings.Contains(silent, ": w0, w1 (") && !strings.HasSuffix(silent, ": w0, w1"); {
		if err := append1(n); err != nil {
			silent, _, _ = strings.Cut(err.Error(), " (")
			silent, _, _ = strings.Cut(silent, ";")
			wantError(t, err, corridor.Unavailable, "not signed yet")
		} else {
			t.Fatal("it signs although two of three witnesses are silent")
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	wantError(t, <-done, corridor.Unavailable, "canceled")
	wantError(t, n.log.Reconciled(ctx), corridor.Unavailable, "canceled")
}

// TestAnOldCopyIsFoundBeforeItSigns: the backup never gets as far as a second
// history, and says what happened.
func TestAnOldCopyIsFoundBeforeItSigns(t *testing.T) {
	t.Run("by what the witness tells monitors", func(t *testing.T) { oldCopy(t, nil) })
	t.Run("by submission alone", func(t *testing.T) {
		oldCopy(t, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					http.NotFound(w, r)
					return
				}
				next.ServeHTTP(w, r)
			})
		})
	})
}

func oldCopy(t *testing.T, wrap func(http.Handler) http.Handler) {
	p := newPerson("kz.example")
	w := witness(t, "w.example", wrap, p.vkey())
	pol := policy("quorum w0", w)
	old, other := temp(t), temp(t)
	write := func(path string, count int) {
		n := start(t, p, path)
		n.many(t, count)
		n.db.Close()
	}
	write(old, 10)
	first := start(t, p, temp(t), func(c *Config) { c.Policy = pol })
	stop := first.runWitnesses(t)
	first.many(t, 20)
	if err := first.log.WaitCosigned(within(t), 19); err != nil {
		t.Fatal(err)
	}
	stop()
	write(other, 25) // not older, and not the same
	for path, want := range map[string]string{old: "has cosigned 20 entries, and this database holds 10: it is an old copy", other: "has cosigned another tree of 20 entries"} {
		n := start(t, p, path, func(c *Config) { c.Policy, c.Reconcile = pol, true })
		size := n.log.Size()
		wantError(t, n.log.Reconcile(within(t)), corridor.Conflict, want)
		wantError(t, n.log.Reconciled(within(t)), corridor.Conflict, "start a new log under a new origin")
		err := n.db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := n.log.Append(t.Context(), tx, corridor.Receipt{Type: "x"}, n.person)
			return err
		})
		wantError(t, err, corridor.Conflict, "w0")
		if _, err := n.log.COSE(t.Context(), 1); corridor.KindOf(err) != corridor.Conflict {
			t.Errorf("a COSE receipt is signed: %v", err)
		}
		if n.log.Size() != size {
			t.Error("it has grown")
		}
		if _, err := n.log.Proof(t.Context(), 3); err != nil {
			t.Error("what is there can be read:", err)
		}
	}
}
