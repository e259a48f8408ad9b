package profile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"corridor"
	"corridor/internal/identity"
)

// EDC is the mock identity of Eclipse EDC: a JSON object in the Authorization
// header that says who calls, and that nobody has signed. It stands in for
// tokens and DID documents. Only peers that the node's list calls plain may be
// named by it: for one that runs Corridor nobody else must be able to speak.
type EDC struct {
	Own   string // our participant id
	Base  string // our DSP base address, which a caller names as its audience
	Peers interface {
		identity.Directory
		All() []identity.Peer
	}
}

// mockToken is that object, as EDC 0.14 and 0.15 write it.
type mockToken struct {
	Region   string `json:"region"`
	Audience string `json:"audience"`
	ClientID string `json:"clientId"`
}

// Verify takes a caller at its word.
func (e EDC) Verify(ctx context.Context, authorization string) (identity.Caller, error) {
	var t mockToken
	dec := json.NewDecoder(bytes.NewReader([]byte(authorization)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&t); err != nil || t.ClientID == "" {
		return identity.Caller{}, &corridor.Error{Kind: corridor.Unauthenticated, Msg: "not the mock identity of Eclipse EDC", Why: "this node was started for it, and for nothing else", Fix: `send {"region": ..., "audience": ..., "clientId": ...}`}
	}
	if t.Audience != e.Base {
		return identity.Caller{}, &corridor.Error{Kind: corridor.Unauthenticated, Msg: fmt.Sprintf("the audience is %.200q, not this node", t.Audience), Fix: "name " + e.Base}
	}
	p, err := e.Lookup(ctx, t.ClientID)
	if err != nil {
		return identity.Caller{}, err
	}
	return identity.Caller{DID: p.DID, Peer: p}, nil
}

// Lookup implements identity.Directory.
func (e EDC) Lookup(ctx context.Context, did string) (identity.Peer, error) {
	p, err := e.Peers.Lookup(ctx, did)
	if err == nil && p.Plain == nil {
		err = &corridor.Error{Kind: corridor.Forbidden, Where: did, Msg: "is listed as a peer that runs Corridor", Why: "an identity without a signature must not speak for one", Fix: "list it with --plain, or start the node with corridor serve"}
	}
	return p, err
}

// All lists the peers.
func (e EDC) All() []identity.Peer { return e.Peers.All() }

// Issue gives the header that we send. It brings no scheme before it: the
// space in it tells the client so.
func (e EDC) Issue(ctx context.Context, audience string) (string, error) {
	p, err := e.Lookup(ctx, audience)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(mockToken{Region: "eu", Audience: p.Address, ClientID: e.Own})
	if err != nil {
		return "", corridor.E(corridor.Internal, "mock identity: %w", err)
	}
	return "{ " + string(raw[1:]), nil
}
