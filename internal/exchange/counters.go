package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/counter"
	"corridor/internal/dsp"
	"corridor/internal/law"
	"corridor/internal/store"
)

// A threshold of the law is reached by all that an exporter lets go in a
// year, not by one flow. This file keeps the count that decisions are made
// with, and makes sure that two of them cannot both be made below a line that
// they cross together.

// The kinds of people that a year counts.
const (
	kindPeople    = "people"
	kindSensitive = "sensitive_people"
)

// counted lists the facts about people that the year adds up: what is in this
// flow, and what the law asks about the whole year.
func counted() map[string][2]string {
	return map[string][2]string{
		kindPeople:    {"subjects_in_file", "subjects_ytd"},
		kindSensitive: {"sensitive_subjects_in_file", "sensitive_subjects_ytd"},
	}
}

// countedKinds lists them in their order.
func countedKinds() []string { return []string{kindPeople, kindSensitive} }

// people is the running state of the counts. Under the lease of the people one
// file is read for its people at a time, and nothing is tidied away meanwhile.
type people struct {
	lines map[string][]int64 // by kind: the numbers at which any pack tells counts apart; never changes

	mu    sync.Mutex // guards what follows
	year  *counter.Year
	swept corridor.Date // past years were last forgotten on
}

// keepPast is how long the hashes and the key of a year outlive it.
const keepPast = 31 * 24 * time.Hour

func newPeople(l *law.Library) *people {
	p := &people{lines: map[string][]int64{}}
	for kind, names := range counted() {
		for _, line := range l.Lines(names[1], "", 0) {
			p.lines[kind] = append(p.lines[kind], line.At)
		}
		p.lines[kind] = slices.Compact(p.lines[kind])
	}
	return p
}

// cell is the place of a count between the lines of the law.
func (p *people) cell(kind string, n int64) int {
	at, on := slices.BinarySearch(p.lines[kind], n)
	if on {
		at++
	}
	return at
}

func yearOf(d corridor.Date) string { return d.String()[:4] }

// thisYear gives the count of the year that the node's clock shows.
func (s *Service) thisYear() *counter.Year {
	today := s.today()
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	if s.people.year == nil || s.people.year.Name() != yearOf(today) {
		s.people.year = counter.NewYear(s.db, yearOf(today))
	}
	if s.people.swept != today {
		s.people.swept = today
		select {
		case s.side <- s.forgetPeople:
		default: // tomorrow
		}
	}
	return s.people.year
}

// forgetPeople deletes the hashes and keys of years that are over.
func (s *Service) forgetPeople(ctx context.Context) {
	now := s.now()
	doubt, _, err := s.doubts(ctx, now)
	if doubt != nil {
		return
	}
	before := yearOf(corridor.DateOf(now.Add(-keepPast)))
	if err == nil {
		err = s.forgetBefore(ctx, before)
	}
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "the people of past years could not be forgotten; it is tried again tomorrow", "error", err)
	}
}

func (s *Service) forgetBefore(ctx context.Context, before string) error {
	err := s.db.Alone(ctx, leasePeople, func(ctx context.Context) error {
		return s.db.Write(ctx, func(tx *store.Tx) error {
			if err := s.db.StillAlone(ctx, tx, leasePeople); err != nil {
				return err
			}
			return counter.Forget(ctx, tx, before)
		})
	})
	if err == nil && s.cfg.CountKeys != "" {
		_, err = counter.Keys(s.cfg.CountKeys).Forget(before)
	}
	return err
}

// reckoning is the year's count, one flow included, that a decision is made
// with. It is held against the count again when the decision is committed.
type reckoning struct {
	year  *counter.Year
	seq   int64           // how far the count was read
	total map[string]span // by kind
	add   []counter.Entry // what the flow adds
}

// maxCounted bounds a number of people that is added up.
const maxCounted = 1 << 50

// reckon counts the people of the year as it would be with a dataset. Where
// the law tells apart what a sketch cannot, the hashes are counted one by one.
func (s *Service) reckon(ctx context.Context, d catalog.Dataset) (*reckoning, error) {
	r := &reckoning{year: s.thisYear(), total: map[string]span{}}
	sets, err := s.setsOf(context.WithoutCancel(ctx), d, r.year.Name()) // a peer that does not wait finds them when it asks again
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		s.log.WarnContext(ctx, "the people of a dataset cannot be told from those of others; all are counted as different", "dataset", d.ID, "error", err)
	}
	for _, kind := range countedKinds() {
		file, stated := readSpan(d.Facts[counted()[kind][0]])
		set, keyed := sets[kind]
		if !stated && !keyed || file.most() > maxCounted {
			continue
		}
		e := counter.Entry{Kind: kind, Dataset: d.ID, Set: set.ID, Size: set.Size, Loose: file.most()}
		unsure := file.most() - file.low
		if keyed { // the column says who they are; of what is stated only a larger minimum counts
			e.Loose, unsure = max(set.Loose, file.low-set.Size), 0
		}
		c, seq, err := r.year.With(ctx, e, func(low, high int64) bool { return s.people.cell(kind, low) == s.people.cell(kind, high) })
		if err != nil {
			return nil, err
		}
		if len(r.total) == 0 || seq < r.seq {
			r.seq = seq
		}
		r.total[kind] = span{low: c.Low + c.Loose - min(c.Fresh, unsure), high: c.High + c.Loose}
		if e.Size > 0 || e.Loose > 0 {
			r.add = append(r.add, e)
		}
	}
	return r, nil
}

// countPeople carries the year's count into the facts. What this node has let
// go is a lower bound only, because an exporter may have other gates; the
// operator's own figure for the year closes it, and counts for no less than
// ours.
func countPeople(f corridor.Facts, total map[string]span) {
	for kind, names := range counted() {
		sum, known := total[kind]
		if !known {
			continue
		}
		given, stated := readSpan(f[names[1]])
		switch _, there := f[names[1]]; {
		case there && !stated: // in a form for the law engine to judge
		case !stated || given.open:
			f[names[1]] = map[string]any{"min": max(sum.low, given.low)}
		default:
			f[names[1]] = map[string]any{"min": max(sum.low, given.low), "max": max(sum.high, given.high)}
		}
	}
}

// errCounted says that others let people go between a decision and its
// commit, so that a line of the law may have been crossed.
var errCounted = fmt.Errorf("more people were counted meanwhile: %w", errChanged)

// letsPeopleGo says whether a step is one with which people are counted: a new
// agreement of the provider, and the start of a transfer, which may be in a
// later year than the agreement.
func (st *step) letsPeopleGo() bool {
	if a := st.agr; a != nil && a.Role == dsp.Provider && a.version == 0 {
		return true
	}
	return st.tr != nil && st.tr.Role == dsp.Provider && (st.late || slices.ContainsFunc(st.receipts, func(r receipt) bool {
		return r.body.Type == corridor.ReceiptTransferStarted
	}))
}

// stillCounted makes sure, under the write lock, that the decision of a step
// would be the same with the count as it is now: the year is the same, and
// what came in since cannot have moved the count over a line.
func (s *Service) stillCounted(ctx context.Context, tx *store.Tx, st *step) error {
	if !st.letsPeopleGo() || st.late { // late: it has gone already
		return nil
	}
	r := st.people
	if r == nil {
		return corridor.E(corridor.Internal, "people would be let go without having been counted")
	}
	if r.year.Name() != yearOf(s.today()) {
		return errCounted
	}
	since, err := counter.Since(ctx, tx, r.year.Name(), r.seq)
	if err != nil {
		return err
	}
	for kind, n := range since {
		sum, known := r.total[kind]
		if known && (s.people.cell(kind, sum.low) != s.people.cell(kind, sum.low+n) || s.people.cell(kind, sum.high) != s.people.cell(kind, sum.high+n)) {
			return errCounted
		}
	}
	return nil
}

// keepCount writes what a step lets go into the year's count.
func (s *Service) keepCount(ctx context.Context, tx *store.Tx, st *step) error {
	if !st.letsPeopleGo() || st.people == nil {
		return nil
	}
	err := counter.Add(ctx, tx, st.people.year.Name(), s.today().String(), st.people.add)
	if errors.Is(err, counter.ErrReplaced) { // the dataset was published anew
		return errCounted
	}
	return err
}

// countLate counts the people of a transfer that ends in another year than it
// began in.
func (s *Service) countLate(ctx context.Context, t *Transfer, st *step) error {
	if yearOf(s.dayOf(t.Created)) == yearOf(s.today()) {
		return nil
	}
	d, number, err := s.datasetOf(ctx, t)
	if err != nil {
		return err
	}
	st.late = true
	st.people, err = s.reckon(ctx, countedAs(d, number))
	return err
}

// Counters is what a year has let go so far.
type Counters struct {
	Year   string    `json:"year"`
	Begins string    `json:"begins"` // the day from which is counted
	Error  float64   `json:"sketch_error"`
	Items  []Counter `json:"items"`
}

// Counter is the count of one kind of people.
type Counter struct {
	Kind         string `json:"kind"`
	Fact         string `json:"fact"` // that the law asks for
	Low          int64  `json:"low"`
	High         int64  `json:"high"`
	Method       string `json:"method"` // exact, or sketch: the union is an estimate within sketch_error
	Datasets     int    `json:"datasets"`
	AllDifferent int64  `json:"all_different"` // of them: people counted as different from all others
	Unkeyed      int    `json:"unkeyed"`       // datasets that hold such people
	Next         *Next  `json:"next,omitempty"`
}

// Next is the next line that the law of this node's jurisdiction draws, and
// how many more people may be let go below it.
type Next struct {
	At    int64      `json:"at"`
	Left  int64      `json:"left"`
	Rules []law.Line `json:"rules"`
}

// Counters tells the year's counts. Exact counts what would be estimated.
func (s *Service) Counters(ctx context.Context, exact bool) (Counters, error) {
	y := s.thisYear()
	out := Counters{Year: y.Name(), Begins: y.Name() + "-01-01", Error: counter.SketchError(), Items: []Counter{}}
	for _, kind := range countedKinds() {
		c, _, err := y.With(ctx, counter.Entry{Kind: kind}, func(low, high int64) bool {
			return !exact && s.people.cell(kind, low) == s.people.cell(kind, high)
		})
		if err != nil {
			return out, err
		}
		item := Counter{Kind: kind, Fact: counted()[kind][1], Low: c.Low + c.Loose, High: c.High + c.Loose, Method: "exact", Datasets: c.Datasets, AllDifferent: c.Loose, Unkeyed: c.Unkeyed}
		if !c.Exact() {
			item.Method = "sketch"
		}
		for _, line := range s.cfg.Law.Lines(item.Fact, s.cfg.Self.Jurisdiction, s.today()) {
			switch {
			case line.At <= item.High || item.Next != nil && line.At > item.Next.At:
				continue
			case item.Next == nil:
				item.Next = &Next{At: line.At, Left: line.At - 1 - item.High}
			}
			item.Next.Rules = append(item.Next.Rules, line)
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// tidyPeople removes what a crash left of sets in the making. Nothing counts
// them: where that fails the next start does it.
func (s *Service) tidyPeople(ctx context.Context) {
	err := s.db.Alone(ctx, leasePeople, func(ctx context.Context) error {
		return s.db.Write(ctx, func(tx *store.Tx) error {
			if err := s.db.StillAlone(ctx, tx, leasePeople); err != nil {
				return err
			}
			return counter.Orphans(ctx, tx)
		})
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		s.log.WarnContext(ctx, "what a crash left of people of datasets stays until the next start", "error", err)
	}
}
