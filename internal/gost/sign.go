package gost

import (
	"crypto/hmac"
	"crypto/rand"
	"fmt"
	"hash"
	"io"
	"math/big"
	"slices"
)

// PublicKey is a point of prime order on a Curve.
type PublicKey struct {
	Curve *Curve
	x, y  elem // not in Montgomery form
	p     point
}

// PrivateKey is a scalar from 1 to q-1 with its point.
type PrivateKey struct {
	PublicKey
	d elem // not in Montgomery form
}

// NewPublicKey makes a key of two coordinates of Curve.Size bytes each, most
// significant byte first. Coordinates that are not below p, and points that
// are not on the curve or not of order q, are refused.
func NewPublicKey(c *Curve, x, y []byte) (*PublicKey, error) {
	if len(x) != c.Size || len(y) != c.Size {
		return nil, fmt.Errorf("coordinates of %d and %d bytes, want %d", len(x), len(y), c.Size)
	}
	ex, okX := c.p.parse(x)
	ey, okY := c.p.parse(y)
	if !okX || !okY {
		return nil, fmt.Errorf("a coordinate is not below the prime of %s", c.Name)
	}
	p, ok := c.onCurve(&ex, &ey)
	if !ok {
		return nil, fmt.Errorf("the point is not in the group of %s", c.Name)
	}
	return &PublicKey{Curve: c, x: ex, y: ey, p: p}, nil
}

// Coordinates gives both coordinates, Curve.Size bytes each, most significant
// byte first.
func (k *PublicKey) Coordinates() (x, y []byte) {
	return k.Curve.p.bytes(&k.x), k.Curve.p.bytes(&k.y)
}

// NewPrivateKey makes a key of a scalar of Curve.Size bytes, most significant
// byte first.
func NewPrivateKey(c *Curve, d []byte) (*PrivateKey, error) {
	if len(d) != c.Size {
		return nil, fmt.Errorf("a private key of %d bytes, want %d", len(d), c.Size)
	}
	scalar, below := c.q.parse(d)
	if !below || c.q.zero(&scalar) {
		return nil, fmt.Errorf("the private key is not from 1 to q-1 of %s", c.Name)
	}
	k := &PrivateKey{PublicKey: PublicKey{Curve: c}, d: scalar}
	p := c.timesBase(&scalar)
	k.x, k.y, _ = c.affine(&p) // 0 < d < q: never the neutral element
	c.p.to(&k.p.x, &k.x)
	c.p.to(&k.p.y, &k.y)
	k.p.z = c.p.one
	return k, nil
}

// GenerateKey makes a key of fresh randomness.
func GenerateKey(c *Curve) (*PrivateKey, error) {
	raw := make([]byte, c.Size)
	for {
		rand.Read(raw)             // never fails (crypto/rand)
		raw[0] &= topMask(c.q.big) // so that most tries are below q
		k, err := NewPrivateKey(c, raw)
		if err == nil {
			return k, nil
		}
	}
}

// topMask keeps those bits of a first byte that a number below q can have.
func topMask(q *big.Int) byte { return byte(0xff >> ((8 - q.BitLen()%8) % 8)) }

// Hash makes the digest that goes with a curve: Streebog of Curve.Size bytes.
func (c *Curve) Hash() hash.Hash { return newStreebog(c.Size) }

// digest reads a digest as RFC 9215 does, least significant byte first, modulo
// q; zero becomes one (RFC 7091, section 6.1, steps 2 and 3).
func (c *Curve) digest(h []byte) elem {
	reversed := slices.Clone(h)
	slices.Reverse(reversed)
	e := new(big.Int).SetBytes(reversed)
	if e.Mod(e, c.q.big).Sign() == 0 {
		e.SetInt64(1)
	}
	return limbsOf(e)
}

// Sign hashes the message with Streebog and signs it: s and then r, each
// Curve.Size bytes with the most significant first (RFC 9215, section 2).
// The one-time number is drawn by HMAC_DRBG as in RFC 6979, section 3.2, with
// HMAC of the key's Streebog, from the private key, the digest and 32 fresh
// random bytes (its section 3.6): it stays secret if either the randomness or
// the computation fails.
func (k *PrivateKey) Sign(msg []byte) []byte {
	h := k.Curve.Hash()
	h.Write(msg)
	var extra [32]byte
	rand.Read(extra[:]) // never fails (crypto/rand)
	return k.signDigest(h.Sum(nil), newNonces(k, h.Sum(nil), extra[:]))
}

// signDigest is RFC 7091, section 6.1.
func (k *PrivateKey) signDigest(digest []byte, nonces io.Reader) []byte {
	c := k.Curve
	e := c.digest(digest)
	raw := make([]byte, c.Size)
	for {
		_, _ = io.ReadFull(nonces, raw) // never fails
		scalar, below := c.q.parse(raw)
		if !below || c.q.zero(&scalar) {
			continue
		}
		p := c.timesBase(&scalar)
		x, _, _ := c.affine(&p)
		r := c.residue(&x)
		s := c.response(&r, &k.d, &scalar, &e)
		if c.q.zero(&r) || c.q.zero(&s) {
			continue
		}
		return append(c.q.bytes(&s), c.q.bytes(&r)...)
	}
}

// residue takes a coordinate, which is public by then, modulo q.
func (c *Curve) residue(x *elem) elem {
	v := new(big.Int).SetBytes(c.p.bytes(x))
	return limbsOf(v.Mod(v, c.q.big))
}

// response is s = rd + ke mod q.
func (c *Curve) response(r, d, k, e *elem) (s elem) {
	var rd, ke elem
	f := c.q
	f.to(&rd, r)
	f.mul(&rd, &rd, d) // (rR)d/R
	f.to(&ke, k)
	f.mul(&ke, &ke, e)
	f.add(&s, &rd, &ke)
	return s
}

// Verify checks a signature as Sign makes it, over a message that is hashed
// with Streebog (RFC 7091, section 6.2). There is one spelling of each
// signature: r and s must be from 1 to q-1, and the length is exact.
func (k *PublicKey) Verify(msg, sig []byte) bool {
	h := k.Curve.Hash()
	h.Write(msg)
	return k.verifyDigest(h.Sum(nil), sig)
}

func (k *PublicKey) verifyDigest(digest, sig []byte) bool {
	c := k.Curve
	if len(sig) != 2*c.Size {
		return false
	}
	s, okS := c.q.parse(sig[:c.Size])
	r, okR := c.q.parse(sig[c.Size:])
	if !okS || !okR || c.q.zero(&s) || c.q.zero(&r) {
		return false
	}
	e := c.digest(digest)
	var v, z1, z2 elem
	f := c.q
	f.to(&v, &e)
	f.invert(&v, &v) // R/e
	f.mul(&z1, &s, &v)
	f.sub(&z2, &elem{}, &r)
	f.mul(&z2, &z2, &v)
	p := c.combine(&z1, &z2, &k.p)
	x, _, ok := c.affine(&p)
	if !ok {
		return false
	}
	got := c.residue(&x)
	return f.equal(&got, &r)
}

// nonces is the generator of RFC 6979, section 3.2, steps b to h. Its output
// may be at or above q: signDigest throws such numbers away.
type nonces struct {
	key, v []byte
	make   func() hash.Hash
	mask   byte
	again  bool
}

func newNonces(k *PrivateKey, digest, extra []byte) *nonces {
	c := k.Curve
	e := c.digest(digest)
	g := &nonces{make: c.Hash, key: make([]byte, c.Size), v: make([]byte, c.Size), mask: topMask(c.q.big)}
	for i := range g.v {
		g.v[i] = 1
	}
	seed := slices.Concat(c.q.bytes(&k.d), c.q.bytes(&e), extra)
	for _, step := range []byte{0, 1} {
		g.key = g.mac(g.v, []byte{step}, seed)
		g.v = g.mac(g.v)
	}
	return g
}

func (g *nonces) mac(parts ...[]byte) []byte {
	m := hmac.New(g.make, g.key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// Read implements io.Reader for exactly one number at a time.
func (g *nonces) Read(p []byte) (int, error) {
	if g.again {
		g.key = g.mac(g.v, []byte{0})
		g.v = g.mac(g.v)
	}
	g.again = true
	g.v = g.mac(g.v)
	n := copy(p, g.v)
	p[0] &= g.mask
	return n, nil
}
