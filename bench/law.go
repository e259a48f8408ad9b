//go:build bench

package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"time"

	"corridor"
	"corridor/internal/law"
	"corridor/packs"
)

// flow is a flow of which everything is known: contact persons in trade data,
// from China to Kazakhstan.
func flow() corridor.Flow {
	return corridor.Flow{Date: corridor.DateOf(time.Now()), Origin: "CN", Destination: "KZ", Assume: law.DefaultProfile, Facts: corridor.Facts{
		"data_classes": []any{"personal"}, "subjects_ytd": 250000, "sensitive_subjects_ytd": 0, "subjects_in_file": 5000,
		"sensitive_subjects_in_file": 0, "purpose": "marketing", "mechanism": "standard_contract", "impact_assessment": true}}
}

// cold is what a fresh process reports of itself.
type cold struct {
	Load, First time.Duration
	Packs       int
}

// loadRole loads the packs in a process that did nothing before.
// With a directory it takes the image that an earlier one left there.
func loadRole(_ context.Context, args []string) error {
	var c cold
	load := law.Load
	if len(args) == 1 {
		load = func(fsys fs.FS) (*law.Library, error) { return law.LoadCached(fsys, imageFile(args[0])) }
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // as the program does
	at := time.Now()
	l, err := load(packs.FS())
	if err != nil {
		return err
	}
	c.Load, c.Packs = time.Since(at), len(l.Packs())
	at = time.Now()
	if _, err := l.Decide(flow()); err != nil {
		return err
	}
	c.First = time.Since(at)
	return json.NewEncoder(os.Stdout).Encode(c)
}

// imageFile is a cache of one image.
type imageFile string

func (f imageFile) Get(string) []byte {
	data, _ := os.ReadFile(string(f)) // none: the image is made
	return data
}

func (f imageFile) Put(_ string, image []byte) { _ = os.WriteFile(string(f), image, 0o600) }

// law measures decisions and the loading of the packs.
func (b *bench) law() error {
	l, err := law.Load(packs.FS())
	if err != nil {
		return err
	}
	for _, measure := range []func(*law.Library) error{b.decisions, b.batch, b.questions, b.diagrams, b.advice} {
		if err := measure(l); err != nil {
			return err
		}
	}
	took := make([]time.Duration, 20_000)
	for i := range took {
		at := time.Now()
		if _, err := l.Decide(flow()); err != nil {
			return err
		}
		took[i] = time.Since(at)
	}
	b.add("full decision from unread facts, with near misses", "", "%s", quantilesOf(took))
	return b.coldLaw()
}

func (b *bench) coldLaw() error {
	image := filepath.Join(b.dir, "packs.image")
	if err := exec.CommandContext(b.ctx, b.self, "load", image).Run(); err != nil {
		return err
	}
	if err := b.loads("load and compile the packs, in a fresh process, from text", "≤ 150 ms"); err != nil {
		return err
	}
	return b.loads("load and compile the packs, in a fresh process, from the cache", "≤ 30 ms", image)
}

func (b *bench) loads(what, target string, args ...string) error {
	var loads, firsts []time.Duration
	var c cold
	for range 21 {
		out, err := exec.CommandContext(b.ctx, b.self, append([]string{"load"}, args...)...).Output()
		if err != nil {
			return err
		}
		if err := json.Unmarshal(out, &c); err != nil {
			return err
		}
		loads, firsts = append(loads, c.Load), append(firsts, c.First)
	}
	b.add(what, target, "%s (%d packs)", quantilesOf(loads), c.Packs)
	b.add("- first decision after it", "", "%s", quantilesOf(firsts))
	return nil
}
