package verify

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"filippo.io/mldsa"

	"corridor"
)

const behindTheSofa = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

// TestTheTreeThatIsCosignedIsWrittenAsSpecified: the cosigned_message of C2SP
// tlog-cosignature for its own example, written out by hand.
func TestTheTreeThatIsCosignedIsWrittenAsSpecified(t *testing.T) {
	c, err := ParseCheckpoint(behindTheSofa)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"737562747265652f76310a00",                                         // "subtree/v1\n\0"
		"16" + hex.EncodeToString([]byte("witness.example.com/w1")),        // 22 bytes
		"00000000641850cb",                                                 // 1679315147
		"1b" + hex.EncodeToString([]byte("example.com/behind-the-sofa")),   // 27 bytes
		"0000000000000000",                                                 // start
		"00000000013e2dc3",                                                 // 20852163
		"0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62", // hash
	}, "")
	got, err := CosignedTree("witness.example.com/w1", 1679315147, c)
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("%v\n%x\n%s", err, got, want)
	}
	long := strings.Repeat("x", 256)
	for name, bad := range map[string]struct {
		cosigner, origin string
		unix, size       int64
	}{
		"no witness": {"", "o", 1, 1}, "a long witness": {long, "o", 1, 1}, "no log": {"w", "", 1, 1}, "a long log": {"w", long, 1, 1},
		"a time before 1970": {"w", "o", -1, 1}, "a size below zero": {"w", "o", 1, -1},
	} {
		if _, err := CosignedTree(bad.cosigner, bad.unix, Checkpoint{Origin: bad.origin, Size: bad.size}); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := CosignedTree(long[:255], 0, Checkpoint{Origin: long[:255]}); err != nil {
		t.Error(err)
	}
}

// TestAnMLDSACosignatureIsOfOneTreeOneLogAndOneWitness: each way in which it
// can be another's.
func TestAnMLDSACosignatureIsOfOneTreeOneLogAndOneWitness(t *testing.T) {
	v, err := WitnessVerifier(witnessKey("w.pq"))
	if err != nil {
		t.Fatal(err)
	}
	signed := func(name, text string, unix int64) []byte {
		key := postQuantum("w.pq")
		other, err := WitnessVerifier(WitnessVKeyMLDSA(name, key.PublicKey()))
		if err != nil {
			t.Fatal(err)
		}
		sig, err := treeSigner{other, key, unix}.Sign([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	in := func(sig []byte, unix uint64) []byte {
		return append(binary.BigEndian.AppendUint64(nil, unix), sig[8:]...)
	}
	withContext := func() []byte {
		c, _ := ParseCheckpoint(behindTheSofa)
		msg, _ := CosignedTree("w.pq", 7, c)
		sig, err := postQuantum("w.pq").Sign(nil, msg, &mldsa.Options{Context: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return append(binary.BigEndian.AppendUint64(nil, 7), sig...)
	}
	good := signed("w.pq", behindTheSofa, signedAt)
	flipped := bytes.Clone(good)
	flipped[1000] ^= 1
	ed, err := noteSigner{v, seeded("w.pq"), signedAt}.Sign([]byte(behindTheSofa))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		sig  []byte
		ok   bool
	}{
		"good":                            {behindTheSofa, good, true},
		"without a time":                  {behindTheSofa, signed("w.pq", behindTheSofa, 0), true}, // a tree, but not the largest at some time
		"with lines of the log's own":     {behindTheSofa + "extension\n", good, true},             // they are not signed
		"of another log":                  {strings.Replace(behindTheSofa, "sofa", "sofb", 1), good, false},
		"of the size before":              {strings.Replace(behindTheSofa, "20852163", "20852162", 1), good, false},
		"of another root":                 {strings.Replace(behindTheSofa, "CsUY", "CsUZ", 1), good, false},
		"of another witness with the key": {behindTheSofa, signed("x.pq", behindTheSofa, signedAt), false},
		"at another time":                 {behindTheSofa, in(good, signedAt+1), false},
		"after 2^63":                      {behindTheSofa, in(good, 1<<63|signedAt), false},
		"with a context":                  {behindTheSofa, withContext(), false},
		"changed":                         {behindTheSofa, flipped, false},
		"cut":                             {behindTheSofa, good[:len(good)-1], false},
		"longer":                          {behindTheSofa, append(bytes.Clone(good), 0), false},
		"only a time":                     {behindTheSofa, good[:8], false},
		"nothing":                         {behindTheSofa, nil, false},
		"an Ed25519 one":                  {behindTheSofa, ed, false},
		"of no checkpoint":                {"hello\n", good, false},
	} {
		if got := v.Verify([]byte(c.text), c.sig); got != c.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
	old, err := WitnessVerifier(WitnessVKey("w.pq", seeded("w.pq").Public().(ed25519.PublicKey)))
	if err != nil || !old.Verify([]byte(behindTheSofa), ed) || old.Verify([]byte(behindTheSofa), good) || old.KeyHash() == v.KeyHash() {
		t.Error("an Ed25519 witness takes an ML-DSA cosignature", err)
	}
}

// TestWitnessKeysOfOtherTypesAreRefused: swapped, cut, or of a type that is not
// known here.
func TestWitnessKeysOfOtherTypesAreRefused(t *testing.T) {
	pq, ed := postQuantum("w.pq").PublicKey().Bytes(), seeded("w").Public().(ed25519.PublicKey)
	write := func(name string, alg byte, key []byte) string { return formatVKey(name, alg, key) }
	good := write("w.example", algCosignMLDSA44, pq)
	for name, c := range map[string]struct {
		vkey string
		ok   bool
	}{
		"ML-DSA-44":                   {good, true},
		"Ed25519":                     {write("w.example", algCosignEd25519, ed), true},
		"a log's":                     {write("w.example", algEd25519, ed), false},
		"ML-DSA-44 said to be 04":     {write("w.example", algCosignEd25519, pq), false},
		"Ed25519 said to be 06":       {write("w.example", algCosignMLDSA44, ed), false},
		"a type that is not assigned": {write("w.example", 0x07, pq), false},
		"the type of a tree head":     {write("w.example", 0x05, pq), false},
		"cut":                         {write("w.example", algCosignMLDSA44, pq[1:]), false},
		"of another name":             {strings.Replace(good, "w.example", "x.example", 1), false},
		"a name of 255 bytes":         {write(strings.Repeat("w", 255), algCosignMLDSA44, pq), true},
		"a name of 256 bytes":         {write(strings.Repeat("w", 256), algCosignMLDSA44, pq), false},
		"with an empty line":          {good + "\n", false},
	} {
		if _, err := WitnessVerifier(c.vkey); (err == nil) != c.ok || !c.ok && corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		_, err := ParsePolicy([]byte("witness w " + strings.TrimSuffix(c.vkey, "\n") + "\nquorum w\n"))
		if name != "with an empty line" && (err == nil) != c.ok {
			t.Errorf("%s in a policy: %v", name, err)
		}
	}
	if _, err := LogVerifier(good); err == nil {
		t.Error("a log with an ML-DSA key")
	}
	twice := "witness a " + good + "\nwitness b " + write("b.example", algCosignMLDSA44, pq) + "\nquorum none\n"
	if _, err := ParsePolicy([]byte(twice)); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Error("one ML-DSA key under two names:", err)
	}
}

// TestABundleWithMLDSACosignaturesPasses, and one whose witnesses the policy
// does not know, or knows by a key of the other type, does not.
func TestABundleWithMLDSACosignaturesPasses(t *testing.T) {
	build := func(policy string, witnesses ...string) *Report {
		s := newScene(t)
		s.policy = fmt.Sprintf("log %s\nlog %s\n", s.cn.vkey(), s.kz.vkey()) + policy
		s.agree(t, func(*corridor.Agreement) {})
		s.build(t, func(st *story) { st.witnesses = witnesses })
		return Bundle(s.bytes(t), Options{})
	}
	mixed := fmt.Sprintf(goodPolicy, witnessKey("kz.pq"), witnessKey("a.pq"), witnessKey("b.w"), witnessKey("c.pq"))
	for _, witnesses := range [][]string{{"kz.pq", "a.pq", "b.w"}, {"kz.pq", "a.pq", "c.pq"}, {"kz.pq", "a.pq", "b.w", "c.pq", "x.w", "y.pq"}} {
		if rep := build(mixed, witnesses...); !rep.OK {
			t.Errorf("%v: %+v", witnesses, rep.Failed())
		}
	}
	swapped := strings.Replace(mixed, witnessKey("kz.pq"), WitnessVKey("kz.pq", seeded("kz.pq").Public().(ed25519.PublicKey)), 1)
	for name, c := range map[string]struct {
		policy    string
		witnesses []string
	}{
		"too few":                             {mixed, []string{"kz.pq", "a.pq"}},
		"the national one is missing":         {mixed, []string{"a.pq", "b.w", "c.pq"}},
		"the policy names its key of Ed25519": {swapped, []string{"kz.pq", "a.pq", "b.w"}},
	} {
		rep := build(c.policy, c.witnesses...)
		if rep.OK || !slices.Contains(failing(rep), "receipt[0].cosignatures") {
			t.Errorf("%s: %v", name, failing(rep))
		}
	}
	// A line of a known witness that does not hold is a failure, though enough others do.
	s := newScene(t)
	s.policy = fmt.Sprintf("log %s\nlog %s\n", s.cn.vkey(), s.kz.vkey()) + mixed
	s.agree(t, func(*corridor.Agreement) {})
	s.build(t, func(st *story) { st.witnesses = []string{"kz.pq", "a.pq", "b.w", "c.pq"} })
	first := s.file.Receipts[0].Proof
	at := strings.Index(first, "— c.pq ")
	line, _, _ := strings.Cut(first[at+len("— c.pq "):], "\n")
	raw, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	s.file.Receipts[0].Proof = strings.Replace(first, line, base64.StdEncoding.EncodeToString(raw), 1)
	if rep := Bundle(s.bytes(t), Options{}); !slices.Contains(failing(rep), "receipt[0].cosignatures") {
		t.Error("a false line of a known witness:", failing(rep))
	}
}
