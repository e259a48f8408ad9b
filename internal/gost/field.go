package gost

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// limbs is the most that an element has: 512 bits.
const limbs = 8

// elem is a residue, least significant limb first, in Montgomery form unless
// said otherwise. Limbs beyond those of its field are zero.
type elem [limbs]uint64

// field is arithmetic modulo an odd number of n limbs. No step of add, sub
// and mul depends on the values.
type field struct {
	n      int
	m      elem // the modulus
	inv    uint64
	one    elem // R mod m, R = 2^(64n)
	square elem // R^2 mod m
	big    *big.Int
}

func newField(m *big.Int, n int) *field {
	f := &field{n: n, m: limbsOf(m), big: m}
	inv := f.m[0] // right to 3 bits; each step doubles them
	for range 5 {
		inv *= 2 - f.m[0]*inv
	}
	f.inv = -inv
	r := new(big.Int).Lsh(big.NewInt(1), uint(64*n))
	f.one = limbsOf(new(big.Int).Mod(r, m))
	f.square = limbsOf(r.Mod(r.Mul(r, r), m))
	return f
}

// limbsOf spreads a number below 2^512.
func limbsOf(v *big.Int) (e elem) {
	var raw [8 * limbs]byte
	v.FillBytes(raw[:])
	for i := range e {
		e[limbs-1-i] = binary.BigEndian.Uint64(raw[8*i:])
	}
	return e
}

// bytes writes a residue that is not in Montgomery form, most significant
// byte first.
func (f *field) bytes(e *elem) []byte {
	out := make([]byte, 8*f.n)
	for i := range f.n {
		binary.BigEndian.PutUint64(out[8*(f.n-1-i):], e[i])
	}
	return out
}

// parse reads 8n bytes, most significant first, and says whether they are
// below the modulus.
func (f *field) parse(raw []byte) (e elem, below bool) {
	for i := range f.n {
		e[i] = binary.BigEndian.Uint64(raw[8*(f.n-1-i):])
	}
	_, borrow := f.subRaw(&e, &f.m)
	return e, borrow == 1
}

func (f *field) subRaw(x, y *elem) (z elem, borrow uint64) {
	for i := range f.n {
		z[i], borrow = bits.Sub64(x[i], y[i], borrow)
	}
	return z, borrow
}

// reduce subtracts the modulus once if carry and x together reach it.
func (f *field) reduce(z, x *elem, carry uint64) {
	less, borrow := f.subRaw(x, &f.m)
	keep := -(borrow &^ carry) // all ones: x is below the modulus
	for i := range f.n {
		z[i] = x[i]&keep | less[i]&^keep
	}
}

func (f *field) add(z, x, y *elem) {
	var sum elem
	var carry uint64
	for i := range f.n {
		sum[i], carry = bits.Add64(x[i], y[i], carry)
	}
	f.reduce(z, &sum, carry)
}

func (f *field) sub(z, x, y *elem) {
	diff, borrow := f.subRaw(x, y)
	mask := -borrow
	var carry uint64
	for i := range f.n {
		z[i], carry = bits.Add64(diff[i], f.m[i]&mask, carry)
	}
}

// mul is Montgomery's product x*y/R: coarsely integrated operand scanning.
func (f *field) mul(z, x, y *elem) {
	if f.n == 4 {
		f.mul4(z, x, y)
	} else {
		f.mul8(z, x, y)
	}
}

// mul4 is mul for four limbs.
func (f *field) mul4(z, x, y *elem) {
	var t0, t1, t2, t3, t4 uint64
	m := &f.m
	for i := range 4 {
		var c, top, carry uint64
		yi := y[i]
		c, t0 = mulAdd(x[0], yi, t0, 0)
		c, t1 = mulAdd(x[1], yi, t1, c)
		c, t2 = mulAdd(x[2], yi, t2, c)
		c, t3 = mulAdd(x[3], yi, t3, c)
		t4, top = bits.Add64(t4, c, 0)
		k := t0 * f.inv
		c, _ = mulAdd(k, m[0], t0, 0)
		c, t0 = mulAdd(k, m[1], t1, c)
		c, t1 = mulAdd(k, m[2], t2, c)
		c, t2 = mulAdd(k, m[3], t3, c)
		t3, carry = bits.Add64(t4, c, 0)
		t4 = top + carry
	}
	f.reduce(z, &elem{t0, t1, t2, t3}, t4)
}

// mul8 is mul for eight limbs.
func (f *field) mul8(z, x, y *elem) {
	var t0, t1, t2, t3, t4, t5, t6, t7, t8 uint64
	m := &f.m
	for i := range 8 {
		var c, top, carry uint64
		yi := y[i]
		c, t0 = mulAdd(x[0], yi, t0, 0)
		c, t1 = mulAdd(x[1], yi, t1, c)
		c, t2 = mulAdd(x[2], yi, t2, c)
		c, t3 = mulAdd(x[3], yi, t3, c)
		c, t4 = mulAdd(x[4], yi, t4, c)
		c, t5 = mulAdd(x[5], yi, t5, c)
		c, t6 = mulAdd(x[6], yi, t6, c)
		c, t7 = mulAdd(x[7], yi, t7, c)
		t8, top = bits.Add64(t8, c, 0)
		k := t0 * f.inv
		c, _ = mulAdd(k, m[0], t0, 0)
		c, t0 = mulAdd(k, m[1], t1, c)
		c, t1 = mulAdd(k, m[2], t2, c)
		c, t2 = mulAdd(k, m[3], t3, c)
		c, t3 = mulAdd(k, m[4], t4, c)
		c, t4 = mulAdd(k, m[5], t5, c)
		c, t5 = mulAdd(k, m[6], t6, c)
		c, t6 = mulAdd(k, m[7], t7, c)
		t7, carry = bits.Add64(t8, c, 0)
		t8 = top + carry
	}
	f.reduce(z, &elem{t0, t1, t2, t3, t4, t5, t6, t7}, t8)
}

// mulAdd gives x*y + a + b, which always fits two words.
func mulAdd(x, y, a, b uint64) (hi, lo uint64) {
	hi, lo = bits.Mul64(x, y)
	lo, c := bits.Add64(lo, a, 0)
	hi += c
	lo, c = bits.Add64(lo, b, 0)
	return hi + c, lo
}

// to and from change between plain residues and Montgomery form.
func (f *field) to(z, x *elem)   { f.mul(z, x, &f.square) }
func (f *field) from(z, x *elem) { f.mul(z, x, &elem{1}) }

// invert gives 1/x by Fermat, for a prime modulus; 0 stays 0.
func (f *field) invert(z, x *elem) {
	e := new(big.Int).Sub(f.big, big.NewInt(2)) // the exponent is public
	out, base := f.one, *x
	for i := e.BitLen() - 1; i >= 0; i-- {
		f.mul(&out, &out, &out)
		if e.Bit(i) == 1 {
			f.mul(&out, &out, &base)
		}
	}
	*z = out
}

func (f *field) zero(x *elem) bool { return f.equal(x, &elem{}) }

func (f *field) equal(x, y *elem) bool {
	var diff uint64
	for i := range f.n {
		diff |= x[i] ^ y[i]
	}
	return diff == 0
}
