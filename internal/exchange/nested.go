package exchange

import (
	"context"
	"fmt"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
)

// This file asks a peer what it offers. A catalogue may nest others (DCAT: a
// dcat:catalog of a catalogue), in full or by the address of their service.
// Those that are only named are asked too, if their participant is a known one
// and announces the address itself: a token is shown to nobody else.

// Listing is a dataset of a peer, as its catalogue shows it.
type Listing struct {
	ID          string         `json:"id"`
	Peer        string         `json:"peer,omitempty"` // whose dataset it is, in a nested catalogue; absent: of the peer that was asked
	Title       string         `json:"title,omitempty"`
	Description string         `json:"description,omitempty"`
	Formats     []string       `json:"formats"`
	Offers      []dsp.Offer    `json:"offers"`
	Facts       corridor.Facts `json:"facts,omitempty"`
}

// Unread is a nested catalogue that was not read.
type Unread struct {
	Peer    string `json:"peer"`
	Address string `json:"address,omitempty"`
	Why     string `json:"why"`
}

// Limits of the catalogues that one question leads to.
const (
	maxNestedDepth = 3
	maxNestedAsked = 16
	maxUnread      = 50
)

// PeerCatalogue asks a peer for the first page of its catalogue, and those of
// the catalogues that it nests. What could not be read of the nested ones does
// not hide the rest.
func (s *Service) PeerCatalogue(ctx context.Context, did, address string) ([]Listing, []Unread, error) {
	peer, err := s.cfg.Directory.Lookup(ctx, did)
	if err != nil {
		return nil, nil, err
	}
	base, err := s.address(ctx, peer, address)
	if err != nil {
		return nil, nil, err
	}
	cat, _, err := s.client.Catalog(ctx, dsp.Peer{ID: did, Base: base}, &dsp.CatalogRequestMessage{})
	if err != nil {
		return nil, nil, err
	}
	w := &nestedWalk{s: s, asked: did, seen: map[string]bool{did + " " + base: true}, left: maxNestedAsked, list: []Listing{}}
	err = w.read(ctx, cat, did, 0)
	return w.list, w.unread, err
}

// nestedWalk goes through a catalogue and those that it nests.
type nestedWalk struct {
	s      *Service
	asked  string          // the peer that the operator asked about
	seen   map[string]bool // participants and addresses that were asked: a cycle ends
	left   int             // catalogues that may still be asked
	list   []Listing
	unread []Unread
}

// read lists one catalogue. Depth counts the catalogues that were asked.
func (w *nestedWalk) read(ctx context.Context, c *dsp.Catalog, owner string, depth int) error {
	for i := range c.Dataset {
		l, err := listingOf(&c.Dataset[i])
		if err != nil && depth == 0 && owner == w.asked {
			return err
		}
		if err != nil {
			w.skip(owner, "", err)
			continue
		}
		if owner != w.asked {
			l.Peer = owner
		}
		w.list = append(w.list, l)
	}
	for i := range c.Catalog {
		n := &c.Catalog[i]
		whose := owner // one without a participant is a part of the outer one
		if n.ParticipantID != "" {
			whose = n.ParticipantID
		}
		if len(n.Dataset)+len(n.Catalog) > 0 {
			if err := w.read(ctx, n, whose, depth); err != nil {
				return err
			}
			continue
		}
		if err := w.ask(ctx, n, whose, depth+1); err != nil {
			w.skip(whose, catalog.AddressOf(n), err)
		}
	}
	return nil
}

// ask reads a catalogue of which only the address is given.
func (w *nestedWalk) ask(ctx context.Context, n *dsp.Catalog, whose string, depth int) error {
	base := catalog.AddressOf(n)
	switch {
	case base == "":
		return corridor.E(corridor.NotFound, "it holds nothing and names no service that could be asked")
	case w.seen[whose+" "+base] || whose == w.s.cfg.Self.DID:
		return nil
	case depth > maxNestedDepth || w.left == 0:
		return corridor.E(corridor.Limited, "more than %d catalogues, or nested deeper than %d", maxNestedAsked, maxNestedDepth)
	}
	w.seen[whose+" "+base] = true
	w.left--
	if _, err := w.s.cfg.Directory.Lookup(ctx, whose); err != nil {
		return err
	}
	if err := w.s.guard(ctx, base); err != nil {
		return err
	}
	if err := w.s.Announced(ctx, whose, base); err != nil {
		return err
	}
	cat, _, err := w.s.client.Catalog(ctx, dsp.Peer{ID: whose, Base: base}, &dsp.CatalogRequestMessage{})
	if err != nil {
		return err
	}
	if cat.ParticipantID != whose {
		return wrongField("participantId", cat.ParticipantID, whose)
	}
	return w.read(ctx, cat, whose, depth)
}

func (w *nestedWalk) skip(whose, base string, err error) {
	if len(w.unread) < maxUnread {
		w.unread = append(w.unread, Unread{Peer: clip(whose), Address: clip(base), Why: err.Error()})
	}
}

func listingOf(d *dsp.Dataset) (Listing, error) {
	facts, err := factsOf(d.Facts)
	if err != nil {
		return Listing{}, fmt.Errorf("dataset %s: %w", clip(d.ID), err)
	}
	l := Listing{ID: d.ID, Title: d.Title, Description: d.Description, Offers: d.HasPolicy, Facts: facts}
	for _, f := range d.Distribution {
		l.Formats = append(l.Formats, f.Format)
	}
	return l, nil
}
