package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"corridor"
)

// ruled is a bundle of an agreement under a compact of China and Kazakhstan,
// which an order of China stopped and a second one let go on. A test changes
// what is written before it is signed.
type ruled struct {
	cnBody, kzBody *party
	compact        corridor.Compact
	signers        []*party // of the compact
	stop, lift     corridor.Order
	stopper        *party // signs stop
	lifter         *party // signs lift
	begin          func(*scene)
	agree          func(*corridor.Agreement)
	facts          string // the opened flow
	beside         bool   // a decision beside the agreement names them, its own do not
	tell           func(*story)
	file           func(*File)
}

func authorityOf(t testing.TB, p *party, country string) corridor.Authority {
	t.Helper()
	jwk, err := json.Marshal(p.key.JWK)
	if err == nil {
		jwk, err = corridor.Canonicalize(jwk)
	}
	if err != nil {
		t.Fatal(err)
	}
	return corridor.Authority{ID: p.did, Jurisdiction: country, Name: "Authority of " + country, Anchors: []corridor.Anchor{{ID: p.key.ID, JWK: jwk}}}
}

func sealedBy(t testing.TB, body any, by ...*party) corridor.Sealed {
	t.Helper()
	doc, err := corridor.Seal(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range by {
		doc.Signatures = append(doc.Signatures, p.signed(t, body))
	}
	return doc
}

func newRuled(t testing.TB) *ruled {
	r := &ruled{cnBody: newParty(t, "authority.cn.example", SM2), kzBody: newParty(t, "authority.kz.example", GOST256)}
	r.compact = corridor.Compact{Type: corridor.TypeCompact, ID: "steppe-trade", Version: 1, Title: "Trade", Issued: "2026-11-01T00:00:00Z", ValidFrom: "2026-11-01T00:00:00Z", ValidUntil: "2027-11-01T00:00:00Z",
		Members:     []corridor.Authority{authorityOf(t, r.cnBody, "CN"), authorityOf(t, r.kzBody, "KZ")},
		Opens:       []corridor.Opened{{Article: "3.1", From: "CN", To: "KZ", Classes: []string{"non_personal"}}, {Article: "3.2", From: "KZ", To: "CN", Classes: []string{corridor.Any}}},
		Credentials: []string{}, Packs: map[string]string{}, OtherPacks: corridor.PacksRefuse}
	r.signers = []*party{r.cnBody, r.kzBody}
	r.stop = corridor.Order{Type: corridor.TypeOrder, Authority: r.cnBody.did, Jurisdiction: "CN", Number: 3, Act: corridor.OrderSuspend, Target: corridor.Target{Dataset: "flights"},
		Issued: "2026-11-24T05:11:00Z", Reference: "17/2026", Reason: "an inquiry"}
	r.lift = corridor.Order{Type: corridor.TypeOrder, Authority: r.cnBody.did, Jurisdiction: "CN", Number: 4, Act: corridor.OrderLift, Lifts: 3, Issued: "2026-11-24T05:18:00Z", Reference: "18/2026", Reason: "closed"}
	r.stopper, r.lifter, r.facts = r.cnBody, r.cnBody, `{"data_classes":["non_personal"]}`
	return r
}

// quoting is a receipt of cn that quotes an order or a compact.
func quoting(kind, at string, digests map[string]string) corridor.Receipt {
	return corridor.Receipt{Type: kind, Time: at, Digests: digests}
}

// forge lets an order be signed with a key of a compact of the same authorities
// with other keys, which the receipt that quotes the order quotes too.
func (r *ruled) forge(t testing.TB, signer **party, at int) {
	t.Helper()
	cn, kz, forged := newParty(t, "authority.cn.example", Ed25519), newParty(t, "authority.kz.example", Ed25519), r.compact
	forged.ID, forged.Members = "made-up", []corridor.Authority{authorityOf(t, cn, "CN"), authorityOf(t, kz, "KZ")}
	doc := sealedBy(t, forged, cn, kz)
	*signer = cn
	r.tell = func(st *story) { st.between[at].Digests[corridor.DigestCompact] = doc.Digest() }
	r.file = func(f *File) { f.Compacts = append(f.Compacts, doc) }
}

func (r *ruled) bytes(t testing.TB) []byte {
	t.Helper()
	s := newScene(t)
	if r.begin != nil {
		r.begin(s)
	}
	compact := sealedBy(t, r.compact, r.signers...)
	stop, lift := sealedBy(t, r.stop, r.stopper), sealedBy(t, r.lift, r.lifter)
	salt, flow := []byte("salt"), []byte(`{"date":"2026-11-24","destination":"KZ","facts":`+r.facts+`,"origin":"CN"}`)
	bound := corridor.Commit(salt, flow)
	facts := bound
	if r.beside {
		facts = corridor.Commit([]byte("other"), flow)
	}
	s.agree(t, func(a *corridor.Agreement) {
		a.Compact = &corridor.CompactRef{ID: r.compact.ID, Version: r.compact.Version, Digest: compact.Digest(), Article: "3.1"}
		a.Decisions[0] = s.decision(t, s.cn, func(d *corridor.DecisionStatement) {
			d.Decision.Side, d.Facts, d.Decision.Pack = corridor.Export, facts, corridor.PackRef{ID: "cn", Version: "1", Digest: corridor.Digest([]byte("pack"))}
		})
		if r.agree != nil {
			r.agree(a)
		}
	})
	s.build(t, func(st *story) {
		st.decided.Commitments, st.decided.Decision = map[string]string{"flow": bound}, nil
		for i := range st.agreed {
			st.agreed[i].Digests[corridor.DigestCompact] = compact.Digest()
		}
		st.between = []corridor.Receipt{
			quoting(corridor.ReceiptTransferStarted, "2026-11-24T05:10:30Z", map[string]string{corridor.DigestCompact: compact.Digest()}),
			quoting(corridor.ReceiptAgreementSuspended, "2026-11-24T05:12:00Z", map[string]string{corridor.DigestOrder: stop.Digest(), corridor.DigestCompact: compact.Digest()}),
			quoting(corridor.ReceiptAgreementResumed, "2026-11-24T05:19:00Z", map[string]string{corridor.DigestOrder: lift.Digest(), corridor.DigestCompact: compact.Digest()}),
		}
		if r.tell != nil {
			r.tell(st)
		}
	})
	if r.beside {
		s.file.Decisions = append(s.file.Decisions, s.decision(t, s.cn, func(d *corridor.DecisionStatement) { d.Decision.Side, d.Facts = corridor.Export, bound }))
	}
	s.file.Receipts[0].Openings = []Opening{NewOpening("flow", salt, flow)}
	s.file.Compacts, s.file.Orders = []corridor.Sealed{compact}, []corridor.Sealed{stop, lift}
	if r.file != nil {
		r.file(&s.file)
	}
	return s.bytes(t)
}

func TestABundleShowsTheCompactAndTheOrdersOfItsAgreement(t *testing.T) {
	raw := newRuled(t).bytes(t)
	rep := Bundle(raw, Options{})
	if !rep.OK {
		t.Fatalf("%s: %+v", rep.Summary, rep.Failed())
	}
	for id, detail := range map[string]string{"compact[0].signatures": "CN (SM2), KZ (GOST-2012-256)", "compact[0].opens": "art. 3.1: CN to KZ", "compact[0].in_force": "2026-11-01", "compact.here": "1",
		"order[0].signature": "CN (SM2)", "order[0].flow": "dataset flights", "order[0].kept": "", "order[1].lifts": "order 3", "order.here": "2"} {
		if !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == id && c.OK && !c.Note && strings.Contains(c.Detail, detail) }) {
			t.Errorf("%s does not say %q: %+v", id, detail, rep.Checks)
		}
	}
	for _, c := range rep.Checks {
		if q := c.Question(); q.ZH == "" || q.RU == "" {
			t.Errorf("%s is asked in English only", c.ID)
		}
	}
	if !noted(rep, "compact[0].authorities") || noted(rep, "compact[0].classes") {
		t.Error("where the authorities' keys come from is not noted, or known classes are")
	}
	rep = Bundle(raw, Options{Without: []string{SM2, GOST256}})
	for _, id := range []string{"compact[0].signatures", "order[0].signature", "order[1].signature"} {
		if !noted(rep, id) {
			t.Errorf("%s: what is not verified here is not noted: %+v", id, rep.Failed())
		}
	}
}

func noted(rep *Report, id string) bool {
	return slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == id && c.OK && c.Note })
}

// Of before they were in bundles: the agreement alone quotes the compact.
func TestABundleWithoutTheCompactThatTheAgreementNamesSaysSo(t *testing.T) {
	r := newRuled(t)
	r.tell = func(st *story) {
		for i := range st.agreed {
			delete(st.agreed[i].Digests, corridor.DigestCompact)
		}
		st.between = []corridor.Receipt{quoting(corridor.ReceiptAgreementSuspended, "2026-11-24T05:12:00Z", nil), quoting(corridor.ReceiptAgreementResumed, "2026-11-24T05:19:00Z", nil)}
	}
	r.file = func(f *File) { f.Compacts, f.Orders = nil, nil }
	rep := Bundle(r.bytes(t), Options{})
	if !rep.OK || !noted(rep, "compact.here") || slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == "order.here" }) {
		t.Errorf("%s %+v", rep.Summary, rep.Failed())
	}
	rep = Bundle(newScene(t).bytes(t), Options{})
	if slices.ContainsFunc(rep.Checks, func(c Check) bool { return strings.HasPrefix(c.ID, "compact") || strings.HasPrefix(c.ID, "order") }) {
		t.Error("an agreement that the law alone decided is asked for a compact")
	}
}

func TestABundleWithACompactThatDoesNotOpenItsCorridorDoesNotHold(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*ruled)
		want   string
	}{
		{"a missing signature", func(r *ruled) { r.signers = r.signers[:1] }, "compact[0].signatures"},
		{"a signature of a stranger", func(r *ruled) { r.signers = append(r.signers, newParty(t, "x", Ed25519)) }, "compact[0].signatures"},
		{"another key under an authority's name", func(r *ruled) { r.signers[1] = newParty(t, "authority.kz.example", GOST256) }, "compact[0].signatures"},
		{"a member added after signing", func(r *ruled) {
			more := r.compact
			more.Members = append(slices.Clone(more.Members), authorityOf(t, newParty(t, "authority.ru.example", GOST256), "RU"))
			r.file = func(f *File) { f.Compacts[0].Body = sealedBy(t, more).Body }
		}, "compact[0].signatures"},
		{"a word changed after signing", func(r *ruled) {
			more := r.compact
			more.Title = "Another"
			r.file = func(f *File) { f.Compacts[0].Body = sealedBy(t, more).Body }
		}, "compact[0].quoted"},
		{"no compact", func(r *ruled) { r.file = func(f *File) { f.Compacts = nil } }, "compact.here"},
		{"the same twice", func(r *ruled) { r.file = func(f *File) { f.Compacts = append(f.Compacts, f.Compacts[0]) } }, "compact[1].quoted"},
		{"a body that is none", func(r *ruled) { r.file = func(f *File) { f.Compacts[0].Body = json.RawMessage(`{"type":"x"}`) } }, "compact[0].form"},
		{"another version in the agreement", func(r *ruled) { r.agree = func(a *corridor.Agreement) { a.Compact.Version = 2 } }, "compact[0].quoted"},
		{"members of other countries", func(r *ruled) {
			r.compact.Members[1].Jurisdiction = "RU"
			r.compact.Opens = []corridor.Opened{{Article: "3.1", From: "CN", To: "RU", Classes: []string{corridor.Any}}}
		}, "compact[0].opens"},
		{"an article that is not there", func(r *ruled) { r.agree = func(a *corridor.Agreement) { a.Compact.Article = "9" } }, "compact[0].opens"},
		{"an article of the other direction", func(r *ruled) { r.agree = func(a *corridor.Agreement) { a.Compact.Article = "3.2" } }, "compact[0].opens"},
		{"another class of data", func(r *ruled) { r.facts = `{"data_classes":["non_personal","health"]}` }, "compact[0].opens"},
		{"a class that is among others which are not known", func(r *ruled) { r.facts = `{"data_classes":{"has":["health"],"lacks":[]}}` }, "compact[0].opens"},
		{"a start after its end that quotes none", func(r *ruled) {
			r.compact.ValidUntil = "2026-11-24T05:11:00Z"
			r.tell = func(st *story) {
				st.between = append(st.between, quoting(corridor.ReceiptTransferStarted, "2026-11-24T05:19:30Z", nil))
			}
		}, "compact.starts"},
		{"a compact that had ended", func(r *ruled) { r.compact.ValidUntil = "2026-11-23T00:00:00Z" }, "compact[0].in_force"},
		{"a compact that had not begun", func(r *ruled) { r.compact.ValidFrom = "2026-11-25T00:00:00Z" }, "compact[0].in_force"},
		{"a start after its end", func(r *ruled) { r.compact.ValidUntil = "2026-11-24T05:11:00Z"; r.tell = lateStart }, "compact[0].in_force"},
		{"another edition of the law", func(r *ruled) { r.compact.Packs["cn"] = corridor.Digest(nil) }, "compact[0].packs"},
		{"another edition that nobody flagged", func(r *ruled) {
			r.compact.Packs["cn"], r.compact.OtherPacks = corridor.Digest(nil), corridor.PacksFlag
		}, "compact[0].packs"},
		{"other witnesses", func(r *ruled) { r.compact.Witnesses = corridor.Digest(nil) }, "compact[0].witnesses"},
		{"receipts of the agreement that quote another", func(r *ruled) {
			r.tell = func(st *story) { st.agreed[1].Digests[corridor.DigestCompact] = corridor.Digest(nil) }
		}, "agreement.compact"},
		{"an agreement that names none", func(r *ruled) { r.agree = func(a *corridor.Agreement) { a.Compact = nil } }, "agreement.compact"},
	} {
		r := newRuled(t)
		c.change(r)
		if rep := Bundle(r.bytes(t), Options{}); rep.OK || !slices.Contains(failing(rep), c.want) {
			t.Errorf("%s: %s %v, not %s", c.what, rep.Summary, failing(rep), c.want)
		}
	}
}

// lateStart lets a second transfer begin after the lift.
func lateStart(st *story) {
	st.between = append(st.between, quoting(corridor.ReceiptTransferStarted, "2026-11-24T05:19:30Z", st.between[0].Digests))
}

func TestABundleWithAnOrderThatDidNotStopItDoesNotHold(t *testing.T) {
	again := func(st *story) {
		stopped := st.between[1]
		stopped.Time = "2026-11-24T05:19:30Z"
		st.between = append(st.between, stopped)
	}
	for _, c := range []struct {
		what   string
		change func(*ruled)
		want   string
	}{
		{"a signature of another", func(r *ruled) { r.stopper = r.kzBody }, "order[0].signature"},
		{"another key under the authority's name", func(r *ruled) { r.stopper = newParty(t, "authority.cn.example", SM2) }, "order[0].signature"},
		{"no signature", func(r *ruled) { r.file = func(f *File) { f.Orders[0].Signatures = nil } }, "order[0].signature"},
		{"two signatures", func(r *ruled) {
			r.file = func(f *File) { f.Orders[0].Signatures = append(f.Orders[0].Signatures, f.Orders[1].Signatures[0]) }
		}, "order[0].signature"},
		{"an authority that speaks for another country", func(r *ruled) { r.stop.Jurisdiction = "KZ" }, "order[0].signature"},
		{"an authority of no compact", func(r *ruled) {
			r.stopper = newParty(t, "authority.ru.example", GOST256)
			r.stop.Authority, r.stop.Jurisdiction = r.stopper.did, "RU"
		}, "order[0].signature"},
		{"an order of a compact that does not bind", func(r *ruled) { r.signers = r.signers[:1] }, "order[0].signature"},
		{"an order with a key of a compact that the exporter made", func(r *ruled) { r.forge(t, &r.stopper, 1) }, "order[0].signature"},
		{"a lift with a key of a compact that the exporter made", func(r *ruled) { r.forge(t, &r.lifter, 2) }, "order[1].signature"},
		{"a lift with such a key, of an agreement that names no compact", func(r *ruled) {
			r.agree = func(a *corridor.Agreement) { a.Compact = nil }
			r.forge(t, &r.lifter, 2)
			forged := r.tell
			r.tell = func(st *story) {
				for i := range st.agreed {
					delete(st.agreed[i].Digests, corridor.DigestCompact)
				}
				forged(st)
			}
		}, "order[1].lifts"},
		{"an order for another country", func(r *ruled) {
			r.stopper = newParty(t, "authority.ru.example", GOST256)
			r.compact.Members = append(r.compact.Members, authorityOf(t, r.stopper, "RU"))
			r.signers = append(r.signers, r.stopper)
			r.stop.Authority, r.stop.Jurisdiction, r.stop.Target = r.stopper.did, "RU", corridor.Target{}
		}, "order[0].flow"},
		{"an order for another dataset", func(r *ruled) { r.stop.Target.Dataset = "ships" }, "order[0].flow"},
		{"an order about another participant", func(r *ruled) { r.stop.Target = corridor.Target{Participant: "did:web:x"} }, "order[0].flow"},
		{"an order for the other direction", func(r *ruled) { r.stop.Target = corridor.Target{From: "KZ", To: "CN"} }, "order[0].flow"},
		{"a body that is none", func(r *ruled) { r.file = func(f *File) { f.Orders[0].Body = json.RawMessage(`{"type":"x"}`) } }, "order[0].form"},
		{"a reason changed after signing", func(r *ruled) {
			r.file = func(f *File) {
				o := r.stop
				o.Reason = "another"
				f.Orders[0].Body = sealedBy(t, o).Body
			}
		}, "order[0].quoted"},
		{"an order that nobody followed", func(r *ruled) { r.tell = func(st *story) { st.between = st.between[:1] } }, "order[0].quoted"},
		{"the same twice", func(r *ruled) { r.file = func(f *File) { f.Orders = append(f.Orders, f.Orders[0]) } }, "order[2].quoted"},
		{"a lift that stops", func(r *ruled) { r.tell = func(st *story) { st.between[2].Type = corridor.ReceiptAgreementSuspended } }, "order[1].quoted"},
		{"no order", func(r *ruled) { r.file = func(f *File) { f.Orders = f.Orders[1:] } }, "order.here"},
		{"no lift", func(r *ruled) { r.file = func(f *File) { f.Orders = f.Orders[:1] } }, "order[0].kept"},
		{"a lift by another authority", func(r *ruled) {
			r.lift.Authority, r.lift.Jurisdiction, r.lifter = r.kzBody.did, "KZ", r.kzBody
		}, "order[1].lifts"},
		{"a lift of another order", func(r *ruled) { r.lift.Lifts = 2 }, "order[1].lifts"},
		{"two orders with one number", func(r *ruled) { r.lift.Number, r.lift.Lifts = 3, 2 }, "order[1].number"},
		{"an old order, shown again after its lift", func(r *ruled) { r.tell = again }, "order[0].number"},
		{"an order of later", func(r *ruled) { r.stop.Issued = "2026-11-24T05:30:00Z" }, "order[0].time"},
		{"an order that had ended", func(r *ruled) { r.stop.Issued, r.stop.Until = "2026-11-23T05:11:00Z", "2026-11-24T05:00:00Z" }, "order[0].time"},
		{"an agreement that goes on by itself", func(r *ruled) {
			r.tell = func(st *story) { st.between[2].Digests = nil }
		}, "order[0].kept"},
		{"a release while it was stopped", func(r *ruled) { r.tell = func(st *story) { st.between = st.between[:2] } }, "order[0].kept"},
	} {
		r := newRuled(t)
		c.change(r)
		if rep := Bundle(r.bytes(t), Options{}); rep.OK || !slices.Contains(failing(rep), c.want) {
			t.Errorf("%s: %s %v, not %s", c.what, rep.Summary, failing(rep), c.want)
		}
	}
}

// A lift may be signed with a key that the authority has since: the version of
// the compact between hands it on. Numbers are each authority's own.
func TestALiftMayBeSignedWithALaterKeyOfTheAuthority(t *testing.T) {
	r := newRuled(t)
	next, later := r.compact, newParty(t, "authority.cn.example", Ed25519)
	later.key.ID += "-2"
	next.Version, next.Members = 2, slices.Clone(r.compact.Members)
	next.Members[0].Anchors = append(slices.Clone(next.Members[0].Anchors), authorityOf(t, later, "CN").Anchors...)
	doc := sealedBy(t, next, r.cnBody, later, r.kzBody)
	r.lifter = later
	r.tell = func(st *story) { st.between[2].Digests[corridor.DigestCompact] = doc.Digest() }
	r.file = func(f *File) { f.Compacts = append(f.Compacts, doc) }
	rep := Bundle(r.bytes(t), Options{})
	if !rep.OK || noted(rep, "order[1].signature") || noted(rep, "order[1].lifts") {
		t.Errorf("%s %+v", rep.Summary, rep.Failed())
	}
}

// What is here twice costs one look, and what is longer than any is not read.
func TestOrdersThatAreRepeatedOrTooLongAreNotWorkedThrough(t *testing.T) {
	r := newRuled(t)
	r.file = func(f *File) { f.Orders = append(f.Orders, f.Orders[0], f.Orders[0]) }
	rep := Bundle(r.bytes(t), Options{})
	if got := failing(rep); !slices.Equal(got, []string{"order[2].quoted", "order[3].quoted"}) {
		t.Error(got)
	}
	if slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == "order[2].signature" || c.ID == "order[2].number" }) {
		t.Error("the copy is checked like the order")
	}
	r.file = func(f *File) {
		f.Orders[0].Body = json.RawMessage(`"` + strings.Repeat("x", corridor.MaxDocument) + `"`)
	}
	if rep = Bundle(r.bytes(t), Options{}); !slices.Equal(failing(rep), []string{"form"}) {
		t.Error(failing(rep))
	}
}

// What is lawful and rare holds, and is noted where the bundle cannot show it.
func TestABundleHoldsWhateverLawfullyEndsAnOrder(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*ruled)
		note   string // "": none
	}{
		{"its own end", func(r *ruled) {
			r.stop.Until = "2026-11-24T05:17:00Z"
			r.tell = func(st *story) { st.between[2].Digests = nil }
			r.file = func(f *File) { f.Orders = f.Orders[:1] }
		}, ""},
		{"a new admission after a revocation", func(r *ruled) {
			r.stop.Act, r.stop.Target = corridor.OrderRevoke, corridor.Target{Participant: "did:web:kz.example"}
			r.tell = func(st *story) { st.between[2].Digests = nil }
			r.file = func(f *File) { f.Orders = f.Orders[:1] }
		}, "order[0].kept"},
		{"an order about a class that the data had later", func(r *ruled) { r.stop.Target = corridor.Target{Class: "health"} }, "order[0].flow"},
		{"a stop of a transfer that crosses with the lift", func(r *ruled) {
			r.tell = func(st *story) {
				late := st.between[1]
				late.Type, late.Time = corridor.ReceiptTransferSuspended, "2026-11-24T05:19:01Z"
				st.between = append(st.between, late)
			}
		}, ""},
		{"an order about flows under a compact that is not here", func(r *ruled) { r.stop.Compact = "another" }, "order[0].flow"},
		{"a start that quotes no compact", func(r *ruled) { r.tell = func(st *story) { st.between[0].Digests = nil } }, "compact.starts"},
		{"facts that only a decision beside the agreement names", func(r *ruled) {
			r.beside = true
		}, "compact[0].classes"},
		{"classes that are not shown", func(r *ruled) { r.facts = `{}` }, "compact[0].classes"},
		{"witnesses that are waited for", func(r *ruled) {
			r.begin = func(s *scene) {
				r.compact.Liveness, r.compact.Witnesses = corridor.LivenessCosigned, corridor.Digest([]byte(s.policy))
			}
		}, "compact[0].liveness"},
		{"admissions that are wanted", func(r *ruled) { r.compact.Credentials = []string{corridor.TypeAdmission} }, "compact[0].admitted"},
		{"another edition that the agreement flags", func(r *ruled) {
			r.compact.Packs["cn"], r.compact.OtherPacks = corridor.Digest(nil), corridor.PacksFlag
			r.agree = func(a *corridor.Agreement) {
				a.Compact.Flags = []string{"asked in " + corridor.Digest([]byte("pack")) + ", not " + corridor.Digest(nil)}
			}
		}, ""},
	} {
		r := newRuled(t)
		c.change(r)
		rep := Bundle(r.bytes(t), Options{})
		if !rep.OK || c.note != "" && !noted(rep, c.note) {
			t.Errorf("%s: %s %+v, without the note %s", c.what, rep.Summary, rep.Failed(), c.note)
		}
	}
}

// A start may rest on a later version: it is here too, with the same keys.
func TestATransferUnderALaterVersionOfTheCompactShowsThatVersion(t *testing.T) {
	second := func(r *ruled, signers []*party) (corridor.Sealed, func(*story), func(*File)) {
		next := r.compact
		next.Version, next.Issued, next.ValidFrom = 2, "2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z"
		for i, p := range signers {
			next.Members = slices.Clone(next.Members)
			next.Members[i] = authorityOf(t, p, next.Members[i].Jurisdiction)
		}
		doc := sealedBy(t, next, signers...)
		return doc, func(st *story) { st.between[0].Digests = map[string]string{corridor.DigestCompact: doc.Digest()} }, func(f *File) { f.Compacts = append(f.Compacts, doc) }
	}
	r := newRuled(t)
	_, r.tell, r.file = second(r, r.signers)
	rep := Bundle(r.bytes(t), Options{})
	if !rep.OK || noted(rep, "compact[1].follows") || !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == "compact[1].opens" && c.OK }) {
		t.Errorf("%s %+v", rep.Summary, rep.Failed())
	}
	r = newRuled(t)
	r.facts = `{"data_classes":["non_personal","health"]}`
	r.compact.Opens[0].Classes = []string{"non_personal", "health"}
	whole := r.compact.Opens
	r.compact.Opens = []corridor.Opened{{Article: "3.1", From: "CN", To: "KZ", Classes: []string{"non_personal"}}}
	_, r.tell, r.file = second(r, r.signers)
	r.compact.Opens = whole
	if rep = Bundle(r.bytes(t), Options{}); !rep.OK || !noted(rep, "compact[1].opens") {
		t.Errorf("%s %+v: a narrower publication is not noted", rep.Summary, rep.Failed())
	}
	r = newRuled(t)
	_, r.tell, r.file = second(r, []*party{newParty(t, "authority.cn.example", Ed25519), r.kzBody})
	if rep = Bundle(r.bytes(t), Options{}); !rep.OK || !noted(rep, "compact[1].follows") {
		t.Errorf("%s %+v: other keys are not noted", rep.Summary, rep.Failed())
	}
}
