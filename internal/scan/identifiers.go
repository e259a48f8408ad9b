package scan

// Identifiers with check digits. Each test says first whether a value is
// plausible without its check digits (length, prefix, region, date), then
// whether the check digits agree: the share of plausible values that agree is
// compared with what chance would give.

// verdict is the outcome of one test.
type verdict struct {
	plausible bool
	valid     bool
	birth     int // yyyymmdd, where the identifier carries a date of birth
}

// Chance that a plausible value with random check digits passes.
const (
	chanceCN    = 1.0 / 11
	chanceIIN   = 0.1
	chanceINN10 = 2.0 / 11 // a remainder of 10 is written 0: rows of round numbers pass more often
	chanceINN12 = 0.02
	chanceSNILS = 1.0 / 97
	chanceLuhn  = 0.1
	chanceIBAN  = 1.0 / 97
)

func digitsOnly(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

func weighted(b []byte, weights ...int) (sum int) {
	for i, w := range weights {
		sum += int(b[i]-'0') * w
	}
	return sum
}

func twoDigits(b []byte) int { return int(b[0]-'0')*10 + int(b[1]-'0') }

// cnRegions are the provincial codes of GB/T 2260 that begin a resident id;
// 81 to 83 are residence permits of Hong Kong, Macao and Taiwan residents.
const cnRegions = "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83 91"

func regionTable() (t [100]bool) {
	for i := 0; i+1 < len(cnRegions); i += 3 {
		t[int(cnRegions[i]-'0')*10+int(cnRegions[i+1]-'0')] = true
	}
	return t
}

// cnResidentID tests a citizen identity number of GB 11643: 17 digits and a
// check character modulo 11 (ISO 7064 MOD 11-2).
func cnResidentID(v []byte, regions *[100]bool, today int) (r verdict) {
	if len(v) != 18 || !digitsOnly(v[:17]) || !regions[twoDigits(v)] {
		return r
	}
	last := v[17]
	if last == 'x' {
		last = 'X'
	}
	if last != 'X' && (last < '0' || last > '9') {
		return r
	}
	r.birth = twoDigits(v[6:])*1000000 + twoDigits(v[8:])*10000 + twoDigits(v[10:])*100 + twoDigits(v[12:])
	if r.birth < 18800101 || r.birth > today || !realDate(r.birth) {
		return r
	}
	r.plausible = true
	sum := weighted(v, 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
	r.valid = last == "10X98765432"[sum%11]
	return r
}

// kzIIN tests a Kazakh individual identification number: birth date, a digit
// for century and sex, four digits, and a check digit by two passes modulo 11.
func kzIIN(v []byte, today int) (r verdict) {
	if len(v) != 12 || !digitsOnly(v) || v[6] < '1' || v[6] > '6' {
		return r
	}
	century := 18 + int(v[6]-'1')/2
	r.birth = century*1000000 + twoDigits(v)*10000 + twoDigits(v[2:])*100 + twoDigits(v[4:])
	if r.birth < 18800101 || r.birth > today || !realDate(r.birth) {
		return r
	}
	r.plausible, r.valid = true, kzCheck(v)
	return r
}

// kzBIN tests a Kazakh business identification number: year and month of
// registration, a digit 4 to 6 for the kind, a digit 0 to 4 for its division.
func kzBIN(v []byte) (r verdict) {
	if len(v) != 12 || !digitsOnly(v) || v[4] < '4' || v[4] > '6' || v[5] > '4' {
		return r
	}
	if m := twoDigits(v[2:]); m < 1 || m > 12 {
		return r
	}
	r.plausible, r.valid = true, kzCheck(v)
	return r
}

func kzCheck(v []byte) bool {
	c := weighted(v, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) % 11
	if c == 10 {
		c = weighted(v, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2) % 11
	}
	return c != 10 && int(v[11]-'0') == c
}

// ruINN12 tests the taxpayer number of a person: two check digits.
func ruINN12(v []byte) (r verdict) {
	if len(v) != 12 || !digitsOnly(v) || v[0] == '0' && v[1] == '0' {
		return r
	}
	r.plausible = true
	a := weighted(v, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8) % 11 % 10
	b := weighted(v, 3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8) % 11 % 10
	r.valid = int(v[10]-'0') == a && int(v[11]-'0') == b
	return r
}

// ruINN10 tests the taxpayer number of an organisation.
func ruINN10(v []byte) (r verdict) {
	if len(v) != 10 || !digitsOnly(v) || v[0] == '0' && v[1] == '0' {
		return r
	}
	r.plausible = true
	r.valid = int(v[9]-'0') == weighted(v, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10
	return r
}

// ruSNILS tests a Russian insurance number of 11 digits. Numbers up to
// 001-001-998 carry no check digits and are not judged.
func ruSNILS(v []byte) (r verdict) {
	if len(v) != 11 || !digitsOnly(v) || string(v[:9]) <= "001001998" {
		return r
	}
	r.plausible = true
	sum := weighted(v, 9, 8, 7, 6, 5, 4, 3, 2, 1) % 101
	r.valid = twoDigits(v[9:]) == sum%100
	return r
}

// luhn is the check of ISO/IEC 7812-1.
func luhn(v []byte) bool {
	sum := 0
	for i := range v {
		d := int(v[len(v)-1-i] - '0')
		if i&1 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// paymentCard tests the number range of an issuer's scheme, its length, and
// the Luhn digit.
func paymentCard(v []byte) (r verdict) {
	if len(v) < 14 || len(v) > 19 || !digitsOnly(v) {
		return r
	}
	p4 := twoDigits(v)*100 + twoDigits(v[2:])
	p2 := p4 / 100
	var ok bool
	switch n := len(v); {
	case v[0] == '4': // Visa
		ok = n == 16 || n == 19
	case p2 >= 51 && p2 <= 55, p4 >= 2221 && p4 <= 2720: // Mastercard
		ok = n == 16
	case p2 == 34, p2 == 37: // American Express
		ok = n == 15
	case p2 == 62, p4 >= 2200 && p4 <= 2204, p4 >= 3528 && p4 <= 3589: // UnionPay, Mir, JCB
		ok = n >= 16
	case p2 == 36, p2 == 38, p4 >= 3000 && p4 <= 3059: // Diners Club
		ok = n == 14
	case p4 == 8600, p4 == 9860, p4 == 9112, p4 == 9417, p4 == 9792, p4 == 5614, p4 == 5440: // Uzcard, Humo, Belkart, Elcart, Troy
		ok = n == 16
	case p2 == 60, p2 == 65, p2 == 81, p2 == 82, p4 >= 6440 && p4 <= 6499: // Discover, RuPay
		ok = n == 16
	}
	if ok {
		r.plausible, r.valid = true, luhn(v)
	}
	return r
}

// imei tests the 15 digits of a handset: a reporting body's prefix and Luhn.
func imei(v []byte) (r verdict) {
	if len(v) != 15 || !digitsOnly(v) {
		return r
	}
	switch twoDigits(v) {
	case 1, 35, 86, 91, 98, 99, 44, 45, 49, 52, 53, 54:
		r.plausible, r.valid = true, luhn(v)
	}
	return r
}

// ibanLengths gives the length of an IBAN by country, from the IBAN registry.
const ibanLengths = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 " +
	"EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 " +
	"LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 " +
	"RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"

func ibanTable() map[[2]byte]int {
	m := make(map[[2]byte]int, 90)
	for i := 0; i+3 < len(ibanLengths); i += 5 {
		m[[2]byte{ibanLengths[i], ibanLengths[i+1]}] = twoDigits([]byte(ibanLengths[i+2 : i+4]))
	}
	return m
}

// iban tests country, length and the remainder modulo 97 of ISO 13616.
func iban(v []byte, lengths map[[2]byte]int) (r verdict) {
	if len(v) < 15 || len(v) > 34 || lengths[[2]byte{v[0], v[1]}] != len(v) {
		return r
	}
	if !digitsOnly(v[2:4]) {
		return r
	}
	rem := 0
	for i := range v {
		c := v[(i+4)%len(v)]
		switch {
		case c >= '0' && c <= '9':
			rem = (rem*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			rem = (rem*100 + int(c-'A') + 10) % 97
		default:
			return r
		}
	}
	r.plausible, r.valid = true, rem == 1
	return r
}
