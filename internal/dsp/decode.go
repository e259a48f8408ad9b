package dsp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"corridor"
)

// Decode reads one message of type T strictly and validates it:
//
//	m, err := dsp.Decode[dsp.ContractRequestMessage](body)
//
// Keys are matched exactly as the protocol writes them. An error is a
// *corridor.Error of kind Invalid, or Limited for what is too big, whose Where
// is the path of the field, such as "offer.permission[0].action".
func Decode[T any, P interface {
	*T
	Message
}](data []byte) (*T, error) {
	m := new(T)
	if err := decodeInto(data, limitOf(P(m)), m); err != nil {
		return nil, err
	}
	if r, ok := any(m).(interface{ isRoot() bool }); ok && !r.isRoot() {
		return nil, missing(&path{key: "@context"})
	}
	if err := P(m).Validate(); err != nil {
		return nil, err
	}
	if r, ok := any(m).(interface{ received([]byte) }); ok {
		r.received(data)
	}
	return m, nil
}

// Read reads one message of type T from a stream, never more than its limit.
func Read[T any, P interface {
	*T
	Message
}](r io.Reader) (*T, error) {
	limit := limitOf(P(new(T)))
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "reading the message: %w", err)
	}
	return Decode[T, P](data)
}

func limitOf(m Message) int {
	if _, ok := m.(*Catalog); ok {
		return MaxCatalog
	}
	return MaxMessage
}

// Encode validates a message and writes it with its context.
func Encode(m Message) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("own %s: %w", m.Type(), err)
	}
	if o, ok := m.(interface{ validateOut() error }); ok {
		if err := o.validateOut(); err != nil {
			return nil, fmt.Errorf("own %s: %w", m.Type(), err)
		}
	}
	if r, ok := m.(interface{ asRoot() Message }); ok {
		m = r.asRoot()
	}
	return marshal(m)
}

// marshal is json.Marshal without HTML escapes: addresses stay readable.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, corridor.E(corridor.Invalid, "writing JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func decodeInto(data []byte, limit int, into any) error {
	if len(data) > limit {
		return &corridor.Error{Kind: corridor.Limited, Msg: fmt.Sprintf("the message is over the limit of %d bytes", limit), Fix: "send less in one message"}
	}
	if !utf8.Valid(data) {
		return invalid("", "the message is not UTF-8", "")
	}
	if !json.Valid(data) {
		return invalid("", "the message is not JSON: "+syntax(data), "")
	}
	d := &decoder{data: data, plans: map[reflect.Type]*plan{}}
	if d.peek() != '{' {
		return invalid("", "the message is not a JSON object", "")
	}
	return d.value(reflect.ValueOf(into).Elem(), nil, 0)
}

func syntax(data []byte) string {
	var v any
	err := json.Unmarshal(data, &v)
	if err == nil { // json.Valid disagreed: it cannot, but nobody is harmed
		return "unreadable"
	}
	if se, ok := err.(*json.SyntaxError); ok {
		return fmt.Sprintf("%s at byte %d", se.Error(), se.Offset)
	}
	return err.Error()
}

// path is where the decoder is, linked to the outside so that it costs
// nothing until an error needs it.
type path struct {
	up  *path
	key string
	i   int
}

// String writes "offer.permission[0].action".
func (p *path) String() string {
	if p == nil {
		return ""
	}
	up := p.up.String()
	switch {
	case p.key == "":
		return up + "[" + strconv.Itoa(p.i) + "]"
	case up == "":
		return clip(p.key)
	}
	return up + "." + clip(p.key)
}

// plan is the members of a Go struct by their JSON names.
type plan struct {
	fields   map[string][]int
	required []string
	refused  map[string]string
	raw      []int // field that takes the object's own text
}

func (d *decoder) planOf(t reflect.Type) *plan {
	if p, ok := d.plans[t]; ok {
		return p
	}
	p := &plan{fields: map[string][]int{}}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch f.Tag.Get("dsp") {
		case "required":
			p.required = append(p.required, name)
		case "raw":
			p.raw = f.Index
		}
		if name != "" && name != "-" {
			p.fields[name] = f.Index
		}
	}
	if r, ok := reflect.Zero(t).Interface().(interface{ refuses() map[string]string }); ok {
		p.refused = r.refuses()
	}
	if d.plans == nil {
		d.plans = map[reflect.Type]*plan{}
	}
	d.plans[t] = p
	return p
}

// decoder walks text that json.Valid has accepted, so it needs no syntax
// errors of its own: every step stays within the text.
type decoder struct {
	data    []byte
	pos     int
	objects int
	plans   map[reflect.Type]*plan
}

type decodes interface {
	decode(d *decoder, at *path, depth int) error
}

func (d *decoder) value(v reflect.Value, at *path, depth int) error {
	if d.peek() == 'n' {
		return fieldErr(at, corridor.E(corridor.Invalid, "is null"), "leave the member out")
	}
	if v.CanAddr() {
		if own, ok := v.Addr().Interface().(decodes); ok {
			return own.decode(d, at, depth)
		}
	}
	switch v.Kind() {
	case reflect.String:
		s, err := d.text(at)
		v.SetString(s)
		return err
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem(), at, depth)
	case reflect.Struct:
		return d.object(v, at, depth)
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			start := d.pos
			err := d.skip(at, depth, isExtensionPath(at))
			v.SetBytes(bytes.Clone(d.data[start:d.pos]))
			return err
		}
		return d.list(v, at, depth)
	}
	return fieldErr(at, corridor.E(corridor.Internal, "cannot be read into %s", v.Type()), "")
}

func isExtensionPath(at *path) bool { return at != nil && isExtension(at.key) }

func (d *decoder) object(v reflect.Value, at *path, depth int) error {
	if d.peek() != '{' {
		return fieldErr(at, corridor.E(corridor.Invalid, "is not an object"), "")
	}
	start, p := d.pos, d.planOf(v.Type())
	seen := make(map[string]bool, len(p.required)+4)
	err := d.members(at, depth, func(key string, here *path) error {
		if seen[key] {
			return twice(here)
		}
		seen[key] = true
		if why, bad := p.refused[key]; bad {
			e := invalid(here.String(), "is not allowed here", "leave it out")
			e.Why = why
			return e
		}
		if i, ok := p.fields[key]; ok {
			return d.value(v.FieldByIndex(i), here, depth+1)
		}
		if err := checkKey(key, here); err != nil {
			return err
		}
		return d.skip(here, depth+1, isExtension(key))
	})
	if err != nil {
		return err
	}
	for _, name := range p.required {
		if !seen[name] {
			return missing(&path{up: at, key: name})
		}
	}
	if p.raw != nil {
		v.FieldByIndex(p.raw).SetBytes(bytes.Clone(d.data[start:d.pos]))
	}
	return nil
}

// checkKey refuses keys that only a JSON-LD processor could place.
func checkKey(key string, at *path) error {
	if strings.Contains(key, ":") && !isExtension(key) {
		return fieldErr(at, corridor.E(corridor.Invalid, "is a prefixed or full-IRI key, which this gateway does not expand"),
			"send the compact form of the context "+ContextURL)
	}
	return nil
}

// members walks one object; fn must consume each value.
func (d *decoder) members(at *path, depth int, fn func(key string, here *path) error) error {
	if err := d.enter(at, depth); err != nil {
		return err
	}
	d.pos++ // {
	for d.peek() != '}' {
		if d.peek() == ',' {
			d.pos++
			d.peek()
		}
		key := d.quoted()
		d.peek()
		d.pos++ // :
		d.peek()
		if err := fn(key, &path{up: at, key: key}); err != nil {
			return err
		}
	}
	d.pos++
	return nil
}

func (d *decoder) list(v reflect.Value, at *path, depth int) error {
	if d.peek() != '[' {
		return fieldErr(at, corridor.E(corridor.Invalid, "is not an array"), "put the value between [ and ]")
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	return d.elements(at, depth, func(here *path) error {
		v.Grow(1)
		v.SetLen(v.Len() + 1)
		return d.value(v.Index(v.Len()-1), here, depth+1)
	})
}

func (d *decoder) elements(at *path, depth int, fn func(here *path) error) error {
	if err := d.enter(at, depth); err != nil {
		return err
	}
	d.pos++ // [
	for i := 0; d.peek() != ']'; i++ {
		if d.peek() == ',' {
			d.pos++
			d.peek()
		}
		if d.objects++; d.objects > maxObjects {
			return tooMany(at)
		}
		if err := fn(&path{up: at, i: i}); err != nil {
			return err
		}
	}
	d.pos++
	return nil
}

func (d *decoder) enter(at *path, depth int) error {
	if depth >= maxDepth {
		return &corridor.Error{Kind: corridor.Limited, Msg: fmt.Sprintf("nested deeper than %d levels", maxDepth), Where: at.String()}
	}
	if d.objects++; d.objects > maxObjects {
		return tooMany(at)
	}
	return nil
}

// skip passes over a value. Repeated keys are refused even there; inside a
// free value (an extension's) any key may stand.
func (d *decoder) skip(at *path, depth int, free bool) error {
	switch d.peek() {
	case '{':
		seen := map[string]bool{}
		return d.members(at, depth, func(key string, here *path) error {
			if seen[key] {
				return twice(here)
			}
			seen[key] = true
			if !free {
				if err := checkKey(key, here); err != nil {
					return err
				}
			}
			return d.skip(here, depth+1, free || isExtension(key))
		})
	case '[':
		return d.elements(at, depth, func(here *path) error { return d.skip(here, depth+1, free) })
	case '"':
		d.quoted()
	default:
		for d.pos < len(d.data) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(d.data[d.pos])) {
			d.pos++
		}
	}
	return nil
}

// peek passes white space and gives the next byte, 0 at the end.
func (d *decoder) peek() byte {
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; c {
		case ' ', '\t', '\r', '\n':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

func (d *decoder) text(at *path) (string, error) {
	if d.peek() != '"' {
		return "", fieldErr(at, corridor.E(corridor.Invalid, "is not text"), `put the value between quotes`)
	}
	return d.quoted(), nil
}

// quoted reads the string that starts here.
func (d *decoder) quoted() string {
	start := d.pos
	for d.pos++; d.pos < len(d.data) && d.data[d.pos] != '"'; d.pos++ {
		if d.data[d.pos] == '\\' {
			d.pos++
		}
	}
	d.pos = min(d.pos+1, len(d.data))
	lit := d.data[start:d.pos]
	if !bytes.Contains(lit, []byte{'\\'}) && len(lit) >= 2 {
		return string(lit[1 : len(lit)-1])
	}
	var s string
	if json.Unmarshal(lit, &s) != nil {
		return ""
	}
	return s
}
