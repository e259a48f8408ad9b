package gost

import (
	"encoding/asn1"
	"math/big"
	"slices"
	"sync"
)

// Curve is a parameter set: y² = x³ + ax + b over GF(p), a group of prime
// order q, and how RFC 7836, section 5, and RFC 9215 name it.
type Curve struct {
	Name string // of RFC 7836, such as id-tc26-gost-3410-12-256-paramSetA
	Size int    // bytes of a coordinate and of a digest: 32 or 64

	oid      asn1.ObjectIdentifier
	legacy   []asn1.ObjectIdentifier // older names of the same numbers (RFC 4357)
	p, q     *field
	a, b, b3 elem // b3 = 3b
	base     point
	cofactor int
	multiple func() []point // see baseTable
}

// Curves gives the parameter sets of RFC 7836 that are in use, the customary
// one of each size first.
func Curves() []*Curve { return allCurves() }

// CurveByName finds a parameter set, or nil.
func CurveByName(name string) *Curve {
	i := slices.IndexFunc(allCurves(), func(c *Curve) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return allCurves()[i]
}

func curveByOID(oid asn1.ObjectIdentifier) *Curve {
	for _, c := range allCurves() {
		if c.oid.Equal(oid) || slices.ContainsFunc(c.legacy, oid.Equal) {
			return c
		}
	}
	return nil
}

// Order is q, the number of points in the group.
func (c *Curve) Order() *big.Int { return new(big.Int).Set(c.q.big) }

// setup is a parameter set as its document prints it, in hex.
type setup struct {
	name           string
	oid            asn1.ObjectIdentifier
	legacy         []asn1.ObjectIdentifier
	p, a, b, q     string
	x, y           string
	size, cofactor int
}

func (s setup) curve() *Curve {
	number := func(text string) *big.Int {
		v, ok := new(big.Int).SetString(text, 16)
		if !ok {
			panic("gost: a constant of " + s.name + " is mistyped")
		}
		return v
	}
	c := &Curve{Name: s.name, Size: s.size, oid: s.oid, legacy: s.legacy, cofactor: s.cofactor,
		p: newField(number(s.p), s.size/8), q: newField(number(s.q), s.size/8)}
	residue := func(text string) elem {
		e := limbsOf(number(text))
		c.p.to(&e, &e)
		return e
	}
	c.a, c.b = residue(s.a), residue(s.b)
	c.p.add(&c.b3, &c.b, &c.b)
	c.p.add(&c.b3, &c.b3, &c.b)
	c.base = point{residue(s.x), residue(s.y), c.p.one}
	c.multiple = sync.OnceValue(c.baseTable)
	return c
}

// point is a point in homogeneous coordinates: x = X/Z, y = Y/Z. Z = 0 is the
// neutral element (0 : 1 : 0).
type point struct{ x, y, z elem }

func (c *Curve) neutral() point { return point{y: c.p.one} }

// add is algorithm 1 of Renes, Costello and Batina (2016): one formula, right
// for every two points whose difference has not order two. Points of the
// subgroup of prime order never differ so; onCurve lets no others in.
func (c *Curve) add(r, p, q *point) {
	f := c.p
	var t0, t1, t2, t3, t4, t5, x3, y3, z3 elem
	f.mul(&t0, &p.x, &q.x)
	f.mul(&t1, &p.y, &q.y)
	f.mul(&t2, &p.z, &q.z)
	f.add(&t3, &p.x, &p.y)
	f.add(&t4, &q.x, &q.y)
	f.mul(&t3, &t3, &t4)
	f.add(&t4, &t0, &t1)
	f.sub(&t3, &t3, &t4)
	f.add(&t4, &p.x, &p.z)
	f.add(&t5, &q.x, &q.z)
	f.mul(&t4, &t4, &t5)
	f.add(&t5, &t0, &t2)
	f.sub(&t4, &t4, &t5)
	f.add(&t5, &p.y, &p.z)
	f.add(&x3, &q.y, &q.z)
	f.mul(&t5, &t5, &x3)
	f.add(&x3, &t1, &t2)
	f.sub(&t5, &t5, &x3)
	f.mul(&z3, &c.a, &t4)
	f.mul(&x3, &c.b3, &t2)
	f.add(&z3, &x3, &z3)
	f.sub(&x3, &t1, &z3)
	f.add(&z3, &t1, &z3)
	f.mul(&y3, &x3, &z3)
	f.add(&t1, &t0, &t0)
	f.add(&t1, &t1, &t0)
	f.mul(&t2, &c.a, &t2)
	f.mul(&t4, &c.b3, &t4)
	f.add(&t1, &t1, &t2)
	f.sub(&t2, &t0, &t2)
	f.mul(&t2, &c.a, &t2)
	f.add(&t4, &t4, &t2)
	f.mul(&t0, &t1, &t4)
	f.add(&y3, &y3, &t0)
	f.mul(&t0, &t5, &t4)
	f.mul(&x3, &t3, &x3)
	f.sub(&x3, &x3, &t0)
	f.mul(&t0, &t3, &t1)
	f.mul(&z3, &t5, &z3)
	f.add(&z3, &z3, &t0)
	r.x, r.y, r.z = x3, y3, z3
}

// double is algorithm 3 of the same paper, right for every point.
func (c *Curve) double(r, p *point) {
	f := c.p
	var t0, t1, t2, t3, x3, y3, z3 elem
	f.mul(&t0, &p.x, &p.x)
	f.mul(&t1, &p.y, &p.y)
	f.mul(&t2, &p.z, &p.z)
	f.mul(&t3, &p.x, &p.y)
	f.add(&t3, &t3, &t3)
	f.mul(&z3, &p.x, &p.z)
	f.add(&z3, &z3, &z3)
	f.mul(&x3, &c.a, &z3)
	f.mul(&y3, &c.b3, &t2)
	f.add(&y3, &x3, &y3)
	f.sub(&x3, &t1, &y3)
	f.add(&y3, &t1, &y3)
	f.mul(&y3, &x3, &y3)
	f.mul(&x3, &t3, &x3)
	f.mul(&z3, &c.b3, &z3)
	f.mul(&t2, &c.a, &t2)
	f.sub(&t3, &t0, &t2)
	f.mul(&t3, &c.a, &t3)
	f.add(&t3, &t3, &z3)
	f.add(&z3, &t0, &t0)
	f.add(&t0, &z3, &t0)
	f.add(&t0, &t0, &t2)
	f.mul(&t0, &t0, &t3)
	f.add(&y3, &y3, &t0)
	f.mul(&t2, &p.y, &p.z)
	f.add(&t2, &t2, &t2)
	f.mul(&z3, &t2, &t3)
	f.sub(&x3, &x3, &z3)
	f.mul(&z3, &t2, &t1)
	f.add(&z3, &z3, &z3)
	f.add(&z3, &z3, &z3)
	r.x, r.y, r.z = x3, y3, z3
}

// window is the width of the digits that scalars are cut into.
const window = 4

// digit is digit i of a scalar that is not in Montgomery form.
func digit(k *elem, i int) uint64 { return k[i*window/64] >> (i * window % 64) & (1<<window - 1) }

func (c *Curve) digits() int { return c.Size * 8 / window }

// multiples gives 0 to 15 times p.
func (c *Curve) multiples(p *point) (t [1 << window]point) {
	t[0], t[1] = c.neutral(), *p
	for i := 2; i < len(t); i++ {
		if i%2 == 0 {
			c.double(&t[i], &t[i/2])
		} else {
			c.add(&t[i], &t[i-1], p)
		}
	}
	return t
}

// baseTable gives, for each digit position i and digit d, d*16^i times the
// base point: multiplying it needs no doublings.
func (c *Curve) baseTable() []point {
	var table []point
	at := c.base
	for range c.digits() {
		t := c.multiples(&at)
		table = append(table, t[:]...)
		c.add(&at, &t[len(t)-1], &at)
	}
	return table
}

// choose takes entry d of a row, touching all of them.
func choose(row []point, d uint64) (out point) {
	for i := range row {
		diff := uint64(i) ^ d
		mask := (diff - 1) >> 63 * ^uint64(0) // all ones: this is the one
		for j := range limbs {
			out.x[j] |= row[i].x[j] & mask
			out.y[j] |= row[i].y[j] & mask
			out.z[j] |= row[i].z[j] & mask
		}
	}
	return out
}

// timesBase gives k times the base point.
func (c *Curve) timesBase(k *elem) point {
	table, out := c.multiple(), c.neutral()
	for i := range c.digits() {
		p := choose(table[i<<window:(i+1)<<window], digit(k, i))
		c.add(&out, &out, &p)
	}
	return out
}

// combine gives k times the base point plus l times p, for public scalars.
func (c *Curve) combine(k, l *elem, p *point) point {
	t, out := c.multiples(p), c.neutral()
	for i := c.digits() - 1; i >= 0; i-- {
		for range window {
			c.double(&out, &out)
		}
		if d := digit(l, i); d != 0 {
			c.add(&out, &out, &t[d])
		}
	}
	table := c.multiple()
	for i := range c.digits() {
		if d := digit(k, i); d != 0 {
			c.add(&out, &out, &table[i<<window+int(d)])
		}
	}
	return out
}

// affine gives the coordinates of a point, not in Montgomery form; the neutral
// element has none.
func (c *Curve) affine(p *point) (x, y elem, ok bool) {
	if c.p.zero(&p.z) {
		return x, y, false
	}
	var inv elem
	c.p.invert(&inv, &p.z)
	c.p.mul(&x, &p.x, &inv)
	c.p.mul(&y, &p.y, &inv)
	c.p.from(&x, &x)
	c.p.from(&y, &y)
	return x, y, true
}

// onCurve makes a point of coordinates below p, and refuses those that are
// not on the curve or not in the subgroup of order q. Two of the sets have
// cofactor four: points of small order would otherwise pass.
func (c *Curve) onCurve(x, y *elem) (p point, ok bool) {
	f := c.p
	f.to(&p.x, x)
	f.to(&p.y, y)
	p.z = f.one
	var left, right, t elem
	f.mul(&left, &p.y, &p.y)
	f.mul(&right, &p.x, &p.x)
	f.add(&right, &right, &c.a)
	f.mul(&right, &right, &p.x)
	f.add(&right, &right, &c.b)
	f.sub(&t, &left, &right)
	if !f.zero(&t) {
		return p, false
	}
	return p, c.cofactor == 1 || c.inSubgroup(&p)
}

// inSubgroup says whether q times p is the neutral element. A point whose
// order divides four is refused first: what remains has a part of order q, and
// for that kp and p differ by a point of order two for no k from 2 to q-1, so
// that the formula of add holds at every step.
func (c *Curve) inSubgroup(p *point) bool {
	var t point
	c.double(&t, p)
	c.double(&t, &t)
	if c.p.zero(&t.z) {
		return false
	}
	t = *p
	for i := c.q.big.BitLen() - 2; i >= 0; i-- {
		c.double(&t, &t)
		if c.q.big.Bit(i) == 1 {
			c.add(&t, &t, p)
		}
	}
	return c.p.zero(&t.z)
}
