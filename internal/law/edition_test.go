package law

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	signed "golang.org/x/mod/sumdb/note"

	"corridor"
)

const oneCase = `cases: [{id: kz-secret, side: export, facts: {date: 2026-03-02, origin: KZ, destination: CN, classes: [secret]}, assume: usual, expect: deny}]`

// signing is a publisher's key.
type signing struct {
	signer signed.Signer
	vkey   string
}

func newSigning(tb testing.TB, name string) signing {
	tb.Helper()
	private, vkey, err := signed.GenerateKey(rand.Reader, name)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := signed.NewSigner(private)
	if err != nil {
		tb.Fatal(err)
	}
	return signing{s, vkey}
}

// trusting lists publishers: key, then what it speaks for.
func trusting(tb testing.TB, pairs ...any) *Publishers {
	tb.Helper()
	text := "publishers:\n"
	for i := 0; i < len(pairs); i += 2 {
		text += "  - {key: \"" + pairs[i].(signing).vkey + "\", speaks_for: [" + pairs[i+1].(string) + "]}\n"
	}
	p, err := ParsePublishers("publishers.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// shelf is two packs, Kazakhstan's with a case.
func shelf(kz string) fstest.MapFS {
	fsys := beside(kz, neighbour(testHead+rich))
	fsys["kz/cases.yaml"] = &fstest.MapFile{Data: []byte(oneCase)}
	return fsys
}

func editionOf(tb testing.TB, fsys fstest.MapFS, pack string, keys ...signing) *Edition {
	tb.Helper()
	e, err := NewEdition(fsys, pack, date(tb, "2026-03-01"), "")
	if err != nil {
		tb.Fatal(err)
	}
	for _, k := range keys {
		if err := e.Sign(k.signer); err != nil {
			tb.Fatal(err)
		}
	}
	return e
}

func TestAnEditionReadsBackAsItWasSigned(t *testing.T) {
	kz, other := newSigning(t, "law.gov.kz"), newSigning(t, "law.gov.ru")
	fsys := shelf(testHead + rich)
	e := editionOf(t, fsys, "kz", kz, other)
	data, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeEdition(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := got.Encode()
	if err != nil || !bytes.Equal(again, data) || got.ID() != e.ID() || !maps.EqualFunc(got.Files, e.Files, bytes.Equal) {
		t.Errorf("reads back differently: %v", err)
	}
	if unsigned := editionOf(t, fsys, "kz"); unsigned.ID() != e.ID() {
		t.Error("who signs an edition changes its name")
	}
	signers, err := trusting(t, kz, "KZ", other, "RU").Check(got)
	if err != nil || strings.Join(signers, " ") != "law.gov.kz" {
		t.Errorf("signed by %v, %v", signers, err)
	}
	if want := mustLoad(t, fsys).packByID("kz").digest; got.Manifest.Digest != want {
		t.Errorf("the manifest says %s, decisions quote %s", got.Manifest.Digest, want)
	}
}

// TestNoByteOfAnEditionCanChange flips one bit of every byte in turn.
func TestNoByteOfAnEditionCanChange(t *testing.T) {
	kz := newSigning(t, "law.gov.kz")
	pubs := trusting(t, kz, "KZ")
	data, err := editionOf(t, shelf(testHead+oneRule(nil)), "kz", kz).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		e, err := DecodeEdition(bad)
		if err == nil {
			_, err = pubs.Check(e)
		}
		if err == nil {
			t.Fatalf("byte %d of %d: %q changed to %q, and nobody minds", i, len(data), data[i], bad[i])
		}
	}
}

func TestBadEditionsAreExplained(t *testing.T) {
	kz := newSigning(t, "law.gov.kz")
	good := func() *Edition { return editionOf(t, shelf(testHead+rich), "kz", kz) }
	// resigned signs a manifest of any content.
	resigned := func(change func(*Manifest)) *Edition {
		e := good()
		change(&e.Manifest)
		body, err := corridor.Canonical(e.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		e.text, e.sigs = EditionFormat+"\n"+string(body)+"\n", nil
		if err := e.Sign(kz.signer); err != nil {
			t.Fatal(err)
		}
		return e
	}
	encoded := func(e *Edition) []byte {
		data, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	with := func(name, text string) []byte {
		e := good()
		e.Files[name] = []byte(text)
		return encoded(e)
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing at all", nil, "not an edition of a rule pack"},
		{"no JSON", []byte("pack: kz"), "not an edition of a rule pack"},
		{"deeply nested", bytes.Repeat([]byte("["), 100_000), "not an edition of a rule pack"},
		{"too large", bytes.Repeat([]byte(" "), MaxEdition+1), "over the limit of"},
		{"not in canonical form", append([]byte(" "), encoded(good())...), "not canonical JSON"},
		{"an unknown member", []byte(`{"files":{},"note":"","seal":""}`), `unknown field "seal"`},
		{"no note", []byte(`{"files":{},"note":""}`), "the signed note"},
		{"a file too many", with("extra.yaml", "x: 1"), `the file "extra.yaml" is not in the manifest`},
		{"a path out of the pack", with("../cn/pack.yaml", "x: 1"), `the file "../cn/pack.yaml" is not in the manifest`},
		{"another text", with("pack.yaml", "pack: kz\n"), "and the publisher signed"},
		{"a signed path out of the pack", encoded(resigned(func(m *Manifest) { m.Files["../cn/pack.yaml"] = m.Digest })), `"../cn/pack.yaml" is no file of a pack`},
		{"a pack that is a path", encoded(resigned(func(m *Manifest) { m.Pack = "../cn" })), `"../cn" does not name a pack`},
		{"a file that is missing", encoded(resigned(func(m *Manifest) { m.Files["kits.yaml"] = m.Digest })), "the file kits.yaml of the manifest is missing"},
		{"a version in words", encoded(resigned(func(m *Manifest) { m.Version = "newest" })), `"newest" is not a version`},
		{"no version", encoded(resigned(func(m *Manifest) { m.Version = "" })), "is not a version"},
		{"no day", encoded(resigned(func(m *Manifest) { m.Issued = 0 })), "manifest.issued: is missing"},
		{"no digest", encoded(resigned(func(m *Manifest) { m.Digest = "sha256:12" })), `"sha256:12" is not a digest`},
		{"no jurisdiction", encoded(resigned(func(m *Manifest) { m.Jurisdiction = "world" })), `"world" is no jurisdiction`},
	} {
		_, err := DecodeEdition(c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestEditionsAreLetInForTheirOwnJurisdictionOnly(t *testing.T) {
	kz, ru, eu := newSigning(t, "law.gov.kz"), newSigning(t, "law.gov.ru"), newSigning(t, "law.europa.eu")
	base := shelf(testHead + rich)
	changed := func(pack string) fstest.MapFS { return shelf(pack) }
	newer := strings.Replace(testHead, `version: "1"`, `version: "2"`, 1)
	union := beside(testHead+rich, neighbour(testHead+rich))
	union["eu/pack.yaml"] = &fstest.MapFile{Data: []byte(expand(strings.NewReplacer("pack: kz", "pack: eu", "jurisdiction: KZ", "jurisdiction: EU\nmembers: [DE, CH]", "kz.", "eu.").Replace(testHead + rich)))}
	union["eu/cases.yaml"] = &fstest.MapFile{Data: []byte(`cases: [{id: eu-secret, side: export, jurisdiction: EU, facts: {date: 2026-03-02, origin: DE, destination: CN, classes: [secret]}, assume: usual, expect: deny}]`)}
	thief := neighbour(newer + rich) // says pack ru of RU
	stolen := shelf(testHead + rich)
	stolen["ru/pack.yaml"] = &fstest.MapFile{Data: []byte(expand(strings.Replace(thief, "jurisdiction: RU", "jurisdiction: BY", 1)))}
	stolen["ru/cases.yaml"] = &fstest.MapFile{Data: []byte(`cases: [{id: ru-secret, side: export, facts: {date: 2026-03-02, origin: BY, destination: CN, classes: [secret]}, assume: usual, expect: deny}]`)}
	for _, c := range []struct {
		name string
		e    *Edition
		pubs *Publishers
		want string // in the error; empty: let in
	}{
		{"the authority's own law", editionOf(t, changed(newer+rich), "kz", kz), trusting(t, kz, "KZ"), ""},
		{"by a publisher of anywhere", editionOf(t, changed(newer+rich), "kz", ru), trusting(t, ru, "any"), ""},
		{"nobody signed", editionOf(t, changed(newer+rich), "kz"), trusting(t, kz, "KZ"), "the edition is not signed"},
		{"a stranger signed", editionOf(t, changed(newer+rich), "kz", ru), trusting(t, kz, "KZ"), "law.gov.ru+"},
		{"another authority signed", editionOf(t, changed(newer+rich), "kz", ru), trusting(t, kz, "KZ", ru, "RU"), "speaks for RU"},
		{"a pack of one state under the name of another's", editionOf(t, stolen, "ru", ru), trusting(t, ru, "RU, BY"), "the pack ru is that of RU, and this edition is of BY"},
		{"a union claims a state that it may not", editionOf(t, union, "eu", eu), trusting(t, eu, "EU, DE"), "CH is not a member here"},
		{"a union with the signature of each", editionOf(t, union, "eu", eu), trusting(t, eu, "EU, DE, CH"), ""},
	} {
		got, err := Admit(base, c.e, c.pubs)
		switch {
		case c.want == "" && (err != nil || got.Cases != 1 || len(got.Signers) != 1):
			t.Errorf("%s: %+v, %v", c.name, got, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestAnEditionMustShowWhatItSays(t *testing.T) {
	kz := newSigning(t, "law.gov.kz")
	pubs := trusting(t, kz, "KZ")
	base := shelf(testHead + rich)
	refused := func(what string, fsys fstest.MapFS, want string) {
		t.Helper()
		_, err := Admit(base, editionOf(t, fsys, "kz", kz), pubs)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", what, err, want)
		}
	}
	none := shelf(testHead + rich)
	delete(none, "kz/cases.yaml")
	refused("no case", none, "brings no case")
	kits := shelf(testHead + rich)
	kits["kz/kits.yaml"] = &fstest.MapFile{Data: []byte("kits: [{id: kz.filing, fils: exporter}]")}
	refused("kits that nobody can fill", kits, `unknown key "fils"`)
	fails := shelf(testHead + rich)
	fails["kz/cases.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(oneCase, "deny", "allow", 1))}
	refused("a case that fails", fails, "kz-secret: expected allow, got deny")
	other := shelf(testHead + strings.Replace(rich, "copied", "elsewhere", 1))
	other["vocabulary.yaml"] = &fstest.MapFile{Data: []byte(expand(strings.Replace(testVocabulary, "name: copied", "name: elsewhere", 1)))}
	other["assumptions.yaml"] = &fstest.MapFile{Data: []byte(expand(strings.Replace(testAssumptions, "copied", "elsewhere", 1)))}
	other["ru/pack.yaml"] = &fstest.MapFile{Data: []byte(expand(neighbour(testHead + strings.Replace(rich, "copied", "elsewhere", 1))))}
	refused("a fact that nobody has here", other, "the edition does not fit the rule packs here")

	// With other shared files that it can live with, it is let in, and says so.
	shared := shelf(testHead + rich)
	shared["obligations.yaml"] = &fstest.MapFile{Data: []byte(expand(testObligations + "  - {id: more, owner: exporter, when: before, evidence: &T, text: &T}\n"))}
	got, err := Admit(base, editionOf(t, shared, "kz", kz), pubs)
	if err != nil || !got.SharedDiffer {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBadPublishersAreExplained(t *testing.T) {
	key := newSigning(t, "law.gov.kz").vkey
	for _, c := range []struct{ text, want string }{
		{"", "the file is empty"},
		{"publishers: [{key: x, speaks_for: [KZ]}]", "this is not a verifier key"},
		{`publishers: [{key: "` + key + `", speaks_for: [Kazakhstan]}]`, `"Kazakhstan" is no jurisdiction`},
		{`publishers: [{key: "` + key + `", speaks_for: []}]`, "speaks for nobody"},
		{`publishers: [{key: "` + key + `"}]`, `has no "speaks_for"`},
		{`publishers: [{key: "` + key + `", speaks_for: [KZ]}, {key: "` + key + `", speaks_for: [RU]}]`, "the key of law.gov.kz is listed twice"},
		{`publishers: [{key: "` + key + `", speaks_for: [KZ], trust: all}]`, `unknown key "trust"`},
	} {
		if _, err := ParsePublishers("publishers.yaml", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
}

func TestVersionsHaveAnOrder(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"2026.11.26", "2026.11.26", 0}, {"2026.9.1", "2026.11.1", -1}, {"2026.11.26.1", "2026.11.26", 1}, {"2", "1.99", 1}} {
		if got, err := CompareVersions(c.a, c.b); got != c.want || err != nil {
			t.Errorf("%s and %s: %d, %v", c.a, c.b, got, err)
		}
	}
	for _, bad := range []string{"", "1.", "v1", "1..2", "-1", "1.9999999999"} {
		if _, err := CompareVersions(bad, "1"); err == nil {
			t.Errorf("%q is a version", bad)
		}
	}
}

func TestAnOverlayShowsNothingOfWhatItCovers(t *testing.T) {
	o := Overlay(shelf(testHead+rich), map[string]map[string][]byte{"kz": {"pack.yaml": []byte("x")}, "by": {"pack.yaml": []byte("y")}})
	for name, want := range map[string]string{"kz/pack.yaml": "x", "by/pack.yaml": "y", "kz/cases.yaml": "", "by/cases.yaml": "", "kz/kits.yaml": ""} {
		got, err := fs.ReadFile(o, name)
		if string(got) != want || (want == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if text, err := fs.ReadFile(o, "ru/pack.yaml"); err != nil || len(text) < 100 {
		t.Errorf("what is not covered is gone: %v", err)
	}
	list, err := fs.ReadDir(o, ".")
	var names []string
	for _, d := range list {
		if d.IsDir() {
			names = append(names, d.Name())
		}
	}
	if err != nil || strings.Join(names, " ") != "by kz ru" {
		t.Errorf("%v, %v", names, err)
	}
}

// FuzzDecodeEdition feeds any bytes as an edition: what is accepted encodes to
// the same bytes, and holds only what its manifest names.
func FuzzDecodeEdition(f *testing.F) {
	kz := newSigning(f, "law.gov.kz")
	data, err := editionOf(f, shelf(testHead+oneRule(nil)), "kz", kz).Encode()
	if err != nil {
		f.Fatal(err)
	}
	pubs := trusting(f, kz, "KZ")
	f.Add(data)
	f.Add([]byte(`{"files":{"pack.yaml":""},"note":"corridor-pack-edition/v1\n{}\n\n"}`))
	f.Add([]byte(`{"files":{},"note":"x\n\n— a AAAAAAAA\n"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeEdition(data)
		if err != nil {
			return
		}
		again, err := e.Encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatal("reads back differently")
		}
		for name, text := range e.Files {
			if e.Manifest.Files[name] != corridor.Digest(text) {
				t.Fatal("a file that nobody signed")
			}
		}
		_, _ = pubs.Check(e)
	})
}
