package paper

import (
	"io"
	"strings"

	"corridor"
	"corridor/internal/law"
)

// matrixTexts are the words of a matrix.
func matrixTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"title":    {EN: "Who may send to whom", ZH: "谁可以向谁提供", RU: "Кто кому может передавать"},
		"lead":     {EN: "Each row is a state that the data leaves, each column a state of the recipient. Every cell is decided by the law of both sides; the reasons stand below.", ZH: "每行为数据出境国，每列为接收方所在国。每格均依双方法律判定，理由见下。", RU: "Строка — государство, из которого уходят данные, столбец — государство получателя. Каждая клетка решена по праву обеих сторон; основания ниже."},
		"from":     {EN: "from", ZH: "从", RU: "из"},
		"to":       {EN: "to", ZH: "到", RU: "в"},
		"on":       {EN: "Day", ZH: "日期", RU: "День"},
		"facts":    {EN: "Facts", ZH: "事实", RU: "Факты"},
		"assume":   {EN: "Assumed where nothing is given (profile)", ZH: "未给出时的假设（方案）", RU: "Допущено, где не указано (профиль)"},
		"reasons":  {EN: "Reasons", ZH: "理由", RU: "Основания"},
		"duties":   {EN: "Duties", ZH: "义务", RU: "Обязанности"},
		"missing":  {EN: "Open questions", ZH: "未明事实", RU: "Открытые вопросы"},
		"packs":    {EN: "Rule packs", ZH: "规则包", RU: "Пакеты правил"},
		"informs":  {EN: "Corridor informs; this is not legal advice.", ZH: "Corridor 仅供参考，不构成法律意见。", RU: "Corridor информирует; это не юридическая консультация."},
		"starred":  {EN: "* a rule that drives this cell is not verified", ZH: "* 决定该格的规则来源未经核实", RU: "* решающее правило не проверено по источнику"},
		"treaties": {EN: "treaties", ZH: "条约", RU: "договоры"},
		"article":  {EN: "art.", ZH: "条", RU: "ст."},
		"export":   {EN: "export side", ZH: "出境方", RU: "сторона вывоза"},
		"import":   {EN: "import side", ZH: "入境方", RU: "сторона ввоза"},
		"treaty":   {EN: "treaties", ZH: "条约", RU: "договоры"},
		"verified": {EN: "verified", ZH: "已核实", RU: "проверено"}, "secondary": {EN: "second hand", ZH: "间接来源", RU: "из вторых рук"}, "memory": {EN: "from memory", ZH: "凭记忆", RU: "по памяти"},
		"allow":                  {EN: "allowed", ZH: "允许", RU: "разрешено"},
		"allow_with_obligations": {EN: "allowed with duties", ZH: "附义务允许", RU: "разрешено с обязанностями"},
		"needs_approval":         {EN: "not yet: approval, vehicle or term", ZH: "尚不可：须批准、手续或者期限", RU: "пока нельзя: разрешение, инструмент или срок"},
		"deny":                   {EN: "refused", ZH: "禁止", RU: "запрещено"},
		"undetermined":           {EN: "undetermined", ZH: "尚不能确定", RU: "не определено"},
		"home":                   {EN: "one state", ZH: "同一国家", RU: "одно государство"},
	}
}

// shade is how an outcome looks: a colour that stays apart in print and for
// eyes that do not tell red from green, and a sign that needs no colour.
type shade struct{ Key, Fill, Ink, Sign string }

func shades() []shade {
	return []shade{
		{"allow", "#d8efd3", "#1d3b16", "✓"},
		{"allow_with_obligations", "#b7d9f2", "#0d3350", "✓+"},
		{"needs_approval", "#fde3a7", "#4a3500", "…"},
		{"deny", "#a8323a", "#ffffff", "✕"},
		{"undetermined", "#e3e3e6", "#2c2c33", "?"},
	}
}

func shadeOf(o corridor.Outcome) shade {
	for _, s := range shades() {
		if s.Key == o.String() {
			return s
		}
	}
	return shade{o.String(), "#ffffff", "#000000", "!"}
}

// matrixPage is what the templates see.
type matrixPage struct {
	law.Matrix
	Facts  []string
	Shades []shade
	Side   int // of a cell of the heat map
}

// Shade gives a cell's look; a flow within one state crosses nothing.
func (matrixPage) Shade(c law.Cell) shade {
	if c.Home {
		return shade{"home", "#ffffff", "#8a8a92", "·"}
	}
	return shadeOf(c.Outcome)
}

// X and Y place a column and a row on the heat map.
func (p matrixPage) X(i int) int      { return 64 + i*p.Side }
func (p matrixPage) Y(i int) int      { return 64 + i*p.Side }
func (p matrixPage) Mid(n int) int    { return n + p.Side/2 }
func (p matrixPage) Width() int       { return p.X(len(p.To)) + 16 }
func (p matrixPage) Height() int      { return p.Legend(len(p.Shades)) + 8 }
func (p matrixPage) Legend(i int) int { return p.Y(len(p.From)) + 20 + i*24 }

// Rules lists the rules that drive a cell, for the tip of the heat map.
func (matrixPage) Rules(c law.Cell) string {
	var out []string
	for _, s := range c.Sides {
		for _, r := range s.Reasons {
			out = append(out, r.Rule)
		}
	}
	return strings.Join(out, ", ")
}

func newMatrixPage(m law.Matrix, facts []string) matrixPage {
	return matrixPage{Matrix: m, Facts: facts, Shades: shades(), Side: 34}
}

// MatrixHTML writes a page with the heat map and the reason behind each cell.
// facts says in lines what was asked.
func MatrixHTML(out io.Writer, m law.Matrix, facts []string, lang string) error {
	return newWords(lang, matrixTexts()).render(out, "matrix.html.tmpl", newMatrixPage(m, facts))
}

// MatrixSVG writes the heat map alone.
func MatrixSVG(out io.Writer, m law.Matrix, facts []string, lang string) error {
	return newWords(lang, matrixTexts()).render(out, "matrix.svg.tmpl", newMatrixPage(m, facts))
}
