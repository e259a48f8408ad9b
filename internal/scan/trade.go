package scan

import "bytes"

// Codes of things: vehicles, containers, waybills, organisations; and the
// lines that passports carry for machines. Sources: docs/scan.md.

// vin tests seventeen characters of ISO 3779 without I, O and Q, the last four
// digits, and the check character that North America and China require.
func vin(v []byte, _ *env) (r verdict) {
	if !digitsOnly(v[13:]) || !withLetter(v[:9]) {
		return r
	}
	sum := 0
	for i, c := range v {
		n := vinValue(c)
		if n < 0 {
			return r
		}
		sum += n * [...]int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2}[i]
	}
	check := v[8]
	return verdict{plausible: true, valid: sum%11 == 10 && check == 'X' || sum%11 < 10 && check == byte('0'+sum%11)}
}

func vinValue(c byte) int {
	if c <= '9' {
		return int(c - '0')
	}
	const values = "12345678.12345.7.923456789"
	if n := values[c-'A']; n != '.' {
		return int(n - '0')
	}
	return -1
}

func withLetter(v []byte) bool {
	for _, c := range v {
		if c >= 'A' {
			return true
		}
	}
	return false
}

// container tests an owner's three letters, U, J or Z, six digits and the
// digit of ISO 6346.
func container(v []byte, _ *env) (r verdict) {
	if !lettersOnly(v[:3]) || !oneOf(v[3], "UJZ") || !digitsOnly(v[4:]) {
		return r
	}
	sum := 0
	for i, c := range v[:10] {
		n := base36(c)
		if c >= 'A' {
			n += (n - 1) / 10 // 11, 22 and 33 are left out
		}
		sum += n << i
	}
	return verdict{plausible: true, valid: sum%11%10 == int(v[10]-'0')}
}

// airWaybill tests an airline's three digits and eight, the last of which is
// the remainder of the seven before it by seven.
func airWaybill(v []byte, _ *env) (r verdict) {
	if v[0] == '0' && v[1] == '0' && v[2] == '0' {
		return r
	}
	return verdict{plausible: true, valid: number(v[3:10])%7 == int(v[10]-'0')}
}

// lei tests the twenty characters of ISO 17442.
func lei(v []byte, _ *env) (r verdict) {
	if !digitsOnly(v[18:]) || !withLetter(v) {
		return r
	}
	return verdict{plausible: true, valid: mod97(v) == 1}
}

// mod97 is the remainder of ISO 7064 MOD 97-10 with letters as two digits.
func mod97(v []byte) (rem int) {
	for _, c := range v {
		if n := base36(c); n > 9 {
			rem = (rem*100 + n) % 97
		} else {
			rem = (rem*10 + n) % 97
		}
	}
	return rem
}

// hsCode tests the chapter of a customs code of six, eight or ten digits.
func hsCode(v []byte, _ *env) verdict {
	chapter := twoDigits(v)
	return structure(chapter >= 1 && chapter <= 97 && chapter != 77 && twoDigits(v[2:]) >= 1, 0)
}

// loinc tests the digit of Luhn behind the dash of a laboratory code.
func loinc(v []byte, _ *env) verdict { return verdict{plausible: true, valid: luhn(v)} }

// machineZone reads the lines of a passport or card for machines (ICAO Doc
// 9303): one line of 44, 36 or 30 characters, or all of them together.
func machineZone(v []byte) (r verdict) {
	v = bytes.Map(func(c rune) rune {
		if c == '\n' || c == '\r' || c == ' ' {
			return -1
		}
		return c
	}, v)
	for _, c := range v {
		if c != '<' && !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z') {
			return r
		}
	}
	switch n := len(v); {
	case (n == 88 || n == 72) && oneOf(v[0], "PVIAC"):
		return secondLine(v[n/2:])
	case n == 90 && oneOf(v[0], "IAC"):
		return verdict{true, check731(v[5:14], v[14]) && check731(v[30:36], v[36]) && check731(v[38:44], v[44]), 0}
	case (n == 44 || n == 36) && digitsOnly(v[13:19]):
		return secondLine(v)
	case (n == 44 || n == 36) && oneOf(v[0], "PVIAC"):
		return structure(bytes.Contains(v[5:], []byte("<<")) && lettersOnly(v[2:3]), 0)
	case n == 30 && oneOf(v[0], "IAC"):
		return verdict{true, check731(v[5:14], v[14]), 0}
	}
	return r
}

func secondLine(v []byte) verdict {
	return verdict{true, check731(v[:9], v[9]) && check731(v[13:19], v[19]) && check731(v[21:27], v[27]), 0}
}

func check731(v []byte, digit byte) bool { return int(digit-'0') == mod731(v) }
