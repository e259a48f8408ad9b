package ledger

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"github.com/transparency-dev/witness/persistence/inmemory"
	public "github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"

	"corridor"
	own "corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/verify"
)

// TestAPublicWitnessCosignsOurLog: transparency-dev/witness, the code of the
// public witness network, takes our checkpoints and consistency proofs, and
// our policy takes its cosignatures.
func TestAPublicWitnessCosignsOurLog(t *testing.T) {
	w := begin(t)
	private, vkey, err := note.GenerateKey(rand.Reader, "public-witness.example")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := fnote.NewSignerForCosignatureV1(private)
	if err != nil {
		t.Fatal(err)
	}
	cosigner, err := fnote.VKeyToCosignatureV1(vkey)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := public.New(t.Context(), public.Opts{Persistence: inmemory.New(), Signers: []note.Signer{signer},
		VerifierForLog: func(_ context.Context, origin string) (note.Verifier, bool, error) {
			return w.me.Verifier, origin == w.me.Verifier.Name(), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", public.NewHTTPHandler(theirs).AddCheckpoint)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	policy := fmt.Appendf(nil, "log %s\nwitness public %s %s\nquorum public\n", w.vkey, cosigner, srv.URL)

	db := open(t, own.Migrations)
	log, err := own.Open(t.Context(), db, own.Config{Origin: origin, Signer: w.me.author, VKey: w.vkey, Issuer: did, Policy: policy, Reconcile: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Reconcile(t.Context()); err != nil { // it serves no monitors: found by submission
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- log.RunWitnesses(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	parsed, err := verify.ParsePolicy(policy)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 255, 300} {
		err := db.Write(t.Context(), func(tx *store.Tx) error {
			for range n {
				if _, err := log.Append(t.Context(), tx, corridor.Receipt{Type: corridor.ReceiptAdmin}, w.me); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		wait, stop := context.WithTimeout(t.Context(), 30*time.Second)
		if err := log.WaitCosigned(wait, log.Size()-1); err != nil {
			t.Fatal(err)
		}
		stop()
		signed, err := log.PublicCheckpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, noted, err := verify.OpenCheckpoint(signed, w.me.Verifier, parsed.Verifiers()...)
		if err != nil || c.Size != log.Size() || !parsed.Satisfied(parsed.Cosigners(noted.Sigs)) {
			t.Errorf("%v\n%s", err, signed)
		}
	}
}

// TestOurWitnessCosignsATesseraLog: tessera submits to our witness and
// publishes only what it has cosigned; its own reader of policies takes our
// witness's key and address.
func TestOurWitnessCosignsATesseraLog(t *testing.T) {
	private, vkey, err := note.GenerateKey(rand.Reader, "tessera.example/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	witness, err := own.NewWitness(open(t, own.WitnessMigrations), own.WitnessConfig{Name: "witness.example.uz", Keys: []crypto.Signer{key}, Logs: []string{vkey}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(witness.Handler())
	t.Cleanup(srv.Close)
	group, err := tessera.NewWitnessGroupFromPolicy(fmt.Appendf(nil, "log %s\nwitness uz %s %s\nquorum uz\n", vkey, witness.VKeys()[0], srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	driver, err := posix.New(t.Context(), posix.Config{Path: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	appender, shutdown, reader, err := tessera.NewAppender(t.Context(), driver, tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithBatching(256, 10*time.Millisecond).WithCheckpointInterval(100*time.Millisecond).WithWitnesses(group, nil))
	if err != nil {
		t.Fatal(err)
	}
	cosigned, err := verify.WitnessVerifier(witness.VKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 20*time.Millisecond)
	for i := range 5 {
		_, signed, err := awaiter.Await(ctx, appender.Add(ctx, tessera.NewEntry(fmt.Appendf(nil, "entry %d", i))))
		if err != nil {
			t.Fatal(err)
		}
		c, noted, err := verify.OpenCheckpoint(signed, verifier, cosigned)
		if err != nil || len(noted.Sigs) != 2 || c.Size < int64(i) {
			t.Fatalf("%v\n%s", err, signed)
		}
		kept, err := http.Get(srv.URL + "/" + verify.OriginID("tessera.example/log") + "/checkpoint")
		if err != nil {
			t.Fatal(err)
		}
		var told bytes.Buffer
		_, err = told.ReadFrom(kept.Body)
		kept.Body.Close()
		if err != nil || !strings.HasPrefix(told.String(), "tessera.example/log\n") {
			t.Errorf("%v %s", err, told.String())
		}
	}
	if err := shutdown(ctx); err != nil {
		t.Error(err)
	}
}
