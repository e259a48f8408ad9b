package scan

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// Positions on the earth: two decimal numbers, degrees with minutes and
// seconds, codes of grids, and geometries. Every form also says how exactly
// it places something, because some laws begin at a precision.

// metresPerDegree of latitude; a degree of longitude is at most as much.
const metresPerDegree = 111_320

// precise notes that a position was written to within so many metres.
func (c *column) precise(metres float64) {
	if c.finest == 0 || metres < c.finest {
		c.finest = metres
	}
}

// reach widens the box around all positions of a column.
func (c *column) reach(lat, lon float64) {
	if c.box == nil {
		c.box = &box{lat, lon, lat, lon}
		return
	}
	c.box.south, c.box.north = math.Min(c.box.south, lat), math.Max(c.box.north, lat)
	c.box.west, c.box.east = math.Min(c.box.west, lon), math.Max(c.box.east, lon)
}

type box struct{ south, west, north, east float64 }

// pair reads "43.2389, 76.8897" and the ISO 6709 form "+43.2389+076.8897/".
func (c *column) pair(v []byte) bool {
	if len(v) < 7 || len(v) > 64 {
		return false
	}
	v = bytes.Trim(v, "[]()/ ")
	cut := bytes.IndexAny(v, ",; ")
	skip := 1
	if cut < 0 && len(v) > 1 && (v[0] == '+' || v[0] == '-') {
		cut, skip = bytes.LastIndexAny(v, "+-"), 0
	}
	if cut < 3 {
		return false
	}
	lat, d1, ok1 := degreesOf(v[:cut])
	lon, d2, ok2 := degreesOf(bytes.TrimLeft(v[cut+skip:], " ,"))
	if !ok1 || !ok2 || d1 < 3 || d2 < 3 {
		return false
	}
	if math.Abs(lat) > 90 && math.Abs(lon) <= 90 { // longitude first
		lat, lon = lon, lat
	}
	if math.Abs(lat) > 90 || math.Abs(lon) > 180 {
		return false
	}
	c.pairs++
	c.precise(metresPerDegree * math.Pow10(-max(d1, d2)))
	c.reach(lat, lon)
	return true
}

// degreesOf reads a signed decimal and says how many digits follow its point.
func degreesOf(v []byte) (x float64, digits int, ok bool) {
	v = bytes.TrimSpace(v)
	dot := bytes.IndexByte(v, '.')
	if dot < 0 || len(v) > 24 || v[0] != '-' && v[0] != '+' && (v[0] < '0' || v[0] > '9') || !digitsOnly(v[dot+1:]) {
		return 0, 0, false
	}
	x, err := strconv.ParseFloat(string(v), 64)
	return x, len(v) - dot - 1, err == nil
}

// degrees reads notations with degree signs or hemispheres in any of our
// languages: 43°14'20"N 76°53'23"E, 43°14′20″ с.ш., 北纬43°14′.
func (c *column) degrees(v []byte) bool {
	if len(v) > 120 {
		return false
	}
	signs := bytes.Count(v, []byte("°")) + bytes.Count(v, []byte("º"))
	hemispheres := 0
	for _, h := range [...]string{"с.ш", "ю.ш", "в.д", "з.д", "北纬", "南纬", "东经", "西经", "شمال", "جنوب", "شرق", "غرب", "उत्तर", "पूर्व"} {
		hemispheres += bytes.Count(v, []byte(h))
	}
	for i, b := range v {
		if oneOf(b, "NSEW") && (i == 0 || v[i-1] < 'A') && (i+1 == len(v) || v[i+1] < 'A') {
			hemispheres++
		}
	}
	if signs == 0 || signs == 1 && hemispheres == 0 && !bytes.ContainsAny(v, "'′") {
		return false
	}
	c.pairs++
	switch seconds := bytes.ContainsAny(v, "\"″”"); {
	case seconds && bytes.IndexByte(v, '.') > 0:
		c.precise(metresPerDegree / 36000)
	case seconds:
		c.precise(metresPerDegree / 3600)
	default:
		c.precise(metresPerDegree / 60)
	}
	return true
}

// geometry reads well-known text, with or without SRID, and GeoJSON.
func (c *column) geometry(v []byte) bool {
	head := v[:min(len(v), 64)]
	if i := bytes.IndexByte(head, ';'); i > 0 && bytes.HasPrefix(head, []byte("SRID=")) {
		head = head[i+1:]
	}
	ok := false
	for _, word := range [...]string{"POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"} {
		if rest, found := bytes.CutPrefix(head, []byte(word)); found && len(rest) > 1 && (rest[0] == '(' || rest[0] == ' ') && bytes.IndexByte(rest, '(') >= 0 {
			ok = true
		}
	}
	if !ok && v[0] == '{' {
		ok = bytes.Contains(v, []byte(`"coordinates"`)) && bytes.Contains(v, []byte(`"type"`))
	}
	if !ok {
		return false
	}
	c.points++
	c.precise(metresPerDegree * math.Pow10(-decimalsIn(v)))
	return true
}

// decimalsIn is the longest run of digits behind a point, at most nine.
func decimalsIn(v []byte) (most int) {
	for i, b := range v {
		if b == '.' {
			most = max(most, digitRun(v[i+1:]))
		}
	}
	return min(most, 9)
}

// gridCode reads open location codes (8FVC9G8F+6X) and MGRS (43TDG1234567890).
func (c *column) gridCode(v []byte) bool {
	const olc = "23456789CFGHJMPQRVWX"
	if plus := bytes.IndexByte(v, '+'); plus == 8 && len(v) >= 11 && len(v) <= 15 {
		for i, b := range v {
			if i != plus && !oneOf(b, olc) {
				return false
			}
		}
		c.gridCodes++
		c.precise(14)
		return true
	}
	var buf [24]byte
	if len(v) > 20 {
		return false
	}
	p := upper(buf[:0], v)
	zone := digitRun(p)
	if zone < 1 || zone > 2 || len(p) < zone+5 || (len(p)-zone-3)%2 != 0 || number(p[:zone]) > 60 || number(p[:zone]) < 1 {
		return false
	}
	if !lettersOnly(p[zone:zone+3]) || !digitsOnly(p[zone+3:]) || p[zone] < 'C' || p[zone] > 'X' {
		return false
	}
	if half := (len(p) - zone - 3) / 2; half <= 5 && half >= 2 {
		c.gridCodes++
		c.precise(math.Pow10(5 - half))
		return true
	}
	return false
}

// Extent says where the positions of a file lie and how exactly: whole
// degrees around all of them, so that no position can be read from it.
type Extent struct {
	South     float64  `json:"south"`
	West      float64  `json:"west"`
	North     float64  `json:"north"`
	East      float64  `json:"east"`
	Known     bool     `json:"known"`     // the box is known; some notations only say how exact they are
	Precision float64  `json:"precision"` // metres, of the finest position
	Columns   []string `json:"columns"`
}

// extent joins what the columns of positions say.
func (t *table) extent(all [][]found) *Extent {
	var e *Extent
	var b *box
	lat, lon := (*column)(nil), (*column)(nil)
	for i, c := range t.cols {
		for _, f := range all[i] {
			if f.confidence < t.opts.Threshold || !strings.Contains(f.kind.classes, "geospatial") {
				continue
			}
			if e == nil {
				e = &Extent{}
			}
			e.Columns = append(e.Columns, c.name)
			if c.finest == 0 && c.decimals > 0 {
				c.precise(metresPerDegree * math.Pow10(-c.fraction))
			}
			if c.finest > 0 && (e.Precision == 0 || c.finest < e.Precision) {
				e.Precision = c.finest
			}
			b = b.join(c.box)
			switch f.kind.id {
			case "latitude":
				lat = c
			case "longitude":
				lon = c
			}
			break
		}
	}
	if lat != nil && lon != nil && lat.low <= lat.high && lon.low <= lon.high {
		b = b.join(&box{lat.low, lon.low, lat.high, lon.high})
	}
	if e != nil && b != nil {
		e.South, e.West, e.North, e.East, e.Known = math.Floor(b.south), math.Floor(b.west), math.Ceil(b.north), math.Ceil(b.east), true
	}
	return e
}

func (b *box) join(o *box) *box {
	switch {
	case b == nil:
		return o
	case o == nil:
		return b
	}
	return &box{math.Min(b.south, o.south), math.Min(b.west, o.west), math.Max(b.north, o.north), math.Max(b.east, o.east)}
}
