package law

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"corridor"
)

// owes makes duties as a decision carries them.
func duties(l *Library, ids ...string) []corridor.Obligation {
	var out []corridor.Obligation
	for _, id := range ids {
		info, _ := l.Obligation(id)
		out = append(out, corridor.Obligation{ID: id, Owner: info.Owner, When: info.When, Stage: info.Stage, Deadline: info.Deadline.String(), Certain: true,
			Citations: []corridor.Citation{{Instrument: "law", Article: "1"}}, Text: info.Text})
	}
	return out
}

func happened(t testing.TB, pairs ...string) []Event {
	t.Helper()
	var out []Event
	for _, p := range pairs {
		id, day, _ := strings.Cut(p, "=")
		out = append(out, Event{ID: id, On: date(t, day)})
	}
	return out
}

// task finds the task that stands for a duty, or the one of an event.
func task(t testing.TB, list []Task, obligation, ref string) Task {
	t.Helper()
	for _, x := range list {
		if x.Obligation == obligation && x.Ref == ref {
			return x
		}
	}
	t.Fatalf("there is no task %s %q in %+v", obligation, ref, list)
	return Task{}
}

func TestTasksOfADecision(t *testing.T) {
	l := mustLoadShipped(t)
	list := l.Tasks(duties(l, "file_within_10_working_days", "pipia", "retain_pipia_3y", "depersonalise_for_research", "destroy_transferred_data", "notify_subject_3_working_days"), nil)
	for _, x := range list {
		if x.Due != 0 || x.From != 0 {
			t.Errorf("nothing has happened, and %s is due %s", x.Obligation, x.Due)
		}
		if x.Text.EN == "" || x.Evidence.RU == "" || len(x.Citations) == 0 {
			t.Errorf("%s does not say what it is", x.Obligation)
		}
	}
	filing := task(t, list, "file_contract_with_provincial_cac_10_working_days", "") // under its own name
	if filing.Event != "effect" || filing.Owner != "exporter" || filing.When != "after" || filing.Calendar != "CN" {
		t.Errorf("%+v", filing)
	}
	if slices.ContainsFunc(list, func(x Task) bool { return x.Obligation == "depersonalise_for_research" }) {
		t.Error("what the data plane does is nobody's task")
	}
	if d := task(t, list, "destroy_transferred_data", ""); d.Event != AtTransfer {
		t.Errorf("nobody deletes by itself: %+v", d)
	}
}

func TestWhatTheGatewaySeesStartsClocks(t *testing.T) {
	l := mustLoadShipped(t)
	ids := []string{"file_within_10_working_days", "pipia", "retain_pipia_3y", "notify_subject_3_working_days", "keep_provision_records_3y", "report_breach_24h_72h", "review_ai_risk_yearly", "keep_authority_record"}
	list := l.Tasks(duties(l, ids...), []Event{{AtAgreement, date(t, "2026-09-28"), ""}, {AtTransfer, date(t, "2026-10-12"), "t1"}, {AtTransfer, date(t, "2026-10-20"), "t2"}})
	for _, w := range []struct {
		id, ref, from, due string
		presumed           bool
	}{
		{"file_contract_with_provincial_cac_10_working_days", "", "2026-09-28", "2026-10-16", true},
		{"pipia", "", "", "2026-10-12", false}, // before the first transfer
		{"retain_pipia_3y", "", "2026-09-28", "2029-09-28", true},
		{"notify_subject_3_working_days", "", "", "", false},
		{"notify_subject_3_working_days", "t1", "2026-10-12", "2026-10-15", false},
		{"notify_subject_3_working_days", "t2", "2026-10-20", "2026-10-23", false},
		{"keep_provision_records_3y", "", "2026-10-20", "2029-10-20", false}, // from the last of them
		{"report_breach_24h_72h", "", "", "", false},
		{"review_ai_risk_yearly", "", "2026-09-28", "2027-09-28", true},
		{"keep_authority_record", "", "2026-10-12", "", false},
	} {
		x := task(t, list, w.id, w.ref)
		if got := dayText(x.From); got != w.from || dayText(x.Due) != w.due || x.Presumed != w.presumed {
			t.Errorf("%s %s: from %s due %s presumed %v; want %+v", w.id, w.ref, got, dayText(x.Due), x.Presumed, w)
		}
	}
	list = l.Tasks(duties(l, ids...), happened(t, "agreement=2026-09-28", "effect=2026-09-01", "detection=2026-10-01"))
	if x := task(t, list, "file_contract_with_provincial_cac_10_working_days", ""); dayText(x.From) != "2026-09-01" || x.Presumed {
		t.Errorf("what is known takes the place of what is presumed: %+v", x)
	}
	if x := task(t, list, "report_breach_24h_72h", "2026-10-01"); dayText(x.Due) != "2026-10-02" || !strings.Contains(strings.Join(x.Doubts, " "), "24 hours") {
		t.Errorf("%s %v", dayText(x.Due), x.Doubts)
	}
}

func dayText(d corridor.Date) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func TestATaskSaysWhatItsDayRestsOn(t *testing.T) {
	l := mustLoadShipped(t)
	for _, w := range []struct{ id, event, due, doubt string }{
		{"file_within_10_working_days", "effect=2031-01-10", "2031-01-20", "the holiday table of CN for 2031 is missing"},
		{"file_within_10_working_days", "effect=2026-12-28", "2027-01-08", "table of CN for 2027 is not fully official"},
		{"file_within_10_working_days", "effect=2026-12-28", "2027-01-08", "2027-01-02 may be worked in CN"}, // as the Sunday after the New Year was in 2026
		{"file_within_10_working_days", "effect=2027-06-30", "2027-07-14", "table of CN for 2027"},           // far from any holiday
		{"stop_on_withdrawal_15_working_days", "withdrawal=2027-05-10", "2027-05-27", "2027-05-17 may be a day off in KZ"},
		{"wait_for_rkn_term", "filed_on=2031-01-10", "", "so the end is not known"},
		{"wait_for_rkn_term", "filed_on=2027-04-26", "2027-05-14", "make the end later"},
	} {
		list := l.Tasks(duties(l, w.id), happened(t, w.event))
		x := list[len(list)-1]
		if dayText(x.Due) != w.due || !strings.Contains(strings.Join(x.Doubts, "; "), w.doubt) {
			t.Errorf("%s %s: due %q, %q", w.id, w.event, dayText(x.Due), x.Doubts)
		}
		for _, n := range x.Doubts {
			if NoteIn(n, "zh") == n || NoteIn(n, "ru") == n {
				t.Errorf("%q is not put into zh or ru", n)
			}
		}
	}
	list := l.Tasks([]corridor.Obligation{{ID: "of_another_edition", Owner: "importer", When: "after", Deadline: "2 days after provision"}}, nil)
	if len(list) != 1 || len(list[0].Doubts) != 1 || list[0].Event != AtTransfer {
		t.Errorf("a duty that only the peer knows is a task all the same: %+v", list)
	}
}

// dutiesWithDeadlines are those of the shipped packs.
func dutiesWithDeadlines(l *Library) []string {
	var out []string
	for _, o := range l.obligations.all {
		if o.Deadline != nil && !onBytes(o.Stage) {
			out = append(out, o.ID)
		}
	}
	return out
}

func drawEvents(t *rapid.T, l *Library, label string) []Event {
	ids := append(keys(l.obligations.events), AtAgreement, AtTransfer)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Event {
		return Event{rapid.SampledFrom(ids).Draw(t, "event"), date2026.add(rapid.IntRange(0, 900).Draw(t, "day")), rapid.StringMatching("[a-c]?").Draw(t, "ref")}
	}), 0, 8).Draw(t, label)
}

func TestNoTaskIsDueLaterThanItsDeadline(t *testing.T) {
	l := mustLoadShipped(t)
	ids := dutiesWithDeadlines(l)
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom(ids).Draw(t, "duty")
		info, _ := l.Obligation(id)
		e := l.obligations.events[info.Deadline.From]
		events := drawEvents(t, l, "events")
		list := l.Tasks(duties(l, id), events)
		endless := slices.ContainsFunc(events, func(x Event) bool { // counts into a year whose working days nobody knows yet
			_, err := l.Due(id, x.On)
			return x.ID == info.Deadline.From && err != nil
		})
		for _, x := range events {
			if x.ID != info.Deadline.From {
				continue
			}
			due, err := l.Due(id, x.On)
			if err != nil {
				continue // no calendar: see TestATaskSaysWhatItsDayRestsOn
			}
			for _, got := range list {
				switch {
				case got.Each && (got.From != x.On):
				case got.Renewed && got.From > x.On: // done again since
				case info.Deadline.Until && got.Due == 0 && endless: // kept until that is known
				case info.Deadline.Until && got.Due < due.Last:
					t.Fatalf("%s is kept until %s, and %s asks for %s", id, got.Due, x.On, due.Last)
				case !info.Deadline.Until && got.Due > due.Last:
					t.Fatalf("%s is due %s, and from %s it is %s", id, got.Due, x.On, due.Last)
				}
			}
			if e.clock == clockEach && !info.Deadline.Until && !slices.ContainsFunc(list, func(y Task) bool { return y.From == x.On && y.Due <= due.Last }) {
				t.Fatalf("%s of %s has no task", id, x.On)
			}
		}
	})
}

func TestAnEventMoreTakesNoTaskAway(t *testing.T) {
	l := mustLoadShipped(t)
	all := duties(l, dutiesWithDeadlines(l)...)
	rapid.Check(t, func(t *rapid.T) {
		before, more := drawEvents(t, l, "events"), drawEvents(t, l, "more")
		after := l.Tasks(all, slices.Concat(before, more))
		for _, x := range l.Tasks(all, before) {
			if !slices.ContainsFunc(after, func(y Task) bool {
				return y.Obligation == x.Obligation && y.Ref == x.Ref && (x.From == 0 || y.From != 0)
			}) {
				t.Fatalf("%s %q is gone, or its clock stands again", x.Obligation, x.Ref)
			}
		}
	})
}

func TestDoubtMovesADayOnlyAgainstWhoeverCounts(t *testing.T) {
	l, sure := mustLoadShipped(t), mustLoadShipped(t)
	for _, c := range sure.calendars { // what is estimated is known to be off
		clear(c.doubtful)
		c.moves = false
		for _, y := range c.years {
			clear(y.estimated)
		}
	}
	ids := dutiesWithDeadlines(l)
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom(ids).Draw(t, "duty")
		events := drawEvents(t, l, "events")
		plain := sure.Tasks(duties(l, id), events)
		for i, x := range l.Tasks(duties(l, id), events) {
			if x.Until && x.Due != 0 && x.Due < plain[i].Due || !x.Until && x.Due > plain[i].Due {
				t.Fatalf("%s from %s: %s in doubt, %s without", id, x.From, x.Due, plain[i].Due)
			}
		}
	})
}

// withObligations is the test tree with other obligations.
func withObligations(t *testing.T, yaml string) (*Library, error) {
	t.Helper()
	fsys := tree(testHead + oneRule(nil))
	body := strings.ReplaceAll(testObligations, "events: {effect: &T}", yaml)
	fsys["obligations.yaml"].Data = []byte(strings.ReplaceAll(body, "&T", "{en: e, zh: z, ru: r}"))
	return Load(fsys)
}

func TestOneDutyOfBothSidesIsOneTask(t *testing.T) {
	l := mustLoadShipped(t)
	a, b := duties(l, "file_within_10_working_days")[0], duties(l, "file_contract_with_provincial_cac_10_working_days")[0]
	a.Certain, b.Citations = false, append(b.Citations, corridor.Citation{Instrument: "law", Article: "2"})
	list := l.Tasks([]corridor.Obligation{a, b}, nil)
	if len(list) != 1 || !list[0].Certain || len(list[0].Citations) != 2 || len(a.Citations) != 1 {
		t.Errorf("%+v", list)
	}
	if got := l.Starts(append(duties(l, "pipia", "breach_notice_1_business_day"), a, b)); !slices.Equal(got, []string{"detection", "effect"}) {
		t.Error(got)
	}
}

func TestADutyOwedBeforeIsDueOnTheDayOfTheTransferAtTheLatest(t *testing.T) {
	l, err := withObligations(t, "events: {effect: {en: e, zh: z, ru: r, clock: once}}\n")
	if err != nil {
		t.Fatal(err)
	}
	i := l.obligations.index["keep"]
	l.obligations.all[i].When = "before"
	for transfer, due := range map[string]string{"2026-03-05": "2026-03-05", "2026-06-01": "2026-03-16"} {
		x := task(t, l.Tasks(duties(l, "keep"), happened(t, "effect=2026-03-02", "transfer="+transfer)), "keep", "")
		if x.Due.String() != due {
			t.Errorf("with a transfer on %s it is due %s, not %s", transfer, x.Due, due)
		}
	}
}

func TestAnEventOfThePacksSaysHowItStandsToTheGateway(t *testing.T) {
	for yaml, want := range map[string]string{
		"events: {effect: {en: e, zh: z, ru: r, at: agreement, clock: renewed}}\n":   "",
		"events: {effect: {en: e, zh: z, ru: r, at: signature}}\n":                   "agreement, transfer",
		"events: {effect: {en: e, zh: z, ru: r, clock: twice}}\n":                    "each, once, renewed",
		"events: {effect: {en: e, zh: z, ru: r}, transfer: {en: e, zh: z, ru: r}}\n": `"transfer" is the gateway's own event`,
		"events: {effect: {en: e, zh: z, ru: r, when: never}}\n":                     "when",
	} {
		_, err := withObligations(t, yaml)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", yaml, err, want)
		}
	}
}
