package counter

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"corridor"
	"corridor/internal/hll"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
)

func TestAValueIsComparedInItsNormalForm(t *testing.T) {
	for _, c := range []struct{ kind, value, want string }{
		{"national_id:CN", " 11010519491231002x ", "11010519491231002X"},
		{"national_id:KZ", "880101-300-123", "880101300123"},
		{"national_id:CN", "000000000000000000", ""},
		{"national_id:CN", "n/a", ""},
		{"national_id:CN", "1234", ""},
		{"national_id:CN", "['110105194912310021']", ""},
		{"passport:RU", "45 11 № 123456", "4511№123456"},
		{"phone:86", "138 0013 8000", "+8613800138000"},
		{"phone:86", "+86-138-0013-8000", "+8613800138000"},
		{"phone:7", "007 (701) 123-45-67", "+77011234567"},
		{"phone", "13800138000", ""},
		{"phone", "+8613800138000", "+8613800138000"},
		{"phone", "+860000000000", ""},
		{"phone:86", "ext. 12", ""},
		{"email", " Wang.Li@Example.CN ", "wang.li@example.cn"},
		{"email", "wang.li", ""},
		{"internal:crm", " 7 ", "7"},
		{"internal:crm", "unknown", ""},
		{"internal:crm", strings.Repeat("x", maxKey+1), ""},
		{"internal:crm", "\xff", ""},
	} {
		k, err := ParseKind(c.kind)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := k.Normal([]byte("before"), []byte(c.value))
		if ok != (c.want != "") || string(got) != "before"+c.want {
			t.Errorf("%s %q is %q, %v", c.kind, c.value, got, ok)
		}
	}
}

func TestAKindThatIsNotOneIsRefusedWithThoseThatAre(t *testing.T) {
	for _, s := range []string{"", "national_id", "national_id:cn", "national_id:CHN", "phone:", "phone:+86", "email:x", "internal", "internal:", "internal:a b", "name"} {
		if _, err := ParseKind(s); corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), "national_id:CC") {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"national_id:CN", "phone", "phone:86", "email", "internal:crm-2"} {
		if k, err := ParseKind(s); err != nil || k.String() != s {
			t.Errorf("%q: %v %v", s, k, err)
		}
	}
}

func TestTheSameNumberInTwoRegistersIsTwoPeople(t *testing.T) {
	hashes := map[uint64]string{}
	for _, key := range []string{strings.Repeat("a", 32), strings.Repeat("b", 32)} { // and in two years
		for _, kind := range []string{"internal:crm", "internal:erp", "national_id:CN", "national_id:KZ", "passport:CN"} {
			k, err := ParseKind(kind)
			if err != nil {
				t.Fatal(err)
			}
			h, ok := NewHasher([]byte(key), k).Hash([]byte("110105194912310021"))
			if other, twice := hashes[h]; !ok || twice {
				t.Errorf("%s and %s: %v %x", kind, other, ok, h)
			}
			hashes[h] = kind
		}
	}
}

// spread is a hash of i, the same on every run.
func spread(i uint64) uint64 {
	i += 0x9e3779b97f4a7c15
	i = (i ^ i>>30) * 0xbf58476d1ce4e5b9
	i = (i ^ i>>27) * 0x94d049bb133111eb
	return i ^ i>>31
}

func TestASketchHoldsTheTruthWithinItsError(t *testing.T) {
	for seed := range uint64(20) {
		var s, half Sketch
		n := int64(0)
		for _, size := range []int64{0, 1, 10, 1000, 9000, 50_000, 150_000, 600_000} {
			for ; n < size; n++ {
				h := spread(seed<<40 + uint64(n))
				if n%2 == 0 {
					s.Add(h)
				} else {
					half.Add(h)
				}
			}
			both := s
			both.Merge(&half)
			if low, high := both.Bounds(); n < low || n > high || float64(high-low) > 2.2*SketchError()*float64(n)+2 {
				t.Errorf("seed %d: %d lies not in %d to %d, or that is too wide", seed, n, low, high)
			}
		}
	}
}

func testDB(t testing.TB) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Place(t), Migrations...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// stored makes a set of hashes and puts it into the database.
func stored(t testing.TB, db *store.DB, dataset, edition string, memory int, hashes func(add func(uint64))) Set {
	t.Helper()
	sorter := NewSorter(t.TempDir())
	sorter.memory = memory
	defer sorter.Close()
	hashes(func(h uint64) {
		if err := sorter.Add(h); err != nil {
			t.Fatal(err)
		}
	})
	s := Set{Year: "2026", Dataset: dataset, Edition: edition, Kind: "people"}
	if err := s.Store(t.Context(), db, sorter); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), func(tx *store.Tx) error { return s.Put(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
	return s
}

func union(t testing.TB, db *store.DB, ids ...string) (n int64) {
	t.Helper()
	err := db.Read(t.Context(), func(tx *store.Tx) (err error) {
		n, err = Union(t.Context(), tx, ids)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheUnionOfSetsIsThatOfTheirPeople(t *testing.T) {
	db := testDB(t)
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		all := map[uint64]bool{}
		var ids []string
		for i, n := range rapid.SliceOfN(rapid.IntRange(0, 20_000), 1, 3).Draw(r, "sizes") {
			from := rapid.IntRange(0, 20_000).Draw(r, "from")
			mine := map[uint64]bool{}
			s := stored(t, db, fmt.Sprint(i), fmt.Sprint("run ", run), rapid.IntRange(500, 9999).Draw(r, "memory"), func(add func(uint64)) {
				for k := range n {
					h := spread(uint64(from + k/2)) // each of them twice
					if k < 2 {
						h = uint64(k) * ^uint64(0) // the ends of the space
					}
					mine[h], all[h] = true, true
					add(h)
				}
			})
			if s.Size != int64(len(mine)) {
				r.Fatalf("a set of %d has %d", len(mine), s.Size)
			}
			ids = append(ids, s.ID)
		}
		if got := union(t, db, ids...); got != int64(len(all)) {
			r.Fatalf("%d people are counted as %d", len(all), got)
		}
	})
}

// entry is what a set adds.
func entry(s Set) Entry {
	return Entry{Kind: s.Kind, Dataset: s.Dataset, Set: s.ID, Size: s.Size, Loose: s.Loose}
}

func add(t testing.TB, db *store.DB, list ...Entry) {
	t.Helper()
	if err := db.Write(t.Context(), func(tx *store.Tx) error { return Add(t.Context(), tx, "2026", "2026-06-01", list) }); err != nil {
		t.Fatal(err)
	}
}

func people(t testing.TB, y *Year, e Entry, decided bool) Count {
	t.Helper()
	e.Kind = "people"
	c, _, err := y.With(t.Context(), e, func(int64, int64) bool { return decided })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAYearIsEstimatedFarFromALineAndCountedNearOne(t *testing.T) {
	db := testDB(t)
	span := func(from, to uint64) func(func(uint64)) {
		return func(add func(uint64)) {
			for i := from; i < to; i++ {
				add(spread(i))
			}
		}
	}
	a := stored(t, db, "a", "1", 50_000, span(0, 120_000))
	b := stored(t, db, "b", "1", 50_000, span(60_000, 200_000))
	y := NewYear(db, "2026")
	if c := people(t, y, Entry{}, true); c.High != 0 || !c.Exact() {
		t.Errorf("nothing was let go: %+v", c)
	}
	if c := people(t, y, entry(a), true); c.Low != 120_000 || !c.Exact() {
		t.Errorf("one set needs no estimate: %+v", c)
	}
	add(t, db, entry(a))
	add(t, db, entry(a)) // a second agreement on the same data
	if c := people(t, y, entry(b), true); c.Exact() || c.Low > 200_000 || c.High < 200_000 || c.High > 220_000 {
		t.Errorf("two sets far from a line: %+v", c)
	}
	if c := people(t, y, entry(b), false); c.Low != 200_000 || !c.Exact() {
		t.Errorf("two sets near a line: %+v", c)
	}
	add(t, db, entry(b), Entry{Kind: "people", Dataset: "c", Loose: 7}, Entry{Kind: "people", Dataset: "c", Loose: 9}, Entry{Kind: "people", Dataset: "c", Loose: 8})
	for _, y := range []*Year{y, NewYear(db, "2026")} { // also after a restart
		if c := people(t, y, Entry{}, false); c.Low != 200_000 || c.Loose != 9 || c.Datasets != 3 || c.Unkeyed != 1 {
			t.Errorf("all that was let go: %+v", c)
		}
	}
	if c := people(t, NewYear(db, "2027"), Entry{}, false); c != (Count{}) {
		t.Errorf("another year begins at nothing: %+v", c)
	}
}

func TestManyWhoCountAtOnceLoseNobody(t *testing.T) {
	db := testDB(t)
	const sets, each, step = 40, 3000, 1000
	var list []Set
	for i := range uint64(sets) {
		list = append(list, stored(t, db, fmt.Sprint(i), "1", 1<<20, func(add func(uint64)) {
			for k := range uint64(each) {
				add(spread(i*step + k))
			}
		}))
	}
	y := NewYear(db, "2026")
	var wg sync.WaitGroup
	for _, s := range list {
		wg.Go(func() {
			people(t, y, entry(s), false)
			add(t, db, entry(s))
			people(t, y, Entry{}, true)
		})
	}
	wg.Wait()
	want := int64((sets-1)*step + each)
	for _, y := range []*Year{y, NewYear(db, "2026")} {
		if c := people(t, y, Entry{}, false); c.Low != want || c.High != want || c.Datasets != sets {
			t.Errorf("%d are counted as %+v", want, c)
		}
	}
}

func TestASetThatWasReplacedIsNotCounted(t *testing.T) {
	db := testDB(t)
	one := func(add func(uint64)) { add(1) }
	old := stored(t, db, "a", "1", 10, one)
	kept := stored(t, db, "b", "1", 10, one)
	add(t, db, entry(kept))
	write := func(f func(ctx context.Context, tx *store.Tx) error) error {
		return db.Write(t.Context(), func(tx *store.Tx) error { return f(t.Context(), tx) })
	}
	for _, dataset := range []string{"a", "b"} {
		if err := write(func(ctx context.Context, tx *store.Tx) error { return Tidy(ctx, tx, dataset, "2") }); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(func(ctx context.Context, tx *store.Tx) error {
		return Add(ctx, tx, "2026", "2026-06-01", []Entry{entry(old)})
	}); err != ErrReplaced {
		t.Errorf("a set that is gone: %v", err)
	}
	if n := union(t, db, kept.ID); n != 1 {
		t.Errorf("an old edition that was let go stays counted: %d", n)
	}
	if err := write(func(ctx context.Context, tx *store.Tx) error { return Forget(ctx, tx, "2027") }); err != nil {
		t.Fatal(err)
	}
	var left int64
	err := db.Read(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT (SELECT COUNT(*) FROM people_blocks) + (SELECT COUNT(*) FROM people_sets)`).Scan(&left)
	})
	if err != nil || left != 0 {
		t.Errorf("a forgotten year leaves %d rows: %v", left, err)
	}
}

func TestWhatACrashLeavesIsRemoved(t *testing.T) {
	db := testDB(t)
	kept := stored(t, db, "a", "1", 10, func(add func(uint64)) { add(1); add(2) })
	sorter := NewSorter(t.TempDir())
	sorter.memory = 4
	for i := range uint64(20) {
		if err := sorter.Add(i); err != nil {
			t.Fatal(err)
		}
	}
	temp := sorter.file.Name()
	if info, err := os.Stat(temp); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	lost := Set{Year: "2026", Dataset: "b", Edition: "1", Kind: "people"}
	if err := lost.Store(t.Context(), db, sorter); err != nil || lost.Size != 20 {
		t.Fatal(err, lost)
	}
	// The process ends here: neither Put nor Close.
	Sweep(filepath.Dir(temp))
	if _, err := os.Stat(temp); !os.IsNotExist(err) {
		t.Errorf("the temporary file is still there: %v", err)
	}
	if err := db.Write(t.Context(), func(tx *store.Tx) error { return Orphans(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
	var blocks int64
	err := db.Read(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM people_blocks`).Scan(&blocks)
	})
	if err != nil || blocks != 1 || union(t, db, kept.ID) != 2 {
		t.Errorf("%v, %d blocks are left", err, blocks)
	}
	sorter.Close()
}

func TestAKeyIsMadeOnceAndRefusedIfOthersMayReadIt(t *testing.T) {
	dir := t.TempDir()
	keys := Keys(dir)
	first, err := keys.Open("2026")
	if err != nil || len(first) != 32 {
		t.Fatalf("%v %x", err, first)
	}
	if again, err := keys.Open("2026"); err != nil || !bytes.Equal(again, first) {
		t.Errorf("%v", err)
	}
	if next, err := keys.Open("2027"); err != nil || bytes.Equal(next, first) {
		t.Errorf("each year has its own: %v", err)
	}
	if gone, err := keys.Forget("2027"); err != nil || !gone {
		t.Errorf("%v %v", gone, err)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 || list[0].Name() != "people-2027.key" {
		t.Errorf("%v %v", list, err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(keys.Path("2027"), 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Open("2027"); corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%v", err)
		}
	}
	if err := os.WriteFile(keys.Path("2028"), []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open("2028"); corridor.KindOf(err) != corridor.Invalid {
		t.Errorf("%v", err)
	}
}

func FuzzBlock(f *testing.F) {
	f.Add(encodeBlock(nil, []uint64{1, 2, 1 << 63}))
	f.Add([]byte{1})
	f.Add(append(encodeBlock(nil, []uint64{2, 1}), 0))
	f.Add(bytes.Repeat([]byte{1}, 17))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := []uint64{7}
		got, err := decodeBlock(before, raw)
		if err != nil {
			if len(got) != 1 {
				t.Fatalf("a refused block leaves %d hashes", len(got)-1)
			}
			return
		}
		hashes := got[1:]
		if !slices.IsSorted(hashes) || len(slices.Compact(slices.Clone(hashes))) != len(hashes) || len(hashes) == 0 || len(hashes) > blockSize {
			t.Fatalf("accepted: %v", hashes)
		}
		if !bytes.Equal(encodeBlock(nil, hashes), raw) {
			t.Fatal("a block has two forms")
		}
	})
}

func FuzzSketch(f *testing.F) {
	f.Add(make([]byte, registers))
	f.Add(bytes.Repeat([]byte{hll.MaxRank(registers)}, registers))
	f.Add(bytes.Repeat([]byte{hll.MaxRank(registers) + 1}, registers))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := decodeSketch(raw)
		if err != nil {
			return
		}
		if low, high := s.Bounds(); low < 0 || low > high {
			t.Fatalf("%d to %d", low, high)
		}
	})
}

func FuzzNormal(f *testing.F) {
	for _, s := range []string{"110105194912310021", "+86 138", "a@b.c", "\xff", "[]", "0"} {
		f.Add("national_id:CN", s)
		f.Add("phone:86", s)
		f.Add("email", s)
		f.Add("internal:x", s)
	}
	f.Fuzz(func(t *testing.T, kind, value string) {
		k, err := ParseKind(kind)
		if err != nil {
			return
		}
		once, ok := k.Normal(nil, []byte(value))
		if !ok {
			if len(once) != 0 {
				t.Fatalf("%q: %q is left of what names nobody", value, once)
			}
			return
		}
		if twice, ok := k.Normal(nil, once); !ok || !bytes.Equal(once, twice) {
			t.Fatalf("%s %q: %q, then %q", kind, value, once, twice)
		}
	})
}

// BenchmarkPeople measures one million people: hashed, sorted, stored, and
// counted together with another million.
func BenchmarkPeople(b *testing.B) {
	k, err := ParseKind("national_id:CN")
	if err != nil {
		b.Fatal(err)
	}
	const n = 1_000_000
	b.Run("hash", func(b *testing.B) {
		h := NewHasher(bytes.Repeat([]byte{1}, 32), k)
		var id [18]byte
		for b.Loop() {
			for i := range uint64(n) {
				copy(id[:], "110105194912310021")
				binary.BigEndian.PutUint64(id[4:], 0x3030303030303030+i%10+i/10%10<<8+i/100%10<<16+i/1000%10<<24+i/10000%10<<32+i/100000%10<<40)
				h.Hash(id[:])
			}
		}
	})
	b.Run("store", func(b *testing.B) {
		db, i := testDB(b), 0
		for b.Loop() {
			i++
			stored(b, db, "a", fmt.Sprint(i), sortMemory, func(add func(uint64)) {
				for i := range uint64(n) {
					add(spread(i))
				}
			})
		}
		info, err := os.Stat(db.Path())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/float64(i)/n, "bytes/person")
	})
	b.Run("union", func(b *testing.B) {
		db := testDB(b)
		var ids []string
		for i := range uint64(2) {
			ids = append(ids, stored(b, db, fmt.Sprint(i), "1", sortMemory, func(add func(uint64)) {
				for k := range uint64(n) {
					add(spread(i*n/2 + k))
				}
			}).ID)
		}
		for b.Loop() {
			if got := union(b, db, ids...); got != n*3/2 {
				b.Fatal(got)
			}
		}
	})
}
