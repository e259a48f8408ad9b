package identity

import (
	"encoding/asn1"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"corridor/verify"
)

// OpenSSL is another implementation of all three suites: it must read our key
// files and accept our signatures.
func TestOpenSSLAgrees(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	msg := []byte("what was agreed")
	for suite, flags := range map[string][]string{
		verify.Ed25519: {"-rawin"}, verify.P256: {"-rawin", "-digest", "sha256"},
		verify.SM2: {"-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"},
	} {
		t.Run(suite, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			k, err := OpenKeys(dir, me, suite)
			must(t, err)
			sig, err := k.National.Sign(t.Context(), msg)
			must(t, err)
			if suite == verify.P256 {
				sig, err = asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
				must(t, err)
			}
			must(t, os.WriteFile(dir+"/msg", msg, 0o600))
			must(t, os.WriteFile(dir+"/sig", sig, 0o600))
			args := append([]string{"pkeyutl", "-verify", "-inkey", dir + "/national.pem", "-in", dir + "/msg", "-sigfile", dir + "/sig"}, flags...)
			if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
				t.Errorf("openssl: %v: %s", err, out)
			}
			must(t, os.WriteFile(dir+"/msg", append(msg, '!'), 0o600))
			if exec.Command("openssl", args...).Run() == nil {
				t.Error("openssl accepts another message")
			}
		})
	}
}
