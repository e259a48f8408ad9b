// Package law decides whether a flow of data is lawful under the rule packs
// of both sides. Conditions are written in a decidable fragment of CEL,
// checked by cel-go when a pack is loaded, and compiled into tables of atoms
// for speed and explanation and into decision diagrams for everything that
// must be exact while facts are missing. The package is pure: no I/O beyond
// the fs.FS it is handed, and no clock.
package law

import (
	"io/fs"

	"corridor"
)

// Engine names this evaluator's semantics in every decision, so that a
// decision can be replayed by the same one.
const Engine = "corridor-law/1"

// Library holds compiled rule packs. It is immutable to its callers and safe
// for concurrent use.
type Library struct{}

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
	Cases        int                           `json:"cases"`
}

// Deadline is the time that the law gives for an obligation.
type Deadline struct {
	Days     int    `json:"days"`
	Unit     string `json:"unit"`               // days, working_days, hours, months, years
	From     string `json:"from"`               // what starts the clock
	Calendar string `json:"calendar,omitempty"` // whose working days
}

// ObligationInfo is the declaration of a duty.
type ObligationInfo struct {
	ID       string        `json:"id"`
	Owner    string        `json:"owner"`           // exporter, importer, both
	When     string        `json:"when"`            // before, during, after
	Stage    string        `json:"stage,omitempty"` // data-plane stage that carries it out
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
	Question corridor.Text `json:"question"`
}

// Prepared is a flow whose facts were read once, ready to be decided many
// times.
type Prepared struct{}

// Load compiles every pack of fsys. The error joins all that is wrong, each a
// *corridor.Error whose Where is file:line:column.
func Load(fsys fs.FS) (*Library, error) { return &Library{}, nil }

// Decide applies the law of both sides to a flow. The error is for bad input
// only: an unknown fact, value, country or date.
func (l *Library) Decide(f corridor.Flow) (corridor.Verdict, error) {
	return corridor.Verdict{}, corridor.E(corridor.Unavailable, "the law engine is being built")
}

// DecideSide applies one side's own law.
func (l *Library) DecideSide(f corridor.Flow, side corridor.Side) (corridor.Decision, error) {
	return corridor.Decision{}, corridor.E(corridor.Unavailable, "the law engine is being built")
}

// Prepare reads the facts of a flow.
func (l *Library) Prepare(f corridor.Flow) (*Prepared, error) { return &Prepared{}, nil }

// Decide decides a prepared flow on both sides.
func (p *Prepared) Decide() corridor.Verdict { return corridor.Verdict{} }

// Assume names the profile that fills what is missing. The facts themselves
// stay as given: every decision fills them anew and lists what was assumed.
func (l *Library) Assume(f corridor.Flow, profile string) (corridor.Flow, error) {
	f.Assume = profile
	return f, nil
}

// Packs lists the loaded packs by id.
func (l *Library) Packs() []PackInfo { return nil }

// Obligation finds a declared obligation by id or alias.
func (l *Library) Obligation(id string) (ObligationInfo, bool) { return ObligationInfo{}, false }

// Vocabulary lists the declared facts.
func (l *Library) Vocabulary() []FactInfo { return nil }
