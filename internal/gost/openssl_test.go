package gost

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// engine skips a test where OpenSSL's GOST engine (Debian: the package
// libengine-gost-openssl) is not there. The published vectors run anyway.
func engine(t *testing.T) {
	t.Helper()
	out, err := exec.Command("openssl", "engine", "-t", "gost").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "[ available ]") {
		t.Skip("OpenSSL's GOST engine is not installed: only the published vectors are checked")
	}
}

func openssl(args ...string) ([]byte, error) {
	cmd := exec.Command("openssl", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("openssl %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return out, nil
}

func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenSSLHashesAlike(t *testing.T) {
	engine(t)
	dir := t.TempDir()
	for _, n := range []int{0, 1, 63, 64, 65, 127, 128, 1000} {
		msg := bytes.Repeat([]byte{0xff, byte(n), 0x80}, n)[:n] // carries in the sum of the blocks
		path := write(t, dir, "msg", msg)
		for name, size := range map[string]int{"md_gost12_256": Size256, "md_gost12_512": Size512} {
			want, err := openssl("dgst", "-engine", "gost", "-"+name, "-binary", path)
			if err != nil {
				t.Fatal(err)
			}
			h := newStreebog(size)
			h.Write(msg)
			if got := h.Sum(nil); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %s: %x, OpenSSL says %x", n, name, got, want)
			}
		}
	}
}

// Both directions on every parameter set: OpenSSL reads our key files and
// accepts our signatures, and we its.
func TestOpenSSLSignsAlike(t *testing.T) {
	engine(t)
	for _, c := range Curves() {
		t.Run(c.Name, func(t *testing.T) {
			k, err := GenerateKey(c)
			if err != nil {
				t.Fatal(err)
			}
			der, err := k.MarshalPrivate()
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			o := oracle{t: t, dir: dir, digest: fmt.Sprintf("-md_gost12_%d", 8*c.Size), key: write(t, dir, "key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
			o.bothWays(k)
		})
	}
}

func TestOpenSSLMakesKeysThatAreRead(t *testing.T) {
	engine(t)
	for _, c := range []struct {
		algorithm, set, name string
	}{
		{"gost2012_256", "A", "id-tc26-gost-3410-12-256-paramSetB"}, {"gost2012_256", "B", "id-tc26-gost-3410-12-256-paramSetC"},
		{"gost2012_256", "C", "id-tc26-gost-3410-12-256-paramSetD"}, {"gost2012_256", "TCA", "id-tc26-gost-3410-12-256-paramSetA"},
		{"gost2012_512", "A", "id-tc26-gost-3410-12-512-paramSetA"}, {"gost2012_512", "B", "id-tc26-gost-3410-12-512-paramSetB"},
		{"gost2012_512", "C", "id-tc26-gost-3410-12-512-paramSetC"},
	} {
		t.Run(c.algorithm+" "+c.set, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "key")
			if _, err := openssl("genpkey", "-engine", "gost", "-algorithm", c.algorithm, "-pkeyopt", "paramset:"+c.set, "-out", path); err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(raw)
			k, err := ParsePrivate(block.Bytes)
			if err != nil {
				t.Fatalf("%v in %s", err, hex.EncodeToString(block.Bytes))
			}
			if k.Curve.Name != c.name {
				t.Errorf("the parameter set is %s", k.Curve.Name)
			}
			o := oracle{t: t, dir: dir, digest: "-md_gost12_" + c.algorithm[len("gost2012_"):], key: path}
			o.bothWays(k)
		})
	}
}

// oracle is OpenSSL with one private key.
type oracle struct {
	t                *testing.T
	dir, digest, key string
}

func (o oracle) bothWays(k *PrivateKey) {
	o.t.Helper()
	msg := []byte("what was agreed")
	text := write(o.t, o.dir, "msg", msg)
	spki, err := openssl("pkey", "-engine", "gost", "-in", o.key, "-pubout", "-outform", "DER")
	if err != nil {
		o.t.Fatal(err)
	}
	public, err := ParsePublic(spki)
	if err != nil {
		o.t.Fatal(err)
	}
	if public.x != k.x || public.y != k.y {
		o.t.Error("OpenSSL computes another public key")
	}
	sig, err := openssl("dgst", "-engine", "gost", o.digest, "-sign", o.key, text)
	if err != nil {
		o.t.Fatal(err)
	}
	if !public.Verify(msg, sig) {
		o.t.Error("OpenSSL's signature is refused")
	}
	ours, err := k.MarshalPublic()
	if err != nil {
		o.t.Fatal(err)
	}
	pub := write(o.t, o.dir, "pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: ours}))
	check := func(sig []byte) error {
		_, err := openssl("dgst", "-engine", "gost", o.digest, "-verify", pub, "-signature", write(o.t, o.dir, "sig", sig), text)
		return err
	}
	good := k.Sign(msg)
	if err := check(good); err != nil {
		o.t.Errorf("OpenSSL refuses our signature: %v", err)
	}
	good[3] ^= 1
	if check(good) == nil {
		o.t.Error("OpenSSL accepts a false signature: it checks nothing")
	}
}
