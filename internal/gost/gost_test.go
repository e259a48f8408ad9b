package gost

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// The parameter sets are what they should be: primes, a point on the curve,
// of that order. A mistyped digit anywhere would show here.
func TestParameterSets(t *testing.T) {
	for _, c := range Curves() {
		t.Run(c.Name, func(t *testing.T) {
			if !c.p.big.ProbablyPrime(32) || !c.q.big.ProbablyPrime(32) {
				t.Error("p or q is not prime")
			}
			x, y, _ := c.affine(&c.base)
			if _, ok := c.onCurve(&x, &y); !ok {
				t.Error("the base point is not on the curve, or not of order q")
			}
			if !c.inSubgroup(&c.base) {
				t.Error("q times the base point is not the neutral element")
			}
			// Hasse: the number of points is near p+1, and cofactor times q must be it.
			gap := new(big.Int).Mul(c.q.big, big.NewInt(int64(c.cofactor)))
			gap.Sub(gap, c.p.big).Sub(gap, big.NewInt(1)).Abs(gap)
			if gap.BitLen() > c.p.big.BitLen()/2+1 {
				t.Error("the cofactor is another")
			}
			if CurveByName(c.Name) != c || curveByOID(c.oid) != c {
				t.Error("it is not found under its own name")
			}
		})
	}
	if CurveByName("P-256") != nil {
		t.Error("a foreign curve is found")
	}
}

// examples are the worked examples of GOST R 34.10-2012: the first is RFC
// 7091, section 7.1, the second appendix A.2 of the standard.
func examples() []struct {
	setup
	d, e, k, r, s, qx, qy string
} {
	return []struct {
		setup
		d, e, k, r, s, qx, qy string
	}{
		{setup{name: "256", size: 32, cofactor: 1,
			p: "8000000000000000000000000000000000000000000000000000000000000431", a: "7",
			b: "5FBFF498AA938CE739B8E022FBAFEF40563F6E6A3472FC2A514C0CE9DAE23B7E",
			q: "8000000000000000000000000000000150FE8A1892976154C59CFC193ACCF5B3",
			x: "2", y: "08E2A8A0E65147D4BD6316030E16D19C85C97F0A9CA267122B96ABBCEA7E8FC8"},
			"7A929ADE789BB9BE10ED359DD39A72C11B60961F49397EEE1D19CE9891EC3B28",
			"2DFBC1B372D89A1188C09C52E0EEC61FCE52032AB1022E8E67ECE6672B043EE5",
			"77105C9B20BCD3122823C8CF6FCC7B956DE33814E95B7FE64FED924594DCEAB3",
			"41AA28D2F1AB148280CD9ED56FEDA41974053554A42767B83AD043FD39DC0493",
			"01456C64BA4642A1653C235A98A60249BCD6D3F746B631DF928014F6C5BF9C40",
			"7F2B49E270DB6D90D8595BEC458B50C58585BA1D4E9B788F6689DBD8E56FD80B",
			"26F1B489D6701DD185C8413A977B3CBBAF64D1C593D26627DFFB101A87FF77DA"},
		{setup{name: "512", size: 64, cofactor: 1,
			p: "4531ACD1FE0023C7550D267B6B2FEE80922B14B2FFB90F04D4EB7C09B5D2D15DF1D852741AF4704A0458047E80E4546D35B8336FAC224DD81664BBF528BE6373", a: "7",
			b: "1CFF0806A31116DA29D8CFA54E57EB748BC5F377E49400FDD788B649ECA1AC4361834013B2AD7322480A89CA58E0CF74BC9E540C2ADD6897FAD0A3084F302ADC",
			q: "4531ACD1FE0023C7550D267B6B2FEE80922B14B2FFB90F04D4EB7C09B5D2D15DA82F2D7ECB1DBAC719905C5EECC423F1D86E25EDBE23C595D644AAF187E6E6DF",
			x: "24D19CC64572EE30F396BF6EBBFD7A6C5213B3B3D7057CC825F91093A68CD762FD60611262CD838DC6B60AA7EEE804E28BC849977FAC33B4B530F1B120248A9A",
			y: "2BB312A43BD2CE6E0D020613C857ACDDCFBF061E91E5F2C3F32447C259F39B2C83AB156D77F1496BF7EB3351E1EE4E43DC1A18B91B24640B6DBB92CB1ADD371E"},
			"0BA6048AADAE241BA40936D47756D7C93091A0E8514669700EE7508E508B102072E8123B2200A0563322DAD2827E2714A2636B7BFD18AADFC62967821FA18DD4",
			"3754F3CFACC9E0615C4F4A7C4D8DAB531B09B6F9C170C533A71D147035B0C5917184EE536593F4414339976C647C5D5A407ADEDB1D560C4FC6777D2972075B8C",
			"0359E7F4B1410FEACC570456C6801496946312120B39D019D455986E364F365886748ED7A44B3E794434006011842286212273A6D14CF70EA3AF71BB1AE679F1",
			"2F86FA60A081091A23DD795E1E3C689EE512A3C82EE0DCC2643C78EEA8FCACD35492558486B20F1C9EC197C90699850260C93BCBCD9C5C3317E19344E173AE36",
			"1081B394696FFE8E6585E7A9362D26B6325F56778AADBC081C0BFBE933D52FF5823CE288E8C4F362526080DF7F70CE406A6EEB1F56919CB92A9853BDE73E5B4A",
			"115DC5BC96760C7B48598D8AB9E740D4C4A85A65BE33C1815B5C320C854621DD5A515856D13314AF69BC5B924C8B4DDFF75C45415C1D9DD9DD33612CD530EFE1",
			"37C7C90CD40B0F5621DC3AC1B751CFA0E2634FA0503B3D52639F5D7FB72AFD61EA199441D943FFE7F0C70A2759A3CDB84C114E1F9339FDF27F35ECA93677BEEC"},
	}
}

func TestWorkedExamples(t *testing.T) {
	for _, x := range examples() {
		t.Run(x.name, func(t *testing.T) {
			c := x.curve()
			k, err := NewPrivateKey(c, unhex(t, x.d))
			if err != nil {
				t.Fatal(err)
			}
			gx, gy := k.Coordinates()
			if !bytes.Equal(gx, unhex(t, x.qx)) || !bytes.Equal(gy, unhex(t, x.qy)) {
				t.Errorf("the public key is (%x, %x)", gx, gy)
			}
			digest := unhex(t, x.e) // e < q here: the digest is its bytes the other way round
			for i := range len(digest) / 2 {
				digest[i], digest[len(digest)-1-i] = digest[len(digest)-1-i], digest[i]
			}
			sig := k.signDigest(digest, bytes.NewReader(unhex(t, x.k)))
			if want := x.s + x.r; hex.EncodeToString(sig) != hex.EncodeToString(unhex(t, want)) {
				t.Errorf("the signature is %x", sig)
			}
			if !k.verifyDigest(digest, sig) {
				t.Error("the signature does not verify")
			}
		})
	}
}

// slow is the textbook: affine points with math/big, nil for the neutral one.
type slow struct{ c *Curve }

func (s slow) add(p, q *[2]*big.Int) *[2]*big.Int {
	m := s.c.p.big
	if p == nil {
		return q
	}
	if q == nil {
		return p
	}
	var num, den *big.Int
	if p[0].Cmp(q[0]) == 0 {
		if new(big.Int).Mod(new(big.Int).Add(p[1], q[1]), m).Sign() == 0 {
			return nil
		}
		a := s.plain(&s.c.a)
		num = new(big.Int).Mul(p[0], p[0])
		num.Mul(num, big.NewInt(3)).Add(num, a)
		den = new(big.Int).Lsh(p[1], 1)
	} else {
		num = new(big.Int).Sub(q[1], p[1])
		den = new(big.Int).Sub(q[0], p[0])
	}
	l := new(big.Int).ModInverse(den.Mod(den, m), m)
	l.Mul(l, num).Mod(l, m)
	x := new(big.Int).Mul(l, l)
	x.Sub(x, p[0]).Sub(x, q[0]).Mod(x, m)
	y := new(big.Int).Sub(p[0], x)
	y.Mul(y, l).Sub(y, p[1]).Mod(y, m)
	return &[2]*big.Int{x, y}
}

func (s slow) plain(e *elem) *big.Int {
	var out elem
	s.c.p.from(&out, e)
	return new(big.Int).SetBytes(s.c.p.bytes(&out))
}

func (s slow) times(k *big.Int, p *[2]*big.Int) (out *[2]*big.Int) {
	for i := k.BitLen() - 1; i >= 0; i-- {
		out = s.add(out, out)
		if k.Bit(i) == 1 {
			out = s.add(out, p)
		}
	}
	return out
}

// The fast arithmetic agrees with the textbook, also where it has to come to
// the neutral element.
func TestMultiplicationAgreesWithTheTextbook(t *testing.T) {
	for _, c := range Curves() {
		t.Run(c.Name, func(t *testing.T) {
			ref := slow{c}
			base := &[2]*big.Int{ref.plain(&c.base.x), ref.plain(&c.base.y)}
			drawn := 0
			rapid.Check(t, func(t *rapid.T) {
				if drawn++; drawn > 6 {
					return // six of each set are enough, and quick
				}
				scalar := rapid.SliceOfN(rapid.Byte(), c.Size, c.Size)
				k := new(big.Int).Mod(new(big.Int).SetBytes(scalar.Draw(t, "k")), c.q.big)
				l := new(big.Int).Mod(new(big.Int).SetBytes(scalar.Draw(t, "l")), c.q.big)
				if rapid.Bool().Draw(t, "cancel") { // kP + l(2P) = O
					l.Mul(k, new(big.Int).ModInverse(big.NewInt(-2), c.q.big)).Mod(l, c.q.big)
				}
				ek, el := limbsOf(k), limbsOf(l)
				var twice point
				c.double(&twice, &c.base)
				p := c.combine(&ek, &el, &twice)
				want := ref.add(ref.times(k, base), ref.times(l, ref.add(base, base)))
				x, y, ok := c.affine(&p)
				if ok != (want != nil) {
					t.Fatalf("neutral: %v", !ok)
				}
				if ok && (!bytes.Equal(c.p.bytes(&x), want[0].FillBytes(make([]byte, c.Size))) || !bytes.Equal(c.p.bytes(&y), want[1].FillBytes(make([]byte, c.Size)))) {
					t.Fatal("another point")
				}
			})
		})
	}
}

// Field arithmetic at its edges agrees with math/big.
func TestFieldEdges(t *testing.T) {
	for _, c := range Curves() {
		for _, f := range []*field{c.p, c.q} {
			m := f.big
			edge := []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), new(big.Int).Sub(m, big.NewInt(1)), new(big.Int).Sub(m, big.NewInt(2)), new(big.Int).Rsh(m, 1)}
			for _, x := range edge {
				for _, y := range edge {
					ex, ey := limbsOf(x), limbsOf(y)
					var sum, diff, prod elem
					f.add(&sum, &ex, &ey)
					f.sub(&diff, &ex, &ey)
					f.to(&prod, &ex)
					f.mul(&prod, &prod, &ey)
					for _, r := range []struct {
						got  elem
						want *big.Int
					}{{sum, new(big.Int).Add(x, y)}, {diff, new(big.Int).Sub(x, y)}, {prod, new(big.Int).Mul(x, y)}} {
						if want := limbsOf(r.want.Mod(r.want, m)); r.got != want {
							t.Fatalf("%s: %v and %v: %v, want %v", c.Name, x, y, r.got, want)
						}
					}
				}
			}
		}
	}
}

func TestSignAndVerify(t *testing.T) {
	for _, c := range Curves() {
		t.Run(c.Name, func(t *testing.T) {
			k, err := GenerateKey(c)
			if err != nil {
				t.Fatal(err)
			}
			msg := []byte("what was agreed")
			sig := k.Sign(msg)
			if !k.PublicKey.Verify(msg, sig) {
				t.Fatal("a good signature is refused")
			}
			if bytes.Equal(sig, k.Sign(msg)) {
				t.Error("two signatures are alike: the fresh randomness is not used")
			}
			refusals(t, k, msg, sig)
		})
	}
}

// refusals tries what is no signature of the message.
func refusals(t *testing.T, k *PrivateKey, msg, sig []byte) {
	c := k.Curve
	half := c.Size
	order := c.q.bytes(&c.q.m)
	with := func(s, r []byte) []byte { return append(bytes.Clone(s), r...) }
	negative := func(raw []byte) []byte {
		v := new(big.Int).Sub(c.q.big, new(big.Int).SetBytes(raw))
		return v.FillBytes(make([]byte, c.Size))
	}
	plus := func(raw []byte) []byte { // the same residue, spelled above q where it fits
		v := new(big.Int).Add(c.q.big, new(big.Int).SetBytes(raw))
		if v.BitLen() > 8*c.Size {
			return order
		}
		return v.FillBytes(make([]byte, c.Size))
	}
	s, r := sig[:half], sig[half:]
	zero := make([]byte, half)
	flipped := bytes.Clone(sig)
	flipped[half/2] ^= 1
	for name, bad := range map[string][]byte{
		"empty": nil, "cut": sig[:2*half-1], "longer": append(bytes.Clone(sig), 0), "a bit flipped": flipped,
		"r and s exchanged": with(r, s), "s is zero": with(zero, r), "r is zero": with(s, zero), "both are zero": with(zero, zero),
		"s is q": with(order, r), "r is q": with(s, order), "s plus q": with(plus(s), r), "r plus q": with(s, plus(r)),
		"s negative": with(negative(s), r), "r negative": with(s, negative(r)), "both negative": with(negative(s), negative(r)),
	} {
		if k.PublicKey.Verify(msg, bad) {
			t.Errorf("%s: accepted", name)
		}
	}
	if k.PublicKey.Verify(append(msg, '!'), sig) {
		t.Error("another message: accepted")
	}
	other, err := GenerateKey(c)
	if err != nil {
		t.Fatal(err)
	}
	if other.PublicKey.Verify(msg, sig) {
		t.Error("another key: accepted")
	}
}

// Points that are no public key: off the curve, of small order, and such with
// a part of small order, on the sets with cofactor four.
func TestPointsThatAreNoKeys(t *testing.T) {
	for _, c := range Curves() {
		t.Run(c.Name, func(t *testing.T) {
			k, err := GenerateKey(c)
			if err != nil {
				t.Fatal(err)
			}
			x, y := k.Coordinates()
			if _, err := NewPublicKey(c, x, y); err != nil {
				t.Fatal(err)
			}
			off := bytes.Clone(y)
			off[c.Size-1] ^= 1
			prime := c.p.bytes(&c.p.m)
			for name, bad := range map[string][2][]byte{
				"off the curve": {x, off}, "exchanged": {y, x}, "x is p": {prime, y}, "y is p": {x, prime}, "short": {x[1:], y}, "zero": {make([]byte, c.Size), make([]byte, c.Size)},
			} {
				if _, err := NewPublicKey(c, bad[0], bad[1]); err == nil {
					t.Errorf("%s: accepted", name)
				}
			}
			if c.cofactor != 4 {
				return
			}
			ref := slow{c}
			two := ref.orderTwo(t)
			px := &[2]*big.Int{new(big.Int).SetBytes(x), new(big.Int).SetBytes(y)}
			for name, bad := range map[string]*[2]*big.Int{"order two": two, "order 2q": ref.add(px, two)} {
				if _, err := NewPublicKey(c, bad[0].FillBytes(make([]byte, c.Size)), bad[1].FillBytes(make([]byte, c.Size))); err == nil {
					t.Errorf("%s: accepted", name)
				}
			}
		})
	}
}

// orderTwo finds the point of order two: q times a point outside the
// subgroup, doubled until its double is neutral.
func (s slow) orderTwo(t *testing.T) *[2]*big.Int {
	m := s.c.p.big
	a, b := s.plain(&s.c.a), s.plain(&s.c.b)
	for i := int64(1); i < 200; i++ {
		x := big.NewInt(i)
		right := new(big.Int).Mul(x, x)
		right.Add(right, a).Mul(right, x).Add(right, b).Mod(right, m)
		y := new(big.Int).ModSqrt(right, m)
		if y == nil {
			continue
		}
		p := s.times(s.c.q.big, &[2]*big.Int{x, y})
		for p != nil {
			double := s.add(p, p)
			if double == nil {
				return p
			}
			p = double
		}
	}
	t.Fatal("no point of order two was found")
	return nil
}

func TestKeyFilesComeBack(t *testing.T) {
	for _, c := range Curves() {
		k, err := GenerateKey(c)
		if err != nil {
			t.Fatal(err)
		}
		der, err := k.MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePrivate(der)
		if err != nil || again.d != k.d || again.x != k.x || again.y != k.y || again.Curve != c {
			t.Errorf("%s: private: %v", c.Name, err)
		}
		if der, err = k.MarshalPublic(); err != nil {
			t.Fatal(err)
		}
		public, err := ParsePublic(der)
		if err != nil || public.x != k.x || public.y != k.y {
			t.Errorf("%s: public: %v", c.Name, err)
		}
		if _, err := ParsePublic(append(der, 0)); err == nil {
			t.Errorf("%s: a byte more is accepted", c.Name)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	bench(b, func(k *PrivateKey, sig []byte) { k.PublicKey.Verify([]byte("m"), sig) })
}
func BenchmarkSign(b *testing.B) { bench(b, func(k *PrivateKey, _ []byte) { k.Sign([]byte("m")) }) }
func BenchmarkParseKey(b *testing.B) {
	bench(b, func(k *PrivateKey, _ []byte) {
		x, y := k.Coordinates()
		if _, err := NewPublicKey(k.Curve, x, y); err != nil {
			b.Fatal(err)
		}
	})
}

func bench(b *testing.B, f func(*PrivateKey, []byte)) {
	for _, c := range Curves() {
		b.Run(c.Name, func(b *testing.B) {
			k, err := GenerateKey(c)
			if err != nil {
				b.Fatal(err)
			}
			sig := k.Sign([]byte("m"))
			for b.Loop() {
				f(k, sig)
			}
		})
	}
}

func FuzzParsePrivate(f *testing.F) {
	for _, c := range Curves()[:2] {
		k, err := GenerateKey(c)
		if err != nil {
			f.Fatal(err)
		}
		private, err := k.MarshalPrivate()
		if err != nil {
			f.Fatal(err)
		}
		public, err := k.MarshalPublic()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(private)
		f.Add(public)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if k, err := ParsePrivate(der); err == nil {
			if again, err := k.MarshalPrivate(); err != nil || len(again) == 0 {
				t.Fatal(err)
			}
			if sig := k.Sign(der); !k.PublicKey.Verify(der, sig) {
				t.Fatal("a key that was read makes signatures that do not verify")
			}
		}
		if k, err := ParsePublic(der); err == nil {
			if again, err := k.MarshalPublic(); err != nil || len(again) == 0 {
				t.Fatal(err)
			}
			k.Verify(der, der)
		}
	})
}
