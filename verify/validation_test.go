package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"corridor"
)

// vouched is a good bundle of which one side signs in GOST, and whose trust
// service vouches in P-256 for its decision and for its signature.
type vouched struct {
	*scene
	ru, trust *party
}

func newVouched(t testing.TB) *vouched {
	t.Helper()
	v := &vouched{ru: newParty(t, "ru.example", GOST256), trust: newParty(t, "ru.example", P256)}
	v.trust.key.ID = "did:web:ru.example#trust"
	v.scene = &scene{cn: v.ru, kz: newParty(t, "kz.example", Ed25519), policy: "quorum none\n"}
	v.agree(t, func(a *corridor.Agreement) {
		a.Provider.Jurisdiction = "CN" // the scene's decisions are of CN and KZ
	})
	v.agreement.Body.Decisions[0] = v.decision(t, v.ru, func(d *corridor.DecisionStatement) {
		d.Decision.Side, d.Decision.Jurisdiction = corridor.Export, "CN"
	})
	a := v.agreement.Body
	v.agreement.Signatures = []corridor.Signature{v.ru.signed(t, a), v.kz.signed(t, a)}
	v.rebuild(t, nil)
	return v
}

// rebuild writes the bundle anew, with validations changed at will before they
// are signed.
func (v *vouched) rebuild(t testing.TB, change func(*corridor.Validation)) {
	t.Helper()
	list := v.states(t, change)
	v.build(t, func(st *story) {
		st.agreed[0].Digests[corridor.DigestDIDDocument] = corridor.Digest(v.document())
		for _, s := range list {
			digest, err := s.Digest()
			if err != nil {
				t.Fatal(err)
			}
			v.kz.log(t, corridor.Receipt{Type: corridor.ReceiptValidation, Time: "2026-11-24T05:09:00Z", Digests: map[string]string{corridor.DigestValidation: digest}})
		}
	})
	v.file.Validations = list
	v.file.Keys[0].Document = v.document()
}

func (v *vouched) states(t testing.TB, change func(*corridor.Validation)) []corridor.SignedValidation {
	t.Helper()
	body, err := corridor.Canonical(v.agreement.Body)
	if err != nil {
		t.Fatal(err)
	}
	d := v.agreement.Body.Decisions[0]
	var list []corridor.SignedValidation
	for _, n := range []National{
		{Object: corridor.ObjectDecision, Text: d.Statement, Signature: d.Signature},
		{Object: corridor.ObjectAgreement, Agreement: v.agreement.Body.ID, Text: body, Signature: v.agreement.Signatures[0]},
	} {
		n.Signer, n.For, n.Key = v.ru.did, v.kz.did, v.ru.key
		at := time.Date(2026, 11, 24, 5, 9, 0, 0, time.UTC)
		st, err := n.Statement("Доверенная третья сторона", at, at.Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(&st)
		}
		list = append(list, corridor.SignedValidation{Statement: st, Signature: v.trust.signed(t, st)})
	}
	return list
}

// document is that of the side with a trust service.
func (v *vouched) document() json.RawMessage {
	raw, err := corridor.Canonical(map[string]any{"id": v.ru.did, "assertionMethod": []string{"#national"},
		"verificationMethod": []any{map[string]any{"id": "#national", "type": "JsonWebKey2020", "controller": v.ru.did, "publicKeyJwk": v.ru.key.JWK},
			map[string]any{"id": "#trust", "type": "JsonWebKey2020", "controller": v.ru.did, "publicKeyJwk": v.trust.key.JWK}},
		"service": []any{map[string]any{"id": "#v", "type": ValidationService, "serviceEndpoint": v.trust.key.ID}}})
	if err != nil {
		panic(err)
	}
	return raw
}

func noGOST() Options { return Options{Without: []string{GOST256}} }

func detail(r *Report, id string) string {
	for _, c := range r.Checks {
		if c.ID == id {
			return c.Detail
		}
	}
	return "there is no check " + id
}

func TestAReaderWithoutGOSTSeesWhoValidatedTheSignature(t *testing.T) {
	v := newVouched(t)
	raw := v.bytes(t)
	rep := Bundle(raw, Options{})
	if !rep.OK || !strings.HasSuffix(detail(rep, "agreement.provider"), "national signature in GOST-2012-256, verified here") {
		t.Fatal(rep.Summary, rep.Failed(), detail(rep, "agreement.provider"))
	}
	rep = Bundle(raw, noGOST())
	const want = "did:web:ru.example: national signature in GOST-2012-256, not verified here; validated by Доверенная третья сторона (did:web:ru.example#trust) at 2026-11-24T05:09:00Z (receipt in P-256, verified)"
	if got := detail(rep, "agreement.provider"); !rep.OK || got != want || !strings.Contains(rep.Summary, want) {
		t.Errorf("%s\n%s\n%+v", rep.Summary, got, rep.Failed())
	}
	if got := detail(rep, "agreement.consumer"); got != "did:web:kz.example: national signature in Ed25519, verified here" {
		t.Error(got)
	}
	for _, id := range []string{"trust.suites", "agreement.provider", "decision[0].signature", "receipt[0].signature"} {
		if !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == id && c.Note }) {
			t.Errorf("%s is not noted: %s", id, detail(rep, id))
		}
	}
	for _, c := range rep.Checks {
		if q := c.Question(); q.ZH == "" || q.RU == "" {
			t.Errorf("%s has no words", c.ID)
		}
	}
	// A reader who verifies neither suite has nothing to rest on.
	if rep := Bundle(raw, Options{Without: []string{GOST256, P256}}); rep.OK || !strings.Contains(detail(rep, "agreement.provider"), "not verified here either") {
		t.Error(rep.Summary, detail(rep, "agreement.provider"))
	}
	if rep := Bundle(raw, Options{Without: []string{P256}}); !rep.OK || !strings.Contains(detail(rep, "validation[0]"), "not verified here") {
		t.Error(rep.Summary, rep.Failed())
	}
	if rep := Bundle(raw, Options{Without: []string{"GOST"}}); rep.OK {
		t.Error("a suite that does not exist was left out, and nobody was told")
	}
}

// A bundle from before validations says, word for word, what it said.
func TestABundleWithoutValidationsIsReportedAsBefore(t *testing.T) {
	rep := Bundle(newScene(t).bytes(t), Options{})
	for _, c := range rep.Checks {
		if strings.HasPrefix(c.ID, "validation") || c.ID == "trust.suites" || strings.Contains(c.Detail, "verified here") {
			t.Errorf("%+v", c)
		}
	}
	if got := detail(rep, "agreement.provider"); got != "did:web:cn.example" {
		t.Error(got)
	}
}

// Each change makes the bundle fail, for a reader of GOST and for one without.
func TestATamperedValidationFailsTheBundle(t *testing.T) {
	other := newParty(t, "other.example", P256)
	says := func(change func(*corridor.Validation)) func(*vouched) {
		return func(v *vouched) { v.rebuild(t, change) }
	}
	for sentence, c := range map[string]struct {
		change func(*vouched)
		want   string
	}{
		"it says another text":             {says(func(s *corridor.Validation) { s.Text = corridor.Digest(nil) }), "validation[0]"},
		"it is of another agreement":       {says(func(s *corridor.Validation) { s.Agreement = "urn:uuid:b" }), "validation[1]"},
		"it is for another side":           {says(func(s *corridor.Validation) { s.For = other.did }), "validation[0]"},
		"it is of another key":             {says(func(s *corridor.Validation) { s.KeyDigest = corridor.Digest(nil) }), "validation[0]"},
		"it is of another signature":       {says(func(s *corridor.Validation) { s.Signature = corridor.Digest(nil) }), "validation[0]"},
		"it names another suite":           {says(func(s *corridor.Validation) { s.Suite = GOST512 }), "validation[0]"},
		"it says invalid":                  {says(func(s *corridor.Validation) { s.Result = "invalid" }), "validation[0]"},
		"it had ended when it was taken":   {says(func(s *corridor.Validation) { s.Time, s.Until = "2026-11-23T05:00:00Z", "2026-11-24T05:00:00Z" }), "validation[0].taken"},
		"it was stated after it was taken": {says(func(s *corridor.Validation) { s.Time = "2026-11-24T05:20:00Z" }), "validation[0].taken"},
		"it could be taken for ever":       {says(func(s *corridor.Validation) { s.Until = "2036-11-24T05:00:00Z" }), "validation[0]"},
		"its text was changed":             {func(v *vouched) { v.file.Validations[0].Statement.Service = "X" }, "validation[0]"},
		"its signature is another's": {func(v *vouched) {
			v.file.Validations[0].Signature = v.file.Validations[1].Signature
		}, "validation[0]"},
		"the national key signed it": {func(v *vouched) {
			s := &v.file.Validations[0]
			s.Signature = v.ru.signed(t, s.Statement)
		}, "validation[0]"},
		"a stranger's key signed it": {func(v *vouched) {
			s := &v.file.Validations[0]
			s.Signature = other.signed(t, s.Statement)
		}, "validation[0]"},
		"the document does not name the trust service": {func(v *vouched) {
			v.file.Keys[0].Document = v.ru.document()
		}, "validation[0]"},
		"the key of the trust service signs statements too": {func(v *vouched) {
			v.file.Keys[0].Document = json.RawMessage(strings.Replace(string(v.document()), `["#national"]`, `["#national","#trust"]`, 1))
		}, "validation[0]"},
	} {
		t.Run(sentence, func(t *testing.T) {
			v := newVouched(t)
			c.change(v)
			raw := v.bytes(t)
			for _, o := range []Options{{}, noGOST()} {
				if rep := Bundle(raw, o); rep.OK || !slices.Contains(failing(rep), c.want) {
					t.Errorf("%v: %s", o.Without, rep.Summary)
				}
			}
		})
	}
}

// What a reader without GOST needs is missing, exchanged, or claims to be what
// it is not.
func TestWithoutAValidationAReaderWithoutGOSTBelievesNothing(t *testing.T) {
	other := newParty(t, "ru.example", P256)
	other.key.ID = "did:web:ru.example#trust"
	for sentence, c := range map[string]struct {
		change func(*vouched, *Options)
		want   string
	}{
		"none is there":                 {func(v *vouched, _ *Options) { v.file.Validations = nil }, "agreement.provider"},
		"that of the decision is left":  {func(v *vouched, _ *Options) { v.file.Validations = v.file.Validations[:1] }, "agreement.provider"},
		"that of the agreement is left": {func(v *vouched, _ *Options) { v.file.Validations = v.file.Validations[1:] }, "decision[0].signature"},
		"the reader's document knows another trust service": {func(v *vouched, o *Options) {
			mine := *v
			mine.trust = other
			o.Documents = map[string][]byte{v.ru.did: mine.document()}
		}, "agreement.provider"},
		"the signature claims a suite that need not be verified": {func(v *vouched, o *Options) {
			v.agreement.Signatures[1].Suite, o.Without = SM2, append(o.Without, SM2)
			v.file.Agreement, _ = corridor.Canonical(v.agreement)
		}, "agreement.consumer"},
		"an entry claims a suite that need not be verified": {func(v *vouched, _ *Options) {
			v.file.Receipts[len(v.file.Receipts)-1].Leaf = json.RawMessage(strings.Replace(string(v.file.Receipts[len(v.file.Receipts)-1].Leaf), `"suite":"Ed25519"`, `"suite":"GOST-2012-256"`, 1))
		}, "receipt[7].signature"},
		"no agreement names the log of its entries": {func(v *vouched, _ *Options) { v.file.Agreement = nil }, "receipt[0].signature"},
	} {
		t.Run(sentence, func(t *testing.T) {
			v, o := newVouched(t), noGOST()
			c.change(v, &o)
			if rep := Bundle(v.bytes(t), o); rep.OK || !slices.Contains(failing(rep), c.want) {
				t.Error(rep.Summary)
			}
		})
	}
}

// A policy lists logs and not whose they are. A listed log is taken for its
// issuer's where it stands at the address of the issuer's DID; the log of
// another participant, which the bundle calls the issuer's, is not.
func TestALogThatThePolicyListsIsNotAnybodys(t *testing.T) {
	for origin, own := range map[string]bool{"ru.example/log": true, "kz.example/log": false, "ru.example.kz/log": false, "ru.example/kz/log": false} {
		p := newParty(t, "ru.example", GOST256)
		p.origin = origin
		p.log(t, corridor.Receipt{Type: corridor.ReceiptNegotiation, Time: "2026-11-24T07:00:00.000Z", Negotiation: "urn:uuid:n"})
		raw, err := File{About: About{At: "2026-11-24T08:00:00Z", By: p.did, Negotiation: "urn:uuid:n"}, Policy: "quorum none\n",
			Keys:     []FileKeys{{DID: p.did, Document: p.document()}},
			Logs:     []FileLog{{DID: p.did, Origin: p.origin, VKey: p.vkey()}},
			Receipts: []FileReceipt{{Log: p.origin, Leaf: p.entries[0], Proof: p.proof(t, 0, p.checkpoint(t)), Openings: []Opening{}}}}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		o := noGOST()
		o.Policy = []byte("log " + p.vkey() + "\nquorum none\n")
		if rep := Bundle(raw, o); slices.Contains(failing(rep), "receipt[0].signature") == own {
			t.Errorf("%s: %s %v", origin, rep.Summary, failing(rep))
		}
	}
}

// A false signature fails even where a validation says that it is valid.
func TestAValidationDoesNotOverrideWhatIsVerifiedHere(t *testing.T) {
	v := newVouched(t)
	forged := newParty(t, "ru.example", GOST256)
	v.agreement.Signatures[0].Value = forged.signed(t, v.agreement.Body).Value
	v.rebuild(t, nil)
	if rep := Bundle(v.bytes(t), Options{}); rep.OK || !slices.Contains(failing(rep), "agreement.provider") {
		t.Error(rep.Summary)
	}
	if rep := Bundle(v.bytes(t), noGOST()); !rep.OK { // this reader takes the trust service's word, and the report says so
		t.Error(rep.Summary)
	}
}

// Every byte of a validation counts.
func TestAnyChangedByteOfAValidationIsFound(t *testing.T) {
	v := newVouched(t)
	good := v.bytes(t)
	at := strings.Index(string(good), `"validations":`)
	if at < 0 {
		t.Fatal("the bundle has no validations")
	}
	for i := at; i < len(good); i += 7 {
		bad := slices.Clone(good)
		bad[i] ^= 1
		if quick(bad) {
			t.Fatalf("byte %d of %d passed", i, len(good))
		}
	}
}
