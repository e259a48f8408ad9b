package profile

import (
	"context"
	"strings"
	"testing"

	"corridor"
	"corridor/internal/identity"
)

func edcOf(t *testing.T) EDC {
	t.Helper()
	peers, err := identity.NewPeers([]identity.Peer{
		{Participant: corridor.Participant{DID: "did:web:edc.example", Jurisdiction: "KZ"}, Address: "https://edc.example/protocol/2025-1", Plain: &identity.Plain{}},
		{Participant: corridor.Participant{DID: "did:web:gateway.example", Jurisdiction: "KZ"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return EDC{Own: "did:web:us.example", Base: "https://us.example/dsp/2025-1", Peers: peers}
}

func TestTheMockIdentityNamesPlainPeersOnly(t *testing.T) {
	e := edcOf(t)
	c, err := e.Verify(context.Background(), `{"region":"eu","audience":"https://us.example/dsp/2025-1","clientId":"did:web:edc.example"}`)
	if err != nil || c.DID != "did:web:edc.example" || c.Peer.Jurisdiction != "KZ" {
		t.Errorf("%+v %v", c, err)
	}
	for name, c := range map[string]struct{ header, says string }{
		"a peer that runs Corridor": {`{"audience":"https://us.example/dsp/2025-1","clientId":"did:web:gateway.example"}`, "must not speak for one"},
		"a stranger":                {`{"audience":"https://us.example/dsp/2025-1","clientId":"did:web:other.example"}`, "not a known participant"},
		"for another node":          {`{"audience":"https://other.example","clientId":"did:web:edc.example"}`, "not this node"},
		"a token":                   {"Bearer a.b.c", "not the mock identity"},
		"nobody":                    {`{"audience":"https://us.example/dsp/2025-1"}`, "not the mock identity"},
		"more than it holds":        {`{"audience":"https://us.example/dsp/2025-1","clientId":"did:web:edc.example","admin":true}`, "not the mock identity"},
	} {
		if _, err := e.Verify(context.Background(), c.header); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatWeSendIsWhatItReads(t *testing.T) {
	e := edcOf(t)
	header, err := e.Issue(context.Background(), "did:web:edc.example")
	if err != nil || !strings.HasPrefix(header, "{ ") {
		t.Fatalf("%q %v", header, err)
	}
	back := EDC{Own: "did:web:edc.example", Base: "https://edc.example/protocol/2025-1", Peers: e.Peers}
	if _, err := back.Verify(context.Background(), strings.Replace(header, "us.example", "edc.example", 1)); err != nil {
		t.Error(err)
	}
	if _, err := e.Issue(context.Background(), "did:web:gateway.example"); err == nil {
		t.Error("an unsigned identity was made for a peer that runs Corridor")
	}
}
