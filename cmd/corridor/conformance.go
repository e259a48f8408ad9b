//go:build conformance

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/conformance/dsp/profile"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

// conformanceCommands are those of a program built for public test kits:
//
//	go build -tags conformance ./cmd/corridor
//
// They are hidden, and an ordinary program does not hold them at all.
type conformanceCommands struct {
	Conformance conformanceCmd `cmd:"" hidden:"" help:"Run a node for a public test kit. Never for data."`
}

type conformanceCmd struct {
	DSP conformanceDSPCmd `cmd:"" name:"dsp" help:"For the Eclipse Dataspace Protocol TCK."`
	DCP conformanceDCPCmd `cmd:"" name:"dcp" help:"For the Eclipse Decentralized Claims Protocol TCK."`
	EDC conformanceEDCCmd `cmd:"" name:"edc" help:"For Eclipse EDC with its mock identity."`
}

// kitNode is a node in a directory of its own that is gone afterwards.
type kitNode struct {
	*running
	dir      string
	listener net.Listener
}

// openKitNode makes a node that listens on an address, with an empty store and
// the permissive law, for the given kit. Without one it has its own identity,
// and prepare writes what its operator would.
func openKitNode(ctx context.Context, listen string, kit *testKit, log *slog.Logger, prepare ...func(config) error) (*kitNode, error) {
	dir, err := os.MkdirTemp("", "corridor-conformance-")
	if err != nil {
		return nil, corridor.E(corridor.Unavailable, "a directory for the node: %w", err)
	}
	n := &kitNode{dir: dir}
	if err := n.make(ctx, listen, kit, log, prepare); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *kitNode) make(ctx context.Context, listen string, kit *testKit, log *slog.Logger, prepare []func(config) error) (err error) {
	if n.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", listen); err != nil {
		return corridor.E(corridor.Conflict, "cannot listen on %s: %w", listen, err)
	}
	cfg := defaults()
	cfg.DID = "did:web:" + strings.ReplaceAll(n.listener.Addr().String(), ":", "%3A")
	cfg.Name, cfg.Jurisdiction, cfg.Suite, cfg.Listen = "connector under test", profile.NodeCountry, "Ed25519", n.listener.Addr().String()
	cfg.Type, cfg.Traits, cfg.Flags, cfg.AllowPrivate = "private", []string{}, []string{}, true
	if err := createNode(n.dir, cfg); err != nil {
		return err
	}
	if cfg, err = loadConfig(n.dir); err != nil {
		return err
	}
	for _, p := range prepare {
		if err := p(cfg); err != nil {
			return err
		}
	}
	rules, err := profile.Law()
	if err != nil {
		return err
	}
	n.running = &running{cfg: cfg, law: rules, log: log, peers: &peerList{path: cfg.path(cfg.Peers)}, kit: kit}
	return n.open(ctx)
}

func (n *kitNode) close() error {
	var errs []error
	if n.running != nil {
		errs = append(errs, n.running.close())
	}
	if n.listener != nil {
		n.listener.Close() // the server has closed it already, where there was one
	}
	return errors.Join(append(errs, os.RemoveAll(n.dir))...)
}

// conformanceDSPCmd runs the node that the DSP TCK is run against.
type conformanceDSPCmd struct {
	Listen        string        `default:"127.0.0.1:8282" help:"Address and port to listen on."`
	Kit           string        `default:"http://127.0.0.1:8083" help:"The kit's callback address." placeholder:"URL"`
	Authorization string        `default:"conformance" help:"The Authorization header that the kit sends."`
	Delay         time.Duration `default:"400ms" help:"How long the operator of the script takes for each act."`
}

// Run serves until it is told to stop.
func (c conformanceDSPCmd) Run(a *app) (err error) {
	log := slog.New(slog.NewJSONHandler(a.stderr, nil))
	kit := &testKit{identity: profile.Identity{Authorization: c.Authorization, Own: "conformance",
		Peer: identity.Peer{Participant: corridor.Participant{DID: profile.KitID, Jurisdiction: profile.KitCountry, Type: "private"}, Address: c.Kit, Plain: &identity.Plain{Purpose: profile.Purpose}}}}
	operator := profile.NewOperator(c.Delay, log)
	kit.adjust = func(x *exchange.Config) { profile.Adjust(x); x.Changed = operator.Changed }
	n, err := openKitNode(a.ctx, c.Listen, kit, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	n.handler = profile.Triggers(n.handler, n.exchange)
	if err := profile.Seed(a.ctx, n.exchange, n.dir); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(a.ctx)
	g.Go(func() error { return operator.Run(ctx, n.exchange, n.db) })
	g.Go(func() error { return n.run(ctx, n.listener) })
	fmt.Fprintf(a.stdout, "%s for a test kit at %s\n", n.base, c.Kit)
	return g.Wait()
}
