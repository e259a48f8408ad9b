package verify

import (
	"slices"
	"strings"
	"testing"

	"corridor"
)

// missed is a story in which the arrival was confirmed after its deadline.
func missed(st *story) {
	st.missing = &corridor.Receipt{Type: corridor.ReceiptTransferUnconfirmed, Time: "2026-11-24T05:40:00Z", Due: "2026-11-24T05:30:00Z", Agreement: st.released.Agreement, Transfer: "t"}
	st.received.Time, st.acknowledged.Time = "2026-11-24T05:50:00Z", "2026-11-24T05:51:00Z"
}

func TestAMissingConfirmationIsToldAndIsNoFault(t *testing.T) {
	s := newScene(t)
	s.build(t, missed)
	rep := Bundle(s.bytes(t), Options{})
	i := slices.IndexFunc(rep.Checks, func(c Check) bool { return strings.HasSuffix(c.ID, ".confirmed") })
	if !rep.OK || i < 0 || !rep.Checks[i].Note || !strings.Contains(rep.Checks[i].Detail, "it was at 2026-11-24T05:51:00Z") {
		t.Fatal(rep.Summary, failing(rep))
	}
	if q := rep.Checks[i].Question(); q.ZH == "" || q.RU == "" {
		t.Errorf("%+v", q)
	}
	s.build(t, func(st *story) {
		missed(st)
		st.acknowledged.Digests = map[string]string{}
	})
	rep = Bundle(s.bytes(t), Options{})
	if !rep.OK || !strings.Contains(rep.Checks[i].Detail, "nothing here confirms it") {
		t.Error(rep.Summary, failing(rep))
	}
}

func TestAMissingConfirmationThatIsNoneFails(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*story)
		check  string
	}{
		"of no release":             {func(st *story) { st.missing.Digests = map[string]string{corridor.DigestReleased: "sha256:0"} }, ".unconfirmed"},
		"of another transfer":       {func(st *story) { st.missing.Transfer = "u" }, ".unconfirmed"},
		"of other bytes":            {func(st *story) { st.released.Digests = map[string]string{} }, ".unconfirmed"},
		"before its deadline":       {func(st *story) { st.missing.Due = "2026-11-24T05:41:00Z" }, ".unconfirmed"},
		"due before the release":    {func(st *story) { st.missing.Due = "2026-11-24T05:19:00Z" }, ".unconfirmed"},
		"without a deadline":        {func(st *story) { st.missing.Due = "" }, ".unconfirmed"},
		"late without what is late": {func(st *story) { st.acknowledged.Digests = map[string]string{corridor.DigestUnconfirmed: "sha256:0"} }, ".late"},
		"late of another transfer":  {func(st *story) { st.acknowledged.Transfer = "u" }, ".late"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.build(t, func(st *story) {
				missed(st)
				c.change(st)
			})
			rep := Bundle(s.bytes(t), Options{})
			if rep.OK || !slices.ContainsFunc(rep.Failed(), func(f Check) bool { return strings.HasSuffix(f.ID, c.check) }) {
				t.Error(rep.Summary, failing(rep))
			}
		})
	}
}
