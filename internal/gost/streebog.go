// Package gost holds the Russian national signature and hash: GOST R
// 34.10-2012 (RFC 7091) over the parameter sets of RFC 7836, and GOST R
// 34.11-2012 "Streebog" (RFC 6986), with the encodings of RFC 9215 that other
// programs read. It is written from those documents.
//
// The code is not certified and not constant-time: it avoids branches and
// table indices that depend on a private key where that is cheap, but neither
// the compiler nor math/big gives any guarantee. It is meant for checking
// signatures, which needs no secret, and for trials. A production key belongs
// in a certified module; see docs/keys.md for external signers.
package gost

import (
	"encoding/binary"
	"hash"
	"sync"
)

// Sizes in bytes.
const (
	BlockSize = 64 // of both hashes
	Size256   = 32 // of Streebog-256
	Size512   = 64 // of Streebog-512
)

// block is 512 bits; word 0 holds the first eight bytes of the message, least
// significant byte first: RFC 6986 writes vectors the other way round.
type block [8]uint64

type streebog struct {
	size   int
	h      block // the chaining value
	n      block // bits taken in so far
	sigma  block // sum of the blocks
	buf    [BlockSize]byte
	filled int
}

// New256 makes Streebog with a digest of 256 bits.
func New256() hash.Hash { return newStreebog(Size256) }

// New512 makes Streebog with a digest of 512 bits.
func New512() hash.Hash { return newStreebog(Size512) }

func newStreebog(size int) *streebog {
	s := &streebog{size: size}
	s.Reset()
	return s
}

func (s *streebog) Size() int      { return s.size }
func (s *streebog) BlockSize() int { return BlockSize }

// Reset implements hash.Hash. The initial value is RFC 6986, section 6.1.
func (s *streebog) Reset() {
	*s = streebog{size: s.size}
	if s.size == Size256 {
		for i := range s.h {
			s.h[i] = 0x0101010101010101
		}
	}
}

// Write implements hash.Hash; it never fails. The stages are RFC 6986,
// section 8.
func (s *streebog) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		n := copy(s.buf[s.filled:], p)
		s.filled += n
		p = p[n:]
		if s.filled == BlockSize {
			s.compress(&s.buf, BlockSize)
			s.filled = 0
		}
	}
	return written, nil
}

// compress takes in one block that holds so many bytes of the message.
func (s *streebog) compress(raw *[BlockSize]byte, bytes uint64) {
	m := load(raw)
	s.h = g(&s.h, &m, &s.n)
	s.n.add(&block{bytes * 8})
	s.sigma.add(&m)
}

// Sum implements hash.Hash.
func (s *streebog) Sum(in []byte) []byte {
	f := *s // the state stays as it is
	clear(f.buf[f.filled:])
	f.buf[f.filled] = 1
	f.compress(&f.buf, uint64(f.filled))
	f.h = g(&f.h, &f.n, &block{})
	f.h = g(&f.h, &f.sigma, &block{})
	var out [BlockSize]byte
	for i, w := range f.h {
		binary.LittleEndian.PutUint64(out[8*i:], w)
	}
	return append(in, out[BlockSize-f.size:]...)
}

func load(raw *[BlockSize]byte) (b block) {
	for i := range b {
		b[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	return b
}

// add is addition modulo 2^512.
func (b *block) add(o *block) {
	var carry uint64
	for i := range b {
		sum := b[i] + carry
		first := sum < carry
		b[i] = sum + o[i]
		carry = 0
		if first || b[i] < o[i] {
			carry = 1
		}
	}
}

func (b *block) xor(o *block) {
	for i := range b {
		b[i] ^= o[i]
	}
}

// g is the compression function, RFC 6986, section 7.
func g(h, m, n *block) block {
	t := lpsTables()
	key := *h
	key.xor(n)
	key = lps(t, &key)
	state := *m
	for i := range t.c {
		state.xor(&key)
		state = lps(t, &state)
		key.xor(&t.c[i])
		key = lps(t, &key)
	}
	state.xor(&key)
	state.xor(h)
	state.xor(m)
	return state
}

// tables are the three transformations S, P and L in one look-up for each
// byte, and the iteration constants.
type tables struct {
	lps [8][256]uint64
	c   [12]block
}

// lps is the composition of L, P and S (RFC 6986, sections 6.2 to 6.4). P
// transposes the bytes: word i of the result is made of byte i of each word.
func lps(t *tables, in *block) (out block) {
	for i := range out {
		shift := 8 * uint(i)
		var w uint64
		for j := range in {
			w ^= t.lps[j][byte(in[j]>>shift)]
		}
		out[i] = w
	}
	return out
}

// lpsTables computes the tables on first use, from the constants of the
// standard.
var lpsTables = sync.OnceValue(func() *tables {
	t := &tables{}
	rows, pi := linear(), substitution()
	for j := range t.lps { // byte j of a word, counted from its least significant end
		for v := range 256 {
			var w uint64
			for bit := range 8 {
				if pi[v]>>bit&1 == 1 {
					w ^= rows[63-(8*j+bit)]
				}
			}
			t.lps[j][v] = w
		}
	}
	for i, text := range iteration() {
		t.c[i] = parseBlock(text)
	}
	return t
})
