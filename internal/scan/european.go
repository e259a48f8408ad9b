package scan

// Numbers of people in the European Union and its neighbours. Every test gets
// letters and digits alone, letters in upper case. Sources: docs/scan.md.

// deTax tests the German tax number of a person: one digit of the first ten
// comes two or three times, all others at most once, and ISO 7064 MOD 11,10.
func deTax(v []byte, _ *env) (r verdict) {
	var times [10]int
	for _, c := range v[:10] {
		times[c-'0']++
	}
	most, repeated := 0, 0
	for _, n := range times {
		most = max(most, n)
		if n > 1 {
			repeated++
		}
	}
	if v[0] == '0' || most > 3 || repeated != 1 {
		return r
	}
	return verdict{plausible: true, valid: mod1110(v)}
}

// mod1110 is ISO 7064 MOD 11,10; the last digit is the check digit.
func mod1110(v []byte) bool {
	p := 10
	for _, c := range v[:len(v)-1] {
		if p = (p + int(c-'0')) % 10; p == 0 {
			p = 10
		}
		p = p * 2 % 11
	}
	return (11-p)%10 == int(v[len(v)-1]-'0')
}

// frNIR tests sex, year, month, place and a remainder modulo 97; Corsica
// writes 2A and 2B.
func frNIR(v []byte, _ *env) (r verdict) {
	if !oneOf(v[0], "123478") || !digitsOnly(v[:6]) || !digitsOnly(v[7:]) {
		return r
	}
	if m := twoDigits(v[3:]); !(m >= 1 && m <= 12 || m >= 20 && m <= 42 || m >= 50) {
		return r
	}
	n, corsica := 0, 0
	for i, c := range v[:13] {
		switch {
		case i == 6 && c == 'A' && v[5] == '2':
			corsica, c = 1000000, '0'
		case i == 6 && c == 'B' && v[5] == '2':
			corsica, c = 2000000, '0'
		case c > '9':
			return r
		}
		n = n*10 + int(c-'0')
	}
	return verdict{plausible: true, valid: 97-(n-corsica)%97 == twoDigits(v[13:])}
}

// itFiscal tests the sixteen characters of a codice fiscale; letters may stand
// for digits where two people would share one.
func itFiscal(v []byte, _ *env) (r verdict) {
	if !lettersOnly(v[:6]) || !oneOf(v[8], "ABCDEHLMPRST") || !lettersOnly(v[11:12]) || !lettersOnly(v[15:]) {
		return r
	}
	for _, i := range [...]int{6, 7, 9, 10, 12, 13, 14} {
		if v[i] > '9' && !oneOf(v[i], "LMNPQRSTUV") {
			return r
		}
	}
	odd := [...]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}
	sum := 0
	for i, c := range v[:15] {
		n := base36(c)
		if c > '9' {
			n -= 10
		}
		if i%2 == 0 {
			n = odd[n]
		}
		sum += n
	}
	return verdict{plausible: true, valid: int(v[15]-'A') == sum%26}
}

// esIdentity tests a Spanish DNI (eight digits) or NIE (X, Y or Z and seven)
// with its letter modulo 23.
func esIdentity(v []byte, _ *env) (r verdict) {
	first := indexOf(v[0], "XYZ")
	if first < 0 && v[0] > '9' || !digitsOnly(v[1:8]) || !lettersOnly(v[8:]) {
		return r
	}
	n := number(v[1:8])
	if first < 0 {
		first = int(v[0] - '0')
	}
	return verdict{plausible: true, valid: "TRWAGMYFPDXBNJZSQVHLCKE"[(first*10000000+n)%23] == v[8]}
}

// plPESEL tests the date and the digit of the Polish number.
func plPESEL(v []byte, e *env) (r verdict) {
	m := twoDigits(v[2:])
	var ok bool
	if r.birth, ok = e.bornOn([...]int{1900, 2000, 2100, 2200, 1800}[m/20]+twoDigits(v), m%20, twoDigits(v[4:])); !ok {
		return verdict{}
	}
	r.plausible, r.valid = true, weighted(v, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)%10 == 0
	return r
}

// nlBSN is the Dutch test of eleven.
func nlBSN(v []byte, _ *env) (r verdict) {
	if same(v) || string(v[:2]) == "00" {
		return r
	}
	return verdict{plausible: true, valid: (weighted(v, 9, 8, 7, 6, 5, 4, 3, 2)-int(v[8]-'0'))%11 == 0}
}

// ptNIF tests a Portuguese tax number of a person, which begins with 1, 2, 3 or 45.
func ptNIF(v []byte, _ *env) (r verdict) {
	if !oneOf(v[0], "123") && string(v[:2]) != "45" {
		return r
	}
	c := 11 - weighted(v, 9, 8, 7, 6, 5, 4, 3, 2)%11
	if c > 9 {
		c = 0
	}
	return verdict{plausible: true, valid: c == int(v[8]-'0')}
}

// sePersonal tests ten digits of a Swedish number, or twelve with the century;
// days from 61 are of coordination numbers.
func sePersonal(v []byte, e *env) (r verdict) {
	short := v[len(v)-10:]
	d := twoDigits(short[4:])
	if d > 60 {
		d -= 60
	}
	var ok bool
	if len(v) == 12 {
		r.birth, ok = e.bornOn(number(v[:4]), twoDigits(v[4:]), d)
	} else {
		r.birth, ok = e.bornLately(twoDigits(v), twoDigits(v[2:]), d)
	}
	if !ok {
		return verdict{}
	}
	r.plausible, r.valid = true, luhn(short)
	return r
}

// fiPersonal tests DDMMYY, a sign of the century, serial and a character
// modulo 31. Where all else are digits the caller has dropped the sign, which
// is then taken for the one of the last century.
func fiPersonal(v []byte, e *env) (r verdict) {
	var century int
	if len(v) == 10 {
		v = append(append(append(make([]byte, 0, 11), v[:6]...), '-'), v[6:]...)
	}
	switch {
	case v[6] == '+':
		century = 1800
	case v[6] == '-' || oneOf(v[6], "UVWXY"):
		century = 1900
	case oneOf(v[6], "ABCDEF"):
		century = 2000
	default:
		return r
	}
	if !digitsOnly(v[:6]) || !digitsOnly(v[7:10]) || v[7] == '9' {
		return r // from 900 on: only for the time of a stay in hospital
	}
	var ok bool
	if r.birth, ok = e.bornOn(century+twoDigits(v[4:]), twoDigits(v[2:]), twoDigits(v)); !ok {
		return verdict{}
	}
	r.plausible = true
	r.valid = "0123456789ABCDEFHJKLMNPRSTUVWXY"[(number(v[:6])*1000+number(v[7:10]))%31] == v[10]
	return r
}

// beNational tests a Belgian number: a date and a remainder modulo 97, with a
// 2 before the number for people born from 2000.
func beNational(v []byte, e *env) (r verdict) {
	n, check, m := number(v[:9]), twoDigits(v[9:]), twoDigits(v[2:])%20
	old, young := 97-n%97 == check, 97-(2000000000+n)%97 == check
	century := 1900
	if young {
		century = 2000
	}
	birth, ok := e.bornOn(century+twoDigits(v), m, twoDigits(v[4:]))
	if !ok && !(m == 0 || twoDigits(v[4:]) == 0) {
		if birth, ok = e.bornOn(1900+twoDigits(v), m, twoDigits(v[4:])); !ok {
			return r
		}
	}
	return verdict{plausible: true, valid: old || young && ok, birth: birth}
}

// roCNP tests sex and century, date, county and a digit modulo 11.
func roCNP(v []byte, e *env) (r verdict) {
	century := [...]int{0, 1900, 1900, 1800, 1800, 2000, 2000, 1900, 1900, 1900}[v[0]-'0']
	county := twoDigits(v[7:])
	var ok bool
	if r.birth, ok = e.bornOn(century+twoDigits(v[1:]), twoDigits(v[3:]), twoDigits(v[5:])); !ok || county < 1 || county > 52 && county != 70 && county < 80 {
		return verdict{}
	}
	c := weighted(v, 2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9) % 11
	if c == 10 {
		c = 1
	}
	r.plausible, r.valid = true, c == int(v[12]-'0')
	return r
}

// bgEGN tests a date and a digit of a Bulgarian number.
func bgEGN(v []byte, e *env) (r verdict) {
	m, century := twoDigits(v[2:]), 1900
	switch {
	case m > 40:
		m, century = m-40, 2000
	case m > 20:
		m, century = m-20, 1800
	}
	var ok bool
	if r.birth, ok = e.bornOn(century+twoDigits(v), m, twoDigits(v[4:])); !ok {
		return verdict{}
	}
	r.plausible, r.valid = true, weighted(v, 2, 4, 8, 5, 10, 9, 7, 3, 6)%11%10 == int(v[9]-'0')
	return r
}

// czBirth tests a Czech or Slovak birth number of ten digits: women have 50
// added to the month, and eleven divides the whole.
func czBirth(v []byte, e *env) (r verdict) {
	m := twoDigits(v[2:])
	if m > 50 {
		m -= 50
	}
	if m > 20 {
		m -= 20
	}
	var ok bool
	if r.birth, ok = e.bornLately(twoDigits(v), m, twoDigits(v[4:])); !ok || r.birth < 19540101 {
		return verdict{}
	}
	c := number(v[:9]) % 11 % 10
	r.plausible, r.valid = true, c == int(v[9]-'0')
	return r
}

// balticCode tests the common form of Estonian and Lithuanian numbers.
func balticCode(v []byte, e *env) (r verdict) {
	if v[0] < '1' || v[0] > '6' {
		return r
	}
	var ok bool
	if r.birth, ok = e.bornOn(1800+100*(int(v[0]-'1')/2)+twoDigits(v[1:]), twoDigits(v[3:]), twoDigits(v[5:])); !ok {
		return verdict{}
	}
	c := weighted(v, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1) % 11
	if c == 10 {
		c = weighted(v, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3) % 11 % 10
	}
	r.plausible, r.valid = true, c == int(v[10]-'0')
	return r
}

// lvPersonal tests a Latvian number of the old form, DDMMYY and a century;
// numbers issued since 2017 begin with 32 to 39 and hide the date.
func lvPersonal(v []byte, e *env) (r verdict) {
	if v[6] > '2' {
		return r
	}
	var ok bool
	if r.birth, ok = e.bornOn(1800+100*int(v[6]-'0')+twoDigits(v[4:]), twoDigits(v[2:]), twoDigits(v)); !ok {
		return verdict{}
	}
	c := 1101 - weighted(v, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
	r.plausible, r.valid = true, c%11%10 == int(v[10]-'0')
	return r
}

// dkPersonal tests the date of a Danish number; its digit modulo 11 has not
// been promised since 2007.
func dkPersonal(v []byte, e *env) verdict {
	birth, ok := e.bornLately(twoDigits(v[4:]), twoDigits(v[2:]), twoDigits(v))
	return structure(ok, birth)
}

// hrPersonal tests a Croatian OIB.
func hrPersonal(v []byte, _ *env) verdict { return verdict{plausible: true, valid: mod1110(v)} }

// grSocial tests a Greek AMKA: DDMMYY and Luhn.
func grSocial(v []byte, e *env) (r verdict) {
	var ok bool
	if r.birth, ok = e.bornLately(twoDigits(v[4:]), twoDigits(v[2:]), twoDigits(v)); !ok {
		return verdict{}
	}
	r.plausible, r.valid = true, luhn(v)
	return r
}

// atInsurance tests an Austrian number: serial, digit, DDMMYY.
func atInsurance(v []byte, e *env) (r verdict) {
	m := twoDigits(v[6:])
	var ok bool
	if r.birth, ok = e.bornLately(twoDigits(v[8:]), min(m, 12), twoDigits(v[4:])); !ok || v[0] == '0' || m > 15 {
		return verdict{}
	}
	r.plausible, r.valid = true, weighted(v, 3, 7, 9, 0, 5, 8, 4, 2, 1, 6)%11 == int(v[3]-'0')
	return r
}

// iePublic tests an Irish number of seven digits and one or two letters.
func iePublic(v []byte, _ *env) (r verdict) {
	if !digitsOnly(v[:7]) || !lettersOnly(v[7:]) || v[7] > 'W' {
		return r
	}
	sum := weighted(v, 8, 7, 6, 5, 4, 3, 2)
	if len(v) == 9 && oneOf(v[8], "ABH") {
		sum += 9 * int(v[8]-'A'+1)
	} else if len(v) == 9 && !oneOf(v[8], "WTX") {
		return r
	}
	return verdict{plausible: true, valid: "WABCDEFGHIJKLMNOPQRSTUV"[sum%23] == v[7]}
}

// siCitizen tests the number of thirteen digits of Slovenia and its
// neighbours: DDMMYYY, region, serial and a digit modulo 11.
func siCitizen(v []byte, e *env) (r verdict) {
	y := 1000 + number(v[4:7])
	if y < 1800 {
		y += 1000
	}
	var ok bool
	if r.birth, ok = e.bornOn(y, twoDigits(v[2:]), twoDigits(v)); !ok {
		return verdict{}
	}
	c := weighted(v, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11
	r.plausible, r.valid = true, (11-c)%11 == int(v[12]-'0')
	return r
}

// noBirth tests the two digits of a Norwegian number.
func noBirth(v []byte, e *env) (r verdict) {
	var ok bool
	if r.birth, ok = e.bornLately(twoDigits(v[4:]), twoDigits(v[2:])%40, twoDigits(v)%40); !ok {
		return verdict{}
	}
	a := (11 - weighted(v, 3, 7, 6, 1, 8, 9, 4, 5, 2)%11) % 11
	b := (11 - weighted(v, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11) % 11
	r.plausible, r.valid = true, a == int(v[9]-'0') && b == int(v[10]-'0')
	return r
}
