package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
)

func open(t *testing.T, list ...Dataset) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), storetest.Place(t), Migrations...)
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

func pageOf(t *testing.T, db *store.DB, f Filter, after string, limit int) (ids []string, next string) {
	t.Helper()
	place, err := ParsePlace(after, "")
	if err != nil {
		t.Fatal(err)
	}
	err = db.Read(context.Background(), func(tx *store.Tx) error {
		page, err := List(context.Background(), tx, f, place, limit)
		for _, d := range page.Rows {
			ids = append(ids, d.ID)
		}
		next = page.Next
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
			ids, next := pageOf(t, db, Filter{}, after, limit)
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
		``:   "flights ships ports",
		`{}`: "flights ships ports",
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
		if ids, _ := pageOf(t, db, f, "", 10); strings.Join(ids, " ") != want {
			t.Errorf("%s: %v", filter, ids)
		}
	}
}

// While others are published, changed and withdrawn, a walk over the pages
// meets every dataset that stays exactly once, forwards and backwards.
func TestAWalkMeetsEveryDatasetOnceWhileOthersComeAndGo(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(rt *rapid.T) {
		db := open(t)
		defer db.Close()
		there := map[string]bool{} // in the catalogue now
		moved := map[string]bool{} // came or went during the walk
		act := func() {
			id := fmt.Sprintf("d%d", rapid.IntRange(0, 30).Draw(rt, "id"))
			moved[id] = moved[id] || !there[id]
			put := rapid.IntRange(0, 2).Draw(rt, "act") > 0
			err := db.Write(ctx, func(tx *store.Tx) error {
				if put {
					return Put(ctx, tx, dataset(id))
				}
				return Withdraw(ctx, tx, id)
			})
			if (err != nil) != (!put && !there[id]) {
				rt.Fatal(err)
			}
			moved[id] = moved[id] || !put
			there[id] = put
		}
		for range rapid.IntRange(0, 60).Draw(rt, "before") {
			act()
		}
		clear(moved)
		filter, err := NewFilter(rapid.SampledFrom([]map[string]string{{}, {"format": "csv"}, {"text": "pure"}, {"text": "pure of", "format": "csv"}, {"title": "100%_"}}).Draw(rt, "filter"))
		if err != nil {
			rt.Fatal(err)
		}
		limit := rapid.IntRange(1, 7).Draw(rt, "limit")
		met := map[string]int{}
		for place := (Place{}); ; {
			page := read(t, db, filter, place, limit)
			for _, e := range page.Rows {
				met[e.ID]++
			}
			if page.Next == "" {
				break
			}
			if place, err = ParsePlace(page.Next, ""); err != nil {
				rt.Fatal(err)
			}
			if back := read(t, db, filter, Place{Before: place.After + 1}, limit); len(page.Rows) > 0 && !slices.Equal(ids(back), ids(page)) {
				rt.Fatalf("backwards %v, forwards %v", ids(back), ids(page))
			}
			for range rapid.IntRange(0, 3).Draw(rt, "meanwhile") {
				act()
			}
		}
		for id, in := range there {
			if n := met[id]; in && !moved[id] && n != 1 {
				rt.Fatalf("%s was met %d times", id, n)
			}
			if n := met[id]; n > 1 && !moved[id] {
				rt.Fatalf("%s was met %d times", id, n)
			}
		}
	})
}

func read(t *testing.T, db *store.DB, f Filter, p Place, limit int) (page Page[Entry]) {
	t.Helper()
	err := db.Read(context.Background(), func(tx *store.Tx) (err error) {
		page, err = List(context.Background(), tx, f, p, limit)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func ids(p Page[Entry]) []string {
	out := []string{}
	for _, e := range p.Rows {
		out = append(out, e.ID)
	}
	return out
}

// A condition that few of many candidates meet is looked for piece by piece,
// and in the end all of them are found.
func TestARareMatchIsFoundInBoundedPieces(t *testing.T) {
	ctx := context.Background()
	db := open(t)
	for part := range 10 {
		err := db.Write(ctx, func(tx *store.Tx) error {
			var list []Dataset
			for i := range 1000 {
				d := dataset(fmt.Sprintf("d%d-%d", part, i))
				if i == 999 {
					d.Title = "needle"
				}
				list = append(list, d)
			}
			return Put(ctx, tx, list...)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, by := range []map[string]string{{"title": "needle"}, {"title": "NEEDLE", "format": "csv"}, {"text": "needles", "format": "csv"}} {
		f, err := NewFilter(by)
		if err != nil {
			t.Fatal(err)
		}
		found, pages := 0, 0
		for p := (Place{}); ; pages++ {
			page := read(t, db, f, p, 3)
			found += len(page.Rows)
			if page.Next == "" {
				break
			}
			if p, err = ParsePlace(page.Next, ""); err != nil {
				t.Fatal(err)
			}
		}
		if found != 10 || pages > 12 {
			t.Errorf("%v: %d found on %d pages", by, found, pages)
		}
	}
}

func TestDatasetsOfTheFirstSchemaMove(t *testing.T) {
	ctx := context.Background()
	path := storetest.Place(t)
	db, err := store.Open(ctx, path, Migrations[:1]...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 250 {
		d := dataset(fmt.Sprintf("d%03d", i))
		doc, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO datasets (id, title, format, doc, published_at) VALUES (?, ?, ?, ?, ?)`, d.ID, d.Title, d.Format, string(doc), dsp.FormatTime(d.Published))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = store.Open(ctx, path, Migrations...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for range 2 { // the second time there is nothing to do
		if err := Upgrade(ctx, db); err != nil {
			t.Fatal(err)
		}
		f, err := NewFilter(map[string]string{"text": "pure d007"})
		if err != nil {
			t.Fatal(err)
		}
		if all, one := read(t, db, Filter{}, Place{}, 100), read(t, db, f, Place{}, 100); len(all.Rows) != 100 || all.Next == "" || strings.Join(ids(one), " ") != "d007" {
			t.Errorf("%d datasets, %v", len(all.Rows), ids(one))
		}
	}
}

// A dataset that was stored when a variant of a language did not yet stand for
// the language is found by it, and leaves no term behind when it goes.
func TestStoredDatasetsAreFoundByTheLanguageOfTheirVariants(t *testing.T) {
	t.Parallel()
	ctx, path := context.Background(), storetest.Place(t)
	db, err := store.Open(ctx, path, Migrations[:3]...)
	if err != nil {
		t.Fatal(err)
	}
	ports := dataset("ports")
	ports.Metadata = &Metadata{Languages: []string{"zh-Hans", "zh-Hant", "ru"}}
	err = db.Write(ctx, func(tx *store.Tx) error {
		if err := Put(ctx, tx, ports, dataset("flights")); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE datasets SET terms = replace(terms, ?, ?)`, "\nlanguage:zh\n", "\n"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM dataset_terms WHERE term = 'language:zh'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	chinese, err := NewFilter(map[string]string{"language": "zh"})
	if err != nil {
		t.Fatal(err)
	}
	if before := read(t, db, chinese, Place{}, 10); len(before.Rows) != 0 {
		t.Fatalf("the store of before finds %v", ids(before))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = store.Open(ctx, path, Migrations...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, tag := range []string{"zh", "zh-Hans", "zh-Hant", "ru"} {
		f, err := NewFilter(map[string]string{"language": tag})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(ids(read(t, db, f, Place{}, 10)), " "); got != "ports" {
			t.Errorf("%s finds %q", tag, got)
		}
	}
	var left int
	err = db.Write(ctx, func(tx *store.Tx) error {
		if err := Withdraw(ctx, tx, "ports"); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT COUNT(*) FROM dataset_terms WHERE term LIKE 'language:%'`).Scan(&left)
	})
	if err != nil || left != 0 {
		t.Errorf("%d terms are left, %v", left, err)
	}
}

func TestEveryFieldFilters(t *testing.T) {
	d := dataset("ports")
	d.Metadata = &Metadata{Title: map[string]string{"ru": "Порты и ёмкости", "zh": "港口数据"}, Keywords: map[string][]string{"en": {"Sea Ports"}},
		Themes: []string{"TRAN"}, Languages: []string{"ru"}, Spatial: []string{"KZ"}, Publisher: &Agent{Name: "Port of Aktau", ID: "did:web:port.example"},
		Licence: "https://creativecommons.org/licenses/by/4.0/"}
	db := open(t, dataset("flights"), d)
	for name, values := range map[string][]string{
		"class": {"non_personal"}, "country": {"KZ", "kz"}, "language": {"ru", "RU"}, "keyword": {"sea ports", "Sea  Ports"}, "theme": {"TRAN", "tran"},
		"publisher": {"Port of Aktau", "port of aktau", "did:web:port.example"}, "licence": {"https://creativecommons.org/licenses/by/4.0/"},
		"text": {"порт ЕМКОСТЬ", "港口", "数据 порты", "aktau"}, "title": {"Ёмкост", "口数"}, "format": {"csv"}, "id": {"ports"},
	} {
		for _, v := range values {
			f, err := NewFilter(map[string]string{name: v})
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(read(t, db, f, Place{}, 10)); !slices.Contains(got, "ports") || name != "format" && name != "class" && len(got) > 1 {
				t.Errorf("%s %q: %v", name, v, got)
			}
		}
		f, err := NewFilter(map[string]string{name: "nothing-of-the-kind"})
		if err != nil {
			t.Fatal(err)
		}
		if got := ids(read(t, db, f, Place{}, 10)); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, err := NewFilter(map[string]string{"colour": "red"}); corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), "colour") {
		t.Error(err)
	}
	if _, err := NewFilter(map[string]string{"text": "!?"}); corridor.KindOf(err) != corridor.Invalid {
		t.Error(err)
	}
}

func TestAWithdrawnDatasetIsInNoCatalogueAndStaysKnown(t *testing.T) {
	ctx := context.Background()
	db := open(t, dataset("flights"), dataset("ships"))
	withdraw := func() error {
		return db.Write(ctx, func(tx *store.Tx) error { return Withdraw(ctx, tx, "ships") })
	}
	if err := withdraw(); err != nil {
		t.Fatal(err)
	}
	if err := withdraw(); corridor.KindOf(err) != corridor.NotFound {
		t.Error(err)
	}
	err := db.Read(ctx, func(tx *store.Tx) error {
		if _, err := Listed(ctx, tx, "ships"); corridor.KindOf(err) != corridor.NotFound {
			t.Error(err)
		}
		if _, err := Edition(ctx, tx, "ships"); corridor.KindOf(err) != corridor.NotFound {
			t.Error(err)
		}
		_, err := Get(ctx, tx, "ships")
		return err
	})
	if err != nil {
		t.Error(err)
	}
	f, err := NewFilter(map[string]string{"text": "ships"})
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(read(t, db, f, Place{}, 10)); len(got) > 0 {
		t.Error(got)
	}
	if err := db.Write(ctx, func(tx *store.Tx) error { return Put(ctx, tx, dataset("ships")) }); err != nil {
		t.Fatal(err)
	}
	if got := ids(read(t, db, f, Place{}, 10)); !slices.Equal(got, []string{"ships"}) {
		t.Error(got)
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
