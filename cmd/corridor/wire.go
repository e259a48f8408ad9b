package main

import (
	"context"
	"net/url"

	"corridor/internal/identity"
)

// logOrigin names the log of a node: its host and the place of the log there,
// without a scheme, as C2SP wants.
func logOrigin(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	return u.Host + "/log", nil
}

// prepareNode makes what a node directory still lacks, and gives the
// verifier key of its log.
func prepareNode(_ context.Context, dir string) (string, error) {
	cfg, err := loadConfig(dir)
	if err != nil {
		return "", err
	}
	keys, err := identity.OpenKeys(cfg.path(cfg.Keys), cfg.DID, cfg.Suite)
	if err != nil {
		return "", err
	}
	base, err := cfg.base()
	if err != nil {
		return "", err
	}
	origin, err := logOrigin(base)
	if err != nil {
		return "", err
	}
	return keys.LogVKey(origin)
}
