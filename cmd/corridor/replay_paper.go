package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"corridor"
	"corridor/internal/editions"
	"corridor/internal/law"
	"corridor/internal/paper"
)

type replayCmd struct {
	File  string `arg:"" help:"An assessment (check --report out.json), a filled kit (kit fill --out kit.json) or a decision (check --json); - reads standard input."`
	JSON  bool   `name:"json" help:"Print one JSON object."`
	Packs string `placeholder:"DIR" help:"Use the rule packs of a directory instead of those built in, or all that were ever in use in a node directory."`
}

// Help is the long help with examples.
func (replayCmd) Help() string {
	return `Decides once more, from the facts and the day that the file holds, and compares the result with
the file, bit for bit. The rule packs must be the very editions that it names by their digests,
and the engine the same: otherwise nothing is compared, and the answer says which is missing.

Examples:
  corridor check --from CN --to KZ --facts facts.yaml --report a.json
  corridor replay a.json
  corridor check --from CN --to KZ --facts facts.yaml --json | corridor replay -
  corridor replay a.json --packs ./packs-2026-11

Exit codes: 0 the same, 1 another answer, or the packs or the engine are not here, 2 bad input.`
}

// replayed is the answer as JSON.
type replayed struct {
	File    string             `json:"file"`
	Same    bool               `json:"same"`
	Was     corridor.Outcome   `json:"was"`
	Now     corridor.Outcome   `json:"now"`
	Line    int                `json:"line,omitempty"` // of the first difference
	Packs   []corridor.PackRef `json:"packs"`
	Digest  string             `json:"digest"` // of the file
	Engine  string             `json:"engine"`
	Program string             `json:"program,omitempty"` // that wrote an assessment
}

// Run decides again and compares.
func (c replayCmd) Run(a *app) error {
	data, err := readInput(a, c.File)
	if err != nil {
		return err
	}
	lib, err := c.library(data)
	if err != nil {
		return err
	}
	r, err := replay(lib, data)
	if err != nil {
		if e, ok := errors.AsType[*corridor.Error](err); ok && e.Where == "" {
			e.Where = c.File
		}
		return err
	}
	if r.File = filepath.Base(c.File); c.File == "-" {
		r.File = "-"
	}
	switch {
	case c.JSON:
		err = printJSON(a.stdout, r)
	case r.Same:
		_, err = fmt.Fprintf(a.stdout, "the same, bit for bit: %s\n%s\n", r.Now, r.Digest)
	default:
		_, err = fmt.Fprintf(a.stdout, "NOT the same: it says %s, and the law gives %s; the first difference is in line %d\n", r.Was, r.Now, r.Line)
	}
	if err == nil && !r.Same {
		return exit(exitFailed)
	}
	return err
}

// library loads the packs to decide with. A node directory brings every
// edition that was ever in use there.
func (c replayCmd) library(data []byte) (*law.Library, error) {
	if _, err := os.Stat(filepath.Join(c.Packs, configFile)); c.Packs == "" || err != nil {
		return loadPacks(c.Packs)
	}
	cfg, err := loadConfig(c.Packs)
	if err != nil {
		return nil, err
	}
	var file struct {
		Packs   []corridor.PackRef `json:"packs"`
		Verdict struct {
			Packs []corridor.PackRef `json:"packs"`
		} `json:"verdict"`
	}
	_ = json.Unmarshal(data, &file) // what cannot be read is refused by replay
	return cfg.packStore().Library(append(file.Packs, file.Verdict.Packs...))
}

// replay decides what a file decided and holds the two against each other.
func replay(lib *law.Library, data []byte) (replayed, error) {
	var kind struct {
		Format *string `json:"format"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return replayed{}, &corridor.Error{Kind: corridor.Invalid, Msg: "is not JSON", Fix: "give a file that check --report out.json or check --json wrote", Err: err}
	}
	r := replayed{Digest: corridor.Digest(data), Engine: law.Engine}
	again := r.verdict
	if kind.Format != nil {
		if again = r.assessment; *kind.Format == paper.KitFormat {
			again = r.kit
		}
	}
	now, err := again(lib, data)
	if err != nil {
		return r, err
	}
	if r.Same = bytes.Equal(data, now); !r.Same {
		r.Line = firstLine(data, now)
	}
	return r, nil
}

// assessment makes an assessment once more.
func (r *replayed) assessment(lib *law.Library, data []byte) ([]byte, error) {
	was, err := paper.Decode(data)
	if err != nil {
		return nil, err
	}
	if err := replayable(lib, was.Engine, was.Verdict.Packs); err != nil {
		return nil, err
	}
	now, err := paper.Assess(lib, was.Input())
	if err != nil {
		return nil, err
	}
	r.Was, r.Now, r.Packs, r.Program = was.Verdict.Outcome, now.Verdict.Outcome, was.Verdict.Packs, was.Program
	return now.Encode()
}

// kit fills a kit once more.
func (r *replayed) kit(lib *law.Library, data []byte) ([]byte, error) {
	was, err := paper.DecodeKit(data)
	if err != nil {
		return nil, err
	}
	if err := replayable(lib, was.Engine, was.Packs); err != nil {
		return nil, err
	}
	if here, err := lib.Kit(was.Kit.ID); err != nil || here.Digest != was.Kit.Digest {
		return nil, &corridor.Error{Kind: corridor.NotFound, Where: "kit." + was.Kit.ID, Msg: "the kits of " + was.Kit.Pack + ", " + was.Kit.Digest + ", are not here", Fix: "name a directory that holds them with --packs", Err: err}
	}
	now, err := paper.FillKit(lib, was.Input())
	if err != nil {
		return nil, err
	}
	r.Was, r.Now, r.Packs, r.Program = was.Outcome, now.Outcome, was.Packs, was.Program
	return now.Encode()
}

// verdict decides once more.
func (r *replayed) verdict(lib *law.Library, data []byte) ([]byte, error) {
	was, err := decodeVerdict(data)
	if err != nil {
		return nil, err
	}
	if err := replayable(lib, engineOf(was), was.Packs); err != nil {
		return nil, err
	}
	now, err := lib.Decide(was.Flow)
	if err != nil {
		return nil, err
	}
	r.Was, r.Now, r.Packs = was.Outcome, now.Outcome, was.Packs
	var b bytes.Buffer
	err = printJSON(&b, now)
	return b.Bytes(), err
}

func decodeVerdict(data []byte) (corridor.Verdict, error) {
	var v corridor.Verdict
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil || len(v.Sides) == 0 {
		return v, &corridor.Error{Kind: corridor.Invalid, Msg: "is neither an assessment nor a decision", Fix: "give a file that check --report out.json or check --json wrote", Err: err}
	}
	return v, nil
}

func engineOf(v corridor.Verdict) string {
	for _, d := range v.Sides {
		if d.Engine != law.Engine {
			return d.Engine
		}
	}
	return law.Engine
}

// replayable says that the law of a decision is here: the engine, and every
// pack in the edition that its digest names.
func replayable(lib *law.Library, engine string, packs []corridor.PackRef) error {
	if engine != law.Engine {
		return &corridor.Error{Kind: corridor.NotFound, Where: "engine", Msg: fmt.Sprintf("was decided by %q, and this program has %s", engine, law.Engine), Fix: "replay it with the program that wrote it"}
	}
	for _, p := range packs {
		if !editions.Has(lib, p) {
			return &corridor.Error{Kind: corridor.NotFound, Where: "packs." + p.ID, Msg: fmt.Sprintf("edition %s, %s, is not here", p.Version, p.Digest), Fix: "name a directory that holds this edition with --packs"}
		}
	}
	return nil
}

// firstLine is the first line in which two texts differ.
func firstLine(a, b []byte) int {
	line := 1
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			break
		}
		if a[i] == '\n' {
			line++
		}
	}
	return line
}
