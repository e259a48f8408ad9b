package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/verify"
)

// author writes receipts and checkpoints with one key.
type author struct {
	note.Verifier
	key ed25519.PrivateKey
}

const authorDID = "did:web:kz.example"

func (a author) Suite() string { return verify.Ed25519 }
func (a author) KeyID() string { return authorDID + "#national" }
func (a author) Sign(msg []byte) ([]byte, error) {
	return ed25519.Sign(a.key, msg), nil
}

// receiptAuthor has the signature of Sign that receipts want.
type receiptAuthor struct{ author }

func (a receiptAuthor) Sign(_ context.Context, msg []byte) ([]byte, error) { return a.author.Sign(msg) }

// mkbundle is a command of the scripts: it writes a good bundle, one with a
// flipped bit, one that was forged with care, the policy and the DID document.
func mkbundle() {
	if err := writeBundles(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func writeBundles(paths []string) error {
	dir, err := os.MkdirTemp("", "mkbundle")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	vkey := verify.LogVKey("kz.example/log", public)
	v, err := verify.LogVerifier(vkey)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, filepath.Join(dir, "node.db"), ledger.Migrations...)
	if err != nil {
		return err
	}
	defer db.Close()
	me := author{v, key}
	policy := []byte("log " + vkey + "\nquorum none\n")
	log, err := ledger.Open(ctx, db, ledger.Config{Origin: "kz.example/log", VKey: vkey, Signer: me, Issuer: authorDID, Policy: policy})
	if err != nil {
		return err
	}
	err = db.Write(ctx, func(tx *store.Tx) error {
		for _, kind := range []string{corridor.ReceiptDecision, corridor.ReceiptRefusal} {
			if _, err := log.Append(ctx, tx, corridor.Receipt{Type: kind, Negotiation: "n", Reason: "article 23"}, receiptAuthor{me}, ledger.Secret{Name: "facts", Value: []byte("{}")}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	k, err := verify.NewKey(me.KeyID(), public)
	if err != nil {
		return err
	}
	doc, err := corridor.Canonical(map[string]any{"id": authorDID, "verificationMethod": []any{map[string]any{"id": "#national", "controller": authorDID, "publicKeyJwk": k.JWK}}})
	if err != nil {
		return err
	}
	good, err := log.Export(ctx, ledger.ExportRequest{By: authorDID, Negotiation: "n", Documents: map[string][]byte{authorDID: doc}, Open: true})
	if err != nil {
		return err
	}
	flipped := bytes.Clone(good)
	flipped[bytes.Index(flipped, []byte("article 23"))+9] ^= 1
	forged, err := forge(good)
	if err != nil {
		return err
	}
	for i, content := range [][]byte{good, flipped, forged, policy, doc} {
		if err := os.WriteFile(paths[i], content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// forge changes a receipt and computes the digest anew.
func forge(good []byte) ([]byte, error) {
	f, err := verify.ReadFile(good)
	if err != nil {
		return nil, err
	}
	f.Receipts[1].Leaf = bytes.Replace(f.Receipts[1].Leaf, []byte("article 23"), []byte("article 24"), 1)
	return f.Encode()
}

func TestAWitnessRunsUntilItIsStopped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "witness")
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	vkey := verify.LogVKey("kz.example/log", key.Public().(ed25519.PublicKey))
	logs := filepath.Join(t.TempDir(), "logs")
	if err := os.WriteFile(logs, []byte("# logs\n\n"+verify.LogVKey("uz.example/log", key.Public().(ed25519.PublicKey))+"\nlog "+vkey+" https://kz.example/log\nquorum none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, printed, stop := startWitness(t, "--dir", dir, "--name", "w.example", "--logs", logs)

	root := tlog.RecordHash([]byte("x"))
	v, _ := verify.LogVerifier(vkey)
	signed, err := note.Sign(&note.Note{Text: verify.Checkpoint{Origin: "kz.example/log", Size: 1, Root: root}.String()}, author{v, key})
	if err != nil {
		t.Fatal(err)
	}
	post := func(url string) (int, string) {
		resp, err := http.Post(url+"/add-checkpoint", "text/plain", strings.NewReader("old 0\n\n"+string(signed)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	if code, body := post(url); code != 200 {
		t.Fatal(code, body)
	} else if wv, err := verify.WitnessVerifier(printed); err != nil {
		t.Error(err)
	} else if _, n, err := verify.OpenCheckpoint([]byte(string(signed)+body), v, wv); err != nil || len(n.Sigs) != 2 {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "witness.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	// A second one on the same directory is refused.
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"witness", "--dir", dir}, nil, &out, &errs); code == 0 || !strings.Contains(errs.String(), "another process") {
		t.Error(code, errs.String())
	}
	if code := stop(); code != 0 {
		t.Error("exit", code)
	}
	// It is the same witness after a restart, and remembers.
	url, again, stop := startWitness(t, "--dir", dir, "--log", vkey)
	if again != printed {
		t.Error("another key after a restart")
	}
	if code, body := post(url); code != 409 || body != "1\n" {
		t.Error(code, body)
	}
	stop()
}

// TestAWitnessHasKeysOfEitherType: both at once, one of them alone, and after a
// restart those that it has.
func TestAWitnessHasKeysOfEitherType(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "witness")
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	vkey := verify.LogVKey("kz.example/log", key.Public().(ed25519.PublicKey))
	v, err := verify.LogVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: verify.Checkpoint{Origin: "kz.example/log", Size: 1, Root: tlog.RecordHash([]byte("x"))}.String()}, author{v, key})
	if err != nil {
		t.Fatal(err)
	}
	var pq note.Verifier
	for i, step := range []struct {
		args  []string
		lines int
	}{{[]string{"--suite", "Ed25519", "--suite", "ML-DSA-44", "--name", "w.example"}, 2}, {[]string{"--suite", "ML-DSA-44"}, 1}, {nil, 2}} {
		url, printed, stop := startWitness(t, append(step.args, "--dir", dir, "--log", vkey)...)
		if pq == nil {
			if pq, err = verify.WitnessVerifier(printed); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := http.Post(url+"/add-checkpoint", "text/plain", strings.NewReader(fmt.Sprintf("old %d\n\n%s", min(i, 1), signed)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || bytes.Count(body, []byte("\n")) != step.lines {
			t.Fatalf("%v: %v %d %s", step.args, err, resp.StatusCode, body)
		}
		if _, n, err := verify.OpenCheckpoint(append(bytes.Clone(signed), body...), v, pq); err != nil || len(n.Sigs) != 2 {
			t.Errorf("%v: %v", step.args, err)
		}
		stop()
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"witness", "--dir", dir, "--suite", "SM2"}, nil, &out, &errs); code == 0 || !strings.Contains(errs.String(), "ML-DSA-44") {
		t.Error(code, errs.String())
	}
}

// startWitness runs the command until stop, and reads what it prints.
func startWitness(t *testing.T, args ...string) (url, vkey string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		code := run(ctx, append([]string{"witness"}, args...), nil, w, &errs)
		w.CloseWithError(errors.New(errs.String()))
		done <- code
	}()
	t.Cleanup(cancel)
	lines := bufio.NewScanner(r)
	for lines.Scan() && url == "" {
		if s, ok := strings.CutPrefix(lines.Text(), "vkey "); ok {
			vkey = s
		}
		if s, ok := strings.CutPrefix(lines.Text(), "url "); ok {
			url = s
		}
	}
	if url == "" {
		t.Fatal(lines.Err())
	}
	go io.Copy(io.Discard, r)
	return url, vkey, func() int {
		cancel()
		select {
		case code := <-done:
			return code
		case <-time.After(30 * time.Second):
			t.Fatal("the witness does not stop")
			return -1
		}
	}
}

func TestAWitnessExplainsWhatItNeeds(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no name":        {[]string{"--dir", filepath.Join(dir, "a")}, "--name"},
		"a bad name":     {[]string{"--dir", filepath.Join(dir, "b"), "--name", "a b"}, "host name"},
		"a bad log":      {[]string{"--dir", filepath.Join(dir, "c"), "--name", "c", "--log", "x"}, "vkey"},
		"a bad address":  {[]string{"--dir", filepath.Join(dir, "d"), "--name", "d", "--listen", "nowhere:99999"}, "--listen"},
		"no directory":   {nil, "--dir"},
		"a file instead": {[]string{"--dir", filepath.Join(dir, "f")}, "not a directory"},
	} {
		if name == "a file instead" {
			if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"witness"}, c.args...), nil, &out, &errs); code == 0 || !strings.Contains(errs.String()+out.String(), c.want) {
			t.Errorf("%s: %d %s", name, code, errs.String())
		}
	}
}
