package catalog

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// vocabulary is a namespace, the prefixes that are written for it, and what
// those of its properties are called here that a filter can ask for. Only
// properties are listed that say of a dataset in our catalogue exactly what our
// name says: dct:format, which is there the way of transfer, is not.
type vocabulary struct {
	space    string
	prefixes []string
	names    map[string]string
}

// edcNames is what EDC puts before the names that it is given without one, and
// before those of its own properties.
const edcNames = "https://w3id.org/edc/v0.0.1/ns/"

func vocabularies() []vocabulary {
	ours := map[string]string{}
	for _, x := range fields() {
		ours[x.name] = x.name
	}
	return []vocabulary{
		{space: "http://purl.org/dc/terms/", prefixes: []string{"dct:", "dcterms:"}, names: map[string]string{
			"title": "title", "language": "language", "publisher": "publisher", "spatial": "country", "license": "licence"}},
		{space: "http://www.w3.org/ns/dcat#", prefixes: []string{"dcat:"}, names: map[string]string{"keyword": "keyword", "theme": "theme"}},
		{space: edcNames, prefixes: []string{"edc:"}, names: ours},
	}
}

// plainName gives the name here of a property that is written with a prefix or
// in full. Any other name comes back as it is.
func plainName(name string) string {
	if name == "@id" {
		return "id"
	}
	for _, v := range vocabularies() {
		for _, before := range append(v.prefixes, v.space) {
			if local, ok := strings.CutPrefix(name, before); ok && v.names[local] != "" {
				return v.names[local]
			}
		}
	}
	return name
}

// plainValue gives the code of a theme, a country or a language whose IRI the
// catalogue shows. Any other value comes back as it is.
func plainValue(kind, value string) string {
	switch kind {
	case kindTheme:
		return themeCode(value)
	case kindCountry:
		return countryCode(value)
	case kindLanguage:
		if code, ok := strings.CutPrefix(value, languageIRI); ok {
			if base, err := language.ParseBase(strings.ToLower(code)); err == nil {
				return base.String()
			}
		}
	}
	return value
}

// themeCode shortens the IRI of an EU data theme.
func themeCode(iri string) string {
	if code, ok := strings.CutPrefix(iri, themeIRI); ok && slices.Contains(strings.Fields(themes), code) {
		return code
	}
	return iri
}

// countryCode shortens the IRI of a country in the EU's list.
func countryCode(iri string) string {
	if code, ok := strings.CutPrefix(iri, countryIRI); ok && len(code) == 3 {
		if r, err := language.ParseRegion(code); err == nil && r.IsCountry() {
			return r.String()
		}
	}
	return iri
}

// baseOf is the language of a tag without script, country and variant.
func baseOf(tag string) string {
	t, err := language.Parse(tag)
	if err != nil || t == language.Und {
		return tag
	}
	base, _ := t.Base()
	return base.String()
}
