package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDemoWritesOnlyIntoADirectoryOfItsOwn(t *testing.T) {
	t.Chdir(t.TempDir())
	first, err := demoPlace("")
	if err != nil || first != "corridor-demo" {
		t.Fatalf("got %q, %v", first, err)
	}
	second, err := demoPlace("")
	if err != nil || second != "corridor-demo-2" {
		t.Fatalf("got %q, %v", second, err)
	}
	for _, f := range []string{"bundle.json", "mine.txt"} {
		if err := os.WriteFile(filepath.Join(first, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := demoPlace(first); err != nil || again != first {
		t.Fatalf("an earlier demo's directory is refused: %v", err)
	}
	if _, err := os.Stat(filepath.Join(first, "bundle.json")); err == nil {
		t.Error("what an earlier demo left is still there")
	}
	if _, err := os.Stat(filepath.Join(first, "mine.txt")); err != nil {
		t.Error("a file that is not the demo's was removed")
	}
	if err := os.MkdirAll("full/of", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := demoPlace("full"); err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("a directory of somebody else is taken: %v", err)
	}
}

func TestPrintedCommandsCanBePasted(t *testing.T) {
	for word, want := range map[string]string{
		"/usr/bin/corridor": "/usr/bin/corridor",
		"my dir/file":       "'my dir/file'",
		"it's":              `'it'\''s'`,
		"":                  "''",
		"数据.csv":            "'数据.csv'",
	} {
		if got := shellQuote(word); got != want {
			t.Errorf("%q quoted as %s, want %s", word, got, want)
		}
	}
}
