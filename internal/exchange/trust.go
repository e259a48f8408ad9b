package exchange

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"corridor"
)

// Trust between countries is partial: by compact, by direction, by class of
// data. This file answers one question, may a flow cross now, from what this
// node holds of compacts, orders and stops. It is asked at the catalogue, in
// each negotiation, at each start, and for each request of a stream.

// trust is what this node holds. It never changes once made.
type trust struct {
	compacts []compact
	members  map[string]corridor.Authority // by DID, of all compacts
	orders   map[string][]order            // by authority, by number
	feeds    map[string]feed               // by authority
	stops    []Stop
	version  int64
}

type compact struct {
	corridor.Compact
	digest string
	doc    []byte
}

type order struct {
	corridor.Order
	digest string
	doc    []byte
	signer string // key
	under  string // digest of the compact with whose keys it was checked; "": not kept
}

// signedOrder is an order whose one signature was checked.
func signedOrder(s corridor.Sealed, o corridor.Order, doc []byte) order {
	return order{Order: o, digest: s.Digest(), doc: doc, signer: s.Signatures[0].Key}
}

type feed struct {
	corridor.Feed
	digest     string
	admissions map[string]admission // the latest, by participant
}

type admission struct {
	corridor.Admission
	sealed corridor.Sealed
}

// empty says that the law alone decides.
func (t *trust) empty() bool { return len(t.compacts)+len(t.stops)+len(t.orders) == 0 }

// inEffect lists the orders that suspend or revoke at a time. An authority's
// order stays when the compact is withdrawn under which it was taken: only an
// order lifts it.
func (t *trust) inEffect(at time.Time) (list []order) {
	for _, authority := range slices.Sorted(maps.Keys(t.orders)) {
		orders := t.orders[authority]
		lifted := map[int64]bool{}
		for _, o := range orders {
			if o.Act == corridor.OrderLift {
				lifted[o.Lifts] = true
			}
		}
		for _, o := range orders {
			switch {
			case o.Act == corridor.OrderSuspend && !lifted[o.Number] && !o.Ended(at):
				list = append(list, o)
			case o.Act == corridor.OrderRevoke && t.admitted(o.Jurisdiction, o.Target.Participant).Number < o.Number:
				list = append(list, o)
			}
		}
	}
	return list
}

// authorities lists the members of all compacts in the order of their DIDs.
func (t *trust) authorities() (list []corridor.Authority) {
	for _, m := range t.members {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b corridor.Authority) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// approvers lists the members of the compacts in force at a time: whoever may
// let something go ahead.
func (t *trust) approvers(at time.Time) (list []corridor.Authority) {
	for _, m := range t.authorities() {
		if slices.ContainsFunc(t.compacts, func(c compact) bool {
			have, member := c.Member(m.Jurisdiction)
			return member && have.ID == m.ID && c.InForce(at) == nil
		}) {
			list = append(list, m)
		}
	}
	return list
}

// admitted gives the latest admission of a participant by the authority of a
// jurisdiction; the zero admission if there is none.
func (t *trust) admitted(jurisdiction, participant string) admission {
	for id, m := range t.members {
		if m.Jurisdiction == jurisdiction {
			return t.feeds[id].admissions[participant]
		}
	}
	return admission{}
}

// Passage is what a flow rests on that may cross.
type Passage struct {
	Compact *corridor.CompactRef // nil: the law alone decides
	packs   map[string]string    // that the compact wants
	other   string               // what happens to other packs
	live    string               // the grade of liveness that it wants
}

// permits says under which compact a crossing may take place at a time, or why
// it may not. What is stopped is refused first, whatever compact there is.
func (t *trust) permits(x corridor.Crossing, at time.Time, witnesses string, required bool) (Passage, error) {
	if err := t.stopped(x, at); err != nil {
		return Passage{}, err
	}
	var refused error
	for _, c := range t.compacts {
		if !c.Governs(x) {
			continue
		}
		article, err := t.opens(c, x, at, witnesses)
		if err == nil {
			return Passage{Compact: &corridor.CompactRef{ID: c.ID, Version: c.Version, Digest: c.digest, Article: article}, packs: c.Packs, other: c.OtherPacks, live: c.Liveness}, nil
		}
		refused = orElse(refused, err)
	}
	if refused == nil && required {
		refused = &corridor.Error{Kind: corridor.RefusedByLaw, Msg: fmt.Sprintf("no compact opens a corridor from %s to %s, and this node wants one (require_compact)", x.From, x.To),
			Fix: "adopt a compact between the two countries: corridor compacts adopt"}
	}
	return Passage{}, refused
}

// stopped says which order, which silence of an authority or which other stop
// keeps a crossing from taking place, or nil.
func (t *trust) stopped(x corridor.Crossing, at time.Time) error {
	for _, o := range t.inEffect(at) {
		if o.Touches(x) && t.reaches(o.Compact, x) {
			what := "suspended"
			if o.Act == corridor.OrderRevoke {
				what = "the admission of " + o.Target.Participant + " is revoked"
			}
			return t.refusal(o, what)
		}
	}
	for _, m := range t.authorities() {
		if m.Feed == "" || x.From != m.Jurisdiction && x.To != m.Jurisdiction {
			continue
		}
		f, known := t.feeds[m.ID]
		if !known {
			return &corridor.Error{Kind: corridor.RefusedByLaw, Where: m.Feed, Msg: "the orders of the authority of " + m.Jurisdiction + " have never been fetched", Why: "what may be suspended is taken to be", Fix: "let the node reach the authority's feed"}
		}
		if err := f.Fresh(at); err != nil {
			return err
		}
	}
	for _, s := range t.stops {
		if s.Target.Covers(x) && (s.Jurisdiction == "" || x.From == s.Jurisdiction || x.To == s.Jurisdiction) {
			return s.refusal()
		}
	}
	return nil
}

// reaches says whether an order under one compact is about a crossing. A
// compact that is not known here may govern it.
func (t *trust) reaches(id string, x corridor.Crossing) bool {
	for _, c := range t.compacts {
		if c.ID == id {
			return c.Governs(x)
		}
	}
	return true
}

// opens gives the article of a compact that a crossing rests on.
func (t *trust) opens(c compact, x corridor.Crossing, at time.Time, witnesses string) (string, error) {
	if err := c.InForce(at); err != nil {
		return "", err
	}
	article, err := c.Article(x)
	if err != nil {
		return "", err
	}
	if c.Witnesses != "" && c.Witnesses != witnesses {
		return "", &corridor.Error{Kind: corridor.RefusedByLaw, Where: "witness_policy", Msg: "this node does not use the witness policy of the compact", Why: c.Name() + ", witnesses " + c.Witnesses,
			Fix: "set witness_policy to the file with that digest"}
	}
	if len(c.Credentials) == 0 {
		return article, nil
	}
	for _, p := range []struct{ did, jurisdiction string }{{x.Exporter, x.From}, {x.Importer, x.To}} {
		a := t.admitted(p.jurisdiction, p.did)
		if a.Number == 0 {
			return "", &corridor.Error{Kind: corridor.RefusedByLaw, Where: p.did, Msg: "is not admitted by the authority of " + p.jurisdiction, Why: c.Name() + " wants of each participant: " + strings.Join(c.Credentials, ", "),
				Fix: "that authority admits it: corridor authority admit"}
		}
		if err := a.Holds(at); err != nil {
			return "", err
		}
	}
	return article, nil
}

// checkPacks holds the packs of decisions against those of the compact, and
// gives what is to be flagged.
func (p *Passage) checkPacks(decisions ...corridor.Decision) error {
	if p.Compact == nil {
		return nil
	}
	for _, d := range decisions {
		want := p.packs[d.Pack.ID]
		if want == "" || want == d.Pack.Digest {
			continue
		}
		what := fmt.Sprintf("the law of %s was asked in another edition (%s %s, %s) than that of the compact (%s)", d.Jurisdiction, d.Pack.ID, d.Pack.Version, d.Pack.Digest, want)
		if p.other != corridor.PacksFlag {
			return &corridor.Error{Kind: corridor.RefusedByLaw, Where: "packs", Msg: what, Why: fmt.Sprintf("compact %s, version %d, packs", p.Compact.ID, p.Compact.Version),
				Fix: "install the edition that the compact names, or let the members adopt a new version of the compact"}
		}
		if !slices.Contains(p.Compact.Flags, what) {
			p.Compact.Flags = append(p.Compact.Flags, what)
		}
	}
	return nil
}

// tag names what bears on crossings at a time, apart from what they are.
func (t *trust) tag(at time.Time) string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, c := range t.compacts {
		add("compact %s %t", c.digest, c.InForce(at) == nil)
	}
	for _, o := range t.inEffect(at) {
		add("order %s", o.digest)
	}
	for _, m := range t.authorities() {
		f, known := t.feeds[m.ID]
		add("feed %s %t", m.ID, known && f.Fresh(at) == nil)
		for _, a := range f.admissions {
			add("admission %s %d %t", m.ID, a.Number, a.Holds(at) == nil)
		}
	}
	for _, s := range t.stops {
		add("stop %s", s.ID)
	}
	if len(lines) == 0 {
		return ""
	}
	slices.Sort(lines)
	return corridor.Digest([]byte(strings.Join(lines, "\n")))
}

// next is the moment at which the tag may change by itself; zero: there is none.
func (t *trust) next(at time.Time) (first time.Time) {
	look := func(moments ...string) {
		for _, text := range moments {
			m, err := corridor.ParseMoment(text)
			if err == nil && m.After(at) && (first.IsZero() || m.Before(first)) {
				first = m
			}
		}
	}
	for _, c := range t.compacts {
		look(c.ValidFrom, c.ValidUntil)
	}
	for _, o := range t.inEffect(at) {
		look(o.Until)
	}
	for _, f := range t.feeds {
		look(f.NextUpdate)
		for _, a := range f.admissions {
			look(a.ValidFrom, a.ValidUntil)
		}
	}
	return first
}
