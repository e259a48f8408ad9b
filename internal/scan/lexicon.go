package scan

import (
	"strings"
	"unicode"
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
// fits lowers it where values contradict.
type kind struct {
	id       string
	classes  string // members of the vocabulary's data_classes, most specific first
	part     part
	strength float64
	words    string
	fits     func(*column) float64 // share of values that could be this; nil: any
}

// kinds is the lexicon of headers in English, Chinese, Russian and Kazakh. A
// word with a star matches a beginning, one with = the whole header; Han is
// found anywhere. Word lists are separated by commas.
func kinds() []kind {
	return []kind{
		{"person_name", "personal", namePart, 0.9, "fio,xingming,xing ming,cust nm,cust name,contact person,account holder,signatory,owner name,staff name,member name,user full name,guest name,guest,buyer name,seller name,payer name,payee name,负责人,经办人,业务员,法人代表,签收人,买家,旅客姓名,родитель,имя получателя,имя отправителя,имя пациента,имя клиента,ответственный,менеджер,подписант,жіберуші,алушы,full name,fullname,person name,customer name,client name,patient name,employee name,contact name,recipient,recipient name,consignee,receiver,receiver name,sender,sender name,shipper,consignor,addressee,cardholder,card holder,holder name,beneficiary name,applicant,passenger,student name,teacher,doctor,physician,driver,guardian name,next of kin,姓名,名字,收货人,收件人,发货人,寄件人,发件人,联系人,持卡人,患者姓名,旅客,申请人,法定代表人,投保人,被保险人,司机,客户名,фио,ф и о,полное имя,получатель,получателя,отправитель,отправителя,пациент,сотрудник,работник,контактное лицо,держатель,владелец,заявитель,пассажир,водитель,врач,плательщик,аты жөні,тегі аты", (*column).fitsName},
		{"person_name", "personal", namePart, 0.6, "=name,name,=имя клиента,=клиент,=client,=customer,=patient,=employee,=contact,=student,=患者,=客户,=员工,=学生,=аты", (*column).fitsName},
		{"given_name", "personal", namePart, 0.85, "imya,fname,first nm,first name,firstname,given name,givenname,forename,=имя,имя,=名,аты", (*column).fitsName},
		{"surname", "personal", namePart, 0.9, "familiya,familia,lname,last nm,last name,lastname,family name,familyname,surname,second name,=姓,姓氏,фамил*,тегі", (*column).fitsName},
		{"patronymic", "personal", namePart, 0.9, "otchestvo,middle name,middlename,patronymic,отчеств*,әкесінің аты", (*column).fitsName},
		{"birth_date", "personal", birthPart, 0.9, "birth dt,birthdt,bday,dateofbirth,data rozhdeniya,датарождения,出生年,生辰,dob,birth date,birthdate,date of birth,birthday,date birth,born,出生日期,生日,出生年月,дата рождения,дата рожд,д р,др,туған күні", (*column).fitsBirth},
		{"birth_place", "personal", attrPart, 0.8, "birth place,birthplace,place of birth,出生地,籍贯,место рождения", (*column).fitsText},
		{"gender", "personal", attrPart, 0.75, "gender,sex,性别,=пол,жынысы", (*column).fitsFew},
		{"age", "personal", attrPart, 0.65, "=age,age years,年龄,возраст,жасы", (*column).fitsAge},
		{"cn_resident_id", "personal", idPart, 0.55, "shenfenzheng,sfz,sfzh,身份证*,公民身份,resident id,id card,idcard", (*column).fitsDocument},
		{"identity_document", "personal", idPart, 0.8, "паспортсерия,паспортномер,passportnumber,passportno,passport id,id no,idno,passport,passport no,passport number,护照,证件号,证件号码,паспорт*,серия и номер,удостоверение*,national id,identity number,identity document,document number,doc number,id number,driver license,driving licence,驾驶证,ssn,social security,жеке куәлік", (*column).fitsDocument},
		{"kz_iin", "personal", idPart, 0.5, "zhsn,个人识别号,iin,иин,жсн", (*column).fitsDocument},
		{"ru_inn_person", "personal", idPart, 0.4, "инн,inn", (*column).fitsINN},
		{"ru_snils", "personal", idPart, 0.6, "снилс,snils", (*column).fitsDocument},
		{"person_reference", "personal", refPart, 0.62, "id client,client no,customer no,custid,cust id,customer id,client id,user id,userid,uid,patient id,employee id,employee no,staff id,member id,student id,person id,subject id,account holder id,passenger id,subscriber id,用户id,用户编号,客户编号,客户id,员工编号,工号,学号,患者编号,会员号,табельный*,код клиента,номер клиента,id клиента,id пациента,клиент id", (*column).fitsKey},
		{"login", "personal", attrPart, 0.65, "username,user name,login,nickname,screen name,用户名,昵称,账户名,логин,ник", (*column).fitsText},
		{"phone", "personal", attrPart, 0.85, "telefon,tel no,telno,phone1,phone2,shouji,dianhua,контактный номер,phone*,mobile,mobile no,tel,telephone,cell phone,cellphone,fax,whatsapp,电话,手机,手机号,联系方式,телефон*,=тел,=моб,мобильный*,ұялы", (*column).fitsPhone},
		{"email", "personal", attrPart, 0.85, "emailaddress,email1,email,e mail,mail,邮箱,电子邮件,почта,эл почта,электронная почта", (*column).fitsEmail},
		{"postal_address", "personal", attrPart, 0.75, "addr1,addr2,address1,address2,address line 1,address line 2,adres,dizhi,homeaddress,收件地址,寄件地址,家庭住址,户籍,address,addr,home address,street,street address,residence,地址,住址,收货地址,住所,адрес*,=улица,место жительства,мекенжай*", (*column).fitsText},
		{"ip_address", "personal", attrPart, 0.7, "ip,ip address,ip addr,client ip,ip地址,ip адрес", (*column).fitsIP},
		{"device_id", "personal", attrPart, 0.65, "device id,mac address,advertising id,idfa,gaid,cookie,cookie id,设备号,设备标识", nil},
		{"credential", "credential,personal", attrPart, 0.7, "password*,passwd,pwd,pin code,secret answer,security answer,密码,口令,пароль*,пин код", nil},
		{"vehicle", "vehicle", attrPart, 0.65, "vin,vin code,vehicle id,chassis number,车架号,вин,vin код", (*column).fitsDocument},
		{"vehicle_plate", "vehicle,personal", attrPart, 0.65, "plate,plate no,license plate,licence plate,车牌*,госномер,гос номер,номер авто", (*column).fitsDocument},
		{"marital_status", "personal", attrPart, 0.65, "marital status,marital,婚姻*,семейное положение", (*column).fitsFew},
		{"nationality", "personal", attrPart, 0.65, "nationality,citizenship,国籍,гражданство,азаматтығы", (*column).fitsFew},
		{"photo", "personal", attrPart, 0.6, "photo,portrait,avatar,照片,фото,фотография", nil},
		{"salary", "financial,personal", attrPart, 0.7, "salary,wage,wages,income,工资,薪资,收入,зарплата,оклад,доход", nil},
		{"health", "health,personal", attrPart, 0.8, "diagnosis*,icd,icd 10,icd10,disease,illness,blood type,blood group,blood pressure,medication,medications,allergy,allergies,medical history,medical record,mrn,prescription,symptom*,hiv,pregnant,pregnancy,disability,treatment,vaccin*,bmi,诊断,病历,疾病,血型,过敏,症状,体检,用药,病史,疫苗,血压,диагноз*,болезн*,заболеван*,анамнез,мкб,мкб 10,группа крови,аллерг*,инвалидн*,лечение,симптом*,вакцин*,беременн*,диагнозы", nil},
		{"biometric", "biometric,personal", attrPart, 0.8, "fingerprint*,face id,face template,face embedding,face vector,faceprint,iris,retina,voiceprint,voice template,palm print,biometric*,指纹,人脸,虹膜,声纹,掌纹,отпечат*,биометр*,радужк*,слепок голоса,шаблон лица", nil},
		{"genetic", "genetic,personal", attrPart, 0.8, "genome,genotype,genomic*,snp,rsid,dna,dna sequence,allele*,haplotype,exome,基因*,遗传*,днк,геном*,генотип*,аллел*,генетич*", nil},
		{"religion", "belief,personal", attrPart, 0.8, "religion,religious*,faith,宗教*,религи*,вероисповед*,дін", (*column).fitsFew},
		{"ethnicity", "sensitive,personal", attrPart, 0.75, "ethnicity,ethnic,ethnic group,race,民族,种族,национальность,этнич*,раса,ұлты", (*column).fitsFew},
		{"political_view", "belief,personal", attrPart, 0.75, "political*,party membership,政治面貌,党派,политич*,партийность", (*column).fitsFew},
		{"union_membership", "sensitive,personal", attrPart, 0.75, "trade union,union member,union membership,工会,профсоюз*", (*column).fitsFew},
		{"sex_life", "sensitive,personal", attrPart, 0.8, "sexual orientation,sexuality,性取向,сексуальн*", (*column).fitsFew},
		{"criminal_record", "criminal_record,personal", attrPart, 0.8, "criminal record,criminal*,conviction*,犯罪*,судимост*", (*column).fitsFew},
		{"child", "child,personal", attrPart, 0.65, "child name,child,children,minor,pupil,guardian,监护人,未成年*,儿童,ребен*,ребён*,несовершеннолет*,опекун*", (*column).fitsText},
		{"payment_card", "payment,personal", attrPart, 0.6, "card number,card no,cardnumber,credit card,debit card,pan,cvv,cvc,银行卡*,卡号,номер карты,карта", (*column).fitsCard},
		{"bank_account", "financial,personal", attrPart, 0.7, "iban,bank account,account number,account no,acct no,银行账号,银行账户,账号,расчетный счет,расчётный счёт,номер счета,номер счёта,лицевой счет", (*column).fitsDocument},
		{"credit_record", "financial,personal", attrPart, 0.75, "credit score,credit rating,credit history,loan amount,account balance,征信*,信用分,余额,贷款,кредитн* рейтинг,кредитная история,остаток на счете,баланс счета", nil},
		{"telecom_subscriber", "telecom_subscriber,personal", attrPart, 0.8, "imsi,iccid,msisdn,subscriber,subscriber number,calling number,called number,caller,callee,caller id,cdr,call duration,cell id,lac,主叫*,被叫*,用户号码,通话*,基站*,абонент*,номер абонента,вызывающий*,вызываемый*,длительность вызова", nil},
		{"imei", "telecom_subscriber,personal", attrPart, 0.6, "imei,meid", (*column).fitsDocument},
		{"insurance_record", "insurance_record,personal", attrPart, 0.75, "policy number,policy no,insured,insured name,policyholder,claim number,claim no,保单*,被保险人,投保人,理赔*,номер полиса,полис*,страхователь,застрахован*", nil},
		{"aml_kyc", "aml_kyc,personal", attrPart, 0.75, "kyc*,aml*,pep,pep flag,sanctions hit,sanctions match,反洗钱,尽职调查,под фт,пдл", nil},
		{"latitude", "geospatial", attrPart, 0.3, "lat,latitude,gps lat,纬度,широта,ендік", (*column).fitsLatitude},
		{"longitude", "geospatial", attrPart, 0.3, "lon,lng,long,longitude,gps lon,gps lng,经度,долгота,бойлық", (*column).fitsLongitude},
		{"coordinates", "geospatial", attrPart, 0.75, "coordinates,coords,geo point,geopoint,lat lon,lat lng,latlng,wkt,geom,geometry,gps,坐标,经纬度,координат*", nil},
		{"location_track", "location_track,personal", attrPart, 0, "", nil},
		{"classification_mark", "state_secret", attrPart, 0.4, "security classification,secrecy level,密级,гриф,гриф секретности,степень секретности", nil},
	}
}

// notPeople are words that turn a name into the name of something else.
const notPeople = "product*,item*,goods,file,filename,company,organisation,organization,org,brand,city,country,port,vessel,ship,bank,school,department,dept,warehouse,category,table,event,project,column,field,domain,host,hostname,server,model,species,station,street,region,state,province,hotel,store,shop,course,color,colour,unit,sku,package,method,class,商品*,品名,公司*,企业*,单位*,产品*,货物*,项目*,城市,国家,银行,仓库,部门,品牌,文件,学校,医院,товар*,наименован*,назван*,компани*,организац*,предприят*,город*,стран*,банк*,склад*,продукт*,файл*,отдел*,марк*,модел*"

// parties tell whom a column is about when a row names several people.
const parties = "sender:sender,shipper,consignor,发货*,寄件*,发件*,отправител*;recipient:recipient,consignee,receiver,addressee,收货*,收件*,получател*;" +
	"emergency:emergency,next of kin,紧急*,экстренн*;guardian:guardian,parent,mother,father,监护*,父亲*,母亲*,родител*,опекун*,мать,отец;" +
	"spouse:spouse,husband,wife,配偶*,супруг*;doctor:doctor,physician,医生*,врач*;driver:driver,司机*,водител*;courier:courier,快递员*,курьер*;payer:payer,付款*,плательщик*;" +
	"payee:payee,beneficiary,收款*,受益*,бенефициар*;caller:caller,calling,主叫*,вызывающ*;callee:callee,called,被叫*,вызываем*;contact:contact,联系人*,контактн*;insured:insured,被保险*,застрахован*"

// lexicon is the table compiled for matching.
type lexicon struct {
	kinds   []kind
	words   [][]pattern
	not     []pattern
	parties []party
}

type party struct {
	name  string
	words []pattern
}

type pattern struct {
	text  string
	whole bool
	han   bool
}

func newLexicon() *lexicon {
	l := &lexicon{kinds: kinds(), not: compile(notPeople)}
	for _, k := range l.kinds {
		l.words = append(l.words, compile(k.words))
	}
	for p := range strings.SplitSeq(parties, ";") {
		name, words, _ := strings.Cut(p, ":")
		l.parties = append(l.parties, party{name, compile(words)})
	}
	return l
}

func compile(list string) (out []pattern) {
	for w := range strings.SplitSeq(list, ",") {
		if w == "" {
			continue
		}
		p := pattern{}
		if w, p.whole = strings.CutPrefix(w, "="); strings.IndexFunc(w, isHan) >= 0 {
			p.han, p.text = true, strings.TrimSuffix(w, "*")
		} else if stem, ok := strings.CutSuffix(w, "*"); ok {
			p.text = " " + stem
		} else {
			p.text = " " + w + " "
		}
		out = append(out, p)
	}
	return out
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

// words splits a header at case changes and marks: " like this ".
func headerWords(name string) string {
	var b strings.Builder
	b.WriteByte(' ')
	var prev rune
	for _, r := range name {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if unicode.IsUpper(r) && unicode.IsLower(prev) {
				b.WriteByte(' ')
			}
			b.WriteRune(unicode.ToLower(r))
		case prev != ' ':
			b.WriteByte(' ')
			r = ' '
		}
		prev = r
	}
	b.WriteByte(' ')
	return strings.Join(strings.FieldsFunc(b.String(), func(r rune) bool { return r == ' ' }), " ")
}

func (p pattern) in(words string) bool {
	switch {
	case p.whole:
		return words == strings.TrimSpace(p.text)
	case p.han:
		return strings.Contains(words, p.text)
	}
	return strings.Contains(" "+words+" ", p.text)
}

func anyIn(ps []pattern, words string) bool {
	for _, p := range ps {
		if p.in(words) {
			return true
		}
	}
	return false
}

// hints gives the kinds that a header suggests, strongest reading first.
func (l *lexicon) hints(name string) (out []*kind) {
	words := headerWords(name)
	seen := map[string]bool{}
	for i := range l.kinds {
		k := &l.kinds[i]
		if seen[k.id] || !anyIn(l.words[i], words) {
			continue
		}
		if k.part == namePart && anyIn(l.not, words) {
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
			if has("phone", "email", "postal_address", "kz_iin", "ru_inn_person", "ru_snils", "cn_resident_id", "identity_document", "person_reference",
				"birth_date", "birth_place", "payment_card", "bank_account", "gender", "age", "login", "nationality", "device_id", "ip_address") {
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
	words := headerWords(name)
	for _, p := range l.parties {
		if anyIn(p.words, words) {
			return p.name
		}
	}
	return ""
}
