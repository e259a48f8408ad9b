package dsp

import "strconv"

// TransferRequestMessage asks for data under an agreement. DataAddress is
// given only when the provider is to push.
type TransferRequestMessage struct {
	Context         rootContext                 `json:"@context" dsp:"required"`
	Tag             tag[TransferRequestMessage] `json:"@type" dsp:"required"`
	ConsumerPid     string                      `json:"consumerPid"`
	AgreementID     string                      `json:"agreementId"`
	Format          string                      `json:"format"`
	CallbackAddress string                      `json:"callbackAddress"`
	DataAddress     *DataAddress                `json:"dataAddress,omitempty"`
	Extensions
}

// Type implements Message.
func (*TransferRequestMessage) Type() Type { return TypeTransferRequest }

// PIDs implements Process: the provider's is not known yet.
func (m *TransferRequestMessage) PIDs() (provider, consumer string) { return "", m.ConsumerPid }

// Validate implements Message.
func (m *TransferRequestMessage) Validate() error {
	return firstOf(pid("consumerPid", m.ConsumerPid), need("agreementId", m.AgreementID), need("format", m.Format),
		need("callbackAddress", m.CallbackAddress), address("callbackAddress", m.CallbackAddress), m.DataAddress.validate("dataAddress"))
}

// TransferStartMessage starts a transfer, or starts a suspended one again.
// DataAddress says where a pulling consumer fetches.
type TransferStartMessage struct {
	Context rootContext               `json:"@context" dsp:"required"`
	Tag     tag[TransferStartMessage] `json:"@type" dsp:"required"`
	Pids
	DataAddress *DataAddress `json:"dataAddress,omitempty"`
	Extensions
}

// Type implements Message.
func (*TransferStartMessage) Type() Type { return TypeTransferStart }

// Validate implements Message.
func (m *TransferStartMessage) Validate() error {
	return firstOf(m.Pids.validate(), m.DataAddress.validate("dataAddress"))
}

// TransferCompletionMessage says that all data arrived or was sent.
type TransferCompletionMessage struct {
	Context rootContext                    `json:"@context" dsp:"required"`
	Tag     tag[TransferCompletionMessage] `json:"@type" dsp:"required"`
	Pids
	Extensions
}

// Type implements Message.
func (*TransferCompletionMessage) Type() Type { return TypeCompletion }

// Validate implements Message.
func (m *TransferCompletionMessage) Validate() error { return m.Pids.validate() }

// TransferSuspensionMessage stops a transfer for the time being.
type TransferSuspensionMessage struct {
	Context rootContext                    `json:"@context" dsp:"required"`
	Tag     tag[TransferSuspensionMessage] `json:"@type" dsp:"required"`
	Pids
	Code   string  `json:"code,omitempty"`
	Reason Reasons `json:"reason,omitempty"`
	Extensions
}

// Type implements Message.
func (*TransferSuspensionMessage) Type() Type { return TypeSuspension }

// Validate implements Message.
func (m *TransferSuspensionMessage) Validate() error { return m.Pids.validate() }

// TransferTerminationMessage stops a transfer for good.
type TransferTerminationMessage struct {
	Context rootContext                     `json:"@context" dsp:"required"`
	Tag     tag[TransferTerminationMessage] `json:"@type" dsp:"required"`
	Pids
	Code   string  `json:"code,omitempty"`
	Reason Reasons `json:"reason,omitempty"`
	Extensions
}

// Type implements Message.
func (*TransferTerminationMessage) Type() Type { return TypeTermination }

// Validate implements Message.
func (m *TransferTerminationMessage) Validate() error { return m.Pids.validate() }

// TransferProcess is the state of a transfer: the answer to a request and to
// a GET.
type TransferProcess struct {
	Context rootContext          `json:"@context" dsp:"required"`
	Tag     tag[TransferProcess] `json:"@type" dsp:"required"`
	Pids
	State State `json:"state"`
	Extensions
}

// Type implements Message.
func (*TransferProcess) Type() Type { return TypeTransferProcess }

// Validate implements Message.
func (m *TransferProcess) Validate() error {
	switch m.State {
	case Requested, Started, Suspended, Completed, Terminated:
		return m.Pids.validate()
	}
	return invalid("state", strconv.Quote(clip(string(m.State)))+" is not a state of a transfer", "")
}

// TransferError answers a transfer message that was refused.
type TransferError struct {
	Context rootContext        `json:"@context" dsp:"required"`
	Tag     tag[TransferError] `json:"@type" dsp:"required"`
	Pids
	Code   string  `json:"code,omitempty"`
	Reason Reasons `json:"reason,omitempty"`
	Extensions
}

// Type implements Message.
func (*TransferError) Type() Type { return TypeTransferError }

// Validate implements Message: an error body is read as far as it goes.
func (*TransferError) Validate() error { return nil }

// EndpointHTTP is the endpoint type of a plain HTTP address.
const EndpointHTTP = "https://w3id.org/idsa/v4.1/HTTP"

// DataAddress says where data is, and what opens the door.
type DataAddress struct {
	Tag                tag[DataAddress]   `json:"@type" dsp:"required"`
	EndpointType       string             `json:"endpointType"`
	Endpoint           string             `json:"endpoint,omitempty"`
	EndpointProperties []EndpointProperty `json:"endpointProperties,omitempty"`
	Extensions
}

// EndpointProperty is one named value of a data address.
type EndpointProperty struct {
	Tag   tag[EndpointProperty] `json:"@type" dsp:"required"`
	Name  string                `json:"name"`
	Value string                `json:"value"`
}

// BearerAddress is an HTTP address that opens to a bearer token.
func BearerAddress(endpoint, token string) *DataAddress {
	return &DataAddress{EndpointType: EndpointHTTP, Endpoint: endpoint, EndpointProperties: []EndpointProperty{
		{Name: "authorization", Value: token}, {Name: "authType", Value: "bearer"},
	}}
}

// Property gives a named value of the address.
func (a *DataAddress) Property(name string) (string, bool) {
	if a == nil {
		return "", false
	}
	for _, p := range a.EndpointProperties {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

func (a *DataAddress) validate(at string) error {
	if a == nil {
		return nil
	}
	if err := firstOf(need(at+".endpointType", a.EndpointType), short(at+".endpoint", a.Endpoint)); err != nil {
		return err
	}
	seen := make(map[string]bool, len(a.EndpointProperties))
	for i, p := range a.EndpointProperties {
		here := index(at+".endpointProperties", i)
		if err := need(here+".name", p.Name); err != nil {
			return err
		}
		if seen[p.Name] {
			return invalid(here+".name", strconv.Quote(clip(p.Name))+" occurs twice", "")
		}
		seen[p.Name] = true
	}
	return nil
}
