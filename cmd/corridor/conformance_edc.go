//go:build conformance

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"corridor/conformance/dsp/profile"
	"corridor/internal/editions"
	"corridor/internal/exchange"
	"corridor/internal/server"
)

// conformanceEDCCmd serves a node directory as serve does, with one thing
// otherwise: peers are known by EDC's mock identity instead of signed tokens.
type conformanceEDCCmd struct {
	Dir string `default:"." type:"path" help:"Node directory." env:"CORRIDOR_DIR"`
}

// Run serves until it is told to stop.
func (c conformanceEDCCmd) Run(a *app) (err error) {
	cfg, err := loadConfig(c.Dir)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: level(cfg.LogLevel)}))
	l, err := listen(a.ctx, cfg)
	if err != nil {
		return err
	}
	defer l.Close()
	rules, signed, err := cfg.packStore().Load(editions.Images(filepath.Join(c.Dir, "cache")))
	if err != nil {
		return err
	}
	base, err := cfg.base()
	if err != nil {
		return err
	}
	n := &running{cfg: cfg, law: rules, signed: signed, log: log, peers: &peerList{path: cfg.path(cfg.Peers)}}
	n.kit = &testKit{identity: profile.EDC{Own: cfg.DID, Base: base + server.Base, Peers: n.peers}, adjust: func(*exchange.Config) {}}
	if err := n.open(a.ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	g, ctx := errgroup.WithContext(a.ctx)
	g.Go(func() error { return n.run(ctx, l) })
	fmt.Fprintf(a.stdout, "%s for Eclipse EDC with its mock identity: whoever writes a name is believed\n", n.base)
	return g.Wait()
}
