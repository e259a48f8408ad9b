package scan

// Numbers of people and organisations in Asia, the Caucasus and Belarus. Every
// test gets letters and digits alone, letters in upper case. Where a country
// publishes no check digit the structure is the test. Sources: docs/scan.md.

// structure is the verdict of a number that has a form and no check digit.
func structure(ok bool, birth int) verdict { return verdict{plausible: true, valid: ok, birth: birth} }

// bornOn checks a date of birth against the day of the scan.
func (e *env) bornOn(y, m, d int) (int, bool) {
	ymd := y*10000 + m*100 + d
	return ymd, y >= 1870 && ymd <= e.today && realDate(ymd)
}

// bornLately puts a year of two digits into the last hundred years.
func (e *env) bornLately(yy, m, d int) (int, bool) {
	y := 2000 + yy
	if y*10000+m*100+d > e.today {
		y -= 100
	}
	return e.bornOn(y, m, d)
}

// inAadhaar tests twelve digits by the scheme of Verhoeff; none begins with 0 or 1.
func inAadhaar(v []byte, _ *env) (r verdict) {
	if v[0] < '2' || palindrome(v) {
		return r
	}
	return verdict{plausible: true, valid: verhoeff(v)}
}

func palindrome(v []byte) bool {
	for i := range len(v) / 2 {
		if v[i] != v[len(v)-1-i] {
			return false
		}
	}
	return true
}

// verhoeff walks the dihedral group of order ten: d is its product, p the
// permutation that is applied once more at every place.
func verhoeff(v []byte) bool {
	const p = "1576283094"
	c := 0
	for i := range v {
		n := int(v[len(v)-1-i] - '0')
		for range i % 8 {
			n = int(p[n] - '0')
		}
		c = dihedral(c, n)
	}
	return c == 0
}

// dihedral multiplies two elements: 0 to 4 are turns, 5 to 9 turned mirrors.
func dihedral(a, b int) int {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return (a+b-5)%5 + 5
	case b < 5:
		return (a-5-b+5)%5 + 5
	}
	return (a - b + 5) % 5
}

// inPAN tests AAAPA1234A: the fourth letter says who holds it.
func inPAN(v []byte, _ *env) (r verdict) {
	if !lettersOnly(v[:5]) || !digitsOnly(v[5:9]) || !lettersOnly(v[9:]) {
		return r
	}
	return structure(oneOf(v[3], "ABCFGHJKLPT") && string(v[5:9]) != "0000", 0)
}

// inGSTIN tests state, PAN, entity, Z and a check character modulo 36.
func inGSTIN(v []byte, e *env) (r verdict) {
	if state := v[:2]; !digitsOnly(state) || twoDigits(state) < 1 || twoDigits(state) > 38 && twoDigits(state) < 97 || v[13] != 'Z' || !inPAN(v[2:12], e).valid {
		return r
	}
	sum := 0
	for i, c := range v[:14] {
		n := base36(c) * (1 + i%2)
		sum += n/36 + n%36
	}
	return verdict{plausible: true, valid: base36(v[14]) == (36-sum%36)%36}
}

// pkCNIC tests the first digit, which is a province, of 5-7-1 digits.
func pkCNIC(v []byte, _ *env) verdict {
	return structure(v[0] >= '1' && v[0] <= '7' && v[1] != '0', 0)
}

// uzPINFL tests century and sex, DDMMYY, district, serial and a digit by
// weights 7, 3, 1.
func uzPINFL(v []byte, e *env) (r verdict) {
	if v[0] < '3' || v[0] > '6' {
		return r
	}
	var ok bool
	if r.birth, ok = e.bornOn(1900+100*(int(v[0]-'3')/2)+twoDigits(v[5:]), twoDigits(v[3:]), twoDigits(v[1:])); !ok {
		return verdict{}
	}
	r.plausible, r.valid = true, mod731(v[:13]) == int(v[13]-'0')
	return r
}

// mod731 is the check of ICAO Doc 9303: weights 7, 3, 1, letters from A = 10,
// a filler counts nothing.
func mod731(v []byte) (sum int) {
	for i, c := range v {
		if c != '<' {
			sum += base36(c) * [...]int{7, 3, 1}[i%3]
		}
	}
	return sum % 10
}

// kgPIN tests sex and DDMMYYYY; what the last five digits are is not public.
func kgPIN(v []byte, e *env) verdict {
	birth, ok := e.bornOn(number(v[5:9]), twoDigits(v[3:]), twoDigits(v[1:]))
	return structure(ok && (v[0] == '1' || v[0] == '2'), birth)
}

// byPersonal tests digit, DDMMYY, region letter, serial, citizenship and a
// check digit by weights 7, 3, 1.
func byPersonal(v []byte, e *env) (r verdict) {
	if !digitsOnly(v[:7]) || !oneOf(v[7], "ABCHKEM") || !digitsOnly(v[8:11]) || !digitsOnly(v[13:]) {
		return r
	}
	if s := string(v[11:13]); s != "PB" && s != "BA" && s != "BI" {
		return r
	}
	century := 1800 + 100*((int(v[0]-'0')-1)/2)
	birth, ok := e.bornOn(century+twoDigits(v[5:]), twoDigits(v[3:]), twoDigits(v[1:]))
	if !ok && v[0] != '0' && v[0] != '7' {
		return r
	}
	return verdict{plausible: true, valid: mod731(v[:13]) == int(v[13]-'0'), birth: birth}
}

// byUNP tests nine digits, or two letters and seven digits of a person.
func byUNP(v []byte, _ *env) (r verdict) {
	sum, first := 0, "0123456789ABCEHKMOPT"
	for i, w := range [...]int{29, 23, 19, 17, 13, 7, 5, 3} {
		n := int(v[i] - '0')
		switch {
		case i < 2 && v[i] > '9':
			n = indexOf(v[i], first)
			if i == 1 {
				n = indexOf(v[1], "ABCEHKMOPT")
			}
		case v[i] > '9':
			return r
		}
		if n < 0 {
			return r
		}
		sum += w * n
	}
	if !digitsOnly(v[8:]) || v[0] == '0' || v[0] == '8' || v[0] == '9' || v[0] > '9' != (v[1] > '9') {
		return r
	}
	return verdict{plausible: true, valid: sum%11 == int(v[8]-'0')}
}

// irNational tests ten digits modulo 11.
func irNational(v []byte, _ *env) (r verdict) {
	if same(v) {
		return r
	}
	c := weighted(v, 10, 9, 8, 7, 6, 5, 4, 3, 2) % 11
	if c >= 2 {
		c = 11 - c
	}
	return verdict{plausible: true, valid: c == int(v[9]-'0')}
}

func same(v []byte) bool {
	for _, c := range v[1:] {
		if c != v[0] {
			return false
		}
	}
	return true
}

// trIdentity tests the two check digits of the Turkish identity number.
func trIdentity(v []byte, _ *env) (r verdict) {
	if v[0] == '0' {
		return r
	}
	odd := weighted(v, 1, 0, 1, 0, 1, 0, 1, 0, 1)
	even := weighted(v, 0, 1, 0, 1, 0, 1, 0, 1)
	tenth := (odd*7 - even + 100) % 10
	return verdict{plausible: true, valid: tenth == int(v[9]-'0') && (odd+even+tenth)%10 == int(v[10]-'0')}
}

// trTax tests the Turkish tax number.
func trTax(v []byte, _ *env) verdict {
	sum := 0
	for i := range 9 {
		a := (int(v[i]-'0') + 9 - i) % 10
		if a == 0 {
			continue
		}
		b := a << (9 - i) % 9
		if b == 0 {
			b = 9
		}
		sum += b
	}
	return verdict{plausible: true, valid: (10-sum%10)%10 == int(v[9]-'0')}
}

// aeEmirates tests 784, a year of birth and the digit of Luhn.
func aeEmirates(v []byte, e *env) (r verdict) {
	if y := number(v[3:7]); string(v[:3]) != "784" || y < 1900 || y > e.today/10000 {
		return r
	}
	return verdict{plausible: true, valid: luhn(v)}
}

// saIdentity tests a national (1) or residence (2) number by Luhn.
func saIdentity(v []byte, _ *env) (r verdict) {
	if v[0] != '1' && v[0] != '2' {
		return r
	}
	return verdict{plausible: true, valid: luhn(v)}
}

// amPublic tests sex with day (10 or 50 is added), month and year of the
// Armenian public services number; its last digit has no published rule.
func amPublic(v []byte, e *env) verdict {
	d := twoDigits(v) - 10
	if d > 40 {
		d -= 40
	}
	birth, ok := e.bornLately(twoDigits(v[4:]), twoDigits(v[2:]), d)
	return structure(ok, birth)
}

// azTax tests a VÖEN; the tenth digit is 1 for organisations, 2 for people.
func azTax(v []byte, _ *env) (r verdict) {
	if v[9] != '1' && v[9] != '2' {
		return r
	}
	return verdict{plausible: true, valid: weighted(v, 4, 1, 8, 6, 2, 7, 5, 3)%11 == int(v[8]-'0')}
}

// mnRegister tests YYMMDD of a Mongolian register number; months of this
// century have 20 added. The two letters before are checked by the caller.
func mnRegister(v []byte, e *env) verdict {
	y, m := 1900, twoDigits(v[2:])
	if m > 20 {
		y, m = 2000, m-20
	}
	birth, ok := e.bornOn(y+twoDigits(v), m, twoDigits(v[4:]))
	return structure(ok, birth)
}

// cnCredit tests the unified social credit code of GB 32100.
func cnCredit(v []byte, _ *env) (r verdict) {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	if !oneOf(v[0], "123456789ANY") || !digitsOnly(v[2:8]) {
		return r
	}
	sum, w := 0, 1
	for _, c := range v[:17] {
		n := indexOf(c, alphabet)
		if n < 0 {
			return r
		}
		sum, w = sum+n*w, w*3%31
	}
	return verdict{plausible: true, valid: indexOf(v[17], alphabet) == (31-sum%31)%31}
}

// ruOGRN tests the register number of an organisation, 13 digits.
func ruOGRN(v []byte, _ *env) (r verdict) {
	if v[0] != '1' && v[0] != '5' || v[3] == '9' && v[4] == '9' {
		return r
	}
	return verdict{plausible: true, valid: number(v[:12])%11%10 == int(v[12]-'0')}
}

// ruOGRNIP tests the register number of a sole trader, 15 digits.
func ruOGRNIP(v []byte, _ *env) (r verdict) {
	if v[0] != '3' {
		return r
	}
	return verdict{plausible: true, valid: number(v[:14])%13%10 == int(v[14]-'0')}
}

// ruPassport tests the series of an internal passport: a region, and the last
// two digits of the year of the form, 1997 to now and a little ahead.
func ruPassport(v []byte, e *env) verdict {
	region, year := twoDigits(v), twoDigits(v[2:])
	return structure(region > 0 && region < 100 && (year >= 97 || year <= e.today/10000%100+3) && string(v[4:]) != "000000", 0)
}

func lettersOnly(v []byte) bool {
	for _, c := range v {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return len(v) > 0
}

func oneOf(c byte, list string) bool { return indexOf(c, list) >= 0 }

func indexOf(c byte, list string) int {
	for i := range len(list) {
		if list[i] == c {
			return i
		}
	}
	return -1
}

// base36 is the value of a digit or of a letter from A = 10.
func base36(c byte) int {
	if c >= 'A' {
		return int(c-'A') + 10
	}
	return int(c - '0')
}
