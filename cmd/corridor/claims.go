package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"

	"corridor"
	"corridor/internal/identity"
	"corridor/internal/identity/dcp"
	"corridor/internal/server"
)

// ruleFile is the operator's word on credentials: which are demanded, and
// which are issued. Like the list of peers it is read again when it changes,
// and answers with its error while it is wrong.
type ruleFile struct {
	path    string
	changed func() // told when the file is another than before; nil: nobody is

	mu    sync.Mutex // guards what follows
	seen  time.Time
	size  int64
	rules *dcp.Rules
}

// load gives the present rules. A file that was there and is gone is an error:
// what it demanded would be dropped in silence.
func (f *ruleFile) load() (*dcp.Rules, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		if !f.seen.IsZero() {
			return nil, &corridor.Error{Kind: corridor.Unavailable, Where: f.path, Msg: "the rules on credentials have vanished", Fix: "put the file back; to demand nothing, leave it empty"}
		}
		return &dcp.Rules{}, nil
	}
	if err != nil {
		return nil, corridor.E(corridor.Unavailable, "the rules on credentials: %w", err)
	}
	if f.rules != nil && info.ModTime().Equal(f.seen) && info.Size() == f.size {
		return f.rules, nil
	}
	raw, err := os.ReadFile(f.path)
	if err != nil {
		return nil, corridor.E(corridor.Unavailable, "the rules on credentials: %w", err)
	}
	rules, err := parseRules(f.path, raw)
	if err != nil {
		return nil, err
	}
	f.rules, f.seen, f.size = rules, info.ModTime(), info.Size()
	if f.changed != nil {
		f.changed()
	}
	return rules, nil
}

func parseRules(path string, raw []byte) (*dcp.Rules, error) {
	var rules dcp.Rules
	if len(raw) > maxPeers {
		return nil, corridor.E(corridor.Invalid, "%s: %d bytes, at most %d are allowed", path, len(raw), maxPeers)
	}
	if len(bytes.TrimSpace(raw)) > 0 {
		if err := yaml.Load(raw, &rules, yaml.WithKnownFields()); err != nil {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: strings.TrimSpace(err.Error()), Fix: "see credentials.yaml in docs/identity.md"}
		}
	}
	if err := rules.Check(); err != nil {
		var e *corridor.Error
		if errors.As(err, &e) {
			e.Where = path + ": " + e.Where
		}
		return nil, err
	}
	return &rules, nil
}

// credentialRules opens the file and refuses a start with a wrong one.
func (c *config) credentialRules() (*ruleFile, error) {
	f := &ruleFile{path: c.path(c.Credentials)}
	_, err := f.load()
	return f, err
}

// claims are the node's parts in the Decentralized Claims Protocol.
type claims struct {
	checker  *dcp.Checker
	wallet   *dcp.Wallet
	verifier *dcp.Verifier
	services *server.Claims
}

// issues says whether this node issues credentials.
func (n *running) issues() bool {
	rules, err := n.rules.load()
	return err == nil && len(rules.Issues) > 0
}

// openClaims makes the credential service, and the issuer service where the
// rules issue anything.
func (n *running) openClaims(context.Context) (err error) {
	c := &claims{checker: dcp.NewChecker(n.resolver, n.client, nil), services: &server.Claims{}}
	c.wallet, err = dcp.NewWallet(dcp.WalletConfig{DID: n.cfg.DID, DB: n.db, Signer: n.keys.Token, Tokens: n.tokens, Secret: n.secret, Resolver: n.resolver, Checker: c.checker, HTTP: n.client, Asked: n.noteAsked})
	if err != nil {
		return err
	}
	c.services.Wallet = c.wallet
	if n.keys.Credential != nil {
		c.services.Issuer, err = dcp.NewIssuer(dcp.IssuerConfig{DID: n.cfg.DID, Base: n.base + server.IssuerBase, Lists: n.base + server.ListBase, DB: n.db, Signer: n.keys.Credential,
			Tokens: n.tokens, Resolver: n.resolver, HTTP: n.client, Rules: n.rules.load, Log: n.log, Revoked: n.noteRevoked})
		if err != nil {
			return err
		}
	}
	c.services.Callers, err = identity.NewTokenVerifier(identity.VerifierConfig{DID: n.cfg.DID, Resolver: n.resolver, Replay: n.replay, Skew: claimSkew,
		Directory: &dcp.Parties{Peers: n.peers, Rules: n.rules.load, Asked: c.wallet.HasAsked}})
	if err != nil {
		return err
	}
	n.claims = c
	return c.openVerifier(n)
}

// claimSkew is how far the clocks of those may differ who speak the claims
// protocol: its test kit wants a token of a minute ahead refused.
const claimSkew = 30 * time.Second

// openVerifier puts the demand for credentials before every request of a peer.
func (c *claims) openVerifier(n *running) error {
	callers, err := identity.NewTokenVerifier(identity.VerifierConfig{DID: n.cfg.DID, Resolver: n.resolver, Directory: n.peers, Replay: n.replay})
	if err != nil {
		return err
	}
	c.verifier, err = dcp.NewVerifier(dcp.VerifierConfig{DID: n.cfg.DID, Callers: callers, Rules: n.rules.load, Resolver: n.resolver, Checker: c.checker, HTTP: n.client, Tokens: n.tokens, DB: n.db,
		Changed: func(did string) { n.exchange.PeerChanged(did) }}) // it is there before anybody can call
	return err
}

// withServices announces the services of the claims protocol.
func (n *running) withServices(d identity.Document) identity.Document {
	d.Service = append(d.Service, identity.Service{ID: n.cfg.DID + "#credentials", Type: dcp.CredentialService, Endpoint: n.base + server.HolderBase})
	if n.keys.Credential != nil {
		d.Service = append(d.Service, identity.Service{ID: n.cfg.DID + "#issuer", Type: dcp.IssuerService, Endpoint: n.base + server.IssuerBase})
	}
	return d
}
