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

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"

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

// sep stands between the parts of a list.
func (w words) sep() string {
	if w.lang == "zh" {
		return "；"
	}
	return "; "
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
	t, err := template.New(name).Funcs(template.FuncMap{"say": w.say, "text": w.text, "country": w.country, "article": w.article, "lang": func() string { return w.lang }, "sep": w.sep,
		"rows": func(page, list any, title string) rows { return rows{page, list, title} }}).ParseFS(files, name, "sheet.tmpl")
	if err != nil {
		return corridor.E(corridor.Internal, "page %s: %w", name, err)
	}
	shown := transform.NewWriter(out, runes.Map(legible))
	if err := t.Execute(shown, data); err != nil {
		return corridor.E(corridor.Internal, "page %s: %w", name, err)
	}
	return shown.Close()
}

// legible shows where a value holds a character that cannot be seen, or that
// turns the direction of what follows: a paper that somebody signs says what
// it seems to say. Joiners stay, which Persian needs.
func legible(r rune) rune {
	switch {
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\u200b', r == '\u2060', r == '\ufeff', r >= '\U000e0000' && r <= '\U000e007f':
		return '\ufffd'
	}
	return r
}
