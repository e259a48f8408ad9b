package dsp

import "strconv"

// Pids are the two sides' identifiers of one negotiation or transfer.
type Pids struct {
	ProviderPid string `json:"providerPid"`
	ConsumerPid string `json:"consumerPid"`
}

// PIDs gives the identifiers.
func (p Pids) PIDs() (provider, consumer string) { return p.ProviderPid, p.ConsumerPid }

func (p Pids) validate() error {
	return firstOf(pid("providerPid", p.ProviderPid), pid("consumerPid", p.ConsumerPid))
}

// ContractRequestMessage asks for an agreement: it opens a negotiation (with
// CallbackAddress), or answers an offer with another (with ProviderPid).
type ContractRequestMessage struct {
	Context         rootContext                 `json:"@context" dsp:"required"`
	Tag             tag[ContractRequestMessage] `json:"@type" dsp:"required"`
	ProviderPid     string                      `json:"providerPid,omitempty"`
	ConsumerPid     string                      `json:"consumerPid"`
	Offer           Offer                       `json:"offer"`
	CallbackAddress string                      `json:"callbackAddress,omitempty"`
	Extensions
}

// Type implements Message.
func (*ContractRequestMessage) Type() Type { return TypeContractRequest }

// PIDs implements Process.
func (m *ContractRequestMessage) PIDs() (provider, consumer string) {
	return m.ProviderPid, m.ConsumerPid
}

// Validate implements Message.
func (m *ContractRequestMessage) Validate() error {
	return firstOf(pid("consumerPid", m.ConsumerPid),
		exactlyOne("providerPid", m.ProviderPid, "callbackAddress", m.CallbackAddress),
		address("callbackAddress", m.CallbackAddress), m.Offer.validateSent("offer"))
}

// ContractOfferMessage makes an offer: it opens a negotiation (with
// CallbackAddress), or answers a request with another offer (with
// ConsumerPid).
type ContractOfferMessage struct {
	Context         rootContext               `json:"@context" dsp:"required"`
	Tag             tag[ContractOfferMessage] `json:"@type" dsp:"required"`
	ProviderPid     string                    `json:"providerPid"`
	ConsumerPid     string                    `json:"consumerPid,omitempty"`
	Offer           Offer                     `json:"offer"`
	CallbackAddress string                    `json:"callbackAddress,omitempty"`
	Extensions
}

// Type implements Message.
func (*ContractOfferMessage) Type() Type { return TypeContractOffer }

// PIDs implements Process.
func (m *ContractOfferMessage) PIDs() (provider, consumer string) {
	return m.ProviderPid, m.ConsumerPid
}

// Validate implements Message.
func (m *ContractOfferMessage) Validate() error {
	return firstOf(pid("providerPid", m.ProviderPid),
		exactlyOne("consumerPid", m.ConsumerPid, "callbackAddress", m.CallbackAddress),
		address("callbackAddress", m.CallbackAddress), m.Offer.validateSent("offer"))
}

// ContractAgreementMessage carries the provider's agreement.
type ContractAgreementMessage struct {
	Context rootContext                   `json:"@context" dsp:"required"`
	Tag     tag[ContractAgreementMessage] `json:"@type" dsp:"required"`
	Pids
	Agreement Agreement `json:"agreement"`
	Extensions
}

// Type implements Message.
func (*ContractAgreementMessage) Type() Type { return TypeAgreement }

// Validate implements Message.
func (m *ContractAgreementMessage) Validate() error {
	return firstOf(m.Pids.validate(), m.Agreement.validateSent("agreement"))
}

// validateOut holds our own agreements to the text of the protocol, which
// demands a timestamp that its schema does not.
func (m *ContractAgreementMessage) validateOut() error {
	return need("agreement.timestamp", m.Agreement.Timestamp)
}

// ContractAgreementVerificationMessage is the consumer's word that it
// checked the agreement.
type ContractAgreementVerificationMessage struct {
	Context rootContext                               `json:"@context" dsp:"required"`
	Tag     tag[ContractAgreementVerificationMessage] `json:"@type" dsp:"required"`
	Pids
	Extensions
}

// Type implements Message.
func (*ContractAgreementVerificationMessage) Type() Type { return TypeVerification }

// Validate implements Message.
func (m *ContractAgreementVerificationMessage) Validate() error { return m.Pids.validate() }

// ContractNegotiationEventMessage says that an offer is accepted (by the
// consumer) or that an agreement is final (by the provider).
type ContractNegotiationEventMessage struct {
	Context rootContext                          `json:"@context" dsp:"required"`
	Tag     tag[ContractNegotiationEventMessage] `json:"@type" dsp:"required"`
	Pids
	EventType State `json:"eventType"`
	Extensions
}

// Type implements Message: it tells the two events apart.
func (m *ContractNegotiationEventMessage) Type() Type {
	return Type("ContractNegotiationEventMessage " + string(m.EventType))
}

// Validate implements Message.
func (m *ContractNegotiationEventMessage) Validate() error {
	if m.EventType != Accepted && m.EventType != Finalized {
		return invalid("eventType", strconv.Quote(clip(string(m.EventType)))+" is not an event", "use ACCEPTED or FINALIZED")
	}
	return m.Pids.validate()
}

// ContractNegotiationTerminationMessage ends a negotiation without agreement.
type ContractNegotiationTerminationMessage struct {
	Context rootContext                                `json:"@context" dsp:"required"`
	Tag     tag[ContractNegotiationTerminationMessage] `json:"@type" dsp:"required"`
	Pids
	Code   string  `json:"code,omitempty"`
	Reason Reasons `json:"reason,omitempty"`
	Extensions
}

// Type implements Message.
func (*ContractNegotiationTerminationMessage) Type() Type { return TypeNegTermination }

// Validate implements Message.
func (m *ContractNegotiationTerminationMessage) Validate() error { return m.Pids.validate() }

// ContractNegotiation is the state of a negotiation: the answer to a request
// and to a GET.
type ContractNegotiation struct {
	Context rootContext              `json:"@context" dsp:"required"`
	Tag     tag[ContractNegotiation] `json:"@type" dsp:"required"`
	Pids
	State State `json:"state"`
	Extensions
}

// Type implements Message.
func (*ContractNegotiation) Type() Type { return TypeNegotiation }

// Validate implements Message.
func (m *ContractNegotiation) Validate() error {
	switch m.State {
	case Requested, Offered, Accepted, Agreed, Verified, Finalized, Terminated:
		return m.Pids.validate()
	}
	return invalid("state", strconv.Quote(clip(string(m.State)))+" is not a state of a negotiation", "")
}

// ContractNegotiationError answers a negotiation message that was refused.
// The pids may be empty where the peer's message did not yield them.
type ContractNegotiationError struct {
	Context rootContext                   `json:"@context" dsp:"required"`
	Tag     tag[ContractNegotiationError] `json:"@type" dsp:"required"`
	Pids
	Code   string  `json:"code,omitempty"`
	Reason Reasons `json:"reason,omitempty"`
	Extensions
}

// Type implements Message.
func (*ContractNegotiationError) Type() Type { return TypeNegError }

// Validate implements Message: an error body is read as far as it goes.
func (*ContractNegotiationError) Validate() error { return nil }
