// Package test holds the tests that look at the whole program from outside:
// the map of imports, and nodes that are killed in the middle of their work.
package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// everything marks a room that may enter all others.
var everything = []string{"*"}

// mayImport is the table of docs/architecture.md: room, and the rooms of ours
// that it may enter. A room that is not listed here has no place on the map.
var mayImport = map[string][]string{
	"corridor":          {},
	"packs":             {},
	"schema":            {},
	"internal/gost":     {}, // arithmetic alone: verify checks GOST offline, and identity signs with it
	"verify":            {"corridor", "internal/gost"},
	"internal/store":    {"corridor"},
	"internal/law":      {"corridor"},
	"internal/hll":      {},
	"internal/scan":     {"corridor", "internal/hll"},
	"internal/paper":    {"corridor", "internal/law"},
	"internal/editions": {"corridor", "packs", "internal/law", "internal/store"},
	"internal/dsp":      {"corridor", "schema"},
	"internal/plane":    {"corridor"},
	"internal/console":  {"corridor"},
	"internal/identity": {"corridor", "verify", "internal/gost"},
	// Credentials held, asked for and issued are state; identity itself keeps none.
	"internal/identity/dcp": {"corridor", "verify", "internal/store", "internal/identity"},
	"internal/ledger":       {"corridor", "internal/store", "verify", "internal/identity"},
	"internal/catalog":      {"corridor", "internal/store", "internal/dsp"},
	"internal/counter":      {"corridor", "internal/hll", "internal/store"},
	"internal/exchange":     {"corridor", "internal/counter", "internal/store", "internal/law", "internal/ledger", "internal/dsp", "internal/catalog", "internal/identity", "verify", "internal/plane"},
	"internal/server": {"corridor", "verify", "internal/store", "internal/law", "internal/scan", "internal/identity", "internal/identity/dcp", "internal/dsp",
		"internal/plane", "internal/console", "internal/ledger", "internal/catalog", "internal/exchange"},
	"cmd/corridor": everything,
	"conformance":  everything, // makes nodes for public test kits; only a program built with the tag conformance holds it
	"bench":        everything, // measures the rooms as a program; nobody imports it
	"test":         {},
}

// mayUse limits what the rooms that strangers import may pull in from
// outside: module paths, besides the standard library.
var mayUse = map[string][]string{
	"corridor": {},
	"packs":    {},
	"schema":   {},
	"verify":   {"golang.org/x/mod", "github.com/emmansun/gmsm", "filippo.io/mldsa"}, // the last is what the standard library has from Go 1.27 on
}

// helpers are programs that only make files of the repository; they are in
// nobody's way and nobody imports them.
var helpers = []string{"cmd/corridor/demodata/generate", "verify/page/gen"}

type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
	Module     *struct{ Path string }
}

func graph(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps,Module", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(raw)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// room gives the path inside the module, and whether it is ours.
func room(path string) (string, bool) {
	if path == "corridor" {
		return path, true
	}
	return strings.CutPrefix(path, "corridor/")
}

func TestRoomsEnterOnlyTheRoomsOfTheMap(t *testing.T) {
	seen := 0
	for _, p := range graph(t) {
		from, ours := room(p.ImportPath)
		if !ours {
			continue
		}
		seen++
		for _, problem := range trespasses(from, p.Imports) {
			t.Error(problem)
		}
	}
	if seen < 3 {
		t.Fatalf("go list named %d packages of ours; the test looked at nothing", seen)
	}
}

// trespasses names the imports of one room that the map does not allow.
func trespasses(from string, imports []string) []string {
	if slices.Contains(helpers, from) {
		return nil
	}
	allowed, known := mayImport[owner(from)]
	if !known {
		return []string{fmt.Sprintf("%s is not on the map: give it a row here and in docs/architecture.md", from)}
	}
	var out []string
	for _, path := range imports {
		to, ours := room(path)
		if !ours || owner(to) == owner(from) || slices.Equal(allowed, everything) {
			continue
		}
		if !slices.Contains(allowed, owner(to)) {
			out = append(out, fmt.Sprintf("%s imports %s, which the map does not allow", from, to))
		}
	}
	return out
}

// owner gives the room that a package belongs to: a room may have packages
// of its own below it.
func owner(path string) string {
	for p := path; p != ""; {
		if _, ok := mayImport[p]; ok {
			return p
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			break
		}
		p = p[:i]
	}
	return path
}

func TestPackagesForStrangersStayLight(t *testing.T) {
	all := graph(t)
	modules := map[string]string{}
	for _, p := range all {
		if p.Module != nil {
			modules[p.ImportPath] = p.Module.Path
		}
	}
	for _, p := range all {
		from, ours := room(p.ImportPath)
		allowed, limited := mayUse[from]
		if !ours || !limited {
			continue
		}
		for _, dep := range p.Imports {
			m := modules[dep]
			if m != "" && m != "corridor" && !slices.Contains(allowed, m) {
				t.Errorf("%s imports %s of module %s; it may use %v", from, dep, m, allowed)
			}
		}
	}
}

func TestTheMapItselfIsJudged(t *testing.T) {
	for _, c := range []struct {
		from    string
		imports []string
		want    int
	}{
		{"internal/law", []string{"corridor", "fmt"}, 0},
		{"internal/law", []string{"corridor/internal/dsp"}, 1},
		{"internal/exchange", []string{"corridor/internal/server"}, 1},
		{"internal/exchange/deep", []string{"corridor/internal/scan"}, 1},
		{"cmd/corridor", []string{"corridor/internal/server", "corridor/internal/plane"}, 0},
		{"internal/surprise", nil, 1},
		{"verify", []string{"corridor/internal/identity"}, 1},
	} {
		if got := trespasses(c.from, c.imports); len(got) != c.want {
			t.Errorf("%s importing %v: %d trespasses %v, want %d", c.from, c.imports, len(got), got, c.want)
		}
	}
}
