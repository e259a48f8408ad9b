package catalog

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"corridor"
	"corridor/internal/dsp"
)

func rich() Metadata {
	return Metadata{Title: map[string]string{"en": "Ports", "ru": "Порты", "zh": "港口"}, Description: map[string]string{"en": "All ports.", "kk": "Барлық порттар."},
		Keywords: map[string][]string{"en": {"port", "ship"}, "zh": {"港口"}}, Themes: []string{"TRAN", "https://example.org/theme/7"}, Languages: []string{"ru", "zh"},
		Publisher: &Agent{Name: "Port of Aktau", ID: "did:web:port.example"}, Spatial: []string{"KZ", "https://example.org/places/caspian"},
		Temporal: &Period{Start: day("2026-01-01"), End: day("2026-06-30")}, Licence: "https://creativecommons.org/licenses/by/4.0/",
		Issued: day("2026-07-01"), Modified: day("2026-09-01")}
}

func day(s string) corridor.Date {
	d, err := corridor.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

// What is written satisfies both schemas, and our own reader reads it back.
func TestMetadataIsWrittenAsDCATAP(t *testing.T) {
	c := jsonschema.NewCompiler()
	for _, file := range []string{"dcat-ap/dataset-schema.json", "dsp/2025-1/catalog/dataset-schema.json", "dsp/2025-1/negotiation/contract-schema.json", "dsp/2025-1/common/context-schema.json"} {
		raw, err := os.ReadFile("../../schema/" + file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(bytes.ReplaceAll(raw, []byte("#definitions/"), []byte("#/definitions/"))))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(doc.(map[string]any)["$id"].(string), doc); err != nil {
			t.Fatal(err)
		}
	}
	checked, err := rich().Check()
	if err != nil {
		t.Fatal(err)
	}
	full, open := dataset("ports"), dataset("half")
	full.Metadata = &checked
	open.Metadata = &Metadata{Temporal: &Period{End: day("2026-06-30")}, Publisher: &Agent{Name: "Somebody"}}
	for _, d := range []Dataset{full, open, dataset("bare")} {
		view, err := d.DCAT(dsp.DataService{ID: "did:web:x#dsp", EndpointURL: "https://x/dsp"})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := dsp.Encode(&view)
		if err != nil {
			t.Fatal(err)
		}
		for _, schema := range []string{"https://corridor.invalid/schema/dcat-ap/dataset-schema.json", "https://w3id.org/dspace/2025/1/catalog/dataset-schema.json"} {
			s, err := c.Compile(schema)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(doc); err != nil {
				t.Errorf("%s: %v\n%s", d.ID, err, raw)
			}
		}
		back, err := dsp.Decode[dsp.Dataset](raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(view.DCAT, back.DCAT); diff != "" {
			t.Error(diff)
		}
	}
}

// Others write DCAT in shorter forms.
func TestMetadataOfOthersIsRead(t *testing.T) {
	raw := `{"dct:modified":7,"dct:temporal":[{"dcat:startDate":"2026"}],"dct:language":[{"skos:notation":"ru"},5],"dct:title":"Ports","dct:description":["a",{"@value":"b","@language":"en"}],"dcat:keyword":"port","dcat:theme":{"@id":"urn:t"},"dct:spatial":["urn:a",{"@id":"urn:b"}],
		"dct:publisher":{"@id":"urn:p","foaf:name":{"@value":"P","@language":"en"}},"dct:license":"urn:l","dct:issued":"2026-01-01"}`
	whole := `{"@context":["` + dsp.ContextURL + `"],"@type":"Dataset","@id":"x","hasPolicy":[{"@id":"o","@type":"Offer","permission":[{"action":"use"}]}],"distribution":[{"@type":"Distribution","format":"f","accessService":"s"}],` + raw[1:]
	read, err := dsp.Decode[dsp.Dataset]([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := dsp.DCAT{Titles: dsp.Texts{{Value: "Ports"}}, Texts: dsp.Texts{{Value: "a"}, {Value: "b", Language: "en"}}, Keywords: dsp.Texts{{Value: "port"}}, Theme: dsp.Refs{"urn:t"},
		Spatial: dsp.Refs{"urn:a", "urn:b"}, Publisher: &dsp.Agent{ID: "urn:p", Name: "P"}, License: "urn:l", Issued: "2026-01-01", Temporal: &dsp.Period{}}
	if diff := cmp.Diff(want, read.DCAT); diff != "" {
		t.Error(diff)
	}
}

func TestMetadataThatDCATAPDoesNotKnowIsRefused(t *testing.T) {
	for field, spoil := range map[string]func(*Metadata){
		"metadata.title.english language": func(m *Metadata) { m.Title = map[string]string{"english language": "x"} },
		"metadata.title.en":               func(m *Metadata) { m.Title["en"] = " " },
		"metadata.description.en":         func(m *Metadata) { m.Description["en"] = strings.Repeat("x", maxText+1) },
		"metadata.keywords.en[1]":         func(m *Metadata) { m.Keywords["en"][1] = "" },
		"metadata.keywords.ru":            func(m *Metadata) { m.Keywords = map[string][]string{"ru": make([]string, 101)} },
		"metadata.themes[0]":              func(m *Metadata) { m.Themes[0] = "TRANSPORT" },
		"metadata.languages[0]":           func(m *Metadata) { m.Languages[0] = "russian" },
		"metadata.spatial[0]":             func(m *Metadata) { m.Spatial[0] = "QQ" },
		"metadata.licence":                func(m *Metadata) { m.Licence = "CC BY" },
		"metadata.publisher.name":         func(m *Metadata) { m.Publisher = &Agent{} },
		"metadata.publisher.id":           func(m *Metadata) { m.Publisher.ID = "port" },
		"metadata.temporal":               func(m *Metadata) { m.Temporal.End = day("2025-01-01") },
		"metadata.modified":               func(m *Metadata) { m.Modified = day("2026-06-30") },
	} {
		m := rich()
		spoil(&m)
		_, err := m.Check()
		var e *corridor.Error
		if corridor.KindOf(err) != corridor.Invalid || !asError(err, &e) || e.Where != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	m, err := Metadata{Title: map[string]string{"RU": "x"}, Themes: []string{"tran"}, Spatial: []string{"kz"}}.Check()
	if got, _ := json.Marshal(m); err != nil || string(got) != `{"title":{"ru":"x"},"themes":["TRAN"],"spatial":["KZ"]}` {
		t.Errorf("%s %v", got, err)
	}
}

func asError(err error, into **corridor.Error) bool {
	e, ok := err.(*corridor.Error)
	*into = e
	return ok
}
