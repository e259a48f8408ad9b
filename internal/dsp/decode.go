package dsp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"corridor"
)

// Decode reads one message of type T strictly and validates it:
//
//	m, err := dsp.Decode[dsp.ContractRequestMessage](body)
//
// Keys are matched exactly as the protocol writes them; a message that is
// refused so and is written in another form of JSON-LD is brought into this
// one first. An error is a *corridor.Error of kind Invalid, or Limited for what
// is too big, whose Where is the path of the field, such as
// "offer.permission[0].action".
func Decode[T any, P interface {
	*T
	Message
}](data []byte) (*T, error) {
	m, err := decodeStrict[T, P](data)
	if err != nil {
		if m, err = decodeTolerant[T, P](data, err); err != nil {
			return nil, err
		}
	}
	if r, ok := any(m).(interface{ received([]byte) }); ok {
		r.received(data)
	}
	return m, nil
}

// decodeStrict reads a message in the compact form.
func decodeStrict[T any, P interface {
	*T
	Message
}](data []byte) (*T, error) {
	m := new(T)
	if err := decodeInto(data, limitOf(P(m)), m); err != nil {
		return nil, err
	}
	if r, ok := any(m).(interface{ isRoot() bool }); ok && !r.isRoot() {
		return nil, missing((*path)(nil).member("@context"))
	}
	if err := P(m).Validate(); err != nil {
		return nil, err
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
	if !wellFormed(data) {
		return invalid("", "the message is not JSON: "+syntax(data), "")
	}
	d := &decoder{data: data}
	if d.peek() != '{' {
		return invalid("", "the message is not a JSON object", "")
	}
	return d.value(reflect.ValueOf(into).Elem(), nil, 0)
}

// path is where the decoder is, linked to the outside so that it costs little
// until an error needs it. One that a callback gets is good until it returns.
type path struct {
	up  *path
	key []byte
	i   int
}

// member is the path of a member by name.
func (p *path) member(name string) *path { return &path{up: p, key: []byte(name)} }

// String writes "offer.permission[0].action".
func (p *path) String() string {
	if p == nil {
		return ""
	}
	up := p.up.String()
	switch {
	case len(p.key) == 0:
		return up + "[" + strconv.Itoa(p.i) + "]"
	case up == "":
		return clip(string(p.key))
	}
	return up + "." + clip(string(p.key))
}

// plan is the members of a Go struct by their JSON names.
type plan struct {
	fields   map[string]*planned
	required []*planned
	refused  map[string]string
	open     bool  // may carry members of any vocabulary
	raw      []int // field that takes the object's own text
}

// planned is one member of a plan.
type planned struct {
	name  string
	index []int
	n     int // its place among the members
}

// plans keeps the plan of every type that was read. A type never changes.
var plans sync.Map // reflect.Type -> *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{fields: map[string]*planned{}}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		made := &planned{name: name, index: f.Index, n: len(p.fields)}
		switch f.Tag.Get("dsp") {
		case "required":
			p.required = append(p.required, made)
		case "raw":
			p.raw = f.Index
		}
		if name != "" && name != "-" {
			p.fields[name] = made
		}
	}
	if r, ok := reflect.Zero(t).Interface().(interface{ refuses() map[string]string }); ok {
		p.refused = r.refuses()
	}
	_, p.open = reflect.Zero(t).Interface().(interface{ described() })
	have, _ := plans.LoadOrStore(t, p)
	return have.(*plan)
}

// names are the keys that an object has shown.
type names struct {
	few  [8][]byte
	n    int
	many map[string]bool
}

// add says whether a key is new.
func (n *names) add(key []byte) bool {
	for _, k := range n.few[:n.n] {
		if bytes.Equal(k, key) {
			return false
		}
	}
	if n.n < len(n.few) {
		n.few[n.n] = key
		n.n++
		return true
	}
	if n.many == nil {
		n.many = map[string]bool{}
	}
	if n.many[string(key)] {
		return false
	}
	n.many[string(key)] = true
	return true
}

// decoder walks text that is well-formed, so it needs no syntax errors of its
// own: every step stays within the text.
type decoder struct {
	data    []byte
	pos     int
	objects int
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

func isExtensionPath(at *path) bool { return at != nil && isExtension(string(at.key)) }

func (d *decoder) object(v reflect.Value, at *path, depth int) error {
	if d.peek() != '{' {
		return fieldErr(at, corridor.E(corridor.Invalid, "is not an object"), "")
	}
	start, p := d.pos, planOf(v.Type())
	shown := make([]bool, len(p.fields))
	var others names
	err := d.members(at, depth, func(key []byte, here *path) error {
		if own, ok := p.fields[string(key)]; ok {
			if shown[own.n] {
				return twice(here)
			}
			shown[own.n] = true
			if err := p.refuses(key, here); err != nil {
				return err
			}
			return d.value(v.FieldByIndex(own.index), here, depth+1)
		}
		if !others.add(key) {
			return twice(here)
		}
		if err := p.refuses(key, here); err != nil {
			return err
		}
		name := string(key)
		foreign := p.open && p.foreign(name)
		if err := checkKey(name, here); err != nil && !foreign {
			return err
		}
		return d.skip(here, depth+1, foreign || isExtension(name))
	})
	if err != nil {
		return err
	}
	for _, need := range p.required {
		if !shown[need.n] {
			return missing(at.member(need.name))
		}
	}
	if p.raw != nil {
		v.FieldByIndex(p.raw).SetBytes(bytes.Clone(d.data[start:d.pos]))
	}
	return nil
}

// refuses says why a member may not stand in an object, or nil.
func (p *plan) refuses(key []byte, here *path) error {
	why, bad := p.refused[string(key)]
	if !bad {
		return nil
	}
	e := invalid(here.String(), "is not allowed here", "leave it out")
	e.Why = why
	return e
}

// foreign says whether a key is of a vocabulary that the protocol does not
// use, so that dropping it drops nothing that the protocol says. A member of
// the protocol that is written with its prefix or in full is not foreign.
func (p *plan) foreign(key string) bool {
	for _, own := range protocolSpaces() {
		if local, ok := strings.CutPrefix(key, own); ok {
			_, member := p.fields[local]
			_, bad := p.refused[local]
			return !member && !bad
		}
	}
	return strings.Contains(key, ":")
}

func protocolSpaces() []string {
	return []string{"dspace:", "odrl:", "dcat:", "dct:", "dcterms:", "https://w3id.org/dspace/2025/1/", "http://www.w3.org/ns/odrl/2/",
		"http://www.w3.org/ns/dcat#", "http://purl.org/dc/terms/"}
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
func (d *decoder) members(at *path, depth int, fn func(key []byte, here *path) error) error {
	if err := d.enter(at, depth); err != nil {
		return err
	}
	here := &path{up: at}
	d.pos++ // {
	for d.peek() != '}' {
		if d.peek() == ',' {
			d.pos++
			d.peek()
		}
		here.key = d.quoted()
		d.peek()
		d.pos++ // :
		d.peek()
		if err := fn(here.key, here); err != nil {
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
	here := &path{up: at}
	for i := 0; d.peek() != ']'; i++ {
		if d.peek() == ',' {
			d.pos++
			d.peek()
		}
		if d.objects++; d.objects > maxObjects {
			return tooMany(at)
		}
		here.i = i
		if err := fn(here); err != nil {
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
		var seen names
		return d.members(at, depth, func(key []byte, here *path) error {
			if !seen.add(key) {
				return twice(here)
			}
			if !free {
				if err := checkKey(string(key), here); err != nil {
					return err
				}
			}
			return d.skip(here, depth+1, free || isExtension(string(key)))
		})
	case '[':
		return d.elements(at, depth, func(here *path) error { return d.skip(here, depth+1, free) })
	case '"':
		d.quoted()
	default:
		for d.pos < len(d.data) && strings.IndexByte(",]} \t\r\n", d.data[d.pos]) < 0 {
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
	return string(d.quoted()), nil
}

// quoted reads the string that starts here. It may be a part of the text.
func (d *decoder) quoted() []byte {
	start, plain := d.pos, true
	for d.pos++; d.pos < len(d.data) && d.data[d.pos] != '"'; d.pos++ {
		if d.data[d.pos] == '\\' {
			d.pos++
			plain = false
		}
	}
	d.pos = min(d.pos+1, len(d.data))
	lit := d.data[start:d.pos]
	if plain && len(lit) >= 2 {
		return lit[1 : len(lit)-1]
	}
	var s string
	if json.Unmarshal(lit, &s) != nil {
		return nil
	}
	return []byte(s)
}
