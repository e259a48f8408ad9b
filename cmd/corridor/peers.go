package main

import (
	"corridor"
	"corridor/internal/identity"
)

// peersCmd edits and shows the list of known participants.
type peersCmd struct {
	Add  peersAddCmd  `cmd:"" help:"Add a participant to the list of those that this node knows."`
	List peersListCmd `cmd:"" help:"Show the participants that this node knows."`
	Test peersTestCmd `cmd:"" help:"Look at a peer before anything is negotiated: network, TLS, clock, versions, DID, suites, credentials, compacts."`
}

type peersAddCmd struct {
	speech
	Dir          string `default:"." type:"path" help:"Node directory." env:"CORRIDOR_DIR"`
	DID          string `required:"" name:"did" help:"The participant's DID." placeholder:"did:web:HOST"`
	Jurisdiction string `required:"" help:"The country whose law applies to it (two letters). You vouch for this." placeholder:"CC"`
	Name         string `help:"Its name."`
	Type         string `help:"What it is, in the words of the fact recipient_type: private, group_affiliate, state_body, ..."`
	Unflagged    bool   `help:"State that none of the fact recipient_flags applies to it (undesirable, restricted, sanctioned, ...)."`
	Address      string `help:"Its Dataspace Protocol address, if its DID document does not say." placeholder:"URL"`
	LogKey       string `help:"Verifier key of its log, as corridor init printed it there." placeholder:"VKEY"`
	Liveness     string `help:"What this node's log must have of a transfer before data goes to this peer: logged (its own signature, at once), or cosigned (by the witnesses). Default: logged, or what a compact wants."`

	Plain   bool     `help:"It speaks the Dataspace Protocol but is no Corridor: this node decides both sides' law, from what you state here."`
	Purpose string   `help:"With --plain: what it uses data for, for example trade_logistics."`
	Set     []string `help:"With --plain: a fact that its side would state: name=VALUE, VALUE in YAML." placeholder:"FACT=VALUE" sep:"none"`
}

// Help gives an example.
func (peersAddCmd) Help() string {
	return `Examples:
  corridor peers add --dir node --did did:web:gateway.example.kz --jurisdiction KZ --name 'Caspian Terminal'
  corridor peers add --dir node --did did:web:edc.example.de --jurisdiction DE --type private --unflagged --address https://edc.example.de/dsp/2025-1 --plain --purpose research
The second is a connector of another make, which signs no decision: this node decides both sides' law. See docs/conformance.md.`
}

// Run writes the list; a running node notices.
func (c peersAddCmd) Run(a *app) error {
	cfg, err := loadConfig(c.Dir)
	if err != nil {
		return err
	}
	p := identity.Peer{Participant: corridor.Participant{DID: c.DID, Name: c.Name, Jurisdiction: c.Jurisdiction, Type: c.Type}, Address: c.Address, LogVKey: c.LogKey, Liveness: c.Liveness}
	if c.Unflagged {
		p.Flags = []string{}
	}
	if p.Plain, err = c.plain(); err != nil {
		return err
	}
	if err := addPeer(cfg.path(cfg.Peers), p); err != nil {
		return err
	}
	a.lookAtSettings(c.Dir)
	return a.print("known: %s (%s)\n", c.DID, c.Jurisdiction)
}

// plain is what the flags state for a peer that is no Corridor.
func (c peersAddCmd) plain() (*identity.Plain, error) {
	if !c.Plain {
		if c.Purpose != "" || len(c.Set) > 0 {
			return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "--purpose and --set belong to --plain", Why: "a peer that runs Corridor states its own side", Fix: "leave them out, or add --plain"}
		}
		return nil, nil
	}
	facts, err := factsFromSets(c.Set)
	return &identity.Plain{Purpose: c.Purpose, Facts: facts}, err
}

type peersListCmd struct {
	speech
	Dir  string `default:"." type:"path" help:"Node directory." env:"CORRIDOR_DIR"`
	JSON bool   `help:"Print JSON."`
}

// Run prints the list.
func (c peersListCmd) Run(a *app) error {
	cfg, err := loadConfig(c.Dir)
	if err != nil {
		return err
	}
	peers, err := (&peerList{path: cfg.path(cfg.Peers)}).load()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, append([]identity.Peer{}, peers...))
	}
	rows := [][]string{{a.text("JURISDICTION"), "DID", a.text("NAME"), a.text("LAW DECIDED BY")}}
	for _, p := range peers {
		who := a.text("each side")
		if p.Plain != nil {
			who = a.text("this node (plain peer)")
		}
		rows = append(rows, []string{p.Jurisdiction, p.DID, p.Name, who})
	}
	return columns(a.stdout, a.text("no peers yet: corridor peers add --did did:web:HOST --jurisdiction CC"), rows)
}
