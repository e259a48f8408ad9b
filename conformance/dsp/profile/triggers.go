package profile

import (
	"encoding/json"
	"net/http"

	"corridor"
	"corridor/internal/exchange"
)

// The places at which the kit asks the node to begin something as a consumer.
const (
	NegotiationTrigger = "/tck/negotiations/requests"
	TransferTrigger    = "/tck/transfers/requests"
)

// trigger is what the kit posts: plain JSON.
type trigger struct {
	DatasetID        string `json:"datasetId"`
	OfferID          string `json:"offerId"`
	AgreementID      string `json:"agreementId"`
	Format           string `json:"format"`
	ProviderID       string `json:"providerId"`
	ConnectorAddress string `json:"connectorAddress"`
}

// Triggers adds the kit's triggers to a node.
func Triggers(node http.Handler, x *exchange.Service) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", node)
	mux.HandleFunc("POST "+NegotiationTrigger, begun(func(r *http.Request, t trigger) error {
		_, err := x.Negotiate(r.Context(), exchange.Request{Provider: t.ProviderID, Address: t.ConnectorAddress, Dataset: t.DatasetID, Terms: terms(t.OfferID), Purpose: Purpose})
		return err
	}))
	mux.HandleFunc("POST "+TransferTrigger, begun(func(r *http.Request, t trigger) error {
		_, err := x.Transfer(r.Context(), t.AgreementID)
		return err
	}))
	return mux
}

// begun answers a trigger. The process is under way when the answer is
// written; the kit sees it come.
func begun(do func(*http.Request, trigger) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var t trigger
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&t)
		if err == nil {
			err = do(r, t)
		}
		switch {
		case err == nil:
			w.WriteHeader(http.StatusOK)
		case corridor.KindOf(err) == corridor.Internal:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}
}
