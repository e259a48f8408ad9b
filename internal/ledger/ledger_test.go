package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"corridor"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
	"corridor/verify"
)

// person is a participant of the tests: keys, DID document, log key.
type person struct {
	did    string
	origin string
	key    ed25519.PrivateKey
	logKey ed25519.PrivateKey
}

func newPerson(name string) *person {
	seed := func(s string) ed25519.PrivateKey {
		h := sha256.Sum256([]byte(name + s))
		return ed25519.NewKeyFromSeed(h[:])
	}
	return &person{did: "did:web:" + name, origin: name + "/log", key: seed("national"), logKey: seed("log")}
}

func (p *person) Suite() string { return verify.Ed25519 }
func (p *person) KeyID() string { return p.did + "#national" }
func (p *person) Sign(_ context.Context, msg []byte) ([]byte, error) {
	return ed25519.Sign(p.key, msg), nil
}

func (p *person) public() verify.Key {
	k, err := verify.NewKey(p.KeyID(), p.key.Public())
	if err != nil {
		panic(err)
	}
	return k
}

func (p *person) vkey() string {
	return verify.LogVKey(p.origin, p.logKey.Public().(ed25519.PublicKey))
}

func (p *person) document(t testing.TB) []byte {
	raw, err := corridor.Canonical(map[string]any{"id": p.did, "assertionMethod": []string{p.KeyID()},
		"verificationMethod": []any{map[string]any{"id": p.KeyID(), "type": "JsonWebKey2020", "controller": p.did, "publicKeyJwk": p.public().JWK}}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// noteSigner signs checkpoints.
type noteSigner struct {
	note.Verifier
	key ed25519.PrivateKey
}

func (s noteSigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

func (p *person) config(t testing.TB) Config {
	v, err := verify.LogVerifier(p.vkey())
	if err != nil {
		t.Fatal(err)
	}
	return Config{Origin: p.origin, Signer: noteSigner{v, p.logKey}, VKey: p.vkey(), Issuer: p.did}
}

// node is a log on a file.
type node struct {
	*person
	db   *store.DB
	log  *Log
	path string
}

func start(t testing.TB, p *person, path string, change ...func(*Config)) *node {
	t.Helper()
	db, err := store.Open(t.Context(), path, Migrations...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	cfg := p.config(t)
	for _, c := range change {
		c(&cfg)
	}
	l, err := Open(t.Context(), db, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &node{p, db, l, path}
}

func temp(t testing.TB) string { return storetest.Place(t) }

func (n *node) append(t testing.TB, r corridor.Receipt, secrets ...Secret) corridor.ReceiptRef {
	t.Helper()
	if r.Type == "" {
		r.Type = corridor.ReceiptAdmin
	}
	var ref corridor.ReceiptRef
	err := n.db.Write(context.Background(), func(tx *store.Tx) (err error) {
		ref, err = n.log.Append(context.Background(), tx, r, n.person, secrets...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// many adds n receipts in transactions of up to 100.
func (n *node) many(t testing.TB, count int) {
	t.Helper()
	for count > 0 {
		k := min(count, 100)
		err := n.db.Write(context.Background(), func(tx *store.Tx) error {
			for range k {
				if _, err := n.log.Append(context.Background(), tx, corridor.Receipt{Type: corridor.ReceiptAdmin}, n.person); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		count -= k
	}
}

func wantError(t testing.TB, err error, kind corridor.Kind, text string) {
	t.Helper()
	if err == nil || corridor.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v (%v), want %v with %q", err, corridor.KindOf(err), kind, text)
	}
}

// TestTheTreeIsTheOneOfTheReferenceImplementation compares every root and
// tile with golang.org/x/mod/sumdb/tlog.
func TestTheTreeIsTheOneOfTheReferenceImplementation(t *testing.T) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(idx []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(idx))
		for i, j := range idx {
			out[i] = stored[j]
		}
		return out, nil
	})
	tr := &tree{tiles: map[int][]byte{}}
	tiles := map[tileID][]byte{}
	for n := range int64(66_000) {
		leaf := tlog.RecordHash(fmt.Appendf(nil, "entry %d", n))
		hs, err := tlog.StoredHashesForRecordHash(n, leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hs...)
		tr.append(leaf, tiles)
		size := n + 1
		if size > 600 && size%997 != 0 && size%256 > 1 && size != 66_000 {
			continue
		}
		want, err := tlog.TreeHash(size, reader)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tr.root(); err != nil || got != want {
			t.Fatalf("size %d: root %v, want %v (%v)", size, got, want, err)
		}
		loaded, err := loadTree(size, func(level int, n int64) ([]byte, error) { return tiles[tileID{level, n}], nil })
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := loaded.root(); got != want {
			t.Fatalf("size %d: loaded root %v, want %v", size, got, want)
		}
	}
	for _, tile := range tlog.NewTiles(tileHeight, 0, 66_000) {
		want, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			t.Fatal(err)
		}
		if got := tiles[tileID{tile.L, tile.N}]; !bytes.Equal(got, want) {
			t.Fatalf("tile %s differs", tile.Path())
		}
	}
}

func TestAThrownAwayTreeLeavesTheOldOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tr := &tree{tiles: map[int][]byte{}}
		drop := map[tileID][]byte{}
		for i := range rapid.IntRange(0, 600).Draw(rt, "size") {
			tr.append(tlog.RecordHash([]byte{byte(i)}), drop)
		}
		before, _ := tr.root()
		lost := tr.clone()
		for i := range rapid.IntRange(0, 300).Draw(rt, "lost") {
			lost.append(tlog.RecordHash([]byte{9, byte(i)}), drop)
		}
		if after, _ := tr.root(); after != before {
			rt.Fatal("a clone changed its original")
		}
		a, b := tr.clone(), tr.clone()
		a.append(tlog.Hash{1}, drop)
		b.append(tlog.Hash{2}, drop)
		ra, _ := a.root()
		rb, _ := b.root()
		if ra == rb {
			rt.Fatal("two clones share memory")
		}
	})
}

func TestEveryCommitHasASignedCheckpointOverItsReceipts(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	v, _ := verify.LogVerifier(n.vkey())
	if c, _, err := verify.OpenCheckpoint(n.log.Checkpoint(), v); err != nil || c.Size != 0 {
		t.Fatalf("a new log has an empty checkpoint: %+v %v", c, err)
	}
	for i := range int64(10) {
		ref := n.append(t, corridor.Receipt{Type: corridor.ReceiptDatasetPublished, Dataset: "d"})
		if ref.Index != i || ref.Origin != n.origin {
			t.Errorf("%+v", ref)
		}
		c, _, err := verify.OpenCheckpoint(n.log.Checkpoint(), v)
		if err != nil || c.Size != i+1 || n.log.Size() != i+1 {
			t.Errorf("checkpoint after %d: %+v %v", i, c, err)
		}
		entry, err := n.log.Receipt(t.Context(), i)
		if err != nil || corridor.LeafHash(entry) != ref.Leaf {
			t.Error(err)
		}
		leaf, err := corridor.DecodeReceipt(entry)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := corridor.Canonical(leaf.Receipt)
		if err := n.public().VerifySignature(body, leaf.Signature); err != nil {
			t.Error(err)
		}
		if (leaf.Receipt.Prev != "") != (i > 0) || leaf.Receipt.Issuer != n.did {
			t.Errorf("receipt %d: %+v", i, leaf.Receipt)
		}
	}
	if _, err := n.log.Receipt(t.Context(), 99); corridor.KindOf(err) != corridor.NotFound {
		t.Error(err)
	}
	if n.log.Origin() != n.origin || n.log.VKey() != n.vkey() || n.log.Ref().Origin != n.origin {
		t.Error("names")
	}
}

func TestAFailedTransactionLeavesNoReceipt(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	n.append(t, corridor.Receipt{})
	before := n.log.Checkpoint()
	err := n.db.Write(t.Context(), func(tx *store.Tx) error {
		if _, err := n.log.Append(t.Context(), tx, corridor.Receipt{Type: "x"}, n.person); err != nil {
			return err
		}
		return io.EOF
	})
	if err != io.EOF || !bytes.Equal(before, n.log.Checkpoint()) || n.log.Size() != 1 {
		t.Error(err, n.log.Size())
	}
	var fail error = io.ErrClosedPipe
	n.db.BeforeCommit(func(*store.Tx) error { return fail }) // after the log's own hook
	err = n.db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := n.log.Append(t.Context(), tx, corridor.Receipt{Type: "x"}, n.person)
		return err
	})
	if !errors.Is(err, io.ErrClosedPipe) || !bytes.Equal(before, n.log.Checkpoint()) {
		t.Error("a checkpoint got out without its commit", err)
	}
	fail = nil
	if ref := n.append(t, corridor.Receipt{}); ref.Index != 1 {
		t.Error(ref)
	}
	checkAll(t, n)
}

// checkAll verifies every entry of a log with the reference implementation.
func checkAll(t testing.TB, n *node) {
	t.Helper()
	v, _ := verify.LogVerifier(n.vkey())
	for i := range n.log.Size() {
		text, err := n.log.Proof(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		p, err := verify.ParseProof(text)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.Format(), text) || p.Index != i {
			t.Fatal("proof text does not read back")
		}
		c, _, err := verify.OpenCheckpoint(p.Checkpoint, v)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := n.log.Receipt(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p.Hashes, c.Size, c.Root, i, tlog.RecordHash(entry)); err != nil {
			t.Fatalf("entry %d of %d: %v", i, c.Size, err)
		}
	}
}

func TestProofsHoldAcrossTileBorders(t *testing.T) {
	path := temp(t)
	p := newPerson("kz.example")
	for _, size := range []int{1, 2, 255, 256, 257, 600} {
		n := start(t, p, path)
		n.many(t, size-int(n.log.Size()))
		checkAll(t, n)
		n.db.Close() // and all of it again from disk
		n = start(t, p, path)
		if n.log.Size() != int64(size) {
			t.Fatal(n.log.Size())
		}
		n.db.Close()
	}
	n := start(t, p, path)
	for _, bad := range []int64{-1, 600, 1 << 40} {
		if _, err := n.log.Proof(t.Context(), bad); corridor.KindOf(err) != corridor.NotFound {
			t.Error(bad, err)
		}
	}
}

func TestConcurrentAppendsKeepOneOrder(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[int64]string{}
	for range 8 {
		wg.Go(func() {
			for range 40 {
				ref := n.append(t, corridor.Receipt{Negotiation: "n"})
				mu.Lock()
				if seen[ref.Index] != "" {
					t.Error("two receipts at one place")
				}
				seen[ref.Index] = ref.Leaf
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 320 {
		t.Error(len(seen))
	}
	checkAll(t, n)
	prev := ""
	for i := range n.log.Size() {
		entry, _ := n.log.Receipt(t.Context(), i)
		leaf, _ := corridor.DecodeReceipt(entry)
		if leaf.Receipt.Prev != prev || seen[i] != corridor.LeafHash(entry) {
			t.Fatalf("receipt %d does not continue the one before", i)
		}
		prev = seen[i]
	}
}

func TestReceiptsAreRefusedWhenTheyAreNotWhole(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t), func(c *Config) { c.Issuer = "" })
	ok := corridor.Receipt{Type: "x", Issuer: "did:web:a"}
	for name, c := range map[string]struct {
		r corridor.Receipt
		s []Secret
	}{
		"no type":               {r: corridor.Receipt{Issuer: "a"}},
		"no issuer":             {r: corridor.Receipt{Type: "x"}},
		"another version":       {r: corridor.Receipt{Type: "x", Issuer: "a", Version: 2}},
		"no time":               {r: corridor.Receipt{Type: "x", Issuer: "a", Time: "yesterday"}},
		"not UTC":               {r: corridor.Receipt{Type: "x", Issuer: "a", Time: "2026-11-24T00:00:00+05:00"}},
		"too long":              {r: corridor.Receipt{Type: "x", Issuer: "a", Reason: strings.Repeat("x", corridor.MaxReceipt)}},
		"nameless secret":       {ok, []Secret{{}}},
		"long salt":             {ok, []Secret{{Name: "a", Salt: make([]byte, 256)}}},
		"another's commitment":  {corridor.Receipt{Type: "x", Issuer: "a", Commitments: map[string]string{"a": "sha256:00"}}, []Secret{{Name: "a"}}},
		"the same secret twice": {ok, []Secret{{Name: "a", Value: []byte("1")}, {Name: "a", Value: []byte("2")}}},
	} {
		err := n.db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := n.log.Append(t.Context(), tx, c.r, n.person, c.s...)
			return err
		})
		if err == nil {
			t.Error(name, "was accepted")
		}
	}
	err := n.db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := n.log.Append(t.Context(), tx, ok, brokenSigner{n.person})
		return err
	})
	if !errors.Is(err, io.ErrNoProgress) || n.log.Size() != 0 {
		t.Error(err, n.log.Size())
	}
}

type brokenSigner struct{ *person }

func (brokenSigner) Sign(context.Context, []byte) ([]byte, error) { return nil, io.ErrNoProgress }

func TestASecretIsBoundShownAndForgotten(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	given := map[string]string{"other": "sha256:aa"}
	ref := n.append(t, corridor.Receipt{Commitments: given}, Secret{Name: "facts", Value: []byte("120000 people")}, Secret{Name: "flow", Value: []byte("x"), Salt: []byte("shared")}, Secret{Name: "none"})
	if len(given) != 1 {
		t.Error("the caller's map was changed")
	}
	entry, _ := n.log.Receipt(t.Context(), ref.Index)
	leaf, _ := corridor.DecodeReceipt(entry)
	if bytes.Contains(entry, []byte("people")) || leaf.Receipt.Commitments["flow"] != corridor.Commit([]byte("shared"), []byte("x")) {
		t.Error(string(entry))
	}
	salt, value, err := n.log.Open(t.Context(), ref.Index, "facts")
	if err != nil || len(salt) != saltSize || corridor.Commit(salt, value) != leaf.Receipt.Commitments["facts"] {
		t.Error(err)
	}
	if err := n.db.Write(t.Context(), func(tx *store.Tx) error { return n.log.Forget(t.Context(), tx, ref.Index) }); err != nil {
		t.Fatal(err)
	}
	if _, _, err := n.log.Open(t.Context(), ref.Index, "facts"); corridor.KindOf(err) != corridor.Gone {
		t.Error(err)
	}
	checkAll(t, n) // the receipt itself stays
}

func TestReceiptsOfAMatterAreChained(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	prev := func(r corridor.Receipt) string {
		ref := n.append(t, r)
		entry, _ := n.log.Receipt(t.Context(), ref.Index)
		leaf, _ := corridor.DecodeReceipt(entry)
		return leaf.Receipt.Prev
	}
	leafAt := func(i int64) string { e, _ := n.log.Receipt(t.Context(), i); return corridor.LeafHash(e) }
	for i, c := range []struct {
		r    corridor.Receipt
		want int64
	}{
		{corridor.Receipt{Dataset: "d"}, -1},
		{corridor.Receipt{Dataset: "d", Negotiation: "n"}, -1},
		{corridor.Receipt{Dataset: "d", Negotiation: "n", Agreement: "a"}, 1},
		{corridor.Receipt{Dataset: "d", Negotiation: "n", Agreement: "a", Transfer: "t"}, 2},
		{corridor.Receipt{Dataset: "d", Negotiation: "n2"}, -1},
		{corridor.Receipt{Dataset: "d", Agreement: "a", Transfer: "t2"}, 3},
		{corridor.Receipt{Dataset: "d", Agreement: "a", Transfer: "t"}, 3},
		{corridor.Receipt{Dataset: "d"}, 0},
		{corridor.Receipt{}, -1},
	} {
		want := ""
		if c.want >= 0 {
			want = leafAt(c.want)
		}
		if got := prev(c.r); got != want {
			t.Errorf("receipt %d continues %q, want that of %d", i, got, c.want)
		}
	}
	if got := prev(corridor.Receipt{Dataset: "d", Prev: "sha256:given"}); got != "sha256:given" {
		t.Error(got)
	}
}

func TestADamagedOrForeignLogDoesNotOpen(t *testing.T) {
	p := newPerson("kz.example")
	for name, c := range map[string]struct {
		sql    string
		with   func(*node) []byte // its argument
		change func(*Config)
		want   string
	}{
		"a changed tile":        {sql: `UPDATE ledger_tiles SET hashes = ? WHERE level = 0 AND n = 1`, with: func(*node) []byte { return make([]byte, 44*32) }, want: "another root"},
		"a short tile":          {sql: `UPDATE ledger_tiles SET hashes = substr(hashes, 1, 32) WHERE level = 0 AND n = 1`, want: "damaged"},
		"a missing tile":        {sql: `DELETE FROM ledger_tiles WHERE level = 1`, want: "damaged"},
		"a missing entry":       {sql: `DELETE FROM ledger_entries WHERE idx = 299`, want: "299"},
		"a changed last entry":  {sql: `UPDATE ledger_entries SET entry = '{}' WHERE idx = 299`, want: "entry 299"},
		"a changed checkpoint":  {sql: `UPDATE ledger_head SET checkpoint = ?`, with: func(n *node) []byte { return bytes.Replace(n.log.Checkpoint(), []byte("300"), []byte("301"), 1) }, want: "not of this log"},
		"a changed size":        {sql: `UPDATE ledger_head SET size = 299`, want: "299"},
		"no checkpoint":         {sql: `DELETE FROM ledger_head`, want: "no rows"},
		"another key":           {change: func(c *Config) { *c = newPerson("kz.example2").rename(t, p.origin) }, want: "not of this log"},
		"an unusable policy":    {change: func(c *Config) { c.Policy = []byte("quorum x\n") }, want: "policy"},
		"a policy without us":   {change: func(c *Config) { c.Policy = []byte("log " + newPerson("x").vkey() + "\nquorum none\n") }, want: "does not trust"},
		"a vkey of another log": {change: func(c *Config) { c.VKey = newPerson("x").vkey() }, want: "belong together"},
		"no vkey":               {change: func(c *Config) { c.VKey = "" }, want: "vkey"},
	} {
		t.Run(name, func(t *testing.T) {
			path := temp(t)
			n := start(t, p, path)
			n.many(t, 300)
			if c.sql != "" {
				var args []any
				if c.with != nil {
					args = append(args, c.with(n))
				}
				n.db.Close() // the node itself would refuse to go on from there
				raw, err := store.Open(t.Context(), path, Migrations...)
				if err != nil {
					t.Fatal(err)
				}
				if err := raw.Write(t.Context(), func(tx *store.Tx) error { _, err := tx.Exec(t.Context(), c.sql, args...); return err }); err != nil {
					t.Fatal(err)
				}
				raw.Close()
			}
			n.db.Close()
			db, err := store.Open(t.Context(), path, Migrations...)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			cfg := p.config(t)
			if c.change != nil {
				c.change(&cfg)
			}
			if _, err := Open(t.Context(), db, cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func (p *person) rename(t testing.TB, origin string) Config {
	q := *p
	q.origin = origin
	return q.config(t)
}

func TestATileThatIsDamagedLaterGivesNoProof(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t))
	n.many(t, 300)
	if err := n.db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE ledger_tiles SET hashes = ? WHERE level = 0 AND n = 0`, make([]byte, 256*32))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.log.Proof(t.Context(), 3); err == nil {
		t.Error("a proof was made from a damaged tile")
	}
}

// heldTiles are the tiles of a tree in memory.
type heldTiles map[tileID][]byte

func (heldTiles) Height() int                     { return tileHeight }
func (heldTiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (h heldTiles) ReadTiles(list []tlog.Tile) (out [][]byte, err error) {
	for _, id := range list {
		data := h[tileID{id.L, id.N}]
		if len(data) < id.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %s holds %d bytes", id.Path(), len(data))
		}
		out = append(out, data[:id.W*tlog.HashSize])
	}
	return out, nil
}

// TestAProofIsTheSameFromTilesThatWereNotChecked as from those that were, in
// trees of one to three levels of tiles; and from tiles of which one is wrong
// comes the right proof, where the path does not need it, or none.
func TestAProofIsTheSameFromTilesThatWereNotChecked(t *testing.T) {
	grown, held := &tree{tiles: map[int][]byte{}}, heldTiles{}
	leaf := func(i int64) tlog.Hash { return tlog.RecordHash(fmt.Appendf(nil, "entry %d", i)) }
	head := func(size int64) verify.Checkpoint {
		for grown.size < size {
			grown.append(leaf(grown.size), held)
		}
		root, err := grown.root()
		if err != nil {
			t.Fatal(err)
		}
		return verify.Checkpoint{Origin: "kz.example/log", Size: size, Root: root}
	}
	prove := func(i int64, c verify.Checkpoint) ([]tlog.Hash, error) {
		return (&rawHashes{size: c.Size, read: held}).prove(i, c)
	}
	var c verify.Checkpoint
	for _, size := range []int64{1, 2, 3, 255, 256, 257, 511, 1000, 65_535, 65_536, 70_000} {
		c = head(size)
		checked := tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, held)
		for _, i := range []int64{0, 1, 2, 127, 255, 256, 300, 510, 767, 768, 999, 65_535, 65_536, 69_900, size / 3, size - 2, size - 1} {
			if i < 0 || i >= size {
				continue
			}
			want, err := tlog.ProveRecord(c.Size, i, checked)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := prove(i, c); err != nil || !slices.Equal(got, want) {
				t.Errorf("entry %d of %d: %v", i, size, err)
			}
		}
	}
	refused, given := 0, 0
	for id, good := range held {
		if id.level == 0 && id.n%50 != 0 {
			continue
		}
		for at := 0; at < len(good); at += 61 * tlog.HashSize {
			bad := bytes.Clone(good)
			bad[at] ^= 1
			held[id] = bad
			for _, i := range []int64{0, 61, 7 * 256, 50 * 256, 65_535, 65_540, 69_999} {
				got, err := prove(i, c)
				if err != nil {
					refused++
					continue
				}
				given++
				if tlog.CheckRecord(got, c.Size, c.Root, i, leaf(i)) != nil {
					t.Fatalf("hash %d of tile %v is wrong, and so is the proof of entry %d", at/tlog.HashSize, id, i)
				}
			}
		}
		held[id] = good
	}
	if refused == 0 || given == 0 {
		t.Errorf("%d refused, %d given", refused, given)
	}
}

func get(t testing.TB, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

// httpTiles reads tiles over HTTP as any tlog-tiles client does.
type httpTiles struct {
	t testing.TB
	h http.Handler
}

func (h httpTiles) Height() int { return tileHeight }
func (h httpTiles) ReadTiles(list []tlog.Tile) (out [][]byte, err error) {
	for _, tile := range list {
		path := strings.Replace(tile.Path(), "tile/8/", "/tile/", 1)
		w := get(h.t, h.h, path)
		if w.Code != 200 {
			return nil, fmt.Errorf("%s: %d", path, w.Code)
		}
		out = append(out, w.Body.Bytes())
	}
	return out, nil
}
func (h httpTiles) SaveTiles([]tlog.Tile, [][]byte) {}

func TestAForeignClientCanFollowTheLog(t *testing.T) {
	n := start(t, newPerson("kz.example"), temp(t), func(c *Config) { c.Authorise = func(*http.Request, int64, int64) error { return nil } })
	const size = 700
	n.many(t, size)
	h := n.log.Handler()
	w := get(t, h, "/checkpoint")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" || w.Header().Get("Cache-Control") != "no-cache" {
		t.Fatal(w.Code, w.Header())
	}
	v, err := note.NewVerifier(n.vkey())
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := verify.OpenCheckpoint(w.Body.Bytes(), v)
	if err != nil || c.Size != size {
		t.Fatal(c, err)
	}
	reader := tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, httpTiles{t, h})
	// All entries from the bundles, each against its hash in the tree.
	var index int64
	for b := range int64(3) {
		path := fmt.Sprintf("/tile/entries/%03d", b)
		if b == 2 {
			path += fmt.Sprintf(".p/%d", size%256)
		}
		w := get(t, h, path)
		if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") != "application/octet-stream" {
			t.Fatal(path, w.Code, w.Header())
		}
		for data := w.Body.Bytes(); len(data) > 0; index++ {
			l := int(data[0])<<8 | int(data[1])
			hs, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			if err != nil || hs[0] != tlog.RecordHash(data[2:2+l]) {
				t.Fatalf("entry %d: %v", index, err)
			}
			data = data[2+l:]
		}
	}
	if index != size {
		t.Fatal(index)
	}
	if _, err := tlog.ProveTree(size, 300, reader); err != nil {
		t.Error(err)
	}
	// Older partial tiles stay available, larger ones than signed do not exist.
	for path, want := range map[string]int{
		"/tile/0/000": 200, "/tile/0/001": 200, "/tile/0/002.p/1": 200, "/tile/0/002.p/188": 200, "/tile/0/000.p/7": 200,
		"/tile/0/002": 404, "/tile/0/002.p/189": 404, "/tile/0/003.p/1": 404, "/tile/1/000.p/2": 200, "/tile/1/000.p/3": 404,
		"/tile/2/000.p/1": 404, "/tile/63/000.p/1": 404, "/tile/64/000": 404, "/tile/0/x001/000": 404, "/tile/0/0": 404, "/tile/00/000": 404,
		"/tile/0/000.p/0": 404, "/tile/0/000.p/256": 404, "/tile/0/000.p/07": 404, "/tile/0/x000/000": 404, "/tile/0/1000": 404, "/tile/0/001/000": 404,
		"/tile/0/-01": 404, "/tile/0": 404, "/tile/": 404, "/tile/entries/003.p/1": 404, "/tile/entries/000.p/1": 200, "/tile/x/000": 404,
		"/tile/0/x999/x999/x999/x999/x999/x999/999": 404, "/tile/0/x999/x999/x999/x999/x999/999": 404,
		"/proof/0": 200, "/proof/699": 200, "/proof/700": 404, "/proof/-1": 404, "/proof/01": 404, "/proof/x": 404,
		"/receipt/0": 200, "/receipt/700": 404, "/receipt/x": 404, "/": 404,
	} {
		if w := get(t, h, path); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	if w := get(t, h, "/receipt/5"); corridor.LeafHash(w.Body.Bytes()) == "" || w.Header().Get("Content-Type") != "application/json" {
		t.Error(w.Header())
	}
}

func TestEntriesAreForThoseWhoMaySeeThem(t *testing.T) {
	var asked []string
	answer := corridor.E(corridor.Unauthenticated, "who are you")
	n := start(t, newPerson("kz.example"), temp(t), func(c *Config) {
		c.Authorise = func(_ *http.Request, first, last int64) error {
			asked = append(asked, fmt.Sprintf("%d-%d", first, last))
			return answer
		}
	})
	n.many(t, 3)
	h := n.log.Handler()
	if w := get(t, h, "/tile/entries/000.p/2"); w.Code != 401 {
		t.Error(w.Code)
	}
	answer = corridor.E(corridor.Forbidden, "not you")
	if w := get(t, h, "/receipt/1"); w.Code != 403 || strings.Contains(w.Body.String(), "not you") {
		t.Error(w.Code, w.Body)
	}
	if !slices.Equal(asked, []string{"0-2", "1-2"}) {
		t.Error(asked)
	}
	closed := start(t, newPerson("uz.example"), temp(t))
	closed.many(t, 1)
	if w := get(t, closed.log.Handler(), "/receipt/0"); w.Code != 403 {
		t.Error(w.Code)
	}
	if w := get(t, closed.log.Handler(), "/tile/0/000.p/1"); w.Code != 200 {
		t.Error("hashes are public:", w.Code)
	}
	closed.db.Close()
	for _, path := range []string{"/checkpoint", "/tile/0/000.p/1", "/proof/0"} {
		if w := get(t, closed.log.Handler(), path); w.Code != 503 {
			t.Error(path, w.Code)
		}
	}
}

func FuzzTilePath(f *testing.F) {
	f.Add("0/x001/234.p/7")
	f.Add("entries/000")
	f.Fuzz(func(t *testing.T, path string) {
		p, ok := parseTilePath(path)
		if !ok {
			return
		}
		tile := tlog.Tile{H: tileHeight, L: p.level, N: p.n, W: p.width}
		want := strings.TrimPrefix(tile.Path(), "tile/8/")
		if p.entries {
			tile.L = -1
			want = strings.Replace(strings.TrimPrefix(tile.Path(), "tile/8/"), "data", "entries", 1)
		}
		if path != want {
			t.Fatalf("%q was read as %q", path, want)
		}
	})
}

// durable measures what a caller waits for: receipt submitted until its
// signed checkpoint is on disk.
func durable(b *testing.B, writers int) {
	n := start(b, newPerson("kz.example"), temp(b))
	r := corridor.Receipt{Type: corridor.ReceiptDecision, Peer: "did:web:peer.example", Dataset: "flights", Negotiation: "urn:uuid:2c3e", Agreement: "urn:uuid:aaaa",
		Reason: strings.Repeat("x", 300), Decision: &corridor.DecisionDigest{Jurisdiction: "KZ", Side: corridor.Export, Cites: []string{"pdl 16"}, Obligations: []string{"notice"}}}
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	work := make(chan struct{}, b.N)
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			var own []time.Duration
			for range work {
				began := time.Now()
				n.append(b, r, Secret{Name: "facts", Value: []byte("x")})
				own = append(own, time.Since(began))
			}
			mu.Lock()
			took = append(took, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "receipts/s")
}

func BenchmarkAppendDurable(b *testing.B) {
	for _, w := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("writers=%d", w), func(b *testing.B) { durable(b, w) })
	}
}

func BenchmarkProof(b *testing.B) {
	n := start(b, newPerson("kz.example"), temp(b))
	n.many(b, 20_000)
	for i := 0; b.Loop(); i++ {
		if _, err := n.log.Proof(b.Context(), int64(i)*7919%20_000); err != nil {
			b.Fatal(err)
		}
	}
}
