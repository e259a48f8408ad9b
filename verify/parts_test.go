package verify

//lint:file-ignore SA1019 keys that crypto/ecdsa would not make are what these tests are about

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"corridor"
)

func TestEverySuiteVerifiesItsOwnAndNothingElse(t *testing.T) {
	msg := []byte("an agreement")
	for _, suite := range Suites() {
		p := newParty(t, "a.example", suite)
		sig := p.sign(msg)
		if err := p.key.Verify(msg, sig); err != nil {
			t.Errorf("%s: %v", suite, err)
		}
		raw, err := json.Marshal(p.key.JWK)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseJWK(p.key.ID, raw)
		if err != nil || !back.Equal(p.key) || back.Verify(msg, sig) != nil {
			t.Errorf("%s does not read back: %v", suite, err)
		}
		for i := range sig {
			bad := bytes.Clone(sig)
			bad[i] ^= 4
			if p.key.Verify(msg, bad) == nil {
				t.Errorf("%s: byte %d of the signature does not matter", suite, i)
			}
		}
		if p.key.Verify([]byte("another agreement"), sig) == nil || p.key.Verify(msg, nil) == nil || p.key.Verify(msg, append(sig, 0)) == nil {
			t.Errorf("%s accepts what is not signed", suite)
		}
		for _, other := range Suites() {
			if other != suite && newParty(t, "a.example", other).key.Verify(msg, sig) == nil {
				t.Errorf("a %s signature passes as %s", suite, other)
			}
		}
		good := corridor.Signature{Key: p.key.ID, Suite: suite, Value: b64(sig)}
		if err := p.key.VerifySignature(msg, good); err != nil {
			t.Error(err)
		}
		for _, bad := range []corridor.Signature{{Key: "x", Suite: suite, Value: good.Value}, {Key: p.key.ID, Suite: "none", Value: good.Value}, {Key: p.key.ID, Suite: suite, Value: good.Value + "="}, {Key: p.key.ID, Suite: suite, Value: good.Value + "\n"}, {}} {
			if p.key.VerifySignature(msg, bad) == nil {
				t.Errorf("%+v passed", bad)
			}
		}
	}
}

// TestSM2AgreesWithThePublishedExample uses the signature example of
// GB/T 32918.5 annex A.2 (curve sm2p256v1, default user id).
func TestSM2AgreesWithThePublishedExample(t *testing.T) {
	hex := func(s string) []byte { n, _ := new(big.Int).SetString(s, 16); return n.FillBytes(make([]byte, 32)) }
	k := Key{Suite: SM2, JWK: JWK{Kty: "EC", Crv: SM2,
		X: b64(hex("09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020")),
		Y: b64(hex("CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"))}}
	r := hex("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3")
	s := hex("B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA")
	der := append([]byte{0x30, 70, 2, 33, 0}, r...)
	der = append(append(der, 2, 33, 0), s...)
	if err := k.Verify([]byte("message digest"), der); err != nil {
		t.Error(err)
	}
}

func TestKeysThatAreNoKeysAreRefused(t *testing.T) {
	ed := newParty(t, "a", Ed25519).key.JWK
	p := newParty(t, "a", P256).key.JWK
	s := newParty(t, "a", SM2).key.JWK
	for name, jwk := range map[string]string{
		"no JSON":              `{`,
		"private":              fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q,"d":"AAAA"}`, ed.X),
		"short":                `{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`,
		"padded":               fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q}`, ed.X+"="),
		"Ed25519 with y":       fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q,"y":%q}`, ed.X, ed.X),
		"X25519":               fmt.Sprintf(`{"kty":"OKP","crv":"X25519","x":%q}`, ed.X),
		"RSA":                  `{"kty":"RSA","n":"AQAB","e":"AQAB"}`,
		"P-256 without y":      fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q}`, p.X),
		"off the curve":        fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, p.X, p.X),
		"on the other curve":   fmt.Sprintf(`{"kty":"EC","crv":"SM2","x":%q,"y":%q}`, p.X, p.Y),
		"on the other curve 2": fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, s.X, s.Y),
		"kty of another":       fmt.Sprintf(`{"kty":"OKP","crv":"P-256","x":%q,"y":%q}`, p.X, p.Y),
		"zero":                 fmt.Sprintf(`{"kty":"EC","crv":"SM2","x":%q,"y":%q}`, b64(make([]byte, 32)), b64(make([]byte, 32))),
	} {
		if _, err := ParseJWK("did:web:a#k", []byte(jwk)); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (Key{}).Verify(nil, nil) == nil {
		t.Error("the zero key verifies")
	}
	mixed := newParty(t, "a", Ed25519).key
	mixed.Suite = P256
	if mixed.Verify(nil, make([]byte, 64)) == nil {
		t.Error("suite and curve differ")
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for _, bad := range []any{nil, &r.PublicKey, ed25519.PublicKey{1}, (*ecdsa.PublicKey)(nil), &ecdsa.PublicKey{}, &p384.PublicKey,
		&ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).Lsh(big.NewInt(1), 300), Y: big.NewInt(1)}, &ecdsa.PublicKey{Curve: sm2.P256(), X: big.NewInt(-1), Y: big.NewInt(1)}} {
		if _, err := NewKey("id", bad); err == nil {
			t.Errorf("%T was taken", bad)
		}
	}
}

func TestDocumentKeysAreThoseThatMaySign(t *testing.T) {
	p := newParty(t, "a.example", Ed25519)
	jwk, _ := json.Marshal(p.key.JWK)
	method := func(id, controller string) string {
		return fmt.Sprintf(`{"id":%q,"controller":%q,"publicKeyJwk":%s}`, id, controller, jwk)
	}
	for name, c := range map[string]struct {
		doc  string
		keys int
	}{
		"named":               {fmt.Sprintf(`{"id":%q,"verificationMethod":[%s],"assertionMethod":["#k"]}`, p.did, method("#k", p.did)), 1},
		"named in full":       {fmt.Sprintf(`{"id":%q,"verificationMethod":[%s],"assertionMethod":[%q]}`, p.did, method(p.did+"#k", p.did), p.did+"#k"), 1},
		"embedded":            {fmt.Sprintf(`{"id":%q,"assertionMethod":[%s]}`, p.did, method("#k", p.did)), 1},
		"no list":             {fmt.Sprintf(`{"id":%q,"verificationMethod":[%s,%s]}`, p.did, method("#k", p.did), method("#l", p.did)), 2},
		"for other purposes":  {fmt.Sprintf(`{"id":%q,"verificationMethod":[%s],"assertionMethod":[]}`, p.did, method("#k", p.did)), 0},
		"of another":          {fmt.Sprintf(`{"id":%q,"verificationMethod":[%s]}`, p.did, method("#k", "did:web:x")), 0},
		"under another's id":  {fmt.Sprintf(`{"id":%q,"verificationMethod":[%s]}`, p.did, method("did:web:x#k", p.did)), 0},
		"unusable":            {fmt.Sprintf(`{"id":%q,"verificationMethod":[{"id":"#k","controller":%q,"publicKeyJwk":{"kty":"RSA"}}]}`, p.did, p.did), 0},
		"the document of b":   {`{"id":"did:web:b"}`, 0},
		"no document":         {`[]`, 0},
		"an odd relationship": {fmt.Sprintf(`{"id":%q,"verificationMethod":[%s],"assertionMethod":[7]}`, p.did, method("#k", p.did)), 0},
	} {
		keys, err := DocumentKeys(p.did, []byte(c.doc))
		if len(keys) != c.keys || (err == nil) != (c.keys > 0) {
			t.Errorf("%s: %v %v", name, keys, err)
		}
	}
}

func TestVKeysAreThoseOfTheReferenceImplementation(t *testing.T) {
	key := seeded("log").Public().(ed25519.PublicKey)
	want, err := note.NewEd25519VerifierKey("kz.example/log", key)
	if err != nil || LogVKey("kz.example/log", key) != want {
		t.Error(LogVKey("kz.example/log", key), want, err)
	}
	w := WitnessVKey("w.example", key)
	if _, err := WitnessVerifier(w); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "a", "a+b", "a+00000000+AQ==", want + "x", strings.Replace(want, "kz", "uz", 1), " " + want, w, "a b+" + want, want + "\n"} {
		if _, err := LogVerifier(bad); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := WitnessVerifier(want); err == nil {
		t.Error("a log key passes as a witness")
	}
}

// TestACosignatureIsReadAsTheSpecificationShowsIt uses the example key-free
// parts of C2SP tlog-cosignature: the message that is signed.
func TestACosignatureIsReadAsTheSpecificationShowsIt(t *testing.T) {
	body := "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	want := "cosignature/v1\ntime 1679315147\n" + body
	if got := CosignedMessage(1679315147, body); string(got) != want {
		t.Errorf("%q", got)
	}
	at, err := CosignatureTime(note.Signature{Base64: "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA=="})
	if err != nil || at.Unix() != 1679315147 {
		t.Error(at, err)
	}
	for _, bad := range []string{"", "!", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{255}, 80))} {
		if _, err := CosignatureTime(note.Signature{Base64: bad}); err == nil {
			t.Errorf("%q has a time", bad)
		}
	}
	v, _ := WitnessVerifier(witnessKey("a.w"))
	signer := noteSigner{v, seeded("a.w"), 1679315147}
	sig, _ := signer.Sign([]byte(body))
	if !v.Verify([]byte(body), sig) || v.Verify([]byte(body), sig[1:]) {
		t.Error("cosignature")
	}
	sig[0] = 0x80
	if v.Verify([]byte(body), sig) {
		t.Error("a time beyond 2^63")
	}
	c, err := ParseCheckpoint(body)
	if err != nil || c.String() != body || c.Size != 20852163 {
		t.Error(c, err)
	}
}

func TestCheckpointsHaveOneForm(t *testing.T) {
	root := tlog.Hash{1}.String()
	for name, text := range map[string]string{
		"empty": "", "two lines": "a\n1\n", "no newline": "a\n1\n" + root, "an empty line": "a\n1\n" + root + "\n\n", "no origin": "\n1\n" + root + "\n",
		"a leading zero": "a\n01\n" + root + "\n", "a sign": "a\n+1\n" + root + "\n", "negative": "a\n-1\n" + root + "\n", "no number": "a\nx\n" + root + "\n", "too large": "a\n9223372036854775808\n" + root + "\n",
		"a short root": "a\n1\nAAAA\n", "no base64": "a\n1\n" + strings.Replace(root, "A", "*", 1) + "\n", "loose base64": "a\n1\n" + strings.Replace(root, "A=", "B=", 1) + "\n",
		"too long": "a\n1\n" + root + "\n" + strings.Repeat("x", MaxCheckpoint) + "\n",
	} {
		if _, err := ParseCheckpoint(text); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := ParseCheckpoint("a\n1\n" + root + "\nmore\nand more\n")
	if err != nil || !slices.Equal(c.Extensions, []string{"more", "and more"}) || c.String() != "a\n1\n"+root+"\nmore\nand more\n" {
		t.Error(c, err)
	}
}

func TestACheckpointIsBelievedOnlyFromItsLog(t *testing.T) {
	p := newParty(t, "kz.example", Ed25519)
	p.log(t, corridor.Receipt{Type: "x"})
	good := p.checkpoint(t, "a.w")
	v, _ := LogVerifier(p.vkey())
	w, _ := WitnessVerifier(witnessKey("a.w"))
	c, n, err := OpenCheckpoint(good, v, w)
	if err != nil || c.Size != 1 || len(n.Sigs) != 2 {
		t.Error(c, n, err)
	}
	ov, _ := LogVerifier(newParty(t, "x", Ed25519).vkey())
	var unknown *note.UnverifiedNoteError
	if _, _, err := OpenCheckpoint(good, ov); !errors.As(err, &unknown) {
		t.Error(err)
	}
	if _, _, err := OpenCheckpoint(good, ov, w); err == nil {
		t.Error("a witness is not the log")
	}
	foreign, _ := note.Sign(&note.Note{Text: Checkpoint{Origin: "another", Size: 1}.String()}, p.logSigner(t))
	letter, _ := note.Sign(&note.Note{Text: "Dear log\n"}, p.logSigner(t))
	for name, bad := range map[string][]byte{"no note": []byte("x"), "of another origin": foreign, "no checkpoint": letter, "too long": make([]byte, MaxCheckpoint+1), "changed": bytes.Replace(good, []byte("\n1\n"), []byte("\n2\n"), 1)} {
		if _, _, err := OpenCheckpoint(bad, v); err == nil {
			t.Error(name, "was believed")
		}
	}
}

func TestProofsHaveOneForm(t *testing.T) {
	h := tlog.Hash{7}.String()
	cp := "o\n1\n" + h + "\n\n— o AAAAAAAA\n"
	for name, text := range map[string]string{
		"empty": "", "no header": "index 0\n\n" + cp, "no empty line": proofHeader + "\nindex 0\n", "no index": proofHeader + "\n\n" + cp, "only a header": proofHeader + "\n" + h + "\n\n" + cp,
		"a leading zero": proofHeader + "\nindex 00\n\n" + cp, "negative": proofHeader + "\nindex -1\n\n" + cp, "a bad hash": proofHeader + "\nindex 0\nabc\n\n" + cp,
		"64 hashes": proofHeader + "\nindex 0\n" + strings.Repeat(h+"\n", 64) + "\n" + cp, "bad extra": proofHeader + "\nextra *\nindex 0\n\n" + cp, "too long": proofHeader + strings.Repeat("x", MaxProof),
	} {
		if _, err := ParseProof([]byte(text)); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := ParseProof([]byte(proofHeader + "\nextra YQ==\nindex 5\n" + h + "\n\n" + cp))
	if err != nil || string(p.Extra) != "a" || p.Index != 5 || len(p.Hashes) != 1 || string(p.Checkpoint) != cp {
		t.Errorf("%+v %v", p, err)
	}
	if err := p.CheckInclusion(Checkpoint{Size: 5}, tlog.Hash{}); corridor.KindOf(err) != corridor.Invalid {
		t.Error(err)
	}
	if err := p.CheckInclusion(Checkpoint{Size: 9}, tlog.Hash{}); corridor.KindOf(err) != corridor.Unauthenticated {
		t.Error(err)
	}
}

func TestPoliciesReadBack(t *testing.T) {
	text := "# two countries and three others\n\tlog " + newParty(t, "cn.example", Ed25519).vkey() + " https://cn.example/log \n" +
		fmt.Sprintf(goodPolicy, witnessKey("kz.w"), witnessKey("a.w")+"\thttps://a.w", witnessKey("b.w"), witnessKey("c.w"))
	p, err := ParsePolicy([]byte(text))
	if err != nil || len(p.Logs) != 1 || p.Logs[0].URL != "https://cn.example/log" || p.Logs[0].Origin() != "cn.example/log" || p.Logs[0].Verifier() == nil || p.Witnesses[1].URL != "https://a.w" || len(p.Verifiers()) != 4 {
		t.Fatal(p, err)
	}
	again, err := ParsePolicy(p.Format())
	if err != nil || !bytes.Equal(again.Format(), p.Format()) {
		t.Error(err)
	}
	for _, c := range []struct {
		have string
		ok   bool
	}{{"", false}, {"kz", false}, {"kz a", false}, {"a b c", false}, {"kz a b", true}, {"kz b c", true}, {"kz a b c", true}, {"kz thirds", false}, {"both", false}} {
		if got := p.Satisfied(strings.Fields(c.have)); got != c.ok {
			t.Errorf("%q: %v", c.have, got)
		}
	}
	if !p.ForcesOverlap() {
		t.Error("two of three force overlap")
	}
	none, err := ParsePolicy([]byte("quorum none"))
	if err != nil || !none.Satisfied(nil) || none.ForcesOverlap() {
		t.Error(err)
	}
}

func TestPoliciesThatDoNotHoldAreRefusedWithTheirLine(t *testing.T) {
	a, b := "witness a "+witnessKey("a.w")+"\n", "witness b "+witnessKey("b.w")+"\n"
	log := newParty(t, "x", Ed25519).vkey()
	many := ""
	for i := range maxPolicyOf + 1 {
		many += fmt.Sprintf("witness w%d %s\n", i, witnessKey(fmt.Sprint("w", i)))
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty": {"", "quorum"}, "no quorum": {a, "quorum"}, "two quorums": {a + "quorum a\nquorum a", "line 3"}, "an unknown quorum": {"quorum x", "line 1"},
		"an unknown line": {"logs x", "unknown line"}, "a short line": {"log", "0 words"}, "a long line": {"quorum a b", "2 words"}, "a control character": {"quorum\x00none", "control"}, "a carriage return": {"quorum none\r\n", "control"},
		"a bad log key": {"log x", "line 1"}, "a witness key as log": {"log " + witnessKey("a.w"), "line 1"}, "a log key as witness": {"witness a " + log, "line 1"},
		"a log twice": {"log " + log + "\nlog " + log, "twice"}, "a witness twice": {a + a, "twice"}, "one key under two names": {a + "witness z " + witnessKey("a.w"), "twice"},
		"the name none": {"witness none " + witnessKey("a.w"), "none"}, "a group of none": {a + "group g any none", "not defined"}, "the group none": {a + "group none any a", "none"}, "a group of itself": {a + "group g any g", "not defined"}, "a later member": {a + "group g any a b\n" + b, "not defined"},
		"a member twice": {a + "group g all a a", "twice"}, "in two groups": {a + b + "group g any a\ngroup h all a b", "twice"}, "none of them": {a + "group g 0 a", "number"}, "more than there are": {a + "group g 2 a", "number"}, "a strange number": {a + "group g 01 a", "number"}, "no members": {a + "group g any", "words"},
		"too many": {many + "quorum none", "more than"}, "too long": {strings.Repeat("#", MaxPolicy+1), "limit"},
	} {
		if _, err := ParsePolicy([]byte(c.text)); corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOverlapIsWhatTryingAllSetsSays compares ForcesOverlap with brute force.
func TestOverlapIsWhatTryingAllSetsSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := &Policy{}
		var free []string
		for i := range rapid.IntRange(1, 6).Draw(rt, "witnesses") {
			name := fmt.Sprint("w", i)
			v, err := WitnessVerifier(witnessKey(name))
			if err != nil {
				rt.Fatal(err)
			}
			p.Witnesses = append(p.Witnesses, PolicyWitness{Name: name, VKey: witnessKey(name), verifier: v})
			free = append(free, name)
		}
		for i := range rapid.IntRange(1, 4).Draw(rt, "groups") {
			if len(free) == 0 {
				break
			}
			n := rapid.IntRange(1, len(free)).Draw(rt, "members")
			members := rapid.Permutation(free).Draw(rt, "order")[:n]
			free = slices.DeleteFunc(free, func(s string) bool { return slices.Contains(members, s) })
			g := PolicyGroup{Name: fmt.Sprint("g", i), K: rapid.IntRange(1, n).Draw(rt, "k"), Members: members}
			p.Groups = append(p.Groups, g)
			free = append(free, g.Name)
			p.Quorum = g.Name
		}
		if again, err := ParsePolicy(p.Format()); err != nil || !bytes.Equal(again.Format(), p.Format()) {
			rt.Fatalf("%s: %v", p.Format(), err)
		}
		disjoint := false
		n := len(p.Witnesses)
		for set := range 1 << n {
			var in, out []string
			for i, w := range p.Witnesses {
				if set>>i&1 == 1 {
					in = append(in, w.Name)
				} else {
					out = append(out, w.Name)
				}
			}
			disjoint = disjoint || p.Satisfied(in) && p.Satisfied(out)
		}
		if p.ForcesOverlap() == disjoint {
			rt.Fatalf("%s: overlap %v, disjoint quorums %v", p.Format(), p.ForcesOverlap(), disjoint)
		}
	})
}

func TestClippedTextStaysOnOneLine(t *testing.T) {
	if got := clip("a\nb\x1b[31m" + strings.Repeat("ж", 100)); strings.ContainsAny(got, "\n\x1b") || len([]rune(got)) != 83 {
		t.Errorf("%q", got)
	}
	if _, err := utc("2026-11-24T00:00:00+00:00"); err == nil {
		t.Error("UTC is written Z")
	}
	if at, err := utc("2026-11-24T00:00:00.5Z"); err != nil || !at.Equal(time.Date(2026, 11, 24, 0, 0, 0, 5e8, time.UTC)) {
		t.Error(at, err)
	}
}

func FuzzProof(f *testing.F) {
	f.Add([]byte(proofHeader + "\nindex 0\n\no\n1\n" + tlog.Hash{7}.String() + "\n\n— o AAAAAAAA\n"))
	f.Add([]byte(proofHeader + "\nextra YQ==\nindex 5\n" + tlog.Hash{}.String() + "\n\nx"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProof(text)
		if err != nil {
			return
		}
		if len(p.Extra) > 0 || !bytes.Contains(text, []byte("\nextra ")) {
			if !bytes.Equal(p.Format(), text) {
				t.Fatalf("%q was read as %q", text, p.Format())
			}
		}
	})
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(goodPolicy, witnessKey("kz.w"), witnessKey("a.w"), witnessKey("b.w"), witnessKey("c.w"))))
	f.Add([]byte("quorum none"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy(text)
		if err != nil {
			return
		}
		again, err := ParsePolicy(p.Format())
		if err != nil || !bytes.Equal(again.Format(), p.Format()) {
			t.Fatalf("%q: %v", p.Format(), err)
		}
		if p.Satisfied(nil) != (p.Quorum == "none") {
			t.Fatal("nobody is enough")
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	f.Add("example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseCheckpoint(text); err == nil && c.String() != text {
			t.Fatalf("%q was read as %q", text, c)
		}
	})
}

func TestOnlyKnownWitnessesCount(t *testing.T) {
	p, err := ParsePolicy([]byte("witness a " + witnessKey("a.w") + "\nwitness b " + witnessKey("b.w") + "\nquorum a\n"))
	if err != nil {
		t.Fatal(err)
	}
	log := newParty(t, "kz.example", Ed25519)
	v, _ := LogVerifier(log.vkey())
	_, n, err := OpenCheckpoint(log.checkpoint(t, "b.w", "c.w"), v, p.Verifiers()...)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Cosigners(n.Sigs); !slices.Equal(got, []string{"b"}) || p.Satisfied(got) {
		t.Error(got)
	}
	if got := OriginID("a"); got != "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" {
		t.Error(got)
	}
}

func TestAFileIsReadOnlyInItsOwnForm(t *testing.T) {
	s := newScene(t)
	raw := s.bytes(t)
	f, err := ReadFile(raw)
	if err != nil || len(f.Receipts) != len(s.file.Receipts) {
		t.Fatal(err)
	}
	again, err := f.Encode()
	if err != nil || !bytes.Equal(again, raw) {
		t.Error("it does not write back", err)
	}
	if f, err := ReadFile(raw[1:]); err == nil || f.Version != 0 {
		t.Error("half a file was read")
	}
}
