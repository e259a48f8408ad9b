// Package dcp speaks the Decentralized Claims Protocol 1.0: it demands and
// checks the credentials of callers (verifier), keeps and presents the node's
// own (credential service, here Wallet), and issues them where the node belongs
// to an authority (issuer service). Both profiles of the specification are
// spoken: vc20-bssl/jwt and vc11-sl2021/jwt.
//
// It is a package of its own beside identity because it keeps state: what the
// node holds, what it asked for, and what it issued.
package dcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	josejson "github.com/go-jose/go-jose/v4/json"

	"corridor"
)

// Context is the JSON-LD context of every message (DCP 1.0, section 4.5).
const Context = "https://w3id.org/dspace-dcp/v1.0/dcp.jsonld"

// The services that a DID document announces (sections 5.2 and 6.2).
const (
	CredentialService = "CredentialService"
	IssuerService     = "IssuerService"
)

// Profile is one of the two combinations of data model, revocation and proof
// that the specification names (DCP 1.0, section 7.1).
type Profile string

// The profiles.
const (
	VC20 Profile = "vc20-bssl/jwt"   // VC Data Model 2.0, BitstringStatusList, enveloped with JOSE
	VC11 Profile = "vc11-sl2021/jwt" // VC Data Model 1.1, StatusList2021, external proof as JWT
)

// The types of message.
const (
	queryType    = "PresentationQueryMessage"
	responseType = "PresentationResponseMessage"
	storeType    = "CredentialMessage"
	offerType    = "CredentialOfferMessage"
	requestType  = "CredentialRequestMessage"
	statusType   = "CredentialStatus"
	metadataType = "IssuerMetadata"
	objectType   = "CredentialObject"
)

// The states of an issuance.
const (
	Received = "RECEIVED"
	Issued   = "ISSUED"
	Rejected = "REJECTED"
)

// Limits on what others send. MaxMessage bounds every body.
const (
	MaxMessage       = 512 << 10
	maxCredential    = 64 << 10
	maxCredentials   = 64 // in one message or answer
	maxPresentations = 16
	maxScopes        = 64
	maxText          = 512
	maxTypes         = 16
)

// header begins every message.
type header struct {
	Context contexts `json:"@context"`
	Type    string   `json:"type"`
}

func newHeader(typ string) header { return header{Context: contexts{Context}, Type: typ} }

// contexts is the list of JSON-LD contexts. The schemas of the protocol want a
// list; one text alone is understood.
type contexts []string

// UnmarshalJSON takes texts; contexts written out in full cannot change what
// the compact form says, and are left aside.
func (c *contexts) UnmarshalJSON(raw []byte) error {
	list, err := oneOrMany(raw)
	if err != nil {
		return err
	}
	for _, item := range list {
		var s string
		if josejson.Unmarshal(item, &s) == nil {
			*c = append(*c, s)
		}
	}
	return nil
}

// decode reads a message of a type, with no repeated key and nothing after it.
func decode(body []byte, typ string, into any) error {
	if len(body) > MaxMessage {
		return corridor.E(corridor.Limited, "the message is over the limit of %d bytes", MaxMessage)
	}
	var h header
	if err := strict(body, &h); err != nil {
		return err
	}
	if h.Type != typ {
		return &corridor.Error{Kind: corridor.Invalid, Where: "type", Msg: fmt.Sprintf("the message is a %q, not a %s", clip(h.Type), typ)}
	}
	if len(h.Context) == 0 || !contains(h.Context, Context) {
		return &corridor.Error{Kind: corridor.Invalid, Where: "@context", Msg: "does not name DCP 1.0", Fix: "list " + Context}
	}
	return strict(body, into)
}

// strict reads one JSON value. The decoder of go-jose refuses repeated keys and
// keys in another case, which two readers could take differently.
func strict(raw []byte, into any) error {
	d := josejson.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(into); err != nil {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "not the JSON that is wanted here: " + clip(err.Error())}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return corridor.E(corridor.Invalid, "something follows the JSON value")
	}
	return nil
}

// oneOrMany reads what JSON-LD lets stand alone or in a list.
func oneOrMany(raw []byte) ([]josejson.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	if raw[0] != '[' {
		return []josejson.RawMessage{raw}, nil
	}
	var list []josejson.RawMessage
	if err := strict(raw, &list); err != nil {
		return nil, err
	}
	return list, nil
}

// texts reads a text or a list of texts.
type texts []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *texts) UnmarshalJSON(raw []byte) error {
	list, err := oneOrMany(raw)
	if err != nil {
		return err
	}
	for _, item := range list {
		var s string
		if err := strict(item, &s); err != nil {
			return err
		}
		*t = append(*t, s)
	}
	return nil
}

// scopeOf names the credentials of a type in a query. The third part is what
// deployed credential services, and the protocol's test kit, expect.
func scopeOf(typ string) string { return typeScope + typ + ":read" }

// The aliases of scopes that must be supported (DCP 1.0, section 5.4.1).
const (
	typeScope = "org.eclipse.dspace.dcp.vc.type:"
	idScope   = "org.eclipse.dspace.dcp.vc.id:"
)

// scope is what one scope of a query asks for.
type scope struct{ typ, id string }

// parseScope reads a scope; the right to read may be spelled out.
func parseScope(s string) (scope, error) {
	if len(s) > maxText {
		return scope{}, corridor.E(corridor.Limited, "a scope is over the limit of %d bytes", maxText)
	}
	rest := strings.TrimSuffix(s, ":read")
	if typ, ok := strings.CutPrefix(rest, typeScope); ok && typ != "" && !strings.Contains(typ, ":") {
		return scope{typ: typ}, nil
	}
	if id, ok := strings.CutPrefix(rest, idScope); ok && id != "" {
		return scope{id: id}, nil
	}
	return scope{}, &corridor.Error{Kind: corridor.Invalid, Where: "scope", Msg: fmt.Sprintf("%q is not understood", clip(s)), Why: "DCP 1.0, section 5.4.1", Fix: "ask for " + scopeOf("TYPE") + " or " + idScope + "ID"}
}

func (s scope) wants(c *Credential) bool {
	return s.typ != "" && contains(c.Types, s.typ) || s.id != "" && s.id == c.ID
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// clip shortens foreign text for an error message.
func clip(s string) string {
	const most = 160
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// encode writes a message.
func encode(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, corridor.E(corridor.Internal, "message: %w", err)
	}
	return raw, nil
}
