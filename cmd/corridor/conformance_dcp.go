//go:build conformance

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"corridor"
	"corridor/conformance/dcp/profile"
	dspprofile "corridor/conformance/dsp/profile"
)

// conformanceDCPCmd runs the node that the DCP TCK is run against. It is a node
// with its own identity: only its peers and rules on credentials are the kit's.
type conformanceDCPCmd struct {
	Listen string `default:"127.0.0.1:8282" help:"Address and port to listen on."`
	Kit    string `default:"http://127.0.0.1:8083" help:"The kit's callback address." placeholder:"URL"`
}

// Run serves until it is told to stop.
func (c conformanceDCPCmd) Run(a *app) (err error) {
	log := slog.New(slog.NewJSONHandler(a.stderr, nil))
	peers, err := profile.Peers(c.Kit, dspprofile.KitCountry)
	if err != nil {
		return err
	}
	rules, err := profile.Credentials(c.Kit)
	if err != nil {
		return err
	}
	n, err := openKitNode(a.ctx, c.Listen, nil, log, func(cfg config) error {
		return errors.Join(writeText(cfg.path(cfg.Peers), peers), writeText(cfg.path(cfg.Credentials), rules))
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	if err := profile.Expect(a.ctx, n.claims.wallet, c.Kit); err != nil {
		return err
	}
	n.handler = profile.Endpoints(n.handler, n.claims.wallet)
	fmt.Fprintf(a.stdout, "%s for a test kit at %s\n", n.base, c.Kit)
	return n.run(a.ctx, n.listener)
}

func writeText(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return corridor.E(corridor.Unavailable, "%s: %w", path, err)
	}
	return nil
}
