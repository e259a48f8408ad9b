package plane

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"hash"
	"strconv"
	"unicode/utf8"

	"corridor"
)

const maxBucket = 1_000_000_000_000_000

// operation is what a stage does to one value, as text. An operation is
// shared; bind makes the state that one worker needs.
type operation interface {
	bind(column string, key []byte) transformer
}

// transformer appends the transformed value to dst. Not safe for concurrent
// use. The message of its error never quotes the value.
type transformer interface {
	transform(dst, value []byte) ([]byte, error)
}

// maskOp writes a star for every character but the first and last few. A
// value too short to hide anything is hidden whole.
type maskOp struct{ first, last int }

func (m maskOp) bind(string, []byte) transformer { return m }

func (m maskOp) transform(dst, value []byte) ([]byte, error) {
	n := utf8.RuneCount(value)
	if n <= m.first+m.last {
		return stars(dst, n), nil
	}
	head := runes(value, m.first)
	tail := len(value)
	for range m.last {
		_, size := utf8.DecodeLastRune(value[:tail])
		tail -= size
	}
	dst = append(dst, value[:head]...)
	dst = stars(dst, n-m.first-m.last)
	return append(dst, value[tail:]...), nil
}

func stars(dst []byte, n int) []byte {
	const many = "********************************"
	for ; n > len(many); n -= len(many) {
		dst = append(dst, many...)
	}
	return append(dst, many[:n]...)
}

// runes gives the length in bytes of the first n characters.
func runes(value []byte, n int) int {
	i := 0
	for ; n > 0 && i < len(value); n-- {
		_, size := utf8.DecodeRune(value[i:])
		i += size
	}
	return i
}

// pseudoOp replaces a value by a token: HMAC-SHA-256 under the agreement's
// key, over the name space and the value, cut to 128 bits: 26 letters and
// digits, which no spreadsheet takes for a number or a formula. The empty
// value stays empty.
type pseudoOp struct{ group string }

const (
	pseudoDomain = "corridor/plane/pseudonym/v1\x00"
	pseudoBytes  = 16
	pseudoDigits = "abcdefghijklmnopqrstuvwxyz234567"
)

func (p pseudoOp) bind(column string, key []byte) transformer {
	space := "column\x00" + column
	if p.group != "" {
		space = "group\x00" + p.group
	}
	outer := hmac.New(sha256.New, key)
	outer.Write([]byte(pseudoDomain + space))
	return &pseudonym{mac: hmac.New(sha256.New, outer.Sum(nil)), enc: base32.NewEncoding(pseudoDigits).WithPadding(base32.NoPadding)}
}

type pseudonym struct {
	mac hash.Hash // its keyed states are kept over Reset
	enc *base32.Encoding
	sum [sha256.Size]byte
}

func (p *pseudonym) transform(dst, value []byte) ([]byte, error) {
	if len(value) == 0 {
		return dst, nil
	}
	p.mac.Reset()
	p.mac.Write(value)
	sum := p.mac.Sum(p.sum[:0])
	return p.enc.AppendEncode(dst, sum[:pseudoBytes]), nil
}

// prefixOp keeps the first characters.
type prefixOp struct{ n int }

func (p prefixOp) bind(string, []byte) transformer { return p }

func (p prefixOp) transform(dst, value []byte) ([]byte, error) {
	return append(dst, value[:runes(value, p.n)]...), nil
}

// dateOp cuts a date to its year or month, in ISO order.
type dateOp struct{ keep int }

func (d dateOp) bind(string, []byte) transformer { return d }

func (d dateOp) transform(dst, value []byte) ([]byte, error) {
	v := trim(value)
	if len(v) == 0 {
		return dst, nil
	}
	year, month, ok := readDate(v)
	if !ok {
		return dst, &corridor.Error{Kind: corridor.Invalid, Msg: "the value is not a date", Fix: "write dates as 2026-11-24, 2026/11/24 or 24.11.2026, with or without a time"}
	}
	dst = append(dst, year...)
	if d.keep > len("2006") {
		dst = append(append(dst, '-'), month...)
	}
	return dst, nil
}

// readDate finds year and month in 2006-01-02, 2006/01/02 and 02.01.2006.
// What has no one meaning (02/01/2006) is not a date.
func readDate(v []byte) (year, month []byte, ok bool) {
	if len(v) < 10 || len(v) > 64 || len(v) > 10 && v[10] != 'T' && v[10] != ' ' {
		return nil, nil, false
	}
	var day []byte
	switch {
	case v[4] == '-' && v[7] == '-', v[4] == '/' && v[7] == '/':
		year, month, day = v[:4], v[5:7], v[8:10]
	case v[2] == '.' && v[5] == '.':
		year, month, day = v[6:10], v[3:5], v[:2]
	default:
		return nil, nil, false
	}
	m, d := two(month), two(day)
	return year, month, digits(year) && m >= 1 && m <= 12 && d >= 1 && d <= 31
}

func two(b []byte) int {
	if !digits(b) {
		return -1
	}
	return int(b[0]-'0')*10 + int(b[1]-'0')
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

func trim(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// bucketOp replaces a number by the lower bound of its bucket, which is the
// largest multiple of the size that is not above it.
type bucketOp struct{ size int64 }

func (b bucketOp) bind(string, []byte) transformer { return b }

func (b bucketOp) transform(dst, value []byte) ([]byte, error) {
	v := trim(value)
	if len(v) == 0 {
		return dst, nil
	}
	negative, whole, fraction, ok := readNumber(v)
	n, err := strconv.ParseInt(string(whole), 10, 64)
	if !ok || err != nil || n > 1<<62 {
		return dst, notNumber()
	}
	low := n - n%b.size
	if negative {
		low = -low
		if n%b.size != 0 || !zeros(fraction) {
			low -= b.size
		}
	}
	return strconv.AppendInt(dst, low, 10), nil
}

func notNumber() error {
	return &corridor.Error{Kind: corridor.Invalid, Msg: "the value is not a plain number", Fix: "write numbers with digits and a decimal point, without exponent or separators"}
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != '0' {
			return false
		}
	}
	return true
}

// readNumber takes a plain decimal number apart.
func readNumber(v []byte) (negative bool, whole, fraction []byte, ok bool) {
	if v[0] == '-' || v[0] == '+' {
		negative, v = v[0] == '-', v[1:]
	}
	point := len(v)
	for i, c := range v {
		if c == '.' {
			point = i
			break
		}
	}
	whole = v[:point]
	if point < len(v) {
		if fraction = v[point+1:]; !digits(fraction) {
			return false, nil, nil, false
		}
	}
	return negative, whole, fraction, digits(whole) && len(v) <= 64
}

// decimalsOp cuts a number after some digits, towards zero.
type decimalsOp struct{ n int }

func (d decimalsOp) bind(string, []byte) transformer { return d }

func (d decimalsOp) transform(dst, value []byte) ([]byte, error) {
	v := trim(value)
	if len(v) == 0 {
		return dst, nil
	}
	_, whole, fraction, ok := readNumber(v)
	if !ok {
		return dst, notNumber()
	}
	fraction = fraction[:min(d.n, len(fraction))]
	if v[0] == '-' && !(zeros(whole) && zeros(fraction)) {
		dst = append(dst, '-')
	}
	dst = append(dst, whole...)
	if len(fraction) > 0 {
		dst = append(append(dst, '.'), fraction...)
	}
	return dst, nil
}
