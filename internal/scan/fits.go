package scan

import "math"

// share is a part of all values, 0 to 1.
func (c *column) share(n int64) float64 {
	if c.values == 0 {
		return 0
	}
	return math.Min(1, float64(n)/float64(c.values))
}

// between maps x from lo..hi to 0..1.
func between(x, lo, hi float64) float64 {
	return math.Max(0, math.Min(1, (x-lo)/(hi-lo)))
}

// effective is the number of independent values that evidence may count.
func (c *column) effective() float64 {
	return math.Min(float64(c.values), float64(c.distinct.count()))
}

// nameForm is the share of values written as names of people are.
func (c *column) nameForm() float64 { return c.share(c.namesHan + c.named.scaled(c.names)) }

// nameHint is how far the values themselves say that they are people's names.
func (c *column) nameHint() float64 {
	han := between(c.share(c.surnamesHan), 0.45, 0.75) * 0.85
	full := between(c.share(c.named.scaled(c.patronymics)), 0.15, 0.5) * 0.95
	family := between(c.share(c.named.scaled(c.surnames)), 0.5, 0.9) * 0.5
	known := between(c.share(c.named.scaled(c.given)), 0.15, 0.5) * 0.75
	return math.Max(math.Max(han, full), math.Max(family, known)) * between(c.effective(), 2, 12)
}

// fitsName: a header that says name is contradicted by digits, and supported
// by capitalised words and by what only names have.
func (c *column) fitsName() float64 {
	plain := c.share(c.letters - c.withDigits)
	return plain * (0.5 + 0.3*c.nameForm() + 0.4*c.nameHint())
}

func (c *column) fitsBirth() float64 {
	return c.share(c.birthLike) * between(c.effective(), 0, 3)
}

// fitsText: words, in any alphabet; an address has digits among them.
func (c *column) fitsText() float64 { return 0.2 + 0.8*c.share(c.letters) }

// fitsFew: a small set of codes or words. Dates and fractions are not.
func (c *column) fitsFew() float64 {
	if c.effective() > 1000 || c.distinct.count() > 300 {
		return 0.3
	}
	return c.share(c.letters + c.bools + c.ints)
}

func (c *column) fitsAge() float64 {
	if c.low < 0 || c.high > 125 || c.ints+c.decimals < c.values {
		return 0.1
	}
	return 1
}

// fitsDocument: letters and digits, five to twenty of them.
func (c *column) fitsDocument() float64 {
	long := c.documents + c.longDigits()
	if c.maxLen >= 5 && c.maxLen <= 40 && c.effective() > 2 {
		return math.Max(c.share(long), 0.8*c.share(c.ints))
	}
	return c.share(long) * 0.5
}

// fitsINN: an INN of ten digits is an organisation's.
func (c *column) fitsINN() float64 { return c.share(c.tallies[numINNPerson].tested) }

// fitsKey: an internal number or code, many different ones.
func (c *column) fitsKey() float64 {
	if c.decimals > 0 || c.dates > 0 || c.distinct.count() < 3 {
		return 0.3
	}
	return 1
}

func (c *column) fitsPhone() float64 {
	return c.share(c.phonePlus + c.phoneLocal + c.phoneDigits)
}

func (c *column) fitsEmail() float64 { return c.share(c.email.pass) }
func (c *column) fitsIP() float64    { return c.share(c.ips) + c.share(c.letters)*0.5 }

func (c *column) fitsCard() float64 {
	return math.Max(c.share(c.tallies[numCard].pass), 0.8*c.share(c.tallies[numCard].tested))
}

func (c *column) fitsLatitude() float64  { return c.share(c.inLat) }
func (c *column) fitsLongitude() float64 { return c.share(c.inLon) }

// fitsRule is the share of values that pass a rule, or could be tested by it.
func fitsRule(k num) func(*column) float64 {
	return func(c *column) float64 {
		t := &c.tallies[k]
		if t.looked == 0 {
			return 0
		}
		return c.share(int64(t.candidates())) * math.Max(float64(t.pass)/float64(max(1, t.tested)), 0.6)
	}
}

// fitsCNIC: thirteen digits, in groups or in one.
func (c *column) fitsCNIC() float64 {
	return math.Max(fitsRule(numCNIC)(c), c.share(c.lengths[13]))
}

// fitsNine: nine digits.
func (c *column) fitsNine() float64 { return c.share(c.lengths[9]) * between(c.effective(), 1, 4) }

// fitsFIN: seven letters and digits, both among them.
func (c *column) fitsFIN() float64 { return c.share(c.sevens) * between(c.effective(), 1, 4) }

// fitsVehicle: seventeen characters of a vehicle identification number.
func (c *column) fitsVehicle() float64 {
	return math.Max(c.share(c.tallies[numVIN].tested), 0.6*c.fitsDocument())
}

// fitsPlaces: a geometry, a pair of numbers or a code of a place.
func (c *column) fitsPlaces() float64 {
	numbers := 0.0
	if c.decimals > 0 {
		numbers = 0.95 * c.share(min(c.inLon, c.ints+c.decimals))
	}
	return math.Max(math.Max(c.share(c.points+c.pairs+c.gridCodes), 0.3), numbers)
}

// longDigits counts values of eleven to twenty-four digits.
func (c *column) longDigits() (n int64) {
	for _, k := range c.lengths[11:] {
		n += k
	}
	return n
}
