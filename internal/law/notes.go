package law

import (
	"fmt"
	"strings"
)

// A note is a plain English sentence in a decision, made from one of these
// patterns, so that it can be put into another language later.
type notePattern struct{ en, zh, ru string }

var (
	noteNoPack     = notePattern{"no rule pack for %s", "没有%s的规则包", "нет пакета правил для %s"}
	noteNotCovered = notePattern{"pack %s does not cover %s: no law on which its answer where no rule applies rests was in force that day", "规则包%s不涵盖%s：当日没有任何支撑其“无规则适用时”结论的法律在施行", "пакет %s не охватывает %s: в этот день не действовал ни один акт, на котором основан его ответ при отсутствии правила"}
	noteFarAhead   = notePattern{"pack %s knows the law as it was seen up to %s; for a day so much later this is what is known now, so ask again nearer to it", "规则包%s所载法律截至%s；该日期远在其后，结论仅反映目前所知，临近时应重新查询", "пакет %s знает право по состоянию на %s; день намного позже, и это лишь то, что известно сейчас: спросите снова ближе к нему"}
	noteNoIssue    = notePattern{"%s has no day of issue, so it is not checked whether its %s years have passed; give issued_on", "%s没有颁发日期，无法核对其%s年有效期是否届满；请提供 issued_on", "у %s нет даты выдачи, поэтому не проверено, не истекли ли её %s года (лет); укажите issued_on"}
	noteExpired    = notePattern{"%s was issued on %s for %s years and ended on %s: it counts as not in place and has to be renewed", "%s颁发于%s，有效期%s年，已于%s届满：视为不具备，须重新办理", "%s выдано %s, действует (лет): %s, и закончилось %s: считается отсутствующим, нужно продлить"}
	noteLasts      = notePattern{"%s lasts until %s (%s) and has to be renewed before it ends", "%s有效期至%s（%s），须在届满前续展", "%s действует до %s включительно (%s), до этого его нужно продлить"}
	noteAhead      = notePattern{"not all working days of %s before the end are known; the day is early by as many as holidays may take", "期满前%s的工作日不完全确定；所示日期已按可能的节假日提前", "не все рабочие дни до конца срока известны (%s); день взят раньше на столько, сколько могут занять праздники"}
	noteNoMeaning  = notePattern{"%s %s has no meaning in pack %s and counts as nothing in place", "%s %s在规则包%s中没有含义，视为尚未具备", "%s %s не имеет значения в пакете %s и считается отсутствующим"}
	noteNoCalendar = notePattern{"the working days of %s %s are not known, so the term of %s never counts as over", "缺少%s %s年的工作日历，因此%s的期限不视为届满", "рабочие дни (%s, %s год) неизвестны, поэтому срок по %s не считается истёкшим"}
	noteEstimated  = notePattern{"some working days of %s used for the term of %s are estimated", "%s用于计算%s期限的部分工作日为估计", "часть рабочих дней (%s), по которым считается срок %s, - оценка"}
	noteNoDate     = notePattern{"%s has no filing date, so its term counts as possibly running", "%s没有提交日期，其期限视为可能尚未届满", "у %s нет даты подачи, поэтому срок считается возможно идущим"}

	// Of tasks: what is doubtful about their day.
	noteNoTable       = notePattern{"the holiday table of %s for %s is missing, so every day of that year counts as a working day", "缺少%s %s年的节假日表，该年每一天均按工作日计算", "нет таблицы праздников (%s, %s год), поэтому каждый день этого года считается рабочим"}
	noteEstimatedYear = notePattern{"the holiday table of %s for %s is not fully official; the day may still move", "%s %s年的节假日表尚非完全官方，日期仍可能变动", "таблица праздников (%s, %s год) не вполне официальна; день может сместиться"}
	noteDoubtfulDay   = notePattern{"%s may be a day off in %s and counts as a working day", "%s在%s可能放假，按工作日计算", "%s может быть выходным (%s) и считается рабочим днём"}
	noteMovedDay      = notePattern{"%s may be worked in %s in place of another day and counts as a working day", "%s在%s可能调休上班，按工作日计算", "%s может стать рабочим днём из-за переноса (%s) и считается рабочим"}
	noteNoEnd         = notePattern{"the working days of %s %s are not known, so the end is not known", "缺少%s %s年的工作日历，期满日无法确定", "рабочие дни (%s, %s год) неизвестны, поэтому неизвестен и конец срока"}
	noteLater         = notePattern{"some working days of %s are estimated; doubtful days make the end later", "%s的部分工作日为估计；存疑日使期满日推迟", "часть рабочих дней (%s) - оценка; сомнительные дни отодвигают конец срока"}
	noteHours         = notePattern{"the law counts %s hours from the hour of the event: on the day shown they may end early", "法律自事件发生的时刻起计%s小时：在所示日期当天可能提前届满", "закон считает %s ч с часа события: в показанный день они могут истечь рано"}
	noteNoDuty        = notePattern{"the packs here do not know the duty %s; its deadline in words: %s", "本地规则包没有义务%s；其期限原文：%s", "здешние пакеты не знают обязанности %s; её срок словами: %s"}
	notePatterns      = []notePattern{noteNoPack, noteNotCovered, noteFarAhead, noteNoIssue, noteExpired, noteLasts, noteAhead, noteNoMeaning, noteNoCalendar, noteEstimated, noteNoDate,
		noteNoTable, noteEstimatedYear, noteDoubtfulDay, noteMovedDay, noteNoEnd, noteLater, noteHours, noteNoDuty}
)

func note(p notePattern, args ...any) string { return fmt.Sprintf(p.en, args...) }

// NoteIn puts a note of a decision into lang ("en", "zh" or "ru"). A note it
// does not know stays as it is.
func NoteIn(text, lang string) string {
	if lang != "zh" && lang != "ru" {
		return text
	}
	for _, p := range notePatterns {
		args, ok := unprint(p.en, text)
		if !ok {
			continue
		}
		to := p.zh
		if lang == "ru" {
			to = p.ru
		}
		return fmt.Sprintf(to, args...)
	}
	return text
}

// unprint takes a text apart along the fixed parts of its pattern.
func unprint(pattern, text string) ([]any, bool) {
	parts := strings.Split(pattern, "%s")
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return nil, false
	}
	var args []any
	for i, p := range parts[1:] {
		at := strings.Index(rest, p)
		if i == len(parts)-2 {
			at = len(rest) - len(p)
			if at < 0 || rest[at:] != p {
				return nil, false
			}
		}
		if at < 0 {
			return nil, false
		}
		args = append(args, rest[:at])
		rest = rest[at+len(p):]
	}
	return args, rest == ""
}
