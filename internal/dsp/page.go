package dsp

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// CatalogPage is one page of a peer's catalogue.
type CatalogPage struct {
	Catalog   *Catalog      // nil if Unchanged
	Unchanged bool          // the peer says that the page with the given tag still holds
	Tag       string        // of this page; empty: the peer gives none
	Next      string        // address of the next page
	Fresh     time.Duration // how long the peer wants it to be used without asking again
}

// CatalogPage asks a peer for a page of its catalogue: the first one, or the
// one at the address that the page before named. A tag of an earlier answer
// makes the request conditional.
func (c *Client) CatalogPage(ctx context.Context, to Peer, page, tag string) (CatalogPage, error) {
	body, err := Encode(&CatalogRequestMessage{})
	if err != nil {
		return CatalogPage{}, err
	}
	target := Join(to.Base, CatalogRequestPath)
	if page != "" {
		target = page
	}
	req, err := c.request(ctx, http.MethodPost, to, target, body)
	if err != nil {
		return CatalogPage{}, err
	}
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	reply, err := c.exchange(req, MaxCatalog)
	if err != nil {
		return CatalogPage{}, err
	}
	head := reply.head
	out := CatalogPage{Tag: clipTag(head.Get("ETag")), Next: reply.Next, Fresh: maxAge(head), Unchanged: reply.Status == http.StatusNotModified}
	if out.Unchanged {
		return out, nil
	}
	if out.Catalog, err = Decode[Catalog](reply.Body); err != nil {
		return CatalogPage{}, fmt.Errorf("catalogue of %s: %w", to.ID, err)
	}
	return out, nil
}

// clipTag drops a tag that is too long to be sent back.
func clipTag(tag string) string {
	const most = 256
	if len(tag) > most {
		return ""
	}
	return tag
}

// maxAge reads how long an answer is fresh (RFC 9111), at most a week.
func maxAge(h http.Header) time.Duration {
	const most = 7 * 24 * time.Hour
	for part := range strings.SplitSeq(strings.ToLower(h.Get("Cache-Control")), ",") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(part), "max-age="); ok {
			if s, err := strconv.Atoi(strings.Trim(text, `"`)); err == nil && s > 0 {
				return min(time.Duration(min(s, int(most.Seconds())))*time.Second, most)
			}
		}
	}
	return 0
}
