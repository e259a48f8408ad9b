package server_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"corridor/internal/server"
)

const anyCatalogue = `{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"CatalogRequestMessage"%s}`

func withFilter(name, op, value string) string {
	return fmt.Sprintf(anyCatalogue, fmt.Sprintf(`,"filter":[{"leftOperand":%q,"operator":%q,"rightOperand":%q}]`, name, op, value))
}

func batch(t *testing.T, ids ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.csv")
	must(t, writeFile(path, "a,b\n1,2\n"))
	var list []map[string]any
	for _, id := range ids {
		list = append(list, map[string]any{"id": id, "source": path, "format": "csv", "facts": map[string]any{"data_classes": []string{"non_personal"}}})
	}
	out, err := json.Marshal(map[string]any{"datasets": list})
	must(t, err)
	return string(out)
}

func datasetsOf(t *testing.T, a answer) (ids []string) {
	t.Helper()
	list, _ := a.json(t)["dataset"].([]any)
	for _, d := range list {
		ids = append(ids, d.(map[string]any)["@id"].(string))
	}
	return ids
}

func TestWhatHasNotChangedIsNotSentAgain(t *testing.T) {
	srv, _ := node(t, known{})
	if a := call(t, srv, "POST", "/api/datasets/batch", batch(t, "one", "two")); a.status != 201 || !strings.Contains(string(a.body), `"datasets":2`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, ask := range []func(head ...string) answer{
		func(head ...string) answer {
			return call(t, srv, "POST", server.Base+"/catalog/request", fmt.Sprintf(anyCatalogue, ""), head...)
		},
		func(head ...string) answer {
			return call(t, srv, "POST", server.Base+"/catalog/request", withFilter("text", "hasPart", "one"), head...)
		},
		func(head ...string) answer {
			return call(t, srv, "GET", server.Base+"/catalog/datasets/one", "", head...)
		},
	} {
		first := ask()
		tag := first.head.Get("ETag")
		if first.status != 200 || !regexp.MustCompile(`^"[0-9a-f]{32}"$`).MatchString(tag) {
			t.Fatalf("%d %q %s", first.status, tag, first.body)
		}
		for header, status := range map[string]int{tag: 304, `"x", ` + tag: 304, "W/" + tag: 304, `"x"`: 200, "": 200} {
			if a := ask("If-None-Match", header); a.status != status || a.head.Get("ETag") != tag || status == 304 && len(a.body) > 0 {
				t.Errorf("%s: %d %q %s", header, a.status, a.head.Get("ETag"), a.body)
			}
		}
		if a := call(t, srv, "POST", "/api/datasets/batch", strings.ReplaceAll(batch(t, "one"), `"csv"`, `"csv","title":"`+tag[1:9]+` one"`)); a.status != 201 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := ask("If-None-Match", tag); a.status != 200 || a.head.Get("ETag") == tag {
			t.Errorf("after a new edition: %d %s", a.status, a.body)
		}
	}
}

func TestPagesNameTheirNeighbours(t *testing.T) {
	srv, _ := node(t, known{})
	var all []string
	for part := range 5 {
		var ids []string
		for i := range 50 {
			ids = append(ids, fmt.Sprintf("d%d-%d", part, i))
		}
		if a := call(t, srv, "POST", "/api/datasets/batch", batch(t, ids...)); a.status != 201 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		all = append(all, ids...)
	}
	link := func(a answer, rel string) string {
		m := regexp.MustCompile(`<([^>]*)>; rel="` + rel).FindStringSubmatch(strings.Join(a.head.Values("Link"), " "))
		if m == nil {
			return ""
		}
		return m[1]
	}
	var met []string
	var pages []string
	for at := server.Base + "/catalog/request"; at != ""; {
		a := call(t, srv, "POST", at, fmt.Sprintf(anyCatalogue, ""))
		if prev := link(a, "prev"); (prev != "") != (len(pages) > 0) {
			t.Errorf("%s: previous page %q", at, prev)
		} else if prev != "" {
			if back := call(t, srv, "POST", prev, fmt.Sprintf(anyCatalogue, "")); fmt.Sprint(datasetsOf(t, back)) != pages[len(pages)-1] {
				t.Errorf("%s leads back to %s", at, datasetsOf(t, back))
			}
		}
		met = append(met, datasetsOf(t, a)...)
		pages = append(pages, fmt.Sprint(datasetsOf(t, a)))
		at = link(a, "next")
	}
	if !slices.Equal(met, all) || len(pages) != 3 {
		t.Errorf("%d pages, %v", len(pages), met)
	}
}

func TestAFilterIsKnownOrRefusedByName(t *testing.T) {
	srv, _ := node(t, known{})
	if a := call(t, srv, "POST", "/api/datasets/batch", batch(t, "one", "two")); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := call(t, srv, "POST", server.Base+"/catalog/request", withFilter("class", "eq", "non_personal")); len(datasetsOf(t, a)) != 2 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := call(t, srv, "POST", server.Base+"/catalog/request", withFilter("colour", "eq", "red")); a.status != 400 || !strings.Contains(string(a.body), "colour") {
		t.Errorf("%d %s", a.status, a.body)
	}
	for path, want := range map[string]string{"/api/datasets?text=two": `"id":"two"`, "/api/datasets?colour=red": "colour", "/api/datasets?after=x": "not a place", "/api/datasets?text=none": `"items":[]`} {
		if a := call(t, srv, "GET", path, ""); !strings.Contains(string(a.body), want) || strings.Contains(string(a.body), `"id":"one"`) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestAPublicationOfSeveralIsWholeOrNothing(t *testing.T) {
	srv, _ := node(t, known{})
	for body, says := range map[string]string{
		batch(t, "one", "one"):   "twice",
		batch(t, "one", "a b"):   "datasets[1]",
		`{"datasets":[]}`:        "1 to 1000",
		`{"datasets":[{"x":1}]}`: "unknown field",
		strings.Replace(batch(t, "one"), `"facts"`, `"metadata":{"spatial":["Kazakhstan"]},"facts"`, 1): "Kazakhstan",
	} {
		if a := call(t, srv, "POST", "/api/datasets/batch", body); a.status < 400 || !strings.Contains(string(a.body), says) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := call(t, srv, "GET", "/api/datasets", ""); string(a.body) != `{"items":[]}`+"\n" {
		t.Errorf("%s", a.body)
	}
}

func TestAWithdrawnDatasetCannotBeAskedFor(t *testing.T) {
	srv, _ := node(t, known{})
	if a := call(t, srv, "POST", "/api/datasets/batch", batch(t, "one", "two")); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := call(t, srv, "DELETE", "/api/datasets/two", ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := call(t, srv, "DELETE", "/api/datasets/two", ""); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := call(t, srv, "POST", server.Base+"/catalog/request", fmt.Sprintf(anyCatalogue, "")); fmt.Sprint(datasetsOf(t, a)) != "[one]" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := call(t, srv, "GET", server.Base+"/catalog/datasets/two", ""); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := call(t, srv, "GET", "/api/status", ""); !strings.Contains(string(a.body), `"size":3`) {
		t.Errorf("each of the three acts has its receipt: %s", a.body)
	}
}
