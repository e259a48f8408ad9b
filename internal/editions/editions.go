// Package editions keeps the rule packs that an operator installed into a node
// directory: every edition for good, under its own digest, so that old
// decisions can be replayed, and one file that says which are in use. What is
// in use is held against its publishers' signatures each time it is read.
package editions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/store"
	"corridor/packs"
)

// Store is the place of a node's installed editions.
type Store struct {
	Dir        string    // of the editions and of the file of what is in use
	Publishers string    // file of the publishers; without it nobody is trusted
	Cache      law.Cache // of compiled packs, for all that does not name another
}

// Signed is a signed edition in use.
type Signed struct {
	Edition string // digest of what the publisher signed
	Signers []string
}

// Installed is the file of what is in use, by pack.
type Installed struct {
	Format string          `json:"format"`
	Packs  map[string]Pack `json:"packs"`
}

// Pack is what an operator put in use for one pack.
type Pack struct {
	Edition  string   `json:"edition"` // empty: the pack of the program again
	Version  string   `json:"version,omitempty"`
	Digest   string   `json:"digest,omitempty"` // that decisions quote
	Signers  []string `json:"signers,omitempty"`
	Since    string   `json:"since"`
	Previous []Before `json:"previous,omitempty"` // latest first
}

// Before is what was in use earlier.
type Before struct {
	Edition string `json:"edition"`
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Until   string `json:"until"`
}

const (
	storeFormat = "corridor-pack-store/1"
	inUseFile   = "in-use.json"
	editionExt  = ".corridor-pack"
	maxPrevious = 200
)

// Read gives what is in use; nothing where nothing was installed.
func (s Store) Read() (Installed, error) {
	in := Installed{Format: storeFormat, Packs: map[string]Pack{}}
	data, err := ReadPlain(filepath.Join(s.Dir, inUseFile))
	if errors.Is(err, fs.ErrNotExist) {
		return in, nil
	}
	if err != nil {
		return in, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil || in.Format != storeFormat || in.Packs == nil {
		return in, &corridor.Error{Kind: corridor.Invalid, Where: filepath.Join(s.Dir, inUseFile), Msg: "cannot be read",
			Fix: "restore it from a backup, or move it away: the packs of the program are used then", Err: err}
	}
	return in, nil
}

// ReadPlain reads a file of bounded size that is no link.
func ReadPlain(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, corridor.Unreadable(err)
	}
	if !info.Mode().IsRegular() || info.Size() > law.MaxEdition {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: fmt.Sprintf("is no plain file of at most %d bytes", law.MaxEdition)}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, corridor.Unreadable(err)
	}
	return data, nil
}

// write replaces the file of what is in use in one step.
func (s Store) write(in Installed) error {
	data, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		return corridor.E(corridor.Internal, "%w", err)
	}
	return replaceFile(filepath.Join(s.Dir, inUseFile), append(data, '\n'))
}

// replaceFile writes a file in one step, over one that may be there.
func replaceFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".corridor-*")
	if err != nil {
		return corridor.Unwritable(path, err)
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		os.Remove(tmp.Name())
		return corridor.E(corridor.Invalid, "%s: %w", path, err)
	}
	return nil
}

// syncDir makes a new name in a directory last: an edition is there before
// what is in use names it, also after a power failure.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s Store) path(id string) string {
	return filepath.Join(s.Dir, "editions", strings.ReplaceAll(id, ":", "-")+editionExt)
}

// edition reads a kept edition and holds it against its name.
func (s Store) edition(id string) (*law.Edition, error) {
	e, err := ReadEdition(s.path(id))
	if err != nil {
		return nil, err
	}
	if e.ID() != id {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: s.path(id), Msg: "is the edition " + e.ID() + ", not the one that its name says", Fix: "install the edition again"}
	}
	return e, nil
}

// ReadEdition reads an edition from a file.
func ReadEdition(path string) (*law.Edition, error) {
	data, err := ReadPlain(path)
	if err != nil {
		return nil, err
	}
	e, err := law.DecodeEdition(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

// trusted reads the publishers. Nobody is trusted where there is no file.
func (s Store) trusted() (*law.Publishers, error) { return ReadPublishers(s.Publishers) }

// ReadPublishers reads the file of the publishers whose editions are let in.
func ReadPublishers(path string) (*law.Publishers, error) {
	data, err := ReadPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &corridor.Error{Kind: corridor.NotFound, Where: path, Msg: "there is no file of publishers, so that nobody is trusted to publish rule packs",
			Fix: "write one, as docs/pack-trust.md shows"}
	}
	if err != nil {
		return nil, err
	}
	return law.ParsePublishers(path, data)
}

// InUse gives the files of all packs that the node decides with, and which of
// them are signed editions. Their signatures and their digests are checked
// each time: a publisher that is no longer trusted stops the node.
func (s Store) InUse() (fs.FS, map[string]Signed, error) {
	in, err := s.Read()
	if err != nil {
		return nil, nil, err
	}
	over, signed, editions := map[string]map[string][]byte{}, map[string]Signed{}, []*law.Edition{}
	for id, p := range in.Packs {
		if p.Edition == "" {
			continue
		}
		e, err := s.edition(p.Edition)
		if err != nil {
			return nil, nil, fmt.Errorf("the installed edition of %s cannot be used: %w; put its file back, or run: corridor packs rollback %s, and install it again", id, err, id)
		}
		pubs, err := s.trusted()
		if err != nil {
			return nil, nil, err
		}
		signers, err := pubs.Check(e)
		if err != nil {
			return nil, nil, &corridor.Error{Kind: corridor.Forbidden, Where: s.path(p.Edition), Msg: "the installed edition of " + id + " is no longer trusted",
				Fix: "list its publisher again, or run: corridor packs rollback " + id + " (with --builtin, if the one before is not trusted either)", Err: err}
		}
		if e.Manifest.Pack != id {
			return nil, nil, &corridor.Error{Kind: corridor.Invalid, Where: filepath.Join(s.Dir, inUseFile), Msg: "names an edition of " + e.Manifest.Pack + " as that of " + id,
				Fix: "run: corridor packs rollback " + id + " --builtin"}
		}
		over[id], signed[id], editions = e.Files, Signed{Edition: p.Edition, Signers: signers}, append(editions, e)
	}
	if len(over) == 0 {
		return packs.FS(), nil, nil
	}
	fsys := law.Overlay(packs.FS(), over)
	return fsys, signed, s.fit(fsys, editions)
}

// fit holds the editions in use against their manifests and against what
// their publishers may claim, as at their installation: the file of what is
// in use is not signed.
func (s Store) fit(fsys fs.FS, editions []*law.Edition) error {
	before, err := Compile(packs.FS(), s.Cache)
	if err != nil {
		return err
	}
	now, err := Compile(fsys, s.Cache)
	if err != nil {
		return corridor.E(corridor.Invalid, "the rule packs installed in %s cannot be used:\n%w", s.Dir, err)
	}
	pubs, err := s.trusted()
	if err != nil {
		return err
	}
	for _, e := range editions {
		if err := e.Fits(before, now, pubs); err != nil {
			return fmt.Errorf("%s: %w; run: corridor packs rollback %s --builtin", s.path(e.ID()), err, e.Manifest.Pack)
		}
	}
	return nil
}

// alone keeps other commands away from the store until release is called.
func (s Store) alone() (release func(), err error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, corridor.E(corridor.Invalid, "%w", err)
	}
	release, err = store.Lock(filepath.Join(s.Dir, ".lock"))
	if corridor.KindOf(err) == corridor.Conflict {
		err = &corridor.Error{Kind: corridor.Conflict, Where: s.Dir, Msg: "another command is changing the rule packs of this node", Fix: "try again when it has ended"}
	}
	return release, err
}

// Load compiles the packs in use. Where the program has changed since an
// edition was installed, so that decisions would quote another digest, the
// edition is let in anew: with what all packs share now, its cases must pass.
func (s Store) Load(cache law.Cache) (*law.Library, map[string]Signed, error) {
	fsys, signed, err := s.InUse()
	if err != nil {
		return nil, nil, err
	}
	lib, err := Compile(fsys, cache)
	if err != nil {
		return nil, nil, corridor.E(corridor.Invalid, "the rule packs cannot be used:\n%w", err)
	}
	if len(signed) == 0 {
		return lib, nil, nil
	}
	return lib, signed, s.still(fsys, lib, signed)
}

func (s Store) still(fsys fs.FS, lib *law.Library, signed map[string]Signed) error {
	in, err := s.Read()
	if err != nil {
		return err
	}
	pubs, err := s.trusted()
	if err != nil {
		return err
	}
	for _, p := range lib.Packs() {
		if _, ours := signed[p.ID]; !ours || in.Packs[p.ID].Digest == p.Digest {
			continue
		}
		e, err := s.edition(in.Packs[p.ID].Edition)
		if err != nil {
			return err
		}
		if _, err := law.Admit(fsys, e, pubs); err != nil {
			return fmt.Errorf("the installed edition of %s does not fit this version of the program; get a newer edition, or run: corridor packs rollback %s: %w", p.ID, p.ID, err)
		}
	}
	return nil
}

// Install lets an edition in and puts it in use.
func (s Store) Install(e *law.Edition, older bool, now time.Time) (*law.Admitted, error) {
	pubs, err := s.trusted()
	if err != nil {
		return nil, err
	}
	if _, err := pubs.Check(e); err != nil { // before anything of it is understood
		return nil, err
	}
	if err := CheckIssued(e, now); err != nil {
		return nil, err
	}
	release, err := s.alone()
	if err != nil {
		return nil, err
	}
	defer release()
	in, err := s.Read()
	if err != nil {
		return nil, err
	}
	fsys, _, err := s.InUse()
	if err != nil {
		return nil, err
	}
	if err := s.newer(fsys, in, e, older); err != nil {
		return nil, err
	}
	got, err := law.Admit(fsys, e, pubs)
	if err != nil {
		return nil, err
	}
	if err := s.keep(e); err != nil {
		return nil, err
	}
	m := e.Manifest
	s.put(&in, m.Pack, Pack{Edition: e.ID(), Version: m.Version, Digest: got.Digest, Signers: got.Signers}, now)
	return got, s.write(in)
}

// CheckIssued refuses an edition from a day to come: its publisher's clock or ours
// is wrong, and what is in force on a day rests on clocks. It may be tomorrow
// where the publisher is.
func CheckIssued(e *law.Edition, now time.Time) error {
	if today := corridor.DateOf(now); e.Manifest.Issued > today+1 {
		return &corridor.Error{Kind: corridor.Invalid, Where: "issued", Msg: fmt.Sprintf("the edition was issued on %s, and here it is %s", e.Manifest.Issued, today),
			Fix: "set the clock of this machine, or ask the publisher"}
	}
	return nil
}

// put makes a pack the one in use and remembers the one before.
func (s Store) put(in *Installed, id string, p Pack, now time.Time) {
	p.Since = now.UTC().Format(time.RFC3339)
	if old, ok := in.Packs[id]; ok {
		p.Previous = append([]Before{{old.Edition, old.Version, old.Digest, p.Since}}, old.Previous...)
		p.Previous = p.Previous[:min(len(p.Previous), maxPrevious)]
	}
	in.Packs[id] = p
}

// newer refuses an edition that is older than the pack in use, and one that
// calls itself by a version that was already something else.
func (s Store) newer(fsys fs.FS, in Installed, e *law.Edition, older bool) error {
	m := e.Manifest
	used := in.Packs[m.Pack]
	if used.Edition == e.ID() {
		return &corridor.Error{Kind: corridor.Conflict, Msg: "this edition of " + m.Pack + " is already in use"}
	}
	for _, p := range append([]Before{{used.Edition, used.Version, used.Digest, ""}}, used.Previous...) {
		if p.Edition != "" && p.Edition != e.ID() && p.Version == m.Version && !older {
			return &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("another edition of %s was installed as version %s before: %s", m.Pack, m.Version, p.Edition),
				Why: "a publisher that gives one version twice may show different law to different nodes", Fix: "ask the publisher for a new version, or insist with --allow-older"}
		}
	}
	version, err := s.versionInUse(fsys, m.Pack)
	if err != nil || version == "" || older {
		return err
	}
	order, err := law.CompareVersions(m.Version, version)
	if err != nil {
		return err
	}
	if order < 0 || order == 0 && used.Edition != "" {
		return &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("version %s of %s is in use, and this edition is %s", version, m.Pack, m.Version),
			Why: "older law must not come back unnoticed", Fix: "insist with --allow-older"}
	}
	return nil
}

func (s Store) versionInUse(fsys fs.FS, id string) (string, error) {
	lib, err := Compile(fsys, s.Cache)
	if err != nil {
		return "", err
	}
	for _, p := range lib.Packs() {
		if p.ID == id {
			return p.Version, nil
		}
	}
	return "", nil
}

// keep writes an edition under its own digest. One with more signatures takes
// the place of itself.
func (s Store) keep(e *law.Edition) error {
	data, err := e.Encode()
	if err != nil {
		return err
	}
	to := s.path(e.ID())
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return corridor.E(corridor.Invalid, "%w", err)
	}
	return replaceFile(to, data)
}

// Rollback puts the edition before back in use, or the pack of the program,
// which needs nobody's trust.
func (s Store) Rollback(id string, builtin bool, now time.Time) (Pack, error) {
	release, err := s.alone()
	if err != nil {
		return Pack{}, err
	}
	defer release()
	in, err := s.Read()
	if err != nil {
		return Pack{}, err
	}
	used, ok := in.Packs[id]
	if !ok || used.Edition == "" && (builtin || len(used.Previous) == 0) {
		return used, &corridor.Error{Kind: corridor.NotFound, Msg: fmt.Sprintf("no edition of %q is installed here", id), Fix: "corridor packs installed lists what is"}
	}
	var to Pack
	if !builtin && len(used.Previous) > 0 && used.Previous[0].Edition != "" {
		before := used.Previous[0]
		e, err := s.edition(before.Edition)
		if err != nil {
			return to, err
		}
		pubs, err := s.trusted()
		if err != nil {
			return to, err
		}
		signers, err := pubs.Check(e)
		if err != nil {
			return to, &corridor.Error{Kind: corridor.Forbidden, Where: s.path(before.Edition), Msg: "the edition before, version " + before.Version + ", is no longer trusted",
				Fix: "list its publisher again, or go back to the pack of the program: corridor packs rollback " + id + " --builtin", Err: err}
		}
		to = Pack{Edition: before.Edition, Version: before.Version, Digest: before.Digest, Signers: signers}
	}
	s.put(&in, id, to, now)
	return in.Packs[id], s.write(in)
}

// kept finds the kept editions whose packs a decision may rest on.
func (s Store) kept() ([]*law.Edition, error) {
	names, err := filepath.Glob(filepath.Join(s.Dir, "editions", "*"+editionExt))
	if err != nil {
		return nil, corridor.E(corridor.Internal, "%w", err)
	}
	var out []*law.Edition
	for _, n := range names {
		if e, err := ReadEdition(n); err == nil { // what is damaged decides nothing, and is missed by its digest
			out = append(out, e)
		}
	}
	return out, nil
}

// decidedAs says whether an edition decided here under a digest, with shared
// files that its publisher did not have.
func (in Installed) decidedAs(edition string, ref corridor.PackRef) bool {
	p := in.Packs[ref.ID]
	return p.Edition == edition && p.Digest == ref.Digest || slices.ContainsFunc(p.Previous, func(old Before) bool {
		return old.Edition == edition && old.Digest == ref.Digest
	})
}

// Library loads the packs that a decision names by their digests: those in
// use, and for the others the kept edition that decides under that digest.
func (s Store) Library(refs []corridor.PackRef) (*law.Library, error) {
	fsys, _, err := s.InUse()
	if err != nil {
		return nil, err
	}
	lib, err := Compile(fsys, s.Cache)
	if err != nil {
		return nil, err
	}
	kept, err := s.kept()
	if err != nil {
		return nil, err
	}
	in, err := s.Read()
	if err != nil {
		return nil, err
	}
	over := map[string]map[string][]byte{}
	for _, ref := range refs {
		if Has(lib, ref) {
			continue
		}
		for _, e := range kept {
			if e.Manifest.Pack == ref.ID && (e.Manifest.Digest == ref.Digest || in.decidedAs(e.ID(), ref)) {
				over[ref.ID] = e.Files
			}
		}
		if own, err := law.Load(packs.FS()); err == nil && over[ref.ID] == nil && Has(own, ref) {
			if over[ref.ID], err = law.PackFiles(packs.FS(), ref.ID); err != nil {
				return nil, err
			}
		}
	}
	if len(over) == 0 {
		return lib, nil
	}
	return Compile(law.Overlay(fsys, over), s.Cache)
}

// Compile loads packs with a cache. What is read is kept, so that collecting
// garbage halfway would only cost time.
func Compile(fsys fs.FS, c law.Cache) (*law.Library, error) {
	before := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(before)
	return law.LoadCached(fsys, c)
}

// Has says whether a library holds the very pack that a decision quotes.
func Has(l *law.Library, p corridor.PackRef) bool {
	return slices.ContainsFunc(l.Packs(), func(have law.PackInfo) bool { return have.Digest == p.Digest })
}
