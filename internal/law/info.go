package law

import "corridor"

// PackDetail is a pack as a reader wants to see it.
type PackDetail struct {
	PackInfo
	Instruments []InstrumentInfo `json:"instruments"`
	Silence     []RuleInfo       `json:"silence"`
	Conditions  []ConditionInfo  `json:"conditions"`
	Rules       []RuleInfo       `json:"rules_detail"`
}

// ConditionInfo is a named condition, which rules mean by use("name").
type ConditionInfo struct {
	Name      string              `json:"name"`
	When      string              `json:"when"`
	Citations []corridor.Citation `json:"citations,omitempty"`
	Text      corridor.Text       `json:"text,omitzero"`
}

// InstrumentInfo is a statute, regulation or order that a pack cites.
type InstrumentInfo struct {
	ID    string        `json:"id"`
	Title corridor.Text `json:"title"`
	From  corridor.Date `json:"from"`
	To    corridor.Date `json:"to,omitempty"`
}

// RuleInfo is one provision as data.
type RuleInfo struct {
	ID          string                `json:"id"`
	Kind        string                `json:"kind"`
	Sides       []corridor.Side       `json:"sides"`
	When        string                `json:"when,omitempty"`
	Unless      []string              `json:"unless,omitempty"`
	Results     []ResultInfo          `json:"results,omitempty"`
	Obligations []string              `json:"obligations,omitempty"`
	Citations   []corridor.Citation   `json:"citations"`
	Source      corridor.SourceStatus `json:"source"`
	SourceOn    corridor.Date         `json:"source_on,omitempty"`
	SourceRef   string                `json:"source_ref,omitempty"`
	From        corridor.Date         `json:"from,omitempty"`
	To          corridor.Date         `json:"to,omitempty"`
	Text        corridor.Text         `json:"text"`
	Where       string                `json:"where"`
}

// ResultInfo is one line of a rule's results.
type ResultInfo struct {
	When        string           `json:"when,omitempty"`
	Outcome     corridor.Outcome `json:"outcome"`
	Obligations []string         `json:"obligations,omitempty"`
}

// Pack shows one pack by id or jurisdiction; the error names the nearest.
func (l *Library) Pack(id string) (PackDetail, error) {
	var names []string
	for _, info := range l.Packs() {
		names = append(names, info.ID)
		if info.ID == id || info.Jurisdiction == id {
			return l.detail(info), nil
		}
	}
	e := corridor.E(corridor.Invalid, "no rule pack %q", clip(id))
	e.Fix = didYouMean(id, names)
	return PackDetail{}, e
}

func (l *Library) detail(info PackInfo) PackDetail {
	p := l.byJurisdiction[info.Jurisdiction]
	d := PackDetail{PackInfo: info}
	for _, id := range keys(p.instruments) {
		in := p.instruments[id]
		d.Instruments = append(d.Instruments, InstrumentInfo{id, in.title, in.from, in.to})
	}
	for _, c := range p.conditions {
		d.Conditions = append(d.Conditions, ConditionInfo{c.name, c.src.text, c.cites, c.text})
	}
	for _, side := range sides {
		s := p.silence[side]
		if s == nil {
			continue
		}
		d.Silence = append(d.Silence, RuleInfo{ID: p.id + ".silence." + string(side), Kind: kindSilence, Sides: []corridor.Side{side},
			Results: []ResultInfo{{Outcome: s.outcome}}, Citations: s.cites, Source: s.source.status, SourceOn: s.source.on,
			SourceRef: s.source.ref, Text: s.text, Where: s.place.String()})
	}
	for _, u := range p.rules {
		r := RuleInfo{ID: u.id, Kind: u.kind, Sides: u.sides, When: u.src.text, Unless: u.unless, Obligations: u.obligations,
			Citations: u.cites, Source: u.source.status, SourceOn: u.source.on, SourceRef: u.source.ref, From: u.from, To: u.to,
			Text: u.text, Where: u.place.String()}
		for _, res := range u.results {
			info := ResultInfo{Outcome: res.outcome, Obligations: res.obligations}
			if res.src != nil {
				info.When = res.src.text
			}
			r.Results = append(r.Results, info)
		}
		d.Rules = append(d.Rules, r)
	}
	return d
}

// RecordInfo is the declaration of a vehicle, a filing or an assessment.
type RecordInfo struct {
	Name     string        `json:"name"` // as a fact: vehicles.cn.standard_contract
	Pack     string        `json:"pack"`
	States   []string      `json:"states"` // the first is "nothing there"
	Question corridor.Text `json:"question"`
}

// Records lists what the packs say can be put in place.
func (l *Library) Records() []RecordInfo {
	out := make([]RecordInfo, 0, len(l.recordList))
	for _, c := range l.recordList {
		out = append(out, RecordInfo{c.class + "s." + c.id, c.pack.id, c.states, c.question})
	}
	return out
}

// Events lists the events from which deadlines run.
func (l *Library) Events() []string { return keys(l.obligations.events) }
