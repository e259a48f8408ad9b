package scan

import "maps"

// labels names what can be recognised, and the classes of data.
func labels() dictionary {
	all := numberLabels()
	maps.Copy(all, kindLabels())
	return all
}

func kindLabels() dictionary {
	return dictionary{
		"person_name": {EN: "name of a person", ZH: "姓名", RU: "имя человека"}, "given_name": {EN: "given name", ZH: "名", RU: "имя"},
		"surname": {EN: "surname", ZH: "姓", RU: "фамилия"}, "patronymic": {EN: "patronymic", ZH: "父称", RU: "отчество"},
		"birth_date": {EN: "date of birth", ZH: "出生日期", RU: "дата рождения"}, "birth_place": {EN: "place of birth", ZH: "出生地", RU: "место рождения"},
		"gender": {EN: "sex", ZH: "性别", RU: "пол"}, "age": {EN: "age", ZH: "年龄", RU: "возраст"},
		"cn_resident_id":      {EN: "Chinese resident id (GB 11643)", ZH: "居民身份证号码（GB 11643）", RU: "китайское удостоверение личности (GB 11643)"},
		"identity_document":   {EN: "passport or identity document", ZH: "护照或身份证件", RU: "паспорт или удостоверение"},
		"kz_iin":              {EN: "Kazakh individual number (IIN)", ZH: "哈萨克斯坦个人识别号（IIN）", RU: "ИИН Казахстана"},
		"kz_bin":              {EN: "Kazakh business number (BIN); of an organisation", ZH: "哈萨克斯坦企业识别号（BIN，属于组织）", RU: "БИН Казахстана (организация)"},
		"ru_inn_person":       {EN: "Russian taxpayer number of a person (INN)", ZH: "俄罗斯个人税号（INN）", RU: "ИНН физического лица"},
		"ru_inn_organisation": {EN: "Russian taxpayer number of an organisation (INN)", ZH: "俄罗斯组织税号（INN）", RU: "ИНН организации"},
		"ru_snils":            {EN: "Russian insurance number (SNILS)", ZH: "俄罗斯社保号（SNILS）", RU: "СНИЛС"},
		"person_reference":    {EN: "key that stands for a person", ZH: "代表个人的编号", RU: "ключ, обозначающий человека"},
		"login":               {EN: "account name", ZH: "账户名", RU: "имя учётной записи"},
		"phone":               {EN: "telephone number", ZH: "电话号码", RU: "номер телефона"}, "email": {EN: "e-mail address", ZH: "电子邮箱", RU: "адрес эл. почты"},
		"postal_address": {EN: "postal address", ZH: "住址", RU: "почтовый адрес"}, "ip_address": {EN: "IP address", ZH: "IP 地址", RU: "IP-адрес"},
		"device_id": {EN: "device identifier", ZH: "设备标识", RU: "идентификатор устройства"}, "vehicle_plate": {EN: "vehicle plate", ZH: "车牌号", RU: "номер автомобиля"},
		"credential": {EN: "password or other credential", ZH: "密码等凭证", RU: "пароль или иной секрет"},
		"vehicle":    {EN: "vehicle data", ZH: "汽车数据", RU: "данные о транспорте"}, "marital_status": {EN: "marital status", ZH: "婚姻状况", RU: "семейное положение"},
		"nationality": {EN: "citizenship", ZH: "国籍", RU: "гражданство"}, "photo": {EN: "photograph", ZH: "照片", RU: "фотография"},
		"salary": {EN: "income", ZH: "收入", RU: "доход"}, "health": {EN: "health", ZH: "医疗健康", RU: "здоровье"}, "icd": {EN: "disease code (ICD-10)", ZH: "疾病编码（ICD-10）", RU: "код болезни (МКБ-10)"},
		"biometric": {EN: "biometrics", ZH: "生物识别", RU: "биометрия"}, "genetic": {EN: "genetics", ZH: "遗传信息", RU: "генетика"},
		"religion": {EN: "religion", ZH: "宗教信仰", RU: "вероисповедание"}, "ethnicity": {EN: "ethnicity or race", ZH: "民族或种族", RU: "национальность или раса"},
		"political_view": {EN: "political view", ZH: "政治面貌", RU: "политические взгляды"}, "union_membership": {EN: "trade union", ZH: "工会", RU: "профсоюз"},
		"sex_life": {EN: "sexual orientation", ZH: "性取向", RU: "интимная жизнь"}, "criminal_record": {EN: "criminal record", ZH: "犯罪记录", RU: "судимость"},
		"child": {EN: "children", ZH: "未成年人", RU: "дети"}, "payment_card": {EN: "payment card (Luhn)", ZH: "银行卡号（Luhn）", RU: "банковская карта (Лун)"},
		"bank_account": {EN: "bank account (IBAN)", ZH: "银行账户（IBAN）", RU: "банковский счёт (IBAN)"}, "credit_record": {EN: "credit or balance", ZH: "信用或余额", RU: "кредит или остаток"},
		"telecom_subscriber": {EN: "telecom subscriber", ZH: "电信用户", RU: "абонент связи"}, "imei": {EN: "handset number (IMEI)", ZH: "设备号（IMEI）", RU: "IMEI"},
		"insurance_record": {EN: "insurance record", ZH: "保险记录", RU: "страховые данные"}, "aml_kyc": {EN: "customer checks (KYC, AML)", ZH: "反洗钱与客户身份资料", RU: "проверка клиентов (ПОД/ФТ)"},
		"latitude": {EN: "latitude", ZH: "纬度", RU: "широта"}, "longitude": {EN: "longitude", ZH: "经度", RU: "долгота"}, "coordinates": {EN: "coordinates", ZH: "坐标", RU: "координаты"},
		"location_track": {EN: "movements of a person", ZH: "行踪轨迹", RU: "перемещения человека"}, "classification_mark": {EN: "secrecy mark", ZH: "密级标志", RU: "гриф секретности"},

		"personal": {EN: "personal", ZH: "个人信息", RU: "персональные"}, "sensitive": {EN: "sensitive", ZH: "敏感个人信息", RU: "чувствительные"},
		"payment": {EN: "payment", ZH: "支付", RU: "платёжные"}, "financial": {EN: "financial", ZH: "金融", RU: "финансовые"},
		"geospatial": {EN: "geospatial", ZH: "地理信息", RU: "геоданные"}, "belief": {EN: "belief", ZH: "信仰与政治观点", RU: "убеждения"},
		"state_secret": {EN: "state secret", ZH: "国家秘密", RU: "государственная тайна"},
	}
}

// numberLabels names numbers and codes.
func numberLabels() dictionary {
	return dictionary{
		"ru_passport": {EN: "Russian internal passport", ZH: "俄罗斯国内护照", RU: "паспорт гражданина РФ"},
		"ru_ogrn":     {EN: "Russian register number (OGRN); of an organisation", ZH: "俄罗斯法人登记号（OGRN，属于组织）", RU: "ОГРН (организация)"},
		"ru_ogrnip":   {EN: "Russian register number of a sole trader (OGRNIP)", ZH: "俄罗斯个体经营者登记号（OGRNIP）", RU: "ОГРНИП (предприниматель)"},
		"in_aadhaar":  {EN: "Indian Aadhaar number", ZH: "印度 Aadhaar 身份号码", RU: "индийский номер Aadhaar"},
		"in_pan":      {EN: "Indian permanent account number (PAN)", ZH: "印度永久账号（PAN）", RU: "индийский налоговый номер PAN"},
		"in_gstin":    {EN: "Indian goods and services tax number (GSTIN)", ZH: "印度商品与服务税号（GSTIN）", RU: "индийский номер плательщика GST (GSTIN)"},
		"pk_cnic":     {EN: "Pakistani identity card number (CNIC)", ZH: "巴基斯坦身份证号（CNIC）", RU: "пакистанское удостоверение (CNIC)"},
		"uz_pinfl":    {EN: "Uzbek personal number (PINFL)", ZH: "乌兹别克斯坦个人识别号（PINFL）", RU: "ПИНФЛ Узбекистана"},
		"kg_pin":      {EN: "Kyrgyz personal number (PIN)", ZH: "吉尔吉斯斯坦个人识别号（PIN）", RU: "ПИН Кыргызстана"},
		"by_personal": {EN: "Belarusian identification number", ZH: "白俄罗斯个人识别号", RU: "идентификационный номер (Беларусь)"},
		"by_unp":      {EN: "Belarusian payer number (UNP)", ZH: "白俄罗斯纳税人号（UNP）", RU: "УНП (Беларусь)"},
		"tj_tax":      {EN: "Tajik taxpayer number", ZH: "塔吉克斯坦税号", RU: "ИНН Таджикистана"},
		"ir_national": {EN: "Iranian national code", ZH: "伊朗国民身份号码", RU: "национальный код Ирана"},
		"tr_identity": {EN: "Turkish identity number (TCKN)", ZH: "土耳其身份号码（TCKN）", RU: "турецкий личный номер (TCKN)"},
		"tr_tax":      {EN: "Turkish tax number (VKN)", ZH: "土耳其税号（VKN）", RU: "турецкий налоговый номер (VKN)"},
		"ae_emirates": {EN: "Emirates ID number", ZH: "阿联酋身份证号", RU: "номер Emirates ID (ОАЭ)"},
		"sa_identity": {EN: "Saudi national or residence number", ZH: "沙特身份证或居留证号", RU: "саудовский личный номер или номер икамы"},
		"am_public":   {EN: "Armenian public services number", ZH: "亚美尼亚公共服务号码", RU: "номерной знак общественных услуг (Армения)"},
		"az_fin":      {EN: "Azerbaijani personal code (FIN)", ZH: "阿塞拜疆个人识别码（FIN）", RU: "ФИН Азербайджана"},
		"az_tax":      {EN: "Azerbaijani taxpayer number (VÖEN)", ZH: "阿塞拜疆税号（VÖEN）", RU: "азербайджанский ИНН (VÖEN)"},
		"mn_register": {EN: "Mongolian register number", ZH: "蒙古国登记号", RU: "регистрационный номер гражданина Монголии"},
		"de_tax_id":   {EN: "German tax number of a person", ZH: "德国个人税号", RU: "немецкий личный налоговый номер"},
		"fr_nir":      {EN: "French social security number (NIR)", ZH: "法国社会保障号（NIR）", RU: "французский номер NIR"}, "it_codice_fiscale": {EN: "Italian codice fiscale", ZH: "意大利税号（codice fiscale）", RU: "итальянский codice fiscale"},
		"es_dni": {EN: "Spanish DNI or NIE", ZH: "西班牙 DNI 或 NIE 号", RU: "испанский DNI или NIE"}, "pl_pesel": {EN: "Polish PESEL", ZH: "波兰 PESEL 号", RU: "польский PESEL"},
		"nl_bsn": {EN: "Dutch citizen service number (BSN)", ZH: "荷兰公民服务号（BSN）", RU: "нидерландский BSN"}, "pt_nif": {EN: "Portuguese tax number (NIF)", ZH: "葡萄牙税号（NIF）", RU: "португальский NIF"},
		"se_personnummer": {EN: "Swedish personal number", ZH: "瑞典个人号码", RU: "шведский личный номер"}, "fi_hetu": {EN: "Finnish personal code", ZH: "芬兰个人识别码", RU: "финский личный код"},
		"be_national": {EN: "Belgian national number", ZH: "比利时国民登记号", RU: "бельгийский национальный номер"}, "ro_cnp": {EN: "Romanian CNP", ZH: "罗马尼亚个人数字代码（CNP）", RU: "румынский CNP"},
		"bg_egn": {EN: "Bulgarian EGN", ZH: "保加利亚公民统一号码（EGN）", RU: "болгарский ЕГН"}, "cz_rc": {EN: "Czech or Slovak birth number", ZH: "捷克或斯洛伐克出生号码", RU: "чешский или словацкий номер рождения"},
		"ee_lt_code": {EN: "Estonian or Lithuanian personal code", ZH: "爱沙尼亚或立陶宛个人代码", RU: "эстонский или литовский личный код"}, "lv_personal": {EN: "Latvian personal code", ZH: "拉脱维亚个人代码", RU: "латвийский личный код"},
		"dk_cpr": {EN: "Danish CPR number", ZH: "丹麦 CPR 号码", RU: "датский номер CPR"}, "hr_oib": {EN: "Croatian OIB", ZH: "克罗地亚 OIB 号码", RU: "хорватский OIB"}, "gr_amka": {EN: "Greek AMKA", ZH: "希腊社会保险号（AMKA）", RU: "греческий AMKA"},
		"at_svnr": {EN: "Austrian social insurance number", ZH: "奥地利社会保险号", RU: "австрийский номер соцстрахования"}, "ie_pps": {EN: "Irish PPS number", ZH: "爱尔兰个人公共服务号（PPS）", RU: "ирландский номер PPS"},
		"si_emso": {EN: "Slovenian EMŠO (JMBG)", ZH: "斯洛文尼亚公民统一号码（EMŠO）", RU: "словенский EMŠO (JMBG)"}, "no_fnr": {EN: "Norwegian birth number", ZH: "挪威出生号码", RU: "норвежский номер рождения"},
		"machine_zone":   {EN: "machine-readable zone of a passport or card", ZH: "护照或证件机读区", RU: "машиночитаемая зона документа"},
		"cn_credit_code": {EN: "Chinese unified social credit code; of an organisation", ZH: "统一社会信用代码（属于组织）", RU: "китайский единый код организации"},
		"lei":            {EN: "legal entity identifier (LEI)", ZH: "法人机构识别编码（LEI）", RU: "код юридического лица (LEI)"},
		"container":      {EN: "container number (ISO 6346)", ZH: "集装箱号（ISO 6346）", RU: "номер контейнера (ISO 6346)"},
		"air_waybill":    {EN: "air waybill number", ZH: "航空运单号", RU: "номер авианакладной"}, "hs_code": {EN: "customs code (HS)", ZH: "商品编码（HS）", RU: "код ТН ВЭД (HS)"},
		"loinc": {EN: "laboratory code (LOINC)", ZH: "检验项目编码（LOINC）", RU: "код лабораторного теста (LOINC)"}, "dna": {EN: "nucleotide sequence", ZH: "核苷酸序列", RU: "последовательность нуклеотидов"},
		"hgvs": {EN: "genetic variant (HGVS)", ZH: "基因变异（HGVS 命名）", RU: "вариант гена (HGVS)"}, "rsid": {EN: "number of a variant (dbSNP rs)", ZH: "变异位点编号（dbSNP rs）", RU: "номер варианта (dbSNP rs)"},
		"template": {EN: "biometric record (ISO/IEC 19794)", ZH: "生物特征数据记录（ISO/IEC 19794）", RU: "биометрическая запись (ISO/IEC 19794)"}, "vector": {EN: "vector of a face or voice encoder", ZH: "人脸或声纹特征向量", RU: "вектор лица или голоса"},
		"vcf": {EN: "genetic variants (VCF)", ZH: "基因变异文件（VCF）", RU: "варианты генома (VCF)"}, "sam": {EN: "aligned reads (SAM)", ZH: "序列比对文件（SAM）", RU: "выровненные прочтения (SAM)"},
		"fastq": {EN: "sequencing reads (FASTQ)", ZH: "测序读段（FASTQ）", RU: "прочтения секвенатора (FASTQ)"}, "fasta": {EN: "sequences (FASTA)", ZH: "序列文件（FASTA）", RU: "последовательности (FASTA)"},
		"genotypes": {EN: "genotypes of one person", ZH: "个人基因型数据", RU: "генотипы одного человека"}, "hl7": {EN: "medical messages (HL7 v2)", ZH: "医疗消息（HL7 v2）", RU: "медицинские сообщения (HL7 v2)"},
		"dicom": {EN: "medical image (DICOM)", ZH: "医学影像（DICOM）", RU: "медицинский снимок (DICOM)"}, "iso19794": {EN: "biometric record (ISO/IEC 19794)", ZH: "生物特征数据记录（ISO/IEC 19794）", RU: "биометрическая запись (ISO/IEC 19794)"},
		"wsq": {EN: "fingerprint image (WSQ)", ZH: "指纹图像（WSQ）", RU: "изображение отпечатка (WSQ)"}, "cram": {EN: "aligned reads (CRAM)", ZH: "序列比对文件（CRAM）", RU: "выровненные прочтения (CRAM)"},
		"gpx": {EN: "positions and tracks (GPX)", ZH: "位置与轨迹（GPX）", RU: "точки и треки (GPX)"}, "kml": {EN: "places (KML)", ZH: "地理要素（KML）", RU: "геообъекты (KML)"}, "human_genome": {EN: "the human genome", ZH: "人类基因组", RU: "геном человека"},
		"image": {EN: "picture in base64", ZH: "base64 编码的图像", RU: "изображение в base64"},
	}
}
