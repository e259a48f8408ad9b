package corridor

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTheZeroOutcomeDenies(t *testing.T) {
	var o Outcome
	if o != Deny || o.Permits() {
		t.Fatalf("zero outcome is %v", o)
	}
}

func TestOutcomesCombineToTheStrictest(t *testing.T) {
	for _, c := range []struct{ a, b, want Outcome }{
		{Allow, Allow, Allow},
		{Allow, AllowWithObligations, AllowWithObligations},
		{AllowWithObligations, NeedsApproval, NeedsApproval},
		{NeedsApproval, Deny, Deny},
		{Allow, Undetermined, Undetermined},
		{NeedsApproval, Undetermined, Undetermined}, // the open fact could still deny
		{Deny, Undetermined, Deny},
		{Undetermined, Undetermined, Undetermined},
	} {
		if got := Strictest(c.a, c.b); got != c.want {
			t.Errorf("%v and %v: got %v, want %v", c.a, c.b, got, c.want)
		}
		if got := Strictest(c.b, c.a); got != c.want {
			t.Errorf("%v and %v: order matters", c.b, c.a)
		}
	}
}

func TestOutcomesSurviveJSON(t *testing.T) {
	for o := Deny; o <= Undetermined; o++ {
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var back Outcome
		if err := json.Unmarshal(b, &back); err != nil || back != o {
			t.Errorf("%v came back as %v (%v)", o, back, err)
		}
	}
	var o Outcome
	if err := json.Unmarshal([]byte(`"permit"`), &o); err == nil || o != Deny {
		t.Error("an unknown outcome must be an error and deny")
	}
	if got := Outcome(77).String(); got != "outcome(77)" {
		t.Error(got)
	}
}

func TestNoDecisionAtAllIsADeny(t *testing.T) {
	if v := Combine(Flow{}); v.Outcome != Deny {
		t.Fatal(v.Outcome)
	}
}

func TestAVerdictIsTheUnionOfDuties(t *testing.T) {
	v := Combine(Flow{Origin: "CN", Destination: "KZ"},
		Decision{Outcome: AllowWithObligations, Duties: []Obligation{{ID: "maybe"}, {ID: "pipia", Certain: true}}, Pack: PackRef{ID: "cn", Digest: "sha256:x"}},
		Decision{Outcome: Undetermined, Best: Allow, Worst: Deny, Duties: []Obligation{{ID: "pipia", Certain: true}}, Questions: []Question{{Fact: "consent"}, {Fact: "consent"}}},
	)
	if v.Outcome != Undetermined {
		t.Error(v.Outcome)
	}
	if got := strings.Join(v.Obligations, " ") + "|" + strings.Join(v.Possible, " "); got != "pipia|maybe" {
		t.Errorf("obligations %q: what is certain stands apart from what a fact still decides, each once", got)
	}
	if len(v.Missing) != 1 || len(v.Packs) != 1 {
		t.Error(v.Missing, v.Packs)
	}
}

func TestWhatOneSideSettlesTheOtherCannotOpen(t *testing.T) {
	open := func(best, worst Outcome) Decision { return Decision{Outcome: Undetermined, Best: best, Worst: worst} }
	for _, c := range []struct {
		a, b Decision
		want Outcome
	}{
		{Decision{Outcome: NeedsApproval}, open(Allow, AllowWithObligations), NeedsApproval},
		{Decision{Outcome: NeedsApproval}, open(Allow, Deny), Undetermined},
		{Decision{Outcome: Deny}, open(Allow, Deny), Deny},
		{open(NeedsApproval, Deny), open(Deny, Deny), Deny},
		{Decision{Outcome: Allow}, open(Allow, AllowWithObligations), Undetermined},
	} {
		if got := Combine(Flow{}, c.a, c.b).Outcome; got != c.want {
			t.Errorf("%s and %s: %s, want %s", c.a.Outcome, c.b.Outcome, got, c.want)
		}
		if got := c.a.With(c.b).Outcome; got != c.want {
			t.Errorf("%s with %s: %s, want %s", c.a.Outcome, c.b.Outcome, got, c.want)
		}
	}
}

func TestOnlyQuestionsThatCanMatterAreMissing(t *testing.T) {
	open := func(best, worst Outcome, fact string) Decision {
		return Decision{Outcome: Undetermined, Best: best, Worst: worst, Questions: []Question{{Fact: fact}}}
	}
	v := Combine(Flow{}, open(AllowWithObligations, Deny, "consent"), open(Allow, AllowWithObligations, "ai_role"))
	if strings.Join(v.Missing, " ") != "consent" || len(v.Open()) != 1 {
		t.Errorf("%v: what is never stricter than the other side's best changes nothing", v.Missing)
	}
	v = Combine(Flow{}, open(Allow, Deny, "consent"), open(Allow, AllowWithObligations, "ai_role"))
	if strings.Join(v.Missing, " ") != "consent ai_role" || len(v.Open()) != 2 {
		t.Error(v.Missing)
	}
}

func TestABriefDecisionKeepsArticlesAndGetsItsTitlesBack(t *testing.T) {
	law := Text{EN: "Law on data", RU: "Закон о данных"}
	cites := []Citation{{Instrument: "pdl", Article: "16", Title: law}}
	d := Decision{Outcome: NeedsApproval, Matched: []Match{{Rule: "kz.r", Text: Text{EN: "words"}, Citations: cites}},
		Duties: []Obligation{{ID: "pipia", Text: Text{EN: "do it"}, Evidence: "a report", Citations: cites}}, NearMisses: []NearMiss{{Rule: "kz.x"}}}
	b := d.Brief()
	if b.Matched[0].Text.EN != "" || b.Duties[0].Evidence != "" || b.Matched[0].Citations[0].Title.EN != "" || b.NearMisses != nil || b.Instruments["pdl"] != law {
		t.Errorf("%+v", b)
	}
	if d.Matched[0].Text.EN != "words" || d.Matched[0].Citations[0].Title != law || d.Duties[0].Evidence == "" {
		t.Error("the decision itself was changed")
	}
	raw, err := Canonical(DecisionStatement{Version: 1, Decision: b})
	if err != nil {
		t.Fatal(err)
	}
	st, err := SignedDecision{Statement: raw}.Decode()
	if err != nil || st.Decision.Matched[0].Citations[0] != cites[0] || st.Decision.Duties[0].Citations[0].Title.RU != law.RU {
		t.Errorf("%+v %v", st.Decision, err)
	}
}

func TestDatesAreCalendarDays(t *testing.T) {
	d, err := ParseDate("2026-11-24")
	if err != nil || d.String() != "2026-11-24" {
		t.Fatal(d, err)
	}
	almaty := time.FixedZone("", 5*3600)
	if got := DateOf(time.Date(2026, 11, 24, 1, 0, 0, 0, almaty)); got != d {
		t.Errorf("a day is a day where it is counted: %v", got)
	}
	// The day from which machines count is a day like any other.
	first, err := ParseDate("1970-01-01")
	if err != nil || first == 0 || first.String() != "1970-01-01" || first+1 != DateOf(time.Unix(86400, 0).UTC()) || Date(0).String() != "" {
		t.Errorf("1970-01-01: %d %q %v", first, first, err)
	}
	if one, err := ParseDate("0001-01-01"); err != nil || one != 1 || one.String() != "0001-01-01" {
		t.Errorf("the first day: %d %q %v", one, one, err)
	}
	for _, bad := range []string{"0000-12-31", "2026-13-01", "24.11.2026", "", "2026-02-30"} {
		if _, err := ParseDate(bad); KindOf(err) != Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	var zero Date
	if b, _ := zero.MarshalText(); len(b) != 0 {
		t.Error("a missing date is empty")
	}
	if err := zero.UnmarshalText(nil); err != nil {
		t.Error(err)
	}
	if err := zero.UnmarshalText([]byte("2026-11-24")); err != nil || zero != d {
		t.Error(zero, err)
	}
}

func TestATextFallsBackToEnglish(t *testing.T) {
	x := Text{EN: "law", RU: "закон"}
	if x.In("ru") != "закон" || x.In("zh") != "law" || x.In("en") != "law" {
		t.Fatal(x)
	}
}

func TestAnErrorSaysWhatWhereWhyAndFix(t *testing.T) {
	e := &Error{Kind: Invalid, Msg: "unknown fact", Where: "a.yaml:3:1", Why: "pack format", Fix: "did you mean consent?", Err: io.EOF}
	if got := e.Error(); got != "a.yaml:3:1: unknown fact: EOF (pack format); did you mean consent?" {
		t.Error(got)
	}
	if !errors.Is(e, io.EOF) {
		t.Error("the cause is lost")
	}
	w := E(Conflict, "commit: %w", io.ErrUnexpectedEOF)
	if w.Error() != "commit: unexpected EOF" || !errors.Is(w, io.ErrUnexpectedEOF) || KindOf(w) != Conflict {
		t.Error(w)
	}
	if (&Error{Kind: Gone}).Error() != "gone" || Kind(99).String() != "kind(99)" || KindOf(io.EOF) != Internal {
		t.Error("kinds")
	}
	if E(Invalid, "plain").Unwrap() != nil {
		t.Error("no cause, no unwrap")
	}
}

// TestAnEncodedStatementIsWhatIsReadBack: an issuer goes on with the same
// statement that everybody else reads.
func TestAnEncodedStatementIsWhatIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		st := example()
		d := rapid.Make[Decision]().Draw(t, "decision")
		d.Outcome, d.Best, d.Worst, d.ValidUntil = Allow, Allow, Deny, 739_000
		for i := range d.Matched {
			d.Matched[i].Outcome, d.Matched[i].SourceOn = Deny, Date(i)
			for j := range d.Matched[i].Citations {
				d.Matched[i].Citations[j].Title = Text{EN: "the law " + d.Matched[i].Citations[j].Instrument}
			}
		}
		st.Decision = d.Brief()
		raw, err := st.Encode()
		if err != nil {
			t.Skip(err)
		}
		read, err := SignedDecision{Statement: append([]byte(" "), raw...)}.Decode()
		if err != nil {
			t.Fatal(err)
		}
		want, errA := Canonical(st) // nil or empty is the same to both
		got, errB := Canonical(read)
		if errA != nil || errB != nil || string(got) != string(want) {
			t.Fatalf("%s where %s was encoded: %v %v", got, want, errA, errB)
		}
	})
}

func TestCanonicalJSON(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"sorts keys by UTF-16", `{"\ufb33":1,"\ud83d\ude00":2,"a":3}`, "{\"a\":3,\"\U0001F600\":2,\"\ufb33\":1}"},
		{"keeps array order", `[3, 1,2]`, `[3,1,2]`},
		{"escapes only what it must", `"\u0041\n\u001f\/<é"`, `"A\n\u001f/<é"`},
		{"nested", ` { "b" : [ ] , "a" : { } , "c": null, "d": true} `, `{"a":{},"b":[],"c":null,"d":true}`},
		{"minus zero", `-0`, `0`},
	} {
		got, err := Canonicalize([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
	for _, bad := range []string{`{"a":1,"a":2}`, `1.5`, `1e3`, `9007199254740992`, `{`, `[1] 2`, ``, "\"\xff\"", strings.Repeat("[", 100) + strings.Repeat("]", 100), `{"a":`, `[1,`, `{"a":1.5}`} {
		if got, err := Canonicalize([]byte(bad)); KindOf(err) != Invalid {
			t.Errorf("%q was accepted as %s", bad, got)
		}
	}
	if err := CheckCanonical([]byte(`{"a": 1}`)); err == nil {
		t.Error("a space is not canonical")
	}
	if err := CheckCanonical([]byte(`{"a":1} `)); err == nil {
		t.Error("a trailing space is not canonical")
	}
	if _, err := Canonical(func() {}); err == nil {
		t.Error("a function has no JSON")
	}
}

func TestCanonicalFormIsAFixedPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.OneOf(
			rapid.Map(rapid.String(), func(s string) any { return s }),
			rapid.Map(rapid.Int64Range(-maxSafe, maxSafe), func(n int64) any { return n }),
		))).Draw(t, "v")
		once, err := Canonical(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckCanonical(once); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReceiptsAreReadStrictly(t *testing.T) {
	leaf := Leaf{Receipt: Receipt{Version: 1, Type: ReceiptDecision, Issuer: "did:web:a"}, Signature: Signature{Suite: "SM2"}}
	b, err := Canonical(leaf)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeReceipt(b)
	if err != nil || back.Receipt.Issuer != "did:web:a" {
		t.Fatal(back, err)
	}
	for name, bad := range map[string][]byte{
		"unknown member": bytes.Replace(b, []byte(`{"receipt"`), []byte(`{"extra":1,"receipt"`), 1),
		"another case":   bytes.Replace(b, []byte(`"issuer"`), []byte(`"Issuer"`), 1),
		"a space":        append([]byte(" "), b...),
		"too long":       make([]byte, MaxReceipt+1),
		"cut":            b[:len(b)-1],
	} {
		if _, err := DecodeReceipt(bad); err == nil {
			t.Error(name, "was accepted")
		}
	}
}

func TestACommitmentBindsSaltAndValue(t *testing.T) {
	a := Commit([]byte("s"), []byte("v"))
	if a == Commit([]byte("sv"), nil) || a == Commit([]byte("t"), []byte("v")) || a == Commit([]byte("s"), []byte("w")) {
		t.Error("two openings for one commitment")
	}
	if LeafHash([]byte("x")) == Digest([]byte("x")) {
		t.Error("a leaf hash is domain separated (RFC 6962)")
	}
}

func TestClonedFactsAreIndependent(t *testing.T) {
	f := Facts{"a": 1}
	g := f.Clone()
	g["b"] = 2
	if len(f) != 1 {
		t.Error("the original changed")
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":[1,"x"],"a":null}`))
	for _, p := range pieces {
		f.Add([]byte(p))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		sameAsReference(t, raw)
		out, err := Canonicalize(raw)
		if err != nil {
			return
		}
		if err := CheckCanonical(out); err != nil {
			t.Fatalf("%q -> %q: %v", raw, out, err)
		}
	})
}

func FuzzDecodeReceipt(f *testing.F) {
	b, _ := Canonical(Leaf{Receipt: Receipt{Version: 1}})
	f.Add(b)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := DecodeReceipt(raw); err == nil && CheckCanonical(raw) != nil {
			t.Fatal("accepted bytes that are not canonical")
		}
	})
}
