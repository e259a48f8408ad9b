package main

import (
	"net/url"
	"slices"
	"time"

	"corridor"
	"corridor/internal/editions"
	"corridor/internal/law"
)

type impactCmd struct {
	Pack  string `required:"" placeholder:"NEW" help:"The candidate edition: a directory of packs, or one pack (directory or file)."`
	Packs string `placeholder:"DIR" help:"The packs that the node decides with now. Default: those built in."`
	Until string `placeholder:"YYYY-MM-DD" help:"Look at the law up to this day. Default: one year from today."`
	nodeFlags
}

// Help is the long help with examples.
func (impactCmd) Help() string {
	return `Replays what a running node has agreed on against a candidate edition of the law: every
agreement in force or suspended, with its running transfers, from today through each day of
the next year on which a rule, a list or a term changes its decision. It says who is affected,
how the outcome and the duties change, from when, and because of which rules.

Examples:
  corridor impact --pack ./packs --dir node
  corridor impact --pack cn/pack.yaml --until 2028-01-01 --dir node --lang zh
  corridor impact --pack ./packs --dir node --json

The facts are those that were decided on at the agreement; counters and the facts of a dataset
may have moved since. The peer's side is decided on our own facts. A decision whose packs are
no longer here is not replayed on its own day; the answer names their digest.

Exit codes: 0 looked at, 1 no node answers, 2 bad input.`
}

// impact is what a candidate edition means for a node.
type impact struct {
	On         corridor.Date     `json:"on"`
	Until      corridor.Date     `json:"until"`
	Agreements int               `json:"agreements"` // looked at
	Affected   []agreementImpact `json:"affected"`
	Missing    []missingPack     `json:"missing_packs"` // editions that decisions rest on and that are not here
	Unread     []string          `json:"not_replayed"`  // agreements whose facts are not on record
	candidate  edition           // for printing
	current    edition
}

// missingPack is an edition of a pack that is no longer present.
type missingPack struct {
	Pack       corridor.PackRef `json:"pack"`
	Agreements []string         `json:"agreements"`
}

// agreementImpact is what changes for one agreement.
type agreementImpact struct {
	Agreement string         `json:"agreement"`
	State     string         `json:"state"`
	Peer      string         `json:"peer"`
	Dataset   string         `json:"dataset"`
	Role      string         `json:"role"`
	Transfers []transferView `json:"transfers"` // those that have not ended
	Sides     []sideImpact   `json:"sides"`
}

// sideImpact is one side of it.
type sideImpact struct {
	Jurisdiction string           `json:"jurisdiction"`
	Side         corridor.Side    `json:"side"`
	Ours         bool             `json:"ours"`
	Before       corridor.Outcome `json:"before"`
	Pack         corridor.PackRef `json:"pack"`    // that the decision before rests on
	Present      bool             `json:"present"` // it is here, and so are the treaties that took part
	// Replays says whether the decision on record comes out the same from its
	// own facts, day and packs; absent where those packs are not here.
	Replays  *bool    `json:"replays,omitempty"`
	Turns    []turnOf `json:"turns"`
	Approved bool     `json:"approved,omitempty"` // an approval is quoted in the agreement
	Error    string   `json:"error,omitempty"`    // why the candidate cannot decide it
}

// turnOf is the law from one day on.
type turnOf struct {
	From       corridor.Date    `json:"from"`
	Outcome    corridor.Outcome `json:"outcome"`
	Lawful     bool             `json:"lawful"` // it may go on, with the approvals there are
	Duties     []law.DutyChange `json:"duties,omitempty"`
	Rules      []corridor.Match `json:"rules"` // that drive the outcome
	Missing    []string         `json:"missing,omitempty"`
	Unverified bool             `json:"unverified"`
}

// Run asks the node, replays and prints.
func (c impactCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	out := impact{On: corridor.DateOf(time.Now()), Affected: []agreementImpact{}, Missing: []missingPack{}, Unread: []string{}}
	if out.Until, err = dayOf("--until", c.Until, out.On+366); err != nil {
		return err
	}
	if out.Until <= out.On {
		return &corridor.Error{Kind: corridor.Invalid, Where: "--until " + out.Until.String(), Msg: "is not after today, " + out.On.String(), Fix: "give a day to come"}
	}
	if out.current, err = openEdition(c.Packs); err != nil {
		return err
	}
	if out.candidate, err = openEdition(c.Pack); err != nil {
		return err
	}
	if err := c.collect(a, node, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, out)
	}
	return newComparison(out.current, out.candidate, c.Lang).impact(a.stdout, out)
}

func (c impactCmd) collect(a *app, node *nodeClient, out *impact) error {
	agreements, err := allPages[agreementView](a.ctx, node, "/api/agreements", nil)
	if err != nil {
		return err
	}
	transfers, err := openTransfers(a, node)
	if err != nil {
		return err
	}
	for _, g := range agreements {
		if g.State != "in_force" && g.State != "suspended" {
			continue
		}
		out.Agreements++
		var n storedNegotiation
		if err := node.get(a.ctx, "/api/negotiations/"+url.PathEscape(g.Negotiation), nil, &n); err != nil {
			return err
		}
		x := agreementImpact{Agreement: g.ID, State: g.State, Peer: g.Peer, Dataset: g.Dataset, Role: g.Role, Transfers: transfers[g.ID]}
		if x.Transfers == nil {
			x.Transfers = []transferView{}
		}
		if n.Own == nil || n.Own.Flow == nil {
			out.Unread = append(out.Unread, g.ID)
			continue
		}
		if err := out.agreement(&x, n); err != nil {
			return err
		}
		if slices.ContainsFunc(x.Sides, func(s sideImpact) bool { return len(s.Turns) > 0 || s.Error != "" }) {
			out.Affected = append(out.Affected, x)
		}
	}
	return nil
}

// openTransfers lists the transfers that have not ended, by agreement.
func openTransfers(a *app, node *nodeClient) (map[string][]transferView, error) {
	out := map[string][]transferView{}
	for _, state := range []string{"REQUESTED", "STARTED", "SUSPENDED"} {
		list, err := allPages[transferView](a.ctx, node, "/api/transfers", url.Values{"state": {state}})
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			out[t.Agreement] = append(out[t.Agreement], t)
		}
	}
	return out, nil
}

// storedNegotiation is what a node's answer holds of the decisions.
type storedNegotiation struct {
	Own       *storedDecision     `json:"own"`
	Theirs    *storedDecision     `json:"theirs"`
	Approvals []corridor.Approval `json:"approvals"`
}

type storedDecision struct {
	Signed corridor.SignedDecision `json:"signed"`
	Flow   *corridor.Flow          `json:"flow"`
}

// agreement replays both sides of one agreement.
func (m *impact) agreement(x *agreementImpact, n storedNegotiation) error {
	own, err := n.Own.Signed.Decode()
	if err != nil {
		return err
	}
	s := m.side(*n.Own.Flow, own.Decision, n.Approvals, x.Agreement)
	s.Ours = true
	if s.Present {
		same := m.replays(*n.Own.Flow, own.Decision)
		s.Replays = &same
	}
	x.Sides = append(x.Sides, s)
	if n.Theirs == nil {
		return nil
	}
	theirs, err := n.Theirs.Signed.Decode()
	if err != nil {
		return err
	}
	// The peer knows its side better than we do: only what changes between
	// the editions on the facts that we have is told.
	flow := *n.Own.Flow
	flow.Date = m.On
	now, err := m.current.lib.DecideSide(flow, theirs.Decision.Side)
	if err == nil && now.Pack.ID != "" { // else our facts say nothing of it
		if p := m.side(flow, now, n.Approvals, x.Agreement); len(p.Turns) > 0 || p.Error != "" {
			x.Sides = append(x.Sides, p)
		}
	}
	return nil
}

// side holds one decision against the candidate from today on.
func (m *impact) side(flow corridor.Flow, before corridor.Decision, approvals []corridor.Approval, agreement string) sideImpact {
	s := sideImpact{Jurisdiction: before.Jurisdiction, Side: before.Side, Before: before.Outcome, Pack: before.Pack, Turns: []turnOf{},
		Present: true}
	for _, p := range append([]corridor.PackRef{before.Pack}, before.Layers...) {
		if !editions.Has(m.current.lib, p) && !editions.Has(m.candidate.lib, p) {
			s.Present = false
			m.miss(p, agreement)
		}
	}
	s.Approved = slices.ContainsFunc(approvals, func(a corridor.Approval) bool { return a.Side == before.Side })
	turns, err := m.candidate.lib.Outlook(flow, before.Side, m.On, m.Until)
	if err != nil {
		s.Error = err.Error()
		return s
	}
	last := before
	for _, t := range turns {
		duties := m.candidate.lib.DutyChanges(last, t.Decision)
		if t.Decision.Outcome == last.Outcome && len(duties) == 0 {
			continue
		}
		s.Turns = append(s.Turns, turnOf{From: t.From, Outcome: t.Decision.Outcome, Duties: duties, Rules: driving(t.Decision), Unverified: t.Decision.Unverified,
			Lawful: t.Decision.Outcome.Permits() || t.Decision.Outcome == corridor.NeedsApproval && s.Approved, Missing: asked(t.Decision)})
		last = t.Decision
	}
	return s
}

func (m *impact) miss(p corridor.PackRef, agreement string) {
	for i := range m.Missing {
		if m.Missing[i].Pack.Digest == p.Digest {
			m.Missing[i].Agreements = append(m.Missing[i].Agreements, agreement)
			return
		}
	}
	m.Missing = append(m.Missing, missingPack{p, []string{agreement}})
}

// replays decides the flow once more on its own day under the packs it was
// decided with, and says whether that comes out as it stands on record.
func (m *impact) replays(flow corridor.Flow, was corridor.Decision) bool {
	lib := m.current.lib
	for _, p := range append([]corridor.PackRef{was.Pack}, was.Layers...) {
		if !editions.Has(lib, p) {
			lib = m.candidate.lib
		}
	}
	d, err := lib.DecideSide(flow, was.Side)
	return err == nil && d.Outcome == was.Outcome && len(lib.DutyChanges(was, d)) == 0
}

// driving lists the provisions that give a decision its outcome; while it is
// open, all that may.
func driving(d corridor.Decision) []corridor.Match {
	out := []corridor.Match{}
	for _, x := range d.Matched {
		if x.Kind != "exemption" && x.Kind != "duty" && (d.Outcome == corridor.Undetermined || x.Outcome == d.Outcome) {
			out = append(out, x)
		}
	}
	return out
}

func asked(d corridor.Decision) []string {
	var out []string
	for _, q := range d.Questions {
		if name := q.Fact; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
