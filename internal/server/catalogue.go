package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// catalogue answers one page; its neighbours are named in the Link header.
// The request is a question although it is a POST: a peer that sends the tag
// of what it has learns with 304 that nothing has changed.
func (s *server) catalogue(q *request) (any, error) {
	m, err := dsp.Decode[dsp.CatalogRequestMessage](q.body)
	if err != nil {
		return nil, err
	}
	v := q.URL.Query()
	place, err := catalog.ParsePlace(v.Get("after"), v.Get("before"))
	if err != nil {
		return nil, err
	}
	view, err := s.x.Catalogue(q.ctx, q.caller, exchange.Question{Message: m, Place: place, Has: tagsOf(q)})
	if err != nil {
		return nil, err
	}
	for _, link := range []struct{ place, name, rel string }{{view.Next, "after", "next"}, {view.Prev, "before", "prev previous"}} {
		if link.place != "" {
			q.header.Add("Link", "<"+Base+"/catalog/request?"+link.name+"="+url.QueryEscape(link.place)+`>; rel="`+link.rel+`"`)
		}
	}
	return conditional(q, view), nil
}

func (s *server) catalogueDataset(q *request) (any, error) {
	view, err := s.x.CatalogueDataset(q.ctx, q.caller, q.PathValue("pid"), tagsOf(q))
	if err != nil {
		return nil, err
	}
	return conditional(q, view), nil
}

// conditional is the answer in full, or 304. It is for this caller alone.
func conditional(q *request, v exchange.View) raw {
	q.header.Set("ETag", v.Tag)
	q.header.Set("Cache-Control", "private, no-cache")
	q.header.Set("Vary", "Authorization")
	if v.Unchanged {
		return raw{status: http.StatusNotModified}
	}
	return raw{contentType: dsp.MediaType, body: v.Body}
}

// tagsOf reads If-None-Match: weak comparison, as RFC 9110 wants for it.
func tagsOf(q *request) func(tag string) bool {
	var tags []string
	for _, h := range q.Header.Values("If-None-Match") {
		for part := range strings.SplitSeq(h, ",") {
			tags = append(tags, strings.TrimPrefix(strings.TrimSpace(part), "W/"))
		}
	}
	return func(tag string) bool { return slices.Contains(tags, tag) || slices.Contains(tags, "*") }
}

// datasets lists what this node offers, narrowed by any name of a filter.
func (s *server) datasets(q *request) (any, error) {
	return list(func(ctx context.Context, p exchange.Page) ([]catalog.Dataset, string, error) {
		return s.x.Datasets(ctx, filtersOf(q), p)
	})(q)
}

// increments lists what a dataset that grows consists of.
func (s *server) increments(q *request) (any, error) {
	return list(func(ctx context.Context, p exchange.Page) ([]exchange.Added, string, error) {
		return s.x.Increments(ctx, q.PathValue("id"), p)
	})(q)
}

// filtersOf are the query values that do not say which page is wanted.
func filtersOf(q *request) map[string]string {
	by := map[string]string{}
	for name, values := range q.URL.Query() {
		if name != "after" && name != "limit" && name != "state" && values[0] != "" {
			by[name] = values[0]
		}
	}
	return by
}

func (s *server) publishAll(q *request) (any, error) {
	b, err := decode[struct {
		Datasets []exchange.Publication `json:"datasets"`
	}](q.body)
	if err != nil {
		return nil, err
	}
	return called(s.x.PublishAll(q.ctx, b.Datasets))
}

// FoundPage is a page of what was found in the catalogues of peers, and how
// their reading stands.
type FoundPage struct {
	Items   []catalog.Found `json:"items"`
	Next    string          `json:"next,omitempty"`
	Sources catalog.Sources `json:"sources"`
}

// found searches the catalogues of peers.
func (s *server) found(q *request) (any, error) {
	if s.cfg.Crawler == nil {
		return nil, noCrawler()
	}
	p, err := pageOf(q)
	if err != nil {
		return nil, err
	}
	out := FoundPage{}
	if out.Items, out.Next, err = s.cfg.Crawler.Search(q.ctx, filtersOf(q), p.After, p.Limit); err != nil {
		return nil, err
	}
	if out.Items == nil {
		out.Items = []catalog.Found{}
	}
	out.Sources, err = s.cfg.Crawler.Sources(q.ctx)
	return out, err
}

// refreshFound has the catalogues of peers read now, those of all that the
// operator names or that of one; with ?wait=30s it answers when that is done.
func (s *server) refreshFound(q *request) (any, error) {
	if s.cfg.Crawler == nil {
		return nil, noCrawler()
	}
	b, err := decode[struct {
		Peer string `json:"peer"`
	}](q.body)
	if err != nil {
		return nil, err
	}
	ctx, cancel, wait, err := waiting(q)
	if err != nil {
		return nil, err
	}
	defer cancel()
	if err := s.cfg.Crawler.Refresh(ctx, b.Peer, wait); err != nil {
		return nil, err
	}
	return called(s.cfg.Crawler.Sources(q.ctx))
}

func noCrawler() error {
	return &corridor.Error{Kind: corridor.NotFound, Msg: "this node does not read the catalogues of its peers", Fix: "set crawl in config.yaml, for example crawl: 6h"}
}
