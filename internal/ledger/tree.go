package ledger

import (
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// A tile is 2^tileHeight hashes wide (C2SP tlog-tiles).
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

type tileID struct {
	level int
	n     int64
}

// tree is the right edge of a Merkle tree: enough to append to it, to name
// its root and to keep its tiles.
type tree struct {
	size     int64
	frontier []tlog.Hash // by height; valid where size has the bit
	tiles    map[int][]byte
}

// clone lets an append be thrown away when its transaction fails.
func (t *tree) clone() *tree {
	c := &tree{size: t.size, frontier: slices.Clone(t.frontier), tiles: make(map[int][]byte, len(t.tiles))}
	for l, b := range t.tiles {
		c.tiles[l] = slices.Clip(b) // appending to it copies
	}
	return c
}

// append adds a leaf. Each tile that it changes is put into changed, with all
// of its hashes.
func (t *tree) append(leaf tlog.Hash, changed map[tileID][]byte) {
	h := leaf
	t.push(0, h, changed)
	height := 0
	for ; t.size>>height&1 == 1; height++ {
		h = tlog.NodeHash(t.frontier[height], h)
		if (height+1)%tileHeight == 0 {
			t.push((height+1)/tileHeight, h, changed)
		}
	}
	if height == len(t.frontier) {
		t.frontier = append(t.frontier, h)
	} else {
		t.frontier[height] = h
	}
	t.size++
}

// push adds a hash to the unfinished tile of a level. t.size is still the
// size before the leaf.
func (t *tree) push(level int, h tlog.Hash, changed map[tileID][]byte) {
	data := append(t.tiles[level], h[:]...)
	changed[tileID{level, t.size >> (tileHeight * (level + 1))}] = data
	if len(data) == tileWidth*tlog.HashSize {
		data = nil
	}
	t.tiles[level] = data
}

// root is the tree hash, by folding the perfect subtrees from the right.
func (t *tree) root() (tlog.Hash, error) {
	if t.size == 0 {
		return tlog.TreeHash(0, nil)
	}
	var h tlog.Hash
	first := true
	for height := range t.frontier {
		switch {
		case t.size>>height&1 == 0:
		case first:
			h, first = t.frontier[height], false
		default:
			h = tlog.NodeHash(t.frontier[height], h)
		}
	}
	return h, nil
}

// loadTree rebuilds the edge of a tree of this size from its tiles.
func loadTree(size int64, read func(level int, n int64) ([]byte, error)) (*tree, error) {
	t := &tree{size: size, tiles: map[int][]byte{}}
	for level := 0; size>>(tileHeight*level) > 0; level++ {
		count := size >> (tileHeight * level)
		if w := count % tileWidth; w > 0 {
			data, err := read(level, count/tileWidth)
			if err != nil {
				return nil, err
			}
			if int64(len(data)) < w*tlog.HashSize {
				return nil, fmt.Errorf("tile %d/%d holds %d bytes, wanted %d hashes", level, count/tileWidth, len(data), w)
			}
			t.tiles[level] = slices.Clone(data[:w*tlog.HashSize])
		}
	}
	for height := 0; size>>height > 0; height++ {
		var h tlog.Hash
		if size>>height&1 == 1 {
			level, within := height/tileHeight, height%tileHeight
			// The subtree is the last perfect one of this height: it starts where
			// all larger ones end.
			start := (size >> height &^ 1) << within % tileWidth
			tile := t.tiles[level]
			h = subtree(tile[start*tlog.HashSize : (start+1<<within)*tlog.HashSize])
		}
		t.frontier = append(t.frontier, h)
	}
	return t, nil
}

// subtree hashes a run of 2^k hashes to one.
func subtree(data []byte) tlog.Hash {
	if len(data) == tlog.HashSize {
		return tlog.Hash(data)
	}
	half := len(data) / 2
	return tlog.NodeHash(subtree(data[:half]), subtree(data[half:]))
}
