package exchange

import (
	"context"
	"fmt"
	"slices"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity"
)

// Adoption is an agreement with a plain peer that came about outside the
// protocol: on paper, or in the connector that was used before. The Dataspace
// Protocol leaves that open; transfers name an agreement by its id, however it
// was made.
type Adoption struct {
	ID        string                       `json:"id"` // as the peer knows it
	Peer      string                       `json:"peer"`
	Role      dsp.Role                     `json:"role"` // ours
	Dataset   string                       `json:"dataset"`
	Terms     *dsp.Policy                  `json:"terms,omitempty"`   // absent: those that our dataset is offered under
	Purpose   string                       `json:"purpose,omitempty"` // consumer; of a provider's consumer the list of peers says it
	Facts     corridor.Facts               `json:"facts,omitempty"`   // consumer: what is known about the data
	Evidence  map[string]corridor.Evidence `json:"evidence,omitempty"`
	Approvals []corridor.Approval          `json:"approvals,omitempty"`
	By        string                       `json:"by"`        // who brings it
	Reference string                       `json:"reference"` // of the paper
}

// Adopt takes in an agreement that was made elsewhere. Both sides' law is
// asked as if it were negotiated today, and what would refuse or park a
// negotiation refuses the adoption.
func (s *Service) Adopt(ctx context.Context, a Adoption) (adopted Agreement, err error) {
	err = again(func() error {
		adopted, err = s.adopt(ctx, a)
		return err
	})
	return adopted, err
}

func (s *Service) adopt(ctx context.Context, a Adoption) (Agreement, error) {
	n := Negotiation{PID: newID(), Role: a.Role, Peer: a.Peer, Plain: true, State: dsp.Finalized, Dataset: a.Dataset, Purpose: a.Purpose, Facts: a.Facts,
		Evidence: a.Evidence, Approvals: a.Approvals, Created: s.now().UTC()}
	peer, err := s.checkAdoption(ctx, a)
	if err != nil {
		return Agreement{}, err
	}
	n.Callback = peer.Address
	st := &step{neg: &n}
	record := s.adoptedFrom
	if a.Role == dsp.Provider {
		record = s.adoptedTo
	}
	var refused error
	if st.agr, refused, err = record(ctx, &n, a, peer, st); err != nil {
		return Agreement{}, err
	}
	if refused != nil { // the refusal is on record, as that of a negotiation is
		if err := s.refuse(&n, refused, st); err != nil {
			return Agreement{}, err
		}
		return Agreement{}, orElse(s.commit(ctx, st), refused)
	}
	if err := s.makes(st, st.agr); err != nil {
		return Agreement{}, err
	}
	n.Agreement, n.Parked, st.agr.State = st.agr.ID, "", AgreementInForce
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptAgreement, Agreement: a.ID, State: string(dsp.Finalized),
		Digests: st.agr.digests(), Reason: short("brought in by "+a.By, []string{a.Reference})}})
	return *st.agr, s.commit(ctx, st)
}

func (s *Service) checkAdoption(ctx context.Context, a Adoption) (identity.Peer, error) {
	switch {
	case a.Role != dsp.Provider && a.Role != dsp.Consumer:
		return identity.Peer{}, &corridor.Error{Kind: corridor.Invalid, Where: "role", Msg: fmt.Sprintf("%q is not a role", clip(string(a.Role))), Fix: "say provider or consumer: what this node is"}
	case a.ID == "" || len(a.ID) > 200 || a.Dataset == "":
		return identity.Peer{}, &corridor.Error{Kind: corridor.Invalid, Where: "id", Msg: "the agreement's id or its dataset is missing or too long", Fix: "give both as the peer knows them"}
	case a.By == "" || a.Reference == "":
		return identity.Peer{}, &corridor.Error{Kind: corridor.Invalid, Where: "by", Msg: "an agreement that was made elsewhere names who brings it and where it is kept", Fix: "give by and reference"}
	}
	if slices.ContainsFunc(a.Approvals, func(x corridor.Approval) bool { return x.Signed != nil }) {
		return identity.Peer{}, &corridor.Error{Kind: corridor.Invalid, Where: "approvals", Msg: "a signed approval answers a request of a negotiation", Fix: "negotiate, or name by and reference of the approval"}
	}
	if _, err := s.Agreement(ctx, a.ID); corridor.KindOf(err) != corridor.NotFound {
		return identity.Peer{}, orElse(err, corridor.E(corridor.Conflict, "there is an agreement %q already", a.ID))
	}
	peer, err := s.cfg.Directory.Lookup(ctx, a.Peer)
	if err != nil {
		return peer, err
	}
	if peer.Plain == nil {
		return peer, &corridor.Error{Kind: corridor.Conflict, Where: a.Peer, Msg: "this peer runs Corridor: an agreement with it is signed by both", Fix: "negotiate"}
	}
	return peer, nil
}

// adoptedTo is the record of an agreement under which our data goes out.
func (s *Service) adoptedTo(ctx context.Context, n *Negotiation, a Adoption, peer identity.Peer, st *step) (adopted *Agreement, refused, err error) {
	if err := n.listenPlain(peer.Plain); err != nil {
		return nil, nil, err
	}
	d, err := s.dataset(ctx, a.Dataset)
	if err != nil {
		return nil, nil, err
	}
	n.Offer = dsp.Offer{Policy: d.Offer.Policy}
	if a.Terms != nil {
		n.Offer.Policy = *a.Terms
	}
	n.Offer.Target = n.Dataset
	v, err := s.decide(ctx, n, d, peer, st)
	switch {
	case err != nil:
		return nil, nil, err
	case v.refuse != nil:
		return nil, v.refuse, nil
	case v.park != "":
		return nil, parkedAdoption(v.park, v.cites), nil
	}
	body, err := s.agreementBody(n, d, peer.Participant, v)
	if err != nil {
		return nil, nil, err
	}
	body.ID = a.ID
	adopted, err = s.exporting(ctx, n, d, body)
	return adopted, nil, err
}

// adoptedFrom is the record of an agreement under which data comes to us.
func (s *Service) adoptedFrom(ctx context.Context, n *Negotiation, a Adoption, peer identity.Peer, st *step) (adopted *Agreement, refused, err error) {
	switch {
	case a.Terms == nil:
		return nil, nil, &corridor.Error{Kind: corridor.Invalid, Where: "terms", Msg: "are missing", Why: "they are the provider's, and this node does not know them", Fix: "give the policy that was agreed on"}
	case a.Purpose == "":
		return nil, nil, &corridor.Error{Kind: corridor.Invalid, Where: "purpose", Msg: "is missing", Why: "both sides' law asks for it"}
	}
	n.Offer = dsp.Offer{Policy: *a.Terms}
	n.Offer.Target = n.Dataset
	refused, err = s.decideImport(ctx, n, peer, st)
	switch {
	case err != nil || refused != nil:
		return nil, refused, err
	case n.Parked != "":
		return nil, parkedAdoption(n.Parked, n.Cites), nil
	}
	body, err := s.recordOf(n, a.ID, peer.Participant)
	if err != nil {
		return nil, nil, err
	}
	signed, digest, err := s.signAgreement(ctx, body)
	if err != nil {
		return nil, nil, err
	}
	return &Agreement{ID: a.ID, Negotiation: n.PID, Peer: n.Peer, Callback: n.Callback, Role: dsp.Consumer, Dataset: n.Dataset,
		Digest: digest, Signed: signed, DecidedBy: body.DecidedBy, Created: s.now().UTC(), under: digestOfCompact(body.Compact)}, nil, nil
}

func parkedAdoption(why string, cites []corridor.Citation) error {
	return &corridor.Error{Kind: corridor.ApprovalNeeded, Msg: why, Fix: "bring it with the agreement: approvals and evidence", Cites: cites}
}
