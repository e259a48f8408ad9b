package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
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
	Terms    *dsp.Policy                  `json:"terms,omitempty"` // of a plain provider, where they are known: its catalogue is not asked
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
	n.Plain = peer.Plain != nil
	if n.Callback, err = s.address(ctx, peer, r.Address); err != nil {
		return n, err
	}
	if err := s.lookUp(ctx, &n, r); err != nil {
		return n, err
	}
	st := &step{neg: &n}
	refused, err := s.ask(ctx, &n, peer, st)
	if err != nil {
		return n, err
	}
	if err := s.commit(ctx, st); err != nil {
		return n, err
	}
	return n, refused
}

// lookUp finds the offer and the facts that the provider's catalogue shows.
func (s *Service) lookUp(ctx context.Context, n *Negotiation, r Request) error {
	if r.Terms != nil {
		if !n.Plain {
			return &corridor.Error{Kind: corridor.Invalid, Where: "terms", Msg: "are those of the catalogue", Why: "the catalogue of a Corridor says what its data is", Fix: "name the offer"}
		}
		n.Offer = dsp.Offer{Policy: *r.Terms}
		n.Offer.Target = r.Dataset
		return nil
	}
	listed, err := s.peerDataset(ctx, n.Peer, n.Callback, r.Dataset)
	if err != nil {
		return err
	}
	if n.Offer, err = pick(listed, r.Offer); err != nil {
		return err
	}
	n.Shown, err = factsOf(listed.Facts)
	return err
}

// ask decides the import side and puts the request, the refusal or the wait
// into the step. It gives the refusal too.
func (s *Service) ask(ctx context.Context, n *Negotiation, provider identity.Peer, st *step) (refused error, err error) {
	if err := s.compareSuites(ctx, provider); err != nil {
		return nil, err
	}
	refused, err = s.decideImport(ctx, n, provider, st)
	if err != nil {
		return nil, err
	}
	if refused != nil {
		return refused, s.refuse(n, refused, st)
	}
	if n.Parked != "" {
		return nil, nil
	}
	m := &dsp.ContractRequestMessage{ConsumerPid: n.PID, Offer: n.Offer}
	if n.PeerPID != "" {
		m.ProviderPid = n.PeerPID
	} else {
		m.CallbackAddress = s.cfg.Base
	}
	if err := s.state(ctx, n, &m.Extensions, st); err != nil {
		return nil, err
	}
	st.say(m, &m.Extensions, dsp.Provider, dsp.Requested)
	return nil, nil
}

// decideImport asks our own law as the importer, and that of a plain
// provider's side. It gives a refusal, or parks, or lets the consumer go on.
func (s *Service) decideImport(ctx context.Context, n *Negotiation, provider identity.Peer, st *step) (refused, err error) {
	t, err := readTerms(n.Offer.Policy)
	if err != nil {
		return nil, err
	}
	plain, err := n.plainOf(provider)
	if err != nil {
		return nil, err
	}
	n.Facts = promised(n.Facts, t)
	said := stated{Purpose: n.Purpose, Facts: n.Facts}
	flow := s.importFlow(n.Shown, provider.Participant, said)
	if n.Own, err = s.decideOwn(ctx, flow, corridor.Import, n.Peer, s.cfg.Self.DID, n.Dataset); err != nil {
		return nil, err
	}
	r, err := decisionReceipt(corridor.ReceiptDecision, n.Own)
	if err != nil {
		return nil, err
	}
	st.receipts = append(st.receipts, r)
	sides, owners := []*SidedDecision{n.Own}, []string{"importer", "both"}
	if plain != nil { // the exporter's duties are looked at here too: nobody else does
		facts := corridor.Facts{}
		maps.Copy(facts, n.Shown)
		maps.Copy(facts, plain.Facts)
		if n.Theirs, r, err = s.decideInstead(ctx, n, s.flowAt(facts, provider.Participant, s.cfg.Self, said), provider.Participant); err != nil {
			return nil, err
		}
		st.receipts = append(st.receipts, r)
		sides, owners = append(sides, n.Theirs), nil
	}
	var decisions []corridor.Decision
	for _, side := range sides {
		d, err := side.decode()
		if err != nil {
			return nil, err
		}
		if refused := refusal(d.Decision); refused != nil {
			return refused, nil
		}
		decisions = append(decisions, d.Decision)
	}
	passage, err := s.passage(dsp.Consumer, provider.Participant, n.Dataset, flow.Facts)
	if err == nil {
		err = passage.checkPacks(decisions...)
	}
	if err != nil {
		return err, nil
	}
	owed, err := s.owedByApprovals(n.current())
	if err != nil {
		return nil, err
	}
	owed.Outcome = corridor.Allow
	n.Parked, n.Cites = s.waitsFor(n, append(decisions, owed), n.proofs(), owners...)
	n.Permission, refused = t.asks(useOf(n, s.cfg.Self, s.now(), 0))
	return refused, nil
}

// state puts into a message what this side states about the flow.
func (s *Service) state(ctx context.Context, n *Negotiation, ext *dsp.Extensions, st *step) (err error) {
	if err := s.validateDecision(ctx, n, st); err != nil {
		return err
	}
	for _, part := range []struct {
		into *json.RawMessage
		v    any
		skip bool
	}{
		{&ext.Flow, stated{Purpose: n.Purpose, Facts: n.Facts, Evidence: n.proofs()}, false},
		{&ext.Decision, n.Own.Signed, false},
		{&ext.Approval, n.current(), len(n.current()) == 0},
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
	return sayValidations(&ext.Validations, n.Own.Validation)
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

// PeerAddress finds where a known peer can be asked.
func (s *Service) PeerAddress(ctx context.Context, did string) (string, error) {
	peer, err := s.cfg.Directory.Lookup(ctx, did)
	if err != nil {
		return "", err
	}
	return s.address(ctx, peer, "")
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

// Announced says why an address is not on the host that a participant's DID
// document announces, or nil. It need not be a known peer.
func (s *Service) Announced(ctx context.Context, did, address string) error {
	at, err := url.Parse(address)
	if err != nil {
		return corridor.E(corridor.Invalid, "address: %w", err)
	}
	doc, err := s.cfg.Resolver.Resolve(ctx, did)
	if err != nil {
		return err
	}
	for _, kind := range []string{identity.DataService, identity.CatalogService} {
		known, ok := doc.Endpoint(kind)
		if !ok {
			continue
		}
		if u, err := url.Parse(known); err == nil && u.Host == at.Host && u.Scheme == at.Scheme && below(at.Path, announcedRoot(u.Path)) {
			return nil
		}
	}
	return &corridor.Error{Kind: corridor.Forbidden, Where: clip(did), Msg: fmt.Sprintf("its DID document announces no service at %q", clip(at.Host+at.Path)),
		Why: "a token for a participant is shown to nobody else", Fix: "name the participant in the list of peers"}
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
	if c.Peer.Plain != nil {
		return samePlace(at, c.Peer.Address, "the list of peers has it at", true)
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
		return samePlace(at, announced, "the DID document of the caller announces", false)
	}
	return nil
}

// samePlace holds a callback address against where a peer is known to be. Several
// participants may live on one host, each below a path of its own. What is known
// may be the place of one version of the protocol, below that of the peer.
func samePlace(at *url.URL, known, source string, versioned bool) error {
	u, err := url.Parse(known)
	if err == nil && u.Host == at.Host && u.Scheme == at.Scheme {
		root := announcedRoot(u.Path)
		if below(at.Path, root) || versioned && below(root, at.Path) && strings.Trim(at.Path, "/") != "" {
			return nil
		}
	}
	return &corridor.Error{Kind: corridor.Invalid, Where: "callbackAddress", Msg: fmt.Sprintf("is at %q, but %s %q", clip(at.Host+at.Path), source, clip(known)),
		Fix: "let both name the same scheme, host and port, and one path below the other"}
}

// announcedRoot is the path below which a participant that announces a service
// there speaks the protocol.
func announcedRoot(at string) string {
	at = strings.TrimSuffix(strings.TrimRight(at, "/"), dsp.VersionPath)
	return strings.TrimSuffix(at, "/catalog")
}

// below says whether a path is another one or lies below it.
func below(at, root string) bool {
	at, root = path.Clean("/"+at), path.Clean("/"+root) // no way up
	return root == "/" || at == root || strings.HasPrefix(at, root+"/")
}

// peerDataset reads one dataset of a peer. Many who negotiate about it at once
// share the answer; nobody changes it.
func (s *Service) peerDataset(ctx context.Context, did, base, id string) (*dsp.Dataset, error) {
	return s.datasets.ask(ctx, did+" "+base+" "+id, func(ctx context.Context) (*dsp.Dataset, error) { return s.fetchDataset(ctx, did, base, id) })
}

func (s *Service) fetchDataset(ctx context.Context, did, base, id string) (*dsp.Dataset, error) {
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
