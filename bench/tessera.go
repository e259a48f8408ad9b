//go:build bench

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// errNotHere says that something to compare with cannot be had on this machine.
var errNotHere = errors.New("not to be had here")

// tessera measures tessera's POSIX log on the same disk, by a program of a
// module of its own: its rows stand beside those of our log.
func (b *bench) tessera() error {
	dir := filepath.Join(b.dir, "tessera")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	longest := 20 * time.Second
	if b.quick {
		longest = 5 * time.Second
	}
	b.say("tessera, up to %s for each number of writers", longest)
	var out, said bytes.Buffer
	cmd := exec.CommandContext(b.ctx, b.peer, "measure", "--tmp", dir, "--longest", longest.String())
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	b.compared(out.String())
	var exit *exec.ExitError
	switch last := lastLine(said.String()); {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == 3:
		b.say("%s", strings.TrimSpace(said.String()))
		b.add("- tessera's POSIX log", "", "not measured: its modules cannot be fetched here")
		return fmt.Errorf("tessera: %w: %s", errNotHere, last)
	default:
		return fmt.Errorf("tessera: %w: %s", err, last)
	}
}

// compared puts the rows of another program, of two columns, into the table.
func (b *bench) compared(table string) {
	for line := range strings.Lines(table) {
		row := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "| "), " |")
		what, measured, ok := strings.Cut(row, " | ")
		if ok && what != "what" {
			b.add(what, "", "%s", measured)
		}
	}
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
