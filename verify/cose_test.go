package verify

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"corridor"
)

// coseOf signs the COSE receipt of an entry of p's log.
func coseOf(t testing.TB, p *party, index int64) []byte {
	t.Helper()
	size := int64(len(p.entries))
	hashes, err := tlog.ProveRecord(size, index, p)
	if err != nil {
		t.Fatal(err)
	}
	root, err := tlog.TreeHash(size, p)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewCOSEReceipt(p.vkey(), Proof{Index: index, Hashes: hashes}, size)
	if err != nil {
		t.Fatal(err)
	}
	r.Signature = ed25519.Sign(p.logKey, r.Message(root))
	return r.Encode()
}

func TestACOSEReceiptShowsThatALogHoldsAnEntry(t *testing.T) {
	s := newScene(t)
	policy := []byte(s.policy)
	for i, entry := range s.cn.entries {
		raw := coseOf(t, s.cn, int64(i))
		if rep := COSE(raw, entry, s.cn.vkey(), Options{}); !rep.OK {
			t.Error(rep.Summary)
		}
		rep := COSE(raw, entry, "", Options{Policy: policy, Documents: map[string][]byte{s.cn.did: s.cn.document()}})
		if !rep.OK || !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == "entry.signature" && !c.Note }) {
			t.Error(rep.Summary)
		}
	}
	raw := coseOf(t, s.cn, 1)
	forged := newParty(t, "cn.example", Ed25519)
	forged.logKey = seeded("forger")
	bad := bytes.Clone(s.cn.entries[1])
	bad[len(bad)-20] ^= 1
	for name, c := range map[string]struct {
		rep  *Report
		want string
	}{
		"another entry":                      {COSE(raw, s.cn.entries[0], s.cn.vkey(), Options{}), "cose.inclusion"},
		"a changed entry":                    {COSE(raw, bad, s.cn.vkey(), Options{}), "cose.inclusion"},
		"another log":                        {COSE(raw, s.cn.entries[1], s.kz.vkey(), Options{}), "cose.log"},
		"no log":                             {COSE(raw, s.cn.entries[1], "", Options{}), "cose.log"},
		"a policy without the log":           {COSE(raw, s.cn.entries[1], "", Options{Policy: []byte("quorum none\n")}), "cose.log"},
		"a policy that is none":              {COSE(raw, s.cn.entries[1], "", Options{Policy: []byte("x")}), "cose.log"},
		"another key under the log's name":   {COSE(raw, s.cn.entries[1], forged.vkey(), Options{}), "cose.log"},
		"a DID document of somebody else":    {COSE(raw, s.cn.entries[1], s.cn.vkey(), Options{Documents: map[string][]byte{s.cn.did: newParty(t, "cn.example", SM2).document()}}), "entry.signature"},
		"a DID document without that key":    {COSE(raw, s.cn.entries[1], s.cn.vkey(), Options{Documents: map[string][]byte{s.cn.did: bytes.ReplaceAll(s.cn.document(), []byte("#national"), []byte("#other"))}}), "entry.signature"},
		"a bundle":                           {COSE(s.bytes(t), s.cn.entries[1], s.cn.vkey(), Options{}), "cose.form"},
		"an entry that is no receipt":        {COSE(raw, []byte("{}"), s.cn.vkey(), Options{}), "entry.form"},
		"a receipt that is too long":         {COSE(make([]byte, MaxCOSE+1), nil, s.cn.vkey(), Options{}), "cose.form"},
		"a vkey that is none":                {COSE(raw, s.cn.entries[1], "x", Options{}), "cose.log"},
		"a receipt that says another origin": {COSE(reissued(t, s.cn, raw), s.cn.entries[1], s.cn.vkey(), Options{}), "cose.inclusion"},
	} {
		if c.rep.OK || !slices.Contains(failing(c.rep), c.want) {
			t.Errorf("%s: %s", name, c.rep.Summary)
		}
	}
	// Any bit that changes is found, even where nothing is signed.
	for i := range raw {
		for bit := range 8 {
			bad := bytes.Clone(raw)
			bad[i] ^= 1 << bit
			if rep := COSE(bad, s.cn.entries[1], s.cn.vkey(), Options{}); rep.OK {
				t.Fatalf("bit %d of byte %d of %x passed", bit, i, raw)
			}
		}
	}
	if _, err := NewCOSEReceipt(s.cn.vkey(), Proof{}, 1); corridor.KindOf(err) != corridor.Unavailable {
		t.Errorf("a tree of one entry: %v", err)
	}
}

// reissued says another origin, signed by the log's key all the same.
func reissued(t testing.TB, p *party, raw []byte) []byte {
	r, err := ParseCOSEReceipt(raw)
	if err != nil {
		t.Fatal(err)
	}
	r.Origin = "other.example/log"
	root, err := tlog.TreeHash(r.Size, p)
	if err != nil {
		t.Fatal(err)
	}
	r.Signature = ed25519.Sign(p.logKey, r.Message(root))
	return r.Encode()
}

// TestTheFormOfACOSEReceipt holds the bytes against RFC 8949, RFC 9052 and
// RFC 9942, read by hand.
func TestTheFormOfACOSEReceipt(t *testing.T) {
	r := COSEReceipt{KeyID: "l+00000000", Origin: "l", Size: 300, Index: 24, Hashes: []tlog.Hash{{1}}, Signature: []byte{7}}
	zeros := fmt.Sprintf("%062x", 0)
	want := "d2" + "84" + // tag 18, array of 4
		"5818" + "a4" + "0132" + "044a" + hex.EncodeToString([]byte("l+00000000")) + "0fa101616c" + "19018b01" + // protected: alg -19, kid, iss "l", vds 1
		"a1" + "19018c" + "a1" + "20" + "81" + "5829" + "83" + "19012c" + "1818" + "81" + "5820" + "01" + zeros + // vdp: -1: [<<[300, 24, [h]]>>]
		"f6" + "4107" // null, signature
	if got := hex.EncodeToString(r.Encode()); got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
	back, err := ParseCOSEReceipt(r.Encode())
	if err != nil || back.Size != 300 || back.Index != 24 || back.Origin != "l" {
		t.Errorf("%+v %v", back, err)
	}
	message := "84" + "6a" + hex.EncodeToString([]byte("Signature1")) + "5818" + want[8:8+48] + "40" + "5820" + "02" + zeros
	if got := hex.EncodeToString(r.Message(tlog.Hash{2})); got != message {
		t.Errorf("\n%s, want\n%s", got, message)
	}
}

// TestTheRootOfAPathIsTheTrees compares with golang.org/x/mod for every entry
// of every small tree, and with paths that are too long or too short.
func TestTheRootOfAPathIsTheTrees(t *testing.T) {
	p := newParty(t, "x", Ed25519)
	for size := int64(1); size <= 70; size++ {
		p.log(t, corridor.Receipt{Type: corridor.ReceiptAdmin, Time: "2026-11-24T05:00:00Z"})
		want, err := tlog.TreeHash(size, p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range size {
			path, err := tlog.ProveRecord(size, i, p)
			if err != nil {
				t.Fatal(err)
			}
			leaf := tlog.RecordHash(p.entries[i])
			if got, err := rootOf(size, i, leaf, path); err != nil || got != want {
				t.Fatalf("entry %d of %d: %v", i, size, err)
			}
			if _, err := rootOf(size, i, leaf, append(slices.Clone(path), tlog.Hash{})); err == nil {
				t.Fatalf("entry %d of %d: a longer path passed", i, size)
			}
			if len(path) > 0 {
				if _, err := rootOf(size, i, leaf, path[1:]); err == nil {
					t.Fatalf("entry %d of %d: a shorter path passed", i, size)
				}
			}
		}
		if _, err := rootOf(size, size, tlog.Hash{}, nil); err == nil {
			t.Fatal("an entry beyond the tree passed")
		}
	}
}

func FuzzCOSEReceipt(f *testing.F) {
	p := newParty(f, "cn.example", Ed25519)
	for range 5 {
		p.log(f, corridor.Receipt{Type: corridor.ReceiptAdmin, Time: "2026-11-24T05:00:00Z"})
	}
	good := coseOf(f, p, 3)
	f.Add(good)
	f.Add([]byte{0xd2, 0x84})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := ParseCOSEReceipt(raw)
		if err == nil && !bytes.Equal(r.Encode(), raw) {
			t.Fatalf("%x has another spelling: %x", raw, r.Encode())
		}
		if rep := COSE(raw, p.entries[3], p.vkey(), Options{}); rep.OK && !bytes.Equal(raw, good) {
			t.Fatalf("a receipt that the log did not sign passed: %x", raw)
		}
	})
}
