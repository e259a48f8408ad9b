package profile

import (
	"context"
	"crypto/subtle"

	"corridor"
	"corridor/internal/identity"
)

// Identity knows one peer, a test kit, by a fixed Authorization header. It
// stands in for tokens, DID documents and the list of peers.
type Identity struct {
	Peer          identity.Peer
	Authorization string // what the kit sends, as it is
	Own           string // what we send
}

// Verify takes whoever sends the fixed header for the kit.
func (i Identity) Verify(_ context.Context, authorization string) (identity.Caller, error) {
	if subtle.ConstantTimeCompare([]byte(authorization), []byte(i.Authorization)) != 1 {
		return identity.Caller{}, &corridor.Error{Kind: corridor.Unauthenticated, Msg: "not the header of the test kit", Fix: "send the Authorization header that the node was started with"}
	}
	return identity.Caller{DID: i.Peer.DID, Peer: i.Peer}, nil
}

// Lookup implements identity.Directory.
func (i Identity) Lookup(_ context.Context, did string) (identity.Peer, error) {
	if did != i.Peer.DID {
		return identity.Peer{}, corridor.E(corridor.Forbidden, "only the test kit %q is known here", i.Peer.DID)
	}
	return i.Peer, nil
}

// All lists the kit.
func (i Identity) All() []identity.Peer { return []identity.Peer{i.Peer} }

// Issue gives the token that we send.
func (i Identity) Issue(context.Context, string) (string, error) { return i.Own, nil }
