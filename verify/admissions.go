package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"corridor"
)

// grant is an admission of the bundle as far as it could be read.
type grant struct {
	corridor.Admission
	digest string
	by     []*receipt // of the agreement, that quote it
	holds  bool       // signed, of the party that it is quoted for, and in force
}

func (g *grant) name() string {
	return clip(fmt.Sprintf("admission %d by the authority of %s", g.Number, g.Jurisdiction))
}

// entrant is a party of the agreement, with the name of the digest under which
// receipts quote its admission.
type entrant struct {
	corridor.Participant
	side, digest string
}

func (c *checker) entrants() []entrant {
	b := c.agreed.Body
	return []entrant{{b.Provider, "provider", corridor.DigestProviderAdmission}, {b.Consumer, "consumer", corridor.DigestConsumerAdmission}}
}

// admissions checks each admission that the receipts of the agreement quote:
// that the authority of the party's country has signed it, with a key of the
// compact of the agreement; that it is that party's; and that it was in force
// when the agreement was made.
func (c *checker) admissions() {
	for i, doc := range c.file.Admissions {
		c.admission(fmt.Sprintf("admission[%d]", i), doc)
	}
	if c.agreed != nil {
		c.admissionsHere()
		c.bothAdmitted()
	}
}

func (c *checker) admission(id string, doc corridor.Sealed) {
	raw, err := doc.Encode()
	var g grant
	if err == nil {
		doc, g.Admission, err = corridor.DecodeAdmission(raw)
	}
	c.rep.expect(id+".form", "The admission can be read strictly", err, clip(g.Participant), "what is not understood admits nobody", "")
	if err != nil {
		return
	}
	g.digest = doc.Digest()
	name := g.name()
	party, err := c.admissionQuoted(&g)
	c.rep.expect(id+".quoted", "It is the one that is quoted: "+name, err, g.digest, "an admission that nobody rested on admits nobody here", "")
	if err != nil {
		return
	}
	said := newSaid(c)
	signed := c.admissionSigned(doc, g, said.check)
	said.report(id+".signature", "The authority's signature on "+name, signed, "an authority speaks for its own country, with its own key", "ask the authority whether it signed this")
	ofParty := g.admits(party)
	c.rep.expect(id+".party", "It is about the party that it is quoted for: "+name, ofParty, g.about(), "who is admitted does not admit another", "")
	held := g.held()
	c.rep.expect(id+".in_force", "It was in force when the agreement was made: "+name, held, clip(g.ValidFrom+" to "+g.ValidUntil), "before and after it the authority says nothing", "")
	g.holds = c.revoked(id, &g) && signed == nil && ofParty == nil && held == nil
	c.grants = append(c.grants, g)
}

// admissionQuoted finds whose admission it is, as the receipts of the agreement
// quote it.
func (c *checker) admissionQuoted(g *grant) (entrant, error) {
	var of entrant
	if c.agreed == nil {
		return of, mismatch("the bundle holds no agreement that could rest on it")
	}
	if slices.ContainsFunc(c.grants, func(o grant) bool { return o.digest == g.digest }) {
		return of, mismatch("it is here twice")
	}
	for _, e := range c.entrants() {
		list := c.quotingAdmission(e.digest, g.digest)
		if len(list) > 0 && len(g.by) > 0 {
			return of, mismatch("it is quoted for the provider by %s, and for the consumer by %s", g.by[0].name, list[0].name)
		}
		if len(list) > 0 {
			of, g.by = e, list
		}
	}
	if len(g.by) == 0 {
		return of, mismatch("no receipt of the agreement holds the digest %s", g.digest)
	}
	return of, nil
}

// quotingAdmission lists the receipts of the agreement, and no others about it,
// that quote an admission.
func (c *checker) quotingAdmission(name, digest string) (list []*receipt) {
	for _, r := range c.quoting(name, digest) {
		if r.leaf.Receipt.Type == corridor.ReceiptAgreement {
			list = append(list, r)
		}
	}
	return list
}

// admissionSigned: the authority is a member of the compact that the agreement
// rests on, and has signed with a key that this gives it.
func (c *checker) admissionSigned(doc corridor.Sealed, g grant, check anchorCheck) error {
	i := slices.IndexFunc(c.pacts, c.ofAgreement)
	if i < 0 {
		return mismatch("no compact is here that the agreement names and that could name the authority %s", clip(g.Authority))
	}
	if c.pacts[i].binds != nil {
		return mismatch("%s, which names its authority, does not bind", clip(c.pacts[i].Name()))
	}
	m, err := memberOf(c.pacts[i].Members, g.Authority, g.Jurisdiction)
	if err != nil {
		return err
	}
	return authoritySigned(doc, m, g.Authority, g.Jurisdiction, check)
}

// admits says why an admission is not that of a party, or nil.
func (g *grant) admits(p entrant) error {
	switch {
	case g.Participant != p.DID:
		return mismatch("it admits %q, and is quoted for the %s, %q", clip(g.Participant), p.side, clip(p.DID))
	case g.Jurisdiction != p.Jurisdiction:
		return mismatch("it admits to %s, and the %s is established in %s", clip(g.Jurisdiction), p.side, clip(p.Jurisdiction))
	}
	return nil
}

// about tells for people whom an admission admits, and as what.
func (g *grant) about() string {
	text := fmt.Sprintf("%s (%s), %s", g.Participant, g.Name, g.Jurisdiction)
	if len(g.Traits) > 0 {
		text += ": " + strings.Join(g.Traits, ", ")
	}
	return clip(text)
}

// held says at which receipt an admission was not in force. It allows the
// clocks of the parties their difference.
func (g *grant) held() error {
	for _, r := range g.by {
		t, err := utc(r.leaf.Receipt.Time)
		if err == nil {
			err = g.Holds(t)
		}
		for _, d := range []time.Duration{-slack, slack} {
			if err != nil && !t.IsZero() && g.Holds(t.Add(d)) == nil {
				err = nil
			}
		}
		if err != nil {
			return mismatch("at %s: %v", r.name, err)
		}
	}
	return nil
}

// revoked tells of the orders here that revoke an admission, and says whether
// it could still be rested on: who had logged the order could not. One that
// was given before, and that neither party had heard of, is told.
func (c *checker) revoked(id string, g *grant) bool {
	what := "No order had revoked it: " + g.name()
	stands := true
	for _, o := range c.rulings {
		if o.Act != corridor.OrderRevoke || o.Authority != g.Authority || o.Target.Participant != g.Participant || o.Number <= g.Number || len(o.under) == 0 {
			continue
		}
		if late := c.knewOf(o, g); late != nil {
			c.rep.fail(id+".revoked", what, mismatch("%s rests on it, and its log held %s before", late.name, o.name()), "an admission that is revoked admits nobody", "")
			stands = false
			continue
		}
		when := "after the agreement was made"
		if issued, err := corridor.ParseMoment(o.Issued); err == nil && g.madeAfter(issued) {
			when = "before the agreement was made, by parties who had not logged it"
		}
		c.rep.note(id+".revoked", what, fmt.Sprintf("%s revoked the admission of %s at %s, %s", o.name(), clip(g.Participant), o.Issued, when), "ask the authority what it has ordered about what was done")
	}
	return stands
}

// knewOf finds a receipt that rests on an admission although its own log held
// the order by which it was revoked.
func (c *checker) knewOf(o ruling, g *grant) *receipt {
	for _, told := range c.quoting(corridor.DigestOrder, o.digest) {
		for _, r := range g.by {
			if r.Log == told.Log && r.Index > told.Index {
				return r
			}
		}
	}
	return nil
}

func (g *grant) madeAfter(t time.Time) bool {
	return slices.ContainsFunc(g.by, func(r *receipt) bool {
		made, err := utc(r.leaf.Receipt.Time)
		return err == nil && !made.Before(t)
	})
}

// admissionsHere: the admissions that the receipts of the agreement quote are
// in the bundle.
func (c *checker) admissionsHere() {
	here := digestsOf(c.file.Admissions)
	var missing []string
	quotes := 0
	for _, e := range c.entrants() {
		for _, r := range c.quotingAdmission(e.digest, "") {
			if quotes++; !here[r.leaf.Receipt.Digests[e.digest]] {
				missing = append(missing, r.name)
			}
		}
	}
	const what = "The admissions that are quoted are here"
	switch {
	case len(missing) > 0:
		c.rep.fail("admission.here", what, mismatch("not the one that is quoted by %s", some(missing)), "who rests on an authority's word shows it", "ask the exporter for the file again, unchanged")
	case quotes > 0:
		c.rep.pass("admission.here", what, "%d", len(c.file.Admissions))
	}
}

// bothAdmitted: where the compact of the agreement wants it, each party had an
// admission that holds. Receipts of before they quoted admissions do not say so.
func (c *checker) bothAdmitted() {
	i := slices.IndexFunc(c.pacts, c.ofAgreement)
	if i < 0 || len(c.pacts[i].Credentials) == 0 {
		return
	}
	id, what := c.pacts[i].id+".admitted", "Both parties were admitted by their authorities: "+clip(c.pacts[i].Name())
	provider, consumer := c.quotingAdmission(corridor.DigestProviderAdmission, ""), c.quotingAdmission(corridor.DigestConsumerAdmission, "")
	if len(provider)+len(consumer) == 0 {
		c.rep.note(id, what, "it wants that, and no receipt of the agreement quotes an admission: each node has checked them", "ask the authorities, or look into their feeds")
		return
	}
	var err error
	for _, e := range c.entrants() {
		if !slices.ContainsFunc(c.grants, func(g grant) bool { return g.holds && g.Participant == e.DID }) {
			err = mismatch("no admission of the %s, %s, is here that holds", e.side, clip(e.DID))
		}
	}
	for _, r := range slices.Concat(provider, consumer) {
		if !slices.Contains(provider, r) || !slices.Contains(consumer, r) {
			err = firstOf(err, mismatch("%s quotes the admission of one party only", r.name))
		}
	}
	c.rep.expect(id, what, err, fmt.Sprintf("%d admissions", len(c.grants)), "it wants that of whoever takes part", "ask the authorities, or look into their feeds")
}
