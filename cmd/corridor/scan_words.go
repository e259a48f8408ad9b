package main

import "corridor"

// scanWords are the fixed words of the scan report.
func scanWords() map[string]corridor.Text {
	return map[string]corridor.Text{
		"head":      {EN: "%s: %s, %s rows, %d columns, %s bytes", ZH: "%s：%s，%s 行，%d 列，%s 字节", RU: "%s: %s, строк %s, столбцов %d, байт %s"},
		"column":    {EN: "COLUMN", ZH: "列", RU: "СТОЛБЕЦ"},
		"type":      {EN: "TYPE", ZH: "类型", RU: "ТИП"},
		"empty":     {EN: "EMPTY", ZH: "空值", RU: "ПУСТО"},
		"different": {EN: "DIFFERENT", ZH: "不同值", RU: "РАЗНЫХ"},
		"form":      {EN: "FORM (MASKED)", ZH: "格式（已遮蔽）", RU: "ВИД (СКРЫТО)"},
		"what":      {EN: "WHAT IT HOLDS, AND WHY", ZH: "内容与理由", RU: "ЧТО ВНУТРИ И ПОЧЕМУ"},
		"people":    {EN: "People", ZH: "涉及人数", RU: "Людей"},
		"sensitive": {EN: "Of them with sensitive data", ZH: "其中含敏感个人信息", RU: "Из них с чувствительными данными"},
		"subject": {EN: "Column %s seems to identify a person (%s): publish with --subject %s --subject-kind %s to count each person once a year",
			ZH: "列 %s 似乎可标识个人（%s）：发布时使用 --subject %s --subject-kind %s，每人每年只计一次", RU: "Столбец %s, по-видимому, указывает человека (%s): публикуйте с --subject %s --subject-kind %s, и каждый считается в году один раз"},
		"unknown":    {EN: "not recognised: its texts may name people; look, and say with --holds", ZH: "未识别：文本可能含有个人姓名，请查看并用 --holds 注明", RU: "не распознано: там могут быть имена людей; посмотрите и скажите через --holds"},
		"warning":    {EN: "Warning", ZH: "注意", RU: "Внимание"},
		"presence":   {EN: "A scan proves presence, never absence: what is not listed may still be there.", ZH: "扫描只能证明存在，不能证明不存在：未列出的内容仍可能存在。", RU: "Проверка доказывает наличие, но не отсутствие: не найденное всё же может быть в файле."},
		"facts":      {EN: "Proposed facts, for an officer to confirm:", ZH: "建议的事实（须经负责人确认）：", RU: "Предлагаемые факты (подтверждает ответственный):"},
		"facts_head": {EN: "proposed by corridor scan of %s, sha256 %s", ZH: "由 corridor scan 扫描 %s 提出，sha256 %s", RU: "предложено corridor scan по файлу %s, sha256 %s"},
		"nothing":    {EN: "nothing was recognised; that proves nothing, so no fact is proposed", ZH: "未识别出任何内容；这不构成证明，因此不提出事实", RU: "ничего не распознано; это ничего не доказывает, поэтому факты не предлагаются"},
		"ytd": {EN: "subjects_ytd, which the exporter knows, is at least as large once this file goes out", ZH: "subjects_ytd 由数据提供方掌握；本文件出境后不会小于本文件的人数",
			RU: "subjects_ytd знает отправитель; после отправки файла он не меньше числа людей в файле"},
		"next":     {EN: "Next:", ZH: "下一步：", RU: "Дальше:"},
		"at_least": {EN: "at least %s (estimate %s; no upper bound)", ZH: "至少 %s（估计 %s，无上限）", RU: "не меньше %s (оценка %s, верхней границы нет)"},
		"between":  {EN: "from %s to %s, estimate %s", ZH: "%s 至 %s，估计 %s", RU: "от %s до %s, оценка %s"},

		"type_int":      {EN: "int", ZH: "整数", RU: "целое"},
		"type_decimal":  {EN: "decimal", ZH: "小数", RU: "дробное"},
		"type_bool":     {EN: "bool", ZH: "布尔", RU: "да/нет"},
		"type_date":     {EN: "date", ZH: "日期", RU: "дата"},
		"type_datetime": {EN: "datetime", ZH: "日期时间", RU: "дата и время"},
		"type_text":     {EN: "text", ZH: "文本", RU: "текст"},
		"type_binary":   {EN: "binary", ZH: "二进制", RU: "двоичное"},
		"type_empty":    {EN: "empty", ZH: "空", RU: "пусто"},
	}
}
