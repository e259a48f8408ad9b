package ledger

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/note"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

func postQuantum(name string) *mldsa.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed[:])
	if err != nil {
		panic(err)
	}
	return key
}

// witnessWith is a witness with the given keys.
func witnessWith(t testing.TB, name string, logs []string, keys ...crypto.Signer) *wit {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "witness.db"), WitnessMigrations...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w, err := NewWitness(db, WitnessConfig{Name: name, Keys: keys, Logs: logs})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(w.Handler())
	t.Cleanup(srv.Close)
	return &wit{w, db, srv}
}

// TestALogIsCosignedWithMLDSA: witnesses with keys of either type, and one
// with both, whose keys a policy may demand each for itself. What a restarted
// node knows is the same.
func TestALogIsCosignedWithMLDSA(t *testing.T) {
	p := newPerson("kz.example")
	logs := []string{p.vkey()}
	pq := witnessWith(t, "pq.example", logs, postQuantum("pq"))
	both := witnessWith(t, "both.example", logs, newPerson("both").key, postQuantum("both"))
	old := witnessWith(t, "old.example", logs, newPerson("old").key)
	var pol []byte
	for _, w := range []struct {
		name string
		*wit
		key int
	}{{"pq", pq, 0}, {"both-ed", both, 0}, {"both-pq", both, 1}, {"old", old, 0}} {
		pol = fmt.Appendf(pol, "witness %s %s %s\n", w.name, w.VKeys()[w.key], w.srv.URL)
	}
	pol = append(pol, "group all all pq both-ed both-pq old\nquorum all\n"...)
	path := temp(t)
	n := start(t, p, path, func(c *Config) { c.Policy, c.Reconcile = pol, true })
	if err := n.log.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := n.runWitnesses(t)
	began := time.Now().Truncate(time.Second)
	for _, count := range []int{1, 300} {
		n.many(t, count)
		if err := n.log.WaitCosigned(within(t), n.log.Size()-1); err != nil {
			t.Fatal(err)
		}
		checkCosigned(t, n, 0, pol)
		checkCosigned(t, n, n.log.Size()-1, pol)
	}
	if at := n.log.CosignedAt(); at.Before(began) || at.After(time.Now()) {
		t.Errorf("cosigned at %s, begun at %s", at, began)
	}
	stop()
	n.db.Close()
	n = start(t, p, path, func(c *Config) { c.Policy = pol })
	if at := n.log.CosignedAt(); !at.IsZero() { // of an earlier life: it says nothing of now
		t.Errorf("no witness has said that it is %s", at)
	}
	if err := n.log.WaitCosigned(t.Context(), 300); err != nil {
		t.Error(err)
	}
	if c := checkCosigned(t, n, 300, pol); c.Size != 301 {
		t.Error(c.Size)
	}
}

// TestAWitnessWithTwoKeysAnswersWithBothLines and shows both to monitors.
func TestAWitnessWithTwoKeysAnswersWithBothLines(t *testing.T) {
	p := newPerson("kz.example")
	w := witnessWith(t, "kz.example/log", []string{p.vkey()}, newPerson("w").key, postQuantum("w")) // named as the log is
	h := (&history{person: p}).grow(20, "entry")
	var known []note.Verifier
	for _, vkey := range w.VKeys() {
		v, err := verify.WitnessVerifier(vkey)
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, v)
	}
	log, err := verify.LogVerifier(p.vkey())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range [][2]int64{{0, 7}, {7, 7}, {7, 20}} {
		lines, err := w.Add(t.Context(), []byte(h.request(t, step[0], step[1])))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(lines, []byte("\n")) != 2 {
			t.Errorf("%q", lines)
		}
		if _, n, err := verify.OpenCheckpoint([]byte(h.checkpoint(t, step[1])+string(lines)), log, known...); err != nil || len(n.Sigs) != 3 {
			t.Error(step, err)
		}
	}
	if _, err := w.Add(t.Context(), []byte(h.request(t, 7, 20))); err == nil || !strings.Contains(err.Error(), "old size") {
		t.Error("an old size was taken:", err)
	}
	resp, err := http.Get(w.srv.URL + "/" + verify.OriginID(p.origin) + "/checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	shown, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	c, n, err := verify.OpenCheckpoint(shown, log, known...)
	if err != nil || c.Size != 20 || len(n.Sigs) != 3 {
		t.Fatal(err, string(shown))
	}
	for _, s := range n.Sigs[1:] {
		if at, err := verify.CosignatureTime(s); err != nil || time.Since(at) > time.Hour {
			t.Error(at, err)
		}
	}
}

// TestAnswersThatAreNoMLDSACosignatureAreNotKept: what a witness, or somebody
// between, may send instead of the cosignature asked for.
func TestAnswersThatAreNoMLDSACosignatureAreNotKept(t *testing.T) {
	p := newPerson("kz.example")
	h := (&history{person: p}).grow(20, "entry")
	at := func(size int64) head {
		text, _, _ := strings.Cut(h.checkpoint(t, size), "\n\n")
		c, err := verify.ParseCheckpoint(text + "\n")
		if err != nil {
			t.Fatal(err)
		}
		return head{checkpoint: c}
	}
	line := func(name string, key crypto.Signer, c verify.Checkpoint, unix int64) string {
		vkey, _ := witnessVKey(name, key)
		v, err := verify.WitnessVerifier(vkey)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := note.Sign(&note.Note{Text: c.String()}, &cosigner{Verifier: v, key: key, now: func() time.Time { return time.Unix(unix, 0) }})
		if err != nil {
			t.Fatal(err)
		}
		return string(lastLines(signed, 1))
	}
	key, target := postQuantum("w"), at(20)
	vkey, _ := witnessVKey("w.example", key)
	parsed, err := verify.ParsePolicy([]byte("witness w " + vkey + "\nquorum w\n"))
	if err != nil {
		t.Fatal(err)
	}
	good := line("w.example", key, target.checkpoint, 1_795_500_000)
	stranger := target.checkpoint
	stranger.Origin = "uz.example/log"
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"the cosignature":             {good, true},
		"behind one of another key":   {line("w.example", newPerson("w").key, target.checkpoint, 1) + good, true},
		"nothing":                     {"", false},
		"an Ed25519 one":              {line("w.example", newPerson("w").key, target.checkpoint, 1), false},
		"another key's":               {line("w.example", postQuantum("x"), target.checkpoint, 1), false},
		"another witness's":           {line("x.example", key, target.checkpoint, 1), false},
		"of the tree before":          {line("w.example", key, at(19).checkpoint, 1), false},
		"of another log":              {line("w.example", key, stranger, 1), false},
		"without a time":              {line("w.example", key, target.checkpoint, 0), false},
		"cut":                         {good[:len(good)-5] + "\n", false},
		"of the right size and false": {strings.Replace(good, good[200:204], "AAAA", 1), false},
	} {
		got, _, err := cosignature(parsed.Witnesses[0], target, []byte(c.body))
		if (err == nil) != c.ok || c.ok && got != good {
			t.Errorf("%s: %.60q %v", name, got, err)
		}
	}
}

// TestAPolicyMustFitIntoACheckpoint: 38 cosignatures of ML-DSA-44 do.
func TestAPolicyMustFitIntoACheckpoint(t *testing.T) {
	p := newPerson("kz.example")
	write := func(n int, url string) []byte {
		var b bytes.Buffer
		for i := range n {
			vkey, _ := witnessVKey(fmt.Sprintf("w%d.example", i), postQuantum(fmt.Sprint(i)))
			fmt.Fprintf(&b, "witness w%d %s %s\n", i, vkey, url)
		}
		return append(b.Bytes(), "quorum w0\n"...)
	}
	for _, c := range []struct {
		n   int
		url string
		ok  bool
	}{{38, "http://127.0.0.1:1", true}, {50, "http://127.0.0.1:1", false}, {50, "", true}} {
		db, err := store.Open(t.Context(), temp(t), Migrations...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		cfg := p.config(t)
		cfg.Policy = write(c.n, c.url)
		_, err = Open(t.Context(), db, cfg)
		if (err == nil) != c.ok || !c.ok && (corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), "longer than a checkpoint")) {
			t.Errorf("%d witnesses at %q: %v", c.n, c.url, err)
		}
	}
}
