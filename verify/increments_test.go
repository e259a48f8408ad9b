package verify

import (
	"slices"
	"strings"
	"testing"

	"corridor"
)

// grown is a story of the first increment of data that goes on.
func grown(st *story) {
	for _, r := range []*corridor.Receipt{&st.released, &st.received, &st.acknowledged} {
		r.Transfer, r.Increment = "t~1", &corridor.Increment{Number: 1, Bytes: 5, Rows: 1}
	}
}

func TestIncrementsAreTold(t *testing.T) {
	s := newScene(t)
	s.build(t, grown)
	rep := Bundle(s.bytes(t), Options{})
	if !rep.OK {
		t.Fatal(rep.Summary, failing(rep))
	}
	for id, says := range map[string]string{"increments[0]": "1 released, 1 acknowledged", "increments[1]": "1 received"} {
		i := slices.IndexFunc(rep.Checks, func(c Check) bool { return c.ID == id })
		if i < 0 || rep.Checks[i].Detail != says || rep.Checks[i].Question().ZH == "" || rep.Checks[i].Question().RU == "" {
			t.Errorf("%s: %+v", id, rep.Checks)
		}
	}
}

func TestIncrementsThatDoNotFitFail(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*story)
		check  string
	}{
		"arrived under another number": {func(st *story) {
			st.received.Transfer, st.received.Increment = "t~2", &corridor.Increment{Number: 2, Bytes: 5, Rows: 1}
		}, ".quotes"},
		"arrived as no increment": {func(st *story) { st.received.Transfer, st.received.Increment = "t", nil }, ".quotes"},
		"arrived longer":          {func(st *story) { st.received.Increment = &corridor.Increment{Number: 1, Bytes: 6, Rows: 1} }, ".quotes"},
		"arrived with other rows": {func(st *story) { st.received.Increment = &corridor.Increment{Number: 1, Bytes: 5, Rows: 2} }, ".quotes"},
		"acknowledged as another": {func(st *story) {
			st.acknowledged.Transfer, st.acknowledged.Increment = "t~2", &corridor.Increment{Number: 2, Bytes: 5, Rows: 1}
		}, ".quotes"},
		"named as another":              {func(st *story) { st.received.Transfer = "t~2" }, "increments[1]"},
		"number nought":                 {func(st *story) { st.received.Transfer, st.received.Increment = "t~0", &corridor.Increment{} }, "increments[1]"},
		"named as none":                 {func(st *story) { st.received.Transfer = "t" }, "increments[1]"},
		"the first is left out":         {secondAlone, "increments[1]"},
		"released twice in other bytes": {releasedTwice, "increments[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.build(t, func(st *story) {
				grown(st)
				c.change(st)
			})
			rep := Bundle(s.bytes(t), Options{})
			if rep.OK || !slices.ContainsFunc(rep.Failed(), func(f Check) bool { return strings.HasSuffix(f.ID, c.check) }) {
				t.Error(rep.Summary, failing(rep))
			}
		})
	}
}

func secondAlone(st *story) {
	for _, r := range []*corridor.Receipt{&st.released, &st.received, &st.acknowledged} {
		r.Transfer, r.Increment = "t~2", &corridor.Increment{Number: 2, Bytes: 5, Rows: 1}
	}
}

func releasedTwice(st *story) {
	again := st.released
	again.Digests = map[string]string{corridor.DigestContent: corridor.Digest([]byte("other"))}
	st.missing, st.acknowledged.Digests = &again, map[string]string{}
}

// TestAReceiptOfAnIncrementThatWasChangedFails: its length is under the
// signature, and under the root of the log.
func TestAReceiptOfAnIncrementThatWasChangedFails(t *testing.T) {
	s := newScene(t)
	s.build(t, grown)
	changed := false
	for i, r := range s.file.Receipts {
		if text := strings.Replace(string(r.Leaf), `"bytes":5`, `"bytes":6`, 1); text != string(r.Leaf) {
			s.file.Receipts[i].Leaf, changed = []byte(text), true
		}
	}
	rep := Bundle(s.bytes(t), Options{})
	for _, check := range []string{".signature", ".inclusion"} {
		if !changed || rep.OK || !slices.ContainsFunc(rep.Failed(), func(f Check) bool { return strings.HasSuffix(f.ID, check) }) {
			t.Error(check, rep.Summary, failing(rep))
		}
	}
}

// Who exported a bundle is not signed: a gap does not become a note by naming
// somebody else.
func TestAGapIsNoNoteWhereTheExporterIsNeitherParty(t *testing.T) {
	for by, want := range map[string]string{"did:web:nobody.example": "increments[0] increments[1]", "": "increments[0] increments[1]"} {
		s := newScene(t)
		s.build(t, func(st *story) {
			grown(st)
			secondAlone(st)
		})
		s.file.About.By = by
		if got := strings.Join(failing(Bundle(s.bytes(t), Options{})), " "); got != want {
			t.Errorf("%q: %s, not %s", by, got, want)
		}
	}
}

// TestAPartSaysThatItIsOne: the exporter may show some increments alone, and
// then the reader is told; what it says to show it has to show.
func TestAPartSaysThatItIsOne(t *testing.T) {
	third := func(st *story) {
		for _, r := range []*corridor.Receipt{&st.released, &st.received, &st.acknowledged} {
			r.Transfer, r.Increment = "t~3", &corridor.Increment{Number: 3, Bytes: 5, Rows: 1}
		}
	}
	for name, c := range map[string]struct {
		part  *Part
		fails string
	}{
		"all of it":                       {nil, "increments[1]"},
		"the third":                       {&Part{Transfer: "t", From: 3, To: 3}, ""},
		"the third and the next":          {&Part{Transfer: "t", From: 3, To: 4}, "part"},
		"the third and very many":         {&Part{Transfer: "t", From: 3, To: 1 << 50}, "part"},
		"the second, and it is the third": {&Part{Transfer: "t", From: 2, To: 2}, "part"},
		"the second and the third":        {&Part{Transfer: "t", From: 2, To: 3}, "increments[1]"},
		"another transfer":                {&Part{Transfer: "u", From: 3, To: 3}, "part"},
		"no increment":                    {&Part{Transfer: "t"}, "part"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.build(t, third)
			s.file.About.Part = c.part
			rep := Bundle(s.bytes(t), Options{})
			if c.fails == "" && !rep.OK || c.fails != "" && (rep.OK || !slices.ContainsFunc(rep.Failed(), func(f Check) bool { return f.ID == c.fails })) {
				t.Errorf("%s %s", rep.Summary, failing(rep))
			}
			said := slices.ContainsFunc(rep.Checks, func(k Check) bool { return k.ID == "part.all" })
			if said != (c.part != nil) || said != strings.Contains(rep.Summary, "of others it says nothing") {
				t.Errorf("the reader is told %t: %s", said, rep.Summary)
			}
		})
	}
}
