package exchange_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/verify"
)

// apart is a pair of which the one in Kazakhstan does not verify GOST, in which
// the other signs.
func apart(t *testing.T, change func(gost, kz *node)) (gost, kz *node) {
	t.Helper()
	gost, kz = newNode(t, "cn", "CN", verify.GOST256), newNode(t, "kz", "KZ", verify.P256)
	kz.verifies = []string{verify.Ed25519, verify.P256}
	introduce(t, gost, kz)
	change(gost, kz)
	for _, n := range []*node{gost, kz} {
		n.start()
		t.Cleanup(func() { n.stop() })
	}
	return gost, kz
}

func noted(rep *verify.Report, id, part string) bool {
	return slices.ContainsFunc(rep.Checks, func(c verify.Check) bool { return c.ID == id && c.OK && c.Note && strings.Contains(c.Detail, part) })
}

// Where a compact names the trust services of a country, what another states
// for its participants is not stated, or not taken, whoever holds the compact.
func TestWhereACompactNamesTheTrustServicesNoOtherCounts(t *testing.T) {
	for i, holder := range []string{"the signer", "who relies on it"} {
		gost, kz := apart(t, func(gost, _ *node) { gost.trust = verify.Ed25519 })
		cnBody, kzBody := authority(t, "CN", "SM2"), authority(t, "KZ", "Ed25519")
		cnBody.is.TrustServices = []string{"did:web:ttp.example"}
		[]*node{gost, kz}[i].adopt(treaty(t, nil, cnBody, kzBody))
		gost.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
		n := kz.until(kz.ask(gost, "shipments", "trade_logistics"), ended)
		if n.State != dsp.Terminated {
			t.Errorf("%s holds the compact: %s", holder, n.State)
		}
		refused(t, n.Reason, []string{"the trust services of CN are did:web:ttp.example"})
	}
}

// A side that does not verify GOST agrees, receives, and holds a bundle that it
// can check, whichever end of the flow it is.
func TestASideThatDoesNotVerifyGOSTHoldsEvidenceThatItCanCheck(t *testing.T) {
	for _, exporter := range []string{"gost", "kz"} {
		t.Run(exporter+" exports", func(t *testing.T) {
			gost, kz := apart(t, func(gost, _ *node) { gost.trust = verify.Ed25519 })
			from, to, signed := gost, kz, "agreement.provider"
			if exporter == "kz" {
				from, to, signed = kz, gost, "agreement.consumer"
			}
			from.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
			n := to.until(to.ask(from, "shipments", "trade_logistics"), ended)
			if n.State != dsp.Finalized {
				t.Fatalf("%s: %v", n.State, n.Reason)
			}
			tr, err := to.x.Transfer(within(t, 20*time.Second), n.Agreement)
			if err != nil {
				t.Fatal(err)
			}
			if tr = to.untilTransfer(tr.PID, over); tr.State != dsp.Completed {
				t.Fatalf("%s %v", tr.State, tr.Reason)
			}
			without := verify.Options{Without: []string{verify.SM2, verify.GOST256, verify.GOST512, verify.MLDSA44}}
			for _, side := range []*node{gost, kz} {
				raw, err := side.x.Bundle(within(t, 20*time.Second), n.Agreement)
				if err != nil {
					t.Fatal(err)
				}
				if rep := verify.Bundle(raw, verify.Options{}); !rep.OK {
					t.Error(side.name, rep.Summary, rep.Failed())
				}
				rep := verify.Bundle(raw, without)
				if !rep.OK || !noted(rep, signed, "not verified here; validated by Trust service of cn") || !strings.Contains(rep.Summary, "receipt in Ed25519, verified") {
					t.Error(side.name, rep.Summary, rep.Failed())
				}
				for _, id := range []string{"validation[0]", "validation[0].taken", "validation[1]", "validation[1].taken"} {
					if !slices.ContainsFunc(rep.Checks, func(c verify.Check) bool { return c.ID == id && c.OK && !c.Note }) {
						t.Errorf("%s: %s does not hold", side.name, id)
					}
				}
				if rep := verify.Bundle(stripped(t, raw), without); rep.OK || !slices.ContainsFunc(rep.Failed(), func(c verify.Check) bool { return c.ID == signed }) {
					t.Error(side.name, "without the validations it verifies too:", rep.Summary)
				}
			}
		})
	}
}

// stripped is a bundle without its validations.
func stripped(t *testing.T, raw []byte) []byte {
	t.Helper()
	f, err := verify.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	f.Validations = nil
	if raw, err = f.Encode(); err != nil {
		t.Fatal(err)
	}
	return raw
}

// Where the peer verifies the suite, nothing is stated and nothing is added,
// trust service or not.
func TestWhereTheSuiteIsVerifiedNothingIsValidated(t *testing.T) {
	gost, kz := apart(t, func(gost, kz *node) { gost.trust, kz.verifies = verify.Ed25519, nil })
	gost.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	n := kz.until(kz.ask(gost, "shipments", "trade_logistics"), ended)
	for _, side := range []*node{gost, kz} {
		a, err := side.x.Agreement(within(t, 5*time.Second), n.Agreement)
		if err != nil || len(a.Validations) > 0 {
			t.Errorf("%s: %v, %d validations", side.name, err, len(a.Validations))
		}
	}
}

// Without a suite in common the negotiation is refused on both ends, with what
// each side signs and verifies, and before anybody has signed anything.
func TestWithoutACommonSuiteNothingIsSigned(t *testing.T) {
	gost, kz := apart(t, func(*node, *node) {})
	for _, c := range []struct{ from, to *node }{{gost, kz}, {kz, gost}} {
		c.from.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
		_, err := c.to.x.Negotiate(within(t, 10*time.Second), exchange.Request{Provider: c.from.who.DID, Dataset: "shipments", Purpose: "trade_logistics"})
		if err == nil {
			t.Fatal("accepted")
		}
		for _, want := range []string{"signs in GOST-2012-256", "verifies Ed25519, P-256 and has no trust service", "set trust_suite to one of Ed25519, P-256", "verify GOST-2012-256"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
		if _, err := c.from.x.OfferTo(within(t, 10*time.Second), c.to.who.DID, c.to.base(), "shipments"); err == nil || !strings.Contains(err.Error(), "set trust_suite") {
			t.Errorf("the offer: %v", err)
		}
		for _, kind := range c.to.logged() {
			if kind != corridor.ReceiptPacksInUse && kind != corridor.ReceiptDatasetPublished {
				t.Errorf("the log holds a receipt of type %s", kind)
			}
		}
		if list, _, err := c.to.x.Negotiations(within(t, 5*time.Second), exchange.Page{}); err != nil || len(list) > 0 {
			t.Errorf("%v: %d negotiations are on record", err, len(list))
		}
	}
}

// logged lists the types of the receipts in a node's log.
func (n *node) logged() (kinds []string) {
	n.t.Helper()
	st, err := n.x.Status(within(n.t, 5*time.Second))
	if err != nil {
		n.t.Fatal(err)
	}
	for i := range st.Log.Size {
		e, err := n.x.Logged(within(n.t, 5*time.Second), i)
		if err != nil {
			n.t.Fatal(err)
		}
		leaf, err := corridor.DecodeReceipt(e.Leaf)
		if err != nil {
			n.t.Fatal(err)
		}
		kinds = append(kinds, leaf.Receipt.Type)
	}
	return kinds
}

// vouching is a gateway that verifies P-256 and its own SM2, and a rogue that
// signs in Ed25519 and has a trust service.
func vouching(t *testing.T) (*node, *rogue) {
	t.Helper()
	n, r := withRogue(t, func(n *node) { n.verifies = []string{verify.SM2, verify.P256} })
	if err := r.keys.OpenTrust(filepath.Join(t.TempDir(), "keys"), verify.P256); err != nil {
		t.Fatal(err)
	}
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	return n, r
}

// vouched is what the rogue's trust service states, changed at will before it
// is signed, by a signer of choice.
func (r *rogue) vouched(n *node, about verify.National, by identity.Signer, change func(*corridor.Validation)) corridor.SignedValidation {
	r.t.Helper()
	about.Signer, about.For, about.Key = r.who.DID, n.who.DID, r.keys.National.Public()
	now := time.Now()
	st, err := about.Statement("rogue trust", now, now.Add(time.Hour))
	if err != nil {
		r.t.Fatal(err)
	}
	if change != nil {
		change(&st)
	}
	if by == nil {
		by = r.keys.Trust
	}
	sig, err := identity.SignObject(context.Background(), by, st)
	if err != nil {
		r.t.Fatal(err)
	}
	return corridor.SignedValidation{Statement: st, Signature: sig}
}

func canonical(t *testing.T, v any) json.RawMessage {
	t.Helper()
	raw, err := corridor.Canonical(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// decided is a request with its decision, read back.
func (r *rogue) decided(n *node, change ...func(*corridor.DecisionStatement)) (*dsp.ContractRequestMessage, verify.National) {
	r.t.Helper()
	m := r.request(n, "urn:uuid:"+rand.Text(), "shipments")
	m.Decision = r.decision(n.who.DID, r.who.DID, "shipments", change...)
	var d corridor.SignedDecision
	if err := json.Unmarshal(m.Decision, &d); err != nil {
		r.t.Fatal(err)
	}
	return m, verify.National{Object: corridor.ObjectDecision, Text: d.Statement, Signature: d.Signature}
}

// Each attack on a validation ends with the request refused, nothing on record,
// and the reason that it is refused for.
func TestAValidationThatDoesNotSpeakForTheSignatureIsRefused(t *testing.T) {
	n, r := vouching(t)
	stranger := newRogue(t, "KZ")
	if err := stranger.keys.OpenTrust(filepath.Join(t.TempDir(), "keys"), verify.P256); err != nil {
		t.Fatal(err)
	}
	_, earlier := r.decided(n, func(st *corridor.DecisionStatement) { st.Time = dsp.FormatTime(time.Now().Add(-time.Minute)) })
	hour := func(h int) string { return time.Now().Add(time.Duration(h) * time.Hour).UTC().Format(time.RFC3339) }
	says := func(change func(*corridor.Validation)) func(verify.National) any {
		return func(about verify.National) any {
			return []corridor.SignedValidation{r.vouched(n, about, nil, change)}
		}
	}
	by := func(s identity.Signer) func(verify.National) any {
		return func(about verify.National) any {
			return []corridor.SignedValidation{r.vouched(n, about, s, nil)}
		}
	}
	for sentence, c := range map[string]struct {
		bring func(verify.National) any
		want  string
	}{
		"none is brought":                               {func(verify.National) any { return nil }, "no validation of it is brought"},
		"it is of an earlier decision":                  {func(verify.National) any { return []corridor.SignedValidation{r.vouched(n, earlier, nil, nil)} }, "no validation of it is brought"},
		"it speaks of an agreement, not of a decision":  {says(func(v *corridor.Validation) { v.Object = corridor.ObjectAgreement }), "no validation of it is brought"},
		"it names an agreement that a decision has not": {says(func(v *corridor.Validation) { v.Agreement = "urn:uuid:a" }), `says agreement "urn:uuid:a"`},
		"it is for another side":                        {says(func(v *corridor.Validation) { v.For = "did:web:other.example" }), "says for"},
		"it is issued in another's name":                {says(func(v *corridor.Validation) { v.Issuer = stranger.who.DID }), "says issuer"},
		"it is of another signature of the same text":   {says(func(v *corridor.Validation) { v.Signature = corridor.Digest([]byte("x")) }), "says signature"},
		"it names another key":                          {says(func(v *corridor.Validation) { v.Key = r.keys.Token.KeyID() }), "says key "},
		"it is of another key under the same name":      {says(func(v *corridor.Validation) { v.KeyDigest = corridor.Digest([]byte("x")) }), "says key_digest"},
		"it calls the suite by another name":            {says(func(v *corridor.Validation) { v.Suite = verify.P256 }), "says suite"},
		"it says that the key was withdrawn":            {says(func(v *corridor.Validation) { v.KeyState = "withdrawn" }), "says key_state"},
		"it says that the signature is invalid":         {says(func(v *corridor.Validation) { v.Result = "invalid" }), "says result"},
		"it is no validation by its type":               {says(func(v *corridor.Validation) { v.Type = "corridor:order" }), "says type"},
		"it is of a version to come":                    {says(func(v *corridor.Validation) { v.Version = 2 }), "version 2 is not known"},
		"it is stale":                                   {says(func(v *corridor.Validation) { v.Time, v.Until = hour(-30), hour(-6) }), "could be taken until"},
		"it is of tomorrow":                             {says(func(v *corridor.Validation) { v.Time, v.Until = hour(24), hour(25) }), "could be taken until"},
		"it may be taken for ever":                      {says(func(v *corridor.Validation) { v.Until = hour(1000) }), "at most 48h"},
		"it ends before it begins":                      {says(func(v *corridor.Validation) { v.Until = hour(-1) }), "ends before it begins"},
		"its time is none":                              {says(func(v *corridor.Validation) { v.Time = "now" }), "not a time in UTC"},
		"the national key vouches for itself":           {by(r.keys.National), "no key of the trust service"},
		"the key of the tokens vouches":                 {by(r.keys.Token), "no key of the trust service"},
		"the key of the log vouches":                    {by(r.keys.Log), "no key of the trust service"},
		"another side's trust service vouches":          {by(stranger.keys.Trust), "no key of the trust service"},
		"it was changed after it was signed": {func(about verify.National) any {
			v := r.vouched(n, about, nil, nil)
			v.Statement.Service = "somebody else"
			return []corridor.SignedValidation{v}
		}, "does not match the text and the key"},
		"its signature names another suite than its key's": {func(about verify.National) any {
			v := r.vouched(n, about, nil, nil)
			v.Signature.Suite = verify.SM2
			return []corridor.SignedValidation{v}
		}, `of suite "SM2", not`},
		"it has a member that nobody knows": {func(about verify.National) any {
			return json.RawMessage(strings.Replace(string(canonical(t, []corridor.SignedValidation{r.vouched(n, about, nil, nil)})), `"object":`, `"note":"x","object":`, 1))
		}, "note"},
		"more are brought than belong": {func(about verify.National) any {
			return slices.Repeat([]corridor.SignedValidation{r.vouched(n, about, nil, nil)}, 5)
		}, "over the limit"},
		"what is brought is no list": {func(verify.National) any { return map[string]any{} }, "validations"},
	} {
		t.Run(sentence, func(t *testing.T) {
			m, about := r.decided(n)
			if brought := c.bring(about); brought != nil {
				m.Validations = canonical(t, brought)
			}
			if a := r.say(n, dsp.Provider, m); a.status/100 != 4 || !strings.Contains(a.reason(), c.want) {
				t.Errorf("%d %s, want %q", a.status, a.body, c.want)
			}
		})
	}
	if list, _, err := n.x.Negotiations(within(t, 5*time.Second), exchange.Page{}); err != nil || len(list) > 0 {
		t.Errorf("%v: %d negotiations are on record", err, len(list))
	}
	m, about := r.decided(n)
	m.Validations = canonical(t, says(nil)(about))
	r.opened(n, m) // and the good one is taken
}

// A signature cannot escape verification by claiming a suite that the node does
// not verify, nor claim one that it does.
func TestASignatureThatClaimsAnotherSuiteIsRefused(t *testing.T) {
	n, r := vouching(t)
	for _, claim := range []string{verify.P256, verify.SM2, verify.GOST256} {
		m, about := r.decided(n)
		var d corridor.SignedDecision
		if err := json.Unmarshal(m.Decision, &d); err != nil {
			t.Fatal(err)
		}
		d.Signature.Suite = claim
		m.Decision = canonical(t, d)
		about.Signature = d.Signature
		m.Validations = canonical(t, []corridor.SignedValidation{r.vouched(n, about, nil, func(v *corridor.Validation) { v.Suite = claim })})
		if a := r.say(n, dsp.Provider, m); a.status != http.StatusBadRequest || !strings.Contains(a.reason(), "names key") {
			t.Errorf("%s: %d %s", claim, a.status, a.body)
		}
	}
}

// A trust service whose key its owner also uses for something else is none, and
// without one there is no negotiation.
func TestAKeyThatSignsOtherThingsIsNoTrustService(t *testing.T) {
	n, r := withRogue(t, func(n *node) { n.verifies = []string{verify.SM2, verify.P256} })
	n.publish(exchange.Publication{ID: "shipments", Facts: plainFacts()})
	r.names = []identity.Service{{ID: r.who.DID + "#v", Type: verify.ValidationService, Endpoint: r.keys.Token.KeyID()}}
	m, about := r.decided(n)
	m.Validations = canonical(t, []corridor.SignedValidation{r.vouched(n, about, r.keys.Token, nil)})
	if a := r.say(n, dsp.Provider, m); a.status != http.StatusBadRequest || !strings.Contains(a.reason(), "could not verify") || !strings.Contains(a.reason(), "signs in Ed25519") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The consumer's signature of the agreement needs a validation of its own: none,
// that of its decision, or one of another agreement leaves the agreement open.
func TestAVerificationNeedsItsOwnValidation(t *testing.T) {
	n, r := vouching(t)
	m, about := r.decided(n)
	decided := r.vouched(n, about, nil, nil)
	m.Validations = canonical(t, []corridor.SignedValidation{decided})
	r.opened(n, m)
	out := r.verification(r.wait(dsp.PathFor(&dsp.ContractAgreementMessage{Pids: dsp.Pids{ConsumerPid: m.ConsumerPid}}, dsp.Consumer)))
	neg := n.only()
	a, err := n.x.Agreement(within(t, 5*time.Second), neg.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil {
		t.Fatal(err)
	}
	own := verify.National{Object: corridor.ObjectAgreement, Agreement: a.ID, Text: canonical(t, signed.Body)}
	if err := json.Unmarshal(out.Signature, &own.Signature); err != nil {
		t.Fatal(err)
	}
	other := func(v *corridor.Validation) { v.Agreement = "urn:uuid:another" }
	for sentence, list := range map[string][]corridor.SignedValidation{
		"none": nil, "that of the decision": {decided}, "one of another agreement": {r.vouched(n, own, nil, other)},
	} {
		if out.Validations = nil; list != nil {
			out.Validations = canonical(t, list)
		}
		if reply := r.say(n, dsp.Provider, out); reply.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", sentence, reply.status, reply.body)
		}
	}
	out.Validations = canonical(t, []corridor.SignedValidation{r.vouched(n, own, nil, nil)})
	if reply := r.say(n, dsp.Provider, out); reply.status != http.StatusOK {
		t.Fatalf("the good one: %d %s", reply.status, reply.body)
	}
	if neg = n.only(); neg.State != dsp.Finalized && neg.Pending != dsp.Finalized {
		t.Errorf("%s, pending %s", neg.State, neg.Pending)
	}
}

// The provider's agreement needs validations of its signature and of its
// decision.
func TestAnAgreementNeedsBothValidations(t *testing.T) {
	n, r := withRogue(t, func(n *node) { n.verifies = []string{verify.SM2, verify.P256} })
	if err := r.keys.OpenTrust(filepath.Join(t.TempDir(), "keys"), verify.P256); err != nil {
		t.Fatal(err)
	}
	r.provides("shipments")
	if _, err := n.x.Negotiate(within(t, 10*time.Second), exchange.Request{Provider: r.who.DID, Address: r.base(), Dataset: "shipments", Purpose: "trade_logistics"}); err != nil {
		t.Fatal(err)
	}
	m := r.agreement(n, nil, nil)
	signed, err := corridor.DecodeAgreement(m.Agreement.Agreement)
	if err != nil {
		t.Fatal(err)
	}
	d := signed.Body.Decisions[0]
	decision := r.vouched(n, verify.National{Object: corridor.ObjectDecision, Text: d.Statement, Signature: d.Signature}, nil, nil)
	whole := r.vouched(n, verify.National{Object: corridor.ObjectAgreement, Agreement: signed.Body.ID, Text: canonical(t, signed.Body), Signature: signed.Signatures[0]}, nil, nil)
	for sentence, list := range map[string][]corridor.SignedValidation{"of the decision alone": {decision}, "of the agreement alone": {whole}} {
		m.Validations = canonical(t, list)
		if a := r.say(n, dsp.Consumer, m); a.status != http.StatusBadRequest || !strings.Contains(a.reason(), "no validation of it is brought") {
			t.Errorf("%s: %d %s", sentence, a.status, a.body)
		}
	}
	m.Validations = canonical(t, []corridor.SignedValidation{decision, whole})
	if a := r.say(n, dsp.Consumer, m); a.status != http.StatusOK {
		t.Fatalf("both: %d %s", a.status, a.body)
	}
	r.wait("/verification")
}
