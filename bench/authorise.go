//go:build bench

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/counter"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/law"
	"corridor/internal/ledger"
	"corridor/internal/plane"
	"corridor/internal/store"
	"corridor/packs"
)

// authorise measures how long a provider takes to say whether a request for
// data may be answered: the token, the transfer, and the agreement that is
// still lawful and in force. Two processes agree and start a transfer; then
// the provider's node is opened here and asked, with that agreement alone and
// with many beside it.
func (b *bench) authorise() error {
	cn, transfer, err := b.started()
	if err != nil {
		return err
	}
	x, db, token, err := b.opened(cn, transfer)
	if err != nil {
		return err
	}
	defer db.Close()
	ask := func() (quantiles, error) {
		var took []time.Duration
		for i := range 11_000 {
			at := time.Now()
			if _, err := x.Grant(b.ctx, transfer.PID, token); err != nil {
				return quantiles{}, err
			}
			if i >= 1000 { // the first ones warm up
				took = append(took, time.Since(at))
			}
		}
		return quantilesOf(took), nil
	}
	alone, err := ask()
	if err != nil {
		return err
	}
	b.add("authorisation of a request for data under a standing agreement, this one alone", "p50 ≤ 100 µs", "%s", alone)
	many := 10_000_000
	if b.quick {
		many = 1_000_000
	}
	b.say("storing %d agreements", many)
	if err := b.store(db, many); err != nil {
		return err
	}
	among, err := ask()
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("- the same with %d million more agreements stored", many/1_000_000), "≤ 1.3 times", "%s; %.2f times", among, float64(among.p50)/float64(alone.p50))
	return nil
}

// started gives a provider, stopped again, and its transfer that runs: the
// consumer does not fetch.
func (b *bench) started() (cn *node, p process, err error) {
	if cn, err = b.newNode("CN", "SM2"); err != nil {
		return nil, p, err
	}
	kz, err := b.newNode("KZ", "Ed25519")
	if err != nil {
		return nil, p, err
	}
	if err := kz.configure(`(?m)^manual: .*$`, "manual: [fetch]"); err != nil {
		return nil, p, err
	}
	for _, n := range []*node{cn, kz} {
		if _, err := n.start(); err != nil {
			return nil, p, err
		}
		defer n.stop()
	}
	if err := errors.Join(cn.knows(kz), kz.knows(cn), b.offer(cn)); err != nil {
		return nil, p, err
	}
	agreed, err := agree(cn, kz)
	if err != nil {
		return nil, p, err
	}
	if err := kz.call(http.MethodPost, "/api/transfers", map[string]string{"agreement": agreed.Agreement}, &p); err != nil {
		return nil, p, err
	}
	p, err = kz.reaches("transfers", p.PID, "STARTED")
	if err != nil {
		return nil, p, err
	}
	p, err = cn.reaches("transfers", p.PeerPID, "STARTED")
	p.Agreement = agreed.Agreement
	return cn, p, err
}

// opened is the node of a directory in this process, with a token of its data
// plane for a transfer.
func (b *bench) opened(n *node, transfer process) (*exchange.Service, *store.DB, string, error) {
	fail := func(err error) (*exchange.Service, *store.DB, string, error) { return nil, nil, "", err }
	keys, err := identity.OpenKeys(filepath.Join(n.dir, "keys"), n.did, "SM2")
	if err != nil {
		return fail(err)
	}
	raw, err := os.ReadFile(filepath.Join(n.dir, "keys", "stream.key"))
	if err != nil {
		return fail(err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil {
		return fail(err)
	}
	tokens, err := plane.NewTokens(secret)
	if err != nil {
		return fail(err)
	}
	token, err := tokens.Mint(plane.Claims{Transfer: transfer.PID, Agreement: transfer.Agreement, Audience: transfer.Peer, Expires: time.Now().Add(time.Hour).Unix()})
	if err != nil {
		return fail(err)
	}
	rules, err := law.Load(packs.FS())
	if err != nil {
		return fail(err)
	}
	db, err := store.Open(b.ctx, filepath.Join(n.dir, "node.db"), slices.Concat(ledger.Migrations, catalog.Migrations, counter.Migrations, exchange.Migrations)...)
	if err != nil {
		return fail(err)
	}
	signer, err1 := keys.LogSigner(n.addr + "/log")
	vkey, err2 := keys.LogVKey(n.addr + "/log")
	if err := errors.Join(err1, err2); err != nil {
		return fail(errors.Join(err, db.Close()))
	}
	log, err := ledger.Open(b.ctx, db, ledger.Config{Origin: n.addr + "/log", Signer: signer, VKey: vkey, Issuer: n.did})
	if err != nil {
		return fail(errors.Join(err, db.Close()))
	}
	directory, err := identity.NewPeers([]identity.Peer{{Participant: corridor.Participant{DID: transfer.Peer, Jurisdiction: "KZ"}}})
	if err != nil {
		return fail(errors.Join(err, db.Close()))
	}
	issuer, err := identity.NewTokens(n.did, keys.Token, nil)
	if err != nil {
		return fail(errors.Join(err, db.Close()))
	}
	x, err := exchange.New(exchange.Config{Self: corridor.Participant{DID: n.did, Jurisdiction: n.country}, Base: "http://" + n.addr + "/dsp/2025-1", Inbox: filepath.Join(n.dir, "inbox"),
		DB: db, Ledger: log, Law: rules, Signer: keys.National, Directory: directory, Resolver: identity.NewResolver(identity.ResolverConfig{}), Token: issuer.Issue,
		HTTP: identity.GuardedClient(true), StreamKey: secret})
	if err != nil {
		return fail(errors.Join(err, db.Close()))
	}
	return x, db, token, nil
}

// store fills the tables of agreements and their reviews, a hundred thousand at a time.
func (b *bench) store(db *store.DB, n int) error {
	const step = 100_000
	for from := 0; from < n; from += step {
		err := db.Write(b.ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(b.ctx, `WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
				INSERT INTO agreements (id, negotiation, peer, role, dataset, state, version, doc, created_at)
				SELECT printf('urn:uuid:01900000-0000-7000-8000-%012x', i), printf('urn:uuid:01900000-0000-7000-9000-%012x', i), 'did:web:filler.example', 'provider', 'filler',
				'in_force', 2, '{"id":"filler","state":"in_force"}', '2026-01-01T00:00:00Z' FROM n`, from, from+step-1)
			if err != nil {
				return err
			}
			_, err = tx.Exec(b.ctx, `WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
				INSERT INTO reviews (agreement, due, law) SELECT printf('urn:uuid:01900000-0000-7000-8000-%012x', i), '2099-01-01', 'sha256:filler' FROM n`, from, from+step-1)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// configure replaces a line of the configuration.
func (n *node) configure(line, with string) error {
	path := filepath.Join(n.dir, "config.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, regexp.MustCompile(line).ReplaceAll(raw, []byte(with)), 0o600)
}

// reaches waits for a state that is not the last one.
func (n *node) reaches(kind, pid, state string) (process, error) {
	var p process
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		p = process{}
		if err := n.call(http.MethodGet, "/api/"+kind+"/"+pid, nil, &p); err != nil || p.State == state && p.Pending == "" {
			return p, err
		}
	}
	return p, fmt.Errorf("%s of %s is %s", kind, n.country, p.State)
}
