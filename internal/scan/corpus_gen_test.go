package scan

import (
	"fmt"
	"strings"
)

// The corpus: every kind of column that a scan should know, and columns that
// only look like one. All people, numbers and places are made up; numbers are
// valid by their check digits only. Headers under `held` and the seed of the
// held-out part were fixed before the first run and are not tuned on.

// sample is one kind of column.
type sample struct {
	want    string   // identifier; empty: nothing about people, places or bodies
	also    string   // further identifiers that are right too, divided by spaces
	headers []string // of the part that was tuned on
	held    []string // of the held-out part
	make    func(g gen, i int) string
}

// valid draws candidates until a rule of the product accepts one. The rules
// themselves are tested against published numbers.
func (g gen) valid(k num, candidate func() string) string {
	e := corpusEnv
	for range 1_000_000 {
		v := candidate()
		if x := e.registry.rules[k].test(upper(nil, []byte(v)), e); x.plausible && x.valid {
			return v
		}
	}
	panic(fmt.Sprintf("rule %d accepts nothing that is made for it", k))
}

// corpusEnv only tests candidates; it holds no state.
var corpusEnv = newEnv(today, 1000)

func (g gen) raw(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + g.IntN(10))
	}
	return string(b)
}

func (g gen) caps(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('A' + g.IntN(26))
	}
	return string(b)
}

func (g gen) from(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[g.IntN(len(alphabet))]
	}
	return string(b)
}

func (g gen) compact(layout string) string {
	y, m, d := g.day(1945, 2007)
	return strings.NewReplacer("YYYY", fmt.Sprint(y), "YY", fmt.Sprintf("%02d", y%100), "MM", fmt.Sprintf("%02d", m), "DD", fmt.Sprintf("%02d", d)).Replace(layout)
}

func groups(s string, mark string, sizes ...int) string {
	var parts []string
	for _, n := range sizes {
		parts = append(parts, s[:n])
		s = s[n:]
	}
	return strings.Join(parts, mark)
}

// numbered makes a column of one rule.
func numbered(k num, headers, held []string, candidate func(g gen) string) sample {
	return sample{rules()[k].id, "", headers, held, func(g gen, _ int) string { return g.valid(k, func() string { return candidate(g) }) }}
}

func h(list string) []string { return strings.Split(list, "|") }

// checkedNumbers are identifiers with check digits.
func checkedNumbers() []sample {
	return []sample{
		{"cn_resident_id", "", h("f1|id_card_no|身份证号|номер удостоверения"), h("k1|sfzh|公民身份号码|证件"), func(g gen, _ int) string { return g.cnID() }},
		{"kz_iin", "", h("f2|IIN|个人识别号|ИИН|ЖСН"), h("k2|customer_iin|ИИН клиента|zhsn"), func(g gen, _ int) string { return g.iin() }},
		{"ru_inn_person", "", h("f3|inn|税号|ИНН"), h("k3|taxpayer inn|ИНН физлица|налоговый номер"), func(g gen, _ int) string { return g.inn12() }},
		{"ru_snils", "", h("f4|snils|社保号|СНИЛС"), h("k4|страховой номер|SNILS сотрудника"), func(g gen, _ int) string { return g.snils() }},
		{"payment_card", "", h("f5|card_number|银行卡号|Номер карты|kart numarası"), h("k5|cc number|شماره کارت|Карта клиента|卡号"), func(g gen, _ int) string { return g.card() }},
		{"bank_account", "", h("f6|IBAN|银行账号|Расчётный счёт"), h("k6|رقم الحساب|Hesap no|beneficiary iban"), func(g gen, _ int) string { return g.iban() }},
		numbered(numAadhaar, h("f7|aadhaar_no|आधार संख्या"), h("k7|UIDAI number|आधार|beneficiary id"), func(g gen) string { return groups(g.pick("2 3 4 5 6 7 8 9")+g.raw(11), " ", 4, 4, 4) }),
		numbered(numGSTIN, h("f8|gstin"), h("k8|GST No"), func(g gen) string {
			return g.pick("27 07 29 33") + g.caps(3) + "C" + g.caps(1) + g.raw(4) + g.caps(1) + "1Z" + g.from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1)
		}),
		numbered(numPINFL, h("f9|pinfl|JSHSHIR|ПИНФЛ"), h("k9|ЖШШИР|шахсий рақам|pin fl"), func(g gen) string { return g.pick("3 4") + g.compact("DDMMYY") + g.raw(7) }),
		numbered(numBYPersonal, h("f10|личный номер|ідэнтыфікацыйны нумар"), h("k10|идентификационный №|personal no"), func(g gen) string {
			return g.pick("3 4") + g.compact("DDMMYY") + g.from("ABCHKEM", 1) + g.raw(3) + "PB" + g.raw(1)
		}),
		numbered(numIRNational, h("f11|کد ملی|national_code"), h("k11|کد\u200cملی مشتری|شماره ملی"), func(g gen) string { return g.raw(10) }),
		numbered(numTRIdentity, h("f12|tckn|TC Kimlik No"), h("k12|Müşteri TC No|kimlik numarası"), func(g gen) string { return g.pick("1 2 3 4 5") + g.raw(10) }),
		numbered(numTRTax, h("f13|vkn|Vergi No"), h("k13|vergi kimlik no"), func(g gen) string { return g.raw(10) }),
		numbered(numEmirates, h("f14|emirates_id|رقم الهوية الإماراتية"), h("k14|EID|رقم الهوية"), func(g gen) string { return "784-" + g.compact("YYYY") + "-" + g.raw(7) + "-" + g.raw(1) }),
		numbered(numSaudi, h("f15|iqama|رقم الإقامة"), h("k15|السجل المدني|national id"), func(g gen) string { return g.pick("1 2") + g.raw(9) }),
		numbered(numCNCredit, h("f16|统一社会信用代码"), h("k16|USCC"), func(g gen) string {
			return "9111010" + g.raw(1) + "MA" + g.from("0123456789ABCDEFGHJKLMNPQRTUWXY", 8)
		}),
		{"kz_bin", "", h("f17|bin|БИН"), h("k17|БИН компании"), func(g gen, _ int) string { return g.bin() }},
		{"ru_inn_organisation", "", h("f18|ИНН организации"), h("k18|inn contragent"), func(g gen, _ int) string { return g.inn10() }},
		numbered(numOGRN, h("f19|ОГРН"), h("k19|ogrn"), func(g gen) string { return g.pick("1 5") + g.raw(12) }),
		numbered(numOGRNIP, h("f20|ОГРНИП"), h("k20|огрнип продавца"), func(g gen) string { return "3" + g.raw(14) }),
		numbered(numDE, h("f21|Steuer-ID|steuerliche_identifikationsnummer"), h("k21|IdNr|Steuer Idnr Kunde"), func(g gen) string { return g.pick("1 2 3 4 5 6 7 8 9") + g.raw(10) }),
		numbered(numFR, h("f22|NIR|numéro de sécurité sociale"), h("k22|No Sécu"), func(g gen) string { return g.pick("1 2") + g.compact("YYMM") + "75" + g.raw(8) }),
		numbered(numIT, h("f23|codice_fiscale"), h("k23|CodFisc"), func(g gen) string {
			return g.from("BCDFGLMNPRSTVZ", 6) + g.compact("YY") + g.from("ABCDEHLMPRST", 1) + g.compact("DD") + "H501" + g.caps(1)
		}),
		numbered(numES, h("f24|DNI"), h("k24|NIF/NIE|documento nacional de identidad"), func(g gen) string { return g.raw(8) + g.caps(1) }),
		numbered(numPL, h("f25|PESEL"), h("k25|nr_pesel"), func(g gen) string { return g.compact("YYMMDD") + g.raw(5) }),
		numbered(numNL, h("f26|BSN"), h("k26|burgerservicenummer"), func(g gen) string { return g.pick("1 2 3") + g.raw(8) }),
		numbered(numSE, h("f27|personnummer"), h("k27|Person-nr"), func(g gen) string { return g.compact("YYMMDD") + "-" + g.raw(4) }),
		{"fi_hetu", "", h("f28|hetu"), h("k28|Henkilötunnus"), func(g gen, _ int) string { return g.hetu() }},
		numbered(numBE, h("f29|rijksregisternummer"), h("k29|NISS"), func(g gen) string { return g.compact("YYMMDD") + g.raw(5) }),
		numbered(numRO, h("f30|CNP"), h("k30|cod numeric personal"), func(g gen) string {
			return g.pick("1 2") + g.compact("YYMMDD") + fmt.Sprintf("%02d", 1+g.IntN(46)) + g.raw(4)
		}),
		numbered(numBG, h("f31|ЕГН"), h("k31|egn client"), func(g gen) string { return g.compact("YYMMDD") + g.raw(4) }),
		numbered(numCZ, h("f32|rodné číslo"), h("k32|RČ"), func(g gen) string { y := g.compact("YYMMDD"); return "7" + y[1:] + "/" + g.raw(4) }),
		numbered(numBaltic, h("f33|isikukood|asmens kodas"), h("k33|asmens kodas nr"), func(g gen) string { return g.pick("3 4") + g.compact("YYMMDD") + g.raw(4) }),
		numbered(numLV, h("f34|personas kods"), h("k34|pers. kods"), func(g gen) string { return g.compact("DDMMYY") + "-1" + g.raw(4) }),
		numbered(numPT, h("f35|NIF"), h("k35|contribuinte"), func(g gen) string { return g.pick("1 2") + g.raw(8) }),
		numbered(numHR, h("f36|OIB"), h("k36|osobni identifikacijski broj"), func(g gen) string { return g.raw(11) }),
		numbered(numGR, h("f37|ΑΜΚΑ"), h("k37|amka"), func(g gen) string { return g.compact("DDMMYY") + g.raw(5) }),
		numbered(numNO, h("f38|fødselsnummer"), h("k38|fnr"), func(g gen) string { return g.compact("DDMMYY") + g.raw(5) }),
		numbered(numIMEI, h("f39|imei"), h("k39|handset IMEI"), func(g gen) string { return "35" + g.raw(13) }),
		numbered(numVIN, h("f40|VIN|车架号|вин код"), h("k40|vehicle identification number|şase no|vin_number"), func(g gen) string {
			return "1" + g.from("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", 12) + g.raw(4)
		}),
		numbered(numContainer, h("f41|container_no"), h("k41|номер контейнера"), func(g gen) string { return g.pick("MSC TCN CMA HLX") + "U" + g.raw(7) }),
		numbered(numWaybill, h("f42|awb"), h("k42|air waybill no"), func(g gen) string { return g.pick("176 999 235 157") + "-" + g.raw(8) }),
		numbered(numLEI, h("f43|lei"), h("k43|Legal Entity Identifier"), func(g gen) string { return "2138" + g.from("ABCDEFGHJK0123456789", 14) + g.raw(2) }),
		{"loinc", "health", h("f44|loinc"), h("k44|test code"), func(g gen, _ int) string {
			s := g.valid(numLOINC, func() string { return g.pick("1 2 3 7") + g.raw(4+g.IntN(2)) })
			return s[:len(s)-1] + "-" + s[len(s)-1:]
		}},
		{"machine_zone", "identity_document", h("f45|mrz"), h("k45|машиночитаемая зона"), func(g gen, _ int) string { return g.zone() }},
		numbered(numAT, h("f46|SVNR"), h("k46|Sozialversicherungsnummer"), func(g gen) string { return g.raw(4) + g.compact("DDMMYY") }),
		numbered(numAZTax, h("f47|VÖEN"), h("k47|vöen nömrəsi"), func(g gen) string { return g.raw(9) + g.pick("1 2") }),
		numbered(numBYTax, h("f48|УНП"), h("k48|УНП плательщика"), func(g gen) string { return g.pick("1 2 3 6 7") + g.raw(8) }),
		numbered(numIE, h("f49|PPSN"), h("k49|pps no"), func(g gen) string { return g.raw(7) + g.from("ABCDEFGHIJKLMNOPQRSTUVW", 1) }),
		numbered(numSI, h("f50|EMŠO"), h("k50|jmbg"), func(g gen) string {
			y, m, d := g.day(1945, 2007)
			return fmt.Sprintf("%02d%02d%03d50%s", d, m, y%1000, g.raw(4))
		}),
	}
}

func (g gen) hetu() string {
	s := g.compact("DDMMYY") + "-" + g.pick("1 2 3 4") + g.raw(2)
	n := 0
	for _, c := range s[:6] + s[7:] {
		n = n*10 + int(c-'0')
	}
	return s + string("0123456789ABCDEFHJKLMNPRSTUVWXY"[n%31])
}

// zone makes the second line of a passport.
func (g gen) zone() string {
	digit := func(s string) string { return fmt.Sprint(mod731([]byte(s))) }
	no, born, until := g.caps(1)+g.raw(8), g.compact("YYMMDD"), "3"+g.raw(1)+"0615"
	return no + digit(no) + g.pick("UTO KAZ CHN") + born + digit(born) + g.pick("M F") + until + digit(until) + "<<<<<<<<<<<<<<" + g.raw(2)
}

// structured are identifiers without a published check digit, contacts and
// names: told by form, words and header.
func structured() []sample {
	s := []sample{
		numbered(numPAN, h("f1|pan_no|पैन नंबर"), h("k1|PAN Card|income tax pan"), func(g gen) string { return g.caps(3) + "P" + g.caps(1) + g.raw(4) + g.caps(1) }),
		{"pk_cnic", "", h("f2|cnic|شناختی کارڈ نمبر"), h("k2|CNIC No|قومی شناختی"), func(g gen, _ int) string { return g.pick("3 4 6 1") + g.digits(4) + "-" + g.raw(7) + "-" + g.raw(1) }},
		numbered(numKGPIN, h("f3|жеке номери|персональный идентификационный номер"), h("k3|ПИН гражданина"), func(g gen) string { return g.pick("1 2") + g.compact("DDMMYYYY") + g.raw(5) }),
		{"am_public", "", h("ՀԾՀ"), h("հանրային ծառայությունների համարանիշ"), func(g gen, _ int) string {
			y, m, d := g.day(1945, 1999)
			return fmt.Sprintf("%02d%02d%02d%s", d+10+40*g.IntN(2), m, y%100, g.raw(4))
		}},
		{"az_fin", "", h("FIN|FİN kod"), h("fin kodu|fərdi identifikasiya nömrəsi"), func(g gen, _ int) string {
			return g.raw(1) + g.from("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", 5) + g.caps(1)
		}},
		{"mn_register", "", h("f6|регистрийн дугаар|Регистр"), h("k6|РД|register no mn"), func(g gen, _ int) string {
			y, m, d := g.day(1945, 2007)
			if y >= 2000 {
				m += 20
			}
			return g.pick("УБ ТА ЧП ИЮ ЖГ ОЮ") + fmt.Sprintf("%02d%02d%02d%s", y%100, m, d, g.raw(2))
		}},
		{"tj_tax", "identity_document", h("РМА|ИНН РТ"), h("рақами мушаххаси андозсупоранда"), func(g gen, _ int) string { return g.pick("0 1 5") + g.raw(8) }},
		{"ru_passport", "identity_document", h("Паспорт РФ|Серия и номер паспорта"), h("паспорт серия номер"), func(g gen, _ int) string {
			return g.pick("45 40 77 65") + fmt.Sprintf("%02d", g.IntN(24)) + " " + g.digits(6)
		}},
		{"dk_cpr", "", h("CPR-nr"), h("cpr nummer"), func(g gen, _ int) string { return g.compact("DDMMYY") + "-" + g.raw(4) }},
		{"identity_document", "ru_passport", h("passport_no|护照号码|Паспорт|Pasaport No|شماره گذرنامه"), h("رقم جواز السفر|पासपोर्ट संख्या|шиноснома|Passport Number"), func(g gen, _ int) string { return g.pick("E G N AC") + g.digits(7) }},
		{"hs_code", "", h("HS编码|код ТН ВЭД|hs_code"), h("GTIP|commodity code"), func(g gen, _ int) string { return fmt.Sprintf("%02d%02d", 1+g.IntN(76), 1+g.IntN(20)) + g.raw(6) }},
		{"email", "", h("f7|e-mail|邮箱|Эл. почта|ایمیل"), h("k7|البريد الإلكتروني|e-posta|и-мэйл"), func(g gen, _ int) string { return g.email() }},
		{"phone", "", h("f8|phone|手机号码|Телефон|تلفن همراه"), h("k8|GSM|утасны дугаар|телефон рақами"), func(g gen, _ int) string { return g.phoneRU() }},
		{"phone", "", h("f9|mobile_no|联系电话|моб. телефон"), h("k9|फ़ोन|cep telefonu"), func(g gen, _ int) string { return g.phoneCN() }},
		{"phone", "", h("f10|contactPhone|电话|тел."), h("k10|рақами телефон|байланыс нөмірі"), func(g gen, _ int) string {
			return g.pick("+99890 +996555 +99293 +37529 +90532 +98912 +91981 +92300 +97150 +96650 +37491 +99450 +97699") + g.digits(7)
		}},
		{"ip_address", "", h("client_ip|IP地址"), h("ip адрес|remote ip"), func(g gen, _ int) string {
			return fmt.Sprintf("%d.%d.%d.%d", 1+g.IntN(220), g.IntN(256), g.IntN(256), 1+g.IntN(254))
		}},
		{"birth_date", "child", h("dob|date_of_birth|出生日期|Дата рождения|туған күні|doğum tarihi"), h("تاریخ تولد|تاريخ الميلاد|जन्म तिथि|төрсөн огноо|tug'ilgan sana|туулган күнү"), func(g gen, _ int) string { return g.date(1940, 2008, "") }},
		{"gender", "", h("gender|性别|Пол|cinsiyet"), h("جنسیت|लिंग|хүйс|jinsi"), func(g gen, _ int) string { return g.pick("m f") }},
	}
	return append(append(s, words()...), bodies()...)
}

// words are names and addresses in many scripts.
func words() []sample {
	two := func(a, b string) func(gen, int) string {
		return func(g gen, _ int) string { return g.pick(a) + " " + g.pick(b) }
	}
	return []sample{
		{"person_name", "", h("f1|consignee|收货人|Получатель"), h("k1|联系人姓名|收件人"), func(g gen, _ int) string { return g.nameZH() }},
		{"person_name", "surname given_name", h("f2|full_name|姓名|ФИО"), h("k2|пациент|Ф.И.О."), func(g gen, _ int) string { return g.nameRU() }},
		{"person_name", "surname given_name", h("customer_name|PatientName|联系人"), h("cardholder|passenger name"), func(g gen, _ int) string { return g.nameEN() }},
		{"person_name", "surname given_name", h("Ad Soyad|hasta adı"), h("Müşteri Adı Soyadı|alıcı"), two("Ayşe Mehmet Zeynep Ömer Hüseyin Elif Burak Nurcan Gökhan Defne", "Örnekoğlu Deneme Yılmaz Kurgu Hayali Şahin Demir Çelik")},
		{"person_name", "surname given_name", h("نام و نام خانوادگی|گیرنده"), h("نام مشتری|نام بیمار"), two("رضا مهدی زهرا شیرین فرهاد مینا بهرام نسرین داریوش", "نمونه\u200cای خیالی احمدی رضایی کریمی موسوی")},
		{"person_name", "surname given_name", h("الاسم الكامل|اسم العميل"), h("اسم المريض|المستلم"), two("محمد أحمد فاطمة خالد نورة يوسف سارة عمر ليلى", "التجريبي الخيالي الحربي المثال القحطاني السالم")},
		{"person_name", "surname given_name", h("पूरा नाम|ग्राहक का नाम"), h("रोगी का नाम|प्राप्तकर्ता"), two("राहुल प्रिया अमित सुनीता दीपक नेहा विजय कविता", "शर्मा वर्मा उदाहरण काल्पनिक गुप्ता सिंह")},
		{"person_name", "surname given_name", h("аты-жөні|ТАӘ алушы"), h("толық аты|науқас"), two("Нұрлан Айгүл Ержан Сәуле Дәулет Әсел Бауыржан", "Үлгібаев Ойдан Мысалова Сериков Ахметова Қиялов")},
		{"person_name", "surname given_name", h("F.I.Sh.|to'liq ism"), h("Ism familiya|bemor"), two("Karimov Namunayev Xayoliyev Tosheva Aliyeva", "Akmal_Botir_o'g'li Dilnoza_Rustam_qizi Jasur_Aziz_o'g'li Malika_Zafar_qizi")},
		{"person_name", "surname given_name", h("Ф.И.Ш.|тўлиқ исм"), h("исм фамилия|бемор"), two("Каримов Намунаев Хаёлиев Тошева", "Акмал_Ботир_ўғли Дилноза_Рустам_қизи Жасур_Азиз_ўғли")},
		{"person_name", "surname given_name", h("аты жөнү|алуучу"), h("толук аты|бейтап"), two("Үлгүбаев Ойдонов Асанова Токтогулова", "Нурбек_Асан_уулу Айзада_Бакыт_кызы Азамат_Кубат_уулу")},
		{"person_name", "surname given_name", h("ному насаб|гиранда"), h("номи пурра|корманд"), two("Фирдавс Парвиз Мунира Далер Шаҳноза Фаррух", "Намунаев Хаёлзода Раҳимзода Саидов")},
		{"person_name", "surname given_name", h("Овог нэр|Хүлээн авагч"), h("овог, нэр|өвчтөн"), two("Бат-Эрдэнэ Д.Болд Г.Сарангэрэл Н.Ганбаатар О.Цэцэгмаа", "Загварын Жишээт Бат Дорж")},
		{"person_name", "surname given_name", h("անուն ազգանուն"), h("ստացող"), two("Արամ Տիգրան Անահիտ Նարե Գագիկ", "Օրինակյան Պետրոսյան Հորինվածյան Սարգսյան")},
		{"surname", "person_name given_name", h("last_name|surname|姓氏|Фамилия"), h("soyadı|фамилия клиента"), func(g gen, _ int) string { return g.surnameRU() }},
		{"postal_address", "", h("f3|delivery_address|收货地址"), h("k3|residence|shipping addr"), func(g gen, _ int) string {
			return fmt.Sprintf("%d %s, Apt %d", 1+g.IntN(200), g.pick("Example_Street Sample_Road Fiction_Avenue Nowhere_Lane"), g.IntN(90))
		}},
		{"postal_address", "", h("f4|家庭住址"), h("k4|寄件地址"), func(g gen, _ int) string {
			return g.pick("虚构省样例市 示例省虚拟市 乌有省无名市") + g.pick("东区 西区 南区") + g.pick("和平路 样例街 示范大道") + fmt.Sprint(1+g.IntN(300)) + "号"
		}},
		{"postal_address", "", h("f5|Адрес доставки"), h("k5|место жительства"), func(g gen, _ int) string {
			return "г. " + g.pick("Примерск Образцово Вымыслов") + ", ул. " + g.pick("Ленина Абая Тестовая") + ", д. " + fmt.Sprint(1+g.IntN(90)) + ", кв. " + fmt.Sprint(1+g.IntN(120))
		}},
		{"postal_address", "", h("f6|Teslimat adresi"), h("k6|ikametgah"), func(g gen, _ int) string {
			return g.pick("Örnek Deneme Hayal") + " Mah. " + g.pick("Kurgu Uydurma") + " Sok. No: " + fmt.Sprint(1+g.IntN(90)) + " Daire " + fmt.Sprint(1+g.IntN(20))
		}},
		{"postal_address", "", h("f7|نشانی"), h("k7|محل سکونت"), func(g gen, _ int) string {
			return "خیابان " + g.pick("نمونه خیالی آزمایش") + "، کوچه " + g.pick("یکم دوم") + "، پلاک " + fmt.Sprint(1+g.IntN(99))
		}},
		{"postal_address", "", h("f8|العنوان"), h("k8|عنوان السكن"), func(g gen, _ int) string {
			return "شارع " + g.pick("المثال التجربة") + "، حي " + g.pick("الخيال النموذج") + "، شقة " + fmt.Sprint(1+g.IntN(60))
		}},
		{"postal_address", "", h("f9|पता"), h("k9|घर का पता"), func(g gen, _ int) string {
			return "मकान " + fmt.Sprint(1+g.IntN(400)) + ", " + g.pick("उदाहरण काल्पनिक") + " नगर, " + g.pick("नमूना परीक्षण") + " मार्ग"
		}},
		{"postal_address", "", h("f10|Manzil"), h("k10|yashash manzili"), func(g gen, _ int) string {
			return g.pick("Namuna Xayol") + " tumani, " + g.pick("Misol Sinov") + " ko'chasi, " + fmt.Sprint(1+g.IntN(90)) + "-uy"
		}},
		{"postal_address", "", h("f11|Гэрийн хаяг"), h("k11|оршин суугаа хаяг"), func(g gen, _ int) string {
			return g.pick("Жишээ Загвар") + " дүүрэг, " + fmt.Sprint(1+g.IntN(20)) + "-р хороо, " + fmt.Sprint(1+g.IntN(90)) + " байр, " + fmt.Sprint(1+g.IntN(90)) + " тоот"
		}},
		{"postal_address", "", h("f12|мекенжайы"), h("k12|тұрғылықты жері"), func(g gen, _ int) string {
			return g.pick("Үлгі Мысал") + " қаласы, " + g.pick("Абай Сынақ") + " көшесі, " + fmt.Sprint(1+g.IntN(90)) + "-үй"
		}},
	}
}

// bodies are health, genes, biometrics and places.
func bodies() []sample {
	decimals := func(g gen, lo float64, span float64) string { return fmt.Sprintf("%.6f", lo+span*g.Float64()) }
	return []sample{
		{"health", "", h("diagnosis|诊断|Диагноз|tanı"), h("تشخیص|निदान|онош|التشخيص|tashxis"), func(g gen, _ int) string { return g.pick("J06.9 I10 E11.9 K29.1 A09") }},
		{"health", "", h("f1"), h("k1"), func(g gen, _ int) string {
			return g.from("ABCDEFGHIJKLMNOPRSTZ", 1) + g.raw(2) + []string{"", ".0", ".1", ".9"}[g.IntN(4)]
		}},
		{"genetic", "", h("f2|genotype_seq"), h("k2|dna_sequence"), func(g gen, _ int) string { return g.from("ACGT", 40+g.IntN(40)) }},
		{"genetic", "", h("f3|hgvs"), h("k3|variant"), func(g gen, _ int) string {
			return g.pick("NM_000059.3 NM_007294.4 NM_000546.6") + ":c." + g.digits(3) + g.pick("A C") + ">" + g.pick("G T")
		}},
		{"biometric", "", h("f4|face_template"), h("k4|шаблон лица"), func(g gen, _ int) string {
			return "Rk1SACAyMAAA" + g.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789+/", 120)
		}},
		{"biometric", "", h("face_embedding|指纹|Отпечатки|parmak izi"), h("اثر انگشت|بصمة|хурууны хээ|voice embedding"), func(g gen, _ int) string { return g.digits(30) }},
		{"religion", "", h("religion|宗教信仰|Вероисповедание"), h("دین|धर्म|шашин|dini inanç"), func(g gen, _ int) string { return g.pick("a b c none") }},
		{"ethnicity", "", h("ethnicity|民族|Национальность"), h("ұлты|millati|قومیت"), func(g gen, _ int) string { return g.pick("汉 回 满 other") }},
		{"criminal_record", "", h("criminal_record|судимость|犯罪记录"), h("adli sicil|سوء پیشینه"), func(g gen, _ int) string { return g.pick("yes no") }},
		{"salary", "", h("salary|工资|Оклад|maaş"), h("الراتب|वेतन|цалин|жалақы"), func(g gen, _ int) string { return g.digits(6) }},
		{"credential", "", h("password_hash|пароль|密码"), h("şifre|رمز عبور|нууц үг"), func(g gen, _ int) string { return fmt.Sprintf("%016x", g.Uint64()) }},
		{"telecom_subscriber", "", h("imsi|被叫号码|номер абонента"), h("abone no|رقم المشترك"), func(g gen, _ int) string { return "46000" + g.digits(10) }},
		{"vehicle_plate", "identity_document", h("plate_no|车牌号|госномер"), h("plaka|улсын дугаар"), func(g gen, _ int) string { return g.caps(1) + g.digits(3) + g.caps(2) + "77" }},
		{"coordinates", "", h("f5|geom"), h("k5|геометрия"), func(g gen, _ int) string {
			return "POINT(" + decimals(g, 70, 8) + " " + decimals(g, 40, 8) + ")"
		}},
		{"coordinates", "", h("f6|gps"), h("k6|مختصات"), func(g gen, _ int) string { return decimals(g, 40, 8) + ", " + decimals(g, 70, 8) }},
		{"coordinates", "", h("f7|координаты"), h("k7|坐标"), func(g gen, _ int) string {
			return fmt.Sprintf("%d°%02d'%02d\"N %d°%02d'%02d\"E", 40+g.IntN(8), g.IntN(60), g.IntN(60), 70+g.IntN(8), g.IntN(60), g.IntN(60))
		}},
		{"coordinates", "", h("f8|position"), h("k8|координата"), func(g gen, _ int) string {
			return fmt.Sprintf("%d°%02d′%02d″ с.ш. %d°%02d′%02d″ в.д.", 40+g.IntN(8), g.IntN(60), g.IntN(60), 70+g.IntN(8), g.IntN(60), g.IntN(60))
		}},
		{"coordinates", "", h("f9|mgrs"), h("k9|grid"), func(g gen, _ int) string { return g.pick("43T 44U 45S") + g.from("ABCDEFGHJK", 2) + g.raw(10) }},
		{"coordinates", "", h("f10|plus code"), h("k10|olc"), func(g gen, _ int) string {
			return "8" + g.from("23456789CFGHJMPQRVWX", 7) + "+" + g.from("23456789CFGHJMPQRVWX", 2)
		}},
		{"coordinates", "", h("f11|geojson"), h("k11|geometry"), func(g gen, _ int) string {
			return `{"type":"Point","coordinates":[` + decimals(g, 70, 8) + "," + decimals(g, 40, 8) + "]}"
		}},
	}
}

// innocent columns hold nothing of the kind, and many look as if they did.
func innocent() []sample {
	none := func(headers, held string, f func(gen, int) string) sample {
		return sample{"", "", h(headers), h(held), f}
	}
	s := []sample{
		none("f1|order_no|运单号|номер заказа|sipariş no", "k1|رقم الطلب|ऑर्डर नंबर|захиалгын дугаар", func(g gen, _ int) string { return g.digits(12) }),
		none("f2|batch|批次|партия", "k2|lot", func(g gen, i int) string { return fmt.Sprintf("2411%02d%06d", 1+i%28, 300000+i) }),
		none("f3|trace_id", "k3|span", func(g gen, _ int) string { return g.digits(18) }),
		none("f4|tracking", "k4|parcel", func(g gen, _ int) string { return "4" + g.digits(15) }),
		none("f5|ean", "k5|barcode", func(g gen, _ int) string { return g.ean("690" + g.raw(9)) }),
		none("f6|gtin", "k6|штрихкод", func(g gen, _ int) string { return g.ean("1460" + g.raw(9)) }),
		none("f7|isbn", "k7|book", func(g gen, _ int) string { return g.ean("978" + g.raw(9)) }),
		none("row|seq", "k8|line", func(_ gen, i int) string { return fmt.Sprint(100000000000 + i) }),
		none("f9|created_ts", "k9|unix", func(g gen, _ int) string { return fmt.Sprint(1700000000 + g.IntN(9000000)) }),
		none("f10|created_ms", "k10|epoch", func(g gen, _ int) string { return fmt.Sprint(1700000000000 + g.Int64N(9000000000)) }),
		none("f11|stamp", "k11|logged", func(g gen, _ int) string {
			y, m, d := g.day(2018, 2026)
			return fmt.Sprintf("%04d%02d%02d%02d%02d%02d", y, m, d, g.IntN(24), g.IntN(60), g.IntN(60))
		}),
		none("created_at|下单日期|Дата заказа|sipariş tarihi", "updated|تاریخ سفارش|захиалсан огноо", func(g gen, _ int) string { return g.date(2020, 2025, "") }),
		none("f12|weight|重量|Вес|ağırlık", "k12|وزن|жин", func(g gen, _ int) string { return fmt.Sprintf("%d.%02d", g.IntN(500), g.IntN(100)) }),
		none("f13|amount|金额|Сумма|tutar", "k13|المبلغ|राशि|дүн", func(g gen, _ int) string { return fmt.Sprintf("%d", g.IntN(1000000)*100) }),
		none("f14|price", "k14|цена", func(g gen, _ int) string { return fmt.Sprintf("%d,%03d.%02d", 1+g.IntN(99), g.IntN(1000), g.IntN(100)) }),
		none("uuid|request", "k15|correlation", func(g gen, _ int) string {
			return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", g.Uint32(), g.IntN(65536), g.IntN(4096), g.IntN(65536), g.Int64N(1<<48))
		}),
		none("sha1|f16", "k16|checksum", func(g gen, _ int) string { return fmt.Sprintf("%016x%016x%08x", g.Uint64(), g.Uint64(), g.Uint32()) }),
		none("md5", "etag", func(g gen, _ int) string { return fmt.Sprintf("%016X%016X", g.Uint64(), g.Uint64()) }),
		none("f17|qty|数量|количество|adet", "k17|الكمية|मात्रा|тоо", func(g gen, _ int) string { return fmt.Sprint(g.IntN(1000)) }),
		none("f18|serial", "k18|sn", func(g gen, _ int) string { return g.digits(11) }),
		none("f19|meter", "k19|счётчик", func(g gen, _ int) string { return g.digits(15) }),
		none("f20|ticket", "k20|case", func(g gen, _ int) string { return g.digits(10) }),
		none("f21|doc", "k21|ref", func(g gen, _ int) string { return g.digits(9) }),
		none("f22|unit no", "k22|asset", func(g gen, _ int) string { return g.digits(13) }),
		none("f23|contract", "k23|договор", func(g gen, _ int) string { return g.digits(14) }),
		none("f24|licence key", "k24|activation", func(g gen, _ int) string {
			return groups(g.from("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 20), "-", 5, 5, 5, 5)
		}),
		none("f25|part", "k25|артикул", func(g gen, _ int) string { return g.caps(5) + g.raw(4) + g.caps(1) }),
		none("f26|code", "k26|индекс товара", func(g gen, _ int) string { return g.raw(8) + g.caps(1) }),
		none("f27|slot", "k27|bay", func(g gen, _ int) string { return g.caps(4) + g.raw(7) }),
		none("f28|invoice", "k28|счёт-фактура", func(g gen, i int) string { return fmt.Sprintf("INV-2024-%05d", i) }),
		none("f29|lab batch", "k29|plot ref", func(g gen, _ int) string { return g.digits(5) + "-" + g.raw(1) }),
		none("f30|stock", "k30|инвентарный", func(g gen, _ int) string { return g.pick("АБ ТС КМ") + g.raw(8) }),
		none("f31|ratio", "k31|odds", func(g gen, _ int) string { return fmt.Sprintf("%d/%d", g.IntN(9), 1+g.IntN(9)) }),
		none("f32|states", "k32|territory", func(g gen, _ int) string { return g.pick("CA GA CT NY TX WA AC TG OH FL") }),
		none("f33|size", "k33|dims", func(g gen, _ int) string {
			return fmt.Sprintf("%d.%d, %d.%d", g.IntN(90), g.IntN(10), g.IntN(90), g.IntN(10))
		}),
		none("f34|reading", "k34|показание", func(g gen, _ int) string { return fmt.Sprintf("%.4f", 10+50*g.Float64()) }),
		none("version", "build", func(g gen, _ int) string { return fmt.Sprintf("%d.%d.%d", g.IntN(9), g.IntN(20), g.IntN(9)) }),
		none("url", "ссылка", func(g gen, _ int) string { return "https://shop.example/p/" + g.digits(8) + "?c=" + g.digits(3) }),
		none("f35|colour code", "k35|hex", func(g gen, _ int) string { return fmt.Sprintf("#%06x", g.IntN(1<<24)) }),
		none("in_stock|有货|в наличии", "stokta|موجود", func(g gen, _ int) string { return g.pick("true false") }),
		none("flight|航班|рейс", "uçuş|پرواز", func(g gen, _ int) string { return g.pick("KC CZ SU") + g.digits(3) }),
		none("currency|币种|валюта", "para birimi|ارز", func(g gen, _ int) string { return g.pick("CNY KZT RUB USD") }),
		none("f36|voucher", "k36|купон", func(g gen, _ int) string { return "784" + g.raw(12) }),
		none("f37|terminal", "k37|kiosk", func(g gen, _ int) string { return g.pick("1 2") + g.raw(9) }),
		none("f38|bin code", "k38|rack", func(g gen, _ int) string { return g.pick("A B C D") + g.raw(2) }),
	}
	return append(s, innocentWords()...)
}

// ean completes a number of trade items.
func (g gen) ean(s string) string {
	sum := 0
	for i := range s {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 0 {
			d *= 3
		}
		sum += d
	}
	return s + fmt.Sprint((10-sum%10)%10)
}

func innocentWords() []sample {
	list := func(headers, held, words string) sample {
		return sample{"", "", h(headers), h(held), func(g gen, _ int) string { return g.pick(words) }}
	}
	return []sample{
		list("product_name|商品名称|Наименование товара|ürün adı", "item title|اسم المنتج|उत्पाद नाम", "Garlic Desk_Lamp Copper_Wire Rice Truck_Tyre Steel_Pipe Cotton Glass"),
		list("品名|f1", "货物名称|k1", "大蒜 台灯 铜线 大米 轮胎 钢管 棉花 玻璃 电缆 水泥 苹果 机床 阀门"),
		list("город|f2", "шаҳар|k2", "Алматы Москва Астана Казань Омск Тверь Шымкент Пермь Караганда"),
		list("city|f3", "şehir|k3", "Almaty Moscow Beijing Kazan Omsk New_York Astana Shanghai"),
		list("目的城市|f4", "到达城市|k4", "北京 上海 广州 深圳 乌鲁木齐 西安 成都 武汉 重庆 天津 霍尔果斯 阿拉木图"),
		list("company|公司名称|Компания|şirket", "supplier|الشركة|कंपनी", "Alpha_Trade_LLP Beta_Cargo Gamma_Steel Delta_Foods Omega_Lines"),
		list("status|状态|Статус|durum", "حالة|स्थिति|төлөв", "new sent held done"),
		list("port_of_loading|港口", "порт|liman", "Qingdao Ningbo Aktau Tianjin Vladivostok"),
		list("товар|f5", "мол|k5", "Гвозди Кабель_медный Труба_стальная Цемент Лук_репчатый Сахар Бумага_офисная"),
		list("کالا|f6", "شرح کالا|k6", "سیم_مسی لوله_فولادی برنج پسته سیمان شیشه کاغذ"),
		list("البضاعة|f7", "وصف المنتج|k7", "أنابيب_فولاذ أسلاك_نحاس أرز إسمنت زجاج ورق تمور"),
		list("उत्पाद|f8", "वस्तु|k8", "चावल सीमेंट तांबे_का_तार कागज इस्पात_पाइप कांच"),
		list("ürün|f9", "malzeme|k9", "Çelik_boru Bakır_tel Pirinç Çimento Kağıt Şişe"),
		list("mahsulot|f10", "tovar nomi|k10", "Paxta Guruch Mis_sim Sement Shisha Temir_quvur"),
		list("бараа|f11", "бүтээгдэхүүн|k11", "Ноолуур Цемент Зэс_утас Нүүрс Шил Төмөр_хоолой"),
		list("note|f12", "comment|k12", "left_at_the_door call_before_delivery fragile_cargo no_remarks keep_dry customs_cleared"),
		list("примечание|f13", "комментарий|k13", "не_кантовать хранить_в_сухом_месте оставить_на_складе без_замечаний груз_принят"),
		list("备注|f14", "说明|k14", "易碎品轻放 货物已清关 存放于干燥处 无备注 外箱完好 请勿倒置"),
		list("f15|team", "k15|brand", "Alpha Beta Gamma Delta Omega Sigma Lambda Kappa"),
	}
}
