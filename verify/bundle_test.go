package verify

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"corridor"
)

func failing(r *Report) []string {
	var ids []string
	for _, c := range r.Failed() {
		ids = append(ids, c.ID)
	}
	return ids
}

func TestAGoodBundlePassesEveryCheck(t *testing.T) {
	s := newScene(t)
	rep := Bundle(s.bytes(t), Options{})
	if !rep.OK || len(rep.Failed()) > 0 {
		t.Fatalf("%s: %+v", rep.Summary, rep.Failed())
	}
	for _, want := range []string{"form", "digest", "trust.policy", "agreement.provider", "agreement.consumer", "agreement.receipts", "anchors.policy", "anchors.logs",
		"decision[0].signature", "decision[1].flow", "decisions", "decisions.receipts", "receipt[0].signature", "receipt[0].log", "receipt[0].inclusion", "receipt[0].checkpoint", "receipt[0].cosignatures",
		"receipt[0].openings", "receipt[1].anchors", "receipt[3].quotes", "receipt[5].quotes", "times"} {
		if !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == want }) {
			t.Errorf("check %s was not made", want)
		}
	}
	if !strings.HasPrefix(rep.Summary, fmt.Sprintf("all %d checks passed", len(rep.Checks))) {
		t.Error(rep.Summary)
	}
	// Without anchors from outside the report says where trust comes from.
	notes := map[string]bool{}
	for _, c := range rep.Checks {
		notes[c.ID] = notes[c.ID] || c.Note
	}
	if !notes["trust.policy"] || !notes["trust.keys"] {
		t.Error("the report does not say that the bundle vouches for itself")
	}
	rep = Bundle(s.bytes(t), Options{Policy: []byte(s.policy), Documents: map[string][]byte{s.cn.did: s.cn.document(), s.kz.did: s.kz.document()}})
	for _, c := range rep.Checks {
		if c.Note || !c.OK {
			t.Errorf("%+v", c)
		}
	}
	if raw, err := json.Marshal(rep); err != nil || !bytes.Contains(raw, []byte(`"ok":true`)) {
		t.Error(err)
	}
}

func TestTrustFromOutsideWins(t *testing.T) {
	s := newScene(t)
	other := newParty(t, "cn.example", SM2) // the same DID with another key
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"a policy with other witnesses": {Options{Policy: fmt.Appendf(nil, goodPolicy, witnessKey("x1"), witnessKey("x2"), witnessKey("x3"), witnessKey("x4"))}, "receipt[0].cosignatures"},
		"a policy that wants them all":  {Options{Policy: fmt.Appendf(nil, "witness b %s\nquorum b\n", witnessKey("b.w"))}, "receipt[0].cosignatures"},
		"a policy with another log":     {Options{Policy: fmt.Appendf(nil, "log %s\nquorum none\n", newParty(t, "x", Ed25519).vkey())}, "logs[0]"},
		"a policy that is none":         {Options{Policy: []byte("hello")}, "trust.policy"},
		"an empty policy":               {Options{Policy: []byte{}}, "trust.policy"},
		"another key":                   {Options{Documents: map[string][]byte{s.cn.did: other.document()}}, "keys[0]"},
		"another's document":            {Options{Documents: map[string][]byte{s.cn.did: s.kz.document()}}, "keys[0]"},
	} {
		rep := Bundle(s.bytes(t), c.o)
		if rep.OK || !slices.Contains(failing(rep), c.want) {
			t.Errorf("%s: %s", name, rep.Summary)
		}
	}
	rep := Bundle(s.bytes(t), Options{Policy: []byte("quorum none\n"), Documents: map[string][]byte{s.kz.did: s.kz.document()}})
	if !rep.OK || !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == "trust.quorum" && c.Note }) ||
		!slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == "trust.keys" && c.Note && strings.Contains(c.Detail, s.cn.did) }) {
		t.Errorf("%+v", rep)
	}
}

// TestAnyChangedByteIsFound flips bits of a good bundle: at every structural
// place and at many others.
func TestAnyChangedByteIsFound(t *testing.T) {
	good := newScene(t).bytes(t)
	for i := range good {
		if !strings.ContainsRune("{}[],:\"\\", rune(good[i])) && i%53 != 0 {
			continue
		}
		for _, change := range []byte{good[i] ^ 1, ' '} {
			if change == good[i] {
				continue
			}
			bad := bytes.Clone(good)
			bad[i] = change
			if quick(bad) {
				t.Fatalf("byte %d of %d, %q changed to %q, passed", i, len(good), good[i], change)
			}
		}
	}
	for _, bad := range [][]byte{nil, []byte("{}"), []byte("null"), []byte("[]"), good[:len(good)-1], append(bytes.Clone(good), '\n'), append([]byte(" "), good...), bytes.Replace(good, []byte(`{"about"`), []byte(`{"About":1,"about"`), 1)} {
		if rep := Bundle(bad, Options{}); rep.OK || rep.Summary == "" {
			t.Errorf("%.40q passed", bad)
		}
	}
	// And the whole check, for a sample.
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		bad := bytes.Clone(good)
		bad[r.IntN(len(bad))] ^= byte(1 + r.IntN(255))
		if rep := Bundle(bad, Options{}); rep.OK {
			t.Fatal("a changed bundle passed")
		}
	}
}

// quick is the first two checks of Bundle: they alone must find any change.
func quick(data []byte) bool {
	c := &checker{}
	c.form(data)
	return len(c.rep.Failed()) == 0
}

// forgery is one thing changed in a good bundle, and the checks that must find
// it.
type forgery struct {
	change func(s *scene, f *File)
	want   []string
}

func forgeries(t testing.TB) map[string]forgery {
	other := newParty(t, "other.example", Ed25519)
	edit := func(raw *json.RawMessage, old, new string) {
		changed := bytes.Replace(*raw, []byte(old), []byte(new), 1)
		if bytes.Equal(changed, *raw) {
			t.Fatalf("%q is not there", old)
		}
		*raw = changed
	}
	swap := func(s *string, old, new string) {
		changed := strings.Replace(*s, old, new, 1)
		if changed == *s {
			t.Fatalf("%q is not there", old)
		}
		*s = changed
	}
	return map[string]forgery{
		"the text of a receipt":    {func(s *scene, f *File) { edit(&f.Receipts[2].Leaf, "05:20:00Z", "05:20:01Z") }, []string{"receipt[2].signature", "receipt[2].inclusion", "receipt[5].quotes"}},
		"the signature of it":      {func(s *scene, f *File) { edit(&f.Receipts[1].Leaf, `"value":"`, `"value":"A`) }, []string{"receipt[1].signature", "receipt[1].inclusion"}},
		"a receipt left out":       {func(s *scene, f *File) { f.Receipts = slices.Delete(f.Receipts, 2, 3) }, []string{"receipt[4].quotes"}},
		"a receipt twice":          {func(s *scene, f *File) { f.Receipts = append(f.Receipts, f.Receipts[0]) }, []string{"receipt[6].form"}},
		"all receipts left out":    {func(s *scene, f *File) { f.Receipts = nil }, []string{"receipts", "agreement.receipts"}},
		"a receipt that is none":   {func(s *scene, f *File) { f.Receipts[1].Leaf = json.RawMessage(`{"receipt":{}}`) }, []string{"receipt[1].form", "receipt[1].signature", "receipt[1].inclusion"}},
		"a receipt of version 2":   {func(s *scene, f *File) { edit(&f.Receipts[1].Leaf, `"v":1`, `"v":2`) }, []string{"receipt[1].form", "receipt[1].signature"}},
		"the index":                {func(s *scene, f *File) { f.Receipts[1].Index = 9 }, []string{"receipt[1].inclusion"}},
		"the index in the proof":   {func(s *scene, f *File) { swap(&f.Receipts[1].Proof, "index 1", "index 2") }, []string{"receipt[1].inclusion"}},
		"both indexes":             {func(s *scene, f *File) { swap(&f.Receipts[3].Proof, "index 3", "index 2"); f.Receipts[3].Index = 2 }, []string{"receipt[3].form", "receipt[3].inclusion"}},
		"an index beyond the tree": {func(s *scene, f *File) { swap(&f.Receipts[1].Proof, "index 1", "index 7"); f.Receipts[1].Index = 7 }, []string{"receipt[1].inclusion"}},
		"the proof of another":     {func(s *scene, f *File) { f.Receipts[1].Proof = f.Receipts[2].Proof }, []string{"receipt[1].inclusion"}},
		"the proof of another log": {func(s *scene, f *File) { f.Receipts[0].Proof = f.Receipts[4].Proof }, []string{"receipt[0].inclusion", "receipt[0].checkpoint"}},
		"no proof":                 {func(s *scene, f *File) { f.Receipts[1].Proof = "" }, []string{"receipt[1].inclusion", "receipt[1].checkpoint", "receipt[1].cosignatures"}},
		"a proof without a note":   {func(s *scene, f *File) { f.Receipts[1].Proof = proofHeader + "\nindex 1\n\nnote\n" }, []string{"receipt[1].inclusion", "receipt[1].checkpoint"}},
		"a very long checkpoint": {func(s *scene, f *File) {
			f.Receipts[1].Proof = proofHeader + "\nindex 1\n\n" + strings.Repeat("x", MaxCheckpoint+1)
		}, []string{"receipt[1].inclusion"}},
		"the size in a checkpoint": {func(s *scene, f *File) { swap(&f.Receipts[1].Proof, "\n4\n", "\n5\n") }, []string{"receipt[1].inclusion", "receipt[1].checkpoint", "receipt[1].cosignatures"}},
		"the log's signature line": {func(s *scene, f *File) { swap(&f.Receipts[1].Proof, "— cn.example/log ", "— no.example/log ") }, []string{"receipt[1].checkpoint"}},
		"a cosignature line":       {func(s *scene, f *File) { swap(&f.Receipts[1].Proof, "— a.w ", "— z.w ") }, []string{"receipt[1].cosignatures"}},
		"the bits of a cosignature": {func(s *scene, f *File) {
			i := strings.LastIndex(f.Receipts[1].Proof, "\n") - 6
			b := []byte(f.Receipts[1].Proof)
			b[i] = 'A' + (b[i]+1)%26
			f.Receipts[1].Proof = string(b)
		}, []string{"receipt[1].cosignatures"}},
		"the receipt's log":   {func(s *scene, f *File) { f.Receipts[1].Log = "nowhere" }, []string{"receipt[1].log", "receipt[1].inclusion", "receipt[1].checkpoint"}},
		"the owner of a log":  {func(s *scene, f *File) { f.Logs[0].DID = s.kz.did }, []string{"receipt[0].log", "anchors.logs"}},
		"the origin of a log": {func(s *scene, f *File) { f.Logs[0].Origin = "x" }, []string{"logs[0]", "receipt[0].log"}},
		"a log twice":         {func(s *scene, f *File) { f.Logs = append(f.Logs, f.Logs[0]) }, []string{"logs[2]"}},
		"a log without a key": {func(s *scene, f *File) { f.Logs[0].VKey = "x" }, []string{"logs[0]"}},
		"a log's key": {func(s *scene, f *File) {
			k := LogVKey(s.cn.origin, seeded("forger").Public().(ed25519.PublicKey))
			swap(&f.Policy, f.Logs[0].VKey, k)
			f.Logs[0].VKey = k
		}, []string{"receipt[0].checkpoint", "anchors.logs", "anchors.policy", "receipt[1].anchors"}},
		"a third party's log": {func(s *scene, f *File) {
			f.Policy += "log " + other.vkey() + "\n"
			f.Logs = append(f.Logs, FileLog{other.did, other.origin, other.vkey()})
		}, []string{"anchors.logs", "anchors.policy"}},
		"the policy's quorum":     {func(s *scene, f *File) { swap(&f.Policy, "quorum both", "quorum none") }, []string{"anchors.policy", "receipt[1].anchors"}},
		"the policy":              {func(s *scene, f *File) { f.Policy = "x" }, []string{"trust.policy", "receipt[0].cosignatures"}},
		"a participant's key":     {func(s *scene, f *File) { f.Keys[0].Document = rekey(t, s.cn, other) }, []string{"receipt[0].signature", "agreement.provider", "decision[0].signature", "receipt[1].anchors"}},
		"a participant left out":  {func(s *scene, f *File) { f.Keys = f.Keys[:1] }, []string{"agreement.consumer", "receipt[5].signature", "decision[1].signature"}},
		"a participant twice":     {func(s *scene, f *File) { f.Keys = append(f.Keys, FileKeys{s.cn.did, rekey(t, s.cn, other)}) }, []string{"keys[2].unique"}},
		"a document of another":   {func(s *scene, f *File) { f.Keys[0].DID = "did:web:x" }, []string{"keys[0]"}},
		"a document that is none": {func(s *scene, f *File) { f.Keys[0].Document = json.RawMessage(`[]`) }, []string{"keys[0]"}},
		"an opening's value":      {func(s *scene, f *File) { f.Receipts[0].Openings[0].Value = b64([]byte("{}")) }, []string{"receipt[0].openings"}},
		"an opening's salt":       {func(s *scene, f *File) { f.Receipts[0].Openings[0].Salt = b64([]byte("pepper")) }, []string{"receipt[0].openings"}},
		"a salt of 300 bytes":     {func(s *scene, f *File) { f.Receipts[0].Openings[0].Salt = b64(make([]byte, 300)) }, []string{"receipt[0].openings"}},
		"an opening's name":       {func(s *scene, f *File) { f.Receipts[0].Openings[0].Name = "x" }, []string{"receipt[0].openings"}},
		"an opening's spelling":   {func(s *scene, f *File) { f.Receipts[0].Openings[0].Salt += "=" }, []string{"receipt[0].openings"}},
		"an opening twice": {func(s *scene, f *File) {
			f.Receipts[0].Openings = append(f.Receipts[0].Openings, f.Receipts[0].Openings[0])
		}, []string{"receipt[0].openings"}},
		"the agreement's text":     {func(s *scene, f *File) { edit(&f.Agreement, `"flights"`, `"flight5"`) }, []string{"agreement.provider", "agreement.consumer", "agreement.receipts", "decision[0].flow"}},
		"an agreement's signature": {func(s *scene, f *File) { a := s.agreement; a.Signatures = a.Signatures[:1]; f.Agreement = canon(t, a) }, []string{"agreement.consumer"}},
		"a stranger's signature": {func(s *scene, f *File) {
			a := s.agreement
			a.Signatures = append(slices.Clone(a.Signatures), other.signed(t, a.Body))
			f.Agreement = canon(t, a)
		}, []string{"agreement.others"}},
		"a signature twice": {func(s *scene, f *File) {
			a := s.agreement
			a.Signatures = append(slices.Clone(a.Signatures), a.Signatures[0])
			f.Agreement = canon(t, a)
		}, []string{"agreement.others"}},
		"data beside the proof": {func(s *scene, f *File) { swap(&f.Receipts[1].Proof, "\nindex", "\nextra YQ==\nindex") }, []string{"receipt[1].inclusion"}},
		"a signature's suite": {func(s *scene, f *File) {
			a := s.agreement
			a.Signatures = slices.Clone(a.Signatures)
			a.Signatures[0].Suite = P256
			f.Agreement = canon(t, a)
		}, []string{"agreement.provider"}},
		"a signature's spelling": {func(s *scene, f *File) {
			a := s.agreement
			a.Signatures = slices.Clone(a.Signatures)
			a.Signatures[0].Value += "*"
			f.Agreement = canon(t, a)
		}, []string{"agreement.provider"}},
		"an unknown member in it": {func(s *scene, f *File) { edit(&f.Agreement, `{"body":{`, `{"body":{"also":1,`) }, []string{"agreement"}},
		"an agreement of nothing": {func(s *scene, f *File) { f.Agreement = json.RawMessage(`{}`) }, []string{"agreement"}},
		"a stranger's decision": {func(s *scene, f *File) {
			f.Decisions = append(f.Decisions, s.decision(t, other, func(*corridor.DecisionStatement) {}))
		}, []string{"decision[2].signature", "decision[2].flow"}},
		"a decision that is none": {func(s *scene, f *File) {
			f.Decisions = append(f.Decisions, corridor.SignedDecision{Statement: json.RawMessage(`{"v":2}`)})
		}, []string{"decision[2].signature"}},
		"the time of the export": {func(s *scene, f *File) { f.About.At = "2026-11-24T04:00:00Z" }, []string{"times"}},
		"no time of the export":  {func(s *scene, f *File) { f.About.At = "" }, []string{"times"}},
	}
}

// TestTamperingBehindAFreshDigestIsFoundByTheRightCheck changes one thing and
// computes the digest anew, as a forger would.
func TestTamperingBehindAFreshDigestIsFoundByTheRightCheck(t *testing.T) {
	for name, c := range forgeries(t) {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			c.change(s, &s.file)
			rep := Bundle(s.bytes(t), Options{})
			got := failing(rep)
			if rep.OK {
				t.Fatal("passed")
			}
			for _, w := range c.want {
				if !slices.Contains(got, w) {
					t.Errorf("%s did not fail; these did: %v", w, got)
				}
			}
			if slices.Contains(got, "form") || slices.Contains(got, "digest") {
				t.Errorf("the forger would have been more careful: %v", got)
			}
		})
	}
}

func canon(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := corridor.Canonical(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// rekey is p's document with another's key under p's key id.
func rekey(t testing.TB, p, other *party) json.RawMessage {
	q := *p
	q.key = other.key
	q.key.ID = p.key.ID
	return q.document()
}

// lie is a bundle that is signed properly and cannot be true.
type lie struct {
	agree func(s *scene) func(*corridor.Agreement)
	tell  func(*story)
	want  string
}

func (c lie) told(t testing.TB) *scene {
	s := newScene(t)
	if c.agree != nil {
		s.agree(t, c.agree(s))
	}
	s.build(t, func(st *story) {
		if c.tell != nil {
			c.tell(st)
		}
	})
	return s
}

func lies(t testing.TB) map[string]lie {
	set := func(m map[string]string, k, v string) map[string]string {
		out := map[string]string{k: v}
		for n, o := range m {
			if n != k {
				out[n] = o
			}
		}
		return out
	}
	return map[string]lie{
		"another leaf is quoted": {nil, func(s *story) {
			s.requote = func(r corridor.ReceiptRef) corridor.ReceiptRef { r.Leaf = corridor.LeafHash([]byte("x")); return r }
		}, "receipt[5].quotes"},
		"another index is quoted": {nil, func(s *story) { s.requote = func(r corridor.ReceiptRef) corridor.ReceiptRef { r.Index = 77; return r } }, "receipt[5].quotes"},
		"another log is quoted": {nil, func(s *story) {
			s.requote = func(r corridor.ReceiptRef) corridor.ReceiptRef { r.Origin = "x"; return r }
		}, "receipt[5].quotes"},
		"the decision is quoted instead":     {nil, func(s *story) { s.requote = func(r corridor.ReceiptRef) corridor.ReceiptRef { r.Index = 0; return r } }, "receipt[5].quotes"},
		"nothing is quoted":                  {nil, func(s *story) { s.received.PeerRefs = []corridor.ReceiptRef{} }, "receipt[5].quotes"},
		"the own log is quoted":              {nil, func(s *story) { s.acknowledged.PeerRefs = []corridor.ReceiptRef{{Origin: "cn.example/log", Index: 0}} }, "receipt[3].quotes"},
		"other bytes arrived":                {nil, func(s *story) { s.received.Digests = set(nil, corridor.DigestContent, "sha256:other") }, "receipt[5].quotes"},
		"it arrived under another agreement": {nil, func(s *story) { s.received.Agreement = "urn:x" }, "receipt[5].quotes"},
		"it arrived before it left":          {nil, func(s *story) { s.received.Time = "2026-11-24T05:14:00Z" }, "times"},
		"the log goes back in time":          {nil, func(s *story) { s.acknowledged.Time = "2026-11-24T05:14:00Z"; s.received.Time = s.acknowledged.Time }, "times"},
		"a time without a zone":              {nil, func(s *story) { s.released.Time = "2026-11-24T05:20:00" }, "times"},
		"cosigned before it was said":        {nil, func(s *story) { s.acknowledged.Time = "2026-11-24T06:50:00Z" }, "times"},
		"released after the agreement": {func(s *scene) func(*corridor.Agreement) {
			return func(a *corridor.Agreement) { a.ValidUntil = "2026-11-24T05:01:00Z" }
		}, nil, "times"},
		"an agreement that ends early": {func(s *scene) func(*corridor.Agreement) {
			return func(a *corridor.Agreement) { a.ValidUntil = "2025-01-01T00:00:00Z" }
		}, nil, "times"},
		"a validity that is no time": {func(s *scene) func(*corridor.Agreement) {
			return func(a *corridor.Agreement) { a.ValidFrom, a.ValidUntil = "now", "then" }
		}, nil, "times"},
		"another agreement was logged":      {nil, func(s *story) { s.agreed[0].Digests = set(s.agreed[0].Digests, corridor.DigestAgreement, "sha256:x") }, "agreement.receipts"},
		"another policy was logged":         {nil, func(s *story) { s.agreed[0].Digests = set(s.agreed[0].Digests, corridor.DigestPolicy, "sha256:x") }, "receipt[1].anchors"},
		"another log key was logged":        {nil, func(s *story) { s.agreed[1].Digests = set(s.agreed[1].Digests, corridor.DigestLogKey, "sha256:x") }, "receipt[4].anchors"},
		"another document was logged":       {nil, func(s *story) { s.agreed[1].Digests = set(s.agreed[1].Digests, corridor.DigestDIDDocument, "sha256:x") }, "receipt[4].anchors"},
		"too few witnesses":                 {nil, func(s *story) { s.witnesses = []string{"kz.w", "a.w"} }, "receipt[0].cosignatures"},
		"third countries alone":             {nil, func(s *story) { s.witnesses = []string{"a.w", "b.w", "c.w"} }, "receipt[0].cosignatures"},
		"the decision was told differently": {nil, func(s *story) { d := *s.decided.Decision; d.Outcome = corridor.NeedsApproval; s.decided.Decision = &d }, "decisions.receipts"},
		"one side has not decided": {func(s *scene) func(*corridor.Agreement) {
			return func(a *corridor.Agreement) { a.Decisions = a.Decisions[:1] }
		}, nil, "decisions"},
		"one side refuses": {func(s *scene) func(*corridor.Agreement) {
			return func(a *corridor.Agreement) {
				a.Decisions[1] = s.decision(t, s.kz, func(d *corridor.DecisionStatement) {
					d.Decision.Side = corridor.Import
					d.Decision.Outcome = corridor.Deny
				})
			}
		}, nil, "decisions"},
		"nobody approved": {func(s *scene) func(*corridor.Agreement) {
			return func(a *corridor.Agreement) {
				a.Decisions[1] = s.decision(t, s.kz, func(d *corridor.DecisionStatement) {
					d.Decision.Side = corridor.Import
					d.Decision.Outcome = corridor.NeedsApproval
				})
			}
		}, nil, "decisions"},
		"a decision of another flow": {func(s *scene) func(*corridor.Agreement) {
			return func(a *corridor.Agreement) {
				a.Decisions[0] = s.decision(t, s.cn, func(d *corridor.DecisionStatement) { d.Decision.Side = corridor.Export; d.Dataset = "other" })
			}
		}, nil, "decision[0].flow"},
		"a side decided by the other": {func(s *scene) func(*corridor.Agreement) {
			return func(a *corridor.Agreement) {
				a.Decisions[0] = s.decision(t, s.kz, func(d *corridor.DecisionStatement) { d.Decision.Side = corridor.Export })
			}
		}, nil, "decision[0].flow"},
		"the law of another country": {func(s *scene) func(*corridor.Agreement) {
			return func(a *corridor.Agreement) {
				a.Decisions[0] = s.decision(t, s.cn, func(d *corridor.DecisionStatement) { d.Decision.Side = corridor.Export; d.Decision.Jurisdiction = "XX" })
			}
		}, nil, "decision[0].flow"},
		"the checkpoint shown is not the peer's": {nil, func(s *story) { s.received.PeerCheckpoint = "x" }, "receipt[5].seen"},
		"the checkpoint shown is signed by nobody": {nil, func(s *story) {
			s.received.PeerCheckpoint = "cn.example/log\n1\n" + tlog.Hash{}.String() + "\n\n— x AAAAAAAA\n"
		}, "receipt[5].seen"},
		"the checkpoint shown is of another tree": {nil, func(s *story) {
			p := newParty(t, "cn.example", SM2)
			for range 4 {
				p.log(t, corridor.Receipt{Type: corridor.ReceiptAdmin, Time: "2026-11-24T05:00:00Z"})
			}
			s.received.PeerCheckpoint, s.received.Peer = string(p.checkpoint(t)), p.did
		}, "logs[0].one_history"},
		"the checkpoint shown is of a third party": {nil, func(s *story) {
			p := newParty(t, "other.example", Ed25519)
			s.received.PeerCheckpoint = string(p.checkpoint(t))
		}, "receipt[5].seen"},
		"the checkpoint shown is the own log's": {nil, func(s *story) {
			p := newParty(t, "kz.example", Ed25519)
			s.received.PeerCheckpoint, s.received.Peer = string(p.checkpoint(t)), "did:web:cn.example"
		}, "receipt[5].seen"},
		"an agreement without a log": {func(s *scene) func(*corridor.Agreement) {
			return func(a *corridor.Agreement) { delete(a.Logs, s.kz.did) }
		}, nil, "anchors.logs"},
	}
}

// TestAStoryThatCannotBeTrueIsFound: everything is signed, logged and
// cosigned properly, but what is said does not fit together.
func TestAStoryThatCannotBeTrueIsFound(t *testing.T) {
	for name, c := range lies(t) {
		t.Run(name, func(t *testing.T) {
			s := c.told(t)
			rep := Bundle(s.bytes(t), Options{})
			if got := failing(rep); rep.OK || !slices.Contains(got, c.want) {
				t.Errorf("%s did not fail; these did: %v", c.want, got)
			}
		})
	}
}

func TestAnEntryThatContinuesALaterOneIsFound(t *testing.T) {
	s := newScene(t)
	s.build(t, func(st *story) { st.acknowledged.Prev = "unset" })
	// Point the first receipt of kz at the second one, which does not exist yet
	// when it is written: only a forger of a whole log can do that.
	first := s.kz.entries[1]
	s.kz.entries, s.kz.stored = nil, nil
	s.kz.log(t, corridor.Receipt{Type: corridor.ReceiptAdmin, Time: "2026-11-24T05:00:00Z", Prev: corridor.LeafHash(first)})
	cp := s.kz.checkpoint(t, "kz.w", "a.w", "c.w")
	s.file.Receipts[4] = FileReceipt{Log: s.kz.origin, Index: 0, Leaf: s.kz.entries[0], Proof: s.kz.proof(t, 0, cp), Openings: []Opening{}}
	if rep := Bundle(s.bytes(t), Options{}); !slices.Contains(failing(rep), "receipt[4].previous") {
		t.Error(rep.Summary)
	}
}

func TestWhatIsMissingWithoutBeingWrongIsNoted(t *testing.T) {
	noted := func(s *scene, id string) {
		t.Helper()
		rep := Bundle(s.bytes(t), Options{})
		if !rep.OK || !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == id && c.Note }) {
			t.Errorf("%s: %s %+v", id, rep.Summary, rep.Failed())
		}
	}
	s := newScene(t)
	s.file.Agreement = nil
	noted(s, "agreement")
	s = newScene(t)
	s.build(t, func(st *story) { st.agreed[1].Digests = nil })
	noted(s, "agreement.both")
	s.agree(t, func(a *corridor.Agreement) { a.Witnesses = "" })
	s.build(t, func(*story) {})
	noted(s, "anchors.policy")
	s = newScene(t)
	s.policy = "witness a " + witnessKey("a.w") + "\nwitness c " + witnessKey("c.w") + "\ngroup one any a c\nquorum one\n"
	s.agree(t, func(*corridor.Agreement) {})
	s.build(t, func(*story) {})
	noted(s, "trust.quorum")
	// An approval makes a decision that asks for one good.
	s = newScene(t)
	s.agree(t, func(a *corridor.Agreement) {
		a.Decisions[0] = s.decision(t, s.cn, func(d *corridor.DecisionStatement) {
			d.Decision.Side, d.Decision.Outcome = corridor.Export, corridor.NeedsApproval
		})
	})
	s.build(t, func(st *story) { st.decided.Type, st.decided.Decision = corridor.ReceiptApproval, nil })
	if rep := Bundle(s.bytes(t), Options{}); !rep.OK {
		t.Error(rep.Summary, rep.Failed())
	}
}

func TestAReceiptThatShowsThePeersCheckpointHolds(t *testing.T) {
	s := newScene(t)
	s.build(t, func(st *story) {
		before := newParty(t, "cn.example", SM2)
		st.received.PeerCheckpoint, st.received.Peer = string(before.checkpoint(t)), before.did // of the empty tree
	})
	rep := Bundle(s.bytes(t), Options{})
	if !rep.OK || !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == "receipt[5].seen" }) || !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == "logs[0].one_history" }) {
		t.Error(rep.Summary, failing(rep))
	}
}

func TestABundleOfEachSuite(t *testing.T) {
	for _, suite := range Suites() {
		s := newScene(t)
		s.cn = newParty(t, "cn.example", suite)
		s.agree(t, func(*corridor.Agreement) {})
		s.build(t, func(*story) {})
		if rep := Bundle(s.bytes(t), Options{}); !rep.OK {
			t.Error(suite, rep.Summary)
		}
	}
}

func TestTooMuchIsRefused(t *testing.T) {
	s := newScene(t)
	s.file.Receipts = make([]FileReceipt, maxReceipts+1)
	for i := range s.file.Receipts {
		s.file.Receipts[i] = FileReceipt{Leaf: json.RawMessage("1"), Openings: []Opening{}}
	}
	if rep := Bundle(s.bytes(t), Options{}); !slices.Contains(failing(rep), "form") {
		t.Error(rep.Summary)
	}
	if rep := Bundle(make([]byte, MaxBundle+1), Options{}); !slices.Contains(failing(rep), "form") {
		t.Error(rep.Summary)
	}
	if _, err := (File{Agreement: json.RawMessage(`1.5`)}).Encode(); err == nil {
		t.Error("a fraction was encoded")
	}
	s = newScene(t)
	raw := bytes.Replace(s.bytes(t), []byte(`"corridor_bundle":1`), []byte(`"corridor_bundle":2`), 1)
	if rep := Bundle(raw, Options{}); !slices.Contains(failing(rep), "form") {
		t.Error(rep.Summary)
	}
}

// A few bytes of text become many of memory when they are read: what holds too
// much is refused before.
func TestTooManyPartsAreRefusedBeforeTheyTakeMemory(t *testing.T) {
	many := strings.Repeat("{},", 500_000) + "{}"
	few := "{" + strings.TrimSuffix(strings.Repeat(`"openings":[`+strings.Repeat("{},", maxList-2)+"{}],", 250), ",") + "}"
	for name, text := range map[string]string{
		"receipts":       `{"receipts":[` + many + `]}`,
		"keys":           `{"keys":[` + many + `]}`,
		"unknown":        `{"x":{"y":[` + many + `]}}`,
		"no JSON at all": strings.Repeat(",", 1_000_000),
		"deep":           strings.Repeat("[", 1_000_000),
		"many lists":     `{"receipts":[` + few + `]}`,
		"in quotes":      `{"\\\"":[` + many + `]}`,
	} {
		var before, after runtime.MemStats
		data := []byte(text)
		runtime.ReadMemStats(&before)
		rep := Bundle(data, Options{})
		runtime.ReadMemStats(&after)
		if failed := failing(rep); len(rep.Checks) != 1 || !slices.Equal(failed, []string{"form"}) || rep.OK {
			t.Errorf("%s: %v", name, failed)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: %d bytes for %d", name, used, len(data))
		}
	}
	if err := bounded([]byte(`{"a":"[[{,,,` + strings.Repeat(",", maxList) + `","b":[1,2]}`)); err != nil {
		t.Errorf("what stands in quotes counts: %v", err)
	}
}

// FuzzPart puts foreign text into one place of a good bundle, with a fresh
// digest: it must not pass, unless it is the text that belongs there.
func FuzzPart(f *testing.F) {
	s := newScene(f)
	s.cn = newParty(f, "cn.example", Ed25519)
	s.agree(f, func(*corridor.Agreement) {})
	s.build(f, func(*story) {})
	parts := func(file *File) []any {
		r := &file.Receipts[3]
		return []any{&file.Agreement, &file.Keys[0].Document, &file.Logs[0].VKey, &file.Policy, &r.Leaf, &r.Proof}
	}
	text := func(part any) string {
		if raw, ok := part.(*json.RawMessage); ok {
			return string(*raw)
		}
		return *part.(*string)
	}
	for i, p := range parts(&s.file) {
		f.Add(uint8(i), text(p))
	}
	f.Fuzz(func(t *testing.T, which uint8, foreign string) {
		file := s.file
		file.Keys, file.Logs, file.Receipts = slices.Clone(file.Keys), slices.Clone(file.Logs), slices.Clone(file.Receipts)
		list := parts(&file)
		part := list[int(which)%len(list)]
		before := text(part)
		switch p := part.(type) {
		case *json.RawMessage:
			raw, err := corridor.Canonicalize([]byte(foreign))
			if err != nil {
				return
			}
			*p = raw
		case *string:
			*p = strings.ToValidUTF8(foreign, "")
		}
		data, err := file.Encode()
		if err != nil {
			return
		}
		if list[len(list)-1] == part { // signatures of unknown keys may be added
			was, _ := ParseProof([]byte(before))
			is, err := ParseProof([]byte(text(part)))
			body := func(p Proof) string { text, _, _ := strings.Cut(string(p.Checkpoint), "\n\n"); return text }
			if err == nil && is.Index == was.Index && slices.Equal(is.Hashes, was.Hashes) && body(is) == body(was) {
				return
			}
		}
		if rep := Bundle(data, Options{}); rep.OK && text(part) != before {
			t.Fatalf("%q passed in place of %q", text(part), before)
		}
	})
}

func FuzzBundle(f *testing.F) {
	// Ed25519 on both sides: the bundle is the same in every fuzzing process.
	s := newScene(f)
	s.cn = newParty(f, "cn.example", Ed25519)
	s.agree(f, func(*corridor.Agreement) {})
	s.build(f, func(*story) {})
	good := s.bytes(f)
	f.Add(good)
	f.Add([]byte(`{"corridor_bundle":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		rep := Bundle(data, Options{})
		if rep.OK && !bytes.Equal(data, good) {
			t.Fatalf("a bundle that nobody made passed: %q", data)
		}
		if rep.OK != (len(rep.Failed()) == 0) || rep.Summary == "" {
			t.Fatal(rep.Summary)
		}
	})
}
