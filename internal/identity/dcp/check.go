package dcp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"corridor"
	"corridor/internal/identity"
)

// Checker proves credentials and presentations. It is safe for concurrent use.
type Checker struct {
	resolver *identity.Resolver
	lists    *lists
	schemas  *schemaCache
	now      func() time.Time
}

// NewChecker makes a checker. The client must be guarded: it fetches from
// addresses that credentials name. Now may be nil.
func NewChecker(r *identity.Resolver, client *http.Client, now func() time.Time) *Checker {
	if now == nil {
		now = time.Now
	}
	return &Checker{resolver: r, now: now,
		lists:   &lists{http: client, resolver: r, now: now, cache: map[string]keptList{}},
		schemas: &schemaCache{http: client, now: now, cache: map[string]keptSchema{}}}
}

// Credential proves a credential that holder presents: signed by its issuer
// with a key for assertions, about this holder, in its time, neither revoked
// nor suspended, and of the shape that its schema wants (DCP 1.0, section
// 5.4.3). Errors are of kind Forbidden, or Unavailable if something that is
// needed cannot be had.
func (k *Checker) Credential(ctx context.Context, c *Credential, holder string) error {
	if c.Holder != holder {
		return corridor.E(corridor.Forbidden, "the credential is about %q, not about %s who presents it", clip(c.Holder), clip(holder))
	}
	if err := c.jwt.Prove(ctx, k.resolver, c.Issuer, identity.AssertionMethod); err != nil {
		return refusal("the signature of the credential cannot be accepted", err)
	}
	if err := c.Valid(k.now()); err != nil {
		return err
	}
	for _, s := range c.Schemas {
		if err := k.schemas.check(ctx, s, c.Subject); err != nil {
			return err
		}
	}
	return k.Standing(ctx, c, listTTL)
}

// Standing says whether a proven credential still stands: in its time, and
// neither revoked nor suspended, by status lists that are not older than age,
// and never older than five minutes.
func (k *Checker) Standing(ctx context.Context, c *Credential, age time.Duration) error {
	if err := c.Valid(k.now()); err != nil {
		return err
	}
	for _, e := range c.Status {
		if err := k.lists.check(ctx, c.Issuer, e, age); err != nil {
			return err
		}
	}
	return nil
}

// Presentation proves that holder made the presentation, for us, and now.
func (k *Checker) Presentation(ctx context.Context, p *Presentation, holder, self string) error {
	now := k.now()
	switch {
	case p.Holder != holder:
		return corridor.E(corridor.Forbidden, "the presentation is of %q, not of %s", clip(p.Holder), clip(holder))
	case len(p.Audience) != 1 || p.Audience[0] != self:
		return corridor.E(corridor.Forbidden, "the presentation is not for this gateway alone: aud is %q", clip(strings.Join(p.Audience, " ")))
	case p.Expires.IsZero():
		return corridor.E(corridor.Forbidden, "the presentation does not say when it expires")
	case !now.Before(p.Expires.Add(skew)):
		return corridor.E(corridor.Forbidden, "the presentation has expired")
	case p.NotBefore.After(now.Add(skew)):
		return corridor.E(corridor.Forbidden, "the presentation is from the future")
	}
	return refusal("the signature of the presentation cannot be accepted", p.jwt.Prove(ctx, k.resolver, holder, identity.Authentication))
}

// refusal makes of what is wrong with a key a refusal of the caller, and leaves
// what is wrong with the network as it is.
func refusal(what string, err error) error {
	switch corridor.KindOf(err) {
	case corridor.NotFound, corridor.Invalid, corridor.Limited, corridor.Unauthenticated:
		return &corridor.Error{Kind: corridor.Forbidden, Msg: what, Err: err}
	}
	return err
}

// schemaCache compiles the schemas that credentials name, and keeps them.
type schemaCache struct {
	http *http.Client
	now  func() time.Time

	mu    sync.Mutex // guards cache
	cache map[string]keptSchema
}

type keptSchema struct {
	schema *jsonschema.Schema
	err    error
	till   time.Time
}

// Limits on schemas.
const (
	maxSchema  = 256 << 10
	maxSchemas = 256
	schemaTTL  = time.Hour
)

// check holds a subject against a schema. A schema of a kind that cannot be
// checked refuses: the issuer says that it matters.
func (s *schemaCache) check(ctx context.Context, want Schema, subject []byte) error {
	if want.Type != "JsonSchema" && want.Type != "JsonSchemaValidator2018" {
		return &corridor.Error{Kind: corridor.Forbidden, Where: "credentialSchema", Msg: fmt.Sprintf("%q cannot be checked here", clip(want.Type)), Fix: "use JsonSchema"}
	}
	schema, err := s.get(ctx, want.ID)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(subject))
	if err != nil {
		return corridor.E(corridor.Forbidden, "credentialSubject cannot be read: %w", err)
	}
	if err := schema.Validate(value); err != nil {
		return &corridor.Error{Kind: corridor.Forbidden, Where: "credentialSubject", Msg: "is not as its schema " + clip(want.ID) + " wants it: " + clip(strings.ReplaceAll(err.Error(), "\n", " "))}
	}
	return nil
}

func (s *schemaCache) get(ctx context.Context, at string) (*jsonschema.Schema, error) {
	s.mu.Lock()
	k, ok := s.cache[at]
	s.mu.Unlock()
	if ok && s.now().Before(k.till) {
		return k.schema, k.err
	}
	schema, err := s.compile(ctx, at)
	now := s.now()
	till := now.Add(schemaTTL)
	if err != nil {
		till = now.Add(failureTTL)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	makeRoom(s.cache, maxSchemas, func(k keptSchema) bool { return !now.Before(k.till) })
	s.cache[at] = keptSchema{schema: schema, err: err, till: till}
	return schema, err
}

// compile fetches one schema. What it refers to elsewhere is not fetched.
func (s *schemaCache) compile(ctx context.Context, at string) (*jsonschema.Schema, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	raw, err := get(ctx, s.http, at, "application/schema+json, application/json", maxSchema)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(io.LimitReader(bytes.NewReader(raw), maxSchema))
	if err != nil {
		return nil, corridor.E(corridor.Forbidden, "the schema %s is not JSON: %w", clip(at), err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	if err := c.AddResource(at, doc); err != nil {
		return nil, corridor.E(corridor.Forbidden, "the schema %s is not usable: %w", clip(at), err)
	}
	schema, err := c.Compile(at)
	if err != nil {
		return nil, corridor.E(corridor.Forbidden, "the schema %s is not usable: %w", clip(at), err)
	}
	return schema, nil
}
