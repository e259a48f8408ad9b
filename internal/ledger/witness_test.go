package ledger

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// wit is a running witness.
type wit struct {
	*Witness
	db  *store.DB
	srv *httptest.Server
}

func witness(t testing.TB, name string, wrap func(http.Handler) http.Handler, vkeys ...string) *wit {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "witness.db"), WitnessMigrations...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w, err := NewWitness(db, WitnessConfig{Name: name, Keys: []crypto.Signer{newPerson(name).key}, Logs: vkeys})
	if err != nil {
		t.Fatal(err)
	}
	h := w.Handler()
	if wrap != nil {
		h = wrap(h)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &wit{w, db, srv}
}

// policy writes a policy over the witnesses; the quorum is its last line.
func policy(quorum string, ws ...*wit) []byte {
	var b bytes.Buffer
	for i, w := range ws {
		fmt.Fprintf(&b, "witness w%d %s %s\n", i, w.VKeys()[0], w.srv.URL)
	}
	b.WriteString(quorum + "\n")
	return b.Bytes()
}

func (n *node) runWitnesses(t testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.log.RunWitnesses(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// checkCosigned verifies a proof by the policy alone, as a stranger would.
func checkCosigned(t testing.TB, n *node, index int64, pol []byte) verify.Checkpoint {
	t.Helper()
	text, err := n.log.Proof(context.Background(), index)
	if err != nil {
		t.Fatal(err)
	}
	p, err := verify.ParseProof(text)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := verify.ParsePolicy(pol)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := verify.LogVerifier(n.vkey())
	c, signed, err := verify.OpenCheckpoint(p.Checkpoint, v, parsed.Verifiers()...)
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := n.log.Receipt(context.Background(), index)
	if err := p.CheckInclusion(c, tlog.RecordHash(entry)); err != nil {
		t.Fatal(err)
	}
	if names := parsed.Cosigners(signed.Sigs); !parsed.Satisfied(names) {
		t.Errorf("entry %d: cosigned by %v only", index, names)
	}
	return c
}

func TestReceiptsGetCosignedByTheQuorum(t *testing.T) {
	p := newPerson("kz.example")
	var list []*wit
	for i := range 3 {
		list = append(list, witness(t, fmt.Sprintf("w%d.example", i), nil, p.vkey()))
	}
	pol := policy("group third 2 w0 w1 w2\nquorum third", list...)
	path := temp(t)
	n := start(t, p, path, func(c *Config) { c.Policy = pol })
	stop := n.runWitnesses(t)
	for i := range int64(5) {
		n.append(t, corridor.Receipt{})
		if err := n.log.WaitCosigned(within(t), i); err != nil {
			t.Fatal(err)
		}
		checkCosigned(t, n, i, pol)
	}
	n.many(t, 500)
	if err := n.log.WaitCosigned(within(t), 504); err != nil {
		t.Fatal(err)
	}
	checkCosigned(t, n, 3, pol)
	checkCosigned(t, n, 504, pol)
	stop()
	if err := n.log.WaitCosigned(t.Context(), 504); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, n.log.WaitCosigned(ctx, 505), corridor.Unavailable, "not yet cosigned")

	// What was cosigned stays known after a restart, without the witnesses.
	n.db.Close()
	n = start(t, p, path, func(c *Config) { c.Policy = pol })
	if err := n.log.WaitCosigned(t.Context(), 504); err != nil {
		t.Error(err)
	}
	n.many(t, 1) // not yet cosigned: older entries keep the older, better checkpoint
	if c := checkCosigned(t, n, 3, pol); c.Size != 505 {
		t.Error(c.Size)
	}
	pub, err := n.log.PublicCheckpoint(t.Context())
	if err != nil || !bytes.Equal(pub, n.log.Checkpoint()) {
		t.Error(err)
	}
	// Monitors find the witnesses' view: two of three are the quorum, and the
	// third may be slow.
	seen := 0
	for _, w := range list {
		if viewed(t, w, p) >= 505 {
			seen++
		}
	}
	if seen < 2 {
		t.Errorf("%d witnesses show the whole log", seen)
	}
}

// viewed is the size of the log that a witness shows, checked; 0 if it has
// seen none.
func viewed(t *testing.T, w *wit, p *person) int64 {
	t.Helper()
	resp, err := http.Get(w.srv.URL + "/" + verify.OriginID(p.origin) + "/checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusNotFound {
		return 0
	}
	wv, err := verify.WitnessVerifier(w.VKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	lv, err := verify.LogVerifier(p.vkey())
	if err != nil {
		t.Fatal(err)
	}
	c, signed, err := verify.OpenCheckpoint(body, lv, wv)
	if err != nil || len(signed.Sigs) != 2 {
		t.Fatal(err, string(body))
	}
	if at, err := verify.CosignatureTime(signed.Sigs[1]); err != nil || time.Since(at) > time.Hour {
		t.Error(at, err)
	}
	return c.Size
}

func TestADeadOrDishonestWitnessDoesNotHoldUpTheOthers(t *testing.T) {
	p := newPerson("kz.example")
	good := witness(t, "good.example", nil, p.vkey())
	var asked atomic.Int64
	dead := witness(t, "dead.example", func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); http.Error(w, "no", 500) })
	}, p.vkey())
	liar := witness(t, "liar.example", func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "— liar.example AAAAAAAA\n") })
	}, p.vkey())
	gone := witness(t, "gone.example", nil, p.vkey())
	gone.srv.Close()
	pol := policy("group any any w0 w1 w2 w3\nquorum any", good, dead, liar, gone)
	n := start(t, p, temp(t), func(c *Config) { c.Policy = pol })
	n.runWitnesses(t)
	for i := range int64(20) {
		n.append(t, corridor.Receipt{})
		if err := n.log.WaitCosigned(within(t), i); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() > 5 {
		t.Errorf("a failing witness was asked %d times without a pause", asked.Load())
	}
	if n.log.Stopped() != nil {
		t.Error(n.log.Stopped())
	}
}

func TestAWitnessThatComesBackCatchesUp(t *testing.T) {
	p := newPerson("kz.example")
	var down atomic.Bool
	down.Store(true)
	w := witness(t, "w.example", func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if down.Load() {
				http.Error(rw, "down", http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(rw, r)
		})
	}, p.vkey())
	pol := policy("quorum w0", w)
	n := start(t, p, temp(t), func(c *Config) { c.Policy = pol })
	n.runWitnesses(t)
	n.many(t, 300)
	down.Store(false)
	if err := n.log.WaitCosigned(within(t), 299); err != nil {
		t.Fatal(err)
	}
	checkCosigned(t, n, 299, pol)
}

func TestALostAnswerOfAWitnessIsMadeUp(t *testing.T) {
	p := newPerson("kz.example")
	var cut atomic.Bool
	w := witness(t, "w.example", func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if cut.CompareAndSwap(true, false) {
				h.ServeHTTP(httptest.NewRecorder(), r) // cosigned, but nobody hears of it
				http.Error(rw, "proxy timeout", http.StatusGatewayTimeout)
				return
			}
			h.ServeHTTP(rw, r)
		})
	}, p.vkey())
	pol := policy("quorum w0", w)
	n := start(t, p, temp(t), func(c *Config) { c.Policy = pol })
	n.runWitnesses(t)
	n.append(t, corridor.Receipt{})
	if err := n.log.WaitCosigned(within(t), 0); err != nil {
		t.Fatal(err)
	}
	cut.Store(true)
	n.append(t, corridor.Receipt{})
	n.append(t, corridor.Receipt{})
	if err := n.log.WaitCosigned(within(t), 2); err != nil {
		t.Fatal(err)
	}
	checkCosigned(t, n, 2, pol)
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestARestoredBackupRefusesToSign is promise 4: the log cannot fork quietly.
func TestARestoredBackupRefusesToSign(t *testing.T) {
	p := newPerson("kz.example")
	w := witness(t, "w.example", nil, p.vkey())
	pol := policy("quorum w0", w)
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "node.db"), filepath.Join(dir, "backup.db")
	use := func(c *Config) { c.Policy = pol }
	n := start(t, p, path, use)
	n.many(t, 10)
	n.db.Close()
	copyFile(t, path, backup)
	n = start(t, p, path, use)
	stop := n.runWitnesses(t)
	n.many(t, 10)
	if err := n.log.WaitCosigned(within(t), 19); err != nil {
		t.Fatal(err)
	}
	stop()
	n.db.Close()

	for name, grown := range map[string]int{"older": 0, "older and grown differently": 20, "empty": -1} {
		t.Run(name, func(t *testing.T) {
			old := filepath.Join(t.TempDir(), "old.db")
			if grown >= 0 {
				copyFile(t, backup, old)
			}
			n := start(t, p, old, use)
			if grown > 0 {
				n.many(t, grown)
			}
			stop := n.runWitnesses(t)
			err := n.log.WaitCosigned(within(t), n.log.Size()+100)
			wantError(t, err, corridor.Conflict, "must not be signed any more")
			stop()
			refused := func(n *node) {
				t.Helper()
				err := n.db.Write(t.Context(), func(tx *store.Tx) error {
					_, err := n.log.Append(t.Context(), tx, corridor.Receipt{Type: "x"}, n.person)
					return err
				})
				wantError(t, err, corridor.Conflict, "w0")
			}
			refused(n)
			// The refusal outlives a restart, and holds the proof of it.
			n.db.Close()
			n = start(t, p, old, use)
			refused(n)
			var evidence []byte
			if err := n.db.Read(t.Context(), func(tx *store.Tx) error {
				return tx.QueryRow(t.Context(), `SELECT evidence FROM ledger_witnesses`).Scan(&evidence)
			}); err != nil {
				t.Fatal(err)
			}
			v, _ := verify.LogVerifier(p.vkey())
			if c, _, err := verify.OpenCheckpoint(evidence, v); err != nil || c.Size != 20 {
				t.Errorf("evidence: %v %v", c, err)
			}
			// Whoever runs the node may decide that the witness is wrong.
			n.db.Close()
			n = start(t, p, old)
			n.append(t, corridor.Receipt{})
		})
	}
}

func TestWitnessesAreAskedByOneRunAtATime(t *testing.T) {
	p := newPerson("kz.example")
	w := witness(t, "w.example", nil, p.vkey())
	n := start(t, p, temp(t), func(c *Config) { c.Policy = policy("quorum w0", w) })
	n.runWitnesses(t)
	n.append(t, corridor.Receipt{})
	if err := n.log.WaitCosigned(within(t), 0); err != nil {
		t.Fatal(err)
	}
	wantError(t, n.log.RunWitnesses(t.Context()), corridor.Conflict, "already")
	alone := start(t, newPerson("uz.example"), temp(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := alone.log.RunWitnesses(ctx); err != nil {
		t.Error(err)
	}
	alone.append(t, corridor.Receipt{})
	if err := alone.log.WaitCosigned(t.Context(), 0); err != nil {
		t.Error("no witness, no wait:", err)
	}
}

// history is a log outside any database, for talking to a witness by hand.
type history struct {
	*person
	stored []tlog.Hash
	size   int64
}

func (h *history) grow(n int, text string) *history {
	for range n {
		hs, err := tlog.StoredHashes(h.size, fmt.Appendf(nil, "%s %d", text, h.size), h)
		if err != nil {
			panic(err)
		}
		h.stored = append(h.stored, hs...)
		h.size++
	}
	return h
}

func (h *history) ReadHashes(idx []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(idx))
	for i, j := range idx {
		out[i] = h.stored[j]
	}
	return out, nil
}

func (h *history) checkpoint(t testing.TB, size int64) string {
	root, err := tlog.TreeHash(size, h)
	if err != nil {
		t.Fatal(err)
	}
	return h.sign(t, verify.Checkpoint{Origin: h.origin, Size: size, Root: root}.String())
}

func (h *history) sign(t testing.TB, text string) string {
	v, _ := verify.LogVerifier(h.vkey())
	signed, err := note.Sign(&note.Note{Text: text}, noteSigner{v, h.logKey})
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func (h *history) request(t testing.TB, old, size int64) string {
	b := fmt.Sprintf("old %d\n", old)
	if old > 0 && old < size {
		proof, err := tlog.ProveTree(size, old, h)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range proof {
			b += p.String() + "\n"
		}
	}
	return b + "\n" + h.checkpoint(t, size)
}

// TestTheWitnessAnswersAsSpecified walks through C2SP tlog-witness.
func TestTheWitnessAnswersAsSpecified(t *testing.T) {
	p := newPerson("kz.example")
	w := witness(t, "w.example", nil, p.vkey())
	h := (&history{person: p}).grow(40, "entry")
	fork := (&history{person: p}).grow(10, "entry")
	fork.grow(30, "other")
	stranger := (&history{person: newPerson("stranger.example")}).grow(3, "x")
	imposter := (&history{person: newPerson("imposter.example")}).grow(40, "entry")
	imposter.person.origin = p.origin
	empty := &history{person: p}

	steps := []struct {
		name, body string
		status     int
		size       string
	}{
		{"nothing", "", 400, ""},
		{"no old line", "new 0\n\n" + h.checkpoint(t, 5), 400, ""},
		{"a leading zero", "old 00\n\n" + h.checkpoint(t, 5), 400, ""},
		{"a negative size", "old -1\n\n" + h.checkpoint(t, 5), 400, ""},
		{"a proof that is no hash", "old 0\nabc\n\n" + h.checkpoint(t, 5), 400, ""},
		{"64 proof lines", "old 1\n" + strings.Repeat(h.stored[0].String()+"\n", 64) + "\n" + h.checkpoint(t, 5), 400, ""},
		{"no checkpoint", "old 0\n\nhello\n", 400, ""},
		{"no signature", "old 0\n\n" + p.origin + "\n5\n" + h.stored[0].String() + "\n\n", 400, ""},
		{"a broken signature line", "old 0\n\n" + p.origin + "\n5\n" + h.stored[0].String() + "\n\nsigned: me\n", 400, ""},
		{"a checkpoint with one line", "old 0\n\n" + h.sign(t, p.origin+"\n"), 400, ""},
		{"too long", "old 0\n\n" + strings.Repeat("x", maxSubmission), 400, ""},
		{"an unknown log", stranger.request(t, 0, 3), 404, ""},
		{"an unknown key", imposter.request(t, 0, 5), 403, ""},
		{"old beyond new", "old 6\n\n" + h.checkpoint(t, 5), 400, ""},
		{"old that we never had", h.request(t, 3, 5), 409, "0\n"},
		{"an empty tree with a root", "old 0\n\n" + h.sign(t, verify.Checkpoint{Origin: p.origin}.String()), 422, ""},
		{"an empty tree", "old 0\n\n" + empty.checkpoint(t, 0), 200, ""},
		{"a proof where none belongs", "old 0\n" + h.stored[0].String() + "\n\n" + h.checkpoint(t, 5), 422, ""},
		{"the first", h.request(t, 0, 20), 200, ""},
		{"the same again", h.request(t, 20, 20), 200, ""},
		{"a proof for the same", "old 20\n" + h.stored[0].String() + "\n\n" + h.checkpoint(t, 20), 422, ""},
		{"another tree of that size", "old 20\n\n" + fork.checkpoint(t, 20), 422, ""},
		{"a fork that is larger", fork.request(t, 20, 40), 422, ""},
		{"no proof", "old 20\n\n" + h.checkpoint(t, 30), 422, ""},
		{"from the beginning", h.request(t, 0, 30), 409, "20\n"},
		{"going back", h.request(t, 10, 15), 409, "20\n"},
		{"going on", h.request(t, 20, 33), 200, ""},
		{"from where it was", h.request(t, 20, 40), 409, "33\n"},
		{"to the end", h.request(t, 33, 40), 200, ""},
	}
	wv, _ := verify.WitnessVerifier(w.VKeys()[0])
	for _, s := range steps {
		resp, err := http.Post(w.srv.URL+"/add-checkpoint", "text/plain", strings.NewReader(s.body))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != s.status {
			t.Errorf("%s: %d %s, want %d", s.name, resp.StatusCode, body, s.status)
			continue
		}
		switch s.status {
		case 409:
			if resp.Header.Get("Content-Type") != "text/x.tlog.size" || string(body) != s.size {
				t.Errorf("%s: %q %q, want %q", s.name, resp.Header.Get("Content-Type"), body, s.size)
			}
		case 200:
			_, cp, _ := strings.Cut(s.body, "\n\n")
			n, err := note.Open([]byte(cp+string(body)), note.VerifierList(wv))
			if err != nil || len(n.Sigs) != 1 {
				t.Errorf("%s: %v", s.name, err)
			}
		}
	}
	for path, want := range map[string]int{"/" + verify.OriginID(p.origin) + "/checkpoint": 200, "/" + verify.OriginID("x") + "/checkpoint": 404, "/checkpoint": 404} {
		resp, err := http.Get(w.srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	if resp, err := http.Get(w.srv.URL + "/add-checkpoint"); err != nil || resp.StatusCode != 405 {
		t.Error("add-checkpoint by GET", resp.StatusCode, err)
	}
	w.db.Close()
	for _, r := range []*http.Request{httptest.NewRequest("POST", "/add-checkpoint", strings.NewReader(h.request(t, 40, 40))), httptest.NewRequest("GET", "/"+verify.OriginID(p.origin)+"/checkpoint", nil)} {
		rw := httptest.NewRecorder()
		w.Handler().ServeHTTP(rw, r)
		if rw.Code != 503 {
			t.Error(r.URL, rw.Code)
		}
	}
}

func TestAWitnessNeverSignsTwoHistoriesEvenInARace(t *testing.T) {
	p := newPerson("kz.example")
	w := witness(t, "w.example", nil, p.vkey())
	common := (&history{person: p}).grow(10, "entry")
	if _, err := w.Add(t.Context(), []byte(common.request(t, 0, 10))); err != nil {
		t.Fatal(err)
	}
	var wins atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		fork := (&history{person: p}).grow(10, "entry")
		fork.grow(5, fmt.Sprint("fork ", i))
		req := []byte(fork.request(t, 10, 15))
		wg.Go(func() {
			if _, err := w.Add(context.Background(), req); err == nil {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d histories were cosigned", wins.Load())
	}
}

func TestAWitnessNeedsAKeyANameAndRealLogs(t *testing.T) {
	key := newPerson("w").key
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mldsa65, err := mldsa.GenerateKey(mldsa.MLDSA65())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]WitnessConfig{
		"no key":       {Name: "w.example"},
		"a P-256 key":  {Name: "w.example", Keys: []crypto.Signer{p256}},
		"ML-DSA-65":    {Name: "w.example", Keys: []crypto.Signer{mldsa65}},
		"a long name":  {Name: strings.Repeat("w", 256), Keys: []crypto.Signer{postQuantum("w")}},
		"a long log":   {Name: "w.example", Keys: []crypto.Signer{postQuantum("w")}, Logs: []string{verify.LogVKey(strings.Repeat("l", 256), key.Public().(ed25519.PublicKey))}},
		"a short key":  {Name: "w.example", Keys: []crypto.Signer{key[:5]}},
		"no name":      {Keys: []crypto.Signer{key}},
		"a bad name":   {Name: "w example", Keys: []crypto.Signer{key}},
		"a bad log":    {Name: "w.example", Keys: []crypto.Signer{key}, Logs: []string{"x"}},
		"a witness as": {Name: "w.example", Keys: []crypto.Signer{key}, Logs: []string{verify.WitnessVKey("x", key.Public().(ed25519.PublicKey))}},
	} {
		if _, err := NewWitness(nil, c); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALogWithTwoKeysIsCosignedForEither(t *testing.T) {
	a, b := newPerson("kz.example"), newPerson("new.kz.example")
	b.origin = a.origin
	w := witness(t, "w.example", nil, a.vkey(), b.vkey())
	h := (&history{person: b}).grow(3, "x")
	if _, err := w.Add(t.Context(), []byte(h.request(t, 0, 3))); err != nil {
		t.Error(err)
	}
}

func FuzzSubmission(f *testing.F) {
	h := (&history{person: newPerson("kz.example")}).grow(9, "x")
	f.Add([]byte(h.request(f, 0, 5)))
	f.Add([]byte(h.request(f, 3, 9)))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := parseSubmission(body)
		if err != nil {
			return
		}
		again := fmt.Appendf(nil, "old %d\n", s.old)
		for _, p := range s.proof {
			again = append(again, p.String()+"\n"...)
		}
		again = append(append(again, '\n'), s.signed...)
		if !bytes.Equal(again, body) {
			t.Fatalf("%q was read as %q", body, again)
		}
	})
}
