package edc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// obj is a JSON object.
type obj = map[string]any

const edcNamespace = "https://w3id.org/edc/v0.0.1/ns/"

// post sends an object to the management API and reads the answer into out.
func (p *Peer) post(ctx context.Context, path string, body obj, out any) error {
	if body != nil {
		body["@context"] = obj{"@vocab": edcNamespace}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if body == nil {
		raw = nil
	}
	return p.exchange(ctx, "POST", path, raw, out)
}

func (p *Peer) get(ctx context.Context, path string, out any) error {
	return p.exchange(ctx, "GET", path, nil, out)
}

func (p *Peer) exchange(ctx context.Context, method, path string, body []byte, out any) error {
	answer, err := call(ctx, p.http, method, p.Management+path, nil, body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: %w: %s", path, err, answer)
	}
	return nil
}

// Publish offers what source serves, to everybody, without conditions. extra
// are further properties of the asset, by full IRI.
func (p *Peer) Publish(ctx context.Context, asset, source string, extra obj) error {
	properties := obj{"description": "conformance"}
	for k, v := range extra {
		properties[k] = v
	}
	return errors.Join(
		p.post(ctx, "/assets", obj{"@type": "Asset", "@id": asset, "properties": properties,
			"dataAddress": obj{"@type": "DataAddress", "type": "HttpData", "baseUrl": source}}, nil),
		p.post(ctx, "/policydefinitions", obj{"@type": "PolicyDefinition", "@id": asset + "-policy", "policy": obj{
			"@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", "permission": []any{obj{"action": "use"}}}}, nil),
		p.post(ctx, "/contractdefinitions", obj{"@type": "ContractDefinition", "@id": asset + "-contract", "accessPolicyId": asset + "-policy", "contractPolicyId": asset + "-policy",
			"assetsSelector": []any{obj{"@type": "Criterion", "operandLeft": edcNamespace + "id", "operator": "=", "operandRight": asset}}}, nil))
}

// Offered is a dataset of a provider's catalogue, as EDC understands it.
type Offered struct {
	ID      string
	Formats []string
	Policy  obj // the first offer
}

// Catalogue asks a provider for its catalogue.
func (p *Peer) Catalogue(ctx context.Context, provider, address string) ([]Offered, error) {
	var cat obj
	if err := p.post(ctx, "/catalog/request", obj{"@type": "CatalogRequest", "counterPartyId": provider, "counterPartyAddress": address, "protocol": dspName,
		"querySpec": obj{"offset": 0, "limit": 50}}, &cat); err != nil {
		return nil, err
	}
	var out []Offered
	for _, d := range many(cat["dcat:dataset"], cat["dataset"]) {
		o := Offered{ID: text(d["@id"])}
		for _, f := range many(d["dcat:distribution"], d["distribution"]) {
			o.Formats = append(o.Formats, text(first(f["dct:format"], f["format"])))
		}
		if offers := many(d["odrl:hasPolicy"], d["hasPolicy"]); len(offers) > 0 {
			o.Policy = offers[0]
		}
		out = append(out, o)
	}
	return out, nil
}

// Find asks for the catalogue and gives one dataset of it.
func (p *Peer) Find(ctx context.Context, provider, address, dataset string) (Offered, error) {
	list, err := p.Catalogue(ctx, provider, address)
	if err != nil {
		return Offered{}, err
	}
	i := slices.IndexFunc(list, func(o Offered) bool { return o.ID == dataset })
	if i < 0 {
		return Offered{}, fmt.Errorf("the catalogue of %s has no dataset %q: %v", provider, dataset, list)
	}
	return list[i], nil
}

// Negotiation is a contract negotiation as EDC's management API shows it.
type Negotiation struct {
	ID        string `json:"@id"`
	State     string `json:"state"`
	Agreement string `json:"contractAgreementId"`
	Error     string `json:"errorDetail"`
}

// Negotiate asks a provider for a contract and waits until it is final or
// terminated.
func (p *Peer) Negotiate(ctx context.Context, provider, address string, o Offered) (Negotiation, error) {
	policy := obj{}
	for k, v := range o.Policy {
		policy[k] = v
	}
	policy["@type"] = "Offer"
	policy["@context"] = "http://www.w3.org/ns/odrl.jsonld"
	policy["assigner"], policy["target"] = provider, o.ID
	var begun Negotiation
	if err := p.post(ctx, "/contractnegotiations", obj{"@type": "ContractRequest", "counterPartyAddress": address, "protocol": dspName, "policy": policy}, &begun); err != nil {
		return begun, err
	}
	return p.AwaitNegotiation(ctx, begun.ID)
}

// AwaitNegotiation waits until a negotiation is over.
func (p *Peer) AwaitNegotiation(ctx context.Context, id string) (Negotiation, error) {
	return until(ctx, p, "/contractnegotiations/"+id, func(n Negotiation) bool { return n.State == "FINALIZED" || n.State == "TERMINATED" })
}

// Negotiations lists what the peer knows of negotiations.
func (p *Peer) Negotiations(ctx context.Context) (list []Negotiation, err error) {
	return list, p.post(ctx, "/contractnegotiations/request", obj{"@type": "QuerySpec"}, &list)
}

// Transfer is a transfer process as EDC's management API shows it.
type Transfer struct {
	ID          string `json:"@id"`
	State       string `json:"state"`
	Type        string `json:"type"` // CONSUMER or PROVIDER
	Correlation string `json:"correlationId"`
	Contract    string `json:"contractId"`
	Error       string `json:"errorDetail"`
}

// Transfer asks a provider for the data of an agreement. sink is where a push
// goes, empty for a pull; events is where the peer tells of its start.
func (p *Peer) Transfer(ctx context.Context, provider, address, agreement, sink, events string) (Transfer, error) {
	body := obj{"@type": "TransferRequest", "counterPartyAddress": address, "protocol": dspName, "contractId": agreement, "connectorId": provider, "transferType": "HttpData-PULL"}
	if sink != "" {
		body["transferType"] = "HttpData-PUSH"
		body["dataDestination"] = obj{"@type": "DataAddress", "type": "HttpData", "baseUrl": sink}
	}
	if events != "" {
		body["callbackAddresses"] = []any{obj{"@type": "CallbackAddress", "transactional": false, "uri": events, "events": []string{"transfer.process.started"}}}
	}
	var t Transfer
	return t, p.post(ctx, "/transferprocesses", body, &t)
}

// AwaitTransfer waits until a transfer is in one of the states. A provider's
// goes on from COMPLETED and TERMINATED to DEPROVISIONED.
func (p *Peer) AwaitTransfer(ctx context.Context, id string, states ...string) (Transfer, error) {
	if slices.Contains(states, "COMPLETED") || slices.Contains(states, "TERMINATED") {
		states = append(states, "DEPROVISIONED")
	}
	return until(ctx, p, "/transferprocesses/"+id, func(t Transfer) bool { return slices.Contains(states, t.State) })
}

// Transfers lists what the peer knows of transfers.
func (p *Peer) Transfers(ctx context.Context) (list []Transfer, err error) {
	return list, p.post(ctx, "/transferprocesses/request", obj{"@type": "QuerySpec"}, &list)
}

// Suspend, Resume and Terminate act on a transfer.
func (p *Peer) Suspend(ctx context.Context, id, reason string) error {
	return p.post(ctx, "/transferprocesses/"+id+"/suspend", obj{"@type": "SuspendTransfer", "reason": reason}, nil)
}

// Resume takes up a suspended transfer.
func (p *Peer) Resume(ctx context.Context, id string) error {
	return p.post(ctx, "/transferprocesses/"+id+"/resume", nil, nil)
}

// Terminate ends a transfer.
func (p *Peer) Terminate(ctx context.Context, id, reason string) error {
	return p.post(ctx, "/transferprocesses/"+id+"/terminate", obj{"@type": "TerminateTransfer", "reason": reason}, nil)
}

// until asks for a record until it is as wanted. EDC has no way to wait.
func until[T any](ctx context.Context, p *Peer, path string, done func(T) bool) (T, error) {
	for {
		var v T
		if err := p.get(ctx, path, &v); err != nil {
			return v, err
		}
		if done(v) {
			return v, nil
		}
		select {
		case <-ctx.Done():
			return v, fmt.Errorf("waiting for %s: %w; it is %+v", path, ctx.Err(), v)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// many reads the first of some members that is there, as a list.
func many(members ...any) []obj {
	switch v := first(members...).(type) {
	case []any:
		var out []obj
		for _, e := range v {
			if o, ok := e.(obj); ok {
				out = append(out, o)
			}
		}
		return out
	case obj:
		return []obj{v}
	}
	return nil
}

func first(members ...any) any {
	for _, m := range members {
		if m != nil {
			return m
		}
	}
	return nil
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case obj:
		return text(first(v["@id"], v["@value"]))
	}
	return ""
}
