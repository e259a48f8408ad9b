package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/verify"
)

// A side signs in the suite that its own law wants, and the other side may not
// verify that suite. Before anything is signed both compare what they sign in
// and what they verify. Where that does not meet, the side's trust service
// states beside each signature that it is valid, in a suite that the other side
// does verify; where even that does not meet, there is no negotiation.
//
// What is said here of decisions and agreements does not hold for tokens and
// logs, which are P-256 and Ed25519 for everybody.

const (
	// validationLife is how long a validation may be on its way: as long as a
	// message is repeated.
	validationLife = 24 * time.Hour
	// validationSlack is how far two honest clocks may be apart.
	validationSlack = 5 * time.Minute
	// maxValidations bounds those of one message: of an agreement and of the
	// decision in it.
	maxValidations = 4
)

// speaker is a side as far as its signatures go.
type speaker struct {
	did      string
	signs    []string // suites of its national keys
	verifies []string
	trust    []string // suites of its trust service
}

// reaches says whether another side comes to know that a signature is good.
func (a speaker) reaches(b speaker) bool {
	verified := func(suite string) bool { return slices.Contains(b.verifies, suite) }
	return slices.ContainsFunc(a.signs, verified) || slices.ContainsFunc(a.trust, verified)
}

func (a speaker) String() string {
	list := func(suites []string) string {
		if len(suites) == 0 {
			return "nothing"
		}
		return strings.Join(suites, ", ")
	}
	trust := "has no trust service"
	if len(a.trust) > 0 {
		trust = "has a trust service that signs in " + list(a.trust)
	}
	return fmt.Sprintf("%s signs in %s, verifies %s and %s", clip(a.did), list(a.signs), list(a.verifies), trust)
}

func (s *Service) itself() speaker {
	self := speaker{did: s.cfg.Self.DID, signs: []string{s.cfg.Signer.Suite()}, verifies: s.cfg.Verifies}
	if self.verifies == nil {
		self.verifies = verify.Suites()
	}
	if s.cfg.Trust != nil {
		self.trust = []string{s.cfg.Trust.Suite()}
	}
	return self
}

func speakerOf(doc *identity.Document) (speaker, error) {
	keys, err := doc.Validators()
	if err != nil {
		return speaker{}, err
	}
	other := speaker{did: doc.ID, signs: doc.AssertionSuites(), verifies: doc.Verifies()}
	for _, k := range keys {
		other.trust = append(other.trust, k.Suite)
	}
	return other, nil
}

// maxServices bounds the trust services of a peer that are asked for.
const maxServices = 4

// serviceSuites lists in which suites the trust services of a peer, under DIDs
// of their own, state. One that cannot be read now states nothing now.
func (s *Service) serviceSuites(ctx context.Context, doc *identity.Document) (suites []string, err error) {
	services, err := doc.TrustServices()
	if err != nil {
		return nil, err
	}
	var missing []error
	for _, service := range services[:min(len(services), maxServices)] {
		theirs, err := s.cfg.Resolver.Resolve(ctx, service)
		if err == nil {
			var keys []verify.Key
			if keys, err = theirs.ServiceKeys(s.now()); err == nil {
				for _, k := range keys {
					suites = append(suites, k.Suite)
				}
				continue
			}
		}
		missing = append(missing, fmt.Errorf("the trust service of %s: %w", clip(doc.ID), err))
	}
	if len(suites) == 0 {
		return nil, errors.Join(missing...)
	}
	return suites, nil
}

// vouchers gives the keys that may state for a side what a validation states.
// Where compacts name the trust services of its country, no other counts.
func (s *Service) vouchers(ctx context.Context, side string, v corridor.SignedValidation) ([]verify.Key, error) {
	country := s.cfg.Self.Jurisdiction
	if side != s.cfg.Self.DID {
		known, err := s.cfg.Directory.Lookup(ctx, side)
		if err != nil {
			return nil, err
		}
		country = known.Jurisdiction
	}
	service, _, err := identity.SplitKeyID(v.Signature.Key)
	if err != nil {
		return nil, err
	}
	if service == v.Statement.For {
		return nil, corridor.E(corridor.Forbidden, "the validation is by %s, for which it is", clip(service))
	}
	var taken []string
	for _, c := range s.trust.Load().compacts {
		m, member := c.Member(country)
		if !member || len(m.TrustServices) == 0 {
			continue
		}
		if taken = m.TrustServices; !slices.Contains(taken, service) {
			return nil, &corridor.Error{Kind: corridor.Forbidden, Where: c.Name(), Msg: fmt.Sprintf("the validation is by %s, and the trust services of %s are %s", clip(service), country, strings.Join(taken, ", ")),
				Fix: "let one of them state it: trust_did"}
		}
	}
	return s.cfg.Resolver.Vouchers(ctx, side, v, taken...)
}

// compareSuites refuses a negotiation in which one side would hold signatures
// that it cannot check, and that nobody vouches for. It signs nothing.
func (s *Service) compareSuites(ctx context.Context, peer identity.Peer) error {
	if peer.Plain != nil { // signs nothing, and is sent nothing signed
		return nil
	}
	doc, err := s.cfg.Resolver.Resolve(ctx, peer.DID)
	if err != nil {
		return err
	}
	if s.mismatch(ctx, doc) == nil {
		return nil
	}
	if doc, err = s.cfg.Resolver.Renewed(ctx, peer.DID); err != nil { // its operator may have mended it meanwhile
		return err
	}
	return s.mismatch(ctx, doc)
}

// mismatch says why a signature of one side would mean nothing to the other.
func (s *Service) mismatch(ctx context.Context, doc *identity.Document) error {
	other, err := speakerOf(doc)
	if err != nil {
		return err
	}
	self := s.itself()
	if !other.reaches(self) { // only then does it matter who vouches for it
		more, err := s.serviceSuites(ctx, doc)
		if err != nil {
			return err
		}
		other.trust = append(other.trust, more...)
	}
	for _, d := range []struct{ from, to speaker }{{self, other}, {other, self}} {
		if !d.from.reaches(d.to) {
			return &corridor.Error{Kind: corridor.Invalid, Where: "signature suites", Msg: fmt.Sprintf("%s could not verify what %s signs: %s; %s", clip(d.to.did), clip(d.from.did), self, other),
				Why: "each side must hold evidence that it can check itself", Fix: fmt.Sprintf("let %s set trust_suite to one of %s, or let %s verify %s (docs/keys.md, validation receipts)",
					clip(d.from.did), strings.Join(d.to.verifies, ", "), clip(d.to.did), strings.Join(d.from.signs, " or "))}
		}
	}
	return nil
}

// relies says whether this node verifies signatures of a suite.
func (s *Service) relies(suite string) bool {
	return s.cfg.Verifies == nil || slices.Contains(s.cfg.Verifies, suite)
}

// unverified lists the suites that this node knows and does not verify.
func (s *Service) unverified() []string {
	return slices.DeleteFunc(verify.Suites(), s.relies)
}

// validate lets our trust service state that a signature of ours is valid, where
// the peer does not verify its suite. It gives nil where it does.
func (s *Service) validate(ctx context.Context, n *Negotiation, object, agreement string, text []byte, sig corridor.Signature, st *step) (*corridor.SignedValidation, error) {
	if n.Plain {
		return nil, nil
	}
	doc, err := s.cfg.Resolver.Resolve(ctx, n.Peer)
	if err != nil {
		return nil, err
	}
	verified := doc.Verifies()
	if slices.Contains(verified, sig.Suite) {
		return nil, nil
	}
	if s.cfg.Trust == nil {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "signature suites", Msg: fmt.Sprintf("%s does not verify %s, and this side has no trust service", clip(n.Peer), sig.Suite),
			Fix: "set trust_suite to one of " + strings.Join(verified, ", ")}
	}
	signed := verify.National{Object: object, Agreement: agreement, Signer: s.cfg.Self.DID, For: n.Peer, Text: text, Signature: sig}
	if signed.Key, err = s.cfg.Resolver.Key(ctx, sig.Key, identity.AssertionMethod); err != nil { // as published now
		return nil, fmt.Errorf("the trust service: %w", err)
	}
	if err := signed.Key.VerifySignature(text, sig); err != nil {
		return nil, fmt.Errorf("the trust service: %w", err)
	}
	now := s.now().UTC().Truncate(time.Second)
	statement, err := signed.Statement(s.cfg.TrustName, now, now.Add(validationLife))
	if err != nil {
		return nil, err
	}
	v, err := identity.Vouch(ctx, s.cfg.Trust, signed, statement)
	if err != nil {
		return nil, fmt.Errorf("the trust service: %w", err)
	}
	validators, err := s.vouchers(ctx, s.cfg.Self.DID, v)
	if err == nil { // as the peer will look at it
		err = signed.CheckValidation(v, validators, slices.DeleteFunc(verify.Suites(), func(suite string) bool { return slices.Contains(verified, suite) }))
	}
	if err != nil {
		return nil, fmt.Errorf("the trust service: %w", err)
	}
	return &v, st.logValidation(v, "stated")
}

// validateDecision is validate for our own decision in a negotiation.
func (s *Service) validateDecision(ctx context.Context, n *Negotiation, st *step) (err error) {
	n.Own.Validation, err = s.validate(ctx, n, corridor.ObjectDecision, "", n.Own.Signed.Statement, n.Own.Signed.Signature, st)
	return err
}

// validateAgreement is validate for our own signature of an agreement, which is the
// last one.
func (s *Service) validateAgreement(ctx context.Context, n *Negotiation, a *Agreement, st *step) (*corridor.SignedValidation, error) {
	body, sigs, err := bodyOf(a.Signed)
	if err != nil {
		return nil, err
	}
	return s.validate(ctx, n, corridor.ObjectAgreement, a.ID, body, sigs[len(sigs)-1], st)
}

// logValidation puts into the step that a validation was stated, or taken.
func (st *step) logValidation(v corridor.SignedValidation, how string) error {
	digest, err := v.Digest()
	if err != nil {
		return err
	}
	in := v.Statement
	st.receipts = append(st.receipts, receipt{body: corridor.Receipt{Type: corridor.ReceiptValidation, Agreement: in.Agreement, State: how, PeerRefs: st.heard,
		Reason:  fmt.Sprintf("the %s signature of the %s by %s, in %s", in.Suite, in.Object, in.Issuer, v.Signature.Suite),
		Digests: map[string]string{corridor.DigestValidation: digest, in.Object: in.Text}}})
	return nil
}

// validated checks, for a signature whose suite is not verified here, that the
// signer's trust service vouches for it. What is missing, about something else,
// late, or by somebody else refuses.
func (s *Service) validated(ctx context.Context, signed verify.National, heard []corridor.SignedValidation) (*corridor.SignedValidation, error) {
	if err := signed.Named(); err != nil {
		return nil, err
	}
	var err error = &corridor.Error{Kind: corridor.Invalid, Where: "corridor:validations", Msg: fmt.Sprintf("the signature is in %s, which this side does not verify, and no validation of it is brought", signed.Key.Suite),
		Why: "each side must hold evidence that it can check itself", Fix: "let the trust service of " + clip(signed.Signer) + " state that the signature is valid, in one of " + strings.Join(s.itself().verifies, ", ")}
	for _, v := range heard {
		if v.Statement.Object != signed.Object || v.Statement.Text != corridor.Digest(signed.Text) {
			continue
		}
		validators, wrong := s.vouchers(ctx, signed.Signer, v)
		if wrong == nil {
			wrong = signed.CheckValidation(v, validators, s.unverified())
		}
		if wrong == nil {
			wrong = s.inTime(v)
		}
		if wrong == nil {
			return &v, nil
		}
		err = fmt.Errorf("corridor:validations: %w", wrong)
	}
	return nil, err
}

// inTime refuses a validation that is not of now.
func (s *Service) inTime(v corridor.SignedValidation) error {
	at, until, err := verify.ValidationTime(v.Statement)
	if err != nil {
		return err
	}
	if now := s.now(); now.Before(at.Add(-validationSlack)) || now.After(until.Add(validationSlack)) {
		return &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("the validation is of %s and could be taken until %s; it is %s here", v.Statement.Time, v.Statement.Until, dsp.FormatTime(now)),
			Why: "the key may have been withdrawn meanwhile", Fix: "state it anew, and set the clock"}
	}
	return nil
}

// heardValidations reads those that a peer's message brings.
func heardValidations(ext dsp.Extensions) ([]corridor.SignedValidation, error) {
	if len(ext.Validations) == 0 {
		return nil, nil
	}
	list, err := corridor.DecodeValidations(ext.Validations, maxValidations)
	if err != nil {
		return nil, fmt.Errorf("corridor:validations: %w", err)
	}
	return list, nil
}

// validations lists those that are there.
func validations(list ...*corridor.SignedValidation) []corridor.SignedValidation {
	var out []corridor.SignedValidation
	for _, v := range list {
		if v != nil {
			out = append(out, *v)
		}
	}
	return out
}

// sayValidations writes validations into a message; none leaves no trace.
func sayValidations(into *json.RawMessage, list ...*corridor.SignedValidation) (err error) {
	if have := validations(list...); len(have) > 0 {
		*into, err = corridor.Canonical(have)
	}
	return err
}
