package scan

import (
	"math"
	"strings"
)

// num is one kind of number or code with a test of its own.
type num uint8

const (
	numCNResident num = iota
	numKZPerson
	numKZBusiness
	numINNPerson
	numINNOrganisation
	numSNILS
	numCard
	numIBAN
	numIMEI
	numAadhaar
	numPAN
	numGSTIN
	numCNIC
	numPINFL
	numKGPIN
	numBYPersonal
	numBYTax
	numIRNational
	numTRIdentity
	numTRTax
	numEmirates
	numSaudi
	numAMPublic
	numAZTax
	numMNRegister
	numCNCredit
	numOGRN
	numOGRNIP
	numRUPassport
	numDE
	numFR
	numIT
	numES
	numPL
	numNL
	numPT
	numSE
	numFI
	numBE
	numRO
	numBG
	numCZ
	numBaltic
	numLV
	numDK
	numHR
	numGR
	numAT
	numIE
	numSI
	numNO
	numVIN
	numContainer
	numWaybill
	numLEI
	numHS
	numLOINC
	numCount
)

// rule says how a number is written and what its test is worth.
type rule struct {
	id      string  // of the lexicon
	chance  float64 // that a plausible value with random check digits passes
	layouts string  // lengths of the runs that separators make, such as "11 3.3.3.2"; letters belong to runs
	test    func(v []byte, e *env) verdict
	person  bool    // one person has one
	weak    bool    // convinces only under a header that says so
	prior   float64 // how likely a column without a header is to be this; 0: 0.02
}

// forms are measured on random digits. They rank rules that explain the same
// values: one with a date and a check digit says more than one with the digit.
func forms(rules *[numCount]rule) (form [numCount]float64) {
	for k := range rules {
		form[k] = 1
		if strings.HasSuffix(rules[k].layouts, "A") {
			form[k] = 0.01
		}
	}
	for k, p := range map[num]float64{numBYTax: 0.7, numPT: 0.31, numSaudi: 0.2, numAZTax: 0.2, numSE: 0.07, numBG: 0.057, numCZ: 0.1, numAT: 0.038,
		numDE: 0.034, numPL: 0.054, numBE: 0.24, numBaltic: 0.011, numLV: 0.006, numGR: 0.037, numNO: 0.29, numKZPerson: 0.01, numKZBusiness: 0.018,
		numAadhaar: 0.8, numOGRN: 0.2, numRO: 0.016, numSI: 0.007, numCard: 0.1, numPINFL: 0.01, numIMEI: 0.12, numEmirates: 1e-4, numOGRNIP: 0.1,
		numFR: 0.5, numCNResident: 3e-4, numCNCredit: 0.5, numFI: 0.01, numVIN: 0.1} {
		form[k] = p
	}
	return form
}

// rules is the table of all numbers. A layout in capitals has letters.
func rules() [numCount]rule {
	return [numCount]rule{
		numCNResident:      {"cn_resident_id", chanceCN, "18 18A", func(v []byte, e *env) verdict { return cnResidentID(v, &e.regions, e.today) }, true, false, 0},
		numKZPerson:        {"kz_iin", chanceIIN, "12", func(v []byte, e *env) verdict { return kzIIN(v, e.today) }, true, false, 0},
		numKZBusiness:      {"kz_bin", chanceIIN, "12", func(v []byte, _ *env) verdict { return kzBIN(v) }, false, false, 0},
		numINNPerson:       {"ru_inn_person", chanceINN12, "12", func(v []byte, _ *env) verdict { return ruINN12(v) }, true, false, 0},
		numINNOrganisation: {"ru_inn_organisation", chanceINN10, "10", func(v []byte, _ *env) verdict { return ruINN10(v) }, false, false, 0},
		numSNILS:           {"ru_snils", chanceSNILS, "11 3.3.3.2", func(v []byte, _ *env) verdict { return ruSNILS(v) }, true, false, 0},
		numCard:            {"payment_card", chanceLuhn, "14 15 16 17 18 19 4.4.4.4 4.6.5 4.6.4 4.4.4.4.3 4.4.4.4.2 6.13", func(v []byte, _ *env) verdict { return paymentCard(v) }, false, false, 0},
		numIBAN:            {"bank_account", chanceIBAN, "", nil, false, false, 0},
		numIMEI:            {"imei", chanceLuhn, "15 2.6.6.1 8.6.1", func(v []byte, _ *env) verdict { return imei(v) }, false, false, 0},
		numAadhaar:         {"in_aadhaar", 0.1, "12 4.4.4", inAadhaar, true, false, 0},
		numPAN:             {"in_pan", 11.0 / 26, "10A", inPAN, true, false, 0},
		numGSTIN:           {"in_gstin", 1.0 / 36, "15A", inGSTIN, false, false, 0},
		numCNIC:            {"pk_cnic", 0.63, "5.7.1", pkCNIC, true, false, 0},
		numPINFL:           {"uz_pinfl", 0.1, "14", uzPINFL, true, false, 0},
		numKGPIN:           {"kg_pin", 0.001, "14", kgPIN, true, false, 0.01},
		numBYPersonal:      {"by_personal", 0.1, "14A", byPersonal, true, false, 0},
		numBYTax:           {"by_unp", 1.0 / 11, "9 9A", byUNP, false, false, 0},
		numIRNational:      {"ir_national", 1.0 / 11, "10 3.6.1", irNational, true, false, 0},
		numTRIdentity:      {"tr_identity", 0.01, "11", trIdentity, true, false, 0},
		numTRTax:           {"tr_tax", 0.1, "10", trTax, false, false, 0},
		numEmirates:        {"ae_emirates", 0.1, "15 3.4.7.1", aeEmirates, true, false, 0},
		numSaudi:           {"sa_identity", 0.1, "10", saIdentity, true, false, 0},
		numAMPublic:        {"am_public", 0.25, "10", amPublic, true, true, 0},
		numAZTax:           {"az_tax", 1.0 / 11, "10", azTax, false, false, 0.005},
		numMNRegister:      {"mn_register", 0.08, "", mnRegister, true, false, 0},
		numCNCredit:        {"cn_credit_code", 1.0 / 31, "18 18A", cnCredit, false, false, 0},
		numOGRN:            {"ru_ogrn", 0.1, "13", ruOGRN, false, false, 0},
		numOGRNIP:          {"ru_ogrnip", 0.1, "15", ruOGRNIP, true, false, 0},
		numRUPassport:      {"ru_passport", 0.3, "4.6 2.2.6 10", ruPassport, true, true, 0},
		numDE:              {"de_tax_id", 0.1, "11 2.3.3.3", deTax, true, false, 0},
		numFR:              {"fr_nir", 1.0 / 97, "15 15A 1.2.2.2.3.3.2 13.2", frNIR, true, false, 0},
		numIT:              {"it_codice_fiscale", 1.0 / 26, "16A", itFiscal, true, false, 0},
		numES:              {"es_dni", 1.0 / 23, "9A 8.1A", esIdentity, true, false, 0},
		numPL:              {"pl_pesel", 0.1, "11", plPESEL, true, false, 0},
		numNL:              {"nl_bsn", 1.0 / 11, "9 4.2.3", nlBSN, true, false, 0.01},
		numPT:              {"pt_nif", 1.0 / 11, "9 3.3.3", ptNIF, true, false, 0.01},
		numSE:              {"se_personnummer", 0.1, "10 12 6.4 8.4", sePersonal, true, false, 0.01},
		numFI:              {"fi_hetu", 1.0 / 31, "6.4", fiPersonal, true, false, 0},
		numBE:              {"be_national", 2.0 / 97, "11 2.2.2.3.2 6.3.2", beNational, true, false, 0},
		numRO:              {"ro_cnp", 1.0 / 11, "13", roCNP, true, false, 0.01},
		numBG:              {"bg_egn", 1.0 / 10, "10", bgEGN, true, false, 0.01},
		numCZ:              {"cz_rc", 1.0 / 10.5, "10 6.4", czBirth, true, false, 0.01},
		numBaltic:          {"ee_lt_code", 0.1, "11", balticCode, true, false, 0.01},
		numLV:              {"lv_personal", 0.1, "11 6.5", lvPersonal, true, false, 0.01},
		numDK:              {"dk_cpr", 0.05, "6.4", dkPersonal, true, false, 0.01},
		numHR:              {"hr_oib", 0.1, "11", hrPersonal, true, false, 0.005},
		numGR:              {"gr_amka", 0.1, "11", grSocial, true, false, 0.01},
		numAT:              {"at_svnr", 0.1, "10 4.6", atInsurance, true, false, 0.01},
		numIE:              {"ie_pps", 1.0 / 23, "8A 9A", iePublic, true, false, 0.01},
		numSI:              {"si_emso", 1.0 / 11, "13", siCitizen, true, false, 0.01},
		numNO:              {"no_fnr", 0.01, "11 6.5", noBirth, true, false, 0.01},
		numVIN:             {"vehicle", 1.0 / 11, "17 17A", vin, false, false, 0},
		numContainer:       {"container", 0.11, "11A", container, false, false, 0},
		numWaybill:         {"air_waybill", 1.0 / 7, "11 3.8", airWaybill, false, false, 0.01},
		numLEI:             {"lei", 1.0 / 97, "20A", lei, false, false, 0},
		numHS:              {"hs_code", 0.9, "6 8 10", hsCode, false, true, 0},
		numLOINC:           {"loinc", 0.1, "", loinc, false, false, 0},
	}
}

// longest is how many letters and digits a number of the table has at most.
const longest = 24

// registry finds the rules that a value's layout allows.
type registry struct {
	rules   [numCount]rule
	forms   [numCount]float64  // that random characters in the layout are plausible
	digits  [longest + 1][]num // one run of digits
	letters [longest + 1][]num // letters and digits together
	runs    map[uint64][]num   // several runs of digits
	byID    map[string]num
}

func newRegistry() *registry {
	r := &registry{rules: rules(), runs: map[uint64][]num{}, byID: map[string]num{}}
	r.forms = forms(&r.rules)
	for k := range numCount {
		r.byID[r.rules[k].id] = k
		for layout := range strings.FieldsSeq(r.rules[k].layouts) {
			r.put(k, layout)
		}
	}
	return r
}

func (r *registry) put(k num, layout string) {
	plain, mixed := strings.CutSuffix(layout, "A")
	var signature uint64
	n, runs := 0, 0
	for part := range strings.SplitSeq(plain, ".") {
		length := number([]byte(part))
		signature, n, runs = signature<<5|uint64(length), n+length, runs+1
	}
	switch {
	case mixed:
		r.letters[n] = append(r.letters[n], k)
	case runs == 1:
		r.digits[n] = append(r.digits[n], k)
	default:
		r.runs[signature] = append(r.runs[signature], k)
	}
}

// tally counts the values that one rule could test, and that passed.
type tally struct {
	looked, tested, pass int64
	skipped              int64 // values not looked at, after long looking in vain
	rest                 uint8
	under14              int64 // of those that passed
}

func (t *tally) see(v verdict) bool {
	if v.plausible {
		t.tested++
		if v.valid {
			t.pass++
			return true
		}
	}
	return false
}

// A rule that did no better than chance in patience values looks at one in
// seldom from then on, until it does better.
const (
	patience = 2048
	seldom   = 16
)

// due says whether a rule looks at the next value.
func (t *tally) due(chance float64) bool {
	if t.rest > 0 {
		t.rest--
		t.skipped++
		return false
	}
	if t.looked++; t.looked > patience && float64(t.pass) <= 3*chance*float64(t.tested)+float64(t.looked)/1000 {
		t.rest = seldom - 1
	}
	return true
}

// sometimes says whether a test that only gives a share looks at the next
// value: at all of the first, then at a few.
func (t *tally) sometimes() bool {
	if t.rest > 0 {
		t.rest--
		t.skipped++
		return false
	}
	if t.looked++; t.looked > patience {
		t.rest = seldom - 1
	}
	return true
}

// scaled is n, counted among the values looked at, for all of them.
func (t *tally) scaled(n int64) int64 {
	if t.skipped == 0 {
		return n
	}
	return int64(float64(n) * float64(t.looked+t.skipped) / float64(t.looked))
}

// share of all values that the rule could have tested.
func (t *tally) candidates() float64 {
	if t.looked == 0 {
		return float64(t.tested)
	}
	return float64(t.tested) * float64(t.looked+t.skipped) / float64(t.looked)
}

// identify runs the given rules over one value and remembers the person whose
// number it is, by the rule that leads in this column.
func (c *column) identify(list []num, v []byte) (id uint64) {
	passed := uint64(0)
	for _, k := range list {
		t, r := &c.tallies[k], &c.env.registry.rules[k]
		if k == c.lead {
			t.looked++
		} else if !t.due(r.chance) {
			continue
		}
		verdict := r.test(v, c.env)
		if !t.see(verdict) {
			continue
		}
		passed |= 1 << k
		if !r.person {
			continue
		}
		if verdict.birth > c.env.under14 && !r.weak {
			t.under14++
		}
		if c.leads(k) {
			id = c.person(v)
		}
	}
	if passed&(passed-1) != 0 {
		c.remember(passed)
	}
	return id
}

// remember counts a value that several rules accepted.
func (c *column) remember(passed uint64) {
	if c.joint == nil {
		c.joint = map[uint64]int64{}
	}
	if _, known := c.joint[passed]; known || len(c.joint) < 64 {
		c.joint[passed]++
	}
}

// both is how many values two rules accepted alike.
func (c *column) both(a, b num) (n int64) {
	for passed, count := range c.joint {
		if passed>>a&1 == 1 && passed>>b&1 == 1 {
			n += count
		}
	}
	return n
}

// explainer is the rule that says most about a column: the one whose passes
// random characters would be the least likely to give. numCount: none.
func (c *column) explainer() num {
	best, most := numCount, 0.0
	for k := range numCount {
		t, r := &c.tallies[k], &c.env.registry.rules[k]
		looked := float64(max(t.looked, t.tested))
		if t.pass == 0 || r.weak {
			continue
		}
		p, s := r.chance*c.env.registry.forms[k], float64(t.pass)/looked
		if s <= p {
			continue
		}
		says := s * math.Log(s/p)
		if s < 1 {
			says += (1 - s) * math.Log((1-s)/(1-p))
		}
		if says *= looked; says > most {
			best, most = k, says
		}
	}
	return best
}

// beside is what a rule found among the values that the explainer does not
// already explain.
func (c *column) beside(k, explainer num) (tested, pass float64) {
	t := &c.tallies[k]
	tested, pass = float64(t.tested), float64(t.pass)
	if k == explainer || explainer == numCount {
		return tested, pass
	}
	w, shared := &c.tallies[explainer], float64(c.both(k, explainer))
	if pass -= shared; shared >= 3*pass {
		return tested, 0 // what is left are typing errors of the other
	}
	tested *= 1 - math.Min(1, float64(w.pass)/float64(max(1, w.looked)))
	return math.Max(tested, pass), pass
}

// leads says whether k is the rule by which people are counted here. Another
// rule takes over when more values passed it; the count then starts anew, and
// values from before count as rows without a number.
func (c *column) leads(k num) bool {
	switch {
	case c.lead == k:
	case c.lead == numCount, !c.settled && c.tallies[k].pass > c.tallies[c.lead].pass+2:
		if c.lead != numCount {
			c.people, c.counted = newPeople(c.env), 0
		}
		c.lead = k
	default:
		return false
	}
	c.counted++
	return true
}

// signature packs the lengths of a value's runs of digits; zero if something
// other than digits and single separators is in it.
func signature(v []byte) (s uint64, digits int) {
	run := 0
	for _, b := range v {
		if b >= '0' && b <= '9' {
			run++
			digits++
			continue
		}
		if run == 0 || run > 31 || b == '+' || b == '(' || b == ')' || b == ':' || b == ',' {
			return 0, digits
		}
		s, run = s<<5|uint64(run), 0
	}
	if run == 0 || run > 31 {
		return 0, digits
	}
	return s<<5 | uint64(run), digits
}
