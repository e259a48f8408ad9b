package scan

import (
	"math"
	"slices"
)

// found is one identifier recognised in a column, before it is put into words.
type found struct {
	kind       *kind
	confidence float64
	why        phrase
}

// phrase is a reason in words, in a language chosen later.
type phrase struct {
	key  string
	args []any
}

// judge weighs what a column's counters say.
type judge struct {
	lex *lexicon
	out []found
}

// findings gives what a column holds, surest first.
func (l *lexicon) findings(c *column) []found {
	if c.values == 0 {
		return nil
	}
	j := &judge{lex: l}
	j.byCheckDigit(c)
	j.byForm(c)
	j.byTrait(c)
	j.byName(c)
	j.byHeader(c)
	j.insideText(c)
	j.byAge(c)
	j.settleDocuments(c)
	slices.SortStableFunc(j.out, func(a, b found) int {
		switch {
		case a.confidence > b.confidence:
			return -1
		case a.confidence < b.confidence:
			return 1
		}
		return 0
	})
	return j.out
}

// settleDocuments leaves the general word document out where the kind of
// number is known.
func (j *judge) settleDocuments(c *column) {
	known := slices.ContainsFunc(j.out, func(f found) bool {
		_, numbered := c.env.registry.byID[f.kind.id]
		return f.confidence >= 0.6 && f.kind.id != "identity_document" && (f.kind.part == idPart || numbered)
	})
	if known {
		j.out = slices.DeleteFunc(j.out, func(f found) bool { return f.kind.id == "identity_document" && f.why.key == "header" })
	}
}

// leastShown hides findings that are hardly more than nothing.
const leastShown = 0.25

// add keeps the stronger of two findings of one kind.
func (j *judge) add(id string, confidence float64, key string, args ...any) {
	if confidence < leastShown || math.IsNaN(confidence) {
		return
	}
	confidence = math.Min(confidence, 0.999)
	f := found{kind: j.lex.kind(id), confidence: confidence, why: phrase{key, args}}
	for i := range j.out {
		if j.out[i].kind.id == id {
			if j.out[i].confidence < confidence {
				j.out[i] = f
			}
			return
		}
	}
	j.out = append(j.out, f)
}

// kind finds a kind by id.
func (l *lexicon) kind(id string) *kind {
	if i, ok := l.index[id]; ok && i >= 0 {
		return &l.kinds[i]
	}
	return &kind{id: id}
}

func (c *column) hinted(ids ...string) bool {
	for _, h := range c.hints {
		if slices.Contains(ids, h.id) {
			return true
		}
	}
	return false
}

// byCheckDigit compares how many values pass with how many would by chance.
func (j *judge) byCheckDigit(c *column) {
	explainer := c.explainer()
	for k := range numCount {
		t, r := &c.tallies[k], &c.env.registry.rules[k]
		tested, pass := c.beside(k, explainer)
		named := c.hinted(r.id)
		if pass == 0 || r.weak && !named {
			continue
		}
		prior := r.priorOf(named)
		if r.person && !named && c.hinted("identity_document") {
			prior = 0.1
		}
		n := c.effective() * c.share(int64(t.candidates()*tested/float64(t.tested)))
		confidence := beyondChance(n, pass/tested, r.chance, prior, named)
		of := c.values
		if t.skipped > 0 {
			of = t.looked
		}
		j.add(r.id, confidence, "check", t.pass, of, label(r.id))
	}
}

// priorOf is how likely a column is to be this, before its values are seen.
func (r *rule) priorOf(named bool) float64 {
	switch {
	case named:
		return 0.7
	case r.prior > 0:
		return r.prior
	}
	return 0.02
}

// beyondChance is the probability that values which pass a check digit at
// rate q do so because they are what the check says. n is the number of
// independent values, chance the rate of random digits. Two things must hold:
// the rate is unlikely by chance (a likelihood ratio with a prior from the
// header), and it is well above chance, since numbers made by rule, such as
// round ones, stray a little from it at any n.
func beyondChance(n, q, chance, prior float64, named bool) float64 {
	if n < 0.5 || q <= chance {
		return 0
	}
	ratio := q * math.Log(q/chance)
	if q < 1 {
		ratio += (1 - q) * math.Log((1-q)/(1-chance))
	}
	lo, hi := 0.12, 0.3
	if named {
		lo, hi = 0.02, 0.1
	}
	odds := prior / (1 - prior) * math.Exp(math.Min(n*ratio-0.5*math.Log(n+1), 60))
	excess := (q - chance) / (1 - chance)
	return odds / (1 + odds) * between(excess, lo, hi)
}

// byForm recognises what has a form of its own.
func (j *judge) byForm(c *column) {
	if s := c.share(c.email.pass); c.email.pass > 0 {
		j.add("email", between(float64(c.email.pass), 0, 2)*(0.7+0.299*s), "form", c.email.pass, c.values, label("email"))
	}
	if c.phonePlus > 0 {
		j.add("phone", between(c.effective()*c.share(c.phonePlus), 0, 4)*(0.6+0.35*c.share(c.phonePlus)), "form", c.phonePlus, c.values, label("phone"))
	}
	if n := c.phoneLocal; n > 0 {
		spread := between(float64(c.prefixSpread()), 2, 6)
		j.add("phone", between(c.share(n), 0.5, 0.95)*0.75*spread*between(c.effective(), 4, 20), "form", n, c.values, label("phone"))
	}
	if c.ips > 0 {
		j.add("ip_address", between(c.share(c.ips), 0.3, 0.9)*0.75*between(c.effective(), 0, 4), "form", c.ips, c.values, label("ip_address"))
	}
	if c.icd > 0 && c.effective() >= 5 && c.share(c.icd) > 0.75 && c.dottedICD() {
		j.add("health", 0.65, "form", c.icd, c.values, label("icd"))
	}
	if c.points > 0 {
		j.add("coordinates", 0.6+0.35*c.share(c.points), "form", c.points, c.values, label("coordinates"))
	}
	if n := c.pairs + c.gridCodes; n > 0 {
		j.add("coordinates", between(c.share(n), 0.2, 0.8)*0.9*between(c.effective(), 0, 4), "form", n, c.values, label("coordinates"))
	}
	if t := &c.addresses; t.pass > 0 {
		rate := float64(t.pass) / float64(t.looked)
		seen := c.share(t.looked + t.skipped)
		j.add("postal_address", between(rate*seen, 0.25, 0.7)*0.88*between(c.effective(), 2, 8), "form", int64(rate*seen*float64(c.values)), c.values, label("postal_address"))
	}
}

// dottedICD asks for codes with and without a point, such as A00 and A00.1:
// three characters alone are also shelf or zone numbers.
func (c *column) dottedICD() bool { return float64(c.icd-c.icdShort) >= 0.1*float64(c.icd) }

// byName recognises names by surnames, patronymics and given names.
func (j *judge) byName(c *column) {
	hint := c.nameHint()
	if slices.Contains(j.lex.headers.find(headerWords(c.name)), notPeople) {
		hint *= 0.5
	}
	switch {
	case c.patronymics > 0:
		j.add("person_name", hint, "patronymic", c.named.scaled(c.patronymics), c.values)
	case c.surnamesHan > 0:
		j.add("person_name", hint, "surname_han", c.surnamesHan, c.values)
	default:
		j.add("person_name", hint, "given", c.named.scaled(max(c.surnames, c.given)), c.values)
	}
}

// byHeader takes the header's word, as far as the values do not contradict.
func (j *judge) byHeader(c *column) {
	for _, h := range c.hints {
		fit := 1.0
		if h.fits != nil {
			fit = h.fits(c)
		}
		confidence := h.strength * math.Min(1, fit)
		if h.fits != nil && fit > 0.9 && h.strength > 0.7 {
			confidence = math.Min(0.98, confidence+0.08)
		}
		j.add(h.id, confidence, "header", int(math.Round(100*math.Min(1, fit))), label(h.id))
	}
}

// insideText reports identifiers that hide in longer texts.
func (j *judge) insideText(c *column) {
	e := &c.inText
	for _, t := range []struct {
		id     string
		t      tally
		chance float64
	}{{"cn_resident_id", e.cnID, chanceCN}, {"kz_iin", e.iin, chanceIIN}, {"payment_card", e.card, chanceLuhn}} {
		if t.t.pass > 0 {
			n := math.Min(float64(t.t.tested), c.effective())
			j.add(t.id, beyondChance(n, float64(t.t.pass)/float64(t.t.tested), t.chance, 0.02, false), "inside", t.t.pass, label(t.id))
		}
	}
	if e.email.pass > 0 {
		j.add("email", between(float64(e.email.pass), 0, 3)*0.9, "inside", e.email.pass, label("email"))
	}
	if e.phone.pass > 0 {
		j.add("phone", between(float64(e.phone.pass), 2, 10)*0.7, "inside", e.phone.pass, label("phone"))
	}
}

// byAge looks for people younger than 14 among dates of birth.
func (j *judge) byAge(c *column) {
	birth := 0.0
	for _, f := range j.out {
		if f.kind.id == "birth_date" {
			birth = f.confidence
		}
	}
	if c.under14 > 0 && birth > 0.5 {
		j.add("child", birth*between(float64(c.under14), 0, 2), "children", c.under14, c.env.under14)
	}
	if c.lead == numCount {
		return
	}
	id, young := 0.0, c.tallies[c.lead].under14
	for _, f := range j.out {
		if f.kind.id == c.env.registry.rules[c.lead].id {
			id = f.confidence
		}
	}
	if young > 0 && id > 0.5 {
		j.add("child", id*between(float64(young), 0, 3)*between(c.share(young), 0, 0.002), "children", young, c.env.under14)
	}
}

// prefixSpread counts the different beginnings of local phone numbers.
func (c *column) prefixSpread() (n int) {
	for _, w := range c.prefixes {
		for ; w != 0; w &= w - 1 {
			n++
		}
	}
	return n
}
