//go:build bench

package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
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
func loadRole(context.Context, []string) error {
	var c cold
	at := time.Now()
	l, err := law.Load(packs.FS())
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

// law measures decisions and the loading of the packs.
func (b *bench) law() error {
	l, err := law.Load(packs.FS())
	if err != nil {
		return err
	}
	p, err := l.Prepare(flow())
	if err != nil {
		return err
	}
	n := 200_000
	took := make([]time.Duration, n)
	for range 3 { // the first rounds warm up
		for i := range took {
			at := time.Now()
			p.Decide()
			took[i] = time.Since(at)
		}
	}
	b.add("full decision, both sides, packs loaded, in process", "p50 ≤ 3 µs", "%s", quantilesOf(took))
	took = took[:n/10]
	for i := range took {
		at := time.Now()
		if _, err := l.Decide(flow()); err != nil {
			return err
		}
		took[i] = time.Since(at)
	}
	b.add("- the same from unread facts, with near misses", "", "%s", quantilesOf(took))
	return b.coldLaw()
}

func (b *bench) coldLaw() error {
	var loads, firsts []time.Duration
	var c cold
	for range 21 {
		out, err := exec.CommandContext(b.ctx, b.self, "load").Output()
		if err != nil {
			return err
		}
		if err := json.Unmarshal(out, &c); err != nil {
			return err
		}
		loads, firsts = append(loads, c.Load), append(firsts, c.First)
	}
	b.add("load and compile the packs, in a fresh process", "≤ 50 ms", "%s (%d packs)", quantilesOf(loads), c.Packs)
	b.add("- first decision after it", "", "%s", quantilesOf(firsts))
	return nil
}
