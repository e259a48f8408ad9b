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
	"corridor/internal/dsp"
	"corridor/internal/editions"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/identity/dcp"
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
	ring     *identity.Ring // changes them while the node runs
	secret   []byte         // of the data plane
	db       *store.DB
	replay   *replayStore
	law      *law.Library
	signed   map[string]editions.Signed // the signed editions among them
	peers    *peerList
	rules    *ruleFile // what is demanded and issued
	client   *http.Client
	resolver *identity.Resolver
	tokens   *identity.Tokens
	claims   *claims // credentials: demanded, held, issued
	ledger   *ledger.Log
	exchange *exchange.Service
	crawler  *catalog.Crawler // nil: no catalogues are read
	handler  http.Handler
	kit      *testKit // nil, except in a program built with the tag conformance
}

// testKit is what a public test kit needs of a node: it plays a peer without a
// DID, and drives the node from outside. A program built without the tag
// conformance makes none, and no configuration can.
type testKit struct {
	identity kitIdentity
	adjust   func(*exchange.Config) // what is set otherwise than a node's directory says
}

// kitIdentity stands in for tokens, DID documents and the list of peers.
type kitIdentity interface {
	server.Verifier                                             // who calls
	identity.Directory                                          // who is known
	Issue(ctx context.Context, audience string) (string, error) // the token that we send
}

// openNode puts a node together. The order matters: keys before anything
// that signs, the database before the log, the log before the exchange, and
// the handler last, so that nothing answers before everything is there.
func openNode(ctx context.Context, cfg config, rules *law.Library, signed map[string]editions.Signed, log *slog.Logger) (*running, error) {
	n := &running{cfg: cfg, law: rules, signed: signed, log: log, peers: &peerList{path: cfg.path(cfg.Peers)}}
	if err := n.open(ctx); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *running) open(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		n.openKeys,     // 1. who we are
		n.openDatabase, // 2. what we know
		n.openNetwork,  // 3. how we reach others and know them
		n.openClaims,   // 4. what they must prove, and what we can prove
		n.openLog,      // 5. where receipts go
		n.openExchange, // 6. what we do
		n.openCrawler,  // 7. what we look for at others
		n.openHandler,  // 8. what others may ask
	} {
		if err := step(ctx); err != nil {
			return errors.Join(err, n.close())
		}
	}
	return nil
}

// openKeys reads or makes the node's keys and the secret of its data plane.
func (n *running) openKeys(ctx context.Context) (err error) {
	if n.base, err = n.cfg.base(); err != nil {
		return err
	}
	dir := n.cfg.path(n.cfg.Keys)
	if len(n.cfg.Signer) > 0 {
		n.keys, err = identity.OpenKeysWith(ctx, dir, n.cfg.DID, n.cfg.Suite, n.cfg.path("."), n.cfg.Signer)
	} else {
		n.keys, err = identity.OpenKeys(dir, n.cfg.DID, n.cfg.Suite)
	}
	if err != nil {
		return err
	}
	if n.rules, err = n.cfg.credentialRules(); err != nil {
		return err
	}
	if n.issues() {
		if err := n.keys.OpenCredential(dir); err != nil {
			return err
		}
	}
	if err := n.openTrust(ctx, dir); err != nil {
		return err
	}
	if n.ring, err = n.keys.OpenRing(dir, nil); err != nil {
		return err
	}
	n.secret, err = openSecret(filepath.Join(dir, "stream.key"))
	return err
}

// openTrust reads or makes the key of the side's trust service, if the
// operator has set one up, and lets the DID document say what is verified here.
func (n *running) openTrust(ctx context.Context, dir string) error {
	if len(n.cfg.Verifies) > 0 {
		n.keys.Verifies = n.cfg.Verifies
	}
	n.keys.TrustDID = n.cfg.TrustDID
	switch {
	case n.cfg.TrustSuite == "":
		return nil
	case len(n.cfg.TrustSigner) > 0:
		return n.keys.OpenTrustWith(ctx, n.cfg.TrustSuite, n.cfg.path("."), n.cfg.TrustSigner)
	}
	return n.keys.OpenTrust(dir, n.cfg.TrustSuite)
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

// openDatabase opens the one place with all state.
func (n *running) openDatabase(ctx context.Context) error {
	place := n.cfg.place()
	if !store.IsServer(place) {
		if err := os.MkdirAll(filepath.Dir(place), 0o700); err != nil {
			return corridor.E(corridor.Invalid, "the directory of the database: %w", err)
		}
	}
	var err error
	n.db, err = store.Open(ctx, place, slices.Concat(ledger.Migrations, catalog.Migrations, counter.Migrations, exchange.Migrations, replayMigrations(), dcp.Migrations())...)
	if err != nil {
		return err
	}
	n.replay = &replayStore{db: n.db}
	return catalog.Upgrade(ctx, n.db)
}

// openNetwork makes the one client for addresses that strangers supply, and
// what finds and proves participants.
func (n *running) openNetwork(context.Context) (err error) {
	n.client = n.guard().Client()
	n.resolver = identity.NewResolver(identity.ResolverConfig{HTTP: n.client, OwnDID: n.cfg.DID, Own: func() *identity.Document { d := n.document(); return &d },
		OwnTrustDID: n.cfg.TrustDID, OwnTrust: n.ownTrust()})
	n.tokens, err = identity.NewTokens(n.cfg.DID, n.keys.Token, nil)
	return err
}

// guard says which addresses of strangers this node may reach.
func (n *running) guard() identity.Guard {
	return identity.Guard{AllowPrivate: n.cfg.AllowPrivate, MaxBody: 32 << 20, Timeout: 30 * time.Second}
}

// document is the node's DID document.
func (n *running) document() identity.Document {
	return n.withServices(n.keys.Document(n.base + server.Base))
}

// ownTrust gives the document of the trust service where it has a DID at the
// node's own address, and nil otherwise: then its host publishes it.
func (n *running) ownTrust() func() *identity.Document {
	if _, here := n.trustPath(); !here {
		return nil
	}
	return n.keys.TrustDocument
}

// trustPath is where the node serves the document of its trust service, and
// whether that is the address of its DID. Empty: it has no such service.
func (n *running) trustPath() (path string, here bool) {
	if n.keys.TrustDocument() == nil {
		return "", false
	}
	address, err := identity.WebURL(n.cfg.TrustDID)
	if err != nil {
		return "", false
	}
	own, err1 := url.Parse(n.base)
	u, err2 := url.Parse(address)
	if err1 == nil && err2 == nil && u.Host == own.Host && own.Path == "" {
		return u.Path, true
	}
	return server.TrustPath, false
}

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
		Policy: policy, Client: n.client, Logger: n.log, Reconcile: true, Document: n.documentOf})
	return err
}

// documentOf gives the DID document of a peer, for evidence against its log.
func (n *running) documentOf(ctx context.Context, did string) ([]byte, error) {
	doc, err := n.resolver.Resolve(ctx, did)
	if err != nil {
		return nil, err
	}
	return corridor.Canonical(doc)
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
	confirm, err := n.cfg.confirmWithin()
	if err != nil {
		return err
	}
	look, err := n.cfg.lookEvery()
	if err != nil {
		return err
	}
	peerLimit, err := limit(n.cfg.PeerLimit)
	if err != nil {
		return err
	}
	personLimit, err := limit(n.cfg.PersonLimit)
	if err != nil {
		return err
	}
	c := exchange.Config{
		PeerLimit: peerLimit, PersonLimit: personLimit,
		Self: corridor.Participant{DID: n.cfg.DID, Name: n.cfg.Name, Jurisdiction: n.cfg.Jurisdiction, Type: n.cfg.Type, Traits: n.cfg.Traits, Flags: n.cfg.Flags},
		Base: n.base + server.Base, DataBase: n.base + dataPath, Inbox: n.cfg.path(n.cfg.Inbox), Temp: n.cfg.path("."),
		DB: n.db, Ledger: n.ledger, Law: n.law, Editions: packsInUse(n.signed), Signer: n.keys.National, Verifies: n.keys.Verifies, Trust: n.keys.Trust, TrustName: n.cfg.TrustName, Directory: n.peers, Resolver: n.resolver, Credentials: n.claims.verifier.Standing, Token: n.claims.wallet.Issue, UseToken: n.replay.in,
		HTTP: n.client, Streams: identity.Guard{AllowPrivate: n.cfg.AllowPrivate}.Client(), Guard: n.guard().Check, StreamKey: n.secret, Keys: n.keysInUse, Settings: n.settings, CountKeys: n.cfg.path(n.cfg.Keys), Policy: policy, RequireCompact: n.cfg.NeedCompact, SignedApprovals: n.cfg.SignedOnly, Assume: n.cfg.Assume, ConfirmWithin: confirm, LookEvery: look, Log: n.log,
		ClockIsRight: n.cfg.clockIsRight,
		Manual: exchange.Manual{Agree: slices.Contains(n.cfg.Manual, "agree"), Verify: slices.Contains(n.cfg.Manual, "verify"), Finalize: slices.Contains(n.cfg.Manual, "finalize"),
			Start: slices.Contains(n.cfg.Manual, "start"), Fetch: slices.Contains(n.cfg.Manual, "fetch")},
	}
	if n.kit != nil {
		c.Directory, c.Token, c.Credentials = n.kit.identity, n.kit.identity.Issue, nil
		n.kit.adjust(&c)
	}
	if n.exchange, err = exchange.New(c); err != nil {
		return err
	}
	n.peers.changed, n.rules.changed = n.exchange.SettingsChanged, n.exchange.SettingsChanged // nobody asks them before
	return nil
}

// keysInUse lists the keys that corridor keys changes.
func (n *running) keysInUse() ([]exchange.KeyInUse, error) {
	published, err := n.ring.Keys()
	list := make([]exchange.KeyInUse, len(published))
	for i, k := range published {
		list[i] = exchange.KeyInUse{Name: k.Name, ID: k.ID, Suite: k.Suite, State: k.State, From: k.From, Until: k.Until, Digest: k.Digest()}
	}
	return list, err
}

// openCrawler makes what reads the catalogues of the peers that the operator
// names. A test kit is no peer with a catalogue.
func (n *running) openCrawler(context.Context) (err error) {
	every, err := n.cfg.crawlEvery()
	if err != nil || every == 0 || n.kit != nil {
		return err
	}
	// Nodes that start together find each other up: that one cannot be reached
	// is remembered for a while.
	n.crawler, err = catalog.NewCrawler(catalog.CrawlConfig{Self: n.cfg.DID, DB: n.db, Every: every, Log: n.log, Settle: 30 * time.Second,
		Client: dsp.NewClient(dsp.ClientConfig{HTTP: n.client, Token: n.claims.wallet.Issue}), Address: n.exchange.PeerAddress, Vouch: n.exchange.Announced,
		Named: func(context.Context) ([]catalog.Named, error) {
			peers, err := n.peers.load()
			if err != nil {
				return nil, err
			}
			list := make([]catalog.Named, len(peers))
			for i, p := range peers {
				list[i] = catalog.Named{DID: p.DID, Country: p.Jurisdiction}
			}
			return list, nil
		}})
	return err
}

// openHandler makes what the node answers.
func (n *running) openHandler(context.Context) (err error) {
	var verifier server.Verifier = n.claims.verifier
	if n.kit != nil {
		verifier = n.kit.identity
	}
	admin := ""
	if n.cfg.Token != "" {
		if admin, err = readToken(n.cfg.path(n.cfg.Token)); err != nil {
			return err
		}
	}
	trustPath, _ := n.trustPath()
	n.handler, err = server.New(server.Config{Exchange: n.exchange, Verifier: verifier, Ledger: n.ledger.Handler(), Plane: n.exchange.Plane(),
		Crawler: n.crawler, Claims: n.claims.services, DID: n.document, Trust: n.keys.TrustDocument, TrustPath: trustPath, Admin: admin, Logger: n.log})
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
	g.Go(func() error { // before anything is signed; what it finds stops the log, not the node
		if err := n.ledger.Reconcile(ctx); err != nil && ctx.Err() == nil {
			n.log.ErrorContext(ctx, "the log was compared with its witnesses", "err", err)
		}
		return nil
	})
	g.Go(func() error { return n.exchange.Run(ctx) })
	g.Go(func() error { return n.db.Lead(ctx, "witnesses", n.ledger.RunWitnesses) })
	if n.claims.services.Issuer != nil {
		g.Go(func() error { return n.db.Lead(ctx, "credentials", n.claims.services.Issuer.Run) })
	}
	if n.crawler != nil {
		g.Go(func() error { return n.db.Lead(ctx, "catalogues", n.crawl) })
	}
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

// crawl reads the catalogues of peers. A database that is away is waited for.
func (n *running) crawl(ctx context.Context) error {
	for {
		err := n.crawler.Run(ctx)
		if err == nil || !n.db.Away(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
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

// packsInUse says of the signed editions what the exchange tells others.
func packsInUse(signed map[string]editions.Signed) map[string]exchange.PackInUse {
	out := make(map[string]exchange.PackInUse, len(signed))
	for id, e := range signed {
		out[id] = exchange.PackInUse{Edition: e.Edition, Signers: e.Signers}
	}
	return out
}
