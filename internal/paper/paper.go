// Package paper turns what the law engine says into pages that a person
// prints, files or shows: self-contained HTML and SVG in English, Chinese and
// Russian, with no script and nothing to fetch. The same input gives the same
// bytes.
package paper

import (
	"embed"
	"html/template"
	"io"
	"strings"

	"golang.org/x/text/language"

	"corridor"
)

//go:embed *.tmpl
var files embed.FS

// words speaks one language.
type words struct {
	lang      string
	texts     map[string]corridor.Text
	countries Countries
}

func newWords(lang string, texts map[string]corridor.Text) words {
	if _, err := language.Parse(lang); err != nil {
		lang = "en"
	}
	return words{lang, texts, NewCountries(lang)}
}

// say gives the text of a key; a key without a text shows itself.
func (w words) say(key string) string {
	if t, ok := w.texts[key]; ok {
		return t.In(w.lang)
	}
	return strings.ReplaceAll(key, "_", " ")
}

func (w words) text(t corridor.Text) string { return t.In(w.lang) }

// country writes a state's name in the language of the page.
func (w words) country(code string) string {
	if code == string(corridor.Treaty) {
		return w.say("treaties")
	}
	return w.countries.Name(code)
}

// article writes one citation: the instrument's title and the article.
func (w words) article(c corridor.Citation) string {
	title := c.Title.In(w.lang)
	if title == "" {
		title = c.Instrument
	}
	if c.Article == "" || c.Article == "-" {
		return title
	}
	return w.provision(title, c.Article)
}

// rows is a table of facts under a heading, with the page around it.
type rows struct {
	Page  any
	List  any
	Title string
}

// render fills a template of this package.
func (w words) render(out io.Writer, name string, data any) error {
	t, err := template.New(name).Funcs(template.FuncMap{"say": w.say, "text": w.text, "country": w.country, "article": w.article, "lang": func() string { return w.lang },
		"rows": func(page, list any, title string) rows { return rows{page, list, title} }}).ParseFS(files, name, "sheet.tmpl")
	if err != nil {
		return corridor.E(corridor.Internal, "page %s: %w", name, err)
	}
	if err := t.Execute(out, data); err != nil {
		return corridor.E(corridor.Internal, "page %s: %w", name, err)
	}
	return nil
}
