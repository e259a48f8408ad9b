package law

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"corridor"
)

// Limits on the kits of one pack.
const (
	maxKits      = 40
	maxKitFields = 80
)

// Kit is what an authority, or the file of an organisation, wants to be told
// about a transfer: one filing, field by field. Kits decide nothing.
type Kit struct {
	ID           string                `json:"id"`
	Pack         string                `json:"pack"`
	Jurisdiction string                `json:"jurisdiction"`
	Digest       string                `json:"digest"` // of the kits.yaml that holds it
	Title        corridor.Text         `json:"title"`
	Text         corridor.Text         `json:"text"`
	Files        string                `json:"files"` // who files it: exporter, importer
	Authority    corridor.Text         `json:"authority"`
	Languages    []string              `json:"languages"` // in which it is filed
	When         corridor.Text         `json:"when"`
	Duties       []string              `json:"duties"`           // a decision that asks for one of these asks for the kit
	Record       string                `json:"record,omitempty"` // the record that the filing moves
	From         corridor.Date         `json:"from,omitempty"`
	To           corridor.Date         `json:"to,omitempty"`
	Citations    []corridor.Citation   `json:"citations"`
	Source       corridor.SourceStatus `json:"source"`
	SourceOn     corridor.Date         `json:"source_on,omitempty"`
	SourceRef    string                `json:"source_ref,omitempty"`
	Fields       []KitField            `json:"fields"`
	Where        string                `json:"where"`
}

// KitField is one thing to be told.
type KitField struct {
	ID        string                `json:"id"`
	Heading   corridor.Text         `json:"heading,omitzero"` // of the fields from here on
	Label     corridor.Text         `json:"label"`
	Type      string                `json:"type"`
	Options   []string              `json:"options,omitempty"`
	From      KitOrigin             `json:"from"`
	Required  bool                  `json:"required"`
	Citations []corridor.Citation   `json:"citations"`
	Source    corridor.SourceStatus `json:"source"`
	SourceRef string                `json:"source_ref,omitempty"`
	Where     string                `json:"where"`
}

// KitOrigin is where the value of a field comes from: a fact, a part of the
// flow or of the decision, a record, the day of an event, a line about a
// party or the dataset. An empty Kind: somebody answers it.
type KitOrigin struct {
	Kind string `json:"kind,omitempty"`
	Name string `json:"name,omitempty"`
}

// The kinds of origin, as they stand in kits.yaml.
const (
	KitFact     = "fact"
	KitFlow     = "flow"
	KitDecision = "decision"
	KitRecord   = "record"
	KitFiledOn  = "filed_on"
	KitDuty     = "duty"
	KitEvent    = "event"
	KitParty    = "party"
	KitDataset  = "dataset"
)

// kitTypes are the types of a field.
func kitTypes() []string {
	return []string{"text", "number", "date", "yes_no", "choice", "list", "country", "document"}
}

// kitNames are the names that an origin may have, where they are few.
func kitNames(kind string) []string {
	switch kind {
	case KitFlow:
		return []string{"origin", "destination", "date"}
	case KitDecision:
		return []string{"outcome", "duties", "articles", "unverified", "valid_until"}
	case KitParty:
		var out []string
		for _, side := range []string{"exporter", "importer"} {
			for _, line := range PartyLines() {
				out = append(out, side+"."+line)
			}
		}
		return out
	case KitDataset:
		return DatasetLines()
	}
	return nil
}

// PartyLines are what a file of answers may say of a party.
func PartyLines() []string {
	return []string{"name", "did", "registration", "address", "representative", "officer", "contact", "phone", "email", "activity", "measures"}
}

// DatasetLines are what a file of answers may say of the data.
func DatasetLines() []string {
	return []string{"title", "categories", "people", "purpose", "legal_basis", "manner", "location", "retention", "systems"}
}

// Kits reads the kits of all packs, in the order of the packs' ids. Like
// cases they are read when they are asked for: a decision does not need them,
// and a kit that is wrong stops kits, not decisions.
func (l *Library) Kits() ([]Kit, error) {
	l.kits.once.Do(func() { l.kits.list, l.kits.err = l.readKits() })
	return slices.Clone(l.kits.list), l.kits.err
}

// kitShelf keeps the kits once they were asked for.
type kitShelf struct {
	once sync.Once
	list []Kit
	err  error
}

// readKits gives the kits of the files that are right, and what is wrong with
// the others.
func (l *Library) readKits() ([]Kit, error) {
	out := []Kit{}
	var errs []error
	for _, info := range l.Packs() {
		p := l.byJurisdiction[info.Jurisdiction]
		if p.kits == nil {
			continue
		}
		r := &reader{file: path.Join(p.id, "kits.yaml")}
		var mine []Kit
		if root := r.parse(p.kits); root != nil {
			mine = r.kits(root, p, l)
		}
		if len(r.errs) == 0 {
			out = append(out, mine...)
		}
		errs = append(errs, r.errs...)
	}
	return out, errors.Join(errs...)
}

// Kit finds one kit; the error names the nearest. That the kits of another
// pack are wrong does not stop it.
func (l *Library) Kit(id string) (Kit, error) {
	all, err := l.Kits()
	var names []string
	for _, k := range all {
		if k.ID == id {
			return k, nil
		}
		names = append(names, k.ID)
	}
	if err != nil {
		return Kit{}, corridor.E(corridor.Invalid, "the kits cannot be used:\n%w", err)
	}
	e := corridor.E(corridor.Invalid, "no kit %q", clip(id))
	if e.Fix = didYouMean(id, names); e.Fix == "" {
		e.Fix = "corridor kit list names them"
	}
	return Kit{}, e
}

// kitReader is what the fields of one file are checked against.
type kitReader struct {
	*reader
	lib  *Library
	pack *pack // with the instruments that only its kits cite
}

func (r *reader) kits(root *yaml.Node, p *pack, l *Library) []Kit {
	own := *p
	own.instruments = map[string]*instrument{}
	for id, in := range p.instruments {
		own.instruments[id] = in
	}
	x := &kitReader{r, l, &own}
	digest := corridor.Digest(p.kits)
	var out []Kit
	r.object(root, "the kits",
		field{"instruments", false, func(n *yaml.Node) {
			r.entries(n, "instruments", func(k, v *yaml.Node) {
				if own.instruments[k.Value] != nil {
					r.fail(k, "leave it out", "instrument %q is declared in pack.yaml", k.Value)
				}
				own.instruments[r.name(k, "instrument")] = r.instrument(v)
			})
		}},
		field{"kits", true, func(n *yaml.Node) {
			r.list(n, "kits", func(n *yaml.Node) {
				if len(out) == maxKits {
					r.fail(n, "", "more than %d kits", maxKits)
					return
				}
				k := x.kit(n)
				if at := slices.IndexFunc(out, func(o Kit) bool { return o.ID == k.ID }); at >= 0 {
					r.fail(n, "give it another id", "kit %q is declared twice (first at %s)", k.ID, out[at].Where)
				}
				k.Pack, k.Jurisdiction, k.Digest = p.id, p.jurisdiction, digest
				out = append(out, k)
			})
		}})
	return out
}

func (x *kitReader) kit(n *yaml.Node) Kit {
	r := x.reader
	k := Kit{Where: r.at(n).String(), Duties: []string{}}
	var during period
	var src source
	var fields *yaml.Node
	r.object(n, "a kit",
		field{"id", true, func(n *yaml.Node) { k.ID = r.name(n, "id") }},
		field{"title", true, func(n *yaml.Node) { k.Title = r.text(n, "title") }},
		field{"text", true, func(n *yaml.Node) { k.Text = r.text(n, "text") }},
		field{"files", true, func(n *yaml.Node) { k.Files = r.choice(n, "files", "exporter", "importer") }},
		field{"authority", true, func(n *yaml.Node) { k.Authority = r.text(n, "authority") }},
		field{"languages", true, func(n *yaml.Node) { k.Languages = r.names(n, "languages") }},
		field{"when", true, func(n *yaml.Node) { k.When = r.text(n, "when") }},
		field{"duties", true, func(n *yaml.Node) { k.Duties = x.duties(n) }},
		field{"record", false, func(n *yaml.Node) { k.Record = x.record(n, r.name(n, "record")) }},
		field{"in_force", true, func(n *yaml.Node) { during = r.period(n, "in_force"); k.From, k.To = during.from, during.to }},
		field{"cite", true, func(n *yaml.Node) { k.Citations = r.cites(n) }},
		field{"source", true, func(n *yaml.Node) { src = r.source(n) }},
		field{"fields", true, func(n *yaml.Node) { fields = n }})
	k.Source, k.SourceOn, k.SourceRef = src.status, src.on, src.ref
	if k.ID != "" && !strings.HasPrefix(k.ID, x.pack.id+".") {
		r.fail(n, "begin it with "+x.pack.id+".", "kit %q does not name its pack", k.ID)
	}
	x.pack.checkCites(r, r.at(n), "kit "+k.ID, k.Citations, &during)
	if fields != nil {
		k.Fields = x.fields(fields, k, during)
	}
	return k
}

// duties reads obligations that exist; an alias becomes the id.
func (x *kitReader) duties(n *yaml.Node) []string {
	ids := x.names(n, "duties")
	for i, id := range ids {
		o, ok := x.lib.Obligation(id)
		if !ok {
			x.fail(n.Content[min(i, len(n.Content)-1)], didYouMean(id, keys(x.lib.obligations.index)), "unknown obligation %q", id)
			continue
		}
		ids[i] = o.ID
	}
	return ids
}

// record checks the name of a vehicle, filing or assessment of any pack.
func (x *kitReader) record(n *yaml.Node, name string) string {
	class, kind, ok := recordName(name)
	if ok && x.lib.records[class+"/"+kind] != nil {
		return name
	}
	var names []string
	for _, c := range x.lib.Records() {
		names = append(names, c.Name)
	}
	x.fail(n, didYouMean(name, names), "unknown record %q", name)
	return ""
}

func (x *kitReader) fields(n *yaml.Node, k Kit, during period) []KitField {
	var out []KitField
	seen := map[string]bool{}
	x.list(n, "fields", func(n *yaml.Node) {
		if len(out) == maxKitFields {
			x.fail(n, "", "more than %d fields", maxKitFields)
			return
		}
		f := x.field(n, k)
		if seen[f.ID] {
			x.fail(n, "give it another id", "field %q occurs twice in %s", f.ID, k.ID)
		}
		seen[f.ID] = true
		x.pack.checkCites(x.reader, x.at(n), "field "+f.ID, f.Citations, &during)
		out = append(out, f)
	})
	if len(out) == 0 {
		x.fail(n, "name what is to be told", "kit %s has no fields", k.ID)
	}
	return out
}

func (x *kitReader) field(n *yaml.Node, k Kit) KitField {
	r := x.reader
	f := KitField{Where: r.at(n).String(), Required: true, Citations: slices.Clone(k.Citations), Source: k.Source, SourceRef: k.SourceRef}
	var from *yaml.Node
	r.object(n, "a field",
		field{"id", true, func(n *yaml.Node) { f.ID = r.name(n, "id") }},
		field{"heading", false, func(n *yaml.Node) { f.Heading = r.text(n, "heading") }},
		field{"label", true, func(n *yaml.Node) { f.Label = r.text(n, "label") }},
		field{"type", true, func(n *yaml.Node) { f.Type = r.choice(n, "type", kitTypes()...) }},
		field{"options", false, func(n *yaml.Node) { f.Options = r.names(n, "options") }},
		field{"from", false, func(n *yaml.Node) { from = n }},
		field{"required", false, func(n *yaml.Node) { f.Required = r.boolean(n, "required") }},
		field{"cite", false, func(n *yaml.Node) { f.Citations = r.cites(n) }},
		field{"source", false, func(n *yaml.Node) { s := r.source(n); f.Source, f.SourceRef = s.status, s.ref }})
	if from != nil {
		f.From = x.origin(from, f.Type)
	}
	if (f.Type == "choice") != (len(f.Options) > 0) && f.From.Kind == "" {
		r.fail(n, "a choice has options, and nothing else has", "field %s: options and type do not fit", f.ID)
	}
	return f
}

// origin reads {fact: subjects_ytd} and checks that what is named exists and
// has the type of the field.
func (x *kitReader) origin(n *yaml.Node, typ string) KitOrigin {
	var o KitOrigin
	kinds := []string{KitFact, KitFlow, KitDecision, KitRecord, KitFiledOn, KitDuty, KitEvent, KitParty, KitDataset}
	x.entries(n, "from", func(k, v *yaml.Node) {
		switch {
		case !slices.Contains(kinds, k.Value):
			x.fail(k, didYouMean(k.Value, kinds), "a value cannot come from %q", k.Value)
		case o.Kind != "":
			x.fail(k, "name one", "from has two sources, %s and %s", o.Kind, k.Value)
		default:
			o = KitOrigin{k.Value, x.str(v, "from "+k.Value)}
			x.named(v, o, typ)
		}
	})
	if o.Kind == "" && n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		x.fail(n, "leave from out where somebody answers", "from names no source")
	}
	return o
}

// named checks one origin.
func (x *kitReader) named(n *yaml.Node, o KitOrigin, typ string) {
	want := ""
	switch o.Kind {
	case KitFact:
		want = x.factType(n, o.Name)
	case KitRecord:
		x.record(n, o.Name)
		want = "choice"
	case KitFiledOn:
		x.record(n, o.Name)
		want = "date"
	case KitDuty:
		if _, ok := x.lib.Obligation(o.Name); !ok {
			x.fail(n, didYouMean(o.Name, keys(x.lib.obligations.index)), "unknown obligation %q", o.Name)
		}
		want = "yes_no"
	case KitEvent:
		if _, ok := x.lib.obligations.events[o.Name]; !ok {
			x.fail(n, didYouMean(o.Name, x.lib.Events()), "unknown event %q", o.Name)
		}
		want = "date"
	default:
		names := kitNames(o.Kind)
		if !slices.Contains(names, o.Name) {
			x.fail(n, didYouMean(o.Name, names), "%s has no %q", o.Kind, o.Name)
		}
		want = map[string]string{"origin": "country", "destination": "country", "date": "date", "outcome": "choice", "duties": "list",
			"articles": "list", "unverified": "list", "valid_until": "date"}[o.Name]
	}
	if want != "" && typ != "" && typ != want {
		x.fail(n, "make its type "+want, "a field of type %s cannot take its value from %s %s", typ, o.Kind, o.Name)
	}
}

// factType is the type of field that a fact fills.
func (x *kitReader) factType(n *yaml.Node, name string) string {
	f := x.lib.vocab.byName[name]
	if f == nil || f.derive != nil {
		var names []string
		for _, v := range x.lib.vocab.facts {
			if v.derive == nil {
				names = append(names, v.Name)
			}
		}
		x.fail(n, didYouMean(name, names), "unknown fact %q", name)
		return ""
	}
	return map[string]string{typeBool: "yes_no", typeInt: "number", typeDate: "date", "enum": "choice", typeSet: "list",
		typeCountry: "country", typeCountries: "list"}[f.Type]
}

// Answers is what a file says besides the facts: about the parties, about the
// data, and field by field.
type Answers struct {
	Parties map[string]map[string]string `json:"parties,omitempty"` // exporter, importer
	Dataset map[string]string            `json:"dataset,omitempty"`
	Fields  map[string]any               `json:"answers,omitempty"` // by field id
}

// ParseAnswers reads a file of answers as strictly as a pack.
func ParseAnswers(file string, data []byte) (Answers, error) {
	r := &reader{file: file}
	a := Answers{Parties: map[string]map[string]string{}, Dataset: map[string]string{}, Fields: map[string]any{}}
	lines := func(what string, names []string, to map[string]string) func(*yaml.Node) {
		return func(n *yaml.Node) {
			r.entries(n, what, func(k, v *yaml.Node) {
				if !slices.Contains(names, k.Value) {
					r.fail(k, didYouMean(k.Value, names), "%s has no %q", what, k.Value)
				}
				to[k.Value] = r.str(v, k.Value)
			})
		}
	}
	for _, side := range []string{"exporter", "importer"} {
		a.Parties[side] = map[string]string{}
	}
	if root := r.parse(data); root != nil {
		r.object(root, "the answers",
			field{"exporter", false, lines("exporter", PartyLines(), a.Parties["exporter"])},
			field{"importer", false, lines("importer", PartyLines(), a.Parties["importer"])},
			field{"dataset", false, lines("dataset", DatasetLines(), a.Dataset)},
			field{"answers", false, func(n *yaml.Node) {
				r.entries(n, "answers", func(k, v *yaml.Node) { a.Fields[k.Value] = r.value(v) })
			}})
	}
	if len(r.errs) > 0 {
		return a, r.errs[0]
	}
	return a, nil
}

// CheckAnswer says whether an answer fits a field that somebody answers.
func (f KitField) CheckAnswer(v any) error {
	bad := func(fix string) error {
		e := corridor.E(corridor.Invalid, "%s is not an answer of type %s", show(v), f.Type)
		e.Where, e.Fix = "answers."+f.ID, fix
		return e
	}
	s, isText := v.(string)
	switch f.Type {
	case "number":
		if n, ok := integer(v); !ok || n < 0 {
			return bad("write a whole number")
		}
	case "yes_no":
		if _, ok := v.(bool); !ok {
			return bad("write true or false")
		}
	case "date":
		if _, err := toDate(v); err != nil {
			return bad("write it as YYYY-MM-DD")
		}
	case "choice":
		if !isText || !slices.Contains(f.Options, s) {
			return bad(didYouMean(fmt.Sprint(v), f.Options))
		}
	case "list":
		if list, ok := array(v); !ok || len(list) == 0 || slices.ContainsFunc(list, func(x any) bool { _, ok := x.(string); return !ok }) {
			return bad("write [a, b]")
		}
	default:
		if !isText || strings.TrimSpace(s) == "" {
			return bad("write text")
		}
	}
	return nil
}
