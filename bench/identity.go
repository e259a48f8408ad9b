//go:build bench

package main

import (
	"time"

	"corridor"
	"corridor/internal/identity"
)

// identity measures how long a node takes to know who calls: the token, its
// signature, the caller's key in its DID document, and that the token was not
// used before.
func (b *bench) identity() error {
	cn, kz, err := b.pair()
	if err != nil {
		return err
	}
	defer cn.stop()
	defer kz.stop()
	if err := b.publishTen(cn); err != nil {
		return err
	}
	asker, err := newAsker(b.ctx, kz, cn)
	if err != nil {
		return err
	}
	warm, err := b.identityWarm(asker, kz, cn)
	if err != nil {
		return err
	}
	b.add("identity check of an incoming request: token, signature, key, first use; the caller's DID document is known", "p50 ≤ 150 µs", "%s", warm)
	cold, err := b.identityCold(asker, kz, cn)
	if err != nil {
		return err
	}
	b.add("- the document is fetched from the caller's node on loopback", "p50 ≤ 20 ms", "%s", cold)
	whole, err := b.identityDurable(asker)
	if err != nil {
		return err
	}
	b.add("- a whole question by HTTP, one after the other, the token's use on the disk before the answer", "", "%s", whole)
	return nil
}

// checker is a node's verifier, with no document in it yet.
func (b *bench) checker(caller, node *node) (*identity.TokenVerifier, error) {
	peers, err := identity.NewPeers([]identity.Peer{{Participant: corridor.Participant{DID: caller.did, Jurisdiction: caller.country}}})
	if err != nil {
		return nil, err
	}
	return identity.NewTokenVerifier(identity.VerifierConfig{DID: node.did, Directory: peers, Replay: identity.NewMemoryReplay(1<<20, nil),
		Resolver: identity.NewResolver(identity.ResolverConfig{HTTP: identity.GuardedClient(true)})})
}

// verified times one check of a new token.
func (b *bench) verified(a *asker, v *identity.TokenVerifier) (time.Duration, error) {
	token, err := a.tokens.Issue(b.ctx, a.to.did)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	_, err = v.Verify(b.ctx, "Bearer "+token)
	return time.Since(began), err
}

func (b *bench) identityWarm(a *asker, caller, node *node) (quantiles, error) {
	v, err := b.checker(caller, node)
	if err != nil {
		return quantiles{}, err
	}
	var took []time.Duration
	for range 5000 {
		d, err := b.verified(a, v)
		if err != nil {
			return quantiles{}, err
		}
		took = append(took, d)
	}
	return quantilesOf(took[1:]), nil // the first one fetched the document
}

func (b *bench) identityCold(a *asker, caller, node *node) (quantiles, error) {
	var took []time.Duration
	for range 300 {
		v, err := b.checker(caller, node)
		if err != nil {
			return quantiles{}, err
		}
		d, err := b.verified(a, v)
		if err != nil {
			return quantiles{}, err
		}
		took = append(took, d)
	}
	return quantilesOf(took), nil
}

func (b *bench) identityDurable(a *asker) (quantiles, error) {
	w, err := a.dial()
	if err != nil {
		return quantiles{}, err
	}
	defer w.c.Close()
	var took []time.Duration
	for range 1000 {
		request, err := a.request("")
		if err != nil {
			return quantiles{}, err
		}
		began := time.Now()
		if _, err := w.ask(request); err != nil {
			return quantiles{}, err
		}
		took = append(took, time.Since(began))
	}
	return quantilesOf(took), nil
}
