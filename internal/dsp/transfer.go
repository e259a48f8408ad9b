package dsp

import (
	"net/http"
	"strconv"
	"strings"

	"corridor"
)

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

// BearerAddress is an HTTP address that opens to a bearer token. Eclipse EDC
// does not read the endpoint where the protocol has it: it is said twice.
func BearerAddress(endpoint, token string) *DataAddress {
	return &DataAddress{EndpointType: EndpointHTTP, Endpoint: endpoint, EndpointProperties: []EndpointProperty{
		{Name: "authorization", Value: token}, {Name: "authType", Value: "bearer"}, {Name: edcNames + "endpoint", Value: endpoint},
	}}
}

// edcNames is what Eclipse EDC puts before the names of properties. It is read
// as nothing.
const edcNames = "https://w3id.org/edc/v0.0.1/ns/"

// edcContextURL is the context that Eclipse EDC names beside the protocol's.
const edcContextURL = "https://w3id.org/edc/dspace/v0.0.1"

// Property gives a named value of the address.
func (a *DataAddress) Property(name string) (string, bool) {
	if a == nil {
		return "", false
	}
	for _, p := range a.EndpointProperties {
		if strings.TrimPrefix(p.Name, edcNames) == name {
			return p.Value, true
		}
	}
	return "", false
}

// URL is where the address leads: its endpoint, which some peers give as a
// property.
func (a *DataAddress) URL() string {
	if a == nil {
		return ""
	}
	if a.Endpoint != "" {
		return a.Endpoint
	}
	at, _ := a.Property("endpoint")
	return at
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
		name := strings.TrimPrefix(p.Name, edcNames)
		if seen[name] {
			return invalid(here+".name", strconv.Quote(clip(p.Name))+" occurs twice", "")
		}
		seen[name] = true
	}
	return nil
}

// EndpointPush is the endpoint type of a sink that takes data over HTTP, as
// the format HttpData-PUSH has it.
const EndpointPush = "HttpData"

// SinkAddress is an HTTP sink that opens to a bearer token, written in the
// words of the protocol and in those of Eclipse EDC.
func SinkAddress(endpoint, token string) *DataAddress {
	return &DataAddress{EndpointType: EndpointPush, Endpoint: endpoint, EndpointProperties: []EndpointProperty{
		{Name: "authorization", Value: token}, {Name: "authType", Value: "bearer"},
		{Name: edcNames + "baseUrl", Value: endpoint}, {Name: edcNames + "authKey", Value: "Authorization"}, {Name: edcNames + "authCode", Value: "Bearer " + token},
	}}
}

// Sink is where a push goes, and what opens it.
type Sink struct {
	URL    string
	Method string // POST or PUT
	Header http.Header
}

// Sink understands the address of a push completely, or refuses it with the
// name of what it does not know: what is left out could send data elsewhere.
func (a *DataAddress) Sink() (Sink, error) {
	s := Sink{Method: http.MethodPost, Header: http.Header{}}
	if a == nil {
		return s, invalid("dataAddress", "is missing", "say where the data is to be pushed")
	}
	if a.EndpointType != EndpointPush && a.EndpointType != EndpointHTTP {
		return s, invalid("dataAddress.endpointType", strconv.Quote(clip(a.EndpointType))+" is not a sink that this gateway pushes to", "use "+EndpointPush)
	}
	s.URL = a.Endpoint
	var bearer, scheme, key, code string
	for i, p := range a.EndpointProperties {
		at := index("dataAddress.endpointProperties", i)
		switch strings.TrimPrefix(p.Name, edcNames) {
		case "endpoint", "baseUrl":
			if s.URL != "" && s.URL != p.Value {
				return s, invalid(at, "names a second address", "name one")
			}
			s.URL = p.Value
		case "endpointType", "type":
		case "authorization":
			bearer = p.Value
		case "authType":
			scheme = p.Value
		case "authKey":
			key = p.Value
		case "authCode":
			code = p.Value
		case "method":
			if s.Method = strings.ToUpper(p.Value); s.Method != http.MethodPost && s.Method != http.MethodPut {
				return s, invalid(at, strconv.Quote(clip(p.Value))+" is not a method of a push", "use POST or PUT")
			}
		default:
			return s, invalid(at+".name", strconv.Quote(clip(p.Name))+" is not understood by this gateway",
				"use endpoint or baseUrl, with authorization and authType or authKey and authCode, and method")
		}
	}
	if err := firstOf(need("dataAddress.endpoint", s.URL), address("dataAddress.endpoint", s.URL)); err != nil {
		return s, err
	}
	return s, s.opens(bearer, scheme, key, code)
}

// opens puts what opens the sink into its header. A header of the peer's
// choice could make a request of another kind, so that only two are possible.
func (s *Sink) opens(bearer, scheme, key, code string) error {
	switch {
	case bearer == "" && key == "" && code == "":
		return nil
	case bearer != "" && scheme != "" && !strings.EqualFold(scheme, "bearer"):
		return invalid("dataAddress.authType", strconv.Quote(clip(scheme))+" is not known", "use bearer")
	case (key == "") != (code == ""):
		return invalid("dataAddress.authKey", "goes with authCode", "give both or none")
	case key != "" && !strings.EqualFold(key, "Authorization") && !strings.EqualFold(key, "X-Api-Key"):
		return invalid("dataAddress.authKey", strconv.Quote(clip(key))+" is not a header that opens a sink", "use Authorization or X-Api-Key")
	}
	if bearer != "" {
		s.Header.Set("Authorization", "Bearer "+bearer)
	}
	if key != "" {
		s.Header.Set(key, code)
	}
	for _, v := range s.Header {
		if strings.ContainsFunc(v[0], func(r rune) bool { return r < ' ' || r > '~' }) || len(v[0]) > maxText {
			return &corridor.Error{Kind: corridor.Invalid, Where: "dataAddress", Msg: "what opens the sink is not a header's value", Fix: "use printable ASCII"}
		}
	}
	return nil
}
