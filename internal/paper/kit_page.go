package paper

import (
	"io"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/law"
)

// kitTexts are the words of a filled kit.
func kitTexts() map[string]corridor.Text {
	out := assessmentTexts()
	for key, text := range map[string]corridor.Text{
		"kit":          {EN: "Filing kit", ZH: "申报材料", RU: "Комплект для подачи"},
		"files":        {EN: "Filed by", ZH: "提交人", RU: "Подаёт"},
		"authority":    {EN: "To", ZH: "受理机关", RU: "Куда"},
		"languages":    {EN: "Language of the filing", ZH: "申报语言", RU: "Язык подачи"},
		"when":         {EN: "When", ZH: "时间", RU: "Когда"},
		"instrument":   {EN: "Under", ZH: "依据", RU: "На основании"},
		"asked":        {EN: "Asked for by this decision", ZH: "本次判定是否要求", RU: "Требует ли его это решение"},
		"yes":          {EN: "yes", ZH: "是", RU: "да"},
		"no":           {EN: "no", ZH: "否", RU: "нет"},
		"maybe":        {EN: "depends on what is still open", ZH: "取决于未明事实", RU: "зависит от неизвестного"},
		"apart":        {EN: "no duty of the packs stands for it; see when it is due", ZH: "规则包中没有对应义务，见“时间”一栏", RU: "обязанности в пакетах нет; см. «Когда»"},
		"none":         {EN: "none", ZH: "无", RU: "нет"},
		"field":        {EN: "Field", ZH: "事项", RU: "Поле"},
		"missing":      {EN: "MISSING", ZH: "缺失", RU: "НЕ ЗАПОЛНЕНО"},
		"partly":       {EN: "known in part", ZH: "仅部分已知", RU: "известно частично"},
		"empty":        {EN: "empty (not required)", ZH: "未填（非必填）", RU: "пусто (не обязательно)"},
		"give":         {EN: "give it with", ZH: "填写方式：", RU: "указать:"},
		"required":     {EN: "required", ZH: "必填", RU: "обязательно"},
		"decision":     {EN: "this decision", ZH: "本次判定", RU: "это решение"},
		"answers":      {EN: "answered in", ZH: "作答文件", RU: "ответ из"},
		"event":        {EN: "given (--event)", ZH: "给出（--event）", RU: "указано (--event)"},
		"node":         {EN: "configuration of the node", ZH: "节点配置", RU: "настройки узла"},
		"flow":         {EN: "Flow", ZH: "流动", RU: "Поток"},
		"not.verified": {EN: "not verified", ZH: "未经核实", RU: "не проверено"},
		"doubts":       {EN: "What is not verified", ZH: "未经核实的内容", RU: "Что не проверено"},
		"secondhand":   {EN: "second hand", ZH: "间接来源", RU: "из вторых рук"},
		"frommemory":   {EN: "from memory", ZH: "凭记忆", RU: "по памяти"},
		"counts":       {EN: "%d of %d fields are filled; %d required ones are missing; %d rest on an assumption; of %d it is not verified that they are asked for.", ZH: "共 %[2]d 项，已填 %[1]d 项；必填缺失 %[3]d 项；%[4]d 项仅凭假定；%[5]d 项的要求未经核实。", RU: "Заполнено полей: %d из %d; обязательных не хватает: %d; на допущении: %d; не проверено, что требуются: %d."},
		"complete":     {EN: "Complete: everything that is required is there.", ZH: "完整：必填事项均已填写。", RU: "Полный: всё обязательное заполнено."},
		"incomplete":   {EN: "Not complete: what is marked below is still missing.", ZH: "不完整：下列标明事项仍缺失。", RU: "Неполный: не хватает отмеченного ниже."},
		"kit.digest":   {EN: "Kit", ZH: "申报材料定义", RU: "Описание комплекта"},
		"counts.head":  {EN: "Closing count", ZH: "汇总", RU: "Итог"},
		"kit.note":     {EN: "The kit gathers what the provision asks for. The authority's own form and system decide what is handed in.", ZH: "本材料汇集条文所要求的内容；实际提交以主管机关的表格和系统为准。", RU: "Комплект собирает то, о чём спрашивает норма. Что именно подаётся, определяют форма и система органа."},
	} {
		out[key] = text
	}
	return out
}

// KitHTML writes a filled kit as a page.
func KitHTML(out io.Writer, f FilledKit, lang string) error {
	return newWords(lang, kitTexts()).render(out, "kit.html.tmpl", kitPage{FilledKit: f, words: newWords(lang, kitTexts())})
}

// kitPage is what the template sees.
type kitPage struct {
	FilledKit
	words
}

// kitRow is a field with its value.
type kitRow struct {
	law.KitField
	Fill FilledField
}

// kitBlock is the fields under one heading.
type kitBlock struct {
	Heading corridor.Text
	Rows    []kitRow
}

// Blocks lists the fields under their headings.
func (p kitPage) Blocks() []kitBlock {
	var out []kitBlock
	for i, f := range p.Kit.Fields {
		if len(out) == 0 || f.Heading != (corridor.Text{}) {
			out = append(out, kitBlock{Heading: f.Heading})
		}
		b := &out[len(out)-1]
		b.Rows = append(b.Rows, kitRow{f, p.Fields[i]})
	}
	return out
}

// Original is the official wording, where the page shows another.
func (p kitPage) Original(t corridor.Text) string {
	if t.Original == t.In(p.lang) {
		return ""
	}
	return t.Original
}

// Shows writes a value in the language of the page.
func (p kitPage) Shows(f kitRow) []string {
	switch v := f.Fill; {
	case len(v.Texts) > 0:
		var out []string
		for _, t := range v.Texts {
			out = append(out, t.In(p.lang))
		}
		return out
	case len(v.Cites) > 0:
		var out []string
		for _, c := range p.Cites(v.Cites) {
			out = append(out, c.Text)
		}
		return out
	case len(v.Values) > 0:
		return v.Values
	case f.Type == "country" && v.State == Filled:
		return []string{p.country(v.Value) + " (" + v.Value + ")"}
	case f.Type == "yes_no" && v.Value != "":
		if word, ok := map[string]string{"true": "yes", "false": "no"}[v.Value]; ok {
			return []string{p.say(word)}
		}
		return []string{p.say(v.Value)}
	case f.Type != "text" && f.Type != "document" && v.Value != "":
		if slices.Contains([]string{"none", "yes", "no", "maybe"}, v.Value) || f.From == (law.KitOrigin{Kind: law.KitDecision, Name: "outcome"}) {
			return []string{p.say(v.Value)}
		}
	}
	return []string{f.Fill.Value}
}

// Origin says where a value came from.
func (p kitPage) Origin(f FilledField) string {
	var parts []string
	for _, s := range f.Sources {
		parts = append(parts, strings.TrimSpace(p.say(s.By)+" "+s.From))
	}
	return strings.Join(parts, p.sep())
}

// Count closes the kit.
func (p kitPage) Count() string {
	c := p.Counts
	return p.sayf("counts", c.Filled, c.Fields, c.Missing, c.Assumed, c.Unverified)
}

// Term writes the deadline of the filing.
func (p kitPage) Term() string {
	if p.Due == nil {
		return ""
	}
	return assessmentPage{words: p.words}.Term(*p.Due)
}

// doubt is why it is not verified that some fields are asked for.
type doubt struct {
	Ref, Source string
	Fields      []string
}

// Doubts lists the fields that are not verified by their sources.
func (p kitPage) Doubts() []doubt {
	var out []doubt
	for _, f := range p.Kit.Fields {
		if f.Source == corridor.Verified {
			continue
		}
		i := slices.IndexFunc(out, func(d doubt) bool { return d.Ref == f.SourceRef })
		if i < 0 {
			i = len(out)
			out = append(out, doubt{Ref: f.SourceRef, Source: map[corridor.SourceStatus]string{corridor.Secondary: "secondhand", corridor.Memory: "frommemory"}[f.Source]})
		}
		out[i].Fields = append(out[i].Fields, f.ID)
	}
	return out
}

// Note puts a doubt about a day into the language of the page.
func (p kitPage) Note(text string) string { return law.NoteIn(text, p.lang) }

// Verified says whether it is known that a field is asked for.
func (p kitPage) Verified(f kitRow) bool { return f.Source == corridor.Verified }
