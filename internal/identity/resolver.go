package identity

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"corridor"
	"corridor/verify"
)

// ResolverConfig is what a Resolver needs. Zero values have defaults.
type ResolverConfig struct {
	HTTP        *http.Client     // guarded; GuardedClient(false) if nil
	TTL         time.Duration    // how long a document is used; 10 minutes
	NegativeTTL time.Duration    // how long a failure is remembered; 10 seconds
	Timeout     time.Duration    // of one fetch; 10 seconds
	MaxEntries  int              // documents kept; 4096
	Now         func() time.Time // time.Now
	// Own gives the document of OwnDID, the node itself, as it is now. Nil: it is
	// found like others.
	Own    func() *Document
	OwnDID string
	// OwnTrust gives the document of OwnTrustDID, a trust service whose document
	// this node serves. Nil: it is found like others.
	OwnTrust    func() *Document
	OwnTrustDID string
	Static      []Document // documents that are never fetched: the node's own, or those of a closed network
}

// Resolver finds DID documents. It is safe for concurrent use.
type Resolver struct {
	cfg    ResolverConfig
	flight singleflight.Group
	static map[string]*Document

	mu      sync.Mutex // guards cache and fetches
	cache   map[string]resolved
	fetches uint64
}

type resolved struct {
	doc   *Document
	err   error
	at    time.Time
	till  time.Time
	fetch uint64 // the number of the fetch that brought it, from 1
}

// refreshAfter is how old a document must be before a key that it does not
// hold makes the resolver fetch it again: a peer that made a new key is known
// soon, and a caller that invents key ids cannot make us fetch at will.
const refreshAfter = 30 * time.Second

// NewResolver makes a resolver.
func NewResolver(cfg ResolverConfig) *Resolver {
	if cfg.HTTP == nil {
		cfg.HTTP = GuardedClient(false)
	}
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&cfg.TTL, 10 * time.Minute}, {&cfg.NegativeTTL, 10 * time.Second}, {&cfg.Timeout, 10 * time.Second}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	if cfg.MaxEntries <= 0 {
		cfg.MaxEntries = 4096
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	r := &Resolver{cfg: cfg, cache: map[string]resolved{}, static: map[string]*Document{}}
	for i := range cfg.Static {
		r.static[cfg.Static[i].ID] = &cfg.Static[i]
	}
	return r
}

// Resolve gives the document of a did:web identifier. Callers must not change
// it. Concurrent calls for one DID share a fetch.
func (r *Resolver) Resolve(ctx context.Context, did string) (*Document, error) {
	if r.cfg.Own != nil && did == r.cfg.OwnDID {
		return r.cfg.Own(), nil
	}
	if r.cfg.OwnTrust != nil && did == r.cfg.OwnTrustDID {
		return r.cfg.OwnTrust(), nil
	}
	if d, ok := r.static[did]; ok {
		return d, nil
	}
	e, fresh := r.cached(did)
	if fresh {
		return e.doc, e.err
	}
	return r.refresh(ctx, did, e.fetch)
}

// Key finds a key by its DID URL and checks that its owner allows it for rel.
func (r *Resolver) Key(ctx context.Context, id string, rel Relationship) (verify.Key, error) {
	did, _, err := SplitKeyID(id)
	if err != nil {
		return verify.Key{}, err
	}
	doc, err := r.Resolve(ctx, did)
	if err != nil {
		return verify.Key{}, err
	}
	key, err := doc.Key(id, rel)
	if corridor.KindOf(err) != corridor.NotFound {
		return key, err
	}
	if seen, stale := r.stale(did); stale {
		if doc, err = r.refresh(ctx, did, seen); err != nil {
			return verify.Key{}, err
		}
		key, err = doc.Key(id, rel)
	}
	return key, err
}

// Validators gives the keys of a side's trust service (Document.Validators). If
// key is not among them, a document that is old enough is fetched again.
func (r *Resolver) Validators(ctx context.Context, did, key string) ([]verify.Key, error) {
	doc, err := r.Resolve(ctx, did)
	if err != nil {
		return nil, err
	}
	keys, err := doc.Validators()
	if err != nil || slices.ContainsFunc(keys, func(k verify.Key) bool { return k.ID == key }) {
		return keys, err
	}
	if doc, err = r.Renewed(ctx, did); err != nil {
		return nil, err
	}
	return doc.Validators()
}

// Vouchers gives the keys that may state for a side what a validation states:
// those of its own trust service, or of one under a DID of its own that its
// document names, or that the caller takes for one.
func (r *Resolver) Vouchers(ctx context.Context, side string, v corridor.SignedValidation, taken ...string) ([]verify.Key, error) {
	service, _, err := SplitKeyID(v.Signature.Key)
	if err != nil {
		return nil, err
	}
	if service == side {
		return r.Validators(ctx, side, v.Signature.Key)
	}
	if !slices.Contains(taken, service) {
		if err := r.names(ctx, side, service); err != nil {
			return nil, err
		}
	}
	at, _, err := verify.ValidationTime(v.Statement)
	if err != nil {
		return nil, err
	}
	doc, err := r.Resolve(ctx, service)
	if err != nil {
		return nil, fmt.Errorf("the trust service of %s: %w", clip(side), err)
	}
	keys, err := doc.ServiceKeys(at)
	if err == nil && slices.ContainsFunc(keys, func(k verify.Key) bool { return k.ID == v.Signature.Key }) {
		return keys, nil
	}
	if doc, err = r.Renewed(ctx, service); err != nil {
		return nil, err
	}
	return doc.ServiceKeys(at)
}

// names checks that a side's document names a trust service.
func (r *Resolver) names(ctx context.Context, side, service string) error {
	for _, look := range []func(context.Context, string) (*Document, error){r.Resolve, r.Renewed} {
		doc, err := look(ctx, side)
		if err != nil {
			return err
		}
		named, err := doc.TrustServices()
		if err != nil || slices.Contains(named, service) {
			return err
		}
	}
	return &corridor.Error{Kind: corridor.Unauthenticated, Where: clip(service), Msg: "the validation is by no key of the trust service of " + clip(side) + ", whose document does not name this one", Fix: "name it in the DID document of that side: trust_did"}
}

// Renewed gives a document that lacks something: fetched again, if it is old
// enough for that.
func (r *Resolver) Renewed(ctx context.Context, did string) (*Document, error) {
	if seen, stale := r.stale(did); stale {
		return r.refresh(ctx, did, seen)
	}
	return r.Resolve(ctx, did)
}

// onlyKey gives the key of a document that holds no other: what a token without
// a kid must be signed with (DCP 1.0, section 4.3.3).
func (r *Resolver) onlyKey(ctx context.Context, did string) (string, error) {
	doc, err := r.Resolve(ctx, did)
	if err != nil {
		return "", err
	}
	if len(doc.VerificationMethod) != 1 {
		return "", corridor.E(corridor.NotFound, "kid is not a key of the issuer: there is none, and the DID document holds %d keys", len(doc.VerificationMethod))
	}
	return doc.VerificationMethod[0].ID, nil
}

// CheckObject checks did's signature over the canonical JSON of v, with a key
// that did allows for assertions, and gives that key.
func (r *Resolver) CheckObject(ctx context.Context, did string, v any, sig corridor.Signature) (verify.Key, error) {
	owner, _, err := SplitKeyID(sig.Key)
	if err != nil {
		return verify.Key{}, err
	}
	if owner != did {
		return verify.Key{}, corridor.E(corridor.Unauthenticated, "the signature is by a key of %s, not of %s", clip(owner), clip(did))
	}
	key, err := r.Key(ctx, sig.Key, AssertionMethod)
	if err != nil {
		return verify.Key{}, err
	}
	return key, VerifyObject(key, v, sig)
}

func (r *Resolver) cached(did string) (resolved, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.cache[did]
	return e, ok && r.cfg.Now().Before(e.till)
}

// stale says whether the document of did is old enough to be fetched again,
// and which fetch brought the one at hand.
func (r *Resolver) stale(did string) (seen uint64, stale bool) {
	if _, fixed := r.static[did]; fixed || r.cfg.Own != nil && did == r.cfg.OwnDID {
		return 0, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.cache[did]
	return e.fetch, !ok || r.cfg.Now().Sub(e.at) >= refreshAfter
}

// refresh fetches what is newer than fetch number seen, once for all who ask
// at the same time: who comes as that fetch has just ended takes what it
// brought. The fetch has its own deadline, so that one caller's hurry does not
// fail the others.
func (r *Resolver) refresh(ctx context.Context, did string, seen uint64) (*Document, error) {
	ch := r.flight.DoChan(did, func() (any, error) {
		if e, fresh := r.cached(did); fresh && e.fetch != seen {
			return e.doc, e.err
		}
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.Timeout)
		defer cancel()
		doc, err := r.fetch(own, did)
		r.remember(did, doc, err)
		return doc, err
	})
	select {
	case res := <-ch:
		if res.Err != nil {
			return nil, res.Err
		}
		doc, _ := res.Val.(*Document)
		return doc, nil
	case <-ctx.Done():
		return nil, corridor.E(corridor.Unavailable, "resolving %s: %w", clip(did), ctx.Err())
	}
}

func (r *Resolver) remember(did string, doc *Document, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.cfg.Now()
	ttl := r.cfg.TTL
	if err != nil {
		ttl = r.cfg.NegativeTTL
	}
	if len(r.cache) >= r.cfg.MaxEntries {
		r.evict(now)
	}
	r.fetches++
	r.cache[did] = resolved{doc: doc, err: err, at: now, till: now.Add(ttl), fetch: r.fetches}
}

// evict drops what has expired, or anything if nothing has.
func (r *Resolver) evict(now time.Time) {
	for k, e := range r.cache {
		if !now.Before(e.till) {
			delete(r.cache, k)
		}
	}
	for k := range r.cache {
		if len(r.cache) < r.cfg.MaxEntries {
			return
		}
		delete(r.cache, k)
	}
}

func (r *Resolver) fetch(ctx context.Context, did string) (*Document, error) {
	target, err := WebURL(did)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, docErr(did, "%w", err)
	}
	req.Header.Set("Accept", "application/did+json, application/did+ld+json, application/json")
	resp, err := r.cfg.HTTP.Do(req)
	if err != nil {
		return nil, unreachable(did, target, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &corridor.Error{Kind: corridor.Unavailable, Where: clip(did), Msg: fmt.Sprintf("the DID document at %s cannot be had: status %d", target, resp.StatusCode),
			Fix: "serve the document there itself; redirects are not followed"}
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxDocument+1))
	if err != nil {
		return nil, unreachable(did, target, err)
	}
	return ParseDocument(did, data)
}

func unreachable(did, target string, err error) error {
	if Blocked(err) {
		return fmt.Errorf("%s: %w", clip(did), err)
	}
	e := corridor.E(corridor.Unavailable, "the DID document at %s cannot be had: %w", target, err)
	e.Where = clip(did)
	return e
}
