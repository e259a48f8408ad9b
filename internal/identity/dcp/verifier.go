package dcp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	josejson "github.com/go-jose/go-jose/v4/json"

	"corridor"
	"corridor/internal/identity"
	"corridor/internal/store"
)

// VerifierConfig is what a Verifier needs.
type VerifierConfig struct {
	DID      string // ours
	Callers  Prover // proves who calls
	Rules    Laid
	Resolver *identity.Resolver
	Checker  *Checker
	HTTP     *http.Client // guarded
	Tokens   *identity.Tokens
	DB       *store.DB // keeps what callers have shown
	// Changed is told of a caller that shows other credentials than before, or
	// none that do any more. It must return at once. Nil: nobody is told.
	Changed func(did string)
	TTL     time.Duration // how long a presentation is used; 5 minutes
	Max     int           // presentations kept; 4096
	Now     func() time.Time
}

// Prover proves callers by their self-issued tokens (identity.TokenVerifier).
type Prover interface {
	Verify(ctx context.Context, authorization string) (identity.Caller, error)
	Prove(ctx context.Context, authorization string) (identity.Caller, error)
}

// Verifier lets callers in who present the credentials that the rules demand
// (DCP 1.0, sections 5.1 and 5.4.3). It stands before every request of a peer.
type Verifier struct {
	cfg VerifierConfig

	mu    sync.Mutex // guards shown
	shown map[string]shown
}

// shown is a presentation that was checked.
type shown struct {
	credentials []*Credential
	till        time.Time
}

// NewVerifier makes a verifier.
func NewVerifier(cfg VerifierConfig) (*Verifier, error) {
	if cfg.DID == "" || cfg.Callers == nil || cfg.Rules == nil || cfg.Resolver == nil || cfg.Checker == nil || cfg.HTTP == nil || cfg.Tokens == nil || cfg.DB == nil {
		return nil, corridor.E(corridor.Internal, "a verifier of credentials needs all but Changed, TTL, Max and Now")
	}
	if cfg.TTL <= 0 {
		cfg.TTL = 5 * time.Minute
	}
	if cfg.Max <= 0 {
		cfg.Max = 4096
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Verifier{cfg: cfg, shown: map[string]shown{}}, nil
}

// Verify proves a caller and its credentials, and notes that its token is used.
func (v *Verifier) Verify(ctx context.Context, authorization string) (identity.Caller, error) {
	c, err := v.cfg.Callers.Verify(ctx, authorization)
	if err != nil {
		return c, err
	}
	return v.admit(ctx, c)
}

// Prove is Verify for a request that changes something (identity.TokenVerifier).
// Where the caller's credential service must be asked, the token is used up
// before: a token that is sent again cannot make us ask again.
func (v *Verifier) Prove(ctx context.Context, authorization string) (identity.Caller, error) {
	c, err := v.cfg.Callers.Prove(ctx, authorization)
	if err != nil {
		return c, err
	}
	return v.admit(ctx, c)
}

func (v *Verifier) admit(ctx context.Context, c identity.Caller) (identity.Caller, error) {
	rules, err := v.cfg.Rules()
	if err != nil {
		return identity.Caller{}, err
	}
	demands := rules.demanded(c.Peer.Jurisdiction)
	if len(demands) == 0 {
		return c, nil
	}
	if c.AccessToken == "" {
		return identity.Caller{}, wanting(demands, &corridor.Error{Kind: corridor.Forbidden, Msg: "the token has no claim token, which lets us ask for it"})
	}
	sum := sha256.Sum256([]byte(c.DID + "\x00" + c.AccessToken))
	key := string(sum[:])
	before, known := v.kept(key)
	if known {
		if v.meets(ctx, before, demands, listTTL) == nil {
			return c, nil
		}
	}
	if c.Use != nil {
		if err := c.Use.Note(ctx); err != nil {
			return identity.Caller{}, err
		}
		c.Use = nil
	}
	have, err := v.ask(ctx, c, demands, rules)
	if err == nil {
		err = v.meets(ctx, have, demands, listTTL)
	}
	if err == nil {
		err = v.remember(ctx, c.DID, have, demands)
	}
	if err != nil {
		v.drop(key)
		if known {
			v.tell(c.DID)
		}
		return identity.Caller{}, wanting(demands, err)
	}
	v.keep(key, have)
	return c, nil
}

// wanting says what a caller lacks, from whom it comes, and what would help.
// What is wrong with the network stays that.
func wanting(demands []Demand, err error) error {
	switch corridor.KindOf(err) {
	case corridor.Forbidden, corridor.NotFound, corridor.Invalid, corridor.Limited:
	default:
		return err
	}
	var lacks, from []string
	for _, d := range demands {
		lacks = append(lacks, d.Type+" of "+strings.Join(d.Issuers, " or "))
		from = append(from, d.Scope)
	}
	return &corridor.Error{Kind: corridor.Forbidden, Msg: "not shown: " + strings.Join(lacks, " and "), Why: plainly(err) + " (DCP 1.0, section 5.4.3)",
		Fix: "ask the issuer for it, and present it under " + strings.Join(from, " "), Err: quietly{err}}
}

// plainly is what an error says, without what would mend it.
func plainly(err error) string {
	var e *corridor.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := e.Msg
	if e.Where != "" {
		text = e.Where + ": " + text
	}
	var inner *corridor.Error
	if e.Err != nil && errors.As(e.Err, &inner) {
		return text + ": " + plainly(inner)
	}
	return text
}

// quietly keeps a cause reachable that is told already.
type quietly struct{ error }

func (quietly) Error() string   { return "" }
func (q quietly) Unwrap() error { return q.error }

// meets says whether credentials still meet every demand, by status lists that
// are not older than age.
func (v *Verifier) meets(ctx context.Context, have []*Credential, demands []Demand, age time.Duration) error {
	for _, c := range have {
		if err := v.cfg.Checker.Standing(ctx, c, age); err != nil {
			return err
		}
	}
	for _, d := range demands {
		met := false
		for _, c := range have {
			met = met || d.metBy(c)
		}
		if !met {
			return corridor.E(corridor.Forbidden, "no %s of a trusted issuer was among the %d that were presented", d.Type, len(have))
		}
	}
	return nil
}

func (v *Verifier) kept(key string) ([]*Credential, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s, ok := v.shown[key]
	return s.credentials, ok && v.cfg.Now().Before(s.till)
}

func (v *Verifier) keep(key string, have []*Credential) {
	now := v.cfg.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	makeRoom(v.shown, v.cfg.Max, func(s shown) bool { return !now.Before(s.till) })
	v.shown[key] = shown{credentials: have, till: now.Add(v.cfg.TTL)}
}

func (v *Verifier) drop(key string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.shown, key)
}

// ask queries the caller's credential service and proves what it presents.
// Credentials of issuers that no rule names are left aside, unproven: a
// stranger's DID is not resolved.
func (v *Verifier) ask(ctx context.Context, c identity.Caller, demands []Demand, rules *Rules) ([]*Credential, error) {
	presented, err := v.query(ctx, c, demands)
	if err != nil {
		return nil, err
	}
	var out []*Credential
	for _, raw := range presented {
		p, err := ParsePresentation(raw)
		if err != nil {
			return nil, refusal("what was presented cannot be read", err)
		}
		if err := v.cfg.Checker.Presentation(ctx, p, c.DID, v.cfg.DID); err != nil {
			return nil, err
		}
		found, err := v.credentials(ctx, p, rules)
		if err != nil {
			return nil, err
		}
		if out = append(out, found...); len(out) > maxCredentials {
			return nil, corridor.E(corridor.Forbidden, "more than %d credentials were presented", maxCredentials)
		}
	}
	return out, nil
}

func (v *Verifier) credentials(ctx context.Context, p *Presentation, rules *Rules) ([]*Credential, error) {
	var out []*Credential
	for _, raw := range p.Credentials {
		c, err := ParseCredential(raw)
		if err != nil {
			return nil, &corridor.Error{Kind: corridor.Forbidden, Msg: "a credential cannot be read", Err: err}
		}
		if c.Profile != p.Profile {
			return nil, corridor.E(corridor.Forbidden, "a credential of %s in a presentation of %s: a presentation holds credentials of its own profile", c.Profile, p.Profile)
		}
		if !rules.names(c.Issuer) {
			continue
		}
		if err := v.cfg.Checker.Credential(ctx, c, p.Holder); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// query is the PresentationQueryMessage (section 5.4.1).
type query struct {
	header
	Scope      []string            `json:"scope,omitempty"`
	Definition josejson.RawMessage `json:"presentationDefinition,omitempty"`
}

// response is the PresentationResponseMessage (section 5.4.2).
type response struct {
	header
	Presentation []josejson.RawMessage `json:"presentation"`
}

// query asks for the demanded credentials by scope and gives the presentations.
func (v *Verifier) query(ctx context.Context, c identity.Caller, demands []Demand) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	doc, err := v.cfg.Resolver.Resolve(ctx, c.DID)
	if err != nil {
		return nil, err
	}
	base, ok := doc.Endpoint(CredentialService)
	if !ok {
		return nil, corridor.E(corridor.Forbidden, "its DID document announces no %s", CredentialService)
	}
	q := query{header: newHeader(queryType)}
	for _, d := range demands {
		q.Scope = append(q.Scope, d.Scope)
	}
	raw, err := post(ctx, v.cfg.HTTP, v.cfg.Tokens, c.DID, c.AccessToken, strings.TrimRight(base, "/")+"/presentations/query", q)
	if err != nil {
		return nil, err
	}
	var r response
	if err := decode(raw, responseType, &r); err != nil {
		return nil, refusal("what was presented cannot be read", err)
	}
	if len(r.Presentation) > maxPresentations {
		return nil, corridor.E(corridor.Forbidden, "more than %d presentations", maxPresentations)
	}
	out := make([]string, len(r.Presentation))
	for i, p := range r.Presentation {
		if err := strict(p, &out[i]); err != nil {
			return nil, corridor.E(corridor.Forbidden, "a presentation is not a JWT: the profiles of DCP 1.0 know no other")
		}
	}
	return out, nil
}

// post sends a message to a service of another participant, with our token, and
// gives the answer's body. A refusal of the other side is of kind Forbidden.
func post(ctx context.Context, client *http.Client, tokens *identity.Tokens, to, access, at string, message any) ([]byte, error) {
	body, err := encode(message)
	if err != nil {
		return nil, err
	}
	token, err := tokens.IssueWith(ctx, to, access)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return nil, corridor.E(corridor.Forbidden, "%q is not an address", clip(at))
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	_, raw, err := send(client, req)
	return raw, err
}

// send makes a request and sorts what can go wrong.
func send(client *http.Client, req *http.Request) (*http.Response, []byte, error) {
	at := req.URL.String()
	resp, err := client.Do(req)
	if err != nil {
		if identity.Blocked(err) {
			return nil, nil, fmt.Errorf("%s: %w", clip(at), err)
		}
		return nil, nil, corridor.E(corridor.Unavailable, "%s cannot be reached: %w", clip(at), err)
	}
	defer resp.Body.Close()
	raw, err := readAll(resp.Body, at, MaxMessage)
	switch {
	case err != nil:
		return nil, nil, err
	case resp.StatusCode >= 500:
		return nil, nil, corridor.E(corridor.Unavailable, "%s answered with status %d", clip(at), resp.StatusCode)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, nil, corridor.E(corridor.Forbidden, "%s answered with status %d", clip(at), resp.StatusCode)
	}
	return resp, raw, nil
}
