package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"corridor"
)

// admitted is a bundle under a compact that wants admissions, with those of
// both parties. A test changes what is written before it is signed.
type admitted struct {
	*ruled
	admissions [2]corridor.Admission // provider, consumer
	by         [2]*party             // sign them
	quotes     func(*story, [2]string)
	files      func(*File)
}

func newAdmitted(t testing.TB) *admitted {
	a := &admitted{ruled: newRuled(t)}
	a.compact.Credentials = []string{corridor.TypeAdmission}
	a.by = [2]*party{a.cnBody, a.kzBody}
	for i, p := range []struct{ country, did string }{{"CN", "did:web:cn.example"}, {"KZ", "did:web:kz.example"}} {
		a.admissions[i] = corridor.Admission{Type: corridor.TypeAdmission, Authority: a.by[i].did, Jurisdiction: p.country, Number: int64(1 + i), Participant: p.did, Name: "A firm",
			Traits: []string{"telecom"}, Issued: "2026-11-02T00:00:00Z", ValidFrom: "2026-11-02T00:00:00Z", ValidUntil: "2027-11-02T00:00:00Z"}
	}
	return a
}

// revokes turns the order of the bundle into a revocation, which nothing lifts.
func (a *admitted) revokes(number int64, issued string) {
	a.stop.Number, a.stop.Act, a.stop.Issued, a.stop.Target = number, corridor.OrderRevoke, issued, corridor.Target{Participant: a.admissions[0].Participant}
	a.tell = func(st *story) { st.between[2].Digests = nil }
	a.file = func(f *File) { f.Orders = f.Orders[:1] }
}

func (a *admitted) bytes(t testing.TB) []byte {
	t.Helper()
	docs := []corridor.Sealed{sealedBy(t, a.admissions[0], a.by[0]), sealedBy(t, a.admissions[1], a.by[1])}
	tell, file := a.tell, a.file
	defer func() { a.tell, a.file = tell, file }()
	a.tell = func(st *story) {
		for i := range st.agreed {
			st.agreed[i].Digests[corridor.DigestProviderAdmission], st.agreed[i].Digests[corridor.DigestConsumerAdmission] = docs[0].Digest(), docs[1].Digest()
		}
		if a.quotes != nil {
			a.quotes(st, [2]string{docs[0].Digest(), docs[1].Digest()})
		}
		if tell != nil {
			tell(st)
		}
	}
	a.file = func(f *File) {
		f.Admissions = docs
		if file != nil {
			file(f)
		}
		if a.files != nil {
			a.files(f)
		}
	}
	return a.ruled.bytes(t)
}

func TestABundleShowsTheAdmissionsOfBothParties(t *testing.T) {
	raw := newAdmitted(t).bytes(t)
	rep := Bundle(raw, Options{})
	if !rep.OK {
		t.Fatalf("%s: %+v", rep.Summary, rep.Failed())
	}
	for id, detail := range map[string]string{"admission[0].signature": "CN (SM2)", "admission[1].signature": "KZ (GOST-2012-256)", "admission[0].party": "did:web:cn.example (A firm), CN: telecom",
		"admission[1].in_force": "2026-11-02T00:00:00Z to 2027-11-02T00:00:00Z", "admission.here": "2", "compact[0].admitted": "2 admissions"} {
		if !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == id && c.OK && !c.Note && strings.Contains(c.Detail, detail) }) {
			t.Errorf("%s does not say %q: %+v", id, detail, rep.Checks)
		}
	}
	for _, c := range rep.Checks {
		if q := c.Question(); q.ZH == "" || q.RU == "" {
			t.Errorf("%s is asked in English only", c.ID)
		}
	}
	if rep = Bundle(raw, Options{Without: []string{GOST256}}); !rep.OK || !noted(rep, "admission[1].signature") || noted(rep, "admission[0].signature") {
		t.Errorf("%s: a suite that is not verified here is not noted: %+v", rep.Summary, rep.Failed())
	}
}

func TestABundleWithAnAdmissionThatAdmitsNobodyDoesNotHold(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*admitted)
		want   string
	}{
		{"a signature of the other country's authority", func(a *admitted) { a.by[0] = a.kzBody }, "admission[0].signature"},
		{"another key under the authority's name", func(a *admitted) { a.by[0] = newParty(t, "authority.cn.example", SM2) }, "admission[0].signature"},
		{"no signature", func(a *admitted) { a.files = func(f *File) { f.Admissions[0].Signatures = nil } }, "admission[0].signature"},
		{"two signatures", func(a *admitted) {
			a.files = func(f *File) {
				f.Admissions[0].Signatures = append(f.Admissions[0].Signatures, f.Admissions[1].Signatures...)
			}
		}, "admission[0].signature"},
		{"an authority of no compact", func(a *admitted) {
			a.by[0] = newParty(t, "authority.ru.example", GOST256)
			a.admissions[0].Authority, a.admissions[0].Jurisdiction = a.by[0].did, "RU"
		}, "admission[0].signature"},
		{"an authority that speaks for another country", func(a *admitted) { a.admissions[0].Jurisdiction = "KZ" }, "admission[0].signature"},
		{"a compact that does not bind", func(a *admitted) { a.signers = a.signers[:1] }, "admission[0].signature"},
		{"no compact", func(a *admitted) { a.files = func(f *File) { f.Compacts = nil } }, "admission[0].signature"},
		{"another participant", func(a *admitted) { a.admissions[1].Participant = "did:web:other.example" }, "admission[1].party"},
		{"the admission of the other party", func(a *admitted) {
			a.quotes = func(st *story, d [2]string) {
				for i := range st.agreed {
					st.agreed[i].Digests[corridor.DigestProviderAdmission], st.agreed[i].Digests[corridor.DigestConsumerAdmission] = d[1], d[0]
				}
			}
		}, "admission[0].party"},
		{"one admission for both parties", func(a *admitted) {
			a.quotes = func(st *story, d [2]string) { st.agreed[0].Digests[corridor.DigestConsumerAdmission] = d[0] }
		}, "admission[0].quoted"},
		{"an admission of another country's authority", func(a *admitted) {
			a.by[1] = a.cnBody
			a.admissions[1].Authority, a.admissions[1].Jurisdiction = a.cnBody.did, "CN"
		}, "admission[1].party"},
		{"one that had ended", func(a *admitted) { a.admissions[0].ValidUntil = "2026-11-24T05:00:00Z" }, "admission[0].in_force"},
		{"one that had not begun", func(a *admitted) { a.admissions[0].ValidFrom = "2026-11-24T05:20:00Z" }, "admission[0].in_force"},
		{"one that is dated later", func(a *admitted) { a.admissions[0].Issued = "2026-11-25T00:00:00Z" }, "admission[0].in_force"},
		{"a trait added after signing", func(a *admitted) {
			a.files = func(f *File) {
				more := a.admissions[0]
				more.Traits = append(more.Traits, "state_body")
				f.Admissions[0].Body = sealedBy(t, more).Body
			}
		}, "admission[0].quoted"},
		{"a body that is none", func(a *admitted) {
			a.files = func(f *File) { f.Admissions[0].Body = json.RawMessage(`{"type":"x"}`) }
		}, "admission[0].form"},
		{"the same twice", func(a *admitted) {
			a.files = func(f *File) { f.Admissions = append(f.Admissions, f.Admissions[0]) }
		}, "admission[2].quoted"},
		{"no admission of the consumer", func(a *admitted) { a.files = func(f *File) { f.Admissions = f.Admissions[:1] } }, "admission.here"},
		{"no admission of the consumer, for the compact that wants it", func(a *admitted) { a.files = func(f *File) { f.Admissions = f.Admissions[:1] } }, "compact[0].admitted"},
		{"a receipt that quotes the provider's only", func(a *admitted) {
			a.quotes = func(st *story, _ [2]string) { delete(st.agreed[1].Digests, corridor.DigestConsumerAdmission) }
		}, "compact[0].admitted"},
		{"one that the party knew to be revoked", func(a *admitted) {
			a.revokes(3, "2026-11-24T05:09:00Z")
			agreed := a.tell
			a.tell = func(st *story) {
				agreed(st)
				again := st.agreed[0]
				again.Time = "2026-11-24T05:19:30Z"
				st.between = append(st.between, again)
			}
		}, "admission[0].revoked"},
	} {
		a := newAdmitted(t)
		c.change(a)
		if rep := Bundle(a.bytes(t), Options{}); rep.OK || !slices.Contains(failing(rep), c.want) {
			t.Errorf("%s: %s %v, not %s", c.what, rep.Summary, failing(rep), c.want)
		}
	}
}

// An order that came too late to be known, or afterwards, is told; one that a
// later admission made up for is not.
func TestARevokedAdmissionIsTold(t *testing.T) {
	for _, c := range []struct {
		what, issued, say string
		number, admission int64
	}{
		{"before the agreement was made", "2026-11-24T05:09:00Z", "before the agreement was made", 3, 1},
		{"after it was made", "2026-11-24T05:11:00Z", "after the agreement was made", 3, 1},
		{"and restored by a later admission", "2026-11-24T05:11:00Z", "", 3, 5},
	} {
		a := newAdmitted(t)
		a.admissions[0].Number = c.admission
		a.revokes(c.number, c.issued)
		rep := Bundle(a.bytes(t), Options{})
		if !rep.OK || noted(rep, "admission[0].revoked") != (c.say != "") || !strings.Contains(rep.Summary, c.say) {
			t.Errorf("revoked %s: %s %+v", c.what, rep.Summary, rep.Failed())
		}
	}
}

// Where the compact wants no admission, what is quoted of them is checked as well.
func TestAnAdmissionThatNobodyWantsIsCheckedAsWell(t *testing.T) {
	a := newAdmitted(t)
	a.compact.Credentials = []string{}
	a.quotes = func(st *story, _ [2]string) {
		for i := range st.agreed {
			delete(st.agreed[i].Digests, corridor.DigestConsumerAdmission)
		}
	}
	a.files = func(f *File) { f.Admissions = f.Admissions[:1] }
	if rep := Bundle(a.bytes(t), Options{}); !rep.OK || slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == "compact[0].admitted" }) {
		t.Errorf("%s %+v", rep.Summary, rep.Failed())
	}
	a.by[0] = a.kzBody
	if rep := Bundle(a.bytes(t), Options{}); !slices.Contains(failing(rep), "admission[0].signature") {
		t.Error(rep.Summary)
	}
}
