package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"corridor": func() { os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"mkbundle": mkbundle,
	})
}

// TestScripts runs testdata/script/*.txt: the command line as a user types it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Cmds: nodeCommands(), Setup: func(env *testscript.Env) error {
		packs, err := filepath.Abs("../../packs") // where scripts take an edition to change
		env.Setenv("PACKS", packs)
		return err
	}})
}
