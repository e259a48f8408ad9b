package identity

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/mod/sumdb/note"

	"corridor"
)

// Peer is a participant that the operator vouches for. Its jurisdiction
// selects the law of the other side; it is the operator's word until
// credentials of an authority replace it.
type Peer struct {
	corridor.Participant `yaml:",inline"`
	Address              string `json:"address,omitempty" yaml:"address,omitempty"`   // DSP base; empty: from the DID document
	LogVKey              string `json:"log_vkey,omitempty" yaml:"log_vkey,omitempty"` // verifier key of the peer's log
	Plain                *Plain `json:"plain,omitempty" yaml:"plain,omitempty"`       // nil: the peer runs Corridor
	// Manual names the steps that wait for a person in all that is done with
	// this peer: agree, verify, finalize, start, fetch.
	Manual []string `json:"manual,omitempty" yaml:"manual,omitempty"`
	// Liveness is the grade that this node's log must have reached before data
	// goes to this peer: corridor.LivenessCosigned, or empty. A compact may want
	// it too; the stricter counts.
	Liveness string `json:"liveness,omitempty" yaml:"liveness,omitempty"`
}

// Plain is what the operator states for a peer that speaks the Dataspace
// Protocol and no more: it signs no decision and states nothing about a flow.
// Both sides' law is then decided here, from the facts of the dataset and this
// statement, and fails closed where they leave something open.
type Plain struct {
	Purpose string         `json:"purpose,omitempty" yaml:"purpose,omitempty"` // what the peer uses data for, where it is the consumer
	Facts   corridor.Facts `json:"facts,omitempty" yaml:"facts,omitempty"`     // what that side would state
}

// Directory knows the peers. Whoever is not in it is refused.
type Directory interface {
	// Lookup gives a known peer, or an error of kind Forbidden.
	Lookup(ctx context.Context, did string) (Peer, error)
}

// Peers is a Directory of a fixed list, which may be replaced as a whole
// while in use.
type Peers struct {
	list atomic.Pointer[map[string]Peer]
}

// NewPeers checks a list and makes a directory of it.
func NewPeers(list []Peer) (*Peers, error) {
	p := &Peers{}
	if err := p.Replace(list); err != nil {
		return nil, err
	}
	return p, nil
}

// Replace checks a list and puts it in place of the present one. On an error
// nothing changes.
func (p *Peers) Replace(list []Peer) error {
	m := make(map[string]Peer, len(list))
	for i, peer := range list {
		where := "peers[" + strconv.Itoa(i) + "]"
		if err := checkPeer(where, peer); err != nil {
			return err
		}
		if _, twice := m[peer.DID]; twice {
			return &corridor.Error{Kind: corridor.Invalid, Where: where + ".did", Msg: peer.DID + " is listed twice"}
		}
		m[peer.DID] = peer
	}
	p.list.Store(&m)
	return nil
}

func checkPeer(where string, p Peer) error {
	if err := corridor.CheckLiveness(where+".liveness", p.Liveness); err != nil {
		return err
	}
	if _, err := WebURL(p.DID); err != nil {
		return &corridor.Error{Kind: corridor.Invalid, Where: where + ".did", Msg: "not usable", Err: err}
	}
	if j := p.Jurisdiction; len(j) != 2 || strings.Trim(j, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return &corridor.Error{Kind: corridor.Invalid, Where: where + ".jurisdiction", Msg: strconv.Quote(clip(j)) + " is not a country", Fix: "write two capital letters (ISO 3166-1), for example KZ"}
	}
	if err := p.CheckPlain(); err != nil {
		err.Where = where + "." + err.Where
		return err
	}
	if p.LogVKey != "" {
		if _, err := note.NewVerifier(p.LogVKey); err != nil {
			return &corridor.Error{Kind: corridor.Invalid, Where: where + ".log_vkey", Msg: "is not a verifier key", Fix: "copy the line that the peer's node shows: origin+hash+key", Err: err}
		}
	}
	return nil
}

// CheckPlain says what a plain peer's entry lacks, or nil.
func (p Peer) CheckPlain() *corridor.Error {
	switch {
	case p.Plain == nil:
		return nil
	case p.Address == "":
		return &corridor.Error{Kind: corridor.Invalid, Where: "address", Msg: "a plain peer has none", Why: "the addresses that it wants to be called at are held against it", Fix: "write its DSP base address"}
	case p.LogVKey != "":
		return &corridor.Error{Kind: corridor.Invalid, Where: "log_vkey", Msg: "a plain peer keeps no log", Fix: "remove log_vkey, or plain"}
	}
	return nil
}

// Lookup implements Directory.
func (p *Peers) Lookup(_ context.Context, did string) (Peer, error) {
	if peer, ok := (*p.list.Load())[did]; ok {
		return peer, nil
	}
	return Peer{}, &corridor.Error{Kind: corridor.Forbidden, Msg: strconv.Quote(clip(did)) + " is not a known participant",
		Why: "the law of the other side cannot be chosen for a stranger", Fix: "its operator's counterpart here can admit it: corridor peers add --did " + clip(did) + " --jurisdiction XX"}
}

// All lists the known peers, in no order.
func (p *Peers) All() []Peer {
	m := *p.list.Load()
	out := make([]Peer, 0, len(m))
	for _, peer := range m {
		out = append(out, peer)
	}
	return out
}
