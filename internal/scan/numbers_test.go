package scan

import (
	"strings"
	"testing"
)

// TestPublishedNumbersOfManyCountriesPass uses numbers that authorities,
// standards and well-known libraries publish as examples; docs/scan.md says
// where each comes from. The second of a pair differs in one place and must
// not pass.
func TestPublishedNumbersOfManyCountriesPass(t *testing.T) {
	e := newEnv(today, 100)
	for id, pair := range map[string][2]string{
		"in_aadhaar": {"234123412346", "234123412347"}, "in_pan": {"ACUPA7085R", "ACUDA7085R"}, "in_gstin": {"27AAPFU0939F1ZV", "27AAPFU0939F1ZW"},
		"pk_cnic": {"3420108912318", "9420108912318"}, "by_personal": {"0000000A000PB2", "0000000A000PB3"}, "by_unp": {"200988541", "200988542"},
		"tr_identity": {"17291716060", "17291716050"}, "tr_tax": {"4540536920", "4540536921"}, "az_tax": {"1401555071", "1401555081"},
		"cn_credit_code": {"91110000600037341L", "91110000600037342L"}, "ru_ogrn": {"1022200525819", "1022200525818"},
		"de_tax_id": {"36574261809", "36574261890"}, "fr_nir": {"295109912611193", "295109912611199"}, "it_codice_fiscale": {"RCCMNL83S18D969H", "RCCMNL83S18D969K"},
		"es_dni": {"54362315K", "54362315Z"}, "pl_pesel": {"44051401359", "44051401358"}, "nl_bsn": {"111222333", "111252333"}, "se_personnummer": {"8803200016", "8803200018"},
		"fi_hetu": {"131052-308T", "131052-308U"}, "be_national": {"85073003328", "85073003327"}, "ro_cnp": {"1630615123457", "1630615123458"},
		"bg_egn": {"7523169263", "7523169264"}, "cz_rc": {"7103192745", "7103192746"}, "ee_lt_code": {"36805280109", "36805280108"}, "lv_personal": {"16117519997", "16117519996"},
		"pt_nif": {"123456789", "123456788"}, "hr_oib": {"33392005961", "33392005962"}, "gr_amka": {"01013099997", "01013099999"}, "at_svnr": {"1237010180", "2237010180"},
		"ie_pps": {"6433435F", "6433435E"}, "si_emso": {"0101006500006", "0101006500007"}, "no_fnr": {"15108695088", "15108695077"},
		"vehicle": {"1M8GDM9AXKP042788", "1M8GDM9A1KP042788"}, "container": {"CSQU3054383", "CSQU3054384"}, "lei": {"213800KUD8LAJWSQ9D15", "213800KUD8LXJWSQ9D15"},
		"imei": {"490154203237518", "490154203237517"}, "loinc": {"7187", "7188"},
	} {
		k, ok := e.registry.byID[id]
		if !ok {
			t.Fatalf("no rule has the id %s", id)
		}
		if v := e.registry.rules[k].test([]byte(pair[0]), e); !v.valid {
			t.Errorf("%s: %s is refused", id, pair[0])
		}
		if v := e.registry.rules[k].test([]byte(pair[1]), e); v.valid {
			t.Errorf("%s: %s passes", id, pair[1])
		}
	}
	if v := frNIR([]byte("253072B07300470"), e); !v.valid {
		t.Error("a French number of Corsica is refused")
	}
	if v := ruOGRNIP([]byte("304500116000157"), e); !v.valid {
		t.Error("the number of a sole trader is refused")
	}
}

// TestPassportLinesOfTheStandardPass uses the specimens of ICAO Doc 9303.
func TestPassportLinesOfTheStandardPass(t *testing.T) {
	for _, v := range []string{
		"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
		"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10",
		"I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
		"I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6",
	} {
		if got := machineZone([]byte(v)); !got.plausible || !got.valid {
			t.Errorf("%q: %+v", v, got)
		}
	}
	for _, v := range []string{"L898902C37UTO7408122F1204159ZE184226B<<<<<10", "<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<", strings.Repeat("A", 44), "a<b"} {
		if got := machineZone([]byte(v)); got.valid {
			t.Errorf("%q passes", v)
		}
	}
}

// TestStructuresHoldDates: numbers without a published check digit are told
// by their dates.
func TestStructuresHoldDates(t *testing.T) {
	e := newEnv(today, 100)
	for v, want := range map[string]bool{"21503198500123": true, "11302198500123": true, "13013198500123": false, "31503198500123": false, "21503203500123": false} {
		if got := kgPIN([]byte(v), e).valid; got != want {
			t.Errorf("KG %s: %t", v, got)
		}
	}
	for v, want := range map[string]bool{"3505780122": true, "5102405678": true, "0102405678": false, "4505780122": false} {
		if got := amPublic([]byte(v), e).valid; got != want {
			t.Errorf("AM %s: %t", v, got)
		}
	}
	for v, want := range map[string]bool{"85031512": true, "05231512": true, "85331512": false, "99250101": false} {
		if got := mnRegister([]byte(v), e).valid; got != want {
			t.Errorf("MN %s: %t", v, got)
		}
	}
	if v := uzPINFL([]byte("31503851230010"), e); !v.plausible || v.birth != 19850315 {
		t.Errorf("PINFL: %+v", v)
	}
}

// TestEveryRuleIsKnownByNameAndRefusesNonsense: no rule panics, and none
// accepts zeros or letters alone.
func TestEveryRuleIsKnownByNameAndRefusesNonsense(t *testing.T) {
	e, lex := newEnv(today, 100), newLexicon()
	for k := range numCount {
		r := &e.registry.rules[k]
		if r.id == "" {
			t.Fatalf("rule %d has no id", k)
		}
		for _, lang := range []string{"en", "zh", "ru"} {
			if Label(r.id, lang) == r.id {
				t.Errorf("%s has no name in %s", r.id, lang)
			}
		}
		if _, ok := lex.index[r.id]; !ok {
			t.Errorf("%s is not in the lexicon", r.id)
		}
		if r.chance <= 0 || r.chance >= 1 {
			t.Errorf("%s: chance %f", r.id, r.chance)
		}
	}
	for name := range sections(headerData) {
		if _, ok := lex.index[strings.TrimSuffix(name, " weak")]; !ok {
			t.Errorf("data/headers.txt has words for %s, which is no kind", name)
		}
	}
}
