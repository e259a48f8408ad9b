package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/store"
)

// This file answers peers who ask what there is. What was answered once is
// kept under everything that it depends on: the catalogue's version, the day,
// the law, what the law asks about the peer, and the question itself. A
// change of any of them is another key, so nothing that is kept can be stale.

// View is an answer about the catalogue, as it is written.
type View struct {
	Tag        string // strong: a digest of the body
	Next, Prev string // places of the neighbouring pages; empty: there is none
	Unchanged  bool   // the peer has it already; there is no body
	Body       []byte
}

// What is kept of answers: some in full, and of many more only the tag, so
// that a peer that comes back learns that nothing has changed without any of
// it being looked up or decided again.
const (
	maxViews    = 32 << 20 // bytes, twice
	maxTags     = 64 << 10
	maxVerdicts = 64 << 10
	maxDatasets = 128
)

// views is what is kept.
type views struct {
	full     *cache[View]
	tags     *cache[View] // without body
	verdicts *cache[error]
	datasets *cache[catalog.Dataset]

	newest atomic.Int64 // one more than the latest version of the catalogue that was seen; 0: none was
}

func newViews() *views {
	return &views{full: newCache(maxViews, func(v View) int { return len(v.Body) + 512 }),
		tags: newCache(maxTags, one[View]), verdicts: newCache(maxVerdicts, one[error]), datasets: newCache(maxDatasets, one[catalog.Dataset])}
}

// saw notes a version of the catalogue that is durable. Versions only grow:
// one that was read before the latest change takes nothing back.
func (v *views) saw(version int64) {
	for {
		have := v.newest.Load()
		if have > version || v.newest.CompareAndSwap(have, version+1) {
			return
		}
	}
}

// version is that of the catalogue, if it is known without asking the
// database: no other process may write there, and the first question or change
// has been seen.
func (s *Service) version() (int64, bool) {
	next := s.views.newest.Load()
	return next - 1, next > 0 && !s.db.Shared()
}

// catalogueChanged belongs into every transaction that changes the catalogue,
// after the change: once it is durable, nothing older is answered.
func (s *Service) catalogueChanged(ctx context.Context, tx *store.Tx) error {
	version, err := catalog.Version(ctx, tx)
	if err == nil {
		tx.AfterCommit(func() { s.views.saw(version) })
	}
	return err
}

// find gives an answer that is kept, if it is enough for a peer that already
// has those tags.
func (v *views) find(key string, has func(tag string) bool) (View, bool) {
	if t, ok := v.tags.get(key); ok && has(t.Tag) {
		t.Unchanged = true
		return t, true
	}
	return v.full.get(key)
}

// keep completes an answer and keeps it.
func (v *views) keep(key string, a View, has func(tag string) bool) View {
	sum := sha256.Sum256(a.Body)
	a.Tag = `"` + hex.EncodeToString(sum[:16]) + `"`
	v.full.put(key, a)
	known := View{Tag: a.Tag, Next: a.Next, Prev: a.Prev, Unchanged: true}
	v.tags.put(key, known)
	if has(a.Tag) {
		return known
	}
	return a
}

// Question is a peer's request for the catalogue. Has says whether the peer
// already has the answer with that tag.
type Question struct {
	Message *dsp.CatalogRequestMessage
	Place   catalog.Place
	Has     func(tag string) bool
}

// Catalogue answers a peer's request for the catalogue. What our law denies
// for the peer's country is not shown as obtainable.
func (s *Service) Catalogue(ctx context.Context, c identity.Caller, q Question) (View, error) {
	filter, err := catalog.ParseFilter(q.Message.Filter)
	if err != nil {
		return View{}, err
	}
	who := s.whoAsks(c.Peer.Participant)
	keyAt := func(version int64) string {
		return s.viewKey(who, fmt.Sprint("page ", version, q.Place), filter.Key())
	}
	if version, known := s.version(); known {
		if found, ok := s.views.find(keyAt(version), q.Has); ok {
			return found, nil
		}
	}
	var page catalog.Page[catalog.Entry]
	var found View
	var key string
	var ok bool
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		version, err := catalog.Version(ctx, tx)
		if err != nil {
			return err
		}
		s.views.saw(version)
		key = keyAt(version)
		if found, ok = s.views.find(key, q.Has); ok {
			return nil
		}
		page, err = catalog.List(ctx, tx, filter, q.Place, catalog.MaxPage)
		return err
	})
	if err != nil || ok {
		return found, err
	}
	body, ordered, err := s.encodePage(page.Rows, c.Peer.Participant, who)
	if err == nil && filter.OneDataset() {
		err = ordered
	}
	if err != nil {
		return View{}, err
	}
	return s.views.keep(key, View{Body: body, Next: page.Next, Prev: page.Prev}, q.Has), nil
}

// offered reads what is asked for. What is not in the catalogue cannot be
// negotiated.
func (s *Service) offered(ctx context.Context, id string) (catalog.Dataset, error) {
	return s.keptDataset(ctx, "listed ", id, func(tx *store.Tx) (catalog.Dataset, error) {
		e, err := catalog.Listed(ctx, tx, id)
		if err != nil {
			return catalog.Dataset{}, err
		}
		return e.Dataset()
	})
}

// dataset reads what is negotiated or agreed, which may have been withdrawn
// since.
func (s *Service) dataset(ctx context.Context, id string) (catalog.Dataset, error) {
	return s.keptDataset(ctx, "any ", id, func(tx *store.Tx) (catalog.Dataset, error) { return catalog.Get(ctx, tx, id) })
}

// keptDataset gives a dataset as it was read under the present version of the
// catalogue, or reads it. Nobody changes it in place.
func (s *Service) keptDataset(ctx context.Context, kind, id string, read func(*store.Tx) (catalog.Dataset, error)) (d catalog.Dataset, err error) {
	keyAt := func(version int64) string { return fmt.Sprint(kind, version, " ", id) }
	if version, known := s.version(); known {
		if d, ok := s.views.datasets.get(keyAt(version)); ok {
			return d, ctx.Err()
		}
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		version, err := catalog.Version(ctx, tx)
		if err != nil {
			return err
		}
		if d, err = read(tx); err == nil {
			s.views.saw(version)
			s.views.datasets.put(keyAt(version), d)
		}
		return err
	})
	return d, wrongTarget(id, err)
}

// viewKey names everything that an answer depends on.
func (s *Service) viewKey(parts ...string) string {
	h := sha256.New()
	for _, p := range append(parts, s.law, s.trust.Load().tag, s.today().String()) {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return string(h.Sum(nil))
}

// whoAsks is what the law asks about a recipient, and its name where
// authorities have a say. A list that is not stated is not an empty one.
func (s *Service) whoAsks(p corridor.Participant) string {
	if !s.trust.Load().empty() {
		return fmt.Sprintf("%q %q %q %t %q", p.DID, p.Jurisdiction, p.Type, p.Flags == nil, p.Flags)
	}
	return fmt.Sprintf("%q %q %t %q", p.Jurisdiction, p.Type, p.Flags == nil, p.Flags)
}

// encodePage writes what of a page may be shown. Ordered is why the last
// dataset is not that an authority's order alone keeps back, or nil.
func (s *Service) encodePage(rows []catalog.Entry, peer corridor.Participant, who string) (body []byte, ordered, err error) {
	out := &dsp.Catalog{ID: s.cfg.Self.DID + ":catalogue", ParticipantID: s.cfg.Self.DID, Title: s.cfg.Self.Name, Service: []dsp.DataService{s.service()}}
	for _, e := range rows {
		d, err := e.Dataset()
		if err != nil {
			return nil, nil, err
		}
		if why := s.verdict(e, d, peer, who); why != nil {
			if byOrder(why) {
				ordered = why
			}
			continue
		}
		view, err := d.DCAT(s.service())
		if err != nil {
			return nil, nil, err
		}
		out.Dataset = append(out.Dataset, view)
	}
	body, err = dsp.Encode(out)
	return body, ordered, err
}

func (s *Service) service() dsp.DataService {
	return dsp.DataService{ID: s.cfg.Self.DID + "#dsp", EndpointURL: s.cfg.Base}
}

// CatalogueDataset answers a peer's request for one dataset. One that cannot
// be obtained is not there, unless an authority's order alone keeps it back:
// then the peer hears which.
func (s *Service) CatalogueDataset(ctx context.Context, c identity.Caller, id string, has func(tag string) bool) (View, error) {
	who := s.whoAsks(c.Peer.Participant)
	var entry catalog.Entry
	var found View
	var key string
	var ok bool
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		edition, err := catalog.Edition(ctx, tx, id)
		if err != nil {
			return err
		}
		key = s.viewKey(who, fmt.Sprint("dataset ", edition), id)
		if found, ok = s.views.find(key, has); ok {
			return nil
		}
		entry, err = catalog.Listed(ctx, tx, id)
		return err
	})
	if err != nil || ok {
		return found, err
	}
	d, err := entry.Dataset()
	if err != nil {
		return View{}, err
	}
	if why := s.verdict(entry, d, c.Peer.Participant, who); why != nil {
		if byOrder(why) {
			return View{}, why
		}
		return View{}, noSuch("dataset", id)
	}
	view, err := d.DCAT(s.service())
	if err != nil {
		return View{}, err
	}
	body, err := dsp.Encode(&view)
	if err != nil {
		return View{}, err
	}
	return s.views.keep(key, View{Body: body}, has), nil
}

// verdict is what a peer hears of whether it may have a dataset, asked once for all datasets with the same facts and
// conditions, all peers alike before the law, on one day.
func (s *Service) verdict(e catalog.Entry, d catalog.Dataset, peer corridor.Participant, who string) error {
	parts := []string{who, e.Lawful}
	if !s.trust.Load().empty() { // an order may be about one dataset
		parts = append(parts, d.ID)
	}
	key := s.viewKey(parts...)
	if why, ok := s.views.verdicts.get(key); ok {
		return why
	}
	why := s.mayHear(d, peer, s.obtainable(d, peer))
	if k := corridor.KindOf(why); why == nil || k == corridor.RefusedByLaw || k == corridor.Forbidden {
		s.views.verdicts.put(key, why)
	}
	return why
}

// obtainable says why a dataset can never go to a participant, whatever the
// purpose; nil if it may.
func (s *Service) obtainable(d catalog.Dataset, peer corridor.Participant) error {
	return s.obtainableIn(s.trust.Load().trust, d, peer)
}

// obtainableIn is obtainable as it would be with what is held of authorities.
func (s *Service) obtainableIn(held *trust, d catalog.Dataset, peer corridor.Participant) error {
	t, err := readTerms(d.Offer.Policy)
	if err != nil {
		return err
	}
	if _, err := s.passageIn(held, dsp.Provider, peer, d.ID, d.Facts); err != nil {
		return err
	}
	f := d.Facts.Clone()
	participantFacts(f, s.cfg.Self, peer)
	// Neither who asks nor the hour is in the key of a verdict: conditions on
	// those are checked when it is asked for.
	if err := t.never(use{recipient: corridor.Participant{Jurisdiction: peer.Jurisdiction}, facts: f}); err != nil {
		return err
	}
	delete(f, "purpose") // any: only a denial for all of them counts
	decision, err := s.cfg.Law.DecideSide(corridor.Flow{Date: s.today(), Origin: s.cfg.Self.Jurisdiction, Destination: peer.Jurisdiction, Facts: f}, corridor.Export)
	if err != nil {
		return err
	}
	if decision.Outcome == corridor.Deny {
		return refusal(decision)
	}
	return nil
}

// Reach says for one dataset which known peers may see it, and why not.
type Reach struct {
	Peer         string              `json:"peer"`
	Jurisdiction string              `json:"jurisdiction"`
	Shown        bool                `json:"shown"`
	Why          string              `json:"why,omitempty"`
	Cites        []corridor.Citation `json:"cites,omitempty"`
}

// Reaches tells the operator to whom a dataset is shown.
func (s *Service) Reaches(ctx context.Context, id string) ([]Reach, error) {
	d, err := s.dataset(ctx, id)
	if err != nil {
		return nil, noSuch("dataset", id)
	}
	out := []Reach{}
	for _, p := range s.Peers() {
		r := Reach{Peer: p.DID, Jurisdiction: p.Jurisdiction, Shown: true}
		if why := s.obtainable(d, p.Participant); why != nil {
			_, reason, cites := explain(why)
			r.Shown, r.Why, r.Cites = false, strings.Join(reason, "; "), cites
		}
		out = append(out, r)
	}
	return out, nil
}
