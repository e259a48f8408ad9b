package dsp

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/piprate/json-gold/ld"

	"corridor"
	"corridor/schema"
)

// plainSpace is where names go that a message's contexts do not define. JSON-LD
// drops such members; here they keep their names, so that what a policy may
// not carry is still seen and refused.
const plainSpace = "urn:corridor:plain:"

// vocabulary is what the pinned contexts say: how a name is written in full,
// and which name an IRI has at which type.
type vocabulary struct {
	documents map[string]any             // contexts by their URLs
	prefixes  map[string]string          // of the protocol's context
	scopes    map[string]map[string]term // names by the type that they belong to
	policy    map[string]term            // names of policies, at any type
	names     map[string]string          // all of them, by their IRIs
}

// term is a name of the protocol.
type term struct {
	iri  string
	word bool // its values are names too ("@type": "@vocab")
}

// pinned reads the contexts once, when the first message needs them: one in
// the compact form never does.
var pinned = sync.OnceValues(newVocabulary)

type contextDocument struct {
	Context map[string]any `json:"@context"`
}

func newVocabulary() (*vocabulary, error) {
	const odrl = "https://w3id.org/dspace/2025/1/odrl-profile.jsonld"
	v := &vocabulary{documents: map[string]any{}, prefixes: map[string]string{}, scopes: map[string]map[string]term{}, names: map[string]string{}}
	read := map[string]contextDocument{}
	for url, file := range map[string]string{ContextURL: "dsp/2025-1/context/dspace.jsonld", odrl: "dsp/2025-1/context/odrl.jsonld", edcContextURL: "edc/dspace-v0.0.1.jsonld"} {
		doc, err := readContext(file)
		if err != nil {
			return nil, err
		}
		read[url] = doc
		v.documents[url] = map[string]any{"@context": doc.Context}
	}
	root := read[ContextURL].Context
	for name, def := range root {
		if iri, ok := def.(string); ok && strings.HasSuffix(iri, "/") || ok && strings.HasSuffix(iri, "#") {
			v.prefixes[name] = iri
		}
	}
	v.policy = v.terms(read[odrl].Context)
	for name, def := range root {
		scope := scopeOf(def)
		if scope == nil {
			continue
		}
		if scope["@import"] == odrl { // merged here: the processor spends what it is given
			delete(scope, "@import")
			for k, d := range read[odrl].Context {
				if _, own := scope[k]; !own {
					scope[k] = d
				}
			}
		}
		v.scopes[name] = v.terms(scope)
	}
	return v, nil
}

func readContext(file string) (contextDocument, error) {
	var doc contextDocument
	raw, err := fs.ReadFile(schema.FS(), file)
	if err == nil {
		err = json.Unmarshal(raw, &doc)
	}
	if err != nil {
		return doc, corridor.E(corridor.Internal, "pinned context %s: %w", file, err)
	}
	return doc, nil
}

func scopeOf(def any) map[string]any {
	m, _ := def.(map[string]any)
	scope, _ := m["@context"].(map[string]any)
	return scope
}

// terms reads the names that a context defines.
func (v *vocabulary) terms(context map[string]any) map[string]term {
	out := map[string]term{}
	for name, def := range context {
		switch d := def.(type) {
		case string:
			out[name] = term{iri: v.full(d)}
		case map[string]any:
			id, _ := d["@id"].(string)
			out[name] = term{iri: v.full(id), word: d["@type"] == "@vocab"}
		}
		v.names[out[name].iri] = name
	}
	return out
}

// full writes a prefixed name as an IRI.
func (v *vocabulary) full(name string) string {
	prefix, local, ok := strings.Cut(name, ":")
	if space, known := v.prefixes[prefix]; ok && known {
		return space + local
	}
	return name
}

// short is the opposite, for the prefixes of the protocol's context; a name
// that no context defined is plain again.
func (v *vocabulary) short(iri string) string {
	if name, ok := strings.CutPrefix(iri, plainSpace); ok {
		return name
	}
	for prefix, space := range v.prefixes {
		if local, ok := strings.CutPrefix(iri, space); ok {
			return prefix + ":" + local
		}
	}
	if local, ok := strings.CutPrefix(iri, edcNames); ok {
		return "edc:" + local
	}
	return iri
}

// named gives the IRI of a member of a type. What the protocol's context does
// not define is a plain name.
func (v *vocabulary) named(typ, name string) term {
	if strings.Contains(name, ":") {
		return term{iri: v.full(name)}
	}
	if t, ok := v.scopes[typ][name]; ok {
		return t
	}
	if t, ok := v.policy[name]; ok {
		return t
	}
	// The timestamp of an agreement is defined at the message that carries it.
	if t, ok := v.scopes["ContractAgreementMessage"][name]; ok {
		return t
	}
	return term{iri: plainSpace + name}
}

// own gives the local name of a key that is written with a prefix or in full
// and means a member of the protocol.
func (v *vocabulary) own(key string) (local string, ok bool) {
	local, ok = v.names[v.full(key)]
	return local, ok
}

// word gives the name that a value stands for: a word of ODRL or of the
// protocol by its local name, as the compact form has it.
func (v *vocabulary) word(value string) string {
	full := v.full(value)
	if name, ok := strings.CutPrefix(full, plainSpace); ok {
		return name
	}
	for _, prefix := range []string{"odrl", "dspace"} {
		if local, ok := strings.CutPrefix(full, v.prefixes[prefix]); ok && local != "" && !strings.ContainsAny(local, ":/#") {
			return local
		}
	}
	return value
}

// LoadDocument gives a pinned context to the JSON-LD processor. There is no
// other: nothing is fetched.
func (v *vocabulary) LoadDocument(url string) (*ld.RemoteDocument, error) {
	doc, ok := v.documents[url]
	if !ok {
		return nil, v.unknownContext((*path)(nil).member("@context"), url)
	}
	return &ld.RemoteDocument{DocumentURL: url, Document: doc}, nil
}

func (v *vocabulary) unknownContext(at *path, url string) error {
	known := slices.Sorted(maps.Keys(v.documents))
	return invalid("@context", fmt.Sprintf("does not hold the context of DSP %s alone: %q at %s is not known here, and contexts are never fetched", Version, clip(url), at),
		"write the message in the compact form of "+ContextURL+", or define the prefixes in the message; known are "+strings.Join(known, ", "))
}
