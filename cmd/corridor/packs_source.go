package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"corridor"
	"corridor/internal/law"
	"corridor/packs"
)

// builtin names the packs inside this program.
const builtin = "builtin"

// edition is a set of rule packs that a command line names: the packs built
// in, a directory of packs, or one pack, which stands in for its namesake
// among the packs around it or built in.
type edition struct {
	name string
	lib  *law.Library
	only string // the one pack that was named
}

func openEdition(name string) (edition, error) {
	e := edition{name: name}
	fsys, err := e.files()
	if err != nil {
		return e, err
	}
	if e.lib, err = law.Load(fsys); err != nil {
		return e, corridor.E(corridor.Invalid, "the rule packs of %s cannot be used:\n%w", name, err)
	}
	return e, nil
}

func (e *edition) files() (fs.FS, error) {
	if e.name == builtin || e.name == "" {
		return packs.FS(), nil
	}
	info, err := os.Stat(e.name)
	switch {
	case err != nil:
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: e.name, Msg: "is not there", Fix: "name a directory with rule packs, one pack's directory, file or signed edition, or builtin"}
	case !info.IsDir():
		return e.onePack(e.name)
	}
	if _, err := os.Stat(filepath.Join(e.name, "vocabulary.yaml")); err == nil {
		return os.DirFS(e.name), nil
	}
	if _, err := os.Stat(filepath.Join(e.name, configFile)); err == nil {
		return packFS(e.name)
	}
	if _, err := os.Stat(filepath.Join(e.name, "pack.yaml")); err == nil {
		return e.onePack(filepath.Join(e.name, "pack.yaml"))
	}
	return nil, &corridor.Error{Kind: corridor.Invalid, Where: e.name, Msg: "holds neither a vocabulary.yaml nor a pack.yaml",
		Fix: "name a directory with rule packs, one pack's directory or file, or builtin"}
}

var packName = regexp.MustCompile(`(?m)^pack:[ \t]*["']?([a-z0-9_-]+)`)

// onePack lays one pack over the packs beside it, or over those built in.
func (e *edition) onePack(file string) (fs.FS, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, corridor.Unreadable(err)
	}
	defer f.Close()
	data, err := readLimited(f, file)
	if err != nil {
		return nil, err
	}
	base := packs.FS()
	if bytes.HasPrefix(data, []byte("{")) { // an edition as its publisher signed it
		signed, err := law.DecodeEdition(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		e.only = signed.Manifest.Pack
		return law.Overlay(base, map[string]map[string][]byte{e.only: signed.Files}), nil
	}
	found := packName.FindSubmatch(data)
	if found == nil {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: file, Msg: "does not say which pack it is", Fix: "begin it with  pack: cc"}
	}
	e.only = string(found[1])
	around := filepath.Dir(filepath.Dir(file))
	if _, err := os.Stat(filepath.Join(around, "vocabulary.yaml")); err == nil {
		base = os.DirFS(around)
	}
	return law.Overlay(base, map[string]map[string][]byte{e.only: {"pack.yaml": data}}), nil
}

// limits gives what a comparison is limited to: what was asked for, or the
// one pack that either edition is.
func limits(asked []string, list ...edition) ([]string, error) {
	one := ""
	for _, e := range list {
		switch {
		case e.only == "" || e.only == one:
		case one != "":
			return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "pack " + one + " cannot be compared with pack " + e.only, Fix: "name two editions of one pack"}
		default:
			one = e.only
		}
	}
	if len(asked) == 0 && one != "" {
		return []string{one}, nil
	}
	for _, name := range asked {
		var err error
		for _, e := range list {
			if _, err = e.lib.Pack(name); err == nil {
				break
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return asked, nil
}

// dayOf reads an optional day.
func dayOf(flag, s string, otherwise corridor.Date) (corridor.Date, error) {
	if s == "" {
		return otherwise, nil
	}
	d, err := corridor.ParseDate(s)
	if err != nil {
		return 0, corridor.E(corridor.Invalid, "%s: %w", flag, err)
	}
	return d, nil
}
