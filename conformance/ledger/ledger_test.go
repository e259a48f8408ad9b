// Package ledger holds a log of this program against the tools of other
// people, which were written from the same specifications: tessera's fsck
// derives the whole log again from what it serves, and torchwood verifies its
// proofs, policies and cosignatures. It is a module of its own, so that
// neither becomes a dependency of the gateway.
package ledger

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	own "corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/verify"
)

const (
	origin = "gw.example.kz/log"
	did    = "did:web:gw.example.kz"
)

type author struct {
	note.Verifier
	key ed25519.PrivateKey
}

func (a author) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(a.key, msg), nil }

type signer struct{ author }

func (signer) Suite() string { return verify.Ed25519 }
func (signer) KeyID() string { return did + "#key" }
func (s signer) Sign(_ context.Context, msg []byte) ([]byte, error) {
	return s.author.Sign(msg)
}

// world is a log with a witness, served over HTTP.
type world struct {
	db     *store.DB
	log    *own.Log
	me     signer
	vkey   string
	policy []byte
	url    string
}

func begin(t *testing.T) *world {
	t.Helper()
	w := &world{}
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.vkey = verify.LogVKey(origin, public)
	v, err := note.NewVerifier(w.vkey)
	if err != nil {
		t.Fatal(err)
	}
	w.me = signer{author{v, key}}

	wdb := open(t, own.WitnessMigrations)
	_, wkey, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	witness, err := own.NewWitness(wdb, own.WitnessConfig{Name: "witness.example.uz", Keys: []crypto.Signer{wkey}, Logs: []string{w.vkey}})
	if err != nil {
		t.Fatal(err)
	}
	wsrv := httptest.NewServer(witness.Handler())
	t.Cleanup(wsrv.Close)
	w.policy = fmt.Appendf(nil, "log %s\nwitness uz %s %s\ngroup thirds all uz\nquorum thirds\n", w.vkey, witness.VKeys()[0], wsrv.URL)

	w.db = open(t, own.Migrations)
	w.log, err = own.Open(t.Context(), w.db, own.Config{Origin: origin, Signer: w.me.author, VKey: w.vkey, Issuer: did, Policy: w.policy,
		Authorise: func(*http.Request, int64, int64) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.log.RunWitnesses(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	mux := http.NewServeMux()
	mux.Handle("/log/", http.StripPrefix("/log", w.log.Handler()))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	w.url = srv.URL + "/log/"
	return w
}

func open(t *testing.T, m []store.Migration) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), m...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func (w *world) grow(t *testing.T, n int) {
	t.Helper()
	err := w.db.Write(t.Context(), func(tx *store.Tx) error {
		for range n {
			if _, err := w.log.Append(t.Context(), tx, corridor.Receipt{Type: corridor.ReceiptAdmin}, w.me); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := w.log.WaitCosigned(ctx, w.log.Size()-1); err != nil {
		t.Fatal(err)
	}
}

func hashBundle(raw []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(raw); err != nil {
		return nil, err
	}
	out := make([][]byte, len(b.Entries))
	for i, e := range b.Entries {
		h := tlog.RecordHash(e)
		out[i] = h[:]
	}
	return out, nil
}

func TestTesseraDerivesTheSameLog(t *testing.T) {
	w := begin(t)
	root, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	fetcher, err := client.NewHTTPFetcher(root, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 254, 1, 1, 300, 500} {
		w.grow(t, n)
		if err := fsck.New(origin, w.me.Verifier, fetcher, hashBundle, fsck.Opts{N: 2}).Check(t.Context()); err != nil {
			t.Fatalf("%d entries: %v", w.log.Size(), err)
		}
	}
}

func TestTorchwoodVerifiesOurProofs(t *testing.T) {
	w := begin(t)
	policy, err := torchwood.ParsePolicy(w.policy)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 255, 44} {
		w.grow(t, n)
		for _, i := range []int64{0, w.log.Size() / 2, w.log.Size() - 1} {
			proof, err := w.log.Proof(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			entry, err := w.log.Receipt(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			if err := torchwood.VerifyProof(policy, tlog.RecordHash(entry), proof); err != nil {
				t.Errorf("entry %d of %d: %v\n%s", i, w.log.Size(), err, proof)
			}
			if torchwood.VerifyProof(policy, tlog.RecordHash([]byte("x")), proof) == nil {
				t.Error("another entry was verified")
			}
		}
	}
}
