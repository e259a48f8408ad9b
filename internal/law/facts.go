package law

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"corridor"
)

// maxGiven bounds the facts of one flow.
const maxGiven = 2000

// inputs is what a flow says, as possible values per variable.
type inputs struct {
	lib     *Library
	flow    corridor.Flow
	vals    []values
	given   []known // who said something about each variable
	filling bool    // the profile speaks: what is given stays
	filled  []int   // the variables that the profile filled, fact by fact
	filed   []filed // when filings were made
	assumed []assumption
	notes   []string
	names   []string    // of read: the facts in order
	class   [3][]uint8  // of prepare: room for the classes of each side
	masks   [3][]uint64 // and for those that are possible
	own     *pack       // the pack that the shorthand mechanism, filing and impact_assessment means
}

// known says who said something about a variable.
type known uint8

const (
	byNobody known = iota
	byFlow
	byProfile
)

// filed is the day on which a filing was made.
type filed struct {
	rec *record
	on  corridor.Date
}

// file notes on which day a filing was made; the last word counts.
func (in *inputs) file(rec *record, on corridor.Date) {
	if i := slices.IndexFunc(in.filed, func(f filed) bool { return f.rec == rec }); i >= 0 {
		in.filed[i].on = on
		return
	}
	in.filed = append(in.filed, filed{rec, on})
}

// know notes what is possible for a variable. A profile never overrides the
// flow.
func (in *inputs) know(v int, x values) {
	if !in.filling {
		in.vals[v], in.given[v] = x, byFlow
		return
	}
	if in.given[v] != byFlow {
		in.vals[v], in.given[v] = x, byProfile
		in.filled = append(in.filled, v)
	}
}

// assumption is one fact that a profile filled in.
type assumption struct {
	text string
	vars []int
}

// read turns a flow into inputs: given facts, then the profile's, then what
// follows from them. own is the pack that the shorthand means.
func (l *Library) read(f corridor.Flow, own *pack) (*inputs, error) {
	in := l.inputs()
	if err := in.read(f, own); err != nil {
		return nil, err
	}
	return in, nil
}

// inputs are those of which nothing is said yet.
func (l *Library) inputs() *inputs {
	in, ok := l.reading.Get().(*inputs)
	if !ok {
		in = &inputs{vals: make([]values, len(l.vars)), given: make([]known, len(l.vars))}
	}
	in.lib = l
	copy(in.vals, l.unsaid)
	return in
}

// forget gives the inputs back for another flow. Nothing may hold on to them.
func (in *inputs) forget() {
	lib := in.lib
	clear(in.given)
	*in = inputs{vals: in.vals, given: in.given, names: in.names[:0], class: in.class, masks: in.masks, filled: in.filled[:0], filed: in.filed[:0], assumed: in.assumed[:0]}
	lib.reading.Put(in)
}

func (in *inputs) read(f corridor.Flow, own *pack) error {
	in.flow, in.own = f, own
	if len(f.Facts) > maxGiven {
		return corridor.E(corridor.Limited, "more than %d facts", maxGiven)
	}
	if err := in.all(); err != nil {
		return err
	}
	if err := in.assume(); err != nil {
		return err
	}
	if err := in.count(); err != nil {
		return err
	}
	if err := in.derive(); err != nil {
		return err
	}
	in.lib.axioms.close(in.vals)
	m := in.lib.marks()
	defer in.lib.scratch.Put(m)
	return in.lib.axioms.contradiction(in.vals, in.lib.vars, m)
}

// maxWrong is how many mistakes are named at once.
const maxWrong = 5

// all reads what the flow says, and names every mistake in it at once. What is
// short for a record of the exporter's law comes last, and only if all else is
// right: without the right state it means nothing.
func (in *inputs) all() error {
	var wrong []error
	if err := in.frame(); err != nil {
		wrong = append(wrong, err)
	}
	in.names = in.names[:0]
	for name := range in.flow.Facts {
		in.names = append(in.names, name)
	}
	slices.Sort(in.names)
	for _, name := range in.names { // what is more exact comes first
		if !isShorthand(name) && len(wrong) < maxWrong {
			if err := in.fact(name, in.flow.Facts[name]); err != nil {
				wrong = append(wrong, err)
			}
		}
	}
	switch len(wrong) {
	case 0:
	case 1:
		return wrong[0]
	default:
		return errors.Join(wrong...)
	}
	for _, name := range in.names {
		if isShorthand(name) {
			if err := in.short(name, in.flow.Facts[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// frame reads what every flow has: date, origin and destination.
func (in *inputs) frame() error {
	f := in.flow
	if f.Date == 0 {
		e := corridor.E(corridor.Invalid, "the flow has no date")
		e.Where, e.Fix = "date", "say on which day it is to happen, as YYYY-MM-DD"
		return e
	}
	if f.Date > MaxDate { // a term that runs from it would end on a day that cannot be written
		e := corridor.E(corridor.Invalid, "the flow's date %s is beyond %s", f.Date, corridor.Date(MaxDate))
		e.Where, e.Fix = "date", "give the day on which the transfer is to happen"
		return e
	}
	var wrong []error
	for _, end := range []struct{ name, code string }{{"origin", f.Origin}, {"destination", f.Destination}} {
		i, err := in.lib.atlas.check(end.code, end.name)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		v := in.lib.vocab.byName[end.name].vars[0]
		in.know(v, just(i))
	}
	if wrong != nil {
		return errors.Join(wrong...)
	}
	if f.Origin == f.Destination {
		e := corridor.E(corridor.Invalid, "origin and destination are both %s: no border is crossed", f.Origin)
		e.Fix = "name the recipient's state as destination"
		return e
	}
	return nil
}

// wrong is the error for a fact that does not fit the vocabulary.
func wrong(name, fix, format string, args ...any) error {
	e := corridor.E(corridor.Invalid, "fact %s: "+format, append([]any{clip(name)}, args...)...)
	e.Where, e.Fix = "facts."+clip(name), fix
	return e
}

func (in *inputs) fact(name string, raw any) error {
	if name == "origin" || name == "destination" || name == "date" {
		return wrong(name, "set it on the flow itself", "it is part of the flow, not of its facts")
	}
	f := in.lib.vocab.byName[name]
	if f == nil { // no fact has the name of a record
		if class, kind, ok := recordName(name); ok {
			if kind == "" {
				return in.records(class, name, raw)
			}
			return in.dotted(class, kind, name, raw)
		}
		return in.unknownFact(name)
	}
	if f.derive != nil {
		return wrong(name, "give "+f.derive.from+" instead", "it is computed and cannot be given")
	}
	if f.Type == typeSet || f.Type == typeCountries {
		return in.set(f, raw)
	}
	v := f.vars[0]
	x, err := in.value(f, in.lib.vars[v], raw)
	if err != nil {
		return err
	}
	in.know(v, x)
	return nil
}

func (in *inputs) unknownFact(name string) error {
	names := []string{"mechanism", "filing", "impact_assessment", "vehicles", "filings", "assessments"}
	for _, f := range in.lib.vocab.facts {
		if f.derive == nil && f.Name != "origin" && f.Name != "destination" {
			names = append(names, f.Name)
		}
	}
	e := corridor.E(corridor.Invalid, "unknown fact %q", clip(name))
	e.Where, e.Fix = "facts."+clip(name), didYouMean(name, names)
	return e
}

// value reads a fact that is not a set.
func (in *inputs) value(f *fact, v *variable, raw any) (values, error) {
	if raw == nil || raw == "none" && v.optional {
		if !v.optional {
			return values{}, wrong(f.Name, "leave it out if it is unknown", "it cannot be none")
		}
		return absent(), nil
	}
	if m, ok := object(raw); ok {
		return in.partial(f, v, m)
	}
	switch f.Type {
	case typeBool:
		if b, ok := raw.(bool); ok {
			return truth(b), nil
		}
		return values{}, wrong(f.Name, "use true or false", "%s is not a yes or no", show(raw))
	case typeInt, typeDate:
		n, err := in.number(f, raw)
		return between(n, n), err
	}
	i, err := in.memberNumber(f, v, raw)
	return just(i), err
}

// partial reads {min, max} and {one_of}.
func (in *inputs) partial(f *fact, v *variable, m map[string]any) (values, error) {
	x := v.anything()
	x.none = false
	for _, key := range keys(m) {
		switch {
		case (key == "min" || key == "max") && v.kind == ranged:
			n, err := in.number(f, m[key])
			if err != nil {
				return x, err
			}
			if key == "min" {
				x.lo = n
			} else {
				x.hi = n
			}
		case key == "one_of" && v.kind == finite && f.Type != typeBool:
			list, ok := array(m[key])
			if !ok || len(list) == 0 {
				return x, wrong(f.Name, "write one_of: [a, b]", "one_of needs a list")
			}
			x.set = bitset256{}
			for _, el := range list {
				i, err := in.memberNumber(f, v, el)
				if err != nil {
					return x, err
				}
				x.set.add(i)
			}
		default:
			return x, wrong(f.Name, "use a plain value, {min: , max: } for numbers and dates, or {one_of: [...]}", "%q does not fit a fact of type %s", clip(key), f.Type)
		}
	}
	if v.kind == ranged && x.lo > x.hi {
		return x, wrong(f.Name, "exchange them", "min is above max")
	}
	return x, nil
}

func (in *inputs) number(f *fact, raw any) (int64, error) {
	var n int64
	if f.Type == typeDate {
		d, err := toDate(raw)
		if err != nil {
			return 0, wrong(f.Name, "write it as YYYY-MM-DD", "%s is not a date", show(raw))
		}
		n = int64(d)
	} else {
		var ok bool
		if n, ok = integer(raw); !ok {
			return 0, wrong(f.Name, "write a whole number", "%s is not a whole number", show(raw))
		}
	}
	v := in.lib.vars[f.vars[0]]
	if n < v.min || n > v.max {
		return 0, wrong(f.Name, fmt.Sprintf("use %d to %d", v.min, v.max), "%d is out of range", n)
	}
	return n, nil
}

func (in *inputs) memberNumber(f *fact, v *variable, raw any) (int, error) {
	s, ok := raw.(string)
	if !ok {
		return 0, wrong(f.Name, "", "%s is not a word", show(raw))
	}
	if f.Type == typeCountry {
		i, err := in.lib.atlas.check(s, "fact "+f.Name)
		return i, err
	}
	if i, ok := f.numbers[s]; ok {
		return i, nil
	}
	return 0, wrong(f.Name, didYouMean(s, v.values), "unknown value %q", clip(s))
}

// set reads a list, known exactly, or {has, lacks} with the rest open.
func (in *inputs) set(f *fact, raw any) error {
	mark := func(raw any, held bool) error {
		list, ok := array(raw)
		if !ok {
			return wrong(f.Name, "write [a, b], or {has: [a], lacks: [b]}", "%s is not a list", show(raw))
		}
		for _, el := range list {
			s, ok := el.(string)
			if !ok {
				return wrong(f.Name, "", "%s is not a word", show(el))
			}
			if err := in.checkMember(f, s); err != nil {
				return err
			}
			v, _ := f.memberVar(in.lib.vars, s)
			if in.lib.vars[v].member == others && !held {
				continue // that one other country is missing says nothing of the rest
			}
			if !in.filling && in.given[v] == byFlow && !in.vals[v].weak && in.vals[v].set.has(1) != held {
				return wrong(f.Name, "remove one", "%q is both in has and in lacks", s)
			}
			in.know(v, truth(held))
		}
		return nil
	}
	if m, ok := object(raw); ok {
		for _, key := range keys(m) {
			if key != "has" && key != "lacks" {
				return wrong(f.Name, "use has and lacks", "unknown key %q", clip(key))
			}
			if err := mark(m[key], key == "has"); err != nil {
				return err
			}
		}
		return nil
	}
	left := truth(false)
	left.weak = true
	for _, v := range f.vars {
		in.know(v, left)
	}
	return mark(raw, true)
}

func (in *inputs) checkMember(f *fact, s string) error {
	if f.Type == typeCountries {
		_, err := in.lib.atlas.check(s, "fact "+f.Name)
		return err
	}
	if _, ok := f.numbers[s]; !ok {
		return wrong(f.Name, didYouMean(s, f.Values), "unknown member %q", clip(s))
	}
	return nil
}

// derive computes the derived facts and the states that follow from dates.
func (in *inputs) derive() error {
	l := in.lib
	var pair [2]int
	pair[0], _ = l.atlas.number(in.flow.Origin)
	pair[1], _ = l.atlas.number(in.flow.Destination)
	for _, d := range l.derived {
		x := values{lo: 1}
		same, other := in.vals[d.from].mayEqual(pair[d.of])
		if same {
			x.set.add(1)
		}
		if other {
			x.set.add(0)
		}
		in.vals[d.to] = x
	}
	for _, f := range in.filed {
		if f.on > in.flow.Date {
			said := "filed_on"
			if f.rec.valid != nil {
				said = "issued_on"
			}
			return wrong(f.rec.class+"s."+f.rec.id, "correct one of them", "%s %s is after the flow's date %s", said, f.on, in.flow.Date)
		}
	}
	return nil
}

func object(raw any) (map[string]any, bool) {
	switch m := raw.(type) {
	case map[string]any:
		return m, true
	case corridor.Facts:
		return m, true
	}
	return nil, false
}

func array(raw any) ([]any, bool) {
	switch l := raw.(type) {
	case []any:
		return l, true
	case []string:
		out := make([]any, len(l))
		for i, s := range l {
			out[i] = s
		}
		return out, true
	}
	return nil, false
}

func integer(raw any) (int64, bool) {
	switch n := raw.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case int32:
		return int64(n), true
	case uint64:
		return int64(n), n <= math.MaxInt64
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) <= 1<<53
	case json.Number:
		v, err := n.Int64()
		return v, err == nil
	}
	return 0, false
}

func toDate(raw any) (corridor.Date, error) {
	switch d := raw.(type) {
	case corridor.Date:
		return d, nil
	case time.Time:
		return corridor.DateOf(d), nil
	case string:
		return corridor.ParseDate(d)
	}
	return 0, corridor.E(corridor.Invalid, "not a date")
}

// show writes a foreign value for a message.
func show(raw any) string {
	switch v := raw.(type) {
	case nil:
		return "nothing"
	case string:
		return fmt.Sprintf("%q", clip(v))
	}
	return clip(fmt.Sprint(raw))
}

// ParseFacts reads a file of facts, YAML or JSON, as strictly as a pack.
func ParseFacts(file string, data []byte) (corridor.Facts, error) {
	r := &reader{file: file}
	facts := corridor.Facts{}
	if root := r.parse(data); root != nil {
		r.entries(root, "the facts", func(k, v *yaml.Node) { facts[k.Value] = r.value(v) })
	}
	if len(r.errs) > 0 {
		return nil, r.errs[0]
	}
	return facts, nil
}

// ParseValue reads one value as YAML: true, 120000, [personal], {min: 5}.
func ParseValue(text string) (any, error) {
	if strings.TrimSpace(text) == "" {
		return "", nil
	}
	r := &reader{file: "value"}
	root := r.parse([]byte(text))
	if root == nil {
		return nil, r.errs[0]
	}
	v := r.value(root)
	if len(r.errs) > 0 {
		return nil, r.errs[0]
	}
	return v, nil
}
