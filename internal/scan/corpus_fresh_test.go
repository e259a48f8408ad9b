package scan

import (
	"fmt"
	"slices"
)

// freshHeaders are of the third part, by identifier. They were written after
// the rules were finished and before the part was run for the first time;
// docs/scan.md gives the result of that run. A first header of "" leaves the
// values alone.
func freshHeaders() map[string][]string {
	return map[string][]string{
		"cn_resident_id": h("|客户证件号码|居民身份证"), "kz_iin": h("|IIN/BIN клиента|иин сотрудника"), "ru_inn_person": h("|ИНН работника|INN_FL"),
		"ru_snils": h("|№ СНИЛС|snils_num"), "payment_card": h("|CardNo|Банковская карта|شماره کارت بانکی"), "bank_account": h("|ibanNumber|شماره شبا|счёт клиента"),
		"in_aadhaar": h("|AadhaarNumber|आधार कार्ड"), "in_gstin": h("|GSTIN/UIN"), "uz_pinfl": h("|PINFL raqami|ЖШШИР рақами"), "by_personal": h("|Личный № (РБ)"),
		"ir_national": h("|کد ملی بیمار|NationalCode"), "tr_identity": h("|T.C. Kimlik|tcKimlikNo"), "tr_tax": h("|VKN/TCKN"), "ae_emirates": h("|EmiratesID_No"),
		"sa_identity": h("|رقم الإقامة / الهوية|IqamaNumber"), "cn_credit_code": h("|单位统一社会信用代码"), "kz_bin": h("|БИН поставщика"), "ru_inn_organisation": h("|ИНН юр. лица"),
		"ru_ogrn": h("|ОГРН/ОГРНИП"), "ru_ogrnip": h("|ОГРНИП ИП"), "de_tax_id": h("|SteuerIdentifikationsNr"), "fr_nir": h("|N° de sécurité sociale"), "it_codice_fiscale": h("|C.F."),
		"es_dni": h("|DNI/NIE cliente"), "pl_pesel": h("|Numer PESEL"), "nl_bsn": h("|BSN-nummer"), "se_personnummer": h("|Personnummer (10)"), "fi_hetu": h("|HETU/SOTU"),
		"be_national": h("|N° registre national"), "ro_cnp": h("|CNP angajat"), "bg_egn": h("|ЕГН на клиента"), "cz_rc": h("|RodneCislo"), "ee_lt_code": h("|Isikukood/ID"),
		"lv_personal": h("|Personas kods (LV)"), "pt_nif": h("|NIF do cliente"), "hr_oib": h("|OIB stranke"), "gr_amka": h("|ΑΜΚΑ ασθενή"), "no_fnr": h("|Fødselsnr"),
		"imei": h("|IMEI-1|imei устройства"), "vehicle": h("|VIN-код авто|车辆识别代号(VIN)|chassis"), "container": h("|Cntr. No.|箱号"), "air_waybill": h("|MAWB/HAWB"), "lei": h("|LEI code"),
		"loinc": h("|LOINC_NUM"), "machine_zone": h("|MRZ 2"), "at_svnr": h("|SV-Nummer"), "az_tax": h("|VÖEN kodu"), "by_unp": h("|УНП контрагента"), "ie_pps": h("|PPS No."), "si_emso": h("|EMŠO osebe"),
		"in_pan": h("|PAN No.|PAN of holder"), "pk_cnic": h("|CNIC/NICOP"), "kg_pin": h("|ПИН (ИНН) гражданина КР"), "am_public": h("ՀԾՀ համար"), "az_fin": h("FİN kodu"), "mn_register": h("|Регистрын №|РД дугаар"),
		"tj_tax": h("РМА-и шахс"), "ru_passport": h("Паспорт РФ, серия и №"), "dk_cpr": h("|CPR"), "identity_document": h("Reisepass-Nr|passport #|护照号|шиносномаи хориҷӣ|hujjat (pasport)"), "hs_code": h("ТНВЭД код|HS Code (10)"),
		"email": h("|Почтовый ящик|correo-e|メール"), "phone": h("|Контактный тел.|Tel./Cep|电话号码|رقم جوال العميل"), "ip_address": h("IP клиента|srcIP"), "birth_date": h("Date-of-Birth|Д/р|出生日期(公历)|Doğum Tar.|tug'ilgan yili"),
		"gender": h("Sex (M/F)|Пол пациента|性别(男/女)"), "person_name": h("Full Name (as in passport)|Полное имя|姓名(中文)|İsim Soyisim|نام\u200cخانوادگی|اسم المريض الكامل|रोगी का पूरा नाम|to‘liq ismi|бүтэн нэр"),
		"surname": h("Surname/Family name|Фамилия (рус.)"), "postal_address": h("|Home Address 1|Адрес проживания|现住址|açık adres"), "health": h("Primary Diagnosis|Основной диагноз|主要诊断|Ön tanı"),
		"genetic": h("|DNA seq|генотип пациента"), "biometric": h("FaceTemplate|Биометрический шаблон|人脸特征"), "religion": h("Religious affiliation|Вероисповедание пациента"), "ethnicity": h("Ethnic origin|Национальность (этнич.)"),
		"criminal_record": h("Criminal convictions|Наличие судимости"), "salary": h("Monthly salary|З/п оклад|月工资"), "credential": h("user_password|Пароль (hash)|登录密码"), "telecom_subscriber": h("MSISDN A|Абонентский номер|主叫号码"),
		"vehicle_plate": h("Licence Plate #|Гос. номер ТС|车牌号码"), "coordinates": h("|GPS coords|Координаты объекта"),
	}
}

// freshInnocent are headers of columns that hold nothing.
func freshInnocent() []string {
	return h("|value|значение|字段|данные|veri|بيانات|мэдээлэл")
}

// freshPart scans every kind of column once more, dirtier and shorter.
func freshPart() []sample {
	var out []sample
	for i, s := range slices.Concat(checkedNumbers(), structured(), innocent()) {
		s.headers = freshHeaders()[s.want]
		if s.want == "" {
			all := freshInnocent()
			s.headers = []string{all[0], all[1+i%(len(all)-1)]}
		}
		s.headers = slices.Clone(s.headers)
		for k := range s.headers {
			if s.headers[k] == "" {
				s.headers[k] = fmt.Sprintf("var%d", i)
			}
		}
		// Without a header only what the corpus also gives without one can be told.
		if !blind(s) {
			s.headers = slices.DeleteFunc(s.headers, func(x string) bool { return len(x) > 3 && x[:3] == "var" })
		}
		s.held = s.headers
		out = append(out, s)
	}
	return out
}

// blind says whether the tuned part has this column without a header too.
func blind(s sample) bool {
	for _, k := range slices.Concat(checkedNumbers(), structured()) {
		if k.want == s.want && s.want != "" && len(k.held) > 0 && k.held[0] == s.heldFirst() {
			return k.held[0][0] == 'k'
		}
	}
	return s.want == ""
}

func (s sample) heldFirst() string {
	if len(s.held) == 0 {
		return ""
	}
	return s.held[0]
}
