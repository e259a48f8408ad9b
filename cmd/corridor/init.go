package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/identity"
	"corridor/internal/store"
)

// initCmd makes a node directory.
type initCmd struct {
	speech
	Dir           string   `required:"" type:"path" help:"Directory to make; it must not hold a node yet."`
	DID           string   `required:"" name:"did" help:"Who the node is." placeholder:"did:web:HOST"`
	Jurisdiction  string   `required:"" help:"The country whose law applies to this side (two letters)." placeholder:"CC"`
	Suite         string   `default:"Ed25519" enum:"Ed25519,P-256,SM2,GOST-2012-256,GOST-2012-512,ML-DSA-44" help:"Signature suite of decisions, agreements and receipts: Ed25519, P-256, SM2, GOST-2012-256, GOST-2012-512 or ML-DSA-44."`
	Signer        []string `sep:"none" help:"Program that holds the national key; repeat the flag for each of its arguments." placeholder:"WORD"`
	Name          string   `help:"The organisation's name."`
	Listen        string   `default:"127.0.0.1:8181" help:"Address and port to listen on."`
	URL           string   `help:"How peers reach the node, if not by the host of the DID." placeholder:"URL"`
	WitnessPolicy string   `type:"path" help:"File with the witnesses, in the format of C2SP tlog-policy." placeholder:"FILE"`
	DB            string   `name:"db" env:"CORRIDOR_DB" help:"Where the state will be: a file in the directory, or the address of a PostgreSQL database. It is written to config.yaml, mode 0600." placeholder:"PLACE"`
	Assume        string   `help:"Assumption profile for facts that nobody gave." placeholder:"PROFILE"`
}

// Help gives examples.
func (initCmd) Help() string {
	return `Examples:
  corridor init --dir node --did did:web:gateway.example.kz --jurisdiction KZ --suite Ed25519 --name 'Caspian Terminal'
  corridor init --dir trial --did did:web:127.0.0.1%3A8181 --jurisdiction CN --suite SM2 --listen 127.0.0.1:8181
The second is a node for trials on one machine: its DID names a loopback address, so peers at such addresses are allowed.
  CORRIDOR_DB='postgres://corridor:PASSWORD@db.example.org/corridor?sslmode=verify-full' corridor init --dir node --did did:web:gateway.example.kz --jurisdiction KZ
  corridor init --dir node --did did:web:gateway.example.ru --jurisdiction RU --suite GOST-2012-256 --signer ./sign-with-token --signer 07
The national key is in another program then: it is asked for its public key, and tried, before anything is made.
With a PostgreSQL database several nodes can share the work: see docs/several-nodes.md.`
}

// Run makes the directory, the configuration, the keys, the token and the
// database, and says what to tell a peer.
func (c initCmd) Run(a *app) error {
	cfg := defaults()
	cfg.DID, cfg.Name, cfg.Jurisdiction, cfg.Suite = c.DID, c.Name, c.Jurisdiction, c.Suite
	if err := c.trySigner(a.ctx, &cfg); err != nil {
		return err
	}
	cfg.Listen, cfg.URL, cfg.WitnessPolicy, cfg.Assume = c.Listen, c.URL, c.WitnessPolicy, c.Assume
	if c.DB != "" {
		cfg.Database = c.DB
		if err := store.CheckPlace(c.DB); err != nil {
			return err
		}
		if store.IsServer(c.DB) {
			if err := store.ReachServer(a.ctx, c.DB); err != nil {
				return err
			}
		}
	}
	if err := createNode(c.Dir, cfg); err != nil {
		return err
	}
	vkey, err := prepareNode(a.ctx, c.Dir)
	if err != nil {
		return err
	}
	return a.print("made %s: %s (%s), signs with %s\na peer adds this node with\n  corridor peers add --did %s --jurisdiction %s --log-key '%s'\nstart it with\n  corridor serve --dir %s\n",
		c.Dir, c.DID, c.Jurisdiction, c.Suite, c.DID, c.Jurisdiction, vkey, c.Dir)
}

// trySigner asks an external signer before anything is made, so that a mistake
// leaves nothing behind.
func (c initCmd) trySigner(ctx context.Context, cfg *config) error {
	if len(c.Signer) == 0 {
		return nil
	}
	cfg.Signer = slices.Clone(c.Signer)
	if strings.Contains(c.Signer[0], string(filepath.Separator)) { // on the command line it is relative to where one stands
		program, err := filepath.Abs(c.Signer[0])
		if err != nil {
			return corridor.E(corridor.Invalid, "--signer: %w", err)
		}
		cfg.Signer[0] = program
	}
	_, err := identity.NewExecSigner(ctx, c.DID, "national", c.Suite, ".", cfg.Signer)
	return err
}

// createNode writes a new node directory's configuration and token. A
// directory that already holds a node is left as it is.
func createNode(dir string, cfg config) error {
	path := filepath.Join(dir, configFile)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return &corridor.Error{Kind: corridor.Conflict, Where: path, Msg: "there is a node here already", Fix: "choose another directory, or edit its config.yaml"}
	}
	host, err := didHost(cfg.DID)
	if err != nil {
		return err
	}
	cfg.AllowPrivate = cfg.AllowPrivate || loopback(host)
	cfg.dir = dir
	raw := cfg.write()
	if _, err := parseConfig(dir, path, raw); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &corridor.Error{Kind: corridor.Invalid, Where: dir, Msg: "the directory cannot be made: " + err.Error(), Fix: "choose one that you may write"}
	}
	if err := newToken(cfg.path(cfg.Token)); err != nil && corridor.KindOf(err) != corridor.Conflict {
		return err
	}
	return writePrivate(path, raw)
}

// newToken makes the bearer token of the management API.
func newToken(path string) error {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	return writePrivate(path, []byte(hex.EncodeToString(secret[:])+"\n"))
}

// didHost gives the host, without port, that a did:web names.
func didHost(did string) (string, error) {
	u, err := didURL(did)
	if err != nil {
		return "", err
	}
	if host, _, err := net.SplitHostPort(u.Host); err == nil {
		return host, nil
	}
	return u.Host, nil
}

// didURL gives the address of the host that a did:web names.
func didURL(did string) (*url.URL, error) {
	doc, err := identity.WebURL(did)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(doc)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "%s: %w", did, err)
	}
	if u.Path != "/.well-known/did.json" {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: did, Msg: "a node serves the DID of a whole host", Fix: "leave out the path after the host"}
	}
	u.Path = ""
	return u, nil
}

// base is how peers reach this node: scheme, host and port.
func (c *config) base() (string, error) {
	if c.URL != "" {
		return c.URL, nil
	}
	u, err := didURL(c.DID)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}
