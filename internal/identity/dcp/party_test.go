package dcp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/identity"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
)

// party is a participant on a loopback address: its DID document, its services,
// and what a test lets it serve besides. Keys, HTTP and database are real.
type party struct {
	t        testing.TB
	did, url string
	keys     *identity.Keys
	tokens   *identity.Tokens
	resolver *identity.Resolver
	checker  *Checker
	wallet   *Wallet
	issuer   *Issuer
	verifier *Verifier
	db       *store.DB
	clock    *clock
	rules    *Rules
	queries  atomic.Int64
	changes  atomic.Int64 // that the verifier told

	mu    sync.Mutex // guards what follows
	extra map[string]http.HandlerFunc
	doc   func(*identity.Document)
}

// clock is one that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func signer(t testing.TB, did, name string) identity.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	s, err := identity.NewSigner(did, name, key)
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants demands an error of a kind that says something.
func wants(t testing.TB, err error, kind corridor.Kind, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want %s: %s", kind, says)
	}
	if corridor.KindOf(err) != kind {
		t.Errorf("got %s: %v; want %s", corridor.KindOf(err), err, kind)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("got %v; want it to say %q", err, s)
		}
	}
}

func newParty(t testing.TB, c *clock, rules *Rules) *party {
	t.Helper()
	p := &party{t: t, clock: c, rules: rules, extra: map[string]http.HandlerFunc{}}
	srv := httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(srv.Close)
	p.url = srv.URL
	var err error
	p.did, err = identity.WebDID(srv.URL)
	must(t, err)
	p.keys = &identity.Keys{DID: p.did, National: signer(t, p.did, "national"), Token: signer(t, p.did, "token"), Log: signer(t, p.did, "log"), Credential: signer(t, p.did, "credential")}
	p.tokens, err = identity.NewTokens(p.did, p.keys.Token, c.now)
	must(t, err)
	client := identity.Guard{AllowPrivate: true, MaxBody: 32 << 20, Timeout: 10 * time.Second}.Client()
	p.resolver = identity.NewResolver(identity.ResolverConfig{HTTP: client, Now: c.now})
	p.checker = NewChecker(p.resolver, client, c.now)
	p.db, err = store.Open(context.Background(), storetest.Place(t), Migrations()...)
	must(t, err)
	t.Cleanup(func() { p.db.Close() })
	p.wallet, err = NewWallet(WalletConfig{DID: p.did, DB: p.db, Signer: p.keys.Token, Tokens: p.tokens, Secret: []byte(strings.Repeat("s", 32)), Resolver: p.resolver, Checker: p.checker, HTTP: client, Now: c.now})
	must(t, err)
	p.issuer, err = NewIssuer(IssuerConfig{DID: p.did, Base: p.url + "/issuer", Lists: p.url + "/lists", DB: p.db, Signer: p.keys.Credential, Tokens: p.tokens, Resolver: p.resolver, HTTP: client, Rules: p.laid, Now: c.now})
	must(t, err)
	p.verifier, err = NewVerifier(VerifierConfig{DID: p.did, Callers: p.callers(anybody{}), Rules: p.laid, Resolver: p.resolver, Checker: p.checker, HTTP: client, Tokens: p.tokens, DB: p.db, Changed: p.hears, Now: c.now})
	must(t, err)
	return p
}

func (p *party) hears(string) { p.changes.Add(1) }

func (p *party) laid() (*Rules, error) { return p.rules, p.rules.Check() }

// anybody knows all callers, from one country.
type anybody struct{}

func (anybody) Lookup(_ context.Context, did string) (identity.Peer, error) {
	return identity.Peer{Participant: corridor.Participant{DID: did, Jurisdiction: "KZ"}}, nil
}

func (p *party) callers(d identity.Directory) *identity.TokenVerifier {
	v, err := identity.NewTokenVerifier(identity.VerifierConfig{DID: p.did, Resolver: p.resolver, Directory: d, Replay: identity.NewMemoryReplay(10000, p.clock.now), Now: p.clock.now})
	must(p.t, err)
	return v
}

// at lets the party serve something, in place of what it would serve there.
func (p *party) at(path string, f http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.extra[path] = f
}

func (p *party) document() identity.Document {
	d := p.keys.Document(p.url + "/dsp")
	d.Service = append(d.Service, identity.Service{ID: p.did + "#cs", Type: CredentialService, Endpoint: p.url + "/holder"}, identity.Service{ID: p.did + "#is", Type: IssuerService, Endpoint: p.url + "/issuer"})
	if p.doc != nil {
		p.doc(&d)
	}
	return d
}

func (p *party) serve(rw http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	f := p.extra[r.URL.Path]
	p.mu.Unlock()
	if f != nil {
		f(rw, r)
		return
	}
	answer, err := p.answer(rw, r)
	switch corridor.KindOf(err) {
	case corridor.Internal:
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
	case corridor.NotFound:
		http.Error(rw, err.Error(), http.StatusNotFound)
		return
	default:
		http.Error(rw, err.Error(), http.StatusForbidden)
		return
	}
	switch a := answer.(type) {
	case nil:
	case string:
		_, _ = io.WriteString(rw, a)
	default:
		_ = json.NewEncoder(rw).Encode(a)
	}
}

func (p *party) answer(rw http.ResponseWriter, r *http.Request) (any, error) {
	ctx := r.Context()
	switch {
	case r.URL.Path == "/.well-known/did.json":
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.document(), nil
	case strings.HasPrefix(r.URL.Path, "/lists/"):
		return p.issuer.List(ctx, strings.TrimPrefix(r.URL.Path, "/lists/"))
	case r.URL.Path == "/issuer/metadata":
		return p.issuer.Metadata()
	}
	caller, err := p.callers(anybody{}).Verify(ctx, r.Header.Get("Authorization"))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	switch r.URL.Path {
	case "/holder/presentations/query":
		p.queries.Add(1)
		return p.wallet.Query(ctx, caller, body)
	case "/holder/credentials":
		return nil, p.wallet.Store(ctx, caller, body)
	case "/holder/offers":
		return nil, p.wallet.Offer(ctx, caller, body)
	case "/issuer/credentials":
		place, err := p.issuer.Request(ctx, caller, body)
		if err == nil {
			rw.Header().Set("Location", place)
			rw.WriteHeader(http.StatusCreated)
		}
		return nil, err
	}
	return nil, errors.New("no such path")
}

// deliver lets the issuer do all that is due now.
func (p *party) deliver() {
	p.t.Helper()
	_, err := p.issuer.deliverDue(context.Background())
	must(p.t, err)
}

// calls makes a request's Authorization header from one party to another.
func (p *party) calls(to *party) string {
	p.t.Helper()
	token, err := p.wallet.Issue(context.Background(), to.did)
	must(p.t, err)
	return "Bearer " + token
}

// world is an authority, a holder and a verifier that demands a membership.
type world struct {
	clock                       *clock
	authority, holder, verifier *party
}

func newWorld(t testing.TB, p Profile) *world {
	t.Helper()
	w := &world{clock: newClock()}
	w.authority, w.holder, w.verifier = newParty(t, w.clock, &Rules{}), newParty(t, w.clock, &Rules{}), newParty(t, w.clock, &Rules{})
	w.authority.rules.Issues = []Offer{{ID: "membership", Type: "MembershipCredential", Profile: p, Days: 30, To: []Grant{{DID: w.holder.did, Claims: map[string]any{"level": "full"}}}}}
	w.verifier.rules.Demands = []Demand{{Type: "MembershipCredential", Issuers: []string{w.authority.did}}}
	return w
}

// admit lets the holder get its credential.
func (w *world) admit(t testing.TB) {
	t.Helper()
	_, err := w.holder.wallet.Ask(context.Background(), w.authority.did, []string{"MembershipCredential"}, "")
	must(t, err)
	w.authority.deliver()
}

// enter lets the holder call the verifier.
func (w *world) enter() error {
	_, err := w.verifier.verifier.Verify(context.Background(), w.holder.calls(w.verifier))
	return err
}
