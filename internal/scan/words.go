package scan

import (
	"fmt"
	"strconv"

	"corridor"
)

// say gives a text of the product in lang.
func say(lang, key string) string {
	t, ok := texts()[key]
	if !ok {
		return key
	}
	return t.In(lang)
}

// in puts a reason into words. Numbers are grouped as the language does.
func (p phrase) in(lang string) string {
	args := make([]any, len(p.args))
	for i, a := range p.args {
		switch v := a.(type) {
		case int64:
			args[i] = Grouped(v, lang)
		case label:
			args[i] = v.in(lang)
		case int:
			if args[i] = v; v > 10_000_000 { // a day
				args[i] = fmt.Sprintf("%04d-%02d-%02d", v/10000, v/100%100, v%100)
			}
		default:
			args[i] = v
		}
	}
	return fmt.Sprintf(say(lang, "why_"+p.key), args...)
}

// Grouped writes a number with the thousands mark of a language: a comma in
// English and Chinese, a no-break space in Russian.
func Grouped(n int64, lang string) string {
	mark := ","
	if lang == "ru" {
		mark = "\u00a0"
	}
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + mark + s[i:]
	}
	return sign + s
}

// label is the id of something recognised, named in words when it is shown.
type label string

func (l label) in(lang string) string { return Label(string(l), lang) }

// Label names an identifier or a class for a person.
func Label(id, lang string) string {
	if t, ok := labels()[id]; ok {
		return t.In(lang)
	}
	return id
}

type dictionary map[string]corridor.Text

func texts() dictionary {
	return dictionary{
		"why_check":      {EN: "%s of %s values pass the check digit of the %s", ZH: "%[2]s 个值中有 %[1]s 个通过%[3]s的校验位", RU: "контрольный знак (%[3]s) сходится у %[1]s из %[2]s значений"},
		"why_form":       {EN: "%s of %s values have the form of: %s", ZH: "%[2]s 个值中有 %[1]s 个符合%[3]s的格式", RU: "%[1]s из %[2]s значений имеют вид: %[3]s"},
		"why_header":     {EN: "%[2]s by the header; the values fit to %[1]d %%", ZH: "列名表明是%[2]s；值的吻合度为 %[1]d%%", RU: "по заголовку: %[2]s; значения подходят на %[1]d %%"},
		"why_patronymic": {EN: "%s of %s values hold a patronymic", ZH: "%[2]s 个值中有 %[1]s 个含父称", RU: "в %s из %s значений есть отчество"},
		"why_surname_han": {EN: "%s of %s values are two to four Han characters with a common surname first", ZH: "%[2]s 个值中有 %[1]s 个是以常见姓氏开头的二至四个汉字",
			RU: "%s из %s значений: два-четыре иероглифа, первый - частая фамилия"},
		"why_given":    {EN: "%s of %s values look like names of people", ZH: "%[2]s 个值中有 %[1]s 个像人名", RU: "%s из %s значений похожи на имена людей"},
		"why_inside":   {EN: "inside longer texts, %s times: %s", ZH: "在较长文本中出现 %s 次：%s", RU: "внутри текстов, %s раз: %s"},
		"why_children": {EN: "%s people born after %s: younger than 14", ZH: "%s 人出生于 %s 之后，未满十四周岁", RU: "%s человек родились после %s: младше 14 лет"},
		"why_pair":     {EN: "latitude and longitude side by side, in range", ZH: "经度与纬度成对出现，且在有效范围内", RU: "широта и долгота рядом, в допустимых пределах"},
		"why_track":    {EN: "positions with a time and a person in the same row", ZH: "同一行中有位置、时间与个人", RU: "положение, время и человек в одной строке"},

		"why_genotypes": {EN: "pairs of bases beside rs numbers of variants", ZH: "与 rs 变异编号并列的碱基对", RU: "пары оснований рядом с номерами вариантов rs"},
		"why_vectors":   {EN: "vectors of the length that face and voice encoders make, beside people", ZH: "向量长度与人脸或声纹编码一致，且同一行涉及个人", RU: "векторы такой длины дают кодировщики лиц и голоса; в строке есть человек"},
		"why_pictures":  {EN: "pictures beside people", ZH: "图像，且同一行涉及个人", RU: "изображения; в строке есть человек"},
		"why_species":   {EN: "the file names %s", ZH: "文件中写明：%s", RU: "в файле указано: %s"},
		"why_file":      {EN: "the file is written as: %s", ZH: "文件格式：%s", RU: "формат файла: %s"},

		"basis_none":         {EN: "no personal data was recognised; that does not prove that there is none", ZH: "未识别出个人信息；这并不证明其中没有个人信息", RU: "персональные данные не распознаны; это не доказывает, что их нет"},
		"basis_samples":      {EN: "samples that the file lists; two may be of one person", ZH: "文件列出的样本数；两份样本可能来自同一人", RU: "образцы, перечисленные в файле; два могут быть от одного человека"},
		"basis_records":      {EN: "the file does not say of whom it is: at least one person, at most one in every record", ZH: "文件未说明涉及何人：至少一人，每条记录至多一人", RU: "файл не говорит, о ком он: хотя бы один человек, не больше одного на запись"},
		"basis_rows":         {EN: "nothing tells people apart: at most one person in every row", ZH: "没有可区分个人的列：每行至多一人", RU: "людей не различить: не больше одного человека в строке"},
		"basis_names":        {EN: "different names; at most one person in every row", ZH: "不同的姓名数；每行至多一人", RU: "разные имена; не больше одного человека в строке"},
		"basis_names_births": {EN: "different pairs of name and date of birth; at most one person in every row", ZH: "不同的“姓名+出生日期”组合数；每行至多一人", RU: "разные пары имени и даты рождения; не больше одного человека в строке"},
		"basis_number":       {EN: "different valid identity numbers; a row without one may be another person", ZH: "不同的有效身份号码数；没有号码的行可能是另一人", RU: "разные действительные личные номера; строка без номера может быть ещё одним человеком"},
		"basis_reference":    {EN: "the estimate counts a key or a contact, which proves no bound; at most one person in every row", ZH: "估计值按编号或联系方式统计，不构成界限；每行至多一人", RU: "оценка по ключу или контакту ничего не доказывает; не больше одного человека в строке"},
		"basis_groups":       {EN: "; several people in a row, such as sender and recipient, are added up", ZH: "；一行涉及多人（如发件人与收件人）时相加", RU: "; несколько человек в строке (отправитель, получатель) складываются"},
		"basis_sensitive": {EN: "rows with health, biometric, genetic, belief or similar data give the lower bound; accounts, cards, children and locations, which some laws count too, the upper",
			ZH: "下限：含健康、生物识别、遗传、信仰等数据的行；上限另加部分法律亦视为敏感的账户、银行卡、儿童与位置数据",
			RU: "нижняя граница: строки о здоровье, биометрии, генетике, убеждениях и подобном; верхняя: ещё счета, карты, дети и перемещения, которые учитывают некоторые законы"},

		"species":          {EN: "the file does not name the human genome: a person must say whose sequences these are", ZH: "文件未写明人类基因组：须由人员确认序列来源", RU: "файл не называет геном человека: ответственный должен указать, чьи это последовательности"},
		"bare_quotes":      {EN: "%d values have a quote in the middle; they were taken as they are", ZH: "有 %d 个值中间含引号，按原样处理", RU: "в %d значениях кавычка внутри; они взяты как есть"},
		"header_guessed":   {EN: "whether the first row is a header is a guess (%t); say --header yes or --header no", ZH: "首行是否为列名系推测（%t）；请用 --header yes 或 --header no 指明", RU: "первая строка как заголовок - догадка (%t); укажите --header yes или --header no"},
		"encoding_guessed": {EN: "the file is not UTF-8; read as %s by its letters: check the column names, or say --encoding", ZH: "文件不是 UTF-8；按字符推测为 %s：请核对列名，或用 --encoding 指明", RU: "файл не в UTF-8; по буквам прочитан как %s: проверьте заголовки или укажите --encoding"},
		"decoded":          {EN: "the file is %s; it was decoded to UTF-8", ZH: "文件编码为 %s，已转换为 UTF-8 读取", RU: "файл в кодировке %s; прочитан с переводом в UTF-8"},
		"no_rows":          {EN: "the file has a header and no rows", ZH: "文件只有列名，没有数据行", RU: "в файле есть заголовок и нет строк"},
		"hidden":           {EN: "texts name people too: their number has no upper bound", ZH: "文本中也提及个人：人数没有上限", RU: "люди названы и в текстах: верхней границы их числа нет"},
		"long_text":        {EN: "column %s holds long texts; a person should read some", ZH: "列 %s 含长文本，请人工抽查", RU: "в столбце %s длинные тексты; просмотрите некоторые"},
		"binary_column":    {EN: "column %s holds binary values that were not looked into", ZH: "列 %s 为二进制值，未作识别", RU: "в столбце %s двоичные значения; они не распознавались"},
	}
}
