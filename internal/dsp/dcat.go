package dsp

import (
	"encoding/json"
	"reflect"
)

// DCAT is what DCAT-AP says about a dataset beside the protocol's own terms.
// The names are those that the prefixes of the protocol's context (dct, dcat,
// xsd) expand to DCAT-AP; what has no prefix there is written in full.
type DCAT struct {
	Titles    Texts   `json:"dct:title,omitempty"`
	Texts     Texts   `json:"dct:description,omitempty"`
	Keywords  Texts   `json:"dcat:keyword,omitempty"`
	Theme     Refs    `json:"dcat:theme,omitempty"`
	Language  Refs    `json:"dct:language,omitempty"`
	Publisher *Agent  `json:"dct:publisher,omitempty"`
	Spatial   Refs    `json:"dct:spatial,omitempty"`
	Temporal  *Period `json:"dct:temporal,omitempty"`
	License   Ref     `json:"dct:license,omitempty"`
	Issued    Literal `json:"dct:issued,omitempty"`
	Modified  Literal `json:"dct:modified,omitempty"`
}

// lenientMember reads a member of DCAT. What has another shape than expected is
// dropped, like a member of any other vocabulary: it describes, and permits
// nothing.
func lenientMember[T any](d *decoder, at *path, depth int, into *T, read func() error) error {
	start := *d
	if err := read(); err == nil {
		return nil
	}
	objects := d.objects
	*d = start
	d.objects = objects
	var none T
	*into = none
	return d.skip(at, depth, true)
}

// Text is a text in one language, or in none that is stated.
type Text struct {
	Value    string `json:"@value"`
	Language string `json:"@language,omitempty"`
}

// Texts is read from a string, a text, or an array of either, and always
// written as an array.
type Texts []Text

// UnmarshalJSON reads any of the forms.
func (t *Texts) UnmarshalJSON(b []byte) error { return t.decode(&decoder{data: b}, nil, 0) }

func (t *Texts) decode(d *decoder, at *path, depth int) error {
	return lenientMember(d, at, depth, t, func() error { return t.read(d, at, depth) })
}

func (t *Texts) read(d *decoder, at *path, depth int) error {
	*t = nil
	return oneOrMore(d, at, depth, func(here *path, depth int) error {
		var x Text
		err := stringOr(d, here, depth, &x.Value, &x)
		*t = append(*t, x)
		return err
	})
}

// Ref is an IRI, written as {"@id": ...} and read from a string too.
type Ref string

type iriNode struct {
	ID string `json:"@id"`
}

// MarshalJSON writes a reference.
func (r Ref) MarshalJSON() ([]byte, error) { return marshal(iriNode{string(r)}) }

// UnmarshalJSON reads either form.
func (r *Ref) UnmarshalJSON(b []byte) error { return r.decode(&decoder{data: b}, nil, 0) }

func (r *Ref) decode(d *decoder, at *path, depth int) error {
	return lenientMember(d, at, depth, r, func() error { return r.read(d, at, depth) })
}

func (r *Ref) read(d *decoder, at *path, depth int) error {
	var n iriNode
	err := stringOr(d, at, depth, &n.ID, &n)
	*r = Ref(n.ID)
	return err
}

// Refs is read from one reference or an array of them, and always written as
// an array.
type Refs []string

// MarshalJSON writes an array of references.
func (r Refs) MarshalJSON() ([]byte, error) {
	out := make([]iriNode, len(r))
	for i, id := range r {
		out[i].ID = id
	}
	return marshal(out)
}

// UnmarshalJSON reads any of the forms.
func (r *Refs) UnmarshalJSON(b []byte) error { return r.decode(&decoder{data: b}, nil, 0) }

func (r *Refs) decode(d *decoder, at *path, depth int) error {
	return lenientMember(d, at, depth, r, func() error { return r.read(d, at, depth) })
}

func (r *Refs) read(d *decoder, at *path, depth int) error {
	*r = nil
	return oneOrMore(d, at, depth, func(here *path, depth int) error {
		var one Ref
		err := one.read(d, here, depth)
		*r = append(*r, string(one))
		return err
	})
}

// Literal is a date or a time, written with its XSD type and read with or
// without.
type Literal string

type typedValue struct {
	Type  string `json:"@type,omitempty"`
	Value string `json:"@value"`
}

// MarshalJSON writes a typed literal.
func (l Literal) MarshalJSON() ([]byte, error) {
	if len(l) > len("2006-01-02") {
		return marshal(typedValue{"xsd:dateTime", string(l)})
	}
	return marshal(typedValue{"xsd:date", string(l)})
}

// UnmarshalJSON reads either form.
func (l *Literal) UnmarshalJSON(b []byte) error { return l.decode(&decoder{data: b}, nil, 0) }

func (l *Literal) decode(d *decoder, at *path, depth int) error {
	return lenientMember(d, at, depth, l, func() error { return l.read(d, at, depth) })
}

func (l *Literal) read(d *decoder, at *path, depth int) error {
	var v typedValue
	err := stringOr(d, at, depth, &v.Value, &v)
	*l = Literal(v.Value)
	return err
}

// Agent is an organisation.
type Agent struct {
	ID   string
	Name string
}

type agent struct {
	Type string          `json:"@type,omitempty"`
	ID   string          `json:"@id,omitempty"`
	Name json.RawMessage `json:"http://xmlns.com/foaf/0.1/name,omitempty"`
	FOAF json.RawMessage `json:"foaf:name,omitempty"` // as others write it
}

// MarshalJSON writes the agent with its type.
func (a Agent) MarshalJSON() ([]byte, error) {
	name, err := marshal(a.Name)
	if err != nil {
		return nil, err
	}
	return marshal(agent{Type: "http://xmlns.com/foaf/0.1/Agent", ID: a.ID, Name: name})
}

// UnmarshalJSON reads an agent or its identifier.
func (a *Agent) UnmarshalJSON(b []byte) error { return a.decode(&decoder{data: b}, nil, 0) }

func (a *Agent) decode(d *decoder, at *path, depth int) error {
	return lenientMember(d, at, depth, a, func() error { return a.read(d, at, depth) })
}

func (a *Agent) read(d *decoder, at *path, depth int) error {
	var x agent
	if err := stringOr(d, at, depth, &x.ID, &x); err != nil {
		return err
	}
	*a = Agent{ID: x.ID}
	for _, raw := range []json.RawMessage{x.FOAF, x.Name} {
		var names Texts
		if len(raw) == 0 {
			continue
		}
		if err := names.decode(&decoder{data: raw}, at.member("foaf:name"), depth); err != nil {
			return err
		}
		if len(names) > 0 {
			a.Name = names[0].Value
		}
	}
	return nil
}

// Period is a span of time; either end may be open.
type Period struct {
	Start Literal `json:"dcat:startDate,omitempty"`
	End   Literal `json:"dcat:endDate,omitempty"`
}

// MarshalJSON writes the period with its type.
func (p Period) MarshalJSON() ([]byte, error) {
	type plain Period
	return marshal(struct {
		Type string `json:"@type"`
		plain
	}{"dct:PeriodOfTime", plain(p)})
}

func (p *Period) decode(d *decoder, at *path, depth int) error {
	type plain Period
	return lenientMember(d, at, depth, p, func() error { return d.value(reflect.ValueOf((*plain)(p)).Elem(), at, depth) })
}

// oneOrMore reads a value, or each of an array.
func oneOrMore(d *decoder, at *path, depth int, read func(here *path, depth int) error) error {
	if d.peek() == '[' {
		return d.elements(at, depth, func(here *path) error {
			d.peek()
			return read(here, depth+1)
		})
	}
	return read(at, depth)
}

// stringOr reads a string, or an object.
func stringOr(d *decoder, at *path, depth int, text *string, object any) error {
	if d.peek() == '"' {
		var err error
		*text, err = d.text(at)
		return err
	}
	return d.value(reflect.ValueOf(object).Elem(), at, depth)
}
