package corridor

// Facts is what is known about a flow, by fact name of the shared vocabulary
// (packs/vocabulary.yaml). A fact that is absent is unknown: it is never
// assumed. Values are the plain shapes of YAML and JSON:
//
//	bool, int, "enum member", "KZ", "2026-11-24"        known exactly
//	[personal, health]                                  a set, known exactly
//	{has: [personal], lacks: [important]}               a set, the rest open
//	{min: 120000} {max: 5} {min: 1, max: 9}             an int interval
//	{one_of: [contract, hr]}                            an enum, not yet decided
//	null                                                an optional int or date that is known to be absent
//	vehicles, filings, assessments: {kind: {state: signed, filed_on: 2026-11-20}}
type Facts map[string]any

// Flow is one proposed crossing: who, where, when, and what is known of it.
type Flow struct {
	Date        Date   `json:"date"`
	Origin      string `json:"origin"`      // ISO 3166-1 alpha-2 of the state that the data leaves
	Destination string `json:"destination"` // ISO 3166-1 alpha-2 of the recipient's state
	Facts       Facts  `json:"facts"`
	// Assume names the assumption profile that filled in facts, if one did.
	Assume string `json:"assume,omitempty"`
}

// Clone copies the top level of the facts, so that a caller may add to them.
func (f Facts) Clone() Facts {
	out := make(Facts, len(f)+4)
	for k, v := range f {
		out[k] = v
	}
	return out
}
