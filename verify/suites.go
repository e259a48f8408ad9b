package verify

//lint:file-ignore SA1019 SM2 keys are ecdsa.PublicKey on a curve that crypto/ecdsa cannot encode by itself

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"

	"filippo.io/mldsa"
	"github.com/emmansun/gmsm/sm2"

	"corridor/internal/gost"
)

// suite is all that is particular to one signature suite.
type suite struct {
	name string
	kty  string
	crvs []string // curves of its keys; empty: none, and alg says what the key is
	algs []string // what a JWK may say in alg, the customary one first
	// decode reads a key of this suite from base64url.
	decode func(JWK) (any, error)
	// check says whether a signature is good for a key that decode gave.
	check func(public any, msg, sig []byte) bool
}

var suites = sync.OnceValue(func() []suite {
	return []suite{
		{Ed25519, "OKP", []string{"Ed25519"}, []string{"EdDSA", "Ed25519"}, decodeEd25519, func(public any, msg, sig []byte) bool {
			return len(sig) == ed25519.SignatureSize && ed25519.Verify(public.(ed25519.PublicKey), msg, sig)
		}},
		{P256, "EC", []string{P256}, []string{"ES256", "ESP256"}, decodeP256, func(public any, msg, sig []byte) bool {
			if len(sig) != 64 {
				return false
			}
			h := sha256.Sum256(msg)
			return ecdsa.Verify(public.(*ecdsa.PublicKey), h[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
		}},
		{SM2, "EC", []string{SM2}, []string{SM2}, decodeSM2, func(public any, msg, sig []byte) bool {
			return sm2.VerifyASN1WithSM2(public.(*ecdsa.PublicKey), nil, msg, sig)
		}},
		gostSuite(GOST256, gost.Size256),
		gostSuite(GOST512, gost.Size512),
		{MLDSA44, "AKP", nil, []string{MLDSA44}, decodeMLDSA, func(public any, msg, sig []byte) bool {
			return mldsa.Verify(public.(*mldsa.PublicKey), msg, sig, nil) == nil
		}},
	}
})

func gostSuite(name string, size int) suite {
	var crvs []string
	for _, c := range gost.Curves() {
		if c.Size == size {
			crvs = append(crvs, c.Name)
		}
	}
	return suite{name, "EC", crvs, []string{name}, decodeGOST, func(public any, msg, sig []byte) bool {
		return public.(*gost.PublicKey).Verify(msg, sig)
	}}
}

func suiteNamed(name string) (suite, bool) {
	list := suites()
	i := slices.IndexFunc(list, func(s suite) bool { return s.name == name })
	if i < 0 {
		return suite{}, false
	}
	return list[i], true
}

// holds says whether a key is of this suite, by its type and curve.
func (s suite) holds(j JWK) bool {
	if j.Kty != s.kty {
		return false
	}
	if len(s.crvs) == 0 {
		return slices.Contains(s.algs, j.Alg)
	}
	return slices.Contains(s.crvs, j.Crv)
}

// namedBy refuses an alg of another suite. A key without one is named by its
// curve alone.
func (s suite) namedBy(alg string) error {
	if alg == "" || slices.Contains(s.algs, alg) {
		return nil
	}
	return fmt.Errorf("alg %q is not that of a %s key, %s", clip(alg), s.name, s.algs[0])
}

// coordinate reads a member of a key that has size bytes.
func coordinate(name, text string, size int) ([]byte, error) {
	raw, err := unb64(text)
	if err != nil || len(raw) != size {
		return nil, fmt.Errorf("%s is not %d bytes of base64url", name, size)
	}
	return raw, nil
}

// only refuses members that belong to other kinds of key: each key has one
// spelling.
func (j JWK) only(members ...string) error {
	for _, m := range []struct{ name, value string }{{"crv", j.Crv}, {"x", j.X}, {"y", j.Y}, {"alg", j.Alg}, {"pub", j.Pub}} {
		if m.value != "" && !slices.Contains(members, m.name) {
			return fmt.Errorf("such a key has no %s", m.name)
		}
	}
	return nil
}

func decodeEd25519(j JWK) (any, error) {
	x, err := coordinate("x", j.X, ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	if err := j.only("crv", "x"); err != nil {
		return nil, err
	}
	if smallOrder([32]byte(x)) {
		return nil, errors.New("the point is of small order: signatures under it bind nobody")
	}
	return ed25519.PublicKey(x), nil
}

// smallOrder says whether an Ed25519 key is one of the eight points whose
// order divides eight, in any spelling. With such a key a signature can be
// made that fits many messages.
func smallOrder(key [32]byte) bool {
	key[31] &= 0x7f // the sign of x
	for _, y := range []string{
		"\x00", "\x01",
		"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
		"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
	} {
		var known [32]byte
		copy(known[:], y)
		if key == known {
			return true
		}
	}
	// p-1, and p and p+1, which are other spellings of 0 and 1.
	for i := 1; i < 31; i++ {
		if key[i] != 0xff {
			return false
		}
	}
	return key[31] == 0x7f && key[0] >= 0xec && key[0] <= 0xee
}

// point reads the coordinates of an EC key.
func (j JWK) point(size int) (x, y []byte, err error) {
	if x, err = coordinate("x", j.X, size); err != nil {
		return nil, nil, err
	}
	if y, err = coordinate("y", j.Y, size); err != nil {
		return nil, nil, err
	}
	return x, y, j.only("crv", "x", "y")
}

func decodeP256(j JWK) (any, error) {
	x, y, err := j.point(32)
	if err != nil {
		return nil, err
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, errors.New("the point is not on the curve")
	}
	return public, nil
}

func decodeSM2(j JWK) (any, error) {
	x, y, err := j.point(32)
	if err != nil {
		return nil, err
	}
	public, err := sm2.NewPublicKey(slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, errors.New("the point is not on the curve")
	}
	return public, nil
}

func decodeGOST(j JWK) (any, error) {
	c := gost.CurveByName(j.Crv)
	x, y, err := j.point(c.Size)
	if err != nil {
		return nil, err
	}
	public, err := gost.NewPublicKey(c, x, y)
	if err != nil {
		return nil, err
	}
	return public, nil
}

func decodeMLDSA(j JWK) (any, error) {
	raw, err := coordinate("pub", j.Pub, mldsa.MLDSA44PublicKeySize)
	if err != nil {
		return nil, err
	}
	if err := j.only("alg", "pub"); err != nil {
		return nil, err
	}
	public, err := mldsa.NewPublicKey(mldsa.MLDSA44(), raw)
	if err != nil {
		return nil, fmt.Errorf("pub: %w", err)
	}
	return public, nil
}

// lowS says whether a raw P-256 signature has its s in the lower half. If
// (r, s) is good, so is (r, n-s): only one of them is the signature.
func lowS(sig []byte) bool {
	if len(sig) != 64 {
		return true // no signature at all, which the check will say
	}
	s := new(big.Int).SetBytes(sig[32:])
	return s.Lsh(s, 1).Cmp(elliptic.P256().Params().N) <= 0
}
