package verify

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"corridor"
)

// The types of the service entries by which a DID document says how
// signatures cross between suites. The endpoint of the first is the DID URL of
// a key of its owner's trust service; that of the second is the DID with the
// query verifies=SUITE,SUITE: the suites whose signatures its owner verifies.
const (
	ValidationService = "ValidationService"
	SuitesService     = "SignatureSuites"
)

// Validators gives the keys of a side's trust service, as its DID document
// names them. A key that the document allows for anything else is none: what
// vouches for a signature does not sign statements or tokens as well.
func Validators(did string, raw []byte) ([]Key, error) {
	var d struct {
		document
		Authentication []json.RawMessage `json:"authentication"`
		Invocation     []json.RawMessage `json:"capabilityInvocation"`
		Delegation     []json.RawMessage `json:"capabilityDelegation"`
		Agreement      []json.RawMessage `json:"keyAgreement"`
		Service        []json.RawMessage `json:"service"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, corridor.E(corridor.Invalid, "DID document of %s: %w", did, err)
	}
	if d.ID != did || did == "" {
		return nil, corridor.E(corridor.Invalid, "the DID document is of %q, not of %q", d.ID, did)
	}
	named := map[string]bool{}
	for _, s := range d.Service {
		var entry struct {
			Type     string `json:"type"`
			Endpoint string `json:"serviceEndpoint"`
		}
		if json.Unmarshal(s, &entry) == nil && entry.Type == ValidationService {
			named[absolute(did, entry.Endpoint)] = true
		}
	}
	for _, id := range keyNames(did, d.Authentication, d.Assertion, d.Invocation, d.Delegation, d.Agreement) {
		delete(named, id)
	}
	var keys []Key
	for _, m := range d.Methods {
		id := absolute(did, m.ID)
		if !named[id] || m.Controller != did || didOf(id) != did {
			continue
		}
		if k, err := ParseJWK(id, m.JWK); err == nil {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// keyNames lists the keys of relationships, named there or given in full.
func keyNames(did string, lists ...[]json.RawMessage) []string {
	var names []string
	for _, raw := range slices.Concat(lists...) {
		var id string
		var m method
		if json.Unmarshal(raw, &id) == nil {
			names = append(names, absolute(did, id))
		} else if json.Unmarshal(raw, &m) == nil {
			names = append(names, absolute(did, m.ID))
		}
	}
	return names
}

// KeyDigest names a public key by its content.
func KeyDigest(k Key) (string, error) {
	raw, err := corridor.Canonical(k.JWK)
	if err != nil {
		return "", err
	}
	return corridor.Digest(raw), nil
}

// National is a participant's signature on a text that the other side relies
// on: what a validation is about.
type National struct {
	Object    string // corridor.ObjectDecision or corridor.ObjectAgreement
	Agreement string // its id; empty for a decision
	Signer    string // DID
	For       string // DID of the side that relies on it
	Text      []byte // canonical
	Signature corridor.Signature
	Key       Key // of the signature, from the signer's DID document
}

// Named says why the signature does not name the key that it is held against,
// or nil. It must hold before a validation counts: a signature that claims a
// suite in which it need not be verified is none.
func (n National) Named() error {
	if n.Signature.Key != n.Key.ID || n.Signature.Suite != n.Key.Suite || n.Key.Suite == "" {
		return mismatch("the signature names key %q of suite %q, not %q of suite %q", clip(n.Signature.Key), clip(n.Signature.Suite), clip(n.Key.ID), n.Key.Suite)
	}
	return nil
}

// Statement is what a trust service that has found the signature valid states.
func (n National) Statement(service string, at, until time.Time) (corridor.Validation, error) {
	digest, err := KeyDigest(n.Key)
	if err != nil {
		return corridor.Validation{}, err
	}
	return corridor.Validation{Version: 1, Type: corridor.ValidationType, Issuer: n.Signer, Service: service, For: n.For, Object: n.Object, Agreement: n.Agreement,
		Text: corridor.Digest(n.Text), Key: n.Key.ID, KeyDigest: digest, KeyState: corridor.KeyInForce, Suite: n.Key.Suite,
		Signature: corridor.Digest([]byte(n.Signature.Value)), Result: corridor.ResultValid,
		Time: at.UTC().Format(time.RFC3339), Until: until.UTC().Format(time.RFC3339)}, nil
}

// CheckValidation says why a validation does not speak for this signature, or
// nil: it must be about it in every member, and signed by one of the keys of
// the signer's trust service (Validators, or ServiceKeys of a service that speaks
// for it) in a suite that is verified here. Without names
// the suites that are not. Whether it came in time is the caller's to ask.
func (n National) CheckValidation(v corridor.SignedValidation, validators []Key, without []string) error {
	if err := n.Named(); err != nil {
		return err
	}
	if err := n.means(v.Statement); err != nil {
		return err
	}
	i := slices.IndexFunc(validators, func(k Key) bool { return k.ID == v.Signature.Key })
	switch {
	case i < 0:
		return mismatch("the validation is signed by %q, which is no key of the trust service of %q", clip(v.Signature.Key), clip(n.Signer))
	case validators[i].Equal(n.Key):
		return mismatch("the validation is signed by the very key that it speaks for")
	case slices.Contains(without, validators[i].Suite):
		return mismatch("the validation is signed in %s, which is not verified here either", validators[i].Suite)
	}
	raw, err := corridor.Canonical(v.Statement)
	if err != nil {
		return err
	}
	if err := validators[i].VerifySignature(raw, v.Signature); err != nil {
		return fmt.Errorf("the trust service's signature: %w", err)
	}
	return nil
}

// means compares what a validation says with what it must be about.
func (n National) means(v corridor.Validation) error {
	if v.Version != 1 {
		return mismatch("validation version %d is not known, want 1", v.Version)
	}
	key, err := KeyDigest(n.Key)
	if err != nil {
		return err
	}
	for _, f := range []struct{ name, got, want string }{
		{"type", v.Type, corridor.ValidationType}, {"issuer", v.Issuer, n.Signer}, {"for", v.For, n.For},
		{"object", v.Object, n.Object}, {"agreement", v.Agreement, n.Agreement}, {"text", v.Text, corridor.Digest(n.Text)},
		{"key", v.Key, n.Key.ID}, {"key_digest", v.KeyDigest, key}, {"key_state", v.KeyState, corridor.KeyInForce},
		{"suite", v.Suite, n.Key.Suite}, {"signature", v.Signature, corridor.Digest([]byte(n.Signature.Value))}, {"result", v.Result, corridor.ResultValid},
	} {
		if f.got != f.want {
			return mismatch("the validation says %s %q where %q belongs", f.name, clip(f.got), clip(f.want))
		}
	}
	_, _, err = ValidationTime(v)
	return err
}

// ValidationTime gives the time of a validation, and by when it must be taken.
func ValidationTime(v corridor.Validation) (at, until time.Time, err error) {
	if at, err = utc(v.Time); err == nil {
		until, err = utc(v.Until)
	}
	switch {
	case err != nil:
		return at, until, mismatch("the validation: %v", err)
	case until.Before(at):
		return at, until, mismatch("the validation ends before it begins")
	case until.Sub(at) > corridor.MaxValidationLife:
		return at, until, mismatch("the validation may be taken for %s; at most %s is allowed", until.Sub(at), corridor.MaxValidationLife)
	}
	return at, until, nil
}

// skips says whether signatures of a suite are not verified here.
func (c *checker) skips(suite string) bool { return slices.Contains(c.opts.Without, suite) }

// suites says at the top of the report what is not verified.
func (c *checker) suites() {
	const what = "Which suites are verified here"
	for _, name := range c.opts.Without {
		if _, known := suiteNamed(name); !known {
			c.rep.fail("trust.suites", what, mismatch("%q is not a suite", clip(name)), "what is left out must be meant", "see docs/keys.md for their names")
			return
		}
	}
	if len(c.opts.Without) > 0 {
		c.rep.note("trust.suites", what, fmt.Sprintf("all but %v, as you asked", c.opts.Without), "check the bundle again where these suites are verified")
	}
}

// known is how a participant's signature is known.
type known struct {
	detail string
	note   bool // not verified here
}

// national verifies a participant's signature, or finds the validation that
// speaks for it where its suite is not verified here.
func (c *checker) national(n National) (known, error) {
	var err error
	if n.Key, err = c.keyOf(n.Signer, n.Signature); err != nil {
		return known{}, err
	}
	c.nationals = append(c.nationals, n)
	who := clip(n.Signer) + ": national signature in " + n.Key.Suite
	if !c.skips(n.Key.Suite) {
		return known{detail: who + ", verified here"}, n.Key.VerifySignature(n.Text, n.Signature)
	}
	err = mismatch("it is in %s, which is not verified here, and no validation speaks for it", n.Key.Suite)
	for _, v := range c.file.Validations {
		if v.Statement.Object != n.Object || v.Statement.Text != corridor.Digest(n.Text) || v.Statement.Issuer != n.Signer {
			continue
		}
		if _, wrong := c.vouched(n, v); wrong != nil {
			err = wrong
			continue
		}
		return known{note: true, detail: fmt.Sprintf("%s, not verified here; validated by %s at %s (receipt in %s, verified)", who, serviceOf(v), clip(v.Statement.Time), v.Signature.Suite)}, nil
	}
	return known{}, err
}

// serviceOf names a trust service for people.
func serviceOf(v corridor.SignedValidation) string {
	if v.Statement.Service == "" {
		return clip(v.Signature.Key)
	}
	return fmt.Sprintf("%s (%s)", clip(v.Statement.Service), clip(v.Signature.Key))
}

// signature reports on a participant's signature. Bundles in which nothing is
// validated and nothing left out say no more than who signed.
func (c *checker) signature(id, what, plain, why string, k known, err error) {
	detail := plain
	if len(c.file.Validations) > 0 || len(c.opts.Without) > 0 {
		detail = k.detail
	}
	if err == nil && k.note {
		c.rep.note(id, what, detail, "verify it where this suite is verified")
		return
	}
	c.rep.expect(id, what, err, detail, why, "")
}

// byLog: an entry whose signature is in a suite that is not verified here is
// its issuer's if that one's log holds it, whose key signs in Ed25519. That the
// log is the issuer's must rest on more than the bundle's word: the agreement
// names it, or the policy that the reader brought, which says whose a log is by
// its origin alone.
func (c *checker) byLog() {
	for i := range c.list {
		r := &c.list[i]
		if !r.byLog {
			continue
		}
		issuer, log := r.leaf.Receipt.Issuer, c.logs[r.Log]
		agreed := c.agreed != nil && c.agreed.Body.Logs[issuer] == corridor.LogRef{Origin: log.Origin, VKey: log.VKey}
		given := c.opts.Policy != nil && ownOrigin(issuer, log.Origin) && slices.ContainsFunc(c.policy.Logs, func(l PolicyLog) bool { return l.VKey == log.VKey })
		id, what, suite := fmt.Sprintf("receipt[%d].signature", i), "The issuer's signature on "+r.name, clip(r.leaf.Signature.Suite)
		if log.VKey == "" || log.DID != issuer || !agreed && !given {
			c.rep.fail(id, what, mismatch("it is in %s, which is not verified here, and neither an agreement nor your policy names the log of %q", suite, clip(issuer)),
				"it shows who makes the statement", "export the agreement with it, give a policy with the line of a log at the address of that participant's DID, or verify where this suite is verified")
			continue
		}
		c.rep.note(id, what, suite+", not verified here; the entry stands in its issuer's log, which signs in Ed25519", "verify it where this suite is verified")
	}
}

// ownOrigin says whether a log's origin is directly under the address that a
// did:web names: whoever is listed in a policy with a log of its own could
// otherwise be taken for another.
func ownOrigin(did, origin string) bool {
	name, web := strings.CutPrefix(did, "did:web:")
	if !web || name == "" {
		return false
	}
	parts := strings.Split(name, ":")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil || text == "" || strings.Contains(text, "/") {
			return false
		}
		parts[i] = text
	}
	rest, under := strings.CutPrefix(origin, strings.Join(parts, "/")+"/")
	return under && rest != "" && !strings.Contains(rest, "/")
}

// validations checks every validation of the file, also those of signatures
// that are verified here: what is false in one part of a bundle makes all of it
// worth nothing.
func (c *checker) validations() {
	for i, v := range c.file.Validations {
		id, s := fmt.Sprintf("validation[%d]", i), v.Statement
		what := fmt.Sprintf("The trust service of %s states that its signature of the %s was valid", clip(s.Issuer), clip(s.Object))
		detail := fmt.Sprintf("%s at %s by %s (receipt in %s)", clip(s.Suite), clip(s.Time), serviceOf(v), clip(v.Signature.Suite))
		k := slices.IndexFunc(c.nationals, func(n National) bool {
			return n.Signer == s.Issuer && n.Object == s.Object && corridor.Digest(n.Text) == s.Text
		})
		var err error
		grade := ""
		switch {
		case k < 0:
			err = mismatch("the bundle holds no such signature")
		case c.skipsValidator(v):
			if err = c.nationals[k].means(s); err == nil {
				c.rep.note(id, what, detail+", which is not verified here", "verify it where this suite is verified")
				continue
			}
		default:
			grade, err = c.vouched(c.nationals[k], v)
		}
		c.rep.expect(id, what, err, detail, "a side that does not verify the suite of the signature relies on it", "ask the exporter for the file again, unchanged")
		if err == nil {
			c.graded(id, grade)
			c.taken(id, v)
		}
	}
}

func (c *checker) skipsValidator(v corridor.SignedValidation) bool {
	keys, _, err := c.vouchers(v)
	return err == nil && slices.ContainsFunc(keys, func(k Key) bool { return k.ID == v.Signature.Key && c.skips(k.Suite) })
}

// taken: who relies on a validation has logged it, in time.
func (c *checker) taken(id string, v corridor.SignedValidation) {
	const what = "Whom it is for has taken it in time, and logged that"
	digest, err := v.Digest()
	at, until, timeErr := ValidationTime(v.Statement)
	err = firstOf(err, timeErr)
	found := false
	for _, r := range c.list {
		in := r.leaf.Receipt
		if in.Type != corridor.ReceiptValidation || in.Issuer != v.Statement.For || in.Digests[corridor.DigestValidation] != digest {
			continue
		}
		found = true
		if t, bad := utc(in.Time); bad != nil || t.Before(at.Add(-slack)) || t.After(until.Add(slack)) {
			err = mismatch("%s took it at %s; it is of %s and had to be taken by %s", r.name, clip(in.Time), clip(v.Statement.Time), clip(v.Statement.Until))
		}
	}
	if err == nil && !found {
		c.rep.note(id+".taken", what, "there is no such receipt by "+clip(v.Statement.For), "ask that side for its receipt")
		return
	}
	c.rep.expect(id+".taken", what, err, clip(v.Statement.For), "one that is taken late may speak of a key that was withdrawn meanwhile", "")
}
