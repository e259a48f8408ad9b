package dsp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/piprate/json-gold/ld"

	"corridor"
)

// Limits on a message that has to be expanded: work that one in the compact
// form does not ask for.
const (
	maxExpanded        = 1_000 // objects of a message
	maxExpandedCatalog = 5_000 // objects of a catalogue page
	maxContexts        = 32    // contexts that a message names or carries
	maxTerms           = 256   // names that they define
)

// decodeTolerant reads a message that the strict reader refused: one that is
// written with prefixes, in full, with other names of its own context, or with
// values as objects. It is expanded with the pinned contexts, written in the
// compact form, and read by the strict reader again, which judges it like any
// other. What is signed is never expanded: a message with members of
// Corridor's own is read strictly or not at all.
//
// A message that is refused for what it says, not for how it is written, keeps
// the strict reader's error.
func decodeTolerant[T any, P interface {
	*T
	Message
}](data []byte, strict error) (*T, error) {
	if corridor.KindOf(strict) != corridor.Invalid {
		return nil, strict
	}
	tree, err := parseTree(data, strict)
	if err != nil {
		return nil, err
	}
	voc, err := pinned()
	if err != nil {
		return nil, err
	}
	s := &survey{voc: voc, limit: maxExpanded, compact: true}
	if limitOf(P(new(T))) == MaxCatalog {
		s.limit = maxExpandedCatalog
	}
	err = s.look(tree, nil)
	switch {
	case err != nil && s.compact:
		return nil, strict
	case err != nil:
		return nil, err
	case s.unknown != nil && s.compact && whereOf(strict) != "@context":
		return nil, strict
	case s.unknown != nil:
		return nil, s.unknown
	}
	plain, err := voc.compacted(tree, reflect.TypeFor[T]())
	if err == nil {
		var m *T
		if m, err = decodeStrict[T, P](plain); err == nil {
			return m, nil
		}
	}
	if s.compact {
		return nil, strict
	}
	return nil, err
}

func whereOf(err error) string {
	var e *corridor.Error
	if errors.As(err, &e) {
		return e.Where
	}
	return ""
}

// parseTree reads JSON that no two readers take for different things. What is
// not JSON at all keeps the error that it has.
func parseTree(data []byte, already error) (any, error) {
	if c := first(data); len(data) > MaxCatalog || !utf8.Valid(data) || !json.Valid(data) || c != '{' && c != '[' {
		return nil, already
	}
	if err := (&decoder{data: data}).skip(nil, 0, true); err != nil { // a key twice, too deep, too much
		if first(data) == '[' {
			return nil, already
		}
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, corridor.E(corridor.Invalid, "the message is not JSON: %w", err)
	}
	return tree, nil
}

// nullMark stands for null while a message is expanded: JSON-LD would drop the
// member, and the strict reader shall refuse it where it matters.
const nullMark = "urn:corridor:null"

// survey looks at a message before it is expanded: what the processor would
// have to do is bounded, and what it would drop without a word is refused.
type survey struct {
	voc             *vocabulary
	limit           int
	nodes           int
	contexts, terms int
	compact         bool  // nothing in it needs expansion but the shape of values
	unknown         error // a context that is not pinned
}

func (s *survey) look(v any, at *path) error {
	switch x := v.(type) {
	case string, bool, json.Number:
		return nil
	case []any:
		for i, e := range x {
			if e == nil {
				x[i] = nullMark
				continue
			}
			if err := s.look(e, &path{up: at, i: i}); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		return s.object(x, at)
	}
	return fieldErr(at, corridor.E(corridor.Internal, "is a %T", v), "")
}

func (s *survey) object(m map[string]any, at *path) error {
	if s.nodes++; s.nodes > s.limit {
		return &corridor.Error{Kind: corridor.Limited, Where: at.String(), Msg: fmt.Sprintf("the message has to be expanded and holds more than %d objects", s.limit),
			Fix: "send the compact form of the context " + ContextURL + ", or less in one message"}
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		v, here := m[key], at.member(key)
		switch {
		case key == "@context":
			if err := s.context(v, here); err != nil {
				return err
			}
			continue
		case isExtension(key):
			return invalid(here.String(), "stands in a message that is not in the compact form: what is signed is never expanded", "send the compact form of the context "+ContextURL)
		case strings.HasPrefix(key, "@"):
			if err := keyword(key, here); err != nil {
				s.compact = false
				return err
			}
		case strings.Contains(key, ":"):
			s.compact = false
			if name, own := s.voc.own(key); own && m[name] != nil {
				return invalid(here.String(), "says again what "+strconv.Quote(name)+" says", "say it once: two readers could pick different ones")
			}
		}
		if text, ok := v.(string); ok && key == "@type" && strings.Contains(text, ":") {
			s.compact = false
		}
		if v == nil {
			m[key] = nullMark
			continue
		}
		if err := s.look(v, here); err != nil {
			return err
		}
	}
	return nil
}

func keyword(key string, at *path) error {
	switch key {
	case "@id", "@type", "@value", "@language", "@list", "@set":
		return nil
	}
	return invalid(at.String(), "is a keyword of JSON-LD that is not read here", "send the compact form of the context "+ContextURL)
}

// context judges what stands at "@context".
func (s *survey) context(v any, at *path) error {
	if list, ok := v.([]any); ok {
		for i, e := range list {
			if _, nested := e.([]any); nested {
				s.compact = false
				return invalid(at.String(), "is an array in an array", "")
			}
			if err := s.context(e, &path{up: at, i: i}); err != nil {
				return err
			}
		}
		return nil
	}
	if s.contexts++; s.contexts > maxContexts {
		return &corridor.Error{Kind: corridor.Limited, Where: at.String(), Msg: fmt.Sprintf("the message has more than %d contexts", maxContexts), Fix: "define all names once, at the top"}
	}
	switch c := v.(type) {
	case string:
		if _, known := s.voc.documents[c]; !known && s.unknown == nil {
			s.unknown = s.voc.unknownContext(at, c)
		}
		return nil
	case map[string]any:
		s.compact = false
		return s.definitions(c, at)
	}
	s.compact = false
	return invalid(at.String(), "is neither the address of a context nor an object", "")
}

func (s *survey) definitions(c map[string]any, at *path) error {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		def, here := c[name], at.member(name)
		if s.terms++; s.terms > maxTerms {
			return &corridor.Error{Kind: corridor.Limited, Where: at.String(), Msg: fmt.Sprintf("the message's contexts define more than %d names", maxTerms), Fix: "define fewer"}
		}
		switch name {
		case "@version", "@protected":
			continue
		case "@vocab":
			if text, ok := def.(string); !ok || !strings.Contains(text, ":") {
				return invalid(here.String(), "is not an IRI", "")
			}
			continue
		}
		if strings.HasPrefix(name, "@") {
			return notInContext(here)
		}
		if err := definition(def, here); err != nil {
			return err
		}
	}
	return nil
}

// definition judges how one name is defined. What makes a context work at some
// places only, or lets a name vanish, is refused.
func definition(def any, at *path) error {
	if text, ok := def.(string); ok {
		return meaning(text, at)
	}
	m, ok := def.(map[string]any)
	if !ok {
		return invalid(at.String(), "does not say what the name means", "write an IRI")
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		v, here := m[key], at.member(key)
		text, _ := v.(string)
		switch {
		case key == "@protected", key == "@prefix":
		case key == "@id" && text != "":
			if err := meaning(text, here); err != nil {
				return err
			}
		case key == "@type" && (text == "@id" || text == "@vocab" || text != "" && text[0] != '@'):
		case key == "@container" && (text == "@set" || text == "@list"):
		default:
			return notInContext(here)
		}
	}
	return nil
}

func meaning(text string, at *path) error {
	if strings.HasPrefix(text, "@") && text != "@id" && text != "@type" && text != "@value" {
		return notInContext(at)
	}
	return nil
}

func notInContext(at *path) error {
	return invalid(at.String(), "is a feature of JSON-LD contexts that is not read here", "define names by @vocab, prefixes and IRIs, with @type, @container @set or @list")
}

// compacted expands a message and writes it in the compact form that a type
// of the protocol is read from.
func (v *vocabulary) compacted(tree any, t reflect.Type) ([]byte, error) {
	node, err := v.expand(tree)
	if err != nil {
		return nil, err
	}
	out, err := (&compactor{voc: v, fields: map[reflect.Type]map[string]member{}}).node(t, node, nil)
	if err != nil {
		return nil, err
	}
	out["@context"] = []string{ContextURL}
	return marshal(out)
}

// expand gives the one node that a message is.
func (v *vocabulary) expand(tree any) (node map[string]any, err error) {
	defer func() { // the processor reads foreign text: a bug in it is the message's end, not the node's
		if p := recover(); p != nil {
			node, err = nil, invalid("", "the message cannot be expanded", "send the compact form of the context "+ContextURL)
		}
	}()
	opts := ld.NewJsonLdOptions("")
	opts.DocumentLoader = v
	opts.ExpandContext = map[string]any{"@vocab": plainSpace}
	list, err := ld.NewJsonLdProcessor().Expand(tree, opts)
	if err != nil {
		return nil, invalid("@context", "the message cannot be expanded: "+clip(err.Error()), "send the compact form of the context "+ContextURL)
	}
	if len(list) == 1 {
		if node, ok := list[0].(map[string]any); ok {
			return node, nil
		}
	}
	return nil, invalid("", fmt.Sprintf("the message is %d nodes where one belongs", len(list)), "send one message at a time")
}
