package server

import (
	_ "embed"
	"net/http"

	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// routes is the table of contents of the node: one line per route.
func (s *server) routes() []route {
	const (
		cat = dsp.TypeCatalogError
		neg = dsp.TypeNegError
		tra = dsp.TypeTransferError
	)
	created := http.StatusCreated
	accepted := http.StatusAccepted
	x := s.x
	return append(append(s.claimRoutes(), s.trustRoutes()...), []route{
		// for anybody
		{pattern: "GET /health", call: s.health},
		{pattern: "GET " + dsp.VersionPath, call: versions},
		{pattern: "GET /.well-known/did.json", call: s.document},
		{pattern: "GET /.well-known/corridor", call: s.about},
		{pattern: "POST /corridor/orders", call: s.pushedOrder}, // its signature says who sends it
		{pattern: "/log/", kind: stream, through: http.StripPrefix("/log", orNothing(s.cfg.Ledger))},
		{pattern: "/data/", kind: stream, through: s.cfg.Plane}, // asks for its own tokens

		// for peers: Dataspace Protocol 2025-1
		{pattern: "POST " + Base + "/catalog/request", kind: peer, family: cat, call: s.catalogue},
		{pattern: "GET " + Base + "/catalog/datasets/{pid}", kind: peer, family: cat, call: s.catalogueDataset},
		{pattern: "POST " + Base + "/negotiations/request", kind: peer, family: neg, status: created, call: message(opening(x.ContractRequested))},
		{pattern: "POST " + Base + "/negotiations/offers", kind: peer, family: neg, status: created, call: message(x.ContractOffered)},
		{pattern: "GET " + Base + "/negotiations/{pid}", kind: peer, family: neg, call: state(x.NegotiationState)},
		{pattern: "POST " + Base + "/negotiations/{pid}/request", kind: peer, family: neg, role: dsp.Provider, call: message(x.ContractRequestedAgain)},
		{pattern: "POST " + Base + "/negotiations/{pid}/offers", kind: peer, family: neg, role: dsp.Consumer, call: message(x.ContractOffered)},
		{pattern: "POST " + Base + "/negotiations/{pid}/agreement", kind: peer, family: neg, role: dsp.Consumer, call: message(x.AgreementOffered)},
		{pattern: "POST " + Base + "/negotiations/{pid}/agreement/verification", kind: peer, family: neg, role: dsp.Provider, call: message(x.AgreementVerified)},
		{pattern: "POST " + Base + "/negotiations/{pid}/events", kind: peer, family: neg, call: message(x.EventHeard)},
		{pattern: "POST " + Base + "/negotiations/{pid}/termination", kind: peer, family: neg, call: message(x.Terminated)},
		{pattern: "POST " + Base + "/transfers/request", kind: peer, family: tra, status: created, call: message(opening(x.TransferRequested))},
		{pattern: "GET " + Base + "/transfers/{pid}", kind: peer, family: tra, call: state(x.TransferState)},
		{pattern: "POST " + Base + "/transfers/{pid}/start", kind: peer, family: tra, call: message(x.TransferStarted)},
		{pattern: "POST " + Base + "/transfers/{pid}/completion", kind: peer, family: tra, call: message(x.TransferCompleted)},
		{pattern: "POST " + Base + "/transfers/{pid}/suspension", kind: peer, family: tra, call: message(x.TransferSuspended)},
		{pattern: "POST " + Base + "/transfers/{pid}/termination", kind: peer, family: tra, call: message(x.TransferTerminated)},

		// for peers: what Corridor adds
		{pattern: "GET " + Base + "/transfers/{pid}/corridor-address", kind: peer, family: tra, call: state(x.Address)},
		{pattern: "POST " + Base + "/transfers/{pid}/corridor-address", kind: peer, family: tra, role: dsp.Consumer, call: message(x.IncrementOffered)},
		{pattern: "POST " + Base + "/transfers/{pid}/corridor-look", kind: peer, family: tra, role: dsp.Consumer, call: state(x.Look)},
		{pattern: "GET " + Base + "/corridor/receipts/{pid}", kind: peer, family: tra, call: s.receipts},

		// for the operator: docs/management-api.md and openapi.yaml
		{pattern: "GET /api/openapi.yaml", kind: admin, call: openAPI},
		{pattern: "GET /api/status", kind: admin, call: s.status},
		{pattern: "GET /api/packs", kind: admin, call: s.packs},
		{pattern: "POST /api/keys/look", kind: admin, call: s.lookAtKeys},
		{pattern: "POST /api/settings/look", kind: admin, call: s.lookAtSettings},
		{pattern: "GET /api/peers", kind: admin, call: s.peers},
		{pattern: "GET /api/compacts", kind: admin, call: s.compacts},
		{pattern: "POST /api/compacts", kind: admin, status: created, call: document(x.AdoptCompact)},
		{pattern: "DELETE /api/compacts/{id}", kind: admin, call: byID(x.WithdrawCompact)},
		{pattern: "POST /api/orders", kind: admin, call: document(x.TakeByHand)},
		{pattern: "POST /api/approvals", kind: admin, call: document(x.TakeApproval)},
		{pattern: "GET /api/catalogue", kind: admin, call: s.peerCatalogue},
		{pattern: "GET /api/found", kind: admin, call: s.found},
		{pattern: "POST /api/found/refresh", kind: admin, call: s.refreshFound},
		{pattern: "GET /api/datasets", kind: admin, call: s.datasets},
		{pattern: "POST /api/datasets", kind: admin, status: created, files: true, call: given(x.Publish)},
		{pattern: "POST /api/datasets/batch", kind: admin, status: created, files: true, call: s.publishAll},
		{pattern: "DELETE /api/datasets/{id}", kind: admin, call: byID(x.Withdraw)},
		{pattern: "GET /api/datasets/{id}/increments", kind: admin, call: s.increments},
		{pattern: "POST /api/datasets/{id}/increments", kind: admin, status: created, files: true, call: named(x.Append)},
		{pattern: "GET /api/datasets/{id}/reach", kind: admin, call: s.reach},
		{pattern: "GET /api/negotiations", kind: admin, call: list(x.Negotiations)},
		{pattern: "POST /api/negotiations", kind: admin, status: accepted, call: given(x.Negotiate)},
		{pattern: "POST /api/offers", kind: admin, status: accepted, call: s.offerTo},
		{pattern: "GET /api/negotiations/{id}", kind: admin, call: s.negotiation},
		{pattern: "POST /api/negotiations/{id}/approve", kind: admin, call: named(x.Approve)},
		{pattern: "POST /api/negotiations/{id}/approval-request", kind: admin, call: named(x.RequestApproval)},
		{pattern: "POST /api/negotiations/{id}/sign-approval", kind: admin, call: named(x.SignApproval)},
		{pattern: "POST /api/negotiations/{id}/reject", kind: admin, call: s.reject},
		{pattern: "POST /api/negotiations/{id}/terminate", kind: admin, call: s.terminate},
		{pattern: "POST /api/negotiations/{id}/offer", kind: admin, call: s.offer},
		{pattern: "POST /api/negotiations/{id}/accept", kind: admin, call: named(x.Accept)},
		{pattern: "POST /api/negotiations/{id}/counter", kind: admin, call: named(x.CounterRequest)},
		{pattern: "POST /api/negotiations/{id}/agree", kind: admin, call: byID(x.Agree)},
		{pattern: "POST /api/negotiations/{id}/verify", kind: admin, call: byID(x.Verify)},
		{pattern: "POST /api/negotiations/{id}/finalize", kind: admin, call: byID(x.Finalize)},
		{pattern: "GET /api/agreements", kind: admin, call: list(x.Agreements)},
		{pattern: "POST /api/agreements", kind: admin, status: created, call: given(x.Adopt)},
		{pattern: "GET /api/agreements/{id}", kind: admin, call: byID(x.Agreement)},
		{pattern: "GET /api/agreements/{id}/bundle", kind: admin, call: s.bundle},
		{pattern: "POST /api/agreements/{id}/events", kind: admin, call: s.taskEvent},
		{pattern: "GET /api/receipts/{id}", kind: admin, call: s.logged},
		{pattern: "GET /api/receipts/{id}/cose", kind: admin, call: s.cose},
		{pattern: "GET /api/evidence", kind: admin, call: s.evidence},
		{pattern: "GET /api/evidence/{id}", kind: admin, call: s.evidenceFile},
		{pattern: "POST /api/evidence/{id}/lift", kind: admin, call: named(x.LiftEvidence)},
		{pattern: "GET /api/counters", kind: admin, call: s.counters},
		{pattern: "GET /api/tasks", kind: admin, call: s.tasks},
		{pattern: "GET /api/tasks/{id}", kind: admin, call: byID(x.TaskByID)},
		{pattern: "POST /api/tasks/{id}/done", kind: admin, call: named(x.TaskDone)},
		{pattern: "POST /api/tasks/{id}/not-applicable", kind: admin, call: named(x.TaskNotApplicable)},
		{pattern: "GET /api/transfers", kind: admin, call: list(x.Transfers)},
		{pattern: "POST /api/transfers", kind: admin, status: accepted, call: s.transfer},
		{pattern: "GET /api/transfers/{id}", kind: admin, call: s.transferByPID},
		{pattern: "POST /api/transfers/{id}/start", kind: admin, call: byID(x.Start)},
		{pattern: "POST /api/transfers/{id}/complete", kind: admin, call: byID(x.Complete)},
		{pattern: "POST /api/transfers/{id}/suspend", kind: admin, call: withReason(x.Suspend)},
		{pattern: "POST /api/transfers/{id}/resume", kind: admin, call: byID(x.Resume)},
		{pattern: "POST /api/transfers/{id}/terminate", kind: admin, call: withReason(x.TerminateTransfer)},
		{pattern: "GET /api/credentials", kind: admin, call: s.credentials},
		{pattern: "POST /api/credentials/requests", kind: admin, status: accepted, call: s.requestCredentials},
		{pattern: "GET /api/credentials/issued", kind: admin, call: s.credentialsIssued},
		{pattern: "POST /api/credentials/issued/{id}/revoke", kind: admin, call: s.revokeCredential},
	}...)
}

// ManagementRoutes lists the routes that openapi.yaml describes.
func ManagementRoutes() []string {
	var out []string
	for _, r := range (&server{x: &exchange.Service{}}).routes() {
		if r.kind == admin || r.pattern == "GET /health" {
			out = append(out, r.pattern)
		}
	}
	return out
}

func orNothing(h http.Handler) http.Handler {
	if h == nil {
		return http.NotFoundHandler()
	}
	return h
}

//go:embed openapi.yaml
var openAPIDocument []byte

// openAPI tells programs what this API is (OpenAPI 3.1).
func openAPI(*request) (any, error) {
	return raw{contentType: "application/yaml", body: openAPIDocument}, nil
}

func (s *server) health(*request) (any, error) { return map[string]string{"status": "ok"}, nil }

func (s *server) document(*request) (any, error) {
	out, err := encode(s.cfg.DID())
	return raw{contentType: "application/did+json", body: out}, err
}

// TrustPath is where a node serves the document of a trust service whose DID is
// at another host, for that host to publish.
const TrustPath = "/corridor/trust/did.json"

func (s *server) trustRoutes() []route {
	if s.cfg.TrustPath == "" {
		return nil
	}
	return []route{{pattern: "GET " + s.cfg.TrustPath, call: func(*request) (any, error) {
		out, err := encode(s.cfg.Trust())
		return raw{contentType: "application/did+json", body: out}, err
	}}}
}

func versions(*request) (any, error) {
	return dsp.VersionDocument{ProtocolVersions: []dsp.ProtocolVersion{{Version: dsp.Version, Path: Base, Binding: "HTTPS", IdentifierType: "did:web"}}}, nil
}

func (s *server) receipts(q *request) (any, error) {
	part, err := partOf(q)
	if err != nil {
		return nil, err
	}
	out, err := s.x.Receipts(q.ctx, q.caller, q.PathValue("pid"), part, q.URL.Query().Get("agreement") == "true")
	return raw{contentType: dsp.MediaType, body: out}, err
}
