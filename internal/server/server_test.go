package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/counter"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/identity/dcp"
	"corridor/internal/law"
	"corridor/internal/ledger"
	"corridor/internal/server"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
	"corridor/packs"
)

const secret = "0123456789abcdef0123456789abcdef"

// node is one gateway behind a test server.
func node(t testing.TB, who ...server.Verifier) (*httptest.Server, *exchange.Service) {
	t.Helper()
	g := newGateway(t)
	g.open(t, "CN", false, []identity.Peer{{Participant: corridor.Participant{DID: "did:web:peer.example", Jurisdiction: "KZ", Type: "private", Flags: []string{}}}}, who...)
	return g.srv, g.x
}

// gateway is one node behind a test server. Its address is there first, so
// that two can know each other.
type gateway struct {
	srv *httptest.Server
	did string
	x   *exchange.Service

	assume string // profile for facts that nobody gave

	handler http.Handler
	crawler *catalog.Crawler
	issuer  *dcp.Issuer
}

func newGateway(t testing.TB) *gateway {
	t.Helper()
	g := &gateway{}
	g.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }))
	t.Cleanup(g.srv.Close)
	var err error
	g.did, err = identity.WebDID(g.srv.URL)
	must(t, err)
	return g
}

// open puts the node behind the address. private lets it call loopback.
func (g *gateway) open(t testing.TB, country string, private bool, known []identity.Peer, who ...server.Verifier) {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "counts"), 0o700))
	keys, err := identity.OpenKeys(filepath.Join(dir, "keys"), g.did, "P-256")
	must(t, err)
	db, err := store.Open(ctx, storetest.Place(t), slices.Concat(ledger.Migrations, catalog.Migrations, counter.Migrations, exchange.Migrations, dcp.Migrations())...)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	origin := g.srv.Listener.Addr().String() + "/log"
	signer, err := keys.LogSigner(origin)
	must(t, err)
	vkey, err := keys.LogVKey(origin)
	must(t, err)
	log, err := ledger.Open(ctx, db, ledger.Config{Origin: origin, Signer: signer, VKey: vkey, Issuer: g.did})
	must(t, err)
	lib, err := law.Load(packs.FS())
	must(t, err)
	peers, err := identity.NewPeers(known)
	must(t, err)
	tokens, err := identity.NewTokens(g.did, keys.Token, nil)
	must(t, err)
	client := identity.GuardedClient(private)
	resolver := identity.NewResolver(identity.ResolverConfig{HTTP: client})
	g.x, err = exchange.New(exchange.Config{Self: corridor.Participant{DID: g.did, Jurisdiction: country, Type: "private", Traits: []string{}, Flags: []string{}}, Base: g.srv.URL + server.Base, DataBase: g.srv.URL + "/data",
		Inbox: filepath.Join(dir, "inbox"), Temp: dir, CountKeys: filepath.Join(dir, "counts"), DB: db, Ledger: log, Law: lib, Signer: keys.National, Directory: peers, Resolver: resolver, Token: tokens.Issue,
		HTTP: client, StreamKey: []byte(secret), Assume: g.assume})
	must(t, err)
	var verifier server.Verifier
	verifier, err = identity.NewTokenVerifier(identity.VerifierConfig{DID: g.did, Resolver: resolver, Directory: peers, Replay: identity.NewMemoryReplay(1000, nil)})
	must(t, err)
	if len(who) > 0 {
		verifier = who[0]
	}
	g.crawler, err = catalog.NewCrawler(catalog.CrawlConfig{Self: g.did, DB: db, Client: dsp.NewClient(dsp.ClientConfig{HTTP: client, Token: tokens.Issue}), Address: g.x.PeerAddress, Vouch: g.x.Announced,
		Named: func(context.Context) (list []catalog.Named, err error) {
			for _, p := range known {
				list = append(list, catalog.Named{DID: p.DID, Country: p.Jurisdiction})
			}
			return list, nil
		}})
	must(t, err)
	must(t, keys.OpenCredential(filepath.Join(dir, "keys")))
	claims := g.claims(t, keys, db, tokens, resolver, client, peers)
	document := keys.Document(g.srv.URL+server.Base, g.srv.URL)
	document.Service = append(document.Service, identity.Service{ID: g.did + "#cs", Type: dcp.CredentialService, Endpoint: g.srv.URL + server.HolderBase}, identity.Service{ID: g.did + "#is", Type: dcp.IssuerService, Endpoint: g.srv.URL + server.IssuerBase})
	g.handler, err = server.New(server.Config{Exchange: g.x, Verifier: verifier, Ledger: log.Handler(), Crawler: g.crawler, Claims: claims, DID: func() identity.Document { return document }, Admin: secret})
	must(t, err)
}

// claims makes the services of the claims protocol; the node issues a
// membership to all that it knows.
func (g *gateway) claims(t testing.TB, keys *identity.Keys, db *store.DB, tokens *identity.Tokens, resolver *identity.Resolver, client *http.Client, peers *identity.Peers) *server.Claims {
	t.Helper()
	rules := &dcp.Rules{Issues: []dcp.Offer{{ID: "membership", Type: "MembershipCredential", Days: 30}}}
	for _, p := range peers.All() {
		rules.Issues[0].To = append(rules.Issues[0].To, dcp.Grant{DID: p.DID})
	}
	must(t, rules.Check())
	laid := func() (*dcp.Rules, error) { return rules, nil }
	wallet, err := dcp.NewWallet(dcp.WalletConfig{DID: g.did, DB: db, Signer: keys.Token, Tokens: tokens, Secret: []byte(secret), Resolver: resolver, Checker: dcp.NewChecker(resolver, client, nil), HTTP: client})
	must(t, err)
	g.issuer, err = dcp.NewIssuer(dcp.IssuerConfig{DID: g.did, Base: g.srv.URL + server.IssuerBase, Lists: g.srv.URL + server.ListBase, DB: db, Signer: keys.Credential, Tokens: tokens, Resolver: resolver, HTTP: client, Rules: laid})
	must(t, err)
	callers, err := identity.NewTokenVerifier(identity.VerifierConfig{DID: g.did, Resolver: resolver, Directory: peers, Replay: identity.NewMemoryReplay(1000, nil)})
	must(t, err)
	return &server.Claims{Callers: callers, Wallet: wallet, Issuer: g.issuer}
}

// run lets the node do its work until the test ends.
func (g *gateway) run(t testing.TB) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 3)
	go func() { done <- g.x.Run(ctx) }()
	go func() { done <- g.issuer.Run(ctx) }()
	go func() { done <- g.crawler.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		for range cap(done) {
			if err := <-done; err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type answer struct {
	status int
	head   http.Header
	body   []byte
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return m
}

func call(t *testing.T, srv *httptest.Server, method, path, body string, head ...string) answer {
	t.Helper()
	req, err := http.NewRequest(method, srv.URL+path, strings.NewReader(body))
	must(t, err)
	if strings.HasPrefix(path, "/api/") {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i+1 < len(head); i += 2 {
		req.Header.Set(head[i], head[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	must(t, err)
	return answer{resp.StatusCode, resp.Header, out}
}

func TestWhatAnybodyMayRead(t *testing.T) {
	srv, _ := node(t)
	for path, want := range map[string]string{
		"/health":                     `"ok"`,
		"/.well-known/dspace-version": `"version":"2025-1","path":"/dsp/2025-1","binding":"HTTPS"`,
		"/.well-known/did.json":       `"assertionMethod"`,
		"/log/checkpoint":             srv.Listener.Addr().String() + "/log\n",
	} {
		a := call(t, srv, "GET", path, "")
		if a.status != 200 || !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if _, err := dsp.DecodeVersions(call(t, srv, "GET", dsp.VersionPath, "").body); err != nil {
		t.Error(err)
	}
}

func TestTheManagementAPIKnowsItsOperator(t *testing.T) {
	srv, _ := node(t)
	for name, c := range map[string]struct {
		head   []string
		status int
	}{
		"the token":        {nil, 200},
		"no token":         {[]string{"Authorization", ""}, 401},
		"another token":    {[]string{"Authorization", "Bearer " + strings.Repeat("x", 32)}, 401},
		"half of it":       {[]string{"Authorization", "Bearer " + secret[:16]}, 401},
		"another scheme":   {[]string{"Authorization", "Basic " + secret}, 401},
		"through a proxy":  {[]string{"X-Forwarded-For", "203.0.113.7"}, 403},
		"through a proxy2": {[]string{"Forwarded", "for=203.0.113.7"}, 403},
	} {
		a := call(t, srv, "GET", "/api/status", "", c.head...)
		if a.status != c.status {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if a.status != 200 && (a.head.Get("Content-Type") != "application/problem+json" || a.json(t)["kind"] == "") {
			t.Errorf("%s: %s %s", name, a.head.Get("Content-Type"), a.body)
		}
	}
}

func TestTheManagementAPISaysWhatIsWrong(t *testing.T) {
	srv, _ := node(t)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		says               string
	}{
		"an unknown member":     {"POST", "/api/datasets", `{"id":"x","colour":1}`, 400, "colour"},
		"a repeated member":     {"POST", "/api/datasets", `{"id":"x","id":"y"}`, 400, "twice"},
		"too deep":              {"POST", "/api/datasets", strings.Repeat("[", 100) + strings.Repeat("]", 100), 400, "nested"},
		"not JSON":              {"POST", "/api/datasets", "hello", 400, "JSON"},
		"too long":              {"POST", "/api/datasets", strings.Repeat(" ", 2<<20), 413, "limit"},
		"no source":             {"POST", "/api/datasets", `{"id":"x","source":"/nowhere/at/all.csv","format":"csv"}`, 400, "source"},
		"a bad id":              {"POST", "/api/datasets", `{"id":"a b","source":"x","format":"csv"}`, 400, "dataset id"},
		"no purpose":            {"POST", "/api/negotiations", `{"provider":"did:web:peer.example","dataset":"x"}`, 400, "purpose"},
		"a stranger":            {"POST", "/api/negotiations", `{"provider":"did:web:stranger.example","dataset":"x","purpose":"hr"}`, 403, "not a known participant"},
		"no such negotiation":   {"GET", "/api/negotiations/urn:uuid:1", "", 404, "no negotiation"},
		"no such transfer":      {"POST", "/api/transfers/urn:uuid:1/suspend", `{"reason":"x"}`, 404, "no transfer"},
		"no such agreement":     {"GET", "/api/agreements/urn:uuid:1/bundle", "", 404, "no agreement"},
		"a limit of words":      {"GET", "/api/negotiations?limit=many", "", 400, "limit"},
		"a limit over a page":   {"GET", "/api/found?limit=1000", "", 400, "at most 100"},
		"a wait of words":       {"GET", "/api/negotiations/x?wait=long", "", 400, "duration"},
		"a catalogue of nobody": {"GET", "/api/catalogue", "", 400, "peer"},
	} {
		a := call(t, srv, c.method, c.path, c.body)
		if a.status != c.status || !strings.Contains(string(a.body), c.says) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestWhatIsPublishedIsListed(t *testing.T) {
	srv, _ := node(t)
	path := filepath.Join(t.TempDir(), "a.csv")
	must(t, writeFile(path, "a,b\n1,2\n"))
	for _, id := range []string{"one", "two", "three"} {
		a := call(t, srv, "POST", "/api/datasets", `{"id":"`+id+`","source":"`+path+`","format":"csv","facts":{"data_classes":["non_personal"]}}`)
		if a.status != 201 || a.json(t)["sha256"] == "" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	var seen []string
	after := ""
	for range 5 {
		a := call(t, srv, "GET", "/api/datasets?limit=2&after="+after, "").json(t)
		for _, d := range a["items"].([]any) {
			seen = append(seen, d.(map[string]any)["id"].(string))
		}
		next, more := a["next"].(string)
		if !more {
			break
		}
		after = next
	}
	if !slices.Equal(seen, []string{"one", "two", "three"}) {
		t.Errorf("%v", seen)
	}
	for path, want := range map[string]string{"/api/peers": "did:web:peer.example", "/api/datasets/one/reach": `"shown":true`, "/api/status": `"size":3`, "/api/negotiations": `{"items":[]}`} {
		if a := call(t, srv, "GET", path, ""); a.status != 200 || !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// A peer that sends its request one byte at a time is cut off.
func TestASlowPeerIsCutOff(t *testing.T) {
	srv := server.HTTPServer("127.0.0.1:0", http.NotFoundHandler())
	srv.ReadHeaderTimeout = 50 * time.Millisecond // the shape of the limit, not its length
	l, err := net.Listen("tcp", srv.Addr)
	must(t, err)
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "))
	must(t, err)
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("the connection stays open: %v", err)
	}
	for name, limit := range map[string]time.Duration{"header": server.HTTPServer("", nil).ReadHeaderTimeout, "request": server.HTTPServer("", nil).ReadTimeout, "idle": server.HTTPServer("", nil).IdleTimeout} {
		if limit <= 0 {
			t.Errorf("no limit on %s", name)
		}
	}
}

func TestTheOffSwitchHidesTheManagementAPI(t *testing.T) {
	_, x := node(t)
	h, err := server.New(server.Config{Exchange: x, Verifier: nobody{}})
	must(t, err)
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/api/status", nil)
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer ")
	h.ServeHTTP(w, r)
	if w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	r.RemoteAddr = "203.0.113.7:1"
	h, err = server.New(server.Config{Exchange: x, Verifier: nobody{}, Admin: secret})
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+secret)
	h.ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("from outside: %d %s", w.Code, w.Body)
	}
}

type nobody struct{}

func (nobody) Verify(context.Context, string) (identity.Caller, error) {
	return identity.Caller{}, corridor.E(corridor.Unauthenticated, "nobody")
}

// known is a verifier that takes everybody for one known peer.
type known struct{}

func (known) Verify(context.Context, string) (identity.Caller, error) {
	return identity.Caller{DID: "did:web:peer.example", Peer: identity.Peer{Participant: corridor.Participant{DID: "did:web:peer.example", Jurisdiction: "KZ", Type: "private", Flags: []string{}}}}, nil
}

// FuzzPeerBodies throws bodies at the routes of peers: none may be answered
// with an internal error.
func FuzzPeerBodies(f *testing.F) {
	for _, path := range []string{"/negotiations/request", "/negotiations/offers", "/negotiations/x/agreement", "/transfers/request", "/transfers/x/start", "/catalog/request"} {
		f.Add(path, []byte(`{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"ContractRequestMessage","consumerPid":"x","offer":{"@id":"o","target":"d","permission":[{"action":"use"}]},"callbackAddress":"http://127.0.0.1:1/"}`))
		f.Add(path, []byte(`{}`))
	}
	srv, _ := node(f, known{})
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		r, err := http.NewRequest("POST", "http://x"+server.Base+path, bytes.NewReader(body))
		if err != nil {
			return
		}
		r.RemoteAddr = "203.0.113.7:1"
		w := httptest.NewRecorder()
		srv.Config.Handler.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusServiceUnavailable { // the peer's DID document cannot be had here
			t.Fatalf("%s %q: %d %s", path, body, w.Code, w.Body)
		}
	})
}

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

// A name that one database keeps and another refuses is refused everywhere,
// before it reaches either.
func TestANameThatNoDatabaseKeepsIsRefused(t *testing.T) {
	srv, _ := node(t, known{})
	request := `{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"ContractNegotiationTerminationMessage","providerPid":"x","consumerPid":"y"}`
	for name, c := range map[string]struct{ method, path, body string }{
		"a NUL in an operator's path":        {"GET", "/api/negotiations/%00", ""},
		"no UTF-8 in an operator's path":     {"GET", "/api/transfers/%ff", ""},
		"a NUL in an operator's query":       {"GET", "/api/datasets?after=%00", ""},
		"no UTF-8 in a filter":               {"GET", "/api/datasets?text=%ff", ""},
		"a NUL in an operator's body":        {"POST", "/api/agreements/x/events", `{"event":"a\u0000"}`},
		"a NUL in the name of a member":      {"POST", "/api/datasets", `{"id":"x","facts":{"a\u0000":1}}`},
		"a NUL in a peer's path":             {"GET", server.Base + "/negotiations/%00", ""},
		"no UTF-8 in a peer's path":          {"GET", server.Base + "/catalog/datasets/%ff", ""},
		"a NUL in the path of a message":     {"POST", server.Base + "/negotiations/%00/termination", request},
		"a NUL in the place of a page":       {"POST", server.Base + "/catalog/request?after=%00", `{}`},
		"no UTF-8 in the path of a transfer": {"POST", server.Base + "/transfers/%ff/start", request},
	} {
		if a := call(t, srv, c.method, c.path, c.body); a.status != 400 || !strings.Contains(string(a.body), "NUL") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := call(t, srv, "POST", "/api/agreements/x/events", `{"event":"a\\u0000"}`); strings.Contains(string(a.body), "NUL") {
		t.Errorf("an escaped backslash is no NUL: %s", a.body)
	}
}

// A peer that sends the body of a message one byte at a time is cut off too.
func TestASlowBodyIsCutOff(t *testing.T) {
	g, _ := node(t, known{})
	srv := server.HTTPServer("127.0.0.1:0", g.Config.Handler)
	srv.ReadTimeout = 100 * time.Millisecond // the shape of the limit, not its length
	l, err := net.Listen("tcp", srv.Addr)
	must(t, err)
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(c, "POST "+server.Base+"/negotiations/request HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	must(t, err)
	answer, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(answer), "400 Bad Request") || !strings.Contains(string(answer), "ContractNegotiationError") {
		t.Errorf("%v %s", err, answer)
	}
}
