package identity

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/verify"
)

// Relationship says what a key of a DID document may be used for.
type Relationship string

// The relationships that Corridor uses: object signatures are assertions,
// tokens need capabilityInvocation.
const (
	Authentication       Relationship = "authentication"
	AssertionMethod      Relationship = "assertionMethod"
	CapabilityInvocation Relationship = "capabilityInvocation"
)

// Limits on a DID document.
const (
	MaxDocument = 64 << 10 // bytes
	maxMethods  = 64
	maxServices = 64
)

// Document is a DID document, reduced to what Corridor reads.
type Document struct {
	Context              []string  `json:"@context"`
	ID                   string    `json:"id"`
	VerificationMethod   []Method  `json:"verificationMethod"`
	Authentication       []string  `json:"authentication,omitempty"`
	AssertionMethod      []string  `json:"assertionMethod,omitempty"`
	CapabilityInvocation []string  `json:"capabilityInvocation,omitempty"`
	Service              []Service `json:"service,omitempty"`
}

// Method is a public key of a document.
type Method struct {
	ID         string     `json:"id"`
	Type       string     `json:"type"`
	Controller string     `json:"controller"`
	JWK        verify.JWK `json:"publicKeyJwk"`
	// When it ends, where its owner says so. Of keys of trust services it is held to.
	Expires json.RawMessage `json:"expires,omitempty"`
	Revoked json.RawMessage `json:"revoked,omitempty"`

	key verify.Key // the JWK, decoded; the zero Key in a document that was not parsed
}

// Service is an address that a document announces.
type Service struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Endpoint string `json:"serviceEndpoint"`
}

// The service types of DSP.
const (
	DataService    = "DataService"    // the version document
	CatalogService = "CatalogService" // the catalogue endpoint
)

// Document makes the node's DID document. DspURL is the versioned base
// address of the DSP endpoints; the version document is announced at the root
// of the same host, or at root if it is given.
func (k *Keys) Document(dspURL string, root ...string) Document {
	method := func(s Signer) Method {
		return Method{ID: s.KeyID(), Type: "JsonWebKey2020", Controller: k.DID, JWK: s.Public().JWK}
	}
	national, token := Present(k.National), Present(k.Token)
	d := Document{
		Context:              []string{"https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"},
		ID:                   k.DID,
		VerificationMethod:   []Method{method(national), method(token), method(k.Log)},
		Authentication:       []string{token.KeyID()},
		AssertionMethod:      []string{national.KeyID()},
		CapabilityInvocation: []string{token.KeyID()},
	}
	if k.Credential != nil {
		credential := Present(k.Credential)
		d.VerificationMethod = append(d.VerificationMethod, method(credential))
		d.AssertionMethod = append(d.AssertionMethod, credential.KeyID())
	}
	if k.Trust != nil { // under no relationship: it signs nothing but validations
		if k.TrustDID != "" {
			d.Service = append(d.Service, Service{ID: k.DID + "#validation-service", Type: verify.ValidationService, Endpoint: k.TrustDID})
		} else {
			trust := Present(k.Trust)
			d.VerificationMethod = append(d.VerificationMethod, method(trust))
			d.validates(trust.KeyID())
		}
	}
	if k.ring != nil {
		k.ring.publish(&d)
	}
	if k.Verifies != nil {
		d.Service = append(d.Service, Service{ID: k.DID + "#suites", Type: verify.SuitesService, Endpoint: k.DID + verifiesQuery + strings.Join(k.Verifies, ",")})
	}
	if dspURL == "" {
		return d
	}
	base := strings.TrimRight(dspURL, "/")
	top := base
	if u, err := url.Parse(base); err == nil {
		top = u.Scheme + "://" + u.Host
	}
	if len(root) > 0 {
		top = strings.TrimRight(root[0], "/")
	}
	d.Service = append([]Service{
		{ID: k.DID + "#dsp", Type: DataService, Endpoint: top + "/.well-known/dspace-version"},
		{ID: k.DID + "#catalog", Type: CatalogService, Endpoint: base + "/catalog"},
	}, d.Service...)
	return d
}

// TrustDocument makes the DID document of a trust service under a DID of its
// own, or nil if there is none.
func (k *Keys) TrustDocument() *Document {
	if k.Trust == nil || k.TrustDID == "" {
		return nil
	}
	s := Present(k.Trust)
	d := &Document{Context: []string{"https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"}, ID: k.TrustDID,
		VerificationMethod: []Method{{ID: s.KeyID(), Type: "JsonWebKey2020", Controller: k.TrustDID, JWK: s.Public().JWK}},
		AssertionMethod:    []string{s.KeyID()}}
	if k.ring != nil {
		k.ring.publish(d)
	}
	return d
}

// validates names a key as one of the trust service.
func (d *Document) validates(key string) {
	_, name, _ := strings.Cut(key, "#")
	d.Service = append(d.Service, Service{ID: d.ID + "#validation-by-" + name, Type: verify.ValidationService, Endpoint: key})
}

const verifiesQuery = "?verifies="

// Verifies lists the suites of national signatures that the document's owner
// relies on, as far as they are known here. A document that does not say stands
// for all.
func (d *Document) Verifies() []string {
	said, ok := d.Endpoint(verify.SuitesService)
	if !ok {
		return verify.Suites()
	}
	list, ok := strings.CutPrefix(said, d.ID+verifiesQuery)
	if !ok {
		return nil
	}
	return slices.DeleteFunc(verify.Suites(), func(s string) bool { return !slices.Contains(strings.Split(list, ","), s) })
}

// Validators gives the keys of the owner's trust service (verify.Validators).
func (d *Document) Validators() ([]verify.Key, error) {
	if _, named := d.Endpoint(verify.ValidationService); !named {
		return nil, nil
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, corridor.E(corridor.Internal, "DID document: %w", err)
	}
	return verify.Validators(d.ID, raw)
}

// TrustServices lists the trust services under DIDs of their own that the
// document names (verify.TrustServices).
func (d *Document) TrustServices() ([]string, error) {
	if _, named := d.Endpoint(verify.ValidationService); !named {
		return nil, nil
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, corridor.E(corridor.Internal, "DID document: %w", err)
	}
	return verify.TrustServices(d.ID, raw)
}

// ServiceKeys gives the keys with which the document's owner, a trust service,
// states at a time (verify.ServiceKeys).
func (d *Document) ServiceKeys(at time.Time) ([]verify.Key, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, corridor.E(corridor.Internal, "DID document: %w", err)
	}
	return verify.ServiceKeys(d.ID, raw, at)
}

// AssertionSuites lists the suites of the keys that may sign statements.
func (d *Document) AssertionSuites() []string {
	var list []string
	for _, m := range d.VerificationMethod {
		if suite := verify.SuiteOf(m.JWK); slices.Contains(d.AssertionMethod, m.ID) && !slices.Contains(list, suite) {
			list = append(list, suite)
		}
	}
	return list
}

// Key finds a key of the document that may be used for rel.
func (d *Document) Key(id string, rel Relationship) (verify.Key, error) {
	var allowed []string
	switch rel {
	case Authentication:
		allowed = d.Authentication
	case AssertionMethod:
		allowed = d.AssertionMethod
	case CapabilityInvocation:
		allowed = d.CapabilityInvocation
	}
	for _, m := range d.VerificationMethod {
		if m.ID != id {
			continue
		}
		if !slices.Contains(allowed, id) {
			return verify.Key{}, &corridor.Error{Kind: corridor.Unauthenticated, Where: id, Msg: fmt.Sprintf("the DID document does not allow this key for %s", rel),
				Fix: "list the key under " + string(rel) + " in " + d.ID}
		}
		if m.key.ID == m.ID && m.key.JWK == m.JWK {
			return m.key, nil
		}
		return verify.Key{Suite: verify.SuiteOf(m.JWK), ID: m.ID, JWK: m.JWK}, nil
	}
	return verify.Key{}, &corridor.Error{Kind: corridor.NotFound, Where: id, Msg: "the DID document holds no such key that this gateway can use"}
}

// Endpoint finds the first service of a type.
func (d *Document) Endpoint(serviceType string) (string, bool) {
	for _, s := range d.Service {
		if s.Type == serviceType {
			return s.Endpoint, true
		}
	}
	return "", false
}

// foreign is a document as others may write it.
type foreign struct {
	Context              json.RawMessage   `json:"@context"`
	ID                   string            `json:"id"`
	VerificationMethod   []json.RawMessage `json:"verificationMethod"`
	Authentication       []json.RawMessage `json:"authentication"`
	AssertionMethod      []json.RawMessage `json:"assertionMethod"`
	CapabilityInvocation []json.RawMessage `json:"capabilityInvocation"`
	Service              []json.RawMessage `json:"service"`
}

// ParseDocument reads a foreign DID document strictly: at most MaxDocument
// bytes, no repeated keys, and an id that equals did. Keys of a kind that
// Corridor cannot check, or that another DID controls, are left out.
func ParseDocument(did string, data []byte) (*Document, error) {
	if len(data) > MaxDocument {
		return nil, &corridor.Error{Kind: corridor.Limited, Where: clip(did), Msg: fmt.Sprintf("the DID document is over the limit of %d bytes", MaxDocument)}
	}
	canon, err := corridor.Canonicalize(data)
	if err != nil {
		return nil, docErr(did, "%w", err)
	}
	var f foreign
	if err := json.Unmarshal(canon, &f); err != nil {
		return nil, docErr(did, "%w", err)
	}
	if f.ID != did {
		return nil, docErr(did, "its id is %q", clip(f.ID))
	}
	if len(f.VerificationMethod)+len(f.Authentication)+len(f.AssertionMethod)+len(f.CapabilityInvocation) > 4*maxMethods || len(f.Service) > maxServices {
		return nil, docErr(did, "it has too many keys or services")
	}
	d := &Document{ID: did}
	for _, raw := range f.VerificationMethod {
		if _, err := d.add(raw); err != nil {
			return nil, err
		}
	}
	for _, rel := range []struct {
		from []json.RawMessage
		to   *[]string
	}{{f.Authentication, &d.Authentication}, {f.AssertionMethod, &d.AssertionMethod}, {f.CapabilityInvocation, &d.CapabilityInvocation}} {
		if *rel.to, err = d.relate(rel.from); err != nil {
			return nil, err
		}
	}
	d.services(f.Service)
	return d, nil
}

func docErr(did, format string, args ...any) *corridor.Error {
	e := corridor.E(corridor.Unauthenticated, "the DID document is not usable: "+format, args...)
	e.Where = clip(did)
	return e
}

// full makes a relative id absolute.
func (d *Document) full(id string) string {
	if strings.HasPrefix(id, "#") {
		return d.ID + id
	}
	return id
}

// add takes a key in if Corridor can use it, and gives its full id.
func (d *Document) add(raw json.RawMessage) (string, error) {
	var m struct {
		ID         string          `json:"id"`
		Type       string          `json:"type"`
		Controller string          `json:"controller"`
		JWK        json.RawMessage `json:"publicKeyJwk"`
		Expires    json.RawMessage `json:"expires"`
		Revoked    json.RawMessage `json:"revoked"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return "", docErr(d.ID, "a verification method: %w", err)
	}
	id := d.full(m.ID)
	owner, _, err := SplitKeyID(id)
	if err != nil {
		return "", docErr(d.ID, "a verification method: %w", err)
	}
	if owner != d.ID || (m.Controller != "" && m.Controller != d.ID) || len(m.JWK) == 0 {
		return id, nil
	}
	key, err := verify.ParseJWK(id, m.JWK)
	if err != nil {
		return id, nil // a curve that is not known here: no use, no harm
	}
	for _, have := range d.VerificationMethod {
		if have.ID == id {
			return "", docErr(d.ID, "key %s occurs twice", id)
		}
	}
	d.VerificationMethod = append(d.VerificationMethod, Method{ID: id, Type: m.Type, Controller: d.ID, JWK: key.JWK, Expires: m.Expires, Revoked: m.Revoked, key: key})
	return id, nil
}

// relate reads a relationship: ids, or keys in full.
func (d *Document) relate(list []json.RawMessage) ([]string, error) {
	var out []string
	for _, raw := range list {
		var id string
		if json.Unmarshal(raw, &id) == nil {
			out = append(out, d.full(id))
			continue
		}
		id, err := d.add(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// services takes in those with one plain address.
func (d *Document) services(list []json.RawMessage) {
	for _, raw := range list {
		var s Service
		if json.Unmarshal(raw, &s) == nil && s.Type != "" && s.Endpoint != "" {
			s.ID = d.full(s.ID)
			d.Service = append(d.Service, s)
		}
	}
}
