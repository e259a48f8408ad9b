package scan

import (
	"encoding/binary"

	"corridor"
)

// ymd writes a day as the number yyyymmdd, which compares as days do.
func ymd(d corridor.Date) int {
	t := d.Time()
	return t.Year()*10000 + int(t.Month())*100 + t.Day()
}

func realDate(ymd int) bool {
	y, m, d := ymd/10000, ymd/100%100, ymd%100
	if m < 1 || m > 12 || d < 1 {
		return false
	}
	days := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[m-1]
	if m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0) {
		days = 29
	}
	return d <= days
}

// parseDate reads 2024-01-31, 2024/1/31, 31.01.2024, 31/01/2024, 01/31/2024
// and 20240131, as yyyymmdd. Years run from 1000 to 2999.
func parseDate(v []byte) (int, bool) {
	if len(v) == 10 && v[4] == '-' && v[7] == '-' { // by far the most common
		if !digitsOnly(v[:4]) || !digitsOnly(v[5:7]) || !digitsOnly(v[8:]) {
			return 0, false
		}
		return checkedDate(number(v[:4]), number(v[5:7]), number(v[8:]))
	}
	if len(v) == 8 && digitsOnly(v) {
		return checkedDate(number(v[:4]), number(v[4:6]), number(v[6:]))
	}
	if len(v) < 8 || len(v) > 10 {
		return 0, false
	}
	i := digitRun(v)
	if i == len(v) || i != 4 && i != 2 && i != 1 {
		return 0, false
	}
	sep := v[i]
	if sep != '-' && sep != '/' && sep != '.' {
		return 0, false
	}
	j := i + 1 + digitRun(v[i+1:])
	if j >= len(v) || v[j] != sep || j-i-1 < 1 || j-i-1 > 2 {
		return 0, false
	}
	last := v[j+1:]
	if !digitsOnly(last) {
		return 0, false
	}
	a, b, c := number(v[:i]), number(v[i+1:j]), number(last)
	switch {
	case i == 4 && len(last) <= 2:
		return checkedDate(a, b, c)
	case i <= 2 && len(last) == 4:
		if d, ok := checkedDate(c, b, a); ok {
			return d, true
		}
		return checkedDate(c, a, b)
	}
	return 0, false
}

func checkedDate(y, m, d int) (int, bool) {
	v := y*10000 + m*100 + d
	return v, y >= 1000 && y < 3000 && realDate(v)
}

func digitRun(v []byte) int {
	i := 0
	for i < len(v) && v[i] >= '0' && v[i] <= '9' {
		i++
	}
	return i
}

func number(v []byte) (n int) {
	for _, c := range v {
		n = n*10 + int(c-'0')
	}
	return n
}

// longNumber is number, eight digits at a time.
func longNumber(v []byte) (n int) {
	for ; len(v) >= 8; v = v[8:] {
		x := binary.LittleEndian.Uint64(v) & 0x0f0f0f0f0f0f0f0f
		x = x * (10<<8 + 1) >> 8                         // every other byte: two digits
		x = x & 0x00ff00ff00ff00ff * (100<<16 + 1) >> 16 // every fourth: four
		x = x & 0x0000ffff0000ffff * (10000<<32 + 1) >> 32
		n = n*100_000_000 + int(x)
	}
	for _, c := range v {
		n = n*10 + int(c-'0')
	}
	return n
}

// parseHanDate reads 2024年1月31日.
func parseHanDate(v []byte) (int, bool) {
	parts := [3]int{}
	for k, mark := range [...]string{"年", "月", "日"} {
		i := digitRun(v)
		if i < 1 || i > 4 || len(v) < i+len(mark) || string(v[i:i+len(mark)]) != mark {
			return 0, false
		}
		parts[k] = number(v[:i])
		v = v[i+len(mark):]
	}
	if len(v) > 0 {
		return 0, false
	}
	return checkedDate(parts[0], parts[1], parts[2])
}

// parseDateTime reads a date followed by T or a space and a time of day.
func parseDateTime(v []byte) (int, bool) {
	for i := 8; i <= 10 && i+4 < len(v); i++ {
		if v[i] != 'T' && v[i] != ' ' {
			continue
		}
		d, ok := parseDate(v[:i])
		t := v[i+1:]
		n := digitRun(t)
		return d, ok && (n == 1 || n == 2) && n+2 < len(t) && t[n] == ':' && number(t[:n]) < 25 && digitRun(t[n+1:]) == 2
	}
	return 0, false
}
