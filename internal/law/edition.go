package law

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	signed "golang.org/x/mod/sumdb/note"

	"corridor"
)

// An edition is one version of one rule pack as its publisher signed it: one
// file of canonical JSON with the texts of the pack and a C2SP signed note
// about them. The note's text is what is signed; its digest names the
// edition, whoever signs it, now or later.

// EditionFormat is the first line of the signed text.
const EditionFormat = "corridor-pack-edition/v1"

// MaxEdition bounds an edition as a file.
const MaxEdition = 4 << 20

// maxSignatures bounds the signatures of one edition.
const maxSignatures = 16

// editionFiles are the files that a pack may have.
var editionFiles = []string{"pack.yaml", "cases.yaml", "kits.yaml"}

// Manifest is what a publisher signs.
type Manifest struct {
	Pack         string            `json:"pack"`
	Jurisdiction string            `json:"jurisdiction"` // a state, EU, or treaty
	Members      []string          `json:"members,omitempty"`
	Version      string            `json:"version"`
	Issued       corridor.Date     `json:"issued"`
	Supersedes   string            `json:"supersedes,omitempty"` // the edition before: "sha256:..."
	Digest       string            `json:"digest"`               // that decisions quote, with the shared files below
	Shared       string            `json:"shared"`               // of the vocabulary and the other files that all packs share
	Engine       string            `json:"engine"`
	Files        map[string]string `json:"files"` // "sha256:..." by name
}

// Edition is a pack with its manifest and signatures.
type Edition struct {
	Manifest Manifest
	Files    map[string][]byte
	text     string // what is signed
	sigs     []signed.Signature
}

// editionFile is the form of an edition on disk.
type editionFile struct {
	Files map[string]string `json:"files"`
	Note  string            `json:"note"`
}

// ID names the edition by its signed text.
func (e *Edition) ID() string { return corridor.Digest([]byte(e.text)) }

// Keys names the keys that signed: name and hash, as they stand in the note.
// Whether a signature is good, only Publishers.Check says.
func (e *Edition) Keys() []string {
	var out []string
	for _, s := range e.sigs {
		out = append(out, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
	}
	return out
}

// NewEdition makes an unsigned edition of the pack in a directory of fsys,
// which holds the shared files too. All of it must load.
func NewEdition(fsys fs.FS, dir string, issued corridor.Date, supersedes string) (*Edition, error) {
	raw, err := readFiles(fsys)
	if err != nil {
		return nil, err
	}
	lib, errs := build(raw, nil)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	at := slices.IndexFunc(lib.packs, func(p *pack) bool { return p.id == dir })
	if at < 0 {
		e := corridor.E(corridor.NotFound, "no rule pack %q", clip(dir))
		e.Fix = didYouMean(dir, packIDs(lib, lib))
		return nil, e
	}
	p := lib.packs[at]
	e := &Edition{Manifest: Manifest{Pack: p.id, Jurisdiction: p.jurisdiction, Members: p.members, Version: p.version,
		Issued: issued, Supersedes: supersedes, Digest: p.digest, Shared: raw.sharedDigest(), Engine: Engine, Files: map[string]string{}}}
	if e.Files, err = PackFiles(fsys, dir); err != nil {
		return nil, err
	}
	for name, data := range e.Files {
		e.Manifest.Files[name] = corridor.Digest(data)
	}
	if err := e.Manifest.check(); err != nil {
		return nil, err
	}
	manifest, err := corridor.Canonical(e.Manifest)
	if err != nil {
		return nil, err
	}
	e.text = EditionFormat + "\n" + string(manifest) + "\n"
	return e, nil
}

// PackFiles reads the files of one pack.
func PackFiles(fsys fs.FS, dir string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, name := range editionFiles {
		data, err := readOne(fsys, path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[name] = data
	}
	return out, nil
}

// Sign adds a signature. A key signs once.
func (e *Edition) Sign(s signed.Signer) error {
	msg, err := signed.Sign(&signed.Note{Text: e.text, Sigs: e.sigs}, s)
	if err != nil {
		return corridor.E(corridor.Invalid, "sign edition: %w", err)
	}
	return e.read(string(msg))
}

// read reads a note about the edition without judging its signatures.
func (e *Edition) read(msg string) error {
	n, err := signed.Open([]byte(msg), signed.VerifierList())
	var unverified *signed.UnverifiedNoteError
	if errors.As(err, &unverified) {
		n, err = unverified.Note, nil
	}
	if err != nil {
		return corridor.E(corridor.Invalid, "the signed note: %w", err)
	}
	e.text, e.sigs = n.Text, n.UnverifiedSigs
	for _, s := range e.sigs { // one signature has one spelling
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return corridor.E(corridor.Invalid, "the signature of %s is not canonical base64", clip(s.Name))
		}
	}
	if len(e.sigs) > maxSignatures {
		return corridor.E(corridor.Limited, "more than %d signatures", maxSignatures)
	}
	return nil
}

// note is the text with its signatures.
func (e *Edition) note() string {
	var b strings.Builder
	b.WriteString(e.text + "\n")
	for _, s := range e.sigs {
		b.WriteString("— " + s.Name + " " + s.Base64 + "\n")
	}
	return b.String()
}

// Encode writes the edition; the same edition gives the same bytes.
func (e *Edition) Encode() ([]byte, error) {
	f := editionFile{Files: map[string]string{}, Note: e.note()}
	for name, data := range e.Files {
		f.Files[name] = string(data)
	}
	data, err := corridor.Canonical(f)
	if err == nil && len(data) > MaxEdition {
		err = corridor.E(corridor.Limited, "an edition of %d bytes is over the limit of %d", len(data), MaxEdition)
	}
	return data, err
}

// DecodeEdition reads an edition strictly: canonical JSON, no unknown member,
// every file there with the digest that is signed, and none besides. It does
// not judge the signatures.
func DecodeEdition(data []byte) (*Edition, error) {
	if len(data) > MaxEdition {
		return nil, corridor.E(corridor.Limited, "an edition of %d bytes is over the limit of %d", len(data), MaxEdition)
	}
	if err := corridor.CheckCanonical(data); err != nil {
		return nil, fmt.Errorf("not an edition of a rule pack: %w", err)
	}
	var f editionFile
	if err := strictly(data, &f); err != nil {
		return nil, fmt.Errorf("not an edition of a rule pack: %w", err)
	}
	e := &Edition{Files: map[string][]byte{}}
	if err := e.read(f.Note); err != nil {
		return nil, err
	}
	body, ok := strings.CutPrefix(e.text, EditionFormat+"\n")
	if !ok {
		line, _, _ := strings.Cut(e.text, "\n")
		return nil, corridor.E(corridor.Invalid, "the signed text begins %q, not %q", clip(line), EditionFormat)
	}
	body = strings.TrimSuffix(body, "\n")
	if err := corridor.CheckCanonical([]byte(body)); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if err := strictly([]byte(body), &e.Manifest); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if err := e.Manifest.check(); err != nil {
		return nil, err
	}
	for name, text := range f.Files {
		e.Files[name] = []byte(text)
	}
	if again, err := e.Encode(); err != nil || !bytes.Equal(again, data) {
		return nil, orElse(err, corridor.E(corridor.Invalid, "the edition reads back differently"))
	}
	return e, e.complete()
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// strictly decodes one JSON value without unknown members.
func strictly(data []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return corridor.E(corridor.Invalid, "%w", err)
	}
	return nil
}

// complete holds the files against the manifest.
func (e *Edition) complete() error {
	for name := range e.Files {
		if e.Manifest.Files[name] == "" {
			return corridor.E(corridor.Invalid, "the file %q is not in the manifest", clip(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Manifest.Files)) {
		data, ok := e.Files[name]
		switch got := corridor.Digest(data); {
		case !ok:
			return corridor.E(corridor.Invalid, "the file %s of the manifest is missing", name)
		case got != e.Manifest.Files[name]:
			return corridor.E(corridor.Invalid, "%s has the digest %s, and the publisher signed %s", name, got, e.Manifest.Files[name])
		case len(data) > maxFile:
			return corridor.E(corridor.Limited, "%s has %d bytes, over the limit of %d", name, len(data), maxFile)
		case !utf8.Valid(data):
			return corridor.E(corridor.Invalid, "%s is not UTF-8", name)
		}
	}
	return nil
}

// check looks at the manifest by itself.
func (m *Manifest) check() error {
	bad := func(field, format string, args ...any) error {
		e := corridor.E(corridor.Invalid, format, args...)
		e.Where = "manifest." + field
		return e
	}
	if !isName(m.Pack) || strings.Contains(m.Pack, ".") { // it names a directory
		return bad("pack", "%q does not name a pack", clip(m.Pack))
	}
	if len(m.Jurisdiction) != 2 && m.Jurisdiction != layerTreaty {
		return bad("jurisdiction", "%q is no jurisdiction", clip(m.Jurisdiction))
	}
	if _, err := parseVersion(m.Version); err != nil {
		return bad("version", "%w", err)
	}
	if m.Issued == 0 {
		return bad("issued", "is missing")
	}
	for field, digest := range map[string]string{"digest": m.Digest, "shared": m.Shared} {
		if !isDigest(digest) {
			return bad(field, "%q is not a digest", clip(digest))
		}
	}
	if m.Supersedes != "" && !isDigest(m.Supersedes) {
		return bad("supersedes", "%q is not a digest", clip(m.Supersedes))
	}
	if m.Files["pack.yaml"] == "" {
		return bad("files", "holds no pack.yaml")
	}
	for name, digest := range m.Files {
		if !slices.Contains(editionFiles, name) {
			return bad("files", "%q is no file of a pack; those are %s", clip(name), strings.Join(editionFiles, ", "))
		}
		if !isDigest(digest) {
			return bad("files."+name, "%q is not a digest", clip(digest))
		}
	}
	return nil
}

func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// parseVersion reads numbers with dots, such as 2026.11.26 or 2026.11.26.2.
func parseVersion(s string) ([]int64, error) {
	var out []int64
	for part := range strings.SplitSeq(s, ".") {
		n, ok := digits(part)
		if !ok {
			return nil, corridor.E(corridor.Invalid, "%q is not a version: write numbers with dots, such as 2026.11.26", clip(s))
		}
		out = append(out, n)
	}
	return out, nil
}

func digits(s string) (int64, bool) {
	if s == "" || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n := int64(0)
	for _, c := range s {
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// CompareVersions orders the versions of two editions of one pack.
func CompareVersions(a, b string) (int, error) {
	x, errX := parseVersion(a)
	y, errY := parseVersion(b)
	return slices.Compare(x, y), errors.Join(errX, errY)
}
