// Package dsp speaks the Dataspace Protocol 2025-1: the messages on the wire,
// read strictly and with limits; the two state machines as pure tables; the
// paths of the HTTPS binding; and the client that posts to a peer.
//
// Reading is done in the protocol's fixed compact form, without a JSON-LD
// processor: unknown plain keys are dropped as JSON-LD would drop them, those of
// foreign vocabularies are dropped in a catalogue and refused elsewhere, and
// members of Corridor's own ("corridor:decision", ...) are kept as raw JSON. A
// message that cannot be read so (prefixes, full IRIs, names or a vocabulary of
// its own context, values as objects) is expanded with the contexts pinned in
// the room schema, written in the compact form and read by the same strict
// reader. What is signed is never expanded, and nothing is ever fetched to read
// a message.
//
// Wire types stop at internal/exchange: no other room handles them.
package dsp

// Version names the protocol edition in version documents.
const Version = "2025-1"

// ContextURL is the JSON-LD context that every message carries.
const ContextURL = "https://w3id.org/dspace/2025/1/context.jsonld"

// The media types of the HTTPS binding. Messages are sent as MediaType;
// LDMediaType is read as the same thing.
const (
	MediaType   = "application/json"
	LDMediaType = "application/ld+json"
)

// Limits on what is read from a peer.
const (
	MaxMessage = 1 << 20  // bytes of one message
	MaxCatalog = 16 << 20 // bytes of one catalogue page
	maxDepth   = 32       // levels of nesting
	maxObjects = 20_000   // objects and array elements in one message
	maxText    = 8 << 10  // bytes of one identifier or address
)

// Type says what a message does to a state machine. It is the message's
// "@type", except that the two negotiation events are told apart.
type Type string

// The messages of the protocol.
const (
	TypeCatalogRequest  Type = "CatalogRequestMessage"
	TypeDatasetRequest  Type = "DatasetRequestMessage"
	TypeCatalog         Type = "Catalog"
	TypeDataset         Type = "Dataset"
	TypeCatalogError    Type = "CatalogError"
	TypeContractRequest Type = "ContractRequestMessage"
	TypeContractOffer   Type = "ContractOfferMessage"
	TypeAgreement       Type = "ContractAgreementMessage"
	TypeVerification    Type = "ContractAgreementVerificationMessage"
	TypeEventAccepted   Type = "ContractNegotiationEventMessage ACCEPTED"
	TypeEventFinalized  Type = "ContractNegotiationEventMessage FINALIZED"
	TypeNegTermination  Type = "ContractNegotiationTerminationMessage"
	TypeNegotiation     Type = "ContractNegotiation"
	TypeNegError        Type = "ContractNegotiationError"
	TypeTransferRequest Type = "TransferRequestMessage"
	TypeTransferStart   Type = "TransferStartMessage"
	TypeCompletion      Type = "TransferCompletionMessage"
	TypeSuspension      Type = "TransferSuspensionMessage"
	TypeTermination     Type = "TransferTerminationMessage"
	TypeTransferProcess Type = "TransferProcess"
	TypeTransferError   Type = "TransferError"
)

// Message is anything that travels as a whole JSON document of the protocol.
type Message interface {
	// Type says which message it is.
	Type() Type
	// Validate checks what the protocol demands of the contents, naming the
	// field. Decode and Encode both call it.
	Validate() error
}

// Process is a message about one negotiation or one transfer.
type Process interface {
	Message
	// PIDs gives the two sides' identifiers of the process; one may be
	// empty in the message that starts it.
	PIDs() (provider, consumer string)
}

// Role is the part that a participant plays in a negotiation or transfer.
type Role string

// The two roles.
const (
	Provider Role = "provider"
	Consumer Role = "consumer"
)

// Other gives the counter-party's role.
func (r Role) Other() Role {
	if r == Provider {
		return Consumer
	}
	return Provider
}

// State is a state of a negotiation or of a transfer.
type State string

// The states. None is the one before the first message. A negotiation knows
// Requested to Finalized and Terminated; a transfer knows Requested, Started,
// Suspended, Completed and Terminated.
const (
	None       State = ""
	Requested  State = "REQUESTED"
	Offered    State = "OFFERED"
	Accepted   State = "ACCEPTED"
	Agreed     State = "AGREED"
	Verified   State = "VERIFIED"
	Finalized  State = "FINALIZED"
	Terminated State = "TERMINATED"
	Started    State = "STARTED"
	Suspended  State = "SUSPENDED"
	Completed  State = "COMPLETED"
)

// Final says whether no message can follow.
func (s State) Final() bool { return s == Finalized || s == Terminated || s == Completed }
