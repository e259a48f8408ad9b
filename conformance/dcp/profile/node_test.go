package profile

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"corridor"
	dspprofile "corridor/conformance/dsp/profile"
	"corridor/internal/catalog"
	people "corridor/internal/counter"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/identity/dcp"
	"corridor/internal/ledger"
	"corridor/internal/server"
	"corridor/internal/store"
)

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testNode is a whole node with the profile, in this process: real keys, a real
// database, real HTTP.
type testNode struct {
	did, root string
	wallet    *dcp.Wallet
}

func startNode(t *testing.T, kit string) *testNode {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	fatal(t, err)
	n := &testNode{root: "http://" + l.Addr().String(), did: "did:web:" + strings.ReplaceAll(l.Addr().String(), ":", "%3A")}
	dir := t.TempDir()
	keys, err := identity.OpenKeys(filepath.Join(dir, "keys"), n.did, "P-256")
	fatal(t, err)
	fatal(t, keys.OpenCredential(filepath.Join(dir, "keys")))
	db, err := store.Open(ctx, filepath.Join(dir, "node.db"), slices.Concat(ledger.Migrations, catalog.Migrations, people.Migrations, exchange.Migrations, dcp.Migrations())...)
	fatal(t, err)
	t.Cleanup(func() { db.Close() })
	laid := rules(t, kit)
	directory := peers(t, kit)
	document := keys.Document(n.root + server.Base)
	document.Service = append(document.Service, identity.Service{ID: n.did + "#cs", Type: dcp.CredentialService, Endpoint: n.root + server.HolderBase}, identity.Service{ID: n.did + "#is", Type: dcp.IssuerService, Endpoint: n.root + server.IssuerBase})
	client := identity.GuardedClient(true)
	resolver := identity.NewResolver(identity.ResolverConfig{HTTP: client, Static: []identity.Document{document}})
	tokens, err := identity.NewTokens(n.did, keys.Token, nil)
	fatal(t, err)
	checker := dcp.NewChecker(resolver, client, nil)
	n.wallet, err = dcp.NewWallet(dcp.WalletConfig{DID: n.did, DB: db, Signer: keys.Token, Tokens: tokens, Secret: []byte(secret), Resolver: resolver, Checker: checker, HTTP: client})
	fatal(t, err)
	fatal(t, Expect(ctx, n.wallet, kit))
	issuer, err := dcp.NewIssuer(dcp.IssuerConfig{DID: n.did, Base: n.root + server.IssuerBase, Lists: n.root + server.ListBase, DB: db, Signer: keys.Credential, Tokens: tokens, Resolver: resolver, HTTP: client, Rules: laid})
	fatal(t, err)
	replay := identity.NewMemoryReplay(10000, nil)
	callers := func(d identity.Directory, skew time.Duration) *identity.TokenVerifier {
		v, err := identity.NewTokenVerifier(identity.VerifierConfig{DID: n.did, Resolver: resolver, Directory: d, Replay: replay, Skew: skew})
		fatal(t, err)
		return v
	}
	verifier, err := dcp.NewVerifier(dcp.VerifierConfig{DID: n.did, Callers: callers(directory, 0), Rules: laid, Resolver: resolver, Checker: checker, HTTP: client, Tokens: tokens, DB: db})
	fatal(t, err)
	x := openExchange(t, ctx, n, dir, keys, db, directory, resolver, tokens)
	handler, err := server.New(server.Config{Exchange: x, Verifier: verifier, DID: func() identity.Document { return document },
		Claims: &server.Claims{Callers: callers(&dcp.Parties{Peers: directory, Rules: laid, Asked: n.wallet.HasAsked}, 30*time.Second), Wallet: n.wallet, Issuer: issuer}})
	fatal(t, err)
	srv := server.HTTPServer("", Endpoints(handler, n.wallet))
	go srv.Serve(l)
	ran := make(chan error, 1)
	go func() { ran <- issuer.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		fatal(t, <-ran)
		srv.Close()
	})
	return n
}

const secret = "0123456789abcdef0123456789abcdef"

func rules(t *testing.T, kit string) dcp.Laid {
	t.Helper()
	text, err := Credentials(kit)
	fatal(t, err)
	var r dcp.Rules
	fatal(t, yaml.Load([]byte(text), &r, yaml.WithKnownFields()))
	fatal(t, r.Check())
	return func() (*dcp.Rules, error) { return &r, nil }
}

func peers(t *testing.T, kit string) *identity.Peers {
	t.Helper()
	text, err := Peers(kit, dspprofile.KitCountry)
	fatal(t, err)
	var doc struct{ Peers []identity.Peer }
	fatal(t, yaml.Load([]byte(text), &doc, yaml.WithKnownFields()))
	d, err := identity.NewPeers(doc.Peers)
	fatal(t, err)
	return d
}

func openExchange(t *testing.T, ctx context.Context, n *testNode, dir string, keys *identity.Keys, db *store.DB, d identity.Directory, r *identity.Resolver, tokens *identity.Tokens) *exchange.Service {
	t.Helper()
	origin := strings.TrimPrefix(n.root, "http://") + "/log"
	signer, err := keys.LogSigner(origin)
	fatal(t, err)
	vkey, err := keys.LogVKey(origin)
	fatal(t, err)
	book, err := ledger.Open(ctx, db, ledger.Config{Origin: origin, Signer: signer, VKey: vkey, Issuer: n.did})
	fatal(t, err)
	law, err := dspprofile.Law()
	fatal(t, err)
	client := identity.GuardedClient(true)
	x, err := exchange.New(exchange.Config{Self: corridor.Participant{DID: n.did, Jurisdiction: dspprofile.NodeCountry, Type: "private", Traits: []string{}, Flags: []string{}},
		Base: n.root + server.Base, DataBase: n.root + "/data", Inbox: filepath.Join(dir, "inbox"), DB: db, Ledger: book, Law: law, Signer: keys.National, Directory: d, Resolver: r,
		Token: tokens.Issue, HTTP: client, Guard: identity.Guard{AllowPrivate: true}.Check, CountKeys: filepath.Join(dir, "keys"), StreamKey: []byte(secret)})
	fatal(t, err)
	return x
}

// testKit plays the parts that the kit plays: each has a key of its own, and all
// their services are at one address.
type testKit struct {
	t    *testing.T
	srv  *httptest.Server
	part map[string]kitPart

	mu        sync.Mutex // guards what follows
	answers   map[string]http.HandlerFunc
	delivered []json.RawMessage
}

type kitPart struct {
	did string
	key identity.Signer
}

func startKit(t *testing.T) *testKit {
	t.Helper()
	k := &testKit{t: t, part: map[string]kitPart{}, answers: map[string]http.HandlerFunc{}}
	k.srv = httptest.NewServer(http.HandlerFunc(k.serve))
	t.Cleanup(k.srv.Close)
	for _, name := range []string{"holder", "issuer", "verifier", "thirdparty"} {
		did, err := DID(k.srv.URL, name)
		fatal(t, err)
		k.part[name] = kitPart{did: did, key: newKey(t, did)}
	}
	return k
}

func newKey(t *testing.T, did string) identity.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(t, err)
	s, err := identity.NewSigner(did, "key", private)
	fatal(t, err)
	return s
}

func (k *testKit) serve(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(strings.TrimSuffix(r.URL.Path, "did.json"), "/")
	if p, ok := k.part[name]; ok {
		id := []string{p.key.KeyID()}
		_ = json.NewEncoder(w).Encode(identity.Document{Context: []string{"https://www.w3.org/ns/did/v1"}, ID: p.did,
			VerificationMethod: []identity.Method{{ID: id[0], Type: "JsonWebKey2020", Controller: p.did, JWK: p.key.Public().JWK}},
			Authentication:     id, AssertionMethod: id, CapabilityInvocation: id, Service: []identity.Service{{ID: "kit", Type: dcp.CredentialService, Endpoint: k.srv.URL}}})
		return
	}
	k.mu.Lock()
	answer := k.answers[r.URL.Path]
	k.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case r.URL.Path == "/credentials":
		var m struct{ Credentials []json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		k.mu.Lock()
		k.delivered = append(k.delivered, m.Credentials...)
		k.mu.Unlock()
	default:
		http.NotFound(w, r)
	}
}

func (k *testKit) at(path string, f http.HandlerFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answers[path] = f
}

// claims are those of a good token of a part for the node, changed as wanted.
func (k *testKit) claims(from string, n *testNode, change map[string]any) map[string]any {
	now := time.Now()
	c := map[string]any{"iss": k.part[from].did, "sub": k.part[from].did, "aud": n.did, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
	maps.Copy(c, change)
	return c
}

func (k *testKit) token(from string, n *testNode, change map[string]any) string {
	return k.signed(k.part[from].key, k.claims(from, n, change))
}

func (k *testKit) signed(key identity.Signer, claims any) string {
	k.t.Helper()
	raw, err := identity.SignJWT(context.Background(), key, "JWT", claims)
	fatal(k.t, err)
	return raw
}

// credential is what the kit's issuer signs: data model 1.1.
func (k *testKit) credential(holder, typ string, change map[string]any) string {
	now := time.Now().UTC()
	vc := map[string]any{"@context": []string{"https://www.w3.org/2018/credentials/v1"}, "id": rand.Text(), "type": []string{"VerifiableCredential", typ}, "issuer": k.part["issuer"].did,
		"issuanceDate": now.Format(time.RFC3339Nano), "credentialSubject": map[string]any{"id": holder, "foo": "bar"}}
	maps.Copy(vc, change)
	subject, _ := vc["credentialSubject"].(map[string]any)
	return k.signed(k.part["issuer"].key, map[string]any{"iss": k.part["issuer"].did, "sub": subject["id"], "jti": rand.Text(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "vc": vc})
}

var client = &http.Client{Timeout: 15 * time.Second}

// say sends a request and gives status, headers and body.
func (k *testKit) say(method, at, authorization string, body any) (int, http.Header, []byte) {
	k.t.Helper()
	var send io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		fatal(k.t, err)
		send = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, at, send)
	fatal(k.t, err)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := client.Do(req)
	fatal(k.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	fatal(k.t, err)
	return resp.StatusCode, resp.Header, raw
}
