package server

import (
	"errors"
	"net/http"

	"corridor"
	"corridor/internal/identity/dcp"
)

// The services of the Decentralized Claims Protocol, below the node's root:
// what a DID document announces as CredentialService and IssuerService, and
// the status lists of what the node issued.
const (
	HolderBase = "/dcp/holder"
	IssuerBase = "/dcp/issuer"
	ListBase   = "/dcp/status"
)

// Claims are the services of the Decentralized Claims Protocol.
type Claims struct {
	// Callers proves who calls them: more may than may exchange data, such as
	// issuers and those who ask for a credential.
	Callers Verifier
	Wallet  *dcp.Wallet
	Issuer  *dcp.Issuer // nil: the node issues nothing
}

// claimRoutes are those of DCP 1.0, sections 5 and 6.
func (s *server) claimRoutes() []route {
	return []route{
		{pattern: "POST " + HolderBase + "/presentations/query", kind: claim, call: s.presentations},
		{pattern: "POST " + HolderBase + "/credentials", kind: claim, call: s.credentialsDelivered},
		{pattern: "POST " + HolderBase + "/offers", kind: claim, call: s.credentialsOffered},
		{pattern: "POST " + IssuerBase + "/credentials", kind: claim, status: http.StatusCreated, call: s.credentialsRequested},
		{pattern: "GET " + IssuerBase + "/requests/{id}", kind: claim, call: s.credentialRequest},
		{pattern: "GET " + IssuerBase + "/metadata", call: s.issuerMetadata},
		{pattern: "GET " + ListBase + "/{list}", call: s.statusList},
	}
}

func (s *server) wallet() (*dcp.Wallet, error) {
	if s.cfg.Claims == nil || s.cfg.Claims.Wallet == nil {
		return nil, corridor.E(corridor.NotFound, "this node keeps no credentials")
	}
	return s.cfg.Claims.Wallet, nil
}

func (s *server) issuer() (*dcp.Issuer, error) {
	if s.cfg.Claims == nil || s.cfg.Claims.Issuer == nil {
		return nil, &corridor.Error{Kind: corridor.NotFound, Msg: "this node issues no credentials", Fix: "its operator lists them under issues in credentials.yaml, and starts it again"}
	}
	return s.cfg.Claims.Issuer, nil
}

func (s *server) presentations(q *request) (any, error) {
	w, err := s.wallet()
	if err != nil {
		return nil, err
	}
	answer, err := w.Query(q.ctx, q.caller, q.body)
	if errors.Is(err, dcp.ErrNotOffered) {
		out, err := encode(Problem{Type: "about:blank", Title: http.StatusText(http.StatusNotImplemented), Status: http.StatusNotImplemented, Detail: dcp.ErrNotOffered.Error(), Kind: corridor.Invalid.String()})
		return raw{status: http.StatusNotImplemented, contentType: "application/problem+json", body: out}, err
	}
	return answer, err
}

func (s *server) credentialsDelivered(q *request) (any, error) {
	w, err := s.wallet()
	if err != nil {
		return nil, err
	}
	return nil, w.Store(q.ctx, q.caller, q.body)
}

func (s *server) credentialsOffered(q *request) (any, error) {
	w, err := s.wallet()
	if err != nil {
		return nil, err
	}
	return nil, w.Offer(q.ctx, q.caller, q.body)
}

func (s *server) credentialsRequested(q *request) (any, error) {
	i, err := s.issuer()
	if err != nil {
		return nil, err
	}
	place, err := i.Request(q.ctx, q.caller, q.body)
	if err != nil {
		return nil, err
	}
	q.header.Set("Location", place)
	return nil, nil
}

func (s *server) credentialRequest(q *request) (any, error) {
	i, err := s.issuer()
	if err != nil {
		return nil, err
	}
	return i.Status(q.ctx, q.caller, q.PathValue("id"))
}

func (s *server) issuerMetadata(*request) (any, error) {
	i, err := s.issuer()
	if err != nil {
		return nil, err
	}
	return i.Metadata()
}

func (s *server) statusList(q *request) (any, error) {
	i, err := s.issuer()
	if err != nil {
		return nil, err
	}
	jwt, err := i.List(q.ctx, q.PathValue("list"))
	if err != nil {
		return nil, err
	}
	return raw{contentType: "application/vc+jwt", body: []byte(jwt)}, nil
}

// Management: what the operator sees and asks for.

func (s *server) credentials(q *request) (any, error) {
	w, err := s.wallet()
	if err != nil {
		return nil, err
	}
	return called(w.Contents(q.ctx))
}

// CredentialRequest asks for credentials of an issuer.
type CredentialRequest struct {
	Issuer  string      `json:"issuer"`
	Types   []string    `json:"types"`
	Profile dcp.Profile `json:"profile,omitempty"`
}

func (s *server) requestCredentials(q *request) (any, error) {
	w, err := s.wallet()
	if err != nil {
		return nil, err
	}
	r, err := decode[CredentialRequest](q.body)
	if err != nil {
		return nil, err
	}
	return called(w.Ask(q.ctx, r.Issuer, r.Types, r.Profile))
}

func (s *server) credentialsIssued(q *request) (any, error) {
	i, err := s.issuer()
	if err != nil {
		return nil, err
	}
	list, err := i.Issued(q.ctx, q.URL.Query().Get("holder"))
	return page{Items: list}, err
}

func (s *server) revokeCredential(q *request) (any, error) {
	i, err := s.issuer()
	if err != nil {
		return nil, err
	}
	r, err := decode[Because](q.body)
	if err != nil {
		return nil, err
	}
	return called(i.Revoke(q.ctx, q.PathValue("id"), r.Reason))
}
