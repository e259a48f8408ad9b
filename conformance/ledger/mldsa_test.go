package ledger

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/witness/persistence/inmemory"
	public "github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"

	"corridor"
	own "corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/verify"
)

// TestAPublicWitnessCosignsOurLogWithMLDSA: the same with an ML-DSA-44 key of
// transparency-dev/formats: our policy takes its vkey and its cosignatures.
func TestAPublicWitnessCosignsOurLogWithMLDSA(t *testing.T) {
	w := begin(t)
	private, vkey, err := fnote.GenerateMLDSAKey("public-witness.example")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := fnote.NewSignerForCosignatureV1(private)
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
	policy := fmt.Appendf(nil, "log %s\nwitness public %s %s\nquorum public\n", w.vkey, vkey, srv.URL)
	db := open(t, own.Migrations)
	log, err := own.Open(t.Context(), db, own.Config{Origin: origin, Signer: w.me.author, VKey: w.vkey, Issuer: did, Policy: policy})
	if err != nil {
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
	for _, n := range []int{1, 300} {
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

// TestThePublicFormatsTakeOurMLDSACosignatures: key file, vkey and cosignature
// of our witness are those of transparency-dev/formats, which refuses what we
// refuse.
func TestThePublicFormatsTakeOurMLDSACosignatures(t *testing.T) {
	w := begin(t)
	dir := t.TempDir()
	const name = "witness.example.uz"
	_, keys, err := own.WitnessKeys(dir, name, verify.MLDSA44)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "witness-mldsa44.key"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := fnote.NewMLDSASigner(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	witness, err := own.NewWitness(open(t, own.WitnessMigrations), own.WitnessConfig{Name: name, Keys: keys, Logs: []string{w.vkey}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := fnote.NewMLDSAVerifier(witness.VKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	our, err := verify.WitnessVerifier(witness.VKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	if v.KeyHash() != our.KeyHash() || theirs.KeyHash() != our.KeyHash() || v.Name() != our.Name() {
		t.Error("another key id")
	}
	w.grow(t, 20)
	signed := w.log.Checkpoint()
	lines, err := witness.Add(t.Context(), append([]byte("old 0\n\n"), signed...))
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(signed), "\n\n")
	text += "\n"
	opened, err := note.Open([]byte(text+"\n"+string(lines)), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := base64.StdEncoding.DecodeString(opened.Sigs[0].Base64)
	if err != nil {
		t.Fatal(err)
	}
	made, err := theirs.Sign([]byte(text))
	if err != nil || !our.Verify([]byte(text), made) {
		t.Error("our verifier does not take what their signer makes of our key", err)
	}
	sig = sig[4:]
	for name, c := range map[string]struct {
		text string
		sig  []byte
		want bool
	}{
		"ours": {text, sig, true}, "with an extension": {text + "more\n", sig, true}, "another log": {"x" + text, sig, false}, "cut": {text, sig[:2000], false},
		"another size": {strings.Replace(text, "\n20\n", "\n19\n", 1), sig, false}, "another time": {text, append(make([]byte, 8), sig[8:]...), false},
	} {
		if a, b := v.Verify([]byte(c.text), c.sig), our.Verify([]byte(c.text), c.sig); a != b || a != c.want {
			t.Errorf("%s: theirs %v, ours %v", name, a, b)
		}
	}
}
