//go:build !conformance

package main

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
)

// What drives a node for a test kit must not be in the program that people
// run: no command, no package.
func TestTheOrdinaryProgramCannotBeDrivenByATestKit(t *testing.T) {
	for _, args := range [][]string{{"conformance"}, {"conformance", "dsp"}, {"conformance", "--help"}} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), args, strings.NewReader(""), &out, &errs); code != exitUsage || !strings.Contains(errs.String(), "unexpected argument conformance") {
			t.Errorf("corridor %s: exit %d, %s%s", strings.Join(args, " "), code, out.String(), errs.String())
		}
	}
	raw, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), "corridor/internal/exchange") || strings.Contains(string(raw), "corridor/conformance") {
		t.Errorf("the program holds a package of the test kits:\n%s", raw)
	}
}
