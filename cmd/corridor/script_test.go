package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"corridor/internal/store/storetest"
	"corridor/test/racing"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "corridor" { // whoever runs the tests may read another language than they do
		os.Setenv("LC_ALL", "C")
	}
	testscript.Main(m, map[string]func(){
		"corridor": func() {
			onServer()
			os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
		"mkbundle": mkbundle,
	})
}

// TestScripts runs testdata/script/*.txt: the command line as a user types it.
func TestScripts(t *testing.T) {
	images := t.TempDir() // of compiled packs, for all scripts
	if err := os.Chmod(images, 0o700); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Files: scripts(t), Cmds: nodeCommands(), Condition: condition, Setup: func(env *testscript.Env) error {
		packs, err := filepath.Abs("../../packs") // where scripts take an edition to change
		env.Setenv("PACKS", packs)
		env.Setenv("CORRIDOR_CACHE", images)
		if storetest.OnServer() {
			schemas := storetest.Name()
			env.Setenv(storetest.Variable, os.Getenv(storetest.Variable))
			env.Setenv(scriptSchemas, schemas)
			env.Defer(func() {
				if err := storetest.Drop(schemas); err != nil {
					t.Error(err)
				}
			})
		}
		return err
	}})
}

// scripts lists the scripts: all of them, and under the race detector those in
// which a program runs beside others. What a command does alone, its rooms' own
// tests show.
func scripts(t *testing.T) []string {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	if !racing.On {
		return files
	}
	return slices.DeleteFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return !runsBesides.Match(text)
	})
}

var runsBesides = regexp.MustCompile(`(?m)^!? ?exec corridor (.* &\w+&$|demo)`)

// condition knows [file]: the state of the nodes is in files.
func condition(name string) (bool, error) {
	if name != "file" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	return !storetest.OnServer(), nil
}

// scriptSchemas is the variable with the beginning of the names of a script's
// schemas.
const scriptSchemas = "SCRIPT_SCHEMAS"

// onServer gives each node that a script makes a schema of its own, when the
// tests run on PostgreSQL.
func onServer() {
	prefix := os.Getenv(scriptSchemas)
	if prefix == "" || len(os.Args) < 2 || os.Args[1] != "init" || slices.Contains(os.Args, "--help") || os.Getenv("CORRIDOR_DB") != "" ||
		slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "--db") }) {
		return
	}
	place, err := storetest.Create(prefix + storetest.Name())
	if err == nil {
		err = os.Setenv("CORRIDOR_DB", place)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
