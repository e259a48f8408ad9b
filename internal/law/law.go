// Package law decides whether a flow of data is lawful under the rule packs
// of both sides. Conditions are written in a decidable fragment of CEL,
// checked by cel-go when a pack is loaded, and compiled into tables of atoms
// for speed and explanation and into decision diagrams for everything that
// must be exact while facts are missing. The package is pure: no I/O beyond
// the fs.FS it is handed, and no clock.
package law

import (
	"cmp"
	"slices"
	"sync"

	"corridor"
)

// Engine names this evaluator's semantics in every decision, so that a
// decision can be replayed by the same one.
const Engine = "corridor-law/1"

// Library holds compiled rule packs. It is immutable to its callers and safe
// for concurrent use.
type Library struct {
	atlas          *atlas
	vocab          *vocabulary
	vars           []*variable
	axioms         *axioms
	obligations    *obligations
	profiles       map[string]*profile
	calendars      map[string]*calendar
	actions        *actions
	records        map[string]*record // by class/id
	recordList     []*record
	packs          []*pack
	byJurisdiction map[string]*pack
	unsaid         []values // of every variable: anything
	derived        []derived
	stills         []*record // filings with a standstill
	valids         []*record // vehicles that last for some years
	mechanisms     []string  // the words of the shorthand
	filings        []string
	sketches       func() *sketchBook
	scratch        sync.Pool // *marks
	desks          sync.Pool // *desk
	reading        sync.Pool // *inputs
	explained      recent
	kits           kitShelf
}

// PackInfo describes one loaded pack.
type PackInfo struct {
	ID           string                        `json:"id"`
	Jurisdiction string                        `json:"jurisdiction"`
	Version      string                        `json:"version"`
	Digest       string                        `json:"digest"`
	Title        corridor.Text                 `json:"title"`
	Rules        int                           `json:"rules"`
	Sides        []corridor.Side               `json:"sides"`
	Status       map[corridor.SourceStatus]int `json:"status"` // rules by strength of source
}

// Deadline is the time that the law gives for an obligation.
type Deadline struct {
	Days     int    `json:"days"`
	Unit     string `json:"unit"`               // days, working_days, hours, months, years
	From     string `json:"from"`               // what starts the clock
	Calendar string `json:"calendar,omitempty"` // whose working days
	Ahead    int    `json:"ahead,omitempty"`    // it is to be done so many working days before that
	Until    bool   `json:"until,omitempty"`    // something is kept or waited for until then; otherwise it is to be done by then
}

// ObligationInfo is the declaration of a duty.
type ObligationInfo struct {
	ID       string        `json:"id"`
	Owner    string        `json:"owner"`              // exporter, importer, both
	When     string        `json:"when"`               // before, during, after
	Approver string        `json:"approver,omitempty"` // authority: only its word discharges the duty; empty: the owner's own
	Stage    string        `json:"stage,omitempty"`    // data-plane stage that carries it out
	Deadline *Deadline     `json:"deadline,omitempty"`
	Evidence corridor.Text `json:"evidence"`
	Aliases  []string      `json:"aliases,omitempty"`
	Text     corridor.Text `json:"text"`
}

// FactInfo is the declaration of a fact.
type FactInfo struct {
	Name     string        `json:"name"`
	Type     string        `json:"type"` // bool, int, date, enum, set, country, countries
	Min      int64         `json:"min,omitempty"`
	Max      int64         `json:"max,omitempty"`
	Optional bool          `json:"optional,omitempty"`
	Values   []string      `json:"values,omitempty"`
	Asks     string        `json:"asks,omitempty"` // exporter, importer, officer, scan
	Derived  string        `json:"derived,omitempty"`
	Within   []string      `json:"within,omitempty"` // numbers that together are at least as large
	About    string        `json:"about,omitempty"`  // the class of data that is about at least one of what is counted
	Change   *Change       `json:"changeable,omitempty"`
	Question corridor.Text `json:"question"`
}

// ProfileInfo is the declaration of an assumption profile.
type ProfileInfo struct {
	Name string        `json:"name"`
	Text corridor.Text `json:"text"`
}

func (l *Library) marks() *marks {
	if m, ok := l.scratch.Get().(*marks); ok {
		return m
	}
	return &marks{}
}

// Assume names the profile that fills what is missing. The facts themselves
// stay as given: every decision fills them anew and lists what was assumed.
func (l *Library) Assume(f corridor.Flow, profile string) (corridor.Flow, error) {
	if l.profiles[profile] == nil {
		return f, unknownProfile(l, profile)
	}
	f.Assume = profile
	return f, nil
}

// Packs lists the loaded packs by id.
func (l *Library) Packs() []PackInfo {
	out := []PackInfo{}
	for _, p := range l.packs {
		info := PackInfo{ID: p.id, Jurisdiction: p.jurisdiction, Version: p.version, Digest: p.digest, Title: p.title,
			Rules: len(p.rules), Status: map[corridor.SourceStatus]int{}}
		for _, side := range sides {
			if slices.ContainsFunc(p.rules, func(u *rule) bool { return u.on(side) }) {
				info.Sides = append(info.Sides, side)
			}
		}
		for _, u := range p.rules {
			info.Status[u.source.status]++
		}
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b PackInfo) int {
		return cmp.Compare(a.ID, b.ID)
	})
	return out
}

// Obligation finds a declared obligation by id or alias.
func (l *Library) Obligation(id string) (ObligationInfo, bool) {
	i, ok := l.obligations.index[id]
	if !ok {
		return ObligationInfo{}, false
	}
	return *l.obligations.all[i], true
}

// Event says in words from what a deadline runs.
func (l *Library) Event(id string) corridor.Text { return l.obligations.events[id].text }

// Vocabulary lists the declared facts.
func (l *Library) Vocabulary() []FactInfo {
	out := make([]FactInfo, 0, len(l.vocab.facts))
	for _, f := range l.vocab.facts {
		out = append(out, f.FactInfo)
	}
	return out
}

// Profiles lists the assumption profiles.
func (l *Library) Profiles() []ProfileInfo {
	out := []ProfileInfo{}
	for _, name := range keys(l.profiles) {
		out = append(out, ProfileInfo{name, l.profiles[name].text})
	}
	return out
}

// Jurisdiction checks what a case may name as the law that it tests: a
// country, a union, or the treaties.
func (l *Library) Jurisdiction(code string) error {
	if l.byJurisdiction[code] != nil || code == "EU" {
		return nil
	}
	return l.Country(code)
}

// Country checks a country code; the error names the nearest valid ones.
func (l *Library) Country(code string) error {
	_, err := l.atlas.check(code, "country")
	return err
}
