package exchange_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/exchange"
	"corridor/internal/identity"
)

// body is an authority with its key, and the feed that it serves.
type body struct {
	t      testing.TB
	signer identity.Signer
	is     corridor.Authority
	last   int64
	feeds  int64
	orders []corridor.Sealed
	admits []corridor.Sealed
	served *atomic.Pointer[[]byte] // nil: the feed cannot be had
	asked  chan struct{}           // one for each request of the feed
}

func authority(t testing.TB, country, suite string) *body {
	t.Helper()
	did := "did:web:authority." + strings.ToLower(country) + ".example"
	s, err := identity.OpenAuthority(filepath.Join(t.TempDir(), "keys"), did, suite)
	ok(t, err)
	anchor, err := identity.AnchorOf(s)
	ok(t, err)
	return &body{t: t, signer: s, served: &atomic.Pointer[[]byte]{}, asked: make(chan struct{}, 1000),
		is: corridor.Authority{ID: did, Jurisdiction: country, Name: "Authority of " + country, Anchors: []corridor.Anchor{anchor}}}
}

// serve gives the authority a feed on this machine.
func (b *body) serve() *body {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case b.asked <- struct{}{}:
		default:
		}
		raw := b.served.Load()
		if raw == nil {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		w.Write(*raw)
	}))
	b.t.Cleanup(srv.Close)
	b.is.Feed = srv.URL + "/feed.json"
	return b
}

func (b *body) seal(v any) corridor.Sealed {
	b.t.Helper()
	doc, err := identity.SealAndSign(context.Background(), b.signer, v)
	ok(b.t, err)
	return doc
}

func encode(t testing.TB, doc corridor.Sealed) []byte {
	t.Helper()
	raw, err := doc.Encode()
	ok(t, err)
	return raw
}

// order numbers and signs an order.
func (b *body) order(o corridor.Order) []byte {
	b.t.Helper()
	b.last++
	o.Type, o.Authority, o.Jurisdiction, o.Number = corridor.TypeOrder, b.is.ID, b.is.Jurisdiction, b.last
	if o.Issued == "" {
		o.Issued = corridor.Moment(time.Now())
	}
	if o.Reference == "" {
		o.Reference, o.Reason = "17/2026", "an inquiry is under way"
	}
	doc := b.seal(o)
	b.orders = append(b.orders, doc)
	return encode(b.t, doc)
}

func (b *body) suspend(target corridor.Target) []byte {
	return b.order(corridor.Order{Act: corridor.OrderSuspend, Target: target})
}

func (b *body) lift(number int64) []byte {
	return b.order(corridor.Order{Act: corridor.OrderLift, Lifts: number})
}

func (b *body) admit(did string, until time.Time) {
	b.t.Helper()
	b.last++
	b.admits = append(b.admits, b.seal(corridor.Admission{Type: corridor.TypeAdmission, Authority: b.is.ID, Jurisdiction: b.is.Jurisdiction, Number: b.last, Participant: did, Name: "a firm",
		Traits: []string{}, Issued: corridor.Moment(time.Now()), ValidFrom: corridor.Moment(time.Now().Add(-time.Hour)), ValidUntil: corridor.Moment(until)}))
}

// feed signs what there is, good for some time from a moment.
func (b *body) feed(from time.Time, life time.Duration, refresh int64) []byte {
	b.t.Helper()
	b.feeds++
	f := corridor.Feed{Type: corridor.TypeFeed, Authority: b.is.ID, Jurisdiction: b.is.Jurisdiction, Number: b.feeds, ThisUpdate: corridor.Moment(from), NextUpdate: corridor.Moment(from.Add(life)),
		Refresh: refresh, Last: b.last, Orders: append([]corridor.Sealed{}, b.orders...), Admissions: append([]corridor.Sealed{}, b.admits...)}
	return encode(b.t, b.seal(f))
}

func (b *body) publish(raw []byte) { b.served.Store(&raw) }

// treaty is a compact of China and Kazakhstan that opens trade data from the
// one to the other.
func treaty(t testing.TB, change func(*corridor.Compact), members ...*body) []byte {
	t.Helper()
	now := time.Now()
	c := corridor.Compact{Type: corridor.TypeCompact, ID: "steppe-trade", Version: 1, Title: "Trade documents", Issued: corridor.Moment(now), ValidFrom: corridor.Moment(now.Add(-time.Hour)), ValidUntil: corridor.Moment(now.Add(1000 * time.Hour)),
		Credentials: []string{}, Packs: map[string]string{}, OtherPacks: corridor.PacksRefuse,
		Opens: []corridor.Opened{{Article: "3.1", From: "CN", To: "KZ", Classes: []string{"non_personal"}}}}
	for _, m := range members {
		c.Members = append(c.Members, m.is)
	}
	if change != nil {
		change(&c)
	}
	doc, err := corridor.Seal(c)
	ok(t, err)
	for _, m := range members {
		doc, err = identity.SignSealed(context.Background(), m.signer, doc)
		ok(t, err)
	}
	return encode(t, doc)
}

func (n *node) adopt(raw []byte) exchange.AdoptedCompact {
	n.t.Helper()
	c, err := n.x.AdoptCompact(within(n.t, 10*time.Second), raw)
	ok(n.t, err)
	return c
}

func (n *node) take(raw []byte) {
	n.t.Helper()
	_, err := n.x.Take(within(n.t, 10*time.Second), raw)
	ok(n.t, err)
}

// refuses fails the test unless err refuses and says all of the words.
func refuses(t testing.TB, err error, kind corridor.Kind, words ...string) {
	t.Helper()
	if corridor.KindOf(err) != kind || err == nil {
		t.Errorf("%v is of kind %s, not %s", err, corridor.KindOf(err), kind)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v does not say %q", err, w)
		}
	}
}

// ok fails the test on an error.
func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
