package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/dsp"
)

// Filter narrows a catalogue. The zero Filter lets everything through. All of
// it is answered from indexes, but Title, which is looked for in the datasets
// that the rest of the filter leaves.
type Filter struct {
	id    string
	title string   // a part of a title, folded
	terms []string // all must stand in the index
}

// field is something to filter by.
type field struct {
	name string
	op   dsp.Operator
	once bool // a dataset has one value, so two are a contradiction
	// others says that it is for what was found in catalogues of others only.
	others bool
	set    func(f *Filter, value string) error
}

func fields() []field {
	term := func(kind string) func(*Filter, string) error {
		return func(f *Filter, v string) error {
			f.terms = append(f.terms, termOf(kind, plainValue(kind, v)))
			return nil
		}
	}
	return []field{
		{name: "id", op: dsp.Eq, once: true, set: func(f *Filter, v string) error { f.id = v; return nil }},
		{name: "title", op: dsp.HasPart, once: true, set: func(f *Filter, v string) error { f.title = fold(v); return nil }},
		{name: "text", op: dsp.HasPart, set: (*Filter).text},
		{name: "format", op: dsp.Eq, once: true, set: term(kindFormat)},
		{name: "class", op: dsp.Eq, set: term(kindClass)},
		{name: "country", op: dsp.Eq, set: term(kindCountry)},
		{name: "language", op: dsp.Eq, set: term(kindLanguage)},
		{name: "keyword", op: dsp.Eq, set: term(kindKeyword)},
		{name: "theme", op: dsp.Eq, set: term(kindTheme)},
		{name: "publisher", op: dsp.Eq, set: term(kindPublisher)},
		{name: "licence", op: dsp.Eq, set: term(kindLicence)},
		{name: "peer", op: dsp.Eq, once: true, others: true, set: term(kindPeer)},
		{name: "from", op: dsp.Eq, once: true, others: true, set: term(kindFrom)},
	}
}

// text asks for all words of a search.
func (f *Filter) text(v string) error {
	words := sought(v)
	if len(words) == 0 {
		return corridor.E(corridor.Invalid, "%q holds no word to look for", clip(v))
	}
	if len(words) > maxQuery {
		return corridor.E(corridor.Limited, "a search of %d words; at most %d are looked for", len(words), maxQuery)
	}
	for _, w := range words {
		f.terms = append(f.terms, kindWord+w)
	}
	return nil
}

// OneDataset says whether the filter asks for one dataset by its identifier.
func (f Filter) OneDataset() bool { return f.id != "" }

// NewFilter makes a filter of names and values, such as {"format": "csv"}.
func NewFilter(by map[string]string) (Filter, error) { return newFilter(by, false) }

// newFilter makes a filter of our own catalogue, or of what was found in those
// of others.
func newFilter(by map[string]string, others bool) (Filter, error) {
	var f Filter
	given := map[string]string{}
	for _, name := range sortedKeys(by) {
		x, ok := fieldOf(name)
		if !ok || x.others && !others {
			return f, unknownField(name, name)
		}
		if x.contradicts(given, by[name]) {
			return f, refuse(name, "contradicts another filter on "+x.name)
		}
		if err := x.set(&f, by[name]); err != nil {
			return f, at(name, err)
		}
	}
	return f, nil
}

// ParseFilter reads the filter of a catalogue request: comparisons in the
// form of an ODRL constraint, which all must hold. What is not understood is
// refused, as the protocol wants.
func ParseFilter(list []json.RawMessage) (Filter, error) {
	var f Filter
	list, err := withoutQuerySpec(list)
	if err != nil {
		return f, err
	}
	given := map[string]string{}
	for i, raw := range list {
		where := fmt.Sprintf("filter[%d]", i)
		var c dsp.Constraint
		if err := json.Unmarshal(raw, &c); err != nil {
			return f, refuse(where, "is not an object with leftOperand, operator and rightOperand")
		}
		if string(raw) == "{}" { // "no filter" of some peers
			continue
		}
		right, ok := c.Right()
		if !ok || len(right) != 1 || right[0] == "" {
			return f, refuse(where+".rightOperand", "is not one string")
		}
		x, ok := fieldOf(c.LeftOperand)
		op, _ := c.Logical()
		switch {
		case op != "":
			return f, refuse(where+"."+op, "cannot be used here: all filters must hold")
		case !ok || x.others:
			return f, unknownField(where+".leftOperand", c.LeftOperand)
		case plainOperator(c.Operator) != x.op:
			return f, refuse(where+".operator", fmt.Sprintf("%q does not go with %s: use %s", clip(string(c.Operator)), c.LeftOperand, x.op))
		case x.contradicts(given, right[0]):
			return f, refuse(where, "contradicts another filter on "+c.LeftOperand)
		}
		if err := x.set(&f, right[0]); err != nil {
			return f, at(where+".rightOperand", err)
		}
	}
	if len(f.terms) > maxQuery {
		return f, at("filter", corridor.E(corridor.Limited, "%d conditions; at most %d are looked at", len(f.terms), maxQuery))
	}
	return f, nil
}

// contradicts notes a value, and says whether another was given before of
// which a dataset has one.
func (x field) contradicts(given map[string]string, value string) bool {
	before, twice := given[x.name]
	given[x.name] = value
	return x.once && twice && before != value
}

// plainOperator reads an operator that is written with the prefix of ODRL or in
// full.
func plainOperator(op dsp.Operator) dsp.Operator {
	for _, before := range []string{"odrl:", "http://www.w3.org/ns/odrl/2/"} {
		if local, ok := strings.CutPrefix(string(op), before); ok {
			return dsp.Operator(local)
		}
	}
	return op
}

func fieldOf(name string) (field, bool) {
	name = plainName(name)
	all := fields()
	i := slices.IndexFunc(all, func(x field) bool { return x.name == name })
	if i < 0 {
		return field{}, false
	}
	return all[i], true
}

func unknownField(where, name string) error {
	return refuse(where, fmt.Sprintf("%q cannot be filtered by", clip(name)))
}

func at(where string, err error) error {
	return &corridor.Error{Kind: corridor.KindOf(err), Where: where, Msg: err.Error()}
}

func refuse(at, msg string) error {
	var eq, part []string
	for _, x := range fields() {
		if x.others {
			continue
		}
		if x.op == dsp.Eq {
			eq = append(eq, x.name)
		} else {
			part = append(part, x.name)
		}
	}
	return &corridor.Error{Kind: corridor.Invalid, Where: at, Msg: msg, Why: "DSP 2025-1: an unsupported filter is refused",
		Fix: "compare with eq: " + strings.Join(eq, ", ") + "; with hasPart: " + strings.Join(part, ", ")}
}

// Key names the filter: equal filters have equal keys.
func (f Filter) Key() string {
	terms := slices.Clone(f.terms)
	slices.Sort(terms)
	return f.id + "\x00" + f.title + "\x00" + strings.Join(slices.Compact(terms), "\x00")
}

// What terms say beside words.
const (
	kindWord      = "w:"
	kindFormat    = "format:"
	kindClass     = "class:"
	kindCountry   = "country:"
	kindLanguage  = "language:"
	kindKeyword   = "keyword:"
	kindTheme     = "theme:"
	kindPublisher = "publisher:"
	kindLicence   = "licence:"
	kindPeer      = "peer:"
	kindFrom      = "from:"
	maxTerm       = 200
)

// termOf is a value as it stands in the index.
func termOf(kind, value string) string {
	value = strings.Join(strings.Fields(value), " ")
	switch kind {
	case kindKeyword, kindPublisher, kindLanguage:
		value = fold(value)
	case kindCountry, kindTheme, kindFrom:
		value = strings.ToUpper(value)
	}
	if len(value) > maxTerm {
		value = strings.ToValidUTF8(value[:maxTerm], "")
	}
	return kind + value
}

// terms lists what a dataset is found by, each once.
func (d Dataset) terms() []string {
	x := newTerms()
	x.words(d.Title)
	x.words(d.Keywords...)
	x.values(kindKeyword, d.Keywords...)
	x.values(kindFormat, d.Format)
	x.values(kindClass, classes(d.PublicFacts())...)
	if d.Metadata != nil {
		x.metadata(*d.Metadata)
	}
	x.words(d.ID, d.Description)
	return x.list
}

// termList collects terms, each once.
type termList struct {
	list []string
	seen map[string]bool
}

func newTerms() *termList { return &termList{seen: map[string]bool{}} }

func (x *termList) add(term string) {
	if !x.seen[term] && len(x.list) < maxTerms {
		x.seen[term] = true
		x.list = append(x.list, term)
	}
}

func (x *termList) words(texts ...string) {
	for _, text := range texts {
		for _, w := range Words(text) {
			x.add(kindWord + w)
		}
	}
}

func (x *termList) values(kind string, values ...string) {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			x.add(termOf(kind, v))
		}
	}
}

// metadata adds the short texts before the long ones, which may not all find
// room.
func (x *termList) metadata(m Metadata) {
	for _, tag := range sortedKeys(m.Title) {
		x.words(m.Title[tag])
	}
	for _, tag := range sortedKeys(m.Keywords) {
		x.words(m.Keywords[tag]...)
		x.values(kindKeyword, m.Keywords[tag]...)
	}
	x.values(kindTheme, m.Themes...)
	for _, tag := range m.Languages { // a variant is found by its language too, which is what the catalogue shows
		x.values(kindLanguage, tag, baseOf(tag))
	}
	x.values(kindCountry, m.Spatial...)
	x.values(kindLicence, m.Licence)
	if p := m.Publisher; p != nil {
		x.words(p.Name)
		x.values(kindPublisher, p.Name, p.ID)
	}
	for _, tag := range sortedKeys(m.Description) {
		x.words(m.Description[tag])
	}
}

// classes are the classes of data that a dataset says it holds.
func classes(shown corridor.Facts) []string {
	switch v := shown["data_classes"].(type) {
	case string:
		return []string{v}
	case []string:
		return v
	case []any:
		var out []string
		for _, one := range v {
			if s, ok := one.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// titleKey is what a filter by title looks into.
func (d Dataset) titleKey() string {
	all := []string{d.Title}
	if d.Metadata != nil {
		for _, tag := range sortedKeys(d.Metadata.Title) {
			all = append(all, d.Metadata.Title[tag])
		}
	}
	return fold(strings.Join(all, "\n"))
}

// lawful is a digest of all that the law's answer for a country depends on:
// the facts and the offer's conditions.
func (d Dataset) lawful() (string, error) {
	policy := d.Offer.Policy
	policy.ID = ""
	raw, err := json.Marshal(struct {
		Facts  corridor.Facts
		Policy dsp.Policy
	}{d.Facts, policy})
	if err != nil {
		return "", corridor.E(corridor.Invalid, "facts of %s: %w", d.ID, err)
	}
	return corridor.Digest(raw), nil
}
