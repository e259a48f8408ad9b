package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"corridor"
	"corridor/internal/law"
)

// impactTexts are the words of an impact report.
func impactTexts() map[string]corridor.Text {
	return map[string]corridor.Text{
		"impact.title":     {EN: "Impact of %s, %s to %s: %d of %d agreements are affected.", ZH: "%s 的影响（%s至%s）：%[5]d 项协议中有 %[4]d 项受影响。", RU: "Влияние %s, с %s по %s: затронуто соглашений %d из %d."},
		"impact.transfers": {EN: "running transfers: %s", ZH: "进行中的传输：%s", RU: "идут передачи: %s"},
		"impact.ours":      {EN: "our own side", ZH: "本方", RU: "наша сторона"},
		"impact.theirs":    {EN: "the peer's side, on the facts that we have", ZH: "对方（依本方所知事实）", RU: "сторона партнёра, по известным нам фактам"},
		"impact.before":    {EN: "before: %s (pack %s)", ZH: "此前：%s（规则包 %s）", RU: "было: %s (пакет %s)"},
		"impact.turn":      {EN: "from %s: %s", ZH: "自%s起：%s", RU: "с %s: %s"},
		"impact.stop":      {EN: "may no longer go on; a node with these packs suspends it", ZH: "不得继续；采用该版本的节点将予以中止", RU: "продолжать нельзя; узел с этими пакетами приостановит его"},
		"impact.approved":  {EN: "may go on under the approval that the agreement quotes", ZH: "依协议所载批准可以继续", RU: "можно продолжать по разрешению, указанному в соглашении"},
		"impact.missing":   {EN: "facts missing: %s", ZH: "缺少事实：%s", RU: "не хватает фактов: %s"},
		"impact.error":     {EN: "cannot be decided under the candidate: %s", ZH: "依候选版本无法判断：%s", RU: "по новой редакции решить нельзя: %s"},
		"impact.gone":      {EN: "The packs %s %s (%s), on which %d decisions rest, are no longer present; these were not replayed on their own day.", ZH: "规则包 %s %s（%s）已不在此处，以其为依据的 %d 项决定未按当日法律重放。", RU: "Пакетов %s %s (%s), на которых стоят решения (%d), здесь больше нет; на свой день они не пересчитаны."},
		"impact.differs":   {EN: "on its own day and packs it no longer comes out as it stands on record", ZH: "依其当日及原规则包重放，结果与记录不符", RU: "на свой день и при своих пакетах решение выходит не таким, как записано"},
		"impact.unread":    {EN: "Not replayed, because the facts are not on record here: %s", ZH: "未重放（本节点未保存其事实）：%s", RU: "Не пересчитано, факты здесь не записаны: %s"},
		"impact.note":      {EN: "The facts are those decided on at the agreement; counters and datasets may have moved since.", ZH: "所用事实为订立协议时的事实；此后累计数量和数据集可能已有变化。", RU: "Взяты факты на день соглашения; счётчики и наборы данных с тех пор могли измениться."},
	}
}

func (w *comparison) impact(out io.Writer, m impact) error {
	for key, text := range impactTexts() {
		w.texts[key] = text
	}
	w.out = bufio.NewWriter(out)
	w.line("", w.say("impact.title", m.candidate.name, m.On, m.Until-1, len(m.Affected), m.Agreements))
	for _, x := range m.Affected {
		w.affected(x)
	}
	fmt.Fprintln(w.out)
	for _, p := range m.Missing {
		w.line("! ", w.say("impact.gone", p.Pack.ID, p.Pack.Version, p.Pack.Digest, len(p.Agreements)))
	}
	if len(m.Unread) > 0 {
		w.line("! ", w.say("impact.unread", strings.Join(m.Unread, ", ")))
	}
	w.line("", w.say("impact.note"))
	return w.out.Flush()
}

func (w *comparison) affected(x agreementImpact) {
	fmt.Fprintln(w.out)
	w.line("", fmt.Sprintf("%s  %s  %s  %s", x.Agreement, x.State, x.Dataset, x.Peer))
	if len(x.Transfers) > 0 {
		var list []string
		for _, t := range x.Transfers {
			list = append(list, t.PID+" "+t.State)
		}
		w.line("  ", w.say("impact.transfers", strings.Join(list, ", ")))
	}
	for _, s := range x.Sides {
		w.sideImpact(s)
	}
}

func (w *comparison) sideImpact(s sideImpact) {
	whose := w.say("impact.theirs")
	if s.Ours {
		whose = w.say("impact.ours")
	}
	w.line("  ", w.country(s.Jurisdiction)+", "+w.say("side."+string(s.Side))+", "+whose)
	w.line("    ", w.say("impact.before", w.say(s.Before.String()), s.Pack.ID+" "+s.Pack.Version+", "+short12(s.Pack.Digest)))
	if s.Replays != nil && !*s.Replays {
		w.line("    ! ", w.say("impact.differs"))
	}
	if s.Error != "" {
		w.line("    ! ", w.say("impact.error", s.Error))
	}
	for _, t := range s.Turns {
		w.turn(t, s.Approved)
	}
}

func (w *comparison) turn(t turnOf, approved bool) {
	w.line("    ", w.say("impact.turn", t.From, w.say(t.Outcome.String())))
	switch {
	case !t.Lawful:
		w.line("      ! ", w.say("impact.stop"))
	case t.Outcome == corridor.NeedsApproval && approved:
		w.line("      ", w.say("impact.approved"))
	}
	if len(t.Missing) > 0 {
		w.line("      ", w.say("impact.missing", strings.Join(t.Missing, ", ")))
	}
	for _, r := range t.Rules {
		w.line("      ", fmt.Sprintf("%s [%s]", w.cites(r.Citations), r.Rule))
		w.line("        ", r.Text.In(w.lang))
	}
	for _, d := range t.Duties {
		w.dutyChange(d)
	}
	if t.Unverified {
		w.line("      ! ", w.say("unverified"))
	}
}

func (w *comparison) dutyChange(d law.DutyChange) {
	lead, key := "      - ", "duty.gone"
	if d.Added {
		lead, key = "      + ", "duty.new"
	}
	text := w.say(key, fmt.Sprintf("%s [%s]", strings.TrimRight(d.Text.In(w.lang), ".。"), d.ID))
	if d.When != "" && d.Added {
		text += " (" + w.say(d.When) + ")"
	}
	w.line(lead, text)
	w.line("        ", w.cites(d.Citations))
}
