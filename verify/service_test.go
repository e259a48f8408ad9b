package verify

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"corridor"
)

// served is a vouched bundle whose trust service has a DID of its own, which the
// side's document names, and a compact too if a test says so.
type served struct {
	*vouched
	named   string // by the side's document
	method  map[string]any
	listed  []string
	compact *corridor.Compact // nil: there is none
	signers []*party
}

func newServed(t testing.TB) *served {
	t.Helper()
	s := &served{vouched: newVouched(t), named: "did:web:ttp.example"}
	s.trust = newParty(t, "ttp.example", P256)
	s.method, s.listed = map[string]any{}, []string{"#national"}
	return s
}

// anchored lets a compact name trust services, by country.
func (s *served) anchored(t testing.TB, services map[string][]string) {
	t.Helper()
	c := newRuled(t)
	for i, m := range c.compact.Members {
		c.compact.Members[i].TrustServices = services[m.Jurisdiction]
	}
	s.compact, s.signers = &c.compact, c.signers
}

func (s *served) serviceDocument() json.RawMessage {
	method := map[string]any{"id": "#national", "type": "JsonWebKey2020", "controller": s.trust.did, "publicKeyJwk": s.trust.key.JWK}
	maps.Copy(method, s.method)
	raw, err := corridor.Canonical(map[string]any{"id": s.trust.did, "assertionMethod": s.listed, "verificationMethod": []any{method}})
	if err != nil {
		panic(err)
	}
	return raw
}

func (s *served) sideDocument() json.RawMessage {
	raw, err := corridor.Canonical(map[string]any{"id": s.ru.did, "assertionMethod": []string{"#national"},
		"verificationMethod": []any{map[string]any{"id": "#national", "type": "JsonWebKey2020", "controller": s.ru.did, "publicKeyJwk": s.ru.key.JWK}},
		"service":            []any{map[string]any{"id": "#v", "type": ValidationService, "serviceEndpoint": s.named}}})
	if err != nil {
		panic(err)
	}
	return raw
}

func (s *served) bytes(t testing.TB, change ...func(*File)) []byte {
	t.Helper()
	var compact corridor.Sealed
	if s.compact != nil {
		compact = sealedBy(t, *s.compact, s.signers...)
		s.agreement.Body.Compact = &corridor.CompactRef{ID: s.compact.ID, Version: s.compact.Version, Digest: compact.Digest(), Article: "3.1"}
		s.agreement.Signatures = []corridor.Signature{s.ru.signed(t, s.agreement.Body), s.kz.signed(t, s.agreement.Body)}
	}
	list := s.states(t, nil)
	s.build(t, func(st *story) {
		st.agreed[0].Digests[corridor.DigestDIDDocument] = corridor.Digest(s.sideDocument())
		for _, v := range list {
			digest, err := v.Digest()
			if err != nil {
				t.Fatal(err)
			}
			s.kz.log(t, corridor.Receipt{Type: corridor.ReceiptValidation, Time: "2026-11-24T05:09:00Z", Digests: map[string]string{corridor.DigestValidation: digest}})
		}
	})
	s.file.Validations = list
	s.file.Keys[0].Document = s.sideDocument()
	s.file.Keys = append(s.file.Keys, FileKeys{DID: s.trust.did, Document: s.serviceDocument()})
	if s.compact != nil {
		s.file.Compacts = []corridor.Sealed{compact}
	}
	for _, f := range change {
		f(&s.file)
	}
	return s.scene.bytes(t)
}

// TestAValidationSaysWhoseWordItIs: a key of the side, a service under its own
// DID, or one that the compact names.
func TestAValidationSaysWhoseWordItIs(t *testing.T) {
	own := Bundle(newVouched(t).bytes(t), noGOST())
	if !own.OK || !noted(own, "validation[0].service") || detail(own, "validation[0].service") != gradeOwn {
		t.Errorf("%s %s", own.Summary, detail(own, "validation[0].service"))
	}
	for grade, services := range map[string]map[string][]string{
		gradeService: nil,
		gradeAnchor + "compact steppe-trade, version 1": {"CN": {"did:web:other.example", "did:web:ttp.example"}, "KZ": {"did:web:ttp.kz.example"}},
	} {
		s := newServed(t)
		if services != nil {
			s.anchored(t, services)
		}
		raw := s.bytes(t)
		for _, o := range []Options{{}, noGOST()} {
			rep := Bundle(raw, o)
			if !rep.OK || noted(rep, "validation[0].service") || detail(rep, "validation[1].service") != grade {
				t.Errorf("%v %s %+v: %s", o.Without, rep.Summary, rep.Failed(), detail(rep, "validation[1].service"))
			}
			for _, c := range rep.Checks {
				if q := c.Question(); q.ZH == "" || q.RU == "" {
					t.Errorf("%s has no words", c.ID)
				}
			}
		}
		if rep := Bundle(raw, noGOST()); !strings.Contains(detail(rep, "agreement.provider"), "did:web:ttp.example#national") {
			t.Error(detail(rep, "agreement.provider"))
		}
	}
}

func TestAServiceThatDoesNotSpeakForTheSideFailsTheBundle(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*served)
		file   func(*File)
		opts   func(*served, *Options)
	}{
		{what: "a service that the side's document does not name", change: func(s *served) { s.named = "did:web:other.example" }},
		{what: "a service of another country, by the compact", change: func(s *served) {
			s.anchored(t, map[string][]string{"CN": {"did:web:ttp.cn.example"}, "KZ": {"did:web:ttp.example"}})
		}},
		{what: "another service than the compact names", change: func(s *served) { s.anchored(t, map[string][]string{"CN": {"did:web:ttp.cn.example"}}) }},
		{what: "the side that relies on it", change: func(s *served) { s.trust, s.named = newParty(t, "kz.example", P256), "did:web:kz.example" }},
		{what: "a key that is not in the document", change: func(s *served) {}, file: func(f *File) {
			f.Keys[2].Document = json.RawMessage(strings.ReplaceAll(string(f.Keys[2].Document), "#national", "#another"))
		}},
		{what: "another key under the same name", change: func(s *served) {}, file: func(f *File) {
			other := newParty(t, "ttp.example", P256)
			f.Keys[2].Document = other.document()
		}},
		{what: "a key that the document does not list for assertions", change: func(s *served) { s.listed = []string{} }},
		{what: "a key that had expired", change: func(s *served) { s.method["expires"] = "2026-11-24T05:09:00Z" }},
		{what: "a key that was revoked before", change: func(s *served) { s.method["revoked"] = "2026-11-23T00:00:00Z" }},
		{what: "a key whose end cannot be read", change: func(s *served) { s.method["expires"] = "soon" }},
		{what: "no document of the service", change: func(s *served) {}, file: func(f *File) { f.Keys = f.Keys[:2] }},
		{what: "the document of another", change: func(s *served) {}, file: func(f *File) { f.Keys[2].Document = f.Keys[1].Document }},
		{what: "a statement that was moved to another agreement", change: func(s *served) { s.agreement.Body.ID = "urn:uuid:other" }, file: func(f *File) {
			f.Validations[1].Statement.Agreement = "urn:uuid:agreement"
		}},
		{what: "a document that the reader knows without that key", change: func(s *served) {}, opts: func(s *served, o *Options) {
			o.Documents = map[string][]byte{s.trust.did: newParty(t, "ttp.example", P256).document()}
		}},
		{what: "a document that the reader knows with an end of that key", change: func(s *served) {}, opts: func(s *served, o *Options) {
			s.method["expires"] = "2026-11-24T05:09:00Z"
			o.Documents = map[string][]byte{s.trust.did: s.serviceDocument()}
		}},
		{what: "a document of the side that the reader knows without the service", change: func(s *served) {}, opts: func(s *served, o *Options) {
			s.named = "did:web:other.example"
			o.Documents = map[string][]byte{s.ru.did: s.sideDocument()}
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newServed(t)
			c.change(s)
			if c.file == nil {
				c.file = func(*File) {}
			}
			raw := s.bytes(t, c.file)
			for _, o := range []Options{{}, noGOST()} {
				if c.opts != nil {
					c.opts(s, &o)
				}
				rep := Bundle(raw, o)
				if rep.OK || !slices.ContainsFunc(failing(rep), func(id string) bool { return id == "validation[0]" || id == "validation[1]" }) {
					t.Errorf("%v: %s %v", o.Without, rep.Summary, failing(rep))
				}
			}
		})
	}
}

// A key that ends later was good when it signed.
func TestAKeyThatEndsLaterWasGood(t *testing.T) {
	s := newServed(t)
	s.method["expires"], s.method["revoked"] = "2026-11-24T05:09:01Z", "2026-12-01T00:00:00Z"
	if rep := Bundle(s.bytes(t), noGOST()); !rep.OK {
		t.Error(rep.Summary, rep.Failed())
	}
}

func TestACompactNamesServicesThatVouchForOneCountry(t *testing.T) {
	for name, c := range map[string]struct {
		services map[string][]string
		good     bool
	}{
		"each its own":            {map[string][]string{"CN": {"did:web:a.example"}, "KZ": {"did:web:b.example:trust"}}, true},
		"one for both":            {map[string][]string{"CN": {"did:web:a.example"}, "KZ": {"did:web:a.example"}}, false},
		"one that is named twice": {map[string][]string{"CN": {"did:web:a.example", "did:web:a.example"}}, false},
		"a key, not a service":    {map[string][]string{"CN": {"did:web:a.example#k"}}, false},
		"an address":              {map[string][]string{"CN": {"https://a.example"}}, false},
	} {
		r := newRuled(t)
		for i, m := range r.compact.Members {
			r.compact.Members[i].TrustServices = c.services[m.Jurisdiction]
		}
		if err := r.compact.Check(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAServiceInTheHouseOfAPartyIsNobodyElse(t *testing.T) {
	for service, home := range map[string]bool{
		"did:web:gateway.example:trust": true, "did:web:GATEWAY.example": true, "did:web:kz.example%3A8443:ttp": true,
		"did:web:ttp.example": false, "did:web:gateway.example%3A8443:trust": false, "did:web:example:gateway": false,
	} {
		if got := atHomeOf(service, "did:web:gateway.example:a", "did:web:kz.example%3A8443"); got != home {
			t.Errorf("%s: %t", service, got)
		}
	}
}
