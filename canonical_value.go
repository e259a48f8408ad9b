package corridor

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// This file writes Go values as canonical JSON at once, without the text of
// encoding/json in between. What it gives is, byte for byte, the canonical form
// of what encoding/json writes; whatever it does not know itself it leaves to
// encoding/json.

// maxIndirect bounds pointers to pointers, which a cycle never ends.
const maxIndirect = 1000

// write writes a value that its writer knows.
func (c *canonical) write(v reflect.Value, w *writer, depth, indirect int) error {
	if depth > maxDepth || indirect > maxIndirect {
		return errDeep()
	}
	switch {
	case !v.IsValid():
		c.out = append(c.out, "null"...)
		return nil
	case w.addressed && v.CanAddr(), w.foreign:
		return c.foreign(v, depth)
	case w.own != nil:
		return w.own(c, v, depth)
	}
	switch v.Kind() {
	case reflect.Bool:
		c.out = strconv.AppendBool(c.out, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return c.integer(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > maxSafe {
			return fmt.Errorf("number %d is outside the exact range of JSON", v.Uint())
		}
		return c.integer(int64(v.Uint()))
	case reflect.Float64:
		if f := v.Float(); f == math.Trunc(f) && math.Abs(f) <= maxSafe {
			return c.integer(int64(f))
		}
		return c.foreign(v, depth)
	case reflect.String:
		c.out = appendString(c.out, validText(v.String()))
	case reflect.Interface:
		return c.write(v.Elem(), writerOf(v.Elem()), depth, indirect+1)
	case reflect.Pointer:
		return c.write(v.Elem(), w.within(v.Elem()), depth, indirect+1)
	case reflect.Slice, reflect.Array:
		return c.list(v, w, depth)
	case reflect.Map:
		return c.mapping(v, w, depth)
	case reflect.Struct:
		return c.structure(v, w.fields, depth)
	default:
		return c.foreign(v, depth)
	}
	return nil
}

func (c *canonical) integer(n int64) error {
	if n > maxSafe || n < -maxSafe {
		return fmt.Errorf("number %d is outside the exact range of JSON", n)
	}
	c.out = strconv.AppendInt(c.out, n, 10)
	return nil
}

// validText puts U+FFFD in the place of every byte that is not UTF-8.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// foreign leaves a value to encoding/json.
func (c *canonical) foreign(v reflect.Value, depth int) error {
	if v.CanAddr() {
		v = v.Addr() // methods of the pointer count
	}
	raw, err := json.Marshal(v.Interface())
	if err != nil {
		return err
	}
	return c.rewrite(raw, depth)
}

// none says whether there is nothing that could be asked for its own form.
func (c *canonical) none(v reflect.Value) bool {
	if k := v.Kind(); k != reflect.Pointer && k != reflect.Interface || !v.IsNil() {
		return false
	}
	c.out = append(c.out, "null"...)
	return true
}

func writeMarshaler(c *canonical, v reflect.Value, depth int) error {
	if c.none(v) {
		return nil
	}
	raw, err := v.Interface().(json.Marshaler).MarshalJSON()
	if err != nil {
		return err
	}
	return c.rewrite(raw, depth)
}

func writeRaw(c *canonical, v reflect.Value, depth int) error {
	if v.IsNil() {
		c.out = append(c.out, "null"...)
		return nil
	}
	return c.rewrite(v.Bytes(), depth)
}

func writeText(c *canonical, v reflect.Value, _ int) error {
	if c.none(v) {
		return nil
	}
	text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
	if err == nil {
		c.out = appendString(c.out, validText(string(text)))
	}
	return err
}

func (c *canonical) list(v reflect.Value, w *writer, depth int) error {
	if v.Kind() == reflect.Slice {
		if v.IsNil() {
			c.out = append(c.out, "null"...)
			return nil
		}
		if e := v.Type().Elem(); e.Kind() == reflect.Uint8 {
			if typeWriter(reflect.PointerTo(e)).own != nil {
				return c.foreign(v, depth)
			}
			c.out = append(c.out, '"')
			c.out = base64.StdEncoding.AppendEncode(c.out, v.Bytes())
			c.out = append(c.out, '"')
			return nil
		}
	}
	c.out = append(c.out, '[')
	for i := range v.Len() {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		e := v.Index(i)
		if err := c.write(e, w.within(e), depth+1, 0); err != nil {
			return err
		}
	}
	c.out = append(c.out, ']')
	return nil
}

func (c *canonical) mapping(v reflect.Value, w *writer, depth int) error {
	if v.Type().Key().Kind() != reflect.String {
		return c.foreign(v, depth)
	}
	if v.IsNil() {
		c.out = append(c.out, "null"...)
		return nil
	}
	pairs := make([]pair, 0, v.Len())
	for each := v.MapRange(); each.Next(); {
		pairs = append(pairs, pair{validText(each.Key().String()), each.Value()})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return compareKeys(a.key, b.key) })
	c.out = append(c.out, '{')
	for i, p := range pairs {
		if i > 0 {
			if p.key == pairs[i-1].key {
				return fmt.Errorf("key %q occurs twice", p.key)
			}
			c.out = append(c.out, ',')
		}
		c.out = append(appendString(c.out, p.key), ':')
		if err := c.write(p.value, w.within(p.value), depth+1, 0); err != nil {
			return err
		}
	}
	c.out = append(c.out, '}')
	return nil
}

type pair struct {
	key   string
	value reflect.Value
}

func (c *canonical) structure(v reflect.Value, fields []*field, depth int) error {
	c.out = append(c.out, '{')
	first := true
	for _, f := range fields {
		value := v.Field(f.index)
		if f.omits != nil && f.omits(value) {
			continue
		}
		if !first {
			c.out = append(c.out, ',')
		}
		first = false
		c.out = append(c.out, f.name...)
		if err := c.write(value, f.within(value), depth+1, 0); err != nil {
			return err
		}
	}
	c.out = append(c.out, '}')
	return nil
}

// writer is how a type is written.
type writer struct {
	own       func(*canonical, reflect.Value, int) error // the type has a form of its own
	addressed bool                                       // its pointer has
	foreign   bool                                       // it is left to encoding/json
	fields    []*field                                   // of a struct, in canonical order
	place                                                // behind a pointer, in a list or a map
}

type field struct {
	name  string // quoted, with the colon
	key   string
	index int
	omits func(reflect.Value) bool // nil: never
	place
}

// place is where values of one type stand.
type place struct {
	writer atomic.Pointer[writer] // nil: not asked yet
}

func (p *place) within(v reflect.Value) *writer {
	w := p.writer.Load()
	if w == nil && v.IsValid() {
		w = typeWriter(v.Type())
		p.writer.Store(w)
	}
	return w
}

// writers keeps what was found out about types. A type never changes.
var writers sync.Map // reflect.Type -> *writer

func writerOf(v reflect.Value) *writer {
	if !v.IsValid() {
		return nil
	}
	return typeWriter(v.Type())
}

func typeWriter(t reflect.Type) *writer {
	if w, ok := writers.Load(t); ok {
		return w.(*writer)
	}
	w := &writer{}
	marshaler, text := reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		w.own = writeRaw
	case t == reflect.TypeFor[json.Number]() || t.Kind() == reflect.Float32:
		w.foreign = true
	case t.Implements(marshaler):
		w.own = writeMarshaler
	case t.Implements(text):
		w.own = writeText
		w.addressed = reflect.PointerTo(t).Implements(marshaler)
	default:
		w.addressed = reflect.PointerTo(t).Implements(marshaler) || reflect.PointerTo(t).Implements(text)
		if t.Kind() == reflect.Struct {
			w.fields, w.foreign = fieldsOf(t)
		}
	}
	have, _ := writers.LoadOrStore(t, w)
	return have.(*writer)
}

// fieldsOf gives the members of a struct. Those of embedded structs and what
// is quoted once more are left to encoding/json.
func fieldsOf(t reflect.Type) (fields []*field, foreign bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if f.Anonymous {
			return nil, true
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		made := &field{key: name, name: string(appendString(nil, name)) + ":", index: i}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "":
			case "omitempty":
				made.omits = either(made.omits, empty)
			case "omitzero":
				made.omits = either(made.omits, zero(f.Type))
			default:
				return nil, true
			}
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-@:/.") != "" {
			return nil, true // encoding/json has rules of its own for such names
		}
		fields = append(fields, made)
	}
	slices.SortFunc(fields, func(a, b *field) int { return compareKeys(a.key, b.key) })
	for i := range fields {
		if i > 0 && fields[i].key == fields[i-1].key {
			return nil, true
		}
	}
	return fields, false
}

func either(a, b func(reflect.Value) bool) func(reflect.Value) bool {
	if a == nil {
		return b
	}
	return func(v reflect.Value) bool { return a(v) || b(v) }
}

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct, reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return false
	}
	return v.IsZero()
}

// zero is how encoding/json tells that a value of a type is zero: the type may
// say so itself.
func zero(t reflect.Type) func(reflect.Value) bool {
	type zeroer interface{ IsZero() bool }
	if !t.Implements(reflect.TypeFor[zeroer]()) && !reflect.PointerTo(t).Implements(reflect.TypeFor[zeroer]()) {
		return reflect.Value.IsZero
	}
	return func(v reflect.Value) bool {
		if k := v.Kind(); (k == reflect.Pointer || k == reflect.Interface) && v.IsNil() {
			return true
		}
		if k := v.Kind(); k == reflect.Interface && v.Elem().Kind() == reflect.Pointer && v.Elem().IsNil() {
			return true
		}
		if z, ok := v.Interface().(zeroer); ok {
			return z.IsZero()
		}
		at := reflect.New(t)
		at.Elem().Set(v)
		return at.Interface().(zeroer).IsZero()
	}
}
