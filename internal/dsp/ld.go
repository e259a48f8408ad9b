package dsp

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"corridor"
)

// tag is the "@type" of a wire object. It holds nothing: it writes the name
// of the Go type N, which is the protocol's name, and refuses another name
// when read.
type tag[N any] struct{}

func (tag[N]) name() string { return reflect.TypeFor[N]().Name() }

// MarshalJSON writes the type's name.
func (t tag[N]) MarshalJSON() ([]byte, error) { return strconv.AppendQuote(nil, t.name()), nil }

// UnmarshalJSON accepts the type's name alone.
func (t *tag[N]) UnmarshalJSON(b []byte) error {
	return t.decode(&decoder{data: b}, nil, 0)
}

func (t *tag[N]) decode(d *decoder, at *path, _ int) error {
	got, err := d.text(at)
	if err != nil {
		return err
	}
	if got != t.name() {
		return fieldErr(at, corridor.E(corridor.Invalid, "is %q where %q belongs", clip(got), t.name()), "write the type in compact form, without prefix")
	}
	return nil
}

// rootContext is the "@context" of a message: always written as an array with
// the protocol's context; read as a string or an array that holds it.
type rootContext struct{}

// MarshalJSON writes the context array.
func (rootContext) MarshalJSON() ([]byte, error) { return []byte(`["` + ContextURL + `"]`), nil }

// UnmarshalJSON accepts any context that decode accepts.
func (c *rootContext) UnmarshalJSON(b []byte) error {
	return c.decode(&decoder{data: b}, nil, 0)
}

func (c *rootContext) decode(d *decoder, at *path, depth int) error {
	var list Strings
	if err := list.decode(d, at, depth); err != nil {
		return err
	}
	for _, s := range list {
		if s == ContextURL {
			return nil
		}
	}
	return fieldErr(at, corridor.E(corridor.Invalid, "does not hold the context of DSP %s", Version), `write "@context": ["`+ContextURL+`"]`)
}

// Strings is read from one string or an array of strings, and written as one
// string when there is one.
type Strings []string

// MarshalJSON writes one string bare and several as an array.
func (s Strings) MarshalJSON() ([]byte, error) {
	if len(s) == 1 {
		return marshal(s[0])
	}
	return marshal([]string(s))
}

// UnmarshalJSON reads either form.
func (s *Strings) UnmarshalJSON(b []byte) error {
	return s.decode(&decoder{data: b}, nil, 0)
}

func (s *Strings) decode(d *decoder, at *path, depth int) error {
	if d.peek() == '"' {
		one, err := d.text(at)
		*s = Strings{one}
		return err
	}
	var list []string
	err := d.value(reflect.ValueOf(&list).Elem(), at, depth)
	*s = list
	return err
}

// Reasons is the human part of an error. It is written as strings. The
// protocol lets a peer put anything into the array: objects are reduced to
// their "@value" or to their JSON text.
type Reasons []string

// UnmarshalJSON reads any array, or one string.
func (r *Reasons) UnmarshalJSON(b []byte) error {
	return r.decode(&decoder{data: b}, nil, 0)
}

func (r *Reasons) decode(d *decoder, at *path, depth int) error {
	if d.peek() == '"' {
		one, err := d.text(at)
		*r = Reasons{one}
		return err
	}
	var list []json.RawMessage
	if err := d.value(reflect.ValueOf(&list).Elem(), at, depth); err != nil {
		return err
	}
	for _, raw := range list {
		*r = append(*r, reasonText(raw))
	}
	return nil
}

func reasonText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) == nil && json.Unmarshal(o["@value"], &s) == nil {
		return s
	}
	return string(raw)
}

// Extensions are the members that Corridor adds to messages, as raw JSON.
// They are named like "corridor:decision"; a peer that does not know them
// drops them. What they hold is between two exchanges.
type Extensions struct {
	Message     json.RawMessage `json:"corridor:message,omitempty"` // names one message, so that a repeat is known from a second one alike
	Participant json.RawMessage `json:"corridor:participant,omitempty"`
	Facts       json.RawMessage `json:"corridor:facts,omitempty"`
	Flow        json.RawMessage `json:"corridor:flow,omitempty"`
	Decision    json.RawMessage `json:"corridor:decision,omitempty"`
	Decisions   json.RawMessage `json:"corridor:decisions,omitempty"`
	Obligations json.RawMessage `json:"corridor:obligations,omitempty"`
	Agreement   json.RawMessage `json:"corridor:agreement,omitempty"`
	Log         json.RawMessage `json:"corridor:log,omitempty"`
	Plan        json.RawMessage `json:"corridor:plan,omitempty"`
	Digest      json.RawMessage `json:"corridor:digest,omitempty"`
	Approval    json.RawMessage `json:"corridor:approval,omitempty"`
	Receipt     json.RawMessage `json:"corridor:receipt,omitempty"`
	Receipts    json.RawMessage `json:"corridor:receipts,omitempty"`
	Proof       json.RawMessage `json:"corridor:proof,omitempty"`
	Signature   json.RawMessage `json:"corridor:signature,omitempty"`
	Signatures  json.RawMessage `json:"corridor:signatures,omitempty"`
	Validations json.RawMessage `json:"corridor:validations,omitempty"`

	came []byte // the message as it came
}

// received is called by Decode with the message as it came.
func (e *Extensions) received(data []byte) { e.came = data }

// Received is the digest of the message as it came, byte for byte. It is
// empty for one that was made here.
func (e *Extensions) Received() string {
	if len(e.came) == 0 {
		return ""
	}
	return corridor.Digest(e.came)
}

// ExtensionPrefix begins the name of every member of Corridor's own.
const ExtensionPrefix = "corridor:"

func isExtension(key string) bool { return strings.HasPrefix(key, ExtensionPrefix) }

// clip shortens foreign text for an error message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
