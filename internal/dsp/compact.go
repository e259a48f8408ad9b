package dsp

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"corridor"
)

// compactor writes an expanded node in the compact form. It does not use the
// compaction of JSON-LD: that keeps a value in the form in which it came, and
// would write a text that came as {"@value": ...} under a prefixed name. Here
// the Go type that is read afterwards says what belongs where; whatever does
// not fit is written as it is, for the strict reader to refuse it by its place.
type compactor struct {
	voc    *vocabulary
	fields map[reflect.Type]map[string]member
}

// member is a field of a wire type, by its IRI.
type member struct {
	name string
	typ  reflect.Type
	word bool
}

func (c *compactor) membersOf(t reflect.Type) map[string]member {
	if out, ok := c.fields[t]; ok {
		return out
	}
	out := map[string]member{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || name[0] == '@' || isExtension(name) {
			continue
		}
		def := c.voc.named(t.Name(), name)
		out[def.iri] = member{name: name, typ: f.Type, word: def.word}
	}
	c.fields[t] = out
	return out
}

func (c *compactor) node(t reflect.Type, n map[string]any, at *path) (map[string]any, error) {
	out := make(map[string]any, len(n))
	_, message := reflect.New(t).Interface().(Message)
	_, described := reflect.Zero(t).Interface().(interface{ described() })
	members := c.membersOf(t)
	for _, iri := range slices.Sorted(maps.Keys(n)) {
		v, name := n[iri], c.voc.short(iri)
		here := at.member(name)
		m, known := members[iri]
		switch {
		case iri == "@id":
			out[iri] = v
		case iri == "@type":
			if _, typed := t.FieldByName("Tag"); !typed {
				continue
			}
			var err error
			if out[iri], err = c.tag(t.Name(), v, here); err != nil {
				return nil, err
			}
		case known:
			value, err := c.value(m, listOf(v), at.member(m.name))
			if err != nil {
				return nil, err
			}
			if value != nil {
				out[m.name] = value
			}
		case isExtension(iri):
			return nil, invalid(here.String(), "is a member of Corridor's own under another name", "send the message in the compact form")
		case c.meant(members, iri):
			return nil, invalid(here.String(), "has no meaning here: the message's context does not define it at this place",
				`write "@type": "`+t.Name()+`" without prefix, or the member with its prefix`)
		case message && !described && c.foreign(iri):
			// Another vocabulary adds nothing to what the protocol says.
		default:
			out[name] = c.raw(v)
		}
	}
	return out, nil
}

// meant says whether an undefined name is that of a member which is defined
// under another.
func (c *compactor) meant(members map[string]member, iri string) bool {
	name, plain := strings.CutPrefix(iri, plainSpace)
	if !plain {
		return false
	}
	for _, m := range members {
		if m.name == name {
			return true
		}
	}
	return false
}

// foreign says whether an IRI belongs to a vocabulary that the protocol does
// not use.
func (c *compactor) foreign(iri string) bool {
	for _, space := range c.voc.prefixes {
		if strings.HasPrefix(iri, space) {
			return false
		}
	}
	return !strings.HasPrefix(iri, plainSpace)
}

// tag picks the type that is expected here, if the node has it.
func (c *compactor) tag(want string, v any, at *path) (any, error) {
	var names []any
	for _, e := range listOf(v) {
		text, _ := e.(string)
		if strings.HasPrefix(text, plainSpace) {
			return nil, invalid(at.String(), strconv.Quote(clip(c.voc.short(text)))+" has no meaning here: the message's context does not define it", "name the context "+ContextURL)
		}
		_, name, _ := strings.Cut(c.voc.short(text), ":")
		if name == want {
			return want, nil
		}
		names = append(names, c.voc.short(text))
	}
	if len(names) == 1 {
		return names[0], nil
	}
	return names, nil
}

func (c *compactor) value(m member, list []any, at *path) (any, error) {
	t := m.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[[]json.RawMessage]():
		return c.filter(list), nil
	case t == reflect.TypeFor[ServiceRef]():
		return c.service(list, at)
	case t == reflect.TypeFor[Strings]():
		return each(list, func(v any) (any, error) { return c.text(v, m.word), nil })
	case reflect.PointerTo(t).Implements(reflect.TypeFor[decodes]()) || t == reflect.TypeFor[json.RawMessage]():
		if t.Kind() == reflect.Slice && t != reflect.TypeFor[json.RawMessage]() {
			return each(list, func(v any) (any, error) { return c.raw(v), nil })
		}
		return oneOf(list, func(v any) (any, error) { return c.raw(v), nil })
	case t.Kind() == reflect.Slice:
		return each(list, func(v any) (any, error) { return c.child(t.Elem(), v, at) })
	case t.Kind() == reflect.Struct:
		return oneOf(list, func(v any) (any, error) { return c.child(t, v, at) })
	case t.Kind() == reflect.String:
		return oneOf(list, func(v any) (any, error) { return c.text(v, m.word), nil })
	}
	return nil, corridor.E(corridor.Internal, "%s: %s is not written in the compact form", at, t)
}

// service is an identifier, or a service in full.
func (c *compactor) service(list []any, at *path) (any, error) {
	return oneOf(list, func(v any) (any, error) {
		if n, ok := v.(map[string]any); ok && (len(n) > 1 || n["@id"] == nil) && n["@value"] == nil {
			return c.node(reflect.TypeFor[DataService](), n, at)
		}
		return c.text(v, false), nil
	})
}

func (c *compactor) child(t reflect.Type, v any, at *path) (any, error) {
	n, ok := v.(map[string]any)
	if _, value := n["@value"]; !ok || value || n["@id"] == nullMark {
		return c.raw(v), nil
	}
	return c.node(t, n, at)
}

// text is the text of a value or the IRI of a reference; a word is written by
// its name.
func (c *compactor) text(v any, word bool) any {
	m, _ := v.(map[string]any)
	got, ok := m["@value"].(string)
	if id, isRef := m["@id"].(string); isRef && len(m) == 1 {
		got, ok = id, true
	}
	switch {
	case !ok || got == nullMark:
		return c.raw(v)
	case word:
		return c.voc.word(got)
	}
	return got
}

// raw writes what has no type of ours: values bare where they have no type or
// language, names short.
func (c *compactor) raw(v any) any {
	switch x := v.(type) {
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = c.raw(e)
		}
		return out
	case map[string]any:
		if x["@value"] == nullMark || x["@id"] == nullMark {
			return json.RawMessage("null")
		}
		if value, ok := x["@value"]; ok && len(x) == 1 {
			return value
		}
		if list, ok := x["@list"]; ok && len(x) == 1 {
			return c.raw(list)
		}
		out := make(map[string]any, len(x))
		for key, e := range x {
			if text, ok := e.(string); ok && key == "@type" {
				out[key] = c.voc.short(text)
				continue
			}
			out[c.voc.short(key)] = c.raw(e)
		}
		return out
	}
	return v
}

// filter writes the expressions of a catalogue request: members have one value
// unless they are lists by their nature. An empty expression says nothing.
func (c *compactor) filter(list []any) any {
	var out []any
	for _, e := range list {
		if m, ok := e.(map[string]any); ok && len(m) == 0 {
			continue
		}
		out = append(out, c.expression(e))
	}
	if out == nil {
		return nil
	}
	return out
}

func (c *compactor) expression(v any) any {
	m, ok := v.(map[string]any)
	if _, value := m["@value"]; !ok || value {
		return c.raw(v)
	}
	out := make(map[string]any, len(m))
	for key, e := range m {
		name := local(c.voc.short(key))
		list := listOf(e)
		switch {
		case key == "@id":
			out[key] = e
		case key == "@type" && len(list) == 1:
			text, _ := list[0].(string)
			out[key] = local(c.voc.short(text))
		case name == "filterExpression" || len(list) != 1:
			out[name], _ = each(list, func(v any) (any, error) { return c.expression(v), nil })
		default:
			out[name] = c.operand(list[0])
		}
	}
	return out
}

// operand is one side of a comparison, or the comparison.
func (c *compactor) operand(v any) any {
	if m, ok := v.(map[string]any); ok {
		if id, isRef := m["@id"].(string); isRef && len(m) == 1 {
			return c.voc.word(id)
		}
	}
	return c.expression(v)
}

// local cuts the prefix off a name of an expression.
func local(name string) string {
	for _, prefix := range []string{"odrl:", "dspace:", "edc:"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return rest
		}
	}
	return name
}

func listOf(v any) []any {
	list, ok := v.([]any)
	if !ok {
		return []any{v}
	}
	if len(list) == 1 {
		if m, isMap := list[0].(map[string]any); isMap {
			if inner, isList := m["@list"].([]any); isList {
				return inner
			}
		}
	}
	return list
}

// each writes a list; an empty one is left out, as the protocol wants.
func each(list []any, write func(any) (any, error)) (any, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make([]any, len(list))
	for i, v := range list {
		var err error
		if out[i], err = write(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// oneOf writes the one value of a member; several stay several, for the strict
// reader to refuse.
func oneOf(list []any, write func(any) (any, error)) (any, error) {
	if len(list) == 1 {
		return write(list[0])
	}
	return each(list, write)
}
