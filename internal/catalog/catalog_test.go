package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

func open(t *testing.T, list ...Dataset) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "node.db"), Migrations...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, d := range list {
		if err := db.Write(context.Background(), func(tx *store.Tx) error { return Put(context.Background(), tx, d) }); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func dataset(id string) Dataset {
	return Dataset{ID: id, Title: "The " + id + " of 100%_pure", Format: "csv", Source: "/secret/path/" + id, Published: time.Now().UTC(),
		Facts: corridor.Facts{"data_classes": []any{"non_personal"}, "subjects_ytd": 7}, Public: []string{"data_classes", "not_there"},
		Offer: dsp.Offer{Policy: dsp.Policy{ID: id + ":offer", Permission: []dsp.Rule{{Action: "use"}}}}}
}

func list(t *testing.T, db *store.DB, f Filter, after string, limit int) (ids []string, next string) {
	t.Helper()
	err := db.Read(context.Background(), func(tx *store.Tx) error {
		page, n, err := List(context.Background(), tx, f, after, limit)
		for _, d := range page {
			ids = append(ids, d.ID)
		}
		next = n
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids, next
}

func TestPagesHoldEverythingOnce(t *testing.T) {
	var all []Dataset
	var want []string
	for i := range 23 {
		d := dataset(fmt.Sprintf("d%02d", i))
		all, want = append(all, d), append(want, d.ID)
	}
	db := open(t, all...)
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 30).Draw(rt, "limit")
		var got []string
		for after := ""; ; {
			ids, next := list(t, db, Filter{}, after, limit)
			if len(ids) > limit {
				rt.Fatalf("%d in a page of %d", len(ids), limit)
			}
			got = append(got, ids...)
			if after = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("%v", got)
		}
	})
}

func TestFiltersNarrowInSQL(t *testing.T) {
	other := dataset("ports")
	other.Format, other.Title = "parquet", "Ports"
	db := open(t, dataset("flights"), dataset("ships"), other)
	for filter, want := range map[string]string{
		``:   "flights ports ships",
		`{}`: "flights ports ships",
		`{"leftOperand":"id","operator":"eq","rightOperand":"ships"}`:                                                                   "ships",
		`{"leftOperand":"@id","operator":"eq","rightOperand":"none"}`:                                                                   "",
		`{"leftOperand":"format","operator":"eq","rightOperand":"parquet"}`:                                                             "ports",
		`{"leftOperand":"title","operator":"hasPart","rightOperand":"FLIGHTS of"}`:                                                      "flights",
		`{"leftOperand":"title","operator":"hasPart","rightOperand":"100%_"}`:                                                           "flights ships",
		`{"leftOperand":"title","operator":"hasPart","rightOperand":"100_%"}`:                                                           "",
		`{"leftOperand":"title","operator":"hasPart","rightOperand":"the"},{"leftOperand":"id","operator":"eq","rightOperand":"ships"}`: "ships",
	} {
		var raw []json.RawMessage
		if err := json.Unmarshal([]byte("["+filter+"]"), &raw); err != nil {
			t.Fatal(err)
		}
		f, err := ParseFilter(raw)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if ids, _ := list(t, db, f, "", 10); strings.Join(ids, " ") != want {
			t.Errorf("%s: %v", filter, ids)
		}
	}
}

func TestAFilterThatIsNotUnderstoodIsRefused(t *testing.T) {
	for _, filter := range []string{
		`"text"`, `[]`, `7`, `{"leftOperand":"colour","operator":"eq","rightOperand":"x"}`, `{"leftOperand":"id","operator":"lt","rightOperand":"x"}`,
		`{"leftOperand":"id","operator":"eq","rightOperand":["x","y"]}`, `{"leftOperand":"id","operator":"eq","rightOperand":""}`, `{"leftOperand":"id","operator":"eq"}`,
		`{"leftOperand":"id","operator":"eq","rightOperand":"x"},{"leftOperand":"id","operator":"eq","rightOperand":"y"}`,
	} {
		var raw []json.RawMessage
		if err := json.Unmarshal([]byte("["+filter+"]"), &raw); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseFilter(raw); corridor.KindOf(err) != corridor.Invalid {
			t.Errorf("%s: %v", filter, err)
		}
	}
}

func TestTheCatalogueShowsNoSecrets(t *testing.T) {
	view, err := dataset("flights").DCAT(dsp.DataService{ID: "did:web:x#dsp", EndpointURL: "https://x/dsp"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := dsp.Encode(&view)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"/secret/path", "subjects_ytd"} {
		if strings.Contains(string(raw), hidden) {
			t.Errorf("%s is shown: %s", hidden, raw)
		}
	}
	if string(view.Facts) != `{"data_classes":["non_personal"]}` || view.Distribution[0].Format != FormatPull {
		t.Errorf("%s", raw)
	}
}

func TestANewEditionTakesTheOldOnesPlace(t *testing.T) {
	d := dataset("flights")
	db := open(t, d)
	d.Title = "Flights, second edition"
	ctx := context.Background()
	if err := db.Write(ctx, func(tx *store.Tx) error { return Put(ctx, tx, d) }); err != nil {
		t.Fatal(err)
	}
	err := db.Read(ctx, func(tx *store.Tx) error {
		got, err := Get(ctx, tx, "flights")
		if err == nil && got.Title != d.Title {
			t.Error(got.Title)
		}
		if _, err := Get(ctx, tx, "none"); corridor.KindOf(err) != corridor.NotFound {
			t.Error(err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Description = strings.Repeat("x", MaxDoc)
	if err := db.Write(ctx, func(tx *store.Tx) error { return Put(ctx, tx, d) }); corridor.KindOf(err) != corridor.Limited {
		t.Error(err)
	}
}
