package verify

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"corridor"
)

// awaited is a bundle under a compact that lets data go only when witnesses
// have cosigned the start, which is entry 2 of the exporter's log; the release
// quotes them. A test changes what is written.
type awaited struct {
	*ruled
	starts    []corridor.Receipt
	proved    int64    // entry
	by        []string // witnesses
	late      bool     // the proof is made when the release is in the log
	proof     func(string) string
	unquoted  bool // the release quotes none
	file      func(*File)
	elsewhere *party // whose log it is
}

func newAwaited(t testing.TB) *awaited {
	a := &awaited{ruled: newRuled(t), proved: 2, by: []string{"kz.w", "a.w", "c.w"}, proof: func(s string) string { return s }}
	a.begin = func(s *scene) {
		a.compact.Liveness, a.compact.Witnesses = corridor.LivenessCosigned, corridor.Digest([]byte(s.policy))
	}
	a.starts = []corridor.Receipt{{Type: corridor.ReceiptTransferStarted, Time: "2026-11-24T05:58:00Z", Transfer: "t"}}
	return a
}

func (a *awaited) bytes(t testing.TB) []byte {
	t.Helper()
	var proof string
	var cn *party
	begin := a.begin
	a.ruled.begin = func(s *scene) {
		begin(s)
		cn = s.cn
		if a.elsewhere != nil {
			cn = a.elsewhere
		}
	}
	a.ruled.tell = func(st *story) {
		compact := st.between[0].Digests
		st.between = nil
		for _, r := range a.starts {
			r.Digests = maps.Clone(compact)
			st.between = append(st.between, r)
		}
		st.released.Time, st.received.Time, st.acknowledged.Time = "2026-11-24T06:01:00Z", "2026-11-24T06:02:00Z", "2026-11-24T06:03:00Z"
		st.released.Digests = maps.Clone(st.released.Digests)
		st.letting = func(release *corridor.Receipt) {
			if a.late {
				cn.log(t, corridor.Receipt{Type: corridor.ReceiptAdmin, Time: "2026-11-24T06:01:00Z"})
			}
			proof = a.proof(cn.proof(t, a.proved, cn.checkpoint(t, a.by...)))
			if a.late {
				cn.stored, cn.entries = nil, cn.entries[:len(cn.entries)-1]
				again := cn.entries
				cn.entries = nil
				for _, e := range again {
					cn.logEntry(t, e)
				}
			}
			if !a.unquoted {
				release.Digests[corridor.DigestWitnessed] = corridor.Digest([]byte(proof))
			}
		}
	}
	a.ruled.file = func(f *File) {
		f.Orders, f.Witnessed = nil, []string{proof}
		if a.file != nil {
			a.file(f)
		}
	}
	return a.ruled.bytes(t)
}

func TestABundleShowsThatDataWaitedForTheWitnesses(t *testing.T) {
	rep := Bundle(newAwaited(t).bytes(t), Options{})
	if !rep.OK {
		t.Fatalf("%s: %+v", rep.Summary, rep.Failed())
	}
	for id, detail := range map[string]string{"receipt[3].witnessed": "by [kz a c], the last at 2026-11-24T06:00:00Z", "compact[0].liveness": "each of 1 releases quotes their cosignatures"} {
		if !slices.ContainsFunc(rep.Checks, func(c Check) bool { return c.ID == id && c.OK && !c.Note && strings.Contains(c.Detail, detail) }) {
			t.Errorf("%s does not say %q: %+v", id, detail, rep.Checks)
		}
	}
	for _, c := range rep.Checks {
		if q := c.Question(); q.ZH == "" || q.RU == "" {
			t.Errorf("%s is asked in English only", c.ID)
		}
	}
}

func TestAReleaseThatWitnessesHadNotCosignedDoesNotHold(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*awaited)
		want   string
	}{
		{"too few witnesses", func(a *awaited) { a.by = []string{"kz.w", "a.w"} }, "receipt[3].witnessed"},
		{"witnesses of another policy", func(a *awaited) { a.by = []string{"x.w", "y.w", "z.w"} }, "receipt[3].witnessed"},
		{"a false cosignature", func(a *awaited) {
			a.proof = func(s string) string { return strings.Replace(s, "— a.w ", "— c.w ", 1) }
		}, "receipt[3].witnessed"},
		{"another root", func(a *awaited) {
			a.proof = func(s string) string { return strings.Replace(s, "cn.example/log\n3\n", "cn.example/log\n4\n", 1) }
		}, "receipt[3].witnessed"},
		{"a proof of the agreement, not of the start", func(a *awaited) { a.proved = 1 }, "receipt[3].witnessed"},
		{"the start of another transfer", func(a *awaited) { a.starts[0].Transfer = "u" }, "receipt[3].witnessed"},
		{"another log", func(a *awaited) {
			a.elsewhere = newParty(t, "other.example", Ed25519)
			for range 3 {
				a.elsewhere.log(t, corridor.Receipt{Type: corridor.ReceiptTransferStarted, Time: "2026-11-24T05:58:00Z"})
			}
		}, "receipt[3].witnessed"},
		{"a tree that grew later", func(a *awaited) { a.late = true }, "receipt[3].witnessed"},
		{"cosignatures of long before the start", func(a *awaited) { a.starts[0].Time = "2026-11-24T06:06:00Z" }, "receipt[3].witnessed"},
		{"no proof at all", func(a *awaited) { a.proof = func(string) string { return "c2sp.org/tlog-proof@v1\n" } }, "receipt[3].witnessed"},
		{"data that nobody has signed", func(a *awaited) {
			a.proof = func(s string) string { return strings.Replace(s, "index 2", "extra eA==\nindex 2", 1) }
		}, "receipt[3].witnessed"},
		{"a proof that no release quotes", func(a *awaited) { a.unquoted = true }, "witnessed.quoted"},
		{"another proof than the one that is quoted", func(a *awaited) { a.file = func(f *File) { f.Witnessed[0] += "\n" } }, "witnessed.quoted"},
		{"the same twice", func(a *awaited) { a.file = func(f *File) { f.Witnessed = append(f.Witnessed, f.Witnessed[0]) } }, "witnessed.quoted"},
		{"one that is too long", func(a *awaited) {
			a.file = func(f *File) { f.Witnessed = append(f.Witnessed, strings.Repeat("x", MaxProof+1)) }
		}, "form"},
	} {
		a := newAwaited(t)
		c.change(a)
		if rep := Bundle(a.bytes(t), Options{}); rep.OK || !slices.Contains(failing(rep), c.want) {
			t.Errorf("%s: %s %v, not %s", c.what, rep.Summary, failing(rep), c.want)
		}
	}
}

// What the bundle cannot show is noted, and nothing is claimed.
func TestABundleThatCannotShowThatDataWaitedSaysSo(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*awaited)
		notes  []string
	}{
		{"a release that quotes nothing", func(a *awaited) {
			a.unquoted, a.file = true, func(f *File) { f.Witnessed = nil }
		}, []string{"compact[0].liveness"}},
		{"a proof that is not here", func(a *awaited) { a.file = func(f *File) { f.Witnessed = nil } }, []string{"receipt[3].witnessed", "compact[0].liveness"}},
		{"a transfer that began again afterwards", func(a *awaited) { a.starts = append(a.starts, a.starts[0]) }, []string{"receipt[4].witnessed", "compact[0].liveness"}},
	} {
		a := newAwaited(t)
		c.change(a)
		rep := Bundle(a.bytes(t), Options{})
		for _, id := range c.notes {
			if !rep.OK || !noted(rep, id) {
				t.Errorf("%s: %s %+v, without the note %s", c.what, rep.Summary, rep.Failed(), id)
			}
		}
	}
}
