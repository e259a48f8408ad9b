package profile

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	people "corridor/internal/counter"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/ledger"
	"corridor/internal/server"
	"corridor/internal/store"
)

// startNode runs a whole node with the profile in this process: real keys, a
// real database, real HTTP. Its operator acts at once.
func startNode(t *testing.T, kit string) (base string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	fatal(t, err)
	root := "http://" + l.Addr().String()
	dir := t.TempDir()
	did := "did:web:" + strings.ReplaceAll(l.Addr().String(), ":", "%3A")
	keys, err := identity.OpenKeys(filepath.Join(dir, "keys"), did, "Ed25519")
	fatal(t, err)
	db, err := store.Open(ctx, filepath.Join(dir, "node.db"), slices.Concat(ledger.Migrations, catalog.Migrations, people.Migrations, exchange.Migrations)...)
	fatal(t, err)
	t.Cleanup(func() { db.Close() })
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("CORRIDOR_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	operator := NewOperator(0, log)
	x := newExchange(t, ctx, nodeParts{root, dir, did, keys, db, log, operator}, kit)
	fatal(t, Seed(ctx, x, dir))
	handler, err := server.New(server.Config{Exchange: x, Verifier: kitIdentity(kit), DID: func() identity.Document { return keys.Document(root + server.Base) }, Logger: log})
	fatal(t, err)
	srv := server.HTTPServer("", Triggers(handler, x))
	go srv.Serve(l)
	ran := make(chan error, 2)
	go func() { ran <- x.Run(ctx) }()
	go func() { ran <- operator.Run(ctx, x, db) }()
	t.Cleanup(func() {
		cancel()
		fatal(t, <-ran)
		fatal(t, <-ran)
		srv.Close()
	})
	return root
}

type nodeParts struct {
	root, dir, did string
	keys           *identity.Keys
	db             *store.DB
	log            *slog.Logger
	operator       *Operator
}

func newExchange(t *testing.T, ctx context.Context, p nodeParts, kit string) *exchange.Service {
	t.Helper()
	origin := strings.TrimPrefix(p.root, "http://") + "/log"
	signer, err := p.keys.LogSigner(origin)
	fatal(t, err)
	vkey, err := p.keys.LogVKey(origin)
	fatal(t, err)
	book, err := ledger.Open(ctx, p.db, ledger.Config{Origin: origin, Signer: signer, VKey: vkey, Issuer: p.did})
	fatal(t, err)
	rules, err := Law()
	fatal(t, err)
	id := kitIdentity(kit)
	cfg := exchange.Config{
		Self: corridor.Participant{DID: p.did, Jurisdiction: NodeCountry, Type: "private", Traits: []string{}, Flags: []string{}},
		Base: p.root + server.Base, DataBase: p.root + "/data", Inbox: filepath.Join(p.dir, "inbox"), DB: p.db, Ledger: book, Law: rules, Signer: p.keys.National,
		Directory: id, Resolver: identity.NewResolver(identity.ResolverConfig{HTTP: identity.GuardedClient(true), Static: []identity.Document{p.keys.Document(p.root + server.Base)}}),
		Token: id.Issue, HTTP: identity.GuardedClient(true), Guard: identity.Guard{AllowPrivate: true}.Check, CountKeys: filepath.Join(p.dir, "keys"),
		StreamKey: []byte("0123456789abcdef0123456789abcdef"), Log: p.log,
	}
	Adjust(&cfg)
	cfg.Changed = p.operator.Changed
	x, err := exchange.New(cfg)
	fatal(t, err)
	return x
}

const authorization = "the kit's header"

func kitIdentity(address string) Identity {
	return Identity{Authorization: authorization, Own: "the node's header", Peer: identity.Peer{
		Participant: corridor.Participant{DID: KitID, Jurisdiction: KitCountry, Type: "private"}, Address: address, Plain: &identity.Plain{Purpose: Purpose}}}
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patience bounds every wait of these tests.
const patience = 15 * time.Second

var client = &http.Client{Timeout: patience}
