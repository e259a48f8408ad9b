package verify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"corridor"
)

// pact is a compact of the bundle as far as it could be read.
type pact struct {
	corridor.Compact
	id     string // of its checks
	doc    corridor.Sealed
	digest string
	binds  error // nil: all members have signed it
}

// compacts checks each compact that the agreement or its receipts quote: that
// all members have signed it, that it opens this corridor and opened it when
// data began to move, and that what is quoted is here.
func (c *checker) compacts() {
	for i, doc := range c.file.Compacts {
		c.compact(fmt.Sprintf("compact[%d]", i), doc)
	}
	if c.agreed != nil {
		c.compactHere()
		c.startsUnder()
	}
}

func (c *checker) compact(id string, doc corridor.Sealed) {
	p := pact{id: id, doc: doc}
	raw, err := doc.Encode()
	if err == nil {
		p.doc, p.Compact, err = corridor.DecodeCompact(raw)
	}
	c.rep.expect(id+".form", "The compact can be read strictly", err, clip(p.ID), "what is not understood cannot bind", "")
	if err != nil {
		return
	}
	p.digest = p.doc.Digest()
	name := clip(p.Name())
	said := newSaid(c)
	p.binds = compactSigned(p.doc, p.Compact, said.check)
	said.report(id+".signatures", "All members have signed "+name, p.binds, "a compact binds when all its members have signed the same text", "get it from a member, and compare its digest with what the authorities publish")
	quoted := c.compactQuoted(p)
	c.rep.expect(id+".quoted", "It is the one that is quoted: "+name, quoted, p.digest, "a compact that nobody rested on opens nothing here", "")
	if quoted != nil {
		return
	}
	c.pacts = append(c.pacts, p)
	c.rep.note(id+".authorities", "The authorities' keys are known: "+name, "they are those that the compact names: "+p.digest,
		"compare the digest with what the authorities publish")
	c.compactOpens(id, name, p)
}

// said collects by which keys something was signed, and which of them are in a
// suite that is not verified here.
type said struct {
	c            *checker
	signed, over []string
}

func newSaid(c *checker) *said { return &said{c: c} }

// check is the anchorCheck of this reader.
func (s *said) check(m corridor.Authority, body []byte, sig corridor.Signature) error {
	key, err := anchorKey(m, sig)
	if err != nil {
		return err
	}
	by := m.Jurisdiction + " (" + key.Suite + ")"
	if s.c.skips(key.Suite) {
		s.over = append(s.over, by)
		return National{Signature: sig, Key: key}.Named()
	}
	s.signed = append(s.signed, by)
	return key.VerifySignature(body, sig)
}

func (s *said) report(id, what string, err error, why, fix string) {
	if err == nil && len(s.over) > 0 {
		s.c.rep.note(id, what, "not verified here: "+strings.Join(s.over, ", "), "verify it where these suites are verified")
		return
	}
	s.c.rep.expect(id, what, err, strings.Join(s.signed, ", "), why, fix)
}

// quote is what a receipt holds: the name of a digest, and the digest, or "" for
// any.
type quote struct{ name, digest string }

// about lists the receipts about the agreement that hold a digest of a name.
func (c *checker) about(name string) []*receipt { return c.quoting(name, "") }

// quoting lists those that hold one digest. They are looked up: a bundle may
// hold as many receipts as orders that are asked about.
func (c *checker) quoting(name, digest string) []*receipt {
	if c.quoted == nil {
		c.quoted = map[quote][]*receipt{}
		for i := range c.list {
			r := &c.list[i]
			if c.agreed == nil || r.leaf.Receipt.Agreement != c.agreed.Body.ID {
				continue
			}
			for name, digest := range r.leaf.Receipt.Digests {
				if digest != "" {
					c.quoted[quote{name, digest}] = append(c.quoted[quote{name, digest}], r)
					c.quoted[quote{name, ""}] = append(c.quoted[quote{name, ""}], r)
				}
			}
		}
	}
	return c.quoted[quote{name, digest}]
}

// digestsOf are those of documents.
func digestsOf(docs []corridor.Sealed) map[string]bool {
	out := make(map[string]bool, len(docs))
	for _, d := range docs {
		out[d.Digest()] = true
	}
	return out
}

// ofAgreement says whether a compact is the one that the agreement names.
func (c *checker) ofAgreement(p pact) bool {
	return c.agreed.Body.Compact != nil && c.agreed.Body.Compact.Digest == p.digest
}

func (c *checker) compactQuoted(p pact) error {
	if c.agreed == nil {
		return mismatch("the bundle holds no agreement that could rest on it")
	}
	if slices.ContainsFunc(c.pacts, func(o pact) bool { return o.digest == p.digest }) {
		return mismatch("it is here twice")
	}
	if c.ofAgreement(p) {
		if ref := c.agreed.Body.Compact; ref.ID != p.ID || ref.Version != p.Version {
			return mismatch("the agreement calls it compact %s, version %d", clip(ref.ID), ref.Version)
		}
		return nil
	}
	if len(c.quoting(corridor.DigestCompact, p.digest)) == 0 {
		return mismatch("neither the agreement nor a receipt about it holds the digest %s", p.digest)
	}
	return nil
}

// restsOn lists the receipts of what was done under a compact: of the
// agreement, where that names it, and of each start that does.
func (c *checker) restsOn(p pact) (list []*receipt) {
	for i := range c.list {
		in := c.list[i].leaf.Receipt
		if in.Agreement != c.agreed.Body.ID {
			continue
		}
		if in.Type == corridor.ReceiptAgreement && c.ofAgreement(p) || in.Type == corridor.ReceiptTransferStarted && in.Digests[corridor.DigestCompact] == p.digest {
			list = append(list, &c.list[i])
		}
	}
	return list
}

// compactOpens checks what was done under a compact against what it says. One
// that is here only because it names the authority of an order opens nothing.
func (c *checker) compactOpens(id, name string, p pact) {
	done := c.restsOn(p)
	first := c.ofAgreement(p)
	if !first {
		c.follows(id, name, p)
	}
	if !first && len(done) == 0 {
		return
	}
	x := c.crossing()
	detail, err := c.article(p, x)
	direction := x
	direction.Classes = nil
	if opened, closed := c.article(p, direction); err != nil && closed == nil && !first {
		c.rep.note(id+".opens", "It opens this corridor: "+name, fmt.Sprintf("%s opens the direction, and the data was agreed on as: %v", opened, x.Classes), "ask the exporter whether the data was published anew")
		err = nil
	} else {
		c.rep.expect(id+".opens", "It opens this corridor: "+name, err, detail, "both countries are members, and an article opens the direction for this data", "")
	}
	if err == nil && !x.ClassesKnown && !p.opensAll(x) {
		c.rep.note(id+".classes", "The classes of the data are those that it opens: "+name, "what classes of data there are is not shown here; the parties signed that they are covered", "ask for a bundle that opens the facts")
	}
	c.rep.expect(id+".in_force", "It was in force: "+name, c.inForce(p, done), clip(p.ValidFrom+" to "+p.ValidUntil), "what was done before or after it rests on nothing", "")
	if p.Liveness == corridor.LivenessCosigned {
		c.waited(id+".liveness", name, p)
	}
	if !first {
		return
	}
	c.rep.expect(id+".packs", "The law was asked in the editions that it wants: "+name, c.compactPacks(p), fmt.Sprintf("%d named", len(p.Packs)), "the members agreed on the text of the law too", "")
	if p.Witnesses != "" {
		var err error
		if c.agreed.Body.Witnesses != p.Witnesses {
			err = mismatch("it wants the witness policy %s, the agreement names %q", p.Witnesses, clip(c.agreed.Body.Witnesses))
		}
		c.rep.expect(id+".witnesses", "The witnesses are those that it wants: "+name, err, p.Witnesses, "the members agreed on who watches the logs", "")
	}
}

// opensAll says whether an article opens a direction for all classes.
func (p *pact) opensAll(x corridor.Crossing) bool {
	return slices.ContainsFunc(p.Opens, func(o corridor.Opened) bool {
		return o.From == x.From && o.To == x.To && slices.Contains(o.Classes, corridor.Any)
	})
}

// article says by which article a compact opens a crossing. The agreement
// names one; a start rests on any. Classes that are not shown count as opened,
// those that are known to be there do not.
func (c *checker) article(p pact, x corridor.Crossing) (string, error) {
	if !p.Governs(x) {
		return "", mismatch("%s and %s are not both members of it", clip(x.From), clip(x.To))
	}
	x.ClassesKnown = true
	if !c.ofAgreement(p) {
		art, err := p.Article(x)
		return "art. " + clip(art), err
	}
	named := c.agreed.Body.Compact.Article
	i := slices.IndexFunc(p.Opens, func(o corridor.Opened) bool { return o.Article == named })
	if i < 0 {
		return "", mismatch("it has no article %q, which the agreement names", clip(named))
	}
	o := p.Opens[i]
	if o.From != x.From || o.To != x.To {
		return "", mismatch("art. %s opens %s to %s, and the data goes from %s to %s", clip(named), o.From, o.To, clip(x.From), clip(x.To))
	}
	for _, class := range x.Classes {
		if !slices.Contains(o.Classes, class) && !slices.Contains(o.Classes, corridor.Any) {
			return "", mismatch("art. %s does not open %s", clip(named), clip(class))
		}
	}
	return fmt.Sprintf("art. %s: %s to %s", clip(named), o.From, o.To), nil
}

// crossing is the flow of the agreement. Its classes are known if the bundle
// opens the facts of a decision that is agreed on: what else an exporter puts
// into a bundle says nothing about the data.
func (c *checker) crossing() corridor.Crossing {
	if c.flow == nil {
		x := c.openedCrossing()
		c.flow = &x
	}
	x := *c.flow
	x.Classes = slices.Clone(x.Classes)
	return x
}

func (c *checker) openedCrossing() corridor.Crossing {
	b := c.agreed.Body
	x := corridor.Crossing{From: b.Provider.Jurisdiction, To: b.Consumer.Jurisdiction, Exporter: b.Provider.DID, Importer: b.Consumer.DID, Dataset: b.Dataset}
	for _, r := range c.list {
		bound := r.leaf.Receipt.Commitments["flow"]
		if bound == "" || !slices.ContainsFunc(c.stated, func(s statement) bool { return s.agreed && s.Facts == bound }) {
			continue
		}
		for _, o := range r.Openings {
			salt, err1 := unb64(o.Salt)
			value, err2 := unb64(o.Value)
			var flow corridor.Flow
			if o.Name != "flow" || err1 != nil || err2 != nil || len(salt) > 255 || corridor.Commit(salt, value) != bound || json.Unmarshal(value, &flow) != nil {
				continue
			}
			classes, known := corridor.ClassesOf(flow.Facts)
			x.ClassesKnown = x.ClassesKnown || known
			x.Classes = append(x.Classes, classes...) // those that are there in any case
		}
	}
	slices.Sort(x.Classes)
	x.Classes = slices.Compact(x.Classes)
	return x
}

func (c *checker) inForce(p pact, done []*receipt) error {
	if len(done) == 0 {
		return mismatch("no receipt says when it was rested on")
	}
	for _, r := range done {
		t, err := utc(r.leaf.Receipt.Time)
		if err == nil {
			err = aroundThen(p, t)
		}
		if err != nil {
			return mismatch("at %s: %v", r.name, err)
		}
	}
	return nil
}

// aroundThen allows the clocks of the parties their difference.
func aroundThen(p pact, t time.Time) error {
	err := p.InForce(t)
	for _, d := range []time.Duration{-slack, slack} {
		if err != nil && p.InForce(t.Add(d)) == nil {
			return nil
		}
	}
	return err
}

// compactPacks: a decision made with another edition of the law than the
// compact names is refused by it, or the agreement flags it.
func (c *checker) compactPacks(p pact) error {
	for _, s := range c.stated {
		pack := s.Decision.Pack
		want := p.Packs[pack.ID]
		if want == "" || want == pack.Digest {
			continue
		}
		flagged := slices.ContainsFunc(c.agreed.Body.Compact.Flags, func(f string) bool { return strings.Contains(f, pack.Digest) && strings.Contains(f, want) })
		if p.OtherPacks != corridor.PacksFlag || pack.Digest == "" || !flagged {
			return mismatch("the law of %s was asked in %s, and the compact names %s", clip(s.Decision.Jurisdiction), clip(pack.Digest), want)
		}
	}
	return nil
}

// follows says whether the authorities of another compact than the agreement's
// are the same: each member of both has signed it with a key of the agreement's.
func (c *checker) follows(id, name string, p pact) {
	i := slices.IndexFunc(c.pacts, c.ofAgreement)
	if i < 0 {
		return
	}
	var others []string
	for _, m := range c.pacts[i].Members {
		if _, both := p.Member(m.Jurisdiction); both && !Succeeds(p.doc, p.Compact, m) {
			others = append(others, m.Jurisdiction)
		}
	}
	what := "Its authorities are those of the compact of the agreement: " + name
	if len(others) > 0 {
		c.rep.note(id+".follows", what, "it is not signed with the keys that the agreement's compact names for: "+strings.Join(others, ", "), "ask the authorities for the versions between")
		return
	}
	c.rep.pass(id+".follows", what, "signed with the same keys")
}

// startsUnder: the provider lets nothing begin under an agreement that names a
// compact without saying on which it rests. Receipts of before they quoted
// compacts do not say so, nor does one of a node that held none then.
func (c *checker) startsUnder() {
	if c.agreed.Body.Compact == nil {
		return
	}
	var silent, outside []string
	at := slices.IndexFunc(c.pacts, c.ofAgreement)
	quotes := slices.ContainsFunc(c.about(corridor.DigestCompact), func(r *receipt) bool { return r.leaf.Receipt.Type == corridor.ReceiptAgreement })
	for i := range c.list {
		r := &c.list[i]
		in := r.leaf.Receipt
		if in.Type != corridor.ReceiptTransferStarted || in.Agreement != c.agreed.Body.ID || in.Issuer != c.agreed.Body.Provider.DID || in.Digests[corridor.DigestCompact] != "" {
			continue
		}
		silent = append(silent, r.name)
		if at >= 0 && quotes && c.inForce(c.pacts[at], []*receipt{r}) != nil {
			outside = append(outside, r.name)
		}
	}
	const what = "Each start says on which compact it rests"
	switch {
	case len(outside) > 0:
		c.rep.fail("compact.starts", what, mismatch("not %s, when the compact of the agreement was not in force", some(outside)), "what was done before or after it rests on nothing", "")
	case len(silent) > 0:
		c.rep.note("compact.starts", what, "not "+some(silent), "ask the provider under which compact it sent the data")
	}
}

// compactHere: the compacts that are quoted are in the bundle, and the receipts
// of the agreement quote the one that it names.
func (c *checker) compactHere() {
	ref := c.agreed.Body.Compact
	var missing, other []string
	here := digestsOf(c.file.Compacts)
	for _, r := range c.about(corridor.DigestCompact) {
		digest := r.leaf.Receipt.Digests[corridor.DigestCompact]
		if r.leaf.Receipt.Type == corridor.ReceiptAgreement && (ref == nil || ref.Digest != digest) {
			other = append(other, r.name)
		}
		if !here[digest] {
			missing = append(missing, r.name)
		}
	}
	if len(other) > 0 {
		c.rep.fail("agreement.compact", "The receipts of the agreement quote the compact that it names", mismatch("another one: %s", some(other)), "both parties rest on one compact", "")
	}
	const what = "The compacts that are quoted are here"
	why, fix := "that a corridor was opened rests on what the authorities signed", "ask the exporter for the file again, unchanged"
	switch {
	case len(missing) > 0:
		c.rep.fail("compact.here", what, mismatch("not the one that is quoted by %s", some(missing)), why, fix)
	case ref != nil && !here[ref.Digest]:
		c.rep.note("compact.here", what, fmt.Sprintf("compact %s, version %d is not: that it opens this corridor rests on the word of those who signed the agreement", clip(ref.ID), ref.Version), "ask for the compact with the digest "+clip(ref.Digest))
	case ref != nil || len(c.file.Compacts) > 0:
		c.rep.pass("compact.here", what, "%d", len(c.file.Compacts))
	}
}

// some names the first of many.
func some(names []string) string { return strings.Join(names[:min(len(names), 10)], ", ") }
