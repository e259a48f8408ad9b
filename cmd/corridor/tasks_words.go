package main

import "corridor"

// taskTexts are the words about tasks.
func taskTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"task.head":           {EN: "What people have to do, and by when", ZH: "须由人员办理的事项及期限", RU: "Что должны сделать люди и к какому сроку"},
		"task.none":           {EN: "no tasks", ZH: "没有待办事项", RU: "задач нет"},
		"task.column.due":     {EN: "DUE", ZH: "期限", RU: "СРОК"},
		"task.column.state":   {EN: "STATE", ZH: "状态", RU: "СОСТОЯНИЕ"},
		"task.column.duty":    {EN: "DUTY", ZH: "义务", RU: "ОБЯЗАННОСТЬ"},
		"task.column.task":    {EN: "TASK", ZH: "事项编号", RU: "ЗАДАЧА"},
		"task.waiting":        {EN: "waiting", ZH: "未起算", RU: "ждёт"},
		"task.open":           {EN: "open", ZH: "待办", RU: "открыта"},
		"task.overdue":        {EN: "OVERDUE", ZH: "已逾期", RU: "ПРОСРОЧЕНА"},
		"task.done":           {EN: "done", ZH: "已完成", RU: "выполнена"},
		"task.not_applicable": {EN: "not applicable", ZH: "不适用", RU: "неприменима"},
		"task.ended":          {EN: "ended", ZH: "已期满", RU: "истекла"},
		"task.lapsed":         {EN: "lapsed", ZH: "已失效", RU: "отпала"},
		"task.by":             {EN: "by %s", ZH: "%s前（含当日）", RU: "до %s включительно"},
		"task.until":          {EN: "until %s", ZH: "至%s止", RU: "по %s"},
		"task.before":         {EN: "before the transfer", ZH: "传输开始前", RU: "до передачи"},
		"task.event":          {EN: "no day yet, it runs from: %s", ZH: "尚未起算，起算事件：%s", RU: "дня ещё нет, отсчёт: %s"},
		"task.each":           {EN: "each time, from: %s", ZH: "每次发生时起算：%s", RU: "каждый раз, отсчёт: %s"},
		"task.noday":          {EN: "the law names no day", ZH: "法律未规定期限", RU: "дня закон не называет"},
		"task.from":           {EN: "counted from %s (%s)", ZH: "自%s（%s）起算", RU: "отсчёт с %s (%s)"},
		"task.presumed":       {EN: "counted from %s, because nobody has said when this was: %s. It may have been earlier; then the day is earlier too.", ZH: "自%s起算，因尚未报告以下事件的日期：%s。若实际更早，则期限亦更早。", RU: "отсчёт с %s, так как никто не сказал, когда было: %s. Если раньше, то и срок раньше."},
		"task.agreement":      {EN: "the agreement", ZH: "协议", RU: "соглашение"},
		"task.transfer":       {EN: "the transfer", ZH: "传输", RU: "передача"},
		"task.renewed":        {EN: "once done it begins anew", ZH: "完成后重新起算", RU: "после выполнения начинается заново"},
		"task.possible":       {EN: "may be owed; a fact that is still open decides", ZH: "可能须履行，取决于未明事实", RU: "возможна; решает ещё не известный факт"},
		"task.maybe":          {EN: "%s (may be owed)", ZH: "%s（可能须履行）", RU: "%s (возможна)"},
		"task.since":          {EN: "overdue since %s", ZH: "自%s起逾期", RU: "просрочена с %s"},
		"task.proof":          {EN: "by %s on %s", ZH: "%s，%s", RU: "%s, %s"},
		"task.ref":            {EN: "evidence: %s", ZH: "证明材料：%s", RU: "подтверждение: %s"},
		"task.reason":         {EN: "reason: %s", ZH: "理由：%s", RU: "причина: %s"},
		"task.wanted":         {EN: "What shows that it was done: %s", ZH: "证明方式：%s", RU: "Чем подтверждается: %s"},
		"task.of":             {EN: "agreement %s", ZH: "协议 %s", RU: "соглашение %s"},
		"task.unconfirmed":    {EN: "Besides: %d releases were not confirmed by their deadline; see corridor transfers", ZH: "另有 %d 次放行未按期确认，见 corridor transfers", RU: "Кроме того, не подтверждено в срок выпусков: %d; см. corridor transfers"},
		"task.calendar":       {EN: "working days of %s", ZH: "%s工作日历", RU: "рабочие дни: %s"},
	}
}
