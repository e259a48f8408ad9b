package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"corridor"
	"corridor/internal/dsp"
)

// described is a dataset with all that can be filtered by.
func described(t *testing.T) Dataset {
	t.Helper()
	m, err := Metadata{Title: map[string]string{"ru": "Порты Каспия"}, Keywords: map[string][]string{"en": {"sea port"}}, Themes: []string{themeIRI + "TRAN", "ECON"}, Languages: []string{"zh-Hans", "ru"},
		Publisher: &Agent{Name: "Port of Aktau", ID: "did:web:port.example"}, Spatial: []string{countryIRI + "KAZ", "CN"}, Licence: "https://creativecommons.org/licenses/by/4.0/"}.Check()
	if err != nil {
		t.Fatal(err)
	}
	d := dataset("ports")
	d.Title, d.Metadata = "Ports", &m
	return d
}

// A filter that names a property with a prefix, or in full, finds what the
// same filter finds by our name, and values are read as the catalogue shows
// them.
func TestAFilterIsReadByWhatItsWordsMean(t *testing.T) {
	t.Parallel()
	db := open(t, described(t), dataset("flights"))
	for _, c := range []struct{ left, op, right string }{
		{"@id", "eq", "ports"}, {"edc:id", "eq", "ports"}, {"https://w3id.org/edc/v0.0.1/ns/id", "eq", "ports"},
		{"dct:title", "hasPart", "каспия"}, {"dcterms:title", "hasPart", "Каспия"}, {"http://purl.org/dc/terms/title", "odrl:hasPart", "Порты"},
		{"dcat:keyword", "eq", "Sea Port"}, {"http://www.w3.org/ns/dcat#keyword", "http://www.w3.org/ns/odrl/2/eq", "sea port"},
		{"dcat:theme", "eq", themeIRI + "TRAN"}, {"theme", "eq", "tran"}, {"http://www.w3.org/ns/dcat#theme", "eq", themeIRI + "ECON"},
		{"dct:spatial", "eq", countryIRI + "KAZ"}, {"country", "eq", "KZ"}, {"dcterms:spatial", "eq", "cn"}, {"dct:spatial", "eq", countryIRI + "CHN"},
		{"dct:language", "eq", languageIRI + "ZHO"}, {"dct:language", "eq", "zh"}, {"language", "eq", "zh-Hans"}, {"dcterms:language", "eq", languageIRI + "RUS"},
		{"dct:publisher", "eq", "did:web:port.example"}, {"dct:publisher", "eq", "port of aktau"}, {"dct:license", "eq", "https://creativecommons.org/licenses/by/4.0/"},
	} {
		raw, err := json.Marshal(map[string]string{"leftOperand": c.left, "operator": c.op, "rightOperand": c.right})
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseFilter([]json.RawMessage{raw})
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if ids, _ := pageOf(t, db, f, "", 10); strings.Join(ids, " ") != "ports" {
			t.Errorf("%s: %v", raw, ids)
		}
		if x, _ := fieldOf(c.left); x.op == dsp.Eq {
			query := json.RawMessage(`{"@type":"QuerySpec","filterExpression":[{"operandLeft":` + quoted(c.left) + `,"operator":"=","operandRight":` + quoted(c.right) + `}]}`)
			if g, err := ParseFilter([]json.RawMessage{query}); err != nil || g.Key() != f.Key() {
				t.Errorf("%s is %q, %v, not %q", query, g.Key(), err, f.Key())
			}
		}
		if g, err := NewFilter(map[string]string{c.left: c.right}); err != nil || g.Key() != f.Key() {
			t.Errorf("%s=%s is %q, %v, not %q", c.left, c.right, g.Key(), err, f.Key())
		}
	}
}

// What does not say exactly the same is refused by the name that was given, and
// two names of one property do not hide that they contradict each other.
func TestAWordThatMeansSomethingElseIsRefusedByItsName(t *testing.T) {
	t.Parallel()
	for left, op := range map[string]string{"dct:format": "eq", "dct:identifier": "eq", "dct:description": "hasPart", "dcat:title": "hasPart", "foaf:title": "hasPart", "dct:": "eq",
		"edc:@id": "eq", "edc:contenttype": "eq", "http://purl.org/dc/terms/text": "hasPart", "edc:peer": "eq", "title:dct": "hasPart"} {
		_, err := ParseFilter([]json.RawMessage{json.RawMessage(`{"leftOperand":` + quoted(left) + `,"operator":"` + op + `","rightOperand":"x"}`)})
		if corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), quoted(left)) {
			t.Errorf("%s: %v", left, err)
		}
	}
	for _, list := range []string{
		`[{"leftOperand":"id","operator":"eq","rightOperand":"a"},{"leftOperand":"@id","operator":"eq","rightOperand":"b"}]`,
		`[{"leftOperand":"dct:title","operator":"hasPart","rightOperand":"a"},{"leftOperand":"title","operator":"hasPart","rightOperand":"b"}]`,
		`[{"leftOperand":"id","operator":"eq","rightOperand":"a","or":[{"leftOperand":"id","operator":"eq","rightOperand":"b"}]}]`,
	} {
		var raw []json.RawMessage
		if err := json.Unmarshal([]byte(list), &raw); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseFilter(raw); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%s: %v", list, err)
		}
	}
	if _, err := NewFilter(map[string]string{"id": "a", "edc:id": "b"}); corridor.KindOf(err) != corridor.Invalid {
		t.Error(err)
	}
}

func quoted(s string) string {
	raw, _ := json.Marshal(s) // of a string: never fails
	return string(raw)
}
