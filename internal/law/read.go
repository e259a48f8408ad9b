package law

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"corridor"
)

// Limits on what a pack author can send. A file over them is refused before
// it is understood.
const (
	maxFile    = 1 << 20
	maxNesting = 24
	maxErrors  = 100 // per file
	maxName    = 120
	maxText    = 8000
	maxNames   = 300    // of one list of names
	maxItems   = 10_000 // of one list or mapping
)

// place is where something was written.
type place struct {
	file      string
	line, col int
}

func (p place) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.col)
}

// reader decodes one file node by node. It collects complaints, each with its
// line and column, so that one run reports all of them.
type reader struct {
	file string
	img  *image // nil: trees are neither taken from an image nor kept for one
	errs []error
}

func (r *reader) at(n *yaml.Node) place { return place{r.file, n.Line, n.Column} }

func (r *reader) fail(n *yaml.Node, fix, format string, args ...any) {
	r.failAt(r.at(n), fix, format, args...)
}

func (r *reader) failAt(p place, fix, format string, args ...any) {
	if len(r.errs) > maxErrors {
		return
	}
	e := corridor.E(corridor.Invalid, format, args...)
	e.Where, e.Fix = p.String(), fix
	if len(r.errs) == maxErrors {
		e.Msg, e.Fix = "more errors follow", "repair these first"
	}
	r.errs = append(r.errs, e)
}

// full says that enough is wrong with the file: what would look for more only
// costs time.
func (r *reader) full() bool { return len(r.errs) > maxErrors }

// parse reads exactly one YAML document and refuses what a careful reader
// could misread: anchors, aliases, merge keys and tags.
func (r *reader) parse(data []byte) *yaml.Node {
	if root := r.img.root(r.file); root != nil {
		return root
	}
	root := r.parseText(data)
	if root != nil {
		r.img.keepRoot(r.file, root)
	}
	return root
}

func (r *reader) parseText(data []byte) *yaml.Node {
	if len(data) > maxFile {
		r.failAt(place{file: r.file}, "split the file", "%d bytes are over the limit of %d", len(data), maxFile)
		return nil
	}
	loader, err := yaml.NewLoader(strings.NewReader(string(data)), yaml.WithUniqueKeys(false))
	if err != nil {
		r.failAt(place{file: r.file}, "", "YAML: %w", err)
		return nil
	}
	var doc, more yaml.Node
	if err := loader.Load(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		r.failAt(place{file: r.file}, "", "YAML: %w", err)
		return nil
	}
	if err := loader.Load(&more); !errors.Is(err, io.EOF) {
		r.fail(&more, "keep one document per file", "a second YAML document")
		return nil
	}
	root := &doc
	if doc.Kind == yaml.DocumentNode {
		if len(doc.Content) != 1 {
			r.failAt(place{file: r.file}, "", "YAML: the file is empty")
			return nil
		}
		root = doc.Content[0]
	}
	if !r.plain(root, 0) {
		return nil
	}
	return root
}

func (r *reader) plain(n *yaml.Node, depth int) bool {
	switch {
	case depth > maxNesting:
		r.fail(n, "", "nested deeper than %d levels", maxNesting)
		return false
	case n.Kind == yaml.AliasNode:
		r.fail(n, "write the value out", "an alias (*%s)", n.Value)
		return false
	case n.Anchor != "":
		r.fail(n, "write the value out where it is needed", "an anchor (&%s)", n.Anchor)
		return false
	case n.Style&yaml.TaggedStyle != 0:
		r.fail(n, "remove the tag", "an explicit tag %s", n.Tag)
		return false
	}
	ok := true
	for _, kid := range n.Content {
		ok = r.plain(kid, depth+1) && ok
	}
	return ok
}

// field is one key of an object and what reads it.
type field struct {
	key  string
	need bool
	read func(*yaml.Node)
}

// object reads a mapping with known keys only.
func (r *reader) object(n *yaml.Node, what string, fields ...field) {
	seen := map[string]bool{}
	r.entries(n, what, func(k, v *yaml.Node) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == k.Value })
		if i < 0 {
			names := make([]string, len(fields))
			for j, f := range fields {
				names[j] = f.key
			}
			r.fail(k, didYouMean(k.Value, names), "unknown key %q in %s", k.Value, what)
			return
		}
		seen[k.Value] = true
		fields[i].read(v)
	})
	if n.Kind != yaml.MappingNode {
		return
	}
	for _, f := range fields {
		if f.need && !seen[f.key] {
			r.fail(n, "", "%s has no %q", what, f.key)
		}
	}
}

// entries reads a mapping whose keys are names; a repeated key is refused.
func (r *reader) entries(n *yaml.Node, what string, each func(k, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, "", "%s must be a mapping, not %s", what, kindName(n))
		return
	}
	if len(n.Content)/2 > maxItems {
		r.fail(n, "split the file", "%s has more than %d entries", what, maxItems)
		return
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content) && !r.full(); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			r.fail(k, "", "a key in %s must be a word", what)
			continue
		}
		if k.ShortTag() == "!!merge" {
			r.fail(k, "write the keys out", "a merge key in %s", what)
			continue
		}
		if line, dup := seen[k.Value]; dup {
			r.fail(k, "", "key %q occurs twice in %s (first in line %d)", k.Value, what, line)
			continue
		}
		seen[k.Value] = k.Line
		each(k, n.Content[i+1])
	}
}

func (r *reader) list(n *yaml.Node, what string, each func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		r.fail(n, "", "%s must be a list, not %s", what, kindName(n))
		return
	}
	if len(n.Content) > maxItems {
		r.fail(n, "split the file", "%s has more than %d entries", what, maxItems)
		return
	}
	for _, kid := range n.Content {
		if r.full() {
			return
		}
		each(kid)
	}
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

// str reads text; a bare number or yes/no must be quoted, so that nothing is
// read as something else.
func (r *reader) str(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		r.fail(n, "write it in quotes", "%s must be text, not %s", what, kindName(n))
		return ""
	}
	if len(n.Value) > maxText {
		r.fail(n, "", "%s is longer than %d bytes", what, maxText)
		return ""
	}
	return n.Value
}

// name reads an identifier of the pack format.
func (r *reader) name(n *yaml.Node, what string) string {
	s := r.str(n, what)
	if s != "" && !isName(s) {
		r.fail(n, "use letters, digits, '.', '_' and '-'", "%s %q is not a name", what, s)
	}
	return s
}

func isName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

func (r *reader) names(n *yaml.Node, what string) []string {
	var out []string
	if len(n.Content) > maxNames {
		r.fail(n, "split the list", "%s has more than %d names", what, maxNames)
		return nil
	}
	r.list(n, what, func(kid *yaml.Node) {
		s := r.name(kid, "a member of "+what)
		if slices.Contains(out, s) {
			r.fail(kid, "", "%q occurs twice in %s", s, what)
			return
		}
		out = append(out, s)
	})
	return out
}

func (r *reader) integer(n *yaml.Node, what string) int64 {
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil {
		r.fail(n, "", "%s must be a whole number, not %s", what, kindName(n))
		return 0
	}
	return v
}

func (r *reader) boolean(n *yaml.Node, what string) bool {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && (n.Value == "true" || n.Value == "false") {
		return n.Value == "true"
	}
	r.fail(n, "", "%s must be true or false, not %s", what, kindName(n))
	return false
}

func (r *reader) date(n *yaml.Node, what string) corridor.Date {
	d, err := corridor.ParseDate(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		r.fail(n, "write it as YYYY-MM-DD", "%s must be a date, not %s", what, kindName(n))
	}
	return d
}

// choice reads one of a few words.
func (r *reader) choice(n *yaml.Node, what string, words ...string) string {
	s := r.str(n, what)
	if s != "" && !slices.Contains(words, s) {
		r.fail(n, didYouMean(s, words), "%s cannot be %q", what, s)
		return ""
	}
	return s
}

// text reads a sentence in the languages of the product; all are required.
func (r *reader) text(n *yaml.Node, what string, more ...field) corridor.Text {
	var t corridor.Text
	lang := func(key string, to *string, need bool) field {
		return field{key, need, func(v *yaml.Node) {
			*to = r.str(v, what+" in "+key)
			if strings.TrimSpace(*to) == "" && v.ShortTag() == "!!str" {
				r.fail(v, "", "%s is empty in %s", what, key)
			}
		}}
	}
	r.object(n, what, append(more, lang("original", &t.Original, false), lang("en", &t.EN, true), lang("zh", &t.ZH, true), lang("ru", &t.RU, true))...)
	return t
}

// period is a span of days, both ends included; zero is open.
type period struct{ from, to corridor.Date }

func (p period) covers(d corridor.Date) bool {
	return (p.from == 0 || d >= p.from) && (p.to == 0 || d <= p.to)
}

func (r *reader) period(n *yaml.Node, what string) period {
	var p period
	r.object(n, what,
		field{"from", true, func(v *yaml.Node) { p.from = r.date(v, what+" from") }},
		field{"to", false, func(v *yaml.Node) { p.to = r.date(v, what+" to") }})
	r.ordered(n, what, p)
	return p
}

func (r *reader) ordered(n *yaml.Node, what string, p period) {
	if p.to != 0 && p.to < p.from {
		r.fail(n, "exchange the dates", "%s ends %s before it begins %s", what, p.to, p.from)
	}
}
