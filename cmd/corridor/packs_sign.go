package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"corridor"
	"corridor/internal/editions"
	"corridor/internal/law"
	"corridor/packs"
)

type packsKeygenCmd struct {
	Name string `arg:"" help:"Name of the publisher, such as law.gov.example. It stands in every signature."`
	Out  string `required:"" type:"path" placeholder:"FILE" help:"File for the private key. It must not exist."`
}

// Help is the long help with examples.
func (packsKeygenCmd) Help() string {
	return `Makes an Ed25519 key to sign rule packs with. The private key is written to a file that only
you can read; the verifier key is printed. Give it to operators over a way that they trust.

Example:
  corridor packs keygen law.gov.example --out publisher.key`
}

// Run makes the key.
func (c packsKeygenCmd) Run(a *app) error {
	private, public, err := note.GenerateKey(rand.Reader, c.Name)
	if err == nil {
		_, err = note.NewSigner(private)
	}
	if err != nil || strings.ContainsAny(c.Name, "+ \t\n") {
		return &corridor.Error{Kind: corridor.Invalid, Where: c.Name, Msg: "cannot name a publisher", Fix: "use a name without spaces and plus signs, such as law.gov.example"}
	}
	if err := writePrivate(c.Out, []byte(private+"\n")); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, public)
	return err
}

// openPublisherKey reads a private key that nobody else can read.
func openPublisherKey(path string) (note.Signer, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, corridor.Unreadable(err)
	}
	if !editions.Private(path) {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: fmt.Sprintf("mode %04o: others may read it", info.Mode().Perm()), Fix: "run: chmod 600 " + path}
	}
	raw, err := editions.ReadPlain(path)
	if err != nil {
		return nil, err
	}
	s, err := note.NewSigner(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "this is no key to sign rule packs with", Fix: "make one with: corridor packs keygen"} // err may quote the key
	}
	return s, nil
}

type packsSignCmd struct {
	What       string `arg:"" help:"The pack's directory or pack.yaml, the id of a built-in pack, or an edition to sign too."`
	Key        string `required:"" type:"path" placeholder:"FILE" help:"Private key, from packs keygen."`
	Out        string `required:"" type:"path" placeholder:"FILE" help:"File for the edition. It must not exist."`
	Issued     string `placeholder:"YYYY-MM-DD" help:"Day of issue. Default: today."`
	Supersedes string `placeholder:"DIGEST" help:"The edition that this one takes the place of: sha256:..."`
}

// Help is the long help with examples.
func (packsSignCmd) Help() string {
	return `Makes one file of a rule pack: its text, its cases and a signature. The pack must load among
the packs around it (or those built in), and its cases must pass. An edition that somebody signed
already can be signed again by another publisher; both signatures stand then.

Examples:
  corridor packs sign packs/kz --key publisher.key --out kz-2026.12.1.corridor-pack
  corridor packs sign kz-2026.12.1.corridor-pack --key second.key --out kz-signed-twice.corridor-pack`
}

// Run signs.
func (c packsSignCmd) Run(a *app) error {
	signer, err := openPublisherKey(c.Key)
	if err != nil {
		return err
	}
	issued, err := dayOf("--issued", c.Issued, corridor.DateOf(time.Now()))
	if err != nil {
		return err
	}
	e, err := c.edition(issued)
	if err != nil {
		return err
	}
	if err := e.Sign(signer); err != nil {
		return err
	}
	data, err := e.Encode()
	if err != nil {
		return err
	}
	if err := writeWhole(c.Out, data); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n  %s %s of %s, signed by %s\n  %s\n", c.Out, e.Manifest.Pack, e.Manifest.Version, e.Manifest.Jurisdiction, strings.Join(e.Keys(), ", "), e.ID())
	return err
}

func (c packsSignCmd) edition(issued corridor.Date) (*law.Edition, error) {
	if data, err := editions.ReadPlain(c.What); err == nil && bytes.HasPrefix(data, []byte("{")) {
		return law.DecodeEdition(data)
	}
	fsys, dir, err := packAround(c.What)
	if err != nil {
		return nil, err
	}
	e, err := law.NewEdition(fsys, dir, issued, c.Supersedes)
	if err != nil {
		return nil, err
	}
	return e, law.CheckCases(fsys, dir)
}

// packAround gives the packs among which a pack stands, and its id.
func packAround(what string) (fs.FS, string, error) {
	if files, err := law.PackFiles(packs.FS(), what); err == nil && files["pack.yaml"] != nil {
		return packs.FS(), what, nil
	}
	dir := what
	if filepath.Base(what) == "pack.yaml" {
		dir = filepath.Dir(what)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, "", corridor.E(corridor.Invalid, "%w", err)
	}
	files, err := law.PackFiles(os.DirFS(filepath.Dir(dir)), filepath.Base(dir))
	if err != nil {
		return nil, "", err
	}
	if files["pack.yaml"] == nil {
		return nil, "", &corridor.Error{Kind: corridor.Invalid, Where: what, Msg: "holds no pack.yaml, and is no pack of this program and no edition", Fix: "name a pack's directory"}
	}
	around := os.DirFS(filepath.Dir(dir))
	if _, err := fs.Stat(around, "vocabulary.yaml"); errors.Is(err, fs.ErrNotExist) {
		return law.Overlay(packs.FS(), map[string]map[string][]byte{filepath.Base(dir): files}), filepath.Base(dir), nil
	}
	return around, filepath.Base(dir), nil
}

type packsVerifyCmd struct {
	File       string `arg:"" help:"An edition."`
	Publishers string `placeholder:"FILE" help:"File of the publishers. Default: that of the node directory."`
	Dir        string `type:"path" default:"." help:"Node directory whose publishers and packs are meant." env:"CORRIDOR_DIR"`
	JSON       bool   `name:"json" help:"Print one JSON object."`
}

// Help is the long help with examples.
func (packsVerifyCmd) Help() string {
	return `Checks an edition as an installation would, and changes nothing: the digests, the signatures,
whether a publisher of its jurisdiction signed it, whether it fits the packs here without touching
the law of anybody else, and whether its own cases pass.

Examples:
  corridor packs verify kz-2026.12.1.corridor-pack --dir node
  corridor packs verify kz-2026.12.1.corridor-pack --publishers publishers.yaml --json

Exit codes: 0 good, 1 refused, 2 bad input.`
}

// verifiedEdition is the answer as JSON.
type verifiedEdition struct {
	Edition  string       `json:"edition"`
	Manifest law.Manifest `json:"manifest"`
	law.Admitted
}

// Run verifies.
func (c packsVerifyCmd) Run(a *app) error {
	e, err := editions.ReadEdition(c.File)
	if err != nil {
		return err
	}
	fsys, pubs, err := c.against()
	if err != nil {
		return err
	}
	got, err := law.Admit(fsys, e, pubs)
	if err != nil {
		return err
	}
	if err := editions.CheckIssued(e, time.Now()); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, verifiedEdition{e.ID(), e.Manifest, *got})
	}
	return showAdmitted(a, e, got)
}

func (c packsVerifyCmd) against() (fs.FS, *law.Publishers, error) {
	fsys, file := packs.FS(), c.Publishers
	if _, err := os.Stat(filepath.Join(c.Dir, configFile)); err == nil {
		cfg, err := loadConfig(c.Dir)
		if err != nil {
			return nil, nil, err
		}
		if fsys, _, err = cfg.packStore().InUse(); err != nil {
			return nil, nil, err
		}
		if file == "" {
			file = cfg.path(cfg.Publishers)
		}
	}
	if file == "" {
		return nil, nil, &corridor.Error{Kind: corridor.Invalid, Where: "--publishers", Msg: "is missing: whose signature counts?", Fix: "name the file of publishers, or a node with --dir"}
	}
	pubs, err := editions.ReadPublishers(file)
	return fsys, pubs, err
}

func showAdmitted(a *app, e *law.Edition, got *law.Admitted) error {
	m := e.Manifest
	fmt.Fprintf(a.stdout, "%s %s of %s, issued %s, signed by %s\n", m.Pack, m.Version, m.Jurisdiction, m.Issued, strings.Join(got.Signers, ", "))
	fmt.Fprintf(a.stdout, "  edition %s\n  decisions quote %s\n  %d cases of its own pass\n", e.ID(), got.Digest, got.Cases)
	if got.SharedDiffer {
		fmt.Fprintf(a.stdout, "  its publisher had other shared files (vocabulary, obligations): decisions there quote %s\n", m.Digest)
	}
	return nil
}
