package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"corridor"
	"corridor/verify"
)

// asSigner is the first argument with which this test program is an external
// signer itself.
const asSigner = "be-an-external-signer"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asSigner {
		os.Exit(beSigner(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

// beSigner answers one request with a key file, or does something that no
// signer should.
func beSigner(how string, args []string) int {
	ctx := context.Background()
	switch how {
	case "well":
	case "fails":
		fmt.Fprintln(os.Stderr, "the token was pulled out")
		return 3
	case "hangs":
		time.Sleep(time.Hour) // an empty select would be seen as a deadlock
	case "writes without end":
		for {
			if _, err := fmt.Print(strings.Repeat("x", 4096)); err != nil {
				return 1
			}
		}
	case "says":
		fmt.Print(args[0])
		return 0
	case "shows its environment":
		fmt.Fprintln(os.Stderr, strings.Join(os.Environ(), " "))
		return 1
	}
	private, err := readKey(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := NewSigner(me, "k", private)
	if err == nil {
		if how == "signs something else" {
			s = elsewhere{s}
		}
		err = AnswerSigner(ctx, os.Stdin, os.Stdout, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type elsewhere struct{ Signer }

func (e elsewhere) Sign(ctx context.Context, _ []byte) ([]byte, error) {
	return e.Signer.Sign(ctx, []byte("the other contract"))
}

func signerProgram(t testing.TB, how string, args ...string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{self, asSigner, how}, args...)
}

func keyFileOf(t testing.TB, suite string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := writeKey(path, private(t, suite)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnotherProgramSignsInEverySuite(t *testing.T) {
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			k, err := OpenKeysWith(t.Context(), dir, me, suite, ".", signerProgram(t, "well", keyFileOf(t, suite)))
			if err != nil {
				t.Fatal(err)
			}
			sig, err := SignObject(t.Context(), k.National, map[string]any{"a": strings.Repeat("long ", 40_000)})
			if err != nil {
				t.Fatal(err)
			}
			if sig.Suite != suite || !strings.HasPrefix(sig.Key, me+"#national-") {
				t.Errorf("%s %s", sig.Suite, sig.Key)
			}
			if err := VerifyObject(k.National.Public(), map[string]any{"a": strings.Repeat("long ", 40_000)}, sig); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(dir, nationalFile)); err == nil {
				t.Error("a national key was made in a file too")
			}
		})
	}
}

func TestManySignaturesAtOnce(t *testing.T) {
	s, err := NewExecSigner(t.Context(), me, "k", verify.Ed25519, ".", signerProgram(t, "well", keyFileOf(t, verify.Ed25519)))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 3 * maxSigners {
		wg.Go(func() {
			msg := fmt.Appendf(nil, "message %d", i)
			sig, err := s.Sign(t.Context(), msg)
			if err == nil {
				err = s.Public().Verify(msg, sig)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestSignersThatAreNotWell(t *testing.T) {
	ed, p256 := keyFileOf(t, verify.Ed25519), keyFileOf(t, verify.P256)
	jwk := func(suite string) string {
		raw, err := json.Marshal(newSigner(t, me, suite).Public().JWK)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	says := func(text string) []string { return signerProgram(t, "says", text) }
	for name, c := range map[string]struct {
		argv []string
		says string
	}{
		"no program at all":                     {nil, "needs a program"},
		"a program that is not there":           {[]string{"./no-such-signer"}, "no such file"},
		"it fails":                              {signerProgram(t, "fails"), "the token was pulled out"},
		"it writes without end":                 {signerProgram(t, "writes without end"), "more than 65536 bytes"},
		"it signs something else":               {signerProgram(t, "signs something else", ed), "not one of the message"},
		"its key is of another suite":           {signerProgram(t, "well", p256), "of suite P-256"},
		"it says nothing":                       {says(""), "exactly one line"},
		"it says two lines":                     {says("{}\n{}\n"), "exactly one line"},
		"it says no JSON":                       {says("hello\n"), "cannot be read"},
		"it says a member twice":                {says(`{"v":1,"v":1}`), "cannot be read"},
		"it says a member that is not known":    {says(`{"v":1,"also":"this"}`), "cannot be read"},
		"it speaks another version":             {says(`{"v":2,"suite":"Ed25519"}`), "version 2"},
		"it says why not":                       {says(`{"v":1,"error":"the officer has not logged in"}`), "the officer has not logged in"},
		"it gives no key":                       {says(`{"v":1,"suite":"Ed25519"}`), "external signer"},
		"it lies about the suite of the key":    {says(`{"v":1,"suite":"Ed25519","jwk":` + jwk(verify.P256) + `}`), "one of P-256"},
		"its key is no key":                     {says(`{"v":1,"suite":"Ed25519","jwk":{"kty":"OKP","crv":"Ed25519","x":"AAAA"}}`), "32 bytes"},
		"it answers each request with the same": {says(`{"v":1,"suite":"Ed25519","jwk":` + jwk(verify.Ed25519) + `,"signature":"AAAA"}`), "not one of the message"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewExecSigner(t.Context(), me, "k", verify.Ed25519, ".", c.argv)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want: %s", err, c.says)
			}
		})
	}
}

func TestASignerThatHangsIsEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := NewExecSigner(ctx, me, "k", verify.Ed25519, ".", signerProgram(t, "hangs"))
	wants(t, err, corridor.Unavailable, "no answer in time")
}

func TestASignerSeesNoSecretOfTheNode(t *testing.T) {
	t.Setenv("CORRIDOR_DB", "postgres://corridor:open-sesame@db/corridor")
	t.Setenv("SIGNER_SETTING", "stays")
	_, err := NewExecSigner(t.Context(), me, "k", verify.Ed25519, ".", signerProgram(t, "shows its environment"))
	if err == nil || strings.Contains(err.Error(), "open-sesame") {
		t.Errorf("got %v", err)
	}
	if env := strings.Join(ownEnvironment(), " "); strings.Contains(env, "open-sesame") || !strings.Contains(env, "SIGNER_SETTING=stays") {
		t.Error("the environment is another")
	}
}

func TestRequestsThatAreNoRequests(t *testing.T) {
	s := newSigner(t, me, verify.Ed25519)
	for name, line := range map[string]string{
		"empty": "", "no JSON": "hello\n", "another version": `{"v":2,"do":"public","suite":"Ed25519"}`, "another suite": `{"v":1,"do":"sign","suite":"none","message":"AAAA"}`,
		"another act": `{"v":1,"do":"export","suite":"Ed25519"}`, "an unknown member": `{"v":1,"do":"public","suite":"Ed25519","hash":"md5"}`,
		"a member twice": `{"v":1,"do":"public","do":"sign","suite":"Ed25519"}`, "a message that is not base64url": `{"v":1,"do":"sign","suite":"Ed25519","message":"+/=="}`,
		"too long": strings.Repeat(" ", maxSignerLine+1),
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := AnswerSigner(t.Context(), strings.NewReader(line), &out, s); err == nil {
				t.Error("it was answered")
			}
			var a signerAnswer
			if err := json.Unmarshal(out.Bytes(), &a); err != nil || a.Error == "" || a.Signature != "" || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
				t.Errorf("%s: %v", out.Bytes(), err)
			}
		})
	}
}

// TestPKCS11 signs with keys that SoftHSM makes and keeps, through pkcs11-tool.
// Debian's SoftHSM 2.6.1 has ECDSA and EdDSA; it has no GOST R 34.10-2012, no
// SM2 and no ML-DSA, so these go through the other protocol only.
func TestPKCS11(t *testing.T) {
	module := softHSM(t)
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/tokens", 0o700))
	must(t, os.WriteFile(dir+"/conf", []byte("directories.tokendir = "+dir+"/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", dir+"/conf")
	must(t, os.WriteFile(dir+"/pin", []byte("1234\n"), 0o600))
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	run("softhsm2-util", "--init-token", "--free", "--label", "node", "--pin", "1234", "--so-pin", "5678")
	for id, kind := range map[string]string{"01": "EC:prime256v1", "02": "EC:edwards25519", "03": "EC:prime256v1"} {
		run("pkcs11-tool", "--module", module, "--token-label", "node", "--login", "--pin", "1234", "--keypairgen", "--key-type", kind, "--id", id, "--label", "key"+id)
	}
	cfg := PKCS11{Tool: "pkcs11-tool", Module: module, Token: "node", PINFile: dir + "/pin"}
	for _, k := range []struct{ id, suite string }{{"01", verify.P256}, {"02", verify.Ed25519}, {"03", verify.P256}} {
		c := cfg
		c.ID, c.Suite = k.id, k.suite
		s, err := NewPKCS11Signer(t.Context(), c)
		must(t, err)
		for i := range 6 { // a module gives either spelling of a P-256 signature
			msg := fmt.Appendf(nil, "message %d", i)
			sig, err := SignObject(t.Context(), s, string(msg))
			must(t, err)
			if err := VerifyObject(s.Public(), string(msg), sig); err != nil {
				t.Errorf("%s: %v", k.suite, err)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*PKCS11)
		says   string
	}{
		"a suite that pkcs11-tool does not have": {func(c *PKCS11) { c.Suite = verify.GOST256 }, "GOST-2012-256"},
		"a key of another suite":                 {func(c *PKCS11) { c.Suite = verify.Ed25519 }, "of suite P-256"},
		"no such key":                            {func(c *PKCS11) { c.ID = "77" }, "object not found"},
		"no such token":                          {func(c *PKCS11) { c.Token = "other" }, "token"},
		"no such module":                         {func(c *PKCS11) { c.Module = "/nowhere.so" }, "pkcs11-tool"},
		"no such tool":                           {func(c *PKCS11) { c.Tool = "/nowhere/pkcs11-tool" }, "no such file"},
		"no PIN":                                 {func(c *PKCS11) { c.PINFile = dir + "/none" }, "PIN"},
		"a PIN that others read":                 {func(c *PKCS11) { must(t, os.Chmod(c.PINFile, 0o644)) }, "open to others"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { must(t, os.Chmod(dir+"/pin", 0o600)) })
			bad := cfg
			bad.ID, bad.Suite = "01", verify.P256
			c.change(&bad)
			if _, err := NewPKCS11Signer(t.Context(), bad); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want: %s", err, c.says)
			}
		})
	}
	must(t, os.WriteFile(dir+"/pin", []byte("9999\n"), 0o600))
	cfg.ID, cfg.Suite = "01", verify.P256
	if _, err := NewPKCS11Signer(t.Context(), cfg); err == nil || strings.Contains(err.Error(), "9999") {
		t.Errorf("a wrong PIN: %v", err)
	}
}

// softHSM finds the module, or says that it is not there.
func softHSM(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"softhsm2-util", "pkcs11-tool"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed: signing through PKCS#11 is not tried")
		}
	}
	for _, m := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(m); err == nil {
			return m
		}
	}
	t.Skip("SoftHSM's module is not where packages put it")
	return ""
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte(`{"v":1,"suite":"Ed25519","jwk":{"kty":"OKP","crv":"Ed25519","x":"AAAA"}}` + "\n"))
	f.Add([]byte(`{"v":1,"signature":"AAAA"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out := &bounded{left: maxSignerText, end: func() {}}
		_, _ = out.Write(raw)
		if a, err := readAnswer(out); err == nil && a.Version != signerVersion {
			t.Fatal("another version was read")
		}
		var reply bytes.Buffer
		s := newSigner(t, me, verify.Ed25519)
		_ = AnswerSigner(t.Context(), bytes.NewReader(raw), &reply, s)
		if bytes.Count(reply.Bytes(), []byte("\n")) != 1 {
			t.Fatal("not one line")
		}
	})
}
