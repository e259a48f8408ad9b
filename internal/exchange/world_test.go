package exchange_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/counter"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/law"
	"corridor/internal/ledger"
	"corridor/internal/server"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
	"corridor/packs"
	"corridor/test/port"
)

// library is the real law of every pack in the tree, compiled once.
var library = sync.OnceValues(func() (*law.Library, error) { return law.Load(packs.FS()) })

// node is a whole gateway in this process: real keys, real SQLite file, real
// HTTP on loopback. It can be stopped and started again on the same place.
type node struct {
	t              testing.TB
	name           string
	dir            string
	place          string // of the database
	suite          string
	who            corridor.Participant
	addr           string
	peers          *identity.Peers
	manual         exchange.Manual
	now            func() time.Time
	logNow         func() time.Time                          // of its log; nil: that of the machine
	wrap           func(http.Handler) http.Handler           // what the network does to inbound requests
	via            func(http.RoundTripper) http.RoundTripper // and to outbound ones
	private        bool                                      // may call loopback addresses
	admin          string
	law            *law.Library // nil: that of every pack in the tree
	requireCompact bool
	clockIsRight   bool   // as a person says
	signed         string // where approvals must be signed; empty: where possible
	ringed         bool   // its keys can be changed
	settings       func() (exchange.Settings, error)
	retry          time.Duration // how long messages are repeated; 0: the default
	life           time.Duration // of data-plane tokens; 0: the default
	credentials    exchange.Credentials
	look           time.Duration // between two questions for what was added; 0: the default
	confirm        time.Duration // in which an arrival is confirmed; 0: the default
	verifies       []string      // suites of peers' signatures; nil: all
	trust          string        // suite of its trust service; empty: none
	trustDID       string
	policy         []byte // of witnesses; nil: none, and no witness is asked

	keys *identity.Keys
	ring *identity.Ring
	db   *store.DB
	log  *ledger.Log
	x    *exchange.Service
	http *http.Client
	stop func()
}

func newNode(t testing.TB, name, country, suite string) *node {
	t.Helper()
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	did, err := identity.WebDID("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, name: name, dir: t.TempDir(), place: storetest.Place(t), suite: suite, addr: addr, private: true, admin: "0123456789abcdef0123456789abcdef", now: time.Now,
		who: corridor.Participant{DID: did, Name: name, Jurisdiction: country, Type: "private", Traits: []string{}, Flags: []string{}}}
	if n.peers, err = identity.NewPeers(nil); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) url() string  { return "http://" + n.addr }
func (n *node) base() string { return n.url() + server.Base }

// start opens everything and serves. It may be called again after stop.
func (n *node) start() *node {
	n.t.Helper()
	if err := n.open(); err != nil {
		n.t.Fatal(err)
	}
	return n
}

func (n *node) open() (err error) {
	ctx := context.Background()
	var undo []func()
	n.stop = func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
		undo = nil
	}
	defer func() {
		if err != nil {
			n.stop()
		}
	}()
	if n.keys, err = identity.OpenKeys(filepath.Join(n.dir, "keys"), n.who.DID, n.suite); err != nil {
		return err
	}
	n.keys.Verifies = n.verifies
	n.keys.TrustDID = n.trustDID
	if n.trust != "" {
		if err = n.keys.OpenTrust(filepath.Join(n.dir, "keys"), n.trust); err != nil {
			return err
		}
	}
	if n.db, err = store.Open(ctx, n.place, migrations()...); err != nil {
		return err
	}
	undo = append(undo, func() {
		n.checkPlans()
		n.db.Close()
	})
	handler, err := n.wire(ctx)
	if err != nil {
		return err
	}
	if n.wrap != nil {
		handler = n.wrap(handler)
	}
	l, err := listen(n.addr)
	if err != nil {
		return err
	}
	srv := server.HTTPServer(n.addr, handler)
	go srv.Serve(l)
	undo = append(undo, func() { srv.Close() })
	run, cancel := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- n.x.Run(run) }()
	watched := make(chan error, 1)
	go func() {
		if n.policy != nil {
			watched <- n.log.RunWitnesses(run)
		}
		close(watched)
	}()
	undo = append(undo, func() {
		cancel()
		if err := <-watched; err != nil {
			n.t.Errorf("%s: witnesses: %v", n.name, err)
		}
		if err := <-ran; err != nil {
			n.t.Errorf("%s: run: %v", n.name, err)
		}
	})
	return nil
}

func migrations() []store.Migration {
	return slices.Concat(ledger.Migrations, catalog.Migrations, counter.Migrations, exchange.Migrations, usedTokensTable)
}

// listen takes the same port again after a restart.
func listen(addr string) (l net.Listener, err error) {
	for range 100 {
		if l, err = net.Listen("tcp", addr); err == nil {
			return l, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, err
}

func (n *node) wire(ctx context.Context) (http.Handler, error) {
	origin := n.addr + "/log"
	signer, err := n.keys.LogSigner(origin)
	if err != nil {
		return nil, err
	}
	vkey, err := n.keys.LogVKey(origin)
	if err != nil {
		return nil, err
	}
	if n.log, err = ledger.Open(ctx, n.db, ledger.Config{Origin: origin, Signer: signer, VKey: vkey, Issuer: n.who.DID, Policy: n.policy, Now: n.logNow}); err != nil {
		return nil, err
	}
	n.http = identity.GuardedClient(n.private)
	if n.via != nil {
		n.http.Transport = n.via(n.http.Transport)
	}
	var keys func() ([]exchange.KeyInUse, error)
	if n.ringed {
		if n.ring, err = n.keys.OpenRing(filepath.Join(n.dir, "keys"), n.now); err != nil {
			return nil, err
		}
		keys = n.keysInUse
	}
	did := n.keys.Document(n.base(), n.url())
	resolver := identity.NewResolver(identity.ResolverConfig{HTTP: identity.GuardedClient(true), Static: []identity.Document{did}})
	tokens, err := identity.NewTokens(n.who.DID, n.keys.Token, n.now)
	if err != nil {
		return nil, err
	}
	verifier, err := identity.NewTokenVerifier(identity.VerifierConfig{DID: n.who.DID, Resolver: resolver, Directory: n.peers, Replay: usedTokens{n.db}, Now: n.now})
	if err != nil {
		return nil, err
	}
	lib, err := library()
	if err != nil {
		return nil, err
	}
	if n.law != nil {
		lib = n.law
	}
	n.x, err = exchange.New(exchange.Config{
		Self: n.who, Keys: keys, Settings: n.settings, Base: n.base(), DataBase: n.url() + "/data", Inbox: filepath.Join(n.dir, "inbox"), Temp: n.dir,
		DB: n.db, Ledger: n.log, Law: lib, Signer: n.keys.National, Verifies: n.verifies, Trust: n.keys.Trust, TrustName: "Trust service of " + n.name, Directory: n.peers, Resolver: resolver, Credentials: n.credentials, AskEvery: 20 * time.Millisecond, Token: tokens.Issue, UseToken: useToken,
		HTTP: n.http, Streams: identity.Guard{AllowPrivate: n.private}.Client(), Guard: identity.Guard{AllowPrivate: n.private}.Check, CountKeys: filepath.Join(n.dir, "keys"), StreamKey: []byte("0123456789abcdef0123456789abcdef" + n.name), Manual: n.manual, RequireCompact: n.requireCompact, SignedApprovals: n.signed, Policy: n.policy, Retry: n.retry, TokenLife: n.life, ConfirmWithin: n.confirm, LookEvery: n.look, Now: n.now, Log: logger(n),
		ClockIsRight: n.clockIsRight,
	})
	if err != nil {
		return nil, err
	}
	return server.New(server.Config{Exchange: n.x, Verifier: verifier, Ledger: n.log.Handler(), DID: func() identity.Document { return did }, Admin: n.admin, Logger: logger(n)})
}

func (n *node) keysInUse() (list []exchange.KeyInUse, err error) {
	published, err := n.ring.Keys()
	for _, k := range published {
		list = append(list, exchange.KeyInUse{Name: k.Name, ID: k.ID, Suite: k.Suite, State: k.State, From: k.From, Until: k.Until, Digest: k.Digest()})
	}
	return list, err
}

func logger(n *node) *slog.Logger {
	if os.Getenv("CORRIDOR_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil)).With("node", n.name)
}

// knows makes nodes known to each other.
func introduce(t testing.TB, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		var list []identity.Peer
		for _, p := range nodes {
			if p != n {
				list = append(list, identity.Peer{Participant: p.who, Address: p.base()})
			}
		}
		if err := n.peers.Replace(list); err != nil {
			t.Fatal(err)
		}
	}
}

// pair is an exporter in China, who signs with SM2, and an importer in
// Kazakhstan, who signs with Ed25519.
func pair(t testing.TB, change ...func(cn, kz *node)) (cn, kz *node) {
	t.Helper()
	cn, kz = newNode(t, "cn", "CN", "SM2"), newNode(t, "kz", "KZ", "Ed25519")
	introduce(t, cn, kz)
	for _, f := range change {
		f(cn, kz)
	}
	for _, n := range []*node{cn, kz} {
		n.start()
		t.Cleanup(func() { n.stop() })
	}
	return cn, kz
}

// plainFacts are those of trade data without people in it: allowed on both
// sides.
func plainFacts() corridor.Facts {
	return corridor.Facts{"data_classes": []any{"non_personal"}, "subjects_in_file": 0, "access_mode": "copy", "deid": "none",
		"ai_role": "none", "ai_prohibited_use": false, "ai_output_published": false, "ai_risk": "min"}
}

// file writes a small CSV and gives its path.
func file(t testing.TB, rows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shipments.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, "awb,weight,port,contact")
	for i := range rows {
		fmt.Fprintf(f, "CN%07d,%d,Khorgos,person%d@example.cn\n", i, 10+i%90, i)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func (n *node) publish(p exchange.Publication) {
	n.t.Helper()
	if p.Source == "" {
		p.Source = file(n.t, 100)
	}
	if p.Format == "" {
		p.Format = "csv"
	}
	if _, err := n.x.Publish(context.Background(), p); err != nil {
		n.t.Fatal(err)
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// ask begins a negotiation from n to p and fails the test if its own law or
// the network says no.
func (n *node) ask(p *node, dataset, purpose string) string {
	n.t.Helper()
	neg, err := n.x.Negotiate(within(n.t, 10*time.Second), exchange.Request{Provider: p.who.DID, Dataset: dataset, Purpose: purpose})
	if err != nil {
		n.t.Fatalf("negotiate: %v", err)
	}
	return neg.PID
}

// until waits for a state of a negotiation.
func (n *node) until(pid string, done func(exchange.Negotiation) bool) exchange.Negotiation {
	n.t.Helper()
	neg, err := n.x.AwaitNegotiation(within(n.t, 20*time.Second), pid, done)
	if err != nil {
		n.t.Fatalf("%s: %v; it is %s, pending %q, waiting %+v, %v", n.name, err, neg.State, neg.Pending, neg.Waiting, neg.Reason)
	}
	return neg
}

func ended(n exchange.Negotiation) bool { return n.State.Final() }
func parked(n exchange.Negotiation) bool {
	return n.State.Final() || n.Waiting != nil && n.Waiting.On == "operator"
}

func (n *node) untilTransfer(pid string, done func(exchange.Transfer) bool) exchange.Transfer {
	n.t.Helper()
	tr, err := n.x.AwaitTransfer(within(n.t, 20*time.Second), pid, done)
	if err != nil {
		n.t.Fatalf("%s: %v; it is %s, pending %q, waiting %+v, %v", n.name, err, tr.State, tr.Pending, tr.Waiting, tr.Reason)
	}
	return tr
}

func over(t exchange.Transfer) bool { return t.State.Final() }

// only gives the one negotiation of a node.
func (n *node) only() exchange.Negotiation {
	n.t.Helper()
	list, _, err := n.x.Negotiations(context.Background(), exchange.Page{})
	if err != nil || len(list) != 1 {
		n.t.Fatalf("%s has %d negotiations (%v), not one", n.name, len(list), err)
	}
	neg, err := n.x.Negotiation(context.Background(), list[0].PID) // in full
	if err != nil {
		n.t.Fatal(err)
	}
	return neg
}

// usedTokens keeps tokens that were used in the node's database, as a real
// node does.
type usedTokens struct{ db *store.DB }

var usedTokensTable = []store.Migration{{Room: "replay", Version: 1, SQL: `CREATE TABLE used_tokens (issuer TEXT NOT NULL, jti TEXT NOT NULL, expires BIGINT NOT NULL, PRIMARY KEY (issuer, jti))`}}

func (u usedTokens) Use(ctx context.Context, issuer, jti string, exp time.Time) (fresh bool, err error) {
	err = u.db.Write(ctx, func(tx *store.Tx) error {
		fresh, err = useToken(ctx, tx, issuer, jti, exp)
		return err
	})
	return fresh, err
}

func useToken(ctx context.Context, tx *store.Tx, issuer, jti string, exp time.Time) (bool, error) {
	r, err := tx.Exec(ctx, `INSERT INTO used_tokens (issuer, jti, expires) VALUES (?, ?, ?) ON CONFLICT (issuer, jti) DO NOTHING`, issuer, jti, exp.Unix())
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n == 1, err
}
