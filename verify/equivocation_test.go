package verify

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"corridor"
)

// histories are two logs under one key that part after some entries.
func histories(t testing.TB, same, a, b int) (x, y *party) {
	t.Helper()
	write := func(p *party, n int, what string) {
		for range n {
			p.log(t, corridor.Receipt{Type: corridor.ReceiptAdmin, Time: "2026-11-24T05:00:00Z", Reason: what})
		}
	}
	x, y = newParty(t, "cn.example", Ed25519), newParty(t, "cn.example", Ed25519)
	write(x, same, "same")
	write(y, same, "same")
	write(x, a-same, "told to one")
	write(y, b-same, "told to another")
	return x, y
}

func (p *party) accused() Equivocation {
	return Equivocation{About: About{At: "2026-11-24T07:00:00Z", By: "did:web:kz.example"}, Log: FileLog{DID: p.did, Origin: p.origin, VKey: p.vkey()}}
}

// parted shows that y does not continue x.
func parted(t testing.TB, x, y *party) Equivocation {
	t.Helper()
	e := x.accused()
	e.A, e.B = string(x.checkpoint(t)), string(y.checkpoint(t))
	m, n := int64(len(x.entries)), int64(len(y.entries))
	if m == n {
		return e
	}
	prefix, err := tlog.TreeHash(m, y)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := tlog.ProveTree(n, m, y)
	if err != nil {
		t.Fatal(err)
	}
	e.Prefix, e.Proof = prefix.String(), Hashes(proof)
	return e
}

// replaced shows two entries in one place.
func replaced(t testing.TB, x, y *party, at int64) Equivocation {
	t.Helper()
	e := x.accused()
	e.A, e.B = string(x.checkpoint(t)), string(y.checkpoint(t))
	path := func(p *party) []string {
		proof, err := tlog.ProveRecord(int64(len(p.entries)), at, p)
		if err != nil {
			t.Fatal(err)
		}
		return Hashes(proof)
	}
	e.Entries = &Replaced{Index: at, LeafA: tlog.RecordHash(x.entries[at]).String(), LeafB: tlog.RecordHash(y.entries[at]).String(), PathA: path(x), PathB: path(y)}
	return e
}

// evidence is files that hold and files that do not.
func evidence(t testing.TB) map[string][]byte {
	out := map[string][]byte{}
	put := func(name string, e Equivocation) {
		raw, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		out[name] = raw
	}
	x, y := histories(t, 5, 8, 8)
	put("holds: one size", parted(t, x, y))
	put("holds: one place", replaced(t, x, y, 6))
	put("fails: the place before", replaced(t, x, y, 3))
	for _, sizes := range [][3]int{{5, 8, 13}, {0, 1, 2}, {3, 4, 300}, {6, 7, 8}, {5, 6, 64}} {
		x, y := histories(t, sizes[0], sizes[1], sizes[2])
		put("holds: "+strings.Repeat("|", sizes[1])+" and more", parted(t, x, y))
	}
	x, y = histories(t, 8, 8, 13)
	put("fails: one history", parted(t, x, y))
	put("fails: one tree", parted(t, x, x))
	x, y = histories(t, 5, 8, 13)
	e := parted(t, x, y)
	e.Document = x.withLogKey(t, x)
	put("holds: with the owner's document", e)
	e.Document = x.withLogKey(t, newParty(t, "kz.example", Ed25519))
	put("fails: with a document that has another key", e)
	e = parted(t, x, y)
	e.A, e.B = e.B, e.A
	put("fails: the other way round", e)
	e = parted(t, x, y)
	e.Proof[0] = tlog.Hash{}.String()
	put("fails: another proof", e)
	e = parted(t, x, y)
	e.Prefix = tlog.Hash{}.String()
	put("fails: another prefix", e)
	e = parted(t, x, y)
	e.Entries = replaced(t, x, y, 6).Entries
	put("fails: in two ways", e)
	forger := newParty(t, "cn.example", Ed25519)
	forger.logKey = seeded("forger")
	forger.log(t, corridor.Receipt{Type: corridor.ReceiptAdmin, Time: "2026-11-24T05:00:00Z"})
	e = parted(t, x, y)
	e.B = string(forger.checkpoint(t))
	put("fails: a checkpoint of a forger", e)
	e = parted(t, x, y)
	e.A = string(x.checkpoint(t, "a.w"))
	put("fails: with a cosignature", e)
	e = parted(t, x, y)
	e.A = e.A[:len(e.A)-3] + string(rune(e.A[len(e.A)-3]+1)) + e.A[len(e.A)-2:] // a bit that means nothing
	put("fails: with another spelling of a signature", e)
	e = parted(t, x, y)
	e.Log.Origin = "kz.example/log"
	put("fails: another log is accused", e)
	raw := out["holds: one size"]
	out["fails: a changed byte"] = bytes.Replace(raw, []byte("07:00"), []byte("07:01"), 1)
	out["fails: an unknown member"] = bytes.Replace(raw, []byte(`{"a":`), []byte(`{"A":1,"a":`), 1)
	out["fails: another version"] = bytes.Replace(raw, []byte(`"corridor_equivocation":1`), []byte(`"corridor_equivocation":2`), 1)
	out["fails: a key twice"] = bytes.Replace(raw, []byte(`{"a":`), []byte(`{"a":"","a":`), 1)
	return out
}

// withLogKey is p's document with the key of a log.
func (p *party) withLogKey(t testing.TB, of *party) []byte {
	k, err := NewKey(p.did+"#log", of.logKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	return canon(t, map[string]any{"id": p.did, "verificationMethod": []any{map[string]any{"id": "#log", "type": "JsonWebKey2020", "controller": p.did, "publicKeyJwk": k.JWK}}})
}

func TestEvidenceOfTwoHistoriesIsJudgedByItself(t *testing.T) {
	for name, raw := range evidence(t) {
		rep := Evidence(raw, Options{})
		if rep.Kind != KindEquivocation || rep.OK != strings.HasPrefix(name, "holds") {
			t.Errorf("%s: %s", name, rep.Summary)
		}
	}
	x, y := histories(t, 5, 8, 13)
	raw, err := parted(t, x, y).Encode()
	if err != nil {
		t.Fatal(err)
	}
	own := newParty(t, "kz.example", Ed25519)
	for name, c := range map[string]struct {
		opts Options
		ok   bool
	}{
		"a policy with the log":       {Options{Policy: []byte("log " + x.vkey() + "\nquorum none\n")}, true},
		"a policy without it":         {Options{Policy: []byte("quorum none\n")}, false},
		"a policy that is none":       {Options{Policy: []byte("x")}, false},
		"the owner's document":        {Options{Documents: map[string][]byte{x.did: x.withLogKey(t, x)}}, true},
		"a document with another key": {Options{Documents: map[string][]byte{x.did: x.withLogKey(t, own)}}, false},
		"a document of somebody else": {Options{Documents: map[string][]byte{x.did: own.withLogKey(t, own)}}, false},
	} {
		if rep := Evidence(raw, c.opts); rep.OK != c.ok {
			t.Errorf("%s: %s", name, rep.Summary)
		}
	}
	if rep := Evidence(newScene(t).bytes(t), Options{}); rep.Kind != "" || !rep.OK {
		t.Errorf("a bundle is taken for evidence: %s", rep.Summary)
	}
	if rep := Evidence(append([]byte(`{"corridor_equivocation":1,"x":"`), make([]byte, MaxEquivocation)...), Options{}); rep.OK || !slices.Contains(failing(rep), "form") {
		t.Error(rep.Summary)
	}
}

func TestOnlyTheLogsOwnSignatureStays(t *testing.T) {
	x, _ := histories(t, 3, 3, 3)
	if got := LogSignatureOnly(x.checkpoint(t, "a.w", "b.w"), x.origin); string(got) != string(x.checkpoint(t)) {
		t.Errorf("%s", got)
	}
	if got := LogSignatureOnly([]byte("x"), x.origin); string(got) != "x" {
		t.Errorf("%s", got)
	}
}

func FuzzEquivocation(f *testing.F) {
	good := map[string]bool{}
	for name, raw := range evidence(f) {
		f.Add(raw)
		if strings.HasPrefix(name, "holds") {
			good[string(raw)] = true
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rep := Evidence(data, Options{})
		if rep.OK && rep.Kind == KindEquivocation && !good[string(data)] {
			e, err := ReadEquivocation(data)
			if err != nil {
				t.Fatal(err)
			}
			// What is said of who tells it, and when, nobody has to believe.
			e.About = About{At: "2026-11-24T07:00:00Z", By: "did:web:kz.example"}
			e.Log.DID, e.Document = "did:web:cn.example", nil
			raw, err := e.Encode()
			if err != nil || !good[string(raw)] {
				t.Fatalf("evidence that nobody could make passed: %s", data)
			}
		}
	})
}
