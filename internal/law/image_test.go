package law

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"corridor"
	"corridor/packs"
)

// memoryCache keeps images in memory and counts what is asked of it.
type memoryCache struct {
	m         map[string][]byte
	hits, put int
}

func (c *memoryCache) Get(key string) []byte {
	if c.m[key] != nil {
		c.hits++
	}
	return c.m[key]
}

func (c *memoryCache) Put(key string, image []byte) {
	if c.m == nil {
		c.m = map[string][]byte{}
	}
	c.put++
	c.m[key] = image
}

func cached(tb testing.TB, fsys fs.FS, c Cache) *Library {
	tb.Helper()
	l, err := LoadCached(fsys, c)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// written is all that a library shows of its packs, down to the line of each
// rule and the condition as compiled.
func written(tb testing.TB, l *Library) []byte {
	tb.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, info := range l.Packs() {
		d, err := l.Pack(info.ID)
		if err != nil {
			tb.Fatal(err)
		}
		if err := enc.Encode(d); err != nil {
			tb.Fatal(err)
		}
		p := l.byJurisdiction[info.Jurisdiction]
		for _, u := range p.rules {
			for _, f := range u.formulas() {
				f.atoms(map[*formula]bool{}, func(i int) { _ = enc.Encode(p.table.atoms[i].v) })
			}
		}
	}
	if err := enc.Encode([]any{l.Vocabulary(), l.Profiles(), l.obligations.all, l.obligations.events}); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestAnImageLoadsTheSameLaw(t *testing.T) {
	c := &memoryCache{}
	cold := cached(t, packs.FS(), c)
	warm := cached(t, packs.FS(), c)
	if c.put != 1 || c.hits != 1 {
		t.Fatalf("%d images written, %d read", c.put, c.hits)
	}
	if !bytes.Equal(written(t, cold), written(t, warm)) {
		t.Error("the library from the image shows other packs")
	}
	cases, err := warm.Cases()
	if err != nil {
		t.Fatal(err)
	}
	a, b := cold.RunCases(cases), warm.RunCases(cases)
	for i := range a {
		x, err := corridor.Canonical(a[i].Decision)
		if err != nil {
			t.Fatal(err)
		}
		y, err := corridor.Canonical(b[i].Decision)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x, y) || a[i].Reason != b[i].Reason {
			t.Fatalf("%s: %s and %s", cases[i].ID, x, y)
		}
	}
}

func TestAnImageIsOfItsTextAlone(t *testing.T) {
	c := &memoryCache{}
	files := tree(testHead + rich)
	first := cached(t, files, c)
	files["kz/pack.yaml"] = &fstest.MapFile{Data: bytes.Replace(files["kz/pack.yaml"].Data, []byte("people >= 1000"), []byte("people >= 1001"), 1)}
	second := cached(t, files, c)
	if c.hits != 0 || len(c.m) != 2 || first.packs[0].digest == second.packs[0].digest {
		t.Errorf("changed text was taken from an image: %d hits, %d images", c.hits, len(c.m))
	}
}

func TestADamagedImageIsNotUsed(t *testing.T) {
	files := tree(testHead + rich)
	c := &memoryCache{}
	want := written(t, cached(t, files, c))
	var key string
	for key = range c.m {
	}
	whole := c.m[key]
	rapid.Check(t, func(t *rapid.T) {
		bad := bytes.Clone(whole)
		switch rapid.IntRange(0, 2).Draw(t, "how") {
		case 0:
			bad = bad[:rapid.IntRange(0, len(bad)-1).Draw(t, "cut")]
		case 1:
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		default:
			bad = append(bad, 0)
		}
		l, err := LoadCached(files, &memoryCache{m: map[string][]byte{key: bad}})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(written(new(testing.T), l), want) {
			t.Fatal("a damaged image changed the law")
		}
	})
}

func TestBadPacksFailTheSameWithACache(t *testing.T) {
	c := &memoryCache{}
	files := tree(testHead + oneRule(map[string]string{"when": `'peple > 3'`}))
	for range 2 {
		if _, err := LoadCached(files, c); fault(t, err).Fix != "did you mean people?" {
			t.Error(err)
		}
	}
	if c.put != 0 {
		t.Error("an image of packs that cannot be used was kept")
	}
}

// FuzzImage reads the parts of an image as they come: whatever they hold, it
// ends in a tree or in nothing.
func FuzzImage(f *testing.F) {
	c := &memoryCache{}
	cached(f, tree(testHead+rich), c)
	for _, image := range c.m {
		m, ok := readImage(image)
		if !ok {
			f.Fatal("the image cannot be read")
		}
		for _, s := range m.files {
			f.Add(s)
		}
		for _, s := range m.conds {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := &image{files: map[string]string{"f": s}, conds: map[string]string{"c": s}}
		if n := m.root("f"); n != nil && count(n) > len(s) {
			t.Errorf("%d nodes from %d bytes", count(n), len(s))
		}
		m.expr("c")
	})
}

func BenchmarkLoadCached(b *testing.B) {
	c := &memoryCache{}
	cached(b, packs.FS(), c)
	b.ReportAllocs()
	for b.Loop() {
		cached(b, packs.FS(), c)
	}
}
