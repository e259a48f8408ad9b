package dsp

import (
	"encoding/json"
	"reflect"
)

// What stands in a catalogue is DCAT, which lets a provider describe it in any
// vocabulary beside: such members are dropped, like unknown plain ones. What
// is permitted is said in policies, and those are closed.
func (Catalog) described()      {}
func (Dataset) described()      {}
func (Distribution) described() {}
func (DataService) described()  {}

// CatalogRequestMessage asks for a catalogue.
type CatalogRequestMessage struct {
	Context rootContext                `json:"@context" dsp:"required"`
	Tag     tag[CatalogRequestMessage] `json:"@type" dsp:"required"`
	Filter  []json.RawMessage          `json:"filter,omitempty"`
	Extensions
}

// Type implements Message.
func (*CatalogRequestMessage) Type() Type { return TypeCatalogRequest }

// Validate implements Message.
func (*CatalogRequestMessage) Validate() error { return nil }

// DatasetRequestMessage asks for one dataset; the HTTPS binding uses a GET
// in its place.
type DatasetRequestMessage struct {
	Context rootContext                `json:"@context" dsp:"required"`
	Tag     tag[DatasetRequestMessage] `json:"@type" dsp:"required"`
	Dataset string                     `json:"dataset"`
	Extensions
}

// Type implements Message.
func (*DatasetRequestMessage) Type() Type { return TypeDatasetRequest }

// Validate implements Message.
func (m *DatasetRequestMessage) Validate() error { return need("dataset", m.Dataset) }

// Catalog lists what a provider offers. Encode adds the context to the
// outermost one.
type Catalog struct {
	Context       *rootContext   `json:"@context,omitempty"`
	Tag           tag[Catalog]   `json:"@type" dsp:"required"`
	ID            string         `json:"@id"`
	ParticipantID string         `json:"participantId,omitempty"`
	Title         string         `json:"title,omitempty"`
	Service       []DataService  `json:"service,omitempty"`
	Dataset       []Dataset      `json:"dataset,omitempty"`
	Catalog       []Catalog      `json:"catalog,omitempty"`
	Distribution  []Distribution `json:"distribution,omitempty"`
	Extensions
}

// Type implements Message.
func (*Catalog) Type() Type { return TypeCatalog }

func (c *Catalog) asRoot() Message {
	root := *c
	root.Context = &rootContext{}
	return &root
}

func (c *Catalog) isRoot() bool { return c.Context != nil }

func (Catalog) refuses() map[string]string {
	return map[string]string{"hasPolicy": "DSP 2025-1: a catalogue has no policy of its own"}
}

// Validate implements Message.
func (c *Catalog) Validate() error {
	return firstOf(need("participantId", c.ParticipantID), c.validate(""))
}

func (c *Catalog) validate(at string) error {
	if err := firstOf(need(at+"@id", c.ID), short(at+"participantId", c.ParticipantID)); err != nil {
		return err
	}
	for i := range c.Service {
		if err := c.Service[i].validate(index(at+"service", i)); err != nil {
			return err
		}
	}
	for i := range c.Dataset {
		if err := c.Dataset[i].validate(index(at+"dataset", i) + "."); err != nil {
			return err
		}
	}
	for i := range c.Catalog {
		if err := c.Catalog[i].validate(index(at+"catalog", i) + "."); err != nil {
			return err
		}
	}
	return validateDistributions(at, c.Distribution)
}

// Dataset is something to be had, with the offers under which it can be had.
// Title, Description and Keyword are outside the protocol's context: other
// peers may drop them.
type Dataset struct {
	Context      *rootContext   `json:"@context,omitempty"`
	Tag          tag[Dataset]   `json:"@type"`
	ID           string         `json:"@id"`
	Title        string         `json:"title,omitempty"`
	Description  string         `json:"description,omitempty"`
	Keyword      Strings        `json:"keyword,omitempty"`
	HasPolicy    []Offer        `json:"hasPolicy"`
	Distribution []Distribution `json:"distribution"`
	DCAT
	Extensions
}

// Type implements Message.
func (*Dataset) Type() Type { return TypeDataset }

func (s *Dataset) asRoot() Message {
	root := *s
	root.Context = &rootContext{}
	return &root
}

func (s *Dataset) isRoot() bool { return s.Context != nil }

// Validate implements Message.
func (s *Dataset) Validate() error { return s.validate("") }

func (s *Dataset) validate(at string) error {
	if err := need(at+"@id", s.ID); err != nil {
		return err
	}
	if len(s.HasPolicy) == 0 {
		return invalid(at+"hasPolicy", "is empty", "a dataset has at least one offer")
	}
	for i := range s.HasPolicy {
		if err := s.HasPolicy[i].validateListed(index(at+"hasPolicy", i)); err != nil {
			return err
		}
	}
	if len(s.Distribution) == 0 {
		return invalid(at+"distribution", "is empty", "a dataset has at least one distribution")
	}
	return validateDistributions(at, s.Distribution)
}

func validateDistributions(at string, list []Distribution) error {
	for i := range list {
		here, d := index(at+"distribution", i), &list[i]
		if err := firstOf(need(here+".format", d.Format), d.AccessService.validate(here+".accessService")); err != nil {
			return err
		}
		for j := range d.HasPolicy {
			if err := d.HasPolicy[j].validateListed(index(here+".hasPolicy", j)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Distribution is one form in which a dataset can be had.
type Distribution struct {
	Tag           tag[Distribution] `json:"@type"`
	Format        string            `json:"format"`
	AccessService ServiceRef        `json:"accessService"`
	HasPolicy     []Offer           `json:"hasPolicy,omitempty"`
}

// ServiceRef is a data service by its identifier, or in full.
type ServiceRef struct {
	ID      string
	Service *DataService
}

// MarshalJSON writes the service if it is given, else the identifier.
func (r ServiceRef) MarshalJSON() ([]byte, error) {
	if r.Service != nil {
		return marshal(r.Service)
	}
	return marshal(r.ID)
}

// UnmarshalJSON reads either form.
func (r *ServiceRef) UnmarshalJSON(b []byte) error {
	return r.decode(&decoder{data: b}, nil, 0)
}

func (r *ServiceRef) decode(d *decoder, at *path, depth int) error {
	if d.peek() == '"' {
		id, err := d.text(at)
		*r = ServiceRef{ID: id}
		return err
	}
	var s DataService
	err := d.value(reflect.ValueOf(&s).Elem(), at, depth)
	*r = ServiceRef{ID: s.ID, Service: &s}
	return err
}

func (r *ServiceRef) validate(at string) error {
	if r.Service != nil {
		return r.Service.validate(at)
	}
	return need(at, r.ID)
}

// DataService is where a provider can be spoken to.
type DataService struct {
	Tag                 tag[DataService] `json:"@type" dsp:"required"`
	ID                  string           `json:"@id"`
	EndpointURL         string           `json:"endpointURL"`
	EndpointDescription string           `json:"endpointDescription,omitempty"`
}

func (s *DataService) validate(at string) error {
	return firstOf(need(at+".@id", s.ID), need(at+".endpointURL", s.EndpointURL))
}

// CatalogError answers a catalogue request that was refused.
type CatalogError struct {
	Context rootContext       `json:"@context" dsp:"required"`
	Tag     tag[CatalogError] `json:"@type" dsp:"required"`
	Code    string            `json:"code,omitempty"`
	Reason  Reasons           `json:"reason,omitempty"`
	Extensions
}

// Type implements Message.
func (*CatalogError) Type() Type { return TypeCatalogError }

// Validate implements Message: an error body is read as far as it goes.
func (*CatalogError) Validate() error { return nil }

// VersionDocument lists the editions that a peer speaks. It is plain JSON
// without a context, served at VersionPath.
type VersionDocument struct {
	ProtocolVersions []ProtocolVersion `json:"protocolVersions"`
}

// ProtocolVersion is one edition: Path is appended to the peer's root.
type ProtocolVersion struct {
	Version        string `json:"version"`
	Path           string `json:"path"`
	Binding        string `json:"binding"` // HTTPS
	ServiceID      string `json:"serviceId,omitempty"`
	IdentifierType string `json:"identifierType,omitempty"` // did:web
	Auth           *Auth  `json:"auth,omitempty"`
}

// Auth says how an edition's endpoints recognise a caller.
type Auth struct {
	Protocol string   `json:"protocol"`
	Version  string   `json:"version"`
	Profile  []string `json:"profile,omitempty"`
}

// DecodeVersions reads a version document.
func DecodeVersions(data []byte) (*VersionDocument, error) {
	doc := &VersionDocument{}
	if err := decodeInto(data, MaxMessage, doc); err != nil {
		return nil, err
	}
	if len(doc.ProtocolVersions) == 0 {
		return nil, invalid("protocolVersions", "is empty", "")
	}
	for i, v := range doc.ProtocolVersions {
		at := index("protocolVersions", i)
		if err := firstOf(need(at+".version", v.Version), need(at+".path", v.Path), need(at+".binding", v.Binding)); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

// Find gives the path of the first entry for this edition over HTTPS.
func (v *VersionDocument) Find(version string) (ProtocolVersion, bool) {
	for _, p := range v.ProtocolVersions {
		if p.Version == version && p.Binding == "HTTPS" {
			return p, true
		}
	}
	return ProtocolVersion{}, false
}
