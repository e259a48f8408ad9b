package counter

import (
	"encoding/binary"

	"corridor"
)

// A block is a version byte and up to blockSize hashes of eight bytes each,
// big-endian and ascending.
const (
	blockVersion = 1
	blockSize    = 8192
)

// encodeBlock writes hashes, which ascend.
func encodeBlock(dst []byte, hashes []uint64) []byte {
	dst = append(dst, blockVersion)
	for _, h := range hashes {
		dst = binary.BigEndian.AppendUint64(dst, h)
	}
	return dst
}

// decodeBlock appends the hashes of a block. What is not a block is refused: a
// damaged one must not count fewer people.
func decodeBlock(dst []uint64, raw []byte) ([]uint64, error) {
	bad := func(what string) ([]uint64, error) {
		return dst, corridor.E(corridor.Internal, "a stored block of counted people is damaged: %s", what)
	}
	n := (len(raw) - 1) / 8
	switch {
	case len(raw) < 9 || (len(raw)-1)%8 != 0:
		return bad("its length is not that of whole hashes")
	case raw[0] != blockVersion:
		return bad("its version is not known")
	case n > blockSize:
		return bad("it is longer than a block can be")
	}
	at := len(dst)
	for i := range n {
		h := binary.BigEndian.Uint64(raw[1+8*i:])
		if i > 0 && h <= dst[len(dst)-1] {
			return dst[:at], corridor.E(corridor.Internal, "a stored block of counted people is damaged: its hashes do not ascend")
		}
		dst = append(dst, h)
	}
	return dst, nil
}

// key turns the top bit, so that the order of signed numbers is that of
// hashes.
func key(h uint64) int64 { return int64(h ^ 1<<63) }
