package scan

import (
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"corridor"
)

// labelled is a kind of column whose content is known: want is the identifier
// that must be found, empty for columns that hold nothing about people.
type labelled struct {
	want    string
	class   string
	headers []string // the first is opaque where the values alone must do
	make    func(gen, int) string
}

var today = corridor.DateOf(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))

func positives() []labelled {
	return []labelled{
		{"cn_resident_id", "personal", []string{"f1", "id_card_no", "身份证号", "номер удостоверения"}, func(g gen, _ int) string { return g.cnID() }},
		{"kz_iin", "personal", []string{"f2", "IIN", "个人识别号", "ИИН", "ЖСН"}, func(g gen, _ int) string { return g.iin() }},
		{"ru_inn_person", "personal", []string{"f3", "inn", "税号", "ИНН"}, func(g gen, _ int) string { return g.inn12() }},
		{"ru_snils", "personal", []string{"f4", "snils", "社保号", "СНИЛС"}, func(g gen, _ int) string { return g.snils() }},
		{"payment_card", "payment", []string{"f5", "card_number", "银行卡号", "Номер карты"}, func(g gen, _ int) string { return g.card() }},
		{"bank_account", "financial", []string{"f6", "IBAN", "银行账号", "Расчётный счёт"}, func(g gen, _ int) string { return g.iban() }},
		{"email", "personal", []string{"f7", "e-mail", "邮箱", "Эл. почта"}, func(g gen, _ int) string { return g.email() }},
		{"phone", "personal", []string{"f8", "phone", "手机号码", "Телефон"}, func(g gen, _ int) string { return g.phoneRU() }},
		{"phone", "personal", []string{"f9", "mobile_no", "联系电话", "моб. телефон"}, func(g gen, _ int) string { return g.phoneCN() }},
		{"phone", "personal", []string{"f10", "contactPhone", "电话", "тел."}, func(g gen, _ int) string { return g.phoneKZ() }},
		{"person_name", "personal", []string{"f11", "consignee", "收货人", "Получатель"}, func(g gen, _ int) string { return g.nameZH() }},
		{"person_name", "personal", []string{"f12", "full_name", "姓名", "ФИО"}, func(g gen, _ int) string { return g.nameRU() }},
		{"person_name", "personal", []string{"customer_name", "PatientName", "联系人", "Ф.И.О. сотрудника"}, func(g gen, _ int) string { return g.nameEN() }},
		{"surname", "personal", []string{"last_name", "surname", "姓氏", "Фамилия"}, func(g gen, _ int) string { return g.surnameRU() }},
		{"birth_date", "personal", []string{"dob", "date_of_birth", "birthDate"}, func(g gen, _ int) string { return g.date(1940, 2008, "") }},
		{"birth_date", "personal", []string{"出生日期"}, func(g gen, _ int) string { return g.date(1940, 2008, "zh") }},
		{"birth_date", "personal", []string{"Дата рождения", "туған күні"}, func(g gen, _ int) string { return g.date(1940, 2008, "ru") }},
		{"identity_document", "personal", []string{"passport_no", "护照号码", "Паспорт"}, func(g gen, _ int) string { return g.pick("E G N") + g.digits(8) }},
		{"postal_address", "personal", []string{"delivery_address", "收货地址", "Адрес доставки"}, func(g gen, _ int) string { return g.pick("Abay_ave Lenin_st Main_st") + ", " + g.digits(2) }},
		{"gender", "personal", []string{"gender", "性别", "Пол"}, func(g gen, _ int) string { return g.pick("m f") }},
		{"health", "health", []string{"diagnosis", "诊断", "Диагноз"}, func(g gen, _ int) string { return g.pick("J06.9 I10 E11.9 K29.1 A09") }},
		{"religion", "belief", []string{"religion", "宗教信仰", "Вероисповедание"}, func(g gen, _ int) string { return g.pick("a b c none") }},
		{"ethnicity", "sensitive", []string{"ethnicity", "民族", "Национальность"}, func(g gen, _ int) string { return g.pick("汉 回 满 other") }},
		{"biometric", "biometric", []string{"face_template", "指纹", "Отпечатки"}, func(g gen, _ int) string { return g.digits(30) }},
		{"genetic", "genetic", []string{"genotype", "基因型", "генотип"}, func(g gen, _ int) string { return g.pick("AA AG GG CT") }},
		{"salary", "financial", []string{"salary", "工资", "Оклад"}, func(g gen, _ int) string { return g.digits(6) }},
		{"telecom_subscriber", "telecom_subscriber", []string{"imsi", "被叫号码", "номер абонента"}, func(g gen, _ int) string { return "46000" + g.digits(10) }},
	}
}

func negatives() []labelled {
	return []labelled{
		{"", "", []string{"f1", "order_no", "运单号", "номер заказа"}, func(g gen, _ int) string { return g.digits(12) }},
		{"", "", []string{"f2", "batch", "批次", "партия"}, func(g gen, i int) string { return fmt.Sprintf("2411%02d%06d", 1+i%28, 300000+i) }},
		{"", "", []string{"f3", "trace_id"}, func(g gen, _ int) string { return g.digits(18) }},
		{"", "", []string{"f4", "tracking"}, func(g gen, _ int) string { return "4" + g.digits(15) }},
		{"", "", []string{"f5", "ean"}, func(g gen, _ int) string { return "690" + g.digits(10) }},
		{"", "", []string{"row", "seq"}, func(_ gen, i int) string { return fmt.Sprint(100000000000 + i) }},
		{"", "", []string{"f6", "created_ts"}, func(g gen, _ int) string { return fmt.Sprint(1700000000 + g.IntN(9000000)) }},
		{"", "", []string{"f7", "created_ms"}, func(g gen, _ int) string { return fmt.Sprint(1700000000000 + g.Int64N(9000000000)) }},
		{"", "", []string{"created_at", "下单日期", "Дата заказа"}, func(g gen, _ int) string { return g.date(2020, 2025, "") }},
		{"", "", []string{"f8", "weight", "重量", "Вес"}, func(g gen, _ int) string { return fmt.Sprintf("%d.%02d", g.IntN(500), g.IntN(100)) }},
		{"", "", []string{"f9", "amount", "金额", "Сумма"}, func(g gen, _ int) string { return fmt.Sprintf("%d", g.IntN(1000000)*100) }},
		{"", "", []string{"product_name", "商品名称", "Наименование товара"}, func(g gen, _ int) string {
			return g.pick("Garlic Desk_Lamp Copper_Wire Rice Truck_Tyre Steel_Pipe Cotton Glass")
		}},
		{"", "", []string{"品名", "f10"}, func(g gen, _ int) string {
			return g.pick("大蒜 台灯 铜线 大米 轮胎 钢管 棉花 玻璃 电缆 水泥 苹果 机床 阀门")
		}},
		{"", "", []string{"город", "f11"}, func(g gen, _ int) string {
			return g.pick("Алматы Москва Астана Казань Омск Тверь Шымкент Пермь Караганда")
		}},
		{"", "", []string{"city", "f12"}, func(g gen, _ int) string { return g.pick("Almaty Moscow Beijing Kazan Omsk New_York Astana Shanghai") }},
		{"", "", []string{"目的城市", "f13"}, func(g gen, _ int) string {
			return g.pick("北京 上海 广州 深圳 乌鲁木齐 西安 成都 武汉 重庆 天津 霍尔果斯 阿拉木图")
		}},
		{"", "", []string{"company", "公司名称", "Компания"}, func(g gen, _ int) string {
			return g.pick("Alpha_Trade_LLP Beta_Cargo Gamma_Steel Delta_Foods Omega_Lines")
		}},
		{"", "", []string{"status", "状态", "Статус"}, func(g gen, _ int) string { return g.pick("new sent held done") }},
		{"", "", []string{"container_no"}, func(g gen, _ int) string { return "MSKU" + g.digits(7) }},
		{"", "", []string{"hs_code", "HS编码", "код ТН ВЭД"}, func(g gen, _ int) string { return g.digits(10) }},
		{"", "", []string{"uuid"}, func(g gen, _ int) string {
			return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", g.Uint32(), g.IntN(65536), g.IntN(4096), g.IntN(65536), g.Int64N(1<<48))
		}},
		{"", "", []string{"sha1"}, func(g gen, _ int) string { return fmt.Sprintf("%016x%016x%08x", g.Uint64(), g.Uint64(), g.Uint32()) }},
		{"", "", []string{"f14", "qty", "数量", "количество"}, func(g gen, _ int) string { return fmt.Sprint(g.IntN(1000)) }},
		{"", "", []string{"f15", "serial"}, func(g gen, _ int) string { return g.digits(11) }},
		{"", "", []string{"f16", "meter"}, func(g gen, _ int) string { return g.digits(15) }},
		{"", "", []string{"bin", "БИН"}, func(g gen, _ int) string { return g.bin() }},
		{"", "", []string{"f17", "company_inn", "ИНН организации"}, func(g gen, _ int) string { return g.inn10() }},
		{"", "", []string{"in_stock", "有货", "в наличии"}, func(g gen, _ int) string { return g.pick("true false") }},
		{"", "", []string{"flight", "航班", "рейс"}, func(g gen, _ int) string { return g.pick("KC CZ SU") + g.digits(3) }},
		{"", "", []string{"currency", "币种", "валюта"}, func(g gen, _ int) string { return g.pick("CNY KZT RUB USD") }},
		{"", "", []string{"port_of_loading", "港口"}, func(g gen, _ int) string { return g.pick("Qingdao Ningbo Aktau Tianjin Vladivostok") }},
		{"", "", []string{"version"}, func(g gen, _ int) string { return fmt.Sprintf("%d.%d.%d", g.IntN(9), g.IntN(20), g.IntN(9)) }},
	}
}

// tableOf writes rows of the given columns as CSV.
func tableOf(t testing.TB, g gen, headers []string, cols []labelled, rows int, blank float64) string {
	t.Helper()
	var b strings.Builder
	w := csv.NewWriter(&b)
	record := func(r []string) {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	record(headers)
	for i := range rows {
		row := make([]string, len(cols))
		for k, c := range cols {
			if g.Float64() >= blank {
				row[k] = c.make(g, i)
			}
		}
		record(row)
	}
	w.Flush()
	return b.String()
}

func scanText(t tester, text string, o Options) *Report {
	t.Helper()
	if o.Today == 0 {
		o.Today = today
	}
	rep, err := Reader(context.Background(), strings.NewReader(text), "", o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// TestCorpusPrecisionAndRecall scans every kind of column under every header,
// with a fifth of the values missing, and holds the classifier to a score.
func TestCorpusPrecisionAndRecall(t *testing.T) {
	var truePos, falsePos, falseNeg int
	for seed := range uint64(4) {
		g := newGen(seed)
		for _, pos := range [...]bool{true, false} {
			list := negatives()
			if pos {
				list = positives()
			}
			for _, c := range list {
				for _, h := range c.headers {
					// Beside a plain column, so that nothing but the column itself helps.
					rep := scanText(t, tableOf(t, g, []string{"n", h}, []labelled{{make: func(_ gen, i int) string { return fmt.Sprint(i) }}, c}, 300, 0.2), Options{})
					got := rep.Columns[1].Classes
					hit := slices.ContainsFunc(got, func(f Finding) bool {
						return f.Confidence >= 0.6 && f.Class == c.class && (f.Identifier == c.want || c.want == "surname" && f.Identifier == "person_name")
					})
					wrong := slices.ContainsFunc(got, func(f Finding) bool { return f.Confidence >= 0.6 && f.Class != "" })
					switch {
					case pos && hit:
						truePos++
					case pos:
						falseNeg++
						t.Logf("missed: %s under %q: %v", c.want, h, got)
					case wrong:
						falsePos++
						t.Logf("false alarm under %q: %v", h, got)
					}
				}
			}
		}
	}
	precision := float64(truePos) / float64(truePos+falsePos)
	recall := float64(truePos) / float64(truePos+falseNeg)
	t.Logf("precision %.4f, recall %.4f (%d found, %d false, %d missed)", precision, recall, truePos, falsePos, falseNeg)
	if precision < 0.98 || recall < 0.97 {
		t.Errorf("precision %.4f, recall %.4f: want at least 0.98 and 0.97", precision, recall)
	}
}

// TestDirtyColumnsAreStillRecognised spoils a tenth of the values and pads
// the rest, as exports from many hands do.
func TestDirtyColumnsAreStillRecognised(t *testing.T) {
	missed, all := 0, 0
	for _, c := range positives() {
		for _, h := range c.headers {
			g := newGen(uint64(all))
			dirty := labelled{make: func(g gen, i int) string {
				v := c.make(g, i)
				switch g.IntN(20) {
				case 0:
					return "?"
				case 1:
					return v + g.digits(1)
				case 2, 3:
					return "  " + v + " "
				}
				return v
			}}
			rep := scanText(t, tableOf(t, g, []string{"n", h}, []labelled{{make: func(_ gen, i int) string { return fmt.Sprint(i) }}, dirty}, 400, 0.3), Options{})
			all++
			if !slices.ContainsFunc(rep.Columns[1].Classes, func(f Finding) bool { return f.Confidence >= 0.6 && f.Class == c.class }) {
				missed++
				t.Logf("missed: %s under %q: %v", c.want, h, rep.Columns[1].Classes)
			}
		}
	}
	if recall := 1 - float64(missed)/float64(all); recall < 0.95 {
		t.Errorf("recall %.3f on dirty columns, want at least 0.95", recall)
	}
}

// TestMixedColumnsShowWhatTheyHold: presence counts, however rare.
func TestMixedColumnsShowWhatTheyHold(t *testing.T) {
	g := newGen(31)
	mixed := func(rate int, id func() string, other func() string) *Report {
		return scanText(t, tableOf(t, g, []string{"n", "reference"}, []labelled{{make: func(_ gen, i int) string { return fmt.Sprint(i) }},
			{make: func(g gen, i int) string {
				if i%rate == 0 {
					return id()
				}
				return other()
			}}}, 2000, 0), Options{})
	}
	for name, c := range map[string]struct {
		rep  *Report
		want string
	}{
		"one resident id in fifty among order codes":   {mixed(50, g.cnID, func() string { return "ORD-" + g.digits(6) }), "cn_resident_id"},
		"one IIN in three among random twelve digits":  {mixed(3, g.iin, func() string { return g.digits(12) }), "kz_iin"},
		"one e-mail in a hundred among order codes":    {mixed(100, g.email, func() string { return "ORD-" + g.digits(6) }), "email"},
		"one card in five among random sixteen digits": {mixed(5, g.card, func() string { return g.digits(16) }), "payment_card"},
	} {
		if id, confidence := top(c.rep.Columns[1]); id != c.want || confidence < 0.6 {
			t.Errorf("%s: %v", name, c.rep.Columns[1].Classes)
		}
	}
}

// TestHeadersAlone checks the lexicon in four languages.
func TestHeadersAlone(t *testing.T) {
	lex := newLexicon()
	for header, want := range map[string]string{
		"First Name": "given_name", "lastName": "surname", "EMAIL_ADDRESS": "email", "senderPhone": "phone", "客户身份证号码": "cn_resident_id",
		"Фамилия, имя, отчество": "surname", "Дата рождения ребенка": "birth_date", "iin": "kz_iin", "ip_address": "ip_address",
		"owner.phone": "phone", "contacts[].email": "email", "Номер паспорта": "identity_document", "мекенжайы": "postal_address",
		"cust_nm": "person_name", "payer_fio": "person_name", "收件人姓名": "person_name", "经办人": "person_name", "Имя получателя": "given_name", "контактный телефон": "phone",
		"寄件人地址": "postal_address", "客户手机": "phone", "BirthDt": "birth_date", "ДатаРождения": "birth_date", "addr1": "postal_address", "E-mail клиента": "email", "id_client": "person_reference",
		"product_name": "", "file name": "", "商品名称": "", "company_name": "", "Наименование": "", "amount": "", "status": "", "panel": "", "latency": "", "address_book_version": "postal_address",
	} {
		hints := lex.hints(header)
		switch {
		case want == "" && len(hints) > 0:
			t.Errorf("%q suggests %s, want nothing", header, hints[0].id)
		case want != "" && !slices.ContainsFunc(hints, func(k *kind) bool { return k.id == want }):
			t.Errorf("%q does not suggest %s", header, want)
		}
	}
}

// tester is what helpers need of testing.TB, so that rapid can use them.
type tester interface {
	Helper()
	Fatal(args ...any)
}
