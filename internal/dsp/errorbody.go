package dsp

import (
	"errors"
	"strings"

	"corridor"
)

// ErrorBody writes the protocol's error object for a refusal. What says which
// family the refused message belongs to (any of its types); provider and
// consumer are the pids as far as they are known. Only what a peer may see of
// err goes in: message, place, reason, remedy and citations.
func ErrorBody(what Type, provider, consumer string, err error) Message {
	code, reasons := errorParts(err)
	pids := Pids{ProviderPid: provider, ConsumerPid: consumer}
	switch what {
	case TypeTransferRequest, TypeTransferStart, TypeCompletion, TypeSuspension, TypeTermination, TypeTransferProcess, TypeTransferError:
		return &TransferError{Pids: pids, Code: code, Reason: reasons}
	case TypeCatalogRequest, TypeDatasetRequest, TypeCatalog, TypeDataset, TypeCatalogError:
		return &CatalogError{Code: code, Reason: reasons}
	}
	return &ContractNegotiationError{Pids: pids, Code: code, Reason: reasons}
}

func errorParts(err error) (code string, reasons Reasons) {
	var e *corridor.Error
	if !errors.As(err, &e) || e.Kind == corridor.Internal {
		return corridor.Internal.String(), Reasons{"internal error"}
	}
	if e.Kind == corridor.Unavailable { // where a node's disk or database is, and how to mend it, is its operator's matter
		e = &corridor.Error{Kind: e.Kind, Msg: e.Msg, Why: e.Why, Cites: e.Cites}
	}
	msg := e.Msg
	if e.Where != "" {
		msg = e.Where + ": " + msg
	}
	for _, s := range []string{msg, e.Why, e.Fix} {
		if s != "" {
			reasons = append(reasons, s)
		}
	}
	for _, c := range e.Cites {
		if s := citation(c); s != "" {
			reasons = append(reasons, s)
		}
	}
	if len(reasons) == 0 {
		reasons = Reasons{e.Kind.String()}
	}
	return e.Kind.String(), reasons
}

// KindFromCode reads a code that ErrorBody of another Corridor wrote.
func KindFromCode(code string) (corridor.Kind, bool) {
	for k := corridor.Internal; k <= corridor.Unavailable; k++ {
		if k.String() == code {
			return k, true
		}
	}
	return corridor.Internal, false
}

func citation(c corridor.Citation) string {
	name := c.Title.EN
	if name == "" {
		name = c.Instrument
	}
	return strings.TrimSpace(name + " " + c.Article)
}
