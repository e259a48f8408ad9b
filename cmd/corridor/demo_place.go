package main

import (
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"corridor"
)

//go:embed demodata/shipments.csv.gz
var demoShipments []byte

// demoMark is the file by which the demo knows a directory as its own.
const demoMark = ".corridor-demo"

// demoLeaves are the names that the demo writes into its directory; a second
// run into the same directory removes these and nothing else.
var demoLeaves = []string{"exporter", "importer", "witness", "witness-policy.txt", "shipments.csv", "bundle.json", "tampered.json",
	"node-cn", "node-ru", "node-kz", "authority-cn", "authority-ru", "authority-kz", "compact.json", "approval-request.json", "approval.json", "capacity.csv", "survey.bin", "bundle-cn-kz.json", "bundle-ru-kz.json", "bundle-stopped.json"}

// demoPlace makes the directory of a demo: the one that was asked for, or a
// new one below the working directory.
func demoPlace(asked string) (string, error) {
	dir := asked
	for n := 2; asked == ""; n++ {
		dir = "corridor-demo"
		if n > 2 {
			dir = fmt.Sprintf("corridor-demo-%d", n-1)
		}
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", unwritable(dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", unwritable(dir, err)
	}
	if len(entries) > 0 {
		if _, err := os.Lstat(filepath.Join(dir, demoMark)); err != nil {
			return "", &corridor.Error{Kind: corridor.Invalid, Where: dir, Msg: "the directory is not empty, and not of an earlier demo", Fix: "name a new one with --out"}
		}
		for _, name := range demoLeaves {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return "", unwritable(dir, err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, demoMark), []byte("This directory is written by corridor demo, and emptied by the next one into it.\n"), 0o644); err != nil {
		return "", unwritable(dir, err)
	}
	return dir, nil
}

func unwritable(dir string, err error) error {
	return &corridor.Error{Kind: corridor.Invalid, Where: dir, Msg: "cannot be written: " + err.Error(), Fix: "name a directory that you may write with --out"}
}

// unpackShipments writes the demo's own data as a plain file.
func unpackShipments(path string) error {
	gz, err := gzip.NewReader(strings.NewReader(string(demoShipments)))
	if err != nil {
		return fmt.Errorf("demo data: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return unwritable(path, err)
	}
	const most = 16 << 20
	_, err = io.Copy(f, io.LimitReader(gz, most))
	if err = errors.Join(err, f.Close()); err != nil {
		return unwritable(path, err)
	}
	return nil
}

// invocation is how the user started this program, so that the commands that
// the demo prints can be pasted as they are.
func invocation() string {
	exe, err := os.Executable()
	if err == nil && strings.Contains(exe, string(filepath.Separator)+"go-build") {
		if _, err := os.Stat(filepath.Join("cmd", "corridor", "main.go")); err == nil {
			return "go run ./cmd/corridor"
		}
		return "go run corridor/cmd/corridor"
	}
	return shellQuote(os.Args[0])
}

// shellQuote quotes a word for a POSIX shell where that is needed.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:=@%,~", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
