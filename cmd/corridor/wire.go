package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/counter"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/law"
	"corridor/internal/ledger"
	"corridor/internal/server"
	"corridor/internal/store"
)

// running is a node, put together from its directory. Closing it gives back
// the database; it serves while run runs.
type running struct {
	cfg      config
	base     string // how peers reach it
	log      *slog.Logger
	keys     *identity.Keys
	secret   []byte // of the data plane
	db       *store.DB
	law      *law.Library
	signed   map[string]exchange.PackInUse // the signed editions among them
	peers    *peerList
	client   *http.Client
	resolver *identity.Resolver
	tokens   *identity.Tokens
	ledger   *ledger.Log
	exchange *exchange.Service
	handler  http.Handler
}

// openNode puts a node together. The order matters: keys before anything
// that signs, the database before the log, the log before the exchange, and
// the handler last, so that nothing answers before everything is there.
func openNode(ctx context.Context, cfg config, rules *law.Library, signed map[string]exchange.PackInUse, log *slog.Logger) (*running, error) {
	n := &running{cfg: cfg, law: rules, signed: signed, log: log, peers: &peerList{path: cfg.path(cfg.Peers)}}
	for _, step := range []func(context.Context) error{
		n.openKeys,     // 1. who we are
		n.openDatabase, // 2. what we know
		n.openNetwork,  // 3. how we reach others and know them
		n.openLog,      // 4. where receipts go
		n.openExchange, // 5. what we do
		n.openHandler,  // 6. what others may ask
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	return n, nil
}

// openKeys reads or makes the node's keys and the secret of its data plane.
func (n *running) openKeys(context.Context) (err error) {
	if n.base, err = n.cfg.base(); err != nil {
		return err
	}
	dir := n.cfg.path(n.cfg.Keys)
	if n.keys, err = identity.OpenKeys(dir, n.cfg.DID, n.cfg.Suite); err != nil {
		return err
	}
	n.secret, err = openSecret(filepath.Join(dir, "stream.key"))
	return err
}

// openSecret reads 32 random bytes, and makes them on first use.
func openSecret(path string) ([]byte, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails
		if err := writePrivate(path, []byte(hex.EncodeToString(secret)+"\n")); err != nil {
			return nil, err
		}
		return secret, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the secret of the data plane: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: fmt.Sprintf("mode %04o: others may read it", info.Mode().Perm()), Fix: "run: chmod 600 " + path}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the secret of the data plane: %w", err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(secret) != 32 {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "this is not the secret of a data plane", Fix: "restore it from a backup; without it running transfers get new tokens"}
	}
	return secret, nil
}

// openDatabase opens the one file with all state.
func (n *running) openDatabase(ctx context.Context) error {
	path := n.cfg.path(n.cfg.Database)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return corridor.E(corridor.Invalid, "the directory of the database: %w", err)
	}
	var err error
	n.db, err = store.Open(ctx, path, slices.Concat(ledger.Migrations, catalog.Migrations, counter.Migrations, exchange.Migrations, replayMigrations())...)
	return err
}

// openNetwork makes the one client for addresses that strangers supply, and
// what finds and proves participants.
func (n *running) openNetwork(context.Context) (err error) {
	n.client = n.guard().Client()
	n.resolver = identity.NewResolver(identity.ResolverConfig{HTTP: n.client, Static: []identity.Document{n.document()}})
	n.tokens, err = identity.NewTokens(n.cfg.DID, n.keys.Token, nil)
	return err
}

// guard says which addresses of strangers this node may reach.
func (n *running) guard() identity.Guard {
	return identity.Guard{AllowPrivate: n.cfg.AllowPrivate, MaxBody: 32 << 20, Timeout: 30 * time.Second}
}

// document is the node's DID document.
func (n *running) document() identity.Document { return n.keys.Document(n.base + server.Base) }

// Where a node's services are, below its base.
const (
	dataPath = "/data"
	logPath  = "/log"
)

// openLog opens the node's transparency log on its database.
func (n *running) openLog(ctx context.Context) error {
	origin, err := logOrigin(n.base)
	if err != nil {
		return err
	}
	signer, err := n.keys.LogSigner(origin)
	if err != nil {
		return err
	}
	vkey, err := n.keys.LogVKey(origin)
	if err != nil {
		return err
	}
	policy, err := n.witnessPolicy()
	if err != nil {
		return err
	}
	n.ledger, err = ledger.Open(ctx, n.db, ledger.Config{Origin: origin, Signer: signer, VKey: vkey, Issuer: n.cfg.DID,
		Policy: policy, Client: n.client, Logger: n.log})
	return err
}

// logOrigin names the log of a node: its host and the place of the log there,
// without a scheme, as C2SP wants.
func logOrigin(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", corridor.E(corridor.Invalid, "the node's address: %w", err)
	}
	return u.Host + logPath, nil
}

func (n *running) witnessPolicy() ([]byte, error) {
	if n.cfg.WitnessPolicy == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(n.cfg.path(n.cfg.WitnessPolicy))
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the witness policy cannot be read: %w", err)
	}
	return raw, nil
}

// openExchange puts the use cases on top of what is open by now.
func (n *running) openExchange(context.Context) error {
	policy, err := n.witnessPolicy()
	if err != nil {
		return err
	}
	n.exchange, err = exchange.New(exchange.Config{
		Self: corridor.Participant{DID: n.cfg.DID, Name: n.cfg.Name, Jurisdiction: n.cfg.Jurisdiction, Type: n.cfg.Type, Traits: n.cfg.Traits, Flags: n.cfg.Flags},
		Base: n.base + server.Base, DataBase: n.base + dataPath, Inbox: n.cfg.path(n.cfg.Inbox),
		DB: n.db, Ledger: n.ledger, Law: n.law, Editions: n.signed, Signer: n.keys.National, Directory: n.peers, Resolver: n.resolver, Token: n.tokens.Issue,
		HTTP: n.client, Streams: identity.Guard{AllowPrivate: n.cfg.AllowPrivate}.Client(), Guard: n.guard().Check, StreamKey: n.secret, CountKeys: n.cfg.path(n.cfg.Keys), Policy: policy, Assume: n.cfg.Assume, Log: n.log,
		Manual: exchange.Manual{Agree: slices.Contains(n.cfg.Manual, "agree"), Verify: slices.Contains(n.cfg.Manual, "verify"),
			Start: slices.Contains(n.cfg.Manual, "start"), Fetch: slices.Contains(n.cfg.Manual, "fetch")},
	})
	return err
}

// openHandler makes what the node answers.
func (n *running) openHandler(context.Context) error {
	verifier, err := identity.NewTokenVerifier(identity.VerifierConfig{DID: n.cfg.DID, Resolver: n.resolver, Directory: n.peers, Replay: &replayStore{db: n.db}})
	if err != nil {
		return err
	}
	admin := ""
	if n.cfg.Token != "" {
		if admin, err = readToken(n.cfg.path(n.cfg.Token)); err != nil {
			return err
		}
	}
	n.handler, err = server.New(server.Config{Exchange: n.exchange, Verifier: verifier, Ledger: n.ledger.Handler(), Plane: n.exchange.Plane(),
		DID: n.document(), Admin: admin, Logger: n.log})
	return err
}

// stopTime is how long a node waits for requests under way when it is told to
// stop. What is left then is taken up at the next start.
const stopTime = 3 * time.Second

// run serves until ctx ends: requests, the outbox, received files, witnesses.
// The first of them that fails ends all.
func (n *running) run(ctx context.Context, l net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	srv := server.HTTPServer(l.Addr().String(), n.handler)
	srv.ErrorLog = slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)
	g.Go(func() error { return n.exchange.Run(ctx) })
	g.Go(func() error { return n.ledger.RunWitnesses(ctx) })
	g.Go(func() error {
		err := n.serve(srv, l)
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	})
	g.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		if err := srv.Shutdown(stop); err != nil {
			return errors.Join(srv.Close())
		}
		return nil
	})
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (n *running) serve(srv *http.Server, l net.Listener) error {
	if n.cfg.TLSCert != "" {
		return srv.ServeTLS(l, n.cfg.path(n.cfg.TLSCert), n.cfg.path(n.cfg.TLSKey))
	}
	return srv.Serve(l)
}

// close gives the database back.
func (n *running) close() error {
	if n.db == nil {
		return nil
	}
	return n.db.Close()
}

// prepareNode makes what a node directory still lacks, and gives the
// verifier key of its log.
func prepareNode(ctx context.Context, dir string) (string, error) {
	cfg, err := loadConfig(dir)
	if err != nil {
		return "", err
	}
	n := &running{cfg: cfg, log: slog.New(slog.DiscardHandler), peers: &peerList{path: cfg.path(cfg.Peers)}}
	for _, step := range []func(context.Context) error{n.openKeys, n.openDatabase, n.openNetwork, n.openLog} {
		if err := step(ctx); err != nil {
			return "", errors.Join(err, n.close())
		}
	}
	return n.ledger.VKey(), n.close()
}
