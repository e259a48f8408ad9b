package ledger

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"corridor"
	"corridor/verify"
)

func TestAWitnessKeyIsMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "witness.key")
	_, _, err := WitnessKeys(dir, "")
	wantError(t, err, corridor.Invalid, "--name")
	_, _, err = WitnessKeys(dir, "a b")
	wantError(t, err, corridor.Invalid, "host name")
	name, keys, err := WitnessKeys(dir, "w.example")
	if err != nil || name != "w.example" || len(keys) != 1 {
		t.Fatal(name, err)
	}
	for _, given := range []string{"", "w.example"} {
		if n, k, err := WitnessKeys(dir, given); err != nil || n != name || !keys[0].(ed25519.PrivateKey).Equal(k[0]) {
			t.Error(n, err)
		}
	}
	_, _, err = WitnessKeys(dir, "other.example")
	wantError(t, err, corridor.Conflict, "w.example")
	raw, _ := os.ReadFile(path)
	if s, err := note.NewSigner(strings.TrimSpace(string(raw))); err != nil || s.Name() != name {
		t.Error("other programs cannot read it:", err)
	}
	for _, bad := range []string{"", "PRIVATE+KEY+w", "PRIVATE+KEY+w+00000000+AAAA", strings.Replace(string(raw), "w.example", "x.example", 1), strings.TrimPrefix(string(raw), "PRIVATE+")} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err = WitnessKeys(dir, "")
		wantError(t, err, corridor.Invalid, "not a private key")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err = WitnessKeys(dir, "")
	wantError(t, err, corridor.Invalid, "chmod 600")
	if _, _, err = WitnessKeys(path, "w"); err == nil {
		t.Error("a file is no directory")
	}
	if _, _, err = WitnessKeys(filepath.Join(dir, "nowhere"), "w"); err == nil {
		t.Error("no directory")
	}
}

// TestAWitnessHasTheKeysOfTheSuitesThatItIsGiven: a second key is one of the
// same witness, and without a wish the directory says which there are.
func TestAWitnessHasTheKeysOfTheSuitesThatItIsGiven(t *testing.T) {
	dir := t.TempDir()
	got := func(name string, suites ...string) string {
		t.Helper()
		_, keys, err := WitnessKeys(dir, name, suites...)
		if err != nil {
			return corridor.KindOf(err).String()
		}
		var kinds []string
		for _, k := range keys {
			kinds = append(kinds, fmt.Sprintf("%T", k))
		}
		return strings.Join(kinds, " ")
	}
	for i, step := range []struct {
		name   string
		suites []string
		want   string
	}{
		{"w.example", []string{verify.MLDSA44}, "*mldsa.PrivateKey"},
		{"", nil, "*mldsa.PrivateKey"},
		{"other.example", []string{verify.Ed25519}, corridor.Conflict.String()},
		{"", []string{verify.Ed25519, verify.MLDSA44}, "ed25519.PrivateKey *mldsa.PrivateKey"},
		{"", nil, "ed25519.PrivateKey *mldsa.PrivateKey"},
		{"w.example", []string{verify.Ed25519}, "ed25519.PrivateKey"},
		{"", []string{verify.MLDSA44}, "*mldsa.PrivateKey"},
	} {
		if have := got(step.name, step.suites...); have != step.want {
			t.Errorf("step %d: %s, want %s", i+1, have, step.want)
		}
	}
	pq := filepath.Join(dir, "witness-mldsa44.key")
	good, err := os.ReadFile(pq)
	if err != nil {
		t.Fatal(err)
	}
	ed, err := os.ReadFile(filepath.Join(dir, "witness.key"))
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"the Ed25519 key in its place": ed, "half": good[:len(good)-9], "another name": bytes.Replace(good, []byte("w.example"), []byte("x.example"), 1)} {
		if err := os.WriteFile(pq, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if have := got("", verify.MLDSA44); have != corridor.Invalid.String() {
			t.Errorf("%s: %s", name, have)
		}
	}
}
