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
	"corridor/internal/law"
	"corridor/internal/ledger"
	"corridor/internal/server"
	"corridor/internal/store"
	"corridor/packs"
)

const secret = "0123456789abcdef0123456789abcdef"

// node is one gateway behind a test server.
func node(t testing.TB, who ...server.Verifier) (*httptest.Server, *exchange.Service) {
	t.Helper()
	ctx := context.Background()
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	did, err := identity.WebDID(srv.URL)
	must(t, err)
	dir := t.TempDir()
	keys, err := identity.OpenKeys(filepath.Join(dir, "keys"), did, "P-256")
	must(t, err)
	db, err := store.Open(ctx, filepath.Join(dir, "node.db"), slices.Concat(ledger.Migrations, catalog.Migrations, counter.Migrations, exchange.Migrations)...)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	origin := "test.example/log"
	signer, err := keys.LogSigner(origin)
	must(t, err)
	vkey, err := keys.LogVKey(origin)
	must(t, err)
	log, err := ledger.Open(ctx, db, ledger.Config{Origin: origin, Signer: signer, VKey: vkey, Issuer: did})
	must(t, err)
	lib, err := law.Load(packs.FS())
	must(t, err)
	peers, err := identity.NewPeers([]identity.Peer{{Participant: corridor.Participant{DID: "did:web:peer.example", Jurisdiction: "KZ", Type: "private", Flags: []string{}}}})
	must(t, err)
	tokens, err := identity.NewTokens(did, keys.Token, nil)
	must(t, err)
	resolver := identity.NewResolver(identity.ResolverConfig{HTTP: identity.GuardedClient(false)})
	x, err := exchange.New(exchange.Config{Self: corridor.Participant{DID: did, Jurisdiction: "CN", Traits: []string{}}, Base: srv.URL + server.Base, DataBase: srv.URL + "/data",
		Inbox: filepath.Join(dir, "inbox"), DB: db, Ledger: log, Law: lib, Signer: keys.National, Directory: peers, Resolver: resolver, Token: tokens.Issue,
		HTTP: identity.GuardedClient(false), StreamKey: []byte(secret)})
	must(t, err)
	var verifier server.Verifier
	verifier, err = identity.NewTokenVerifier(identity.VerifierConfig{DID: did, Resolver: resolver, Directory: peers, Replay: identity.NewMemoryReplay(100, nil)})
	must(t, err)
	if len(who) > 0 {
		verifier = who[0]
	}
	handler, err = server.New(server.Config{Exchange: x, Verifier: verifier, Ledger: log.Handler(), DID: keys.Document(srv.URL+server.Base, srv.URL), Admin: secret})
	must(t, err)
	return srv, x
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
		"/log/checkpoint":             "test.example/log\n",
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
	if !slices.Equal(seen, []string{"one", "three", "two"}) {
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
