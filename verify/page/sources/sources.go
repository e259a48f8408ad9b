// Package sources says what a program is made of, apart from the standard
// library: so that a compiled file in the repository can be held against the
// sources at hand without compiling them.
package sources

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// List is what a program is made of.
type List struct {
	Digest   string // SHA-256 over the names and contents of all source files
	Licences []byte // of the modules, and of Go's own library
}

type listed struct {
	ImportPath, Dir string
	Standard        bool
	GoFiles         []string
	SFiles          []string
	EmbedFiles      []string
	Module          *struct{ Path, Version, Dir string }
}

// Of lists the sources of a package of ours as it is compiled to WebAssembly.
// The current directory must be inside the module.
func Of(program string) (List, error) {
	packages, err := packagesOf(program)
	if err != nil {
		return List{}, err
	}
	slices.SortFunc(packages, func(a, b listed) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	h := sha256.New()
	modules := map[string]string{} // directory by name
	for _, p := range packages {
		if p.Standard {
			continue
		}
		for _, name := range slices.Concat(p.GoFiles, p.SFiles, p.EmbedFiles) {
			content, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return List{}, err
			}
			fmt.Fprintf(h, "%s/%s %d\n", p.ImportPath, name, len(content))
			h.Write(content)
		}
		if p.Module != nil && p.Module.Version != "" {
			modules[p.Module.Path+" "+p.Module.Version] = p.Module.Dir
		}
	}
	licences, err := licencesOf(modules)
	return List{Digest: hex.EncodeToString(h.Sum(nil)), Licences: licences}, err
}

func packagesOf(program string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Standard,GoFiles,SFiles,EmbedFiles,Module", program)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.Bytes())
	}
	var list []listed
	for dec := json.NewDecoder(bytes.NewReader(raw)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		list = append(list, p)
	}
}

// licencesOf gives the texts under which the parts may be passed on. That of
// Go is the one of golang.org/x/mod, which is the same text.
func licencesOf(modules map[string]string) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("Corridor: Apache License 2.0, https://www.apache.org/licenses/LICENSE-2.0\n" +
		"The Go standard library: the licence given below for golang.org/x/mod\n")
	names := make([]string, 0, len(modules))
	for name := range modules {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(modules[name], "LICENSE"))
		if err != nil {
			return nil, fmt.Errorf("licence of %s: %w", name, err)
		}
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
		fmt.Fprintf(&out, "\n%s\n\n%s", name, text)
	}
	return out.Bytes(), nil
}
