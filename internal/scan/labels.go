package scan

// labels names what can be recognised, and the classes of data.
func labels() dictionary {
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
