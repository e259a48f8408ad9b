package scan

import (
	"bytes"
	"strings"
)

// Traits of bodies: genetic sequences and variants, templates and vectors of
// faces, fingers and voices, pictures.

// traits counts such values in one column.
type traits struct {
	sequences int64 // twenty bases or more
	variants  int64 // rs numbers
	genotypes int64 // pairs of bases or of allele numbers
	hgvs      int64 // variants in the nomenclature of HGVS
	templates int64 // ISO/IEC 19794 records in base64 or hexadecimal
	vectors   int64 // 64 numbers or more
	usual     int64 // of them as long as face and voice encoders make
	images    int64 // JPEG or PNG in base64
}

// bases says whether v is a sequence of nucleotides, N for unknown ones.
func bases(v []byte) bool {
	n := 0
	for _, c := range v {
		switch c | 0x20 {
		case 'a', 'c', 'g', 't', 'u':
		case 'n':
			n++
		default:
			return false
		}
	}
	return len(v) >= 20 && n*2 < len(v)
}

// variant reads rs numbers of dbSNP.
func variant(v []byte) bool {
	return len(v) >= 5 && len(v) <= 14 && v[0] == 'r' && v[1] == 's' && digitsOnly(v[2:])
}

// genotype reads two bases or two allele numbers, divided or not.
func genotype(v []byte) bool {
	switch len(v) {
	case 2:
		return base(v[0]) && base(v[1])
	case 3:
		if v[1] != '/' && v[1] != '|' && v[1] != ';' {
			return false
		}
		return base(v[0]) && base(v[2]) || v[0] >= '0' && v[0] <= '3' && v[2] >= '0' && v[2] <= '3'
	}
	return false
}

func base(c byte) bool { return c == 'A' || c == 'C' || c == 'G' || c == 'T' }

// hgvs reads variants such as NM_000059.3:c.5946delT and c.76A>T.
func hgvs(v []byte) bool {
	if len(v) < 5 || len(v) > 80 {
		return false
	}
	if i := bytes.IndexByte(v, ':'); i > 0 {
		v = v[i+1:]
	}
	if len(v) < 5 || v[1] != '.' || !oneOf(v[0], "cgmnpr") {
		return false
	}
	rest := v[2:]
	if v[0] == 'p' {
		return digitRun(bytes.TrimLeft(rest, "(ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) > 0
	}
	if digitRun(rest) == 0 {
		return false
	}
	return bytes.IndexByte(rest, '>') > 0 || bytes.Contains(rest, []byte("del")) || bytes.Contains(rest, []byte("dup")) || bytes.Contains(rest, []byte("ins"))
}

// vectorLength counts the numbers of a list; zero if it is none.
func vectorLength(v []byte) (n int) {
	v = bytes.Trim(v, "[](){} \"")
	digits := false
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9':
			digits = true
		case c == ',' || c == ';' || c == ' ' || c == '\n':
			if digits {
				n++
			}
			digits = false
		case c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E':
		default:
			return 0
		}
	}
	if digits {
		n++
	}
	return n
}

// templateMagic is how ISO/IEC 19794 records begin, the way base64 and
// hexadecimal show it: fingers (FMR, FIR), faces (FAC), irises (IIR).
const templateMagic = "Rk1SAC RklSAD RkFDAD SUlSAD 464D5200 46495200 46414300 49495200 464d5200"

// body counts v among the traits; false if it is none of them.
func (c *column) body(v []byte) bool {
	t := &c.traits
	switch {
	case len(v) < 2:
		return false
	case len(v) <= 3 && genotype(v):
		t.genotypes++
		return true
	case variant(v):
		t.variants++
		return true
	case hgvs(v):
		t.hgvs++
		return true
	case len(v) >= 20 && bases(v):
		t.sequences++
		return true
	case len(v) >= 64:
		return c.long(v)
	}
	return false
}

func (c *column) long(v []byte) bool {
	t := &c.traits
	for m := range strings.FieldsSeq(templateMagic) {
		if bytes.HasPrefix(v, []byte(m)) {
			t.templates++
			return true
		}
	}
	if bytes.HasPrefix(v, []byte("/9j/")) || bytes.HasPrefix(v, []byte("iVBORw0KGgo")) || bytes.HasPrefix(v, []byte("data:image/")) {
		t.images++
		return true
	}
	if n := vectorLength(v); n >= 64 {
		t.vectors++
		switch n {
		case 128, 192, 256, 512:
			t.usual++
		}
		return true
	}
	return false
}

// byTrait reports traits of bodies.
func (j *judge) byTrait(c *column) {
	t := &c.traits
	several := between(c.effective(), 0, 4)
	if n := t.sequences; n > 0 {
		j.add("genetic", between(c.share(n), 0.3, 0.9)*0.85*several, "form", n, c.values, label("dna"))
	}
	if n := t.hgvs; n > 0 {
		j.add("genetic", between(c.share(n), 0.2, 0.8)*0.8*several, "form", n, c.values, label("hgvs"))
	}
	if n := t.variants; n > 0 {
		j.add("genetic", between(c.share(n), 0.5, 0.95)*0.5, "form", n, c.values, label("rsid"))
	}
	if n := t.templates; n > 0 {
		j.add("biometric", between(float64(n), 0, 3)*0.97, "form", n, c.values, label("template"))
	}
	if n := t.usual; n > 0 {
		j.add("biometric", c.share(n)*0.5, "form", n, c.values, label("vector"))
	}
	if n := t.images; n > 0 {
		j.add("photo", between(c.share(n), 0.3, 0.9)*0.5, "form", n, c.values, label("image"))
	}
	if n := c.zones.pass; n > 0 {
		j.add("machine_zone", between(float64(n), 0, 3)*(0.7+0.29*c.share(n)), "form", n, c.values, label("machine_zone"))
	}
}
