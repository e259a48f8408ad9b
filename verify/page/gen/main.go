// Command gen compiles the verifier of the page: verifier.wasm.gz, with the
// licences of what is in it, and verifier.sum, which says from what it was
// made. Run it through go generate ./verify/page. With --check it compares
// instead of writing, and fails if a file differs.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"corridor/verify/page/sources"
)

func main() {
	if err := run(len(os.Args) > 1 && os.Args[1] == "--check"); err != nil {
		fmt.Fprintln(os.Stderr, "verify/page:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	list, err := sources.Of("corridor/verify/page/wasm")
	if err != nil {
		return err
	}
	code, err := compile()
	if err != nil {
		return err
	}
	h := sha256.Sum256(code)
	sum := fmt.Sprintf("%s\nsources %s\nverifier.wasm.gz %s\n", runtime.Version(), list.Digest, hex.EncodeToString(h[:]))
	for name, content := range map[string][]byte{"verifier.wasm.gz": code, "licences.txt": list.Licences, "verifier.sum": []byte(sum)} {
		if !check {
			if err := os.WriteFile(name, content, 0o644); err != nil {
				return err
			}
			continue
		}
		have, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if !bytes.Equal(have, content) {
			return fmt.Errorf("%s is not what %s makes of these sources: run go generate ./verify/page", name, runtime.Version())
		}
	}
	return nil
}

// compile gives the verifier as WebAssembly, the same bytes on every machine.
func compile() ([]byte, error) {
	dir, err := os.MkdirTemp("", "verifier")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "verifier.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", out, "corridor/verify/page/wasm")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWASM=", "GOFLAGS=", "GOEXPERIMENT=")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go build: %w", err)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(raw); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
