package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"corridor"
	"corridor/internal/exchange"
	"corridor/internal/identity/dcp"
	"corridor/internal/store"
)

// The names of what is no single setting of the configuration.
const (
	settingToken      = "the management token"
	settingRules      = "the rules on credentials"
	settingPublishers = "the list of publishers"
	settingWitnesses  = "the witness policy"
)

// settings lists what the administrator decides in the node's directory. The
// configuration is that with which the node runs; the lists are as they are now.
// What others could guess from a digest, or must not know, is hidden by the
// secret of the data plane.
func (n *running) settings() (exchange.Settings, error) {
	s := exchange.Settings{Key: n.hide("", nil)}
	hidden := func(name string, value []byte) {
		s.List = append(s.List, exchange.Setting{Name: name, Digest: n.hide(name, value), Hidden: true})
	}
	v := reflect.ValueOf(n.cfg)
	for i := range v.NumField() {
		if key := v.Type().Field(i).Tag.Get("yaml"); key != "" {
			hidden("setting "+key, []byte(flow(v.Field(i))))
		}
	}
	for _, f := range []struct {
		name, path string
		secret     bool
	}{{settingToken, n.cfg.Token, true}, {settingRules, n.cfg.Credentials, true}, {settingPublishers, n.cfg.Publishers, false}, {settingWitnesses, n.cfg.WitnessPolicy, false}} {
		raw, err := readIfThere(n.cfg.path(f.path))
		switch {
		case err != nil:
			return s, fmt.Errorf("%s: %w", f.name, err)
		case raw == nil:
		case f.secret:
			hidden(f.name, raw)
		default:
			s.List = append(s.List, exchange.Setting{Name: f.name, Digest: corridor.Digest(raw), Value: []byte(corridor.Digest(raw))})
		}
	}
	peers, err := n.peers.load()
	if err != nil {
		return s, err
	}
	for _, p := range peers {
		raw, err := corridor.Canonical(p)
		if err != nil {
			return s, err
		}
		s.List = append(s.List, exchange.Setting{Name: "peer " + p.DID, Digest: corridor.Digest(raw), Value: raw})
	}
	return s, nil
}

// hide gives a digest by which only who knows the secret of the data plane can
// find out what was hidden.
func (n *running) hide(name string, value []byte) string {
	return corridor.Commit(n.secret, append([]byte("settings\x00"+name+"\x00"), value...))
}

// readIfThere reads a file of the node's directory; nil: there is none.
func readIfThere(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return nil, nil
	}
	if err == nil && info.Size() > maxPeers {
		return nil, corridor.E(corridor.Invalid, "%s: %d bytes, at most %d are allowed", path, info.Size(), maxPeers)
	}
	if err != nil {
		return nil, corridor.E(corridor.Unavailable, "%w", err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, corridor.E(corridor.Unavailable, "%w", err)
	}
	return append([]byte{}, raw...), nil
}

// noteAsked writes the receipt of a request for credentials.
func (n *running) noteAsked(ctx context.Context, tx *store.Tx, a dcp.Asked) error {
	return n.exchange.NoteAdmin(ctx, tx, exchange.AdminAct{Act: exchange.ActCredentialRequested, Peer: a.Issuer, About: strings.Join(a.Types, ", ")})
}

// noteRevoked writes the receipt of a credential that is taken back.
func (n *running) noteRevoked(ctx context.Context, tx *store.Tx, c dcp.IssuedCredential) error {
	return n.exchange.NoteAdmin(ctx, tx, exchange.AdminAct{Act: exchange.ActCredentialRevoked, Peer: c.Holder, About: c.Type + " " + c.ID})
}

// lookAtSettings lets a running node write the receipt of a change in its
// directory. One that does not run writes it at its start.
func (a *app) lookAtSettings(dir string) {
	node, err := nodeFlags{Dir: dir}.client()
	if err == nil {
		_ = node.post(a.ctx, "/api/settings/look", struct{}{}, nil) // it finds the change by itself too
	}
}
