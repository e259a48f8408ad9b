package identity_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/identity"
	"corridor/verify"
)

// body is one of an authority's: of Kazakhstan (Ed25519) or China (SM2).
type body struct {
	signer identity.Signer
	is     corridor.Authority
}

func authority(t testing.TB, country, suite string) body {
	t.Helper()
	did := "did:web:authority." + strings.ToLower(country) + ".example"
	s, err := identity.OpenAuthority(t.TempDir()+"/keys", did, suite)
	must(t, err)
	anchor, err := identity.AnchorOf(s)
	must(t, err)
	return body{s, corridor.Authority{ID: did, Jurisdiction: country, Name: "Authority of " + country, Anchors: []corridor.Anchor{anchor}}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func draft(members ...body) corridor.Compact {
	c := corridor.Compact{Type: corridor.TypeCompact, ID: "steppe-trade", Version: 1, Title: "Trade documents", Issued: "2026-11-01T00:00:00Z",
		ValidFrom: "2026-11-01T00:00:00Z", ValidUntil: "2027-11-01T00:00:00Z", Credentials: []string{}, Packs: map[string]string{}, OtherPacks: corridor.PacksRefuse,
		Opens: []corridor.Opened{{Article: "3.1", From: members[0].is.Jurisdiction, To: members[1].is.Jurisdiction, Classes: []string{"non_personal"}}}}
	for _, m := range members {
		c.Members = append(c.Members, m.is)
	}
	return c
}

func sealed(t testing.TB, v any, by ...body) []byte {
	t.Helper()
	doc, err := corridor.Seal(v)
	must(t, err)
	for _, b := range by {
		doc, err = identity.SignSealed(context.Background(), b.signer, doc)
		must(t, err)
	}
	raw, err := doc.Encode()
	must(t, err)
	return raw
}

func TestACompactBindsWhenAllItsMembersHaveSignedIt(t *testing.T) {
	cn, kz, ru := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519"), authority(t, "RU", "P-256")
	whole := sealed(t, draft(cn, kz), cn, kz)
	if _, c, err := verify.Compact(whole); err != nil || c.ID != "steppe-trade" {
		t.Fatal(err)
	}
	impostor := authority(t, "KZ", "Ed25519") // says that it is the same authority, with another key
	addMember := draft(cn, kz, ru)
	added, err := corridor.Seal(addMember)
	must(t, err)
	first, _, err := corridor.DecodeCompact(whole)
	must(t, err)
	added.Signatures = first.Signatures // as they were made before RU was in it
	added, err = identity.SignSealed(context.Background(), ru.signer, added)
	must(t, err)
	withMember, err := added.Encode()
	must(t, err)
	for _, c := range []struct {
		name, want string
		raw        []byte
	}{
		{"a signature is missing", "not signed by the authority of: KZ", sealed(t, draft(cn, kz), cn)},
		{"nobody has signed", "not signed by the authority of: CN, KZ", sealed(t, draft(cn, kz))},
		{"a member was added after signing", "changed after it was signed", withMember},
		{"an article was changed after signing", "changed after it was signed", bytes.Replace(whole, []byte("non_personal"), []byte("genomic_data"), 1)},
		{"a stranger has signed too", "not one of a member", sealed(t, draft(cn, kz), cn, kz, ru)},
		{"another key under the name of a member", "not one of a member", sealed(t, draft(cn, kz), cn, impostor)},
		{"an unknown field", "unknown field", bytes.Replace(whole, []byte(`"id":"steppe-trade"`), []byte(`"id":"steppe-trade","ignore":true`), 1)},
		{"a key twice", "twice", bytes.Replace(whole, []byte(`"id":"steppe-trade"`), []byte(`"id":"steppe-trade","id":"steppe-trade"`), 1)},
		{"not canonical", "not canonical", append(bytes.Clone(whole), '\n')},
		{"a document of another kind", "not a document of type", sealed(t, corridor.Order{Type: corridor.TypeOrder}, cn)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := verify.Compact(c.raw)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

func TestWhatACompactMayNotSay(t *testing.T) {
	cn, kz := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	for _, c := range []struct {
		name, want string
		change     func(*corridor.Compact)
	}{
		{"one member", "2 to", func(c *corridor.Compact) { c.Members = c.Members[:1] }},
		{"a direction to a country that is no member", "no direction", func(c *corridor.Compact) { c.Opens[0].To = "RU" }},
		{"the same article twice", "occurs twice", func(c *corridor.Compact) { c.Opens = append(c.Opens, c.Opens[0]) }},
		{"two authorities of one country", "occurs twice", func(c *corridor.Compact) { c.Members[1].Jurisdiction = "CN" }},
		{"a key of somebody else", "not one of", func(c *corridor.Compact) { c.Members[0].Anchors[0].ID = "did:web:other.example#k" }},
		{"an end before the beginning", "after the beginning", func(c *corridor.Compact) { c.ValidUntil = "2026-10-01T00:00:00Z" }},
		{"a time in another spelling", "not a time", func(c *corridor.Compact) { c.ValidUntil = "2027-11-01T00:00:00+00:00" }},
		{"a credential that nobody checks", "not a credential", func(c *corridor.Compact) { c.Credentials = []string{"diploma"} }},
		{"nothing about other packs", "neither", func(c *corridor.Compact) { c.OtherPacks = "" }},
		{"version 0", "count from 1", func(c *corridor.Compact) { c.Version = 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := draft(cn, kz)
			d.Members = append([]corridor.Authority{}, d.Members...)
			d.Members[0].Anchors = append([]corridor.Anchor{}, d.Members[0].Anchors...)
			c.change(&d)
			_, _, err := corridor.DecodeCompact(sealed(t, d))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
	d := draft(cn, kz)
	for at, want := range map[string]string{"2026-10-31T00:00:00Z": "is to come", "2027-11-01T00:00:00Z": "ended at", "2027-10-31T23:59:59Z": ""} {
		moment, err := corridor.ParseMoment(at)
		must(t, err)
		if err := d.InForce(moment); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("at %s: %v; want %q", at, err, want)
		}
	}
}

func TestACompactOpensADirectionForClasses(t *testing.T) {
	c := draft(authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519"))
	c.Opens = append(c.Opens, corridor.Opened{Article: "4", From: "KZ", To: "CN", Classes: []string{corridor.Any}})
	for _, q := range []struct {
		from, to string
		facts    corridor.Facts
		article  string
	}{
		{"CN", "KZ", corridor.Facts{"data_classes": []any{"non_personal"}}, "3.1"},
		{"CN", "KZ", corridor.Facts{"data_classes": []any{"non_personal", "personal"}}, ""},
		{"CN", "KZ", corridor.Facts{"data_classes": map[string]any{"has": []any{"non_personal"}}}, ""},
		{"CN", "KZ", corridor.Facts{}, ""},
		{"KZ", "CN", corridor.Facts{}, "4"},
		{"RU", "CN", corridor.Facts{"data_classes": []any{"non_personal"}}, ""},
	} {
		x := corridor.Crossing{From: q.from, To: q.to}
		x.Classes, x.ClassesKnown = corridor.ClassesOf(q.facts)
		got, err := c.Article(x)
		if got != q.article || (err == nil) != (q.article != "") {
			t.Errorf("%s to %s with %v: %q %v; want %q", q.from, q.to, q.facts, got, err, q.article)
		}
		if err != nil && !strings.Contains(err.Error(), "compact steppe-trade, version 1") {
			t.Errorf("the refusal does not name the compact: %v", err)
		}
	}
}

func anOrder(a body, number int64) corridor.Order {
	return corridor.Order{Type: corridor.TypeOrder, Authority: a.is.ID, Jurisdiction: a.is.Jurisdiction, Number: number, Act: corridor.OrderSuspend,
		Target: corridor.Target{From: "CN", To: "KZ"}, Issued: "2026-11-20T00:00:00Z", Reference: "17/2026", Reason: "an inquiry"}
}

func TestAnAuthoritySpeaksForItsOwnCountryAlone(t *testing.T) {
	cn, kz := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	members := []corridor.Authority{cn.is, kz.is}
	if _, _, err := verify.Order(sealed(t, anOrder(kz, 1), kz), members); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		by         body
		change     func(*corridor.Order)
	}{
		{"signed by the authority of another country", "does not speak for", cn, func(*corridor.Order) {}},
		{"in the name of another country", "is the authority of KZ, not of CN", kz, func(o *corridor.Order) { o.Jurisdiction = "CN" }},
		{"about flows that do not touch it", "speaks for its own country", kz, func(o *corridor.Order) { o.Target = corridor.Target{From: "CN", To: "RU"} }},
		{"by nobody that is known", "not an authority of a compact", authority(t, "RU", "Ed25519"), func(o *corridor.Order) {
			o.Authority = "did:web:authority.ru.example"
			o.Jurisdiction = "RU"
			o.Target = corridor.Target{}
		}},
		{"a lift that lifts a later order", "do not fit the act", kz, func(o *corridor.Order) { o.Act, o.Lifts, o.Target = corridor.OrderLift, 9, corridor.Target{} }},
		{"a lift with a target", "do not fit the act", kz, func(o *corridor.Order) { o.Number, o.Act, o.Lifts = 3, corridor.OrderLift, 2 }},
		{"an act that is not known", "none of", kz, func(o *corridor.Order) { o.Act = "amnesty" }},
		{"without a file number", "is empty", kz, func(o *corridor.Order) { o.Reference = "" }},
		{"two signatures", "does not speak for", cn, func(o *corridor.Order) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := anOrder(kz, 1)
			c.change(&o)
			_, _, err := verify.Order(sealed(t, o, c.by), members)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
	o := anOrder(kz, 1)
	issued, err := corridor.ParseMoment(o.Issued)
	must(t, err)
	if err := o.Dated(issued.Add(-corridor.ClockSkew - time.Second)); err == nil || !strings.Contains(err.Error(), "is to come") {
		t.Errorf("an order from the future: %v", err)
	}
}

func aFeed(t testing.TB, a body, number, last int64, orders ...corridor.Order) corridor.Feed {
	t.Helper()
	f := corridor.Feed{Type: corridor.TypeFeed, Authority: a.is.ID, Jurisdiction: a.is.Jurisdiction, Number: number, ThisUpdate: "2026-11-20T00:00:00Z", NextUpdate: "2026-11-21T00:00:00Z",
		Refresh: 600, Last: last, Orders: []corridor.Sealed{}, Admissions: []corridor.Sealed{}}
	for _, o := range orders {
		doc, err := identity.SealAndSign(context.Background(), a.signer, o)
		must(t, err)
		f.Orders = append(f.Orders, doc)
	}
	return f
}

func TestAFeedHoldsWhatOneAuthorityHasSigned(t *testing.T) {
	cn, kz := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
	members := []corridor.Authority{cn.is, kz.is}
	good := aFeed(t, kz, 1, 2, anOrder(kz, 1), anOrder(kz, 2))
	if _, f, err := verify.Feed(sealed(t, good, kz), members); err != nil || len(f.Orders) != 2 {
		t.Fatal(err)
	}
	foreign := aFeed(t, cn, 1, 1, anOrder(cn, 1))
	for _, c := range []struct {
		name, want string
		feed       corridor.Feed
	}{
		{"an order of another authority in it", "not an authority", func() corridor.Feed { f := aFeed(t, kz, 1, 2); f.Orders = foreign.Orders; return f }()},
		{"numbers that do not rise", "number 1 after 2", aFeed(t, kz, 1, 2, anOrder(kz, 2), anOrder(kz, 1))},
		{"a number that was not given out", "of 1 given out", aFeed(t, kz, 1, 1, anOrder(kz, 2))},
		{"an order without its signature", "0 signatures", func() corridor.Feed { f := aFeed(t, kz, 1, 1, anOrder(kz, 1)); f.Orders[0].Signatures = nil; return f }()},
		{"no time to be refreshed in", "refresh", func() corridor.Feed { f := aFeed(t, kz, 1, 1); f.Refresh = 1 << 40; return f }()},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := verify.Feed(sealed(t, c.feed, kz), members)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
	stale, err := corridor.ParseMoment(good.NextUpdate)
	must(t, err)
	if err := good.Fresh(stale); err == nil || corridor.KindOf(err) != corridor.RefusedByLaw {
		t.Errorf("a stale feed: %v", err)
	}
	if err := good.Fresh(stale.Add(-48 * time.Hour)); err == nil || !strings.Contains(err.Error(), "is to come") {
		t.Errorf("a feed from the future: %v", err)
	}
}

// fixed is an authority whose key is always the same.
func fixed(t testing.TB, country string, seed byte) body {
	t.Helper()
	did := "did:web:authority." + strings.ToLower(country) + ".example"
	s, err := identity.NewSigner(did, "authority", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
	must(t, err)
	anchor, err := identity.AnchorOf(s)
	must(t, err)
	return body{s, corridor.Authority{ID: did, Jurisdiction: country, Name: "Authority of " + country, Anchors: []corridor.Anchor{anchor}}}
}

// FuzzDocuments reads foreign bytes as every kind of document: what is
// accepted writes back to the same bytes, and nothing that was not signed passes.
func FuzzDocuments(f *testing.F) {
	cn, kz := fixed(f, "CN", 1), fixed(f, "KZ", 2) // the same in every process that fuzzes
	members := []corridor.Authority{cn.is, kz.is}
	whole := sealed(f, draft(cn, kz), cn, kz)
	order := sealed(f, anOrder(kz, 1), kz)
	feed := sealed(f, aFeed(f, kz, 1, 1, anOrder(kz, 1)), kz)
	for _, seed := range [][]byte{whole, order, feed, []byte(`{"body":{"type":"corridor-order/v1"},"signatures":[]}`), []byte(`{}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if s, _, err := verify.Compact(raw); err == nil {
			back(t, s, raw)
		}
		if s, _, err := verify.Order(raw, members); err == nil {
			back(t, s, raw)
			if !bytes.Equal(raw, order) && json.Valid(raw) {
				var have struct{ Body json.RawMessage }
				must(t, json.Unmarshal(raw, &have))
				var known struct{ Body json.RawMessage }
				must(t, json.Unmarshal(order, &known))
				if !bytes.Equal(have.Body, known.Body) {
					t.Errorf("an order that nobody signed: %s", raw)
				}
			}
		}
		if s, _, err := verify.Feed(raw, members); err == nil {
			back(t, s, raw)
		}
		_, _, _ = verify.Admission(raw, members)
	})
}

func back(t *testing.T, s corridor.Sealed, raw []byte) {
	t.Helper()
	again, err := s.Encode()
	if err != nil || !bytes.Equal(again, raw) {
		t.Errorf("%v: %s became %s", err, raw, again)
	}
}
