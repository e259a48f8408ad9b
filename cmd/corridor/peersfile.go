package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"

	"corridor"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

type peersDoc struct {
	Peers []identity.Peer `yaml:"peers"`
}

// peerList is the operator's list of known participants. The file is looked
// at on each lookup and read again when it has changed, so that a running
// node knows a new peer at once; a file that has become unreadable or wrong
// answers with its error, never with an old list.
type peerList struct {
	path    string
	changed func() // told when the file is another than before; nil: nobody is

	mu   sync.Mutex // guards what follows
	seen time.Time
	size int64
	doc  peersDoc
	by   map[string]identity.Peer // DID
}

// maxPeers bounds the list: room for tens of thousands.
const maxPeers = 16 << 20

// load gives the current list.
func (l *peerList) load() ([]identity.Peer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := os.Stat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		if !l.seen.IsZero() && l.changed != nil {
			l.changed()
		}
		l.doc, l.by, l.seen, l.size = peersDoc{}, nil, time.Time{}, 0
		return nil, nil
	}
	if err != nil {
		return nil, corridor.E(corridor.Unavailable, "the list of peers: %w", err)
	}
	if info.ModTime().Equal(l.seen) && info.Size() == l.size {
		return l.doc.Peers, nil
	}
	raw, err := os.ReadFile(l.path)
	if err != nil {
		return nil, corridor.E(corridor.Unavailable, "the list of peers: %w", err)
	}
	doc, err := parsePeers(l.path, raw)
	if err != nil {
		return nil, err
	}
	by := make(map[string]identity.Peer, len(doc.Peers))
	for _, p := range doc.Peers {
		by[p.DID] = p
	}
	l.doc, l.by, l.seen, l.size = doc, by, info.ModTime(), info.Size()
	if l.changed != nil {
		l.changed()
	}
	return doc.Peers, nil
}

// Lookup implements identity.Directory.
func (l *peerList) Lookup(ctx context.Context, did string) (identity.Peer, error) {
	if _, err := l.load(); err != nil {
		return identity.Peer{}, err
	}
	l.mu.Lock()
	p, known := l.by[did]
	l.mu.Unlock()
	if known {
		return p, nil
	}
	return identity.Peer{}, &corridor.Error{Kind: corridor.Forbidden, Msg: did + " is not a participant that this node knows",
		Fix: "the operator adds it with: corridor peers add"}
}

// All lists the known peers; nobody is known while the file is wrong.
func (l *peerList) All() []identity.Peer {
	peers, err := l.load()
	if err != nil {
		return []identity.Peer{}
	}
	return slices.Clone(peers)
}

// parsePeers reads the list strictly.
func parsePeers(path string, raw []byte) (peersDoc, error) {
	var doc peersDoc
	if len(raw) > maxPeers {
		return doc, corridor.E(corridor.Invalid, "%s: %d bytes, at most %d are allowed", path, len(raw), maxPeers)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return doc, nil
	}
	if err := yaml.Load(raw, &doc, yaml.WithKnownFields()); err != nil {
		return doc, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: strings.TrimSpace(err.Error()), Fix: "see peers.yaml in docs/configuration.md"}
	}
	seen := map[string]bool{}
	for i, p := range doc.Peers {
		at := fmt.Sprintf("%s: peer %d", path, i+1)
		if err := checkPeer(at, p); err != nil {
			return doc, err
		}
		if seen[p.DID] {
			return doc, &corridor.Error{Kind: corridor.Invalid, Where: at, Msg: p.DID + " is listed twice", Fix: "remove one of them"}
		}
		seen[p.DID] = true
	}
	return doc, nil
}

func checkPeer(at string, p identity.Peer) error {
	switch {
	case !strings.HasPrefix(p.DID, "did:web:"):
		return &corridor.Error{Kind: corridor.Invalid, Where: at, Msg: fmt.Sprintf("%q is not a did:web identifier", p.DID), Fix: "write it like did:web:gateway.example.org"}
	case len(p.Jurisdiction) != 2 || strings.ToUpper(p.Jurisdiction) != p.Jurisdiction:
		return &corridor.Error{Kind: corridor.Invalid, Where: at, Msg: fmt.Sprintf("%q is not a country", p.Jurisdiction), Fix: "write the two capital letters of ISO 3166-1, for example KZ"}
	case p.Address != "" && !strings.HasPrefix(p.Address, "http://") && !strings.HasPrefix(p.Address, "https://"):
		return &corridor.Error{Kind: corridor.Invalid, Where: at, Msg: fmt.Sprintf("%q is not a web address", p.Address), Fix: "leave it out, or write it like https://gateway.example.org/dsp/2025-1"}
	}
	if err := exchange.CheckSteps(at+", manual", p.Manual); err != nil {
		return err
	}
	if err := corridor.CheckLiveness(at+", liveness", p.Liveness); err != nil {
		return err
	}
	if err := p.CheckPlain(); err != nil {
		err.Where = at + ", " + err.Where
		return err
	}
	return nil
}

// peerLine is a participant as the file shows it. A list that is stated to be
// empty is written; one that is not stated is left out.
type peerLine struct {
	DID          string    `yaml:"did"`
	Name         string    `yaml:"name,omitempty"`
	Jurisdiction string    `yaml:"jurisdiction"`
	Type         string    `yaml:"type,omitempty"`
	Traits       *[]string `yaml:"traits,omitempty"`
	Flags        *[]string `yaml:"flags,omitempty"`
	Address      string    `yaml:"address,omitempty"`
	LogVKey      string    `yaml:"log_vkey,omitempty"`

	Manual   []string        `yaml:"manual,omitempty"`
	Liveness string          `yaml:"liveness,omitempty"`
	Plain    *identity.Plain `yaml:"plain,omitempty"`
}

func peersOut(peers []identity.Peer) map[string][]peerLine {
	stated := func(list []string) *[]string {
		if list == nil {
			return nil
		}
		return &list
	}
	var lines []peerLine
	for _, p := range peers {
		lines = append(lines, peerLine{p.DID, p.Name, p.Jurisdiction, p.Type, stated(p.Traits), stated(p.Flags), p.Address, p.LogVKey, p.Manual, p.Liveness, p.Plain})
	}
	return map[string][]peerLine{"peers": lines}
}

// addPeer writes the list with one more participant: a new file is put in
// the old one's place, so that a reader sees one or the other, whole.
func addPeer(path string, p identity.Peer) error {
	if err := checkPeer(path, p); err != nil {
		return err
	}
	list := &peerList{path: path}
	peers, err := list.load()
	if err != nil {
		return err
	}
	for _, have := range peers {
		if have.DID == p.DID {
			return &corridor.Error{Kind: corridor.Conflict, Where: path, Msg: p.DID + " is already known", Fix: "edit the file to change it"}
		}
	}
	out, err := yaml.Dump(peersOut(append(peers, p)))
	if err != nil {
		return fmt.Errorf("the list of peers: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".peers-*")
	if err != nil {
		return corridor.E(corridor.Invalid, "the list of peers: %w", err)
	}
	_, err = tmp.Write(out)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return errors.Join(corridor.E(corridor.Unavailable, "the list of peers: %w", err), os.Remove(tmp.Name()))
	}
	return os.Rename(tmp.Name(), path)
}
