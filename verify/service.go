package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"corridor"
)

// TrustServices lists the trust services under DIDs of their own that a side's
// DID document names: the endpoint of an entry of type ValidationService is such
// a DID then, and not the DID URL of a key of the side itself.
func TrustServices(did string, raw []byte) ([]string, error) {
	var d struct {
		ID      string            `json:"id"`
		Service []json.RawMessage `json:"service"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, corridor.E(corridor.Invalid, "DID document of %s: %w", did, err)
	}
	if d.ID != did || did == "" {
		return nil, corridor.E(corridor.Invalid, "the DID document is of %q, not of %q", d.ID, did)
	}
	var list []string
	for _, s := range d.Service {
		var entry struct {
			Type     string `json:"type"`
			Endpoint string `json:"serviceEndpoint"`
		}
		if json.Unmarshal(s, &entry) == nil && entry.Type == ValidationService && corridor.IsTrustService(entry.Endpoint) && entry.Endpoint != did {
			list = append(list, entry.Endpoint)
		}
	}
	return list, nil
}

// ServiceKeys gives the keys with which a trust service under a DID of its own
// states at a time: those that its document lists for assertions and that had
// not expired and were not revoked by then.
func ServiceKeys(service string, raw []byte, at time.Time) ([]Key, error) {
	keys, err := DocumentKeys(service, raw)
	if err != nil {
		return nil, err
	}
	var d struct {
		Assertion []json.RawMessage `json:"assertionMethod"`
		Methods   []json.RawMessage `json:"verificationMethod"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, corridor.E(corridor.Invalid, "DID document of %s: %w", service, err)
	}
	listed := keyNames(service, d.Assertion)
	over := map[string]bool{}
	for _, raw := range slices.Concat(d.Methods, d.Assertion) { // some are names
		var m struct {
			ID      string          `json:"id"`
			Expires json.RawMessage `json:"expires"`
			Revoked json.RawMessage `json:"revoked"`
		}
		if json.Unmarshal(raw, &m) == nil && (ended(m.Expires, at) || ended(m.Revoked, at)) {
			over[absolute(service, m.ID)] = true
		}
	}
	return slices.DeleteFunc(keys, func(k Key) bool { return over[k.ID] || !slices.Contains(listed, k.ID) }), nil
}

// ended says whether a moment of a DID document had come. One that cannot be
// read has.
func ended(moment json.RawMessage, at time.Time) bool {
	if len(moment) == 0 {
		return false
	}
	var t time.Time
	err := json.Unmarshal(moment, &t)
	return err != nil || !at.Before(t)
}

// serviceKeys gives the keys of a trust service at a time that the bundle's
// documents of it have, and the reader's too, if there is one.
func (c *checker) serviceKeys(service string, at time.Time) []Key {
	var list []Key
	for _, k := range c.file.Keys {
		if k.DID != service {
			continue
		}
		keys, err := ServiceKeys(service, k.Document, at)
		if trusted, given := c.opts.Documents[service]; given && err == nil {
			keys, err = intersect(service, keys, trusted, func(did string, raw []byte) ([]Key, error) { return ServiceKeys(did, raw, at) })
		}
		if err == nil {
			list = append(list, keys...)
		}
	}
	return list
}

// namedServices lists the trust services that a side's document names, and the
// reader's too, if there is one.
func (c *checker) namedServices(did string) (list []string) {
	for _, k := range c.file.Keys {
		if k.DID != did {
			continue
		}
		names, _ := TrustServices(did, k.Document) // that it can be read is a check of its own
		if trusted, given := c.opts.Documents[did]; given {
			known, _ := TrustServices(did, trusted)
			names = slices.DeleteFunc(names, func(n string) bool { return !slices.Contains(known, n) })
		}
		list = append(list, names...)
	}
	return list
}

// compactServices lists the trust services that the compact of the agreement
// names for the country of a side, with the compact. Whether the compact binds is
// a check of its own.
func (c *checker) compactServices(did string) ([]string, string) {
	if c.agreed == nil || c.agreed.Body.Compact == nil {
		return nil, ""
	}
	for _, doc := range c.file.Compacts {
		if doc.Digest() != c.agreed.Body.Compact.Digest {
			continue
		}
		raw, err := doc.Encode()
		if err != nil {
			continue
		}
		_, p, err := corridor.DecodeCompact(raw)
		if err != nil {
			continue
		}
		for _, side := range []corridor.Participant{c.agreed.Body.Provider, c.agreed.Body.Consumer} {
			if m, member := p.Member(side.Jurisdiction); member && side.DID == did {
				return m.TrustServices, p.Name()
			}
		}
	}
	return nil, ""
}

// The grades of a trust service: whose word a validation is.
const (
	gradeOwn     = "a key of the side itself, which nobody else holds to account"
	gradeHouse   = "a service under a DID of its own, at the address of a party: nobody else holds it to account"
	gradeService = "a service under a DID of its own, which the side's document names"
	gradeAnchor  = "a service under a DID of its own, named for that country by "
)

// atHomeOf says whether a did:web is at the host of one of some others.
func atHomeOf(service string, others ...string) bool {
	host := func(did string) string {
		name, _ := strings.CutPrefix(did, "did:web:")
		name, _, _ = strings.Cut(name, ":")
		return strings.ToLower(name)
	}
	return slices.ContainsFunc(others, func(o string) bool { return host(o) == host(service) })
}

// vouchers gives the keys that may state for a side what a validation states,
// and the grade of its service. Where the compact names services for the
// country of the side, no other counts.
func (c *checker) vouchers(v corridor.SignedValidation) (keys []Key, grade string, err error) {
	side, service := v.Statement.Issuer, didOf(v.Signature.Key)
	anchors, compact := c.compactServices(side)
	switch {
	case len(anchors) > 0 && !slices.Contains(anchors, service):
		return nil, "", mismatch("%s names %v as trust services of that country, and the validation is by %q", clip(compact), anchors, clip(service))
	case service == side:
		return c.validators[side], gradeOwn, nil
	case service == v.Statement.For:
		return nil, "", mismatch("the validation is by %q, for which it is", clip(service))
	case len(anchors) > 0:
		grade = gradeAnchor + compact
	case slices.Contains(c.namedServices(side), service):
		if grade = gradeService; atHomeOf(service, side, v.Statement.For) {
			grade = gradeHouse
		}
	default:
		return nil, "", mismatch("the validation is signed by %q, and neither the document of %q nor a compact names %q as its trust service", clip(v.Signature.Key), clip(side), clip(service))
	}
	at, _, err := ValidationTime(v.Statement)
	if err != nil {
		return nil, "", err
	}
	if keys = c.serviceKeys(service, at); len(keys) == 0 {
		err = mismatch("the bundle has no document of the trust service %q with a key that was good at %s", clip(service), clip(v.Statement.Time))
	}
	return keys, grade, err
}

// vouched checks one validation of a signature, and gives the grade of who
// states it.
func (c *checker) vouched(n National, v corridor.SignedValidation) (grade string, err error) {
	if err := n.means(v.Statement); err != nil {
		return "", err
	}
	keys, grade, err := c.vouchers(v)
	if err == nil {
		err = n.CheckValidation(v, keys, c.opts.Without)
	}
	return grade, err
}

// graded tells whose word a validation is.
func (c *checker) graded(id, grade string) {
	const what = "Whose word it is"
	if grade == gradeOwn || grade == gradeHouse {
		c.rep.note(id+".service", what, grade, "ask who runs it; a side can name the service of somebody else, and a compact can demand one")
		return
	}
	c.rep.pass(id+".service", what, "%s", grade)
}
