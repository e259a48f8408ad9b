package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

// Found is a dataset in the catalogue of another participant, as of a day.
type Found struct {
	Peer     string         `json:"peer"`              // whose dataset it is
	Country  string         `json:"country,omitempty"` // of the peer, as our operator vouches for; absent: not known
	Through  string         `json:"through,omitempty"` // the catalogue in which it, or the peer's catalogue, is nested
	ID       string         `json:"id"`
	Title    string         `json:"title,omitempty"`
	Text     string         `json:"description,omitempty"`
	Keywords []string       `json:"keywords,omitempty"`
	Metadata *Metadata      `json:"metadata,omitempty"`
	Formats  []string       `json:"formats,omitempty"`
	Offers   []string       `json:"offers,omitempty"` // identifiers
	Facts    corridor.Facts `json:"facts,omitempty"`
	AsOf     string         `json:"as_of,omitempty"` // when the peer's catalogue was last read to its end; absent: not yet
}

var foundShelf = shelf{rows: "found", terms: "found_terms", columns: "d.n, d.source, d.doc"}

// Limits of what is kept of a dataset of others.
const (
	keptText = 4 << 10
	keptList = 50
)

// foundIn lists the datasets of a page, those of nested catalogues included.
func foundIn(s source, cat *dsp.Catalog) []Found {
	var out []Found
	walkCatalogs(cat, 0, func(c *dsp.Catalog, depth int) {
		peer, through := s.did, s.through
		if depth > 0 {
			if c.ParticipantID == "" {
				return
			}
			peer, through = c.ParticipantID, s.did
		}
		for i := range c.Dataset {
			if d := &c.Dataset[i]; len(d.ID) <= maxIRI {
				f := foundOf(d)
				f.Peer, f.Through = peer, through
				if depth == 0 {
					f.Country = s.country
				}
				out = append(out, f)
			}
		}
	})
	return out
}

func walkCatalogs(c *dsp.Catalog, depth int, each func(*dsp.Catalog, int)) {
	each(c, depth)
	for i := range c.Catalog {
		walkCatalogs(&c.Catalog[i], depth+1, each)
	}
}

// nestedIn lists the catalogues that a page nests and that can be asked: their
// participant and address are given.
func (c *Crawler) nestedIn(s source, cat *dsp.Catalog) []source {
	var out []source
	if s.depth >= c.cfg.Depth {
		return nil
	}
	for i := range cat.Catalog {
		n := &cat.Catalog[i]
		base := AddressOf(n)
		if base == "" || !strings.HasPrefix(n.ParticipantID, "did:") || n.ParticipantID == s.did || n.ParticipantID == c.cfg.Self || len(n.ParticipantID)+len(base) > 2*maxIRI {
			continue
		}
		if len(out) == maxNested {
			break
		}
		out = append(out, source{did: n.ParticipantID, base: base, through: s.did, depth: s.depth + 1, due: c.cfg.Now().Add(c.cfg.Pause).UnixMilli()})
	}
	return out
}

// AddressOf is where the service of a catalogue speaks the protocol, or nothing.
func AddressOf(c *dsp.Catalog) string {
	for _, s := range c.Service {
		if s.EndpointURL != "" {
			return strings.TrimSuffix(strings.TrimRight(s.EndpointURL, "/"), "/catalog")
		}
	}
	for _, d := range c.Distribution {
		if s := d.AccessService.Service; s != nil && s.EndpointURL != "" {
			return strings.TrimSuffix(strings.TrimRight(s.EndpointURL, "/"), "/catalog")
		}
	}
	return ""
}

// foundOf takes what is kept of a dataset of others. What cannot be read is
// left out: it is not ours.
func foundOf(d *dsp.Dataset) Found {
	f := Found{ID: d.ID, Title: short(d.Title, maxTitle), Text: short(d.Description, keptText), Keywords: first(d.Keyword, keptList)}
	for _, x := range d.Distribution {
		f.Formats = append(f.Formats, short(x.Format, maxLabel))
	}
	f.Formats = first(f.Formats, keptList)
	for _, o := range first(d.HasPolicy, keptList) {
		f.Offers = append(f.Offers, o.ID)
	}
	if len(d.Facts) > 0 && len(d.Facts) <= keptText {
		var facts corridor.Facts
		if json.Unmarshal(d.Facts, &facts) == nil {
			f.Facts = facts
		}
	}
	m := metadataOf(d.DCAT)
	if f.Title == "" {
		f.Title = m.anyTitle()
	}
	f.Metadata = &m
	return f
}

// metadataOf reads DCAT-AP back.
func metadataOf(d dsp.DCAT) Metadata {
	m := Metadata{Title: byLanguage(d.Titles, maxTitle), Description: byLanguage(d.Texts, keptText), Licence: short(string(d.License), maxIRI)}
	for _, k := range first(d.Keywords, keptList) {
		if m.Keywords == nil {
			m.Keywords = map[string][]string{}
		}
		tag := languageOf(k.Language)
		m.Keywords[tag] = append(m.Keywords[tag], short(k.Value, maxLabel))
	}
	for _, t := range first(d.Theme, keptList) {
		m.Themes = append(m.Themes, short(strings.TrimPrefix(t, themeIRI), maxIRI))
	}
	for _, l := range first(d.Language, keptList) {
		if b, err := language.ParseBase(strings.ToLower(strings.TrimPrefix(l, languageIRI))); err == nil {
			m.Languages = append(m.Languages, b.String())
		}
	}
	for _, s := range first(d.Spatial, keptList) {
		m.Spatial = append(m.Spatial, short(countryCode(s), maxIRI))
	}
	if p := d.Publisher; p != nil {
		m.Publisher = &Agent{Name: short(p.Name, maxLabel), ID: short(p.ID, maxIRI)}
	}
	if t := d.Temporal; t != nil {
		m.Temporal = &Period{Start: dayOf(t.Start), End: dayOf(t.End)}
	}
	m.Issued, m.Modified = dayOf(d.Issued), dayOf(d.Modified)
	return m
}

func byLanguage(list dsp.Texts, most int) map[string]string {
	var out map[string]string
	for _, t := range first(list, keptList) {
		if out == nil {
			out = map[string]string{}
		}
		if tag := languageOf(t.Language); out[tag] == "" {
			out[tag] = short(t.Value, most)
		}
	}
	return out
}

// languageOf is a tag in its usual spelling; "und" where none can be read.
func languageOf(tag string) string {
	t, err := language.Parse(tag)
	if err != nil {
		return language.Und.String()
	}
	return t.String()
}

func dayOf(l dsp.Literal) corridor.Date {
	text := string(l)
	if len(text) > len(time.DateOnly) {
		text = text[:len(time.DateOnly)]
	}
	d, err := corridor.ParseDate(text)
	if err != nil {
		return 0
	}
	return d
}

func short(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

func first[T any](list []T, most int) []T { return list[:min(len(list), most)] }

func (m Metadata) anyTitle() string {
	for _, tag := range sortedKeys(m.Title) {
		return m.Title[tag]
	}
	return ""
}

// TitleIn gives the title in a language, or another one.
func (f Found) TitleIn(lang string) string {
	if f.Metadata != nil && f.Metadata.Title[lang] != "" {
		return f.Metadata.Title[lang]
	}
	return f.Title
}

func (f Found) terms() []string {
	x := newTerms()
	x.words(f.Title)
	x.words(f.Keywords...)
	x.values(kindKeyword, f.Keywords...)
	x.values(kindFormat, f.Formats...)
	x.values(kindClass, classes(f.Facts)...)
	x.values(kindPeer, f.Peer)
	x.values(kindFrom, f.Country)
	if f.Metadata != nil {
		x.metadata(*f.Metadata)
	}
	x.words(f.ID, f.Text)
	return x.list
}

func (f Found) titleKey() string {
	return Dataset{Title: f.Title, Metadata: f.Metadata}.titleKey()
}

// Search looks for datasets in the catalogues that have been read.
func (c *Crawler) Search(ctx context.Context, by map[string]string, after string, limit int) (list []Found, next string, err error) {
	filter, err := newFilter(by, true)
	if err != nil {
		return nil, "", err
	}
	place, err := ParsePlace(after, "")
	if err != nil {
		return nil, "", err
	}
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	c.Wake() // the operator's list may have changed
	err = c.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		list, next, err = search(ctx, tx, filter, place, limit)
		return err
	})
	return list, next, err
}

type foundRow struct {
	source string
	found  Found
}

// search goes on over pages that happen to hold nothing, a few times.
func search(ctx context.Context, tx *store.Tx, f Filter, p Place, limit int) (out []Found, next string, err error) {
	asOf := map[string]string{}
	for range 10 {
		page, err := listFound(ctx, tx, f, p, limit)
		if err != nil {
			return nil, "", err
		}
		for _, row := range page.Rows {
			day, ok := asOf[row.source]
			if !ok {
				if err := tx.QueryRow(ctx, `SELECT checked FROM crawl WHERE source = ?`, row.source).Scan(&day); err != nil {
					return nil, "", fmt.Errorf("catalogue of %s: %w", row.source, err)
				}
				asOf[row.source] = day
			}
			row.found.AsOf = day
			out = append(out, row.found)
		}
		if next = page.Next; next == "" || len(out) > 0 {
			break
		}
		if p, err = ParsePlace(next, ""); err != nil {
			return nil, "", err
		}
	}
	return out, next, nil
}

func listFound(ctx context.Context, tx *store.Tx, f Filter, p Place, limit int) (Page[foundRow], error) {
	return list(ctx, tx, foundShelf, f, p, limit, func(scan func(...any) error) (n int64, row foundRow, err error) {
		var doc string
		if err = scan(&n, &row.source, &doc); err == nil {
			err = json.Unmarshal([]byte(doc), &row.found)
		}
		return n, row, err
	})
}

// Sources says how the reading of the peers' catalogues stands.
type Sources struct {
	Catalogues int64 `json:"catalogues"` // that are read
	Never      int64 `json:"never"`      // not read to the end yet
	Failing    int64 `json:"failing"`    // the last reading failed; what was found before is still there
}

// Sources counts.
func (c *Crawler) Sources(ctx context.Context) (s Sources, err error) {
	err = c.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN checked = '' THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN problem <> '' THEN 1 ELSE 0 END), 0) FROM crawl`).
			Scan(&s.Catalogues, &s.Never, &s.Failing)
	})
	return s, err
}
