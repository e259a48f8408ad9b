package ledger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"corridor"
)

func TestAWitnessKeyIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "witness.key")
	_, _, err := WitnessKey(path, "")
	wantError(t, err, corridor.Invalid, "--name")
	_, _, err = WitnessKey(path, "a b")
	wantError(t, err, corridor.Invalid, "host name")
	name, key, err := WitnessKey(path, "w.example")
	if err != nil || name != "w.example" {
		t.Fatal(name, err)
	}
	for _, given := range []string{"", "w.example"} {
		if n, k, err := WitnessKey(path, given); err != nil || n != name || !k.Equal(key) {
			t.Error(n, err)
		}
	}
	_, _, err = WitnessKey(path, "other.example")
	wantError(t, err, corridor.Conflict, "w.example")
	raw, _ := os.ReadFile(path)
	if s, err := note.NewSigner(strings.TrimSpace(string(raw))); err != nil || s.Name() != name {
		t.Error("other programs cannot read it:", err)
	}
	for _, bad := range []string{"", "PRIVATE+KEY+w", "PRIVATE+KEY+w+00000000+AAAA", strings.Replace(string(raw), "w.example", "x.example", 1), strings.TrimPrefix(string(raw), "PRIVATE+")} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err = WitnessKey(path, "")
		wantError(t, err, corridor.Invalid, "not a private key")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err = WitnessKey(path, "")
	wantError(t, err, corridor.Invalid, "chmod 600")
	if _, _, err = WitnessKey(filepath.Join(path, "x"), "w"); err == nil {
		t.Error("a file is no directory")
	}
	if _, _, err = WitnessKey(filepath.Join(filepath.Dir(path), "nowhere", "x"), "w"); err == nil {
		t.Error("no directory")
	}
}
