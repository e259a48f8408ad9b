package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/identity"
	"corridor/test/port"
)

// stranger is a gateway that answers as a test lets it.
type stranger struct {
	*httptest.Server
	did   string
	keys  *identity.Keys
	pages map[string]http.HandlerFunc
}

const goodVersions = `{"protocolVersions":[{"version":"2025-1","path":"/dsp/2025-1","binding":"HTTPS"}]}`

func newStranger(t *testing.T, suite string) *stranger {
	t.Helper()
	s := &stranger{pages: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := s.pages[r.URL.Path]; ok {
			h(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(s.Close)
	var err error
	if s.did, err = identity.WebDID(s.URL); err != nil {
		t.Fatal(err)
	}
	if s.keys, err = identity.OpenKeys(filepath.Join(t.TempDir(), "keys"), s.did, suite); err != nil {
		t.Fatal(err)
	}
	s.says("/.well-known/dspace-version", goodVersions)
	s.announces(s.URL)
	return s
}

func (s *stranger) says(path, body string) {
	s.pages[path] = func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

// announces lets its DID document say where it is.
func (s *stranger) announces(root string) { s.document(s.keys.Document(root + "/dsp/2025-1")) }

func (s *stranger) document(d identity.Document) {
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings and keys always marshal
	}
	s.says("/.well-known/did.json", string(raw))
}

// trial looks at a peer from a node whose management API does not answer.
func trial(t *testing.T, given string, change ...func(*peerTrial)) map[string]trialStep {
	t.Helper()
	dir := t.TempDir()
	p := &peerTrial{cfg: config{dir: dir, DID: "did:web:gateway.example.cn", Jurisdiction: "CN", Suite: "SM2"}, given: given, guard: identity.Guard{AllowPrivate: true, Timeout: trialPatience, MaxBody: 1 << 20},
		peers: &peerList{path: filepath.Join(dir, "peers.yaml")}, rules: &ruleFile{path: filepath.Join(dir, "credentials.yaml")}, bounded: boundedStep, now: time.Now, away: "off"}
	for _, f := range change {
		f(p)
	}
	p.http = p.guard.Client()
	out := map[string]trialStep{}
	for _, f := range p.run(t.Context()) {
		if f.Why == "" || f.Found == "" {
			t.Errorf("%s is not explained: %+v", f.Step, f)
		}
		if f.Fix == "" && (f.Result == resultFailed || f.Result == resultWarning) {
			t.Errorf("%s says nothing of what would mend it: %+v", f.Step, f)
		}
		inOtherWords(t, f)
		out[f.Step] = f
	}
	if len(out) != 12 {
		t.Fatalf("%d steps", len(out))
	}
	return out
}

// inOtherWords makes sure that a step is told in all languages.
func inOtherWords(t *testing.T, f trialStep) {
	t.Helper()
	for _, lang := range []string{"zh", "ru"} {
		a := &app{lang: lang, speaks: inLanguage(lang)}
		for _, text := range []string{f.Found, f.Why, f.Fix} {
			if text != "" && a.heard(text) == text {
				t.Errorf("%s: %q is not said in %s", f.Step, text, lang)
			}
		}
	}
}

// wants holds steps against results, each with a part of what was found or of
// what would mend it.
func wants(t *testing.T, got map[string]trialStep, steps map[string][2]string) {
	t.Helper()
	for name, w := range steps {
		f := got[name]
		if f.Result != w[0] || !strings.Contains(f.Found+" | "+f.Fix, w[1]) {
			t.Errorf("%s: got %s: %s | %s\nwant %s: %s", name, f.Result, f.Found, f.Fix, w[0], w[1])
		}
	}
}

func TestAPeerIsLookedAtStepByStep(t *testing.T) {
	s := newStranger(t, "SM2")
	known := func(p *peerTrial) {
		if err := addPeer(p.peers.path, identity.Peer{Participant: corridor.Participant{DID: s.did, Jurisdiction: "KZ", Name: "Terminal", Type: "private", Flags: []string{}}}); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string][2]string{
		"name": {resultOK, "127.0.0.1"}, "connection": {resultOK, "connected to 127.0.0.1"}, "tls": {resultNone, "plain http"}, "clock": {resultOK, "within"},
		"versions": {resultOK, "2025-1 at /dsp/2025-1"}, "did": {resultOK, "for tokens P-256, for what it signs SM2"}, "suites": {resultOK, "signs with SM2"},
		"known": {resultOK, "under the law of KZ; private; no recipient_flags"}, "credentials": {resultNone, "neither side"}, "catalogue": {resultNone, "start it"}, "compact": {resultNone, "does not answer"},
	}
	wants(t, trial(t, s.did, known), all)
	wants(t, trial(t, s.URL+"/dsp/2025-1", known), all)
	wants(t, trial(t, s.URL), map[string][2]string{"address": {resultOK, "would be " + s.did}, "did": {resultOK, "its id is right"}, "known": {resultWarning, "corridor peers add --did " + s.did}, "compact": {resultNone, "not on the list"}})
	ed := newStranger(t, "Ed25519")
	wants(t, trial(t, ed.did), map[string][2]string{"suites": {resultWarning, "this node signs with SM2"}})
	wants(t, trial(t, ed.did, func(p *peerTrial) { p.cfg.Suite = "Ed25519" }), map[string][2]string{"suites": {resultOK, "signs with Ed25519"}})
}

func TestWhatKeepsAPeerFromBeingReachedIsExplained(t *testing.T) {
	nobody, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	none := [2]string{resultNone, ""}
	for given, steps := range map[string]map[string][2]string{
		"gateway.example.kz":               {"address": {resultFailed, "neither a DID nor an address"}, "name": none, "connection": none, "did": none, "known": none},
		"did:key:z6Mk":                     {"address": {resultFailed, "does not begin with did:web:"}, "name": none},
		"https://u:p@gateway.example":      {"address": {resultFailed, "neither"}},
		"https://no-such-host.invalid":     {"address": {resultOK, "did:web:no-such-host.invalid"}, "name": {resultFailed, "has no address"}, "connection": {resultNone, "no address"}, "did": none},
		"http://" + nobody:                 {"name": {resultOK, ""}, "connection": {resultFailed, "nobody listens there"}, "clock": {resultNone, "no connection"}, "did": none, "catalogue": none},
		"https://169.254.169.254":          {"address": {resultWarning, "IP address in place of a host name"}, "name": {resultFailed, "a metadata service"}, "connection": none},
		"https://[::ffff:169.254.169.254]": {"name": {resultFailed, "a metadata service"}, "connection": none},
	} {
		t.Run(given, func(t *testing.T) { wants(t, trial(t, given), steps) })
	}
	s := newStranger(t, "SM2")
	wants(t, trial(t, s.did, func(p *peerTrial) { p.guard.AllowPrivate = false }), map[string][2]string{
		"name": {resultFailed, "allow_private: true"}, "connection": {resultNone, "does not call such an address"}, "did": none, "suites": none, "known": {resultWarning, ""}})
}

// A peer that leads to an address inside is not followed, in any step.
func TestARedirectOfAPeerIsToldAndNotFollowed(t *testing.T) {
	var inside atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	defer other.Close()
	s := newStranger(t, "SM2")
	for _, path := range []string{"/.well-known/dspace-version", "/.well-known/did.json"} {
		s.pages[path] = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/inside", http.StatusFound)
		}
	}
	wants(t, trial(t, s.did), map[string][2]string{"versions": {resultFailed, "redirects to \"" + other.URL}, "did": {resultFailed, "redirects are not followed"}, "clock": {resultOK, ""}})
	if inside.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

func TestAPeerThatIsWrongIsExplained(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*stranger)
		steps  map[string][2]string
	}{
		"another edition": {func(s *stranger) {
			s.says("/.well-known/dspace-version", `{"protocolVersions":[{"version":"2024-1","path":"/","binding":"HTTPS"}]}`)
		}, map[string][2]string{"versions": {resultFailed, "speaks 2024-1 over HTTPS; this node speaks 2025-1"}, "did": {resultOK, ""}}},
		"no version document": {func(s *stranger) { delete(s.pages, "/.well-known/dspace-version") }, map[string][2]string{"versions": {resultFailed, "status 404"}, "clock": {resultOK, ""}, "did": {resultOK, ""}}},
		"no JSON":             {func(s *stranger) { s.says("/.well-known/dspace-version", "<html>") }, map[string][2]string{"versions": {resultFailed, ""}}},
		"a huge version document": {func(s *stranger) { s.says("/.well-known/dspace-version", strings.Repeat(" ", maxTrialAnswer+1)) },
			map[string][2]string{"versions": {resultFailed, "is over 262144 bytes long"}, "did": {resultOK, ""}}},
		"an endless DID document": {func(s *stranger) {
			s.pages["/.well-known/did.json"] = func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					if _, err := io.WriteString(w, strings.Repeat(" ", 4096)); err != nil {
						return
					}
				}
			}
		}, map[string][2]string{"did": {resultFailed, "over the limit of 65536 bytes"}, "suites": {resultNone, "not known"}}},
		"another's document": {func(s *stranger) {
			s.says("/.well-known/did.json", `{"id":"did:web:gateway.example.kz"}`)
		}, map[string][2]string{"did": {resultFailed, `its id is "did:web:gateway.example.kz"`}}},
		"no document":  {func(s *stranger) { delete(s.pages, "/.well-known/did.json") }, map[string][2]string{"did": {resultFailed, "status 404"}}},
		"no keys":      {func(s *stranger) { s.says("/.well-known/did.json", `{"id":"`+s.did+`"}`) }, map[string][2]string{"did": {resultFailed, "no key for tokens"}, "suites": {resultFailed, "no key that this node can check"}}},
		"no address":   {func(s *stranger) { s.document(s.keys.Document("")) }, map[string][2]string{"did": {resultFailed, "announces no address"}}},
		"another host": {func(s *stranger) { s.announces("https://other.example") }, map[string][2]string{"did": {resultWarning, "corridor peers test https://other.example"}}},
		"a clock ahead": {func(s *stranger) {
			s.pages["/.well-known/dspace-version"] = at(time.Now().Add(3 * time.Minute))
		}, map[string][2]string{"clock": {resultFailed, "ahead of ours: tokens are refused"}, "versions": {resultOK, ""}}},
		"a clock behind": {func(s *stranger) {
			s.pages["/.well-known/dspace-version"] = at(time.Now().Add(-45 * time.Second))
		}, map[string][2]string{"clock": {resultWarning, "behind ours"}}},
		"no clock": {func(s *stranger) {
			s.pages["/.well-known/dspace-version"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = nil
				io.WriteString(w, goodVersions)
			}
		}, map[string][2]string{"clock": {resultNone, "tells no time"}, "versions": {resultOK, ""}}},
		"wants credentials": {func(s *stranger) {
			s.says("/.well-known/dspace-version", `{"protocolVersions":[{"version":"2025-1","path":"/dsp","binding":"HTTPS","auth":{"protocol":"DCP","version":"1.0"}}]}`)
		}, map[string][2]string{"versions": {resultOK, "2025-1 at /dsp"}, "credentials": {resultNone, "does not answer"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStranger(t, "SM2")
			c.change(s)
			wants(t, trial(t, s.did), c.steps)
		})
	}
	s := newStranger(t, "SM2")
	s.announces("https://other.example")
	wants(t, trial(t, s.URL), map[string][2]string{"did": {resultFailed, "announces https://other.example, not " + s.URL}})
}

func at(when time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", when.UTC().Format(http.TimeFormat))
		io.WriteString(w, goodVersions)
	}
}

// timeUp is a context whose time is up when a test says so.
type timeUp struct {
	context.Context
	up chan struct{}
}

func (c timeUp) Done() <-chan struct{} { return c.up }

func (c timeUp) Err() error {
	select {
	case <-c.up:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// A peer that takes the question and says nothing ends each step at its limit,
// and the steps after it go on.
func TestASlowPeerEndsOneStepAfterTheOther(t *testing.T) {
	s := newStranger(t, "SM2")
	var now atomic.Pointer[timeUp]
	for _, path := range []string{"/.well-known/dspace-version", "/.well-known/did.json"} {
		s.pages[path] = func(_ http.ResponseWriter, r *http.Request) {
			close(now.Load().up) // the question is here, and the time is up
			<-r.Context().Done()
		}
	}
	got := trial(t, s.did, func(p *peerTrial) {
		p.bounded = func(ctx context.Context) (context.Context, context.CancelFunc) {
			now.Store(&timeUp{ctx, make(chan struct{})})
			return now.Load(), func() {}
		}
	})
	wants(t, got, map[string][2]string{"connection": {resultOK, ""}, "clock": {resultNone, "not answered in time"}, "versions": {resultFailed, "not answered in time"}, "did": {resultFailed, "not had in time"}, "known": {resultWarning, ""}})
}

// certified serves TLS with a certificate as a test wants it, and gives the
// pool that trusts it.
func certified(t *testing.T, change func(*x509.Certificate), most uint16) (address string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 3, 0),
		IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, goodVersions) }))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS10, MaxVersion: most}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // it would tell of each handshake that was broken off
	srv.StartTLS()
	t.Cleanup(srv.Close)
	pool = x509.NewCertPool()
	pool.AddCert(cert)
	return srv.URL, pool
}

func TestWhatIsWrongWithACertificateIsExplained(t *testing.T) {
	for name, c := range map[string]struct {
		change    func(*x509.Certificate)
		most      uint16
		untrusted bool
		want      [2]string
	}{
		"right":          {want: [2]string{resultOK, "TLS 1.3; its certificate is for 127.0.0.1 and good until"}},
		"TLS 1.2":        {most: tls.VersionTLS12, want: [2]string{resultOK, "TLS 1.2"}},
		"an old version": {most: tls.VersionTLS11, want: [2]string{resultFailed, "no TLS 1.2 or 1.3 can be agreed on"}},
		"ends soon":      {change: func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 0, 7) }, want: [2]string{resultWarning, "its certificate ends on"}},
		"ended":          {change: func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, want: [2]string{resultFailed, "its certificate ended on"}},
		"to come":        {change: func(c *x509.Certificate) { c.NotBefore = time.Now().AddDate(0, 0, 2) }, want: [2]string{resultFailed, "begins on"}},
		"another name":   {change: func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example"} }, want: [2]string{resultFailed, "not for 127.0.0.1, but for other.example"}},
		"unknown":        {untrusted: true, want: [2]string{resultFailed, "which this machine does not trust"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change == nil {
				c.change = func(*x509.Certificate) {}
			}
			address, pool := certified(t, c.change, c.most)
			if c.untrusted {
				pool = x509.NewCertPool()
			}
			got := trial(t, address, func(p *peerTrial) { p.guard.Roots = pool })
			wants(t, got, map[string][2]string{"tls": c.want})
			if secure := c.want[0] != resultFailed; secure != (got["versions"].Result == resultOK) {
				t.Errorf("tls is %s, and yet: %+v", c.want[0], got["versions"])
			}
		})
	}
	s := newStranger(t, "SM2")
	wants(t, trial(t, strings.Replace(s.URL, "http:", "https:", 1)), map[string][2]string{"tls": {resultFailed, "does not speak TLS"}})
}

// TestWhatTheRunningNodeKnowsIsAskedOfIt: credentials, compacts, and the first
// request of the protocol.
func TestWhatTheRunningNodeKnowsIsAskedOfIt(t *testing.T) {
	s := newStranger(t, "SM2")
	answers := map[string]string{
		"/api/catalogue":   `{"items":[{"id":"a"},{"id":"b"}]}`,
		"/api/credentials": `{"held":[{"type":"MembershipCredential"}]}`,
		"/api/compacts":    `{"items":[{"id":"steppe","version":2,"digest":"sha256:c","members":["CN","KZ"],"in_force":true,"packs":{"cn-data":"sha256:1"}}]}`,
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body := answers[r.URL.Path]
		if strings.Contains(body, `"kind"`) {
			w.WriteHeader(http.StatusBadGateway)
		}
		io.WriteString(w, body)
	}))
	defer api.Close()
	look := func(change ...func(*peerTrial)) map[string]trialStep {
		return trial(t, s.did, append([]func(*peerTrial){func(p *peerTrial) {
			p.node = &nodeClient{base: api.URL, token: "token", http: http.DefaultClient}
			p.packs.Items = []corridor.PackRef{{ID: "cn-data", Digest: "sha256:1"}}
			if err := addPeer(p.peers.path, identity.Peer{Participant: corridor.Participant{DID: s.did, Jurisdiction: "KZ"}}); err != nil {
				t.Fatal(err)
			}
		}}, change...)...)
	}
	wants(t, look(), map[string][2]string{"catalogue": {resultOK, "2 datasets"}, "compact": {resultOK, "steppe, version 2 (sha256:c), in force, cn-data sha256:1"}})
	wants(t, look(func(p *peerTrial) { p.packs.Items[0].Digest = "sha256:2" }), map[string][2]string{"compact": {resultWarning, "decides with sha256:2"}})

	s.says("/.well-known/dspace-version", `{"protocolVersions":[{"version":"2025-1","path":"/dsp/2025-1","binding":"HTTPS","auth":{"protocol":"DCP","version":"1.0"}}]}`)
	wants(t, look(), map[string][2]string{"credentials": {resultOK, "this node holds MembershipCredential"}})
	answers["/api/credentials"] = `{}`
	answers["/api/compacts"] = `{"items":[{"id":"steppe","version":2,"digest":"sha256:c","members":["CN","KZ"],"in_force":false,"why":"it ended"},{"id":"other","members":["CN","RU"],"in_force":true}]}`
	answers["/api/catalogue"] = `{"kind":"unauthenticated","title":"refused","detail":"the peer answered 401: who are you"}`
	wants(t, look(), map[string][2]string{"credentials": {resultWarning, "holds no credential"}, "compact": {resultFailed, "no compact between CN and KZ is in force: steppe, version 2 (sha256:c): it ended"},
		"catalogue": {resultFailed, "who are you"}})
	answers["/api/compacts"] = `{"items":[]}`
	wants(t, look(func(p *peerTrial) { p.cfg.NeedCompact = true }), map[string][2]string{"compact": {resultFailed, "requires a compact"}})
	wants(t, look(), map[string][2]string{"compact": {resultNone, "the law alone decides"}})
}

// A peer that is not on the list is asked with the node's key alone. Its
// refusal is told in its own words, as far as they are fit to be.
func TestARefusalIsToldInThePeersWords(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   [2]string
	}{
		"admitted":     {200, `{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"Catalog","@id":"urn:x","participantId":"did:web:x"}`, [2]string{resultOK, "0 datasets"}},
		"a stranger":   {403, `{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"CatalogError","code":"forbidden","reason":["we do not know you"]}`, [2]string{resultFailed, "we do not know you"}},
		"a bad token":  {401, `{"code":"401","reason":["cannot resolve your DID"]}`, [2]string{resultFailed, "must reach did:web:gateway.example.cn's DID document"}},
		"a flood":      {500, strings.Repeat("\x1b[31m red ", 10000), [2]string{resultFailed, "status 500"}},
		"no catalogue": {200, "hello", [2]string{resultFailed, "did not answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStranger(t, "SM2")
			var sent atomic.Value
			s.pages["/dsp/2025-1/catalog/request"] = func(w http.ResponseWriter, r *http.Request) {
				sent.Store(r.Header.Get("Authorization"))
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			}
			got := trial(t, s.did, func(p *peerTrial) {
				p.node = &nodeClient{base: "http://127.0.0.1:1", http: http.DefaultClient}
				p.token = func(_ context.Context, audience string) (string, error) { return "for." + audience, nil }
			})
			wants(t, got, map[string][2]string{"catalogue": c.want})
			if sent.Load() != "Bearer for."+s.did {
				t.Errorf("asked with %v", sent.Load())
			}
			if f := got["catalogue"]; len(f.Found) > 600 || strings.ContainsRune(f.Found, 0x1b) {
				t.Errorf("%d bytes of the peer: %.100q", len(f.Found), f.Found)
			}
		})
	}
}
