package dsp

import (
	"net/url"
	"strings"
)

// Paths of the HTTPS binding, to be put after a peer's base address.
const (
	VersionPath            = "/.well-known/dspace-version" // after the root, not the base
	CatalogRequestPath     = "/catalog/request"
	NegotiationRequestPath = "/negotiations/request"
	NegotiationOfferPath   = "/negotiations/offers"
	TransferRequestPath    = "/transfers/request"
)

// DatasetPath is where one dataset is read.
func DatasetPath(id string) string { return "/catalog/datasets/" + url.PathEscape(id) }

// NegotiationPath is where a side's view of a negotiation is read.
func NegotiationPath(pid string) string { return "/negotiations/" + url.PathEscape(pid) }

// TransferPath is where a side's view of a transfer is read.
func TransferPath(pid string) string { return "/transfers/" + url.PathEscape(pid) }

// PathFor gives the path at which the receiver, who plays the role to, takes
// the message, or nothing if no path takes it.
func PathFor(m Message, to Role) string {
	pid := ""
	if p, ok := m.(Process); ok {
		provider, consumer := p.PIDs()
		pid = consumer
		if to == Provider {
			pid = provider
		}
	}
	switch m.Type() {
	case TypeCatalogRequest:
		return CatalogRequestPath
	case TypeTransferRequest:
		return TransferRequestPath
	case TypeContractRequest:
		if pid == "" {
			return NegotiationRequestPath
		}
	case TypeContractOffer:
		if pid == "" {
			return NegotiationOfferPath
		}
	}
	for _, s := range suffixes() {
		if s.msg == m.Type() && pid != "" {
			return s.root + url.PathEscape(pid) + s.tail
		}
	}
	return ""
}

type suffix struct {
	msg        Type
	root, tail string
}

func suffixes() []suffix {
	const n, t = "/negotiations/", "/transfers/"
	return []suffix{
		{TypeContractRequest, n, "/request"}, {TypeContractOffer, n, "/offers"}, {TypeAgreement, n, "/agreement"},
		{TypeVerification, n, "/agreement/verification"}, {TypeEventAccepted, n, "/events"}, {TypeEventFinalized, n, "/events"},
		{TypeNegTermination, n, "/termination"}, {TypeTransferStart, t, "/start"}, {TypeCompletion, t, "/completion"},
		{TypeSuspension, t, "/suspension"}, {TypeTermination, t, "/termination"},
	}
}

// Join puts a path after a base address, with one slash between, so that no
// path that a peer announces changes the host.
func Join(base, path string) string {
	base = strings.TrimRight(base, "/")
	if path == "" {
		return base
	}
	return base + "/" + strings.TrimLeft(path, "/")
}
