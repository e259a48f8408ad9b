package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"corridor"
	"corridor/internal/identity"
)

func TestRunningNodeNoticesANewPeer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers.yaml")
	list := &peerList{path: path}
	if _, err := list.Lookup(t.Context(), "did:web:a.example"); corridor.KindOf(err) != corridor.Forbidden {
		t.Fatalf("before there is a file: %v", err)
	}
	for i, p := range []identity.Peer{
		{Participant: corridor.Participant{DID: "did:web:a.example", Jurisdiction: "CN", Name: "甲"}},
		{Participant: corridor.Participant{DID: "did:web:b.example", Jurisdiction: "KZ"}, Address: "https://b.example/dsp/2025-1", LogVKey: "b.example/log+1+A"},
		{Participant: corridor.Participant{DID: "did:web:c.example", Jurisdiction: "UZ", Type: "private", Flags: []string{}}},
	} {
		if err := addPeer(path, p); err != nil {
			t.Fatal(err)
		}
		got, err := list.Lookup(t.Context(), p.DID)
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("peer %d: %+v, %v", i, got, err)
		}
	}
	if err := addPeer(path, identity.Peer{Participant: corridor.Participant{DID: "did:web:a.example", Jurisdiction: "RU"}}); corridor.KindOf(err) != corridor.Conflict {
		t.Errorf("a known peer was added again: %v", err)
	}
}

func TestListThatBecameWrongAnswersWithItsErrorAndNotWithTheOldList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers.yaml")
	if err := addPeer(path, identity.Peer{Participant: corridor.Participant{DID: "did:web:a.example", Jurisdiction: "CN"}}); err != nil {
		t.Fatal(err)
	}
	list := &peerList{path: path}
	if _, err := list.Lookup(t.Context(), "did:web:a.example"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("peers: [{did: did:web:a.example, jurisdiction: China}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := list.Lookup(t.Context(), "did:web:a.example"); err == nil || !strings.Contains(err.Error(), "two capital letters") {
		t.Errorf("got %v", err)
	}
}

func TestWrongListOfPeersIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, msg string }{
		"unknown member":  {"peers: [{did: did:web:a, jurisdiction: CN, adress: x}]", "adress"},
		"not a did:web":   {"peers: [{did: 'did:key:z6', jurisdiction: CN}]", "did:web:gateway.example.org"},
		"listed twice":    {"peers: [{did: did:web:a, jurisdiction: CN}, {did: did:web:a, jurisdiction: KZ}]", "twice"},
		"not an address":  {"peers: [{did: did:web:a, jurisdiction: CN, address: a.example}]", "web address"},
		"too big":         {strings.Repeat("#", maxPeers+1), "at most"},
		"no country":      {"peers: [{did: did:web:a}]", "not a country"},
		"a list, no key":  {"- did:web:a", "peers.yaml"},
		"not even a list": {"peers: {", "peers.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parsePeers("peers.yaml", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.msg) {
				t.Errorf("got %v, want it to say %q", err, c.msg)
			}
		})
	}
}
