package law

// dictionary finds words among those that are known beforehand. It is faster
// than a map for words that differ in their length, their first sixteen or
// their last eight letters, as the names of facts and their values do.
type dictionary[T any] struct {
	slots []entry[T] // a power of two; no word is free
	used  int
}

type entry[T any] struct {
	word  string
	value T
	taken bool
}

// set gives a word its value.
func (d *dictionary[T]) set(word string, value T) {
	if 2*d.used >= len(d.slots) {
		old := d.slots
		d.slots, d.used = make([]entry[T], max(8, 2*len(old))), 0
		for _, e := range old {
			if e.taken {
				d.set(e.word, e.value)
			}
		}
	}
	e := d.slot(word)
	if !e.taken {
		d.used++
	}
	*e = entry[T]{word, value, true}
}

// get finds the value of a word.
func (d *dictionary[T]) get(word string) (value T, ok bool) {
	if len(d.slots) == 0 {
		return value, false
	}
	e := d.slot(word)
	return e.value, e.taken
}

// slot is where a word is, or would be.
func (d *dictionary[T]) slot(word string) *entry[T] {
	mask := uint64(len(d.slots) - 1)
	for i := hashWord(word) & mask; ; i = (i + 1) & mask {
		if e := &d.slots[i]; !e.taken || e.word == word {
			return e
		}
	}
}

// hashWord mixes the length with the letters that tell words apart.
func hashWord(s string) uint64 {
	n := len(s)
	h := uint64(n)
	if n < 8 {
		for i := range n {
			h = h<<8 ^ h>>56 ^ uint64(s[i])
		}
	} else {
		h = (h ^ letters(s)) * 0xD6E8FEB86659FD93
		if n >= 16 {
			h = (h ^ h>>32 ^ letters(s[8:])) * 0xD6E8FEB86659FD93
		}
		h ^= h>>32 ^ letters(s[n-8:])
	}
	h *= 0x9E3779B97F4A7C15
	return h >> 32
}

// letters is the first eight letters as a number.
func letters(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
