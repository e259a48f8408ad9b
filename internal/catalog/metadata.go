package catalog

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"corridor"
	"corridor/internal/dsp"
)

// Metadata describes a dataset in the words of DCAT-AP. All of it is shown to
// peers. Text is given by language (BCP 47: en, zh, ru, kk, ...).
type Metadata struct {
	Title       map[string]string   `json:"title,omitempty"`
	Description map[string]string   `json:"description,omitempty"`
	Keywords    map[string][]string `json:"keywords,omitempty"`
	Themes      []string            `json:"themes,omitempty"`    // codes of the EU data themes (TRAN, HEAL, ...) or IRIs
	Languages   []string            `json:"languages,omitempty"` // of the data itself
	Publisher   *Agent              `json:"publisher,omitempty"`
	Spatial     []string            `json:"spatial,omitempty"` // countries (ISO 3166-1) or IRIs
	Temporal    *Period             `json:"temporal,omitempty"`
	Licence     string              `json:"licence,omitempty"` // IRI
	Issued      corridor.Date       `json:"issued,omitzero"`
	Modified    corridor.Date       `json:"modified,omitzero"` // of the data; absent: when it was last published
}

// Agent is who makes a dataset available.
type Agent struct {
	Name string `json:"name"`
	ID   string `json:"id,omitempty"` // IRI or DID
}

// Period is the time that the data is about. Either end may be open.
type Period struct {
	Start corridor.Date `json:"start,omitzero"`
	End   corridor.Date `json:"end,omitzero"`
}

// Limits of metadata.
const (
	maxTitle    = 500
	maxText     = 20_000
	maxLabel    = 200
	maxEntries  = 100 // of any one list
	maxIRI      = 2000
	authority   = "http://publications.europa.eu/resource/authority/"
	themeIRI    = authority + "data-theme/"
	countryIRI  = authority + "country/"
	languageIRI = authority + "language/"
)

// themes are the codes of the EU vocabulary of data themes.
const themes = " AGRI ECON EDUC ENER ENVI GOVE HEAL INTR JUST OP_DATPRO REGI SOCI TECH TRAN "

// Check says what is wrong with metadata, and where. It gives it back in the
// usual spelling: language tags, country codes.
func (m Metadata) Check() (Metadata, error) {
	c := &checker{}
	m.Title = c.texts("title", m.Title, maxTitle)
	m.Description = c.texts("description", m.Description, maxText)
	m.Keywords = c.keywords(m.Keywords)
	m.Themes = c.list("themes", m.Themes, theme)
	m.Languages = c.list("languages", m.Languages, tagOf)
	m.Spatial = c.list("spatial", m.Spatial, place)
	if m.Licence != "" {
		c.note("licence", iri(m.Licence))
	}
	if p := m.Publisher; p != nil {
		c.short("publisher.name", p.Name, maxLabel)
		if p.ID != "" {
			c.note("publisher.id", iri(p.ID))
		}
	}
	if t := m.Temporal; t != nil && t.End != 0 && t.End < t.Start {
		c.note("temporal", fmt.Errorf("ends on %s, before it starts on %s", t.End, t.Start))
	}
	if m.Modified != 0 && m.Modified < m.Issued {
		c.note("modified", fmt.Errorf("is %s, before the date of issue %s", m.Modified, m.Issued))
	}
	return m, c.err
}

// checker keeps the first mistake.
type checker struct{ err error }

func (c *checker) note(where string, err error) {
	if err != nil && c.err == nil {
		c.err = &corridor.Error{Kind: corridor.Invalid, Where: "metadata." + where, Msg: err.Error(), Why: "DCAT-AP", Fix: "see the metadata of a dataset in docs/management-api.md"}
	}
}

func (c *checker) short(where, text string, most int) {
	switch {
	case strings.TrimSpace(text) == "":
		c.note(where, fmt.Errorf("is empty"))
	case len(text) > most:
		c.note(where, fmt.Errorf("has %d bytes; at most %d are allowed", len(text), most))
	}
}

func (c *checker) texts(where string, in map[string]string, most int) map[string]string {
	var out map[string]string
	for tag, text := range in {
		at := where + "." + clip(tag)
		name, err := tagOf(tag)
		c.note(at, err)
		c.short(at, text, most)
		if out == nil {
			out = map[string]string{}
		}
		if _, twice := out[name]; twice {
			c.note(at, fmt.Errorf("is given twice in language %s", name))
		}
		out[name] = text
	}
	return out
}

func (c *checker) keywords(in map[string][]string) map[string][]string {
	var out map[string][]string
	for tag, list := range in {
		at := "keywords." + clip(tag)
		name, err := tagOf(tag)
		c.note(at, err)
		if len(list) > maxEntries {
			c.note(at, fmt.Errorf("has %d entries; at most %d are allowed", len(list), maxEntries))
		}
		for i, word := range list {
			c.short(fmt.Sprintf("%s[%d]", at, i), word, maxLabel)
		}
		if out == nil {
			out = map[string][]string{}
		}
		out[name] = append(out[name], list...)
	}
	return out
}

func (c *checker) list(where string, in []string, read func(string) (string, error)) []string {
	if len(in) > maxEntries {
		c.note(where, fmt.Errorf("has %d entries; at most %d are allowed", len(in), maxEntries))
	}
	var out []string
	for i, v := range in {
		v, err := read(v)
		c.note(fmt.Sprintf("%s[%d]", where, i), err)
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// tagOf reads a language tag and gives its usual spelling.
func tagOf(tag string) (string, error) {
	t, err := language.Parse(tag)
	if err != nil || t == language.Und || strings.Contains(tag, "_") {
		return tag, fmt.Errorf("%q is not a language: write it like en, zh or ru (BCP 47)", clip(tag))
	}
	return t.String(), nil
}

func theme(code string) (string, error) {
	code = themeCode(code)
	if up := strings.ToUpper(code); !strings.Contains(code, " ") && strings.Contains(themes, " "+up+" ") {
		return up, nil
	}
	if err := iri(code); err != nil {
		return code, fmt.Errorf("%q is not a data theme: use one of%sor an IRI", clip(code), themes)
	}
	return code, nil
}

func place(code string) (string, error) {
	code = countryCode(code)
	if len(code) == 2 {
		if r, err := language.ParseRegion(code); err == nil && r.IsCountry() {
			return strings.ToUpper(code), nil
		}
	}
	if err := iri(code); err != nil {
		return code, fmt.Errorf("%q is not a country: write the two letters of ISO 3166-1, or an IRI", clip(code))
	}
	return code, nil
}

func iri(text string) error {
	u, err := url.Parse(text)
	if err != nil || !u.IsAbs() || len(text) > maxIRI || strings.ContainsAny(text, " <>\"{}|\\^`\n\t") || u.Host == "" && u.Opaque == "" {
		return fmt.Errorf("%q is not an absolute IRI", clip(text))
	}
	return nil
}

// dcat is the metadata in the protocol's JSON. DCAT-AP demands a title and a
// description: where none is given in a language, that of the dataset stands.
func (d Dataset) dcat() dsp.DCAT {
	m := d.Metadata
	if m == nil {
		m = &Metadata{}
	}
	out := dsp.DCAT{Titles: textsOf(m.Title, d.Title), Texts: textsOf(m.Description, cmp.Or(d.Description, d.Title)), License: dsp.Ref(m.Licence),
		Issued: dsp.Literal(m.Issued.String()), Modified: dsp.Literal(m.Modified.String())}
	for _, word := range d.Keywords {
		out.Keywords = append(out.Keywords, dsp.Text{Value: word})
	}
	for _, tag := range sortedKeys(m.Keywords) {
		for _, word := range m.Keywords[tag] {
			out.Keywords = append(out.Keywords, dsp.Text{Value: word, Language: tag})
		}
	}
	if m.Modified == 0 {
		out.Modified = dsp.Literal(dsp.FormatTime(d.Published))
	}
	for _, t := range m.Themes {
		if strings.Contains(themes, " "+t+" ") {
			t = themeIRI + t
		}
		out.Theme = append(out.Theme, t)
	}
	for _, s := range m.Spatial {
		if r, err := language.ParseRegion(s); err == nil && len(s) == 2 {
			s = countryIRI + r.ISO3()
		}
		out.Spatial = append(out.Spatial, s)
	}
	for _, l := range m.Languages {
		if t, err := language.Parse(l); err == nil {
			base, _ := t.Base()
			out.Language = append(out.Language, languageIRI+strings.ToUpper(base.ISO3()))
		}
	}
	if p := m.Publisher; p != nil {
		out.Publisher = &dsp.Agent{ID: p.ID, Name: p.Name}
	}
	if t := m.Temporal; t != nil {
		out.Temporal = &dsp.Period{Start: dsp.Literal(t.Start.String()), End: dsp.Literal(t.End.String())}
	}
	return out
}

// textsOf lists a text in its languages, or the one that is given without.
func textsOf(m map[string]string, plain string) dsp.Texts {
	var out dsp.Texts
	if len(m) == 0 && plain != "" {
		out = dsp.Texts{{Value: plain}}
	}
	for _, tag := range sortedKeys(m) {
		out = append(out, dsp.Text{Value: m[tag], Language: tag})
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
