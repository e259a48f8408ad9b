package law

import (
	"slices"
	"strings"

	"corridor"
)

// countryTable lists the ISO 3166-1 alpha-2 codes in order, each with a short
// English name that only serves to suggest the code. XA, XB, XC, XX and ZZ are
// codes that the standard leaves to users: they name no state, and tests and
// documents use them for states that do not exist.
const countryTable = "" +
	"AD Andorra;AE United Arab Emirates;AF Afghanistan;AG Antigua & Barbuda;AI Anguilla;AL Albania;AM Armenia;" +
	"AO Angola;AQ Antarctica;AR Argentina;AS American Samoa;AT Austria;AU Australia;AW Aruba;AX Åland Islands;" +
	"AZ Azerbaijan;BA Bosnia & Herzegovina;BB Barbados;BD Bangladesh;BE Belgium;BF Burkina Faso;BG Bulgaria;" +
	"BH Bahrain;BI Burundi;BJ Benin;BL St. Barthélemy;BM Bermuda;BN Brunei;BO Bolivia;BQ Caribbean Netherlands;" +
	"BR Brazil;BS Bahamas;BT Bhutan;BV Bouvet Island;BW Botswana;BY Belarus;BZ Belize;CA Canada;" +
	"CC Cocos (Keeling) Islands;CD Congo (Kinshasa);CF Central African Republic;CG Congo (Brazzaville);" +
	"CH Switzerland;CI Côte d’Ivoire;CK Cook Islands;CL Chile;CM Cameroon;CN China;CO Colombia;CR Costa Rica;" +
	"CU Cuba;CV Cape Verde;CW Curaçao;CX Christmas Island;CY Cyprus;CZ Czechia;DE Germany;DJ Djibouti;DK Denmark;" +
	"DM Dominica;DO Dominican Republic;DZ Algeria;EC Ecuador;EE Estonia;EG Egypt;EH Western Sahara;ER Eritrea;" +
	"ES Spain;ET Ethiopia;FI Finland;FJ Fiji;FK Falkland Islands;FM Micronesia;FO Faroe Islands;FR France;" +
	"GA Gabon;GB United Kingdom;GD Grenada;GE Georgia;GF French Guiana;GG Guernsey;GH Ghana;GI Gibraltar;" +
	"GL Greenland;GM Gambia;GN Guinea;GP Guadeloupe;GQ Equatorial Guinea;GR Greece;" +
	"GS South Georgia & South Sandwich Islands;GT Guatemala;GU Guam;GW Guinea-Bissau;GY Guyana;HK Hong Kong;" +
	"HM Heard & McDonald Islands;HN Honduras;HR Croatia;HT Haiti;HU Hungary;ID Indonesia;IE Ireland;IL Israel;" +
	"IM Isle of Man;IN India;IO British Indian Ocean Territory;IQ Iraq;IR Iran;IS Iceland;IT Italy;JE Jersey;" +
	"JM Jamaica;JO Jordan;JP Japan;KE Kenya;KG Kyrgyzstan;KH Cambodia;KI Kiribati;KM Comoros;" +
	"KN St. Kitts & Nevis;KP North Korea;KR South Korea;KW Kuwait;KY Cayman Islands;KZ Kazakhstan;LA Laos;" +
	"LB Lebanon;LC St. Lucia;LI Liechtenstein;LK Sri Lanka;LR Liberia;LS Lesotho;LT Lithuania;LU Luxembourg;" +
	"LV Latvia;LY Libya;MA Morocco;MC Monaco;MD Moldova;ME Montenegro;MF St. Martin;MG Madagascar;" +
	"MH Marshall Islands;MK North Macedonia;ML Mali;MM Myanmar;MN Mongolia;MO Macao;MP Northern Mariana Islands;" +
	"MQ Martinique;MR Mauritania;MS Montserrat;MT Malta;MU Mauritius;MV Maldives;MW Malawi;MX Mexico;MY Malaysia;" +
	"MZ Mozambique;NA Namibia;NC New Caledonia;NE Niger;NF Norfolk Island;NG Nigeria;NI Nicaragua;NL Netherlands;" +
	"NO Norway;NP Nepal;NR Nauru;NU Niue;NZ New Zealand;OM Oman;PA Panama;PE Peru;PF French Polynesia;" +
	"PG Papua New Guinea;PH Philippines;PK Pakistan;PL Poland;PM St. Pierre & Miquelon;PN Pitcairn Islands;" +
	"PR Puerto Rico;PS Palestine;PT Portugal;PW Palau;PY Paraguay;QA Qatar;RE Réunion;RO Romania;RS Serbia;" +
	"RU Russia;RW Rwanda;SA Saudi Arabia;SB Solomon Islands;SC Seychelles;SD Sudan;SE Sweden;SG Singapore;" +
	"SH St. Helena;SI Slovenia;SJ Svalbard & Jan Mayen;SK Slovakia;SL Sierra Leone;SM San Marino;SN Senegal;" +
	"SO Somalia;SR Suriname;SS South Sudan;ST São Tomé & Príncipe;SV El Salvador;SX Sint Maarten;SY Syria;" +
	"SZ Eswatini;TC Turks & Caicos Islands;TD Chad;TF French Southern Territories;TG Togo;TH Thailand;" +
	"TJ Tajikistan;TK Tokelau;TL Timor-Leste;TM Turkmenistan;TN Tunisia;TO Tonga;TR Türkiye;TT Trinidad & Tobago;" +
	"TV Tuvalu;TW Taiwan;TZ Tanzania;UA Ukraine;UG Uganda;UM US Outlying Islands;US United States;UY Uruguay;" +
	"UZ Uzbekistan;VA Vatican City;VC St. Vincent & Grenadines;VE Venezuela;VG British Virgin Islands;" +
	"VI U.S. Virgin Islands;VN Vietnam;VU Vanuatu;WF Wallis & Futuna;WS Samoa;" +
	"XA user-assigned A;XB user-assigned B;XC user-assigned C;XX user-assigned X;YE Yemen;YT Mayotte;" +
	"ZA South Africa;ZM Zambia;ZW Zimbabwe;ZZ user-assigned Z"

// atlas is the countries in code order; a country's number is its index.
type atlas struct{ codes, names []string }

func newAtlas() *atlas {
	a := &atlas{codes: make([]string, 0, 254), names: make([]string, 0, 254)}
	for row := range strings.SplitSeq(countryTable, ";") {
		a.codes = append(a.codes, row[:2])
		a.names = append(a.names, row[3:])
	}
	return a
}

func (a *atlas) number(code string) (int, bool) { return slices.BinarySearch(a.codes, code) }

// check explains a code that is none, with the nearest valid ones.
func (a *atlas) check(code, what string) (int, error) {
	if i, ok := a.number(code); ok {
		return i, nil
	}
	e := corridor.E(corridor.Invalid, "%s %q is not a country code", what, clip(code))
	e.Fix = "write ISO 3166-1 alpha-2, for example KZ"
	if code == "EU" {
		e.Fix = "the European Union has many codes: name the member state, for example DE"
	} else if near := a.suggest(code); len(near) > 0 {
		e.Fix = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return 0, e
}

// suggest finds codes by the code in other letters, by the country's name,
// and by codes one letter away.
func (a *atlas) suggest(code string) []string {
	var out []string
	if i, ok := a.number(strings.ToUpper(code)); ok {
		return []string{a.codes[i]}
	}
	switch strings.ToUpper(code) { // codes that others use for these states
	case "UK":
		return []string{"GB (United Kingdom)"}
	case "EL":
		return []string{"GR (Greece)"}
	}
	if len(code) > 2 {
		for _, name := range nearest(code, a.names) {
			out = append(out, a.codes[slices.Index(a.names, name)]+" ("+name+")")
		}
		return out
	}
	for i, c := range a.codes {
		if distance(strings.ToUpper(code), c) == 1 && len(out) < 4 && len(code) == 2 && c[0] == strings.ToUpper(code)[0] {
			out = append(out, c+" ("+a.names[i]+")")
		}
	}
	return out
}

// clip shortens foreign text before it is repeated in a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return s
}
