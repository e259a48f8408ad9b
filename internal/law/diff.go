package law

import (
	"reflect"
	"slices"

	"corridor"
)

// Diff is what changes from one edition of the law to another: first what
// was written differently, then, per side and span of days, for which flows
// the outcome or the obligations change.
type Diff struct {
	Shared []ItemChange `json:"shared"` // vocabulary, obligations, calendars: what all packs use
	Packs  []PackDiff   `json:"packs"`
}

// PackDiff is the difference of one pack. Before is nil for a new pack and
// After for one that is gone; such packs are not compared flow by flow.
type PackDiff struct {
	Pack         string            `json:"pack"`
	Jurisdiction string            `json:"jurisdiction"`
	Before       *corridor.PackRef `json:"before,omitempty"`
	After        *corridor.PackRef `json:"after,omitempty"`
	Rules        []RuleChange      `json:"rules"`
	Items        []ItemChange      `json:"items"` // everything else in the pack
	Spans        []SpanDiff        `json:"spans"` // in which some decision changes
}

// SpanDiff is one side between two days on which either edition changes.
type SpanDiff struct {
	Side    corridor.Side `json:"side"`
	From    corridor.Date `json:"from,omitempty"`  // first day; absent: from ever
	Until   corridor.Date `json:"until,omitempty"` // first day after; absent: for good
	Regions []Region      `json:"regions"`
	Cover   []Difference  `json:"cover"`
	// Cut says what is missing where a limit was reached: CutCubes, CutWords.
	// Empty: Regions and Cover are complete.
	Cut []string `json:"cut,omitempty"`
}

// What a comparison may leave out. With CutCubes the diagram beside the cubes
// still holds everything; with CutWords the cover does.
const (
	CutCubes = "cubes"
	CutWords = "words"
)

// DiffOptions narrow a comparison.
type DiffOptions struct {
	Only  []string      // packs or jurisdictions; none: all
	Date  corridor.Date // only the law of this day; 0: every day
	Side  corridor.Side // "": both
	Cubes int           // most cubes to list per span; 0: 5,000
}

func (o DiffOptions) wants(id, jurisdiction string) bool {
	return len(o.Only) == 0 || slices.Contains(o.Only, id) || slices.Contains(o.Only, jurisdiction)
}

// Compare finds every difference between two editions, exactly.
func Compare(before, after *Library, o DiffOptions) (Diff, error) {
	d := Diff{Shared: sharedChanges(before, after), Packs: []PackDiff{}}
	e := match(before, after)
	for _, id := range packIDs(before, after) {
		p := [2]*pack{before.packByID(id), after.packByID(id)}
		if one := p[1]; one == nil && !o.wants(id, p[0].jurisdiction) || one != nil && !o.wants(id, one.jurisdiction) {
			continue
		}
		pd, err := e.pack(id, p, o)
		if err != nil {
			return d, err
		}
		if !pd.empty() {
			d.Packs = append(d.Packs, pd)
		}
	}
	return d, nil
}

func (p *PackDiff) empty() bool {
	return p.Before != nil && p.After != nil && len(p.Rules)+len(p.Items)+len(p.Spans) == 0 && p.Before.Version == p.After.Version
}

func (l *Library) packByID(id string) *pack {
	for _, p := range l.packs {
		if p.id == id {
			return p
		}
	}
	return nil
}

func packIDs(a, b *Library) []string {
	seen := map[string]bool{}
	for _, l := range []*Library{a, b} {
		for _, p := range l.packs {
			seen[p.id] = true
		}
	}
	return keys(seen)
}

func (p *pack) ref() *corridor.PackRef {
	return &corridor.PackRef{ID: p.id, Version: p.version, Digest: p.digest}
}

func (e *editions) pack(id string, p [2]*pack, o DiffOptions) (PackDiff, error) {
	out := PackDiff{Pack: id, Rules: []RuleChange{}, Items: []ItemChange{}, Spans: []SpanDiff{}}
	for s, ref := range []**corridor.PackRef{&out.Before, &out.After} {
		if p[s] != nil {
			*ref, out.Jurisdiction = p[s].ref(), p[s].jurisdiction
		}
	}
	out.Rules, out.Items = e.written(p)
	if p[0] == nil || p[1] == nil {
		return out, nil
	}
	caused := map[string]bool{}
	for _, side := range p[1].own() {
		if p[0].silence[side] == nil {
			continue // the packs stand in different layers
		}
		if o.Side != "" && o.Side != side {
			continue
		}
		spans, err := e.side(p, side, o, caused)
		if err != nil {
			return out, err
		}
		out.Spans = append(out.Spans, spans...)
	}
	for i := range out.Rules {
		out.Rules[i].Decides = caused[out.Rules[i].Rule]
	}
	return out, nil
}

// side compares every span of days in which neither edition changes; spans
// with the same answer that follow each other are one.
func (e *editions) side(p [2]*pack, side corridor.Side, o DiffOptions, caused map[string]bool) ([]SpanDiff, error) {
	var out []SpanDiff
	days := changeDays(p, side)
	for i, from := range days {
		span := SpanDiff{Side: side, From: from}
		if i+1 < len(days) {
			span.Until = days[i+1]
		}
		if o.Date != 0 && (from != 0 && o.Date < from || span.Until != 0 && o.Date >= span.Until) {
			continue
		}
		if err := e.span(p, &span, o, caused); err != nil {
			return nil, err
		}
		last := len(out) - 1
		switch {
		case len(span.Cover) == 0:
		case last >= 0 && out[last].Until == from && span.says(&out[last]):
			out[last].Until = span.Until
		default:
			out = append(out, span)
		}
	}
	return out, nil
}

// says tells whether two spans say the same.
func (s *SpanDiff) says(o *SpanDiff) bool {
	return reflect.DeepEqual(s.Regions, o.Regions) && reflect.DeepEqual(s.Cover, o.Cover) && slices.Equal(s.Cut, o.Cut)
}

// changeDays lists the first day of each span, 0 first.
func changeDays(p [2]*pack, side corridor.Side) []corridor.Date {
	at := slices.Index(sides[:], side)
	var days []corridor.Date
	for s := range p {
		for _, e := range p[s].sides[at] {
			days = append(days, e.from)
		}
	}
	slices.Sort(days)
	if i, ok := slices.BinarySearch(days, 0); ok && i > 0 { // "from ever" stands before every day
		days = append([]corridor.Date{0}, slices.DeleteFunc(days, func(d corridor.Date) bool { return d == 0 })...)
	}
	return slices.Compact(days)
}

func (e *editions) span(p [2]*pack, span *SpanDiff, o DiffOptions, caused map[string]bool) error {
	day := span.From
	if day == 0 {
		day = dateMin
	}
	return e.between(p, span, [2]corridor.Date{day, day}, o, caused)
}

// between fills in how the one edition on its day differs from the other on
// its own.
func (e *editions) between(p [2]*pack, span *SpanDiff, days [2]corridor.Date, o DiffOptions, caused map[string]bool) error {
	sp, err := e.newSpace(p, span.Side, days)
	if err != nil {
		return where(err, p[1].id, span)
	}
	if sp.most = o.Cubes; sp.most <= 0 {
		sp.most = maxCubes
	}
	x := sp.delta()
	span.Regions, span.Cover = []Region{}, []Difference{}
	if x.any == no && !sp.d.full {
		return nil
	}
	span.Cover = sp.cover(x)
	for _, c := range span.Cover {
		if c.Left > 0 {
			span.Cut = append(span.Cut, CutCubes)
			break
		}
	}
	if err := sp.limit(); err != nil {
		return where(err, p[1].id, span)
	}
	sp.d.steps = 0
	regions, whole := sp.regions(x, caused)
	if !whole {
		span.Cut = append(span.Cut, CutWords)
	}
	span.Regions = append(span.Regions, regions...)
	return nil
}

func where(err error, id string, span *SpanDiff) error {
	e := corridor.E(corridor.KindOf(err), "pack %s, %s side from %s: %w", id, span.Side, span.From, err)
	return e
}
