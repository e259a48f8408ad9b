package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/editions"
	"corridor/internal/identity"
	"corridor/internal/law"
	"corridor/internal/ledger"
	"corridor/internal/store"
	"corridor/packs"
	"corridor/verify"
)

// demoScene is who takes part: two nodes and a witness, each with its own
// directory, keys, database and port.
type demoScene struct {
	ctx      context.Context // ends when the demo does
	group    *errgroup.Group
	rules    *law.Library
	exporter *party
	importer *party
	others   []*party // of the demo in three countries
	witness  *witnessHouse
	policy   []byte
}

// party is one organisation on the scene.
type party struct {
	*running
	listener net.Listener
	country  string
	name     string
}

// witnessHouse is the third country's witness.
type witnessHouse struct {
	db       *store.DB
	listener net.Listener
	name     string
	vkey     string
}

const witnessCountry = "UZ"

// openScene makes three directories and opens what is in them.
func (d *demo) openScene() (err error) {
	s := &d.scene
	if s.rules, err = editions.Compile(packs.FS(), editions.UserImages()); err != nil {
		return err
	}
	if s.exporter, err = d.newParty("exporter", "yangtze", "CN", verify.SM2); err != nil {
		return err
	}
	if s.importer, err = d.newParty("importer", "caspian", "KZ", verify.Ed25519); err != nil {
		return err
	}
	return d.openParties()
}

// parties are all organisations on the scene.
func (s *demoScene) parties() (list []*party) {
	for _, p := range append([]*party{s.exporter, s.importer}, s.others...) {
		if p != nil && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// openParties opens the witness and the nodes, each of which knows the others,
// and shows them.
func (d *demo) openParties() error {
	s := &d.scene
	if err := d.openWitness(); err != nil {
		return err
	}
	for _, p := range s.parties() {
		if err := d.openParty(p); err != nil {
			return err
		}
	}
	rows := [][]string{}
	for _, p := range s.parties() {
		rows = append(rows, []string{p.name, d.words.t(p.country), d.words.t("signs", p.cfg.Suite), p.cfg.DID})
		d.show.note(p.country, map[string]string{"did": p.cfg.DID, "url": p.base, "suite": p.cfg.Suite, "dir": p.cfg.dir})
	}
	rows = append(rows, []string{d.words.t("observer"), d.words.t(witnessCountry), d.words.t(d.counted("cosigns")), s.witness.name})
	d.show.note("witness", s.witness.vkey)
	d.show.table(rows)
	return nil
}

// newParty makes a node directory as corridor init does, on a free port.
func (d *demo) newParty(dir, name, country, suite string) (*party, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, corridor.E(corridor.Unavailable, "no port on 127.0.0.1: %w", err)
	}
	cfg := defaults()
	cfg.DID = "did:web:" + strings.ReplaceAll(l.Addr().String(), ":", "%3A")
	cfg.Name, cfg.Jurisdiction, cfg.Suite, cfg.Listen = d.words.t(name), country, suite, l.Addr().String()
	cfg.Type, cfg.Traits, cfg.Flags = "private", []string{}, []string{}
	cfg.WitnessPolicy = "../witness-policy.txt"
	if !d.ownFile {
		cfg.Assume = demoProfile
	}
	place := d.place(dir)
	if err := createNode(place, cfg); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if cfg, err = loadConfig(place); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	p := &party{running: &running{cfg: cfg}, listener: l, country: country, name: d.words.t(name)}
	return p, p.openKeys(d.ctx)
}

// openWitness makes the witness of all logs and the policy that names it.
func (d *demo) openWitness() error {
	dir := d.place("witness")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unwritable(dir, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return corridor.E(corridor.Unavailable, "no port on 127.0.0.1: %w", err)
	}
	w := &witnessHouse{listener: l, name: "witness.example.uz"}
	d.scene.witness = w
	var logs []string
	policy := "# The witnesses of this demo, in the format of C2SP tlog-policy.\n"
	for _, p := range d.scene.parties() {
		vkey, err := p.keys.LogVKey(p.listener.Addr().String() + logPath)
		if err != nil {
			return err
		}
		logs = append(logs, vkey)
		policy += "log " + vkey + "\n"
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return corridor.E(corridor.Internal, "witness key: %w", err)
	}
	if w.db, err = store.Open(d.ctx, d.place("witness", "witness.db"), ledger.WitnessMigrations...); err != nil {
		return err
	}
	witness, err := ledger.NewWitness(w.db, ledger.WitnessConfig{Name: w.name, Keys: []crypto.Signer{key}, Logs: logs})
	if err != nil {
		return err
	}
	w.vkey = witness.VKeys()[0]
	policy += fmt.Sprintf("witness %s %s http://%s\nquorum %s\n", w.name, w.vkey, l.Addr(), w.name)
	d.scene.policy = []byte(policy)
	srv := &http.Server{Handler: witness.Handler(), ReadHeaderTimeout: stopTime}
	d.scene.group.Go(func() error { return ignoreClosed(srv.Serve(l)) })
	d.scene.group.Go(func() error { <-d.scene.ctx.Done(); return srv.Close() })
	return os.WriteFile(d.place("witness-policy.txt"), d.scene.policy, 0o644)
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// openParty tells a node about the others and starts it.
func (d *demo) openParty(p *party) error {
	for _, other := range d.scene.parties() {
		if other == p {
			continue
		}
		vkey, err := other.keys.LogVKey(other.listener.Addr().String() + logPath)
		if err != nil {
			return err
		}
		known := identity.Peer{Participant: corridor.Participant{DID: other.cfg.DID, Name: other.name, Jurisdiction: other.country, Type: "private", Traits: []string{}, Flags: []string{}}, LogVKey: vkey}
		if err := addPeer(p.cfg.path(p.cfg.Peers), known); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(p.cfg.path("node.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return unwritable(p.cfg.dir, err)
	}
	if p.running, err = openNode(d.ctx, p.cfg, d.scene.rules, nil, slog.New(slog.NewJSONHandler(log, nil))); err != nil {
		return errors.Join(err, log.Close())
	}
	d.scene.group.Go(func() error { return errors.Join(p.run(d.scene.ctx, p.listener), log.Close()) })
	return nil
}

// signs waits until the logs of all have been compared with their witness: a
// node signs nothing before.
func (s *demoScene) signs(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	for _, p := range s.parties() {
		if err := p.ledger.Reconciled(ctx); err != nil {
			return err
		}
	}
	return nil
}

// close waits until everything on the scene has stopped, and gives the
// databases back.
func (s *demoScene) close() error {
	err := s.group.Wait()
	for _, p := range s.parties() {
		if p.running != nil {
			err = errors.Join(err, p.close())
		}
	}
	if s.witness != nil && s.witness.db != nil {
		err = errors.Join(err, s.witness.db.Close())
	}
	return err
}
