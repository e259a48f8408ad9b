//go:build unix

package scan

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"corridor"
)

// TestAScanThatWaitsForAPipeStopsWhenToldTo: before anybody writes, and
// between two writes.
func TestAScanThatWaitsForAPipeStopsWhenToldTo(t *testing.T) {
	for _, c := range []struct {
		name  string
		write string
	}{{"nobody writes", ""}, {"the rest does not come", "id,email\n1,a@example.com\n"}} {
		pipe := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Skip("no named pipes here:", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := File(ctx, pipe, Options{})
			ended <- err
		}()
		if c.write != "" {
			w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if _, err := io.WriteString(w, c.write); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) || corridor.KindOf(err) != corridor.Unavailable {
				t.Errorf("%s: %v", c.name, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the scan goes on", c.name)
		}
	}
}

func TestAPipeIsReadToItsEnd(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no named pipes here:", err)
	}
	go func() {
		if w, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil {
			defer w.Close()
			for range 40_000 {
				io.WriteString(w, "1,a@example.com\n")
			}
		}
	}()
	r, err := File(t.Context(), pipe, Options{Header: "no"})
	if err != nil || r.Rows != 40_000 {
		t.Fatal(r, err)
	}
}
