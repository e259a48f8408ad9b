package scan

import (
	"slices"
	"strings"
)

// part says what a column contributes to telling one person from another.
type part uint8

const (
	noPart    part = iota
	namePart       // a name, or a piece of one
	birthPart      // a date of birth
	idPart         // a number that one person has
	refPart        // an internal key that stands for a person
	attrPart       // something else about a person
)

// kind is one thing that a column can hold. The header alone gives strength;
// fits lowers it where values contradict. Words of headers are data, by
// language, in data/headers.txt under the kind's id.
type kind struct {
	id       string
	classes  string // members of the vocabulary's data_classes, most specific first
	part     part
	strength float64
	fits     func(*column) float64 // share of values that could be this; nil: any
}

// kinds is what a column can hold. The first entry of an id stands for all;
// the others read a weaker section of words.
func kinds() []kind {
	return append([]kind{
		{"person_name", "personal", namePart, 0.9, (*column).fitsName},
		{"person_name weak", "personal", namePart, 0.6, (*column).fitsName},
		{"given_name", "personal", namePart, 0.85, (*column).fitsName},
		{"surname", "personal", namePart, 0.9, (*column).fitsName},
		{"patronymic", "personal", namePart, 0.9, (*column).fitsName},
		{"birth_date", "personal", birthPart, 0.9, (*column).fitsBirth},
		{"birth_place", "personal", attrPart, 0.8, (*column).fitsText},
		{"gender", "personal", attrPart, 0.75, (*column).fitsFew},
		{"age", "personal", attrPart, 0.65, (*column).fitsAge},
		{"person_reference", "personal", refPart, 0.62, (*column).fitsKey},
		{"login", "personal", attrPart, 0.65, (*column).fitsText},
		{"phone", "personal", attrPart, 0.85, (*column).fitsPhone},
		{"email", "personal", attrPart, 0.85, (*column).fitsEmail},
		{"postal_address", "personal", attrPart, 0.75, (*column).fitsText},
		{"ip_address", "personal", attrPart, 0.7, (*column).fitsIP},
		{"device_id", "personal", attrPart, 0.65, nil},
		{"credential", "credential,personal", attrPart, 0.7, nil},
		{"vehicle", "vehicle", attrPart, 0.65, (*column).fitsVehicle},
		{"vehicle_plate", "vehicle,personal", attrPart, 0.65, (*column).fitsDocument},
		{"marital_status", "personal", attrPart, 0.65, (*column).fitsFew},
		{"nationality", "personal", attrPart, 0.65, (*column).fitsFew},
		{"photo", "personal", attrPart, 0.6, nil},
		{"salary", "financial,personal", attrPart, 0.7, nil},
		{"health", "health,personal", attrPart, 0.8, nil},
		{"biometric", "biometric,personal", attrPart, 0.8, nil},
		{"genetic", "genetic,personal", attrPart, 0.8, nil},
		{"religion", "belief,personal", attrPart, 0.8, (*column).fitsFew},
		{"ethnicity", "sensitive,personal", attrPart, 0.75, (*column).fitsFew},
		{"political_view", "belief,personal", attrPart, 0.75, (*column).fitsFew},
		{"union_membership", "sensitive,personal", attrPart, 0.75, (*column).fitsFew},
		{"sex_life", "sensitive,personal", attrPart, 0.8, (*column).fitsFew},
		{"criminal_record", "criminal_record,personal", attrPart, 0.8, (*column).fitsFew},
		{"child", "child,personal", attrPart, 0.65, (*column).fitsText},
		{"payment_card", "payment,personal", attrPart, 0.6, (*column).fitsCard},
		{"bank_account", "financial,personal", attrPart, 0.7, (*column).fitsDocument},
		{"credit_record", "financial,personal", attrPart, 0.75, nil},
		{"telecom_subscriber", "telecom_subscriber,personal", attrPart, 0.8, nil},
		{"imei", "telecom_subscriber,personal", attrPart, 0.6, (*column).fitsDocument},
		{"insurance_record", "insurance_record,personal", attrPart, 0.75, nil},
		{"aml_kyc", "aml_kyc,personal", attrPart, 0.75, nil},
		{"latitude", "geospatial", attrPart, 0.3, (*column).fitsLatitude},
		{"longitude", "geospatial", attrPart, 0.3, (*column).fitsLongitude},
		{"coordinates", "geospatial", attrPart, 0.75, (*column).fitsPlaces},
		{"location_track", "location_track,personal", attrPart, 0, nil},
		{"classification_mark", "state_secret", attrPart, 0.4, nil},
		{"loinc", "health,personal", attrPart, 0, nil},
	}, numberKinds()...)
}

// numberKinds are numbers and codes with a form. Where check digits exist the
// header alone stays below the line: the digits must agree. Where none is
// published the header and the structure speak together.
func numberKinds() []kind {
	return []kind{
		{"identity_document", "personal", idPart, 0.8, (*column).fitsDocument},
		{"cn_resident_id", "personal", idPart, 0.55, (*column).fitsDocument},
		{"kz_iin", "personal", idPart, 0.5, (*column).fitsDocument},
		{"ru_inn_person", "personal", idPart, 0.4, (*column).fitsINN},
		{"ru_snils", "personal", idPart, 0.6, (*column).fitsDocument},
		{"ru_passport", "personal", idPart, 0.8, fitsRule(numRUPassport)},
		{"ru_ogrnip", "personal", idPart, 0.5, fitsRule(numOGRNIP)},
		{"in_aadhaar", "personal", idPart, 0.5, fitsRule(numAadhaar)},
		{"in_pan", "personal", idPart, 0.7, fitsRule(numPAN)},
		{"pk_cnic", "personal", idPart, 0.8, (*column).fitsCNIC},
		{"uz_pinfl", "personal", idPart, 0.5, fitsRule(numPINFL)},
		{"kg_pin", "personal", idPart, 0.75, fitsRule(numKGPIN)},
		{"by_personal", "personal", idPart, 0.5, fitsRule(numBYPersonal)},
		{"tj_tax", "personal", idPart, 0.75, (*column).fitsNine},
		{"ir_national", "personal", idPart, 0.5, fitsRule(numIRNational)},
		{"tr_identity", "personal", idPart, 0.5, fitsRule(numTRIdentity)},
		{"ae_emirates", "personal", idPart, 0.5, fitsRule(numEmirates)},
		{"sa_identity", "personal", idPart, 0.5, fitsRule(numSaudi)},
		{"am_public", "personal", idPart, 0.8, fitsRule(numAMPublic)},
		{"az_fin", "personal", idPart, 0.8, (*column).fitsFIN},
		{"mn_register", "personal", idPart, 0.8, fitsRule(numMNRegister)},
		{"de_tax_id", "personal", idPart, 0.5, fitsRule(numDE)},
		{"fr_nir", "personal", idPart, 0.5, fitsRule(numFR)},
		{"it_codice_fiscale", "personal", idPart, 0.5, fitsRule(numIT)},
		{"es_dni", "personal", idPart, 0.5, fitsRule(numES)},
		{"pl_pesel", "personal", idPart, 0.5, fitsRule(numPL)},
		{"nl_bsn", "personal", idPart, 0.5, fitsRule(numNL)},
		{"pt_nif", "personal", idPart, 0.5, fitsRule(numPT)},
		{"se_personnummer", "personal", idPart, 0.5, fitsRule(numSE)},
		{"fi_hetu", "personal", idPart, 0.5, fitsRule(numFI)},
		{"be_national", "personal", idPart, 0.5, fitsRule(numBE)},
		{"ro_cnp", "personal", idPart, 0.5, fitsRule(numRO)},
		{"bg_egn", "personal", idPart, 0.5, fitsRule(numBG)},
		{"cz_rc", "personal", idPart, 0.5, fitsRule(numCZ)},
		{"ee_lt_code", "personal", idPart, 0.5, fitsRule(numBaltic)},
		{"lv_personal", "personal", idPart, 0.55, fitsRule(numLV)},
		{"dk_cpr", "personal", idPart, 0.75, fitsRule(numDK)},
		{"hr_oib", "personal", idPart, 0.5, fitsRule(numHR)},
		{"gr_amka", "personal", idPart, 0.5, fitsRule(numGR)},
		{"at_svnr", "personal", idPart, 0.5, fitsRule(numAT)},
		{"ie_pps", "personal", idPart, 0.5, fitsRule(numIE)},
		{"si_emso", "personal", idPart, 0.5, fitsRule(numSI)},
		{"no_fnr", "personal", idPart, 0.5, fitsRule(numNO)},
		{"machine_zone", "personal", idPart, 0.5, nil},
		{"ru_inn_organisation", "", noPart, 0, nil},
		{"kz_bin", "", noPart, 0.3, fitsRule(numKZBusiness)},
		{"cn_credit_code", "", noPart, 0.5, fitsRule(numCNCredit)},
		{"ru_ogrn", "", noPart, 0.5, fitsRule(numOGRN)},
		{"in_gstin", "", noPart, 0.5, fitsRule(numGSTIN)},
		{"tr_tax", "", noPart, 0.5, fitsRule(numTRTax)},
		{"az_tax", "", noPart, 0.5, fitsRule(numAZTax)},
		{"by_unp", "", noPart, 0.5, fitsRule(numBYTax)},
		{"lei", "", noPart, 0.5, fitsRule(numLEI)},
		{"container", "", noPart, 0.5, fitsRule(numContainer)},
		{"air_waybill", "", noPart, 0.5, fitsRule(numWaybill)},
		{"hs_code", "", noPart, 0.7, fitsRule(numHS)},
	}
}

// NamesOnePerson says whether an identifier is a number or a key that one
// person has, so that a pseudonym can take its place and rows still join.
func NamesOnePerson(identifier string) bool {
	for _, k := range kinds() {
		if k.id == identifier {
			return k.part == idPart && identifier != "machine_zone" || k.part == refPart
		}
	}
	return false
}

// lexicon is the table of kinds with the words of headers.
type lexicon struct {
	kinds   []kind
	index   map[string]int
	headers *matcher // finds indexes of kinds, and notPeople
	parties *matcher
	names   []string // of parties
}

// notPeople marks words that turn a name into the name of something else.
const notPeople = -1

func newLexicon() *lexicon {
	l := &lexicon{kinds: kinds(), index: map[string]int{}, headers: newMatcher(), parties: newMatcher()}
	for i, k := range l.kinds {
		l.index[k.id] = i
	}
	l.index["not people"] = notPeople
	for name, words := range sections(headerData) {
		l.headers.add(words, l.index[name])
	}
	for i := range l.kinds {
		l.kinds[i].id = strings.TrimSuffix(l.kinds[i].id, " weak")
	}
	for name, words := range sections(partyData) {
		l.parties.add(words, len(l.names))
		l.names = append(l.names, name)
	}
	return l
}

// hints gives the kinds that a header suggests, strongest reading first.
func (l *lexicon) hints(name string) (out []*kind) {
	words := headerWords(name)
	seen := map[string]bool{}
	marks := l.headers.find(words)
	thing := slices.Contains(marks, notPeople)
	for _, i := range marks {
		if i < 0 {
			continue
		}
		k := &l.kinds[i]
		if seen[k.id] || k.part == namePart && thing {
			continue
		}
		seen[k.id] = true
		out = append(out, k)
	}
	return l.specific(out, words)
}

// specific drops readings of a header that a longer reading explains: an
// "email address" is no postal address, a "sender phone" no name.
func (l *lexicon) specific(hints []*kind, words string) []*kind {
	has := func(ids ...string) bool {
		for _, h := range hints {
			for _, id := range ids {
				if h.id == id {
					return true
				}
			}
		}
		return false
	}
	var out []*kind
	for _, h := range hints {
		switch h.id {
		case "person_name", "given_name":
			if slices.ContainsFunc(hints, func(o *kind) bool { return o.part != namePart && o.strength > 0.3 && o.id != "child" }) {
				continue
			}
			if h.id == "given_name" && has("surname", "patronymic") || h.id == "person_name" && has("given_name", "surname", "patronymic") {
				continue
			}
		case "postal_address":
			if has("email", "ip_address", "device_id") {
				continue
			}
		case "child":
			if has("phone", "email") && !strings.Contains(words, "child") {
				continue
			}
		}
		out = append(out, h)
	}
	return out
}

// partyOf names whom a column is about; empty for the row's main person.
func (l *lexicon) partyOf(name string) string {
	if found := l.parties.find(headerWords(name)); len(found) > 0 {
		return l.names[found[0]]
	}
	return ""
}
