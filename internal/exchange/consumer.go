package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity"
)

// Request is what an operator asks for on the consumer's side.
type Request struct {
	Provider string                       `json:"provider"`          // DID
	Address  string                       `json:"address,omitempty"` // DSP base; empty: from the peer list or the DID document
	Dataset  string                       `json:"dataset"`
	Offer    string                       `json:"offer,omitempty"` // empty: the first one
	Purpose  string                       `json:"purpose"`
	Facts    corridor.Facts               `json:"facts,omitempty"`    // what the importer knows
	Evidence map[string]corridor.Evidence `json:"evidence,omitempty"` // for duties of the importer owed before the transfer
}

// Negotiate asks a provider for a contract. Our own law is asked first: what
// it denies is never sent. The answer comes by message; AwaitNegotiation
// waits for it.
func (s *Service) Negotiate(ctx context.Context, r Request) (Negotiation, error) {
	n := Negotiation{PID: newID(), Role: dsp.Consumer, Peer: r.Provider, Dataset: r.Dataset, Purpose: r.Purpose, Facts: r.Facts,
		Evidence: r.Evidence, Created: s.now().UTC()}
	if r.Purpose == "" {
		return n, &corridor.Error{Kind: corridor.Invalid, Where: "purpose", Msg: "is missing", Why: "both sides' law asks for it", Fix: "state one, for example trade_logistics"}
	}
	peer, err := s.cfg.Directory.Lookup(ctx, r.Provider)
	if err != nil {
		return n, err
	}
	if n.Callback, err = s.address(ctx, peer, r.Address); err != nil {
		return n, err
	}
	listed, err := s.peerDataset(ctx, n.Peer, n.Callback, r.Dataset)
	if err != nil {
		return n, err
	}
	if n.Offer, err = pick(listed, r.Offer); err != nil {
		return n, err
	}
	if n.Shown, err = factsOf(listed.Facts); err != nil {
		return n, err
	}
	st := &step{neg: &n}
	refused, err := s.ask(ctx, &n, peer.Participant, st)
	if err != nil {
		return n, err
	}
	if err := s.commit(ctx, st); err != nil {
		return n, err
	}
	return n, refused
}

// ask decides the import side and puts the request, the refusal or the wait
// into the step. It gives the refusal too.
func (s *Service) ask(ctx context.Context, n *Negotiation, provider corridor.Participant, st *step) (refused error, err error) {
	d, refused, err := s.decideImport(ctx, n, provider, st)
	if err != nil {
		return nil, err
	}
	if refused != nil {
		return refused, s.refuse(n, refused, st)
	}
	n.Parked, n.Cites = s.waitsFor(n, []corridor.Decision{d}, n.Evidence, "importer", "both")
	if n.Parked != "" {
		return nil, nil
	}
	m := &dsp.ContractRequestMessage{ConsumerPid: n.PID, Offer: n.Offer}
	if n.PeerPID != "" {
		m.ProviderPid = n.PeerPID
	} else {
		m.CallbackAddress = s.cfg.Base
	}
	if err := s.state(n, &m.Extensions); err != nil {
		return nil, err
	}
	st.say(m, &m.Extensions, dsp.Provider, dsp.Requested)
	return nil, nil
}

// decideImport asks our own law as the importer.
func (s *Service) decideImport(ctx context.Context, n *Negotiation, provider corridor.Participant, st *step) (d corridor.Decision, refused, err error) {
	t, err := readTerms(n.Offer.Policy)
	if err != nil {
		return d, nil, err
	}
	flow := s.importFlow(n.Shown, provider, stated{Purpose: n.Purpose, Facts: n.Facts})
	if n.Own, err = s.decideOwn(ctx, flow, corridor.Import, n.Peer, s.cfg.Self.DID, n.Dataset); err != nil {
		return d, nil, err
	}
	r, err := decisionReceipt(corridor.ReceiptDecision, n.Own)
	if err != nil {
		return d, nil, err
	}
	st.receipts = append(st.receipts, r)
	own, err := n.Own.Signed.Decode()
	if err != nil {
		return d, nil, err
	}
	if refused := refusal(own.Decision); refused != nil {
		return own.Decision, refused, nil
	}
	return own.Decision, t.check(n.Purpose, s.cfg.Self.Jurisdiction, s.now(), 0), nil
}

// state puts into a message what this side states about the flow.
func (s *Service) state(n *Negotiation, ext *dsp.Extensions) error {
	for _, part := range []struct {
		into *json.RawMessage
		v    any
		skip bool
	}{
		{&ext.Flow, stated{Purpose: n.Purpose, Facts: n.Facts, Evidence: n.Evidence}, false},
		{&ext.Decision, n.Own.Signed, false},
		{&ext.Approval, n.Approvals, len(n.Approvals) == 0},
		{&ext.Participant, participant{Log: s.ownLog()}, false},
	} {
		if part.skip {
			continue
		}
		raw, err := corridor.Canonical(part.v)
		if err != nil {
			return err
		}
		*part.into = raw
	}
	return nil
}

// participant is what a gateway says of itself ("corridor:participant").
type participant struct {
	Log corridor.LogRef `json:"log"`
}

func (s *Service) ownLog() corridor.LogRef {
	return corridor.LogRef{Origin: s.cfg.Ledger.Origin(), VKey: s.cfg.Ledger.VKey()}
}

// logOf gives the log of a peer as its operator's counterpart here wrote it
// down.
func logOf(p identity.Peer) (corridor.LogRef, bool) {
	origin, _, ok := strings.Cut(p.LogVKey, "+")
	return corridor.LogRef{Origin: origin, VKey: p.LogVKey}, ok
}

// address finds where a peer speaks the protocol: as given, as listed, or as
// its DID document says.
func (s *Service) address(ctx context.Context, peer identity.Peer, given string) (string, error) {
	for _, a := range []string{given, peer.Address} {
		if a != "" {
			return strings.TrimRight(a, "/"), s.guard(ctx, a)
		}
	}
	doc, err := s.cfg.Resolver.Resolve(ctx, peer.DID)
	if err != nil {
		return "", err
	}
	if at, ok := doc.Endpoint(identity.CatalogService); ok {
		if base, ok := strings.CutSuffix(strings.TrimRight(at, "/"), "/catalog"); ok {
			return base, s.guard(ctx, base)
		}
	}
	if at, ok := doc.Endpoint(identity.DataService); ok {
		root := strings.TrimSuffix(strings.TrimRight(at, "/"), dsp.VersionPath)
		versions, err := s.client.Versions(ctx, root)
		if err != nil {
			return "", err
		}
		if v, ok := versions.Find(dsp.Version); ok {
			base := strings.TrimRight(dsp.Join(root, v.Path), "/")
			return base, s.guard(ctx, base)
		}
	}
	return "", &corridor.Error{Kind: corridor.NotFound, Where: peer.DID, Msg: "its DID document does not say where it speaks DSP " + dsp.Version, Fix: "give its address"}
}

func (s *Service) guard(ctx context.Context, address string) error {
	if s.cfg.Guard == nil {
		return nil
	}
	return s.cfg.Guard(ctx, address)
}

// checkCallback judges an address that a peer wants to be called at: it must
// pass the guard, and if the peer's DID document announces where it speaks
// the protocol, it must be that host.
func (s *Service) checkCallback(ctx context.Context, c identity.Caller, address string) error {
	if err := s.guard(ctx, address); err != nil {
		return &corridor.Error{Kind: corridor.Invalid, Where: "callbackAddress", Msg: "cannot be called", Fix: "give an address that this gateway may reach", Err: err}
	}
	at, err := url.Parse(address)
	if err != nil {
		return corridor.E(corridor.Invalid, "callbackAddress: %w", err)
	}
	doc, err := s.cfg.Resolver.Resolve(ctx, c.DID)
	if err != nil {
		return err
	}
	for _, kind := range []string{identity.DataService, identity.CatalogService} {
		announced, ok := doc.Endpoint(kind)
		if !ok {
			continue
		}
		if u, err := url.Parse(announced); err == nil && u.Host == at.Host && u.Scheme == at.Scheme {
			return nil
		}
		return &corridor.Error{Kind: corridor.Invalid, Where: "callbackAddress", Msg: fmt.Sprintf("is at %q, but the DID document of the caller announces %q", at.Host, clip(announced)),
			Fix: "announce the address in the DID document"}
	}
	return nil
}

// peerDataset reads one dataset of a peer.
func (s *Service) peerDataset(ctx context.Context, did, base, id string) (*dsp.Dataset, error) {
	r, err := s.client.Get(ctx, dsp.Peer{ID: did, Base: base}, dsp.DatasetPath(id))
	if err != nil {
		return nil, err
	}
	d, err := dsp.Decode[dsp.Dataset](r.Body)
	if err != nil {
		return nil, fmt.Errorf("dataset of %s: %w", did, err)
	}
	if d.ID != id {
		return nil, wrongField("@id", d.ID, id)
	}
	return d, nil
}

// pick finds the offer that is asked for, as it stands in a message.
func pick(d *dsp.Dataset, id string) (dsp.Offer, error) {
	var names []string
	for _, o := range d.HasPolicy {
		if id == "" || o.ID == id {
			o.Target = d.ID
			return o, nil
		}
		names = append(names, o.ID)
	}
	return dsp.Offer{}, &corridor.Error{Kind: corridor.NotFound, Msg: fmt.Sprintf("dataset %s has no offer %q", d.ID, clip(id)), Fix: "use one of: " + strings.Join(names, ", ")}
}

func factsOf(raw json.RawMessage) (corridor.Facts, error) {
	f := corridor.Facts{}
	if len(raw) == 0 {
		return f, nil
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, corridor.E(corridor.Invalid, "corridor:facts of the catalogue: %w", err)
	}
	return f, nil
}

// Listing is a dataset of a peer, as its catalogue shows it.
type Listing struct {
	ID          string         `json:"id"`
	Title       string         `json:"title,omitempty"`
	Description string         `json:"description,omitempty"`
	Formats     []string       `json:"formats"`
	Offers      []dsp.Offer    `json:"offers"`
	Facts       corridor.Facts `json:"facts,omitempty"`
}

// PeerCatalogue asks a peer for the first page of its catalogue.
func (s *Service) PeerCatalogue(ctx context.Context, did, address string) ([]Listing, error) {
	peer, err := s.cfg.Directory.Lookup(ctx, did)
	if err != nil {
		return nil, err
	}
	base, err := s.address(ctx, peer, address)
	if err != nil {
		return nil, err
	}
	cat, _, err := s.client.Catalog(ctx, dsp.Peer{ID: did, Base: base}, &dsp.CatalogRequestMessage{})
	if err != nil {
		return nil, err
	}
	out := []Listing{}
	for _, d := range cat.Dataset {
		facts, err := factsOf(d.Facts)
		if err != nil {
			return nil, err
		}
		l := Listing{ID: d.ID, Title: d.Title, Description: d.Description, Offers: d.HasPolicy, Facts: facts}
		for _, f := range d.Distribution {
			l.Formats = append(l.Formats, f.Format)
		}
		out = append(out, l)
	}
	return out, nil
}
