package main

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"

	"corridor"
	"corridor/internal/dsp"
)

// answerCmd is a person's answer to the peer of a negotiation.
type answerCmd struct {
	nodeFlags
	Negotiation string            `arg:"" help:"Negotiation, as corridor negotiations shows it." complete:"negotiations"`
	With        string            `arg:"" name:"answer" enum:"offer,counter,accept,agree,verify,finalize" help:"The provider may offer, agree or finalize; the consumer may counter, accept or verify."`
	Terms       string            `type:"path" help:"offer, counter: a file with the policy, as JSON. Without it, the published terms are offered." placeholder:"FILE"`
	Purpose     string            `help:"counter, accept: what the data will be used for."`
	Set         []string          `help:"counter, accept: a fact that you state as the importer: name=VALUE, VALUE in YAML." placeholder:"FACT=VALUE" sep:"none" complete:"facts"`
	Evidence    map[string]string `help:"counter, accept: evidence for a duty owed before the transfer: obligation=reference." placeholder:"DUTY=REF"`
	By          string            `help:"Who states the evidence." default:"operator"`
}

// Help gives examples.
func (answerCmd) Help() string {
	return `Examples:
  corridor answer urn:uuid:... agree --dir node
  corridor answer urn:uuid:... accept --purpose research --dir node
  corridor answer urn:uuid:... offer --terms policy.json --dir node
  corridor answer urn:uuid:... counter --terms policy.json --purpose research --dir node
It returns when the answer is on its way; corridor negotiations shows when the peer has it, and on whom it waits then. Which answer is legal in which state: docs/states.md. The law is asked with each. To end a negotiation: corridor terminate.`
}

// Run sends the answer and shows what became of it.
func (c answerCmd) Run(a *app) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	node, err := c.client()
	if err != nil {
		return err
	}
	var n negotiationView
	if err := node.post(a.ctx, "/api/negotiations/"+url.PathEscape(c.Negotiation)+"/"+c.With, body, &n); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, n)
	}
	return printNegotiation(a, n)
}

func (c answerCmd) body() (map[string]any, error) {
	said := c.Purpose != "" || len(c.Set) > 0 || len(c.Evidence) > 0
	switch c.With {
	case "agree", "verify", "finalize":
		if said || c.Terms != "" {
			return nil, &corridor.Error{Kind: corridor.Invalid, Msg: c.With + " takes no terms, purpose, facts or evidence: those of the negotiation stand", Fix: "leave the flags out"}
		}
		return nil, nil
	case "offer":
		if said {
			return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "an offer takes no purpose, facts or evidence: the consumer states them", Fix: "leave all but --terms out"}
		}
	case "accept":
		if c.Terms != "" {
			return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "an acceptance is of the terms offered", Fix: "leave --terms out, or counter with them"}
		}
	case "counter":
		if c.Terms == "" {
			return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "--terms is missing", Fix: "give a file with the policy that you ask for"}
		}
	}
	body := map[string]any{}
	if c.Terms != "" {
		terms, err := termsFile(c.Terms)
		if err != nil {
			return nil, err
		}
		body["terms"] = terms
	}
	if c.Purpose != "" {
		body["purpose"] = c.Purpose
	}
	facts, err := factsFromSets(c.Set)
	if err != nil {
		return nil, err
	}
	if facts != nil {
		body["facts"] = facts
	}
	if e := evidence(c.Evidence, c.By); e != nil {
		body["evidence"] = e
	}
	return body, nil
}

// termsFile reads a policy. What it may hold, the node says.
func termsFile(path string) (json.RawMessage, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxConfig {
		return nil, corridor.E(corridor.Invalid, "%s: %d bytes, at most %d are allowed", path, info.Size(), maxConfig)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the terms cannot be read: %w", err)
	}
	fix := `write it like {"@id": "urn:uuid:...", "permission": [{"action": "use"}]}`
	if !json.Valid(raw) {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "this is not JSON", Fix: fix}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&dsp.Policy{}); err != nil {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "this is not a policy", Fix: fix, Err: err}
	}
	return raw, nil
}

// offerCmd begins a negotiation as the provider.
type offerCmd struct {
	nodeFlags
	Consumer string `arg:"" help:"DID of the consumer." placeholder:"DID" complete:"peers"`
	Dataset  string `arg:"" help:"Dataset of this node." complete:"datasets"`
	Address  string `help:"Dataspace Protocol address of the consumer, if its DID document does not say." placeholder:"URL"`
}

// Help gives an example.
func (offerCmd) Help() string {
	return `The published terms are offered. The consumer accepts, asks for others or refuses; then it is
this node's turn again: see corridor negotiations.

Example:
  corridor offer did:web:gateway.example.kz shipments --dir node`
}

// Run makes the offer.
func (c offerCmd) Run(a *app) error {
	node, err := c.client()
	if err != nil {
		return err
	}
	body := map[string]string{"consumer": c.Consumer, "dataset": c.Dataset, "address": c.Address}
	var n negotiationView
	if err := node.post(a.ctx, "/api/offers", body, &n); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, n)
	}
	return printNegotiation(a, n)
}

// adoptCmd takes in an agreement that was made elsewhere.
type adoptCmd struct {
	nodeFlags
	Agreement string   `arg:"" help:"The agreement's id, as the peer knows it."`
	Peer      string   `required:"" help:"DID of the peer; its entry is marked plain." placeholder:"DID" complete:"peers"`
	Role      string   `required:"" enum:"provider,consumer" help:"What this node is under it: provider or consumer."`
	Dataset   string   `required:"" help:"Dataset, as its provider names it." placeholder:"DATASET" complete:"datasets"`
	Terms     string   `type:"path" help:"A file with the policy, as JSON. A provider may leave it out: the published terms." placeholder:"FILE"`
	Purpose   string   `help:"As consumer: what the data is used for."`
	Set       []string `help:"As consumer: a fact about the data: name=VALUE, VALUE in YAML." placeholder:"FACT=VALUE" sep:"none" complete:"facts"`
	By        string   `required:"" help:"Who brings it."`
	Reference string   `required:"" help:"Where the agreement itself is kept."`
}

// Help says when it is of use.
func (adoptCmd) Help() string {
	return `Example:
  corridor adopt contract-17 --peer did:web:edc.example.de --role provider --dataset shipments --by 'A. Officer' --reference 'file 17/2026' --dir node
For agreements that were made on paper or in another connector. Both sides' law is asked as if it were negotiated today.`
}

// Run takes the agreement in.
func (c adoptCmd) Run(a *app) error {
	body := map[string]any{"id": c.Agreement, "peer": c.Peer, "role": c.Role, "dataset": c.Dataset, "by": c.By, "reference": c.Reference}
	if c.Terms != "" {
		terms, err := termsFile(c.Terms)
		if err != nil {
			return err
		}
		body["terms"] = terms
	}
	facts, err := factsFromSets(c.Set)
	if err != nil {
		return err
	}
	if facts != nil {
		body["facts"] = facts
	}
	if c.Purpose != "" {
		body["purpose"] = c.Purpose
	}
	node, err := c.client()
	if err != nil {
		return err
	}
	var g agreementView
	if err := node.post(a.ctx, "/api/agreements", body, &g); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, g)
	}
	return showAgreements(a, []agreementView{g})
}
