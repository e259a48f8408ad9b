package law

import (
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"corridor"
)

// calendar is the working days of one country.
type calendar struct {
	rest     [7]bool // Monday first
	moves    bool    // each year a decree moves rest days: works some, and lengthens holidays
	years    map[int]*calendarYear
	doubtful map[corridor.Date]bool // within a day of an estimated date, or half days
}

type calendarYear struct {
	status    string
	off, work map[corridor.Date]bool
	estimated map[corridor.Date]bool // days off whose date is estimated
	half      map[corridor.Date]bool
}

// party is who the days are counted for: doubt counts against it.
type party int

const (
	waits party = iota // lets a term pass: a doubtful day is no working day
	owes               // has to act in time: a doubtful day is a working day
)

func (r *reader) calendars(root *yaml.Node) map[string]*calendar {
	out := map[string]*calendar{}
	skip := func(*yaml.Node) {}
	r.object(root, "the calendars", field{"note", false, skip}, field{"source", false, skip},
		field{"countries", true, func(n *yaml.Node) {
			r.entries(n, "countries", func(k, v *yaml.Node) { out[r.name(k, "calendar")] = r.calendar(v) })
		}})
	return out
}

func (r *reader) calendar(n *yaml.Node) *calendar {
	c := &calendar{years: map[int]*calendarYear{}, doubtful: map[corridor.Date]bool{}}
	r.object(n, "a calendar", field{"note", false, func(*yaml.Node) {}},
		field{"weekly_rest", true, func(n *yaml.Node) { r.weeklyRest(n, c) }},
		field{"moves_days", false, func(n *yaml.Node) { c.moves = r.boolean(n, "moves_days") }},
		field{"years", true, func(n *yaml.Node) {
			r.entries(n, "years", func(k, v *yaml.Node) {
				year, err := strconv.Atoi(k.Value)
				if err != nil {
					r.fail(k, "", "%q is not a year", k.Value)
				}
				c.years[year] = r.calendarYear(v, year)
			})
		}})
	for _, y := range c.years {
		for d := range y.estimated {
			c.doubtful[d-1], c.doubtful[d], c.doubtful[d+1] = true, true, true
		}
		for d := range y.half {
			c.doubtful[d] = true
		}
	}
	return c
}

func (r *reader) weeklyRest(n *yaml.Node, c *calendar) {
	r.list(n, "weekly_rest", func(n *yaml.Node) {
		if d := r.integer(n, "weekday"); d >= 0 && d < 7 {
			c.rest[d] = true
		} else {
			r.fail(n, "Monday is 0, Sunday is 6", "%d is not a weekday", d)
		}
	})
	if !slices.Contains(c.rest[:], false) {
		r.fail(n, "", "every day is a rest day")
	}
}

func (r *reader) calendarYear(n *yaml.Node, year int) *calendarYear {
	y := &calendarYear{}
	y.off, y.work, y.estimated, y.half = map[corridor.Date]bool{}, map[corridor.Date]bool{}, map[corridor.Date]bool{}, map[corridor.Date]bool{}
	days := func(to map[corridor.Date]bool, what string) func(*yaml.Node) {
		return func(n *yaml.Node) { r.calendarDays(n, year, to, what) }
	}
	r.object(n, "a calendar year",
		field{"status", true, func(n *yaml.Node) { y.status = r.choice(n, "status", "official", "partly_official", "estimated") }},
		field{"off", true, days(y.off, "off")}, field{"makeup_workdays", false, days(y.work, "makeup_workdays")},
		field{"estimated_dates", false, days(y.estimated, "estimated_dates")}, field{"half_days", false, days(y.half, "half_days")},
		field{"note", false, func(*yaml.Node) {}})
	for d := range y.estimated {
		if !y.off[d] {
			r.fail(n, "list it under off as well", "%s is estimated, but not off", d)
		}
	}
	for d := range y.work {
		if y.off[d] {
			r.fail(n, "leave it in one of the two", "%s is off and made up for at once", d)
		}
	}
	return y
}

// calendarDays reads days of one year, each named once.
func (r *reader) calendarDays(n *yaml.Node, year int, to map[corridor.Date]bool, what string) {
	r.list(n, what, func(n *yaml.Node) {
		d := r.date(n, what)
		if got := d.Time().Year(); got != year {
			r.fail(n, "", "%s of %d names a day of %d", what, year, got)
		}
		if to[d] {
			r.fail(n, "", "%s names %s twice", what, d)
		}
		to[d] = true
	})
}

// working says whether d is a working day for that party; known is false when
// the calendar of its year is missing.
func (c *calendar) working(d corridor.Date, p party) (working bool, year int, known bool) {
	t := d.Time()
	y := c.years[t.Year()]
	if y == nil {
		return false, t.Year(), false
	}
	off := y.off[d]
	if p == waits {
		off = off || c.doubtful[d]
	} else {
		off = off && !y.estimated[d]
	}
	rest := c.rest[(int(t.Weekday())+6)%7] && !y.work[d]
	return !rest && !off, t.Year(), true
}

// maxMoved is how many days of one term a decree that is not known may turn.
const maxMoved = 2

// How far from a holiday, in days, a decree turns days: working days that
// lengthen it, and rest days that are worked for it.
const (
	lengthens = 3
	worked    = 21
)

// mayTurn says whether a decree that is still to come may make d what it is
// not now, to the harm of that party.
func (c *calendar) mayTurn(d corridor.Date, p party, working bool) bool {
	if !c.moves || c.years[d.Time().Year()].status != "estimated" || working != (p == waits) || c.off(d) {
		return false
	}
	near := corridor.Date(lengthens)
	if p == owes {
		near = worked
	}
	for n := d - near; n <= d+near; n++ {
		if c.off(n) {
			return true
		}
	}
	return false
}

// off says whether the tables name d as a day off.
func (c *calendar) off(d corridor.Date) bool {
	y := c.years[d.Time().Year()]
	return y != nil && y.off[d]
}

// maxTermDays bounds the search for the end of a term.
const maxTermDays = 5 * 365

// termEnd gives the last day of a term of n working days after from, for the
// party that waits for it or owes something within it. An unknown year leaves
// the term open.
func (c *calendar) termEnd(from corridor.Date, n int, p party) (last corridor.Date, estimated bool, missing int) {
	moved := 0
	for d := from + 1; d < from+maxTermDays; d++ {
		working, year, known := c.working(d, p)
		if !known {
			return 0, false, year
		}
		if moved < maxMoved && c.mayTurn(d, p, working) {
			moved++
			working = !working
		}
		estimated = estimated || c.years[year].status != "official" || c.doubtful[d]
		if working {
			n--
		}
		if n == 0 {
			return d, estimated, 0
		}
	}
	return 0, false, from.Time().Year()
}

// ahead is the last day that lies n working days before an end. In doubt it is
// early: what may be off counts as off, and in a year without a table as many
// more days as are off in any year that has one.
func (c *calendar) ahead(end corridor.Date, n int) (last corridor.Date, doubtful bool) {
	d, moved, missing := end, 0, 0
	for n > 0 {
		d--
		working, year, known := c.working(d, waits)
		switch {
		case !known:
			working = !c.rest[(int(d.Time().Weekday())+6)%7]
			if year != missing {
				missing, doubtful, n = year, true, n+c.mostOff()
			}
		case c.years[year].status != "official" || c.doubtful[d]:
			doubtful = true
		}
		if known && moved < maxMoved && c.mayTurn(d, waits, working) {
			moved, working = moved+1, false
		}
		if working {
			n--
		}
	}
	return d, doubtful
}

// mostOff is how many days are off in the year with the most of them.
func (c *calendar) mostOff() int {
	most := 0
	for _, y := range c.years {
		most = max(most, len(y.off))
	}
	return most
}

// Due is the day by which something owed has to be done, or until which it
// has to be kept or waited for.
type Due struct {
	Last        corridor.Date
	Provisional bool // some of the working days are estimated
	Until       bool // it is the end of keeping or waiting, which doubt makes late
}

// Due counts the deadline of an obligation from the day of the event that
// starts it. In doubt it ends early: an estimated holiday counts as a working
// day, and hours as the full days that are in them. What is kept or waited for
// ends late instead.
func (l *Library) Due(id string, from corridor.Date) (Due, error) {
	o, ok := l.Obligation(id)
	if !ok {
		return Due{}, noDue(id, didYouMean(id, keys(l.obligations.index)), "is unknown")
	}
	d := o.Deadline
	if d == nil {
		return Due{}, noDue(id, "", "has no deadline")
	}
	if d.Ahead > 0 {
		last, doubtful := l.calendars[d.Calendar].ahead(d.after(from), d.Ahead)
		return Due{Last: last, Provisional: doubtful}, nil
	}
	if d.Unit != "working_days" {
		return Due{Last: d.after(from), Until: d.Until}, nil
	}
	who := owes
	if d.Until {
		who = waits
	}
	last, estimated, missing := l.calendars[d.Calendar].termEnd(from, d.Days, who)
	if missing != 0 {
		return Due{}, noDue(id, "add the year to calendars.json", "needs the working days of %s %d, which are not known", d.Calendar, missing)
	}
	return Due{last, estimated, d.Until}, nil
}

func noDue(id, fix, format string, args ...any) error {
	e := corridor.E(corridor.Invalid, "obligation %s "+format, append([]any{clip(id)}, args...)...)
	e.Where, e.Fix = "obligations."+clip(id), fix
	return e
}

// after gives the last day of a deadline that is not counted in working days.
func (d *Deadline) after(from corridor.Date) corridor.Date {
	switch d.Unit {
	case "hours":
		return from + corridor.Date(d.Days/24)
	case "months":
		return addMonths(from, d.Days)
	case "years":
		return addMonths(from, 12*d.Days)
	}
	return from + corridor.Date(d.Days)
}

// addMonths gives the same day n months on, or the last day of that month.
func addMonths(from corridor.Date, n int) corridor.Date {
	t := from.Time()
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	day := min(t.Day(), first.AddDate(0, 1, -1).Day())
	return corridor.DateOf(first.AddDate(0, 0, day-1))
}

// checkCalendars refuses deadlines in working days of nobody's calendar.
func (l *Library) checkCalendars(r *reader, list []*declared) {
	for _, d := range list {
		switch {
		case d.Deadline == nil:
		case d.Deadline.Ahead > 0 && (d.Deadline.Unit == "working_days" || d.Deadline.Unit == "hours" || d.Deadline.Until):
			r.failAt(d.place, "count days, months or years, and do not say until", "the deadline of %s is ahead of nothing that ends on a day", d.ID)
		case d.Deadline.Ahead > 0 && l.calendars[d.Deadline.Calendar] == nil:
			r.failAt(d.place, didYouMean(d.Deadline.Calendar, keys(l.calendars)), "the deadline of %s names the unknown calendar %q", d.ID, d.Deadline.Calendar)
		case d.Deadline.Ahead == 0 && d.Deadline.Unit != "working_days" && d.Deadline.Calendar != "":
			r.failAt(d.place, "leave the calendar out, or count working days", "the deadline of %s names a calendar and counts %s", d.ID, words(d.Deadline.Unit))
		case d.Deadline.Unit == "working_days" && l.calendars[d.Deadline.Calendar] == nil:
			r.failAt(d.place, didYouMean(d.Deadline.Calendar, keys(l.calendars)), "the deadline of %s names the unknown calendar %q", d.ID, d.Deadline.Calendar)
		}
	}
}
