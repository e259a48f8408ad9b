package main

import (
	"fmt"
	"net/url"
	"time"

	"corridor"
)

// negotiateCmd asks a peer for an agreement on one of its datasets.
type negotiateCmd struct {
	nodeFlags
	Peer     string            `arg:"" help:"DID of the provider." placeholder:"DID" complete:"peers"`
	Dataset  string            `arg:"" help:"Dataset, as corridor catalog shows it."`
	Offer    string            `help:"Offer, as corridor catalog shows it. Empty: the first one."`
	Purpose  string            `required:"" help:"What the data will be used for, for example trade_logistics, research, contract."`
	Set      []string          `help:"A fact that you state as the importer: name=VALUE, VALUE in YAML." placeholder:"FACT=VALUE" sep:"none" complete:"facts"`
	Evidence map[string]string `help:"Evidence for a duty owed before the transfer: obligation=reference." placeholder:"DUTY=REF"`
	By       string            `help:"Who states the evidence." default:"operator"`
	Address  string            `help:"Dataspace Protocol address of the peer, if its DID document does not say." placeholder:"URL"`
	NoWait   bool              `help:"Return at once instead of waiting for the end."`
}

// Help gives an example and the exit codes.
func (negotiateCmd) Help() string {
	return `Example:
  corridor negotiate did:web:gateway.example.cn shipments --purpose trade_logistics --dir node
Exit code 0: finalised. 3: it waits for a person of this node. 4: refused by this side's law. 1: terminated. A person of the
peer may take days: Ctrl-C leaves the negotiation going, and corridor negotiations shows it.`
}

// Run asks, and waits until there is an end or a person is needed.
func (c negotiateCmd) Run(a *app) error {
	facts, err := factsFromSets(c.Set)
	if err != nil {
		return err
	}
	node, err := c.client()
	if err != nil {
		return err
	}
	request := struct {
		Provider string                       `json:"provider"`
		Address  string                       `json:"address,omitempty"`
		Dataset  string                       `json:"dataset"`
		Offer    string                       `json:"offer,omitempty"`
		Purpose  string                       `json:"purpose"`
		Facts    corridor.Facts               `json:"facts,omitempty"`
		Evidence map[string]corridor.Evidence `json:"evidence,omitempty"`
	}{c.Peer, c.Address, c.Dataset, c.Offer, c.Purpose, facts, evidence(c.Evidence, c.By)}
	var n negotiationView
	if err := node.post(a.ctx, "/api/negotiations", request, &n); err != nil {
		return err
	}
	if !c.NoWait {
		if n, err = awaitNegotiation(a, node, n.PID); err != nil {
			return err
		}
	}
	return showNegotiation(a, c.JSON, n)
}

// awaitNegotiation waits, by long polls that the node answers when something
// happens, until the negotiation has ended or waits on a person.
func awaitNegotiation(a *app, node *nodeClient, pid string) (negotiationView, error) {
	var told patience
	for {
		var n negotiationView
		if err := node.get(a.ctx, "/api/negotiations/"+url.PathEscape(pid), url.Values{"wait": {"30s"}}, &n); err != nil {
			return n, err
		}
		if n.State == "FINALIZED" || n.State == "TERMINATED" || n.Waiting != nil && n.Waiting.On == "operator" {
			return n, nil
		}
		told.tell(a, n.PID, n.Waiting, "corridor negotiations")
		if err := a.ctx.Err(); err != nil {
			return n, err
		}
	}
}

// patience says, each time that it changes, what a command waits for that the
// peer has not answered within one long poll.
type patience struct{ said string }

func (p *patience) tell(a *app, pid string, w *waiting, look string) {
	if w == nil || w.On != "peer" || w.Why == p.said || time.Since(w.Since) < peerPatience {
		return
	}
	p.said = w.Why
	fmt.Fprint(a.stderr, a.text("%s %s\nCtrl-C leaves it going; look with: %s\n", pid, a.waits(w), look))
}

// peerPatience is how long a command waits for a peer without a word.
const peerPatience = 10 * time.Second

func showNegotiation(a *app, asJSON bool, n negotiationView) error {
	print := func() error { return printNegotiation(a, n) }
	if asJSON {
		print = func() error { return printJSON(a.stdout, n) }
	}
	if err := print(); err != nil {
		return err
	}
	return negotiationOutcome(n)
}
