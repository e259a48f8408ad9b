package law

import (
	"slices"

	"corridor"
)

// Matrix is one flow decided from every exporter to every importer.
type Matrix struct {
	Flow corridor.Flow      `json:"flow"` // without origin and destination
	From []string           `json:"from"` // states, in rows
	To   []string           `json:"to"`   // states, in columns
	Rows [][]Cell           `json:"rows"`
	Pack []corridor.PackRef `json:"packs"`
}

// Cell is the verdict on one pair of states with what stands behind it.
type Cell struct {
	From        string           `json:"from"`
	To          string           `json:"to"`
	Outcome     corridor.Outcome `json:"outcome"`
	Best        corridor.Outcome `json:"best"`  // equal to Outcome unless undetermined
	Worst       corridor.Outcome `json:"worst"` // equal to Outcome unless undetermined
	Sides       []CellSide       `json:"sides"`
	Obligations []string         `json:"obligations"`
	Missing     []string         `json:"missing,omitempty"`
	Unverified  bool             `json:"unverified"`
	Home        bool             `json:"home,omitempty"` // one state: nothing crosses
}

// CellSide is one side's part in a cell: what it comes to, and the provisions
// that drive it.
type CellSide struct {
	Jurisdiction string           `json:"jurisdiction"`
	Side         corridor.Side    `json:"side"`
	Outcome      corridor.Outcome `json:"outcome"`
	Reasons      []Reason         `json:"reasons"`
}

// Reason is a provision that drives an outcome.
type Reason struct {
	Rule      string                `json:"rule"`
	Outcome   corridor.Outcome      `json:"outcome"`
	Source    corridor.SourceStatus `json:"source"`
	Citations []corridor.Citation   `json:"citations"`
	Text      corridor.Text         `json:"text"`
}

// States lists the states that have a pack, a union by its own code.
func (l *Library) States() []string {
	var out []string
	for _, p := range l.packs {
		if p.jurisdiction != layerTreaty {
			out = append(out, p.jurisdiction)
		}
	}
	slices.Sort(out)
	return out
}

// Matrix decides a flow for every pair of from and to; nil means every state
// that has a pack. A union stands for the first of its members.
func (l *Library) Matrix(f corridor.Flow, from, to []string) (Matrix, error) {
	if from == nil {
		from = l.States()
	}
	if to == nil {
		to = l.States()
	}
	m := Matrix{Flow: f, From: from, To: to, Rows: make([][]Cell, len(from))}
	for i, origin := range from {
		for _, destination := range to {
			c, err := l.cell(f, origin, destination)
			if err != nil {
				return Matrix{}, err
			}
			m.Rows[i] = append(m.Rows[i], c)
		}
	}
	for _, p := range l.packs {
		m.Pack = append(m.Pack, *p.ref())
	}
	return m, nil
}

// member is a state in which the law of a code applies.
func (l *Library) member(code string) string {
	if p := l.byJurisdiction[code]; p != nil && len(p.members) > 0 && p.jurisdiction == code {
		return p.members[0]
	}
	return code
}

func (l *Library) cell(f corridor.Flow, origin, destination string) (Cell, error) {
	c := Cell{From: origin, To: destination, Home: origin == destination, Obligations: []string{}, Sides: []CellSide{}}
	if c.Home {
		c.Outcome, c.Best, c.Worst = corridor.Allow, corridor.Allow, corridor.Allow
		return c, nil
	}
	f.Origin, f.Destination = l.member(origin), l.member(destination)
	p, err := l.Prepare(f)
	if err != nil {
		return c, err
	}
	v := p.Decide()
	c.Outcome, c.Best, c.Worst = v.Outcome, corridor.Allow, corridor.Allow
	c.Obligations, c.Missing = v.Obligations, v.Missing
	for i := range v.Sides {
		d := &v.Sides[i]
		best, worst := d.Span()
		c.Best, c.Worst = min(c.Best, best), min(c.Worst, worst)
		c.Unverified = c.Unverified || d.Unverified
		if d.Side != corridor.Treaty || !d.Silent() {
			c.Sides = append(c.Sides, CellSide{d.Jurisdiction, d.Side, d.Outcome, reasons(d)})
		}
	}
	return c, nil
}

// reasons lists what drives a decision; of an undetermined one, all that may.
func reasons(d *corridor.Decision) []Reason {
	out := []Reason{}
	for _, m := range d.Matched {
		if m.Kind == kindExemption || m.Kind == kindDuty || d.Outcome != corridor.Undetermined && m.Outcome != d.Outcome {
			continue
		}
		out = append(out, Reason{m.Rule, m.Outcome, m.Source, m.Citations, m.Text})
	}
	return out
}
