package law

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"corridor"
)

// maxFlowDepth bounds the nesting of a flow's JSON.
const maxFlowDepth = 8

// flowFields are the fields of a flow.
var flowFields = []string{"date", "origin", "destination", "assume", "facts"}

// ParseFlow reads one flow as a JSON object with the fields of corridor.Flow.
// What it leaves out comes from usual. No field may be unknown or occur
// twice, in the facts neither.
func ParseFlow(data []byte, usual corridor.Flow) (corridor.Flow, error) {
	p := &flowParser{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	p.dec.UseNumber()
	f := corridor.Flow{Date: usual.Date, Origin: usual.Origin, Destination: usual.Destination, Assume: usual.Assume, Facts: corridor.Facts{}}
	if !utf8.Valid(data) {
		return f, invalidAt("", "write the text in UTF-8", "the text is not UTF-8")
	}
	raw, err := p.value("", 0)
	if err != nil {
		return f, err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return f, invalidAt(fmt.Sprintf("byte %d", p.dec.InputOffset()), "write one flow a line", "something follows the flow")
	}
	o, ok := raw.(map[string]any)
	if !ok {
		return f, invalidAt("", `write {"date": ..., "origin": ..., "destination": ..., "facts": {...}}`, "a flow is an object, not %s", show(raw))
	}
	for _, name := range keys(o) {
		if err := setField(&f, name, o[name]); err != nil {
			return f, err
		}
	}
	return f, nil
}

func invalidAt(where, fix, format string, args ...any) error {
	e := corridor.E(corridor.Invalid, format, args...)
	e.Where, e.Fix = where, fix
	return e
}

func setField(f *corridor.Flow, name string, raw any) error {
	var text string
	switch name {
	case "facts":
		facts, ok := raw.(map[string]any)
		if !ok {
			return invalidAt(name, `write {"purpose": "research", ...}`, "facts are an object, not %s", show(raw))
		}
		f.Facts = facts
		return nil
	case "date", "origin", "destination", "assume":
		var ok bool
		if text, ok = raw.(string); !ok {
			return invalidAt(name, "write it in quotes", "%s is not a word", show(raw))
		}
	default:
		return invalidAt(clip(name), didYouMean(name, flowFields), "unknown field %q", clip(name))
	}
	switch name {
	case "date":
		d, err := corridor.ParseDate(text)
		if err != nil {
			return invalidAt(name, "write it as YYYY-MM-DD", "%s is not a date", show(text))
		}
		f.Date = d
	case "origin":
		f.Origin = text
	case "destination":
		f.Destination = text
	default:
		f.Assume = text
	}
	return nil
}

// flowParser reads JSON values as facts are held, and refuses a repeated key.
type flowParser struct {
	data []byte
	dec  *json.Decoder
}

func (p *flowParser) broken(err error) error {
	at := p.dec.InputOffset()
	if s := (*json.SyntaxError)(nil); errors.As(err, &s) {
		at = s.Offset
	}
	msg := err.Error()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		at, msg = int64(len(p.data)), "the text ends too early"
	}
	return invalidAt(fmt.Sprintf("byte %d", at), "write one JSON object a line", "not JSON: %s", msg)
}

func (p *flowParser) value(path string, depth int) (any, error) {
	if depth > maxFlowDepth {
		return nil, invalidAt(clip(path), "", "nested deeper than %d levels", maxFlowDepth)
	}
	t, err := p.dec.Token()
	if err != nil {
		return nil, p.broken(err)
	}
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return p.object(path, depth)
		}
		return p.array(path, depth)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
	}
	return t, nil
}

func (p *flowParser) array(path string, depth int) (any, error) {
	list := []any{}
	for p.dec.More() {
		v, err := p.value(path, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := p.dec.Token()
	if err != nil {
		return nil, p.broken(err)
	}
	return list, nil
}

func (p *flowParser) object(path string, depth int) (any, error) {
	o := map[string]any{}
	for p.dec.More() {
		t, err := p.dec.Token()
		if err != nil {
			return nil, p.broken(err)
		}
		key, ok := t.(string)
		if !ok {
			return nil, p.broken(fmt.Errorf("the key %v is not a string", t))
		}
		at := key
		if path != "" {
			at = path + "." + key
		}
		if _, twice := o[key]; twice {
			return nil, invalidAt(clip(at), "write it once", "%q occurs twice", clip(key))
		}
		if o[key], err = p.value(at, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := p.dec.Token(); err != nil {
		return nil, p.broken(err)
	}
	return o, nil
}
