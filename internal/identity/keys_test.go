package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"corridor"
	"corridor/verify"
)

const me = "did:web:node.example"

func TestEverySuiteSignsWhatVerifyAccepts(t *testing.T) {
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) {
			s := newSigner(t, me, suite)
			if s.Suite() != suite || s.Public().Suite != suite || !strings.HasPrefix(s.KeyID(), me+"#k-") {
				t.Errorf("%s %s", s.Suite(), s.KeyID())
			}
			other := newSigner(t, me, suite)
			rapid.Check(t, func(t *rapid.T) {
				msg := rapid.SliceOf(rapid.Byte()).Draw(t, "msg")
				sig, err := s.Sign(context.Background(), msg)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Public().Verify(msg, sig); err != nil {
					t.Fatal(err)
				}
				if s.Public().Verify(append(msg, 0), sig) == nil || other.Public().Verify(msg, sig) == nil {
					t.Fatal("a signature fits another message or key")
				}
				i := rapid.IntRange(0, len(sig)-1).Draw(t, "byte")
				bad := append([]byte{}, sig...)
				bad[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
				if s.Public().Verify(msg, bad) == nil {
					t.Fatal("a changed signature is accepted")
				}
			})
		})
	}
}

func TestObjectsAreSignedInCanonicalForm(t *testing.T) {
	s := newSigner(t, me, verify.SM2)
	sig, err := SignObject(t.Context(), s, map[string]any{"b": 1, "a": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyObject(s.Public(), struct {
		A string `json:"a"`
		B int    `json:"b"`
	}{"x", 1}, sig); err != nil {
		t.Errorf("same canonical form, other Go type: %v", err)
	}
	wants(t, VerifyObject(s.Public(), map[string]any{"a": "x", "b": 2}, sig), corridor.Unauthenticated, "does not match")
	wants(t, VerifyObject(newSigner(t, me, verify.SM2).Public(), map[string]any{"b": 1, "a": "x"}, sig), corridor.Unauthenticated, "names key")
	if _, err := SignObject(t.Context(), s, 1.5); err == nil {
		t.Error("a fraction was signed")
	}
	if VerifyObject(s.Public(), 1.5, sig) == nil {
		t.Error("a fraction was verified")
	}
	if _, err := SignObject(t.Context(), failingSigner{s}, 1); err == nil || !strings.Contains(err.Error(), "module is gone") {
		t.Error(err)
	}
}

func TestKeysOfNoSuiteAreRefused(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []any{nil, "key", p384, (*ecdsa.PrivateKey)(nil)} {
		if _, err := NewSigner(me, "k", k); err == nil {
			t.Errorf("%T makes a signer", k)
		}
	}
	_, err = generate("RSA")
	wants(t, err, corridor.Invalid, "use one of Ed25519, P-256, SM2, GOST-2012-256, GOST-2012-512, ML-DSA-44")
}

func TestKeysAreMadeOnceAndStay(t *testing.T) {
	for _, suite := range suites {
		dir := filepath.Join(t.TempDir(), "deep", "keys")
		first, err := OpenKeys(dir, me, suite)
		if err != nil {
			t.Fatal(err)
		}
		again, err := OpenKeys(dir, me, suite)
		if err != nil {
			t.Fatal(err)
		}
		if first.National.KeyID() != again.National.KeyID() || first.Token.KeyID() != again.Token.KeyID() || first.Log.KeyID() != again.Log.KeyID() {
			t.Error("keys changed")
		}
		if first.National.Suite() != suite || first.Token.Suite() != verify.P256 || first.Log.Suite() != verify.Ed25519 {
			t.Error("suites")
		}
		err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			info, err2 := e.Info()
			if err = errors.Join(err, err2); err != nil {
				return err
			}
			want := fs.FileMode(0o600)
			if e.IsDir() {
				want = 0o700
			}
			if info.Mode().Perm() != want {
				t.Errorf("%s has mode %04o", path, info.Mode().Perm())
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(dir + "/.*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestTwoProcessesAgreeOnOneKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			k, err := OpenKeys(dir, me, verify.SM2)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = k.National.KeyID() + k.Token.KeyID() + k.Log.KeyID()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("%s and %s", id, ids[0])
		}
	}
}

func TestUnsafeOrDamagedKeysAreNamed(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		break_ func(t *testing.T, dir string)
		kind   corridor.Kind
		says   []string
	}{
		{"a key that others may read", func(t *testing.T, dir string) { must(t, os.Chmod(dir+"/token.pem", 0o640)) }, corridor.Forbidden, []string{"token.pem", "0640", "chmod 600 "}},
		{"a directory that others may enter", func(t *testing.T, dir string) { must(t, os.Chmod(dir, 0o755)) }, corridor.Forbidden, []string{"0755", "chmod 700 "}},
		{"an empty key", func(t *testing.T, dir string) { must(t, os.Truncate(dir+"/log.pem", 0)) }, corridor.Invalid, []string{"log.pem", "damaged", "restore it"}},
		{"half a key", func(t *testing.T, dir string) { must(t, os.Truncate(dir+"/national.pem", 80)) }, corridor.Invalid, []string{"national.pem", "damaged"}},
		{"a key and more", func(t *testing.T, dir string) { appendTo(t, dir+"/log.pem", "hello") }, corridor.Invalid, []string{"log.pem", "something follows"}},
		{"a very long file", func(t *testing.T, dir string) { appendTo(t, dir+"/log.pem", strings.Repeat("x", maxKeyFile)) }, corridor.Invalid, []string{"too long"}},
		{"a PEM block with noise inside", func(t *testing.T, dir string) {
			must(t, os.WriteFile(dir+"/log.pem", []byte("-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n"), 0o600))
		}, corridor.Invalid, []string{"log.pem", "not PKCS #8"}},
		{"a key on another curve", func(t *testing.T, dir string) {
			must(t, os.Remove(dir+"/token.pem"))
			must(t, writeKey(dir+"/token.pem", p384))
		}, corridor.Invalid, []string{"token.pem"}},
		{"a key of another suite", func(t *testing.T, dir string) { must(t, os.Rename(dir+"/log.pem", dir+"/national.pem")) }, corridor.Invalid, []string{"national.pem", "suite Ed25519, not SM2"}},
		{"a directory in place of a key", func(t *testing.T, dir string) {
			must(t, os.Remove(dir+"/log.pem"))
			must(t, os.Mkdir(dir+"/log.pem", 0o700))
		}, corridor.Forbidden, []string{"log.pem"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			if _, err := OpenKeys(dir, me, verify.SM2); err != nil {
				t.Fatal(err)
			}
			c.break_(t, dir)
			_, err := OpenKeys(dir, me, verify.SM2)
			for _, s := range c.says {
				wants(t, err, c.kind, s)
			}
			if raw, e := os.ReadFile(dir + "/national.pem"); e == nil && len(raw) > 60 && strings.Contains(err.Error(), string(raw[40:60])) {
				t.Error("the error shows the key")
			}
		})
	}
	_, err = OpenKeys(t.TempDir()+"/k", "did:key:x", verify.SM2)
	wants(t, err, corridor.Invalid, "did:web")
	_, err = OpenKeys(t.TempDir()+"/k", me, "GOST")
	wants(t, err, corridor.Invalid, "use one of Ed25519, P-256, SM2, GOST-2012-256, GOST-2012-512, ML-DSA-44")
	file := t.TempDir() + "/file"
	must(t, os.WriteFile(file, nil, 0o600))
	if _, err := OpenKeys(file+"/k", me, verify.SM2); err == nil {
		t.Error("keys inside a file")
	}
	if err := writeKey(t.TempDir()+"/none/k.pem", p384); err == nil {
		t.Error("a key was written nowhere")
	}
	if err := writeKey(t.TempDir()+"/k.pem", "no key"); err == nil {
		t.Error("text was written as a key")
	}
}

func TestTheLogKeySignsNotes(t *testing.T) {
	k := keysFor(t, me)
	s, err := k.LogSigner("node.example/log")
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := k.LogVKey("node.example/log")
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: "node.example/log\n0\nhash\n"}, s)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open(signed, note.VerifierList(v)); err != nil || len(n.Sigs) != 1 {
		t.Error(err)
	}
	for _, origin := range []string{"", "two words", "a+b"} {
		if _, err := k.LogSigner(origin); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%q: %v", origin, err)
		}
	}
	k.Log = k.National
	if _, err := k.LogSigner("x"); corridor.KindOf(err) != corridor.Invalid {
		t.Errorf("an SM2 log key: %v", err)
	}
	if _, err := k.LogVKey("x"); err == nil {
		t.Error("an SM2 log key")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(raw, text...), 0o600))
}

func BenchmarkSign(b *testing.B) {
	msg := make([]byte, 1024)
	for _, suite := range suites {
		s := newSigner(b, me, suite)
		b.Run(suite, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Sign(context.Background(), msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	msg := make([]byte, 1024)
	for _, suite := range suites {
		s := newSigner(b, me, suite)
		sig, err := s.Sign(context.Background(), msg)
		if err != nil {
			b.Fatal(err)
		}
		k := s.Public()
		b.Run(suite, func(b *testing.B) {
			for b.Loop() {
				if err := k.Verify(msg, sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
